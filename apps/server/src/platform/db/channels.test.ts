import pg from "pg";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type DriverName, drivers, openTestDatabase, type TestDatabase, useDatabase } from "#testing";
import { type Channels, createChannels, type Hint } from "./channels.ts";
import { openPostgres, overDriver } from "./index.ts";

const open = async (driver: DriverName): Promise<TestDatabase> => {
  const opened = await openTestDatabase(driver);
  onTestFinished(() => opened.close());
  return opened;
};

/** What a listener heard, and a promise of the moment when `payload` was among it. */
function ear() {
  const heard: string[] = [];
  const waiting = new Map<string, () => void>();
  return {
    heard,
    fn: (payload: string): void => {
      heard.push(payload);
      waiting.get(payload)?.();
    },
    hears: (payload: string): Promise<void> =>
      heard.includes(payload) ? Promise.resolve() : new Promise((done) => waiting.set(payload, done)),
  };
}

describe.each(drivers)("channels on %s", (driver) => {
  const db = useDatabase(driver);

  it("bring a hint to every listener of its channel and to no other", async () => {
    const [a, b, other] = [ear(), ear(), ear()];
    await db().listen("wake", a.fn);
    await db().listen("wake", b.fn);
    await db().listen("other", other.fn);
    db().notify("wake", "tenant 'quoted' \"é\"");
    expect(a.heard).toEqual([]); // never in the turn of the caller
    await Promise.all([a.hears("tenant 'quoted' \"é\""), b.hears("tenant 'quoted' \"é\"")]);
    db().notify("other", "last");
    await other.hears("last");
    expect([a.heard.length, b.heard.length, other.heard]).toEqual([1, 1, ["last"]]);
  });

  it("[N3] send equal hints of a busy time once", async () => {
    const { heard, fn, hears } = ear();
    await db().listen("wake", fn);
    for (let i = 0; i < 1000; i++) db().notify("wake", i % 2 ? "a" : "b");
    db().notify("wake", "end");
    await hears("end");
    expect(heard.toSorted()).toEqual(["a", "b", "end"]);
  });

  it("are silent for a listener that has left, and go on for the others", async () => {
    const [gone, stays] = [ear(), ear()];
    const leave = await db().listen("wake", gone.fn);
    const leaveToo = await db().listen("wake", stays.fn);
    await leave();
    await leave(); // twice is once
    db().notify("wake", "x");
    await stays.hears("x");
    await leaveToo();
    const back = ear();
    await db().listen("wake", back.fn);
    db().notify("wake", "y");
    await back.hears("y");
    expect([gone.heard, stays.heard, back.heard]).toEqual([[], ["x"], ["y"]]);
  });

  it("[N4] take no name that is not one, and cut no payload: what is too long says only that there is something", async () => {
    await expect(db().listen('x"; drop table run; --', () => {})).rejects.toThrow("no name of a channel");
    const { heard, fn, hears } = ear();
    await db().listen("wake", fn);
    db().notify("WAKE", "x");
    db().notify("wake", "é".repeat(101));
    db().notify("wake", "é".repeat(100));
    await hears("é".repeat(100));
    expect(heard).toEqual(["", "é".repeat(100)]);
  });

  it("go on when a listener throws, and close with hints sent and none heard after", async () => {
    const { database } = await open(driver);
    const { heard, fn, hears } = ear();
    await database.listen("wake", () => {
      throw new Error("a listener of the test");
    });
    await database.listen("wake", fn);
    database.notify("wake", "x");
    await hears("x");
    database.notify("wake", "while closing");
    await database.close();
    database.notify("wake", "after");
    expect(heard).not.toContain("after");
  });
});

describe("hints that wait", () => {
  it("[N3] go out together, at once when nothing went out lately, else after the gap", async () => {
    const sent: { at: number; hints: readonly Hint[] }[] = [];
    const done = Promise.withResolvers<void>();
    const channels = recorder((hints) => {
      sent.push({ at: performance.now(), hints });
      if (sent.length === 2) done.resolve();
    });
    channels.notify("a", "1");
    channels.notify("b", "1");
    channels.notify("a", "1");
    await new Promise((later) => setImmediate(() => setImmediate(later)));
    expect(sent).toHaveLength(1);
    channels.notify("a", "2");
    channels.notify("a", "2");
    await done.promise;
    expect(sent.map((s) => s.hints.map((h) => h.channel + h.payload))).toEqual([["a1", "b1"], ["a2"]]);
    expect((sent[1]?.at ?? 0) - (sent[0]?.at ?? 0)).toBeGreaterThanOrEqual(9); // timers count whole milliseconds
    await channels.close();
  });

  it("[N4] are told to nobody when the database refuses, and later ones go out again", async () => {
    const errors: string[] = [];
    const sent: string[] = [];
    const second = Promise.withResolvers<void>();
    let refuse = true;
    const channels = recorder(
      (hints) => {
        if (refuse) {
          refuse = false;
          throw new Error("out of reach");
        }
        sent.push(...hints.map((h) => h.payload));
        second.resolve();
      },
      (error) => errors.push(error.message),
    );
    channels.notify("a", "1");
    await new Promise((later) => setImmediate(() => setImmediate(later)));
    channels.notify("a", "2");
    await second.promise;
    expect([errors, sent]).toEqual([["out of reach"], ["2"]]);
    await channels.close();
  });
});

function recorder(send: (hints: readonly Hint[]) => void, onError = (_: Error): void => {}): Channels {
  const nothing = async (): Promise<void> => {};
  const carrier = { open: nothing, shut: nothing, close: nothing };
  return createChannels(() => ({ ...carrier, send: async (hints) => send(hints) }), onError);
}

describe("channels between processes", () => {
  let opened: TestDatabase;
  beforeAll(async () => {
    opened = await openTestDatabase("postgres");
    return () => opened.close();
  });
  const join = async (onError = (_: Error): void => {}) => {
    const db = overDriver(await openPostgres({ url: opened.url ?? "", poolSize: 2, onError }));
    onTestFinished(() => db.close());
    return db;
  };
  /** The owner of the server, on another database: sees and ends connections to this one. */
  const owner = async () => {
    const url = new URL(opened.url ?? "");
    const name = url.pathname.slice(1);
    url.pathname = "/postgres";
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    onTestFinished(() => client.end());
    const listening = async (what = "query"): Promise<string[]> => {
      const text = `select ${what} as it from pg_stat_activity where datname = $1 and query ~ '^(un)?listen'`;
      return (await client.query(text, [name])).rows.map((row) => String(row.it));
    };
    return {
      /** The last statements of the connections that listen or have listened. */
      listening,
      /** Ends them as a failing server does; answers how many. */
      cut: async (): Promise<number> => (await listening("pg_terminate_backend(pid)")).length,
      admit: (yes: boolean) => client.query(`alter database ${name} with allow_connections ${yes}`), // hex digits
    };
  };

  it("cross from one to the other over one connection each, however many channels", async () => {
    const [here, there] = [await join(), await join()];
    const { heard, fn, hears } = ear();
    for (const channel of ["one", "two", "three"]) await there.listen(channel, fn);
    for (const payload of ["one", "two", "three"]) here.notify(payload, payload);
    await Promise.all(["one", "two", "three"].map(hears));
    expect(heard).toHaveLength(3);
    expect(await (await owner()).listening()).toHaveLength(1);
  });

  it("[N2] come back after the connection was cut, and tell each listener once to look", async () => {
    const errors: Error[] = [];
    const [here, there] = [await join(), await join((error) => errors.push(error))];
    const [one, two] = [ear(), ear()];
    await there.listen("one", one.fn);
    await there.listen("two", two.fn);
    const { cut: end, listening } = await owner();
    for (let cut = 1; cut <= 3; cut++) {
      one.heard.length = two.heard.length = 0;
      expect(await end()).toBe(1);
      await Promise.all([one.hears(""), two.hears("")]);
      here.notify("one", `after ${cut}`);
      await one.hears(`after ${cut}`);
      expect([one.heard, two.heard]).toEqual([["", `after ${cut}`], [""]]);
    }
    expect(errors.length).toBeGreaterThanOrEqual(3);
    expect(await listening()).toHaveLength(1);
  });

  it("[N2] are heard by those who came while the database was out of reach, once it is back", async () => {
    const there = await join();
    const { cut, admit } = await owner();
    const early = ear();
    await there.listen("one", early.fn);
    await admit(false);
    await cut();
    const late = ear();
    await there.listen("two", late.fn);
    await admit(true);
    await Promise.all([early.hears(""), late.hears("")]);
    there.notify("two", "x");
    await late.hears("x");
  });

  it("leave no listener on the server when all have left, and no connection when closed", async () => {
    const there = overDriver(await openPostgres({ url: opened.url ?? "", poolSize: 2 }));
    const { listening } = await owner();
    for (let i = 0; i < 20; i++) await (await there.listen(`channel_${i}`, () => {}))();
    expect(await listening()).toEqual(['unlisten "channel_19"']);
    await there.listen("one", () => {});
    await there.close();
    const gone = async (): Promise<boolean> => (await listening()).length === 0;
    await expect.poll(gone).toBe(true);
  });

  it("close while the listening connection is being opened, without hanging", async () => {
    const there = overDriver(await openPostgres({ url: opened.url ?? "", poolSize: 2 }));
    const listened = there.listen("one", () => {});
    await there.close();
    await listened;
  });
});
