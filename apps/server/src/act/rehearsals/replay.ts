/**
 * A replay at work: page after page of what was asked, newest first, opened here and judged off this thread. What is
 * compared is the decision of the day against the candidate of today, on the same request.
 */
import { type Asked, type AskedRow, listAsked, openAsked } from "#act/actions";
import { type Policy, type PolicyReceipt, policyReceipt } from "#act/policy";
import type { Caller } from "#platform/access";
import { applyWrites, type Database, WriteSet } from "#platform/db";
import { formatId, isOarsError } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { createTally, type ReplayReport } from "./domain.ts";
import * as store from "./store.ts";

export interface ReplayDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "open">;
  readonly policy: Pick<Policy, "judge" | "versionFor">;
  readonly receipts: { add(into: WriteSet, receipt: PolicyReceipt): Promise<unknown> };
  readonly whoIs: (tenantId: string, principalId: string) => Promise<Caller>;
  readonly onError: (error: unknown, what: string) => void;
}

const pageSize = 500;
const leftAfterMs = 60_000;

/** Works on one replay, if one waits. False: none does. */
export async function workOnReplay(deps: ReplayDeps, stopping: AbortSignal): Promise<boolean> {
  const replay = await deps.db.system.tx((tx) => store.claimReplay(tx, leftAfterMs));
  if (replay === undefined) return false;
  try {
    const report = await compare(deps, replay, stopping);
    if (report !== undefined) await complete(deps, replay, report);
  } catch (error) {
    if (stopping.aborted) return false; // another process takes it over
    deps.onError(error, "policy replay");
    const message = isOarsError(error) ? error.message : "The replay failed; see the log of the server.";
    await deps.db.tx(replay.tenantId, (tx) => store.endReplay(tx, replay, { error: message }));
  }
  return true;
}

interface Opened extends Asked {
  readonly actionId: string;
}

/** Undefined when another process took the replay over, or this one stops. */
async function compare(
  deps: ReplayDeps,
  replay: store.ClaimedReplay,
  stopping: AbortSignal,
): Promise<ReplayReport | undefined> {
  const { tenantId, days, most, createdAt } = replay;
  const sinceMs = days === null ? null : createdAt.getTime() - days * 86_400_000;
  const tally = createTally();
  let before: string | null = null;
  for (let seen = 0; seen < most; ) {
    const page: Parameters<typeof listAsked>[2] = { before, sinceMs, limit: Math.min(pageSize, most - seen) };
    const rows: AskedRow[] = await deps.db.read(tenantId, (db) => listAsked(db, tenantId, page));
    const opened = await Promise.all(
      rows.map(async ({ id, asked }): Promise<Opened | undefined> => {
        const kept = await openAsked(deps.vault, tenantId, id, asked);
        return kept && { ...kept, actionId: id };
      }),
    );
    const readable = opened.filter((one) => one !== undefined);
    for (let i = readable.length; i < rows.length; i++) tally.unread();
    const requests = readable.map(({ request }) => request);
    const verdicts =
      requests.length === 0 ? [] : await deps.policy.judge(tenantId, replay.policyId, requests);
    for (const [index, { actionId, request, effect, reasons }] of readable.entries()) {
      const after = verdicts[index];
      if (after === undefined) continue;
      tally.add({
        actionId: formatId("action", actionId),
        principalId: formatId("principal", request.principal.id),
        tool: request.tool.name,
        before: { effect, reasons },
        after,
      });
    }
    seen += rows.length;
    if (stopping.aborted || !(await deps.db.tx(tenantId, (tx) => store.touchReplay(tx, replay, seen))))
      return undefined;
    if (rows.length < page.limit) break;
    before = rows.at(-1)?.id ?? null;
  }
  return tally.report();
}

async function complete(deps: ReplayDeps, replay: store.ClaimedReplay, report: ReplayReport): Promise<void> {
  const { tenantId, policyId, againstId } = replay;
  const caller = await deps.whoIs(tenantId, replay.createdBy);
  const version = await deps.policy.versionFor(tenantId, policyId);
  const against = againstId === null ? null : await deps.policy.versionFor(tenantId, againstId);
  const set = new WriteSet();
  const said = {
    type: "policy.replayed",
    permission: "policies:read",
    mode: "shadow",
    message: `Replay ${formatId("replay", replay.id)} of version ${version.version}: ${report.population} decisions asked again, ${report.changed} would be others.`,
    policy: {
      bundle: version.digest,
      version: String(version.version),
      engine: version.engine,
      schema: version.schema,
    },
    disclose: {
      replay: {
        against: against?.digest ?? null,
        population: report.population,
        unreadable: report.unreadable,
        changed: report.changed,
        matrix: report.matrix,
      },
    },
  } as const;
  await deps.receipts.add(set, policyReceipt(caller, said));
  await deps.db.tx(tenantId, async (tx) => {
    if (await store.endReplay(tx, replay, { report })) await applyWrites(tx, set);
  });
}
