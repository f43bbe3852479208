-- description: estimates, invoices, credit notes, payments and contracts; their lines as rows
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090200
-- rollback: drops these tables with everything in them; take a backup first
--
-- lint: allow adding-foreign-key-constraint because the tables were made a moment ago and are empty
-- lint: allow constraint-missing-not-valid because the tables were made a moment ago and are empty
-- lint: allow require-concurrent-index-creation because the tables were made a moment ago and are empty

create table public.estimates (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  job_id                        uuid,
  property_id                   uuid,
  customer_id                   uuid,
  request_id                    uuid,
  estimate_number               text not null default '' check (length(estimate_number) <= 40),
  title                         text not null default 'Estimate' check (length(title) <= 300),
  description                   text check (length(description) <= 20000),
  status                        text not null default 'draft' check (status in ('draft', 'sent', 'viewed', 'accepted', 'rejected', 'expired', 'archived')),
  currency                      text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  -- The same lines that stand in estimate_line_items: written here they replace those, and the other way round.
  line_items                    jsonb not null default '[]' check (jsonb_typeof(line_items) = 'array'),
  tax_rate                      numeric(7,4) not null default 0 check (tax_rate between 0 and 100),
  subtotal                      bigint not null default 0 check (subtotal >= 0),
  taxable_subtotal              bigint not null default 0 check (taxable_subtotal >= 0),
  discount_amount               bigint not null default 0 check (discount_amount >= 0),
  tax_amount                    bigint not null default 0 check (tax_amount >= 0),
  total_amount                  bigint not null default 0 check (total_amount >= 0),
  valid_until                   timestamptz,
  expires_at                    timestamptz,
  terms                         text check (length(terms) <= 20000),
  notes                         text check (length(notes) <= 20000),
  sent_at                       timestamptz,
  viewed_at                     timestamptz,
  responded_at                  timestamptz,
  rejection_reason              text check (length(rejection_reason) <= 2000),
  acceptance_token              text check (length(acceptance_token) <= 255),
  acceptance_token_expires_at   timestamptz,
  selected_option_id            uuid,
  converted_at                  timestamptz,
  converted_to_job_id           uuid,
  converted_to_invoice_id       uuid,
  accepted_by_name              text check (length(accepted_by_name) <= 200),
  accepted_signature            text check (length(accepted_signature) <= 1000000),
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
  unique (company_id, estimate_number),
  constraint estimates_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id),
  constraint estimates_property_id_fkey foreign key (company_id, property_id)
    references public.properties (company_id, id) on delete set null (property_id),
  constraint estimates_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id),
  constraint estimates_request_id_fkey foreign key (company_id, request_id)
    references public.requests (company_id, id) on delete set null (request_id),
  constraint estimates_converted_to_job_id_fkey foreign key (company_id, converted_to_job_id)
    references public.jobs (company_id, id) on delete set null (converted_to_job_id)
);
comment on table public.estimates is 'Quotes to customers. Totals are computed from the lines of the chosen option.';
comment on column public.estimates.acceptance_token is 'secret';
comment on column public.estimates.accepted_by_name is 'pii:name';
comment on column public.estimates.accepted_signature is 'pii:signature';
create index estimates_id_idx on public.estimates (id);
create index estimates_job_id_idx on public.estimates (company_id, job_id);
create index estimates_property_id_idx on public.estimates (company_id, property_id);
create index estimates_customer_id_idx on public.estimates (company_id, customer_id);
create index estimates_request_id_idx on public.estimates (company_id, request_id);
create index estimates_converted_to_job_id_idx on public.estimates (company_id, converted_to_job_id);
create index estimates_created_at_idx on public.estimates (company_id, created_at desc, id);
create index estimates_status_idx on public.estimates (company_id, status, created_at desc);
create index estimates_valid_until_idx on public.estimates (company_id, status, valid_until);
select app.enclose('public.estimates');

create table public.estimate_options (
  company_id       uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id               uuid not null default app.uuid_v7(),
  estimate_id      uuid not null,
  name             text not null check (length(name) between 1 and 200),
  tier             text not null default 'good' check (tier in ('good', 'better', 'best', 'other')),
  description      text check (length(description) <= 20000),
  position         integer not null default 0 check (position >= 0),
  is_recommended   boolean not null default false,
  currency         text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  subtotal         bigint not null default 0 check (subtotal >= 0),
  taxable_subtotal bigint not null default 0 check (taxable_subtotal >= 0),
  discount_amount  bigint not null default 0 check (discount_amount >= 0),
  tax_amount       bigint not null default 0 check (tax_amount >= 0),
  total_amount     bigint not null default 0 check (total_amount >= 0),
  version          bigint not null default 1,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, estimate_id, id),
  constraint estimate_options_estimate_id_fkey foreign key (company_id, estimate_id)
    references public.estimates (company_id, id) on delete cascade
);
comment on table public.estimate_options is 'Good, better, best: what a customer may choose from.';
create index estimate_options_id_idx on public.estimate_options (id);
create index estimate_options_estimate_id_idx on public.estimate_options (company_id, estimate_id, position);
select app.enclose('public.estimate_options');

create table public.estimate_line_items (
  company_id         uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                 uuid not null default app.uuid_v7(),
  estimate_id        uuid not null,
  option_id          uuid,
  price_book_item_id uuid,
  position           integer not null default 0 check (position >= 0),
  kind               text not null default 'service' check (kind in ('service', 'material', 'labor', 'package', 'fee', 'other')),
  description        text not null check (length(description) between 1 and 2000),
  sku                text check (length(sku) <= 120),
  unit               text check (length(unit) <= 40),
  quantity           numeric(14,3) not null default 1 check (quantity >= 0.01),
  unit_price         bigint not null default 0 check (unit_price >= 0),
  unit_cost          bigint not null default 0 check (unit_cost >= 0),
  discount_amount    bigint not null default 0 check (discount_amount >= 0),
  -- Computed: quantity times unit price less the discount, rounded half away from zero.
  total              bigint not null default 0 check (total >= 0),
  is_taxable         boolean not null default true,
  is_optional        boolean not null default false,
  is_selected        boolean not null default true,
  version            bigint not null default 1,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  primary key (company_id, id),
  constraint estimate_line_items_estimate_id_fkey foreign key (company_id, estimate_id)
    references public.estimates (company_id, id) on delete cascade,
  -- An option of the same estimate.
  constraint estimate_line_items_option_id_fkey foreign key (company_id, estimate_id, option_id)
    references public.estimate_options (company_id, estimate_id, id) on delete cascade,
  constraint estimate_line_items_price_book_item_id_fkey foreign key (company_id, price_book_item_id)
    references public.price_book_items (company_id, id) on delete set null (price_book_item_id)
);
comment on table public.estimate_line_items is 'Lines of estimates.';
create index estimate_line_items_id_idx on public.estimate_line_items (id);
create index estimate_line_items_option_id_idx on public.estimate_line_items (company_id, option_id, estimate_id);
create index estimate_line_items_price_book_item_id_idx on public.estimate_line_items (company_id, price_book_item_id);
create index estimate_line_items_estimate_id_idx on public.estimate_line_items (company_id, estimate_id, position);
select app.enclose('public.estimate_line_items');

create table public.invoices (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  job_id                        uuid,
  customer_id                   uuid not null,
  property_id                   uuid,
  estimate_id                   uuid,
  service_plan_id               uuid,
  -- Given when the invoice is issued: gapless. A draft has none.
  invoice_number                text check (length(invoice_number) <= 40),
  draft_number                  text not null default '' check (length(draft_number) <= 40),
  title                         text not null default 'Invoice' check (length(title) <= 300),
  description                   text check (length(description) <= 20000),
  status                        text not null default 'draft' check (status in ('draft', 'sent', 'viewed', 'partial', 'paid', 'overdue', 'cancelled', 'archived')),
  currency                      text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  -- The same lines that stand in invoice_line_items: written here they replace those, and the other way round.
  line_items                    jsonb not null default '[]' check (jsonb_typeof(line_items) = 'array'),
  tax_rate                      numeric(7,4) not null default 0 check (tax_rate between 0 and 100),
  subtotal                      bigint not null default 0 check (subtotal >= 0),
  taxable_subtotal              bigint not null default 0 check (taxable_subtotal >= 0),
  discount_amount               bigint not null default 0 check (discount_amount >= 0),
  tax_amount                    bigint not null default 0 check (tax_amount >= 0),
  total_amount                  bigint not null default 0 check (total_amount >= 0),
  paid_amount                   bigint not null default 0 check (paid_amount >= 0),
  credited_amount               bigint not null default 0 check (credited_amount >= 0),
  balance_amount                bigint not null default 0 check (balance_amount >= 0),
  due_date                      timestamptz,
  terms                         text check (length(terms) <= 20000),
  notes                         text check (length(notes) <= 20000),
  issued_at                     timestamptz,
  sent_at                       timestamptz,
  viewed_at                     timestamptz,
  paid_at                       timestamptz,
  cancelled_at                  timestamptz,
  cancellation_reason           text check (length(cancellation_reason) <= 2000),
  page_content                  jsonb,
  has_payment_plan              boolean not null default false,
  payment_plan_id               text check (length(payment_plan_id) <= 255),
  is_recurring                  boolean not null default false,
  recurrence_frequency          text check (recurrence_frequency in ('weekly', 'bi_weekly', 'monthly', 'quarterly', 'semi_annually', 'annually')),
  next_invoice_date             timestamptz,
  recurring_invoice_id          uuid,
  payment_token                 text check (length(payment_token) <= 255),
  payment_token_expires_at      timestamptz,
  reminder_count                integer not null default 0 check (reminder_count >= 0),
  last_reminder_at              timestamptz,
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
  unique (company_id, invoice_number),
  unique (company_id, draft_number),
  constraint invoices_issued_number_check check (status in ('draft', 'cancelled', 'archived') or invoice_number is not null),
  constraint invoices_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id),
  constraint invoices_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id),
  constraint invoices_property_id_fkey foreign key (company_id, property_id)
    references public.properties (company_id, id) on delete set null (property_id),
  constraint invoices_estimate_id_fkey foreign key (company_id, estimate_id)
    references public.estimates (company_id, id) on delete set null (estimate_id),
  constraint invoices_service_plan_id_fkey foreign key (company_id, service_plan_id)
    references public.service_plans (company_id, id) on delete set null (service_plan_id),
  constraint invoices_recurring_invoice_id_fkey foreign key (company_id, recurring_invoice_id)
    references public.invoices (company_id, id) on delete set null (recurring_invoice_id)
);
comment on table public.invoices is 'Bills to customers. Totals are computed from the lines, paid and balance from the payments.';
comment on column public.invoices.payment_token is 'secret';
create index invoices_id_idx on public.invoices (id);
create index invoices_job_id_idx on public.invoices (company_id, job_id);
create index invoices_property_id_idx on public.invoices (company_id, property_id);
create index invoices_estimate_id_idx on public.invoices (company_id, estimate_id);
create index invoices_service_plan_id_idx on public.invoices (company_id, service_plan_id);
create index invoices_recurring_invoice_id_idx on public.invoices (company_id, recurring_invoice_id);
create index invoices_created_at_idx on public.invoices (company_id, created_at desc, id);
create index invoices_status_idx on public.invoices (company_id, status, due_date);
create index invoices_due_date_idx on public.invoices (company_id, due_date);
create index invoices_customer_id_idx on public.invoices (company_id, customer_id, created_at desc);
select app.enclose('public.invoices');

create table public.invoice_line_items (
  company_id            uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                    uuid not null default app.uuid_v7(),
  invoice_id            uuid not null,
  price_book_item_id    uuid,
  job_id                uuid,
  estimate_line_item_id uuid,
  position              integer not null default 0 check (position >= 0),
  kind                  text not null default 'service' check (kind in ('service', 'material', 'labor', 'package', 'fee', 'other')),
  description           text not null check (length(description) between 1 and 2000),
  sku                   text check (length(sku) <= 120),
  unit                  text check (length(unit) <= 40),
  quantity              numeric(14,3) not null default 1 check (quantity >= 0.01),
  unit_price            bigint not null default 0 check (unit_price >= 0),
  unit_cost             bigint not null default 0 check (unit_cost >= 0),
  discount_amount       bigint not null default 0 check (discount_amount >= 0),
  -- Computed: quantity times unit price less the discount, rounded half away from zero.
  total                 bigint not null default 0 check (total >= 0),
  is_taxable            boolean not null default true,
  version               bigint not null default 1,
  created_at            timestamptz not null default now(),
  updated_at            timestamptz not null default now(),
  primary key (company_id, id),
  constraint invoice_line_items_invoice_id_fkey foreign key (company_id, invoice_id)
    references public.invoices (company_id, id) on delete cascade,
  constraint invoice_line_items_price_book_item_id_fkey foreign key (company_id, price_book_item_id)
    references public.price_book_items (company_id, id) on delete set null (price_book_item_id),
  constraint invoice_line_items_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id),
  constraint invoice_line_items_estimate_line_item_id_fkey foreign key (company_id, estimate_line_item_id)
    references public.estimate_line_items (company_id, id) on delete set null (estimate_line_item_id)
);
comment on table public.invoice_line_items is 'Lines of invoices.';
create index invoice_line_items_id_idx on public.invoice_line_items (id);
create index invoice_line_items_price_book_item_id_idx on public.invoice_line_items (company_id, price_book_item_id);
create index invoice_line_items_job_id_idx on public.invoice_line_items (company_id, job_id);
create index invoice_line_items_estimate_line_item_id_idx on public.invoice_line_items (company_id, estimate_line_item_id);
create index invoice_line_items_invoice_id_idx on public.invoice_line_items (company_id, invoice_id, position);
select app.enclose('public.invoice_line_items');

create table public.invoice_jobs (
  company_id      uuid not null default app.company_id(),
  invoice_id      uuid not null,
  job_id          uuid not null,
  amount_from_job bigint not null default 0 check (amount_from_job >= 0),
  version         bigint not null default 1,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  primary key (company_id, invoice_id, job_id),
  constraint invoice_jobs_invoice_id_fkey foreign key (company_id, invoice_id)
    references public.invoices (company_id, id) on delete cascade,
  constraint invoice_jobs_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete cascade
);
comment on table public.invoice_jobs is 'Which jobs an invoice bills, and how much of it is for each.';
create index invoice_jobs_job_id_idx on public.invoice_jobs (company_id, job_id);
select app.enclose('public.invoice_jobs');

create table public.estimate_jobs (
  company_id      uuid not null default app.company_id(),
  estimate_id     uuid not null,
  job_id          uuid not null,
  amount_from_job bigint not null default 0 check (amount_from_job >= 0),
  version         bigint not null default 1,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  primary key (company_id, estimate_id, job_id),
  constraint estimate_jobs_estimate_id_fkey foreign key (company_id, estimate_id)
    references public.estimates (company_id, id) on delete cascade,
  constraint estimate_jobs_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete cascade
);
comment on table public.estimate_jobs is 'Which jobs an estimate is for.';
create index estimate_jobs_job_id_idx on public.estimate_jobs (company_id, job_id);
select app.enclose('public.estimate_jobs');

create table public.credit_notes (
  company_id         uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                 uuid not null default app.uuid_v7(),
  invoice_id         uuid not null,
  customer_id        uuid not null,
  credit_note_number text not null default '' check (length(credit_note_number) <= 40),
  currency           text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  amount             bigint not null check (amount > 0),
  reason             text not null check (length(reason) between 1 and 2000),
  issued_at          timestamptz not null default now(),
  created_by         uuid default auth.uid(),
  created_at         timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, credit_note_number),
  constraint credit_notes_invoice_id_fkey foreign key (company_id, invoice_id)
    references public.invoices (company_id, id),
  constraint credit_notes_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id)
);
comment on table public.credit_notes is 'What was taken back of issued invoices. Numbers are gapless.';
create index credit_notes_id_idx on public.credit_notes (id);
create index credit_notes_invoice_id_idx on public.credit_notes (company_id, invoice_id);
create index credit_notes_customer_id_idx on public.credit_notes (company_id, customer_id);
create index credit_notes_created_at_idx on public.credit_notes (company_id, created_at desc, id);
select app.enclose('public.credit_notes');

create table public.payment_methods (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  customer_id                   uuid not null,
  kind                          text not null default 'card' check (kind in ('card', 'bank_account', 'other')),
  provider                      text not null default 'stripe' check (provider in ('stripe', 'square', 'authorize_net', 'paypal', 'manual')),
  provider_token                text check (length(provider_token) <= 255),
  brand                         text check (length(brand) <= 40),
  last4                         text check (last4 ~ '^[0-9]{4}$'),
  exp_month                     integer check (exp_month between 1 and 12),
  exp_year                      integer check (exp_year between 2000 and 2200),
  holder_name                   text check (length(holder_name) <= 200),
  billing_zip                   text check (length(billing_zip) <= 20),
  is_default                    boolean not null default false,
  is_active                     boolean not null default true,
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  constraint payment_methods_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete cascade
);
comment on table public.payment_methods is 'Cards and accounts that customers left with a payment provider.';
comment on column public.payment_methods.provider_token is 'secret';
comment on column public.payment_methods.last4 is 'pii:card';
comment on column public.payment_methods.holder_name is 'pii:name';
comment on column public.payment_methods.billing_zip is 'pii:address';
create index payment_methods_id_idx on public.payment_methods (id);
create index payment_methods_customer_id_idx on public.payment_methods (company_id, customer_id);
create index payment_methods_created_at_idx on public.payment_methods (company_id, created_at desc, id);
create unique index payment_methods_default_key on public.payment_methods (company_id, customer_id) where is_default and deleted_at is null;
select app.enclose('public.payment_methods');

create table public.payments (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  customer_id                   uuid not null,
  invoice_id                    uuid,
  job_id                        uuid,
  payment_method_id             uuid,
  payment_number                text not null default '' check (length(payment_number) <= 40),
  reference_number              text check (length(reference_number) <= 120),
  currency                      text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  amount                        bigint not null check (amount > 0),
  payment_method                text not null check (payment_method in ('cash', 'check', 'credit_card', 'debit_card', 'ach', 'wire', 'venmo', 'paypal', 'other')),
  payment_type                  text not null default 'payment' check (payment_type in ('payment', 'refund', 'credit')),
  card_brand                    text check (card_brand in ('visa', 'mastercard', 'amex', 'discover')),
  card_last4                    text check (card_last4 ~ '^[0-9]{4}$'),
  card_exp_month                integer check (card_exp_month between 1 and 12),
  card_exp_year                 integer check (card_exp_year between 2000 and 2200),
  check_number                  text check (length(check_number) <= 60),
  bank_name                     text check (length(bank_name) <= 200),
  status                        text not null default 'pending' check (status in ('pending', 'processing', 'completed', 'failed', 'refunded', 'partially_refunded', 'cancelled')),
  failure_code                  text check (length(failure_code) <= 120),
  failure_message               text check (length(failure_message) <= 2000),
  processor_name                text check (processor_name in ('stripe', 'square', 'authorize_net', 'paypal', 'manual')),
  processor_transaction_id      text check (length(processor_transaction_id) <= 255),
  processor_fee                 bigint not null default 0 check (processor_fee >= 0),
  net_amount                    bigint not null default 0,
  processor_metadata            jsonb not null default '{}' check (jsonb_typeof(processor_metadata) = 'object'),
  refunded_amount               bigint not null default 0 check (refunded_amount >= 0),
  refund_reason                 text check (length(refund_reason) <= 2000),
  refunded_at                   timestamptz,
  original_payment_id           uuid,
  receipt_url                   text check (length(receipt_url) <= 2048),
  receipt_number                text check (length(receipt_number) <= 120),
  receipt_emailed               boolean not null default false,
  receipt_emailed_at            timestamptz,
  processed_by                  uuid,
  approved_by                   uuid,
  notes                         text check (length(notes) <= 20000),
  customer_notes                text check (length(customer_notes) <= 20000),
  metadata                      jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  is_reconciled                 boolean not null default false,
  reconciled_at                 timestamptz,
  reconciled_by                 uuid,
  bank_deposit_date             timestamptz,
  processed_at                  timestamptz,
  completed_at                  timestamptz,
  financing_provider_id         text check (length(financing_provider_id) <= 255),
  financing_terms               text check (length(financing_terms) <= 2000),
  is_down_payment               boolean not null default false,
  is_payment_plan_payment       boolean not null default false,
  payment_plan_schedule_id      text check (length(payment_plan_schedule_id) <= 255),
  idempotency_key               text check (length(idempotency_key) between 1 and 255),
  -- Kept by a trigger: a digest of what was sent with the key, by which a repeat is told from another payment.
  idempotency_digest            text,
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, payment_number),
  unique (company_id, idempotency_key),
  constraint payments_refunded_check check (refunded_amount <= amount),
  constraint payments_refund_original_check check ((payment_type = 'refund') = (original_payment_id is not null)),
  constraint payments_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id),
  constraint payments_invoice_id_fkey foreign key (company_id, invoice_id)
    references public.invoices (company_id, id),
  constraint payments_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id),
  constraint payments_payment_method_id_fkey foreign key (company_id, payment_method_id)
    references public.payment_methods (company_id, id) on delete set null (payment_method_id),
  constraint payments_original_payment_id_fkey foreign key (company_id, original_payment_id)
    references public.payments (company_id, id),
  constraint payments_processed_by_fkey foreign key (company_id, processed_by)
    references public.team_members (company_id, user_id) on delete set null (processed_by),
  constraint payments_approved_by_fkey foreign key (company_id, approved_by)
    references public.team_members (company_id, user_id) on delete set null (approved_by),
  constraint payments_reconciled_by_fkey foreign key (company_id, reconciled_by)
    references public.team_members (company_id, user_id) on delete set null (reconciled_by)
);
comment on table public.payments is 'Money received or given back. Completed ones are never changed in amount or parties.';
comment on column public.payments.card_last4 is 'pii:card';
comment on column public.payments.check_number is 'pii:card';
create index payments_id_idx on public.payments (id);
create index payments_customer_id_idx on public.payments (company_id, customer_id);
create index payments_job_id_idx on public.payments (company_id, job_id);
create index payments_payment_method_id_idx on public.payments (company_id, payment_method_id);
create index payments_original_payment_id_idx on public.payments (company_id, original_payment_id);
create index payments_processed_by_idx on public.payments (company_id, processed_by);
create index payments_approved_by_idx on public.payments (company_id, approved_by);
create index payments_reconciled_by_idx on public.payments (company_id, reconciled_by);
create index payments_created_at_idx on public.payments (company_id, created_at desc, id);
create index payments_invoice_id_idx on public.payments (company_id, invoice_id, status);
create index payments_status_idx on public.payments (company_id, status, created_at desc);
create index payments_processor_transaction_id_idx on public.payments (company_id, processor_transaction_id);
select app.enclose('public.payments');

create table public.payment_allocations (
  company_id     uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id             uuid not null default app.uuid_v7(),
  payment_id     uuid not null,
  invoice_id     uuid not null,
  amount_applied bigint not null check (amount_applied > 0),
  applied_at     timestamptz not null default now(),
  applied_by     uuid default auth.uid(),
  notes          text check (length(notes) <= 2000),
  created_by     uuid default auth.uid(),
  version        bigint not null default 1,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, payment_id, invoice_id),
  constraint payment_allocations_payment_id_fkey foreign key (company_id, payment_id)
    references public.payments (company_id, id),
  constraint payment_allocations_invoice_id_fkey foreign key (company_id, invoice_id)
    references public.invoices (company_id, id)
);
comment on table public.payment_allocations is 'Which invoices a payment pays, and how much of each.';
create index payment_allocations_id_idx on public.payment_allocations (id);
create index payment_allocations_created_at_idx on public.payment_allocations (company_id, created_at desc, id);
create index payment_allocations_invoice_id_idx on public.payment_allocations (company_id, invoice_id);
select app.enclose('public.payment_allocations');

create table public.contracts (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  job_id                        uuid,
  estimate_id                   uuid,
  invoice_id                    uuid,
  customer_id                   uuid,
  contract_number               text not null default '' check (length(contract_number) <= 40),
  title                         text not null check (length(title) between 1 and 300),
  description                   text check (length(description) <= 20000),
  content                       text not null check (length(content) <= 1000000),
  status                        text not null default 'draft' check (status in ('draft', 'sent', 'viewed', 'signed', 'rejected', 'expired', 'cancelled', 'archived')),
  contract_type                 text not null default 'service' check (contract_type in ('service', 'maintenance', 'custom')),
  signer_name                   text check (length(signer_name) <= 200),
  signer_email                  text check (length(signer_email) between 3 and 254 and signer_email ~ '^[^@\s]+@[^@\s]+$'),
  signer_title                  text check (length(signer_title) <= 120),
  signer_company                text check (length(signer_company) <= 200),
  signature                     text check (length(signature) <= 1000000),
  signed_at                     timestamptz,
  ip_address                    text check (length(ip_address) <= 64),
  valid_from                    timestamptz,
  valid_until                   timestamptz,
  terms                         text check (length(terms) <= 20000),
  notes                         text check (length(notes) <= 20000),
  template_id                   uuid,
  metadata                      jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  sent_at                       timestamptz,
  viewed_at                     timestamptz,
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, contract_number),
  constraint contracts_link_check check (estimate_id is not null or invoice_id is not null),
  constraint contracts_validity_check check (valid_until > valid_from),
  constraint contracts_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id),
  constraint contracts_estimate_id_fkey foreign key (company_id, estimate_id)
    references public.estimates (company_id, id),
  constraint contracts_invoice_id_fkey foreign key (company_id, invoice_id)
    references public.invoices (company_id, id),
  constraint contracts_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id)
);
comment on table public.contracts is 'Texts that customers sign.';
comment on column public.contracts.signer_name is 'pii:name';
comment on column public.contracts.signer_email is 'pii:email';
comment on column public.contracts.signature is 'pii:signature';
comment on column public.contracts.ip_address is 'pii:ip';
create index contracts_id_idx on public.contracts (id);
create index contracts_job_id_idx on public.contracts (company_id, job_id);
create index contracts_estimate_id_idx on public.contracts (company_id, estimate_id);
create index contracts_invoice_id_idx on public.contracts (company_id, invoice_id);
create index contracts_customer_id_idx on public.contracts (company_id, customer_id);
create index contracts_created_at_idx on public.contracts (company_id, created_at desc, id);
create index contracts_status_idx on public.contracts (company_id, status, created_at desc);
select app.enclose('public.contracts');

-- What points in a circle.
alter table public.estimates
  add constraint estimates_selected_option_id_fkey foreign key (company_id, id, selected_option_id)
    references public.estimate_options (company_id, estimate_id, id) on delete set null (selected_option_id),
  add constraint estimates_converted_to_invoice_id_fkey foreign key (company_id, converted_to_invoice_id)
    references public.invoices (company_id, id) on delete set null (converted_to_invoice_id);
create index estimates_selected_option_id_idx on public.estimates (company_id, selected_option_id, id);
create index estimates_converted_to_invoice_id_idx on public.estimates (company_id, converted_to_invoice_id);
alter table public.purchase_orders
  add constraint purchase_orders_estimate_id_fkey foreign key (company_id, estimate_id)
    references public.estimates (company_id, id) on delete set null (estimate_id),
  add constraint purchase_orders_invoice_id_fkey foreign key (company_id, invoice_id)
    references public.invoices (company_id, id) on delete set null (invoice_id);
create index purchase_orders_estimate_id_idx on public.purchase_orders (company_id, estimate_id);
create index purchase_orders_invoice_id_idx on public.purchase_orders (company_id, invoice_id);
