//! `thorbis types`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use kernel::{Authority, Grant, Secret};
use postgres::catalog::Catalog;
use postgres::{Database, PoolOptions};

use super::place;
use super::{CliError, say};
use crate::config::Settings;

/// Write the types of the database for programs that use it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis types typescript")]
pub(super) struct Types {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the types that @supabase/supabase-js takes: createClient<Database>(url, key)
    ///
    /// The first schema is the one that a client means when it names none.
    #[command(after_help = "\
Examples:
  thorbis types typescript
  thorbis types typescript --schema public --schema shared")]
    Typescript {
        /// A schema; may stand there more than once (default: those that the data API serves)
        #[arg(long, value_name = "SCHEMA")]
        schema: Vec<String>,
        /// The database to look at, as the server's login (default: that of the settings)
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
}

impl Types {
    pub(super) async fn run(self, mut settings: Settings) -> Result<ExitCode, CliError> {
        let Command::Typescript { schema, url } = self.command;
        if let Some(url) = url {
            settings.database.url = Some(Secret::new(url));
        }
        let schemas = if schema.is_empty() { settings.data_api.schemas.clone() } else { schema };
        let (config, place) = place::connect(&settings).await?;
        let options =
            PoolOptions { root_certificate_file: settings.database.root_certificate_file.clone(), size_max: 1, ..PoolOptions::new(config) };
        let outcome = Box::pin(read(options, &schemas)).await;
        if let Some(place) = place {
            place.leave().await?;
        }
        let catalog = outcome?;
        let is_there = |schema: &&String| catalog.relations(schema).next().is_some() || catalog.all_functions(schema).next().is_some();
        if let Some(missing) = schemas.iter().find(|schema| !is_there(schema)) {
            return Err(CliError::refused("schema_not_found", format!("there is nothing in the schema {missing}")));
        }
        say(&data_api::typescript(&catalog, &schemas))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn read(options: PoolOptions, schemas: &[String]) -> kernel::Result<Catalog> {
    let database = Database::new(options)?;
    #[expect(clippy::disallowed_methods, reason = "the command is a process of its own, run by whoever has the database's login")]
    let grant = Grant::system(&Authority::establish(), None, "reads the types");
    let catalog = Catalog::load(&database, &grant, schemas).await;
    database.close();
    catalog
}
