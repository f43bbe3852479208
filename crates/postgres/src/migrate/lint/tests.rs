//! One planted mistake per rule, each found under its name and at its line; and files that are right.

use std::path::Path;

use super::*;

const HEAD: &str = "-- description: a test\n-- author: Test\n-- date: 2026-01-01\n-- depends: none\n-- rollback: the other file\n";
const TENANT: &str = "create table public.jobs (company_id uuid not null, id uuid not null, primary key (company_id, id));\nselect app.enclose('public.jobs');\n\
    create table public.notes (company_id uuid not null, id uuid not null, primary key (company_id, id));\nselect app.enclose('public.notes');\n";

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Lints a source whose first migration makes two tables of a company and whose second one has this text.
fn lint_files(second_up: &str, code: &str) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "migrations/20260101000000_make_tables.up.sql", &format!("{HEAD}{TENANT}"));
    write(
        folder.path(),
        "migrations/20260101000000_make_tables.down.sql",
        &format!("{HEAD}drop table public.notes; drop table public.jobs;"),
    );
    write(folder.path(), "migrations/20260102000000_try.up.sql", second_up);
    write(folder.path(), "migrations/20260102000000_try.down.sql", HEAD);
    write(folder.path(), "code/010_code.sql", code);
    lint(&Source::Folder(folder.path().to_owned())).unwrap()
}

fn up(sql: &str) -> Vec<(String, usize)> {
    lint_files(&format!("{HEAD}{sql}"), "").into_iter().map(|finding| (finding.rule, finding.line - 5)).collect()
}

fn code(sql: &str) -> Vec<(String, usize)> {
    lint_files(HEAD, sql).into_iter().map(|finding| (finding.rule, finding.line)).collect()
}

fn found(rule: &str, line: usize) -> Vec<(String, usize)> {
    vec![(rule.to_owned(), line)]
}

#[test]
fn what_is_right_is_clean() {
    assert_eq!(up("alter table public.jobs add column note text;"), vec![]);
    assert_eq!(
        up("-- backfill: jobs rows=any because it depends\nupdate public.jobs set note = '' where company_id = id and id = id;"),
        vec![]
    );
    assert_eq!(
        up(
            "create table public.visits (company_id uuid not null, id uuid not null, job_id uuid, total_cents bigint, at timestamptz,\n primary key (company_id, id),\n\
            constraint visits_job_id_fkey foreign key (company_id, job_id) references public.jobs (company_id, id));\n\
            create index visits_at_idx on public.visits (company_id, at);\nselect app.enclose('public.visits');"
        ),
        vec![]
    );
    assert_eq!(
        code(
            "create or replace function app.f() returns void language plpgsql security definer set search_path = '' as $$\nbegin update public.jobs set note = '' where company_id = app.company_id() and id = auth.uid(); end $$;\n\
              create policy p on public.jobs for select to authenticated using (company_id = (select app.company_id()));\n\
              create or replace view public.v with (security_invoker = true) as select 1;"
        ),
        vec![]
    );
}

#[test]
fn locks_on_busy_tables_are_refused() {
    assert_eq!(up("create index jobs_note_idx on public.jobs (note);"), found("require-concurrent-index-creation", 1));
    assert_eq!(up("\nalter table public.jobs drop column note;"), found("ban-drop-column", 2));
    assert_eq!(up("alter table public.jobs rename column note to text;"), found("renaming-column", 1));
    assert_eq!(up("alter table public.jobs alter column note type integer using 1;"), found("changing-column-type", 1));
    assert_eq!(up("alter table public.jobs alter column note set not null;"), found("adding-not-nullable-field", 1));
    assert_eq!(up("alter table public.jobs add constraint c check (note <> '');"), found("constraint-missing-not-valid", 1));
    assert_eq!(up("alter table public.jobs add column n int not null;"), found("adding-required-field", 1));
    assert_eq!(
        up("alter table public.jobs add constraint jobs_note_fkey foreign key (company_id, id) references public.notes (company_id, id);")
            [0]
        .0,
        "adding-foreign-key-constraint"
    );
}

#[test]
fn keys_and_statements_carry_the_company() {
    let key = "create table public.visits (company_id uuid not null, id uuid, job_id uuid references public.jobs (id));\nselect app.enclose('public.visits');";
    assert_eq!(up(key), found("foreign-key-without-company", 1));
    assert_eq!(up("-- backfill: jobs rows=1\nupdate public.jobs set note = ''\n where id = '1';"), found("id-without-company", 2));
    assert_eq!(
        code(
            "create or replace function app.f() returns void language plpgsql as $$\nbegin\n  perform 1;\n  delete from public.jobs j where j.id = 'x';\nend $$;"
        ),
        found("id-without-company", 4)
    );
}

#[test]
fn types_that_lose_are_refused() {
    assert_eq!(up("alter table public.jobs add column unit_price numeric(10, 2);"), found("column-money-type", 1));
    assert_eq!(up("alter table public.jobs add column due timestamp;"), found("column-timestamp-type", 1));
    assert_eq!(up("alter table public.jobs add column due timestamp with time zone;"), vec![]);
    assert_eq!(up("create type public.state as enum ('a');"), found("enum-type", 1));
}

#[test]
fn holes_in_the_walls_are_refused() {
    assert_eq!(code("create function app.f() returns int language sql leakproof as 'select 1';"), found("function-leakproof", 1));
    assert_eq!(
        code("select 1;\ncreate function app.f() returns int language sql security definer as 'select 1';"),
        found("definer-search-path", 2)
    );
    assert_eq!(code("create policy p on public.jobs using (true);"), found("policy-to-public", 1));
    assert_eq!(code("create policy p on public.jobs to anon, public using (true);"), found("policy-to-public", 1));
    assert_eq!(code("create policy p on public.jobs to anon\n using (company_id = app.company_id());"), found("policy-bare-call", 2));
    assert_eq!(code("create view public.v as select 1;"), found("view-security-invoker", 1));
    assert_eq!(code("create view public.v with (security_invoker = false) as select 1;"), found("view-security-invoker", 1));
    assert_eq!(code("grant truncate on public.jobs to authenticated;"), found("grant-too-wide", 1));
    assert_eq!(code("grant select on public.jobs to public;"), found("grant-too-wide", 1));
    let forging =
        "create function app.f() returns void language plpgsql as $$\nbegin\n  perform set_config('app.company_id', 'x', true);\nend $$;";
    assert_eq!(code(forging), found("context-forged", 3));
    assert_eq!(code("alter role app_owner bypassrls;"), found("bypass-row-security", 1));
    assert_eq!(code("alter table public.jobs no force row level security;"), found("bypass-row-security", 1));
}

#[test]
fn files_the_runner_would_refuse_are_found_before() {
    assert_eq!(up("-- note\nupdate public.jobs set note = '';"), found("migration-plan", 2));
    assert_eq!(up("create table public.open (id int primary key);"), found("table-not-enclosed", 1));
    assert_eq!(up("do $$ begin update public.jobs set note = ''; end $$;"), found("hidden-row-change", 1));
    assert_eq!(up("create or replace function app.f() returns int language sql as 'select 1';"), found("code-in-migration", 1));
    assert_eq!(up("select (1;")[0].0, "syntax");
    assert_eq!(code("commit;"), found("migration-plan", 1));
    let bare = lint_files("select 1;", "");
    assert_eq!(bare.iter().filter(|finding| finding.rule == "header-missing").count(), 5);
    let wrong = lint_files(&HEAD.replace("none", "20990101000000").replace("2026-01-01", "yesterday"), "");
    assert_eq!(wrong.iter().filter(|finding| finding.rule == "header-missing").count(), 2, "{wrong:?}");
}

#[test]
fn an_exception_needs_a_rule_that_is_broken() {
    assert_eq!(up("-- lint: allow ban-drop-column because it was never used\nalter table public.jobs drop column note;"), vec![]);
    assert_eq!(up("-- lint: allow ban-drop-column because it was never used\nselect 1;"), found("lint-allow", 1));
    assert_eq!(up("-- lint: allow ban-everything because of the mood\nselect 1;"), found("lint-allow", 1));
    assert_eq!(up("-- lint: allow ban-drop-column\nalter table public.jobs drop column note;"), found("header-invalid", 1));
}

#[test]
fn a_migration_without_a_way_back_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "migrations/20260101000000_one.up.sql", HEAD);
    let found = lint(&Source::Folder(folder.path().to_owned())).unwrap();
    assert_eq!(found[0].rule, "down-missing");
    let allowed = format!("{HEAD}-- lint: allow down-missing because rows are gone\n");
    write(folder.path(), "migrations/20260101000000_one.up.sql", &allowed);
    assert_eq!(lint(&Source::Folder(folder.path().to_owned())).unwrap(), vec![]);
}

#[test]
fn the_files_of_the_product_are_clean() {
    let found = lint(&Source::Embedded).unwrap();
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "\n{}", lines.join("\n"));
}
