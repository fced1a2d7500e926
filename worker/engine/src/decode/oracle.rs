//! The decoder's rules again, slowly and simply: text to a tree, the tree to observations. The tests compare.

use pipeline::archive::{Archive, Column, ColumnKind, Signal, TextRule, TimeUnit};
use pipeline::pointer::{Place, Step};
use pipeline::spec::{Format, Infinite, OnConflict, OnMismatch};
use pipeline::time::decimal::{Count, DecimalError, decimal_ns};
use pipeline::time::is_plausible;

/// JSON as it stands, every pair of an object included.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// What a member is worth.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Expected {
    /// By signal: `robot time known cells…`.
    pub(super) rows: Vec<Vec<String>>,
    /// `kind`, or `kind signal record column`, sorted.
    pub(super) refused: Vec<String>,
}

/// A recursive-descent parser: the grammar of RFC 8259 and three words.
pub(super) struct Parser<'t> {
    rest: &'t str,
    depth_max: u32,
}

/// A unit's fate: the word of a kind.
type Verdict<T> = Result<T, &'static str>;

const NOT_JSON: &str = "not_json";

impl<'t> Parser<'t> {
    pub(super) fn new(rest: &'t str, depth_max: u32) -> Self {
        Self { rest, depth_max }
    }

    /// Whether all is read.
    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    pub(super) fn value(&mut self, depth: u32) -> Verdict<Tree> {
        if matches!(self.rest.chars().next(), Some('{' | '[')) && depth == self.depth_max {
            return Err("too_deep");
        }
        if self.take("[") {
            return self.list("]", |parser| parser.value(depth + 1)).map(Tree::Array);
        } else if self.take("{") {
            return self.list("}", |parser| parser.pair(depth + 1)).map(Tree::Object);
        } else if self.rest.starts_with('"') {
            return self.text().map(Tree::Text);
        }
        for (word, tree) in [("null", Tree::Null), ("true", Tree::Bool(true)), ("false", Tree::Bool(false))] {
            if self.take(word) {
                return Ok(tree);
            }
        }
        for word in ["NaN", "Infinity", "-Infinity"] {
            if self.take(word) {
                return Ok(Tree::Number(word.into()));
            }
        }
        self.number()
    }

    fn list<T>(&mut self, close: &str, item: impl Fn(&mut Self) -> Verdict<T>) -> Verdict<Vec<T>> {
        let mut items = Vec::new();
        self.blanks();
        if self.take(close) {
            return Ok(items);
        }
        loop {
            self.blanks();
            items.push(item(self)?);
            self.blanks();
            if self.take(close) {
                return Ok(items);
            } else if !self.take(",") {
                return Err(NOT_JSON);
            }
        }
    }

    fn pair(&mut self, depth: u32) -> Verdict<(String, Tree)> {
        let key = self.text()?;
        self.blanks();
        if !self.take(":") {
            return Err(NOT_JSON);
        }
        self.blanks();
        Ok((key, self.value(depth)?))
    }

    fn text(&mut self) -> Verdict<String> {
        // serde_json judges the string; its end is the first quote that no backslash escapes.
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let found = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            found
        });
        let (end, _) = end.filter(|_| self.rest.starts_with('"')).ok_or(NOT_JSON)?;
        let text = serde_json::from_str(&self.rest[..=end]).map_err(|_| NOT_JSON)?;
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    fn number(&mut self) -> Verdict<Tree> {
        let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let text = self.rest;
        let mut at = usize::from(text.starts_with('-'));
        let whole = digits(&text[at..]);
        if whole == 0 || whole > 1 && text[at..].starts_with('0') {
            return Err(NOT_JSON);
        }
        at += whole;
        if text[at..].starts_with('.') {
            let fraction = digits(&text[at + 1..]);
            at += 1 + fraction;
            if fraction == 0 {
                return Err(NOT_JSON);
            }
        }
        if text[at..].starts_with(['e', 'E']) {
            at += 1;
            at += usize::from(text[at..].starts_with(['+', '-']));
            let power = digits(&text[at..]);
            at += power;
            if power == 0 {
                return Err(NOT_JSON);
            }
        }
        self.rest = &text[at..];
        Ok(Tree::Number(text[..at].into()))
    }

    /// All documents of a unit.
    fn documents(&mut self) -> Verdict<Vec<Tree>> {
        let mut documents = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']);
            if self.rest.is_empty() {
                return if documents.is_empty() { Err(NOT_JSON) } else { Ok(documents) };
            }
            let open = self.rest.starts_with(['{', '[', '"']);
            documents.push(self.value(0)?);
            if !open && !self.rest.is_empty() && !self.rest.starts_with([' ', '\t', '\r', '\n', '{', '[', '"']) {
                return Err(NOT_JSON);
            }
        }
    }
}

impl Tree {
    /// The last of each key, at its place.
    pub(super) fn last_counts(self) -> Self {
        match self {
            Self::Array(items) => Self::Array(items.into_iter().map(Self::last_counts).collect()),
            Self::Object(pairs) => {
                let names: Vec<String> = pairs.iter().map(|(name, _)| name.clone()).collect();
                let last = |(at, (name, _)): &(usize, (String, Self))| !names[at + 1..].contains(name);
                let kept = pairs.into_iter().enumerate().filter(last);
                Self::Object(kept.map(|(_, (name, value))| (name, value.last_counts())).collect())
            }
            scalar => scalar,
        }
    }

    /// One token further: nothing, or something unfit, is an error; true: unfit.
    fn down(&self, token: &str) -> Result<&Self, bool> {
        let position = (token == "0" || !token.starts_with('0')).then(|| token.parse::<usize>().ok()).flatten();
        match (self, position) {
            (Self::Object(pairs), _) => {
                pairs.iter().find(|(name, _)| name == token).map(|(_, value)| value).ok_or(false)
            }
            (Self::Array(items), Some(position)) => items.get(position).ok_or(false),
            (Self::Null, _) => Err(false),
            _ => Err(true),
        }
    }

    fn pointer(&self, tokens: &[String]) -> Result<&Self, bool> {
        tokens.iter().try_fold(self, |tree, token| tree.down(token))
    }

    /// What a scalar says.
    fn said(&self) -> Option<String> {
        match self {
            Self::Number(text) | Self::Text(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }
}

/// A record with everything around it.
#[derive(Clone)]
struct Record<'t> {
    document: &'t Tree,
    /// The document, each walked element, the record.
    elements: Vec<&'t Tree>,
    /// Key and position of each walked element.
    walks: Vec<(Option<String>, usize)>,
    /// Whether the record is below the last walked element.
    below: bool,
}

impl<'t> Record<'t> {
    /// All records of a walk; `Err` where it could not go on.
    fn all(self, steps: &[Step], out: &mut Vec<Result<Self, ()>>) {
        let here = self.elements.last().copied().unwrap_or(self.document);
        let here_below = self.clone();
        let Some((step, steps)) = steps.split_first() else {
            return out.push(Ok(self));
        };
        let step_to = |tree: &'t Tree, walk: Option<(Option<String>, usize)>| {
            let mut next = here_below.clone();
            if next.below {
                next.elements.pop();
            }
            next.below = walk.is_none();
            next.elements.push(tree);
            next.walks.extend(walk);
            next
        };
        match (step, here) {
            (_, Tree::Null) => {}
            (Step::Key(key), _) => match here.down(key) {
                Ok(Tree::Null) | Err(false) => {}
                Ok(tree) => step_to(tree, None).all(steps, out),
                Err(true) => out.push(Err(())),
            },
            (Step::Each, Tree::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    step_to(item, Some((None, at))).all(steps, out);
                }
            }
            (Step::Values, Tree::Object(pairs)) => {
                for (at, (name, value)) in pairs.iter().enumerate() {
                    step_to(value, Some((Some(name.clone()), at))).all(steps, out);
                }
            }
            _ => out.push(Err(())),
        }
    }

    /// What stands at a place; nothing, or something unfit on the way, is an error; true: unfit.
    fn find(&self, place: &Place) -> Result<Tree, bool> {
        let last = self.elements.len() - 1;
        let element = |up: u32| last.checked_sub(up as usize).ok_or(false);
        let walk = |up: u32| {
            let element = element(up)?;
            let walked = if self.below && element == last { element - 1 } else { element };
            walked.checked_sub(1).map(|walk| &self.walks[walk]).ok_or(false)
        };
        let found = match place {
            Place::Document(pointer) => self.document.pointer(&pointer.tokens)?.clone(),
            Place::Record { up, pointer } => self.elements[element(*up)?].pointer(&pointer.tokens)?.clone(),
            Place::Key { up } => Tree::Text(walk(*up)?.0.clone().ok_or(false)?),
            Place::Index { up } => Tree::Number(walk(*up)?.1.to_string()),
        };
        if found == Tree::Null { Err(false) } else { Ok(found) }
    }
}

/// Reads a clock: `None` when nothing is there, else a time or the kind of refusal.
fn clock(unit: &TimeUnit, found: Result<Tree, bool>) -> Verdict<Option<i64>> {
    match time(unit, found) {
        Ok(Some(ns)) if !is_plausible(ns) => Err("time_out_of_range"),
        other => other,
    }
}

fn time(unit: &TimeUnit, found: Result<Tree, bool>) -> Verdict<Option<i64>> {
    let count = match unit {
        TimeUnit::Seconds => Count::Seconds,
        TimeUnit::Millis => Count::Millis,
        TimeUnit::Micros => Count::Micros,
        TimeUnit::Nanos => Count::Nanos,
        _ => panic!("the oracle reads decimals only"),
    };
    match found {
        Err(false) => Ok(None),
        Ok(Tree::Number(text) | Tree::Text(text)) => match decimal_ns(text.as_bytes(), count) {
            Ok(ns) => Ok(Some(ns)),
            Err(DecimalError::OutOfRange) => Err("time_out_of_range"),
            Err(DecimalError::NotANumber) => Err("no_time"),
        },
        _ => Err("no_time"),
    }
}

/// One cell as text, or the kind of refusal.
fn cell(column: &Column, found: Result<Tree, bool>) -> Verdict<String> {
    let null = Ok("-".to_owned());
    let unfit = |kind| if column.on_mismatch == OnMismatch::Null { Ok("-".to_owned()) } else { Err(kind) };
    let tree = match found {
        Err(false) => return null,
        Err(true) => return unfit("shape"),
        Ok(tree) => tree,
    };
    if let Tree::Number(text) | Tree::Text(text) = &tree
        && column.nulls.contains(text)
    {
        return null;
    }
    let number = match &tree {
        Tree::Number(text) => Some(text.clone()),
        Tree::Text(text) if column.text == TextRule::Number => {
            let mut parser = Parser::new(text, 0);
            matches!(parser.value(0), Ok(Tree::Number(_)) if parser.rest.is_empty()).then(|| text.clone())
        }
        _ => None,
    };
    match (&column.kind, number, &tree) {
        (ColumnKind::Float64, Some(text), _) => float(column, &text).map_or_else(|()| unfit("mismatch"), Ok),
        (ColumnKind::Int64, Some(text), _) if text == "NaN" => null,
        (ColumnKind::Int64, Some(text), _) if text.contains("Inf") && column.infinite == Infinite::Null => null,
        (ColumnKind::Int64, Some(text), _) => integer(&text).map_or_else(|| unfit("mismatch"), |i| Ok(i.to_string())),
        (ColumnKind::Bool, _, Tree::Bool(value)) => Ok(value.to_string()),
        (ColumnKind::String, _, Tree::Text(text)) => Ok(format!("{text:?}")),
        (ColumnKind::Timestamp(unit), ..) => match time(unit, Ok(tree)) {
            Ok(Some(ns)) => Ok(ns.to_string()),
            _ => unfit("mismatch"),
        },
        _ => unfit("mismatch"),
    }
}

fn float(column: &Column, text: &str) -> Result<String, ()> {
    let value: f64 = text.parse().map_err(|_| ())?;
    if value.is_infinite() && !text.contains("Inf") {
        return Err(());
    }
    let value = if (column.scale, column.offset) == (1.0, 0.0) { value } else { value * column.scale + column.offset };
    let null = value.is_nan() || value.is_infinite() && column.infinite == Infinite::Null;
    Ok(if null { "-".to_owned() } else { format!("{value:?}") })
}

/// The integer that a decimal is: written out digit by digit.
fn integer(text: &str) -> Option<i64> {
    let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    if !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut digits = format!("{whole}{fraction}");
    if digits.bytes().all(|b| b == b'0') {
        return Some(0);
    }
    let shift = power.parse::<i64>().unwrap_or(if power.starts_with('-') { -9999 } else { 9999 }).clamp(-9999, 9999);
    let mut point = i64::try_from(whole.len()).ok()? + shift;
    while point > i64::try_from(digits.len()).ok()? {
        digits.push('0');
    }
    while point < 0 {
        digits.insert(0, '0');
        point += 1;
    }
    let (whole, rest) = digits.split_at(usize::try_from(point).ok()?);
    let whole = if whole.is_empty() { "0" } else { whole };
    if rest.bytes().all(|b| b == b'0') { format!("{sign}{whole}").parse().ok() } else { None }
}

/// Time, known time and cells of a record, or the kind of refusal and its column.
fn observation(
    archive: &Archive,
    signal: &Signal,
    record: &Record<'_>,
    stamp: i64,
) -> Result<String, (String, Option<usize>)> {
    let fields = |place: &Place| matches!(place, Place::Record { up: 0, pointer } if !pointer.tokens.is_empty());
    let clocks = [Some(signal.join_clock), signal.known_clock].into_iter().flatten().map(|c| &signal.clocks[c]);
    let needs = signal.columns.iter().map(|c| &c.place).chain(clocks.map(|c| &c.place)).any(fields);
    let here = record.elements.last().copied().unwrap_or(record.document);
    if needs && !matches!(here, Tree::Object(_)) {
        return Err(("shape".into(), None));
    }
    let kind = |kind: &str| (kind.to_owned(), None);
    let read = |index: usize| {
        let rule = &signal.clocks[index];
        clock(&rule.unit, record.find(&rule.place)).map_err(kind)
    };
    let time = read(signal.join_clock)?.ok_or_else(|| kind("no_time"))?;
    let known = signal.known_clock.map(read).transpose()?.flatten().unwrap_or(time).max(time);
    let late = archive.lateness_ns;
    if time < stamp - late || time > stamp + archive.covers_ns + late || known - time > late {
        return Err(kind("late"));
    }
    let mut row = format!("{time} {known}");
    for (index, column) in signal.columns.iter().enumerate() {
        let cell = cell(column, record.find(&column.place)).map_err(|kind| (kind.to_owned(), Some(index)))?;
        row = format!("{row} {cell}");
    }
    Ok(row)
}

/// Whose document it is.
fn robot(archive: &Archive, capture: Option<&str>, document: &Tree) -> Verdict<String> {
    let said = archive.robot.document.as_ref().and_then(|pointer| match document.pointer(&pointer.tokens) {
        Ok(Tree::Text(text)) => Some(text.clone()),
        Ok(Tree::Number(text)) if text.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) => {
            Some(text.clone())
        }
        _ => None,
    });
    match (capture.map(str::to_owned), said.filter(|name| !name.is_empty())) {
        (None, None) => Err("no_robot"),
        (Some(capture), Some(said)) if capture != said => match archive.robot.on_conflict {
            OnConflict::Quarantine => Err("robot_conflict"),
            OnConflict::Capture => Ok(capture),
            OnConflict::Document => Ok(said),
        },
        (Some(name), _) | (None, Some(name)) => Ok(name),
    }
}

/// All observations of a unit on top of `expected`; an error refuses the unit.
fn unit(
    archive: &Archive,
    capture: Option<&str>,
    stamp: i64,
    bytes: &[u8],
    met: &mut [u64],
    expected: &mut Expected,
) -> Verdict<()> {
    let text = std::str::from_utf8(bytes).map_err(|_| NOT_JSON)?;
    let mut parser = Parser::new(text, archive.limits.depth_max);
    let mut read = 0;
    for document in parser.documents()? {
        let document = document.last_counts();
        let robot = match robot(archive, capture, &document) {
            Ok(robot) => robot,
            Err(kind) => {
                expected.refused.push(kind.into());
                continue;
            }
        };
        for (index, signal) in archive.signals.iter().enumerate() {
            let start = Record { document: &document, elements: vec![&document], walks: Vec::new(), below: false };
            let mut records = Vec::new();
            start.all(&signal.at.steps, &mut records);
            for record in records {
                let Ok(record) = record else {
                    read += 1;
                    expected.refused.push(format!("shape s{index}"));
                    continue;
                };
                met[index] += 1;
                let says = |(place, wanted): &(Place, String)| {
                    record.find(place).ok().and_then(|t| t.said()).as_ref() == Some(wanted)
                };
                if !signal.matches.iter().all(says) {
                    continue;
                }
                read += 1;
                match observation(archive, signal, &record, stamp) {
                    Ok(row) => expected.rows[index].push(format!("{robot} {row}")),
                    Err((kind, column)) => {
                        let column = column.map(|column| format!(" c{column}")).unwrap_or_default();
                        expected.refused.push(format!("{kind} s{index} r{}{column}", met[index] - 1));
                    }
                }
            }
        }
    }
    if read > archive.limits.records_max { Err("too_many_records") } else { Ok(()) }
}

/// What decoding a member of this stamp must give.
pub(super) fn decode(archive: &Archive, capture: Option<&str>, stamp: i64, bytes: &[u8]) -> Expected {
    let mut expected = Expected { rows: vec![Vec::new(); archive.signals.len()], refused: Vec::new() };
    let mut met = vec![0; archive.signals.len()];
    let units: Vec<&[u8]> = match archive.format {
        Format::Json => vec![bytes],
        Format::NdJson => bytes.split(|b| *b == b'\n').filter(|l| !l.iter().all(u8::is_ascii_whitespace)).collect(),
    };
    for bytes in units {
        let (rows, refused): (Vec<usize>, usize) =
            (expected.rows.iter().map(Vec::len).collect(), expected.refused.len());
        let before = met.clone();
        if let Err(kind) = unit(archive, capture, stamp, bytes, &mut met, &mut expected) {
            met = before;
            expected.rows.iter_mut().zip(rows).for_each(|(all, rows)| all.truncate(rows));
            expected.refused.truncate(refused);
            expected.refused.push(kind.into());
        }
    }
    expected.refused.sort();
    expected
}
