-- description: what a supplier's catalogue looks like, and the sealed secrets by which it is fetched
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126070000
-- rollback: descriptions and secrets are gone
-- lint: allow require-concurrent-index-creation because hardly an item has the number of a supplier yet, and others are not in it

alter table public.supplier_integrations
  add column catalogue jsonb not null default '{}' check (jsonb_typeof(catalogue) = 'object' and pg_column_size(catalogue) <= 16384);
comment on column public.supplier_integrations.catalogue is 'How the catalogue reads: format, where its items are, and which of their fields is what.';

create table app.supplier_secrets (
  company_id     uuid not null references public.companies (id) on delete cascade,
  id             uuid not null,
  integration_id uuid not null,
  name           text not null check (name in ('api_key', 'api_secret', 'webhook_secret')),
  secret         text not null check (length(secret) <= 40000),
  created_at     timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, integration_id, name),
  constraint supplier_secrets_integration_id_fkey foreign key (company_id, integration_id)
    references public.supplier_integrations (company_id, id) on delete cascade
);
comment on table app.supplier_secrets is 'What this server proves itself with to suppliers, sealed by the key ring.';
comment on column app.supplier_secrets.secret is 'secret';
create index supplier_secrets_id_idx on app.supplier_secrets (id);
select app.enclose('app.supplier_secrets');

create index price_book_items_supplier_sku_idx on public.price_book_items (company_id, supplier_id, supplier_sku) where supplier_sku is not null;
