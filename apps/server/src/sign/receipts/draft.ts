import type {
  ReceiptAction,
  ReceiptApproval,
  ReceiptBody,
  ReceiptDecision,
  ReceiptEvidence,
  ReceiptKeyChange,
  ReceiptLinks,
  ReceiptOperation,
  ReceiptOutcome,
  ReceiptPrincipal,
  ReceiptRun,
  ReceiptType,
} from "@oars/receipts";
import { formatId, type IdKind, isUuid } from "#platform/kernel";

/** Who acts, in the server's own ids; the receipt shows `agent` (agents, services) and `user`. */
export interface DraftPrincipal {
  readonly id: string;
  readonly kind: "user" | "agent" | "service";
  readonly ownerId?: string | null;
  /** From the user to the acting agent; made from owner and principal when left out. */
  readonly chain?: readonly string[];
  readonly auth?: NonNullable<ReceiptPrincipal["auth"]>;
}

/**
 * What a caller knows when something was decided or happened. Ids may be UUIDs or TypeIDs; the receipt
 * shows TypeIDs. Values under `disclose` never enter the signed body: they become salted disclosures.
 */
export interface ReceiptDraft {
  readonly tenantId: string;
  readonly type: ReceiptType;
  /** An id made by the caller (UUIDv7), when it needs to name the receipt before it exists. */
  readonly receiptId?: string;
  readonly runId?: string | null;
  readonly step?: string | null;
  /** The flow that the run follows; without a run the flow that the receipt is about. */
  readonly flow?: { readonly name: string; readonly version: string; readonly hash: string };
  readonly action?: ReceiptAction;
  readonly principal?: DraftPrincipal;
  readonly decision?: ReceiptDecision;
  readonly approval?: ReceiptApproval;
  readonly outcome?: ReceiptOutcome;
  readonly operation?: ReceiptOperation;
  readonly key?: ReceiptKeyChange;
  readonly evidence?: ReceiptEvidence;
  readonly trace?: string;
  readonly links?: ReceiptLinks;
  readonly disclose?: Readonly<Record<string, unknown>>;
  /** Whose data `disclose` is: the principal's person when left out. Erasing one of them erases it. */
  readonly subjects?: readonly string[];
  /** Values about other people, each a disclosure of its own that is erased with its person. */
  readonly about?: readonly {
    readonly subject: string;
    readonly disclose: Readonly<Record<string, unknown>>;
  }[];
}

/** What only the signer knows. */
export interface Envelope {
  readonly receiptId: string;
  readonly nonce: string;
  readonly issuer: string;
  readonly log: string;
  readonly at: Date;
  readonly digests: readonly string[];
}

const shown = (kind: IdKind, id: string): string => (isUuid(id) ? formatId(kind, id) : id);

/** The body to sign. Pure; sections that the draft leaves out are left out. */
export function toBody(draft: ReceiptDraft, envelope: Envelope): ReceiptBody {
  return {
    v: 1,
    typ: draft.type,
    rid: formatId("receipt", envelope.receiptId),
    nonce: envelope.nonce,
    iss: envelope.issuer,
    log: envelope.log,
    ts: envelope.at.toISOString(),
    ...(draft.runId ? { run: toRun(draft.runId, draft) } : {}),
    ...(draft.flow && !draft.runId ? { flow: draft.flow } : {}),
    ...(draft.action ? { action: { ...draft.action, id: shown("action", draft.action.id) } } : {}),
    ...(draft.principal ? { principal: toPrincipal(draft.principal) } : {}),
    ...(draft.decision ? { decision: draft.decision } : {}),
    ...(draft.approval
      ? { approval: { ...draft.approval, request: shown("approval", draft.approval.request) } }
      : {}),
    ...(draft.outcome ? { outcome: draft.outcome } : {}),
    ...(draft.operation ? { operation: toOperation(draft.operation) } : {}),
    ...(draft.key ? { key: draft.key } : {}),
    ...(draft.evidence ? { evidence: draft.evidence } : {}),
    ...(draft.trace ? { trace: draft.trace } : {}),
    ...(draft.links ? { links: toLinks(draft.links) } : {}),
    ...(envelope.digests.length > 0 ? { _sd: envelope.digests, _sd_alg: "sha-256" as const } : {}),
  };
}

const toRun = (runId: string, draft: ReceiptDraft): ReceiptRun => ({
  id: shown("run", runId),
  ...(draft.step ? { step: draft.step } : {}),
  ...(draft.flow ? { flow: draft.flow.name, version: draft.flow.version, hash: draft.flow.hash } : {}),
});

const toOperation = (operation: ReceiptOperation): ReceiptOperation => ({
  ...operation,
  ...(operation.gate ? { gate: shown("gate", operation.gate) } : {}),
  ...(operation.origin ? { origin: shown("run", operation.origin) } : {}),
});

function toPrincipal(who: DraftPrincipal): ReceiptPrincipal {
  const id = shown("principal", who.id);
  const owner = who.ownerId ? shown("principal", who.ownerId) : undefined;
  const user = who.kind === "user" ? id : owner;
  const chain = who.chain?.map((link) => shown("principal", link)) ?? (owner ? [owner, id] : [id]);
  return {
    ...(who.kind === "user" ? {} : { agent: id }),
    ...(user ? { user } : {}),
    chain,
    ...(who.auth ? { auth: who.auth } : {}),
  };
}

const toLinks = (links: ReceiptLinks): ReceiptLinks => ({
  ...(links.parent ? { parent: shown("receipt", links.parent) } : {}),
  ...(links.supersedes ? { supersedes: shown("receipt", links.supersedes) } : {}),
  ...(links.task ? { task: links.task } : {}),
});
