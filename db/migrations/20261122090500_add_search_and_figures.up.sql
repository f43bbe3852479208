-- description: columns and indexes for search; tables in which the figures are kept
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090400
-- rollback: drops the columns, indexes and kept figures; nothing is lost that is not computed from other rows
--
-- backfill: customers rows=any because every living and deleted row has words
-- backfill: properties rows=any because every living and deleted row has words
-- backfill: jobs rows=any because every living and deleted row has words
--
-- lint: allow require-concurrent-index-creation because no installation holds rows of these tables yet

alter table public.customers add column search_vector tsvector;
comment on column public.customers.search_vector is 'Kept by a trigger: the words of the row by their weight.';
alter table public.properties add column search_vector tsvector;
comment on column public.properties.search_vector is 'Kept by a trigger: the words of the row by their weight.';
alter table public.equipment add column search_vector tsvector;
comment on column public.equipment.search_vector is 'Kept by a trigger: the words of the row by their weight.';
alter table public.jobs add column search_vector tsvector;
comment on column public.jobs.search_vector is 'Kept by a trigger: the words of the row by their weight.';
alter table public.estimates add column search_vector tsvector;
comment on column public.estimates.search_vector is 'Kept by a trigger: the words of the row by their weight.';
alter table public.invoices add column search_vector tsvector;
comment on column public.invoices.search_vector is 'Kept by a trigger: the words of the row by their weight.';
alter table public.contracts add column search_vector tsvector;
comment on column public.contracts.search_vector is 'Kept by a trigger: the words of the row by their weight.';
alter table public.price_book_items add column search_vector tsvector;
comment on column public.price_book_items.search_vector is 'Kept by a trigger: the words of the row by their weight.';

-- Rows that are there already; what the trigger in db/code does for each that is written.
update public.customers set search_vector = app.weigh(
  concat_ws(' ', first_name, last_name, company_name),
  concat_ws(' ', email, billing_email, app.phone_words(phone), app.phone_words(secondary_phone)),
  concat_ws(' ', address, address2, city, state, zip_code),
  concat_ws(' ', notes, internal_notes));
update public.properties set search_vector = app.weigh(
  name,
  null,
  concat_ws(' ', address, address2, city, state, zip_code),
  notes);
update public.jobs set search_vector = app.weigh(
  concat_ws(' ', job_number, title),
  service_type,
  null,
  concat_ws(' ', description, notes));

-- Each index begins with the company: the functions that search filter by it first. Rows that were deleted are not found.
create index customers_search_idx on public.customers
  using gin (company_id, search_vector, app.fold(app.customer_names(first_name, last_name, company_name)) extensions.gin_trgm_ops,
             app.search_keys(app.customer_names(first_name, last_name, company_name))) where deleted_at is null;
create index customers_phone_key_idx on public.customers (company_id, app.phone_key(phone)) where deleted_at is null;
create index customers_secondary_phone_key_idx on public.customers (company_id, app.phone_key(secondary_phone))
  where deleted_at is null;
create index jobs_search_idx on public.jobs
  using gin (company_id, search_vector, title extensions.gin_trgm_ops) where deleted_at is null;
create index price_book_items_search_idx on public.price_book_items
  using gin (company_id, search_vector, name extensions.gin_trgm_ops, app.search_keys(name)) where deleted_at is null;
create index equipment_search_idx on public.equipment
  using gin (company_id, search_vector, app.fold(app.equipment_names(name, manufacturer, model)) extensions.gin_trgm_ops,
             app.search_keys(app.equipment_names(name, manufacturer, model))) where deleted_at is null;
create index properties_search_idx on public.properties using gin (company_id, search_vector) where deleted_at is null;
create index estimates_search_idx on public.estimates using gin (company_id, search_vector) where deleted_at is null;
create index invoices_search_idx on public.invoices using gin (company_id, search_vector) where deleted_at is null;
create index contracts_search_idx on public.contracts using gin (company_id, search_vector) where deleted_at is null;

-- Figures for people: sums of a company, of each customer and technician, and of each month, apart by currency.
create table app.figures (
  company_id     uuid not null references public.companies (id) on delete cascade,
  scope          text not null check (scope in ('company', 'customer', 'technician', 'month')),
  -- The customer or technician; of the company and its months, none: zeros.
  subject        uuid not null,
  -- Its first day; for what is not of a month, 1970.
  month          date not null,
  currency       text not null,
  customers      bigint not null default 0,
  jobs           bigint not null default 0,
  jobs_scheduled bigint not null default 0,
  jobs_active    bigint not null default 0,
  jobs_completed bigint not null default 0,
  worked_jobs    bigint not null default 0,
  worked_seconds bigint not null default 0,
  job_revenue    bigint not null default 0,
  invoices       bigint not null default 0,
  revenue        bigint not null default 0,
  paid           bigint not null default 0,
  outstanding    bigint not null default 0,
  collected      bigint not null default 0,
  reviews        bigint not null default 0,
  rating_sum     bigint not null default 0,
  primary key (company_id, scope, subject, month, currency)
);
comment on table app.figures is 'Sums as they were folded last. With what stands in app.figure_changes they are exact.';
select app.enclose('app.figures');

-- What writes add and take away, one row for each sum they change: nobody waits for anybody. No key to companies: the last
-- changes of a company come while it is being deleted.
create table app.figure_changes (
  company_id     uuid not null,
  scope          text not null,
  subject        uuid not null,
  month          date not null,
  currency       text not null,
  customers      bigint not null default 0,
  jobs           bigint not null default 0,
  jobs_scheduled bigint not null default 0,
  jobs_active    bigint not null default 0,
  jobs_completed bigint not null default 0,
  worked_jobs    bigint not null default 0,
  worked_seconds bigint not null default 0,
  job_revenue    bigint not null default 0,
  invoices       bigint not null default 0,
  revenue        bigint not null default 0,
  paid           bigint not null default 0,
  outstanding    bigint not null default 0,
  collected      bigint not null default 0,
  reviews        bigint not null default 0,
  rating_sum     bigint not null default 0
);
comment on table app.figure_changes is 'Changes of sums that are not folded into app.figures yet.';
create index figure_changes_idx on app.figure_changes (company_id, scope, subject);
select app.enclose('app.figure_changes');

-- Companies that are in another time zone than their months were counted in.
create table app.month_recounts (
  company_id uuid primary key references public.companies (id) on delete cascade,
  -- Whoever may have written in the old zone has a smaller id; null until that was looked up.
  horizon    xid8
);
comment on table app.month_recounts is 'Companies whose months are read from their rows until they are counted anew.';
select app.enclose('app.month_recounts');
