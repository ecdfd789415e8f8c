--! room: sign/receipts
-- How long a key counts. A key that a newer one follows is `retiring` until retired_at; max_tree_size is set when all
-- that it signed is in the log. provider says who holds the private half: sealed here, or under provider_ref elsewhere.
alter table signing_key drop constraint signing_key__status__check;
alter table signing_key add constraint signing_key__status__check
  check (status in ('active', 'retiring', 'retired', 'revoked'));
alter table signing_key drop constraint signing_key__use__check;
alter table signing_key add constraint signing_key__use__check check (use in ('receipt', 'log', 'witness'));
alter table signing_key alter column private_sealed drop not null;
alter table signing_key
  add column retired_at timestamptz,
  add column revoked_at timestamptz,
  add column reason text,
  add column max_tree_size bigint,
  add column provider text not null default 'software',
  add column provider_ref text,
  add constraint signing_key__provider__check check (
    (provider = 'software' and private_sealed is not null and provider_ref is null)
    or (provider <> 'software' and private_sealed is null and provider_ref is not null)),
  add constraint signing_key__revoked_at__check check ((status = 'revoked') = (revoked_at is not null)),
  add constraint signing_key__retired_at__check check (status not in ('retiring', 'retired') or retired_at is not null);
create index signing_key__tenant_id__unsettled on signing_key (tenant_id, kid)
  where status = 'retiring' or (status = 'revoked' and max_tree_size is null);
-- What a key is never changes; only how it ends is written later, and never taken back.
revoke update on signing_key from oars_app, oars_system;
grant update (status, rotated_at, retired_at, revoked_at, reason, max_tree_size) on signing_key to oars_app, oars_system;
