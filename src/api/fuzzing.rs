//! What the fuzz target `words` and the property test below run: the small languages of fields.

use jiff::Timestamp;

use super::{FieldPath, GoDuration, Schedule, TemplateTarget};

/// Times at the edges of calendars.
const TIMES: [&str; 4] =
    ["2026-11-23T22:24:18.25Z", "2024-02-29T00:00:00Z", "-009999-01-02T01:59:59Z", "9999-12-30T22:00:00Z"];

/// Parses a text as each of them.
///
/// # Panics
/// If what is parsed differs from what is printed.
pub fn words(text: &[u8]) {
    let text = &*String::from_utf8_lossy(text);
    if let Ok(duration) = text.parse::<GoDuration>() {
        assert_eq!(duration.to_string().parse(), Ok(duration));
    }
    if let Ok(path) = text.parse::<FieldPath>() {
        assert_eq!(path.to_string().parse(), Ok(path));
    }
    if let Ok(Schedule::At(fields)) = text.parse::<Schedule>() {
        for time in TIMES.iter().filter_map(|time| time.parse::<Timestamp>().ok()) {
            if let Some(next) = fields.first_from(time) {
                assert!(next >= time);
                assert_eq!(fields.first_from(next), Some(next));
            }
        }
    }
    let _ = TemplateTarget::of_object(text).map_err(|error| error.to_string());
    let _ = TemplateTarget::of_secret(text).map_err(|error| error.to_string());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::words;

    proptest! {
        #[test]
        fn what_is_read_is_printed_the_same(
            text in "(\\*|[0-9]{1,3}|-|/|,| |@every |@daily|jan|sun|h|m|ms|\\.|\\[|\\]|\"|a|spec|data){0,12}",
            any in ".*",
        ) {
            words(text.as_bytes());
            words(any.as_bytes());
        }
    }
}
