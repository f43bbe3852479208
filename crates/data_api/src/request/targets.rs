//! Which embed the path of a filter, an order or a limit means.
//!
//! Invariant: an alias goes before the name of a table. A name that is used although there is an alias is told
//! ([`Query::legacy_targets`]), since the dialect means to take it away.

use super::syntax::{Embed, EmbedPath, Query, SelectItem};

/// Returns the place of the embed that a name means, and whether it has an alias that should have been said.
pub(crate) fn meant(said: &[&Embed], name: &str) -> Option<(usize, bool)> {
    let by_alias = said.iter().position(|embed| embed.alias.as_deref() == Some(name));
    by_alias.map(|at| (at, false)).or_else(|| {
        let at = said.iter().position(|embed| embed.name == name)?;
        Some((at, said.get(at)?.alias.is_some()))
    })
}

impl Query {
    /// Returns the names of tables that paths say in place of an alias, each with the alias, once.
    pub(crate) fn legacy_targets(&self) -> Vec<(&str, &str)> {
        let mut found = Vec::new();
        let paths = self.conditions.iter().map(|(path, _)| path);
        for path in paths.chain(self.orders.iter().map(|(path, _)| path)).chain(self.ranges.iter().map(|(path, _)| path)) {
            along(path, &self.select, &mut found);
        }
        found
    }
}

fn along<'a>(path: &'a EmbedPath, mut select: &'a [SelectItem], found: &mut Vec<(&'a str, &'a str)>) {
    for name in path {
        let said: Vec<&Embed> = select.iter().filter_map(SelectItem::embed).collect();
        let Some((embed, is_legacy)) = meant(&said, name).and_then(|(at, is_legacy)| Some((*said.get(at)?, is_legacy))) else { return };
        if let (true, Some(alias)) = (is_legacy, embed.alias.as_deref())
            && !found.contains(&(name, alias))
        {
            found.push((name, alias));
        }
        select = &embed.select;
    }
}
