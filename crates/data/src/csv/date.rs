//! Days and moments as tables write them: `2024-05-14`, `14.5.2024`, `5/14/2024`, each with or without a time. Calendar arithmetic is the
//! proleptic Gregorian one (H. Hinnant, "chrono-compatible low-level date algorithms").

use super::choices::DateOrder;

/// A moment: days since 1970, and the hour with its fraction where a time is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub day: i32,
    pub hour: Option<f64>,
}

/// What a date is to a network, besides the days since the first one: names in the order of [`Moment::parts`].
pub(super) const PARTS: [&str; 4] = ["year", "month", "day", "weekday"];

impl Moment {
    /// Days since 1970 with the fraction of the day.
    pub fn days(self) -> f64 {
        f64::from(self.day) + self.hour.unwrap_or(0.0) / 24.0
    }

    /// The moment so many days after the beginning of 1970; its hour only where asked for.
    pub fn from_days(days: f64, timed: bool) -> Self {
        let day = days.floor();
        Self { day: day as i32, hour: timed.then_some((days - day) * 24.0) }
    }

    /// Year, month (1 to 12), day of the month and weekday (1 is Monday).
    pub fn parts(self) -> [f64; 4] {
        let (year, month, day) = civil(self.day);
        let weekday = (self.day + 3).rem_euclid(7) + 1;
        [year, month, day, weekday].map(f64::from)
    }

    /// As `2024-05-14`, with the time where there is one.
    pub fn text(self) -> String {
        let (year, month, day) = civil(self.day);
        let date = format!("{year:04}-{month:02}-{day:02}");
        match self.hour {
            Some(hour) => {
                let minutes = (hour * 60.0).round() as i32;
                format!("{date} {:02}:{:02}", minutes / 60, minutes % 60)
            }
            None => date,
        }
    }
}

/// Reads a date whose parts stand in this order; [`DateOrder::Auto`] reads none.
pub(super) fn moment(value: &str, order: DateOrder) -> Option<Moment> {
    // No date is shorter than 1/1/24 nor longer than 2024-05-14T10:00:00.000000+00:00.
    if !(6..=35).contains(&value.len()) || !value.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let end = value.find([' ', 'T']).unwrap_or(value.len());
    let (date, time) = value.split_at(end);
    let hour = if time.is_empty() { None } else { Some(hour(time[1..].trim())?) };
    let separator = date.chars().find(|c| !c.is_ascii_digit()).filter(|c| matches!(c, '-' | '.' | '/'))?;
    let mut fields = date.split(separator);
    let fields = [fields.next()?, fields.next()?, fields.next()?, fields.next().unwrap_or_default()];
    if !fields[3].is_empty() {
        return None;
    }
    let [a, b, c] = [whole(fields[0])?, whole(fields[1])?, whole(fields[2])?];
    let (year, month, day, digits) = match order {
        DateOrder::YearFirst => (a, b, c, fields[0].len()),
        DateOrder::DayFirst => (c, b, a, fields[2].len()),
        DateOrder::MonthFirst => (c, a, b, fields[2].len()),
        DateOrder::Auto => return None,
    };
    let year = match digits {
        4 => year,
        // As spreadsheets do: 00 to 29 are of this century.
        2 if order != DateOrder::YearFirst => year + if year < 30 { 2000 } else { 1900 },
        _ => return None,
    };
    ((1..=12).contains(&month) && day >= 1 && day <= days_of(year, month))
        .then(|| Moment { day: serial(year, month, day), hour })
}

/// The orders in which a value can be read, as bits: year, day, month first.
pub(super) fn orders(value: &str) -> [bool; 3] {
    ORDERS.map(|order| moment(value, order).is_some())
}

/// The orders that are tried, the most likely first for a value that more than one can read: with slashes, what is ambiguous is read as
/// month/day/year, with points as day.month.year.
pub(super) const ORDERS: [DateOrder; 3] = [DateOrder::YearFirst, DateOrder::DayFirst, DateOrder::MonthFirst];

fn whole(digits: &str) -> Option<i32> {
    let fine = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if fine { digits.parse().ok() } else { None }
}

/// The hour of `9:30`, `09:30:15.25`, `9:30 PM`; a zone is read over.
fn hour(time: &str) -> Option<f64> {
    let end = time.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(time.len());
    let (clock, rest) = time.split_at(end);
    let mut fields = clock.split(':');
    let (hour, minute) = (whole(fields.next()?)?, whole(fields.next()?)?);
    let second = match fields.next() {
        Some(second) => downhill_tensor::parse_number(second)?,
        None => 0.0,
    };
    let rest = rest.trim();
    let hour = match (rest.to_ascii_lowercase().as_str(), hour) {
        ("pm", 1..=11) => hour + 12,
        ("am", 12) => 0,
        _ => hour,
    };
    let zone = rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | ':' | 'Z')) || matches!(rest.len(), 2..=5);
    let fine = fields.next().is_none() && zone && hour < 24 && minute < 60 && second < 61.0;
    fine.then(|| f64::from(hour) + f64::from(minute) / 60.0 + second / 3600.0)
}

fn days_of(year: i32, month: i32) -> i32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01.
fn serial(year: i32, month: i32, day: i32) -> i32 {
    let year = year - i32::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970.
fn civil(days: i32) -> (i32, i32, i32) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i32::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_their_order_with_and_without_a_time() {
        let day = serial(2024, 5, 14);
        assert_eq!(day, 19857);
        for (text, order, hour) in [
            ("2024-05-14", DateOrder::YearFirst, None),
            ("2024/5/14", DateOrder::YearFirst, None),
            ("2024-05-14T09:30:00Z", DateOrder::YearFirst, Some(9.5)),
            ("2024-05-14 09:30:00.000+02:00", DateOrder::YearFirst, Some(9.5)),
            ("14.5.2024", DateOrder::DayFirst, None),
            ("14.05.24 21:30", DateOrder::DayFirst, Some(21.5)),
            ("5/14/2024", DateOrder::MonthFirst, None),
            ("5/14/2024 9:30 PM", DateOrder::MonthFirst, Some(21.5)),
        ] {
            assert_eq!(moment(text, order), Some(Moment { day, hour }), "{text}");
        }
        for text in [
            "2024-13-01",
            "2023-02-29",
            "1.2.3",
            "31.4.2024",
            "2024-05",
            "20240514",
            "1.5",
            "10:30",
            "2024-05-14 25:00",
            "a-b-c",
        ] {
            assert_eq!(orders(text), [false; 3], "{text}");
        }
        assert_eq!(orders("3/4/2024"), [false, true, true]);
        assert_eq!(orders("14.5.2024"), [false, true, false]);
    }

    #[test]
    fn a_moment_knows_its_parts_and_comes_back() {
        let moment = moment("2024-02-29 18:00", DateOrder::YearFirst).unwrap();
        assert_eq!(moment.parts(), [2024.0, 2.0, 29.0, 4.0]);
        assert_eq!(Moment::from_days(moment.days(), true), moment);
        assert_eq!(moment.text(), "2024-02-29 18:00");
        for day in -1_000_000..1_000_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(serial(year, month, of_month), day);
        }
        assert_eq!(civil(0), (1970, 1, 1));
    }
}
