-- Notes, files and timeline of one of many things, and labels: what no key can check is checked here.

-- What can be named by entity_type and entity_id: the table that it stands in, whose declaration says who may, and its column that names a job.
create or replace function app.entity_types() returns table (entity_type text, table_name text, job_column text)
  language sql immutable
  set search_path = ''
  rows 20
as $$
  values ('job', 'public.jobs', 'id'), ('customer', 'public.customers', null), ('property', 'public.properties', null),
         ('equipment', 'public.equipment', null), ('schedule', 'public.schedules', 'job_id'), ('request', 'public.requests', null),
         ('service_plan', 'public.service_plans', null), ('estimate', 'public.estimates', 'job_id'), ('invoice', 'public.invoices', 'job_id'),
         ('payment', 'public.payments', 'job_id'), ('contract', 'public.contracts', 'job_id'),
         ('communication', 'public.communications', 'job_id'), ('purchase_order', 'public.purchase_orders', null),
         ('vendor', 'public.vendors', null), ('inventory', 'public.inventory', null)
$$;
revoke all on function app.entity_types() from public;
grant execute on function app.entity_types() to authenticated, service_role, app_definer;

-- Whether a company has the thing, and of a job or what belongs to one which job that is.
create or replace function app.entity_job(p_company_id uuid, p_entity_type text, p_entity_id uuid, out is_there boolean, out job_id uuid)
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_type record;
begin
  select * into v_type from app.entity_types() t where t.entity_type = p_entity_type;
  if not found then
    raise exception using errcode = 'TH422', constraint = 'entity_type_unknown', message = format('There is nothing that is called "%s".', left(p_entity_type, 60)),
      hint = (select 'There are ' || string_agg(t.entity_type, ', ' order by t.entity_type) || '.' from app.entity_types() t);
  end if;
  execute format('select true, %s from %s where company_id = $1 and id = $2', coalesce(quote_ident(v_type.job_column), 'null::uuid'), v_type.table_name)
    into is_there, job_id using p_company_id, p_entity_id;
  is_there := coalesce(is_there, false);
end $$;
revoke all on function app.entity_job(uuid, text, uuid) from public;
grant execute on function app.entity_job(uuid, text, uuid) to app_definer;

-- Before insert or update of a row that names its thing by entity_type and entity_id, and has a job_id for those who work on the job.
create or replace function app.bind_to_entity() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_entity record;
begin
  if tg_op = 'UPDATE' and (new.entity_type, new.entity_id) is not distinct from (old.entity_type, old.entity_id) then
    new.job_id := case when new.job_id is null then null else old.job_id end;
    return new;
  end if;
  if new.entity_type is null or new.entity_id is null then
    return new;
  end if;
  select * into v_entity from app.entity_job(new.company_id, new.entity_type, new.entity_id);
  if not v_entity.is_there then
    raise exception using errcode = 'TH422', constraint = 'entity_not_found',
      message = format('There is no %s with this id.', replace(new.entity_type, '_', ' ')),
      detail = new.entity_id::text;
  end if;
  new.job_id := v_entity.job_id;
  return new;
end $$;
alter function app.bind_to_entity() owner to app_definer;
revoke all on function app.bind_to_entity() from public;
create or replace trigger bind before insert or update on public.notes
  for each row when (app.is_within_reach(new.company_id)) execute function app.bind_to_entity();
create or replace trigger bind before insert or update on public.attachments
  for each row when (app.is_within_reach(new.company_id)) execute function app.bind_to_entity();
-- A file may be nobody's but the company's; its job is then what it says.
create or replace trigger bind before insert or update on public.file_storage
  for each row when (new.entity_type is not null and new.entity_id is not null and app.is_within_reach(new.company_id)) execute function app.bind_to_entity();

create or replace function app.guard_note() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if current_user = 'authenticated' then
    new.created_by := case when tg_op = 'INSERT' then auth.uid() else old.created_by end;
  end if;
  if tg_op = 'INSERT' and new.author_name is null then
    new.author_name := (select m.name from public.team_members m where m.company_id = new.company_id and m.user_id = new.created_by);
  end if;
  return new;
end $$;
revoke all on function app.guard_note() from public;
create or replace trigger guard before insert or update on public.notes
  for each row execute function app.guard_note();

-- Labels -------------------------------------------------------------------------------------------

create or replace function app.guard_tag() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if tg_op <> 'INSERT' and old.is_system and current_user = 'authenticated' then
    raise exception using errcode = 'TH403', constraint = 'system_tag_protected', message = 'A system label can neither be changed nor deleted.';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  if current_user = 'authenticated' then
    new.is_system := tg_op = 'UPDATE' and old.is_system;
    new.usage_count := case when tg_op = 'UPDATE' then old.usage_count else 0 end;
  end if;
  if coalesce(btrim(new.slug), '') = '' then
    new.slug := app.slug_of(new.name);
  end if;
  return new;
end $$;
revoke all on function app.guard_tag() from public;
grant execute on function app.slug_of(text) to authenticated, service_role;
create or replace trigger guard before insert or update or delete on public.tags
  for each row execute function app.guard_tag();

create or replace function app.count_tag() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if tg_op <> 'INSERT' then
    update public.tags t set usage_count = greatest(t.usage_count - 1, 0) where t.company_id = old.company_id and t.id = old.tag_id;
  end if;
  if tg_op <> 'DELETE' then
    update public.tags t set usage_count = t.usage_count + 1, last_used_at = now() where t.company_id = new.company_id and t.id = new.tag_id;
  end if;
  return null;
end $$;
alter function app.count_tag() owner to app_definer;
revoke all on function app.count_tag() from public;
create or replace trigger count_tag after insert or delete or update of tag_id on public.customer_tags for each row execute function app.count_tag();
create or replace trigger count_tag after insert or delete or update of tag_id on public.job_tags for each row execute function app.count_tag();
create or replace trigger count_tag after insert or delete or update of tag_id on public.equipment_tags for each row execute function app.count_tag();

-- Requests -----------------------------------------------------------------------------------------

select app.declare_statuses('public.requests', '{
  "new":       {"first": true, "next": ["contacted", "qualified", "converted", "declined", "spam"]},
  "contacted": {"first": true, "next": ["qualified", "converted", "declined", "spam"]},
  "qualified": {"first": true, "next": ["converted", "declined"]},
  "converted": {"needs": ["converted_to_job_id"]},
  "declined":  {"next": ["new", "contacted"]},
  "spam":      {"next": ["new"]}
}');
create or replace trigger check_status before insert or update on public.requests
  for each row execute function app.guard_status('request');
