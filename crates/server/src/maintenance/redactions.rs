//! Rows of the audit whose words went when a person was erased (`db/code/634_audit_redaction.sql`).
//!
//! Invariant: a row may differ from its seal only as far as digests lead from the one to the other, and each batch of such steps is vouched for by
//! a row of the audit that is sealed itself. Whoever edits a row and writes a step for it has to write that row, too, which stands there for all.

use std::collections::BTreeSet;

use kernel::Result;
use postgres::{Sql, Tx};

use super::verify::{Finding, Report, get, hex};

/// Tells whether redactions lead from the digest that was sealed to the one that was found.
pub(super) async fn leads(tx: &Tx, company: &str, row: &str, sealed: &[u8], found: &[u8]) -> Result<bool> {
    let mut sql = Sql::new(
        "select encode(r.former, 'hex') as former, encode(r.after, 'hex') as after from app.audit_redactions r where r.company_id = ",
    );
    sql.bind(company).text("::uuid and r.row_id = ").bind(row).text("::uuid");
    let steps: Vec<(String, String)> =
        tx.query(sql).await?.iter().map(|row| Ok((get(row, "former")?, get(row, "after")?))).collect::<Result<_>>()?;
    Ok(is_reached(&steps, hex(sealed), &hex(found)))
}

/// Whether steps lead from the one digest to the other. From one there may be several: a row that is without its words may be what it was before.
fn is_reached(steps: &[(String, String)], from: String, to: &str) -> bool {
    let (mut seen, mut open) = (BTreeSet::from([from.clone()]), vec![from]);
    // Each digest is stood on once, so that there is an end.
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        for (_, after) in steps.iter().filter(|(former, _)| *former == at) {
            if seen.insert(after.clone()) {
                open.push(after.clone());
            }
        }
    }
    false
}

/// Looks whether each batch of redactions is what the audit says of it.
pub(super) async fn vouched(tx: &Tx, company: &str, report: &mut Report) -> Result<()> {
    let mut sql = Sql::new(
        "select b.batch_id::text as batch_id
           from (select r.batch_id, encode(pg_catalog.sha256(pg_catalog.string_agg(''::bytea || uuid_send(r.row_id) || r.former || r.after, '' order by r.row_id)), 'hex') as digest
                   from app.audit_redactions r where r.company_id = ",
    );
    sql.bind(company).text(
        "::uuid group by r.batch_id) b
           left join lateral (select min(a.new_values ->> 'digest') as digest from public.audit_logs a
                               where a.action = 'erase' and a.entity_id = b.batch_id and a.company_id = ",
    );
    sql.bind(company).text(
        "::uuid having count(*) = 1) v on true
          where v.digest is distinct from b.digest",
    );
    for row in tx.query(sql).await? {
        report.findings.insert(Finding::RedactionUnvouched { company_id: company.to_owned(), batch_id: get(&row, "batch_id")? });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_reached;

    #[test]
    fn steps_lead_on_where_one_goes_back_or_ends_nowhere() {
        let steps: Vec<(String, String)> =
            [("a", "x"), ("a", "b"), ("b", "a"), ("b", "c")].iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        for (from, to, expected) in [("a", "c", true), ("b", "x", true), ("c", "a", false), ("x", "c", false), ("d", "d", true)] {
            assert_eq!(is_reached(&steps, from.to_owned(), to), expected, "{from} {to}");
        }
    }
}
