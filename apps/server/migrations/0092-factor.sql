--! room: act/factors
-- What people confirm a vote with. TOTP secrets are sealed by the vault; recovery codes are kept as their SHA-256.
create table factor (
  tenant_id uuid not null,
  id uuid not null,
  principal_id uuid not null,
  kind text not null constraint factor__kind check (kind in ('totp', 'webauthn')),
  name text not null,
  state text not null constraint factor__state check (state in ('pending', 'active', 'revoked')),
  secret bytea,
  last_step int8 not null default 0,
  credential_id text,
  public_key bytea,
  sign_count int8 not null default 0,
  transports text[] not null default '{}',
  challenge text,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  confirmed_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  constraint factor__tenant_id__id primary key (tenant_id, id)
);
create index factor__tenant_id__principal_id on factor (tenant_id, principal_id, id) where state <> 'revoked';
create unique index factor__tenant_id__credential_id on factor (tenant_id, credential_id) where state = 'active';
select oars_tenant_table('factor');

-- A question that one assertion answers, for one decision about one action.
create table factor_challenge (
  tenant_id uuid not null,
  id uuid not null,
  principal_id uuid not null,
  challenge text not null,
  subject_id uuid not null,
  subject_digest text not null,
  decision text not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  constraint factor_challenge__tenant_id__id primary key (tenant_id, id)
);
create index factor_challenge__expires_at on factor_challenge (expires_at);
select oars_tenant_table('factor_challenge');

-- Tries are counted before they are looked at, so that many at once are no more than one after the other.
create table factor_throttle (
  tenant_id uuid not null,
  principal_id uuid not null,
  tries int4 not null,
  window_at timestamptz not null,
  locked_until timestamptz,
  constraint factor_throttle__tenant_id__principal_id primary key (tenant_id, principal_id)
);
select oars_tenant_table('factor_throttle');

create table recovery_code (
  tenant_id uuid not null,
  principal_id uuid not null,
  hash bytea not null constraint recovery_code__hash check (octet_length(hash) = 32),
  created_at timestamptz not null default now(),
  used_at timestamptz,
  constraint recovery_code__tenant_id__principal_id__hash primary key (tenant_id, principal_id, hash)
);
select oars_tenant_table('recovery_code');
