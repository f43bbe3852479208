-- What is written down of backups, and named moments to restore to. Invariants: only the service program and the server itself read and write
-- here, no member of a company; a moment is named in the log itself where PostgreSQL lets us, and its position is kept in any case.

revoke all on app.backup_logs, app.recovery_checkpoints from public, anon, authenticated, guest, service_role;
grant select, insert, update, delete on app.backup_logs to service_role;
grant select on app.recovery_checkpoints to service_role;

-- The store of backups has a point.
create or replace function app.keep_recovery_checkpoint(p_name text, p_created_at timestamptz) returns void
  language sql volatile security definer
  set search_path = ''
begin atomic
  update app.recovery_checkpoints r set kept_at = now() where r.kept_at is null and r.created_at = p_created_at and r.name = p_name;
end;
alter function app.keep_recovery_checkpoint(text, timestamptz) owner to app_definer;
revoke all on function app.keep_recovery_checkpoint(text, timestamptz) from public;
grant execute on function app.keep_recovery_checkpoint(text, timestamptz) to service_role;

-- Writes down what became of a backup or drill, and forgets what is older than two years.
create or replace function app.note_backup(
  p_filename text, p_size_bytes bigint, p_backup_type text, p_error_message text, p_details jsonb, p_started_at timestamptz
) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  if current_setting('role') <> 'service_role' then
    raise exception using errcode = '42501', message = 'Backups are written down by the server.';
  end if;
  delete from app.backup_logs b where b.created_at < now() - interval '2 years';
  insert into app.backup_logs (filename, size_bytes, backup_type, status, error_message, details, started_at)
  values (p_filename, p_size_bytes, p_backup_type, case when p_error_message is null then 'completed' else 'failed' end,
          left(p_error_message, 2000), p_details, p_started_at);
end $$;
alter function app.note_backup(text, bigint, text, text, jsonb, timestamptz) owner to app_definer;
revoke all on function app.note_backup(text, bigint, text, text, jsonb, timestamptz) from public;
grant execute on function app.note_backup(text, bigint, text, text, jsonb, timestamptz) to service_role;

drop view if exists public.backup_logs;
create view public.backup_logs with (security_invoker = true) as
select b.id, b.filename, b.size_bytes, b.backup_type, b.status, b.error_message, b.details, b.started_at, b.created_at
  from app.backup_logs b;
comment on view public.backup_logs is 'What became of each backup and drill, for service programs.';
revoke all on public.backup_logs from public, anon, authenticated, guest, service_role;
grant select, insert on public.backup_logs to service_role;

drop view if exists shared.recovery_checkpoints;
create view shared.recovery_checkpoints with (security_invoker = true) as
select r.id, r.name, r.description, r.position, r.created_at, r.kept_at
  from app.recovery_checkpoints r;
comment on view shared.recovery_checkpoints is 'Moments with a name, to which the database can be restored, for service programs.';
revoke all on shared.recovery_checkpoints from public, anon, authenticated, guest, service_role;
grant select on shared.recovery_checkpoints to service_role;

-- Names this moment: what was committed before it is there after a restore to it. Returns the point's id.
create or replace function public.create_recovery_checkpoint(checkpoint_name text, description text default null) returns text
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_position pg_catalog.pg_lsn;
  v_id       uuid;
begin
  if current_setting('role') <> 'service_role' then
    raise exception using errcode = '42501', message = 'Recovery points are named by service programs.';
  elsif coalesce(length(checkpoint_name), 0) not between 1 and 63 then
    raise exception using errcode = '22023', message = 'A recovery point has a name of 1 to 63 characters.';
  end if;
  v_position := pg_catalog.pg_current_wal_insert_lsn();
  if has_function_privilege('pg_catalog.pg_create_restore_point(text)', 'execute') then
    v_position := pg_catalog.pg_create_restore_point(checkpoint_name);
  end if;
  insert into app.recovery_checkpoints (name, description, position)
  values ($1, $2, v_position) returning id into v_id;
  return v_id::text;
end $$;
alter function public.create_recovery_checkpoint(text, text) owner to app_definer;
revoke all on function public.create_recovery_checkpoint(text, text) from public;
grant execute on function public.create_recovery_checkpoint(text, text) to service_role;
comment on function public.create_recovery_checkpoint(text, text) is
  E'Names this moment, so that `thorbis restore --to-checkpoint` finds it.\n@html description';
