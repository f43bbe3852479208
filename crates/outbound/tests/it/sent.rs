//! From the outbox to a mail server and to Twilio: once, again after trouble, and not for ever.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::Secret;
use outbound::config::{MailSecurity, OutboxConfig};
use outbound::{Asked, Channel, OutboundConfig, Pass, Posting};

use crate::post::{Post, posting, seal};
use crate::stand_ins::{mail_server, twilio};

const SENT: Pass = Pass { sent: 1, again: 0, failed: 0 };
const AGAIN: Pass = Pass { sent: 0, again: 1, failed: 0 };
const FAILED: Pass = Pass { sent: 0, again: 0, failed: 1 };

fn by_smtp(port: u16) -> OutboundConfig {
    let mut config = OutboundConfig::default();
    config.mail.smtp_host = Some("127.0.0.1".to_owned());
    config.mail.smtp_port = port;
    config.mail.smtp_security = MailSecurity::None;
    config.mail.from_address = "no-reply@baker.example".to_owned();
    config
}

fn by_twilio(url: String) -> OutboundConfig {
    let mut config = OutboundConfig::default();
    config.sms.twilio_account = Some("AC1".to_owned());
    config.sms.twilio_token = Some(Secret::new("token".to_owned()));
    config.sms.twilio_from = "+15550100".to_owned();
    config.sms.twilio_url = url;
    config
}

#[tokio::test]
async fn a_mail_leaves_once_and_its_words_are_forgotten() {
    let (smtp_port, arrived) = mail_server().await;
    let post = Post::new(by_smtp(smtp_port)).await;
    assert!(post.outbound.sends(Channel::Mail) && !post.outbound.sends(Channel::Sms) && !post.outbound.captures());
    assert_eq!(post.put(Channel::Mail, "ann@example.com").await.unwrap(), Asked::Taken);
    assert!(!post.ask("select string_agg(o::text, '') from app.outbox o").await.contains("481516"));
    assert_eq!(post.pass().await, SENT);
    assert_eq!(post.pass().await, Pass::default());
    let mails = arrived.lock().unwrap().clone();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("To: ann@example.com") && mails[0].contains("no-reply@baker.example"), "{}", mails[0]);
    assert!(mails[0].contains("Subject: Ihr Link") && mails[0].contains("The code is 481516"), "{}", mails[0]);
    assert!(mails[0].contains("multipart/alternative") && mails[0].contains("text/html"), "{}", mails[0]);
    assert_eq!(post.ask("select status || coalesce(sealed, ' empty') from app.outbox").await, "sent empty");
}

#[tokio::test]
async fn trouble_is_tried_again_later_and_given_up_in_the_end() {
    let (smtp_port, _) = mail_server().await;
    let post =
        Post::new(OutboundConfig { outbox: OutboxConfig { attempts_max: 3, ..OutboxConfig::default() }, ..by_smtp(smtp_port) }).await;
    post.put(Channel::Mail, "later@example.com").await.unwrap();
    assert_eq!(post.pass().await, AGAIN);
    assert_eq!(post.pass().await, Pass::default(), "not before its time");
    post.wait(10);
    assert_eq!(post.pass().await, AGAIN);
    post.wait(10);
    assert_eq!(post.pass().await, Pass::default(), "each time it waits longer");
    post.wait(10);
    assert_eq!(post.pass().await, FAILED);
    assert_eq!(post.ask("select status || ' ' || attempts || coalesce(sealed, '') from app.outbox").await, "failed 3");
    // What is refused for good is not tried again, and burns no quota.
    for _ in 0..4 {
        assert_eq!(post.put(Channel::Mail, "gone@example.com").await.unwrap(), Asked::Taken);
        assert_eq!(post.pass().await, FAILED);
    }
    post.wait(25 * 3600);
    assert_eq!(post.pass().await, Pass::default());
    assert_eq!(post.ask("select count(*) from app.outbox").await, "0", "settled ones go after a day");
}

#[tokio::test]
async fn an_sms_goes_to_twilio() {
    let (url, arrived) = twilio().await;
    let post = Post::new(by_twilio(url)).await;
    for (number, pass) in [("+15550101", SENT), ("+15550110", FAILED), ("+15550109", AGAIN)] {
        assert_eq!(post.put(Channel::Sms, number).await.unwrap(), Asked::Taken);
        assert_eq!(post.pass().await, pass, "{number}");
    }
    assert_eq!(*arrived.lock().unwrap(), ["Basic QUMxOnRva2Vu +15550100 -> +15550101: The code is 481516"]);
    assert_eq!(post.ask("select string_agg(error, ', ' order by created_at, id) from app.outbox").await.matches("token").count(), 0);
}

#[tokio::test]
async fn nobody_is_written_to_too_often() {
    let (smtp_port, arrived) = mail_server().await;
    let post = Post::new(by_smtp(smtp_port)).await;
    assert_eq!(post.put(Channel::Mail, "ann@example.com").await.unwrap(), Asked::Taken);
    post.wait(1);
    assert_eq!(post.put(Channel::Mail, "ann@example.com").await.unwrap(), Asked::Pause(59));
    let other = Posting { purpose: "recovery", ..posting() };
    assert_eq!(post.put_as(other).await.unwrap(), Asked::Taken, "for another reason");
    post.wait(60);
    // Whoever asks for an address that nobody has learns nothing from the limits.
    let nobody = Posting { is_withheld: true, client: Some("192.0.2.1"), ..posting() };
    assert_eq!(post.put_as(nobody).await.unwrap(), Asked::Taken);
    post.wait(60);
    assert_eq!(post.put(Channel::Mail, "ann@example.com").await.unwrap(), Asked::TooMany, "three in an hour");
    for number in 1..=4 {
        let recipient = format!("ann{number}@example.com");
        let asked = post.put_as(Posting { recipient: &recipient, client: Some("192.0.2.1"), ..posting() }).await.unwrap();
        assert_eq!(asked, Asked::Taken);
    }
    let sixth = Posting { recipient: "ann5@example.com", client: Some("192.0.2.1"), ..posting() };
    assert_eq!(post.put_as(sixth).await.unwrap(), Asked::TooMany, "five of one client");
    assert_eq!(post.put_as(Posting { client: Some("192.0.2.2"), ..sixth }).await.unwrap(), Asked::Taken);
    assert_eq!(post.pass().await.sent, 7);
    assert_eq!(arrived.lock().unwrap().len(), 7, "one was withheld");
    post.wait(3600);
    assert_eq!(post.put(Channel::Mail, "ann@example.com").await.unwrap(), Asked::Taken);
}

#[tokio::test]
async fn one_company_does_not_write_without_end() {
    let outbox = OutboxConfig { company_hour_max: 2, ..OutboxConfig::default() };
    let post = Post::new(OutboundConfig { outbox, ..OutboundConfig::default() }).await;
    let made = "with owner as (insert into auth.users (id, email) values (gen_random_uuid(), 'owner@example.com') returning id)
                insert into public.companies (name, slug, owner_id) select 'Baker', s.slug, o.id from owner o, unnest($1::text[]) s (slug)
                returning id";
    let slugs: &[&str] = &["baker", "miller"];
    let rows = post.db.superuser().await.query(made, &[&slugs]).await.unwrap();
    let [baker, miller] = [0, 1].map(|row: usize| Some(kernel::CompanyId(rows[row].get(0))));
    let put = async |company_id, recipient| post.put_as(Posting { company_id, recipient, is_asked: false, ..posting() }).await.unwrap();
    assert_eq!(put(baker, "ann1@example.com").await, Asked::Taken);
    assert_eq!(put(baker, "ann2@example.com").await, Asked::Taken);
    assert_eq!(put(baker, "ann3@example.com").await, Asked::TooMany);
    assert_eq!(put(miller, "ann3@example.com").await, Asked::Taken, "another company");
    // Its members sign in all the same, and what they ask for leaves it as much to write as before.
    for recipient in ["ann6@example.com", "ann7@example.com", "ann8@example.com"] {
        assert_eq!(post.put_as(Posting { company_id: baker, recipient, ..posting() }).await.unwrap(), Asked::Taken);
    }
    assert_eq!(put(None, "ann4@example.com").await, Asked::Taken, "nobody's");
    // What could not be sent counts no more.
    let failed = "update app.outbox set status = 'failed', sealed = null, finished_at = created_at where recipient = 'ann1@example.com'";
    post.db.superuser().await.batch_execute(failed).await.unwrap();
    assert_eq!(put(baker, "ann5@example.com").await, Asked::Taken);
}

#[tokio::test]
async fn what_was_asked_for_waits_for_no_letters_and_companies_take_turns() {
    let (smtp_port, arrived) = mail_server().await;
    let outbox = OutboxConfig { batch_rows: 2, ..OutboxConfig::default() };
    let post = Post::new(OutboundConfig { outbox, ..by_smtp(smtp_port) }).await;
    let (baker, miller) = (post.company("baker").await, post.company("miller").await);
    let letter = async |company_id, recipient: &str| {
        let letter = Posting { company_id: Some(company_id), recipient, is_asked: false, ..posting() };
        assert_eq!(post.put_as(letter).await.unwrap(), Asked::Taken);
        post.wait(1);
    };
    for number in 1..=5 {
        letter(baker, &format!("of-baker{number}@example.com")).await;
    }
    letter(miller, "of-miller@example.com").await;
    assert_eq!(post.put(Channel::Mail, "code@example.com").await.unwrap(), Asked::Taken);
    assert_eq!(post.pass().await.sent, 3);
    let to = |address: &str| arrived.lock().unwrap().iter().filter(|text| text.contains(&format!("To: {address}"))).count();
    assert_eq!([to("code@"), to("of-miller@"), to("of-baker1@"), to("of-baker2@")], [1, 1, 1, 0], "{:?}", arrived.lock().unwrap());
}

#[tokio::test]
async fn a_company_waits_for_no_others_letters_where_one_is_taken_at_a_time() {
    let (smtp_port, arrived) = mail_server().await;
    let outbox = OutboxConfig { batch_rows: 1, ..OutboxConfig::default() };
    let post = Post::new(OutboundConfig { outbox, ..by_smtp(smtp_port) }).await;
    let (baker, miller) = (post.company("baker").await, post.company("miller").await);
    for number in 1..=20 {
        let recipient = format!("of-baker{number}@example.com");
        let letter = Posting { company_id: Some(baker), recipient: &recipient, is_asked: false, ..posting() };
        assert_eq!(post.put_as(letter).await.unwrap(), Asked::Taken);
    }
    assert_eq!(post.pass().await.sent, 1);
    let letter = Posting { company_id: Some(miller), recipient: "of-miller@example.com", is_asked: false, ..posting() };
    assert_eq!(post.put_as(letter).await.unwrap(), Asked::Taken);
    assert_eq!(post.pass().await.sent, 1);
    let to = |name: &str| arrived.lock().unwrap().iter().filter(|text| text.contains(&format!("To: {name}"))).count();
    assert_eq!((to("of-miller@"), to("of-baker")), (1, 1), "{:?}", arrived.lock().unwrap());
    assert_eq!(post.pass().await.sent, 1);
    assert_eq!((to("of-miller@"), to("of-baker")), (1, 2));
}

/// A mail server that does not answer for one address does for the next.
#[tokio::test]
async fn a_message_that_takes_its_time_holds_back_no_other() {
    let (smtp_port, arrived) = mail_server().await;
    let post = Post::new(by_smtp(smtp_port)).await;
    let company = post.company("baker").await;
    for (recipient, is_asked) in [("slow1@example.com", false), ("slow2@example.com", false), ("slow3@example.com", true)] {
        let posting = Posting { company_id: Some(company), recipient, is_asked, ..posting() };
        assert_eq!(post.put_as(posting).await.unwrap(), Asked::Taken);
    }
    let outbound = post.outbound.clone();
    let following = tokio::spawn(async move { outbound.follow(Arc::new(|| Ok(seal())), std::future::pending()).await });
    let under_way = "select count(*)::text from app.outbox where status = 'pending' and attempts = 1";
    let until = async |sql: &str, wanted: &str| {
        let deadline = Instant::now() + Duration::from_mins(1);
        while post.ask(sql).await != wanted {
            assert!(Instant::now() < deadline, "{sql} is not {wanted}");
            tokio::task::yield_now().await;
        }
    };
    until(under_way, "3").await;
    for (recipient, is_asked) in [("letter@example.com", false), ("code@example.com", true)] {
        let posting = Posting { company_id: Some(company), recipient, is_asked, ..posting() };
        assert_eq!(post.put_as(posting).await.unwrap(), Asked::Taken);
    }
    post.outbound.wake();
    until("select count(*)::text from app.outbox where status = 'sent'", "2").await;
    assert_eq!(arrived.lock().unwrap().len(), 2);
    assert_eq!(post.ask(under_way).await, "3");
    following.abort();
}

#[tokio::test]
async fn two_at_once_are_one_and_two_servers_send_it_once() {
    let (smtp_port, arrived) = mail_server().await;
    let post = Post::new(by_smtp(smtp_port)).await;
    let ann = || post.put(Channel::Mail, "ann@example.com");
    let (one, two, three) = tokio::join!(ann(), ann(), ann());
    let taken = [one, two, three].into_iter().filter(|asked| matches!(asked, Ok(Asked::Taken))).count();
    assert_eq!(taken, 1);
    let (one, two, three) = tokio::join!(post.pass(), post.pass(), post.pass());
    assert_eq!(one.sent + two.sent + three.sent, 1);
    assert_eq!(arrived.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_outbox_has_an_end_and_a_lost_key_is_no_loop() {
    let (smtp_port, _) = mail_server().await;
    let outbox = OutboxConfig { pending_max: 2, ..OutboxConfig::default() };
    let post = Post::new(OutboundConfig { outbox, ..by_smtp(smtp_port) }).await;
    post.put(Channel::Mail, "a@example.com").await.unwrap();
    post.put(Channel::Mail, "b@example.com").await.unwrap();
    let full = post.put(Channel::Mail, "c@example.com").await.unwrap_err();
    assert_eq!((full.status().as_u16(), full.code(), full.retry_after_seconds()), (503, "outbox_full", Some(60)));
    // What nobody asked for has a place of its own.
    assert_eq!(post.put_as(Posting { recipient: "d@example.com", is_asked: false, ..posting() }).await.unwrap(), Asked::Taken);
    post.sql("delete from app.outbox where recipient = 'd@example.com'").await;
    let other = outbound::Seal::new([b"another key".as_slice()].into_iter()).unwrap();
    assert_eq!(post.outbound.pass(&other).await.unwrap().failed, 2);
    assert_eq!(post.outbound.pass(&seal()).await.unwrap(), Pass::default());
    assert_eq!(post.put(Channel::Mail, "c@example.com").await.unwrap(), Asked::Taken);
}
