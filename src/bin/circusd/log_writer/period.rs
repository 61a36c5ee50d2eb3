//! When a file is rotated by time, and what the old one is called then: Circus's rules.

use circus::config::settings::Period;
use circus::sys::clock;

/// The times of one file.
#[derive(Debug)]
pub struct Schedule {
    period: Period,
    interval: i64,
    utc: bool,
    /// The next rotation.
    pub due: i64,
    /// The beginning of what is then an old file, as a clock on the wall showed it.
    begin: i64,
}

const DAY: i64 = 86_400;

impl Schedule {
    /// For a file that was last written at this time.
    pub fn new(period: Period, interval: u32, utc: bool, last: i64) -> Schedule {
        let interval = i64::from(interval);
        let mut schedule = Schedule { period, interval, utc, due: 0, begin: 0 };
        schedule.plan(last, schedule.offset());
        schedule
    }

    /// The old file has been put away.
    pub fn next(&mut self, now: i64) {
        self.plan(now, self.offset());
    }

    /// What the name of the old file ends in.
    pub fn suffix(&self) -> String {
        let pattern = match self.period {
            Period::Second => c"%Y%m%d%H%M%S",
            Period::Minute => c"%Y%m%d%H%M",
            Period::Hour => c"%Y%m%d%H",
            Period::Day | Period::Midnight | Period::Weekday(_) => c"%Y%m%d",
        };
        clock::format(self.begin, pattern, true)
    }

    /// A suffix has so many digits.
    pub fn suffix_digits(&self) -> usize {
        match self.period {
            Period::Second => 14,
            Period::Minute => 12,
            Period::Hour => 10,
            Period::Day | Period::Midnight | Period::Weekday(_) => 8,
        }
    }

    /// How far the clock on the wall is ahead at a time.
    fn offset(&self) -> fn(i64) -> i64 {
        if self.utc { |_| 0 } else { clock::local_offset }
    }

    fn plan(&mut self, from: i64, offset: fn(i64) -> i64) {
        let seconds = match self.period {
            Period::Second => 1,
            Period::Minute => 60,
            Period::Hour => 3600,
            Period::Day => DAY,
            Period::Midnight => return self.plan_days(from, self.interval, offset),
            Period::Weekday(day) => {
                // 1970 began on a Thursday, which is 3.
                let today = ((from + offset(from)).div_euclid(DAY) + 3).rem_euclid(7);
                let wait = (i64::from(day) - today).rem_euclid(7);
                let days = 1 + wait + (self.interval - 1) * 7;
                return self.plan_days(from, days, offset);
            }
        };
        self.due = from + seconds * self.interval;
        self.begin = from + offset(from);
    }

    /// At the end of a day: so many days from now, today counted.
    fn plan_days(&mut self, from: i64, days: i64, offset: fn(i64) -> i64) {
        let today = (from + offset(from)).div_euclid(DAY);
        let end = (today + days) * DAY;
        // The clock may be set in between, by summer time.
        let guess = end - offset(from);
        self.due = end - offset(guess);
        let length = match self.period {
            Period::Weekday(_) => 7 * self.interval,
            _ => self.interval,
        };
        self.begin = end - length * DAY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wednesday, 2023-11-15 06:13:20.
    const WEDNESDAY: i64 = 1_700_028_800;

    fn planned(period: Period, interval: u32) -> (i64, String) {
        let schedule = Schedule::new(period, interval, true, WEDNESDAY);
        let suffix = schedule.suffix();
        assert_eq!(suffix.len(), schedule.suffix_digits());
        (schedule.due - WEDNESDAY, suffix)
    }

    #[test]
    fn intervals_begin_when_the_file_was_last_written() {
        assert_eq!(planned(Period::Second, 5), (5, "20231115061320".to_owned()));
        assert_eq!(planned(Period::Minute, 1), (60, "202311150613".to_owned()));
        assert_eq!(planned(Period::Hour, 2), (7200, "2023111506".to_owned()));
        assert_eq!(planned(Period::Day, 1), (86_400, "20231115".to_owned()));
    }

    #[test]
    fn days_end_at_midnight() {
        let left = 86_400 - (6 * 3600 + 13 * 60 + 20);
        assert_eq!(planned(Period::Midnight, 1), (left, "20231115".to_owned()));
        assert_eq!(planned(Period::Midnight, 3), (left + 2 * 86_400, "20231115".to_owned()));
        // The end of this very day, of Thursday, and of Tuesday.
        assert_eq!(planned(Period::Weekday(2), 1), (left, "20231109".to_owned()));
        assert_eq!(planned(Period::Weekday(3), 1), (left + 86_400, "20231110".to_owned()));
        assert_eq!(planned(Period::Weekday(1), 1), (left + 6 * 86_400, "20231115".to_owned()));
    }

    #[test]
    fn the_day_on_which_summer_time_begins_is_shorter() {
        // Clocks go from +1 to +2 hours at 01:00 UTC.
        const CHANGE: i64 = 1_711_846_800;
        let offset = |time| if time < CHANGE { 3600 } else { 7200 };
        let midnight = CHANGE - 2 * 3600;
        let mut schedule = Schedule::new(Period::Midnight, 1, true, midnight);
        schedule.plan(midnight, offset);
        assert_eq!((schedule.due - midnight, &*schedule.suffix()), (23 * 3600, "20240331"));
    }
}
