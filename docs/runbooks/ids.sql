-- For a session that looks into the database of OARS. Sees every tenant; the two functions live as long as the session.
--   psql "$OARS_POSTGRES_URL" -f docs/runbooks/ids.sql -f question.sql
set role oars_system;

-- The id in the tables for one that the API shows: pg_temp.oars_uuid('run_01jd…').
create or replace function pg_temp.oars_uuid(shown text) returns uuid language sql immutable as $$
  select string_agg(lpad(to_hex(substr(b.bits, 3 + 32 * n, 32)::bit(32)::int), 8, '0'), '' order by n)::uuid
  from (
    select string_agg((strpos('0123456789abcdefghjkmnpqrstvwxyz', substr(split_part(shown, '_', 2), i, 1)) - 1)::bit(5)::text, '' order by i) as bits
    from generate_series(1, 26) i
  ) b, generate_series(0, 3) n
$$;

-- The id that the API shows for one in the tables: pg_temp.oars_id('run', r.id).
create or replace function pg_temp.oars_id(kind text, id uuid) returns text language sql immutable as $$
  select kind || '_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', substr(b.bits, 1 + 5 * i, 5)::bit(5)::int + 1, 1), '' order by i)
  from (select '00' || ('x' || replace(id::text, '-', ''))::bit(128)::text as bits) b, generate_series(0, 25) i
$$;
