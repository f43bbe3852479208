-- description: rows of attachments from before say which file they mean
-- author: Thorbis
-- date: 2026-11-30
-- depends: 20261130010000
-- rollback: nothing is taken back; the column goes with the migration before
-- transaction: none
-- batch: table=public.attachments key=company_id,id size=1000
-- backfill: attachments rows=any because as many rows name a file as there are from before

-- The file that is there, or the last that was. Mass work is no edit of anybody's: it is not written down row by row.
update public.attachments t
   set object_id = coalesce(
         (select o.id from storage.objects o where o.bucket_id = t.storage_bucket and o.name = t.storage_path),
         (select v.object_id from app.object_versions v
           where v.company_id = t.company_id and v.bucket_id = t.storage_bucket and v.name = t.storage_path and v.ended_how = 'removed'
           order by v.ended_at desc limit 1))
 where (t.company_id, t.id) between ($1, $2) and ($3, $4) and t.object_id is null and starts_with(t.storage_path, t.company_id || '/')
   and set_config('app.unaudited', 'on', true) = 'on';
