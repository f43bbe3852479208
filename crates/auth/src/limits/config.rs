//! How often something may be asked for.
//!
//! Invariant: every number stands for a bucket that is full at first and fills evenly again within the time in its name.

use serde::{Deserialize, Serialize};

/// How often one address, account or company may ask. A bucket is full at first and fills evenly within the time in its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Whether requests are counted by the address they come from; unless set, everywhere but in development, where all come from one.
    pub by_address: Option<bool>,
    /// Sign-ups from one address.
    pub sign_up_5min_max: u32,
    /// Anonymous sign-ups from one address.
    pub anonymous_hour_max: u32,
    /// Sign-ins from one address, right or wrong, by whatever way.
    pub sign_in_5min_max: u32,
    /// Links and codes that one address asks for.
    pub send_5min_max: u32,
    /// Links and codes that one address presents.
    pub verify_5min_max: u32,
    /// Refreshes of sessions from one address, which may be a server's that renders pages for many.
    pub refresh_5min_max: u32,
    /// Changes of accounts from one address.
    pub change_5min_max: u32,
    /// Challenges and proofs of second factors from one address.
    pub factor_1min_max: u32,
    /// Requests about passkeys from one address.
    pub passkey_5min_max: u32,
    /// Programs that register themselves from one address.
    pub registration_5min_max: u32,
    /// Refused requests from one address where a key of the operator or a company is needed; those that are not refused do not count.
    pub refused_5min_max: u32,
    /// All other requests from one address.
    pub other_5min_max: u32,
    /// Refreshes of one session.
    pub session_refresh_5min_max: u32,
    /// Requests of one signed-in account.
    pub account_5min_max: u32,
    /// Requests of all signed-in accounts that work in one company.
    pub company_5min_max: u32,
    /// Wrong passwords for one account from one address.
    pub wrong_password_10min_max: u32,
    /// Wrong passwords for whatever accounts from one address.
    pub wrong_password_address_10min_max: u32,
    /// Wrong passwords for one account from wherever; addresses that were signed in to it go on.
    pub wrong_password_account_hour_max: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            by_address: None,
            sign_up_5min_max: 30,
            anonymous_hour_max: 30,
            sign_in_5min_max: 150,
            send_5min_max: 30,
            verify_5min_max: 30,
            refresh_5min_max: 1800,
            change_5min_max: 30,
            factor_1min_max: 15,
            passkey_5min_max: 30,
            registration_5min_max: 10,
            refused_5min_max: 30,
            other_5min_max: 6000,
            session_refresh_5min_max: 300,
            account_5min_max: 1500,
            company_5min_max: 30_000,
            wrong_password_10min_max: 10,
            wrong_password_address_10min_max: 100,
            wrong_password_account_hour_max: 100,
        }
    }
}

impl LimitsConfig {
    pub(crate) fn faults(&self) -> impl Iterator<Item = (bool, &'static str, &'static str)> {
        let numbers = [
            (self.sign_up_5min_max, "limits.sign_up_5min_max"),
            (self.anonymous_hour_max, "limits.anonymous_hour_max"),
            (self.sign_in_5min_max, "limits.sign_in_5min_max"),
            (self.send_5min_max, "limits.send_5min_max"),
            (self.verify_5min_max, "limits.verify_5min_max"),
            (self.refresh_5min_max, "limits.refresh_5min_max"),
            (self.change_5min_max, "limits.change_5min_max"),
            (self.factor_1min_max, "limits.factor_1min_max"),
            (self.passkey_5min_max, "limits.passkey_5min_max"),
            (self.registration_5min_max, "limits.registration_5min_max"),
            (self.refused_5min_max, "limits.refused_5min_max"),
            (self.other_5min_max, "limits.other_5min_max"),
            (self.session_refresh_5min_max, "limits.session_refresh_5min_max"),
            (self.account_5min_max, "limits.account_5min_max"),
            (self.company_5min_max, "limits.company_5min_max"),
            (self.wrong_password_10min_max, "limits.wrong_password_10min_max"),
            (self.wrong_password_address_10min_max, "limits.wrong_password_address_10min_max"),
            (self.wrong_password_account_hour_max, "limits.wrong_password_account_hour_max"),
        ];
        numbers.into_iter().map(|(number, key)| (!(1..=1_000_000).contains(&number), key, "1 to 1000000"))
    }
}
