-- description: takes back add_password_class
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123150200
-- rollback: migrate up again; it is known again from the next sign-in on

-- With the triggers that read and write what goes.
drop function if exists app.guard_owner_password() cascade;
drop function if exists app.forget_password_class() cascade;
alter table auth.users drop column password_is_long cascade;
