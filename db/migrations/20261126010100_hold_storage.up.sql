-- description: how much companies may keep in files, by their tier; finding the rows that name a file
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126010000
-- rollback: nothing holds how much a company keeps; what is kept stays
-- lint: allow require-concurrent-index-creation because files of companies could not be uploaded until now, and their rows are few
-- backfill: app.subscription_tiers rows=any because an operator may have changed the tiers

update app.subscription_tiers t
   set quotas = t.quotas || case t.tier when 'free' then '{"storage_mib": 1024}'::jsonb
                                        when 'starter' then '{"storage_mib": 10240}'
                                        when 'pro' then '{"storage_mib": 102400}'
                                        else '{"storage_mib": null}' end;

create index file_storage_expires_at_idx on public.file_storage (expires_at) where expires_at is not null;
create index attachments_storage_path_idx on public.attachments (company_id, storage_bucket, storage_path);
