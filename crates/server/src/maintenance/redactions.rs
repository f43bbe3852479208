//! Rows of the audit whose words went when a person was erased (`db/code/634_audit_redaction.sql`).
//!
//! Invariant: a row may differ from its seal only as far as digests lead from the one to the other, and each batch of such steps is vouched for by
//! a row of the audit that is sealed itself. Whoever edits a row and writes a step for it has to write that row, too, which stands there for all.

use aws_lc_rs::digest::{SHA256, digest};
use kernel::Result;
use postgres::{Sql, Tx};

use super::verify::{Finding, Report, bytes, get, hex};

/// Tells whether redactions lead from the digest that was sealed to the one that was found.
pub(super) async fn leads(tx: &Tx, company: &str, row: &str, sealed: &[u8], found: &[u8]) -> Result<bool> {
    let mut sql = Sql::new(
        "select encode(r.former, 'hex') as former, encode(r.after, 'hex') as after from app.audit_redactions r where r.company_id = ",
    );
    sql.bind(company).text("::uuid and r.row_id = ").bind(row).text("::uuid");
    let mut steps: Vec<(String, String)> =
        tx.query(sql).await?.iter().map(|row| Ok((get(row, "former")?, get(row, "after")?))).collect::<Result<_>>()?;
    let (mut at, end) = (hex(sealed), hex(found));
    // Each step is taken once, so that there is an end.
    while at != end {
        let Some(next) = steps.iter().position(|(former, _)| *former == at) else { return Ok(false) };
        at = steps.swap_remove(next).1;
    }
    Ok(true)
}

/// Looks whether each batch of redactions is what the audit says of it.
pub(super) async fn vouched(tx: &Tx, company: &str, report: &mut Report) -> Result<()> {
    let mut sql = Sql::new(
        "select b.batch_id::text as batch_id, b.steps, coalesce(v.digest, '') as digest
           from (select r.batch_id, string_agg(encode(''::bytea || uuid_send(r.row_id) || r.former || r.after, 'hex'), '' order by r.row_id) as steps
                   from app.audit_redactions r where r.company_id = ",
    );
    sql.bind(company).text(
        "::uuid group by r.batch_id) b
           left join lateral (select min(a.new_values ->> 'digest') as digest from public.audit_logs a
                               where a.action = 'erase' and a.entity_id = b.batch_id and a.company_id = ",
    );
    sql.bind(company).text("::uuid having count(*) = 1) v on true");
    for row in tx.query(sql).await? {
        let (steps, said): (String, String) = (get(&row, "steps")?, get(&row, "digest")?);
        if hex(digest(&SHA256, &bytes(&steps)).as_ref()) != said {
            let company_id = company.to_owned();
            report.findings.insert(Finding::RedactionUnvouched { company_id, batch_id: get(&row, "batch_id")? });
        }
    }
    Ok(())
}
