--! room: platform/events
-- Security events: what the people who guard an installation want to know, append-only. `route_at`: from when on it is
-- to be told to whoever listens; null once they all have it. A counted event is one row for many occurrences.
create table security_event (
  tenant_id uuid not null,
  id uuid not null,
  type text not null,
  severity text not null constraint security_event__severity check (severity in ('info', 'low', 'medium', 'high', 'critical')),
  outcome text not null constraint security_event__outcome check (outcome in ('success', 'failure')),
  actor_id uuid,
  actor_kind text,
  actor_name text,
  target_kind text,
  target_id text,
  request_id text,
  source text,
  message text not null,
  details jsonb not null,
  count int8 not null default 1,
  first_at timestamptz not null default now(),
  last_at timestamptz not null default now(),
  route_at timestamptz default now(),
  constraint security_event__tenant_id__id primary key (tenant_id, id)
) with (fillfactor = 85);
create index security_event__tenant_id__type__id on security_event (tenant_id, type, id);
create index security_event__route_at on security_event (route_at) where route_at is not null;
select oars_by_month('security_event', 'id');
revoke update, delete on security_event from oars_app, oars_system;
grant update (count, last_at, route_at) on security_event to oars_system;
