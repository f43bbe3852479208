//! `Accept`: in which form the answer is wanted.
//!
//! Invariant: of several the best liked that there is; of equally liked ones the one that says more, then the first. What is in quotes is
//! one value, whatever stands in it.

use http::HeaderMap;
use http::header::ACCEPT;
use kernel::{Error, Kind, Result};

use super::forms::{Explain, MediaType, PlanFormat, PlanOption};
use super::syntax::Target;

/// What was chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Accepted {
    /// The form of the answer.
    pub(super) media: MediaType,
    /// Whether the plan is wanted instead, and how.
    pub(super) explain: Option<Explain>,
}

/// One of the forms that a client takes.
struct Range {
    /// As it was said, without spaces and without how much it is liked.
    text: String,
    /// The name and what is said of it, in small letters but for values in quotes.
    parts: Vec<String>,
    quality: f32,
    /// How much it says.
    weight: i32,
}

/// Chooses the form that the client likes best of those that there are.
pub(super) fn accepted(headers: &HeaderMap, target: &Target, plan_enabled: bool) -> Result<Accepted> {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut wanted: Vec<Range> =
        lines.flat_map(|line| split(line, ',')).filter(|text| !text.trim().is_empty()).map(|text| Range::of(&text)).collect();
    if wanted.is_empty() {
        return Ok(Accepted { media: MediaType::Json, explain: None });
    }
    // The sort is stable: of equals the first counts.
    wanted.sort_by(|left, right| right.quality.total_cmp(&left.quality).then(right.weight.cmp(&left.weight)));
    let there_is = |range: &Range| {
        let accepted = range.accepted(target)?;
        (plan_enabled || accepted.explain.is_none()).then_some(accepted)
    };
    wanted.iter().filter(|range| range.quality > 0.0).find_map(there_is).ok_or_else(|| {
        let names: Vec<String> = wanted.iter().map(|range| range.name(target)).collect();
        Error::new(Kind::Status(406), "PGRST107", format!("None of these media types are available: {}", names.join(", ")))
    })
}

impl Range {
    fn of(text: &str) -> Self {
        let (mut said, mut parts, mut quality) = (Vec::new(), Vec::new(), 1.0);
        for part in split(text, ';') {
            let part: String = part.chars().filter(|c| *c != ' ').collect();
            if let Some(number) = part.strip_prefix("q=") {
                quality = number.parse().ok().filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(0.0);
            } else {
                parts.push(if part.contains('"') { part.clone() } else { part.to_ascii_lowercase() });
                said.push(part);
            }
        }
        let text = said.join(";");
        let count = |sign: char| i32::try_from(text.matches(sign).count()).unwrap_or(i32::MAX);
        let weight = count(';').saturating_sub(count('*'));
        Self { text, parts, quality, weight }
    }

    /// Returns what it means, if there is such a form.
    fn accepted(&self, target: &Target) -> Option<Accepted> {
        let (name, said) = self.parts.split_first()?;
        let format = match name.as_str() {
            "application/vnd.pgrst.plan" | "application/vnd.pgrst.plan+text" => PlanFormat::Text,
            "application/vnd.pgrst.plan+json" => PlanFormat::Json,
            _ => return media_type(name, said, target).map(|media| Accepted { media, explain: None }),
        };
        let of = said.iter().find_map(|part| part.strip_prefix("for="));
        let media = match of {
            None => MediaType::Json,
            Some(of) => {
                let parts: Vec<String> = split(of.trim_matches('"'), ';').iter().map(|part| part.to_ascii_lowercase()).collect();
                let (name, said) = parts.split_first()?;
                media_type(name, said, target)?
            }
        };
        let words: Vec<&str> = said.iter().find_map(|part| part.strip_prefix("options=")).unwrap_or_default().split('|').collect();
        let options = PlanOption::ALL.into_iter().filter(|option| words.contains(&option.word())).collect();
        Some(Accepted { media, explain: Some(Explain { format, options }) })
    }

    /// Returns its name for people: the forms of this dialect by their whole names.
    fn name(&self, target: &Target) -> String {
        match self.accepted(target) {
            Some(Accepted { media, explain: Some(explain) }) => explain.name(media),
            Some(Accepted { media, explain: None }) if self.text.starts_with("application/vnd.pgrst.") => media.name().to_owned(),
            _ => self.text.clone(),
        }
    }
}

fn media_type(name: &str, said: &[String], target: &Target) -> Option<MediaType> {
    let stripped = said.iter().any(|part| part == "nulls=stripped");
    let is_function = matches!(target, Target::Function(_));
    match name {
        "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" if stripped => Some(MediaType::ObjectStripped),
        "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => Some(MediaType::Object),
        "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" if stripped => Some(MediaType::JsonStripped),
        "*/*" | "application/*" | "application/json" | "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" => {
            Some(MediaType::Json)
        }
        "text/csv" => Some(MediaType::Csv),
        "application/geo+json" => Some(MediaType::GeoJson),
        "application/octet-stream" if is_function => Some(MediaType::Bytes),
        "text/plain" if is_function => Some(MediaType::Text),
        "text/xml" if is_function => Some(MediaType::Xml),
        _ => None,
    }
}

/// Splits at a sign that does not stand in quotes.
fn split(text: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut in_quotes = false;
    for c in text.chars() {
        in_quotes ^= c == '"';
        match parts.last_mut() {
            Some(part) if in_quotes || c != at => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts
}

/// How much the client likes a form: 1 where it does not say.
pub(crate) fn quality(range: &str) -> f32 {
    let said = range.split(';').skip(1).find_map(|part| part.trim().strip_prefix("q="));
    said.map_or(1.0, |text| text.trim().parse().ok().filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(accept: &str, plan_enabled: bool) -> Result<Accepted> {
        let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
        accepted(&headers, &Target::Relation("t".to_owned()), plan_enabled)
    }

    fn chosen(said: &str) -> Result<MediaType> {
        accept(said, false).map(|accepted| accepted.media)
    }

    #[test]
    fn the_best_liked_form_that_there_is() {
        for (said, expected) in [
            ("*/*", MediaType::Json),
            ("application/json, text/plain, */*", MediaType::Json),
            ("application/vnd.pgrst.object+json", MediaType::Object),
            ("application/vnd.pgrst.object", MediaType::Object),
            ("application/vnd.pgrst.object+json; nulls=stripped", MediaType::ObjectStripped),
            ("application/vnd.pgrst.array+json;nulls=stripped", MediaType::JsonStripped),
            ("application/vnd.pgrst.array", MediaType::Json),
            ("text/csv;q=0.5, application/json;q=0.4", MediaType::Csv),
            ("text/html, text/csv", MediaType::Csv),
            ("application/json;q=0, text/csv", MediaType::Csv),
            ("*/*, text/csv", MediaType::Csv),
            ("application/json, application/vnd.pgrst.object+json;nulls=stripped", MediaType::ObjectStripped),
        ] {
            assert_eq!(chosen(said).unwrap(), expected, "{said}");
        }
        let none = accepted(&HeaderMap::new(), &Target::Relation("t".to_owned()), false).unwrap();
        assert_eq!(none, Accepted { media: MediaType::Json, explain: None });
    }

    #[test]
    fn a_form_that_there_is_not_is_refused() {
        let error = chosen("text/html, image/png; q=0.5").unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (406, "PGRST107"));
        assert_eq!(error.message(), "None of these media types are available: text/html, image/png");
        assert!(chosen("text/plain").is_err());
    }

    #[test]
    fn a_plan_says_of_which_form_it_is_and_what_it_tells() {
        for (said, media, named) in [
            ("application/vnd.pgrst.plan", MediaType::Json, "application/vnd.pgrst.plan+text; for=\"application/json\""),
            ("application/vnd.pgrst.plan+json", MediaType::Json, "application/vnd.pgrst.plan+json; for=\"application/json\""),
            (
                "application/vnd.pgrst.plan+json; for=\"application/vnd.pgrst.object+json; nulls=stripped\"; options=wal|analyze|none;",
                MediaType::ObjectStripped,
                "application/vnd.pgrst.plan+json; for=\"application/vnd.pgrst.object+json;nulls=stripped\"; options=analyze|wal",
            ),
            ("application/vnd.pgrst.plan; for=text/csv", MediaType::Csv, "application/vnd.pgrst.plan+text; for=\"text/csv\""),
        ] {
            let accepted = accept(said, true).unwrap();
            assert_eq!((accepted.media, accepted.explain.unwrap().name(media).as_str()), (media, named), "{said}");
            let refused = accept(said, false).unwrap_err();
            assert_eq!(refused.message(), format!("None of these media types are available: {named}"), "{said}");
        }
        assert!(accept("application/vnd.pgrst.plan; for=\"image/png\"", true).is_err());
        assert_eq!(accept("application/vnd.pgrst.plan, text/csv", false).unwrap().media, MediaType::Csv);
    }
}
