--! room: act/rehearsals
-- Replays: what a candidate would have said to the decisions of the past. `claim` counts who works on it; a replay
-- whose `touched_at` is old was left by a process that died.
create table policy_replay (
  tenant_id uuid not null,
  id uuid not null,
  policy_id uuid not null,
  against_id uuid,
  state text not null default 'queued' constraint policy_replay__state check (state in ('queued', 'running', 'completed', 'failed')),
  days int,
  most int not null,
  claim int not null default 0,
  done int not null default 0,
  report jsonb,
  error text,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  touched_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint policy_replay__tenant_id__id primary key (tenant_id, id),
  constraint policy_replay__report__check check ((state = 'completed') = (report is not null))
);
create index policy_replay__open on policy_replay (touched_at) where state in ('queued', 'running');
create index policy_replay__tenant_id__policy_id on policy_replay (tenant_id, policy_id, id);
select oars_tenant_table('policy_replay');
