--! room: sign/receipts
-- Receipts never change: their bodies are signed and their hashes are in the log. Only the sealed disclosures
-- may be erased. receipt_pending holds what waits for its place in the log; the sequencer takes it from there.
create table receipt (
  tenant_id uuid not null,
  id uuid not null,
  type text not null,
  run_id uuid,
  action_id uuid,
  principal_id uuid,
  tool text,
  effect text,
  jws text not null,
  disclosures bytea,
  created_at timestamptz not null,
  constraint receipt__tenant_id__id primary key (tenant_id, id)
);
create index receipt__tenant_id__run_id__id on receipt (tenant_id, run_id, id) where run_id is not null;
create index receipt__tenant_id__action_id__id on receipt (tenant_id, action_id, id) where action_id is not null;
select oars_tenant_table('receipt');
revoke update, delete on receipt from oars_app, oars_system;
grant update (disclosures) on receipt to oars_app, oars_system;

create table receipt_pending (
  tenant_id uuid not null,
  receipt_id uuid not null,
  leaf_hash bytea not null constraint receipt_pending__leaf_hash__check check (octet_length(leaf_hash) = 32),
  constraint receipt_pending__tenant_id__receipt_id primary key (tenant_id, receipt_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
select oars_tenant_table('receipt_pending');
revoke update on receipt_pending from oars_app, oars_system;

-- Keys are never deleted: what they signed must stay verifiable. `name` is the issuer of a receipt key and the
-- origin of a log key; it is fixed when the key is made, so a server that moves keeps its identity.
create table signing_key (
  tenant_id uuid not null,
  kid text not null,
  use text not null constraint signing_key__use__check check (use in ('receipt', 'log')),
  name text not null,
  public_x text not null,
  private_sealed bytea not null,
  status text not null constraint signing_key__status__check check (status in ('active', 'retired', 'revoked')),
  created_at timestamptz not null default now(),
  rotated_at timestamptz,
  constraint signing_key__tenant_id__kid primary key (tenant_id, kid)
);
create unique index signing_key__tenant_id__use on signing_key (tenant_id, use) where status = 'active';
select oars_tenant_table('signing_key');
revoke delete on signing_key from oars_app, oars_system;
