//! Days of the Gregorian calendar, in every form in which a card writes them.
//!
//! | form | where | example |
//! |---|---|---|
//! | `YYYY-MM-DD` | people, the command line, JSON | `2031-12-31` |
//! | `YYYYMMDD` | CHUID tag `35` (SP 800-73-5 part 1, table 9) | `20311231` |
//! | `YYYYMMMDD` | Printed Information tag `04` (the same, table 14) | `2031DEC31` |
//! | binary `YYYYMMDDhhmmssZ` | CBEFF header (SP 800-76-2, section 9) | `14 1F 0C 1F 17 3B 3B 5A` |
//!
//! A [`Date`] always exists in the calendar; all of them are in the years 1000 to 9999, so that each form has its
//! fixed length.

use std::{
    fmt,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

use der::{
    DateTime,
    asn1::{GeneralizedTime, UtcTime},
};
use x509_cert::time::Time;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// From this year on X.509 writes GeneralizedTime (RFC 5280, 4.1.2.5).
const FIRST_YEAR_OF_GENERALIZED_TIME: u16 = 2050;

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// Text that is not a day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a day; write it as YYYY-MM-DD, for example 2026-01-31")]
pub struct DateError(String);

/// The time of day at which something begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// `00:00:00`, when a validity begins.
    Start,
    /// `23:59:59`, when a validity ends.
    End,
}

impl Date {
    /// The day, if the calendar has it.
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        if matches!(year, 1000..=9999) && day >= 1 && day <= days_in_month(year, month) {
            Some(Self { year, month, day })
        } else {
            None
        }
    }

    /// Today by the system's clock, in UTC.
    pub fn today() -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        DateTime::from_unix_duration(seconds)
            .ok()
            .and_then(|now| Self::new(now.year(), now.month(), now.day()))
            .unwrap_or(Self { year: 1970, month: 1, day: 1 })
    }

    /// The year.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// The same day `years` later; 29 February becomes 28 February where there is none. Stops at the year 9999.
    #[must_use]
    pub fn plus_years(self, years: u16) -> Self {
        let year = self.year.saturating_add(years).min(9999);
        Self { year, day: self.day.min(days_in_month(year, self.month)), ..self }
    }

    /// The same day `years` earlier; 29 February becomes 28 February where there is none. Stops at the year 1000.
    #[must_use]
    pub fn minus_years(self, years: u16) -> Self {
        let year = self.year.saturating_sub(years).max(1000);
        Self { year, day: self.day.min(days_in_month(year, self.month)), ..self }
    }

    /// The day before. Stops at the first day of the year 1000.
    #[must_use]
    pub fn previous(self) -> Self {
        let Self { year, month, day } = self;
        let earlier = match (month, day) {
            (_, 2..) => Self::new(year, month, day - 1),
            (2.., _) => Self::new(year, month - 1, days_in_month(year, month - 1)),
            _ => Self::new(year - 1, 12, 31),
        };
        earlier.unwrap_or(self)
    }

    /// The last day of a span of `years` that begins on this day.
    #[must_use]
    pub fn last_day_of(self, years: u16) -> Self {
        let same_day = self.plus_years(years);
        // From 29 February on, the span to the 28th already is a day short.
        if same_day.day == self.day { same_day.previous() } else { same_day }
    }

    /// `YYYYMMDD`.
    pub fn compact(self) -> String {
        format!("{:04}{:02}{:02}", self.year, self.month, self.day)
    }

    /// The day written as `YYYYMMDD`.
    pub fn from_compact(text: &[u8]) -> Option<Self> {
        let digits = std::str::from_utf8(text).ok().filter(|text| text.len() == 8)?;
        from_digits(digits.get(..4)?, digits.get(4..6)?, digits.get(6..)?)
    }

    /// `YYYYMMMDD`, as printed on the card.
    pub fn printed(self) -> String {
        let month = MONTHS.get(usize::from(self.month) - 1).copied().unwrap_or_default();
        format!("{:04}{month}{:02}", self.year, self.day)
    }

    /// The day written as `YYYYMMMDD`, the month in either case.
    pub fn from_printed(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 9)?;
        let name = text.get(4..7)?;
        let index = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
        from_digits(text.get(..4)?, &(index + 1).to_string(), text.get(7..)?)
    }

    /// The eight bytes of a CBEFF header: each pair of digits as one binary byte, and `Z`.
    pub fn cbeff(self, (hour, minute, second): (u8, u8, u8)) -> [u8; 8] {
        let [century, year] = [self.year / 100, self.year % 100].map(|pair| pair.to_le_bytes()[0]);
        [century, year, self.month, self.day, hour, minute, second, b'Z']
    }

    /// The moment in a certificate: UTCTime before 2050, GeneralizedTime from then on.
    pub fn certificate_time(self, moment: Moment) -> Result<Time, der::Error> {
        let (hour, minute, second) = moment.clock();
        let time = DateTime::new(self.year, self.month, self.day, hour, minute, second)?;
        if self.year < FIRST_YEAR_OF_GENERALIZED_TIME {
            UtcTime::from_date_time(time).map(Time::UtcTime)
        } else {
            Ok(Time::GeneralTime(GeneralizedTime::from_date_time(time)))
        }
    }
}

impl Moment {
    /// Hour, minute and second.
    pub const fn clock(self) -> (u8, u8, u8) {
        match self {
            Self::Start => (0, 0, 0),
            Self::End => (23, 59, 59),
        }
    }
}

impl From<DateTime> for Date {
    fn from(time: DateTime) -> Self {
        // `DateTime` begins in 1970, ends in 9999 and is a day of the calendar.
        Self { year: time.year(), month: time.month(), day: time.day() }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let mut parts = text.split('-');
        let date = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(year), Some(month), Some(day), None)
                if (year.len(), month.len(), day.len()) == (4, 2, 2) =>
            {
                from_digits(year, month, day)
            }
            _ => None,
        };
        date.ok_or_else(|| DateError(text.to_owned()))
    }
}

impl serde::Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn from_digits(year: &str, month: &str, day: &str) -> Option<Date> {
    // `parse` would take a sign.
    let all_digits = [year, month, day].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if !all_digits {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_is_written_and_read_back() {
        let end_of_2031 = date("2031-12-31");
        assert_eq!(end_of_2031.to_string(), "2031-12-31");
        assert_eq!(end_of_2031.compact(), "20311231");
        assert_eq!(end_of_2031.printed(), "2031DEC31");
        assert_eq!(Date::from_compact(b"20311231"), Some(end_of_2031));
        assert_eq!(Date::from_printed(b"2031DEC31"), Some(end_of_2031));
        assert_eq!(Date::from_printed(b"2031Dec31"), Some(end_of_2031));
    }

    #[test]
    fn a_cbeff_date_is_binary() {
        // The header of a GSA ICAM test card holds 2018-07-23 05:48:42Z like this.
        let bytes = date("2018-07-23").cbeff((5, 48, 42));
        assert_eq!(bytes, [0x14, 0x12, 0x07, 0x17, 0x05, 0x30, 0x2A, 0x5A]);
        assert_eq!(date("2018-07-23").cbeff(Moment::End.clock())[4..], [0x17, 0x3B, 0x3B, 0x5A]);
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026",
            "2026-1-1",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "2026-01-32",
            "0999-01-01",
            "+026-01-01",
            "2026-01-01-",
            "2026/01/01",
            "20260101",
            "２026-01-01",
        ] {
            let error = text.parse::<Date>().unwrap_err();
            assert!(error.to_string().contains("YYYY-MM-DD"), "{text}");
        }
        for text in [&b"2026010"[..], b"202601011", b"2026AB01", b"20260230", b"\xFF0260101"] {
            assert_eq!(Date::from_compact(text), None, "{text:02X?}");
        }
        for text in [&b"2026JAN1"[..], b"2026XXX01", b"2026FEB30", b"2026\xC3\xA4N01"] {
            assert_eq!(Date::from_printed(text), None, "{text:02X?}");
        }
    }

    #[test]
    fn spans_end_a_day_before_their_anniversary() {
        for (first, years, last) in [
            ("2026-01-01", 6, "2031-12-31"),
            ("2026-03-01", 6, "2032-02-29"),
            ("2024-02-29", 6, "2030-02-28"),
            ("2024-02-29", 4, "2028-02-28"),
            ("2026-11-22", 1, "2027-11-21"),
            ("9999-01-01", 6, "9998-12-31"),
        ] {
            assert_eq!(date(first).last_day_of(years), date(last), "{first} and {years} years");
        }
    }

    #[test]
    fn certificates_change_their_time_type_in_2050() {
        let time = |text| date(text).certificate_time(Moment::End).unwrap();
        assert!(matches!(time("2049-12-31"), Time::UtcTime(_)));
        assert!(matches!(time("2050-01-01"), Time::GeneralTime(_)));
        assert_eq!(Date::from(time("2050-01-01").to_date_time()), date("2050-01-01"));
    }
}
