//! The first page of a document as pixels, drawn by a process of its own.
//!
//! Invariant: whatever a document does to what draws it, it does to a process that knows nothing of the server, has no more memory than it
//! is given and no more time: it ends, and the server goes on.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use image::{DynamicImage, RgbImage};
use kernel::{Error, Kind, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::config::ImagesConfig;
use super::drawing::{COMMAND, Header, Sheet};
use super::read;

/// Bytes at the beginning of a document in which its mark stands.
const MARK_WITHIN: usize = 1024;

/// This program, wherever its file is now.
const SELF: &str = "/proc/self/exe";

/// Says by its first bytes whether a file is a PDF. What begins as an image is one, whatever is written about it further on.
pub(super) fn is_document(content: &[u8]) -> bool {
    read::format(content).is_err()
        && content.get(..content.len().min(MARK_WITHIN)).is_some_and(|head| head.windows(5).any(|window| window == b"%PDF-"))
}

/// Draws the first page, as large as an image may become.
pub(super) async fn draw(content: &Bytes, config: &ImagesConfig) -> Result<DynamicImage> {
    let program = config.program.as_deref().unwrap_or(Path::new(SELF));
    let time = Duration::from_millis(config.time_ms);
    let sheet = Sheet { side: config.side_max, memory_mib: config.page_memory_mib, seconds: time.as_secs().saturating_add(1) };
    let mut child = Command::new(program)
        .arg(COMMAND)
        .args(sheet.arguments())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(Error::internal)?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Error::internal("a process has no pipes"));
    };
    let mut drawn = Vec::new();
    let mut output = output.take(sheet.bytes_max());
    let talk = async {
        // One that ends before it has read all of it has said why.
        let told = async {
            let _broken = input.write_all(content).await.is_err();
            drop(input);
        };
        let ((), read) = tokio::join!(told, output.read_to_end(&mut drawn));
        read
    };
    // Dropped, it is killed.
    tokio::time::timeout(time, talk)
        .await
        .map_err(|_elapsed| Error::new(Kind::Timeout, "image_time_over", "Making the image took too long"))?
        .map_err(Error::internal)?;
    pixels(drawn)
}

fn pixels(mut drawn: Vec<u8>) -> Result<DynamicImage> {
    let header = drawn.get(..Header::BYTES).and_then(Header::read).ok_or_else(unreadable)?;
    let Header::Page { width, height } = header else {
        return Err(match header {
            Header::Encrypted => {
                Error::new(Kind::Unprocessable, "document_encrypted", "The document is encrypted, and opens with a password alone")
            }
            _ => unreadable(),
        });
    };
    drawn.drain(..Header::BYTES);
    RgbImage::from_raw(width, height, drawn).map(DynamicImage::ImageRgb8).ok_or_else(unreadable)
}

fn unreadable() -> Error {
    let message = "The document is damaged, has no page, or needs more memory than it may have";
    Error::new(Kind::Unprocessable, "document_unreadable", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_so_in_its_first_bytes() {
        assert!(is_document(b"%PDF-1.7\n"));
        assert!(is_document(b"\n\n%PDF-1.4"));
        assert!(!is_document(b"%PD"));
        assert!(!is_document(b"\xff\xd8\xff\xe0 a photo with %PDF- in its remarks"));
        assert!(!is_document(&[&[b' '; 1024][..], b"%PDF-1.4"].concat()));
    }

    #[test]
    fn what_was_drawn_is_read_or_refused() {
        let drawn = [&Header::Page { width: 2, height: 1 }.bytes()[..], &[1, 2, 3, 4, 5, 6]].concat();
        let read = pixels(drawn).unwrap();
        assert_eq!((read.width(), read.height(), read.as_bytes()), (2, 1, &[1, 2, 3, 4, 5, 6][..]));
        let refused = |bytes: Vec<u8>| pixels(bytes).unwrap_err().code().to_owned();
        assert_eq!(refused(Header::Encrypted.bytes().to_vec()), "document_encrypted");
        assert_eq!(refused(Header::Unreadable.bytes().to_vec()), "document_unreadable");
        assert_eq!(refused(vec![]), "document_unreadable");
        assert_eq!(refused([&Header::Page { width: 2, height: 2 }.bytes()[..], &[0; 11]].concat()), "document_unreadable");
    }
}
