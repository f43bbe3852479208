//! Secrets and personal data: in columns, comments, settings and functions, and who may rewrite the record of changes.
//!
//! Invariant: the evidence says where a secret is and never what it is.

use crate::check::Text::Any;
use crate::check::{Check, Group, Lock, Need, Severity};

const PLAIN: Check = Check { group: Group::Secrets, ..Check::PLAIN };

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "secret_column_readable",
        severity: Severity::High,
        title: "callers read a column that holds a secret by its name",
        why: "A key or password in clear text is everybody's who reads a backup, a log or a neighbour's row.",
        remedy: "Keep a hash where it is only compared, or what is sealed outside the database; grant the other columns one by one.",
        lints: &["0023_sensitive_columns_exposed"],
        needs: &[Need::ApiRoles],
        sql: Any(r"
, named as materialized (
  select r.oid, r.name, c.attname, c.attnum, c.atttypid, c.atttypmod
    from relations r
    join columns c on c.attrelid = r.oid
   where r.relkind in ('r', 'p', 'f') and not r.relispartition
   and c.atttypid in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'json'::regtype, 'jsonb'::regtype)
   and exists (select from unnest(array['password', 'passwd', 'passphrase', 'secret', 'private_key', 'api_key', 'apikey', 'access_token', 'refresh_token', 'auth_token', 'bearer_token',
     'client_secret', 'ssn', 'social_security_number', 'credit_card', 'card_number', 'cvv', 'iban', 'pin_code', 'otp_secret', 'authentication']) w
                where c.attname = w or right(c.attname, length(w) + 1) = '_' || w)
   and c.attname !~ '(hash|hashed|encrypted|sealed|cipher|masked|last_?4|prefix|fingerprint|digest)'
)
select format('%s column %I', n.name, n.attname) as object, format('%s may read it; it is %s', string_agg(distinct a.rolname, ', '), format_type(n.atttypid, n.atttypmod)) as evidence
  from named n
  join api_roles a on has_column_privilege(a.oid, n.oid, n.attnum, 'select')
 group by n.name, n.attname, n.atttypid, n.atttypmod"),
        ..PLAIN
    },
    Check {
        code: "secret_in_comment",
        severity: Severity::High,
        title: "a comment seems to hold a secret",
        why: "Comments are in every dump and readable by everybody who connects.",
        remedy: "Take it out, and change the secret: it has been read.",
        sql: Any(r"
select pg_describe_object(d.classoid, d.objoid, d.objsubid) as object, 'its comment has what looks like a password or key' as evidence
  from pg_description d
 where d.classoid in ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_namespace'::regclass, 'pg_type'::regclass, 'pg_constraint'::regclass)
   and d.description ~* '(password|passwd|secret|api[_ ]?key|token)\s*(is|[:=])\s*\S*[0-9]\S{5,}|\m(sk_live_|sk_test_|AKIA[0-9A-Z]{12}|ghp_|xox[abp]-|eyJ[A-Za-z0-9_-]{10,}\.eyJ)|-----BEGIN [A-Z ]*PRIVATE KEY|://[^ :/@]+:[^ @/]+@'"),
        ..PLAIN
    },
    Check {
        code: "secret_in_setting",
        severity: Severity::High,
        title: "a setting of a database or role seems to hold a secret",
        why: "Every session reads its settings by current_setting, whoever it works for, and they are in dumps of roles.",
        remedy: "Keep keys outside of the database; what is sealed there needs no key in it. Then reset the setting.",
        sql: Any(r"
select format('%s setting %s', case when s.setrole = 0 then 'database' when s.setdatabase = 0 then format('role %I', pg_get_userbyid(s.setrole))
                                    else format('role %I in the database', pg_get_userbyid(s.setrole)) end, split_part(c, '=', 1)) as object,
       'a name of a secret, with a value' as evidence
  from pg_db_role_setting s
  cross join unnest(s.setconfig) c
 where s.setdatabase in (0, (select d.oid from pg_database d where d.datname = current_database()))
   and split_part(c, '=', 1) ~* '(secret|password|passwd|api_?key|encryption_key|private_key|service_role_key|_token)' and split_part(c, '=', 1) like '%.%'
   and length(c) > position('=' in c) + 5"),
        ..PLAIN
    },
    Check {
        code: "secret_in_function",
        severity: Severity::High,
        title: "the text of a function seems to hold a secret",
        why: "Everybody who connects reads the text of every function.",
        remedy: "Take it out, and change the secret: it has been read.",
        sql: Any(r"
select f.name as object, 'its text has what looks like a key' as evidence
  from functions f
 where f.prosrc ~ '\m(sk_live_|sk_test_|AKIA[0-9A-Z]{12}|ghp_[A-Za-z0-9]{10}|xox[abp]-|eyJ[A-Za-z0-9_-]{10,}\.eyJ)|-----BEGIN [A-Z ]*PRIVATE KEY|postgres(ql)?://[^ :/@%]+:[^ @/%]+@'"),
        ..PLAIN
    },
    Check {
        code: "foreign_server_password",
        severity: Severity::Low,
        title: "a login at another server is kept in clear text",
        why: "Whoever the login belongs to, and every superuser, reads it, and it is in dumps.",
        remedy: "Use a role with the least rights there, and passwords of its own.",
        needs: &[Need::Superuser],
        sql: Any("
select format('user mapping of %s at %I', coalesce(pg_get_userbyid(nullif(u.umuser, 0)), 'PUBLIC'), u.srvname) as object, 'has a password' as evidence
  from pg_user_mappings u
 where exists (select from unnest(u.umoptions) o where o like 'password=%')"),
        ..PLAIN
    },
    Check {
        code: "audit_writable",
        severity: Severity::High,
        title: "callers may change the record of what was changed",
        why: "A record that its subjects rewrite proves nothing.",
        remedy: "Leave INSERT to a trigger's owner and take UPDATE and DELETE away from everybody.",
        lock: Lock::Brief,
        sql: Any(r"
select t.name as object, format('%s may %s', string_agg(distinct g.role, ', '), lower(string_agg(distinct g.privilege, ', '))) as evidence,
       string_agg(distinct format('revoke %s on %s from %s;', lower(g.privilege), t.name, case g.grantee when 0 then 'public' else quote_ident(g.role) end), E'\n') as up,
       string_agg(distinct format('grant %s on %s to %s;', lower(g.privilege), t.name, case g.grantee when 0 then 'public' else quote_ident(g.role) end), E'\n') as down
  from tables t
  join grants g on g.relid = t.oid and g.privilege in ('UPDATE', 'DELETE')
 where t.relname ~ '(^|_)audit(_|$)'
 group by t.name"),
        ..PLAIN
    },
    Check {
        code: "audit_incomplete",
        severity: Severity::Low,
        title: "changes of the table are not recorded, though those of others are",
        why: "What was changed there, and by whom, cannot be told afterwards.",
        remedy: "Give it the trigger that the others have.",
        lock: Lock::Brief,
        needs: &[Need::Tenants],
        sql: Any(r"
, audited as (
  select distinct g.tgrelid as relid
    from pg_trigger g join pg_proc f on f.oid = g.tgfoid
   where not g.tgisinternal and (f.proname ~ 'audit' or f.prosrc ~* 'insert\s+into\s+(\w+\.)?\w*audit')
)
select t.name as object, format('%s tables have a trigger that records', (select count(*) from audited)) as evidence
  from tables t
  join tenants n on n.relid = t.oid
 where not t.relispartition and t.relname !~ 'audit' and exists (select from audited) and t.oid not in (select relid from audited)
   and exists (select from grants g where g.relid = t.oid and g.privilege in ('INSERT', 'UPDATE', 'DELETE'))"),
        of: Some("select count(*) from tenants n join tables t on t.oid = n.relid where not t.relispartition"),
        ..PLAIN
    },
    Check {
        code: "personal_data_unlabelled",
        severity: Severity::Low,
        title: "a table has personal data, and nothing says so",
        why: "What is not labelled is forgotten when somebody asks for his data, or for its end.",
        remedy: "Say it in the column's comment or a security label, and what becomes of it.",
        sql: Any(r"
select t.name as object, string_agg(c.attname, ', ' order by c.attnum) as evidence
  from tables t
  join columns c on c.attrelid = t.oid
 where not t.relispartition
   and c.attname ~ '^(email|e_mail|email_address|phone|phone_number|mobile|mobile_phone|first_name|last_name|full_name|date_of_birth|birth_?date|dob|ssn|address_line_?1|street|ip_address)$'
   and col_description(t.oid, c.attnum) is null
   and not exists (select from pg_seclabel l where l.classoid = 'pg_class'::regclass and l.objoid = t.oid and l.objsubid in (0, c.attnum))
   and coalesce(obj_description(t.oid, 'pg_class'), '') !~* 'personal'
 group by t.name"),
        ..PLAIN
    },
    Check {
        code: "personal_data_unreached",
        severity: Severity::Low,
        title: "no foreign keys lead from personal data to a person",
        why: "When somebody asks for his data, or for its end, rows that nothing ties to him are not found.",
        remedy: "Add a foreign key that leads to the table of people; where that cannot be, write down how such rows are found.",
        sql: Any(r"
, people as (
  select t.oid from tables t
   where t.relname ~ '^(users|people|persons|profiles|accounts|customers|clients|contacts|members|team_members|employees|staff|technicians|patients|students|tenants|guests|leads|subscribers|suppliers|vendors|companies|organi[sz]ations)$'
), reached as (
  with recursive way(relid) as (
    select p.oid from people p
    union
    select k.relid from way w join keys k on k.refid = w.relid
     -- What everything belongs to leads to nobody in particular.
     where not exists (select from tables g where g.oid = w.relid and g.relname ~ '^(companies|tenants|organi[sz]ations|accounts)$')
  )
  select w.relid from way w
)
select t.name as object, string_agg(c.attname, ', ' order by c.attnum) as evidence
  from tables t
  join columns c on c.attrelid = t.oid
 where not t.relispartition and t.oid not in (select r.relid from reached r)
   and (c.attname ~ '^(email|e_mail|email_address|phone|phone_number|mobile|mobile_phone|first_name|last_name|full_name|date_of_birth|birth_?date|dob|ssn|address_line_?1|street)$'
        or col_description(t.oid, c.attnum) ~* '^(personal|pii)\M')
 group by t.name"),
        ..PLAIN
    },
];
