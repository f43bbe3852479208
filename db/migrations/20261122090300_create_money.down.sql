-- description: takes back create_money
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090200
-- rollback: migrate up again; the rows are lost

alter table public.purchase_orders drop constraint purchase_orders_estimate_id_fkey, drop constraint purchase_orders_invoice_id_fkey;
drop index public.purchase_orders_estimate_id_idx, public.purchase_orders_invoice_id_idx;
drop table public.contracts cascade;
drop table public.payment_allocations cascade;
drop table public.payments cascade;
drop table public.payment_methods cascade;
drop table public.credit_notes cascade;
drop table public.estimate_jobs cascade;
drop table public.invoice_jobs cascade;
drop table public.invoice_line_items cascade;
drop table public.invoices cascade;
drop table public.estimate_line_items cascade;
drop table public.estimate_options cascade;
drop table public.estimates cascade;
