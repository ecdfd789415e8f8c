/**
 * The rules of the house, as far as the text of the files shows them: which room may import which, that a room
 * is entered through its index alone, that a table is written by the room that owns it, and that the
 * environment is read in one file. Pure: takes the texts, gives the violations. `rooms.test.ts` runs it.
 */

/** Wings in storeys, lowest first; wings of one storey do not see each other. Rooms in the order of building. */
export const house: readonly Readonly<Record<string, readonly string[]>>[] = [
  { platform: ["kernel", "config", "db", "blobs", "telemetry", "net", "events", "vault", "access", "jobs"] },
  { sign: ["receipts", "log", "witness", "interop", "evidence"] },
  {
    act: [
      "connector-kit",
      "connector-auth",
      "connectors-web",
      "connectors-wire",
      "connectors",
      "catalogue",
      "policy",
      "workflows",
      "factors",
      "approvals",
      "actions",
      "rehearsals",
    ],
    remember: ["memory", "recall", "coordination"],
  },
  { orchestrate: ["flows", "transforms", "engine", "runs", "triggers", "agents"] },
  { operate: ["delivery", "alerts", "health", "backup", "privacy", "customization"] },
  { doors: ["http", "mcp", "a2a", "live"] },
];

export interface SourceFile {
  /** Below `src` or `migrations`, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export type Rule =
  | "arrow"
  | "parent-import"
  | "inside-import"
  | "place"
  | "environment"
  | "foreign-table"
  | "unknown-table"
  | "migration-header"
  | "testing-import";

export interface Violation {
  readonly rule: Rule;
  readonly path: string;
  readonly message: string;
}

export interface Survey {
  readonly violations: readonly Violation[];
  /** How much was seen, so that a survey that has gone blind is found out. */
  readonly seen: {
    readonly files: number;
    readonly imports: number;
    readonly writes: number;
    readonly tables: number;
  };
}

interface Place {
  readonly storey: number;
  readonly wing: string;
  readonly order: number;
}

const places: ReadonlyMap<string, Place> = new Map(
  house.flatMap((wings, storey) =>
    Object.entries(wings).flatMap(([wing, rooms]) =>
      rooms.map((room, order) => [`${wing}/${room}`, { storey, wing, order }] as const),
    ),
  ),
);

const isTest = (path: string): boolean => path.endsWith(".test.ts") || path.startsWith("testing/");
const isTop = (path: string): boolean => !path.includes("/");

/** `wing/room` of a file, or undefined for those above the rooms. */
const roomOf = (path: string): string | undefined =>
  isTop(path) || path.startsWith("testing/") ? undefined : path.split("/").slice(0, 2).join("/");

export function survey(sources: readonly SourceFile[], migrations: readonly SourceFile[]): Survey {
  const violations: Violation[] = [];
  const owners = tableOwners(sources, migrations, violations);
  let imports = 0;
  let writes = 0;
  for (const file of sources) {
    const code = withoutComments(file.text);
    const report = (rule: Rule, message: string): void => {
      violations.push({ rule, path: file.path, message });
    };
    checkPlace(file.path, report);
    for (const specifier of importsOf(code)) {
      imports += 1;
      checkImport(file.path, specifier, report);
    }
    if (readsEnvironment(code) && file.path !== "main.ts" && !isTest(file.path)) {
      report("environment", "reads the environment; only main.ts does, and passes the configuration on");
    }
    const room = roomOf(file.path);
    for (const table of isTest(file.path) ? [] : writesOf(code)) {
      writes += 1;
      const owner = owners.get(table);
      if (owner === undefined) report("unknown-table", `writes ${table}, which no migration creates`);
      else if (owner !== room) report("foreign-table", `writes ${table}, which belongs to ${owner}`);
    }
  }
  return { violations, seen: { files: sources.length, imports, writes, tables: owners.size } };
}

type Report = (rule: Rule, message: string) => void;

function checkPlace(path: string, report: Report): void {
  const room = roomOf(path);
  if (room === undefined) return;
  if (!places.has(room))
    report("place", `${room} is no room of the house; name it in rooms.ts or move the file`);
  else if (path.split("/").length > 3) report("place", "a room is a flat folder; move the file up");
}

/** Tests above the rooms use the pieces of `testing/`, which may build the whole server. */
const isTestPiece = (path: string, specifier: string): boolean =>
  path.startsWith("testing/")
    ? /^\.\.\/[\w-]+\.ts$/.test(specifier)
    : isTop(path) && isTest(path) && /^\.\/testing\/[\w-]+\.ts$/.test(specifier);

function checkImport(path: string, specifier: string, report: Report): void {
  if (isTestPiece(path, specifier) || specifier.endsWith("/package.json")) return;
  if (specifier.startsWith("..")) {
    report(
      "parent-import",
      `imports ${specifier}; import another room by its name, such as #platform/kernel`,
    );
  } else if (specifier.startsWith("./")) {
    if (specifier.split("/").length > 2 && !path.startsWith("testing/")) {
      report("inside-import", `imports ${specifier}; enter a room through its index`);
    }
  } else if (specifier === "#testing") {
    if (!isTest(path)) report("testing-import", "imports #testing, which is for tests alone");
  } else if (specifier.startsWith("#")) checkRoomImport(path, specifier.slice(1), report);
}

function checkRoomImport(path: string, target: string, report: Report): void {
  const room = roomOf(path);
  const to = places.get(target);
  if (!to) {
    report("inside-import", `imports #${target}, which is no room; enter a room through its index`);
  } else if (room === target) {
    report("inside-import", `imports its own room by name; import the file, such as ./domain.ts`);
  } else if (room !== undefined) {
    const from = places.get(room);
    const below = from && (to.storey < from.storey || (to.wing === from.wing && to.order < from.order));
    if (!below) report("arrow", `imports #${target}, which is not below ${room}`);
  }
}

/** Drops comments that stand on lines of their own; those within statements stay. */
const withoutComments = (text: string): string =>
  text.replace(/^[ \t]*\/\*\*[\s\S]*?\*\//gm, "").replace(/^[ \t]*\/\/.*$/gm, "");

const importsOf = (code: string): string[] =>
  [...code.matchAll(/\b(?:from|import)\s*\(?\s*["']([#.][^"'\n]*)["']/g)].map((m) => m[1] ?? "");

const readsEnvironment = (code: string): boolean =>
  /\bprocess\s*(?:\?\.|\.)\s*env\b|\bprocess\s*\[\s*["']env|\{[^}]*\benv\b[^}]*\}\s*(?:=\s*process\b|from\s+["'](?:node:)?process["'])/.test(
    code,
  );

const writePatterns = [
  /\binsert\s+into\s+"?(\w+)"?\s*(?:as\s+\w+\s*)?(?:\(|select\b|values\b|default\b)/gi,
  /\bupdate\s+(?:only\s+)?(?!set\b)"?(\w+)"?(?:\s+(?:as\s+)?\w+)?\s+set\s+(?:["\w.]+\s*=|\(|\$\{)/gi,
  /\bdelete\s+from\s+(?:only\s+)?"?(\w+)"?(?=\s+(?:as\b|\w+\s+(?:where|using)\b|where\b|using\b|returning\b)|\s*[`"';])/gi,
  /\btruncate\s+(?:table\s+)?"?(\w+)"?(?=\s*[`"',;])/gi,
  /\bmerge\s+into\s+"?(\w+)"?/gi,
] as const;

const writesOf = (code: string): string[] =>
  writePatterns.flatMap((pattern) => [...code.matchAll(pattern)].map((m) => (m[1] ?? "").toLowerCase()));

const createTable = /\bcreate\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?"?(\w+)"?/gi;

/** Tables by the room that a migration's header names, or by the room whose code creates them. */
function tableOwners(
  sources: readonly SourceFile[],
  migrations: readonly SourceFile[],
  violations: Violation[],
): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (const { path, text } of migrations) {
    const room = /^--! room: (\S+)$/m.exec(text)?.[1];
    if (room === undefined || !places.has(room)) {
      const message = `needs a first line such as "--! room: platform/access" that names a room of the house`;
      violations.push({ rule: "migration-header", path, message });
    }
    for (const m of text.matchAll(createTable)) owners.set((m[1] ?? "").toLowerCase(), room ?? "nobody");
  }
  for (const { path, text } of sources) {
    const room = roomOf(path);
    if (room === undefined || isTest(path)) continue;
    for (const m of text.matchAll(createTable)) owners.set((m[1] ?? "").toLowerCase(), room);
  }
  return owners;
}
