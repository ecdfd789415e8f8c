/**
 * Structure of a receipt body as data: which members exist, which are required, what each must look like.
 * Unknown members are tolerated at the top level (a newer writer) and reported; values of every member,
 * known or not, must stay inside what may be signed.
 */
import { approvalStates, decisionEffects, outcomeStatuses, receiptTypes } from "./body.ts";

export interface BodyProblem {
  /** JSON pointer of the place. */
  readonly path: string;
  readonly message: string;
}

export interface BodyVerdict {
  readonly problems: readonly BodyProblem[];
  /** Top-level members and a type that this version does not know. Not problems. */
  readonly unknown: readonly string[];
}

type Rule = (value: unknown, path: string, problems: BodyProblem[]) => void;

const matches =
  (pattern: RegExp, what: string): Rule =>
  (value, path, problems) => {
    if (typeof value !== "string" || !pattern.test(value))
      problems.push({ path, message: `must be ${what}` });
  };
const oneOf = (values: readonly string[]): Rule =>
  matches(new RegExp(`^(${values.join("|")})$`), values.join(", "));
const text = matches(/^/, "a text");
const named = matches(/./s, "a text that is not empty");
const digest = matches(/^sha256:[0-9a-f]{64}$/, "sha256: and 64 hexadecimal digits");
const thumbprint = matches(/^[A-Za-z0-9_-]{43}$/, "a SHA-256 thumbprint in base64url");
const count: Rule = (value, path, problems) => {
  if (!Number.isSafeInteger(value) || Number(value) < 0)
    problems.push({ path, message: "must be an integer, 0 or more" });
};
const integer: Rule = (value, path, problems) => {
  if (!Number.isSafeInteger(value)) problems.push({ path, message: "must be an integer" });
};
const id = (prefix: string): Rule =>
  matches(new RegExp(`^${prefix}_[0-7][0-9a-hjkmnp-tv-z]{25}$`), `a TypeID with prefix ${prefix}_`);
const orNull =
  (rule: Rule): Rule =>
  (value, path, problems) => {
    if (value !== null) rule(value, path, problems);
  };
const each =
  (rule: Rule): Rule =>
  (value, path, problems) => {
    if (!Array.isArray(value)) problems.push({ path, message: "must be a list" });
    else
      value.forEach((item, i) => {
        rule(item, `${path}/${i}`, problems);
      });
  };

const object =
  (required: Record<string, Rule>, optional: Record<string, Rule> = {}): Rule =>
  (value, path, problems) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      problems.push({ path, message: "must be an object" });
      return;
    }
    const members = value as Record<string, unknown>; // an object, by the check above
    for (const [name, rule] of Object.entries(required)) {
      if (members[name] === undefined) problems.push({ path: `${path}/${name}`, message: "is missing" });
      else rule(members[name], `${path}/${name}`, problems);
    }
    for (const [name, rule] of Object.entries(optional)) {
      if (members[name] !== undefined) rule(members[name], `${path}/${name}`, problems);
    }
  };

const instant: Rule = (value, path, problems) => {
  const shape = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
  const real = typeof value === "string" && shape.test(value) && !Number.isNaN(Date.parse(value));
  if (!real || new Date(value).toISOString() !== value)
    problems.push({ path, message: "must be an RFC 3339 time in UTC with milliseconds" });
};

const envelope: Record<string, Rule> = {
  v: (value, path, problems) => {
    if (value !== 1) problems.push({ path, message: "must be 1" });
  },
  typ: matches(/^[a-z]+\.[a-z_]+$/, "a receipt type"),
  rid: id("rct"),
  nonce: matches(/^[A-Za-z0-9_-]{22}$/, "128 bits in base64url"),
  iss: matches(/^https?:\/\/\S+$/, "an http(s) URL"),
  log: matches(/^[^\s+]+$/, "a log origin without spaces and plus signs"),
  ts: instant,
};

const sections: Record<string, Rule> = {
  clock: object({ src: named, skew_ms: integer }),
  run: object({ id: id("run") }, { step: named, flow: named, version: named, hash: digest }),
  flow: object({ name: named, version: named, hash: digest }),
  action: object(
    { id: id("act") },
    {
      protocol: named,
      server: named,
      tool: named,
      tool_def: digest,
      operation: named,
      target: text,
      env: text,
      digest,
      idempotency: text,
    },
  ),
  principal: object(
    {},
    { agent: named, agent_key: named, user: named, chain: each(named), auth: object({}) },
  ),
  decision: object(
    { effect: oneOf(decisionEffects) },
    {
      reasons: each(text),
      errors: each(text),
      obligations: each(text),
      policy: object({}, { bundle: text, version: text, engine: text, schema: text }),
      entities: digest,
      context: digest,
      mode: oneOf(["enforce", "shadow"]),
      message: text,
    },
  ),
  approval: object(
    { request: id("apr"), state: oneOf(approvalStates) },
    {
      quorum: object({ need: count, got: count }),
      role: text,
      voter: named,
      vote: named,
      votes: each(digest),
      expires: instant,
    },
  ),
  outcome: object(
    { status: oneOf(outcomeStatuses) },
    { code: named, http: count, latency_ms: count, attempt: count },
  ),
  operation: object(
    { command: named },
    { from: named, to: named, gate: id("gat"), decision: named, signal: named, origin: id("run") },
  ),
  key: object(
    { use: oneOf(["receipt", "log"]), current: thumbprint },
    { previous: thumbprint, revoked: thumbprint, reason: text, until: instant },
  ),
  evidence: object({}, { declared: each(named), observed: each(named), upstream_reported: each(named) }),
  trace: named,
  links: object({}, { parent: orNull(id("rct")), supersedes: orNull(id("rct")), task: named }),
  _sd: each(matches(/^[A-Za-z0-9_-]{43}$/, "a SHA-256 digest in base64url")),
  _sd_alg: oneOf(["sha-256"]),
};

const shape = object(envelope, sections);

/** Every problem of a body at once. A body of another version reports only its version. */
export function checkBody(body: unknown): BodyVerdict {
  const problems: BodyProblem[] = [];
  shape(body, "", problems);
  signable(body, "", problems, 0);
  const members = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {}; // read only
  const unknown = Object.keys(members).filter(
    (name) => !Object.hasOwn(envelope, name) && !Object.hasOwn(sections, name),
  );
  const typ = members.typ;
  if (typeof typ === "string" && !receiptTypes.some((known) => known === typ)) unknown.push(`typ ${typ}`);
  return { problems, unknown };
}

const deepest = 32;

/** What no signed value may hold: fractions, integers beyond 2^53-1, lone surrogates, endless nesting. */
function signable(value: unknown, path: string, problems: BodyProblem[], depth: number): void {
  if (depth > deepest) problems.push({ path, message: `is nested deeper than ${deepest}` });
  else if (typeof value === "number" && !Number.isSafeInteger(value))
    problems.push({ path, message: "must be an integer within 2^53-1; send other numbers as text" });
  else if (typeof value === "string" && !value.isWellFormed())
    problems.push({ path, message: "has a lone surrogate" });
  else if (typeof value === "object" && value !== null) {
    for (const [name, member] of Object.entries(value))
      signable(member, `${path}/${name}`, problems, depth + 1);
  }
}
