--! room: sign/witness
-- The newest head of each log that this installation is a witness of.
create table witnessed_log (
  tenant_id uuid not null,
  origin text not null,
  size bigint not null constraint witnessed_log__size__check check (size >= 0),
  root bytea not null constraint witnessed_log__root__check check (octet_length(root) = 32),
  note text not null,
  seen_at timestamptz not null default now(),
  constraint witnessed_log__tenant_id__origin primary key (tenant_id, origin)
);
select oars_tenant_table('witnessed_log');
revoke delete on witnessed_log from oars_app, oars_system;
