//! Which hooks are asked when somebody signs up or in.

use outbound::config::{HookConfig, HookLimits};
use serde::{Deserialize, Serialize};

/// Hooks that are asked when somebody signs up or in. Those that send mail and SMS stand in `outbound`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HooksConfig {
    /// Changes what an access token says.
    pub custom_access_token: HookConfig,
    /// Is told of every password that was tried for an account, and may reject.
    pub password_verification_attempt: HookConfig,
    /// Is told of every code that was tried for a second factor, and may reject.
    pub mfa_verification_attempt: HookConfig,
    /// Is asked before an account is made, and may refuse.
    pub before_user_created: HookConfig,
    /// Is told of an account that was made.
    pub after_user_created: HookConfig,
    /// What an answer may take.
    pub limits: HookLimits,
}

impl HooksConfig {
    pub(crate) fn faults(&self) -> impl Iterator<Item = (bool, &'static str, &'static str)> {
        let allowed = "pg-functions://postgres/schema/function, or an https address with secrets `v1,whsec_` and base64 of 24 to 64 bytes";
        [
            (!self.custom_access_token.is_usable(), "hooks.custom_access_token.uri", allowed),
            (!self.password_verification_attempt.is_usable(), "hooks.password_verification_attempt.uri", allowed),
            (!self.mfa_verification_attempt.is_usable(), "hooks.mfa_verification_attempt.uri", allowed),
            (!self.before_user_created.is_usable(), "hooks.before_user_created.uri", allowed),
            (!self.after_user_created.is_usable(), "hooks.after_user_created.uri", allowed),
            (!(10..=30_000).contains(&self.limits.function_time_ms), "hooks.limits.function_time_ms", "10 to 30000"),
            (!(10..=30_000).contains(&self.limits.http_time_ms), "hooks.limits.http_time_ms", "10 to 30000"),
            (!(1..=10).contains(&self.limits.http_attempts_max), "hooks.limits.http_attempts_max", "1 to 10"),
            (self.limits.http_retry_ms > 30_000, "hooks.limits.http_retry_ms", "0 to 30000"),
            (!(1024..=10_485_760).contains(&self.limits.answer_bytes_max), "hooks.limits.answer_bytes_max", "1024 to 10485760"),
            (!(1..=10_000).contains(&self.limits.calls_max), "hooks.limits.calls_max", "1 to 10000"),
        ]
        .into_iter()
    }
}
