-- What kind of server it is, what this login may see there, who works for callers, and which column tells companies apart.
with asked as (
  select a.* from jsonb_to_record(current_setting('doctor.asked')::jsonb) as a(api_roles jsonb, tenant_columns jsonb)
),
me as (
  select r.* from pg_roles r where r.rolname = current_user
),
known(name, place) as (
  values ('company_id', 1), ('tenant_id', 2), ('organization_id', 3), ('organisation_id', 4), ('org_id', 5), ('workspace_id', 6), ('account_id', 7), ('team_id', 8)
),
counted as (
  select k.name, k.place, count(*) as number
    from known k
    join pg_attribute a on a.attname = k.name and a.attnum > 0 and not a.attisdropped
    join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p') and not c.relispartition
    join pg_namespace n on n.oid = c.relnamespace and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'auth', 'storage', 'realtime')
   group by k.name, k.place
),
callers as (
  select r.rolname
    from pg_roles r, asked
   where case when jsonb_array_length(asked.api_roles) > 0 then asked.api_roles ? r.rolname::text
              else r.rolname in ('anon', 'authenticated', 'web_anon')
                or (r.rolname = 'guest' and exists (select from pg_roles x where x.rolname = 'authenticated')) end
),
-- Where no role has such a name: logins of programs, which own nothing and are not who looks.
programs as (
  select r.rolname
    from pg_roles r
   where r.rolcanlogin and not r.rolsuper and r.rolname !~ '^(pg_|rds|cloudsql|azure|supabase)' and r.rolname <> session_user
     and not exists (select from pg_class c where c.relowner = r.oid)
     and not exists (select from callers) and not exists (select from asked where jsonb_array_length(asked.api_roles) > 0)
)
select current_setting('server_version_num') as version, current_setting('server_version') as version_text, current_database() as database,
       me.rolsuper as is_superuser, pg_has_role('pg_monitor', 'usage') as is_monitor,
       me.rolsuper or exists (select from pg_roles r where r.rolname = 'pg_read_all_data' and pg_has_role(r.oid, 'usage')) as reads_all,
       pg_is_in_recovery() as is_copy,
       case when to_regclass('app.protected_tables') is not null then 'thorbis'
            -- Roles are the cluster's; whose the platform's schemas are is the database's.
            when exists (select from pg_namespace n join pg_roles r on r.oid = n.nspowner
                          where n.nspname in ('auth', 'storage') and r.rolname in ('supabase_admin', 'supabase_auth_admin', 'supabase_storage_admin')) then 'supabase'
            when exists (select from pg_roles r where r.rolname = 'rds_superuser') then 'rds'
            when exists (select from pg_roles r where r.rolname = 'cloudsqlsuperuser') then 'cloudsql'
            when exists (select from pg_roles r where r.rolname = 'azure_pg_admin') then 'azure'
            else 'postgresql' end as kind,
       (select coalesce(jsonb_agg(x.rolname order by x.rolname), '[]') from (select rolname from callers union select rolname from programs) x) as api_roles,
       (select case when jsonb_array_length(asked.tenant_columns) > 0 then asked.tenant_columns
                    else coalesce((select jsonb_agg(c.name) from (select c.name from counted c where c.number > 1 order by c.number desc, c.place limit 1) c), '[]') end
          from asked) as tenant_columns,
       (select coalesce(jsonb_object_agg(e.extname, n.nspname), '{}') from pg_extension e join pg_namespace n on n.oid = e.extnamespace) as extensions,
       (select coalesce(jsonb_agg(format('%s.%s', n.nspname, c.relname)), '[]')
          from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'storage' and c.relname in ('buckets', 'objects') and c.relkind = 'r'
           and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')) as readable
  from me
