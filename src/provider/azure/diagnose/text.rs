//! Removes from a message what differs from one failure to the next.

use std::collections::HashSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// The longest text that is kept. Conditions and events have limits of their own (an event's note has 1 KB).
const LONGEST: usize = 800;

/// Labels, as lower-case words, whose value is an ID or time of the single request.
const VARYING: [&[&str]; 8] = [
    &["trace", "id:"],
    &["correlation", "id:"],
    &["request", "id:"],
    &["client", "request", "id:"],
    &["requestid:"],
    &["correlationid:"],
    &["traceid:"],
    &["timestamp:"],
];

/// `message` on one line, without trace IDs, times and ports, and limited to [`LONGEST`] characters.
///
/// Entra ID ends its descriptions with `Trace ID: ... Correlation ID: ... Timestamp: ...`, and Key Vault
/// writes several lines.
pub(in crate::provider::azure) fn stable(message: &str) -> String {
    let words: Vec<&str> = message.split_whitespace().collect();
    let mut kept: Vec<String> = Vec::with_capacity(words.len());
    let mut rest = words.as_slice();
    while let Some((word, tail)) = rest.split_first() {
        if let Some(label) = VARYING.iter().find(|label| starts_with(rest, label)) {
            rest = after_value(&rest[label.len()..]);
        } else if is_date(word) {
            kept.push(format!("(time){}", trailing_punctuation(word)));
            rest = match tail.split_first() {
                Some((next, after)) if is_time(next) => after,
                _ => tail,
            };
        } else {
            kept.push(without_port(word));
            rest = tail;
        }
    }
    shortened(kept.join(" "))
}

/// So many bytes of a value in a row count as a part of it.
const TELLING: usize = 8;

/// What is shorter is in any text by chance.
const SHORTEST: usize = 4;

/// Whether a text holds a part of a value, as it is, in JSON or in base64: eight bytes in a row, or all of a shorter one.
pub(in crate::provider::azure) fn repeats(text: &str, value: &[u8]) -> bool {
    if value.len() < SHORTEST {
        return false;
    }
    // A byte becomes six at most, `\u0000`.
    let mut json = Zeroizing::new(Vec::with_capacity(6 * value.len() + 2));
    let is_text = std::str::from_utf8(value).is_ok_and(|value| serde_json::to_writer(&mut *json, value).is_ok());
    let escaped = json.get(1..json.len().saturating_sub(1)).filter(|_| is_text).unwrap_or_default();
    // Three bytes become four characters, so that a part may begin at any of three places.
    let encoded = |start: usize| Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(&value[start..]));
    let is_encoded = |text: &str, part: &str| part.len() >= TELLING && holds(text, part.as_bytes());
    holds(text, value) || holds(text, escaped) || (0..3).any(|start| is_encoded(text, &encoded(start)))
}

fn holds(text: &str, value: &[u8]) -> bool {
    let length = value.len().min(TELLING);
    if length == 0 {
        return false;
    }
    let parts: HashSet<&[u8]> = text.as_bytes().windows(length).collect();
    value.windows(length).any(|part| parts.contains(part))
}

/// The value after `label=` or `label: ` in a message of Key Vault, up to a separator.
pub(in crate::provider::azure) fn value_after<'a>(message: &'a str, label: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(label)?;
    let value = rest.trim_start().split([';', ' ', '\r', '\n', '\'', ',']).next()?;
    let value = value.trim_end_matches('.');
    (!value.is_empty()).then_some(value)
}

fn starts_with(words: &[&str], label: &[&str]) -> bool {
    words.len() >= label.len() && words.iter().zip(label).all(|(word, part)| word.eq_ignore_ascii_case(part))
}

/// What follows a label's value, which is one word, or two for a date and time.
fn after_value<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    match words {
        [date, time, rest @ ..] if is_date(date) && is_time(time) => rest,
        [_, rest @ ..] => rest,
        [] => &[],
    }
}

/// Whether a word begins with a date such as `2025-04-18`.
fn is_date(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '\'', '"']).as_bytes();
    word.len() >= 10
        && word[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Whether a word begins with a time of day such as `16:04:37Z`.
fn is_time(word: &str) -> bool {
    let word = word.as_bytes();
    word.len() >= 8
        && word[..8].iter().enumerate().all(|(at, byte)| match at {
            2 | 5 => *byte == b':',
            _ => byte.is_ascii_digit(),
        })
}

fn trailing_punctuation(word: &str) -> &str {
    let end = word.trim_end_matches([',', '.', ';', ')']).len();
    &word[end..]
}

/// `10.0.0.1:4711` without its port, which differs for each connection.
fn without_port(word: &str) -> String {
    let Some((address, port)) = word.rsplit_once(':') else { return word.to_owned() };
    let digits = port.trim_end_matches([',', '.', ';', ')']);
    let is_port = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let host = address.rsplit(['=', '(', '\'']).next().unwrap_or(address);
    if is_port && host.parse::<std::net::Ipv4Addr>().is_ok() {
        format!("{address}{}", &port[digits.len()..])
    } else {
        word.to_owned()
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::entra(
        "AADSTS70021: No matching federated identity record found. Trace ID: 5b8c-1 Correlation ID: 77aa-2 Timestamp: 2025-04-18 16:04:37Z",
        "AADSTS70021: No matching federated identity record found."
    )]
    #[case::times_inside(
        "Current time: 2026-01-01T00:00:00.0000000Z, expiry time of assertion 2025-12-31T23:00:00.0000000Z.",
        "Current time: (time), expiry time of assertion (time)."
    )]
    #[case::port_of_an_address(
        "Client address: 20.1.2.3:50123; Caller: oid=1",
        "Client address: 20.1.2.3; Caller: oid=1"
    )]
    #[case::lines(
        "Caller is not authorized.\r\nCaller: appid=1;oid=2\r\n",
        "Caller is not authorized. Caller: appid=1;oid=2"
    )]
    #[case::urls_keep_their_port("see https://example.com:8443/x", "see https://example.com:8443/x")]
    #[case::label_without_a_value("it failed. Trace ID:", "it failed.")]
    #[case::empty("", "")]
    fn what_varies_is_taken_out(#[case] message: &str, #[case] expected: &str) {
        assert_eq!(stable(message), expected);
    }

    #[test]
    fn a_text_that_repeats_a_part_of_a_value_is_known() {
        assert!(repeats("invalid value 's3cret-canary'", b"my s3cret-canary!"));
        assert!(repeats("it is abcd", b"abcd"));
        for start in 0..3 {
            let whole = format!("{}s3cret-canary", "x".repeat(start));
            assert!(repeats(&BASE64_STANDARD_NO_PAD.encode(whole), b"s3cret-canary"), "{start}");
        }
        assert!(repeats(r#"{"a":"a\"b\"c"}"#, br#"a"b"c"#));
        assert!(!repeats("it is too long", b"s3cret-canary") && !repeats("anything", b"") && !repeats("a b", b"a"));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = stable(&"ä".repeat(5000));
        assert_eq!(text.chars().count(), LONGEST + 1);
        assert!(text.ends_with('…'));
    }

    #[rstest]
    #[case("Caller: appid=a;oid=b;iss=c", "oid=", Some("b"))]
    #[case("Client address: 20.1.2.3\r\nCaller: x", "Client address:", Some("20.1.2.3"))]
    #[case("nothing", "oid=", None)]
    #[case("oid=;x", "oid=", None)]
    fn values_are_found_by_their_label(#[case] message: &str, #[case] label: &str, #[case] expected: Option<&str>) {
        assert_eq!(value_after(message, label), expected);
    }

    proptest::proptest! {
        #[test]
        fn no_text_of_a_server_makes_it_panic(message in ".*") {
            stable(&message);
        }
    }
}
