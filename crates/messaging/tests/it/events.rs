//! What happens to rows becomes events, if somebody asks for them.

use serde_json::{Value, json};

use crate::shop::{Member, Shop};

/// The names of the events of a company since the last time, the oldest first.
async fn names(shop: &Shop, who: &Member) -> Value {
    let of = format!("from app.events e where e.company_id = '{}'", who.company);
    let text = shop.ask(&format!("select coalesce(jsonb_agg(to_jsonb(e.names) order by e.number), '[]') {of}")).await;
    shop.sql(&format!("delete {of}")).await;
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn every_change_has_its_name_and_no_secret() {
    let shop = Shop::new().await;
    let (ann, bob) = (shop.owner("ann").await, shop.owner("bob").await);
    shop.customer(&ann, "Early").await;
    assert_eq!(names(&shop, &ann).await, json!([]), "nobody asks");
    let hook = shop.webhook(&ann, "https://example.com/in", json!({ "events": ["customer.*", "job.completed", "job.deleted"] })).await;
    shop.customer(&bob, "Other").await;
    assert_eq!(names(&shop, &bob).await, json!([]), "nobody of that company asks");

    let customer = shop.customer(&ann, "Ada").await;
    let one = format!("where company_id = '{}' and id = '{customer}'", ann.company);
    shop.sql(&format!("update public.customers set first_name = 'Eve' {one}")).await;
    shop.sql(&format!("update public.customers set first_name = 'Eve' {one}")).await;
    let told = shop
        .ask(&format!(
            "select jsonb_build_array(payload #> '{{data,first_name}}', payload -> 'previous' -> 'first_name',
        payload -> 'data' ? 'search_vector', payload -> 'data' ? 'company_id') from app.events where company_id = '{}'
        order by number desc limit 1",
            ann.company
        ))
        .await;
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), json!(["Eve", "Ada", false, true]));
    shop.sql(&format!("update public.customers set deleted_at = now() {one}")).await;
    shop.sql(&format!("update public.customers set last_name = 'Hidden' {one}")).await;
    shop.sql(&format!("update public.customers set deleted_at = null {one}")).await;
    assert_eq!(
        names(&shop, &ann).await,
        json!([["customer.created"], ["customer.updated"], ["customer.deleted"], ["customer.restored"]]),
        "what changes nothing is no event, and of what is deleted nobody hears"
    );

    let job = format!(
        "insert into public.jobs (company_id, id, title, customer_id, status, scheduled_start, scheduled_end, assigned_to)
         values ('{0}', app.uuid_v7(), 'Boiler', '{customer}', 'in_progress', now(), now() + interval '1 hour', '{1}')",
        ann.company, ann.user
    );
    shop.sql(&job).await;
    shop.sql(&format!("update public.jobs set status = 'on_hold' where company_id = '{}'", ann.company)).await;
    shop.sql(&format!("update public.jobs set status = 'in_progress' where company_id = '{}'", ann.company)).await;
    shop.sql(&format!("update public.jobs set status = 'completed' where company_id = '{}'", ann.company)).await;
    let jobs: Vec<Value> = names(&shop, &ann)
        .await
        .as_array()
        .unwrap()
        .iter()
        .filter(|names| names[0].as_str().unwrap().starts_with("job."))
        .cloned()
        .collect();
    assert_eq!(jobs, [json!(["job.completed", "job.updated"])], "only what was asked for");

    let off = shop.call(Some(&ann), "PATCH", &format!("/{}", hook["id"].as_str().unwrap()), Some(json!({ "is_active": false }))).await.ok();
    assert_eq!(off["is_active"], false);
    shop.customer(&ann, "Late").await;
    assert_eq!(names(&shop, &ann).await, json!([]), "nobody asks any more");
}

#[tokio::test]
async fn a_company_goes_with_its_webhooks() {
    let shop = Shop::new().await;
    let ann = shop.owner("ann").await;
    shop.webhook(&ann, "https://example.com/in", json!({})).await;
    shop.customer(&ann, "Ada").await;
    shop.pass().await;
    shop.sql(&format!("delete from public.customers where company_id = '{}'", ann.company)).await;
    let left = "select (select count(*) from app.webhook_deliveries) || ' ' || (select count(*) from app.event_interest)";
    assert_eq!(shop.ask(left).await.split(' ').nth(1), Some("1"));
    shop.sql("delete from public.webhooks").await;
    assert_eq!(shop.ask(left).await, "0 0");
}
