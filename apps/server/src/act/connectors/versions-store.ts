import type { ConnectionInfo } from "#act/connector-kit";
import { type Db, sql, type Tx } from "#platform/db";
import type { Json } from "#platform/kernel";

export interface ConnectionVersion {
  readonly revision: number;
  readonly change: "put" | "deleted";
  /** As it was put: secrets by name. */
  readonly definition: Readonly<Record<string, Json>>;
  readonly changedBy: string;
  readonly changedAt: Date;
}

export const definitionOf = (c: ConnectionInfo): Record<string, Json> => ({
  connector: c.connector,
  config: c.config,
  environment: c.environment,
  risk: c.risk,
  dataTypes: [...c.dataTypes],
  facts: { ...c.facts },
  emulate: c.emulate,
});

export const insertVersion = (
  tx: Tx,
  connection: ConnectionInfo,
  change: ConnectionVersion["change"],
  by: string,
): Promise<unknown[]> =>
  tx.query(sql`/* connectors.insert_version */
    insert into connection_version (tenant_id, connection_id, revision, name, change, definition, changed_by)
    values (${connection.tenantId}, ${connection.id}, ${connection.revision + (change === "deleted" ? 1 : 0)},
      ${connection.name}, ${change}, ${JSON.stringify(definitionOf(connection))}::jsonb, ${by})`);

/** Revisions of the connection with that id, newest first, below `before`. */
export const listVersions = (
  db: Db,
  tenantId: string,
  connectionId: string,
  page: { readonly limit: number; readonly before: number | undefined },
): Promise<ConnectionVersion[]> =>
  db.query(sql`/* connectors.list_versions */
    select revision, change, definition, changed_by as "changedBy", changed_at as "changedAt"
    from connection_version where tenant_id = ${tenantId} and connection_id = ${connectionId}
      and (${page.before ?? null}::int is null or revision < ${page.before ?? null}::int)
    order by revision desc limit ${page.limit}`);
