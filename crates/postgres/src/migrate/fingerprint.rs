//! What the schema looks like, object by object, so that a change by hand is seen and named.
//!
//! Invariant: two databases made from the same files have the same fingerprint; rows of data do not count.

use std::collections::BTreeMap;

use kernel::Result;
use serde_json::Value;

use super::session::Session;
use super::source::sha256;
use super::{error, history};

/// Object to checksum of its definition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fingerprint(BTreeMap<String, String>);

impl Fingerprint {
    /// Returns one checksum for the whole schema.
    pub fn checksum(&self) -> String {
        sha256(self.0.iter().flat_map(|(object, checksum)| [object.as_str(), checksum.as_str()]))
    }

    /// Returns how many objects there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what is to be kept after a run: what the run changed is as it should be now, and what somebody changed by hand
    /// before stays known as a difference.
    fn after_run(self, kept: Option<Self>, before: &Self) -> Self {
        let Some(mut kept) = kept else { return self };
        for object in before.0.keys().filter(|object| !self.0.contains_key(*object)) {
            kept.0.remove(object);
        }
        for (object, checksum) in self.0 {
            if before.0.get(&object) != Some(&checksum) {
                kept.0.insert(object, checksum);
            }
        }
        kept
    }

    /// Returns what differs from an earlier fingerprint: `+ object`, `- object`, `~ object`.
    pub fn differences(&self, earlier: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (object, checksum) in &self.0 {
            match earlier.0.get(object) {
                None => found.push(format!("+ {object}")),
                Some(before) if before != checksum => found.push(format!("~ {object}")),
                Some(_) => {}
            }
        }
        found.extend(earlier.0.keys().filter(|object| !self.0.contains_key(*object)).map(|object| format!("- {object}")));
        found
    }
}

/// Reads the schema as it is.
pub(super) async fn take(session: &Session) -> Result<Fingerprint> {
    session.client.batch_execute("begin read only; set local search_path = ''").await.map_err(error::query)?;
    let rows = session.client.query(include_str!("fingerprint.sql"), &[]).await.map_err(error::query);
    let rows = session.or_rollback(rows).await?;
    session.commit().await?;
    Ok(Fingerprint(rows.iter().map(|row| (row.get(0), sha256([row.get::<_, Option<&str>>(1).unwrap_or_default()]))).collect()))
}

/// Keeps the fingerprint after a run that found the schema as `before` and brought it to what `made_from` stands for. Runs in a
/// transaction of the owner.
pub(super) async fn keep(session: &Session, before: &Fingerprint, now: Fingerprint, made_from: Option<&str>) -> Result<()> {
    let fingerprint = now.after_run(kept(session).await?, before);
    let objects: Value = fingerprint.0.iter().map(|(object, checksum)| (object.clone(), Value::from(checksum.as_str()))).collect();
    session.client.execute("delete from app.schema_fingerprints", &[]).await.map_err(error::query)?;
    session
        .client
        .execute("insert into app.schema_fingerprints (objects, made_from) values ($1, $2)", &[&objects, &made_from])
        .await
        .map(|_| ())
        .map_err(error::query)
}

/// Whether what was kept last was made from the same source.
pub(super) async fn is_made_from(session: &Session, source: &str) -> Result<bool> {
    let row = session
        .client
        .query_opt("select made_from is not distinct from $1 from app.schema_fingerprints order by taken_at desc limit 1", &[&source])
        .await
        .map_err(error::query)?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// Returns what was kept last.
pub(super) async fn kept(session: &Session) -> Result<Option<Fingerprint>> {
    if !history::exists(session, "app.schema_fingerprints").await? {
        return Ok(None);
    }
    let row = session
        .client
        .query_opt("select objects from app.schema_fingerprints order by taken_at desc limit 1", &[])
        .await
        .map_err(error::query)?;
    let Some(Value::Object(objects)) = row.map(|row| row.get(0)) else { return Ok(None) };
    Ok(Some(Fingerprint(
        objects.into_iter().map(|(object, checksum)| (object, checksum.as_str().unwrap_or_default().to_owned())).collect(),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(objects: &[(&str, &str)]) -> Fingerprint {
        Fingerprint(objects.iter().map(|(object, checksum)| ((*object).to_owned(), (*checksum).to_owned())).collect())
    }

    #[test]
    fn every_difference_is_named() {
        let before = fingerprint(&[("table a", "1"), ("table b", "1")]);
        let after = fingerprint(&[("table a", "2"), ("table c", "1")]);
        assert_eq!(after.differences(&before), ["~ table a", "+ table c", "- table b"]);
        assert_ne!(after.checksum(), before.checksum());
        assert!(after.differences(&after).is_empty());
    }
}
