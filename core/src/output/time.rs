//! `%Y` and `%T`: times of day, from fields that the environment computes.

/// A time of day in some time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Year, 2026 for instance.
    pub year: i64,
    /// 1 is January.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// 0 is Sunday.
    pub weekday: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
    /// Abbreviation of the time zone, `UTC` for instance.
    pub zone: String,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl LocalTime {
    /// `%Y`: `2026 Nov 23 15:17:53`, the day padded with a space.
    pub fn adb(&self) -> String {
        let LocalTime { year, day, hour, minute, second, .. } = self;
        format!("{year} {} {day:>2} {hour:02}:{minute:02}:{second:02}", self.month_name())
    }

    /// `%T`, the form of RFC 822: `Sun, 09 Sep 2001 01:46:40 UTC`.
    pub fn rfc822(&self) -> String {
        let LocalTime { year, day, hour, minute, second, zone, .. } = self;
        let weekday = DAYS.get(usize::from(self.weekday)).copied().unwrap_or("???");
        format!("{weekday}, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} {zone}", self.month_name())
    }

    fn month_name(&self) -> &'static str {
        usize::from(self.month).checked_sub(1).and_then(|m| MONTHS.get(m)).copied().unwrap_or("???")
    }
}

/// An environment whose local time is UTC and that knows no names: for replaying and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utc;

impl super::Environment for Utc {
    fn local_time(&self, seconds: i64) -> LocalTime {
        let days = seconds.div_euclid(86_400);
        let second_of_day = seconds.rem_euclid(86_400);
        let (year, month, day) = civil_from_days(days);
        LocalTime {
            year,
            month,
            day,
            weekday: (days + 4).rem_euclid(7) as u8,
            hour: (second_of_day / 3600) as u8,
            minute: (second_of_day / 60 % 60) as u8,
            second: (second_of_day % 60) as u8,
            zone: "UTC".to_string(),
        }
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
/// Years are counted from March here, so that the leap day is a year's last.
fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let day = days + 719_468; // from 0000-03-01
    let era = day.div_euclid(146_097); // 400 years
    let day_of_era = day.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u8, day as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Environment;

    #[test]
    fn both_forms() {
        let time = Utc.local_time(1_000_000_000);
        assert_eq!(time.rfc822(), "Sun, 09 Sep 2001 01:46:40 UTC");
        assert_eq!(time.adb(), "2001 Sep  9 01:46:40");
    }

    #[test]
    fn days_around_leap_years_and_the_epoch() {
        let adb = |seconds| Utc.local_time(seconds).adb();
        assert_eq!(adb(0), "1970 Jan  1 00:00:00");
        assert_eq!(adb(-1), "1969 Dec 31 23:59:59");
        assert_eq!(adb(951_782_400), "2000 Feb 29 00:00:00");
        assert_eq!(adb(4_107_542_400), "2100 Mar  1 00:00:00");
        let _ = adb(i64::MAX / 1_000_000_000);
        let _ = adb(i64::MIN / 1_000_000_000);
    }
}
