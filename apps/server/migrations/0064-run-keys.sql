--! room: orchestrate/engine
-- Holders of a concurrency key are counted without those that wait for it. Who starts or admits runs under a key
-- holds an advisory lock of that key, so that no row is needed for each key that was ever used.
drop index run__tenant_id__concurrency_key;
create index run__tenant_id__concurrency_key on run (tenant_id, concurrency_key, created_at)
  where concurrency_key is not null and not blocked and status in ('queued', 'running', 'waiting');
drop table run_key;
