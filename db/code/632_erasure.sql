-- Erasing a person: who may ask for it, and doing it place by place.
-- lint: allow id-without-company because an erasure may be of an account, which is of no company, and its id is unique everywhere
-- Invariants: nobody but the person, a member who holds privacy:erase of that company, and the operator erases anybody, and a customer who asks
-- for it in the portal is answered by such a member; nobody is erased who is held for the law, and money that is open is settled first; each place is done in one transaction, so that whatever dies, the next try goes on there; what the erasure itself
-- wrote into audit and events goes in the transaction that wrote it. Support and programs erase nobody, and whoever erases others signed in just now.

-- Whom a request is about: a customer of the company, whoever one speaks with there, or whoever asks. p_permission is what a member needs for
-- somebody else.
drop function if exists app.asked_person(uuid, text);
create or replace function app.asked_person(p_subject text, p_id uuid, p_permission text, out subject text, out company_id uuid, out id uuid)
  language plpgsql stable
  set search_path = ''
as $$
begin
  if app.customer_id() is not null or current_setting('role') = 'guest' then
    if app.customer_id() is null or not app.has_permission(p_permission || '_own') or p_id <> app.customer_id() or p_subject = 'contact' then
      raise exception using errcode = 'TH403', constraint = 'permission_denied', message = 'This is not yours to ask for.';
    end if;
    subject := 'customer';
    company_id := app.company_id();
    id := app.customer_id();
  elsif p_id is not null then
    perform app.demand(p_permission);
    subject := case p_subject when 'contact' then 'contact' else 'customer' end;
    company_id := app.company_id();
    id := p_id;
    if not exists (select from public.customers c where subject = 'customer' and c.company_id = app.company_id() and c.id = p_id)
       and not exists (select from public.customer_contacts c where subject = 'contact' and c.company_id = app.company_id() and c.id = p_id) then
      raise exception using errcode = 'TH404', constraint = 'person_not_found', message = 'There is no such person here.';
    end if;
  else
    if auth.uid() is null then
      raise exception using errcode = 'TH401', constraint = 'not_signed_in', message = 'Sign in first.';
    elsif auth.jwt() ? 'impersonated_by' then
      raise exception using errcode = 'TH403', constraint = 'permission_denied', message = 'Support asks for nobody''s own data.';
    end if;
    perform app.demand_person();
    subject := 'account';
    id := auth.uid();
  end if;
end $$;
revoke all on function app.asked_person(text, uuid, text) from public;
grant execute on function app.asked_person(text, uuid, text) to app_definer;

-- The companies whose rows may tell of an account.
create or replace function app.companies_of_person(p_subject text, p_company_id uuid, p_id uuid) returns uuid[]
  language sql stable
  set search_path = ''
as $$
  select case when p_subject <> 'account' then array[p_company_id] else coalesce(array_agg(c.company_id), '{}') end
    from (select m.company_id from public.team_members m where m.user_id = p_id
          union select r.company_id from app.removed_members r where r.user_id = p_id
          union select app.no_company() limit 10000) c
$$;
revoke all on function app.companies_of_person(text, uuid, uuid) from public;
grant execute on function app.companies_of_person(text, uuid, uuid) to app_definer;

-- What must be settled before somebody is erased.
create or replace function app.refuse_erasure(p_subject text, p_company_id uuid, p_id uuid) returns void
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_invoices bigint;
  v_hold     public.legal_holds;
begin
  if exists (select from app.erasures e where e.subject_id = p_id and e.company_id is not distinct from p_company_id
                                          and e.status in ('pending', 'running', 'completed')) then
    raise exception using errcode = 'TH409', constraint = 'person_erased', message = 'This person is erased already, or is just being.';
  end if;
  v_hold := app.hold_of_person(p_subject, p_company_id, p_id);
  if v_hold.id is not null then
    raise exception using errcode = 'TH409', constraint = 'person_held', message = 'The law has the data of this person stay for now.',
      detail = coalesce(v_hold.holds_until::text, ''), hint = 'Release the hold first, when what it is for is over.';
  end if;
  if p_subject = 'account' then
    if exists (select from public.team_members m join public.companies c on c.id = m.company_id
                where m.user_id = p_id and m.role = 'owner' and c.deleted_at is null) then
      raise exception using errcode = 'TH422', constraint = 'owner_protected', message = 'The owner of a company cannot be erased.',
        hint = 'Transfer the ownership, or delete the company first.';
    end if;
  elsif p_subject = 'customer' then
    select count(*) into v_invoices from public.invoices i
     where i.company_id = p_company_id and i.customer_id = p_id and i.deleted_at is null and i.balance_amount > 0 and app.is_issued(i.status);
    if v_invoices > 0 then
      raise exception using errcode = 'TH409', constraint = 'person_owes', message = 'Invoices of this customer are open.',
        detail = v_invoices::text, hint = 'Settle, credit or cancel them first: a claim may be pursued only against somebody with a name.';
    end if;
  end if;
end $$;
revoke all on function app.refuse_erasure(text, uuid, uuid) from public;
grant execute on function app.refuse_erasure(text, uuid, uuid) to app_definer;

-- Who erases himself or others proves himself anew: nobody erases with a device that somebody left open, no program and nobody of support.
create or replace function app.demand_fresh_session(p_minutes integer) returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  if not exists (select from auth.sessions s
                  where s.id = (auth.jwt() ->> 'session_id')::uuid and s.user_id = auth.uid() and s.revoked_at is null
                    and s.oauth_client_id is null and s.impersonated_by is null and s.created_at > now() - make_interval(mins => p_minutes)
                    and (s.aal <> 'aal1' or not exists (select from auth.mfa_factors f where f.user_id = s.user_id and f.status = 'verified'))) then
    raise exception using errcode = 'TH403', constraint = 'sign_in_again', message = 'This needs somebody who signed in just now.',
      detail = p_minutes::text, hint = 'Sign in again, with the second factor where there is one, and ask within these minutes.';
  end if;
end $$;
revoke all on function app.demand_fresh_session(integer) from public;
grant execute on function app.demand_fresh_session(integer) to app_definer;

-- Notes that somebody is to be erased, and puts the task in. Returns the erasure; where the customer asked for it himself that is the answer.
create or replace function app.open_erasure(p_subject text, p_company_id uuid, p_id uuid, p_asked_how text) returns uuid
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_companies constant uuid[] := app.companies_of_person(p_subject, p_company_id, p_id);
  v_erasure uuid;
begin
  -- A hold of the customer keeps whoever one speaks with there: whoever makes one takes the customer's lock.
  perform pg_advisory_xact_lock(hashtextextended('erase ' || c.customer_id, 0))
     from public.customer_contacts c where p_subject = 'contact' and c.company_id = p_company_id and c.id = p_id;
  perform pg_advisory_xact_lock(hashtextextended('erase ' || p_id, 0));
  perform app.refuse_erasure(p_subject, p_company_id, p_id);
  update app.erasures e set status = 'pending', decided_by = auth.uid(), decided_at = now(), companies = v_companies
   where e.subject_id = p_id and e.company_id = p_company_id and e.status = 'asked' returning e.id into v_erasure;
  if v_erasure is null then
    v_erasure := app.uuid_v7();
    insert into app.erasures (id, company_id, subject, subject_id, asked_by, asked_how, companies)
    values (v_erasure, p_company_id, p_subject, p_id, auth.uid(), p_asked_how, v_companies);
  end if;
  perform app.enqueue_task('erase_person', jsonb_build_object('erasure_id', v_erasure), coalesce(p_company_id, app.no_company()), p_id => v_erasure);
  return v_erasure;
end $$;
revoke all on function app.open_erasure(text, uuid, uuid, text) from public;
grant execute on function app.open_erasure(text, uuid, uuid, text) to app_definer;

drop function if exists app.ask_erasure(uuid, integer);
create or replace function app.ask_erasure(p_id uuid, p_subject text, p_minutes integer, out id uuid, out status text)
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_person record;
begin
  perform app.refuse_impersonation();
  v_person := app.asked_person(p_subject, p_id, 'privacy:erase');
  if v_person.subject = 'account' or auth.uid() is not null and app.customer_id() is null then
    perform app.demand_fresh_session(p_minutes);
  end if;
  if v_person.subject <> 'account' and v_person.company_id is distinct from app.company_id() then
    raise exception using errcode = '42501', message = 'A company erases its own customers.';
  end if;
  if app.customer_id() is not null then
    id := app.note_wish(v_person.company_id, v_person.id);
    status := 'asked';
  else
    id := app.open_erasure(v_person.subject, v_person.company_id, v_person.id, case v_person.subject when 'account' then 'self' else 'member' end);
    status := 'pending';
  end if;
end $$;
comment on function app.ask_erasure(uuid, text, integer) is
  'Has a customer of the company erased, somebody to speak with there, or whoever asks. What a customer asks for in the portal waits for the company.';
alter function app.ask_erasure(uuid, text, integer) owner to app_definer;
revoke all on function app.ask_erasure(uuid, text, integer) from public;
grant execute on function app.ask_erasure(uuid, text, integer) to authenticated, guest, service_role;

-- What a customer asks for waits for an answer: the company knows whether something obliges it to keep him. Whoever may answer is told.
create or replace function app.note_wish(p_company_id uuid, p_customer_id uuid) returns uuid
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_erasure constant uuid := app.uuid_v7();
begin
  perform pg_advisory_xact_lock(hashtextextended('erase ' || p_customer_id, 0));
  if exists (select from app.erasures e where e.company_id = p_company_id and e.subject_id = p_customer_id and e.status <> 'declined') then
    raise exception using errcode = 'TH409', constraint = 'erasure_asked', message = 'This was asked for already.',
      hint = 'The company answers within a month.';
  elsif (select count(*) from app.erasures e where e.company_id = p_company_id and e.subject_id = p_customer_id and e.created_at > now() - interval '1 day') >= 3 then
    raise exception using errcode = 'TH429', constraint = 'erasure_asked_often', message = 'This was asked for, and answered, three times within a day.',
      hint = 'Speak with the company.';
  end if;
  insert into app.erasures (id, company_id, subject, subject_id, asked_how, status) values (v_erasure, p_company_id, 'customer', p_customer_id, 'portal', 'asked');
  perform app.notify('system', p_company_id, p_permission => 'privacy:erase', p_entity_type => 'customer', p_entity_id => p_customer_id, p_priority => 'high',
                     p_params => jsonb_build_object('subject', 'A customer asks to be erased', 'body', 'Erase him or decline, within a month.'));
  return v_erasure;
end $$;
revoke all on function app.note_wish(uuid, uuid) from public;
grant execute on function app.note_wish(uuid, uuid) to app_definer;

-- A program acts for somebody, and decides nothing of this kind.
create or replace function app.demand_person() returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  if exists (select from auth.sessions s where s.id = (auth.jwt() ->> 'session_id')::uuid and s.oauth_client_id is not null) then
    raise exception using errcode = 'TH403', constraint = 'permission_denied', message = 'A program does not ask for this in somebody''s place.';
  end if;
end $$;
revoke all on function app.demand_person() from public;
grant execute on function app.demand_person() to app_definer;

create or replace function app.decline_erasure(p_id uuid, p_reason text) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_status text;
begin
  perform app.refuse_impersonation();
  perform app.demand_person();
  perform app.demand('privacy:erase');
  select e.status into v_status from app.erasures e where e.company_id = app.company_id() and e.id = p_id for update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'erasure_not_found', message = 'There is no such erasure in this company.';
  elsif v_status <> 'asked' then
    raise exception using errcode = 'TH409', constraint = 'erasure_decided', message = 'This was answered already, or goes on by itself.';
  elsif coalesce(length(btrim(p_reason)), 0) not between 1 and 2000 then
    raise exception using errcode = 'TH422', constraint = 'reason_missing', message = 'The customer is told why, in 1 to 2000 letters.';
  end if;
  update app.erasures e set status = 'declined', decline_reason = btrim(p_reason), decided_by = auth.uid(), decided_at = now()
   where e.company_id = app.company_id() and e.id = p_id;
end $$;
-- A trigger, since functions with more rights than the caller's write here.
create or replace trigger a_impersonation before insert or update or delete on app.erasures
  for each row when (app.impersonated_by() is not null) execute function app.guard_impersonation();

comment on function app.decline_erasure(uuid, text) is 'Tells a customer who asked to be erased that he is not, and why.';
alter function app.decline_erasure(uuid, text) owner to app_definer;
revoke all on function app.decline_erasure(uuid, text) from public;
grant execute on function app.decline_erasure(uuid, text) to authenticated, service_role;

-- For the operator: whoever has this address or id. An address may be an account's and of customers of several companies.
create or replace function app.people_named(p_name text) returns table (subject text, company_id uuid, id uuid)
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  if auth.role() is distinct from 'service_role' or app.company_id() is not null then
    raise exception using errcode = '42501', message = 'Only the operator looks for people everywhere.';
  end if;
  return query
    select 'account', null::uuid, u.id from auth.users u where u.id::text = lower(p_name) or u.email_key = lower(btrim(p_name)) and u.deleted_at is null
    union all
    select 'customer', c.company_id, c.id from public.customers c
     where c.id::text = lower(p_name) or lower(btrim(p_name)) in (lower(btrim(c.email)), lower(btrim(c.billing_email)))
    union all
    select 'contact', c.company_id, c.id from public.customer_contacts c where c.id::text = lower(p_name) or lower(btrim(c.email)) = lower(btrim(p_name))
    limit 1000;
end $$;
alter function app.people_named(text) owner to app_definer;
revoke all on function app.people_named(text) from public;
grant execute on function app.people_named(text) to service_role;

create or replace function app.erase_as_operator(p_subject text, p_company_id uuid, p_id uuid) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_open uuid;
begin
  if auth.role() is distinct from 'service_role' or app.company_id() is not null then
    raise exception using errcode = '42501', message = 'Only the operator erases people everywhere.';
  end if;
  -- One that began goes on by the same command.
  select e.id into v_open from app.erasures e
   where e.subject_id = p_id and e.company_id is not distinct from p_company_id and e.status in ('pending', 'running');
  if found then
    return v_open;
  end if;
  return app.open_erasure(p_subject, p_company_id, p_id, 'service');
end $$;
alter function app.erase_as_operator(text, uuid, uuid) owner to app_definer;
revoke all on function app.erase_as_operator(text, uuid, uuid) from public;
grant execute on function app.erase_as_operator(text, uuid, uuid) to service_role;

-- Takes the person out of one place; returns how many rows that were.
create or replace function app.erase_place(p_erasure app.erasures, p_place integer) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_place   record;
  v_columns text;
  v_call    text;
  v_count   bigint;
begin
  select * into strict v_place from app.personal_places() p where p.place = p_place;
  if v_place.deed = 'keep' then
    return 0;
  elsif v_place.deed = 'delete' then
    -- What is a held customer's as well stays with him.
    v_call := format('delete from %s t where (%s) and ($1, $2, $3, $4, $5, $6, $7) is not null %s', v_place.table_name, v_place.whose,
                     case when exists (select from pg_catalog.pg_trigger g where g.tgrelid = v_place.table_name::regclass and g.tgname = 'keep_held')
                               and v_place.table_name not in ('public.customers', 'auth.users')
                          then 'and not app.is_of_held(t.company_id, array[to_jsonb(t) ->> ''customer_id'', to_jsonb(t) ->> ''entity_id'', to_jsonb(t) ->> ''job_id'']::uuid[])'
                     end);
  else
    v_columns := app.erased_columns(v_place.table_name::regclass, v_place.deed, v_place.named);
    v_call := format('update %s t set %s where (%s) and ($1, $2, $3, $4, $5, $6, $7) is not null', v_place.table_name, v_columns, v_place.whose);
  end if;
  -- Files are gone for good: nobody brings them back from the trash, whenever they came there, nor what stood in them before.
  if v_place.table_name in ('public.attachments', 'public.file_storage') then
    execute format('update app.object_versions v set ended_at = ''-infinity'', ended_how = ''removed''
                     where v.ended_at is not null and v.company_id = any ($1)
                       and (v.bucket_id, v.name, v.object_id) in (select t.storage_bucket, t.storage_path, t.object_id from %s t where (%s) and ($1, $2, $3, $4, $5, $6) is not null)',
                   v_place.table_name, v_place.whose)
      using p_erasure.companies, p_erasure.subject_id, p_erasure.row_ids, p_erasure.words, p_erasure.addresses, p_erasure.names;
  end if;
  execute v_call using p_erasure.companies, p_erasure.subject_id, p_erasure.row_ids, p_erasure.words, p_erasure.addresses, p_erasure.names,
                       'Erased person ' || upper(right(p_erasure.subject_id::text, 8));
  get diagnostics v_count = row_count;
  if v_place.table_name in ('storage.objects', 'public.attachments', 'public.file_storage') then
    update app.object_versions v set ended_at = '-infinity', ended_how = 'removed'
     where v.company_id = any (p_erasure.companies) and v.ended_at is not null
       and v.object_id in (select g.object_id from app.object_versions g
                            where g.company_id = any (p_erasure.companies) and g.ended_at = now() and g.ended_how = 'removed');
  end if;
  if v_place.table_name = 'storage.objects' then
    update app.object_versions v set ended_at = '-infinity', ended_how = 'removed'
     where v.company_id = any (p_erasure.companies) and v.ended_at is not null
       and not exists (select from storage.objects o where o.id = v.object_id)
       and case when p_erasure.subject = 'account'
                then string_to_array(v.name, '/') @> array[p_erasure.subject_id::text]
                     and (v.owner = p_erasure.subject_id or v.owner_id = p_erasure.subject_id::text or v.bucket_id not in (select b.id from app.company_buckets b))
                else v.bucket_id in (select b.id from app.company_buckets b) and (string_to_array(v.name, '/'))[2:] && p_erasure.row_ids::text[] end;
  end if;
  return v_count;
end $$;
revoke all on function app.erase_place(app.erasures, integer) from public;
grant execute on function app.erase_place(app.erasures, integer) to app_definer;

-- Takes from an account what lets anybody in, and its seats.
create or replace function app.retire_account(p_id uuid) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  -- An address that he never proved may be anybody's.
  v_email constant text := (select u.email_key from auth.users u where u.id = p_id and u.email_proved_at is not null);
begin
  -- Where companies wrote him down to be told of things.
  update public.po_settings s set notification_emails = coalesce((select jsonb_agg(m) from jsonb_array_elements_text(s.notification_emails) m
                                                                    where lower(btrim(m)) is distinct from v_email), '[]')
   where v_email is not null and jsonb_typeof(s.notification_emails) = 'array'
     and exists (select from jsonb_array_elements_text(s.notification_emails) m where lower(btrim(m)) = v_email);
  update auth.users u
     set deleted_at = coalesce(u.deleted_at, now()), banned_until = 'infinity', email = null, phone = null, encrypted_password = null, email_change = null, phone_change = null,
         raw_user_meta_data = '{}', raw_app_meta_data = '{}', confirmation_token = null, recovery_token = null, email_change_token_new = null,
         email_change_token_current = '', phone_change_token = '', reauthentication_token = ''
   where u.id = p_id;
  update public.team_members m set archived_at = coalesce(m.archived_at, now()), status = 'suspended' where m.user_id = p_id and m.role <> 'owner';
end $$;
revoke all on function app.retire_account(uuid) from public;
grant execute on function app.retire_account(uuid) to app_definer;

-- Whether something goes on that tells of the person: work that runs, or a file of rows that is just read or written and was asked for before
-- everything of him was gone.
create or replace function app.erasure_waits(p_erasure app.erasures) returns boolean
  language sql stable
  set search_path = ''
as $$
  select exists (select from app.tasks t
                  where t.company_id = any (p_erasure.companies) and t.state = 'running' and t.kind <> 'erase_person'
                    and (t.kind in ('data_export', 'data_import', 'undo_import') and t.created_at <= coalesce(p_erasure.came_at, 'infinity')
                         or app.tells_of(concat_ws(' ', t.label, t.payload::text, t.mark::text), p_erasure.row_ids, p_erasure.words)))
$$;
revoke all on function app.erasure_waits(app.erasures) from public;
grant execute on function app.erasure_waits(app.erasures) to app_definer;

-- Does one place, and takes what that itself wrote.
create or replace function app.erase_next_place(p_erasure app.erasures, p_place integer, p_table text) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_count constant bigint := app.erase_place(p_erasure, p_place);
begin
  delete from app.events e where e.company_id = any (p_erasure.companies) and e.created_at = now() and p_table <> 'app.events';
  perform app.forget_own_trace(p_erasure.companies);
  update app.erasures e
     set place = greatest(e.place, p_place),
         counts = case when v_count = 0 then e.counts
                  else e.counts || jsonb_build_object(p_table, coalesce((e.counts ->> p_table)::bigint, 0) + v_count) end
   where e.id = p_erasure.id;
end $$;
revoke all on function app.erase_next_place(app.erasures, integer, text) from public;
grant execute on function app.erase_next_place(app.erasures, integer, text) to app_definer;

-- Does the next part of an erasure. p_rows: how many rows of the audit are looked at in one part. Returns goes_on when there is more to do at
-- once, waits when something has to end first, and done.
drop function if exists app.erase_part(uuid, integer);
create or replace function app.erase_part(p_id uuid, p_rows integer) returns text
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_erasure app.erasures;
  v_place   record;
begin
  if auth.role() is distinct from 'service_role' or p_rows not between 1 and 100000 then
    raise exception using errcode = '42501', message = 'Only the server itself erases.';
  end if;
  select * into v_erasure from app.erasures e where e.id = p_id for update;
  if not found or v_erasure.status not in ('pending', 'running') then
    return 'done';
  end if;
  perform set_config('app.untold', 'on', true);
  if v_erasure.status = 'pending' then
    -- Whoever holds somebody while he waits is listened to.
    if (app.hold_of_person(v_erasure.subject, v_erasure.company_id, v_erasure.subject_id)).id is not null then
      update app.erasures e set status = 'declined', decided_at = now(), decline_reason = 'The law has the data of this person stay for now.' where e.id = p_id;
      return 'done';
    end if;
    v_erasure := app.find_person_rows(v_erasure);
    update app.erasures e
       set status = 'running', addresses = v_erasure.addresses, words = v_erasure.words, names = v_erasure.names, row_ids = v_erasure.row_ids
     where e.id = p_id;
    if v_erasure.subject = 'account' then
      perform app.retire_account(v_erasure.subject_id);
      perform app.forget_own_trace(v_erasure.companies);
    end if;
    return 'goes_on';
  end if;
  select p.* into v_place from app.personal_places() p
   where p.place > v_erasure.place and (p.subject = 'both' or p.subject = v_erasure.subject and not v_erasure.is_again) order by p.place limit 1;
  if found then
    perform app.erase_next_place(v_erasure, v_place.place, v_place.table_name);
    return 'goes_on';
  end if;
  if app.redact_audit(v_erasure, p_rows) then
    return 'goes_on';
  end if;
  -- What ran while its place was done wrote of him in another since: when that has ended, records of work are gone through a second time.
  if v_erasure.came_at is null then
    update app.erasures e set came_at = clock_timestamp() where e.id = p_id returning * into v_erasure;
  end if;
  if app.erasure_waits(v_erasure) then
    return 'waits';
  end if;
  if not v_erasure.is_again then
    update app.erasures e set is_again = true, place = 0 where e.id = p_id;
    return 'goes_on';
  end if;
  -- What he was told when he asked before goes with him.
  update app.erasures e set decline_reason = '[erased]'
   where e.subject_id = v_erasure.subject_id and e.company_id = v_erasure.company_id and e.status = 'declined';
  update app.erasures e
     set status = 'completed', finished_at = now(), row_ids = null, addresses = null, words = null, names = null, after_id = null, companies = '{}',
         counts = e.counts || jsonb_build_object('public.audit_logs', (select count(*) from app.audit_redactions r where r.batch_id in (
                    select a.entity_id from public.audit_logs a where a.company_id = any (v_erasure.companies) and a.action = 'erase' and a.session_id = p_id)))
   where e.id = p_id;
  perform app.tell_of_erasure(v_erasure);
  return 'done';
end $$;
comment on function app.erase_part(uuid, integer) is 'Does the next part of an erasure; returns goes_on, waits or done.';
alter function app.erase_part(uuid, integer) owner to app_definer;
revoke all on function app.erase_part(uuid, integer) from public;
grant execute on function app.erase_part(uuid, integer) to service_role;

-- How far an erasure is, in percent: the places where the person may stand, the record of changes, and what is gone through again.
create or replace function app.erasure_percent(p_id uuid) returns integer
  language sql volatile security definer
  set search_path = ''
as $$
  select least(99, case when e.is_again then 70 + e.place * 29 / p.places else e.place * 50 / p.places + case when e.came_at is null then 0 else 15 end end)
    from app.erasures e cross join (select greatest(max(place), 1) from app.personal_places()) p (places)
   where e.id = p_id and auth.role() = 'service_role';
$$;
alter function app.erasure_percent(uuid) owner to app_definer;
revoke all on function app.erasure_percent(uuid) from public;
grant execute on function app.erasure_percent(uuid) to service_role;

-- Programs that keep copies of a customer hear that he is erased, and no more.
create or replace function app.tell_of_erasure(p_erasure app.erasures) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  insert into app.events (company_id, names, row_id, payload)
  select p_erasure.company_id, n.names, p_erasure.subject_id,
         jsonb_build_object('data', jsonb_build_object('id', p_erasure.subject_id, 'company_id', p_erasure.company_id, 'erased_at', now()))
    from app.event_interest i
   cross join (select case p_erasure.subject when 'customer' then array['customer.erased', 'customer.updated'] else array['customer_contact.erased', 'customer_contact.deleted'] end) n (names)
   where p_erasure.subject <> 'account' and i.company_id = p_erasure.company_id and i.wanted && (array['*', split_part(n.names[1], '.', 1) || '.*'] || n.names);
end $$;
revoke all on function app.tell_of_erasure(app.erasures) from public;
grant execute on function app.tell_of_erasure(app.erasures) to app_definer;
