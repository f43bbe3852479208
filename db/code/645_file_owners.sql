-- Rows that bind a file to something else: whoever reads that reads them, and whoever changes it writes them. What files are allowed to somebody
-- at all, db/permissions.toml says; what a row is bound to narrows it, and gives whoever works on what is assigned to him the files of that.
-- Invariant: no row tells more of a file than that a thing has it whose reader one is.

-- Whether the caller may do this with what a row names, as a condition: whole nouns are asked once a statement, and rows only for those who hold
-- no more than some of them.
create or replace function app.entity_condition(p_table text, p_verb text) returns text
  language sql stable
  set search_path = ''
as $$
  select '(entity_type is null or entity_id is null or case entity_type ' || string_agg(
           format('when %L then (select app.has_permission(%L))', e.entity_type, p.noun || ':' || p_verb)
           || case when p.assigned_column is null and p.own_column is null and p.crew_column is null and p.parent_table is null then '' else
                format(' or ((select app.has_permission(%1$L)) or (select app.has_permission(%2$L)))
                         and exists (select from %3$s where %3$s.company_id = %4$I.company_id and %3$s.id = %4$I.entity_id and (%5$s))',
                       p.noun || ':' || p_verb || '_assigned', p.noun || ':' || p_verb || '_own', e.table_name, p_table,
                       app.scope_condition(e.table_name, p.noun, p_verb, p.assigned_column, p.own_column, p.crew_column, p.parent_table,
                                           p.parent_column)) end, ' ' order by e.entity_type)
         -- A row that was written before types were known has none that anybody could ask about.
         || ' else true end)'
    from app.entity_types() e join app.protected_tables p on p.table_name = e.table_name
$$;
revoke all on function app.entity_condition(text, text) from public;

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
                   app.entity_condition(v_table, 'read'));
    execute format('create policy owner_create on public.%I as restrictive for insert to authenticated with check (%s)', v_table,
                   app.entity_condition(v_table, 'update'));
    execute format('create policy owner_update on public.%1$I as restrictive for update to authenticated using (%2$s) with check (%2$s)', v_table,
                   app.entity_condition(v_table, 'update'));
    execute format('create policy owner_delete on public.%I as restrictive for delete to authenticated using (%s)', v_table,
                   app.entity_condition(v_table, 'update'));
    execute format('create policy bound_read on public.%I as permissive for select to authenticated
                      using ((select app.has_permission(''files:read_assigned'')) and entity_type is not null and entity_id is not null)', v_table);
    execute format('create policy bound_create on public.%I as permissive for insert to authenticated
                      with check ((select app.has_permission(''files:create_assigned'')) and entity_type is not null and entity_id is not null)', v_table);
  end loop;
end $$;

-- What a guest is shown: files of jobs, estimates, invoices and contracts that he reads, unless they are internal. A row of file_storage does not
-- know that word: it is shown where it says that it is public.
select app.admit('public.attachments', 'files',
  '{company_id,id,entity_type,entity_id,file_name,original_file_name,file_size,mime_type,file_extension,storage_bucket,storage_path,is_image,is_document,
    is_video,thumbnail_url,preview_url,processing_status,category,description,deleted_at,created_at}',
  $$entity_type = 'job' and exists (select from public.jobs t where t.company_id = attachments.company_id and t.id = attachments.entity_id) or
    entity_type = 'estimate' and exists (select from public.estimates t where t.company_id = attachments.company_id and t.id = attachments.entity_id) or
    entity_type = 'invoice' and exists (select from public.invoices t where t.company_id = attachments.company_id and t.id = attachments.entity_id) or
    entity_type = 'contract' and exists (select from public.contracts t where t.company_id = attachments.company_id and t.id = attachments.entity_id)$$, 'deleted_at is null and not is_internal');
select app.admit('public.file_storage', 'files',
  '{company_id,id,entity_type,entity_id,filename,original_filename,file_size,mime_type,file_extension,storage_bucket,storage_path,thumbnail_url,preview_url,
    processing_status,category,deleted_at,created_at}',
  $$entity_type = 'job' and exists (select from public.jobs t where t.company_id = file_storage.company_id and t.id = file_storage.entity_id) or
    entity_type = 'estimate' and exists (select from public.estimates t where t.company_id = file_storage.company_id and t.id = file_storage.entity_id) or
    entity_type = 'invoice' and exists (select from public.invoices t where t.company_id = file_storage.company_id and t.id = file_storage.entity_id) or
    entity_type = 'contract' and exists (select from public.contracts t where t.company_id = file_storage.company_id and t.id = file_storage.entity_id)$$, 'deleted_at is null and is_public');
