//! The three forms of `HTTP-date` (RFC 9110 section 5.6.7), written from seconds since 1970.

/// The first second of the year 10000.
pub const END: u64 = 253_402_300_800;

const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date of the Gregorian calendar.
#[derive(Clone, Copy, Debug)]
pub struct Date {
    pub year: u64,
    month: usize,
    day: u64,
    day_name: &'static str,
    second: u64,
}

impl Date {
    /// Counted month by month: slow, and plain to see that it is right.
    #[must_use]
    pub fn at(seconds: u64) -> Self {
        let days = seconds / 86_400;
        let day_name = DAYS[(days % 7) as usize];
        // 146,097 days make 400 years.
        let mut year = 1970 + days / 146_097 * 400;
        let mut day = days % 146_097;
        let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        while day >= 365 + u64::from(leap(year)) {
            day -= 365 + u64::from(leap(year));
            year += 1;
        }
        let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 0;
        while day >= lengths[month] {
            day -= lengths[month];
            month += 1;
        }
        Self { year, month, day: day + 1, day_name, second: seconds % 86_400 }
    }

    fn time(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.second / 3600, self.second / 60 % 60, self.second % 60)
    }

    #[must_use]
    pub fn imf_fixdate(&self) -> String {
        let Self { year, month, day, day_name, .. } = self;
        format!("{}, {day:02} {} {year:04} {} GMT", &day_name[..3], MONTHS[*month], self.time())
    }

    #[must_use]
    pub fn rfc850(&self) -> String {
        let Self { year, month, day, day_name, .. } = self;
        format!("{day_name}, {day:02}-{}-{:02} {} GMT", MONTHS[*month], year % 100, self.time())
    }

    #[must_use]
    pub fn asctime(&self) -> String {
        let Self { year, month, day, day_name, .. } = self;
        format!("{} {} {day:2} {} {year:04}", &day_name[..3], MONTHS[*month], self.time())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_9110() {
        let date = Date::at(784_111_777);
        assert_eq!(date.imf_fixdate(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date.rfc850(), "Sunday, 06-Nov-94 08:49:37 GMT");
        assert_eq!(date.asctime(), "Sun Nov  6 08:49:37 1994");
        assert_eq!(Date::at(0).imf_fixdate(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(Date::at(951_782_400).imf_fixdate(), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(Date::at(END - 1).imf_fixdate(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
