//! Who hears of which changes, and how they are told.

use postgres::feed::FeedMode;
use realtime::changes::{Sort, Wanted};
use serde_json::{Value, json};

use crate::onlookers::{A, B, Node, Said, filtered, member, tag, two_companies, wanted};

const BOTH: [FeedMode; 2] = [FeedMode::Stream, FeedMode::Poll];

#[tokio::test]
async fn a_member_hears_of_the_rows_of_his_company_in_their_order() {
    for mode in BOTH {
        let db = two_companies().await;
        let client = db.superuser().await;
        let (ann, ben) = (member(&client, A, "admin").await, member(&client, B, "admin").await);
        let node = Node::start(&db, mode, |_| ()).await;
        let mut first = node.live(node.user(&ann), vec![(7, wanted("tags"))]).await;
        let mut second = node.live(node.user(&ben), vec![(8, wanted("tags"))]).await;
        client
            .batch_execute(&format!(
                "insert into public.tags (company_id, name) values ('{A}', 'one');
                 insert into public.tags (company_id, name) values ('{B}', 'other');
                 update public.tags set color = '#ff0000' where company_id = '{A}';
                 delete from public.tags where company_id = '{A}'"
            ))
            .await
            .unwrap();
        let (Said::Change(ids, new), position) = first.next().await else { panic!() };
        assert_eq!(ids, [7], "{mode:?}");
        assert_eq!(
            (&new["schema"], &new["table"], &new["type"], &new["errors"]),
            (&json!("public"), &json!("tags"), &json!("INSERT"), &Value::Null)
        );
        assert_eq!((&new["record"]["name"], &new["record"]["company_id"]), (&json!("one"), &json!(A)));
        assert!(new["columns"].as_array().unwrap().contains(&json!({"name": "name", "type": "text"})), "{new}");
        assert!(new["commit_timestamp"].as_str().unwrap().ends_with('Z') && new.get("old_record").is_none(), "{new}");
        assert!(position.unwrap().0.starts_with(if mode == FeedMode::Stream { "lsn:" } else { "out:" }));
        let changed = first.change().await;
        let id = &new["record"]["id"];
        assert_eq!((&changed["type"], &changed["record"]["color"]), (&json!("UPDATE"), &json!("#ff0000")), "{changed}");
        assert_eq!(changed["old_record"], json!({"company_id": A, "id": id}), "{mode:?}");
        let gone = first.change().await;
        assert_eq!((&gone["type"], &gone["old_record"]), (&json!("DELETE"), &json!({"company_id": A, "id": id})), "{mode:?} {gone}");
        assert!(gone.get("record").is_none());
        let seen = second.change().await;
        assert_eq!((&seen["record"]["name"], &seen["record"]["company_id"]), (&json!("other"), &json!(B)));
        tag(&client, B, "last").await;
        assert!(second.until_tag("last").await.is_empty(), "nothing of the other company");
    }
}

#[tokio::test]
async fn sorts_filters_and_columns_are_those_that_were_wanted() {
    let db = two_companies().await;
    let client = db.superuser().await;
    let ann = member(&client, A, "admin").await;
    let node = Node::start(&db, FeedMode::Stream, |_| ()).await;
    let inserts = Wanted { event: Sort::Insert, ..filtered("tags", "name=like.a*,color=is.null") };
    let slim = Wanted { event: Sort::Update, select: Some(vec!["name".to_owned()]), ..wanted("tags") };
    let end = filtered("tags", "name=eq.end");
    let wishes = vec![(1, inserts), (2, slim), (3, end), (4, filtered("tags", "name=in.(ab,zz)"))];
    let mut onlooker = node.live(node.user(&ann), wishes).await;
    client
        .batch_execute(&format!(
            "insert into public.tags (company_id, name) values ('{A}', 'ab'), ('{A}', 'ba');
             insert into public.tags (company_id, name, color) values ('{A}', 'ac', '#000000');
             update public.tags set color = '#ffffff' where name = 'ba';
             insert into public.tags (company_id, name) values ('{A}', 'end')"
        ))
        .await
        .unwrap();
    let (Said::Change(ids, first), _) = onlooker.next().await else { panic!() };
    assert_eq!((ids, &first["record"]["name"]), (vec![1, 4], &json!("ab")));
    let (Said::Change(ids, second), _) = onlooker.next().await else { panic!() };
    assert_eq!((ids, &second["type"], &second["record"]["name"]), (vec![2], &json!("UPDATE"), &json!("ba")));
    // By its key a row is known whatever was selected.
    for told in [&second["record"], &second["columns"]] {
        let names: Vec<&str> = match told {
            Value::Object(fields) => fields.keys().map(String::as_str).collect(),
            list => list.as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap()).collect(),
        };
        assert!(names.contains(&"id") && names.contains(&"name") && !names.contains(&"color"), "{told}");
    }
    assert_eq!(second["old_record"]["id"], second["record"]["id"]);
    assert!(onlooker.until_tag("end").await.is_empty());
}

#[tokio::test]
async fn what_is_not_there_or_not_his_is_refused_when_he_comes() {
    let db = two_companies().await;
    let client = db.superuser().await;
    let ann = member(&client, A, "admin").await;
    let node = Node::start(&db, FeedMode::Stream, |_| ()).await;
    for (wish, code, words) in [
        (wanted("nothing"), "realtime_table_unknown", "Please check Realtime is enabled"),
        (Wanted { schema: "auth".to_owned(), ..wanted("users") }, "realtime_table_unknown", "schema: auth, table: users"),
        (Wanted { schema: "app".to_owned(), ..wanted("tasks") }, "realtime_table_unknown", "table: tasks"),
        (filtered("tags", "nothing=eq.1"), "realtime_filter_invalid", "invalid column for filter nothing"),
        (filtered("tags", "name=foo.1"), "realtime_filter_invalid", "foo is no operator: there are eq, neq"),
        (filtered("tags", "id=eq.7"), "realtime_filter_invalid", "invalid input syntax for type uuid"),
        (filtered("tags", "name=match.(?=a)"), "realtime_filter_invalid", "no look-around"),
        (filtered("api_keys", "key_hash=eq.x"), "realtime_filter_invalid", "invalid column for filter key_hash"),
        (filtered("customers", "communication_preferences=eq.{}"), "realtime_filter_invalid", "cannot be asked of the column"),
        (
            Wanted { select: Some(vec!["nothing".to_owned()]), ..wanted("tags") },
            "realtime_column_unknown",
            "invalid column for select nothing",
        ),
        (Wanted { table: None, ..filtered("x", "id=eq.1") }, "realtime_filter_invalid", "a filter needs a table"),
    ] {
        let refused = node.subscribe(node.user(&ann), vec![(1, wish.clone())], None).await.err().unwrap_or_else(|| panic!("{wish:?}"));
        assert_eq!((refused.status().as_u16(), refused.code()), (400, code), "{wish:?}");
        assert!(refused.message().contains(words), "{}", refused.message());
    }
    // Nobody without an account reads rows of a company.
    let anonymous = node.viewer(kernel::Subject::Anonymous);
    let refused = node.subscribe(anonymous, vec![(1, wanted("tags"))], None).await.err().unwrap();
    assert_eq!(refused.code(), "realtime_table_unknown");
    // A session that is over is none.
    client.batch_execute("update auth.sessions set revoked_at = now()").await.unwrap();
    let refused = node.subscribe(node.user(&ann), vec![(1, wanted("tags"))], None).await.err().unwrap();
    assert_eq!((refused.status().as_u16(), refused.code()), (401, "session_not_found"));
    assert_eq!(node.changes.count(), 0, "who was refused takes no room");
}

#[tokio::test]
async fn whose_work_it_is_hears_of_it_and_the_rest_does_not() {
    for mode in BOTH {
        let db = two_companies().await;
        let client = db.superuser().await;
        let (tech, other) = (member(&client, A, "technician").await, member(&client, A, "technician").await);
        let node = Node::start(&db, mode, |_| ()).await;
        let wishes = || vec![(1, wanted("jobs")), (2, wanted("notes")), (3, wanted("tags"))];
        let mut mine = node.live(node.user(&tech), wishes()).await;
        let mut theirs = node.live(node.user(&other), wishes()).await;
        client
            .batch_execute(&format!(
                "insert into public.customers (company_id, id, first_name, phone) values ('{A}', '{B}', 'Cleo', '+15550100');
                 insert into public.jobs (company_id, id, customer_id, title, status, assigned_to) values ('{A}', '{A}', '{B}', 'Boiler', 'quoted', '{tech}');
                 insert into public.notes (company_id, entity_type, entity_id, content) values ('{A}', 'job', '{A}', 'Mind the dog')"
            ))
            .await
            .unwrap();
        let job = mine.change().await;
        assert_eq!((&job["table"], &job["record"]["title"]), (&json!("jobs"), &json!("Boiler")), "{mode:?}");
        let written = mine.change().await;
        assert_eq!((&written["table"], &written["record"]["content"]), (&json!("notes"), &json!("Mind the dog")), "{mode:?}");
        // It becomes somebody else's.
        client.batch_execute(&format!("update public.jobs set assigned_to = '{other}'")).await.unwrap();
        tag(&client, A, "end").await;
        let passed = theirs.change().await;
        assert_eq!((&passed["type"], &passed["record"]["assigned_to"]), (&json!("UPDATE"), &json!(other)), "{mode:?}");
        assert_eq!(passed["old_record"].as_object().unwrap().len(), 2, "how it was was not his: {passed}");
        let before = mine.until_tag("end").await;
        assert!(before.iter().all(|said| matches!(said, Said::Change(_, data) if data["table"] != "jobs")), "{before:?}");
    }
}

#[tokio::test]
async fn a_row_that_is_marked_as_deleted_is_gone_but_for_those_who_ask() {
    let db = two_companies().await;
    let client = db.superuser().await;
    let ann = member(&client, A, "admin").await;
    let node = Node::start(&db, FeedMode::Stream, |_| ()).await;
    let wishes = vec![(1, wanted("customers")), (2, filtered("customers", "deleted_at=not.is.null"))];
    let mut onlooker = node.live(node.user(&ann), wishes).await;
    client
        .batch_execute(&format!(
            "insert into public.customers (company_id, id, first_name, phone) values ('{A}', '{B}', 'Cleo', '+15550100');
             update public.customers set deleted_at = now();
             update public.customers set deleted_at = null"
        ))
        .await
        .unwrap();
    let mut heard = Vec::new();
    for _ in 0..4 {
        let (Said::Change(ids, data), _) = onlooker.next().await else { panic!() };
        heard.push((ids, data["type"].as_str().unwrap().to_owned()));
    }
    heard.sort();
    let expected = [(vec![1], "DELETE"), (vec![1], "INSERT"), (vec![1], "UPDATE"), (vec![2], "UPDATE")];
    assert_eq!(heard, expected.map(|(ids, sort)| (ids, sort.to_owned())));
}
