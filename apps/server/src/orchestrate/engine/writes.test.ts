import { describe, expect, it } from "vitest";
import { openPostgres, overDriver, sql, WriteSet } from "#platform/db";
import { newId } from "#platform/kernel";
import { openTestDatabase } from "#testing";
import { finishRun, insertRun, type RunRow } from "./writes.ts";

const tenantId = newId();
const worker = newId();

const born = (id: string): RunRow => ({
  tenant_id: tenantId,
  id,
  flow_name: "f",
  flow_version: "1.0.0",
  flow_hash: "h",
  status: "running",
  principal_id: newId(),
  params: "{}",
  trigger: null,
  labels: null,
  priority: 0,
  start_key: null,
  start_digest: null,
  lease_worker: worker,
  lease_epoch: 1,
  timeout_ms: 60_000,
});
const end = (id: string) => ({
  tenant_id: tenantId,
  id,
  epoch: 1,
  status: "completed" as const,
  output: null,
  error: null,
  last_seq: 0,
});

describe("writes of the engine", () => {
  it("[C3] of a run that is born and ends share a batch with those of one that only ends", async () => {
    const opened = await openTestDatabase("postgres");
    const batches: number[] = [];
    const driver = await openPostgres({ url: opened.url ?? "", poolSize: 2 });
    const observer = { batch: (sets: number) => batches.push(sets), refused: () => {} };
    const database = overDriver(driver, { observer });
    const [old, fresh] = [newId(), newId()];
    await database.committer.commit(new WriteSet().add(insertRun, born(old)));
    const both = await Promise.all([
      database.committer.commit(new WriteSet().add(finishRun, end(old))),
      database.committer.commit(new WriteSet().add(insertRun, born(fresh)).add(finishRun, end(fresh))),
    ]);
    expect(both).toEqual([{ ok: true }, { ok: true }]);
    expect(batches).toEqual([1, 2]);
    const rows = await opened.database.system.query(sql`select id from run where status = 'completed'`);
    expect(rows).toHaveLength(2);
    await database.close();
    await opened.close();
  });
});
