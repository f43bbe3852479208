-- description: customers, their properties, and jobs
-- author: Thorbis
-- date: 2026-11-21
-- depends: 20261121090100
-- rollback: drops all customers, properties and jobs; take a backup first

create table public.customers (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  user_id                       uuid references public.users (id) on delete set null,
  type                          text not null default 'residential' check (type in ('residential', 'commercial', 'industrial')),
  first_name                    text not null default '' check (length(first_name) <= 120),
  last_name                     text not null default '' check (length(last_name) <= 120),
  company_name                  text check (length(company_name) <= 200),
  -- Kept by a trigger: the business's name for businesses, the person's otherwise.
  display_name                  text not null default '' check (length(display_name) between 1 and 300),
  email                         text check (length(email) between 3 and 254 and email like '%_@_%'),
  -- Kept by a trigger: the address as it is compared, null for deleted customers. Unique per company.
  email_key                     text,
  phone                         text check (length(phone) <= 32),
  secondary_phone               text check (length(secondary_phone) <= 32),
  address                       text check (length(address) <= 300),
  address2                      text check (length(address2) <= 300),
  city                          text check (length(city) <= 120),
  state                         text check (length(state) <= 120),
  zip_code                      text check (length(zip_code) <= 20),
  country                       text default 'USA' check (length(country) <= 60),
  lat                           double precision check (lat between -90 and 90),
  lon                           double precision check (lon between -180 and 180),
  tags                          text[] not null default '{}' check (cardinality(tags) <= 100),
  source                        text check (source in ('referral', 'google', 'facebook', 'direct', 'other')),
  referred_by                   uuid,
  communication_preferences     jsonb not null default '{}' check (jsonb_typeof(communication_preferences) = 'object'),
  preferred_contact_method      text default 'email' check (preferred_contact_method in ('email', 'phone', 'sms', 'any')),
  preferred_technician          uuid,
  billing_email                 text check (length(billing_email) <= 254),
  payment_terms                 text default 'due_on_receipt' check (payment_terms in ('due_on_receipt', 'net_15', 'net_30', 'net_60')),
  currency                      text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  credit_limit                  bigint not null default 0 check (credit_limit >= 0),
  tax_exempt                    boolean not null default false,
  tax_exempt_number             text check (length(tax_exempt_number) <= 100),
  total_revenue                 bigint not null default 0,
  total_jobs                    bigint not null default 0 check (total_jobs >= 0),
  total_invoices                bigint not null default 0 check (total_invoices >= 0),
  average_job_value             bigint not null default 0,
  outstanding_balance           bigint not null default 0,
  last_job_date                 timestamptz,
  last_invoice_date             timestamptz,
  last_payment_date             timestamptz,
  status                        text not null default 'active' check (status in ('active', 'inactive', 'archived', 'blocked')),
  notes                         text check (length(notes) <= 20000),
  internal_notes                text check (length(internal_notes) <= 20000),
  portal_enabled                boolean not null default false,
  portal_invited_at             timestamptz,
  portal_last_login_at          timestamptz,
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
  unique (company_id, email_key),
  constraint customers_referred_by_fkey foreign key (company_id, referred_by)
    references public.customers (company_id, id) on delete set null (referred_by),
  constraint customers_preferred_technician_fkey foreign key (company_id, preferred_technician)
    references public.team_members (company_id, user_id) on delete set null (preferred_technician)
);
comment on table public.customers is 'People and businesses that are served. Money is in minor units of the currency.';
create index customers_id_idx on public.customers (id);
create index customers_user_id_idx on public.customers (user_id);
create index customers_referred_by_idx on public.customers (company_id, referred_by);
create index customers_preferred_technician_idx on public.customers (company_id, preferred_technician);
create index customers_created_at_idx on public.customers (company_id, created_at desc, id);
create index customers_status_idx on public.customers (company_id, status, created_at desc);
create index customers_display_name_idx on public.customers (company_id, display_name);
create index customers_phone_idx on public.customers (company_id, phone);
create index customers_secondary_phone_idx on public.customers (company_id, secondary_phone);
select app.enclose('public.customers');

create table public.properties (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  customer_id                   uuid,
  name                          text not null check (length(btrim(name)) between 1 and 200),
  address                       text not null check (length(address) <= 300),
  address2                      text check (length(address2) <= 300),
  city                          text not null check (length(city) <= 120),
  state                         text not null check (length(state) <= 120),
  zip_code                      text not null check (length(zip_code) <= 20),
  country                       text not null default 'USA' check (length(country) <= 60),
  lat                           double precision check (lat between -90 and 90),
  lon                           double precision check (lon between -180 and 180),
  property_type                 text check (property_type in ('residential', 'commercial', 'industrial')),
  square_footage                bigint check (square_footage >= 0),
  year_built                    integer check (year_built between 1000 and 2200),
  notes                         text check (length(notes) <= 20000),
  directions                    text check (length(directions) <= 4000),
  parking_instructions          text check (length(parking_instructions) <= 4000),
  service_entrance_notes        text check (length(service_entrance_notes) <= 4000),
  best_access_time              text check (length(best_access_time) <= 200),
  requires_appointment          boolean not null default false,
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
  constraint properties_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete set null (customer_id)
);
comment on table public.properties is 'Places where work is done.';
create index properties_id_idx on public.properties (id);
create index properties_customer_id_idx on public.properties (company_id, customer_id);
create index properties_created_at_idx on public.properties (company_id, created_at desc, id);
select app.enclose('public.properties');

create table public.jobs (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  -- Given by a trigger when missing: JOB-YYYY-NNN, counted per company.
  job_number                    text not null default '' check (length(job_number) between 1 and 40),
  customer_id                   uuid,
  property_id                   uuid,
  assigned_to                   uuid,
  title                         text not null check (length(btrim(title)) between 1 and 300),
  description                   text check (length(description) <= 20000),
  status                        text not null default 'quoted'
                                  check (status in ('quoted', 'scheduled', 'in_progress', 'on_hold', 'completed', 'cancelled',
                                                    'invoiced', 'paid', 'archived')),
  priority                      text not null default 'medium' check (priority in ('low', 'medium', 'high', 'urgent')),
  job_type                      text check (job_type in ('service', 'installation', 'repair', 'maintenance', 'inspection', 'consultation')),
  service_type                  text check (length(service_type) <= 120),
  scheduled_start               timestamptz,
  scheduled_end                 timestamptz,
  actual_start                  timestamptz,
  actual_end                    timestamptz,
  estimated_duration_minutes    integer check (estimated_duration_minutes between 0 and 525600),
  currency                      text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  total_amount                  bigint not null default 0 check (total_amount >= 0),
  paid_amount                   bigint not null default 0 check (paid_amount >= 0),
  ai_categories                 jsonb,
  ai_equipment                  jsonb,
  ai_service_type               text check (ai_service_type in ('emergency', 'routine', 'preventive', 'warranty')),
  ai_priority_score             integer check (ai_priority_score between 0 and 100),
  ai_tags                       jsonb,
  ai_processed_at               timestamptz,
  booked_by_user_id             uuid default auth.uid(),
  booking_method                text check (length(booking_method) <= 60),
  booking_notes                 text check (length(booking_notes) <= 4000),
  lead_source                   text check (length(lead_source) <= 120),
  notes                         text check (length(notes) <= 20000),
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
  unique (company_id, job_number),
  constraint jobs_schedule_check check (scheduled_end > scheduled_start),
  constraint jobs_actual_check check (actual_end >= actual_start),
  constraint jobs_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete set null (customer_id),
  constraint jobs_property_id_fkey foreign key (company_id, property_id)
    references public.properties (company_id, id) on delete set null (property_id),
  constraint jobs_assigned_to_fkey foreign key (company_id, assigned_to)
    references public.team_members (company_id, user_id) on delete set null (assigned_to)
);
comment on table public.jobs is 'Work done for a customer. Money is in minor units of the currency.';
create index jobs_id_idx on public.jobs (id);
create index jobs_customer_id_idx on public.jobs (company_id, customer_id);
create index jobs_property_id_idx on public.jobs (company_id, property_id);
create index jobs_assigned_to_idx on public.jobs (company_id, assigned_to, scheduled_start);
create index jobs_status_idx on public.jobs (company_id, status, created_at desc);
create index jobs_scheduled_start_idx on public.jobs (company_id, scheduled_start);
create index jobs_created_at_idx on public.jobs (company_id, created_at desc, id);
-- Who a job was taken from must be known to whoever is told of the change.
alter table public.jobs replica identity full;
select app.enclose('public.jobs');
