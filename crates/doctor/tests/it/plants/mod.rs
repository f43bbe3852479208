//! table: one planted defect for each check that a schema or a setting of a database can have.

mod upkeep;
mod walls;

pub(crate) use upkeep::{INDEXES, MODEL, POLICY_COST, SAFETY, SERVER, TABLES};
pub(crate) use walls::{ACCESS, FUNCTIONS, ROW_SECURITY, SECRETS, TENANTS};

/// A defect that is planted into the shop.
pub(crate) struct Plant {
    /// What finds it.
    pub(crate) code: &'static str,
    /// What it is about; a star at the end stands for what follows.
    pub(crate) object: &'static str,
    /// Statements that plant it; `{name}` is the name of the database.
    pub(crate) sql: &'static [&'static str],
    /// What else is wrong by it.
    pub(crate) beside: &'static [&'static str],
    /// Thresholds that let little be much.
    pub(crate) tuned: &'static [(&'static str, u64)],
    /// Whether the callers are `{name}_caller`.
    pub(crate) has_own_caller: bool,
}

const fn plant(code: &'static str, object: &'static str, sql: &'static [&'static str]) -> Plant {
    Plant { code, object, sql, beside: &[], tuned: &[], has_own_caller: false }
}

const LOGS: &str =
    "create table public.logs (company_id uuid not null, id uuid not null, at timestamptz not null, primary key (company_id, id, at))
    partition by range (at);
  alter table public.logs enable row level security, force row level security;
  create policy own on public.logs for select to authenticated using (company_id = (select auth.company_id()));
  grant select on public.logs to authenticated";

/// Every plant.
pub(crate) const ALL: &[&[Plant]] =
    &[ROW_SECURITY, ACCESS, FUNCTIONS, TENANTS, SECRETS, POLICY_COST, INDEXES, TABLES, MODEL, SERVER, SAFETY];

/// Checks whose defects need a server of their own; `tests/cluster` plants them.
pub(crate) const ELSEWHERE: &[&str] = &[
    "archiving_fails",
    "archiving_off",
    "autovacuum_off",
    "checksum_failed",
    "checksums_off",
    "commits_not_awaited",
    "connections_near_limit",
    "connections_unencrypted",
    "copy_behind",
    "deadlocks",
    "limits_absent",
    "log_says_little",
    "login_without_password",
    "prepared_transaction_left",
    "role_near_limit",
    "role_password_md5",
    "session_blocked",
    "slot_keeps_log",
    "slot_left",
    "slots_unlimited",
    "slow_statement",
    "statements_uncounted",
    "transaction_idle",
    "transaction_long",
    "version_unsafe",
    "writes_unsafe",
];
