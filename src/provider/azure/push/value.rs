//! The value of a secret.

use std::sync::Arc;

use secrecy::ExposeSecret as _;

use super::super::diagnose::{Cause, Diagnosis};
use crate::push::{Payload, json};
use crate::secret::SecretValue;

/// The longest value, in bytes.
pub(super) const LARGEST_VALUE: usize = 25 * 1024;

/// The value of a secret: a single value unchanged, several as a JSON object.
///
/// # Errors
/// It is too large.
pub(super) fn of(payload: &Payload) -> Result<SecretValue, Diagnosis> {
    // Checked before it becomes a text, which is longer.
    let length = match payload {
        Payload::Value(value) => value.expose_secret().len(),
        Payload::Map(values) => values.iter().map(|(key, value)| key.len() + value.expose_secret().len()).sum(),
    };
    if length > LARGEST_VALUE {
        return Err(too_large());
    }
    let value = match payload {
        Payload::Value(value) => text(value),
        Payload::Map(values) => json::object(values),
    };
    if value.expose_secret().len() > LARGEST_VALUE { Err(too_large()) } else { Ok(value) }
}

fn too_large() -> Diagnosis {
    let message = format!("the value has more than the {LARGEST_VALUE} bytes that a secret holds");
    Diagnosis::new(Cause::ValueUnusable, message).hint("push single keys, or less")
}

/// Converts a value to text. As in ESO, bytes that are not UTF-8 are replaced.
fn text(value: &SecretValue) -> SecretValue {
    if std::str::from_utf8(value.expose_secret()).is_ok() {
        return Arc::clone(value);
    }
    Arc::new(String::from_utf8_lossy(value.expose_secret()).into_owned().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &[u8]) -> SecretValue {
        Arc::new(bytes.to_vec().into())
    }

    fn written(payload: &Payload) -> Vec<u8> {
        of(payload).unwrap().expose_secret().to_vec()
    }

    #[test]
    fn a_whole_secret_is_sorted_json_with_html_as_it_is() {
        let values = [("b", value(b"<&>")), ("a", value(b"1\n\"")), ("c", value(&[0xff, b'x']))];
        let values = values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        assert_eq!(
            written(&Payload::Map(Arc::new(values))),
            "{\"a\":\"1\\n\\\"\",\"b\":\"<&>\",\"c\":\"\u{fffd}x\"}".as_bytes()
        );
        assert_eq!(written(&Payload::Value(value(&[0xff, b'x']))), "\u{fffd}x".as_bytes());
    }

    #[test]
    fn a_value_of_25_kilobytes_is_taken_and_one_byte_more_is_not() {
        assert!(of(&Payload::Value(value(&vec![b'x'; LARGEST_VALUE]))).is_ok());
        let refused = of(&Payload::Value(value(&vec![b'x'; LARGEST_VALUE + 1]))).unwrap_err();
        assert_eq!(refused.cause, Cause::ValueUnusable);
    }
}
