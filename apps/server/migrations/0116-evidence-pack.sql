--! room: sign/evidence
-- Evidence packs, made in the background. Whoever makes one holds a lease and a turn: chunks belong to a turn, so that
-- what a process wrote that was taken for dead never mixes with what its successor writes.
create table evidence_pack (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null constraint evidence_pack__kind__check check (kind in ('on_demand', 'monthly', 'incident')),
  frameworks jsonb not null,
  window_from timestamptz not null,
  window_to timestamptz not null,
  run_id uuid,
  action_id uuid,
  mode text not null constraint evidence_pack__mode__check check (mode in ('full', 'sample')),
  seed text not null,
  per_control int4 not null,
  overall int4 not null,
  state text not null constraint evidence_pack__state__check check (state in ('queued', 'building', 'ready', 'failed')),
  turn int4 not null default 0,
  attempts int4 not null default 0,
  lease_until timestamptz,
  done int8 not null default 0,
  total int8,
  bytes int8,
  sha256 text,
  manifest text,
  checkpoint text,
  tree_size int8,
  error text,
  requested_by uuid,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  delivered_at timestamptz,
  constraint evidence_pack__tenant_id__id primary key (tenant_id, id),
  constraint evidence_pack__window__check check (window_from < window_to),
  constraint evidence_pack__ready__check check (state <> 'ready' or (bytes is not null and manifest is not null))
);
create index evidence_pack__open on evidence_pack (created_at, id) where state in ('queued', 'building');
create unique index evidence_pack__monthly on evidence_pack (tenant_id, frameworks, window_from) where kind = 'monthly';
select oars_tenant_table('evidence_pack');

create table evidence_chunk (
  tenant_id uuid not null,
  pack_id uuid not null,
  turn int4 not null,
  seq int4 not null,
  body bytea not null,
  constraint evidence_chunk__tenant_id__pack_id__turn__seq primary key (tenant_id, pack_id, turn, seq)
);
alter table evidence_chunk alter column body set storage external;
select oars_tenant_table('evidence_chunk');

-- Frameworks for which a pack is made each month.
create table evidence_schedule (
  tenant_id uuid not null,
  framework text not null,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  constraint evidence_schedule__tenant_id__framework primary key (tenant_id, framework)
);
select oars_tenant_table('evidence_schedule');
