import type { ConnectionInfo, FactValue } from "#act/connector-kit";
import { type Db, type Sql, sql, type Tx } from "#platform/db";
import type { Json } from "#platform/kernel";

interface ConnectionRow {
  tenant_id: string;
  id: string;
  name: string;
  connector: string;
  config: Record<string, Json>;
  environment: string;
  risk: number;
  data_types: string[];
  facts: Record<string, FactValue>;
  emulate: boolean;
  revision: number;
  created_at: Date;
  updated_at: Date;
}

const columns: Sql = sql`connection.tenant_id, connection.id, connection.name, connection.connector,
  connection.config, connection.environment, connection.risk, connection.data_types, connection.facts,
  connection.emulate, connection.revision, connection.created_at, connection.updated_at`;

const toConnection = (row: ConnectionRow): ConnectionInfo => ({
  tenantId: row.tenant_id,
  id: row.id,
  name: row.name,
  connector: row.connector,
  config: row.config,
  environment: row.environment,
  risk: row.risk,
  dataTypes: row.data_types,
  facts: row.facts,
  emulate: row.emulate,
  revision: row.revision,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

export async function findConnection(
  db: Db,
  tenantId: string,
  name: string,
): Promise<ConnectionInfo | undefined> {
  const [row] = await db.query<ConnectionRow>(sql`/* connectors.find */
    select ${columns} from connection where connection.tenant_id = ${tenantId} and connection.name = ${name}`);
  return row && toConnection(row);
}

/** All connections of a tenant, by name. */
export async function listConnections(db: Db, tenantId: string): Promise<ConnectionInfo[]> {
  const rows = await db.query<ConnectionRow>(sql`/* connectors.list */
    select ${columns} from connection where connection.tenant_id = ${tenantId} order by connection.name collate "C"`);
  return rows.map(toConnection);
}

export type ConnectionValues = Omit<ConnectionInfo, "revision" | "createdAt" | "updatedAt">;

/** Inserts, or replaces the values of the connection with that name; its id stays. */
export async function putConnection(tx: Tx, values: ConnectionValues): Promise<ConnectionInfo> {
  const { tenantId, id, name, connector, environment, risk } = values;
  const [row] = await tx.query<ConnectionRow>(sql`/* connectors.put */
    insert into connection (tenant_id, id, name, connector, config, environment, risk, data_types, facts, emulate)
    values (${tenantId}, ${id}, ${name}, ${connector}, ${JSON.stringify(values.config)}::jsonb, ${environment},
      ${risk}, ${[...values.dataTypes]}::text[], ${JSON.stringify(values.facts)}::jsonb, ${values.emulate})
    on conflict on constraint connection__tenant_id__name do update
      set connector = excluded.connector, config = excluded.config, environment = excluded.environment,
        risk = excluded.risk, data_types = excluded.data_types, facts = excluded.facts,
        emulate = excluded.emulate,
        revision = connection.revision + 1, updated_at = now()
    returning ${columns}`);
  if (row === undefined) throw new Error("an upsert returned no row");
  return toConnection(row);
}

/** The connection under a lock, so that its revision holds until the transaction ends. */
export async function lockConnection(
  tx: Tx,
  tenantId: string,
  name: string,
): Promise<ConnectionInfo | undefined> {
  const [row] = await tx.query<ConnectionRow>(sql`/* connectors.lock */
    select ${columns} from connection where connection.tenant_id = ${tenantId} and connection.name = ${name}
    for update`);
  return row && toConnection(row);
}

export async function findConnectionById(
  db: Db,
  tenantId: string,
  id: string,
): Promise<ConnectionInfo | undefined> {
  const [row] = await db.query<ConnectionRow>(sql`/* connectors.find_by_id */
    select ${columns} from connection where connection.tenant_id = ${tenantId} and connection.id = ${id}`);
  return row && toConnection(row);
}

export const deleteConnection = (tx: Tx, tenantId: string, id: string): Promise<unknown[]> =>
  tx.query(sql`/* connectors.delete */
    delete from connection where tenant_id = ${tenantId} and id = ${id}`);
