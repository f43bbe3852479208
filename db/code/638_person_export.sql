-- What is known of a person, for himself: rows as they are, without secrets, place by place.
-- Invariant: whoever asks for it is asked about at every place, so that no id of another company, and nobody without the right, gets a row.

-- Whose data it is: opened once, so that whoever is refused is refused before anything is sent.
drop function if exists app.open_person_export(uuid, text, uuid);
create or replace function app.open_person_export(p_id uuid, p_subject text default null, p_company_id uuid default null)
  returns table (subject text, company_id uuid, id uuid, row_ids uuid[], addresses text[], words text[], names text[], companies uuid[], profile jsonb)
  language plpgsql stable security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_person  record;
  v_found   app.erasures;
begin
  if auth.role() = 'service_role' and app.company_id() is null then
    if p_subject is null or p_id is null then
      raise exception using errcode = 'TH401', constraint = 'not_signed_in', message = 'Sign in first.';
    end if;
    if (p_subject <> 'account') is distinct from (p_company_id is not null)
       or not exists (select from auth.users u where p_subject = 'account' and u.id = p_id
                      union all select from public.customers c where p_subject = 'customer' and c.company_id = p_company_id and c.id = p_id
                      union all select from public.customer_contacts c where p_subject = 'contact' and c.company_id = p_company_id and c.id = p_id) then
      raise exception using errcode = 'TH404', constraint = 'person_not_found', message = 'There is no such person here.',
        hint = 'Customers are a company''s: name it with X-Company-Id.';
    end if;
    select p_subject as subject, p_company_id as company_id, p_id as id into v_person;
  elsif p_company_id is not null then
    raise exception using errcode = '42501', message = 'Only the operator asks for people everywhere.';
  else
    v_person := app.asked_person(p_subject, p_id, 'privacy:export');
  end if;
  v_found.subject := v_person.subject;
  v_found.company_id := v_person.company_id;
  v_found.subject_id := v_person.id;
  v_found.companies := app.companies_of_person(v_person.subject, v_person.company_id, v_person.id);
  v_found := app.find_person_rows(v_found);
  return query
    select v_found.subject, v_found.company_id, v_found.subject_id, v_found.row_ids, v_found.addresses, v_found.words, v_found.names, v_found.companies,
           coalesce((select to_jsonb(c) - app.shown_of('public.customers') from public.customers c
                      where v_found.subject = 'customer' and c.company_id = v_found.company_id and c.id = v_found.subject_id),
                    (select to_jsonb(c) - app.shown_of('public.customer_contacts') from public.customer_contacts c
                      where v_found.subject = 'contact' and c.company_id = v_found.company_id and c.id = v_found.subject_id),
                    (select to_jsonb(u) - app.shown_of('public.users') from public.users u where v_found.subject = 'account' and u.id = v_found.subject_id));
end $$;
alter function app.open_person_export(uuid, text, uuid) owner to app_definer;
revoke all on function app.open_person_export(uuid, text, uuid) from public;
grant execute on function app.open_person_export(uuid, text, uuid) to authenticated, guest, service_role;

-- The same for one of the parts that follow: of so many rows, and of nobody of another company.
create or replace function app.opened_person(p_id uuid, p_subject text, p_company_id uuid, p_rows integer)
  returns table (subject text, company_id uuid, id uuid, row_ids uuid[], addresses text[], words text[], names text[], companies uuid[])
  language plpgsql stable
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_person record;
begin
  if p_rows not between 1 and 1000000 then
    raise exception using errcode = '22023', message = 'a part has 1 to 1000000 rows';
  end if;
  select * into strict v_person from app.open_person_export(p_id, p_subject, p_company_id);
  if v_person.subject <> 'account' and auth.role() is distinct from 'service_role' and v_person.company_id is distinct from app.company_id() then
    raise exception using errcode = '42501', message = 'A company tells of its own customers.';
  end if;
  return query select v_person.subject, v_person.company_id, v_person.id, v_person.row_ids, v_person.addresses, v_person.words, v_person.names, v_person.companies;
end $$;
revoke all on function app.opened_person(uuid, text, uuid, integer) from public;
grant execute on function app.opened_person(uuid, text, uuid, integer) to app_definer;

-- The rows of the next place that has any; is_cut says that it has more.
create or replace function app.person_rows(p_id uuid, p_subject text, p_company_id uuid, p_after integer, p_rows integer)
  returns table (place integer, table_name text, rows jsonb, is_cut boolean)
  language plpgsql stable security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_person record;
  v_place  record;
  v_rows   jsonb;
begin
  select * into strict v_person from app.opened_person(p_id, p_subject, p_company_id, p_rows);
  for v_place in
    select p.* from app.personal_places() p where p.place > p_after and p.is_his and p.subject = v_person.subject order by p.place
  loop
    execute format('select jsonb_agg(x.found) from (select to_jsonb(t) - $8 as found from %s t where (%s) and ($1, $2, $3, $4, $5, $6) is not null limit $7) x',
                   v_place.table_name, v_place.whose)
      into v_rows using v_person.companies, v_person.id, v_person.row_ids, v_person.words, v_person.addresses, v_person.names, p_rows + 1, app.shown_of(v_place.table_name::regclass);
    continue when v_rows is null;
    return query select v_place.place, v_place.table_name, case when jsonb_array_length(v_rows) > p_rows then v_rows - p_rows else v_rows end,
                        jsonb_array_length(v_rows) > p_rows;
    return;
  end loop;
end $$;
comment on function app.person_rows(uuid, text, uuid, integer, integer) is
  'Rows of the next place after p_after that has any of a person: of a customer, or of whoever asks. No row is the end.';
alter function app.person_rows(uuid, text, uuid, integer, integer) owner to app_definer;
revoke all on function app.person_rows(uuid, text, uuid, integer, integer) from public;
grant execute on function app.person_rows(uuid, text, uuid, integer, integer) to authenticated, guest, service_role;

-- What an account did, and the jobs that it made: its own trace, without what the rows say of others.
create or replace function app.person_trace(p_id uuid, p_subject text, p_company_id uuid, p_rows integer)
  returns table (projects jsonb, audit_logs jsonb)
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_person record;
begin
  select * into strict v_person from app.opened_person(p_id, p_subject, p_company_id, p_rows);
  return query select
    coalesce((select jsonb_agg(to_jsonb(x)) from (
       select j.company_id, j.id, j.job_number, j.status, j.created_at from public.jobs j
        where v_person.subject = 'account' and j.company_id = any (v_person.companies) and j.created_by = v_person.id
           or v_person.subject = 'customer' and j.company_id = v_person.company_id and j.customer_id = v_person.id
        order by j.created_at desc limit p_rows) x), '[]'),
    coalesce((select jsonb_agg(to_jsonb(x)) from (
       select a.company_id, a.id, a.action, a.table_name, a.entity_type, a.entity_id, a.ip_address, a.user_agent, a.created_at
         from public.audit_logs a
        where v_person.subject = 'account' and a.company_id = any (v_person.companies) and a.user_id = v_person.id
        order by a.created_at desc limit p_rows) x), '[]');
end $$;
alter function app.person_trace(uuid, text, uuid, integer) owner to app_definer;
revoke all on function app.person_trace(uuid, text, uuid, integer) from public;
grant execute on function app.person_trace(uuid, text, uuid, integer) to authenticated, guest, service_role;

-- The person's files: what is attached to his rows, as it is now.
create or replace function app.person_files(p_id uuid, p_subject text, p_company_id uuid, p_rows integer)
  returns table (company_id uuid, id uuid, name text, bytes bigint, mime_type text)
  language plpgsql stable security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_person record;
begin
  select * into strict v_person from app.opened_person(p_id, p_subject, p_company_id, p_rows);
  return query
    select v.company_id, o.id, coalesce(n.file_name, o.name), v.bytes, v.content_type
      from storage.objects o
      join app.object_versions v on v.object_id = o.id and v.id = o.version and v.ended_at is null
      left join lateral (
        select a.original_file_name as file_name from public.attachments a
         where a.company_id = any (v_person.companies) and a.storage_bucket = o.bucket_id and a.storage_path = o.name and a.object_id = o.id and a.id = any (v_person.row_ids)
        union all
        select f.original_filename from public.file_storage f
         where f.company_id = any (v_person.companies) and f.storage_bucket = o.bucket_id and f.storage_path = o.name and f.object_id = o.id and f.id = any (v_person.row_ids)
        limit 1) n on true
     where v.company_id = any (v_person.companies)
       and (n.file_name is not null
            or v_person.subject <> 'account' and o.path_tokens[2:] && v_person.row_ids::text[]
            or v_person.subject = 'account' and o.path_tokens @> array[v_person.id::text]
               and (o.owner = v_person.id or o.owner_id = v_person.id::text or o.bucket_id not in (select b.id from app.company_buckets b)))
     order by o.id limit p_rows;
end $$;
alter function app.person_files(uuid, text, uuid, integer) owner to app_definer;
revoke all on function app.person_files(uuid, text, uuid, integer) from public;
grant execute on function app.person_files(uuid, text, uuid, integer) to authenticated, guest, service_role;

-- Which bytes a link to a person's file leads to; none any more when the file is gone.
create or replace function app.person_file(p_company_id uuid, p_id uuid) returns table (blob_key text, name text)
  language sql stable security definer
  set search_path = ''
as $$
  select v.blob_key, o.name from storage.objects o join app.object_versions v on v.object_id = o.id and v.id = o.version and v.ended_at is null
   where auth.role() = 'service_role' and v.company_id = p_company_id and o.id = p_id
$$;
alter function app.person_file(uuid, uuid) owner to app_definer;
revoke all on function app.person_file(uuid, uuid) from public;
grant execute on function app.person_file(uuid, uuid) to service_role;

-- The erasures of a company, the newest first, or one of them; to a customer his own. What went is said in numbers.
create or replace function app.shown_erasures(p_id uuid, p_rows integer) returns setof jsonb
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  if app.customer_id() is null or not app.has_permission('privacy:erase_own') then
    perform app.demand('privacy:erase');
  end if;
  return query
    select jsonb_build_object('id', e.id, 'subject', e.subject, 'subject_id', e.subject_id, 'asked_by', e.asked_by, 'asked_how', e.asked_how, 'status', e.status,
                              'counts', e.counts, 'created_at', e.created_at, 'finished_at', e.finished_at, 'decline_reason', e.decline_reason,
                              'answer_by', case e.status when 'asked' then e.created_at + interval '1 month' end)
      from app.erasures e
     where e.company_id = app.company_id() and (p_id is null or e.id = p_id) and (app.customer_id() is null or e.subject_id = app.customer_id()) order by e.created_at desc, e.id limit least(p_rows, 1000);
end $$;
alter function app.shown_erasures(uuid, integer) owner to app_definer;
revoke all on function app.shown_erasures(uuid, integer) from public;
grant execute on function app.shown_erasures(uuid, integer) to authenticated, guest, service_role;
