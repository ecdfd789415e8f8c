--! room: orchestrate/engine
-- Runs of a flow that says how many of them may run queue in a lane of their own: a flow that may begin no further
-- one is passed over at the cost of one look, however many of its runs wait.
alter table run add column flow_max int constraint run__flow_max check (flow_max > 0);
drop index run__queued;
create index run__queued on run (tenant_id, priority desc, available_at)
  where status = 'queued' and not blocked and flow_max is null;
create index run__queued_capped on run (tenant_id, flow_name, priority desc, available_at)
  where status = 'queued' and not blocked and flow_max is not null;
create index run__blocked on run (tenant_id, concurrency_key, priority desc, created_at)
  where blocked and status in ('queued', 'waiting');
-- Counts what runs of a tenant and of a flow; for the few questions after a worker the index as a whole is small.
drop index run__leased;
create index run__running on run (tenant_id, flow_name, lease_worker) where status = 'running';

-- Virtual time is kept by each claimer: claims that are fair one by one are fair together, and a counter that all
-- of them write would be the hottest row of the database.
alter table run_share drop column vtime;
