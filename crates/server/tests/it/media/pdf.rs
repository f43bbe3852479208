//! Documents made by hand.

use std::fmt::Write as _;

/// A document of one page of 200 x 100 points: a red rectangle on its left half, a word on its right.
pub(super) fn page() -> Vec<u8> {
    drawn("0 0 200 100", "1 0 0 rg 0 0 100 100 re f BT /F1 24 Tf 0 g 110 40 Td (Boiler) Tj ET", "")
}

/// A page of these sides on which this is drawn.
pub(super) fn drawn(sides: &str, what: &str, trailer: &str) -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        format!("<< /Type /Page /Parent 2 0 R /MediaBox [{sides}] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"),
        format!("<< /Length {} >>\nstream\n{what}\nendstream", what.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut text = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        places.push(text.len());
        write!(text, "{} 0 obj\n{object}\nendobj\n", number + 1).unwrap();
    }
    let table = text.len();
    write!(text, "xref\n0 6\n0000000000 65535 f \n").unwrap();
    for place in places {
        writeln!(text, "{place:010} 00000 n ").unwrap();
    }
    write!(text, "trailer\n<< /Size 6 /Root 1 0 R {trailer} >>\nstartxref\n{table}\n%%EOF\n").unwrap();
    text.into_bytes()
}

/// One that opens with a password that nobody has.
pub(super) fn encrypted() -> Vec<u8> {
    let zeros = "00".repeat(32);
    let id = "00112233445566778899aabbccddeeff";
    let trailer = format!("/ID [<{id}> <{id}>] /Encrypt << /Filter /Standard /V 1 /R 2 /O <{zeros}> /U <{zeros}> /P -44 >>");
    drawn("0 0 200 100", "1 0 0 rg 0 0 100 100 re f", &trailer)
}

/// One whose page has itself drawn in itself, again and again, twice each time.
pub(super) fn endless() -> Vec<u8> {
    let mut loops = String::new();
    for _ in 0..2_000_000 {
        loops.push_str("q 0.5 0 0 0.5 1 1 cm 0 0 9 9 re 1 1 m 3 5 l 7 9 2 4 6 3 c B ");
    }
    drawn("0 0 2000 2000", &loops, "")
}
