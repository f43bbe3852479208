-- description: takes back go_over_erasures_twice
-- author: Thorbis
-- date: 2026-11-29
-- depends: 20261129040000
-- rollback: the up file
-- lint: allow id-without-company because accounts are of no company, and their ids are unique everywhere
-- backfill: legal_holds rows=any because few of those who were held are gone

drop trigger if exists keep_held on auth.users;
delete from public.legal_holds h
 where h.user_id is not null and not exists (select from auth.users u where u.id = h.user_id);
alter table public.legal_holds add constraint legal_holds_user_id_fkey foreign key (user_id) references auth.users (id) not valid;
alter table public.legal_holds validate constraint legal_holds_user_id_fkey;
alter table app.erasures drop column came_at, drop column is_again;
