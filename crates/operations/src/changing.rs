//! A moment before something that cannot be taken back, to which the cluster can be restored: named, with all that a restore of it needs.
//!
//! Invariant: when this returns, the store has a copy, every piece of the log from there to the moment, and the moment's name.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kernel::Result;
use postgres::sums;

use crate::checkpoints::{self, Checkpoint};
use crate::copying;
use crate::drill;
use crate::log_pieces;
use crate::manifest::{self, BackupKind};
use crate::vault::{Original, Vault};

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The name that `thorbis restore --to-checkpoint` finds it by.
    pub name: String,
    /// The copy that had to be made for it, because there was none, or a hole in the log behind it.
    pub copy: Option<String>,
}

/// Names this moment, and returns when it can be restored to. The copy that is there already is begun with, where its log is whole: the
/// time that this takes does not depend on how large the database is.
pub async fn name_moment(vault: &Vault, original: &Original, name: &str) -> Result<Moment> {
    let (source, _) = sums::identity(&original.login).await?;
    let position = sums::name_point(&original.login, name).await?;
    drill::log_arrives(vault, &source, original, &position).await?;
    let mut moment = Moment { name: name.to_owned(), copy: None };
    let mut point = Checkpoint { name: name.to_owned(), position, created_at: Timestamp::now() };
    if !is_reached(vault, &source, &point.position).await? {
        moment.copy = Some(copying::create(vault, original).await?.id);
        point.position = sums::name_point(&original.login, name).await?;
        drill::log_arrives(vault, &source, original, &point.position).await?;
        point.created_at = Timestamp::now();
    }
    checkpoints::keep(vault, &source, &point).await?;
    Ok(moment)
}

/// Tells whether the store has a copy and the whole log from there to a position.
async fn is_reached(vault: &Vault, source: &str, position: &str) -> Result<bool> {
    let catalog = manifest::catalog(&vault.store, &vault.key, Some(source)).await?;
    let copies = catalog.backups.iter().filter(|manifest| manifest.kind == BackupKind::Base);
    let Some(log) = copies.filter_map(|manifest| manifest.log.as_ref()).next_back() else { return Ok(false) };
    let (Some(first), Some(last)) = (log_pieces::place(&log.first), log_pieces::position(position).map(log_pieces::piece_of)) else {
        return Ok(false);
    };
    let kept = vault.store.list(&format!("{source}/log/")).await?;
    let places: BTreeSet<u64> = kept.iter().filter_map(|object| log_pieces::place(object.name.rsplit_once('/')?.1)).collect();
    Ok(log_pieces::place(&log.last).is_some_and(|end| end < last) && (first..=last).all(|place| places.contains(&place)))
}
