-- What guests do: a customer in the portal with what is his, whoever has a link with the one row that it is of. Each function asks for the
-- permission, finds the row only where it is the guest's, and uses a link up in the transaction of what it was for.
-- Invariant: a link does no more than its uses, however many come with it at once.

-- Uses a link up, where it is one that opened this transaction.
create or replace function app.use_link() returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  if app.member_role() is distinct from 'link' then
    return;
  end if;
  update public.public_links l
     set use_count = l.use_count + 1, last_used_at = now(),
         last_used_ip = nullif((nullif(current_setting('request.headers', true), '')::jsonb) ->> 'x-real-ip', '')::inet
   where l.company_id = app.company_id() and l.id = (auth.jwt() ->> 'pass_id')::uuid and l.use_count < l.uses_max;
  if not found then
    raise exception using errcode = 'TH403', constraint = 'link_used_up', message = 'This link was used as often as it may be.';
  end if;
end $$;
alter function app.use_link() owner to app_definer;
revoke all on function app.use_link() from public;

create or replace function app.demand_of_guest(p_permission text) returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  if not app.has_permission(p_permission || '_own') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = format('You need the permission %s.', p_permission);
  end if;
end $$;
revoke all on function app.demand_of_guest(text) from public;
grant execute on function app.demand_of_guest(text) to app_definer;

-- What is said alike of what is not there, not the guest's, or not to be answered any more.
create or replace function app.nothing_to_answer(p_what text) returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  raise exception using errcode = 'TH404', constraint = 'nothing_to_answer',
    message = format('There is no %s of yours that waits for an answer.', p_what);
end $$;
revoke all on function app.nothing_to_answer(text) from public;
grant execute on function app.nothing_to_answer(text) to app_definer;

-- What a link is for. Of one that only shows something this is the use: what it shows is read for an hour then.
create or replace function public.open_link() returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_link public.public_links;
begin
  -- Locked, so that of two who open it at once the second finds it open.
  select l.* into v_link from public.public_links l
   where l.company_id = app.company_id() and l.id = (auth.jwt() ->> 'pass_id')::uuid and app.member_role() = 'link' for no key update;
  if not found then
    perform app.nothing_to_answer('link');
  end if;
  if v_link.purpose in ('view_estimate', 'view_invoice') and not coalesce(v_link.last_used_at > now() - interval '1 hour', false) then
    perform app.use_link();
  end if;
  return jsonb_build_object('purpose', v_link.purpose, 'expires_at', v_link.expires_at, 'estimate_id', v_link.estimate_id,
                            'invoice_id', v_link.invoice_id, 'contract_id', v_link.contract_id, 'job_id', v_link.job_id);
end $$;
alter function public.open_link() owner to app_definer;
revoke all on function public.open_link() from public;
grant execute on function public.open_link() to guest;

create or replace function app.answer_estimate(p_estimate_id uuid, p_status text, p_name text, p_signature text, p_reason text) returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_id constant uuid := coalesce(p_estimate_id, app.linked_id());
begin
  perform app.demand_of_guest('estimates:accept');
  perform from public.estimates e
    where e.company_id = app.company_id() and e.id = v_id and (e.customer_id = app.customer_id() or e.id = app.linked_id())
      and e.status in ('sent', 'viewed') and e.deleted_at is null
      for no key update;
  if not found then
    perform app.nothing_to_answer('estimate');
  end if;
  perform app.use_link();
  update public.estimates e
     set status = p_status, accepted_by_name = p_name, accepted_signature = p_signature, rejection_reason = p_reason
   where e.company_id = app.company_id() and e.id = v_id;
  return jsonb_build_object('id', v_id, 'status', p_status);
end $$;
alter function app.answer_estimate(uuid, text, text, text, text) owner to app_definer;
revoke all on function app.answer_estimate(uuid, text, text, text, text) from public;

create or replace function public.accept_estimate(name text, estimate_id uuid default null, signature text default null) returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  if app.company_id() is null or length(btrim(coalesce(accept_estimate.name, ''))) not between 1 and 200 then
    raise exception using errcode = 'TH422', constraint = 'signer_name_missing', message = 'Whoever agrees says his name.';
  end if;
  return app.answer_estimate(accept_estimate.estimate_id, 'accepted', btrim(accept_estimate.name), accept_estimate.signature, null);
end $$;
alter function public.accept_estimate(text, uuid, text) owner to app_definer;
revoke all on function public.accept_estimate(text, uuid, text) from public;
grant execute on function public.accept_estimate(text, uuid, text) to guest;

create or replace function public.decline_estimate(estimate_id uuid default null, reason text default null) returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  if app.company_id() is null then
    perform app.nothing_to_answer('estimate');
  end if;
  return app.answer_estimate(decline_estimate.estimate_id, 'rejected', null, null, left(decline_estimate.reason, 2000));
end $$;
alter function public.decline_estimate(uuid, text) owner to app_definer;
revoke all on function public.decline_estimate(uuid, text) from public;
grant execute on function public.decline_estimate(uuid, text) to guest;

create or replace function public.sign_contract(name text, signature text, contract_id uuid default null, email text default null) returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_id constant uuid := coalesce(sign_contract.contract_id, app.linked_id());
begin
  perform app.demand_of_guest('contracts:sign');
  perform from public.contracts c
    where c.company_id = app.company_id() and c.id = v_id and (c.customer_id = app.customer_id() or c.id = app.linked_id())
      and c.status in ('sent', 'viewed') and c.deleted_at is null
      for no key update;
  if not found then
    perform app.nothing_to_answer('contract');
  end if;
  perform app.use_link();
  update public.contracts c
     set status = 'signed', signer_name = btrim(sign_contract.name), signature = sign_contract.signature,
         signer_email = coalesce(sign_contract.email, c.signer_email),
         ip_address = nullif((nullif(current_setting('request.headers', true), '')::jsonb) ->> 'x-real-ip', '')
   where c.company_id = app.company_id() and c.id = v_id;
  return jsonb_build_object('id', v_id, 'status', 'signed');
end $$;
alter function public.sign_contract(text, text, uuid, text) owner to app_definer;
revoke all on function public.sign_contract(text, text, uuid, text) from public;
grant execute on function public.sign_contract(text, text, uuid, text) to guest;

-- A review of a job of the customer's, or of the company without one. Who reviews again changes what he wrote, which is looked at anew.
create or replace function public.leave_review(rating integer, review_text text default null, job_id uuid default null) returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_link     public.public_links;
  v_job      uuid := leave_review.job_id;
  v_customer uuid := app.customer_id();
  v_id       uuid;
begin
  perform app.demand_of_guest('reviews:create');
  if leave_review.rating is null or leave_review.rating not between 1 and 5 then
    raise exception using errcode = 'TH422', constraint = 'rating_invalid', message = 'A rating is 1 to 5.';
  end if;
  if app.member_role() = 'link' then
    select l.* into v_link from public.public_links l where l.company_id = app.company_id() and l.id = (auth.jwt() ->> 'pass_id')::uuid;
    v_job := v_link.job_id;
    v_customer := coalesce(v_link.customer_id, (select j.customer_id from public.jobs j where j.company_id = v_link.company_id and j.id = v_link.job_id));
  elsif v_job is not null and not exists (select from public.jobs j where j.company_id = app.company_id() and j.id = v_job
                                             and j.customer_id = v_customer and j.deleted_at is null) then
    perform app.nothing_to_answer('job');
  end if;
  perform app.use_link();
  -- One at a time, so that the second finds the first.
  perform from public.customers c where c.company_id = app.company_id() and c.id = v_customer for no key update;
  update public.customer_reviews r
     set rating = leave_review.rating, review_text = left(leave_review.review_text, 5000), moderation_status = 'pending', is_public = false
   where r.company_id = app.company_id() and r.customer_id = v_customer
     and (v_job is null and r.reviewed = 'company' or r.reviewed = 'job' and r.job_id = v_job)
  returning r.id into v_id;
  if not found then
    insert into public.customer_reviews (company_id, customer_id, job_id, rating, review_text, reviewed)
    values (app.company_id(), v_customer, v_job, leave_review.rating, left(leave_review.review_text, 5000),
            case when v_job is null then 'company' else 'job' end)
    returning id into v_id;
  end if;
  return jsonb_build_object('id', v_id);
end $$;
alter function public.leave_review(integer, text, uuid) owner to app_definer;
revoke all on function public.leave_review(integer, text, uuid) from public;
grant execute on function public.leave_review(integer, text, uuid) to guest;

create or replace function public.ask_for_visit(title text, description text default null, contact_name text default null,
                                                contact_email text default null, contact_phone text default null) returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_id uuid;
begin
  perform app.demand_of_guest('requests:create');
  perform app.use_link();
  insert into public.requests (company_id, customer_id, title, description, source, contact_name, contact_email, contact_phone)
  values (app.company_id(),
          coalesce(app.customer_id(), (select l.customer_id from public.public_links l
                                        where l.company_id = app.company_id() and l.id = (auth.jwt() ->> 'pass_id')::uuid)),
          ask_for_visit.title, left(ask_for_visit.description, 20000), case when app.member_role() = 'portal' then 'portal' else 'web' end,
          ask_for_visit.contact_name, ask_for_visit.contact_email, ask_for_visit.contact_phone)
  returning id into v_id;
  return jsonb_build_object('id', v_id);
end $$;
alter function public.ask_for_visit(text, text, text, text, text) owner to app_definer;
revoke all on function public.ask_for_visit(text, text, text, text, text) from public;
grant execute on function public.ask_for_visit(text, text, text, text, text) to guest;

-- Links are made here, since only the server knows what one says; a member takes back, or prolongs, by the row. What a link shows its
-- maker sees himself.
create or replace function app.make_link(p_link jsonb) returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_link  public.public_links := jsonb_populate_record(null::public.public_links, p_link);
  v_reads text;
begin
  perform app.demand('public_links:create');
  v_link.company_id := app.company_id();
  v_link.expires_at := coalesce(v_link.expires_at, now() + interval '72 hours');
  if v_link.expires_at <= now() then
    raise exception using errcode = 'TH422', constraint = 'link_expiry_invalid', message = 'A link cannot be over before it begins.';
  end if;
  if v_link.estimate_id is not null and not exists (select from public.estimates e where e.company_id = v_link.company_id and e.id = v_link.estimate_id)
     or v_link.invoice_id is not null and not exists (select from public.invoices i where i.company_id = v_link.company_id and i.id = v_link.invoice_id)
     or v_link.contract_id is not null and not exists (select from public.contracts c where c.company_id = v_link.company_id and c.id = v_link.contract_id)
     or v_link.job_id is not null and not exists (select from public.jobs j where j.company_id = v_link.company_id and j.id = v_link.job_id)
     or v_link.customer_id is not null and not exists (select from public.customers c where c.company_id = v_link.company_id and c.id = v_link.customer_id) then
    raise exception using errcode = 'TH422', constraint = 'link_target_missing', message = 'What the link is to be of is not there.';
  end if;
  foreach v_reads in array array_remove(array[case when v_link.estimate_id is not null then 'estimates:read' end,
                                              case when v_link.invoice_id is not null then 'invoices:read' end,
                                              case when v_link.contract_id is not null then 'contracts:read' end,
                                              case when v_link.job_id is not null then 'jobs:read' end], null) loop
    perform app.demand(v_reads);
  end loop;
  insert into public.public_links (company_id, id, token_hash, purpose, estimate_id, invoice_id, contract_id, job_id, customer_id, expires_at, uses_max)
  values (v_link.company_id, v_link.id, v_link.token_hash, v_link.purpose, v_link.estimate_id, v_link.invoice_id, v_link.contract_id, v_link.job_id,
          v_link.customer_id, v_link.expires_at, coalesce(v_link.uses_max, 1))
  returning * into v_link;
  return to_jsonb(v_link) - '{token_hash,last_used_ip}'::text[];
end $$;
alter function app.make_link(jsonb) owner to app_definer;
revoke all on function app.make_link(jsonb) from public;
grant execute on function app.make_link(jsonb) to authenticated;
