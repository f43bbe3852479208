//! What somebody wants made of an image, as the query says it.
//!
//! Invariant: parsed once; a [`Wanted`] cannot be larger than the settings allow, and two that mean the same have one name.

use std::fmt::Write as _;

use kernel::{Error, Kind, Result};
use serde::Deserialize;
use serde_json::Value;

use super::config::ImagesConfig;

/// How an image is brought into a width and a height.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Resize {
    /// Fills both, and what stands out is cut off.
    #[default]
    Cover,
    /// Has its whole self in them.
    Contain,
    /// Takes them without keeping its own shape.
    Fill,
}

/// What somebody wants made of an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// At most so wide.
    pub width: Option<u32>,
    /// At most so high.
    pub height: Option<u32>,
    /// How both are reached; none if nothing was said.
    pub resize: Option<Resize>,
    /// 20 to 100, where it was said.
    pub quality: Option<u8>,
    /// Whether the format stays what it is, whatever the client would take.
    pub is_origin: bool,
}

/// The same as it stands in a query or, as numbers, in the claims of a signed address.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    width: Option<Value>,
    height: Option<Value>,
    resize: Option<String>,
    quality: Option<Value>,
    format: Option<String>,
}

impl Asked {
    /// Reads it, and refuses what cannot be made.
    pub fn parse(&self, config: &ImagesConfig) -> Result<Wanted> {
        // What is larger than is made is made as large as it can be; 0 is as if it was not said.
        let side = |name, value| {
            let side = number(name, value, 0, u32::MAX)?.filter(|side| *side > 0);
            Ok::<_, Error>(side.map(|side| side.min(config.side_max)))
        };
        let resize = match self.resize.as_deref() {
            None | Some("") => None,
            Some("cover") => Some(Resize::Cover),
            Some("contain") => Some(Resize::Contain),
            Some("fill") => Some(Resize::Fill),
            Some(_) => return Err(invalid("resize is cover, contain or fill")),
        };
        let is_origin = match self.format.as_deref() {
            // Whoever takes an AVIF says so in the header, as for anything else.
            None | Some("" | "avif") => false,
            Some("origin") => true,
            Some(_) => return Err(invalid("format is origin or avif, or left out: then the header Accept decides")),
        };
        let quality = number("quality", self.quality.as_ref(), 20, 100)?;
        Ok(Wanted {
            width: side("width", self.width.as_ref())?,
            height: side("height", self.height.as_ref())?,
            resize,
            quality: quality.map(u8::try_from).transpose().map_err(Error::internal)?,
            is_origin,
        })
    }
}

impl Wanted {
    /// Says it in the words of the header `X-Transformations`.
    pub fn header(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.height.map(|height| format!("height:{height}")));
        parts.extend(self.width.map(|width| format!("width:{width}")));
        if self.width.is_some() || self.height.is_some() {
            let name = match self.resize.unwrap_or_default() {
                Resize::Cover => "fill",
                Resize::Contain => "fit",
                Resize::Fill => "force",
            };
            parts.push(format!("resizing_type:{name}"));
        }
        parts.extend(self.quality.map(|quality| format!("quality:{quality}")));
        parts.join(",")
    }

    /// Returns a name for it, of letters, digits and `-` alone.
    pub fn name(&self, quality: u8) -> String {
        let mut name = String::new();
        for (letter, value) in [('w', self.width), ('h', self.height)] {
            if let Some(value) = value {
                let _infallible = write!(name, "{letter}{value}-");
            }
        }
        if self.width.is_some() || self.height.is_some() {
            name.push_str(match self.resize.unwrap_or_default() {
                Resize::Cover => "cover-",
                Resize::Contain => "contain-",
                Resize::Fill => "fill-",
            });
        }
        let _infallible = write!(name, "q{}", self.quality.unwrap_or(quality));
        name
    }
}

fn number(name: &str, value: Option<&Value>, least: u32, most: u32) -> Result<Option<u32>> {
    let read = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) if text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(text.parse().unwrap_or(u32::MAX))
        }
        Some(Value::Number(number)) => number.as_u64().map(|number| u32::try_from(number).unwrap_or(u32::MAX)),
        Some(_) => None,
    };
    match read.filter(|number| (least..=most).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(invalid(format!("{name} is a whole number from {least} to {most}"))),
    }
}

pub(super) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Kind::BadRequest, "image_parameters_invalid", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Wanted> {
        let pairs: serde_json::Map<String, Value> =
            url::form_urlencoded::parse(query.as_bytes()).map(|(key, value)| (key.into_owned(), Value::from(value.into_owned()))).collect();
        serde_json::from_value::<Asked>(Value::Object(pairs)).unwrap().parse(&ImagesConfig::default())
    }

    #[test]
    fn the_header_says_what_was_asked_for_in_its_order() {
        let said = |query| parse(query).unwrap().header();
        assert_eq!(said("width=200&height=100&quality=60"), "height:100,width:200,resizing_type:fill,quality:60");
        assert_eq!(said("width=200&resize=contain"), "width:200,resizing_type:fit");
        assert_eq!(said("height=7&resize=fill&format=origin"), "height:7,resizing_type:force");
        assert_eq!(said("format=origin"), "");
    }

    #[test]
    fn what_means_the_same_has_one_name() {
        let name = |query| parse(query).unwrap().name(80);
        assert_eq!(name("width=200&resize=cover"), "w200-cover-q80");
        assert_eq!(name("quality=80&width=200"), "w200-cover-q80");
        assert_eq!(name("resize=fill"), "q80");
    }

    #[test]
    fn what_is_too_large_is_as_large_as_can_be() {
        let wanted = parse("width=1000000000&height=0&format=avif").unwrap();
        assert_eq!((wanted.width, wanted.height, wanted.is_origin), (Some(2500), None, false));
        assert_eq!(parse("width=99999999999999999999").unwrap().width, Some(2500));
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        for bad in [
            "width=-1",
            "width=1.5",
            "height=999999999999999999999",
            "width=abc",
            "quality=19",
            "quality=101",
            "resize=stretch",
            "format=gif",
            "width=1e2",
            "width=%2B1",
        ] {
            let refused = parse(bad).unwrap_err();
            assert_eq!((refused.status().as_u16(), refused.code()), (400, "image_parameters_invalid"), "{bad}");
        }
    }
}
