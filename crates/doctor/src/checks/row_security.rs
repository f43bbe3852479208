//! Whether row security stands: on every table that callers reach, with policies that say something, and for everybody.

use crate::check::Text::Any;
use crate::check::{Check, Group, Lock, Need, Severity};

const PLAIN: Check = Check { group: Group::RowSecurity, ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "row_security_off",
        severity: Severity::Critical,
        title: "callers reach the table, and row security is off",
        why: "Whoever holds a grant sees and changes every row, of every company.",
        remedy: "Turn row security on and write policies; take the grant away where nobody needs it.",
        lock: Lock::Brief,
        lints: &["0013_rls_disabled_in_public", "0023_sensitive_columns_exposed"],
        sql: Any("
select t.name as object, format('%s may %s', string_agg(distinct g.role, ', '), lower(string_agg(distinct g.privilege, ', '))) as evidence,
       format('alter table %s enable row level security;', t.name) as up, format('alter table %s disable row level security;', t.name) as down
  from tables t
  join grants g on g.relid = t.oid
 where not t.relrowsecurity and not t.relispartition and not exists (select from pg_policy p where p.polrelid = t.oid)
 group by t.name"),
        of: Some("select count(distinct t.oid) from tables t join grants g on g.relid = t.oid where not t.relispartition"),
        ..PLAIN
    },
    Check {
        code: "policies_ignored",
        severity: Severity::Critical,
        title: "the table has policies, and row security is off",
        why: "Policies do nothing until row security is on: it looks walled and is open.",
        remedy: "Turn row security on.",
        lock: Lock::Brief,
        lints: &["0007_policy_exists_rls_disabled"],
        sql: Any("
select t.name as object, format('%s policies that nobody asks', count(*)) as evidence,
       format('alter table %s enable row level security;', t.name) as up, format('alter table %s disable row level security;', t.name) as down
  from tables t
  join pg_policy p on p.polrelid = t.oid
 where not t.relrowsecurity
 group by t.name"),
        ..PLAIN
    },
    Check {
        code: "policies_absent",
        severity: Severity::Medium,
        title: "row security is on without any policy",
        why: "Callers with a grant see nothing and are told nothing: it is closed, perhaps by mistake.",
        remedy: "Write policies for what callers may see, or take the grants away.",
        lints: &["0008_rls_enabled_no_policy"],
        sql: Any("
select t.name as object, coalesce('granted to ' || string_agg(distinct g.role, ', '), 'nobody of the API holds a grant') as evidence,
       case when count(g.role) = 0 then 'low' end as severity
  from tables t
  left join grants g on g.relid = t.oid
 where t.relrowsecurity and not t.relispartition and not exists (select from pg_policy p where p.polrelid = t.oid)
 group by t.name"),
        ..PLAIN
    },
    Check {
        code: "grant_without_policy",
        severity: Severity::Low,
        title: "an operation is granted and no policy allows it",
        why: "It is always refused. Either a policy is missing, or the grant should not be there.",
        remedy: "Write the policy, or take the grant away.",
        lock: Lock::Brief,
        sql: Any("
, operations(privilege, command) as (values ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd'))
select t.name as object, format('no policy lets %s %s', g.role, string_agg(distinct lower(g.privilege), ', ')) as evidence,
       format('revoke %s on %s from %s;', string_agg(distinct lower(g.privilege), ', '), t.name, case g.grantee when 0 then 'public' else quote_ident(g.role) end) as up,
       format('grant %s on %s to %s;', string_agg(distinct lower(g.privilege), ', '), t.name, case g.grantee when 0 then 'public' else quote_ident(g.role) end) as down
  from tables t
  join grants g on g.relid = t.oid
  join operations o on o.privilege = g.privilege
 where t.relrowsecurity and not t.relispartition and exists (select from pg_policy p where p.polrelid = t.oid)
   and not exists (select from pg_policy p, unnest(p.polroles) r
                    where p.polrelid = t.oid and p.polpermissive and p.polcmd::text in ('*', o.command)
                      and (r = 0 or g.grantee = 0 or pg_has_role(g.grantee, r, 'usage')))
 group by t.name, g.role, g.grantee"),
        ..PLAIN
    },
    Check {
        code: "row_security_not_forced",
        severity: Severity::High,
        title: "the owner passes by the policies, and programs sign in as the owner",
        why: "Policies do not hold for the owner of a table unless row security is forced. A program that connects as the owner sees every row.",
        remedy: "Force row security, or let programs sign in as a role that owns nothing.",
        lock: Lock::Brief,
        sql: Any("
select t.name as object, format('owned by %s, as which %s can work', o.rolname, string_agg(distinct l.rolname, ', ')) as evidence,
       format('alter table %s force row level security;', t.name) as up, format('alter table %s no force row level security;', t.name) as down
  from tables t
  join pg_roles o on o.oid = t.relowner
  join pg_roles l on l.rolcanlogin and not l.rolsuper and pg_has_role(l.oid, o.oid, 'member')
 where t.relrowsecurity and not t.relforcerowsecurity and not o.rolsuper and not o.rolbypassrls
 group by t.name, o.rolname"),
        of: Some("select count(*) from tables where relrowsecurity"),
        ..PLAIN
    },
    Check {
        code: "policy_always_true",
        severity: Severity::Critical,
        title: "a policy is true for every row",
        why: "What is always true walls nothing: for reading it shows every company's rows, for writing it lets everybody change them.",
        remedy: "Write what the row must have: its company, its owner. Where everybody is to read it, say so in a view of its own.",
        lock: Lock::Brief,
        lints: &["0024_rls_policy_always_true"],
        sql: Any("
select p.name as object, format('for %s: %s', case p.command when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
                                left(concat_ws(' / ', 'using ' || p.qual, 'check ' || p.wcheck), 200)) as evidence,
       -- A list that everybody reads and nobody writes is often meant so.
       case when p.command = 'r' and not exists (select from tenants n where n.relid = p.relid)
                 and not exists (select from grants g where g.relid = p.relid and g.privilege in ('INSERT', 'UPDATE', 'DELETE')) then 'low'
            when p.command = 'r' then 'medium' end as severity
  from policies p
 where p.is_permissive and p.is_exposed and p.relrowsecurity
   and (p.is_qual_true or p.is_check_true)
   and not exists (select from policies w, unnest(p.roles) r
                    where w.relid = p.relid and not w.is_permissive and w.command in ('*', p.command) and not w.is_qual_true and not w.is_check_true
                      and (w.roles = p.roles or 0 = any (w.roles) or r = any (w.roles)))"),
        ..PLAIN
    },
    Check {
        code: "policy_open_branch",
        severity: Severity::Medium,
        title: "a policy lets every row through that is marked so",
        why: "A branch such as `or is_public` shows the row to every company, and whoever may write the mark opens it.",
        remedy: "Publish such rows by a view with the columns that are meant for everybody.",
        sql: Any(r"
select p.name as object, format('branch %s', b.branch) as evidence
  from policies p
  cross join lateral (
    select c.attname as branch
      from columns c
     where c.attrelid = p.relid and c.atttypid = 'bool'::regtype
       and p.qual ~ format('(\mOR \(?%1$s( = true)?\M)|(\m%1$s( = true)?\)? OR\M)', c.attname)
     limit 1) b
 where p.is_permissive and p.is_exposed and p.command in ('r', '*') and p.relrowsecurity"),
        ..PLAIN
    },
    Check {
        code: "policy_check_weaker",
        severity: Severity::High,
        title: "a row may be written as what could not be read",
        why: "USING asks for the company and WITH CHECK does not: a row can be moved into another company.",
        remedy: "Leave WITH CHECK out, so that USING holds for it too, or ask the same there.",
        lock: Lock::Brief,
        needs: &[Need::Tenants],
        sql: Any(r"
select p.name as object, format('WITH CHECK does not mention %s: %s', n.attname, left(p.wcheck, 200)) as evidence,
       format('alter policy %I on %s with check (%s);', p.polname, p.table_name, p.qual) as up,
       format('alter policy %I on %s with check (%s);', p.polname, p.table_name, p.wcheck) as down
  from policies p
  join tenants n on n.relid = p.relid
 where p.is_permissive and p.is_exposed and p.command in ('w', '*') and not p.is_check_true
   and p.qual ~ format('\m%s\M', n.attname) and p.wcheck !~ format('\m%s\M', n.attname)
   and not exists (select from policies w where w.relid = p.relid and not w.is_permissive and w.texts ~ format('\m%s\M', n.attname))"),
        ..PLAIN
    },
    Check {
        code: "policy_without_tenant",
        severity: Severity::High,
        title: "a policy of a table of companies does not ask for the company",
        why: "Whoever meets the other condition reaches the rows of every company, also after leaving one.",
        remedy: "Add the company to the policy, or a RESTRICTIVE policy that asks for it.",
        lock: Lock::Brief,
        needs: &[Need::Tenants],
        sql: Any(r"
select p.name as object, format('nothing asks for %s: %s', n.attname, left(p.texts, 200)) as evidence,
       case when p.texts ~ '\m(uid|user_id|current_user|session_user|jwt)\M' then 'medium' end as severity
  from policies p
  join tenants n on n.relid = p.relid
 where p.is_permissive and p.is_exposed and p.relrowsecurity and not p.is_qual_true and not p.is_check_true
   and p.texts !~ format('\m%s\M', n.attname)
   and not exists (select from policies w where w.relid = p.relid and not w.is_permissive and w.texts ~ format('\m%s\M', n.attname))
   and not exists (select from columns c where c.attrelid = p.relid and p.texts ~ format('\m[a-z_]+\((\(?\w+\)?(::\w+)?, )*\(?%s\M', c.attname))"),
        ..PLAIN
    },
    Check {
        code: "policy_recursive",
        severity: Severity::High,
        title: "a policy reads its own table",
        why: "Every read ends with `infinite recursion detected in policy`, or deep in a function with an exhausted stack.",
        remedy: "Ask a SECURITY DEFINER function with a pinned search_path, or take what is needed from the session's claims.",
        sql: Any(r"
, walls as materialized (
  select p.*, strpos(p.texts, p.table_name) > 0 and p.texts ~ format('\m(FROM|JOIN) \(*%s\M', regexp_replace(p.table_name, '([.^$*+?()\[\]{}|\\])', '\\\1', 'g')) as reads_own
    from policies p
   where p.is_exposed and p.relrowsecurity
),
edges as materialized (
  select distinct w.relid, d.refobjid as other
    from walls w
    join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> w.relid
    join walls o on o.relid = d.refobjid
),
reach as materialized (
  select relid, other from edges
  union
  select a.relid, b.other from edges a join edges b on b.relid = a.other
  union
  select a.relid, c.other from edges a join edges b on b.relid = a.other join edges c on c.relid = b.other
)
select w.name as object,
       case when w.reads_own then 'reads ' || w.table_name
            when f.name is not null then format('calls %s, which reads %s with the rights of the caller', f.name, w.table_name)
            else format('reads tables whose policies read %s', w.table_name) end as evidence
  from walls w
  left join lateral (
    select f.name
      from pg_depend d
      join functions f on f.oid = d.refobjid
     where d.classid = 'pg_policy'::regclass and d.objid = w.oid and d.refclassid = 'pg_proc'::regclass and not f.prosecdef
       and strpos(f.prosrc, (select t.relname::text from tables t where t.oid = w.relid)) > 0
       and f.prosrc ~* format('\m(from|join)\s+(\w+\.)?%s\M', (select t.relname from tables t where t.oid = w.relid))
     limit 1) f on true
 where w.reads_own or f.name is not null
    or (exists (select from reach r where r.relid = w.relid and r.other = w.relid)
        and exists (select from pg_depend d join reach r on r.relid = d.refobjid and r.other = w.relid
                     where d.classid = 'pg_policy'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> w.relid)
        and w.relid = (select min(r.relid) from reach r where r.other = w.relid and exists (select from reach b where b.relid = w.relid and b.other = r.relid)))"),
        ..PLAIN
    },
    Check {
        code: "policy_trusts_caller",
        severity: Severity::Critical,
        title: "a policy believes what callers write about themselves",
        why: "The metadata of a user, headers and cookies are the caller's own words: whoever wants to be an administrator writes it there.",
        remedy: "Use app_metadata, or rows that callers cannot write.",
        lints: &["0015_rls_references_user_metadata"],
        sql: Any(r"
select p.name as object, substring(p.texts from '[^ (]*(?:user_metadata|raw_user_meta_data|request\.headers?|request\.cookies?)[^ )]*') as evidence
  from policies p
 where p.texts ~ 'user_metadata|raw_user_meta_data|request\.header|request\.cookie'"),
        ..PLAIN
    },
    Check {
        code: "policy_for_everybody",
        severity: Severity::Low,
        title: "a policy names no role",
        why: "It is asked for every role, also for those that never should come here: it costs, and a new role is let in unnoticed.",
        remedy: "Say TO and the roles.",
        lock: Lock::Brief,
        needs: &[Need::ApiRoles],
        sql: Any("
select p.name as object, 'holds for PUBLIC' as evidence
  from policies p
 where 0 = any (p.roles)"),
        of: Some("select count(*) from policies"),
        ..PLAIN
    },
    Check {
        code: "policy_hides_deleted",
        severity: Severity::Medium,
        title: "a policy for reading asks that the row is not deleted",
        why: "An update that marks the row as deleted makes it unreadable, and is refused by that policy.",
        remedy: "Leave the mark out of the policy; hide marked rows by a view or in the query.",
        lock: Lock::Brief,
        sql: Any(r"
select p.name as object, left(p.qual, 200) as evidence
  from policies p
 where p.is_permissive and p.command in ('r', '*') and p.qual ~ '\mdeleted_at IS NULL'
   and exists (select from policies w where w.relid = p.relid and w.is_permissive and w.command in ('w', '*') and (w.roles && p.roles or 0 = any (w.roles) or 0 = any (p.roles)))"),
        ..PLAIN
    },
];
