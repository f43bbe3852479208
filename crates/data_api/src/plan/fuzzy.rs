//! Which name was probably meant by one that is not there.
//!
//! Invariant: the measure is that of the dialect's fuzzy sets, so that a suggestion comes where it comes there: names that share pieces of
//! three letters, or else of two, are candidates; the fifty whose pieces are most alike are compared letter by letter.

use std::collections::HashMap;

/// Letters of a piece: first those, then these.
const PIECES: [usize; 2] = [3, 2];
/// Bytes of a text that is looked at. Names have 63 at most, so that this is a list of many; whatever is longer was no slip of the pen.
const WANTED_BYTES_MAX: usize = 2048;
/// Names that are compared letter by letter.
const COMPARED_MAX: usize = 50;

/// Returns the most alike of some names, from 0 for nothing in common to 1 for the same, if it is at least this much alike.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>, least: f64) -> Option<&'a str> {
    if name.len() > WANTED_BYTES_MAX {
        return None;
    }
    let mut names: Vec<&str> = names.collect();
    // Of equals the first in the alphabet, so that the answer does not depend on the order of the catalog.
    names.sort_unstable();
    names.dedup();
    let wanted = name.to_lowercase();
    if let Some(same) = names.iter().find(|name| name.to_lowercase() == wanted) {
        return Some(same);
    }
    PIECES.iter().find_map(|length| by_pieces(&wanted, &names, *length, least))
}

fn by_pieces<'a>(wanted: &str, names: &[&'a str], length: usize, least: f64) -> Option<&'a str> {
    let pieces = pieces(wanted, length);
    let mut candidates: Vec<(f64, &'a str)> = names
        .iter()
        .map(|name| (cosine(&pieces, &self::pieces(&name.to_lowercase(), length)), *name))
        .filter(|(alike, _)| *alike > 0.0)
        .collect();
    candidates.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    candidates.truncate(COMPARED_MAX);
    let compared = candidates.into_iter().map(|(_, name)| (strsim::normalized_levenshtein(wanted, &name.to_lowercase()), name));
    let fitting = compared.filter(|(alike, _)| *alike >= least);
    fitting
        .max_by(|(left, left_name), (right, right_name)| left.total_cmp(right).then_with(|| right_name.cmp(left_name)))
        .map(|(_, name)| name)
}

/// Counts the pieces of a text between hyphens; only letters, digits, commas and spaces count.
fn pieces(text: &str, length: usize) -> HashMap<String, f64> {
    let inner = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ',' | ' '));
    let mut letters: Vec<char> = std::iter::once('-').chain(inner).chain(['-']).collect();
    while letters.len() < length {
        letters.push('-');
    }
    let mut counted: HashMap<String, f64> = HashMap::new();
    for piece in letters.windows(length) {
        *counted.entry(piece.iter().collect()).or_default() += 1.0;
    }
    counted
}

fn cosine(left: &HashMap<String, f64>, right: &HashMap<String, f64>) -> f64 {
    let product: f64 = left.iter().map(|(piece, count)| count * right.get(piece).copied().unwrap_or_default()).sum();
    let length = |of: &HashMap<String, f64>| of.values().map(|count| count * count).sum::<f64>().sqrt();
    product / (length(left) * length(right))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_pen_is_understood_and_another_word_is_not() {
        let names = ["customers", "jobs", "properties"];
        for (name, least, expected) in [
            ("custmers", 0.75, Some("customers")),
            ("CUSTOMERS", 0.75, Some("customers")),
            // Three letters of four.
            ("job", 0.75, Some("jobs")),
            ("joa", 0.75, None),
            // Half of the letters.
            ("joxx", 0.33, Some("jobs")),
            ("xyz", 0.33, None),
            ("", 0.33, None),
        ] {
            assert_eq!(nearest(name, names.into_iter(), least), expected, "{name}");
        }
    }

    #[test]
    fn what_shares_no_piece_is_no_candidate() {
        // Every second letter is the same, and no two beside each other.
        assert_eq!(nearest("xaxbx", ["yayby"].into_iter(), 0.33), None);
        assert_eq!(nearest("(attr, ib)", ["(attr, id)", "(name, param, val)"].into_iter(), 0.33), Some("(attr, id)"));
    }
}
