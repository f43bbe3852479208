//! Notifications on their ways out: devices, and the link by which somebody wants no more of a topic.

use messaging::NotificationConfig;
use serde_json::json;

use crate::shop::{Member, Shop};
use crate::unsubscribe;

const PUSHES: &str = "select coalesce(string_agg(concat_ws('|', subject, body_text), ', ' order by id), 'none') from app.captured_messages where channel = 'push'";

async fn shop() -> Shop {
    Shop::telling(NotificationConfig::default()).await
}

async fn device(shop: &Shop, of: &Member, token: &str) {
    shop.sql(&format!(
        "insert into app.push_devices (user_id, provider, platform, address) values ('{}', 'fcm', 'android', 'a-token-of-an-application-{token}')",
        of.user
    ))
    .await;
}

#[tokio::test]
async fn devices_are_told_as_soon_as_there_are_some() {
    let shop = shop().await;
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    shop.alert(&ann, "alert", ", '{\"subject\": \"Leak\", \"body\": \"Shut the main\"}'").await;
    shop.tell().await;
    assert_eq!(shop.ask(PUSHES).await, "none", "nobody has a device");
    assert!(shop.decided(&ann).await.contains(&"alert push withheld no_device".to_owned()));
    device(&shop, &ann, "1").await;
    device(&shop, &ann, "2").await;
    device(&shop, &bob, "3").await;
    shop.alert(&ann, "alert", ", '{\"subject\": \"Fire\", \"body\": \"Leave the house\"}'").await;
    shop.tell().await;
    assert_eq!(shop.ask(PUSHES).await, "Fire|Leave the house, Fire|Leave the house", "both of hers, and nobody else's");
    let mut told = shop.told(&ann).await;
    told.as_array_mut().unwrap().retain(|one| one["channel"] == "push");
    assert_eq!(told, json!([{ "type": "alert", "channel": "push", "subject": "Fire", "status": "sent" }]), "one of two is enough");
    assert_eq!(shop.ask("select count(*) from app.notification_messages").await, "0");

    // The last one goes between the decision and its task.
    shop.alert(&ann, "alert", "").await;
    shop.messaging.pass_notifications().await.unwrap();
    shop.sql("delete from app.push_devices").await;
    shop.tell().await;
    let last = "select status || ' ' || failure_reason from public.notification_queue where channel = 'push' order by id desc limit 1";
    assert_eq!(shop.ask(last).await, "cancelled no_device");
}

#[tokio::test]
async fn whoever_wants_no_more_of_a_topic_by_mail_is_asked_nothing_else() {
    let shop = shop().await;
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    shop.alert(&ann, "customer_message", "").await;
    shop.tell().await;
    let link = shop.ask("select unsubscribe from app.captured_messages where recipient = 'ann@example.com'").await;
    let path = link.strip_prefix("https://api.example.com").unwrap();
    assert_eq!(unsubscribe::ask(&shop, "POST", path, "en").await.0, 200);
    for to in [&ann, &bob] {
        for topic in ["customer_message", "payment_received", "security"] {
            shop.alert(to, topic, ", '{\"amount\": \"5 USD\"}'").await;
        }
    }
    shop.tell().await;
    let mails = async |to: &str| {
        shop.ask(&format!("select string_agg(distinct subject, ', ') from app.captured_messages where recipient = '{to}'")).await
    };
    assert_eq!(mails("bob@example.com").await, "Message from a customer, Payment of 5 USD, Security of your account");
    assert_eq!(
        shop.ask("select count(*) from app.captured_messages where recipient = 'ann@example.com' and subject = 'Message from a customer'")
            .await,
        "1",
        "the one that she had before"
    );
    let decided = shop.decided(&ann).await;
    for expected in [
        "customer_message email withheld unsubscribed",
        "customer_message in_app sent topic_default",
        "payment_received email sent topic_default",
    ] {
        assert!(decided.contains(&expected.to_owned()), "{expected}: {decided:?}");
    }
    let links = "select string_agg(concat_ws(' ', subject, unsubscribe is not null), ', ' order by subject) from app.captured_messages where recipient = 'ann@example.com'";
    assert_eq!(
        shop.ask(links).await,
        "Message from a customer t, Payment of 5 USD t, Security of your account f",
        "what is mandatory cannot be refused"
    );

    // Refused between the decision and its task; and a company may make it mandatory.
    unsubscribe::ask(&shop, "POST", &format!("{path}/again"), "en").await;
    shop.alert(&ann, "customer_message", "").await;
    shop.messaging.pass_notifications().await.unwrap();
    unsubscribe::ask(&shop, "POST", path, "en").await;
    shop.tell().await;
    let last = "select status || ' ' || failure_reason from public.notification_queue where channel = 'email' order by id desc limit 1";
    assert_eq!(shop.ask(last).await, "cancelled unsubscribed");
    shop.sql(&format!(
        "insert into public.notification_defaults (company_id, topic, channel, is_mandatory) values ('{}', 'customer_message', 'email', true)",
        ann.company
    ))
    .await;
    shop.alert(&ann, "customer_message", "").await;
    shop.tell().await;
    assert!(shop.decided(&ann).await.contains(&"customer_message email sent company_mandatory".to_owned()));
    assert_eq!(shop.ask(last).await, "null", "it was sent");
}

#[tokio::test]
async fn amounts_are_written_in_the_minor_units_of_their_currency() {
    let shop = shop().await;
    for (minor, currency, locale, shown) in [
        (123_450, "USD", "en", "1,234.50 USD"),
        (-99, "EUR", "en", "-0.99 EUR"),
        (123_450, "EUR", "de-AT", "1.234,50 EUR"),
        (1_000_000, "JPY", "en", "1,000,000 JPY"),
        (1_000_000, "CLP", "es", "1.000.000 CLP"),
        (1_234_567, "KWD", "en", "1,234.567 KWD"),
        (0, "TND", "de", "0,000 TND"),
    ] {
        let call = format!("app.shown_amount('{minor}', '{currency}', '{locale}')");
        assert_eq!(shop.ask(&format!("select {call}")).await, shown, "{call}");
        assert_eq!(kernel::shown_amount(minor, currency, locale), shown, "a letter says the same");
    }
    assert_eq!(shop.ask("select app.shown_amount('5', null, 'en')").await, "0.05 USD");
}
