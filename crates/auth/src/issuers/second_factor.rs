//! How another issuer tells that somebody proved a second factor.
//!
//! Invariant: it is believed only what is written here for this issuer, of a type that fits; what is missing or reads otherwise is a token
//! without a second factor.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::config::IssuerConfig;
use super::token::at;

/// A claim that tells of a second factor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecondFactor {
    /// Which claim; dots go deeper, numbers into lists.
    pub claim: String,
    /// Texts of which one has to be the claim, or to stand in it where it is a list.
    pub values: Vec<String>,
    /// For a claim that is a number: 0 up to this one.
    pub at_most: Option<u32>,
}

impl SecondFactor {
    pub(super) fn is_usable(&self) -> bool {
        // A rule that fits any token would let everybody in, one that fits none nobody.
        !self.claim.is_empty() && (self.values.is_empty() == self.at_most.is_some()) && self.values.iter().all(|value| !value.is_empty())
    }

    fn is_told(&self, claims: &Map<String, Value>) -> bool {
        let is_meant = |value: &Value| value.as_str().is_some_and(|text| self.values.iter().any(|known| known == text));
        match at(claims, &self.claim) {
            Some(Value::Array(told)) => told.iter().any(is_meant),
            Some(Value::Number(told)) => told.as_u64().zip(self.at_most).is_some_and(|(told, most)| told <= most.into()),
            Some(told) => is_meant(told),
            None => false,
        }
    }
}

/// Tells whether somebody proved a second factor before the issuer made this token.
pub(super) fn is_proved(issuer: &IssuerConfig, claims: &Map<String, Value>) -> bool {
    issuer.second_factor_always || issuer.second_factors.iter().any(|factor| factor.is_told(claims))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is(factor: &SecondFactor, claims: &Value) -> bool {
        let issuer = IssuerConfig { second_factors: vec![factor.clone()], ..IssuerConfig::default() };
        is_proved(&issuer, claims.as_object().unwrap())
    }

    fn one_of(claim: &str, value: &str) -> SecondFactor {
        SecondFactor { claim: claim.to_owned(), values: vec![value.to_owned()], at_most: None }
    }

    #[test]
    fn a_text_is_one_of_those_named() {
        let amr = one_of("amr", "mfa");
        assert!(is(&amr, &json!({ "amr": ["pwd", "mfa"] })));
        assert!(is(&amr, &json!({ "amr": "mfa" })));
        for claims in [
            json!({}),
            json!({ "amr": null }),
            json!({ "amr": [] }),
            json!({ "amr": ["pwd"] }),
            json!({ "amr": ["mfa "] }),
            json!({ "amr": [["mfa"]] }),
            json!({ "amr": { "mfa": true } }),
            json!({ "amr": true }),
            json!({ "amr": 0 }),
            json!({ "AMR": ["mfa"] }),
        ] {
            assert!(!is(&amr, &claims), "{claims}");
        }
        let acr = one_of("acr", "http://schemas.openid.net/pape/policies/2007/06/multi-factor");
        assert!(is(&acr, &json!({ "acr": "http://schemas.openid.net/pape/policies/2007/06/multi-factor" })));
        assert!(is(&one_of("https://example.com/amr", "mfa"), &json!({ "https://example.com/amr": ["mfa"] })));
    }

    #[test]
    fn a_number_is_not_over_the_most() {
        // Clerk: minutes since the first and since the second factor, -1 for never.
        let fva = SecondFactor { claim: "fva.1".to_owned(), values: Vec::new(), at_most: Some(600) };
        assert!(is(&fva, &json!({ "fva": [7, 0] })) && is(&fva, &json!({ "fva": [7, 600] })));
        for fva_of in [json!([7, -1]), json!([7, 601]), json!([7]), json!([7, "5"]), json!([7, 5.5]), json!("75"), json!(null)] {
            assert!(!is(&fva, &json!({ "fva": fva_of })), "{fva_of}");
        }
    }

    #[test]
    fn unless_it_is_declared_nothing_counts() {
        let claims = json!({ "aal": "aal2", "amr": ["mfa"], "acr": "2", "fva": [0, 0] });
        assert!(!is_proved(&IssuerConfig::default(), claims.as_object().unwrap()));
        let always = IssuerConfig { second_factor_always: true, ..IssuerConfig::default() };
        assert!(is_proved(&always, json!({}).as_object().unwrap()));
    }

    #[test]
    fn a_rule_names_a_claim_and_what_it_has_to_be() {
        assert!(one_of("amr", "mfa").is_usable());
        assert!(SecondFactor { at_most: Some(0), values: Vec::new(), ..one_of("fva.1", "") }.is_usable());
        for unusable in [
            one_of("", "mfa"),
            one_of("amr", ""),
            SecondFactor { values: Vec::new(), ..one_of("amr", "") },
            SecondFactor { at_most: Some(5), ..one_of("amr", "mfa") },
        ] {
            assert!(!unusable.is_usable(), "{unusable:?}");
        }
    }
}
