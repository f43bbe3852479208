//! The login of the demo company, for development servers.
//!
//! Invariant: its password is random and made here, stored for its owner alone; production has neither the company nor the login.

use auth::keys::KeyRing;
use kernel::{Error, Result, Secret};

use super::Backend;
use super::accounts::random_password;
use crate::config::Settings;
use crate::start::{DemoLogin, write_private};

/// The owner of the demo company, as the development seed makes him.
const EMAIL: &str = "owner@demo.thorbis.example";
/// Where the password is in the data folder.
const FILE: &str = "demo-password";

impl Backend {
    /// Returns the demo login of a development server; gives it its password where it has none.
    pub(crate) async fn demo_login(&self, settings: &Settings, keys: &KeyRing) -> Result<Option<DemoLogin>> {
        if !settings.is_development() {
            return Ok(None);
        }
        let Some((id, has_password)) = self.demo_user().await? else { return Ok(None) };
        let file = settings.in_data_directory(FILE);
        let stored = std::fs::read_to_string(&file).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let is_new = stored.is_none();
        let password = match stored {
            Some(password) => password,
            None => random_password()?,
        };
        if is_new {
            write_private(&file, &password).map_err(Error::internal)?;
        }
        if is_new || !has_password {
            self.set_password(keys, &id, &password).await?;
        }
        Ok(Some(DemoLogin { email: EMAIL.to_owned(), password: Secret::new(password) }))
    }

    async fn demo_user(&self) -> Result<Option<(String, bool)>> {
        self.account(EMAIL, "looks for the demo login").await
    }
}
