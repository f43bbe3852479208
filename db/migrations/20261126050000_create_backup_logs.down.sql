-- description: takes back create_backup_logs
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261125040100
-- rollback: migrate up again; the history of backups does not come back

drop view if exists public.backup_logs;
drop view if exists shared.recovery_checkpoints;
drop function if exists public.create_recovery_checkpoint(text, text);
drop function if exists app.note_backup(text, bigint, text, text, jsonb, timestamptz);
drop function if exists app.keep_recovery_checkpoint(text, timestamptz);
drop table app.recovery_checkpoints;
drop table app.backup_logs;
