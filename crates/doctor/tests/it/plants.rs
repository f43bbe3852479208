//! table: one planted defect for each check that a schema or a setting of a database can have.

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
const NOTES: &str =
    "alter table public.notes enable row level security, force row level security; grant select, insert on public.notes to authenticated";
const ROWS: &str = "insert into public.companies select '00000000-0000-0000-0000-000000000001', 'one';
  insert into public.customers select '00000000-0000-0000-0000-000000000001', gen_random_uuid(), 'n', 0, now() from generate_series(1, 40)";

pub(crate) const ROW_SECURITY: &[Plant] = &[
    plant(
        "row_security_off",
        "public.notes",
        &["create table public.notes (id uuid primary key, body text); grant select on public.notes to anon"],
    ),
    plant("policies_ignored", "public.jobs", &["alter table public.jobs disable row level security"]),
    plant(
        "policies_absent",
        "public.notes",
        &[
            "create table public.notes (id uuid primary key)",
            "alter table public.notes enable row level security, force row level security; grant select on public.notes to authenticated",
        ],
    ),
    plant("grant_without_policy", "public.members", &["grant delete on public.members to authenticated"]),
    plant(
        "row_security_not_forced",
        "public.jobs",
        &[
            "create role {name}_owner login",
            "alter table public.jobs owner to {name}_owner",
            "alter table public.jobs no force row level security",
        ],
    ),
    plant(
        "policy_always_true",
        "public.customers policy own",
        &["alter policy own on public.customers using (company_id is null or true)"],
    ),
    plant(
        "policy_open_branch",
        "public.customers policy own",
        &[
            "alter table public.customers add is_public boolean not null default false",
            "alter policy own on public.customers using (company_id = (select auth.company_id()) or is_public)",
        ],
    ),
    plant("policy_check_weaker", "public.jobs policy own", &["alter policy own on public.jobs with check (title <> '')"]),
    plant(
        "policy_without_tenant",
        "public.jobs policy own",
        &["alter policy own on public.jobs using (title <> '') with check (title <> '')"],
    ),
    plant(
        "policy_recursive",
        "public.members policy own",
        &[
            "alter policy own on public.members using (company_id = any (array(select m.company_id from public.members m where m.user_id = (select auth.uid()))))",
        ],
    ),
    plant(
        "policy_recursive",
        "public.customers policy own",
        &[
            "create function public.mine() returns uuid language sql stable set search_path = '' as 'select company_id from public.customers limit 1'",
            "alter policy own on public.customers using (company_id = (select public.mine()))",
        ],
    ),
    plant(
        "policy_recursive",
        "public.customers policy own",
        &[
            "alter policy own on public.customers using (exists (select from public.jobs j where j.company_id = customers.company_id))",
            "alter policy own on public.jobs using (exists (select from public.customers c where c.company_id = jobs.company_id))",
        ],
    ),
    plant(
        "policy_trusts_caller",
        "public.customers policy own",
        &[
            "alter policy own on public.customers using (company_id = (select (current_setting('request.jwt.claims')::jsonb -> 'user_metadata' ->> 'company_id')::uuid))",
        ],
    ),
    plant(
        "policy_for_everybody",
        "public.members policy leave",
        &["create policy leave on public.members for delete using (company_id = (select auth.company_id()))"],
    ),
    plant(
        "policy_hides_deleted",
        "public.customers policy own",
        &[
            "alter table public.customers add deleted_at timestamptz",
            "alter policy own on public.customers using (company_id = (select auth.company_id()) and deleted_at is null)",
        ],
    ),
];

pub(crate) const ACCESS: &[Plant] = &[
    Plant { has_own_caller: true, ..plant("role_passes_policies", "role *", &["create role {name}_caller bypassrls"]) },
    Plant {
        has_own_caller: true,
        ..plant("role_owns_tables", "role *", &["create role {name}_caller", "alter table public.jobs owner to {name}_caller"])
    },
    plant("granted_to_public", "public.companies", &["grant select on public.companies to public"]),
    plant(
        "default_grants_open",
        "default privileges of postgres in public",
        &["alter default privileges in schema public grant select on tables to anon"],
    ),
    plant("grant_beyond_rows", "public.jobs", &["grant truncate on public.jobs to authenticated"]),
    plant("schema_open_to_makers", "schema scratch", &["create schema scratch", "grant create on schema scratch to public"]),
    plant(
        "view_as_owner",
        "public.all_jobs",
        &["create view public.all_jobs as select id from public.jobs", "grant select on public.all_jobs to authenticated"],
    ),
    plant(
        "accounts_exposed",
        "public.people",
        &["create view public.people as select id, email from auth.users", "grant select on public.people to anon"],
    ),
    plant(
        "materialized_view_exposed",
        "public.totals",
        &[
            "create materialized view public.totals as select company_id, count(*) from public.jobs group by company_id",
            "grant select on public.totals to authenticated",
        ],
    ),
    plant(
        "foreign_table_exposed",
        "public.far",
        &[
            "create foreign data wrapper w",
            "create server s foreign data wrapper w",
            "create foreign table public.far (id uuid) server s",
            "grant select on public.far to authenticated",
        ],
    ),
    plant(
        "partition_exposed",
        "public.logs_all",
        &[
            LOGS,
            "create table public.logs_all partition of public.logs for values from ('2020-01-01') to ('2100-01-01')",
            "grant select on public.logs_all to authenticated",
        ],
    ),
    plant(
        "privileges_writable",
        "public.members column role",
        &[
            "create policy self on public.members for update to authenticated using (company_id = (select auth.company_id()) and user_id = (select auth.uid()))",
            "grant update on public.members to authenticated",
        ],
    ),
    plant("protection_not_automatic", "event triggers", &["drop event trigger protect_new_tables"]),
];

pub(crate) const FUNCTIONS: &[Plant] = &[
    plant("definer_search_path", "public.count_jobs()", &["alter function public.count_jobs() reset search_path"]),
    plant("function_search_path", "auth.uid()", &["alter function auth.uid() reset search_path"]),
    plant("definer_open_to_all", "public.count_jobs()", &["grant execute on function public.count_jobs() to public"]),
    plant("definer_reachable", "public.count_jobs()", &["grant execute on function public.count_jobs() to authenticated"]),
    Plant {
        beside: &["definer_reachable"],
        ..plant(
            "definer_asks_nothing",
            "public.wipe(p uuid)",
            &[
                "create function public.wipe(p uuid) returns void language sql security definer set search_path = '' as 'delete from public.jobs where id = p'",
                "revoke execute on function public.wipe(uuid) from public",
                "grant execute on function public.wipe(uuid) to authenticated",
            ],
        )
    },
    plant("function_leakproof", "auth.uid()", &["alter function auth.uid() leakproof"]),
];

pub(crate) const TENANTS: &[Plant] = &[
    plant(
        "tenant_nullable",
        "public.notes",
        &[
            "create table public.notes (id uuid primary key, company_id uuid references public.companies)",
            "create index notes_company_id_idx on public.notes (company_id)",
            NOTES,
            "create policy own on public.notes to authenticated using (company_id = (select auth.company_id()))",
        ],
    ),
    plant(
        "tenant_missing",
        "public.notes",
        &[
            "create table public.notes (id uuid primary key, body text)",
            NOTES,
            "create policy own on public.notes to authenticated using (id = (select auth.uid()))",
        ],
    ),
    plant(
        "key_across_tenants",
        "public.jobs constraint jobs_referred_by_fkey",
        &[
            "alter table public.customers add unique (id)",
            "alter table public.jobs add referred_by uuid references public.customers (id)",
            "create index jobs_referred_by_idx on public.jobs (referred_by)",
        ],
    ),
    plant("unique_across_tenants", "public.jobs_title_key", &["create unique index jobs_title_key on public.jobs (title)"]),
    plant(
        "key_to_accounts",
        "public.members constraint members_login_fkey",
        &[
            "alter table public.members add login text references auth.users (email)",
            "create index members_login_idx on public.members (login)",
        ],
    ),
];

pub(crate) const SECRETS: &[Plant] = &[
    plant("secret_column_readable", "public.companies column api_key", &["alter table public.companies add api_key text"]),
    plant(
        "secret_in_comment",
        "table public.companies",
        &["comment on table public.companies is 'the login is shop, password: hunter2secret'"],
    ),
    plant("secret_in_setting", "database setting app.encryption_key", &["alter database {name} set app.encryption_key = 'correct horse'"]),
    plant(
        "secret_in_function",
        "public.pay()",
        &["create function public.pay() returns text language sql stable set search_path = '' as $$ select 'sk_live_0123456789' $$"],
    ),
    plant(
        "foreign_server_password",
        "user mapping of PUBLIC at s",
        &[
            "create foreign data wrapper w",
            "create server s foreign data wrapper w",
            "create user mapping for public server s options (password 'hunter2')",
        ],
    ),
    plant(
        "audit_writable",
        "public.audit_log",
        &[
            "create table public.audit_log (company_id uuid not null, id uuid not null, primary key (company_id, id))",
            "alter table public.audit_log enable row level security, force row level security",
            "create policy own on public.audit_log to authenticated using (company_id = (select auth.company_id()))",
            "grant select, delete on public.audit_log to authenticated",
        ],
    ),
    plant(
        "audit_incomplete",
        "public.jobs",
        &[
            "create function public.audit() returns trigger language plpgsql set search_path = '' as $$ begin return new; end $$",
            "create trigger audit after update on public.customers for each row execute function public.audit()",
        ],
    ),
    plant("personal_data_unlabelled", "public.customers", &["alter table public.customers add phone text"]),
];

pub(crate) const POLICY_COST: &[Plant] = &[
    plant(
        "policy_call_per_row",
        "public.customers policy own",
        &["alter policy own on public.customers using (company_id = auth.company_id())"],
    ),
    plant(
        "policy_call_with_column",
        "public.customers policy own",
        &[
            "create function public.is_mine(p uuid) returns boolean language sql stable set search_path = '' as 'select p = auth.company_id()'",
            "alter policy own on public.customers using (public.is_mine(company_id))",
        ],
    ),
    plant(
        "policy_in_select",
        "public.customers policy own",
        &[
            "alter policy own on public.customers using (company_id in (select m.company_id from public.members m where m.user_id = (select auth.uid())))",
        ],
    ),
    plant(
        "policy_column_unindexed",
        "public.companies column owner",
        &["alter table public.companies add owner uuid", "alter policy own on public.companies using (owner = (select auth.uid()))"],
    ),
    plant(
        "policies_repeated",
        "public.companies",
        &["create policy named on public.companies for select to authenticated using (id is not null)"],
    ),
    plant(
        "index_not_leakproof",
        "public.customers_tags_idx",
        &["alter table public.customers add tags jsonb", "create index customers_tags_idx on public.customers using gin (tags)"],
    ),
];

pub(crate) const INDEXES: &[Plant] = &[
    plant("key_without_index", "public.jobs constraint jobs_company_id_customer_id_fkey", &["drop index public.jobs_customer_idx"]),
    plant("index_duplicate", "public.jobs_customer_again", &["create index jobs_customer_again on public.jobs (company_id, customer_id)"]),
    plant("index_redundant", "public.jobs_company_idx", &["create index jobs_company_idx on public.jobs (company_id)"]),
    plant(
        "index_invalid",
        "public.jobs_title_idx",
        &[
            "create index jobs_title_idx on public.jobs (title)",
            "update pg_index set indisvalid = false where indexrelid = 'public.jobs_title_idx'::regclass",
        ],
    ),
    Plant {
        tuned: &[("statistics_days", 0), ("index_unused_bytes", 0)],
        ..plant("index_unused", "public.customers_name_idx", &["create index customers_name_idx on public.customers (name)"])
    },
    Plant {
        beside: &["table_bloat"],
        tuned: &[("bloat_bytes", 100_000), ("dead_rows", 1_000_000_000)],
        ..plant(
            "index_bloat",
            "public.many_pkey",
            &[
                "create table public.many (id bigint primary key)",
                "insert into public.many select generate_series(1, 50000)",
                "delete from public.many where id < 49800",
                "vacuum public.many",
            ],
        )
    },
];

pub(crate) const TABLES: &[Plant] = &[
    Plant {
        beside: &["index_bloat"],
        tuned: &[("bloat_bytes", 100_000), ("dead_rows", 1_000_000_000)],
        ..plant(
            "table_bloat",
            "public.many",
            &[
                "create table public.many (id bigint primary key)",
                "insert into public.many select generate_series(1, 50000)",
                "delete from public.many where id < 49800",
                "vacuum public.many",
            ],
        )
    },
    Plant {
        tuned: &[("dead_rows", 10)],
        ..plant(
            "dead_rows",
            "public.customers",
            &[ROWS, "delete from public.customers where ctid in (select ctid from public.customers limit 30)"],
        )
    },
    Plant { tuned: &[("unanalyzed_rows", 10)], ..plant("never_analyzed", "public.customers", &[ROWS]) },
    plant("autovacuum_off_for_table", "public.customers", &["alter table public.customers set (autovacuum_enabled = off)"]),
    Plant { tuned: &[("wraparound_percent", 0)], ..plant("wraparound_near", "database *", &[]) },
    plant(
        "sequence_near_end",
        "sequence public.numbers",
        &["create sequence public.numbers as smallint", "select setval('public.numbers', 30000)"],
    ),
    plant(
        "partition_missing",
        "public.logs",
        &[LOGS, "create table public.logs_old partition of public.logs for values from ('2020-01-01') to ('2021-01-01')"],
    ),
    plant(
        "default_partition_filled",
        "public.kinds_rest",
        &[
            "create table public.kinds (kind text primary key) partition by list (kind)",
            "create table public.kinds_rest partition of public.kinds default",
            "insert into public.kinds values ('odd')",
        ],
    ),
    Plant { tuned: &[("append_only_rows", 10)], ..plant("append_only_unpartitioned", "public.customers", &[ROWS]) },
    Plant {
        tuned: &[("large_table_rows", 10)],
        ..plant(
            "read_whole",
            "public.customers",
            &[ROWS, "do $$ begin for i in 1..101 loop perform count(*) from public.customers; end loop; end $$"],
        )
    },
    Plant { tuned: &[("cache_reads", 0), ("cache_hit_percent", 101)], ..plant("cache_hit_low", "database *", &[]) },
    Plant {
        tuned: &[("temporary_bytes", 0)],
        ..plant(
            "temporary_files",
            "database *",
            &["set work_mem = '64kB'; select count(*) from (select g from generate_series(1, 100000) g order by g desc offset 1) x"],
        )
    },
    plant(
        "extension_outdated",
        "extension pg_trgm",
        &["create schema extensions", "create extension pg_trgm schema extensions version '1.3'"],
    ),
];

pub(crate) const MODEL: &[Plant] = &[
    plant("no_primary_key", "public.notes", &["create table public.notes (body text)"]),
    plant("time_without_zone", "public.customers", &["alter table public.customers add seen_at timestamp"]),
    plant("money_inexact", "public.customers column price", &["alter table public.customers add price real"]),
    plant("type_padded", "public.customers column code", &["alter table public.customers add code char(3)"]),
    plant("json_as_text", "public.customers column extra", &["alter table public.customers add extra json"]),
    plant("key_too_small", "public.notes", &["create table public.notes (id int generated always as identity primary key)"]),
    plant("serial_column", "public.notes column id", &["create table public.notes (id bigserial primary key)"]),
    plant("array_of_keys", "public.customers column tag_ids", &["alter table public.customers add tag_ids uuid[]"]),
    plant("type_not_upgradable", "public.customers column hook", &["alter table public.customers add hook regproc"]),
    plant("constraint_not_valid", "public.customers constraint customers_named", &["alter table public.customers add constraint customers_named check (name <> '') not valid"]),
    plant("trigger_disabled", "public.customers",
        &["create function public.touch() returns trigger language plpgsql set search_path = '' as $$ begin return new; end $$",
          "create trigger touch before update on public.customers for each row execute function public.touch()", "alter table public.customers disable trigger touch"]),
    plant("unique_ignores_deleted", "public.customers_company_id_code_key", &["alter table public.customers add deleted_at timestamptz, add code text, add unique (company_id, code)"]),
    plant("cascade_into_records", "public.invoices constraint invoices_company_id_customer_id_fkey",
        &["create table public.invoices (company_id uuid not null, id uuid not null, customer_id uuid not null, primary key (company_id, id),
             foreign key (company_id, customer_id) references public.customers (company_id, id) on delete cascade)",
          "create index invoices_customer_idx on public.invoices (company_id, customer_id)"]),
    plant("changed_unmarked", "public.jobs", &["alter table public.jobs add updated_at timestamptz"]),
    plant("version_missing", "public.jobs", &["alter table public.customers add version bigint", "alter table public.members add version bigint"]),
    plant("extension_in_public", "extension pg_trgm", &["create extension pg_trgm schema public"]),
    plant("migrations_unrecorded", "migrations", &["drop table public.schema_migrations"]),
];

const STORAGE: &str = "create schema storage;
  create table storage.buckets (id text primary key, public boolean not null);
  create table storage.objects (id uuid primary key, bucket_id text not null references storage.buckets, name text not null);
  create index objects_bucket_id_idx on storage.objects (bucket_id);
  alter table storage.buckets enable row level security, force row level security;
  alter table storage.objects enable row level security, force row level security;
  create policy all_of_owner on storage.buckets to current_user using (true);
  insert into storage.buckets values ('open', true), ('closed', false);
  grant usage on schema storage to authenticated, anon; grant select, insert on storage.objects to authenticated";

pub(crate) const SERVER: &[Plant] = &[
    plant("password_md5", "setting password_encryption", &["alter database {name} set password_encryption = md5"]),
    plant("log_has_values", "setting log_statement", &["alter database {name} set log_statement = 'all'"]),
];

pub(crate) const SAFETY: &[Plant] = &[
    Plant {
        beside: &["tenant_missing"],
        ..plant(
            "public_bucket_listed",
            "storage bucket open",
            &[
                STORAGE,
                "create policy read on storage.objects for select to authenticated using (bucket_id = 'open')",
                "create policy own on storage.objects for insert to authenticated with check (name = (select auth.uid())::text)",
            ],
        )
    },
    Plant {
        beside: &["tenant_missing"],
        ..plant(
            "files_of_everybody",
            "storage.objects policy own",
            &[STORAGE, "create policy own on storage.objects to authenticated using (bucket_id = 'closed')"],
        )
    },
];

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
