//! `Accept`: in which form the answer is wanted.

use http::HeaderMap;
use http::header::ACCEPT;
use kernel::{Error, Kind, Result};

use super::syntax::{MediaType, Target};

/// Chooses the form that the client likes best of those that there are.
pub(super) fn accepted(headers: &HeaderMap, target: &Target) -> Result<MediaType> {
    let mut lines: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    lines.retain(|line| !line.trim().is_empty());
    if lines.is_empty() {
        return Ok(MediaType::Json);
    }
    let mut wanted: Vec<(f32, &str)> = lines
        .iter()
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|range| !range.is_empty())
        .map(|range| (quality(range), range))
        .collect();
    // The sort is stable: of equals the first counts.
    wanted.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    let chosen = wanted.iter().filter(|(quality, _)| *quality > 0.0).find_map(|(_, range)| media_type(range, target));
    chosen.ok_or_else(|| {
        let names: Vec<&str> = wanted.iter().map(|(_, range)| *range).collect();
        Error::new(Kind::Status(406), "PGRST107", format!("None of these media types are available: {}", names.join(", ")))
    })
}

fn media_type(range: &str, target: &Target) -> Option<MediaType> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let stripped = parts.any(|part| part.eq_ignore_ascii_case("nulls=stripped"));
    let is_function = matches!(target, Target::Function(_));
    match name.as_str() {
        "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" if stripped => Some(MediaType::ObjectStripped),
        "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => Some(MediaType::Object),
        "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" if stripped => Some(MediaType::JsonStripped),
        "*/*" | "application/*" | "application/json" | "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" => {
            Some(MediaType::Json)
        }
        "application/vnd.pgrst.plan" | "application/vnd.pgrst.plan+text" | "application/vnd.pgrst.plan+json" => Some(MediaType::Plan),
        "text/csv" => Some(MediaType::Csv),
        "application/geo+json" => Some(MediaType::GeoJson),
        "application/octet-stream" if is_function => Some(MediaType::Bytes),
        "text/plain" if is_function => Some(MediaType::Text),
        "text/xml" if is_function => Some(MediaType::Xml),
        _ => None,
    }
}

fn quality(range: &str) -> f32 {
    let said = range.split(';').skip(1).find_map(|part| part.trim().strip_prefix("q="));
    said.map_or(1.0, |text| text.trim().parse().ok().filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &str) -> Result<MediaType> {
        let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
        accepted(&headers, &Target::Relation("t".to_owned()))
    }

    #[test]
    fn the_best_liked_form_that_there_is() {
        for (accept, expected) in [
            ("*/*", MediaType::Json),
            ("application/json, text/plain, */*", MediaType::Json),
            ("application/vnd.pgrst.object+json", MediaType::Object),
            ("application/vnd.pgrst.object+json;nulls=stripped", MediaType::ObjectStripped),
            ("application/vnd.pgrst.array+json;nulls=stripped", MediaType::JsonStripped),
            ("text/csv;q=0.5, application/json;q=0.4", MediaType::Csv),
            ("text/html, text/csv", MediaType::Csv),
            ("application/json;q=0, text/csv", MediaType::Csv),
        ] {
            assert_eq!(chosen(accept).unwrap(), expected, "{accept}");
        }
        assert_eq!(accepted(&HeaderMap::new(), &Target::Relation("t".to_owned())).unwrap(), MediaType::Json);
    }

    #[test]
    fn a_form_that_there_is_not_is_refused() {
        let error = chosen("text/html, image/png").unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (406, "PGRST107"));
        assert_eq!(error.message(), "None of these media types are available: text/html, image/png");
        assert!(chosen("text/plain").is_err());
    }
}
