/** Two tenants with data in every table: neither sees, changes nor even notices anything of the other's. */
import { readdir, readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sign } from "#orchestrate/triggers";
import type { Caller } from "#platform/access";
import { migrationsDir, type Sql, sql, WriteSet } from "#platform/db";
import { formatId, newId } from "#platform/kernel";
import { drivers } from "#testing";
import { furnishApprovals } from "./testing/furnish-approvals.ts";
import { furnishConnections } from "./testing/furnish-connections.ts";
import { furnishPrivacy } from "./testing/furnish-privacy.ts";
import { furnishWatch } from "./testing/furnish-watch.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

const webhookFlow = `
flow: guarded
version: 1.0.0
params: { n: { type: integer } }
triggers: [{ webhook: { slug: shared-slug, auth: { hmac: { secret: "vault:hook" } } } }]
steps:
  ship:
    use: http.request
    with: { connection: wms, method: POST, path: /orders, body: { hold: true, n: "{{ params.n }}" } }
`;

/** A statement over a table whose name is known only at run time; the names come from the migrations. */
const over = (table: string, text: string, ...values: unknown[]): Sql => ({
  text: text.replaceAll("TABLE", `"${table}"`),
  values,
});

async function tenantTables(): Promise<string[]> {
  const files = (await readdir(migrationsDir)).filter((name) => name.endsWith(".sql"));
  const texts = await Promise.all(files.map((name) => readFile(`${migrationsDir}/${name}`, "utf8")));
  const named = (shape: RegExp): string[] =>
    texts.flatMap((text) => [...text.matchAll(shape)].map((m) => m[1] ?? ""));
  const gone = new Set(named(/^drop table (\w+)/gm));
  const made = named(/select oars_(?:tenant_table|by_month)\('(\w+)'/g);
  return [...new Set(made)].filter((table) => !gone.has(table));
}

/** What only some runs have: a gate, a signal, a cached output, a large payload. */
async function furnishRun(app: Stage["app"], tenantId: string, runId: string): Promise<void> {
  const key = Buffer.alloc(32, 7);
  for (const row of [
    sql`insert into gate (tenant_id, id, run_id, step, iteration, attempt, question, options, approvers, exclude_requester,
      requester_id) values (${tenantId}, ${newId()}, ${runId}, 'ship', 0, 1, 'Go on?', '{}', '{}', true, ${tenantId})`,
    sql`insert into signal (tenant_id, id, run_id, name, sent_by) values (${tenantId}, ${newId()}, ${runId}, 'paid', ${tenantId})`,
    sql`insert into step_cache (tenant_id, key, run_id, step, expires_at)
      values (${tenantId}, ${key}, ${runId}, 'ship', now() + interval '1 day')`,
  ])
    await app.db.system.query(row);
  const set = new WriteSet();
  await app.blobs.hold(set, { tenantId, runId }, JSON.stringify("x".repeat(40_000)));
  await app.db.committer.commit(set);
}

/** A pack of evidence, tags, a schedule. */
async function furnishEvidence({ evidence }: Stage["app"], admin: Caller): Promise<string> {
  const window = { from: new Date(0), to: new Date(Date.now() + 60_000) };
  await evidence.schedules.set(admin, "soc2");
  await evidence.coverage(admin, { framework: "soc2", ...window });
  const { id } = await evidence.packs.create(admin, { frameworks: ["soc2"], ...window });
  await until("the pack", async () => (await evidence.packs.find(admin, id)).state === "ready");
  return id;
}

describe.each(drivers)("tenants on %s", (driver) => {
  let stage: Stage;
  let tables: string[];
  let b: Caller;
  const ids = {
    run: "",
    action: "",
    approval: "",
    receipt: "",
    policy: "",
    grant: "",
    replay: "",
    principal: "",
    key: "",
    flowHash: "",
    pack: "",
  };
  const secrets = { a: "the secret of tenant A, long", b: "the secret of tenant B, long" };

  /** What a tenant has: every table gets a row. */
  const furnish = async (who: Caller, secret: string): Promise<void> => {
    const { app } = stage;
    const { tenantId } = who;
    await app.db.tx(tenantId, (tx) => app.vault.putSecret(tx, tenantId, "hook", secret, who.principalId));
    if (who !== stage.admin) {
      const config = {
        baseUrl: stage.receiver.url,
        facts: [{ name: "hold", type: "bool", path: "body.hold" }],
      };
      await app.connectors.put(who, { name: "wms", connector: "http", config, environment: "test" });
      const cedar = '@id("all")\npermit (principal, action, resource);';
      await app.policy.publish(who, (await app.policy.createVersion(who, { cedar })).id);
    }
    await app.flows.publish(who, webhookFlow);
  };
  const deliver = (secret: string, tenantHeader?: string, id = newId()) => {
    const raw = Buffer.from('{"n":1}');
    const timestamp = Math.floor(Date.now() / 1000);
    return stage.app.triggers.receive({
      slug: "shared-slug",
      tenantHeader,
      headers: {
        "webhook-id": id,
        "webhook-timestamp": String(timestamp),
        "webhook-signature": `v1,${sign(secret, id, timestamp, raw)}`,
      },
      raw,
      contentType: "application/json",
      query: {},
    });
  };

  beforeAll(async () => {
    stage = await openStage(driver);
    tables = await tenantTables();
    const { app, admin } = stage;
    const made = await app.access.createTenant(admin, "Tenant B");
    b = await app.access.authenticate(`Bearer ${made.apiKey}`);
    await furnish(admin, secrets.a);
    await furnish(b, secrets.b);
    const { id } = await app.runs.start(admin, {
      flow: "guarded",
      params: { n: 1 },
      idempotencyKey: newId(),
    });
    await stage.reach(id, "waiting");
    const [action] = await app.actions.list(admin, { runId: id, limit: 1 });
    const [receipt] = (await app.receipts.list(admin.tenantId, { runId: id }, { limit: 1 })).items;
    const [policy] = await app.policy.list(admin);
    const key = await app.access.issueKey(admin, admin.principalId);
    const grant = newId();
    await app.db.system.query(sql`insert into policy_grant (tenant_id, id, template, created_by)
      values (${admin.tenantId}, ${grant}, 'none', ${admin.principalId})`);
    const replay = await app.rehearsals.replay(admin, policy?.id ?? "", { days: null, most: 10 });
    Object.assign(ids, {
      run: id,
      action: action?.id,
      approval: action?.approvalId,
      receipt: receipt?.id,
      policy: policy?.id,
      grant,
      replay: replay.id,
      principal: stage.approver.principalId,
      key: key.id,
      flowHash: (await app.flows.resolve(admin.tenantId, "guarded")).hash,
    });
    await app.log.exportRun(admin.tenantId, id); // the log has its leaves
    const done = await app.actions.submit(admin, {
      connection: "wms",
      operation: "http.request",
      input: { method: "POST", path: "/x", body: { hold: true } },
    });
    await app.approvals.decide(stage.approver, done.approvalId ?? "", { decision: "approve", reason: "" });
    await furnishApprovals(app, admin, [stage.approver, stage.approver2], done.approvalId ?? "");
    await furnishConnections(app, admin);
    await app.scheduling.put(admin, { weight: 2 });
    await app.catalogue.allow(admin, ["*"]);
    await app.idempotency.reserve(admin.tenantId, admin.principalId, "POST /v1/x", newId(), "f");
    await furnishRun(app, admin.tenantId, id);
    ids.pack = await furnishEvidence(app, admin);
    await furnishWatch(app, admin.tenantId);
    await furnishPrivacy(app, admin.tenantId);
    await app.outbox.stop(); // so that its next row stays
    await app.log.stop();
    const set = new WriteSet();
    app.outbox.emit(set, { tenantId: admin.tenantId, topic: "nothing", payload: {} });
    await app.receipts.add(set, { tenantId: admin.tenantId, type: "run.started", runId: id });
    await app.db.committer.commit(set);
  });
  afterAll(() => stage.close());

  describe("in the database", () => {
    it("every table with a tenant is known to this test and has rows of tenant A", async () => {
      const found = await stage.app.db.system.query<{ name: string }>(sql`
        select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relkind in ('r', 'p') and not c.relispartition and a.attname = 'tenant_id' and not a.attisdropped
          and c.relnamespace = 'public'::regnamespace and c.relname <> 'installation' order by 1`);
      expect(found.map((t) => t.name)).toEqual([...tables].sort());
      expect(tables.length).toBeGreaterThan(20);
      for (const table of tables) {
        const rows = await stage.app.db.system.query(
          over(table, "select 1 from TABLE where tenant_id = $1 limit 1", stage.admin.tenantId),
        );
        expect(rows, table).toHaveLength(1);
      }
    });

    it("row-level security is on and forced for every one of them", async () => {
      const open = await stage.app.db.system.query<{ name: string }>(sql`select relname as name from pg_class
        where relname = any(${tables}::text[]) and not (relrowsecurity and relforcerowsecurity)`);
      expect(open).toEqual([]);
    });

    it("tenant B reads, changes and deletes no row of A's, in any table", async () => {
      for (const table of tables) {
        const counts = await stage.app.db.read(b.tenantId, (db) =>
          db.query<{ theirs: number }>(
            over(
              table,
              "select count(*) filter (where tenant_id <> $1)::int4 as theirs from TABLE",
              b.tenantId,
            ),
          ),
        );
        expect(counts, table).toEqual([{ theirs: 0 }]);
        for (const text of [
          "update TABLE set tenant_id = tenant_id where tenant_id = $1 returning 1",
          "delete from TABLE where tenant_id = $1 returning 1",
        ]) {
          const touched = await stage.app.db
            .tx(b.tenantId, (tx) => tx.query(over(table, text, stage.admin.tenantId)))
            .catch((error: Error) => (/permission denied/.test(error.message) ? [] : [error.message]));
          expect(touched, `${table}: ${text}`).toEqual([]);
        }
      }
    });

    it("tenant B inserts no row into A, not even a copy of one that is there", async () => {
      for (const table of tables) {
        const [row] = await stage.app.db.system.query<{ json: string }>(
          over(
            table,
            "select to_jsonb(t)::text as json from TABLE t where tenant_id = $1 limit 1",
            stage.admin.tenantId,
          ),
        );
        const copy = over(
          table,
          "insert into TABLE select (jsonb_populate_record(null::TABLE, $1::jsonb)).*",
          row?.json,
        );
        await expect(
          stage.app.db.tx(b.tenantId, (tx) => tx.query(copy)),
          table,
        ).rejects.toThrow(/row-level security|permission denied/);
      }
    });

    it("no tenant at all sees nothing", async () => {
      for (const table of tables) {
        const [row] = await stage.app.db.read("00000000-0000-7000-8000-00000000000f", (db) =>
          db.query<{ n: number }>(over(table, "select count(*)::int4 as n from TABLE")),
        );
        expect(row?.n, table).toBe(0);
      }
    });
  });

  describe("through the services", () => {
    /** What a call comes to, without what only its own id makes different. */
    const outcome = async (call: () => unknown, id: string): Promise<unknown> => {
      try {
        const value = await call();
        return { value: JSON.stringify(value ?? null).replaceAll(id, "ID") };
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        return { code, message: message.replaceAll(id, "ID") };
      }
    };
    const by = { outcome: "failed", reason: "x" } as const;
    const vote = { decision: "approve", reason: "x" } as const;
    const drained = async (stream: AsyncIterable<unknown>): Promise<number> => {
      let n = 0;
      for await (const _ of stream) n++;
      return n;
    };
    type Case = readonly [string, keyof typeof ids, (s: Stage["app"], id: string) => unknown];
    const cases: readonly Case[] = [
      ["evidence.packs.find", "pack", (s, id) => s.evidence.packs.find(b, id)],
      ["evidence.packs.download", "pack", (s, id) => s.evidence.packs.download(b, id)],
      ["evidence.packs.verifyStored", "pack", (s, id) => s.evidence.packs.verifyStored(b, id)],
      ["evidence.packs.create", "run", (s, id) => s.evidence.packs.create(b, { frameworks: [], runId: id })],
      ["runs.find", "run", (s, id) => s.runs.find(b, id)],
      ["runs.abort", "run", (s, id) => s.runs.abort(b, id, "x")],
      ["runs.pause", "run", (s, id) => s.runs.pause(b, id, "because")],
      ["runs.resume", "run", (s, id) => s.runs.resume(b, id, "because")],
      ["runs.retry", "run", (s, id) => s.runs.retry(b, id, { reason: "because" })],
      ["runs.skip", "run", (s, id) => s.runs.skip(b, id, { reason: "because" })],
      [
        "runs.editOutput",
        "run",
        (s, id) => s.runs.editOutput(b, id, { step: "ship", output: 1, reason: "x" }),
      ],
      ["runs.rerun", "run", (s, id) => s.runs.rerun(b, id, { from: "ship", reason: "because" })],
      ["runs.replay", "run", (s, id) => s.runs.replay(b, id, { reason: "because" })],
      ["runs.signal", "run", (s, id) => s.runs.signal(b, id, { name: "paid" })],
      ["runs.listSignals", "run", (s, id) => s.runs.listSignals(b, id, { limit: 5 })],
      ["runs.items", "run", (s, id) => s.runs.items(b, id, "ship", { after: -1, limit: 5 })],
      ["runs.listGates by run", "run", (s, runId) => s.runs.listGates(b, { runId, limit: 5 })],
      ["runs.list by parent", "run", (s, parent) => s.runs.list(b, { parent, limit: 5 })],
      ["runs.list by origin", "run", (s, origin) => s.runs.list(b, { origin, limit: 5 })],
      ["runs.eventList", "run", (s, id) => s.runs.eventList(b, id, -1)],
      ["runs.events", "run", (s, id) => drained(s.runs.events(b, id, -1))],
      ["actions.find", "action", (s, id) => s.actions.find(b, id)],
      ["actions.resolve", "action", (s, id) => s.actions.resolve(b, id, by)],
      ["actions.load", "action", (s, id) => s.actions.load(b.tenantId, id)],
      ["actions.list by run", "run", (s, runId) => s.actions.list(b, { runId, limit: 10 })],
      ["approvals.find", "approval", (s, id) => s.approvals.find(b, id)],
      ["approvals.detail", "approval", (s, id) => s.approvals.detail(b, id)],
      ["approvals.challenge", "approval", (s, id) => s.approvals.challenge(b, id, "approve")],
      ["approvals.breakGlass", "approval", (s, id) => s.approvals.breakGlass(b, id, { reason: "because" })],
      [
        "approvals.review",
        "approval",
        (s, id) => s.approvals.review(b, id, { verdict: "justified", comment: "" }),
      ],
      ["approvals.comment", "approval", (s, id) => s.approvals.comment(b, id, "x")],
      ["approvals.comments", "approval", (s, id) => s.approvals.comments(b, id, { after: null, limit: 5 })],
      [
        "approvals.delegate",
        "principal",
        (s, toId) => s.approvals.delegate(b, { toId, endsAt: new Date(Date.now() + 60_000), reason: "x" }),
      ],
      ["factors.list", "principal", (s, id) => s.factors.list(b, id)],
      ["factors.reset", "principal", (s, id) => s.factors.reset(b, id)],
      ["approvals.decide", "approval", (s, id) => s.approvals.decide(b, id, vote)],
      ["approvals.load", "approval", (s, id) => s.approvals.load(b.tenantId, id)],
      ["approvals.expire", "approval", (s, id) => s.approvals.expire(b.tenantId, id)],
      ["receipts.find", "receipt", (s, id) => s.receipts.find(b.tenantId, id)],
      ["receipts.sdJwt", "receipt", (s, id) => s.receipts.sdJwt(b.tenantId, id, { disclose: true })],
      ["receipts.disclosed", "receipt", (s, id) => s.receipts.disclosed(b.tenantId, id)],
      ["receipts.list by run", "run", (s, runId) => s.receipts.list(b.tenantId, { runId }, { limit: 10 })],
      ["log.proof", "receipt", (s, id) => s.log.proof(b.tenantId, id)],
      ["log.tlogProof", "receipt", (s, id) => s.log.tlogProof(b.tenantId, id)],
      ["policy.find", "policy", (s, id) => s.policy.find(b, id)],
      ["policy.publish", "policy", (s, id) => s.policy.publish(b, id)],
      ["policy.rollback", "policy", (s, id) => s.policy.rollback(b, id)],
      ["policy.diff", "policy", (s, id) => s.policy.diff(b, id)],
      ["policy.setShadow", "policy", (s, id) => s.policy.setShadow(b, id)],
      ["policy.revokeGrant", "grant", (s, id) => s.policy.revokeGrant(b, id)],
      ["rehearsals.replay", "policy", (s, id) => s.rehearsals.replay(b, id, { days: null, most: 1 })],
      ["rehearsals.findReplay", "replay", (s, id) => s.rehearsals.findReplay(b, id)],
      ["rehearsals.explain", "action", (s, id) => s.rehearsals.explain(b, id)],
      ["flows.compiled", "flowHash", (s, hash) => s.flows.compiled(b.tenantId, `${hash}`)],
      ["access.findPrincipal", "principal", (s, id) => s.access.findPrincipal(b, id)],
      [
        "access.updatePrincipal",
        "principal",
        (s, id) => s.access.updatePrincipal(b, id, { status: "disabled" }),
      ],
      ["access.issueKey", "principal", (s, id) => s.access.issueKey(b, id)],
      ["access.issueToken", "principal", (s, id) => s.access.issueToken(b, id)],
      ["access.callerFor", "principal", (s, id) => s.access.callerFor(b.tenantId, id)],
      ["access.whoIs", "principal", (s, id) => s.access.whoIs(b.tenantId, id)],
      ["access.listKeys", "principal", (s, id) => s.access.listKeys(b, { limit: 10, principalId: id })],
      ["access.revokeKey", "key", (s, id) => s.access.revokeKey(b, id)],
    ];

    it.each(cases)(
      "%s answers for an id of A's exactly as for one that nobody has",
      async (name, kind, call) => {
        if (name === "flows.compiled") {
          // both tenants published the same content: B's own is what it gets, never A's row
          const alien = `sha256:${"0".repeat(64)}`;
          await expect(stage.app.flows.compiled(b.tenantId, alien)).rejects.toMatchObject({
            code: "FLOW_NOT_FOUND",
          });
          return;
        }
        const theirs = ids[kind];
        expect(theirs).toMatch(/^[0-9a-f-]{36}$/);
        const unknown = newId();
        const [foreign, missing] = [
          await outcome(() => call(stage.app, theirs), theirs),
          await outcome(() => call(stage.app, unknown), unknown),
        ];
        expect(foreign).toEqual(missing);
      },
    );

    it("lists show B nothing of A's", async () => {
      const { app } = stage;
      const page = { limit: 100 };
      expect(await app.runs.list(b, page)).toEqual([]);
      expect(await app.actions.list(b, page)).toEqual([]);
      expect(await app.approvals.list(b, page)).toEqual([]);
      const receipts = await app.receipts.list(b.tenantId, {}, page);
      expect(receipts.items.map((r) => r.type)).toEqual([
        "flow.published",
        "policy.published",
        "tool.definition_changed",
      ]);
      expect((await app.access.listPrincipals(b, page)).items.map((p) => p.id)).toEqual([b.principalId]);
      expect((await app.connectors.list(b)).map((c) => c.tenantId)).toEqual([b.tenantId]);
      expect((await app.triggers.list(b)).map((w) => w.tenantId)).toEqual([b.tenantId]);
      expect((await app.flows.list(b, page)).items.map((f) => f.tenantId)).toEqual([b.tenantId]);
      await expect(app.access.listTenants(b)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
      await expect(app.access.createTenant(b, "C")).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
    });

    it("B's secrets, keys and names are its own, also where A has the same name", async () => {
      const { app } = stage;
      expect(await app.vault.readSecret(b.tenantId, "hook")).toBe(secrets.b);
      expect(await app.vault.readSecret(stage.admin.tenantId, "hook")).toBe(secrets.a);
      await expect(app.vault.readSecret(newId(), "hook")).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
      expect(await app.connectors.find(b.tenantId, "mail")).toBeUndefined(); // A has one
      const sealed = await app.vault.seal(stage.admin.tenantId, "p", Buffer.from("x"));
      await expect(app.vault.open(b.tenantId, "p", sealed)).rejects.toMatchObject({
        code: "SECRET_UNREADABLE",
      });
    });

    it("a credential of B's cannot name A as its tenant", async () => {
      const { key } = await stage.app.access.issueKey(b, b.principalId);
      const as = formatId("tenant", stage.admin.tenantId);
      await expect(stage.app.access.authenticate(`Bearer ${key}`, as)).rejects.toMatchObject({
        code: "AUTH_TENANT_FORBIDDEN",
      });
    });

    it("the same idempotency key starts a run of its own in each tenant", async () => {
      const idempotencyKey = newId();
      const start = (who: Caller) =>
        stage.app.runs.start(who, { flow: "guarded", params: { n: 1 }, idempotencyKey });
      const [one, two] = [await start(stage.admin), await start(b)];
      expect(one.id).not.toBe(two.id);
      expect((await start(b)).id).toBe(two.id);
    });
  });

  describe("a webhook with the same slug in both", () => {
    const tenantOf = async (runId: string): Promise<string | undefined> => {
      const [row] = await stage.app.db.system.query<{ tenantId: string }>(
        sql`select tenant_id as "tenantId" from run where id = ${runId}`,
      );
      return row?.tenantId;
    };

    it("starts the flow of the tenant whose secret signed it", async () => {
      expect(await tenantOf((await deliver(secrets.a)).runId)).toBe(stage.admin.tenantId);
      expect(await tenantOf((await deliver(secrets.b)).runId)).toBe(b.tenantId);
      await expect(deliver("some other secret")).rejects.toMatchObject({ code: "WEBHOOK_SIGNATURE_INVALID" });
    });

    it("takes the tenant header as a narrowing and never as an authority", async () => {
      const [a, other] = [stage.admin, b].map((who) => formatId("tenant", who.tenantId));
      expect(await tenantOf((await deliver(secrets.b, other)).runId)).toBe(b.tenantId);
      await expect(deliver(secrets.b, a)).rejects.toMatchObject({ code: "WEBHOOK_SIGNATURE_INVALID" });
      await expect(deliver(secrets.b, "no tenant")).rejects.toMatchObject({ code: "WEBHOOK_NOT_FOUND" });
    });

    it("keeps the same delivery id apart", async () => {
      const id = newId();
      const answers = [await deliver(secrets.a, undefined, id), await deliver(secrets.b, undefined, id)];
      expect(answers.map((x) => x.duplicate)).toEqual([false, false]);
      expect((await deliver(secrets.a, undefined, id)).runId).toBe(answers[0]?.runId);
    });

    it("is reached by the tenant header also when many tenants took the slug before", async () => {
      await stage.app.db.system.query(sql`insert into webhook
        (tenant_id, slug, flow_name, flow_version, flow_hash, secret, principal_id, created_at)
        select gen_random_uuid(), w.slug, w.flow_name, w.flow_version, w.flow_hash, 'none', w.principal_id,
          now() - interval '1 day' from webhook w, generate_series(1, 30) where w.tenant_id = ${b.tenantId}`);
      const { runId } = await deliver(secrets.b, formatId("tenant", b.tenantId));
      expect(await tenantOf(runId)).toBe(b.tenantId);
      await until("its end", async () => (await stage.app.runs.find(b, runId)).status !== "running");
    });
  });
});
