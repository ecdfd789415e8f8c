--! room: platform/db
-- Tables that are kept by month: partitioned by range of a UUIDv7, whose first 48 bits are milliseconds since 1970.
-- What is outside every month is in the default partition until its month is opened. A month is reached through its
-- table alone: nothing is granted on it, and row-level security without a policy lets nobody in but the owner.
create function oars_first_id(month date) returns uuid
  language sql immutable parallel safe
  return rpad(lpad(to_hex((extract(epoch from month::timestamp) * 1000)::bigint), 12, '0'), 32, '0')::uuid;

create function oars_month_of(id uuid) returns date
  language sql immutable parallel safe
  return date_trunc('month', to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) at time zone 'UTC')::date;

-- Opens a month of a table, with the rows that have gathered in the default partition. False: it is open.
create function oars_open_month(tbl text, month date) returns boolean
  language plpgsql as $$
declare
  part text := tbl || to_char(month, '_YYYY_MM');
  since uuid := oars_first_id(month);
  until uuid := oars_first_id((month + interval '1 month')::date);
  key text;
  options text[];
begin
  if to_regclass(format('%I', part)) is not null then return false; end if;
  select a.attname into strict key from pg_partitioned_table p
    join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0] where p.partrelid = format('%I', tbl)::regclass;
  select c.reloptions into strict options from pg_class c where c.oid = format('%I', tbl || '_default')::regclass;
  execute format('create table %I (like %I including defaults including constraints including indexes including storage)', part, tbl);
  if options is not null then execute format('alter table %I set (%s)', part, array_to_string(options, ', ')); end if;
  execute format('alter table %I enable row level security', part);
  execute format('lock table %I in access exclusive mode', tbl || '_default');
  execute format('with gone as (delete from %I where %I >= %L and %I < %L returning *) insert into %I select * from gone',
    tbl || '_default', key, since, key, until, part);
  execute format('alter table %I attach partition %I for values from (%L) to (%L)', tbl, part, since, until);
  return true;
end $$;

-- Opens this month and the next of every table, and those of rows that came too late or too early. Names what it opened.
create function oars_open_months() returns setof text
  language plpgsql security definer set search_path from current set lock_timeout = '3s' as $$
declare
  t record;
  this date := date_trunc('month', now() at time zone 'UTC')::date;
  m date;
begin
  for t in select c.relname::text as name, a.attname::text as key from pg_partitioned_table p join pg_class c on c.oid = p.partrelid
      join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
      where c.relnamespace = to_regnamespace(current_schema()) order by c.relname loop
    for m in execute format('select distinct oars_month_of(%1$I) from %2$I where %1$I >= %3$L and %1$I < %4$L union select %5$L::date union select %6$L::date',
        t.key, t.name || '_default', oars_first_id('2020-01-01'), oars_first_id((this + interval '2 months')::date),
        this, (this + interval '1 month')::date) loop
      if oars_open_month(t.name, m) then return next t.name || to_char(m, '_YYYY_MM'); end if;
    end loop;
  end loop;
end $$;
revoke execute on function oars_open_months() from public;
grant execute on function oars_open_months() to oars_system;

-- Drops one month of a table: the only way in which the server may drop anything.
create function oars_drop_month(part text) returns void
  language plpgsql security definer set search_path from current set lock_timeout = '3s' as $$
begin
  perform from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_partitioned_table p on p.partrelid = i.inhparent
    where c.relname = part and c.relnamespace = to_regnamespace(current_schema()) and part ~ '_\d{4}_\d{2}$';
  if not found then raise exception using errcode = '42P01', message = format('%s is no month of a table', part); end if;
  execute format('drop table %I', part);
end $$;
revoke execute on function oars_drop_month(text) from public;
grant execute on function oars_drop_month(text) to oars_system;

-- For migrations: turns a table into one that is kept by month, with its columns, checks, indexes and rows. Its grants
-- and policies become those of a tenant table.
create function oars_by_month(tbl text, key text) returns void
  language plpgsql as $$
declare
  plain text := tbl || '_plain';
  statements text[] := array(
    select format('alter table %I add constraint %I %s', tbl, c.conname, pg_get_constraintdef(c.oid)) from pg_constraint c
      where c.conrelid = tbl::regclass and c.contype in ('p', 'u')
    union all
    select pg_get_indexdef(i.indexrelid) from pg_index i
      where i.indrelid = tbl::regclass and not exists (select from pg_constraint c where c.conindid = i.indexrelid));
  options text[] := (select c.reloptions from pg_class c where c.oid = tbl::regclass);
  statement text;
begin
  execute format('alter table %I rename to %I', tbl, plain);
  execute format('alter table %I no force row level security', plain);
  for statement in select format('alter index %I rename to %I', c.relname, left(c.relname, 55) || '__plain')
      from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = plain::regclass loop
    execute statement;
  end loop;
  execute format('create table %I (like %I including defaults including constraints including comments including storage) partition by range (%I)',
    tbl, plain, key);
  foreach statement in array statements loop execute statement; end loop;
  execute format('create table %I partition of %I default', tbl || '_default', tbl);
  if options is not null then execute format('alter table %I set (%s)', tbl || '_default', array_to_string(options, ', ')); end if;
  execute format('alter table %I enable row level security', tbl || '_default');
  execute format('insert into %I select * from %I', tbl || '_default', plain);
  execute format('drop table %I', plain);
  perform oars_tenant_table(tbl);
  perform oars_open_months();
end $$;
revoke execute on function oars_by_month(text, text), oars_open_month(text, date) from public;
