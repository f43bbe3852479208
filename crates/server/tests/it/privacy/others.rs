//! Whoever is erased takes nobody else with him: rows of people with nearly the same words, of the company, and of other companies stay.

use proof::World;
use tokio_postgres::Client;

const COMPANY: &str = "01900000-0000-7000-8000-00000000a000";
const OTHER: &str = "01900000-0000-7000-8000-00000000b000";
const CUSTOMER: &str = "01900000-0000-7000-8000-00000000a601";
const TECHNICIAN: &str = "01900000-0000-7000-8000-00000000a105";
const OWNER: &str = "01900000-0000-7000-8000-00000000a101";

/// Somebody of the world who may be erased, by the operator.
async fn erased(client: &Client, subject: &str, company: Option<&str>, id: &str) {
    let company = company.map_or_else(|| "null".to_owned(), |id| format!("'{id}'"));
    let before = format!(
        "reset role; begin; set local session_replication_role = replica; delete from public.legal_holds; update public.invoices set balance_amount = 0 where customer_id = '{id}';
         update public.team_members set role = 'member' where user_id = '{id}'; commit;
         insert into app.task_kinds (name, attempts_max, timeout_ms) values ('erase_person', 3, 1000) on conflict do nothing;
         set role service_role; set request.jwt.claims = '{{\"role\": \"service_role\"}}'"
    );
    client.batch_execute(&before).await.unwrap();
    let call = format!("select app.erase_as_operator('{subject}', {company}, '{id}')::text");
    let erasure: String = client.query_one(&call, &[]).await.unwrap().get(0);
    assert_eq!(client.query_one(&call, &[]).await.unwrap().get::<_, String>(0), erasure, "one that began goes on");
    let mut percents = vec![];
    for _ in 0..500 {
        let said: String = client.query_one(&format!("select app.erase_part('{erasure}', 500)"), &[]).await.unwrap().get(0);
        percents.push(client.query_one(&format!("select app.erasure_percent('{erasure}')"), &[]).await.unwrap().get::<_, i32>(0));
        if said != "goes_on" {
            assert_eq!(said, "done");
            assert!(percents.is_sorted() && percents[0] < 5 && percents.contains(&50) && *percents.last().unwrap() > 90, "{percents:?}");
            client.batch_execute("reset role").await.unwrap();
            return;
        }
    }
    panic!("it has no end");
}

async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Letters, invitations and events of people who have nothing to do with whoever is erased.
const OF_OTHERS: &str = "
    begin; set local session_replication_role = replica;
    insert into public.invitations (company_id, email, role, token_hash, expires_at)
      select c, 'anna@gx.example', 'member', encode(sha256(c::text::bytea), 'hex'), now() + interval '1 day' from unnest(array['01900000-0000-7000-8000-00000000a000', '01900000-0000-7000-8000-00000000b000']::uuid[]) c;
    insert into public.email_logs (company_id, \"to\", \"from\", subject, template_type)
      select c, 'joann@x.example', 'us@x.example', 'Here is your invoice', 'x' from unnest(array['01900000-0000-7000-8000-00000000a000', '01900000-0000-7000-8000-00000000b000']::uuid[]) c;
    insert into app.message_attempts (message_key, company_id, channel, purpose, topic, recipient, attempt, outcome, said_at, created_at)
      values (app.uuid_v7(), null, 'mail', 'sign_in', '', 'anna@gx.example', 1, 'accepted', now(), now());
    insert into app.inbound_events (provider, event_key, event_type, payload, status, said_at, due_at, received_at, finished_at)
      values ('x', 'others', 'delivered', '{\"to\": \"anna@gx.example\", \"text\": \"here is your invoice\"}', 'done', now(), now(), now(), now());
    commit;";

async fn of_others(client: &Client) -> (i64, i64, i64, i64) {
    (
        count(client, "select count(*) from public.invitations where email = 'anna@gx.example'").await,
        count(client, "select count(*) from public.email_logs where \"to\" = 'joann@x.example'").await,
        count(client, "select count(*) from app.message_attempts where recipient = 'anna@gx.example'").await,
        count(client, "select count(*) from app.inbound_events where event_key = 'others' and payload <> '{}'").await,
    )
}

#[tokio::test]
async fn what_an_account_writes_of_itself_makes_nobody_elses_rows_its_own() {
    let world = World::new().await;
    let client = world.superuser().await;
    client.batch_execute(OF_OTHERS).await.unwrap();
    let before = of_others(&client).await;
    assert_eq!(before, (2, 2, 1, 1));
    for name in ["a@g", "your invoice"] {
        let written = format!(
            "update public.users set name = '{name}', phone = '{name}' where id = '{TECHNICIAN}';
             update auth.users set email_change = 'anna@gx.example' where id = '{TECHNICIAN}'"
        );
        client.batch_execute(&written).await.unwrap();
        client.batch_execute("set role service_role; set request.jwt.claims = '{\"role\": \"service_role\"}'").await.unwrap();
        let told: String = client
            .query_one(&format!("select coalesce(string_agg(r.rows::text, ''), '') from generate_series(0, 200) n cross join lateral app.person_rows('{TECHNICIAN}', 'account', null, n, 1000) r where r.table_name in ('public.invitations', 'public.email_logs')"), &[])
            .await
            .unwrap()
            .get(0);
        client.batch_execute("reset role").await.unwrap();
        assert!(!told.contains("joann@x.example") && !told.contains("anna@gx.example"), "{told}");
    }
    erased(&client, "account", None, TECHNICIAN).await;
    assert_eq!(of_others(&client).await, before);
}

#[tokio::test]
async fn a_customer_takes_nobody_with_a_longer_address_and_no_books() {
    let world = World::new().await;
    let client = world.superuser().await;
    client.batch_execute(OF_OTHERS).await.unwrap();
    let written = format!(
        "update public.customers set email = 'ann@x.example' where id = '{CUSTOMER}';
         begin; set local session_replication_role = replica;
         insert into public.suppressions (company_id, kind, address_key, reason) values ('{COMPANY}', 'email', 'ann@x.example', 'unsubscribe');
         update public.customers set billing_email = 'Ann@x.example ' where company_id = '{COMPANY}' and id <> '{CUSTOMER}';
         commit"
    );
    client.batch_execute(&written).await.unwrap();
    let before = of_others(&client).await;
    let whole = format!(
        "select count(*) from public.audit_logs where company_id = '{COMPANY}' and entity_type in ('purchase_order', 'time_entry') and new_values::text like '%[erased]%'"
    );
    assert_eq!(count(&client, &whole).await, 0);
    erased(&client, "customer", Some(COMPANY), CUSTOMER).await;
    assert_eq!(of_others(&client).await, before);
    // Whoever else has the address goes on getting no letters.
    assert_eq!(count(&client, "select count(*) from public.suppressions where address_key = 'ann@x.example'").await, 1);
    let other = format!("select count(*) from public.audit_logs where company_id = '{OTHER}' and new_values::text like '%[erased]%'");
    assert_eq!(count(&client, &other).await, 0);
}

#[tokio::test]
async fn a_second_technician_with_a_van_goes_like_the_first() {
    let world = World::new().await;
    let client = world.superuser().await;
    let van =
        format!("insert into public.inventory_locations (company_id, name, user_id) values ('{COMPANY}', 'Van of the owner', '{OWNER}')");
    client.batch_execute(&van).await.unwrap();
    let waiting = format!(
        "insert into app.task_kinds (name, attempts_max, timeout_ms) values ('company_work', 3, 1000) on conflict do nothing;
         begin; set local session_replication_role = replica;
         insert into app.tasks (company_id, id, kind, attempts_max, payload)
           select '{COMPANY}', app.uuid_v7(), 'company_work', 3, jsonb_build_object('location_id', l.id) from public.inventory_locations l where l.user_id = '{TECHNICIAN}'; commit"
    );
    client.batch_execute(&waiting).await.unwrap();
    erased(&client, "account", None, TECHNICIAN).await;
    erased(&client, "account", None, OWNER).await;
    let names = format!(
        "select count(distinct name) from public.inventory_locations where company_id = '{COMPANY}' and name like '[erased] ________'"
    );
    assert_eq!(count(&client, &names).await, 2);
    assert_eq!(count(&client, "select count(*) from app.tasks where kind = 'company_work'").await, 1, "work of the company goes on");
}

#[tokio::test]
async fn no_constant_stands_where_each_has_to_be_unlike_the_others() {
    let world = World::new().await;
    let rows = world
        .superuser()
        .await
        .query(
            "select distinct p.table_name || ' ' || e.written
               from app.personal_places() p
               join pg_index i on i.indrelid = p.table_name::regclass and i.indisunique
               join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
              cross join lateral (select app.erased_columns(a.attrelid, p.deed, p.named) as all_of_it) x
              cross join lateral (select app.erased_columns(a.attrelid, 'listed', array[a.attname::text]) as written) e
              where p.deed in ('empty', 'listed') and strpos(x.all_of_it, e.written) > 0
                and e.written !~ '( = null| = false|t\\.id)'",
            &[],
        )
        .await
        .unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn a_hold_is_not_made_shorter_and_outlives_whoever_leaves() {
    let world = World::new().await;
    let client = world.superuser().await;
    let made = format!(
        "delete from public.legal_holds; set role service_role; set request.jwt.claims = '{{\"role\": \"service_role\"}}';
         insert into public.legal_holds (company_id, customer_id, reason, holds_until) values ('{COMPANY}', '{CUSTOMER}', 'x', '2099-01-01');
         insert into public.legal_holds (company_id, user_id, reason) values ('{COMPANY}', '{TECHNICIAN}', 'x')"
    );
    client.batch_execute(&made).await.unwrap();
    for change in ["customer_id = null, user_id = gen_random_uuid()", "holds_until = '2098-12-31'"] {
        let refused =
            client.batch_execute(&format!("update public.legal_holds set {change} where customer_id = '{CUSTOMER}'")).await.unwrap_err();
        assert_eq!(refused.as_db_error().and_then(|error| error.constraint()), Some("hold_immutable"), "{refused}");
    }
    client.batch_execute(&format!("update public.legal_holds set holds_until = null where customer_id = '{CUSTOMER}'")).await.unwrap();
    let gone = format!("reset role; delete from public.team_members where user_id = '{TECHNICIAN}'");
    client.batch_execute(&gone).await.unwrap();
    assert_eq!(count(&client, &format!("select count(*) from public.legal_holds where user_id = '{TECHNICIAN}'")).await, 1);
    // A hold comes too late for whoever is just being erased.
    let late = format!(
        "insert into app.erasures (company_id, subject, subject_id, asked_how, status) values ('{OTHER}', 'customer', '01900000-0000-7000-8000-00000000b601', 'member', 'running');
         insert into public.legal_holds (company_id, customer_id, reason) values ('{OTHER}', '01900000-0000-7000-8000-00000000b601', 'x')"
    );
    let refused = client.batch_execute(&late).await.unwrap_err();
    assert_eq!(refused.as_db_error().and_then(|error| error.constraint()), Some("person_erased"), "{refused}");
}

#[tokio::test]
async fn a_number_that_is_none_or_short_takes_nobodys_work() {
    for (phone, of_its_own) in [("-------", None), ("(   )    -", None), ("555-1234", None), ("(555) 123-4567", Some("(555) 123-4567"))] {
        let world = World::new().await;
        let client = world.superuser().await;
        let waiting = format!(
            "insert into app.task_kinds (name, attempts_max, timeout_ms) values ('company_work', 3, 1000) on conflict do nothing;
             begin; set local session_replication_role = replica;
             update public.customers set phone = '{phone}', secondary_phone = null where id = '{CUSTOMER}';
             delete from app.tasks;
             insert into app.tasks (company_id, id, kind, attempts_max, payload)
               select '{COMPANY}', app.uuid_v7(), 'company_work', 3, p
                 from unnest(array['{{\"to\": \"-------\"}}', '{{\"order\": 5551234}}', '{{\"to\": \"(555) 999-4567\"}}', '{{\"job\": \"paint it\"}}']::jsonb[]) p;
             insert into app.tasks (company_id, id, kind, attempts_max, payload)
               select '{COMPANY}', app.uuid_v7(), 'company_work', 3, jsonb_build_object('to', '{own}') where '{own}' <> '';
             commit",
            own = of_its_own.unwrap_or_default()
        );
        client.batch_execute(&waiting).await.unwrap();
        erased(&client, "customer", Some(COMPANY), CUSTOMER).await;
        assert_eq!(count(&client, "select count(*) from app.tasks where kind = 'company_work'").await, 4, "{phone}");
    }
}

#[tokio::test]
async fn whoever_is_spoken_with_changes_nothing_of_a_customer_who_is_held() {
    let world = World::new().await;
    let client = world.superuser().await;
    let contact = "01900000-0000-7000-8000-00000000ab51";
    // One who is held, and one who is not, have letters with the same address.
    let written = format!(
        "begin; set local session_replication_role = replica; delete from public.legal_holds;
         update public.customer_contacts set email = 'joe@both.example' where id = '{contact}';
         insert into public.customers (company_id, id, first_name, last_name, phone, display_name)
           select '{COMPANY}', c, 'Held', 'Person', '+15550100', 'Held Person' from unnest(array['01900000-0000-7000-8000-00000000d001', '01900000-0000-7000-8000-00000000d002']::uuid[]) c;
         insert into public.communications (company_id, customer_id, type, from_address, to_address, body)
           select '{COMPANY}', c, 'email', 'us@x.example', 'joe@both.example', 'a letter' from unnest(array['01900000-0000-7000-8000-00000000d001', '01900000-0000-7000-8000-00000000d002']::uuid[]) c;
         insert into public.email_logs (company_id, customer_id, \"to\", \"from\", subject, template_type)
           select '{COMPANY}', c, 'joe@both.example', 'us@x.example', 'A letter', 'x' from unnest(array['01900000-0000-7000-8000-00000000d001', '01900000-0000-7000-8000-00000000d002']::uuid[]) c;
         commit"
    );
    client.batch_execute(&written).await.unwrap();
    let hold = format!(
        "insert into public.legal_holds (company_id, customer_id, reason) values ('{COMPANY}', '01900000-0000-7000-8000-00000000d001', 'x')"
    );
    // Whoever is erased deletes all holds first: this one is made when it has begun.
    let begun = format!("reset role; insert into app.task_kinds (name, attempts_max, timeout_ms) values ('erase_person', 3, 1000) on conflict do nothing; {hold};
        set role service_role; set request.jwt.claims = '{{\"role\": \"service_role\"}}'");
    client.batch_execute(&begun).await.unwrap();
    let erasure: String =
        client.query_one(&format!("select app.erase_as_operator('contact', '{COMPANY}', '{contact}')::text"), &[]).await.unwrap().get(0);
    while client.query_one(&format!("select app.erase_part('{erasure}', 500)"), &[]).await.unwrap().get::<_, String>(0) == "goes_on" {}
    client.batch_execute("reset role").await.unwrap();
    let left = "select count(*) from public.communications where to_address = 'joe@both.example' and body = 'a letter' and customer_id = '01900000-0000-7000-8000-00000000d001'";
    assert_eq!(count(&client, left).await, 1);
    assert_eq!(count(&client, "select count(*) from public.communications where to_address = 'joe@both.example'").await, 1);
    let logs =
        "select count(*) from public.email_logs where \"to\" = 'joe@both.example' and customer_id = '01900000-0000-7000-8000-00000000d001'";
    assert_eq!(
        (count(&client, logs).await, count(&client, "select count(*) from public.email_logs where \"to\" = 'joe@both.example'").await),
        (1, 1)
    );
}

#[tokio::test]
async fn an_account_goes_when_its_hold_is_over_and_not_before() {
    let world = World::new().await;
    let client = world.superuser().await;
    let held = format!(
        "delete from public.legal_holds; insert into auth.users (id, email) values ('01900000-0000-7000-8000-00000000d101', 'was@held.example');
         begin; set local session_replication_role = replica;
         insert into public.legal_holds (company_id, user_id, reason) values ('{COMPANY}', '01900000-0000-7000-8000-00000000d101', 'x'); commit"
    );
    client.batch_execute(&held).await.unwrap();
    let gone = "delete from auth.users where id = '01900000-0000-7000-8000-00000000d101'";
    let refused = client.batch_execute(gone).await.unwrap_err();
    assert_eq!(refused.as_db_error().and_then(|error| error.constraint()), Some("person_held"), "{refused}");
    // Nor is he emptied; locked out he may be.
    let id = "id = '01900000-0000-7000-8000-00000000d101'";
    let emptied = format!("update auth.users set deleted_at = now(), email = null, raw_user_meta_data = '{{}}' where {id}");
    let refused = client.batch_execute(&emptied).await.unwrap_err();
    assert_eq!(refused.as_db_error().and_then(|error| error.constraint()), Some("person_held"), "{refused}");
    let locked = format!("update auth.users set deleted_at = now() where {id}; update auth.users set deleted_at = null where {id}");
    client.batch_execute(&locked).await.unwrap();
    client.batch_execute("update public.legal_holds set released_at = now()").await.unwrap();
    // A hold that is just being written is waited for.
    let holding = world.superuser().await;
    holding.batch_execute(&format!("begin; set local session_replication_role = replica; select pg_advisory_xact_lock(hashtextextended('erase ' || '01900000-0000-7000-8000-00000000d101', 0));
         insert into public.legal_holds (company_id, user_id, reason) values ('{COMPANY}', '01900000-0000-7000-8000-00000000d101', 'y')")).await.unwrap();
    client.batch_execute("set lock_timeout = '200ms'").await.unwrap();
    let waits = client.batch_execute(gone).await.unwrap_err();
    assert_eq!(waits.code(), Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE), "{waits}");
    holding.batch_execute("commit").await.unwrap();
    let refused = client.batch_execute(gone).await.unwrap_err();
    assert_eq!(refused.as_db_error().and_then(|error| error.constraint()), Some("person_held"), "{refused}");
    client.batch_execute("update public.legal_holds set released_at = now() where released_at is null").await.unwrap();
    client.batch_execute(gone).await.unwrap();
    assert_eq!(count(&client, "select count(*) from public.legal_holds where user_id = '01900000-0000-7000-8000-00000000d101'").await, 2);
    // Nobody is told of erasures of accounts that are no members of his.
    let stranger = format!(
        "insert into app.erasures (subject, subject_id, asked_how, status) values ('account', '01900000-0000-7000-8000-00000000d102', 'self', 'running');
         insert into public.legal_holds (company_id, user_id, reason) values ('{COMPANY}', '01900000-0000-7000-8000-00000000d102', 'x')"
    );
    let refused = client.batch_execute(&stranger).await.unwrap_err();
    assert_eq!(refused.as_db_error().and_then(|error| error.constraint()), Some("member_not_found"), "{refused}");
}

#[tokio::test]
async fn what_a_receiver_said_in_an_attempt_goes_and_later_imports_are_not_waited_for() {
    let world = World::new().await;
    let client = world.superuser().await;
    let written = format!(
        "insert into app.task_kinds (name, attempts_max, timeout_ms) values ('data_import', 3, 1000) on conflict do nothing;
         begin; set local session_replication_role = replica; delete from app.tasks;
         update public.customers set email = 'ann@attempt.example' where id = '{CUSTOMER}';
         insert into public.webhook_logs (company_id, webhook_id, event_type, payload, attempts)
           select '{COMPANY}', app.uuid_v7(), 'x', '{{}}', '[{{\"response_body\": \"no such ann@attempt.example\"}}, {{\"response_body\": \"ok\"}}]';
         insert into app.tasks (company_id, id, kind, attempts_max, payload, state, worker, created_at)
           values ('{COMPANY}', app.uuid_v7(), 'data_import', 3, '{{}}', 'running', app.uuid_v7(), now() + interval '1 hour');
         commit"
    );
    client.batch_execute(&written).await.unwrap();
    erased(&client, "customer", Some(COMPANY), CUSTOMER).await;
    assert_eq!(count(&client, "select count(*) from public.webhook_logs where attempts::text like '%ann@attempt.example%'").await, 0);
}
