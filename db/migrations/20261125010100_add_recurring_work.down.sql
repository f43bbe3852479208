-- description: takes back add_recurring_work
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261125010000
-- rollback: migrate up again; the settings and the noted figures are lost

-- backfill: app.protected_tables rows=0..1
delete from app.protected_tables where table_name = 'public.business_metrics';
drop table public.business_metrics cascade;
alter table public.company_settings
  drop column report_mails cascade,
  drop column invoice_reminders_max cascade,
  drop column invoice_reminders_enabled cascade;
