//! The day or month that a budget counts in.

use std::time::SystemTime;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::account::Account;
use super::spike::Tally;

/// How often a budget starts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// At local midnight.
    Day,
    /// At local midnight of the first day of a month.
    Month,
}

impl Period {
    /// The period's name in policies, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// When the period around `now` starts and ends in `zone`. Days of 23 and 25 hours are what they are.
    /// `None` outside the years −9999..=9999.
    #[must_use]
    pub fn span(self, zone: &TimeZone, now: SystemTime) -> Option<Span> {
        let now = Timestamp::try_from(now).ok()?.to_zoned(zone.clone());
        let day = now.start_of_day().ok()?;
        let (start, end) = match self {
            Self::Day => (day, midnight_after(&now, 1.day())?),
            Self::Month => {
                let first = now.first_of_month().ok()?.start_of_day().ok()?;
                let next = midnight_after(&first, 1.month())?;
                (first, next)
            }
        };
        Some(Span { start: start.timestamp(), end: end.timestamp() })
    }
}

fn midnight_after(day: &Zoned, span: jiff::Span) -> Option<Zoned> {
    let date = day.date().checked_add(span).ok()?;
    date.to_zoned(day.time_zone().clone()).ok()?.start_of_day().ok()
}

/// From `start` until just before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: Timestamp,
    end: Timestamp,
}

impl Span {
    /// The first moment.
    #[must_use]
    pub fn start(&self) -> SystemTime {
        self.start.into()
    }

    /// The first moment after it.
    #[must_use]
    pub fn end(&self) -> SystemTime {
        self.end.into()
    }

    /// Whether `at` lies within.
    #[must_use]
    pub fn contains(&self, at: SystemTime) -> bool {
        Timestamp::try_from(at).is_ok_and(|at| self.start <= at && at < self.end)
    }
}

/// One period of one budget. Reservations hold on to it, so that they settle where they were made even when the
/// next one has begun.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) span: Span,
    pub(super) account: Account,
    pub(super) tally: Tally,
}

/// Where a moment outside a window lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// After it.
    Ahead,
    /// Before it, by less than its length; or at a time that no calendar knows.
    Lagging,
    /// Further before it.
    Astray,
}

impl Window {
    pub(super) fn open(span: Span, account: Account, spenders: u16) -> Self {
        Self { span, account, tally: Tally::new(spenders) }
    }

    pub(super) fn position(&self, now: SystemTime) -> Position {
        let Ok(now) = Timestamp::try_from(now) else { return Position::Lagging };
        let Span { start, end } = self.span;
        if now >= end {
            Position::Ahead
        } else if start.duration_since(now) < end.duration_since(start) {
            Position::Lagging
        } else {
            Position::Astray
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().into()
    }

    fn span(period: Period, zone: &str, now: &str) -> (String, String) {
        let span = period.span(&TimeZone::get(zone).unwrap(), at(now)).unwrap();
        (span.start.to_string(), span.end.to_string())
    }

    #[test]
    fn days_and_months_start_at_local_midnight() {
        let cases = [
            (Period::Day, "UTC", "2026-11-20T05:00:00Z", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
            (
                Period::Day,
                "Asia/Kolkata",
                "2026-11-19T18:30:00Z",
                "2026-11-19T18:30:00Z",
                "2026-11-20T18:30:00Z",
            ),
            (
                Period::Month,
                "America/New_York",
                "2026-12-01T04:59:59Z",
                "2026-11-01T04:00:00Z",
                "2026-12-01T05:00:00Z",
            ),
            (Period::Month, "UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ];
        for (period, zone, now, start, end) in cases {
            assert_eq!(span(period, zone, now), (start.to_owned(), end.to_owned()), "{zone} {now}");
        }
    }

    #[test]
    fn days_are_as_long_as_the_clocks_make_them() {
        let hours = |zone, now| {
            let span = Period::Day.span(&TimeZone::get(zone).unwrap(), at(now)).unwrap();
            span.end().duration_since(span.start()).unwrap().as_secs() / 3_600
        };
        assert_eq!(hours("Europe/Berlin", "2026-03-29T12:00:00Z"), 23);
        assert_eq!(hours("Europe/Berlin", "2026-10-25T12:00:00Z"), 25);
        // Midnight did not exist: the day began at one o'clock.
        assert_eq!(hours("America/Havana", "2026-03-08T12:00:00Z"), 23);
    }

    #[test]
    fn consecutive_windows_leave_no_gap() {
        for zone in ["Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu"] {
            let zone = TimeZone::get(zone).unwrap();
            for period in [Period::Day, Period::Month] {
                let mut span = period.span(&zone, at("2026-01-01T00:00:00Z")).unwrap();
                for _ in 0..800 {
                    let next = period.span(&zone, span.end()).unwrap();
                    assert_eq!(next.start, span.end, "{zone:?} {period:?}");
                    assert!(next.end > next.start);
                    span = next;
                    if span.end() > at("2028-06-01T00:00:00Z") {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn a_clock_that_went_back_lags_until_it_is_astray() {
        let span = Period::Day.span(&TimeZone::UTC, at("2026-11-20T12:00:00Z")).unwrap();
        let window = Window::open(span, Account::default(), 0);
        for (now, position) in [
            ("2026-11-21T00:00:00Z", Position::Ahead),
            ("2026-11-19T23:59:59.999Z", Position::Lagging),
            ("2026-11-19T00:00:01Z", Position::Lagging),
            ("2026-11-19T00:00:00Z", Position::Astray),
            ("1970-01-01T00:00:00Z", Position::Astray),
        ] {
            assert_eq!(window.position(at(now)), position, "{now}");
        }
        assert!(span.contains(at("2026-11-20T00:00:00Z")) && span.contains(at("2026-11-20T23:59:59.999Z")));
        assert!(!span.contains(at("2026-11-21T00:00:00Z")));
    }
}
