-- Webhooks: whom a company wants told of its events, and what deliveries are signed with.
-- Invariants: a secret is ciphertext here and is read by the service alone; of a webhook members write what is theirs to decide, and see
-- its counters.

revoke insert, update on public.webhooks from authenticated;
grant insert (company_id, id, name, url, secret, events, is_active, retry_policy, timeout_seconds, ip_whitelist, custom_headers, is_ordered)
  on public.webhooks to authenticated;
grant update (name, url, secret, events, is_active, retry_policy, timeout_seconds, ip_whitelist, custom_headers, is_ordered, version)
  on public.webhooks to authenticated;

-- What a policy of tries may say; without it the server's own is used.
create or replace function app.guard_retry_policy() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if exists (select from jsonb_each(new.retry_policy) e
              where not case e.key
                when 'max_retries' then e.value #>> '{}' ~ '^([0-9]|1[0-9]|20)$' and jsonb_typeof(e.value) = 'number'
                when 'backoff' then e.value in ('"exponential"', '"linear"', '"fixed"')
                when 'delay_seconds' then e.value #>> '{}' ~ '^[1-9][0-9]{0,4}$' and jsonb_typeof(e.value) = 'number'
                else false end) then
    raise exception using errcode = 'TH422', constraint = 'webhook_retry_policy_invalid',
      message = 'This policy of tries cannot be read.',
      hint = 'max_retries 0 to 20, backoff exponential, linear or fixed, delay_seconds 1 to 99999.';
  end if;
  -- Whoever sets it to work again begins anew.
  if tg_op = 'UPDATE' and new.is_active and not old.is_active then
    new.disabled_reason := null;
  end if;
  return new;
end $$;
revoke all on function app.guard_retry_policy() from public;
create or replace trigger guard_retry_policy before insert or update of retry_policy, is_active on public.webhooks
  for each row execute function app.guard_retry_policy();

-- A webhook of the caller's company that he may change.
create or replace function app.own_webhook(p_id uuid) returns public.webhooks
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_webhook public.webhooks;
begin
  if not (app.has_permission('webhooks:update') or app.has_permission('webhooks:create') or current_setting('role', true) = 'service_role') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied', message = 'You need the permission webhooks:update.';
  end if;
  select w.* into v_webhook from public.webhooks w where w.company_id = app.company_id() and w.id = p_id;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'webhook_not_found', message = 'There is no such webhook.';
  end if;
  return v_webhook;
end $$;
alter function app.own_webhook(uuid) owner to app_definer;
revoke all on function app.own_webhook(uuid) from public;
grant execute on function app.own_webhook(uuid) to app_definer, authenticated, service_role;

-- Another secret; those before it sign beside it for a while.
create or replace function app.keep_webhook_secret(p_webhook_id uuid, p_id uuid, p_sealed text, p_overlap_seconds integer) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_webhook constant public.webhooks := app.own_webhook(p_webhook_id);
begin
  perform from public.webhooks w where w.company_id = v_webhook.company_id and w.id = v_webhook.id for no key update;
  delete from app.webhook_secrets s
   where s.company_id = v_webhook.company_id and s.webhook_id = v_webhook.id and s.sort = 'signing' and s.expires_at <= now();
  if (select count(*) from app.webhook_secrets s
       where s.company_id = v_webhook.company_id and s.webhook_id = v_webhook.id and s.sort = 'signing') >= 5 then
    raise exception using errcode = 'TH422', constraint = 'webhook_secrets_too_many',
      message = 'A webhook signs with at most five secrets at a time.', hint = 'Let one of them end first, or give overlap_seconds 0.';
  end if;
  update app.webhook_secrets s set expires_at = least(coalesce(s.expires_at, 'infinity'), now() + make_interval(secs => p_overlap_seconds))
   where s.company_id = v_webhook.company_id and s.webhook_id = v_webhook.id and s.sort = 'signing';
  insert into app.webhook_secrets (company_id, id, webhook_id, sort, secret)
  values (v_webhook.company_id, p_id, v_webhook.id, 'signing', p_sealed);
end $$;
alter function app.keep_webhook_secret(uuid, uuid, text, integer) owner to app_definer;
revoke all on function app.keep_webhook_secret(uuid, uuid, text, integer) from public;
grant execute on function app.keep_webhook_secret(uuid, uuid, text, integer) to authenticated, service_role;

-- Other headers; the row of the webhook shows their names.
create or replace function app.keep_webhook_headers(p_webhook_id uuid, p_id uuid, p_sealed text, p_names text[]) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_webhook constant public.webhooks := app.own_webhook(p_webhook_id);
begin
  delete from app.webhook_secrets s where s.company_id = v_webhook.company_id and s.webhook_id = v_webhook.id and s.sort = 'headers';
  if p_names <> '{}' then
    insert into app.webhook_secrets (company_id, id, webhook_id, sort, secret)
    values (v_webhook.company_id, p_id, v_webhook.id, 'headers', p_sealed);
  end if;
  update public.webhooks w
     set custom_headers = coalesce((select jsonb_object_agg(n.name, '***') from unnest(p_names) n (name)), '{}')
   where w.company_id = v_webhook.company_id and w.id = v_webhook.id;
end $$;
alter function app.keep_webhook_headers(uuid, uuid, text, text[]) owner to app_definer;
revoke all on function app.keep_webhook_headers(uuid, uuid, text, text[]) from public;
grant execute on function app.keep_webhook_headers(uuid, uuid, text, text[]) to authenticated, service_role;

-- The counters as the webhook's own row shows them, once a minute at most: told by a trigger, it is no edit of the row.
create or replace function app.show_webhook_state() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  update public.webhooks w
     set success_count = new.success_count, failure_count = new.failure_count, last_triggered_at = new.last_triggered_at
   where w.company_id = new.company_id and w.id = new.webhook_id;
  return null;
end $$;
alter function app.show_webhook_state() owner to app_definer;
revoke all on function app.show_webhook_state() from public;
create or replace trigger show after insert or update of shown_at on app.webhook_states
  for each row execute function app.show_webhook_state();

revoke all on app.webhook_secrets, app.webhook_states from public, anon, authenticated, service_role;
-- The key ring seals anew what an older key sealed.
grant select, insert, update, delete on app.webhook_secrets to service_role;
grant select on app.webhook_states to service_role;
