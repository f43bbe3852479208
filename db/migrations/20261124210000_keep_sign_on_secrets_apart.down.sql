-- description: takes back keep_sign_on_secrets_apart
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123210100
-- rollback: migrate up again; the secrets go with it

alter table public.sign_on_providers add column client_secret text check (length(client_secret) <= 4096);
comment on column public.sign_on_providers.client_secret is 'secret';
-- backfill: public.sign_on_providers rows=any because a company has few providers
update public.sign_on_providers p set client_secret = s.client_secret
  from auth.sign_on_secrets s where s.company_id = p.company_id and s.id = p.id;
alter table public.sign_on_providers alter column client_secret set not null;
drop table auth.sign_on_secrets cascade;
