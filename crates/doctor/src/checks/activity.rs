//! What happens at this moment: who waits, who lets others wait, and how full it is.

use crate::check::Text::Any;
use crate::check::{Check, Group, Need, Severity};

const PLAIN: Check = Check { group: Group::Activity, needs: &[Need::Monitor], ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "transaction_long",
        severity: Severity::High,
        title: "a transaction is open for long",
        why: "Nothing that died since it began can be cleaned up, and its locks are held.",
        remedy: "Find out whose it is; end it with pg_terminate_backend. Set statement_timeout and transaction limits for the role.",
        sql: Any("
select format('session %s of %s', a.pid, coalesce(a.usename, a.backend_type)) as object,
       format('%s for %s s, %s', a.state, round(extract(epoch from now() - a.xact_start)), coalesce(nullif(a.application_name, ''), 'no name')) as evidence
  from pg_stat_activity a
  cross join limits
 where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend' and a.state not like 'idle in transaction%'
   and a.xact_start < now() - limits.transaction_seconds * interval '1 second'"),
        ..PLAIN
    },
    Check {
        code: "transaction_idle",
        severity: Severity::High,
        title: "a transaction is open and nobody works in it",
        why: "A program forgot it. Its locks are held and nothing that died since can be cleaned up.",
        remedy: "Set idle_in_transaction_session_timeout for the role.",
        sql: Any("
select format('session %s of %s', a.pid, a.usename) as object,
       format('%s for %s s, %s', a.state, round(extract(epoch from now() - a.state_change)), coalesce(nullif(a.application_name, ''), 'no name')) as evidence
  from pg_stat_activity a
  cross join limits
 where a.datname = current_database() and a.pid <> pg_backend_pid() and a.state like 'idle in transaction%'
   and a.state_change < now() - limits.idle_seconds * interval '1 second'"),
        ..PLAIN
    },
    Check {
        code: "session_blocked",
        severity: Severity::High,
        title: "a session waits for another one's lock",
        why: "Whoever asked waits, and behind him all who need the same.",
        remedy: "End the one that blocks, if it is forgotten; set lock_timeout for changes of the schema.",
        sql: Any("
select format('session %s of %s', a.pid, a.usename) as object,
       format('waits for %s since %s s', (select string_agg(b::text, ', ') from unnest(pg_blocking_pids(a.pid)) b), round(extract(epoch from now() - a.query_start))) as evidence
  from pg_stat_activity a
  cross join limits
 where a.datname = current_database() and a.wait_event_type = 'Lock' and cardinality(pg_blocking_pids(a.pid)) > 0
   and a.query_start < now() - limits.blocked_seconds * interval '1 second'"),
        ..PLAIN
    },
    Check {
        code: "prepared_transaction_left",
        severity: Severity::High,
        title: "a prepared transaction was neither committed nor undone",
        why: "It survives restarts, holds its locks and keeps everything that died since from being cleaned up.",
        remedy: "COMMIT PREPARED or ROLLBACK PREPARED; where nobody uses them, max_prepared_transactions = 0.",
        needs: &[],
        sql: Any("
select format('prepared transaction %s', p.gid) as object, format('of %s, since %s s', p.owner, round(extract(epoch from now() - p.prepared))) as evidence
  from pg_prepared_xacts p
  cross join limits
 where p.prepared < now() - limits.transaction_seconds * interval '1 second'"),
        ..PLAIN
    },
    Check {
        code: "connections_near_limit",
        severity: Severity::Medium,
        title: "the connections of the server are nearly all in use",
        why: "Beyond the last one everybody is refused.",
        remedy: "Put a pooler in front, or smaller pools into programs; each connection costs memory.",
        sql: Any("
, used as (
  select count(*) as number, current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most
    from pg_stat_activity where backend_type = 'client backend'
)
select 'max_connections' as object, format('%s of %s', u.number, u.most) as evidence,
       case when u.number >= 0.95 * u.most then 'critical' when u.number >= 0.85 * u.most then 'high' end as severity
  from used u
  cross join limits
 where u.number * 100.0 / u.most >= limits.connections_percent"),
        ..PLAIN
    },
    Check {
        code: "role_near_limit",
        severity: Severity::Medium,
        title: "a role's connections are nearly all in use",
        why: "Beyond its limit the program is refused, though the server has room.",
        remedy: "Raise the role's limit, or make its pool smaller.",
        sql: Any("
select format('role %I', r.rolname) as object, format('%s of %s', count(*), r.rolconnlimit) as evidence
  from pg_roles r
  join pg_stat_activity a on a.usesysid = r.oid and a.backend_type = 'client backend'
 where r.rolconnlimit > 0
 group by r.rolname, r.rolconnlimit
having count(*) >= 0.85 * r.rolconnlimit"),
        ..PLAIN
    },
];
