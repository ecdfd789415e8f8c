/** Races for one approval between two processes on one database, round by round, and what came of each. */
import type { Caller } from "#platform/access";
import { sql } from "#platform/db";
import type { App } from "../compose.ts";
import { jitter, until } from "./until.ts";

export interface RaceGround {
  /** Two processes on one database. */
  readonly apps: readonly [App, App];
  readonly requester: Caller;
  readonly approvers: readonly [Caller, Caller];
  /** May vote only once the approval was escalated. */
  readonly deputy: Caller;
  /** Holds an action; `kind` says whether its stage has a time limit with `deputy` next in line. */
  readonly hold: (
    kind: "plain" | "escalating",
  ) => Promise<{ readonly id: string; readonly approvalId: string }>;
}

export const races = [
  "approve/approve",
  "approve/reject",
  "approve/expiry",
  "approve/cancel",
  "approve/break-glass",
  "consume/consume",
  "escalation/vote",
  "timer/timer",
] as const;
export type Race = (typeof races)[number];

type Round = (ground: RaceGround, held: { id: string; approvalId: string }) => Promise<unknown>;

const settled = async (...work: readonly Promise<unknown>[]): Promise<number> =>
  (await Promise.allSettled(work)).filter((w) => w.status === "fulfilled").length;

const soon = <T>(work: () => Promise<T>): Promise<T> => jitter(3).then(work);

const approve = (app: App, who: Caller, id: string) =>
  app.approvals.decide(who, id, { decision: "approve", reason: "race" });
const reject = (app: App, who: Caller, id: string) =>
  app.approvals.decide(who, id, { decision: "reject", reason: "race" });

const makeDue = (app: App, id: string, column: "expires" | "escalate"): Promise<unknown> =>
  app.db.system.query(
    column === "expires"
      ? sql`update approval set expires_at = now() where id = ${id} and state = 'pending'`
      : sql`update approval set created_at = created_at - interval '1 day', escalate_at = now() where id = ${id}`,
  );

const rounds: Readonly<Record<Race, Round>> = {
  "approve/approve": ({ apps, approvers }, { approvalId }) =>
    settled(
      soon(() => approve(apps[0], approvers[0], approvalId)),
      soon(() => approve(apps[1], approvers[1], approvalId)),
    ),
  "approve/reject": ({ apps, approvers }, { approvalId }) =>
    settled(
      soon(() => approve(apps[0], approvers[0], approvalId)),
      soon(() => reject(apps[1], approvers[1], approvalId)),
    ),
  "approve/expiry": ({ apps, approvers }, { approvalId }) =>
    settled(
      soon(() => approve(apps[0], approvers[0], approvalId)),
      soon(async () => {
        await makeDue(apps[1], approvalId, "expires");
        await apps[1].approvals.expireDue(50);
      }),
    ),
  "approve/cancel": ({ apps, approvers, requester }, { id, approvalId }) =>
    settled(
      soon(() => approve(apps[0], approvers[0], approvalId)),
      soon(() => apps[1].actions.cancel(requester, id, { reason: "no need" })),
    ),
  "approve/break-glass": ({ apps, approvers, deputy }, { approvalId }) =>
    settled(
      soon(() => approve(apps[0], approvers[0], approvalId)),
      soon(() => apps[1].approvals.breakGlass(deputy, approvalId, { reason: "it burns, all of it" })),
    ),
  "consume/consume": async ({ apps, approvers, requester }, { id, approvalId }) => {
    await approve(apps[0], approvers[0], approvalId);
    const payload = JSON.stringify({ approvalId, actionId: id, state: "approved" });
    for (const app of apps)
      await app.db.system.query(sql`insert into outbox (tenant_id, id, topic, payload)
        values (${requester.tenantId}, gen_random_uuid(), 'approval.resolved', ${payload}::jsonb)`);
    for (const app of apps) app.outbox.wake();
  },
  "escalation/vote": async ({ apps, approvers, deputy }, { approvalId }) => {
    await makeDue(apps[0], approvalId, "escalate");
    await settled(
      soon(() => apps[0].approvals.escalateDue(50)),
      soon(() => apps[1].approvals.escalateDue(50)),
      soon(() => approve(apps[1], deputy, approvalId)),
    );
    await settled(approve(apps[0], approvers[0], approvalId));
  },
  "timer/timer": async ({ apps }, { approvalId }) => {
    await makeDue(apps[0], approvalId, "escalate");
    await settled(...apps.map((app) => soon(() => app.approvals.escalateDue(50))));
    await makeDue(apps[0], approvalId, "expires");
    await settled(...apps.map((app) => soon(() => app.approvals.expireDue(50))));
  },
};

export interface RaceCount {
  readonly race: Race;
  readonly rounds: number;
  /** How the actions ended, by state. */
  readonly ends: Readonly<Record<string, number>>;
  /** Actions that were performed. */
  readonly executions: number;
  /** Approvals with another number than one of ends, uses or escalations than they may have; 0 is right. */
  readonly broken: number;
}

/** Runs so many rounds of a race, some at once. */
export async function runRace(
  ground: RaceGround,
  race: Race,
  times: number,
  atOnce = 10,
): Promise<RaceCount> {
  const kind = race === "escalation/vote" || race === "timer/timer" ? "escalating" : "plain";
  const ids: string[] = [];
  for (let begun = 0; begun < times; begun += atOnce) {
    const batch = Array.from({ length: Math.min(atOnce, times - begun) }, async () => {
      const held = await ground.hold(kind);
      await rounds[race](ground, held);
      ids.push(held.id);
    });
    await Promise.all(batch);
  }
  return count(ground, race, ids);
}

const open = ["pending_approval", "approved", "executing"];

async function count(ground: RaceGround, race: Race, ids: readonly string[]): Promise<RaceCount> {
  const { system } = ground.apps[0].db;
  const states = await until("the end of every action", async () => {
    const rows = await system.query<{ state: string; n: number }>(
      sql`select state, count(*)::int4 as n from action where id = any(${[...ids]}::uuid[]) group by state`,
    );
    return rows.every((r) => !open.includes(r.state)) && rows;
  });
  const [broken] = await system.query<{ n: number }>(sql`select count(*)::int4 as n from (
    select a.id from approval a left join receipt r on r.tenant_id = a.tenant_id and r.action_id = a.action_id
    where a.action_id = any(${[...ids]}::uuid[])
    group by a.id, a.state having a.state in ('pending', 'approved')
      or count(*) filter (where r.type in ('approval.resolved', 'approval.expired'))
        not in (1, case when a.state in ('cancelled', 'expired') then 2 else 1 end)
      or count(*) filter (where r.type = 'approval.consumed') <> case when a.state = 'consumed' then 1 else 0 end
      or count(*) filter (where r.type = 'approval.escalated') > 1
      or count(*) filter (where r.type = 'execution.finished') > 1) wrong`);
  const ends = Object.fromEntries(states.map(({ state, n }) => [state, n]));
  return { race, rounds: ids.length, ends, executions: ends.completed ?? 0, broken: broken?.n ?? -1 };
}
