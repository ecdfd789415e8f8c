--! room: act/approvals
create table approval (
  tenant_id uuid not null,
  id uuid not null,
  action_id uuid not null,
  action_digest text not null,
  state text not null constraint approval__state check (state in ('pending', 'approved', 'rejected', 'expired', 'cancelled', 'consumed')),
  requirements jsonb not null,
  requester_id uuid not null,
  excluded uuid[] not null,
  subject jsonb not null,
  reason text not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  resolved_at timestamptz,
  constraint approval__tenant_id__id primary key (tenant_id, id),
  constraint approval__tenant_id__action_id unique (tenant_id, action_id, id)
);
create index approval__pending on approval (tenant_id, id) where state = 'pending';
create index approval__expires_at on approval (expires_at) where state = 'pending';
select oars_tenant_table('approval');

create table approval_vote (
  tenant_id uuid not null,
  approval_id uuid not null,
  principal_id uuid not null,
  id uuid not null,
  vote text not null constraint approval_vote__vote check (vote in ('approve', 'reject')),
  roles text[] not null,
  reason text not null,
  receipt_digest text not null,
  created_at timestamptz not null default now(),
  constraint approval_vote__tenant_id__approval_id__principal_id primary key (tenant_id, approval_id, principal_id)
);
select oars_tenant_table('approval_vote');
