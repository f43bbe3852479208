//! What can be set about signing in, with defaults that are safe in production.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use std::path::PathBuf;

use kernel::Secret;
use serde::{Deserialize, Serialize};

use crate::api_keys::ApiKeyConfig;
pub use crate::companies::CompaniesConfig;
pub use crate::external::config::{AnonymousConfig, AppleConfig, ExternalConfig, OwnConfig, ProviderConfig};
pub use crate::hooks::config::HooksConfig;
pub use crate::issuers::config::{IssuerConfig, IssuersConfig, SecondFactor};
pub use crate::limits::config::LimitsConfig;
pub use crate::oauth_server::OauthServerConfig;
use crate::passwords::CharacterClass;
use crate::portal::PortalConfig;
pub use crate::scim::config::ScimConfig;
pub use crate::security::config::SecurityConfig;
pub use crate::support::config::SupportConfig;
pub use crate::webauthn::config::WebauthnConfig;

/// The settings of the auth layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct AuthConfig {
    /// The path below which sign-in is served; `/` serves it at the root, behind everything else.
    pub path: String,
    /// Whether strangers may sign up.
    pub signup_enabled: bool,
    /// Whether an address counts as confirmed without a mail to it.
    pub autoconfirm: bool,

    /// Whether a request must carry an API key in the header `apikey`. Without one it is anonymous otherwise.
    pub require_apikey: bool,
    /// A shared secret whose HS256 tokens are accepted beside our own. At least 32 bytes.
    pub jwt_secret: Option<Secret<String>>,
    /// A file of JSON Web Keys that sign and verify in place of the key made at the first start, mode 0600: ES256, RS256 and HS256 side by side,
    /// the one that signs has `sign` in its `key_ops`. A changed file is taken within seconds.
    pub signing_keys_file: Option<PathBuf>,
    /// Audiences that are accepted beside `authenticated` in a token that names any.
    pub audiences: Vec<String>,
    /// How long an access token is good.
    pub access_token_seconds: u32,
    /// After how long without a refresh a session ends.
    pub session_idle_seconds: u32,
    /// How long a session lasts at most, however often it is refreshed.
    pub session_seconds_max: u32,
    /// Whether a sign-in ends the user's other sessions.
    pub session_single_per_user: bool,
    /// For how long whoever comes with the refresh token before the current one is given that one, for tabs that refresh at the same time.
    /// Later he is given a new one, if nobody came with the current one: then the answer was lost.
    pub refresh_reuse_seconds: u32,
    /// The largest token that is looked at.
    pub token_bytes_max: usize,
    /// How much memory the verified tokens may take.
    pub token_cache_bytes_max: u64,
    /// The largest request body under /auth/v1.
    pub body_bytes_max: usize,
    /// The largest `user_metadata`. It travels in every access token.
    pub user_metadata_bytes_max: u32,
    /// The largest `app_metadata`. It travels in every access token.
    pub app_metadata_bytes_max: u32,
    /// Passwords.
    pub password: PasswordConfig,
    /// Second factors.
    pub mfa: MfaConfig,
    /// Links and codes by mail and SMS.
    pub one_time: OneTimeConfig,
    /// Directories that provision members (SCIM).
    pub scim: ScimConfig,
    /// How often one address, account or company may ask.
    pub limits: LimitsConfig,
    /// Accounts without an address.
    pub anonymous: AnonymousConfig,
    /// Accounts at providers.
    pub external: ExternalConfig,
    /// Programs of others that people let act for them.
    pub oauth_server: OauthServerConfig,
    /// Issuers whose tokens are accepted beside our own.
    pub issuers: IssuersConfig,
    /// Security keys and passkeys.
    pub webauthn: WebauthnConfig,
    /// The history of accounts.
    pub security: SecurityConfig,
    /// API keys of companies.
    pub api_keys: ApiKeyConfig,
    /// Companies and their members.
    pub companies: CompaniesConfig,
    /// Hooks that are asked when somebody signs up or in.
    pub hooks: HooksConfig,
    /// The portal of companies' customers.
    pub portal: PortalConfig,
    /// Support that works in a company.
    pub support: SupportConfig,
}

/// The settings of second factors.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct MfaConfig {
    /// Whether authenticator apps may be added.
    pub totp_enroll_enabled: bool,
    /// Whether codes of authenticator apps are taken.
    pub totp_verify_enabled: bool,
    /// Whether security keys may be added.
    pub webauthn_enroll_enabled: bool,
    /// Whether signatures of security keys are taken.
    pub webauthn_verify_enabled: bool,
    /// Whether telephones may be added. Every proof costs an SMS, and whoever moves a number to himself has it.
    pub phone_enroll_enabled: bool,
    /// Whether codes by SMS are taken.
    pub phone_verify_enabled: bool,
    /// Whether mailboxes may be added. It has to be another one than that of the account.
    pub email_enroll_enabled: bool,
    /// Whether codes by mail are taken.
    pub email_verify_enabled: bool,
    /// Whether there are recovery codes, which stand in for a factor that was lost.
    pub recovery_codes_enabled: bool,
    /// The name under which authenticator apps list this service; empty: the host of `public_url`.
    pub issuer: String,
    /// How many factors an account may have, recovery codes aside.
    pub factors_max: u32,
    /// How long a challenge may be answered.
    pub challenge_seconds: u32,
    /// How many challenges of one factor are open at once; the oldest is forgotten.
    pub challenges_max: u32,
    /// After how long a factor that was begun and never proved is taken away when the next one is begun.
    pub unverified_seconds: u32,
    /// How many codes may be tried for one factor within `attempts_seconds`; a right one begins anew.
    pub attempts_max: u32,
    /// For how long tries are counted.
    pub attempts_seconds: u32,
    /// How many recovery codes a set has.
    pub recovery_codes: u32,
}

/// The settings of passwords and of the work to hash them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordConfig {
    /// The shortest password, in characters.
    pub length_min: usize,
    /// The longest password, in bytes. Nothing is ever cut off.
    pub bytes_max: usize,
    /// Memory of one argon2id hash.
    pub memory_kib: u32,
    /// Passes of one argon2id hash.
    pub iterations: u32,
    /// Lanes of one argon2id hash.
    pub lanes: u32,
    /// How many hashes are made at once; 0 means a quarter of the cores, at least one: each takes the memory's bandwidth from whatever else runs.
    pub workers: usize,
    /// How many may wait for their turn before others are told to come back.
    pub queue_max: usize,
    /// The latest moment that those are told, in seconds.
    pub come_back_seconds_max: u32,
    /// After how many milliseconds, or a multiple of that, a wrong password is refused and a sign-up is answered that has to be confirmed:
    /// how long the work took tells nothing then. 0: at once.
    pub refusal_step_ms: u32,
    /// The highest cost of a bcrypt hash that was brought from elsewhere and is still compared; each step doubles the work.
    pub bcrypt_cost_max: u32,
    /// The most memory that a hash of argon2 or scrypt takes that was brought from elsewhere and is still compared.
    pub imported_memory_kib_max: u32,
    /// Whether a new password needs the one that the account has, where it has one.
    pub current_required: bool,
    /// Of which sorts of characters a password has to have one each: `lower`, `upper`, `digit`, `symbol`.
    pub required_characters: Vec<String>,
    /// Whether passwords are refused that everybody tries first. The list is in the program.
    pub common_refused: bool,
    /// A file of leaked passwords, which are refused: lines of a SHA-1 digest, a colon and a count, sorted by the digest, as Have I Been Pwned
    /// gives them out.
    pub leaked_file: Option<PathBuf>,
}

/// The settings of links and codes by mail and SMS.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneTimeConfig {
    /// Where people go after a link; the server's own address if not set.
    pub site_url: Option<String>,
    /// Where else they may go: addresses in which `*` is anything but `.` and `/`, and `**` anything.
    pub redirect_urls: Vec<String>,
    /// How long a link or code by mail is good.
    pub mail_seconds: u32,
    /// How long a code by SMS is good.
    pub sms_seconds: u32,
    /// After how many milliseconds, or a multiple of that, whoever asks for a link or code is answered, so that how long the work took
    /// tells nothing. 0: at once.
    pub answer_step_ms: u32,
    /// Digits of a code.
    pub code_digits: u32,
    /// Wrong codes after which only the link is good.
    pub code_attempts_max: u32,
    /// Seconds between two mails for the same reason to one address.
    pub mail_pause_seconds: u32,
    /// Seconds between two SMS for the same reason to one number.
    pub sms_pause_seconds: u32,
    /// Messages to one address or number in an hour.
    pub recipient_hour_max: u32,
    /// Messages that one client may ask for in an hour.
    pub client_hour_max: u32,
    /// Codes of numbers that no SMS is sent to, each `15550100=123456`: for tests and for reviewers of an app.
    pub test_codes: Vec<String>,
    /// Whether a telephone number counts as confirmed without an SMS to it.
    pub phone_autoconfirm: bool,
    /// Whether the old address has to agree when an account gets another one.
    pub email_change_double: bool,
    /// Whether a new password needs a code first, or the one that the account has, where the session is older than a day.
    pub reauthentication_required: bool,
}

impl OneTimeConfig {
    fn faults(&self) -> [(bool, &'static str, &'static str); 10] {
        let site = self.site_url.as_deref().map(url::Url::parse);
        let is_code = |line: &String| {
            line.split_once('=').is_some_and(|(number, code)| {
                number.trim_start_matches('+').bytes().all(|byte| byte.is_ascii_digit())
                    && (4..=10).contains(&code.len())
                    && code.bytes().all(|byte| byte.is_ascii_digit())
            })
        };
        let is_site = site.is_none_or(|site| site.is_ok_and(|site| matches!(site.scheme(), "http" | "https") && site.has_host()));
        [
            (!is_site, "one_time.site_url", "an http or https URL"),
            (self.redirect_urls.iter().any(|url| !url.contains(':') || url.len() > 1000), "one_time.redirect_urls", "URLs with `*`"),
            (!(60..=604_800).contains(&self.mail_seconds), "one_time.mail_seconds", "60 to 604800"),
            (!(30..=86_400).contains(&self.sms_seconds), "one_time.sms_seconds", "30 to 86400"),
            (self.answer_step_ms > 5000, "one_time.answer_step_ms", "0 to 5000"),
            (!(6..=10).contains(&self.code_digits), "one_time.code_digits", "6 to 10"),
            (!(1..=20).contains(&self.code_attempts_max), "one_time.code_attempts_max", "1 to 20"),
            (self.mail_pause_seconds > 3600, "one_time.mail_pause_seconds", "0 to 3600"),
            (self.sms_pause_seconds > 3600, "one_time.sms_pause_seconds", "0 to 3600"),
            (!self.test_codes.iter().all(is_code), "one_time.test_codes", "lines such as 15550100=123456"),
        ]
    }

    /// Returns the code of a number that no SMS is sent to.
    pub(crate) fn test_code(&self, number: &str) -> Option<&str> {
        let known = self.test_codes.iter().filter_map(|line| line.split_once('='));
        known.filter(|(known, _)| known.trim_start_matches('+') == number).map(|(_, code)| code).next()
    }
}

impl Default for OneTimeConfig {
    fn default() -> Self {
        Self {
            site_url: None,
            redirect_urls: Vec::new(),
            mail_seconds: 3600,
            sms_seconds: 600,
            answer_step_ms: 50,
            code_digits: 6,
            code_attempts_max: 5,
            mail_pause_seconds: 60,
            sms_pause_seconds: 60,
            recipient_hour_max: 20,
            client_hour_max: 360,
            test_codes: Vec::new(),
            phone_autoconfirm: false,
            email_change_double: true,
            reauthentication_required: false,
        }
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            path: "/auth/v1".to_owned(),
            signup_enabled: true,
            autoconfirm: true,
            require_apikey: false,
            jwt_secret: None,
            signing_keys_file: None,
            audiences: Vec::new(),
            access_token_seconds: 3600,
            session_idle_seconds: 7 * 24 * 3600,
            session_seconds_max: 90 * 24 * 3600,
            session_single_per_user: false,
            refresh_reuse_seconds: 10,
            token_bytes_max: 16 * 1024,
            token_cache_bytes_max: 32 * 1024 * 1024,
            body_bytes_max: 64 * 1024,
            user_metadata_bytes_max: 6 * 1024,
            app_metadata_bytes_max: 3 * 1024,
            password: PasswordConfig::default(),
            mfa: MfaConfig::default(),
            one_time: OneTimeConfig::default(),
            scim: ScimConfig::default(),
            limits: LimitsConfig::default(),
            anonymous: AnonymousConfig::default(),
            external: ExternalConfig::default(),
            oauth_server: OauthServerConfig::default(),
            issuers: IssuersConfig::default(),
            webauthn: WebauthnConfig::default(),
            security: SecurityConfig::default(),
            api_keys: ApiKeyConfig::default(),
            companies: CompaniesConfig::default(),
            hooks: HooksConfig::default(),
            portal: PortalConfig::default(),
            support: SupportConfig::default(),
        }
    }
}

impl Default for MfaConfig {
    fn default() -> Self {
        Self {
            totp_enroll_enabled: true,
            totp_verify_enabled: true,
            webauthn_enroll_enabled: true,
            webauthn_verify_enabled: true,
            phone_enroll_enabled: false,
            phone_verify_enabled: true,
            email_enroll_enabled: false,
            email_verify_enabled: true,
            recovery_codes_enabled: true,
            issuer: String::new(),
            factors_max: 10,
            challenge_seconds: 300,
            challenges_max: 10,
            unverified_seconds: 300,
            attempts_max: 5,
            attempts_seconds: 300,
            recovery_codes: 10,
        }
    }
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self {
            length_min: 6,
            bytes_max: 256,
            memory_kib: 19 * 1024,
            iterations: 2,
            lanes: 1,
            workers: 0,
            queue_max: 128,
            come_back_seconds_max: 60,
            refusal_step_ms: 250,
            bcrypt_cost_max: 14,
            imported_memory_kib_max: 64 * 1024,
            current_required: false,
            required_characters: Vec::new(),
            common_refused: true,
            leaked_file: None,
        }
    }
}

/// A value that cannot be used: its key below `auth`, and what is allowed.
pub type Fault = (&'static str, &'static str);

/// First parts of paths that are taken, whatever is served.
const TAKEN: [&str; 7] = [".well-known", "api", "batch", "health", "mailbox", "metrics", "rest"];

/// Tells whether sign-in can be served below a path.
fn is_free_path(path: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte))
    };
    match path.strip_prefix('/') {
        None => path.is_empty(),
        Some(parts) => {
            parts.len() <= 100 && parts.split('/').all(is_part) && parts.split('/').next().is_some_and(|first| !TAKEN.contains(&first))
        }
    }
}

impl AuthConfig {
    /// Returns the path below which sign-in is served, without a slash at its end: nothing at the root.
    pub fn prefix(&self) -> &str {
        self.path.strip_suffix('/').unwrap_or(&self.path)
    }

    /// Returns what is impossible about the values; nothing when they can be used.
    pub fn faults(&self) -> Vec<Fault> {
        let secret_bytes = self.jwt_secret.as_ref().map(|secret| secret.expose().len());
        let metadata_bytes = u64::from(self.user_metadata_bytes_max) + u64::from(self.app_metadata_bytes_max);
        let token_bytes = u64::try_from(self.token_bytes_max).unwrap_or(u64::MAX);
        [
            (!is_free_path(self.prefix()), "path", "`/`, or a path such as /auth/v1 in small letters that nothing else has"),
            (secret_bytes.is_some_and(|bytes| bytes < 32), "jwt_secret", "at least 32 bytes"),
            (!(60..=86_400).contains(&self.access_token_seconds), "access_token_seconds", "60 to 86400"),
            (self.session_idle_seconds < self.access_token_seconds, "session_idle_seconds", "not less than access_token_seconds"),
            (self.session_seconds_max < self.session_idle_seconds, "session_seconds_max", "not less than session_idle_seconds"),
            (self.refresh_reuse_seconds > 300, "refresh_reuse_seconds", "0 to 300"),
            (!(1024..=65_536).contains(&self.token_bytes_max), "token_bytes_max", "1024 to 65536"),
            (!(1024..=1_048_576).contains(&self.body_bytes_max), "body_bytes_max", "1024 to 1048576"),
            // Base64 makes four bytes of three; the rest of a token fits into 2 kB.
            (
                metadata_bytes * 4 / 3 + 2048 > token_bytes,
                "user_metadata_bytes_max",
                "small enough that a token with user_metadata and app_metadata fits token_bytes_max",
            ),
            (!(6..=64).contains(&self.password.length_min), "password.length_min", "6 to 64"),
            (
                self.password.required_characters.iter().any(|class| CharacterClass::parse(class).is_none()),
                "password.required_characters",
                "lower, upper, digit and symbol",
            ),
            (!(64..=1024).contains(&self.password.bytes_max), "password.bytes_max", "64 to 1024"),
            (!(7 * 1024..=1024 * 1024).contains(&self.password.memory_kib), "password.memory_kib", "7168 to 1048576"),
            (!(1..=16).contains(&self.password.iterations), "password.iterations", "1 to 16"),
            // The weakest pairs that are still held to be equal to 19 MiB in two passes.
            (
                u64::from(self.password.memory_kib) * u64::from(self.password.iterations) < 35 * 1024,
                "password.iterations",
                "enough that memory_kib times iterations is at least 35840",
            ),
            (!(1..=8).contains(&self.password.lanes), "password.lanes", "1 to 8"),
            (self.password.workers > 256, "password.workers", "0 to 256"),
            (self.password.queue_max > 10_000, "password.queue_max", "0 to 10000"),
            (!(1..=3600).contains(&self.password.come_back_seconds_max), "password.come_back_seconds_max", "1 to 3600"),
            (self.password.refusal_step_ms > 5000, "password.refusal_step_ms", "0 to 5000"),
            (!(4..=16).contains(&self.password.bcrypt_cost_max), "password.bcrypt_cost_max", "4 to 16"),
            (!(1024..=1_048_576).contains(&self.password.imported_memory_kib_max), "password.imported_memory_kib_max", "1024 to 1048576"),
            (self.mfa.issuer.chars().count() > 200, "mfa.issuer", "at most 200 characters"),
            (!(1..=100).contains(&self.mfa.factors_max), "mfa.factors_max", "1 to 100"),
            (!(30..=3600).contains(&self.mfa.challenge_seconds), "mfa.challenge_seconds", "30 to 3600"),
            (!(1..=100).contains(&self.mfa.challenges_max), "mfa.challenges_max", "1 to 100"),
            (!(60..=86_400).contains(&self.mfa.unverified_seconds), "mfa.unverified_seconds", "60 to 86400"),
            (!(1..=100).contains(&self.mfa.attempts_max), "mfa.attempts_max", "1 to 100"),
            (!(60..=86_400).contains(&self.mfa.attempts_seconds), "mfa.attempts_seconds", "60 to 86400"),
            (!(4..=20).contains(&self.mfa.recovery_codes), "mfa.recovery_codes", "4 to 20"),
        ]
        .into_iter()
        .chain(self.one_time.faults())
        .chain(self.scim.faults())
        .chain(self.limits.faults())
        .chain(self.anonymous.faults())
        .chain(self.external.faults())
        .chain(self.oauth_server.faults())
        .chain(self.issuers.faults())
        .chain(self.webauthn.faults())
        .chain(self.security.faults())
        .chain(self.api_keys.faults().map(|(impossible, (key, allowed))| (impossible, key, allowed)))
        .chain(self.companies.faults())
        .chain(self.hooks.faults())
        .chain(self.portal.faults().map(|(impossible, (key, allowed))| (impossible, key, allowed)))
        .chain(self.support.faults())
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_used() {
        assert_eq!(AuthConfig::default().faults(), []);
    }

    #[test]
    fn weak_values_are_named() {
        let mut config = AuthConfig { jwt_secret: Some(Secret::new("short".to_owned())), ..AuthConfig::default() };
        config.password.memory_kib = 1024;
        config.user_metadata_bytes_max = 12_000;
        let keys: Vec<_> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["jwt_secret", "user_metadata_bytes_max", "password.memory_kib", "password.iterations"]);
    }

    #[test]
    fn a_path_is_one_that_nothing_else_has() {
        for (path, prefix) in [("/auth/v1", "/auth/v1"), ("/", ""), ("", ""), ("/sign-in/", "/sign-in")] {
            let config = AuthConfig { path: path.to_owned(), ..AuthConfig::default() };
            assert_eq!((config.faults(), config.prefix()), (vec![], prefix), "{path}");
        }
        for path in ["auth", "//", "/a//b", "/rest/v1/auth", "/health", "/.well-known", "/{id}", "/a?b", "/A", "/a b", "/a/*rest"] {
            let config = AuthConfig { path: path.to_owned(), ..AuthConfig::default() };
            assert_eq!(config.faults().first().map(|(key, _)| *key), Some("path"), "{path}");
        }
    }

    #[test]
    fn the_secret_is_never_printed() {
        let config = AuthConfig { jwt_secret: Some(Secret::new("correct horse battery staple".to_owned())), ..AuthConfig::default() };
        assert!(!format!("{config:?}").contains("horse"));
    }
}
