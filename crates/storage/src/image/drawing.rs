//! The process that draws a page: it reads a document, writes pixels and ends.
//!
//! Invariant: it bounds itself before it reads the first byte; it opens no file and speaks to nobody.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::{LoadPdfError, Pdf};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The word by which this program is told to be that process.
pub(super) const COMMAND: &str = "draw-page";

/// What a page is drawn on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sheet {
    /// Pixels of its longer side.
    pub(super) side: u32,
    /// Memory that there is.
    pub(super) memory_mib: u32,
    /// Seconds of the processor's time.
    pub(super) seconds: u64,
}

impl Sheet {
    pub(super) fn arguments(self) -> [String; 3] {
        [self.side.to_string(), self.memory_mib.to_string(), self.seconds.to_string()]
    }

    fn of(arguments: &[String]) -> Option<Self> {
        let [side, memory_mib, seconds] = arguments else { return None };
        Some(Self { side: side.parse().ok()?, memory_mib: memory_mib.parse().ok()?, seconds: seconds.parse().ok()? })
    }

    /// The most that is written of it.
    pub(super) fn bytes_max(self) -> u64 {
        u64::from(self.side).saturating_mul(u64::from(self.side)).saturating_mul(3).saturating_add(64)
    }
}

/// What stands before the pixels, which are three bytes each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Header {
    /// A page of this size.
    Page { width: u32, height: u32 },
    /// None: it opens with a password alone.
    Encrypted,
    /// None: it could not be read.
    Unreadable,
}

impl Header {
    /// How long one is.
    pub(super) const BYTES: usize = 9;

    pub(super) fn bytes(self) -> [u8; Self::BYTES] {
        let (mark, width, height) = match self {
            Self::Page { width, height } => (b'p', width, height),
            Self::Encrypted => (b'e', 0, 0),
            Self::Unreadable => (b'u', 0, 0),
        };
        let mut bytes = [mark; Self::BYTES];
        for (place, byte) in bytes.iter_mut().skip(1).zip(width.to_le_bytes().into_iter().chain(height.to_le_bytes())) {
            *place = byte;
        }
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (mark, sides) = bytes.split_first()?;
        let (width, height) = sides.split_first_chunk::<4>()?;
        match mark {
            b'p' => Some(Self::Page { width: u32::from_le_bytes(*width), height: u32::from_le_bytes(height.try_into().ok()?) }),
            b'e' => Some(Self::Encrypted),
            b'u' => Some(Self::Unreadable),
            _ => None,
        }
    }
}

/// Is that process, if the command line says so.
pub fn drawn_by_this_process() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(COMMAND) {
        return None;
    }
    let Some(sheet) = Sheet::of(&arguments.collect::<Vec<_>>()) else { return Some(ExitCode::FAILURE) };
    Some(match bounded(sheet).and_then(|()| answer(sheet)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_gone) => ExitCode::FAILURE,
    })
}

/// Takes from this process what it does not need.
fn bounded(sheet: Sheet) -> std::io::Result<()> {
    let bounds = [
        (Resource::As, u64::from(sheet.memory_mib) * 1_048_576),
        (Resource::Cpu, sheet.seconds),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 16),
    ];
    for (resource, most) in bounds {
        let most = within(most, getrlimit(resource).maximum);
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// A bound that stands already is not widened: that would be refused.
fn within(most: u64, allowed: Option<u64>) -> u64 {
    allowed.map_or(most, |allowed| allowed.min(most))
}

fn answer(sheet: Sheet) -> std::io::Result<()> {
    let mut content = Vec::new();
    std::io::stdin().lock().read_to_end(&mut content)?;
    let mut output = std::io::stdout().lock();
    match page(content, sheet.side) {
        Ok((width, height, pixels)) => {
            output.write_all(&Header::Page { width, height }.bytes())?;
            output.write_all(&pixels)?;
        }
        Err(header) => output.write_all(&header.bytes())?,
    }
    output.flush()
}

/// Draws the first page on white.
fn page(content: Vec<u8>, side: u32) -> Result<(u32, u32, Vec<u8>), Header> {
    let document = Pdf::new(Arc::new(content)).map_err(|error| match error {
        LoadPdfError::Decryption(_) => Header::Encrypted,
        LoadPdfError::Invalid => Header::Unreadable,
    })?;
    let page = document.pages().first().ok_or(Header::Unreadable)?;
    let (width, height) = page.render_dimensions();
    let longer = width.max(height);
    if !(width.is_finite() && height.is_finite() && width > 0.0 && height > 0.0) {
        return Err(Header::Unreadable);
    }
    let side = f32::from(u16::try_from(side).map_err(|_large| Header::Unreadable)?);
    // A side of a page that is very long is a pixel at least.
    let scale = |length: f32| (side / longer).max(1.0 / length);
    let shape = PixmapSettings { x_scale: scale(width), y_scale: scale(height), bg_color: WHITE };
    let (settings, how) = (InterpreterSettings::default(), RenderSettings::default());
    let drawn = hayro::render(page, &RenderCache::new(), &settings, &how, &shape);
    let pixels = drawn.data_as_u8_slice().chunks_exact(4).filter_map(|pixel| pixel.get(..3)).flatten().copied().collect();
    Ok((u32::from(drawn.width()), u32::from(drawn.height()), pixels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_stands_already_is_not_widened() {
        assert_eq!([within(16, None), within(16, Some(8)), within(16, Some(16)), within(16, Some(1024))], [16, 8, 16, 16]);
    }
}
