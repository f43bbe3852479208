-- description: takes back create_realtime_messages
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261124121000
-- rollback: migrate up again

do $$
begin
  if exists (select from pg_catalog.pg_publication_tables where pubname = 'thorbis_changes' and schemaname = 'realtime' and tablename = 'messages') then
    alter publication thorbis_changes drop table realtime.messages;
  end if;
end $$;
drop table realtime.messages cascade;
