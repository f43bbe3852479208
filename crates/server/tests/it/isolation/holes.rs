//! Holes that are cut on purpose, each of another sort: every one of them is found, by what it tells, changes or knows.

use super::{Hole, prove};

const HOLES: Hole = Hole {
    sql: "
    -- Searches everywhere.
    create function public.find(query text) returns setof text language sql security definer set search_path = ''
      as 'select concat(id, '' '', notes) from public.customers where notes like left(query, 6) || ''%''';
    -- Writes to whatever has the id.
    create function public.rename(p_customer_id uuid) returns void language sql security definer set search_path = ''
      as 'update public.customers set first_name = ''Found'' where id = p_customer_id';
    -- Says only yes or no.
    create function public.is_there(p_customer_id uuid) returns boolean language sql stable security definer set search_path = ''
      as 'select exists (select from public.customers where id = p_customer_id)';
    -- Shows rows with the rights of its owner, and not whose they are.
    create view public.everything as select id as customer, notes from public.customers;
    alter function public.find(text) owner to app_definer;
    alter function public.rename(uuid) owner to app_definer;
    alter function public.is_there(uuid) owner to app_definer;
    revoke all on function public.find(text), public.rename(uuid), public.is_there(uuid) from public;
    grant execute on function public.find(text), public.rename(uuid), public.is_there(uuid) to authenticated;
    grant select on public.everything to authenticated;
    -- A table of people whose policies are not asked.
    alter table public.users disable row level security",
    only: &["find", "rename", "is_there", "everything", "users", "customers"],
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_is_opened_is_found() {
    let outcome = Box::pin(prove(500, 1, HOLES)).await;
    for parts in [
        ["/rest/v1/rpc/find", " tells "],
        ["/rest/v1/everything", " tells "],
        ["/rest/v1/users", " tells "],
        ["/rest/v1/rpc/is_there", "is answered otherwise where the other company is missing"],
        [r#""public"."customers""#, "have changed"],
    ] {
        let is_found = |finding: &String| parts.iter().all(|part| finding.contains(part));
        assert!(
            outcome.findings.iter().any(is_found),
            "{parts:?} is not among {} findings: {:#?}",
            outcome.findings.len(),
            outcome.findings
        );
    }
}
