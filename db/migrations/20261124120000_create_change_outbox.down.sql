-- description: takes back create_change_outbox
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123210100
-- rollback: migrate up again; servers begin anew

do $$
begin
  if to_regprocedure('app.keep_changes(boolean)') is not null then
    perform app.keep_changes(false);
  end if;
end $$;
drop publication if exists thorbis_changes;
drop table app.change_outbox cascade;
