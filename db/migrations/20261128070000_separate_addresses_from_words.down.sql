-- description: takes back separate_addresses_from_words
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261128070000
-- rollback: the up file
--
-- backfill: legal_holds rows=any because few of those who are held have left
-- backfill: erasures rows=any because few run at a time, and often none

alter table public.legal_holds drop constraint legal_holds_user_id_fkey;
drop index public.legal_holds_account_idx;
delete from public.legal_holds h
 where h.user_id is not null and not exists (select from public.team_members m where m.company_id = h.company_id and m.user_id = h.user_id);
alter table public.legal_holds add constraint legal_holds_user_id_fkey
  foreign key (company_id, user_id) references public.team_members (company_id, user_id) on delete cascade not valid;
alter table public.legal_holds validate constraint legal_holds_user_id_fkey;
update app.erasures e set words = array(select '%' || w || '%' from unnest(e.words) w) where e.status = 'running';
alter table app.erasures drop constraint erasures_forgotten_check,
  add constraint erasures_forgotten_check check (status <> 'completed' or row_ids is null and words is null) not valid;
alter table app.erasures validate constraint erasures_forgotten_check;
alter table app.erasures drop column addresses, drop column names;
