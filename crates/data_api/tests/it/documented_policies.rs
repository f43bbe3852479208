//! Policies as other documents write them: those that read the company from the token or from the setting work as they stand.

use serde_json::{Value, json};

use crate::server::{Caller, Server};

/// Tables of a platform whose rows name their tenant, each with one documented policy, word for word.
const TABLES: &str = r#"
create table public.orders_by_setting (id bigint generated always as identity primary key, tenant_id uuid not null, label text);
create table public.orders_by_function (like public.orders_by_setting including all);
create table public.orders_by_token (like public.orders_by_setting including all);
create table public.people_by_token (id uuid primary key, tenant_id uuid not null, label text);
create table public.files_by_token (bucket_id text not null, name text primary key);
alter table public.orders_by_setting enable row level security;
alter table public.orders_by_function enable row level security;
alter table public.orders_by_token enable row level security;
alter table public.people_by_token enable row level security;
alter table public.files_by_token enable row level security;

CREATE POLICY "Tenant work orders" ON public.orders_by_setting
    USING (tenant_id = (current_setting('app.current_tenant_id'))::uuid);
CREATE POLICY "Realtime tenant isolation" ON public.orders_by_function
    FOR SELECT
    USING (
        tenant_id = get_current_tenant_id()
        AND auth.role() = 'authenticated'
    );
CREATE POLICY "tenant_isolation" ON public.orders_by_token
    USING (tenant_id = (auth.jwt() ->> 'tenant_id')::uuid);
CREATE POLICY "User own data" ON public.people_by_token
    FOR ALL
    USING (
        tenant_id = get_current_tenant_id()
        AND id = (auth.jwt() ->> 'sub')::uuid
    );
CREATE POLICY "Avatar uploads" ON public.files_by_token
    FOR INSERT
    WITH CHECK (
        bucket_id = 'avatars'
        AND auth.role() = 'authenticated'
        AND (storage.foldername(name))[1] = (auth.jwt() ->> 'tenant_id')::text
    );
CREATE POLICY "Avatar access" ON public.files_by_token
    FOR SELECT
    USING (
        bucket_id = 'avatars'
        AND (
            auth.role() = 'anon'
            OR (
                auth.role() = 'authenticated'
                AND (storage.foldername(name))[1] = (auth.jwt() ->> 'tenant_id')::text
            )
        )
    );

grant select, insert on public.orders_by_setting, public.orders_by_function, public.orders_by_token, public.people_by_token,
  public.files_by_token to authenticated;
grant select on public.files_by_token to anon;
"#;

async fn labels(server: &Server, who: &Caller, table: &str) -> Value {
    server.get(who, &format!("{table}?select=label")).await.ok()
}

#[tokio::test]
async fn policies_that_read_the_tenant_work_as_written() {
    let server = Server::new().await;
    let (ann, bob, person) = (server.owner("ann").await, server.owner("bob").await, server.person("dora").await);
    server.table(TABLES).await;
    let orders = ["orders_by_setting", "orders_by_function", "orders_by_token"];
    for who in [&ann, &bob] {
        let (tenant, user) = (&who.company_id, &who.user_id);
        let rows = orders.map(|table| format!("insert into public.{table} (tenant_id, label) values ('{tenant}', '{tenant}')")).join(";");
        let rows = format!(
            "{rows}; insert into public.people_by_token values ('{user}', '{tenant}', '{user}'), (gen_random_uuid(), '{tenant}', 'colleague');
             insert into public.files_by_token values ('avatars', '{tenant}/face.png'), ('others', '{tenant}/x.png')"
        );
        server.db.superuser().await.batch_execute(&rows).await.unwrap();
    }
    let both = json!({ "company_id": bob.company_id, "user_id": ann.user_id, "role": "csr", "status": "active" });
    assert_eq!(server.post(&server.service(), "team_members", both, "").await.status, 201);
    for (who, tenant) in [(&ann, &ann.company_id), (&bob, &bob.company_id), (&ann.working_in(&bob.company_id), &bob.company_id)] {
        for table in orders {
            assert_eq!(labels(&server, who, table).await, json!([{ "label": tenant }]), "{table}");
        }
        assert_eq!(server.get(who, "files_by_token?select=name").await.ok(), json!([{ "name": format!("{tenant}/face.png") }]));
    }
    assert_eq!(labels(&server, &ann, "people_by_token").await, json!([{ "label": ann.user_id }]));
    assert_eq!(labels(&server, &person, "orders_by_function").await, json!([]));
    assert_eq!(labels(&server, &person, "orders_by_token").await, json!([]));
    assert_eq!(server.get(&Server::nobody(), "files_by_token?select=name&order=name").await.ok().as_array().unwrap().len(), 2);

    // Written by the setting's policy and by the token's: into one's own company only.
    let order = |tenant: &str| json!({ "tenant_id": tenant, "label": "new" });
    for table in ["orders_by_setting", "orders_by_token"] {
        assert_eq!(server.post(&ann, table, order(&ann.company_id), "").await.status, 201);
        server.post(&ann, table, order(&bob.company_id), "").await.refused(403, "42501");
    }
    let file = |tenant: &str| json!({ "bucket_id": "avatars", "name": format!("{tenant}/new.png") });
    assert_eq!(server.post(&ann, "files_by_token", file(&ann.company_id), "").await.status, 201);
    server.post(&ann, "files_by_token", file(&bob.company_id), "").await.refused(403, "42501");
}
