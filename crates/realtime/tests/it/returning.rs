//! Who comes back, to this server or to another, hears of what he missed, or that he has to read anew.

use postgres::feed::FeedMode;
use realtime::changes::Position;

use crate::onlookers::{A, Node, Said, member, tag, two_companies, wanted};

const BOTH: [FeedMode; 2] = [FeedMode::Stream, FeedMode::Poll];

#[tokio::test]
async fn what_was_missed_is_told_from_the_position_on_by_any_server() {
    for mode in BOTH {
        let db = two_companies().await;
        let client = db.superuser().await;
        let ann = member(&client, A, "manager").await;
        let (first, second) = (Node::start(&db, mode, |_| ()).await, Node::start(&db, mode, |_| ()).await);
        // The second is open before anything happens.
        drop(second.live(second.user(&ann), vec![(1, wanted("tags"))]).await);
        let mut onlooker = first.live(first.user(&ann), vec![(1, wanted("tags"))]).await;
        client
            .batch_execute(&format!("insert into public.tags (company_id, name) values ('{A}', 'one'), ('{A}', 'two'), ('{A}', 'three')"))
            .await
            .unwrap();
        onlooker.change().await;
        // In the midst of a transaction.
        let (two, position) = onlooker.next().await;
        assert!(matches!(two, Said::Change(_, data) if data["record"]["name"] == "two"), "{mode:?}");
        drop(onlooker);
        tag(&client, A, "four").await;
        for node in [&first, &second] {
            let mut back = node.subscribe(node.user(&ann), vec![(1, wanted("tags"))], position.clone()).await.unwrap();
            let (live, from) = back.next().await;
            assert_eq!((live, &from), (Said::Live, &position), "{mode:?}");
            assert_eq!(back.change().await["record"]["name"], "three", "{mode:?}");
            assert_eq!(back.change().await["record"]["name"], "four", "{mode:?}");
        }
        tag(&client, A, "five").await;
        let mut back = second.subscribe(second.user(&ann), vec![(1, wanted("tags"))], position.clone()).await.unwrap();
        let names = ["three", "four", "five"];
        assert_eq!(back.next().await.0, Said::Live);
        for name in names {
            assert_eq!(back.change().await["record"]["name"], name, "{mode:?}");
        }
    }
}

#[tokio::test]
async fn a_position_that_is_too_old_or_none_of_ours_is_answered_by_a_resync() {
    let db = two_companies().await;
    let client = db.superuser().await;
    let ann = member(&client, A, "manager").await;
    let node = Node::start(&db, FeedMode::Stream, |config| config.kept_bytes_max = 0).await;
    let mut onlooker = node.live(node.user(&ann), vec![(1, wanted("tags"))]).await;
    tag(&client, A, "one").await;
    let (_, position) = onlooker.next().await;
    tag(&client, A, "two").await;
    onlooker.change().await;
    for position in [position.unwrap(), Position("lsn:1".into()), Position("out:1:2:".into()), Position("nonsense".into())] {
        let mut back = node.subscribe(node.user(&ann), vec![(1, wanted("tags"))], Some(position.clone())).await.unwrap();
        // Whoever is cut off here comes back with what he had, and does not pass over what he did not hear.
        assert_eq!(back.next().await, (Said::Live, Some(position.clone())));
        let (said, from) = back.next().await;
        assert_eq!(said, Said::Resync("position_too_old"), "{position:?}");
        // From there on it goes.
        assert_eq!(from, node.changes.position());
    }
}

/// What a client keeps from before a restore is a place at which something else may stand now, however far it seems to be.
#[tokio::test]
async fn a_position_of_another_history_is_answered_by_a_resync() {
    for mode in BOTH {
        let db = two_companies().await;
        let client = db.superuser().await;
        let ann = member(&client, A, "manager").await;
        let (first, second) = (Node::start(&db, mode, |_| ()).await, Node::start(&db, mode, |_| ()).await);
        drop(second.live(second.user(&ann), vec![(1, wanted("tags"))]).await);
        let mut onlooker = first.live(first.user(&ann), vec![(1, wanted("tags"))]).await;
        tag(&client, A, "one").await;
        let position = onlooker.next().await.1.unwrap();
        let (way, rest) = position.0.split_once(':').unwrap();
        let (history, place) = rest.split_once('/').unwrap();
        assert!(history.len() == 16 && history.bytes().all(|byte| byte.is_ascii_hexdigit()), "{position:?}");
        // The same place of another history, and as it was written before positions had any.
        for foreign in [format!("{way}:0123456789abcdef/{place}"), format!("{way}:{place}"), format!("{way}:/{place}")] {
            for node in [&first, &second] {
                let since = Some(Position(foreign.as_str().into()));
                let mut back = node.subscribe(node.user(&ann), vec![(1, wanted("tags"))], since).await.unwrap();
                assert_eq!(back.next().await.0, Said::Live, "{foreign}");
                assert_eq!(back.next().await.0, Said::Resync("position_too_old"), "{foreign}");
            }
        }
        // It is the same history on every server.
        for node in [&first, &second] {
            let mut back = node.subscribe(node.user(&ann), vec![(1, wanted("tags"))], Some(position.clone())).await.unwrap();
            assert_eq!(back.next().await.0, Said::Live, "{mode:?}");
            tag(&client, A, &format!("behind {}", uuid::Uuid::now_v7())).await;
            back.change().await;
        }
    }
}

#[tokio::test]
async fn a_gap_is_told_to_all_and_then_it_goes_on() {
    for mode in BOTH {
        let db = two_companies().await;
        let client = db.superuser().await;
        let ann = member(&client, A, "manager").await;
        let node = Node::start(&db, mode, |_| ()).await;
        let mut onlooker = node.live(node.user(&ann), vec![(1, wanted("tags"))]).await;
        client.batch_execute("truncate public.tags cascade").await.unwrap();
        assert_eq!(onlooker.next().await.0, Said::Resync("truncated"), "{mode:?}");
        tag(&client, A, "behind").await;
        assert_eq!(onlooker.change().await["record"]["name"], "behind", "{mode:?}");
    }
    let db = two_companies().await;
    let client = db.superuser().await;
    let ann = member(&client, A, "manager").await;
    let node = Node::start(&db, FeedMode::Stream, |_| ()).await;
    let mut onlooker = node.live(node.user(&ann), vec![(1, wanted("tags"))]).await;
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    client.batch_execute(&format!("insert into public.tags (company_id, name) values ('{A}', 'lost'); {cut}")).await.unwrap();
    let mut all = vec![onlooker.next().await.0];
    if matches!(&all[0], Said::Change(_, data) if data["record"]["name"] == "lost") {
        all.push(onlooker.next().await.0);
    }
    assert_eq!(all.last().unwrap(), &Said::Resync("disconnected"));
    tag(&client, A, "behind").await;
    assert_eq!(onlooker.change().await["record"]["name"], "behind");
}

#[tokio::test]
async fn a_row_that_is_too_large_is_told_by_its_short_values() {
    let db = two_companies().await;
    let client = db.superuser().await;
    let ann = member(&client, A, "manager").await;
    let node = Node::start(&db, FeedMode::Stream, |config| config.row_bytes_max = 1024).await;
    let mut onlooker = node.live(node.user(&ann), vec![(1, wanted("vendors"))]).await;
    let sql = format!("insert into public.vendors (company_id, name, notes) values ('{A}', 'Large', repeat('x', 2000))");
    client.batch_execute(&sql).await.unwrap();
    let told = onlooker.change().await;
    assert_eq!(told["errors"], serde_json::json!(["Error 413: Payload Too Large"]));
    assert_eq!((&told["record"]["name"], told["record"].get("notes")), (&serde_json::json!("Large"), None));
}
