//! What time it is, for everything that has a date or a limit: told from outside, so that a test, or somebody who shows a card's
//! life, can stand at any moment of it.
//!
//! A [`Time`] is a second in UTC from 1970 to 9999. A [`Clock`] is the system's, or stands still at the moment that `--now` names.
//!
//! ```
//! use vreader::clock::{Clock, Time};
//!
//! let noon: Time = "2018-02-28T12:00:00Z".parse()?;
//! assert_eq!(Clock::At(noon).now(), noon);
//! assert_eq!(noon.date().to_string(), "2018-02-28");
//! assert_eq!("2018-02-28".parse::<Time>()?.to_string(), "2018-02-28T00:00:00Z");
//! # Ok::<(), vreader::clock::TimeError>(())
//! ```

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use der::DateTime;

use crate::issue::Date;

/// The last second of the year 9999.
const LAST: u64 = 253_402_300_799;

const DAY: u64 = 24 * 60 * 60;

/// A second, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// Text that is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a time; write a day as YYYY-MM-DD, or a second as YYYY-MM-DDTHH:MM:SSZ, in the years 1970 to 9999"
)]
pub struct TimeError(String);

impl Time {
    /// So many seconds after the beginning of 1970; at most the end of 9999.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(if seconds > LAST { LAST } else { seconds })
    }

    /// Seconds since the beginning of 1970.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// The system's time.
    pub fn of_system() -> Self {
        Self::from_seconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }

    /// The first second of a day; of 1970 for days before.
    pub fn start_of(date: Date) -> Self {
        let midnight = DateTime::new(date.year(), date.month(), date.day(), 0, 0, 0);
        Self(midnight.map_or(0, |midnight| midnight.unix_duration().as_secs()))
    }

    /// The last second of a day.
    pub fn end_of(date: Date) -> Self {
        Self::from_seconds(Self::start_of(date).0 + (DAY - 1))
    }

    /// The day.
    pub fn date(self) -> Date {
        Date::from(self.date_time())
    }

    /// The same in the form of certificates.
    pub fn date_time(self) -> DateTime {
        // A `Time` ends where a `DateTime` ends.
        DateTime::from_unix_duration(Duration::from_secs(self.0)).unwrap_or(DateTime::INFINITY)
    }

    /// So much later; at most the end of 9999.
    #[must_use]
    pub const fn plus(self, span: Duration) -> Self {
        Self::from_seconds(self.0.saturating_add(span.as_secs()))
    }

    /// How long ago `earlier` was; nothing if it is still to come.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.date_time();
        write!(f, "{}T{:02}:{:02}:{:02}Z", self.date(), time.hour(), time.minutes(), time.seconds())
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let error = || TimeError(text.to_owned());
        let (day, second) = match text.split_once('T') {
            Some((day, second)) => (day, second.strip_suffix('Z').ok_or_else(error)?),
            None => (text, "00:00:00"),
        };
        let day: Date = day.parse().map_err(|_| error())?;
        let number = |part: Option<&str>| {
            let part = part.filter(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()));
            part.and_then(|part| part.parse::<u8>().ok()).ok_or_else(error)
        };
        let mut parts = second.split(':');
        let [hour, minute, second] = [number(parts.next())?, number(parts.next())?, number(parts.next())?];
        if parts.next().is_some() {
            return Err(error());
        }
        let time = DateTime::new(day.year(), day.month(), day.day(), hour, minute, second);
        Ok(Self(time.map_err(|_| error())?.unix_duration().as_secs()))
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What tells the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// It is always this time.
    At(Time),
}

impl Clock {
    /// The time.
    pub fn now(self) -> Time {
        match self {
            Self::System => Time::of_system(),
            Self::At(time) => time,
        }
    }

    /// The day.
    pub fn today(self) -> Date {
        self.now().date()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_written_and_read_back() {
        for text in
            ["1970-01-01T00:00:00Z", "2018-02-28T23:59:59Z", "2024-02-29T12:34:56Z", "9999-12-31T23:59:59Z"]
        {
            assert_eq!(time(text).to_string(), text);
        }
        assert_eq!(time("2001-09-09T01:46:40Z").seconds(), 1_000_000_000);
    }

    #[test]
    fn a_day_begins_at_its_first_second_and_ends_at_its_last() {
        let day = Date::new(2018, 2, 28).unwrap();
        assert_eq!(Time::start_of(day), time("2018-02-28"));
        assert_eq!(Time::end_of(day), time("2018-02-28T23:59:59Z"));
        assert_eq!(Time::end_of(day).plus(Duration::from_secs(1)).date(), Date::new(2018, 3, 1).unwrap());
    }

    #[test]
    fn spans_do_not_leave_the_calendar() {
        let last = time("9999-12-31T23:59:59Z");
        assert_eq!(last.plus(Duration::from_secs(1)), last);
        assert_eq!(time("2026-01-01").since(time("2026-01-02")), Duration::ZERO);
        assert_eq!(time("2026-01-02").since(time("2026-01-01")), Duration::from_hours(24));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "2026-02-29",
            "2026-01-01T",
            "2026-01-01T10:00:00",
            "2026-01-01T24:00:00Z",
            "2026-01-01T10:60:00Z",
            "2026-01-01T10:00:60Z",
            "2026-01-01T10:00Z",
            "2026-01-01T10:00:00:00Z",
            "2026-01-01T+1:00:00Z",
            "2026-01-01 10:00:00Z",
            "1969-12-31",
        ] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }
}
