-- Legal holds: whose data has to stay for now.
-- Invariant: while a hold is in force nobody erases whom it names, and no deletion takes his rows for good; a hold is let go of and never taken away
-- nor made shorter, and names whom it named, so that one sees later what held and why.

select app.protect('public.legal_holds', 'legal_holds', p_verbs => '{read,create,update}');
revoke delete on public.legal_holds from service_role;

create or replace function app.guard_legal_hold() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if current_user not in ('authenticated', 'service_role') then
    return new;
  end if;
  if tg_op = 'INSERT' then
    new.created_by := auth.uid();
    new.created_at := now();
    new.released_at := null;
    new.released_by := null;
  elsif old.released_at is not null then
    raise exception using errcode = 'TH409', constraint = 'hold_immutable', message = 'A hold that was released is over.', hint = 'Make another hold.';
  elsif (new.company_id, new.customer_id, new.user_id) is distinct from (old.company_id, old.customer_id, old.user_id)
        or coalesce(new.holds_until, 'infinity') < coalesce(old.holds_until, 'infinity') then
    raise exception using errcode = 'TH409', constraint = 'hold_immutable', message = 'A hold names whom it named, and is not made shorter.',
      hint = 'Write released_at to let go of it, and make another hold.';
  else
    new.created_by := old.created_by;
    new.created_at := old.created_at;
    new.released_at := case when new.released_at is not null then now() end;
    new.released_by := case when new.released_at is not null then auth.uid() end;
  end if;
  if new.holds_until < current_date and new.released_at is null then
    raise exception using errcode = 'TH422', constraint = 'hold_over', message = 'The last day of a hold is today or later.',
      hint = 'Write released_at to let go of it.';
  end if;
  return new;
end $$;
revoke all on function app.guard_legal_hold() from public;
create or replace trigger guard before insert or update on public.legal_holds for each row
  when (app.is_within_reach(new.company_id)) execute function app.guard_legal_hold();

-- Nobody is held who is just being erased: by the same lock either the one or the other comes first. A member who left is held on.
create or replace function app.guard_held_person() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  -- In the order of their ids, so that two never wait for each other.
  perform pg_advisory_xact_lock(hashtextextended('erase ' || x.id, 0))
     from (select h.id from (values (new.customer_id), (new.user_id)) h (id) where h.id is not null order by h.id) x;
  -- First of all, so that nobody is told of other companies' accounts. Whoever left since is held on.
  if tg_op = 'INSERT' and new.user_id is not null and not exists (select from public.team_members m where m.company_id = new.company_id and m.user_id = new.user_id) then
    raise exception using errcode = 'TH404', constraint = 'member_not_found', message = 'There is no such member.';
  end if;
  if exists (select from app.erasures e
              where e.status in ('pending', 'running')
                and (e.subject = 'account' and e.subject_id = new.user_id
                     or e.subject = 'customer' and e.company_id = new.company_id and e.subject_id = new.customer_id
                     or e.subject = 'contact' and e.company_id = new.company_id
                        and e.subject_id in (select c.id from public.customer_contacts c where c.company_id = new.company_id and c.customer_id = new.customer_id))) then
    raise exception using errcode = 'TH409', constraint = 'person_erased', message = 'This person is erased already, or is just being.';
  end if;
  return new;
end $$;
alter function app.guard_held_person() owner to app_definer;
revoke all on function app.guard_held_person() from public;
create or replace trigger guard_person before insert on public.legal_holds
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_held_person();
-- One that had run out and is made longer holds anew, as if it were written just now.
create or replace trigger guard_person_longer before update of holds_until on public.legal_holds
  for each row when (new.holds_until is distinct from old.holds_until and app.is_within_reach(new.company_id)) execute function app.guard_held_person();
create or replace trigger a_impersonation before insert or update or delete on public.legal_holds
  for each row when (app.impersonated_by() is not null) execute function app.guard_impersonation();
-- Who is kept, and who is forgotten, people decide.
create or replace trigger a_program before insert or update on public.legal_holds
  for each row when (app.is_program()) execute function app.refuse_program();
create or replace trigger a_program before insert or update on app.erasures
  for each row when (app.is_program()) execute function app.refuse_program();

-- The hold that keeps somebody, if there is one: that of the customer keeps whoever one speaks with there.
create or replace function app.hold_of_person(p_subject text, p_company_id uuid, p_id uuid) returns public.legal_holds
  language sql stable
  set search_path = ''
as $$
  select h.* from public.legal_holds h
   where h.released_at is null and (h.holds_until is null or h.holds_until >= current_date)
     and (p_subject = 'account' and h.user_id = p_id
          or p_subject = 'customer' and h.company_id = p_company_id and h.customer_id = p_id
          or p_subject = 'contact' and h.company_id = p_company_id
             and h.customer_id = (select c.customer_id from public.customer_contacts c where c.company_id = p_company_id and c.id = p_id))
   order by h.holds_until desc nulls first limit 1
$$;
revoke all on function app.hold_of_person(text, uuid, uuid) from public;
grant execute on function app.hold_of_person(text, uuid, uuid) to app_definer, app_owner;

-- Whether one of these ids is a customer's who is held, or of something that is such a customer's.
create or replace function app.is_of_held(p_company_id uuid, p_ids uuid[]) returns boolean
  language sql stable
  set search_path = ''
as $$
  select exists (select from (select n.id from unnest(p_ids) n (id)
                              union select t.customer_id from public.jobs t where t.company_id = p_company_id and t.id = any (p_ids)
                              union select t.customer_id from public.jobs_archive t where t.company_id = p_company_id and t.id = any (p_ids)
                              union select t.customer_id from public.properties t where t.company_id = p_company_id and t.id = any (p_ids)
                              union select t.customer_id from public.equipment t where t.company_id = p_company_id and t.id = any (p_ids)
                              union select t.customer_id from public.estimates t where t.company_id = p_company_id and t.id = any (p_ids)
                              union select t.customer_id from public.invoices t where t.company_id = p_company_id and t.id = any (p_ids)
                              union select t.customer_id from public.payments t where t.company_id = p_company_id and t.id = any (p_ids)
                              union select t.customer_id from public.contracts t where t.company_id = p_company_id and t.id = any (p_ids)
                              union select t.customer_id from public.service_plans t where t.company_id = p_company_id and t.id = any (p_ids)
                              union select t.customer_id from public.requests t where t.company_id = p_company_id and t.id = any (p_ids)
                              union select t.customer_id from public.schedules t where t.company_id = p_company_id and t.id = any (p_ids)
                              union select t.customer_id from public.communications t where t.company_id = p_company_id and t.id = any (p_ids)) w (id)
                  where w.id is not null and (app.hold_of_person('customer', p_company_id, w.id)).id is not null)
$$;
revoke all on function app.is_of_held(uuid, uuid[]) from public;
grant execute on function app.is_of_held(uuid, uuid[]) to app_definer, app_owner;

-- Whether a file is one that a row of something has which is a held customer's, marked as deleted or not, or lies in a folder of such a thing.
create or replace function app.is_file_held(p_company_id uuid, p_bucket_id text, p_name text, p_object_id uuid) returns boolean
  language sql stable cost 1000
  set search_path = ''
as $$
  select exists (select from public.attachments a
                  where a.company_id = p_company_id and a.storage_bucket = p_bucket_id and a.storage_path = p_name and a.object_id = p_object_id
                    and app.is_of_held(p_company_id, array[a.entity_id, a.job_id]))
      or exists (select from public.file_storage f
                  where f.company_id = p_company_id and f.storage_bucket = p_bucket_id and f.storage_path = p_name and f.object_id = p_object_id
                    and app.is_of_held(p_company_id, array[f.entity_id, f.job_id]))
      or app.is_of_held(p_company_id, array(select t.folder::uuid from unnest((string_to_array(p_name, '/'))[2:]) t (folder)
                                             where t.folder ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'))
$$;
revoke all on function app.is_file_held(uuid, text, text, uuid) from public;
grant execute on function app.is_file_held(uuid, text, text, uuid) to app_definer;

-- A row whose time is over stays as long as a hold of its customer is in force. With its company it goes all the same.
create or replace function app.keep_held() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_row  constant jsonb := to_jsonb(old);
  v_held boolean;
begin
  -- His own, those that name him, and those of his jobs.
  v_held := app.is_of_held(old.company_id, array[v_row ->> case tg_table_name when 'customers' then 'id' else 'customer_id' end,
                                                 v_row ->> 'entity_id', v_row ->> 'job_id']::uuid[]);
  if v_held and exists (select from public.companies c where c.id = old.company_id) then
    raise exception using errcode = 'TH409', constraint = 'person_held', message = 'The law has the data of this person stay for now.',
      hint = 'Release the hold first, when what it is for is over.';
  end if;
  return old;
end $$;
alter function app.keep_held() owner to app_definer;
revoke all on function app.keep_held() from public;
do $$
declare
  v_table text;
begin
  -- Whatever is deleted first and goes for good later. Jobs that are over go to the archive undeleted.
  for v_table in
    select t.table_name from app.protected_tables t
     where t.soft_delete
       and (t.table_name = 'public.customers'
            or exists (select from pg_catalog.pg_attribute a where a.attrelid = t.table_name::regclass and not a.attisdropped
                                                               and a.attname in ('customer_id', 'job_id', 'entity_id')))
     order by t.table_name
  loop
    execute format('create or replace trigger keep_held before delete on %s for each row when (%s app.is_within_reach(old.company_id)) execute function app.keep_held()',
                   v_table::regclass, case when v_table = 'public.customers' then '' else 'old.deleted_at is not null and' end);
  end loop;
end $$;

-- An account stays as long as a hold of it is in force, also what it says of its person; one that is over goes on naming whom it named. Whoever
-- is only locked out, and keeps all that is written of him, is none of its business.
create or replace function app.keep_held_account() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  -- A hold that is just being written is seen, or finds nobody any more.
  perform pg_advisory_xact_lock(hashtextextended('erase ' || old.id, 0));
  if (app.hold_of_person('account', null, old.id)).id is not null then
    raise exception using errcode = 'TH409', constraint = 'person_held', message = 'The law has the data of this person stay for now.',
      hint = 'Release the hold first, when what it is for is over.';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $$;
alter function app.keep_held_account() owner to app_definer;
revoke all on function app.keep_held_account() from public;
create or replace trigger keep_held before delete on auth.users for each row execute function app.keep_held_account();
create or replace trigger keep_held_data before update of deleted_at on auth.users for each row
  when (old.deleted_at is null and new.deleted_at is not null
        and (new.email, new.phone, new.raw_user_meta_data, new.raw_app_meta_data)
            is distinct from (old.email, old.phone, old.raw_user_meta_data, old.raw_app_meta_data))
  execute function app.keep_held_account();
