-- What comes later in the life of a project.
grant usage on schema public to postgres, anon, authenticated, service_role;
grant all privileges on all tables in schema public to postgres, anon, authenticated, service_role;
grant all privileges on all functions in schema public to postgres, service_role;
grant all privileges on all sequences in schema public to postgres, anon, authenticated, service_role;

do $$
begin
  if not exists (select from pg_policies where schemaname = 'storage' and policyname = 'Owners delete') then
    create policy "Owners delete" on storage.objects for delete to authenticated using (owner = auth.uid());
  end if;
end $$;

create index concurrently if not exists todos_user_id_idx on public.todos (user_id);

create function public.custom_access_token_hook(event jsonb) returns jsonb language plpgsql stable as $$ begin return event; end $$;
grant execute on function public.custom_access_token_hook to supabase_auth_admin;
revoke execute on function public.custom_access_token_hook from authenticated, anon, public;

alter table public.lists add column changed_at timestamptz not null default '2020-01-01';
create trigger lists_changed before update on public.lists
  for each row execute procedure extensions.moddatetime(changed_at);

select cron.unschedule('nightly') from cron.job where jobname = 'nightly';

create function public.tell() returns bigint language sql as $$ select net.http_post(url := 'http://example.com/hook', body := '{}'::jsonb) $$;

alter role authenticator set pgrst.db_aggregates_enabled = 'true';
notify pgrst, 'reload config';
