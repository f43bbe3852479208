-- description: what a company wants to run by itself, and figures that are noted again and again
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261125010000
-- rollback: drops the settings and the noted figures

alter table public.company_settings
  add column invoice_reminders_enabled boolean not null default false,
  add column invoice_reminders_max integer not null default 5 check (invoice_reminders_max between 1 and 100),
  add column report_mails text[] not null default '{customers,performance,billing}'
    check (report_mails <@ '{customers,performance,billing}'::text[]);
comment on column public.company_settings.invoice_reminders_enabled is 'Whether customers are reminded by mail of invoices that are overdue, once in 24 hours at most.';
comment on column public.company_settings.invoice_reminders_max is 'How many reminders of one invoice are sent.';
comment on column public.company_settings.report_mails is 'Which reports are mailed to members who may read reports: customers (daily), performance (weekly), billing (monthly).';

create table public.business_metrics (
  company_id   uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id           uuid not null default app.uuid_v7(),
  metric_name  text not null check (metric_name ~ '^[a-z][a-z0-9_]{0,79}$'),
  metric_value numeric not null,
  dimensions   jsonb not null default '{}' check (jsonb_typeof(dimensions) = 'object'),
  measured_at  timestamptz not null default now(),
  primary key (company_id, id)
);
comment on table public.business_metrics is 'Figures of a company as they were at a moment, noted again and again.';
create index business_metrics_name_idx on public.business_metrics (company_id, metric_name, measured_at desc);
create index business_metrics_measured_at_idx on public.business_metrics (measured_at);
select app.enclose('public.business_metrics');
