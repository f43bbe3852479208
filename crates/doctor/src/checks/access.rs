//! Who may reach what: grants, roles, views, partitions, and columns that nobody should write for himself.

use crate::check::Text::{Any, From};
use crate::check::{Check, Group, Lock, Need, Severity};

const PLAIN: Check = Check { group: Group::Access, ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "role_passes_policies",
        severity: Severity::Critical,
        title: "callers work as a role for which no policy holds",
        why: "A superuser, a role with BYPASSRLS, or one that can make roles reaches every row whatever the policies say.",
        remedy: "Let callers work as a role that has none of these and owns nothing.",
        needs: &[Need::ApiRoles],
        sql: Any("
select format('role %I', a.rolname) as object, format('through %s: %s', string_agg(distinct r.rolname, ', '), concat_ws(', ',
         case when bool_or(r.rolsuper) then 'superuser' end, case when bool_or(r.rolbypassrls) then 'bypasses row security' end,
         case when bool_or(r.rolcreaterole) then 'makes roles' end)) as evidence,
       min(case when r.oid = a.oid and r.rolbypassrls and not r.rolsuper then format('alter role %I nobypassrls;', a.rolname) end) as up,
       min(case when r.oid = a.oid and r.rolbypassrls and not r.rolsuper then format('alter role %I bypassrls;', a.rolname) end) as down
  from api_roles a
  join pg_roles r on (r.oid = a.oid or (not a.rolsuper and pg_has_role(a.oid, r.oid, 'member'))) and (r.rolsuper or r.rolbypassrls or r.rolcreaterole)
 group by a.rolname"),
        ..PLAIN
    },
    Check {
        code: "role_owns_tables",
        severity: Severity::High,
        title: "callers work as a role that owns tables",
        why: "An owner drops policies, and is held by none where row security is not forced.",
        remedy: "Give the tables to a role that nobody signs in as.",
        needs: &[Need::ApiRoles],
        sql: Any("
select format('role %I', a.rolname) as object, format('owns %s of them, such as %s', count(*), min(t.name)) as evidence
  from api_roles a
  join tables t on not a.rolsuper and pg_has_role(a.oid, t.relowner, 'usage')
 group by a.rolname"),
        ..PLAIN
    },
    Check {
        code: "granted_to_public",
        severity: Severity::Medium,
        title: "everybody holds a grant on the table",
        why: "PUBLIC is every role there is and will be, also those that were made for one report.",
        remedy: "Grant to the roles that need it.",
        lock: Lock::Brief,
        sql: Any("
select t.name as object, format('PUBLIC may %s', lower(string_agg(distinct g.privilege, ', '))) as evidence,
       format('revoke all on %s from public;', t.name) as up, format('grant %s on %s to public;', lower(string_agg(distinct g.privilege, ', ')), t.name) as down
  from tables t
  join grants g on g.relid = t.oid and g.grantee = 0
 where t.relrowsecurity
 group by t.name"),
        ..PLAIN
    },
    Check {
        code: "default_grants_open",
        severity: Severity::Medium,
        title: "tables to come are open to callers as they are made",
        why: "A table is reachable from its first moment, before anybody wrote a policy for it.",
        remedy: "Grant per table, when its policies stand.",
        sql: Any("
select format('default privileges of %s in %s', pg_get_userbyid(d.defaclrole), coalesce(n.nspname, 'every schema')) as object,
       format('%s may %s', string_agg(distinct coalesce(r.rolname, 'PUBLIC'), ', '), lower(string_agg(distinct x.privilege_type, ', '))) as evidence,
       string_agg(distinct format('alter default privileges for role %I%s revoke all on tables from %s;', pg_get_userbyid(d.defaclrole),
                                  coalesce(' in schema ' || quote_ident(n.nspname), ''), coalesce(quote_ident(r.rolname), 'public')), E'\\n') as up,
       string_agg(distinct format('alter default privileges for role %I%s grant %s on tables to %s;', pg_get_userbyid(d.defaclrole),
                                  coalesce(' in schema ' || quote_ident(n.nspname), ''), lower(x.privilege_type), coalesce(quote_ident(r.rolname), 'public')), E'\\n') as down
  from pg_default_acl d
  left join pg_namespace n on n.oid = d.defaclnamespace
  cross join lateral aclexplode(d.defaclacl) x
  left join pg_roles r on r.oid = x.grantee
 where d.defaclobjtype = 'r' and (n.oid is null or n.oid in (select oid from spaces))
   and (x.grantee = 0 or x.grantee in (select oid from api_roles))
 group by d.defaclrole, n.nspname"),
        ..PLAIN
    },
    Check {
        code: "grant_beyond_rows",
        severity: Severity::High,
        title: "callers hold a grant that no policy limits",
        why: "TRUNCATE empties the table for every company; REFERENCES tells whether a row is there; TRIGGER runs code with others' rights.",
        remedy: "Take it away.",
        lock: Lock::Brief,
        sql: Any("
select t.name as object, format('%s may %s', string_agg(distinct g.role, ', '), lower(string_agg(distinct g.privilege, ', '))) as evidence,
       string_agg(distinct format('revoke %s on %s from %s;', lower(g.privilege), t.name, case g.grantee when 0 then 'public' else quote_ident(g.role) end), E'\\n') as up,
       string_agg(distinct format('grant %s on %s to %s;', lower(g.privilege), t.name, case g.grantee when 0 then 'public' else quote_ident(g.role) end), E'\\n') as down
  from tables t
  join grants g on g.relid = t.oid
 where g.privilege in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')
 group by t.name"),
        ..PLAIN
    },
    Check {
        code: "schema_open_to_makers",
        severity: Severity::High,
        title: "everybody may make tables and functions in the schema",
        why: "What somebody makes there is found before what was meant, by functions and views that work with the rights of others.",
        remedy: "Take CREATE away.",
        sql: Any("
select format('schema %I', s.nspname) as object, format('%s may create', string_agg(distinct coalesce(r.rolname, 'PUBLIC'), ', ')) as evidence,
       string_agg(distinct format('revoke create on schema %I from %s;', s.nspname, coalesce(quote_ident(r.rolname), 'public')), E'\\n') as up,
       string_agg(distinct format('grant create on schema %I to %s;', s.nspname, coalesce(quote_ident(r.rolname), 'public')), E'\\n') as down
  from spaces s
  cross join lateral aclexplode(s.nspacl) x
  left join pg_roles r on r.oid = x.grantee
 where x.privilege_type = 'CREATE' and x.grantee <> s.nspowner and (x.grantee = 0 or x.grantee in (select oid from api_roles))
 group by s.nspname"),
        ..PLAIN
    },
    Check {
        code: "view_as_owner",
        severity: Severity::High,
        title: "callers read a view that looks with its owner's rights",
        why: "The policies of the tables behind it are asked for the owner, not for who reads: it shows every company's rows.",
        remedy: "Set security_invoker; before PostgreSQL 15, take the grant away and read by a function that asks.",
        lock: Lock::Brief,
        lints: &["0010_security_definer_view"],
        sql: From(&[
            (13, "
select v.name as object, format('%s may read it; this version knows no security_invoker', string_agg(distinct g.role, ', ')) as evidence
  from relations v
  join grants g on g.relid = v.oid
 where v.relkind = 'v' and g.privilege = 'SELECT'
   and exists (select from pg_rewrite w join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
                 join pg_class c on c.oid = d.refobjid and c.relkind in ('r', 'p') and c.relrowsecurity
                where w.ev_class = v.oid)
 group by v.name"),
            (15, "
select v.name as object, format('%s may read it', string_agg(distinct g.role, ', ')) as evidence,
       format('alter view %s set (security_invoker = on);', v.name) as up, format('alter view %s reset (security_invoker);', v.name) as down
  from relations v
  join grants g on g.relid = v.oid
 where v.relkind = 'v' and g.privilege = 'SELECT'
   and not coalesce(v.reloptions && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1', 'security_invoker=yes'], false)
   and exists (select from pg_rewrite w join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
                 join pg_class c on c.oid = d.refobjid and c.relkind in ('r', 'p') and c.relrowsecurity
                where w.ev_class = v.oid)
   and not exists (select from pg_rewrite w join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refobjid = to_regclass('auth.users')
                    where w.ev_class = v.oid)
 group by v.name"),
        ]),
        ..PLAIN
    },
    Check {
        code: "accounts_exposed",
        severity: Severity::Critical,
        title: "callers read accounts through a view",
        why: "The view shows addresses, and perhaps hashes, of everybody who ever signed up.",
        remedy: "Keep a table of profiles with what others may see, and read that.",
        lock: Lock::Brief,
        lints: &["0002_auth_users_exposed"],
        sql: Any("
select v.name as object, format('%s may read it, and it reads auth.users', string_agg(distinct g.role, ', ')) as evidence,
       format('revoke select on %s from %s;', v.name, string_agg(distinct case g.grantee when 0 then 'public' else quote_ident(g.role) end, ', ')) as up,
       format('grant select on %s to %s;', v.name, string_agg(distinct case g.grantee when 0 then 'public' else quote_ident(g.role) end, ', ')) as down
  from relations v
  join grants g on g.relid = v.oid
 where v.relkind in ('v', 'm') and g.privilege = 'SELECT' and v.nspname <> 'auth'
   and not coalesce(v.reloptions && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1', 'security_invoker=yes'], false)
   and exists (select from pg_rewrite w join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refobjid = to_regclass('auth.users')
                where w.ev_class = v.oid)
 group by v.name"),
        ..PLAIN
    },
    Check {
        code: "materialized_view_exposed",
        severity: Severity::High,
        title: "callers read a materialized view",
        why: "It holds rows of every company, and no policy can stand on it.",
        remedy: "Take the grant away and read it by a function that asks for the company.",
        lock: Lock::Brief,
        lints: &["0016_materialized_view_in_api"],
        sql: Any("
select v.name as object, format('%s may read it', string_agg(distinct g.role, ', ')) as evidence,
       format('revoke select on %s from %s;', v.name, string_agg(distinct case g.grantee when 0 then 'public' else quote_ident(g.role) end, ', ')) as up,
       format('grant select on %s to %s;', v.name, string_agg(distinct case g.grantee when 0 then 'public' else quote_ident(g.role) end, ', ')) as down
  from relations v
  join grants g on g.relid = v.oid
 where v.relkind = 'm' and g.privilege = 'SELECT'
   and not exists (select from pg_rewrite w join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refobjid = to_regclass('auth.users')
                    where w.ev_class = v.oid)
 group by v.name"),
        ..PLAIN
    },
    Check {
        code: "foreign_table_exposed",
        severity: Severity::High,
        title: "callers reach a foreign table",
        why: "No policy stands on it: whatever the other server shows to the stored login, every caller sees.",
        remedy: "Take the grant away and read it by a function that asks.",
        lock: Lock::Brief,
        lints: &["0017_foreign_table_in_api"],
        sql: Any("
select v.name as object, format('%s may %s', string_agg(distinct g.role, ', '), lower(string_agg(distinct g.privilege, ', '))) as evidence,
       string_agg(distinct format('revoke %s on %s from %s;', lower(g.privilege), v.name, case g.grantee when 0 then 'public' else quote_ident(g.role) end), E'\\n') as up,
       string_agg(distinct format('grant %s on %s to %s;', lower(g.privilege), v.name, case g.grantee when 0 then 'public' else quote_ident(g.role) end), E'\\n') as down
  from relations v
  join grants g on g.relid = v.oid
 where v.relkind = 'f'
 group by v.name"),
        ..PLAIN
    },
    Check {
        code: "partition_exposed",
        severity: Severity::High,
        title: "callers reach a partition beside its table's policies",
        why: "Policies of the table are not asked when a partition is named itself.",
        remedy: "Take the grants on partitions away, and turn row security on there too.",
        lock: Lock::Brief,
        sql: Any("
select t.name as object, format('%s may %s, and row security is off on it', string_agg(distinct g.role, ', '), lower(string_agg(distinct g.privilege, ', '))) as evidence,
       format('alter table %s enable row level security;', t.name) as up, format('alter table %s disable row level security;', t.name) as down
  from tables t
  join grants g on g.relid = t.oid
 where t.relispartition and not t.relrowsecurity and not exists (select from pg_policy p where p.polrelid = t.oid)
 group by t.name"),
        ..PLAIN
    },
    Check {
        code: "privileges_writable",
        severity: Severity::High,
        title: "somebody may change what he is allowed to do",
        why: "A policy lets users change their own row, and the row says who they are: they make themselves owners.",
        remedy: "Grant UPDATE on the other columns alone, or keep roles in a table that users do not write.",
        lock: Lock::Brief,
        sql: Any(r"
select c.name as object, format('%s may change it where %s', string_agg(distinct a.rolname, ', '), left(min(p.qual), 150)) as evidence
  from policies p
  join lateral (
    select format('%s column %I', p.table_name, c.attname) as name, c.attname, c.attnum
      from columns c
     where c.attrelid = p.relid
       and c.attname ~ '^(role|roles|user_role|is_admin|is_super_?admin|is_superuser|is_owner|is_staff|permissions|scopes|balance|credit|credits)$') c on true
  join api_roles a on has_column_privilege(a.oid, p.relid, c.attnum, 'update')
 where p.is_permissive and p.is_exposed and p.relrowsecurity and p.command in ('w', '*')
   and p.table_name ~* '(user|member|profile|account|employee|staff|person|people|technician)' and p.qual ~* '\m(uid|user_id|current_user_id)\(\)' and coalesce(p.wcheck, '') !~ format('\m%s\M', c.attname)
   and exists (select from unnest(p.roles) r where r = 0 or pg_has_role(a.oid, r, 'usage'))
   and not exists (select from pg_trigger g join pg_proc f on f.oid = g.tgfoid
                    where g.tgrelid = p.relid and not g.tgisinternal and (g.tgtype & 18) = 18 and f.prosrc ~ format('\m%s\M', c.attname))
 group by c.name"),
        ..PLAIN
    },
    Check {
        code: "protection_not_automatic",
        severity: Severity::Low,
        title: "nothing turns row security on for tables that are made",
        why: "The table that somebody forgets is the one that leaks.",
        remedy: "An event trigger on ddl_command_end that turns row security on for each new table.",
        needs: &[Need::ApiRoles],
        sql: Any("
select 'event triggers' as object, 'none looks at CREATE TABLE' as evidence
 where exists (select from tables where relrowsecurity)
   and not exists (select from pg_event_trigger e
                    where e.evtevent = 'ddl_command_end' and e.evtenabled <> 'D' and (e.evttags is null or e.evttags && array['CREATE TABLE']))"),
        ..PLAIN
    },
];
