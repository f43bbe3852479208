-- description: takes back add_password_class
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123150200
-- rollback: migrate up again; it is known again from the next sign-in on

alter table auth.users drop column password_is_long cascade;
