-- description: removes jobs, properties and customers, with the functions and views that stand on them
-- author: Thorbis
-- date: 2026-11-21
-- depends: 20261121090100
-- rollback: migrate up again; the rows are lost

drop table public.jobs cascade;
drop table public.properties cascade;
drop table public.customers cascade;
