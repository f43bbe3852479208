-- description: what field work needs beside customers and jobs: company settings, equipment, service plans, schedules, time, territories, requests, forms, notes, tags
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090000
-- rollback: drops these tables and columns with everything in them; take a backup first
--
-- lint: allow adding-foreign-key-constraint because the columns are new and empty
-- lint: allow constraint-missing-not-valid because the columns are new and empty
-- lint: allow require-concurrent-index-creation because the columns are new and empty

alter table public.companies
  add column brand_primary_color text check (brand_primary_color ~ '^#[0-9A-Fa-f]{6}$'),
  add column brand_secondary_color text check (brand_secondary_color ~ '^#[0-9A-Fa-f]{6}$'),
  add column brand_accent_color text check (brand_accent_color ~ '^#[0-9A-Fa-f]{6}$'),
  add column brand_font text check (length(brand_font) <= 100),
  add column logo_square_url text check (length(logo_square_url) <= 2048),
  add column logo_url text check (length(logo_url) <= 2048),
  add column website_url text check (length(website_url) <= 2048),
  add column ein text check (length(ein) <= 20),
  add column email_settings jsonb not null default '{}' check (jsonb_typeof(email_settings) = 'object'),
  add column portal_settings jsonb not null default '{}' check (jsonb_typeof(portal_settings) = 'object'),
  add column refund_settings jsonb not null default '{}' check (jsonb_typeof(refund_settings) = 'object'),
  add column email_verified boolean not null default false,
  add column email_verified_at timestamptz,
  add column onboarding_completion_percentage integer not null default 0 check (onboarding_completion_percentage between 0 and 100),
  add column onboarding_data jsonb not null default '{}' check (jsonb_typeof(onboarding_data) = 'object'),
  add column onboarding_step_completed jsonb not null default '{}' check (jsonb_typeof(onboarding_step_completed) = 'object'),
  add column stripe_subscription_id text check (length(stripe_subscription_id) <= 255),
  add column stripe_subscription_status text check (length(stripe_subscription_status) <= 40),
  add column subscription_cancel_at_period_end boolean not null default false,
  add column subscription_current_period_start timestamptz,
  add column subscription_current_period_end timestamptz;
comment on column public.companies.ein is 'pii:tax_id';

alter table public.users
  add column stripe_customer_id text check (length(stripe_customer_id) <= 255);

alter table public.team_members
  add column department text check (length(department) <= 120),
  add column direct_inward_dial text check (direct_inward_dial ~ '^[+][1-9][0-9]{6,14}$'),
  add column phone_extension text check (length(phone_extension) <= 10),
  add column extension_enabled boolean not null default false,
  add column call_forwarding_enabled boolean not null default false,
  add column call_forwarding_number text check (call_forwarding_number ~ '^[+][1-9][0-9]{6,14}$'),
  add column ring_timeout_seconds integer not null default 20 check (ring_timeout_seconds between 5 and 120),
  add column simultaneous_ring_enabled boolean not null default false,
  add column voicemail_greeting_url text check (length(voicemail_greeting_url) <= 2048),
  add column voicemail_pin text check (length(voicemail_pin) <= 255),
  add column invited_email text check (length(invited_email) between 3 and 254 and invited_email ~ '^[^@\s]+@[^@\s]+$'),
  add column invited_name text check (length(invited_name) <= 200),
  add column employee_number text check (length(employee_number) <= 40),
  add column hire_date date,
  add column hourly_cost bigint check (hourly_cost >= 0);
comment on column public.team_members.call_forwarding_number is 'pii:phone';
comment on column public.team_members.voicemail_pin is 'secret';
comment on column public.team_members.invited_email is 'pii:email';
comment on column public.team_members.invited_name is 'pii:name';
comment on column public.team_members.direct_inward_dial is 'pii:phone';

create table public.company_settings (
  company_id           uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                   uuid not null default app.uuid_v7(),
  hours_of_operation   jsonb not null default '{}' check (jsonb_typeof(hours_of_operation) = 'object'),
  service_area_type    text default 'locations' check (service_area_type in ('radius', 'locations')),
  service_radius       integer not null default 25 check (service_radius >= 0),
  service_areas        jsonb not null default '[]' check (jsonb_typeof(service_areas) = 'array'),
  address              text check (length(address) <= 300),
  address2             text check (length(address2) <= 300),
  city                 text check (length(city) <= 120),
  state                text check (length(state) <= 120),
  zip_code             text check (length(zip_code) <= 20),
  country              text not null default 'USA' check (country ~ '^[A-Z]{2,3}$'),
  company_feed_enabled boolean not null default true,
  feed_visibility      text not null default 'all_team' check (feed_visibility in ('all_team', 'managers', 'owner')),
  invoice_due_days     integer not null default 30 check (invoice_due_days between 0 and 365),
  estimate_valid_days  integer not null default 30 check (estimate_valid_days between 1 and 365),
  default_tax_rate     numeric(7,4) not null default 0 check (default_tax_rate between 0 and 100),
  -- Days per kind (email_logs, activities, webhook_logs, audit_logs, deleted_rows), where the company wants other than the usual.
  retention            jsonb not null default '{}' check (jsonb_typeof(retention) = 'object'),
  version              bigint not null default 1,
  created_at           timestamptz not null default now(),
  updated_at           timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id)
);
comment on table public.company_settings is 'One row a company: hours, service area, how it wants to be shown.';
create index company_settings_id_idx on public.company_settings (id);
select app.enclose('public.company_settings');

create table public.company_holidays (
  company_id     uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id             uuid not null default app.uuid_v7(),
  name           text not null check (length(name) between 1 and 200),
  holiday_date   date not null,
  is_recurring   boolean not null default false,
  is_working_day boolean not null default false,
  version        bigint not null default 1,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, holiday_date, name)
);
comment on table public.company_holidays is 'Days on which a company does not work.';
create index company_holidays_id_idx on public.company_holidays (id);
select app.enclose('public.company_holidays');

create table public.service_plans (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  customer_id                   uuid not null,
  property_id                   uuid,
  plan_number                   text not null default '' check (length(plan_number) <= 40),
  name                          text not null check (length(name) between 1 and 200),
  description                   text check (length(description) <= 20000),
  type                          text not null default 'preventive' check (type in ('preventive', 'warranty', 'subscription', 'contract')),
  frequency                     text not null default 'annually' check (frequency in ('weekly', 'bi_weekly', 'monthly', 'quarterly', 'semi_annually', 'annually', 'custom')),
  custom_frequency_days         integer check (custom_frequency_days between 1 and 3650),
  visits_per_term               integer not null default 1 check (visits_per_term between 1 and 366),
  start_date                    timestamptz not null default now(),
  end_date                      timestamptz,
  renewal_type                  text default 'manual' check (renewal_type in ('auto', 'manual', 'none')),
  renewal_notice_days           integer not null default 30 check (renewal_notice_days >= 0),
  currency                      text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  price                         bigint not null default 0 check (price >= 0),
  billing_frequency             text default 'annually' check (billing_frequency in ('monthly', 'quarterly', 'annually', 'one_time')),
  taxable                       boolean not null default true,
  included_services             jsonb not null default '[]' check (jsonb_typeof(included_services) = 'array'),
  included_equipment_types      jsonb not null default '[]' check (jsonb_typeof(included_equipment_types) = 'array'),
  price_book_item_ids           jsonb not null default '[]' check (jsonb_typeof(price_book_item_ids) = 'array'),
  last_service_date             timestamptz,
  next_service_due              timestamptz,
  auto_generate_jobs            boolean not null default false,
  assigned_technician           uuid,
  status                        text not null default 'active' check (status in ('draft', 'active', 'paused', 'cancelled', 'expired', 'completed')),
  paused_at                     timestamptz,
  paused_reason                 text check (length(paused_reason) <= 2000),
  cancelled_at                  timestamptz,
  cancelled_reason              text check (length(cancelled_reason) <= 2000),
  completed_at                  timestamptz,
  terms                         text check (length(terms) <= 20000),
  customer_signature            text check (length(customer_signature) <= 1000000),
  signed_at                     timestamptz,
  signed_by_name                text check (length(signed_by_name) <= 200),
  total_visits_completed        bigint not null default 0 check (total_visits_completed >= 0),
  total_revenue                 bigint not null default 0,
  notes                         text check (length(notes) <= 20000),
  customer_notes                text check (length(customer_notes) <= 20000),
  metadata                      jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, plan_number),
  constraint service_plans_term_check check (end_date > start_date),
  constraint service_plans_custom_frequency_check check (frequency <> 'custom' or custom_frequency_days is not null),
  constraint service_plans_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete cascade,
  constraint service_plans_property_id_fkey foreign key (company_id, property_id)
    references public.properties (company_id, id) on delete set null (property_id),
  constraint service_plans_assigned_technician_fkey foreign key (company_id, assigned_technician)
    references public.team_members (company_id, user_id) on delete set null (assigned_technician)
);
comment on table public.service_plans is 'Recurring visits to a customer for a price.';
comment on column public.service_plans.signed_by_name is 'pii:name';
comment on column public.service_plans.customer_signature is 'pii:signature';
create index service_plans_id_idx on public.service_plans (id);
create index service_plans_customer_id_idx on public.service_plans (company_id, customer_id);
create index service_plans_property_id_idx on public.service_plans (company_id, property_id);
create index service_plans_assigned_technician_idx on public.service_plans (company_id, assigned_technician);
create index service_plans_created_at_idx on public.service_plans (company_id, created_at desc, id);
create index service_plans_next_service_due_idx on public.service_plans (company_id, next_service_due);
create index service_plans_status_idx on public.service_plans (company_id, status, next_service_due);
select app.enclose('public.service_plans');

create table public.equipment (
  company_id                      uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                              uuid not null default app.uuid_v7(),
  customer_id                     uuid,
  property_id                     uuid,
  equipment_number                text not null default '' check (length(equipment_number) <= 40),
  name                            text not null check (length(name) between 1 and 200),
  type                            text not null default 'other' check (type in ('hvac', 'plumbing', 'electrical', 'appliance', 'water_heater', 'furnace', 'ac_unit', 'other')),
  category                        text check (length(category) <= 120),
  classification                  text not null default 'equipment' check (classification in ('equipment', 'tool', 'vehicle')),
  asset_category                  text check (length(asset_category) <= 120),
  asset_subcategory               text check (length(asset_subcategory) <= 120),
  manufacturer                    text check (length(manufacturer) <= 200),
  model                           text check (length(model) <= 200),
  serial_number                   text check (length(serial_number) <= 200),
  model_year                      integer check (model_year between 1900 and 2200),
  install_date                    timestamptz,
  installed_by                    uuid,
  install_job_id                  uuid,
  warranty_expiration             timestamptz,
  warranty_provider               text check (length(warranty_provider) <= 200),
  warranty_notes                  text check (length(warranty_notes) <= 20000),
  is_under_warranty               boolean not null default false,
  last_service_date               timestamptz,
  last_service_job_id             uuid,
  next_service_due                timestamptz,
  service_interval_days           integer not null default 365 check (service_interval_days between 1 and 36500),
  service_plan_id                 uuid,
  capacity                        text check (length(capacity) <= 120),
  efficiency                      text check (length(efficiency) <= 120),
  fuel_type                       text check (fuel_type in ('electric', 'gas', 'propane', 'oil', 'dual')),
  location                        text check (length(location) <= 200),
  condition                       text not null default 'good' check (condition in ('excellent', 'good', 'fair', 'poor', 'needs_replacement')),
  status                          text not null default 'active' check (status in ('active', 'inactive', 'retired', 'replaced')),
  replaced_date                   timestamptz,
  replaced_by_equipment_id        uuid,
  photos                          jsonb not null default '[]' check (jsonb_typeof(photos) = 'array'),
  documents                       jsonb not null default '[]' check (jsonb_typeof(documents) = 'array'),
  notes                           text check (length(notes) <= 20000),
  customer_notes                  text check (length(customer_notes) <= 20000),
  metadata                        jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  total_service_count             bigint not null default 0 check (total_service_count >= 0),
  total_service_cost              bigint not null default 0 check (total_service_cost >= 0),
  average_service_cost            bigint not null default 0 check (average_service_cost >= 0),
  tool_serial                     text check (length(tool_serial) <= 200),
  tool_calibration_due            timestamptz,
  vehicle_make                    text check (length(vehicle_make) <= 120),
  vehicle_model                   text check (length(vehicle_model) <= 120),
  vehicle_year                    integer check (vehicle_year between 1900 and 2200),
  vehicle_vin                     text check (length(vehicle_vin) <= 40),
  vehicle_license_plate           text check (length(vehicle_license_plate) <= 20),
  vehicle_fuel_type               text check (length(vehicle_fuel_type) <= 40),
  vehicle_odometer                integer check (vehicle_odometer >= 0),
  vehicle_registration_expiration timestamptz,
  vehicle_inspection_due          timestamptz,
  vehicle_last_service_mileage    integer check (vehicle_last_service_mileage >= 0),
  vehicle_next_service_mileage    integer check (vehicle_next_service_mileage >= 0),
  created_by                      uuid default auth.uid(),
  archived_at                     timestamptz,
  deleted_at                      timestamptz,
  deleted_by                      uuid,
  permanent_delete_scheduled_at   timestamptz,
  version                         bigint not null default 1,
  created_at                      timestamptz not null default now(),
  updated_at                      timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, equipment_number),
  constraint equipment_replaced_by_another_check check (replaced_by_equipment_id <> id),
  constraint equipment_installed_check check (classification <> 'equipment' or customer_id is not null),
  constraint equipment_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete cascade,
  constraint equipment_property_id_fkey foreign key (company_id, property_id)
    references public.properties (company_id, id) on delete set null (property_id),
  constraint equipment_installed_by_fkey foreign key (company_id, installed_by)
    references public.team_members (company_id, user_id) on delete set null (installed_by),
  constraint equipment_install_job_id_fkey foreign key (company_id, install_job_id)
    references public.jobs (company_id, id) on delete set null (install_job_id),
  constraint equipment_last_service_job_id_fkey foreign key (company_id, last_service_job_id)
    references public.jobs (company_id, id) on delete set null (last_service_job_id),
  constraint equipment_service_plan_id_fkey foreign key (company_id, service_plan_id)
    references public.service_plans (company_id, id) on delete set null (service_plan_id),
  constraint equipment_replaced_by_equipment_id_fkey foreign key (company_id, replaced_by_equipment_id)
    references public.equipment (company_id, id) on delete set null (replaced_by_equipment_id)
);
comment on table public.equipment is 'Installed assets at a property; tools and vehicles of the company.';
create index equipment_id_idx on public.equipment (id);
create index equipment_customer_id_idx on public.equipment (company_id, customer_id);
create index equipment_property_id_idx on public.equipment (company_id, property_id);
create index equipment_installed_by_idx on public.equipment (company_id, installed_by);
create index equipment_install_job_id_idx on public.equipment (company_id, install_job_id);
create index equipment_last_service_job_id_idx on public.equipment (company_id, last_service_job_id);
create index equipment_service_plan_id_idx on public.equipment (company_id, service_plan_id);
create index equipment_replaced_by_equipment_id_idx on public.equipment (company_id, replaced_by_equipment_id);
create index equipment_created_at_idx on public.equipment (company_id, created_at desc, id);
create index equipment_next_service_due_idx on public.equipment (company_id, next_service_due);
create index equipment_serial_number_idx on public.equipment (company_id, serial_number);
create index equipment_status_idx on public.equipment (company_id, status, created_at desc);
select app.enclose('public.equipment');

create table public.customer_contacts (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  customer_id                   uuid not null,
  first_name                    text not null default '' check (length(first_name) <= 120),
  last_name                     text not null default '' check (length(last_name) <= 120),
  title                         text check (length(title) <= 120),
  role                          text not null default 'other' check (role in ('primary', 'billing', 'site', 'emergency', 'other')),
  email                         text check (length(email) between 3 and 254 and email ~ '^[^@\s]+@[^@\s]+$'),
  phone                         text check (phone ~ '^[+][1-9][0-9]{6,14}$'),
  mobile_phone                  text check (mobile_phone ~ '^[+][1-9][0-9]{6,14}$'),
  is_primary                    boolean not null default false,
  is_billing                    boolean not null default false,
  notes                         text check (length(notes) <= 20000),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  constraint customer_contacts_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete cascade
);
comment on table public.customer_contacts is 'People to speak to at a customer.';
comment on column public.customer_contacts.email is 'pii:email';
comment on column public.customer_contacts.phone is 'pii:phone';
comment on column public.customer_contacts.mobile_phone is 'pii:phone';
comment on column public.customer_contacts.first_name is 'pii:name';
comment on column public.customer_contacts.last_name is 'pii:name';
create index customer_contacts_id_idx on public.customer_contacts (id);
create index customer_contacts_customer_id_idx on public.customer_contacts (company_id, customer_id);
create index customer_contacts_created_at_idx on public.customer_contacts (company_id, created_at desc, id);
select app.enclose('public.customer_contacts');

create table public.customer_addresses (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  customer_id                   uuid not null,
  property_id                   uuid,
  label                         text not null default 'Address' check (length(label) <= 120),
  kind                          text not null default 'other' check (kind in ('billing', 'mailing', 'service', 'other')),
  address                       text not null check (length(address) between 1 and 300),
  address2                      text check (length(address2) <= 300),
  city                          text not null check (length(city) between 1 and 120),
  state                         text not null check (length(state) between 1 and 120),
  zip_code                      text not null check (length(zip_code) between 1 and 20),
  country                       text not null default 'USA' check (country ~ '^[A-Z]{2,3}$'),
  lat                           double precision check (lat between -90 and 90),
  lon                           double precision check (lon between -180 and 180),
  is_default                    boolean not null default false,
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  constraint customer_addresses_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete cascade,
  constraint customer_addresses_property_id_fkey foreign key (company_id, property_id)
    references public.properties (company_id, id) on delete set null (property_id)
);
comment on table public.customer_addresses is 'Addresses of a customer beside his properties.';
comment on column public.customer_addresses.address is 'pii:address';
comment on column public.customer_addresses.address2 is 'pii:address';
create index customer_addresses_id_idx on public.customer_addresses (id);
create index customer_addresses_customer_id_idx on public.customer_addresses (company_id, customer_id);
create index customer_addresses_property_id_idx on public.customer_addresses (company_id, property_id);
create index customer_addresses_created_at_idx on public.customer_addresses (company_id, created_at desc, id);
select app.enclose('public.customer_addresses');

alter table public.customers
  add column is_business boolean not null default false,
  add column preferred_payment_method text check (length(preferred_payment_method) <= 40),
  add column stripe_customer_id text check (length(stripe_customer_id) <= 255),
  add column sales_context jsonb not null default '{}' check (jsonb_typeof(sales_context) = 'object'),
  add column service_flags jsonb not null default '{}' check (jsonb_typeof(service_flags) = 'object'),
  add column directions text check (length(directions) <= 4000),
  add column content_version integer not null default 0 check (content_version >= 0),
  add column content_updated_at timestamptz,
  add column content_updated_by uuid,
  add column page_content jsonb,
  add column page_layout jsonb,
  add column primary_contact_id uuid,
  add column default_address_id uuid,
  add constraint customers_primary_contact_id_fkey foreign key (company_id, primary_contact_id)
    references public.customer_contacts (company_id, id) on delete set null (primary_contact_id),
  add constraint customers_default_address_id_fkey foreign key (company_id, default_address_id)
    references public.customer_addresses (company_id, id) on delete set null (default_address_id);
comment on column public.properties.directions is 'pii:text';
comment on column public.properties.parking_instructions is 'pii:text';
comment on column public.properties.service_entrance_notes is 'pii:text';
comment on column public.customers.directions is 'pii:text';
create index customers_primary_contact_id_idx on public.customers (company_id, primary_contact_id);
create index customers_default_address_id_idx on public.customers (company_id, default_address_id);

alter table public.properties
  add column primary_contact_id uuid,
  add constraint properties_primary_contact_id_fkey foreign key (company_id, primary_contact_id)
    references public.customer_contacts (company_id, id) on delete set null (primary_contact_id);
create index properties_primary_contact_id_idx on public.properties (company_id, primary_contact_id);

alter table public.jobs
  -- Kept by a trigger from job_team_assignments: who beside assigned_to works on it, and so sees it.
  add column crew uuid[] not null default '{}' check (cardinality(crew) <= 100),
  -- Kept by a trigger: what an archived job was before. Unknown of those that were archived earlier.
  add column archived_from text check (archived_from in ('quoted', 'scheduled', 'in_progress', 'on_hold', 'cancelled', 'paid')),
  add column service_plan_id uuid,
  add column referral_customer_id uuid,
  add column lead_source_detail text check (length(lead_source_detail) <= 300),
  add column lead_temperature text check (length(lead_temperature) <= 40),
  add column conversion_likelihood integer check (conversion_likelihood between 0 and 100),
  add column marketing_campaign_id text check (length(marketing_campaign_id) <= 255),
  -- Minutes.
  add column time_to_conversion integer check (time_to_conversion >= 0),
  add column labor_rate bigint check (labor_rate >= 0),
  add column labor_hours_estimated numeric(14,3) check (labor_hours_estimated >= 0),
  add column labor_hours_actual numeric(14,3) check (labor_hours_actual >= 0),
  add column labor_burden_percent numeric(7,4) check (labor_burden_percent between 0 and 100),
  add column labor_cost_total bigint check (labor_cost_total >= 0),
  add column materials_cost_actual bigint check (materials_cost_actual >= 0),
  add column materials_markup_percent numeric(14,3) check (materials_markup_percent >= 0),
  add column materials_revenue bigint check (materials_revenue >= 0),
  add column equipment_cost bigint check (equipment_cost >= 0),
  add column subcontractor_cost bigint check (subcontractor_cost >= 0),
  add column overhead_allocation bigint check (overhead_allocation >= 0),
  add column total_cost_actual bigint check (total_cost_actual >= 0),
  add column total_revenue bigint check (total_revenue >= 0),
  add column profit_margin_target numeric(9,4),
  add column profit_margin_actual numeric(9,4),
  add column review_opt_out boolean not null default false,
  add column review_request_method text check (review_request_method in ('email', 'sms', 'both')),
  add column review_request_sent_at timestamptz,
  add column review_reminder_count integer not null default 0 check (review_reminder_count >= 0),
  add column review_last_reminder_sent_at timestamptz,
  add column review_link_clicked boolean not null default false,
  add column review_link_clicked_at timestamptz,
  add column review_submitted boolean not null default false,
  add column review_submitted_at timestamptz,
  add column review_rating integer check (review_rating between 1 and 5),
  add column review_text text check (length(review_text) <= 20000),
  add column review_platform text check (length(review_platform) <= 60),
  add column review_url text check (length(review_url) <= 2048),
  add column review_notes text check (length(review_notes) <= 20000),
  add column review_follow_up_sent boolean not null default false,
  add column review_follow_up_sent_at timestamptz,
  add constraint jobs_service_plan_id_fkey foreign key (company_id, service_plan_id)
    references public.service_plans (company_id, id) on delete set null (service_plan_id),
  add constraint jobs_referral_customer_id_fkey foreign key (company_id, referral_customer_id)
    references public.customers (company_id, id) on delete set null (referral_customer_id);
create index jobs_service_plan_id_idx on public.jobs (company_id, service_plan_id);
create index jobs_referral_customer_id_idx on public.jobs (company_id, referral_customer_id);

create table public.job_team_assignments (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  job_id     uuid not null,
  user_id    uuid not null,
  role       text not null default 'crew' check (role in ('primary', 'assistant', 'crew', 'supervisor')),
  notes      text check (length(notes) <= 2000),
  removed_at timestamptz,
  removed_by uuid,
  created_by uuid default auth.uid(),
  version    bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (company_id, id),
  constraint job_team_assignments_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete cascade,
  constraint job_team_assignments_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.job_team_assignments is 'Who works on a job. Taking somebody off leaves the row.';
create index job_team_assignments_id_idx on public.job_team_assignments (id);
create index job_team_assignments_job_id_idx on public.job_team_assignments (company_id, job_id);
create index job_team_assignments_user_id_idx on public.job_team_assignments (company_id, user_id);
create index job_team_assignments_created_at_idx on public.job_team_assignments (company_id, created_at desc, id);
create unique index job_team_assignments_active_key on public.job_team_assignments (company_id, job_id, user_id) where removed_at is null;
create unique index job_team_assignments_primary_key on public.job_team_assignments (company_id, job_id) where removed_at is null and role = 'primary';
select app.enclose('public.job_team_assignments');

create table public.job_equipment (
  company_id       uuid not null default app.company_id(),
  job_id           uuid not null,
  equipment_id     uuid not null,
  work_performed   text check (length(work_performed) <= 20000),
  condition_before text check (length(condition_before) <= 40),
  condition_after  text check (length(condition_after) <= 40),
  added_by         uuid default auth.uid(),
  version          bigint not null default 1,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  primary key (company_id, job_id, equipment_id),
  constraint job_equipment_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete cascade,
  constraint job_equipment_equipment_id_fkey foreign key (company_id, equipment_id)
    references public.equipment (company_id, id) on delete cascade
);
comment on table public.job_equipment is 'The equipment that a job is about.';
create index job_equipment_equipment_id_idx on public.job_equipment (company_id, equipment_id);
select app.enclose('public.job_equipment');

create table public.zones (
  company_id  uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id          uuid not null default app.uuid_v7(),
  name        text not null check (length(name) between 1 and 200),
  description text check (length(description) <= 2000),
  color       text check (color ~ '^#[0-9A-Fa-f]{6}$'),
  boundary    jsonb,
  zip_codes   text[] not null default '{}' check (cardinality(zip_codes) <= 100),
  is_active   boolean not null default true,
  created_by  uuid default auth.uid(),
  version     bigint not null default 1,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, name)
);
comment on table public.zones is 'Territories.';
create index zones_id_idx on public.zones (id);
create index zones_created_at_idx on public.zones (company_id, created_at desc, id);
select app.enclose('public.zones');

create table public.skills (
  company_id           uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                   uuid not null default app.uuid_v7(),
  name                 text not null check (length(name) between 1 and 200),
  description          text check (length(description) <= 2000),
  requires_certificate boolean not null default false,
  version              bigint not null default 1,
  created_at           timestamptz not null default now(),
  updated_at           timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, name)
);
comment on table public.skills is 'What technicians can do.';
create index skills_id_idx on public.skills (id);
select app.enclose('public.skills');

create table public.member_skills (
  company_id         uuid not null default app.company_id(),
  user_id            uuid not null,
  skill_id           uuid not null,
  level              integer not null default 3 check (level between 1 and 5),
  certified_until    date,
  certificate_number text check (length(certificate_number) <= 120),
  version            bigint not null default 1,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  primary key (company_id, user_id, skill_id),
  constraint member_skills_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade,
  constraint member_skills_skill_id_fkey foreign key (company_id, skill_id)
    references public.skills (company_id, id) on delete cascade
);
comment on table public.member_skills is 'Who can do what.';
create index member_skills_skill_id_idx on public.member_skills (company_id, skill_id);
select app.enclose('public.member_skills');

create table public.member_zones (
  company_id   uuid not null default app.company_id(),
  user_id      uuid not null,
  zone_id      uuid not null,
  is_preferred boolean not null default false,
  notes        text check (length(notes) <= 500),
  version      bigint not null default 1,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  primary key (company_id, user_id, zone_id),
  constraint member_zones_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade,
  constraint member_zones_zone_id_fkey foreign key (company_id, zone_id)
    references public.zones (company_id, id) on delete cascade
);
comment on table public.member_zones is 'Who works where.';
create index member_zones_zone_id_idx on public.member_zones (company_id, zone_id);
select app.enclose('public.member_zones');

create table public.recurrences (
  company_id       uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id               uuid not null default app.uuid_v7(),
  name             text check (length(name) <= 200),
  frequency        text not null check (frequency in ('daily', 'weekly', 'monthly', 'yearly')),
  interval_count   integer not null default 1 check (interval_count between 1 and 365),
  by_day           text[] not null default '{}' check (cardinality(by_day) <= 100),
  by_month_day     integer check (by_month_day between 1 and 31),
  starts_at        timestamptz not null,
  duration_minutes integer not null default 60 check (duration_minutes between 1 and 44640),
  ends_at          timestamptz,
  occurrences_max  integer check (occurrences_max between 1 and 365),
  expanded_until   timestamptz,
  is_active        boolean not null default true,
  template         jsonb not null default '{}' check (jsonb_typeof(template) = 'object'),
  customer_id      uuid,
  property_id      uuid,
  job_id           uuid,
  service_plan_id  uuid,
  created_by       uuid default auth.uid(),
  version          bigint not null default 1,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  primary key (company_id, id),
  constraint recurrences_end_check check (ends_at > starts_at),
  constraint recurrences_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete cascade,
  constraint recurrences_property_id_fkey foreign key (company_id, property_id)
    references public.properties (company_id, id) on delete set null (property_id),
  constraint recurrences_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete cascade,
  constraint recurrences_service_plan_id_fkey foreign key (company_id, service_plan_id)
    references public.service_plans (company_id, id) on delete cascade
);
comment on table public.recurrences is 'Rules that make schedules again and again.';
create index recurrences_id_idx on public.recurrences (id);
create index recurrences_customer_id_idx on public.recurrences (company_id, customer_id);
create index recurrences_property_id_idx on public.recurrences (company_id, property_id);
create index recurrences_job_id_idx on public.recurrences (company_id, job_id);
create index recurrences_service_plan_id_idx on public.recurrences (company_id, service_plan_id);
create index recurrences_created_at_idx on public.recurrences (company_id, created_at desc, id);
create index recurrences_expanded_until_idx on public.recurrences (company_id, is_active, expanded_until);
select app.enclose('public.recurrences');

create table public.schedules (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  customer_id                   uuid,
  property_id                   uuid,
  job_id                        uuid,
  service_plan_id               uuid,
  recurrence_id                 uuid,
  assigned_to                   uuid,
  -- Who comes along.
  crew                          uuid[] not null default '{}' check (cardinality(crew) <= 100),
  type                          text not null default 'appointment' check (type in ('appointment', 'recurring', 'on_call', 'emergency')),
  category                      text not null default 'job_appointment' check (category in ('job_appointment', 'estimate_appointment', 'event', 'meeting', 'follow_up', 'recurring_service')),
  title                         text not null check (length(title) between 1 and 300),
  description                   text check (length(description) <= 20000),
  start_time                    timestamptz not null,
  end_time                      timestamptz not null,
  -- Minutes, kept by a trigger.
  duration                      integer not null default 0 check (duration >= 0),
  all_day                       boolean not null default false,
  is_recurring                  boolean not null default false,
  recurrence_rule               jsonb,
  parent_schedule_id            uuid,
  recurrence_end_date           timestamptz,
  status                        text not null default 'scheduled' check (status in ('scheduled', 'confirmed', 'dispatched', 'arrived', 'in_progress', 'completed', 'cancelled', 'no_show', 'rescheduled', 'closed')),
  priority                      text not null default 'normal' check (priority in ('low', 'normal', 'high', 'urgent')),
  confirmed_at                  timestamptz,
  confirmed_by                  text check (length(confirmed_by) <= 200),
  actual_start_time             timestamptz,
  actual_end_time               timestamptz,
  -- Minutes.
  actual_duration               integer check (actual_duration >= 0),
  completed_by                  uuid,
  reminder_sent                 boolean not null default false,
  reminder_sent_at              timestamptz,
  reminder_method               text check (reminder_method in ('email', 'sms', 'both')),
  reminder_hours_before         integer not null default 24 check (reminder_hours_before between 0 and 720),
  service_types                 jsonb not null default '[]' check (jsonb_typeof(service_types) = 'array'),
  estimated_cost                bigint check (estimated_cost >= 0),
  location                      text check (length(location) <= 300),
  access_instructions           text check (length(access_instructions) <= 4000),
  cancelled_at                  timestamptz,
  cancelled_by                  uuid,
  cancellation_reason           text check (length(cancellation_reason) <= 2000),
  rescheduled_from_id           uuid,
  rescheduled_to_id             uuid,
  -- Why these people are booked twice on purpose, which double_booking_by says.
  double_booking_reason         text check (length(double_booking_reason) <= 500),
  double_booking_by             uuid,
  notes                         text check (length(notes) <= 20000),
  customer_notes                text check (length(customer_notes) <= 20000),
  metadata                      jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  color                         text check (length(color) <= 32),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  constraint schedules_time_check check (end_time > start_time),
  constraint schedules_actual_check check (actual_end_time >= actual_start_time),
  constraint schedules_crew_members_check check (cardinality(crew) <= 20 and array_position(crew, null) is null),
  constraint schedules_double_booking_said_check check ((double_booking_reason is null) = (double_booking_by is null)),
  constraint schedules_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete cascade,
  constraint schedules_property_id_fkey foreign key (company_id, property_id)
    references public.properties (company_id, id) on delete set null (property_id),
  constraint schedules_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete cascade,
  constraint schedules_service_plan_id_fkey foreign key (company_id, service_plan_id)
    references public.service_plans (company_id, id) on delete set null (service_plan_id),
  constraint schedules_recurrence_id_fkey foreign key (company_id, recurrence_id)
    references public.recurrences (company_id, id) on delete set null (recurrence_id),
  constraint schedules_assigned_to_fkey foreign key (company_id, assigned_to)
    references public.team_members (company_id, user_id) on delete set null (assigned_to),
  constraint schedules_parent_schedule_id_fkey foreign key (company_id, parent_schedule_id)
    references public.schedules (company_id, id) on delete set null (parent_schedule_id),
  constraint schedules_completed_by_fkey foreign key (company_id, completed_by)
    references public.team_members (company_id, user_id) on delete set null (completed_by),
  constraint schedules_cancelled_by_fkey foreign key (company_id, cancelled_by)
    references public.team_members (company_id, user_id) on delete set null (cancelled_by),
  constraint schedules_rescheduled_from_id_fkey foreign key (company_id, rescheduled_from_id)
    references public.schedules (company_id, id) on delete set null (rescheduled_from_id),
  constraint schedules_rescheduled_to_id_fkey foreign key (company_id, rescheduled_to_id)
    references public.schedules (company_id, id) on delete set null (rescheduled_to_id)
);
comment on table public.schedules is 'Appointments on the calendar. Never partitioned: the rule against double booking needs one table.';
comment on column public.schedules.location is 'pii:address';
comment on column public.schedules.access_instructions is 'pii:text';
create index schedules_id_idx on public.schedules (id);
create index schedules_customer_id_idx on public.schedules (company_id, customer_id);
create index schedules_property_id_idx on public.schedules (company_id, property_id);
create index schedules_job_id_idx on public.schedules (company_id, job_id);
create index schedules_service_plan_id_idx on public.schedules (company_id, service_plan_id);
create index schedules_recurrence_id_idx on public.schedules (company_id, recurrence_id);
create index schedules_parent_schedule_id_idx on public.schedules (company_id, parent_schedule_id);
create index schedules_completed_by_idx on public.schedules (company_id, completed_by);
create index schedules_cancelled_by_idx on public.schedules (company_id, cancelled_by);
create index schedules_rescheduled_from_id_idx on public.schedules (company_id, rescheduled_from_id);
create index schedules_rescheduled_to_id_idx on public.schedules (company_id, rescheduled_to_id);
create index schedules_created_at_idx on public.schedules (company_id, created_at desc, id);
create index schedules_assigned_to_idx on public.schedules (company_id, assigned_to, start_time);
create index schedules_start_time_idx on public.schedules (company_id, start_time);
create index schedules_status_idx on public.schedules (company_id, status, start_time);
create index schedules_reminder_idx on public.schedules (company_id, reminder_sent, start_time);
create index schedules_crew_idx on public.schedules (company_id) where crew <> '{}';
alter table public.schedules replica identity full;
select app.enclose('public.schedules');

create table public.bookings (
  company_id  uuid not null default app.company_id(),
  schedule_id uuid not null,
  user_id     uuid not null,
  start_time  timestamptz not null,
  end_time    timestamptz not null,
  created_at  timestamptz not null default now(),
  primary key (company_id, schedule_id, user_id),
  constraint bookings_no_double_booking exclude using gist (company_id with =, user_id with =, tstzrange(start_time, end_time) with &&),
  constraint bookings_schedule_id_fkey foreign key (company_id, schedule_id)
    references public.schedules (company_id, id) on delete cascade,
  constraint bookings_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.bookings is 'Who is taken when: a row for each person of a schedule that blocks, written by triggers only.';
create index bookings_user_id_idx on public.bookings (company_id, user_id);
select app.enclose('public.bookings');

create table public.shifts (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  user_id    uuid not null,
  start_time timestamptz not null,
  end_time   timestamptz not null,
  kind       text not null default 'regular' check (kind in ('regular', 'on_call', 'overtime')),
  notes      text check (length(notes) <= 2000),
  created_by uuid default auth.uid(),
  version    bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (company_id, id),
  constraint shifts_time_check check (end_time > start_time),
  constraint shifts_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.shifts is 'When people are there to work.';
create index shifts_id_idx on public.shifts (id);
create index shifts_created_at_idx on public.shifts (company_id, created_at desc, id);
create index shifts_user_id_idx on public.shifts (company_id, user_id, start_time);
create index shifts_start_time_idx on public.shifts (company_id, start_time);
select app.enclose('public.shifts');

create table public.absences (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  user_id    uuid not null,
  start_time timestamptz not null,
  end_time   timestamptz not null,
  kind       text not null default 'vacation' check (kind in ('vacation', 'sick', 'training', 'parental', 'unpaid', 'other')),
  status     text not null default 'requested' check (status in ('requested', 'approved', 'rejected', 'cancelled')),
  reason     text check (length(reason) <= 2000),
  decided_by uuid,
  decided_at timestamptz,
  created_by uuid default auth.uid(),
  version    bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (company_id, id),
  constraint absences_time_check check (end_time > start_time),
  constraint absences_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade,
  constraint absences_decided_by_fkey foreign key (company_id, decided_by)
    references public.team_members (company_id, user_id) on delete set null (decided_by)
);
comment on table public.absences is 'When people are away.';
create index absences_id_idx on public.absences (id);
create index absences_decided_by_idx on public.absences (company_id, decided_by);
create index absences_created_at_idx on public.absences (company_id, created_at desc, id);
create index absences_user_id_idx on public.absences (company_id, user_id, start_time);
create index absences_start_time_idx on public.absences (company_id, start_time);
select app.enclose('public.absences');

create table public.time_entries (
  company_id    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id            uuid not null default app.uuid_v7(),
  user_id       uuid not null default auth.uid(),
  job_id        uuid,
  schedule_id   uuid,
  kind          text not null default 'work' check (kind in ('work', 'travel', 'break', 'admin', 'training')),
  clock_in      timestamptz not null default now(),
  clock_out     timestamptz,
  break_minutes integer not null default 0 check (break_minutes between 0 and 1440),
  hourly_cost   bigint check (hourly_cost >= 0),
  is_billable   boolean not null default true,
  is_approved   boolean not null default false,
  approved_by   uuid,
  approved_at   timestamptz,
  clock_in_lat  double precision check (clock_in_lat between -90 and 90),
  clock_in_lon  double precision check (clock_in_lon between -180 and 180),
  clock_out_lat double precision check (clock_out_lat between -90 and 90),
  clock_out_lon double precision check (clock_out_lon between -180 and 180),
  notes         text check (length(notes) <= 2000),
  created_by    uuid default auth.uid(),
  version       bigint not null default 1,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  primary key (company_id, id),
  constraint time_entries_time_check check (clock_out >= clock_in),
  constraint time_entries_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade,
  constraint time_entries_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id),
  constraint time_entries_schedule_id_fkey foreign key (company_id, schedule_id)
    references public.schedules (company_id, id) on delete set null (schedule_id),
  constraint time_entries_approved_by_fkey foreign key (company_id, approved_by)
    references public.team_members (company_id, user_id) on delete set null (approved_by)
);
comment on table public.time_entries is 'Hours that people worked.';
create index time_entries_id_idx on public.time_entries (id);
create index time_entries_job_id_idx on public.time_entries (company_id, job_id);
create index time_entries_schedule_id_idx on public.time_entries (company_id, schedule_id);
create index time_entries_approved_by_idx on public.time_entries (company_id, approved_by);
create index time_entries_created_at_idx on public.time_entries (company_id, created_at desc, id);
create index time_entries_user_id_idx on public.time_entries (company_id, user_id, clock_in);
create unique index time_entries_open_key on public.time_entries (company_id, user_id) where clock_out is null;
select app.enclose('public.time_entries');

create table public.technician_positions (
  company_id      uuid not null default app.company_id(),
  user_id         uuid not null default auth.uid(),
  lat             double precision not null check (lat between -90 and 90),
  lon             double precision not null check (lon between -180 and 180),
  accuracy_m      integer check (accuracy_m >= 0),
  heading         integer check (heading between 0 and 359),
  speed_kmh       integer check (speed_kmh >= 0),
  battery_percent integer check (battery_percent between 0 and 100),
  recorded_at     timestamptz not null default now(),
  job_id          uuid,
  device          text check (length(device) <= 120),
  created_at      timestamptz not null default now(),
  primary key (company_id, user_id),
  constraint technician_positions_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade,
  constraint technician_positions_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id)
);
comment on table public.technician_positions is 'Where a technician was last seen: one row each.';
create index technician_positions_job_id_idx on public.technician_positions (company_id, job_id);
select app.enclose('public.technician_positions');

create table public.requests (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  customer_id                   uuid,
  property_id                   uuid,
  assigned_to                   uuid,
  converted_to_job_id           uuid,
  title                         text not null check (length(title) between 1 and 300),
  description                   text check (length(description) <= 20000),
  source                        text not null default 'phone' check (source in ('phone', 'email', 'web', 'portal', 'referral', 'other')),
  status                        text not null default 'new' check (status in ('new', 'contacted', 'qualified', 'converted', 'declined', 'spam')),
  priority                      text not null default 'normal' check (priority in ('low', 'normal', 'high', 'urgent')),
  contact_name                  text check (length(contact_name) <= 200),
  contact_email                 text check (length(contact_email) between 3 and 254 and contact_email ~ '^[^@\s]+@[^@\s]+$'),
  contact_phone                 text check (contact_phone ~ '^[+][1-9][0-9]{6,14}$'),
  address                       text check (length(address) <= 300),
  city                          text check (length(city) <= 120),
  state                         text check (length(state) <= 120),
  zip_code                      text check (length(zip_code) <= 20),
  preferred_times               jsonb not null default '[]' check (jsonb_typeof(preferred_times) = 'array'),
  declined_reason               text check (length(declined_reason) <= 2000),
  answered_at                   timestamptz,
  metadata                      jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  constraint requests_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete set null (customer_id),
  constraint requests_property_id_fkey foreign key (company_id, property_id)
    references public.properties (company_id, id) on delete set null (property_id),
  constraint requests_assigned_to_fkey foreign key (company_id, assigned_to)
    references public.team_members (company_id, user_id) on delete set null (assigned_to),
  constraint requests_converted_to_job_id_fkey foreign key (company_id, converted_to_job_id)
    references public.jobs (company_id, id) on delete set null (converted_to_job_id)
);
comment on table public.requests is 'What a customer asks for before there is a job.';
comment on column public.requests.contact_name is 'pii:name';
comment on column public.requests.contact_email is 'pii:email';
comment on column public.requests.contact_phone is 'pii:phone';
comment on column public.requests.address is 'pii:address';
create index requests_id_idx on public.requests (id);
create index requests_customer_id_idx on public.requests (company_id, customer_id);
create index requests_property_id_idx on public.requests (company_id, property_id);
create index requests_assigned_to_idx on public.requests (company_id, assigned_to);
create index requests_converted_to_job_id_idx on public.requests (company_id, converted_to_job_id);
create index requests_created_at_idx on public.requests (company_id, created_at desc, id);
create index requests_status_idx on public.requests (company_id, status, created_at desc);
select app.enclose('public.requests');

create table public.form_templates (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  name                          text not null check (length(name) between 1 and 200),
  description                   text check (length(description) <= 2000),
  kind                          text not null default 'checklist' check (kind in ('checklist', 'inspection', 'safety', 'intake', 'survey', 'other')),
  fields                        jsonb not null default '[]' check (jsonb_typeof(fields) = 'array'),
  is_active                     boolean not null default true,
  revision                      integer not null default 1 check (revision >= 0),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, name, revision)
);
comment on table public.form_templates is 'Checklists and forms.';
create index form_templates_id_idx on public.form_templates (id);
create index form_templates_created_at_idx on public.form_templates (company_id, created_at desc, id);
select app.enclose('public.form_templates');

create table public.form_submissions (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  form_template_id              uuid not null,
  job_id                        uuid,
  equipment_id                  uuid,
  customer_id                   uuid,
  answers                       jsonb not null default '{}' check (jsonb_typeof(answers) = 'object'),
  status                        text not null default 'draft' check (status in ('draft', 'submitted', 'approved', 'rejected')),
  submitted_at                  timestamptz,
  submitted_by                  uuid,
  signature                     text check (length(signature) <= 1000000),
  signed_by_name                text check (length(signed_by_name) <= 200),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  constraint form_submissions_form_template_id_fkey foreign key (company_id, form_template_id)
    references public.form_templates (company_id, id),
  constraint form_submissions_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete cascade,
  constraint form_submissions_equipment_id_fkey foreign key (company_id, equipment_id)
    references public.equipment (company_id, id) on delete set null (equipment_id),
  constraint form_submissions_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete set null (customer_id)
);
comment on table public.form_submissions is 'Filled-in forms.';
comment on column public.form_submissions.signed_by_name is 'pii:name';
comment on column public.form_submissions.signature is 'pii:signature';
create index form_submissions_id_idx on public.form_submissions (id);
create index form_submissions_form_template_id_idx on public.form_submissions (company_id, form_template_id);
create index form_submissions_job_id_idx on public.form_submissions (company_id, job_id);
create index form_submissions_equipment_id_idx on public.form_submissions (company_id, equipment_id);
create index form_submissions_customer_id_idx on public.form_submissions (company_id, customer_id);
create index form_submissions_created_at_idx on public.form_submissions (company_id, created_at desc, id);
select app.enclose('public.form_submissions');

create table public.notes (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  entity_type                   text not null check (entity_type in ('customer', 'property', 'job', 'schedule', 'equipment', 'estimate', 'invoice', 'payment', 'contract', 'service_plan', 'purchase_order', 'vendor', 'request', 'communication')),
  entity_id                     uuid not null,
  -- Of a job's note the job, kept by a trigger: who works on the job reads it.
  job_id                        uuid,
  content                       text not null check (length(content) <= 20000),
  is_pinned                     boolean not null default false,
  is_internal                   boolean not null default true,
  author_name                   text check (length(author_name) <= 200),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  constraint notes_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete cascade
);
comment on table public.notes is 'Notes on anything.';
comment on column public.notes.author_name is 'pii:name';
create index notes_id_idx on public.notes (id);
create index notes_job_id_idx on public.notes (company_id, job_id);
create index notes_created_at_idx on public.notes (company_id, created_at desc, id);
create index notes_entity_idx on public.notes (company_id, entity_type, entity_id, created_at desc);
select app.enclose('public.notes');

create table public.tags (
  company_id   uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id           uuid not null default app.uuid_v7(),
  name         text not null check (length(name) between 1 and 120),
  slug         text not null check (length(slug) <= 120 and slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  description  text check (length(description) <= 2000),
  category     text check (category in ('customer', 'job', 'equipment', 'general', 'status', 'priority')),
  color        text check (color ~ '^#[0-9A-Fa-f]{6}$'),
  icon         text check (length(icon) <= 60),
  usage_count  bigint not null default 0 check (usage_count >= 0),
  last_used_at timestamptz,
  is_active    boolean not null default true,
  is_system    boolean not null default false,
  version      bigint not null default 1,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, slug)
);
comment on table public.tags is 'Labels.';
create index tags_id_idx on public.tags (id);
select app.enclose('public.tags');

create table public.customer_tags (
  company_id  uuid not null default app.company_id(),
  customer_id uuid not null,
  tag_id      uuid not null,
  note        text check (length(note) <= 500),
  added_at    timestamptz not null default now(),
  added_by    uuid default auth.uid(),
  created_at  timestamptz not null default now(),
  primary key (company_id, customer_id, tag_id),
  constraint customer_tags_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete cascade,
  constraint customer_tags_tag_id_fkey foreign key (company_id, tag_id)
    references public.tags (company_id, id) on delete cascade
);
comment on table public.customer_tags is 'Labels of customers.';
create index customer_tags_tag_id_idx on public.customer_tags (company_id, tag_id);
select app.enclose('public.customer_tags');

create table public.job_tags (
  company_id uuid not null default app.company_id(),
  job_id     uuid not null,
  tag_id     uuid not null,
  note       text check (length(note) <= 500),
  added_at   timestamptz not null default now(),
  added_by   uuid default auth.uid(),
  created_at timestamptz not null default now(),
  primary key (company_id, job_id, tag_id),
  constraint job_tags_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete cascade,
  constraint job_tags_tag_id_fkey foreign key (company_id, tag_id)
    references public.tags (company_id, id) on delete cascade
);
comment on table public.job_tags is 'Labels of jobs.';
create index job_tags_tag_id_idx on public.job_tags (company_id, tag_id);
select app.enclose('public.job_tags');

create table public.equipment_tags (
  company_id   uuid not null default app.company_id(),
  equipment_id uuid not null,
  tag_id       uuid not null,
  note         text check (length(note) <= 500),
  added_at     timestamptz not null default now(),
  added_by     uuid default auth.uid(),
  created_at   timestamptz not null default now(),
  primary key (company_id, equipment_id, tag_id),
  constraint equipment_tags_equipment_id_fkey foreign key (company_id, equipment_id)
    references public.equipment (company_id, id) on delete cascade,
  constraint equipment_tags_tag_id_fkey foreign key (company_id, tag_id)
    references public.tags (company_id, id) on delete cascade
);
comment on table public.equipment_tags is 'Labels of equipment.';
create index equipment_tags_tag_id_idx on public.equipment_tags (company_id, tag_id);
select app.enclose('public.equipment_tags');

create table public.custom_fields (
  company_id  uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id          uuid not null default app.uuid_v7(),
  entity_type text not null check (entity_type in ('customer', 'property', 'job', 'equipment', 'estimate', 'invoice', 'vendor', 'price_book_item')),
  name        text not null check (length(name) between 1 and 120),
  field_key   text not null check (length(field_key) <= 60 and field_key ~ '^[a-z][a-z0-9_]*$'),
  field_type  text not null default 'text' check (field_type in ('text', 'number', 'boolean', 'date', 'select', 'multi_select', 'url')),
  options     jsonb not null default '[]' check (jsonb_typeof(options) = 'array'),
  is_required boolean not null default false,
  is_active   boolean not null default true,
  sort_order  integer not null default 0 check (sort_order >= 0),
  help_text   text check (length(help_text) <= 2000),
  version     bigint not null default 1,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, entity_type, field_key)
);
comment on table public.custom_fields is 'Fields that a company adds to its own things.';
create index custom_fields_id_idx on public.custom_fields (id);
select app.enclose('public.custom_fields');

create table public.custom_field_values (
  company_id      uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id              uuid not null default app.uuid_v7(),
  custom_field_id uuid not null,
  entity_id       uuid not null,
  value           jsonb,
  version         bigint not null default 1,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, custom_field_id, entity_id),
  constraint custom_field_values_custom_field_id_fkey foreign key (company_id, custom_field_id)
    references public.custom_fields (company_id, id) on delete cascade
);
comment on table public.custom_field_values is 'What stands in them.';
create index custom_field_values_id_idx on public.custom_field_values (id);
create index custom_field_values_entity_id_idx on public.custom_field_values (company_id, entity_id);
select app.enclose('public.custom_field_values');

create table public.jobs_archive (
  company_id   uuid not null default app.company_id(),
  id           uuid not null default app.uuid_v7(),
  job_number   text check (length(job_number) <= 40),
  customer_id  uuid,
  property_id  uuid,
  assigned_to  uuid,
  crew         uuid[] not null default '{}',
  title        text check (length(title) <= 300),
  status       text check (length(status) <= 40),
  completed_at timestamptz,
  total_amount bigint not null default 0 check (total_amount >= 0),
  currency     text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  job          jsonb not null,
  children     jsonb not null default '{}' check (jsonb_typeof(children) = 'object'),
  archived_at  timestamptz not null default now(),
  created_at   timestamptz not null default now(),
  primary key (company_id, id)
);
comment on table public.jobs_archive is 'Completed jobs of more than a year ago, with their children, as they were.';
comment on column public.jobs_archive.job is 'pii:text';
comment on column public.jobs_archive.children is 'pii:text';
create index jobs_archive_id_idx on public.jobs_archive (id);
create index jobs_archive_created_at_idx on public.jobs_archive (company_id, created_at desc, id);
create index jobs_archive_customer_id_idx on public.jobs_archive (company_id, customer_id, completed_at desc);
create index jobs_archive_completed_at_idx on public.jobs_archive (company_id, completed_at desc);
create index jobs_archive_assigned_to_idx on public.jobs_archive (company_id, assigned_to, completed_at desc);
select app.enclose('public.jobs_archive');

create table public.jobs_archive_restricted (
  company_id  uuid not null default app.company_id(),
  id          uuid not null,
  children    jsonb not null check (jsonb_typeof(children) = 'object'),
  archived_at timestamptz not null default now(),
  primary key (company_id, id),
  constraint jobs_archive_restricted_id_fkey foreign key (company_id, id)
    references public.jobs_archive (company_id, id) on delete cascade
);
comment on table public.jobs_archive_restricted is 'What belonged to an archived job and is not read by everybody who reads the job: payments, links.';
create index jobs_archive_restricted_id_idx on public.jobs_archive_restricted (id);
select app.enclose('public.jobs_archive_restricted');
