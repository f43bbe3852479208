//! How a supplier's catalogue reads: its description by the company, and its items as ours.
//!
//! Invariant: nothing is guessed: an amount, a unit or a name that is not what it should be is told with its item, and the item is left out.

use kernel::{Error, Kind, Result, minor_digits};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Letters of a name, a text and a number, as the price book takes them.
const NAME_MAX: usize = 300;
const TEXT_MAX: usize = 20_000;
const SKU_MAX: usize = 120;
const ADDRESS_MAX: usize = 2048;
const UNITS: &[&str] = &["each", "hour", "linear_ft", "sq_ft", "day", "lb", "gal", "box"];
/// Digits before the point.
const WHOLE_DIGITS_MAX: usize = 12;

/// The description, as the company writes it into `supplier_integrations.catalogue`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Catalogue {
    pub(super) format: Format,
    /// Where the items are in a JSON answer: names with dots between, nothing where the answer is their list.
    pub(super) items: String,
    /// Where the address of the next page is, or what `cursor` is to have.
    pub(super) next: String,
    /// The parameter that takes what `next` says, where that is no address.
    pub(super) cursor: String,
    /// Or the parameter that counts pages from 1, up to the first one without items.
    pub(super) page: String,
    pub(super) auth: Shown,
    /// The name of the header that has the key.
    pub(super) header: String,
    pub(super) fields: Fields,
    pub(super) cost_unit: CostUnit,
    pub(super) currency: String,
}

/// How it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    #[default]
    Json,
    Csv,
}

/// How this server proves itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Shown {
    #[default]
    None,
    /// The key as a bearer token.
    Bearer,
    /// Key and secret as name and password.
    Basic,
    /// The key in a header of its own.
    Header,
}

/// In what costs are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CostUnit {
    /// 12.50
    #[default]
    Major,
    /// 1250
    Minor,
}

/// Which of their fields is what: names with dots between in JSON, columns in CSV.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fields {
    sku: String,
    name: String,
    cost: String,
    description: String,
    category: String,
    unit: String,
    image_url: String,
}

/// An item, or why there is none.
pub(super) type Read = std::result::Result<Value, Value>;

impl Catalogue {
    /// Reads a description.
    pub(super) fn read(said: &Value) -> Result<Self> {
        let catalogue: Self =
            serde_json::from_value(said.clone()).map_err(|error| undescribed(format!("The catalogue's description: {error}")))?;
        let Fields { sku, name, cost, .. } = &catalogue.fields;
        if sku.is_empty() || name.is_empty() || cost.is_empty() {
            return Err(undescribed("The catalogue's description does not say which fields are sku, name and cost".to_owned()));
        }
        if catalogue.currency.len() != 3 || !catalogue.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(undescribed("The catalogue's description has no currency such as USD".to_owned()));
        }
        if catalogue.auth == Shown::Header && catalogue.header.is_empty() {
            return Err(undescribed("The catalogue's description does not name the header of the key".to_owned()));
        }
        if !catalogue.next.is_empty() && catalogue.format == Format::Csv {
            return Err(undescribed("An answer as CSV does not say what comes next; name a parameter that counts pages".to_owned()));
        }
        Ok(catalogue)
    }

    /// Returns the items of an answer, and what comes next where it says that.
    pub(super) fn page(&self, body: &[u8]) -> Result<(Vec<Read>, Option<String>)> {
        let (rows, next) = match self.format {
            Format::Json => {
                let answer: Value = serde_json::from_slice(body).map_err(|error| unreadable("is no JSON").with_source(error))?;
                let rows = at(&answer, &self.items)
                    .and_then(Value::as_array)
                    .ok_or_else(|| unreadable("has no list where its items are to be"))?
                    .clone();
                let next = if self.next.is_empty() { None } else { at(&answer, &self.next).and_then(text) };
                (rows, next)
            }
            Format::Csv => (lines(body)?, None),
        };
        Ok((rows.iter().map(|row| self.item(row)).collect(), next.filter(|next| !next.is_empty())))
    }

    fn item(&self, row: &Value) -> Read {
        let fields = &self.fields;
        let field = |path: &str| (!path.is_empty()).then(|| self.field(row, path)).flatten().filter(|said| !said.is_empty());
        let sku = field(&fields.sku).map(|sku| sku.trim().to_owned());
        let wrong = |problem: &str| json!({ "sku": sku.as_deref().map(|sku| cut(sku, SKU_MAX)), "problem": problem });
        let Some(sku) = sku.clone().filter(|sku| (1..=SKU_MAX).contains(&sku.chars().count())) else { return Err(wrong("sku_invalid")) };
        let Some(name) = field(&fields.name).filter(|name| name.chars().count() <= NAME_MAX) else { return Err(wrong("name_invalid")) };
        let Some(cost) = field(&fields.cost).and_then(|cost| self.minor(&cost)) else { return Err(wrong("cost_invalid")) };
        let unit = field(&fields.unit);
        if unit.as_deref().is_some_and(|unit| !UNITS.contains(&unit)) {
            return Err(wrong("unit_unknown"));
        }
        Ok(json!({
            "sku": sku, "name": name, "cost": cost, "unit": unit,
            "description": field(&fields.description).map(|said| cut(&said, TEXT_MAX)),
            "category": field(&fields.category),
            "image_url": field(&fields.image_url).filter(|address| address.len() <= ADDRESS_MAX && address.starts_with("https://")),
        }))
    }

    fn field(&self, row: &Value, path: &str) -> Option<String> {
        match self.format {
            Format::Json => at(row, path).and_then(text),
            Format::Csv => row.get(path).and_then(text),
        }
    }

    /// Reads a cost as minor units; what has more digits than the currency is rounded, halves up.
    fn minor(&self, said: &str) -> Option<i64> {
        let (whole, rest) = said.trim().split_once('.').unwrap_or((said.trim(), ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > WHOLE_DIGITS_MAX || !is_number(whole) || !is_number(rest) {
            return None;
        }
        let digits = if self.cost_unit == CostUnit::Minor { 0 } else { usize::try_from(minor_digits(&self.currency)).ok()? };
        let kept: String = rest.chars().chain(std::iter::repeat('0')).take(digits).collect();
        let rounds_up = rest.as_bytes().get(digits).is_some_and(|digit| *digit >= b'5');
        format!("{whole}{kept}").parse::<i64>().ok()?.checked_add(i64::from(rounds_up))
    }
}

/// Returns what stands behind names with dots between.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|name| !name.is_empty()).try_fold(value, |value, name| value.get(name))
}

/// Texts and numbers are told as texts.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(said) => Some(said.replace('\0', "")),
        Value::Number(said) => Some(said.to_string()),
        _ => None,
    }
}

fn cut(said: &str, letters: usize) -> String {
    said.chars().take(letters).collect()
}

fn lines(body: &[u8]) -> Result<Vec<Value>> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body));
    let names = reader.headers().map_err(|error| unreadable("is no CSV").with_source(error))?.clone();
    let line = |line: std::result::Result<csv::StringRecord, csv::Error>| {
        let line = line.map_err(|error| unreadable("is no CSV").with_source(error))?;
        Ok(Value::Object(names.iter().zip(line.iter()).map(|(name, said)| (name.to_owned(), said.into())).collect::<Map<_, _>>()))
    };
    reader.records().map(line).collect()
}

fn undescribed(message: String) -> Error {
    Error::new(Kind::Unprocessable, "integration_not_described", message)
}

fn unreadable(how: &str) -> Error {
    Error::new(Kind::Unprocessable, "supplier_unreadable", format!("What the supplier answered {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(more: &Value) -> Catalogue {
        let mut said = json!({ "items": "data.products", "next": "data.next", "currency": "USD",
                               "fields": { "sku": "id", "name": "title", "cost": "price.net", "category": "group", "unit": "per" } });
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Catalogue::read(&said).unwrap()
    }

    #[test]
    fn items_of_a_json_answer_are_found_where_they_are_said_to_be() {
        let body = json!({ "data": { "next": 7, "products": [
            { "id": 17, "title": "Valve", "price": { "net": 12.5 }, "group": "Pipes", "per": "each" },
            { "id": "18", "title": "Pump", "price": { "net": "1200" } },
            { "id": "19", "title": "Pump" }, { "title": "Seal", "price": { "net": 1 } }, { "id": "20", "price": { "net": 1 } },
            { "id": "21", "title": "Hose", "price": { "net": "1,5" } }, { "id": "22", "title": "Hose", "price": { "net": 1 }, "per": "mile" },
        ] } });
        let (items, next) = described(&json!({})).page(body.to_string().as_bytes()).unwrap();
        assert_eq!(next.as_deref(), Some("7"));
        let expected = json!({ "sku": "17", "name": "Valve", "cost": 1250, "unit": "each", "description": null, "category": "Pipes", "image_url": null });
        assert_eq!(items[0], Ok(expected));
        assert_eq!(items[1].as_ref().unwrap()["cost"], 120_000);
        let problems: Vec<_> = items[2..].iter().map(|item| item.as_ref().unwrap_err()["problem"].as_str().unwrap()).collect();
        assert_eq!(problems, ["cost_invalid", "sku_invalid", "name_invalid", "cost_invalid", "unit_unknown"]);
        for (body, why) in [("{", "is no JSON"), ("{}", "has no list"), (r#"{"data": {"products": {}}}"#, "has no list")] {
            assert!(described(&json!({})).page(body.as_bytes()).unwrap_err().message().contains(why), "{body}");
        }
    }

    #[test]
    fn lines_of_csv_are_items() {
        let csv = described(&json!({ "format": "csv", "next": "", "fields": { "sku": "Art. no", "name": "Name", "cost": "EK" } }));
        let (items, next) = csv.page("\u{feff}Art. no,Name,EK\n17,\"Valve, brass\",3.999\n".as_bytes()).unwrap();
        assert_eq!((items.len(), next), (1, None));
        let item = items[0].as_ref().unwrap();
        assert_eq!((&item["name"], &item["cost"]), (&json!("Valve, brass"), &json!(400)));
        assert_eq!(csv.page(b"Art. no,Name,EK\n1,2\n").unwrap_err().code(), "supplier_unreadable");
    }

    #[test]
    fn costs_are_minor_units_of_their_currency() {
        for (currency, unit, said, expected) in [
            ("USD", "major", "12", Some(1200)),
            ("USD", "major", "12.345", Some(1235)),
            ("USD", "major", "0.004", Some(0)),
            ("JPY", "major", "12.5", Some(13)),
            ("KWD", "major", "1.5", Some(1500)),
            ("USD", "minor", "1250", Some(1250)),
            ("USD", "major", "-1", None),
            ("USD", "major", "1e5", None),
            ("USD", "major", "", None),
            ("USD", "major", ".5", None),
            ("USD", "major", "1234567890123", None),
            ("USD", "major", "1.2.3", None),
        ] {
            let catalogue = described(&json!({ "currency": currency, "cost_unit": unit }));
            assert_eq!(catalogue.minor(said), expected, "{said} {unit} {currency}");
        }
    }

    #[test]
    fn what_is_not_described_is_named() {
        for (said, why) in [
            (json!({}), "sku, name and cost"),
            (json!({ "fields": { "sku": "a", "name": "b", "cost": "c" } }), "currency"),
            (json!({ "fields": { "sku": "a", "name": "b", "cost": "c" }, "currency": "USD", "auth": "header" }), "header"),
            (json!({ "fields": { "sku": "a", "name": "b", "cost": "c" }, "currency": "USD", "format": "csv", "next": "x" }), "CSV"),
            (json!({ "colour": "red" }), "unknown field"),
        ] {
            let error = Catalogue::read(&said).unwrap_err();
            assert!(error.code() == "integration_not_described" && error.message().contains(why), "{said}: {}", error.message());
        }
    }
}
