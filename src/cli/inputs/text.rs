//! Reading text files.

use std::io;

/// The text of a file.
pub(super) fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let is_utf16 = error.as_bytes().starts_with(&[0xff, 0xfe]) || error.as_bytes().starts_with(&[0xfe, 0xff]);
        let problem = if is_utf16 { "it is in UTF-16; save it as UTF-8" } else { "it is not UTF-8" };
        io::Error::new(io::ErrorKind::InvalidData, problem)
    })
}
