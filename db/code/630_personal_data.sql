-- Where personal data stands: which rows are a person's, and what becomes of each when he is erased.
-- Invariant: what a label (db/code/290_mask.sql) says to be personal, and what is free text beside it, has a place here. Of the books
-- numbers, dates and amounts stay, and what was sold; names go.

-- Whether a text tells of somebody: it has one of his words, or the id of one of his rows.
create or replace function app.tells_of(p_text text, p_rows uuid[], p_words text[]) returns boolean
  language sql stable
  set search_path = ''
as $$
  select coalesce(lower(p_text) like any (p_words), false)
      or exists (select from regexp_matches(p_text, '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'g') m (found)
                  where m.found[1]::uuid = any (p_rows))
$$;
revoke all on function app.tells_of(text, uuid[], text[]) from public;
grant execute on function app.tells_of(text, uuid[], text[]) to app_definer;

-- A row t is the person's where p_whose holds. In it $1 are the companies that are looked at, $2 is the person, $3 are ids of rows of
-- his, and $4 patterns of his words: addresses, numbers, whole names.
-- deed: 'empty' takes labelled columns, texts that are shown as HTML, and the columns that are named; 'listed' only those that are named;
-- 'delete' the row. named holds what is no label's: words that are free, and what would lead back to the person.
-- is_his: the row is told to the person, and its id leads to what hangs on it. Rows that only mention him are not his.
create or replace function app.personal_places()
  returns table (place integer, subject text, table_name text, deed text, is_his boolean, whose text, named text[])
  language sql immutable
  set search_path = ''
as $$
  select row_number() over ()::integer, p.* from (values
    -- A customer: himself, and what belongs to him.
    ('customer', 'public.customers', 'empty', true, 't.company_id = any ($1) and t.id = $2',
     '{city,state,zip_code,country,lat,lon,tags,metadata,sales_context,service_flags,page_content,page_layout,stripe_customer_id,communication_preferences,user_id,portal_enabled,preferred_contact_method,preferred_payment_method,source}'::text[]),
    ('customer', 'public.customer_contacts', 'delete', true, 't.company_id = any ($1) and t.customer_id = $2', '{}'),
    ('customer', 'public.customer_addresses', 'delete', true, 't.company_id = any ($1) and t.customer_id = $2', '{}'),
    ('customer', 'public.customer_tags', 'delete', true, 't.company_id = any ($1) and t.customer_id = $2', '{}'),
    ('customer', 'public.properties', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2',
     '{name,city,state,zip_code,country,lat,lon,best_access_time,metadata}'),
    ('customer', 'public.jobs', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2',
     '{title,ai_categories,ai_equipment,ai_tags,metadata,lead_source_detail,marketing_campaign,review_url}'),
    ('customer', 'public.schedules', 'empty', true, 't.company_id = any ($1) and (t.customer_id = $2 or t.job_id = any ($3))',
     '{title,confirmed_by,cancellation_reason,double_booking_reason,metadata}'),
    ('customer', 'public.estimates', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2', '{title,rejection_reason,metadata,acceptance_token}'),
    ('customer', 'public.invoices', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2',
     '{title,cancellation_reason,page_content,metadata,payment_token}'),
    ('customer', 'public.payments', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2',
     '{reference_number,bank_name,failure_message,processor_metadata,refund_reason,receipt_url,metadata}'),
    ('customer', 'public.credit_notes', 'listed', true, 't.company_id = any ($1) and t.customer_id = $2', '{reason}'),
    ('customer', 'public.payment_methods', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2', '{provider_token,is_active}'),
    ('customer', 'public.contracts', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2', '{title,signer_title,metadata}'),
    ('customer', 'public.equipment', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2',
     '{name,location,serial_number,photos,documents,metadata,vehicle_vin,vehicle_license_plate}'),
    ('customer', 'public.service_plans', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2', '{name,paused_reason,cancelled_reason,metadata}'),
    ('customer', 'public.recurrences', 'listed', true, 't.company_id = any ($1) and (t.customer_id = $2 or t.job_id = any ($3))', '{name,template}'),
    ('customer', 'public.requests', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2',
     '{title,city,state,zip_code,preferred_times,declined_reason,metadata}'),
    ('customer', 'public.form_submissions', 'empty', true, 't.company_id = any ($1) and (t.customer_id = $2 or t.job_id = any ($3))', '{answers}'),
    ('customer', 'public.customer_reviews', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2', '{title,flag_reason}'),
    ('customer', 'public.communications', 'empty', true,
     't.company_id = any ($1) and (t.customer_id = $2 or t.job_id = any ($3) or lower(concat_ws('' '', t.from_address, t.to_address)) like any ($4))',
     '{attachments,failure_reason,call_sentiment,provider_metadata,tags,metadata}'),
    ('customer', 'public.jobs_archive', 'empty', true, 't.company_id = any ($1) and t.customer_id = $2', '{title}'),
    ('customer', 'public.jobs_archive_restricted', 'listed', true, 't.company_id = any ($1) and t.id = any ($3)', '{children}'),
    -- What hangs on his jobs and things.
    ('customer', 'public.job_equipment', 'empty', true, 't.company_id = any ($1) and t.job_id = any ($3)', '{condition_before,condition_after}'),
    ('customer', 'public.job_tags', 'empty', true, 't.company_id = any ($1) and t.job_id = any ($3)', '{}'),
    ('customer', 'public.equipment_tags', 'empty', true, 't.company_id = any ($1) and t.equipment_id = any ($3)', '{}'),
    ('customer', 'public.job_team_assignments', 'empty', false, 't.company_id = any ($1) and t.job_id = any ($3)', '{}'),
    ('customer', 'public.time_entries', 'empty', false, 't.company_id = any ($1) and t.job_id = any ($3)', '{}'),
    ('customer', 'public.purchase_orders', 'listed', false, 't.company_id = any ($1) and t.job_id = any ($3)',
     '{delivery_address,notes,internal_notes,description,title}'),
    ('customer', 'public.notes', 'delete', true, 't.company_id = any ($1) and (t.entity_id = any ($3) or t.job_id = any ($3))', '{}'),
    ('customer', 'public.attachments', 'delete', true, 't.company_id = any ($1) and (t.entity_id = any ($3) or t.job_id = any ($3))', '{}'),
    ('customer', 'public.file_storage', 'delete', true, 't.company_id = any ($1) and (t.entity_id = any ($3) or t.job_id = any ($3))', '{}'),
    ('customer', 'storage.objects', 'delete', false,
     't.bucket_id in (select b.id from app.company_buckets b) and t.path_tokens[1] = any ($1::text[]) and t.path_tokens[2:] && $3::text[]', '{}'),
    ('customer', 'public.custom_field_values', 'delete', true, 't.company_id = any ($1) and t.entity_id = any ($3)', '{}'),
    ('customer', 'public.public_links', 'delete', true,
     't.company_id = any ($1) and (t.customer_id = $2 or t.job_id = any ($3) or t.invoice_id = any ($3) or t.estimate_id = any ($3) or t.contract_id = any ($3))', '{}'),
    ('customer', 'auth.portal_sessions', 'delete', true, 't.company_id = any ($1) and t.customer_id = $2', '{}'),
    ('customer', 'public.legal_holds', 'listed', false, 't.company_id = any ($1) and t.customer_id = $2', '{reason}'),
    ('customer', 'public.consents', 'keep', true, 't.company_id = any ($1) and t.customer_id = $2', '{}'),
    -- What was written of him beside his rows.
    ('customer', 'public.activities', 'empty', false,
     't.company_id = any ($1) and (t.entity_id = any ($3) or t.related_entity_id = any ($3) or t.job_id = any ($3))',
     '{action,old_value,new_value,description,metadata,attachment_url,attachment_name}'),
    ('customer', 'public.email_logs', 'delete', true,
     't.company_id = any ($1) and (t.customer_id = $2 or t.job_id = any ($3) or t.invoice_id = any ($3) or app.tells_of(concat_ws('' '', t."to", t.subject, t.template_data::text), $3, $4))', '{}'),
    ('customer', 'public.suppressions', 'delete', false, 't.company_id = any ($1) and lower(t.address_key) like any ($4)', '{}'),
    -- A contact: whoever one speaks with at a customer. What the customer is known by stays.
    ('contact', 'public.customer_contacts', 'delete', true, 't.company_id = any ($1) and t.id = $2', '{}'),
    ('contact', 'public.communications', 'empty', true,
     't.company_id = any ($1) and lower(concat_ws('' '', t.from_address, t.to_address)) like any ($4)',
     '{attachments,failure_reason,call_sentiment,provider_metadata,tags,metadata}'),
    ('contact', 'public.contracts', 'listed', true, 't.company_id = any ($1) and lower(concat_ws('' '', t.signer_email, t.signer_name)) like any ($4)',
     '{signer_name,signer_email,signer_title,signer_company}'),
    ('contact', 'public.estimates', 'listed', true, 't.company_id = any ($1) and lower(t.accepted_by_name) like any ($4)', '{accepted_by_name}'),
    ('contact', 'public.custom_field_values', 'delete', true, 't.company_id = any ($1) and t.entity_id = $2', '{}'),
    ('contact', 'public.notes', 'delete', true, 't.company_id = any ($1) and t.entity_id = $2', '{}'),
    ('contact', 'public.activities', 'empty', false,
     't.company_id = any ($1) and (t.entity_id = $2 or t.related_entity_id = $2 or app.tells_of(concat_ws('' '', t.action, t.description, t.old_value, t.new_value, t.metadata::text), array[$2], $4))',
     '{action,old_value,new_value,description,metadata,attachment_url,attachment_name}'),
    ('contact', 'public.email_logs', 'delete', true,
     't.company_id = any ($1) and app.tells_of(concat_ws('' '', t."to", t.subject, t.template_data::text), array[$2], $4)', '{}'),
    ('contact', 'public.suppressions', 'delete', false, 't.company_id = any ($1) and lower(t.address_key) like any ($4)', '{}'),
    -- An account: who signs in, and is a member of companies.
    ('account', 'auth.users', 'keep', true, 't.id = $2', '{}'),
    ('account', 'public.users', 'empty', true, 't.id = $2', '{avatar,preferences,external_id,stripe_customer_id}'),
    ('account', 'public.team_members', 'empty', true, 't.user_id = $2',
     '{job_title,department,voicemail_pin,voicemail_greeting_url,phone_extension,call_forwarding_enabled}'),
    ('account', 'auth.identities', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'auth.sessions', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'auth.mfa_factors', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'auth.passkeys', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'auth.passkey_challenges', 'delete', false, 't.user_id = $2', '{}'),
    ('account', 'auth.one_time_tokens', 'delete', false, 't.user_id = $2', '{}'),
    ('account', 'auth.flow_states', 'delete', false, 't.user_id = $2', '{}'),
    ('account', 'auth.oauth_consents', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'auth.oauth_authorizations', 'delete', false, 't.user_id = $2', '{}'),
    ('account', 'auth.scim_users', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'auth.security_events', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'app.push_devices', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'app.s3_keys', 'delete', false, 't.created_by = $2', '{}'),
    ('account', 'public.verification_tokens', 'delete', true, 't.user_id = $2 or lower(t.email) like any ($4)', '{}'),
    ('account', 'public.invitations', 'delete', true, 'lower(t.email) like any ($4)', '{}'),
    ('account', 'public.chats', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'public.messages_v2', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'public.votes_v2', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'public.streams', 'delete', false, 't.user_id = $2', '{}'),
    ('account', 'public.documents', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'public.suggestions', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'public.notification_queue', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'public.notification_preferences', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'public.notification_choices', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'app.notification_digests', 'delete', false, 't.user_id = $2', '{}'),
    ('account', 'app.presences', 'delete', false, 't.user_id = $2', '{}'),
    ('account', 'public.technician_positions', 'delete', true, 't.user_id = $2', '{}'),
    ('account', 'public.api_rate_limits', 'delete', false, 't.user_id = $2', '{}'),
    ('account', 'public.legal_holds', 'listed', false, 't.user_id = $2', '{reason}'),
    ('account', 'public.absences', 'listed', true, 't.user_id = $2', '{reason}'),
    ('account', 'public.time_entries', 'empty', true, 't.user_id = $2', '{}'),
    ('account', 'public.shifts', 'empty', true, 't.user_id = $2', '{}'),
    ('account', 'public.member_skills', 'listed', true, 't.user_id = $2', '{certificate_number}'),
    ('account', 'public.member_zones', 'empty', true, 't.user_id = $2', '{}'),
    ('account', 'public.job_team_assignments', 'empty', true, 't.user_id = $2', '{}'),
    ('account', 'public.role_change_log', 'listed', true, 't.user_id = $2', '{reason}'),
    ('account', 'public.ownership_transfers', 'empty', true, 't.from_user_id = $2 or t.to_user_id = $2', '{reason,user_agent}'),
    ('account', 'public.inventory_locations', 'empty', true, 't.user_id = $2', '{name}'),
    ('account', 'public.notes', 'listed', false, 't.created_by = $2', '{author_name}'),
    ('account', 'public.customers', 'listed', false, 't.user_id = $2', '{user_id}'),
    ('account', 'public.api_keys', 'listed', false, 't.created_by = $2', '{is_active,last_used_ip}'),
    ('account', 'public.activities', 'listed', false, 't.company_id = any ($1) and (t.actor_id = $2 or lower(t.action) like any ($4))', '{actor_name,action}'),
    ('account', 'storage.objects', 'delete', false, 't.path_tokens @> array[$2::text]', '{}'),
    ('account', 'public.email_logs', 'delete', true,
     't.user_id = $2 or t.company_id = any ($1) and app.tells_of(concat_ws('' '', t."to", t.subject, t.template_data::text), $3, $4)', '{}'),
    -- Records of work that mention him, of either.
    ('both', 'public.notification_queue', 'delete', false,
     't.company_id = any ($1) and (t.entity_id = any ($3) or app.tells_of(concat_ws('' '', t.subject, t.body, t.metadata::text), $3, $4))', '{}'),
    ('both', 'app.notification_events', 'delete', false, 't.company_id = any ($1) and (t.entity_id = any ($3) or app.tells_of(concat_ws('' '', t.payload::text, t.error), $3, $4))', '{}'),
    ('both', 'app.notification_decisions', 'delete', false, 't.company_id = any ($1) and (t.entity_id = any ($3) or t.user_id = $2)', '{}'),
    ('both', 'app.events', 'delete', false, 't.company_id = any ($1) and (t.row_id = any ($3) or app.tells_of(t.payload::text, $3, $4))', '{}'),
    ('both', 'public.webhook_logs', 'empty', false, 't.company_id = any ($1) and app.tells_of(concat_ws('' '', t.payload::text, t.response_body), $3, $4)', '{error_message,attempts}'),
    ('both', 'app.tasks', 'delete', false,
     't.company_id = any ($1) and t.state <> ''running'' and t.kind <> ''erase_person'' and app.tells_of(concat_ws('' '', t.label, t.payload::text, t.errors::text, t.mark::text), $3, $4)', '{}'),
    ('both', 'app.done_tasks', 'delete', false,
     't.company_id = any ($1) and t.kind <> ''erase_person'' and app.tells_of(concat_ws('' '', t.label, t.payload::text, t.errors::text, t.result::text), $3, $4)', '{}'),
    ('both', 'app.dead_tasks', 'delete', false,
     't.company_id = any ($1) and t.kind <> ''erase_person'' and app.tells_of(concat_ws('' '', t.label, t.payload::text, t.errors::text, t.mark::text), $3, $4)', '{}'),
    ('both', 'app.cron_runs', 'empty', false, 't.works_for = any ($1) and app.tells_of(concat_ws('' '', t.name, t.what, t.message), $3, $4)', '{what}'),
    ('both', 'app.idempotency_keys', 'delete', false,
     't.company_id = any ($1) and (t.caller_id = $2 or app.tells_of(t.body, $3, $4))', '{}'),
    ('both', 'app.inbound_events', 'listed', false, 'app.tells_of(t.payload::text, $3, $4) and t.finished_at is not null', '{payload}'),
    ('both', 'app.http_requests', 'delete', false, 't.company_id = any ($1) and app.tells_of(concat_ws('' '', t.url, t.params::text, t.content), $3, $4)', '{}'),
    ('both', 'app.import_rows', 'listed', false, 't.company_id = any ($1) and (t.row_id = any ($3) or app.tells_of(t.before::text, $3, $4))', '{before}'),
    ('both', 'app.import_errors', 'delete', false, 't.company_id = any ($1) and app.tells_of(t.message, $3, $4)', '{}'),
    -- Whose rows stand in a file nobody looks up: all of them go.
    ('both', 'public.data_imports', 'listed', false,
     't.company_id = any ($1) and (t.blob_key is not null or t.errors_key is not null) and t.status not in (''pending'', ''running'')',
     '{blob_key,errors_key,errors,left_rows,file_name,error_message}'),
    ('both', 'public.data_exports', 'delete', false, 't.company_id = any ($1) and t.status not in (''pending'', ''running'')', '{}'),
    ('both', 'app.captured_messages', 'delete', false, 'lower(t.recipient) like any ($4) or app.tells_of(concat_ws('' '', t.subject, t.body_text), $3, $4)', '{}'),
    ('both', 'app.outbox', 'delete', false, '(t.company_id = any ($1) or t.company_id is null) and lower(t.recipient) like any ($4)', '{}'),
    ('both', 'app.message_attempts', 'delete', false, '(t.company_id = any ($1) or t.company_id is null) and lower(t.recipient) like any ($4)', '{}'),
    ('both', 'realtime.messages', 'delete', false,
     't.topic like any (array(select ''company:'' || c || ''%'' from unnest($1) c)) and app.tells_of(t.payload::text, $3, $4)', '{}')
  ) p (subject, table_name, deed, is_his, whose, named)
$$;
revoke all on function app.personal_places() from public;
grant execute on function app.personal_places() to app_definer;

-- What stands in a column afterwards, as SQL of t; null where it is not taken. $5 is what the person is called then.
create or replace function app.erased_columns(p_table regclass, p_deed text, p_named text[]) returns text
  language sql stable
  set search_path = ''
as $$
  select string_agg(format('%I = %s', a.attname, case
    when p_table = 'public.customers'::regclass and a.attname = 'first_name' then '''Erased'''
    when p_table = 'public.customers'::regclass and a.attname = 'last_name' then 'substr($5, 8)'
    when a.atttypid = 'boolean'::regtype then 'false'
    when not a.attnotnull then 'null'
    when l.label like 'pii:name%' then '$5'
    when l.label like 'pii:email%' then ''''''
    when a.atttypid = 'jsonb'::regtype then format('case jsonb_typeof(t.%I) when ''array'' then ''[]''::jsonb else ''{}'' end', a.attname)
    when t.typcategory = 'A' then '''{}'''
    else '''[erased]''' end), ', ' order by a.attnum)
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join lateral (select pg_catalog.col_description(a.attrelid, a.attnum) as label) l on true
   where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attname not in ('id', 'company_id')
     and (a.attname = any (p_named) or p_deed = 'empty' and l.label ~ '^(pii:|html$)')
$$;
revoke all on function app.erased_columns(regclass, text, text[]) from public;
grant execute on function app.erased_columns(regclass, text, text[]) to app_definer;

-- What a row shows of itself to its person: all but secrets, and what is made of other columns to be searched.
create or replace function app.shown_of(p_table regclass) returns text[]
  language sql stable
  set search_path = ''
as $$
  select app.secret_columns(p_table) || array['search_vector', 'encrypted_password', 'confirmation_token', 'recovery_token', 'email_change_token_new',
                                              'email_change_token_current', 'phone_change_token', 'reauthentication_token']
$$;
revoke all on function app.shown_of(regclass) from public;
grant execute on function app.shown_of(regclass) to app_definer;
