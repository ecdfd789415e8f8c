import pg from "pg";
import type { Arrivals, Carrier } from "./channels.ts";
import { type Sql, sql } from "./sql.ts";

export interface ListenOptions {
  readonly url: string;
  /** Runs one statement by itself, in no transaction. */
  readonly query: (statement: Sql) => Promise<unknown>;
  readonly onError: (error: Error) => void;
}

const retryMs = { first: 100, most: 5_000 };

/**
 * LISTEN and NOTIFY. One connection of its own hears all channels; it opens with the first of them. When it is
 * lost another one is opened, again and again with growing pauses, and whoever listens is told that hints may
 * be missed. A peer that is gone without a word is noticed after about 20 s (TCP keepalive).
 */
export const carryOverPostgres =
  (options: ListenOptions) =>
  (arrivals: Arrivals): Carrier => {
    const channels = new Set<string>();
    let client: pg.Client | undefined; // the newest attempt
    let heard: pg.Client | undefined; // the same once it is connected
    const tried = Promise.withResolvers<void>(); // the first attempt is over, well or not
    let timer: NodeJS.Timeout | undefined;
    let pause = retryMs.first;
    let missed = false;
    let started = false;
    let closed = false;

    const lost = (gone: pg.Client, error?: Error): void => {
      if (error && !closed) options.onError(error);
      if (gone !== client || closed) return;
      client = undefined;
      heard = undefined;
      missed = true;
      gone.end().catch(() => {}); // already broken
      timer = setTimeout(connect, pause * (0.5 + Math.random() / 2));
      pause = Math.min(2 * pause, retryMs.most);
    };
    const connect = async (): Promise<void> => {
      started = true;
      const next = listener(options.url);
      client = next;
      next.on("notification", ({ channel, payload }) => arrivals.hint({ channel, payload: payload ?? "" }));
      next.on("error", (error) => lost(next, error));
      next.on("end", () => lost(next));
      try {
        await next.connect();
        if (next !== client || closed) return;
        heard = next; // from here `open` sends its own LISTEN, behind this one
        if (channels.size > 0) await next.query([...channels].map(listenTo).join("; "));
        pause = retryMs.first;
        if (missed && next === heard) {
          missed = false;
          arrivals.missed();
        }
      } catch (error) {
        lost(next, error as Error); // pg throws nothing else
      } finally {
        tried.resolve();
      }
    };
    const say = async (text: string): Promise<void> => {
      const to = heard;
      await to?.query(text).catch((error: Error) => lost(to, error)); // the next connection listens to what is wanted then
    };

    return {
      send: async (hints) => {
        const names = hints.map((hint) => hint.channel);
        const payloads = hints.map((hint) => hint.payload);
        // Nothing of it needs to be durable, so the lock that this commit takes is held for no flush to disk.
        await options.query(sql`/* db.notify */ select set_config('synchronous_commit', 'off', true),
          pg_notify(n.channel, n.payload) from unnest(${names}::text[], ${payloads}::text[]) as n(channel, payload)`);
      },
      open: async (channel) => {
        if (closed) return;
        channels.add(channel);
        if (heard) return say(listenTo(channel));
        if (!started) void connect();
        await tried.promise;
      },
      shut: async (channel) => {
        channels.delete(channel);
        await say(`unlisten "${channel}"`);
      },
      close: async () => {
        closed = true;
        clearTimeout(timer);
        tried.resolve(); // a client that is ended while it connects never tells its caller
        await client?.end();
      },
    };
  };

/** Names of channels are checked where they enter. */
const listenTo = (channel: string): string => `listen "${channel}"`;

const listener = (url: string): pg.Client =>
  new pg.Client({
    connectionString: url,
    options: "-c role=oars_system -c idle_session_timeout=0",
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
