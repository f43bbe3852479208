-- A small shop of companies as it should be, with the roles of Supabase's kind: nothing is to be found in it.
create schema auth;
create table auth.users (id uuid primary key, email text);
comment on column auth.users.email is 'personal: the address that somebody signs in with';
create unique index users_email_key on auth.users (email);
create function auth.uid() returns uuid language sql stable set search_path = '' as
  $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
create function auth.company_id() returns uuid language sql stable set search_path = '' as
  $$ select nullif(current_setting('request.jwt.claim.company', true), '')::uuid $$;
grant usage on schema auth, public to anon, authenticated;

create table public.schema_migrations (version text primary key);
create table public.companies (id uuid primary key, name text not null);
create table public.members (
  company_id uuid not null references public.companies, user_id uuid not null references auth.users, role text not null, primary key (company_id, user_id));
create index members_user_id_idx on public.members (user_id);
create table public.customers (
  company_id uuid not null references public.companies, id uuid not null, name text not null, open_amount numeric(12, 2) not null,
  made_at timestamptz not null, primary key (company_id, id));
create table public.jobs (
  company_id uuid not null references public.companies, id uuid not null, customer_id uuid not null, title text not null,
  primary key (company_id, id), foreign key (company_id, customer_id) references public.customers (company_id, id));
create index jobs_customer_idx on public.jobs (company_id, customer_id);

alter table public.schema_migrations enable row level security, force row level security;
alter table public.companies enable row level security, force row level security;
alter table public.members enable row level security, force row level security;
alter table public.customers enable row level security, force row level security;
alter table public.jobs enable row level security, force row level security;
alter table auth.users enable row level security, force row level security;
create policy all_of_owner on public.schema_migrations to current_user using (true);
create policy all_of_owner on auth.users to current_user using (true);
create policy own on public.companies for select to authenticated using (id = (select auth.company_id()));
create policy own on public.members for select to authenticated using (company_id = (select auth.company_id()) and user_id = (select auth.uid()));
create policy own on public.customers to authenticated using (company_id = (select auth.company_id()));
create policy own on public.jobs to authenticated using (company_id = (select auth.company_id())) with check (company_id = (select auth.company_id()));
grant select on public.companies, public.members to authenticated;
grant select, insert, update, delete on public.customers, public.jobs to authenticated;

create view public.open_jobs with (security_invoker = on) as select company_id, id, title from public.jobs;
grant select on public.open_jobs to authenticated;

create function public.count_jobs() returns bigint language sql stable security definer set search_path = '' as
  $$ select count(*) from public.jobs where company_id = auth.company_id() $$;
revoke execute on function public.count_jobs() from public;

create function public.protect_new_tables() returns event_trigger language plpgsql set search_path = '' as $$
declare v_made record;
begin
  for v_made in select * from pg_event_trigger_ddl_commands() where object_type = 'table' and command_tag = 'CREATE TABLE' loop
    raise debug '% was made', v_made.object_identity;
  end loop;
end $$;
create event trigger protect_new_tables on ddl_command_end when tag in ('CREATE TABLE') execute function public.protect_new_tables();
