-- description: the secrets of companies' providers, apart from what members read (auth.sign_on_secrets)
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123210100
-- rollback: takes the secrets back to the providers, where members read the sealed texts
-- lint: allow ban-drop-column because servers of before only fail to send somebody to his company's provider until they are replaced

create table auth.sign_on_secrets (
  company_id    uuid not null,
  id            uuid not null,
  -- Sealed by the server's key ring for this row: the database sees ciphertext only.
  client_secret text not null check (length(client_secret) <= 4096),
  primary key (company_id, id),
  foreign key (company_id, id) references public.sign_on_providers (company_id, id) on delete cascade
);
comment on table auth.sign_on_secrets is 'What this server proves itself with to the providers of companies. Reached by the auth service only.';
comment on column auth.sign_on_secrets.client_secret is 'secret';
create index sign_on_secrets_id_idx on auth.sign_on_secrets (id);
-- backfill: auth.sign_on_secrets rows=any because a company has few providers
insert into auth.sign_on_secrets (company_id, id, client_secret)
select p.company_id, p.id, p.client_secret from public.sign_on_providers p;
select app.enclose('auth.sign_on_secrets');
alter table public.sign_on_providers drop column client_secret;
