/** Walking Cedar's JSON form of a policy, of which only the shape that is looked at is known. */
export type Tree = Readonly<Record<string, unknown>>;

// Measured: 500 links of one chain end the stack while deciding; a link is two levels of JSON.
const maxTreeDepth = 200;

/** Visits every object of a tree without recursion. True when it is too deep, and then nothing is promised. */
export function eachNode(root: unknown, visit: (node: Tree) => void): boolean {
  const open: [unknown, number][] = [[root, 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, depth] = next;
    if (typeof value !== "object" || value === null) continue;
    if (depth > maxTreeDepth) return true;
    if (!Array.isArray(value)) visit(value as Tree); // an object that is no array
    for (const child of Object.values(value)) open.push([child, depth + 1]);
  }
  return false;
}

export const childOf = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Tree)[key] // checked to be an object with that key
    : undefined;

/** Whether the node reads `variable.attribute`. */
export function isPath(node: unknown, variable: string, attribute: string): boolean {
  const access = childOf(node, ".");
  return childOf(access, "attr") === attribute && childOf(childOf(access, "left"), "Var") === variable;
}

/**
 * The names of all attributes that a policy reads, of whatever: what is not among them need not be sent to
 * the engine. Null when the policy takes the context as a whole, and then everything must be sent.
 */
export function attributesRead(policy: unknown): string[] | null {
  const names = new Set<string>();
  let contexts = 0;
  let opened = 0;
  const tooDeep = eachNode(policy, (node) => {
    if (node.Var === "context") contexts += 1;
    for (const access of [node["."], node.has]) {
      if (childOf(childOf(access, "left"), "Var") === "context") opened += 1;
      const attributes = childOf(access, "attr");
      for (const name of Array.isArray(attributes) ? attributes : [attributes])
        if (typeof name === "string") names.add(name);
    }
  });
  return tooDeep || contexts !== opened ? null : [...names].sort();
}
