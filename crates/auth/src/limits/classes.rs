//! What sort of request it is, by its path: each sort has its own bucket for every address.
//!
//! Invariant: every path is of some sort, also one that does not exist.

use http::{Method, Uri};

use limits::Rate;

use super::config::LimitsConfig;

/// A sort of request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    SignUp,
    SignIn,
    Send,
    Verify,
    Refresh,
    Change,
    Factor,
    Passkey,
    Registration,
    /// Needs a key of the operator's or a company's: only refusals count, since whoever holds one may ask as often as he has to.
    Keyed,
    Other,
}

impl Class {
    pub(super) fn of(method: &Method, uri: &Uri) -> Self {
        let path = uri.path().trim_matches('/');
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        match first {
            "signup" => Self::SignUp,
            "token" if uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "grant_type=refresh_token")) => Self::Refresh,
            "token" | "sso" | "authorize" | "callback" => Self::SignIn,
            "otp" | "magiclink" | "recover" | "resend" | "reauthenticate" => Self::Send,
            "verify" => Self::Verify,
            "user" if *method == Method::PUT => Self::Change,
            "factors" if rest.ends_with("challenge") || rest.ends_with("verify") => Self::Factor,
            "passkeys" => Self::Passkey,
            "oauth" if rest.contains("register") => Self::Registration,
            "oauth" if rest == "token" => Self::Refresh,
            "admin" | "invite" | "scim" => Self::Keyed,
            _ => Self::Other,
        }
    }

    /// Returns the word that names it in keys and metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::SignIn => "sign_in",
            Self::Send => "send",
            Self::Verify => "verify",
            Self::Refresh => "refresh",
            Self::Change => "change",
            Self::Factor => "factor",
            Self::Passkey => "passkey",
            Self::Registration => "registration",
            Self::Keyed => "refused",
            Self::Other => "other",
        }
    }

    pub(super) fn rate(self, config: &LimitsConfig) -> Rate {
        let (max, seconds) = match self {
            Self::SignUp => (config.sign_up_5min_max, 300),
            Self::SignIn => (config.sign_in_5min_max, 300),
            Self::Send => (config.send_5min_max, 300),
            Self::Verify => (config.verify_5min_max, 300),
            Self::Refresh => (config.refresh_5min_max, 300),
            Self::Change => (config.change_5min_max, 300),
            Self::Factor => (config.factor_1min_max, 60),
            Self::Passkey => (config.passkey_5min_max, 300),
            Self::Registration => (config.registration_5min_max, 300),
            Self::Keyed => (config.refused_5min_max, 300),
            Self::Other => (config.other_5min_max, 300),
        };
        Rate::new(max, seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_of_a_sort() {
        for (method, path, class) in [
            ("POST", "/signup", Class::SignUp),
            ("POST", "/signup/", Class::SignUp),
            ("POST", "/token?grant_type=password", Class::SignIn),
            ("POST", "/token?grant_type=refresh_token", Class::Refresh),
            ("POST", "/token?x=grant_type=refresh_token&grant_type=password", Class::SignIn),
            ("POST", "/token", Class::SignIn),
            ("GET", "/verify?token=1&type=email", Class::Verify),
            ("POST", "/resend", Class::Send),
            ("PUT", "/user", Class::Change),
            ("GET", "/user", Class::Other),
            ("POST", "/factors", Class::Other),
            ("POST", "/factors/1/challenge", Class::Factor),
            ("POST", "/factors/recovery-codes/verify", Class::Factor),
            ("POST", "/passkeys/authentication/options", Class::Passkey),
            ("POST", "/oauth/clients/register", Class::Registration),
            ("POST", "/oauth/token", Class::Refresh),
            ("GET", "/oauth/authorizations/1", Class::Other),
            ("DELETE", "/admin/users/1", Class::Keyed),
            ("GET", "/scim/v2/Users", Class::Keyed),
            ("GET", "/", Class::Other),
            ("GET", "/nowhere", Class::Other),
        ] {
            assert_eq!(Class::of(&method.parse().unwrap(), &path.parse().unwrap()), class, "{method} {path}");
        }
    }
}
