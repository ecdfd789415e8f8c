import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Statement, statementOf } from "./sql-statement.ts";
import type { Dialect } from "./sql-tokens.ts";

const classOf = (text: string, dialect: Dialect = "postgresql", literals = true): string => {
  const found = statementOf(text, dialect, literals);
  return typeof found === "string" ? "refused" : found.class;
};

describe("[Q1] one statement", () => {
  it.each([
    "select 1; drop table t",
    "select 1;select 2",
    "select ';' ; delete from t",
    "select 1 /* ; */ ; delete from t",
    "select $$;$$; delete from t",
    'select ";" ; delete from t',
    "select E'a' ; delete from t",
  ])("%s is refused", (text) => expect(classOf(text)).toBe("refused"));

  it.each([
    "select 1;",
    "select ';'",
    "select 1 -- ; drop table t",
    "select $q$;drop table t$q$",
    'select ";"',
  ])("%s is one", (text) => expect(classOf(text)).toBe("read"));

  it.each([
    ["mysql", "select 1 /*! ; drop table t */"],
    ["mysql", "select 1 /*!50000 union select 2 */"],
    ["mysql", "select 1 /*M! , 2 */"],
    ["mysql", "select '\\'; drop table t; -- '"],
    ["mysql", "select /* /* */ 1"],
    ["postgresql", "select /* /* */ 1"],
    ["postgresql", "select E'\\'; drop table t; --'"],
    ["postgresql", "select 'open"],
    ["postgresql", "select U&'a' UESCAPE '!'"],
    ["postgresql", "select $a$ open"],
    ["postgresql", "select 1\0"],
  ] as const)("%s: what two readers could take differently is refused: %s", (dialect, text) =>
    expect(classOf(text, dialect)).toBe("refused"),
  );

  it("comments are nested in PostgreSQL and not in MySQL; `--` needs a space there", () => {
    expect(classOf("select /* /* */ */ 1")).toBe("read");
    expect(classOf("select 1 --1; drop table t", "mysql")).toBe("refused");
    expect(classOf("select 1 -- 1; drop table t", "mysql")).toBe("read");
    expect(classOf("select 1 # ; drop table t", "mysql")).toBe("read");
  });
});

describe("[Q2] known kinds", () => {
  it.each([
    "copy t to program 'sh'",
    "call p()",
    "do $$ begin end $$",
    "set role admin",
    "begin",
    "commit",
    "grant all on t to public",
    "load data infile 'x' into table t",
    "vacuum",
    "lock table t",
    "prepare p as select 1",
    "execute p",
    "",
    "(delete from t)",
    "-- only a comment",
  ])("%s is refused", (text) => expect(classOf(text)).toBe("refused"));

  it.each(["select * from t into outfile '/tmp/x'", "select load_file('/etc/passwd')"])(
    "%s touches files",
    (text) => expect(classOf(text, "mysql")).toBe("refused"),
  );
});

describe("[Q3] the class", () => {
  it.each([
    ["select * from t where a = $1", "read"],
    ["(select 1) union (select 2)", "read"],
    ["with x as (select 1) select * from x", "read"],
    ["explain select 1", "read"],
    ['select t.update, "delete", replace(a, b, c) from t', "read"],
    ["with x as (delete from t returning *) select * from x", "write"],
    ["with x as (select 1) insert into t select * from x", "write"],
    ["explain analyze delete from t", "write"],
    ["select * from t for update", "write"],
    ["select * from t for share", "write"],
    ["select a into b from t", "ddl"],
    ["insert into t values ($1)", "write"],
    ["truncate t", "ddl"],
    ["CREATE TABLE t (a int)", "ddl"],
  ])("of %s is %s", (text, expected) => expect(classOf(text)).toBe(expected));

  it.each([
    ["insert into public.Orders (a) values ($1)", "public.orders"],
    ['update only "Order Lines" set a = 1', "Order Lines"],
    ["delete from t where a = 1", "t"],
    ["with x as (select 1) delete from app.t using x", "app.t"],
    ["drop table if exists a.b", "a.b"],
    ["create unique index concurrently if not exists i on t (a)", "i"],
  ])("names what %s changes: %s", (text, object) =>
    expect(statementOf(text, "postgresql", true)).toMatchObject({ object } satisfies Partial<Statement>),
  );

  it("does not depend on case, comments or line breaks", () => {
    expect(classOf("/* select */ DeLeTe\n/**/ FROM t")).toBe("write");
  });
});

describe("values", () => {
  it("are parameters: a text literal is refused unless the connection takes literals", () => {
    expect(classOf("select * from t where a = 'x'", "postgresql", false)).toBe("refused");
    expect(classOf('select * from t where a = "x"', "mysql", false)).toBe("refused");
    expect(classOf('select "a" from t where b = $1', "postgresql", false)).toBe("read");
    expect(classOf("select $$x$$", "postgresql", false)).toBe("refused");
  });

  it("however they are written never turn a refused or stronger statement into a read", () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 30 }),
        fc.constantFrom<Dialect>("postgresql", "mysql"),
        (noise, dialect) => {
          const found = classOf(`${noise} ; delete from t where a = 1`, dialect);
          if (found !== "read") return true;
          const prefix = noise.replace(/\s/g, "");
          return /--|#|\/\*/.test(prefix); // only a comment can swallow the rest of a line
        },
      ),
    );
  });
});
