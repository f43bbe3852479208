-- What is noted and tidied up again and again: figures of a moment, what is good for nothing any more, statistics of tables that changed much.

select app.protect('public.business_metrics', 'reports', p_verbs => '{read}');

-- The documented name: notes what each company did in the last 24 hours, and what it has.
create or replace function public.collect_business_metrics() returns void
  language sql volatile security definer
  set search_path = ''
begin atomic
  insert into public.business_metrics (company_id, metric_name, metric_value, dimensions)
  select c.id, m.metric_name, m.metric_value, m.dimensions
    from public.companies c
    left join (select j.company_id, count(*) as made from public.jobs j
                where j.created_at >= now() - interval '24 hours' and j.deleted_at is null group by j.company_id) j on j.company_id = c.id
    left join (select u.company_id, count(*) as made from public.customers u
                where u.created_at >= now() - interval '24 hours' and u.deleted_at is null group by u.company_id) u on u.company_id = c.id
    left join (select p.company_id, p.currency, sum(p.amount) as paid from public.payments p
                where p.completed_at >= now() - interval '24 hours' and p.status = 'completed' and p.payment_type = 'payment' and p.deleted_at is null
                group by p.company_id, p.currency) p on p.company_id = c.id and p.currency = c.currency
    left join (select i.company_id, count(*) as sent, sum(i.total_amount) filter (where i.currency = o.currency) as amount
                 from public.invoices i join public.companies o on o.id = i.company_id
                where i.sent_at >= now() - interval '24 hours' and i.deleted_at is null group by i.company_id) i on i.company_id = c.id
   cross join lateral (values ('daily_work_orders', coalesce(j.made, 0)::numeric, '{}'::jsonb), ('daily_new_customers', coalesce(u.made, 0), '{}'),
                              ('daily_jobs_created', coalesce(j.made, 0), '{}'), ('daily_invoices_sent', coalesce(i.sent, 0), '{}'),
                              ('daily_invoices_sent_amount', coalesce(i.amount, 0), jsonb_build_object('currency', c.currency)),
                              ('daily_payments', coalesce(p.paid, 0), jsonb_build_object('currency', c.currency))) m (metric_name, metric_value, dimensions)
   where c.deleted_at is null and c.archived_at is null
     and c.id = coalesce(app.company_id(), c.id);
end;
comment on function public.collect_business_metrics() is 'Notes figures of each company of the last 24 hours in business_metrics. For the service.';
alter function public.collect_business_metrics() owner to app_definer;
revoke all on function public.collect_business_metrics() from public;
grant execute on function public.collect_business_metrics() to service_role;

drop view if exists shared.metrics;
create view shared.metrics with (security_invoker = true) as
select m.id, m.company_id as tenant_id, m.metric_name, m.metric_value, m.dimensions, m.measured_at as "timestamp" from public.business_metrics m;
comment on view shared.metrics is 'business_metrics, as a platform of many products calls them.';
revoke all on shared.metrics from public, anon, authenticated, guest, service_role;
grant select on shared.metrics to authenticated, service_role;

-- What maintenance has no date for: challenges, codes and flows whose time is over for a week, and old figures. Returns how many rows.
create or replace function app.expire_leftovers(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_over  constant timestamptz := now() - interval '7 days';
  v_count bigint;
  v_all   bigint := 0;
begin
  delete from auth.one_time_tokens t where t.ctid in (select o.ctid from auth.one_time_tokens o where o.expires_at < v_over limit p_limit for update skip locked);
  get diagnostics v_count = row_count;
  v_all := v_all + v_count;
  delete from auth.flow_states t where t.ctid in (select o.ctid from auth.flow_states o where o.expires_at < v_over limit p_limit for update skip locked);
  get diagnostics v_count = row_count;
  v_all := v_all + v_count;
  delete from auth.mfa_challenges t where t.ctid in (select o.ctid from auth.mfa_challenges o where o.expires_at < v_over limit p_limit for update skip locked);
  get diagnostics v_count = row_count;
  v_all := v_all + v_count;
  delete from auth.passkey_challenges t
   where t.ctid in (select o.ctid from auth.passkey_challenges o where o.expires_at < v_over limit p_limit for update skip locked);
  get diagnostics v_count = row_count;
  v_all := v_all + v_count;
  delete from public.verification_tokens t
   where t.ctid in (select o.ctid from public.verification_tokens o where o.expires_at < v_over limit p_limit for update skip locked);
  get diagnostics v_count = row_count;
  v_all := v_all + v_count;
  delete from public.business_metrics t
   where t.ctid in (select o.ctid from public.business_metrics o where o.measured_at < now() - interval '2 years' limit p_limit for update skip locked);
  get diagnostics v_count = row_count;
  return v_all + v_count;
end $$;
comment on function app.expire_leftovers(integer) is 'Takes away a batch of what is good for nothing any more and nothing else takes away; returns how many rows.';
alter function app.expire_leftovers(integer) owner to app_definer;
revoke all on function app.expire_leftovers(integer) from public;
grant execute on function app.expire_leftovers(integer) to service_role;

-- Computes the statistics of the next table behind a given one of which a tenth changed since that was done last, or a fifth is dead rows.
-- Returns its name, nothing at the end. Belongs to the owner of the tables, who alone may.
create or replace function app.analyze_next(p_after text) returns text
  language plpgsql volatile security definer
  set search_path = ''
  set lock_timeout = '2s'
as $$
declare
  v_name text;
begin
  select format('%I.%I', s.schemaname, s.relname) into v_name
    from pg_catalog.pg_stat_user_tables s join pg_catalog.pg_class c on c.oid = s.relid
   where c.relowner = 'app_owner'::regrole and format('%I.%I', s.schemaname, s.relname) > p_after
     and (s.n_mod_since_analyze > 1000 + s.n_live_tup / 10 or s.n_dead_tup > 1000 + s.n_live_tup / 5)
   order by 1 limit 1;
  if v_name is not null then
    begin
      execute 'analyze ' || v_name;
    exception when lock_not_available then
      raise warning 'the statistics of % could not be computed: somebody holds it', v_name;
    end;
  end if;
  return v_name;
end $$;
comment on function app.analyze_next(text) is 'Computes the statistics of the next table that changed much; returns its name.';
revoke all on function app.analyze_next(text) from public;
grant execute on function app.analyze_next(text) to service_role;
