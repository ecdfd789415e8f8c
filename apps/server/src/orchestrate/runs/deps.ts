import type { Actions } from "#act/actions";
import type { Engine } from "#orchestrate/engine";
import type { Flows } from "#orchestrate/flows";
import type { Caller } from "#platform/access";
import type { Blobs } from "#platform/blobs";
import type { Database } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import type { Fault } from "#platform/kernel";
import type { Receipts } from "#sign/receipts";

/** What the use-cases of this room use of the rest of the server. */
export interface RunsDeps {
  readonly db: Database;
  readonly blobs: Pick<Blobs, "hold" | "load" | "copy">;
  readonly flows: Pick<Flows, "compiled" | "resolve">;
  readonly engine: Pick<Engine, "accept" | "expectEnd" | "holds" | "rouse" | "surrender" | "watch">;
  readonly actions: Pick<Actions, "cancelOf">;
  readonly receipts: Pick<Receipts, "add">;
  readonly outbox: Pick<Outbox, "emit">;
  /** Starts that may wait for their run's end at once. */
  readonly maxAnswers: number;
  /** An operator ended a run of this flow. */
  readonly onAborted: (flow: string) => void;
  readonly fault: Fault;
  readonly whoIs: (tenantId: string, principalId: string) => Promise<Caller>;
}
