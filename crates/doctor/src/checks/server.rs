//! How the server is set.

use crate::check::Text::Any;
use crate::check::{Check, Group, Need, Severity};

const PLAIN: Check = Check { group: Group::Server, ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "writes_unsafe",
        severity: Severity::Critical,
        title: "a crash of the machine destroys the database",
        why: "With fsync or full_page_writes off, what was committed is not on the disk, and pages are torn.",
        remedy: "Set both on.",
        sql: Any("
select format('setting %s', s.name) as object, 'off' as evidence, format('alter system set %s = on;', s.name) as up, format('alter system set %s = off;', s.name) as down
  from pg_settings s
 where s.name in ('fsync', 'full_page_writes') and s.setting = 'off'"),
        ..PLAIN
    },
    Check {
        code: "commits_not_awaited",
        severity: Severity::Medium,
        title: "a commit is answered before it is on the disk",
        why: "The last moments before a crash are lost, though callers were told that they are kept.",
        remedy: "Set synchronous_commit on, and off only in the transactions that may be lost.",
        sql: Any("
select 'setting synchronous_commit' as object, 'off' as evidence, 'alter system set synchronous_commit = on;' as up, 'alter system set synchronous_commit = off;' as down
 where current_setting('synchronous_commit') = 'off'"),
        ..PLAIN
    },
    Check {
        code: "checksums_off",
        severity: Severity::Medium,
        title: "pages have no checksums",
        why: "A disk that returns something else than was written is noticed by nobody, and goes into every backup.",
        remedy: "Stop the server and run `pg_checksums --enable`.",
        sql: Any("select 'setting data_checksums' as object, 'off' as evidence where current_setting('data_checksums') = 'off'"),
        ..PLAIN
    },
    Check {
        code: "checksum_failed",
        severity: Severity::Critical,
        title: "a page was not what had been written",
        why: "The disk or the memory is failing.",
        remedy: "Take the server out of use, restore from a backup from before, and look at the machine.",
        sql: Any("
select format('database %I', d.datname) as object, format('%s pages, last %s', d.checksum_failures, to_char(d.checksum_last_failure, 'YYYY-MM-DD HH24:MI')) as evidence
  from pg_stat_database d
 where d.checksum_failures > 0 and d.datname is not null"),
        ..PLAIN
    },
    Check {
        code: "autovacuum_off",
        severity: Severity::High,
        title: "nothing cleans up",
        why: "Tables grow, figures grow old, and one day the server refuses writes.",
        remedy: "Set autovacuum and track_counts on.",
        sql: Any("
select 'setting autovacuum' as object, string_agg(s.name || ' is off', ', ') as evidence,
       string_agg(format('alter system set %s = on;', s.name), E'\\n') as up, string_agg(format('alter system set %s = off;', s.name), E'\\n') as down
  from pg_settings s
 where s.name in ('autovacuum', 'track_counts') and s.setting = 'off'
having count(*) > 0"),
        ..PLAIN
    },
    Check {
        code: "connections_unencrypted",
        severity: Severity::High,
        title: "the server listens on the network without TLS",
        why: "Passwords' answers and every row go over the network in clear text.",
        remedy: "Give it a certificate and set ssl on; say hostssl in pg_hba.conf.",
        sql: Any("
select 'setting ssl' as object, format('off, listening on %s', current_setting('listen_addresses', true)) as evidence
 where current_setting('ssl') = 'off' and current_setting('unix_socket_directories', true) is not null
   and coalesce(current_setting('listen_addresses', true), '') !~ '^\\s*((localhost|127\\.[0-9.]+|::1)\\s*(,\\s*|$))*$'"),
        needs: &[Need::Monitor],
        ..PLAIN
    },
    Check {
        code: "password_md5",
        severity: Severity::Medium,
        title: "passwords are kept as MD5",
        why: "The hash itself opens the server, and is guessed thousands of millions of times a second.",
        remedy: "Set password_encryption to scram-sha-256 and let everybody set his password again.",
        sql: Any("
select 'setting password_encryption' as object, current_setting('password_encryption') as evidence,
       'alter system set password_encryption = ''scram-sha-256'';' as up, 'alter system set password_encryption = ''md5'';' as down
 where current_setting('password_encryption') <> 'scram-sha-256'"),
        ..PLAIN
    },
    Check {
        code: "role_password_md5",
        severity: Severity::Medium,
        title: "a role's password is kept as MD5",
        why: "The hash itself opens the server, and PostgreSQL will stop knowing it.",
        remedy: "Set the password again with password_encryption = scram-sha-256.",
        sql: Any("select format('role %I', r.rolname) as object, 'an MD5 hash' as evidence from pg_authid r where r.rolcanlogin and r.rolpassword like 'md5%'"),
        ..PLAIN
    },
    Check {
        code: "login_without_password",
        severity: Severity::High,
        title: "whoever comes from there is let in without a password",
        why: "`trust` believes the name that is said; `password` sends it in clear text.",
        remedy: "Say scram-sha-256 in pg_hba.conf, and hostssl for the network.",
        sql: Any("
select format('pg_hba.conf line %s', h.line_number) as object, format('%s %s %s', h.type, coalesce(h.address, 'socket'), h.auth_method) as evidence,
       case when h.type = 'local' or h.address in ('127.0.0.1', '::1', 'localhost', 'samehost') then 'medium' end as severity
  from pg_hba_file_rules h
 where h.auth_method in ('trust', 'password') and h.error is null"),
        ..PLAIN
    },
    Check {
        code: "log_has_values",
        severity: Severity::Medium,
        title: "the log holds what people write",
        why: "Every statement is logged with its values: names, addresses, and passwords of roles.",
        remedy: "Log slow statements alone, without their parameters (log_parameter_max_length = 0).",
        needs: &[Need::Monitor],
        sql: Any("
select format('setting %s', s.name) as object, s.setting as evidence, format('alter system reset %s;', s.name) as up, format('alter system set %s = %L;', s.name, s.setting) as down
  from pg_settings s
 where (s.name = 'log_statement' and s.setting in ('all', 'mod')) or (s.name = 'log_min_duration_statement' and s.setting = '0')"),
        ..PLAIN
    },
    Check {
        code: "log_says_little",
        severity: Severity::Low,
        title: "the log does not say why something was slow",
        why: "Afterwards nobody can tell who waited for whom, and which statements took long.",
        remedy: "Set log_lock_waits on, log_min_duration_statement to some 1000 ms and log_temp_files to some megabytes.",
        needs: &[Need::Monitor],
        sql: Any("
select 'setting log_*' as object, string_agg(format('%s = %s', s.name, s.setting), ', ' order by s.name) as evidence,
       'alter system set log_lock_waits = on;' || E'\\n' || 'alter system set log_min_duration_statement = 1000;' as up,
       string_agg(format('alter system reset %s;', s.name), E'\\n' order by s.name) as down
  from pg_settings s
 where (s.name = 'log_lock_waits' and s.setting = 'off') or (s.name = 'log_min_duration_statement' and s.setting = '-1')
having count(*) > 0"),
        ..PLAIN
    },
    Check {
        code: "limits_absent",
        severity: Severity::Medium,
        title: "a login may run and hold whatever it likes for ever",
        why: "One statement that went wrong, or one forgotten transaction, stops everybody else.",
        remedy: "Set statement_timeout and idle_in_transaction_session_timeout for the role.",
        needs: &[Need::ApiRoles],
        sql: Any("
, logins as (
  select r.oid, r.rolname
    from pg_roles r
   where r.rolcanlogin and not r.rolsuper and (r.oid in (select oid from api_roles) or exists (select from api_roles a where pg_has_role(r.oid, a.oid, 'member')))
),
wanted(name) as (values ('statement_timeout'), ('idle_in_transaction_session_timeout'))
select format('role %I', l.rolname) as object, format('no %s', string_agg(w.name, ', no ' order by w.name desc)) as evidence,
       string_agg(format('alter role %I set %s = %L;', l.rolname, w.name, case w.name when 'statement_timeout' then '30s' else '60s' end), E'\\n' order by w.name) as up,
       string_agg(format('alter role %I reset %s;', l.rolname, w.name), E'\\n' order by w.name) as down
  from logins l
  cross join wanted w
  join pg_settings s on s.name = w.name
 where not (s.reset_val <> '0' and not exists (select from pg_db_role_setting d, unnest(d.setconfig) c
                                                where d.setrole = (select r.oid from pg_roles r where r.rolname = session_user) and c like w.name || '=%'))
   and not exists (select from pg_db_role_setting d, unnest(d.setconfig) c
                    where d.setrole in (0, l.oid) and d.setdatabase in (0, (select x.oid from pg_database x where x.datname = current_database()))
                      and c like w.name || '=%' and c <> w.name || '=0')
 group by l.rolname"),
        ..PLAIN
    },
    Check {
        code: "version_unsafe",
        severity: Severity::High,
        title: "this version lets policies be passed by, or is mended no more",
        why: "Holes in row security were closed since (CVE-2024-10976, CVE-2025-8713), or nobody closes them any more for this major version.",
        remedy: "Install the newest minor version, which needs a restart only; for an old major, pg_upgrade.",
        sql: Any("
, fixed(major, since, ends) as (values
  (13, 130022, date '2025-11-13'), (14, 140019, date '2026-11-12'), (15, 150014, date '2027-11-11'), (16, 160010, date '2028-11-09'),
  (17, 170006, date '2029-11-08'), (18, 180000, date '2030-11-14'))
select 'server' as object,
       case when p.version < f.since then format('version %s, mended in %s.%s', p.version / 10000 || '.' || p.version % 10000, f.major, f.since % 10000)
            else format('version %s, mended until %s', f.major, f.ends) end as evidence
  from place p
  join fixed f on f.major = p.version / 10000
 where p.version < f.since or now() > f.ends
union all
select 'server', format('version %s is mended no more', p.version / 10000) from place p where p.version < 130000"),
        ..PLAIN
    },
    Check {
        code: "statements_uncounted",
        severity: Severity::Low,
        title: "nothing counts which statements take the time",
        why: "Without pg_stat_statements what is slow is found by complaints.",
        remedy: "Add it to shared_preload_libraries, restart, and create the extension.",
        sql: Any("
select 'extension pg_stat_statements' as object, 'not there' as evidence
 where not exists (select from pg_extension where extname = 'pg_stat_statements')"),
        ..PLAIN
    },
];
