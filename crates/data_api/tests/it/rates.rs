//! Rates that are set at run time, and counters by a key of the caller's own: who may, and what they say.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};
use crate::together::together;

async fn company_rates(server: &Server, who: &Caller) -> Value {
    server.post(who, "rpc/company_rate_limits", json!({}), "").await.ok()
}

fn of<'a>(rates: &'a Value, class: &str) -> Vec<&'a Value> {
    rates.as_array().unwrap().iter().filter(|rate| rate["class"] == class).collect()
}

/// Waits while a minute is about to end: the next one knows nothing of what was counted in it.
async fn in_one_minute(server: &Server) {
    let client = server.db.superuser().await;
    let second = "select extract(second from clock_timestamp())::integer";
    while client.query_one(second, &[]).await.unwrap().get::<_, i32>(0) > 35 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn the_operator_sets_rates_and_whoever_pays_sees_those_of_his_company() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let admin = server.member(&ann.company_id, "admin").await;
    let service = server.service();
    let set = async |who: &Caller, body: Value| server.post(who, "rpc/set_rate_limit", body, "").await;
    let everybody = set(&service, json!({ "class": "write", "minute_max": 200 })).await.ok();
    assert_eq!([&everybody["minute_max"], &everybody["company_id"], &everybody["counted"]], [&json!(200), &Value::Null, &json!("caller")]);
    set(&service, json!({ "class": "write", "minute_max": 300, "tier": "free" })).await.ok();
    set(&service, json!({ "class": "write", "minute_max": 400, "burst_max": 40, "company_id": ann.company_id })).await.ok();
    set(&service, json!({ "class": "write", "minute_max": 500, "company_id": ann.company_id })).await.ok();
    set(&service, json!({ "class": "read", "minute_max": null, "company_id": ann.company_id, "counted": "company", "shadow": true }))
        .await
        .ok();

    let hers = company_rates(&server, &ann).await;
    let own = json!({ "class": "write", "counted": "caller", "minute_max": 500, "burst_max": null, "shadow": null, "said_for": "company" });
    assert_eq!(of(&hers, "write"), [&own]);
    let all =
        json!({ "class": "read", "counted": "company", "minute_max": null, "burst_max": null, "shadow": true, "said_for": "company" });
    assert_eq!(of(&hers, "read"), [&all]);
    let his = company_rates(&server, &bob).await;
    assert_eq!(of(&his, "write")[0]["minute_max"], 300, "the tier goes before everybody");
    assert!(of(&his, "read").is_empty() && !his.to_string().contains(&ann.company_id));
    for (class, company, removed) in
        [("write", &ann.company_id, true), ("write", &ann.company_id, false), ("export", &bob.company_id, false)]
    {
        let body = json!({ "class": class, "company_id": company });
        assert_eq!(server.post(&service, "rpc/remove_rate_limit", body, "").await.ok(), json!(removed));
    }
    assert_eq!(of(&company_rates(&server, &ann).await, "write")[0]["minute_max"], 300);

    // Who may not.
    server.post(&admin, "rpc/company_rate_limits", json!({}), "").await.refused(403, "permission_denied");
    server.post(&server.person("eve").await, "rpc/company_rate_limits", json!({}), "").await.refused(403, "company_required");
    server.post(&Server::nobody(), "rpc/company_rate_limits", json!({}), "").await.refused(401, "42501");
    for function in ["set_rate_limit", "remove_rate_limit"] {
        let mut body = json!({ "class": "write", "company_id": ann.company_id });
        if function == "set_rate_limit" {
            body["minute_max"] = json!(1_000_000);
        }
        server.post(&ann, &format!("rpc/{function}"), body.clone(), "").await.refused(403, "42501");
        server.post(&Server::nobody(), &format!("rpc/{function}"), body.clone(), "").await.refused(401, "42501");
        // A program that works in a company speaks of no other, and of no tier.
        let within = Caller { works_in: Some(bob.company_id.clone()), ..service.clone() };
        server.post(&within, &format!("rpc/{function}"), body.clone(), "").await.refused(403, "rate_limit_not_yours");
        body["company_id"] = Value::Null;
        server.post(&within, &format!("rpc/{function}"), body, "").await.refused(403, "rate_limit_not_yours");
    }
    for wrong in [
        json!({ "class": "reading", "minute_max": 1 }),
        json!({ "class": "read", "minute_max": 0 }),
        json!({ "class": "read", "minute_max": 1, "counted": "planet" }),
        json!({ "class": "read", "minute_max": 1, "tier": "platinum" }),
        json!({ "class": "read", "minute_max": 1, "company_id": "01900000-0000-7000-8000-0000000000ff" }),
        json!({ "class": "read", "minute_max": 1, "tier": "pro", "company_id": ann.company_id }),
    ] {
        set(&service, wrong).await.refused(422, "rate_limit_invalid");
    }
}

#[tokio::test]
async fn a_program_counts_by_keys_of_its_own() {
    let server = Arc::new(Server::new().await);
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let service = server.service();
    let count = async |who: &Caller, body: Value| server.post(who, "rpc/increment_rate_limit", body, "").await;
    let single = Said { accept: "application/vnd.pgrst.object+json", ..Said::default() };
    let seen = async |who: &Caller| server.get_with(who, "rate_limits?select=count&key=eq.ratelimit:ann", single).await;

    // As programs do that look, compare and count.
    assert_eq!(seen(&service).await.status, 406, "nothing was counted yet");
    let one = || ("POST", "rpc/increment_rate_limit".to_owned(), json!({ "key": "ratelimit:ann" }));
    let answers = together(&server, &service, vec![one(), one(), one(), one()]).await;
    let mut counted: Vec<_> = answers.into_iter().map(|answer| answer.ok().as_i64().unwrap()).collect();
    counted.sort_unstable();
    // Unless the minute ends in between, which begins anew.
    assert!(counted == [1, 2, 3, 4] || counted[0] == 1 && counted[1] == 1, "{counted:?}");
    let now = count(&service, json!({ "key": "ratelimit:ann", "amount": 200 })).await.ok().as_i64().unwrap();
    let row = server.get(&service, "rate_limits?select=count,rate_limit,is_blocked&key=eq.ratelimit:ann").await.ok();
    assert!(row == json!([]) || row == json!([{ "count": now, "rate_limit": 100, "is_blocked": true }]), "{row}");

    // The same word of another company's program is another key.
    let within = |company: &str| Caller { works_in: Some(company.to_owned()), ..service.clone() };
    let (hers, his) = (within(&ann.company_id), within(&bob.company_id));
    assert_eq!(count(&hers, json!({ "key": "ratelimit:ann" })).await.ok(), json!(1));
    assert_eq!(count(&his, json!({ "key": "ratelimit:bob" })).await.ok(), json!(1));
    let keys = async |who: &Caller| server.get(who, "rate_limits?select=key,count&order=key").await.ok().to_string();
    assert!(!keys(&hers).await.contains("ratelimit:bob") && !keys(&his).await.contains("ratelimit:ann"));

    // What is over since a day goes with the rest that is too old.
    let superuser = server.db.superuser().await;
    superuser.batch_execute("update public.api_rate_limits set window_start = window_start - interval '2 days', window_end = window_end - interval '2 days' where identifier_value = 'ratelimit:bob'").await.unwrap();
    superuser.batch_execute("select app.expire(1000)").await.unwrap();
    let left = superuser.query_one("select string_agg(distinct identifier_value, ' ') from public.api_rate_limits", &[]).await.unwrap();
    assert_eq!(left.get::<_, String>(0), "ratelimit:ann");

    for who in [&ann, &bob] {
        count(who, json!({ "key": "x" })).await.refused(403, "42501");
        server.get(who, "rate_limits").await.refused(403, "42501");
        server.get(who, "api_rate_limits").await.refused(403, "42501");
    }
    count(&Server::nobody(), json!({ "key": "x" })).await.refused(401, "42501");
    server.get(&Server::nobody(), "rate_limits").await.refused(401, "42501");
    for wrong in [
        json!({ "key": "" }),
        json!({ "key": "x", "amount": 0 }),
        json!({ "key": "x", "rate_limit": 0 }),
        json!({ "key": "x".repeat(256) }),
    ] {
        count(&service, wrong).await.refused(422, "rate_limit_invalid");
    }
}

#[tokio::test]
async fn a_function_of_a_project_meets_the_rate_of_its_operation() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let service = server.service();
    let functions = "create function public.run_agent(fails boolean default false) returns integer language plpgsql volatile as $$
                     declare v_left integer := app.check_rate('ai_agent_execution');
                     begin if fails then raise exception 'the agent fell over'; end if; return v_left; end $$;
                     create function public.run_odd(operation text, cost integer default 1) returns integer language sql volatile
                       as 'select app.check_rate(operation, cost)';
                     revoke all on function public.run_agent(boolean), public.run_odd(text, integer) from public;
                     grant execute on function public.run_agent(boolean), public.run_odd(text, integer) to anon, authenticated, service_role";
    server.db.superuser().await.batch_execute(functions).await.unwrap();
    server.api.reload().await.unwrap();
    let run = async |who: &Caller, body: Value| server.post(who, "rpc/run_agent", body, "").await;
    let rule = json!({ "class": "ai_agent_execution", "minute_max": 3 });
    server.post(&service, "rpc/set_rate_limit", rule, "").await.ok();

    // What fails is not counted; of the others three, unless the minute ends in between, which begins anew.
    for _ in 0..5 {
        run(&ann, json!({ "fails": true })).await.refused(400, "P0001");
    }
    let mut went = Vec::new();
    let refused = loop {
        let answer = run(&ann, json!({})).await;
        if answer.status != 200 {
            break answer;
        }
        went.push(answer.ok());
        assert!(went.len() <= 6, "{went:?}");
    };
    assert!(went.starts_with(&[json!(2)]) && went.len() >= 3, "{went:?}");
    refused.refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(run(&bob, json!({})).await.ok(), json!(2), "another one has his own");
    assert_eq!(run(&service, json!({})).await.ok(), json!(null));
    let another = server.post(&ann, "rpc/run_odd", json!({ "operation": "vector_search", "cost": 5 }), "").await;
    assert_eq!(another.status, 200, "another operation is counted for itself");

    // A company's own rate goes before that of everybody, and what is only watched refuses nobody.
    let own = json!({ "class": "ai_agent_execution", "minute_max": 1, "company_id": bob.company_id, "shadow": true });
    server.post(&service, "rpc/set_rate_limit", own, "").await.ok();
    for _ in 0..5 {
        assert_eq!(run(&bob, json!({})).await.ok(), json!(0));
    }
    // Where the server only counts, or does not, the function does the same.
    let superuser = server.db.superuser().await;
    in_one_minute(&server).await;
    for (mode, left) in [("shadow", json!(0)), ("off", json!(null))] {
        superuser.execute("select app.declare_rate_limits('{}', $1, '{}')", &[&mode]).await.unwrap();
        for _ in 0..4 {
            run(&ann, json!({})).await.ok();
        }
        assert_eq!(run(&ann, json!({})).await.ok(), left, "{mode}");
    }
    for (who, body, status, code) in [
        (&ann, json!({ "operation": "read" }), 422, "rate_limit_invalid"),
        (&ann, json!({ "operation": "vector_search", "cost": 0 }), 422, "rate_limit_invalid"),
        (&Server::nobody(), json!({ "operation": "vector_search" }), 401, "42501"),
    ] {
        server.post(who, "rpc/run_odd", body, "").await.refused(status, code);
    }
}

#[tokio::test]
async fn a_request_that_takes_its_time_holds_up_no_other_and_counts_all_the_same() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let functions = "create function public.run_held(gate bigint default null) returns integer language plpgsql volatile as $$
                     declare v_left integer := app.check_rate('vector_search');
                     begin if gate is not null then perform pg_advisory_xact_lock_shared(gate); end if; return v_left; end $$;
                     revoke all on function public.run_held(bigint) from public;
                     grant execute on function public.run_held(bigint) to authenticated";
    server.db.superuser().await.batch_execute(functions).await.unwrap();
    server.api.reload().await.unwrap();
    let rule = json!({ "class": "vector_search", "minute_max": 3 });
    server.post(&server.service(), "rpc/set_rate_limit", rule, "").await.ok();
    let gate = server.db.superuser().await;
    in_one_minute(&server).await;
    gate.batch_execute("select pg_advisory_lock(771)").await.unwrap();
    let held = async || server.post(&ann, "rpc/run_held", json!({ "gate": 771 }), "").await;
    let others = async {
        let waiting = "select count(*)::integer from pg_locks where locktype = 'advisory' and objid = 771 and not granted
                         and database = (select oid from pg_database where datname = current_database())";
        while gate.query_one(waiting, &[]).await.unwrap().get::<_, i32>(0) < 2 {
            tokio::task::yield_now().await;
        }
        // Both are open, and what they count is not to be seen: they are taken for one each.
        assert_eq!(server.post(&ann, "rpc/run_held", json!({}), "").await.ok(), json!(0));
        server.post(&ann, "rpc/run_held", json!({}), "").await.refused(429, "RATE_LIMIT_EXCEEDED");
        gate.batch_execute("select pg_advisory_unlock(771)").await.unwrap();
    };
    let (first, second, ()) = tokio::join!(held(), held(), others);
    let mut left = [first.ok(), second.ok()].map(|left| left.as_i64().unwrap());
    left.sort_unstable();
    assert_eq!(left, [1, 2]);
    server.post(&ann, "rpc/run_held", json!({}), "").await.refused(429, "RATE_LIMIT_EXCEEDED");
    let counted =
        gate.query_one("select sum(request_count)::integer from public.api_rate_limits where endpoint like 'vector_search%'", &[]).await;
    assert_eq!(counted.unwrap().get::<_, i32>(0), 3);
}

#[tokio::test]
async fn of_twenty_calls_at_once_no_two_take_the_last_place() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let cal = server.member(&ann.company_id, "csr").await;
    // Each takes a while, so that many are open while others decide.
    let functions = "create function public.run_slow(cost integer) returns integer language plpgsql volatile as $$
                     declare v_left integer := app.check_rate('vector_search', cost);
                     begin perform pg_sleep(random() * 0.05); return v_left; end $$;
                     revoke all on function public.run_slow(integer) from public;
                     grant execute on function public.run_slow(integer) to authenticated";
    let superuser = server.db.superuser().await;
    superuser.batch_execute(functions).await.unwrap();
    server.api.reload().await.unwrap();
    server.post(&server.service(), "rpc/set_rate_limit", json!({ "class": "vector_search", "minute_max": 7 }), "").await.ok();
    in_one_minute(&server).await;
    for (who, cost, most) in [(&ann, 1, 7), (&bob, 3, 2), (&cal, 7, 1)] {
        let calls = (0..20).map(|_| server.post(who, "rpc/run_slow", json!({ "cost": cost }), ""));
        let answers = futures_util::future::join_all(calls).await;
        let (went, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(went.len(), most, "of cost {cost}: {:?}", went.iter().map(|answer| &answer.text).collect::<Vec<_>>());
        for answer in refused {
            answer.refused(429, "RATE_LIMIT_EXCEEDED");
        }
    }
    let counted = "select string_agg(t.sum::text, ' ' order by t.sum) from (select sum(request_count) from public.api_rate_limits group by identifier_value) t";
    let counted: String = superuser.query_one(counted, &[]).await.unwrap().get(0);
    assert_eq!(counted, "6 7 7", "what came through is counted, and nothing else");
    let gone = superuser
        .query_one(
            "select count(*) from pg_locks where locktype = 'advisory' and granted
                        and database = (select oid from pg_database where datname = current_database())",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(gone.get::<_, i64>(0), 0, "every gate is open again");
}
