-- A project as it runs elsewhere: the platform's tables with the columns that matter, and what the project made.
create schema auth;
create schema storage;
create schema extensions;
create table auth.users (
  instance_id uuid, id uuid primary key, aud varchar(255), role varchar(255), email varchar(255), encrypted_password varchar(255),
  email_confirmed_at timestamptz, invited_at timestamptz, confirmation_token varchar(255), recovery_token varchar(255),
  email_change_token_new varchar(255), email_change varchar(255), last_sign_in_at timestamptz, raw_app_meta_data jsonb,
  raw_user_meta_data jsonb, is_super_admin boolean, created_at timestamptz, updated_at timestamptz, phone text,
  phone_confirmed_at timestamptz, banned_until timestamptz, is_sso_user boolean not null default false, deleted_at timestamptz,
  is_anonymous boolean not null default false,
  confirmed_at timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored
);
create table auth.identities (
  provider_id text not null, user_id uuid not null references auth.users, identity_data jsonb not null, provider text not null,
  last_sign_in_at timestamptz, created_at timestamptz, updated_at timestamptz, id uuid primary key default gen_random_uuid(),
  email text generated always as (lower(identity_data ->> 'email')) stored, unique (provider_id, provider)
);
create function auth.uid() returns uuid language sql stable as 'select null::uuid';
create table storage.buckets (
  id text primary key, name text not null, owner uuid, created_at timestamptz default now(), updated_at timestamptz default now(),
  public boolean default false, avif_autodetection boolean default false, file_size_limit bigint, allowed_mime_types text[], owner_id text
);
create table storage.objects (
  id uuid primary key default gen_random_uuid(), bucket_id text references storage.buckets, name text, owner uuid,
  created_at timestamptz default now(), updated_at timestamptz default now(), last_accessed_at timestamptz default now(), metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored, version text, owner_id text, user_metadata jsonb
);
alter table storage.objects enable row level security;

create type public.mood as enum ('fine', 'tired');
create table public.profiles (id uuid primary key references auth.users on delete cascade, full_name text, mood public.mood default 'fine');
create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (id, full_name) values (new.id, 'made by the trigger');
  return new;
end $$;
create schema private;
create table private.notes (id bigint generated always as identity primary key, about uuid references public.profiles, body jsonb,
  weight double precision, raw bytea, length integer generated always as (octet_length(raw)) stored);
create table public.words (word text);
create materialized view public.moods as select mood, count(*) from public.profiles group by mood;
alter table public.profiles enable row level security;
create policy "own profile" on public.profiles for select to authenticated using ((select auth.uid()) = id);
grant select on public.profiles to authenticated;

insert into auth.users (id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at, phone)
values ('11111111-1111-4111-8111-111111111111', 'authenticated', 'authenticated', 'ada@example.com',
        -- "abc", as bcrypt wrote it.
        '$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i', now() - interval '1 year', '{"provider": "email", "providers": ["email"]}',
        '{"full_name": "Ada"}', now() - interval '1 year', now() - interval '1 year', null),
       ('22222222-2222-4222-8222-222222222222', 'authenticated', 'authenticated', 'bob@example.com', '', now(), null, null, now(), now(), '');
insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
values ('11111111-1111-4111-8111-111111111111', '11111111-1111-4111-8111-111111111111',
        '{"sub": "11111111-1111-4111-8111-111111111111", "email": "ada@example.com"}', 'email', now(), now());
insert into public.profiles values ('11111111-1111-4111-8111-111111111111', 'Ada L.', 'tired'), ('22222222-2222-4222-8222-222222222222', 'Bob', 'fine');
insert into private.notes (about, body, weight, raw)
select '11111111-1111-4111-8111-111111111111', jsonb_build_object('n', n, 'tab', E'a\tb\\'), n / 3.0, decode('00ff', 'hex') from generate_series(1, 500) n;
insert into public.words values ('one'), ('two'), (null);
insert into storage.buckets (id, name, public) values ('avatars', 'avatars', true);
insert into storage.objects (bucket_id, name) values ('avatars', 'a/b.png');
refresh materialized view public.moods;
create trigger on_auth_user_created after insert on auth.users for each row execute function public.handle_new_user();
create policy "seen by all" on storage.objects for select using (bucket_id = 'avatars');
create publication supabase_realtime for table public.profiles;
