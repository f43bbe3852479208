-- Where personal data stands: which rows are a person's, and what becomes of each when he is erased.
-- Invariant: what a label (db/code/290_mask.sql) says to be personal, and what is free text beside it, has a place here. Of the books
-- numbers, dates and amounts stay, and what was sold; names go.

-- What an address is compared by: an e-mail address in small letters, without the name before it; of a telephone number the digits, seven at
-- least: what somebody wrote where he had no number is nobody's address.
create or replace function app.address_of(p_text text) returns text
  language sql immutable
  set search_path = ''
as $$
  select case when x.said like '%_@_%' then x.said
              when x.said ~ '^[+0-9() .-]{7,}$' and length(x.digits) >= 7 then case when x.digits ~ '^[0-9]{10}$' and x.said !~ '^\+' then '1' else '' end || x.digits end
    from (select s.said, regexp_replace(s.said, '[^0-9]', '', 'g') as digits
            from (select lower(btrim(coalesce(substring(p_text from '<([^<>]*)>'), p_text)))) s (said)) x
$$;
revoke all on function app.address_of(text) from public;
grant execute on function app.address_of(text) to app_definer;

-- Whether something is for one of these addresses, or from one: it is that address, or one of those between commas.
create or replace function app.is_sent_to(p_text text, p_addresses text[]) returns boolean
  language sql immutable
  set search_path = ''
as $$
  select exists (select from regexp_split_to_table(p_text, '[,;]') m (address) where app.address_of(m.address) = any (p_addresses))
$$;
revoke all on function app.is_sent_to(text, text[]) from public;
grant execute on function app.is_sent_to(text, text[]) to app_definer;

-- Whether a text has one of the words as a whole: that of ann@x.com is not in joann@x.com. JSON writes the end of a line as two letters.
create or replace function app.has_words(p_text text, p_words text[]) returns boolean
  language sql immutable
  set search_path = ''
as $$
  select exists (
    select from unnest(p_words) w (word)
     where w.word <> '' and strpos(lower(p_text), w.word) > 0
       and regexp_replace(lower(p_text), '\\([nrtbf"]|u[0-9a-f]{4})', ' ', 'g')
             ~ (case when w.word ~ '^[+0-9() .-]+$' then '(?<![0-9])' else '(?<![[:alnum:]._%+@-])' end
                || regexp_replace(w.word, '([^[:alnum:][:space:]])', '\\\1', 'g')
                || case when w.word ~ '^[+0-9() .-]+$' then '(?![0-9])' else '(?![[:alnum:]_@-]|\.[[:alnum:]])' end))
$$;
revoke all on function app.has_words(text, text[]) from public;
grant execute on function app.has_words(text, text[]) to app_definer;

-- Whether a text tells of somebody: it has one of his words, or the id of one of his rows.
create or replace function app.tells_of(p_text text, p_rows uuid[], p_words text[]) returns boolean
  language sql stable
  set search_path = ''
as $$
  select app.has_words(p_text, p_words)
      or exists (select from regexp_matches(p_text, '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'g') m (found)
                  where m.found[1]::uuid = any (p_rows))
$$;
revoke all on function app.tells_of(text, uuid[], text[]) from public;
grant execute on function app.tells_of(text, uuid[], text[]) to app_definer;

-- A row t is the person's where whose holds. In it $1 are the companies that are looked at, $2 is the person, $3 are ids of rows of
-- his, $4 words by which texts tell of him, $5 his addresses as they are compared, and $6 his names. Of an account $1 has the id of no company,
-- too: what belongs to none is looked at for accounts alone, by addresses that were proved. A name is many people's: nothing is told or
-- deleted for it.
-- deed: 'empty' takes labelled columns, texts that are shown as HTML, and the columns that are named; 'listed' only those that are named;
-- 'delete' the row. named holds what is no label's: words that are free, and what would lead back to the person.
-- is_his: the row is told to the person. Rows that only mention him are not his.
-- leads: the id of the row leads to what hangs on it. What is his for a while and the company's for good does not.
drop function if exists app.personal_places();
create or replace function app.personal_places()
  returns table (place integer, subject text, table_name text, deed text, is_his boolean, leads boolean, whose text, named text[])
  language sql immutable
  set search_path = ''
as $$
  select row_number() over ()::integer, p.subject, p.table_name, p.deed, p.is_his, p.is_his and p.table_name <> 'public.inventory_locations',
         p.whose, p.named from (values
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
     't.company_id = any ($1) and (t.customer_id = $2 or t.job_id = any ($3) or t.customer_id is null and not app.is_of_held(t.company_id, array[t.job_id])
        and (app.is_sent_to(t.from_address, $5) or app.is_sent_to(t.to_address, $5)))',
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
     't.company_id = any ($1) and (t.customer_id = $2 or t.job_id = any ($3) or t.invoice_id = any ($3)
        or t.customer_id is null and not app.is_of_held(t.company_id, array[t.job_id])
           and (app.is_sent_to(t."to", $5) or app.tells_of(concat_ws('' '', t.subject, t.template_data::text), $3, $4)))', '{}'),
    -- Whoever else has that address goes on refusing.
    ('customer', 'public.suppressions', 'delete', false,
     't.company_id = any ($1) and app.is_sent_to(t.address_key, $5)
        and not exists (select from public.customers c
                         where c.company_id = t.company_id and c.id <> $2
                           and app.address_of(t.address_key) in (app.address_of(c.email), app.address_of(c.billing_email), app.address_of(c.phone), app.address_of(c.secondary_phone)))
        and not exists (select from public.customer_contacts k
                         where k.company_id = t.company_id and k.customer_id <> $2
                           and app.address_of(t.address_key) in (app.address_of(k.email), app.address_of(k.phone), app.address_of(k.mobile_phone)))', '{}'),
    -- A contact: whoever one speaks with at a customer. What the customer is known by stays, and what is another customer's who is held.
    ('contact', 'public.communications', 'empty', true,
     't.company_id = any ($1) and (app.is_sent_to(t.from_address, $5) or app.is_sent_to(t.to_address, $5)) and not app.is_of_held(t.company_id, array[t.customer_id, t.job_id])',
     '{attachments,failure_reason,call_sentiment,provider_metadata,tags,metadata}'),
    ('contact', 'public.contracts', 'listed', true, 't.company_id = any ($1) and app.is_sent_to(t.signer_email, $5) and not app.is_of_held(t.company_id, array[t.customer_id])',
     '{signer_name,signer_email,signer_title,signer_company}'),
    -- Where he signed by his name for the customer with whom he is.
    ('contact', 'public.contracts', 'listed', false,
     't.company_id = any ($1) and lower(btrim(t.signer_name)) = any ($6)
        and t.customer_id = (select c.customer_id from public.customer_contacts c where c.company_id = t.company_id and c.id = $2)',
     '{signer_name,signer_email,signer_title,signer_company}'),
    ('contact', 'public.estimates', 'listed', false,
     't.company_id = any ($1) and lower(btrim(t.accepted_by_name)) = any ($6)
        and t.customer_id = (select c.customer_id from public.customer_contacts c where c.company_id = t.company_id and c.id = $2)', '{accepted_by_name}'),
    ('contact', 'public.custom_field_values', 'delete', true, 't.company_id = any ($1) and t.entity_id = $2', '{}'),
    ('contact', 'public.notes', 'delete', true, 't.company_id = any ($1) and t.entity_id = $2', '{}'),
    ('contact', 'public.activities', 'empty', false,
     't.company_id = any ($1) and (t.entity_id = $2 or t.related_entity_id = $2
        or app.tells_of(concat_ws('' '', t.action, t.description, t.old_value, t.new_value, t.metadata::text), array[$2], $4)
           and not app.is_of_held(t.company_id, array[t.entity_id, t.related_entity_id, t.job_id]))',
     '{action,old_value,new_value,description,metadata,attachment_url,attachment_name}'),
    ('contact', 'public.email_logs', 'delete', true,
     't.company_id = any ($1) and (app.is_sent_to(t."to", $5) or app.tells_of(concat_ws('' '', t.subject, t.template_data::text), array[$2], $4))
        and not app.is_of_held(t.company_id, array[t.customer_id, t.job_id])', '{}'),
    -- Whoever else has that address goes on refusing.
    ('contact', 'public.suppressions', 'delete', false,
     't.company_id = any ($1) and app.is_sent_to(t.address_key, $5)
        and not exists (select from public.customers c
                         where c.company_id = t.company_id
                           and app.address_of(t.address_key) in (app.address_of(c.email), app.address_of(c.billing_email), app.address_of(c.phone), app.address_of(c.secondary_phone)))
        and not exists (select from public.customer_contacts k
                         where k.company_id = t.company_id and k.id <> $2
                           and app.address_of(t.address_key) in (app.address_of(k.email), app.address_of(k.phone), app.address_of(k.mobile_phone)))', '{}'),
    -- By it one sees with which customer he is, so that it goes last.
    ('contact', 'public.customer_contacts', 'delete', true, 't.company_id = any ($1) and t.id = $2', '{}'),
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
    ('account', 'public.verification_tokens', 'delete', true, 't.user_id = $2 or app.is_sent_to(t.email, $5)', '{}'),
    ('account', 'public.invitations', 'delete', true, 'app.is_sent_to(t.email, $5)', '{}'),
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
    ('account', 'public.activities', 'listed', false, 't.company_id = any ($1) and (t.actor_id = $2 or app.has_words(t.action, $4))', '{actor_name,action}'),
    -- In a company's buckets whatever somebody else put there is the company's.
    ('account', 'storage.objects', 'delete', false,
     't.path_tokens @> array[$2::text]
        and (t.owner = $2 or t.owner_id = $2::text or t.bucket_id not in (select b.id from app.company_buckets b))', '{}'),
    ('account', 'public.email_logs', 'delete', true,
     '(t.user_id = $2 or t.company_id = any ($1) and t.customer_id is null and not app.is_of_held(t.company_id, array[t.job_id])
           and (app.is_sent_to(t."to", $5) or app.tells_of(concat_ws('' '', t.subject, t.template_data::text), $3, $4)))
        and (t.customer_id is null or (app.hold_of_person(''customer'', t.company_id, t.customer_id)).id is null)', '{}'),
    -- Records of work that mention him, of either.
    ('both', 'public.notification_queue', 'delete', false,
     't.company_id = any ($1) and (t.entity_id = any ($3) or app.tells_of(concat_ws('' '', t.subject, t.body, t.metadata::text), $3, $4))', '{}'),
    ('both', 'app.notification_events', 'delete', false, 't.company_id = any ($1) and (t.entity_id = any ($3) or app.tells_of(concat_ws('' '', t.payload::text, t.error), $3, $4))', '{}'),
    ('both', 'app.notification_decisions', 'delete', false, 't.company_id = any ($1) and (t.entity_id = any ($3) or t.user_id = $2)', '{}'),
    ('both', 'app.events', 'delete', false, 't.company_id = any ($1) and (t.row_id = any ($3) or app.tells_of(t.payload::text, $3, $4))', '{}'),
    ('both', 'public.webhook_logs', 'empty', false, 't.company_id = any ($1) and app.tells_of(concat_ws('' '', t.payload::text, t.response_body, t.error_message, t.attempts::text), $3, $4)', '{error_message,attempts}'),
    ('both', 'app.tasks', 'delete', false,
     -- Work of the company that only names a row goes on; it finds nothing there that names him.
     't.company_id = any ($1) and t.state <> ''running'' and t.kind <> ''erase_person''
        and (app.has_words(concat_ws('' '', t.label, t.payload::text, t.errors::text, t.mark::text), array_remove($4, $2::text))
             or t.kind in (''send_email'', ''send_sms'', ''deliver_notification'', ''webhook_delivery'', ''http_request'', ''invoice_reminder'')
                and app.tells_of(concat_ws('' '', t.label, t.payload::text, t.errors::text, t.mark::text), $3, $4))', '{}'),
    ('both', 'app.done_tasks', 'delete', false,
     't.company_id = any ($1) and t.kind <> ''erase_person'' and app.tells_of(concat_ws('' '', t.label, t.payload::text, t.errors::text, t.result::text), $3, $4)', '{}'),
    ('both', 'app.dead_tasks', 'delete', false,
     't.company_id = any ($1) and t.kind <> ''erase_person'' and app.tells_of(concat_ws('' '', t.label, t.payload::text, t.errors::text, t.mark::text), $3, $4)', '{}'),
    ('both', 'app.cron_runs', 'empty', false, 't.works_for = any ($1) and app.tells_of(concat_ws('' '', t.name, t.what, t.message), $3, $4)', '{what}'),
    ('both', 'app.idempotency_keys', 'delete', false,
     't.company_id = any ($1) and (t.caller_id = $2 or app.tells_of(t.body, $3, $4))', '{}'),
    ('both', 'app.inbound_events', 'listed', false, 
     '$1 @> array[app.no_company()] and t.finished_at is not null
        and exists (select from jsonb_path_query(t.payload, ''strict $.**'') v (said) where jsonb_typeof(v.said) = ''string'' and app.is_sent_to(v.said #>> ''{}'', $5))', '{payload}'),
    ('both', 'app.http_requests', 'delete', false, 't.company_id = any ($1) and app.tells_of(concat_ws('' '', t.url, t.params::text, t.content), $3, $4)', '{}'),
    ('both', 'app.import_rows', 'listed', false, 't.company_id = any ($1) and (t.row_id = any ($3) or app.tells_of(t.before::text, $3, $4))', '{before}'),
    ('both', 'app.import_errors', 'delete', false, 't.company_id = any ($1) and app.tells_of(t.message, $3, $4)', '{}'),
    -- Whose rows stand in a file nobody looks up: all of them go.
    ('both', 'public.data_imports', 'listed', false,
     't.company_id = any ($1) and (t.blob_key is not null or t.errors_key is not null) and t.status not in (''pending'', ''running'')',
     '{blob_key,errors_key,errors,left_rows,file_name,error_message}'),
    ('both', 'public.data_exports', 'delete', false, 't.company_id = any ($1) and t.status not in (''pending'', ''running'')', '{}'),
    ('both', 'app.captured_messages', 'delete', false, '$1 @> array[app.no_company()] and app.is_sent_to(t.recipient, $5)', '{}'),
    ('both', 'app.outbox', 'delete', false, 'coalesce(t.company_id, app.no_company()) = any ($1) and app.is_sent_to(t.recipient, $5)', '{}'),
    ('both', 'app.message_attempts', 'delete', false, 'coalesce(t.company_id, app.no_company()) = any ($1) and app.is_sent_to(t.recipient, $5)', '{}'),
    ('both', 'realtime.messages', 'delete', false,
     't.topic like any (array(select ''company:'' || c || ''%'' from unnest($1) c)) and app.tells_of(t.payload::text, $3, $4)', '{}')
  ) p (subject, table_name, deed, is_his, whose, named)
$$;
revoke all on function app.personal_places() from public;
grant execute on function app.personal_places() to app_definer;

-- What stands in a column afterwards, as SQL of t; null where it is not taken. $7 is what the person is called then. What is to be unlike any
-- other of its kind has the row's id in it, so that a second person can go where one went.
create or replace function app.erased_columns(p_table regclass, p_deed text, p_named text[]) returns text
  language sql stable
  set search_path = ''
as $$
  select string_agg(format('%I = %s', a.attname, case
    when p_table = 'public.customers'::regclass and a.attname = 'first_name' then '''Erased'''
    when p_table = 'public.customers'::regclass and a.attname = 'last_name' then 'substr($7, 8)'
    when a.atttypid = 'boolean'::regtype then 'false'
    when not a.attnotnull then 'null'
    when u.is_unique and t.typcategory = 'S' then '''[erased] '' || right(t.id::text, 8)'
    when l.label like 'pii:name%' then '$7'
    when l.label like 'pii:email%' then ''''''
    when a.atttypid = 'jsonb'::regtype then format('case jsonb_typeof(t.%I) when ''array'' then ''[]''::jsonb else ''{}'' end', a.attname)
    when t.typcategory = 'A' then '''{}'''
    else '''[erased]''' end), ', ' order by a.attnum)
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join lateral (select pg_catalog.col_description(a.attrelid, a.attnum) as label) l on true
   cross join lateral (select exists (select from pg_catalog.pg_index i where i.indrelid = a.attrelid and i.indisunique and a.attnum = any (i.indkey)) as is_unique) u
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
