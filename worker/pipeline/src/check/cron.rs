//! The shape of a cron line, as Kubernetes CronJobs read it. When it is due is the operator's.

/// The five fields: name, least and greatest value, names of values (the first names the least).
const FIELDS: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of month", 1, 31, &[]),
    ("month", 1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    ("day of week", 0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];
const SHORT: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Whether the line has five fields with values in range, or is one of the short forms.
///
/// Errors: a sentence with what is wrong and what to write.
pub(super) fn check(line: &str) -> Result<(), String> {
    if SHORT.contains(&line) {
        return Ok(());
    }
    let fields: Vec<&str> = line.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "{line:?} has {} fields; write minute, hour, day of month, month and day of week, such as \"15 2 * * *\"",
            fields.len()
        ));
    }
    for (text, (name, least, most, names)) in fields.iter().zip(FIELDS) {
        if !text.split(',').all(|part| is_part(part, least, most, names)) {
            return Err(format!("{line:?} has the {name} {text:?}; write * or values from {least} to {most}"));
        }
    }
    Ok(())
}

/// `*`, `5`, `1-5`, each with `/step`.
fn is_part(part: &str, least: u32, most: u32, names: &[&str]) -> bool {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, step.parse::<u32>().ok()),
        None => (part, Some(1)),
    };
    let value = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(index) => u32::try_from(index).ok().map(|index| index + least),
            None => text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit())),
        };
        number.filter(|number| (least..=most).contains(number))
    };
    let fits = match range.split_once('-') {
        _ if range == "*" || range == "?" => true,
        Some((from, to)) => value(from).zip(value(to)).is_some_and(|(from, to)| from <= to),
        None => value(range).is_some(),
    };
    fits && step.is_some_and(|step| step > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_five_fields_pass() {
        for line in ["15 2 * * *", "*/5 0-6 1,15 JAN-mar mon-FRI", "0 0 ? * 0", "5/15 * * * *", "@daily"] {
            assert_eq!(check(line), Ok(()), "{line}");
        }
    }

    #[test]
    fn other_lines_are_told_what_to_write() {
        assert!(check("15 2 * *").unwrap_err().contains("has 4 fields"));
        for line in [
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "+1 * * * *",
        ] {
            assert!(check(line).unwrap_err().contains("values from"), "{line}");
        }
    }
}
