//! Writes values that implement serde's `Serialize` as JSON.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use zeroize::Zeroizing;

use crate::write::{Escape, Sink, fragment, number};

/// The JSON of a value as Go writes it: on one line, with `<`, `>` and `&` escaped.
///
/// # Errors
/// If the value cannot be expressed in JSON.
pub fn to_vec(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    let mut length = Length(0);
    value.serialize(&mut Serializer::with_formatter(&mut length, Go))?;
    // Of the final length, so that it does not grow and leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(length.0));
    value.serialize(&mut Serializer::with_formatter(&mut *text, Go))?;
    Ok(text)
}

struct Length(usize);

impl Write for Length {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0 += text.len();
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes like serde, except for Go's escapes and numbers.
struct Go;

impl Formatter for Go {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(number(value).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        fragment(&mut Into(writer), text.as_bytes(), Escape::Html)
    }
}

struct Into<'w, W: ?Sized>(&'w mut W);

impl<W: ?Sized + Write> Sink for Into<'_, W> {
    type Error = io::Error;

    fn push(&mut self, text: &[u8]) -> io::Result<()> {
        self.0.write_all(text)
    }
}
