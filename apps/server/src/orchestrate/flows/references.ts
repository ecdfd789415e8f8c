/**
 * What an expression reads. Checks and the engine rely on it, so it must be visible in the text:
 * an expression that takes the whole scope, picks a step by a computed name or climbs out of a value
 * with `%` is refused.
 */
import { type AstNode, childrenOf, isAstNode } from "./jsonata-ast.ts";
import type { PlainPath } from "./plain-path.ts";

/** One use of a root of the scope: `steps.a.output` is root steps, name a, field output. */
export interface Reference {
  readonly root: string;
  readonly name: string | null;
  readonly field: string | null;
  readonly offset: number;
}

/** A use that cannot be followed. */
export interface Computed {
  readonly computed: true;
  readonly message: string;
  readonly offset: number;
}

export function referencesOfPath(path: PlainPath, offset: number): readonly (Reference | Computed)[] {
  const [root, name, field] = path;
  if (root === "steps" && typeof name !== "string") return [computed(computedStep, offset)];
  return [{ root: String(root), name: textOf(name), field: textOf(field), offset }];
}

const textOf = (part: string | number | undefined): string | null => (typeof part === "string" ? part : null);

export function referencesOf(ast: AstNode): readonly (Reference | Computed)[] {
  const found: (Reference | Computed)[] = [];
  visit(ast, true, found);
  return found;
}

const wholeScope = "the expression reads the whole scope; name what is needed, as in params.x";
const computedStep = "the expression must name the step that it reads, as in steps.a.output";

/** `atRoot` says whether names are looked up in the scope, or in a value that the expression is inside of. */
function visit(node: AstNode, atRoot: boolean, found: (Reference | Computed)[]): void {
  if (node.type === "path" && Array.isArray(node.steps)) {
    visitPath(node, node.steps.filter(isAstNode), atRoot, found);
    return;
  }
  if (isScope(node, atRoot)) {
    found.push(computed(wholeScope, startOf(node)));
  } else if (atRoot && (node.type === "wildcard" || node.type === "descendant" || node.type === "parent")) {
    found.push(computed(wholeScope, startOf(node)));
  }
  for (const { field, child } of childrenOf(node)) {
    const inside =
      field === "predicate" || field === "stages" || field === "group" || node.type === "transform";
    visit(child, atRoot && !inside, found);
  }
}

/** `$` at the root, and `$$` anywhere. */
const isScope = (node: AstNode, atRoot: boolean): boolean =>
  node.type === "variable" && (node.value === "$" || (node.value === "" && atRoot));

function visitPath(path: AstNode, steps: AstNode[], atRoot: boolean, found: (Reference | Computed)[]): void {
  const first = steps[0];
  if (first === undefined) return;
  const start = isScope(first, atRoot) && steps[1] !== undefined ? 1 : 0;
  const named = start === 1 || (atRoot && isName(first));
  if (named) found.push(followPath(steps, start));
  else visit(first, atRoot, found);
  for (const step of named ? steps : steps.slice(1)) {
    if (!isScope(step, atRoot) || step !== first) visit(step, false, found);
  }
  for (const { field, child } of childrenOf(path)) if (field !== "steps") visit(child, false, found);
}

const isName = (node: AstNode | undefined): node is AstNode =>
  node !== undefined && (node.type === "name" || node.type === "string");

function followPath(steps: AstNode[], start: number): Reference | Computed {
  const [root, name, field] = steps.slice(start, start + 3);
  if (!isName(root)) {
    return computed(wholeScope, startOf(root ?? steps[0]));
  }
  const offset = startOf(root);
  const top = root.value === "steps" ? [root, name] : [root];
  for (const part of top) {
    if (!isName(part) || (part === root && root.value === "steps" && part.stages !== undefined)) {
      return computed(computedStep, offset);
    }
    if (part.ancestor !== undefined)
      return computed("% climbs out of the value here; name what is needed, as in params.x", offset);
    if (part.focus !== undefined)
      return computed("@ binds the whole scope here; bind a value inside of it", offset);
  }
  return { root: String(root.value), name: nameOf(name), field: nameOf(field), offset };
}

const nameOf = (node: AstNode | undefined): string | null => (isName(node) ? String(node.value) : null);

/** Nodes carry the offset behind their token. */
const startOf = (node: AstNode | undefined): number => {
  const length = node?.type === "variable" ? String(node.value).length + 1 : String(node?.value ?? "").length;
  return Math.max(0, (node?.position ?? 0) - length);
};

const computed = (message: string, offset: number): Computed => ({ computed: true, message, offset });
