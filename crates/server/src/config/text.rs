//! Values that may come as text: the environment knows no numbers and no lists.
//!
//! Invariant: lossless. A secret made of digits arrives as the digits that were written.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::str::FromStr;

use figment::value::Value;
use kernel::Secret;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// Returns the list that an environment variable's text stands for: items with commas, in brackets or not; numbers where the default has some.
pub(super) fn list_from_environment(text: &str, of_numbers: bool) -> Value {
    // An address of IPv6 with its port begins with a bracket too, but does not end with one.
    let items = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let items = items.split(',').map(str::trim).filter(|item| !item.is_empty());
    if of_numbers {
        return Value::from(items.map(from_environment).collect::<Vec<_>>());
    }
    Value::from(items.map(|item| item.trim_matches('"').to_owned()).collect::<Vec<_>>())
}

/// Returns the value that an environment variable's text stands for: a bool, a number, or the text itself.
///
/// A number must read back as the same text, so that `007` and `1e3` stay what they are.
pub(super) fn from_environment(text: &str) -> Value {
    match text {
        "true" => return Value::from(true),
        "false" => return Value::from(false),
        _ => {}
    }
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => Value::from(number),
        _ => Value::from(text),
    }
}

/// Returns the fraction that an environment variable's text stands for, or the text itself.
pub(super) fn fraction_from_environment(text: &str) -> Value {
    text.parse::<f64>().map_or_else(|_text| Value::from(text), Value::from)
}

/// Reads a list, written as a list or as one text with commas.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    struct List<T>(PhantomData<T>);

    impl<'de, T> Visitor<'de> for List<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of texts, or one text with commas")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(item).collect()
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(text) = items.next_element::<String>()? {
                list.push(item(&text)?);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(List(PhantomData))
}

/// Reads addresses with their ports.
pub(super) fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    struct Address(SocketAddr);

    impl FromStr for Address {
        type Err = &'static str;

        fn from_str(text: &str) -> Result<Self, Self::Err> {
            text.parse().map(Self).map_err(|_without_words| "allowed: address:port, such as 127.0.0.1:8000 or [::1]:8000")
        }
    }

    Ok(list::<D, Address>(deserializer)?.into_iter().map(|address| address.0).collect())
}

/// Reads a secret text, also where it looks like a number or a bool.
pub(super) fn optional_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret<String>>, D::Error> {
    struct Text;

    impl<'de> Visitor<'de> for Text {
        type Value = Option<Secret<String>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok((!text.is_empty()).then(|| Secret::new(text.to_owned())))
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(Secret::new(number.to_string())))
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(Secret::new(number.to_string())))
        }

        fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
            Ok(Some(Secret::new(flag.to_string())))
        }

        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_any(Self)
        }
    }

    deserializer.deserialize_any(Text)
}

fn item<T, E>(text: &str) -> Result<T, E>
where
    T: FromStr,
    T::Err: fmt::Display,
    E: Error,
{
    text.parse().map_err(|reason| E::custom(format!("{text:?}: {reason}")))
}
