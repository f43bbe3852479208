//! Several providers of one channel: who is asked when, what is kept of it, and who is not written to any more.

use kernel::{CompanyId, Secret};
use outbound::config::MailSecurity;
use outbound::{Asked, Channel, Dispatch, Dispatched, OutboundConfig, Pass, Posting, Suppression, To};
use serde_json::json;

use crate::post::{Post, message, posting};
use crate::providers::resend;
use crate::stand_ins::{mail_server, twilio};

const SENT: Pass = Pass { sent: 1, again: 0, failed: 0 };
const AGAIN: Pass = Pass { sent: 0, again: 1, failed: 0 };
const FAILED: Pass = Pass { sent: 0, again: 0, failed: 1 };
const ATTEMPTS: &str = "select string_agg(concat_ws('|', attempt, provider, outcome, code, provider_key), ', ' order by created_at, id) from app.message_attempts";

fn by_both(resend: String, smtp_port: u16) -> OutboundConfig {
    let mut config = OutboundConfig::default();
    config.mail.senders = ["resend", "smtp"].map(str::to_owned).to_vec();
    config.mail.resend_key = Some(Secret::new("re_hidden".to_owned()));
    config.mail.resend_url = resend;
    config.mail.smtp_host = Some("127.0.0.1".to_owned());
    config.mail.smtp_port = smtp_port;
    config.mail.smtp_security = MailSecurity::None;
    config.mail.from_address = "no-reply@baker.example".to_owned();
    config
}

fn offer(company_id: CompanyId, to: &str) -> Dispatch<'_> {
    Dispatch {
        company_id: Some(company_id),
        channel: Channel::Mail,
        purpose: "offer",
        to: To::Address(to),
        topic: Some("offers"),
        message: Box::leak(Box::new(message())),
        push: None,
    }
}

#[tokio::test]
async fn the_first_that_takes_a_mail_sends_it() {
    let ((url, resend), (smtp_port, arrived)) = (resend().await, mail_server().await);
    let post = Post::new(by_both(url, smtp_port)).await;
    post.put(Channel::Mail, "ann@example.com").await.unwrap();
    assert_eq!(post.pass().await, SENT);
    let came = resend.came();
    let id = post.ask("select id from app.outbox").await;
    assert_eq!((came[0].header("authorization"), came[0].header("idempotency-key")), ("Bearer re_hidden", id.as_str()));
    assert_eq!(
        came[0].json(),
        json!({ "from": "Baker & Söhne <no-reply@baker.example>", "to": ["ann@example.com"], "subject": "Ihr Link",
                "text": "The code is 481516", "html": "<p>The code is 481516</p>",
                "tags": [{ "name": "message_id", "value": id }, { "name": "purpose", "value": "magic_link" }] })
    );
    assert_eq!(post.ask(ATTEMPTS).await, "1|resend|accepted|re_1");
    assert!(arrived.lock().unwrap().is_empty());

    // Throttled: the other one sends, and for as long as it was told nobody asks the first.
    resend.answer("/emails", 429, Some(60), json!({ "statusCode": 429, "name": "rate_limit_exceeded", "message": "no" }));
    for to in ["ben@example.com", "cat@example.com"] {
        post.put(Channel::Mail, to).await.unwrap();
        assert_eq!(post.pass().await, SENT);
    }
    assert_eq!((resend.came().len(), arrived.lock().unwrap().len()), (2, 2));
    post.wait(61);
    post.put(Channel::Mail, "dan@example.com").await.unwrap();
    assert_eq!(post.pass().await, SENT);
    assert_eq!((resend.came().len(), arrived.lock().unwrap().len()), (3, 2));

    // Its own reasons: down, no right, a body it takes never.
    for (status, name) in [(500, "application_error"), (403, "invalid_api_key"), (422, "validation_error")] {
        resend.answer("/emails", status, None, json!({ "statusCode": status, "name": name, "message": "re_hidden ann@example.com" }));
        post.put(Channel::Mail, &format!("{name}@example.com")).await.unwrap();
        assert_eq!(post.pass().await, SENT, "{name}");
    }
    assert_eq!(arrived.lock().unwrap().len(), 5);
    let kept = post.ask("select string_agg(a::text, '') from app.message_attempts a").await;
    assert!(kept.contains("invalid_api_key") && !kept.contains("re_hidden") && !kept.contains("481516"), "{kept}");
}

#[tokio::test]
async fn one_that_is_down_is_left_alone_and_all_that_are_down_are_waited_for() {
    let (url, resend) = resend().await;
    let mut config = by_both(url, 9);
    config.mail.senders = vec!["resend".to_owned()];
    config.failover.failures_max = 2;
    let post = Post::new(config).await;
    for to in ["a@example.com", "b@example.com"] {
        resend.answer("/emails", 503, None, json!({}));
        post.put(Channel::Mail, to).await.unwrap();
        assert_eq!(post.pass().await, AGAIN);
    }
    post.put(Channel::Mail, "c@example.com").await.unwrap();
    assert_eq!(post.pass().await, AGAIN);
    assert_eq!(resend.came().len(), 2, "the third was not even tried");
    assert_eq!(
        post.ask("select error || ' ' || extract(epoch from due_at - created_at)::int from app.outbox where recipient = 'c@example.com'")
            .await,
        "every provider is left alone for a while 30"
    );
    // One tries first; who comes before it is taken waits for another turn.
    post.wait(31);
    let first = post.pass().await;
    assert!(first.sent >= 1 && first.sent + first.again == 3, "{first:?}");
    post.wait(600);
    assert_eq!(first.sent + post.pass().await.sent, 3);
    // What was lost on its way back is sent under the same key.
    let keys: std::collections::BTreeSet<String> = resend.came().iter().map(|came| came.header("idempotency-key").to_owned()).collect();
    assert_eq!((resend.came().len(), keys.len()), (5, 3));
}

#[tokio::test]
async fn an_address_that_nobody_has_is_written_to_no_more() {
    let (smtp_port, arrived) = mail_server().await;
    let mut config = by_both("http://127.0.0.1:9".to_owned(), smtp_port);
    config.mail.senders = vec!["smtp".to_owned()];
    let post = Post::new(config).await;
    let company = post.company("baker").await;
    let other = post.company("miller").await;
    // Bounced as a company's: that company does not write there, others and the installation itself do.
    let taken = post.dispatch(offer(company, "Nobody@example.com")).await.unwrap();
    assert!(matches!(taken, Dispatched::Taken(ref ids) if ids.len() == 1), "{taken:?}");
    assert_eq!(post.pass().await, FAILED);
    assert_eq!(post.ask(ATTEMPTS).await, "1|smtp|bounced|5.1.1");
    assert_eq!(
        post.ask("select concat_ws('|', kind, address_key, topic, reason) from public.suppressions").await,
        "email|nobody@example.com||bounce"
    );
    assert_eq!(post.dispatch(offer(company, "nobody@example.com")).await.unwrap(), Dispatched::Suppressed(Suppression::Bounce));
    assert!(matches!(post.dispatch(offer(other, "fine@example.com")).await.unwrap(), Dispatched::Taken(_)));
    assert_eq!(post.pass().await, SENT);
    assert_eq!(post.ask("select count(*) from app.address_holds").await, "0", "nobody is kept from signing in by a company's mail");
    // Bounced as a link that somebody asked for: the next is held for three days.
    post.put(Channel::Mail, "nobody@example.com").await.unwrap();
    assert_eq!(post.pass().await, FAILED);
    post.wait(61);
    post.put(Channel::Mail, "NOBODY@example.com").await.unwrap();
    assert_eq!(post.pass().await, FAILED);
    assert_eq!(post.ask("select error from app.outbox where recipient = 'NOBODY@example.com'").await, "bounce");
    assert_eq!(post.ask("select string_agg(a::text, '') from app.address_holds a").await.matches("nobody").count(), 0);
    let last = "select concat_ws('|', outcome, code, company_id) from app.message_attempts order by created_at desc limit 1";
    assert_eq!(post.ask(last).await, "suppressed|bounce");
    post.wait(73 * 3600);
    post.put(Channel::Mail, "nobody@example.com").await.unwrap();
    assert_eq!(post.pass().await, FAILED, "it is tried again");
    assert_eq!(post.ask(last).await, "bounced|5.1.1");
    assert_eq!(arrived.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_somebody_refuses_he_is_not_sent() {
    let ((url, resend), (smtp_port, arrived)) = (resend().await, mail_server().await);
    let post = Post::new(by_both(url, smtp_port)).await;
    post.outbound.found_at("https://api.example.com/");
    let company = post.company("baker").await;
    post.dispatch(offer(company, "ann@example.com")).await.unwrap();
    assert_eq!(post.pass().await, SENT);
    let body = resend.came()[0].json();
    let header = body["headers"]["List-Unsubscribe"].as_str().unwrap();
    let token = header.strip_prefix("<https://api.example.com/api/v1/unsubscribe/").unwrap().strip_suffix('>').unwrap();
    assert_eq!(body["headers"]["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click");
    assert_eq!(body["tags"][2], json!({ "name": "company_id", "value": company }));
    let refused = outbound::unsubscribe::Refused::open(&crate::post::seal(), token).unwrap();
    assert_eq!((refused.company_id, refused.address.as_str(), refused.topic.as_str()), (company, "ann@example.com", "offers"));
    // Over SMTP the same, in one piece.
    resend.answer("/emails", 500, None, json!({}));
    post.dispatch(offer(company, "ben@example.com")).await.unwrap();
    assert_eq!(post.pass().await, SENT);
    let mail = arrived.lock().unwrap()[0].clone();
    let line = mail.lines().find(|line| line.starts_with("List-Unsubscribe: <https://api.example.com/api/v1/unsubscribe/")).unwrap();
    assert!(line.ends_with('>') && mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{mail}");
    // What waits already is not sent either; another topic, another company and a link to sign in are.
    post.dispatch(offer(company, "ann@example.com")).await.unwrap();
    post.refuse(&refused).await;
    assert_eq!(post.pass().await, FAILED);
    assert_eq!(post.dispatch(offer(company, "ANN@example.com")).await.unwrap(), Dispatched::Suppressed(Suppression::Unsubscribed));
    let other = post.company("miller").await;
    for dispatch in [
        Dispatch { topic: Some("reminders"), ..offer(company, "ann@example.com") },
        Dispatch { topic: None, ..offer(company, "ann@example.com") },
        offer(other, "ann@example.com"),
    ] {
        assert!(matches!(post.dispatch(dispatch).await.unwrap(), Dispatched::Taken(_)));
        assert_eq!(post.pass().await, SENT);
    }
    let in_its_name = Posting { company_id: Some(company), ..posting() };
    assert_eq!(post.put_as(in_its_name).await.unwrap(), Asked::Taken);
    assert_eq!(post.pass().await, SENT);
    let last = "select concat_ws('|', purpose, company_id) from app.message_attempts order by created_at desc, id desc limit 1";
    assert_eq!(post.ask(last).await, "magic_link", "who signs in is in no company's log");
    // Only what has a topic and a company has such a link.
    let with_link = resend.came().iter().filter(|came| came.json().get("headers").is_some()).count();
    assert_eq!(with_link, 4, "four offers and reminders of {}", resend.came().len());
}

#[tokio::test]
async fn a_number_that_said_stop_gets_no_more_and_a_member_is_found() {
    let (url, arrived) = twilio().await;
    let mut config = OutboundConfig::default();
    config.sms.twilio_account = Some("AC1".to_owned());
    config.sms.twilio_token = Some(Secret::new("token".to_owned()));
    config.sms.twilio_from = "+15550100".to_owned();
    config.sms.twilio_url = url;
    let post = Post::new(config).await;
    let company = post.company("baker").await;
    let sms = |to| Dispatch { channel: Channel::Sms, to, ..offer(company, "") };
    assert!(matches!(post.dispatch(sms(To::Address("+15550108"))).await.unwrap(), Dispatched::Taken(_)));
    assert_eq!(post.pass().await, FAILED, "Twilio says 21610");
    assert_eq!(post.dispatch(sms(To::Address("+1 555 0108"))).await.unwrap(), Dispatched::Suppressed(Suppression::Stopped));
    let owner = kernel::UserId(post.ask("select owner_id from public.companies").await.parse().unwrap());
    assert_eq!(post.dispatch(sms(To::Member(owner))).await.unwrap(), Dispatched::Unreachable, "no member yet");
    post.sql("insert into public.team_members (company_id, user_id, role) select id, owner_id, 'owner' from public.companies").await;
    assert_eq!(post.dispatch(sms(To::Member(owner))).await.unwrap(), Dispatched::Unreachable, "no number");
    post.sql("update auth.users set phone = '15550101', phone_confirmed_at = now()").await;
    assert!(matches!(post.dispatch(sms(To::Member(owner))).await.unwrap(), Dispatched::Taken(_)));
    assert_eq!(post.pass().await, SENT);
    assert!(arrived.lock().unwrap()[0].contains("-> +15550101:"));
    let other = post.company("miller").await;
    let strange = Dispatch { company_id: Some(other), ..sms(To::Member(owner)) };
    assert_eq!(post.dispatch(strange).await.unwrap(), Dispatched::Unreachable, "a member of another company");
    let bad = post.dispatch(Dispatch { topic: Some("Offers!"), ..offer(company, "a@example.com") }).await.unwrap_err();
    assert_eq!((bad.status().as_u16(), bad.code()), (422, "message_invalid"));
}
