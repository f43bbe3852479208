-- description: takes back create_transfers
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261125040000
-- rollback: migrate up again; exports and imports do not come back

-- backfill: app.protected_tables rows=0..2
delete from app.protected_tables where table_name in ('public.data_exports', 'public.data_imports');
drop trigger if exists note_transfer_end on app.done_tasks;
drop trigger if exists note_transfer_end on app.dead_tasks;
drop function if exists app.note_transfer_end();
drop table app.forgotten_files;
drop table app.import_errors;
drop table app.import_rows;
drop table public.data_imports cascade;
drop table public.data_exports cascade;
