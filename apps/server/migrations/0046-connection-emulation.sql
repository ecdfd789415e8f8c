--! room: act/connectors
-- A dry run: operations of such a connection answer without network and secrets.
alter table connection add column emulate boolean not null default false;
