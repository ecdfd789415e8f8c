--! room: act/connector-auth
-- The credential that a connection obtained for itself: an access token with what renews it, or a session's cookies.
-- `claim` is held by the one process that obtains the next; `version` tells one credential from the next.
create table connection_grant (
  tenant_id uuid not null,
  connection_id uuid not null,
  kind text not null constraint connection_grant__kind__check check (kind in ('token', 'cookies')),
  digest text not null,
  sealed bytea,
  version int not null default 0,
  obtained_at timestamptz,
  valid_until timestamptz,
  refresh_at timestamptz,
  claim uuid,
  claimed_until timestamptz,
  failures int not null default 0,
  retry_at timestamptz,
  last_error text,
  last_error_at timestamptz,
  needs_person boolean not null default false,
  constraint connection_grant__tenant_id__connection_id primary key (tenant_id, connection_id),
  constraint connection_grant__tenant_id__connection foreign key (tenant_id, connection_id)
    references connection (tenant_id, id) on delete cascade,
  constraint connection_grant__claim__check check ((claim is null) = (claimed_until is null))
) with (fillfactor = 80);
create index connection_grant__tenant_id__refresh_at on connection_grant (tenant_id, refresh_at)
  where refresh_at is not null;
select oars_tenant_table('connection_grant');

-- Consents under way (RFC 6749 §4.1): who began one, and what proves that its end belongs to its beginning.
create table connection_authorization (
  tenant_id uuid not null,
  state_hash bytea not null
    constraint connection_authorization__state_hash__check check (octet_length(state_hash) = 32),
  connection_id uuid not null,
  principal_id uuid not null,
  browser_hash bytea not null
    constraint connection_authorization__browser_hash__check check (octet_length(browser_hash) = 32),
  digest text not null,
  sealed bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint connection_authorization__tenant_id__state_hash primary key (tenant_id, state_hash),
  constraint connection_authorization__tenant_id__connection foreign key (tenant_id, connection_id)
    references connection (tenant_id, id) on delete cascade
);
create index connection_authorization__tenant_id__expires_at on connection_authorization (tenant_id, expires_at);
select oars_tenant_table('connection_authorization');
