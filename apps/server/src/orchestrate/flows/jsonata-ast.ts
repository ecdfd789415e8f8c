/** Reading the syntax tree of JSONata 2.2: the walk, the names that an expression binds and uses. */

/** A node of the tree. Its fields depend on `type`; unknown fields are read through `childrenOf`. */
export interface AstNode {
  readonly type: string;
  readonly value?: unknown;
  readonly position?: number;
  readonly [field: string]: unknown;
}

export const isAstNode = (value: unknown): value is AstNode =>
  typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";

/** Fields that hold bookkeeping of the evaluator instead of sub-expressions. */
const bookkeeping = new Set(["ancestor", "slot", "seekingParent", "errors", "value"]);

/** Sub-expressions of a node, each with the name of the field that holds it. */
export function* childrenOf(node: AstNode): Generator<{ readonly field: string; readonly child: AstNode }> {
  for (const [field, held] of Object.entries(node)) {
    if (bookkeeping.has(field)) continue;
    for (const child of nodesIn(held)) yield { field, child };
  }
}

function* nodesIn(held: unknown): Generator<AstNode> {
  if (isAstNode(held)) yield held;
  else if (Array.isArray(held)) for (const item of held) yield* nodesIn(item);
  // pairs, sort terms and groups are plain objects or arrays around nodes
  else if (typeof held === "object" && held !== null)
    for (const item of Object.values(held)) yield* nodesIn(item);
}

/** Calls `visit` for every node, parents first. */
export function walkAst(node: AstNode, visit: (node: AstNode) => void): void {
  visit(node);
  for (const { child } of childrenOf(node)) walkAst(child, visit);
}

export interface VariableUse {
  readonly name: string;
  /** Offset in the source just behind the variable. */
  readonly end: number;
}

/** Variables that an expression binds (`:=`, lambda arguments, `@`, `#`) and those it uses. */
export function variablesOf(root: AstNode): { readonly bound: Set<string>; readonly used: VariableUse[] } {
  const bound = new Set<string>();
  const used: VariableUse[] = [];
  walkAst(root, (node) => {
    if (node.type === "bind" && isAstNode(node.lhs)) bound.add(String(node.lhs.value));
    if (node.type === "lambda")
      for (const argument of nodesIn(node.arguments)) bound.add(String(argument.value));
    for (const field of [node.focus, node.index]) if (typeof field === "string") bound.add(field);
    for (const stage of Array.isArray(node.stages) ? node.stages : []) {
      if (isAstNode(stage) && stage.type === "index") bound.add(String(stage.value));
    }
    if (node.type === "variable" && typeof node.value === "string" && node.position !== undefined) {
      if (node.value !== "" && node.value !== "$") used.push({ name: node.value, end: node.position });
    }
  });
  return { bound, used };
}
