-- What guests see: customers of a company in its portal, and whoever has a link of it. They run as the role guest, which has the rights that stand here
-- and no other: columns of some tables to read, and the functions of what they may do.
-- Invariants: a guest reads rows of his own, by the columns that are meant for him; he writes no table. What nobody showed to a customer
-- yet, such as a draft, is not there for him.

-- p_whose: when a row is the guest's. p_when: what must be true of it beside that.
create or replace function app.admit(p_table regclass, p_noun text, p_columns text[], p_whose text, p_when text default null) returns void
  language plpgsql
  set search_path = ''
as $$
begin
  execute format('revoke all on %s from guest', p_table);
  execute format('drop policy if exists guest_read on %s', p_table);
  execute format('create policy guest_read on %s as permissive for select to guest using ((select app.has_permission(%L)) and (%s)',
                 p_table, p_noun || ':read_own', p_whose) || coalesce(' and (' || p_when || ')', '') || ')';
  execute format('grant select (%s) on %s to guest', (select string_agg(quote_ident(c), ', ') from unnest(p_columns) c), p_table);
end $$;
comment on function app.admit(regclass, text, text[], text, text) is
  'Lets guests read columns of the rows of a table that are theirs, where they hold noun:read.';
revoke all on function app.admit(regclass, text, text[], text, text) from public;

select app.admit('public.companies', 'companies',
  '{id,name,slug,legal_name,doing_business_as,logo,logo_url,email,phone,support_email,support_phone,website,website_url,address,address2,city,state,
    zip_code,country,business_timezone,currency,brand_color,brand_primary_color,brand_secondary_color,deleted_at}',
  'id = (select app.company_id())');
select app.admit('public.customers', 'customers',
  '{company_id,id,type,first_name,last_name,company_name,display_name,email,phone,secondary_phone,address,address2,city,state,zip_code,country,
    billing_email,currency,outstanding_balance,communication_preferences,preferred_contact_method,deleted_at,created_at}',
  'id = (select app.customer_id())', 'deleted_at is null');
select app.admit('public.properties', 'properties',
  '{company_id,id,customer_id,name,address,address2,city,state,zip_code,country,property_type,square_footage,year_built,deleted_at,created_at}',
  'customer_id = (select app.customer_id())', 'deleted_at is null');
select app.admit('public.jobs', 'jobs',
  '{company_id,id,job_number,customer_id,property_id,title,description,status,job_type,service_type,scheduled_start,scheduled_end,actual_start,
    actual_end,currency,total_amount,paid_amount,deleted_at,created_at,updated_at}',
  'customer_id = (select app.customer_id()) or id = (select app.linked_id())', 'deleted_at is null');
select app.admit('public.schedules', 'schedules',
  '{company_id,id,customer_id,property_id,job_id,type,title,start_time,end_time,all_day,status,confirmed_at,actual_start_time,actual_end_time,
    cancelled_at,customer_notes,deleted_at,created_at,updated_at}',
  'customer_id = (select app.customer_id())', 'deleted_at is null');
select app.admit('public.estimates', 'estimates',
  '{company_id,id,job_id,property_id,customer_id,estimate_number,title,description,status,currency,tax_rate,subtotal,taxable_subtotal,discount_amount,
    tax_amount,total_amount,valid_until,terms,sent_at,viewed_at,responded_at,selected_option_id,accepted_by_name,deleted_at,created_at,updated_at}',
  'customer_id = (select app.customer_id()) or id = (select app.linked_id())', $$deleted_at is null and status in ('sent', 'viewed', 'accepted', 'rejected', 'expired')$$);
select app.admit('public.estimate_options', 'estimate_lines',
  '{company_id,id,estimate_id,name,tier,description,position,is_recommended,currency,subtotal,taxable_subtotal,discount_amount,tax_amount,total_amount}',
  'exists (select from public.estimates parent where parent.company_id = estimate_options.company_id and parent.id = estimate_options.estimate_id)');
select app.admit('public.estimate_line_items', 'estimate_lines',
  '{company_id,id,estimate_id,option_id,position,kind,description,unit,quantity,unit_price,discount_amount,total,is_taxable,is_optional,is_selected}',
  'exists (select from public.estimates parent where parent.company_id = estimate_line_items.company_id and parent.id = estimate_line_items.estimate_id)');
select app.admit('public.invoices', 'invoices',
  '{company_id,id,job_id,customer_id,property_id,estimate_id,invoice_number,title,description,status,currency,tax_rate,subtotal,taxable_subtotal,
    discount_amount,tax_amount,total_amount,paid_amount,credited_amount,balance_amount,due_date,terms,issued_at,sent_at,viewed_at,paid_at,
    cancelled_at,deleted_at,created_at,updated_at}',
  'customer_id = (select app.customer_id()) or id = (select app.linked_id())', $$deleted_at is null and status <> 'draft'$$);
select app.admit('public.invoice_line_items', 'invoice_lines',
  '{company_id,id,invoice_id,position,kind,description,unit,quantity,unit_price,discount_amount,total,is_taxable}',
  'exists (select from public.invoices parent where parent.company_id = invoice_line_items.company_id and parent.id = invoice_line_items.invoice_id)');
select app.admit('public.payments', 'payments',
  '{company_id,id,customer_id,invoice_id,job_id,payment_number,currency,amount,payment_method,payment_type,card_brand,card_last4,status,
    refunded_amount,refunded_at,receipt_url,receipt_number,customer_notes,completed_at,deleted_at,created_at}',
  'customer_id = (select app.customer_id())', 'deleted_at is null');
select app.admit('public.contracts', 'contracts',
  '{company_id,id,job_id,estimate_id,invoice_id,customer_id,contract_number,title,description,content,status,contract_type,signer_name,signer_email,
    signer_title,signer_company,signature,signed_at,valid_from,valid_until,terms,sent_at,viewed_at,deleted_at,created_at,updated_at}',
  'customer_id = (select app.customer_id()) or id = (select app.linked_id())', $$deleted_at is null and status in ('sent', 'viewed', 'signed', 'rejected', 'expired', 'cancelled')$$);
select app.admit('public.communications', 'communications',
  '{company_id,id,customer_id,job_id,estimate_id,invoice_id,type,direction,channel,from_name,to_name,subject,body,body_plain,status,sent_at,
    deleted_at,created_at}',
  'customer_id = (select app.customer_id())',
  $$deleted_at is null and not is_internal and type <> 'note' and status in ('sent', 'delivered', 'read', 'received')$$);

-- Who may not come in any more is out, and stays out when he may again.
create or replace function app.end_portal_sessions() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  update auth.portal_sessions s set ended_at = now()
   where s.company_id = new.company_id and s.customer_id = new.id and s.ended_at is null;
  return null;
end $$;
alter function app.end_portal_sessions() owner to app_definer;
revoke all on function app.end_portal_sessions() from public;
create or replace trigger end_portal_sessions after update on public.customers
  for each row when (old.portal_enabled and not new.portal_enabled
                     or old.status <> new.status and new.status not in ('active', 'inactive')
                     or old.archived_at is null and new.archived_at is not null
                     or old.deleted_at is null and new.deleted_at is not null)
  execute function app.end_portal_sessions();

-- Told by a trigger: it is no edit of the customer.
create or replace function app.note_portal_login() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  update public.customers c set portal_last_login_at = new.opened_at
   where c.company_id = new.company_id and c.id = new.customer_id;
  return null;
end $$;
alter function app.note_portal_login() owner to app_definer;
revoke all on function app.note_portal_login() from public;
create or replace trigger note_login after update on auth.portal_sessions
  for each row when (old.opened_at is null and new.opened_at is not null) execute function app.note_portal_login();

revoke all on auth.portal_sessions from public, anon, authenticated, service_role, guest;
grant select, insert, update, delete on auth.portal_sessions to service_role;
