-- description: takes back create_field_work
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090000
-- rollback: migrate up again; the rows are lost

drop table public.jobs_archive_restricted cascade;
drop table public.jobs_archive cascade;
drop table public.custom_field_values cascade;
drop table public.custom_fields cascade;
drop table public.equipment_tags cascade;
drop table public.job_tags cascade;
drop table public.customer_tags cascade;
drop table public.tags cascade;
drop table public.notes cascade;
drop table public.form_submissions cascade;
drop table public.form_templates cascade;
drop table public.requests cascade;
drop table public.technician_positions cascade;
drop table public.time_entries cascade;
drop table public.absences cascade;
drop table public.shifts cascade;
drop table public.bookings cascade;
drop table public.schedules cascade;
drop table public.recurrences cascade;
drop table public.member_zones cascade;
drop table public.member_skills cascade;
drop table public.skills cascade;
drop table public.zones cascade;
drop table public.job_equipment cascade;
drop table public.job_team_assignments cascade;
alter table public.jobs
  drop column crew cascade,
  drop column archived_from cascade,
  drop column service_plan_id cascade,
  drop column referral_customer_id cascade,
  drop column lead_source_detail cascade,
  drop column lead_temperature cascade,
  drop column conversion_likelihood cascade,
  drop column marketing_campaign_id cascade,
  drop column time_to_conversion cascade,
  drop column labor_rate cascade,
  drop column labor_hours_estimated cascade,
  drop column labor_hours_actual cascade,
  drop column labor_burden_percent cascade,
  drop column labor_cost_total cascade,
  drop column materials_cost_actual cascade,
  drop column materials_markup_percent cascade,
  drop column materials_revenue cascade,
  drop column equipment_cost cascade,
  drop column subcontractor_cost cascade,
  drop column overhead_allocation cascade,
  drop column total_cost_actual cascade,
  drop column total_revenue cascade,
  drop column profit_margin_target cascade,
  drop column profit_margin_actual cascade,
  drop column review_opt_out cascade,
  drop column review_request_method cascade,
  drop column review_request_sent_at cascade,
  drop column review_reminder_count cascade,
  drop column review_last_reminder_sent_at cascade,
  drop column review_link_clicked cascade,
  drop column review_link_clicked_at cascade,
  drop column review_submitted cascade,
  drop column review_submitted_at cascade,
  drop column review_rating cascade,
  drop column review_text cascade,
  drop column review_platform cascade,
  drop column review_url cascade,
  drop column review_notes cascade,
  drop column review_follow_up_sent cascade,
  drop column review_follow_up_sent_at cascade;
comment on column public.properties.directions is null;
comment on column public.properties.parking_instructions is null;
comment on column public.properties.service_entrance_notes is null;
alter table public.properties
  drop column primary_contact_id cascade;
alter table public.customers
  drop column is_business cascade,
  drop column preferred_payment_method cascade,
  drop column stripe_customer_id cascade,
  drop column sales_context cascade,
  drop column service_flags cascade,
  drop column directions cascade,
  drop column content_version cascade,
  drop column content_updated_at cascade,
  drop column content_updated_by cascade,
  drop column page_content cascade,
  drop column page_layout cascade,
  drop column primary_contact_id cascade,
  drop column default_address_id cascade;
drop table public.customer_addresses cascade;
drop table public.customer_contacts cascade;
drop table public.equipment cascade;
drop table public.service_plans cascade;
drop table public.company_holidays cascade;
drop table public.company_settings cascade;
alter table public.team_members
  drop column department cascade,
  drop column direct_inward_dial cascade,
  drop column phone_extension cascade,
  drop column extension_enabled cascade,
  drop column call_forwarding_enabled cascade,
  drop column call_forwarding_number cascade,
  drop column ring_timeout_seconds cascade,
  drop column simultaneous_ring_enabled cascade,
  drop column voicemail_greeting_url cascade,
  drop column voicemail_pin cascade,
  drop column invited_email cascade,
  drop column invited_name cascade,
  drop column employee_number cascade,
  drop column hire_date cascade,
  drop column hourly_cost cascade;
alter table public.users
  drop column stripe_customer_id cascade;
alter table public.companies
  drop column brand_primary_color cascade,
  drop column brand_secondary_color cascade,
  drop column brand_accent_color cascade,
  drop column brand_font cascade,
  drop column logo_square_url cascade,
  drop column logo_url cascade,
  drop column website_url cascade,
  drop column ein cascade,
  drop column email_settings cascade,
  drop column portal_settings cascade,
  drop column refund_settings cascade,
  drop column email_verified cascade,
  drop column email_verified_at cascade,
  drop column onboarding_completion_percentage cascade,
  drop column onboarding_data cascade,
  drop column onboarding_step_completed cascade,
  drop column stripe_subscription_id cascade,
  drop column stripe_subscription_status cascade,
  drop column subscription_cancel_at_period_end cascade,
  drop column subscription_current_period_start cascade,
  drop column subscription_current_period_end cascade;
