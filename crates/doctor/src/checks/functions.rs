//! Functions: those that work with the rights of their owner, and what functions promise about themselves.

use crate::check::Text::{Any, From};
use crate::check::{Check, Group, Need, Severity};

const PLAIN: Check = Check { group: Group::Functions, ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "definer_search_path",
        severity: Severity::High,
        title: "a SECURITY DEFINER function finds names by the caller's search_path",
        why: "Whoever calls it says which table or operator it finds, and it works with its owner's rights.",
        remedy: "Pin search_path to the empty string and name schemas in the function.",
        lints: &["0011_function_search_path_mutable"],
        // A body by the standard was bound to its objects when it was made.
        sql: From(&[
            (13, "
select f.name as object, format('owned by %s', pg_get_userbyid(f.proowner)) as evidence,
       format('alter routine %s set search_path = %s;', f.name, quote_literal('')) as up, format('alter routine %s reset search_path;', f.name) as down
  from functions f
 where f.prosecdef and not exists (select from unnest(f.proconfig) s where s like 'search_path=%')"),
            (14, "
select f.name as object, format('owned by %s', pg_get_userbyid(f.proowner)) as evidence,
       format('alter routine %s set search_path = %s;', f.name, quote_literal('')) as up, format('alter routine %s reset search_path;', f.name) as down
  from functions f
  join pg_proc p on p.oid = f.oid
 where f.prosecdef and p.prosqlbody is null and not exists (select from unnest(f.proconfig) s where s like 'search_path=%')"),
        ]),
        of: Some("select count(*) from functions where prosecdef"),
        ..PLAIN
    },
    Check {
        code: "function_search_path",
        severity: Severity::Low,
        title: "a function finds names by the caller's search_path",
        why: "It does something else for whoever has another search_path, and what a migration or a dump sets is one.",
        remedy: "Pin search_path. A function that SQL is to take up into a query (language sql, stable) is better left as it is, with schemas named.",
        lints: &["0011_function_search_path_mutable"],
        sql: From(&[
            (13, "
select f.name as object, l.lanname::text as evidence
  from functions f
  join pg_language l on l.oid = f.prolang
 where not f.prosecdef and l.lanname not in ('c', 'internal') and not exists (select from unnest(f.proconfig) s where s like 'search_path=%')"),
            (14, "
select f.name as object, l.lanname::text as evidence
  from functions f
  join pg_proc p on p.oid = f.oid
  join pg_language l on l.oid = f.prolang
 where not f.prosecdef and p.prosqlbody is null and l.lanname not in ('c', 'internal')
   and not exists (select from unnest(f.proconfig) s where s like 'search_path=%')"),
        ]),
        ..PLAIN
    },
    Check {
        code: "definer_open_to_all",
        severity: Severity::High,
        title: "everybody may call a SECURITY DEFINER function",
        why: "A function is everybody's from the moment it is made, unless that is taken away.",
        remedy: "Revoke it from PUBLIC and grant it to the roles that call it.",
        lints: &["0028_anon_security_definer_function_executable"],
        sql: Any("
select f.name as object, 'PUBLIC may execute it' as evidence, format('revoke execute on routine %s from public;', f.name) as up,
       format('grant execute on routine %s to public;', f.name) as down
  from functions f
  join executors e on e.funcid = f.oid and e.grantee = 0
 where f.prosecdef and f.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
   and has_schema_privilege(f.proowner, (select oid from spaces s where s.nspname = f.nspname), 'usage')"),
        ..PLAIN
    },
    Check {
        code: "definer_reachable",
        severity: Severity::Low,
        title: "callers may call a SECURITY DEFINER function",
        why: "No policy holds in it: whatever it does not ask itself, nobody asks.",
        remedy: "See that it asks for the caller's company and permission, or take the grant away.",
        lints: &["0028_anon_security_definer_function_executable", "0029_authenticated_security_definer_function_executable"],
        needs: &[Need::ApiRoles],
        sql: Any("
select f.name as object, format('%s may execute it', string_agg(distinct e.role, ', ')) as evidence
  from functions f
  join executors e on e.funcid = f.oid and e.grantee <> 0
 where f.prosecdef and f.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
   and not exists (select from executors p where p.funcid = f.oid and p.grantee = 0)
 group by f.name"),
        ..PLAIN
    },
    Check {
        code: "definer_asks_nothing",
        severity: Severity::High,
        title: "a SECURITY DEFINER function that writes asks nobody who calls",
        why: "Whoever may call it changes rows of any company: its text names no caller, no company and no permission.",
        remedy: "Ask for the caller's company inside, or let it be called by the service alone.",
        needs: &[Need::ApiRoles],
        sql: Any(r"
select f.name as object, format('%s may execute it, and it writes', string_agg(distinct e.role, ', ')) as evidence
  from functions f
  join executors e on e.funcid = f.oid
 where f.prosecdef and f.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
   and f.prosrc ~* '\m(insert\s+into|update\s+\w|delete\s+from|truncate)\M'
   and f.prosrc !~* '\m(auth|jwt|uid|user_id|current_user|session_user|current_setting|company_id|has_permission|company|tenant|claims?|require\w*|assert\w*)\M'
   and not exists (select from place, unnest(place.tenant_columns) c where f.prosrc ~ c)
   -- What it calls may ask for it.
   and f.prosrc !~* '\m(perform|select)\s+\w+\.(check|require|assert|ensure|may|can)_'
 group by f.name"),
        ..PLAIN
    },
    Check {
        code: "function_leakproof",
        severity: Severity::High,
        title: "a function is marked as LEAKPROOF",
        why: "It is asked of rows before the policies are. If it fails or tells anything about a value, it tells it of every company's rows.",
        remedy: "Take the mark away unless a superuser has read it for every way to say something.",
        sql: Any("
select f.name as object, format('owned by %s', pg_get_userbyid(f.proowner)) as evidence, format('alter function %s not leakproof;', f.name) as up,
       format('alter function %s leakproof;', f.name) as down
  from functions f
 where f.proleakproof"),
        ..PLAIN
    },
];
