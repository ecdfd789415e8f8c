--! room: platform/jobs
-- Background work of the whole installation: each job is run by one process at a time, whichever claims it when it
-- is due. `turn` tells one claim from the next, so that the end of an old one changes nothing.
create table job (
  name text not null constraint job__name primary key,
  every_ms int8 not null constraint job__every_ms__check check (every_ms > 0),
  next_at timestamptz not null,
  holder uuid,
  turn int8 not null default 0,
  started_at timestamptz,
  ended_at timestamptz,
  last_ms int8,
  last_error text,
  failures int4 not null default 0,
  constraint job__holder__check check (holder is null or started_at is not null)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
grant select, insert, update, delete on job to oars_system;
