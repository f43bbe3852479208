//! table: what is wrong about who sees what.

use super::{LOGS, Plant, plant};

const NOTES: &str =
    "alter table public.notes enable row level security, force row level security; grant select, insert on public.notes to authenticated";

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
    plant(
        "personal_data_unreached",
        "public.callbacks",
        &[
            "create table public.callbacks (company_id uuid not null references public.companies, id uuid not null, phone text, primary key (company_id, id))",
            "comment on column public.callbacks.phone is 'personal: where somebody wants to be called back'",
            "alter table public.callbacks enable row level security, force row level security",
            "create policy own on public.callbacks to authenticated using (company_id = (select auth.company_id()))",
            "grant select on public.callbacks to authenticated",
            // Rows of this one are found: they are of a job, which is of a customer.
            "create table public.visitors (company_id uuid not null references public.companies, job_id uuid not null, email text, \
             primary key (company_id, job_id), foreign key (company_id, job_id) references public.jobs (company_id, id))",
            "comment on column public.visitors.email is 'personal: who opens the door'",
            "alter table public.visitors enable row level security, force row level security",
            "create policy own on public.visitors to authenticated using (company_id = (select auth.company_id()))",
            "grant select on public.visitors to authenticated",
        ],
    ),
];
