//! Which rate holds for whom: what a company was given goes before its tier's, that before what was set for everybody, and that before
//! the configuration.
//!
//! Invariant: made whole from the configuration and all rules, and replaced whole, so that no request sees half a change.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use kernel::CompanyId;

use crate::class::Class;
use crate::config::RatesConfig;
use crate::fields::Policy;
use crate::rate::Rate;

const SECONDS: u32 = 60;

/// Who is counted together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Counted {
    /// Each user, key and address for itself.
    Caller,
    /// All who ask for one company.
    Company,
}

/// A rate that was set at run time, for one company, for one tier, or for everybody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Of what sort of request.
    pub class: Class,
    /// Who is counted together.
    pub counted: Counted,
    /// For which company.
    pub company: Option<CompanyId>,
    /// For companies of which tier.
    pub tier: Option<String>,
    /// How many in a minute; nothing is no limit.
    pub minute_max: Option<u32>,
    /// How many at once; nothing is as many as the configuration says.
    pub burst_max: Option<u32>,
    /// Whether they are counted and never refused; nothing is what the configuration says.
    pub is_shadow: Option<bool>,
}

/// What a company has subscribed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tier {
    /// The tier.
    pub name: Arc<str>,
    /// From when on it has what the free one has.
    pub until: Option<Timestamp>,
}

/// A limit as requests are held against it.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) class: Class,
    pub(crate) counted: Counted,
    pub(crate) rate: Rate,
    pub(crate) is_shadow: bool,
    pub(crate) policy: Policy,
}

#[derive(Clone, Debug, Default)]
enum Choice {
    #[default]
    Unsaid,
    Unlimited,
    Limited(Arc<Limit>),
}

/// What is said of each class, for callers and for companies.
type Set = [Choice; Class::ALL.len() * 2];

/// All that holds at a moment.
#[derive(Debug)]
pub(crate) struct Rules {
    everybody: Set,
    tiers: HashMap<String, Set>,
    companies: HashMap<CompanyId, Set>,
}

impl Rules {
    pub(crate) fn new(config: &RatesConfig, rules: &[Rule]) -> Self {
        let mut this = Self { everybody: Set::default(), tiers: HashMap::new(), companies: HashMap::new() };
        for class in Class::ALL {
            let minute_max = Some(config.minute_max(class)).filter(|max| *max > 0);
            let configured =
                Rule { class, counted: Counted::Caller, company: None, tier: None, minute_max, burst_max: None, is_shadow: None };
            say(&mut this.everybody, &configured, config);
        }
        for rule in rules {
            let set = match (rule.company, &rule.tier) {
                (Some(company), _) => this.companies.entry(company).or_default(),
                (None, Some(tier)) => this.tiers.entry(tier.clone()).or_default(),
                (None, None) => &mut this.everybody,
            };
            say(set, rule, config);
        }
        this
    }

    /// Tells whether anything hangs on the tier of a company.
    pub(crate) fn ask_for_tiers(&self) -> bool {
        !self.tiers.is_empty()
    }

    /// Returns what holds for a class, if anything does.
    pub(crate) fn limit(&self, (class, counted): (Class, Counted), company: Option<CompanyId>, tier: Option<&str>) -> Option<&Arc<Limit>> {
        let of_company = company.and_then(|company| self.companies.get(&company));
        let of_tier = tier.and_then(|tier| self.tiers.get(tier));
        let sets = [of_company, of_tier, Some(&self.everybody)];
        sets.into_iter().flatten().find_map(|set| match set.get(place(class, counted)) {
            None | Some(Choice::Unsaid) => None,
            Some(Choice::Unlimited) => Some(None),
            Some(Choice::Limited(limit)) => Some(Some(limit)),
        })?
    }
}

fn say(set: &mut Set, rule: &Rule, config: &RatesConfig) {
    let choice = match rule.minute_max {
        None => Choice::Unlimited,
        Some(max) => {
            let burst = u32::try_from(u64::from(max) * u64::from(config.burst_percent) / 100).unwrap_or(max);
            let rate = Rate::new(max, SECONDS).with_burst(rule.burst_max.unwrap_or(burst));
            let is_shadow = rule.is_shadow.unwrap_or_else(|| config.is_shadow(rule.class));
            let policy = Policy::new(rule.class, rate);
            Choice::Limited(Arc::new(Limit { class: rule.class, counted: rule.counted, rate, is_shadow, policy }))
        }
    };
    if let Some(place) = set.get_mut(place(rule.class, rule.counted)) {
        *place = choice;
    }
}

fn place(class: Class, counted: Counted) -> usize {
    class.number() * 2 + usize::from(counted == Counted::Company)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_nearest_rule_holds() {
        let (acme, baker) = (CompanyId(Uuid::from_u128(1)), CompanyId(Uuid::from_u128(2)));
        let rule = |company, tier: Option<&str>, minute_max| Rule {
            class: Class::Write,
            counted: Counted::Caller,
            company,
            tier: tier.map(str::to_owned),
            minute_max,
            burst_max: None,
            is_shadow: None,
        };
        let config = RatesConfig { burst_percent: 50, ..RatesConfig::default() };
        let of = |rules: &[Rule], company, tier| {
            Rules::new(&config, rules).limit((Class::Write, Counted::Caller), Some(company), tier).map(|limit| limit.rate)
        };
        let half = |max: u32| Some(Rate::new(max, 60).with_burst(max / 2));
        assert_eq!(of(&[], acme, Some("pro")), half(100));
        let all = rule(None, None, Some(90));
        let pro = rule(None, Some("pro"), Some(500));
        let own = rule(Some(acme), None, None);
        assert_eq!(of(&[all.clone(), pro.clone()], acme, None), half(90));
        assert_eq!(of(&[all.clone(), pro.clone()], acme, Some("pro")), half(500));
        assert_eq!(of(&[all.clone(), pro.clone(), own.clone()], acme, Some("pro")), None, "without a limit");
        assert_eq!(of(&[all, pro, own], baker, Some("pro")), half(500));
        let rules = Rules::new(&config, &[Rule { counted: Counted::Company, ..rule(Some(acme), None, Some(7)) }]);
        assert!(rules.limit((Class::Read, Counted::Company), Some(acme), None).is_none());
        assert_eq!(rules.limit((Class::Write, Counted::Company), Some(acme), None).unwrap().rate.max(), 7);
        assert!(rules.limit((Class::Write, Counted::Company), Some(baker), None).is_none());
        assert!(rules.limit((Class::Service, Counted::Caller), None, None).is_none(), "0 is without a limit");
    }

    #[test]
    fn a_class_that_is_only_watched_is_said_by_rule_or_configuration() {
        let config = RatesConfig { shadow: vec!["read".to_owned()], ..RatesConfig::default() };
        let strict = Rule {
            class: Class::Read,
            counted: Counted::Caller,
            company: None,
            tier: None,
            minute_max: Some(1),
            burst_max: Some(9),
            is_shadow: Some(false),
        };
        let is_shadow = |rules: &Rules, class| rules.limit((class, Counted::Caller), None, None).unwrap().is_shadow;
        let configured = Rules::new(&config, &[]);
        assert!(is_shadow(&configured, Class::Read) && !is_shadow(&configured, Class::Write));
        assert!(!is_shadow(&Rules::new(&config, &[strict]), Class::Read));
    }
}
