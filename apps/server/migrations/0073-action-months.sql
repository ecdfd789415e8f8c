--! room: act/actions
-- An index of a table that is kept by month holds for each month alone: what makes a reservation the only one of its
-- key has a table of its own.
create table action_reservation (
  tenant_id uuid not null,
  reservation bytea not null,
  action_id uuid not null,
  constraint action_reservation__tenant_id__reservation primary key (tenant_id, reservation)
);
select oars_tenant_table('action_reservation');
alter table action no force row level security;
alter table action_reservation no force row level security;
insert into action_reservation (tenant_id, reservation, action_id)
  select tenant_id, reservation, id from action where reservation is not null;
alter table action_reservation force row level security;
drop index action__tenant_id__reservation;
select oars_by_month('action', 'id');
