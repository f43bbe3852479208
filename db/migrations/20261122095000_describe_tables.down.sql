-- description: takes back describe_tables
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090500
-- rollback: migrate up again

comment on constraint votes_v2_message_id_fkey on public.votes_v2 is null;
comment on constraint stock_moves_to_location_id_fkey on public.stock_moves is null;
comment on constraint estimates_converted_to_invoice_id_fkey on public.estimates is null;
comment on constraint estimates_selected_option_id_fkey on public.estimates is null;
comment on constraint customers_primary_contact_id_fkey on public.customers is null;
comment on constraint customers_default_address_id_fkey on public.customers is null;
comment on constraint invoice_jobs_job_id_fkey on public.invoice_jobs is null;
comment on constraint estimate_jobs_job_id_fkey on public.estimate_jobs is null;
comment on constraint estimates_converted_to_job_id_fkey on public.estimates is null;
comment on constraint equipment_last_service_job_id_fkey on public.equipment is null;
comment on constraint equipment_install_job_id_fkey on public.equipment is null;
comment on constraint jobs_referral_customer_id_fkey on public.jobs is null;
comment on column public.customer_reviews.sentiment_score is null;
comment on column public.audit_logs.xid is null;
comment on column public.payments.idempotency_digest is null;
comment on column public.payments.net_amount is null;
comment on column public.invoices.balance_amount is null;
comment on column public.invoices.draft_number is null;
comment on column public.invoices.invoice_number is null;
comment on column public.purchase_orders.tax_rate is null;
comment on column public.invoices.tax_rate is null;
comment on column public.estimates.tax_rate is null;
comment on column public.pricing_rules.time_ranges is null;
comment on column public.pricing_rules.days_of_week is null;
comment on column public.inventory.is_low_stock is null;
comment on column public.inventory.total_cost_value is null;
comment on column public.inventory.quantity_available is null;
comment on column public.price_book_items.price is null;
comment on column public.price_book_items.cost is null;
comment on column public.technician_positions.heading is null;
comment on column public.schedules.double_booking_reason is null;
comment on column public.schedules.actual_duration is null;
comment on column public.schedules.duration is null;
comment on column public.schedules.crew is null;
comment on column public.jobs.labor_rate is null;
comment on column public.jobs.crew is null;
comment on column public.company_settings.default_tax_rate is null;
comment on column public.team_members.hourly_cost is null;
comment on column public.team_members.effective_permissions is null;
comment on column app.audit_batches.row_digests is null;
comment on column app.audit_batches.number is null;
comment on column app.figures.month is null;
comment on column app.figures.subject is null;
comment on column app.statuses.instead is null;
comment on column app.statuses.is_first is null;
comment on column app.statuses.needs is null;
comment on column app.statuses.next is null;
comment on table public.role_change_log is null;
comment on table public.ownership_transfers is null;
comment on table public.invitations is null;
comment on table public.departments is null;
comment on table public.custom_roles is null;
comment on table auth.sessions is null;
comment on table auth.identities is null;
comment on table app.schema_fingerprints is null;
comment on table app.backfills is null;
comment on table app.applied_seeds is null;
comment on table app.applied_code is null;
comment on table app.migrations is null;
