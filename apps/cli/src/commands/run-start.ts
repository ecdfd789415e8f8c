import { setTimeout } from "node:timers/promises";
import { hasEnded, OarsApiError, type OarsClient, OarsClientError, type StartRunRequest } from "@oars/sdk";
import { UsageError } from "../failure.ts";
import { parseJson, parseJsonObject, readSource } from "../files.ts";
import { openQuestions } from "../open-questions.ts";
import { renderRun } from "../run-text.ts";
import type { Session } from "../session.ts";
import { durationMs } from "../time.ts";

export interface StartOptions {
  readonly param?: readonly string[];
  readonly paramFile?: readonly string[];
  readonly params?: string;
  readonly flowVersion?: string;
  readonly label?: readonly string[];
  readonly priority?: number;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly idempotencyKey?: string;
}

export async function startRun(session: Session, options: StartOptions, flow: string): Promise<number> {
  const timeoutMs = timeoutOf(options);
  const client = await session.client();
  const request: StartRunRequest = { flow, params: await paramsOf(session, options) };
  if (options.flowVersion !== undefined) request.version = options.flowVersion;
  if (options.label !== undefined)
    request.labels = Object.fromEntries(options.label.map((l) => pairOf(l, "--label")));
  if (options.priority !== undefined) request.priority = options.priority;
  const { idempotencyKey } = options;
  if (options.wait) {
    const waitMs = Math.min(firstWaitMs, timeoutMs ?? firstWaitMs);
    const id = await startAndWait(client, request, { idempotencyKey, waitMs });
    return waitForRun(session, client, id, timeoutMs);
  }
  const run = await client.runs.start(request, { idempotencyKey });
  session.show(
    run,
    () =>
      `Run ${run.id} of ${run.flow} ${run.version} is ${run.status}.\nTry next: oars run watch ${run.id}\n`,
  );
  return 0;
}

/** A short run has ended with the server's answer; a longer one is followed from then on. */
const firstWaitMs = 2_000;

/** The run's id, also where it has failed by the time of the answer: it is shown like any other. */
async function startAndWait(
  client: OarsClient,
  request: StartRunRequest,
  options: { readonly idempotencyKey: string | undefined; readonly waitMs: number },
): Promise<string> {
  try {
    return (await client.runs.start(request, options)).id;
  } catch (error) {
    const ended = error instanceof OarsApiError && /^RUN_(FAILED|ABORTED)$/.test(error.code);
    if (ended && error.runId !== undefined) return error.runId;
    throw error;
  }
}

function timeoutOf({ wait, timeout }: StartOptions): number | undefined {
  if (timeout === undefined) return undefined;
  if (!wait) throw new UsageError("--timeout goes with --wait.");
  const ms = durationMs(timeout);
  if (ms === undefined) throw new UsageError("--timeout is a whole number and a unit, as in 30s or 10m.");
  return ms;
}

/** Later ones win: --params, then --param-file, then --param. */
async function paramsOf(session: Session, options: StartOptions): Promise<Record<string, unknown>> {
  const params: [string, unknown][] = [];
  if (options.params !== undefined) {
    const text = await readSource(options.params, session.terminal);
    params.push(...Object.entries(parseJsonObject(text, options.params)));
  }
  for (const given of options.paramFile ?? []) {
    const [name, file] = pairOf(given, "--param-file");
    params.push([name, await readSource(file, session.terminal)]);
  }
  for (const given of options.param ?? []) params.push(paramOf(given));
  return Object.fromEntries(params);
}

function paramOf(given: string): [string, unknown] {
  const [, name, json] = /^([^=:]+):=(.*)$/s.exec(given) ?? [];
  if (name !== undefined && json !== undefined) return [name, parseJson(json, `--param ${name}`)];
  return pairOf(given, "--param");
}

function pairOf(given: string, option: string): [string, string] {
  const at = given.indexOf("=");
  if (at < 1) throw new UsageError(`${option} takes NAME=VALUE, not ${JSON.stringify(given)}.`);
  return [given.slice(0, at), given.slice(at + 1)];
}

/** Waits over timers and retries; a run that waits for a person is answered with what that person can do. */
async function waitForRun(
  session: Session,
  client: OarsClient,
  id: string,
  timeoutMs: number | undefined,
): Promise<number> {
  session.remark(`Run ${id} has started; waiting.\n`);
  const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : session.now().getTime() + timeoutMs;
  const left = (): number | undefined =>
    timeoutMs === undefined ? undefined : Math.max(0, deadline - session.now().getTime());
  for (;;) {
    const run = await client.runs.wait(id, { timeoutMs: left() });
    const asks = hasEnded(run.status) ? [] : await openQuestions(client, id);
    if (hasEnded(run.status) || asks.length > 0) {
      session.show(
        run,
        () =>
          renderRun(run, session.now()) +
          asks.map((ask) => `\n${ask}`).join("") +
          (asks.length > 0 ? "\n" : ""),
      );
      if (asks.length > 0) return 2;
      return run.status === "completed" ? 0 : 1;
    }
    if (left() === 0)
      throw new OarsClientError("CLIENT_WAIT_TIMEOUT", `run ${id} waits for a time and goes on`);
    await setTimeout(Math.min(1_000, left() ?? 1_000));
  }
}
