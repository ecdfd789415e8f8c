/** Duties: what annotations ask beyond allow and deny, and how the duties of several policies combine. */
import type { FieldProblem } from "#platform/kernel";
import { type ApprovalDemand, type Duties, type StepUp, stepUps } from "./domain.ts";

/** How long an approval may be awaited when no determining policy says. */
export const defaultTtlMs = 24 * 3_600_000;

const shortestTtlMs = 60_000;
const longestTtlMs = 30 * 24 * 3_600_000;
const maxQuorum = 10;
const known = ["id", "description", "require_approval", "ttl", "step_up", "break_glass", "quarantine"];
const roleShape = /^[a-z][a-z0-9_-]{0,62}$/;
const workflowShape = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const machineRoles = ["agent", "service"];

type Problem = Pick<FieldProblem, "code" | "message">;
type Annotations = Readonly<Record<string, string | null | undefined>>;

/** Reads the annotations of one policy. Every problem is reported; the duties then hold what was readable. */
export function readDuties(
  annotations: Annotations,
  effect: "permit" | "forbid",
): { duties: Duties; problems: Problem[] } {
  const problems: Problem[] = [];
  const say = (code: string, message: string): undefined => {
    problems.push({ code, message });
  };
  for (const name of Object.keys(annotations))
    if (!known.includes(name))
      say("ANNOTATION_UNKNOWN", `There is no annotation @${name}; choose one of @${known.join(", @")}.`);

  const has = (name: string): boolean => Object.hasOwn(annotations, name);
  const value = (name: string): string => annotations[name] ?? "";
  if (effect === "permit")
    for (const name of ["require_approval", "ttl", "step_up", "break_glass", "quarantine"])
      if (has(name))
        say("ANNOTATION_ON_PERMIT", `@${name} belongs on a forbid; on a permit it has no effect.`);
  for (const name of ["ttl", "step_up", "break_glass"])
    if (effect === "forbid" && has(name) && !has("require_approval"))
      say("ANNOTATION_ALONE", `@${name} needs @require_approval on the same policy.`);
  if (has("quarantine") && has("require_approval"))
    say("ANNOTATION_CONFLICT", "@quarantine cannot be lifted by votes; drop it or @require_approval.");

  const duties: Duties = {
    ...(has("require_approval") ? readApproval(value("require_approval"), say) : {}),
    ...(has("ttl") ? { ttlMs: readTtl(value("ttl"), say) } : {}),
    ...(has("step_up") ? { stepUp: readStepUp(value("step_up"), say) } : {}),
    ...(has("break_glass") ? readBreakGlass(value("break_glass"), say) : {}),
    ...(has("quarantine") ? { quarantine: true } : {}),
    ...(value("description") ? { description: value("description").slice(0, 500) } : {}),
  };
  return { duties, problems };
}

type Say = (code: string, message: string) => undefined;

/** `role:n` or `workflow:name`, several separated by commas: `finance:2, legal:1`, `workflow:change-board`. */
function readApproval(text: string, say: Say): Pick<Duties, "approval" | "workflows"> {
  const demands: { role: string; quorum: number }[] = [];
  const workflows: string[] = [];
  for (const part of text.split(",")) {
    const [role = "", digits = "", ...rest] = part.trim().split(":");
    if (role === "workflow") {
      if (rest.length === 0 && workflowShape.test(digits) && !workflows.includes(digits))
        workflows.push(digits);
      else
        say(
          "ANNOTATION_APPROVAL",
          `@require_approval(${JSON.stringify(text)}) must name each workflow once.`,
        );
      continue;
    }
    const quorum = /^[0-9]{1,2}$/.test(digits) ? Number(digits) : Number.NaN;
    if (rest.length > 0 || !roleShape.test(role) || !(quorum >= 1 && quorum <= maxQuorum))
      say(
        "ANNOTATION_APPROVAL",
        `@require_approval(${JSON.stringify(text)}) must be "role:n" with n from 1 to ${maxQuorum} or "workflow:name", such as "approver:1" or "finance:2, legal:1".`,
      );
    else if (machineRoles.includes(role))
      say("ANNOTATION_ROLE", `Approvals are given by people; the role ${role} is held by machines.`);
    else if (demands.some((demand) => demand.role === role))
      say("ANNOTATION_APPROVAL", `@require_approval names the role ${role} twice.`);
    else demands.push({ role, quorum });
  }
  return { approval: demands, ...(workflows.length > 0 ? { workflows } : {}) };
}

function readBreakGlass(text: string, say: Say): Pick<Duties, "breakGlass"> {
  if (text !== "never")
    say("ANNOTATION_BREAK_GLASS", '@break_glass has one value, "never"; else leave it out.');
  return { breakGlass: false };
}

const duration = /^P(?:(\d{1,4})W|(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?)$/;

function readTtl(text: string, say: Say): number | undefined {
  const match = duration.exec(text);
  const [weeks, days, hours, minutes, seconds] = (match ?? []).slice(1).map((part) => Number(part ?? 0));
  const hoursInAll = (weeks ?? 0) * 168 + (days ?? 0) * 24 + (hours ?? 0);
  const ms = ((hoursInAll * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1000;
  if (match !== null && !text.endsWith("T") && ms >= shortestTtlMs && ms <= longestTtlMs) return ms;
  return say(
    "ANNOTATION_TTL",
    `@ttl(${JSON.stringify(text)}) must be an ISO 8601 duration of weeks, days, hours, minutes or seconds, from PT1M to P30D, such as "PT15M".`,
  );
}

function readStepUp(text: string, say: Say): StepUp | undefined {
  const known = stepUps.find((stepUp) => stepUp === text);
  if (known !== undefined) return known;
  return say("ANNOTATION_STEP_UP", `@step_up(${JSON.stringify(text)}) must be "${stepUps.join('" or "')}".`);
}

/** The union of what determining policies ask: largest quorum per role, every workflow, shortest ttl, strongest step-up. */
export function combineDuties(all: readonly Duties[]): ApprovalDemand {
  const quorums = new Map<string, number>();
  const workflows = new Set(all.flatMap((duties) => duties.workflows ?? []));
  let ttlMs = Number.POSITIVE_INFINITY;
  let stepUp = -1;
  for (const duties of all) {
    for (const { role, quorum } of duties.approval ?? [])
      quorums.set(role, Math.max(quorum, quorums.get(role) ?? 0));
    ttlMs = Math.min(ttlMs, duties.ttlMs ?? Number.POSITIVE_INFINITY);
    if (duties.stepUp) stepUp = Math.max(stepUp, stepUps.indexOf(duties.stepUp));
  }
  return {
    requirements: [...quorums]
      .map(([role, quorum]) => ({ role, quorum }))
      .sort((a, b) => (a.role < b.role ? -1 : 1)),
    workflows: [...workflows].sort(),
    ttlMs: Number.isFinite(ttlMs) ? ttlMs : defaultTtlMs,
    stepUp: stepUps[stepUp] ?? null,
    breakGlass: all.every((duties) => duties.breakGlass !== false),
  };
}
