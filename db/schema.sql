-- What db/ makes of an empty database on PostgreSQL 15, written by ./dev generate. Nothing reads it but people.
CREATE SCHEMA app;
ALTER SCHEMA app OWNER TO app_owner;

CREATE SCHEMA auth;
ALTER SCHEMA auth OWNER TO app_owner;

CREATE SCHEMA cron;
ALTER SCHEMA cron OWNER TO app_owner;

CREATE SCHEMA extensions;
ALTER SCHEMA extensions OWNER TO app_owner;

CREATE SCHEMA home_services;
ALTER SCHEMA home_services OWNER TO app_owner;

CREATE SCHEMA net;
ALTER SCHEMA net OWNER TO app_owner;

ALTER SCHEMA public OWNER TO app_owner;

CREATE SCHEMA realtime;
ALTER SCHEMA realtime OWNER TO app_owner;

CREATE SCHEMA shared;
ALTER SCHEMA shared OWNER TO app_owner;

CREATE SCHEMA storage;
ALTER SCHEMA storage OWNER TO app_owner;

CREATE SCHEMA vault;
ALTER SCHEMA vault OWNER TO app_owner;

CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA extensions;

COMMENT ON EXTENSION btree_gin IS 'support for indexing common datatypes in GIN';

CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA extensions;

COMMENT ON EXTENSION btree_gist IS 'support for indexing common datatypes in GiST';

CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA extensions;

COMMENT ON EXTENSION citext IS 'data type for case-insensitive character strings';

CREATE EXTENSION IF NOT EXISTS fuzzystrmatch WITH SCHEMA extensions;

COMMENT ON EXTENSION fuzzystrmatch IS 'determine similarities and distance between strings';

CREATE EXTENSION IF NOT EXISTS ltree WITH SCHEMA extensions;

COMMENT ON EXTENSION ltree IS 'data type for hierarchical tree-like structures';

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA extensions;

COMMENT ON EXTENSION pg_trgm IS 'text similarity measurement and index searching based on trigrams';

CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA extensions;

COMMENT ON EXTENSION pgcrypto IS 'cryptographic functions';

CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA extensions;

COMMENT ON EXTENSION unaccent IS 'text search dictionary that removes accents';

CREATE FUNCTION app.activate_if_none(p_company_id uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS $$
  update auth.sessions s set active_company_id = p_company_id
   where s.id = (auth.jwt() ->> 'session_id')::uuid and s.user_id = auth.uid() and s.active_company_id is null;
$$;
ALTER FUNCTION app.activate_if_none(p_company_id uuid) OWNER TO app_definer;

CREATE FUNCTION app.add_figures_of_customer_reviews() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$begin
      if tg_op = 'INSERT' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, reviews, rating_sum)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.reviews), sum(c.sign * f.rating_sum)
          from (select 1 as sign, n.* from new_rows n) c cross join lateral app.figures_of_reviews(c.company_id, c.technician_id, c.rating, c.moderation_status, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.reviews) <> 0 or sum(c.sign * f.rating_sum) <> 0;
      end if;
      if tg_op = 'DELETE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, reviews, rating_sum)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.reviews), sum(c.sign * f.rating_sum)
          from (select -1 as sign, o.* from old_rows o) c cross join lateral app.figures_of_reviews(c.company_id, c.technician_id, c.rating, c.moderation_status, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.reviews) <> 0 or sum(c.sign * f.rating_sum) <> 0;
      end if;
      if tg_op = 'UPDATE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, reviews, rating_sum)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.reviews), sum(c.sign * f.rating_sum)
          from (select 1 as sign, n.* from new_rows n union all select -1, o.* from old_rows o) c cross join lateral app.figures_of_reviews(c.company_id, c.technician_id, c.rating, c.moderation_status, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.reviews) <> 0 or sum(c.sign * f.rating_sum) <> 0;
      end if; return null; end$$;
ALTER FUNCTION app.add_figures_of_customer_reviews() OWNER TO app_definer;

CREATE FUNCTION app.add_figures_of_customers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$begin
      if tg_op = 'INSERT' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, customers)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.customers)
          from (select 1 as sign, n.* from new_rows n) c cross join lateral app.figures_of_customers(c.company_id, c.currency, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.customers) <> 0;
      end if;
      if tg_op = 'DELETE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, customers)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.customers)
          from (select -1 as sign, o.* from old_rows o) c cross join lateral app.figures_of_customers(c.company_id, c.currency, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.customers) <> 0;
      end if;
      if tg_op = 'UPDATE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, customers)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.customers)
          from (select 1 as sign, n.* from new_rows n union all select -1, o.* from old_rows o) c cross join lateral app.figures_of_customers(c.company_id, c.currency, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.customers) <> 0;
      end if; return null; end$$;
ALTER FUNCTION app.add_figures_of_customers() OWNER TO app_definer;

CREATE FUNCTION app.add_figures_of_invoices() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$begin
      if tg_op = 'INSERT' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, invoices, revenue, paid, outstanding)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.invoices), sum(c.sign * f.revenue), sum(c.sign * f.paid), sum(c.sign * f.outstanding)
          from (select 1 as sign, n.* from new_rows n) c cross join lateral app.figures_of_invoices(c.company_id, c.customer_id, c.status, c.invoice_number, c.currency, c.total_amount, c.credited_amount,
                           c.paid_amount, c.balance_amount, c.issued_at, c.created_at, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.invoices) <> 0 or sum(c.sign * f.revenue) <> 0 or sum(c.sign * f.paid) <> 0 or sum(c.sign * f.outstanding) <> 0;
      end if;
      if tg_op = 'DELETE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, invoices, revenue, paid, outstanding)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.invoices), sum(c.sign * f.revenue), sum(c.sign * f.paid), sum(c.sign * f.outstanding)
          from (select -1 as sign, o.* from old_rows o) c cross join lateral app.figures_of_invoices(c.company_id, c.customer_id, c.status, c.invoice_number, c.currency, c.total_amount, c.credited_amount,
                           c.paid_amount, c.balance_amount, c.issued_at, c.created_at, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.invoices) <> 0 or sum(c.sign * f.revenue) <> 0 or sum(c.sign * f.paid) <> 0 or sum(c.sign * f.outstanding) <> 0;
      end if;
      if tg_op = 'UPDATE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, invoices, revenue, paid, outstanding)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.invoices), sum(c.sign * f.revenue), sum(c.sign * f.paid), sum(c.sign * f.outstanding)
          from (select 1 as sign, n.* from new_rows n union all select -1, o.* from old_rows o) c cross join lateral app.figures_of_invoices(c.company_id, c.customer_id, c.status, c.invoice_number, c.currency, c.total_amount, c.credited_amount,
                           c.paid_amount, c.balance_amount, c.issued_at, c.created_at, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.invoices) <> 0 or sum(c.sign * f.revenue) <> 0 or sum(c.sign * f.paid) <> 0 or sum(c.sign * f.outstanding) <> 0;
      end if; return null; end$$;
ALTER FUNCTION app.add_figures_of_invoices() OWNER TO app_definer;

CREATE FUNCTION app.add_figures_of_jobs() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$begin
      if tg_op = 'INSERT' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, jobs, jobs_scheduled, jobs_active, jobs_completed, worked_jobs, worked_seconds, job_revenue)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.jobs), sum(c.sign * f.jobs_scheduled), sum(c.sign * f.jobs_active), sum(c.sign * f.jobs_completed), sum(c.sign * f.worked_jobs), sum(c.sign * f.worked_seconds), sum(c.sign * f.job_revenue)
          from (select 1 as sign, n.* from new_rows n) c cross join lateral app.figures_of_jobs(c.company_id, c.customer_id, c.assigned_to, c.status, c.currency, c.total_amount, c.actual_start,
                       c.actual_end, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.jobs) <> 0 or sum(c.sign * f.jobs_scheduled) <> 0 or sum(c.sign * f.jobs_active) <> 0 or sum(c.sign * f.jobs_completed) <> 0 or sum(c.sign * f.worked_jobs) <> 0 or sum(c.sign * f.worked_seconds) <> 0 or sum(c.sign * f.job_revenue) <> 0;
      end if;
      if tg_op = 'DELETE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, jobs, jobs_scheduled, jobs_active, jobs_completed, worked_jobs, worked_seconds, job_revenue)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.jobs), sum(c.sign * f.jobs_scheduled), sum(c.sign * f.jobs_active), sum(c.sign * f.jobs_completed), sum(c.sign * f.worked_jobs), sum(c.sign * f.worked_seconds), sum(c.sign * f.job_revenue)
          from (select -1 as sign, o.* from old_rows o) c cross join lateral app.figures_of_jobs(c.company_id, c.customer_id, c.assigned_to, c.status, c.currency, c.total_amount, c.actual_start,
                       c.actual_end, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.jobs) <> 0 or sum(c.sign * f.jobs_scheduled) <> 0 or sum(c.sign * f.jobs_active) <> 0 or sum(c.sign * f.jobs_completed) <> 0 or sum(c.sign * f.worked_jobs) <> 0 or sum(c.sign * f.worked_seconds) <> 0 or sum(c.sign * f.job_revenue) <> 0;
      end if;
      if tg_op = 'UPDATE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, jobs, jobs_scheduled, jobs_active, jobs_completed, worked_jobs, worked_seconds, job_revenue)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.jobs), sum(c.sign * f.jobs_scheduled), sum(c.sign * f.jobs_active), sum(c.sign * f.jobs_completed), sum(c.sign * f.worked_jobs), sum(c.sign * f.worked_seconds), sum(c.sign * f.job_revenue)
          from (select 1 as sign, n.* from new_rows n union all select -1, o.* from old_rows o) c cross join lateral app.figures_of_jobs(c.company_id, c.customer_id, c.assigned_to, c.status, c.currency, c.total_amount, c.actual_start,
                       c.actual_end, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.jobs) <> 0 or sum(c.sign * f.jobs_scheduled) <> 0 or sum(c.sign * f.jobs_active) <> 0 or sum(c.sign * f.jobs_completed) <> 0 or sum(c.sign * f.worked_jobs) <> 0 or sum(c.sign * f.worked_seconds) <> 0 or sum(c.sign * f.job_revenue) <> 0;
      end if; return null; end$$;
ALTER FUNCTION app.add_figures_of_jobs() OWNER TO app_definer;

CREATE FUNCTION app.add_figures_of_jobs_archive() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$begin
      if tg_op = 'INSERT' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, jobs, jobs_scheduled, jobs_active, jobs_completed, worked_jobs, worked_seconds, job_revenue)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.jobs), sum(c.sign * f.jobs_scheduled), sum(c.sign * f.jobs_active), sum(c.sign * f.jobs_completed), sum(c.sign * f.worked_jobs), sum(c.sign * f.worked_seconds), sum(c.sign * f.job_revenue)
          from (select 1 as sign, n.* from new_rows n) c cross join lateral app.figures_of_jobs(c.company_id, c.customer_id, c.assigned_to, c.status, c.currency, c.total_amount,
                       (c.job ->> 'actual_start')::timestamptz, (c.job ->> 'actual_end')::timestamptz,
                       (c.job ->> 'deleted_at')::timestamptz) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.jobs) <> 0 or sum(c.sign * f.jobs_scheduled) <> 0 or sum(c.sign * f.jobs_active) <> 0 or sum(c.sign * f.jobs_completed) <> 0 or sum(c.sign * f.worked_jobs) <> 0 or sum(c.sign * f.worked_seconds) <> 0 or sum(c.sign * f.job_revenue) <> 0;
      end if;
      if tg_op = 'DELETE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, jobs, jobs_scheduled, jobs_active, jobs_completed, worked_jobs, worked_seconds, job_revenue)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.jobs), sum(c.sign * f.jobs_scheduled), sum(c.sign * f.jobs_active), sum(c.sign * f.jobs_completed), sum(c.sign * f.worked_jobs), sum(c.sign * f.worked_seconds), sum(c.sign * f.job_revenue)
          from (select -1 as sign, o.* from old_rows o) c cross join lateral app.figures_of_jobs(c.company_id, c.customer_id, c.assigned_to, c.status, c.currency, c.total_amount,
                       (c.job ->> 'actual_start')::timestamptz, (c.job ->> 'actual_end')::timestamptz,
                       (c.job ->> 'deleted_at')::timestamptz) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.jobs) <> 0 or sum(c.sign * f.jobs_scheduled) <> 0 or sum(c.sign * f.jobs_active) <> 0 or sum(c.sign * f.jobs_completed) <> 0 or sum(c.sign * f.worked_jobs) <> 0 or sum(c.sign * f.worked_seconds) <> 0 or sum(c.sign * f.job_revenue) <> 0;
      end if;
      if tg_op = 'UPDATE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, jobs, jobs_scheduled, jobs_active, jobs_completed, worked_jobs, worked_seconds, job_revenue)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.jobs), sum(c.sign * f.jobs_scheduled), sum(c.sign * f.jobs_active), sum(c.sign * f.jobs_completed), sum(c.sign * f.worked_jobs), sum(c.sign * f.worked_seconds), sum(c.sign * f.job_revenue)
          from (select 1 as sign, n.* from new_rows n union all select -1, o.* from old_rows o) c cross join lateral app.figures_of_jobs(c.company_id, c.customer_id, c.assigned_to, c.status, c.currency, c.total_amount,
                       (c.job ->> 'actual_start')::timestamptz, (c.job ->> 'actual_end')::timestamptz,
                       (c.job ->> 'deleted_at')::timestamptz) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.jobs) <> 0 or sum(c.sign * f.jobs_scheduled) <> 0 or sum(c.sign * f.jobs_active) <> 0 or sum(c.sign * f.jobs_completed) <> 0 or sum(c.sign * f.worked_jobs) <> 0 or sum(c.sign * f.worked_seconds) <> 0 or sum(c.sign * f.job_revenue) <> 0;
      end if; return null; end$$;
ALTER FUNCTION app.add_figures_of_jobs_archive() OWNER TO app_definer;

CREATE FUNCTION app.add_figures_of_payments() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$begin
      if tg_op = 'INSERT' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, collected)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.collected)
          from (select 1 as sign, n.* from new_rows n) c cross join lateral app.figures_of_payments(c.company_id, c.customer_id, c.status, c.payment_type, c.currency, c.amount, c.completed_at,
                           c.created_at, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.collected) <> 0;
      end if;
      if tg_op = 'DELETE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, collected)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.collected)
          from (select -1 as sign, o.* from old_rows o) c cross join lateral app.figures_of_payments(c.company_id, c.customer_id, c.status, c.payment_type, c.currency, c.amount, c.completed_at,
                           c.created_at, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.collected) <> 0;
      end if;
      if tg_op = 'UPDATE' then
        insert into app.figure_changes (company_id, scope, subject, month, currency, collected)
        select f.company_id, f.scope, f.subject, f.month, f.currency, sum(c.sign * f.collected)
          from (select 1 as sign, n.* from new_rows n union all select -1, o.* from old_rows o) c cross join lateral app.figures_of_payments(c.company_id, c.customer_id, c.status, c.payment_type, c.currency, c.amount, c.completed_at,
                           c.created_at, c.deleted_at) f
         group by f.company_id, f.scope, f.subject, f.month, f.currency having sum(c.sign * f.collected) <> 0;
      end if; return null; end$$;
ALTER FUNCTION app.add_figures_of_payments() OWNER TO app_definer;

CREATE FUNCTION app.agreed_lines(p_lines jsonb, p_without text[]) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $$
  select coalesce(jsonb_agg(l.value - p_without - '{price_book_item_id,job_id,estimate_line_item_id}'::text[] order by l.n), '[]')
    from jsonb_array_elements(p_lines) with ordinality l (value, n);
$$;
ALTER FUNCTION app.agreed_lines(p_lines jsonb, p_without text[]) OWNER TO app_owner;

CREATE FUNCTION app.apply_allocation() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_payment public.payments;
begin
  select * into v_payment from public.payments p where p.company_id = new.company_id and p.id = new.payment_id for no key update;
  if v_payment.invoice_id is not null or v_payment.payment_type = 'refund' or not app.is_settled(v_payment.status) then
    raise exception using errcode = 'TH422', constraint = 'payment_not_allocatable',
      message = 'Only a completed payment that names no invoice itself can be allocated.';
  elsif not exists (select from public.invoices i where i.company_id = new.company_id and i.id = new.invoice_id
                      and (i.customer_id, i.currency) = (v_payment.customer_id, v_payment.currency)) then
    perform app.refuse_other_parties('payment');
  end if;
  perform app.check_shares(v_payment);
  perform app.settle_invoice(new.company_id, new.invoice_id);
  return null;
end $$;
ALTER FUNCTION app.apply_allocation() OWNER TO app_definer;

CREATE FUNCTION app.apply_credit_note() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  if not exists (select from public.invoices i where i.company_id = new.company_id and i.id = new.invoice_id
                    and (i.customer_id, i.currency) = (new.customer_id, new.currency)) then
    perform app.refuse_other_parties('credit note');
  end if;
  perform app.settle_invoice(new.company_id, new.invoice_id);
  return null;
end $$;
ALTER FUNCTION app.apply_credit_note() OWNER TO app_definer;

CREATE FUNCTION app.apply_payment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  if new.invoice_id is not null and exists (select from public.invoices i
       where i.company_id = new.company_id and i.id = new.invoice_id
         and (i.customer_id, i.currency) is distinct from (new.customer_id, new.currency)) then
    perform app.refuse_other_parties('payment');
  end if;
  if not app.is_settled(new.status) or tg_op = 'UPDATE' and app.is_settled(old.status) then
    return null;
  end if;
  if new.payment_type = 'refund' then
    perform app.apply_refund(new);
  end if;
  if new.invoice_id is not null then
    perform app.settle_invoice(new.company_id, new.invoice_id);
  end if;
  if new.payment_type <> 'refund' then
    update public.customers c set last_payment_date = greatest(c.last_payment_date, new.completed_at)
     where c.company_id = new.company_id and c.id = new.customer_id;
  end if;
  return null;
end $$;
ALTER FUNCTION app.apply_payment() OWNER TO app_definer;

CREATE FUNCTION app.company_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE((NULLIF(current_setting('app.company_id'::text, true), ''::text))::uuid, CASE WHEN (current_setting('role'::text, true) = 'service_role'::text) THEN (NULLIF(current_setting('app.current_tenant_id'::text, true), ''::text))::uuid ELSE NULL::uuid END);
ALTER FUNCTION app.company_id() OWNER TO app_owner;

COMMENT ON FUNCTION app.company_id() IS 'The company of this transaction, or NULL.';

CREATE FUNCTION app.uuid_v7() RETURNS uuid
    LANGUAGE sql PARALLEL SAFE
    RETURN (("left"("overlay"(lpad(to_hex((floor((EXTRACT(epoch FROM clock_timestamp()) * (65536000)::numeric)))::bigint), 16, '0'::text), '7'::text, 13, 0), 16) || substr((gen_random_uuid())::text, 19)))::uuid;
ALTER FUNCTION app.uuid_v7() OWNER TO app_owner;

COMMENT ON FUNCTION app.uuid_v7() IS 'A new time-ordered id.';

CREATE FUNCTION auth.uid() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (COALESCE(NULLIF(current_setting('app.user_id'::text, true), ''::text), ((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'sub'::text)))::uuid;
ALTER FUNCTION auth.uid() OWNER TO app_owner;

CREATE TABLE public.payments (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid NOT NULL,
    invoice_id uuid,
    job_id uuid,
    payment_method_id uuid,
    payment_number text DEFAULT ''::text NOT NULL,
    reference_number text,
    currency text DEFAULT 'USD'::text NOT NULL,
    amount bigint NOT NULL,
    payment_method text NOT NULL,
    payment_type text DEFAULT 'payment'::text NOT NULL,
    card_brand text,
    card_last4 text,
    card_exp_month integer,
    card_exp_year integer,
    check_number text,
    bank_name text,
    status text DEFAULT 'pending'::text NOT NULL,
    failure_code text,
    failure_message text,
    processor_name text,
    processor_transaction_id text,
    processor_fee bigint DEFAULT 0 NOT NULL,
    net_amount bigint DEFAULT 0 NOT NULL,
    processor_metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    refunded_amount bigint DEFAULT 0 NOT NULL,
    refund_reason text,
    refunded_at timestamp with time zone,
    original_payment_id uuid,
    receipt_url text,
    receipt_number text,
    receipt_emailed boolean DEFAULT false NOT NULL,
    receipt_emailed_at timestamp with time zone,
    processed_by uuid,
    approved_by uuid,
    notes text,
    customer_notes text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    is_reconciled boolean DEFAULT false NOT NULL,
    reconciled_at timestamp with time zone,
    reconciled_by uuid,
    bank_deposit_date timestamp with time zone,
    processed_at timestamp with time zone,
    completed_at timestamp with time zone,
    financing_provider_id text,
    financing_terms text,
    is_down_payment boolean DEFAULT false NOT NULL,
    is_payment_plan_payment boolean DEFAULT false NOT NULL,
    payment_plan_schedule_id text,
    idempotency_key text,
    idempotency_digest text,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT payments_amount_check CHECK ((amount > 0)),
    CONSTRAINT payments_bank_name_check CHECK ((length(bank_name) <= 200)),
    CONSTRAINT payments_card_brand_check CHECK ((card_brand = ANY (ARRAY['visa'::text, 'mastercard'::text, 'amex'::text, 'discover'::text]))),
    CONSTRAINT payments_card_exp_month_check CHECK (((card_exp_month >= 1) AND (card_exp_month <= 12))),
    CONSTRAINT payments_card_exp_year_check CHECK (((card_exp_year >= 2000) AND (card_exp_year <= 2200))),
    CONSTRAINT payments_card_last4_check CHECK ((card_last4 ~ '^[0-9]{4}$'::text)),
    CONSTRAINT payments_check_number_check CHECK ((length(check_number) <= 60)),
    CONSTRAINT payments_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT payments_customer_notes_check CHECK ((length(customer_notes) <= 20000)),
    CONSTRAINT payments_failure_code_check CHECK ((length(failure_code) <= 120)),
    CONSTRAINT payments_failure_message_check CHECK ((length(failure_message) <= 2000)),
    CONSTRAINT payments_financing_provider_id_check CHECK ((length(financing_provider_id) <= 255)),
    CONSTRAINT payments_financing_terms_check CHECK ((length(financing_terms) <= 2000)),
    CONSTRAINT payments_idempotency_key_check CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 255))),
    CONSTRAINT payments_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT payments_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT payments_payment_method_check CHECK ((payment_method = ANY (ARRAY['cash'::text, 'check'::text, 'credit_card'::text, 'debit_card'::text, 'ach'::text, 'wire'::text, 'venmo'::text, 'paypal'::text, 'other'::text]))),
    CONSTRAINT payments_payment_number_check CHECK ((length(payment_number) <= 40)),
    CONSTRAINT payments_payment_plan_schedule_id_check CHECK ((length(payment_plan_schedule_id) <= 255)),
    CONSTRAINT payments_payment_type_check CHECK ((payment_type = ANY (ARRAY['payment'::text, 'refund'::text, 'credit'::text]))),
    CONSTRAINT payments_processor_fee_check CHECK ((processor_fee >= 0)),
    CONSTRAINT payments_processor_metadata_check CHECK ((jsonb_typeof(processor_metadata) = 'object'::text)),
    CONSTRAINT payments_processor_name_check CHECK ((processor_name = ANY (ARRAY['stripe'::text, 'square'::text, 'authorize_net'::text, 'paypal'::text, 'manual'::text]))),
    CONSTRAINT payments_processor_transaction_id_check CHECK ((length(processor_transaction_id) <= 255)),
    CONSTRAINT payments_receipt_number_check CHECK ((length(receipt_number) <= 120)),
    CONSTRAINT payments_receipt_url_check CHECK ((length(receipt_url) <= 2048)),
    CONSTRAINT payments_reference_number_check CHECK ((length(reference_number) <= 120)),
    CONSTRAINT payments_refund_original_check CHECK (((payment_type = 'refund'::text) = (original_payment_id IS NOT NULL))),
    CONSTRAINT payments_refund_reason_check CHECK ((length(refund_reason) <= 2000)),
    CONSTRAINT payments_refunded_amount_check CHECK ((refunded_amount >= 0)),
    CONSTRAINT payments_refunded_check CHECK ((refunded_amount <= amount)),
    CONSTRAINT payments_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'processing'::text, 'completed'::text, 'failed'::text, 'refunded'::text, 'partially_refunded'::text, 'cancelled'::text])))
);
ALTER TABLE ONLY public.payments FORCE ROW LEVEL SECURITY;
ALTER TABLE public.payments OWNER TO app_owner;

COMMENT ON TABLE public.payments IS 'Money received or given back. Completed ones are never changed in amount or parties.';

COMMENT ON COLUMN public.payments.card_last4 IS 'pii:card';

CREATE FUNCTION app.apply_refund(p_refund public.payments) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_original public.payments;
  v_refunded bigint;
begin
  select * into v_original from public.payments p
   where p.company_id = p_refund.company_id and p.id = p_refund.original_payment_id for no key update;
  if v_original.payment_type = 'refund' or not app.is_settled(v_original.status) then
    raise exception using errcode = 'TH422', constraint = 'payment_not_refundable',
      message = 'Only a completed payment is given back.';
  elsif (v_original.customer_id, v_original.currency) is distinct from (p_refund.customer_id, p_refund.currency) then
    perform app.refuse_other_parties('refund');
  end if;
  select sum(r.amount) into v_refunded from public.payments r
   where r.company_id = p_refund.company_id and r.original_payment_id = p_refund.original_payment_id and app.is_settled(r.status);
  if v_refunded > v_original.amount then
    raise exception using errcode = 'TH422', constraint = 'refund_too_large',
      message = format('Of this payment %s can still be given back.', v_original.amount - v_original.refunded_amount),
      detail = jsonb_build_object('refundable_amount', v_original.amount - v_original.refunded_amount)::text;
  end if;
  perform app.check_shares(v_original);
  update public.payments p
     set refunded_amount = v_refunded, refunded_at = now(), refund_reason = coalesce(p_refund.refund_reason, p.refund_reason),
         status = case when v_refunded = p.amount then 'refunded' else 'partially_refunded' end
   where p.company_id = p_refund.company_id and p.id = p_refund.original_payment_id;
end $$;
ALTER FUNCTION app.apply_refund(p_refund public.payments) OWNER TO app_owner;

CREATE FUNCTION app.archive_jobs(p_limit integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_job      record;
  v_key      record;
  v_rows     jsonb;
  v_children jsonb;
  v_count    bigint := 0;
begin
  for v_job in
    select j.* from public.jobs j left join public.company_settings s on s.company_id = j.company_id
     where j.status in ('completed', 'paid') and j.deleted_at is null
       and coalesce(j.actual_end, j.updated_at) < now() - make_interval(days => app.kept_days(s.retention, 'completed_jobs'))
     order by random() limit p_limit
  loop
    begin
      v_children := '{}';
      for v_key in
        select k.conrelid::regclass::text as name, regexp_replace(k.conrelid::regclass::text, '^public\.', '') as key, k.confdeltype = 'c' as is_part,
               (select a.attname from pg_catalog.pg_attribute a where a.attrelid = k.conrelid and a.attnum = k.conkey[2]) as job_column
          from pg_catalog.pg_constraint k
         where k.contype = 'f' and k.confrelid = 'public.jobs'::regclass and k.conparentid = 0 and k.confdeltype in ('c', 'n')
           and k.conrelid <> 'public.technician_positions'::regclass
         order by 2, 4
      loop
        execute format('select jsonb_agg(%s) from %s t where t.company_id = $1 and t.%I = $2',
                       case when v_key.is_part then 'to_jsonb(t)' else 'to_jsonb(t) -> ''id''' end, v_key.name, v_key.job_column)
          into v_rows using v_job.company_id, v_job.id;
        if v_rows is not null then
          v_children := v_children || jsonb_build_object(v_key.key, coalesce(v_children -> v_key.key, '[]') || v_rows);
        end if;
      end loop;
      insert into public.jobs_archive (company_id, id, job_number, customer_id, property_id, assigned_to, title, status, completed_at,
                                       total_amount, currency, job, children, created_at)
      values (v_job.company_id, v_job.id, v_job.job_number, v_job.customer_id, v_job.property_id, v_job.assigned_to, v_job.title, v_job.status,
              coalesce(v_job.actual_end, v_job.updated_at), v_job.total_amount, v_job.currency, to_jsonb(v_job), v_children, v_job.created_at);
      delete from public.jobs j where j.company_id = v_job.company_id and j.id = v_job.id;
      v_count := v_count + 1;
    exception when foreign_key_violation or restrict_violation or sqlstate 'TH422' or sqlstate 'TH409' or sqlstate 'TH403' then
      null;
    end;
  end loop;
  return v_count;
end $_$;
ALTER FUNCTION app.archive_jobs(p_limit integer) OWNER TO app_definer;

CREATE FUNCTION app.audit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_high    constant boolean := tg_argv[3] = 'high';
  v_headers constant jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
  v_action  text := 'create';
  v_row     jsonb;
  v_old     jsonb;
  v_new     jsonb;
  v_changed text[];
  v_pii     boolean := false;
  v_value   jsonb;
  v_masked  text[] := '{}';
  v_session text;
begin
  if tg_op = 'INSERT' then
    v_row := to_jsonb(new);
    v_new := jsonb_strip_nulls(v_row) - 'search_vector';
  elsif tg_op = 'DELETE' then
    v_row := to_jsonb(old);
    v_old := v_row - 'search_vector';
    v_action := 'delete';
  else
    v_row := to_jsonb(new);
    v_old := to_jsonb(old);
    select array_agg(n.key order by n.key), jsonb_object_agg(n.key, v_old -> n.key), jsonb_object_agg(n.key, n.value)
      into v_changed, v_old, v_new
      from jsonb_each(v_row) n
     where n.value is distinct from v_old -> n.key and n.key not in ('updated_at', 'version', 'search_vector');
    if v_changed is null then
      return null;
    end if;
    v_action := case when not 'deleted_at' = any (v_changed) then 'update' when v_row ->> 'deleted_at' is null then 'restore' else 'delete' end;
  end if;
  for i in 4 .. tg_nargs - 2 by 2 loop
    v_value := v_new -> tg_argv[i];
    if v_value is not null and v_value <> 'null' then
      v_masked := v_masked || array[tg_argv[i], case when jsonb_typeof(v_value) = 'string' then app.mask(tg_argv[i + 1], v_value #>> '{}') else '***' end];
      v_pii := v_pii or tg_argv[i + 1] <> 'secret';
    end if;
  end loop;
  v_new := v_new || jsonb_object(v_masked);
  if v_old is not null then
    v_masked := '{}';
    for i in 4 .. tg_nargs - 2 by 2 loop
      v_value := v_old -> tg_argv[i];
      if v_value is not null and v_value <> 'null' then
        v_masked := v_masked || array[tg_argv[i], case when jsonb_typeof(v_value) = 'string' then app.mask(tg_argv[i + 1], v_value #>> '{}') else '***' end];
        v_pii := v_pii or tg_argv[i + 1] <> 'secret';
      end if;
    end loop;
    v_old := v_old || jsonb_object(v_masked);
  end if;
  v_session := auth.jwt() ->> 'session_id';
  insert into public.audit_logs (company_id, user_id, actor_role, action, table_name, entity_type, entity_id, ip_address, user_agent,
                                 request_method, request_path, request_id, old_values, new_values, changed_fields, session_id, severity,
                                 gdpr_relevant, pii_accessed, metadata)
  values ((v_row ->> tg_argv[2])::uuid, auth.uid(), coalesce(app.member_role(), nullif(current_setting('role', true), 'none'), session_user),
          v_action, tg_argv[0], tg_argv[1], case when v_row ->> 'id' ~ '^[0-9a-f-]{36}$' then (v_row ->> 'id')::uuid end,
          case when v_headers ->> 'x-real-ip' ~ '^[0-9a-f.:]{2,45}$' then (v_headers ->> 'x-real-ip')::inet end,
          left(v_headers ->> 'user-agent', 1000), left(nullif(current_setting('request.method', true), ''), 20),
          left(nullif(current_setting('request.path', true), ''), 2048), left(v_headers ->> 'x-request-id', 128),
          v_old, v_new, v_changed, case when v_session ~ '^[0-9a-f-]{36}$' then v_session::uuid end,
          case when v_high and v_action = 'delete' then 'critical' when v_high or v_action = 'delete' then 'warning' else 'info' end,
          tg_nargs > 4, v_pii,
          -- A row without an id is named by what it joins.
          case when v_row ? 'id' or tg_op <> 'UPDATE' then '{}' else
            jsonb_build_object('key', (select jsonb_object_agg(e.key, e.value) from jsonb_each(v_row) e where e.key ~ '_id$')) end);
  return null;
end $_$;
ALTER FUNCTION app.audit() OWNER TO app_definer;

COMMENT ON FUNCTION app.audit() IS 'After insert, update or delete: writes who changed what into audit_logs. Null values of a new row are left out.';

CREATE FUNCTION app.audit_table(p_table regclass, p_tenant_column text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_name constant text := (select c.relname from pg_catalog.pg_class c where c.oid = p_table);
  v_high constant boolean := p_table::text in ('public.companies', 'public.team_members', 'public.custom_roles', 'public.company_settings',
                                               'public.api_keys', 'public.webhooks', 'public.supplier_integrations', 'public.labor_rates');
begin
  if p_table::text = any (app.unaudited_tables()) or p_tenant_column is null then
    execute format('drop trigger if exists zz_audit on %s', p_table);
    return;
  end if;
  -- The last of its kind, so that it sees what the others left.
  execute format('create or replace trigger zz_audit after insert or update or delete on %s for each row
                    when (current_setting(''role'') <> ''app_owner'' or coalesce(current_setting(''app.unaudited'', true), '''') <> ''on'')
                    execute function app.audit(%L, %L, %L, %L', p_table, v_name, app.entity_of(v_name), p_tenant_column,
                 case when v_high then 'high' else 'usual' end)
    || coalesce((select string_agg(format(', %L', l.word), '' order by l.place) from unnest(app.labels_of(p_table)) with ordinality l (word, place)), '')
    || ')';
end $$;
ALTER FUNCTION app.audit_table(p_table regclass, p_tenant_column text) OWNER TO app_owner;

COMMENT ON FUNCTION app.audit_table(p_table regclass, p_tenant_column text) IS 'Has every change of a table''s rows written into audit_logs. app.protect calls it.';

CREATE TABLE public.audit_logs (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid,
    actor_role text,
    action text NOT NULL,
    table_name text,
    entity_type text NOT NULL,
    entity_id uuid,
    ip_address inet,
    user_agent text,
    request_method text,
    request_path text,
    request_id text,
    old_values jsonb,
    new_values jsonb,
    changed_fields text[],
    session_id uuid,
    correlation_id uuid,
    severity text DEFAULT 'info'::text NOT NULL,
    gdpr_relevant boolean DEFAULT false NOT NULL,
    pii_accessed boolean DEFAULT false NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT audit_logs_id_check CHECK (((get_byte(uuid_send(id), 6) >> 4) = 7)),
    CONSTRAINT audit_logs_severity_check CHECK ((severity = ANY (ARRAY['debug'::text, 'info'::text, 'warning'::text, 'error'::text, 'critical'::text])))
)
PARTITION BY RANGE (id);
ALTER TABLE ONLY public.audit_logs FORCE ROW LEVEL SECURITY;
ALTER TABLE public.audit_logs OWNER TO app_owner;

COMMENT ON TABLE public.audit_logs IS 'Who changed what. Written by a trigger, sealed in batches, never changed. Outlives its company. Partitioned by the month in the id.';

COMMENT ON COLUMN public.audit_logs.ip_address IS 'pii:ip';

CREATE FUNCTION app.audit_words(p_row public.audit_logs) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN (jsonb_build_array((p_row).company_id, (p_row).id, (p_row).user_id, (p_row).actor_role, (p_row).action, (p_row).table_name, (p_row).entity_type, (p_row).entity_id, host((p_row).ip_address), (p_row).user_agent, (p_row).request_method, (p_row).request_path, (p_row).request_id, (p_row).old_values, (p_row).new_values, (p_row).changed_fields, (p_row).session_id, (p_row).correlation_id, (p_row).severity, (p_row).gdpr_relevant, (p_row).pii_accessed, (p_row).metadata, ((p_row).xid)::text, ((EXTRACT(epoch FROM (p_row).created_at) * (1000000)::numeric))::bigint))::text;
ALTER FUNCTION app.audit_words(p_row public.audit_logs) OWNER TO app_owner;

CREATE FUNCTION app.authorize_line_rows() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
declare
  v_row   record;
  v_found boolean;
begin
  for v_row in execute format('select distinct r.company_id, r.%I as id from %s r order by 1, 2', tg_argv[1],
                              case tg_op when 'INSERT' then 'made' when 'DELETE' then 'gone'
                                   else '(select * from made union all select * from gone)' end)
  loop
    execute format('select true from %s h where h.company_id = $1 and h.id = $2 for no key update', tg_argv[0]::regclass)
       into v_found using v_row.company_id, v_row.id;
    if v_found is null then
      raise exception using errcode = 'TH403', constraint = 'permission_denied',
        message = format('You need the permission %s:update to change these lines.', tg_argv[2]);
    end if;
  end loop;
  return null;
end $_$;
ALTER FUNCTION app.authorize_line_rows() OWNER TO app_owner;

CREATE FUNCTION app.be_only_default() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
begin
  execute format('update %s set is_default = false where company_id = $1 and id <> $2 and is_default', tg_relid::regclass)
    using new.company_id, new.id;
  return new;
end $_$;
ALTER FUNCTION app.be_only_default() OWNER TO app_owner;

CREATE FUNCTION app.bind_to_entity() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_entity record;
begin
  if tg_op = 'UPDATE' and (new.entity_type, new.entity_id) is not distinct from (old.entity_type, old.entity_id) then
    new.job_id := case when new.job_id is null then null else old.job_id end;
    return new;
  end if;
  if new.entity_type is null or new.entity_id is null then
    return new;
  end if;
  select * into v_entity from app.entity_job(new.company_id, new.entity_type, new.entity_id);
  if not v_entity.is_there then
    raise exception using errcode = 'TH422', constraint = 'entity_not_found',
      message = format('There is no %s with this id.', replace(new.entity_type, '_', ' ')),
      detail = new.entity_id::text;
  end if;
  new.job_id := v_entity.job_id;
  return new;
end $$;
ALTER FUNCTION app.bind_to_entity() OWNER TO app_definer;

CREATE FUNCTION app.book_schedule() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_people constant uuid[] := app.booked_people(new);
  v_person uuid;
  v_other  record;
begin
  delete from public.bookings b
   where b.company_id = new.company_id and b.schedule_id = new.id and b.user_id <> all (v_people);
  if v_people = '{}' then
    return null;
  end if;
  -- Exactly simultaneous bookings would end in a deadlock of the exclusion constraint: they queue here, person by person.
  foreach v_person in array v_people loop
    perform pg_advisory_xact_lock(hashtextextended('booking ' || new.company_id::text || ' ' || v_person::text, 0));
  end loop;
  select b.schedule_id, b.user_id into v_other from public.bookings b
   where b.company_id = new.company_id and b.user_id = any (v_people) and b.schedule_id <> new.id
     and tstzrange(b.start_time, b.end_time) && tstzrange(new.start_time, new.end_time)
   order by b.start_time limit 1;
  if found then
    raise exception using errcode = 'TH409', constraint = 'double_booking',
      message = 'Somebody is booked for this time already.',
      detail = jsonb_build_object('user_id', v_other.user_id, 'schedule_id', v_other.schedule_id)::text,
      hint = 'Choose another time or person, or say in double_booking_reason why it is meant so.';
  end if;
  insert into public.bookings as b (company_id, schedule_id, user_id, start_time, end_time)
  select new.company_id, new.id, p.id, new.start_time, new.end_time from unnest(v_people) p (id)
  on conflict (company_id, schedule_id, user_id) do update set start_time = excluded.start_time, end_time = excluded.end_time
   where (b.start_time, b.end_time) is distinct from (excluded.start_time, excluded.end_time);
  return null;
end $$;
ALTER FUNCTION app.book_schedule() OWNER TO app_definer;

CREATE TABLE public.schedules (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid,
    property_id uuid,
    job_id uuid,
    service_plan_id uuid,
    recurrence_id uuid,
    assigned_to uuid,
    crew uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    type text DEFAULT 'appointment'::text NOT NULL,
    category text DEFAULT 'job_appointment'::text NOT NULL,
    title text NOT NULL,
    description text,
    start_time timestamp with time zone NOT NULL,
    end_time timestamp with time zone NOT NULL,
    duration integer DEFAULT 0 NOT NULL,
    all_day boolean DEFAULT false NOT NULL,
    is_recurring boolean DEFAULT false NOT NULL,
    recurrence_rule jsonb,
    parent_schedule_id uuid,
    recurrence_end_date timestamp with time zone,
    status text DEFAULT 'scheduled'::text NOT NULL,
    priority text DEFAULT 'normal'::text NOT NULL,
    confirmed_at timestamp with time zone,
    confirmed_by text,
    actual_start_time timestamp with time zone,
    actual_end_time timestamp with time zone,
    actual_duration integer,
    completed_by uuid,
    reminder_sent boolean DEFAULT false NOT NULL,
    reminder_sent_at timestamp with time zone,
    reminder_method text,
    reminder_hours_before integer DEFAULT 24 NOT NULL,
    service_types jsonb DEFAULT '[]'::jsonb NOT NULL,
    estimated_cost bigint,
    location text,
    access_instructions text,
    cancelled_at timestamp with time zone,
    cancelled_by uuid,
    cancellation_reason text,
    rescheduled_from_id uuid,
    rescheduled_to_id uuid,
    double_booking_reason text,
    double_booking_by uuid,
    notes text,
    customer_notes text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    color text,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT schedules_access_instructions_check CHECK ((length(access_instructions) <= 4000)),
    CONSTRAINT schedules_actual_check CHECK ((actual_end_time >= actual_start_time)),
    CONSTRAINT schedules_actual_duration_check CHECK ((actual_duration >= 0)),
    CONSTRAINT schedules_cancellation_reason_check CHECK ((length(cancellation_reason) <= 2000)),
    CONSTRAINT schedules_category_check CHECK ((category = ANY (ARRAY['job_appointment'::text, 'estimate_appointment'::text, 'event'::text, 'meeting'::text, 'follow_up'::text, 'recurring_service'::text]))),
    CONSTRAINT schedules_color_check CHECK ((length(color) <= 32)),
    CONSTRAINT schedules_confirmed_by_check CHECK ((length(confirmed_by) <= 200)),
    CONSTRAINT schedules_crew_check CHECK ((cardinality(crew) <= 100)),
    CONSTRAINT schedules_crew_members_check CHECK (((cardinality(crew) <= 20) AND (array_position(crew, NULL::uuid) IS NULL))),
    CONSTRAINT schedules_customer_notes_check CHECK ((length(customer_notes) <= 20000)),
    CONSTRAINT schedules_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT schedules_double_booking_reason_check CHECK ((length(double_booking_reason) <= 500)),
    CONSTRAINT schedules_double_booking_said_check CHECK (((double_booking_reason IS NULL) = (double_booking_by IS NULL))),
    CONSTRAINT schedules_duration_check CHECK ((duration >= 0)),
    CONSTRAINT schedules_estimated_cost_check CHECK ((estimated_cost >= 0)),
    CONSTRAINT schedules_location_check CHECK ((length(location) <= 300)),
    CONSTRAINT schedules_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT schedules_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT schedules_priority_check CHECK ((priority = ANY (ARRAY['low'::text, 'normal'::text, 'high'::text, 'urgent'::text]))),
    CONSTRAINT schedules_reminder_hours_before_check CHECK (((reminder_hours_before >= 0) AND (reminder_hours_before <= 720))),
    CONSTRAINT schedules_reminder_method_check CHECK ((reminder_method = ANY (ARRAY['email'::text, 'sms'::text, 'both'::text]))),
    CONSTRAINT schedules_service_types_check CHECK ((jsonb_typeof(service_types) = 'array'::text)),
    CONSTRAINT schedules_status_check CHECK ((status = ANY (ARRAY['scheduled'::text, 'confirmed'::text, 'dispatched'::text, 'arrived'::text, 'in_progress'::text, 'completed'::text, 'cancelled'::text, 'no_show'::text, 'rescheduled'::text, 'closed'::text]))),
    CONSTRAINT schedules_time_check CHECK ((end_time > start_time)),
    CONSTRAINT schedules_title_check CHECK (((length(title) >= 1) AND (length(title) <= 300))),
    CONSTRAINT schedules_type_check CHECK ((type = ANY (ARRAY['appointment'::text, 'recurring'::text, 'on_call'::text, 'emergency'::text])))
);
ALTER TABLE ONLY public.schedules REPLICA IDENTITY FULL;
ALTER TABLE ONLY public.schedules FORCE ROW LEVEL SECURITY;
ALTER TABLE public.schedules OWNER TO app_owner;

COMMENT ON TABLE public.schedules IS 'Appointments on the calendar. Never partitioned: the rule against double booking needs one table.';

CREATE FUNCTION app.booked_people(p_schedule public.schedules) RETURNS uuid[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
  select coalesce(array_agg(distinct p.id order by p.id), '{}')
    from unnest(array_append(p_schedule.crew, p_schedule.assigned_to)) p (id)
   where p.id is not null
     and p_schedule.status in ('scheduled', 'confirmed', 'dispatched', 'arrived', 'in_progress', 'rescheduled')
     and p_schedule.deleted_at is null and p_schedule.double_booking_reason is null
$$;
ALTER FUNCTION app.booked_people(p_schedule public.schedules) OWNER TO app_owner;

CREATE FUNCTION app.calculate_line() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_total constant bigint := app.line_total(new.quantity, new.unit_price,
                                            coalesce((to_jsonb(new) ->> 'discount_amount')::bigint, 0));
begin
  if new.total <> v_total and new.total is distinct from (case when tg_op = 'UPDATE' then old.total else 0 end) then
    raise exception using errcode = 'TH422', constraint = 'line_total_computed',
      message = format('The total of a line is computed: this one is %s.', v_total),
      hint = 'It is quantity times unit_price, rounded, less discount_amount. Leave total out.';
  end if;
  new.total := v_total;
  return new;
end $$;
ALTER FUNCTION app.calculate_line() OWNER TO app_owner;

CREATE FUNCTION app.caller() RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
begin
  if auth.uid() is null then
    raise exception using errcode = 'TH401', constraint = 'not_signed_in', message = 'Sign in first.';
  end if;
  return auth.uid();
end $$;
ALTER FUNCTION app.caller() OWNER TO app_owner;

CREATE FUNCTION app.categories_added() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  -- A row whose parent stood before it is where it belongs.
  perform app.settle_price_book(d.company_id)
     from (select distinct a.company_id
             from added a join public.price_book_categories p on p.company_id = a.company_id and p.id = a.parent_id
            where a.path operator(extensions.<>) (p.path operator(extensions.||) replace(a.slug, '-', '_')::extensions.ltree)
              or a.level > 18
            order by 1) d;
  return null;
end $$;
ALTER FUNCTION app.categories_added() OWNER TO app_definer;

CREATE FUNCTION app.categories_moved() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  if pg_trigger_depth() = 1 then
    perform app.settle_price_book(d.company_id)
       from (select distinct b.company_id
               from became b join was w on w.company_id = b.company_id and w.id = b.id
              where (b.parent_id, b.slug) is distinct from (w.parent_id, w.slug) order by 1) d;
  end if;
  return null;
end $$;
ALTER FUNCTION app.categories_moved() OWNER TO app_definer;

CREATE FUNCTION app.check_figures(p_noun text, p_sent jsonb, p_before jsonb, p_computed jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS $$
declare
  v_wrong text;
begin
  select string_agg(c.key, ', ' order by c.key) into v_wrong
    from jsonb_each(p_computed) c
   where p_sent -> c.key <> c.value and p_sent -> c.key is distinct from coalesce(p_before -> c.key, '0');
  if v_wrong is not null then
    raise exception using errcode = 'TH422', constraint = p_noun || '_figures_computed',
      message = format('%s of this %s computed: write line_items, tax_rate and discount_amount.', v_wrong,
                       p_noun || case when v_wrong like '%,%' then ' are' else ' is' end),
      detail = p_computed::text;
  end if;
end $$;
ALTER FUNCTION app.check_figures(p_noun text, p_sent jsonb, p_before jsonb, p_computed jsonb) OWNER TO app_owner;

CREATE FUNCTION app.check_grantable(p_before text, p_after text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $_$
declare
  v_key text;
begin
  foreach v_key in array string_to_array(btrim(p_after, ','), ',') loop
    if strpos(p_before, ',' || v_key || ',') = 0
       and not app.has_permission(v_key)
       and not app.has_permission(regexp_replace(v_key, '_(assigned|own)$', '')) then
      raise exception using errcode = 'TH403', constraint = 'permission_escalation',
        message = format('You cannot give the permission %s, which you do not hold.', v_key);
    end if;
  end loop;
end $_$;
ALTER FUNCTION app.check_grantable(p_before text, p_after text) OWNER TO app_owner;

CREATE TABLE public.invoices (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    job_id uuid,
    customer_id uuid NOT NULL,
    property_id uuid,
    estimate_id uuid,
    service_plan_id uuid,
    invoice_number text,
    draft_number text DEFAULT ''::text NOT NULL,
    title text DEFAULT 'Invoice'::text NOT NULL,
    description text,
    status text DEFAULT 'draft'::text NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    line_items jsonb DEFAULT '[]'::jsonb NOT NULL,
    tax_rate numeric(7,4) DEFAULT 0 NOT NULL,
    subtotal bigint DEFAULT 0 NOT NULL,
    taxable_subtotal bigint DEFAULT 0 NOT NULL,
    discount_amount bigint DEFAULT 0 NOT NULL,
    tax_amount bigint DEFAULT 0 NOT NULL,
    total_amount bigint DEFAULT 0 NOT NULL,
    paid_amount bigint DEFAULT 0 NOT NULL,
    credited_amount bigint DEFAULT 0 NOT NULL,
    balance_amount bigint DEFAULT 0 NOT NULL,
    due_date timestamp with time zone,
    terms text,
    notes text,
    issued_at timestamp with time zone,
    sent_at timestamp with time zone,
    viewed_at timestamp with time zone,
    paid_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    cancellation_reason text,
    page_content jsonb,
    has_payment_plan boolean DEFAULT false NOT NULL,
    payment_plan_id text,
    is_recurring boolean DEFAULT false NOT NULL,
    recurrence_frequency text,
    next_invoice_date timestamp with time zone,
    recurring_invoice_id uuid,
    payment_token text,
    payment_token_expires_at timestamp with time zone,
    reminder_count integer DEFAULT 0 NOT NULL,
    last_reminder_at timestamp with time zone,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    search_vector tsvector,
    CONSTRAINT invoices_balance_amount_check CHECK ((balance_amount >= 0)),
    CONSTRAINT invoices_cancellation_reason_check CHECK ((length(cancellation_reason) <= 2000)),
    CONSTRAINT invoices_credited_amount_check CHECK ((credited_amount >= 0)),
    CONSTRAINT invoices_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT invoices_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT invoices_discount_amount_check CHECK ((discount_amount >= 0)),
    CONSTRAINT invoices_draft_number_check CHECK ((length(draft_number) <= 40)),
    CONSTRAINT invoices_invoice_number_check CHECK ((length(invoice_number) <= 40)),
    CONSTRAINT invoices_issued_number_check CHECK (((status = ANY (ARRAY['draft'::text, 'cancelled'::text, 'archived'::text])) OR (invoice_number IS NOT NULL))),
    CONSTRAINT invoices_line_items_check CHECK ((jsonb_typeof(line_items) = 'array'::text)),
    CONSTRAINT invoices_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT invoices_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT invoices_paid_amount_check CHECK ((paid_amount >= 0)),
    CONSTRAINT invoices_payment_plan_id_check CHECK ((length(payment_plan_id) <= 255)),
    CONSTRAINT invoices_payment_token_check CHECK ((length(payment_token) <= 255)),
    CONSTRAINT invoices_recurrence_frequency_check CHECK ((recurrence_frequency = ANY (ARRAY['weekly'::text, 'bi_weekly'::text, 'monthly'::text, 'quarterly'::text, 'semi_annually'::text, 'annually'::text]))),
    CONSTRAINT invoices_reminder_count_check CHECK ((reminder_count >= 0)),
    CONSTRAINT invoices_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'sent'::text, 'viewed'::text, 'partial'::text, 'paid'::text, 'overdue'::text, 'cancelled'::text, 'archived'::text]))),
    CONSTRAINT invoices_subtotal_check CHECK ((subtotal >= 0)),
    CONSTRAINT invoices_tax_amount_check CHECK ((tax_amount >= 0)),
    CONSTRAINT invoices_tax_rate_check CHECK (((tax_rate >= (0)::numeric) AND (tax_rate <= (100)::numeric))),
    CONSTRAINT invoices_taxable_subtotal_check CHECK ((taxable_subtotal >= 0)),
    CONSTRAINT invoices_terms_check CHECK ((length(terms) <= 20000)),
    CONSTRAINT invoices_title_check CHECK ((length(title) <= 300)),
    CONSTRAINT invoices_total_amount_check CHECK ((total_amount >= 0))
);
ALTER TABLE ONLY public.invoices FORCE ROW LEVEL SECURITY;
ALTER TABLE public.invoices OWNER TO app_owner;

COMMENT ON TABLE public.invoices IS 'Bills to customers. Totals are computed from the lines, paid and balance from the payments.';

COMMENT ON COLUMN public.invoices.payment_token IS 'secret';

COMMENT ON COLUMN public.invoices.search_vector IS 'Kept by a trigger: the words of the row by their weight.';

CREATE FUNCTION app.check_invoice_status(p_new public.invoices) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
declare
  v_fault text;
begin
  if p_new.status = 'paid' and p_new.balance_amount > 0 then
    raise exception using errcode = 'TH422', constraint = 'invoice_not_paid',
      message = format('An invoice is paid when nothing is left to pay; %s is.', p_new.balance_amount),
      hint = 'Record the payment.';
  elsif p_new.status = 'overdue' and (p_new.balance_amount = 0 or p_new.due_date is null or p_new.due_date > now()) then
    raise exception using errcode = 'TH422', constraint = 'invoice_not_overdue',
      message = 'An invoice is overdue when its due date is past and something is left to pay.';
  end if;
  v_fault := case
    when p_new.status = 'partial' and (p_new.paid_amount = 0 or p_new.balance_amount = 0) then 'a part of it is paid'
    when p_new.status in ('sent', 'viewed') and (p_new.paid_amount > 0 or p_new.balance_amount = 0 and p_new.total_amount > 0)
      then 'nothing of it is paid' end;
  if v_fault is not null then
    raise exception using errcode = 'TH422', constraint = 'invoice_status_computed',
      message = format('An invoice is %s when %s.', p_new.status, v_fault),
      hint = 'Payments and refunds move the status of an invoice.';
  end if;
  if p_new.status = 'cancelled' and p_new.paid_amount > 0 and btrim(coalesce(p_new.cancellation_reason, '')) = '' then
    raise exception using errcode = 'TH422', constraint = 'invoice_requirement_missing',
      message = 'An invoice of which a part is paid needs a reason to be cancelled.', detail = 'cancellation_reason';
  end if;
end $$;
ALTER FUNCTION app.check_invoice_status(p_new public.invoices) OWNER TO app_owner;

CREATE FUNCTION app.check_job_references() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_customer_id uuid;
begin
  if new.property_id is not null and new.customer_id is not null
     and (tg_op = 'INSERT' or (new.property_id, new.customer_id) is distinct from (old.property_id, old.customer_id)) then
    -- Shared with other jobs, in the way of a property that is just going to another customer.
    select p.customer_id into v_customer_id from public.properties p
     where p.company_id = new.company_id and p.id = new.property_id for share;
    if found and v_customer_id is distinct from new.customer_id then
      raise exception using errcode = 'TH422', constraint = 'property_not_of_customer',
        message = 'The property of a job must belong to the job''s customer.';
    end if;
  end if;
  if new.assigned_to is not null and (tg_op = 'INSERT' or new.assigned_to is distinct from old.assigned_to)
     and exists (select from public.team_members m
                  where m.company_id = new.company_id and m.user_id = new.assigned_to
                    and (m.status <> 'active' or m.archived_at is not null)) then
    raise exception using errcode = 'TH422', constraint = 'assignee_not_active',
      message = 'A job can be assigned to an active member only.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.check_job_references() OWNER TO app_definer;

CREATE FUNCTION app.check_line_items(p_items jsonb, p_lines regclass) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
declare
  v_most constant integer := 500;
  v_fault text;
begin
  if jsonb_typeof(p_items) <> 'array' then
    v_fault := 'line_items is an array of objects.';
  elsif jsonb_array_length(p_items) > v_most then
    v_fault := format('A document has at most %s lines.', v_most);
  elsif exists (select from jsonb_array_elements(p_items) e where jsonb_typeof(e.value) <> 'object') then
    v_fault := 'Each of the line_items is an object.';
  else
    select format('A line has no "%s".', left(k.key, 80)) into v_fault
      from jsonb_array_elements(p_items) e cross join lateral jsonb_object_keys(e.value) k (key)
     where not exists (select from pg_catalog.pg_attribute a
                        where a.attrelid = p_lines and a.attname = k.key and a.attnum > 0 and not a.attisdropped)
     limit 1;
  end if;
  if v_fault is not null then
    raise exception using errcode = 'TH422', constraint = 'line_items_invalid', message = v_fault,
      hint = 'A line is written like {"description": "Filter", "quantity": 2, "unit_price": 1250}, with prices in minor units.';
  end if;
end $$;
ALTER FUNCTION app.check_line_items(p_items jsonb, p_lines regclass) OWNER TO app_owner;

CREATE FUNCTION app.check_line_permission(p_noun text, p_verb text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
begin
  -- The setting says who asks, also inside of definer functions. Which documents are his the header's own policies have said.
  if current_setting('role', true) = 'authenticated'
     and not app.has_permission(p_noun || ':' || p_verb) and not app.has_permission(p_noun || ':' || p_verb || '_assigned') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = format('You need the permission %s:%s.', p_noun, p_verb);
  end if;
end $$;
ALTER FUNCTION app.check_line_permission(p_noun text, p_verb text) OWNER TO app_owner;

CREATE FUNCTION app.check_permission_map(p_map jsonb) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_entry record;
begin
  for v_entry in select e.key, e.value from jsonb_each(p_map) e loop
    if v_entry.value not in ('true', 'false')
       or not exists (select from app.role_permissions rp
                       where rp.permission = regexp_replace(v_entry.key, '_(assigned|own)$', '')) then
      raise exception using errcode = 'TH422', constraint = 'permission_unknown',
        message = format('"%s" is not a permission that can be given or taken.', left(v_entry.key, 80)),
        hint = 'A permission is written noun:verb, noun:verb_assigned or noun:verb_own, with true or false.';
    end if;
  end loop;
end $_$;
ALTER FUNCTION app.check_permission_map(p_map jsonb) OWNER TO app_definer;

CREATE FUNCTION app.check_property_of_customer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_customer_id uuid;
begin
  if new.property_id is null or new.customer_id is null
     or (tg_op = 'UPDATE' and (new.property_id, new.customer_id) is not distinct from (old.property_id, old.customer_id)) then
    return new;
  end if;
  -- Shared with other rows, in the way of a property that is just going to another customer.
  select p.customer_id into v_customer_id from public.properties p
   where p.company_id = new.company_id and p.id = new.property_id for share;
  if found and v_customer_id is distinct from new.customer_id then
    raise exception using errcode = 'TH422', constraint = 'property_not_of_customer',
      message = 'The property must belong to the customer.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.check_property_of_customer() OWNER TO app_definer;

CREATE FUNCTION app.check_shares(p_payment public.payments) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
declare
  v_is_over boolean;
begin
  with given as (
    select a.invoice_id, a.amount_applied as amount
      from public.payment_allocations a where a.company_id = p_payment.company_id and a.payment_id = p_payment.id
    union all
    select p_payment.invoice_id, p_payment.amount - coalesce((select sum(a.amount_applied) from public.payment_allocations a
      where a.company_id = p_payment.company_id and a.payment_id = p_payment.id), 0)
  ), moved as (
    select g.invoice_id, g.amount from given g
    union all
    select r.invoice_id, -r.amount from public.payments r
     where r.company_id = p_payment.company_id and r.original_payment_id = p_payment.id and app.is_settled(r.status)
  )
  select coalesce(bool_or(m.left_over < 0), false) into v_is_over
    from (select sum(m.amount) as left_over from moved m group by m.invoice_id) m;
  if v_is_over then
    raise exception using errcode = 'TH422', constraint = 'payment_exceeded',
      message = 'That is more than is left of the payment.',
      detail = jsonb_build_object('amount', p_payment.amount, 'refunded_amount', p_payment.refunded_amount)::text;
  end if;
end $$;
ALTER FUNCTION app.check_shares(p_payment public.payments) OWNER TO app_owner;

CREATE FUNCTION app.check_stock_quantity(p_quantity numeric) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS $$
begin
  if p_quantity is null or p_quantity = 'NaN' or p_quantity <= 0 or p_quantity >= 1e11 or p_quantity <> round(p_quantity, 3) then
    raise exception using errcode = 'TH422', constraint = 'stock_quantity_invalid',
      message = 'A quantity is above 0 and has at most three decimal places.';
  end if;
end $$;
ALTER FUNCTION app.check_stock_quantity(p_quantity numeric) OWNER TO app_owner;

CREATE FUNCTION app.check_visit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  if new.job_id is not null and (tg_op = 'INSERT' or (new.job_id, new.customer_id) is distinct from (old.job_id, old.customer_id))
     and exists (select from public.jobs j
                  where j.company_id = new.company_id and j.id = new.job_id and j.customer_id <> new.customer_id) then
    raise exception using errcode = 'TH422', constraint = 'job_not_of_customer',
      message = 'The job of an appointment must be the customer''s.';
  end if;
  if (tg_op = 'INSERT' or (new.assigned_to, new.crew) is distinct from (old.assigned_to, old.crew))
     and exists (select from public.team_members m
                  where m.company_id = new.company_id and m.user_id = any (array_append(new.crew, new.assigned_to))
                    and (m.status <> 'active' or m.archived_at is not null)) then
    raise exception using errcode = 'TH422', constraint = 'assignee_not_active',
      message = 'An appointment can be assigned to active members only.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.check_visit() OWNER TO app_definer;

CREATE TABLE public.stock_reservations (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    inventory_id uuid NOT NULL,
    job_id uuid,
    quantity numeric(14,3) NOT NULL,
    quantity_used numeric(14,3) DEFAULT 0 NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    reason text,
    released_at timestamp with time zone,
    fulfilled_at timestamp with time zone,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT stock_reservations_quantity_check CHECK ((quantity > (0)::numeric)),
    CONSTRAINT stock_reservations_quantity_used_check CHECK ((quantity_used >= (0)::numeric)),
    CONSTRAINT stock_reservations_reason_check CHECK ((length(reason) <= 2000)),
    CONSTRAINT stock_reservations_status_check CHECK ((status = ANY (ARRAY['active'::text, 'released'::text, 'fulfilled'::text]))),
    CONSTRAINT stock_reservations_used_check CHECK ((quantity_used <= quantity))
);
ALTER TABLE ONLY public.stock_reservations FORCE ROW LEVEL SECURITY;
ALTER TABLE public.stock_reservations OWNER TO app_owner;

COMMENT ON TABLE public.stock_reservations IS 'Stock that is kept for a job.';

CREATE FUNCTION app.close_reservation(p_reservation public.stock_reservations, p_released numeric, p_used numeric) RETURNS public.stock_reservations
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_left        constant numeric := p_reservation.quantity - p_reservation.quantity_used - p_released - p_used;
  v_reservation public.stock_reservations;
begin
  if v_left < 0 then
    raise exception using errcode = 'TH409', constraint = 'reservation_exceeded',
      message = format('Of this reservation only %s are left.', p_reservation.quantity - p_reservation.quantity_used);
  end if;
  -- What is released is no longer part of it; of what is left nothing when the whole was released.
  update public.stock_reservations r
     set quantity = case when v_left = 0 and r.quantity_used + p_used = 0 then r.quantity else r.quantity - p_released end,
         quantity_used = r.quantity_used + p_used,
         status = case when v_left > 0 then 'active' when r.quantity_used + p_used = 0 then 'released' else 'fulfilled' end,
         released_at = case when v_left = 0 and r.quantity_used + p_used = 0 then now() else r.released_at end,
         fulfilled_at = case when v_left = 0 and r.quantity_used + p_used > 0 then now() else r.fulfilled_at end
   where r.company_id = p_reservation.company_id and r.id = p_reservation.id
  returning * into v_reservation;
  return v_reservation;
end $$;
ALTER FUNCTION app.close_reservation(p_reservation public.stock_reservations, p_released numeric, p_used numeric) OWNER TO app_owner;

CREATE FUNCTION app.company_timezone_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  perform app.rebuild_figures(new.id);
  return null;
end $$;
ALTER FUNCTION app.company_timezone_changed() OWNER TO app_definer;

CREATE FUNCTION app.compute_purchase_order() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_vendor   public.vendors;
  v_taxable  bigint;
  v_discount bigint;
begin
  if new.vendor_id is not null and (tg_op = 'INSERT' or new.vendor_id is distinct from old.vendor_id) then
    select * into v_vendor from public.vendors v where v.company_id = new.company_id and v.id = new.vendor_id;
    if coalesce(btrim(new.vendor), '') = '' or tg_op = 'UPDATE' and new.vendor = old.vendor then
      new.vendor := coalesce(v_vendor.display_name, v_vendor.name, new.vendor);
    end if;
    new.vendor_email := coalesce(new.vendor_email, v_vendor.email);
    new.vendor_phone := coalesce(new.vendor_phone, v_vendor.phone);
  end if;
  if coalesce(btrim(new.vendor), '') = '' then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_vendor_required',
      message = 'A purchase order needs a vendor.',
      hint = 'Write the id of one of the company as vendor_id, or a name as vendor.';
  end if;
  select coalesce(sum((l.value ->> 'total')::bigint), 0),
    coalesce(sum((l.value ->> 'total')::bigint) filter (where (l.value ->> 'is_taxable')::boolean), 0)
    into new.subtotal, v_taxable from jsonb_array_elements(new.line_items) l;
  if new.line_items = '[]' and new.status not in ('draft', 'cancelled') then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_lines_missing',
      message = 'A purchase order that leaves the draft needs at least one line.';
  end if;
  -- While lines are being entered a discount may be larger for a moment, and counts as far as it goes.
  if new.discount_amount > new.subtotal and new.status not in ('draft', 'cancelled') then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_discount_too_large',
      message = 'The discount of a purchase order is larger than its lines together.';
  end if;
  v_discount := least(new.discount_amount, new.subtotal);
  -- The discount lowers what is taxed by its share. Half a unit is rounded away from zero.
  new.tax_amount := case when new.subtotal = 0 then 0 else
    round((v_taxable - round(v_discount::numeric * v_taxable / new.subtotal)) * new.tax_rate / 100) end;
  new.total_amount := new.subtotal - v_discount + new.tax_amount + new.shipping_amount;
  -- It is received as far as its lines are.
  if new.status in ('ordered', 'partially_received') and tg_op = 'UPDATE' and new.line_items <> old.line_items then
    if not exists (select from jsonb_array_elements(new.line_items) l
                    where (l.value ->> 'quantity_received')::numeric < (l.value ->> 'quantity')::numeric) then
      new.status := 'received';
    elsif exists (select from jsonb_array_elements(new.line_items) l where (l.value ->> 'quantity_received')::numeric > 0) then
      new.status := 'partially_received';
    end if;
  end if;
  return new;
end $$;
ALTER FUNCTION app.compute_purchase_order() OWNER TO app_definer;

CREATE FUNCTION app.copy_crew(p_company_id uuid, p_job_id uuid) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    AS $$
  update public.jobs j set crew = c.people
    from (select coalesce(array_agg(distinct a.user_id order by a.user_id), '{}') as people
            from public.job_team_assignments a
           where a.company_id = p_company_id and a.job_id = p_job_id and a.removed_at is null and a.role <> 'primary') c
   where j.company_id = p_company_id and j.id = p_job_id and j.crew <> c.people;
$$;
ALTER FUNCTION app.copy_crew(p_company_id uuid, p_job_id uuid) OWNER TO app_owner;

CREATE FUNCTION app.count_customer_money() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v record;
begin
  -- Customers are locked in one order.
  for v in execute format($f$
    select m.company_id, m.customer_id, sum(m.owed)::bigint as owed, sum(m.revenue)::bigint as revenue,
           sum(m.invoices)::bigint as invoices, max(m.issued_at) as issued_at
      from (%s) m group by 1, 2 having sum(m.owed) <> 0 or sum(m.revenue) <> 0 or sum(m.invoices) <> 0 order by 1, 2 $f$,
    concat_ws(' union all ',
      case when tg_op <> 'DELETE' then
        'select i.company_id, i.customer_id, f.owed, f.revenue, f.invoices, i.issued_at
           from made i cross join lateral app.invoice_figures(i::public.invoices) f' end,
      case when tg_op <> 'INSERT' then
        'select i.company_id, i.customer_id, -f.owed as owed, -f.revenue as revenue, -f.invoices as invoices, null::timestamptz as issued_at
           from gone i cross join lateral app.invoice_figures(i::public.invoices) f' end))
  loop
    update public.customers c
       set outstanding_balance = c.outstanding_balance + v.owed, total_revenue = c.total_revenue + v.revenue,
           total_invoices = c.total_invoices + v.invoices, last_invoice_date = greatest(c.last_invoice_date, v.issued_at)
     where c.company_id = v.company_id and c.id = v.customer_id and (c.deleted_at is null or v.owed <= 0);
    if not found and tg_op <> 'DELETE' then
      raise exception using errcode = 'TH409', constraint = 'customer_deleted',
        message = 'This customer was deleted, and nothing more can be billed to him.', hint = 'Restore the customer first.';
    end if;
  end loop;
  return null;
end $_$;
ALTER FUNCTION app.count_customer_money() OWNER TO app_definer;

CREATE FUNCTION app.count_figures(p_table regclass, p_call text, p_sums text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
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
ALTER FUNCTION app.count_figures(p_table regclass, p_call text, p_sums text[]) OWNER TO app_owner;

COMMENT ON FUNCTION app.count_figures(p_table regclass, p_call text, p_sums text[]) IS 'Declares that rows of a table are counted in app.figures.';

CREATE FUNCTION app.count_items(p_company_ids uuid[], p_category_ids uuid[], p_counts bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  perform app.lock_price_book(d.company_id, false)
     from (select distinct u.company_id from unnest(p_company_ids) u (company_id) order by 1) d;
  perform from public.price_book_categories c
   where exists (select from unnest(p_company_ids, p_category_ids) d (company_id, category_id)
                   join public.price_book_categories k on k.company_id = d.company_id and k.id = d.category_id
                  where c.company_id = k.company_id and c.path operator(extensions.@>) k.path)
   order by c.company_id, c.id for no key update;
  update public.price_book_categories c
     set item_count = c.item_count + t.own, descendant_item_count = c.descendant_item_count + t.total
    from (select a.company_id, a.id, coalesce(sum(d.count) filter (where a.id = d.category_id), 0) as own, sum(d.count) as total
            from unnest(p_company_ids, p_category_ids, p_counts) d (company_id, category_id, count)
            join public.price_book_categories k on k.company_id = d.company_id and k.id = d.category_id
            join public.price_book_categories a on a.company_id = k.company_id and a.path operator(extensions.@>) k.path
           group by a.company_id, a.id) t
   where c.company_id = t.company_id and c.id = t.id and (t.own <> 0 or t.total <> 0);
end $$;
ALTER FUNCTION app.count_items(p_company_ids uuid[], p_category_ids uuid[], p_counts bigint[]) OWNER TO app_owner;

CREATE FUNCTION app.count_jobs_of(p_company_id uuid, p_customer_ids uuid[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_locked  uuid[];
  v_changed bigint;
begin
  v_locked := array(
    select l.id from (
      select c.id from public.customers c
       where c.company_id = p_company_id and c.id = any (p_customer_ids) order by c.id for no key update) l);
  -- After the locks, so that this sees what those who held them wrote.
  update public.customers c
     set total_jobs = f.jobs, last_job_date = f.last_job_date, average_job_value = f.average
    from (
      select k.id, count(j.status) as jobs, max(j.worked_at) filter (where j.is_done) as last_job_date,
             coalesce(round(avg(j.total_amount) filter (where j.is_done and j.currency = k.currency)), 0)::bigint as average
        from public.customers k
        -- By each customer's key: what a table without statistics is joined by otherwise takes minutes for an import.
        left join lateral (
          select j.status, j.total_amount, j.currency, app.is_done(j.status, j.actual_end) as is_done,
                 coalesce(j.actual_end, j.actual_start, j.scheduled_start, j.created_at) as worked_at
            from public.jobs j
           where j.company_id = p_company_id and j.customer_id = k.id and j.deleted_at is null
          union all
          select a.status, a.total_amount, a.currency, app.is_done(a.status, (a.job ->> 'actual_end')::timestamptz),
                 coalesce((a.job ->> 'actual_end')::timestamptz, a.completed_at, a.created_at)
            from public.jobs_archive a
           where a.company_id = p_company_id and a.customer_id = k.id and a.job ->> 'deleted_at' is null
        ) j on true
       where k.company_id = p_company_id and k.id = any (v_locked)
       group by k.id) f
   where c.company_id = p_company_id and c.id = f.id
     and (c.total_jobs, c.last_job_date, c.average_job_value) is distinct from (f.jobs, f.last_job_date, f.average);
  get diagnostics v_changed = row_count;
  if v_changed > cardinality(v_locked) then
    raise exception using errcode = 'XX000', message = 'figures were written to more customers than were locked';
  end if;
end $$;
ALTER FUNCTION app.count_jobs_of(p_company_id uuid, p_customer_ids uuid[]) OWNER TO app_owner;

CREATE FUNCTION app.count_jobs_of_customers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_row record;
begin
  if tg_op = 'INSERT' then
    for v_row in
      select n.company_id, array_agg(distinct n.customer_id) as ids from new_rows n where n.customer_id is not null
       group by n.company_id order by n.company_id
    loop
      perform app.count_jobs_of(v_row.company_id, v_row.ids);
    end loop;
  elsif tg_op = 'DELETE' then
    for v_row in
      select o.company_id, array_agg(distinct o.customer_id) as ids from old_rows o where o.customer_id is not null
       group by o.company_id order by o.company_id
    loop
      perform app.count_jobs_of(v_row.company_id, v_row.ids);
    end loop;
  else
    -- A change that counts: of whose it is, of what it comes to, of whether and when it was done.
    for v_row in
      with changed as (
        select n.company_id, n.customer_id as after_id, o.customer_id as before_id
          from new_rows n join old_rows o on o.company_id = n.company_id and o.id = n.id
         where (n.customer_id, n.deleted_at is null, n.status, n.total_amount, n.currency, n.actual_start, n.actual_end,
                n.scheduled_start)
                 is distinct from
               (o.customer_id, o.deleted_at is null, o.status, o.total_amount, o.currency, o.actual_start, o.actual_end,
                o.scheduled_start))
      select c.company_id, array_agg(distinct c.customer_id) as ids
        from (select company_id, after_id as customer_id from changed union select company_id, before_id from changed) c
       where c.customer_id is not null group by c.company_id order by c.company_id
    loop
      perform app.count_jobs_of(v_row.company_id, v_row.ids);
    end loop;
  end if;
  return null;
end $$;
ALTER FUNCTION app.count_jobs_of_customers() OWNER TO app_definer;

CREATE FUNCTION app.count_tag() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  if tg_op <> 'INSERT' then
    update public.tags t set usage_count = greatest(t.usage_count - 1, 0) where t.company_id = old.company_id and t.id = old.tag_id;
  end if;
  if tg_op <> 'DELETE' then
    update public.tags t set usage_count = t.usage_count + 1, last_used_at = now() where t.company_id = new.company_id and t.id = new.tag_id;
  end if;
  return null;
end $$;
ALTER FUNCTION app.count_tag() OWNER TO app_definer;

CREATE FUNCTION app.custom_role_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  update public.team_members m
     set effective_permissions = app.effective_permissions(m.company_id, m.role, m.role_id, m.permissions)
   where m.company_id = new.company_id and m.role_id = new.id;
  return null;
end $$;
ALTER FUNCTION app.custom_role_changed() OWNER TO app_definer;

CREATE FUNCTION app.customer_names(p_first_name text, p_last_name text, p_company_name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((((COALESCE(p_first_name, ''::text) || ' '::text) || COALESCE(p_last_name, ''::text)) || ' '::text) || COALESCE(p_company_name, ''::text));
ALTER FUNCTION app.customer_names(p_first_name text, p_last_name text, p_company_name text) OWNER TO app_owner;

COMMENT ON FUNCTION app.customer_names(p_first_name text, p_last_name text, p_company_name text) IS 'What a customer is called, as it is searched.';

CREATE FUNCTION app.customers_alike(p_company_id uuid, p_words text[], p_plain text, p_pattern text, p_keys_1 text[], p_keys_2 text[], p_keys_3 text[], p_keys_4 text[]) RETURNS uuid[]
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
declare
  v_ids  uuid[];
  v_best double precision;
begin
  -- Each word has a key in common with the name.
  v_ids := array(
    select c.id from public.customers c
     where c.company_id = p_company_id and c.deleted_at is null
       and app.search_keys(app.customer_names(c.first_name, c.last_name, c.company_name)) operator(pg_catalog.&&) p_keys_1
       and (p_keys_2 is null
            or app.search_keys(app.customer_names(c.first_name, c.last_name, c.company_name)) operator(pg_catalog.&&) p_keys_2)
       and (p_keys_3 is null
            or app.search_keys(app.customer_names(c.first_name, c.last_name, c.company_name)) operator(pg_catalog.&&) p_keys_3)
       and (p_keys_4 is null
            or app.search_keys(app.customer_names(c.first_name, c.last_name, c.company_name)) operator(pg_catalog.&&) p_keys_4)
     order by extensions.similarity(c.display_name, p_plain) desc limit 150);
  select max(app.likeness(p_words, app.customer_names(c.first_name, c.last_name, c.company_name))) into v_best
    from public.customers c where c.company_id = p_company_id and c.id = any (v_ids);
  if coalesce(v_best, 0) >= 0.75 then
    return v_ids;
  end if;
  -- Then by three letters in a row, and by what stands within a name.
  return v_ids
    || array(
      select c.id from public.customers c
       where c.company_id = p_company_id and c.deleted_at is null
         and app.fold(app.customer_names(c.first_name, c.last_name, c.company_name)) operator(extensions.%) p_plain
       order by extensions.similarity(c.display_name, p_plain) desc limit 150)
    || array(
      select c.id from public.customers c
       where c.company_id = p_company_id and c.deleted_at is null and length(p_plain) >= 3
         and app.fold(app.customer_names(c.first_name, c.last_name, c.company_name)) like p_pattern
       limit 50);
end $$;
ALTER FUNCTION app.customers_alike(p_company_id uuid, p_words text[], p_plain text, p_pattern text, p_keys_1 text[], p_keys_2 text[], p_keys_3 text[], p_keys_4 text[]) OWNER TO app_owner;

CREATE FUNCTION app.declare_statuses(p_table regclass, p_statuses jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  delete from app.statuses s where s.table_name = p_table::text and not p_statuses ? s.status;
  insert into app.statuses as s (table_name, status, next, needs, is_first, instead)
  select p_table::text, e.key,
         coalesce((select array_agg(n.value) from jsonb_array_elements_text(e.value -> 'next') n), '{}'),
         coalesce((select array_agg(n.value) from jsonb_array_elements_text(e.value -> 'needs') n), '{}'),
         coalesce((e.value ->> 'first')::boolean, false), e.value ->> 'instead'
    from jsonb_each(p_statuses) e
  on conflict (table_name, status) do update
     set next = excluded.next, needs = excluded.needs, is_first = excluded.is_first, instead = excluded.instead
   where (s.next, s.needs, s.is_first, s.instead)
           is distinct from (excluded.next, excluded.needs, excluded.is_first, excluded.instead);
end $$;
ALTER FUNCTION app.declare_statuses(p_table regclass, p_statuses jsonb) OWNER TO app_owner;

COMMENT ON FUNCTION app.declare_statuses(p_table regclass, p_statuses jsonb) IS 'Declares the statuses of a table: {"sent": {"next": ["paid"], "needs": ["customer_id"], "first": true}, "void": {"instead": "cancelled"}}.';

CREATE FUNCTION app.demand(p_permission text, p_assigned boolean DEFAULT false) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
begin
  if app.company_id() is null then
    raise exception using errcode = 'TH403', constraint = 'company_required',
      message = 'No company is chosen.',
      hint = 'Make one active with POST /auth/v1/company, or send the header X-Company-Id.';
  end if;
  if auth.role() = 'service_role' or app.has_permission(p_permission) then
    return true;
  end if;
  if p_assigned and auth.uid() is not null and app.has_permission(p_permission || '_assigned') then
    return false;
  end if;
  raise exception using errcode = 'TH403', constraint = 'permission_denied',
    message = format('You need the permission %s.', p_permission);
end $$;
ALTER FUNCTION app.demand(p_permission text, p_assigned boolean) OWNER TO app_owner;

CREATE FUNCTION app.digits(p_text text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN translate(p_text, translate(p_text, '0123456789'::text, ''::text), ''::text);
ALTER FUNCTION app.digits(p_text text) OWNER TO app_owner;

COMMENT ON FUNCTION app.digits(p_text text) IS 'The digits of a text.';

CREATE FUNCTION app.document_totals(p_lines jsonb, p_discount bigint, p_tax_rate numeric, OUT subtotal bigint, OUT taxable_subtotal bigint, OUT discount bigint, OUT tax_amount bigint, OUT total_amount bigint) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $$
begin
  select coalesce(sum((l.value ->> 'total')::bigint), 0),
         coalesce(sum((l.value ->> 'total')::bigint) filter (where (l.value ->> 'is_taxable')::boolean), 0)
    into subtotal, taxable_subtotal
    from jsonb_array_elements(p_lines) l;
  discount := least(p_discount, subtotal);
  tax_amount := case when subtotal = 0 then 0
    else round(taxable_subtotal::numeric * (subtotal - discount) * p_tax_rate / (subtotal::numeric * 100)) end;
  total_amount := subtotal - discount + tax_amount;
end $$;
ALTER FUNCTION app.document_totals(p_lines jsonb, p_discount bigint, p_tax_rate numeric, OUT subtotal bigint, OUT taxable_subtotal bigint, OUT discount bigint, OUT tax_amount bigint, OUT total_amount bigint) OWNER TO app_owner;

COMMENT ON FUNCTION app.document_totals(p_lines jsonb, p_discount bigint, p_tax_rate numeric, OUT subtotal bigint, OUT taxable_subtotal bigint, OUT discount bigint, OUT tax_amount bigint, OUT total_amount bigint) IS 'The totals of lines: tax = round((taxable subtotal less its share of the discount) x rate / 100).';

CREATE FUNCTION app.e164(p_phone text, p_country text DEFAULT 'USA'::text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $_$
  select case
           when d.typed like '+%' and d.digits ~ '^[1-9][0-9]{6,14}$' then '+' || d.digits
           when d.typed like '00%' and d.digits ~ '^00[1-9][0-9]{6,14}$' then '+' || substr(d.digits, 3)
           when p_country in ('USA', 'US', 'CAN', 'CA') and d.digits ~ '^[2-9][0-9]{9}$' then '+1' || d.digits
           when p_country in ('USA', 'US', 'CAN', 'CA') and d.digits ~ '^1[2-9][0-9]{9}$' then '+' || d.digits
         end
    from (select btrim(p_phone) as typed, regexp_replace(p_phone, '[^0-9]', '', 'g') as digits) d
   where btrim(p_phone) ~ '^[+]?[0-9 ()./-]+$'
$_$;
ALTER FUNCTION app.e164(p_phone text, p_country text) OWNER TO app_owner;

COMMENT ON FUNCTION app.e164(p_phone text, p_country text) IS 'A telephone number as +<country><number>, or null where it is none.';

CREATE FUNCTION app.edits_between(p_a text, p_b text) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
declare
  v_edits constant integer := extensions.levenshtein(p_a, p_b);
begin
  if v_edits = 2 and length(p_a) = length(p_b) then
    for i in 1 .. length(p_a) - 1 loop
      if substr(p_a, i, 1) <> substr(p_b, i, 1) then
        return case when substr(p_a, i, 1) = substr(p_b, i + 1, 1) and substr(p_a, i + 1, 1) = substr(p_b, i, 1)
                     and substr(p_a, i + 2) = substr(p_b, i + 2) then 1 else 2 end;
      end if;
    end loop;
  end if;
  return v_edits;
end $$;
ALTER FUNCTION app.edits_between(p_a text, p_b text) OWNER TO app_owner;

CREATE FUNCTION app.effective_permissions(p_company_id uuid, p_role text, p_role_id uuid, p_overrides jsonb) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  -- Owner and admin hold what the matrix says: nothing can take from them, nothing has to add.
  v_layered constant boolean := p_role not in ('owner', 'admin');
  v_result text;
begin
  with layers as (
    select rp.permission || case rp.scope when 'all' then '' else '_' || rp.scope end as key, true as held, 1 as layer
      from app.role_permissions rp where rp.role = p_role
    union all
    select e.key, e.value = 'true', 2
      from public.custom_roles r cross join lateral jsonb_each(r.permissions) e
     where v_layered and r.company_id = p_company_id and r.id = p_role_id
    union all
    select e.key, e.value = 'true', 3
      from jsonb_each(coalesce(p_overrides, '{}')) e where v_layered
  ), decided as (
    select distinct on (l.key) l.key, l.held from layers l order by l.key, l.layer desc
  )
  select ',' || string_agg(d.key, ',' order by d.key collate "C") || ',' into v_result from decided d where d.held;
  return coalesce(v_result, '');
end $$;
ALTER FUNCTION app.effective_permissions(p_company_id uuid, p_role text, p_role_id uuid, p_overrides jsonb) OWNER TO app_definer;

CREATE FUNCTION app.enclose(p_table regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_role text;
begin
  if not (select c.relrowsecurity and c.relforcerowsecurity from pg_catalog.pg_class c where c.oid = p_table) then
    execute format('alter table %s enable row level security, force row level security', p_table);
  end if;
  foreach v_role in array array['app_owner', 'app_definer', 'service_role'] loop
    if not exists (select from pg_catalog.pg_policy where polrelid = p_table and polname = v_role || '_all') then
      execute format('create policy %I on %s as permissive for all to %I using (true) with check (true)',
                     v_role || '_all', p_table, v_role);
    end if;
  end loop;
  execute format('grant select, insert, update, delete on %s to app_definer', p_table);
end $$;
ALTER FUNCTION app.enclose(p_table regclass) OWNER TO app_owner;

COMMENT ON FUNCTION app.enclose(p_table regclass) IS 'Forces row security on a table and writes the policies of owner, definer and service. Every migration calls it for each table it makes.';

CREATE FUNCTION app.entity_job(p_company_id uuid, p_entity_type text, p_entity_id uuid, OUT is_there boolean, OUT job_id uuid) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $_$
declare
  v_table constant text := case p_entity_type
    when 'property' then 'properties' when 'equipment' then 'equipment' when 'inventory' then 'inventory'
    else p_entity_type || 's' end;
  v_job   constant text := case
    when p_entity_type = 'job' then 'id'
    when p_entity_type in ('schedule', 'estimate', 'invoice', 'payment', 'contract', 'communication') then 'job_id' else 'null::uuid' end;
begin
  execute format('select true, %s from public.%I where company_id = $1 and id = $2', v_job, v_table)
    into is_there, job_id using p_company_id, p_entity_id;
  is_there := coalesce(is_there, false);
end $_$;
ALTER FUNCTION app.entity_job(p_company_id uuid, p_entity_type text, p_entity_id uuid, OUT is_there boolean, OUT job_id uuid) OWNER TO app_owner;

CREATE FUNCTION app.entity_of(p_table text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN CASE WHEN (p_table ~ 'ies$'::text) THEN regexp_replace(p_table, 'ies$'::text, 'y'::text) WHEN (p_table ~ '(ss|x|ch|sh)es$'::text) THEN regexp_replace(p_table, 'es$'::text, ''::text) WHEN ((p_table ~ '[^s]s$'::text) AND (p_table !~ 'settings$'::text)) THEN regexp_replace(p_table, 's$'::text, ''::text) ELSE p_table END;
ALTER FUNCTION app.entity_of(p_table text) OWNER TO app_owner;

CREATE FUNCTION app.equipment_names(p_name text, p_manufacturer text, p_model text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((((COALESCE(p_name, ''::text) || ' '::text) || COALESCE(p_manufacturer, ''::text)) || ' '::text) || COALESCE(p_model, ''::text));
ALTER FUNCTION app.equipment_names(p_name text, p_manufacturer text, p_model text) OWNER TO app_owner;

COMMENT ON FUNCTION app.equipment_names(p_name text, p_manufacturer text, p_model text) IS 'What a piece of equipment is called, as it is searched.';

CREATE FUNCTION app.equipment_serviced() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  update public.equipment e set last_service_date = now(), last_service_job_id = new.job_id, total_service_count = e.total_service_count + 1
   where e.company_id = new.company_id and e.id = new.equipment_id;
  return null;
end $$;
ALTER FUNCTION app.equipment_serviced() OWNER TO app_definer;

CREATE FUNCTION app.expire(p_limit integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_table text;
  v_count bigint := 0;
begin
  if p_limit not between 1 and 10000 then
    raise exception using errcode = '22023', message = 'a batch has 1 to 10000 rows';
  end if;
  foreach v_table in array array['email_logs', 'webhook_logs', 'activities'] loop
    v_count := v_count + app.expire_logs(v_table, p_limit);
  end loop;
  v_count := v_count + app.expire_audit(p_limit);
  for v_table in select t.table_name from app.protected_tables t where t.soft_delete order by t.table_name loop
    exit when v_count >= p_limit;
    v_count := v_count + app.expire_deleted(v_table, p_limit);
  end loop;
  if v_count < p_limit then
    v_count := v_count + app.archive_jobs(greatest(p_limit / 20, 1));
  end if;
  return v_count;
end $$;
ALTER FUNCTION app.expire(p_limit integer) OWNER TO app_definer;

COMMENT ON FUNCTION app.expire(p_limit integer) IS 'Takes away a batch of what is older than its company keeps it, and moves completed jobs into jobs_archive; returns how many rows went.';

CREATE FUNCTION app.expire_audit(p_limit integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_batch record;
  v_count bigint := 0;
begin
  for v_batch in
    select b.company_id, b.number, b.row_ids from app.audit_batches b left join public.company_settings s on s.company_id = b.company_id
     where b.rows_expired_at is null and b.sealed_at < now() - make_interval(days => app.kept_days(s.retention, 'audit_logs'))
     order by b.sealed_at limit greatest(p_limit / 100, 1)
  loop
    delete from public.audit_logs a where a.company_id = v_batch.company_id and a.id = any (v_batch.row_ids);
    update app.audit_batches b set rows_expired_at = now() where b.company_id = v_batch.company_id and b.number = v_batch.number;
    v_count := v_count + cardinality(v_batch.row_ids);
  end loop;
  return v_count;
end $$;
ALTER FUNCTION app.expire_audit(p_limit integer) OWNER TO app_owner;

CREATE FUNCTION app.expire_deleted(p_table text, p_limit integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_row   record;
  v_count bigint := 0;
begin
  for v_row in execute format(
    'select t.company_id, t.id from %s t left join public.company_settings s on s.company_id = t.company_id
      where t.deleted_at is not null and t.permanent_delete_scheduled_at <= now()
        and t.deleted_at <= now() - make_interval(days => app.kept_days(s.retention, ''deleted_rows''))
      order by random() limit %s', p_table::regclass, p_limit)
  loop
    begin
      execute format('delete from %s where company_id = $1 and id = $2', p_table::regclass) using v_row.company_id, v_row.id;
      v_count := v_count + 1;
    exception when foreign_key_violation or restrict_violation or sqlstate 'TH422' or sqlstate 'TH409' or sqlstate 'TH403' then
      null;
    end;
  end loop;
  return v_count;
end $_$;
ALTER FUNCTION app.expire_deleted(p_table text, p_limit integer) OWNER TO app_definer;

CREATE FUNCTION app.expire_logs(p_table text, p_limit integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_count bigint;
begin
  execute format('with old as (
      select x.company_id, x.id from public.companies c left join public.company_settings s on s.company_id = c.id
       cross join lateral (select l.company_id, l.id from public.%1$I l
                            where l.company_id = c.id
                              and l.id < app.first_id_of(now() - make_interval(days => app.kept_days(s.retention, %1$L)))
                            order by l.id limit $1) x limit $1)
    delete from public.%1$I l using old where l.company_id = old.company_id and l.id = old.id', p_table) using p_limit;
  get diagnostics v_count = row_count;
  return v_count;
end $_$;
ALTER FUNCTION app.expire_logs(p_table text, p_limit integer) OWNER TO app_definer;

CREATE FUNCTION app.figures_of_customers(p_company_id uuid, p_currency text, p_deleted_at timestamp with time zone) RETURNS TABLE(company_id uuid, scope text, subject uuid, month date, currency text, customers bigint)
    LANGUAGE sql IMMUTABLE
    AS $$
  select p_company_id, 'company', '00000000-0000-0000-0000-000000000000'::uuid, '1970-01-01'::date, p_currency, 1::bigint
   where p_deleted_at is null
$$;
ALTER FUNCTION app.figures_of_customers(p_company_id uuid, p_currency text, p_deleted_at timestamp with time zone) OWNER TO app_owner;

CREATE FUNCTION app.figures_of_invoices(p_company_id uuid, p_customer_id uuid, p_status text, p_invoice_number text, p_currency text, p_total_amount bigint, p_credited_amount bigint, p_paid_amount bigint, p_balance_amount bigint, p_issued_at timestamp with time zone, p_created_at timestamp with time zone, p_deleted_at timestamp with time zone) RETURNS TABLE(company_id uuid, scope text, subject uuid, month date, currency text, invoices bigint, revenue bigint, paid bigint, outstanding bigint)
    LANGUAGE sql STABLE
    AS $$
  select p_company_id, s.scope, s.subject, s.month, p_currency, 1::bigint, p_total_amount - p_credited_amount, p_paid_amount,
         p_balance_amount
    from (values ('company', '00000000-0000-0000-0000-000000000000'::uuid, '1970-01-01'::date),
                 ('customer', p_customer_id, '1970-01-01'),
                 ('month', '00000000-0000-0000-0000-000000000000',
                  app.month_of(p_company_id, coalesce(p_issued_at, p_created_at)))) s (scope, subject, month)
   where p_deleted_at is null and p_status not in ('draft', 'cancelled')
     and (p_status <> 'archived' or p_invoice_number is not null) and s.month is not null
$$;
ALTER FUNCTION app.figures_of_invoices(p_company_id uuid, p_customer_id uuid, p_status text, p_invoice_number text, p_currency text, p_total_amount bigint, p_credited_amount bigint, p_paid_amount bigint, p_balance_amount bigint, p_issued_at timestamp with time zone, p_created_at timestamp with time zone, p_deleted_at timestamp with time zone) OWNER TO app_owner;

CREATE FUNCTION app.figures_of_jobs(p_company_id uuid, p_customer_id uuid, p_assigned_to uuid, p_status text, p_currency text, p_total_amount bigint, p_actual_start timestamp with time zone, p_actual_end timestamp with time zone, p_deleted_at timestamp with time zone) RETURNS TABLE(company_id uuid, scope text, subject uuid, month date, currency text, jobs bigint, jobs_scheduled bigint, jobs_active bigint, jobs_completed bigint, worked_jobs bigint, worked_seconds bigint, job_revenue bigint)
    LANGUAGE sql IMMUTABLE
    AS $$
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
ALTER FUNCTION app.figures_of_jobs(p_company_id uuid, p_customer_id uuid, p_assigned_to uuid, p_status text, p_currency text, p_total_amount bigint, p_actual_start timestamp with time zone, p_actual_end timestamp with time zone, p_deleted_at timestamp with time zone) OWNER TO app_owner;

CREATE FUNCTION app.figures_of_payments(p_company_id uuid, p_customer_id uuid, p_status text, p_payment_type text, p_currency text, p_amount bigint, p_completed_at timestamp with time zone, p_created_at timestamp with time zone, p_deleted_at timestamp with time zone) RETURNS TABLE(company_id uuid, scope text, subject uuid, month date, currency text, collected bigint)
    LANGUAGE sql STABLE
    AS $$
  select p_company_id, s.scope, s.subject, s.month, p_currency,
         case when p_payment_type = 'refund' then - p_amount else p_amount end
    from (values ('company', '00000000-0000-0000-0000-000000000000'::uuid, '1970-01-01'::date),
                 ('customer', p_customer_id, '1970-01-01'),
                 ('month', '00000000-0000-0000-0000-000000000000',
                  app.month_of(p_company_id, coalesce(p_completed_at, p_created_at)))) s (scope, subject, month)
   where p_deleted_at is null and p_payment_type in ('payment', 'refund')
     and p_status in ('completed', 'refunded', 'partially_refunded') and s.month is not null
$$;
ALTER FUNCTION app.figures_of_payments(p_company_id uuid, p_customer_id uuid, p_status text, p_payment_type text, p_currency text, p_amount bigint, p_completed_at timestamp with time zone, p_created_at timestamp with time zone, p_deleted_at timestamp with time zone) OWNER TO app_owner;

CREATE FUNCTION app.figures_of_reviews(p_company_id uuid, p_technician_id uuid, p_rating integer, p_moderation_status text, p_deleted_at timestamp with time zone) RETURNS TABLE(company_id uuid, scope text, subject uuid, month date, currency text, reviews bigint, rating_sum bigint)
    LANGUAGE sql IMMUTABLE
    AS $$
  select p_company_id, 'technician', p_technician_id, '1970-01-01'::date, '', 1::bigint, p_rating::bigint
   where p_deleted_at is null and p_moderation_status <> 'rejected' and p_technician_id is not null
$$;
ALTER FUNCTION app.figures_of_reviews(p_company_id uuid, p_technician_id uuid, p_rating integer, p_moderation_status text, p_deleted_at timestamp with time zone) OWNER TO app_owner;

CREATE FUNCTION app.file_job() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if new.entity_type = 'job' then
    new.job_id := new.entity_id;
  end if;
  return new;
end $$;
ALTER FUNCTION app.file_job() OWNER TO app_owner;

CREATE FUNCTION app.first_id_of(p_at timestamp with time zone) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN (rpad(lpad(to_hex(((EXTRACT(epoch FROM p_at) * (1000)::numeric))::bigint), 12, '0'::text), 32, '0'::text))::uuid;
ALTER FUNCTION app.first_id_of(p_at timestamp with time zone) OWNER TO app_owner;

COMMENT ON FUNCTION app.first_id_of(p_at timestamp with time zone) IS 'The lowest id that a moment can have.';

CREATE FUNCTION app.fold(p_text text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN btrim(regexp_replace(lower(CASE WHEN (p_text ~ '[^ -~]'::text) THEN translate(replace(replace(replace(regexp_replace(NORMALIZE(p_text, NFKD), '[\u0300-\u036f\u2018\u2019\u02bc]'::text, ''::text, 'g'::text), 'ß'::text, 'ss'::text), 'æ'::text, 'ae'::text), 'œ'::text, 'oe'::text), 'øØłŁđĐı''`'::text, 'oOlLdDi'::text) ELSE translate(p_text, '''`'::text, ''::text) END), '[[:space:][:punct:]]+'::text, ' '::text, 'g'::text));
ALTER FUNCTION app.fold(p_text text) OWNER TO app_owner;

COMMENT ON FUNCTION app.fold(p_text text) IS 'The text as it is searched: small letters without marks, words parted by one space.';

CREATE FUNCTION app.format_number(p_prefix text, p_year text, p_value bigint, p_digits integer) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN (((p_prefix || COALESCE(('-'::text || p_year), ''::text)) || '-'::text) || lpad((p_value)::text, GREATEST(p_digits, length((p_value)::text)), '0'::text));
ALTER FUNCTION app.format_number(p_prefix text, p_year text, p_value bigint, p_digits integer) OWNER TO app_owner;

CREATE FUNCTION app.guard_api_key() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if tg_op = 'UPDATE' and old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception using errcode = 'TH422', constraint = 'api_key_revoked', message = 'A key that was taken back stays so.',
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
ALTER FUNCTION app.guard_api_key() OWNER TO app_owner;

CREATE FUNCTION app.guard_category_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  -- When the company itself goes, everything goes.
  if not exists (select from public.companies c where c.id = old.company_id) then
    return old;
  end if;
  if exists (select from public.price_book_items i where i.company_id = old.company_id and i.category_id = old.id) then
    raise exception using errcode = 'TH409', constraint = 'category_has_items',
      message = 'A category that has items cannot be deleted.',
      hint = 'Move its items to another one; deleted ones count until they are gone for good.';
  end if;
  if exists (select from public.price_book_categories c where c.company_id = old.company_id and c.parent_id = old.id) then
    raise exception using errcode = 'TH409', constraint = 'category_has_subcategories',
      message = 'A category that has subcategories cannot be deleted.', hint = 'Move or delete those first.';
  end if;
  return old;
end $$;
ALTER FUNCTION app.guard_category_delete() OWNER TO app_definer;

CREATE FUNCTION app.guard_company() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if tg_op = 'UPDATE' and old.owner_id is not null and new.owner_id is distinct from old.owner_id
     and current_user <> 'app_definer' then
    raise exception using errcode = 'TH422', constraint = 'ownership_by_transfer',
      message = 'A company changes its owner only by transfer.', hint = 'Call transfer_company_ownership.';
  end if;
  if tg_op = 'INSERT' or new.business_timezone is distinct from old.business_timezone then
    -- Asked by use: the list of all zones is read from hundreds of files.
    begin
      perform now() at time zone new.business_timezone;
    exception when invalid_parameter_value then
      raise exception using errcode = 'TH422', constraint = 'timezone_unknown',
        message = format('"%s" is not a time zone.', new.business_timezone), hint = 'Use a name such as America/New_York.';
    end;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_company() OWNER TO app_owner;

CREATE FUNCTION app.guard_contract() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if tg_op = 'DELETE' then
    if current_user in ('authenticated', 'service_role') then
      raise exception using errcode = 'TH409', constraint = 'contract_signed', message = 'A signed contract is kept.';
    end if;
    return old;
  end if;
  if tg_op = 'UPDATE' and old.status = 'signed' then
    if (new.customer_id, new.contract_number, new.title, new.content, new.terms, new.contract_type, new.valid_from,
        new.valid_until,
        new.signer_name, new.signer_email, new.signer_title, new.signer_company, new.signature, new.signed_at, new.ip_address)
         is distinct from
       (old.customer_id, old.contract_number, old.title, old.content, old.terms, old.contract_type, old.valid_from,
        old.valid_until,
        old.signer_name, old.signer_email, old.signer_title, old.signer_company, old.signature, old.signed_at, old.ip_address)
       or new.archived_at is not null and old.archived_at is null or new.deleted_at is not null and old.deleted_at is null then
      raise exception using errcode = 'TH409', constraint = 'contract_signed',
        message = 'A signed contract is neither changed, archived nor deleted.';
    end if;
  end if;
  if tg_op = 'UPDATE' and new.status = old.status then
    return new;
  end if;
  case new.status
    when 'sent' then new.sent_at := now();
    when 'viewed' then new.viewed_at := coalesce(new.viewed_at, now());
    when 'signed' then
      if new.valid_until < now() then
        raise exception using errcode = 'TH422', constraint = 'contract_expired',
          message = 'This contract was valid until a time that is past.';
      end if;
      new.signed_at := coalesce(new.signed_at, now());
    else null;
  end case;
  if new.status = 'archived' then
    new.archived_at := coalesce(new.archived_at, now());
    new.permanent_delete_scheduled_at := coalesce(new.permanent_delete_scheduled_at, new.archived_at + interval '90 days');
  elsif tg_op = 'UPDATE' and old.status = 'archived' then
    new.archived_at := null;
    new.permanent_delete_scheduled_at := null;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_contract() OWNER TO app_owner;

CREATE FUNCTION app.guard_credit_note() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if new.credit_note_number <> '' then
    raise exception using errcode = 'TH422', constraint = 'credit_note_number_given',
      message = 'A credit note gets its number by itself.',
      hint = 'Leave credit_note_number out.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_credit_note() OWNER TO app_owner;

CREATE FUNCTION app.guard_custom_role() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_key text;
begin
  if tg_op <> 'INSERT' and old.is_system and current_user in ('authenticated', 'service_role') then
    raise exception using errcode = 'TH403', constraint = 'system_role_protected',
      message = 'A system role can neither be changed nor deleted.';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  perform app.check_permission_map(new.permissions);
  if current_user = 'authenticated' then
    -- Any entry that changes, in whichever direction, must be one the caller holds himself.
    for v_key in
      select coalesce(n.key, o.key)
        from jsonb_each(new.permissions) n
        full join jsonb_each(case when tg_op = 'UPDATE' then old.permissions else '{}' end) o on o.key = n.key
       where n.value is distinct from o.value
    loop
      perform app.check_grantable('', ',' || v_key || ',');
    end loop;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_custom_role() OWNER TO app_owner;

CREATE FUNCTION app.guard_customer() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  -- What goes with its company is asked nothing: keys act as the owner.
  if tg_op = 'DELETE' and current_user = 'app_owner' then
    return old;
  end if;
  if tg_op = 'DELETE' or (new.deleted_at is not null and tg_op = 'UPDATE' and old.deleted_at is null) then
    if old.outstanding_balance > 0 then
      raise exception using errcode = 'TH409', constraint = 'customer_has_balance',
        message = 'A customer with an outstanding balance cannot be deleted.';
    end if;
    if tg_op = 'DELETE' then
      return old;
    end if;
    new.status := 'archived';
  elsif tg_op = 'UPDATE' and old.deleted_at is not null and new.deleted_at is null and new.status = 'archived' then
    new.status := 'active';
  end if;
  -- Of another company's row its policy speaks, and nothing is told before.
  if current_user = 'authenticated' and app.is_within_reach(new.company_id) then
    if tg_op = 'INSERT' then
      if (new.total_revenue, new.total_jobs, new.total_invoices, new.average_job_value, new.outstanding_balance)
           is distinct from (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint) then
        raise exception using errcode = 'TH422', constraint = 'customer_figures_computed',
          message = 'The figures of a customer are computed; a new customer starts at 0.';
      end if;
    elsif (new.total_revenue, new.total_jobs, new.total_invoices, new.average_job_value, new.outstanding_balance)
            is distinct from
          (old.total_revenue, old.total_jobs, old.total_invoices, old.average_job_value, old.outstanding_balance) then
      raise exception using errcode = 'TH422', constraint = 'customer_figures_computed',
        message = 'The figures of a customer are computed and cannot be written.';
    end if;
  end if;
  new.display_name := left(case
    when new.type <> 'residential' and btrim(coalesce(new.company_name, '')) <> '' then btrim(new.company_name)
    when btrim(new.first_name || ' ' || new.last_name) <> '' then btrim(btrim(new.first_name) || ' ' || btrim(new.last_name))
    else btrim(coalesce(new.company_name, '')) end, 300);
  if new.display_name = '' then
    raise exception using errcode = 'TH422', constraint = 'customer_name_required',
      message = 'A customer needs a first name, a last name or a company name.';
  end if;
  -- Erasing a person takes both away; that is the owner's work.
  if btrim(coalesce(new.email, '')) = '' and new.phone is null and current_user not in ('app_owner', 'app_definer') then
    raise exception using errcode = 'TH422', constraint = 'customer_contact_required',
      message = 'A customer needs an e-mail address or a telephone number.';
  end if;
  new.email_key := case when new.deleted_at is null then lower(btrim(new.email)) end;
  return new;
end $$;
ALTER FUNCTION app.guard_customer() OWNER TO app_owner;

CREATE FUNCTION app.guard_deletion() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if current_user in ('authenticated', 'service_role') and (old.deleted_at is null or old.permanent_delete_scheduled_at > now()) then
    raise exception using errcode = 'TH409', constraint = 'permanent_deletion_early',
      message = case when old.deleted_at is null then 'This row has to be deleted first; it is kept for a while then.'
                     else 'This row is kept until ' || to_char(old.permanent_delete_scheduled_at, 'YYYY-MM-DD') || '.' end;
  end if;
  return old;
end $$;
ALTER FUNCTION app.guard_deletion() OWNER TO app_owner;

CREATE FUNCTION app.guard_equipment() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.average_service_cost := case when new.total_service_count > 0 then round(new.total_service_cost::numeric / new.total_service_count) else 0 end;
  if new.last_service_date is not null
     and (tg_op = 'INSERT' or (new.last_service_date, new.service_interval_days) is distinct from (old.last_service_date, old.service_interval_days))
     and (tg_op = 'INSERT' or new.next_service_due is not distinct from old.next_service_due) then
    new.next_service_due := new.last_service_date + make_interval(days => new.service_interval_days);
  end if;
  if new.replaced_by_equipment_id is not null and new.status = 'active' then
    new.status := 'replaced';
    new.replaced_date := coalesce(new.replaced_date, now());
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_equipment() OWNER TO app_owner;

CREATE FUNCTION app.guard_estimate() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_open text[];
begin
  if tg_op = 'UPDATE' and old.status <> 'draft' and new.status <> 'draft' then
    -- Until he answers the customer chooses among options and optional lines.
    v_open := case when old.status in ('sent', 'viewed') then '{is_selected}' else '{}' end;
    if (new.customer_id, new.currency, new.tax_rate, new.discount_amount)
         is distinct from (old.customer_id, old.currency, old.tax_rate, old.discount_amount)
       or new.line_items <> old.line_items
          and app.agreed_lines(new.line_items, v_open) <> app.agreed_lines(old.line_items, v_open)
       or new.selected_option_id <> old.selected_option_id and old.status not in ('sent', 'viewed') then
      raise exception using errcode = 'TH409', constraint = 'estimate_not_draft',
        message = format('The customer, lines and amounts of an estimate that is %s are fixed.', old.status),
        hint = 'Where its status allows it, put it back to draft first.';
    end if;
  end if;
  if tg_op = 'UPDATE' and old.status = 'accepted' and (new.archived_at is not null and old.archived_at is null
     or new.deleted_at is not null and old.deleted_at is null) then
    raise exception using errcode = 'TH409', constraint = 'estimate_accepted',
      message = 'An accepted estimate is neither archived nor deleted.';
  end if;
  if tg_op = 'UPDATE' and new.status = old.status then
    return new;
  end if;
  if new.status in ('sent', 'viewed', 'accepted') and new.line_items = '[]' then
    raise exception using errcode = 'TH422', constraint = 'estimate_requirement_missing',
      message = format('An estimate that is %s needs at least one line.', new.status), detail = 'line_items';
  end if;
  if new.status = 'accepted' and tg_op = 'UPDATE' then
    if new.valid_until < now() then
      raise exception using errcode = 'TH422', constraint = 'estimate_expired',
        message = 'This estimate was valid until a time that is past.',
        hint = 'Put it back to draft, or give it a later valid_until.';
    end if;
    if current_user = 'authenticated' and not app.has_permission('estimates:approve') then
      raise exception using errcode = 'TH403', constraint = 'permission_denied',
        message = 'You need the permission estimates:approve.';
    end if;
  end if;
  case new.status
    when 'sent' then new.sent_at := now();
    when 'viewed' then new.viewed_at := coalesce(new.viewed_at, now());
    when 'accepted', 'rejected' then new.responded_at := coalesce(new.responded_at, now());
    else null;
  end case;
  if new.status = 'archived' then
    new.archived_at := coalesce(new.archived_at, now());
    new.permanent_delete_scheduled_at := coalesce(new.permanent_delete_scheduled_at, new.archived_at + interval '90 days');
  elsif tg_op = 'UPDATE' and old.status = 'archived' then
    new.archived_at := null;
    new.permanent_delete_scheduled_at := null;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_estimate() OWNER TO app_owner;

CREATE FUNCTION app.guard_inventory() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_by_hand constant boolean := current_user in ('authenticated', 'service_role');
begin
  if tg_op = 'UPDATE' and v_by_hand then
    if (new.quantity_on_hand, new.quantity_reserved) is distinct from (old.quantity_on_hand, old.quantity_reserved) then
      raise exception using errcode = 'TH422', constraint = 'stock_by_moves',
        message = 'Stock changes by moves and is not written.',
        hint = 'Call adjust_stock, reserve_stock, release_stock, use_stock or transfer_stock.';
    end if;
    if new.price_book_item_id <> old.price_book_item_id then
      raise exception using errcode = 'TH422', constraint = 'stock_item_fixed', message = 'Stock stays that of its item.';
    end if;
    new.last_restock_date := old.last_restock_date;
    new.last_restock_quantity := old.last_restock_quantity;
    new.last_used_date := old.last_used_date;
  end if;
  if tg_op = 'UPDATE' and (old.deleted_at is null) <> (new.deleted_at is null) then
    if new.deleted_at is not null and new.quantity_reserved > 0 then
      raise exception using errcode = 'TH409', constraint = 'stock_reserved',
        message = 'Stock that is reserved cannot be deleted.', hint = 'Release or use what is reserved first.';
    end if;
    new.status := case when new.deleted_at is not null then 'discontinued' else 'active' end;
  end if;
  new.total_cost_value := round(new.quantity_on_hand * new.cost_per_unit);
  new.is_low_stock := new.quantity_on_hand <= new.minimum_quantity;
  if not new.is_low_stock then
    new.low_stock_alert_sent := false;
    new.low_stock_alert_sent_at := null;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_inventory() OWNER TO app_owner;

CREATE FUNCTION app.guard_invoice() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_is_call constant boolean := current_user in ('authenticated', 'service_role');
  v_was     constant text := case when tg_op = 'UPDATE' then old.status else 'draft' end;
begin
  if v_is_call and (new.paid_amount, new.credited_amount)
       is distinct from (case when tg_op = 'UPDATE' then old.paid_amount else 0 end,
                         case when tg_op = 'UPDATE' then old.credited_amount else 0 end) then
    raise exception using errcode = 'TH422', constraint = 'invoice_figures_computed',
      message = 'What is paid of an invoice is computed.', hint = 'Record a payment, or write a credit note.';
  end if;
  if current_user = 'authenticated' and new.invoice_number is distinct from
       (case when tg_op = 'UPDATE' then old.invoice_number end)
     or new.status = 'draft' and new.invoice_number is not null then
    raise exception using errcode = 'TH422', constraint = 'invoice_number_given',
      message = 'An invoice gets its number when it is issued.', hint = 'Leave invoice_number out; draft_number is free.';
  end if;
  if tg_op = 'UPDATE' and new.status = old.status then
    return new;
  end if;
  if v_was = 'draft' and app.is_issued(new.status) then
    if new.line_items = '[]' and v_is_call then
      raise exception using errcode = 'TH422', constraint = 'invoice_requirement_missing',
        message = 'An invoice needs at least one line to be issued.', detail = 'line_items';
    end if;
    if new.discount_amount > new.subtotal then
      raise exception using errcode = 'TH422', constraint = 'discount_too_large',
        message = 'The discount of an issued invoice cannot be larger than its lines.';
    end if;
    new.issued_at := coalesce(new.issued_at, now());
  end if;
  if tg_op = 'UPDATE' or v_is_call then
    perform app.check_invoice_status(new);
  end if;
  case new.status
    when 'sent' then new.sent_at := coalesce(new.sent_at, now());
    when 'viewed' then new.viewed_at := coalesce(new.viewed_at, now());
    when 'cancelled' then new.cancelled_at := coalesce(new.cancelled_at, now());
    else null;
  end case;
  new.paid_at := case when new.status = 'paid' then coalesce(new.paid_at, now()) end;
  if new.status = 'archived' then
    new.archived_at := coalesce(new.archived_at, now());
    new.permanent_delete_scheduled_at := coalesce(new.permanent_delete_scheduled_at, new.archived_at + interval '90 days');
  elsif v_was = 'archived' then
    new.archived_at := null;
    new.permanent_delete_scheduled_at := null;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_invoice() OWNER TO app_owner;

CREATE FUNCTION app.guard_invoice_job() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_old constant public.invoice_jobs := case when tg_op <> 'INSERT' then old end;
  v_new constant public.invoice_jobs := case when tg_op <> 'DELETE' then new end;
begin
  if exists (select from public.invoices i
              where i.company_id = coalesce(v_new.company_id, v_old.company_id) and i.id in (v_new.invoice_id, v_old.invoice_id)
                and i.invoice_number is not null) then
    raise exception using errcode = 'TH409', constraint = 'invoice_issued',
      message = 'The jobs of an issued invoice and their amounts are fixed.';
  end if;
  return null;
end $$;
ALTER FUNCTION app.guard_invoice_job() OWNER TO app_owner;

CREATE FUNCTION app.guard_issued_invoice() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if tg_op = 'DELETE' then
    -- The whole company goes by the owner's hand.
    if current_user in ('authenticated', 'service_role') then
      raise exception using errcode = 'TH409', constraint = 'invoice_issued',
        message = 'An issued invoice cannot be removed for good.',
        hint = 'Cancel it, or write a credit note.';
    end if;
    return old;
  end if;
  if (new.customer_id, new.invoice_number, new.draft_number, new.currency, new.tax_rate, new.discount_amount,
      new.total_amount, new.issued_at)
       is distinct from
     (old.customer_id, old.invoice_number, old.draft_number, old.currency, old.tax_rate, old.discount_amount,
      old.total_amount, old.issued_at)
     or new.line_items <> old.line_items and app.agreed_lines(new.line_items, '{}') <> app.agreed_lines(old.line_items, '{}') then
    raise exception using errcode = 'TH409', constraint = 'invoice_issued',
      message = 'The customer, lines, amounts and number of an issued invoice are fixed.',
      hint = 'Write a credit note, or cancel it.';
  end if;
  if new.deleted_at is not null and old.deleted_at is null and old.paid_amount > 0
     or new.archived_at is not null and old.archived_at is null and old.status = 'paid' then
    raise exception using errcode = 'TH409', constraint = 'invoice_paid',
      message = 'An invoice that was paid, or in part, is kept.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_issued_invoice() OWNER TO app_owner;

CREATE FUNCTION app.guard_job() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  -- Moving a closed job on, archiving and deleting it are no edits of it.
  v_movement constant text[] := array['status', 'actual_start', 'actual_end', 'archived_at', 'deleted_at', 'deleted_by',
                                      'permanent_delete_scheduled_at', 'updated_at', 'version'];
begin
  -- The crew is copied from job_team_assignments by their trigger, and by nobody else.
  if current_user in ('authenticated', 'service_role') then
    new.crew := case when tg_op = 'UPDATE' then old.crew else '{}' end;
  end if;
  if tg_op = 'UPDATE' then
    if current_user = 'authenticated' and old.status in ('completed', 'cancelled', 'invoiced', 'paid')
       and to_jsonb(new) - v_movement <> to_jsonb(old) - v_movement and not app.has_permission('jobs:amend') then
      raise exception using errcode = 'TH403', constraint = 'job_closed',
        message = format('A %s job can be edited by the owner and admins only.', old.status),
        hint = 'The permission is jobs:amend.';
    end if;
    if new.status = old.status then
      return new;
    end if;
  end if;
  if new.status = 'in_progress' then
    new.actual_start := coalesce(new.actual_start, now());
  elsif new.status = 'completed' then
    new.actual_end := coalesce(new.actual_end, greatest(now(), new.actual_start));
  end if;
  if new.status = 'archived' then
    new.archived_at := coalesce(new.archived_at, now());
    new.permanent_delete_scheduled_at := coalesce(new.permanent_delete_scheduled_at, new.archived_at + interval '90 days');
  elsif tg_op = 'UPDATE' and old.status = 'archived' then
    new.archived_at := null;
    new.permanent_delete_scheduled_at := null;
  end if;
  if new.status = 'paid' and new.paid_amount < new.total_amount then
    raise exception using errcode = 'TH422', constraint = 'job_not_paid',
      message = 'A job is paid when its whole amount is paid.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_job() OWNER TO app_owner;

CREATE FUNCTION app.guard_labor_rate() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.service_categories := nullif(new.service_categories, 'null');
  new.technician_ids := nullif(new.technician_ids, 'null');
  if not app.is_id_list(new.technician_ids) or new.applies_to = 'specific_techs' and new.technician_ids is null
     or jsonb_typeof(new.service_categories) <> 'array' or new.service_categories = '[]'
     or new.applies_to = 'specific_services' and new.service_categories is null then
    raise exception using errcode = 'TH422', constraint = 'labor_rate_filter_invalid',
      message = 'A labour rate for some technicians or services has to name them.',
      hint = 'technician_ids is a list of ids of members, service_categories a list; the one that applies_to names is needed.';
  end if;
  if new.is_default and not new.is_active then
    raise exception using errcode = 'TH422', constraint = 'labor_rate_default_inactive',
      message = 'The default labour rate has to be active.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_labor_rate() OWNER TO app_owner;

CREATE FUNCTION app.guard_member() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if tg_op = 'DELETE' then
    -- When the company itself goes, its owner's row goes with it.
    if old.role = 'owner' and exists (select from public.companies c where c.id = old.company_id) then
      raise exception using errcode = 'TH422', constraint = 'owner_protected',
        message = 'The owner cannot be removed.', hint = 'Transfer the ownership first.';
    end if;
    if current_user = 'authenticated' and old.user_id = auth.uid() then
      raise exception using errcode = 'TH403', constraint = 'own_membership',
        message = 'Nobody suspends, archives or removes himself.';
    end if;
    return old;
  end if;
  perform app.check_permission_map(new.permissions);
  new.effective_permissions := app.effective_permissions(new.company_id, new.role, new.role_id, new.permissions);
  if tg_op = 'INSERT' then
    select u.name, u.email into new.name, new.email from public.users u where u.id = new.user_id;
  else
    if current_user <> 'app_definer' and old.role = 'owner'
       and (new.role <> 'owner' or new.status <> 'active' or new.archived_at is not null
            or (new.company_id, new.user_id) is distinct from (old.company_id, old.user_id)) then
      raise exception using errcode = 'TH422', constraint = 'owner_protected',
        message = 'The owner can be neither demoted nor suspended nor archived.', hint = 'Transfer the ownership first.';
    end if;
    if current_user <> 'app_definer' and new.role = 'owner' and old.role <> 'owner' then
      raise exception using errcode = 'TH422', constraint = 'ownership_by_transfer',
        message = 'A company changes its owner only by transfer.', hint = 'Call transfer_company_ownership.';
    end if;
    if current_user = 'authenticated' then
      perform app.guard_member_edit(old, new);
    end if;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_member() OWNER TO app_owner;

CREATE TABLE public.team_members (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    role text DEFAULT 'member'::text NOT NULL,
    role_id uuid,
    department_id uuid,
    status text DEFAULT 'active'::text NOT NULL,
    permissions jsonb DEFAULT '{}'::jsonb NOT NULL,
    effective_permissions text DEFAULT ''::text NOT NULL,
    name text,
    email text,
    job_title text,
    phone text,
    invited_by uuid,
    invited_at timestamp with time zone,
    joined_at timestamp with time zone DEFAULT now(),
    last_active_at timestamp with time zone,
    archived_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    department text,
    direct_inward_dial text,
    phone_extension text,
    extension_enabled boolean DEFAULT false NOT NULL,
    call_forwarding_enabled boolean DEFAULT false NOT NULL,
    call_forwarding_number text,
    ring_timeout_seconds integer DEFAULT 20 NOT NULL,
    simultaneous_ring_enabled boolean DEFAULT false NOT NULL,
    voicemail_greeting_url text,
    voicemail_pin text,
    invited_email text,
    invited_name text,
    employee_number text,
    hire_date date,
    hourly_cost bigint,
    CONSTRAINT team_members_call_forwarding_number_check CHECK ((call_forwarding_number ~ '^[+][1-9][0-9]{6,14}$'::text)),
    CONSTRAINT team_members_department_check CHECK ((length(department) <= 120)),
    CONSTRAINT team_members_direct_inward_dial_check CHECK ((direct_inward_dial ~ '^[+][1-9][0-9]{6,14}$'::text)),
    CONSTRAINT team_members_employee_number_check CHECK ((length(employee_number) <= 40)),
    CONSTRAINT team_members_hourly_cost_check CHECK ((hourly_cost >= 0)),
    CONSTRAINT team_members_invited_email_check CHECK ((((length(invited_email) >= 3) AND (length(invited_email) <= 254)) AND (invited_email ~ '^[^@\s]+@[^@\s]+$'::text))),
    CONSTRAINT team_members_invited_name_check CHECK ((length(invited_name) <= 200)),
    CONSTRAINT team_members_job_title_check CHECK ((length(job_title) <= 120)),
    CONSTRAINT team_members_permissions_check CHECK ((jsonb_typeof(permissions) = 'object'::text)),
    CONSTRAINT team_members_phone_check CHECK ((length(phone) <= 32)),
    CONSTRAINT team_members_phone_extension_check CHECK ((length(phone_extension) <= 10)),
    CONSTRAINT team_members_ring_timeout_seconds_check CHECK (((ring_timeout_seconds >= 5) AND (ring_timeout_seconds <= 120))),
    CONSTRAINT team_members_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'manager'::text, 'dispatcher'::text, 'technician'::text, 'csr'::text, 'member'::text, 'viewer'::text]))),
    CONSTRAINT team_members_status_check CHECK ((status = ANY (ARRAY['active'::text, 'invited'::text, 'suspended'::text]))),
    CONSTRAINT team_members_voicemail_greeting_url_check CHECK ((length(voicemail_greeting_url) <= 2048)),
    CONSTRAINT team_members_voicemail_pin_check CHECK ((length(voicemail_pin) <= 255))
);
ALTER TABLE ONLY public.team_members REPLICA IDENTITY FULL;
ALTER TABLE ONLY public.team_members FORCE ROW LEVEL SECURITY;
ALTER TABLE public.team_members OWNER TO app_owner;

COMMENT ON TABLE public.team_members IS 'A person in one company.';

COMMENT ON COLUMN public.team_members.name IS 'pii:name';

COMMENT ON COLUMN public.team_members.email IS 'pii:email';

COMMENT ON COLUMN public.team_members.phone IS 'pii:phone';

COMMENT ON COLUMN public.team_members.call_forwarding_number IS 'pii:phone';

COMMENT ON COLUMN public.team_members.voicemail_pin IS 'secret';

COMMENT ON COLUMN public.team_members.invited_email IS 'pii:email';

COMMENT ON COLUMN public.team_members.invited_name IS 'pii:name';

CREATE FUNCTION app.guard_member_edit(p_old public.team_members, p_new public.team_members) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
begin
  if p_old.user_id = auth.uid()
     and (p_old.role, p_old.role_id, p_old.permissions) is distinct from (p_new.role, p_new.role_id, p_new.permissions) then
    raise exception using errcode = 'TH403', constraint = 'own_role_change',
      message = 'Nobody changes his own role or permissions.';
  end if;
  if p_old.user_id = auth.uid()
     and (p_old.status, p_old.archived_at) is distinct from (p_new.status, p_new.archived_at) then
    raise exception using errcode = 'TH403', constraint = 'own_membership',
      message = 'Nobody suspends, archives or removes himself.';
  end if;
  if p_old.role in ('owner', 'admin') and app.member_role() not in ('owner', 'admin') then
    raise exception using errcode = 'TH403', constraint = 'member_outranks',
      message = 'Only the owner and admins may change an owner or admin.';
  end if;
  if (p_old.role, p_old.role_id) is distinct from (p_new.role, p_new.role_id)
     and not app.has_permission('members:change_role') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = 'You need the permission members:change_role.';
  end if;
  if p_old.permissions is distinct from p_new.permissions and not app.has_permission('members:set_permissions') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = 'You need the permission members:set_permissions.';
  end if;
  perform app.check_grantable(p_old.effective_permissions, p_new.effective_permissions);
end $$;
ALTER FUNCTION app.guard_member_edit(p_old public.team_members, p_new public.team_members) OWNER TO app_owner;

CREATE FUNCTION app.guard_new_inventory() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  raise exception using errcode = 'TH422', constraint = 'stock_by_moves',
    message = 'Stock changes by moves and is not written.', hint = 'Nothing is reserved of what is new; call reserve_stock.';
end $$;
ALTER FUNCTION app.guard_new_inventory() OWNER TO app_owner;

CREATE FUNCTION app.guard_note() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if current_user = 'authenticated' then
    new.created_by := case when tg_op = 'INSERT' then auth.uid() else old.created_by end;
  end if;
  if tg_op = 'INSERT' and new.author_name is null then
    new.author_name := (select m.name from public.team_members m where m.company_id = new.company_id and m.user_id = new.created_by);
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_note() OWNER TO app_owner;

CREATE FUNCTION app.guard_own_time() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if current_user <> 'authenticated' or app.has_permission(tg_argv[0] || ':update') then
    return new;
  end if;
  if tg_argv[0] = 'time_entries' then
    if tg_op = 'UPDATE' and old.is_approved then
      raise exception using errcode = 'TH403', constraint = 'time_entry_approved', message = 'Approved hours can be changed by a manager only.';
    end if;
    new.is_approved := false;
    new.approved_by := null;
    new.approved_at := null;
    new.hourly_cost := case when tg_op = 'UPDATE' then old.hourly_cost end;
  else
    if new.status not in ('requested', 'cancelled') then
      raise exception using errcode = 'TH403', constraint = 'absence_decision', message = 'Your absence is decided by somebody else.';
    end if;
    if tg_op = 'UPDATE' and old.status not in ('requested', 'cancelled') and new.status <> 'cancelled' then
      raise exception using errcode = 'TH403', constraint = 'absence_decided', message = 'A decided absence can only be cancelled.';
    end if;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_own_time() OWNER TO app_owner;

CREATE FUNCTION app.guard_payment() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_is_call constant boolean := current_user in ('authenticated', 'service_role');
  v_old     constant jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) else '{}' end;
begin
  if tg_op = 'DELETE' then
    if v_is_call then
      raise exception using errcode = 'TH409', constraint = 'payment_completed', message = 'A completed payment is kept.',
        hint = 'Give it back by a refund.';
    end if;
    return old;
  end if;
  if (new.payment_type = 'refund') <> (new.original_payment_id is not null)
     and (tg_op = 'INSERT' or not app.is_settled(old.status)) then
    raise exception using errcode = 'TH422', constraint = 'refund_original_missing',
      message = 'A refund, and nothing else, names the payment that it gives back as original_payment_id.';
  end if;
  if v_is_call and new.refunded_amount <> coalesce((v_old ->> 'refunded_amount')::bigint, 0)
     or new.net_amount <> new.amount - new.processor_fee and new.net_amount <> coalesce((v_old ->> 'net_amount')::bigint, 0) then
    raise exception using errcode = 'TH422', constraint = 'payment_figures_computed',
      message = 'What is refunded of a payment and what is left of it after fees is computed.';
  end if;
  new.net_amount := new.amount - new.processor_fee;
  if tg_op = 'UPDATE' and app.is_settled(old.status) then
    if (new.customer_id, new.invoice_id, new.original_payment_id, new.amount, new.currency, new.payment_type, new.payment_method,
        new.payment_number, new.idempotency_key, new.completed_at)
         is distinct from
       (old.customer_id, old.invoice_id, old.original_payment_id, old.amount, old.currency, old.payment_type, old.payment_method,
        old.payment_number, old.idempotency_key, old.completed_at)
       or new.deleted_at is not null and old.deleted_at is null then
      raise exception using errcode = 'TH409', constraint = 'payment_completed',
        message = 'The amount and the parties of a completed payment are fixed, and it is kept.',
        hint = 'Give it back by a refund.';
    end if;
  end if;
  if new.status = 'refunded' and new.refunded_amount < new.amount
     or new.status = 'partially_refunded' and (new.refunded_amount = 0 or new.refunded_amount = new.amount) then
    raise exception using errcode = 'TH422', constraint = 'payment_not_refunded',
      message = format('A payment is %s when refunds say so.', replace(new.status, '_', ' ')),
      hint = 'Record a payment of the type refund that names it as original_payment_id.';
  end if;
  if new.is_reconciled then
    new.reconciled_at := coalesce(new.reconciled_at, now());
    new.reconciled_by := case when coalesce((v_old ->> 'is_reconciled')::boolean, false) then new.reconciled_by
                              else coalesce(new.reconciled_by, auth.uid()) end;
  else
    new.reconciled_at := null;
    new.reconciled_by := null;
  end if;
  if app.is_settled(new.status) and new.deleted_at is not null then
    raise exception using errcode = 'TH409', constraint = 'payment_deleted', message = 'A deleted payment is not completed.',
      hint = 'Restore it first.';
  end if;
  if tg_op = 'UPDATE' and new.status = old.status then
    return new;
  end if;
  if current_user = 'authenticated' and new.payment_type = 'refund' and not app.has_permission('payments:refund') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = 'You need the permission payments:refund.';
  end if;
  if new.status = 'completed' then
    new.processed_at := coalesce(new.processed_at, now());
    new.completed_at := coalesce(new.completed_at, now());
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_payment() OWNER TO app_owner;

CREATE FUNCTION app.guard_po_settings() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if new.approvers <> '[]' and not app.is_id_list(new.approvers) then
    raise exception using errcode = 'TH422', constraint = 'po_approvers_invalid',
      message = 'The approvers are a list of ids of members.';
  end if;
  if exists (select from jsonb_array_elements_text(new.approvers) a (user_id)
              where not exists (select from public.team_members m
                                 where m.company_id = new.company_id and m.user_id = a.user_id::uuid
                                   and m.status = 'active')) then
    raise exception using errcode = 'TH422', constraint = 'po_approvers_invalid',
      message = 'Only active members approve purchase orders.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_po_settings() OWNER TO app_owner;

CREATE FUNCTION app.guard_position() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if new.recorded_at > now() + interval '5 minutes' then
    raise exception using errcode = 'TH422', constraint = 'position_in_future', message = 'A position cannot be of the future.';
  end if;
  if tg_op = 'UPDATE' and new.recorded_at < old.recorded_at then
    return null;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_position() OWNER TO app_owner;

CREATE FUNCTION app.guard_pricing_rule() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_wrong text;
begin
  -- JSON null and no value mean the same.
  new.category_filter := nullif(new.category_filter, 'null');
  new.item_filter := nullif(new.item_filter, 'null');
  new.customer_type_filter := nullif(new.customer_type_filter, 'null');
  new.days_of_week := nullif(new.days_of_week, 'null');
  new.time_ranges := nullif(new.time_ranges, 'null');
  v_wrong := case
    when not app.is_id_list(new.category_filter) or new.applies_to = 'category'
      and new.category_filter is null then 'category_filter'
    when not app.is_id_list(new.item_filter) or new.applies_to = 'item' and new.item_filter is null then 'item_filter'
    when not app.is_word_list(new.customer_type_filter, '["residential", "commercial", "industrial"]')
         or new.applies_to = 'customer_type' and new.customer_type_filter is null then 'customer_type_filter' end;
  if v_wrong is not null then
    raise exception using errcode = 'TH422', constraint = 'pricing_rule_filter_invalid',
      message = format('The %s of a pricing rule is wrong or missing.', v_wrong), detail = v_wrong,
      hint = 'Filters are lists of ids, or of residential, commercial, industrial; the one that applies_to names is needed.';
  end if;
  if not app.is_word_list(new.days_of_week, '[0, 1, 2, 3, 4, 5, 6]') then
    raise exception using errcode = 'TH422', constraint = 'pricing_rule_days_invalid',
      message = 'The days of a pricing rule are a list of numbers from 0 to 6, each once.',
      hint = '0 is Sunday. Leave them out for every day.';
  end if;
  if not app.is_time_ranges(new.time_ranges) then
    raise exception using errcode = 'TH422', constraint = 'pricing_rule_times_invalid',
      message = 'The times of a pricing rule are a list of {"start": "HH:MM", "end": "HH:MM"} that end after they start.',
      hint = 'A range over midnight is two: until 24:00 and from 00:00.';
  end if;
  if new.minimum_quantity > new.maximum_quantity
     or new.rule_type in ('markup', 'discount', 'minimum_charge') and new.adjustment_value < 0
     or new.rule_type = 'discount' and new.adjustment_type = 'percentage' and new.adjustment_value > 100
     or new.rule_type = 'minimum_charge' and new.adjustment_type = 'percentage' then
    raise exception using errcode = 'TH422', constraint = 'pricing_rule_value_invalid',
      message = 'The value or the quantities of a pricing rule are impossible.',
      hint = 'Discounts are 0 to 100 percent or an amount, markups not negative, minimum charges amounts; minimum <= maximum.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_pricing_rule() OWNER TO app_owner;

CREATE FUNCTION app.guard_property() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  if exists (select from public.jobs j
              where j.company_id = new.company_id and j.property_id = new.id and j.customer_id <> new.customer_id) then
    raise exception using errcode = 'TH422', constraint = 'property_has_jobs',
      message = 'This property has jobs of its present customer and cannot go to another.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_property() OWNER TO app_definer;

CREATE FUNCTION app.guard_public_link() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
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
ALTER FUNCTION app.guard_public_link() OWNER TO app_owner;

CREATE FUNCTION app.guard_purchase_order() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_by_hand  constant boolean := current_user in ('authenticated', 'service_role');
  v_approval record;
begin
  -- Also where a line was written: its JSON comes here in the same statement.
  if tg_op = 'UPDATE' and old.status not in ('draft', 'pending_approval')
     and (new.vendor_id, new.vendor, new.currency, new.tax_rate, new.shipping_amount, new.discount_amount,
       app.ordered_lines(new.line_items, new.line_items))
           is distinct from
         (old.vendor_id, old.vendor, old.currency, old.tax_rate, old.shipping_amount, old.discount_amount,
           app.ordered_lines(old.line_items, new.line_items)) then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_closed',
      message = format('Vendor, lines and amounts of a purchase order that is %s stay.', replace(old.status, '_', ' ')),
      hint = 'An approved order can go back to draft; what was ordered is received or cancelled.';
  end if;
  if current_user = 'authenticated' then
    -- When and by whom is stamped, not written.
    if tg_op = 'INSERT' then
      new.approved_at := null; new.approved_by := null; new.ordered_at := null; new.received_at := null; new.cancelled_at := null;
    else
      new.approved_at := old.approved_at; new.approved_by := old.approved_by; new.ordered_at := old.ordered_at;
      new.received_at := old.received_at; new.cancelled_at := old.cancelled_at;
    end if;
  end if;
  if tg_op = 'UPDATE' and new.status = old.status then
    return new;
  end if;
  select * into v_approval from app.purchase_approval(new.company_id, new.total_amount);
  if new.status = 'approved' then
    if current_user = 'authenticated' and not app.has_permission('purchase_orders:approve') then
      raise exception using errcode = 'TH403', constraint = 'permission_denied',
        message = 'You need the permission purchase_orders:approve.';
    end if;
    if current_user = 'authenticated' and not v_approval.is_approver then
      raise exception using errcode = 'TH403', constraint = 'purchase_order_approver_required',
        message = 'Only those whom the settings name approve purchase orders.';
    end if;
    new.approved_at := coalesce(new.approved_at, now());
    new.approved_by := coalesce(new.approved_by, auth.uid());
  elsif new.status = 'ordered' then
    if v_approval.is_needed and (tg_op = 'INSERT' or old.status <> 'approved') then
      raise exception using errcode = 'TH422', constraint = 'purchase_order_approval_required',
        message = 'A purchase order of this amount needs an approval before it is ordered.';
    end if;
    new.ordered_at := coalesce(new.ordered_at, now());
  elsif new.status in ('partially_received', 'received') then
    if v_by_hand then
      raise exception using errcode = 'TH422', constraint = 'purchase_order_received_by_lines',
        message = 'A purchase order is received when its lines are.',
        hint = 'Write quantity_received of its lines, or call receive_purchase_order.';
    end if;
    if new.status = 'received' then
      new.received_at := coalesce(new.received_at, now());
      new.actual_delivery := coalesce(new.actual_delivery, now());
    end if;
  elsif new.status = 'cancelled' then
    new.cancelled_at := coalesce(new.cancelled_at, now());
  elsif new.status = 'draft' then
    new.approved_at := null;
    new.approved_by := null;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_purchase_order() OWNER TO app_owner;

CREATE FUNCTION app.guard_purchase_order_figures() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  -- Whoever writes the lines as well may send what he computed himself: what is computed here counts.
  if current_user in ('authenticated', 'service_role')
    and new.line_items is not distinct from (case when tg_op = 'INSERT' then '[]' else old.line_items end)
     and (case when tg_op = 'INSERT' then (new.subtotal, new.tax_amount, new.total_amount) <> (0::bigint, 0::bigint, 0::bigint)
              else (new.subtotal, new.tax_amount, new.total_amount) <> (old.subtotal, old.tax_amount, old.total_amount) end) then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_figures_computed',
      message = 'Subtotal, tax and total of a purchase order are computed from its lines.',
      hint = 'Write the lines, tax_rate, discount_amount and shipping_amount.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_purchase_order_figures() OWNER TO app_owner;

CREATE FUNCTION app.guard_receipt() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  -- Where the row is there already, the update that follows is looked at.
  if tg_op = 'INSERT' and not exists (select from public.purchase_order_line_items l
                                       where l.company_id = new.company_id and l.id = new.id) then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_not_ordered',
      message = 'Of a line that is new nothing is received.', hint = 'Order it first.';
  end if;
  if tg_op = 'UPDATE' and new.quantity_received > new.quantity then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_received_too_much',
      message = 'More is received than was ordered.', detail = jsonb_build_object('quantity', new.quantity)::text;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_receipt() OWNER TO app_definer;

CREATE FUNCTION app.guard_record() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if tg_op = 'DELETE' and not exists (select from public.companies c where c.id = old.company_id) then
    return old;
  end if;
  raise exception using errcode = 'TH409', constraint = 'record_immutable',
    message = format('Rows of %s are neither changed nor deleted.', tg_table_name);
end $$;
ALTER FUNCTION app.guard_record() OWNER TO app_owner;

CREATE FUNCTION app.guard_retention() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
declare
  v_entry record;
  v_least integer;
begin
  for v_entry in select e.key, e.value from jsonb_each(new.retention) e loop
    v_least := case v_entry.key when 'audit_logs' then 365 when 'completed_jobs' then 30
                 when 'email_logs' then 7 when 'activities' then 7 when 'webhook_logs' then 7 when 'deleted_rows' then 7 end;
    if v_least is null or v_entry.value::text !~ '^[0-9]{1,5}$' or v_entry.value::text::integer not between v_least and 36500 then
      raise exception using errcode = 'TH422', constraint = 'retention_invalid',
        message = format('Retention of %s is not a number of days that can be kept.', left(v_entry.key, 40)),
        hint = 'Days, at most 36500: audit_logs from 365, completed_jobs from 30; email_logs, activities, webhook_logs, deleted_rows from 7.';
    end if;
  end loop;
  return new;
end $_$;
ALTER FUNCTION app.guard_retention() OWNER TO app_owner;

CREATE FUNCTION app.guard_schedule() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.duration := round(extract(epoch from new.end_time - new.start_time) / 60);
  if current_user = 'authenticated' and new.start_time < now() - interval '1 minute'
     and (tg_op = 'INSERT' or new.start_time is distinct from old.start_time) then
    raise exception using errcode = 'TH422', constraint = 'schedule_in_past',
      message = 'An appointment cannot begin in the past.';
  end if;
  new.double_booking_reason := nullif(btrim(new.double_booking_reason), '');
  if new.double_booking_reason is null then
    new.double_booking_by := null;
  elsif tg_op = 'INSERT' or new.double_booking_reason is distinct from old.double_booking_reason then
    new.double_booking_by := coalesce(auth.uid(), new.double_booking_by);
  else
    new.double_booking_by := old.double_booking_by;
  end if;
  if tg_op = 'INSERT' or new.status is distinct from old.status then
    if new.status in ('arrived', 'in_progress') then
      new.actual_start_time := coalesce(new.actual_start_time, now());
    elsif new.status = 'completed' then
      new.actual_start_time := coalesce(new.actual_start_time, least(new.start_time, now()));
      new.actual_end_time := coalesce(new.actual_end_time, greatest(now(), new.actual_start_time));
      new.completed_by := coalesce(new.completed_by, new.assigned_to);
    elsif new.status = 'cancelled' then
      new.cancelled_at := coalesce(new.cancelled_at, now());
    elsif new.status = 'confirmed' then
      new.confirmed_at := coalesce(new.confirmed_at, now());
    elsif new.status = 'scheduled' then
      new.cancelled_at := null;
      new.cancelled_by := null;
      new.cancellation_reason := null;
    end if;
  end if;
  if new.actual_end_time is not null and new.actual_start_time is not null then
    new.actual_duration := round(extract(epoch from new.actual_end_time - new.actual_start_time) / 60);
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_schedule() OWNER TO app_owner;

CREATE FUNCTION app.guard_service_package() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if jsonb_typeof(new.included_items) <> 'array' then
    return new; -- The table's check names the column and refuses.
  end if;
  if jsonb_array_length(new.included_items) > 500 or exists (
       select from jsonb_array_elements(new.included_items) e (value)
        where jsonb_typeof(e.value) <> 'object'
           or not coalesce(app.is_id_list(jsonb_build_array(e.value -> 'item_id')), false)
           or jsonb_typeof(e.value -> 'quantity') is distinct from 'number'
           or (e.value ->> 'quantity')::numeric <= 0) then
    raise exception using errcode = 'TH422', constraint = 'service_package_items_invalid',
      message = 'The items of a package are a list of at most 500 objects with an item_id and a quantity above 0.',
      hint = 'Each may have notes.';
  end if;
  if (tg_op = 'INSERT' or new.included_items <> old.included_items) and exists (
       select from jsonb_array_elements(new.included_items) e (value)
        where not exists (select from public.price_book_items i
                           where i.company_id = new.company_id and i.id = (e.value ->> 'item_id')::uuid
                             and i.deleted_at is null)) then
    raise exception using errcode = 'TH422', constraint = 'service_package_item_unknown',
      message = 'A package includes only items of the price book.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_service_package() OWNER TO app_owner;

CREATE FUNCTION app.guard_service_plan() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if new.next_service_due is null then
    new.next_service_due := coalesce(new.last_service_date, new.start_date) + app.plan_interval(new.frequency, new.custom_frequency_days);
  end if;
  if tg_op = 'INSERT' or new.status is distinct from old.status then
    new.paused_at := case when new.status = 'paused' then coalesce(new.paused_at, now()) end;
    if new.status = 'cancelled' then
      new.cancelled_at := coalesce(new.cancelled_at, now());
    elsif new.status = 'completed' then
      new.completed_at := coalesce(new.completed_at, now());
    end if;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_service_plan() OWNER TO app_owner;

CREATE FUNCTION app.guard_soft_delete() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_was constant boolean := tg_op = 'UPDATE' and old.deleted_at is not null;
  v_is  constant boolean := new.deleted_at is not null;
  v_permission text;
begin
  if v_was = v_is then
    if current_user = 'authenticated' then
      if tg_op = 'UPDATE' then
        new.deleted_at := old.deleted_at;
        new.deleted_by := old.deleted_by;
      else
        new.deleted_by := null;
      end if;
    end if;
    return new;
  end if;
  v_permission := tg_argv[0] || case when v_is then ':delete' else ':restore' end;
  -- The scopes that policies know, for the one change that no policy tells from others. The row itself is within reach already.
  if current_user = 'authenticated' and not app.has_permission(v_permission)
     and not (app.has_permission(v_permission || '_own') and to_jsonb(old) ->> tg_argv[1] = auth.uid()::text)
     and not (app.has_permission(v_permission || '_assigned') and not app.has_permission(tg_argv[0] || ':update')) then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = format('You need the permission %s.', v_permission);
  end if;
  if v_is then
    new.deleted_by := coalesce(auth.uid(), new.deleted_by);
    new.permanent_delete_scheduled_at := coalesce(new.permanent_delete_scheduled_at, new.deleted_at + interval '90 days');
  else
    new.deleted_by := null;
    new.archived_at := null;
    new.permanent_delete_scheduled_at := null;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_soft_delete() OWNER TO app_owner;

CREATE FUNCTION app.guard_status() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_noun    constant text := tg_argv[0];
  v_label   constant text := replace(v_noun, '_', ' ');
  v_table   constant text := tg_relid::regclass::text;
  v_from    text;
  v_old     app.statuses;
  v_new     app.statuses;
  v_row     jsonb;
  v_missing text[];
begin
  if tg_op = 'UPDATE' then
    v_from := old.status;
  end if;
  -- What a key takes away when another row goes is no edit; what a member or the service takes away is.
  if new.status is not distinct from v_from and current_user not in ('authenticated', 'service_role') then
    return new;
  end if;
  select * into v_new from app.statuses s where s.table_name = v_table and s.status = new.status;
  if not found then
    return new; -- The table's check names the column and refuses.
  end if;
  if v_new.instead is not null then
    raise exception using errcode = 'TH422', constraint = format('%s_status_%s', v_noun, new.status),
      message = format('%s %s has no status "%s".', case when v_noun ~ '^[aeiou]' then 'An' else 'A' end, v_label, new.status),
      hint = format('Use "%s".', v_new.instead);
  end if;
  if new.status is distinct from v_from then
    if tg_op = 'INSERT' then
      if current_user = 'authenticated' and not v_new.is_first then
        raise exception using errcode = 'TH422', constraint = v_noun || '_transition_invalid',
          message = format('A new %s cannot be %s.', v_label, new.status),
          hint = format('A new %s is %s.', v_label,
                        (select string_agg(s.status, ', ' order by s.status) from app.statuses s
                          where s.table_name = v_table and s.is_first));
      end if;
    else
      select * into v_old from app.statuses s where s.table_name = v_table and s.status = v_from;
      if new.status <> all (v_old.next) then
        raise exception using errcode = 'TH422', constraint = v_noun || '_transition_invalid',
          message = format('%s %s cannot go from %s to %s.', case when v_noun ~ '^[aeiou]' then 'An' else 'A' end, v_label, v_from, new.status),
          hint = case when v_old.next = '{}' then format('%s is final.', v_from)
                      else format('From %s it can go to: %s.', v_from, array_to_string(v_old.next, ', ')) end;
      end if;
    end if;
  end if;
  if v_new.needs <> '{}' then
    v_row := to_jsonb(new);
    select array_agg(split_part(n.need, '|', 1)) into v_missing
      from unnest(v_new.needs) n (need)
     where not exists (select from unnest(string_to_array(n.need, '|')) c (name)
                        where coalesce(v_row ->> c.name, '') not in ('', '0'));
    if v_missing is not null then
      raise exception using errcode = 'TH422', constraint = v_noun || '_requirement_missing',
        message = format('%s %s that is %s needs %s.', case when v_noun ~ '^[aeiou]' then 'An' else 'A' end, v_label, new.status,
                         array_to_string(v_missing, ', ')),
        detail = array_to_string(v_missing, ',');
    end if;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_status() OWNER TO app_owner;

COMMENT ON FUNCTION app.guard_status() IS 'Before insert or update: refuses moves that app.statuses does not allow, and rows that lack what their status needs.';

CREATE FUNCTION app.guard_tag() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if tg_op <> 'INSERT' and old.is_system and current_user = 'authenticated' then
    raise exception using errcode = 'TH403', constraint = 'system_tag_protected', message = 'A system label can neither be changed nor deleted.';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  if current_user = 'authenticated' then
    new.is_system := tg_op = 'UPDATE' and old.is_system;
    new.usage_count := case when tg_op = 'UPDATE' then old.usage_count else 0 end;
  end if;
  if coalesce(btrim(new.slug), '') = '' then
    new.slug := app.slug_of(new.name);
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_tag() OWNER TO app_owner;

CREATE FUNCTION app.guard_team() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  if tg_op = 'UPDATE' and (new.job_id, new.user_id) is distinct from (old.job_id, old.user_id) then
    raise exception using errcode = 'TH422', constraint = 'team_row_fixed',
      message = 'Who is on which job is written once.', hint = 'Remove this person and add the other one.';
  end if;
  if new.removed_at is not null then
    new.removed_by := coalesce(auth.uid(), new.removed_by);
    return new;
  end if;
  new.removed_by := null;
  if new.role = 'primary' then
    update public.job_team_assignments a set role = 'crew'
     where a.company_id = new.company_id and a.job_id = new.job_id and a.removed_at is null and a.role = 'primary' and a.id <> new.id;
  end if;
  if (tg_op = 'INSERT' or old.removed_at is not null)
     and exists (select from public.team_members m
                  where m.company_id = new.company_id and m.user_id = new.user_id
                    and (m.status <> 'active' or m.archived_at is not null)) then
    raise exception using errcode = 'TH422', constraint = 'assignee_not_active',
      message = 'A job can be assigned to an active member only.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_team() OWNER TO app_definer;

CREATE FUNCTION app.guard_webhook() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
begin
  if new.url is not null and (new.url !~ '^https://[a-zA-Z0-9.-]+(:[0-9]{1,5})?(/|\?|$)'
     or new.url ~ '^https://(localhost|[0-9.]+|[a-zA-Z0-9.-]*\.(localhost|local|internal))([:/?]|$)') then
    raise exception using errcode = 'TH422', constraint = 'webhook_url_invalid',
      message = 'A webhook goes to an https address of a host with a public name.';
  end if;
  if exists (select from unnest(new.events) e where e !~ '^([a-z_]+\.[a-z_]+|\*)$') then
    raise exception using errcode = 'TH422', constraint = 'webhook_event_invalid',
      message = 'An event is written noun.verb, such as invoice.paid, or * for all.';
  end if;
  return new;
end $_$;
ALTER FUNCTION app.guard_webhook() OWNER TO app_owner;

CREATE FUNCTION app.has_permission(p_permission text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (strpos(COALESCE(current_setting('app.permissions'::text, true), ''::text), ((','::text || p_permission) || ','::text)) > 0);
ALTER FUNCTION app.has_permission(p_permission text) OWNER TO app_owner;

COMMENT ON FUNCTION app.has_permission(p_permission text) IS 'Whether the caller holds noun:verb (everything), noun:verb_assigned or noun:verb_own. Wrap it: (select app.has_permission(...)).';

CREATE FUNCTION app.invoice_figures(p_invoice public.invoices, OUT owed bigint, OUT revenue bigint, OUT invoices bigint) RETURNS record
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
  select case when app.is_issued(p_invoice.status) and p_invoice.deleted_at is null then p_invoice.balance_amount else 0 end,
         p_invoice.paid_amount,
         (app.is_issued(p_invoice.status) and p_invoice.deleted_at is null)::integer;
$$;
ALTER FUNCTION app.invoice_figures(p_invoice public.invoices, OUT owed bigint, OUT revenue bigint, OUT invoices bigint) OWNER TO app_owner;

CREATE FUNCTION app.is_computed_write() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN ((CURRENT_USER = 'app_definer'::name) AND (pg_trigger_depth() > 0));
ALTER FUNCTION app.is_computed_write() OWNER TO app_owner;

CREATE FUNCTION app.is_done(p_status text, p_actual_end timestamp with time zone) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((p_status = ANY (ARRAY['completed'::text, 'invoiced'::text, 'paid'::text])) OR ((p_status = 'archived'::text) AND (p_actual_end IS NOT NULL)));
ALTER FUNCTION app.is_done(p_status text, p_actual_end timestamp with time zone) OWNER TO app_owner;

CREATE FUNCTION app.is_id_list(p_value jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO ''
    RETURN CASE WHEN (jsonb_typeof(p_value) <> 'array'::text) THEN false ELSE (((jsonb_array_length(p_value) >= 1) AND (jsonb_array_length(p_value) <= 1000)) AND (NOT (EXISTS (SELECT FROM jsonb_array_elements(is_id_list.p_value) e(value) WHERE ((jsonb_typeof(e.value) <> 'string'::text) OR ((e.value #>> '{}'::text[]) !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'::text)))))) END;
ALTER FUNCTION app.is_id_list(p_value jsonb) OWNER TO app_owner;

CREATE FUNCTION app.is_issued(p_status text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (p_status = ANY (ARRAY['sent'::text, 'viewed'::text, 'partial'::text, 'paid'::text, 'overdue'::text]));
ALTER FUNCTION app.is_issued(p_status text) OWNER TO app_owner;

COMMENT ON FUNCTION app.is_issued(p_status text) IS 'Whether an invoice of this status is owed or paid.';

CREATE FUNCTION app.is_settled(p_status text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (p_status = ANY (ARRAY['completed'::text, 'partially_refunded'::text, 'refunded'::text]));
ALTER FUNCTION app.is_settled(p_status text) OWNER TO app_owner;

COMMENT ON FUNCTION app.is_settled(p_status text) IS 'Whether the money of a payment of this status has moved.';

CREATE FUNCTION app.is_time_ranges(p_value jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO ''
    RETURN CASE WHEN (jsonb_typeof(p_value) <> 'array'::text) THEN false ELSE (((jsonb_array_length(p_value) >= 1) AND (jsonb_array_length(p_value) <= 24)) AND (NOT (EXISTS (SELECT FROM jsonb_array_elements(is_time_ranges.p_value) e(value) WHERE (NOT COALESCE((((e.value ->> 'start'::text) ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'::text) AND ((e.value ->> 'end'::text) ~ '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$'::text) AND (((e.value ->> 'start'::text) COLLATE "C") < ((e.value ->> 'end'::text) COLLATE "C"))), false)))))) END;
ALTER FUNCTION app.is_time_ranges(p_value jsonb) OWNER TO app_owner;

CREATE FUNCTION app.is_within_reach(p_company_id uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((CURRENT_USER <> ALL (ARRAY['anon'::name, 'authenticated'::name])) OR COALESCE((p_company_id = app.company_id()), false));
ALTER FUNCTION app.is_within_reach(p_company_id uuid) OWNER TO app_owner;

CREATE FUNCTION app.is_word_list(p_value jsonb, p_words jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO ''
    RETURN CASE WHEN (jsonb_typeof(p_value) <> 'array'::text) THEN false ELSE ((p_value <> '[]'::jsonb) AND (p_value <@ p_words) AND (jsonb_array_length(p_value) = (SELECT count(DISTINCT e.value) AS count FROM jsonb_array_elements(is_word_list.p_value) e(value)))) END;
ALTER FUNCTION app.is_word_list(p_value jsonb, p_words jsonb) OWNER TO app_owner;

CREATE FUNCTION app.items_added() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  perform app.count_items(array_agg(d.company_id), array_agg(d.category_id), array_agg(d.count))
     from (select r.company_id, r.category_id, count(*) as count from added r where r.deleted_at is null group by 1, 2) d
   having count(*) > 0;
  return null;
end $$;
ALTER FUNCTION app.items_added() OWNER TO app_definer;

CREATE FUNCTION app.items_moved() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  perform app.count_items(array_agg(d.company_id), array_agg(d.category_id), array_agg(d.count))
     from (select m.company_id, m.category_id, sum(m.count)::bigint as count
             from (select r.company_id, r.category_id, -1 as count from was r where r.deleted_at is null
                   union all
                   select r.company_id, r.category_id, 1 from became r where r.deleted_at is null) m
            group by 1, 2 having sum(m.count) <> 0) d
   having count(*) > 0;
  return null;
end $$;
ALTER FUNCTION app.items_moved() OWNER TO app_definer;

CREATE FUNCTION app.items_removed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  perform app.count_items(array_agg(d.company_id), array_agg(d.category_id), array_agg(d.count))
     from (select r.company_id, r.category_id, -count(*) as count from removed r where r.deleted_at is null group by 1, 2) d
   having count(*) > 0;
  return null;
end $$;
ALTER FUNCTION app.items_removed() OWNER TO app_definer;

CREATE FUNCTION app.keep_billed_customer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  if exists (select from public.invoices i
              where i.company_id = old.company_id and i.customer_id = old.id and i.invoice_number is not null) then
    raise exception using errcode = 'TH409', constraint = 'customer_has_invoices',
      message = 'A customer with issued invoices cannot be removed for good.',
      hint = 'Archive him, or have his personal data erased.';
  end if;
  return old;
end $$;
ALTER FUNCTION app.keep_billed_customer() OWNER TO app_definer;

CREATE FUNCTION app.keep_line_items(p_header regclass, p_header_noun text, p_lines regclass, p_column text, p_lines_noun text, p_kept text[] DEFAULT '{}'::text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
declare
  v_arguments constant text := format('%L, %L, %L, %L', p_lines::text, p_column, p_lines_noun, array_to_string(p_kept, ','));
  v_event record;
begin
  execute format('create or replace trigger calculate_lines before update on %s
                    for each row when (new.line_items is distinct from old.line_items and not app.is_computed_write()
                                       and app.is_within_reach(new.company_id))
                    execute function app.read_line_items(%s)', p_header, v_arguments);
  execute format('create or replace trigger calculate_lines_first before insert on %s
                    for each row when (new.line_items is distinct from ''[]'' and app.is_within_reach(new.company_id))
                    execute function app.read_line_items(%s)', p_header, v_arguments);
  execute format('create or replace trigger write_lines after update on %s
                    for each row when (new.line_items is distinct from old.line_items and not app.is_computed_write())
                    execute function app.write_line_items(%s)', p_header, v_arguments);
  execute format('create or replace trigger write_lines_first after insert on %s
                    for each row when (new.line_items <> ''[]'')
                    execute function app.write_line_items(%s)', p_header, v_arguments);
  execute format('create or replace trigger calculate before insert or update on %s for each row
                    execute function app.calculate_line()',
                 p_lines);
  for v_event in
    select * from (values ('insert', 'new table as made'), ('delete', 'old table as gone'),
                          ('update', 'new table as made old table as gone')) e (name, tables)
  loop
    execute format('create or replace trigger authorize_%1$s after %1$s on %2$s referencing %3$s
                      for each statement when (current_user = ''authenticated'')
                      execute function app.authorize_line_rows(%4$L, %5$L, %6$L)',
                   v_event.name, p_lines, v_event.tables, p_header::text, p_column, p_header_noun);
    execute format('create or replace trigger sync_%1$s after %1$s on %2$s referencing %3$s
                      for each statement execute function app.sync_line_items(%4$L, %5$L, %6$L)',
                   v_event.name, p_lines, v_event.tables, p_header::text, p_lines::text, p_column);
  end loop;
end $_$;
ALTER FUNCTION app.keep_line_items(p_header regclass, p_header_noun text, p_lines regclass, p_column text, p_lines_noun text, p_kept text[]) OWNER TO app_owner;

COMMENT ON FUNCTION app.keep_line_items(p_header regclass, p_header_noun text, p_lines regclass, p_column text, p_lines_noun text, p_kept text[]) IS 'Keeps the lines of a table of documents and its line_items in step. p_kept: columns of the lines that JSON does not write.';

CREATE FUNCTION app.kept_days(p_wanted jsonb, p_kind text) RETURNS integer
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN COALESCE(((p_wanted ->> p_kind))::integer, CASE p_kind WHEN 'email_logs'::text THEN 183 WHEN 'activities'::text THEN 365 WHEN 'webhook_logs'::text THEN 90 WHEN 'audit_logs'::text THEN 2557 WHEN 'deleted_rows'::text THEN 90 WHEN 'completed_jobs'::text THEN 365 ELSE NULL::integer END);
ALTER FUNCTION app.kept_days(p_wanted jsonb, p_kind text) OWNER TO app_owner;

CREATE FUNCTION app.labels_of(p_table regclass) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $_$
  select coalesce(array_agg(x.word order by a.attnum, x.place), '{}')
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_description d on d.classoid = 'pg_catalog.pg_class'::regclass and d.objoid = a.attrelid and d.objsubid = a.attnum
   cross join lateral (values (1, a.attname::text), (2, regexp_replace(d.description, '^pii:', ''))) x (place, word)
   where a.attrelid = p_table and not a.attisdropped and d.description ~ '^(pii:[a-z_]+|secret)$'
$_$;
ALTER FUNCTION app.labels_of(p_table regclass) OWNER TO app_owner;

CREATE FUNCTION app.leader_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  if pg_trigger_depth() > 1 then
    return null;
  end if;
  update public.job_team_assignments a set removed_at = now(), removed_by = auth.uid()
   where a.company_id = new.company_id and a.job_id = new.id and a.removed_at is null and a.role = 'primary'
     and a.user_id is distinct from new.assigned_to;
  update public.job_team_assignments a set role = 'primary'
   where a.company_id = new.company_id and a.job_id = new.id and a.removed_at is null and a.user_id = new.assigned_to and a.role <> 'primary';
  perform app.copy_crew(new.company_id, new.id);
  return null;
end $$;
ALTER FUNCTION app.leader_changed() OWNER TO app_definer;

CREATE FUNCTION app.likeness(p_asked text[], p_names text) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
declare
  v_names  constant text[] := coalesce(app.words(p_names), '{}');
  v_asked  text;
  v_name   text;
  v_best   double precision;
  v_sum    double precision := 0;
  v_length integer := 0;
begin
  foreach v_asked in array p_asked loop
    v_best := 0;
    foreach v_name in array v_names loop
      v_best := greatest(v_best, app.word_likeness(v_asked, v_name));
      exit when v_best = 1;
    end loop;
    v_sum := v_sum + v_best * length(v_asked);
    v_length := v_length + length(v_asked);
  end loop;
  v_best := v_sum / greatest(v_length, 1) - 0.01 * least(5, greatest(0, cardinality(v_names) - cardinality(p_asked)));
  if v_best < 0.9 and cardinality(v_names) + cardinality(p_asked) > 2 then
    v_best := greatest(v_best, app.word_likeness(array_to_string(p_asked, ''), array_to_string(v_names, '')) - 0.02);
  end if;
  return v_best;
end $$;
ALTER FUNCTION app.likeness(p_asked text[], p_names text) OWNER TO app_owner;

COMMENT ON FUNCTION app.likeness(p_asked text[], p_names text) IS 'How alike the words somebody asked for are to a name: 0 to 1.';

CREATE FUNCTION app.line_defaults(p_lines regclass, p_column text) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
declare
  v_list   text;
  v_result jsonb;
begin
  select string_agg(format('%L, %s', a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid)), ', ') into v_list
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
   where a.attrelid = p_lines and a.attnum > 0 and not a.attisdropped
     and a.attname <> all (app.line_shadows(p_column) || '{id}'::text[]);
  execute format('select jsonb_build_object(%s)', v_list) into v_result;
  return v_result;
end $$;
ALTER FUNCTION app.line_defaults(p_lines regclass, p_column text) OWNER TO app_owner;

CREATE FUNCTION app.line_shadows(p_column text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ARRAY['company_id'::text, p_column, 'version'::text, 'created_at'::text, 'updated_at'::text];
ALTER FUNCTION app.line_shadows(p_column text) OWNER TO app_owner;

CREATE FUNCTION app.line_total(p_quantity numeric, p_unit_price bigint, p_discount bigint) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $$
declare
  -- numeric rounds half away from zero.
  v_total constant numeric := round(p_quantity * p_unit_price) - p_discount;
begin
  -- A price below zero is refused by the row itself.
  if v_total < 0 and p_discount > 0 then
    raise exception using errcode = 'TH422', constraint = 'line_discount_too_large',
      message = 'The discount of a line cannot be larger than its amount.';
  end if;
  return v_total::bigint;
end $$;
ALTER FUNCTION app.line_total(p_quantity numeric, p_unit_price bigint, p_discount bigint) OWNER TO app_owner;

COMMENT ON FUNCTION app.line_total(p_quantity numeric, p_unit_price bigint, p_discount bigint) IS 'Quantity times unit price, rounded half away from zero, less the discount.';

CREATE FUNCTION app.lines_of(p_lines regclass, p_column text, p_company_id uuid, p_id uuid) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $_$
declare
  v_result jsonb;
begin
  execute format('select coalesce(jsonb_agg(to_jsonb(l) - $3 order by l.position, l.id), ''[]'')
                    from %s l where l.company_id = $1 and l.%I = $2', p_lines, p_column)
     into v_result using p_company_id, p_id, app.line_shadows(p_column);
  return v_result;
end $_$;
ALTER FUNCTION app.lines_of(p_lines regclass, p_column text, p_company_id uuid, p_id uuid) OWNER TO app_owner;

COMMENT ON FUNCTION app.lines_of(p_lines regclass, p_column text, p_company_id uuid, p_id uuid) IS 'The lines of one document as JSON, in their order.';

CREATE FUNCTION app.lines_of_option(p_lines jsonb, p_option_id uuid) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $$
  select coalesce(jsonb_agg(l.value order by l.n), '[]')
    from jsonb_array_elements(p_lines) with ordinality l (value, n)
   where (l.value ->> 'option_id' is null or l.value ->> 'option_id' = p_option_id::text)
     and (not (l.value ->> 'is_optional')::boolean or (l.value ->> 'is_selected')::boolean);
$$;
ALTER FUNCTION app.lines_of_option(p_lines jsonb, p_option_id uuid) OWNER TO app_owner;

CREATE FUNCTION app.load_permissions(p_matrix jsonb) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_changed bigint := 0;
  v_count   bigint;
begin
  delete from app.role_permissions rp
   where not exists (select from jsonb_to_recordset(p_matrix) as w(role text, permission text, scope text)
                      where w.role = rp.role and w.permission = rp.permission);
  get diagnostics v_changed = row_count;
  insert into app.role_permissions as rp (role, permission, scope)
  select w.role, w.permission, w.scope from jsonb_to_recordset(p_matrix) as w(role text, permission text, scope text)
  on conflict (role, permission) do update set scope = excluded.scope where rp.scope <> excluded.scope;
  get diagnostics v_count = row_count;
  return v_changed + v_count;
end $$;
ALTER FUNCTION app.load_permissions(p_matrix jsonb) OWNER TO app_owner;

COMMENT ON FUNCTION app.load_permissions(p_matrix jsonb) IS 'Replaces the matrix by the given rows; members are recomputed when anything changed.';

CREATE FUNCTION app.lock_customer_of_job() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  perform from public.customers c where c.company_id = new.company_id and c.id = new.customer_id for no key update;
  return new;
end $$;
ALTER FUNCTION app.lock_customer_of_job() OWNER TO app_definer;

CREATE FUNCTION app.lock_price_book(p_company_id uuid, p_alone boolean) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if p_alone then
    perform pg_advisory_xact_lock(hashtextextended('price_book:' || p_company_id::text, 0));
  else
    perform pg_advisory_xact_lock_shared(hashtextextended('price_book:' || p_company_id::text, 0));
  end if;
end $$;
ALTER FUNCTION app.lock_price_book(p_company_id uuid, p_alone boolean) OWNER TO app_owner;

CREATE FUNCTION app.lock_price_book_first() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if app.company_id() is not null and pg_trigger_depth() = 1 then
    perform app.lock_price_book(app.company_id(), tg_argv[0] = 'alone');
  end if;
  return null;
end $$;
ALTER FUNCTION app.lock_price_book_first() OWNER TO app_owner;

CREATE FUNCTION app.log_price() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_said  constant text := nullif(btrim(current_setting('app.change_reason', true)), '');
  v_parts constant text[] := regexp_match(v_said, '^(manual|bulk_update|supplier_sync|auto_markup)(?:: *(.*))?$');
begin
  insert into public.price_history (company_id, item_id, old_cost, new_cost, old_price, new_price, old_markup_percent,
    new_markup_percent,
                                    change_type, change_reason, changed_by)
  values (new.company_id, new.id, old.cost, new.cost, old.price, new.price, old.markup_percent, new.markup_percent,
          coalesce(v_parts[1], 'manual'),
          left(case when v_parts is null then v_said else nullif(v_parts[2], '') end, 2000), auth.uid());
  return null;
end $_$;
ALTER FUNCTION app.log_price() OWNER TO app_definer;

CREATE FUNCTION app.log_role_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  insert into public.role_change_log (company_id, user_id, changed_by, old_role, new_role, old_role_id, new_role_id,
                                      old_permissions, new_permissions, reason)
  values (new.company_id, new.user_id, auth.uid(), old.role, new.role, old.role_id, new.role_id,
          old.permissions, new.permissions, nullif(current_setting('app.change_reason', true), ''));
  return null;
end $$;
ALTER FUNCTION app.log_role_change() OWNER TO app_definer;

CREATE FUNCTION app.make_partitions(p_months_ahead integer DEFAULT 3) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_table text;
  v_month integer;
  v_made  text[] := '{}';
  v_day   date;
begin
  if p_months_ahead not between 0 and 24 then
    raise exception using errcode = '22023', message = 'partitions are made 0 to 24 months ahead';
  end if;
  foreach v_table in array array['communications', 'activities', 'audit_logs', 'webhook_logs', 'email_logs'] loop
    -- The month before, too: a clock that is behind, and what was written just before midnight.
    for v_month in -1 .. p_months_ahead loop
      v_day := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => v_month))::date;
      if to_regclass(format('public.%I', v_table || to_char(v_day, '_YYYY_MM'))) is null then
        v_made := v_made || public.create_monthly_partition(v_table, v_day);
      end if;
    end loop;
  end loop;
  return v_made;
end $$;
ALTER FUNCTION app.make_partitions(p_months_ahead integer) OWNER TO app_owner;

COMMENT ON FUNCTION app.make_partitions(p_months_ahead integer) IS 'Makes the partitions of the coming months where they are missing; returns their names.';

CREATE FUNCTION app.mark_as_deleted() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
declare
  v_found boolean;
begin
  execute format('update %s set deleted_at = now() where company_id = $1 and id = $2 and deleted_at is null returning true', tg_argv[0])
     into v_found using old.tenant_id, old.id;
  return case when v_found then old end;
end $_$;
ALTER FUNCTION app.mark_as_deleted() OWNER TO app_owner;

CREATE FUNCTION app.mask(p_kind text, p_value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN ((p_value IS NULL) OR (p_value = ''::text)) THEN p_value WHEN (((p_kind = 'email'::text) OR (p_kind = 'contact'::text)) AND (p_value ~~ '_%@_%'::text)) THEN (("left"(p_value, 1) || '***@'::text) || split_part(p_value, '@'::text, '-1'::integer)) WHEN ((p_kind = ANY (ARRAY['phone'::text, 'contact'::text, 'card'::text])) AND (length(regexp_replace(p_value, '[^0-9]'::text, ''::text, 'g'::text)) >= CASE p_kind WHEN 'card'::text THEN 4 ELSE 7 END)) THEN ('***'::text || "right"(regexp_replace(p_value, '[^0-9]'::text, ''::text, 'g'::text), 4)) WHEN (p_kind = 'name'::text) THEN regexp_replace(btrim(p_value), '(\S)\S*'::text, '\1***'::text, 'g'::text) WHEN ((p_kind = 'tax_id'::text) AND (length(p_value) >= 8)) THEN ('***'::text || "right"(p_value, 4)) WHEN ((p_kind = 'ip'::text) AND (p_value ~ '^\d+\.\d+\.\d+\.\d+'::text)) THEN regexp_replace(p_value, '^(\d+\.\d+\.\d+)\..*$'::text, '\1.***'::text) WHEN ((p_kind = 'ip'::text) AND (p_value ~ '^[0-9a-f]*:[0-9a-f]*:'::text)) THEN regexp_replace(p_value, '^([0-9a-f]*:[0-9a-f]*):.*$'::text, '\1:***'::text) ELSE '***'::text END;
ALTER FUNCTION app.mask(p_kind text, p_value text) OWNER TO app_owner;

COMMENT ON FUNCTION app.mask(p_kind text, p_value text) IS 'Hides a personal value but for what tells two of them apart: mask(''email'', ''jane@x.com'') is j***@x.com; of phones and cards the last four digits stay.';

CREATE FUNCTION app.member_added() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  update public.companies c set owner_id = new.user_id where c.id = new.company_id and c.owner_id is null;
  return null;
end $$;
ALTER FUNCTION app.member_added() OWNER TO app_definer;

CREATE FUNCTION app.member_role() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('app.member_role'::text, true), ''::text);
ALTER FUNCTION app.member_role() OWNER TO app_owner;

COMMENT ON FUNCTION app.member_role() IS 'What the caller is in the company of this transaction, or NULL.';

CREATE TABLE public.companies (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    external_id text,
    name text NOT NULL,
    slug text NOT NULL,
    owner_id uuid,
    industry text,
    legal_name text,
    doing_business_as text,
    logo text,
    email text,
    phone text,
    support_email text,
    support_phone text,
    website text,
    address text,
    address2 text,
    city text,
    state text,
    zip_code text,
    country text DEFAULT 'USA'::text NOT NULL,
    lat double precision,
    lon double precision,
    license_number text,
    tax_id text,
    company_size text,
    brand_color text,
    business_timezone text DEFAULT 'America/New_York'::text NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    onboarding_step integer DEFAULT 0 NOT NULL,
    onboarding_progress jsonb DEFAULT '{}'::jsonb NOT NULL,
    onboarding_completed_at timestamp with time zone,
    subscription_tier text DEFAULT 'free'::text NOT NULL,
    subscription_status text DEFAULT 'active'::text NOT NULL,
    max_seats integer DEFAULT 5 NOT NULL,
    trial_ends_at timestamp with time zone,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    brand_primary_color text,
    brand_secondary_color text,
    brand_accent_color text,
    brand_font text,
    logo_square_url text,
    logo_url text,
    website_url text,
    ein text,
    email_settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    portal_settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    refund_settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    email_verified boolean DEFAULT false NOT NULL,
    email_verified_at timestamp with time zone,
    onboarding_completion_percentage integer DEFAULT 0 NOT NULL,
    onboarding_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    onboarding_step_completed jsonb DEFAULT '{}'::jsonb NOT NULL,
    stripe_subscription_id text,
    stripe_subscription_status text,
    subscription_cancel_at_period_end boolean DEFAULT false NOT NULL,
    subscription_current_period_start timestamp with time zone,
    subscription_current_period_end timestamp with time zone,
    CONSTRAINT companies_address2_check CHECK ((length(address2) <= 300)),
    CONSTRAINT companies_address_check CHECK ((length(address) <= 300)),
    CONSTRAINT companies_brand_accent_color_check CHECK ((brand_accent_color ~ '^#[0-9A-Fa-f]{6}$'::text)),
    CONSTRAINT companies_brand_color_check CHECK ((brand_color ~ '^#[0-9A-Fa-f]{6}$'::text)),
    CONSTRAINT companies_brand_font_check CHECK ((length(brand_font) <= 100)),
    CONSTRAINT companies_brand_primary_color_check CHECK ((brand_primary_color ~ '^#[0-9A-Fa-f]{6}$'::text)),
    CONSTRAINT companies_brand_secondary_color_check CHECK ((brand_secondary_color ~ '^#[0-9A-Fa-f]{6}$'::text)),
    CONSTRAINT companies_business_timezone_check CHECK ((length(business_timezone) <= 64)),
    CONSTRAINT companies_city_check CHECK ((length(city) <= 120)),
    CONSTRAINT companies_company_size_check CHECK ((length(company_size) <= 40)),
    CONSTRAINT companies_country_check CHECK ((length(country) <= 60)),
    CONSTRAINT companies_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT companies_doing_business_as_check CHECK ((length(doing_business_as) <= 200)),
    CONSTRAINT companies_ein_check CHECK ((length(ein) <= 20)),
    CONSTRAINT companies_email_check CHECK ((length(email) <= 254)),
    CONSTRAINT companies_email_settings_check CHECK ((jsonb_typeof(email_settings) = 'object'::text)),
    CONSTRAINT companies_external_id_check CHECK (((length(external_id) >= 1) AND (length(external_id) <= 255))),
    CONSTRAINT companies_industry_check CHECK (((length(industry) >= 1) AND (length(industry) <= 100))),
    CONSTRAINT companies_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT companies_legal_name_check CHECK ((length(legal_name) <= 200)),
    CONSTRAINT companies_license_number_check CHECK ((length(license_number) <= 100)),
    CONSTRAINT companies_logo_check CHECK ((length(logo) <= 2048)),
    CONSTRAINT companies_logo_square_url_check CHECK ((length(logo_square_url) <= 2048)),
    CONSTRAINT companies_logo_url_check CHECK ((length(logo_url) <= 2048)),
    CONSTRAINT companies_lon_check CHECK (((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))),
    CONSTRAINT companies_max_seats_check CHECK ((max_seats > 0)),
    CONSTRAINT companies_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 200))),
    CONSTRAINT companies_onboarding_completion_percentage_check CHECK (((onboarding_completion_percentage >= 0) AND (onboarding_completion_percentage <= 100))),
    CONSTRAINT companies_onboarding_data_check CHECK ((jsonb_typeof(onboarding_data) = 'object'::text)),
    CONSTRAINT companies_onboarding_progress_check CHECK ((jsonb_typeof(onboarding_progress) = 'object'::text)),
    CONSTRAINT companies_onboarding_step_check CHECK ((onboarding_step >= 0)),
    CONSTRAINT companies_onboarding_step_completed_check CHECK ((jsonb_typeof(onboarding_step_completed) = 'object'::text)),
    CONSTRAINT companies_phone_check CHECK ((length(phone) <= 32)),
    CONSTRAINT companies_portal_settings_check CHECK ((jsonb_typeof(portal_settings) = 'object'::text)),
    CONSTRAINT companies_refund_settings_check CHECK ((jsonb_typeof(refund_settings) = 'object'::text)),
    CONSTRAINT companies_settings_check CHECK ((jsonb_typeof(settings) = 'object'::text)),
    CONSTRAINT companies_slug_check CHECK (((slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'::text) AND ((length(slug) >= 2) AND (length(slug) <= 63)))),
    CONSTRAINT companies_state_check CHECK ((length(state) <= 120)),
    CONSTRAINT companies_stripe_subscription_id_check CHECK ((length(stripe_subscription_id) <= 255)),
    CONSTRAINT companies_stripe_subscription_status_check CHECK ((length(stripe_subscription_status) <= 40)),
    CONSTRAINT companies_subscription_status_check CHECK ((subscription_status = ANY (ARRAY['active'::text, 'trialing'::text, 'past_due'::text, 'incomplete'::text, 'cancelled'::text]))),
    CONSTRAINT companies_subscription_tier_check CHECK ((subscription_tier = ANY (ARRAY['free'::text, 'starter'::text, 'pro'::text, 'enterprise'::text]))),
    CONSTRAINT companies_support_email_check CHECK ((length(support_email) <= 254)),
    CONSTRAINT companies_support_phone_check CHECK ((length(support_phone) <= 32)),
    CONSTRAINT companies_tax_id_check CHECK ((length(tax_id) <= 100)),
    CONSTRAINT companies_website_check CHECK ((length(website) <= 2048)),
    CONSTRAINT companies_website_url_check CHECK ((length(website_url) <= 2048)),
    CONSTRAINT companies_zip_code_check CHECK ((length(zip_code) <= 20))
);
ALTER TABLE ONLY public.companies FORCE ROW LEVEL SECURITY;
ALTER TABLE public.companies OWNER TO app_owner;

COMMENT ON TABLE public.companies IS 'The tenant: one business.';

COMMENT ON COLUMN public.companies.tax_id IS 'pii:tax_id';

COMMENT ON COLUMN public.companies.ein IS 'pii:tax_id';

CREATE FUNCTION app.month_of(p_company_id uuid, p_time timestamp with time zone) RETURNS date
    LANGUAGE sql STABLE
    RETURN (SELECT (date_trunc('month'::text, (month_of.p_time AT TIME ZONE c.business_timezone)))::date AS date_trunc FROM public.companies c WHERE (c.id = month_of.p_company_id));
ALTER FUNCTION app.month_of(p_company_id uuid, p_time timestamp with time zone) OWNER TO app_owner;

CREATE TABLE public.inventory (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    price_book_item_id uuid NOT NULL,
    quantity_on_hand numeric(14,3) DEFAULT 0 NOT NULL,
    quantity_reserved numeric(14,3) DEFAULT 0 NOT NULL,
    quantity_available numeric(14,3) GENERATED ALWAYS AS ((quantity_on_hand - quantity_reserved)) STORED,
    minimum_quantity numeric(14,3) DEFAULT 0 NOT NULL,
    maximum_quantity numeric(14,3),
    reorder_point numeric(14,3) DEFAULT 0 NOT NULL,
    reorder_quantity numeric(14,3) DEFAULT 0 NOT NULL,
    warehouse_location text,
    primary_location text,
    secondary_locations jsonb,
    location_id uuid,
    currency text DEFAULT 'USD'::text NOT NULL,
    cost_per_unit bigint DEFAULT 0 NOT NULL,
    total_cost_value bigint DEFAULT 0 NOT NULL,
    last_purchase_cost bigint DEFAULT 0 NOT NULL,
    last_restock_date timestamp with time zone,
    last_restock_quantity numeric(14,3),
    last_restock_purchase_order_id uuid,
    last_stock_check_date timestamp with time zone,
    last_used_date timestamp with time zone,
    last_used_job_id uuid,
    is_low_stock boolean DEFAULT false NOT NULL,
    low_stock_alert_sent boolean DEFAULT false NOT NULL,
    low_stock_alert_sent_at timestamp with time zone,
    status text DEFAULT 'active'::text NOT NULL,
    notes text,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT inventory_cost_per_unit_check CHECK ((cost_per_unit >= 0)),
    CONSTRAINT inventory_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT inventory_last_purchase_cost_check CHECK ((last_purchase_cost >= 0)),
    CONSTRAINT inventory_last_restock_quantity_check CHECK ((last_restock_quantity >= (0)::numeric)),
    CONSTRAINT inventory_maximum_quantity_check CHECK ((maximum_quantity >= (0)::numeric)),
    CONSTRAINT inventory_minimum_quantity_check CHECK ((minimum_quantity >= (0)::numeric)),
    CONSTRAINT inventory_never_negative CHECK ((quantity_on_hand >= (0)::numeric)),
    CONSTRAINT inventory_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT inventory_primary_location_check CHECK ((length(primary_location) <= 200)),
    CONSTRAINT inventory_quantity_on_hand_check CHECK ((quantity_on_hand >= (0)::numeric)),
    CONSTRAINT inventory_quantity_reserved_check CHECK ((quantity_reserved >= (0)::numeric)),
    CONSTRAINT inventory_reorder_point_check CHECK ((reorder_point >= (0)::numeric)),
    CONSTRAINT inventory_reorder_quantity_check CHECK ((reorder_quantity >= (0)::numeric)),
    CONSTRAINT inventory_reserved_check CHECK (((quantity_reserved >= (0)::numeric) AND (quantity_reserved <= quantity_on_hand))),
    CONSTRAINT inventory_status_check CHECK ((status = ANY (ARRAY['active'::text, 'discontinued'::text, 'on_order'::text]))),
    CONSTRAINT inventory_total_cost_value_check CHECK ((total_cost_value >= 0)),
    CONSTRAINT inventory_warehouse_location_check CHECK ((length(warehouse_location) <= 200))
);
ALTER TABLE ONLY public.inventory FORCE ROW LEVEL SECURITY;
ALTER TABLE public.inventory OWNER TO app_owner;

COMMENT ON TABLE public.inventory IS 'How much there is of an item: one row each, its figures moved by stock moves only.';

CREATE TABLE public.stock_moves (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    inventory_id uuid NOT NULL,
    location_id uuid,
    to_location_id uuid,
    kind text NOT NULL,
    quantity numeric(14,3) NOT NULL,
    quantity_before numeric(14,3),
    quantity_after numeric(14,3),
    reserved_before numeric(14,3),
    reserved_after numeric(14,3),
    unit_cost bigint,
    reason text,
    job_id uuid,
    purchase_order_id uuid,
    reservation_id uuid,
    moved_by uuid DEFAULT auth.uid(),
    occurred_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT stock_moves_kind_check CHECK ((kind = ANY (ARRAY['restock'::text, 'sale'::text, 'damage'::text, 'theft'::text, 'correction'::text, 'transfer'::text, 'return'::text, 'reserve'::text, 'release'::text, 'use'::text]))),
    CONSTRAINT stock_moves_quantity_after_check CHECK ((quantity_after >= (0)::numeric)),
    CONSTRAINT stock_moves_quantity_before_check CHECK ((quantity_before >= (0)::numeric)),
    CONSTRAINT stock_moves_quantity_check CHECK ((quantity <> (0)::numeric)),
    CONSTRAINT stock_moves_reason_check CHECK ((length(reason) <= 2000)),
    CONSTRAINT stock_moves_reserved_after_check CHECK ((reserved_after >= (0)::numeric)),
    CONSTRAINT stock_moves_reserved_before_check CHECK ((reserved_before >= (0)::numeric)),
    CONSTRAINT stock_moves_unit_cost_check CHECK ((unit_cost >= 0))
);
ALTER TABLE ONLY public.stock_moves FORCE ROW LEVEL SECURITY;
ALTER TABLE public.stock_moves OWNER TO app_owner;

COMMENT ON TABLE public.stock_moves IS 'The ledger of stock. Rows are added and never changed.';

CREATE FUNCTION app.move_stock(p_company_id uuid, p_move public.stock_moves, p_on_hand numeric, p_reserved numeric) RETURNS public.inventory
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_row   public.inventory;
  v_place uuid;
begin
  update public.inventory i
     set quantity_on_hand = i.quantity_on_hand + p_on_hand,
         quantity_reserved = i.quantity_reserved + p_reserved,
         last_restock_date = case when p_move.kind = 'restock' then now() else i.last_restock_date end,
         last_restock_quantity = case when p_move.kind = 'restock' then p_on_hand else i.last_restock_quantity end,
         last_restock_purchase_order_id = case when p_move.kind = 'restock' then p_move.purchase_order_id
           else i.last_restock_purchase_order_id end,
         last_purchase_cost = case when p_move.kind = 'restock' then coalesce(p_move.unit_cost, i.last_purchase_cost)
           else i.last_purchase_cost end,
         last_used_date = case when p_move.kind = 'use' then now() else i.last_used_date end,
         last_used_job_id = case when p_move.kind = 'use' then p_move.job_id else i.last_used_job_id end
   where i.company_id = p_company_id and i.id = p_move.inventory_id and i.deleted_at is null
     and i.quantity_reserved + p_reserved >= 0 and i.quantity_on_hand + p_on_hand >= i.quantity_reserved + p_reserved
  returning * into v_row;
  if not found then
    select * into v_row from public.inventory i
     where i.company_id = p_company_id and i.id = p_move.inventory_id and i.deleted_at is null;
    if not found then
      raise exception using errcode = 'TH404', constraint = 'stock_not_found', message = 'There is no such stock.';
    end if;
    raise exception using errcode = 'TH409', constraint = 'stock_insufficient',
      message = format('There are %s on hand, %s of them reserved: that is not enough.', v_row.quantity_on_hand,
      v_row.quantity_reserved),
      detail = jsonb_build_object('on_hand', v_row.quantity_on_hand, 'reserved', v_row.quantity_reserved, 'available',
        v_row.quantity_available)::text;
  end if;
  v_place := coalesce(p_move.location_id, v_row.location_id);
  if p_on_hand < 0 and v_place is not null and app.stock_at(p_company_id, v_row.id, v_place) + p_on_hand < 0 then
    raise exception using errcode = 'TH409', constraint = 'stock_insufficient_there',
      message = format('At this location there are only %s.', app.stock_at(p_company_id, v_row.id, v_place)),
      hint = 'Name the location from which it is taken, or transfer it first.';
  end if;
  insert into public.stock_moves (company_id, inventory_id, location_id, kind, quantity, quantity_before, quantity_after,
    reserved_before,
                                  reserved_after, unit_cost, reason, job_id, purchase_order_id, reservation_id)
  values (p_company_id, v_row.id, v_place, p_move.kind, case when p_on_hand <> 0 then p_on_hand else p_reserved end,
          v_row.quantity_on_hand - p_on_hand, v_row.quantity_on_hand, v_row.quantity_reserved - p_reserved,
            v_row.quantity_reserved,
          coalesce(p_move.unit_cost, v_row.cost_per_unit), left(p_move.reason, 2000), p_move.job_id, p_move.purchase_order_id,
            p_move.reservation_id);
  return v_row;
end $$;
ALTER FUNCTION app.move_stock(p_company_id uuid, p_move public.stock_moves, p_on_hand numeric, p_reserved numeric) OWNER TO app_owner;

CREATE FUNCTION app.next_number(p_company_id uuid, p_name text) RETURNS bigint
    LANGUAGE sql
    SET search_path TO ''
    AS $$
  insert into app.counters as c (company_id, name, value) values (p_company_id, p_name, 1)
  on conflict (company_id, name) do update set value = c.value + 1
  returning c.value;
$$;
ALTER FUNCTION app.next_number(p_company_id uuid, p_name text) OWNER TO app_owner;

CREATE FUNCTION app.note_activity() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_entity constant text := tg_argv[0];
  v_new    constant jsonb := to_jsonb(new);
  v_old    constant jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) end;
  v_what   constant text := initcap(replace(v_entity, '_', ' ')) || coalesce(' ' || nullif(v_new ->> tg_argv[1], ''), '');
  v_job    constant uuid := (v_new ->> tg_argv[2])::uuid;
  v_start  constant text := case when v_new ? 'scheduled_start' then 'scheduled_start' else 'start_time' end;
  v_status constant text := replace(v_new ->> 'status', '_', ' ');
  v_zone   text;
  v_person text;
  v_fields text;
begin
  if v_new ->> v_start is not null then
    select c.business_timezone into v_zone from public.companies c where c.id = new.company_id;
  end if;
  if v_new ->> 'assigned_to' is not null and (v_old is null or v_new -> 'assigned_to' <> v_old -> 'assigned_to') then
    select m.name into v_person from public.team_members m where m.company_id = new.company_id and m.user_id = (v_new ->> 'assigned_to')::uuid;
  end if;
  if v_old is null then
    perform app.tell(v_new, v_entity, 'created', v_what || ' created'
      || coalesce(': ' || nullif(v_new ->> 'title', ''), '')
      || case when v_entity in ('estimate', 'invoice', 'payment', 'purchase_order') and coalesce(v_new ->> 'total_amount', v_new ->> 'amount') <> '0'
              then ', ' || app.words_of_money(coalesce(v_new ->> 'total_amount', v_new ->> 'amount'), v_new ->> 'currency') else '' end
      || coalesce(', scheduled for ' || app.words_of_time((v_new ->> v_start)::timestamptz, v_zone), '')
      || coalesce(', assigned to ' || v_person, ''), v_job);
    return null;
  end if;
  if (v_new ->> 'deleted_at' is null) <> (v_old ->> 'deleted_at' is null) then
    perform app.tell(v_new, v_entity, case when v_new ->> 'deleted_at' is null then 'restored' else 'deleted' end,
      v_what || case when v_new ->> 'deleted_at' is null then ' restored' else ' deleted' end, v_job);
    return null;
  end if;
  if v_new ->> 'status' is distinct from v_old ->> 'status' then
    perform app.tell(v_new, v_entity, 'status_change',
      -- What was done to it, where the word says so; else from what to what.
      case when v_status in ('sent', 'accepted', 'rejected', 'paid', 'cancelled', 'completed', 'approved', 'received', 'refunded', 'ordered')
             and v_entity <> 'job' then v_what || ' ' || v_status
           else v_what || ': status from ' || replace(coalesce(v_old ->> 'status', 'none'), '_', ' ') || ' to ' || v_status end,
      v_job, 'status', v_old ->> 'status', v_new ->> 'status');
  end if;
  if v_new -> 'assigned_to' is distinct from v_old -> 'assigned_to' then
    perform app.tell(v_new, v_entity, 'assignment_change',
      v_what || case when v_new ->> 'assigned_to' is null then ' assigned to nobody' else ' assigned to ' || coalesce(v_person, 'a member') end,
      v_job, 'assigned_to', v_old ->> 'assigned_to', v_new ->> 'assigned_to');
  end if;
  if v_new -> v_start is distinct from v_old -> v_start then
    perform app.tell(v_new, v_entity, 'field_update',
      v_what || case when v_new ->> v_start is null then ' taken off the schedule'
                     when v_old ->> v_start is null then ' scheduled for ' || app.words_of_time((v_new ->> v_start)::timestamptz, v_zone)
                     else ' moved from ' || app.words_of_time((v_old ->> v_start)::timestamptz, v_zone)
                          || ' to ' || app.words_of_time((v_new ->> v_start)::timestamptz, v_zone) end,
      v_job, v_start, v_old ->> v_start, v_new ->> v_start);
  end if;
  -- Of the rest only which: the values stand in the audit, masked where they are personal. Figures that a trigger computes are no news.
  if pg_trigger_depth() = 1 then
    select string_agg(replace(n.key, '_', ' '), ', ' order by n.key) into v_fields
      from jsonb_each(v_new) n
     where n.value is distinct from v_old -> n.key
       and n.key not in ('status', 'assigned_to', v_start, 'scheduled_end', 'end_time', 'updated_at', 'version', 'search_vector', 'crew', 'display_name', 'email_key',
                         'actual_start', 'actual_end', 'archived_at', 'permanent_delete_scheduled_at', 'deleted_by', 'search_text', 'content_version');
    if v_fields is not null then
      perform app.tell(v_new, v_entity, 'field_update', v_what || ' changed: ' || v_fields, v_job, left(v_fields, 120));
    end if;
  end if;
  return null;
end $$;
ALTER FUNCTION app.note_activity() OWNER TO app_definer;

COMMENT ON FUNCTION app.note_activity() IS 'After insert or update: writes into activities what happened, in words.';

CREATE FUNCTION app.number_row() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_column constant text := tg_argv[0];
  v_kind   constant text := tg_argv[1];
  v_prefix constant text := tg_argv[2];
  v_digits constant integer := tg_argv[3]::integer;
  v_yearly constant boolean := coalesce(tg_argv[4] = 'yearly', false);
  v_given  constant text := coalesce(btrim(to_jsonb(new) ->> v_column), '');
  v_year   text;
  v_parts  text[];
begin
  v_year := app.number_year(new.company_id);
  if v_year is null then
    return new; -- No such company: the row is refused by its policy or its key, which say why.
  end if;
  if v_given = '' then
    return jsonb_populate_record(new, jsonb_build_object(v_column, app.format_number(v_prefix,
      case when v_yearly then v_year end,
      app.next_number(new.company_id, v_kind || case when v_yearly then '-' || v_year else '' end), v_digits)));
  end if;
  v_parts := regexp_match(v_given, '^' || v_prefix || case when v_yearly then '-(\d{4})' else '()' end || '-(\d{1,12})$');
  if v_parts is not null then
    -- Nothing is written while the counter is ahead: an import that reserved its block does not come here once for each row.
    insert into app.counters as c (company_id, name, value)
    values (new.company_id, v_kind || case when v_yearly then '-' || v_parts[1] else '' end, v_parts[2]::bigint)
    on conflict (company_id, name) do update set value = excluded.value where c.value < excluded.value;
  end if;
  return new;
end $_$;
ALTER FUNCTION app.number_row() OWNER TO app_definer;

COMMENT ON FUNCTION app.number_row() IS 'Before insert: gives the row its number, or takes note of the one it brought.';

CREATE FUNCTION app.number_year(p_company_id uuid) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
  select to_char(now() at time zone c.business_timezone, 'YYYY') from public.companies c where c.id = p_company_id;
$$;
ALTER FUNCTION app.number_year(p_company_id uuid) OWNER TO app_owner;

CREATE FUNCTION app.open_request(p_kind text, p_user_id uuid, p_session_id uuid, p_company_id uuid, p_claims jsonb, p_permission text, p_company_required boolean, OUT role text, OUT company_id uuid, OUT user_id uuid, OUT member_role text, OUT permissions text, OUT claims text) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_row record;
begin
  permissions := '';
  case p_kind
    when 'anon' then
      role := 'anon';
    when 'service', 'system' then
      role := 'service_role';
      company_id := p_company_id;
      if p_company_id is not null and not exists (select from public.companies c where c.id = p_company_id) then
        raise exception using errcode = 'TH404', constraint = 'company_not_found', message = 'There is no such company.';
      end if;
    when 'user' then
      select u.id, m.company_id as member_company_id, m.role, m.effective_permissions,
             coalesce(p_company_id, s.active_company_id) as wanted_company_id
        into v_row
        from auth.users u
        left join auth.sessions s
          on s.id = p_session_id and s.user_id = u.id and s.revoked_at is null and (s.not_after is null or s.not_after > now())
        left join public.team_members m
          on m.company_id = coalesce(p_company_id, s.active_company_id) and m.user_id = u.id
         and m.status = 'active' and m.archived_at is null
         and exists (select from public.companies c
                      where c.id = m.company_id and c.deleted_at is null and c.archived_at is null)
       where u.id = p_user_id and u.deleted_at is null and (u.banned_until is null or u.banned_until <= now())
         and (p_session_id is null or s.id is not null);
      if not found then
        raise exception using errcode = 'TH401', constraint = 'session_not_found',
          message = 'The session is over. Sign in again.';
      end if;
      if v_row.wanted_company_id is not null and v_row.member_company_id is null then
        raise exception using errcode = 'TH403', constraint = 'company_not_member',
          message = 'You are not an active member of this company.',
          hint = 'Choose another company: my_companies() lists yours.';
      end if;
      role := 'authenticated';
      user_id := v_row.id;
      company_id := v_row.member_company_id;
      member_role := v_row.role;
      permissions := coalesce(v_row.effective_permissions, '');
    else
      raise exception using errcode = '22023', message = 'unknown kind of caller';
  end case;
  if coalesce(p_company_required, false) and company_id is null then
    raise exception using errcode = 'TH403', constraint = 'company_required',
      message = 'No company is chosen.',
      hint = 'Make one active with POST /auth/v1/company, or send the header X-Company-Id.';
  end if;
  if p_permission is not null and role <> 'service_role'
     and strpos(permissions, ',' || p_permission || ',') = 0
     and strpos(permissions, ',' || p_permission || '_assigned,') = 0
     and strpos(permissions, ',' || p_permission || '_own,') = 0 then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = format('You need the permission %s.', p_permission);
  end if;
  -- What a token says of company and role counts for nothing.
  claims := ((coalesce(p_claims, '{}') - 'company_id' - 'member_role')
    || jsonb_build_object('role', role)
    || case when user_id is null then '{}' else jsonb_build_object('sub', user_id) end
    || case when company_id is null then '{}' else jsonb_build_object('company_id', company_id) end
    || case when member_role is null then '{}' else jsonb_build_object('member_role', member_role) end)::text;
end $$;
ALTER FUNCTION app.open_request(p_kind text, p_user_id uuid, p_session_id uuid, p_company_id uuid, p_claims jsonb, p_permission text, p_company_required boolean, OUT role text, OUT company_id uuid, OUT user_id uuid, OUT member_role text, OUT permissions text, OUT claims text) OWNER TO app_definer;

CREATE FUNCTION app.open_reservation(p_company_id uuid, p_reservation_id uuid) RETURNS public.stock_reservations
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_reservation public.stock_reservations;
begin
  perform from public.inventory i
    join public.stock_reservations r on r.company_id = i.company_id and r.inventory_id = i.id
   where r.company_id = p_company_id and r.id = p_reservation_id for no key update of i;
  select * into v_reservation from public.stock_reservations r where r.company_id = p_company_id
    and r.id = p_reservation_id for no key update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'reservation_not_found', message = 'There is no such reservation.';
  end if;
  if v_reservation.status <> 'active' then
    raise exception using errcode = 'TH409', constraint = 'reservation_closed',
      message = format('This reservation is %s.', v_reservation.status);
  end if;
  return v_reservation;
end $$;
ALTER FUNCTION app.open_reservation(p_company_id uuid, p_reservation_id uuid) OWNER TO app_owner;

CREATE FUNCTION app.options_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_company_id  constant uuid := case when tg_op = 'DELETE' then old.company_id else new.company_id end;
  v_estimate_id constant uuid := case when tg_op = 'DELETE' then old.estimate_id else new.estimate_id end;
begin
  update public.estimates e set line_items = e.line_items where e.company_id = v_company_id and e.id = v_estimate_id;
  if tg_op = 'UPDATE' and old.estimate_id <> new.estimate_id then
    update public.estimates e set line_items = e.line_items where e.company_id = v_company_id and e.id = old.estimate_id;
  end if;
  return null;
end $$;
ALTER FUNCTION app.options_changed() OWNER TO app_definer;

CREATE FUNCTION app.ordered_lines(p_lines jsonb, p_after jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
  select coalesce(jsonb_agg(l.value - 'quantity_received'
           - case when a.value ->> 'price_book_item_id' is null then 'price_book_item_id' else '' end order by l.n), '[]')
    from jsonb_array_elements(p_lines) with ordinality l (value, n)
    left join jsonb_array_elements(p_after) a on a.value -> 'id' = l.value -> 'id';
$$;
ALTER FUNCTION app.ordered_lines(p_lines jsonb, p_after jsonb) OWNER TO app_owner;

CREATE FUNCTION app.other_currencies(p_currency text, p_currencies text[], p_sums jsonb[]) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $$
  select coalesce(jsonb_object_agg(o.currency, o.sums), '{}')
    from unnest(p_currencies, p_sums) o (currency, sums)
   where o.currency <> p_currency and o.currency <> '' and exists (select from jsonb_each(o.sums) e where e.value <> '0')
$$;
ALTER FUNCTION app.other_currencies(p_currency text, p_currencies text[], p_sums jsonb[]) OWNER TO app_owner;

CREATE FUNCTION app.partitioned_tables() RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN ARRAY['communications'::text, 'activities'::text, 'audit_logs'::text, 'webhook_logs'::text, 'email_logs'::text];
ALTER FUNCTION app.partitioned_tables() OWNER TO app_owner;

CREATE FUNCTION app.phone_key(p_phone text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (length(app.digits(p_phone)) >= 7) THEN "right"(app.digits(p_phone), 10) ELSE NULL::text END;
ALTER FUNCTION app.phone_key(p_phone text) OWNER TO app_owner;

COMMENT ON FUNCTION app.phone_key(p_phone text) IS 'The last ten digits of a telephone number.';

CREATE FUNCTION app.phone_words(p_phone text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (app.digits(p_phone) || CASE WHEN (length(app.digits(p_phone)) >= 7) THEN (((((' '::text || "right"(app.digits(p_phone), 10)) || ' '::text) || "right"(app.digits(p_phone), 7)) || ' '::text) || "right"(app.digits(p_phone), 4)) ELSE ''::text END);
ALTER FUNCTION app.phone_words(p_phone text) OWNER TO app_owner;

COMMENT ON FUNCTION app.phone_words(p_phone text) IS 'The words under which a telephone number is found.';

CREATE FUNCTION app.place_category() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_parent public.price_book_categories;
  v_label  text;
begin
  if tg_op = 'UPDATE' then
    -- The triggers below write path and counts themselves; nobody else does.
    if pg_trigger_depth() > 1 then
      return new;
    end if;
    new.path := old.path;
    new.level := old.level;
    new.item_count := old.item_count;
    new.descendant_item_count := old.descendant_item_count;
    if (new.parent_id, new.slug) is not distinct from (old.parent_id, old.slug) then
      return new;
    end if;
  else
    new.item_count := 0;
    new.descendant_item_count := 0;
  end if;
  perform app.lock_price_book(new.company_id, true);
  if coalesce(btrim(new.slug), '') = '' then
    new.slug := app.slug_of(new.name, 100);
    if new.slug = '' or exists (select from public.price_book_categories c
                                 where c.company_id = new.company_id and c.slug = new.slug and c.id <> new.id) then
      new.slug := btrim(new.slug || '-' || right(replace(new.id::text, '-', ''), 8), '-');
    end if;
  end if;
  v_label := replace(new.slug, '-', '_');
  if v_label !~ '^[a-z0-9_]{1,120}$' then
    return new; -- The table's check names the column and refuses.
  end if;
  new.path := v_label::extensions.ltree;
  if new.parent_id is not null then
    select * into v_parent from public.price_book_categories c where c.company_id = new.company_id and c.id = new.parent_id;
    if not found then
      return new; -- It comes with the same statement, or the key refuses.
    end if;
    new.path := v_parent.path operator(extensions.||) new.path;
  end if;
  new.level := extensions.nlevel(new.path) - 1;
  return new;
end $_$;
ALTER FUNCTION app.place_category() OWNER TO app_definer;

CREATE FUNCTION app.plan_interval(p_frequency text, p_days integer) RETURNS interval
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN CASE p_frequency WHEN 'weekly'::text THEN '7 days'::interval WHEN 'bi_weekly'::text THEN '14 days'::interval WHEN 'monthly'::text THEN '1 mon'::interval WHEN 'quarterly'::text THEN '3 mons'::interval WHEN 'semi_annually'::text THEN '6 mons'::interval WHEN 'annually'::text THEN '1 year'::interval ELSE make_interval(days => p_days) END;
ALTER FUNCTION app.plan_interval(p_frequency text, p_days integer) OWNER TO app_owner;

CREATE FUNCTION app.prepare_credit_note() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_invoice record;
begin
  select i.customer_id, i.currency into v_invoice from public.invoices i
    where i.company_id = new.company_id and i.id = new.invoice_id;
  if found then
    new.customer_id := coalesce(new.customer_id, v_invoice.customer_id);
  end if;
  return new;
end $$;
ALTER FUNCTION app.prepare_credit_note() OWNER TO app_definer;

CREATE FUNCTION app.prepare_refund() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_original public.payments;
begin
  select * into v_original from public.payments p where p.company_id = new.company_id and p.id = new.original_payment_id;
  new.invoice_id := coalesce(new.invoice_id, v_original.invoice_id);
  new.customer_id := coalesce(new.customer_id, v_original.customer_id);
  return new;
end $$;
ALTER FUNCTION app.prepare_refund() OWNER TO app_definer;

CREATE FUNCTION app.protect(p_table regclass, p_noun text, p_soft_delete boolean DEFAULT false, p_assigned_column text DEFAULT NULL::text, p_own_column text DEFAULT NULL::text, p_tenant_column text DEFAULT 'company_id'::text, p_verbs text[] DEFAULT '{read,create,update,delete}'::text[], p_crew_column text DEFAULT NULL::text, p_parent_table regclass DEFAULT NULL::regclass, p_parent_column text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_policy    record;
  v_verb      text;
  v_command   text;
  v_condition text;
begin
  if not p_verbs <@ array['read', 'create', 'update', 'delete'] then
    raise exception using errcode = '22023', message = format('unknown verb in %s', p_verbs),
      hint = 'Verbs are read, create, update, delete; restore follows from p_soft_delete.';
  end if;
  perform app.enclose(p_table);
  for v_policy in
    select polname from pg_catalog.pg_policy
     where polrelid = p_table and polname not in ('app_owner_all', 'app_definer_all', 'service_role_all')
  loop
    execute format('drop policy %I on %s', v_policy.polname, p_table);
  end loop;
  execute format('create policy tenant_isolation on %s as restrictive for all to anon, authenticated
                    using (%I = (select app.company_id())) with check (%I = (select app.company_id()))',
                 p_table, p_tenant_column, p_tenant_column);
  execute format('revoke all on %s from public, anon, authenticated, service_role', p_table);
  execute format('grant select, insert, update, delete on %s to service_role', p_table);
  foreach v_verb in array p_verbs loop
    v_command := case v_verb when 'read' then 'select' when 'create' then 'insert' else v_verb end;
    v_condition := app.scope_condition(p_table::text, p_noun, v_verb, p_assigned_column, p_own_column, p_crew_column,
                                       p_parent_table::text, p_parent_column);
    execute format('grant %s on %s to authenticated', v_command, p_table);
    execute format('create policy %I on %s as permissive for %s to authenticated', 'member_' || v_verb, p_table, v_command)
      || case v_verb
           when 'create' then format(' with check (%s)', v_condition)
           when 'update' then format(' using (%s) with check (%s)', v_condition, v_condition)
           else format(' using (%s)', v_condition) end;
  end loop;
  if exists (select from pg_catalog.pg_attribute where attrelid = p_table and attname = 'version' and not attisdropped) then
    execute format('create or replace trigger touch before update on %s for each row execute function app.touch()', p_table);
  end if;
  if p_soft_delete then
    execute format('create or replace trigger guard_soft_delete before insert or update on %s
                      for each row execute function app.guard_soft_delete(%L, %L)', p_table, p_noun, coalesce(p_own_column, ''));
    execute format('create or replace trigger guard_deletion before delete on %s for each row execute function app.guard_deletion()', p_table);
  end if;
  insert into app.protected_tables as t (table_name, noun, soft_delete, assigned_column, own_column, tenant_column, verbs,
                                         crew_column, parent_table, parent_column)
  values (p_table::text, p_noun, p_soft_delete, p_assigned_column, p_own_column, p_tenant_column, p_verbs, p_crew_column, p_parent_table::text, p_parent_column)
  on conflict (table_name) do update
     set noun = excluded.noun, soft_delete = excluded.soft_delete, assigned_column = excluded.assigned_column,
         own_column = excluded.own_column, tenant_column = excluded.tenant_column, verbs = excluded.verbs, crew_column = excluded.crew_column,
         parent_table = excluded.parent_table, parent_column = excluded.parent_column;
  -- Of the first installation these files make the audit later, and then for every table.
  if to_regprocedure('app.audit_table(regclass, text)') is not null then
    perform app.audit_table(p_table, p_tenant_column);
  end if;
end $$;
ALTER FUNCTION app.protect(p_table regclass, p_noun text, p_soft_delete boolean, p_assigned_column text, p_own_column text, p_tenant_column text, p_verbs text[], p_crew_column text, p_parent_table regclass, p_parent_column text) OWNER TO app_owner;

COMMENT ON FUNCTION app.protect(p_table regclass, p_noun text, p_soft_delete boolean, p_assigned_column text, p_own_column text, p_tenant_column text, p_verbs text[], p_crew_column text, p_parent_table regclass, p_parent_column text) IS 'Declares a table of a company: policies by permission, grants, triggers, and its row in app.protected_tables.';

CREATE FUNCTION app.purchase_approval(p_company_id uuid, p_total bigint, OUT is_needed boolean, OUT is_approver boolean) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_settings public.po_settings;
begin
  if p_company_id is not distinct from app.company_id() or auth.role() = 'service_role' then
    select * into v_settings from public.po_settings s where s.company_id = p_company_id;
  end if;
  is_needed := coalesce(v_settings.require_approval
    and (v_settings.approval_threshold is null or p_total >= v_settings.approval_threshold), false);
  is_approver := coalesce(v_settings.approvers = '[]' or v_settings.approvers ? auth.uid()::text, v_settings.id is null);
end $$;
ALTER FUNCTION app.purchase_approval(p_company_id uuid, p_total bigint, OUT is_needed boolean, OUT is_approver boolean) OWNER TO app_definer;

CREATE FUNCTION app.read_line_items() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_lines  constant regclass := tg_argv[0]::regclass;
  v_column constant text := tg_argv[1];
  v_kept   constant text[] := coalesce(string_to_array(nullif(tg_argv[3], ''), ','), '{}');
begin
  new.line_items := coalesce(new.line_items, '[]');
  perform app.check_line_items(new.line_items, v_lines);
  -- An id that is another document's line, or that was said before, is replaced by a new one.
  execute format($f$
    with said as (
      select e.n, jsonb_strip_nulls(e.value) - $4 as line, (e.value ->> 'id')::uuid as id,
             row_number() over (partition by (e.value ->> 'id')::uuid order by e.n) as repeated
        from jsonb_array_elements($1) with ordinality e (value, n)
    ), named as (
      select s.n, s.line, (select to_jsonb(l) from %1$s l where l.company_id = $2 and l.%2$I = $3 and l.id = s.id) as found,
             case when s.id is null or s.repeated > 1
                    or exists (select from %1$s l where l.company_id = $2 and l.id = s.id and l.%2$I <> $3)
                  then app.uuid_v7() else s.id end as id
        from said s
    ), typed as (
      select n.n, to_jsonb(jsonb_populate_record(null::%1$s, $5 || n.line
               || coalesce((select jsonb_object_agg(k.key, k.value) from jsonb_each(n.found) k where k.key = any ($4)), '{}')
               || jsonb_build_object('id', n.id, 'position', n.n - 1))) as line
        from named n
    )
    select coalesce(jsonb_agg((t.line || jsonb_build_object('total',
             app.line_total((t.line ->> 'quantity')::numeric, (t.line ->> 'unit_price')::bigint,
                            coalesce((t.line ->> 'discount_amount')::bigint, 0)))) - $6 order by t.n), '[]')
      from typed t $f$, v_lines, v_column)
     into new.line_items
    using new.line_items, new.company_id, new.id, v_kept, app.line_defaults(v_lines, v_column), app.line_shadows(v_column);
  return new;
end $_$;
ALTER FUNCTION app.read_line_items() OWNER TO app_definer;

CREATE FUNCTION app.read_question(p_query text, p_max_results integer, OUT plain text, OUT words text[], OUT keys_1 text[], OUT keys_2 text[], OUT keys_3 text[], OUT keys_4 text[], OUT word_query tsquery, OUT start_query tsquery, OUT phone text, OUT email text, OUT number text, OUT pattern text) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $_$
begin
  if p_max_results is null or p_max_results not between 1 and 100 then
    raise exception using errcode = 'TH422', constraint = 'search_limit_invalid',
      message = 'A search gives 1 to 100 results.';
  end if;
  if length(p_query) > 200 then
    raise exception using errcode = 'TH422', constraint = 'search_query_too_long',
      message = 'A search has at most 200 characters.';
  end if;
  plain := coalesce(app.fold(p_query), '');
  words := coalesce(app.words(p_query), '{}');
  number := upper(btrim(p_query));
  -- In a pattern these three are letters.
  pattern := '%' || replace(replace(replace(plain, '\', '\\'), '%', '\%'), '_', '\_') || '%';
  if p_query ~ '^[\d\s()./+x-]+$' then
    phone := app.phone_key(p_query);
  end if;
  if strpos(p_query, '@') > 0 then
    email := lower(btrim(p_query));
  end if;
  if cardinality(words) > 0 then
    select to_tsquery('pg_catalog.simple', string_agg(quote_literal(w.word), ' & ')),
           to_tsquery('pg_catalog.simple', string_agg(quote_literal(w.word) || ':*', ' & '))
      into word_query, start_query
      from unnest(words) w (word);
  end if;
  keys_1 := app.search_keys(words[1]);
  keys_2 := nullif(app.search_keys(words[2]), '{}');
  keys_3 := nullif(app.search_keys(words[3]), '{}');
  keys_4 := nullif(app.search_keys(words[4]), '{}');
  -- Used by the operators % and <% below, for the rest of this transaction.
  perform set_config('pg_trgm.similarity_threshold', '0.25', true), set_config('pg_trgm.word_similarity_threshold', '0.4', true);
end $_$;
ALTER FUNCTION app.read_question(p_query text, p_max_results integer, OUT plain text, OUT words text[], OUT keys_1 text[], OUT keys_2 text[], OUT keys_3 text[], OUT keys_4 text[], OUT word_query tsquery, OUT start_query tsquery, OUT phone text, OUT email text, OUT number text, OUT pattern text) OWNER TO app_owner;

COMMENT ON FUNCTION app.read_question(p_query text, p_max_results integer, OUT plain text, OUT words text[], OUT keys_1 text[], OUT keys_2 text[], OUT keys_3 text[], OUT keys_4 text[], OUT word_query tsquery, OUT start_query tsquery, OUT phone text, OUT email text, OUT number text, OUT pattern text) IS 'What somebody looks for: its words, their keys, and what it may be as a number or an address.';

CREATE FUNCTION app.rebuild_figures(p_company_id uuid DEFAULT NULL::uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
begin
  perform pg_advisory_xact_lock(hashtextextended('app.refresh_figures', 0));
  with before as (
    insert into app.figure_changes (company_id, scope, subject, month, currency,
                                  customers, jobs, jobs_scheduled, jobs_active, jobs_completed, worked_jobs, worked_seconds,
                                  job_revenue, invoices, revenue, paid, outstanding, collected, reviews, rating_sum)
    select f.company_id, f.scope, f.subject, f.month, f.currency,
           -sum(f.customers), -sum(f.jobs), -sum(f.jobs_scheduled), -sum(f.jobs_active), -sum(f.jobs_completed),
           -sum(f.worked_jobs), -sum(f.worked_seconds), -sum(f.job_revenue), -sum(f.invoices), -sum(f.revenue), -sum(f.paid),
           -sum(f.outstanding), -sum(f.collected), -sum(f.reviews), -sum(f.rating_sum)
      from (select * from app.figures union all select * from app.figure_changes) f
     where p_company_id is null or f.company_id = p_company_id
     group by 1, 2, 3, 4, 5
  ), customers as (
    insert into app.figure_changes (company_id, scope, subject, month, currency, customers)
    select f.company_id, f.scope, f.subject, f.month, f.currency, sum(f.customers)
      from public.customers r cross join lateral app.figures_of_customers(r.company_id, r.currency, r.deleted_at) f
     where p_company_id is null or r.company_id = p_company_id group by 1, 2, 3, 4, 5
  ), jobs as (
    insert into app.figure_changes (company_id, scope, subject, month, currency, jobs, jobs_scheduled, jobs_active,
                                    jobs_completed, worked_jobs, worked_seconds, job_revenue)
    select f.company_id, f.scope, f.subject, f.month, f.currency,
           sum(f.jobs), sum(f.jobs_scheduled), sum(f.jobs_active), sum(f.jobs_completed), sum(f.worked_jobs),
           sum(f.worked_seconds), sum(f.job_revenue)
      from (select r.company_id, r.customer_id, r.assigned_to, r.status, r.currency, r.total_amount, r.actual_start,
                   r.actual_end, r.deleted_at
              from public.jobs r
            union all
            select a.company_id, a.customer_id, a.assigned_to, a.status, a.currency, a.total_amount,
                   (a.job ->> 'actual_start')::timestamptz, (a.job ->> 'actual_end')::timestamptz,
                   (a.job ->> 'deleted_at')::timestamptz
              from public.jobs_archive a) r
     cross join lateral app.figures_of_jobs(r.company_id, r.customer_id, r.assigned_to, r.status, r.currency, r.total_amount,
                                            r.actual_start, r.actual_end, r.deleted_at) f
     where p_company_id is null or r.company_id = p_company_id group by 1, 2, 3, 4, 5
  ), invoices as (
    insert into app.figure_changes (company_id, scope, subject, month, currency, invoices, revenue, paid, outstanding)
    select f.company_id, f.scope, f.subject, f.month, f.currency, sum(f.invoices), sum(f.revenue), sum(f.paid), sum(f.outstanding)
      from public.invoices r
     cross join lateral app.figures_of_invoices(r.company_id, r.customer_id, r.status, r.invoice_number, r.currency,
                                                r.total_amount, r.credited_amount, r.paid_amount, r.balance_amount, r.issued_at,
                                                r.created_at, r.deleted_at) f
     where p_company_id is null or r.company_id = p_company_id group by 1, 2, 3, 4, 5
  ), payments as (
    insert into app.figure_changes (company_id, scope, subject, month, currency, collected)
    select f.company_id, f.scope, f.subject, f.month, f.currency, sum(f.collected)
      from public.payments r
     cross join lateral app.figures_of_payments(r.company_id, r.customer_id, r.status, r.payment_type, r.currency, r.amount,
                                                r.completed_at, r.created_at, r.deleted_at) f
     where p_company_id is null or r.company_id = p_company_id group by 1, 2, 3, 4, 5
  )
  insert into app.figure_changes (company_id, scope, subject, month, currency, reviews, rating_sum)
  select f.company_id, f.scope, f.subject, f.month, f.currency, sum(f.reviews), sum(f.rating_sum)
    from public.customer_reviews r
   cross join lateral app.figures_of_reviews(r.company_id, r.technician_id, r.rating, r.moderation_status, r.deleted_at) f
   where p_company_id is null or r.company_id = p_company_id group by 1, 2, 3, 4, 5;
end $$;
ALTER FUNCTION app.rebuild_figures(p_company_id uuid) OWNER TO app_definer;

COMMENT ON FUNCTION app.rebuild_figures(p_company_id uuid) IS 'Counts the figures of a company, or of all, anew from their rows.';

CREATE FUNCTION app.record_inventory() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_there numeric;
begin
  if tg_op = 'INSERT' then
    if new.quantity_on_hand > 0 then
      insert into public.stock_moves (company_id, inventory_id, location_id, kind, quantity, quantity_before, quantity_after,
                                      reserved_before, reserved_after, unit_cost, reason)
      values (new.company_id, new.id, new.location_id, 'correction', new.quantity_on_hand, 0, new.quantity_on_hand, 0, 0,
        new.cost_per_unit, 'Opening stock');
    end if;
    return null;
  end if;
  v_there := app.stock_at(new.company_id, new.id, old.location_id);
  if v_there > 0 then
    insert into public.stock_moves (company_id, inventory_id, location_id, to_location_id, kind, quantity, quantity_before,
      quantity_after,
                                    reserved_before, reserved_after, reason)
    values (new.company_id, new.id, old.location_id, new.location_id, 'transfer', v_there, new.quantity_on_hand,
      new.quantity_on_hand,
            new.quantity_reserved, new.quantity_reserved, 'The place of the stock was changed');
  end if;
  return null;
end $$;
ALTER FUNCTION app.record_inventory() OWNER TO app_definer;

CREATE FUNCTION app.refresh_effective_permissions() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_changed bigint;
begin
  update public.team_members m
     set effective_permissions = c.computed
    from (select t.company_id, t.id,
                 app.effective_permissions(t.company_id, t.role, t.role_id, t.permissions) as computed
            from public.team_members t) c
   where m.company_id = c.company_id and m.id = c.id and m.effective_permissions is distinct from c.computed;
  get diagnostics v_changed = row_count;
  return v_changed;
end $$;
ALTER FUNCTION app.refresh_effective_permissions() OWNER TO app_owner;

CREATE FUNCTION app.refresh_figures(p_limit integer DEFAULT 100000) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_changes bigint;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('app.refresh_figures', 0)) then
    return 0;
  end if;
  with taken as (
    delete from app.figure_changes c where c.ctid = any (array(select f.ctid from app.figure_changes f limit p_limit)) returning *
  ), summed as (
    -- Of a company that is gone nothing is kept.
    select c.company_id, c.scope, c.subject, c.month, c.currency,
         sum(c.customers), sum(c.jobs), sum(c.jobs_scheduled), sum(c.jobs_active), sum(c.jobs_completed), sum(c.worked_jobs),
         sum(c.worked_seconds), sum(c.job_revenue), sum(c.invoices), sum(c.revenue), sum(c.paid), sum(c.outstanding),
         sum(c.collected), sum(c.reviews), sum(c.rating_sum)
      from taken c where exists (select from public.companies k where k.id = c.company_id)
     group by c.company_id, c.scope, c.subject, c.month, c.currency
  ), folded as (
    insert into app.figures as f select * from summed
    on conflict (company_id, scope, subject, month, currency) do update
     set customers = f.customers + excluded.customers, jobs = f.jobs + excluded.jobs, jobs_scheduled = f.jobs_scheduled +
         excluded.jobs_scheduled, jobs_active = f.jobs_active + excluded.jobs_active, jobs_completed = f.jobs_completed +
         excluded.jobs_completed, worked_jobs = f.worked_jobs + excluded.worked_jobs, worked_seconds = f.worked_seconds +
         excluded.worked_seconds, job_revenue = f.job_revenue + excluded.job_revenue, invoices = f.invoices + excluded.invoices,
         revenue = f.revenue + excluded.revenue, paid = f.paid + excluded.paid, outstanding = f.outstanding +
         excluded.outstanding, collected = f.collected + excluded.collected, reviews = f.reviews + excluded.reviews, rating_sum
         = f.rating_sum + excluded.rating_sum
  )
  select count(*) into v_changes from taken;
  return v_changes;
end $$;
ALTER FUNCTION app.refresh_figures(p_limit integer) OWNER TO app_definer;

COMMENT ON FUNCTION app.refresh_figures(p_limit integer) IS 'Folds so many of the changes of figures at most; returns how many there were. Nothing waits for it, and figures are exact without it.';

CREATE FUNCTION app.refuse_other_parties(p_what text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS $$
begin
  raise exception using errcode = 'TH422', constraint = 'payment_other_party',
    message = format('A %s is of the same customer and in the same currency as what it settles.', p_what);
end $$;
ALTER FUNCTION app.refuse_other_parties(p_what text) OWNER TO app_owner;

CREATE FUNCTION app.refuse_repeated_payment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_noise constant text[] := '{id,payment_number,created_by,created_at,updated_at,version,idempotency_digest}';
  v_first record;
begin
  if current_setting('role', true) = 'authenticated'
     and not app.has_permission('payments:create') and not app.has_permission('payments:create_own') then
    return new; -- Its policy refuses it, and tells nothing of other payments.
  end if;
  new.idempotency_digest := encode(sha256(convert_to((to_jsonb(new) - v_noise)::text, 'UTF8')), 'hex');
  select p.id, p.idempotency_digest into v_first
    from public.payments p where p.company_id = new.company_id and p.idempotency_key = new.idempotency_key;
  if not found then
    return new;
  end if;
  if v_first.idempotency_digest is distinct from new.idempotency_digest then
    raise exception using errcode = 'TH409', constraint = 'idempotency_key_reused',
      message = 'This idempotency_key was used for another payment.', hint = 'Take a new key for a new payment.';
  end if;
  raise exception using errcode = 'TH409', constraint = 'idempotent_repeat', message = 'This payment is there already.',
    detail = jsonb_build_object('company_id', new.company_id, 'id', v_first.id)::text;
end $$;
ALTER FUNCTION app.refuse_repeated_payment() OWNER TO app_definer;

CREATE FUNCTION app.reserve_numbers(p_company_id uuid, p_kind text, p_yearly boolean, p_count integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_last bigint;
begin
  if p_count not between 1 and 1000000 then
    raise exception using errcode = '22023', message = 'a block has 1 to 1000000 numbers';
  end if;
  insert into app.counters as c (company_id, name, value)
  values (p_company_id, p_kind || case when p_yearly then '-' || app.number_year(p_company_id) else '' end, p_count)
  on conflict (company_id, name) do update set value = c.value + p_count
  returning c.value into v_last;
  return v_last - p_count + 1;
end $$;
ALTER FUNCTION app.reserve_numbers(p_company_id uuid, p_kind text, p_yearly boolean, p_count integer) OWNER TO app_owner;

COMMENT ON FUNCTION app.reserve_numbers(p_company_id uuid, p_kind text, p_yearly boolean, p_count integer) IS 'Takes a block of numbers; returns the first of them.';

CREATE FUNCTION app.role_permissions_changed() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if exists (select from changed) then
    perform app.refresh_effective_permissions();
  end if;
  return null;
end $$;
ALTER FUNCTION app.role_permissions_changed() OWNER TO app_owner;

CREATE FUNCTION app.scope_condition(p_table text, p_noun text, p_verb text, p_assigned_column text, p_own_column text, p_crew_column text, p_parent_table text, p_parent_column text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $_$
  select format('(select app.has_permission(%L))', p_noun || ':' || p_verb)
    || coalesce(' or ((select app.has_permission(' || quote_literal(p_noun || ':' || p_verb || '_assigned') || ')) and (' || nullif(concat_ws(' or ',
         case when p_assigned_column is not null then format('%I = (select auth.uid())', p_assigned_column) end,
         case when p_crew_column is not null then format('(select auth.uid()) = any (%I)', p_crew_column) end,
         case when p_parent_table is not null then
           format('exists (select from %1$s parent where parent.company_id = %2$s.company_id and parent.id = %2$s.%3$I)',
                  p_parent_table, p_table, p_parent_column) end), '') || '))', '')
    || case when p_own_column is null then '' else
         format(' or ((select app.has_permission(%L)) and %I = (select auth.uid()))', p_noun || ':' || p_verb || '_own', p_own_column) end
$_$;
ALTER FUNCTION app.scope_condition(p_table text, p_noun text, p_verb text, p_assigned_column text, p_own_column text, p_crew_column text, p_parent_table text, p_parent_column text) OWNER TO app_owner;

CREATE FUNCTION app.seal_audit() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  -- Every transaction below has ended: nothing can come to it any more.
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_below    constant xid8 := pg_snapshot_xmin(v_snapshot);
  v_from     xid8;
  v_again    boolean;
  v_chunk    record;
  v_company  uuid;
  v_number   bigint;
  v_previous bytea;
  v_digest   bytea;
  v_at       constant timestamptz := clock_timestamp();
  v_count    integer := 0;
begin
  select s.below_xid into v_from from app.audit_seal s for no key update;
  -- In a database that was restored elsewhere transactions are counted from low numbers again.
  v_again := v_from > pg_snapshot_xmax(v_snapshot);
  if v_again then
    v_from := '0';
  end if;
  if v_from >= v_below then
    return 0;
  end if;
  for v_chunk in
    select f.company_id, array_agg(f.id order by f.id) as ids, string_agg(f.digest, '' order by f.id) as digests
      from (select a.company_id, a.id, sha256(convert_to(app.audit_words(a), 'UTF8')) as digest,
                   (row_number() over (partition by a.company_id order by a.id) - 1) / 5000 as part
              from public.audit_logs a
             where a.xid >= v_from and a.xid < v_below
               and not (v_again and exists (select from app.audit_batches b where b.company_id = a.company_id and a.id = any (b.row_ids)))) f
     group by f.company_id, f.part order by f.company_id, f.part
  loop
    if v_company is distinct from v_chunk.company_id then
      v_company := v_chunk.company_id;
      select b.number, b.digest into v_number, v_previous
        from app.audit_batches b where b.company_id = v_company order by b.number desc limit 1;
      v_number := coalesce(v_number, 0);
      v_previous := coalesce(v_previous, '');
    end if;
    v_number := v_number + 1;
    v_digest := sha256(convert_to(concat_ws('|', v_company, v_number, v_from, v_below, encode(v_previous, 'hex'),
      (extract(epoch from v_at) * 1000000)::bigint, array_to_string(v_chunk.ids, ',')), 'UTF8') || v_chunk.digests);
    insert into app.audit_batches (company_id, number, first_xid, below_xid, row_count, row_ids, row_digests, previous_digest, digest, sealed_at)
    values (v_company, v_number, v_from, v_below, cardinality(v_chunk.ids), v_chunk.ids, v_chunk.digests, v_previous, v_digest, v_at);
    v_previous := v_digest;
    v_count := v_count + 1;
  end loop;
  update app.audit_seal set below_xid = v_below, sealed_at = v_at;
  return v_count;
end $$;
ALTER FUNCTION app.seal_audit() OWNER TO app_definer;

COMMENT ON FUNCTION app.seal_audit() IS 'Seals the audit rows of all transactions that have ended, a chained batch for each company; returns how many batches.';

CREATE FUNCTION app.search_keys(p_text text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $$
declare
  v_word text;
  v_keys text[] := '{}';
begin
  foreach v_word in array coalesce(app.words(p_text), '{}') loop
    v_word := left(v_word, 24);
    v_keys := v_keys || v_word || ('~' || extensions.dmetaphone(v_word)) || ('~' || extensions.dmetaphone_alt(v_word));
    if length(v_word) >= 3 then
      for i in 1 .. length(v_word) loop
        v_keys := v_keys || (left(v_word, i - 1) || substr(v_word, i + 1));
      end loop;
    end if;
  end loop;
  -- What has no sound is not alike.
  return array_remove(v_keys, '~');
end $$;
ALTER FUNCTION app.search_keys(p_text text) OWNER TO app_owner;

COMMENT ON FUNCTION app.search_keys(p_text text) IS 'The keys under which misspelt words are found.';

CREATE FUNCTION app.settle_invoice(p_company_id uuid, p_invoice_id uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_invoice  public.invoices;
  v_paid     bigint;
  v_credited bigint;
  v_count    bigint;
begin
  select * into v_invoice from public.invoices i where i.company_id = p_company_id and i.id = p_invoice_id for no key update;
  -- With the lock: what was committed while waiting is counted.
  select coalesce(sum(case p.payment_type when 'refund' then -p.amount else p.amount end), 0) into v_paid
    from public.payments p
   where p.company_id = p_company_id and p.invoice_id = p_invoice_id and app.is_settled(p.status) and p.deleted_at is null;
  select v_paid + coalesce(sum(a.amount_applied), 0) into v_paid
    from public.payment_allocations a where a.company_id = p_company_id and a.invoice_id = p_invoice_id;
  select coalesce(sum(c.amount), 0) into v_credited
    from public.credit_notes c where c.company_id = p_company_id and c.invoice_id = p_invoice_id;
  if v_paid + v_credited > v_invoice.paid_amount + v_invoice.credited_amount then
    if not app.is_issued(v_invoice.status) or v_invoice.deleted_at is not null then
      raise exception using errcode = 'TH422', constraint = 'invoice_not_payable',
        message = format('An invoice that is %s cannot be paid.',
                         case when v_invoice.deleted_at is null then v_invoice.status else 'deleted' end),
        hint = 'A draft is issued first.';
    elsif v_paid + v_credited > v_invoice.total_amount then
      raise exception using errcode = 'TH422', constraint = 'invoice_overpaid',
        message = format('Of this invoice %s is left to pay.', v_invoice.balance_amount),
        detail = jsonb_build_object('balance_amount', v_invoice.balance_amount)::text;
    end if;
  end if;
  update public.invoices i
     set paid_amount = v_paid, credited_amount = v_credited,
         status = case when not app.is_issued(i.status) then i.status
                       when v_paid + v_credited = i.total_amount then 'paid'
                       when v_paid > 0 then 'partial'
                       when i.status in ('partial', 'paid') then case when i.viewed_at is null then 'sent' else 'viewed' end
                       else i.status end
   where i.company_id = p_company_id and i.id = p_invoice_id;
  get diagnostics v_count = row_count;
  if v_count <> 1 then
    raise exception 'invoice % was not settled', p_invoice_id;
  end if;
end $$;
ALTER FUNCTION app.settle_invoice(p_company_id uuid, p_invoice_id uuid) OWNER TO app_owner;

COMMENT ON FUNCTION app.settle_invoice(p_company_id uuid, p_invoice_id uuid) IS 'Computes what is paid of an invoice, and moves its status.';

CREATE FUNCTION app.settle_price_book(p_company_id uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_levels_max constant integer := 20;
  v_found      record;
begin
  perform app.lock_price_book(p_company_id, true);
  with recursive tree (id, path, level) as (
    select c.id, replace(c.slug, '-', '_')::extensions.ltree, 0
      from public.price_book_categories c where c.company_id = p_company_id and c.parent_id is null
    union all
    select c.id, t.path operator(extensions.||) replace(c.slug, '-', '_')::extensions.ltree, t.level + 1
      from tree t join public.price_book_categories c on c.company_id = p_company_id and c.parent_id = t.id
     where t.level < v_levels_max
  ), placed as (
    update public.price_book_categories c set path = t.path, level = t.level
      from tree t
     where c.company_id = p_company_id and c.id = t.id and (c.level <> t.level or c.path operator(extensions.<>) t.path)
  )
  select count(*) as reached, max(t.level) as deepest,
         (select count(*) from public.price_book_categories c where c.company_id = p_company_id) as known
    into v_found from tree t;
  -- Behind the deepest level the walk ends, so this comes first.
  if v_found.deepest >= v_levels_max then
    raise exception using errcode = 'TH422', constraint = 'category_too_deep',
      message = format('The tree of categories has at most %s levels.', v_levels_max);
  end if;
  if v_found.reached <> v_found.known then
    raise exception using errcode = 'TH422', constraint = 'category_cycle',
      message = 'A category cannot stand below itself.', hint = 'Choose a parent that is not one of its own subcategories.';
  end if;
  update public.price_book_categories c
     set descendant_item_count = t.total
    from (select a.id, sum(d.item_count) as total
            from public.price_book_categories a
            join public.price_book_categories d on d.company_id = a.company_id and a.path operator(extensions.@>) d.path
           where a.company_id = p_company_id group by a.id) t
   where c.company_id = p_company_id and c.id = t.id and c.descendant_item_count <> t.total;
end $$;
ALTER FUNCTION app.settle_price_book(p_company_id uuid) OWNER TO app_owner;

CREATE FUNCTION app.shape_phones() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
declare
  v_row     constant jsonb := to_jsonb(new);
  v_changes jsonb := '{}';
  v_column  text;
  v_phone   text;
begin
  foreach v_column in array tg_argv loop
    continue when btrim(v_row ->> v_column) ~ '^[+][1-9][0-9]{6,14}$' and v_row ->> v_column = btrim(v_row ->> v_column);
    if coalesce(btrim(v_row ->> v_column), '') = '' then
      v_phone := null;
    else
      v_phone := app.e164(v_row ->> v_column, coalesce(v_row ->> 'country', 'USA'));
      if v_phone is null then
        raise exception using errcode = 'TH422', constraint = 'phone_invalid', column = v_column,
          message = format('%s is no telephone number.', v_column),
          hint = 'Write it as +15550100123: plus, country, number. Numbers of the USA and Canada need no country.';
      end if;
    end if;
    if v_phone is distinct from v_row ->> v_column then
      v_changes := v_changes || jsonb_build_object(v_column, v_phone);
    end if;
  end loop;
  if v_changes = '{}' then
    return new;
  end if;
  return jsonb_populate_record(new, v_changes);
end $_$;
ALTER FUNCTION app.shape_phones() OWNER TO app_owner;

COMMENT ON FUNCTION app.shape_phones() IS 'Before insert or update: telephone numbers as E.164; what is none is refused.';

CREATE FUNCTION app.slug_of(p_name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN btrim("left"(btrim(regexp_replace(lower(p_name), '[^a-z0-9]+'::text, '-'::text, 'g'::text), '-'::text), 50), '-'::text);
ALTER FUNCTION app.slug_of(p_name text) OWNER TO app_owner;

CREATE FUNCTION app.slug_of(p_name text, p_length integer) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN btrim("left"(btrim(regexp_replace(lower(p_name), '[^a-z0-9]+'::text, '-'::text, 'g'::text), '-'::text), p_length), '-'::text);
ALTER FUNCTION app.slug_of(p_name text, p_length integer) OWNER TO app_owner;

CREATE FUNCTION app.stamp_approval() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if tg_argv[0] = 'time_entries' then
    if new.is_approved and new.clock_out is null then
      raise exception using errcode = 'TH422', constraint = 'time_entry_open', message = 'Hours that have no end cannot be approved.';
    end if;
    new.approved_at := case when new.is_approved then coalesce(new.approved_at, now()) end;
    new.approved_by := case when new.is_approved then coalesce(new.approved_by, auth.uid()) end;
    new.hourly_cost := coalesce(new.hourly_cost, (select m.hourly_cost from public.team_members m
                                                   where m.company_id = new.company_id and m.user_id = new.user_id));
  elsif new.status in ('approved', 'rejected') then
    new.decided_at := coalesce(new.decided_at, now());
    new.decided_by := coalesce(new.decided_by, auth.uid());
  else
    new.decided_at := null;
    new.decided_by := null;
  end if;
  return new;
end $$;
ALTER FUNCTION app.stamp_approval() OWNER TO app_owner;

CREATE FUNCTION app.stock_at(p_company_id uuid, p_inventory_id uuid, p_location_id uuid) RETURNS numeric
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
  select coalesce(sum(case when m.kind = 'transfer' and m.to_location_id is not distinct from p_location_id then abs(m.quantity)
                           when m.kind = 'transfer' then -abs(m.quantity)
                           else m.quantity end), 0)
    from public.stock_moves m
   where m.company_id = p_company_id and m.inventory_id = p_inventory_id and m.kind not in ('reserve', 'release')
     and (m.location_id is not distinct from p_location_id or m.kind = 'transfer'
       and m.to_location_id is not distinct from p_location_id);
$$;
ALTER FUNCTION app.stock_at(p_company_id uuid, p_inventory_id uuid, p_location_id uuid) OWNER TO app_owner;

CREATE FUNCTION app.stock_company(p_permission text) RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
begin
  if app.company_id() is null then
    raise exception using errcode = 'TH403', constraint = 'company_required', message = 'Say which company it is about.';
  end if;
  if auth.role() is distinct from 'service_role' and not app.has_permission(p_permission) then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = format('You need the permission %s.', p_permission);
  end if;
  return app.company_id();
end $$;
ALTER FUNCTION app.stock_company(p_permission text) OWNER TO app_owner;

CREATE FUNCTION app.stock_receipts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_order record;
  v_line  record;
  v_move  public.stock_moves;
begin
  for v_order in
    select o.status from public.purchase_orders o
     where (o.company_id, o.id) in (select b.company_id, b.purchase_order_id
                                      from became b join was w on w.company_id = b.company_id and w.id = b.id
                                     where b.quantity_received <> w.quantity_received)
     order by o.company_id, o.id for no key update
  loop
    if v_order.status not in ('ordered', 'partially_received') then
      raise exception using errcode = 'TH422', constraint = 'purchase_order_not_ordered',
        message = format('Of a purchase order that is %s nothing is received.', replace(v_order.status, '_', ' ')),
        hint = 'Order it first.';
    end if;
  end loop;
  for v_line in
    select i.company_id, i.id as inventory_id, b.purchase_order_id, b.unit_price,
      b.quantity_received - w.quantity_received as came
      from became b
      join was w on w.company_id = b.company_id and w.id = b.id
      join public.inventory i on i.company_id = b.company_id and i.price_book_item_id = b.price_book_item_id
        and i.deleted_at is null
     where b.quantity_received <> w.quantity_received
     order by i.company_id, i.id, b.id
  loop
    v_move.inventory_id := v_line.inventory_id;
    v_move.kind := case when v_line.came > 0 then 'restock' else 'correction' end;
    v_move.purchase_order_id := v_line.purchase_order_id;
    v_move.unit_cost := v_line.unit_price;
    v_move.reason := case when v_line.came > 0 then 'Received' else 'Receipt corrected' end;
    perform app.move_stock(v_line.company_id, v_move, v_line.came, 0);
  end loop;
  return null;
end $$;
ALTER FUNCTION app.stock_receipts() OWNER TO app_definer;

CREATE TABLE app.figures (
    company_id uuid NOT NULL,
    scope text NOT NULL,
    subject uuid NOT NULL,
    month date NOT NULL,
    currency text NOT NULL,
    customers bigint DEFAULT 0 NOT NULL,
    jobs bigint DEFAULT 0 NOT NULL,
    jobs_scheduled bigint DEFAULT 0 NOT NULL,
    jobs_active bigint DEFAULT 0 NOT NULL,
    jobs_completed bigint DEFAULT 0 NOT NULL,
    worked_jobs bigint DEFAULT 0 NOT NULL,
    worked_seconds bigint DEFAULT 0 NOT NULL,
    job_revenue bigint DEFAULT 0 NOT NULL,
    invoices bigint DEFAULT 0 NOT NULL,
    revenue bigint DEFAULT 0 NOT NULL,
    paid bigint DEFAULT 0 NOT NULL,
    outstanding bigint DEFAULT 0 NOT NULL,
    collected bigint DEFAULT 0 NOT NULL,
    reviews bigint DEFAULT 0 NOT NULL,
    rating_sum bigint DEFAULT 0 NOT NULL,
    CONSTRAINT figures_scope_check CHECK ((scope = ANY (ARRAY['company'::text, 'customer'::text, 'technician'::text, 'month'::text])))
);
ALTER TABLE ONLY app.figures FORCE ROW LEVEL SECURITY;
ALTER TABLE app.figures OWNER TO app_owner;

COMMENT ON TABLE app.figures IS 'Sums as they were folded last. With what stands in app.figure_changes they are exact.';

CREATE FUNCTION app.sums(p_company_id uuid, p_scope text) RETURNS SETOF app.figures
    LANGUAGE sql STABLE
    AS $$
  select f.company_id, f.scope, f.subject, f.month, f.currency,
         sum(f.customers)::bigint, sum(f.jobs)::bigint, sum(f.jobs_scheduled)::bigint, sum(f.jobs_active)::bigint,
         sum(f.jobs_completed)::bigint, sum(f.worked_jobs)::bigint, sum(f.worked_seconds)::bigint, sum(f.job_revenue)::bigint,
         sum(f.invoices)::bigint, sum(f.revenue)::bigint, sum(f.paid)::bigint, sum(f.outstanding)::bigint,
         sum(f.collected)::bigint, sum(f.reviews)::bigint, sum(f.rating_sum)::bigint
    from (select k.* from app.figures k
           where k.company_id = p_company_id and k.scope = p_scope
          union all
          select c.* from app.figure_changes c
           where c.company_id = p_company_id and c.scope = p_scope) f
   group by f.company_id, f.scope, f.subject, f.month, f.currency
$$;
ALTER FUNCTION app.sums(p_company_id uuid, p_scope text) OWNER TO app_owner;

CREATE FUNCTION app.sums_of(p_company_id uuid, p_scope text, p_subject uuid) RETURNS SETOF app.figures
    LANGUAGE sql STABLE
    AS $$
  select f.company_id, f.scope, f.subject, f.month, f.currency,
         sum(f.customers)::bigint, sum(f.jobs)::bigint, sum(f.jobs_scheduled)::bigint, sum(f.jobs_active)::bigint,
         sum(f.jobs_completed)::bigint, sum(f.worked_jobs)::bigint, sum(f.worked_seconds)::bigint, sum(f.job_revenue)::bigint,
         sum(f.invoices)::bigint, sum(f.revenue)::bigint, sum(f.paid)::bigint, sum(f.outstanding)::bigint,
         sum(f.collected)::bigint, sum(f.reviews)::bigint, sum(f.rating_sum)::bigint
    from (select k.* from app.figures k
           where k.company_id = p_company_id and k.scope = p_scope and k.subject = p_subject
          union all
          select c.* from app.figure_changes c
           where c.company_id = p_company_id and c.scope = p_scope and c.subject = p_subject) f
   group by f.company_id, f.scope, f.subject, f.month, f.currency
$$;
ALTER FUNCTION app.sums_of(p_company_id uuid, p_scope text, p_subject uuid) OWNER TO app_owner;

CREATE FUNCTION app.sync_line_items() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_header constant regclass := tg_argv[0]::regclass;
  v_row    record;
  v_now    jsonb;
  v_lines  jsonb;
  v_count  bigint;
begin
  -- In one order, so that two statements over the same documents wait and do not block each other.
  for v_row in execute format('select distinct r.company_id, r.%I as id from %s r order by 1, 2', tg_argv[2],
                              case tg_op when 'INSERT' then 'made' when 'DELETE' then 'gone'
                                   else '(select * from made union all select * from gone)' end)
  loop
    -- FOR UPDATE would be a deadlock with the lock that the lines' foreign key holds.
    execute format('select h.line_items from %s h where h.company_id = $1 and h.id = $2 for no key update', v_header)
       into v_now using v_row.company_id, v_row.id;
    if v_now is null and tg_op = 'DELETE' then
      continue; -- The document itself goes, and its lines with it.
    end if;
    -- Only now, with the lock: what was committed while waiting is seen.
    v_lines := app.lines_of(tg_argv[1]::regclass, tg_argv[2], v_row.company_id, v_row.id);
    if v_now is distinct from v_lines then
      execute format('update %s h set line_items = $3 where h.company_id = $1 and h.id = $2', v_header)
        using v_row.company_id, v_row.id, v_lines;
      get diagnostics v_count = row_count;
      if v_count <> 1 then
        raise exception 'the lines of % % belong to % documents', v_header, v_row.id, v_count;
      end if;
    end if;
  end loop;
  return null;
end $_$;
ALTER FUNCTION app.sync_line_items() OWNER TO app_definer;

CREATE FUNCTION app.sync_member_name() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  update public.team_members set name = new.name, email = new.email where user_id = new.id;
  return null;
end $$;
ALTER FUNCTION app.sync_member_name() OWNER TO app_definer;

CREATE FUNCTION app.sync_user() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_name text := nullif(btrim(coalesce(new.raw_user_meta_data ->> 'name', new.raw_user_meta_data ->> 'full_name')), '');
begin
  insert into public.users as u (id, name, email, avatar, phone, email_verified, is_active, last_login_at)
  values (new.id,
          left(coalesce(v_name, nullif(btrim(new.email), ''), new.phone, 'Guest'), 200),
          coalesce(btrim(new.email), ''),
          left(nullif(new.raw_user_meta_data ->> 'avatar_url', ''), 2048),
          new.phone,
          new.email_confirmed_at is not null,
          new.deleted_at is null,
          new.last_sign_in_at)
  on conflict (id) do update
     set email = excluded.email,
         email_verified = excluded.email_verified,
         is_active = excluded.is_active,
         last_login_at = excluded.last_login_at,
         -- A name that the person changed in his profile stays until he changes the account's.
         name = case when tg_op = 'UPDATE' and v_name is not null
                      and old.raw_user_meta_data is distinct from new.raw_user_meta_data
                     then excluded.name else u.name end;
  return null;
end $$;
ALTER FUNCTION app.sync_user() OWNER TO app_definer;

CREATE FUNCTION app.team_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_company_id uuid := coalesce(new.company_id, old.company_id);
  v_job_id     uuid := coalesce(new.job_id, old.job_id);
  v_job        record;
begin
  -- The statements below fire this trigger again for rows that they demote.
  if pg_trigger_depth() > 1 then
    return null;
  end if;
  select j.assigned_to into v_job from public.jobs j where j.company_id = v_company_id and j.id = v_job_id for no key update;
  if not found then
    return null;
  end if;
  if tg_op <> 'DELETE' and new.role = 'primary' and new.removed_at is null and new.user_id is distinct from v_job.assigned_to then
    update public.jobs j set assigned_to = new.user_id where j.company_id = v_company_id and j.id = v_job_id;
    -- Whoever led the job so far stays on it.
    if v_job.assigned_to is not null then
      insert into public.job_team_assignments (company_id, job_id, user_id, role) values (v_company_id, v_job_id, v_job.assigned_to, 'crew')
      on conflict (company_id, job_id, user_id) where removed_at is null do nothing;
    end if;
  elsif tg_op <> 'INSERT' and old.role = 'primary' and old.removed_at is null and old.user_id = v_job.assigned_to
        and (tg_op = 'DELETE' or new.removed_at is not null or new.role <> 'primary') then
    update public.jobs j set assigned_to = null where j.company_id = v_company_id and j.id = v_job_id;
  end if;
  perform app.copy_crew(v_company_id, v_job_id);
  return null;
end $$;
ALTER FUNCTION app.team_changed() OWNER TO app_definer;

CREATE FUNCTION app.tell(p_row jsonb, p_entity text, p_type text, p_action text, p_job_id uuid, p_field text DEFAULT NULL::text, p_old text DEFAULT NULL::text, p_new text DEFAULT NULL::text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS $$
  insert into public.activities (company_id, entity_type, entity_id, activity_type, action, category, actor_id, actor_type, actor_name,
                                 field_name, old_value, new_value, job_id, is_important, is_system_generated)
  select (p_row ->> 'company_id')::uuid, p_entity, (p_row ->> 'id')::uuid, p_type, left(p_action, 500),
         case when auth.uid() is null then 'system' else 'user' end, auth.uid(), case when auth.uid() is null then 'system' else 'user' end,
         (select m.name from public.team_members m where m.company_id = (p_row ->> 'company_id')::uuid and m.user_id = auth.uid()),
         p_field, p_old, p_new,
         -- A job that is just going is gone before its last word is written.
         (select j.id from public.jobs j where j.company_id = (p_row ->> 'company_id')::uuid and j.id = p_job_id),
         p_type in ('status_change', 'assignment_change', 'deleted'), auth.uid() is null
$$;
ALTER FUNCTION app.tell(p_row jsonb, p_entity text, p_type text, p_action text, p_job_id uuid, p_field text, p_old text, p_new text) OWNER TO app_definer;

CREATE FUNCTION app.total_estimate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_option uuid := new.selected_option_id;
  v record;
begin
  if v_option is null then
    -- Nothing is chosen yet: what is recommended is shown, else the first.
    select o.id into v_option from public.estimate_options o
     where o.company_id = new.company_id and o.estimate_id = new.id
     order by o.is_recommended desc, o.position, o.id limit 1;
  end if;
  select * into v from app.document_totals(app.lines_of_option(new.line_items, v_option), new.discount_amount, new.tax_rate);
  perform app.check_figures('estimate', to_jsonb(new), case when tg_op = 'UPDATE' then to_jsonb(old) end,
    jsonb_build_object('subtotal', v.subtotal, 'taxable_subtotal', v.taxable_subtotal, 'tax_amount', v.tax_amount,
                       'total_amount', v.total_amount));
  new.subtotal := v.subtotal;
  new.taxable_subtotal := v.taxable_subtotal;
  new.tax_amount := v.tax_amount;
  new.total_amount := v.total_amount;
  return new;
end $$;
ALTER FUNCTION app.total_estimate() OWNER TO app_definer;

CREATE FUNCTION app.total_invoice() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v record;
begin
  select * into v from app.document_totals(new.line_items, new.discount_amount, new.tax_rate);
  perform app.check_figures('invoice', to_jsonb(new), case when tg_op = 'UPDATE' then to_jsonb(old) end,
    jsonb_build_object('subtotal', v.subtotal, 'taxable_subtotal', v.taxable_subtotal, 'tax_amount', v.tax_amount,
                       'total_amount', v.total_amount, 'balance_amount', v.total_amount - new.paid_amount - new.credited_amount));
  new.subtotal := v.subtotal;
  new.taxable_subtotal := v.taxable_subtotal;
  new.tax_amount := v.tax_amount;
  new.total_amount := v.total_amount;
  new.balance_amount := v.total_amount - new.paid_amount - new.credited_amount;
  return new;
end $$;
ALTER FUNCTION app.total_invoice() OWNER TO app_owner;

CREATE FUNCTION app.total_option() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v record;
begin
  select e.currency, t.* into v
    from public.estimates e
   cross join lateral app.document_totals(app.lines_of_option(e.line_items, new.id), e.discount_amount, e.tax_rate) t
   where e.company_id = new.company_id and e.id = new.estimate_id;
  if not found then
    return new; -- Its key refuses it.
  end if;
  perform app.check_figures('estimate_option', to_jsonb(new), case when tg_op = 'UPDATE' then to_jsonb(old) end,
    jsonb_build_object('subtotal', v.subtotal, 'taxable_subtotal', v.taxable_subtotal, 'discount_amount', v.discount,
                       'tax_amount', v.tax_amount, 'total_amount', v.total_amount));
  new.currency := v.currency;
  new.subtotal := v.subtotal;
  new.taxable_subtotal := v.taxable_subtotal;
  new.discount_amount := v.discount;
  new.tax_amount := v.tax_amount;
  new.total_amount := v.total_amount;
  return new;
end $$;
ALTER FUNCTION app.total_option() OWNER TO app_definer;

CREATE FUNCTION app.total_options() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  -- Who edits an option holds it and waits for the estimate, which is held here.
  begin
    perform from public.estimate_options o
      where o.company_id = new.company_id and o.estimate_id = new.id for no key update nowait;
  exception when lock_not_available then
    raise exception using errcode = 'TH409', constraint = 'line_items_busy',
      message = 'Somebody is changing one of the options at this moment.', hint = 'Read the document and try again.';
  end;
  update public.estimate_options o
     set currency = new.currency, subtotal = t.subtotal, taxable_subtotal = t.taxable_subtotal, discount_amount = t.discount,
         tax_amount = t.tax_amount, total_amount = t.total_amount
    from public.estimate_options s
   cross join lateral app.document_totals(app.lines_of_option(new.line_items, s.id), new.discount_amount, new.tax_rate) t
   where s.company_id = new.company_id and s.estimate_id = new.id and o.company_id = s.company_id and o.id = s.id
     and (o.currency, o.subtotal, o.taxable_subtotal, o.discount_amount, o.tax_amount, o.total_amount)
           is distinct from (new.currency, t.subtotal, t.taxable_subtotal, t.discount, t.tax_amount, t.total_amount);
  return null;
end $$;
ALTER FUNCTION app.total_options() OWNER TO app_definer;

CREATE FUNCTION app.touch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  -- Figures that a trigger computes are no edit: whoever edits the row at the same time keeps his version.
  if current_user = 'app_definer' and pg_trigger_depth() > 1 then
    return new;
  end if;
  -- Whoever sends a version says which one he saw: the one he found, or the next.
  if new.version is distinct from old.version and new.version is distinct from old.version + 1 then
    raise exception using errcode = 'TH409', constraint = 'version_conflict',
      message = 'Somebody else changed this row in the meantime.',
      detail = jsonb_build_object('version', old.version)::text,
      hint = 'Read it again. A change may say the version that follows the one it read.';
  end if;
  new.updated_at := now();
  new.version := old.version + 1;
  if current_user = 'authenticated' then
    new.created_at := old.created_at;
  end if;
  return new;
end $$;
ALTER FUNCTION app.touch() OWNER TO app_owner;

COMMENT ON FUNCTION app.touch() IS 'Before each update: updated_at, version + 1; a version that is neither the present nor the next one is refused; a member cannot change created_at.';

CREATE FUNCTION app.unaudited_tables() RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN ARRAY['public.audit_logs'::text, 'public.activities'::text, 'public.email_logs'::text, 'public.webhook_logs'::text, 'public.role_change_log'::text, 'public.ownership_transfers'::text, 'public.price_history'::text, 'public.stock_moves'::text, 'public.jobs_archive'::text, 'public.bookings'::text, 'public.technician_positions'::text, 'public.background_jobs'::text];
ALTER FUNCTION app.unaudited_tables() OWNER TO app_owner;

CREATE FUNCTION app.weigh(p_names text, p_numbers text, p_places text, p_notes text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (((setweight(to_tsvector('simple'::regconfig, app.fold(COALESCE(p_names, ''::text))), 'A'::"char") || setweight(to_tsvector('simple'::regconfig, app.fold(COALESCE(p_numbers, ''::text))), 'B'::"char")) || setweight(to_tsvector('simple'::regconfig, app.fold(COALESCE(p_places, ''::text))), 'C'::"char")) || setweight(to_tsvector('simple'::regconfig, app.fold("left"(COALESCE(p_notes, ''::text), 20000))), 'D'::"char"));
ALTER FUNCTION app.weigh(p_names text, p_numbers text, p_places text, p_notes text) OWNER TO app_owner;

COMMENT ON FUNCTION app.weigh(p_names text, p_numbers text, p_places text, p_notes text) IS 'The words of a row by their weight: names, numbers, places, notes.';

CREATE FUNCTION app.weigh_contracts() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.contract_number, new.title),
    concat_ws(' ', new.signer_name, new.signer_email, new.signer_company),
    null,
    concat_ws(' ', new.description, new.notes));
  return new;
end $$;
ALTER FUNCTION app.weigh_contracts() OWNER TO app_owner;

CREATE FUNCTION app.weigh_customers() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.first_name, new.last_name, new.company_name),
    concat_ws(' ', new.email, new.billing_email, app.phone_words(new.phone), app.phone_words(new.secondary_phone)),
    concat_ws(' ', new.address, new.address2, new.city, new.state, new.zip_code),
    concat_ws(' ', new.notes, new.internal_notes));
  return new;
end $$;
ALTER FUNCTION app.weigh_customers() OWNER TO app_owner;

CREATE FUNCTION app.weigh_equipment() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.name, new.equipment_number, new.manufacturer, new.model),
    concat_ws(' ', new.serial_number, new.tool_serial, new.vehicle_vin, new.vehicle_license_plate),
    new.location,
    concat_ws(' ', new.notes, new.customer_notes));
  return new;
end $$;
ALTER FUNCTION app.weigh_equipment() OWNER TO app_owner;

CREATE FUNCTION app.weigh_estimates() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.estimate_number, new.title),
    null,
    null,
    concat_ws(' ', new.description, new.notes));
  return new;
end $$;
ALTER FUNCTION app.weigh_estimates() OWNER TO app_owner;

CREATE FUNCTION app.weigh_invoices() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.invoice_number, new.draft_number, new.title),
    null,
    null,
    concat_ws(' ', new.description, new.notes));
  return new;
end $$;
ALTER FUNCTION app.weigh_invoices() OWNER TO app_owner;

CREATE FUNCTION app.weigh_jobs() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.search_vector := app.weigh(
    concat_ws(' ', new.job_number, new.title),
    new.service_type,
    null,
    concat_ws(' ', new.description, new.notes));
  return new;
end $$;
ALTER FUNCTION app.weigh_jobs() OWNER TO app_owner;

CREATE FUNCTION app.weigh_price_book_items() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.search_vector := app.weigh(
    new.name,
    concat_ws(' ', new.sku, new.supplier_sku),
    concat_ws(' ', new.category, new.subcategory),
    concat_ws(' ', new.description, new.notes));
  return new;
end $$;
ALTER FUNCTION app.weigh_price_book_items() OWNER TO app_owner;

CREATE FUNCTION app.weigh_properties() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.search_vector := app.weigh(
    new.name,
    null,
    concat_ws(' ', new.address, new.address2, new.city, new.state, new.zip_code),
    new.notes);
  return new;
end $$;
ALTER FUNCTION app.weigh_properties() OWNER TO app_owner;

CREATE FUNCTION app.word_likeness(p_asked text, p_word text) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
declare
  v_asked constant text := left(p_asked, 40);
  v_word  constant text := left(p_word, 40);
  v_likeness double precision;
begin
  if v_asked = v_word then
    return 1;
  elsif v_asked = '' or v_word = '' then
    return 0;
  end if;
  v_likeness := 1 - app.edits_between(v_asked, v_word)::double precision / greatest(length(v_asked), length(v_word));
  if starts_with(v_word, v_asked) then
    return greatest(v_likeness, 0.8 + 0.2 * length(v_asked) / length(v_word));
  end if;
  if v_likeness < 0.9 and extensions.dmetaphone(v_asked) <> ''
     and array[extensions.dmetaphone(v_asked), extensions.dmetaphone_alt(v_asked)]
           operator(pg_catalog.&&) array[extensions.dmetaphone(v_word), extensions.dmetaphone_alt(v_word)] then
    v_likeness := greatest(v_likeness, 0.7 + 0.2 * v_likeness);
  end if;
  return v_likeness;
end $$;
ALTER FUNCTION app.word_likeness(p_asked text, p_word text) OWNER TO app_owner;

CREATE FUNCTION app.words(p_text text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (array_remove(string_to_array(app.fold(p_text), ' '::text), ''::text))[1:8];
ALTER FUNCTION app.words(p_text text) OWNER TO app_owner;

COMMENT ON FUNCTION app.words(p_text text) IS 'The first eight words of a text.';

CREATE FUNCTION app.words_of_money(p_minor text, p_currency text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN (COALESCE((p_currency || ' '::text), ''::text) || to_char(((COALESCE(p_minor, '0'::text))::numeric / (100)::numeric), 'FM999,999,999,990.00'::text));
ALTER FUNCTION app.words_of_money(p_minor text, p_currency text) OWNER TO app_owner;

CREATE FUNCTION app.words_of_time(p_at timestamp with time zone, p_zone text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN to_char((p_at AT TIME ZONE COALESCE(p_zone, 'UTC'::text)), 'Dy DD Mon YYYY, HH24:MI'::text);
ALTER FUNCTION app.words_of_time(p_at timestamp with time zone, p_zone text) OWNER TO app_owner;

CREATE FUNCTION app.write_line_items() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_lines  constant regclass := tg_argv[0]::regclass;
  v_column constant text := tg_argv[1];
  v_noun   constant text := tg_argv[2];
  v_before constant jsonb := case when tg_op = 'UPDATE' then old.line_items else '[]' end;
  v_change record;
  v_list   text;
  v_kept   integer;
begin
  select count(*) filter (where a.line is null) as removed, count(*) filter (where b.line is null) as added,
         count(*) filter (where a.line <> b.line) as changed into v_change
    from (select e.value as line from jsonb_array_elements(v_before) e) b
    full join (select e.value as line from jsonb_array_elements(new.line_items) e) a on a.line ->> 'id' = b.line ->> 'id';
  if v_change.added > 0 then perform app.check_line_permission(v_noun, 'create'); end if;
  if v_change.changed > 0 then perform app.check_line_permission(v_noun, 'update'); end if;
  if v_change.removed > 0 then perform app.check_line_permission(v_noun, 'delete'); end if;
  -- Who edits a single line holds it and waits for the header, which is held here: waiting for him would be a deadlock.
  begin
    execute format('select 1 from %s l where l.company_id = $1 and l.%I = $2 for no key update nowait', v_lines, v_column)
      using new.company_id, new.id;
  exception when lock_not_available then
    raise exception using errcode = 'TH409', constraint = 'line_items_busy',
      message = 'Somebody is changing one of the lines at this moment.', hint = 'Read the document and try again.';
  end;
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into v_list
    from pg_catalog.pg_attribute a
   where a.attrelid = v_lines and a.attnum > 0 and not a.attisdropped
     and a.attname <> all (app.line_shadows(v_column) || '{id}'::text[]);
  -- One statement, so that the triggers of the rows see them only when they are complete.
  execute format($f$
    with wanted as (select w.* from jsonb_populate_recordset(null::%1$s, $3) w),
    removed as (
      delete from %1$s l
       where l.company_id = $1 and l.%2$I = $2 and not exists (select from wanted w where w.id = l.id)
    )
    insert into %1$s as l (company_id, %2$I, id, %3$s)
    select $1, $2, w.id, %4$s from wanted w
    on conflict (company_id, id) do update
       set (%3$s, version, updated_at) = row(%5$s, l.version + 1, now())
     where l.%2$I = $2 and (%6$s) is distinct from (%5$s) $f$,
    v_lines, v_column, v_list, 'w.' || replace(v_list, ', ', ', w.'), 'excluded.' || replace(v_list, ', ', ', excluded.'),
    'l.' || replace(v_list, ', ', ', l.')) using new.company_id, new.id, new.line_items;
  execute format('select count(*) from %s l where l.company_id = $1 and l.%I = $2', v_lines, v_column)
     into v_kept using new.company_id, new.id;
  if v_kept <> jsonb_array_length(new.line_items) then
    raise exception using errcode = 'TH409', constraint = 'line_items_busy',
      message = 'An id of these lines was given to another document at this moment.', hint = 'Read the document and try again.';
  end if;
  return null;
end $_$;
ALTER FUNCTION app.write_line_items() OWNER TO app_definer;

CREATE FUNCTION auth.email() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'email'::text);
ALTER FUNCTION auth.email() OWNER TO app_owner;

CREATE FUNCTION auth.get_user_company_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN app.company_id();
ALTER FUNCTION auth.get_user_company_id() OWNER TO app_owner;

CREATE FUNCTION auth.jwt() RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb;
ALTER FUNCTION auth.jwt() OWNER TO app_owner;

CREATE FUNCTION auth.role() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE(NULLIF(current_setting('role'::text, true), 'none'::text), ((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'role'::text));
ALTER FUNCTION auth.role() OWNER TO app_owner;

CREATE FUNCTION public.accept_invitation(token text) RETURNS public.team_members
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_user   uuid := app.caller();
  v_row    public.invitations;
  v_member public.team_members;
begin
  select * into v_row from public.invitations i
   where i.token_hash = encode(sha256(convert_to(coalesce(accept_invitation.token, ''), 'UTF8')), 'hex')
   for no key update;
  if not found or v_row.used_at is not null or v_row.expires_at <= now() then
    raise exception using errcode = 'TH404', constraint = 'invitation_not_found',
      message = 'This invitation does not exist, was used or is over.';
  end if;
  if not exists (select from auth.users u where u.id = v_user and u.email_key = v_row.email_key
                    and u.email_confirmed_at is not null) then
    raise exception using errcode = 'TH403', constraint = 'invitation_other_address',
      message = 'This invitation is for another, confirmed e-mail address.';
  end if;
  insert into public.team_members (company_id, user_id, role, role_id, department_id, invited_by, invited_at)
  values (v_row.company_id, v_user, v_row.role, v_row.role_id, v_row.department_id, v_row.invited_by, v_row.created_at)
  on conflict (company_id, user_id) do nothing
  returning * into v_member;
  if not found then
    raise exception using errcode = 'TH409', constraint = 'already_member', message = 'You are a member already.';
  end if;
  update public.invitations i set used_at = now(), accepted_by = v_user
   where i.company_id = v_row.company_id and i.id = v_row.id;
  perform app.activate_if_none(v_row.company_id);
  return v_member;
end $$;
ALTER FUNCTION public.accept_invitation(token text) OWNER TO app_definer;

CREATE FUNCTION public.adjust_stock(inventory_id uuid, change numeric, reason text, note text DEFAULT NULL::text, location_id uuid DEFAULT NULL::uuid, unit_cost bigint DEFAULT NULL::bigint) RETURNS public.inventory
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_move public.stock_moves;
begin
  perform app.stock_company('inventory:adjust');
  perform app.check_stock_quantity(abs(change));
  if reason is null or reason not in ('restock', 'sale', 'damage', 'theft', 'correction', 'return')
     or reason in ('restock', 'return') and change < 0 or reason in ('sale', 'damage', 'theft') and change > 0 then
    raise exception using errcode = 'TH422', constraint = 'stock_reason_invalid',
      message = 'This reason does not go with this change.',
      hint = 'restock and return add, sale, damage and theft take, correction does either; for transfers call transfer_stock.';
  end if;
  v_move.inventory_id := adjust_stock.inventory_id;
  v_move.kind := adjust_stock.reason;
  v_move.reason := adjust_stock.note;
  v_move.location_id := adjust_stock.location_id;
  v_move.unit_cost := adjust_stock.unit_cost;
  return app.move_stock(app.company_id(), v_move, change, 0);
end $$;
ALTER FUNCTION public.adjust_stock(inventory_id uuid, change numeric, reason text, note text, location_id uuid, unit_cost bigint) OWNER TO app_definer;

COMMENT ON FUNCTION public.adjust_stock(inventory_id uuid, change numeric, reason text, note text, location_id uuid, unit_cost bigint) IS 'Adds to stock or takes from it, for a reason: restock, sale, damage, theft, correction, return.';

CREATE FUNCTION public.audit_trigger_function() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_old constant jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  v_new constant jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  v_row constant jsonb := coalesce(v_new, v_old);
begin
  if v_row ->> 'company_id' is not null then
    insert into public.audit_logs (company_id, user_id, actor_role, action, table_name, entity_type, entity_id, old_values, new_values, changed_fields)
    values ((v_row ->> 'company_id')::uuid, auth.uid(), coalesce(app.member_role(), nullif(current_setting('role', true), 'none'), session_user),
            case tg_op when 'INSERT' then 'create' when 'UPDATE' then 'update' else 'delete' end, tg_table_name, app.entity_of(tg_table_name),
            case when v_row ->> 'id' ~ '^[0-9a-f-]{36}$' then (v_row ->> 'id')::uuid end, v_old, v_new,
            case tg_op when 'UPDATE' then (select array_agg(n.key order by n.key) from jsonb_each(v_new) n where n.value is distinct from v_old -> n.key) end);
  end if;
  return null;
end $_$;
ALTER FUNCTION public.audit_trigger_function() OWNER TO app_definer;

CREATE FUNCTION public.change_member_role(user_id uuid, role text, reason text DEFAULT NULL::text) RETURNS public.team_members
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_member public.team_members;
begin
  perform set_config('app.change_reason', coalesce(left(change_member_role.reason, 500), ''), true);
  update public.team_members m set role = change_member_role.role
   where m.company_id = app.company_id() and m.user_id = change_member_role.user_id
  returning * into v_member;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'member_not_found',
      message = 'There is no such member whose role you may change.';
  end if;
  perform set_config('app.change_reason', '', true);
  return v_member;
end $$;
ALTER FUNCTION public.change_member_role(user_id uuid, role text, reason text) OWNER TO app_owner;

CREATE TABLE public.price_book_items (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    category_id uuid NOT NULL,
    item_type text DEFAULT 'service'::text NOT NULL,
    name text NOT NULL,
    description text,
    sku text,
    category text,
    subcategory text,
    currency text DEFAULT 'USD'::text NOT NULL,
    cost bigint DEFAULT 0 NOT NULL,
    price bigint DEFAULT 0 NOT NULL,
    markup_percent integer DEFAULT 0 NOT NULL,
    unit text DEFAULT 'each'::text NOT NULL,
    minimum_quantity numeric(14,3) DEFAULT 1 NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    is_taxable boolean DEFAULT true NOT NULL,
    supplier_id uuid,
    supplier_sku text,
    supplier_last_sync_at timestamp with time zone,
    image_url text,
    images jsonb DEFAULT '[]'::jsonb NOT NULL,
    documents jsonb DEFAULT '[]'::jsonb NOT NULL,
    tags jsonb,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    notes text,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    search_vector tsvector,
    CONSTRAINT price_book_items_category_check CHECK ((length(category) <= 200)),
    CONSTRAINT price_book_items_cost_check CHECK ((cost >= 0)),
    CONSTRAINT price_book_items_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT price_book_items_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT price_book_items_documents_check CHECK ((jsonb_typeof(documents) = 'array'::text)),
    CONSTRAINT price_book_items_image_url_check CHECK ((length(image_url) <= 2048)),
    CONSTRAINT price_book_items_images_check CHECK ((jsonb_typeof(images) = 'array'::text)),
    CONSTRAINT price_book_items_item_type_check CHECK ((item_type = ANY (ARRAY['service'::text, 'material'::text, 'package'::text]))),
    CONSTRAINT price_book_items_markup_percent_check CHECK (((markup_percent >= 0) AND (markup_percent <= 100000))),
    CONSTRAINT price_book_items_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT price_book_items_minimum_quantity_check CHECK ((minimum_quantity >= (0)::numeric)),
    CONSTRAINT price_book_items_name_check CHECK (((length(name) >= 1) AND (length(name) <= 300))),
    CONSTRAINT price_book_items_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT price_book_items_price_check CHECK ((price >= 0)),
    CONSTRAINT price_book_items_sku_check CHECK ((length(sku) <= 120)),
    CONSTRAINT price_book_items_subcategory_check CHECK ((length(subcategory) <= 200)),
    CONSTRAINT price_book_items_supplier_sku_check CHECK ((length(supplier_sku) <= 120)),
    CONSTRAINT price_book_items_unit_check CHECK ((unit = ANY (ARRAY['each'::text, 'hour'::text, 'linear_ft'::text, 'sq_ft'::text, 'day'::text, 'lb'::text, 'gal'::text, 'box'::text])))
);
ALTER TABLE ONLY public.price_book_items FORCE ROW LEVEL SECURITY;
ALTER TABLE public.price_book_items OWNER TO app_owner;

COMMENT ON TABLE public.price_book_items IS 'What a company sells: services, materials, packages.';

COMMENT ON COLUMN public.price_book_items.search_vector IS 'Kept by a trigger: the words of the row by their weight.';

CREATE FUNCTION public.change_prices(changes jsonb, change_type text DEFAULT 'bulk_update'::text, reason text DEFAULT NULL::text) RETURNS SETOF public.price_book_items
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_rows_max constant integer := 5000;
  v_item     record;
  v_changed  public.price_book_items;
begin
  if jsonb_typeof(changes) is distinct from 'array' or jsonb_array_length(changes) not between 1 and v_rows_max
     or change_type is null or change_type not in ('manual', 'bulk_update', 'supplier_sync', 'auto_markup') then
    raise exception using errcode = 'TH422', constraint = 'price_changes_invalid',
      message = format('Price changes are a list of 1 to %s objects, of a known type.', v_rows_max),
      hint = 'Each has an id and a price, cost or markup_percent; types are manual, bulk_update, supplier_sync and auto_markup.';
  end if;
  perform set_config('app.change_reason', change_type || coalesce(': ' || nullif(btrim(left(reason, 1900)), ''), ''), true);
  -- In one order, so that two lists wait for each other.
  for v_item in
    select c.* from jsonb_to_recordset(changes) c (id uuid, price bigint, cost bigint, markup_percent integer) order by c.id
  loop
    update public.price_book_items i
       set price = coalesce(v_item.price, i.price), cost = coalesce(v_item.cost, i.cost),
           markup_percent = coalesce(v_item.markup_percent, i.markup_percent)
     where i.company_id = app.company_id() and i.id = v_item.id and i.deleted_at is null
    returning * into v_changed;
    if not found then
      raise exception using errcode = 'TH404', constraint = 'price_book_item_not_found',
        message = 'There is no such item whose price you may change.', detail = v_item.id::text;
    end if;
    return next v_changed;
  end loop;
  perform set_config('app.change_reason', '', true);
end $$;
ALTER FUNCTION public.change_prices(changes jsonb, change_type text, reason text) OWNER TO app_owner;

COMMENT ON FUNCTION public.change_prices(changes jsonb, change_type text, reason text) IS 'Changes the prices of many items, all or none: [{"id", "price", "cost", "markup_percent"}, ...], for one reason.';

CREATE FUNCTION public.company_kpis() RETURNS TABLE(company_id uuid, currency text, total_customers bigint, total_jobs bigint, scheduled_jobs bigint, active_jobs bigint, completed_jobs bigint, total_invoices bigint, total_revenue bigint, collected_revenue bigint, outstanding_revenue bigint, other_currencies jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
begin
  perform app.demand('reports:read');
  return query
    select c.id, c.currency, coalesce(sum(f.customers), 0)::bigint, coalesce(sum(f.jobs), 0)::bigint,
           coalesce(sum(f.jobs_scheduled), 0)::bigint, coalesce(sum(f.jobs_active), 0)::bigint,
           coalesce(sum(f.jobs_completed), 0)::bigint,
           coalesce(sum(f.invoices), 0)::bigint, coalesce(sum(f.revenue) filter (where f.currency = c.currency), 0)::bigint,
           coalesce(sum(f.collected) filter (where f.currency = c.currency), 0)::bigint,
           coalesce(sum(f.outstanding) filter (where f.currency = c.currency), 0)::bigint,
           app.other_currencies(c.currency, array_agg(f.currency), array_agg(jsonb_build_object(
             'total_revenue', f.revenue, 'collected_revenue', f.collected, 'outstanding_revenue', f.outstanding)))
      from public.companies c
      left join app.sums(v_company, 'company') f on true
     where c.id = v_company
     group by c.id, c.currency;
end $$;
ALTER FUNCTION public.company_kpis() OWNER TO app_definer;

COMMENT ON FUNCTION public.company_kpis() IS 'The company in one row: customers, jobs, and what was billed, collected (less refunds), is outstanding. Needs reports:read.';

CREATE FUNCTION public.create_company_with_owner(name text, slug text DEFAULT NULL::text, industry text DEFAULT NULL::text) RETURNS public.companies
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
#variable_conflict use_column
declare
  v_user    uuid := app.caller();
  v_name    text := btrim(create_company_with_owner.name);
  v_slug    text := lower(btrim(create_company_with_owner.slug));
  v_company public.companies;
begin
  if v_name is null or length(v_name) not between 1 and 200 then
    raise exception using errcode = 'TH422', constraint = 'company_name_invalid',
      message = 'A company needs a name of 1 to 200 characters.';
  end if;
  if v_slug is null then
    v_slug := app.slug_of(v_name);
    if length(v_slug) < 2 or exists (select from public.companies c where c.slug = v_slug) then
      v_slug := btrim(v_slug || '-' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 8), '-');
    end if;
  end if;
  if v_slug !~ '^[a-z0-9]+(-[a-z0-9]+)*$' or length(v_slug) not between 2 and 63 then
    raise exception using errcode = 'TH422', constraint = 'company_slug_invalid',
      message = 'A slug has 2 to 63 lower-case letters and digits, in groups joined by single hyphens.';
  end if;
  begin
    insert into public.companies (name, slug, industry, owner_id, created_by)
    values (v_name, v_slug, nullif(btrim(create_company_with_owner.industry), ''), v_user, v_user)
    returning * into v_company;
  exception when unique_violation then
    raise exception using errcode = 'TH409', constraint = 'company_slug_taken',
      message = format('The slug "%s" is taken.', v_slug);
  end;
  insert into public.team_members (company_id, user_id, role, status) values (v_company.id, v_user, 'owner', 'active');
  perform app.activate_if_none(v_company.id);
  return v_company;
end $_$;
ALTER FUNCTION public.create_company_with_owner(name text, slug text, industry text) OWNER TO app_definer;

CREATE FUNCTION public.create_monthly_partition(table_name text, start_date date) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    SET lock_timeout TO '5s'
    AS $$
declare
  v_table constant text := regexp_replace(create_monthly_partition.table_name, '^public\.', '');
  v_month constant timestamptz := date_trunc('month', create_monthly_partition.start_date::timestamp) at time zone 'UTC';
  v_name  constant text := v_table || to_char(create_monthly_partition.start_date, '_YYYY_MM');
  v_next  constant timestamptz := (date_trunc('month', create_monthly_partition.start_date::timestamp) + interval '1 month') at time zone 'UTC';
begin
  if v_table is null or v_table <> all (app.partitioned_tables()) then
    raise exception using errcode = 'TH422', constraint = 'table_not_partitioned',
      message = 'This table has no monthly partitions.',
      hint = format('Those that have: %s.', array_to_string(app.partitioned_tables(), ', '));
  end if;
  if create_monthly_partition.start_date is null or v_month < timestamptz '1970-01-01 00:00:00+00' or v_month >= timestamptz '3000-01-01 00:00:00+00' then
    raise exception using errcode = 'TH422', constraint = 'partition_month_invalid',
      message = 'A partition is of a month between 1970 and 2999.';
  end if;
  -- Whoever makes the same one at the same time waits, and finds it made.
  perform pg_advisory_xact_lock(hashtextextended('partition ' || v_name, 0));
  if to_regclass(format('public.%I', v_name)) is null then
    execute format('create table public.%I (like public.%I including defaults including constraints including comments)', v_name, v_table);
    perform app.enclose(format('public.%I', v_name)::regclass);
    if v_table = 'audit_logs' then
      execute format('revoke update, delete on public.%I from app_definer', v_name);
    end if;
    execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
                   v_table, v_name, app.first_id_of(v_month), app.first_id_of(v_next));
  end if;
  return v_name;
end $$;
ALTER FUNCTION public.create_monthly_partition(table_name text, start_date date) OWNER TO app_owner;

COMMENT ON FUNCTION public.create_monthly_partition(table_name text, start_date date) IS 'Makes the partition of a month, unless it is there; returns its name. For maintenance, and for imports that bring old ids.';

CREATE FUNCTION public.create_tenant_policy(schema_name text, table_name text, policy_name text DEFAULT 'tenant_isolation'::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_table  constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  v_column text;
begin
  select a.attname into v_column from pg_catalog.pg_attribute a
   where a.attrelid = v_table and a.attname in ('company_id', 'tenant_id', 'organization_id') and not a.attisdropped
   order by a.attname limit 1;
  if not found then
    raise exception using errcode = '42703', message = format('%s has no column company_id', v_table),
      hint = 'The column may also be called tenant_id or organization_id.';
  end if;
  perform app.protect(v_table, create_tenant_policy.table_name, p_tenant_column => v_column);
  if policy_name <> 'tenant_isolation' then
    execute format('alter policy tenant_isolation on %s rename to %I', v_table, policy_name);
  end if;
end $$;
ALTER FUNCTION public.create_tenant_policy(schema_name text, table_name text, policy_name text) OWNER TO app_owner;

CREATE FUNCTION public.get_current_tenant_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN app.company_id();
ALTER FUNCTION public.get_current_tenant_id() OWNER TO app_owner;

CREATE FUNCTION public.invite_member(email text, role text, name text DEFAULT NULL::text, role_id uuid DEFAULT NULL::uuid, department_id uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_user    uuid := app.caller();
  v_company uuid := app.company_id();
  -- 244 random bits.
  v_token   text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
  v_row     public.invitations;
begin
  if v_company is null then
    raise exception using errcode = 'TH403', constraint = 'company_required', message = 'No company is chosen.';
  end if;
  if not app.has_permission('members:invite') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = 'You need the permission members:invite.';
  end if;
  perform app.check_grantable('', app.effective_permissions(v_company, invite_member.role, invite_member.role_id, '{}'));
  if exists (select from public.team_members m join auth.users u on u.id = m.user_id
              where m.company_id = v_company and u.email_key = lower(btrim(invite_member.email))) then
    raise exception using errcode = 'TH409', constraint = 'already_member', message = 'This person is a member already.';
  end if;
  -- A new invitation to the same address takes the place of the open one.
  delete from public.invitations i
   where i.company_id = v_company and i.email_key = lower(btrim(invite_member.email)) and i.used_at is null;
  insert into public.invitations (company_id, email, name, role, role_id, department_id, token_hash, invited_by)
  values (v_company, btrim(invite_member.email), invite_member.name, invite_member.role, invite_member.role_id,
          invite_member.department_id, encode(sha256(v_token::bytea), 'hex'), v_user)
  returning * into v_row;
  return (to_jsonb(v_row) - 'token_hash') || jsonb_build_object('token', v_token);
end $$;
ALTER FUNCTION public.invite_member(email text, role text, name text, role_id uuid, department_id uuid) OWNER TO app_definer;

CREATE FUNCTION public.log_audit_event(p_organization_id uuid, p_user_id uuid, p_action text, p_resource_type text, p_resource_id text DEFAULT NULL::text, p_metadata jsonb DEFAULT '{}'::jsonb) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_is_service constant boolean := current_setting('role', true) = 'service_role';
  v_company    constant uuid := app.company_id();
  v_headers    constant jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
  v_is_id      constant boolean := coalesce(p_resource_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', false);
  v_metadata   constant jsonb := coalesce(p_metadata, '{}');
  v_id         uuid;
begin
  if v_company is null then
    raise exception using errcode = 'TH403', constraint = 'company_required', message = 'No company is chosen.';
  end if;
  if p_organization_id is distinct from v_company then
    raise exception using errcode = 'TH403', constraint = 'audit_other_company', message = 'An event is written for the active company only.';
  end if;
  if not v_is_service and p_user_id is distinct from auth.uid() then
    raise exception using errcode = 'TH403', constraint = 'audit_other_user', message = 'An event is written for its own user only.';
  end if;
  if coalesce(length(p_action), 0) not between 1 and 60 or coalesce(length(p_resource_type), 0) not between 1 and 120
     or length(p_resource_id) > 255 or jsonb_typeof(v_metadata) <> 'object' or length(v_metadata::text) > 20000 then
    raise exception using errcode = 'TH422', constraint = 'audit_event_invalid',
      message = 'An event has an action of 1 to 60 characters, a resource type of 1 to 120 and an object of at most 20,000 as metadata.';
  end if;
  insert into public.audit_logs (company_id, user_id, actor_role, action, entity_type, entity_id, ip_address, user_agent, request_method,
                                 request_path, request_id, metadata)
  values (v_company, case when v_is_service then p_user_id else auth.uid() end, coalesce(app.member_role(), 'service_role'), p_action, p_resource_type,
          case when v_is_id then p_resource_id::uuid end,
          case when v_headers ->> 'x-real-ip' ~ '^[0-9a-f.:]{2,45}$' then (v_headers ->> 'x-real-ip')::inet end,
          left(v_headers ->> 'user-agent', 1000), left(nullif(current_setting('request.method', true), ''), 20),
          left(nullif(current_setting('request.path', true), ''), 2048), left(v_headers ->> 'x-request-id', 128),
          v_metadata || '{"reported": true}' || case when v_is_id or p_resource_id is null then '{}' else jsonb_build_object('resource_id', p_resource_id) end)
  returning id into v_id;
  return v_id;
end $_$;
ALTER FUNCTION public.log_audit_event(p_organization_id uuid, p_user_id uuid, p_action text, p_resource_type text, p_resource_id text, p_metadata jsonb) OWNER TO app_definer;

COMMENT ON FUNCTION public.log_audit_event(p_organization_id uuid, p_user_id uuid, p_action text, p_resource_type text, p_resource_id text, p_metadata jsonb) IS 'Writes an event of the caller and his company into the audit. metadata.reported tells it from what the database saw itself.';

CREATE FUNCTION public.low_stock() RETURNS SETOF public.inventory
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
  select i.* from public.inventory i
   where i.company_id = app.company_id() and i.deleted_at is null and i.status <> 'discontinued'
     and (i.is_low_stock or i.quantity_on_hand <= i.reorder_point);
$$;
ALTER FUNCTION public.low_stock() OWNER TO app_owner;

COMMENT ON FUNCTION public.low_stock() IS 'Stock that is at or below its minimum or its reorder point.';

CREATE FUNCTION public.mv_customer_lifetime_value(only_customer_id uuid DEFAULT NULL::uuid, max_results integer DEFAULT 100) RETURNS TABLE(customer_id uuid, company_id uuid, customer_name text, currency text, total_jobs bigint, total_invoices bigint, total_revenue bigint, total_paid bigint, average_invoice_value bigint, last_job_date timestamp with time zone, customer_status text, other_currencies jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET plan_cache_mode TO 'force_custom_plan'
    AS $_$
declare
  v_company constant uuid := app.company_id();
begin
  perform app.demand('reports:read');
  if $2 is null or $2 not between 1 and 10000 then
    raise exception using errcode = 'TH422', constraint = 'report_limit_invalid', message = 'A report gives 1 to 10000 rows.';
  end if;
  return query
    with best as (
      select c.id, c.company_id, c.display_name, c.currency, c.last_job_date, coalesce(f.revenue, 0) as revenue
        from public.customers c
        left join app.sums(v_company, 'customer') f on f.subject = c.id and f.currency = c.currency
       where c.company_id = v_company and c.deleted_at is null and ($1 is null or c.id = $1)
       order by 6 desc, c.display_name, c.id
       limit $2
    )
    select b.id, b.company_id, b.display_name, b.currency, s.jobs, s.invoices, b.revenue, s.collected,
           case when s.billed = 0 then 0 else round(b.revenue::numeric / s.billed)::bigint end, b.last_job_date,
           case when b.last_job_date > now() - interval '30 days' then 'active'
                when b.last_job_date > now() - interval '90 days' then 'recent'
                when b.last_job_date > now() - interval '365 days' then 'inactive'
                else 'dormant' end,
           app.other_currencies(b.currency, s.currencies, s.sums)
      from best b
     cross join lateral (
       select coalesce(sum(f.jobs), 0)::bigint as jobs, coalesce(sum(f.invoices), 0)::bigint as invoices,
              coalesce(sum(f.collected) filter (where f.currency = b.currency), 0)::bigint as collected,
              coalesce(sum(f.invoices) filter (where f.currency = b.currency), 0)::bigint as billed,
              array_agg(f.currency) as currencies,
              array_agg(jsonb_build_object('total_revenue', f.revenue, 'total_paid', f.collected)) as sums
         from app.sums_of(v_company, 'customer', b.id) f) s
     order by b.revenue desc, b.display_name, b.id;
end $_$;
ALTER FUNCTION public.mv_customer_lifetime_value(only_customer_id uuid, max_results integer) OWNER TO app_definer;

COMMENT ON FUNCTION public.mv_customer_lifetime_value(only_customer_id uuid, max_results integer) IS 'What customers were worth, the most first, or one: invoices issued, less credits; paid, less refunds. Needs reports:read.';

CREATE FUNCTION public.mv_monthly_revenue() RETURNS TABLE(company_id uuid, month date, currency text, invoice_count bigint, total_revenue bigint, total_paid bigint, total_outstanding bigint, avg_invoice_value bigint, collected bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
begin
  perform app.demand('reports:read');
  return query
    select f.company_id, f.month, f.currency, f.invoices, f.revenue, f.paid, f.outstanding,
           case when f.invoices = 0 then 0 else round(f.revenue::numeric / f.invoices)::bigint end, f.collected
      from app.sums(v_company, 'month') f
     where (f.invoices, f.revenue, f.paid, f.outstanding, f.collected) <> (0, 0, 0, 0, 0)
     order by f.month desc, f.currency;
end $$;
ALTER FUNCTION public.mv_monthly_revenue() OWNER TO app_definer;

COMMENT ON FUNCTION public.mv_monthly_revenue() IS 'By month of issue and currency: invoices less credits, paid of them, outstanding; and collected in it. Needs reports:read.';

CREATE FUNCTION public.mv_technician_performance() RETURNS TABLE(technician_id uuid, company_id uuid, technician_name text, jobs_completed bigint, avg_job_duration_hours numeric, average_rating numeric, review_count bigint, currency text, total_revenue bigint, other_currencies jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
begin
  perform app.demand('reports:read');
  return query
    select m.user_id, m.company_id, m.name, coalesce(sum(f.jobs_completed), 0)::bigint,
           coalesce(round(sum(f.worked_seconds) / 3600.0 / nullif(sum(f.worked_jobs), 0), 2), 0),
           coalesce(round(sum(f.rating_sum)::numeric / nullif(sum(f.reviews), 0), 2), 0), coalesce(sum(f.reviews), 0)::bigint,
           c.currency, coalesce(sum(f.job_revenue) filter (where f.currency = c.currency), 0)::bigint,
           app.other_currencies(c.currency, array_agg(f.currency), array_agg(jsonb_build_object('total_revenue', f.job_revenue)))
      from public.team_members m
      join public.companies c on c.id = m.company_id
      left join app.sums(v_company, 'technician') f on f.subject = m.user_id
     where m.company_id = v_company and m.user_id is not null
     group by m.user_id, m.company_id, m.name, m.role, c.currency
    having m.role = 'technician' or sum(f.jobs_completed) > 0
     order by 4 desc, m.name, m.user_id;
end $$;
ALTER FUNCTION public.mv_technician_performance() OWNER TO app_definer;

COMMENT ON FUNCTION public.mv_technician_performance() IS 'Technicians, and who else completed jobs: how many, how long, how they were rated, what they came to. Needs reports:read.';

CREATE FUNCTION public.my_companies() RETURNS TABLE(id uuid, name text, slug text, industry text, logo text, member_role text, status text, is_active boolean, joined_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
  select c.id, c.name, c.slug, c.industry, c.logo, m.role, m.status,
         c.id is not distinct from app.company_id(), m.joined_at
    from public.team_members m
    join public.companies c on c.id = m.company_id
   where m.user_id = auth.uid() and m.archived_at is null and c.deleted_at is null and c.archived_at is null
   order by c.name, c.id;
$$;
ALTER FUNCTION public.my_companies() OWNER TO app_definer;

COMMENT ON FUNCTION public.my_companies() IS 'The companies of the caller; is_active marks the one of this request.';

CREATE TABLE public.purchase_orders (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    job_id uuid,
    estimate_id uuid,
    invoice_id uuid,
    requested_by uuid DEFAULT auth.uid(),
    approved_by uuid,
    vendor_id uuid,
    vendor text DEFAULT ''::text NOT NULL,
    vendor_email text,
    vendor_phone text,
    po_number text DEFAULT ''::text NOT NULL,
    title text DEFAULT 'Purchase order'::text NOT NULL,
    description text,
    status text DEFAULT 'draft'::text NOT NULL,
    priority text DEFAULT 'normal'::text NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    tax_rate numeric(7,4) DEFAULT 0 NOT NULL,
    line_items jsonb DEFAULT '[]'::jsonb NOT NULL,
    subtotal bigint DEFAULT 0 NOT NULL,
    tax_amount bigint DEFAULT 0 NOT NULL,
    shipping_amount bigint DEFAULT 0 NOT NULL,
    discount_amount bigint DEFAULT 0 NOT NULL,
    total_amount bigint DEFAULT 0 NOT NULL,
    expected_delivery timestamp with time zone,
    actual_delivery timestamp with time zone,
    delivery_address text,
    notes text,
    internal_notes text,
    auto_generated boolean DEFAULT false NOT NULL,
    approved_at timestamp with time zone,
    ordered_at timestamp with time zone,
    received_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    cancellation_reason text,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT purchase_orders_cancellation_reason_check CHECK ((length(cancellation_reason) <= 2000)),
    CONSTRAINT purchase_orders_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT purchase_orders_delivery_address_check CHECK ((length(delivery_address) <= 600)),
    CONSTRAINT purchase_orders_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT purchase_orders_discount_amount_check CHECK ((discount_amount >= 0)),
    CONSTRAINT purchase_orders_internal_notes_check CHECK ((length(internal_notes) <= 20000)),
    CONSTRAINT purchase_orders_line_items_check CHECK ((jsonb_typeof(line_items) = 'array'::text)),
    CONSTRAINT purchase_orders_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT purchase_orders_po_number_check CHECK ((length(po_number) <= 40)),
    CONSTRAINT purchase_orders_priority_check CHECK ((priority = ANY (ARRAY['low'::text, 'normal'::text, 'high'::text, 'urgent'::text]))),
    CONSTRAINT purchase_orders_shipping_amount_check CHECK ((shipping_amount >= 0)),
    CONSTRAINT purchase_orders_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'pending_approval'::text, 'approved'::text, 'ordered'::text, 'partially_received'::text, 'received'::text, 'cancelled'::text]))),
    CONSTRAINT purchase_orders_subtotal_check CHECK ((subtotal >= 0)),
    CONSTRAINT purchase_orders_tax_amount_check CHECK ((tax_amount >= 0)),
    CONSTRAINT purchase_orders_tax_rate_check CHECK (((tax_rate >= (0)::numeric) AND (tax_rate <= (100)::numeric))),
    CONSTRAINT purchase_orders_title_check CHECK ((length(title) <= 300)),
    CONSTRAINT purchase_orders_total_amount_check CHECK ((total_amount >= 0)),
    CONSTRAINT purchase_orders_vendor_check CHECK (((length(vendor) >= 1) AND (length(vendor) <= 200))),
    CONSTRAINT purchase_orders_vendor_email_check CHECK ((((length(vendor_email) >= 3) AND (length(vendor_email) <= 254)) AND (vendor_email ~ '^[^@\s]+@[^@\s]+$'::text))),
    CONSTRAINT purchase_orders_vendor_phone_check CHECK ((vendor_phone ~ '^[+][1-9][0-9]{6,14}$'::text))
);
ALTER TABLE ONLY public.purchase_orders FORCE ROW LEVEL SECURITY;
ALTER TABLE public.purchase_orders OWNER TO app_owner;

COMMENT ON TABLE public.purchase_orders IS 'Orders to vendors. Totals are computed from the lines.';

COMMENT ON COLUMN public.purchase_orders.vendor_email IS 'pii:email';

COMMENT ON COLUMN public.purchase_orders.vendor_phone IS 'pii:phone';

CREATE FUNCTION public.receive_purchase_order(purchase_order_id uuid, lines jsonb DEFAULT NULL::jsonb) RETURNS public.purchase_orders
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_order public.purchase_orders;
  v_count bigint;
begin
  if lines is not null and (jsonb_typeof(lines) <> 'array' or lines = '[]') then
    raise exception using errcode = 'TH422', constraint = 'purchase_order_receipt_invalid',
      message = 'What is received is a list of objects with the id of a line and the quantity that came.';
  end if;
  update public.purchase_order_line_items l
     set quantity_received = case when lines is null then l.quantity else l.quantity_received + r.quantity end
    from (select t.id, t.quantity
            from (select i.id, sum(i.quantity) as quantity
                    from jsonb_to_recordset(lines) i (id uuid, quantity numeric) group by i.id) t
          union all
          select null, null where lines is null) r
   where l.company_id = app.company_id() and l.purchase_order_id = receive_purchase_order.purchase_order_id
     and (l.id = r.id or lines is null and l.quantity_received < l.quantity);
  get diagnostics v_count = row_count;
  if v_count = 0 or lines is not null and v_count <> (select count(distinct i.id) from jsonb_to_recordset(lines) i (id uuid)) then
    raise exception using errcode = 'TH404', constraint = 'purchase_order_line_not_found',
      message = 'There is no such line that could be received.';
  end if;
  select * into v_order from public.purchase_orders o
   where o.company_id = app.company_id() and o.id = receive_purchase_order.purchase_order_id;
  return v_order;
end $$;
ALTER FUNCTION public.receive_purchase_order(purchase_order_id uuid, lines jsonb) OWNER TO app_owner;

COMMENT ON FUNCTION public.receive_purchase_order(purchase_order_id uuid, lines jsonb) IS 'Receives what was ordered: all that is still to come, or [{"id", "quantity"}, ...].';

CREATE FUNCTION public.refresh_reporting_views() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  loop
    -- What comes in meanwhile is for the next time.
    exit when app.refresh_figures() < 100000;
  end loop;
end $$;
ALTER FUNCTION public.refresh_reporting_views() OWNER TO app_owner;

COMMENT ON FUNCTION public.refresh_reporting_views() IS 'Folds what was added to the figures. For the service; the figures are exact at every moment.';

CREATE FUNCTION public.release_stock(reservation_id uuid, quantity numeric DEFAULT NULL::numeric, reason text DEFAULT NULL::text) RETURNS public.stock_reservations
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_reservation public.stock_reservations;
  v_move        public.stock_moves;
  v_quantity    numeric;
begin
  perform app.stock_company('inventory:use');
  v_reservation := app.open_reservation(app.company_id(), release_stock.reservation_id);
  v_quantity := coalesce(release_stock.quantity, v_reservation.quantity - v_reservation.quantity_used);
  perform app.check_stock_quantity(v_quantity);
  v_move.inventory_id := v_reservation.inventory_id;
  v_move.kind := 'release';
  v_move.job_id := v_reservation.job_id;
  v_move.reason := release_stock.reason;
  v_move.reservation_id := v_reservation.id;
  v_reservation := app.close_reservation(v_reservation, v_quantity, 0);
  perform app.move_stock(app.company_id(), v_move, 0, -v_quantity);
  return v_reservation;
end $$;
ALTER FUNCTION public.release_stock(reservation_id uuid, quantity numeric, reason text) OWNER TO app_definer;

COMMENT ON FUNCTION public.release_stock(reservation_id uuid, quantity numeric, reason text) IS 'Gives back what is reserved, or part of it.';

CREATE FUNCTION public.reserve_stock(inventory_id uuid, quantity numeric, job_id uuid DEFAULT NULL::uuid, reason text DEFAULT NULL::text) RETURNS public.stock_reservations
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_reservation public.stock_reservations;
  v_move        public.stock_moves;
begin
  perform app.stock_company('inventory:use');
  perform app.check_stock_quantity(reserve_stock.quantity);
  perform from public.inventory i
   where i.company_id = app.company_id() and i.id = reserve_stock.inventory_id and i.deleted_at is null for no key update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'stock_not_found', message = 'There is no such stock.';
  end if;
  insert into public.stock_reservations (company_id, inventory_id, job_id, quantity, reason)
  values (app.company_id(), reserve_stock.inventory_id, reserve_stock.job_id, reserve_stock.quantity, left(reserve_stock.reason,
    2000))
  returning * into v_reservation;
  v_move.inventory_id := v_reservation.inventory_id;
  v_move.kind := 'reserve';
  v_move.job_id := v_reservation.job_id;
  v_move.reason := v_reservation.reason;
  v_move.reservation_id := v_reservation.id;
  perform app.move_stock(app.company_id(), v_move, 0, v_reservation.quantity);
  return v_reservation;
end $$;
ALTER FUNCTION public.reserve_stock(inventory_id uuid, quantity numeric, job_id uuid, reason text) OWNER TO app_definer;

COMMENT ON FUNCTION public.reserve_stock(inventory_id uuid, quantity numeric, job_id uuid, reason text) IS 'Keeps stock for a job: no more than is available.';

CREATE FUNCTION public.search_customers(query text, max_results integer DEFAULT 20) RETURNS TABLE(id uuid, display_name text, first_name text, last_name text, company_name text, email text, phone text, address text, city text, state text, status text, score real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
  v_asked record;
  v_ids   uuid[];
  v_exact boolean := false;
begin
  perform app.demand('customers:read');
  select * into v_asked from app.read_question(search_customers.query, search_customers.max_results);
  if v_asked.plain = '' then
    return;
  end if;
  if length(v_asked.plain) = 1 then
    v_ids := array(
      select c.id from public.customers c
       where c.company_id = v_company and c.deleted_at is null and c.display_name ilike v_asked.plain || '%'
         and c.display_name >= least(v_asked.plain, upper(v_asked.plain))
       order by c.display_name, c.id limit search_customers.max_results);
  else
    v_ids := array(
      select c.id from public.customers c
       where c.company_id = v_company and c.deleted_at is null
         and (app.phone_key(c.phone) = v_asked.phone or app.phone_key(c.secondary_phone) = v_asked.phone
              or c.email_key = v_asked.email)
       limit 100);
    v_exact := v_ids <> '{}';
    if not v_exact then
      v_ids := array(
        select c.id from public.customers c
         where c.company_id = v_company and c.deleted_at is null and c.search_vector @@ v_asked.word_query limit 150);
    end if;
    if not v_exact and cardinality(v_ids) < 150 then
      v_ids := v_ids || array(
        select c.id from public.customers c
         where c.company_id = v_company and c.deleted_at is null and c.search_vector @@ v_asked.start_query limit 150);
    end if;
    if not v_exact and cardinality(v_ids) < search_customers.max_results then
      v_ids := v_ids || app.customers_alike(v_company, v_asked.words, v_asked.plain, v_asked.pattern,
                                            v_asked.keys_1, v_asked.keys_2, v_asked.keys_3, v_asked.keys_4);
    end if;
  end if;
  return query
    select c.id, c.display_name, c.first_name, c.last_name, c.company_name, c.email, c.phone, c.address, c.city, c.state,
           c.status,
           (t.tier + case when t.tier > 0 then 9 else 50 end * l.likeness)::real
      from public.customers c
     -- Offset 0: once for each, however often it is used.
     cross join lateral (
       select app.likeness(v_asked.words, app.customer_names(c.first_name, c.last_name, c.company_name)) as likeness offset 0) l
     cross join lateral (
       select case
         when c.email_key = v_asked.email or app.phone_key(c.phone) = v_asked.phone
           or app.phone_key(c.secondary_phone) = v_asked.phone then 100
         when v_asked.plain in (app.fold(c.display_name), app.fold(c.company_name),
                                app.fold(c.first_name || ' ' || c.last_name)) then 80
         when l.likeness >= 0.8 and c.search_vector @@ v_asked.start_query then 70
         when c.search_vector @@ v_asked.start_query then 60
         else 0 end as tier offset 0) t
     where c.company_id = v_company and c.id = any (v_ids) and c.deleted_at is null
       and (t.tier > 0 or l.likeness >= 0.5
            or app.fold(app.customer_names(c.first_name, c.last_name, c.company_name)) like v_asked.pattern)
     order by 12 desc, c.display_name, c.id
     limit search_customers.max_results;
end $$;
ALTER FUNCTION public.search_customers(query text, max_results integer) OWNER TO app_definer;

COMMENT ON FUNCTION public.search_customers(query text, max_results integer) IS 'Finds customers of the active company by name, telephone number, e-mail, address or notes, also misspelt. The best first.';

CREATE FUNCTION public.search_equipment(query text, max_results integer DEFAULT 20) RETURNS TABLE(id uuid, equipment_number text, name text, manufacturer text, model text, serial_number text, customer_id uuid, property_id uuid, status text, score real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
  v_asked record;
  v_ids   uuid[];
begin
  perform app.demand('equipment:read');
  select * into v_asked from app.read_question(search_equipment.query, search_equipment.max_results);
  if length(v_asked.plain) < 2 then
    return;
  end if;
  v_ids := array(
    select e.id from public.equipment e
     where e.company_id = v_company and e.deleted_at is null
       and (e.equipment_number = v_asked.number or e.serial_number in (btrim(search_equipment.query), v_asked.number)) limit 100)
  || array(
    select e.id from public.equipment e
     where e.company_id = v_company and e.deleted_at is null and e.search_vector @@ v_asked.start_query limit 300);
  if cardinality(v_ids) < search_equipment.max_results then
    v_ids := v_ids || array(
      select e.id from public.equipment e
       where e.company_id = v_company and e.deleted_at is null
         and app.search_keys(app.equipment_names(e.name, e.manufacturer, e.model)) operator(pg_catalog.&&) v_asked.keys_1
         and (v_asked.keys_2 is null
              or app.search_keys(app.equipment_names(e.name, e.manufacturer, e.model)) operator(pg_catalog.&&) v_asked.keys_2)
         and (v_asked.keys_3 is null
              or app.search_keys(app.equipment_names(e.name, e.manufacturer, e.model)) operator(pg_catalog.&&) v_asked.keys_3)
       limit 200)
    || array(
      select e.id from public.equipment e
       where e.company_id = v_company and e.deleted_at is null
         and v_asked.plain operator(extensions.<%) app.fold(app.equipment_names(e.name, e.manufacturer, e.model))
       limit 100);
  end if;
  return query
    select e.id, e.equipment_number, e.name, e.manufacturer, e.model, e.serial_number, e.customer_id, e.property_id, e.status,
           (t.tier + case when t.tier > 0 then 9 else 50 end * l.likeness)::real
      from public.equipment e
     cross join lateral (
       select app.likeness(v_asked.words, app.equipment_names(e.name, e.manufacturer, e.model)) as likeness offset 0) l
     cross join lateral (
       select case when e.equipment_number = v_asked.number
                     or e.serial_number in (btrim(search_equipment.query), v_asked.number) then 90
                   when app.fold(e.name) = v_asked.plain then 80
                   when l.likeness >= 0.8 and e.search_vector @@ v_asked.start_query then 70
                   when e.search_vector @@ v_asked.start_query then 60
                   else 0 end as tier offset 0) t
     where e.company_id = v_company and e.id = any (v_ids) and e.deleted_at is null
       and (t.tier > 0 or l.likeness >= 0.5
            or v_asked.plain operator(extensions.<%) app.equipment_names(e.name, e.manufacturer, e.model))
     order by 10 desc, e.name, e.id
     limit search_equipment.max_results;
end $$;
ALTER FUNCTION public.search_equipment(query text, max_results integer) OWNER TO app_definer;

COMMENT ON FUNCTION public.search_equipment(query text, max_results integer) IS 'Finds equipment, tools and vehicles by number, serial number, name, maker or model, also misspelt.';

CREATE FUNCTION public.search_everything(query text, max_results integer DEFAULT 20) RETURNS TABLE(kind text, id uuid, title text, subtitle text, score real)
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_service constant boolean := auth.role() = 'service_role';
begin
  -- Whoever may read nothing of it is told what he asked wrong all the same.
  if app.company_id() is null then
    raise exception using errcode = 'TH403', constraint = 'company_required', message = 'No company is chosen.',
      hint = 'Make one active with POST /auth/v1/company, or send the header X-Company-Id.';
  elsif search_everything.max_results is null or search_everything.max_results not between 1 and 100 then
    raise exception using errcode = 'TH422', constraint = 'search_limit_invalid', message = 'A search gives 1 to 100 results.';
  end if;
  return query
    select f.kind, f.id, f.title, f.subtitle, f.score
      from (
        select 'customer', c.id, c.display_name, concat_ws(', ', c.phone, c.email, c.city), c.score
          from public.search_customers(search_everything.query, search_everything.max_results) c
         where v_service or app.has_permission('customers:read')
        union all
        select 'job', j.id, concat_ws(' ', j.job_number, j.title), concat_ws(', ', j.customer_name, j.status), j.score
          from public.search_jobs(search_everything.query, search_everything.max_results) j
         where v_service or app.has_permission('jobs:read') or app.has_permission('jobs:read_assigned')
        union all
        select 'price_book_item', i.id, i.name, i.sku, i.score
          from public.search_price_book(search_everything.query, search_everything.max_results) i
         where v_service or app.has_permission('price_book:read')
        union all
        select 'equipment', e.id, e.name, concat_ws(', ', e.manufacturer, e.model, e.serial_number), e.score
          from public.search_equipment(search_everything.query, search_everything.max_results) e
         where v_service or app.has_permission('equipment:read')
      ) f (kind, id, title, subtitle, score)
     order by f.score desc, f.kind, f.title, f.id
     limit search_everything.max_results;
end $$;
ALTER FUNCTION public.search_everything(query text, max_results integer) OWNER TO app_owner;

COMMENT ON FUNCTION public.search_everything(query text, max_results integer) IS 'Customers, jobs, price book and equipment in one list, as far as the caller may read them; the best first.';

CREATE FUNCTION public.search_jobs(query text, max_results integer DEFAULT 20) RETURNS TABLE(id uuid, job_number text, title text, status text, priority text, customer_id uuid, customer_name text, assigned_to uuid, scheduled_start timestamp with time zone, score real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
  v_user    constant uuid := auth.uid();
  -- Whoever may not see all sees what he is assigned to, alone or in a crew.
  v_all     constant boolean := app.demand('jobs:read', true);
  v_names   constant boolean := auth.role() = 'service_role' or app.has_permission('customers:read');
  v_asked     record;
  v_ids       uuid[];
  v_customers uuid[] := '{}';
  v_scores    real[] := '{}';
begin
  select * into v_asked from app.read_question(search_jobs.query, search_jobs.max_results);
  if length(v_asked.plain) < 2 then
    return;
  end if;
  v_ids := array(
    select j.id from public.jobs j
     where j.company_id = v_company and j.deleted_at is null and (v_all or j.assigned_to = v_user or v_user = any (j.crew))
       and j.job_number = v_asked.number)
  || array(
    select j.id from public.jobs j
     where j.company_id = v_company and j.deleted_at is null and (v_all or j.assigned_to = v_user or v_user = any (j.crew))
       and j.search_vector @@ v_asked.start_query
     limit 300);
  -- The jobs of a customer who is called so, has that number or lives there.
  if v_names then
    select coalesce(array_agg(c.id), '{}'), coalesce(array_agg(c.score), '{}') into v_customers, v_scores
      from public.search_customers(search_jobs.query, 10) c;
    v_ids := v_ids || array(
      select j.id from public.jobs j
       where j.company_id = v_company and j.deleted_at is null and (v_all or j.assigned_to = v_user or v_user = any (j.crew))
         and j.customer_id = any (v_customers)
       order by j.created_at desc limit 200);
  end if;
  if cardinality(v_ids) < search_jobs.max_results then
    v_ids := v_ids || array(
      select j.id from public.jobs j
       where j.company_id = v_company and j.deleted_at is null and (v_all or j.assigned_to = v_user or v_user = any (j.crew))
         and v_asked.plain operator(extensions.<%) j.title
       order by extensions.word_similarity(v_asked.plain, j.title) desc limit 100);
  end if;
  return query
    select j.id, j.job_number, j.title, j.status, j.priority, j.customer_id, case when v_names then c.display_name end,
           j.assigned_to, j.scheduled_start,
           greatest(t.tier + case when t.tier > 0 then 9 else 50 end * l.likeness,
                    0.5 * v_scores[array_position(v_customers, j.customer_id)])::real
      from public.jobs j
      left join public.customers c on c.company_id = j.company_id and c.id = j.customer_id
     cross join lateral (select app.likeness(v_asked.words, j.title) as likeness offset 0) l
     cross join lateral (
       select case when j.job_number = v_asked.number then 90
                   when app.fold(j.title) = v_asked.plain then 80
                   when l.likeness >= 0.8 and j.search_vector @@ v_asked.start_query then 70
                   when j.search_vector @@ v_asked.start_query then 60
                   else 0 end as tier offset 0) t
     where j.company_id = v_company and j.id = any (v_ids) and j.deleted_at is null
       and (v_all or j.assigned_to = v_user or v_user = any (j.crew))
     order by 10 desc, j.created_at desc, j.id
     limit search_jobs.max_results;
end $$;
ALTER FUNCTION public.search_jobs(query text, max_results integer) OWNER TO app_definer;

COMMENT ON FUNCTION public.search_jobs(query text, max_results integer) IS 'Finds jobs by number, title, customer or what is written in them. Those who see assigned jobs only find these.';

CREATE FUNCTION public.search_price_book(query text, max_results integer DEFAULT 20) RETURNS TABLE(id uuid, name text, sku text, item_type text, category_id uuid, unit text, price bigint, currency text, is_active boolean, score real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
  v_asked record;
  v_ids   uuid[];
begin
  perform app.demand('price_book:read');
  select * into v_asked from app.read_question(search_price_book.query, search_price_book.max_results);
  if length(v_asked.plain) < 2 then
    return;
  end if;
  v_ids := array(
    select i.id from public.price_book_items i
     where i.company_id = v_company and i.deleted_at is null
       and i.sku in (btrim(search_price_book.query), v_asked.number)
     limit 100)
  || array(
    select i.id from public.price_book_items i
     where i.company_id = v_company and i.deleted_at is null and i.search_vector @@ v_asked.start_query limit 300);
  if cardinality(v_ids) < search_price_book.max_results then
    v_ids := v_ids || array(
      select i.id from public.price_book_items i
       where i.company_id = v_company and i.deleted_at is null and app.search_keys(i.name) operator(pg_catalog.&&) v_asked.keys_1
         and (v_asked.keys_2 is null or app.search_keys(i.name) operator(pg_catalog.&&) v_asked.keys_2)
         and (v_asked.keys_3 is null or app.search_keys(i.name) operator(pg_catalog.&&) v_asked.keys_3)
         and (v_asked.keys_4 is null or app.search_keys(i.name) operator(pg_catalog.&&) v_asked.keys_4)
       limit 200)
    || array(
      select i.id from public.price_book_items i
       where i.company_id = v_company and i.deleted_at is null and v_asked.plain operator(extensions.<%) i.name
       order by extensions.word_similarity(v_asked.plain, i.name) desc limit 100);
  end if;
  return query
    select i.id, i.name, i.sku, i.item_type, i.category_id, i.unit, i.price, i.currency, i.is_active,
           (t.tier + case when t.tier > 0 then 9 else 50 end * l.likeness)::real
      from public.price_book_items i
     cross join lateral (select app.likeness(v_asked.words, i.name) as likeness offset 0) l
     cross join lateral (
       select case when i.sku in (btrim(search_price_book.query), v_asked.number) then 90
                   when app.fold(i.name) = v_asked.plain then 80
                   when l.likeness >= 0.8 and i.search_vector @@ v_asked.start_query then 70
                   when i.search_vector @@ v_asked.start_query then 60
                   else 0 end as tier offset 0) t
     where i.company_id = v_company and i.id = any (v_ids) and i.deleted_at is null
       and (t.tier > 0 or l.likeness >= 0.5 or v_asked.plain operator(extensions.<%) i.name)
     order by i.is_active desc, 10 desc, i.name, i.id
     limit search_price_book.max_results;
end $$;
ALTER FUNCTION public.search_price_book(query text, max_results integer) OWNER TO app_definer;

COMMENT ON FUNCTION public.search_price_book(query text, max_results integer) IS 'Finds items of the price book by name, SKU, category or description, also misspelt. Those no longer sold come last.';

CREATE FUNCTION public.set_config(setting_name text, setting_value text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if set_config.setting_name is distinct from 'app.current_tenant_id' then
    raise exception using errcode = 'TH403', constraint = 'setting_not_allowed',
      message = 'Only app.current_tenant_id can be set this way.';
  end if;
  if current_user <> 'service_role' then
    raise exception using errcode = 'TH403', constraint = 'setting_not_allowed',
      message = 'Only a service program can set the company this way.', hint = 'Send the header X-Company-Id.';
  end if;
  -- A value that is no id is refused here and not by every later statement.
  return pg_catalog.set_config('app.current_tenant_id', (nullif(set_config.setting_value, '')::uuid)::text, true);
end $$;
ALTER FUNCTION public.set_config(setting_name text, setting_value text) OWNER TO app_owner;

CREATE FUNCTION public.stock_by_location(inventory_id uuid) RETURNS TABLE(location_id uuid, name text, quantity numeric)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
  select p.location_id, l.name, app.stock_at(i.company_id, i.id, p.location_id)
    from public.inventory i
    cross join lateral (select distinct u.location_id
                          from public.stock_moves m cross join lateral (values (m.location_id),
                            (m.to_location_id)) u (location_id)
                         where m.company_id = i.company_id and m.inventory_id = i.id) p
    left join public.inventory_locations l on l.company_id = i.company_id and l.id = p.location_id
   where i.company_id = app.company_id() and i.id = stock_by_location.inventory_id
     and (auth.role() = 'service_role' or app.has_permission('inventory:read'))
     and app.stock_at(i.company_id, i.id, p.location_id) <> 0
   order by l.name nulls first;
$$;
ALTER FUNCTION public.stock_by_location(inventory_id uuid) OWNER TO app_definer;

COMMENT ON FUNCTION public.stock_by_location(inventory_id uuid) IS 'How much of an item lies where; no place where nobody said.';

CREATE FUNCTION public.transfer_company_ownership(new_owner_id uuid, reason text DEFAULT NULL::text) RETURNS public.companies
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_user    uuid := app.caller();
  v_company public.companies;
begin
  select * into v_company from public.companies c where c.id = app.company_id() for no key update;
  if v_company.owner_id is distinct from v_user then
    raise exception using errcode = 'TH403', constraint = 'owner_required',
      message = 'Only the owner can hand the company over.';
  end if;
  if transfer_company_ownership.new_owner_id is null or transfer_company_ownership.new_owner_id = v_user
     or not exists (select from public.team_members m
                     where m.company_id = v_company.id and m.user_id = transfer_company_ownership.new_owner_id
                       and m.status = 'active' and m.archived_at is null) then
    raise exception using errcode = 'TH422', constraint = 'new_owner_invalid',
      message = 'The new owner must be another active member of the company.';
  end if;
  perform set_config('app.change_reason', coalesce(left(transfer_company_ownership.reason, 500), ''), true);
  -- The old owner steps down first: there is never a second one.
  update public.team_members m set role = 'admin' where m.company_id = v_company.id and m.user_id = v_user;
  update public.team_members m set role = 'owner'
   where m.company_id = v_company.id and m.user_id = transfer_company_ownership.new_owner_id;
  update public.companies c set owner_id = transfer_company_ownership.new_owner_id where c.id = v_company.id
    returning * into v_company;
  insert into public.ownership_transfers (company_id, from_user_id, to_user_id, reason, user_agent)
  values (v_company.id, v_user, v_company.owner_id, left(transfer_company_ownership.reason, 500),
          left(nullif(current_setting('request.headers', true), '')::jsonb ->> 'user-agent', 500));
  perform set_config('app.change_reason', '', true);
  return v_company;
end $$;
ALTER FUNCTION public.transfer_company_ownership(new_owner_id uuid, reason text) OWNER TO app_definer;

CREATE FUNCTION public.transfer_stock(inventory_id uuid, to_location_id uuid, quantity numeric, from_location_id uuid DEFAULT NULL::uuid, reason text DEFAULT NULL::text) RETURNS public.stock_moves
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_row  public.inventory;
  v_from uuid;
  v_move public.stock_moves;
begin
  perform app.stock_company('inventory:adjust');
  perform app.check_stock_quantity(transfer_stock.quantity);
  select * into v_row from public.inventory i
   where i.company_id = app.company_id() and i.id = transfer_stock.inventory_id and i.deleted_at is null for no key update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'stock_not_found', message = 'There is no such stock.';
  end if;
  v_from := coalesce(transfer_stock.from_location_id, v_row.location_id);
  if not exists (select from public.inventory_locations l
                  where l.company_id = app.company_id() and l.id = transfer_stock.to_location_id and l.is_active)
     or v_from = transfer_stock.to_location_id then
    raise exception using errcode = 'TH422', constraint = 'stock_location_invalid',
      message = 'Stock is transferred to another active location of the company.';
  end if;
  if app.stock_at(app.company_id(), v_row.id, v_from) < transfer_stock.quantity then
    raise exception using errcode = 'TH409', constraint = 'stock_insufficient_there',
      message = format('At this location there are only %s.', app.stock_at(app.company_id(), v_row.id, v_from)),
      hint = 'Name the location from which it is taken.';
  end if;
  insert into public.stock_moves (company_id, inventory_id, location_id, to_location_id, kind, quantity, quantity_before,
    quantity_after,
                                  reserved_before, reserved_after, unit_cost, reason)
  values (app.company_id(), v_row.id, v_from, transfer_stock.to_location_id, 'transfer', transfer_stock.quantity,
    v_row.quantity_on_hand,
          v_row.quantity_on_hand, v_row.quantity_reserved, v_row.quantity_reserved, v_row.cost_per_unit,
            left(transfer_stock.reason, 2000))
  returning * into v_move;
  return v_move;
end $$;
ALTER FUNCTION public.transfer_stock(inventory_id uuid, to_location_id uuid, quantity numeric, from_location_id uuid, reason text) OWNER TO app_definer;

COMMENT ON FUNCTION public.transfer_stock(inventory_id uuid, to_location_id uuid, quantity numeric, from_location_id uuid, reason text) IS 'Moves stock from one location to another.';

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.updated_at := now();
  return new;
end $$;
ALTER FUNCTION public.update_updated_at_column() OWNER TO app_owner;

CREATE FUNCTION public.use_stock(reservation_id uuid, quantity numeric DEFAULT NULL::numeric, location_id uuid DEFAULT NULL::uuid, reason text DEFAULT NULL::text) RETURNS public.stock_reservations
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_reservation public.stock_reservations;
  v_move        public.stock_moves;
  v_quantity    numeric;
begin
  perform app.stock_company('inventory:use');
  v_reservation := app.open_reservation(app.company_id(), use_stock.reservation_id);
  v_quantity := coalesce(use_stock.quantity, v_reservation.quantity - v_reservation.quantity_used);
  perform app.check_stock_quantity(v_quantity);
  v_move.inventory_id := v_reservation.inventory_id;
  v_move.kind := 'use';
  v_move.job_id := v_reservation.job_id;
  v_move.location_id := use_stock.location_id;
  v_move.reason := use_stock.reason;
  v_move.reservation_id := v_reservation.id;
  v_reservation := app.close_reservation(v_reservation, 0, v_quantity);
  perform app.move_stock(app.company_id(), v_move, -v_quantity, -v_quantity);
  return v_reservation;
end $$;
ALTER FUNCTION public.use_stock(reservation_id uuid, quantity numeric, location_id uuid, reason text) OWNER TO app_definer;

COMMENT ON FUNCTION public.use_stock(reservation_id uuid, quantity numeric, location_id uuid, reason text) IS 'Takes what is reserved out of stock, or part of it, for the job it is reserved for.';

CREATE TABLE app.applied_code (
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY app.applied_code FORCE ROW LEVEL SECURITY;
ALTER TABLE app.applied_code OWNER TO app_owner;

CREATE TABLE app.applied_seeds (
    path text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY app.applied_seeds FORCE ROW LEVEL SECURITY;
ALTER TABLE app.applied_seeds OWNER TO app_owner;

CREATE TABLE app.audit_batches (
    company_id uuid NOT NULL,
    number bigint NOT NULL,
    first_xid xid8 NOT NULL,
    below_xid xid8 NOT NULL,
    row_count integer NOT NULL,
    row_ids uuid[] NOT NULL,
    row_digests bytea NOT NULL,
    previous_digest bytea NOT NULL,
    digest bytea NOT NULL,
    sealed_at timestamp with time zone DEFAULT now() NOT NULL,
    rows_expired_at timestamp with time zone,
    CONSTRAINT audit_batches_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT audit_batches_number_check CHECK ((number > 0)),
    CONSTRAINT audit_batches_row_count_check CHECK ((row_count > 0)),
    CONSTRAINT audit_batches_rows_check CHECK (((cardinality(row_ids) = row_count) AND (length(row_digests) = (32 * row_count))))
);
ALTER TABLE ONLY app.audit_batches FORCE ROW LEVEL SECURITY;
ALTER TABLE app.audit_batches OWNER TO app_owner;

COMMENT ON TABLE app.audit_batches IS 'Seals over the rows of audit_logs: each batch of a company holds the digest of the one before.';

CREATE TABLE app.audit_seal (
    is_only boolean DEFAULT true NOT NULL,
    below_xid xid8 DEFAULT '0'::xid8 NOT NULL,
    sealed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT audit_seal_is_only_check CHECK (is_only)
);
ALTER TABLE ONLY app.audit_seal FORCE ROW LEVEL SECURITY;
ALTER TABLE app.audit_seal OWNER TO app_owner;

COMMENT ON TABLE app.audit_seal IS 'One row: every audit row of an earlier transaction is sealed.';

CREATE TABLE app.backfills (
    version text NOT NULL,
    table_name text NOT NULL,
    statement text NOT NULL,
    last_key text[],
    rows_done bigint DEFAULT 0 NOT NULL,
    batches bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone
);
ALTER TABLE ONLY app.backfills FORCE ROW LEVEL SECURITY;
ALTER TABLE app.backfills OWNER TO app_owner;

CREATE TABLE app.counters (
    company_id uuid NOT NULL,
    name text NOT NULL,
    value bigint DEFAULT 0 NOT NULL,
    CONSTRAINT counters_name_check CHECK (((length(name) >= 1) AND (length(name) <= 63))),
    CONSTRAINT counters_value_check CHECK ((value >= 0))
);
ALTER TABLE ONLY app.counters FORCE ROW LEVEL SECURITY;
ALTER TABLE app.counters OWNER TO app_owner;

COMMENT ON TABLE app.counters IS 'The last number given, per company and kind. Taken last in a transaction: the row stays locked until commit.';

CREATE TABLE app.figure_changes (
    company_id uuid NOT NULL,
    scope text NOT NULL,
    subject uuid NOT NULL,
    month date NOT NULL,
    currency text NOT NULL,
    customers bigint DEFAULT 0 NOT NULL,
    jobs bigint DEFAULT 0 NOT NULL,
    jobs_scheduled bigint DEFAULT 0 NOT NULL,
    jobs_active bigint DEFAULT 0 NOT NULL,
    jobs_completed bigint DEFAULT 0 NOT NULL,
    worked_jobs bigint DEFAULT 0 NOT NULL,
    worked_seconds bigint DEFAULT 0 NOT NULL,
    job_revenue bigint DEFAULT 0 NOT NULL,
    invoices bigint DEFAULT 0 NOT NULL,
    revenue bigint DEFAULT 0 NOT NULL,
    paid bigint DEFAULT 0 NOT NULL,
    outstanding bigint DEFAULT 0 NOT NULL,
    collected bigint DEFAULT 0 NOT NULL,
    reviews bigint DEFAULT 0 NOT NULL,
    rating_sum bigint DEFAULT 0 NOT NULL
);
ALTER TABLE ONLY app.figure_changes FORCE ROW LEVEL SECURITY;
ALTER TABLE app.figure_changes OWNER TO app_owner;

COMMENT ON TABLE app.figure_changes IS 'Changes of sums that are not folded into app.figures yet.';

CREATE TABLE app.migrations (
    version text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    duration_ms bigint NOT NULL
);
ALTER TABLE ONLY app.migrations FORCE ROW LEVEL SECURITY;
ALTER TABLE app.migrations OWNER TO app_owner;

CREATE TABLE app.protected_tables (
    table_name text NOT NULL,
    noun text NOT NULL,
    soft_delete boolean DEFAULT false NOT NULL,
    assigned_column text,
    own_column text,
    tenant_column text,
    verbs text[] NOT NULL,
    crew_column text,
    parent_table text,
    parent_column text
);
ALTER TABLE ONLY app.protected_tables FORCE ROW LEVEL SECURITY;
ALTER TABLE app.protected_tables OWNER TO app_owner;

COMMENT ON TABLE app.protected_tables IS 'One row per table that app.protect declared; tenant_column is null for tables of no company.';

CREATE TABLE app.role_permissions (
    role text NOT NULL,
    permission text NOT NULL,
    scope text NOT NULL,
    CONSTRAINT role_permissions_permission_check CHECK (((permission ~ '^[a-z][a-z_]{0,62}:[a-z][a-z_]{0,62}$'::text) AND (permission !~ '_(assigned|own)$'::text))),
    CONSTRAINT role_permissions_role_check CHECK ((role ~ '^[a-z][a-z_]{0,62}$'::text)),
    CONSTRAINT role_permissions_scope_check CHECK ((scope = ANY (ARRAY['all'::text, 'assigned'::text, 'own'::text])))
);
ALTER TABLE ONLY app.role_permissions FORCE ROW LEVEL SECURITY;
ALTER TABLE app.role_permissions OWNER TO app_owner;

COMMENT ON TABLE app.role_permissions IS 'What each role may do, loaded from db/permissions.toml at every migrate.';

CREATE TABLE app.schema_fingerprints (
    taken_at timestamp with time zone DEFAULT now() NOT NULL,
    objects jsonb NOT NULL
);
ALTER TABLE ONLY app.schema_fingerprints FORCE ROW LEVEL SECURITY;
ALTER TABLE app.schema_fingerprints OWNER TO app_owner;

CREATE TABLE app.statuses (
    table_name text NOT NULL,
    status text NOT NULL,
    next text[] DEFAULT '{}'::text[] NOT NULL,
    needs text[] DEFAULT '{}'::text[] NOT NULL,
    is_first boolean DEFAULT false NOT NULL,
    instead text
);
ALTER TABLE ONLY app.statuses FORCE ROW LEVEL SECURITY;
ALTER TABLE app.statuses OWNER TO app_owner;

COMMENT ON TABLE app.statuses IS 'Every allowed move from status to status, and what a row needs before it may be in one.';

CREATE TABLE auth.identities (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    provider text NOT NULL,
    provider_id text NOT NULL,
    identity_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    email text GENERATED ALWAYS AS (lower((identity_data ->> 'email'::text))) STORED,
    last_sign_in_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT identities_identity_data_check CHECK ((jsonb_typeof(identity_data) = 'object'::text)),
    CONSTRAINT identities_provider_check CHECK (((length(provider) >= 1) AND (length(provider) <= 100))),
    CONSTRAINT identities_provider_id_check CHECK (((length(provider_id) >= 1) AND (length(provider_id) <= 512)))
);
ALTER TABLE ONLY auth.identities FORCE ROW LEVEL SECURITY;
ALTER TABLE auth.identities OWNER TO app_owner;

CREATE TABLE auth.sessions (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    active_company_id uuid,
    aal text DEFAULT 'aal1'::text NOT NULL,
    amr jsonb DEFAULT '[]'::jsonb NOT NULL,
    refresh_counter bigint DEFAULT 0 NOT NULL,
    refreshed_at timestamp with time zone,
    not_after timestamp with time zone,
    revoked_at timestamp with time zone,
    user_agent text,
    ip inet,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sessions_aal_check CHECK ((aal = ANY (ARRAY['aal1'::text, 'aal2'::text, 'aal3'::text]))),
    CONSTRAINT sessions_amr_check CHECK ((jsonb_typeof(amr) = 'array'::text)),
    CONSTRAINT sessions_refresh_counter_check CHECK ((refresh_counter >= 0)),
    CONSTRAINT sessions_user_agent_check CHECK ((length(user_agent) <= 1000))
);
ALTER TABLE ONLY auth.sessions FORCE ROW LEVEL SECURITY;
ALTER TABLE auth.sessions OWNER TO app_owner;

COMMENT ON COLUMN auth.sessions.ip IS 'pii:ip';

CREATE TABLE auth.users (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    aud text DEFAULT 'authenticated'::text NOT NULL,
    role text DEFAULT 'authenticated'::text NOT NULL,
    email text,
    email_key text GENERATED ALWAYS AS (lower(btrim(email))) STORED,
    encrypted_password text,
    email_confirmed_at timestamp with time zone,
    phone text,
    phone_confirmed_at timestamp with time zone,
    confirmed_at timestamp with time zone GENERATED ALWAYS AS (LEAST(email_confirmed_at, phone_confirmed_at)) STORED,
    invited_at timestamp with time zone,
    confirmation_sent_at timestamp with time zone,
    recovery_sent_at timestamp with time zone,
    email_change text,
    email_change_sent_at timestamp with time zone,
    phone_change text,
    phone_change_sent_at timestamp with time zone,
    reauthentication_sent_at timestamp with time zone,
    last_sign_in_at timestamp with time zone,
    raw_app_meta_data jsonb DEFAULT '{"provider": "email", "providers": ["email"]}'::jsonb NOT NULL,
    raw_user_meta_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    is_sso_user boolean DEFAULT false NOT NULL,
    is_anonymous boolean DEFAULT false NOT NULL,
    banned_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT users_email_check CHECK ((((length(email) >= 3) AND (length(email) <= 254)) AND (email ~~ '%_@_%'::text))),
    CONSTRAINT users_phone_check CHECK (((length(phone) >= 3) AND (length(phone) <= 32))),
    CONSTRAINT users_raw_app_meta_data_check CHECK ((jsonb_typeof(raw_app_meta_data) = 'object'::text)),
    CONSTRAINT users_raw_user_meta_data_check CHECK ((jsonb_typeof(raw_user_meta_data) = 'object'::text)),
    CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['authenticated'::text, 'service_role'::text])))
);
ALTER TABLE ONLY auth.users FORCE ROW LEVEL SECURITY;
ALTER TABLE auth.users OWNER TO app_owner;

COMMENT ON TABLE auth.users IS 'Accounts. Reached by the auth service only.';

COMMENT ON COLUMN auth.users.email IS 'pii:email';

COMMENT ON COLUMN auth.users.encrypted_password IS 'secret';

COMMENT ON COLUMN auth.users.phone IS 'pii:phone';

CREATE TABLE public.jobs (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    job_number text DEFAULT ''::text NOT NULL,
    customer_id uuid,
    property_id uuid,
    assigned_to uuid,
    title text NOT NULL,
    description text,
    status text DEFAULT 'quoted'::text NOT NULL,
    priority text DEFAULT 'medium'::text NOT NULL,
    job_type text,
    service_type text,
    scheduled_start timestamp with time zone,
    scheduled_end timestamp with time zone,
    actual_start timestamp with time zone,
    actual_end timestamp with time zone,
    estimated_duration_minutes integer,
    currency text DEFAULT 'USD'::text NOT NULL,
    total_amount bigint DEFAULT 0 NOT NULL,
    paid_amount bigint DEFAULT 0 NOT NULL,
    ai_categories jsonb,
    ai_equipment jsonb,
    ai_service_type text,
    ai_priority_score integer,
    ai_tags jsonb,
    ai_processed_at timestamp with time zone,
    booked_by_user_id uuid DEFAULT auth.uid(),
    booking_method text,
    booking_notes text,
    lead_source text,
    notes text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    crew uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    service_plan_id uuid,
    referral_customer_id uuid,
    lead_source_detail text,
    lead_temperature text,
    conversion_likelihood integer,
    marketing_campaign_id text,
    time_to_conversion integer,
    labor_rate bigint,
    labor_hours_estimated numeric(14,3),
    labor_hours_actual numeric(14,3),
    labor_burden_percent numeric(7,4),
    labor_cost_total bigint,
    materials_cost_actual bigint,
    materials_markup_percent numeric(14,3),
    materials_revenue bigint,
    equipment_cost bigint,
    subcontractor_cost bigint,
    overhead_allocation bigint,
    total_cost_actual bigint,
    total_revenue bigint,
    profit_margin_target numeric(9,4),
    profit_margin_actual numeric(9,4),
    review_opt_out boolean DEFAULT false NOT NULL,
    review_request_method text,
    review_request_sent_at timestamp with time zone,
    review_reminder_count integer DEFAULT 0 NOT NULL,
    review_last_reminder_sent_at timestamp with time zone,
    review_link_clicked boolean DEFAULT false NOT NULL,
    review_link_clicked_at timestamp with time zone,
    review_submitted boolean DEFAULT false NOT NULL,
    review_submitted_at timestamp with time zone,
    review_rating integer,
    review_text text,
    review_platform text,
    review_url text,
    review_notes text,
    review_follow_up_sent boolean DEFAULT false NOT NULL,
    review_follow_up_sent_at timestamp with time zone,
    search_vector tsvector,
    CONSTRAINT jobs_actual_check CHECK ((actual_end >= actual_start)),
    CONSTRAINT jobs_ai_priority_score_check CHECK (((ai_priority_score >= 0) AND (ai_priority_score <= 100))),
    CONSTRAINT jobs_ai_service_type_check CHECK ((ai_service_type = ANY (ARRAY['emergency'::text, 'routine'::text, 'preventive'::text, 'warranty'::text]))),
    CONSTRAINT jobs_booking_method_check CHECK ((length(booking_method) <= 60)),
    CONSTRAINT jobs_booking_notes_check CHECK ((length(booking_notes) <= 4000)),
    CONSTRAINT jobs_conversion_likelihood_check CHECK (((conversion_likelihood >= 0) AND (conversion_likelihood <= 100))),
    CONSTRAINT jobs_crew_check CHECK ((cardinality(crew) <= 100)),
    CONSTRAINT jobs_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT jobs_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT jobs_equipment_cost_check CHECK ((equipment_cost >= 0)),
    CONSTRAINT jobs_estimated_duration_minutes_check CHECK (((estimated_duration_minutes >= 0) AND (estimated_duration_minutes <= 525600))),
    CONSTRAINT jobs_job_number_check CHECK (((length(job_number) >= 1) AND (length(job_number) <= 40))),
    CONSTRAINT jobs_job_type_check CHECK ((job_type = ANY (ARRAY['service'::text, 'installation'::text, 'repair'::text, 'maintenance'::text, 'inspection'::text, 'consultation'::text]))),
    CONSTRAINT jobs_labor_burden_percent_check CHECK (((labor_burden_percent >= (0)::numeric) AND (labor_burden_percent <= (100)::numeric))),
    CONSTRAINT jobs_labor_cost_total_check CHECK ((labor_cost_total >= 0)),
    CONSTRAINT jobs_labor_hours_actual_check CHECK ((labor_hours_actual >= (0)::numeric)),
    CONSTRAINT jobs_labor_hours_estimated_check CHECK ((labor_hours_estimated >= (0)::numeric)),
    CONSTRAINT jobs_labor_rate_check CHECK ((labor_rate >= 0)),
    CONSTRAINT jobs_lead_source_check CHECK ((length(lead_source) <= 120)),
    CONSTRAINT jobs_lead_source_detail_check CHECK ((length(lead_source_detail) <= 300)),
    CONSTRAINT jobs_lead_temperature_check CHECK ((length(lead_temperature) <= 40)),
    CONSTRAINT jobs_marketing_campaign_id_check CHECK ((length(marketing_campaign_id) <= 255)),
    CONSTRAINT jobs_materials_cost_actual_check CHECK ((materials_cost_actual >= 0)),
    CONSTRAINT jobs_materials_markup_percent_check CHECK ((materials_markup_percent >= (0)::numeric)),
    CONSTRAINT jobs_materials_revenue_check CHECK ((materials_revenue >= 0)),
    CONSTRAINT jobs_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT jobs_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT jobs_overhead_allocation_check CHECK ((overhead_allocation >= 0)),
    CONSTRAINT jobs_paid_amount_check CHECK ((paid_amount >= 0)),
    CONSTRAINT jobs_priority_check CHECK ((priority = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'urgent'::text]))),
    CONSTRAINT jobs_review_notes_check CHECK ((length(review_notes) <= 20000)),
    CONSTRAINT jobs_review_platform_check CHECK ((length(review_platform) <= 60)),
    CONSTRAINT jobs_review_rating_check CHECK (((review_rating >= 1) AND (review_rating <= 5))),
    CONSTRAINT jobs_review_reminder_count_check CHECK ((review_reminder_count >= 0)),
    CONSTRAINT jobs_review_request_method_check CHECK ((review_request_method = ANY (ARRAY['email'::text, 'sms'::text, 'both'::text]))),
    CONSTRAINT jobs_review_text_check CHECK ((length(review_text) <= 20000)),
    CONSTRAINT jobs_review_url_check CHECK ((length(review_url) <= 2048)),
    CONSTRAINT jobs_schedule_check CHECK ((scheduled_end > scheduled_start)),
    CONSTRAINT jobs_service_type_check CHECK ((length(service_type) <= 120)),
    CONSTRAINT jobs_status_check CHECK ((status = ANY (ARRAY['quoted'::text, 'scheduled'::text, 'in_progress'::text, 'on_hold'::text, 'completed'::text, 'cancelled'::text, 'invoiced'::text, 'paid'::text, 'archived'::text]))),
    CONSTRAINT jobs_subcontractor_cost_check CHECK ((subcontractor_cost >= 0)),
    CONSTRAINT jobs_time_to_conversion_check CHECK ((time_to_conversion >= 0)),
    CONSTRAINT jobs_title_check CHECK (((length(btrim(title)) >= 1) AND (length(btrim(title)) <= 300))),
    CONSTRAINT jobs_total_amount_check CHECK ((total_amount >= 0)),
    CONSTRAINT jobs_total_cost_actual_check CHECK ((total_cost_actual >= 0)),
    CONSTRAINT jobs_total_revenue_check CHECK ((total_revenue >= 0))
);
ALTER TABLE ONLY public.jobs REPLICA IDENTITY FULL;
ALTER TABLE ONLY public.jobs FORCE ROW LEVEL SECURITY;
ALTER TABLE public.jobs OWNER TO app_owner;

COMMENT ON TABLE public.jobs IS 'Work done for a customer. Money is in minor units of the currency.';

COMMENT ON COLUMN public.jobs.search_vector IS 'Kept by a trigger: the words of the row by their weight.';

CREATE VIEW home_services.work_orders WITH (security_invoker='true') AS
 SELECT jobs.id,
    jobs.company_id AS tenant_id,
    jobs.customer_id,
    jobs.assigned_to AS technician_id,
    jobs.title,
    jobs.service_type,
    jobs.status,
    jobs.scheduled_start AS scheduled_at,
    jobs.actual_end AS completed_at,
    jobs.notes,
    jobs.metadata,
    jobs.created_at,
    jobs.updated_at
   FROM public.jobs
  WHERE (jobs.deleted_at IS NULL);
ALTER TABLE home_services.work_orders OWNER TO app_owner;

CREATE TABLE public.absences (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    start_time timestamp with time zone NOT NULL,
    end_time timestamp with time zone NOT NULL,
    kind text DEFAULT 'vacation'::text NOT NULL,
    status text DEFAULT 'requested'::text NOT NULL,
    reason text,
    decided_by uuid,
    decided_at timestamp with time zone,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT absences_kind_check CHECK ((kind = ANY (ARRAY['vacation'::text, 'sick'::text, 'training'::text, 'parental'::text, 'unpaid'::text, 'other'::text]))),
    CONSTRAINT absences_reason_check CHECK ((length(reason) <= 2000)),
    CONSTRAINT absences_status_check CHECK ((status = ANY (ARRAY['requested'::text, 'approved'::text, 'rejected'::text, 'cancelled'::text]))),
    CONSTRAINT absences_time_check CHECK ((end_time > start_time))
);
ALTER TABLE ONLY public.absences FORCE ROW LEVEL SECURITY;
ALTER TABLE public.absences OWNER TO app_owner;

COMMENT ON TABLE public.absences IS 'When people are away.';

CREATE TABLE public.activities (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    entity_type text NOT NULL,
    entity_id uuid NOT NULL,
    activity_type text NOT NULL,
    action text NOT NULL,
    category text DEFAULT 'user'::text NOT NULL,
    actor_id uuid,
    actor_type text DEFAULT 'user'::text NOT NULL,
    actor_name text,
    field_name text,
    old_value text,
    new_value text,
    description text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    related_entity_type text,
    related_entity_id uuid,
    job_id uuid,
    attachment_type text,
    attachment_url text,
    attachment_name text,
    ai_model text,
    automation_workflow_id uuid,
    automation_workflow_name text,
    is_important boolean DEFAULT false NOT NULL,
    is_system_generated boolean DEFAULT false NOT NULL,
    is_visible boolean DEFAULT true NOT NULL,
    occurred_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT activities_action_check CHECK (((length(action) >= 1) AND (length(action) <= 500))),
    CONSTRAINT activities_activity_type_check CHECK ((activity_type = ANY (ARRAY['status_change'::text, 'field_update'::text, 'note_added'::text, 'photo_added'::text, 'document_added'::text, 'ai_insight'::text, 'automation'::text, 'assignment_change'::text, 'communication'::text, 'created'::text, 'deleted'::text, 'restored'::text]))),
    CONSTRAINT activities_actor_name_check CHECK ((length(actor_name) <= 200)),
    CONSTRAINT activities_actor_type_check CHECK ((actor_type = ANY (ARRAY['user'::text, 'system'::text, 'ai'::text, 'automation'::text]))),
    CONSTRAINT activities_ai_model_check CHECK ((length(ai_model) <= 120)),
    CONSTRAINT activities_attachment_name_check CHECK ((length(attachment_name) <= 300)),
    CONSTRAINT activities_attachment_type_check CHECK ((attachment_type = ANY (ARRAY['photo'::text, 'document'::text, 'video'::text]))),
    CONSTRAINT activities_attachment_url_check CHECK ((length(attachment_url) <= 2048)),
    CONSTRAINT activities_automation_workflow_name_check CHECK ((length(automation_workflow_name) <= 200)),
    CONSTRAINT activities_category_check CHECK ((category = ANY (ARRAY['system'::text, 'user'::text, 'ai'::text, 'automation'::text]))),
    CONSTRAINT activities_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT activities_entity_type_check CHECK (((length(entity_type) >= 1) AND (length(entity_type) <= 60))),
    CONSTRAINT activities_field_name_check CHECK ((length(field_name) <= 120)),
    CONSTRAINT activities_id_check CHECK (((get_byte(uuid_send(id), 6) >> 4) = 7)),
    CONSTRAINT activities_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT activities_new_value_check CHECK ((length(new_value) <= 20000)),
    CONSTRAINT activities_old_value_check CHECK ((length(old_value) <= 20000)),
    CONSTRAINT activities_related_entity_type_check CHECK ((length(related_entity_type) <= 60))
)
PARTITION BY RANGE (id);
ALTER TABLE ONLY public.activities FORCE ROW LEVEL SECURITY;
ALTER TABLE public.activities OWNER TO app_owner;

COMMENT ON TABLE public.activities IS 'What happened, in words for people. Written by triggers. Partitioned by the month in the id.';

COMMENT ON COLUMN public.activities.actor_name IS 'pii:name';

CREATE TABLE public.api_keys (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    key_hash text,
    key_prefix text NOT NULL,
    permissions text[] DEFAULT '{}'::text[] NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    last_used_ip inet,
    revoked_at timestamp with time zone,
    revoked_by uuid,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT api_keys_key_hash_check CHECK ((key_hash ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT api_keys_key_prefix_check CHECK (((length(key_prefix) >= 1) AND (length(key_prefix) <= 20))),
    CONSTRAINT api_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT api_keys_permissions_check CHECK ((cardinality(permissions) <= 100))
);
ALTER TABLE ONLY public.api_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE public.api_keys OWNER TO app_owner;

COMMENT ON TABLE public.api_keys IS 'Keys of programs that work for a company. Only the digest is kept.';

COMMENT ON COLUMN public.api_keys.key_hash IS 'secret';

COMMENT ON COLUMN public.api_keys.last_used_ip IS 'pii:ip';

CREATE TABLE public.api_rate_limits (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    company_id uuid,
    user_id uuid,
    identifier_type text NOT NULL,
    identifier_value text NOT NULL,
    endpoint text DEFAULT '*'::text NOT NULL,
    request_count integer DEFAULT 1 NOT NULL,
    window_start timestamp with time zone NOT NULL,
    window_end timestamp with time zone NOT NULL,
    window_size interval DEFAULT '01:00:00'::interval NOT NULL,
    rate_limit integer NOT NULL,
    is_blocked boolean DEFAULT false NOT NULL,
    blocked_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT api_rate_limits_endpoint_check CHECK (((length(endpoint) >= 1) AND (length(endpoint) <= 500))),
    CONSTRAINT api_rate_limits_identifier_type_check CHECK ((identifier_type = ANY (ARRAY['company'::text, 'user'::text, 'ip'::text, 'api_key'::text]))),
    CONSTRAINT api_rate_limits_identifier_value_check CHECK (((length(identifier_value) >= 1) AND (length(identifier_value) <= 255))),
    CONSTRAINT api_rate_limits_rate_limit_check CHECK ((rate_limit > 0)),
    CONSTRAINT api_rate_limits_request_count_check CHECK ((request_count >= 0)),
    CONSTRAINT api_rate_limits_window_check CHECK ((window_end > window_start))
);
ALTER TABLE ONLY public.api_rate_limits FORCE ROW LEVEL SECURITY;
ALTER TABLE public.api_rate_limits OWNER TO app_owner;

COMMENT ON TABLE public.api_rate_limits IS 'How often somebody asked within a window. Reached by the service only.';

CREATE TABLE public.attachments (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    entity_type text NOT NULL,
    entity_id uuid NOT NULL,
    job_id uuid,
    file_id uuid,
    parent_id uuid,
    file_name text NOT NULL,
    original_file_name text NOT NULL,
    file_size bigint DEFAULT 0 NOT NULL,
    mime_type text NOT NULL,
    file_extension text,
    storage_provider text DEFAULT 'supabase'::text NOT NULL,
    storage_url text DEFAULT ''::text NOT NULL,
    storage_path text NOT NULL,
    storage_bucket text,
    is_image boolean DEFAULT false NOT NULL,
    is_document boolean DEFAULT false NOT NULL,
    is_video boolean DEFAULT false NOT NULL,
    width integer,
    height integer,
    duration integer,
    thumbnail_url text,
    category text,
    tags jsonb,
    description text,
    folder_path text,
    is_favorite boolean DEFAULT false NOT NULL,
    is_public boolean DEFAULT false NOT NULL,
    is_internal boolean DEFAULT false NOT NULL,
    checksum text,
    virus_scan_status text DEFAULT 'pending'::text NOT NULL,
    virus_scan_result text,
    virus_scanned_at timestamp with time zone,
    expiry_date timestamp with time zone,
    access_count bigint DEFAULT 0 NOT NULL,
    download_count bigint DEFAULT 0 NOT NULL,
    last_accessed_at timestamp with time zone,
    last_accessed_by uuid,
    last_downloaded_at timestamp with time zone,
    uploaded_by uuid DEFAULT auth.uid(),
    uploaded_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT attachments_access_count_check CHECK ((access_count >= 0)),
    CONSTRAINT attachments_category_check CHECK ((category = ANY (ARRAY['photo'::text, 'document'::text, 'receipt'::text, 'manual'::text, 'warranty'::text, 'other'::text]))),
    CONSTRAINT attachments_checksum_check CHECK ((length(checksum) <= 128)),
    CONSTRAINT attachments_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT attachments_download_count_check CHECK ((download_count >= 0)),
    CONSTRAINT attachments_duration_check CHECK ((duration >= 0)),
    CONSTRAINT attachments_entity_type_check CHECK ((entity_type = ANY (ARRAY['job'::text, 'customer'::text, 'invoice'::text, 'estimate'::text, 'equipment'::text, 'property'::text, 'communication'::text, 'payment'::text, 'contract'::text, 'purchase_order'::text]))),
    CONSTRAINT attachments_file_extension_check CHECK ((length(file_extension) <= 20)),
    CONSTRAINT attachments_file_name_check CHECK (((length(file_name) >= 1) AND (length(file_name) <= 300))),
    CONSTRAINT attachments_file_size_check CHECK ((file_size >= 0)),
    CONSTRAINT attachments_folder_path_check CHECK ((length(folder_path) <= 1024)),
    CONSTRAINT attachments_height_check CHECK ((height >= 0)),
    CONSTRAINT attachments_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT attachments_mime_type_check CHECK (((length(mime_type) >= 1) AND (length(mime_type) <= 200))),
    CONSTRAINT attachments_original_file_name_check CHECK (((length(original_file_name) >= 1) AND (length(original_file_name) <= 300))),
    CONSTRAINT attachments_storage_bucket_check CHECK ((length(storage_bucket) <= 100)),
    CONSTRAINT attachments_storage_path_check CHECK (((length(storage_path) >= 1) AND (length(storage_path) <= 1024))),
    CONSTRAINT attachments_storage_provider_check CHECK ((storage_provider = ANY (ARRAY['supabase'::text, 's3'::text, 'cloudinary'::text, 'local'::text]))),
    CONSTRAINT attachments_storage_url_check CHECK ((length(storage_url) <= 2048)),
    CONSTRAINT attachments_thumbnail_url_check CHECK ((length(thumbnail_url) <= 2048)),
    CONSTRAINT attachments_virus_scan_result_check CHECK ((length(virus_scan_result) <= 500)),
    CONSTRAINT attachments_virus_scan_status_check CHECK ((virus_scan_status = ANY (ARRAY['pending'::text, 'scanning'::text, 'clean'::text, 'infected'::text, 'failed'::text, 'skipped'::text]))),
    CONSTRAINT attachments_width_check CHECK ((width >= 0))
);
ALTER TABLE ONLY public.attachments FORCE ROW LEVEL SECURITY;
ALTER TABLE public.attachments OWNER TO app_owner;

COMMENT ON TABLE public.attachments IS 'Files of jobs, customers, invoices and the like.';

CREATE VIEW public.audit_log WITH (security_invoker='true') AS
 SELECT audit_logs.id,
    audit_logs.company_id,
    COALESCE(audit_logs.table_name, audit_logs.entity_type) AS table_name,
    audit_logs.entity_id AS record_id,
        CASE audit_logs.action
            WHEN 'create'::text THEN 'INSERT'::text
            WHEN 'update'::text THEN 'UPDATE'::text
            WHEN 'restore'::text THEN 'UPDATE'::text
            WHEN 'delete'::text THEN 'DELETE'::text
            ELSE audit_logs.action
        END AS operation,
    audit_logs.old_values,
    audit_logs.new_values,
    audit_logs.changed_fields,
    audit_logs.user_id,
    audit_logs.ip_address,
    audit_logs.user_agent,
    audit_logs.created_at AS "timestamp"
   FROM public.audit_logs;
ALTER TABLE public.audit_log OWNER TO app_owner;

COMMENT ON VIEW public.audit_log IS 'audit_logs, as other programs call it and its columns.';

CREATE TABLE public.background_jobs (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    job_type text NOT NULL,
    job_name text,
    priority integer DEFAULT 0 NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    started_at timestamp with time zone,
    completed_at timestamp with time zone,
    failed_at timestamp with time zone,
    error_message text,
    error_stack text,
    retry_count integer DEFAULT 0 NOT NULL,
    max_retries integer DEFAULT 3 NOT NULL,
    next_retry_at timestamp with time zone,
    progress_percent integer DEFAULT 0 NOT NULL,
    progress_message text,
    result jsonb,
    scheduled_for timestamp with time zone,
    run_at timestamp with time zone,
    worker_id text,
    execution_time_ms integer,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT background_jobs_error_message_check CHECK ((length(error_message) <= 4000)),
    CONSTRAINT background_jobs_error_stack_check CHECK ((length(error_stack) <= 20000)),
    CONSTRAINT background_jobs_execution_time_ms_check CHECK ((execution_time_ms >= 0)),
    CONSTRAINT background_jobs_job_name_check CHECK ((length(job_name) <= 200)),
    CONSTRAINT background_jobs_job_type_check CHECK (((length(job_type) >= 1) AND (length(job_type) <= 120))),
    CONSTRAINT background_jobs_max_retries_check CHECK ((max_retries >= 0)),
    CONSTRAINT background_jobs_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT background_jobs_payload_check CHECK ((jsonb_typeof(payload) = 'object'::text)),
    CONSTRAINT background_jobs_progress_message_check CHECK ((length(progress_message) <= 500)),
    CONSTRAINT background_jobs_progress_percent_check CHECK (((progress_percent >= 0) AND (progress_percent <= 100))),
    CONSTRAINT background_jobs_retry_count_check CHECK ((retry_count >= 0)),
    CONSTRAINT background_jobs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'completed'::text, 'failed'::text, 'cancelled'::text]))),
    CONSTRAINT background_jobs_worker_id_check CHECK ((length(worker_id) <= 120))
);
ALTER TABLE ONLY public.background_jobs FORCE ROW LEVEL SECURITY;
ALTER TABLE public.background_jobs OWNER TO app_owner;

COMMENT ON TABLE public.background_jobs IS 'Background work of a company.';

CREATE TABLE public.bookings (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    schedule_id uuid NOT NULL,
    user_id uuid NOT NULL,
    start_time timestamp with time zone NOT NULL,
    end_time timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY public.bookings FORCE ROW LEVEL SECURITY;
ALTER TABLE public.bookings OWNER TO app_owner;

COMMENT ON TABLE public.bookings IS 'Who is taken when: a row for each person of a schedule that blocks, written by triggers only.';

CREATE TABLE public.chats (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    title text DEFAULT 'New chat'::text NOT NULL,
    user_id uuid DEFAULT auth.uid() NOT NULL,
    visibility text DEFAULT 'private'::text NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT chats_title_check CHECK ((length(title) <= 300)),
    CONSTRAINT chats_visibility_check CHECK ((visibility = ANY (ARRAY['public'::text, 'private'::text])))
);
ALTER TABLE ONLY public.chats FORCE ROW LEVEL SECURITY;
ALTER TABLE public.chats OWNER TO app_owner;

COMMENT ON TABLE public.chats IS 'Conversations with the assistant.';

COMMENT ON COLUMN public.chats.title IS 'pii:text';

CREATE TABLE public.communications (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid,
    job_id uuid,
    estimate_id uuid,
    invoice_id uuid,
    type text NOT NULL,
    direction text DEFAULT 'outbound'::text NOT NULL,
    channel text,
    from_address text,
    from_name text,
    to_address text DEFAULT ''::text NOT NULL,
    to_name text,
    cc_addresses jsonb DEFAULT '[]'::jsonb NOT NULL,
    bcc_addresses jsonb DEFAULT '[]'::jsonb NOT NULL,
    subject text,
    body text DEFAULT ''::text NOT NULL,
    body_html text,
    body_plain text,
    attachments jsonb DEFAULT '[]'::jsonb NOT NULL,
    attachment_count bigint DEFAULT 0 NOT NULL,
    thread_id uuid,
    parent_id uuid,
    is_thread_starter boolean DEFAULT true NOT NULL,
    status text DEFAULT 'draft'::text NOT NULL,
    failure_reason text,
    retry_count integer DEFAULT 0 NOT NULL,
    read_at timestamp with time zone,
    opened_at timestamp with time zone,
    clicked_at timestamp with time zone,
    open_count bigint DEFAULT 0 NOT NULL,
    click_count bigint DEFAULT 0 NOT NULL,
    call_duration integer,
    call_recording_url text,
    call_transcript text,
    call_sentiment text,
    answering_machine_detected boolean,
    call_answered_at timestamp with time zone,
    call_ended_at timestamp with time zone,
    hangup_cause text,
    hangup_source text,
    recording_channels text,
    phone_number_id text,
    telnyx_call_control_id text,
    telnyx_call_session_id text,
    telnyx_message_id text,
    sent_by uuid,
    assigned_to uuid,
    provider_message_id text,
    provider_status text,
    provider_metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    cost bigint,
    template_id uuid,
    automation_workflow_id uuid,
    is_automated boolean DEFAULT false NOT NULL,
    category text,
    priority text DEFAULT 'normal'::text NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    is_internal boolean DEFAULT false NOT NULL,
    is_archived boolean DEFAULT false NOT NULL,
    snoozed_until timestamp with time zone,
    sent_at timestamp with time zone,
    delivered_at timestamp with time zone,
    scheduled_for timestamp with time zone,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT communications_attachment_count_check CHECK ((attachment_count >= 0)),
    CONSTRAINT communications_attachments_check CHECK ((jsonb_typeof(attachments) = 'array'::text)),
    CONSTRAINT communications_bcc_addresses_check CHECK ((jsonb_typeof(bcc_addresses) = 'array'::text)),
    CONSTRAINT communications_body_check CHECK ((length(body) <= 1000000)),
    CONSTRAINT communications_body_html_check CHECK ((length(body_html) <= 1000000)),
    CONSTRAINT communications_body_plain_check CHECK ((length(body_plain) <= 1000000)),
    CONSTRAINT communications_call_duration_check CHECK ((call_duration >= 0)),
    CONSTRAINT communications_call_recording_url_check CHECK ((length(call_recording_url) <= 2048)),
    CONSTRAINT communications_call_sentiment_check CHECK ((call_sentiment = ANY (ARRAY['positive'::text, 'neutral'::text, 'negative'::text]))),
    CONSTRAINT communications_call_transcript_check CHECK ((length(call_transcript) <= 1000000)),
    CONSTRAINT communications_category_check CHECK ((category = ANY (ARRAY['support'::text, 'sales'::text, 'billing'::text, 'general'::text, 'spam'::text]))),
    CONSTRAINT communications_cc_addresses_check CHECK ((jsonb_typeof(cc_addresses) = 'array'::text)),
    CONSTRAINT communications_channel_check CHECK ((channel = ANY (ARRAY['twilio'::text, 'telnyx'::text, 'sendgrid'::text, 'resend'::text, 'gmail'::text, 'smtp'::text, 'internal'::text]))),
    CONSTRAINT communications_click_count_check CHECK ((click_count >= 0)),
    CONSTRAINT communications_cost_check CHECK ((cost >= 0)),
    CONSTRAINT communications_direction_check CHECK ((direction = ANY (ARRAY['inbound'::text, 'outbound'::text]))),
    CONSTRAINT communications_failure_reason_check CHECK ((length(failure_reason) <= 2000)),
    CONSTRAINT communications_from_address_check CHECK ((length(from_address) <= 320)),
    CONSTRAINT communications_from_name_check CHECK ((length(from_name) <= 200)),
    CONSTRAINT communications_hangup_cause_check CHECK ((length(hangup_cause) <= 120)),
    CONSTRAINT communications_hangup_source_check CHECK ((length(hangup_source) <= 120)),
    CONSTRAINT communications_id_check CHECK (((get_byte(uuid_send(id), 6) >> 4) = 7)),
    CONSTRAINT communications_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT communications_open_count_check CHECK ((open_count >= 0)),
    CONSTRAINT communications_phone_number_id_check CHECK ((length(phone_number_id) <= 255)),
    CONSTRAINT communications_priority_check CHECK ((priority = ANY (ARRAY['low'::text, 'normal'::text, 'high'::text, 'urgent'::text]))),
    CONSTRAINT communications_provider_message_id_check CHECK ((length(provider_message_id) <= 255)),
    CONSTRAINT communications_provider_metadata_check CHECK ((jsonb_typeof(provider_metadata) = 'object'::text)),
    CONSTRAINT communications_provider_status_check CHECK ((length(provider_status) <= 120)),
    CONSTRAINT communications_recording_channels_check CHECK ((length(recording_channels) <= 20)),
    CONSTRAINT communications_retry_count_check CHECK ((retry_count >= 0)),
    CONSTRAINT communications_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'queued'::text, 'scheduled'::text, 'sending'::text, 'sent'::text, 'delivered'::text, 'failed'::text, 'read'::text, 'received'::text]))),
    CONSTRAINT communications_subject_check CHECK ((length(subject) <= 998)),
    CONSTRAINT communications_tags_check CHECK ((cardinality(tags) <= 100)),
    CONSTRAINT communications_telnyx_call_control_id_check CHECK ((length(telnyx_call_control_id) <= 255)),
    CONSTRAINT communications_telnyx_call_session_id_check CHECK ((length(telnyx_call_session_id) <= 255)),
    CONSTRAINT communications_telnyx_message_id_check CHECK ((length(telnyx_message_id) <= 255)),
    CONSTRAINT communications_to_address_check CHECK ((length(to_address) <= 320)),
    CONSTRAINT communications_to_name_check CHECK ((length(to_name) <= 200)),
    CONSTRAINT communications_type_check CHECK ((type = ANY (ARRAY['email'::text, 'sms'::text, 'phone'::text, 'chat'::text, 'note'::text])))
)
PARTITION BY RANGE (id);
ALTER TABLE ONLY public.communications FORCE ROW LEVEL SECURITY;
ALTER TABLE public.communications OWNER TO app_owner;

COMMENT ON TABLE public.communications IS 'Messages and calls to and from customers. Partitioned by the month in the id.';

COMMENT ON COLUMN public.communications.from_address IS 'pii:contact';

COMMENT ON COLUMN public.communications.from_name IS 'pii:name';

COMMENT ON COLUMN public.communications.to_address IS 'pii:contact';

COMMENT ON COLUMN public.communications.to_name IS 'pii:name';

COMMENT ON COLUMN public.communications.cc_addresses IS 'pii:contact';

COMMENT ON COLUMN public.communications.bcc_addresses IS 'pii:contact';

COMMENT ON COLUMN public.communications.subject IS 'pii:text';

COMMENT ON COLUMN public.communications.body IS 'pii:text';

COMMENT ON COLUMN public.communications.body_html IS 'pii:text';

COMMENT ON COLUMN public.communications.body_plain IS 'pii:text';

COMMENT ON COLUMN public.communications.call_transcript IS 'pii:text';

CREATE TABLE public.company_holidays (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    holiday_date date NOT NULL,
    is_recurring boolean DEFAULT false NOT NULL,
    is_working_day boolean DEFAULT false NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT company_holidays_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);
ALTER TABLE ONLY public.company_holidays FORCE ROW LEVEL SECURITY;
ALTER TABLE public.company_holidays OWNER TO app_owner;

COMMENT ON TABLE public.company_holidays IS 'Days on which a company does not work.';

CREATE TABLE public.company_settings (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    hours_of_operation jsonb DEFAULT '{}'::jsonb NOT NULL,
    service_area_type text DEFAULT 'locations'::text,
    service_radius integer DEFAULT 25 NOT NULL,
    service_areas jsonb DEFAULT '[]'::jsonb NOT NULL,
    address text,
    address2 text,
    city text,
    state text,
    zip_code text,
    country text DEFAULT 'USA'::text NOT NULL,
    company_feed_enabled boolean DEFAULT true NOT NULL,
    feed_visibility text DEFAULT 'all_team'::text NOT NULL,
    invoice_due_days integer DEFAULT 30 NOT NULL,
    estimate_valid_days integer DEFAULT 30 NOT NULL,
    default_tax_rate numeric(7,4) DEFAULT 0 NOT NULL,
    retention jsonb DEFAULT '{}'::jsonb NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT company_settings_address2_check CHECK ((length(address2) <= 300)),
    CONSTRAINT company_settings_address_check CHECK ((length(address) <= 300)),
    CONSTRAINT company_settings_city_check CHECK ((length(city) <= 120)),
    CONSTRAINT company_settings_country_check CHECK ((country ~ '^[A-Z]{2,3}$'::text)),
    CONSTRAINT company_settings_default_tax_rate_check CHECK (((default_tax_rate >= (0)::numeric) AND (default_tax_rate <= (100)::numeric))),
    CONSTRAINT company_settings_estimate_valid_days_check CHECK (((estimate_valid_days >= 1) AND (estimate_valid_days <= 365))),
    CONSTRAINT company_settings_feed_visibility_check CHECK ((feed_visibility = ANY (ARRAY['all_team'::text, 'managers'::text, 'owner'::text]))),
    CONSTRAINT company_settings_hours_of_operation_check CHECK ((jsonb_typeof(hours_of_operation) = 'object'::text)),
    CONSTRAINT company_settings_invoice_due_days_check CHECK (((invoice_due_days >= 0) AND (invoice_due_days <= 365))),
    CONSTRAINT company_settings_retention_check CHECK ((jsonb_typeof(retention) = 'object'::text)),
    CONSTRAINT company_settings_service_area_type_check CHECK ((service_area_type = ANY (ARRAY['radius'::text, 'locations'::text]))),
    CONSTRAINT company_settings_service_areas_check CHECK ((jsonb_typeof(service_areas) = 'array'::text)),
    CONSTRAINT company_settings_service_radius_check CHECK ((service_radius >= 0)),
    CONSTRAINT company_settings_state_check CHECK ((length(state) <= 120)),
    CONSTRAINT company_settings_zip_code_check CHECK ((length(zip_code) <= 20))
);
ALTER TABLE ONLY public.company_settings FORCE ROW LEVEL SECURITY;
ALTER TABLE public.company_settings OWNER TO app_owner;

COMMENT ON TABLE public.company_settings IS 'One row a company: hours, service area, how it wants to be shown.';

CREATE TABLE public.contracts (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    job_id uuid,
    estimate_id uuid,
    invoice_id uuid,
    customer_id uuid,
    contract_number text DEFAULT ''::text NOT NULL,
    title text NOT NULL,
    description text,
    content text NOT NULL,
    status text DEFAULT 'draft'::text NOT NULL,
    contract_type text DEFAULT 'service'::text NOT NULL,
    signer_name text,
    signer_email text,
    signer_title text,
    signer_company text,
    signature text,
    signed_at timestamp with time zone,
    ip_address text,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    terms text,
    notes text,
    template_id uuid,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    sent_at timestamp with time zone,
    viewed_at timestamp with time zone,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    search_vector tsvector,
    CONSTRAINT contracts_content_check CHECK ((length(content) <= 1000000)),
    CONSTRAINT contracts_contract_number_check CHECK ((length(contract_number) <= 40)),
    CONSTRAINT contracts_contract_type_check CHECK ((contract_type = ANY (ARRAY['service'::text, 'maintenance'::text, 'custom'::text]))),
    CONSTRAINT contracts_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT contracts_ip_address_check CHECK ((length(ip_address) <= 64)),
    CONSTRAINT contracts_link_check CHECK (((estimate_id IS NOT NULL) OR (invoice_id IS NOT NULL))),
    CONSTRAINT contracts_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT contracts_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT contracts_signature_check CHECK ((length(signature) <= 1000000)),
    CONSTRAINT contracts_signer_company_check CHECK ((length(signer_company) <= 200)),
    CONSTRAINT contracts_signer_email_check CHECK ((((length(signer_email) >= 3) AND (length(signer_email) <= 254)) AND (signer_email ~ '^[^@\s]+@[^@\s]+$'::text))),
    CONSTRAINT contracts_signer_name_check CHECK ((length(signer_name) <= 200)),
    CONSTRAINT contracts_signer_title_check CHECK ((length(signer_title) <= 120)),
    CONSTRAINT contracts_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'sent'::text, 'viewed'::text, 'signed'::text, 'rejected'::text, 'expired'::text, 'cancelled'::text, 'archived'::text]))),
    CONSTRAINT contracts_terms_check CHECK ((length(terms) <= 20000)),
    CONSTRAINT contracts_title_check CHECK (((length(title) >= 1) AND (length(title) <= 300))),
    CONSTRAINT contracts_validity_check CHECK ((valid_until > valid_from))
);
ALTER TABLE ONLY public.contracts FORCE ROW LEVEL SECURITY;
ALTER TABLE public.contracts OWNER TO app_owner;

COMMENT ON TABLE public.contracts IS 'Texts that customers sign.';

COMMENT ON COLUMN public.contracts.signer_name IS 'pii:name';

COMMENT ON COLUMN public.contracts.signer_email IS 'pii:email';

COMMENT ON COLUMN public.contracts.signature IS 'pii:signature';

COMMENT ON COLUMN public.contracts.ip_address IS 'pii:ip';

COMMENT ON COLUMN public.contracts.search_vector IS 'Kept by a trigger: the words of the row by their weight.';

CREATE TABLE public.credit_notes (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    invoice_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    credit_note_number text DEFAULT ''::text NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    amount bigint NOT NULL,
    reason text NOT NULL,
    issued_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT credit_notes_amount_check CHECK ((amount > 0)),
    CONSTRAINT credit_notes_credit_note_number_check CHECK ((length(credit_note_number) <= 40)),
    CONSTRAINT credit_notes_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT credit_notes_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 2000)))
);
ALTER TABLE ONLY public.credit_notes FORCE ROW LEVEL SECURITY;
ALTER TABLE public.credit_notes OWNER TO app_owner;

COMMENT ON TABLE public.credit_notes IS 'What was taken back of issued invoices. Numbers are gapless.';

CREATE TABLE public.custom_field_values (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    custom_field_id uuid NOT NULL,
    entity_id uuid NOT NULL,
    value jsonb,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY public.custom_field_values FORCE ROW LEVEL SECURITY;
ALTER TABLE public.custom_field_values OWNER TO app_owner;

COMMENT ON TABLE public.custom_field_values IS 'What stands in them.';

CREATE TABLE public.custom_fields (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    entity_type text NOT NULL,
    name text NOT NULL,
    field_key text NOT NULL,
    field_type text DEFAULT 'text'::text NOT NULL,
    options jsonb DEFAULT '[]'::jsonb NOT NULL,
    is_required boolean DEFAULT false NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    sort_order integer DEFAULT 0 NOT NULL,
    help_text text,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT custom_fields_entity_type_check CHECK ((entity_type = ANY (ARRAY['customer'::text, 'property'::text, 'job'::text, 'equipment'::text, 'estimate'::text, 'invoice'::text, 'vendor'::text, 'price_book_item'::text]))),
    CONSTRAINT custom_fields_field_key_check CHECK (((length(field_key) <= 60) AND (field_key ~ '^[a-z][a-z0-9_]*$'::text))),
    CONSTRAINT custom_fields_field_type_check CHECK ((field_type = ANY (ARRAY['text'::text, 'number'::text, 'boolean'::text, 'date'::text, 'select'::text, 'multi_select'::text, 'url'::text]))),
    CONSTRAINT custom_fields_help_text_check CHECK ((length(help_text) <= 2000)),
    CONSTRAINT custom_fields_name_check CHECK (((length(name) >= 1) AND (length(name) <= 120))),
    CONSTRAINT custom_fields_options_check CHECK ((jsonb_typeof(options) = 'array'::text)),
    CONSTRAINT custom_fields_sort_order_check CHECK ((sort_order >= 0))
);
ALTER TABLE ONLY public.custom_fields FORCE ROW LEVEL SECURITY;
ALTER TABLE public.custom_fields OWNER TO app_owner;

COMMENT ON TABLE public.custom_fields IS 'Fields that a company adds to its own things.';

CREATE TABLE public.custom_roles (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    description text,
    permissions jsonb DEFAULT '{}'::jsonb NOT NULL,
    color text,
    is_system boolean DEFAULT false NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT custom_roles_color_check CHECK ((length(color) <= 32)),
    CONSTRAINT custom_roles_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT custom_roles_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 120))),
    CONSTRAINT custom_roles_permissions_check CHECK ((jsonb_typeof(permissions) = 'object'::text))
);
ALTER TABLE ONLY public.custom_roles FORCE ROW LEVEL SECURITY;
ALTER TABLE public.custom_roles OWNER TO app_owner;

COMMENT ON COLUMN public.custom_roles.permissions IS 'Permission to true or false, laid over the member''s role.';

CREATE TABLE public.customer_addresses (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid NOT NULL,
    property_id uuid,
    label text DEFAULT 'Address'::text NOT NULL,
    kind text DEFAULT 'other'::text NOT NULL,
    address text NOT NULL,
    address2 text,
    city text NOT NULL,
    state text NOT NULL,
    zip_code text NOT NULL,
    country text DEFAULT 'USA'::text NOT NULL,
    lat double precision,
    lon double precision,
    is_default boolean DEFAULT false NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT customer_addresses_address2_check CHECK ((length(address2) <= 300)),
    CONSTRAINT customer_addresses_address_check CHECK (((length(address) >= 1) AND (length(address) <= 300))),
    CONSTRAINT customer_addresses_city_check CHECK (((length(city) >= 1) AND (length(city) <= 120))),
    CONSTRAINT customer_addresses_country_check CHECK ((country ~ '^[A-Z]{2,3}$'::text)),
    CONSTRAINT customer_addresses_kind_check CHECK ((kind = ANY (ARRAY['billing'::text, 'mailing'::text, 'service'::text, 'other'::text]))),
    CONSTRAINT customer_addresses_label_check CHECK ((length(label) <= 120)),
    CONSTRAINT customer_addresses_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT customer_addresses_lon_check CHECK (((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))),
    CONSTRAINT customer_addresses_state_check CHECK (((length(state) >= 1) AND (length(state) <= 120))),
    CONSTRAINT customer_addresses_zip_code_check CHECK (((length(zip_code) >= 1) AND (length(zip_code) <= 20)))
);
ALTER TABLE ONLY public.customer_addresses FORCE ROW LEVEL SECURITY;
ALTER TABLE public.customer_addresses OWNER TO app_owner;

COMMENT ON TABLE public.customer_addresses IS 'Addresses of a customer beside his properties.';

COMMENT ON COLUMN public.customer_addresses.address IS 'pii:address';

COMMENT ON COLUMN public.customer_addresses.address2 IS 'pii:address';

CREATE TABLE public.customer_contacts (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid NOT NULL,
    first_name text DEFAULT ''::text NOT NULL,
    last_name text DEFAULT ''::text NOT NULL,
    title text,
    role text DEFAULT 'other'::text NOT NULL,
    email text,
    phone text,
    mobile_phone text,
    is_primary boolean DEFAULT false NOT NULL,
    is_billing boolean DEFAULT false NOT NULL,
    notes text,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT customer_contacts_email_check CHECK ((((length(email) >= 3) AND (length(email) <= 254)) AND (email ~ '^[^@\s]+@[^@\s]+$'::text))),
    CONSTRAINT customer_contacts_first_name_check CHECK ((length(first_name) <= 120)),
    CONSTRAINT customer_contacts_last_name_check CHECK ((length(last_name) <= 120)),
    CONSTRAINT customer_contacts_mobile_phone_check CHECK ((mobile_phone ~ '^[+][1-9][0-9]{6,14}$'::text)),
    CONSTRAINT customer_contacts_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT customer_contacts_phone_check CHECK ((phone ~ '^[+][1-9][0-9]{6,14}$'::text)),
    CONSTRAINT customer_contacts_role_check CHECK ((role = ANY (ARRAY['primary'::text, 'billing'::text, 'site'::text, 'emergency'::text, 'other'::text]))),
    CONSTRAINT customer_contacts_title_check CHECK ((length(title) <= 120))
);
ALTER TABLE ONLY public.customer_contacts FORCE ROW LEVEL SECURITY;
ALTER TABLE public.customer_contacts OWNER TO app_owner;

COMMENT ON TABLE public.customer_contacts IS 'People to speak to at a customer.';

COMMENT ON COLUMN public.customer_contacts.email IS 'pii:email';

COMMENT ON COLUMN public.customer_contacts.phone IS 'pii:phone';

COMMENT ON COLUMN public.customer_contacts.mobile_phone IS 'pii:phone';

CREATE TABLE public.customer_reviews (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid NOT NULL,
    job_id uuid,
    technician_id uuid,
    rating integer NOT NULL,
    title text,
    review_text text,
    professionalism_rating integer,
    quality_rating integer,
    timeliness_rating integer,
    communication_rating integer,
    sentiment_score numeric(3,2),
    sentiment_label text,
    source text DEFAULT 'platform'::text NOT NULL,
    is_verified boolean DEFAULT false NOT NULL,
    is_public boolean DEFAULT false NOT NULL,
    response_text text,
    responded_by uuid,
    responded_at timestamp with time zone,
    is_flagged boolean DEFAULT false NOT NULL,
    flag_reason text,
    moderation_status text DEFAULT 'pending'::text NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT customer_reviews_communication_rating_check CHECK (((communication_rating >= 1) AND (communication_rating <= 5))),
    CONSTRAINT customer_reviews_flag_reason_check CHECK ((length(flag_reason) <= 500)),
    CONSTRAINT customer_reviews_moderation_status_check CHECK ((moderation_status = ANY (ARRAY['pending'::text, 'approved'::text, 'rejected'::text]))),
    CONSTRAINT customer_reviews_professionalism_rating_check CHECK (((professionalism_rating >= 1) AND (professionalism_rating <= 5))),
    CONSTRAINT customer_reviews_quality_rating_check CHECK (((quality_rating >= 1) AND (quality_rating <= 5))),
    CONSTRAINT customer_reviews_rating_check CHECK (((rating >= 1) AND (rating <= 5))),
    CONSTRAINT customer_reviews_response_text_check CHECK ((length(response_text) <= 20000)),
    CONSTRAINT customer_reviews_review_text_check CHECK ((length(review_text) <= 20000)),
    CONSTRAINT customer_reviews_sentiment_label_check CHECK ((length(sentiment_label) <= 40)),
    CONSTRAINT customer_reviews_sentiment_score_check CHECK (((sentiment_score >= ('-1'::integer)::numeric) AND (sentiment_score <= (1)::numeric))),
    CONSTRAINT customer_reviews_source_check CHECK ((source = ANY (ARRAY['platform'::text, 'email'::text, 'sms'::text, 'google'::text, 'yelp'::text, 'facebook'::text]))),
    CONSTRAINT customer_reviews_timeliness_rating_check CHECK (((timeliness_rating >= 1) AND (timeliness_rating <= 5))),
    CONSTRAINT customer_reviews_title_check CHECK ((length(title) <= 200))
);
ALTER TABLE ONLY public.customer_reviews FORCE ROW LEVEL SECURITY;
ALTER TABLE public.customer_reviews OWNER TO app_owner;

COMMENT ON TABLE public.customer_reviews IS 'What customers say.';

CREATE TABLE public.customer_tags (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    customer_id uuid NOT NULL,
    tag_id uuid NOT NULL,
    note text,
    added_at timestamp with time zone DEFAULT now() NOT NULL,
    added_by uuid DEFAULT auth.uid(),
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT customer_tags_note_check CHECK ((length(note) <= 500))
);
ALTER TABLE ONLY public.customer_tags FORCE ROW LEVEL SECURITY;
ALTER TABLE public.customer_tags OWNER TO app_owner;

COMMENT ON TABLE public.customer_tags IS 'Labels of customers.';

CREATE TABLE public.customers (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid,
    type text DEFAULT 'residential'::text NOT NULL,
    first_name text DEFAULT ''::text NOT NULL,
    last_name text DEFAULT ''::text NOT NULL,
    company_name text,
    display_name text DEFAULT ''::text NOT NULL,
    email text,
    email_key text,
    phone text,
    secondary_phone text,
    address text,
    address2 text,
    city text,
    state text,
    zip_code text,
    country text DEFAULT 'USA'::text,
    lat double precision,
    lon double precision,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    source text,
    referred_by uuid,
    communication_preferences jsonb DEFAULT '{}'::jsonb NOT NULL,
    preferred_contact_method text DEFAULT 'email'::text,
    preferred_technician uuid,
    billing_email text,
    payment_terms text DEFAULT 'due_on_receipt'::text,
    currency text DEFAULT 'USD'::text NOT NULL,
    credit_limit bigint DEFAULT 0 NOT NULL,
    tax_exempt boolean DEFAULT false NOT NULL,
    tax_exempt_number text,
    total_revenue bigint DEFAULT 0 NOT NULL,
    total_jobs bigint DEFAULT 0 NOT NULL,
    total_invoices bigint DEFAULT 0 NOT NULL,
    average_job_value bigint DEFAULT 0 NOT NULL,
    outstanding_balance bigint DEFAULT 0 NOT NULL,
    last_job_date timestamp with time zone,
    last_invoice_date timestamp with time zone,
    last_payment_date timestamp with time zone,
    status text DEFAULT 'active'::text NOT NULL,
    notes text,
    internal_notes text,
    portal_enabled boolean DEFAULT false NOT NULL,
    portal_invited_at timestamp with time zone,
    portal_last_login_at timestamp with time zone,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    is_business boolean DEFAULT false NOT NULL,
    preferred_payment_method text,
    stripe_customer_id text,
    sales_context jsonb DEFAULT '{}'::jsonb NOT NULL,
    service_flags jsonb DEFAULT '{}'::jsonb NOT NULL,
    directions text,
    content_version integer DEFAULT 0 NOT NULL,
    content_updated_at timestamp with time zone,
    content_updated_by uuid,
    page_content jsonb,
    page_layout jsonb,
    primary_contact_id uuid,
    default_address_id uuid,
    search_vector tsvector,
    CONSTRAINT customers_address2_check CHECK ((length(address2) <= 300)),
    CONSTRAINT customers_address_check CHECK ((length(address) <= 300)),
    CONSTRAINT customers_billing_email_check CHECK ((length(billing_email) <= 254)),
    CONSTRAINT customers_city_check CHECK ((length(city) <= 120)),
    CONSTRAINT customers_communication_preferences_check CHECK ((jsonb_typeof(communication_preferences) = 'object'::text)),
    CONSTRAINT customers_company_name_check CHECK ((length(company_name) <= 200)),
    CONSTRAINT customers_content_version_check CHECK ((content_version >= 0)),
    CONSTRAINT customers_country_check CHECK ((length(country) <= 60)),
    CONSTRAINT customers_credit_limit_check CHECK ((credit_limit >= 0)),
    CONSTRAINT customers_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT customers_directions_check CHECK ((length(directions) <= 4000)),
    CONSTRAINT customers_display_name_check CHECK (((length(display_name) >= 1) AND (length(display_name) <= 300))),
    CONSTRAINT customers_email_check CHECK ((((length(email) >= 3) AND (length(email) <= 254)) AND (email ~~ '%_@_%'::text))),
    CONSTRAINT customers_first_name_check CHECK ((length(first_name) <= 120)),
    CONSTRAINT customers_internal_notes_check CHECK ((length(internal_notes) <= 20000)),
    CONSTRAINT customers_last_name_check CHECK ((length(last_name) <= 120)),
    CONSTRAINT customers_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT customers_lon_check CHECK (((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))),
    CONSTRAINT customers_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT customers_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT customers_payment_terms_check CHECK ((payment_terms = ANY (ARRAY['due_on_receipt'::text, 'net_15'::text, 'net_30'::text, 'net_60'::text]))),
    CONSTRAINT customers_phone_check CHECK ((length(phone) <= 32)),
    CONSTRAINT customers_preferred_contact_method_check CHECK ((preferred_contact_method = ANY (ARRAY['email'::text, 'phone'::text, 'sms'::text, 'any'::text]))),
    CONSTRAINT customers_preferred_payment_method_check CHECK ((length(preferred_payment_method) <= 40)),
    CONSTRAINT customers_sales_context_check CHECK ((jsonb_typeof(sales_context) = 'object'::text)),
    CONSTRAINT customers_secondary_phone_check CHECK ((length(secondary_phone) <= 32)),
    CONSTRAINT customers_service_flags_check CHECK ((jsonb_typeof(service_flags) = 'object'::text)),
    CONSTRAINT customers_source_check CHECK ((source = ANY (ARRAY['referral'::text, 'google'::text, 'facebook'::text, 'direct'::text, 'other'::text]))),
    CONSTRAINT customers_state_check CHECK ((length(state) <= 120)),
    CONSTRAINT customers_status_check CHECK ((status = ANY (ARRAY['active'::text, 'inactive'::text, 'archived'::text, 'blocked'::text]))),
    CONSTRAINT customers_stripe_customer_id_check CHECK ((length(stripe_customer_id) <= 255)),
    CONSTRAINT customers_tags_check CHECK ((cardinality(tags) <= 100)),
    CONSTRAINT customers_tax_exempt_number_check CHECK ((length(tax_exempt_number) <= 100)),
    CONSTRAINT customers_total_invoices_check CHECK ((total_invoices >= 0)),
    CONSTRAINT customers_total_jobs_check CHECK ((total_jobs >= 0)),
    CONSTRAINT customers_type_check CHECK ((type = ANY (ARRAY['residential'::text, 'commercial'::text, 'industrial'::text]))),
    CONSTRAINT customers_zip_code_check CHECK ((length(zip_code) <= 20))
);
ALTER TABLE ONLY public.customers FORCE ROW LEVEL SECURITY;
ALTER TABLE public.customers OWNER TO app_owner;

COMMENT ON TABLE public.customers IS 'People and businesses that are served. Money is in minor units of the currency.';

COMMENT ON COLUMN public.customers.first_name IS 'pii:name';

COMMENT ON COLUMN public.customers.last_name IS 'pii:name';

COMMENT ON COLUMN public.customers.company_name IS 'pii:name';

COMMENT ON COLUMN public.customers.display_name IS 'pii:name';

COMMENT ON COLUMN public.customers.email IS 'pii:email';

COMMENT ON COLUMN public.customers.email_key IS 'pii:email';

COMMENT ON COLUMN public.customers.phone IS 'pii:phone';

COMMENT ON COLUMN public.customers.secondary_phone IS 'pii:phone';

COMMENT ON COLUMN public.customers.address IS 'pii:address';

COMMENT ON COLUMN public.customers.address2 IS 'pii:address';

COMMENT ON COLUMN public.customers.billing_email IS 'pii:email';

COMMENT ON COLUMN public.customers.tax_exempt_number IS 'pii:tax_id';

COMMENT ON COLUMN public.customers.search_vector IS 'Kept by a trigger: the words of the row by their weight.';

CREATE TABLE public.departments (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    description text,
    color text,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT departments_color_check CHECK ((length(color) <= 32)),
    CONSTRAINT departments_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT departments_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 120)))
);
ALTER TABLE ONLY public.departments FORCE ROW LEVEL SECURITY;
ALTER TABLE public.departments OWNER TO app_owner;

CREATE TABLE public.documents (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    title text NOT NULL,
    content text,
    kind text DEFAULT 'text'::text NOT NULL,
    user_id uuid DEFAULT auth.uid() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT documents_content_check CHECK ((length(content) <= 1000000)),
    CONSTRAINT documents_kind_check CHECK ((kind = ANY (ARRAY['text'::text, 'code'::text, 'image'::text, 'sheet'::text]))),
    CONSTRAINT documents_title_check CHECK (((length(title) >= 1) AND (length(title) <= 300)))
);
ALTER TABLE ONLY public.documents FORCE ROW LEVEL SECURITY;
ALTER TABLE public.documents OWNER TO app_owner;

COMMENT ON TABLE public.documents IS 'Texts that the assistant wrote; one row a version.';

COMMENT ON COLUMN public.documents.title IS 'pii:text';

COMMENT ON COLUMN public.documents.content IS 'pii:text';

CREATE TABLE public.email_logs (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    "to" text NOT NULL,
    "from" text NOT NULL,
    subject text NOT NULL,
    template_type text NOT NULL,
    resend_id text,
    status text DEFAULT 'pending'::text NOT NULL,
    error text,
    template_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    tags jsonb,
    sent_at timestamp with time zone,
    delivered_at timestamp with time zone,
    opened_at timestamp with time zone,
    clicked_at timestamp with time zone,
    bounced_at timestamp with time zone,
    retry_count integer DEFAULT 0 NOT NULL,
    max_retries integer DEFAULT 3 NOT NULL,
    next_retry_at timestamp with time zone,
    user_id uuid,
    customer_id uuid,
    job_id uuid,
    invoice_id uuid,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT email_logs_error_check CHECK ((length(error) <= 4000)),
    CONSTRAINT email_logs_from_check CHECK (((length("from") >= 1) AND (length("from") <= 320))),
    CONSTRAINT email_logs_id_check CHECK (((get_byte(uuid_send(id), 6) >> 4) = 7)),
    CONSTRAINT email_logs_max_retries_check CHECK ((max_retries >= 0)),
    CONSTRAINT email_logs_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT email_logs_resend_id_check CHECK ((length(resend_id) <= 255)),
    CONSTRAINT email_logs_retry_count_check CHECK ((retry_count >= 0)),
    CONSTRAINT email_logs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'sent'::text, 'delivered'::text, 'failed'::text, 'bounced'::text, 'opened'::text, 'clicked'::text, 'complained'::text]))),
    CONSTRAINT email_logs_subject_check CHECK (((length(subject) >= 1) AND (length(subject) <= 998))),
    CONSTRAINT email_logs_template_data_check CHECK ((jsonb_typeof(template_data) = 'object'::text)),
    CONSTRAINT email_logs_template_type_check CHECK (((length(template_type) >= 1) AND (length(template_type) <= 120))),
    CONSTRAINT email_logs_to_check CHECK (((length("to") >= 1) AND (length("to") <= 320)))
)
PARTITION BY RANGE (id);
ALTER TABLE ONLY public.email_logs FORCE ROW LEVEL SECURITY;
ALTER TABLE public.email_logs OWNER TO app_owner;

COMMENT ON TABLE public.email_logs IS 'What became of every mail. Partitioned by the month in the id.';

COMMENT ON COLUMN public.email_logs."to" IS 'pii:email';

COMMENT ON COLUMN public.email_logs."from" IS 'pii:email';

CREATE TABLE public.equipment (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid,
    property_id uuid,
    equipment_number text DEFAULT ''::text NOT NULL,
    name text NOT NULL,
    type text DEFAULT 'other'::text NOT NULL,
    category text,
    classification text DEFAULT 'equipment'::text NOT NULL,
    asset_category text,
    asset_subcategory text,
    manufacturer text,
    model text,
    serial_number text,
    model_year integer,
    install_date timestamp with time zone,
    installed_by uuid,
    install_job_id uuid,
    warranty_expiration timestamp with time zone,
    warranty_provider text,
    warranty_notes text,
    is_under_warranty boolean DEFAULT false NOT NULL,
    last_service_date timestamp with time zone,
    last_service_job_id uuid,
    next_service_due timestamp with time zone,
    service_interval_days integer DEFAULT 365 NOT NULL,
    service_plan_id uuid,
    capacity text,
    efficiency text,
    fuel_type text,
    location text,
    condition text DEFAULT 'good'::text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    replaced_date timestamp with time zone,
    replaced_by_equipment_id uuid,
    photos jsonb DEFAULT '[]'::jsonb NOT NULL,
    documents jsonb DEFAULT '[]'::jsonb NOT NULL,
    notes text,
    customer_notes text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    total_service_count bigint DEFAULT 0 NOT NULL,
    total_service_cost bigint DEFAULT 0 NOT NULL,
    average_service_cost bigint DEFAULT 0 NOT NULL,
    tool_serial text,
    tool_calibration_due timestamp with time zone,
    vehicle_make text,
    vehicle_model text,
    vehicle_year integer,
    vehicle_vin text,
    vehicle_license_plate text,
    vehicle_fuel_type text,
    vehicle_odometer integer,
    vehicle_registration_expiration timestamp with time zone,
    vehicle_inspection_due timestamp with time zone,
    vehicle_last_service_mileage integer,
    vehicle_next_service_mileage integer,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    search_vector tsvector,
    CONSTRAINT equipment_asset_category_check CHECK ((length(asset_category) <= 120)),
    CONSTRAINT equipment_asset_subcategory_check CHECK ((length(asset_subcategory) <= 120)),
    CONSTRAINT equipment_average_service_cost_check CHECK ((average_service_cost >= 0)),
    CONSTRAINT equipment_capacity_check CHECK ((length(capacity) <= 120)),
    CONSTRAINT equipment_category_check CHECK ((length(category) <= 120)),
    CONSTRAINT equipment_classification_check CHECK ((classification = ANY (ARRAY['equipment'::text, 'tool'::text, 'vehicle'::text]))),
    CONSTRAINT equipment_condition_check CHECK ((condition = ANY (ARRAY['excellent'::text, 'good'::text, 'fair'::text, 'poor'::text, 'needs_replacement'::text]))),
    CONSTRAINT equipment_customer_notes_check CHECK ((length(customer_notes) <= 20000)),
    CONSTRAINT equipment_documents_check CHECK ((jsonb_typeof(documents) = 'array'::text)),
    CONSTRAINT equipment_efficiency_check CHECK ((length(efficiency) <= 120)),
    CONSTRAINT equipment_equipment_number_check CHECK ((length(equipment_number) <= 40)),
    CONSTRAINT equipment_fuel_type_check CHECK ((fuel_type = ANY (ARRAY['electric'::text, 'gas'::text, 'propane'::text, 'oil'::text, 'dual'::text]))),
    CONSTRAINT equipment_installed_check CHECK (((classification <> 'equipment'::text) OR (customer_id IS NOT NULL))),
    CONSTRAINT equipment_location_check CHECK ((length(location) <= 200)),
    CONSTRAINT equipment_manufacturer_check CHECK ((length(manufacturer) <= 200)),
    CONSTRAINT equipment_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT equipment_model_check CHECK ((length(model) <= 200)),
    CONSTRAINT equipment_model_year_check CHECK (((model_year >= 1900) AND (model_year <= 2200))),
    CONSTRAINT equipment_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT equipment_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT equipment_photos_check CHECK ((jsonb_typeof(photos) = 'array'::text)),
    CONSTRAINT equipment_replaced_by_another_check CHECK ((replaced_by_equipment_id <> id)),
    CONSTRAINT equipment_serial_number_check CHECK ((length(serial_number) <= 200)),
    CONSTRAINT equipment_service_interval_days_check CHECK (((service_interval_days >= 1) AND (service_interval_days <= 36500))),
    CONSTRAINT equipment_status_check CHECK ((status = ANY (ARRAY['active'::text, 'inactive'::text, 'retired'::text, 'replaced'::text]))),
    CONSTRAINT equipment_tool_serial_check CHECK ((length(tool_serial) <= 200)),
    CONSTRAINT equipment_total_service_cost_check CHECK ((total_service_cost >= 0)),
    CONSTRAINT equipment_total_service_count_check CHECK ((total_service_count >= 0)),
    CONSTRAINT equipment_type_check CHECK ((type = ANY (ARRAY['hvac'::text, 'plumbing'::text, 'electrical'::text, 'appliance'::text, 'water_heater'::text, 'furnace'::text, 'ac_unit'::text, 'other'::text]))),
    CONSTRAINT equipment_vehicle_fuel_type_check CHECK ((length(vehicle_fuel_type) <= 40)),
    CONSTRAINT equipment_vehicle_last_service_mileage_check CHECK ((vehicle_last_service_mileage >= 0)),
    CONSTRAINT equipment_vehicle_license_plate_check CHECK ((length(vehicle_license_plate) <= 20)),
    CONSTRAINT equipment_vehicle_make_check CHECK ((length(vehicle_make) <= 120)),
    CONSTRAINT equipment_vehicle_model_check CHECK ((length(vehicle_model) <= 120)),
    CONSTRAINT equipment_vehicle_next_service_mileage_check CHECK ((vehicle_next_service_mileage >= 0)),
    CONSTRAINT equipment_vehicle_odometer_check CHECK ((vehicle_odometer >= 0)),
    CONSTRAINT equipment_vehicle_vin_check CHECK ((length(vehicle_vin) <= 40)),
    CONSTRAINT equipment_vehicle_year_check CHECK (((vehicle_year >= 1900) AND (vehicle_year <= 2200))),
    CONSTRAINT equipment_warranty_notes_check CHECK ((length(warranty_notes) <= 20000)),
    CONSTRAINT equipment_warranty_provider_check CHECK ((length(warranty_provider) <= 200))
);
ALTER TABLE ONLY public.equipment FORCE ROW LEVEL SECURITY;
ALTER TABLE public.equipment OWNER TO app_owner;

COMMENT ON TABLE public.equipment IS 'Installed assets at a property; tools and vehicles of the company.';

COMMENT ON COLUMN public.equipment.search_vector IS 'Kept by a trigger: the words of the row by their weight.';

CREATE TABLE public.equipment_tags (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    equipment_id uuid NOT NULL,
    tag_id uuid NOT NULL,
    note text,
    added_at timestamp with time zone DEFAULT now() NOT NULL,
    added_by uuid DEFAULT auth.uid(),
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT equipment_tags_note_check CHECK ((length(note) <= 500))
);
ALTER TABLE ONLY public.equipment_tags FORCE ROW LEVEL SECURITY;
ALTER TABLE public.equipment_tags OWNER TO app_owner;

COMMENT ON TABLE public.equipment_tags IS 'Labels of equipment.';

CREATE TABLE public.estimate_jobs (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    estimate_id uuid NOT NULL,
    job_id uuid NOT NULL,
    amount_from_job bigint DEFAULT 0 NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT estimate_jobs_amount_from_job_check CHECK ((amount_from_job >= 0))
);
ALTER TABLE ONLY public.estimate_jobs FORCE ROW LEVEL SECURITY;
ALTER TABLE public.estimate_jobs OWNER TO app_owner;

COMMENT ON TABLE public.estimate_jobs IS 'Which jobs an estimate is for.';

CREATE TABLE public.estimate_line_items (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    estimate_id uuid NOT NULL,
    option_id uuid,
    price_book_item_id uuid,
    "position" integer DEFAULT 0 NOT NULL,
    kind text DEFAULT 'service'::text NOT NULL,
    description text NOT NULL,
    sku text,
    unit text,
    quantity numeric(14,3) DEFAULT 1 NOT NULL,
    unit_price bigint DEFAULT 0 NOT NULL,
    unit_cost bigint DEFAULT 0 NOT NULL,
    discount_amount bigint DEFAULT 0 NOT NULL,
    total bigint DEFAULT 0 NOT NULL,
    is_taxable boolean DEFAULT true NOT NULL,
    is_optional boolean DEFAULT false NOT NULL,
    is_selected boolean DEFAULT true NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT estimate_line_items_description_check CHECK (((length(description) >= 1) AND (length(description) <= 2000))),
    CONSTRAINT estimate_line_items_discount_amount_check CHECK ((discount_amount >= 0)),
    CONSTRAINT estimate_line_items_kind_check CHECK ((kind = ANY (ARRAY['service'::text, 'material'::text, 'labor'::text, 'package'::text, 'fee'::text, 'other'::text]))),
    CONSTRAINT estimate_line_items_position_check CHECK (("position" >= 0)),
    CONSTRAINT estimate_line_items_quantity_check CHECK ((quantity >= 0.01)),
    CONSTRAINT estimate_line_items_sku_check CHECK ((length(sku) <= 120)),
    CONSTRAINT estimate_line_items_total_check CHECK ((total >= 0)),
    CONSTRAINT estimate_line_items_unit_check CHECK ((length(unit) <= 40)),
    CONSTRAINT estimate_line_items_unit_cost_check CHECK ((unit_cost >= 0)),
    CONSTRAINT estimate_line_items_unit_price_check CHECK ((unit_price >= 0))
);
ALTER TABLE ONLY public.estimate_line_items FORCE ROW LEVEL SECURITY;
ALTER TABLE public.estimate_line_items OWNER TO app_owner;

COMMENT ON TABLE public.estimate_line_items IS 'Lines of estimates.';

CREATE TABLE public.estimate_options (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    estimate_id uuid NOT NULL,
    name text NOT NULL,
    tier text DEFAULT 'good'::text NOT NULL,
    description text,
    "position" integer DEFAULT 0 NOT NULL,
    is_recommended boolean DEFAULT false NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    subtotal bigint DEFAULT 0 NOT NULL,
    taxable_subtotal bigint DEFAULT 0 NOT NULL,
    discount_amount bigint DEFAULT 0 NOT NULL,
    tax_amount bigint DEFAULT 0 NOT NULL,
    total_amount bigint DEFAULT 0 NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT estimate_options_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT estimate_options_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT estimate_options_discount_amount_check CHECK ((discount_amount >= 0)),
    CONSTRAINT estimate_options_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT estimate_options_position_check CHECK (("position" >= 0)),
    CONSTRAINT estimate_options_subtotal_check CHECK ((subtotal >= 0)),
    CONSTRAINT estimate_options_tax_amount_check CHECK ((tax_amount >= 0)),
    CONSTRAINT estimate_options_taxable_subtotal_check CHECK ((taxable_subtotal >= 0)),
    CONSTRAINT estimate_options_tier_check CHECK ((tier = ANY (ARRAY['good'::text, 'better'::text, 'best'::text, 'other'::text]))),
    CONSTRAINT estimate_options_total_amount_check CHECK ((total_amount >= 0))
);
ALTER TABLE ONLY public.estimate_options FORCE ROW LEVEL SECURITY;
ALTER TABLE public.estimate_options OWNER TO app_owner;

COMMENT ON TABLE public.estimate_options IS 'Good, better, best: what a customer may choose from.';

CREATE TABLE public.estimates (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    job_id uuid,
    property_id uuid,
    customer_id uuid,
    request_id uuid,
    estimate_number text DEFAULT ''::text NOT NULL,
    title text DEFAULT 'Estimate'::text NOT NULL,
    description text,
    status text DEFAULT 'draft'::text NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    line_items jsonb DEFAULT '[]'::jsonb NOT NULL,
    tax_rate numeric(7,4) DEFAULT 0 NOT NULL,
    subtotal bigint DEFAULT 0 NOT NULL,
    taxable_subtotal bigint DEFAULT 0 NOT NULL,
    discount_amount bigint DEFAULT 0 NOT NULL,
    tax_amount bigint DEFAULT 0 NOT NULL,
    total_amount bigint DEFAULT 0 NOT NULL,
    valid_until timestamp with time zone,
    expires_at timestamp with time zone,
    terms text,
    notes text,
    sent_at timestamp with time zone,
    viewed_at timestamp with time zone,
    responded_at timestamp with time zone,
    rejection_reason text,
    acceptance_token text,
    acceptance_token_expires_at timestamp with time zone,
    selected_option_id uuid,
    converted_at timestamp with time zone,
    converted_to_job_id uuid,
    converted_to_invoice_id uuid,
    accepted_by_name text,
    accepted_signature text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    search_vector tsvector,
    CONSTRAINT estimates_acceptance_token_check CHECK ((length(acceptance_token) <= 255)),
    CONSTRAINT estimates_accepted_by_name_check CHECK ((length(accepted_by_name) <= 200)),
    CONSTRAINT estimates_accepted_signature_check CHECK ((length(accepted_signature) <= 1000000)),
    CONSTRAINT estimates_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT estimates_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT estimates_discount_amount_check CHECK ((discount_amount >= 0)),
    CONSTRAINT estimates_estimate_number_check CHECK ((length(estimate_number) <= 40)),
    CONSTRAINT estimates_line_items_check CHECK ((jsonb_typeof(line_items) = 'array'::text)),
    CONSTRAINT estimates_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT estimates_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT estimates_rejection_reason_check CHECK ((length(rejection_reason) <= 2000)),
    CONSTRAINT estimates_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'sent'::text, 'viewed'::text, 'accepted'::text, 'rejected'::text, 'expired'::text, 'archived'::text]))),
    CONSTRAINT estimates_subtotal_check CHECK ((subtotal >= 0)),
    CONSTRAINT estimates_tax_amount_check CHECK ((tax_amount >= 0)),
    CONSTRAINT estimates_tax_rate_check CHECK (((tax_rate >= (0)::numeric) AND (tax_rate <= (100)::numeric))),
    CONSTRAINT estimates_taxable_subtotal_check CHECK ((taxable_subtotal >= 0)),
    CONSTRAINT estimates_terms_check CHECK ((length(terms) <= 20000)),
    CONSTRAINT estimates_title_check CHECK ((length(title) <= 300)),
    CONSTRAINT estimates_total_amount_check CHECK ((total_amount >= 0))
);
ALTER TABLE ONLY public.estimates FORCE ROW LEVEL SECURITY;
ALTER TABLE public.estimates OWNER TO app_owner;

COMMENT ON TABLE public.estimates IS 'Quotes to customers. Totals are computed from the lines of the chosen option.';

COMMENT ON COLUMN public.estimates.acceptance_token IS 'secret';

COMMENT ON COLUMN public.estimates.accepted_by_name IS 'pii:name';

COMMENT ON COLUMN public.estimates.search_vector IS 'Kept by a trigger: the words of the row by their weight.';

CREATE TABLE public.file_storage (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    uploaded_by uuid DEFAULT auth.uid(),
    filename text NOT NULL,
    original_filename text NOT NULL,
    mime_type text NOT NULL,
    file_size bigint NOT NULL,
    file_extension text,
    storage_bucket text DEFAULT 'company-files'::text NOT NULL,
    storage_path text NOT NULL,
    storage_url text,
    category text,
    entity_type text,
    entity_id uuid,
    job_id uuid,
    is_public boolean DEFAULT false NOT NULL,
    encryption_key text,
    processing_status text DEFAULT 'pending'::text NOT NULL,
    thumbnail_url text,
    preview_url text,
    checksum text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    virus_scan_status text DEFAULT 'pending'::text NOT NULL,
    virus_scan_date timestamp with time zone,
    expires_at timestamp with time zone,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT file_storage_category_check CHECK ((length(category) <= 60)),
    CONSTRAINT file_storage_checksum_check CHECK ((length(checksum) <= 128)),
    CONSTRAINT file_storage_encryption_key_check CHECK ((length(encryption_key) <= 255)),
    CONSTRAINT file_storage_entity_type_check CHECK ((length(entity_type) <= 60)),
    CONSTRAINT file_storage_file_extension_check CHECK ((length(file_extension) <= 20)),
    CONSTRAINT file_storage_file_size_check CHECK ((file_size >= 0)),
    CONSTRAINT file_storage_filename_check CHECK (((length(filename) >= 1) AND (length(filename) <= 300))),
    CONSTRAINT file_storage_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT file_storage_mime_type_check CHECK (((length(mime_type) >= 1) AND (length(mime_type) <= 200))),
    CONSTRAINT file_storage_original_filename_check CHECK (((length(original_filename) >= 1) AND (length(original_filename) <= 300))),
    CONSTRAINT file_storage_preview_url_check CHECK ((length(preview_url) <= 2048)),
    CONSTRAINT file_storage_processing_status_check CHECK ((processing_status = ANY (ARRAY['pending'::text, 'processing'::text, 'completed'::text, 'failed'::text]))),
    CONSTRAINT file_storage_storage_bucket_check CHECK ((length(storage_bucket) <= 100)),
    CONSTRAINT file_storage_storage_path_check CHECK (((length(storage_path) >= 1) AND (length(storage_path) <= 1024))),
    CONSTRAINT file_storage_storage_url_check CHECK ((length(storage_url) <= 2048)),
    CONSTRAINT file_storage_tags_check CHECK ((cardinality(tags) <= 100)),
    CONSTRAINT file_storage_thumbnail_url_check CHECK ((length(thumbnail_url) <= 2048)),
    CONSTRAINT file_storage_virus_scan_status_check CHECK ((virus_scan_status = ANY (ARRAY['pending'::text, 'clean'::text, 'infected'::text, 'failed'::text])))
);
ALTER TABLE ONLY public.file_storage FORCE ROW LEVEL SECURITY;
ALTER TABLE public.file_storage OWNER TO app_owner;

COMMENT ON TABLE public.file_storage IS 'Files, and where they are.';

COMMENT ON COLUMN public.file_storage.encryption_key IS 'secret';

CREATE TABLE public.form_submissions (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    form_template_id uuid NOT NULL,
    job_id uuid,
    equipment_id uuid,
    customer_id uuid,
    answers jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'draft'::text NOT NULL,
    submitted_at timestamp with time zone,
    submitted_by uuid,
    signature text,
    signed_by_name text,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT form_submissions_answers_check CHECK ((jsonb_typeof(answers) = 'object'::text)),
    CONSTRAINT form_submissions_signature_check CHECK ((length(signature) <= 1000000)),
    CONSTRAINT form_submissions_signed_by_name_check CHECK ((length(signed_by_name) <= 200)),
    CONSTRAINT form_submissions_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'submitted'::text, 'approved'::text, 'rejected'::text])))
);
ALTER TABLE ONLY public.form_submissions FORCE ROW LEVEL SECURITY;
ALTER TABLE public.form_submissions OWNER TO app_owner;

COMMENT ON TABLE public.form_submissions IS 'Filled-in forms.';

COMMENT ON COLUMN public.form_submissions.signed_by_name IS 'pii:name';

CREATE TABLE public.form_templates (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    description text,
    kind text DEFAULT 'checklist'::text NOT NULL,
    fields jsonb DEFAULT '[]'::jsonb NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT form_templates_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT form_templates_fields_check CHECK ((jsonb_typeof(fields) = 'array'::text)),
    CONSTRAINT form_templates_kind_check CHECK ((kind = ANY (ARRAY['checklist'::text, 'inspection'::text, 'safety'::text, 'intake'::text, 'survey'::text, 'other'::text]))),
    CONSTRAINT form_templates_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT form_templates_revision_check CHECK ((revision >= 0))
);
ALTER TABLE ONLY public.form_templates FORCE ROW LEVEL SECURITY;
ALTER TABLE public.form_templates OWNER TO app_owner;

COMMENT ON TABLE public.form_templates IS 'Checklists and forms.';

CREATE TABLE public.import_runs (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    entity_type text NOT NULL,
    format text DEFAULT 'csv'::text NOT NULL,
    file_name text,
    status text DEFAULT 'pending'::text NOT NULL,
    mapping jsonb DEFAULT '{}'::jsonb NOT NULL,
    rows_total bigint DEFAULT 0 NOT NULL,
    rows_done bigint DEFAULT 0 NOT NULL,
    rows_failed bigint DEFAULT 0 NOT NULL,
    errors jsonb DEFAULT '[]'::jsonb NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    undone_at timestamp with time zone,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT import_runs_entity_type_check CHECK ((entity_type = ANY (ARRAY['customer'::text, 'property'::text, 'job'::text, 'equipment'::text, 'estimate'::text, 'invoice'::text, 'payment'::text, 'vendor'::text, 'price_book_item'::text, 'contract'::text, 'team_member'::text]))),
    CONSTRAINT import_runs_errors_check CHECK ((jsonb_typeof(errors) = 'array'::text)),
    CONSTRAINT import_runs_file_name_check CHECK ((length(file_name) <= 300)),
    CONSTRAINT import_runs_format_check CHECK ((format = ANY (ARRAY['csv'::text, 'excel'::text, 'json'::text]))),
    CONSTRAINT import_runs_mapping_check CHECK ((jsonb_typeof(mapping) = 'object'::text)),
    CONSTRAINT import_runs_rows_done_check CHECK ((rows_done >= 0)),
    CONSTRAINT import_runs_rows_failed_check CHECK ((rows_failed >= 0)),
    CONSTRAINT import_runs_rows_total_check CHECK ((rows_total >= 0)),
    CONSTRAINT import_runs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'validating'::text, 'running'::text, 'completed'::text, 'failed'::text, 'cancelled'::text, 'undone'::text])))
);
ALTER TABLE ONLY public.import_runs FORCE ROW LEVEL SECURITY;
ALTER TABLE public.import_runs OWNER TO app_owner;

COMMENT ON TABLE public.import_runs IS 'Imports: what was read, what was taken.';

CREATE TABLE public.inventory_locations (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    kind text DEFAULT 'warehouse'::text NOT NULL,
    user_id uuid,
    address text,
    is_active boolean DEFAULT true NOT NULL,
    is_default boolean DEFAULT false NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT inventory_locations_address_check CHECK ((length(address) <= 600)),
    CONSTRAINT inventory_locations_kind_check CHECK ((kind = ANY (ARRAY['warehouse'::text, 'truck'::text, 'shelf'::text, 'job_site'::text, 'other'::text]))),
    CONSTRAINT inventory_locations_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);
ALTER TABLE ONLY public.inventory_locations FORCE ROW LEVEL SECURITY;
ALTER TABLE public.inventory_locations OWNER TO app_owner;

COMMENT ON TABLE public.inventory_locations IS 'Where stock is: warehouses, trucks, shelves.';

CREATE TABLE public.invitations (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    email text NOT NULL,
    email_key text GENERATED ALWAYS AS (lower(btrim(email))) STORED,
    name text,
    role text NOT NULL,
    role_id uuid,
    department_id uuid,
    token_hash text NOT NULL,
    invited_by uuid,
    expires_at timestamp with time zone DEFAULT (now() + '7 days'::interval) NOT NULL,
    used_at timestamp with time zone,
    accepted_by uuid,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT invitations_email_check CHECK ((((length(email) >= 3) AND (length(email) <= 254)) AND (email ~~ '%_@_%'::text))),
    CONSTRAINT invitations_name_check CHECK ((length(name) <= 200)),
    CONSTRAINT invitations_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'manager'::text, 'dispatcher'::text, 'technician'::text, 'csr'::text, 'member'::text, 'viewer'::text]))),
    CONSTRAINT invitations_token_hash_check CHECK ((token_hash ~ '^[0-9a-f]{64}$'::text))
);
ALTER TABLE ONLY public.invitations FORCE ROW LEVEL SECURITY;
ALTER TABLE public.invitations OWNER TO app_owner;

COMMENT ON COLUMN public.invitations.email IS 'pii:email';

COMMENT ON COLUMN public.invitations.email_key IS 'pii:email';

COMMENT ON COLUMN public.invitations.name IS 'pii:name';

COMMENT ON COLUMN public.invitations.token_hash IS 'secret';

CREATE TABLE public.invoice_jobs (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    invoice_id uuid NOT NULL,
    job_id uuid NOT NULL,
    amount_from_job bigint DEFAULT 0 NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT invoice_jobs_amount_from_job_check CHECK ((amount_from_job >= 0))
);
ALTER TABLE ONLY public.invoice_jobs FORCE ROW LEVEL SECURITY;
ALTER TABLE public.invoice_jobs OWNER TO app_owner;

COMMENT ON TABLE public.invoice_jobs IS 'Which jobs an invoice bills, and how much of it is for each.';

CREATE TABLE public.invoice_line_items (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    invoice_id uuid NOT NULL,
    price_book_item_id uuid,
    job_id uuid,
    estimate_line_item_id uuid,
    "position" integer DEFAULT 0 NOT NULL,
    kind text DEFAULT 'service'::text NOT NULL,
    description text NOT NULL,
    sku text,
    unit text,
    quantity numeric(14,3) DEFAULT 1 NOT NULL,
    unit_price bigint DEFAULT 0 NOT NULL,
    unit_cost bigint DEFAULT 0 NOT NULL,
    discount_amount bigint DEFAULT 0 NOT NULL,
    total bigint DEFAULT 0 NOT NULL,
    is_taxable boolean DEFAULT true NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT invoice_line_items_description_check CHECK (((length(description) >= 1) AND (length(description) <= 2000))),
    CONSTRAINT invoice_line_items_discount_amount_check CHECK ((discount_amount >= 0)),
    CONSTRAINT invoice_line_items_kind_check CHECK ((kind = ANY (ARRAY['service'::text, 'material'::text, 'labor'::text, 'package'::text, 'fee'::text, 'other'::text]))),
    CONSTRAINT invoice_line_items_position_check CHECK (("position" >= 0)),
    CONSTRAINT invoice_line_items_quantity_check CHECK ((quantity >= 0.01)),
    CONSTRAINT invoice_line_items_sku_check CHECK ((length(sku) <= 120)),
    CONSTRAINT invoice_line_items_total_check CHECK ((total >= 0)),
    CONSTRAINT invoice_line_items_unit_check CHECK ((length(unit) <= 40)),
    CONSTRAINT invoice_line_items_unit_cost_check CHECK ((unit_cost >= 0)),
    CONSTRAINT invoice_line_items_unit_price_check CHECK ((unit_price >= 0))
);
ALTER TABLE ONLY public.invoice_line_items FORCE ROW LEVEL SECURITY;
ALTER TABLE public.invoice_line_items OWNER TO app_owner;

COMMENT ON TABLE public.invoice_line_items IS 'Lines of invoices.';

CREATE TABLE public.job_equipment (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    job_id uuid NOT NULL,
    equipment_id uuid NOT NULL,
    work_performed text,
    condition_before text,
    condition_after text,
    added_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT job_equipment_condition_after_check CHECK ((length(condition_after) <= 40)),
    CONSTRAINT job_equipment_condition_before_check CHECK ((length(condition_before) <= 40)),
    CONSTRAINT job_equipment_work_performed_check CHECK ((length(work_performed) <= 20000))
);
ALTER TABLE ONLY public.job_equipment FORCE ROW LEVEL SECURITY;
ALTER TABLE public.job_equipment OWNER TO app_owner;

COMMENT ON TABLE public.job_equipment IS 'The equipment that a job is about.';

CREATE TABLE public.job_tags (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    job_id uuid NOT NULL,
    tag_id uuid NOT NULL,
    note text,
    added_at timestamp with time zone DEFAULT now() NOT NULL,
    added_by uuid DEFAULT auth.uid(),
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT job_tags_note_check CHECK ((length(note) <= 500))
);
ALTER TABLE ONLY public.job_tags FORCE ROW LEVEL SECURITY;
ALTER TABLE public.job_tags OWNER TO app_owner;

COMMENT ON TABLE public.job_tags IS 'Labels of jobs.';

CREATE TABLE public.job_team_assignments (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    job_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text DEFAULT 'crew'::text NOT NULL,
    notes text,
    removed_at timestamp with time zone,
    removed_by uuid,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT job_team_assignments_notes_check CHECK ((length(notes) <= 2000)),
    CONSTRAINT job_team_assignments_role_check CHECK ((role = ANY (ARRAY['primary'::text, 'assistant'::text, 'crew'::text, 'supervisor'::text])))
);
ALTER TABLE ONLY public.job_team_assignments FORCE ROW LEVEL SECURITY;
ALTER TABLE public.job_team_assignments OWNER TO app_owner;

COMMENT ON TABLE public.job_team_assignments IS 'Who works on a job. Taking somebody off leaves the row.';

CREATE TABLE public.jobs_archive (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    job_number text,
    customer_id uuid,
    property_id uuid,
    assigned_to uuid,
    title text,
    status text,
    completed_at timestamp with time zone,
    total_amount bigint DEFAULT 0 NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    job jsonb NOT NULL,
    children jsonb DEFAULT '{}'::jsonb NOT NULL,
    archived_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT jobs_archive_children_check CHECK ((jsonb_typeof(children) = 'object'::text)),
    CONSTRAINT jobs_archive_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT jobs_archive_job_number_check CHECK ((length(job_number) <= 40)),
    CONSTRAINT jobs_archive_status_check CHECK ((length(status) <= 40)),
    CONSTRAINT jobs_archive_title_check CHECK ((length(title) <= 300)),
    CONSTRAINT jobs_archive_total_amount_check CHECK ((total_amount >= 0))
);
ALTER TABLE ONLY public.jobs_archive FORCE ROW LEVEL SECURITY;
ALTER TABLE public.jobs_archive OWNER TO app_owner;

COMMENT ON TABLE public.jobs_archive IS 'Completed jobs of more than a year ago, with their children, as they were.';

CREATE TABLE public.labor_rates (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    description text,
    rate_type text DEFAULT 'hourly'::text NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    rate bigint DEFAULT 0 NOT NULL,
    minimum_charge bigint DEFAULT 0 NOT NULL,
    minimum_hours integer DEFAULT 0 NOT NULL,
    overtime_multiplier integer DEFAULT 150 NOT NULL,
    weekend_multiplier integer DEFAULT 150 NOT NULL,
    holiday_multiplier integer DEFAULT 200 NOT NULL,
    emergency_multiplier integer DEFAULT 200 NOT NULL,
    applies_to text DEFAULT 'all'::text NOT NULL,
    service_categories jsonb,
    technician_ids jsonb,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    is_default boolean DEFAULT false NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT labor_rates_applies_to_check CHECK ((applies_to = ANY (ARRAY['all'::text, 'specific_services'::text, 'specific_techs'::text]))),
    CONSTRAINT labor_rates_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT labor_rates_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT labor_rates_emergency_multiplier_check CHECK (((emergency_multiplier >= 100) AND (emergency_multiplier <= 1000))),
    CONSTRAINT labor_rates_holiday_multiplier_check CHECK (((holiday_multiplier >= 100) AND (holiday_multiplier <= 1000))),
    CONSTRAINT labor_rates_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT labor_rates_minimum_charge_check CHECK ((minimum_charge >= 0)),
    CONSTRAINT labor_rates_minimum_hours_check CHECK ((minimum_hours >= 0)),
    CONSTRAINT labor_rates_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT labor_rates_overtime_multiplier_check CHECK (((overtime_multiplier >= 100) AND (overtime_multiplier <= 1000))),
    CONSTRAINT labor_rates_rate_check CHECK ((rate >= 0)),
    CONSTRAINT labor_rates_rate_type_check CHECK ((rate_type = ANY (ARRAY['hourly'::text, 'flat_rate'::text, 'minimum_charge'::text]))),
    CONSTRAINT labor_rates_validity_check CHECK ((valid_until > valid_from)),
    CONSTRAINT labor_rates_weekend_multiplier_check CHECK (((weekend_multiplier >= 100) AND (weekend_multiplier <= 1000)))
);
ALTER TABLE ONLY public.labor_rates FORCE ROW LEVEL SECURITY;
ALTER TABLE public.labor_rates OWNER TO app_owner;

COMMENT ON TABLE public.labor_rates IS 'What an hour of work costs the customer. Multipliers are hundredths.';

CREATE TABLE public.member_skills (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    user_id uuid NOT NULL,
    skill_id uuid NOT NULL,
    level integer DEFAULT 3 NOT NULL,
    certified_until date,
    certificate_number text,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT member_skills_certificate_number_check CHECK ((length(certificate_number) <= 120)),
    CONSTRAINT member_skills_level_check CHECK (((level >= 1) AND (level <= 5)))
);
ALTER TABLE ONLY public.member_skills FORCE ROW LEVEL SECURITY;
ALTER TABLE public.member_skills OWNER TO app_owner;

COMMENT ON TABLE public.member_skills IS 'Who can do what.';

CREATE TABLE public.member_zones (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    user_id uuid NOT NULL,
    zone_id uuid NOT NULL,
    is_preferred boolean DEFAULT false NOT NULL,
    notes text,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT member_zones_notes_check CHECK ((length(notes) <= 500))
);
ALTER TABLE ONLY public.member_zones FORCE ROW LEVEL SECURITY;
ALTER TABLE public.member_zones OWNER TO app_owner;

COMMENT ON TABLE public.member_zones IS 'Who works where.';

CREATE TABLE public.messages_v2 (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    chat_id uuid NOT NULL,
    user_id uuid DEFAULT auth.uid() NOT NULL,
    role text NOT NULL,
    parts jsonb DEFAULT '[]'::jsonb NOT NULL,
    attachments jsonb DEFAULT '[]'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT messages_v2_attachments_check CHECK ((jsonb_typeof(attachments) = 'array'::text)),
    CONSTRAINT messages_v2_parts_check CHECK ((jsonb_typeof(parts) = 'array'::text)),
    CONSTRAINT messages_v2_role_check CHECK ((role = ANY (ARRAY['user'::text, 'assistant'::text, 'system'::text])))
);
ALTER TABLE ONLY public.messages_v2 FORCE ROW LEVEL SECURITY;
ALTER TABLE public.messages_v2 OWNER TO app_owner;

COMMENT ON TABLE public.messages_v2 IS 'Messages of a conversation.';

COMMENT ON COLUMN public.messages_v2.parts IS 'pii:text';

COMMENT ON COLUMN public.messages_v2.attachments IS 'pii:text';

CREATE TABLE public.notes (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    entity_type text NOT NULL,
    entity_id uuid NOT NULL,
    job_id uuid,
    content text NOT NULL,
    is_pinned boolean DEFAULT false NOT NULL,
    is_internal boolean DEFAULT true NOT NULL,
    author_name text,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT notes_author_name_check CHECK ((length(author_name) <= 200)),
    CONSTRAINT notes_content_check CHECK ((length(content) <= 20000)),
    CONSTRAINT notes_entity_type_check CHECK ((entity_type = ANY (ARRAY['customer'::text, 'property'::text, 'job'::text, 'schedule'::text, 'equipment'::text, 'estimate'::text, 'invoice'::text, 'payment'::text, 'contract'::text, 'service_plan'::text, 'purchase_order'::text, 'vendor'::text, 'request'::text, 'communication'::text])))
);
ALTER TABLE ONLY public.notes FORCE ROW LEVEL SECURITY;
ALTER TABLE public.notes OWNER TO app_owner;

COMMENT ON TABLE public.notes IS 'Notes on anything.';

CREATE TABLE public.notification_preferences (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid DEFAULT auth.uid() NOT NULL,
    email_enabled boolean DEFAULT true NOT NULL,
    sms_enabled boolean DEFAULT false NOT NULL,
    push_enabled boolean DEFAULT true NOT NULL,
    in_app_enabled boolean DEFAULT true NOT NULL,
    job_assigned boolean DEFAULT true NOT NULL,
    job_updated boolean DEFAULT true NOT NULL,
    job_completed boolean DEFAULT true NOT NULL,
    schedule_reminder boolean DEFAULT true NOT NULL,
    schedule_changed boolean DEFAULT true NOT NULL,
    customer_message boolean DEFAULT true NOT NULL,
    invoice_sent boolean DEFAULT true NOT NULL,
    invoice_paid boolean DEFAULT true NOT NULL,
    payment_received boolean DEFAULT true NOT NULL,
    estimate_approved boolean DEFAULT true NOT NULL,
    equipment_maintenance_due boolean DEFAULT true NOT NULL,
    inventory_low_stock boolean DEFAULT true NOT NULL,
    team_member_activity boolean DEFAULT false NOT NULL,
    digest_enabled boolean DEFAULT false NOT NULL,
    digest_frequency text DEFAULT 'daily'::text NOT NULL,
    quiet_hours_enabled boolean DEFAULT false NOT NULL,
    quiet_hours_start time without time zone,
    quiet_hours_end time without time zone,
    quiet_hours_timezone text DEFAULT 'UTC'::text NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT notification_preferences_digest_frequency_check CHECK ((digest_frequency = ANY (ARRAY['realtime'::text, 'hourly'::text, 'daily'::text, 'weekly'::text]))),
    CONSTRAINT notification_preferences_quiet_hours_timezone_check CHECK ((length(quiet_hours_timezone) <= 64))
);
ALTER TABLE ONLY public.notification_preferences FORCE ROW LEVEL SECURITY;
ALTER TABLE public.notification_preferences OWNER TO app_owner;

COMMENT ON TABLE public.notification_preferences IS 'How a member wants to be told.';

CREATE TABLE public.notification_queue (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    type text NOT NULL,
    channel text DEFAULT 'in_app'::text NOT NULL,
    priority text DEFAULT 'normal'::text NOT NULL,
    subject text,
    body text NOT NULL,
    body_html text,
    entity_type text,
    entity_id uuid,
    status text DEFAULT 'pending'::text NOT NULL,
    scheduled_for timestamp with time zone,
    sent_at timestamp with time zone,
    delivered_at timestamp with time zone,
    failed_at timestamp with time zone,
    failure_reason text,
    retry_count integer DEFAULT 0 NOT NULL,
    max_retries integer DEFAULT 3 NOT NULL,
    provider text,
    provider_message_id text,
    provider_response jsonb,
    read_at timestamp with time zone,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT notification_queue_body_check CHECK (((length(body) >= 1) AND (length(body) <= 500))),
    CONSTRAINT notification_queue_body_html_check CHECK ((length(body_html) <= 20000)),
    CONSTRAINT notification_queue_channel_check CHECK ((channel = ANY (ARRAY['email'::text, 'sms'::text, 'push'::text, 'in_app'::text]))),
    CONSTRAINT notification_queue_entity_type_check CHECK ((length(entity_type) <= 60)),
    CONSTRAINT notification_queue_failure_reason_check CHECK ((length(failure_reason) <= 2000)),
    CONSTRAINT notification_queue_max_retries_check CHECK ((max_retries >= 0)),
    CONSTRAINT notification_queue_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT notification_queue_priority_check CHECK ((priority = ANY (ARRAY['low'::text, 'normal'::text, 'high'::text, 'urgent'::text]))),
    CONSTRAINT notification_queue_provider_check CHECK ((length(provider) <= 60)),
    CONSTRAINT notification_queue_provider_message_id_check CHECK ((length(provider_message_id) <= 255)),
    CONSTRAINT notification_queue_retry_count_check CHECK ((retry_count >= 0)),
    CONSTRAINT notification_queue_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'sending'::text, 'sent'::text, 'failed'::text, 'cancelled'::text]))),
    CONSTRAINT notification_queue_subject_check CHECK ((length(subject) <= 200)),
    CONSTRAINT notification_queue_type_check CHECK (((length(type) >= 1) AND (length(type) <= 120)))
);
ALTER TABLE ONLY public.notification_queue FORCE ROW LEVEL SECURITY;
ALTER TABLE public.notification_queue OWNER TO app_owner;

COMMENT ON TABLE public.notification_queue IS 'Messages to members, and what became of them.';

CREATE TABLE public.notification_templates (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    event text NOT NULL,
    channel text NOT NULL,
    locale text DEFAULT 'en'::text NOT NULL,
    name text NOT NULL,
    subject text,
    body text NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT notification_templates_body_check CHECK ((length(body) <= 20000)),
    CONSTRAINT notification_templates_channel_check CHECK ((channel = ANY (ARRAY['email'::text, 'sms'::text, 'push'::text, 'in_app'::text]))),
    CONSTRAINT notification_templates_event_check CHECK (((length(event) <= 120) AND (event ~ '^[a-z_]+[.][a-z_]+$'::text))),
    CONSTRAINT notification_templates_locale_check CHECK ((length(locale) <= 10)),
    CONSTRAINT notification_templates_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT notification_templates_subject_check CHECK ((length(subject) <= 200))
);
ALTER TABLE ONLY public.notification_templates FORCE ROW LEVEL SECURITY;
ALTER TABLE public.notification_templates OWNER TO app_owner;

COMMENT ON TABLE public.notification_templates IS 'Texts of messages, by event and channel.';

CREATE VIEW public.organization_memberships WITH (security_invoker='true') AS
 SELECT team_members.id,
    team_members.company_id AS organization_id,
    team_members.user_id,
    team_members.role,
    team_members.joined_at
   FROM public.team_members;
ALTER TABLE public.organization_memberships OWNER TO app_owner;

CREATE VIEW public.organizations WITH (security_invoker='true') AS
 SELECT companies.id,
    companies.external_id AS clerk_org_id,
    companies.name,
    companies.slug,
    companies.subscription_tier,
    companies.subscription_status,
    companies.max_seats,
    companies.settings,
    companies.created_at,
    companies.updated_at
   FROM public.companies;
ALTER TABLE public.organizations OWNER TO app_owner;

CREATE TABLE public.ownership_transfers (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    from_user_id uuid NOT NULL,
    to_user_id uuid NOT NULL,
    reason text,
    ip inet,
    user_agent text,
    password_verified boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ownership_transfers_reason_check CHECK ((length(reason) <= 500)),
    CONSTRAINT ownership_transfers_user_agent_check CHECK ((length(user_agent) <= 500))
);
ALTER TABLE ONLY public.ownership_transfers FORCE ROW LEVEL SECURITY;
ALTER TABLE public.ownership_transfers OWNER TO app_owner;

COMMENT ON COLUMN public.ownership_transfers.ip IS 'pii:ip';

CREATE TABLE public.payment_allocations (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    payment_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    amount_applied bigint NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    applied_by uuid DEFAULT auth.uid(),
    notes text,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT payment_allocations_amount_applied_check CHECK ((amount_applied > 0)),
    CONSTRAINT payment_allocations_notes_check CHECK ((length(notes) <= 2000))
);
ALTER TABLE ONLY public.payment_allocations FORCE ROW LEVEL SECURITY;
ALTER TABLE public.payment_allocations OWNER TO app_owner;

COMMENT ON TABLE public.payment_allocations IS 'Which invoices a payment pays, and how much of each.';

CREATE TABLE public.payment_methods (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid NOT NULL,
    kind text DEFAULT 'card'::text NOT NULL,
    provider text DEFAULT 'stripe'::text NOT NULL,
    provider_token text,
    brand text,
    last4 text,
    exp_month integer,
    exp_year integer,
    holder_name text,
    billing_zip text,
    is_default boolean DEFAULT false NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT payment_methods_billing_zip_check CHECK ((length(billing_zip) <= 20)),
    CONSTRAINT payment_methods_brand_check CHECK ((length(brand) <= 40)),
    CONSTRAINT payment_methods_exp_month_check CHECK (((exp_month >= 1) AND (exp_month <= 12))),
    CONSTRAINT payment_methods_exp_year_check CHECK (((exp_year >= 2000) AND (exp_year <= 2200))),
    CONSTRAINT payment_methods_holder_name_check CHECK ((length(holder_name) <= 200)),
    CONSTRAINT payment_methods_kind_check CHECK ((kind = ANY (ARRAY['card'::text, 'bank_account'::text, 'other'::text]))),
    CONSTRAINT payment_methods_last4_check CHECK ((last4 ~ '^[0-9]{4}$'::text)),
    CONSTRAINT payment_methods_provider_check CHECK ((provider = ANY (ARRAY['stripe'::text, 'square'::text, 'authorize_net'::text, 'paypal'::text, 'manual'::text]))),
    CONSTRAINT payment_methods_provider_token_check CHECK ((length(provider_token) <= 255))
);
ALTER TABLE ONLY public.payment_methods FORCE ROW LEVEL SECURITY;
ALTER TABLE public.payment_methods OWNER TO app_owner;

COMMENT ON TABLE public.payment_methods IS 'Cards and accounts that customers left with a payment provider.';

COMMENT ON COLUMN public.payment_methods.provider_token IS 'secret';

COMMENT ON COLUMN public.payment_methods.last4 IS 'pii:card';

COMMENT ON COLUMN public.payment_methods.holder_name IS 'pii:name';

CREATE TABLE public.po_settings (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    enabled boolean DEFAULT false NOT NULL,
    require_approval boolean DEFAULT true NOT NULL,
    approval_threshold bigint DEFAULT 50000,
    auto_generate_enabled boolean DEFAULT false NOT NULL,
    auto_generate_threshold bigint DEFAULT 10000 NOT NULL,
    default_vendors jsonb DEFAULT '[]'::jsonb NOT NULL,
    notification_emails jsonb DEFAULT '[]'::jsonb NOT NULL,
    approvers jsonb DEFAULT '[]'::jsonb NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT po_settings_approval_threshold_check CHECK ((approval_threshold >= 0)),
    CONSTRAINT po_settings_approvers_check CHECK ((jsonb_typeof(approvers) = 'array'::text)),
    CONSTRAINT po_settings_auto_generate_threshold_check CHECK ((auto_generate_threshold >= 0)),
    CONSTRAINT po_settings_default_vendors_check CHECK ((jsonb_typeof(default_vendors) = 'array'::text)),
    CONSTRAINT po_settings_notification_emails_check CHECK ((jsonb_typeof(notification_emails) = 'array'::text))
);
ALTER TABLE ONLY public.po_settings FORCE ROW LEVEL SECURITY;
ALTER TABLE public.po_settings OWNER TO app_owner;

COMMENT ON TABLE public.po_settings IS 'How a company buys: one row each.';

CREATE TABLE public.posts (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    title text NOT NULL,
    content text NOT NULL,
    published text DEFAULT 'false'::text NOT NULL,
    author_id uuid DEFAULT auth.uid() NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT posts_content_check CHECK ((length(content) <= 20000)),
    CONSTRAINT posts_published_check CHECK ((published = ANY (ARRAY['true'::text, 'false'::text]))),
    CONSTRAINT posts_title_check CHECK (((length(title) >= 1) AND (length(title) <= 300)))
);
ALTER TABLE ONLY public.posts FORCE ROW LEVEL SECURITY;
ALTER TABLE public.posts OWNER TO app_owner;

COMMENT ON TABLE public.posts IS 'Articles of a company.';

CREATE TABLE public.price_book_categories (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    slug text DEFAULT ''::text NOT NULL,
    description text,
    parent_id uuid,
    path extensions.ltree DEFAULT ''::extensions.ltree NOT NULL,
    level integer DEFAULT 0 NOT NULL,
    sort_order integer DEFAULT 0 NOT NULL,
    icon text,
    color text,
    item_count bigint DEFAULT 0 NOT NULL,
    descendant_item_count bigint DEFAULT 0 NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT price_book_categories_color_check CHECK ((color ~ '^#[0-9A-Fa-f]{6}$'::text)),
    CONSTRAINT price_book_categories_descendant_item_count_check CHECK ((descendant_item_count >= 0)),
    CONSTRAINT price_book_categories_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT price_book_categories_icon_check CHECK ((length(icon) <= 60)),
    CONSTRAINT price_book_categories_item_count_check CHECK ((item_count >= 0)),
    CONSTRAINT price_book_categories_level_check CHECK ((level >= 0)),
    CONSTRAINT price_book_categories_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT price_book_categories_slug_check CHECK (((length(slug) <= 120) AND (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'::text))),
    CONSTRAINT price_book_categories_sort_order_check CHECK ((sort_order >= 0))
);
ALTER TABLE ONLY public.price_book_categories FORCE ROW LEVEL SECURITY;
ALTER TABLE public.price_book_categories OWNER TO app_owner;

COMMENT ON TABLE public.price_book_categories IS 'The tree of what a company sells. Path, level and counts are kept by triggers.';

COMMENT ON COLUMN public.price_book_categories.path IS 'The slugs from the root to here; hyphens are written as underscores.';

COMMENT ON COLUMN public.price_book_categories.item_count IS 'Items of this category that are not deleted.';

COMMENT ON COLUMN public.price_book_categories.descendant_item_count IS 'Items of this category and of those below it.';

CREATE TABLE public.price_history (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    item_id uuid NOT NULL,
    old_cost bigint,
    new_cost bigint,
    old_price bigint,
    new_price bigint,
    old_markup_percent integer,
    new_markup_percent integer,
    change_type text DEFAULT 'manual'::text NOT NULL,
    change_reason text,
    changed_by uuid DEFAULT auth.uid(),
    effective_date timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT price_history_change_reason_check CHECK ((length(change_reason) <= 2000)),
    CONSTRAINT price_history_change_type_check CHECK ((change_type = ANY (ARRAY['manual'::text, 'bulk_update'::text, 'supplier_sync'::text, 'auto_markup'::text]))),
    CONSTRAINT price_history_new_cost_check CHECK ((new_cost >= 0)),
    CONSTRAINT price_history_new_markup_percent_check CHECK ((new_markup_percent >= 0)),
    CONSTRAINT price_history_new_price_check CHECK ((new_price >= 0)),
    CONSTRAINT price_history_old_cost_check CHECK ((old_cost >= 0)),
    CONSTRAINT price_history_old_markup_percent_check CHECK ((old_markup_percent >= 0)),
    CONSTRAINT price_history_old_price_check CHECK ((old_price >= 0))
);
ALTER TABLE ONLY public.price_history FORCE ROW LEVEL SECURITY;
ALTER TABLE public.price_history OWNER TO app_owner;

COMMENT ON TABLE public.price_history IS 'Every change of a price or cost, written by a trigger.';

CREATE TABLE public.pricing_rules (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    description text,
    rule_type text NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    applies_to text DEFAULT 'all'::text NOT NULL,
    category_filter jsonb,
    item_filter jsonb,
    customer_type_filter jsonb,
    adjustment_type text NOT NULL,
    adjustment_value integer NOT NULL,
    minimum_quantity numeric(14,3),
    maximum_quantity numeric(14,3),
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    days_of_week jsonb,
    time_ranges jsonb,
    is_active boolean DEFAULT true NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT pricing_rules_adjustment_type_check CHECK ((adjustment_type = ANY (ARRAY['percentage'::text, 'fixed_amount'::text]))),
    CONSTRAINT pricing_rules_applies_to_check CHECK ((applies_to = ANY (ARRAY['all'::text, 'category'::text, 'item'::text, 'customer_type'::text]))),
    CONSTRAINT pricing_rules_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT pricing_rules_maximum_quantity_check CHECK ((maximum_quantity >= (0)::numeric)),
    CONSTRAINT pricing_rules_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT pricing_rules_minimum_quantity_check CHECK ((minimum_quantity >= (0)::numeric)),
    CONSTRAINT pricing_rules_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT pricing_rules_rule_type_check CHECK ((rule_type = ANY (ARRAY['markup'::text, 'discount'::text, 'minimum_charge'::text, 'tiered_pricing'::text]))),
    CONSTRAINT pricing_rules_validity_check CHECK ((valid_until > valid_from))
);
ALTER TABLE ONLY public.pricing_rules FORCE ROW LEVEL SECURITY;
ALTER TABLE public.pricing_rules OWNER TO app_owner;

COMMENT ON TABLE public.pricing_rules IS 'Automatic markups and discounts: the highest priority first.';

CREATE TABLE public.users (
    id uuid NOT NULL,
    external_id text,
    name text NOT NULL,
    email text NOT NULL,
    avatar text,
    bio text,
    phone text,
    preferences jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'available'::text NOT NULL,
    email_verified boolean DEFAULT false NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    last_login_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    stripe_customer_id text,
    CONSTRAINT users_avatar_check CHECK ((length(avatar) <= 2048)),
    CONSTRAINT users_bio_check CHECK ((length(bio) <= 2000)),
    CONSTRAINT users_email_check CHECK ((length(email) <= 254)),
    CONSTRAINT users_external_id_check CHECK (((length(external_id) >= 1) AND (length(external_id) <= 255))),
    CONSTRAINT users_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT users_phone_check CHECK ((length(phone) <= 32)),
    CONSTRAINT users_preferences_check CHECK ((jsonb_typeof(preferences) = 'object'::text)),
    CONSTRAINT users_status_check CHECK ((status = ANY (ARRAY['online'::text, 'available'::text, 'busy'::text]))),
    CONSTRAINT users_stripe_customer_id_check CHECK ((length(stripe_customer_id) <= 255))
);
ALTER TABLE ONLY public.users FORCE ROW LEVEL SECURITY;
ALTER TABLE public.users OWNER TO app_owner;

COMMENT ON TABLE public.users IS 'The public side of an account, kept in step with auth.users. Belongs to no company.';

COMMENT ON COLUMN public.users.name IS 'pii:name';

COMMENT ON COLUMN public.users.email IS 'pii:email';

COMMENT ON COLUMN public.users.phone IS 'pii:phone';

CREATE VIEW public.profiles WITH (security_invoker='true') AS
 SELECT users.id,
    users.external_id AS clerk_user_id,
    users.email,
    users.name AS full_name,
    users.avatar AS avatar_url,
    app.company_id() AS current_organization_id,
    users.preferences,
    users.last_login_at AS last_seen_at,
    users.created_at,
    users.updated_at
   FROM public.users;
ALTER TABLE public.profiles OWNER TO app_owner;

CREATE TABLE public.properties (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid,
    name text NOT NULL,
    address text NOT NULL,
    address2 text,
    city text NOT NULL,
    state text NOT NULL,
    zip_code text NOT NULL,
    country text DEFAULT 'USA'::text NOT NULL,
    lat double precision,
    lon double precision,
    property_type text,
    square_footage bigint,
    year_built integer,
    notes text,
    directions text,
    parking_instructions text,
    service_entrance_notes text,
    best_access_time text,
    requires_appointment boolean DEFAULT false NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    primary_contact_id uuid,
    search_vector tsvector,
    CONSTRAINT properties_address2_check CHECK ((length(address2) <= 300)),
    CONSTRAINT properties_address_check CHECK ((length(address) <= 300)),
    CONSTRAINT properties_best_access_time_check CHECK ((length(best_access_time) <= 200)),
    CONSTRAINT properties_city_check CHECK ((length(city) <= 120)),
    CONSTRAINT properties_country_check CHECK ((length(country) <= 60)),
    CONSTRAINT properties_directions_check CHECK ((length(directions) <= 4000)),
    CONSTRAINT properties_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT properties_lon_check CHECK (((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))),
    CONSTRAINT properties_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT properties_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 200))),
    CONSTRAINT properties_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT properties_parking_instructions_check CHECK ((length(parking_instructions) <= 4000)),
    CONSTRAINT properties_property_type_check CHECK ((property_type = ANY (ARRAY['residential'::text, 'commercial'::text, 'industrial'::text]))),
    CONSTRAINT properties_service_entrance_notes_check CHECK ((length(service_entrance_notes) <= 4000)),
    CONSTRAINT properties_square_footage_check CHECK ((square_footage >= 0)),
    CONSTRAINT properties_state_check CHECK ((length(state) <= 120)),
    CONSTRAINT properties_year_built_check CHECK (((year_built >= 1000) AND (year_built <= 2200))),
    CONSTRAINT properties_zip_code_check CHECK ((length(zip_code) <= 20))
);
ALTER TABLE ONLY public.properties FORCE ROW LEVEL SECURITY;
ALTER TABLE public.properties OWNER TO app_owner;

COMMENT ON TABLE public.properties IS 'Places where work is done.';

COMMENT ON COLUMN public.properties.address IS 'pii:address';

COMMENT ON COLUMN public.properties.address2 IS 'pii:address';

COMMENT ON COLUMN public.properties.search_vector IS 'Kept by a trigger: the words of the row by their weight.';

CREATE TABLE public.public_links (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    token_hash text,
    purpose text NOT NULL,
    estimate_id uuid,
    invoice_id uuid,
    contract_id uuid,
    job_id uuid,
    customer_id uuid,
    expires_at timestamp with time zone DEFAULT (now() + '72:00:00'::interval) NOT NULL,
    uses_max integer DEFAULT 1 NOT NULL,
    use_count integer DEFAULT 0 NOT NULL,
    last_used_at timestamp with time zone,
    last_used_ip inet,
    revoked_at timestamp with time zone,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT public_links_expiry_check CHECK ((expires_at > created_at)),
    CONSTRAINT public_links_purpose_check CHECK ((purpose = ANY (ARRAY['view_estimate'::text, 'accept_estimate'::text, 'view_invoice'::text, 'pay_invoice'::text, 'sign_contract'::text, 'book'::text, 'review'::text]))),
    CONSTRAINT public_links_token_hash_check CHECK ((token_hash ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT public_links_use_check CHECK ((use_count <= uses_max)),
    CONSTRAINT public_links_use_count_check CHECK ((use_count >= 0)),
    CONSTRAINT public_links_uses_max_check CHECK (((uses_max >= 1) AND (uses_max <= 1000)))
);
ALTER TABLE ONLY public.public_links FORCE ROW LEVEL SECURITY;
ALTER TABLE public.public_links OWNER TO app_owner;

COMMENT ON TABLE public.public_links IS 'Links for people without an account: one row, one purpose, an expiry, a number of uses.';

COMMENT ON COLUMN public.public_links.token_hash IS 'secret';

COMMENT ON COLUMN public.public_links.last_used_ip IS 'pii:ip';

CREATE TABLE public.purchase_order_line_items (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    purchase_order_id uuid NOT NULL,
    price_book_item_id uuid,
    "position" integer DEFAULT 0 NOT NULL,
    description text NOT NULL,
    sku text,
    unit text,
    quantity numeric(14,3) DEFAULT 1 NOT NULL,
    unit_price bigint DEFAULT 0 NOT NULL,
    total bigint DEFAULT 0 NOT NULL,
    is_taxable boolean DEFAULT true NOT NULL,
    quantity_received numeric(14,3) DEFAULT 0 NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT purchase_order_line_items_description_check CHECK (((length(description) >= 1) AND (length(description) <= 2000))),
    CONSTRAINT purchase_order_line_items_position_check CHECK (("position" >= 0)),
    CONSTRAINT purchase_order_line_items_quantity_check CHECK ((quantity >= 0.01)),
    CONSTRAINT purchase_order_line_items_quantity_received_check CHECK ((quantity_received >= (0)::numeric)),
    CONSTRAINT purchase_order_line_items_sku_check CHECK ((length(sku) <= 120)),
    CONSTRAINT purchase_order_line_items_total_check CHECK ((total >= 0)),
    CONSTRAINT purchase_order_line_items_unit_check CHECK ((length(unit) <= 40)),
    CONSTRAINT purchase_order_line_items_unit_price_check CHECK ((unit_price >= 0))
);
ALTER TABLE ONLY public.purchase_order_line_items FORCE ROW LEVEL SECURITY;
ALTER TABLE public.purchase_order_line_items OWNER TO app_owner;

COMMENT ON TABLE public.purchase_order_line_items IS 'Lines of purchase orders.';

CREATE TABLE public.recurrences (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text,
    frequency text NOT NULL,
    interval_count integer DEFAULT 1 NOT NULL,
    by_day text[] DEFAULT '{}'::text[] NOT NULL,
    by_month_day integer,
    starts_at timestamp with time zone NOT NULL,
    duration_minutes integer DEFAULT 60 NOT NULL,
    ends_at timestamp with time zone,
    occurrences_max integer,
    expanded_until timestamp with time zone,
    is_active boolean DEFAULT true NOT NULL,
    template jsonb DEFAULT '{}'::jsonb NOT NULL,
    customer_id uuid,
    property_id uuid,
    job_id uuid,
    service_plan_id uuid,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT recurrences_by_day_check CHECK ((cardinality(by_day) <= 100)),
    CONSTRAINT recurrences_by_month_day_check CHECK (((by_month_day >= 1) AND (by_month_day <= 31))),
    CONSTRAINT recurrences_duration_minutes_check CHECK (((duration_minutes >= 1) AND (duration_minutes <= 44640))),
    CONSTRAINT recurrences_end_check CHECK ((ends_at > starts_at)),
    CONSTRAINT recurrences_frequency_check CHECK ((frequency = ANY (ARRAY['daily'::text, 'weekly'::text, 'monthly'::text, 'yearly'::text]))),
    CONSTRAINT recurrences_interval_count_check CHECK (((interval_count >= 1) AND (interval_count <= 365))),
    CONSTRAINT recurrences_name_check CHECK ((length(name) <= 200)),
    CONSTRAINT recurrences_occurrences_max_check CHECK (((occurrences_max >= 1) AND (occurrences_max <= 365))),
    CONSTRAINT recurrences_template_check CHECK ((jsonb_typeof(template) = 'object'::text))
);
ALTER TABLE ONLY public.recurrences FORCE ROW LEVEL SECURITY;
ALTER TABLE public.recurrences OWNER TO app_owner;

COMMENT ON TABLE public.recurrences IS 'Rules that make schedules again and again.';

CREATE TABLE public.requests (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid,
    property_id uuid,
    assigned_to uuid,
    converted_to_job_id uuid,
    title text NOT NULL,
    description text,
    source text DEFAULT 'phone'::text NOT NULL,
    status text DEFAULT 'new'::text NOT NULL,
    priority text DEFAULT 'normal'::text NOT NULL,
    contact_name text,
    contact_email text,
    contact_phone text,
    address text,
    city text,
    state text,
    zip_code text,
    preferred_times jsonb DEFAULT '[]'::jsonb NOT NULL,
    declined_reason text,
    answered_at timestamp with time zone,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT requests_address_check CHECK ((length(address) <= 300)),
    CONSTRAINT requests_city_check CHECK ((length(city) <= 120)),
    CONSTRAINT requests_contact_email_check CHECK ((((length(contact_email) >= 3) AND (length(contact_email) <= 254)) AND (contact_email ~ '^[^@\s]+@[^@\s]+$'::text))),
    CONSTRAINT requests_contact_name_check CHECK ((length(contact_name) <= 200)),
    CONSTRAINT requests_contact_phone_check CHECK ((contact_phone ~ '^[+][1-9][0-9]{6,14}$'::text)),
    CONSTRAINT requests_declined_reason_check CHECK ((length(declined_reason) <= 2000)),
    CONSTRAINT requests_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT requests_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT requests_preferred_times_check CHECK ((jsonb_typeof(preferred_times) = 'array'::text)),
    CONSTRAINT requests_priority_check CHECK ((priority = ANY (ARRAY['low'::text, 'normal'::text, 'high'::text, 'urgent'::text]))),
    CONSTRAINT requests_source_check CHECK ((source = ANY (ARRAY['phone'::text, 'email'::text, 'web'::text, 'portal'::text, 'referral'::text, 'other'::text]))),
    CONSTRAINT requests_state_check CHECK ((length(state) <= 120)),
    CONSTRAINT requests_status_check CHECK ((status = ANY (ARRAY['new'::text, 'contacted'::text, 'qualified'::text, 'converted'::text, 'declined'::text, 'spam'::text]))),
    CONSTRAINT requests_title_check CHECK (((length(title) >= 1) AND (length(title) <= 300))),
    CONSTRAINT requests_zip_code_check CHECK ((length(zip_code) <= 20))
);
ALTER TABLE ONLY public.requests FORCE ROW LEVEL SECURITY;
ALTER TABLE public.requests OWNER TO app_owner;

COMMENT ON TABLE public.requests IS 'What a customer asks for before there is a job.';

COMMENT ON COLUMN public.requests.contact_name IS 'pii:name';

COMMENT ON COLUMN public.requests.contact_email IS 'pii:email';

COMMENT ON COLUMN public.requests.contact_phone IS 'pii:phone';

COMMENT ON COLUMN public.requests.address IS 'pii:address';

CREATE TABLE public.role_change_log (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    changed_by uuid,
    old_role text,
    new_role text,
    old_role_id uuid,
    new_role_id uuid,
    old_permissions jsonb,
    new_permissions jsonb,
    reason text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT role_change_log_reason_check CHECK ((length(reason) <= 500))
);
ALTER TABLE ONLY public.role_change_log FORCE ROW LEVEL SECURITY;
ALTER TABLE public.role_change_log OWNER TO app_owner;

CREATE TABLE public.service_packages (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    price_book_item_id uuid NOT NULL,
    name text NOT NULL,
    description text,
    package_type text DEFAULT 'flat_rate'::text NOT NULL,
    included_items jsonb DEFAULT '[]'::jsonb NOT NULL,
    labor_hours integer DEFAULT 0 NOT NULL,
    total_cost bigint DEFAULT 0 NOT NULL,
    package_price bigint DEFAULT 0 NOT NULL,
    notes text,
    is_active boolean DEFAULT true NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT service_packages_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT service_packages_included_items_check CHECK ((jsonb_typeof(included_items) = 'array'::text)),
    CONSTRAINT service_packages_labor_hours_check CHECK ((labor_hours >= 0)),
    CONSTRAINT service_packages_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT service_packages_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT service_packages_package_price_check CHECK ((package_price >= 0)),
    CONSTRAINT service_packages_package_type_check CHECK ((package_type = ANY (ARRAY['flat_rate'::text, 'time_materials'::text]))),
    CONSTRAINT service_packages_total_cost_check CHECK ((total_cost >= 0))
);
ALTER TABLE ONLY public.service_packages FORCE ROW LEVEL SECURITY;
ALTER TABLE public.service_packages OWNER TO app_owner;

COMMENT ON TABLE public.service_packages IS 'Bundles sold as one item.';

CREATE TABLE public.service_plans (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid NOT NULL,
    property_id uuid,
    plan_number text DEFAULT ''::text NOT NULL,
    name text NOT NULL,
    description text,
    type text DEFAULT 'preventive'::text NOT NULL,
    frequency text DEFAULT 'annually'::text NOT NULL,
    custom_frequency_days integer,
    visits_per_term integer DEFAULT 1 NOT NULL,
    start_date timestamp with time zone DEFAULT now() NOT NULL,
    end_date timestamp with time zone,
    renewal_type text DEFAULT 'manual'::text,
    renewal_notice_days integer DEFAULT 30 NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    price bigint DEFAULT 0 NOT NULL,
    billing_frequency text DEFAULT 'annually'::text,
    taxable boolean DEFAULT true NOT NULL,
    included_services jsonb DEFAULT '[]'::jsonb NOT NULL,
    included_equipment_types jsonb DEFAULT '[]'::jsonb NOT NULL,
    price_book_item_ids jsonb DEFAULT '[]'::jsonb NOT NULL,
    last_service_date timestamp with time zone,
    next_service_due timestamp with time zone,
    auto_generate_jobs boolean DEFAULT false NOT NULL,
    assigned_technician uuid,
    status text DEFAULT 'active'::text NOT NULL,
    paused_at timestamp with time zone,
    paused_reason text,
    cancelled_at timestamp with time zone,
    cancelled_reason text,
    completed_at timestamp with time zone,
    terms text,
    customer_signature text,
    signed_at timestamp with time zone,
    signed_by_name text,
    total_visits_completed bigint DEFAULT 0 NOT NULL,
    total_revenue bigint DEFAULT 0 NOT NULL,
    notes text,
    customer_notes text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT service_plans_billing_frequency_check CHECK ((billing_frequency = ANY (ARRAY['monthly'::text, 'quarterly'::text, 'annually'::text, 'one_time'::text]))),
    CONSTRAINT service_plans_cancelled_reason_check CHECK ((length(cancelled_reason) <= 2000)),
    CONSTRAINT service_plans_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT service_plans_custom_frequency_check CHECK (((frequency <> 'custom'::text) OR (custom_frequency_days IS NOT NULL))),
    CONSTRAINT service_plans_custom_frequency_days_check CHECK (((custom_frequency_days >= 1) AND (custom_frequency_days <= 3650))),
    CONSTRAINT service_plans_customer_notes_check CHECK ((length(customer_notes) <= 20000)),
    CONSTRAINT service_plans_customer_signature_check CHECK ((length(customer_signature) <= 1000000)),
    CONSTRAINT service_plans_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT service_plans_frequency_check CHECK ((frequency = ANY (ARRAY['weekly'::text, 'bi_weekly'::text, 'monthly'::text, 'quarterly'::text, 'semi_annually'::text, 'annually'::text, 'custom'::text]))),
    CONSTRAINT service_plans_included_equipment_types_check CHECK ((jsonb_typeof(included_equipment_types) = 'array'::text)),
    CONSTRAINT service_plans_included_services_check CHECK ((jsonb_typeof(included_services) = 'array'::text)),
    CONSTRAINT service_plans_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT service_plans_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT service_plans_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT service_plans_paused_reason_check CHECK ((length(paused_reason) <= 2000)),
    CONSTRAINT service_plans_plan_number_check CHECK ((length(plan_number) <= 40)),
    CONSTRAINT service_plans_price_book_item_ids_check CHECK ((jsonb_typeof(price_book_item_ids) = 'array'::text)),
    CONSTRAINT service_plans_price_check CHECK ((price >= 0)),
    CONSTRAINT service_plans_renewal_notice_days_check CHECK ((renewal_notice_days >= 0)),
    CONSTRAINT service_plans_renewal_type_check CHECK ((renewal_type = ANY (ARRAY['auto'::text, 'manual'::text, 'none'::text]))),
    CONSTRAINT service_plans_signed_by_name_check CHECK ((length(signed_by_name) <= 200)),
    CONSTRAINT service_plans_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'active'::text, 'paused'::text, 'cancelled'::text, 'expired'::text, 'completed'::text]))),
    CONSTRAINT service_plans_term_check CHECK ((end_date > start_date)),
    CONSTRAINT service_plans_terms_check CHECK ((length(terms) <= 20000)),
    CONSTRAINT service_plans_total_visits_completed_check CHECK ((total_visits_completed >= 0)),
    CONSTRAINT service_plans_type_check CHECK ((type = ANY (ARRAY['preventive'::text, 'warranty'::text, 'subscription'::text, 'contract'::text]))),
    CONSTRAINT service_plans_visits_per_term_check CHECK (((visits_per_term >= 1) AND (visits_per_term <= 366)))
);
ALTER TABLE ONLY public.service_plans FORCE ROW LEVEL SECURITY;
ALTER TABLE public.service_plans OWNER TO app_owner;

COMMENT ON TABLE public.service_plans IS 'Recurring visits to a customer for a price.';

COMMENT ON COLUMN public.service_plans.signed_by_name IS 'pii:name';

CREATE TABLE public.shifts (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    start_time timestamp with time zone NOT NULL,
    end_time timestamp with time zone NOT NULL,
    kind text DEFAULT 'regular'::text NOT NULL,
    notes text,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT shifts_kind_check CHECK ((kind = ANY (ARRAY['regular'::text, 'on_call'::text, 'overtime'::text]))),
    CONSTRAINT shifts_notes_check CHECK ((length(notes) <= 2000)),
    CONSTRAINT shifts_time_check CHECK ((end_time > start_time))
);
ALTER TABLE ONLY public.shifts FORCE ROW LEVEL SECURITY;
ALTER TABLE public.shifts OWNER TO app_owner;

COMMENT ON TABLE public.shifts IS 'When people are there to work.';

CREATE TABLE public.skills (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    description text,
    requires_certificate boolean DEFAULT false NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT skills_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT skills_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);
ALTER TABLE ONLY public.skills FORCE ROW LEVEL SECURITY;
ALTER TABLE public.skills OWNER TO app_owner;

COMMENT ON TABLE public.skills IS 'What technicians can do.';

CREATE TABLE public.streams (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    chat_id uuid NOT NULL,
    user_id uuid DEFAULT auth.uid() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY public.streams FORCE ROW LEVEL SECURITY;
ALTER TABLE public.streams OWNER TO app_owner;

COMMENT ON TABLE public.streams IS 'Answers that can be taken up again.';

CREATE TABLE public.suggestions (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    document_id uuid NOT NULL,
    document_created_at timestamp with time zone,
    original_text text NOT NULL,
    suggested_text text NOT NULL,
    description text,
    is_resolved boolean DEFAULT false NOT NULL,
    user_id uuid DEFAULT auth.uid() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT suggestions_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT suggestions_original_text_check CHECK ((length(original_text) <= 20000)),
    CONSTRAINT suggestions_suggested_text_check CHECK ((length(suggested_text) <= 20000))
);
ALTER TABLE ONLY public.suggestions FORCE ROW LEVEL SECURITY;
ALTER TABLE public.suggestions OWNER TO app_owner;

COMMENT ON TABLE public.suggestions IS 'Edits that the assistant proposes.';

COMMENT ON COLUMN public.suggestions.original_text IS 'pii:text';

COMMENT ON COLUMN public.suggestions.suggested_text IS 'pii:text';

COMMENT ON COLUMN public.suggestions.description IS 'pii:text';

CREATE TABLE public.supplier_integrations (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    supplier_name text NOT NULL,
    display_name text NOT NULL,
    vendor_id uuid,
    api_enabled boolean DEFAULT false NOT NULL,
    api_key text,
    api_secret text,
    api_endpoint text,
    account_number text,
    sync_enabled boolean DEFAULT false NOT NULL,
    sync_frequency text DEFAULT 'daily'::text,
    last_sync_at timestamp with time zone,
    last_sync_status text,
    last_sync_error text,
    next_sync_at timestamp with time zone,
    total_items_imported bigint DEFAULT 0 NOT NULL,
    total_items_updated bigint DEFAULT 0 NOT NULL,
    total_items_failed bigint DEFAULT 0 NOT NULL,
    webhook_enabled boolean DEFAULT false NOT NULL,
    webhook_url text,
    webhook_secret text,
    auto_import_new_items boolean DEFAULT false NOT NULL,
    auto_update_prices boolean DEFAULT false NOT NULL,
    default_markup_percent integer DEFAULT 0 NOT NULL,
    category_mappings jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'disconnected'::text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    notes text,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT supplier_integrations_account_number_check CHECK ((length(account_number) <= 120)),
    CONSTRAINT supplier_integrations_api_endpoint_check CHECK ((length(api_endpoint) <= 2048)),
    CONSTRAINT supplier_integrations_api_key_check CHECK ((length(api_key) <= 4000)),
    CONSTRAINT supplier_integrations_api_secret_check CHECK ((length(api_secret) <= 4000)),
    CONSTRAINT supplier_integrations_category_mappings_check CHECK ((jsonb_typeof(category_mappings) = 'object'::text)),
    CONSTRAINT supplier_integrations_default_markup_percent_check CHECK (((default_markup_percent >= 0) AND (default_markup_percent <= 10000))),
    CONSTRAINT supplier_integrations_display_name_check CHECK (((length(display_name) >= 1) AND (length(display_name) <= 200))),
    CONSTRAINT supplier_integrations_last_sync_error_check CHECK ((length(last_sync_error) <= 2000)),
    CONSTRAINT supplier_integrations_last_sync_status_check CHECK ((last_sync_status = ANY (ARRAY['success'::text, 'error'::text, 'in_progress'::text]))),
    CONSTRAINT supplier_integrations_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT supplier_integrations_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT supplier_integrations_status_check CHECK ((status = ANY (ARRAY['connected'::text, 'disconnected'::text, 'error'::text, 'syncing'::text]))),
    CONSTRAINT supplier_integrations_supplier_name_check CHECK (((length(supplier_name) >= 1) AND (length(supplier_name) <= 120))),
    CONSTRAINT supplier_integrations_sync_frequency_check CHECK ((sync_frequency = ANY (ARRAY['hourly'::text, 'daily'::text, 'weekly'::text, 'manual'::text]))),
    CONSTRAINT supplier_integrations_total_items_failed_check CHECK ((total_items_failed >= 0)),
    CONSTRAINT supplier_integrations_total_items_imported_check CHECK ((total_items_imported >= 0)),
    CONSTRAINT supplier_integrations_total_items_updated_check CHECK ((total_items_updated >= 0)),
    CONSTRAINT supplier_integrations_webhook_secret_check CHECK ((length(webhook_secret) <= 4000)),
    CONSTRAINT supplier_integrations_webhook_url_check CHECK ((length(webhook_url) <= 2048))
);
ALTER TABLE ONLY public.supplier_integrations FORCE ROW LEVEL SECURITY;
ALTER TABLE public.supplier_integrations OWNER TO app_owner;

COMMENT ON TABLE public.supplier_integrations IS 'The connection to a supplier''s catalogue. Keys are kept by the key ring; here is ciphertext.';

COMMENT ON COLUMN public.supplier_integrations.api_key IS 'secret';

COMMENT ON COLUMN public.supplier_integrations.api_secret IS 'secret';

COMMENT ON COLUMN public.supplier_integrations.webhook_secret IS 'secret';

CREATE TABLE public.suppressions (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    kind text NOT NULL,
    address_key text NOT NULL,
    reason text NOT NULL,
    note text,
    created_by uuid DEFAULT auth.uid(),
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT suppressions_address_key_check CHECK (((length(address_key) >= 1) AND (length(address_key) <= 320))),
    CONSTRAINT suppressions_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'sms'::text]))),
    CONSTRAINT suppressions_note_check CHECK ((length(note) <= 500)),
    CONSTRAINT suppressions_reason_check CHECK ((reason = ANY (ARRAY['bounce'::text, 'complaint'::text, 'unsubscribe'::text, 'manual'::text])))
);
ALTER TABLE ONLY public.suppressions FORCE ROW LEVEL SECURITY;
ALTER TABLE public.suppressions OWNER TO app_owner;

COMMENT ON TABLE public.suppressions IS 'Addresses that are not written to: bounced, complained, unsubscribed.';

COMMENT ON COLUMN public.suppressions.address_key IS 'pii:contact';

CREATE TABLE public.tags (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    slug text NOT NULL,
    description text,
    category text,
    color text,
    icon text,
    usage_count bigint DEFAULT 0 NOT NULL,
    last_used_at timestamp with time zone,
    is_active boolean DEFAULT true NOT NULL,
    is_system boolean DEFAULT false NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tags_category_check CHECK ((category = ANY (ARRAY['customer'::text, 'job'::text, 'equipment'::text, 'general'::text, 'status'::text, 'priority'::text]))),
    CONSTRAINT tags_color_check CHECK ((color ~ '^#[0-9A-Fa-f]{6}$'::text)),
    CONSTRAINT tags_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT tags_icon_check CHECK ((length(icon) <= 60)),
    CONSTRAINT tags_name_check CHECK (((length(name) >= 1) AND (length(name) <= 120))),
    CONSTRAINT tags_slug_check CHECK (((length(slug) <= 120) AND (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'::text))),
    CONSTRAINT tags_usage_count_check CHECK ((usage_count >= 0))
);
ALTER TABLE ONLY public.tags FORCE ROW LEVEL SECURITY;
ALTER TABLE public.tags OWNER TO app_owner;

COMMENT ON TABLE public.tags IS 'Labels.';

CREATE TABLE public.technician_positions (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    user_id uuid DEFAULT auth.uid() NOT NULL,
    lat double precision NOT NULL,
    lon double precision NOT NULL,
    accuracy_m integer,
    heading integer,
    speed_kmh integer,
    battery_percent integer,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    job_id uuid,
    device text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT technician_positions_accuracy_m_check CHECK ((accuracy_m >= 0)),
    CONSTRAINT technician_positions_battery_percent_check CHECK (((battery_percent >= 0) AND (battery_percent <= 100))),
    CONSTRAINT technician_positions_device_check CHECK ((length(device) <= 120)),
    CONSTRAINT technician_positions_heading_check CHECK (((heading >= 0) AND (heading <= 359))),
    CONSTRAINT technician_positions_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT technician_positions_lon_check CHECK (((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))),
    CONSTRAINT technician_positions_speed_kmh_check CHECK ((speed_kmh >= 0))
);
ALTER TABLE ONLY public.technician_positions FORCE ROW LEVEL SECURITY;
ALTER TABLE public.technician_positions OWNER TO app_owner;

COMMENT ON TABLE public.technician_positions IS 'Where a technician was last seen: one row each.';

CREATE TABLE public.time_entries (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid DEFAULT auth.uid() NOT NULL,
    job_id uuid,
    schedule_id uuid,
    kind text DEFAULT 'work'::text NOT NULL,
    clock_in timestamp with time zone DEFAULT now() NOT NULL,
    clock_out timestamp with time zone,
    break_minutes integer DEFAULT 0 NOT NULL,
    hourly_cost bigint,
    is_billable boolean DEFAULT true NOT NULL,
    is_approved boolean DEFAULT false NOT NULL,
    approved_by uuid,
    approved_at timestamp with time zone,
    clock_in_lat double precision,
    clock_in_lon double precision,
    clock_out_lat double precision,
    clock_out_lon double precision,
    notes text,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT time_entries_break_minutes_check CHECK (((break_minutes >= 0) AND (break_minutes <= 1440))),
    CONSTRAINT time_entries_clock_in_lat_check CHECK (((clock_in_lat >= ('-90'::integer)::double precision) AND (clock_in_lat <= (90)::double precision))),
    CONSTRAINT time_entries_clock_in_lon_check CHECK (((clock_in_lon >= ('-180'::integer)::double precision) AND (clock_in_lon <= (180)::double precision))),
    CONSTRAINT time_entries_clock_out_lat_check CHECK (((clock_out_lat >= ('-90'::integer)::double precision) AND (clock_out_lat <= (90)::double precision))),
    CONSTRAINT time_entries_clock_out_lon_check CHECK (((clock_out_lon >= ('-180'::integer)::double precision) AND (clock_out_lon <= (180)::double precision))),
    CONSTRAINT time_entries_hourly_cost_check CHECK ((hourly_cost >= 0)),
    CONSTRAINT time_entries_kind_check CHECK ((kind = ANY (ARRAY['work'::text, 'travel'::text, 'break'::text, 'admin'::text, 'training'::text]))),
    CONSTRAINT time_entries_notes_check CHECK ((length(notes) <= 2000)),
    CONSTRAINT time_entries_time_check CHECK ((clock_out >= clock_in))
);
ALTER TABLE ONLY public.time_entries FORCE ROW LEVEL SECURITY;
ALTER TABLE public.time_entries OWNER TO app_owner;

COMMENT ON TABLE public.time_entries IS 'Hours that people worked.';

CREATE TABLE public.vendors (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    vendor_number text DEFAULT ''::text NOT NULL,
    name text NOT NULL,
    display_name text,
    category text DEFAULT 'supplier'::text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    payment_terms text DEFAULT 'net_30'::text NOT NULL,
    email text,
    phone text,
    website text,
    address text,
    address2 text,
    city text,
    state text,
    zip_code text,
    country text DEFAULT 'USA'::text NOT NULL,
    tax_id text,
    account_number text,
    currency text DEFAULT 'USD'::text NOT NULL,
    credit_limit bigint DEFAULT 0 NOT NULL,
    notes text,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT vendors_account_number_check CHECK ((length(account_number) <= 120)),
    CONSTRAINT vendors_address2_check CHECK ((length(address2) <= 300)),
    CONSTRAINT vendors_address_check CHECK ((length(address) <= 300)),
    CONSTRAINT vendors_category_check CHECK ((category = ANY (ARRAY['supplier'::text, 'distributor'::text, 'manufacturer'::text, 'service_provider'::text, 'other'::text]))),
    CONSTRAINT vendors_city_check CHECK ((length(city) <= 120)),
    CONSTRAINT vendors_country_check CHECK ((country ~ '^[A-Z]{2,3}$'::text)),
    CONSTRAINT vendors_credit_limit_check CHECK ((credit_limit >= 0)),
    CONSTRAINT vendors_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT vendors_display_name_check CHECK ((length(display_name) <= 200)),
    CONSTRAINT vendors_email_check CHECK ((((length(email) >= 3) AND (length(email) <= 254)) AND (email ~ '^[^@\s]+@[^@\s]+$'::text))),
    CONSTRAINT vendors_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT vendors_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT vendors_payment_terms_check CHECK ((payment_terms = ANY (ARRAY['net_15'::text, 'net_30'::text, 'net_60'::text, 'due_on_receipt'::text, 'custom'::text]))),
    CONSTRAINT vendors_phone_check CHECK ((phone ~ '^[+][1-9][0-9]{6,14}$'::text)),
    CONSTRAINT vendors_state_check CHECK ((length(state) <= 120)),
    CONSTRAINT vendors_status_check CHECK ((status = ANY (ARRAY['active'::text, 'inactive'::text]))),
    CONSTRAINT vendors_tags_check CHECK ((cardinality(tags) <= 100)),
    CONSTRAINT vendors_tax_id_check CHECK ((length(tax_id) <= 100)),
    CONSTRAINT vendors_vendor_number_check CHECK ((length(vendor_number) <= 40)),
    CONSTRAINT vendors_website_check CHECK ((length(website) <= 2048)),
    CONSTRAINT vendors_zip_code_check CHECK ((length(zip_code) <= 20))
);
ALTER TABLE ONLY public.vendors FORCE ROW LEVEL SECURITY;
ALTER TABLE public.vendors OWNER TO app_owner;

COMMENT ON TABLE public.vendors IS 'Whom we buy from.';

COMMENT ON COLUMN public.vendors.email IS 'pii:email';

COMMENT ON COLUMN public.vendors.phone IS 'pii:phone';

COMMENT ON COLUMN public.vendors.address IS 'pii:address';

COMMENT ON COLUMN public.vendors.address2 IS 'pii:address';

COMMENT ON COLUMN public.vendors.tax_id IS 'pii:tax_id';

CREATE TABLE public.verification_tokens (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    token text NOT NULL,
    email text NOT NULL,
    type text DEFAULT 'email_verification'::text NOT NULL,
    user_id uuid,
    used boolean DEFAULT false NOT NULL,
    used_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT verification_tokens_email_check CHECK ((((length(email) >= 3) AND (length(email) <= 254)) AND (email ~ '^[^@\s]+@[^@\s]+$'::text))),
    CONSTRAINT verification_tokens_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT verification_tokens_token_check CHECK ((token ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT verification_tokens_type_check CHECK ((type = ANY (ARRAY['email_verification'::text, 'password_reset'::text, 'magic_link'::text]))),
    CONSTRAINT verification_tokens_used_check CHECK ((used = (used_at IS NOT NULL)))
);
ALTER TABLE ONLY public.verification_tokens FORCE ROW LEVEL SECURITY;
ALTER TABLE public.verification_tokens OWNER TO app_owner;

COMMENT ON TABLE public.verification_tokens IS 'One-time tokens for addresses. Reached by the service only.';

COMMENT ON COLUMN public.verification_tokens.token IS 'secret';

COMMENT ON COLUMN public.verification_tokens.email IS 'pii:email';

CREATE TABLE public.votes_v2 (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    chat_id uuid NOT NULL,
    message_id uuid NOT NULL,
    user_id uuid DEFAULT auth.uid() NOT NULL,
    is_upvoted boolean NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY public.votes_v2 FORCE ROW LEVEL SECURITY;
ALTER TABLE public.votes_v2 OWNER TO app_owner;

COMMENT ON TABLE public.votes_v2 IS 'Votes on answers of the assistant.';

CREATE TABLE public.webhook_logs (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    webhook_id uuid NOT NULL,
    event_type text NOT NULL,
    payload jsonb NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    http_status_code integer,
    response_body text,
    response_time_ms integer,
    retry_count integer DEFAULT 0 NOT NULL,
    next_retry_at timestamp with time zone,
    error_message text,
    sent_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhook_logs_error_message_check CHECK ((length(error_message) <= 4000)),
    CONSTRAINT webhook_logs_event_type_check CHECK (((length(event_type) >= 1) AND (length(event_type) <= 120))),
    CONSTRAINT webhook_logs_http_status_code_check CHECK ((http_status_code >= 0)),
    CONSTRAINT webhook_logs_id_check CHECK (((get_byte(uuid_send(id), 6) >> 4) = 7)),
    CONSTRAINT webhook_logs_response_body_check CHECK ((length(response_body) <= 20000)),
    CONSTRAINT webhook_logs_response_time_ms_check CHECK ((response_time_ms >= 0)),
    CONSTRAINT webhook_logs_retry_count_check CHECK ((retry_count >= 0)),
    CONSTRAINT webhook_logs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'sent'::text, 'failed'::text, 'retrying'::text])))
)
PARTITION BY RANGE (id);
ALTER TABLE ONLY public.webhook_logs FORCE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_logs OWNER TO app_owner;

COMMENT ON TABLE public.webhook_logs IS 'Every delivery of a webhook. Partitioned by the month in the id.';

CREATE TABLE public.webhooks (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    url text,
    secret text,
    events text[] DEFAULT '{}'::text[] NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    retry_policy jsonb DEFAULT '{}'::jsonb NOT NULL,
    timeout_seconds integer DEFAULT 30 NOT NULL,
    ip_whitelist text[] DEFAULT '{}'::text[] NOT NULL,
    custom_headers jsonb DEFAULT '{}'::jsonb NOT NULL,
    last_triggered_at timestamp with time zone,
    success_count bigint DEFAULT 0 NOT NULL,
    failure_count bigint DEFAULT 0 NOT NULL,
    disabled_reason text,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhooks_custom_headers_check CHECK ((jsonb_typeof(custom_headers) = 'object'::text)),
    CONSTRAINT webhooks_disabled_reason_check CHECK ((length(disabled_reason) <= 500)),
    CONSTRAINT webhooks_events_check CHECK ((cardinality(events) <= 100)),
    CONSTRAINT webhooks_failure_count_check CHECK ((failure_count >= 0)),
    CONSTRAINT webhooks_ip_whitelist_check CHECK ((cardinality(ip_whitelist) <= 100)),
    CONSTRAINT webhooks_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT webhooks_retry_policy_check CHECK ((jsonb_typeof(retry_policy) = 'object'::text)),
    CONSTRAINT webhooks_secret_check CHECK ((length(secret) <= 4000)),
    CONSTRAINT webhooks_success_count_check CHECK ((success_count >= 0)),
    CONSTRAINT webhooks_timeout_seconds_check CHECK (((timeout_seconds >= 1) AND (timeout_seconds <= 60))),
    CONSTRAINT webhooks_url_check CHECK ((length(url) <= 2048))
);
ALTER TABLE ONLY public.webhooks FORCE ROW LEVEL SECURITY;
ALTER TABLE public.webhooks OWNER TO app_owner;

COMMENT ON TABLE public.webhooks IS 'Where a company wants to be told of events.';

COMMENT ON COLUMN public.webhooks.secret IS 'secret';

COMMENT ON COLUMN public.webhooks.custom_headers IS 'secret';

CREATE TABLE public.zones (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    description text,
    color text,
    boundary jsonb,
    zip_codes text[] DEFAULT '{}'::text[] NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT zones_color_check CHECK ((color ~ '^#[0-9A-Fa-f]{6}$'::text)),
    CONSTRAINT zones_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT zones_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT zones_zip_codes_check CHECK ((cardinality(zip_codes) <= 100))
);
ALTER TABLE ONLY public.zones FORCE ROW LEVEL SECURITY;
ALTER TABLE public.zones OWNER TO app_owner;

COMMENT ON TABLE public.zones IS 'Territories.';

CREATE VIEW shared.customers WITH (security_invoker='true') AS
 SELECT customers.id,
    customers.company_id AS tenant_id,
    customers.email,
    customers.first_name,
    customers.last_name,
    customers.phone,
    jsonb_strip_nulls(jsonb_build_object('line1', customers.address, 'line2', customers.address2, 'city', customers.city, 'state', customers.state, 'zip_code', customers.zip_code, 'country', customers.country)) AS address,
    customers.communication_preferences AS preferences,
    customers.tags,
    customers.created_at,
    customers.updated_at
   FROM public.customers
  WHERE (customers.deleted_at IS NULL);
ALTER TABLE shared.customers OWNER TO app_owner;

CREATE VIEW shared.tenants WITH (security_invoker='true') AS
 SELECT companies.id,
    companies.name,
    companies.industry,
    companies.slug AS subdomain,
    companies.settings,
    companies.created_at,
    companies.updated_at
   FROM public.companies;
ALTER TABLE shared.tenants OWNER TO app_owner;

CREATE VIEW shared.users WITH (security_invoker='true') AS
 SELECT team_members.user_id AS id,
    team_members.company_id AS tenant_id,
    team_members.email,
    team_members.role,
    split_part(team_members.name, ' '::text, 1) AS first_name,
    NULLIF(btrim(substr(team_members.name, (length(split_part(team_members.name, ' '::text, 1)) + 1))), ''::text) AS last_name,
    team_members.phone,
    NULL::text AS avatar_url,
    '{}'::jsonb AS settings,
    team_members.last_active_at AS last_login_at,
    team_members.created_at,
    team_members.updated_at
   FROM public.team_members;
ALTER TABLE shared.users OWNER TO app_owner;

ALTER TABLE ONLY app.applied_code
    ADD CONSTRAINT applied_code_pkey PRIMARY KEY (checksum);

ALTER TABLE ONLY app.applied_seeds
    ADD CONSTRAINT applied_seeds_pkey PRIMARY KEY (path);

ALTER TABLE ONLY app.audit_batches
    ADD CONSTRAINT audit_batches_pkey PRIMARY KEY (company_id, number);

ALTER TABLE ONLY app.audit_seal
    ADD CONSTRAINT audit_seal_pkey PRIMARY KEY (is_only);

ALTER TABLE ONLY app.backfills
    ADD CONSTRAINT backfills_pkey PRIMARY KEY (version);

ALTER TABLE ONLY app.counters
    ADD CONSTRAINT counters_pkey PRIMARY KEY (company_id, name);

ALTER TABLE ONLY app.figures
    ADD CONSTRAINT figures_pkey PRIMARY KEY (company_id, scope, subject, month, currency);

ALTER TABLE ONLY app.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY app.protected_tables
    ADD CONSTRAINT protected_tables_pkey PRIMARY KEY (table_name);

ALTER TABLE ONLY app.role_permissions
    ADD CONSTRAINT role_permissions_pkey PRIMARY KEY (role, permission);

ALTER TABLE ONLY app.schema_fingerprints
    ADD CONSTRAINT schema_fingerprints_pkey PRIMARY KEY (taken_at);

ALTER TABLE ONLY app.statuses
    ADD CONSTRAINT statuses_pkey PRIMARY KEY (table_name, status);

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_provider_provider_id_key UNIQUE (provider, provider_id);

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.absences
    ADD CONSTRAINT absences_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.activities
    ADD CONSTRAINT activities_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_company_id_key_hash_key UNIQUE (company_id, key_hash);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.api_rate_limits
    ADD CONSTRAINT api_rate_limits_identifier_type_identifier_value_endpoint_w_key UNIQUE (identifier_type, identifier_value, endpoint, window_start);

ALTER TABLE ONLY public.api_rate_limits
    ADD CONSTRAINT api_rate_limits_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.audit_logs
    ADD CONSTRAINT audit_logs_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.background_jobs
    ADD CONSTRAINT background_jobs_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_no_double_booking EXCLUDE USING gist (company_id WITH =, user_id WITH =, tstzrange(start_time, end_time) WITH &&);

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_pkey PRIMARY KEY (company_id, schedule_id, user_id);

ALTER TABLE ONLY public.chats
    ADD CONSTRAINT chats_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.communications
    ADD CONSTRAINT communications_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_external_id_key UNIQUE (external_id);

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_slug_key UNIQUE (slug);

ALTER TABLE ONLY public.company_holidays
    ADD CONSTRAINT company_holidays_company_id_holiday_date_name_key UNIQUE (company_id, holiday_date, name);

ALTER TABLE ONLY public.company_holidays
    ADD CONSTRAINT company_holidays_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.company_settings
    ADD CONSTRAINT company_settings_company_id_key UNIQUE (company_id);

ALTER TABLE ONLY public.company_settings
    ADD CONSTRAINT company_settings_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_company_id_contract_number_key UNIQUE (company_id, contract_number);

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.credit_notes
    ADD CONSTRAINT credit_notes_company_id_credit_note_number_key UNIQUE (company_id, credit_note_number);

ALTER TABLE ONLY public.credit_notes
    ADD CONSTRAINT credit_notes_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.custom_field_values
    ADD CONSTRAINT custom_field_values_company_id_custom_field_id_entity_id_key UNIQUE (company_id, custom_field_id, entity_id);

ALTER TABLE ONLY public.custom_field_values
    ADD CONSTRAINT custom_field_values_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.custom_fields
    ADD CONSTRAINT custom_fields_company_id_entity_type_field_key_key UNIQUE (company_id, entity_type, field_key);

ALTER TABLE ONLY public.custom_fields
    ADD CONSTRAINT custom_fields_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.custom_roles
    ADD CONSTRAINT custom_roles_company_id_name_key UNIQUE (company_id, name);

ALTER TABLE ONLY public.custom_roles
    ADD CONSTRAINT custom_roles_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.customer_addresses
    ADD CONSTRAINT customer_addresses_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.customer_contacts
    ADD CONSTRAINT customer_contacts_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.customer_reviews
    ADD CONSTRAINT customer_reviews_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.customer_tags
    ADD CONSTRAINT customer_tags_pkey PRIMARY KEY (company_id, customer_id, tag_id);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_company_id_email_key_key UNIQUE (company_id, email_key);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.departments
    ADD CONSTRAINT departments_company_id_name_key UNIQUE (company_id, name);

ALTER TABLE ONLY public.departments
    ADD CONSTRAINT departments_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.email_logs
    ADD CONSTRAINT email_logs_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_company_id_equipment_number_key UNIQUE (company_id, equipment_number);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.equipment_tags
    ADD CONSTRAINT equipment_tags_pkey PRIMARY KEY (company_id, equipment_id, tag_id);

ALTER TABLE ONLY public.estimate_jobs
    ADD CONSTRAINT estimate_jobs_pkey PRIMARY KEY (company_id, estimate_id, job_id);

ALTER TABLE ONLY public.estimate_line_items
    ADD CONSTRAINT estimate_line_items_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.estimate_options
    ADD CONSTRAINT estimate_options_company_id_estimate_id_id_key UNIQUE (company_id, estimate_id, id);

ALTER TABLE ONLY public.estimate_options
    ADD CONSTRAINT estimate_options_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.estimates
    ADD CONSTRAINT estimates_company_id_estimate_number_key UNIQUE (company_id, estimate_number);

ALTER TABLE ONLY public.estimates
    ADD CONSTRAINT estimates_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.file_storage
    ADD CONSTRAINT file_storage_company_id_storage_bucket_storage_path_key UNIQUE (company_id, storage_bucket, storage_path);

ALTER TABLE ONLY public.file_storage
    ADD CONSTRAINT file_storage_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.form_submissions
    ADD CONSTRAINT form_submissions_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.form_templates
    ADD CONSTRAINT form_templates_company_id_name_revision_key UNIQUE (company_id, name, revision);

ALTER TABLE ONLY public.form_templates
    ADD CONSTRAINT form_templates_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.import_runs
    ADD CONSTRAINT import_runs_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.inventory
    ADD CONSTRAINT inventory_company_id_price_book_item_id_key UNIQUE (company_id, price_book_item_id);

ALTER TABLE ONLY public.inventory_locations
    ADD CONSTRAINT inventory_locations_company_id_name_key UNIQUE (company_id, name);

ALTER TABLE ONLY public.inventory_locations
    ADD CONSTRAINT inventory_locations_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.inventory
    ADD CONSTRAINT inventory_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.invoice_jobs
    ADD CONSTRAINT invoice_jobs_pkey PRIMARY KEY (company_id, invoice_id, job_id);

ALTER TABLE ONLY public.invoice_line_items
    ADD CONSTRAINT invoice_line_items_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_company_id_draft_number_key UNIQUE (company_id, draft_number);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_company_id_invoice_number_key UNIQUE (company_id, invoice_number);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.job_equipment
    ADD CONSTRAINT job_equipment_pkey PRIMARY KEY (company_id, job_id, equipment_id);

ALTER TABLE ONLY public.job_tags
    ADD CONSTRAINT job_tags_pkey PRIMARY KEY (company_id, job_id, tag_id);

ALTER TABLE ONLY public.job_team_assignments
    ADD CONSTRAINT job_team_assignments_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.jobs_archive
    ADD CONSTRAINT jobs_archive_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_company_id_job_number_key UNIQUE (company_id, job_number);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.labor_rates
    ADD CONSTRAINT labor_rates_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.member_skills
    ADD CONSTRAINT member_skills_pkey PRIMARY KEY (company_id, user_id, skill_id);

ALTER TABLE ONLY public.member_zones
    ADD CONSTRAINT member_zones_pkey PRIMARY KEY (company_id, user_id, zone_id);

ALTER TABLE ONLY public.messages_v2
    ADD CONSTRAINT messages_v2_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.notes
    ADD CONSTRAINT notes_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.notification_preferences
    ADD CONSTRAINT notification_preferences_company_id_user_id_key UNIQUE (company_id, user_id);

ALTER TABLE ONLY public.notification_preferences
    ADD CONSTRAINT notification_preferences_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.notification_queue
    ADD CONSTRAINT notification_queue_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.notification_templates
    ADD CONSTRAINT notification_templates_company_id_event_channel_locale_key UNIQUE (company_id, event, channel, locale);

ALTER TABLE ONLY public.notification_templates
    ADD CONSTRAINT notification_templates_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.ownership_transfers
    ADD CONSTRAINT ownership_transfers_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.payment_allocations
    ADD CONSTRAINT payment_allocations_company_id_payment_id_invoice_id_key UNIQUE (company_id, payment_id, invoice_id);

ALTER TABLE ONLY public.payment_allocations
    ADD CONSTRAINT payment_allocations_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_company_id_idempotency_key_key UNIQUE (company_id, idempotency_key);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_company_id_payment_number_key UNIQUE (company_id, payment_number);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.po_settings
    ADD CONSTRAINT po_settings_company_id_key UNIQUE (company_id);

ALTER TABLE ONLY public.po_settings
    ADD CONSTRAINT po_settings_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.posts
    ADD CONSTRAINT posts_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.price_book_categories
    ADD CONSTRAINT price_book_categories_company_id_slug_key UNIQUE (company_id, slug);

ALTER TABLE ONLY public.price_book_categories
    ADD CONSTRAINT price_book_categories_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.price_book_items
    ADD CONSTRAINT price_book_items_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.price_history
    ADD CONSTRAINT price_history_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.pricing_rules
    ADD CONSTRAINT pricing_rules_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.properties
    ADD CONSTRAINT properties_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.public_links
    ADD CONSTRAINT public_links_company_id_token_hash_key UNIQUE (company_id, token_hash);

ALTER TABLE ONLY public.public_links
    ADD CONSTRAINT public_links_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.purchase_order_line_items
    ADD CONSTRAINT purchase_order_line_items_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_company_id_po_number_key UNIQUE (company_id, po_number);

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.recurrences
    ADD CONSTRAINT recurrences_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.role_change_log
    ADD CONSTRAINT role_change_log_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.service_packages
    ADD CONSTRAINT service_packages_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.service_plans
    ADD CONSTRAINT service_plans_company_id_plan_number_key UNIQUE (company_id, plan_number);

ALTER TABLE ONLY public.service_plans
    ADD CONSTRAINT service_plans_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.shifts
    ADD CONSTRAINT shifts_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.skills
    ADD CONSTRAINT skills_company_id_name_key UNIQUE (company_id, name);

ALTER TABLE ONLY public.skills
    ADD CONSTRAINT skills_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.stock_moves
    ADD CONSTRAINT stock_moves_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.stock_reservations
    ADD CONSTRAINT stock_reservations_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.streams
    ADD CONSTRAINT streams_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.suggestions
    ADD CONSTRAINT suggestions_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.supplier_integrations
    ADD CONSTRAINT supplier_integrations_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.suppressions
    ADD CONSTRAINT suppressions_company_id_kind_address_key_key UNIQUE (company_id, kind, address_key);

ALTER TABLE ONLY public.suppressions
    ADD CONSTRAINT suppressions_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_company_id_slug_key UNIQUE (company_id, slug);

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_company_id_user_id_key UNIQUE (company_id, user_id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.technician_positions
    ADD CONSTRAINT technician_positions_pkey PRIMARY KEY (company_id, user_id);

ALTER TABLE ONLY public.time_entries
    ADD CONSTRAINT time_entries_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_external_id_key UNIQUE (external_id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.vendors
    ADD CONSTRAINT vendors_company_id_vendor_number_key UNIQUE (company_id, vendor_number);

ALTER TABLE ONLY public.vendors
    ADD CONSTRAINT vendors_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.verification_tokens
    ADD CONSTRAINT verification_tokens_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.verification_tokens
    ADD CONSTRAINT verification_tokens_token_key UNIQUE (token);

ALTER TABLE ONLY public.votes_v2
    ADD CONSTRAINT votes_v2_pkey PRIMARY KEY (company_id, chat_id, message_id);

ALTER TABLE ONLY public.webhook_logs
    ADD CONSTRAINT webhook_logs_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.zones
    ADD CONSTRAINT zones_company_id_name_key UNIQUE (company_id, name);

ALTER TABLE ONLY public.zones
    ADD CONSTRAINT zones_pkey PRIMARY KEY (company_id, id);

CREATE INDEX audit_batches_sealed_at_idx ON app.audit_batches USING btree (sealed_at);

CREATE INDEX figure_changes_idx ON app.figure_changes USING btree (company_id, scope, subject);

CREATE INDEX identities_user_id_idx ON auth.identities USING btree (user_id);

CREATE INDEX sessions_active_company_id_idx ON auth.sessions USING btree (active_company_id);

CREATE INDEX sessions_not_after_idx ON auth.sessions USING btree (not_after);

CREATE INDEX sessions_user_id_idx ON auth.sessions USING btree (user_id, created_at DESC);

CREATE INDEX users_created_at_idx ON auth.users USING btree (created_at DESC, id);

CREATE UNIQUE INDEX users_email_key ON auth.users USING btree (email_key) WHERE ((deleted_at IS NULL) AND (NOT is_sso_user));

CREATE UNIQUE INDEX users_phone_key ON auth.users USING btree (phone) WHERE ((deleted_at IS NULL) AND (phone IS NOT NULL));

CREATE INDEX absences_created_at_idx ON public.absences USING btree (company_id, created_at DESC, id);

CREATE INDEX absences_decided_by_idx ON public.absences USING btree (company_id, decided_by);

CREATE INDEX absences_id_idx ON public.absences USING btree (id);

CREATE INDEX absences_start_time_idx ON public.absences USING btree (company_id, start_time);

CREATE INDEX absences_user_id_idx ON public.absences USING btree (company_id, user_id, start_time);

CREATE INDEX activities_created_at_idx ON ONLY public.activities USING btree (company_id, created_at DESC, id);

CREATE INDEX activities_entity_idx ON ONLY public.activities USING btree (company_id, entity_type, entity_id, occurred_at DESC);

CREATE INDEX activities_job_id_idx ON ONLY public.activities USING btree (company_id, job_id, occurred_at DESC);

CREATE INDEX activities_id_idx ON ONLY public.activities USING btree (id);

CREATE INDEX api_keys_created_at_idx ON public.api_keys USING btree (company_id, created_at DESC, id);

CREATE INDEX api_keys_id_idx ON public.api_keys USING btree (id);

CREATE INDEX api_rate_limits_company_id_idx ON public.api_rate_limits USING btree (company_id);

CREATE INDEX api_rate_limits_user_id_idx ON public.api_rate_limits USING btree (user_id);

CREATE INDEX api_rate_limits_window_end_idx ON public.api_rate_limits USING btree (window_end);

CREATE INDEX attachments_created_at_idx ON public.attachments USING btree (company_id, created_at DESC, id);

CREATE INDEX attachments_entity_idx ON public.attachments USING btree (company_id, entity_type, entity_id, created_at DESC);

CREATE INDEX attachments_file_id_idx ON public.attachments USING btree (company_id, file_id);

CREATE INDEX attachments_id_idx ON public.attachments USING btree (id);

CREATE INDEX attachments_job_id_idx ON public.attachments USING btree (company_id, job_id);

CREATE INDEX attachments_parent_id_idx ON public.attachments USING btree (company_id, parent_id);

CREATE INDEX attachments_uploaded_by_idx ON public.attachments USING btree (company_id, uploaded_by);

CREATE INDEX audit_logs_created_at_idx ON ONLY public.audit_logs USING btree (company_id, created_at DESC, id);

CREATE INDEX audit_logs_entity_idx ON ONLY public.audit_logs USING btree (company_id, entity_type, entity_id, created_at DESC);

CREATE INDEX audit_logs_user_id_idx ON ONLY public.audit_logs USING btree (company_id, user_id, created_at DESC);

CREATE INDEX audit_logs_id_idx ON ONLY public.audit_logs USING btree (id);

CREATE INDEX audit_logs_xid_idx ON ONLY public.audit_logs USING btree (xid);

CREATE INDEX background_jobs_created_at_idx ON public.background_jobs USING btree (company_id, created_at DESC, id);

CREATE INDEX background_jobs_id_idx ON public.background_jobs USING btree (id);

CREATE INDEX background_jobs_status_idx ON public.background_jobs USING btree (company_id, status, scheduled_for);

CREATE INDEX bookings_user_id_idx ON public.bookings USING btree (company_id, user_id);

CREATE INDEX chats_created_at_idx ON public.chats USING btree (company_id, created_at DESC, id);

CREATE INDEX chats_id_idx ON public.chats USING btree (id);

CREATE INDEX chats_user_id_idx ON public.chats USING btree (company_id, user_id, created_at DESC);

CREATE INDEX communications_assigned_to_idx ON ONLY public.communications USING btree (company_id, assigned_to, created_at DESC);

CREATE INDEX communications_created_at_idx ON ONLY public.communications USING btree (company_id, created_at DESC, id);

CREATE INDEX communications_customer_id_idx ON ONLY public.communications USING btree (company_id, customer_id, created_at DESC);

CREATE INDEX communications_estimate_id_idx ON ONLY public.communications USING btree (company_id, estimate_id);

CREATE INDEX communications_invoice_id_idx ON ONLY public.communications USING btree (company_id, invoice_id);

CREATE INDEX communications_job_id_idx ON ONLY public.communications USING btree (company_id, job_id);

CREATE INDEX communications_parent_id_idx ON ONLY public.communications USING btree (company_id, parent_id);

CREATE INDEX communications_provider_message_id_idx ON ONLY public.communications USING btree (company_id, provider_message_id);

CREATE INDEX communications_sent_by_idx ON ONLY public.communications USING btree (company_id, sent_by);

CREATE INDEX communications_thread_id_idx ON ONLY public.communications USING btree (company_id, thread_id, created_at);

CREATE INDEX communications_type_idx ON ONLY public.communications USING btree (company_id, type, created_at DESC);

CREATE INDEX communications_id_idx ON ONLY public.communications USING btree (id);

CREATE INDEX companies_created_at_idx ON public.companies USING btree (created_at DESC, id);

CREATE INDEX companies_owner_id_idx ON public.companies USING btree (owner_id);

CREATE INDEX company_holidays_id_idx ON public.company_holidays USING btree (id);

CREATE INDEX company_settings_id_idx ON public.company_settings USING btree (id);

CREATE INDEX contracts_created_at_idx ON public.contracts USING btree (company_id, created_at DESC, id);

CREATE INDEX contracts_customer_id_idx ON public.contracts USING btree (company_id, customer_id);

CREATE INDEX contracts_estimate_id_idx ON public.contracts USING btree (company_id, estimate_id);

CREATE INDEX contracts_id_idx ON public.contracts USING btree (id);

CREATE INDEX contracts_invoice_id_idx ON public.contracts USING btree (company_id, invoice_id);

CREATE INDEX contracts_job_id_idx ON public.contracts USING btree (company_id, job_id);

CREATE INDEX contracts_search_idx ON public.contracts USING gin (company_id, search_vector) WHERE (deleted_at IS NULL);

CREATE INDEX contracts_status_idx ON public.contracts USING btree (company_id, status, created_at DESC);

CREATE INDEX credit_notes_created_at_idx ON public.credit_notes USING btree (company_id, created_at DESC, id);

CREATE INDEX credit_notes_customer_id_idx ON public.credit_notes USING btree (company_id, customer_id);

CREATE INDEX credit_notes_id_idx ON public.credit_notes USING btree (id);

CREATE INDEX credit_notes_invoice_id_idx ON public.credit_notes USING btree (company_id, invoice_id);

CREATE INDEX custom_field_values_entity_id_idx ON public.custom_field_values USING btree (company_id, entity_id);

CREATE INDEX custom_field_values_id_idx ON public.custom_field_values USING btree (id);

CREATE INDEX custom_fields_id_idx ON public.custom_fields USING btree (id);

CREATE INDEX custom_roles_created_at_idx ON public.custom_roles USING btree (company_id, created_at DESC, id);

CREATE INDEX custom_roles_id_idx ON public.custom_roles USING btree (id);

CREATE INDEX customer_addresses_created_at_idx ON public.customer_addresses USING btree (company_id, created_at DESC, id);

CREATE INDEX customer_addresses_customer_id_idx ON public.customer_addresses USING btree (company_id, customer_id);

CREATE INDEX customer_addresses_id_idx ON public.customer_addresses USING btree (id);

CREATE INDEX customer_addresses_property_id_idx ON public.customer_addresses USING btree (company_id, property_id);

CREATE INDEX customer_contacts_created_at_idx ON public.customer_contacts USING btree (company_id, created_at DESC, id);

CREATE INDEX customer_contacts_customer_id_idx ON public.customer_contacts USING btree (company_id, customer_id);

CREATE INDEX customer_contacts_id_idx ON public.customer_contacts USING btree (id);

CREATE INDEX customer_reviews_created_at_idx ON public.customer_reviews USING btree (company_id, created_at DESC, id);

CREATE INDEX customer_reviews_customer_id_idx ON public.customer_reviews USING btree (company_id, customer_id);

CREATE INDEX customer_reviews_id_idx ON public.customer_reviews USING btree (id);

CREATE INDEX customer_reviews_job_id_idx ON public.customer_reviews USING btree (company_id, job_id);

CREATE INDEX customer_reviews_rating_idx ON public.customer_reviews USING btree (company_id, rating, created_at DESC);

CREATE INDEX customer_reviews_responded_by_idx ON public.customer_reviews USING btree (company_id, responded_by);

CREATE INDEX customer_reviews_technician_id_idx ON public.customer_reviews USING btree (company_id, technician_id);

CREATE INDEX customer_tags_tag_id_idx ON public.customer_tags USING btree (company_id, tag_id);

CREATE INDEX customers_created_at_idx ON public.customers USING btree (company_id, created_at DESC, id);

CREATE INDEX customers_default_address_id_idx ON public.customers USING btree (company_id, default_address_id);

CREATE INDEX customers_display_name_idx ON public.customers USING btree (company_id, display_name);

CREATE INDEX customers_id_idx ON public.customers USING btree (id);

CREATE INDEX customers_phone_idx ON public.customers USING btree (company_id, phone);

CREATE INDEX customers_phone_key_idx ON public.customers USING btree (company_id, app.phone_key(phone)) WHERE (deleted_at IS NULL);

CREATE INDEX customers_preferred_technician_idx ON public.customers USING btree (company_id, preferred_technician);

CREATE INDEX customers_primary_contact_id_idx ON public.customers USING btree (company_id, primary_contact_id);

CREATE INDEX customers_referred_by_idx ON public.customers USING btree (company_id, referred_by);

CREATE INDEX customers_search_idx ON public.customers USING gin (company_id, search_vector, app.fold(app.customer_names(first_name, last_name, company_name)) extensions.gin_trgm_ops, app.search_keys(app.customer_names(first_name, last_name, company_name))) WHERE (deleted_at IS NULL);

CREATE INDEX customers_secondary_phone_idx ON public.customers USING btree (company_id, secondary_phone);

CREATE INDEX customers_secondary_phone_key_idx ON public.customers USING btree (company_id, app.phone_key(secondary_phone)) WHERE (deleted_at IS NULL);

CREATE INDEX customers_status_idx ON public.customers USING btree (company_id, status, created_at DESC);

CREATE INDEX customers_user_id_idx ON public.customers USING btree (user_id);

CREATE INDEX departments_created_at_idx ON public.departments USING btree (company_id, created_at DESC, id);

CREATE INDEX departments_id_idx ON public.departments USING btree (id);

CREATE INDEX documents_created_at_idx ON public.documents USING btree (company_id, created_at DESC, id);

CREATE INDEX documents_id_idx ON public.documents USING btree (id);

CREATE INDEX documents_user_id_idx ON public.documents USING btree (company_id, user_id, created_at DESC);

CREATE INDEX email_logs_created_at_idx ON ONLY public.email_logs USING btree (company_id, created_at DESC, id);

CREATE INDEX email_logs_customer_id_idx ON ONLY public.email_logs USING btree (company_id, customer_id);

CREATE INDEX email_logs_invoice_id_idx ON ONLY public.email_logs USING btree (company_id, invoice_id);

CREATE INDEX email_logs_job_id_idx ON ONLY public.email_logs USING btree (company_id, job_id);

CREATE INDEX email_logs_status_idx ON ONLY public.email_logs USING btree (company_id, status, created_at DESC);

CREATE INDEX email_logs_user_id_idx ON ONLY public.email_logs USING btree (company_id, user_id);

CREATE INDEX email_logs_id_idx ON ONLY public.email_logs USING btree (id);

CREATE INDEX equipment_created_at_idx ON public.equipment USING btree (company_id, created_at DESC, id);

CREATE INDEX equipment_customer_id_idx ON public.equipment USING btree (company_id, customer_id);

CREATE INDEX equipment_id_idx ON public.equipment USING btree (id);

CREATE INDEX equipment_install_job_id_idx ON public.equipment USING btree (company_id, install_job_id);

CREATE INDEX equipment_installed_by_idx ON public.equipment USING btree (company_id, installed_by);

CREATE INDEX equipment_last_service_job_id_idx ON public.equipment USING btree (company_id, last_service_job_id);

CREATE INDEX equipment_next_service_due_idx ON public.equipment USING btree (company_id, next_service_due);

CREATE INDEX equipment_property_id_idx ON public.equipment USING btree (company_id, property_id);

CREATE INDEX equipment_replaced_by_equipment_id_idx ON public.equipment USING btree (company_id, replaced_by_equipment_id);

CREATE INDEX equipment_search_idx ON public.equipment USING gin (company_id, search_vector, app.fold(app.equipment_names(name, manufacturer, model)) extensions.gin_trgm_ops, app.search_keys(app.equipment_names(name, manufacturer, model))) WHERE (deleted_at IS NULL);

CREATE INDEX equipment_serial_number_idx ON public.equipment USING btree (company_id, serial_number);

CREATE INDEX equipment_service_plan_id_idx ON public.equipment USING btree (company_id, service_plan_id);

CREATE INDEX equipment_status_idx ON public.equipment USING btree (company_id, status, created_at DESC);

CREATE INDEX equipment_tags_tag_id_idx ON public.equipment_tags USING btree (company_id, tag_id);

CREATE INDEX estimate_jobs_job_id_idx ON public.estimate_jobs USING btree (company_id, job_id);

CREATE INDEX estimate_line_items_estimate_id_idx ON public.estimate_line_items USING btree (company_id, estimate_id, "position");

CREATE INDEX estimate_line_items_id_idx ON public.estimate_line_items USING btree (id);

CREATE INDEX estimate_line_items_option_id_idx ON public.estimate_line_items USING btree (company_id, option_id, estimate_id);

CREATE INDEX estimate_line_items_price_book_item_id_idx ON public.estimate_line_items USING btree (company_id, price_book_item_id);

CREATE INDEX estimate_options_estimate_id_idx ON public.estimate_options USING btree (company_id, estimate_id, "position");

CREATE INDEX estimate_options_id_idx ON public.estimate_options USING btree (id);

CREATE INDEX estimates_converted_to_invoice_id_idx ON public.estimates USING btree (company_id, converted_to_invoice_id);

CREATE INDEX estimates_converted_to_job_id_idx ON public.estimates USING btree (company_id, converted_to_job_id);

CREATE INDEX estimates_created_at_idx ON public.estimates USING btree (company_id, created_at DESC, id);

CREATE INDEX estimates_customer_id_idx ON public.estimates USING btree (company_id, customer_id);

CREATE INDEX estimates_id_idx ON public.estimates USING btree (id);

CREATE INDEX estimates_job_id_idx ON public.estimates USING btree (company_id, job_id);

CREATE INDEX estimates_property_id_idx ON public.estimates USING btree (company_id, property_id);

CREATE INDEX estimates_request_id_idx ON public.estimates USING btree (company_id, request_id);

CREATE INDEX estimates_search_idx ON public.estimates USING gin (company_id, search_vector) WHERE (deleted_at IS NULL);

CREATE INDEX estimates_selected_option_id_idx ON public.estimates USING btree (company_id, selected_option_id, id);

CREATE INDEX estimates_status_idx ON public.estimates USING btree (company_id, status, created_at DESC);

CREATE INDEX estimates_valid_until_idx ON public.estimates USING btree (company_id, status, valid_until);

CREATE INDEX file_storage_created_at_idx ON public.file_storage USING btree (company_id, created_at DESC, id);

CREATE INDEX file_storage_entity_idx ON public.file_storage USING btree (company_id, entity_type, entity_id);

CREATE INDEX file_storage_id_idx ON public.file_storage USING btree (id);

CREATE INDEX file_storage_job_id_idx ON public.file_storage USING btree (company_id, job_id);

CREATE INDEX file_storage_uploaded_by_idx ON public.file_storage USING btree (company_id, uploaded_by);

CREATE INDEX form_submissions_created_at_idx ON public.form_submissions USING btree (company_id, created_at DESC, id);

CREATE INDEX form_submissions_customer_id_idx ON public.form_submissions USING btree (company_id, customer_id);

CREATE INDEX form_submissions_equipment_id_idx ON public.form_submissions USING btree (company_id, equipment_id);

CREATE INDEX form_submissions_form_template_id_idx ON public.form_submissions USING btree (company_id, form_template_id);

CREATE INDEX form_submissions_id_idx ON public.form_submissions USING btree (id);

CREATE INDEX form_submissions_job_id_idx ON public.form_submissions USING btree (company_id, job_id);

CREATE INDEX form_templates_created_at_idx ON public.form_templates USING btree (company_id, created_at DESC, id);

CREATE INDEX form_templates_id_idx ON public.form_templates USING btree (id);

CREATE INDEX import_runs_created_at_idx ON public.import_runs USING btree (company_id, created_at DESC, id);

CREATE INDEX import_runs_id_idx ON public.import_runs USING btree (id);

CREATE INDEX import_runs_status_idx ON public.import_runs USING btree (company_id, status, created_at DESC);

CREATE INDEX inventory_created_at_idx ON public.inventory USING btree (company_id, created_at DESC, id);

CREATE INDEX inventory_id_idx ON public.inventory USING btree (id);

CREATE INDEX inventory_last_restock_purchase_order_id_idx ON public.inventory USING btree (company_id, last_restock_purchase_order_id);

CREATE INDEX inventory_last_used_job_id_idx ON public.inventory USING btree (company_id, last_used_job_id);

CREATE INDEX inventory_location_id_idx ON public.inventory USING btree (company_id, location_id);

CREATE UNIQUE INDEX inventory_locations_default_key ON public.inventory_locations USING btree (company_id) WHERE is_default;

CREATE INDEX inventory_locations_id_idx ON public.inventory_locations USING btree (id);

CREATE INDEX inventory_locations_user_id_idx ON public.inventory_locations USING btree (company_id, user_id);

CREATE INDEX inventory_low_stock_idx ON public.inventory USING btree (company_id, is_low_stock);

CREATE INDEX invitations_created_at_idx ON public.invitations USING btree (company_id, created_at DESC, id);

CREATE INDEX invitations_department_id_idx ON public.invitations USING btree (company_id, department_id);

CREATE INDEX invitations_id_idx ON public.invitations USING btree (id);

CREATE UNIQUE INDEX invitations_open_email_key ON public.invitations USING btree (company_id, email_key) WHERE (used_at IS NULL);

CREATE INDEX invitations_role_id_idx ON public.invitations USING btree (company_id, role_id);

CREATE INDEX invoice_jobs_job_id_idx ON public.invoice_jobs USING btree (company_id, job_id);

CREATE INDEX invoice_line_items_estimate_line_item_id_idx ON public.invoice_line_items USING btree (company_id, estimate_line_item_id);

CREATE INDEX invoice_line_items_id_idx ON public.invoice_line_items USING btree (id);

CREATE INDEX invoice_line_items_invoice_id_idx ON public.invoice_line_items USING btree (company_id, invoice_id, "position");

CREATE INDEX invoice_line_items_job_id_idx ON public.invoice_line_items USING btree (company_id, job_id);

CREATE INDEX invoice_line_items_price_book_item_id_idx ON public.invoice_line_items USING btree (company_id, price_book_item_id);

CREATE INDEX invoices_created_at_idx ON public.invoices USING btree (company_id, created_at DESC, id);

CREATE INDEX invoices_customer_id_idx ON public.invoices USING btree (company_id, customer_id, created_at DESC);

CREATE INDEX invoices_due_date_idx ON public.invoices USING btree (company_id, due_date);

CREATE INDEX invoices_estimate_id_idx ON public.invoices USING btree (company_id, estimate_id);

CREATE INDEX invoices_id_idx ON public.invoices USING btree (id);

CREATE INDEX invoices_job_id_idx ON public.invoices USING btree (company_id, job_id);

CREATE INDEX invoices_property_id_idx ON public.invoices USING btree (company_id, property_id);

CREATE INDEX invoices_recurring_invoice_id_idx ON public.invoices USING btree (company_id, recurring_invoice_id);

CREATE INDEX invoices_search_idx ON public.invoices USING gin (company_id, search_vector) WHERE (deleted_at IS NULL);

CREATE INDEX invoices_service_plan_id_idx ON public.invoices USING btree (company_id, service_plan_id);

CREATE INDEX invoices_status_idx ON public.invoices USING btree (company_id, status, due_date);

CREATE INDEX job_equipment_equipment_id_idx ON public.job_equipment USING btree (company_id, equipment_id);

CREATE INDEX job_tags_tag_id_idx ON public.job_tags USING btree (company_id, tag_id);

CREATE UNIQUE INDEX job_team_assignments_active_key ON public.job_team_assignments USING btree (company_id, job_id, user_id) WHERE (removed_at IS NULL);

CREATE INDEX job_team_assignments_created_at_idx ON public.job_team_assignments USING btree (company_id, created_at DESC, id);

CREATE INDEX job_team_assignments_id_idx ON public.job_team_assignments USING btree (id);

CREATE INDEX job_team_assignments_job_id_idx ON public.job_team_assignments USING btree (company_id, job_id);

CREATE UNIQUE INDEX job_team_assignments_primary_key ON public.job_team_assignments USING btree (company_id, job_id) WHERE ((removed_at IS NULL) AND (role = 'primary'::text));

CREATE INDEX job_team_assignments_user_id_idx ON public.job_team_assignments USING btree (company_id, user_id);

CREATE INDEX jobs_archive_completed_at_idx ON public.jobs_archive USING btree (company_id, completed_at DESC);

CREATE INDEX jobs_archive_created_at_idx ON public.jobs_archive USING btree (company_id, created_at DESC, id);

CREATE INDEX jobs_archive_customer_id_idx ON public.jobs_archive USING btree (company_id, customer_id, completed_at DESC);

CREATE INDEX jobs_archive_id_idx ON public.jobs_archive USING btree (id);

CREATE INDEX jobs_assigned_to_idx ON public.jobs USING btree (company_id, assigned_to, scheduled_start);

CREATE INDEX jobs_created_at_idx ON public.jobs USING btree (company_id, created_at DESC, id);

CREATE INDEX jobs_customer_id_idx ON public.jobs USING btree (company_id, customer_id);

CREATE INDEX jobs_id_idx ON public.jobs USING btree (id);

CREATE INDEX jobs_property_id_idx ON public.jobs USING btree (company_id, property_id);

CREATE INDEX jobs_referral_customer_id_idx ON public.jobs USING btree (company_id, referral_customer_id);

CREATE INDEX jobs_scheduled_start_idx ON public.jobs USING btree (company_id, scheduled_start);

CREATE INDEX jobs_search_idx ON public.jobs USING gin (company_id, search_vector, title extensions.gin_trgm_ops) WHERE (deleted_at IS NULL);

CREATE INDEX jobs_service_plan_id_idx ON public.jobs USING btree (company_id, service_plan_id);

CREATE INDEX jobs_status_idx ON public.jobs USING btree (company_id, status, created_at DESC);

CREATE INDEX labor_rates_created_at_idx ON public.labor_rates USING btree (company_id, created_at DESC, id);

CREATE UNIQUE INDEX labor_rates_default_key ON public.labor_rates USING btree (company_id) WHERE is_default;

CREATE INDEX labor_rates_id_idx ON public.labor_rates USING btree (id);

CREATE INDEX member_skills_skill_id_idx ON public.member_skills USING btree (company_id, skill_id);

CREATE INDEX member_zones_zone_id_idx ON public.member_zones USING btree (company_id, zone_id);

CREATE INDEX messages_v2_chat_id_idx ON public.messages_v2 USING btree (company_id, chat_id, created_at);

CREATE INDEX messages_v2_created_at_idx ON public.messages_v2 USING btree (company_id, created_at DESC, id);

CREATE INDEX messages_v2_id_idx ON public.messages_v2 USING btree (id);

CREATE INDEX messages_v2_user_id_idx ON public.messages_v2 USING btree (company_id, user_id);

CREATE INDEX notes_created_at_idx ON public.notes USING btree (company_id, created_at DESC, id);

CREATE INDEX notes_entity_idx ON public.notes USING btree (company_id, entity_type, entity_id, created_at DESC);

CREATE INDEX notes_id_idx ON public.notes USING btree (id);

CREATE INDEX notes_job_id_idx ON public.notes USING btree (company_id, job_id);

CREATE INDEX notification_preferences_id_idx ON public.notification_preferences USING btree (id);

CREATE INDEX notification_queue_created_at_idx ON public.notification_queue USING btree (company_id, created_at DESC, id);

CREATE INDEX notification_queue_id_idx ON public.notification_queue USING btree (id);

CREATE INDEX notification_queue_status_idx ON public.notification_queue USING btree (company_id, status, scheduled_for);

CREATE INDEX notification_queue_user_id_idx ON public.notification_queue USING btree (company_id, user_id, created_at DESC);

CREATE INDEX notification_templates_id_idx ON public.notification_templates USING btree (id);

CREATE INDEX ownership_transfers_created_at_idx ON public.ownership_transfers USING btree (company_id, created_at DESC, id);

CREATE INDEX payment_allocations_created_at_idx ON public.payment_allocations USING btree (company_id, created_at DESC, id);

CREATE INDEX payment_allocations_id_idx ON public.payment_allocations USING btree (id);

CREATE INDEX payment_allocations_invoice_id_idx ON public.payment_allocations USING btree (company_id, invoice_id);

CREATE INDEX payment_methods_created_at_idx ON public.payment_methods USING btree (company_id, created_at DESC, id);

CREATE INDEX payment_methods_customer_id_idx ON public.payment_methods USING btree (company_id, customer_id);

CREATE UNIQUE INDEX payment_methods_default_key ON public.payment_methods USING btree (company_id, customer_id) WHERE (is_default AND (deleted_at IS NULL));

CREATE INDEX payment_methods_id_idx ON public.payment_methods USING btree (id);

CREATE INDEX payments_approved_by_idx ON public.payments USING btree (company_id, approved_by);

CREATE INDEX payments_created_at_idx ON public.payments USING btree (company_id, created_at DESC, id);

CREATE INDEX payments_customer_id_idx ON public.payments USING btree (company_id, customer_id);

CREATE INDEX payments_id_idx ON public.payments USING btree (id);

CREATE INDEX payments_invoice_id_idx ON public.payments USING btree (company_id, invoice_id, status);

CREATE INDEX payments_job_id_idx ON public.payments USING btree (company_id, job_id);

CREATE INDEX payments_original_payment_id_idx ON public.payments USING btree (company_id, original_payment_id);

CREATE INDEX payments_payment_method_id_idx ON public.payments USING btree (company_id, payment_method_id);

CREATE INDEX payments_processed_by_idx ON public.payments USING btree (company_id, processed_by);

CREATE INDEX payments_processor_transaction_id_idx ON public.payments USING btree (company_id, processor_transaction_id);

CREATE INDEX payments_reconciled_by_idx ON public.payments USING btree (company_id, reconciled_by);

CREATE INDEX payments_status_idx ON public.payments USING btree (company_id, status, created_at DESC);

CREATE INDEX po_settings_id_idx ON public.po_settings USING btree (id);

CREATE INDEX posts_author_id_idx ON public.posts USING btree (company_id, author_id);

CREATE INDEX posts_id_idx ON public.posts USING btree (id);

CREATE INDEX price_book_categories_id_idx ON public.price_book_categories USING btree (id);

CREATE INDEX price_book_categories_parent_id_idx ON public.price_book_categories USING btree (company_id, parent_id, sort_order);

CREATE INDEX price_book_categories_path_idx ON public.price_book_categories USING gist (company_id, path);

CREATE INDEX price_book_items_active_idx ON public.price_book_items USING btree (company_id, is_active, name);

CREATE INDEX price_book_items_category_id_idx ON public.price_book_items USING btree (company_id, category_id);

CREATE INDEX price_book_items_created_at_idx ON public.price_book_items USING btree (company_id, created_at DESC, id);

CREATE INDEX price_book_items_id_idx ON public.price_book_items USING btree (id);

CREATE INDEX price_book_items_name_idx ON public.price_book_items USING btree (company_id, name);

CREATE INDEX price_book_items_search_idx ON public.price_book_items USING gin (company_id, search_vector, name extensions.gin_trgm_ops, app.search_keys(name)) WHERE (deleted_at IS NULL);

CREATE INDEX price_book_items_sku_idx ON public.price_book_items USING btree (company_id, sku);

CREATE INDEX price_book_items_supplier_id_idx ON public.price_book_items USING btree (company_id, supplier_id);

CREATE INDEX price_history_created_at_idx ON public.price_history USING btree (company_id, created_at DESC, id);

CREATE INDEX price_history_id_idx ON public.price_history USING btree (id);

CREATE INDEX price_history_item_id_idx ON public.price_history USING btree (company_id, item_id, effective_date DESC);

CREATE INDEX pricing_rules_created_at_idx ON public.pricing_rules USING btree (company_id, created_at DESC, id);

CREATE INDEX pricing_rules_id_idx ON public.pricing_rules USING btree (id);

CREATE INDEX pricing_rules_priority_idx ON public.pricing_rules USING btree (company_id, is_active, priority DESC);

CREATE INDEX properties_created_at_idx ON public.properties USING btree (company_id, created_at DESC, id);

CREATE INDEX properties_customer_id_idx ON public.properties USING btree (company_id, customer_id);

CREATE INDEX properties_id_idx ON public.properties USING btree (id);

CREATE INDEX properties_primary_contact_id_idx ON public.properties USING btree (company_id, primary_contact_id);

CREATE INDEX properties_search_idx ON public.properties USING gin (company_id, search_vector) WHERE (deleted_at IS NULL);

CREATE INDEX public_links_contract_id_idx ON public.public_links USING btree (company_id, contract_id);

CREATE INDEX public_links_created_at_idx ON public.public_links USING btree (company_id, created_at DESC, id);

CREATE INDEX public_links_customer_id_idx ON public.public_links USING btree (company_id, customer_id);

CREATE INDEX public_links_estimate_id_idx ON public.public_links USING btree (company_id, estimate_id);

CREATE INDEX public_links_id_idx ON public.public_links USING btree (id);

CREATE INDEX public_links_invoice_id_idx ON public.public_links USING btree (company_id, invoice_id);

CREATE INDEX public_links_job_id_idx ON public.public_links USING btree (company_id, job_id);

CREATE INDEX purchase_order_line_items_id_idx ON public.purchase_order_line_items USING btree (id);

CREATE INDEX purchase_order_line_items_price_book_item_id_idx ON public.purchase_order_line_items USING btree (company_id, price_book_item_id);

CREATE INDEX purchase_order_line_items_purchase_order_id_idx ON public.purchase_order_line_items USING btree (company_id, purchase_order_id, "position");

CREATE INDEX purchase_orders_approved_by_idx ON public.purchase_orders USING btree (company_id, approved_by);

CREATE INDEX purchase_orders_created_at_idx ON public.purchase_orders USING btree (company_id, created_at DESC, id);

CREATE INDEX purchase_orders_estimate_id_idx ON public.purchase_orders USING btree (company_id, estimate_id);

CREATE INDEX purchase_orders_id_idx ON public.purchase_orders USING btree (id);

CREATE INDEX purchase_orders_invoice_id_idx ON public.purchase_orders USING btree (company_id, invoice_id);

CREATE INDEX purchase_orders_job_id_idx ON public.purchase_orders USING btree (company_id, job_id);

CREATE INDEX purchase_orders_requested_by_idx ON public.purchase_orders USING btree (company_id, requested_by);

CREATE INDEX purchase_orders_status_idx ON public.purchase_orders USING btree (company_id, status, created_at DESC);

CREATE INDEX purchase_orders_vendor_id_idx ON public.purchase_orders USING btree (company_id, vendor_id);

CREATE INDEX recurrences_created_at_idx ON public.recurrences USING btree (company_id, created_at DESC, id);

CREATE INDEX recurrences_customer_id_idx ON public.recurrences USING btree (company_id, customer_id);

CREATE INDEX recurrences_expanded_until_idx ON public.recurrences USING btree (company_id, is_active, expanded_until);

CREATE INDEX recurrences_id_idx ON public.recurrences USING btree (id);

CREATE INDEX recurrences_job_id_idx ON public.recurrences USING btree (company_id, job_id);

CREATE INDEX recurrences_property_id_idx ON public.recurrences USING btree (company_id, property_id);

CREATE INDEX recurrences_service_plan_id_idx ON public.recurrences USING btree (company_id, service_plan_id);

CREATE INDEX requests_assigned_to_idx ON public.requests USING btree (company_id, assigned_to);

CREATE INDEX requests_converted_to_job_id_idx ON public.requests USING btree (company_id, converted_to_job_id);

CREATE INDEX requests_created_at_idx ON public.requests USING btree (company_id, created_at DESC, id);

CREATE INDEX requests_customer_id_idx ON public.requests USING btree (company_id, customer_id);

CREATE INDEX requests_id_idx ON public.requests USING btree (id);

CREATE INDEX requests_property_id_idx ON public.requests USING btree (company_id, property_id);

CREATE INDEX requests_status_idx ON public.requests USING btree (company_id, status, created_at DESC);

CREATE INDEX role_change_log_created_at_idx ON public.role_change_log USING btree (company_id, created_at DESC, id);

CREATE INDEX role_change_log_user_id_idx ON public.role_change_log USING btree (company_id, user_id, created_at DESC);

CREATE INDEX schedules_assigned_to_idx ON public.schedules USING btree (company_id, assigned_to, start_time);

CREATE INDEX schedules_cancelled_by_idx ON public.schedules USING btree (company_id, cancelled_by);

CREATE INDEX schedules_completed_by_idx ON public.schedules USING btree (company_id, completed_by);

CREATE INDEX schedules_created_at_idx ON public.schedules USING btree (company_id, created_at DESC, id);

CREATE INDEX schedules_customer_id_idx ON public.schedules USING btree (company_id, customer_id);

CREATE INDEX schedules_id_idx ON public.schedules USING btree (id);

CREATE INDEX schedules_job_id_idx ON public.schedules USING btree (company_id, job_id);

CREATE INDEX schedules_parent_schedule_id_idx ON public.schedules USING btree (company_id, parent_schedule_id);

CREATE INDEX schedules_property_id_idx ON public.schedules USING btree (company_id, property_id);

CREATE INDEX schedules_recurrence_id_idx ON public.schedules USING btree (company_id, recurrence_id);

CREATE INDEX schedules_reminder_idx ON public.schedules USING btree (company_id, reminder_sent, start_time);

CREATE INDEX schedules_rescheduled_from_id_idx ON public.schedules USING btree (company_id, rescheduled_from_id);

CREATE INDEX schedules_rescheduled_to_id_idx ON public.schedules USING btree (company_id, rescheduled_to_id);

CREATE INDEX schedules_service_plan_id_idx ON public.schedules USING btree (company_id, service_plan_id);

CREATE INDEX schedules_start_time_idx ON public.schedules USING btree (company_id, start_time);

CREATE INDEX schedules_status_idx ON public.schedules USING btree (company_id, status, start_time);

CREATE INDEX service_packages_created_at_idx ON public.service_packages USING btree (company_id, created_at DESC, id);

CREATE INDEX service_packages_id_idx ON public.service_packages USING btree (id);

CREATE INDEX service_packages_price_book_item_id_idx ON public.service_packages USING btree (company_id, price_book_item_id);

CREATE INDEX service_plans_assigned_technician_idx ON public.service_plans USING btree (company_id, assigned_technician);

CREATE INDEX service_plans_created_at_idx ON public.service_plans USING btree (company_id, created_at DESC, id);

CREATE INDEX service_plans_customer_id_idx ON public.service_plans USING btree (company_id, customer_id);

CREATE INDEX service_plans_id_idx ON public.service_plans USING btree (id);

CREATE INDEX service_plans_next_service_due_idx ON public.service_plans USING btree (company_id, next_service_due);

CREATE INDEX service_plans_property_id_idx ON public.service_plans USING btree (company_id, property_id);

CREATE INDEX service_plans_status_idx ON public.service_plans USING btree (company_id, status, next_service_due);

CREATE INDEX shifts_created_at_idx ON public.shifts USING btree (company_id, created_at DESC, id);

CREATE INDEX shifts_id_idx ON public.shifts USING btree (id);

CREATE INDEX shifts_start_time_idx ON public.shifts USING btree (company_id, start_time);

CREATE INDEX shifts_user_id_idx ON public.shifts USING btree (company_id, user_id, start_time);

CREATE INDEX skills_id_idx ON public.skills USING btree (id);

CREATE INDEX stock_moves_created_at_idx ON public.stock_moves USING btree (company_id, created_at DESC, id);

CREATE INDEX stock_moves_id_idx ON public.stock_moves USING btree (id);

CREATE INDEX stock_moves_inventory_id_idx ON public.stock_moves USING btree (company_id, inventory_id, occurred_at DESC);

CREATE INDEX stock_moves_job_id_idx ON public.stock_moves USING btree (company_id, job_id);

CREATE INDEX stock_moves_location_id_idx ON public.stock_moves USING btree (company_id, location_id);

CREATE INDEX stock_moves_purchase_order_id_idx ON public.stock_moves USING btree (company_id, purchase_order_id);

CREATE INDEX stock_moves_reservation_id_idx ON public.stock_moves USING btree (company_id, reservation_id);

CREATE INDEX stock_moves_to_location_id_idx ON public.stock_moves USING btree (company_id, to_location_id);

CREATE INDEX stock_reservations_created_at_idx ON public.stock_reservations USING btree (company_id, created_at DESC, id);

CREATE INDEX stock_reservations_id_idx ON public.stock_reservations USING btree (id);

CREATE INDEX stock_reservations_inventory_id_idx ON public.stock_reservations USING btree (company_id, inventory_id, status);

CREATE INDEX stock_reservations_job_id_idx ON public.stock_reservations USING btree (company_id, job_id);

CREATE INDEX streams_chat_id_idx ON public.streams USING btree (company_id, chat_id);

CREATE INDEX streams_created_at_idx ON public.streams USING btree (company_id, created_at DESC, id);

CREATE INDEX streams_id_idx ON public.streams USING btree (id);

CREATE INDEX streams_user_id_idx ON public.streams USING btree (company_id, user_id);

CREATE INDEX suggestions_created_at_idx ON public.suggestions USING btree (company_id, created_at DESC, id);

CREATE INDEX suggestions_document_id_idx ON public.suggestions USING btree (company_id, document_id);

CREATE INDEX suggestions_id_idx ON public.suggestions USING btree (id);

CREATE INDEX suggestions_user_id_idx ON public.suggestions USING btree (company_id, user_id);

CREATE INDEX supplier_integrations_id_idx ON public.supplier_integrations USING btree (id);

CREATE INDEX supplier_integrations_vendor_id_idx ON public.supplier_integrations USING btree (company_id, vendor_id);

CREATE INDEX suppressions_created_at_idx ON public.suppressions USING btree (company_id, created_at DESC, id);

CREATE INDEX suppressions_id_idx ON public.suppressions USING btree (id);

CREATE INDEX tags_id_idx ON public.tags USING btree (id);

CREATE INDEX team_members_created_at_idx ON public.team_members USING btree (company_id, created_at DESC, id);

CREATE INDEX team_members_department_id_idx ON public.team_members USING btree (company_id, department_id);

CREATE INDEX team_members_id_idx ON public.team_members USING btree (id);

CREATE UNIQUE INDEX team_members_one_owner_key ON public.team_members USING btree (company_id) WHERE (role = 'owner'::text);

CREATE INDEX team_members_role_id_idx ON public.team_members USING btree (company_id, role_id);

CREATE INDEX team_members_user_id_idx ON public.team_members USING btree (user_id);

CREATE INDEX technician_positions_job_id_idx ON public.technician_positions USING btree (company_id, job_id);

CREATE INDEX time_entries_approved_by_idx ON public.time_entries USING btree (company_id, approved_by);

CREATE INDEX time_entries_created_at_idx ON public.time_entries USING btree (company_id, created_at DESC, id);

CREATE INDEX time_entries_id_idx ON public.time_entries USING btree (id);

CREATE INDEX time_entries_job_id_idx ON public.time_entries USING btree (company_id, job_id);

CREATE UNIQUE INDEX time_entries_open_key ON public.time_entries USING btree (company_id, user_id) WHERE (clock_out IS NULL);

CREATE INDEX time_entries_schedule_id_idx ON public.time_entries USING btree (company_id, schedule_id);

CREATE INDEX time_entries_user_id_idx ON public.time_entries USING btree (company_id, user_id, clock_in);

CREATE INDEX users_email_idx ON public.users USING btree (email);

CREATE INDEX vendors_created_at_idx ON public.vendors USING btree (company_id, created_at DESC, id);

CREATE INDEX vendors_id_idx ON public.vendors USING btree (id);

CREATE INDEX vendors_name_idx ON public.vendors USING btree (company_id, name);

CREATE INDEX verification_tokens_expires_at_idx ON public.verification_tokens USING btree (expires_at);

CREATE INDEX verification_tokens_user_id_idx ON public.verification_tokens USING btree (user_id);

CREATE INDEX votes_v2_message_id_idx ON public.votes_v2 USING btree (company_id, message_id);

CREATE INDEX votes_v2_user_id_idx ON public.votes_v2 USING btree (company_id, user_id);

CREATE INDEX webhook_logs_created_at_idx ON ONLY public.webhook_logs USING btree (company_id, created_at DESC, id);

CREATE INDEX webhook_logs_webhook_id_idx ON ONLY public.webhook_logs USING btree (company_id, webhook_id, created_at DESC);

CREATE INDEX webhook_logs_id_idx ON ONLY public.webhook_logs USING btree (id);

CREATE INDEX webhooks_id_idx ON public.webhooks USING btree (id);

CREATE INDEX zones_created_at_idx ON public.zones USING btree (company_id, created_at DESC, id);

CREATE INDEX zones_id_idx ON public.zones USING btree (id);

CREATE TRIGGER refresh_deleted AFTER DELETE ON app.role_permissions REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.role_permissions_changed();

CREATE TRIGGER refresh_inserted AFTER INSERT ON app.role_permissions REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.role_permissions_changed();

CREATE TRIGGER refresh_updated AFTER UPDATE ON app.role_permissions REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.role_permissions_changed();

CREATE TRIGGER sync_user AFTER INSERT OR UPDATE OF email, phone, raw_user_meta_data, email_confirmed_at, last_sign_in_at, deleted_at ON auth.users FOR EACH ROW EXECUTE FUNCTION app.sync_user();

CREATE TRIGGER touch BEFORE UPDATE ON auth.identities FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER touch BEFORE UPDATE ON auth.sessions FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER touch BEFORE UPDATE ON auth.users FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER mark_as_deleted INSTEAD OF DELETE ON home_services.work_orders FOR EACH ROW EXECUTE FUNCTION app.mark_as_deleted('public.jobs');

CREATE TRIGGER a_figures BEFORE INSERT OR UPDATE ON public.purchase_orders FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_purchase_order_figures();

CREATE TRIGGER a_lock_deletes BEFORE DELETE ON public.price_book_categories FOR EACH STATEMENT EXECUTE FUNCTION app.lock_price_book_first('alone');

CREATE TRIGGER a_lock_deletes BEFORE DELETE ON public.price_book_items FOR EACH STATEMENT EXECUTE FUNCTION app.lock_price_book_first('shared');

CREATE TRIGGER a_lock_inserts BEFORE INSERT ON public.price_book_categories FOR EACH STATEMENT EXECUTE FUNCTION app.lock_price_book_first('alone');

CREATE TRIGGER a_lock_inserts BEFORE INSERT ON public.price_book_items FOR EACH STATEMENT EXECUTE FUNCTION app.lock_price_book_first('shared');

CREATE TRIGGER a_lock_moves BEFORE UPDATE OF parent_id, slug ON public.price_book_categories FOR EACH STATEMENT EXECUTE FUNCTION app.lock_price_book_first('alone');

CREATE TRIGGER a_lock_moves BEFORE UPDATE OF category_id, deleted_at ON public.price_book_items FOR EACH STATEMENT EXECUTE FUNCTION app.lock_price_book_first('shared');

CREATE TRIGGER a_shape_phones BEFORE INSERT OR UPDATE OF phone, support_phone, country ON public.companies FOR EACH ROW EXECUTE FUNCTION app.shape_phones('phone', 'support_phone');

CREATE TRIGGER a_shape_phones BEFORE INSERT OR UPDATE OF phone, mobile_phone ON public.customer_contacts FOR EACH ROW EXECUTE FUNCTION app.shape_phones('phone', 'mobile_phone');

CREATE TRIGGER a_shape_phones BEFORE INSERT OR UPDATE OF phone, secondary_phone, country ON public.customers FOR EACH ROW EXECUTE FUNCTION app.shape_phones('phone', 'secondary_phone');

CREATE TRIGGER a_shape_phones BEFORE INSERT OR UPDATE OF vendor_phone ON public.purchase_orders FOR EACH ROW EXECUTE FUNCTION app.shape_phones('vendor_phone');

CREATE TRIGGER a_shape_phones BEFORE INSERT OR UPDATE OF contact_phone ON public.requests FOR EACH ROW EXECUTE FUNCTION app.shape_phones('contact_phone');

CREATE TRIGGER a_shape_phones BEFORE INSERT OR UPDATE OF phone, direct_inward_dial, call_forwarding_number ON public.team_members FOR EACH ROW EXECUTE FUNCTION app.shape_phones('phone', 'direct_inward_dial', 'call_forwarding_number');

CREATE TRIGGER a_shape_phones BEFORE INSERT OR UPDATE OF phone, country ON public.vendors FOR EACH ROW EXECUTE FUNCTION app.shape_phones('phone');

CREATE TRIGGER answer_repeat BEFORE INSERT ON public.payments FOR EACH ROW WHEN (((new.idempotency_key IS NOT NULL) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.refuse_repeated_payment();

CREATE TRIGGER apply AFTER INSERT ON public.credit_notes FOR EACH ROW EXECUTE FUNCTION app.apply_credit_note();

CREATE TRIGGER apply AFTER INSERT ON public.payment_allocations FOR EACH ROW EXECUTE FUNCTION app.apply_allocation();

CREATE TRIGGER apply AFTER UPDATE ON public.payments FOR EACH ROW WHEN (((((old.status IS DISTINCT FROM new.status) OR (old.invoice_id IS DISTINCT FROM new.invoice_id)) OR (old.customer_id IS DISTINCT FROM new.customer_id)) OR (old.currency IS DISTINCT FROM new.currency))) EXECUTE FUNCTION app.apply_payment();

CREATE TRIGGER apply_first AFTER INSERT ON public.payments FOR EACH ROW EXECUTE FUNCTION app.apply_payment();

CREATE TRIGGER authorize_delete AFTER DELETE ON public.estimate_line_items REFERENCING OLD TABLE AS gone FOR EACH STATEMENT WHEN ((CURRENT_USER = 'authenticated'::name)) EXECUTE FUNCTION app.authorize_line_rows('public.estimates', 'estimate_id', 'estimates');

CREATE TRIGGER authorize_delete AFTER DELETE ON public.invoice_line_items REFERENCING OLD TABLE AS gone FOR EACH STATEMENT WHEN ((CURRENT_USER = 'authenticated'::name)) EXECUTE FUNCTION app.authorize_line_rows('public.invoices', 'invoice_id', 'invoices');

CREATE TRIGGER authorize_delete AFTER DELETE ON public.purchase_order_line_items REFERENCING OLD TABLE AS gone FOR EACH STATEMENT WHEN ((CURRENT_USER = 'authenticated'::name)) EXECUTE FUNCTION app.authorize_line_rows('public.purchase_orders', 'purchase_order_id', 'purchase_orders');

CREATE TRIGGER authorize_insert AFTER INSERT ON public.estimate_line_items REFERENCING NEW TABLE AS made FOR EACH STATEMENT WHEN ((CURRENT_USER = 'authenticated'::name)) EXECUTE FUNCTION app.authorize_line_rows('public.estimates', 'estimate_id', 'estimates');

CREATE TRIGGER authorize_insert AFTER INSERT ON public.invoice_line_items REFERENCING NEW TABLE AS made FOR EACH STATEMENT WHEN ((CURRENT_USER = 'authenticated'::name)) EXECUTE FUNCTION app.authorize_line_rows('public.invoices', 'invoice_id', 'invoices');

CREATE TRIGGER authorize_insert AFTER INSERT ON public.purchase_order_line_items REFERENCING NEW TABLE AS made FOR EACH STATEMENT WHEN ((CURRENT_USER = 'authenticated'::name)) EXECUTE FUNCTION app.authorize_line_rows('public.purchase_orders', 'purchase_order_id', 'purchase_orders');

CREATE TRIGGER authorize_update AFTER UPDATE ON public.estimate_line_items REFERENCING OLD TABLE AS gone NEW TABLE AS made FOR EACH STATEMENT WHEN ((CURRENT_USER = 'authenticated'::name)) EXECUTE FUNCTION app.authorize_line_rows('public.estimates', 'estimate_id', 'estimates');

CREATE TRIGGER authorize_update AFTER UPDATE ON public.invoice_line_items REFERENCING OLD TABLE AS gone NEW TABLE AS made FOR EACH STATEMENT WHEN ((CURRENT_USER = 'authenticated'::name)) EXECUTE FUNCTION app.authorize_line_rows('public.invoices', 'invoice_id', 'invoices');

CREATE TRIGGER authorize_update AFTER UPDATE ON public.purchase_order_line_items REFERENCING OLD TABLE AS gone NEW TABLE AS made FOR EACH STATEMENT WHEN ((CURRENT_USER = 'authenticated'::name)) EXECUTE FUNCTION app.authorize_line_rows('public.purchase_orders', 'purchase_order_id', 'purchase_orders');

CREATE TRIGGER bind BEFORE INSERT OR UPDATE ON public.attachments FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.bind_to_entity();

CREATE TRIGGER bind BEFORE INSERT OR UPDATE ON public.notes FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.bind_to_entity();

CREATE TRIGGER book_inserted AFTER INSERT ON public.schedules FOR EACH ROW WHEN (((new.assigned_to IS NOT NULL) OR (new.crew <> '{}'::uuid[]))) EXECUTE FUNCTION app.book_schedule();

CREATE TRIGGER book_updated AFTER UPDATE ON public.schedules FOR EACH ROW WHEN ((((((((new.assigned_to IS DISTINCT FROM old.assigned_to) OR (new.crew IS DISTINCT FROM old.crew)) OR (new.start_time IS DISTINCT FROM old.start_time)) OR (new.end_time IS DISTINCT FROM old.end_time)) OR (new.status IS DISTINCT FROM old.status)) OR (new.deleted_at IS DISTINCT FROM old.deleted_at)) OR (new.double_booking_reason IS DISTINCT FROM old.double_booking_reason))) EXECUTE FUNCTION app.book_schedule();

CREATE TRIGGER calculate BEFORE INSERT OR UPDATE ON public.estimate_line_items FOR EACH ROW EXECUTE FUNCTION app.calculate_line();

CREATE TRIGGER calculate BEFORE INSERT OR UPDATE ON public.invoice_line_items FOR EACH ROW EXECUTE FUNCTION app.calculate_line();

CREATE TRIGGER calculate BEFORE INSERT OR UPDATE ON public.purchase_order_line_items FOR EACH ROW EXECUTE FUNCTION app.calculate_line();

CREATE TRIGGER calculate_lines BEFORE UPDATE ON public.estimates FOR EACH ROW WHEN (((new.line_items IS DISTINCT FROM old.line_items) AND (NOT app.is_computed_write()) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.read_line_items('public.estimate_line_items', 'estimate_id', 'estimate_lines', '');

CREATE TRIGGER calculate_lines BEFORE UPDATE ON public.invoices FOR EACH ROW WHEN (((new.line_items IS DISTINCT FROM old.line_items) AND (NOT app.is_computed_write()) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.read_line_items('public.invoice_line_items', 'invoice_id', 'invoice_lines', '');

CREATE TRIGGER calculate_lines BEFORE UPDATE ON public.purchase_orders FOR EACH ROW WHEN (((new.line_items IS DISTINCT FROM old.line_items) AND (NOT app.is_computed_write()) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.read_line_items('public.purchase_order_line_items', 'purchase_order_id', 'purchase_order_lines', 'quantity_received');

CREATE TRIGGER calculate_lines_first BEFORE INSERT ON public.estimates FOR EACH ROW WHEN (((new.line_items IS DISTINCT FROM '[]'::jsonb) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.read_line_items('public.estimate_line_items', 'estimate_id', 'estimate_lines', '');

CREATE TRIGGER calculate_lines_first BEFORE INSERT ON public.invoices FOR EACH ROW WHEN (((new.line_items IS DISTINCT FROM '[]'::jsonb) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.read_line_items('public.invoice_line_items', 'invoice_id', 'invoice_lines', '');

CREATE TRIGGER calculate_lines_first BEFORE INSERT ON public.purchase_orders FOR EACH ROW WHEN (((new.line_items IS DISTINCT FROM '[]'::jsonb) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.read_line_items('public.purchase_order_line_items', 'purchase_order_id', 'purchase_order_lines', 'quantity_received');

CREATE TRIGGER calculate_totals BEFORE INSERT OR UPDATE ON public.estimate_options FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.total_option();

CREATE TRIGGER calculate_totals BEFORE INSERT OR UPDATE ON public.estimates FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.total_estimate();

CREATE TRIGGER calculate_totals BEFORE INSERT OR UPDATE ON public.invoices FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.total_invoice();

CREATE TRIGGER changed AFTER UPDATE ON public.estimate_options FOR EACH ROW WHEN ((((old.estimate_id IS DISTINCT FROM new.estimate_id) OR (old."position" IS DISTINCT FROM new."position")) OR (old.is_recommended IS DISTINCT FROM new.is_recommended))) EXECUTE FUNCTION app.options_changed();

CREATE TRIGGER changed_first AFTER INSERT OR DELETE ON public.estimate_options FOR EACH ROW EXECUTE FUNCTION app.options_changed();

CREATE TRIGGER check_status BEFORE INSERT OR UPDATE ON public.contracts FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_status('contract');

CREATE TRIGGER check_status BEFORE INSERT OR UPDATE ON public.estimates FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_status('estimate');

CREATE TRIGGER check_status BEFORE INSERT OR UPDATE ON public.import_runs FOR EACH ROW EXECUTE FUNCTION app.guard_status('import');

CREATE TRIGGER check_status BEFORE INSERT OR UPDATE ON public.invoices FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_status('invoice');

CREATE TRIGGER check_status BEFORE INSERT OR UPDATE ON public.jobs FOR EACH ROW EXECUTE FUNCTION app.guard_status('job');

CREATE TRIGGER check_status BEFORE INSERT OR UPDATE ON public.payments FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_status('payment');

CREATE TRIGGER check_status BEFORE INSERT OR UPDATE ON public.purchase_orders FOR EACH ROW EXECUTE FUNCTION app.guard_status('purchase_order');

CREATE TRIGGER check_status BEFORE INSERT OR UPDATE ON public.requests FOR EACH ROW EXECUTE FUNCTION app.guard_status('request');

CREATE TRIGGER check_status BEFORE INSERT OR UPDATE ON public.schedules FOR EACH ROW EXECUTE FUNCTION app.guard_status('schedule');

CREATE TRIGGER check_status BEFORE INSERT OR UPDATE ON public.service_plans FOR EACH ROW EXECUTE FUNCTION app.guard_status('service_plan');

CREATE TRIGGER complete BEFORE INSERT ON public.credit_notes FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.prepare_credit_note();

CREATE TRIGGER complete_refund BEFORE INSERT ON public.payments FOR EACH ROW WHEN (((new.original_payment_id IS NOT NULL) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.prepare_refund();

CREATE TRIGGER compute BEFORE INSERT OR UPDATE ON public.purchase_orders FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.compute_purchase_order();

CREATE TRIGGER count_added AFTER INSERT ON public.price_book_items REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION app.items_added();

CREATE TRIGGER count_moved AFTER UPDATE ON public.price_book_items REFERENCING OLD TABLE AS was NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION app.items_moved();

CREATE TRIGGER count_removed AFTER DELETE ON public.price_book_items REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION app.items_removed();

CREATE TRIGGER count_tag AFTER INSERT OR DELETE OR UPDATE OF tag_id ON public.customer_tags FOR EACH ROW EXECUTE FUNCTION app.count_tag();

CREATE TRIGGER count_tag AFTER INSERT OR DELETE OR UPDATE OF tag_id ON public.equipment_tags FOR EACH ROW EXECUTE FUNCTION app.count_tag();

CREATE TRIGGER count_tag AFTER INSERT OR DELETE OR UPDATE OF tag_id ON public.job_tags FOR EACH ROW EXECUTE FUNCTION app.count_tag();

CREATE TRIGGER customer_figures_deleted AFTER DELETE ON public.jobs REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.count_jobs_of_customers();

CREATE TRIGGER customer_figures_inserted AFTER INSERT ON public.jobs REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.count_jobs_of_customers();

CREATE TRIGGER customer_figures_updated AFTER UPDATE ON public.jobs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.count_jobs_of_customers();

CREATE TRIGGER customer_money_deleted AFTER DELETE ON public.invoices REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION app.count_customer_money();

CREATE TRIGGER customer_money_inserted AFTER INSERT ON public.invoices REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION app.count_customer_money();

CREATE TRIGGER customer_money_updated AFTER UPDATE ON public.invoices REFERENCING OLD TABLE AS gone NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION app.count_customer_money();

CREATE TRIGGER equipment_serviced AFTER INSERT ON public.job_equipment FOR EACH ROW EXECUTE FUNCTION app.equipment_serviced();

CREATE TRIGGER figures_by_timezone AFTER UPDATE OF business_timezone ON public.companies FOR EACH ROW WHEN ((old.business_timezone IS DISTINCT FROM new.business_timezone)) EXECUTE FUNCTION app.company_timezone_changed();

CREATE TRIGGER figures_deleted AFTER DELETE ON public.customer_reviews REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_customer_reviews();

CREATE TRIGGER figures_deleted AFTER DELETE ON public.customers REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_customers();

CREATE TRIGGER figures_deleted AFTER DELETE ON public.invoices REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_invoices();

CREATE TRIGGER figures_deleted AFTER DELETE ON public.jobs REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_jobs();

CREATE TRIGGER figures_deleted AFTER DELETE ON public.jobs_archive REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_jobs_archive();

CREATE TRIGGER figures_deleted AFTER DELETE ON public.payments REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_payments();

CREATE TRIGGER figures_inserted AFTER INSERT ON public.customer_reviews REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_customer_reviews();

CREATE TRIGGER figures_inserted AFTER INSERT ON public.customers REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_customers();

CREATE TRIGGER figures_inserted AFTER INSERT ON public.invoices REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_invoices();

CREATE TRIGGER figures_inserted AFTER INSERT ON public.jobs REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_jobs();

CREATE TRIGGER figures_inserted AFTER INSERT ON public.jobs_archive REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_jobs_archive();

CREATE TRIGGER figures_inserted AFTER INSERT ON public.payments REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_payments();

CREATE TRIGGER figures_updated AFTER UPDATE ON public.customer_reviews REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_customer_reviews();

CREATE TRIGGER figures_updated AFTER UPDATE ON public.customers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_customers();

CREATE TRIGGER figures_updated AFTER UPDATE ON public.invoices REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_invoices();

CREATE TRIGGER figures_updated AFTER UPDATE ON public.jobs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_jobs();

CREATE TRIGGER figures_updated AFTER UPDATE ON public.jobs_archive REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_jobs_archive();

CREATE TRIGGER figures_updated AFTER UPDATE ON public.payments REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.add_figures_of_payments();

CREATE TRIGGER file_job BEFORE INSERT OR UPDATE ON public.attachments FOR EACH ROW EXECUTE FUNCTION app.file_job();

CREATE TRIGGER file_job BEFORE INSERT OR UPDATE ON public.file_storage FOR EACH ROW EXECUTE FUNCTION app.file_job();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.absences FOR EACH ROW EXECUTE FUNCTION app.guard_own_time('absences');

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.api_keys FOR EACH ROW EXECUTE FUNCTION app.guard_api_key();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.companies FOR EACH ROW EXECUTE FUNCTION app.guard_company();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.contracts FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_contract();

CREATE TRIGGER guard BEFORE INSERT ON public.credit_notes FOR EACH ROW WHEN (((CURRENT_USER = 'authenticated'::name) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.guard_credit_note();

CREATE TRIGGER guard BEFORE INSERT OR DELETE OR UPDATE ON public.custom_roles FOR EACH ROW EXECUTE FUNCTION app.guard_custom_role();

CREATE TRIGGER guard BEFORE INSERT OR DELETE OR UPDATE ON public.customers FOR EACH ROW EXECUTE FUNCTION app.guard_customer();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.equipment FOR EACH ROW EXECUTE FUNCTION app.guard_equipment();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.estimates FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_estimate();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.inventory FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_inventory();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.invoices FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_invoice();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.job_team_assignments FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_team();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.jobs FOR EACH ROW EXECUTE FUNCTION app.guard_job();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.labor_rates FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_labor_rate();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.notes FOR EACH ROW EXECUTE FUNCTION app.guard_note();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.payments FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_payment();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OF approvers ON public.po_settings FOR EACH ROW WHEN (((jsonb_typeof(new.approvers) = 'array'::text) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.guard_po_settings();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.pricing_rules FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_pricing_rule();

CREATE TRIGGER guard BEFORE UPDATE ON public.properties FOR EACH ROW WHEN (((new.customer_id IS NOT NULL) AND (new.customer_id IS DISTINCT FROM old.customer_id) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.guard_property();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.public_links FOR EACH ROW EXECUTE FUNCTION app.guard_public_link();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.purchase_orders FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_purchase_order();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.schedules FOR EACH ROW EXECUTE FUNCTION app.guard_schedule();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.service_packages FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.guard_service_package();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.service_plans FOR EACH ROW EXECUTE FUNCTION app.guard_service_plan();

CREATE TRIGGER guard BEFORE INSERT OR DELETE OR UPDATE ON public.tags FOR EACH ROW EXECUTE FUNCTION app.guard_tag();

CREATE TRIGGER guard BEFORE INSERT OR DELETE OR UPDATE ON public.team_members FOR EACH ROW EXECUTE FUNCTION app.guard_member();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.technician_positions FOR EACH ROW EXECUTE FUNCTION app.guard_position();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.time_entries FOR EACH ROW EXECUTE FUNCTION app.guard_own_time('time_entries');

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OF url, events ON public.webhooks FOR EACH ROW EXECUTE FUNCTION app.guard_webhook();

CREATE TRIGGER guard_delete BEFORE DELETE ON public.price_book_categories FOR EACH ROW EXECUTE FUNCTION app.guard_category_delete();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.attachments FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.communications FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.contracts FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.customer_addresses FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.customer_contacts FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.customer_reviews FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.customers FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.equipment FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.estimates FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.file_storage FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.form_submissions FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.form_templates FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.inventory FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.invoices FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.jobs FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.notes FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.payment_methods FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.payments FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.price_book_items FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.properties FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.purchase_orders FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.requests FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.schedules FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.service_plans FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_deletion BEFORE DELETE ON public.vendors FOR EACH ROW EXECUTE FUNCTION app.guard_deletion();

CREATE TRIGGER guard_issued AFTER INSERT OR DELETE OR UPDATE ON public.invoice_jobs FOR EACH ROW WHEN ((CURRENT_USER = ANY (ARRAY['authenticated'::name, 'service_role'::name]))) EXECUTE FUNCTION app.guard_invoice_job();

CREATE TRIGGER guard_issued BEFORE UPDATE ON public.invoices FOR EACH ROW WHEN (((old.invoice_number IS NOT NULL) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.guard_issued_invoice();

CREATE TRIGGER guard_kept BEFORE DELETE ON public.contracts FOR EACH ROW WHEN ((old.status = 'signed'::text)) EXECUTE FUNCTION app.guard_contract();

CREATE TRIGGER guard_kept BEFORE DELETE ON public.invoices FOR EACH ROW WHEN ((old.invoice_number IS NOT NULL)) EXECUTE FUNCTION app.guard_issued_invoice();

CREATE TRIGGER guard_kept BEFORE DELETE ON public.payments FOR EACH ROW WHEN (app.is_settled(old.status)) EXECUTE FUNCTION app.guard_payment();

CREATE TRIGGER guard_new AFTER INSERT ON public.inventory FOR EACH ROW WHEN (((new.quantity_reserved <> (0)::numeric) AND (CURRENT_USER = ANY (ARRAY['authenticated'::name, 'service_role'::name])))) EXECUTE FUNCTION app.guard_new_inventory();

CREATE TRIGGER guard_receipt BEFORE UPDATE ON public.purchase_order_line_items FOR EACH ROW WHEN (((new.quantity_received <> old.quantity_received) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.guard_receipt();

CREATE TRIGGER guard_receipt_first BEFORE INSERT ON public.purchase_order_line_items FOR EACH ROW WHEN (((new.quantity_received <> (0)::numeric) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.guard_receipt();

CREATE TRIGGER guard_record BEFORE DELETE OR UPDATE ON public.price_history FOR EACH ROW EXECUTE FUNCTION app.guard_record();

CREATE TRIGGER guard_record BEFORE DELETE OR UPDATE ON public.stock_moves FOR EACH ROW EXECUTE FUNCTION app.guard_record();

CREATE TRIGGER guard_retention BEFORE INSERT OR UPDATE OF retention ON public.company_settings FOR EACH ROW EXECUTE FUNCTION app.guard_retention();

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.attachments FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('files', 'uploaded_by');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.communications FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('communications', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.contracts FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('contracts', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.customer_addresses FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('customer_details', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.customer_contacts FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('customer_details', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.customer_reviews FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('reviews', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.customers FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('customers', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.equipment FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('equipment', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.estimates FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('estimates', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.file_storage FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('files', 'uploaded_by');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.form_submissions FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('form_submissions', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.form_templates FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('form_templates', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.inventory FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('inventory', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.invoices FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('invoices', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.jobs FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('jobs', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.notes FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('notes', 'created_by');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.payment_methods FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('payment_methods', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.payments FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('payments', 'created_by');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.price_book_items FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('price_book', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.properties FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('properties', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.purchase_orders FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('purchase_orders', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.requests FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('requests', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.schedules FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('schedules', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.service_plans FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('service_plans', '');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.vendors FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('vendors', '');

CREATE TRIGGER guard_stamp BEFORE INSERT OR UPDATE ON public.absences FOR EACH ROW EXECUTE FUNCTION app.stamp_approval('absences');

CREATE TRIGGER guard_stamp BEFORE INSERT OR UPDATE ON public.time_entries FOR EACH ROW EXECUTE FUNCTION app.stamp_approval('time_entries');

CREATE TRIGGER keep_billed BEFORE DELETE ON public.customers FOR EACH ROW WHEN ((CURRENT_USER = ANY (ARRAY['authenticated'::name, 'service_role'::name]))) EXECUTE FUNCTION app.keep_billed_customer();

CREATE TRIGGER leader_changed AFTER UPDATE OF assigned_to ON public.jobs FOR EACH ROW WHEN ((new.assigned_to IS DISTINCT FROM old.assigned_to)) EXECUTE FUNCTION app.leader_changed();

CREATE TRIGGER lock_customer BEFORE INSERT ON public.jobs FOR EACH ROW WHEN (((new.customer_id IS NOT NULL) AND (new.job_number = ''::text) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.lock_customer_of_job();

CREATE TRIGGER log_price AFTER UPDATE ON public.price_book_items FOR EACH ROW WHEN ((((old.cost IS DISTINCT FROM new.cost) OR (old.price IS DISTINCT FROM new.price)) OR (old.markup_percent IS DISTINCT FROM new.markup_percent))) EXECUTE FUNCTION app.log_price();

CREATE TRIGGER log_role_change AFTER UPDATE ON public.team_members FOR EACH ROW WHEN ((((old.role IS DISTINCT FROM new.role) OR (old.role_id IS DISTINCT FROM new.role_id)) OR (old.permissions IS DISTINCT FROM new.permissions))) EXECUTE FUNCTION app.log_role_change();

CREATE TRIGGER member_added AFTER INSERT ON public.team_members FOR EACH ROW WHEN ((new.role = 'owner'::text)) EXECUTE FUNCTION app.member_added();

CREATE TRIGGER only_default_inserted BEFORE INSERT ON public.inventory_locations FOR EACH ROW WHEN ((new.is_default AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.be_only_default();

CREATE TRIGGER only_default_inserted BEFORE INSERT ON public.labor_rates FOR EACH ROW WHEN ((new.is_default AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.be_only_default();

CREATE TRIGGER only_default_updated BEFORE UPDATE ON public.inventory_locations FOR EACH ROW WHEN ((new.is_default AND (NOT old.is_default) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.be_only_default();

CREATE TRIGGER only_default_updated BEFORE UPDATE ON public.labor_rates FOR EACH ROW WHEN ((new.is_default AND (NOT old.is_default) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.be_only_default();

CREATE TRIGGER place BEFORE INSERT OR UPDATE ON public.price_book_categories FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.place_category();

CREATE TRIGGER property_of_customer BEFORE INSERT OR UPDATE ON public.equipment FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.check_property_of_customer();

CREATE TRIGGER property_of_customer BEFORE INSERT OR UPDATE ON public.estimates FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.check_property_of_customer();

CREATE TRIGGER property_of_customer BEFORE INSERT OR UPDATE ON public.invoices FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.check_property_of_customer();

CREATE TRIGGER property_of_customer BEFORE INSERT OR UPDATE ON public.recurrences FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.check_property_of_customer();

CREATE TRIGGER property_of_customer BEFORE INSERT OR UPDATE ON public.requests FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.check_property_of_customer();

CREATE TRIGGER property_of_customer BEFORE INSERT OR UPDATE ON public.schedules FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.check_property_of_customer();

CREATE TRIGGER property_of_customer BEFORE INSERT OR UPDATE ON public.service_plans FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.check_property_of_customer();

CREATE TRIGGER record_opening AFTER INSERT ON public.inventory FOR EACH ROW EXECUTE FUNCTION app.record_inventory();

CREATE TRIGGER record_place AFTER UPDATE ON public.inventory FOR EACH ROW WHEN (((new.location_id IS DISTINCT FROM old.location_id) AND (pg_trigger_depth() = 0))) EXECUTE FUNCTION app.record_inventory();

CREATE TRIGGER references_valid BEFORE INSERT OR UPDATE ON public.jobs FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.check_job_references();

CREATE TRIGGER references_valid BEFORE INSERT OR UPDATE ON public.schedules FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.check_visit();

CREATE TRIGGER refresh AFTER UPDATE OF permissions ON public.custom_roles FOR EACH ROW EXECUTE FUNCTION app.custom_role_changed();

CREATE TRIGGER sequence_draft BEFORE INSERT ON public.invoices FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.number_row('draft_number', 'invoice_draft', 'DRAFT', '4', 'yearly');

CREATE TRIGGER sequence_number BEFORE INSERT ON public.contracts FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.number_row('contract_number', 'contract', 'CON', '4', 'yearly');

CREATE TRIGGER sequence_number BEFORE INSERT ON public.credit_notes FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.number_row('credit_note_number', 'credit_note', 'CN', '4', 'yearly');

CREATE TRIGGER sequence_number BEFORE INSERT ON public.equipment FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.number_row('equipment_number', 'equipment', 'EQ', '5');

CREATE TRIGGER sequence_number BEFORE INSERT ON public.estimates FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.number_row('estimate_number', 'estimate', 'EST', '4', 'yearly');

CREATE TRIGGER sequence_number BEFORE INSERT ON public.invoices FOR EACH ROW WHEN (((app.is_issued(new.status) OR (new.invoice_number IS NOT NULL)) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.number_row('invoice_number', 'invoice', 'INV', '4', 'yearly');

CREATE TRIGGER sequence_number BEFORE INSERT ON public.jobs FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.number_row('job_number', 'job', 'JOB', '4', 'yearly');

CREATE TRIGGER sequence_number BEFORE INSERT ON public.payments FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.number_row('payment_number', 'payment', 'PAY', '4', 'yearly');

CREATE TRIGGER sequence_number BEFORE INSERT ON public.purchase_orders FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.number_row('po_number', 'purchase_order', 'PO', '4', 'yearly');

CREATE TRIGGER sequence_number BEFORE INSERT ON public.service_plans FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.number_row('plan_number', 'service_plan', 'MP', '6');

CREATE TRIGGER sequence_number BEFORE INSERT ON public.vendors FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.number_row('vendor_number', 'vendor', 'VND', '4', 'yearly');

CREATE TRIGGER sequence_number_issued BEFORE UPDATE ON public.invoices FOR EACH ROW WHEN ((app.is_issued(new.status) AND (new.invoice_number IS NULL) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.number_row('invoice_number', 'invoice', 'INV', '4', 'yearly');

CREATE TRIGGER settle_added AFTER INSERT ON public.price_book_categories REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION app.categories_added();

CREATE TRIGGER settle_moved AFTER UPDATE ON public.price_book_categories REFERENCING OLD TABLE AS was NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION app.categories_moved();

CREATE TRIGGER stock_receipts AFTER UPDATE ON public.purchase_order_line_items REFERENCING OLD TABLE AS was NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION app.stock_receipts();

CREATE TRIGGER sync_delete AFTER DELETE ON public.estimate_line_items REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION app.sync_line_items('public.estimates', 'public.estimate_line_items', 'estimate_id');

CREATE TRIGGER sync_delete AFTER DELETE ON public.invoice_line_items REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION app.sync_line_items('public.invoices', 'public.invoice_line_items', 'invoice_id');

CREATE TRIGGER sync_delete AFTER DELETE ON public.purchase_order_line_items REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION app.sync_line_items('public.purchase_orders', 'public.purchase_order_line_items', 'purchase_order_id');

CREATE TRIGGER sync_insert AFTER INSERT ON public.estimate_line_items REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION app.sync_line_items('public.estimates', 'public.estimate_line_items', 'estimate_id');

CREATE TRIGGER sync_insert AFTER INSERT ON public.invoice_line_items REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION app.sync_line_items('public.invoices', 'public.invoice_line_items', 'invoice_id');

CREATE TRIGGER sync_insert AFTER INSERT ON public.purchase_order_line_items REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION app.sync_line_items('public.purchase_orders', 'public.purchase_order_line_items', 'purchase_order_id');

CREATE TRIGGER sync_member_name AFTER UPDATE ON public.users FOR EACH ROW WHEN (((old.name IS DISTINCT FROM new.name) OR (old.email IS DISTINCT FROM new.email))) EXECUTE FUNCTION app.sync_member_name();

CREATE TRIGGER sync_update AFTER UPDATE ON public.estimate_line_items REFERENCING OLD TABLE AS gone NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION app.sync_line_items('public.estimates', 'public.estimate_line_items', 'estimate_id');

CREATE TRIGGER sync_update AFTER UPDATE ON public.invoice_line_items REFERENCING OLD TABLE AS gone NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION app.sync_line_items('public.invoices', 'public.invoice_line_items', 'invoice_id');

CREATE TRIGGER sync_update AFTER UPDATE ON public.purchase_order_line_items REFERENCING OLD TABLE AS gone NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION app.sync_line_items('public.purchase_orders', 'public.purchase_order_line_items', 'purchase_order_id');

CREATE TRIGGER team_changed AFTER INSERT OR DELETE OR UPDATE ON public.job_team_assignments FOR EACH ROW EXECUTE FUNCTION app.team_changed();

CREATE TRIGGER total_options AFTER UPDATE ON public.estimates FOR EACH ROW EXECUTE FUNCTION app.total_options();

CREATE TRIGGER touch BEFORE UPDATE ON public.absences FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.api_keys FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.attachments FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.chats FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.communications FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.companies FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.company_holidays FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.company_settings FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.contracts FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.custom_field_values FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.custom_fields FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.custom_roles FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.customer_addresses FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.customer_contacts FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.customer_reviews FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.customers FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.departments FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.equipment FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.estimate_jobs FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.estimate_line_items FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.estimate_options FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.estimates FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.file_storage FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.form_submissions FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.form_templates FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.import_runs FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.inventory FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.inventory_locations FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.invitations FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.invoice_jobs FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.invoice_line_items FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.invoices FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.job_equipment FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.job_team_assignments FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.jobs FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.labor_rates FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.member_skills FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.member_zones FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.notes FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.notification_preferences FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.notification_templates FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.payment_allocations FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.payment_methods FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.payments FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.po_settings FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.posts FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.price_book_categories FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.price_book_items FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.pricing_rules FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.properties FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.public_links FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.purchase_order_line_items FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.purchase_orders FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.recurrences FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.requests FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.schedules FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.service_packages FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.service_plans FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.shifts FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.skills FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.stock_reservations FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.supplier_integrations FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.tags FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.team_members FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.time_entries FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.vendors FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.webhooks FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.zones FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER weigh_words BEFORE INSERT ON public.contracts FOR EACH ROW EXECUTE FUNCTION app.weigh_contracts();

CREATE TRIGGER weigh_words BEFORE INSERT ON public.customers FOR EACH ROW EXECUTE FUNCTION app.weigh_customers();

CREATE TRIGGER weigh_words BEFORE INSERT ON public.equipment FOR EACH ROW EXECUTE FUNCTION app.weigh_equipment();

CREATE TRIGGER weigh_words BEFORE INSERT ON public.estimates FOR EACH ROW EXECUTE FUNCTION app.weigh_estimates();

CREATE TRIGGER weigh_words BEFORE INSERT ON public.invoices FOR EACH ROW EXECUTE FUNCTION app.weigh_invoices();

CREATE TRIGGER weigh_words BEFORE INSERT ON public.jobs FOR EACH ROW EXECUTE FUNCTION app.weigh_jobs();

CREATE TRIGGER weigh_words BEFORE INSERT ON public.price_book_items FOR EACH ROW EXECUTE FUNCTION app.weigh_price_book_items();

CREATE TRIGGER weigh_words BEFORE INSERT ON public.properties FOR EACH ROW EXECUTE FUNCTION app.weigh_properties();

CREATE TRIGGER weigh_words_again BEFORE UPDATE ON public.contracts FOR EACH ROW WHEN (((((((((old.contract_number IS DISTINCT FROM new.contract_number) OR (old.title IS DISTINCT FROM new.title)) OR (old.signer_name IS DISTINCT FROM new.signer_name)) OR (old.signer_email IS DISTINCT FROM new.signer_email)) OR (old.signer_company IS DISTINCT FROM new.signer_company)) OR (old.description IS DISTINCT FROM new.description)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.search_vector IS DISTINCT FROM new.search_vector))) EXECUTE FUNCTION app.weigh_contracts();

CREATE TRIGGER weigh_words_again BEFORE UPDATE ON public.customers FOR EACH ROW WHEN ((((((((((((((((old.first_name IS DISTINCT FROM new.first_name) OR (old.last_name IS DISTINCT FROM new.last_name)) OR (old.company_name IS DISTINCT FROM new.company_name)) OR (old.email IS DISTINCT FROM new.email)) OR (old.billing_email IS DISTINCT FROM new.billing_email)) OR (old.phone IS DISTINCT FROM new.phone)) OR (old.secondary_phone IS DISTINCT FROM new.secondary_phone)) OR (old.address IS DISTINCT FROM new.address)) OR (old.address2 IS DISTINCT FROM new.address2)) OR (old.city IS DISTINCT FROM new.city)) OR (old.state IS DISTINCT FROM new.state)) OR (old.zip_code IS DISTINCT FROM new.zip_code)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.internal_notes IS DISTINCT FROM new.internal_notes)) OR (old.search_vector IS DISTINCT FROM new.search_vector))) EXECUTE FUNCTION app.weigh_customers();

CREATE TRIGGER weigh_words_again BEFORE UPDATE ON public.equipment FOR EACH ROW WHEN (((((((((((((old.name IS DISTINCT FROM new.name) OR (old.equipment_number IS DISTINCT FROM new.equipment_number)) OR (old.manufacturer IS DISTINCT FROM new.manufacturer)) OR (old.model IS DISTINCT FROM new.model)) OR (old.serial_number IS DISTINCT FROM new.serial_number)) OR (old.tool_serial IS DISTINCT FROM new.tool_serial)) OR (old.vehicle_vin IS DISTINCT FROM new.vehicle_vin)) OR (old.vehicle_license_plate IS DISTINCT FROM new.vehicle_license_plate)) OR (old.location IS DISTINCT FROM new.location)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.customer_notes IS DISTINCT FROM new.customer_notes)) OR (old.search_vector IS DISTINCT FROM new.search_vector))) EXECUTE FUNCTION app.weigh_equipment();

CREATE TRIGGER weigh_words_again BEFORE UPDATE ON public.estimates FOR EACH ROW WHEN ((((((old.estimate_number IS DISTINCT FROM new.estimate_number) OR (old.title IS DISTINCT FROM new.title)) OR (old.description IS DISTINCT FROM new.description)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.search_vector IS DISTINCT FROM new.search_vector))) EXECUTE FUNCTION app.weigh_estimates();

CREATE TRIGGER weigh_words_again BEFORE UPDATE ON public.invoices FOR EACH ROW WHEN (((((((old.invoice_number IS DISTINCT FROM new.invoice_number) OR (old.draft_number IS DISTINCT FROM new.draft_number)) OR (old.title IS DISTINCT FROM new.title)) OR (old.description IS DISTINCT FROM new.description)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.search_vector IS DISTINCT FROM new.search_vector))) EXECUTE FUNCTION app.weigh_invoices();

CREATE TRIGGER weigh_words_again BEFORE UPDATE ON public.jobs FOR EACH ROW WHEN (((((((old.job_number IS DISTINCT FROM new.job_number) OR (old.title IS DISTINCT FROM new.title)) OR (old.service_type IS DISTINCT FROM new.service_type)) OR (old.description IS DISTINCT FROM new.description)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.search_vector IS DISTINCT FROM new.search_vector))) EXECUTE FUNCTION app.weigh_jobs();

CREATE TRIGGER weigh_words_again BEFORE UPDATE ON public.price_book_items FOR EACH ROW WHEN (((((((((old.name IS DISTINCT FROM new.name) OR (old.sku IS DISTINCT FROM new.sku)) OR (old.supplier_sku IS DISTINCT FROM new.supplier_sku)) OR (old.category IS DISTINCT FROM new.category)) OR (old.subcategory IS DISTINCT FROM new.subcategory)) OR (old.description IS DISTINCT FROM new.description)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.search_vector IS DISTINCT FROM new.search_vector))) EXECUTE FUNCTION app.weigh_price_book_items();

CREATE TRIGGER weigh_words_again BEFORE UPDATE ON public.properties FOR EACH ROW WHEN (((((((((old.name IS DISTINCT FROM new.name) OR (old.address IS DISTINCT FROM new.address)) OR (old.address2 IS DISTINCT FROM new.address2)) OR (old.city IS DISTINCT FROM new.city)) OR (old.state IS DISTINCT FROM new.state)) OR (old.zip_code IS DISTINCT FROM new.zip_code)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.search_vector IS DISTINCT FROM new.search_vector))) EXECUTE FUNCTION app.weigh_properties();

CREATE TRIGGER write_lines AFTER UPDATE ON public.estimates FOR EACH ROW WHEN (((new.line_items IS DISTINCT FROM old.line_items) AND (NOT app.is_computed_write()))) EXECUTE FUNCTION app.write_line_items('public.estimate_line_items', 'estimate_id', 'estimate_lines', '');

CREATE TRIGGER write_lines AFTER UPDATE ON public.invoices FOR EACH ROW WHEN (((new.line_items IS DISTINCT FROM old.line_items) AND (NOT app.is_computed_write()))) EXECUTE FUNCTION app.write_line_items('public.invoice_line_items', 'invoice_id', 'invoice_lines', '');

CREATE TRIGGER write_lines AFTER UPDATE ON public.purchase_orders FOR EACH ROW WHEN (((new.line_items IS DISTINCT FROM old.line_items) AND (NOT app.is_computed_write()))) EXECUTE FUNCTION app.write_line_items('public.purchase_order_line_items', 'purchase_order_id', 'purchase_order_lines', 'quantity_received');

CREATE TRIGGER write_lines_first AFTER INSERT ON public.estimates FOR EACH ROW WHEN ((new.line_items <> '[]'::jsonb)) EXECUTE FUNCTION app.write_line_items('public.estimate_line_items', 'estimate_id', 'estimate_lines', '');

CREATE TRIGGER write_lines_first AFTER INSERT ON public.invoices FOR EACH ROW WHEN ((new.line_items <> '[]'::jsonb)) EXECUTE FUNCTION app.write_line_items('public.invoice_line_items', 'invoice_id', 'invoice_lines', '');

CREATE TRIGGER write_lines_first AFTER INSERT ON public.purchase_orders FOR EACH ROW WHEN ((new.line_items <> '[]'::jsonb)) EXECUTE FUNCTION app.write_line_items('public.purchase_order_line_items', 'purchase_order_id', 'purchase_order_lines', 'quantity_received');

CREATE TRIGGER zy_activity AFTER INSERT OR UPDATE ON public.customers FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.note_activity('customer', 'display_name', '');

CREATE TRIGGER zy_activity AFTER INSERT OR UPDATE ON public.estimates FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.note_activity('estimate', 'estimate_number', 'job_id');

CREATE TRIGGER zy_activity AFTER INSERT OR UPDATE ON public.invoices FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.note_activity('invoice', 'invoice_number', 'job_id');

CREATE TRIGGER zy_activity AFTER INSERT OR UPDATE ON public.jobs FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.note_activity('job', 'job_number', 'id');

CREATE TRIGGER zy_activity AFTER INSERT OR UPDATE ON public.payments FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.note_activity('payment', 'payment_number', 'job_id');

CREATE TRIGGER zy_activity AFTER INSERT OR UPDATE ON public.purchase_orders FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.note_activity('purchase_order', 'po_number', 'job_id');

CREATE TRIGGER zy_activity AFTER INSERT OR UPDATE ON public.schedules FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.note_activity('schedule', '', 'job_id');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.absences FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('absences', 'absence', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.api_keys FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('api_keys', 'api_key', 'company_id', 'high', 'key_hash', 'secret', 'last_used_ip', 'ip');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.attachments FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('attachments', 'attachment', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.chats FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('chats', 'chat', 'company_id', 'usual', 'title', 'text');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.communications FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('communications', 'communication', 'company_id', 'usual', 'from_address', 'contact', 'from_name', 'name', 'to_address', 'contact', 'to_name', 'name', 'cc_addresses', 'contact', 'bcc_addresses', 'contact', 'subject', 'text', 'body', 'text', 'body_html', 'text', 'body_plain', 'text', 'call_transcript', 'text');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.companies FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('companies', 'company', 'id', 'high', 'tax_id', 'tax_id', 'ein', 'tax_id');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.company_holidays FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('company_holidays', 'company_holiday', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.company_settings FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('company_settings', 'company_settings', 'company_id', 'high');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.contracts FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('contracts', 'contract', 'company_id', 'usual', 'signer_name', 'name', 'signer_email', 'email', 'signature', 'signature', 'ip_address', 'ip');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.credit_notes FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('credit_notes', 'credit_note', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.custom_field_values FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('custom_field_values', 'custom_field_value', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.custom_fields FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('custom_fields', 'custom_field', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.custom_roles FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('custom_roles', 'custom_role', 'company_id', 'high');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.customer_addresses FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('customer_addresses', 'customer_address', 'company_id', 'usual', 'address', 'address', 'address2', 'address');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.customer_contacts FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('customer_contacts', 'customer_contact', 'company_id', 'usual', 'email', 'email', 'phone', 'phone', 'mobile_phone', 'phone');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.customer_reviews FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('customer_reviews', 'customer_review', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.customer_tags FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('customer_tags', 'customer_tag', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.customers FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('customers', 'customer', 'company_id', 'usual', 'first_name', 'name', 'last_name', 'name', 'company_name', 'name', 'display_name', 'name', 'email', 'email', 'email_key', 'email', 'phone', 'phone', 'secondary_phone', 'phone', 'address', 'address', 'address2', 'address', 'billing_email', 'email', 'tax_exempt_number', 'tax_id');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.departments FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('departments', 'department', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.documents FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('documents', 'document', 'company_id', 'usual', 'title', 'text', 'content', 'text');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.equipment FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('equipment', 'equipment', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.equipment_tags FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('equipment_tags', 'equipment_tag', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.estimate_jobs FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('estimate_jobs', 'estimate_job', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.estimate_line_items FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('estimate_line_items', 'estimate_line_item', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.estimate_options FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('estimate_options', 'estimate_option', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.estimates FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('estimates', 'estimate', 'company_id', 'usual', 'acceptance_token', 'secret', 'accepted_by_name', 'name');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.file_storage FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('file_storage', 'file_storage', 'company_id', 'usual', 'encryption_key', 'secret');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.form_submissions FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('form_submissions', 'form_submission', 'company_id', 'usual', 'signed_by_name', 'name');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.form_templates FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('form_templates', 'form_template', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.import_runs FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('import_runs', 'import_run', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.inventory FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('inventory', 'inventory', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.inventory_locations FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('inventory_locations', 'inventory_location', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.invitations FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('invitations', 'invitation', 'company_id', 'usual', 'email', 'email', 'email_key', 'email', 'name', 'name', 'token_hash', 'secret');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.invoice_jobs FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('invoice_jobs', 'invoice_job', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.invoice_line_items FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('invoice_line_items', 'invoice_line_item', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.invoices FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('invoices', 'invoice', 'company_id', 'usual', 'payment_token', 'secret');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.job_equipment FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('job_equipment', 'job_equipment', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.job_tags FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('job_tags', 'job_tag', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.job_team_assignments FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('job_team_assignments', 'job_team_assignment', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.jobs FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('jobs', 'job', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.labor_rates FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('labor_rates', 'labor_rate', 'company_id', 'high');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.member_skills FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('member_skills', 'member_skill', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.member_zones FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('member_zones', 'member_zone', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.messages_v2 FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('messages_v2', 'messages_v2', 'company_id', 'usual', 'parts', 'text', 'attachments', 'text');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.notes FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('notes', 'note', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.notification_preferences FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('notification_preferences', 'notification_preference', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.notification_queue FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('notification_queue', 'notification_queue', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.notification_templates FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('notification_templates', 'notification_template', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.payment_allocations FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('payment_allocations', 'payment_allocation', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.payment_methods FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('payment_methods', 'payment_method', 'company_id', 'usual', 'provider_token', 'secret', 'last4', 'card', 'holder_name', 'name');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.payments FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('payments', 'payment', 'company_id', 'usual', 'card_last4', 'card');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.po_settings FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('po_settings', 'po_settings', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.posts FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('posts', 'post', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.price_book_categories FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('price_book_categories', 'price_book_category', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.price_book_items FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('price_book_items', 'price_book_item', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.pricing_rules FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('pricing_rules', 'pricing_rule', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.properties FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('properties', 'property', 'company_id', 'usual', 'address', 'address', 'address2', 'address');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.public_links FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('public_links', 'public_link', 'company_id', 'usual', 'token_hash', 'secret', 'last_used_ip', 'ip');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.purchase_order_line_items FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('purchase_order_line_items', 'purchase_order_line_item', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.purchase_orders FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('purchase_orders', 'purchase_order', 'company_id', 'usual', 'vendor_email', 'email', 'vendor_phone', 'phone');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.recurrences FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('recurrences', 'recurrence', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.requests FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('requests', 'request', 'company_id', 'usual', 'contact_name', 'name', 'contact_email', 'email', 'contact_phone', 'phone', 'address', 'address');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.schedules FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('schedules', 'schedule', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.service_packages FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('service_packages', 'service_package', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.service_plans FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('service_plans', 'service_plan', 'company_id', 'usual', 'signed_by_name', 'name');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.shifts FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('shifts', 'shift', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.skills FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('skills', 'skill', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.stock_reservations FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('stock_reservations', 'stock_reservation', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.streams FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('streams', 'stream', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.suggestions FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('suggestions', 'suggestion', 'company_id', 'usual', 'original_text', 'text', 'suggested_text', 'text', 'description', 'text');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.supplier_integrations FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('supplier_integrations', 'supplier_integration', 'company_id', 'high', 'api_key', 'secret', 'api_secret', 'secret', 'webhook_secret', 'secret');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.suppressions FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('suppressions', 'suppression', 'company_id', 'usual', 'address_key', 'contact');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.tags FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('tags', 'tag', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.team_members FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('team_members', 'team_member', 'company_id', 'high', 'name', 'name', 'email', 'email', 'phone', 'phone', 'call_forwarding_number', 'phone', 'voicemail_pin', 'secret', 'invited_email', 'email', 'invited_name', 'name');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.time_entries FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('time_entries', 'time_entry', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.vendors FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('vendors', 'vendor', 'company_id', 'usual', 'email', 'email', 'phone', 'phone', 'address', 'address', 'address2', 'address', 'tax_id', 'tax_id');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.votes_v2 FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('votes_v2', 'votes_v2', 'company_id', 'usual');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.webhooks FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('webhooks', 'webhook', 'company_id', 'high', 'secret', 'secret', 'custom_headers', 'secret');

CREATE TRIGGER zz_audit AFTER INSERT OR DELETE OR UPDATE ON public.zones FOR EACH ROW WHEN (((current_setting('role'::text) <> 'app_owner'::text) OR (COALESCE(current_setting('app.unaudited'::text, true), ''::text) <> 'on'::text))) EXECUTE FUNCTION app.audit('zones', 'zone', 'company_id', 'usual');

CREATE TRIGGER mark_as_deleted INSTEAD OF DELETE ON shared.customers FOR EACH ROW EXECUTE FUNCTION app.mark_as_deleted('public.customers');

ALTER TABLE ONLY app.counters
    ADD CONSTRAINT counters_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY app.figures
    ADD CONSTRAINT figures_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_active_company_id_fkey FOREIGN KEY (active_company_id) REFERENCES public.companies(id) ON DELETE SET NULL;

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.absences
    ADD CONSTRAINT absences_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.absences
    ADD CONSTRAINT absences_decided_by_fkey FOREIGN KEY (company_id, decided_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (decided_by);

ALTER TABLE ONLY public.absences
    ADD CONSTRAINT absences_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE public.activities
    ADD CONSTRAINT activities_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE public.activities
    ADD CONSTRAINT activities_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_rate_limits
    ADD CONSTRAINT api_rate_limits_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_rate_limits
    ADD CONSTRAINT api_rate_limits_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_file_id_fkey FOREIGN KEY (company_id, file_id) REFERENCES public.file_storage(company_id, id) ON DELETE SET NULL (file_id);

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_parent_id_fkey FOREIGN KEY (company_id, parent_id) REFERENCES public.attachments(company_id, id) ON DELETE SET NULL (parent_id);

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_uploaded_by_fkey FOREIGN KEY (company_id, uploaded_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (uploaded_by);

ALTER TABLE ONLY public.background_jobs
    ADD CONSTRAINT background_jobs_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_schedule_id_fkey FOREIGN KEY (company_id, schedule_id) REFERENCES public.schedules(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chats
    ADD CONSTRAINT chats_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chats
    ADD CONSTRAINT chats_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE public.communications
    ADD CONSTRAINT communications_assigned_to_fkey FOREIGN KEY (company_id, assigned_to) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (assigned_to);

ALTER TABLE public.communications
    ADD CONSTRAINT communications_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE public.communications
    ADD CONSTRAINT communications_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE SET NULL (customer_id);

ALTER TABLE public.communications
    ADD CONSTRAINT communications_estimate_id_fkey FOREIGN KEY (company_id, estimate_id) REFERENCES public.estimates(company_id, id) ON DELETE SET NULL (estimate_id);

ALTER TABLE public.communications
    ADD CONSTRAINT communications_invoice_id_fkey FOREIGN KEY (company_id, invoice_id) REFERENCES public.invoices(company_id, id) ON DELETE SET NULL (invoice_id);

ALTER TABLE public.communications
    ADD CONSTRAINT communications_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE public.communications
    ADD CONSTRAINT communications_parent_id_fkey FOREIGN KEY (company_id, parent_id) REFERENCES public.communications(company_id, id) ON DELETE SET NULL (parent_id);

ALTER TABLE public.communications
    ADD CONSTRAINT communications_sent_by_fkey FOREIGN KEY (company_id, sent_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (sent_by);

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.company_holidays
    ADD CONSTRAINT company_holidays_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.company_settings
    ADD CONSTRAINT company_settings_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id);

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_estimate_id_fkey FOREIGN KEY (company_id, estimate_id) REFERENCES public.estimates(company_id, id) ON DELETE SET NULL (estimate_id);

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_invoice_id_fkey FOREIGN KEY (company_id, invoice_id) REFERENCES public.invoices(company_id, id) ON DELETE SET NULL (invoice_id);

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.credit_notes
    ADD CONSTRAINT credit_notes_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.credit_notes
    ADD CONSTRAINT credit_notes_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id);

ALTER TABLE ONLY public.credit_notes
    ADD CONSTRAINT credit_notes_invoice_id_fkey FOREIGN KEY (company_id, invoice_id) REFERENCES public.invoices(company_id, id);

ALTER TABLE ONLY public.custom_field_values
    ADD CONSTRAINT custom_field_values_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.custom_field_values
    ADD CONSTRAINT custom_field_values_custom_field_id_fkey FOREIGN KEY (company_id, custom_field_id) REFERENCES public.custom_fields(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.custom_fields
    ADD CONSTRAINT custom_fields_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.custom_roles
    ADD CONSTRAINT custom_roles_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customer_addresses
    ADD CONSTRAINT customer_addresses_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customer_addresses
    ADD CONSTRAINT customer_addresses_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customer_addresses
    ADD CONSTRAINT customer_addresses_property_id_fkey FOREIGN KEY (company_id, property_id) REFERENCES public.properties(company_id, id) ON DELETE SET NULL (property_id);

ALTER TABLE ONLY public.customer_contacts
    ADD CONSTRAINT customer_contacts_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customer_contacts
    ADD CONSTRAINT customer_contacts_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customer_reviews
    ADD CONSTRAINT customer_reviews_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customer_reviews
    ADD CONSTRAINT customer_reviews_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customer_reviews
    ADD CONSTRAINT customer_reviews_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.customer_reviews
    ADD CONSTRAINT customer_reviews_responded_by_fkey FOREIGN KEY (company_id, responded_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (responded_by);

ALTER TABLE ONLY public.customer_reviews
    ADD CONSTRAINT customer_reviews_technician_id_fkey FOREIGN KEY (company_id, technician_id) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (technician_id);

ALTER TABLE ONLY public.customer_tags
    ADD CONSTRAINT customer_tags_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customer_tags
    ADD CONSTRAINT customer_tags_tag_id_fkey FOREIGN KEY (company_id, tag_id) REFERENCES public.tags(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_default_address_id_fkey FOREIGN KEY (company_id, default_address_id) REFERENCES public.customer_addresses(company_id, id) ON DELETE SET NULL (default_address_id);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_preferred_technician_fkey FOREIGN KEY (company_id, preferred_technician) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (preferred_technician);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_primary_contact_id_fkey FOREIGN KEY (company_id, primary_contact_id) REFERENCES public.customer_contacts(company_id, id) ON DELETE SET NULL (primary_contact_id);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_referred_by_fkey FOREIGN KEY (company_id, referred_by) REFERENCES public.customers(company_id, id) ON DELETE SET NULL (referred_by);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.departments
    ADD CONSTRAINT departments_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE public.email_logs
    ADD CONSTRAINT email_logs_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE public.email_logs
    ADD CONSTRAINT email_logs_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE SET NULL (customer_id);

ALTER TABLE public.email_logs
    ADD CONSTRAINT email_logs_invoice_id_fkey FOREIGN KEY (company_id, invoice_id) REFERENCES public.invoices(company_id, id) ON DELETE SET NULL (invoice_id);

ALTER TABLE public.email_logs
    ADD CONSTRAINT email_logs_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE public.email_logs
    ADD CONSTRAINT email_logs_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (user_id);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_install_job_id_fkey FOREIGN KEY (company_id, install_job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (install_job_id);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_installed_by_fkey FOREIGN KEY (company_id, installed_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (installed_by);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_last_service_job_id_fkey FOREIGN KEY (company_id, last_service_job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (last_service_job_id);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_property_id_fkey FOREIGN KEY (company_id, property_id) REFERENCES public.properties(company_id, id) ON DELETE SET NULL (property_id);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_replaced_by_equipment_id_fkey FOREIGN KEY (company_id, replaced_by_equipment_id) REFERENCES public.equipment(company_id, id) ON DELETE SET NULL (replaced_by_equipment_id);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_service_plan_id_fkey FOREIGN KEY (company_id, service_plan_id) REFERENCES public.service_plans(company_id, id) ON DELETE SET NULL (service_plan_id);

ALTER TABLE ONLY public.equipment_tags
    ADD CONSTRAINT equipment_tags_equipment_id_fkey FOREIGN KEY (company_id, equipment_id) REFERENCES public.equipment(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.equipment_tags
    ADD CONSTRAINT equipment_tags_tag_id_fkey FOREIGN KEY (company_id, tag_id) REFERENCES public.tags(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.estimate_jobs
    ADD CONSTRAINT estimate_jobs_estimate_id_fkey FOREIGN KEY (company_id, estimate_id) REFERENCES public.estimates(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.estimate_jobs
    ADD CONSTRAINT estimate_jobs_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.estimate_line_items
    ADD CONSTRAINT estimate_line_items_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.estimate_line_items
    ADD CONSTRAINT estimate_line_items_estimate_id_fkey FOREIGN KEY (company_id, estimate_id) REFERENCES public.estimates(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.estimate_line_items
    ADD CONSTRAINT estimate_line_items_option_id_fkey FOREIGN KEY (company_id, estimate_id, option_id) REFERENCES public.estimate_options(company_id, estimate_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.estimate_line_items
    ADD CONSTRAINT estimate_line_items_price_book_item_id_fkey FOREIGN KEY (company_id, price_book_item_id) REFERENCES public.price_book_items(company_id, id) ON DELETE SET NULL (price_book_item_id);

ALTER TABLE ONLY public.estimate_options
    ADD CONSTRAINT estimate_options_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.estimate_options
    ADD CONSTRAINT estimate_options_estimate_id_fkey FOREIGN KEY (company_id, estimate_id) REFERENCES public.estimates(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.estimates
    ADD CONSTRAINT estimates_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.estimates
    ADD CONSTRAINT estimates_converted_to_invoice_id_fkey FOREIGN KEY (company_id, converted_to_invoice_id) REFERENCES public.invoices(company_id, id) ON DELETE SET NULL (converted_to_invoice_id);

ALTER TABLE ONLY public.estimates
    ADD CONSTRAINT estimates_converted_to_job_id_fkey FOREIGN KEY (company_id, converted_to_job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (converted_to_job_id);

ALTER TABLE ONLY public.estimates
    ADD CONSTRAINT estimates_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id);

ALTER TABLE ONLY public.estimates
    ADD CONSTRAINT estimates_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.estimates
    ADD CONSTRAINT estimates_property_id_fkey FOREIGN KEY (company_id, property_id) REFERENCES public.properties(company_id, id) ON DELETE SET NULL (property_id);

ALTER TABLE ONLY public.estimates
    ADD CONSTRAINT estimates_request_id_fkey FOREIGN KEY (company_id, request_id) REFERENCES public.requests(company_id, id) ON DELETE SET NULL (request_id);

ALTER TABLE ONLY public.estimates
    ADD CONSTRAINT estimates_selected_option_id_fkey FOREIGN KEY (company_id, id, selected_option_id) REFERENCES public.estimate_options(company_id, estimate_id, id) ON DELETE SET NULL (selected_option_id);

ALTER TABLE ONLY public.file_storage
    ADD CONSTRAINT file_storage_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.file_storage
    ADD CONSTRAINT file_storage_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.file_storage
    ADD CONSTRAINT file_storage_uploaded_by_fkey FOREIGN KEY (company_id, uploaded_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (uploaded_by);

ALTER TABLE ONLY public.form_submissions
    ADD CONSTRAINT form_submissions_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.form_submissions
    ADD CONSTRAINT form_submissions_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE SET NULL (customer_id);

ALTER TABLE ONLY public.form_submissions
    ADD CONSTRAINT form_submissions_equipment_id_fkey FOREIGN KEY (company_id, equipment_id) REFERENCES public.equipment(company_id, id) ON DELETE SET NULL (equipment_id);

ALTER TABLE ONLY public.form_submissions
    ADD CONSTRAINT form_submissions_form_template_id_fkey FOREIGN KEY (company_id, form_template_id) REFERENCES public.form_templates(company_id, id);

ALTER TABLE ONLY public.form_submissions
    ADD CONSTRAINT form_submissions_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.form_templates
    ADD CONSTRAINT form_templates_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.import_runs
    ADD CONSTRAINT import_runs_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.inventory
    ADD CONSTRAINT inventory_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.inventory
    ADD CONSTRAINT inventory_last_restock_purchase_order_id_fkey FOREIGN KEY (company_id, last_restock_purchase_order_id) REFERENCES public.purchase_orders(company_id, id) ON DELETE SET NULL (last_restock_purchase_order_id);

ALTER TABLE ONLY public.inventory
    ADD CONSTRAINT inventory_last_used_job_id_fkey FOREIGN KEY (company_id, last_used_job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (last_used_job_id);

ALTER TABLE ONLY public.inventory
    ADD CONSTRAINT inventory_location_id_fkey FOREIGN KEY (company_id, location_id) REFERENCES public.inventory_locations(company_id, id) ON DELETE SET NULL (location_id);

ALTER TABLE ONLY public.inventory_locations
    ADD CONSTRAINT inventory_locations_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.inventory_locations
    ADD CONSTRAINT inventory_locations_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (user_id);

ALTER TABLE ONLY public.inventory
    ADD CONSTRAINT inventory_price_book_item_id_fkey FOREIGN KEY (company_id, price_book_item_id) REFERENCES public.price_book_items(company_id, id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_department_id_fkey FOREIGN KEY (company_id, department_id) REFERENCES public.departments(company_id, id) ON DELETE SET NULL (department_id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_role_id_fkey FOREIGN KEY (company_id, role_id) REFERENCES public.custom_roles(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.invoice_jobs
    ADD CONSTRAINT invoice_jobs_invoice_id_fkey FOREIGN KEY (company_id, invoice_id) REFERENCES public.invoices(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.invoice_jobs
    ADD CONSTRAINT invoice_jobs_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.invoice_line_items
    ADD CONSTRAINT invoice_line_items_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.invoice_line_items
    ADD CONSTRAINT invoice_line_items_estimate_line_item_id_fkey FOREIGN KEY (company_id, estimate_line_item_id) REFERENCES public.estimate_line_items(company_id, id) ON DELETE SET NULL (estimate_line_item_id);

ALTER TABLE ONLY public.invoice_line_items
    ADD CONSTRAINT invoice_line_items_invoice_id_fkey FOREIGN KEY (company_id, invoice_id) REFERENCES public.invoices(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.invoice_line_items
    ADD CONSTRAINT invoice_line_items_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.invoice_line_items
    ADD CONSTRAINT invoice_line_items_price_book_item_id_fkey FOREIGN KEY (company_id, price_book_item_id) REFERENCES public.price_book_items(company_id, id) ON DELETE SET NULL (price_book_item_id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_estimate_id_fkey FOREIGN KEY (company_id, estimate_id) REFERENCES public.estimates(company_id, id) ON DELETE SET NULL (estimate_id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_property_id_fkey FOREIGN KEY (company_id, property_id) REFERENCES public.properties(company_id, id) ON DELETE SET NULL (property_id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_recurring_invoice_id_fkey FOREIGN KEY (company_id, recurring_invoice_id) REFERENCES public.invoices(company_id, id) ON DELETE SET NULL (recurring_invoice_id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_service_plan_id_fkey FOREIGN KEY (company_id, service_plan_id) REFERENCES public.service_plans(company_id, id) ON DELETE SET NULL (service_plan_id);

ALTER TABLE ONLY public.job_equipment
    ADD CONSTRAINT job_equipment_equipment_id_fkey FOREIGN KEY (company_id, equipment_id) REFERENCES public.equipment(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.job_equipment
    ADD CONSTRAINT job_equipment_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.job_tags
    ADD CONSTRAINT job_tags_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.job_tags
    ADD CONSTRAINT job_tags_tag_id_fkey FOREIGN KEY (company_id, tag_id) REFERENCES public.tags(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.job_team_assignments
    ADD CONSTRAINT job_team_assignments_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.job_team_assignments
    ADD CONSTRAINT job_team_assignments_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.job_team_assignments
    ADD CONSTRAINT job_team_assignments_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_assigned_to_fkey FOREIGN KEY (company_id, assigned_to) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (assigned_to);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE SET NULL (customer_id);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_property_id_fkey FOREIGN KEY (company_id, property_id) REFERENCES public.properties(company_id, id) ON DELETE SET NULL (property_id);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_referral_customer_id_fkey FOREIGN KEY (company_id, referral_customer_id) REFERENCES public.customers(company_id, id) ON DELETE SET NULL (referral_customer_id);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_service_plan_id_fkey FOREIGN KEY (company_id, service_plan_id) REFERENCES public.service_plans(company_id, id) ON DELETE SET NULL (service_plan_id);

ALTER TABLE ONLY public.labor_rates
    ADD CONSTRAINT labor_rates_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.member_skills
    ADD CONSTRAINT member_skills_skill_id_fkey FOREIGN KEY (company_id, skill_id) REFERENCES public.skills(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.member_skills
    ADD CONSTRAINT member_skills_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.member_zones
    ADD CONSTRAINT member_zones_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.member_zones
    ADD CONSTRAINT member_zones_zone_id_fkey FOREIGN KEY (company_id, zone_id) REFERENCES public.zones(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.messages_v2
    ADD CONSTRAINT messages_v2_chat_id_fkey FOREIGN KEY (company_id, chat_id) REFERENCES public.chats(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.messages_v2
    ADD CONSTRAINT messages_v2_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.messages_v2
    ADD CONSTRAINT messages_v2_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notes
    ADD CONSTRAINT notes_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notes
    ADD CONSTRAINT notes_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notification_preferences
    ADD CONSTRAINT notification_preferences_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notification_preferences
    ADD CONSTRAINT notification_preferences_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notification_queue
    ADD CONSTRAINT notification_queue_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notification_queue
    ADD CONSTRAINT notification_queue_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notification_templates
    ADD CONSTRAINT notification_templates_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.payment_allocations
    ADD CONSTRAINT payment_allocations_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.payment_allocations
    ADD CONSTRAINT payment_allocations_invoice_id_fkey FOREIGN KEY (company_id, invoice_id) REFERENCES public.invoices(company_id, id);

ALTER TABLE ONLY public.payment_allocations
    ADD CONSTRAINT payment_allocations_payment_id_fkey FOREIGN KEY (company_id, payment_id) REFERENCES public.payments(company_id, id);

ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_approved_by_fkey FOREIGN KEY (company_id, approved_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (approved_by);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_invoice_id_fkey FOREIGN KEY (company_id, invoice_id) REFERENCES public.invoices(company_id, id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_original_payment_id_fkey FOREIGN KEY (company_id, original_payment_id) REFERENCES public.payments(company_id, id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_payment_method_id_fkey FOREIGN KEY (company_id, payment_method_id) REFERENCES public.payment_methods(company_id, id) ON DELETE SET NULL (payment_method_id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_processed_by_fkey FOREIGN KEY (company_id, processed_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (processed_by);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_reconciled_by_fkey FOREIGN KEY (company_id, reconciled_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (reconciled_by);

ALTER TABLE ONLY public.po_settings
    ADD CONSTRAINT po_settings_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.posts
    ADD CONSTRAINT posts_author_id_fkey FOREIGN KEY (company_id, author_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.posts
    ADD CONSTRAINT posts_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.price_book_categories
    ADD CONSTRAINT price_book_categories_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.price_book_categories
    ADD CONSTRAINT price_book_categories_parent_id_fkey FOREIGN KEY (company_id, parent_id) REFERENCES public.price_book_categories(company_id, id);

ALTER TABLE ONLY public.price_book_items
    ADD CONSTRAINT price_book_items_category_id_fkey FOREIGN KEY (company_id, category_id) REFERENCES public.price_book_categories(company_id, id);

ALTER TABLE ONLY public.price_book_items
    ADD CONSTRAINT price_book_items_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.price_book_items
    ADD CONSTRAINT price_book_items_supplier_id_fkey FOREIGN KEY (company_id, supplier_id) REFERENCES public.supplier_integrations(company_id, id) ON DELETE SET NULL (supplier_id);

ALTER TABLE ONLY public.price_history
    ADD CONSTRAINT price_history_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.price_history
    ADD CONSTRAINT price_history_item_id_fkey FOREIGN KEY (company_id, item_id) REFERENCES public.price_book_items(company_id, id);

ALTER TABLE ONLY public.pricing_rules
    ADD CONSTRAINT pricing_rules_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.properties
    ADD CONSTRAINT properties_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.properties
    ADD CONSTRAINT properties_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE SET NULL (customer_id);

ALTER TABLE ONLY public.properties
    ADD CONSTRAINT properties_primary_contact_id_fkey FOREIGN KEY (company_id, primary_contact_id) REFERENCES public.customer_contacts(company_id, id) ON DELETE SET NULL (primary_contact_id);

ALTER TABLE ONLY public.public_links
    ADD CONSTRAINT public_links_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.public_links
    ADD CONSTRAINT public_links_contract_id_fkey FOREIGN KEY (company_id, contract_id) REFERENCES public.contracts(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.public_links
    ADD CONSTRAINT public_links_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.public_links
    ADD CONSTRAINT public_links_estimate_id_fkey FOREIGN KEY (company_id, estimate_id) REFERENCES public.estimates(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.public_links
    ADD CONSTRAINT public_links_invoice_id_fkey FOREIGN KEY (company_id, invoice_id) REFERENCES public.invoices(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.public_links
    ADD CONSTRAINT public_links_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.purchase_order_line_items
    ADD CONSTRAINT purchase_order_line_items_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.purchase_order_line_items
    ADD CONSTRAINT purchase_order_line_items_price_book_item_id_fkey FOREIGN KEY (company_id, price_book_item_id) REFERENCES public.price_book_items(company_id, id) ON DELETE SET NULL (price_book_item_id);

ALTER TABLE ONLY public.purchase_order_line_items
    ADD CONSTRAINT purchase_order_line_items_purchase_order_id_fkey FOREIGN KEY (company_id, purchase_order_id) REFERENCES public.purchase_orders(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_approved_by_fkey FOREIGN KEY (company_id, approved_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (approved_by);

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_estimate_id_fkey FOREIGN KEY (company_id, estimate_id) REFERENCES public.estimates(company_id, id) ON DELETE SET NULL (estimate_id);

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_invoice_id_fkey FOREIGN KEY (company_id, invoice_id) REFERENCES public.invoices(company_id, id) ON DELETE SET NULL (invoice_id);

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_requested_by_fkey FOREIGN KEY (company_id, requested_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (requested_by);

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_vendor_id_fkey FOREIGN KEY (company_id, vendor_id) REFERENCES public.vendors(company_id, id);

ALTER TABLE ONLY public.recurrences
    ADD CONSTRAINT recurrences_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.recurrences
    ADD CONSTRAINT recurrences_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.recurrences
    ADD CONSTRAINT recurrences_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.recurrences
    ADD CONSTRAINT recurrences_property_id_fkey FOREIGN KEY (company_id, property_id) REFERENCES public.properties(company_id, id) ON DELETE SET NULL (property_id);

ALTER TABLE ONLY public.recurrences
    ADD CONSTRAINT recurrences_service_plan_id_fkey FOREIGN KEY (company_id, service_plan_id) REFERENCES public.service_plans(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_assigned_to_fkey FOREIGN KEY (company_id, assigned_to) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (assigned_to);

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_converted_to_job_id_fkey FOREIGN KEY (company_id, converted_to_job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (converted_to_job_id);

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE SET NULL (customer_id);

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_property_id_fkey FOREIGN KEY (company_id, property_id) REFERENCES public.properties(company_id, id) ON DELETE SET NULL (property_id);

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_assigned_to_fkey FOREIGN KEY (company_id, assigned_to) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (assigned_to);

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_cancelled_by_fkey FOREIGN KEY (company_id, cancelled_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (cancelled_by);

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_completed_by_fkey FOREIGN KEY (company_id, completed_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (completed_by);

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_parent_schedule_id_fkey FOREIGN KEY (company_id, parent_schedule_id) REFERENCES public.schedules(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_property_id_fkey FOREIGN KEY (company_id, property_id) REFERENCES public.properties(company_id, id) ON DELETE SET NULL (property_id);

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_recurrence_id_fkey FOREIGN KEY (company_id, recurrence_id) REFERENCES public.recurrences(company_id, id) ON DELETE SET NULL (recurrence_id);

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_rescheduled_from_id_fkey FOREIGN KEY (company_id, rescheduled_from_id) REFERENCES public.schedules(company_id, id) ON DELETE SET NULL (rescheduled_from_id);

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_rescheduled_to_id_fkey FOREIGN KEY (company_id, rescheduled_to_id) REFERENCES public.schedules(company_id, id) ON DELETE SET NULL (rescheduled_to_id);

ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_service_plan_id_fkey FOREIGN KEY (company_id, service_plan_id) REFERENCES public.service_plans(company_id, id) ON DELETE SET NULL (service_plan_id);

ALTER TABLE ONLY public.service_packages
    ADD CONSTRAINT service_packages_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.service_packages
    ADD CONSTRAINT service_packages_price_book_item_id_fkey FOREIGN KEY (company_id, price_book_item_id) REFERENCES public.price_book_items(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.service_plans
    ADD CONSTRAINT service_plans_assigned_technician_fkey FOREIGN KEY (company_id, assigned_technician) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (assigned_technician);

ALTER TABLE ONLY public.service_plans
    ADD CONSTRAINT service_plans_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.service_plans
    ADD CONSTRAINT service_plans_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.service_plans
    ADD CONSTRAINT service_plans_property_id_fkey FOREIGN KEY (company_id, property_id) REFERENCES public.properties(company_id, id) ON DELETE SET NULL (property_id);

ALTER TABLE ONLY public.shifts
    ADD CONSTRAINT shifts_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.shifts
    ADD CONSTRAINT shifts_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.skills
    ADD CONSTRAINT skills_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.stock_moves
    ADD CONSTRAINT stock_moves_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.stock_moves
    ADD CONSTRAINT stock_moves_inventory_id_fkey FOREIGN KEY (company_id, inventory_id) REFERENCES public.inventory(company_id, id);

ALTER TABLE ONLY public.stock_moves
    ADD CONSTRAINT stock_moves_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id);

ALTER TABLE ONLY public.stock_moves
    ADD CONSTRAINT stock_moves_location_id_fkey FOREIGN KEY (company_id, location_id) REFERENCES public.inventory_locations(company_id, id);

ALTER TABLE ONLY public.stock_moves
    ADD CONSTRAINT stock_moves_purchase_order_id_fkey FOREIGN KEY (company_id, purchase_order_id) REFERENCES public.purchase_orders(company_id, id);

ALTER TABLE ONLY public.stock_moves
    ADD CONSTRAINT stock_moves_reservation_id_fkey FOREIGN KEY (company_id, reservation_id) REFERENCES public.stock_reservations(company_id, id);

ALTER TABLE ONLY public.stock_moves
    ADD CONSTRAINT stock_moves_to_location_id_fkey FOREIGN KEY (company_id, to_location_id) REFERENCES public.inventory_locations(company_id, id);

ALTER TABLE ONLY public.stock_reservations
    ADD CONSTRAINT stock_reservations_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.stock_reservations
    ADD CONSTRAINT stock_reservations_inventory_id_fkey FOREIGN KEY (company_id, inventory_id) REFERENCES public.inventory(company_id, id);

ALTER TABLE ONLY public.stock_reservations
    ADD CONSTRAINT stock_reservations_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.streams
    ADD CONSTRAINT streams_chat_id_fkey FOREIGN KEY (company_id, chat_id) REFERENCES public.chats(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.streams
    ADD CONSTRAINT streams_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.streams
    ADD CONSTRAINT streams_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.suggestions
    ADD CONSTRAINT suggestions_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.suggestions
    ADD CONSTRAINT suggestions_document_id_fkey FOREIGN KEY (company_id, document_id) REFERENCES public.documents(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.suggestions
    ADD CONSTRAINT suggestions_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.supplier_integrations
    ADD CONSTRAINT supplier_integrations_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.supplier_integrations
    ADD CONSTRAINT supplier_integrations_vendor_id_fkey FOREIGN KEY (company_id, vendor_id) REFERENCES public.vendors(company_id, id) ON DELETE SET NULL (vendor_id);

ALTER TABLE ONLY public.suppressions
    ADD CONSTRAINT suppressions_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_department_id_fkey FOREIGN KEY (company_id, department_id) REFERENCES public.departments(company_id, id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_role_id_fkey FOREIGN KEY (company_id, role_id) REFERENCES public.custom_roles(company_id, id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.technician_positions
    ADD CONSTRAINT technician_positions_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.technician_positions
    ADD CONSTRAINT technician_positions_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.time_entries
    ADD CONSTRAINT time_entries_approved_by_fkey FOREIGN KEY (company_id, approved_by) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (approved_by);

ALTER TABLE ONLY public.time_entries
    ADD CONSTRAINT time_entries_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.time_entries
    ADD CONSTRAINT time_entries_job_id_fkey FOREIGN KEY (company_id, job_id) REFERENCES public.jobs(company_id, id) ON DELETE SET NULL (job_id);

ALTER TABLE ONLY public.time_entries
    ADD CONSTRAINT time_entries_schedule_id_fkey FOREIGN KEY (company_id, schedule_id) REFERENCES public.schedules(company_id, id) ON DELETE SET NULL (schedule_id);

ALTER TABLE ONLY public.time_entries
    ADD CONSTRAINT time_entries_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_id_fkey FOREIGN KEY (id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.vendors
    ADD CONSTRAINT vendors_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.verification_tokens
    ADD CONSTRAINT verification_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.votes_v2
    ADD CONSTRAINT votes_v2_chat_id_fkey FOREIGN KEY (company_id, chat_id) REFERENCES public.chats(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.votes_v2
    ADD CONSTRAINT votes_v2_message_id_fkey FOREIGN KEY (company_id, message_id) REFERENCES public.messages_v2(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.votes_v2
    ADD CONSTRAINT votes_v2_user_id_fkey FOREIGN KEY (company_id, user_id) REFERENCES public.team_members(company_id, user_id) ON DELETE CASCADE;

ALTER TABLE public.webhook_logs
    ADD CONSTRAINT webhook_logs_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE public.webhook_logs
    ADD CONSTRAINT webhook_logs_webhook_id_fkey FOREIGN KEY (company_id, webhook_id) REFERENCES public.webhooks(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.zones
    ADD CONSTRAINT zones_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

CREATE POLICY app_definer_all ON app.applied_code TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.applied_seeds TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.audit_batches TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.audit_seal TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.backfills TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.counters TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.figure_changes TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.figures TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.migrations TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.protected_tables TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.role_permissions TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.schema_fingerprints TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.statuses TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.applied_code TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.applied_seeds TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.audit_batches TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.audit_seal TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.backfills TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.counters TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.figure_changes TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.figures TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.migrations TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.protected_tables TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.role_permissions TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.schema_fingerprints TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.statuses TO app_owner USING (true) WITH CHECK (true);

ALTER TABLE app.applied_code ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.applied_seeds ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.audit_batches ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.audit_seal ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.backfills ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.counters ENABLE ROW LEVEL SECURITY;

CREATE POLICY declared_read ON app.protected_tables FOR SELECT TO anon, authenticated USING (true);

CREATE POLICY declared_read ON app.statuses FOR SELECT TO anon, authenticated USING (true);

ALTER TABLE app.figure_changes ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.figures ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.migrations ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.protected_tables ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.role_permissions ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.schema_fingerprints ENABLE ROW LEVEL SECURITY;

CREATE POLICY service_role_all ON app.applied_code TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.applied_seeds TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.audit_batches TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.audit_seal TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.backfills TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.counters TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.figure_changes TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.figures TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.migrations TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.protected_tables TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.role_permissions TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.schema_fingerprints TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.statuses TO service_role USING (true) WITH CHECK (true);

ALTER TABLE app.statuses ENABLE ROW LEVEL SECURITY;

CREATE POLICY app_definer_all ON auth.identities TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON auth.sessions TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON auth.users TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON auth.identities TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON auth.sessions TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON auth.users TO app_owner USING (true) WITH CHECK (true);

ALTER TABLE auth.identities ENABLE ROW LEVEL SECURITY;

CREATE POLICY service_role_all ON auth.identities TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON auth.sessions TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON auth.users TO service_role USING (true) WITH CHECK (true);

ALTER TABLE auth.sessions ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.absences ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.activities ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.api_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.api_rate_limits ENABLE ROW LEVEL SECURITY;

CREATE POLICY app_definer_all ON public.absences TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.activities TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.api_keys TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.api_rate_limits TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.attachments TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.audit_logs TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.background_jobs TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.bookings TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.chats TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.communications TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.companies TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.company_holidays TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.company_settings TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.contracts TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.credit_notes TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.custom_field_values TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.custom_fields TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.custom_roles TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.customer_addresses TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.customer_contacts TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.customer_reviews TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.customer_tags TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.customers TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.departments TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.documents TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.email_logs TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.equipment TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.equipment_tags TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.estimate_jobs TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.estimate_line_items TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.estimate_options TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.estimates TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.file_storage TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.form_submissions TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.form_templates TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.import_runs TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.inventory TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.inventory_locations TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.invitations TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.invoice_jobs TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.invoice_line_items TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.invoices TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.job_equipment TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.job_tags TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.job_team_assignments TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.jobs TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.jobs_archive TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.labor_rates TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.member_skills TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.member_zones TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.messages_v2 TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.notes TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.notification_preferences TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.notification_queue TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.notification_templates TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.ownership_transfers TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.payment_allocations TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.payment_methods TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.payments TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.po_settings TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.posts TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.price_book_categories TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.price_book_items TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.price_history TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.pricing_rules TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.properties TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.public_links TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.purchase_order_line_items TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.purchase_orders TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.recurrences TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.requests TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.role_change_log TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.schedules TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.service_packages TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.service_plans TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.shifts TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.skills TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.stock_moves TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.stock_reservations TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.streams TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.suggestions TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.supplier_integrations TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.suppressions TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.tags TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.team_members TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.technician_positions TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.time_entries TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.users TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.vendors TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.verification_tokens TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.votes_v2 TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.webhook_logs TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.webhooks TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.zones TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.absences TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.activities TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.api_keys TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.api_rate_limits TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.attachments TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.audit_logs TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.background_jobs TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.bookings TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.chats TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.communications TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.companies TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.company_holidays TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.company_settings TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.contracts TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.credit_notes TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.custom_field_values TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.custom_fields TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.custom_roles TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.customer_addresses TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.customer_contacts TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.customer_reviews TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.customer_tags TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.customers TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.departments TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.documents TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.email_logs TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.equipment TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.equipment_tags TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.estimate_jobs TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.estimate_line_items TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.estimate_options TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.estimates TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.file_storage TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.form_submissions TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.form_templates TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.import_runs TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.inventory TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.inventory_locations TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.invitations TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.invoice_jobs TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.invoice_line_items TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.invoices TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.job_equipment TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.job_tags TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.job_team_assignments TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.jobs TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.jobs_archive TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.labor_rates TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.member_skills TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.member_zones TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.messages_v2 TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.notes TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.notification_preferences TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.notification_queue TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.notification_templates TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.ownership_transfers TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.payment_allocations TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.payment_methods TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.payments TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.po_settings TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.posts TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.price_book_categories TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.price_book_items TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.price_history TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.pricing_rules TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.properties TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.public_links TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.purchase_order_line_items TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.purchase_orders TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.recurrences TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.requests TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.role_change_log TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.schedules TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.service_packages TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.service_plans TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.shifts TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.skills TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.stock_moves TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.stock_reservations TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.streams TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.suggestions TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.supplier_integrations TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.suppressions TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.tags TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.team_members TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.technician_positions TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.time_entries TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.users TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.vendors TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.verification_tokens TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.votes_v2 TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.webhook_logs TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.webhooks TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.zones TO app_owner USING (true) WITH CHECK (true);

ALTER TABLE public.attachments ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit_logs ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.background_jobs ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.bookings ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chats ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.communications ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.companies ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.company_holidays ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.company_settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.contracts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.credit_notes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.custom_field_values ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.custom_fields ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.custom_roles ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.customer_addresses ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.customer_contacts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.customer_reviews ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.customer_tags ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.customers ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.departments ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.documents ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.email_logs ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.equipment ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.equipment_tags ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.estimate_jobs ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.estimate_line_items ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.estimate_options ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.estimates ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.file_storage ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.form_submissions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.form_templates ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.import_runs ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.inventory ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.inventory_locations ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.invitations ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.invoice_jobs ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.invoice_line_items ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.invoices ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.job_equipment ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.job_tags ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.job_team_assignments ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.jobs ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.jobs_archive ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.labor_rates ENABLE ROW LEVEL SECURITY;

CREATE POLICY member_create ON public.absences FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('absences:create'::text) AS has_permission) OR (( SELECT app.has_permission('absences:create_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.api_keys FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('api_keys:create'::text) AS has_permission));

CREATE POLICY member_create ON public.attachments FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('files:create'::text) AS has_permission) OR (( SELECT app.has_permission('files:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = attachments.company_id) AND (parent.id = attachments.job_id))))) OR (( SELECT app.has_permission('files:create_own'::text) AS has_permission) AND (uploaded_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.chats FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('chats:create'::text) AS has_permission) OR (( SELECT app.has_permission('chats:create_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.communications FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('communications:create'::text) AS has_permission) OR (( SELECT app.has_permission('communications:create_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = communications.company_id) AND (parent.id = communications.job_id))))))));

CREATE POLICY member_create ON public.company_holidays FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('company_settings:create'::text) AS has_permission));

CREATE POLICY member_create ON public.company_settings FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('company_settings:create'::text) AS has_permission));

CREATE POLICY member_create ON public.contracts FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('contracts:create'::text) AS has_permission) OR (( SELECT app.has_permission('contracts:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = contracts.company_id) AND (parent.id = contracts.job_id)))))));

CREATE POLICY member_create ON public.credit_notes FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('credit_notes:create'::text) AS has_permission));

CREATE POLICY member_create ON public.custom_field_values FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('custom_field_values:create'::text) AS has_permission));

CREATE POLICY member_create ON public.custom_fields FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('custom_fields:create'::text) AS has_permission));

CREATE POLICY member_create ON public.custom_roles FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('roles:create'::text) AS has_permission));

CREATE POLICY member_create ON public.customer_addresses FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('customer_details:create'::text) AS has_permission));

CREATE POLICY member_create ON public.customer_contacts FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('customer_details:create'::text) AS has_permission));

CREATE POLICY member_create ON public.customer_reviews FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('reviews:create'::text) AS has_permission));

CREATE POLICY member_create ON public.customer_tags FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('customer_details:create'::text) AS has_permission));

CREATE POLICY member_create ON public.customers FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('customers:create'::text) AS has_permission));

CREATE POLICY member_create ON public.departments FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('departments:create'::text) AS has_permission));

CREATE POLICY member_create ON public.documents FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('chats:create'::text) AS has_permission) OR (( SELECT app.has_permission('chats:create_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.equipment FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('equipment:create'::text) AS has_permission));

CREATE POLICY member_create ON public.equipment_tags FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('customer_details:create'::text) AS has_permission));

CREATE POLICY member_create ON public.estimate_jobs FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('estimate_lines:create'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_jobs.company_id) AND (parent.id = estimate_jobs.estimate_id)))))));

CREATE POLICY member_create ON public.estimate_line_items FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('estimate_lines:create'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_line_items.company_id) AND (parent.id = estimate_line_items.estimate_id)))))));

CREATE POLICY member_create ON public.estimate_options FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('estimate_lines:create'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_options.company_id) AND (parent.id = estimate_options.estimate_id)))))));

CREATE POLICY member_create ON public.estimates FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('estimates:create'::text) AS has_permission) OR (( SELECT app.has_permission('estimates:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = estimates.company_id) AND (parent.id = estimates.job_id)))))));

CREATE POLICY member_create ON public.file_storage FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('files:create'::text) AS has_permission) OR (( SELECT app.has_permission('files:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = file_storage.company_id) AND (parent.id = file_storage.job_id))))) OR (( SELECT app.has_permission('files:create_own'::text) AS has_permission) AND (uploaded_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.form_submissions FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('form_submissions:create'::text) AS has_permission) OR (( SELECT app.has_permission('form_submissions:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = form_submissions.company_id) AND (parent.id = form_submissions.job_id)))))));

CREATE POLICY member_create ON public.form_templates FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('form_templates:create'::text) AS has_permission));

CREATE POLICY member_create ON public.import_runs FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('imports:create'::text) AS has_permission));

CREATE POLICY member_create ON public.inventory FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('inventory:create'::text) AS has_permission));

CREATE POLICY member_create ON public.inventory_locations FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('inventory:create'::text) AS has_permission));

CREATE POLICY member_create ON public.invoice_jobs FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('invoice_lines:create'::text) AS has_permission) OR (( SELECT app.has_permission('invoice_lines:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.invoices parent
  WHERE ((parent.company_id = invoice_jobs.company_id) AND (parent.id = invoice_jobs.invoice_id)))))));

CREATE POLICY member_create ON public.invoice_line_items FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('invoice_lines:create'::text) AS has_permission) OR (( SELECT app.has_permission('invoice_lines:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.invoices parent
  WHERE ((parent.company_id = invoice_line_items.company_id) AND (parent.id = invoice_line_items.invoice_id)))))));

CREATE POLICY member_create ON public.invoices FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('invoices:create'::text) AS has_permission) OR (( SELECT app.has_permission('invoices:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = invoices.company_id) AND (parent.id = invoices.job_id)))))));

CREATE POLICY member_create ON public.job_equipment FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('job_details:create'::text) AS has_permission) OR (( SELECT app.has_permission('job_details:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_equipment.company_id) AND (parent.id = job_equipment.job_id)))))));

CREATE POLICY member_create ON public.job_tags FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('job_details:create'::text) AS has_permission) OR (( SELECT app.has_permission('job_details:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_tags.company_id) AND (parent.id = job_tags.job_id)))))));

CREATE POLICY member_create ON public.job_team_assignments FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('job_teams:create'::text) AS has_permission) OR (( SELECT app.has_permission('job_teams:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_team_assignments.company_id) AND (parent.id = job_team_assignments.job_id)))))));

CREATE POLICY member_create ON public.jobs FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('jobs:create'::text) AS has_permission) OR (( SELECT app.has_permission('jobs:create_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (( SELECT auth.uid() AS uid) = ANY (crew))))));

CREATE POLICY member_create ON public.labor_rates FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('labor_rates:create'::text) AS has_permission));

CREATE POLICY member_create ON public.member_skills FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('team_setup:create'::text) AS has_permission));

CREATE POLICY member_create ON public.member_zones FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('team_setup:create'::text) AS has_permission));

CREATE POLICY member_create ON public.messages_v2 FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('chats:create'::text) AS has_permission) OR (( SELECT app.has_permission('chats:create_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.notes FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('notes:create'::text) AS has_permission) OR (( SELECT app.has_permission('notes:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = notes.company_id) AND (parent.id = notes.job_id))))) OR (( SELECT app.has_permission('notes:create_own'::text) AS has_permission) AND (created_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.notification_preferences FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('notification_preferences:create'::text) AS has_permission) OR (( SELECT app.has_permission('notification_preferences:create_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.notification_templates FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('notification_templates:create'::text) AS has_permission));

CREATE POLICY member_create ON public.payment_allocations FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('payment_allocations:create'::text) AS has_permission));

CREATE POLICY member_create ON public.payment_methods FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('payment_methods:create'::text) AS has_permission));

CREATE POLICY member_create ON public.payments FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('payments:create'::text) AS has_permission) OR (( SELECT app.has_permission('payments:create_own'::text) AS has_permission) AND (created_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.po_settings FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('po_settings:create'::text) AS has_permission));

CREATE POLICY member_create ON public.posts FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('posts:create'::text) AS has_permission));

CREATE POLICY member_create ON public.price_book_categories FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('price_book:create'::text) AS has_permission));

CREATE POLICY member_create ON public.price_book_items FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('price_book:create'::text) AS has_permission));

CREATE POLICY member_create ON public.pricing_rules FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('price_book:create'::text) AS has_permission));

CREATE POLICY member_create ON public.properties FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('properties:create'::text) AS has_permission));

CREATE POLICY member_create ON public.public_links FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('public_links:create'::text) AS has_permission));

CREATE POLICY member_create ON public.purchase_order_line_items FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('purchase_order_lines:create'::text) AS has_permission));

CREATE POLICY member_create ON public.purchase_orders FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('purchase_orders:create'::text) AS has_permission));

CREATE POLICY member_create ON public.recurrences FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('schedules:create'::text) AS has_permission) OR (( SELECT app.has_permission('schedules:create_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = recurrences.company_id) AND (parent.id = recurrences.job_id)))))));

CREATE POLICY member_create ON public.requests FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('requests:create'::text) AS has_permission));

CREATE POLICY member_create ON public.schedules FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('schedules:create'::text) AS has_permission) OR (( SELECT app.has_permission('schedules:create_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (( SELECT auth.uid() AS uid) = ANY (crew))))));

CREATE POLICY member_create ON public.service_packages FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('price_book:create'::text) AS has_permission));

CREATE POLICY member_create ON public.service_plans FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('service_plans:create'::text) AS has_permission));

CREATE POLICY member_create ON public.shifts FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('shifts:create'::text) AS has_permission));

CREATE POLICY member_create ON public.skills FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('team_setup:create'::text) AS has_permission));

CREATE POLICY member_create ON public.streams FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('chats:create'::text) AS has_permission) OR (( SELECT app.has_permission('chats:create_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.suggestions FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('chats:create'::text) AS has_permission) OR (( SELECT app.has_permission('chats:create_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.supplier_integrations FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('supplier_integrations:create'::text) AS has_permission));

CREATE POLICY member_create ON public.suppressions FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('suppressions:create'::text) AS has_permission));

CREATE POLICY member_create ON public.tags FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('tags:create'::text) AS has_permission));

CREATE POLICY member_create ON public.technician_positions FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('positions:create'::text) AS has_permission) OR (( SELECT app.has_permission('positions:create_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.time_entries FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('time_entries:create'::text) AS has_permission) OR (( SELECT app.has_permission('time_entries:create_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.vendors FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('vendors:create'::text) AS has_permission));

CREATE POLICY member_create ON public.votes_v2 FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('chats:create'::text) AS has_permission) OR (( SELECT app.has_permission('chats:create_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.webhooks FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('webhooks:create'::text) AS has_permission));

CREATE POLICY member_create ON public.zones FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('team_setup:create'::text) AS has_permission));

CREATE POLICY member_delete ON public.absences FOR DELETE TO authenticated USING ((( SELECT app.has_permission('absences:delete'::text) AS has_permission) OR (( SELECT app.has_permission('absences:delete_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.api_keys FOR DELETE TO authenticated USING (( SELECT app.has_permission('api_keys:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.attachments FOR DELETE TO authenticated USING ((( SELECT app.has_permission('files:delete'::text) AS has_permission) OR (( SELECT app.has_permission('files:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = attachments.company_id) AND (parent.id = attachments.job_id))))) OR (( SELECT app.has_permission('files:delete_own'::text) AS has_permission) AND (uploaded_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.chats FOR DELETE TO authenticated USING ((( SELECT app.has_permission('chats:delete'::text) AS has_permission) OR (( SELECT app.has_permission('chats:delete_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.communications FOR DELETE TO authenticated USING ((( SELECT app.has_permission('communications:delete'::text) AS has_permission) OR (( SELECT app.has_permission('communications:delete_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = communications.company_id) AND (parent.id = communications.job_id))))))));

CREATE POLICY member_delete ON public.company_holidays FOR DELETE TO authenticated USING (( SELECT app.has_permission('company_settings:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.contracts FOR DELETE TO authenticated USING ((( SELECT app.has_permission('contracts:delete'::text) AS has_permission) OR (( SELECT app.has_permission('contracts:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = contracts.company_id) AND (parent.id = contracts.job_id)))))));

CREATE POLICY member_delete ON public.custom_field_values FOR DELETE TO authenticated USING (( SELECT app.has_permission('custom_field_values:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.custom_fields FOR DELETE TO authenticated USING (( SELECT app.has_permission('custom_fields:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.custom_roles FOR DELETE TO authenticated USING (( SELECT app.has_permission('roles:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.customer_addresses FOR DELETE TO authenticated USING (( SELECT app.has_permission('customer_details:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.customer_contacts FOR DELETE TO authenticated USING (( SELECT app.has_permission('customer_details:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.customer_reviews FOR DELETE TO authenticated USING (( SELECT app.has_permission('reviews:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.customer_tags FOR DELETE TO authenticated USING (( SELECT app.has_permission('customer_details:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.customers FOR DELETE TO authenticated USING (( SELECT app.has_permission('customers:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.departments FOR DELETE TO authenticated USING (( SELECT app.has_permission('departments:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.documents FOR DELETE TO authenticated USING ((( SELECT app.has_permission('chats:delete'::text) AS has_permission) OR (( SELECT app.has_permission('chats:delete_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.equipment FOR DELETE TO authenticated USING (( SELECT app.has_permission('equipment:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.equipment_tags FOR DELETE TO authenticated USING (( SELECT app.has_permission('customer_details:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.estimate_jobs FOR DELETE TO authenticated USING ((( SELECT app.has_permission('estimate_lines:delete'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_jobs.company_id) AND (parent.id = estimate_jobs.estimate_id)))))));

CREATE POLICY member_delete ON public.estimate_line_items FOR DELETE TO authenticated USING ((( SELECT app.has_permission('estimate_lines:delete'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_line_items.company_id) AND (parent.id = estimate_line_items.estimate_id)))))));

CREATE POLICY member_delete ON public.estimate_options FOR DELETE TO authenticated USING ((( SELECT app.has_permission('estimate_lines:delete'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_options.company_id) AND (parent.id = estimate_options.estimate_id)))))));

CREATE POLICY member_delete ON public.estimates FOR DELETE TO authenticated USING ((( SELECT app.has_permission('estimates:delete'::text) AS has_permission) OR (( SELECT app.has_permission('estimates:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = estimates.company_id) AND (parent.id = estimates.job_id)))))));

CREATE POLICY member_delete ON public.file_storage FOR DELETE TO authenticated USING ((( SELECT app.has_permission('files:delete'::text) AS has_permission) OR (( SELECT app.has_permission('files:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = file_storage.company_id) AND (parent.id = file_storage.job_id))))) OR (( SELECT app.has_permission('files:delete_own'::text) AS has_permission) AND (uploaded_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.form_submissions FOR DELETE TO authenticated USING ((( SELECT app.has_permission('form_submissions:delete'::text) AS has_permission) OR (( SELECT app.has_permission('form_submissions:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = form_submissions.company_id) AND (parent.id = form_submissions.job_id)))))));

CREATE POLICY member_delete ON public.form_templates FOR DELETE TO authenticated USING (( SELECT app.has_permission('form_templates:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.inventory FOR DELETE TO authenticated USING (( SELECT app.has_permission('inventory:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.inventory_locations FOR DELETE TO authenticated USING (( SELECT app.has_permission('inventory:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.invitations FOR DELETE TO authenticated USING (( SELECT app.has_permission('invitations:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.invoice_jobs FOR DELETE TO authenticated USING ((( SELECT app.has_permission('invoice_lines:delete'::text) AS has_permission) OR (( SELECT app.has_permission('invoice_lines:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.invoices parent
  WHERE ((parent.company_id = invoice_jobs.company_id) AND (parent.id = invoice_jobs.invoice_id)))))));

CREATE POLICY member_delete ON public.invoice_line_items FOR DELETE TO authenticated USING ((( SELECT app.has_permission('invoice_lines:delete'::text) AS has_permission) OR (( SELECT app.has_permission('invoice_lines:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.invoices parent
  WHERE ((parent.company_id = invoice_line_items.company_id) AND (parent.id = invoice_line_items.invoice_id)))))));

CREATE POLICY member_delete ON public.invoices FOR DELETE TO authenticated USING ((( SELECT app.has_permission('invoices:delete'::text) AS has_permission) OR (( SELECT app.has_permission('invoices:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = invoices.company_id) AND (parent.id = invoices.job_id)))))));

CREATE POLICY member_delete ON public.job_equipment FOR DELETE TO authenticated USING ((( SELECT app.has_permission('job_details:delete'::text) AS has_permission) OR (( SELECT app.has_permission('job_details:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_equipment.company_id) AND (parent.id = job_equipment.job_id)))))));

CREATE POLICY member_delete ON public.job_tags FOR DELETE TO authenticated USING ((( SELECT app.has_permission('job_details:delete'::text) AS has_permission) OR (( SELECT app.has_permission('job_details:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_tags.company_id) AND (parent.id = job_tags.job_id)))))));

CREATE POLICY member_delete ON public.job_team_assignments FOR DELETE TO authenticated USING ((( SELECT app.has_permission('job_teams:delete'::text) AS has_permission) OR (( SELECT app.has_permission('job_teams:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_team_assignments.company_id) AND (parent.id = job_team_assignments.job_id)))))));

CREATE POLICY member_delete ON public.jobs FOR DELETE TO authenticated USING ((( SELECT app.has_permission('jobs:delete'::text) AS has_permission) OR (( SELECT app.has_permission('jobs:delete_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (( SELECT auth.uid() AS uid) = ANY (crew))))));

CREATE POLICY member_delete ON public.labor_rates FOR DELETE TO authenticated USING (( SELECT app.has_permission('labor_rates:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.member_skills FOR DELETE TO authenticated USING (( SELECT app.has_permission('team_setup:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.member_zones FOR DELETE TO authenticated USING (( SELECT app.has_permission('team_setup:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.messages_v2 FOR DELETE TO authenticated USING ((( SELECT app.has_permission('chats:delete'::text) AS has_permission) OR (( SELECT app.has_permission('chats:delete_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.notes FOR DELETE TO authenticated USING ((( SELECT app.has_permission('notes:delete'::text) AS has_permission) OR (( SELECT app.has_permission('notes:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = notes.company_id) AND (parent.id = notes.job_id))))) OR (( SELECT app.has_permission('notes:delete_own'::text) AS has_permission) AND (created_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.notification_templates FOR DELETE TO authenticated USING (( SELECT app.has_permission('notification_templates:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.payment_methods FOR DELETE TO authenticated USING (( SELECT app.has_permission('payment_methods:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.payments FOR DELETE TO authenticated USING ((( SELECT app.has_permission('payments:delete'::text) AS has_permission) OR (( SELECT app.has_permission('payments:delete_own'::text) AS has_permission) AND (created_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.posts FOR DELETE TO authenticated USING (( SELECT app.has_permission('posts:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.price_book_categories FOR DELETE TO authenticated USING (( SELECT app.has_permission('price_book:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.price_book_items FOR DELETE TO authenticated USING (( SELECT app.has_permission('price_book:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.pricing_rules FOR DELETE TO authenticated USING (( SELECT app.has_permission('price_book:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.properties FOR DELETE TO authenticated USING (( SELECT app.has_permission('properties:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.public_links FOR DELETE TO authenticated USING (( SELECT app.has_permission('public_links:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.purchase_order_line_items FOR DELETE TO authenticated USING (( SELECT app.has_permission('purchase_order_lines:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.purchase_orders FOR DELETE TO authenticated USING (( SELECT app.has_permission('purchase_orders:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.recurrences FOR DELETE TO authenticated USING ((( SELECT app.has_permission('schedules:delete'::text) AS has_permission) OR (( SELECT app.has_permission('schedules:delete_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = recurrences.company_id) AND (parent.id = recurrences.job_id)))))));

CREATE POLICY member_delete ON public.requests FOR DELETE TO authenticated USING (( SELECT app.has_permission('requests:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.schedules FOR DELETE TO authenticated USING ((( SELECT app.has_permission('schedules:delete'::text) AS has_permission) OR (( SELECT app.has_permission('schedules:delete_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (( SELECT auth.uid() AS uid) = ANY (crew))))));

CREATE POLICY member_delete ON public.service_packages FOR DELETE TO authenticated USING (( SELECT app.has_permission('price_book:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.service_plans FOR DELETE TO authenticated USING (( SELECT app.has_permission('service_plans:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.shifts FOR DELETE TO authenticated USING (( SELECT app.has_permission('shifts:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.skills FOR DELETE TO authenticated USING (( SELECT app.has_permission('team_setup:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.streams FOR DELETE TO authenticated USING ((( SELECT app.has_permission('chats:delete'::text) AS has_permission) OR (( SELECT app.has_permission('chats:delete_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.suggestions FOR DELETE TO authenticated USING ((( SELECT app.has_permission('chats:delete'::text) AS has_permission) OR (( SELECT app.has_permission('chats:delete_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.supplier_integrations FOR DELETE TO authenticated USING (( SELECT app.has_permission('supplier_integrations:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.suppressions FOR DELETE TO authenticated USING (( SELECT app.has_permission('suppressions:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.tags FOR DELETE TO authenticated USING (( SELECT app.has_permission('tags:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.team_members FOR DELETE TO authenticated USING (( SELECT app.has_permission('members:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.time_entries FOR DELETE TO authenticated USING ((( SELECT app.has_permission('time_entries:delete'::text) AS has_permission) OR (( SELECT app.has_permission('time_entries:delete_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.vendors FOR DELETE TO authenticated USING (( SELECT app.has_permission('vendors:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.votes_v2 FOR DELETE TO authenticated USING ((( SELECT app.has_permission('chats:delete'::text) AS has_permission) OR (( SELECT app.has_permission('chats:delete_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.webhooks FOR DELETE TO authenticated USING (( SELECT app.has_permission('webhooks:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.zones FOR DELETE TO authenticated USING (( SELECT app.has_permission('team_setup:delete'::text) AS has_permission));

CREATE POLICY member_read ON public.absences FOR SELECT TO authenticated USING ((( SELECT app.has_permission('absences:read'::text) AS has_permission) OR (( SELECT app.has_permission('absences:read_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.activities FOR SELECT TO authenticated USING ((( SELECT app.has_permission('activities:read'::text) AS has_permission) OR (( SELECT app.has_permission('activities:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = activities.company_id) AND (parent.id = activities.job_id)))))));

CREATE POLICY member_read ON public.api_keys FOR SELECT TO authenticated USING (( SELECT app.has_permission('api_keys:read'::text) AS has_permission));

CREATE POLICY member_read ON public.attachments FOR SELECT TO authenticated USING ((( SELECT app.has_permission('files:read'::text) AS has_permission) OR (( SELECT app.has_permission('files:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = attachments.company_id) AND (parent.id = attachments.job_id))))) OR (( SELECT app.has_permission('files:read_own'::text) AS has_permission) AND (uploaded_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.audit_logs FOR SELECT TO authenticated USING (( SELECT app.has_permission('audit_logs:read'::text) AS has_permission));

CREATE POLICY member_read ON public.background_jobs FOR SELECT TO authenticated USING (( SELECT app.has_permission('tasks:read'::text) AS has_permission));

CREATE POLICY member_read ON public.bookings FOR SELECT TO authenticated USING ((( SELECT app.has_permission('schedules:read'::text) AS has_permission) OR (( SELECT app.has_permission('schedules:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.schedules parent
  WHERE ((parent.company_id = bookings.company_id) AND (parent.id = bookings.schedule_id)))))));

CREATE POLICY member_read ON public.chats FOR SELECT TO authenticated USING ((( SELECT app.has_permission('chats:read'::text) AS has_permission) OR (( SELECT app.has_permission('chats:read_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.communications FOR SELECT TO authenticated USING ((( SELECT app.has_permission('communications:read'::text) AS has_permission) OR (( SELECT app.has_permission('communications:read_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = communications.company_id) AND (parent.id = communications.job_id))))))));

CREATE POLICY member_read ON public.companies FOR SELECT TO authenticated USING (( SELECT app.has_permission('companies:read'::text) AS has_permission));

CREATE POLICY member_read ON public.company_holidays FOR SELECT TO authenticated USING (( SELECT app.has_permission('company_settings:read'::text) AS has_permission));

CREATE POLICY member_read ON public.company_settings FOR SELECT TO authenticated USING (( SELECT app.has_permission('company_settings:read'::text) AS has_permission));

CREATE POLICY member_read ON public.contracts FOR SELECT TO authenticated USING ((( SELECT app.has_permission('contracts:read'::text) AS has_permission) OR (( SELECT app.has_permission('contracts:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = contracts.company_id) AND (parent.id = contracts.job_id)))))));

CREATE POLICY member_read ON public.credit_notes FOR SELECT TO authenticated USING (( SELECT app.has_permission('credit_notes:read'::text) AS has_permission));

CREATE POLICY member_read ON public.custom_field_values FOR SELECT TO authenticated USING (( SELECT app.has_permission('custom_field_values:read'::text) AS has_permission));

CREATE POLICY member_read ON public.custom_fields FOR SELECT TO authenticated USING (( SELECT app.has_permission('custom_fields:read'::text) AS has_permission));

CREATE POLICY member_read ON public.custom_roles FOR SELECT TO authenticated USING (( SELECT app.has_permission('roles:read'::text) AS has_permission));

CREATE POLICY member_read ON public.customer_addresses FOR SELECT TO authenticated USING (( SELECT app.has_permission('customer_details:read'::text) AS has_permission));

CREATE POLICY member_read ON public.customer_contacts FOR SELECT TO authenticated USING (( SELECT app.has_permission('customer_details:read'::text) AS has_permission));

CREATE POLICY member_read ON public.customer_reviews FOR SELECT TO authenticated USING (( SELECT app.has_permission('reviews:read'::text) AS has_permission));

CREATE POLICY member_read ON public.customer_tags FOR SELECT TO authenticated USING (( SELECT app.has_permission('customer_details:read'::text) AS has_permission));

CREATE POLICY member_read ON public.customers FOR SELECT TO authenticated USING (( SELECT app.has_permission('customers:read'::text) AS has_permission));

CREATE POLICY member_read ON public.departments FOR SELECT TO authenticated USING (( SELECT app.has_permission('departments:read'::text) AS has_permission));

CREATE POLICY member_read ON public.documents FOR SELECT TO authenticated USING ((( SELECT app.has_permission('chats:read'::text) AS has_permission) OR (( SELECT app.has_permission('chats:read_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.email_logs FOR SELECT TO authenticated USING (( SELECT app.has_permission('email_logs:read'::text) AS has_permission));

CREATE POLICY member_read ON public.equipment FOR SELECT TO authenticated USING (( SELECT app.has_permission('equipment:read'::text) AS has_permission));

CREATE POLICY member_read ON public.equipment_tags FOR SELECT TO authenticated USING (( SELECT app.has_permission('customer_details:read'::text) AS has_permission));

CREATE POLICY member_read ON public.estimate_jobs FOR SELECT TO authenticated USING ((( SELECT app.has_permission('estimate_lines:read'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_jobs.company_id) AND (parent.id = estimate_jobs.estimate_id)))))));

CREATE POLICY member_read ON public.estimate_line_items FOR SELECT TO authenticated USING ((( SELECT app.has_permission('estimate_lines:read'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_line_items.company_id) AND (parent.id = estimate_line_items.estimate_id)))))));

CREATE POLICY member_read ON public.estimate_options FOR SELECT TO authenticated USING ((( SELECT app.has_permission('estimate_lines:read'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_options.company_id) AND (parent.id = estimate_options.estimate_id)))))));

CREATE POLICY member_read ON public.estimates FOR SELECT TO authenticated USING ((( SELECT app.has_permission('estimates:read'::text) AS has_permission) OR (( SELECT app.has_permission('estimates:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = estimates.company_id) AND (parent.id = estimates.job_id)))))));

CREATE POLICY member_read ON public.file_storage FOR SELECT TO authenticated USING ((( SELECT app.has_permission('files:read'::text) AS has_permission) OR (( SELECT app.has_permission('files:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = file_storage.company_id) AND (parent.id = file_storage.job_id))))) OR (( SELECT app.has_permission('files:read_own'::text) AS has_permission) AND (uploaded_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.form_submissions FOR SELECT TO authenticated USING ((( SELECT app.has_permission('form_submissions:read'::text) AS has_permission) OR (( SELECT app.has_permission('form_submissions:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = form_submissions.company_id) AND (parent.id = form_submissions.job_id)))))));

CREATE POLICY member_read ON public.form_templates FOR SELECT TO authenticated USING (( SELECT app.has_permission('form_templates:read'::text) AS has_permission));

CREATE POLICY member_read ON public.import_runs FOR SELECT TO authenticated USING (( SELECT app.has_permission('imports:read'::text) AS has_permission));

CREATE POLICY member_read ON public.inventory FOR SELECT TO authenticated USING (( SELECT app.has_permission('inventory:read'::text) AS has_permission));

CREATE POLICY member_read ON public.inventory_locations FOR SELECT TO authenticated USING (( SELECT app.has_permission('inventory:read'::text) AS has_permission));

CREATE POLICY member_read ON public.invitations FOR SELECT TO authenticated USING (( SELECT app.has_permission('invitations:read'::text) AS has_permission));

CREATE POLICY member_read ON public.invoice_jobs FOR SELECT TO authenticated USING ((( SELECT app.has_permission('invoice_lines:read'::text) AS has_permission) OR (( SELECT app.has_permission('invoice_lines:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.invoices parent
  WHERE ((parent.company_id = invoice_jobs.company_id) AND (parent.id = invoice_jobs.invoice_id)))))));

CREATE POLICY member_read ON public.invoice_line_items FOR SELECT TO authenticated USING ((( SELECT app.has_permission('invoice_lines:read'::text) AS has_permission) OR (( SELECT app.has_permission('invoice_lines:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.invoices parent
  WHERE ((parent.company_id = invoice_line_items.company_id) AND (parent.id = invoice_line_items.invoice_id)))))));

CREATE POLICY member_read ON public.invoices FOR SELECT TO authenticated USING ((( SELECT app.has_permission('invoices:read'::text) AS has_permission) OR (( SELECT app.has_permission('invoices:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = invoices.company_id) AND (parent.id = invoices.job_id)))))));

CREATE POLICY member_read ON public.job_equipment FOR SELECT TO authenticated USING ((( SELECT app.has_permission('job_details:read'::text) AS has_permission) OR (( SELECT app.has_permission('job_details:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_equipment.company_id) AND (parent.id = job_equipment.job_id)))))));

CREATE POLICY member_read ON public.job_tags FOR SELECT TO authenticated USING ((( SELECT app.has_permission('job_details:read'::text) AS has_permission) OR (( SELECT app.has_permission('job_details:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_tags.company_id) AND (parent.id = job_tags.job_id)))))));

CREATE POLICY member_read ON public.job_team_assignments FOR SELECT TO authenticated USING ((( SELECT app.has_permission('job_teams:read'::text) AS has_permission) OR (( SELECT app.has_permission('job_teams:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_team_assignments.company_id) AND (parent.id = job_team_assignments.job_id)))))));

CREATE POLICY member_read ON public.jobs FOR SELECT TO authenticated USING ((( SELECT app.has_permission('jobs:read'::text) AS has_permission) OR (( SELECT app.has_permission('jobs:read_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (( SELECT auth.uid() AS uid) = ANY (crew))))));

CREATE POLICY member_read ON public.jobs_archive FOR SELECT TO authenticated USING ((( SELECT app.has_permission('jobs_archive:read'::text) AS has_permission) OR (( SELECT app.has_permission('jobs_archive:read_assigned'::text) AS has_permission) AND (assigned_to = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.labor_rates FOR SELECT TO authenticated USING (( SELECT app.has_permission('labor_rates:read'::text) AS has_permission));

CREATE POLICY member_read ON public.member_skills FOR SELECT TO authenticated USING (( SELECT app.has_permission('team_setup:read'::text) AS has_permission));

CREATE POLICY member_read ON public.member_zones FOR SELECT TO authenticated USING (( SELECT app.has_permission('team_setup:read'::text) AS has_permission));

CREATE POLICY member_read ON public.messages_v2 FOR SELECT TO authenticated USING ((( SELECT app.has_permission('chats:read'::text) AS has_permission) OR (( SELECT app.has_permission('chats:read_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.notes FOR SELECT TO authenticated USING ((( SELECT app.has_permission('notes:read'::text) AS has_permission) OR (( SELECT app.has_permission('notes:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = notes.company_id) AND (parent.id = notes.job_id))))) OR (( SELECT app.has_permission('notes:read_own'::text) AS has_permission) AND (created_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.notification_preferences FOR SELECT TO authenticated USING ((( SELECT app.has_permission('notification_preferences:read'::text) AS has_permission) OR (( SELECT app.has_permission('notification_preferences:read_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.notification_queue FOR SELECT TO authenticated USING ((( SELECT app.has_permission('notifications:read'::text) AS has_permission) OR (( SELECT app.has_permission('notifications:read_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.notification_templates FOR SELECT TO authenticated USING (( SELECT app.has_permission('notification_templates:read'::text) AS has_permission));

CREATE POLICY member_read ON public.ownership_transfers FOR SELECT TO authenticated USING (( SELECT app.has_permission('ownership_transfers:read'::text) AS has_permission));

CREATE POLICY member_read ON public.payment_allocations FOR SELECT TO authenticated USING (( SELECT app.has_permission('payment_allocations:read'::text) AS has_permission));

CREATE POLICY member_read ON public.payment_methods FOR SELECT TO authenticated USING (( SELECT app.has_permission('payment_methods:read'::text) AS has_permission));

CREATE POLICY member_read ON public.payments FOR SELECT TO authenticated USING ((( SELECT app.has_permission('payments:read'::text) AS has_permission) OR (( SELECT app.has_permission('payments:read_own'::text) AS has_permission) AND (created_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.po_settings FOR SELECT TO authenticated USING (( SELECT app.has_permission('po_settings:read'::text) AS has_permission));

CREATE POLICY member_read ON public.posts FOR SELECT TO authenticated USING (( SELECT app.has_permission('posts:read'::text) AS has_permission));

CREATE POLICY member_read ON public.price_book_categories FOR SELECT TO authenticated USING (( SELECT app.has_permission('price_book:read'::text) AS has_permission));

CREATE POLICY member_read ON public.price_book_items FOR SELECT TO authenticated USING (( SELECT app.has_permission('price_book:read'::text) AS has_permission));

CREATE POLICY member_read ON public.price_history FOR SELECT TO authenticated USING (( SELECT app.has_permission('price_history:read'::text) AS has_permission));

CREATE POLICY member_read ON public.pricing_rules FOR SELECT TO authenticated USING (( SELECT app.has_permission('price_book:read'::text) AS has_permission));

CREATE POLICY member_read ON public.properties FOR SELECT TO authenticated USING (( SELECT app.has_permission('properties:read'::text) AS has_permission));

CREATE POLICY member_read ON public.public_links FOR SELECT TO authenticated USING (( SELECT app.has_permission('public_links:read'::text) AS has_permission));

CREATE POLICY member_read ON public.purchase_order_line_items FOR SELECT TO authenticated USING (( SELECT app.has_permission('purchase_order_lines:read'::text) AS has_permission));

CREATE POLICY member_read ON public.purchase_orders FOR SELECT TO authenticated USING (( SELECT app.has_permission('purchase_orders:read'::text) AS has_permission));

CREATE POLICY member_read ON public.recurrences FOR SELECT TO authenticated USING ((( SELECT app.has_permission('schedules:read'::text) AS has_permission) OR (( SELECT app.has_permission('schedules:read_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = recurrences.company_id) AND (parent.id = recurrences.job_id)))))));

CREATE POLICY member_read ON public.requests FOR SELECT TO authenticated USING (( SELECT app.has_permission('requests:read'::text) AS has_permission));

CREATE POLICY member_read ON public.role_change_log FOR SELECT TO authenticated USING (( SELECT app.has_permission('role_changes:read'::text) AS has_permission));

CREATE POLICY member_read ON public.schedules FOR SELECT TO authenticated USING ((( SELECT app.has_permission('schedules:read'::text) AS has_permission) OR (( SELECT app.has_permission('schedules:read_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (( SELECT auth.uid() AS uid) = ANY (crew))))));

CREATE POLICY member_read ON public.service_packages FOR SELECT TO authenticated USING (( SELECT app.has_permission('price_book:read'::text) AS has_permission));

CREATE POLICY member_read ON public.service_plans FOR SELECT TO authenticated USING (( SELECT app.has_permission('service_plans:read'::text) AS has_permission));

CREATE POLICY member_read ON public.shifts FOR SELECT TO authenticated USING (( SELECT app.has_permission('shifts:read'::text) AS has_permission));

CREATE POLICY member_read ON public.skills FOR SELECT TO authenticated USING (( SELECT app.has_permission('team_setup:read'::text) AS has_permission));

CREATE POLICY member_read ON public.stock_moves FOR SELECT TO authenticated USING (( SELECT app.has_permission('stock_moves:read'::text) AS has_permission));

CREATE POLICY member_read ON public.stock_reservations FOR SELECT TO authenticated USING (( SELECT app.has_permission('stock_reservations:read'::text) AS has_permission));

CREATE POLICY member_read ON public.streams FOR SELECT TO authenticated USING ((( SELECT app.has_permission('chats:read'::text) AS has_permission) OR (( SELECT app.has_permission('chats:read_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.suggestions FOR SELECT TO authenticated USING ((( SELECT app.has_permission('chats:read'::text) AS has_permission) OR (( SELECT app.has_permission('chats:read_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.supplier_integrations FOR SELECT TO authenticated USING (( SELECT app.has_permission('supplier_integrations:read'::text) AS has_permission));

CREATE POLICY member_read ON public.suppressions FOR SELECT TO authenticated USING (( SELECT app.has_permission('suppressions:read'::text) AS has_permission));

CREATE POLICY member_read ON public.tags FOR SELECT TO authenticated USING (( SELECT app.has_permission('tags:read'::text) AS has_permission));

CREATE POLICY member_read ON public.team_members FOR SELECT TO authenticated USING (( SELECT app.has_permission('members:read'::text) AS has_permission));

CREATE POLICY member_read ON public.technician_positions FOR SELECT TO authenticated USING ((( SELECT app.has_permission('positions:read'::text) AS has_permission) OR (( SELECT app.has_permission('positions:read_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.time_entries FOR SELECT TO authenticated USING ((( SELECT app.has_permission('time_entries:read'::text) AS has_permission) OR (( SELECT app.has_permission('time_entries:read_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.vendors FOR SELECT TO authenticated USING (( SELECT app.has_permission('vendors:read'::text) AS has_permission));

CREATE POLICY member_read ON public.votes_v2 FOR SELECT TO authenticated USING ((( SELECT app.has_permission('chats:read'::text) AS has_permission) OR (( SELECT app.has_permission('chats:read_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.webhook_logs FOR SELECT TO authenticated USING (( SELECT app.has_permission('webhooks:read'::text) AS has_permission));

CREATE POLICY member_read ON public.webhooks FOR SELECT TO authenticated USING (( SELECT app.has_permission('webhooks:read'::text) AS has_permission));

CREATE POLICY member_read ON public.zones FOR SELECT TO authenticated USING (( SELECT app.has_permission('team_setup:read'::text) AS has_permission));

ALTER TABLE public.member_skills ENABLE ROW LEVEL SECURITY;

CREATE POLICY member_update ON public.absences FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('absences:update'::text) AS has_permission) OR (( SELECT app.has_permission('absences:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('absences:update'::text) AS has_permission) OR (( SELECT app.has_permission('absences:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.api_keys FOR UPDATE TO authenticated USING (( SELECT app.has_permission('api_keys:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('api_keys:update'::text) AS has_permission));

CREATE POLICY member_update ON public.attachments FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('files:update'::text) AS has_permission) OR (( SELECT app.has_permission('files:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = attachments.company_id) AND (parent.id = attachments.job_id))))) OR (( SELECT app.has_permission('files:update_own'::text) AS has_permission) AND (uploaded_by = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('files:update'::text) AS has_permission) OR (( SELECT app.has_permission('files:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = attachments.company_id) AND (parent.id = attachments.job_id))))) OR (( SELECT app.has_permission('files:update_own'::text) AS has_permission) AND (uploaded_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.chats FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.communications FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('communications:update'::text) AS has_permission) OR (( SELECT app.has_permission('communications:update_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = communications.company_id) AND (parent.id = communications.job_id)))))))) WITH CHECK ((( SELECT app.has_permission('communications:update'::text) AS has_permission) OR (( SELECT app.has_permission('communications:update_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = communications.company_id) AND (parent.id = communications.job_id))))))));

CREATE POLICY member_update ON public.companies FOR UPDATE TO authenticated USING (( SELECT app.has_permission('companies:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('companies:update'::text) AS has_permission));

CREATE POLICY member_update ON public.company_holidays FOR UPDATE TO authenticated USING (( SELECT app.has_permission('company_settings:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('company_settings:update'::text) AS has_permission));

CREATE POLICY member_update ON public.company_settings FOR UPDATE TO authenticated USING (( SELECT app.has_permission('company_settings:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('company_settings:update'::text) AS has_permission));

CREATE POLICY member_update ON public.contracts FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('contracts:update'::text) AS has_permission) OR (( SELECT app.has_permission('contracts:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = contracts.company_id) AND (parent.id = contracts.job_id))))))) WITH CHECK ((( SELECT app.has_permission('contracts:update'::text) AS has_permission) OR (( SELECT app.has_permission('contracts:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = contracts.company_id) AND (parent.id = contracts.job_id)))))));

CREATE POLICY member_update ON public.custom_field_values FOR UPDATE TO authenticated USING (( SELECT app.has_permission('custom_field_values:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('custom_field_values:update'::text) AS has_permission));

CREATE POLICY member_update ON public.custom_fields FOR UPDATE TO authenticated USING (( SELECT app.has_permission('custom_fields:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('custom_fields:update'::text) AS has_permission));

CREATE POLICY member_update ON public.custom_roles FOR UPDATE TO authenticated USING (( SELECT app.has_permission('roles:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('roles:update'::text) AS has_permission));

CREATE POLICY member_update ON public.customer_addresses FOR UPDATE TO authenticated USING (( SELECT app.has_permission('customer_details:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('customer_details:update'::text) AS has_permission));

CREATE POLICY member_update ON public.customer_contacts FOR UPDATE TO authenticated USING (( SELECT app.has_permission('customer_details:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('customer_details:update'::text) AS has_permission));

CREATE POLICY member_update ON public.customer_reviews FOR UPDATE TO authenticated USING (( SELECT app.has_permission('reviews:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('reviews:update'::text) AS has_permission));

CREATE POLICY member_update ON public.customer_tags FOR UPDATE TO authenticated USING (( SELECT app.has_permission('customer_details:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('customer_details:update'::text) AS has_permission));

CREATE POLICY member_update ON public.customers FOR UPDATE TO authenticated USING (( SELECT app.has_permission('customers:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('customers:update'::text) AS has_permission));

CREATE POLICY member_update ON public.departments FOR UPDATE TO authenticated USING (( SELECT app.has_permission('departments:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('departments:update'::text) AS has_permission));

CREATE POLICY member_update ON public.documents FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.equipment FOR UPDATE TO authenticated USING (( SELECT app.has_permission('equipment:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('equipment:update'::text) AS has_permission));

CREATE POLICY member_update ON public.equipment_tags FOR UPDATE TO authenticated USING (( SELECT app.has_permission('customer_details:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('customer_details:update'::text) AS has_permission));

CREATE POLICY member_update ON public.estimate_jobs FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('estimate_lines:update'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_jobs.company_id) AND (parent.id = estimate_jobs.estimate_id))))))) WITH CHECK ((( SELECT app.has_permission('estimate_lines:update'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_jobs.company_id) AND (parent.id = estimate_jobs.estimate_id)))))));

CREATE POLICY member_update ON public.estimate_line_items FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('estimate_lines:update'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_line_items.company_id) AND (parent.id = estimate_line_items.estimate_id))))))) WITH CHECK ((( SELECT app.has_permission('estimate_lines:update'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_line_items.company_id) AND (parent.id = estimate_line_items.estimate_id)))))));

CREATE POLICY member_update ON public.estimate_options FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('estimate_lines:update'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_options.company_id) AND (parent.id = estimate_options.estimate_id))))))) WITH CHECK ((( SELECT app.has_permission('estimate_lines:update'::text) AS has_permission) OR (( SELECT app.has_permission('estimate_lines:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.estimates parent
  WHERE ((parent.company_id = estimate_options.company_id) AND (parent.id = estimate_options.estimate_id)))))));

CREATE POLICY member_update ON public.estimates FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('estimates:update'::text) AS has_permission) OR (( SELECT app.has_permission('estimates:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = estimates.company_id) AND (parent.id = estimates.job_id))))))) WITH CHECK ((( SELECT app.has_permission('estimates:update'::text) AS has_permission) OR (( SELECT app.has_permission('estimates:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = estimates.company_id) AND (parent.id = estimates.job_id)))))));

CREATE POLICY member_update ON public.file_storage FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('files:update'::text) AS has_permission) OR (( SELECT app.has_permission('files:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = file_storage.company_id) AND (parent.id = file_storage.job_id))))) OR (( SELECT app.has_permission('files:update_own'::text) AS has_permission) AND (uploaded_by = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('files:update'::text) AS has_permission) OR (( SELECT app.has_permission('files:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = file_storage.company_id) AND (parent.id = file_storage.job_id))))) OR (( SELECT app.has_permission('files:update_own'::text) AS has_permission) AND (uploaded_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.form_submissions FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('form_submissions:update'::text) AS has_permission) OR (( SELECT app.has_permission('form_submissions:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = form_submissions.company_id) AND (parent.id = form_submissions.job_id))))))) WITH CHECK ((( SELECT app.has_permission('form_submissions:update'::text) AS has_permission) OR (( SELECT app.has_permission('form_submissions:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = form_submissions.company_id) AND (parent.id = form_submissions.job_id)))))));

CREATE POLICY member_update ON public.form_templates FOR UPDATE TO authenticated USING (( SELECT app.has_permission('form_templates:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('form_templates:update'::text) AS has_permission));

CREATE POLICY member_update ON public.import_runs FOR UPDATE TO authenticated USING (( SELECT app.has_permission('imports:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('imports:update'::text) AS has_permission));

CREATE POLICY member_update ON public.inventory FOR UPDATE TO authenticated USING (( SELECT app.has_permission('inventory:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('inventory:update'::text) AS has_permission));

CREATE POLICY member_update ON public.inventory_locations FOR UPDATE TO authenticated USING (( SELECT app.has_permission('inventory:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('inventory:update'::text) AS has_permission));

CREATE POLICY member_update ON public.invoice_jobs FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('invoice_lines:update'::text) AS has_permission) OR (( SELECT app.has_permission('invoice_lines:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.invoices parent
  WHERE ((parent.company_id = invoice_jobs.company_id) AND (parent.id = invoice_jobs.invoice_id))))))) WITH CHECK ((( SELECT app.has_permission('invoice_lines:update'::text) AS has_permission) OR (( SELECT app.has_permission('invoice_lines:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.invoices parent
  WHERE ((parent.company_id = invoice_jobs.company_id) AND (parent.id = invoice_jobs.invoice_id)))))));

CREATE POLICY member_update ON public.invoice_line_items FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('invoice_lines:update'::text) AS has_permission) OR (( SELECT app.has_permission('invoice_lines:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.invoices parent
  WHERE ((parent.company_id = invoice_line_items.company_id) AND (parent.id = invoice_line_items.invoice_id))))))) WITH CHECK ((( SELECT app.has_permission('invoice_lines:update'::text) AS has_permission) OR (( SELECT app.has_permission('invoice_lines:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.invoices parent
  WHERE ((parent.company_id = invoice_line_items.company_id) AND (parent.id = invoice_line_items.invoice_id)))))));

CREATE POLICY member_update ON public.invoices FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('invoices:update'::text) AS has_permission) OR (( SELECT app.has_permission('invoices:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = invoices.company_id) AND (parent.id = invoices.job_id))))))) WITH CHECK ((( SELECT app.has_permission('invoices:update'::text) AS has_permission) OR (( SELECT app.has_permission('invoices:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = invoices.company_id) AND (parent.id = invoices.job_id)))))));

CREATE POLICY member_update ON public.job_equipment FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('job_details:update'::text) AS has_permission) OR (( SELECT app.has_permission('job_details:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_equipment.company_id) AND (parent.id = job_equipment.job_id))))))) WITH CHECK ((( SELECT app.has_permission('job_details:update'::text) AS has_permission) OR (( SELECT app.has_permission('job_details:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_equipment.company_id) AND (parent.id = job_equipment.job_id)))))));

CREATE POLICY member_update ON public.job_tags FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('job_details:update'::text) AS has_permission) OR (( SELECT app.has_permission('job_details:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_tags.company_id) AND (parent.id = job_tags.job_id))))))) WITH CHECK ((( SELECT app.has_permission('job_details:update'::text) AS has_permission) OR (( SELECT app.has_permission('job_details:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_tags.company_id) AND (parent.id = job_tags.job_id)))))));

CREATE POLICY member_update ON public.job_team_assignments FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('job_teams:update'::text) AS has_permission) OR (( SELECT app.has_permission('job_teams:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_team_assignments.company_id) AND (parent.id = job_team_assignments.job_id))))))) WITH CHECK ((( SELECT app.has_permission('job_teams:update'::text) AS has_permission) OR (( SELECT app.has_permission('job_teams:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = job_team_assignments.company_id) AND (parent.id = job_team_assignments.job_id)))))));

CREATE POLICY member_update ON public.jobs FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('jobs:update'::text) AS has_permission) OR (( SELECT app.has_permission('jobs:update_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (( SELECT auth.uid() AS uid) = ANY (crew)))))) WITH CHECK ((( SELECT app.has_permission('jobs:update'::text) AS has_permission) OR (( SELECT app.has_permission('jobs:update_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (( SELECT auth.uid() AS uid) = ANY (crew))))));

CREATE POLICY member_update ON public.labor_rates FOR UPDATE TO authenticated USING (( SELECT app.has_permission('labor_rates:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('labor_rates:update'::text) AS has_permission));

CREATE POLICY member_update ON public.member_skills FOR UPDATE TO authenticated USING (( SELECT app.has_permission('team_setup:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('team_setup:update'::text) AS has_permission));

CREATE POLICY member_update ON public.member_zones FOR UPDATE TO authenticated USING (( SELECT app.has_permission('team_setup:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('team_setup:update'::text) AS has_permission));

CREATE POLICY member_update ON public.messages_v2 FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.notes FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('notes:update'::text) AS has_permission) OR (( SELECT app.has_permission('notes:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = notes.company_id) AND (parent.id = notes.job_id))))) OR (( SELECT app.has_permission('notes:update_own'::text) AS has_permission) AND (created_by = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('notes:update'::text) AS has_permission) OR (( SELECT app.has_permission('notes:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = notes.company_id) AND (parent.id = notes.job_id))))) OR (( SELECT app.has_permission('notes:update_own'::text) AS has_permission) AND (created_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.notification_preferences FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('notification_preferences:update'::text) AS has_permission) OR (( SELECT app.has_permission('notification_preferences:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('notification_preferences:update'::text) AS has_permission) OR (( SELECT app.has_permission('notification_preferences:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.notification_queue FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('notifications:update'::text) AS has_permission) OR (( SELECT app.has_permission('notifications:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('notifications:update'::text) AS has_permission) OR (( SELECT app.has_permission('notifications:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.notification_templates FOR UPDATE TO authenticated USING (( SELECT app.has_permission('notification_templates:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('notification_templates:update'::text) AS has_permission));

CREATE POLICY member_update ON public.payment_methods FOR UPDATE TO authenticated USING (( SELECT app.has_permission('payment_methods:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('payment_methods:update'::text) AS has_permission));

CREATE POLICY member_update ON public.payments FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('payments:update'::text) AS has_permission) OR (( SELECT app.has_permission('payments:update_own'::text) AS has_permission) AND (created_by = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('payments:update'::text) AS has_permission) OR (( SELECT app.has_permission('payments:update_own'::text) AS has_permission) AND (created_by = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.po_settings FOR UPDATE TO authenticated USING (( SELECT app.has_permission('po_settings:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('po_settings:update'::text) AS has_permission));

CREATE POLICY member_update ON public.posts FOR UPDATE TO authenticated USING (( SELECT app.has_permission('posts:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('posts:update'::text) AS has_permission));

CREATE POLICY member_update ON public.price_book_categories FOR UPDATE TO authenticated USING (( SELECT app.has_permission('price_book:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('price_book:update'::text) AS has_permission));

CREATE POLICY member_update ON public.price_book_items FOR UPDATE TO authenticated USING (( SELECT app.has_permission('price_book:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('price_book:update'::text) AS has_permission));

CREATE POLICY member_update ON public.pricing_rules FOR UPDATE TO authenticated USING (( SELECT app.has_permission('price_book:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('price_book:update'::text) AS has_permission));

CREATE POLICY member_update ON public.properties FOR UPDATE TO authenticated USING (( SELECT app.has_permission('properties:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('properties:update'::text) AS has_permission));

CREATE POLICY member_update ON public.public_links FOR UPDATE TO authenticated USING (( SELECT app.has_permission('public_links:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('public_links:update'::text) AS has_permission));

CREATE POLICY member_update ON public.purchase_order_line_items FOR UPDATE TO authenticated USING (( SELECT app.has_permission('purchase_order_lines:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('purchase_order_lines:update'::text) AS has_permission));

CREATE POLICY member_update ON public.purchase_orders FOR UPDATE TO authenticated USING (( SELECT app.has_permission('purchase_orders:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('purchase_orders:update'::text) AS has_permission));

CREATE POLICY member_update ON public.recurrences FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('schedules:update'::text) AS has_permission) OR (( SELECT app.has_permission('schedules:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = recurrences.company_id) AND (parent.id = recurrences.job_id))))))) WITH CHECK ((( SELECT app.has_permission('schedules:update'::text) AS has_permission) OR (( SELECT app.has_permission('schedules:update_assigned'::text) AS has_permission) AND (EXISTS ( SELECT
   FROM public.jobs parent
  WHERE ((parent.company_id = recurrences.company_id) AND (parent.id = recurrences.job_id)))))));

CREATE POLICY member_update ON public.requests FOR UPDATE TO authenticated USING (( SELECT app.has_permission('requests:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('requests:update'::text) AS has_permission));

CREATE POLICY member_update ON public.schedules FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('schedules:update'::text) AS has_permission) OR (( SELECT app.has_permission('schedules:update_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (( SELECT auth.uid() AS uid) = ANY (crew)))))) WITH CHECK ((( SELECT app.has_permission('schedules:update'::text) AS has_permission) OR (( SELECT app.has_permission('schedules:update_assigned'::text) AS has_permission) AND ((assigned_to = ( SELECT auth.uid() AS uid)) OR (( SELECT auth.uid() AS uid) = ANY (crew))))));

CREATE POLICY member_update ON public.service_packages FOR UPDATE TO authenticated USING (( SELECT app.has_permission('price_book:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('price_book:update'::text) AS has_permission));

CREATE POLICY member_update ON public.service_plans FOR UPDATE TO authenticated USING (( SELECT app.has_permission('service_plans:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('service_plans:update'::text) AS has_permission));

CREATE POLICY member_update ON public.shifts FOR UPDATE TO authenticated USING (( SELECT app.has_permission('shifts:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('shifts:update'::text) AS has_permission));

CREATE POLICY member_update ON public.skills FOR UPDATE TO authenticated USING (( SELECT app.has_permission('team_setup:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('team_setup:update'::text) AS has_permission));

CREATE POLICY member_update ON public.streams FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.suggestions FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.supplier_integrations FOR UPDATE TO authenticated USING (( SELECT app.has_permission('supplier_integrations:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('supplier_integrations:update'::text) AS has_permission));

CREATE POLICY member_update ON public.tags FOR UPDATE TO authenticated USING (( SELECT app.has_permission('tags:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('tags:update'::text) AS has_permission));

CREATE POLICY member_update ON public.team_members FOR UPDATE TO authenticated USING (( SELECT app.has_permission('members:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('members:update'::text) AS has_permission));

CREATE POLICY member_update ON public.technician_positions FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('positions:update'::text) AS has_permission) OR (( SELECT app.has_permission('positions:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('positions:update'::text) AS has_permission) OR (( SELECT app.has_permission('positions:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.time_entries FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('time_entries:update'::text) AS has_permission) OR (( SELECT app.has_permission('time_entries:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('time_entries:update'::text) AS has_permission) OR (( SELECT app.has_permission('time_entries:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.vendors FOR UPDATE TO authenticated USING (( SELECT app.has_permission('vendors:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('vendors:update'::text) AS has_permission));

CREATE POLICY member_update ON public.votes_v2 FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('chats:update'::text) AS has_permission) OR (( SELECT app.has_permission('chats:update_own'::text) AS has_permission) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.webhooks FOR UPDATE TO authenticated USING (( SELECT app.has_permission('webhooks:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('webhooks:update'::text) AS has_permission));

CREATE POLICY member_update ON public.zones FOR UPDATE TO authenticated USING (( SELECT app.has_permission('team_setup:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('team_setup:update'::text) AS has_permission));

ALTER TABLE public.member_zones ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.messages_v2 ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.notification_preferences ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.notification_queue ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.notification_templates ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_row_read ON public.users FOR SELECT TO authenticated USING ((id = ( SELECT auth.uid() AS uid)));

CREATE POLICY own_row_update ON public.users FOR UPDATE TO authenticated USING ((id = ( SELECT auth.uid() AS uid))) WITH CHECK ((id = ( SELECT auth.uid() AS uid)));

ALTER TABLE public.ownership_transfers ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.payment_allocations ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.payment_methods ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.payments ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.po_settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.posts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.price_book_categories ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.price_book_items ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.price_history ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.pricing_rules ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.properties ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.public_links ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.purchase_order_line_items ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.purchase_orders ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.recurrences ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.requests ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.role_change_log ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.schedules ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.service_packages ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.service_plans ENABLE ROW LEVEL SECURITY;

CREATE POLICY service_role_all ON public.absences TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.activities TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.api_keys TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.api_rate_limits TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.attachments TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.audit_logs TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.background_jobs TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.bookings TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.chats TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.communications TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.companies TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.company_holidays TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.company_settings TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.contracts TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.credit_notes TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.custom_field_values TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.custom_fields TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.custom_roles TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.customer_addresses TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.customer_contacts TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.customer_reviews TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.customer_tags TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.customers TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.departments TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.documents TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.email_logs TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.equipment TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.equipment_tags TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.estimate_jobs TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.estimate_line_items TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.estimate_options TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.estimates TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.file_storage TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.form_submissions TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.form_templates TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.import_runs TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.inventory TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.inventory_locations TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.invitations TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.invoice_jobs TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.invoice_line_items TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.invoices TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.job_equipment TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.job_tags TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.job_team_assignments TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.jobs TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.jobs_archive TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.labor_rates TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.member_skills TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.member_zones TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.messages_v2 TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.notes TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.notification_preferences TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.notification_queue TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.notification_templates TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.ownership_transfers TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.payment_allocations TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.payment_methods TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.payments TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.po_settings TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.posts TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.price_book_categories TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.price_book_items TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.price_history TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.pricing_rules TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.properties TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.public_links TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.purchase_order_line_items TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.purchase_orders TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.recurrences TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.requests TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.role_change_log TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.schedules TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.service_packages TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.service_plans TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.shifts TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.skills TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.stock_moves TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.stock_reservations TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.streams TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.suggestions TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.supplier_integrations TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.suppressions TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.tags TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.team_members TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.technician_positions TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.time_entries TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.users TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.vendors TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.verification_tokens TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.votes_v2 TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.webhook_logs TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.webhooks TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.zones TO service_role USING (true) WITH CHECK (true);

ALTER TABLE public.shifts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.skills ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.stock_moves ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.stock_reservations ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.streams ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.suggestions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.supplier_integrations ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.suppressions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.tags ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.team_members ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.technician_positions ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant_isolation ON public.absences AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.activities AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.api_keys AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.attachments AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.audit_logs AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.background_jobs AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.bookings AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.chats AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.communications AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.companies AS RESTRICTIVE TO anon, authenticated USING ((id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.company_holidays AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.company_settings AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.contracts AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.credit_notes AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.custom_field_values AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.custom_fields AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.custom_roles AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.customer_addresses AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.customer_contacts AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.customer_reviews AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.customer_tags AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.customers AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.departments AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.documents AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.email_logs AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.equipment AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.equipment_tags AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.estimate_jobs AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.estimate_line_items AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.estimate_options AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.estimates AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.file_storage AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.form_submissions AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.form_templates AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.import_runs AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.inventory AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.inventory_locations AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.invitations AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.invoice_jobs AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.invoice_line_items AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.invoices AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.job_equipment AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.job_tags AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.job_team_assignments AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.jobs AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.jobs_archive AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.labor_rates AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.member_skills AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.member_zones AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.messages_v2 AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.notes AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.notification_preferences AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.notification_queue AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.notification_templates AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.ownership_transfers AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.payment_allocations AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.payment_methods AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.payments AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.po_settings AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.posts AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.price_book_categories AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.price_book_items AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.price_history AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.pricing_rules AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.properties AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.public_links AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.purchase_order_line_items AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.purchase_orders AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.recurrences AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.requests AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.role_change_log AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.schedules AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.service_packages AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.service_plans AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.shifts AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.skills AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.stock_moves AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.stock_reservations AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.streams AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.suggestions AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.supplier_integrations AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.suppressions AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.tags AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.team_members AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.technician_positions AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.time_entries AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.vendors AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.votes_v2 AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.webhook_logs AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.webhooks AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.zones AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

ALTER TABLE public.time_entries ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.vendors ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.verification_tokens ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.votes_v2 ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_logs ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.webhooks ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.zones ENABLE ROW LEVEL SECURITY;

GRANT USAGE ON SCHEMA app TO anon;
GRANT USAGE ON SCHEMA app TO authenticated;
GRANT USAGE ON SCHEMA app TO service_role;
GRANT ALL ON SCHEMA app TO app_definer;
GRANT USAGE ON SCHEMA app TO server_login;

GRANT USAGE ON SCHEMA auth TO anon;
GRANT USAGE ON SCHEMA auth TO authenticated;
GRANT USAGE ON SCHEMA auth TO service_role;
GRANT ALL ON SCHEMA auth TO app_definer;

GRANT USAGE ON SCHEMA extensions TO anon;
GRANT USAGE ON SCHEMA extensions TO authenticated;
GRANT USAGE ON SCHEMA extensions TO service_role;
GRANT USAGE ON SCHEMA extensions TO app_definer;

GRANT USAGE ON SCHEMA home_services TO authenticated;
GRANT USAGE ON SCHEMA home_services TO service_role;

GRANT USAGE ON SCHEMA public TO anon;
GRANT USAGE ON SCHEMA public TO authenticated;
GRANT USAGE ON SCHEMA public TO service_role;
GRANT ALL ON SCHEMA public TO app_definer;

GRANT USAGE ON SCHEMA shared TO authenticated;
GRANT USAGE ON SCHEMA shared TO service_role;

REVOKE ALL ON FUNCTION app.activate_if_none(p_company_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.add_figures_of_customer_reviews() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.add_figures_of_customers() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.add_figures_of_invoices() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.add_figures_of_jobs() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.add_figures_of_jobs_archive() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.add_figures_of_payments() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.agreed_lines(p_lines jsonb, p_without text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.agreed_lines(p_lines jsonb, p_without text[]) TO authenticated;
GRANT ALL ON FUNCTION app.agreed_lines(p_lines jsonb, p_without text[]) TO service_role;
GRANT ALL ON FUNCTION app.agreed_lines(p_lines jsonb, p_without text[]) TO app_definer;

REVOKE ALL ON FUNCTION app.apply_allocation() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.apply_credit_note() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.apply_payment() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.company_id() FROM PUBLIC;
GRANT ALL ON FUNCTION app.company_id() TO anon;
GRANT ALL ON FUNCTION app.company_id() TO authenticated;
GRANT ALL ON FUNCTION app.company_id() TO service_role;
GRANT ALL ON FUNCTION app.company_id() TO app_definer;

REVOKE ALL ON FUNCTION app.uuid_v7() FROM PUBLIC;
GRANT ALL ON FUNCTION app.uuid_v7() TO anon;
GRANT ALL ON FUNCTION app.uuid_v7() TO authenticated;
GRANT ALL ON FUNCTION app.uuid_v7() TO service_role;
GRANT ALL ON FUNCTION app.uuid_v7() TO app_definer;

REVOKE ALL ON FUNCTION auth.uid() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.uid() TO anon;
GRANT ALL ON FUNCTION auth.uid() TO authenticated;
GRANT ALL ON FUNCTION auth.uid() TO service_role;
GRANT ALL ON FUNCTION auth.uid() TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payments TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payments TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payments TO authenticated;

REVOKE ALL ON FUNCTION app.apply_refund(p_refund public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION app.apply_refund(p_refund public.payments) TO app_definer;

REVOKE ALL ON FUNCTION app.archive_jobs(p_limit integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.audit() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.audit_table(p_table regclass, p_tenant_column text) FROM PUBLIC;

GRANT SELECT,INSERT ON TABLE public.audit_logs TO app_definer;
GRANT SELECT ON TABLE public.audit_logs TO service_role;
GRANT SELECT ON TABLE public.audit_logs TO authenticated;

REVOKE ALL ON FUNCTION app.audit_words(p_row public.audit_logs) FROM PUBLIC;
GRANT ALL ON FUNCTION app.audit_words(p_row public.audit_logs) TO app_definer;

REVOKE ALL ON FUNCTION app.authorize_line_rows() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.be_only_default() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.bind_to_entity() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.book_schedule() FROM PUBLIC;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.schedules TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.schedules TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.schedules TO authenticated;

REVOKE ALL ON FUNCTION app.booked_people(p_schedule public.schedules) FROM PUBLIC;
GRANT ALL ON FUNCTION app.booked_people(p_schedule public.schedules) TO app_definer;

REVOKE ALL ON FUNCTION app.calculate_line() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.caller() FROM PUBLIC;
GRANT ALL ON FUNCTION app.caller() TO authenticated;
GRANT ALL ON FUNCTION app.caller() TO service_role;
GRANT ALL ON FUNCTION app.caller() TO app_definer;

REVOKE ALL ON FUNCTION app.categories_added() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.categories_moved() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.check_figures(p_noun text, p_sent jsonb, p_before jsonb, p_computed jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.check_figures(p_noun text, p_sent jsonb, p_before jsonb, p_computed jsonb) TO authenticated;
GRANT ALL ON FUNCTION app.check_figures(p_noun text, p_sent jsonb, p_before jsonb, p_computed jsonb) TO service_role;
GRANT ALL ON FUNCTION app.check_figures(p_noun text, p_sent jsonb, p_before jsonb, p_computed jsonb) TO app_definer;

REVOKE ALL ON FUNCTION app.check_grantable(p_before text, p_after text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.check_grantable(p_before text, p_after text) TO authenticated;
GRANT ALL ON FUNCTION app.check_grantable(p_before text, p_after text) TO service_role;
GRANT ALL ON FUNCTION app.check_grantable(p_before text, p_after text) TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoices TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoices TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoices TO authenticated;

REVOKE ALL ON FUNCTION app.check_invoice_status(p_new public.invoices) FROM PUBLIC;
GRANT ALL ON FUNCTION app.check_invoice_status(p_new public.invoices) TO authenticated;
GRANT ALL ON FUNCTION app.check_invoice_status(p_new public.invoices) TO service_role;
GRANT ALL ON FUNCTION app.check_invoice_status(p_new public.invoices) TO app_definer;

REVOKE ALL ON FUNCTION app.check_job_references() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.check_line_items(p_items jsonb, p_lines regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION app.check_line_items(p_items jsonb, p_lines regclass) TO app_definer;

REVOKE ALL ON FUNCTION app.check_line_permission(p_noun text, p_verb text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.check_line_permission(p_noun text, p_verb text) TO app_definer;

REVOKE ALL ON FUNCTION app.check_permission_map(p_map jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.check_permission_map(p_map jsonb) TO authenticated;
GRANT ALL ON FUNCTION app.check_permission_map(p_map jsonb) TO service_role;

REVOKE ALL ON FUNCTION app.check_property_of_customer() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.check_shares(p_payment public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION app.check_shares(p_payment public.payments) TO app_definer;

REVOKE ALL ON FUNCTION app.check_stock_quantity(p_quantity numeric) FROM PUBLIC;
GRANT ALL ON FUNCTION app.check_stock_quantity(p_quantity numeric) TO app_definer;

REVOKE ALL ON FUNCTION app.check_visit() FROM PUBLIC;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.stock_reservations TO app_definer;
GRANT SELECT ON TABLE public.stock_reservations TO service_role;
GRANT SELECT ON TABLE public.stock_reservations TO authenticated;

REVOKE ALL ON FUNCTION app.close_reservation(p_reservation public.stock_reservations, p_released numeric, p_used numeric) FROM PUBLIC;
GRANT ALL ON FUNCTION app.close_reservation(p_reservation public.stock_reservations, p_released numeric, p_used numeric) TO app_definer;

REVOKE ALL ON FUNCTION app.company_timezone_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.compute_purchase_order() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.copy_crew(p_company_id uuid, p_job_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.copy_crew(p_company_id uuid, p_job_id uuid) TO app_definer;

REVOKE ALL ON FUNCTION app.count_customer_money() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.count_figures(p_table regclass, p_call text, p_sums text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.count_items(p_company_ids uuid[], p_category_ids uuid[], p_counts bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.count_items(p_company_ids uuid[], p_category_ids uuid[], p_counts bigint[]) TO app_definer;

REVOKE ALL ON FUNCTION app.count_jobs_of(p_company_id uuid, p_customer_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.count_jobs_of(p_company_id uuid, p_customer_ids uuid[]) TO app_definer;

REVOKE ALL ON FUNCTION app.count_jobs_of_customers() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.count_tag() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.custom_role_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.customer_names(p_first_name text, p_last_name text, p_company_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.customer_names(p_first_name text, p_last_name text, p_company_name text) TO anon;
GRANT ALL ON FUNCTION app.customer_names(p_first_name text, p_last_name text, p_company_name text) TO authenticated;
GRANT ALL ON FUNCTION app.customer_names(p_first_name text, p_last_name text, p_company_name text) TO service_role;
GRANT ALL ON FUNCTION app.customer_names(p_first_name text, p_last_name text, p_company_name text) TO app_definer;

REVOKE ALL ON FUNCTION app.customers_alike(p_company_id uuid, p_words text[], p_plain text, p_pattern text, p_keys_1 text[], p_keys_2 text[], p_keys_3 text[], p_keys_4 text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.customers_alike(p_company_id uuid, p_words text[], p_plain text, p_pattern text, p_keys_1 text[], p_keys_2 text[], p_keys_3 text[], p_keys_4 text[]) TO app_definer;

REVOKE ALL ON FUNCTION app.declare_statuses(p_table regclass, p_statuses jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.demand(p_permission text, p_assigned boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION app.demand(p_permission text, p_assigned boolean) TO app_definer;

REVOKE ALL ON FUNCTION app.digits(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.digits(p_text text) TO anon;
GRANT ALL ON FUNCTION app.digits(p_text text) TO authenticated;
GRANT ALL ON FUNCTION app.digits(p_text text) TO service_role;
GRANT ALL ON FUNCTION app.digits(p_text text) TO app_definer;

REVOKE ALL ON FUNCTION app.document_totals(p_lines jsonb, p_discount bigint, p_tax_rate numeric, OUT subtotal bigint, OUT taxable_subtotal bigint, OUT discount bigint, OUT tax_amount bigint, OUT total_amount bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION app.document_totals(p_lines jsonb, p_discount bigint, p_tax_rate numeric, OUT subtotal bigint, OUT taxable_subtotal bigint, OUT discount bigint, OUT tax_amount bigint, OUT total_amount bigint) TO authenticated;
GRANT ALL ON FUNCTION app.document_totals(p_lines jsonb, p_discount bigint, p_tax_rate numeric, OUT subtotal bigint, OUT taxable_subtotal bigint, OUT discount bigint, OUT tax_amount bigint, OUT total_amount bigint) TO service_role;
GRANT ALL ON FUNCTION app.document_totals(p_lines jsonb, p_discount bigint, p_tax_rate numeric, OUT subtotal bigint, OUT taxable_subtotal bigint, OUT discount bigint, OUT tax_amount bigint, OUT total_amount bigint) TO app_definer;

REVOKE ALL ON FUNCTION app.e164(p_phone text, p_country text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.e164(p_phone text, p_country text) TO authenticated;
GRANT ALL ON FUNCTION app.e164(p_phone text, p_country text) TO service_role;
GRANT ALL ON FUNCTION app.e164(p_phone text, p_country text) TO app_definer;

REVOKE ALL ON FUNCTION app.edits_between(p_a text, p_b text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.edits_between(p_a text, p_b text) TO app_definer;

REVOKE ALL ON FUNCTION app.effective_permissions(p_company_id uuid, p_role text, p_role_id uuid, p_overrides jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.effective_permissions(p_company_id uuid, p_role text, p_role_id uuid, p_overrides jsonb) TO authenticated;
GRANT ALL ON FUNCTION app.effective_permissions(p_company_id uuid, p_role text, p_role_id uuid, p_overrides jsonb) TO service_role;

REVOKE ALL ON FUNCTION app.enclose(p_table regclass) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.entity_job(p_company_id uuid, p_entity_type text, p_entity_id uuid, OUT is_there boolean, OUT job_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.entity_job(p_company_id uuid, p_entity_type text, p_entity_id uuid, OUT is_there boolean, OUT job_id uuid) TO app_definer;

REVOKE ALL ON FUNCTION app.entity_of(p_table text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.entity_of(p_table text) TO app_definer;
GRANT ALL ON FUNCTION app.entity_of(p_table text) TO authenticated;
GRANT ALL ON FUNCTION app.entity_of(p_table text) TO service_role;

REVOKE ALL ON FUNCTION app.equipment_names(p_name text, p_manufacturer text, p_model text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.equipment_names(p_name text, p_manufacturer text, p_model text) TO anon;
GRANT ALL ON FUNCTION app.equipment_names(p_name text, p_manufacturer text, p_model text) TO authenticated;
GRANT ALL ON FUNCTION app.equipment_names(p_name text, p_manufacturer text, p_model text) TO service_role;
GRANT ALL ON FUNCTION app.equipment_names(p_name text, p_manufacturer text, p_model text) TO app_definer;

REVOKE ALL ON FUNCTION app.equipment_serviced() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.expire(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.expire(p_limit integer) TO service_role;

REVOKE ALL ON FUNCTION app.expire_audit(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.expire_audit(p_limit integer) TO app_definer;

REVOKE ALL ON FUNCTION app.expire_deleted(p_table text, p_limit integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.expire_logs(p_table text, p_limit integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.figures_of_customers(p_company_id uuid, p_currency text, p_deleted_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION app.figures_of_customers(p_company_id uuid, p_currency text, p_deleted_at timestamp with time zone) TO app_definer;

REVOKE ALL ON FUNCTION app.figures_of_invoices(p_company_id uuid, p_customer_id uuid, p_status text, p_invoice_number text, p_currency text, p_total_amount bigint, p_credited_amount bigint, p_paid_amount bigint, p_balance_amount bigint, p_issued_at timestamp with time zone, p_created_at timestamp with time zone, p_deleted_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION app.figures_of_invoices(p_company_id uuid, p_customer_id uuid, p_status text, p_invoice_number text, p_currency text, p_total_amount bigint, p_credited_amount bigint, p_paid_amount bigint, p_balance_amount bigint, p_issued_at timestamp with time zone, p_created_at timestamp with time zone, p_deleted_at timestamp with time zone) TO app_definer;

REVOKE ALL ON FUNCTION app.figures_of_jobs(p_company_id uuid, p_customer_id uuid, p_assigned_to uuid, p_status text, p_currency text, p_total_amount bigint, p_actual_start timestamp with time zone, p_actual_end timestamp with time zone, p_deleted_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION app.figures_of_jobs(p_company_id uuid, p_customer_id uuid, p_assigned_to uuid, p_status text, p_currency text, p_total_amount bigint, p_actual_start timestamp with time zone, p_actual_end timestamp with time zone, p_deleted_at timestamp with time zone) TO app_definer;

REVOKE ALL ON FUNCTION app.figures_of_payments(p_company_id uuid, p_customer_id uuid, p_status text, p_payment_type text, p_currency text, p_amount bigint, p_completed_at timestamp with time zone, p_created_at timestamp with time zone, p_deleted_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION app.figures_of_payments(p_company_id uuid, p_customer_id uuid, p_status text, p_payment_type text, p_currency text, p_amount bigint, p_completed_at timestamp with time zone, p_created_at timestamp with time zone, p_deleted_at timestamp with time zone) TO app_definer;

REVOKE ALL ON FUNCTION app.figures_of_reviews(p_company_id uuid, p_technician_id uuid, p_rating integer, p_moderation_status text, p_deleted_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION app.figures_of_reviews(p_company_id uuid, p_technician_id uuid, p_rating integer, p_moderation_status text, p_deleted_at timestamp with time zone) TO app_definer;

REVOKE ALL ON FUNCTION app.file_job() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.first_id_of(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION app.first_id_of(p_at timestamp with time zone) TO app_definer;

REVOKE ALL ON FUNCTION app.fold(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.fold(p_text text) TO anon;
GRANT ALL ON FUNCTION app.fold(p_text text) TO authenticated;
GRANT ALL ON FUNCTION app.fold(p_text text) TO service_role;
GRANT ALL ON FUNCTION app.fold(p_text text) TO app_definer;

REVOKE ALL ON FUNCTION app.format_number(p_prefix text, p_year text, p_value bigint, p_digits integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.format_number(p_prefix text, p_year text, p_value bigint, p_digits integer) TO app_definer;

REVOKE ALL ON FUNCTION app.guard_api_key() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_category_delete() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_company() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_contract() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_credit_note() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_custom_role() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_customer() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_deletion() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_equipment() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_estimate() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_inventory() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_invoice() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_invoice_job() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_issued_invoice() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_job() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_labor_rate() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_member() FROM PUBLIC;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.team_members TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.team_members TO service_role;
GRANT SELECT,DELETE ON TABLE public.team_members TO authenticated;

GRANT UPDATE(role) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(role_id) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(department_id) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(status) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(permissions) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(job_title) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(phone) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(archived_at) ON TABLE public.team_members TO authenticated;

REVOKE ALL ON FUNCTION app.guard_member_edit(p_old public.team_members, p_new public.team_members) FROM PUBLIC;
GRANT ALL ON FUNCTION app.guard_member_edit(p_old public.team_members, p_new public.team_members) TO authenticated;

REVOKE ALL ON FUNCTION app.guard_new_inventory() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_note() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_own_time() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_payment() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_po_settings() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_position() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_pricing_rule() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_property() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_public_link() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_purchase_order() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_purchase_order_figures() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_receipt() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_record() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_retention() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_schedule() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_service_package() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_service_plan() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_soft_delete() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_status() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_tag() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_team() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_webhook() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.has_permission(p_permission text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.has_permission(p_permission text) TO anon;
GRANT ALL ON FUNCTION app.has_permission(p_permission text) TO authenticated;
GRANT ALL ON FUNCTION app.has_permission(p_permission text) TO service_role;
GRANT ALL ON FUNCTION app.has_permission(p_permission text) TO app_definer;

REVOKE ALL ON FUNCTION app.invoice_figures(p_invoice public.invoices, OUT owed bigint, OUT revenue bigint, OUT invoices bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION app.invoice_figures(p_invoice public.invoices, OUT owed bigint, OUT revenue bigint, OUT invoices bigint) TO app_definer;

REVOKE ALL ON FUNCTION app.is_computed_write() FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_computed_write() TO anon;
GRANT ALL ON FUNCTION app.is_computed_write() TO authenticated;
GRANT ALL ON FUNCTION app.is_computed_write() TO service_role;
GRANT ALL ON FUNCTION app.is_computed_write() TO app_definer;

REVOKE ALL ON FUNCTION app.is_done(p_status text, p_actual_end timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_done(p_status text, p_actual_end timestamp with time zone) TO app_definer;

REVOKE ALL ON FUNCTION app.is_id_list(p_value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_id_list(p_value jsonb) TO authenticated;
GRANT ALL ON FUNCTION app.is_id_list(p_value jsonb) TO service_role;
GRANT ALL ON FUNCTION app.is_id_list(p_value jsonb) TO app_definer;

REVOKE ALL ON FUNCTION app.is_issued(p_status text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_issued(p_status text) TO authenticated;
GRANT ALL ON FUNCTION app.is_issued(p_status text) TO service_role;
GRANT ALL ON FUNCTION app.is_issued(p_status text) TO app_definer;

REVOKE ALL ON FUNCTION app.is_settled(p_status text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_settled(p_status text) TO authenticated;
GRANT ALL ON FUNCTION app.is_settled(p_status text) TO service_role;
GRANT ALL ON FUNCTION app.is_settled(p_status text) TO app_definer;

REVOKE ALL ON FUNCTION app.is_time_ranges(p_value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_time_ranges(p_value jsonb) TO authenticated;
GRANT ALL ON FUNCTION app.is_time_ranges(p_value jsonb) TO service_role;
GRANT ALL ON FUNCTION app.is_time_ranges(p_value jsonb) TO app_definer;

REVOKE ALL ON FUNCTION app.is_within_reach(p_company_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_within_reach(p_company_id uuid) TO anon;
GRANT ALL ON FUNCTION app.is_within_reach(p_company_id uuid) TO authenticated;
GRANT ALL ON FUNCTION app.is_within_reach(p_company_id uuid) TO service_role;
GRANT ALL ON FUNCTION app.is_within_reach(p_company_id uuid) TO app_definer;

REVOKE ALL ON FUNCTION app.is_word_list(p_value jsonb, p_words jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_word_list(p_value jsonb, p_words jsonb) TO authenticated;
GRANT ALL ON FUNCTION app.is_word_list(p_value jsonb, p_words jsonb) TO service_role;
GRANT ALL ON FUNCTION app.is_word_list(p_value jsonb, p_words jsonb) TO app_definer;

REVOKE ALL ON FUNCTION app.items_added() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.items_moved() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.items_removed() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.keep_billed_customer() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.keep_line_items(p_header regclass, p_header_noun text, p_lines regclass, p_column text, p_lines_noun text, p_kept text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.kept_days(p_wanted jsonb, p_kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.kept_days(p_wanted jsonb, p_kind text) TO app_definer;

REVOKE ALL ON FUNCTION app.labels_of(p_table regclass) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.leader_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.likeness(p_asked text[], p_names text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.likeness(p_asked text[], p_names text) TO app_definer;

REVOKE ALL ON FUNCTION app.line_defaults(p_lines regclass, p_column text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.line_defaults(p_lines regclass, p_column text) TO app_definer;

REVOKE ALL ON FUNCTION app.line_shadows(p_column text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.line_shadows(p_column text) TO app_definer;

REVOKE ALL ON FUNCTION app.line_total(p_quantity numeric, p_unit_price bigint, p_discount bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION app.line_total(p_quantity numeric, p_unit_price bigint, p_discount bigint) TO authenticated;
GRANT ALL ON FUNCTION app.line_total(p_quantity numeric, p_unit_price bigint, p_discount bigint) TO service_role;
GRANT ALL ON FUNCTION app.line_total(p_quantity numeric, p_unit_price bigint, p_discount bigint) TO app_definer;

REVOKE ALL ON FUNCTION app.lines_of(p_lines regclass, p_column text, p_company_id uuid, p_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lines_of(p_lines regclass, p_column text, p_company_id uuid, p_id uuid) TO app_definer;

REVOKE ALL ON FUNCTION app.lines_of_option(p_lines jsonb, p_option_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lines_of_option(p_lines jsonb, p_option_id uuid) TO app_definer;

REVOKE ALL ON FUNCTION app.load_permissions(p_matrix jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.lock_customer_of_job() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.lock_price_book(p_company_id uuid, p_alone boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lock_price_book(p_company_id uuid, p_alone boolean) TO authenticated;
GRANT ALL ON FUNCTION app.lock_price_book(p_company_id uuid, p_alone boolean) TO service_role;
GRANT ALL ON FUNCTION app.lock_price_book(p_company_id uuid, p_alone boolean) TO app_definer;

REVOKE ALL ON FUNCTION app.lock_price_book_first() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.log_price() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.log_role_change() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.make_partitions(p_months_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.make_partitions(p_months_ahead integer) TO service_role;

REVOKE ALL ON FUNCTION app.mark_as_deleted() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.mask(p_kind text, p_value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.mask(p_kind text, p_value text) TO app_definer;
GRANT ALL ON FUNCTION app.mask(p_kind text, p_value text) TO authenticated;
GRANT ALL ON FUNCTION app.mask(p_kind text, p_value text) TO service_role;

REVOKE ALL ON FUNCTION app.member_added() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.member_role() FROM PUBLIC;
GRANT ALL ON FUNCTION app.member_role() TO anon;
GRANT ALL ON FUNCTION app.member_role() TO authenticated;
GRANT ALL ON FUNCTION app.member_role() TO service_role;
GRANT ALL ON FUNCTION app.member_role() TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.companies TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.companies TO service_role;
GRANT SELECT ON TABLE public.companies TO authenticated;

GRANT UPDATE(name) ON TABLE public.companies TO authenticated;

GRANT UPDATE(slug) ON TABLE public.companies TO authenticated;

GRANT UPDATE(industry) ON TABLE public.companies TO authenticated;

GRANT UPDATE(legal_name) ON TABLE public.companies TO authenticated;

GRANT UPDATE(doing_business_as) ON TABLE public.companies TO authenticated;

GRANT UPDATE(logo) ON TABLE public.companies TO authenticated;

GRANT UPDATE(email) ON TABLE public.companies TO authenticated;

GRANT UPDATE(phone) ON TABLE public.companies TO authenticated;

GRANT UPDATE(support_email) ON TABLE public.companies TO authenticated;

GRANT UPDATE(support_phone) ON TABLE public.companies TO authenticated;

GRANT UPDATE(website) ON TABLE public.companies TO authenticated;

GRANT UPDATE(address) ON TABLE public.companies TO authenticated;

GRANT UPDATE(address2) ON TABLE public.companies TO authenticated;

GRANT UPDATE(city) ON TABLE public.companies TO authenticated;

GRANT UPDATE(state) ON TABLE public.companies TO authenticated;

GRANT UPDATE(zip_code) ON TABLE public.companies TO authenticated;

GRANT UPDATE(country) ON TABLE public.companies TO authenticated;

GRANT UPDATE(lat) ON TABLE public.companies TO authenticated;

GRANT UPDATE(lon) ON TABLE public.companies TO authenticated;

GRANT UPDATE(license_number) ON TABLE public.companies TO authenticated;

GRANT UPDATE(tax_id) ON TABLE public.companies TO authenticated;

GRANT UPDATE(company_size) ON TABLE public.companies TO authenticated;

GRANT UPDATE(brand_color) ON TABLE public.companies TO authenticated;

GRANT UPDATE(business_timezone) ON TABLE public.companies TO authenticated;

GRANT UPDATE(currency) ON TABLE public.companies TO authenticated;

GRANT UPDATE(settings) ON TABLE public.companies TO authenticated;

GRANT UPDATE(onboarding_step) ON TABLE public.companies TO authenticated;

GRANT UPDATE(onboarding_progress) ON TABLE public.companies TO authenticated;

GRANT UPDATE(onboarding_completed_at) ON TABLE public.companies TO authenticated;

REVOKE ALL ON FUNCTION app.month_of(p_company_id uuid, p_time timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION app.month_of(p_company_id uuid, p_time timestamp with time zone) TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.inventory TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.inventory TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.inventory TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.stock_moves TO app_definer;
GRANT SELECT ON TABLE public.stock_moves TO service_role;
GRANT SELECT ON TABLE public.stock_moves TO authenticated;

REVOKE ALL ON FUNCTION app.move_stock(p_company_id uuid, p_move public.stock_moves, p_on_hand numeric, p_reserved numeric) FROM PUBLIC;
GRANT ALL ON FUNCTION app.move_stock(p_company_id uuid, p_move public.stock_moves, p_on_hand numeric, p_reserved numeric) TO app_definer;

REVOKE ALL ON FUNCTION app.next_number(p_company_id uuid, p_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.next_number(p_company_id uuid, p_name text) TO app_definer;

REVOKE ALL ON FUNCTION app.note_activity() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.number_row() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.number_year(p_company_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.number_year(p_company_id uuid) TO app_definer;

REVOKE ALL ON FUNCTION app.open_request(p_kind text, p_user_id uuid, p_session_id uuid, p_company_id uuid, p_claims jsonb, p_permission text, p_company_required boolean, OUT role text, OUT company_id uuid, OUT user_id uuid, OUT member_role text, OUT permissions text, OUT claims text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.open_request(p_kind text, p_user_id uuid, p_session_id uuid, p_company_id uuid, p_claims jsonb, p_permission text, p_company_required boolean, OUT role text, OUT company_id uuid, OUT user_id uuid, OUT member_role text, OUT permissions text, OUT claims text) TO server_login;

REVOKE ALL ON FUNCTION app.open_reservation(p_company_id uuid, p_reservation_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.open_reservation(p_company_id uuid, p_reservation_id uuid) TO app_definer;

REVOKE ALL ON FUNCTION app.options_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.ordered_lines(p_lines jsonb, p_after jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.ordered_lines(p_lines jsonb, p_after jsonb) TO authenticated;
GRANT ALL ON FUNCTION app.ordered_lines(p_lines jsonb, p_after jsonb) TO service_role;
GRANT ALL ON FUNCTION app.ordered_lines(p_lines jsonb, p_after jsonb) TO app_definer;

REVOKE ALL ON FUNCTION app.other_currencies(p_currency text, p_currencies text[], p_sums jsonb[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.other_currencies(p_currency text, p_currencies text[], p_sums jsonb[]) TO app_definer;

REVOKE ALL ON FUNCTION app.partitioned_tables() FROM PUBLIC;
GRANT ALL ON FUNCTION app.partitioned_tables() TO app_definer;

REVOKE ALL ON FUNCTION app.phone_key(p_phone text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.phone_key(p_phone text) TO anon;
GRANT ALL ON FUNCTION app.phone_key(p_phone text) TO authenticated;
GRANT ALL ON FUNCTION app.phone_key(p_phone text) TO service_role;
GRANT ALL ON FUNCTION app.phone_key(p_phone text) TO app_definer;

REVOKE ALL ON FUNCTION app.phone_words(p_phone text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.phone_words(p_phone text) TO anon;
GRANT ALL ON FUNCTION app.phone_words(p_phone text) TO authenticated;
GRANT ALL ON FUNCTION app.phone_words(p_phone text) TO service_role;
GRANT ALL ON FUNCTION app.phone_words(p_phone text) TO app_definer;

REVOKE ALL ON FUNCTION app.place_category() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.plan_interval(p_frequency text, p_days integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.plan_interval(p_frequency text, p_days integer) TO authenticated;
GRANT ALL ON FUNCTION app.plan_interval(p_frequency text, p_days integer) TO service_role;
GRANT ALL ON FUNCTION app.plan_interval(p_frequency text, p_days integer) TO app_definer;

REVOKE ALL ON FUNCTION app.prepare_credit_note() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.prepare_refund() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.protect(p_table regclass, p_noun text, p_soft_delete boolean, p_assigned_column text, p_own_column text, p_tenant_column text, p_verbs text[], p_crew_column text, p_parent_table regclass, p_parent_column text) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.purchase_approval(p_company_id uuid, p_total bigint, OUT is_needed boolean, OUT is_approver boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION app.purchase_approval(p_company_id uuid, p_total bigint, OUT is_needed boolean, OUT is_approver boolean) TO authenticated;
GRANT ALL ON FUNCTION app.purchase_approval(p_company_id uuid, p_total bigint, OUT is_needed boolean, OUT is_approver boolean) TO service_role;

REVOKE ALL ON FUNCTION app.read_line_items() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.read_question(p_query text, p_max_results integer, OUT plain text, OUT words text[], OUT keys_1 text[], OUT keys_2 text[], OUT keys_3 text[], OUT keys_4 text[], OUT word_query tsquery, OUT start_query tsquery, OUT phone text, OUT email text, OUT number text, OUT pattern text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.read_question(p_query text, p_max_results integer, OUT plain text, OUT words text[], OUT keys_1 text[], OUT keys_2 text[], OUT keys_3 text[], OUT keys_4 text[], OUT word_query tsquery, OUT start_query tsquery, OUT phone text, OUT email text, OUT number text, OUT pattern text) TO app_definer;

REVOKE ALL ON FUNCTION app.rebuild_figures(p_company_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.record_inventory() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.refresh_effective_permissions() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.refresh_figures(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.refresh_figures(p_limit integer) TO service_role;

REVOKE ALL ON FUNCTION app.refuse_other_parties(p_what text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.refuse_other_parties(p_what text) TO app_definer;

REVOKE ALL ON FUNCTION app.refuse_repeated_payment() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.reserve_numbers(p_company_id uuid, p_kind text, p_yearly boolean, p_count integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.reserve_numbers(p_company_id uuid, p_kind text, p_yearly boolean, p_count integer) TO app_definer;
GRANT ALL ON FUNCTION app.reserve_numbers(p_company_id uuid, p_kind text, p_yearly boolean, p_count integer) TO service_role;

REVOKE ALL ON FUNCTION app.role_permissions_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.scope_condition(p_table text, p_noun text, p_verb text, p_assigned_column text, p_own_column text, p_crew_column text, p_parent_table text, p_parent_column text) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.seal_audit() FROM PUBLIC;
GRANT ALL ON FUNCTION app.seal_audit() TO service_role;

REVOKE ALL ON FUNCTION app.search_keys(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.search_keys(p_text text) TO anon;
GRANT ALL ON FUNCTION app.search_keys(p_text text) TO authenticated;
GRANT ALL ON FUNCTION app.search_keys(p_text text) TO service_role;
GRANT ALL ON FUNCTION app.search_keys(p_text text) TO app_definer;

REVOKE ALL ON FUNCTION app.settle_invoice(p_company_id uuid, p_invoice_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.settle_invoice(p_company_id uuid, p_invoice_id uuid) TO app_definer;

REVOKE ALL ON FUNCTION app.settle_price_book(p_company_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.settle_price_book(p_company_id uuid) TO app_definer;

REVOKE ALL ON FUNCTION app.shape_phones() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.slug_of(p_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.slug_of(p_name text) TO app_definer;
GRANT ALL ON FUNCTION app.slug_of(p_name text) TO authenticated;
GRANT ALL ON FUNCTION app.slug_of(p_name text) TO service_role;

REVOKE ALL ON FUNCTION app.slug_of(p_name text, p_length integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.slug_of(p_name text, p_length integer) TO app_definer;

REVOKE ALL ON FUNCTION app.stamp_approval() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.stock_at(p_company_id uuid, p_inventory_id uuid, p_location_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.stock_at(p_company_id uuid, p_inventory_id uuid, p_location_id uuid) TO app_definer;

REVOKE ALL ON FUNCTION app.stock_company(p_permission text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.stock_company(p_permission text) TO app_definer;

REVOKE ALL ON FUNCTION app.stock_receipts() FROM PUBLIC;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.figures TO app_definer;

REVOKE ALL ON FUNCTION app.sums(p_company_id uuid, p_scope text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.sums(p_company_id uuid, p_scope text) TO app_definer;

REVOKE ALL ON FUNCTION app.sums_of(p_company_id uuid, p_scope text, p_subject uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.sums_of(p_company_id uuid, p_scope text, p_subject uuid) TO app_definer;

REVOKE ALL ON FUNCTION app.sync_line_items() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.sync_member_name() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.sync_user() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.team_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.tell(p_row jsonb, p_entity text, p_type text, p_action text, p_job_id uuid, p_field text, p_old text, p_new text) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.total_estimate() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.total_invoice() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.total_option() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.total_options() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.touch() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.unaudited_tables() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.weigh(p_names text, p_numbers text, p_places text, p_notes text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.weigh(p_names text, p_numbers text, p_places text, p_notes text) TO anon;
GRANT ALL ON FUNCTION app.weigh(p_names text, p_numbers text, p_places text, p_notes text) TO authenticated;
GRANT ALL ON FUNCTION app.weigh(p_names text, p_numbers text, p_places text, p_notes text) TO service_role;
GRANT ALL ON FUNCTION app.weigh(p_names text, p_numbers text, p_places text, p_notes text) TO app_definer;

REVOKE ALL ON FUNCTION app.weigh_contracts() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.weigh_customers() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.weigh_equipment() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.weigh_estimates() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.weigh_invoices() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.weigh_jobs() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.weigh_price_book_items() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.weigh_properties() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.word_likeness(p_asked text, p_word text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.word_likeness(p_asked text, p_word text) TO app_definer;

REVOKE ALL ON FUNCTION app.words(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.words(p_text text) TO anon;
GRANT ALL ON FUNCTION app.words(p_text text) TO authenticated;
GRANT ALL ON FUNCTION app.words(p_text text) TO service_role;
GRANT ALL ON FUNCTION app.words(p_text text) TO app_definer;

REVOKE ALL ON FUNCTION app.words_of_money(p_minor text, p_currency text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.words_of_money(p_minor text, p_currency text) TO app_definer;

REVOKE ALL ON FUNCTION app.words_of_time(p_at timestamp with time zone, p_zone text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.words_of_time(p_at timestamp with time zone, p_zone text) TO app_definer;

REVOKE ALL ON FUNCTION app.write_line_items() FROM PUBLIC;

REVOKE ALL ON FUNCTION auth.email() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.email() TO anon;
GRANT ALL ON FUNCTION auth.email() TO authenticated;
GRANT ALL ON FUNCTION auth.email() TO service_role;
GRANT ALL ON FUNCTION auth.email() TO app_definer;

REVOKE ALL ON FUNCTION auth.get_user_company_id() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.get_user_company_id() TO anon;
GRANT ALL ON FUNCTION auth.get_user_company_id() TO authenticated;
GRANT ALL ON FUNCTION auth.get_user_company_id() TO service_role;
GRANT ALL ON FUNCTION auth.get_user_company_id() TO app_definer;

REVOKE ALL ON FUNCTION auth.jwt() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.jwt() TO anon;
GRANT ALL ON FUNCTION auth.jwt() TO authenticated;
GRANT ALL ON FUNCTION auth.jwt() TO service_role;
GRANT ALL ON FUNCTION auth.jwt() TO app_definer;

REVOKE ALL ON FUNCTION auth.role() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.role() TO anon;
GRANT ALL ON FUNCTION auth.role() TO authenticated;
GRANT ALL ON FUNCTION auth.role() TO service_role;
GRANT ALL ON FUNCTION auth.role() TO app_definer;

REVOKE ALL ON FUNCTION public.accept_invitation(token text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.accept_invitation(token text) TO authenticated;

REVOKE ALL ON FUNCTION public.adjust_stock(inventory_id uuid, change numeric, reason text, note text, location_id uuid, unit_cost bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.adjust_stock(inventory_id uuid, change numeric, reason text, note text, location_id uuid, unit_cost bigint) TO authenticated;
GRANT ALL ON FUNCTION public.adjust_stock(inventory_id uuid, change numeric, reason text, note text, location_id uuid, unit_cost bigint) TO service_role;

REVOKE ALL ON FUNCTION public.audit_trigger_function() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.change_member_role(user_id uuid, role text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.change_member_role(user_id uuid, role text, reason text) TO authenticated;
GRANT ALL ON FUNCTION public.change_member_role(user_id uuid, role text, reason text) TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.price_book_items TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.price_book_items TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.price_book_items TO authenticated;

REVOKE ALL ON FUNCTION public.change_prices(changes jsonb, change_type text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.change_prices(changes jsonb, change_type text, reason text) TO authenticated;
GRANT ALL ON FUNCTION public.change_prices(changes jsonb, change_type text, reason text) TO service_role;

REVOKE ALL ON FUNCTION public.company_kpis() FROM PUBLIC;
GRANT ALL ON FUNCTION public.company_kpis() TO authenticated;
GRANT ALL ON FUNCTION public.company_kpis() TO service_role;

REVOKE ALL ON FUNCTION public.create_company_with_owner(name text, slug text, industry text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_company_with_owner(name text, slug text, industry text) TO authenticated;

REVOKE ALL ON FUNCTION public.create_monthly_partition(table_name text, start_date date) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_monthly_partition(table_name text, start_date date) TO service_role;

REVOKE ALL ON FUNCTION public.create_tenant_policy(schema_name text, table_name text, policy_name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.get_current_tenant_id() FROM PUBLIC;
GRANT ALL ON FUNCTION public.get_current_tenant_id() TO anon;
GRANT ALL ON FUNCTION public.get_current_tenant_id() TO authenticated;
GRANT ALL ON FUNCTION public.get_current_tenant_id() TO service_role;
GRANT ALL ON FUNCTION public.get_current_tenant_id() TO app_definer;

REVOKE ALL ON FUNCTION public.invite_member(email text, role text, name text, role_id uuid, department_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.invite_member(email text, role text, name text, role_id uuid, department_id uuid) TO authenticated;

REVOKE ALL ON FUNCTION public.log_audit_event(p_organization_id uuid, p_user_id uuid, p_action text, p_resource_type text, p_resource_id text, p_metadata jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.log_audit_event(p_organization_id uuid, p_user_id uuid, p_action text, p_resource_type text, p_resource_id text, p_metadata jsonb) TO authenticated;
GRANT ALL ON FUNCTION public.log_audit_event(p_organization_id uuid, p_user_id uuid, p_action text, p_resource_type text, p_resource_id text, p_metadata jsonb) TO service_role;

REVOKE ALL ON FUNCTION public.low_stock() FROM PUBLIC;
GRANT ALL ON FUNCTION public.low_stock() TO authenticated;
GRANT ALL ON FUNCTION public.low_stock() TO service_role;

REVOKE ALL ON FUNCTION public.mv_customer_lifetime_value(only_customer_id uuid, max_results integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.mv_customer_lifetime_value(only_customer_id uuid, max_results integer) TO authenticated;
GRANT ALL ON FUNCTION public.mv_customer_lifetime_value(only_customer_id uuid, max_results integer) TO service_role;

REVOKE ALL ON FUNCTION public.mv_monthly_revenue() FROM PUBLIC;
GRANT ALL ON FUNCTION public.mv_monthly_revenue() TO authenticated;
GRANT ALL ON FUNCTION public.mv_monthly_revenue() TO service_role;

REVOKE ALL ON FUNCTION public.mv_technician_performance() FROM PUBLIC;
GRANT ALL ON FUNCTION public.mv_technician_performance() TO authenticated;
GRANT ALL ON FUNCTION public.mv_technician_performance() TO service_role;

REVOKE ALL ON FUNCTION public.my_companies() FROM PUBLIC;
GRANT ALL ON FUNCTION public.my_companies() TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.purchase_orders TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.purchase_orders TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.purchase_orders TO authenticated;

REVOKE ALL ON FUNCTION public.receive_purchase_order(purchase_order_id uuid, lines jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.receive_purchase_order(purchase_order_id uuid, lines jsonb) TO authenticated;
GRANT ALL ON FUNCTION public.receive_purchase_order(purchase_order_id uuid, lines jsonb) TO service_role;

REVOKE ALL ON FUNCTION public.refresh_reporting_views() FROM PUBLIC;
GRANT ALL ON FUNCTION public.refresh_reporting_views() TO service_role;

REVOKE ALL ON FUNCTION public.release_stock(reservation_id uuid, quantity numeric, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.release_stock(reservation_id uuid, quantity numeric, reason text) TO authenticated;
GRANT ALL ON FUNCTION public.release_stock(reservation_id uuid, quantity numeric, reason text) TO service_role;

REVOKE ALL ON FUNCTION public.reserve_stock(inventory_id uuid, quantity numeric, job_id uuid, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.reserve_stock(inventory_id uuid, quantity numeric, job_id uuid, reason text) TO authenticated;
GRANT ALL ON FUNCTION public.reserve_stock(inventory_id uuid, quantity numeric, job_id uuid, reason text) TO service_role;

REVOKE ALL ON FUNCTION public.search_customers(query text, max_results integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.search_customers(query text, max_results integer) TO authenticated;
GRANT ALL ON FUNCTION public.search_customers(query text, max_results integer) TO service_role;

REVOKE ALL ON FUNCTION public.search_equipment(query text, max_results integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.search_equipment(query text, max_results integer) TO authenticated;
GRANT ALL ON FUNCTION public.search_equipment(query text, max_results integer) TO service_role;

REVOKE ALL ON FUNCTION public.search_everything(query text, max_results integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.search_everything(query text, max_results integer) TO authenticated;
GRANT ALL ON FUNCTION public.search_everything(query text, max_results integer) TO service_role;

REVOKE ALL ON FUNCTION public.search_jobs(query text, max_results integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.search_jobs(query text, max_results integer) TO authenticated;
GRANT ALL ON FUNCTION public.search_jobs(query text, max_results integer) TO service_role;

REVOKE ALL ON FUNCTION public.search_price_book(query text, max_results integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.search_price_book(query text, max_results integer) TO authenticated;
GRANT ALL ON FUNCTION public.search_price_book(query text, max_results integer) TO service_role;

REVOKE ALL ON FUNCTION public.set_config(setting_name text, setting_value text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_config(setting_name text, setting_value text) TO authenticated;
GRANT ALL ON FUNCTION public.set_config(setting_name text, setting_value text) TO service_role;

REVOKE ALL ON FUNCTION public.stock_by_location(inventory_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.stock_by_location(inventory_id uuid) TO authenticated;
GRANT ALL ON FUNCTION public.stock_by_location(inventory_id uuid) TO service_role;

REVOKE ALL ON FUNCTION public.transfer_company_ownership(new_owner_id uuid, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.transfer_company_ownership(new_owner_id uuid, reason text) TO authenticated;

REVOKE ALL ON FUNCTION public.transfer_stock(inventory_id uuid, to_location_id uuid, quantity numeric, from_location_id uuid, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.transfer_stock(inventory_id uuid, to_location_id uuid, quantity numeric, from_location_id uuid, reason text) TO authenticated;
GRANT ALL ON FUNCTION public.transfer_stock(inventory_id uuid, to_location_id uuid, quantity numeric, from_location_id uuid, reason text) TO service_role;

REVOKE ALL ON FUNCTION public.update_updated_at_column() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.use_stock(reservation_id uuid, quantity numeric, location_id uuid, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.use_stock(reservation_id uuid, quantity numeric, location_id uuid, reason text) TO authenticated;
GRANT ALL ON FUNCTION public.use_stock(reservation_id uuid, quantity numeric, location_id uuid, reason text) TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.applied_code TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.applied_seeds TO app_definer;

GRANT SELECT,INSERT ON TABLE app.audit_batches TO app_definer;
GRANT SELECT ON TABLE app.audit_batches TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.audit_seal TO app_definer;
GRANT SELECT ON TABLE app.audit_seal TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.backfills TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.counters TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.figure_changes TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.migrations TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.protected_tables TO app_definer;
GRANT SELECT ON TABLE app.protected_tables TO anon;
GRANT SELECT ON TABLE app.protected_tables TO authenticated;
GRANT SELECT ON TABLE app.protected_tables TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.role_permissions TO app_definer;
GRANT SELECT ON TABLE app.role_permissions TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.schema_fingerprints TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.statuses TO app_definer;
GRANT SELECT ON TABLE app.statuses TO anon;
GRANT SELECT ON TABLE app.statuses TO authenticated;
GRANT SELECT ON TABLE app.statuses TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.identities TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.identities TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.sessions TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.sessions TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.users TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.users TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.jobs TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.jobs TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.jobs TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE home_services.work_orders TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE home_services.work_orders TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.absences TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.absences TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.absences TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.activities TO app_definer;
GRANT SELECT ON TABLE public.activities TO service_role;
GRANT SELECT ON TABLE public.activities TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.api_keys TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.api_keys TO service_role;
GRANT SELECT,DELETE ON TABLE public.api_keys TO authenticated;

GRANT INSERT(company_id) ON TABLE public.api_keys TO authenticated;

GRANT INSERT(id) ON TABLE public.api_keys TO authenticated;

GRANT INSERT(name),UPDATE(name) ON TABLE public.api_keys TO authenticated;

GRANT INSERT(key_prefix) ON TABLE public.api_keys TO authenticated;

GRANT INSERT(permissions),UPDATE(permissions) ON TABLE public.api_keys TO authenticated;

GRANT INSERT(expires_at),UPDATE(expires_at) ON TABLE public.api_keys TO authenticated;

GRANT UPDATE(revoked_at) ON TABLE public.api_keys TO authenticated;

GRANT UPDATE(version) ON TABLE public.api_keys TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.api_rate_limits TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.api_rate_limits TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.attachments TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.attachments TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.attachments TO authenticated;

GRANT SELECT ON TABLE public.audit_log TO authenticated;
GRANT SELECT ON TABLE public.audit_log TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.background_jobs TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.background_jobs TO service_role;
GRANT SELECT ON TABLE public.background_jobs TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.bookings TO app_definer;
GRANT SELECT ON TABLE public.bookings TO service_role;
GRANT SELECT ON TABLE public.bookings TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.chats TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.chats TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.chats TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.communications TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.communications TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.communications TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.company_holidays TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.company_holidays TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.company_holidays TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.company_settings TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.company_settings TO service_role;
GRANT SELECT,INSERT,UPDATE ON TABLE public.company_settings TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.contracts TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.contracts TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.contracts TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_notes TO app_definer;
GRANT SELECT,INSERT ON TABLE public.credit_notes TO service_role;
GRANT SELECT,INSERT ON TABLE public.credit_notes TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.custom_field_values TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.custom_field_values TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.custom_field_values TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.custom_fields TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.custom_fields TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.custom_fields TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.custom_roles TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.custom_roles TO service_role;
GRANT SELECT,DELETE ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(company_id) ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(id) ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(name),UPDATE(name) ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(description),UPDATE(description) ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(permissions),UPDATE(permissions) ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(color),UPDATE(color) ON TABLE public.custom_roles TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_addresses TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_addresses TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_addresses TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_contacts TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_contacts TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_contacts TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_reviews TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_reviews TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_reviews TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_tags TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_tags TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_tags TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customers TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customers TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customers TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.departments TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.departments TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.departments TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.documents TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.documents TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.documents TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.email_logs TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.email_logs TO service_role;
GRANT SELECT ON TABLE public.email_logs TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.equipment TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.equipment TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.equipment TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.equipment_tags TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.equipment_tags TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.equipment_tags TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimate_jobs TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimate_jobs TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimate_jobs TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimate_line_items TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimate_line_items TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimate_line_items TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimate_options TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimate_options TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimate_options TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimates TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimates TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.estimates TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.file_storage TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.file_storage TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.file_storage TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.form_submissions TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.form_submissions TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.form_submissions TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.form_templates TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.form_templates TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.form_templates TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.import_runs TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.import_runs TO service_role;
GRANT SELECT ON TABLE public.import_runs TO authenticated;

GRANT INSERT(company_id) ON TABLE public.import_runs TO authenticated;

GRANT INSERT(id) ON TABLE public.import_runs TO authenticated;

GRANT INSERT(entity_type) ON TABLE public.import_runs TO authenticated;

GRANT INSERT(format) ON TABLE public.import_runs TO authenticated;

GRANT INSERT(file_name),UPDATE(file_name) ON TABLE public.import_runs TO authenticated;

GRANT UPDATE(status) ON TABLE public.import_runs TO authenticated;

GRANT INSERT(mapping),UPDATE(mapping) ON TABLE public.import_runs TO authenticated;

GRANT UPDATE(version) ON TABLE public.import_runs TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.inventory_locations TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.inventory_locations TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.inventory_locations TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invitations TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invitations TO service_role;
GRANT SELECT,DELETE ON TABLE public.invitations TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_jobs TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_jobs TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_jobs TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_line_items TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_line_items TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_line_items TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.job_equipment TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.job_equipment TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.job_equipment TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.job_tags TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.job_tags TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.job_tags TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.job_team_assignments TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.job_team_assignments TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.job_team_assignments TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.jobs_archive TO app_definer;
GRANT SELECT ON TABLE public.jobs_archive TO service_role;
GRANT SELECT ON TABLE public.jobs_archive TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.labor_rates TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.labor_rates TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.labor_rates TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.member_skills TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.member_skills TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.member_skills TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.member_zones TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.member_zones TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.member_zones TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.messages_v2 TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.messages_v2 TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.messages_v2 TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notes TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notes TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notes TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notification_preferences TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notification_preferences TO service_role;
GRANT SELECT,INSERT,UPDATE ON TABLE public.notification_preferences TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notification_queue TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notification_queue TO service_role;
GRANT SELECT ON TABLE public.notification_queue TO authenticated;

GRANT UPDATE(read_at) ON TABLE public.notification_queue TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notification_templates TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notification_templates TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notification_templates TO authenticated;

GRANT SELECT,DELETE,UPDATE ON TABLE public.organization_memberships TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.organization_memberships TO service_role;

GRANT SELECT,UPDATE ON TABLE public.organizations TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.organizations TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ownership_transfers TO app_definer;
GRANT SELECT ON TABLE public.ownership_transfers TO service_role;
GRANT SELECT ON TABLE public.ownership_transfers TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_allocations TO app_definer;
GRANT SELECT,INSERT ON TABLE public.payment_allocations TO service_role;
GRANT SELECT,INSERT ON TABLE public.payment_allocations TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_methods TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_methods TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_methods TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.po_settings TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.po_settings TO service_role;
GRANT SELECT,INSERT,UPDATE ON TABLE public.po_settings TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.posts TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.posts TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.posts TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.price_book_categories TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.price_book_categories TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.price_book_categories TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.price_history TO app_definer;
GRANT SELECT ON TABLE public.price_history TO service_role;
GRANT SELECT ON TABLE public.price_history TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.pricing_rules TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.pricing_rules TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.pricing_rules TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.users TO app_definer;
GRANT SELECT ON TABLE public.users TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.users TO service_role;

GRANT UPDATE(name) ON TABLE public.users TO authenticated;

GRANT UPDATE(avatar) ON TABLE public.users TO authenticated;

GRANT UPDATE(bio) ON TABLE public.users TO authenticated;

GRANT UPDATE(phone) ON TABLE public.users TO authenticated;

GRANT UPDATE(preferences) ON TABLE public.users TO authenticated;

GRANT UPDATE(status) ON TABLE public.users TO authenticated;

GRANT SELECT,UPDATE ON TABLE public.profiles TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.profiles TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.properties TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.properties TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.properties TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.public_links TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.public_links TO service_role;
GRANT SELECT,DELETE ON TABLE public.public_links TO authenticated;

GRANT INSERT(company_id) ON TABLE public.public_links TO authenticated;

GRANT INSERT(id) ON TABLE public.public_links TO authenticated;

GRANT INSERT(purpose) ON TABLE public.public_links TO authenticated;

GRANT INSERT(estimate_id) ON TABLE public.public_links TO authenticated;

GRANT INSERT(invoice_id) ON TABLE public.public_links TO authenticated;

GRANT INSERT(contract_id) ON TABLE public.public_links TO authenticated;

GRANT INSERT(job_id) ON TABLE public.public_links TO authenticated;

GRANT INSERT(customer_id) ON TABLE public.public_links TO authenticated;

GRANT INSERT(expires_at),UPDATE(expires_at) ON TABLE public.public_links TO authenticated;

GRANT INSERT(uses_max),UPDATE(uses_max) ON TABLE public.public_links TO authenticated;

GRANT UPDATE(revoked_at) ON TABLE public.public_links TO authenticated;

GRANT UPDATE(version) ON TABLE public.public_links TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.purchase_order_line_items TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.purchase_order_line_items TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.purchase_order_line_items TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.recurrences TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.recurrences TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.recurrences TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.requests TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.requests TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.requests TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.role_change_log TO app_definer;
GRANT SELECT ON TABLE public.role_change_log TO service_role;
GRANT SELECT ON TABLE public.role_change_log TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.service_packages TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.service_packages TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.service_packages TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.service_plans TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.service_plans TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.service_plans TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.shifts TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.shifts TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.shifts TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.skills TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.skills TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.skills TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.streams TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.streams TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.streams TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.suggestions TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.suggestions TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.suggestions TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.supplier_integrations TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.supplier_integrations TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.supplier_integrations TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.suppressions TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.suppressions TO service_role;
GRANT SELECT,INSERT,DELETE ON TABLE public.suppressions TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.tags TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.tags TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.tags TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.technician_positions TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.technician_positions TO service_role;
GRANT SELECT,INSERT,UPDATE ON TABLE public.technician_positions TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.time_entries TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.time_entries TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.time_entries TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.vendors TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.vendors TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.vendors TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.verification_tokens TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.verification_tokens TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.votes_v2 TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.votes_v2 TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.votes_v2 TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_logs TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_logs TO service_role;
GRANT SELECT ON TABLE public.webhook_logs TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhooks TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhooks TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhooks TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.zones TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.zones TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.zones TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE shared.customers TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE shared.customers TO service_role;

GRANT SELECT,UPDATE ON TABLE shared.tenants TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE shared.tenants TO service_role;

GRANT SELECT ON TABLE shared.users TO authenticated;
GRANT SELECT ON TABLE shared.users TO service_role;

ALTER DEFAULT PRIVILEGES FOR ROLE app_definer REVOKE ALL ON FUNCTIONS  FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE app_owner REVOKE ALL ON FUNCTIONS  FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE migrator REVOKE ALL ON FUNCTIONS  FROM PUBLIC;

