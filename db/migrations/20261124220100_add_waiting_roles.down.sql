-- description: takes back add_waiting_roles
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123210000
-- rollback: migrate up again; who waits is found with the next change of groups

-- With the trigger that reads what goes.
drop function if exists app.scim_password_changed() cascade;
alter table auth.scim_users drop column waiting_role cascade;
