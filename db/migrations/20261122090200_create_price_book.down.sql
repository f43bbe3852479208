-- description: takes back create_price_book
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090100
-- rollback: migrate up again; the rows are lost

drop table public.stock_moves cascade;
drop table public.stock_reservations cascade;
drop table public.inventory cascade;
drop table public.inventory_locations cascade;
drop table public.purchase_order_line_items cascade;
drop table public.purchase_orders cascade;
drop table public.po_settings cascade;
drop table public.labor_rates cascade;
drop table public.pricing_rules cascade;
drop table public.service_packages cascade;
drop table public.price_history cascade;
drop table public.price_book_items cascade;
drop table public.supplier_integrations cascade;
drop table public.vendors cascade;
drop table public.price_book_categories cascade;
