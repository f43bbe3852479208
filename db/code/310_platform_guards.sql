-- What may be written into messages to members, links, keys, imports and webhooks.

-- A member says what he has read, and nothing else about a message to him.
revoke update on public.notification_queue from authenticated;
grant update (read_at) on public.notification_queue to authenticated;

-- Digests, uses and results are the server's to write.
revoke insert, update on public.public_links from authenticated;
grant insert (company_id, id, purpose, estimate_id, invoice_id, contract_id, job_id, customer_id, expires_at, uses_max)
  on public.public_links to authenticated;
grant update (expires_at, uses_max, revoked_at, version) on public.public_links to authenticated;
-- A key is made by app.make_api_key.
revoke update on public.api_keys from authenticated;
grant update (name, permissions, expires_at, revoked_at, allowed_addresses, requests_per_minute, version) on public.api_keys to authenticated;
revoke insert, update on public.import_runs from authenticated;
grant insert (company_id, id, entity_type, format, file_name, mapping) on public.import_runs to authenticated;
grant update (mapping, file_name, status, version) on public.import_runs to authenticated;

create or replace function app.guard_public_link() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if (case when new.purpose in ('view_estimate', 'accept_estimate') then new.estimate_id is null
          when new.purpose in ('view_invoice', 'pay_invoice') then new.invoice_id is null
          when new.purpose = 'sign_contract' then new.contract_id is null
          when new.purpose = 'review' then coalesce(new.job_id, new.customer_id) is null
          else false end) then
    raise exception using errcode = 'TH422', constraint = 'link_target_missing',
      message = format('A link to %s has to say of what.', replace(new.purpose, '_', ' ')),
      hint = 'estimate_id, invoice_id, contract_id, or for a review job_id or customer_id.';
  end if;
  if new.expires_at > now() + interval '400 days' then
    raise exception using errcode = 'TH422', constraint = 'link_expiry_invalid', message = 'A link is open for 400 days at most.';
  end if;
  if tg_op = 'UPDATE' and old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception using errcode = 'TH422', constraint = 'link_revoked', message = 'A link that was taken back stays so.',
      hint = 'Make another one.';
  end if;
  return new;
end $$;
revoke all on function app.guard_public_link() from public;
create or replace trigger guard before insert or update on public.public_links for each row execute function app.guard_public_link();

create or replace function app.guard_api_key() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at
                           or old.expires_at <= now() and new.expires_at is distinct from old.expires_at) then
    raise exception using errcode = 'TH422', constraint = 'api_key_revoked', message = 'A key that was taken back or is over stays so.',
      hint = 'Make another one.';
  end if;
  if tg_op = 'INSERT' or new.permissions is distinct from old.permissions then
    perform app.check_permission_map(coalesce((select jsonb_object_agg(p, true) from unnest(new.permissions) p), '{}'));
    if current_user = 'authenticated' then
      perform app.check_grantable(case when tg_op = 'UPDATE' then ',' || array_to_string(old.permissions, ',') || ',' else '' end,
                                  ',' || array_to_string(new.permissions, ',') || ',');
    end if;
  end if;
  if current_user = 'authenticated' and new.revoked_at is not null and (tg_op = 'INSERT' or old.revoked_at is null) then
    new.revoked_by := auth.uid();
  end if;
  return new;
end $$;
revoke all on function app.guard_api_key() from public;
create or replace trigger guard before insert or update on public.api_keys for each row execute function app.guard_api_key();

select app.declare_statuses('public.import_runs', '{
  "pending":    {"first": true, "next": ["validating", "running", "cancelled", "failed"]},
  "validating": {"next": ["pending", "running", "cancelled", "failed"]},
  "running":    {"next": ["completed", "failed", "cancelled"]},
  "completed":  {"next": ["undone"]},
  "failed":     {"next": ["pending", "undone"]},
  "cancelled":  {},
  "undone":     {}
}');
create or replace trigger check_status before insert or update on public.import_runs
  for each row execute function app.guard_status('import');

-- Where it goes is checked again when it is sent; here is refused what can never be right.
create or replace function app.guard_webhook() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  -- What nobody but the server can seal is set where it does: the columns show that there is something.
  if new.secret is not null or exists (select from jsonb_each(new.custom_headers) h where h.value <> '"***"') then
    raise exception using errcode = 'TH422', constraint = 'webhook_secret_unsettable',
      message = 'The secret of a webhook and the values of its headers are set at /api/v1/webhooks.';
  end if;
  -- Receivers of a developer or a test are on this machine; when it is sent, the server looks again.
  if new.url is not null and coalesce(current_setting('app.private_webhooks', true), '') <> 'on' and (new.url !~ '^https://[a-zA-Z0-9.-]+(:[0-9]{1,5})?(/|\?|$)'
     or new.url ~ '^https://(localhost|[0-9.]+|[a-zA-Z0-9.-]*\.(localhost|local|internal))([:/?]|$)') then
    raise exception using errcode = 'TH422', constraint = 'webhook_url_invalid',
      message = 'A webhook goes to an https address of a host with a public name.';
  end if;
  if exists (select from unnest(new.events) e where e !~ '^([a-z_]+\.([a-z_]+|\*)|\*)$') then
    raise exception using errcode = 'TH422', constraint = 'webhook_event_invalid',
      message = 'An event is written noun.verb, such as invoice.paid, noun.* or * for all.';
  end if;
  return new;
end $$;
revoke all on function app.guard_webhook() from public;
create or replace trigger guard before insert or update of url, events, secret, custom_headers on public.webhooks for each row execute function app.guard_webhook();

-- The file of a job is the job's: who works on the job reads it.
create or replace function app.file_job() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  -- The job is gone when its key takes it away: then the file goes on without one.
  if new.entity_type = 'job'
     and not (tg_op = 'UPDATE' and new.job_id is null
              and (new.entity_type, new.entity_id) is not distinct from (old.entity_type, old.entity_id)) then
    new.job_id := new.entity_id;
  end if;
  return new;
end $$;
revoke all on function app.file_job() from public;
create or replace trigger file_job before insert or update on public.file_storage for each row execute function app.file_job();
create or replace trigger file_job before insert or update on public.attachments for each row execute function app.file_job();
