--! room: sign/evidence
-- Which receipts are evidence for which control of a framework. A mapping never changes: a new version replaces it, and
-- the old one stays. `tagged_to` is the leaf of the log up to which receipts were compared with it: the tagger follows
-- the log without gaps, from the first leaf on.
create table control_mapping (
  tenant_id uuid not null,
  id uuid not null,
  framework text not null,
  control_id text not null,
  version int4 not null constraint control_mapping__version__check check (version > 0),
  title text not null,
  description text not null,
  filters jsonb not null,
  required_kinds jsonb not null,
  freshness_days int4 constraint control_mapping__freshness_days__check check (freshness_days > 0),
  threshold int4 not null constraint control_mapping__threshold__check check (threshold > 0),
  source text not null constraint control_mapping__source__check check (source in ('catalogue', 'tenant')),
  created_by uuid,
  created_at timestamptz not null default now(),
  replaced_at timestamptz,
  tagged_to int8 not null default 0 constraint control_mapping__tagged_to__check check (tagged_to >= 0),
  constraint control_mapping__tenant_id__id primary key (tenant_id, id),
  constraint control_mapping__tenant_id__framework__control_id__version unique (tenant_id, framework, control_id, version)
);
create unique index control_mapping__live on control_mapping (tenant_id, framework, control_id) where replaced_at is null;
select oars_tenant_table('control_mapping');
revoke update, delete on control_mapping from oars_app, oars_system;
grant update (replaced_at, tagged_to) on control_mapping to oars_app, oars_system;

-- A receipt that is evidence for a control. `kinds` are the bits of what it is evidence of, `at` is the receipt's time.
create table receipt_control (
  tenant_id uuid not null,
  mapping_id uuid not null,
  receipt_id uuid not null,
  leaf_index int8 not null,
  kinds int4 not null,
  at timestamptz not null,
  constraint receipt_control__tenant_id__mapping_id__receipt_id primary key (tenant_id, mapping_id, receipt_id)
);
create index receipt_control__tenant_id__receipt_id on receipt_control (tenant_id, receipt_id);
select oars_tenant_table('receipt_control');
revoke update on receipt_control from oars_app, oars_system;
