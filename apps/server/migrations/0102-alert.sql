--! room: operate/alerts
-- Alerts: what people should look at. While one with a key is not resolved, what happens again counts it up.
create table alert (
  tenant_id uuid not null,
  id uuid not null,
  key text not null,
  code text not null,
  severity text not null constraint alert__severity check (severity in ('low', 'medium', 'high', 'critical')),
  message text not null,
  state text not null constraint alert__state check (state in ('open', 'acknowledged', 'resolved')),
  count int8 not null,
  event_id uuid not null,
  target_kind text,
  target_id text,
  details jsonb not null,
  level int not null default 0,
  notified text[] not null default '{}',
  notified_at timestamptz not null default now(),
  escalate_at timestamptz,
  opened_at timestamptz not null default now(),
  last_at timestamptz not null default now(),
  acknowledged_at timestamptz,
  acknowledged_by uuid,
  resolved_at timestamptz,
  resolved_by uuid,
  constraint alert__tenant_id__id primary key (tenant_id, id)
) with (fillfactor = 80);
create unique index alert__live_key on alert (tenant_id, key) where state <> 'resolved';
create index alert__escalate_at on alert (escalate_at) where escalate_at is not null;
create index alert__target on alert (tenant_id, target_id) where state <> 'resolved';
select oars_tenant_table('alert');

-- What happened to an alert: who was told and whether it reached them, who answered.
create table alert_entry (
  tenant_id uuid not null,
  alert_id uuid not null,
  id uuid not null,
  kind text not null constraint alert_entry__kind check (kind in
    ('opened', 'repeated', 'notified', 'delivered', 'delivery_failed', 'given_up', 'escalated', 'acknowledged', 'resolved')),
  channel text,
  principal_id uuid,
  note text,
  at timestamptz not null default now(),
  constraint alert_entry__tenant_id__alert_id__id primary key (tenant_id, alert_id, id)
);
select oars_tenant_table('alert_entry');

-- Who is told of alerts of a severity: the first `at_once` channels when it opens, then one more each time nobody answers.
create table alert_route (
  tenant_id uuid not null,
  severity text not null constraint alert_route__severity check (severity in ('low', 'medium', 'high', 'critical')),
  channels text[] not null,
  at_once int not null,
  escalation_minutes int not null,
  updated_at timestamptz not null default now(),
  updated_by uuid not null,
  constraint alert_route__tenant_id__severity primary key (tenant_id, severity)
);
select oars_tenant_table('alert_route');

-- Rules of a tenant, besides those that are built in.
create table alert_rule (
  tenant_id uuid not null,
  name text not null,
  types text[] not null,
  min_severity text not null,
  min_count int8 not null,
  severity text,
  enabled bool not null,
  updated_at timestamptz not null default now(),
  updated_by uuid not null,
  constraint alert_rule__tenant_id__name primary key (tenant_id, name)
);
select oars_tenant_table('alert_rule');
