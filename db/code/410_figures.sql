-- Figures for people: what each row adds to which sums, and how writes say so. Invariant: sums are of one table each, never of
-- joined ones, so that they cannot multiply; and app.figures with app.figure_changes is at every moment what the rows say
-- when they are counted. A write adds rows to app.figure_changes and waits for nobody.

-- Work that was done, whatever became of its bill.
create or replace function app.is_done(p_status text, p_actual_end timestamptz) returns boolean
  language sql immutable parallel safe
  return p_status in ('completed', 'invoiced', 'paid') or (p_status = 'archived' and p_actual_end is not null);
revoke all on function app.is_done(text, timestamptz) from public;
grant execute on function app.is_done(text, timestamptz) to app_definer;

create or replace function app.month_of(p_company_id uuid, p_time timestamptz) returns date
  language sql stable
  return (select date_trunc('month', p_time at time zone c.business_timezone)::date from public.companies c
          where c.id = p_company_id);
revoke all on function app.month_of(uuid, timestamptz) from public;
grant execute on function app.month_of(uuid, timestamptz) to app_definer;

-- What one row counts for. Each function names the sums it adds to by its columns; db/code/412 reads them under the same names.

create or replace function app.figures_of_customers(p_company_id uuid, p_currency text, p_deleted_at timestamptz)
  returns table (company_id uuid, scope text, subject uuid, month date, currency text, customers bigint)
  language sql immutable
as $$
  select p_company_id, 'company', '00000000-0000-0000-0000-000000000000'::uuid, '1970-01-01'::date, p_currency, 1::bigint
   where p_deleted_at is null
$$;

-- For its company, its customer and, when it is done, whoever it is assigned to.
create or replace function app.figures_of_jobs(p_company_id uuid, p_customer_id uuid, p_assigned_to uuid, p_status text,
                                               p_currency text, p_total_amount bigint, p_actual_start timestamptz,
                                               p_actual_end timestamptz, p_deleted_at timestamptz)
  returns table (company_id uuid, scope text, subject uuid, month date, currency text, jobs bigint, jobs_scheduled bigint,
                 jobs_active bigint, jobs_completed bigint, worked_jobs bigint, worked_seconds bigint, job_revenue bigint)
  language sql immutable
as $$
  select p_company_id, s.scope, s.subject, '1970-01-01'::date, p_currency, 1::bigint, (p_status = 'scheduled')::integer::bigint,
         (p_status = 'in_progress')::integer::bigint, app.is_done(p_status, p_actual_end)::integer::bigint,
         (app.is_done(p_status, p_actual_end) and p_actual_start is not null and p_actual_end is not null)::integer::bigint,
         case when app.is_done(p_status, p_actual_end)
              then coalesce(round(extract(epoch from p_actual_end - p_actual_start))::bigint, 0) else 0 end,
         case when app.is_done(p_status, p_actual_end) then p_total_amount else 0 end
    from (values ('company', '00000000-0000-0000-0000-000000000000'::uuid), ('customer', p_customer_id),
                 ('technician', p_assigned_to)) s (scope, subject)
   where p_deleted_at is null and s.subject is not null
$$;

-- Issued invoices, less what was credited. Into the archive an invoice comes only from a draft or cancelled.
drop function if exists app.figures_of_invoices(uuid, uuid, text, text, text, bigint, bigint, bigint, bigint, timestamptz,
                                                timestamptz, timestamptz);
create or replace function app.figures_of_invoices(p_company_id uuid, p_customer_id uuid, p_status text, p_currency text,
                                                   p_total_amount bigint, p_credited_amount bigint,
                                                   p_paid_amount bigint, p_balance_amount bigint, p_issued_at timestamptz,
                                                   p_created_at timestamptz, p_deleted_at timestamptz)
  returns table (company_id uuid, scope text, subject uuid, month date, currency text, invoices bigint, revenue bigint,
                 paid bigint, outstanding bigint)
  language sql stable
as $$
  select p_company_id, s.scope, s.subject, s.month, p_currency, 1::bigint, p_total_amount - p_credited_amount, p_paid_amount,
         p_balance_amount
    from (values ('company', '00000000-0000-0000-0000-000000000000'::uuid, '1970-01-01'::date),
                 ('customer', p_customer_id, '1970-01-01'),
                 ('month', '00000000-0000-0000-0000-000000000000',
                  app.month_of(p_company_id, coalesce(p_issued_at, p_created_at)))) s (scope, subject, month)
   where p_deleted_at is null and app.is_issued(p_status) and s.month is not null
$$;

-- Money that came in, less what was given back. A credit is no money.
create or replace function app.figures_of_payments(p_company_id uuid, p_customer_id uuid, p_status text, p_payment_type text,
                                                   p_currency text, p_amount bigint, p_completed_at timestamptz,
                                                   p_created_at timestamptz, p_deleted_at timestamptz)
  returns table (company_id uuid, scope text, subject uuid, month date, currency text, collected bigint)
  language sql stable
as $$
  select p_company_id, s.scope, s.subject, s.month, p_currency,
         case when p_payment_type = 'refund' then - p_amount else p_amount end
    from (values ('company', '00000000-0000-0000-0000-000000000000'::uuid, '1970-01-01'::date),
                 ('customer', p_customer_id, '1970-01-01'),
                 ('month', '00000000-0000-0000-0000-000000000000',
                  app.month_of(p_company_id, coalesce(p_completed_at, p_created_at)))) s (scope, subject, month)
   where p_deleted_at is null and p_payment_type in ('payment', 'refund')
     and p_status in ('completed', 'refunded', 'partially_refunded') and s.month is not null
$$;

create or replace function app.figures_of_reviews(p_company_id uuid, p_technician_id uuid, p_rating integer,
                                                  p_moderation_status text, p_deleted_at timestamptz)
  returns table (company_id uuid, scope text, subject uuid, month date, currency text, reviews bigint, rating_sum bigint)
  language sql immutable
as $$
  select p_company_id, 'technician', p_technician_id, '1970-01-01'::date, '', 1::bigint, p_rating::bigint
   where p_deleted_at is null and p_moderation_status <> 'rejected' and p_technician_id is not null
$$;
revoke all on function app.figures_of_customers(uuid, text, timestamptz),
  app.figures_of_jobs(uuid, uuid, uuid, text, text, bigint, timestamptz, timestamptz, timestamptz),
  app.figures_of_invoices(uuid, uuid, text, text, bigint, bigint, bigint, bigint, timestamptz, timestamptz, timestamptz),
  app.figures_of_payments(uuid, uuid, text, text, text, bigint, timestamptz, timestamptz, timestamptz),
  app.figures_of_reviews(uuid, uuid, integer, text, timestamptz) from public;
grant execute on function app.figures_of_customers(uuid, text, timestamptz),
  app.figures_of_jobs(uuid, uuid, uuid, text, text, bigint, timestamptz, timestamptz, timestamptz),
  app.figures_of_invoices(uuid, uuid, text, text, bigint, bigint, bigint, bigint, timestamptz, timestamptz, timestamptz),
  app.figures_of_payments(uuid, uuid, text, text, text, bigint, timestamptz, timestamptz, timestamptz),
  app.figures_of_reviews(uuid, uuid, integer, text, timestamptz) to app_definer;

-- Declares that a table is counted: p_call is the function above with the row's columns as r.column, p_sums what it adds to. A
-- statement that changes a million rows adds one row for each sum, and one that changes nothing that counts adds none.
create or replace function app.count_figures(p_table regclass, p_call text, p_sums text[]) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_name  constant text := 'app.add_figures_of_' || (select relname from pg_catalog.pg_class where oid = p_table);
  v_sums  constant text := (select string_agg(quote_ident(s), ', ') from unnest(p_sums) s);
  v_added constant text := (select string_agg(format('sum(c.sign * f.%I)', s), ', ') from unnest(p_sums) s);
  v_any   constant text := (select string_agg(format('sum(c.sign * f.%I) <> 0', s), ' or ') from unnest(p_sums) s);
  v_body  text := 'begin';
  v_event record;
begin
  for v_event in
    select * from (values ('INSERT', 'select 1 as sign, n.* from new_rows n'),
                          ('DELETE', 'select -1 as sign, o.* from old_rows o'),
                          ('UPDATE', 'select 1 as sign, n.* from new_rows n union all select -1, o.* from old_rows o')) e (name,
                              rows)
  loop
    v_body := v_body || format('
      if tg_op = %L then
        insert into app.figure_changes (company_id, scope, subject, month, currency, %s)
        select f.company_id, f.scope, f.subject, f.month, f.currency, %s
          from (%s) c cross join lateral %s f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having %s;
      end if;', v_event.name, v_sums, v_added, v_event.rows, replace(p_call, 'r.', 'c.'), v_any);
  end loop;
  execute format('create or replace function %s() returns trigger language plpgsql security definer set search_path = '''' as %L',
                 v_name, v_body || ' return null; end');
  execute format('alter function %s() owner to app_definer', v_name);
  execute format('revoke all on function %s() from public', v_name);
  execute format('create or replace trigger figures_inserted after insert on %s referencing new table as new_rows
                    for each statement execute function %s()', p_table, v_name);
  execute format('create or replace trigger figures_updated after update on %s
                    referencing old table as old_rows new table as new_rows
                    for each statement execute function %s()', p_table, v_name);
  execute format('create or replace trigger figures_deleted after delete on %s referencing old table as old_rows
                    for each statement execute function %s()', p_table, v_name);
end $$;
comment on function app.count_figures(regclass, text, text[]) is 'Declares that rows of a table are counted in app.figures.';
revoke all on function app.count_figures(regclass, text, text[]) from public;

select app.count_figures('public.customers', 'app.figures_of_customers(r.company_id, r.currency, r.deleted_at)', '{customers}');
select app.count_figures('public.jobs',
  'app.figures_of_jobs(r.company_id, r.customer_id, r.assigned_to, r.status, r.currency, r.total_amount, r.actual_start,
                       r.actual_end, r.deleted_at)',
  '{jobs,jobs_scheduled,jobs_active,jobs_completed,worked_jobs,worked_seconds,job_revenue}');
-- A job that moves to the archive goes on counting.
select app.count_figures('public.jobs_archive',
  'app.figures_of_jobs(r.company_id, r.customer_id, r.assigned_to, r.status, r.currency, r.total_amount,
                       (r.job ->> ''actual_start'')::timestamptz, (r.job ->> ''actual_end'')::timestamptz,
                       (r.job ->> ''deleted_at'')::timestamptz)',
  '{jobs,jobs_scheduled,jobs_active,jobs_completed,worked_jobs,worked_seconds,job_revenue}');
select app.count_figures('public.invoices',
  'app.figures_of_invoices(r.company_id, r.customer_id, r.status, r.currency, r.total_amount, r.credited_amount,
                           r.paid_amount, r.balance_amount, r.issued_at, r.created_at, r.deleted_at)',
  '{invoices,revenue,paid,outstanding}');
select app.count_figures('public.payments',
  'app.figures_of_payments(r.company_id, r.customer_id, r.status, r.payment_type, r.currency, r.amount, r.completed_at,
                           r.created_at, r.deleted_at)',
  '{collected}');
select app.count_figures('public.customer_reviews',
  'app.figures_of_reviews(r.company_id, r.technician_id, r.rating, r.moderation_status, r.deleted_at)', '{reviews,rating_sum}');
