-- Who is not written to. A company's list is its own; what holds for messages of no company is known by the digest of an address.
-- Invariants: nothing that a company sends keeps the installation's own messages from anybody, so that nobody is locked out by another's
-- mail; a message that somebody just asked for is held by nothing but a mailbox that is not there.

-- One way to write an address.
create or replace function app.address_key(p_channel text, p_recipient text) returns text
  language sql immutable
  set search_path = ''
  return case when p_channel = 'sms' then '+' || regexp_replace(p_recipient, '[^0-9]', '', 'g') else lower(btrim(p_recipient)) end;
revoke all on function app.address_key(text, text) from public;
grant execute on function app.address_key(text, text) to authenticated, service_role, app_definer;

create or replace function app.address_kind(p_channel text) returns text
  language sql immutable
  set search_path = ''
  return case p_channel when 'mail' then 'email' when 'sms' then 'sms' end;
revoke all on function app.address_kind(text) from public;
grant execute on function app.address_kind(text) to service_role, app_definer;

-- The list is compared as it is written.
create or replace function app.shape_suppression() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.address_key := app.address_key(case new.kind when 'sms' then 'sms' else 'mail' end, new.address_key);
  if new.kind = 'sms' and length(new.address_key) not between 4 and 20 or new.kind = 'email' and new.address_key !~ '^[^@[:space:]]+@[^@[:space:]]+$' then
    raise exception using errcode = 'TH422', constraint = 'suppression_address_invalid',
      message = 'This is no address of its kind.', hint = 'An e-mail address, or a number such as +15550100.';
  end if;
  return new;
end $$;
revoke all on function app.shape_suppression() from public;
create or replace trigger a_shape before insert or update of kind, address_key on public.suppressions
  for each row execute function app.shape_suppression();

-- Why a message is not sent to an address; null where nothing is against it.
create or replace function app.suppression_of(p_company_id uuid, p_channel text, p_recipient text, p_topic text, p_is_asked boolean, p_now timestamptz)
  returns text
  language sql stable
  set search_path = ''
as $$
  select coalesce(
    (select s.reason from public.suppressions s
      where not p_is_asked and s.company_id = p_company_id and s.kind = app.address_kind(p_channel)
        and s.address_key = app.address_key(p_channel, p_recipient) and s.topic in ('', p_topic)
      order by s.topic limit 1),
    (select h.reason from app.address_holds h
      where h.kind = app.address_kind(p_channel) and h.address_hash = sha256(convert_to(app.address_key(p_channel, p_recipient), 'UTF8'))
        and (h.until is null or h.until > p_now)
        and case when p_is_asked then h.reason = 'bounce' when p_company_id is null then true else h.reason = 'stop' end
      order by h.reason limit 1))
$$;
revoke all on function app.suppression_of(uuid, text, text, text, boolean, timestamptz) from public;
grant execute on function app.suppression_of(uuid, text, text, text, boolean, timestamptz) to service_role, app_definer;

-- An address is written to no more: by a company, or by the installation for its own messages.
create or replace function app.suppress(p_company_id uuid, p_channel text, p_recipient text, p_reason text, p_now timestamptz) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_key   constant text := app.address_key(p_channel, p_recipient);
  v_hours integer;
begin
  if app.address_kind(p_channel) is null or length(v_key) not between 1 and 320 then
    return;
  end if;
  if p_company_id is not null then
    insert into public.suppressions (company_id, kind, address_key, reason)
    select c.id, app.address_kind(p_channel), v_key, p_reason from public.companies c where c.id = p_company_id
    on conflict (company_id, kind, address_key, topic) do nothing;
    return;
  end if;
  if p_reason = 'bounce' then
    v_hours := coalesce((select s.bounce_hold_hours from app.channel_settings s), 72);
  end if;
  insert into app.address_holds as h (kind, address_hash, reason, until, created_at)
  values (app.address_kind(p_channel), sha256(convert_to(v_key, 'UTF8')), p_reason, p_now + make_interval(hours => v_hours), p_now)
  on conflict (kind, address_hash, reason) do update set until = greatest(h.until, excluded.until);
end $$;
revoke all on function app.suppress(uuid, text, text, text, timestamptz) from public;
grant execute on function app.suppress(uuid, text, text, text, timestamptz) to service_role, app_definer;

-- STOP and START, sent to the number that all companies' messages come from: of every company that wrote to it.
create or replace function app.note_stop(p_number text, p_is_stopped boolean, p_now timestamptz) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_key constant text := app.address_key('sms', p_number);
begin
  if length(v_key) not between 4 and 20 then
    return;
  end if;
  if p_is_stopped then
    perform app.suppress(null, 'sms', v_key, 'stop', p_now);
    perform app.suppress(c.company_id, 'sms', v_key, 'stop', p_now)
       from (select distinct a.company_id from app.message_attempts a
              where a.channel = 'sms' and a.recipient = v_key and a.company_id is not null) c;
  else
    delete from app.address_holds h
     where h.kind = 'sms' and h.address_hash = sha256(convert_to(v_key, 'UTF8')) and h.reason = 'stop';
    delete from public.suppressions s
     using (select distinct a.company_id from app.message_attempts a
             where a.channel = 'sms' and a.recipient = v_key and a.company_id is not null) c
     where s.company_id = c.company_id and s.kind = 'sms' and s.address_key = v_key and s.reason = 'stop';
  end if;
end $$;
revoke all on function app.note_stop(text, boolean, timestamptz) from public;
grant execute on function app.note_stop(text, boolean, timestamptz) to app_definer;

-- What the link in a mail does: one topic of one company, refused and asked for again. What stands there for another reason stays.
create or replace function app.unsubscribe(p_company_id uuid, p_channel text, p_recipient text, p_topic text, p_is_refused boolean) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_key constant text := app.address_key(p_channel, p_recipient);
begin
  if p_is_refused then
    insert into public.suppressions (company_id, kind, address_key, topic, reason)
    select c.id, app.address_kind(p_channel), v_key, p_topic, 'unsubscribe' from public.companies c where c.id = p_company_id
    on conflict (company_id, kind, address_key, topic) do nothing;
  else
    delete from public.suppressions s
     where s.company_id = p_company_id and s.kind = app.address_kind(p_channel) and s.address_key = v_key and s.topic = p_topic and s.reason = 'unsubscribe';
  end if;
end $$;
revoke all on function app.unsubscribe(uuid, text, text, text, boolean) from public;
grant execute on function app.unsubscribe(uuid, text, text, text, boolean) to service_role;
