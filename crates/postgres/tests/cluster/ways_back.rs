//! A database that went back to an earlier release, with the code of the later one still in it: whoever signs in, is let into a company or
//! works there finds no trigger that asks for what went.

use postgres::migrate::{Back, Source};

use crate::migrate_cluster::{As, Fixture, options};

/// The tables of the business as they were made first.
const FIRST: &str = "20261122095000";

/// What every earlier release writes itself when it comes, by this name: it is not what a later one left behind.
const WRITTEN_ANEW: &str = "
do $$
declare
  v_function regprocedure;
begin
  for v_function in select p.oid from pg_proc p where p.pronamespace = 'app'::regnamespace and p.proname ~ '^(audit_of_.*|note_session)$' loop
    execute format('drop function %s cascade', v_function);
  end loop;
end $$";

const LIFE: &str = "
insert into auth.users (id, email, email_confirmed_at, encrypted_password) values
  ('01900000-0000-7000-8000-000000000001', 'owner@example.com', now(), null),
  ('01900000-0000-7000-8000-000000000002', 'member@example.com', now(), 'x');
insert into public.companies (id, name, slug, owner_id) values
  ('01900000-0000-7000-8000-000000000000', 'Acme', 'acme', '01900000-0000-7000-8000-000000000001');
insert into public.team_members (company_id, user_id, role) values
  ('01900000-0000-7000-8000-000000000000', '01900000-0000-7000-8000-000000000001', 'owner'),
  ('01900000-0000-7000-8000-000000000000', '01900000-0000-7000-8000-000000000002', 'csr');
update auth.users set encrypted_password = 'y', last_sign_in_at = now(), email = 'other@example.com', banned_until = now()
 where id = '01900000-0000-7000-8000-000000000002';
update auth.users set encrypted_password = null;
update public.team_members set role = 'admin', status = 'suspended' where role = 'csr';
update public.team_members set status = 'active' where role = 'admin';
insert into auth.sessions (user_id, active_company_id) select user_id, company_id from public.team_members;
update auth.sessions set revoked_at = now();
insert into auth.identities (user_id, provider, provider_id, identity_data) select id, 'email', id, '{}' from auth.users;
insert into public.invitations (company_id, email, role, token_hash) select id, 'new@example.com', 'csr', repeat('a', 64) from public.companies;
update public.invitations set used_at = now();
insert into public.customers (company_id, first_name, phone) select id, 'Ada', '+15550100' from public.companies;
insert into public.jobs (company_id, title, customer_id) select company_id, 'Boiler', id from public.customers;
insert into public.public_links (company_id, purpose, token_hash, customer_id) select company_id, 'book', repeat('b', 64), id from public.customers;
update public.customers set email = 'ada@example.com', portal_enabled = false, deleted_at = now();
update public.companies set name = 'Bolt', subscription_tier = 'pro';
delete from public.team_members where role = 'admin';
delete from public.companies;
delete from auth.users";

#[tokio::test]
async fn an_earlier_release_finds_no_trigger_of_a_later_one() {
    let fixture = Fixture::new(As::Superuser).await;
    let migrator = fixture.migrator();
    migrator.up(&Source::Embedded, &options()).await.unwrap();
    let client = fixture.administrator().await;
    let mut newest = fixture.ask("select max(version) from app.migrations").await;
    let mut tried = 0;
    while newest.as_str() > FIRST {
        client.batch_execute(&format!("begin; {WRITTEN_ANEW}")).await.unwrap();
        if let Err(cause) = client.batch_execute(LIFE).await {
            panic!("at {newest}: {cause:?}");
        }
        client.batch_execute("rollback").await.unwrap();
        migrator.down(&Source::Embedded, &Back::Steps(1), &options()).await.unwrap();
        newest = fixture.ask("select max(version) from app.migrations").await;
        tried += 1;
    }
    assert!(tried > 20, "{tried}");
}
