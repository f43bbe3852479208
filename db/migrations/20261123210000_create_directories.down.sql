-- description: takes back create_directories
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: migrate up again; tokens, mappings and groups stay lost, members stay as they are

-- With the triggers that read and write what goes.
drop function if exists app.scim_member_came() cascade;
drop function if exists app.scim_mapping_changed() cascade;
drop table auth.scim_group_members, auth.scim_groups, auth.scim_users, public.scim_mappings, public.scim_tokens, app.proved_domains cascade;
