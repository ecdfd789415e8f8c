/**
 * A replay: whether the disclosed bundle, entities and context are those that were signed, and whether Cedar, asked
 * again, says what was signed. What no digest of the receipt covers (grants, a release from quarantine) is said to be so.
 */

import type { ReceiptBody, ReceiptDecision } from "./body.ts";
import { toHex, utf8 } from "./bytes.ts";
import { canonicalJson } from "./canonical.ts";
import { FormatError } from "./format-error.ts";
import { type Replayed, replayDecision } from "./replay-decide.ts";
import type { ReplayFile } from "./replay-file.ts";
import { type CedarPort, readRules } from "./replay-rules.ts";
import { absent, type Check, failed, ok, type ReceiptReport, undecidable, worstExit } from "./report.ts";
import { sha256 } from "./sha256.ts";

export const replayCheckNames = [
  "bundle",
  "schema",
  "guards",
  "entities",
  "context",
  "effect",
  "rules",
  "obligations",
] as const;
export type ReplayChecks = Readonly<Record<(typeof replayCheckNames)[number], Check>>;

export interface ReplayReport {
  /** 0 agrees, 1 proven to be something else, 2 cannot decide. */
  readonly exitCode: 0 | 1 | 2;
  readonly checks: ReplayChecks;
  /** What Cedar said; undefined where it was not asked. */
  readonly replayed: Replayed | undefined;
  readonly signed: ReceiptDecision | undefined;
  readonly remarks: readonly string[];
}

/** Digests of the guards of every released version. */
const knownGuards: readonly string[] = [
  "sha256:f07413c407561dcdb7a910f817614b0f9627b03dc4a67572db45ee2d205b8360",
];

const digestOf = (value: unknown): string => `sha256:${toHex(sha256(utf8(canonicalJson(value))))}`;

const matches = (what: string, signed: string | undefined, disclosed: unknown): Check => {
  if (signed === undefined) return undecidable(`the receipt signs no digest of the ${what}`);
  if (disclosed === undefined) return undecidable(`the ${what} was not disclosed`);
  if (digestOf(disclosed) === signed) return ok(`the ${what} is the one that was signed`);
  return failed(`the ${what} is not the one that was signed (${signed})`);
};

/** `cedar` undefined: the engine is not there, and whether the decision agrees stays open. */
export function replay(file: ReplayFile, receipt: ReceiptReport, cedar: CedarPort | undefined): ReplayReport {
  const { body } = receipt;
  const signed = body?.decision;
  const given = {
    bundle: matches("bundle", signed?.policy?.bundle, file.policy?.source),
    schema: matches("schema", signed?.policy?.schema, file.policy?.schema),
    guards: guardsCheck(file),
    entities: matches("entities", signed?.entities, file.entities),
    context: matches("context", signed?.context, file.context),
  };
  const { replayed, ...decided } = decide(file, body, Object.values(given), cedar);
  const checks: ReplayChecks = { ...given, ...decided };
  const exitCode = worstExit([receipt.exitCode, ...Object.values(checks).map(exitOf)]);
  return { exitCode, checks, replayed, signed, remarks: remarksOn(file) };
}

const exitOf = ({ status }: Check): 0 | 1 | 2 => (status === "failed" ? 1 : status === "undecidable" ? 2 : 0);

function guardsCheck({ policy }: ReplayFile): Check {
  if (policy === undefined) return undecidable("the guards were not disclosed");
  if (knownGuards.includes(digestOf(policy.guards))) return ok("guards of a released version");
  return undecidable("these guards are of no version that this verifier knows");
}

function remarksOn({ policy }: ReplayFile): string[] {
  if (policy === undefined) return [];
  return [
    ...(policy.grants.length > 0
      ? [`${policy.grants.length} grants are as disclosed; their own receipts prove them (policy.granted)`]
      : []),
    ...(policy.released ? ["released from quarantine, as disclosed; the receipt names the command"] : []),
  ];
}

type Decided = Pick<ReplayChecks, "effect" | "rules" | "obligations"> & Pick<ReplayReport, "replayed">;

const open = (check: Check): Decided => ({
  effect: check,
  rules: check,
  obligations: check,
  replayed: undefined,
});

function decide(
  file: ReplayFile,
  body: ReceiptBody | undefined,
  given: readonly Check[],
  cedar: CedarPort | undefined,
): Decided {
  const { policy, entities, context } = file;
  const signed = body?.decision;
  const verb = body?.action?.operation;
  if (body?.typ !== "action.decision" || signed === undefined || verb === undefined)
    return open(undecidable("the receipt is not of a decision about an action"));
  if (signed.mode === "shadow")
    return open(undecidable("a candidate's answer, which decided nothing, is not replayed"));
  if (given.some(({ status }) => status === "failed"))
    return open(absent("not asked: what was disclosed is not what was signed"));
  if (policy === undefined || entities === undefined || context === undefined)
    return open(undecidable("not asked: something was not disclosed"));
  if (cedar === undefined)
    return open(
      undecidable("Cedar is not installed here: npm install @cedar-policy/cedar-wasm beside the verifier"),
    );
  try {
    const replayed = replayDecision(cedar, readRules(cedar, policy), { entities, context, verb });
    return { ...compare(signed, replayed, `cedar-wasm/${cedar.getCedarSDKVersion()}`), replayed };
  } catch (error) {
    const reason = error instanceof FormatError || error instanceof Error ? error.message : String(error);
    return open(undecidable(`Cedar could not be asked: ${reason}`));
  }
}

function compare(signed: ReceiptDecision, replayed: Replayed, engine: string): Omit<Decided, "replayed"> {
  const other = signed.policy?.engine !== undefined && signed.policy.engine !== engine;
  const differs = (text: string): Check =>
    other ? undecidable(`${text}; it was ${signed.policy?.engine}, this is ${engine}`) : failed(text);
  const same = (what: string, was: readonly string[] = [], is: readonly string[] = []): Check => {
    const [then, now] = [was, is].map((list) => list.toSorted().join(", ") || "none");
    return then === now ? ok(`${what}: ${now}`) : differs(`${what}: signed ${then}, replayed ${now}`);
  };
  const failedThen = (signed.errors ?? []).length > 0;
  const effect =
    signed.effect === replayed.effect && failedThen === replayed.errors.length > 0
      ? ok(`${replayed.effect}, by ${engine}`)
      : differs(`signed ${signed.effect}, replayed ${replayed.effect}`);
  return {
    effect,
    rules: same("determining policies", signed.reasons, replayed.reasons),
    obligations: same("obligations", signed.obligations, replayed.obligations),
  };
}
