-- description: says what tables are for, and units and keepers of columns whose names do not tell
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090500
-- rollback: takes the words away again

comment on table app.migrations is 'Migrations that are applied, with the digest of each file.';
comment on table app.applied_code is 'The digest of db/code as it was applied last, and before.';
comment on table app.applied_seeds is 'Seed files that are applied once.';
comment on table app.backfills is 'How far each filling of a column in batches has come.';
comment on table app.schema_fingerprints is 'What the schema was after each migrate, to notice changes by hand.';
comment on table auth.identities is 'How a person signs in: by password or through a provider.';
comment on table auth.sessions is 'Who is signed in, since when, and in which company he works.';
comment on table public.custom_roles is 'Roles of a company''s own: what they add to a member''s role and take from it.';
comment on table public.departments is 'Groups of a company''s members.';
comment on table public.invitations is 'Who was asked to join a company, and as what.';
comment on table public.ownership_transfers is 'Every change of a company''s owner. Nobody writes it by hand.';
comment on table public.role_change_log is 'Every change of a member''s role and permissions. Written by triggers.';

comment on column app.statuses.next is 'The statuses that can follow.';
comment on column app.statuses.needs is 'Columns that are filled in a row of this status; a|b means one of them.';
comment on column app.statuses.is_first is 'Whether a member''s new row may begin with it.';
comment on column app.statuses.instead is 'The word to use instead, for words of other programs.';
comment on column app.figures.subject is 'The customer or technician; zeros for sums of the company and its months.';
comment on column app.figures.month is 'The first day of the month; 1970 for what is not of a month.';
comment on column app.audit_batches.number is 'Counts the company''s batches from 1, without a gap.';
comment on column app.audit_batches.row_digests is 'The digests of the rows, in the order of row_ids.';

comment on column public.team_members.effective_permissions is
  'Kept by a trigger: what role, custom role and exceptions give together, as a list between commas.';
comment on column public.team_members.hourly_cost is 'What an hour costs the company, in minor units.';
comment on column public.company_settings.default_tax_rate is 'Percent.';
comment on column public.jobs.crew is 'Kept by a trigger: who works on it beside assigned_to, from job_team_assignments.';
comment on column public.jobs.labor_rate is 'Of an hour, in minor units.';
comment on column public.schedules.crew is 'Who goes along beside assigned_to; each is booked.';
comment on column public.schedules.duration is 'Kept by a trigger: minutes from start to end.';
comment on column public.schedules.actual_duration is 'Kept by a trigger: minutes from the actual start to the actual end.';
comment on column public.schedules.double_booking_reason is 'Allows that somebody is booked twice, and says why.';
comment on column public.technician_positions.heading is 'Degrees from north, clockwise.';

comment on column public.price_book_items.cost is 'Of one unit, in minor units of the currency.';
comment on column public.price_book_items.price is 'Of one unit, in minor units of the currency.';
comment on column public.inventory.quantity_available is 'On hand and not reserved.';
comment on column public.inventory.total_cost_value is 'Kept by a trigger: quantity on hand times the cost of one.';
comment on column public.inventory.is_low_stock is 'Kept by a trigger: the quantity on hand is not above the minimum.';
comment on column public.pricing_rules.days_of_week is 'Numbers from 0, Sunday, to 6; null is every day.';
comment on column public.pricing_rules.time_ranges is 'A list of {"start": "HH:MM", "end": "HH:MM"}.';

comment on column public.estimates.tax_rate is 'Percent.';
comment on column public.invoices.tax_rate is 'Percent.';
comment on column public.purchase_orders.tax_rate is 'Percent.';
comment on column public.invoices.invoice_number is 'Given when it is issued, without a gap.';
comment on column public.invoices.draft_number is 'Given when it is made; gaps are allowed.';
comment on column public.invoices.balance_amount is 'Kept by triggers: total less paid less credited.';
comment on column public.payments.net_amount is 'Kept by a trigger: amount less the processor''s fee.';
comment on column public.payments.idempotency_digest is
  'Kept by a trigger: what the first request said, as a digest, to know its repetitions.';

comment on column public.audit_logs.xid is 'The transaction that wrote it; the seal waits until it has ended.';
comment on column public.customer_reviews.sentiment_score is 'From -1 to 1.';

-- Second ways between two tables, which embedding takes only where they are named.
comment on constraint jobs_referral_customer_id_fkey on public.jobs is '@named_only The customer who referred this one.';
comment on constraint equipment_install_job_id_fkey on public.equipment is '@named_only The job that installed it.';
comment on constraint equipment_last_service_job_id_fkey on public.equipment is '@named_only The job that serviced it last.';
comment on constraint estimates_converted_to_job_id_fkey on public.estimates is '@named_only The job that was made of it.';
comment on constraint estimate_jobs_job_id_fkey on public.estimate_jobs is '@named_only Further jobs of an estimate.';
comment on constraint invoice_jobs_job_id_fkey on public.invoice_jobs is '@named_only Further jobs of an invoice.';
comment on constraint customers_default_address_id_fkey on public.customers is
  '@named_only The address that is meant where none is said.';
comment on constraint customers_primary_contact_id_fkey on public.customers is '@named_only Whom to ask first.';
comment on constraint estimates_selected_option_id_fkey on public.estimates is '@named_only The option that the customer chose.';
comment on constraint estimates_converted_to_invoice_id_fkey on public.estimates is
  '@named_only The invoice that was made of it.';
comment on constraint stock_moves_to_location_id_fkey on public.stock_moves is '@named_only Where it went.';
comment on constraint votes_v2_message_id_fkey on public.votes_v2 is '@named_only The message that was voted on.';
