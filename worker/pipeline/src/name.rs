//! Names: what may be one, and which known one a wrong one may have meant.

/// Longest DNS label.
pub const LABEL_MAX: usize = 63;
/// Longest name of a Pipeline: room for what a schedule appends to make Run names.
pub const PIPELINE_MAX: usize = 36;
/// Longest name of a Run: room for what its Jobs and pods append.
pub const RUN_MAX: usize = 45;

/// Whether `text` is a name of a signal, column, event, clock, capture or derived column: a letter or `_`, then letters,
/// digits and `_`, all ASCII, so that it stands in SQL and as a column of every engine without quotes.
pub fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether `text` is a DNS label (RFC 1123) of at most `bytes_max` bytes: lower case letters, digits and inner `-`.
pub fn is_label(text: &str, bytes_max: usize) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= bytes_max
        && inner(bytes[0])
        && inner(bytes[bytes.len() - 1])
        && bytes.iter().all(|b| inner(*b) || *b == b'-')
}

/// What other programs call our words.
const ALSO_CALLED: [(&str, &str); 25] = [
    ("average", "mean"),
    ("avg", "mean"),
    ("boolean", "bool"),
    ("double", "float64"),
    ("float", "float64"),
    ("float32", "float64"),
    ("integer", "int64"),
    ("int", "int64"),
    ("int32", "int64"),
    ("iso", "Iso8601"),
    ("jsonl", "NdJson"),
    ("kurt", "kurtosis"),
    ("long", "int64"),
    ("median", "p50"),
    ("micros", "us"),
    ("millis", "ms"),
    ("nanos", "ns"),
    ("sec", "s"),
    ("seconds", "s"),
    ("sd", "std"),
    ("stddev", "std"),
    ("stdev", "std"),
    ("str", "string"),
    ("text", "string"),
    ("milliseconds", "ms"),
];

/// The known name that `wrong` most probably means: equal but for case and separators, or few letters away. Of equally far
/// ones that of which `wrong` is the beginning, else the first; `None` when nothing is near.
pub fn nearest<'k>(wrong: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> Option<&'k str> {
    let ours = ALSO_CALLED.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(wrong)).map(|(_, ours)| *ours);
    if let Some(name) = known.clone().into_iter().find(|name| Some(*name) == ours) {
        return Some(name);
    }
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let bare = plain(wrong);
    let distance = |name: &str| {
        let name = plain(name);
        (strsim::damerau_levenshtein(&bare, &name), !name.starts_with(&bare))
    };
    let ((far, _), name) =
        known.into_iter().map(|name| (distance(name), name)).reduce(|a, b| if b.0 < a.0 { b } else { a })?;
    (far <= bare.chars().count().max(3) / 3).then_some(name)
}

/// A remedy for a name that is not known: the nearest, else what there is.
pub fn suggest<'k>(wrong: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    if let Some(name) = nearest(wrong, known.clone()) {
        return format!("did you mean {name}?");
    }
    let mut names: Vec<&str> = Vec::new();
    for name in known {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.as_slice() {
        [] => "there is none".into(),
        [only] => format!("write {only}"),
        _ => format!("write one of {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_need_no_quotes_anywhere() {
        assert!(is_identifier("j0") && is_identifier("_x") && is_identifier("protective_stop"));
        assert!(!is_identifier("") && !is_identifier("0j") && !is_identifier("a-b") && !is_identifier("é"));
    }

    #[test]
    fn labels_are_lower_case_and_short() {
        assert!(is_label("ur3-stops", 36) && is_label("a", 1));
        for wrong in ["", "-a", "a-", "A", "a_b", "a.b", "toolong"] {
            assert!(!is_label(wrong, 6), "{wrong}");
        }
    }

    #[test]
    fn the_nearest_name_ignores_case_and_separators() {
        assert_eq!(nearest("protectiveStop", ["grip_lost", "protective_stop"]), Some("protective_stop"));
        assert_eq!(nearest("tolerence", ["tolerance", "signal"]), Some("tolerance"));
        assert_eq!(nearest("singal", ["rows", "signal"]), Some("signal"));
        assert_eq!(nearest("median", ["mean", "p50"]), Some("p50"));
        assert_eq!(nearest("m", ["s", "ms", "us", "ns"]), Some("ms"));
        assert_eq!(nearest("x", ["s", "ms"]), Some("s"));
        assert_eq!(nearest("wheel", ["current", "status"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
