-- description: takes back hold_storage
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126010000
-- rollback: run hold_storage again
-- backfill: app.subscription_tiers rows=any because an operator may have changed the tiers

drop index public.attachments_storage_path_idx;
drop index public.file_storage_expires_at_idx;
drop trigger if exists describe_file on public.file_storage;
drop trigger if exists describe_file on public.attachments;
drop trigger if exists trash_file on public.file_storage;
drop trigger if exists trash_file on public.attachments;
drop trigger if exists forget_company_files on public.companies;
drop function if exists app.describe_file(), app.trash_file(), app.forget_company_files(), app.object_checksum(uuid, text), app.file_room(uuid);
update app.subscription_tiers t set quotas = t.quotas - 'storage_mib'::text;
