//! The Gregorian calendar, extended to all years.

/// A day.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// From 1 on.
    pub(super) month: i64,
    pub(super) day: i64,
}

/// Days in 400 years.
const DAYS_PER_ERA: i64 = 146_097;

/// Days from March 1 of the year 0 to January 1, 1970.
const DAYS_TO_1970: i64 = 719_468;

impl Date {
    /// The day with this number, where January 1, 1970 is 0. Years begin in March here, so that the leap day is the
    /// last one.
    pub(super) const fn from_days(days: i64) -> Self {
        let days = days.saturating_add(DAYS_TO_1970);
        let era = days.div_euclid(DAYS_PER_ERA);
        let day_of_era = days.rem_euclid(DAYS_PER_ERA);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        Self { year, month, day }
    }

    /// The number of the day, where January 1, 1970 is 0. The month and day may be out of range.
    pub(super) const fn days(self) -> i64 {
        let months = self.month - 1;
        let year = self.year + months.div_euclid(12);
        let month = months.rem_euclid(12) + 1;
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970 + (self.day - 1)
    }

    /// From 1 on.
    pub(super) const fn day_of_year(self) -> i64 {
        self.days() - Self { year: self.year, month: 1, day: 1 }.days() + 1
    }

    /// From 0, which is Sunday.
    pub(super) const fn weekday(self) -> i64 {
        (self.days() + 4).rem_euclid(7)
    }

    /// The number of days in its month.
    pub(super) const fn days_in_month(self) -> i64 {
        let next = Self { month: self.month + 1, day: 1, ..self };
        next.days() - Self { day: 1, ..self }.days()
    }
}
