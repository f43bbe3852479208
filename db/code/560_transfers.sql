-- Exports and imports: who may begin one, what is noted of it, and what becomes of its files. Invariants: whoever exports or imports holds the
-- right at the moment in which it is begun and again whenever it goes on; rows of an import are noted in the transaction that writes them;
-- a file whose row forgets it is taken away.

select app.protect('public.data_exports', 'exports', p_own_column => 'created_by', p_verbs => '{read}');
select app.protect('public.data_imports', 'imports', p_verbs => '{read}');
revoke all on app.import_rows, app.import_errors, app.forgotten_files from public, anon, authenticated, guest, service_role;
grant select, insert, update, delete on app.import_rows, app.import_errors, app.forgotten_files to service_role;

-- Notes that an export was asked for, under the id of its task. The same again changes nothing.
create or replace function app.open_export(
  p_company_id uuid, p_id uuid, p_asker uuid, p_what text, p_name text, p_format text, p_columns text[], p_filter text
) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_is_service constant boolean := current_setting('role') = 'service_role';
begin
  perform app.demand(case p_what when 'table' then 'data:export' else 'reports:read' end);
  perform app.keep_to_company(p_company_id);
  if not v_is_service and (p_company_id is distinct from app.company_id() or p_asker is distinct from auth.uid()) then
    raise exception using errcode = '42501', message = 'An export is of whoever asks for it.';
  end if;
  insert into public.data_exports (company_id, id, what, name, format, columns, filter, created_by)
  values (p_company_id, p_id, p_what, p_name, p_format, p_columns, p_filter, p_asker)
      on conflict (company_id, id) do nothing;
end $$;
alter function app.open_export(uuid, uuid, uuid, text, text, text, text[], text) owner to app_definer;
revoke all on function app.open_export(uuid, uuid, uuid, text, text, text, text[], text) from public;
grant execute on function app.open_export(uuid, uuid, uuid, text, text, text, text[], text) to authenticated, service_role;

-- Takes an export back: its link ends at once, its file soon. Whoever may see it may do that.
create or replace function app.revoke_export(p_id uuid) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  delete from public.data_exports e
   where e.company_id = app.company_id() and e.id = p_id
     and (app.has_permission('exports:read') or app.has_permission('exports:read_own') and e.created_by = auth.uid());
  if not found then
    return false;
  end if;
  perform app.cancel_task(app.company_id(), p_id);
  return true;
end $$;
alter function app.revoke_export(uuid) owner to app_definer;
revoke all on function app.revoke_export(uuid) from public;
grant execute on function app.revoke_export(uuid) to authenticated;

-- Notes a file that is there to be imported.
create or replace function app.open_import(p_id uuid, p_table text, p_format text, p_file_name text, p_bytes bigint, p_blob_key text, p_headers text[])
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform app.demand('imports:create');
  if not starts_with(p_blob_key, app.company_id() || '/') then
    raise exception using errcode = '42501', message = 'A file is one of its company.';
  end if;
  insert into public.data_imports (company_id, id, table_name, format, file_name, bytes, blob_key, headers, created_by)
  values (app.company_id(), p_id, p_table, p_format, p_file_name, p_bytes, p_blob_key, p_headers, auth.uid());
end $$;
alter function app.open_import(uuid, text, text, text, bigint, text, text[]) owner to app_definer;
revoke all on function app.open_import(uuid, text, text, text, bigint, text, text[]) from public;
grant execute on function app.open_import(uuid, text, text, text, bigint, text, text[]) to authenticated;

-- Begins an import. One that was only tried may be begun again.
create or replace function app.begin_import(
  p_id uuid, p_noun text, p_mapping jsonb, p_key_columns text[], p_mode text, p_dry_run boolean
) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_import public.data_imports;
  v_task   constant uuid := app.uuid_v7();
begin
  perform app.demand('imports:create'), app.demand(p_noun || ':create');
  if p_key_columns <> '{}' then
    perform app.demand(p_noun || ':update');
  end if;
  select * into v_import from public.data_imports i where i.company_id = app.company_id() and i.id = p_id for update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'import_not_found', message = 'There is no such import.';
  elsif v_import.blob_key is null or not (v_import.status = 'uploaded' or v_import.dry_run and v_import.status in ('completed', 'failed', 'cancelled')) then
    raise exception using errcode = 'TH409', constraint = 'import_begun', message = 'This import was begun already.',
      hint = 'Send the file again to import it again.';
  end if;
  delete from app.import_errors e where e.company_id = v_import.company_id and e.import_id = p_id;
  update public.data_imports i
     set mapping = p_mapping, key_columns = p_key_columns, mode = p_mode, dry_run = p_dry_run, status = 'pending', task_id = v_task, errors = '[]',
         errors_key = null, error_code = null, error_message = null, rows_read = 0, rows_created = 0, rows_updated = 0, rows_failed = 0,
         started_at = now(), finished_at = null, created_by = auth.uid()
   where i.company_id = v_import.company_id and i.id = p_id;
  return app.enqueue_as_caller('data_import', jsonb_build_object('import_id', p_id), v_import.company_id, null, null,
                               left(format('%s: %s', v_import.table_name, coalesce(v_import.file_name, p_id::text)), 200), v_task);
end $$;
alter function app.begin_import(uuid, text, jsonb, text[], text, boolean) owner to app_definer;
revoke all on function app.begin_import(uuid, text, jsonb, text[], text, boolean) from public;
grant execute on function app.begin_import(uuid, text, jsonb, text[], text, boolean) to authenticated;

-- Begins to take an import back.
create or replace function app.begin_undo(p_id uuid, p_noun text) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_import public.data_imports;
  v_task   constant uuid := app.uuid_v7();
begin
  perform app.demand('imports:update'), app.demand(p_noun || ':delete');
  select * into v_import from public.data_imports i where i.company_id = app.company_id() and i.id = p_id for update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'import_not_found', message = 'There is no such import.';
  elsif v_import.key_columns <> '{}' then
    perform app.demand(p_noun || ':update');
  end if;
  if v_import.dry_run or v_import.status not in ('completed', 'failed', 'cancelled')
     or not exists (select from app.import_rows r where r.company_id = v_import.company_id and r.import_id = p_id and r.outcome is null) then
    raise exception using errcode = 'TH409', constraint = 'import_not_undoable', message = 'Nothing of this import can be undone.',
      hint = 'It is not over, wrote nothing, was undone, or is too long ago.';
  end if;
  update public.data_imports i set status = 'undoing', task_id = v_task where i.company_id = v_import.company_id and i.id = p_id;
  return app.enqueue_as_caller('undo_import', jsonb_build_object('import_id', p_id), v_import.company_id, null, null,
                               left(format('undo %s: %s', v_import.table_name, coalesce(v_import.file_name, p_id::text)), 200), v_task);
end $$;
alter function app.begin_undo(uuid, text) owner to app_definer;
revoke all on function app.begin_undo(uuid, text) from public;
grant execute on function app.begin_undo(uuid, text) to authenticated;

-- Cancels what an import is at.
create or replace function app.cancel_import(p_id uuid) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_task uuid;
begin
  perform app.demand('imports:update');
  select i.task_id into v_task from public.data_imports i
   where i.company_id = app.company_id() and i.id = p_id and i.status in ('pending', 'running', 'undoing');
  return v_task is not null and app.cancel_task(app.company_id(), v_task) <> 'finished';
end $$;
alter function app.cancel_import(uuid) owner to app_definer;
revoke all on function app.cancel_import(uuid) from public;
grant execute on function app.cancel_import(uuid) to authenticated;

-- The version of rows, or a digest of them where the table keeps none; rows that are gone or marked as deleted are missing. They stay as they
-- are until the transaction ends.
create or replace function app.versions_of(p_company_id uuid, p_table text, p_ids uuid[]) returns table (row_id uuid, version_now text)
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_table    constant regclass := format('public.%I', p_table)::regclass;
  v_has      text[];
begin
  if not exists (select from app.protected_tables t where t.table_name = v_table::text) then
    raise exception using errcode = '42501', message = 'That is not a table of a company.';
  end if;
  select array_agg(a.attname::text) into v_has from pg_catalog.pg_attribute a
   where a.attrelid = v_table and a.attname in ('version', 'deleted_at') and not a.attisdropped;
  return query execute format('select t.id, %s from %s t where t.company_id = $1 and t.id = any ($2) %s for no key update of t',
    case when 'version' = any (v_has) then 't.version::text' else 'md5(to_jsonb(t)::text)' end, v_table,
    case when 'deleted_at' = any (v_has) then 'and t.deleted_at is null' else '' end)
    using p_company_id, p_ids;
end $$;
revoke all on function app.versions_of(uuid, text, uuid[]) from public;
grant execute on function app.versions_of(uuid, text, uuid[]) to app_definer;

-- Notes what a batch of lines became, in the transaction of the member that wrote it. p_rows are objects with row_id, line, is_new and before,
-- p_errors such with line, position, column, code and message.
create or replace function app.note_import_batch(p_import_id uuid, p_rows jsonb, p_errors jsonb) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_import public.data_imports;
begin
  perform app.demand('imports:create');
  select * into v_import from public.data_imports i
   where i.company_id = app.company_id() and i.id = p_import_id and i.status = 'running' and i.created_by = auth.uid();
  if not found then
    raise exception using errcode = 'TH404', constraint = 'import_not_found', message = 'There is no such import.';
  end if;
  insert into app.import_rows as r (company_id, import_id, row_id, line, is_new, version_after, before)
  select v_import.company_id, p_import_id, n.row_id, n.line, n.is_new, v.version_now, n.before
    from jsonb_to_recordset(p_rows) n (row_id uuid, line bigint, is_new boolean, before jsonb)
    join app.versions_of(v_import.company_id, v_import.table_name,
                         array(select (o ->> 'row_id')::uuid from jsonb_array_elements(p_rows) o)) v on v.row_id = n.row_id
      -- Two lines for one row: what was there before the first counts, and the version after the last.
      on conflict (company_id, import_id, row_id) do update set version_after = excluded.version_after, line = excluded.line;
  insert into app.import_errors (company_id, import_id, line, position, column_name, code, message)
  select v_import.company_id, p_import_id, e.line, e.position, left(e."column", 200), left(e.code, 120), left(e.message, 2000)
    from jsonb_to_recordset(p_errors) e (line bigint, position integer, "column" text, code text, message text)
      on conflict (company_id, import_id, line, position) do nothing;
end $$;
alter function app.note_import_batch(uuid, jsonb, jsonb) owner to app_definer;
revoke all on function app.note_import_batch(uuid, jsonb, jsonb) from public;
grant execute on function app.note_import_batch(uuid, jsonb, jsonb) to authenticated;

-- The next rows of an import that nobody looked at yet, and whether each is still as the import left it. They stay so until the transaction ends.
create or replace function app.rows_to_undo(p_import_id uuid, p_rows_max integer)
  returns table (row_id uuid, line bigint, is_new boolean, before jsonb, state text)
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_import public.data_imports;
  v_ids    uuid[];
begin
  perform app.demand('imports:update');
  select * into v_import from public.data_imports i where i.company_id = app.company_id() and i.id = p_import_id and i.status = 'undoing';
  if not found then
    raise exception using errcode = 'TH404', constraint = 'import_not_found', message = 'There is no such import.';
  end if;
  -- The last line first: what was made later may hang on what was made before.
  v_ids := array(select r.row_id from app.import_rows r
                  where r.company_id = v_import.company_id and r.import_id = p_import_id and r.outcome is null
                  order by r.line desc, r.row_id limit least(p_rows_max, 5000));
  return query
    select r.row_id, r.line, r.is_new, r.before,
           case when v.version_now is null then 'gone' when v.version_now <> r.version_after then 'changed' else 'same' end
      from app.import_rows r
      left join app.versions_of(v_import.company_id, v_import.table_name, v_ids) v on v.row_id = r.row_id
     where r.company_id = v_import.company_id and r.import_id = p_import_id and r.row_id = any (v_ids)
     order by r.line desc, r.row_id;
end $$;
alter function app.rows_to_undo(uuid, integer) owner to app_definer;
revoke all on function app.rows_to_undo(uuid, integer) from public;
grant execute on function app.rows_to_undo(uuid, integer) to authenticated;

-- Notes what became of rows that were to be undone: row ids with outcomes.
create or replace function app.note_undone(p_import_id uuid, p_outcomes jsonb) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform app.demand('imports:update');
  update app.import_rows r set outcome = left(o.value, 500)
    from jsonb_each_text(p_outcomes) o
   where r.company_id = app.company_id() and r.import_id = p_import_id and r.row_id = o.key::uuid and r.outcome is null;
end $$;
alter function app.note_undone(uuid, jsonb) owner to app_definer;
revoke all on function app.note_undone(uuid, jsonb) from public;
grant execute on function app.note_undone(uuid, jsonb) to authenticated;

-- How far a member's export or import is, as its task says.
create or replace function app.transfer_progress(p_task_id uuid) returns jsonb
  language sql stable security definer
  set search_path = ''
as $$
  select jsonb_build_object('percent', t.progress_percent, 'message', t.progress_message, 'error', t.errors -> -1 ->> 'error')
    from app.tasks t
   where t.company_id = app.company_id() and t.id = p_task_id
     and (exists (select from public.data_imports i where i.company_id = t.company_id and i.task_id = t.id) and app.has_permission('imports:read')
          or exists (select from public.data_exports e where e.company_id = t.company_id and e.id = t.id
                        and (app.has_permission('exports:read') or app.has_permission('exports:read_own') and e.created_by = auth.uid())))
$$;
alter function app.transfer_progress(uuid) owner to app_definer;
revoke all on function app.transfer_progress(uuid) from public;
grant execute on function app.transfer_progress(uuid) to authenticated;

-- What a task that ended otherwise than by its handler leaves behind.
create or replace function app.note_transfer_end() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_status constant text := case tg_argv[0] when 'dead' then 'failed' else 'cancelled' end;
  v_error  constant text := left(new.errors -> -1 ->> 'error', 2000);
begin
  update public.data_exports e
     set status = v_status, finished_at = now(), error_code = coalesce(e.error_code, 'task_' || v_status), error_message = coalesce(e.error_message, v_error)
   where e.company_id = new.company_id and e.id = new.id and e.status in ('pending', 'running');
  update public.data_imports i
     set status = case i.status when 'undoing' then 'completed' else v_status end, finished_at = now(),
         rows_created = (select count(*) from app.import_rows r where r.company_id = i.company_id and r.import_id = i.id and r.is_new),
         rows_updated = (select count(*) from app.import_rows r where r.company_id = i.company_id and r.import_id = i.id and not r.is_new),
         error_code = coalesce(i.error_code, 'task_' || v_status), error_message = coalesce(i.error_message, v_error)
   where i.company_id = new.company_id and i.task_id = new.id and i.status in ('pending', 'running', 'undoing');
  return null;
end $$;
alter function app.note_transfer_end() owner to app_definer;
revoke all on function app.note_transfer_end() from public;
create or replace trigger note_transfer_end after insert on app.done_tasks for each row
  when (new.outcome = 'cancelled' and new.kind in ('data_export', 'generate_report', 'data_import', 'undo_import'))
  execute function app.note_transfer_end('cancelled');
create or replace trigger note_transfer_end after insert on app.dead_tasks for each row
  when (new.kind in ('data_export', 'generate_report', 'data_import', 'undo_import')) execute function app.note_transfer_end('dead');

-- A file that its row forgets, or whose row goes, is taken away by the next clean-up.
create or replace function app.forget_files() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  insert into app.forgotten_files (blob_key)
  select distinct f.blob_key
    from unnest(array[to_jsonb(old) ->> 'blob_key', to_jsonb(old) ->> 'errors_key']) f (blob_key)
   where f.blob_key is not null
     and (tg_op = 'DELETE' or f.blob_key not in (coalesce(to_jsonb(new) ->> 'blob_key', ''), coalesce(to_jsonb(new) ->> 'errors_key', '')))
      on conflict (blob_key) do nothing;
  return null;
end $$;
alter function app.forget_files() owner to app_definer;
revoke all on function app.forget_files() from public;
create or replace trigger forget_files after update of blob_key or delete on public.data_exports for each row execute function app.forget_files();
create or replace trigger forget_files after update of blob_key, errors_key or delete on public.data_imports for each row execute function app.forget_files();

-- Forgets the files of exports that are over, and of imports that were long ago together with what could be undone of them.
create or replace function app.expire_transfers(p_imports_kept_days integer, p_rows_max integer) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_exports bigint;
  v_imports bigint;
begin
  update public.data_exports e set blob_key = null, status = 'expired'
   where (e.company_id, e.id) in (select x.company_id, x.id from public.data_exports x
                                   where x.blob_key is not null and x.expires_at <= now() order by x.expires_at limit p_rows_max for update skip locked);
  get diagnostics v_exports = row_count;
  with over as (
    update public.data_imports i set blob_key = null, errors_key = null
     where (i.company_id, i.id) in (select x.company_id, x.id from public.data_imports x
                                     where x.blob_key is not null and x.status not in ('pending', 'running', 'undoing')
                                       and coalesce(x.finished_at, x.created_at) <= now() - make_interval(days => p_imports_kept_days)
                                     order by x.finished_at limit p_rows_max for update skip locked)
    returning i.company_id, i.id),
  rows_gone as (delete from app.import_rows r using over o where r.company_id = o.company_id and r.import_id = o.id)
  delete from app.import_errors e using over o where e.company_id = o.company_id and e.import_id = o.id;
  get diagnostics v_imports = row_count;
  return v_exports + v_imports;
end $$;
revoke all on function app.expire_transfers(integer, integer) from public;
grant execute on function app.expire_transfers(integer, integer) to service_role;
