-- description: rows of attachments from before there were previews: what nothing can be made of waits for nothing, the others wait from now on
-- author: Thorbis
-- date: 2026-11-29
-- depends: 20261129040110
-- rollback: nothing is taken back; the states are true without it, too
-- transaction: none
-- batch: table=public.attachments key=company_id,id size=1000
-- backfill: attachments rows=any because as many rows wait as there are from before

-- Mass work is no edit of anybody's: it is not written down row by row.
update public.attachments t
   set processing_status = case
         when starts_with(t.storage_path, t.company_id || '/')
              and lower(btrim(split_part(t.mime_type, ';', 1))) in ('image/jpeg', 'image/png', 'image/webp', 'image/gif', 'application/pdf') then 'pending'
         else 'completed' end,
       updated_at = now()
 where (t.company_id, t.id) between ($1, $2) and ($3, $4) and t.processing_status = 'pending'
   and set_config('app.unaudited', 'on', true) = 'on';
