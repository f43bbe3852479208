//! What a request asks, where its answer may be kept.

use std::collections::HashSet;

use kernel::Principal;
use postgres::catalog::{RelationKind, Volatility};

use super::{Kept, Store, Who};
use crate::DataApi;
use crate::idempotency::Key;
use crate::plan::{CallPlan, Counted, Plan, ReadPlan, Rows};
use crate::request::{ApiRequest, Condition, Payload, SelectItem};
use crate::run::Planned;

/// Words that PostgreSQL reads as a moment: what they mean is another thing at every request.
const MOMENTS: [&str; 5] = ["now", "today", "tomorrow", "yesterday", "current"];

/// A request whose answer may be kept.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(super) store: &'a Store,
    /// The table or the function.
    pub(super) name: &'a str,
    /// What a caller must be allowed to read all rows of; a function asks for rights itself.
    pub(super) noun: Option<&'a str>,
    pub(super) kept: &'a Kept,
    pub(super) who: Who,
    /// Everything that the answer depends on beside who asks.
    pub(super) text: String,
    /// Where in it begins what was asked; before it stands what only this server knows.
    asked: usize,
}

impl<'a> Question<'a> {
    /// Looks whether a request is one.
    pub(crate) fn of(api: &'a DataApi, principal: &Principal, planned: Planned<'a>, key: Option<&Key>) -> Option<Self> {
        let store = api.kept()?;
        let Planned { request, plan } = planned;
        let (name, noun, kept) = match plan {
            Plan::Read(read) => of_table(store, read)?,
            Plan::Call(call) => of_function(store, call, request)?,
            Plan::Write(_) => return None,
        };
        if !store.cache().is_open(&kept.tables) {
            return None;
        }
        let who = Who { user: principal.user_id()?, session: principal.session_id(), company: principal.requested_company() };
        let is_usual = key.is_none()
            && request.explain.is_none()
            && request.custom.is_none()
            && request.preferences.timezone.is_none()
            && request.preferences.transaction.is_none()
            && request.preferences.rows_max().is_none()
            && api.config().pre_request().is_none();
        if !is_usual || says_a_moment(request) {
            return None;
        }
        // All that was said and understood: what is not looked at here cannot be forgotten.
        let generation = api.schema().generation().to_string();
        let (text, asked) = (format!("{generation} {request:?}"), generation.len().saturating_add(1));
        Some(Self { store, name, noun, kept, who, text, asked })
    }

    /// Returns what is asked, as every server says it.
    pub(super) fn asked(&self) -> &str {
        self.text.get(self.asked..).unwrap_or_default()
    }
}

/// A table or function: its name, the noun of its rights, and how it is kept.
type Named<'a> = (&'a str, Option<&'a str>, &'a Kept);

fn of_table<'a>(store: &'a Store, read: &ReadPlan<'a>) -> Option<Named<'a>> {
    let relation = read.relation;
    let kept = store.tables.get(&relation.name).filter(|_| relation.schema == "public" && relation.kind == RelationKind::Table)?;
    let declared = relation.declaration.as_ref().filter(|declared| declared.tenant_column.is_some() && !declared.has_own_policies)?;
    let columns: HashSet<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
    is_plain(&read.rows, &columns).then_some((&relation.name, Some(&declared.noun), kept))
}

/// One that runs with its caller's rights sees what policies show him, who may be anybody.
fn of_function<'a>(store: &'a Store, call: &CallPlan<'a>, request: &ApiRequest) -> Option<Named<'a>> {
    let function = call.function;
    let kept = store.functions.get(&function.name).filter(|_| function.schema == "public" && function.security_definer)?;
    if !call.read_only || function.volatility == Volatility::Volatile || call.relation.is_some() {
        return None;
    }
    // An escape might hide a word.
    let is_readable = match &request.body {
        None => !request.query.arguments.iter().any(|(_, value)| value.contains('\\')),
        Some(Payload::Json { text, .. }) => !text.contains(&b'\\'),
        Some(Payload::Raw { .. }) => false,
    };
    let columns: HashSet<&str> = function.returned.iter().map(|member| member.name.as_str()).collect();
    (is_readable && is_plain(&call.rows, &columns)).then_some((&function.name, None, kept))
}

fn says_a_moment(request: &ApiRequest) -> bool {
    let said = match (&request.canonical, &request.body) {
        (Some(canonical), _) => canonical.to_lowercase(),
        (None, body) => format!("{:?} {:?} {body:?}", request.query.arguments, request.query.conditions).to_lowercase(),
    };
    MOMENTS.iter().any(|moment| said.contains(moment))
}

/// Tells whether it is about columns of the table alone: what is computed may depend on other tables.
fn is_plain(rows: &Rows<'_>, columns: &HashSet<&str>) -> bool {
    rows.embeds.is_empty()
        && matches!(rows.counted, Counted::Not | Counted::All)
        && rows.select.iter().all(|item| match item {
            SelectItem::Star => true,
            SelectItem::Field { field, .. } => field.as_ref().is_none_or(|field| columns.contains(field.name.as_str())),
            SelectItem::Embed(_) => false,
        })
        && rows.order.iter().all(|term| term.embed.is_none() && columns.contains(term.field.name.as_str()))
        && rows.conditions.iter().all(|condition| looks_at(condition, columns))
        && rows.paging.and_then(|paging| paging.after.as_ref()).is_none_or(|after| looks_at(after, columns))
}

fn looks_at(condition: &Condition, columns: &HashSet<&str>) -> bool {
    match condition {
        Condition::Filter(filter) => columns.contains(filter.field.name.as_str()),
        Condition::Logic { children, .. } => children.iter().all(|child| looks_at(child, columns)),
    }
}
