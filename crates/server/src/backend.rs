//! The floors below, wired: pool, sign-in and data API, and what the server asks of them.

use std::sync::Arc;

use auth::keys::KeyRing;
use axum::Router;
use kernel::Result;

use crate::config::Settings;
use crate::metrics::PoolGauges;
use crate::start::{DemoLogin, StartError};

/// What the floors below are made of.
pub(crate) struct BackendOptions<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) server: postgres::Config,
    pub(crate) keys: KeyRing,
    pub(crate) public_url: &'a str,
}

/// The floors below. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Backend(Arc<()>);

impl Backend {
    pub(crate) fn new(options: BackendOptions<'_>) -> std::result::Result<Self, StartError> {
        let BackendOptions { settings: _, server: _, keys: _, public_url: _ } = options;
        Ok(Self(Arc::new(())))
    }
    pub(crate) async fn ping(&self) -> Result<()> {
        tokio::task::yield_now().await;
        Ok(())
    }
    pub(crate) fn catalog(&self) -> Result<()> {
        Ok(())
    }
    pub(crate) fn pool(&self) -> PoolGauges {
        PoolGauges { size: 0, available: 0, waiting: 0 }
    }
    pub(crate) fn auth_routes(&self) -> Router {
        Router::new().route("/signup", axum::routing::post(|body: axum::body::Bytes| async move { body }))
    }
    pub(crate) fn data_api_routes(&self) -> Router {
        Router::new()
    }
    pub(crate) fn replace_keys(&self, _: &KeyRing) {}
    pub(crate) async fn open(&self, _: &Settings) -> Result<Vec<String>> {
        tokio::task::yield_now().await;
        Ok(vec![])
    }
    pub(crate) async fn demo_login(&self, _: &Settings) -> Result<Option<DemoLogin>> {
        tokio::task::yield_now().await;
        Ok(None)
    }
    pub(crate) fn database_version(&self) -> Option<String> {
        None
    }
}
