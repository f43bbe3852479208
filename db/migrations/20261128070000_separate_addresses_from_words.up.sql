-- description: addresses, words and names of whoever is erased stand apart, and a hold outlives the membership of whom it names
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261127020000
-- rollback: erasures that run find their rows by words alone; holds of members who left are lost
--
-- backfill: erasures rows=any because few run at a time, and often none
-- lint: allow constraint-missing-not-valid because a row is a person who was erased or is held, and those are few
-- lint: allow adding-foreign-key-constraint because holds are few
-- lint: allow require-concurrent-index-creation because holds are few

alter table app.erasures add column addresses text[], add column names text[];
comment on column app.erasures.addresses is 'pii:text';
comment on column app.erasures.names is 'pii:text';
alter table app.erasures drop constraint erasures_forgotten_check,
  add constraint erasures_forgotten_check check (status <> 'completed' or num_nonnulls(row_ids, addresses, words, names) = 0);
-- What is running was found by patterns. Its rows are known, and its addresses are among them.
update app.erasures e
   set words = array(select lower(btrim(w, '%')) from unnest(e.words) w), names = '{}',
       addresses = array(select replace(lower(btrim(w, '%')), '\_', '_') from unnest(e.words) w where w like '%_@_%' or w ~ '^%[0-9]{7,}%$')
 where e.status = 'running';

-- Whoever is held stays held when he leaves, and his account stays.
alter table public.legal_holds drop constraint legal_holds_user_id_fkey,
  add constraint legal_holds_user_id_fkey foreign key (user_id) references auth.users (id);
create index legal_holds_account_idx on public.legal_holds (user_id);
