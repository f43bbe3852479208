//! table: what is slow, grows, ages or is set wrongly.

use super::{LOGS, Plant, plant};

const ROWS: &str = "insert into public.companies select '00000000-0000-0000-0000-000000000001', 'one';
  insert into public.customers select '00000000-0000-0000-0000-000000000001', gen_random_uuid(), 'n', 0, now() from generate_series(1, 40)";

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
