-- description: takes back tell_reviews_of_customers
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261122090400
-- rollback: migrate up again; who wrote which review until then is not known any more

alter table public.customer_reviews drop column reviewed cascade;
