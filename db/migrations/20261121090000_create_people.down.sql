-- description: removes accounts, profiles and the permission tables, with the functions and views that stand on them
-- author: Thorbis
-- date: 2026-11-21
-- depends: none
-- rollback: migrate up again; the rows are lost

drop table public.users cascade;
drop table auth.identities cascade;
drop table auth.users cascade;
drop table app.protected_tables cascade;
drop table app.role_permissions cascade;
