//! What must be true of the catalog itself, whoever asks: the walls that no single attempt can show.

use tokio_postgres::Client;

/// Each rule: what it is, and a query whose rows break it.
const RULES: &[(&str, &str)] = &[
    (
        "row security is not forced",
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
            and not (c.relrowsecurity and c.relforcerowsecurity)",
    ),
    ("a policy names PUBLIC", "select polrelid::regclass || ' ' || polname from pg_policy where 0 = any (polroles)"),
    (
        "a policy is always true",
        "select polrelid::regclass || ' ' || polname from pg_policy
          where not polroles <@ array['app_owner', 'app_definer', 'service_role']::regrole[]::oid[]
            and (pg_get_expr(polqual, polrelid) = 'true' or pg_get_expr(polwithcheck, polrelid) = 'true')
            and (polrelid::regclass::text, polname) not in (('app.protected_tables', 'declared_read'), ('app.statuses', 'declared_read'), ('app.company_buckets', 'declared_read'))",
    ),
    (
        "the owner sees no rows, so that a backfill changes none and a key is valid over orphans",
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p') and c.relforcerowsecurity
            and not exists (select from pg_policy p where p.polrelid = c.oid and p.polroles = array['app_owner'::regrole::oid]
                               and p.polcmd = '*' and p.polpermissive and pg_get_expr(p.polqual, p.polrelid) = 'true')",
    ),
    (
        "a definer function or the service sees no rows, so that what it looks for is never found",
        "select c.oid::regclass || ' ' || r from pg_class c, unnest(array['app_definer', 'service_role']) r
          where c.relkind in ('r', 'p') and c.relforcerowsecurity
            and not exists (select from pg_policy p where p.polrelid = c.oid and p.polroles = array[r::regrole::oid]
                               and p.polcmd = '*' and p.polpermissive and pg_get_expr(p.polqual, p.polrelid) = 'true')",
    ),
    (
        "a company's table has no restrictive wall for its company",
        "select t.table_name from app.protected_tables t
          where t.tenant_column is not null
            and not exists (select from pg_policy p
                             where p.polrelid = t.table_name::regclass and not p.polpermissive and p.polcmd = '*'
                               and p.polroles @> array['anon', 'authenticated', 'guest']::regrole[]::oid[]
                               and pg_get_expr(p.polqual, p.polrelid) = format('(%I = ( SELECT app.company_id() AS company_id))', t.tenant_column)
                               and pg_get_expr(p.polwithcheck, p.polrelid) = pg_get_expr(p.polqual, p.polrelid))",
    ),
    (
        "a company's table has a key that does not begin with its company",
        "select t.table_name || ' ' || i.indexrelid::regclass from app.protected_tables t join pg_index i on i.indrelid = t.table_name::regclass
          where t.tenant_column = 'company_id' and i.indisprimary
            and (select attname from pg_attribute where attrelid = i.indrelid and attnum = i.indkey[0]) <> t.tenant_column",
    ),
    (
        "an id may live in one company only, so that who guesses it learns that it is there",
        "select t.table_name || ' ' || i.indexrelid::regclass from app.protected_tables t join pg_index i on i.indrelid = t.table_name::regclass
           join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
          where t.tenant_column = 'company_id' and i.indisunique and i.indnkeyatts = 1 and a.attname = 'id'",
    ),
    (
        "a key between two tables of a company leaves the company out",
        "select k.conrelid::regclass || ' ' || k.conname from pg_constraint k
           join app.protected_tables t on t.table_name::regclass = k.conrelid and t.tenant_column = 'company_id'
           join app.protected_tables f on f.table_name::regclass = k.confrelid and f.tenant_column = 'company_id'
          where k.contype = 'f'
            and (select attname from pg_attribute where attrelid = k.conrelid and attnum = k.conkey[1]) is distinct from t.tenant_column",
    ),
    (
        "a column that names a row of a company has no key",
        "select t.table_name || '.' || a.attname from app.protected_tables t join pg_attribute a on a.attrelid = t.table_name::regclass
          where a.attnum > 0 and not a.attisdropped and a.atttypid = 'uuid'::regtype and t.tenant_column is not null
            and (a.attname ~ '_id$' and a.attname <> 'company_id' or a.attname in ('assigned_to', 'referred_by', 'preferred_technician'))
            and not exists (select from pg_constraint k where k.contype = 'f' and k.conrelid = a.attrelid and a.attnum = any (k.conkey))
            -- What was so once stays written, also when those it was about are gone.
            and t.table_name !~ '(role_change_log|ownership_transfers|audit_logs|jobs_archive)$' and a.attname not in ('booked_by_user_id', 'actor_id')
            -- Who is held may go once the hold is over, which stays written; until then a trigger keeps him.
            and (t.table_name, a.attname) <> ('public.legal_holds', 'user_id')
            -- The file that a row means may be in the trash and come back from it; who reaches it, its policies say by this very column.
            and (t.table_name, a.attname) not in (('public.attachments', 'object_id'), ('public.file_storage', 'object_id'))
            -- Names a row of one of many tables, an event or a task that is forgotten before it, a conversation, or a thing of another program.
            and a.attname not in ('event_id', 'entity_id', 'related_entity_id', 'thread_id', 'template_id', 'automation_workflow_id', 'task_id')",
    ),
    (
        "a key has no index that begins with its columns, the company first",
        "select k.conrelid::regclass || ' ' || k.conname from pg_constraint k
          where k.contype = 'f' and k.conparentid = 0 and k.conrelid::regclass::text !~ '^pg_'
            and not exists (select from pg_index i where i.indrelid = k.conrelid and i.indpred is null and i.indisvalid
                               and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
                               and (i.indkey[0] = k.conkey[1] or not exists (
                                      select from app.protected_tables t join pg_attribute a on a.attrelid = k.conrelid and a.attname = t.tenant_column
                                       where t.table_name::regclass = k.conrelid and a.attnum = any (k.conkey))))",
    ),
    (
        "a table of the schema public is no company's",
        "select c.oid::regclass::text from pg_class c
          where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace
            and not exists (select from app.protected_tables t join pg_attribute a on a.attrelid = c.oid and a.attname = t.tenant_column
                             where t.table_name::regclass = c.oid and a.attnotnull and a.atttypid = 'uuid'::regtype)
            -- People are in several companies or in none yet, and limits are also of addresses.
            and c.oid not in ('public.users'::regclass, 'public.verification_tokens'::regclass, 'public.api_rate_limits'::regclass)",
    ),
    (
        "a key between two tables of companies does not compare the companies",
        "select k.conrelid::regclass || ' ' || k.conname from pg_constraint k
           join app.protected_tables t on t.table_name::regclass = k.conrelid and t.tenant_column is not null
           join app.protected_tables f on f.table_name::regclass = k.confrelid and f.tenant_column is not null
          where k.contype = 'f'
            and not exists (select from unnest(k.conkey, k.confkey) u (n, m)
                              join pg_attribute x on x.attrelid = k.conrelid and x.attnum = u.n and x.attname = t.tenant_column
                              join pg_attribute y on y.attrelid = k.confrelid and y.attnum = u.m and y.attname = f.tenant_column)",
    ),
    (
        "a policy calls a volatile function",
        "select d.objid || ' ' || p.oid::regprocedure from pg_depend d join pg_proc p on p.oid = d.refobjid
          where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_proc'::regclass and p.provolatile = 'v'",
    ),
    (
        "a policy calls a function for every row",
        // What stands in a sub-select and takes constants only is asked once a statement. Two questions are looks by a key that no condition can
        // ask: whether rows that the caller may not read bind a file, and whether he reaches the one thing of many types that a row names. As
        // conditions the latter would be planned for every type with every statement. count() is of rows that one reads.
        "select polrelid::regclass || ' ' || polname from pg_policy
          where regexp_replace(concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)),
                               '\\( SELECT [a-z_]+\\.[a-z_]+\\((''[^'']*''::text)?\\) AS [a-z_]+\\)|\\mcount\\(\\*\\)'
                               || '|app\\.bindings\\(bucket_id, name\\)'
                               || '|app\\.reaches_entity\\(([a-z_]+\\.)?entity_type, ([a-z_]+\\.)?entity_id, ''[a-z]+''::text\\)',
                               '', 'g') ~ '[a-z_]\\('",
    ),
    (
        "a right is given to everybody or to a role that is not declared",
        "select g.what || ' ' || case g.grantee when 0 then 'PUBLIC' else g.grantee::regrole::text end
           from (select c.oid::regclass::text, c.relnamespace, x.grantee from pg_class c, aclexplode(c.relacl) x where x.grantee <> c.relowner
                 union all
                 select p.oid::regprocedure::text, p.pronamespace, x.grantee from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
                  where x.grantee <> p.proowner
                    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
                 union all
                 select 'schema ' || n.nspname, n.oid, x.grantee from pg_namespace n, aclexplode(n.nspacl) x where n.nspname <> 'public') g (what, schema, grantee)
           join pg_namespace n on n.oid = g.schema
          where n.nspname in ('public', 'app', 'auth', 'shared', 'home_services')
            and (g.grantee = 0 or g.grantee::regrole::text not in ('app_owner', 'app_definer', 'anon', 'authenticated', 'guest', 'service_role'))
            -- The server's login has the two ways in.
            and not (g.grantee <> 0 and g.what in ('schema app', 'app.open_request(text,uuid,uuid,uuid,text,text,boolean)',
                                                   'app.open_pass(text,uuid,uuid,uuid,text,text,text)')
                     and has_function_privilege(g.grantee, 'app.open_request(text,uuid,uuid,uuid,text,text,boolean)', 'execute')
                     and not pg_has_role(g.grantee, 'app_owner', 'usage'))",
    ),
    (
        "whoever is not signed in may read or write something",
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname in ('public', 'app', 'auth', 'shared', 'home_services')
            and has_any_column_privilege('anon', c.oid, 'select, insert, update')
            and c.oid::regclass::text not in ('app.protected_tables', 'app.statuses', 'app.company_buckets')",
    ),
    (
        "a guest may write, or read a whole table",
        "select c.oid::regclass::text from pg_class c
          where c.relkind in ('r', 'p', 'v', 'm') and (has_any_column_privilege('guest', c.oid, 'insert, update') or has_table_privilege('guest', c.oid, 'select, delete'))
            and c.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
            -- Of channels a product's policies say what a guest may; there is none of ours.
            and c.oid <> 'realtime.messages'::regclass
            -- The names of five buckets, which the policy of their files asks for.
            and c.oid <> 'app.company_buckets'::regclass",
    ),
    (
        "guests may read a table that has no policy for them, or have a policy without a right",
        "select c.oid::regclass::text from pg_class c
          where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
            and has_any_column_privilege('guest', c.oid, 'select')
                <> exists (select from pg_policy p where p.polrelid = c.oid and p.polroles = array['guest'::regrole::oid] and p.polcmd = 'r')",
    ),
    (
        "somebody who asks may TRUNCATE, REFERENCE or TRIGGER",
        "select c.oid::regclass || ' ' || r || ' ' || p from pg_class c join pg_namespace n on n.oid = c.relnamespace,
                unnest(array['anon', 'authenticated', 'guest', 'service_role']) r, unnest(array['truncate', 'references', 'trigger']) p
          where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and has_table_privilege(r, c.oid, p)",
    ),
    (
        "a partition can be read past its parent",
        "select c.oid::regclass || ' ' || r from pg_class c, unnest(array['anon', 'authenticated', 'guest', 'service_role']) r
          where c.relispartition and c.relkind in ('r', 'p')
            and (has_any_column_privilege(r, c.oid, 'select, insert, update') or has_table_privilege(r, c.oid, 'delete, truncate'))",
    ),
    (
        "a view lends its owner's rights",
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace,
                unnest(array['anon', 'authenticated', 'guest', 'service_role']) r
          where c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'extensions')
            and has_table_privilege(r, c.oid, 'select') and has_schema_privilege(r, n.oid, 'usage')
            and not coalesce(c.reloptions @> '{security_invoker=true}', false)
            and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')",
    ),
    (
        "a role steps around row security, is a superuser or can log in",
        "select rolname from pg_roles where rolname in ('app_owner', 'app_definer', 'anon', 'authenticated', 'guest', 'service_role')
            and (rolbypassrls or rolsuper or rolcanlogin)",
    ),
    ("a function of ours is LEAKPROOF", "select p.oid::regprocedure::text from pg_proc p where p.proleakproof and p.proowner = 'app_owner'::regrole"),
    (
        "a definer function that anybody may call does not ask who calls",
        "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
          where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
            and (has_function_privilege('anon', p.oid, 'execute') or has_function_privilege('authenticated', p.oid, 'execute')
                 or has_function_privilege('guest', p.oid, 'execute'))
            and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
            -- The function of webhooks asks for company and permission, that of whoever is told of for him or his company.
            and p.prosrc !~ '(app\\.company_id|app\\.caller|auth\\.uid)\\(\\)|:= app\\.own_webhook\\(p_|from app\\.opened_person\\(p_'
            -- Permission maps only: no row of a company is read with rights that the caller lacks.
            and p.oid not in ('app.effective_permissions(uuid,text,uuid,jsonb)'::regprocedure, 'app.check_permission_map(jsonb)'::regprocedure)
            -- What it writes says nothing, and is rolled back.
            and p.oid <> 'app.probe_channel(text)'::regprocedure",
    ),
    (
        "a definer trigger looks at rows of other companies before a policy has refused",
        "select t.tgrelid::regclass || ' ' || t.tgname from pg_trigger t join pg_proc p on p.oid = t.tgfoid
           join app.protected_tables d on d.table_name::regclass = t.tgrelid and d.tenant_column is not null
          where not t.tgisinternal and t.tgtype & 2 = 2 and t.tgtype & 20 > 0 and p.prosecdef
            and pg_get_triggerdef(t.oid) !~ 'WHEN .*app\\.is_within_reach\\(new\\.'",
    ),
    (
        "a member may write what is not his to write",
        "select format('%s.%s', w.name, w.attribute)
           from (values ('public.companies', ('{id,external_id,owner_id,subscription_tier,subscription_status,max_seats,trial_ends_at,created_by,'
                 || 'suspended_at,suspension_reason,deleted_at,permanent_delete_scheduled_at}')::name[]),
                        ('public.team_members', '{company_id,id,user_id,effective_permissions,name,email,invited_by,invited_at,joined_at,mfa_due_at}'),
                        ('public.custom_roles', '{is_system}'),
                        ('public.company_domains', '{proof,verified_at,verified_by,checked_at}'),
                        ('public.users', '{id,external_id,email,email_verified,is_active,last_login_at}')) c (name, attributes),
                lateral unnest(c.attributes) a (attribute), lateral (select c.name, a.attribute) w
          where has_column_privilege('authenticated', w.name, w.attribute, 'insert')
             or has_column_privilege('authenticated', w.name, w.attribute, 'update')",
    ),
    (
        "somebody who asks may make temporary tables, which stay on the connection",
        "select r from unnest(array['anon', 'authenticated', 'guest', 'service_role']) r where has_database_privilege(r, current_database(), 'temporary')",
    ),
    (
        "a definer function has no fixed search_path",
        "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
          where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
            and not exists (select from unnest(p.proconfig) c where c like 'search_path=%')
            and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')",
    ),
    (
        "somebody who asks may create things",
        "select n.nspname || ' ' || r from pg_namespace n, unnest(array['anon', 'authenticated', 'guest', 'service_role']) r
          where n.nspname !~ '^pg_' and has_schema_privilege(r, n.oid, 'create')",
    ),
];

/// Every foreign key with the query that counts what it should have refused.
const KEYS: &str = "
select format('%s %s', k.conrelid::regclass, k.conname),
       format('select count(*) from %s a where %s and not exists (select from %s b where %s)', k.conrelid::regclass,
              (select string_agg(format('a.%I is not null', x.attname), ' and ')
                 from unnest(k.conkey) u (n) join pg_attribute x on x.attrelid = k.conrelid and x.attnum = u.n),
              k.confrelid::regclass,
              (select string_agg(format('a.%I = b.%I', x.attname, y.attname), ' and ')
                 from unnest(k.conkey, k.confkey) u (n, m)
                 join pg_attribute x on x.attrelid = k.conrelid and x.attnum = u.n
                 join pg_attribute y on y.attrelid = k.confrelid and y.attnum = u.m))
  from pg_constraint k join pg_namespace n on n.oid = k.connamespace
 where k.contype = 'f' and k.conparentid = 0 and n.nspname not in ('pg_catalog', 'information_schema')";

/// Looks at everything; returns what is wrong. The client is a superuser's.
pub async fn examine(client: &Client) -> Vec<String> {
    let mut findings = Vec::new();
    for (rule, query) in RULES {
        for row in client.query(*query, &[]).await.unwrap_or_else(|error| panic!("{rule}: {error}")) {
            findings.push(format!("{rule}: {}", row.get::<_, String>(0)));
        }
    }
    for key in client.query(KEYS, &[]).await.expect("the keys") {
        let (name, count): (String, String) = (key.get(0), key.get(1));
        let orphans: i64 = client.query_one(count.as_str(), &[]).await.expect("a count").get(0);
        if orphans > 0 {
            findings.push(format!("a key is valid over {orphans} orphans: {name}"));
        }
    }
    findings
}
