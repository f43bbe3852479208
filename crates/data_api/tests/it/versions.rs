//! Two people who change one row: whoever says which version he saw does not write over what came after it.

use serde_json::json;

use crate::server::Server;

const FULL: &str = "return=representation";

#[tokio::test]
async fn a_version_that_follows_is_taken_and_any_other_is_refused() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let id = server.customer(&ann, "Ada").await;
    let one = format!("customers?id=eq.{id}&select=notes,version");
    let first = server.patch(&ann, &one, json!({ "notes": "first", "version": 2 }), FULL).await;
    assert_eq!(first.ok(), json!([{ "notes": "first", "version": 2 }]));
    let late = server.patch(&ann, &one, json!({ "notes": "late", "version": 1 }), FULL).await;
    late.refused(409, "version_conflict");
    assert_eq!(late.body["details"], r#"{"version": 2}"#);
    for version in [json!(4), json!(0), json!(-1), json!(null)] {
        server.patch(&ann, &one, json!({ "notes": "x", "version": version }), "").await.refused(409, "version_conflict");
    }
    let same = server.patch(&ann, &one, json!({ "notes": "same", "version": 2 }), FULL).await;
    assert_eq!(same.ok(), json!([{ "notes": "same", "version": 3 }]), "the version that was read says the same");
    let silent = server.patch(&ann, &one, json!({ "notes": "silent" }), FULL).await;
    assert_eq!(silent.ok(), json!([{ "notes": "silent", "version": 4 }]));
}

#[tokio::test]
async fn of_two_who_saw_the_same_one_wins() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let id = server.customer(&ann, "Ada").await;
    // As programs with optimistic locking write: the version that was read in the filter, the one that follows in the body.
    let one = format!("customers?id=eq.{id}&version=eq.1&select=notes");
    let (left, right) = tokio::join!(
        server.patch(&ann, &one, json!({ "notes": "left", "version": 2 }), FULL),
        server.patch(&ann, &one, json!({ "notes": "right", "version": 2 }), FULL),
    );
    let mut written = [left.ok(), right.ok()].map(|rows| rows.as_array().unwrap().len());
    written.sort_unstable();
    assert_eq!(written, [0, 1]);
}
