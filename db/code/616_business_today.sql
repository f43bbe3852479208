-- What a company did since its midnight, read at this moment; business_metrics has the days before.

create or replace function public.metrics_today()
  returns table (jobs_created_today bigint, invoices_sent_today bigint, revenue_sent_today bigint, currency text, customers_created_today bigint,
                 since timestamptz)
  language plpgsql stable security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
  v_since   timestamptz;
  v_money   text;
begin
  if v_company is null then
    raise exception using errcode = 'TH403', constraint = 'company_required', message = 'No company is chosen.';
  end if;
  if not (app.has_permission('reports:read') or current_setting('role') = 'service_role') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied', message = 'You need the permission reports:read.';
  end if;
  select date_trunc('day', now() at time zone c.business_timezone) at time zone c.business_timezone, c.currency into v_since, v_money
    from public.companies c where c.id = v_company;
  return query
    select (select count(*) from public.jobs j where j.company_id = v_company and j.created_at >= v_since and j.deleted_at is null),
           i.sent, coalesce(i.amount, 0)::bigint, v_money,
           (select count(*) from public.customers u where u.company_id = v_company and u.created_at >= v_since and u.deleted_at is null), v_since
      from (select count(*) as sent, sum(i.total_amount) filter (where i.currency = v_money) as amount
              from public.invoices i where i.company_id = v_company and i.sent_at >= v_since and i.deleted_at is null) i;
end $$;
comment on function public.metrics_today() is
  'Jobs made, invoices sent and their sum in the company''s currency, and customers made since the company''s midnight. Needs reports:read.';
alter function public.metrics_today() owner to app_definer;
revoke all on function public.metrics_today() from public;
grant execute on function public.metrics_today() to authenticated, service_role;
