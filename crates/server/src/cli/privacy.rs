//! `thorbis privacy`.
//!
//! Invariant: the operator's command finds and erases people by the functions that the server calls, and says whom before it does.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use postgres::{Row, Sql};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::own::{Own, text};
use super::{CliError, say};
use crate::config::Settings;

/// Tell a person everything that is known of him, or erase him
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis privacy export jane@example.com
  thorbis privacy erase jane@example.com
  thorbis privacy erase 01900000-0000-7000-8000-00000000f001 --yes")]
pub(super) struct Privacy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print everything about whoever has this address or id, as JSON: accounts, and customers of every company
    #[command(after_help = "\
Examples:
  thorbis privacy export jane@example.com")]
    Export {
        /// An e-mail address, or the id of an account or customer
        person: String,
        /// Rows of one table at most
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(i32).range(1..=1_000_000))]
        rows_max: i32,
    },
    /// Erase whoever has this address or id; without --yes only say who that is
    #[command(after_help = "\
Examples:
  thorbis privacy erase jane@example.com
  thorbis privacy erase 01900000-0000-7000-8000-00000000f001 --yes")]
    Erase {
        /// An e-mail address, or the id of an account or customer
        person: String,
        /// Do it: what is erased never comes back
        #[arg(long)]
        yes: bool,
    },
}

/// Somebody who was found.
struct Person {
    subject: String,
    company: Option<Uuid>,
    id: Uuid,
}

impl Person {
    fn named(&self) -> String {
        let company = self.company.map_or_else(String::new, |id| format!(" of the company {id}"));
        format!("{} {}{company}", self.subject, self.id)
    }
}

impl Privacy {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let own = Own::connect(settings).await?;
        let outcome = Box::pin(self.done(&own, settings)).await;
        own.leave().await?;
        say(&outcome?)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn done(&self, own: &Own, settings: &Settings) -> Result<String, CliError> {
        let (Command::Export { person, .. } | Command::Erase { person, .. }) = &self.command;
        let people = find(own, person).await?;
        if people.is_empty() {
            return Err(CliError::refused("person_not_found", format!("nobody here has the address or id {person}")));
        }
        match &self.command {
            Command::Export { rows_max, .. } => {
                let mut told = vec![];
                for person in &people {
                    told.push(everything(own, person, *rows_max).await?);
                }
                Ok(json!({ "people": told }).to_string())
            }
            Command::Erase { yes, .. } => {
                if *yes {
                    return erase_all(own, &people, settings).await;
                }
                let mut lines: Vec<String> = people.iter().map(Person::named).collect();
                lines.push("Nobody was erased. Say --yes to do it: what is erased never comes back.".to_owned());
                Ok(lines.join("\n"))
            }
        }
    }
}

async fn find(own: &Own, name: &str) -> Result<Vec<Person>, CliError> {
    let mut sql = Sql::new("select p.subject, p.company_id, p.id from app.people_named(");
    sql.bind(name).text("::text) p order by p.subject, p.company_id");
    let rows = own.run(None, "looks for a person", sql).await?;
    rows.iter().map(|row| Ok(Person { subject: text(row, "subject")?, company: get(row, "company_id")?, id: get(row, "id")? })).collect()
}

/// Reads the places one after the other.
async fn everything(own: &Own, person: &Person, rows_max: i32) -> Result<Value, CliError> {
    let named = |sql: &mut Sql| {
        sql.bind(person.id).text("::uuid, ").bind(person.subject.as_str()).text("::text, ").bind(person.company).text("::uuid, ");
    };
    let (mut data, mut truncated, mut after) = (Map::new(), vec![], 0_i32);
    loop {
        let mut sql = Sql::new("select r.place, r.table_name, r.rows, r.is_cut from app.person_rows(");
        named(&mut sql);
        sql.bind(after).text("::integer, ").bind(rows_max).text("::integer) r");
        let found = own.run(None, "tells a person what is known of him", sql).await?;
        let Some(row) = found.first() else { break };
        after = get(row, "place")?;
        let table = text(row, "table_name")?;
        if get(row, "is_cut")? {
            truncated.push(table.clone());
        }
        data.insert(table, get(row, "rows")?);
    }
    let mut trace = Sql::new("select t.projects, t.audit_logs from app.person_trace(");
    named(&mut trace);
    trace.bind(rows_max).text("::integer) t");
    let trace = own.run(None, "tells a person what is known of him", trace).await?;
    let (projects, record): (Value, Value) = match trace.first() {
        Some(row) => (get(row, "projects")?, get(row, "audit_logs")?),
        None => (json!([]), json!([])),
    };
    let mut files = Sql::new("select jsonb_agg(x.shown) as files from (select to_jsonb(f) as shown from app.person_files(");
    named(&mut files);
    files.bind(rows_max).text("::integer) f) x");
    let files: Value = match own.run(None, "tells a person what is known of him", files).await?.first() {
        Some(row) => get::<Option<Value>>(row, "files")?.unwrap_or_else(|| json!([])),
        None => Value::Null,
    };
    let (subject, company, id) = (&person.subject, person.company, person.id);
    Ok(
        json!({ "subject": subject, "company_id": company, "id": id, "projects": projects, "auditLogs": record, "data": data, "files": files, "truncated": truncated }),
    )
}

/// Erases one after the other, and tells of each as it is done: who is refused keeps nobody else from it.
async fn erase_all(own: &Own, people: &[Person], settings: &Settings) -> Result<String, CliError> {
    let (mut refused, mut waiting) = (vec![], 0_usize);
    for person in people {
        match erase(own, person, settings).await {
            Ok(Erased::Done(id)) => say(&format!("erased: {}, erasure {id}", person.named()))?,
            Ok(Erased::Waits(id)) => {
                waiting += 1;
                let named = person.named();
                say(&format!("begun: {named}, erasure {id}, which ends by itself when work that tells of the person has ended"))?;
            }
            Err(error) => refused.push((person.named(), error)),
        }
    }
    for (who, error) in &refused {
        say(&format!("not erased: {who}: {error}"))?;
    }
    refused.pop().map_or_else(|| Ok(summary(people.len().saturating_sub(waiting), waiting)), |(_, error)| Err(error))
}

/// How many are erased, and how many are not yet.
fn summary(erased: usize, waiting: usize) -> String {
    if waiting == 0 { format!("{erased} erased") } else { format!("{erased} erased, {waiting} begun") }
}

/// How far an erasure has come when the command ends.
enum Erased {
    Done(Uuid),
    Waits(Uuid),
}

/// Erases at once, so that it is done when the command ends; the task finds nothing to do.
async fn erase(own: &Own, person: &Person, settings: &Settings) -> Result<Erased, CliError> {
    let mut open = Sql::new("select app.erase_as_operator(");
    open.bind(person.subject.as_str()).text("::text, ").bind(person.company).text("::uuid, ").bind(person.id).text("::uuid) as id");
    let rows = own.run(None, "erases a person", open).await?;
    let id: Uuid = get(rows.first().ok_or_else(|| kernel::Error::internal("no erasure"))?, "id")?;
    loop {
        let mut part = Sql::new("select app.erase_part(");
        part.bind(id).text("::uuid, ").bind(settings.transfers.erasure_audit_rows).text("::integer) as said");
        let rows = own.run(None, "erases a person", part).await?;
        match rows.first().map(|row| text(row, "said")).transpose()?.as_deref() {
            Some("goes_on") => {}
            Some("waits") => return Ok(Erased::Waits(id)),
            _ => return Ok(Erased::Done(id)),
        }
    }
}

fn get<'a, T: postgres::FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, CliError> {
    Ok(row.try_get(column).map_err(kernel::Error::internal)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_not_counted_as_erased() {
        assert_eq!(
            (summary(2, 0), summary(1, 1), summary(0, 2)),
            ("2 erased".to_owned(), "1 erased, 1 begun".to_owned(), "0 erased, 2 begun".to_owned())
        );
    }
}
