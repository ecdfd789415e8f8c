--! room: act/approvals
-- Stages, confirmation, emergencies, delegation and comments. Approvals from before have their requirements as one stage.
alter table approval
  add column stages jsonb,
  add column workflows jsonb not null default '[]',
  add column step_up text constraint approval__step_up check (step_up in ('totp', 'webauthn')),
  add column break_glass boolean not null default true,
  add column open_to text[] not null default '{}',
  add column escalate_at timestamptz,
  add column tool text not null default '',
  add column target_hash bytea not null default '',
  add column batch_id uuid,
  add column override jsonb,
  add column review jsonb;
update approval set tool = coalesce(subject ->> 'tool', ''), target_hash = sha256(convert_to(coalesce(subject ->> 'target', ''), 'UTF8')),
  open_to = case when state = 'pending' then
    array(select 'role:' || (r ->> 'role') from jsonb_array_elements(requirements) r) else '{}' end;
create index approval__escalate_at on approval (escalate_at) where state = 'pending' and escalate_at is not null;
create index approval__tenant_id__tool__id on approval (tenant_id, tool, id);
create index approval__tenant_id__requester_id__id on approval (tenant_id, requester_id, id);
create index approval__review on approval (tenant_id, id) where override is not null and review is null;

alter table approval_vote
  add column stage int4 not null default 0,
  add column rights text[],
  add column on_behalf_of uuid,
  add column counts_as uuid,
  add column factor text constraint approval_vote__factor check (factor in ('totp', 'webauthn', 'recovery'));
update approval_vote set counts_as = principal_id;
create unique index approval_vote__counts_as on approval_vote (tenant_id, approval_id, counts_as);

create table approval_delegation (
  tenant_id uuid not null,
  id uuid not null,
  from_id uuid not null,
  to_id uuid not null,
  approval_id uuid,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  reason text not null,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint approval_delegation__tenant_id__id primary key (tenant_id, id),
  constraint approval_delegation__other check (from_id <> to_id),
  constraint approval_delegation__time check (ends_at > starts_at)
);
create index approval_delegation__to_id on approval_delegation (tenant_id, to_id, ends_at) where revoked_at is null;
create index approval_delegation__from_id on approval_delegation (tenant_id, from_id, ends_at) where revoked_at is null;
select oars_tenant_table('approval_delegation');

create table approval_comment (
  tenant_id uuid not null,
  approval_id uuid not null,
  id uuid not null,
  principal_id uuid not null,
  body text not null,
  created_at timestamptz not null default now(),
  constraint approval_comment__tenant_id__approval_id__id primary key (tenant_id, approval_id, id)
);
select oars_tenant_table('approval_comment');
