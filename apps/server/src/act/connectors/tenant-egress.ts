/**
 * The hosts that a tenant lets its own connections reach. Owns: the setting, and that the dialer asks it. E1 it only
 * narrows what the operator allows; E2 where it cannot be read nothing is reached; E3 a call waits for it once, then
 * it is read anew in the background each 5 s, and at once where this process changed it.
 */
import { z } from "zod";
import { problemsOf } from "#act/connector-kit";
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Database, type Db, sql, type Tx, WriteSet } from "#platform/db";
import { digestOf, OarsError } from "#platform/kernel";
import type { EgressRule } from "#platform/net";
import type { Receipts } from "#sign/receipts";
import type { Expected } from "./changes.ts";

export interface TenantEgress {
  /** Null: every host that the operator allows. */
  readonly hosts: readonly string[] | null;
  readonly revision: number;
  readonly updatedBy: string | null;
  readonly updatedAt: Date | null;
}

export interface EgressRules {
  show(caller: Caller): Promise<TenantEgress>;
  /** `hosts` null: no rules of its own any more. Throws REQUEST_INVALID, PRECONDITION_FAILED. */
  put(caller: Caller, hosts: readonly string[] | null, expected: Expected): Promise<TenantEgress>;
  /** For the dialer; null: no rules. Rejects when they cannot be read. */
  of(tenantId: string): readonly EgressRule[] | null | Promise<readonly EgressRule[] | null>;
}

export interface EgressDeps {
  readonly db: Database;
  readonly receipts: { add(...receipt: Parameters<Receipts["add"]>): Promise<unknown> };
  /** 5,000 when absent. */
  readonly cacheMs?: number;
}

const shape = /^(\*|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251})|\[[0-9a-f:.]+\])(?::([1-9]\d{0,4}))?$/;
const entry = z
  .string()
  .transform((text) => text.toLowerCase())
  .refine((text) => shape.test(text) && Number(shape.exec(text)?.[2] ?? 1) <= 65_535, {
    error: "must be host, host:port, *.domain or *:port",
  });
const list = z.array(entry).max(500);

export const egressTag = (egress: TenantEgress): string => `egress-${egress.revision}`;

const none: TenantEgress = { hosts: null, revision: 0, updatedBy: null, updatedAt: null };
const mostTenants = 10_000;

export function createEgressRules(deps: EgressDeps): EgressRules {
  const kept = new Map<string, { rules: readonly EgressRule[] | null; until: number }>();
  const { db, cacheMs = 5_000 } = deps;

  const load = async (tenantId: string): Promise<readonly EgressRule[] | null> => {
    const { hosts } = await db.read(tenantId, (reader) => findEgress(reader, tenantId));
    const rules = hosts?.map(toRule) ?? null;
    const oldest = kept.size >= mostTenants ? kept.keys().next().value : undefined;
    if (oldest !== undefined && !kept.has(tenantId)) kept.delete(oldest);
    kept.set(tenantId, { rules, until: performance.now() + cacheMs });
    return rules;
  };

  return {
    show: async (caller) => {
      requirePermission(caller, "connections:read");
      return db.read(caller.tenantId, (reader) => findEgress(reader, caller.tenantId));
    },
    put: async (caller, hosts, expected) => {
      requirePermission(caller, "policies:publish");
      const { tenantId } = caller;
      const read = hosts === null ? undefined : list.safeParse(hosts);
      if (read && !read.success)
        throw new OarsError("REQUEST_INVALID", {}, { errors: problemsOf(read.error, "hosts") });
      return db.tx(tenantId, async (tx) => {
        const before = await findEgress(tx, tenantId, true);
        if (expected !== undefined && !expected.includes("*") && !expected.includes(egressTag(before)))
          throw new OarsError(
            "PRECONDITION_FAILED",
            {},
            { current: { hosts: before.hosts, revision: before.revision } },
          );
        const after = await putEgress(tx, tenantId, read?.data ?? null, caller.principalId);
        await leaveReceipt(deps, tx, caller, before, after);
        tx.onCommit(() => kept.delete(tenantId));
        return after;
      });
    },
    of: (tenantId) => {
      const found = kept.get(tenantId);
      if (found === undefined) return load(tenantId);
      if (found.until < performance.now()) {
        found.until = performance.now() + cacheMs; // one read at a time
        load(tenantId).catch(() => kept.delete(tenantId)); // [E2] the next call waits for it and fails with it
      }
      return found.rules;
    },
  };
}

function toRule(text: string): EgressRule {
  const [, host = "", port] = shape.exec(text) ?? [];
  const bare = host.startsWith("[") ? host.slice(1, -1) : host;
  return { tenantId: null, host: bare, port: port === undefined ? null : Number(port) };
}

async function findEgress(db: Db, tenantId: string, locked = false): Promise<TenantEgress> {
  const [row] = await db.query<TenantEgress & { hosts: string[] }>(sql`/* connectors.find_egress */
    select hosts, revision, updated_by as "updatedBy", updated_at as "updatedAt" from tenant_egress
    where tenant_id = ${tenantId} ${locked ? sql`for update` : sql``}`);
  return row === undefined ? none : withAll(row);
}

/** A list that holds `*` alone is none at all: that keeps the revision going. */
const withAll = (row: TenantEgress): TenantEgress =>
  row.hosts?.length === 1 && row.hosts[0] === "*" ? { ...row, hosts: null } : row;

async function putEgress(
  tx: Tx,
  tenantId: string,
  hosts: readonly string[] | null,
  by: string,
): Promise<TenantEgress> {
  const [row] = await tx.query<TenantEgress>(sql`/* connectors.put_egress */
    insert into tenant_egress as e (tenant_id, hosts, updated_by) values (${tenantId}, ${[...(hosts ?? ["*"])]}::text[], ${by})
    on conflict (tenant_id) do update set hosts = excluded.hosts, revision = e.revision + 1,
      updated_by = excluded.updated_by, updated_at = now()
    returning hosts, revision, updated_by as "updatedBy", updated_at as "updatedAt"`);
  if (row === undefined) throw new Error("an upsert returned no row");
  return withAll(row);
}

async function leaveReceipt(
  deps: EgressDeps,
  tx: Tx,
  caller: Caller,
  before: TenantEgress,
  after: TenantEgress,
): Promise<void> {
  const set = new WriteSet();
  const { tenantId, principalId, principalKind, ownerId } = caller;
  await deps.receipts.add(
    set,
    {
      tenantId,
      type: "tool.definition_changed",
      principal: { id: principalId, kind: principalKind, ownerId },
      operation: { command: "egress.put", from: digestOf(before.hosts), to: digestOf(after.hosts) },
      disclose: { hosts: after.hosts === null ? null : [...after.hosts] },
    },
    tx,
  );
  await applyWrites(tx, set);
}
