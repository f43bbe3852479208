-- What customers agreed to. Invariant: a row is added and never changed: what somebody said once he said; the newest of a purpose holds.

select app.protect('public.consents', 'consents', p_verbs => '{read,create}');
revoke update, delete on public.consents from service_role;

-- The moment is when it is written down, or one before that whoever writes it down knows.
create or replace function app.guard_consent() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    raise exception using errcode = 'TH409', constraint = 'consent_immutable', message = 'What somebody agreed to is not changed.',
      hint = 'Add a row that says otherwise.';
  end if;
  if current_user in ('authenticated', 'service_role') then
    new.created_by := auth.uid();
    new.created_at := now();
  end if;
  if new.said_at > now() + interval '1 minute' then
    raise exception using errcode = 'TH422', constraint = 'consent_in_future', message = 'Nobody has agreed to anything in the future.';
  end if;
  return new;
end $$;
revoke all on function app.guard_consent() from public;
create or replace trigger guard before insert or update on public.consents for each row execute function app.guard_consent();

-- Whether a customer took back what he agreed to, or never did, of those who were asked.
create or replace function app.has_refused(p_company_id uuid, p_customer_id uuid, p_purpose text) returns boolean
  language sql stable
  set search_path = ''
as $$
  select coalesce((select not c.is_given from public.consents c
                    where c.company_id = p_company_id and c.customer_id = p_customer_id and c.purpose = p_purpose
                    order by c.said_at desc, c.id desc limit 1), false)
$$;
comment on function app.has_refused(uuid, uuid, text) is 'Whether the last thing that a customer said about a purpose is no.';
revoke all on function app.has_refused(uuid, uuid, text) from public;
grant execute on function app.has_refused(uuid, uuid, text) to authenticated, service_role, app_definer;
