/**
 * Part: the ceiling of the database for this work. The rows of the engine's runs, into the engine's own
 * tables, written by a bare driver in batches as large as the number of clients allows: no engine, no guards,
 * no row-level security. Five dependent commits per run, as five barriers need, or all rows in one commit.
 */

import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import {
  migrate,
  migrateServer,
  migrationsDir,
  ownerOfPglite,
  readMigrations,
} from "../../../apps/server/src/platform/db/index.ts";
import { type Cell, closedLoop, type Measured } from "../closed-loop.ts";
import { answerCalls } from "../part.ts";
import { temporaryDirectory } from "../temporary.ts";
import { createRawWriter, type Execute } from "./raw-writer.ts";
import { type RunsCalls, type Shape, shapes } from "./runs.ts";

interface Store {
  /** One for each connection. */
  readonly lanes: readonly Execute[];
  count(text: string): Promise<number>;
  close(): Promise<void>;
}

/** Measured with 1, 2, 4 and 8 on two cores: two are the fastest at 256 and 1,024 at once, and as fast as one at 64. */
const lanes = 2;

export type RawRuns = RunsCalls & {
  /** All rows of a run in one commit. */
  once(cell: Cell): Promise<Measured>;
};

function createPart(): { calls: RawRuns; close: () => Promise<void> } {
  let store: Store | undefined;
  let ended = 0;
  const required = (): Store => {
    if (!store) throw new Error("open comes first");
    return store;
  };
  const measure = (cell: Cell, how: "inFive" | "atOnce"): Promise<Measured> => {
    const writers = required().lanes.slice(0, cell.clients).map(createRawWriter);
    const share = (lane: number): number =>
      Math.floor(cell.clients / writers.length) + (lane < cell.clients % writers.length ? 1 : 0);
    const work = async (lane: number): Promise<void> => {
      await writers[lane]?.[how](share(lane));
      ended += share(lane);
    };
    return closedLoop({ seconds: cell.seconds, clients: writers.length }, work, share);
  };
  const calls: RawRuns = {
    /** On the PostgreSQL database of that URL, or embedded when there is none. */
    open: async (url) => {
      store = url === null ? await openEmbedded() : await openServer(url);
      return { connections: String(store.lanes.length) };
    },
    cell: (shape: Shape, cell) => {
      if (shape !== "five") throw new Error("only runs of five steps are written");
      return measure(cell, "inFive");
    },
    once: (cell) => measure(cell, "atOnce"),
    totals: async () => {
      const { count } = required();
      return {
        ended,
        steps: ended * shapes.five,
        runs: await count("select count(*) as n from run"),
        completed: await count("select count(*) as n from run where status = 'completed'"),
        records: await count("select count(*) as n from journal where event = 'completed'"),
      };
    },
  };
  return { calls, close: async () => store?.close() };
}

async function openServer(url: string): Promise<Store> {
  await migrateServer(url, await readMigrations(migrationsDir));
  const open = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return client;
  };
  const clients = await Promise.all(Array.from({ length: lanes }, open));
  return {
    lanes: clients.map(
      (client) => async (name, text, values) => void (await client.query({ name, text, values })),
    ),
    count: async (text) => Number((await clients[0]?.query<{ n: string }>(text))?.rows[0]?.n),
    close: async () => {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}

async function openEmbedded(): Promise<Store> {
  const pglite = await PGlite.create({ dataDir: await temporaryDirectory("raw") });
  await migrate(ownerOfPglite(pglite), await readMigrations(migrationsDir));
  return {
    lanes: [async (_name, text, values) => void (await pglite.query(text, values))],
    count: async (text) => Number((await pglite.query<{ n: number }>(text)).rows[0]?.n),
    close: () => pglite.close(),
  };
}

const part = createPart();
answerCalls(part.calls, part.close);
