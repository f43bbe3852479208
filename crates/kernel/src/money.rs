//! What is true of amounts of money whatever they are for.

/// Returns how many digits of a currency stand behind the point (ISO 4217): 2 of most.
pub fn minor_digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// Writes an amount in minor units of a currency as people read it in a language: `1,234.50 USD`, `1.234,50 EUR` where points group digits.
pub fn shown_amount(minor: i64, currency: &str, locale: &str) -> String {
    let (group, point) = if matches!(locale.get(..2), Some("de" | "es")) { ('.', ",") } else { (',', ".") };
    let digits = usize::try_from(minor_digits(currency)).unwrap_or_default();
    let text = format!("{:0>width$}", minor.unsigned_abs(), width = digits + 1);
    let (whole, rest) = text.split_at(text.len() - digits);
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(group);
        }
        grouped.push(digit);
    }
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{grouped}{}{rest} {currency}", if digits > 0 { point } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        for (minor, currency, locale, expected) in [
            (0, "USD", "en", "0.00 USD"),
            (5, "USD", "en", "0.05 USD"),
            (123_450, "USD", "en-US", "1,234.50 USD"),
            (-99, "EUR", "", "-0.99 EUR"),
            (1_000_000, "JPY", "en", "1,000,000 JPY"),
            (1_234_567, "KWD", "en", "1,234.567 KWD"),
            (100_000, "EUR", "en", "1,000.00 EUR"),
            (123_450, "EUR", "de-AT", "1.234,50 EUR"),
            (1_000_000, "CLP", "es", "1.000.000 CLP"),
        ] {
            assert_eq!(shown_amount(minor, currency, locale), expected);
        }
    }
}
