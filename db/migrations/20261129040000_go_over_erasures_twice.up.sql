-- description: an erasure goes over records of work a second time, place by place, and a hold that is over keeps no account
-- author: Thorbis
-- date: 2026-11-29
-- depends: 20261128070000
-- rollback: an erasure that is in its second round goes over all of it in one transaction; holds of accounts that are gone are lost

alter table app.erasures add column came_at timestamptz, add column is_again boolean not null default false;
comment on column app.erasures.came_at is 'When everything was gone over once; what was asked for before that is waited for.';
comment on column app.erasures.is_again is 'Whether records of work are gone over a second time.';

-- Whom a hold in force names stays by a trigger; one that is over goes on naming an account that is gone.
alter table public.legal_holds drop constraint legal_holds_user_id_fkey;
