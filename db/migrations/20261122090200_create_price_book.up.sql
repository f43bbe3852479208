-- description: price book, vendors, purchase orders and stock
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090100
-- rollback: drops these tables with everything in them; take a backup first

create table public.price_book_categories (
  company_id            uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                    uuid not null default app.uuid_v7(),
  name                  text not null check (length(name) between 1 and 200),
  slug                  text not null default '' check (length(slug) <= 120 and slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  description           text check (length(description) <= 2000),
  parent_id             uuid,
  path                  extensions.ltree not null default '',
  level                 integer not null default 0 check (level >= 0),
  sort_order            integer not null default 0 check (sort_order >= 0),
  icon                  text check (length(icon) <= 60),
  color                 text check (color ~ '^#[0-9A-Fa-f]{6}$'),
  item_count            bigint not null default 0 check (item_count >= 0),
  descendant_item_count bigint not null default 0 check (descendant_item_count >= 0),
  is_active             boolean not null default true,
  version               bigint not null default 1,
  created_at            timestamptz not null default now(),
  updated_at            timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, slug),
  constraint price_book_categories_parent_id_fkey foreign key (company_id, parent_id)
    references public.price_book_categories (company_id, id)
);
comment on table public.price_book_categories is 'The tree of what a company sells. Path, level and counts are kept by triggers.';
comment on column public.price_book_categories.path is 'The slugs from the root to here; hyphens are written as underscores.';
comment on column public.price_book_categories.item_count is 'Items of this category that are not deleted.';
comment on column public.price_book_categories.descendant_item_count is 'Items of this category and of those below it.';
create index price_book_categories_id_idx on public.price_book_categories (id);
create index price_book_categories_parent_id_idx on public.price_book_categories (company_id, parent_id, sort_order);
create index price_book_categories_path_idx on public.price_book_categories using gist (company_id, path);
select app.enclose('public.price_book_categories');

create table public.vendors (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  vendor_number                 text not null default '' check (length(vendor_number) <= 40),
  name                          text not null check (length(name) between 1 and 200),
  display_name                  text check (length(display_name) <= 200),
  category                      text not null default 'supplier' check (category in ('supplier', 'distributor', 'manufacturer', 'service_provider', 'other')),
  status                        text not null default 'active' check (status in ('active', 'inactive')),
  payment_terms                 text not null default 'net_30' check (payment_terms in ('net_15', 'net_30', 'net_60', 'due_on_receipt', 'custom')),
  email                         text check (length(email) between 3 and 254 and email ~ '^[^@\s]+@[^@\s]+$'),
  phone                         text check (phone ~ '^[+][1-9][0-9]{6,14}$'),
  website                       text check (length(website) <= 2048),
  address                       text check (length(address) <= 300),
  address2                      text check (length(address2) <= 300),
  city                          text check (length(city) <= 120),
  state                         text check (length(state) <= 120),
  zip_code                      text check (length(zip_code) <= 20),
  country                       text not null default 'USA' check (country ~ '^[A-Z]{2,3}$'),
  tax_id                        text check (length(tax_id) <= 100),
  account_number                text check (length(account_number) <= 120),
  currency                      text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  credit_limit                  bigint not null default 0 check (credit_limit >= 0),
  notes                         text check (length(notes) <= 20000),
  tags                          text[] not null default '{}' check (cardinality(tags) <= 100),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, vendor_number)
);
comment on table public.vendors is 'Whom we buy from.';
comment on column public.vendors.email is 'pii:email';
comment on column public.vendors.phone is 'pii:phone';
comment on column public.vendors.address is 'pii:address';
comment on column public.vendors.address2 is 'pii:address';
comment on column public.vendors.tax_id is 'pii:tax_id';
create index vendors_id_idx on public.vendors (id);
create index vendors_created_at_idx on public.vendors (company_id, created_at desc, id);
create index vendors_name_idx on public.vendors (company_id, name);
select app.enclose('public.vendors');

create table public.supplier_integrations (
  company_id             uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                     uuid not null default app.uuid_v7(),
  supplier_name          text not null check (length(supplier_name) between 1 and 120),
  display_name           text not null check (length(display_name) between 1 and 200),
  vendor_id              uuid,
  api_enabled            boolean not null default false,
  api_key                text check (length(api_key) <= 4000),
  api_secret             text check (length(api_secret) <= 4000),
  api_endpoint           text check (length(api_endpoint) <= 2048),
  account_number         text check (length(account_number) <= 120),
  sync_enabled           boolean not null default false,
  sync_frequency         text default 'daily' check (sync_frequency in ('hourly', 'daily', 'weekly', 'manual')),
  last_sync_at           timestamptz,
  last_sync_status       text check (last_sync_status in ('success', 'error', 'in_progress')),
  last_sync_error        text check (length(last_sync_error) <= 2000),
  next_sync_at           timestamptz,
  total_items_imported   bigint not null default 0 check (total_items_imported >= 0),
  total_items_updated    bigint not null default 0 check (total_items_updated >= 0),
  total_items_failed     bigint not null default 0 check (total_items_failed >= 0),
  webhook_enabled        boolean not null default false,
  webhook_url            text check (length(webhook_url) <= 2048),
  webhook_secret         text check (length(webhook_secret) <= 4000),
  auto_import_new_items  boolean not null default false,
  auto_update_prices     boolean not null default false,
  default_markup_percent integer not null default 0 check (default_markup_percent between 0 and 10000),
  category_mappings      jsonb not null default '{}' check (jsonb_typeof(category_mappings) = 'object'),
  status                 text not null default 'disconnected' check (status in ('connected', 'disconnected', 'error', 'syncing')),
  metadata               jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  notes                  text check (length(notes) <= 20000),
  version                bigint not null default 1,
  created_at             timestamptz not null default now(),
  updated_at             timestamptz not null default now(),
  primary key (company_id, id),
  constraint supplier_integrations_vendor_id_fkey foreign key (company_id, vendor_id)
    references public.vendors (company_id, id) on delete set null (vendor_id)
);
comment on table public.supplier_integrations is 'The connection to a supplier''s catalogue. Keys are kept by the key ring; here is ciphertext.';
comment on column public.supplier_integrations.api_key is 'secret';
comment on column public.supplier_integrations.api_secret is 'secret';
comment on column public.supplier_integrations.webhook_secret is 'secret';
create index supplier_integrations_id_idx on public.supplier_integrations (id);
create index supplier_integrations_vendor_id_idx on public.supplier_integrations (company_id, vendor_id);
select app.enclose('public.supplier_integrations');

create table public.price_book_items (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  category_id                   uuid not null,
  item_type                     text not null default 'service' check (item_type in ('service', 'material', 'package')),
  name                          text not null check (length(name) between 1 and 300),
  description                   text check (length(description) <= 20000),
  sku                           text check (length(sku) <= 120),
  category                      text check (length(category) <= 200),
  subcategory                   text check (length(subcategory) <= 200),
  currency                      text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  cost                          bigint not null default 0 check (cost >= 0),
  price                         bigint not null default 0 check (price >= 0),
  markup_percent                integer not null default 0 check (markup_percent between 0 and 100000),
  unit                          text not null default 'each' check (unit in ('each', 'hour', 'linear_ft', 'sq_ft', 'day', 'lb', 'gal', 'box')),
  minimum_quantity              numeric(14,3) not null default 1 check (minimum_quantity >= 0),
  is_active                     boolean not null default true,
  is_taxable                    boolean not null default true,
  supplier_id                   uuid,
  supplier_sku                  text check (length(supplier_sku) <= 120),
  supplier_last_sync_at         timestamptz,
  image_url                     text check (length(image_url) <= 2048),
  images                        jsonb not null default '[]' check (jsonb_typeof(images) = 'array'),
  documents                     jsonb not null default '[]' check (jsonb_typeof(documents) = 'array'),
  tags                          jsonb,
  metadata                      jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
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
  constraint price_book_items_category_id_fkey foreign key (company_id, category_id)
    references public.price_book_categories (company_id, id),
  constraint price_book_items_supplier_id_fkey foreign key (company_id, supplier_id)
    references public.supplier_integrations (company_id, id) on delete set null (supplier_id)
);
comment on table public.price_book_items is 'What a company sells: services, materials, packages.';
create index price_book_items_id_idx on public.price_book_items (id);
create index price_book_items_category_id_idx on public.price_book_items (company_id, category_id);
create index price_book_items_supplier_id_idx on public.price_book_items (company_id, supplier_id);
create index price_book_items_created_at_idx on public.price_book_items (company_id, created_at desc, id);
create index price_book_items_sku_idx on public.price_book_items (company_id, sku);
create index price_book_items_name_idx on public.price_book_items (company_id, name);
create index price_book_items_active_idx on public.price_book_items (company_id, is_active, name);
select app.enclose('public.price_book_items');

create table public.price_history (
  company_id         uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                 uuid not null default app.uuid_v7(),
  item_id            uuid not null,
  old_cost           bigint check (old_cost >= 0),
  new_cost           bigint check (new_cost >= 0),
  old_price          bigint check (old_price >= 0),
  new_price          bigint check (new_price >= 0),
  old_markup_percent integer check (old_markup_percent >= 0),
  new_markup_percent integer check (new_markup_percent >= 0),
  change_type        text not null default 'manual' check (change_type in ('manual', 'bulk_update', 'supplier_sync', 'auto_markup')),
  change_reason      text check (length(change_reason) <= 2000),
  changed_by         uuid default auth.uid(),
  effective_date     timestamptz not null default now(),
  created_at         timestamptz not null default now(),
  primary key (company_id, id),
  constraint price_history_item_id_fkey foreign key (company_id, item_id)
    references public.price_book_items (company_id, id)
);
comment on table public.price_history is 'Every change of a price or cost, written by a trigger.';
create index price_history_id_idx on public.price_history (id);
create index price_history_created_at_idx on public.price_history (company_id, created_at desc, id);
create index price_history_item_id_idx on public.price_history (company_id, item_id, effective_date desc);
select app.enclose('public.price_history');

create table public.service_packages (
  company_id         uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                 uuid not null default app.uuid_v7(),
  price_book_item_id uuid not null,
  name               text not null check (length(name) between 1 and 200),
  description        text check (length(description) <= 20000),
  package_type       text not null default 'flat_rate' check (package_type in ('flat_rate', 'time_materials')),
  included_items     jsonb not null default '[]' check (jsonb_typeof(included_items) = 'array'),
  -- Minutes, in spite of its name.
  labor_hours        integer not null default 0 check (labor_hours >= 0),
  total_cost         bigint not null default 0 check (total_cost >= 0),
  package_price      bigint not null default 0 check (package_price >= 0),
  notes              text check (length(notes) <= 20000),
  is_active          boolean not null default true,
  created_by         uuid default auth.uid(),
  version            bigint not null default 1,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  primary key (company_id, id),
  constraint service_packages_price_book_item_id_fkey foreign key (company_id, price_book_item_id)
    references public.price_book_items (company_id, id) on delete cascade
);
comment on table public.service_packages is 'Bundles sold as one item.';
create index service_packages_id_idx on public.service_packages (id);
create index service_packages_price_book_item_id_idx on public.service_packages (company_id, price_book_item_id);
create index service_packages_created_at_idx on public.service_packages (company_id, created_at desc, id);
select app.enclose('public.service_packages');

create table public.pricing_rules (
  company_id           uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                   uuid not null default app.uuid_v7(),
  name                 text not null check (length(name) between 1 and 200),
  description          text check (length(description) <= 20000),
  rule_type            text not null check (rule_type in ('markup', 'discount', 'minimum_charge', 'tiered_pricing')),
  priority             integer not null default 0,
  applies_to           text not null default 'all' check (applies_to in ('all', 'category', 'item', 'customer_type')),
  category_filter      jsonb,
  item_filter          jsonb,
  customer_type_filter jsonb,
  adjustment_type      text not null check (adjustment_type in ('percentage', 'fixed_amount')),
  adjustment_value     integer not null,
  minimum_quantity     numeric(14,3) check (minimum_quantity >= 0),
  maximum_quantity     numeric(14,3) check (maximum_quantity >= 0),
  valid_from           timestamptz,
  valid_until          timestamptz,
  days_of_week         jsonb,
  time_ranges          jsonb,
  is_active            boolean not null default true,
  metadata             jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_by           uuid default auth.uid(),
  version              bigint not null default 1,
  created_at           timestamptz not null default now(),
  updated_at           timestamptz not null default now(),
  primary key (company_id, id),
  constraint pricing_rules_validity_check check (valid_until > valid_from)
);
comment on table public.pricing_rules is 'Automatic markups and discounts: the highest priority first.';
create index pricing_rules_id_idx on public.pricing_rules (id);
create index pricing_rules_created_at_idx on public.pricing_rules (company_id, created_at desc, id);
create index pricing_rules_priority_idx on public.pricing_rules (company_id, is_active, priority desc);
select app.enclose('public.pricing_rules');

create table public.labor_rates (
  company_id           uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                   uuid not null default app.uuid_v7(),
  name                 text not null check (length(name) between 1 and 200),
  description          text check (length(description) <= 20000),
  rate_type            text not null default 'hourly' check (rate_type in ('hourly', 'flat_rate', 'minimum_charge')),
  currency             text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  rate                 bigint not null default 0 check (rate >= 0),
  minimum_charge       bigint not null default 0 check (minimum_charge >= 0),
  -- Minutes, in spite of its name.
  minimum_hours        integer not null default 0 check (minimum_hours >= 0),
  overtime_multiplier  integer not null default 150 check (overtime_multiplier between 100 and 1000),
  weekend_multiplier   integer not null default 150 check (weekend_multiplier between 100 and 1000),
  holiday_multiplier   integer not null default 200 check (holiday_multiplier between 100 and 1000),
  emergency_multiplier integer not null default 200 check (emergency_multiplier between 100 and 1000),
  applies_to           text not null default 'all' check (applies_to in ('all', 'specific_services', 'specific_techs')),
  service_categories   jsonb,
  technician_ids       jsonb,
  valid_from           timestamptz,
  valid_until          timestamptz,
  is_default           boolean not null default false,
  is_active            boolean not null default true,
  metadata             jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_by           uuid default auth.uid(),
  version              bigint not null default 1,
  created_at           timestamptz not null default now(),
  updated_at           timestamptz not null default now(),
  primary key (company_id, id),
  constraint labor_rates_validity_check check (valid_until > valid_from)
);
comment on table public.labor_rates is 'What an hour of work costs the customer. Multipliers are hundredths.';
create index labor_rates_id_idx on public.labor_rates (id);
create index labor_rates_created_at_idx on public.labor_rates (company_id, created_at desc, id);
create unique index labor_rates_default_key on public.labor_rates (company_id) where is_default;
select app.enclose('public.labor_rates');

create table public.po_settings (
  company_id              uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                      uuid not null default app.uuid_v7(),
  enabled                 boolean not null default false,
  require_approval        boolean not null default true,
  approval_threshold      bigint default 50000 check (approval_threshold >= 0),
  auto_generate_enabled   boolean not null default false,
  auto_generate_threshold bigint not null default 10000 check (auto_generate_threshold >= 0),
  default_vendors         jsonb not null default '[]' check (jsonb_typeof(default_vendors) = 'array'),
  notification_emails     jsonb not null default '[]' check (jsonb_typeof(notification_emails) = 'array'),
  approvers               jsonb not null default '[]' check (jsonb_typeof(approvers) = 'array'),
  version                 bigint not null default 1,
  created_at              timestamptz not null default now(),
  updated_at              timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id)
);
comment on table public.po_settings is 'How a company buys: one row each.';
comment on column public.po_settings.notification_emails is 'pii:email';
create index po_settings_id_idx on public.po_settings (id);
select app.enclose('public.po_settings');

create table public.purchase_orders (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  job_id                        uuid,
  estimate_id                   uuid,
  invoice_id                    uuid,
  requested_by                  uuid default auth.uid(),
  approved_by                   uuid,
  vendor_id                     uuid,
  vendor                        text not null default '' check (length(vendor) between 1 and 200),
  vendor_email                  text check (length(vendor_email) between 3 and 254 and vendor_email ~ '^[^@\s]+@[^@\s]+$'),
  vendor_phone                  text check (vendor_phone ~ '^[+][1-9][0-9]{6,14}$'),
  po_number                     text not null default '' check (length(po_number) <= 40),
  title                         text not null default 'Purchase order' check (length(title) <= 300),
  description                   text check (length(description) <= 20000),
  status                        text not null default 'draft' check (status in ('draft', 'pending_approval', 'approved', 'ordered', 'partially_received', 'received', 'cancelled')),
  priority                      text not null default 'normal' check (priority in ('low', 'normal', 'high', 'urgent')),
  currency                      text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  tax_rate                      numeric(7,4) not null default 0 check (tax_rate between 0 and 100),
  -- The lines once more, as JSON: either can be written, and the other follows.
  line_items                    jsonb not null default '[]' check (jsonb_typeof(line_items) = 'array'),
  subtotal                      bigint not null default 0 check (subtotal >= 0),
  tax_amount                    bigint not null default 0 check (tax_amount >= 0),
  shipping_amount               bigint not null default 0 check (shipping_amount >= 0),
  discount_amount               bigint not null default 0 check (discount_amount >= 0),
  total_amount                  bigint not null default 0 check (total_amount >= 0),
  expected_delivery             timestamptz,
  actual_delivery               timestamptz,
  delivery_address              text check (length(delivery_address) <= 600),
  notes                         text check (length(notes) <= 20000),
  internal_notes                text check (length(internal_notes) <= 20000),
  auto_generated                boolean not null default false,
  approved_at                   timestamptz,
  ordered_at                    timestamptz,
  received_at                   timestamptz,
  cancelled_at                  timestamptz,
  cancellation_reason           text check (length(cancellation_reason) <= 2000),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, po_number),
  constraint purchase_orders_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id),
  constraint purchase_orders_requested_by_fkey foreign key (company_id, requested_by)
    references public.team_members (company_id, user_id) on delete set null (requested_by),
  constraint purchase_orders_approved_by_fkey foreign key (company_id, approved_by)
    references public.team_members (company_id, user_id) on delete set null (approved_by),
  constraint purchase_orders_vendor_id_fkey foreign key (company_id, vendor_id)
    references public.vendors (company_id, id)
);
comment on table public.purchase_orders is 'Orders to vendors. Totals are computed from the lines.';
comment on column public.purchase_orders.vendor_email is 'pii:email';
comment on column public.purchase_orders.vendor_phone is 'pii:phone';
comment on column public.purchase_orders.delivery_address is 'pii:address';
create index purchase_orders_id_idx on public.purchase_orders (id);
create index purchase_orders_job_id_idx on public.purchase_orders (company_id, job_id);
create index purchase_orders_requested_by_idx on public.purchase_orders (company_id, requested_by);
create index purchase_orders_approved_by_idx on public.purchase_orders (company_id, approved_by);
create index purchase_orders_vendor_id_idx on public.purchase_orders (company_id, vendor_id);
create index purchase_orders_created_at_idx on public.purchase_orders (company_id, created_at desc, id);
create index purchase_orders_status_idx on public.purchase_orders (company_id, status, created_at desc);
select app.enclose('public.purchase_orders');

create table public.purchase_order_line_items (
  company_id         uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                 uuid not null default app.uuid_v7(),
  purchase_order_id  uuid not null,
  price_book_item_id uuid,
  position           integer not null default 0 check (position >= 0),
  description        text not null check (length(description) between 1 and 2000),
  sku                text check (length(sku) <= 120),
  unit               text check (length(unit) <= 40),
  quantity           numeric(14,3) not null default 1 check (quantity >= 0.01),
  unit_price         bigint not null default 0 check (unit_price >= 0),
  -- Computed: quantity times unit price, rounded half away from zero.
  total              bigint not null default 0 check (total >= 0),
  is_taxable         boolean not null default true,
  quantity_received  numeric(14,3) not null default 0 check (quantity_received >= 0),
  version            bigint not null default 1,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  primary key (company_id, id),
  constraint purchase_order_line_items_purchase_order_id_fkey foreign key (company_id, purchase_order_id)
    references public.purchase_orders (company_id, id) on delete cascade,
  constraint purchase_order_line_items_price_book_item_id_fkey foreign key (company_id, price_book_item_id)
    references public.price_book_items (company_id, id) on delete set null (price_book_item_id)
);
comment on table public.purchase_order_line_items is 'Lines of purchase orders.';
create index purchase_order_line_items_id_idx on public.purchase_order_line_items (id);
create index purchase_order_line_items_price_book_item_id_idx on public.purchase_order_line_items (company_id, price_book_item_id);
create index purchase_order_line_items_purchase_order_id_idx on public.purchase_order_line_items (company_id, purchase_order_id, position);
select app.enclose('public.purchase_order_line_items');

create table public.inventory_locations (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  name       text not null check (length(name) between 1 and 200),
  kind       text not null default 'warehouse' check (kind in ('warehouse', 'truck', 'shelf', 'job_site', 'other')),
  user_id    uuid,
  address    text check (length(address) <= 600),
  is_active  boolean not null default true,
  is_default boolean not null default false,
  version    bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, name),
  constraint inventory_locations_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete set null (user_id)
);
comment on table public.inventory_locations is 'Where stock is: warehouses, trucks, shelves.';
comment on column public.inventory_locations.address is 'pii:address';
create index inventory_locations_id_idx on public.inventory_locations (id);
create index inventory_locations_user_id_idx on public.inventory_locations (company_id, user_id);
create unique index inventory_locations_default_key on public.inventory_locations (company_id) where is_default;
select app.enclose('public.inventory_locations');

create table public.inventory (
  company_id                     uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                             uuid not null default app.uuid_v7(),
  price_book_item_id             uuid not null,
  quantity_on_hand               numeric(14,3) not null default 0 check (quantity_on_hand >= 0),
  quantity_reserved              numeric(14,3) not null default 0 check (quantity_reserved >= 0),
  quantity_available             numeric(14,3) generated always as (quantity_on_hand - quantity_reserved) stored,
  minimum_quantity               numeric(14,3) not null default 0 check (minimum_quantity >= 0),
  maximum_quantity               numeric(14,3) check (maximum_quantity >= 0),
  reorder_point                  numeric(14,3) not null default 0 check (reorder_point >= 0),
  reorder_quantity               numeric(14,3) not null default 0 check (reorder_quantity >= 0),
  warehouse_location             text check (length(warehouse_location) <= 200),
  primary_location               text check (length(primary_location) <= 200),
  secondary_locations            jsonb,
  location_id                    uuid,
  currency                       text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  cost_per_unit                  bigint not null default 0 check (cost_per_unit >= 0),
  total_cost_value               bigint not null default 0 check (total_cost_value >= 0),
  last_purchase_cost             bigint not null default 0 check (last_purchase_cost >= 0),
  last_restock_date              timestamptz,
  last_restock_quantity          numeric(14,3) check (last_restock_quantity >= 0),
  last_restock_purchase_order_id uuid,
  last_stock_check_date          timestamptz,
  last_used_date                 timestamptz,
  last_used_job_id               uuid,
  is_low_stock                   boolean not null default false,
  low_stock_alert_sent           boolean not null default false,
  low_stock_alert_sent_at        timestamptz,
  status                         text not null default 'active' check (status in ('active', 'discontinued', 'on_order')),
  notes                          text check (length(notes) <= 20000),
  created_by                     uuid default auth.uid(),
  archived_at                    timestamptz,
  deleted_at                     timestamptz,
  deleted_by                     uuid,
  permanent_delete_scheduled_at  timestamptz,
  version                        bigint not null default 1,
  created_at                     timestamptz not null default now(),
  updated_at                     timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, price_book_item_id),
  constraint inventory_never_negative check (quantity_on_hand >= 0),
  constraint inventory_reserved_check check (quantity_reserved between 0 and quantity_on_hand),
  constraint inventory_price_book_item_id_fkey foreign key (company_id, price_book_item_id)
    references public.price_book_items (company_id, id),
  constraint inventory_location_id_fkey foreign key (company_id, location_id)
    references public.inventory_locations (company_id, id) on delete set null (location_id),
  constraint inventory_last_restock_purchase_order_id_fkey foreign key (company_id, last_restock_purchase_order_id)
    references public.purchase_orders (company_id, id) on delete set null (last_restock_purchase_order_id),
  constraint inventory_last_used_job_id_fkey foreign key (company_id, last_used_job_id)
    references public.jobs (company_id, id) on delete set null (last_used_job_id)
);
comment on table public.inventory is 'How much there is of an item: one row each, its figures moved by stock moves only.';
create index inventory_id_idx on public.inventory (id);
create index inventory_location_id_idx on public.inventory (company_id, location_id);
create index inventory_last_restock_purchase_order_id_idx on public.inventory (company_id, last_restock_purchase_order_id);
create index inventory_last_used_job_id_idx on public.inventory (company_id, last_used_job_id);
create index inventory_created_at_idx on public.inventory (company_id, created_at desc, id);
create index inventory_low_stock_idx on public.inventory (company_id, is_low_stock);
select app.enclose('public.inventory');

create table public.stock_reservations (
  company_id    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id            uuid not null default app.uuid_v7(),
  inventory_id  uuid not null,
  job_id        uuid,
  quantity      numeric(14,3) not null check (quantity > 0),
  quantity_used numeric(14,3) not null default 0 check (quantity_used >= 0),
  status        text not null default 'active' check (status in ('active', 'released', 'fulfilled')),
  reason        text check (length(reason) <= 2000),
  released_at   timestamptz,
  fulfilled_at  timestamptz,
  created_by    uuid default auth.uid(),
  version       bigint not null default 1,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  primary key (company_id, id),
  constraint stock_reservations_used_check check (quantity_used <= quantity),
  constraint stock_reservations_inventory_id_fkey foreign key (company_id, inventory_id)
    references public.inventory (company_id, id),
  constraint stock_reservations_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id)
);
comment on table public.stock_reservations is 'Stock that is kept for a job.';
create index stock_reservations_id_idx on public.stock_reservations (id);
create index stock_reservations_job_id_idx on public.stock_reservations (company_id, job_id);
create index stock_reservations_created_at_idx on public.stock_reservations (company_id, created_at desc, id);
create index stock_reservations_inventory_id_idx on public.stock_reservations (company_id, inventory_id, status);
select app.enclose('public.stock_reservations');

create table public.stock_moves (
  company_id        uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                uuid not null default app.uuid_v7(),
  inventory_id      uuid not null,
  location_id       uuid,
  to_location_id    uuid,
  kind              text not null check (kind in ('restock', 'sale', 'damage', 'theft', 'correction', 'transfer', 'return', 'reserve', 'release', 'use')),
  quantity          numeric(14,3) not null check (quantity <> 0),
  quantity_before   numeric(14,3) check (quantity_before >= 0),
  quantity_after    numeric(14,3) check (quantity_after >= 0),
  reserved_before   numeric(14,3) check (reserved_before >= 0),
  reserved_after    numeric(14,3) check (reserved_after >= 0),
  unit_cost         bigint check (unit_cost >= 0),
  reason            text check (length(reason) <= 2000),
  job_id            uuid,
  purchase_order_id uuid,
  reservation_id    uuid,
  moved_by          uuid default auth.uid(),
  occurred_at       timestamptz not null default now(),
  created_at        timestamptz not null default now(),
  primary key (company_id, id),
  constraint stock_moves_inventory_id_fkey foreign key (company_id, inventory_id)
    references public.inventory (company_id, id),
  constraint stock_moves_location_id_fkey foreign key (company_id, location_id)
    references public.inventory_locations (company_id, id),
  constraint stock_moves_to_location_id_fkey foreign key (company_id, to_location_id)
    references public.inventory_locations (company_id, id),
  constraint stock_moves_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id),
  constraint stock_moves_purchase_order_id_fkey foreign key (company_id, purchase_order_id)
    references public.purchase_orders (company_id, id),
  constraint stock_moves_reservation_id_fkey foreign key (company_id, reservation_id)
    references public.stock_reservations (company_id, id)
);
comment on table public.stock_moves is 'The ledger of stock. Rows are added and never changed.';
create index stock_moves_id_idx on public.stock_moves (id);
create index stock_moves_location_id_idx on public.stock_moves (company_id, location_id);
create index stock_moves_to_location_id_idx on public.stock_moves (company_id, to_location_id);
create index stock_moves_job_id_idx on public.stock_moves (company_id, job_id);
create index stock_moves_purchase_order_id_idx on public.stock_moves (company_id, purchase_order_id);
create index stock_moves_reservation_id_idx on public.stock_moves (company_id, reservation_id);
create index stock_moves_created_at_idx on public.stock_moves (company_id, created_at desc, id);
create index stock_moves_inventory_id_idx on public.stock_moves (company_id, inventory_id, occurred_at desc);
select app.enclose('public.stock_moves');
