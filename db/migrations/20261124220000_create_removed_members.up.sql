-- description: who was removed from a company, so that nothing but the company itself lets him in again
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123210100
-- rollback: drops the list; whoever was removed can join again by a provider or a domain

create table app.removed_members (
  company_id uuid not null references public.companies (id) on delete cascade,
  user_id    uuid not null references auth.users (id) on delete cascade,
  removed_by uuid,
  removed_at timestamptz not null default now(),
  primary key (company_id, user_id)
);
comment on table app.removed_members is 'Who was a member of a company, or asked to be one, and was taken out. Written by triggers of public.team_members; ends when he is let in again.';
create index removed_members_user_id_idx on app.removed_members (user_id);
select app.enclose('app.removed_members');
