//! Key patterns such as `{date}/{robot}.zip`: which keys belong to an archive and what they say.
//!
//! | written | matches |
//! |---|---|
//! | `{robot}`, `{any_name}` | one or more characters of one path segment, captured |
//! | `{date}` | `2022-10-26` or `20221026`, a day of the calendar |
//! | `{millis}`, `{seconds}` | 1 to 19 digits, with a decimal fraction where one stands: `1533226515.002` |
//! | `*` | any characters of one path segment, none too |
//! | `**` | any characters, `/` too; as a whole segment (`**/`) any number of folders, none too |
//!
//! The whole key must match. Where a key could be read in several ways, earlier names are as short as possible and digits
//! as many as possible: `{robot}_{rest}` reads `ur3_1_log` as `ur3` and `1_log`. Not a regular expression: matching needs no memory and its
//! time is bounded by (key length)², see [`Pattern::matches`].

use crate::member::Stamp;
use crate::time::Day;
use crate::time::decimal::{Count, decimal_ns};
use std::fmt;

/// Most captures of one pattern; it bounds the memory of a match.
pub const CAPTURES_MAX: usize = 8;

/// Most digits of `{millis}` and `{seconds}` before and after the point: `i64::MAX` has 19.
const DIGITS_MAX: usize = 19;

/// A key pattern: literals, `{captures}`, `*` (within one path segment) and `**` (over segments).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// As written.
    pub text: String,
    tokens: Vec<Token>,
    names: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(String),
    /// `*`
    Star,
    /// `**` beside other text of its segment, or at the end.
    Deep,
    /// `**/` at the beginning of a segment.
    Folders,
    /// Index into the names.
    Name(usize),
    Date(usize),
    Digits(usize, Count),
}

/// What a key says under a pattern.
#[derive(Debug, Clone, Copy)]
pub struct Captures<'p, 'k> {
    pattern: &'p Pattern,
    values: [&'k str; CAPTURES_MAX],
}

/// Why a part of a match failed, so that nobody tries in vain what cannot help.
///
/// A later `*` (or `{name}`) can take whatever an earlier one would have taken more of, so when a later one has tried
/// everything, the earlier ones need not go on; only an earlier `**` can. The same holds between two `**`. Digits are
/// taken the other way round, as many as possible first, so they always go on: see [`choose`].
///
/// In the order of how much is ruled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The nearest choice before may go on.
    Fail,
    /// A within-segment choice is exhausted: only digits or a `**` before may go on.
    SegmentExhausted,
    /// A `**` is exhausted: only digits before may go on.
    Exhausted,
    Match,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// Errors: a sentence with what is wrong and what to write, for text that is empty, braces that do not pair, names
    /// that are not identifiers or come twice, and neighbours between which nothing tells where one ends.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("is empty; write a key pattern such as {date}/{robot}.json, or ** for every key".into());
        }
        let mut pattern = Self { text: text.to_owned(), tokens: Vec::new(), names: Vec::new() };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            rest = match first {
                '*' => pattern.push_stars(rest)?,
                '{' => pattern.push_capture(rest)?,
                '}' => return Err("has a } without {; write captures as {name}".into()),
                _ => pattern.push_literal(rest),
            };
        }
        pattern.check_neighbours()?;
        pattern.check_stamps()?;
        Ok(pattern)
    }

    /// The pattern `**`: every key, and nothing said.
    pub(crate) fn everything() -> Self {
        Self { text: "**".to_owned(), tokens: vec![Token::Deep], names: Vec::new() }
    }

    fn push_literal<'t>(&mut self, rest: &'t str) -> &'t str {
        let end = rest.find(['*', '{', '}']).unwrap_or(rest.len());
        self.tokens.push(Token::Literal(rest[..end].to_owned()));
        &rest[end..]
    }

    fn push_stars<'t>(&mut self, rest: &'t str) -> Result<&'t str, String> {
        let stars = rest.len() - rest.trim_start_matches('*').len();
        let after = &rest[stars..];
        let at_segment_start = match self.tokens.last() {
            None | Some(Token::Folders) => true,
            Some(Token::Literal(text)) => text.ends_with('/'),
            Some(_) => false,
        };
        match stars {
            1 => self.tokens.push(Token::Star),
            2 if at_segment_start && after.starts_with('/') => {
                self.tokens.push(Token::Folders);
                return Ok(&after[1..]);
            }
            2 => self.tokens.push(Token::Deep),
            _ => return Err("has more than two * in a row; * stays within a folder, ** crosses folders".into()),
        }
        Ok(after)
    }

    fn push_capture<'t>(&mut self, rest: &'t str) -> Result<&'t str, String> {
        let end = rest.find('}').ok_or("has a { without }; write captures as {name}")?;
        let name = &rest[1..end];
        if !crate::name::is_identifier(name) {
            return Err(format!(
                "has the capture {{{name}}}; write a name of letters, digits and _, such as {{robot}}"
            ));
        }
        if self.names.iter().any(|known| known == name) {
            return Err(format!("captures {{{name}}} twice; give one of them another name or write *"));
        }
        if self.names.len() == CAPTURES_MAX {
            return Err(format!("has more than {CAPTURES_MAX} captures; write * for those that are not needed"));
        }
        let index = self.names.len();
        self.names.push(name.to_owned());
        self.tokens.push(match name {
            "date" => Token::Date(index),
            "millis" => Token::Digits(index, Count::Millis),
            "seconds" => Token::Digits(index, Count::Seconds),
            _ => Token::Name(index),
        });
        Ok(&rest[end + 1..])
    }

    fn check_neighbours(&self) -> Result<(), String> {
        let open = |token: &Token| !matches!(token, Token::Literal(_) | Token::Folders);
        match self.tokens.windows(2).find(|pair| open(&pair[0]) && open(&pair[1])) {
            None => Ok(()),
            Some(pair) => Err(format!(
                "has nothing between {} and {}, so nobody can tell where the first ends; write what stands between them",
                self.written(&pair[0]),
                self.written(&pair[1])
            )),
        }
    }

    fn check_stamps(&self) -> Result<(), String> {
        if self.captures("millis") && self.captures("seconds") {
            return Err("captures both {millis} and {seconds}; a name has one stamp: rename the other one".into());
        }
        Ok(())
    }

    fn written(&self, token: &Token) -> String {
        match token {
            Token::Literal(text) => text.clone(),
            Token::Star => "*".into(),
            Token::Deep => "**".into(),
            Token::Folders => "**/".into(),
            Token::Name(i) | Token::Date(i) | Token::Digits(i, _) => format!("{{{}}}", self.names[*i]),
        }
    }

    /// Names of the captures, in the order written.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the pattern has a capture of that name.
    pub fn captures(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Whether a match carries a stamp (`{millis}`, `{seconds}` or `{date}`).
    pub fn has_stamp(&self) -> bool {
        ["millis", "seconds", "date"].iter().any(|name| self.captures(name))
    }

    /// What every matching key starts with: enough to list no more than needed. Empty when it starts with a wildcard.
    pub fn literal_prefix(&self) -> &str {
        match self.tokens.first() {
            Some(Token::Literal(text)) => text,
            _ => "",
        }
    }

    /// What `key` says, or `None` when it does not belong to the pattern.
    ///
    /// Allocates nothing. Time: the key's length for patterns without `**`, its square with.
    pub fn matches<'p, 'k>(&'p self, key: &'k str) -> Option<Captures<'p, 'k>> {
        let mut captures = Captures { pattern: self, values: [""; CAPTURES_MAX] };
        (run(&self.tokens, key, 0, &mut captures.values) == Outcome::Match).then_some(captures)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Matches `tokens` against `key[at..]` to the end. `at` is always a character border.
fn run<'k>(tokens: &[Token], key: &'k str, at: usize, values: &mut [&'k str; CAPTURES_MAX]) -> Outcome {
    let Some((token, rest)) = tokens.split_first() else {
        return if at == key.len() { Outcome::Match } else { Outcome::Fail };
    };
    let here = &key[at..];
    match token {
        Token::Literal(text) => match here.strip_prefix(text.as_str()) {
            Some(_) => run(rest, key, at + text.len(), values),
            None => Outcome::Fail,
        },
        Token::Star => segment(rest, key, at, values, None),
        Token::Name(index) => segment(rest, key, at, values, Some(*index)),
        Token::Deep => deep(rest, key, at, ends(here, |_| true), values),
        Token::Folders => deep(rest, key, at, ends(here, |c| c == '/'), values),
        Token::Date(index) => {
            let lengths = [10, 8].into_iter().filter(|n| here.get(..*n).is_some_and(|text| day(text).is_some()));
            choose(rest, key, at, lengths, *index, values)
        }
        Token::Digits(index, _) => {
            let whole = digits(here);
            let fraction = here.get(whole..).and_then(|rest| rest.strip_prefix('.')).map_or(0, digits);
            if whole > 0 && fraction > 0 {
                values[*index] = &here[..whole + 1 + fraction];
                // Whatever comes of it, the point and what follows may as well belong to what follows the stamp.
                if run(rest, key, at + whole + 1 + fraction, values) == Outcome::Match {
                    return Outcome::Match;
                }
            }
            choose(rest, key, at, (1..=whole).rev(), *index, values)
        }
    }
}

/// How many digits `text` starts with, at most [`DIGITS_MAX`].
fn digits(text: &str) -> usize {
    let bytes = text.as_bytes();
    let bytes = &bytes[..bytes.len().min(DIGITS_MAX)];
    bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len())
}

/// Lengths at which a `**` may end: none, and after each character that `stop` accepts.
fn ends(here: &str, stop: impl Fn(char) -> bool) -> impl Iterator<Item = usize> {
    let after = here.char_indices().filter(move |(_, c)| stop(*c)).map(|(at, c)| at + c.len_utf8());
    std::iter::once(0).chain(after)
}

/// `*` and, with the index of its name, `{name}`, which is not empty: each length within the segment, shortest first.
fn segment<'k>(
    rest: &[Token],
    key: &'k str,
    at: usize,
    values: &mut [&'k str; CAPTURES_MAX],
    index: Option<usize>,
) -> Outcome {
    let here = &key[at..];
    // Segments are short: a search that looks at many bytes at once would take longer to begin.
    let within = &here[..here.bytes().position(|byte| byte == b'/').unwrap_or(here.len())];
    let mut length = match (index, within.chars().next()) {
        (None, _) => 0,
        (Some(_), Some(first)) => first.len_utf8(),
        (Some(_), None) => return Outcome::SegmentExhausted,
    };
    while let Some(next) = next_end(rest, here, within, length) {
        if let Some(index) = index {
            values[index] = &here[..next];
        }
        match run(rest, key, at + next, values) {
            Outcome::Fail => {}
            outcome => return outcome,
        }
        length = next + here[next..].chars().next().map_or(1, char::len_utf8);
    }
    Outcome::SegmentExhausted
}

/// The first length from `from` on at which a capture within the segment may end: where the literal that follows
/// begins (its first byte; that is a character border), else anywhere.
fn next_end(rest: &[Token], here: &str, within: &str, from: usize) -> Option<usize> {
    match rest.first() {
        Some(Token::Literal(text)) => {
            let candidates = here.as_bytes().get(from..here.len().min(within.len() + 1))?;
            candidates.iter().position(|byte| *byte == text.as_bytes()[0]).map(|found| from + found)
        }
        None => (from <= within.len()).then_some(within.len()),
        Some(_) => (from <= within.len()).then_some(from),
    }
}

/// `**`: each length, shortest first.
fn deep<'k>(
    rest: &[Token],
    key: &'k str,
    at: usize,
    lengths: impl Iterator<Item = usize>,
    values: &mut [&'k str; CAPTURES_MAX],
) -> Outcome {
    for length in lengths {
        match run(rest, key, at + length, values) {
            Outcome::Fail | Outcome::SegmentExhausted => {}
            outcome => return outcome,
        }
    }
    Outcome::Exhausted
}

/// A capture with few possible lengths, longest first.
///
/// A shorter length leaves more to what follows, so each is tried whatever came of those before. What the whole of them
/// rules out is the most that one of them does: a choice before this that takes more either ends among the same
/// digits, where everything has been tried, or behind them, where what is exhausted before stays so.
fn choose<'k>(
    rest: &[Token],
    key: &'k str,
    at: usize,
    lengths: impl Iterator<Item = usize>,
    index: usize,
    values: &mut [&'k str; CAPTURES_MAX],
) -> Outcome {
    let mut ruled_out = Outcome::Fail;
    for length in lengths {
        values[index] = &key[at..at + length];
        match run(rest, key, at + length, values) {
            Outcome::Match => return Outcome::Match,
            outcome => ruled_out = ruled_out.max(outcome),
        }
    }
    ruled_out
}

/// `2022-10-26` or `20221026`.
fn day(text: &str) -> Option<Day> {
    match text.len() {
        10 => Day::parse(text).ok(),
        8 => match text.as_bytes() {
            [y0, y1, y2, y3, m0, m1, d0, d1] => {
                let dashed = [*y0, *y1, *y2, *y3, b'-', *m0, *m1, b'-', *d0, *d1];
                std::str::from_utf8(&dashed).ok().and_then(|text| Day::parse(text).ok())
            }
            _ => None,
        },
        _ => None,
    }
}

impl<'k> Captures<'_, 'k> {
    /// The text captured under that name.
    pub fn get(&self, name: &str) -> Option<&'k str> {
        self.pattern.names.iter().position(|known| known == name).map(|index| self.values[index])
    }

    /// Every capture, in the order written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'k str)> {
        self.pattern.names.iter().map(String::as_str).zip(self.values)
    }

    /// The time in the key: `{millis}` or `{seconds}`, else `{date}`. Beyond `i64` ns it stops at the last instant.
    pub fn stamp(&self) -> Stamp {
        let tokens = &self.pattern.tokens;
        let instant = tokens.iter().find_map(|token| match token {
            Token::Digits(index, unit) => Some(Stamp::At(stamp_ns(self.values[*index], *unit))),
            _ => None,
        });
        let date = || {
            tokens.iter().find_map(|token| match token {
                Token::Date(index) => day(self.values[*index]).map(Stamp::Day),
                _ => None,
            })
        };
        instant.or_else(date).unwrap_or(Stamp::Absent)
    }
}

/// The instant that digits with or without a fraction say, exactly; leading zeros mean nothing. Beyond `i64` ns it is the last.
fn stamp_ns(text: &str, unit: Count) -> i64 {
    // A decimal has one zero before its point where nothing else stands there, and none elsewhere.
    let zeros = text.bytes().take_while(|byte| *byte == b'0').count();
    let bare = &text[zeros..];
    let needs_one = zeros > 0 && !bare.starts_with(|first: char| first.is_ascii_digit());
    decimal_ns(&text.as_bytes()[zeros - usize::from(needs_one)..], unit).unwrap_or(i64::MAX)
}

/// What a member and its object say together.
#[derive(Debug, Clone, Copy)]
pub struct Said<'p, 'k> {
    /// From the object's key.
    pub object: Captures<'p, 'k>,
    /// From the member's name; `None` for plain objects.
    pub member: Option<Captures<'p, 'k>>,
}

impl<'k> Said<'_, 'k> {
    /// The text captured under that name: the member's first, else the object's.
    pub fn get(&self, name: &str) -> Option<&'k str> {
        self.member.and_then(|captures| captures.get(name)).or_else(|| self.object.get(name))
    }

    /// The member's stamp; failing that, its object's.
    pub fn stamp(&self) -> Stamp {
        match self.member.map_or(Stamp::Absent, |captures| captures.stamp()) {
            Stamp::Absent => self.object.stamp(),
            stamp => stamp,
        }
    }
}

/// Whether `text` is matched by a shell-like pattern in which `*` stands for any characters, none too.
pub fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let mut parts = tail.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said<'k>(pattern: &str, key: &'k str) -> Option<Vec<(String, &'k str)>> {
        let pattern = Pattern::parse(pattern).unwrap();
        pattern.matches(key).map(|c| c.iter().map(|(n, v)| (n.to_owned(), v)).collect())
    }

    fn one<'k>(pattern: &str, key: &'k str) -> Option<&'k str> {
        said(pattern, key).map(|captures| captures[0].1)
    }

    #[test]
    fn captures_stay_within_a_segment_and_are_never_empty() {
        assert_eq!(
            said("{robot}/{millis}.json.gz", "ur3-1/1666742400000.json.gz"),
            Some(vec![("robot".into(), "ur3-1"), ("millis".into(), "1666742400000")])
        );
        assert_eq!(said("{robot}/{millis}.json.gz", "a/b/1.json.gz"), None);
        assert_eq!(said("{robot}/x", "/x"), None);
        assert_eq!(said("{robot}.json", "é.json"), Some(vec![("robot".into(), "é")]));
    }

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        assert_eq!(one("{date}.zip", "2022-10-26.zip"), Some("2022-10-26"));
        assert_eq!(one("{date}.zip", "20221026.zip"), Some("20221026"));
        assert_eq!(one("{date}.zip", "2022-02-30.zip"), None);
        assert_eq!(one("{date}.zip", "2022-1-2.zip"), None);
        assert_eq!(one("{date}.zip", "+022-10-1.zip"), None);
    }

    #[test]
    fn a_robot_name_may_hold_what_separates_it_from_the_date() {
        assert_eq!(one("{robot}-{date}.zip", "ur3-1-2022-10-26.zip"), Some("ur3-1"));
        assert_eq!(one("{robot}_{rest}", "ur3_1_log"), Some("ur3"));
        assert_eq!(one("{robot}-{millis}.json", "a-1-2-3.json"), Some("a-1-2"));
    }

    #[test]
    fn digits_leave_what_the_rest_needs() {
        assert_eq!(one("{millis}1{x}", "202210261"), Some("2022"));
        assert_eq!(one("{millis}1**1a", "1111a"), Some("11"));
        assert_eq!(one("**/{millis}1*2/**", "a/11312/b"), Some("113"));
        assert_eq!(one("*-{millis}1{x}", "1-21"), None);
    }

    #[test]
    fn stars_stay_within_a_folder_and_double_stars_cross_folders() {
        assert_eq!(one("*/{robot}.json", "a/b.json"), Some("b"));
        assert_eq!(one("*/{robot}.json", "a/c/b.json"), None);
        assert_eq!(one("**/{robot}.json", "a/c/b.json"), Some("b"));
        assert_eq!(one("**/{robot}.json", "b.json"), Some("b"));
        assert_eq!(one("**/{robot}/{millis}.gz", "a/b/c/5.gz"), Some("c"));
        assert!(Pattern::parse("**").unwrap().matches("").is_some());
        assert!(Pattern::parse("a**z").unwrap().matches("a/b/z").is_some());
    }

    #[test]
    fn the_stamp_is_the_instant_else_the_day() {
        let stamp = |pattern: &str, key| Pattern::parse(pattern).unwrap().matches(key).unwrap().stamp();
        assert_eq!(stamp("{date}/{millis}", "2022-10-26/1666742400000"), Stamp::At(1_666_742_400_000_000_000));
        assert_eq!(stamp("{seconds}", "12"), Stamp::At(12_000_000_000));
        assert_eq!(stamp("{seconds}.json", "1533226515.00273.json"), Stamp::At(1_533_226_515_002_730_000));
        assert_eq!(stamp("{millis}", "0007.5"), Stamp::At(7_500_000));
        assert_eq!(stamp("{millis}", "000"), Stamp::At(0));
        assert_eq!(stamp("{date}", "1970-01-02"), Stamp::Day(Day(1)));
        assert_eq!(stamp("{robot}", "12"), Stamp::Absent);
        assert_eq!(stamp("{millis}", "9999999999999999999"), Stamp::At(i64::MAX));
    }

    #[test]
    fn a_fraction_belongs_to_the_stamp_unless_the_pattern_needs_it() {
        assert_eq!(one("{seconds}.json", "12.5.json"), Some("12.5"));
        assert_eq!(one("{seconds}.{part}.json", "12.5.json"), Some("12"));
        assert_eq!(one("{seconds}.*.json", "12.5.6.json"), Some("12.5"));
        assert_eq!(one("{seconds}.5", "12.5"), Some("12"));
        assert_eq!(one("{seconds}.json", "12..json"), None);
    }

    #[test]
    fn a_member_speaks_before_its_object() {
        let (objects, members) = (Pattern::parse("{date}/{robot}.zip").unwrap(), Pattern::parse("{robot}/*").unwrap());
        let said = Said { object: objects.matches("1970-01-03/a.zip").unwrap(), member: members.matches("b/x") };
        assert_eq!((said.get("robot"), said.stamp()), (Some("b"), Stamp::Day(Day(2))));
    }

    #[test]
    fn unreadable_patterns_are_refused_with_a_remedy() {
        for (text, word) in [
            ("", "is empty"),
            ("{a", "without }"),
            ("a}", "without {"),
            ("{}", "capture {}"),
            ("{a b}", "capture {a b}"),
            ("{a}/{a}", "twice"),
            ("{a}{b}", "nothing between {a} and {b}"),
            ("{a}*", "nothing between {a} and *"),
            ("a***", "more than two *"),
            ("{millis}/{seconds}", "both"),
            ("{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "more than 8"),
        ] {
            let error = Pattern::parse(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn the_literal_prefix_ends_at_the_first_choice() {
        assert_eq!(Pattern::parse("fleet/a{robot}/x").unwrap().literal_prefix(), "fleet/a");
        assert_eq!(Pattern::parse("*").unwrap().literal_prefix(), "");
    }

    #[test]
    fn a_hostile_pattern_and_key_end_soon() {
        let pattern = Pattern::parse("**a*a*a*a/**a*a*a*a/**a*a*a*b").unwrap();
        assert!(pattern.matches(&"a/".repeat(600)).is_none());
        assert!(pattern.matches(&"a".repeat(4000)).is_none());
    }

    #[test]
    fn a_glob_spans_any_characters() {
        assert!(glob("ur3-*", "ur3-17") && glob("*", "") && glob("a*b*c", "a--b-b--c") && glob("x", "x"));
        assert!(!glob("ur3-*", "ur5-1") && !glob("a*bc", "abcd") && !glob("a*a", "a") && !glob("x", "xy"));
    }

    /// Every way to match, by definition: a set of end positions per token.
    fn brute(tokens: &[Token], key: &str) -> bool {
        let Some((token, rest)) = tokens.split_first() else { return key.is_empty() };
        (0..=key.len()).filter(|n| key.is_char_boundary(*n)).any(|n| {
            let part = &key[..n];
            let fits = match token {
                Token::Literal(text) => part == text,
                Token::Star => !part.contains('/'),
                Token::Name(_) => !part.contains('/') && !part.is_empty(),
                Token::Deep => true,
                Token::Folders => part.is_empty() || part.ends_with('/'),
                Token::Date(_) => day(part).is_some(),
                Token::Digits(..) => (1..=19).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()),
            };
            fits && brute(rest, &key[n..])
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8000))]
        #[test]
        fn matching_equals_trying_everything(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "/", "1", "2", "-", "*", "**", "{x}", "{y}", "{millis}", "{date}", "1a", "/a", "21",
                ]),
                1..8,
            ),
            key in "[a1/-]{0,10}|[a12/]{0,12}|[a1/]{0,3}(2022-10-26|20221026)[a1/-]{0,3}",
        ) {
            if let Ok(pattern) = Pattern::parse(&parts.concat()) {
                let found = pattern.matches(&key);
                prop_assert_eq!(found.is_some(), brute(&pattern.tokens, &key), "{} on {}", pattern, key);
            }
        }
    }
}
