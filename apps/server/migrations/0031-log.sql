--! room: sign/log
-- A tenant's Merkle log. Leaf indexes are gapless; a checkpoint is stored in the transaction that gives its
-- leaves their places, so the last row of log_checkpoint is the only head that was ever signed for its size.
create table log_leaf (
  tenant_id uuid not null,
  leaf_index bigint not null constraint log_leaf__leaf_index__check check (leaf_index >= 0),
  receipt_id uuid not null,
  leaf_hash bytea not null constraint log_leaf__leaf_hash__check check (octet_length(leaf_hash) = 32),
  constraint log_leaf__tenant_id__leaf_index primary key (tenant_id, leaf_index),
  constraint log_leaf__tenant_id__receipt_id unique (tenant_id, receipt_id)
);
select oars_tenant_table('log_leaf');
revoke update, delete on log_leaf from oars_app, oars_system;

-- C2SP tiles: 1 to 256 hashes of 32 bytes. A tile only grows.
create table log_tile (
  tenant_id uuid not null,
  level int not null constraint log_tile__level__check check (level between 0 and 6),
  tile_index bigint not null constraint log_tile__tile_index__check check (tile_index >= 0),
  hashes bytea not null constraint log_tile__hashes__check
    check (octet_length(hashes) between 32 and 8192 and octet_length(hashes) % 32 = 0),
  constraint log_tile__tenant_id__level__tile_index primary key (tenant_id, level, tile_index)
);
alter table log_tile alter column hashes set storage external; -- hashes do not compress
select oars_tenant_table('log_tile');
revoke delete on log_tile from oars_app, oars_system;

create table log_checkpoint (
  tenant_id uuid not null,
  size bigint not null constraint log_checkpoint__size__check check (size > 0),
  root bytea not null constraint log_checkpoint__root__check check (octet_length(root) = 32),
  note text not null,
  created_at timestamptz not null default now(),
  constraint log_checkpoint__tenant_id__size primary key (tenant_id, size)
);
select oars_tenant_table('log_checkpoint');
revoke update, delete on log_checkpoint from oars_app, oars_system;
