//! `Accept`: in which forms the answer may come.
//!
//! Invariant: the best liked comes first; of equally liked ones the one that says more, then the first. What is in quotes is one value,
//! whatever stands in it.

use http::HeaderMap;
use http::header::ACCEPT;

use super::forms::{Accept, Explain, Meaning, MediaType, PlanFormat, PlanOption};

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

/// Reads the forms that the client takes, the best liked first; none where it says nothing.
pub(super) fn accepted(headers: &HeaderMap, plan_enabled: bool) -> Vec<Accept> {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut wanted: Vec<Range> =
        lines.flat_map(|line| split(line, ',')).filter(|text| !text.trim().is_empty()).map(|text| Range::of(&text)).collect();
    // The sort is stable: of equals the first counts.
    wanted.sort_by(|left, right| right.quality.total_cmp(&left.quality).then(right.weight.cmp(&left.weight)));
    wanted.iter().map(|range| range.accept(plan_enabled)).collect()
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

    fn accept(&self, plan_enabled: bool) -> Accept {
        let meaning = self.meaning();
        let name = match &meaning {
            Meaning::Own(media, None) => media.name().to_owned(),
            Meaning::Own(media, Some(explain)) => explain.name(*media),
            Meaning::Named(_) | Meaning::Refused => self.text.clone(),
        };
        let is_refused = self.quality <= 0.0 || (matches!(meaning, Meaning::Own(_, Some(_))) && !plan_enabled);
        Accept { name, meaning: if is_refused { Meaning::Refused } else { meaning } }
    }

    fn meaning(&self) -> Meaning {
        let Some((name, said)) = self.parts.split_first() else { return Meaning::Refused };
        let format = match name.as_str() {
            "application/vnd.pgrst.plan" | "application/vnd.pgrst.plan+text" => PlanFormat::Text,
            "application/vnd.pgrst.plan+json" => PlanFormat::Json,
            _ => return own(name, said).map_or_else(|| Meaning::Named(name.clone()), |media| Meaning::Own(media, None)),
        };
        let of = said.iter().find_map(|part| part.strip_prefix("for=")).unwrap_or("application/json");
        let parts: Vec<String> = split(of.trim_matches('"'), ';').iter().map(|part| part.to_ascii_lowercase()).collect();
        let planned = parts.split_first().and_then(|(name, said)| match name.as_str() {
            "*/*" | "application/json" => Some(MediaType::Json),
            "text/csv" => Some(MediaType::Csv),
            name => own(name, said),
        });
        let Some(media) = planned else { return Meaning::Refused };
        let words: Vec<&str> = said.iter().find_map(|part| part.strip_prefix("options=")).unwrap_or_default().split('|').collect();
        let options = PlanOption::ALL.into_iter().filter(|option| words.contains(&option.word())).collect();
        Meaning::Own(media, Some(Explain { format, options }))
    }
}

/// Returns the form that only this dialect has under that name.
fn own(name: &str, said: &[String]) -> Option<MediaType> {
    let stripped = said.iter().any(|part| part == "nulls=stripped");
    match name {
        "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" if stripped => Some(MediaType::ObjectStripped),
        "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => Some(MediaType::Object),
        "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" if stripped => Some(MediaType::JsonStripped),
        "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" => Some(MediaType::Json),
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
    use proptest::prelude::*;

    proptest! {
        /// A form that is named as it was understood means the same.
        #[test]
        fn whatever_is_taken_has_a_name_that_means_the_same(said in "([ -~]{0,8}|application/vnd\\.pgrst\\.|plan|object|array|\\+json|\\+text|;|,|nulls=stripped|for=\"|\"|options=|analyze|wal\\||q=0\\.5|text/csv|\\*/\\*){0,10}") {
            let read = |said: &str| accepted(&HeaderMap::from_iter([(ACCEPT, said.parse().unwrap())]), true);
            for accept in read(&said) {
                if matches!(accept.meaning, Meaning::Own(_, Some(_)) | Meaning::Own(MediaType::Object | MediaType::ObjectStripped | MediaType::JsonStripped, None)) {
                    prop_assert_eq!(&read(&accept.name), &[accept], "{}", said);
                }
            }
        }
    }

    fn names(said: &str) -> Vec<String> {
        let headers = HeaderMap::from_iter([(ACCEPT, said.parse().unwrap())]);
        accepted(&headers, true).into_iter().map(|accept| accept.name).collect()
    }

    #[test]
    fn the_best_liked_comes_first_and_of_equals_the_one_that_says_more() {
        assert_eq!(names("text/csv;q=0.5, Text/HTML ; q=0.9, */*;q=0.9"), ["Text/HTML", "*/*", "text/csv"]);
        assert_eq!(names("*/*, a/b, c/d;x=1"), ["c/d;x=1", "a/b", "*/*"]);
        assert_eq!(accepted(&HeaderMap::new(), true), []);
    }

    #[test]
    fn a_plan_says_of_which_form_it_is_and_what_it_tells() {
        for (said, named) in [
            ("application/vnd.pgrst.plan", "application/vnd.pgrst.plan+text; for=\"application/json\""),
            ("application/vnd.pgrst.plan+json", "application/vnd.pgrst.plan+json; for=\"application/json\""),
            (
                "application/vnd.pgrst.plan+json; for=\"application/vnd.pgrst.object; nulls=stripped\"; options=wal|analyze|none;",
                "application/vnd.pgrst.plan+json; for=\"application/vnd.pgrst.object+json;nulls=stripped\"; options=analyze|wal",
            ),
            ("application/vnd.pgrst.plan; for=text/csv", "application/vnd.pgrst.plan+text; for=\"text/csv\""),
        ] {
            assert_eq!(names(said), [named]);
        }
        let headers = HeaderMap::from_iter([(ACCEPT, "application/vnd.pgrst.plan".parse().unwrap())]);
        assert_eq!(accepted(&headers, false)[0].meaning, Meaning::Refused);
    }
}
