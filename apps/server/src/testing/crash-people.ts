/** People and systems around a server that is killed again and again: they insist until they are heard. */
import { sign } from "#orchestrate/triggers";
import { callSecret } from "./crash-flows.ts";
import type { Receiver } from "./receiver.ts";
import type { Asked, ServerProcess } from "./server-process.ts";

export interface Keys {
  readonly admin: string;
  readonly approver: string;
}

export interface CrashPeople {
  /** Stops looking. */
  stop(): Promise<void>;
  /** How often an action in doubt was sent once more on the word of a person. */
  readonly resent: () => number;
}

const pauseMs = 25;

/** Answers gates, approves, settles doubts by what the receiver has, sends signals, mends what failed. */
export function crashPeople(server: () => ServerProcess, keys: Keys, receiver: Receiver): CrashPeople {
  let over = false;
  let resent = 0;
  const signalled = new Set<string>();
  const doubts = new Map<string, number>();
  const ask = async (
    key: string,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Asked | undefined> => {
    try {
      return await server().ask(key, method, path, body);
    } catch {
      return undefined; // it is down just now
    }
  };
  const list = async (key: string, path: string): Promise<Asked["json"][]> =>
    (await ask(key, "GET", path))?.json?.items ?? [];

  const look = async (): Promise<void> => {
    for (const { id, subject } of await list(keys.approver, "/v1/approvals?state=pending&limit=50")) {
      if (subject.step === "never") continue; // its run is about to fail
      const vote = { decision: "approve", reason: "known customer" };
      await ask(keys.approver, "POST", `/v1/approvals/${id}/decision`, vote);
    }
    for (const gate of await list(keys.approver, "/v1/gates?status=open&limit=50"))
      if (gate.step === "ask")
        await ask(keys.approver, "POST", `/v1/gates/${gate.id}/answer`, { decision: "continue" });
    for (const run of await list(keys.admin, "/v1/runs?status=waiting&flow=everything&limit=50")) {
      if (signalled.has(run.id)) continue;
      const signal = { name: "paid", payload: "paid" };
      const answer = await ask(keys.admin, "POST", `/v1/runs/${run.id}/signals`, signal);
      if (answer && answer.status < 300) signalled.add(run.id);
    }
    for (const run of await list(keys.admin, "/v1/runs?status=failed&flow=mended&limit=50")) {
      const retry = { step: "parse", reason: "mended", edits: { text: '"mended"' } };
      await ask(keys.admin, "POST", `/v1/runs/${run.id}/retry`, retry);
    }
    for (const action of await list(keys.admin, "/v1/actions?state=in_doubt&limit=50")) {
      const seen = (doubts.get(action.id) ?? 0) + 1;
      doubts.set(action.id, seen);
      if (seen < 3) continue; // what was on its way has arrived by then
      const arrived = receiver.received.some(
        (r) => r.path === "/mail/mail" && keyOf(r.body) === `${action.runId}/mail`,
      );
      const outcome = arrived ? "completed" : "retry";
      const settled = { outcome, reason: "looked it up" };
      const answer = await ask(keys.admin, "POST", `/v1/actions/${action.id}/resolve`, settled);
      if (answer && answer.status < 300 && !arrived) resent++;
    }
  };
  const work = (async () => {
    while (!over) {
      await look();
      await new Promise((done) => setTimeout(done, pauseMs));
    }
  })();
  return {
    resent: () => resent,
    stop: () => {
      over = true;
      return work;
    },
  };
}

/** What a request of the crash flows is for: the run, the step, the item. */
export const keyOf = (body: unknown): string => String((body as { k?: unknown } | null)?.k);

/** The first request of each key of a busy step is turned away. */
export function answerCrashFlows(receiver: Receiver): void {
  const seen = new Set<string>();
  receiver.answer(async ({ body, key }) => {
    if ((body as { busy?: boolean }).busy && !seen.has(key)) {
      seen.add(key);
      return { status: 503 };
    }
    await new Promise((done) => setTimeout(done, 2)); // long enough to be killed meanwhile
    return { status: 201, body: { ok: true } };
  });
}

export interface CrashStart {
  readonly flow: string;
  readonly v: string;
  /** Starts under one key are one run. */
  readonly key: string;
}

/** Starts a run until it is acknowledged, and answers its id. */
export async function insistOnRun(
  server: () => ServerProcess,
  admin: string,
  start: CrashStart,
  over: () => boolean,
): Promise<string> {
  for (;;) {
    const answer = await askToStart(server, admin, start).catch(() => undefined); // it is down just now
    if (answer?.ok) {
      const { id, runId } = (await answer.json()) as { id?: string; runId?: string };
      return id ?? runId ?? "";
    }
    const text = answer ? await answer.text().catch(() => "") : "";
    if (answer && answer.status < 500 && answer.status !== 429) throw new Error(`refused: ${text}`);
    if (over()) throw new Error(`${start.key} was never acknowledged: ${text}`);
    await new Promise((done) => setTimeout(done, 30));
  }
}

async function askToStart(
  server: () => ServerProcess,
  admin: string,
  { flow, v, key }: CrashStart,
): Promise<Response> {
  const { url } = server();
  const json = { "content-type": "application/json" };
  const signal = AbortSignal.timeout(10_000);
  if (flow !== "called") {
    const headers = { ...json, authorization: `Bearer ${admin}`, "idempotency-key": key };
    return fetch(`${url}/v1/runs`, {
      method: "POST",
      headers,
      body: JSON.stringify({ flow, params: { v } }),
      signal,
    });
  }
  const body = JSON.stringify({ v });
  const at = Math.floor(Date.now() / 1000);
  const headers = {
    ...json,
    "webhook-id": key,
    "webhook-timestamp": String(at),
    "webhook-signature": `v1,${sign(callSecret.value, key, at, Buffer.from(body))}`,
  };
  return fetch(`${url}/api/webhook/crash`, { method: "POST", headers, body, signal });
}
