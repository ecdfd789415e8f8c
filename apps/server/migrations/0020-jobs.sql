--! room: platform/jobs
-- Outbox: what happened and who has still to hear of it. A row lives until its handler is done.
create table outbox (
  tenant_id uuid not null,
  id uuid not null,
  topic text not null,
  payload jsonb not null,
  attempts int not null default 0,
  available_at timestamptz not null default now(),
  last_error text,
  constraint outbox__tenant_id__id primary key (tenant_id, id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
create index outbox__available_at on outbox (available_at);
select oars_tenant_table('outbox');

-- Processes that execute work. `beat_at` is renewed by the process itself, judged by the database clock.
create table worker (
  id uuid not null constraint worker__id primary key,
  host text not null,
  pid int not null,
  started_at timestamptz not null default now(),
  beat_at timestamptz not null default now(),
  dead_at timestamptz
) with (fillfactor = 50);
create index worker__beat_at on worker (beat_at) where dead_at is null;
grant select, insert, update, delete on worker to oars_system;
