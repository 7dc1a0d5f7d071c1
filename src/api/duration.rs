//! Go's `time.Duration`, as the custom resources and ESO's flags write it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000 * MICROSECOND;
const SECOND: i64 = 1_000 * MILLISECOND;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// A signed duration in nanoseconds, parsed and printed like Go's `time.ParseDuration` and `Duration.String`: `1h0m0s`,
/// `90s`, `1.5h`, `0`, `-3s`.
///
/// See <https://pkg.go.dev/time#ParseDuration>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(i64);

/// Why a text is not a Go duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text is empty or not of the form `<number><unit>...`.
    #[error("{0:?} is not a duration; write a number with a unit, such as \"90s\", \"15m\" or \"1h30m\"")]
    Malformed(String),
    /// A number has no unit, or one that Go does not know.
    #[error("{text:?} has {unit}; the units are ns, us, ms, s, m and h, as in \"1h30m\"")]
    Unit {
        /// The whole text.
        text: String,
        /// `no unit` or the unknown unit, quoted.
        unit: String,
    },
    /// It does not fit 64 bits of nanoseconds, about 292 years.
    #[error("{0:?} is longer than a duration can be (about 292 years)")]
    Overflow(String),
}

impl GoDuration {
    /// A duration of whole seconds, limited to the longest duration.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// The duration in nanoseconds.
    #[must_use]
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }

    /// The duration as in the standard library; `None` if it is zero or negative, which means "never" in Kubernetes'
    /// and ESO's fields.
    #[must_use]
    pub fn positive(self) -> Option<Duration> {
        u64::try_from(self.0).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos)
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(DurationError::Malformed(text.to_owned()));
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let (nanoseconds, after) = term(rest, text)?;
            total = total
                .checked_add(nanoseconds)
                .filter(|total| *total <= 1 << 63)
                .ok_or_else(|| DurationError::Overflow(text.to_owned()))?;
            rest = after;
        }
        let signed = if negative { -i128::from(total) } else { i128::from(total) };
        i64::try_from(signed).map(Self).map_err(|_| DurationError::Overflow(text.to_owned()))
    }
}

/// Parses one `<number><unit>`. Returns its nanoseconds and the rest.
fn term<'a>(rest: &'a str, text: &str) -> Result<(u64, &'a str), DurationError> {
    let overflow = || DurationError::Overflow(text.to_owned());
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();

    let whole_len = digits(rest);
    let (whole, rest) = rest.split_at(whole_len);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(after) => after.split_at(digits(after)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::Malformed(text.to_owned()));
    }
    let unit_len = rest.bytes().take_while(|b| *b != b'.' && !b.is_ascii_digit()).count();
    let (unit, rest) = rest.split_at(unit_len);
    let unit = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "" => return Err(DurationError::Unit { text: text.to_owned(), unit: "no unit".to_owned() }),
        other => {
            return Err(DurationError::Unit { text: text.to_owned(), unit: format!("the unknown unit {other:?}") });
        }
    }
    .unsigned_abs();

    let whole = match whole {
        "" => 0,
        digits => digits.parse::<u64>().map_err(|_| overflow())?,
    };
    let nanoseconds = whole.checked_mul(unit).ok_or_else(overflow)?;
    Ok((nanoseconds.checked_add(fraction_of(fraction, unit)).ok_or_else(overflow)?, rest))
}

/// The nanoseconds of `0.<digits>` of a unit; digits below a nanosecond are ignored.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut nanoseconds: u128 = 0;
    let mut scale: u128 = 1;
    for digit in digits.bytes().take(18) {
        nanoseconds = nanoseconds * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    u64::try_from(nanoseconds * u128::from(unit) / scale).unwrap_or(u64::MAX)
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let second = SECOND.unsigned_abs();
        if nanoseconds == 0 {
            return f.write_str("0s");
        }
        if nanoseconds < second {
            let (unit, name) = match nanoseconds {
                n if n < MICROSECOND.unsigned_abs() => (1, "ns"),
                n if n < MILLISECOND.unsigned_abs() => (MICROSECOND.unsigned_abs(), "µs"),
                _ => (MILLISECOND.unsigned_abs(), "ms"),
            };
            return write_decimal(f, nanoseconds, unit, name);
        }
        let (minutes, seconds) = (nanoseconds / (60 * second), nanoseconds % (60 * second));
        let (hours, minutes) = (minutes / 60, minutes % 60);
        if hours > 0 {
            write!(f, "{hours}h{minutes}m")?;
        } else if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write_decimal(f, seconds, second, "s")
    }
}

/// Writes `value / unit` with as many decimals as necessary.
fn write_decimal(f: &mut fmt::Formatter<'_>, value: u64, unit: u64, name: &str) -> fmt::Result {
    write!(f, "{}", value / unit)?;
    let mut rest = value % unit;
    if rest > 0 {
        f.write_str(".")?;
        let mut unit = unit;
        while rest > 0 {
            unit /= 10;
            write!(f, "{}", rest / unit)?;
            rest %= unit;
        }
    }
    f.write_str(name)
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GoDuration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        text.parse::<GoDuration>().unwrap().to_string()
    }

    #[test]
    fn what_go_accepts_prints_as_go_prints_it() {
        for (text, expected) in [
            ("0", "0s"),
            ("+0", "0s"),
            ("0s", "0s"),
            ("1h", "1h0m0s"),
            ("1h0m0s", "1h0m0s"),
            ("90s", "1m30s"),
            ("1.5h", "1h30m0s"),
            (".5s", "500ms"),
            ("1.s", "1s"),
            ("-3s", "-3s"),
            ("5h30m1.25s", "5h30m1.25s"),
            ("1us", "1µs"),
            ("1µs", "1µs"),
            ("1500us", "1.5ms"),
            ("7ns", "7ns"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
            ("-2562047h47m16.854775808s", "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(printed(text), expected, "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_an_error_and_no_panic() {
        for text in [
            "",
            "+",
            "-",
            "bogus",
            "3",
            "1h3",
            "5h-3s",
            ".s",
            "1x",
            "99999999999999999999h",
            "2562047h47m17s",
            "1h ",
            "１h",
        ] {
            assert!(text.parse::<GoDuration>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_a_positive_duration_is_an_interval() {
        assert_eq!("0".parse::<GoDuration>().unwrap().positive(), None);
        assert_eq!("-1s".parse::<GoDuration>().unwrap().positive(), None);
        assert_eq!("1s".parse::<GoDuration>().unwrap().positive(), Some(Duration::from_secs(1)));
    }
}
