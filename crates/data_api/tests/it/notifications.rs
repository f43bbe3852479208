//! What members choose and read of notifications, over HTTP: their own, and nobody else's.

use serde_json::{Value, json};

use crate::server::{Caller, Server};

const FULL: &str = "return=representation";

/// Puts a message into somebody's feed, as a server does.
async fn message(server: &Server, to: &Caller, body: &str) -> String {
    let row =
        json!({ "company_id": to.company_id, "user_id": to.user_id, "type": "alert", "subject": body, "body": body, "status": "sent" });
    let made = server.post(&server.service(), "notification_queue", row, FULL).await.ok();
    made[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_member_marks_his_own_messages_and_nothing_else_of_them() {
    let server = Server::new().await;
    let (ann, eve) = (server.owner("ann").await, server.owner("eve").await);
    let tom = server.member(&ann.company_id, "technician").await;
    let (one, _two, his) = (message(&server, &ann, "One").await, message(&server, &ann, "Two").await, message(&server, &tom, "His").await);
    assert_eq!(server.post(&ann, "rpc/unread_notifications", json!({}), "").await.ok(), json!(2));

    assert_eq!(server.post(&ann, "rpc/mark_notifications_seen", json!({}), "").await.ok(), json!(2));
    assert_eq!(server.post(&ann, "rpc/mark_notifications_read", json!({ "ids": [one, his] }), "").await.ok(), json!(1), "his is not hers");
    assert_eq!(server.post(&eve, "rpc/mark_notifications_read", json!({ "ids": [one, his] }), "").await.ok(), json!(0), "another company");
    assert_eq!(server.post(&ann, "rpc/unread_notifications", json!({}), "").await.ok(), json!(1));
    assert_eq!(server.post(&tom, "rpc/unread_notifications", json!({}), "").await.ok(), json!(1));
    assert_eq!(server.post(&ann, "rpc/mark_notifications_archived", json!({ "ids": [one] }), "").await.ok(), json!(1));
    let feed = server.get(&ann, "notification_queue?select=body&channel=eq.in_app&archived_at=is.null").await.ok();
    assert_eq!(feed, json!([{ "body": "Two" }]));

    for path in ["notification_queue?select=id", "notification_queue?body=eq.His"] {
        let seen = server.get(&eve, path).await.ok();
        assert_eq!(seen, json!([]), "{path}");
    }
    for change in [json!({ "body": "x" }), json!({ "status": "pending" }), json!({ "user_id": tom.user_id }), json!({ "digest_id": null })]
    {
        server.patch(&ann, "notification_queue?body=eq.Two", change, "").await.refused(403, "42501");
    }
    assert_eq!(
        server.patch(&tom, "notification_queue?body=eq.Two", json!({ "read_at": "2026-11-21T00:00:00Z" }), FULL).await.ok(),
        json!([])
    );
    let many: Vec<&str> = std::iter::repeat_n(one.as_str(), 1001).collect();
    server.post(&ann, "rpc/mark_notifications_read", json!({ "ids": many }), "").await.refused(422, "notification_ids_invalid");
    let nobody = server.post(&Server::nobody(), "rpc/unread_notifications", json!({}), "").await.status;
    assert!((401..=404).contains(&nobody), "{nobody}");
}

#[tokio::test]
async fn everybody_chooses_for_himself_and_the_company_for_all() {
    let server = Server::new().await;
    let (ann, eve) = (server.owner("ann").await, server.owner("eve").await);
    let tom = server.member(&ann.company_id, "technician").await;
    let says = async |who: &Caller, topic: &str, channel: &str| {
        let all = server.post(who, "rpc/my_notification_settings", json!({}), "").await.ok();
        let row = all.as_array().unwrap().iter().find(|row| row["topic"] == topic && row["channel"] == channel).unwrap().clone();
        (row["enabled"].as_bool().unwrap(), row["reason"].as_str().unwrap().to_owned())
    };
    let chosen = |topic: &str, channel: &str, enabled: bool| json!({ "topic": topic, "channel": channel, "enabled": enabled });
    assert_eq!(says(&tom, "job_assigned", "email").await, (true, "topic_default".to_owned()));
    server.post(&tom, "notification_choices", chosen("job_assigned", "email", false), "").await.ok();
    assert_eq!(says(&tom, "job_assigned", "email").await, (false, "chosen_off".to_owned()));
    assert_eq!(says(&ann, "job_assigned", "email").await, (true, "topic_default".to_owned()), "he chose for himself");
    server.post(&tom, "notification_choices", chosen("nothing", "email", false), "").await.refused(422, "notification_topic_unknown");
    server.post(&tom, "notification_choices", chosen("security", "email", false), "").await.refused(422, "notification_mandatory");
    let for_ann = json!({ "user_id": ann.user_id, "topic": "job_assigned", "channel": "email", "enabled": false });
    server.post(&tom, "notification_choices", for_ann, "").await.refused(403, "42501");
    assert_eq!(server.get(&ann, "notification_choices?select=id").await.ok(), json!([]), "not even the owner reads them");
    server.post(&tom, "notification_choices", chosen("job_assigned", "telegram", false), "").await.refused(400, "23514");

    let company = json!({ "topic": "job_assigned", "channel": "email", "is_mandatory": true });
    server.post(&tom, "notification_defaults", company.clone(), "").await.refused(403, "42501");
    server.post(&ann, "notification_defaults", company, "").await.ok();
    assert_eq!(says(&tom, "job_assigned", "email").await, (true, "company_mandatory".to_owned()));
    assert_eq!(says(&eve, "job_assigned", "email").await, (true, "topic_default".to_owned()), "another company");
    assert_eq!(server.get(&eve, "notification_defaults?select=id").await.ok(), json!([]));

    let quiet = json!({ "quiet_hours_enabled": true, "quiet_hours_start": "22:00", "quiet_hours_end": "07:00", "quiet_hours_timezone": "Mars/Crater" });
    server.post(&tom, "notification_preferences", quiet, "").await.refused(422, "time_zone_unknown");
    server.post(&tom, "notification_preferences", json!({ "quiet_hours_timezone": "Europe/Berlin" }), "").await.ok();
    let zone = json!({ "quiet_hours_timezone": "Mars/Crater" });
    server.patch(&tom, "notification_preferences?select=id", zone, "").await.refused(422, "time_zone_unknown");
    let text = json!({ "event": "job_assigned", "channel": "sms", "name": "Own", "body": "{{ 7 * 7 }}" });
    server.post(&ann, "notification_templates", text, "").await.refused(422, "notification_template_invalid");
}

#[tokio::test]
async fn who_asks_why_learns_of_himself_and_the_owner_of_all() {
    let server = Server::new().await;
    let (ann, eve) = (server.owner("ann").await, server.owner("eve").await);
    let tom = server.member(&ann.company_id, "technician").await;
    let customer = server.customer(&ann, "Ada").await;
    let job = json!({ "customer_id": customer, "title": "Boiler", "assigned_to": tom.user_id });
    let job = server.post(&ann, "jobs", job, FULL).await.ok()[0]["id"].clone();
    let why = async |who: &Caller, body: Value| server.post(who, "rpc/why_not_notified", body, "").await;
    assert_eq!(why(&tom, json!({ "entity_id": job })).await.ok()[0]["reason"], "waiting");
    server
        .table(&format!(
            "insert into app.notification_decisions (company_id, event_id, event, topic, user_id, channel, decision, reason, entity_type, entity_id)
             select company_id, id, 'job.created', 'job_assigned', '{}', 'email', 'withheld', 'throttled', 'job', entity_id
               from app.notification_events where entity_type = 'job';
             update app.notification_events set done_at = now()",
            tom.user_id
        ))
        .await;
    let answer = why(&tom, json!({ "entity_id": job })).await.ok();
    assert_eq!(
        (&answer[0]["topic"], &answer[0]["channel"], &answer[0]["reason"]),
        (&json!("job_assigned"), &json!("email"), &json!("throttled"))
    );
    assert_eq!(why(&ann, json!({ "entity_id": job, "user_id": tom.user_id })).await.ok()[0]["reason"], "throttled");
    assert_eq!(why(&ann, json!({ "entity_id": job })).await.ok()[0]["reason"], "not_in_audience");
    assert_eq!(why(&eve, json!({ "entity_id": job, "user_id": tom.user_id })).await.ok()[0]["reason"], "nothing_told", "another company");
    why(&tom, json!({ "entity_id": job, "user_id": ann.user_id })).await.refused(403, "permission_denied");
    why(&tom, json!({})).await.refused(422, "notification_question_invalid");
}

#[tokio::test]
async fn only_programs_of_the_operator_tell_members() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let alert = json!({ "topic": "alert", "company_id": ann.company_id, "user_ids": [ann.user_id], "params": { "subject": "Fire" }, "unique_key": "k" });
    let first = server.post(&server.service(), "rpc/notify", alert.clone(), "").await.ok();
    assert_eq!(server.post(&server.service(), "rpc/notify", alert.clone(), "").await.ok(), first, "the same key is the same notification");
    let refused = server.post(&ann, "rpc/notify", alert.clone(), "").await;
    assert!([403, 404].contains(&refused.status), "{}", refused.text);
    for (key, value, code) in [
        ("topic", json!("nothing"), "notification_topic_unknown"),
        ("user_ids", json!([]), "notification_people_invalid"),
        ("priority", json!("loud"), "notification_priority_invalid"),
        ("params", json!([1]), "notification_params_invalid"),
        ("company_id", json!(ann.user_id), "notification_company_unknown"),
    ] {
        let mut wrong = alert.clone();
        wrong[key] = value;
        server.post(&server.service(), "rpc/notify", wrong, "").await.refused(422, code);
    }
}
