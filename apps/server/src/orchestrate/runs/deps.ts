import type { Actions } from "#act/actions";
import type { Engine } from "#orchestrate/engine";
import type { Flows } from "#orchestrate/flows";
import type { Caller } from "#platform/access";
import type { Database } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import type { Receipts } from "#sign/receipts";

/** What the use-cases of this room use of the rest of the server. */
export interface RunsDeps {
  readonly db: Database;
  readonly flows: Pick<Flows, "compiled" | "resolve">;
  readonly engine: Pick<Engine, "accept" | "surrender" | "wake" | "watch">;
  readonly actions: Pick<Actions, "cancelOf">;
  readonly receipts: Pick<Receipts, "add">;
  readonly outbox: Pick<Outbox, "emit">;
  readonly whoIs: (tenantId: string, principalId: string) => Promise<Caller>;
}
