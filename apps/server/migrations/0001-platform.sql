--! room: platform/db
-- Two roles share the schema: oars_app sees one tenant at a time, oars_system all of them. Row-level security is
-- forced and its policies name only these roles; the owner of the schema acts through its membership in them.
do $$
begin
  if not exists (select from pg_roles where rolname = 'oars_app') then
    create role oars_app nologin;
  end if;
exception when duplicate_object or unique_violation then null;
end $$;

do $$
begin
  if not exists (select from pg_roles where rolname = 'oars_system') then
    create role oars_system nologin;
  end if;
exception when duplicate_object or unique_violation then null;
end $$;

do $$
begin
  execute format('grant oars_app, oars_system to %I', current_user);
exception when others then
  if sqlstate not in ('0LP01', '42501', 'XX000') then raise; end if; -- a superuser needs no membership
end $$;

grant usage on schema public to oars_app, oars_system;

create function oars_tenant() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('app.tenant', true), '')::uuid;

create function oars_tenant_table(tbl text) returns void
  language plpgsql as $$
begin
  execute format('alter table %I enable row level security', tbl);
  execute format('alter table %I force row level security', tbl);
  execute format('create policy tenant on %I to oars_app using (tenant_id = (select oars_tenant())) with check (tenant_id = (select oars_tenant()))', tbl);
  execute format('create policy system on %I to oars_system using (true) with check (true)', tbl);
  execute format('grant select, insert, update, delete on %I to oars_app, oars_system', tbl);
end $$;

create function oars_fence(hit bigint, wanted bigint) returns boolean
  language plpgsql as $$
begin
  if hit <> wanted then
    raise exception using errcode = 'OA001', message = 'a guard did not hold';
  end if;
  return true;
end $$;
