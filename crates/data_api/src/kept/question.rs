//! What a request asks, where its answer may be kept.

use std::collections::HashSet;

use kernel::Principal;
use postgres::catalog::{Relation, RelationKind};

use super::{Store, Who};
use crate::DataApi;
use crate::idempotency::Key;
use crate::plan::{Counted, Plan, ReadPlan};
use crate::request::{Condition, SelectItem};
use crate::run::Planned;

/// Words that PostgreSQL reads as a moment: what they mean is another thing at every request.
const MOMENTS: [&str; 5] = ["now", "today", "tomorrow", "yesterday", "current"];

/// A request whose answer may be kept.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(super) store: &'a Store,
    pub(super) relation: &'a Relation,
    pub(super) noun: &'a str,
    pub(super) life: std::time::Duration,
    pub(super) who: Who,
    /// Everything that the answer depends on beside who asks.
    pub(super) text: String,
}

impl<'a> Question<'a> {
    /// Looks whether a request is one.
    pub(crate) fn of(api: &'a DataApi, principal: &Principal, planned: Planned<'a>, key: Option<&Key>) -> Option<Self> {
        let store = api.kept()?;
        let Planned { request, plan: Plan::Read(read) } = planned else { return None };
        let relation = read.relation;
        let life = *store.lives.get(&relation.name).filter(|_| relation.schema == "public" && store.cache().is_open(&relation.name))?;
        let declared = relation.declaration.as_ref().filter(|declared| declared.tenant_column.is_some() && !declared.has_own_policies)?;
        let who = Who { user: principal.user_id()?, session: principal.session_id(), company: principal.requested_company() };
        let is_usual = key.is_none()
            && request.explain.is_none()
            && request.custom.is_none()
            && request.preferences.timezone.is_none()
            && request.preferences.transaction.is_none()
            && api.config().pre_request().is_none();
        if !is_usual || relation.kind != RelationKind::Table || !is_plain(read) {
            return None;
        }
        // All that was said and understood: what is not looked at here cannot be forgotten.
        let text = format!("{} {request:?}", api.schema().generation());
        let says_a_moment = MOMENTS.iter().any(|moment| request.canonical.as_deref().unwrap_or(&text).to_lowercase().contains(moment));
        (!says_a_moment).then_some(Self { store, relation, noun: &declared.noun, life, who, text })
    }
}

/// Tells whether it is about columns of the table alone: what is computed may depend on other tables.
fn is_plain(read: &ReadPlan<'_>) -> bool {
    let columns: HashSet<&str> = read.relation.columns.iter().map(|column| column.name.as_str()).collect();
    let rows = &read.rows;
    rows.embeds.is_empty()
        && matches!(rows.counted, Counted::Not | Counted::All)
        && rows.select.iter().all(|item| match item {
            SelectItem::Star => true,
            SelectItem::Field { field, .. } => field.as_ref().is_none_or(|field| columns.contains(field.name.as_str())),
            SelectItem::Embed(_) => false,
        })
        && rows.order.iter().all(|term| term.embed.is_none() && columns.contains(term.field.name.as_str()))
        && rows.conditions.iter().all(|condition| looks_at(condition, &columns))
        && rows.paging.and_then(|paging| paging.after.as_ref()).is_none_or(|after| looks_at(after, &columns))
}

fn looks_at(condition: &Condition, columns: &HashSet<&str>) -> bool {
    match condition {
        Condition::Filter(filter) => columns.contains(filter.field.name.as_str()),
        Condition::Logic { children, .. } => children.iter().all(|child| looks_at(child, columns)),
    }
}
