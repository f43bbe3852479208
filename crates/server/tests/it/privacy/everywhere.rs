//! Whatever a label names, in a world with rows of every table.

use proof::World;

use super::{CANARY, Subject, left, plant};

const COMPANY: &str = "01900000-0000-7000-8000-00000000a000";

#[tokio::test]
async fn nothing_is_left_of_whoever_is_erased() {
    let person = |end: &str| format!("01900000-0000-7000-8000-00000000{end}");
    for (kind, company, id, planted_min) in [
        ("customer", COMPANY, person("a601"), 300),
        ("customer", COMPANY, person("a6a1"), 40),
        ("contact", COMPANY, person("ab51"), 3),
        ("account", "", person("a105"), 30),
        ("account", "", person("a101"), 30),
    ] {
        let world = World::new().await;
        let client = world.superuser().await;
        client
            .batch_execute(
                "insert into app.task_kinds (name, attempts_max, timeout_ms) values ('erase_person', 3, 1000) on conflict do nothing",
            )
            .await
            .unwrap();
        let planted = plant(&client, &Subject { kind, company, id: &id }).await;
        assert!(planted >= planted_min, "{kind} {id}: {planted}");
        // What is open is paid, and whoever owned handed over; then things happen that audit, timeline and events tell of.
        let before = format!(
            "begin; set local session_replication_role = replica; delete from public.legal_holds; update public.invoices set balance_amount = 0 where customer_id = '{id}';
             update public.team_members set role = 'member' where user_id = '{id}'; commit;
             update public.customers set notes = '{CANARY} again' where id = '{id}'; update public.jobs set title = '{CANARY} there' where customer_id = '{id}';
             update public.customer_contacts set notes = '{CANARY} always' where id = '{id}';
             update public.team_members set job_title = '{CANARY} chief' where user_id = '{id}';
             update auth.users set raw_user_meta_data = '{{\"said\": \"{CANARY}\"}}', email_change = '{CANARY}@example.com' where id = '{id}'"
        );
        client.batch_execute(&before).await.unwrap();
        assert!(left(&world.db).await.len() > 1, "there is something to be found");
        let company = if company.is_empty() { "null".to_owned() } else { format!("'{company}'") };
        let call = format!("select app.erase_as_operator('{kind}', {company}, '{id}')::text");
        client.batch_execute("set role service_role; set request.jwt.claims = '{\"role\": \"service_role\"}'").await.unwrap();
        let erasure: String = client.query_one(&call, &[]).await.unwrap().get(0);
        let mut parts = 0;
        while client.query_one(&format!("select app.erase_part('{erasure}', 500)"), &[]).await.unwrap().get::<_, String>(0) == "goes_on" {
            parts += 1;
            assert!(parts < 500, "it has an end");
        }
        assert_eq!(left(&world.db).await, Vec::<String>::new(), "{kind} {id}");
        let gone: i64 = world
            .superuser()
            .await
            .query_one("select count(*) from app.erasures where status = 'completed' and words is null", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(gone, 1);
        // The same again is refused.
        let again = client.query_one(&call, &[]).await.unwrap_err();
        assert!(again.as_db_error().is_some_and(|error| error.constraint() == Some("person_erased")), "{again}");
    }
}
