//! Whose rows: companies apart, roles, deleted rows, the service key.

use serde_json::json;

use crate::server::{Caller, Said, Server};

const FULL: &str = "return=representation";
const DELETED: Said<'static> = Said { prefer: "deleted=include", accept: "", header: None };

#[tokio::test]
async fn another_company_reaches_nothing() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let id = server.customer(&ann, "Ada").await;
    let theirs = server.customer(&bob, "Bea").await;
    assert_eq!(server.get(&bob, &format!("customers?id=eq.{id}")).await.ok(), json!([]));
    assert_eq!(server.patch(&bob, &format!("customers?id=eq.{id}"), json!({ "notes": "x" }), FULL).await.ok(), json!([]));
    assert_eq!(server.delete(&bob, &format!("customers?id=eq.{id}"), FULL).await.ok(), json!([]));
    server
        .post(&bob, "customers", json!({ "company_id": ann.company_id, "phone": "+15550100", "first_name": "X" }), "")
        .await
        .refused(403, "42501");
    let moved = server.patch(&bob, &format!("customers?id=eq.{theirs}"), json!({ "company_id": ann.company_id }), "").await;
    moved.refused(403, "42501");
    server.post(&bob, "jobs", json!({ "title": "X", "customer_id": id }), "").await.refused(409, "23503");
    let upsert = json!({ "company_id": ann.company_id, "id": id, "phone": "+15550100", "first_name": "Taken" });
    server.post(&bob, "customers", upsert, "resolution=merge-duplicates").await.refused(403, "42501");
    // The same id in another company is another row.
    assert_eq!(server.post(&bob, "customers", json!({ "id": id, "phone": "+15550100", "first_name": "Same" }), "").await.status, 201);
    assert_eq!(server.get(&ann, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));
}

#[tokio::test]
async fn the_company_of_a_request() {
    let server = Server::new().await;
    let (ann, bob, person) = (server.owner("ann").await, server.owner("bob").await, server.person("dora").await);
    server.customer(&ann, "Ada").await;
    let both = json!({ "company_id": bob.company_id, "user_id": ann.user_id, "role": "csr", "status": "active" });
    assert_eq!(server.post(&server.service(), "team_members", both, "").await.status, 201);
    let there = ann.working_in(&bob.company_id);
    server.customer(&there, "Bea").await;
    assert_eq!(server.get(&bob, "customers?select=first_name").await.ok(), json!([{ "first_name": "Bea" }]));
    assert_eq!(server.get(&ann, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));
    server.get(&bob.working_in(&ann.company_id), "customers").await.refused(403, "company_not_member");
    server
        .post(&bob.working_in(&ann.company_id), "customers", json!({ "phone": "+15550100", "first_name": "X" }), "")
        .await
        .refused(403, "company_not_member");
    assert_eq!(server.get(&person, "customers").await.ok(), json!([]));
    server.post(&person, "customers", json!({ "phone": "+15550100", "first_name": "X" }), "").await.refused(403, "company_required");
    server.patch(&person, "customers", json!({ "notes": "x" }), "").await.refused(403, "company_required");
    server.delete(&person, "customers", "").await.refused(403, "company_required");
    server.get(&ann.working_in("seven"), "customers").await.refused(400, "invalid_company_id");
}

#[tokio::test]
async fn what_sql_sees_of_the_token() {
    let server = Server::new().await;
    let (ann, bob, person) = (server.owner("ann").await, server.owner("bob").await, server.person("dora").await);
    server
        .table(
            "create function public.said() returns json language sql stable as $$ select current_setting('request.jwt.claims')::json $$;
                  grant execute on function public.said() to anon, authenticated, service_role",
        )
        .await;
    let said = async |who: &Caller| server.get(who, "rpc/said").await.ok();
    let own = said(&ann).await;
    assert_eq!(own["sub"], json!(ann.user_id));
    assert_eq!([&own["role"], &own["company_id"], &own["member_role"]], [&json!("authenticated"), &json!(ann.company_id), &json!("owner")]);
    assert_eq!([&own["email"], &own["aal"]], [&json!("ann@example.com"), &json!("aal1")]);
    assert_eq!([&own["tenant_id"], &own["industry"], &own["subdomain"]], [&json!(ann.company_id), &json!("hvac"), &json!("ann")]);
    // The row's truth, not what was signed: a company that is called otherwise by now, in words that JSON has to escape.
    let renamed = json!({ "slug": "ann-and-sons", "industry": "hvac \"and\" more\\" });
    assert_eq!(server.patch(&ann, "companies", renamed, "").await.status, 204);
    let own = said(&ann).await;
    assert_eq!([&own["industry"], &own["subdomain"]], [&json!("hvac \"and\" more\\"), &json!("ann-and-sons")]);

    // How sure we are of him is the less of what his token and what his session is at this moment: a token from before a proof proves
    // nothing, and a factor that was lost counts at the next request.
    let proved = server.proved(ann.clone()).await;
    assert_eq!([&said(&proved).await["aal"], &said(&ann).await["aal"]], [&json!("aal2"), &json!("aal1")]);
    server.table(&format!("update auth.sessions set aal = 'aal1' where user_id = '{}'", ann.user_id)).await;
    assert_eq!(said(&proved).await["aal"], "aal1");

    // The company of the request and what he is there, not what his token was signed with.
    let both = json!({ "company_id": bob.company_id, "user_id": ann.user_id, "role": "csr", "status": "active" });
    assert_eq!(server.post(&server.service(), "team_members", both, "").await.status, 201);
    let there = said(&ann.working_in(&bob.company_id)).await;
    assert_eq!([&there["company_id"], &there["member_role"]], [&json!(bob.company_id), &json!("csr")]);
    assert_eq!([&there["tenant_id"], &there["subdomain"]], [&json!(bob.company_id), &json!("bob")]);

    let nowhere = said(&person).await;
    assert_eq!([&nowhere["sub"], &nowhere["company_id"], &nowhere["member_role"]], [&json!(person.user_id), &json!(null), &json!(null)]);
    assert_eq!(
        said(&Server::nobody()).await,
        json!({ "role": "anon", "company_id": null, "tenant_id": null, "subdomain": null, "industry": null, "member_role": null })
    );
    assert_eq!(said(&server.service()).await["role"], json!("service_role"));
}

#[tokio::test]
async fn whoever_has_no_token_reaches_no_table() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.customer(&ann, "Ada").await;
    let nobody = Server::nobody();
    for path in ["customers", "jobs", "companies", "team_members", "users", "organizations"] {
        let answer = server.get(&nobody, path).await;
        answer.refused(401, "42501");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    server.post(&nobody, "customers", json!({ "phone": "+15550100", "first_name": "X" }), "").await.refused(401, "42501");
    server.post(&nobody, "customers", json!([]), "").await.refused(401, "42501");
    server.patch(&nobody, "customers", json!({}), "").await.refused(401, "42501");
}

#[tokio::test]
async fn roles_do_what_the_matrix_says() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let id = server.customer(&ann, "Ada").await;
    let viewer = server.member(&ann.company_id, "viewer").await;
    assert_eq!(server.get(&viewer, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));
    server.post(&viewer, "customers", json!({ "phone": "+15550100", "first_name": "X" }), "").await.refused(403, "42501");
    assert_eq!(server.patch(&viewer, &format!("customers?id=eq.{id}"), json!({ "notes": "x" }), FULL).await.ok(), json!([]));
    let technician = server.member(&ann.company_id, "technician").await;
    let job = |title: &str, whose: Option<&str>| json!({ "customer_id": id, "title": title, "assigned_to": whose });
    assert_eq!(server.post(&ann, "jobs", json!([job("his", Some(&technician.user_id)), job("nobody's", None)]), "").await.status, 201);
    assert_eq!(server.get(&technician, "jobs?select=title").await.ok(), json!([{ "title": "his" }]));
    let handed_on = server.patch(&technician, "jobs", json!({ "assigned_to": ann.user_id }), "").await;
    assert_eq!(handed_on.status, 403, "{}", handed_on.text);
}

#[tokio::test]
async fn deleted_rows_are_not_there() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let manager = server.member(&ann.company_id, "manager").await;
    let id = server.customer(&ann, "Ada").await;
    let one = format!("customers?id=eq.{id}");
    let shown = server.patch(&ann, &format!("{one}&select=first_name"), json!({ "deleted_at": "2026-11-21T00:00:00Z" }), FULL).await;
    assert_eq!(shown.ok(), json!([{ "first_name": "Ada" }]));
    let counted = server.get_with(&ann, "customers", Said { prefer: "count=exact", ..Said::default() }).await;
    assert_eq!(counted.header("content-range"), "*/0");
    assert_eq!(server.patch(&ann, &one, json!({ "notes": "x" }), FULL).await.ok(), json!([]));
    assert_eq!(server.delete(&ann, &one, FULL).await.ok(), json!([]));
    let merge = json!({ "id": id, "phone": "+15550100", "first_name": "Again" });
    server.post(&ann, "customers", merge, "resolution=merge-duplicates").await.refused(409, "row_deleted");

    let with = server.get_with(&ann, &one, DELETED).await;
    assert_eq!((with.body.as_array().unwrap().len(), with.header("preference-applied")), (1, "deleted=include"));
    assert_eq!(server.get_with(&manager, &one, DELETED).await.ok(), json!([]), "a manager may not restore customers");
    assert_eq!(server.get_with(&server.service(), &one, DELETED).await.ok().as_array().unwrap().len(), 1);
    assert_eq!(server.get(&server.service(), &one).await.ok(), json!([]));
    let restored = server.patch(&ann, &one, json!({ "deleted_at": null }), "deleted=include").await;
    assert_eq!((restored.status, restored.header("content-range")), (204, "0-0/*"));
    assert_eq!(server.get(&manager, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));
}

#[tokio::test]
async fn the_service_key_says_in_which_company_it_writes() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let id = server.customer(&ann, "Ada").await;
    assert_eq!(server.post(&bob, "customers", json!({ "id": id, "phone": "+15550100", "first_name": "Same id" }), "").await.status, 201);
    let service = server.service();
    let one = format!("customers?id=eq.{id}");
    for prefer in ["", FULL] {
        server.patch(&service, &one, json!({ "notes": "both" }), prefer).await.refused(400, "several_companies");
        server.delete(&service, &one, prefer).await.refused(400, "several_companies");
    }
    assert_eq!(server.get(&service, "customers?notes=eq.both").await.ok(), json!([]), "nothing was changed");
    let named = server.patch(&service, &format!("{one}&company_id=eq.{}", ann.company_id), json!({ "notes": "one" }), FULL).await;
    assert_eq!(named.body.as_array().unwrap().len(), 1, "{}", named.text);
    let within = server.patch(&service.working_in(&bob.company_id), &one, json!({ "notes": "two" }), FULL).await;
    assert_eq!((within.body.as_array().unwrap().len(), &within.body[0]["company_id"]), (1, &json!(bob.company_id)));
    let wanted = format!("{one}&company_id=in.({},{})&select=id", ann.company_id, bob.company_id);
    assert_eq!(server.delete(&service, &wanted, FULL).await.ok().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn whoever_is_removed_is_out_at_the_next_request() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let member = server.member(&ann.company_id, "dispatcher").await;
    assert_eq!(server.get(&member, "jobs").await.status, 200);
    let gone = format!("team_members?user_id=eq.{}&company_id=eq.{}", member.user_id, ann.company_id);
    assert_eq!(server.delete(&server.service(), &gone, "").await.status, 204);
    server.get(&member, "jobs").await.refused(403, "company_not_member");
    server.post(&member, "jobs", json!([]), "").await.refused(403, "company_not_member");
    server.patch(&member, "jobs", json!({}), "").await.refused(403, "company_not_member");
}

/// A documented script asks three things of the rows that a person sees: of one company, none of another, none that were deleted.
#[tokio::test]
async fn the_three_checks_of_the_documented_script() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let (kept, gone, theirs) =
        (server.customer(&ann, "Kept").await, server.customer(&ann, "Gone").await, server.customer(&bob, "Theirs").await);
    assert_eq!(server.delete(&ann, &format!("customers?id=eq.{gone}"), "").await.status, 204);
    let mut callers = vec![ann.clone()];
    for role in ["admin", "manager", "dispatcher", "technician", "csr", "member", "viewer"] {
        callers.push(server.member(&ann.company_id, role).await);
    }
    // A member of both companies sees the one that he works in.
    let both = json!({ "company_id": bob.company_id, "user_id": callers[1].user_id, "role": "admin", "status": "active" });
    assert_eq!(server.post(&server.service(), "team_members", both, "").await.status, 201);
    let elsewhere = format!("customers?select=*&company_id=eq.{}", bob.company_id);
    let deleted = "customers?select=*&deleted_at=not.is.null";
    for who in &callers {
        let companies = server.get(who, "customers?select=company_id").await.ok();
        assert_eq!(companies, json!([{ "company_id": ann.company_id }]), "of one company, and of that all living rows");
        assert_eq!(server.get(who, &elsewhere).await.ok(), json!([]), "nothing of another company");
        assert_eq!(server.get(who, deleted).await.ok(), json!([]), "nothing that was deleted");
    }
    // Those rows are there for whoever may see them.
    let there = server.get(&callers[1].working_in(&bob.company_id), "customers?select=id").await;
    assert_eq!(there.ok(), json!([{ "id": theirs }]));
    let marked = server.get_with(&ann, "customers?select=id&deleted_at=not.is.null", DELETED).await;
    assert_eq!(marked.ok(), json!([{ "id": gone }]));
    assert_eq!(server.get(&server.service(), "customers?select=id&order=first_name").await.ok(), json!([{ "id": kept }, { "id": theirs }]));

    // The first two without the server's own filters: the walls of the database alone.
    let client = server.db.superuser().await;
    let member = format!(
        "begin; select set_config('app.company_id', '{}', true), set_config('app.user_id', '{}', true),
                       set_config('app.permissions', ',customers:read,', true), set_config('role', 'authenticated', true)",
        ann.company_id, ann.user_id
    );
    client.batch_execute(&member).await.unwrap();
    let seen = format!(
        "select string_agg(distinct company_id::text, ' '), count(*) filter (where company_id = '{}') from public.customers",
        bob.company_id
    );
    let seen = client.query_one(&seen, &[]).await.unwrap();
    assert_eq!((seen.get::<_, String>(0), seen.get::<_, i64>(1)), (ann.company_id.clone(), 0));
}
