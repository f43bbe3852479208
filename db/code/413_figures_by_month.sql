-- A month begins where the company is: in another time zone its invoices and payments are of other months.
-- Invariant: months are exact at every moment. From the change of the zone until they are counted anew they are read from the
-- rows, so that the change itself, and whoever writes at that moment, waits for nothing.

-- What the rows say of a company's months, in the zone it has now.
create or replace function app.months_of(p_company_id uuid)
  returns table (month date, currency text, invoices bigint, revenue bigint, paid bigint, outstanding bigint, collected bigint)
  language sql stable
  set search_path = ''
as $$
  select m.month, m.currency, sum(m.invoices)::bigint, sum(m.revenue)::bigint, sum(m.paid)::bigint, sum(m.outstanding)::bigint,
         sum(m.collected)::bigint
    from (select f.month, f.currency, f.invoices, f.revenue, f.paid, f.outstanding, 0 as collected
            from public.invoices r
           cross join lateral app.figures_of_invoices(r.company_id, r.customer_id, r.status, r.currency, r.total_amount,
                                                      r.credited_amount, r.paid_amount, r.balance_amount, r.issued_at,
                                                      r.created_at, r.deleted_at) f
           where r.company_id = p_company_id and f.scope = 'month'
          union all
          select f.month, f.currency, 0, 0, 0, 0, f.collected
            from public.payments r
           cross join lateral app.figures_of_payments(r.company_id, r.customer_id, r.status, r.payment_type, r.currency, r.amount,
                                                      r.completed_at, r.created_at, r.deleted_at) f
           where r.company_id = p_company_id and f.scope = 'month') m
   group by m.month, m.currency
$$;
revoke all on function app.months_of(uuid) from public;
grant execute on function app.months_of(uuid) to app_definer;

-- Counts the months of companies that changed their zone, when nobody is left who wrote in the old one: a transaction that was
-- under way then may have put an invoice into the old month, and its row and its change become visible together later. Whoever
-- began to write before the mark was seen has an id below the horizon. Called by app.refresh_figures, which holds its lock.
create or replace function app.recount_months() returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v record;
begin
  for v in
    select m.company_id from app.month_recounts m
     where m.horizon <= pg_snapshot_xmin(pg_current_snapshot()) for update skip locked
  loop
    -- One statement sees one moment: it takes away what the sums say and adds what the rows say.
    insert into app.figure_changes (company_id, scope, subject, month, currency, invoices, revenue, paid, outstanding, collected)
    select v.company_id, 'month', '00000000-0000-0000-0000-000000000000', d.month, d.currency, sum(d.invoices), sum(d.revenue),
           sum(d.paid), sum(d.outstanding), sum(d.collected)
      from (select m.* from app.months_of(v.company_id) m
            union all
            select s.month, s.currency, -s.invoices, -s.revenue, -s.paid, -s.outstanding, -s.collected
              from app.sums(v.company_id, 'month') s) d
     group by d.month, d.currency
    having (sum(d.invoices), sum(d.revenue), sum(d.paid), sum(d.outstanding), sum(d.collected)) <> (0, 0, 0, 0, 0);
    delete from app.month_recounts m where m.company_id = v.company_id;
  end loop;
  -- For the next time.
  update app.month_recounts m set horizon = pg_snapshot_xmax(pg_current_snapshot()) where m.horizon is null;
end $$;
revoke all on function app.recount_months() from public;
grant execute on function app.recount_months() to app_definer;

create or replace function app.company_timezone_changed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  insert into app.month_recounts (company_id) values (new.id) on conflict (company_id) do update set horizon = null;
  return null;
end $$;
alter function app.company_timezone_changed() owner to app_definer;
revoke all on function app.company_timezone_changed() from public;
create or replace trigger figures_by_timezone after update of business_timezone on public.companies
  for each row when (old.business_timezone is distinct from new.business_timezone)
  execute function app.company_timezone_changed();
