-- Rows that bind a file to something else: whoever reads that reads them, and whoever changes it writes them. What files are allowed to somebody
-- at all, db/permissions.toml says; what a row is bound to narrows it, and gives whoever works on what is assigned to him the files of that.
-- Invariant: no row tells more of a file than that a thing has it whose reader one is.

-- Types of which the caller may do something with every thing, and those of which he may do it with none: asked once a statement.
create or replace function app.whole_entities(p_verb text) returns text[]
  language sql stable
  set search_path = ''
as $$
  select coalesce(array_agg(e.entity_type), '{}')
    from app.entity_types() e join app.protected_tables p on p.table_name = e.table_name
   where app.has_permission(p.noun || ':' || p_verb)
$$;
create or replace function app.barred_entities(p_verb text) returns text[]
  language sql stable
  set search_path = ''
as $$
  select coalesce(array_agg(e.entity_type), '{}')
    from app.entity_types() e join app.protected_tables p on p.table_name = e.table_name
   where not (app.has_permission(p.noun || ':' || p_verb) or app.has_permission(p.noun || ':' || p_verb || '_assigned')
              or app.has_permission(p.noun || ':' || p_verb || '_own'))
$$;
revoke all on function app.whole_entities(text), app.barred_entities(text) from public;
grant execute on function app.whole_entities(text), app.barred_entities(text) to authenticated;

-- Whether the caller may do something with the one thing that a row names: one look by its key, with his own rights. Policies ask it for rows of
-- types of which he may do it with some. As conditions of the policies these questions took longer to plan than everything else to do; a function
-- keeps its plans as long as the session lasts.
do $$
declare
  v_questions text;
begin
  select string_agg(format($question$
    when '%1$s' then
      return case p_verb
        when 'read' then exists (select from %2$s where %2$s.company_id = v_company and %2$s.id = p_entity_id and (%3$s))
        else exists (select from %2$s where %2$s.company_id = v_company and %2$s.id = p_entity_id and (%4$s)) end;$question$,
           e.entity_type, e.table_name,
           app.scope_condition(p.table_name, p.noun, 'read', p.assigned_column, p.own_column, p.crew_column, p.parent_table, p.parent_column),
           app.scope_condition(p.table_name, p.noun, 'update', p.assigned_column, p.own_column, p.crew_column, p.parent_table, p.parent_column)),
         '' order by e.entity_type) into v_questions
    from app.entity_types() e join app.protected_tables p on p.table_name = e.table_name;
  execute format($function$
    create or replace function app.reaches_entity(p_entity_type text, p_entity_id uuid, p_verb text) returns boolean
      language plpgsql stable
      set search_path = ''
    as $body$
    declare
      v_company constant uuid := app.company_id();
    begin
      case p_entity_type %s
      -- Of what nobody knows nobody is known to reach it.
      else return false;
      end case;
    end $body$ $function$, v_questions);
end $$;
revoke all on function app.reaches_entity(text, uuid, text) from public;
grant execute on function app.reaches_entity(text, uuid, text) to authenticated;

-- Whether the caller may do this with what a row names, as a condition.
create or replace function app.entity_condition(p_verb text) returns text
  language sql immutable
  set search_path = ''
as $$
  select format('(entity_type is null or entity_id is null or entity_type = any ((select app.whole_entities(%1$L))::text[])
                  or entity_type <> all ((select app.barred_entities(%1$L))::text[]) and app.reaches_entity(entity_type, entity_id, %1$L))', p_verb)
$$;
revoke all on function app.entity_condition(text) from public;

do $$
declare
  v_table text;
  v_name  text;
begin
  foreach v_table in array array['attachments', 'file_storage'] loop
    foreach v_name in array array['owner_read', 'owner_create', 'owner_update', 'owner_delete', 'bound_read', 'bound_create'] loop
      execute format('drop policy if exists %I on public.%I', v_name, v_table);
    end loop;
    execute format('create policy owner_read on public.%I as restrictive for select to authenticated using (%s)', v_table,
                   app.entity_condition('read'));
    execute format('create policy owner_create on public.%I as restrictive for insert to authenticated with check (%s)', v_table,
                   app.entity_condition('update'));
    execute format('create policy owner_update on public.%1$I as restrictive for update to authenticated using (%2$s) with check (%2$s)', v_table,
                   app.entity_condition('update'));
    execute format('create policy owner_delete on public.%I as restrictive for delete to authenticated using (%s)', v_table,
                   app.entity_condition('update'));
    execute format('create policy bound_read on public.%I as permissive for select to authenticated
                      using ((select app.has_permission(''files:read_assigned'')) and entity_type is not null and entity_id is not null)', v_table);
    execute format('create policy bound_create on public.%I as permissive for insert to authenticated
                      with check ((select app.has_permission(''files:create_assigned'')) and entity_type is not null and entity_id is not null)', v_table);
  end loop;
end $$;

-- A file is replaced and removed by whoever may change everything that rows bind it to: whoever binds another's file to something of his own, too,
-- has it no more than before.
do $$
declare
  v_name  text;
  v_mine  constant text := format(
    'bucket_id not in (select c.id from app.company_buckets c) or (select app.reaches_all_entities(''update''))
     or app.bindings(bucket_id, name) = (select count(*) from public.attachments where attachments.company_id = (select app.company_id())
           and attachments.storage_bucket = objects.bucket_id and attachments.storage_path = objects.name and attachments.object_id = objects.id
           and attachments.deleted_at is null and %s)
       + (select count(*) from public.file_storage where file_storage.company_id = (select app.company_id())
           and file_storage.storage_bucket = objects.bucket_id and file_storage.storage_path = objects.name and file_storage.object_id = objects.id
           and file_storage.deleted_at is null
           and file_storage.entity_type is not null and file_storage.entity_id is not null and %s)',
    app.entity_condition('update'), app.entity_condition('update'));
begin
  foreach v_name in array array['company_files_rewritten', 'company_files_removed'] loop
    execute format('drop policy if exists %I on storage.objects', v_name);
  end loop;
  execute format('create policy company_files_rewritten on storage.objects as restrictive for update to authenticated using (%s)', v_mine);
  execute format('create policy company_files_removed on storage.objects as restrictive for delete to authenticated using (%s)', v_mine);
end $$;

-- What a guest is shown: files of jobs, estimates, invoices and contracts that he reads, unless they are internal. A row of file_storage does not
-- know that word: it is shown where it says that it is public.
select app.admit('public.attachments', 'files',
  '{company_id,id,entity_type,entity_id,file_name,original_file_name,file_size,mime_type,file_extension,storage_bucket,storage_path,object_id,is_image,is_document,
    is_video,thumbnail_url,preview_url,processing_status,category,description,deleted_at,created_at}',
  $$entity_type = 'job' and exists (select from public.jobs t where t.company_id = attachments.company_id and t.id = attachments.entity_id) or
    entity_type = 'estimate' and exists (select from public.estimates t where t.company_id = attachments.company_id and t.id = attachments.entity_id) or
    entity_type = 'invoice' and exists (select from public.invoices t where t.company_id = attachments.company_id and t.id = attachments.entity_id) or
    entity_type = 'contract' and exists (select from public.contracts t where t.company_id = attachments.company_id and t.id = attachments.entity_id)$$, 'deleted_at is null and not is_internal');
select app.admit('public.file_storage', 'files',
  '{company_id,id,entity_type,entity_id,filename,original_filename,file_size,mime_type,file_extension,storage_bucket,storage_path,object_id,thumbnail_url,preview_url,
    processing_status,category,deleted_at,created_at}',
  $$entity_type = 'job' and exists (select from public.jobs t where t.company_id = file_storage.company_id and t.id = file_storage.entity_id) or
    entity_type = 'estimate' and exists (select from public.estimates t where t.company_id = file_storage.company_id and t.id = file_storage.entity_id) or
    entity_type = 'invoice' and exists (select from public.invoices t where t.company_id = file_storage.company_id and t.id = file_storage.entity_id) or
    entity_type = 'contract' and exists (select from public.contracts t where t.company_id = file_storage.company_id and t.id = file_storage.entity_id)$$, 'deleted_at is null and is_public');
