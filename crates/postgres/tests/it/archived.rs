//! Tables whose rows go into a company's archive, and what they refer to.

use std::collections::BTreeSet;

use postgres::migrate::company::LEFT_OUT;

use crate::caller;

/// What rows of an archive may refer to although it is not in one: people, who are settled apart, and what every installation has.
const EVERYWHERE: &[&str] = &["auth.users", "public.users"];
/// Columns that name something that stays behind; they come empty.
const COME_EMPTY: &[(&str, &str)] = &[("public.notification_queue", "notification_queue_digest_id_fkey")];

const REFERENCES: &str = "
select format('%I.%I', n.nspname, c.relname), k.conname, format('%I.%I', fn.nspname, f.relname),
       exists (select from pg_catalog.pg_attribute a where a.attrelid = f.oid and a.attname = 'company_id' and not a.attisdropped)
         or f.oid = 'public.companies'::regclass
  from pg_catalog.pg_constraint k
  join pg_catalog.pg_class c on c.oid = k.conrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_class f on f.oid = k.confrelid join pg_catalog.pg_namespace fn on fn.oid = f.relnamespace
 where k.contype = 'f' and k.conparentid = 0 and n.nspname in ('public', 'app', 'auth', 'storage')
   and exists (select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'company_id' and not a.attisdropped)
 order by 1, 2";

#[tokio::test]
async fn what_is_archived_refers_to_nothing_that_stays_behind() {
    let db = caller::database_with_a_member().await;
    let left: BTreeSet<&str> = LEFT_OUT.iter().map(|left| left.table).collect();
    let mut faults = vec![];
    for row in db.superuser().await.query(REFERENCES, &[]).await.unwrap() {
        let (table, name, target, is_of_companies): (String, String, String, bool) = (row.get(0), row.get(1), row.get(2), row.get(3));
        let is_archived = |table: &str, is_of_companies: bool| is_of_companies && !left.contains(table);
        let comes = is_archived(&target, is_of_companies) || EVERYWHERE.contains(&target.as_str());
        let is_empty = COME_EMPTY.contains(&(table.as_str(), name.as_str()));
        if is_archived(&table, true) && !comes && !is_empty {
            faults.push(format!("{table} refers to {target} ({name})"));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[tokio::test]
async fn tables_that_stay_behind_are_there() {
    let db = caller::database_with_a_member().await;
    for left in LEFT_OUT {
        let found = db.superuser().await.query_one("select to_regclass($1) is not null", &[&left.table]).await.unwrap();
        assert!(found.get::<_, bool>(0), "{} is no table", left.table);
    }
}
