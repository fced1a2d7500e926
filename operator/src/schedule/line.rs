//! One cron line: which days it is on, and at which minutes.

use jiff::civil::Date;

/// The five fields: least and greatest value, names of values (the first names the least).
const FIELDS: [(u32, u32, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    (0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// Values of a field, a bit each, and whether it begins with `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    bits: u64,
    /// It begins with `*` or `?`.
    is_star: bool,
    /// It is `*` or `?`, or a list with one: it asks nothing.
    is_any: bool,
}

impl Field {
    fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| value < 64 && self.bits & (1 << value) != 0)
    }

    fn values(self) -> impl Iterator<Item = i8> {
        (0..60).filter(move |value| self.has(*value))
    }
}

/// One cron line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Line {
    /// Reads five fields, or one of the short forms such as `@daily`.
    ///
    /// Errors: a sentence; none for a line that `check` let pass.
    pub fn parse(line: &str) -> Result<Self, String> {
        let long = match line {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let wrong = || format!("{line:?} is no cron line; write minute, hour, day of month, month and day of week");
        let texts: Vec<&str> = long.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = texts[..] else { return Err(wrong()) };
        let field = |text: &str, index: usize| field(text, FIELDS[index]).ok_or_else(wrong);
        Ok(Self {
            minute: field(minute, 0)?,
            hour: field(hour, 1)?,
            day: field(day, 2)?,
            month: field(month, 3)?,
            weekday: field(weekday, 4)?,
        })
    }

    /// Whether it is due on that day at all. Where both days of month and of week are given, either will do.
    pub fn is_on(&self, date: Date) -> bool {
        let day = self.day.has(date.day());
        let weekday = self.weekday.has(date.weekday().to_sunday_zero_offset());
        let both = if self.day.is_any || self.weekday.is_any { day && weekday } else { day || weekday };
        self.month.has(date.month()) && both
    }

    /// Whether its hour is `*` or `*/n`: then it is due after so much time, whatever the clock on the wall does.
    pub fn follows_elapsed_time(&self) -> bool {
        self.hour.is_star
    }

    /// Whether it is due at that time of a day that it is on.
    pub fn is_at(&self, hour: i8, minute: i8) -> bool {
        self.hour.has(hour) && self.minute.has(minute)
    }

    /// Hours and minutes of a day that it is on.
    pub fn times(&self) -> impl Iterator<Item = (i8, i8)> + '_ {
        self.hour.values().flat_map(|hour| self.minute.values().map(move |minute| (hour, minute)))
    }
}

fn field(text: &str, (least, most, names): (u32, u32, &[&str])) -> Option<Field> {
    let mut field = Field { bits: 0, is_star: text.starts_with(['*', '?']), is_any: false };
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let value = |text: &str| {
            let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
            let number = match named {
                Some(index) => u32::try_from(index).ok()? + least,
                None => text.parse().ok()?,
            };
            (least..=most).contains(&number).then_some(number)
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (least, most),
            Some((from, to)) => (value(from)?, value(to)?),
            // `5/15` goes on to the end.
            None => (value(range)?, if step.is_some() { most } else { value(range)? }),
        };
        field.is_any |= (range == "*" || range == "?") && step.unwrap_or(1) == 1;
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        (from..=to).step_by(step).for_each(|value| field.bits |= 1 << value);
    }
    (field.bits != 0).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(line: &str) -> Vec<(i8, i8)> {
        Line::parse(line).unwrap().times().collect()
    }

    #[test]
    fn lists_ranges_steps_and_names_are_values() {
        assert_eq!(minutes("15 2 * * *"), [(2, 15)]);
        assert_eq!(minutes("*/20 1,3 * * *"), [(1, 0), (1, 20), (1, 40), (3, 0), (3, 20), (3, 40)]);
        assert_eq!(minutes("50/5 0-1 * * *"), [(0, 50), (0, 55), (1, 50), (1, 55)]);
        assert_eq!(minutes("@hourly").len(), 24);
    }

    #[test]
    fn days_of_month_and_week_are_either_where_both_are_given() {
        let on = |line: &str, day: i8| Line::parse(line).unwrap().is_on(Date::constant(2026, 11, day));
        // The 1st and 8th of November 2026 are Sundays.
        assert!(on("0 0 13 * sun", 8) && on("0 0 13 * sun", 13) && !on("0 0 13 * sun", 9));
        assert!(on("0 0 * * sun", 8) && !on("0 0 * * sun", 13));
        assert!(on("0 0 13 NOV *", 13) && !on("0 0 13 dec *", 13));
        assert!(on("0 0 1-7 * sun", 3), "either will do");
    }

    #[test]
    fn what_check_refuses_is_no_line() {
        for line in ["", "* * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "a * * * *"] {
            assert!(Line::parse(line).is_err(), "{line}");
        }
    }
}
