//! A cluster of the test's own with a store beside it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use operations::{BackupConfig, Manifest, Original, Restored, Result, Target, Vault, Wanted};
use postgres::cluster::{self, Cluster, ClusterOptions, Machine};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) cluster: Cluster,
    pub(crate) vault: Vault,
    pub(crate) original: Original,
}

pub(crate) fn options(data: PathBuf) -> ClusterOptions {
    let mut options = ClusterOptions::new(data);
    options.machine = Some(Machine { memory_bytes: 512 * 1024 * 1024, cores: 2 });
    options.archive_piece = Some(Duration::from_mins(1));
    options
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut BackupConfig)) -> Self {
        let folder = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap();
        let data = folder.path().join("data");
        let cluster = cluster::start(options(data.clone())).await.unwrap();
        let mut config = BackupConfig { directory: Some(folder.path().join("store")), part_bytes: 1_048_576, ..BackupConfig::default() };
        change(&mut config);
        let (vault, _) = Vault::open(&config, &data, true).unwrap();
        let state = ["secrets/postgres_superuser", "secrets/postgres_server", "keys.json"];
        let original = Original {
            login: cluster.migrator_config(),
            programs: cluster.status().facts.programs_folder,
            state: state.iter().map(|name| ((*name).to_owned(), data.join(name))).collect(),
            files: data.join("files"),
            data,
        };
        Self { folder, cluster, vault, original }
    }

    pub(crate) async fn client(&self) -> Client {
        connect(&self.original.login).await
    }

    pub(crate) async fn back_up(&self) -> Manifest {
        operations::create(&self.vault, &self.original).await.unwrap()
    }

    /// Has everything until now come into the store.
    pub(crate) async fn ship(&self) {
        postgres::sums::end_piece(&self.original.login).await.unwrap();
        let archive = cluster::folders(&self.original.data).archive;
        let client = self.client().await;
        let ask = "select coalesce(last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1), false) from pg_stat_archiver";
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        loop {
            let done: bool = client.query_one(ask, &[]).await.unwrap().get(0);
            operations::ship(&self.vault, &self.source().await, &self.original.data).await.1.unwrap();
            if done && std::fs::read_dir(&archive).unwrap().count() == 0 {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "the log did not arrive");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn source(&self) -> String {
        postgres::sums::identity(&self.original.login).await.unwrap().0
    }

    pub(crate) async fn restore(&self, name: &str, target: Target) -> Result<Restored> {
        let wanted = Wanted { target, backup: None, source: None };
        operations::restore(&self.vault, &wanted, options(self.folder.path().join(name))).await
    }
}

pub(crate) async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Returns the texts of the table `said`, in order.
pub(crate) async fn said(config: &Config) -> Vec<String> {
    let rows = connect(config).await.query("select word from said order by id", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
