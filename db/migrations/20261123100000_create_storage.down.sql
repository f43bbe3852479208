-- description: takes back create_storage
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261121090000
-- rollback: migrate up again; the rows are lost

alter table auth.users
  drop column reauthentication_token,
  drop column phone_change_token,
  drop column email_change_confirm_status,
  drop column email_change_token_current,
  drop column email_change_token_new,
  drop column recovery_token,
  drop column confirmation_token,
  drop column is_super_admin,
  drop column instance_id;
drop table storage.objects cascade;
drop table storage.buckets cascade;
