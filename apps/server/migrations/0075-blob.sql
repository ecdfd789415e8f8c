--! room: platform/blobs
-- Payloads that are too large for the row that they belong to, under the SHA-256 of their text, once for each run that
-- has them, in parts. Kept by the month of the run, as its journal is.
create table blob (
  tenant_id uuid not null,
  run_id uuid not null,
  sha256 bytea not null constraint blob__sha256__check check (octet_length(sha256) = 32),
  part int4 not null constraint blob__part__check check (part >= 0),
  parts int4 not null,
  bytes int8 not null,
  encoding text not null constraint blob__encoding__check check (encoding in ('plain', 'zstd')),
  body bytea not null,
  constraint blob__part__parts__check check (part < parts),
  constraint blob__tenant_id__run_id__sha256__part primary key (tenant_id, run_id, sha256, part)
);
alter table blob alter column body set storage external; -- it is compressed already, or does not compress
select oars_by_month('blob', 'run_id');
revoke update on blob from oars_app, oars_system;
