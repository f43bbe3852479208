-- What becomes of invoices and trials as time goes by. Invariants: an invoice is reminded of at most once in 24 hours, whoever writes; each
-- function does a batch of rows and says how many, and what a rule of one row refuses keeps no other back.

create or replace function app.guard_reminder() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if old.last_reminder_at is not null and (new.last_reminder_at is null or new.last_reminder_at < old.last_reminder_at + interval '24 hours') then
    raise exception using errcode = 'TH409', constraint = 'invoice_reminded', message = 'An invoice is reminded of once in 24 hours.',
      detail = jsonb_build_object('last_reminder_at', old.last_reminder_at)::text;
  end if;
  return new;
end $$;
revoke all on function app.guard_reminder() from public;
create or replace trigger guard_reminder before update of last_reminder_at on public.invoices
  for each row when (old.last_reminder_at is distinct from new.last_reminder_at and app.is_within_reach(new.company_id))
  execute function app.guard_reminder();

create or replace function app.mark_overdue_invoices(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row   record;
  v_state text;
  v_count bigint := 0;
begin
  for v_row in
    select i.company_id, i.id from public.invoices i
     where i.status in ('sent', 'viewed', 'partial') and i.due_date < now() and i.balance_amount > 0 and i.deleted_at is null and i.archived_at is null
     order by i.due_date limit p_limit for update skip locked
  loop
    begin
      update public.invoices i set status = 'overdue' where i.company_id = v_row.company_id and i.id = v_row.id;
      v_count := v_count + 1;
    exception when others then
      get stacked diagnostics v_state = returned_sqlstate;
      if app.is_fault_of_server(v_state) then
        raise;
      end if;
      raise warning 'invoice % of company % cannot become overdue: %', v_row.id, v_row.company_id, v_state;
    end;
  end loop;
  return v_count;
end $$;
comment on function app.mark_overdue_invoices(integer) is 'Marks a batch of invoices whose due date is past as overdue; returns how many.';
alter function app.mark_overdue_invoices(integer) owner to app_definer;
revoke all on function app.mark_overdue_invoices(integer) from public;
grant execute on function app.mark_overdue_invoices(integer) to service_role;

-- Puts in a reminder for each invoice that wants one, as its company says. Returns how many.
create or replace function app.put_invoice_reminders(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row   record;
  v_count bigint := 0;
begin
  for v_row in
    select i.company_id, i.id
      from public.company_settings s
      join public.companies c on c.id = s.company_id and c.deleted_at is null and c.archived_at is null and c.suspended_at is null
      join public.invoices i on i.company_id = s.company_id
      join public.customers u on u.company_id = i.company_id and u.id = i.customer_id and u.deleted_at is null and u.email_key is not null
     where s.invoice_reminders_enabled and i.status in ('sent', 'viewed', 'partial', 'overdue') and i.balance_amount > 0 and i.due_date < now()
       and i.deleted_at is null and i.archived_at is null and i.reminder_count < s.invoice_reminders_max
       and coalesce(i.last_reminder_at, '-infinity') <= now() - interval '24 hours'
       and not exists (select from public.suppressions x where x.company_id = i.company_id and x.kind = 'email' and x.topic = ''
                        and x.address_key = u.email_key)
       and not exists (select from app.tasks t where t.company_id = i.company_id and t.kind = 'invoice_reminder' and t.unique_key = i.id::text)
     order by i.due_date limit p_limit
  loop
    perform app.enqueue_task('invoice_reminder', jsonb_build_object('invoice_id', v_row.id), v_row.company_id, p_unique_key => v_row.id::text);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
alter function app.put_invoice_reminders(integer) owner to app_definer;
revoke all on function app.put_invoice_reminders(integer) from public;
grant execute on function app.put_invoice_reminders(integer) to service_role;

-- Takes the right to remind of an invoice now and returns what the reminder says; nothing where it was reminded of within 24 hours, is paid, or
-- its customer cannot be written to.
create or replace function app.take_invoice_reminder(p_company_id uuid, p_invoice_id uuid)
  returns table (email text, customer_name text, company_name text, invoice_number text, currency text, amount bigint, due_on date)
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
begin
  perform app.keep_to_company(p_company_id);
  return query
    with taken as (
      update public.invoices i
         set last_reminder_at = now(), reminder_count = i.reminder_count + 1
        from public.customers u
       where i.company_id = p_company_id and i.id = p_invoice_id and u.company_id = i.company_id and u.id = i.customer_id
         and u.deleted_at is null and u.email_key is not null
         and i.status in ('sent', 'viewed', 'partial', 'overdue') and i.balance_amount > 0 and i.due_date < now() and i.deleted_at is null
         and coalesce(i.last_reminder_at, '-infinity') <= now() - interval '24 hours'
         and not exists (select from public.suppressions x where x.company_id = i.company_id and x.kind = 'email' and x.topic = ''
                        and x.address_key = u.email_key)
      returning i.company_id, u.email, u.display_name, i.invoice_number, i.currency, i.balance_amount, i.due_date)
    select t.email, t.display_name, c.name, t.invoice_number, t.currency::text, t.balance_amount, (t.due_date at time zone c.business_timezone)::date
      from taken t join public.companies c on c.id = t.company_id;
end $$;
alter function app.take_invoice_reminder(uuid, uuid) owner to app_definer;
revoke all on function app.take_invoice_reminder(uuid, uuid) from public;
grant execute on function app.take_invoice_reminder(uuid, uuid) to service_role;

-- A trial that is over, and that nobody followed by a payment, is incomplete since that moment: the days of grace count from there.
create or replace function app.expire_trials(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row   record;
  v_count bigint := 0;
begin
  for v_row in
    select c.id, c.trial_ends_at from public.companies c
     where c.subscription_status = 'trialing' and c.trial_ends_at <= now() and c.deleted_at is null
     order by c.trial_ends_at limit p_limit for no key update skip locked
  loop
    update public.companies c set subscription_status = 'incomplete', past_due_since = v_row.trial_ends_at where c.id = v_row.id;
    perform app.enqueue_task('trial_ended', '{}', v_row.id, p_unique_key => 'trial_ended');
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
alter function app.expire_trials(integer) owner to app_definer;
revoke all on function app.expire_trials(integer) from public;
grant execute on function app.expire_trials(integer) to service_role;

-- Who of a company is written to: its active members that hold a permission.
create or replace function app.members_who(p_company_id uuid, p_permission text) returns table (email text, name text)
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  perform app.keep_to_company(p_company_id);
  return query
    select m.email, m.name from public.team_members m
     where m.company_id = p_company_id and m.status = 'active' and m.archived_at is null and m.email is not null
       and strpos(m.effective_permissions, ',' || p_permission || ',') > 0
     order by m.email;
end $$;
alter function app.members_who(uuid, text) owner to app_definer;
revoke all on function app.members_who(uuid, text) from public;
grant execute on function app.members_who(uuid, text) to service_role;

-- Puts in a report for each company that wants it. Returns how many.
create or replace function app.put_company_reports(p_report text) returns bigint
  language sql volatile security definer
  set search_path = ''
as $$
  select count(app.enqueue_task('company_report', jsonb_build_object('report', p_report), c.id, p_unique_key => p_report))
    from public.companies c left join public.company_settings s on s.company_id = c.id
   where c.deleted_at is null and c.archived_at is null and c.suspended_at is null
     and p_report = any (coalesce(s.report_mails, '{customers,performance,billing}'))
$$;
alter function app.put_company_reports(text) owner to app_definer;
revoke all on function app.put_company_reports(text) from public;
grant execute on function app.put_company_reports(text) to service_role;
