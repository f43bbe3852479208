//! Policies that somebody writes himself on `storage.objects`, as the documents of the first applications write them.

use serde_json::json;

use super::own;
use crate::transfers::shop::Shop;

/// As a project's files have them, on buckets of its own: by the claim of the token, and by membership.
const POLICIES: &str = "
insert into storage.buckets (id, name, public) values ('plans', 'plans', false), ('drawings', 'drawings', false);
create policy \"Plans by claim\" on storage.objects for all to anon, authenticated
  using (bucket_id = 'plans' and auth.role() = 'authenticated' and (storage.foldername(name))[1] = (auth.jwt() ->> 'tenant_id')::text);
create policy \"Company members can upload drawings\" on storage.objects for insert to authenticated
  with check (bucket_id = 'drawings' and (storage.foldername(name))[1]::uuid in (select company_id from team_members where user_id = auth.uid()));
create policy \"Company members can read drawings\" on storage.objects for select to authenticated
  using (bucket_id = 'drawings' and (storage.foldername(name))[1]::uuid in (select company_id from team_members where user_id = auth.uid()));
";

#[tokio::test]
async fn the_policies_of_a_bucket_decide_and_no_others() {
    let shop = Shop::open().await;
    shop.db.superuser().await.batch_execute(POLICIES).await.unwrap();
    let (ann, bob) = (&shop.ann, &shop.bob);
    for bucket in ["plans", "drawings"] {
        let path = own(ann, bucket, "a.txt");
        shop.upload(&path, &ann.token, "of ann").await.ok();
        assert_eq!(shop.fetched(&format!("/object/{path}"), &ann.token).await.text(), "of ann");
        for (who, code) in [(bob.token.as_str(), "NoSuchKey"), ("", "NoSuchBucket")] {
            shop.fetched(&format!("/object/{path}"), who).await.refused("404", code);
            shop.upload(&own(ann, bucket, "b.txt"), who, "x").await.refused("403", "AccessDenied");
        }
    }
    // What no policy gives, such as removing drawings, nobody may, whatever he holds in his company.
    let name = own(ann, "drawings", "a.txt").split_once('/').unwrap().1.to_owned();
    assert_eq!(shop.asked("DELETE", "/object/drawings", &ann.token, json!({ "prefixes": [name] })).await.ok(), json!([]));
    let replaced = shop.storage("PUT", &format!("/object/{}", own(ann, "drawings", "a.txt")), &ann.token, (&[], b"x".to_vec())).await;
    replaced.refused("403", "AccessDenied");
    // A policy that gives everything gives nothing of another company in the buckets that are there for everybody.
    let open = "create policy everything on storage.objects for all to anon, authenticated using (true) with check (true)";
    shop.db.superuser().await.batch_execute(open).await.unwrap();
    let path = own(ann, "documents", "a.txt");
    shop.upload(&path, &ann.token, "of ann").await.ok();
    for (who, code) in [(bob.token.as_str(), "NoSuchKey"), ("", "NoSuchBucket")] {
        shop.fetched(&format!("/object/{path}"), who).await.refused("404", code);
        shop.upload(&own(ann, "documents", "b.txt"), who, "x").await.refused("403", "AccessDenied");
    }
}
