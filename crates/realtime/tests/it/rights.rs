//! What somebody may not see any more he does not hear of any more.

use std::time::{Duration, Instant};

use postgres::feed::FeedMode;
use realtime::changes::{Told, Wanted};

use crate::onlookers::{A, B, Node, Said, filtered, member, tag, two_companies, wanted};

const BOTH: [FeedMode; 2] = [FeedMode::Stream, FeedMode::Poll];

#[tokio::test]
async fn another_role_shows_other_rows_from_then_on() {
    for mode in BOTH {
        let db = two_companies().await;
        let client = db.superuser().await;
        let ann = member(&client, A, "dispatcher").await;
        let node = Node::start(&db, mode, |_| ()).await;
        let mut onlooker = node.live(node.user(&ann), vec![(1, wanted("vendors")), (2, wanted("tags"))]).await;
        let vendor = |name: &str| format!("insert into public.vendors (company_id, name) values ('{A}', '{name}')");
        client.batch_execute(&vendor("seen")).await.unwrap();
        assert_eq!(onlooker.change().await["record"]["name"], "seen", "{mode:?}");
        // In one transaction and behind it: neither is his any more.
        let demoted = "update public.team_members set role = 'technician'";
        client.batch_execute(&format!("begin; {demoted}; {}; commit; {}", vendor("hidden"), vendor("hidden, too"))).await.unwrap();
        tag(&client, A, "end").await;
        assert_eq!(onlooker.until_tag("end").await, [Said::Resync("rights_changed")], "{mode:?}");
        // Rights that he gets he has, too.
        client.batch_execute("update public.team_members set role = 'manager'").await.unwrap();
        assert_eq!(onlooker.next().await.0, Said::Resync("rights_changed"), "{mode:?}");
        client.batch_execute(&vendor("seen again")).await.unwrap();
        assert_eq!(onlooker.change().await["record"]["name"], "seen again");
    }
}

#[tokio::test]
async fn what_few_need_whole_is_told_to_them_alone() {
    for mode in BOTH {
        let db = two_companies().await;
        let client = db.superuser().await;
        let (ann, ben) = (member(&client, A, "manager").await, member(&client, A, "dispatcher").await);
        let node = Node::start(&db, mode, |_| ()).await;
        let vendor = |name: &str| format!("insert into public.vendors (company_id, name, tax_id) values ('{A}', '{name}', '98-7654321')");
        let asks = || filtered("vendors", "tax_id=eq.98-7654321");
        let mut whole = node.live(node.user(&ann), vec![(1, asks())]).await;
        let mut onlooker = node.live(node.user(&ben), vec![(1, wanted("vendors"))]).await;
        // Who may not know a value finds out nothing by asking for rows that have it, either.
        let selected = Wanted { select: Some(vec!["tax_id".to_owned()]), ..wanted("vendors") };
        for (asked, said) in [(asks(), "invalid column for filter tax_id"), (selected, "invalid column for select tax_id")] {
            let Err(error) = node.subscribe(node.user(&ben), vec![(1, asked)], None).await else { panic!("{said}") };
            assert_eq!(error.message(), said);
        }
        client.batch_execute(&vendor("first")).await.unwrap();
        assert_eq!(whole.change().await["record"]["tax_id"], "98-7654321", "{mode:?}");
        let change = onlooker.change().await;
        assert_eq!((&change["record"]["name"], change["record"].get("tax_id")), (&"first".into(), None), "{mode:?}");
        assert!(!change.to_string().contains("tax_id"), "{change}");
        // From when it is taken from her, she hears nothing by it, and he everything from when it is given to him.
        let held = |who: &str, held: bool| {
            format!("update public.team_members set permissions = '{{\"pii:read\": {held}}}' where user_id = '{who}'")
        };
        client.batch_execute(&format!("begin; {}; {}; commit", held(&ann, false), held(&ben, true))).await.unwrap();
        assert_eq!(whole.next().await.0, Said::Ended("invalid column for filter tax_id".to_owned()), "{mode:?}");
        assert_eq!(onlooker.next().await.0, Said::Resync("rights_changed"), "{mode:?}");
        client.batch_execute(&vendor("second")).await.unwrap();
        assert_eq!(onlooker.change().await["record"]["tax_id"], "98-7654321", "{mode:?}");
    }
}

#[tokio::test]
async fn who_is_no_member_any_more_or_signed_out_hears_nothing() {
    let db = two_companies().await;
    let client = db.superuser().await;
    let mut took = Vec::new();
    for (what, why) in [
        ("update public.team_members set status = 'suspended' where user_id =", "not an active member"),
        ("update auth.sessions set revoked_at = now() where user_id =", "session is over"),
        ("update auth.users set banned_until = now() + interval '1 hour' where id =", "session is over"),
    ] {
        let ann = member(&client, A, "manager").await;
        let node = Node::start(&db, FeedMode::Stream, |_| ()).await;
        let mut onlooker = node.live(node.user(&ann), vec![(1, wanted("tags"))]).await;
        client.batch_execute(&format!("{what} '{ann}'")).await.unwrap();
        let begun = Instant::now();
        let (Said::Ended(said), _) = onlooker.next().await else { panic!("{what}") };
        assert!(said.contains(why), "{said}");
        // A minute later his rights would be read anew whatever was heard.
        assert!(begun.elapsed() < Duration::from_secs(40), "{what}: {:?}", begun.elapsed());
        took.push(begun.elapsed());
    }
    // What else the machine does only ever adds.
    assert!(took.iter().any(|took| *took < Duration::from_secs(1)), "{took:?}");
}

#[tokio::test]
async fn a_session_that_goes_on_in_another_company_hears_of_that() {
    let db = two_companies().await;
    let client = db.superuser().await;
    let ann = member(&client, A, "manager").await;
    client
        .batch_execute(&format!("insert into public.team_members (company_id, user_id, role) values ('{B}', '{ann}', 'viewer')"))
        .await
        .unwrap();
    let node = Node::start(&db, FeedMode::Stream, |_| ()).await;
    let mut onlooker = node.live(node.user(&ann), vec![(1, wanted("tags"))]).await;
    client.batch_execute(&format!("update auth.sessions set active_company_id = '{B}'")).await.unwrap();
    assert_eq!(onlooker.next().await.0, Said::Resync("rights_changed"));
    tag(&client, A, "of the first").await;
    tag(&client, B, "of the second").await;
    assert_eq!(onlooker.change().await["record"]["name"], "of the second");
}

#[tokio::test]
async fn a_new_token_says_who_hears() {
    let db = two_companies().await;
    let client = db.superuser().await;
    let (ann, ben) = (member(&client, A, "manager").await, member(&client, B, "manager").await);
    let node = Node::start(&db, FeedMode::Stream, |_| ()).await;
    let mut onlooker = node.live(node.user(&ann), vec![(1, wanted("tags"))]).await;
    onlooker.subscription.renew(node.user(&ben));
    assert_eq!(onlooker.next().await.0, Said::Resync("rights_changed"));
    tag(&client, A, "of the first").await;
    tag(&client, B, "of the second").await;
    assert_eq!(onlooker.change().await["record"]["name"], "of the second");
    onlooker.subscription.renew(node.viewer(kernel::Subject::Anonymous));
    let (Said::Ended(why), _) = onlooker.next().await else { panic!("who is nobody reads no rows of a company") };
    assert!(why.contains("Please check Realtime is enabled"), "{why}");
}

#[tokio::test]
async fn the_service_hears_of_all_companies_and_the_slow_are_told() {
    let db = two_companies().await;
    let client = db.superuser().await;
    let node = Node::start(&db, FeedMode::Stream, |_| ()).await;
    let mut service = node.live(node.service(None), vec![(1, wanted("tags"))]).await;
    let (to, mut slow) = tokio::sync::mpsc::channel(3);
    let _kept = node.changes.subscribe(node.service(Some(A)), vec![(1, wanted("tags"))], None, to).await.unwrap();
    for number in 0..10 {
        tag(&client, if number % 2 == 0 { A } else { B }, &format!("tag {number}")).await;
    }
    for number in 0..10 {
        assert_eq!(service.change().await["record"]["name"], format!("tag {number}"));
    }
    let mut said = Vec::new();
    while !said.iter().any(|word: &String| word == "resync too_slow") {
        let told = tokio::time::timeout(crate::onlookers::PATIENCE, slow.recv()).await.unwrap().unwrap();
        said.push(match told {
            Told::Live(_) => "live".to_owned(),
            Told::Change { data, .. } => {
                serde_json::from_str::<serde_json::Value>(&data).unwrap()["record"]["name"].as_str().unwrap().to_owned()
            }
            Told::Resync { reason, .. } => format!("resync {reason}"),
            Told::Ended(why) => why.to_string(),
        });
    }
    // Of the company that it names, and no other.
    assert_eq!(said, ["live", "tag 0", "tag 2", "resync too_slow"]);
}
