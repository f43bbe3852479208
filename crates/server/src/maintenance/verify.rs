//! Proves the audit: recomputes every row's and every batch's digest, the chain between the batches, and compares with the anchors.
//!
//! Invariant: the digests are computed here and by statements that stand here; no function of the database is asked, which whoever forges
//! rows might have replaced.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write as _};

use aws_lc_rs::digest::{SHA256, digest};
use kernel::{Error, Result};
use postgres::{Sql, Tx};

use super::anchors::Anchor;

/// Batches that are read at once.
const PAGE: i64 = 50;
/// Days that an audit row is kept at least, whatever a company wants.
const KEPT_DAYS_MIN: i64 = 30;

/// Something that is not as it was sealed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Finding {
    /// A row has other words than when it was sealed.
    RowEdited { company_id: String, number: i64, row_id: String },
    /// A row is gone.
    RowDeleted { company_id: String, number: i64, row_id: String },
    /// A row stands between sealed ones and was not there then.
    RowAdded { company_id: String, row_id: String },
    /// A batch's own digest is not that of what it holds.
    BatchEdited { company_id: String, number: i64 },
    /// A batch between others is gone, or does not follow the one before.
    ChainBroken { company_id: String, number: i64 },
    /// A batch is another than the one whose digest was anchored.
    AnchorDiffers { company_id: String, number: i64 },
    /// The last batches, which were anchored, are gone.
    TailCut { company_id: String, from: i64, to: i64 },
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
        }
    }
}

/// What was looked at and what was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) companies: usize,
    pub(crate) batches: u64,
    pub(crate) rows: u64,
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

/// Looks at everything.
pub(crate) async fn verify(tx: &Tx, anchors: &[Anchor]) -> Result<Report> {
    let mut report = Report { anchors: anchors.len(), ..Report::default() };
    let companies = tx.query(Sql::new("select distinct company_id::text as id from app.audit_batches order by 1")).await?;
    let mut anchored: BTreeMap<&str, HashMap<i64, &str>> = BTreeMap::new();
    for anchor in anchors {
        anchored.entry(&anchor.company_id).or_default().insert(anchor.number, &anchor.digest);
    }
    for company in &companies {
        let id: String = get(company, "id")?;
        let anchored = anchored.remove(id.as_str()).unwrap_or_default();
        let last = of_company(tx, &id, &anchored, &mut report).await?;
        tail(&id, last, &anchored, &mut report);
        report.companies += 1;
    }
    for (id, anchored) in anchored {
        tail(id, 0, &anchored, &mut report);
    }
    added(tx, &mut report).await?;
    Ok(report)
}

fn tail(company_id: &str, last: i64, anchored: &HashMap<i64, &str>, report: &mut Report) {
    if let Some(to) = anchored.keys().copied().max().filter(|newest| *newest > last) {
        report.findings.insert(Finding::TailCut { company_id: company_id.to_owned(), from: last + 1, to });
    }
}

/// Looks at the batches of a company; returns the number of the last.
async fn of_company(tx: &Tx, company: &str, anchored: &HashMap<i64, &str>, report: &mut Report) -> Result<i64> {
    let company_id = || company.to_owned();
    let (mut last, mut previous) = (0, String::new());
    loop {
        let page = batches(tx, company, last).await?;
        if page.is_empty() {
            return Ok(last);
        }
        for batch in page {
            let number = batch.number;
            if number != last + 1 || batch.previous != previous {
                report.findings.insert(Finding::ChainBroken { company_id: company_id(), number });
            }
            if batch.computed(company) != batch.digest {
                report.findings.insert(Finding::BatchEdited { company_id: company_id(), number });
            }
            if anchored.get(&number).is_some_and(|digest| *digest != batch.digest) {
                report.findings.insert(Finding::AnchorDiffers { company_id: company_id(), number });
            }
            rows(tx, company, &batch, report).await?;
            report.batches += 1;
            last = number;
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

    /// Whether its rows may be gone: they were kept long enough.
    fn is_expired(&self) -> bool {
        self.expired_us.is_some_and(|expired| expired.saturating_sub(self.sealed_us) >= KEPT_DAYS_MIN * 86_400_000_000)
    }
}

async fn rows(tx: &Tx, company: &str, batch: &Batch, report: &mut Report) -> Result<()> {
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
            Some(_) => drop(report.findings.insert(Finding::RowEdited { company_id, number, row_id })),
            None if batch.is_expired() => {}
            None => drop(report.findings.insert(Finding::RowDeleted { company_id, number, row_id })),
        }
        report.rows += 1;
    }
    Ok(())
}

/// Looks for rows that stand where everything is sealed and that no batch has.
async fn added(tx: &Tx, report: &mut Report) -> Result<()> {
    let sql = "select a.company_id::text as company_id, a.id::text as id
                 from (select company_id, id from public.audit_logs where xid < (select below_xid from app.audit_seal)
                       except select b.company_id, unnest(b.row_ids) from app.audit_batches b) a";
    for row in tx.query(Sql::new(sql)).await? {
        report.findings.insert(Finding::RowAdded { company_id: get(&row, "company_id")?, row_id: get(&row, "id")? });
    }
    Ok(())
}

fn get<'a, T: postgres::FromSql<'a>>(row: &'a postgres::Row, column: &str) -> Result<T> {
    row.try_get(column).map_err(Error::internal)
}

fn hex(bytes: &[u8]) -> String {
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
