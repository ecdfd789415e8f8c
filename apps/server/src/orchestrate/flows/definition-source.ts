/**
 * Reading a definition: YAML 1.2, JSON (a part of YAML) or a JSON value, all hostile.
 *
 * Invariants: the result is plain JSON (finite numbers, text that PostgreSQL can hold, no `__proto__`
 * key), at most `flowLimits.depth` levels and `maxValues` values deep and wide, so that neither aliases
 * nor nesting can grow it. Keys are unique. Tags and YAML 1.1 are refused.
 */
import { flowLimits } from "@oars/contract";
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from "yaml";
import { setOwn } from "./jsonata-result.ts";
import type { ProblemCode } from "./problem-codes.ts";
import type { Path, Problem } from "./problems.ts";
import { SourcePositions } from "./source-positions.ts";
import { yamlProblems } from "./yaml-problems.ts";

export interface ReadDefinition {
  /** Undefined when the source cannot be read at all. */
  readonly data: unknown;
  readonly positions: SourcePositions | null;
  readonly problems: readonly Problem[];
}

const maxValues = 50_000;
const maxAliases = 100;
const coreTags = new Set(
  ["str", "int", "float", "bool", "null", "map", "seq"].map((t) => `tag:yaml.org,2002:${t}`),
);

/** Reads YAML or JSON text. Never throws on any text of at most `flowLimits.definitionBytes`. */
export function readText(source: string): ReadDefinition {
  const lines = new LineCounter();
  const document = parseDocument(source, {
    version: "1.2",
    schema: "core",
    merge: false,
    strict: true,
    stringKeys: true,
    uniqueKeys: false, // the library's own check is quadratic; the reader below has one that is not
    prettyErrors: false,
    logLevel: "error",
    lineCounter: lines,
  });
  const positions = new SourcePositions(source, lines);
  const problems = yamlProblems(document, source);
  if (problems.length > 0) return { data: undefined, positions, problems };
  const reader = new Reader(document, positions);
  positions.add([], { value: document.contents?.range?.[0] ?? 0 });
  const data = document.contents === null ? null : reader.read(document.contents, [], 0);
  return { data, positions, problems: reader.problems };
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #document: Document;
  readonly #positions: SourcePositions;
  #values = 0;
  #aliases = 0;

  constructor(document: Document, positions: SourcePositions) {
    this.#document = document;
    this.#positions = positions;
  }

  read(node: unknown, path: Path, depth: number): unknown {
    this.#values += 1;
    if (this.#values > maxValues) {
      if (this.#values === maxValues + 1) {
        this.#report([], "FLOW_TOO_LARGE", `the definition holds more than ${maxValues} values`);
      }
      return null;
    }
    if (depth > flowLimits.depth) {
      return this.#report(path, "FLOW_TOO_DEEP", `nested more than ${flowLimits.depth} levels deep`);
    }
    if (isAlias(node)) return this.#readAlias(node, path, depth);
    const tag = (node as Node | null)?.tag; // only read; anything without a tag is undefined
    if (tag !== undefined && !coreTags.has(tag)) {
      return this.#report(
        path,
        "SOURCE_TAG",
        `${tag.replace("tag:yaml.org,2002:", "!!")} is not allowed; write plain YAML without tags`,
      );
    }
    if (isMap(node)) return this.#readMap(node.items, path, depth);
    if (isSeq(node)) return node.items.map((item, index) => this.#readPart(item, [...path, index], depth));
    return this.#readScalar(isScalar(node) ? node.value : null, path);
  }

  #readPart(node: unknown, path: Path, depth: number, key?: number): unknown {
    const range = (node as Node | null)?.range; // only read; nodes made by the parser have one
    const value = range?.[0] ?? key ?? 0;
    const spot = {
      value,
      ...(key === undefined ? {} : { key }),
      ...(isScalar(node) ? { scalar: node } : {}),
    };
    this.#positions.add(path, spot);
    return this.read(node, path, depth + 1);
  }

  #readMap(pairs: readonly Pair[], path: Path, depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (const pair of pairs) {
      if (!isScalar(pair.key)) {
        this.#report(path, "SOURCE_KEY", "keys must be plain text");
        continue;
      }
      const key = String(pair.key.value ?? "");
      const at = [...path, key];
      const offset = pair.key.range?.[0] ?? 0;
      if (Object.hasOwn(object, key)) {
        this.#positions.add(at, { key: offset, value: offset });
        this.#report(at, "SOURCE_DUPLICATE_KEY", `"${key}" is written twice`, "key");
        continue;
      }
      const value = this.#readPart(pair.value, at, depth, offset);
      if (key === "__proto__") this.#report(at, "SOURCE_KEY", `"${key}" cannot be a key`, "key");
      else if (!isStorable(key)) this.#report(at, "SOURCE_TEXT", unstorable, "key");
      setOwn(object, key, value);
    }
    return object;
  }

  #readAlias(alias: Alias, path: Path, depth: number): unknown {
    this.#aliases += 1;
    if (this.#aliases > maxAliases) {
      if (this.#aliases > maxAliases + 1) return null;
      return this.#report(path, "SOURCE_ALIAS", `more than ${maxAliases} aliases; write the values out`);
    }
    const target = alias.resolve(this.#document);
    if (target === undefined) {
      return this.#report(path, "SOURCE_ALIAS", `there is no anchor &${alias.source} before this alias`);
    }
    return this.read(target, path, depth + 1);
  }

  #readScalar(value: unknown, path: Path): unknown {
    const problem = scalarProblem(value);
    return problem === null ? value : this.#report(path, problem.code, problem.message);
  }

  #report(path: Path, code: ProblemCode, message: string, on?: "key"): null {
    this.problems.push({ path, code, message, ...(on ? { on } : {}) });
    return null;
  }
}

const unstorable = "holds a NUL or half of a surrogate pair, which cannot be stored";
const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes("\u0000");

function scalarProblem(value: unknown): { code: ProblemCode; message: string } | null {
  if (value === null || typeof value === "boolean") return null;
  if (typeof value === "string")
    return isStorable(value) ? null : { code: "SOURCE_TEXT", message: unstorable };
  if (typeof value !== "number") return { code: "SOURCE_TYPE", message: "is not a value that JSON has" };
  if (!Number.isFinite(value)) return { code: "SOURCE_NUMBER", message: "must be a finite number" };
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return { code: "SOURCE_NUMBER", message: "is too large to be exact; write it as text" };
  }
  return null;
}

/** Checks a JSON value that arrived without a text. */
export function readValue(value: unknown): ReadDefinition {
  const problems: Problem[] = [];
  let values = 0;
  const check = (part: unknown, path: Path): void => {
    values += 1;
    if (values === maxValues) {
      problems.push({ path: [], code: "FLOW_TOO_LARGE", message: `holds more than ${maxValues} values` });
    }
    if (values >= maxValues) return;
    if (path.length > flowLimits.depth) {
      problems.push({
        path,
        code: "FLOW_TOO_DEEP",
        message: `nested more than ${flowLimits.depth} levels deep`,
      });
    } else if (Array.isArray(part)) for (const [index, item] of part.entries()) check(item, [...path, index]);
    else if (typeof part === "object" && part !== null && isPlain(part)) {
      for (const [key, held] of Object.entries(part)) {
        if (key === "__proto__" || !isStorable(key)) {
          problems.push({ path: [...path, key], code: "SOURCE_KEY", message: "cannot be a key" });
        } else if (held !== undefined) check(held, [...path, key]);
      }
    } else {
      const problem = scalarProblem(part);
      if (problem !== null) problems.push({ path, ...problem });
    }
  };
  check(value, []);
  return { data: problems.length > 0 ? undefined : value, positions: null, problems };
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
};
