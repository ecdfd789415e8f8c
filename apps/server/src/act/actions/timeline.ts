/** What happened to an action, in order: from its row and from the receipts that it left. */
import type { ReceiptBody } from "@oars/receipts";
import type { StoredReceipt } from "#sign/receipts";
import type { ActionSummary } from "./views.ts";

export type TimelineEvent =
  | "proposed"
  | "decided"
  | "held"
  | "voted"
  | "approval_ended"
  | "released"
  | "started"
  | "ended";

export interface TimelineEntry {
  readonly event: TimelineEvent;
  readonly at: Date;
  /** TypeID; null for what left no receipt of its own. */
  readonly receiptId: string | null;
  /** TypeID of who did it, where somebody did. */
  readonly by: string | null;
  /** Of a decision, with the policies that determined it. */
  readonly effect?: string;
  readonly reasons?: readonly string[];
  readonly policyVersion?: string;
  /** Of a vote: approve or reject. Of an approval: how it ended. Of an end: completed, tool_error, cancelled… */
  readonly outcome?: string;
  readonly code?: string;
  readonly attempt?: number;
  readonly httpStatus?: number;
  readonly latencyMs?: number;
}

/** Receipts oldest first. */
export function timelineOf(a: ActionSummary, receipts: readonly StoredReceipt[]): TimelineEntry[] {
  const bodies = receipts.map((one) => ({ body: bodyOf(one), at: one.createdAt }));
  const first = bodies.find(({ body }) => body.typ === "action.decision");
  const proposed: TimelineEntry = {
    event: "proposed",
    at: first && first.at < a.createdAt ? first.at : a.createdAt, // the receipt is signed before the row is made
    receiptId: first?.body.rid ?? null,
    by: first ? actorOf(first.body) : null,
  };
  // people are asked and the decision is signed for one commit, in either order
  const rest = bodies.map(({ body, at }) =>
    entryOf(body, body.typ === "approval.requested" && first && first.at > at ? first.at : at),
  );
  if (a.startedAt !== null)
    rest.push({ event: "started", at: a.startedAt, receiptId: null, by: null, attempt: a.attempt });
  const order = new Map(rest.map((entry, index) => [entry, index]));
  rest.sort(
    (x, y) =>
      x.at.getTime() - y.at.getTime() || rank(x) - rank(y) || (order.get(x) ?? 0) - (order.get(y) ?? 0),
  );
  return [proposed, ...rest];
}

/** Among entries of one millisecond. */
const ranks: readonly TimelineEvent[] = [
  "decided",
  "held",
  "voted",
  "approval_ended",
  "released",
  "started",
  "ended",
];
const rank = ({ event }: TimelineEntry): number => ranks.indexOf(event);

function entryOf(body: ReceiptBody, at: Date): TimelineEntry {
  const entry = { at, receiptId: body.rid, by: actorOf(body) };
  const { decision, approval, outcome, operation } = body;
  switch (body.typ) {
    case "action.decision":
      return {
        ...entry,
        event: operation === undefined ? "decided" : "released",
        ...(decision === undefined ? {} : { effect: decision.effect, reasons: decision.reasons ?? [] }),
        ...(decision?.policy?.version === undefined ? {} : { policyVersion: decision.policy.version }),
      };
    case "approval.requested":
      return { ...entry, event: "held" };
    case "approval.vote":
      return {
        ...entry,
        event: "voted",
        by: approval?.voter ?? entry.by,
        ...(approval?.vote === undefined ? {} : { outcome: approval.vote }),
      };
    case "execution.finished":
      return {
        ...entry,
        event: "ended",
        ...(outcome === undefined ? {} : { outcome: outcome.status }),
        ...(outcome?.code === undefined ? {} : { code: outcome.code }),
        ...(outcome?.attempt === undefined ? {} : { attempt: outcome.attempt }),
        ...(outcome?.http === undefined ? {} : { httpStatus: outcome.http }),
        ...(outcome?.latency_ms === undefined ? {} : { latencyMs: outcome.latency_ms }),
      };
    default:
      return { ...entry, event: "approval_ended", outcome: approval?.state ?? body.typ };
  }
}

const actorOf = ({ principal }: ReceiptBody): string | null => principal?.agent ?? principal?.user ?? null;

const bodyOf = ({ jws }: StoredReceipt): ReceiptBody =>
  JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8")) as ReceiptBody; // signed by this server
