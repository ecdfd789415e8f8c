/** Against a real MariaDB; `npm run test:services` installs it. */
import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mysql from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sqlConnector } from "./sql-connector.ts";
import { type Wire, wireOf } from "./testing-wire.ts";

const mariadbd = "/usr/sbin/mariadbd";
const missing = !existsSync(mariadbd);
const title = missing
  ? "statements on MariaDB (skipped: no mariadbd here; npm run test:services has it)"
  : "statements on MariaDB";

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });

describe.skipIf(missing)(title, () => {
  let port = 0;
  let folder = "";
  let stop: () => Promise<void> = async () => undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "oars-mariadb-"));
    port = await freePort();
    const root = process.getuid?.() === 0;
    const nobody = 65_534;
    if (root) chownSync(folder, nobody, nobody);
    const as = { ...(root ? { uid: nobody, gid: nobody } : {}), env: { ...process.env, TMPDIR: folder } };
    const data = `--datadir=${join(folder, "data")}`;
    stop = async () => rmSync(folder, { recursive: true });
    execFileSync(
      "mariadb-install-db",
      ["--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db"],
      { ...as, stdio: "ignore" },
    );
    const args = [
      "--no-defaults",
      data,
      `--tmpdir=${folder}`,
      `--socket=${folder}/s`,
      `--port=${port}`,
      "--bind-address=127.0.0.1",
      "--skip-name-resolve",
    ];
    const server = spawn(mariadbd, args, { ...as, stdio: "ignore" });
    const ended = new Promise<void>((done) => server.once("exit", () => done()));
    stop = async () => {
      server.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true });
    };
    const admin = await connected(port);
    for (const text of [
      "create database shop",
      "create table shop.goods (id int primary key, name varchar(50), price decimal(10,2), seen datetime, big bigint, raw varbinary(9)) engine=innodb",
      "insert into shop.goods values (1, 'nut', 1.10, '2026-01-02 03:04:05', 9007199254740993, x'00ff'), (2, 'bolt', null, null, 5, null)",
      "create user oars@'127.0.0.1' identified by 's3cret-pass'",
      "grant all on shop.* to oars@'127.0.0.1'",
      "create function shop.sly() returns int modifies sql data begin insert into shop.goods (id) values (99); return 1; end",
    ])
      await admin.query(text);
    await admin.end();
  }, 120_000);

  afterAll(() => stop());

  /** Waits for the server with a deadline. */
  async function connected(at: number): Promise<mysql.Connection> {
    for (const deadline = Date.now() + 60_000; ; ) {
      try {
        return await mysql.createConnection({ host: "127.0.0.1", port: at, user: "root" });
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await new Promise((again) => setTimeout(again, 100));
      }
    }
  }

  const remote = (more: object = {}, password = "s3cret-pass"): Wire =>
    wireOf(
      sqlConnector,
      {
        engine: "mysql",
        host: "127.0.0.1",
        port,
        database: "shop",
        user: "oars",
        password: "vault:p",
        tls: "off",
        allow: ["read", "write", "ddl"],
        ...more,
      },
      { p: password },
    );

  it("read rows with parameters, exactly", async () => {
    const statement =
      "select id, name, price, seen, big, raw from goods where name = ? or id = ? order by id";
    expect(await remote().act("sql.query", { statement, parameters: ["nut", 2] })).toMatchObject({
      status: "completed",
      output: {
        columns: ["id", "name", "price", "seen", "big", "raw"],
        rows: [
          {
            id: 1,
            name: "nut",
            price: "1.10",
            seen: "2026-01-02 03:04:05",
            big: "9007199254740993",
            raw: "AP8=",
          },
          { id: 2, name: "bolt", price: null, seen: null, big: 5, raw: null },
        ],
        rowCount: 2,
      },
    });
  });

  it("change rows and say how many", async () => {
    const statement = "insert into goods (id, name) values (?, ?)";
    expect(
      await remote().act("sql.execute", { statement, parameters: [10, "x'; drop table goods"] }),
    ).toMatchObject({
      status: "completed",
      output: { rowCount: 1 },
    });
  });

  it("that only read cannot change anything, even through a function", async () => {
    expect(await remote().act("sql.query", { statement: "select sly()" })).toMatchObject({
      status: "failed",
      error: { code: "SQL_25006" },
    });
    const rows = await remote().act("sql.query", { statement: "select id from goods where id = 99" });
    expect(rows).toMatchObject({ output: { rows: [] } });
  });

  it("give rows up to the cap and say that there are more", async () => {
    const statement = "select seq from seq_1_to_100000";
    expect(await remote({ maxRows: 3 }).act("sql.query", { statement })).toMatchObject({
      output: { rows: [{ seq: 1 }, { seq: 2 }, { seq: 3 }], truncated: true },
    });
  });

  it("that take too long failed when they read, and are unknown when they may have changed something", async () => {
    const slow = remote({ timeout: 400 });
    expect(await slow.act("sql.query", { statement: "select sleep(20)" })).toMatchObject({
      status: "failed",
      retryable: true,
      error: { code: "SQL_TIMEOUT" },
    });
    expect(
      await slow.act("sql.execute", { statement: "delete from goods where sleep(20) = 1" }),
    ).toMatchObject({
      status: "unknown",
    });
  });

  it("are tested by signing in; a wrong password is told by its SQLSTATE and never shown", async () => {
    expect(await remote().test()).toMatchObject({ ok: true });
    const report = await remote({}, "wrong-pass").test();
    expect(report).toMatchObject({ ok: false, code: "SQL_28000" });
    expect(JSON.stringify(report)).not.toContain("wrong-pass");
  });
});
