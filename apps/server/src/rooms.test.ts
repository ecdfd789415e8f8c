import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { describe, expect, it } from "vitest";
import { house, type Rule, type SourceFile, survey } from "./rooms.ts";

async function read(folder: string, ending: string): Promise<SourceFile[]> {
  const root = join(import.meta.dirname, folder);
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((e) => e.isFile() && e.name.endsWith(ending))
    .map((e) => join(e.parentPath, e.name));
  return Promise.all(
    paths.sort().map(async (path) => ({
      path: relative(root, path).split(sep).join("/"),
      text: await readFile(path, "utf8"),
    })),
  );
}

describe("the house", async () => {
  const self = "rooms.test.ts"; // holds the forbidden imports below as texts
  const sources = (await read(".", ".ts")).filter((s) => s.path !== self);
  const migrations = await read("../migrations", ".sql");
  const { violations, seen } = survey(sources, migrations);

  it("keeps its rules: arrows, faces, tables, environment", () => {
    expect(violations.map((v) => `${v.path}: ${v.message}`)).toEqual([]);
  });

  it("is read as a whole: a survey that sees too little proves nothing", () => {
    expect(seen.files).toBeGreaterThanOrEqual(200);
    expect(seen.imports).toBeGreaterThanOrEqual(300);
    expect(seen.tables).toBeGreaterThanOrEqual(15);
    expect(seen.writes).toBeGreaterThanOrEqual(20);
  });

  it("every room that has files has a face", () => {
    const rooms = new Set(sources.map((s) => s.path.split("/").slice(0, 2).join("/")));
    const known = house.flatMap((wings) =>
      Object.entries(wings).flatMap(([wing, names]) => names.map((name) => `${wing}/${name}`)),
    );
    const faceless = known.filter((r) => rooms.has(r) && !sources.some((s) => s.path === `${r}/index.ts`));
    expect(faceless).toEqual([]);
  });
});

describe("the survey", () => {
  const migration = {
    path: "0010-access.sql",
    text: "--! room: platform/access\ncreate table api_key (id uuid);",
  };
  const rulesOf = (path: string, text: string, migrations: readonly SourceFile[] = [migration]): Rule[] =>
    survey([{ path, text }], migrations).violations.map((v) => v.rule);

  it.each<[string, string, string]>([
    ["a wing below", "sign/log/service.ts", `import { sql } from "#platform/db";`],
    ["a room listed before", "sign/log/service.ts", `import type { Receipts } from "#sign/receipts";`],
    ["a file of the room", "sign/log/service.ts", `import { tree } from "./tree.ts";`],
    ["a package", "sign/log/service.ts", `import { verify } from "@oars/receipts";`],
    ["any room by compose", "compose.ts", `import { createHttp } from "#doors/http";`],
    ["the environment by main", "main.ts", `start(process.env);`],
    ["the environment by a test", "sign/log/a.test.ts", `const x = process.env.CI;`],
    ["the harness by a test", "sign/log/a.test.ts", `import { drivers } from "#testing";`],
    ["an own table", "platform/access/store.ts", "sql`insert into api_key (id) values (1)`"],
    ["another's table, to read it", "sign/log/store.ts", "sql`select id from api_key for update`"],
    ["another's table by a test", "sign/log/a.test.ts", "sql`delete from api_key where true`"],
    [
      "words in a comment",
      "sign/log/domain.ts",
      "/** Never delete from api_key where … */\n// process.env\n",
    ],
    ["words in a message", "sign/log/domain.ts", `const m = "insert into the slot; update what is set";`],
    [
      "an upsert",
      "platform/access/store.ts",
      "sql`insert into api_key as k (id) values (1) on conflict do update set id = 2`",
    ],
  ])("allows %s", (_what, path, text) => {
    expect(rulesOf(path, text)).toEqual([]);
  });

  it.each<[string, Rule, string, string]>([
    ["a wing above", "arrow", "platform/vault/a.ts", `import { x } from "#sign/receipts";`],
    [
      "a wing above, for its types",
      "arrow",
      "act/policy/a.ts",
      `import type { Run } from "#orchestrate/runs";`,
    ],
    ["a wing beside", "arrow", "remember/memory/a.ts", `import { x } from "#act/policy";`],
    ["a wing beside, the other way", "arrow", "act/policy/a.ts", `import { x } from "#remember/memory";`],
    ["a room listed after", "arrow", "platform/vault/a.ts", `import { x } from "#platform/access";`],
    ["a door by a test of a room", "arrow", "act/policy/a.test.ts", `import { x } from "#doors/http";`],
    ["upward by export", "arrow", "sign/log/index.ts", `export { x } from "#act/policy";`],
    ["upward while running", "arrow", "sign/log/a.ts", `const x = await import("#act/policy");`],
    ["upward over several lines", "arrow", "sign/log/a.ts", `import {\n  a,\n  b,\n} from\n  "#act/policy";`],
    ["for its effects alone", "arrow", "sign/log/a.ts", `import "#act/policy";`],
    ["a parent folder", "parent-import", "sign/log/a.ts", `import { x } from "../receipts/index.ts";`],
    ["the folder above", "parent-import", "sign/log/a.ts", `import { x } from "..";`],
    [
      "a parent folder in a test",
      "parent-import",
      "sign/log/a.test.ts",
      `import { x } from "../../testing/index.ts";`,
    ],
    ["the inside of a room", "inside-import", "sign/log/a.ts", `import { x } from "#platform/kernel/ids";`],
    [
      "the inside of a room by path",
      "inside-import",
      "compose.ts",
      `import { x } from "./platform/kernel/ids.ts";`,
    ],
    ["a room that is none", "inside-import", "sign/log/a.ts", `import { x } from "#platform";`],
    ["its own face", "inside-import", "sign/log/a.ts", `import { x } from "#sign/log";`],
    ["the harness", "testing-import", "sign/log/a.ts", `import { drivers } from "#testing";`],
    ["a room that nobody planned", "place", "sign/stamps/a.ts", ""],
    ["a file beside the rooms", "place", "sign/stamps.ts", ""],
    ["a folder in a room", "place", "sign/log/deep/a.ts", ""],
    ["the environment", "environment", "compose.ts", `const port = process.env.PORT;`],
    ["the environment by brackets", "environment", "sign/log/a.ts", `const e = process["env"];`],
    [
      "the environment by import",
      "environment",
      "sign/log/a.ts",
      `import { argv, env } from "node:process";`,
    ],
    ["the environment taken apart", "environment", "sign/log/a.ts", `const { env } = process;`],
    ["insert", "foreign-table", "sign/log/store.ts", "sql`insert into api_key (id) values (1)`"],
    ["insert from a query", "foreign-table", "sign/log/store.ts", "sql`insert into api_key select 1`"],
    ["update", "foreign-table", "sign/log/store.ts", "sql`update api_key set id = 1`"],
    [
      "update by alias",
      "foreign-table",
      "sign/log/store.ts",
      "sql`/* x */\n  update api_key as k\n  set id = 1`",
    ],
    ["delete", "foreign-table", "sign/log/store.ts", "sql`delete from api_key where id = 1`"],
    [
      "delete by alias",
      "foreign-table",
      "sign/log/store.ts",
      "sql`delete from api_key k using other where true`",
    ],
    ["delete of all", "foreign-table", "sign/log/store.ts", "sql`delete from api_key`"],
    ["truncate", "foreign-table", "sign/log/store.ts", "sql`truncate api_key`"],
    ["a write in the composition", "foreign-table", "compose.ts", "sql`delete from api_key`"],
    [
      "a write set",
      "foreign-table",
      "sign/log/a.ts",
      `defineWrite({ text: "insert into api_key (id) select b.id from batch b" })`,
    ],
    [
      "a table that is none",
      "unknown-table",
      "sign/log/store.ts",
      "sql`insert into api_keys (id) values (1)`",
    ],
  ])("finds %s (%s)", (_what, rule, path, text) => {
    expect(rulesOf(path, text)).toEqual([rule]);
  });

  it.each(["create table a (id uuid);", "--! room: platform/nowhere\ncreate table a (id uuid);"])(
    "finds a migration of no room: %j",
    (text) => {
      expect(rulesOf("main.ts", "", [{ path: "0001-a.sql", text }])).toEqual(["migration-header"]);
    },
  );

  it("counts what it has seen", () => {
    const text = "import a from './a.ts'; sql`delete from api_key`;";
    expect(survey([{ path: "platform/access/b.ts", text }], [migration]).seen).toEqual({
      files: 1,
      imports: 1,
      writes: 1,
      tables: 1,
    });
  });
});
