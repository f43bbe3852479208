-- Keys of programs of S3 are read and written by the server alone, once a member was found to be the maker of their API key.

revoke all on app.s3_keys from public, anon, authenticated, guest, service_role;
grant select, insert, update, delete on app.s3_keys to service_role;

-- The buckets of companies, for whoever acts in one: a program of S3 looks for a bucket before it uses it.
create or replace function app.buckets_in_reach() returns table (id text, created_at timestamptz)
  language sql stable security definer
  set search_path = ''
as $$
  select b.id, b.created_at from storage.buckets b join app.company_buckets c on c.id = b.id where app.company_id() is not null order by b.id;
$$;
alter function app.buckets_in_reach() owner to app_definer;
revoke all on function app.buckets_in_reach() from public;
grant execute on function app.buckets_in_reach() to authenticated;
