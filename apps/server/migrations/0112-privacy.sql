--! room: operate/privacy
-- Holds win over retention and erasure. Both take the tenant's hold lock, so a hold is either seen or comes after.
create table legal_hold (
  tenant_id uuid not null,
  id uuid not null,
  scope text not null constraint legal_hold__scope__check check (scope in ('tenant', 'run', 'action', 'subject')),
  ref text not null default '',
  reason text not null,
  placed_by uuid not null,
  placed_at timestamptz not null default now(),
  released_by uuid,
  released_at timestamptz,
  constraint legal_hold__tenant_id__id primary key (tenant_id, id),
  constraint legal_hold__ref__check check ((scope = 'tenant') = (ref = ''))
);
create index legal_hold__active on legal_hold (tenant_id) where released_at is null;
select oars_tenant_table('legal_hold');
revoke delete on legal_hold from oars_app, oars_system;

-- How long receipts of a type are kept; type '*' for those without a row of their own.
create table retention_rule (
  tenant_id uuid not null,
  type text not null,
  body_days int constraint retention_rule__body_days__check check (body_days > 0),
  disclosure_days int constraint retention_rule__disclosure_days__check check (disclosure_days > 0),
  updated_at timestamptz not null default now(),
  constraint retention_rule__tenant_id__type primary key (tenant_id, type)
);
select oars_tenant_table('retention_rule');

-- Who was erased is not kept; `pending` is the work that an interrupted erasure has left, and is emptied with it.
create table erasure (
  tenant_id uuid not null,
  id uuid not null,
  state text not null constraint erasure__state__check check (state in ('erasing', 'completed')),
  pending jsonb,
  counts jsonb not null default '{}',
  requested_by uuid not null,
  created_at timestamptz not null default now(),
  completed_at timestamptz,
  constraint erasure__tenant_id__id primary key (tenant_id, id),
  constraint erasure__state__pending check ((state = 'erasing') = (pending is not null))
);
create index erasure__erasing on erasure (created_at) where state = 'erasing';
select oars_tenant_table('erasure');
revoke delete on erasure from oars_app, oars_system;
