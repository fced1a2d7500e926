//! Documents made at random, damaged at random: the decoder says what the oracle says, and the oracle parses what
//! serde_json parses.

use super::fixture::{archive, place, signal, source};
use super::oracle::{self, Expected, Parser, Tree};
use super::*;
use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};
use pipeline::archive::{Archive, Clock, TextRule, TimeUnit};
use pipeline::spec::{Infinite, OnConflict, OnMismatch};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Stamp of every member, ms.
const STAMP_MS: i64 = 1_666_772_245_000;

/// JSON before it is written.
#[derive(Debug, Clone)]
enum Json {
    Raw(&'static str),
    Number(String),
    Text(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// How it is written: choices drawn one after the other.
struct Style(u64);

impl Style {
    fn draw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn blank(&mut self) -> &'static str {
        if self.0 & 1 == 0 { "" } else { ["", "", "", " ", "\r\n", "\t "][usize::try_from(self.draw(6)).unwrap()] }
    }

    fn text(&mut self, text: &str) -> String {
        let mut out = String::from('"');
        for c in text.chars() {
            let mut units = [0; 2];
            match c {
                _ if self.draw(20) == 0 => {
                    c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
                }
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                _ if c < ' ' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
                _ => out.push(c),
            }
        }
        out.push('"');
        out
    }

    fn write(&mut self, json: &Json, out: &mut String) {
        match json {
            Json::Raw(text) => out.push_str(text),
            Json::Number(text) => out.push_str(text),
            Json::Text(text) => out.push_str(&self.text(text)),
            Json::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(self.blank());
                    self.write(item, out);
                    out.push_str(self.blank());
                }
                out.push(']');
            }
            Json::Object(pairs) => {
                out.push('{');
                for (index, (key, value)) in pairs.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(self.blank());
                    out.push_str(&self.text(key));
                    out.push_str(self.blank());
                    out.push(':');
                    out.push_str(self.blank());
                    self.write(value, out);
                    out.push_str(self.blank());
                }
                out.push('}');
            }
        }
    }
}

/// Any scalar, and now and then something deep.
fn anything() -> impl Strategy<Value = Json> {
    let scalar = prop_oneof![
        120 => number(),
        40 => select(vec!["null", "true", "false", "NaN", "Infinity", "-Infinity"]).prop_map(Json::Raw),
        40 => "[a-c\"\\\\é🤖\\n\u{1}]{0,5}".prop_map(Json::Text),
        20 => select(vec!["-1", "1.5", "7", "NaN", "1e400", "speed", "manual", "1666772241847"]).prop_map(|t| Json::Text(t.into())),
        1 => select(vec!["\"\\ud800\"", "\"\\udc00\"", "\"\\udc00\\ud800\"", "nul", "-", "01", "1.", "+1", "\"\t\"", "'x'"]).prop_map(Json::Raw),
    ];
    scalar.prop_recursive(8, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::Array),
            vec((select(vec!["x", "y", "ts", "a", "0"]).prop_map(str::to_owned), inner), 0..4).prop_map(Json::Object),
        ]
    })
}

fn number() -> impl Strategy<Value = Json> {
    let edges = [
        "0",
        "-0",
        "-0.0",
        "1e400",
        "-1e400",
        "1e-400",
        "5e-324",
        "9223372036854775807",
        "9223372036854775808",
        "3.0",
        "-9223372036854775808",
        "123456789012345678901234567890",
        "1.00000000000000000000000000001",
        "1e3",
        "30e-1",
        "1E+2",
        "0.1e-999999999999999999999",
        "1e999999999999999999999",
        "9007199254740993",
        "0.30000000000000004",
        "-1",
    ];
    prop_oneof![
        select(edges.to_vec()).prop_map(|text| Json::Number(text.into())),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| Json::Number(format!("{f:e}"))),
        (-1_000_000i64..1_000_000, 0u32..7).prop_map(|(n, e)| Json::Number(format!("{n}e-{e}"))),
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?".prop_map(Json::Number),
    ]
}

/// Mostly a good time.
fn time() -> impl Strategy<Value = Json> {
    prop_oneof![
        20 => (-3_700_000i64..3_700_000).prop_map(|ms| Json::Number((STAMP_MS + ms).to_string())),
        8 => (-100_000i64..100_000, 0u32..1_000_000).prop_map(|(ms, f)| Json::Number(format!("{}.{f}", STAMP_MS + ms))),
        1 => (-100_000i64..100_000).prop_map(|ms| Json::Text((STAMP_MS + ms).to_string())),
        1 => anything(),
    ]
}

/// An object with each of these keys at this chance in ten, in any order, and seldom one of them twice.
fn object(pairs: Vec<(u32, &'static str, BoxedStrategy<Json>)>) -> impl Strategy<Value = Json> {
    let keys: Vec<_> = pairs.iter().map(|(_, key, value)| (*key, value.clone())).collect();
    let once: Vec<_> = pairs
        .into_iter()
        .map(|(tenths, key, value)| {
            let there = proptest::option::weighted(f64::from(tenths) / 10.0, value);
            there.prop_map(move |value| value.map(|value| (key.to_owned(), value)))
        })
        .collect();
    let twice = select(keys).prop_flat_map(|(key, value)| value.prop_map(move |value| (key.to_owned(), value)));
    let twice = prop_oneof![9 => Just(Vec::new()).boxed(), 1 => vec(twice, 1..3).boxed()];
    let all = (once, twice).prop_map(|(once, twice)| once.into_iter().flatten().chain(twice).collect::<Vec<_>>());
    all.prop_shuffle().prop_map(Json::Object)
}

/// This, and seldom anything.
fn mostly(strategy: impl Strategy<Value = Json> + 'static) -> BoxedStrategy<Json> {
    prop_oneof![30 => strategy, 1 => anything()].boxed()
}

fn number_or_anything() -> BoxedStrategy<Json> {
    prop_oneof![4 => number(), 1 => anything()].boxed()
}

fn pose() -> BoxedStrategy<Json> {
    let key = select(vec!["speed", "heat", "7", "7"]).prop_map(|text| Json::Text(text.into()));
    mostly(object(vec![
        (9, "ts", time().boxed()),
        (8, "x", number_or_anything()),
        (6, "y", number_or_anything()),
        (2, "known", time().boxed()),
        (5, "key", key.boxed()),
        (1, "extra", anything().boxed()),
    ]))
}

fn poses() -> BoxedStrategy<Json> {
    mostly(vec(pose(), 0..4).prop_map(Json::Array))
}

fn robots() -> BoxedStrategy<Json> {
    let robot = object(vec![
        (8, "poses", poses()),
        (7, "id", number_or_anything()),
        (6, "pose", pose()),
        (8, "ts", time().boxed()),
    ]);
    mostly(vec(mostly(robot), 0..3).prop_map(Json::Array))
}

fn tall() -> BoxedStrategy<Json> {
    let key = select(vec!["speed", "heat", "é", "a\"b", "0"]).prop_map(str::to_owned);
    mostly(vec((key, pose()), 0..4).prop_map(Json::Object))
}

fn document() -> BoxedStrategy<Json> {
    let text = |text: &str| Just(Json::Text(text.into()));
    let agent = prop_oneof![9 => text("r"), 1 => text("R"), 1 => anything()];
    let name = prop_oneof![1 => text("auto"), 1 => anything()];
    mostly(object(vec![
        (9, "ts", time().boxed()),
        (8, "poses", poses()),
        (5, "robots", robots()),
        (5, "signals", tall()),
        (7, "plain", poses()),
        (3, "single", mostly(pose())),
        (8, "agentId", agent.boxed()),
        (5, "mode", mostly(object(vec![(7, "name", name.boxed()), (2, "other", anything().boxed())]))),
        (3, "v", mostly(vec(anything(), 0..3).prop_map(Json::Array))),
        (1, "foreign", anything().boxed()),
    ]))
}

/// What is done to the bytes of a member.
#[derive(Debug, Clone)]
enum Damage {
    None,
    Truncate(prop::sample::Index),
    Put(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "{}",
        "[[[[[[[[[[",
        "\u{feff}",
        "NaN",
        "\n",
        "{\"ts\":1}",
        "é",
        "\\u12",
    ];
    prop_oneof![
        20 => Just(Damage::None),
        2 => at().prop_map(Damage::Truncate),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Put(at, byte)),
        1 => at().prop_map(Damage::Remove),
        2 => (at(), select(pieces.to_vec())).prop_map(|(at, piece)| Damage::Insert(at, piece.as_bytes().to_vec())),
    ]
}

impl Damage {
    fn of(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        match self {
            _ if bytes.is_empty() => {}
            Self::None => {}
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Self::Put(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Remove(at) => {
                bytes.remove(at.index(bytes.len()));
            }
            Self::Insert(at, piece) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, piece.iter().copied());
            }
        }
        bytes
    }
}

/// Everything at once: shared walks, surroundings before and after, keys, positions, `match`, clocks, bent values.
fn words(format: Format, bend: u8) -> Archive {
    let mut signals = vec![
        signal("pose", "/poses[*]", "/ts", &["x", "y:int64", "m:string=document:/mode/name", "i:int64=@index"]),
        signal(
            "late",
            "/poses[*]",
            "../ts",
            &["x:int64", "key:string", "first=document:/poses/0/x", "other=document:/robots/0/id"],
        ),
        signal(
            "deep",
            "/robots[*]/poses[*]",
            "/ts",
            &["x", "id:int64=../id", "r:int64=../@index", "at:ms=document:/ts"],
        ),
        signal("robot", "/robots[*]", "/ts", &["id", "x=/pose/x", "y=/poses/1/y"]),
        signal("lone", "/robots[*]/pose", "../ts", &["x", "id:int64=../id", "other=document:/poses/0/x"]),
        signal("tall", "/signals/*", "document:/ts", &["x", "key:string=@key", "i:int64=@index"]),
        signal("whole", "", "/ts", &["mode:string=/mode/name", "v:bool=/v/0", "n:int64=/robots/0/id"]),
        signal("bare", "/v[*]", "../ts", &["v:string="]),
        signal("plain", "/plain[*]", "/ts", &["x", "y:int64", "key:string", "extra:bool"]),
        signal("single", "/single", "/ts", &["x", "key:ms", "y"]),
    ];
    let known = place("/known", &signals[0].at);
    for index in [0, 8] {
        signals[index].clocks.push(Clock { name: "known".into(), place: known.clone(), unit: TimeUnit::Millis });
        signals[index].known_clock = Some(1);
    }
    let key = place("@key", &signals[5].at);
    signals[5].matches.push((key, "speed".into()));
    let key = place("/key", &signals[1].at);
    signals[1].matches.push((key, "7".into()));
    for column in signals.iter_mut().flat_map(|signal| &mut signal.columns) {
        column.text = if bend & 1 == 0 { TextRule::Refuse } else { TextRule::Number };
        column.on_mismatch = if bend & 2 == 0 { OnMismatch::Quarantine } else { OnMismatch::Null };
        column.infinite = if bend & 4 == 0 { Infinite::Keep } else { Infinite::Null };
        if bend & 8 != 0 {
            column.nulls = vec!["-1".into(), "7".into(), String::new()];
        }
        if bend & 16 != 0 && column.kind == pipeline::archive::ColumnKind::Float64 {
            (column.scale, column.offset) = (0.1, -3.0);
        }
    }
    let mut archive = archive(signals);
    archive.format = format;
    archive.covers_ns = 5_000_000_000;
    archive.limits.depth_max = 7;
    archive.limits.records_max = 16;
    archive
}

/// A decoded member as the oracle tells it.
fn told(decoded: &Decoded) -> Expected {
    let row = |batch: &RecordBatch, robot: u32, row: usize| {
        let robot = &decoded.robots[robot as usize];
        let cells = batch.columns().iter().map(|column| match column.data_type() {
            _ if column.is_null(row) => "-".to_owned(),
            arrow::datatypes::DataType::Float64 => format!("{:?}", column.as_primitive::<Float64Type>().value(row)),
            arrow::datatypes::DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
            arrow::datatypes::DataType::Boolean => column.as_boolean().value(row).to_string(),
            arrow::datatypes::DataType::Utf8 => format!("{:?}", column.as_string::<i32>().value(row)),
            _ => column.as_primitive::<TimestampNanosecondType>().value(row).to_string(),
        });
        std::iter::once(robot.to_string()).chain(cells).collect::<Vec<_>>().join(" ")
    };
    let rows_of = |observations: &Observations| {
        let robots = observations.sections.iter().flat_map(|section| std::iter::repeat_n(section.robot, section.rows));
        let rows = robots.enumerate().map(|(at, robot)| row(&observations.rows, robot, at)).collect::<Vec<_>>();
        assert_eq!(rows.len(), observations.rows.num_rows());
        rows
    };
    let rows = decoded.signals.iter().map(rows_of).collect();
    let mut refused: Vec<String> = decoded.refused.iter().map(describe).collect();
    refused.sort();
    Expected { rows, refused }
}

fn describe(refusal: &Refusal) -> String {
    let part = |name: &str, value: Option<u64>| value.map(|value| format!(" {name}{value}")).unwrap_or_default();
    let (signal, column) = (refusal.signal.map(u64::from), refusal.column.map(u64::from));
    format!("{}{}{}{}", refusal.kind.word(), part("s", signal), part("r", refusal.record), part("c", column))
}

/// Every observation is kept or refused, every refusal counted.
fn balances(decoded: &Decoded, archive: &Archive) {
    for (signal, observations) in archive.signals.iter().zip(&decoded.signals) {
        let counts = &decoded.account.signals[&signal.name];
        let rows = observations.rows.num_rows() as u64;
        assert_eq!(counts.read, rows + counts.quarantined.values().sum::<u64>(), "{}", signal.name);
    }
    let units = decoded.refused.iter().filter(|refusal| refusal.signal.is_none()).count() as u64;
    assert_eq!(decoded.account.members.quarantined.values().sum::<u64>(), units);
}

/// As many as `PROPTEST_CASES` says (`make fuzz`), else 6,000: some 12,000 documents.
fn cases() -> u32 {
    let said = std::env::var("PROPTEST_CASES").ok();
    said.and_then(|cases| cases.parse().ok()).unwrap_or(6_000)
}

#[test]
fn two_of_the_signals_are_plain_and_have_a_lane() {
    let plan = Plan::new(&words(Format::Json, 0)).unwrap();
    let with_lane = plan.nodes.iter().filter(|node| node.lane.is_some()).flat_map(|node| &node.records);
    assert_eq!(with_lane.map(|signal| plan.signals[*signal].name.as_str()).collect::<Vec<_>>(), ["plain", "single"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_decoder_says_what_the_oracle_says(
        documents in vec(document(), 1..4),
        styles in vec(any::<u64>(), 4),
        damage in damage(),
        before in vec((document(), any::<u64>()), 0..3),
        bend in 0u8..32,
        lines: bool,
        capture in select(vec![None, Some("r"), Some("r")]),
        on_conflict in select(vec![OnConflict::Quarantine, OnConflict::Capture, OnConflict::Document]),
    ) {
        let mut archive = words(if lines { Format::NdJson } else { Format::Json }, bend);
        archive.robot.on_conflict = on_conflict;
        let mut text = String::new();
        for (document, style) in documents.iter().zip(&styles) {
            let mut one = String::new();
            Style(*style).write(document, &mut one);
            text.push_str(&if lines { one.replace(['\n', '\r'], " ") } else { one });
            text.push_str(if lines { "\r\n" } else { ["", " ", "\n"][(style % 3) as usize] });
        }
        let bytes = damage.of(text.into_bytes());
        let mut decoder = Decoder::new(Arc::new(Plan::new(&archive).unwrap()));
        let source = Source { stamp: Stamp::At(STAMP_MS * 1_000_000), ..source(0, capture) };
        // What it learned of other documents changes nothing.
        for (document, style) in &before {
            let mut other = String::new();
            Style(*style).write(document, &mut other);
            decoder.member(&source, other.as_bytes(), 0);
        }
        decoder.finish().unwrap();
        decoder.member(&source, &bytes, 0);
        let decoded = decoder.finish().unwrap();
        let expected = oracle::decode(&archive, capture, STAMP_MS * 1_000_000, &bytes);
        prop_assert_eq!(told(&decoded), expected, "{}", String::from_utf8_lossy(&bytes));
        balances(&decoded, &archive);
    }

    #[test]
    fn the_oracle_parses_what_serde_json_parses(document in document(), style: u64, damage in damage()) {
        let mut text = String::new();
        Style(style).write(&document, &mut text);
        let bytes = damage.of(text.into_bytes());
        let text = String::from_utf8_lossy(&bytes);
        let mut parser = Parser::new(text.trim_matches([' ', '\t', '\r', '\n']), 100);
        let parsed = parser.value(0).ok().filter(|_| parser.is_done());
        match (serde_json::from_str::<serde_json::Value>(&text), parsed) {
            (Ok(_), Some(tree)) => prop_assert!(same(&tree.last_counts(), &text), "{text}"),
            (Ok(_), None) => prop_assert!(false, "only serde_json reads {text}"),
            (Err(error), Some(_)) => {
                let beyond = error.to_string().contains("number out of range") || text.contains("NaN") || text.contains("Infinity");
                prop_assert!(beyond, "only the oracle reads {text}: {error}");
            }
            (Err(_), None) => {}
        }
    }
}

/// Whether a tree is what serde_json reads at `text`, which it has accepted; numbers as they are written.
fn same(tree: &Tree, text: &str) -> bool {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    match tree {
        Tree::Null => text == "null",
        Tree::Bool(value) => text == value.to_string(),
        Tree::Number(number) => text == number,
        Tree::Text(content) => serde_json::from_str::<String>(text).is_ok_and(|read| read == *content),
        Tree::Array(items) => {
            let read: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
            read.len() == items.len() && items.iter().zip(read).all(|(item, read)| same(item, read.get()))
        }
        Tree::Object(pairs) => {
            let read: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
            let is_there = |(name, tree): &(String, Tree)| read.get(name).is_some_and(|read| same(tree, read.get()));
            read.len() == pairs.len() && pairs.iter().all(is_there)
        }
    }
}
