//! Proves the audit: recomputes every row's and every batch's digest, the chain between the batches, and compares with the anchors.
//!
//! Invariant: the digests are computed here and by statements that stand here; no function of the database is asked, which whoever forges
//! rows might have replaced.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write as _};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use kernel::{Error, Result};
use postgres::{Sql, Tx};

use super::anchors::{Anchor, Kept};
use super::redactions;

/// Batches that are read at once.
const PAGE: i64 = 50;
/// Days that an audit row is kept at least, whatever a company wants (`app.guard_retention`).
const KEPT_DAYS_MIN: i64 = 365;

/// Something that is not as it was sealed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Finding {
    /// A row has other words than when it was sealed.
    RowEdited { company_id: String, number: i64, row_id: String },
    /// A row is gone.
    RowDeleted { company_id: String, number: i64, row_id: String },
    /// A row stands between sealed ones and was not there then.
    RowAdded { company_id: String, row_id: String },
    /// A row was written long ago, or by a transaction that is still to come, and no batch has it.
    RowUnsealed { company_id: String, row_id: String },
    /// A batch's own digest is not that of what it holds.
    BatchEdited { company_id: String, number: i64 },
    /// A batch between others is gone, or does not follow the one before.
    ChainBroken { company_id: String, number: i64 },
    /// A batch is another than the one whose digest was anchored.
    AnchorDiffers { company_id: String, number: i64 },
    /// The last batches, which were anchored, are gone.
    TailCut { company_id: String, from: i64, to: i64 },
    /// Batches were sealed long ago and are not anchored: nothing outside of the database speaks for them.
    NotAnchored { company_id: String, from: i64, to: i64 },
    /// Words of rows went with a person, and no sealed row of the audit says so.
    RedactionUnvouched { company_id: String, batch_id: String },
    /// There is no file of anchors, and there should be.
    AnchorsMissing,
    /// A line of the anchors is none.
    AnchorGarbled { line: u64 },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowEdited { company_id, number, row_id } => write!(f, "edited: row {row_id} of batch {number} of company {company_id}"),
            Self::RowDeleted { company_id, number, row_id } => write!(f, "deleted: row {row_id} of batch {number} of company {company_id}"),
            Self::RowAdded { company_id, row_id } => write!(f, "added after sealing: row {row_id} of company {company_id}"),
            Self::BatchEdited { company_id, number } => write!(f, "edited: the seal of batch {number} of company {company_id}"),
            Self::ChainBroken { company_id, number } => {
                write!(f, "broken chain: batch {number} of company {company_id} does not follow the one before")
            }
            Self::AnchorDiffers { company_id, number } => {
                write!(f, "rewritten: batch {number} of company {company_id} is not the one that was anchored")
            }
            Self::TailCut { company_id, from, to } => {
                write!(f, "cut off: batches {from} to {to} of company {company_id} were anchored and are gone")
            }
            Self::RowUnsealed { company_id, row_id } => {
                write!(f, "not sealed: row {row_id} of company {company_id}, which should be by now")
            }
            Self::NotAnchored { company_id, from, to } => {
                write!(f, "not anchored: batches {from} to {to} of company {company_id}, which should be by now")
            }
            Self::RedactionUnvouched { company_id, batch_id } => {
                write!(f, "not vouched for: the redaction {batch_id} of rows of company {company_id}")
            }
            Self::AnchorsMissing => f.write_str("the file of anchors is gone: what was sealed can be compared with nothing"),
            Self::AnchorGarbled { line } => write!(f, "garbled: line {line} of the anchors"),
        }
    }
}

/// What was looked at and what was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) companies: usize,
    pub(crate) batches: u64,
    pub(crate) rows: u64,
    /// Those whose words went with a person who was erased.
    pub(crate) redacted: u64,
    pub(crate) anchors: usize,
    pub(crate) findings: BTreeSet<Finding>,
}

/// A batch as it is stored.
struct Batch {
    number: i64,
    first_xid: String,
    below_xid: String,
    ids: Vec<String>,
    digests: Vec<u8>,
    previous: String,
    digest: String,
    sealed_us: i64,
    expired_us: Option<i64>,
}

/// The time of the database, in microseconds, and since when everything is to be sealed and anchored.
#[derive(Clone, Copy)]
struct Moment {
    now: i64,
    settled: i64,
}

impl Moment {
    async fn read(tx: &Tx, patience: Duration) -> Result<Self> {
        let sql = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now";
        let now = get(&tx.query_one(Sql::new(sql)).await?, "now")?;
        Ok(Self { now, settled: now.saturating_sub(i64::try_from(patience.as_micros()).unwrap_or(i64::MAX)) })
    }
}

/// Looks at everything. What is younger than `patience` need not be sealed and anchored.
pub(crate) async fn verify(tx: &Tx, kept: &Kept, patience: Duration) -> Result<Report> {
    let mut report = Report { anchors: kept.anchors.len(), ..Report::default() };
    let moment = Moment::read(tx, patience).await?;
    let companies = tx.query(Sql::new("select distinct company_id::text as id from app.audit_batches order by 1")).await?;
    let mut anchored: BTreeMap<&str, HashMap<i64, &str>> = BTreeMap::new();
    for Anchor { company_id, number, digest, .. } in &kept.anchors {
        anchored.entry(company_id).or_default().insert(*number, digest);
    }
    for company in &companies {
        let id: String = get(company, "id")?;
        let anchored = anchored.remove(id.as_str()).unwrap_or_default();
        let last = of_company(tx, &id, &anchored, moment, &mut report).await?;
        tail(&id, last, &anchored, &mut report);
        redactions::vouched(tx, &id, &mut report).await?;
        report.companies += 1;
    }
    for (id, anchored) in anchored {
        tail(id, Last::default(), &anchored, &mut report);
    }
    report.findings.extend(kept.garbled.iter().map(|line| Finding::AnchorGarbled { line: *line }));
    let is_missed = report.findings.iter().any(|finding| matches!(finding, Finding::NotAnchored { .. }));
    if is_missed && !kept.is_there {
        report.findings.insert(Finding::AnchorsMissing);
    }
    unsealed(tx, moment, &mut report).await?;
    Ok(report)
}

/// A company's last batch, and the last that is old enough to be anchored.
#[derive(Clone, Copy, Default)]
struct Last {
    number: i64,
    settled: i64,
}

fn tail(company_id: &str, last: Last, anchored: &HashMap<i64, &str>, report: &mut Report) {
    let company_id = || company_id.to_owned();
    let newest = anchored.keys().copied().max().unwrap_or_default();
    if newest > last.number {
        report.findings.insert(Finding::TailCut { company_id: company_id(), from: last.number + 1, to: newest });
    }
    if newest < last.settled {
        report.findings.insert(Finding::NotAnchored { company_id: company_id(), from: newest + 1, to: last.settled });
    }
}

/// Looks at the batches of a company; returns the last.
async fn of_company(tx: &Tx, company: &str, anchored: &HashMap<i64, &str>, moment: Moment, report: &mut Report) -> Result<Last> {
    let company_id = || company.to_owned();
    let (mut last, mut previous) = (Last::default(), String::new());
    loop {
        let page = batches(tx, company, last.number).await?;
        if page.is_empty() {
            return Ok(last);
        }
        for batch in page {
            let number = batch.number;
            if number != last.number + 1 || batch.previous != previous {
                report.findings.insert(Finding::ChainBroken { company_id: company_id(), number });
            }
            if batch.computed(company) != batch.digest {
                report.findings.insert(Finding::BatchEdited { company_id: company_id(), number });
            }
            if anchored.get(&number).is_some_and(|digest| *digest != batch.digest) {
                report.findings.insert(Finding::AnchorDiffers { company_id: company_id(), number });
            }
            rows(tx, company, &batch, moment, report).await?;
            report.batches += 1;
            last.number = number;
            if batch.sealed_us <= moment.settled {
                last.settled = number;
            }
            previous = batch.digest;
        }
    }
}

async fn batches(tx: &Tx, company: &str, after: i64) -> Result<Vec<Batch>> {
    let mut sql = Sql::new(
        "select number, first_xid::text, below_xid::text, array_to_string(row_ids, ',') as ids, encode(row_digests, 'hex') as digests,
                encode(previous_digest, 'hex') as previous, encode(digest, 'hex') as digest,
                (extract(epoch from sealed_at) * 1000000)::bigint as sealed_us,
                (extract(epoch from rows_expired_at) * 1000000)::bigint as expired_us
           from app.audit_batches where company_id = ",
    );
    sql.bind(company).text("::uuid and number > ").bind(after).text("::bigint order by number limit ").bind(PAGE).text("::bigint");
    let rows = tx.query(sql).await?;
    let batch = |row: &_| {
        let ids: String = get(row, "ids")?;
        let digests: String = get(row, "digests")?;
        Ok(Batch {
            number: get(row, "number")?,
            first_xid: get(row, "first_xid")?,
            below_xid: get(row, "below_xid")?,
            ids: ids.split(',').map(str::to_owned).collect(),
            digests: bytes(&digests),
            previous: get(row, "previous")?,
            digest: get(row, "digest")?,
            sealed_us: get(row, "sealed_us")?,
            expired_us: get(row, "expired_us")?,
        })
    };
    rows.iter().map(batch).collect()
}

impl Batch {
    /// The digest of what it holds.
    fn computed(&self, company: &str) -> String {
        let Self { number, first_xid, below_xid, ids, digests, previous, sealed_us, .. } = self;
        let mut words = format!("{company}|{number}|{first_xid}|{below_xid}|{previous}|{sealed_us}|{}", ids.join(",")).into_bytes();
        words.extend_from_slice(digests);
        hex(digest(&SHA256, &words).as_ref())
    }

    /// Whether its rows may be gone: they were kept long enough, by the seal's own time and by now. Whoever wants to hide a cut can write
    /// any time of expiry, but not that of the seal.
    fn is_expired(&self, now: i64) -> bool {
        let kept = |until: i64| until.saturating_sub(self.sealed_us) >= KEPT_DAYS_MIN * 86_400_000_000;
        self.expired_us.is_some_and(|expired| expired <= now && kept(expired))
    }
}

async fn rows(tx: &Tx, company: &str, batch: &Batch, moment: Moment, report: &mut Report) -> Result<()> {
    let mut sql = Sql::new(
        "select a.id::text as id, jsonb_build_array(a.company_id, a.id, a.user_id, a.actor_role, a.action, a.table_name, a.entity_type,
                a.entity_id, host(a.ip_address), a.user_agent, a.request_method, a.request_path, a.request_id, a.old_values, a.new_values,
                a.changed_fields, a.session_id, a.correlation_id, a.severity, a.gdpr_relevant, a.pii_accessed, a.metadata, a.xid::text,
                (extract(epoch from a.created_at) * 1000000)::bigint)::text as words
           from public.audit_logs a where a.company_id = ",
    );
    sql.bind(company).text("::uuid and a.id = any (").bind(format!("{{{}}}", batch.ids.join(","))).text("::uuid[])");
    let found = tx.query(sql).await?;
    let mut there = HashMap::new();
    for row in &found {
        let words: String = get(row, "words")?;
        there.insert(get::<String>(row, "id")?, digest(&SHA256, words.as_bytes()));
    }
    for (id, sealed) in batch.ids.iter().zip(batch.digests.chunks(32)) {
        let (company_id, number, row_id) = (company.to_owned(), batch.number, id.clone());
        match there.get(id) {
            Some(found) if found.as_ref() == sealed => {}
            Some(found) if redactions::leads(tx, company, id, sealed, found.as_ref()).await? => report.redacted += 1,
            Some(_) => drop(report.findings.insert(Finding::RowEdited { company_id, number, row_id })),
            None if batch.is_expired(moment.now) => {}
            None => drop(report.findings.insert(Finding::RowDeleted { company_id, number, row_id })),
        }
        report.rows += 1;
    }
    Ok(())
}

/// Looks for rows that no batch has: those that stand where everything is sealed, and those that should have been sealed by now. After a
/// restore elsewhere the mark is of other transactions until something is sealed there, and rows may be of transactions to come.
async fn unsealed(tx: &Tx, moment: Moment, report: &mut Report) -> Result<()> {
    let mut sql = Sql::new(
        "select a.company_id::text as company_id, a.id::text as id,
                s.below_xid <= pg_snapshot_xmax(n) and l.xid < s.below_xid as is_added
           from (select company_id, id from public.audit_logs
                 except select b.company_id, unnest(b.row_ids) from app.audit_batches b) a
           join public.audit_logs l on l.company_id = a.company_id and l.id = a.id
           cross join pg_current_snapshot() n
           left join app.audit_seal s on true
          where l.xid < s.below_xid or l.xid >= pg_snapshot_xmax(n)
             or extract(epoch from l.created_at) * 1000000 <= ",
    );
    sql.bind(moment.settled).text("::bigint");
    for row in tx.query(sql).await? {
        let (company_id, row_id) = (get(&row, "company_id")?, get(&row, "id")?);
        let is_added = get::<Option<bool>>(&row, "is_added")?.unwrap_or_default();
        let finding = if is_added { Finding::RowAdded { company_id, row_id } } else { Finding::RowUnsealed { company_id, row_id } };
        report.findings.insert(finding);
    }
    Ok(())
}

pub(super) fn get<'a, T: postgres::FromSql<'a>>(row: &'a postgres::Row, column: &str) -> Result<T> {
    row.try_get(column).map_err(Error::internal)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text cannot fail.
        let _written = write!(text, "{byte:02x}").is_ok();
        text
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at: usize| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..hex.len()).step_by(2).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_expired_a_year_after_their_seal_and_not_in_the_future() {
        const DAY: i64 = 86_400_000_000;
        let (sealed_us, now) = (1000 * DAY, 2000 * DAY);
        let is_expired = |expired_us: Option<i64>| {
            let (number, ids, digests) = (1, Vec::new(), Vec::new());
            let (first_xid, below_xid, previous, digest) = (String::new(), String::new(), String::new(), String::new());
            Batch { number, first_xid, below_xid, ids, digests, previous, digest, sealed_us, expired_us }.is_expired(now)
        };
        assert!(is_expired(Some(1365 * DAY)) && is_expired(Some(now)));
        assert!(!is_expired(None) && !is_expired(Some(1365 * DAY - 1)) && !is_expired(Some(now + 1)));
    }
}
