-- Messages, timeline, audit, webhooks, notifications, files, links, chats.

-- The ids here say June 2024.
select public.create_monthly_partition(t, '2024-06-01')
  from unnest(array['communications', 'activities', 'audit_logs', 'webhook_logs', 'email_logs']) t;

do $$
declare
  v_letter  text;
  v_company uuid;
  v_canary  text;
  v_tech    uuid;
  v_member  uuid;
begin
  foreach v_letter in array array['a', 'b'] loop
    v_company := proof.id(v_letter, '000');
    v_canary := 'canary-' || v_letter;
    v_tech := proof.id(v_letter, '105');
    v_member := proof.id(v_letter, '107');

    insert into public.communications (company_id, id, customer_id, job_id, type, to_address, body, assigned_to, sent_by, parent_id)
    values (v_company, proof.id(v_letter, 'e01'), proof.id(v_letter, '601'), proof.id(v_letter, '805'), 'email', 'x@example.com', v_canary, null, null, null),
           (v_company, proof.id(v_letter, 'e02'), proof.id(v_letter, '601'), proof.id(v_letter, '801'), 'sms', '+12175550100', v_canary, null, v_member,
            proof.id(v_letter, 'e01')),
           (v_company, proof.id(v_letter, 'e03'), null, null, 'note', '', v_canary, v_tech, v_tech, null),
           (v_company, proof.id('c', 'e04'), null, null, 'note', '', v_canary, v_member, null, null);
    insert into public.email_logs (company_id, id, "to", "from", subject, template_type, user_id, customer_id, job_id)
    values (v_company, proof.id(v_letter, 'e01'), 'x@example.com', 'y@example.com', v_canary, 'invoice', v_member, proof.id(v_letter, '601'),
            proof.id(v_letter, '805')),
           (v_company, proof.id('c', 'e02'), 'x@example.com', 'y@example.com', v_canary, 'invoice', null, null, null);
    insert into public.activities (company_id, id, entity_type, entity_id, activity_type, action, description, job_id)
    values (v_company, proof.id(v_letter, 'e01'), 'job', proof.id(v_letter, '805'), 'created', 'Job made', v_canary, proof.id(v_letter, '805')),
           (v_company, proof.id(v_letter, 'e02'), 'job', proof.id(v_letter, '801'), 'created', 'Job made', v_canary, proof.id(v_letter, '801')),
           (v_company, proof.id('c', 'e03'), 'customer', proof.id(v_letter, '601'), 'created', 'Customer made', v_canary, null);
    insert into public.audit_logs (company_id, id, user_id, action, entity_type, entity_id, new_values)
    values (v_company, proof.id(v_letter, 'e01'), v_member, 'create', 'jobs', proof.id(v_letter, '801'), jsonb_build_object('title', v_canary)),
           (v_company, proof.id('c', 'e02'), v_tech, 'create', 'jobs', proof.id(v_letter, '805'), jsonb_build_object('title', v_canary));
    insert into public.support_consents (company_id, id, granted_by, reason, revoked_at)
    values (v_company, proof.id(v_letter, 'e01'), v_member, v_canary, null), (v_company, proof.id('c', 'e02'), v_member, v_canary, now());
    insert into public.support_sessions (company_id, id, consent_id, user_id, operator, reason, expires_at)
    values (v_company, proof.id(v_letter, 'e01'), proof.id(v_letter, 'e01'), v_member, 'support@example.com', v_canary, now() + interval '1 hour'),
           (v_company, proof.id('c', 'e02'), proof.id('c', 'e02'), v_member, 'support@example.com', v_canary, now());
    insert into app.subscriptions (company_id, provider, provider_customer_key, reason) values (v_company, 'stripe', v_canary, v_canary);
    insert into app.subscription_events (provider, event_key, company_id, occurred_at, outcome, subscription)
    values ('stripe', v_canary, v_company, now(), 'applied', jsonb_build_object('customer', v_canary));
    insert into app.auth_settings (parameter, value) values ('JWT_EXP', '3600') on conflict do nothing;
    insert into public.webhooks (company_id, id, name, url, events)
    values (v_company, proof.id(v_letter, 'e01'), v_canary, 'https://example.com/hook', '{invoice.paid}'),
           (v_company, proof.id('c', 'e02'), v_canary, 'https://example.com/hook', '{job.completed}');
    insert into public.webhook_logs (company_id, id, webhook_id, event_type, payload)
    values (v_company, proof.id(v_letter, 'e01'), proof.id(v_letter, 'e01'), 'invoice.paid', jsonb_build_object('note', v_canary)),
           (v_company, proof.id('c', 'e02'), proof.id('c', 'e02'), 'job.completed', jsonb_build_object('note', v_canary));
    insert into app.webhook_secrets (company_id, id, webhook_id, sort, secret)
    values (v_company, proof.id(v_letter, 'e01'), proof.id(v_letter, 'e01'), 'signing', v_canary),
           (v_company, proof.id('c', 'e02'), proof.id('c', 'e02'), 'signing', v_canary);
    insert into app.webhook_deliveries (company_id, id, webhook_id, due_at)
    values (v_company, proof.id(v_letter, 'e01'), proof.id(v_letter, 'e01'), now() + interval '1 day'),
           (v_company, proof.id('c', 'e02'), proof.id('c', 'e02'), now() + interval '1 day');
    insert into app.webhook_states (company_id, webhook_id, failures) values (v_company, proof.id(v_letter, 'e01'), 1);
    -- Told already: a server has nothing to do with them.
    insert into app.events (company_id, id, names, row_id, payload, told_at)
    values (v_company, proof.id(v_letter, 'e01'), '{invoice.paid}', proof.id(v_letter, 'e01'), jsonb_build_object('data', v_canary), now()),
           (v_company, proof.id('c', 'e02'), '{job.completed}', proof.id('c', 'e02'), jsonb_build_object('data', v_canary), now());
    insert into app.inbound_events (provider, event_key, event_type, payload, said_at, due_at, received_at)
    values ('clerk', v_canary, v_canary, jsonb_build_object('data', v_canary), now(), now(), now());
    insert into app.inbound_states (provider, object_key, said_at) values ('clerk', v_canary, now());
    -- Everybody has one row of these: whose it is decides who reaches it.
    insert into public.notification_preferences (company_id, id, user_id)
    select v_company, proof.id(case when n = 8 then 'c' else v_letter end, 'e0' || n), proof.id(v_letter, '10' || n)
      from generate_series(1, 8) n;
    insert into public.notification_queue (company_id, id, user_id, type, body)
    select v_company, proof.id(case when n = 8 then 'c' else v_letter end, 'e0' || n), proof.id(v_letter, '10' || n), 'job.assigned', v_canary
      from generate_series(1, 8) n;
    insert into public.notification_templates (company_id, id, event, channel, name, body)
    values (v_company, proof.id(v_letter, 'e01'), 'invoice.sent', 'email', 'Invoice', v_canary),
           (v_company, proof.id('c', 'e02'), 'invoice.paid', 'email', 'Paid', v_canary);
    insert into public.notification_choices (company_id, id, user_id, topic, channel, enabled)
    select v_company, proof.id(case when n = 8 then 'c' else v_letter end, 'e0' || n), proof.id(v_letter, '10' || n), 'job_updated', 'email', false
      from generate_series(1, 8) n;
    insert into public.notification_defaults (company_id, id, topic, channel, enabled, note)
    values (v_company, proof.id(v_letter, 'e01'), 'job_updated', 'email', false, v_canary),
           (v_company, proof.id('c', 'e02'), 'job_updated', 'sms', false, v_canary);
    -- Decided on already: a server has nothing to do with them.
    insert into app.notification_events (company_id, id, names, topic, user_ids, payload, done_at)
    values (v_company, proof.id(v_letter, 'e01'), '{alert}', 'alert', array[v_member], jsonb_build_object('params', jsonb_build_object('body', v_canary)), now()),
           (v_company, proof.id('c', 'e02'), '{alert}', 'alert', array[v_member], jsonb_build_object('params', jsonb_build_object('body', v_canary)), now());
    insert into app.notification_decisions (company_id, id, event_id, event, topic, user_id, decision, reason, note)
    select v_company, proof.id(case when n = 8 then 'c' else v_letter end, 'e0' || n), proof.id(v_letter, 'e01'), 'alert', 'alert',
           proof.id(v_letter, '10' || n), 'withheld', 'own_act', v_canary
      from generate_series(1, 8) n;
    insert into app.notification_digests (company_id, id, user_id, digest_group, window_end, sent_at)
    values (v_company, proof.id(v_letter, 'e01'), v_member, v_canary, now(), now()),
           (v_company, proof.id('c', 'e02'), v_tech, v_canary, now(), now());
    insert into app.notification_messages (message_id, company_id, notification_id)
    values (proof.id(v_letter, 'e01'), v_company, proof.id(v_letter, 'e01'));
    insert into public.suppressions (company_id, id, kind, address_key, reason, note)
    values (v_company, proof.id(v_letter, 'e01'), 'email', 'gone@example.com', 'bounce', v_canary),
           (v_company, proof.id('c', 'e02'), 'email', 'angry@example.com', 'complaint', v_canary);

    insert into public.file_storage (company_id, id, uploaded_by, filename, original_filename, mime_type, file_size, storage_path, category, job_id)
    select v_company, proof.id(case when n = 9 then 'c' else v_letter end, 'e0' || n),
           case when n between 1 and 8 then proof.id(v_letter, '10' || n) end, 'photo.jpg', 'photo.jpg', 'image/jpeg', 1,
           v_letter || '/' || n, v_canary, case n when 0 then proof.id(v_letter, '805') when 1 then proof.id(v_letter, '801') end
      from generate_series(0, 9) n;
    insert into public.attachments (company_id, id, uploaded_by, entity_type, entity_id, file_name, original_file_name, mime_type, storage_path,
                                    description, job_id, file_id, parent_id)
    select v_company, proof.id(case when n = 9 then 'c' else v_letter end, 'e0' || n),
           case when n between 1 and 8 then proof.id(v_letter, '10' || n) end, case when n = 2 then 'job' else 'customer' end,
           proof.id(v_letter, case when n = 2 then '805' else '601' end), 'photo.jpg', 'photo.jpg', 'image/jpeg', v_letter || '/' || n, v_canary,
           case n when 0 then proof.id(v_letter, '805') when 1 then proof.id(v_letter, '801') end,
           case when n = 0 then proof.id(v_letter, 'e00') end, case when n = 1 then proof.id(v_letter, 'e00') end
      from generate_series(0, 9) n;
    insert into public.customer_reviews (company_id, id, customer_id, job_id, technician_id, responded_by, rating, review_text)
    values (v_company, proof.id(v_letter, 'e01'), proof.id(v_letter, '601'), proof.id(v_letter, '801'), v_tech, v_member, 5, v_canary),
           (v_company, proof.id('c', 'e02'), proof.id(v_letter, '602'), null, null, null, 1, v_canary);
    insert into public.consents (company_id, id, customer_id, purpose, text_version, is_given, source)
    values (v_company, proof.id(v_letter, 'e61'), proof.id(v_letter, '601'), 'marketing_email', v_canary, true, 'web'),
           (v_company, proof.id('c', 'e62'), proof.id(v_letter, '602'), 'marketing_email', v_canary, false, 'phone');
    insert into app.task_kinds (name, attempts_max, timeout_ms) values ('erase_person', 3, 1000) on conflict do nothing;
    insert into public.legal_holds (company_id, id, customer_id, user_id, reason)
    values (v_company, proof.id(v_letter, 'e66'), proof.id(v_letter, '601'), null, v_canary),
           (v_company, proof.id('c', 'e67'), null, proof.id(v_letter, '108'), v_canary);
    insert into app.erasures (id, company_id, subject, subject_id, asked_how, words)
    values (proof.id(v_letter, 'e63'), v_company, 'customer', proof.id(v_letter, 'fff'), 'service', array[v_canary]);
    insert into app.erasures (id, company_id, subject, subject_id, asked_how, status)
    values (proof.id(v_letter, 'e68'), v_company, 'customer', proof.id(v_letter, '602'), 'portal', 'asked');
    insert into app.audit_redactions (company_id, row_id, batch_id, former, after)
    values (v_company, proof.id(v_letter, 'e64'), proof.id(v_letter, 'e65'), sha256(v_canary::bytea), sha256(''));
    insert into public.import_runs (company_id, id, entity_type, file_name)
    values (v_company, proof.id(v_letter, 'e01'), 'customer', v_canary), (v_company, proof.id('c', 'e02'), 'job', v_canary);
    insert into public.data_imports (company_id, id, table_name, format, file_name, status, headers)
    values (v_company, proof.id(v_letter, 'e01'), 'customers', 'csv', v_canary, 'undoing', array[v_canary]),
           (v_company, proof.id('c', 'e02'), 'vendors', 'json', v_canary, 'uploaded', '{}'),
           (v_company, proof.id(v_letter, 'e03'), 'customers', 'csv', v_canary, 'completed', '{}');
    insert into public.data_imports (company_id, id, table_name, format, file_name, status, blob_key)
    values (v_company, proof.id(v_letter, 'e04'), 'customers', 'csv', v_canary, 'uploaded', v_company || '/file');
    insert into public.data_imports (company_id, id, table_name, format, file_name, status, created_by)
    values (v_company, proof.id(v_letter, 'e05'), 'customers', 'csv', v_canary, 'running', proof.id(v_letter, '101'));
    insert into app.task_kinds (name, attempts_max, timeout_ms, permission, runs_as_caller, fields)
    select k.name, 1, 1000, k.permission, true, '[{"name": "import_id", "type": "id", "is_required": true}]'
      from (values ('data_import', 'imports:create'), ('undo_import', 'imports:update')) k (name, permission)
        on conflict do nothing;
    insert into app.import_rows (company_id, import_id, row_id, line, is_new, version_after, before)
    values (v_company, proof.id(v_letter, 'e01'), proof.id(v_letter, '601'), 2, false, '1', jsonb_build_object('notes', v_canary)),
           (v_company, proof.id(v_letter, 'e03'), proof.id(v_letter, '601'), 2, false, '1', jsonb_build_object('notes', v_canary));
    insert into app.import_errors (company_id, import_id, line, position, code, message)
    values (v_company, proof.id(v_letter, 'e01'), 3, 0, 'no', v_canary);
    insert into public.data_exports (company_id, id, what, name, format, filter, created_by)
    select v_company, proof.id(case when n = 9 then 'c' else v_letter end, 'e0' || n), 'table', 'customers', 'csv', v_canary,
           case when n between 1 and 8 then proof.id(v_letter, '10' || n) end
      from generate_series(0, 9) n;
    insert into app.forgotten_files (blob_key) values (v_company || '/' || v_canary);
    insert into public.api_keys (company_id, id, name, key_prefix, key_hash)
    values (v_company, proof.id(v_letter, 'e01'), v_canary, 'thk_1', repeat(v_letter, 63) || '0'),
           (v_company, proof.id('c', 'e02'), v_canary, 'tk_2', encode(sha256(('other' || v_letter)::bytea), 'hex'));
    insert into public.scim_tokens (company_id, id, name, token_hash, token_prefix, expires_at)
    values (v_company, proof.id(v_letter, 'e01'), v_canary, encode(sha256(('directory' || v_letter)::bytea), 'hex'), 'scim_1', now() + interval '1 year'),
           (v_company, proof.id('c', 'e02'), v_canary, encode(sha256(('another' || v_letter)::bytea), 'hex'), 'scim_2', now() + interval '1 year');
    insert into public.scim_mappings (company_id, id, group_name, role)
    values (v_company, proof.id(v_letter, 'e01'), v_canary, 'viewer'), (v_company, proof.id('c', 'e02'), 'Guides ' || v_canary, 'csr');
    insert into public.sign_on_providers (company_id, id, name, issuer, client_id)
    values (v_company, proof.id(v_letter, 'e01'), v_canary, 'https://id.example/' || v_letter, '1'),
           (v_company, proof.id('c', 'e02'), v_canary, 'https://id.example', v_letter);
    insert into auth.sign_on_secrets (company_id, id, client_secret)
    values (v_company, proof.id(v_letter, 'e01'), v_canary), (v_company, proof.id('c', 'e02'), v_canary);
    insert into auth.scim_users (company_id, id, user_name_key, email_key, attributes)
    values (v_company, proof.id(v_letter, 'e01'), v_canary, v_canary || '@example.com', jsonb_build_object('userName', v_canary));
    insert into auth.scim_users (company_id, id, user_name_key, email_key, attributes)
    values (v_company, proof.id('c', 'e02'), 'other ' || v_canary, 'other-' || v_canary || '@example.com', jsonb_build_object('userName', v_canary));
    insert into auth.scim_groups (company_id, id, display_name)
    values (v_company, proof.id(v_letter, 'e01'), v_canary || ' group'), (v_company, proof.id('c', 'e02'), 'other ' || v_canary);
    insert into auth.scim_group_members (company_id, group_id, member_id)
    values (v_company, proof.id(v_letter, 'e01'), proof.id(v_letter, 'e01'));
    insert into app.proved_domains (domain, company_id) values (v_canary || '.example', v_company);
    insert into app.removed_members (company_id, user_id) values (v_company, proof.id(case v_letter when 'a' then 'b' else 'a' end, '108'));
    insert into app.api_key_uses (company_id, api_key_id, minute, taken) values (v_company, proof.id(v_letter, 'e01'), 1, 1);
    insert into public.public_links (company_id, id, purpose, token_hash, customer_id, job_id)
    values (v_company, proof.id(v_letter, 'e01'), 'book', encode(sha256((v_canary || '1')::bytea), 'hex'), proof.id(v_letter, '601'), null),
           (v_company, proof.id('c', 'e02'), 'review', encode(sha256((v_canary || '2')::bytea), 'hex'), proof.id(v_letter, '601'), proof.id(v_letter, '801'));
    insert into public.posts (company_id, id, title, content, author_id)
    values (v_company, proof.id(v_letter, 'e01'), 'Hello', v_canary, v_member), (v_company, proof.id('c', 'e02'), 'Hello', v_canary, v_tech);

    insert into public.chats (company_id, id, title, user_id)
    select v_company, proof.id(case when n = 8 then 'c' else v_letter end, 'e0' || n), v_canary, proof.id(v_letter, '10' || n)
      from generate_series(1, 8) n;
    insert into public.messages_v2 (company_id, id, chat_id, user_id, role, parts)
    select v_company, c.id, c.id, c.user_id, 'user', jsonb_build_array(v_canary) from public.chats c where c.company_id = v_company;
    insert into public.votes_v2 (company_id, chat_id, message_id, user_id, is_upvoted)
    select v_company, c.id, c.id, c.user_id, true from public.chats c where c.company_id = v_company;
    insert into public.documents (company_id, id, title, content, user_id)
    select v_company, c.id, 'Text', v_canary, c.user_id from public.chats c where c.company_id = v_company;
    insert into public.suggestions (company_id, id, document_id, original_text, suggested_text, user_id)
    select v_company, c.id, c.id, v_canary, 'x', c.user_id from public.chats c where c.company_id = v_company;
    insert into public.streams (company_id, id, chat_id, user_id)
    select v_company, c.id, c.id, c.user_id from public.chats c where c.company_id = v_company;
    insert into public.verification_tokens (token, email, user_id, expires_at)
    values (encode(sha256((v_letter || ' proves')::bytea), 'hex'), v_canary || '@example.com', proof.id(v_letter, '105'), now() + interval '1 hour');
    insert into public.api_rate_limits (company_id, identifier_type, identifier_value, window_start, window_end, rate_limit)
    values (v_company, 'company', v_canary, now(), now() + interval '1 hour', 100);
    insert into public.api_rate_limits (company_id, identifier_type, identifier_value, endpoint, window_start, window_end, rate_limit)
    values (v_company, 'key', v_canary, v_company::text, now(), now() + interval '1 hour', 100);
    insert into app.change_outbox (relation, kind, new_row) values ('public.jobs'::regclass, 'I', v_canary);
    insert into app.cache_flushes (tag) values ('jobs:' || v_company);
    insert into app.rate_limit_rules (class, company_id, minute_max) values ('read', v_company, 1200);
    insert into auth.one_time_tokens (user_id, purpose, token_hash, code_hash, sent_to, created_at, expires_at)
    values (proof.id(v_letter, '105'), 'recovery', sha256((v_letter || ' link')::bytea), sha256('code'), v_canary || '@example.com', now(), now());
    insert into auth.flow_states (user_id, method, challenge, challenge_method, code_hash, redirect_to, created_at, expires_at)
    values (proof.id(v_letter, '105'), 'otp', repeat(v_letter, 43), 's256', sha256((v_letter || ' flow')::bytea), v_canary, now(), now());
    insert into auth.oauth_clients (id, name, auth_method, redirect_uris, grant_types, registration, created_at, updated_at)
    values (proof.id(v_letter, 'e01'), v_canary, 'none', array['https://' || v_canary || '.example.com'], '{authorization_code}', 'manual', now(), now());
    insert into auth.oauth_consents (user_id, client_id, scopes, granted_at)
    values (proof.id(v_letter, '105'), proof.id(v_letter, 'e01'), array[v_canary], now());
    insert into auth.oauth_authorizations (id, client_id, redirect_uri, scopes, state, code_challenge, asks_again, created_at, expires_at)
    values (proof.id(v_letter, 'e01'), proof.id(v_letter, 'e01'), v_canary, array[v_canary], v_canary, repeat('x', 43), false, now(), now());
    insert into auth.custom_providers (identifier, provider_type, settings, created_at, updated_at)
    values ('custom:' || v_canary, 'oidc', jsonb_build_object('name', v_canary), now(), now());
    insert into app.outbox (company_id, channel, purpose, recipient, sealed, due_at, created_at)
    values (v_company, 'mail', 'invite', v_canary || '@example.com', v_canary, now(), now());
    insert into app.message_attempts (message_key, company_id, channel, purpose, topic, recipient, attempt, outcome, said_at, created_at)
    values (proof.id(v_letter, 'e01'), v_company, 'mail', 'offer', 'offers', v_canary || '@example.com', 1, 'accepted', now(), now());
    insert into app.address_holds (kind, address_hash, reason, created_at) values ('email', sha256(convert_to(v_canary, 'UTF8')), 'bounce', now());
    insert into app.push_devices (id, user_id, provider, platform, name, address)
    values (proof.id(v_letter, 'e01'), proof.id(v_letter, '101'), 'fcm', 'android', v_canary, v_canary || '-token-of-a-device');
    insert into app.channel_settings (id, push_public_key, push_secret) values (proof.id(v_letter, 'e01'), repeat('B', 87), 'sealed') on conflict do nothing;
    insert into app.captured_messages (channel, purpose, sender, recipient, body_text, created_at)
    values ('mail', 'invite', v_canary, v_canary || '@example.com', v_canary, now());
    insert into app.task_kinds (name, attempts_max, timeout_ms, permission) values ('export_' || v_letter, 1, 1000, 'exports_' || v_letter || ':create');
    insert into app.task_kinds (name, attempts_max, timeout_ms) values ('company_report', 1, 1000), ('run_sql', 1, 1000), ('http_request', 1, 1000), ('invoice_reminder', 1, 1000)
    on conflict do nothing;
    insert into app.task_limits (company_id, kind) values (v_company, 'export_' || v_letter);
    insert into app.tasks (company_id, id, kind, attempts_max, payload)
    values (v_company, proof.id(v_letter, 'e01'), 'export_' || v_letter, 1, jsonb_build_object('name', v_canary)),
           (v_company, proof.id('c', 'e02'), 'export_' || v_letter, 1, jsonb_build_object('name', v_canary));
    insert into app.task_workers (id, node) values (proof.id(v_letter, 'e01'), v_canary);
    insert into app.task_slots (lane, running) values ('company:' || v_company, 0);
    insert into app.done_tasks (company_id, id, kind, outcome, rank, run_at, attempt, attempts_max, payload, progress_percent, errors, created_at, finished_at)
    values (v_company, proof.id(v_letter, 'e03'), 'export_' || v_letter, 'done', 0, now(), 1, 1, jsonb_build_object('name', v_canary), 0, '[]', now(), now()),
           (v_company, proof.id('c', 'e05'), 'export_' || v_letter, 'done', 0, now(), 1, 1, jsonb_build_object('name', v_canary), 0, '[]', now(), now());
    insert into app.dead_tasks (company_id, id, kind, rank, run_at, attempt, attempts_max, payload, progress_percent, errors, created_at, finished_at)
    values (v_company, proof.id(v_letter, 'e04'), 'export_' || v_letter, 0, now(), 1, 1, jsonb_build_object('name', v_canary), 0, '[]', now(), now()),
           (v_company, proof.id('c', 'e06'), 'export_' || v_letter, 0, now(), 1, 1, jsonb_build_object('name', v_canary), 0, '[]', now(), now());
    insert into public.business_metrics (company_id, id, metric_name, metric_value, dimensions)
    values (v_company, proof.id(v_letter, 'e01'), 'daily_work_orders', 1, jsonb_build_object('name', v_canary)),
           (v_company, proof.id('c', 'e02'), 'daily_work_orders', 1, jsonb_build_object('name', v_canary));
    insert into app.project_logins (name, password) values ('project_cron_0123456789abcdef', v_canary) on conflict do nothing;
    insert into app.cron_entries (company_id, number, maker, name, schedule, works_for, kind, payload, is_active, created_by)
    values (v_company, 4100 + ascii(v_letter), 'member', v_canary, '0 0 1 1 *', v_company, 'export_' || v_letter, jsonb_build_object('name', v_canary), false, proof.id(v_letter, '101'));
    insert into app.cron_entries (company_id, number, maker, name, schedule, works_for, command, is_active)
    values (app.no_company(), 4300 + ascii(v_letter), 'service_role', v_letter || ' nightly', '0 0 1 1 *', v_company, 'select 1', false);
    insert into app.cron_states (company_id, entry_id, next_run_at, fault)
    values (v_company, 4100 + ascii(v_letter), 'infinity', v_canary);
    insert into app.cron_runs (company_id, number, entry_id, maker, name, works_for, what, fire_at, status, message)
    values (v_company, 4100 + ascii(v_letter), 4100 + ascii(v_letter), 'member', v_canary, v_company, v_canary, now(), 'failed', v_canary);
    insert into storage.buckets (id, name, owner) values (v_canary, v_canary, proof.id(v_letter, '105'));
    insert into storage.objects (id, bucket_id, name, owner)
    values (proof.id(v_letter, 'e01'), v_canary, v_company || '/' || v_canary || '.pdf', proof.id(v_letter, '105'));
    insert into app.blobs (key, company_id, state, bytes, keep_until) values (v_company || '/objects/' || v_letter, v_company, 'stored', 1, now());
    insert into app.meant_contents (version, blob_key, etag, content_type, cache_control)
    values (v_canary || ' meant', v_company || '/objects/' || v_letter, v_letter, 'text/plain', 'no-cache');
    insert into app.object_versions (id, object_id, company_id, bucket_id, name, blob_key, bytes, etag, content_type, cache_control)
    values (v_canary, proof.id(v_letter, 'e01'), v_company, v_canary, v_canary, v_company || '/objects/' || v_letter, 1, v_letter, 'text/plain', 'no-cache');
    insert into app.derived_images (version, name, blob_key, content_type, bytes)
    values (v_canary, 'small', v_company || '/objects/' || v_letter, 'image/webp', 1);
    insert into app.part_uploads (id, kind, asker, company_id, bucket_id, name, content_type, cache_control, expires_at)
    values (proof.id(v_letter, 'e11'), 'tus', v_canary, v_company, v_canary, v_canary, 'text/plain', 'no-cache', now() + interval '1 day');
    insert into app.upload_parts (upload_id, position, bytes, etag, blob_key)
    values (proof.id(v_letter, 'e11'), 0, 1, v_letter, v_company || '/objects/' || v_letter);
    insert into app.s3_keys (company_id, id, api_key_id, secret)
    select v_company, i.id, k.id, v_canary from (select x.id from public.api_keys x where x.company_id = v_company order by x.id limit 1) k,
           (values (proof.id(v_letter, 'e12')), (proof.id('c', 'e12'))) i (id);
    insert into app.http_requests (company_id, number, method, url, timeout_ms) values (v_company, 4100 + ascii(v_letter), 'GET', 'https://' || v_canary, 1000);
    insert into app.signal_readings (id, signal, node, amount) values (proof.id(v_letter, 'e13'), 'errors', v_canary, 1);
    insert into app.alerts (id, rule, severity, body, raised_at, seen_at, resolved_at)
    select proof.id(v_letter, 'e14'), r.name, 'warning', v_canary, now(), now(), now() from app.alert_rules r order by r.name limit 1;
    insert into app.alert_deliveries (id, alert_id, event, channel, created_at)
    values (proof.id(v_letter, 'e15'), proof.id(v_letter, 'e14'), 'raised', 'mail', now());
    insert into app.backup_logs (id, filename, backup_type, status, error_message) values (proof.id(v_letter, 'e17'), v_canary, 'manual', 'failed', v_canary);
    insert into app.recovery_checkpoints (id, name, position) values (proof.id(v_letter, 'e18'), v_canary, '0/1');
    insert into app.presence_nodes (id) values (proof.id(v_letter, 'e19'));
    insert into app.presences (company_id, id, node_id, reference, user_id, channel, status)
    values (v_company, proof.id(v_letter, 'e20'), proof.id(v_letter, 'e19'), v_canary, proof.id(v_letter, '101'), 'company:' || v_company || ':board', v_canary),
           (v_company, proof.id('c', 'e20'), proof.id(v_letter, 'e19'), v_letter, proof.id(v_letter, '101'), 'company:' || v_company || ':jobs', v_canary);
    insert into app.company_removals (digest) values (sha256(convert_to(v_canary, 'UTF8')));
    insert into realtime.messages (id, topic, extension, payload, private)
    values (proof.id(v_letter, 'e16'), 'company:' || v_company || ':' || v_letter, 'broadcast', jsonb_build_object('name', v_canary), true);
  end loop;
end $$;

-- Buckets of companies are asked for over HTTP: what their files' policies say stands in no column that this world compares.
delete from storage.buckets b using app.company_buckets c where c.id = b.id;

-- What was written of all this by triggers is neither in the words nor under the ids of this world.
delete from public.audit_logs where id::text not like '01900000-0000-7000-8000-%';
delete from public.activities where id::text not like '01900000-0000-7000-8000-%';
delete from app.events where id::text not like '01900000-0000-7000-8000-%';
insert into app.audit_batches (company_id, number, first_xid, below_xid, row_count, row_ids, row_digests, previous_digest, digest)
select proof.id(l, '000'), 1, '0', '1', 1, array[proof.id(l, 'e01')], sha256(l::bytea), '', sha256(l::bytea) from unnest(array['a', 'b']) l;
insert into app.idempotency_keys (company_id, caller_id, caller_role, route, key, fingerprint, status, headers, body, expires_at)
select proof.id(l, '000'), proof.id(l, '101'), 'authenticated', 'POST /jobs', l || ' once', sha256(l::bytea), 201, '{}', l, now() + interval '1 day'
  from unnest(array['a', 'b']) l;
