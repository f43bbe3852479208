-- description: takes back create_cache_flushes
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261124120000
-- rollback: migrate up again

do $$
begin
  if exists (select from pg_catalog.pg_publication_tables where pubname = 'thorbis_changes' and tablename = 'cache_flushes') then
    alter publication thorbis_changes drop table app.cache_flushes;
  end if;
end $$;
drop table app.cache_flushes cascade;
