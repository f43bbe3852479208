//! Members are told of what happens: who, by which way, when, and why not.

use messaging::NotificationConfig;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::shop::{Member, Shop};

async fn shop() -> Shop {
    Shop::telling(NotificationConfig::default()).await
}

impl Shop {
    pub(crate) async fn rows(&self, sql: &str) -> Value {
        serde_json::from_str(&self.ask(&format!("select coalesce(jsonb_agg(to_jsonb(r)), '[]') from ({sql}) r")).await).unwrap()
    }

    /// Adds a job that somebody leads.
    pub(crate) async fn job(&self, of: &Member, title: &str, leads: &Member) -> Uuid {
        let id = Uuid::now_v7();
        let customer = self.customer(of, "Ben").await;
        self.sql(&format!(
            "insert into public.jobs (company_id, id, title, customer_id, status, assigned_to, scheduled_start, scheduled_end)
             values ('{}', '{id}', '{title}', '{customer}', 'scheduled', '{}', '2030-01-02 15:00Z', '2030-01-02 16:00Z')",
            of.company, leads.user
        ))
        .await;
        id
    }

    /// What a member was told: topic, channel, subject, status.
    pub(crate) async fn told(&self, who: &Member) -> Value {
        self.rows(&format!(
            "select q.type, q.channel, q.subject, q.status from public.notification_queue q where q.user_id = '{}' order by q.type, q.channel",
            who.user
        ))
        .await
    }

    /// What was decided of a member: channel, decision, reason.
    pub(crate) async fn decided(&self, who: &Member) -> Vec<String> {
        let rows = self
            .rows(&format!("select concat_ws(' ', d.topic, d.channel, d.decision, d.reason) as w from app.notification_decisions d where d.user_id = '{}' and d.topic <> 'team_member_activity' order by d.id", who.user))
            .await;
        rows.as_array().unwrap().iter().map(|row| row["w"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn wish(&self, who: &Member, columns: &str, values: &str) {
        self.sql(&format!(
            "insert into public.notification_preferences (company_id, user_id, {columns}) values ('{}', '{}', {values})",
            who.company, who.user
        ))
        .await;
    }

    pub(crate) async fn alert(&self, to: &Member, topic: &str, more: &str) -> String {
        self.ask(&format!("select app.notify('{topic}', '{}', array['{}'::uuid]{more})", to.company, to.user)).await
    }
}

#[tokio::test]
async fn who_leads_a_job_is_told_once_by_feed_and_mail() {
    let shop = shop().await;
    let ann = shop.owner("ann").await;
    let tom = shop.member(&ann, "tom", "technician").await;
    let job = shop.job(&ann, "Fix the boiler", &tom).await;
    assert_eq!(shop.told(&tom).await, json!([]), "nothing is decided in the change itself");
    assert_eq!(shop.tell().await, 0);
    let number = shop.ask(&format!("select job_number from public.jobs where id = '{job}'")).await;
    let subject = format!("You lead job {number}");
    assert_eq!(
        shop.told(&tom).await,
        json!([
            { "type": "job_assigned", "channel": "email", "subject": subject, "status": "sent" },
            { "type": "job_assigned", "channel": "in_app", "subject": subject, "status": "sent" },
        ])
    );
    let mail = shop.mail("tom@example.com").await;
    assert!(
        mail.starts_with(&format!("{subject}|Fix the boiler for Ben Lee, Jan 2, 2030")) && mail.contains("Customer: Ben Lee"),
        "{mail}"
    );
    let kept = format!(
        "select string_agg(is_asked::text, ' ') || (select bool_and(company_id = '{}') from app.message_attempts) from app.outbox",
        ann.company
    );
    assert_eq!(shop.ask(&kept).await, "falsetrue", "he did not ask for it: suppressions hold it, and it is in the company's log");
    assert_eq!(
        shop.decided(&tom).await,
        [
            "job_assigned in_app sent topic_default",
            "job_assigned email sent topic_default",
            "job_assigned sms withheld topic_default",
            "job_assigned push withheld no_device",
        ]
    );
    assert_eq!(shop.decided(&ann).await, Vec::<String>::new(), "she leads nothing and booked nothing");

    // A server that died after it wrote, and before it said so.
    shop.sql("update app.notification_events set done_at = null, due_at = now()").await;
    shop.tell().await;
    assert_eq!(shop.told(&tom).await.as_array().unwrap().len(), 2, "once");
    shop.sql("update public.jobs set notes = 'x'").await;
    assert_eq!(shop.ask("select count(*) from app.notification_events where entity_type = 'job'").await, "1", "of a note nobody hears");
    shop.sql(&format!("update public.jobs set assigned_to = '{}'", ann.user)).await;
    shop.tell().await;
    assert_eq!(shop.told(&ann).await[0]["type"], "job_assigned");
    shop.sql("select set_config('app.untold', 'on', false); update public.jobs set status = 'on_hold'").await;
    assert_eq!(shop.ask("select count(*) from app.notification_events where done_at is null").await, "0", "brought in, not told");
}

#[tokio::test]
async fn nobody_is_told_of_his_own_act_or_of_what_he_may_not_read() {
    let shop = shop().await;
    let (ann, eve) = (shop.owner("ann").await, shop.owner("eve").await);
    let (tom, gone) = (shop.member(&ann, "tom", "technician").await, shop.member(&ann, "gone", "technician").await);
    let job = shop.job(&ann, "Boiler", &tom).await;
    shop.tell().await;
    shop.sql(&format!(
        "delete from app.notification_decisions; update public.team_members set status = 'suspended' where user_id = '{}'",
        gone.user
    ))
    .await;
    shop.sql("update app.notification_events set done_at = null, due_at = now()").await;
    shop.sql(&format!("update app.notification_events set actor_id = '{}'", tom.user)).await;
    shop.tell().await;
    assert_eq!(shop.decided(&tom).await, ["job_assigned withheld own_act"]);

    let everybody = format!("array['{}', '{}', '{}']::uuid[]", tom.user, gone.user, eve.user);
    shop.sql(&format!("select app.notify('payment_received', '{}', {everybody}, p_entity_id => '{job}')", ann.company)).await;
    shop.tell().await;
    assert_eq!(shop.decided(&gone).await, ["payment_received withheld not_active"]);
    assert_eq!(shop.decided(&eve).await, Vec::<String>::new(), "no member");
    assert_eq!(shop.told(&eve).await, json!([]), "of another company");
    assert_eq!(shop.decided(&tom).await[1], "payment_received in_app sent topic_default", "he reads payments of his own");
    let viewer = shop.member(&ann, "vera", "member").await;
    shop.alert(&viewer, "payment_received", "").await;
    shop.tell().await;
    assert_eq!(shop.decided(&viewer).await, ["payment_received withheld no_permission"]);
    shop.sql(&format!("update public.companies set deleted_at = now() where id = '{}'", ann.company)).await;
    shop.sql(&format!(
        "insert into app.notification_events (company_id, names, topic, user_ids) values ('{}', '{{alert}}', 'alert', array['{}'::uuid])",
        ann.company, tom.user
    ))
    .await;
    let before = shop.told(&tom).await;
    shop.tell().await;
    assert_eq!(shop.told(&tom).await, before, "nobody hears of a company that is deleted");
}

#[tokio::test]
async fn what_decides_goes_from_the_strongest_to_the_weakest() {
    let shop = shop().await;
    let ann = shop.owner("ann").await;
    let says = async |topic: &str, channel: &str| {
        shop.ask(&format!(
            "select concat_ws(' ', d.is_enabled, d.reason) from app.decide_notification('{}', '{}', '{topic}', '{channel}') d",
            ann.company, ann.user
        ))
        .await
    };
    let company = async |topic: &str, channel: &str, values: &str| {
        shop.sql(&format!(
            "insert into public.notification_defaults (company_id, topic, channel, enabled, is_mandatory) values ('{}', '{topic}', '{channel}', {values})
             on conflict (company_id, topic, channel) do update set enabled = excluded.enabled, is_mandatory = excluded.is_mandatory",
            ann.company
        ))
        .await;
    };
    assert_eq!(says("job_assigned", "email").await, "t topic_default");
    assert_eq!(says("job_assigned", "sms").await, "f topic_default");
    assert_eq!(says("team_member_activity", "in_app").await, "f topic_default");
    company("job_assigned", "email", "false, false").await;
    assert_eq!(says("job_assigned", "email").await, "f company_default");
    shop.wish(&ann, "sms_enabled, push_enabled, job_updated", "true, false, false").await;
    assert_eq!(says("job_assigned", "email").await, "t preferences");
    assert_eq!(says("job_assigned", "sms").await, "t preferences");
    assert_eq!(says("job_assigned", "push").await, "f channel_off");
    assert_eq!(says("job_updated", "email").await, "f topic_off");
    assert_eq!(says("missed_call", "sms").await, "f topic_default", "the preferences have no word for it");
    assert_eq!(says("missed_call", "push").await, "f channel_off");
    shop.sql(&format!(
        "insert into public.notification_choices (company_id, user_id, topic, channel, enabled)
         values ('{0}', '{1}', 'job_updated', 'email', true), ('{0}', '{1}', 'job_assigned', 'email', false)",
        ann.company, ann.user
    ))
    .await;
    assert_eq!(says("job_updated", "email").await, "t chosen_on");
    assert_eq!(says("job_assigned", "email").await, "f chosen_off");
    company("job_assigned", "email", "true, true").await;
    assert_eq!(says("job_assigned", "email").await, "t company_mandatory");
    shop.sql("update public.notification_preferences set email_enabled = false, in_app_enabled = false").await;
    assert_eq!(says("security", "email").await, "t mandatory");
    assert_eq!(says("nothing", "email").await, "f topic_unknown");
}

#[tokio::test]
async fn quiet_hours_end_later_than_now_also_where_clocks_change() {
    let shop = shop().await;
    let until = async |start: &str, end: &str, zone: &str, at: &str| {
        shop.ask(&format!("select to_char(app.quiet_until('{start}', '{end}', '{zone}', '{at}') at time zone 'UTC', 'MM-DD HH24:MI')"))
            .await
    };
    assert_eq!(until("12:00", "13:00", "Europe/Berlin", "2026-07-01 10:30Z").await, "07-01 11:00");
    assert_eq!(until("12:00", "13:00", "Europe/Berlin", "2026-07-01 11:00Z").await, "null", "the end is outside");
    assert_eq!(until("22:00", "07:00", "America/Chicago", "2026-07-02 04:00Z").await, "07-02 12:00", "before midnight");
    assert_eq!(until("22:00", "07:00", "America/Chicago", "2026-07-02 11:00Z").await, "07-02 12:00", "after midnight");
    assert_eq!(until("22:00", "07:00", "America/Chicago", "2026-07-02 13:00Z").await, "null");
    assert_eq!(until("08:00", "08:00", "UTC", "2026-07-02 08:00Z").await, "null", "it would never be over");
    assert_eq!(until("22:00", "02:30", "Europe/Berlin", "2026-03-29 00:30Z").await, "03-29 01:30", "02:30 is skipped that night");
    assert_eq!(until("22:00", "02:30", "Europe/Berlin", "2026-10-25 00:15Z").await, "10-25 01:30", "02:30 comes twice: the later");
    assert_eq!(until("22:00", "07:00", "Nowhere/Land", "2026-07-02 23:00Z").await, "07-03 07:00", "UTC");
    let ends = async |frequency: &str, zone: &str, at: &str| {
        shop.ask(&format!("select to_char(app.digest_end('{frequency}', '{zone}', 8, '{at}') at time zone 'UTC', 'MM-DD HH24:MI')")).await
    };
    assert_eq!(ends("hourly", "Asia/Kolkata", "2026-07-01 10:10Z").await, "07-01 10:30");
    assert_eq!(ends("daily", "Europe/Berlin", "2026-07-01 05:00Z").await, "07-01 06:00");
    assert_eq!(ends("daily", "Europe/Berlin", "2026-03-28 12:00Z").await, "03-29 06:00", "summer begins that night");
    assert_eq!(ends("weekly", "UTC", "2026-07-01 05:00Z").await, "07-06 08:00", "Monday");
    assert_eq!(ends("weekly", "UTC", "2026-07-06 08:00Z").await, "07-13 08:00");
}

#[tokio::test]
async fn nobody_is_disturbed_in_his_quiet_hours_unless_it_is_urgent() {
    let shop = shop().await;
    let ann = shop.owner("ann").await;
    shop.wish(
        &ann,
        "quiet_hours_enabled, quiet_hours_start, quiet_hours_end",
        "true, (now() at time zone 'UTC')::time - interval '1 hour', (now() at time zone 'UTC')::time + interval '1 hour'",
    )
    .await;
    shop.alert(&ann, "customer_message", "").await;
    shop.alert(&ann, "alert", ", '{\"subject\": \"Fire\"}'").await;
    assert_eq!(shop.tell().await, 1);
    let mut told = shop.told(&ann).await;
    told.as_array_mut().unwrap().retain(|row| row["channel"] == "email");
    assert_eq!(
        told,
        json!([{ "type": "alert", "channel": "email", "subject": "Fire", "status": "sent" },
               { "type": "customer_message", "channel": "email", "subject": "Message from a customer", "status": "pending" }])
    );
    shop.tell().await;
    let decided = shop.decided(&ann).await;
    assert_eq!(decided.iter().filter(|one| one.contains("deferred quiet_hours")).count(), 1, "{decided:?}");
    shop.wait(3700);
    assert_eq!(shop.tell().await, 0);
    assert!(shop.mail("ann@example.com").await.starts_with("Message from a customer|"));
}

#[tokio::test]
async fn a_digest_gathers_mails_until_its_window_ends() {
    let shop = shop().await;
    // Its window ends with the hour: not while that is about to end.
    while shop.now() % 3600 > 3540 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let ann = shop.owner("ann").await;
    shop.wish(&ann, "digest_enabled, digest_frequency", "true, 'hourly'").await;
    for from in ["One", "Two"] {
        shop.alert(&ann, "customer_message", &format!(", '{{\"from\": \"{from}\"}}'")).await;
    }
    shop.alert(&ann, "security", "").await;
    shop.tell().await;
    assert_eq!(shop.ask("select count(*) from app.tasks where kind = 'send_digests' and run_at > now()").await, "1", "one task a window");
    let mails = "select string_agg(subject, '|' order by id) from app.captured_messages where recipient = 'ann@example.com'";
    assert_eq!(shop.ask(mails).await, "Security of your account", "what is mandatory is not gathered");
    let digest = async || {
        let tx = shop.begin(None).await;
        shop.messaging.send_digests(&tx, None).await.unwrap();
        tx.commit().await.unwrap();
        shop.tell().await;
    };
    digest().await;
    assert_eq!(shop.ask(mails).await, "Security of your account", "its window is open");
    shop.wait(3600);
    digest().await;
    digest().await;
    assert_eq!(shop.ask(mails).await, "Security of your account|2 messages from ann's");
    let mail = shop.mail("ann@example.com").await;
    assert!(mail.contains("Message from One\nOne wrote") && mail.contains("Message from Two"), "{mail}");
    assert_eq!(shop.ask("select count(*) from public.notification_queue where status = 'pending'").await, "0");
    let decided = shop.decided(&ann).await;
    assert!(decided.contains(&"customer_message email gathered digest_hourly".to_owned()), "{decided:?}");
}

#[tokio::test]
async fn a_topic_tells_only_so_much_in_an_hour() {
    let shop = Shop::telling(NotificationConfig { email_hour_max: 2, ..NotificationConfig::default() }).await;
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    shop.sql(&format!(
        "insert into public.notification_defaults (company_id, topic, channel, hour_max) values ('{}', 'customer_message', 'email', 1)",
        bob.company
    ))
    .await;
    for _ in 0..3 {
        shop.alert(&ann, "customer_message", "").await;
        shop.alert(&bob, "customer_message", "").await;
        shop.tell().await;
    }
    shop.alert(&ann, "customer_message", ", p_priority => 'urgent'").await;
    shop.tell().await;
    let count = |decided: Vec<String>, word: &str| decided.iter().filter(|one| one.contains(word)).count();
    assert_eq!(count(shop.decided(&ann).await, "email sent"), 3, "two, and what is urgent");
    assert_eq!(count(shop.decided(&ann).await, "email withheld throttled"), 1);
    assert_eq!(count(shop.decided(&bob).await, "email withheld throttled"), 2);
    assert_eq!(count(shop.decided(&bob).await, "in_app sent"), 3);
}

#[tokio::test]
async fn what_cannot_be_delivered_says_why() {
    let shop = shop().await;
    let ann = shop.owner("ann").await;
    shop.sql(&format!(
        "insert into public.suppressions (company_id, kind, address_key, reason) values ('{}', 'email', 'ann@example.com', 'bounce')",
        ann.company
    ))
    .await;
    shop.sql(&format!("insert into public.notification_choices (company_id, user_id, topic, channel, enabled) values ('{}', '{}', 'customer_message', 'sms', true)", ann.company, ann.user)).await;
    shop.alert(&ann, "customer_message", "").await;
    shop.tell().await;
    let decided = shop.decided(&ann).await;
    assert!(decided.contains(&"customer_message email withheld suppressed".to_owned()), "{decided:?}");
    assert!(decided.contains(&"customer_message sms withheld no_address".to_owned()), "{decided:?}");

    // Switched off between the decision and its task.
    shop.sql("delete from public.suppressions").await;
    shop.alert(&ann, "customer_message", "").await;
    shop.messaging.pass_notifications().await.unwrap();
    shop.wish(&ann, "email_enabled", "false").await;
    shop.tell().await;
    assert_eq!(
        shop.ask("select status || ' ' || failure_reason from public.notification_queue where channel = 'email'").await,
        "cancelled channel_off"
    );
    // What is old stands in the feed and disturbs nobody.
    shop.sql("delete from public.notification_preferences; delete from app.notification_decisions").await;
    shop.alert(&ann, "customer_message", "").await;
    shop.wait(25 * 3600);
    shop.tell().await;
    let decided = shop.decided(&ann).await;
    assert!(decided.contains(&"customer_message email withheld too_old".to_owned()) && decided[0].contains("in_app sent"), "{decided:?}");
}

#[tokio::test]
async fn a_companys_texts_go_before_ours_in_the_readers_language() {
    let shop = shop().await;
    let ann = shop.owner("ann").await;
    shop.sql(&format!("update public.users set preferences = '{{\"locale\": \"de-AT\"}}' where id = '{}'", ann.user)).await;
    shop.alert(&ann, "customer_message", ", '{\"from\": \"<Ben>\"}'").await;
    shop.tell().await;
    assert_eq!(shop.told(&ann).await[0]["subject"], "Nachricht von <Ben>");
    shop.sql(&format!(
        "insert into public.notification_templates (company_id, event, channel, locale, name, subject, body)
         values ('{0}', 'customer_message', 'email', 'de', 'Post', 'Post von {{{{ from }}}}', 'Hallo, {{% if from %}}{{{{ from }}}}{{% endif %}} <i>schrieb</i>.'),
                ('{0}', 'customer_message', 'in_app', 'en', 'Post', 'Not read', 'Not read')",
        ann.company
    ))
    .await;
    shop.alert(&ann, "customer_message", ", '{\"from\": \"<Ben>\"}'").await;
    shop.tell().await;
    let html = shop.ask("select subject || '|' || body || '|' || (body_html like '%Hallo, &lt;Ben&gt; &lt;i&gt;schrieb%') from public.notification_queue
                          where channel = 'email' order by created_at desc limit 1").await;
    assert_eq!(html, "Post von <Ben>|Hallo, <Ben> <i>schrieb</i>.|true");
    for bad in ["{{ 9 * 9 }}", "{% for a in b %}{% endfor %}", "{{ from", "{% if from %}", "{{ from|upper }}", "{# x #}"] {
        let refused =
            shop.db.superuser().await.batch_execute(&format!("update public.notification_templates set body = '{bad}'")).await.unwrap_err();
        assert_eq!(refused.as_db_error().unwrap().constraint(), Some("notification_template_invalid"), "{bad}");
    }
}

#[tokio::test]
async fn what_becomes_due_is_told_once() {
    let shop = shop().await;
    let ann = shop.owner("ann").await;
    let tom = shop.member(&ann, "tom", "technician").await;
    let customer = shop.customer(&ann, "Ben").await;
    shop.sql(&format!(
        "insert into public.schedules (company_id, title, customer_id, assigned_to, start_time, end_time, status)
         values ('{0}', 'Boiler', '{customer}', '{1}', now() + interval '30 minutes', now() + interval '90 minutes', 'scheduled'),
                ('{0}', 'Later', '{customer}', '{1}', now() + interval '3 hours', now() + interval '4 hours', 'scheduled');
         insert into public.equipment (company_id, customer_id, name, next_service_due) values ('{0}', '{customer}', 'Heater', now() + interval '3 days')",
        ann.company, tom.user
    ))
    .await;
    shop.tell().await;
    shop.sql("delete from public.notification_queue").await;
    let due = async || {
        let tx = shop.begin(None).await;
        let told = shop.messaging.notify_due(&tx).await.unwrap();
        tx.commit().await.unwrap();
        shop.tell().await;
        told
    };
    assert_eq!(due().await, 2);
    assert_eq!(due().await, 0, "once");
    let subjects = async |who: &Member| {
        let told = shop.told(who).await;
        told.as_array()
            .unwrap()
            .iter()
            .filter(|row| row["channel"] == "in_app")
            .map(|row| row["subject"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(subjects(&tom).await, ["Soon: Boiler"]);
    assert_eq!(subjects(&ann).await, ["Service due: Heater"], "she plans services");
    shop.sql("update public.schedules set start_time = start_time + interval '10 minutes' where title = 'Boiler'").await;
    assert_eq!(due().await, 1, "it was moved");
    assert_eq!(shop.ask("select count(*) from app.tasks where kind = 'send_digests'").await, "1");
}

#[tokio::test]
async fn low_stock_is_told_until_there_is_enough_again() {
    let shop = shop().await;
    let ann = shop.owner("ann").await;
    shop.sql(&format!(
        "with c as (insert into public.price_book_categories (company_id, name) values ('{0}', 'Parts') returning id),
              p as (insert into public.price_book_items (company_id, category_id, item_type, name) select '{0}', id, 'material', 'Valve' from c returning id)
         insert into public.inventory (company_id, price_book_item_id, quantity_on_hand, minimum_quantity) select '{0}', id, 2, 5 from p",
        ann.company
    ))
    .await;
    let due = async || {
        let tx = shop.begin(None).await;
        let told = shop.messaging.notify_due(&tx).await.unwrap();
        tx.commit().await.unwrap();
        shop.tell().await;
        told
    };
    assert_eq!((due().await, due().await), (1, 0));
    let body = "select string_agg(body, '|') from public.notification_queue where channel = 'in_app' and type = 'inventory_low_stock'";
    assert_eq!(shop.ask(body).await, "2 left of Valve; the minimum is 5.");
    shop.sql("update public.inventory set quantity_on_hand = 9").await;
    assert_eq!(due().await, 0);
    shop.sql("update public.inventory set quantity_on_hand = 1").await;
    assert_eq!(due().await, 1);
}

#[tokio::test]
async fn an_event_that_fails_is_tried_again_and_delays_no_other() {
    let shop = Shop::telling(NotificationConfig { attempts_max: 2, lease_seconds: 5, ..NotificationConfig::default() }).await;
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    shop.sql("delete from app.notification_events").await;
    shop.alert(&ann, "alert", "").await;
    shop.alert(&bob, "alert", "").await;
    shop.sql(&format!("alter table public.notification_queue add constraint broken check (company_id <> '{}') not valid", ann.company))
        .await;
    let decided = shop.messaging.pass_notifications().await.unwrap();
    assert_eq!((decided.events, decided.failed), (1, 1));
    assert_eq!(shop.told(&bob).await.as_array().unwrap().len(), 2);
    assert_eq!(shop.messaging.pass_notifications().await.unwrap().failed, 0, "not at once");
    shop.wait(60);
    assert_eq!(shop.messaging.pass_notifications().await.unwrap().failed, 1);
    shop.wait(3600);
    assert_eq!(shop.messaging.pass_notifications().await.unwrap().failed, 0, "given up");
    assert_eq!(shop.ask("select count(*) from app.notification_events where error is not null and done_at is not null").await, "1");
}

#[tokio::test]
async fn somebody_is_told_by_name_or_permission_once_for_a_key() {
    let shop = shop().await;
    let (ann, eve) = (shop.owner("ann").await, shop.owner("eve").await);
    let tom = shop.member(&ann, "tom", "technician").await;
    let first = shop.alert(&tom, "system", ", p_unique_key => 'k'").await;
    assert_eq!(shop.alert(&tom, "system", ", p_unique_key => 'k'").await, first);
    assert_ne!(shop.alert(&eve, "system", ", p_unique_key => 'k'").await, first, "another company's key");
    shop.sql(&format!("select app.notify('system', '{}', p_permission => 'billing:manage')", ann.company)).await;
    shop.tell().await;
    assert_eq!((shop.told(&tom).await.as_array().unwrap().len(), shop.told(&ann).await.as_array().unwrap().len()), (1, 1));
    for (call, code) in [
        (format!("'nothing', '{}', array['{}'::uuid]", ann.company, tom.user), "notification_topic_unknown"),
        (format!("'alert', '{}'", ann.company), "notification_people_invalid"),
        (format!("'alert', '{}', array['{}'::uuid]", Uuid::now_v7(), tom.user), "notification_company_unknown"),
        (format!("'alert', '{}', array['{}'::uuid], p_priority => 'x'", ann.company, tom.user), "notification_priority_invalid"),
        (format!("'alert', '{}', array['{}'::uuid], '[]'", ann.company, tom.user), "notification_params_invalid"),
    ] {
        let refused = shop.db.superuser().await.batch_execute(&format!("select app.notify({call})")).await.unwrap_err();
        assert_eq!(refused.as_db_error().unwrap().constraint(), Some(code), "{call}");
    }
    shop.sql("update public.notification_queue set created_at = now() - interval '91 days'; update app.notification_events set created_at = now() - interval '41 days'").await;
    shop.sql("do $$ begin perform app.expire(1000); end $$").await;
    assert_eq!(
        shop.ask("select (select count(*) from public.notification_queue) || ' ' || (select count(*) from app.notification_events)").await,
        "0 0"
    );
}
