//! Copies, logs of changes, and backups: whether what was written can be had again.

use crate::check::Text::{Any, From};
use crate::check::{Check, Group, Need, Severity};

const PLAIN: Check = Check { group: Group::Safety, ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "archiving_off",
        severity: Severity::High,
        title: "there is no way back to a moment before a mistake",
        why: "Without an archive of the log a backup brings back the hour at which it was made, and what came after is lost.",
        remedy: "Set archive_mode on with a command or library that keeps the log elsewhere, and try a restore.",
        needs: &[Need::Monitor, Need::Primary],
        sql: From(&[
            (13, "
select 'setting archive_mode' as object, format('archive_mode %s, archive_command %s', current_setting('archive_mode'), case when current_setting('archive_command') in ('', '(disabled)') then 'empty' else 'set' end) as evidence
 where (current_setting('archive_mode') = 'off' or current_setting('archive_command') in ('', '(disabled)'))
   -- Who takes the log as it is written keeps it, too.
   and not exists (select from pg_stat_replication r where r.application_name ~* '(receivewal|receive_wal|barman|wal-?g)')"),
            (15, "
select 'setting archive_mode' as object, format('archive_mode %s, archive_command %s', current_setting('archive_mode'), case when current_setting('archive_command') in ('', '(disabled)') then 'empty' else 'set' end) as evidence
 where (current_setting('archive_mode') = 'off' or (current_setting('archive_command') in ('', '(disabled)') and current_setting('archive_library') = ''))
   and not exists (select from pg_stat_replication r where r.application_name ~* '(receivewal|receive_wal|barman|wal-?g)')"),
        ]),
        ..PLAIN
    },
    Check {
        code: "archiving_fails",
        severity: Severity::Critical,
        title: "the log is not being archived",
        why: "Backups stand still at the last file that went, and the disk fills with the rest.",
        remedy: "See the server's log for what the command said; room and rights at the other end.",
        sql: Any("
select 'archiver' as object, format('%s failures, the last at %s with %s', a.failed_count, to_char(a.last_failed_time, 'YYYY-MM-DD HH24:MI:SS'), a.last_failed_wal) as evidence
  from pg_stat_archiver a
 where a.failed_count > 0 and a.last_failed_time > coalesce(a.last_archived_time, '-infinity')"),
        ..PLAIN
    },
    Check {
        code: "copy_behind",
        severity: Severity::High,
        title: "a copy is behind",
        why: "Who reads there sees what was, and what is lost with this server is everything since.",
        remedy: "See whether it is the network, its disk, or a long query there.",
        needs: &[Need::Monitor, Need::Primary],
        sql: Any("
select format('copy %s', coalesce(nullif(r.application_name, ''), r.client_addr::text, r.pid::text)) as object,
       format('%s behind%s', pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(r.replay_lsn, r.flush_lsn, r.sent_lsn))),
              coalesce(format(', %s s', round(extract(epoch from r.replay_lag))), '')) as evidence,
       case when r.replay_lag > interval '30 seconds' then 'critical' end as severity
  from pg_stat_replication r
  cross join limits
 -- Streams of single changes are behind by what their readers did not confirm.
 where r.state in ('streaming', 'catchup') and not exists (select from pg_replication_slots s where s.active_pid = r.pid and s.slot_type = 'logical')
   and (r.replay_lag >= limits.lag_seconds * interval '1 second'
        or pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(r.replay_lsn, r.flush_lsn, r.sent_lsn)) >= limits.lag_bytes)"),
        ..PLAIN
    },
    Check {
        code: "slot_left",
        severity: Severity::High,
        title: "nobody reads from a replication slot",
        why: "It keeps the log of all changes, and for logical ones dead rows of the catalog, until the disk is full.",
        remedy: "Drop it with pg_drop_replication_slot if its reader does not come back.",
        needs: &[Need::Primary],
        sql: Any("
select format('slot %s', s.slot_name) as object, format('%s, keeps %s', s.slot_type, coalesce(pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)), 'nothing')) as evidence
  from pg_replication_slots s
  cross join limits
 where not s.active and not s.temporary and coalesce(s.database, current_database()) = current_database()
   and coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn), 0) < limits.slot_bytes"),
        ..PLAIN
    },
    Check {
        code: "slot_keeps_log",
        severity: Severity::Critical,
        title: "a replication slot keeps very much of the log",
        why: "When the disk is full the server stops.",
        remedy: "Let its reader catch up, or drop the slot; set max_slot_wal_keep_size.",
        needs: &[Need::Primary],
        sql: Any("
select format('slot %s', s.slot_name) as object, format('keeps %s', pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn))) as evidence
  from pg_replication_slots s
  cross join limits
 where coalesce(s.database, current_database()) = current_database() and pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn) >= limits.slot_bytes"),
        ..PLAIN
    },
    Check {
        code: "slots_unlimited",
        severity: Severity::Medium,
        title: "a slot may keep the log until the disk is full",
        why: "A reader that stays away stops the server, not itself.",
        remedy: "Set max_slot_wal_keep_size to what the disk can spare.",
        needs: &[Need::Monitor],
        sql: Any("
select 'setting max_slot_wal_keep_size' as object, format('-1, with %s slots', count(*)) as evidence,
       'alter system set max_slot_wal_keep_size = ''10GB'';' as up, 'alter system reset max_slot_wal_keep_size;' as down
  from pg_replication_slots s
 where current_setting('max_slot_wal_keep_size') = '-1' and not s.temporary and coalesce(s.database, current_database()) = current_database()
having count(*) > 0"),
        ..PLAIN
    },
    Check {
        code: "public_bucket_listed",
        severity: Severity::Medium,
        title: "everybody may list the files of a public bucket",
        why: "A public bucket serves its files by their names; a policy for reading lets everybody find out the names.",
        remedy: "Drop the policy: public files are served without it.",
        lints: &["0025_public_bucket_allows_listing"],
        needs: &[Need::Table("storage.buckets"), Need::Table("storage.objects")],
        sql: Any(r"
select format('storage bucket %s', b.id) as object, format('policy %s', string_agg(format('%I', p.polname), ', ')) as evidence
  from storage.buckets b
  join pg_policy p on p.polrelid = 'storage.objects'::regclass and p.polcmd in ('r', '*') and p.polpermissive
  cross join lateral (select pg_get_expr(p.polqual, p.polrelid) as qual) e
 where b.public and (e.qual = 'true' or e.qual ~ format('^\(+bucket_id = ''%s''(::text)?\)+$', regexp_replace(b.id, '([.^$*+?()\[\]{}|\\])', '\\\1', 'g')))
 group by b.id"),
        ..PLAIN
    },
    Check {
        code: "files_of_everybody",
        severity: Severity::High,
        title: "a policy for files asks for the bucket alone",
        why: "Whoever may use the bucket reads or changes every company's files in it.",
        remedy: "Ask for the folder (`storage.foldername(name)`) or the owner, too.",
        needs: &[Need::Table("storage.objects"), Need::Table("storage.buckets")],
        sql: Any(r"
select format('storage.objects policy %I', p.polname) as object, left(e.texts, 200) as evidence
  from pg_policy p
  cross join lateral (select concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as texts) e
 where p.polrelid = 'storage.objects'::regclass and p.polpermissive
   and exists (select from api_roles a, unnest(p.polroles) r where r = 0 or pg_has_role(a.oid, r, 'usage'))
   and e.texts !~ '\m(foldername|filename|owner|owner_id|name|path_tokens|company_id|uid)\M'
   and not (p.polcmd = 'r' and exists (select from storage.buckets b where b.public and e.texts ~ format('''%s''', regexp_replace(b.id, '([.^$*+?()\[\]{}|\\])', '\\\1', 'g'))))"),
        ..PLAIN
    },
];
