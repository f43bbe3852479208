//! Two nodes on one database: what one takes away, the other refuses at the very next request.

use kernel::{Grant, RequestContext};
use postgres::{Access, Database, Sql};

use crate::caller;

/// Returns the code of the refusal; none where the request is served.
async fn refusal(node: &Database, grant: &Grant) -> Option<String> {
    let read = Sql::new("select id from public.customers");
    node.run(grant, &RequestContext::default(), Access::Read, read).await.err().map(|error| error.code().to_owned())
}

/// Changes something at one node and asks at the other.
async fn after(change: &'static str) -> Option<String> {
    let db = caller::database_with_a_member().await;
    let (one, other) = (db.database(), db.database());
    let member = caller::member();
    // Both are warm: nothing of what they know may count.
    assert_eq!((refusal(&one, &member).await, refusal(&other, &member).await), (None, None));
    one.run(&caller::service(), &RequestContext::default(), Access::Write, Sql::new(change)).await.unwrap();
    refusal(&other, &member).await
}

#[tokio::test]
async fn a_member_who_was_removed() {
    assert_eq!(after("delete from public.team_members").await.as_deref(), Some("company_not_member"));
}

#[tokio::test]
async fn a_member_who_was_suspended() {
    assert_eq!(after("update public.team_members set status = 'suspended'").await.as_deref(), Some("company_not_member"));
}

#[tokio::test]
async fn a_session_that_was_revoked() {
    assert_eq!(after("update auth.sessions set revoked_at = now()").await.as_deref(), Some("session_not_found"));
}

#[tokio::test]
async fn a_user_who_was_banned() {
    assert_eq!(after("update auth.users set banned_until = now() + interval '1 day'").await.as_deref(), Some("session_not_found"));
}

#[tokio::test]
async fn a_company_that_was_archived() {
    assert_eq!(after("update public.companies set archived_at = now()").await.as_deref(), Some("company_not_member"));
}

#[tokio::test]
async fn a_right_that_was_taken() {
    let db = caller::database_with_a_member().await;
    let (one, other, member) = (db.database(), db.database(), caller::member());
    let change = || Sql::new("update public.customers set notes = 'x' returning id");
    let changed = other.run(&member, &RequestContext::default(), Access::Write, change()).await.unwrap();
    assert_eq!(changed.rows.len(), 1);
    let demote = Sql::new("update public.team_members set role = 'viewer'");
    one.run(&caller::service(), &RequestContext::default(), Access::Write, demote).await.unwrap();
    let changed = other.run(&member, &RequestContext::default(), Access::Write, change()).await.unwrap();
    assert_eq!((changed.rows.len(), changed.opened.member_role.as_deref()), (0, Some("viewer")));
}
