--! room: platform/jobs
-- Who handles an event now: when that process dies, its events are told again at once.
alter table outbox add column claimed_by uuid;
