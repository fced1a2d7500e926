//! Each rule of the words, on small documents.

use super::fixture::{archive, decode, decode_by, place, refusals, rows, signal, source};
use super::*;
use crate::account::Members;
use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type, UInt64Type};
use pipeline::archive::{Archive, Clock, TextRule, TimeUnit};
use pipeline::pointer::Pointer;
use pipeline::spec::{Infinite, OnConflict, OnMismatch};

const UR3: &str = r#"{"agentId":"r","ts":1666772245000,"current":[{"ts":1666772241847,"j0":0.109627604,"j1":-2.024668694},
{"ts":1666772242852,"j0":null,"j1":-2.27845645}],"tool":[{"ts":1666772241847,"current":0.08}],"status":[{"ts":1666772241847,
"cycle":1,"protectiveStop":false,"gripLost":true}]}"#;

fn ur3() -> Archive {
    archive(vec![
        signal("current", "/current[*]", "/ts", &["j0", "j1"]),
        signal("status", "/status[*]", "/ts", &["stop:bool=/protectiveStop", "lost:bool=/gripLost", "cycle:int64"]),
    ])
}

#[test]
fn a_robots_document_becomes_observations() {
    let decoded = decode(&ur3(), UR3);
    assert_eq!(rows(&decoded.signals[0]), ["1666772241847 0.109627604 -2.024668694", "1666772242852 - -2.27845645"]);
    assert_eq!(rows(&decoded.signals[1]), ["1666772241847 false true 1"]);
    assert_eq!(decoded.robots, [Arc::from("r")]);
    assert_eq!(decoded.refused, []);
    let account = &decoded.account;
    assert_eq!((account.members.read, account.members.documents), (1, 1));
    assert_eq!((account.signals["current"].read, account.signals["status"].read), (2, 1));
}

/// Decodes what `rows` gives with one signal at `at`.
fn one(at: &str, clock: &str, columns: &[&str], text: &str) -> (Vec<String>, Vec<String>) {
    let decoded = decode(&archive(vec![signal("s", at, clock, columns)]), text);
    (rows(&decoded.signals[0]), refusals(&decoded))
}

/// What is decoded without any refusal.
fn clean(at: &str, clock: &str, columns: &[&str], text: &str) -> Vec<String> {
    let (rows, refused) = one(at, clock, columns, text);
    assert_eq!(refused, [""; 0], "{text}");
    rows
}

#[test]
fn what_stands_around_the_records_may_come_after_them() {
    let columns = ["x", "m=../mode/name"];
    for text in [
        r#"{"ts":1666772241847,"mode":{"name":7},"poses":[{"x":1},{"x":2}]}"#,
        r#"{"poses":[{"x":1},{"x":2}],"ts":1666772241847,"mode":{"name":7}}"#,
        r#"{"mode":{"name":7},"poses":[{"x":1},{"x":2}],"ts":1666772241847}"#,
    ] {
        assert_eq!(clean("/poses[*]", "../ts", &columns[..1], text), ["1666772241847 1.0", "1666772241847 2.0"]);
    }
    let text = r#"{"poses":[{"x":1}],"mode":{"name":7},"ts":1666772241847}"#;
    assert_eq!(one("/poses[*]", "../ts", &["x", "m:int64=document:/mode/name"], text).0, ["1666772241847 1.0 7"]);
    assert_eq!(clean("/poses[*]", "document:/ts", &["x", "y=../y"], text), ["1666772241847 1.0 -"]);
}

#[test]
fn two_walks_reach_both_elements_around_a_record() {
    let text =
        r#"{"robots":[{"poses":[{"x":1},{"x":2}],"id":5},{"id":6,"poses":[]},{"poses":[{"x":3}]}],"ts":1666772241847}"#;
    let columns = ["x", "id:int64=../id", "i:int64=@index", "r:int64=../@index"];
    assert_eq!(
        clean("/robots[*]/poses[*]", "document:/ts", &columns, text),
        ["1666772241847 1.0 5 0 0", "1666772241847 2.0 5 1 0", "1666772241847 3.0 - 0 2"]
    );
}

#[test]
fn values_of_an_object_are_walked_with_their_keys() {
    let text = r#"{"ts":1666772241847,"signals":{"speed":{"v":1.5},"he\u0061t":{"v":2}}}"#;
    let columns = ["v", "key:string=@key", "i:int64=@index"];
    assert_eq!(
        clean("/signals/*", "../ts", &columns, text),
        [r#"1666772241847 1.5 "speed" 0"#, r#"1666772241847 2.0 "heat" 1"#]
    );
    let twice = r#"{"ts":1666772241847,"signals":{"a":{"v":1},"b":{"v":2},"a":{"v":3}}}"#;
    assert_eq!(
        clean("/signals/*", "../ts", &columns, twice),
        [r#"1666772241847 2.0 "b" 0"#, r#"1666772241847 3.0 "a" 1"#]
    );
    let nested = r#"{"ts":1666772241847,"r":{"a":[{"v":1}],"b":[{"v":2},{"v":3}]}}"#;
    assert_eq!(
        clean("/r/*[*]", "document:/ts", &["v", "k:string=../@key"], nested),
        [r#"1666772241847 1.0 "a""#, r#"1666772241847 2.0 "b""#, r#"1666772241847 3.0 "b""#]
    );
}

#[test]
fn of_duplicate_keys_the_last_counts_everywhere() {
    let t = 1_666_772_241_847u64;
    for (text, expected) in [
        (format!(r#"{{"ts":{t},"p":[{{"x":1,"x":2}}]}}"#), vec!["2.0"]),
        (format!(r#"{{"ts":{t},"p":[{{"x":1}}],"p":[{{"x":2}},{{"x":3}}]}}"#), vec!["2.0", "3.0"]),
        (format!(r#"{{"ts":{t},"p":[{{"x":1}}],"p":null}}"#), vec![]),
        (format!(r#"{{"ts":1,"p":[{{"x":1}}],"ts":{t}}}"#), vec!["1.0"]),
        (format!(r#"{{"p":[{{"x":1}}],"ts":1,"p":[{{"x":4}}],"\u0074s":{t}}}"#), vec!["4.0"]),
    ] {
        let expected: Vec<String> = expected.iter().map(|x| format!("{t} {x}")).collect();
        assert_eq!(clean("/p[*]", "../ts", &["x"], &text), expected, "{text}");
    }
    let nested = format!(r#"{{"ts":{t},"a":{{"x":1}},"a":{{"y":2}}}}"#);
    assert_eq!(clean("", "/ts", &["x=/a/x", "y=/a/y"], &nested), [format!("{t} - 2.0")]);
}

#[test]
fn two_walks_may_need_each_others_surroundings() {
    let signals =
        vec![signal("a", "/a/list[*]", "document:/b/ts", &["v"]), signal("b", "/b/list[*]", "document:/a/ts", &["v"])];
    let text = r#"{"a":{"list":[{"v":1}],"ts":1666772241000},"b":{"list":[{"v":2}],"ts":1666772242000}}"#;
    let decoded = decode(&archive(signals), text);
    assert_eq!(rows(&decoded.signals[0]), ["1666772242000 1.0"]);
    assert_eq!(rows(&decoded.signals[1]), ["1666772241000 2.0"]);
}

#[test]
fn array_positions_are_reached_by_pointers() {
    let text = r#"[[1666772241847,1,2],[1666772241848,3,4,"more"],[1666772241849]]"#;
    assert_eq!(
        clean("[*]", "/0", &["x=/1", "y=/2"], text),
        ["1666772241847 1.0 2.0", "1666772241848 3.0 4.0", "1666772241849 - -"]
    );
    let text = r#"{"r":[{"ts":1666772241847},{"p":[{"v":1}]},{"u":9}]}"#;
    assert_eq!(clean("/r/1/p[*]", "document:/r/0/ts", &["v", "u=document:/r/2/u"], text), ["1666772241847 1.0 9.0"]);
    let scalars = r#"{"ts":1666772241847,"v":[1,2.5,null]}"#;
    assert_eq!(
        clean("/v[*]", "../ts", &["v="], scalars),
        ["1666772241847 1.0", "1666772241847 2.5", "1666772241847 -"]
    );
}

#[test]
fn a_walk_that_meets_something_else_is_refused_and_absent_or_null_is_not() {
    for text in [r#"{"ts":1}"#, r#"{"p":null}"#, r#"{"p":[]}"#, r#"{"p":{}}"#] {
        let (rows, refused) = one("/p[*]", "/ts", &["x"], text);
        assert_eq!(rows, [""; 0]);
        assert_eq!(refused.len(), usize::from(text.contains("{}")), "{text}");
    }
    for text in [r#"{"p":5}"#, r#"{"p":{"x":1}}"#, r#"[1]"#, r#""text""#] {
        assert_eq!(one("/p[*]", "/ts", &["x"], text).1, ["shape"], "{text}");
    }
    let (rows, refused) = one("/p[*]", "/ts", &["x"], r#"{"p":[null,3,[],{"ts":1666772241847,"x":1}]}"#);
    assert_eq!(rows, ["1666772241847 1.0"]);
    assert_eq!(refused, ["shape r0", "shape r1", "shape r2"]);
    let (_, refused) = one("/p[*]", "/ts", &["x=/a/x"], r#"{"p":[{"ts":1666772241847,"a":5}]}"#);
    assert_eq!(refused, ["shape c0 r0"]);
}

#[test]
fn match_chooses_the_records_of_tall_data() {
    let mut speed = signal("speed", "[*]", "/ts", &["value"]);
    speed.matches.push((place("/key", &speed.at), "speed".into()));
    speed.matches.push((place("/unit", &speed.at), "7".into()));
    let text = r#"[{"key":"speed","unit":7,"value":1,"ts":1666772241847},{"key":"heat","unit":7},{"key":"speed","unit":8},
        {"value":3,"ts":1666772241848,"unit":"7","key":"s\u0070eed"},5]"#;
    let decoded = decode(&archive(vec![speed]), text);
    assert_eq!(rows(&decoded.signals[0]), ["1666772241847 1.0", "1666772241848 3.0"]);
    assert_eq!((refusals(&decoded).len(), decoded.account.signals["speed"].read), (0, 2));
}

#[test]
fn values_are_read_strictly_as_their_type() {
    let value = |kind: &str, value: &str| {
        let text = format!(r#"{{"ts":1666772241847,"v":{value}}}"#);
        let (rows, refused) = one("", "/ts", &[&format!("v:{kind}")], &text);
        rows.first().map_or_else(|| refused.join(","), |row| row["1666772241847 ".len()..].to_owned())
    };
    for (kind, text, expected) in [
        ("float64", "1e400", "mismatch c0 r0"),
        ("float64", "\"1\"", "mismatch c0 r0"),
        ("float64", "true", "mismatch c0 r0"),
        ("float64", "NaN", "-"),
        ("float64", "-Infinity", "-inf"),
        ("float64", "{}", "mismatch c0 r0"),
        ("float64", "null", "-"),
        ("float64", "123456789012345678901234567890", "1.2345678901234568e29"),
        ("float64", "-0", "-0.0"),
        ("int64", "3.0", "3"),
        ("int64", "3.5", "mismatch c0 r0"),
        ("int64", "1e3", "1000"),
        ("int64", "NaN", "-"),
        ("int64", "123456789012345678901234567890", "mismatch c0 r0"),
        ("int64", "Infinity", "mismatch c0 r0"),
        ("bool", "true", "true"),
        ("bool", "1", "mismatch c0 r0"),
        ("bool", "\"true\"", "mismatch c0 r0"),
        ("string", "\"a\\u00e9\\n\"", "\"aé\\n\""),
        ("string", "5", "mismatch c0 r0"),
        ("string", "[]", "mismatch c0 r0"),
        ("ms", "1.5", "1500000"),
        ("ms", "\"2\"", "2000000"),
        ("ms", "\"x\"", "mismatch c0 r0"),
        ("ms", "1e30", "mismatch c0 r0"),
    ] {
        assert_eq!(value(kind, text), expected, "{kind} {text}");
    }
}

/// One column `v` in a document, with its words changed.
fn changed(change: impl Fn(&mut pipeline::archive::Column), kind: &str, values: &str) -> (Vec<String>, Account) {
    let mut signal = signal("s", "/v[*]", "../ts", &[&format!("v:{kind}=")]);
    change(&mut signal.columns[0]);
    let decoded = decode(&archive(vec![signal]), &format!(r#"{{"ts":1666772241847,"v":[{values}]}}"#));
    (rows(&decoded.signals[0]).iter().map(|row| row["1666772241847 ".len()..].to_owned()).collect(), decoded.account)
}

#[test]
fn words_of_a_column_bend_its_values() {
    let (rows, _) = changed(|c| (c.scale, c.offset) = (0.1, 100.0), "float64", "1,-20,0.5");
    assert_eq!(rows, ["100.1", "98.0", "100.05"]);
    let (rows, account) = changed(|c| (c.scale, c.offset) = (0.5, 1.0), "int64", "4,5");
    assert_eq!((rows, account.signals["s"].quarantined["mismatch"]), (vec!["3".to_owned()], 1));
    let (rows, _) = changed(|c| c.text = TextRule::Number, "float64", r#""1.5","\u0032",3,"NaN""#);
    assert_eq!(rows, ["1.5", "2.0", "3.0", "-"]);
    let (rows, account) = changed(|c| c.text = TextRule::Number, "int64", r#"" 1","2x","","7""#);
    assert_eq!((rows, account.signals["s"].quarantined["mismatch"]), (vec!["7".to_owned()], 3));
    let (rows, _) = changed(|c| c.nulls = vec!["-1".into(), String::new()], "float64", r#"-1,"",-1.0,"-1""#);
    assert_eq!(rows, ["-", "-", "-1.0", "-"]);
    let (rows, account) = changed(|c| c.on_mismatch = OnMismatch::Null, "float64", r#""a",1,{},1e999"#);
    assert_eq!(
        (rows, account.signals["s"].mismatch_null["v"]),
        (["-", "1.0", "-", "-"].map(str::to_owned).to_vec(), 3)
    );
    let (rows, account) = changed(|c| c.infinite = Infinite::Null, "float64", "Infinity,-Infinity,NaN,2");
    assert_eq!(rows, ["-", "-", "-", "2.0"]);
    assert_eq!((account.signals["s"].infinite["v"], account.signals["s"].nan["v"]), (2, 1));
}

#[test]
fn a_record_without_a_good_time_is_refused() {
    let text = r#"[{"x":1},{"ts":null},{"ts":"x"},{"ts":true},{"ts":0},{"ts":4133980800000},{"ts":1e99},{"ts":NaN},
        {"ts":631152000000},{"ts":4133980799999.999},{"ts":"1666772241847"},{"ts":1533226515002.73}]"#;
    let (rows, refused) = one("[*]", "/ts", &["x"], text);
    assert_eq!(rows, ["631152000000 -", "4133980799999 -", "1666772241847 -", "1533226515002 -"]);
    let kinds: Vec<&str> = refused.iter().filter_map(|r| r.split(' ').next()).collect();
    let (none, range) = ("no_time", "time_out_of_range");
    assert_eq!(kinds, [none, none, none, none, range, range, range, none]);
}

/// A member with a stamp, an hour of lateness and five seconds covered; offsets from the stamp in ms, known after them.
fn late(stamp: Stamp, observations: &[(i64, Option<i64>)]) -> (Vec<i64>, Decoded) {
    let mut signal = signal("s", "[*]", "/ts", &[]);
    let place = place("/known", &signal.at);
    signal.clocks.push(Clock { name: "known".into(), place, unit: TimeUnit::Millis });
    signal.known_clock = Some(1);
    let mut archive = archive(vec![signal]);
    archive.covers_ns = 5_000_000_000;
    let mut decoder = Decoder::new(Arc::new(Plan::new(&archive).unwrap()));
    let record = |(at, lag): &(i64, Option<i64>)| {
        let known = lag.map(|lag| format!(",\"known\":{}", 1_666_742_400_000 + at + lag)).unwrap_or_default();
        format!("{{\"ts\":{}{known}}}", 1_666_742_400_000 + at)
    };
    let text = format!("[{}]", observations.iter().map(record).collect::<Vec<_>>().join(","));
    decoder.member(&Source { stamp, ..source(0, Some("r")) }, text.as_bytes(), 0);
    let decoded = decoder.finish().unwrap();
    let known = decoded.signals[0].rows.column(1).as_primitive::<Int64Type>().values();
    (known.iter().map(|ns| ns / 1_000_000 - 1_666_742_400_000).collect(), decoded)
}

#[test]
fn what_is_farther_from_its_stamp_than_lateness_is_late() {
    let at = Stamp::At(1_666_742_400_000_000_000);
    let (known, decoded) =
        late(at, &[(-3_600_000, None), (-3_600_001, None), (3_605_000, None), (3_605_001, None), (7_205_000, None)]);
    assert_eq!(known, [-3_600_000, 3_605_000]);
    let account = &decoded.account.signals["s"];
    assert_eq!((account.read, account.quarantined["late"]), (5, 3));
    assert_eq!(account.late_by.iter().map(|(s, n)| (*s, *n)).collect::<Vec<_>>(), [(1, 2), (4096, 1)]);

    let day = Stamp::Day(pipeline::time::Day(19_291));
    let (known, _) = late(day, &[(-3_600_000, None), (-3_600_001, None), (89_999_999, None), (90_000_000, None)]);
    assert_eq!(known, [-3_600_000, 89_999_999]);
    assert_eq!(late(Stamp::Absent, &[(-99_999_999, None), (0, Some(99_999_999))]).0, [-99_999_999, 99_999_999]);
}

#[test]
fn a_value_is_known_at_its_time_or_later_but_not_more_than_lateness() {
    let at = Stamp::At(1_666_742_400_000_000_000);
    let (known, decoded) = late(at, &[(0, None), (1, Some(-5)), (2, Some(3_600_000)), (3, Some(3_600_001))]);
    assert_eq!(known, [0, 1, 3_600_002]);
    assert_eq!(refusals(&decoded), ["late r3"]);
}

/// Robot names given by capture and document under a rule.
fn robots(on_conflict: OnConflict, capture: Option<&str>, agent: &str) -> Vec<String> {
    let mut archive = archive(vec![signal("s", "", "/ts", &[])]);
    archive.robot.on_conflict = on_conflict;
    let mut decoder = Decoder::new(Arc::new(Plan::new(&archive).unwrap()));
    let text = format!(r#"{{"ts":1666772241847{agent}}}"#);
    decoder.member(&source(0, capture), text.as_bytes(), 0);
    let decoded = decoder.finish().unwrap();
    assert_eq!(decoded.signals[0].rows.num_rows(), decoded.robots.len());
    assert_eq!(decoded.account.members.quarantined.values().sum::<u64>(), decoded.refused.len() as u64);
    decoded.robots.iter().map(|name| name.to_string()).chain(refusals(&decoded)).collect()
}

#[test]
fn a_robot_is_named_by_capture_or_document() {
    use OnConflict::{Capture, Document, Quarantine};
    for (on_conflict, capture, agent, expected) in [
        (Quarantine, Some("r"), "", "r"),
        (Quarantine, Some("r"), r#","agentId":"r""#, "r"),
        (Quarantine, Some("r"), r#","agentId":"R""#, "robot_conflict"),
        (Capture, Some("r"), r#","agentId":"R""#, "r"),
        (Document, Some("r"), r#","agentId":"R""#, "R"),
        (Document, Some("r"), r#","agentId":null"#, "r"),
        (Quarantine, None, r#","agentId":"a\u00e9""#, "aé"),
        (Quarantine, None, r#","agentId":17"#, "17"),
        (Quarantine, None, r#","agentId":17.5"#, "no_robot"),
        (Quarantine, None, r#","agentId":"""#, "no_robot"),
        (Quarantine, None, "", "no_robot"),
    ] {
        assert_eq!(robots(on_conflict, capture, agent), [expected], "{capture:?} {agent}");
    }
}

#[test]
fn concatenated_documents_marks_and_blanks_are_read() {
    let a = r#"{"agentId":"r","ts":1666772241847}"#;
    for text in [format!("\u{feff}{a}"), format!("{a}{a}"), format!("{a}\r\n\u{feff}{a}\r\n \t\n"), format!("  {a}  ")]
    {
        let copies = text.matches("agentId").count();
        assert_eq!(clean("", "/ts", &[], &text).len(), copies, "{text:?}");
    }
    for text in ["", " \r\n", "1true", "{}x", "1 2", "\u{feff}"] {
        let expected: &[&str] = if text == "1 2" { &["shape r0", "shape r1"] } else { &["not_json"] };
        assert_eq!(one("", "/ts", &[], text).1, expected, "{text:?}");
    }
}

#[test]
fn nothing_of_a_torn_member_is_used() {
    let decoded = decode(&ur3(), &format!("{UR3}{}", &UR3[..200]));
    assert!(decoded.signals.iter().all(|batch| batch.rows.num_rows() == 0));
    assert_eq!(refusals(&decoded), ["not_json"]);
    assert_eq!(decoded.refused[0].offset, Some(UR3.len() as u64 + 200));
    assert!(decoded.refused[0].sample.len() <= SAMPLE_BYTES_MAX);
    assert_eq!((decoded.account.members.documents, decoded.account.signals["current"].read), (0, 0));
    assert_eq!(decoded.account.members.quarantined["not_json"], 1);

    let mut bytes = UR3.as_bytes().to_vec();
    bytes[20] = 0xFF;
    let mut decoder = Decoder::new(Arc::new(Plan::new(&ur3()).unwrap()));
    decoder.member(&source(0, Some("r")), &bytes, 0);
    let decoded = decoder.finish().unwrap();
    assert_eq!((refusals(&decoded), decoded.refused[0].offset), (vec!["not_json".to_owned()], Some(20)));
}

#[test]
fn lines_stand_or_fall_alone() {
    let mut archive = archive(vec![signal("s", "", "/ts", &["x"])]);
    archive.format = Format::NdJson;
    archive.limits.member_bytes_max = 60;
    let mut decoder = Decoder::new(Arc::new(Plan::new(&archive).unwrap()));
    let first = "{\"ts\":1666772241847,\"x\":1}\r\n\n{\"ts\":1666772241848,\n";
    let second = format!("{{\"ts\":1666772241849}}\n{}\n{{\"ts\":1666772241850,\"x\":\"y\"}}", " ".repeat(61));
    decoder.member(&source(7, Some("r")), first.as_bytes(), 0);
    decoder.member(&source(7, Some("r")), second.as_bytes(), first.len() as u64);
    let decoded = decoder.finish().unwrap();
    assert_eq!(rows(&decoded.signals[0]), ["1666772241847 1.0", "1666772241849 -"]);
    assert_eq!(decoded.signals[0].sections, [Section { robot: 0, member: 7, rows: 2 }]);
    assert_eq!(refusals(&decoded), ["not_json", "too_large", "mismatch c0 r2"]);
    let at = first.len() as u64;
    assert_eq!(decoded.refused.iter().map(|r| r.offset.unwrap()).collect::<Vec<_>>(), [49, at + 21, at + 21 + 62 + 25]);
    assert_eq!((decoded.account.members.read, decoded.account.members.documents), (1, 3));
}

#[test]
fn limits_refuse_the_whole_unit() {
    let mut archive = ur3();
    archive.limits.records_max = 3;
    assert_eq!(decode(&archive, UR3).refused, []);
    archive.limits.records_max = 2;
    let decoded = decode(&archive, UR3);
    assert_eq!(refusals(&decoded), ["too_many_records"]);
    assert!(decoded.signals.iter().all(|batch| batch.rows.num_rows() == 0));
    archive.limits.records_max = 3;
    archive.limits.depth_max = 2;
    assert_eq!(refusals(&decode(&archive, UR3)), ["too_deep"]);
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    assert_eq!(refusals(&decode(&archive, &deep)), ["too_deep"]);
}

/// Eight elements of an array: those that a lane takes among those that go the long way or are refused.
fn mixed() -> (Archive, String) {
    let mut archive = archive(vec![signal("s", "/s[*]", "/ts", &["n", "x"])]);
    archive.signals[0].columns[0].on_mismatch = OnMismatch::Null;
    let at = |ts: u64| format!("{{\"ts\":{},\"n\":{ts},\"x\":{ts}}}", 1_666_772_241_840 + ts);
    let refused = r#"{"ts":1666772241843,"n":"no","x":"no"}"#.to_owned();
    let twice = r#"{"ts":1666772241844,"n":4,"x":0,"x":4}"#.to_owned();
    let text = [at(0), at(1), at(2), refused, twice, "7".into(), at(6), at(7)].join(", ");
    (archive, format!("{{\"s\":[{text}]}}"))
}

fn traced(archive: &Archive, text: &str) -> Decoded {
    decode_by(Plan::traced(archive).unwrap(), text)
}

#[test]
fn records_keep_their_positions_whichever_way_they_are_taken() {
    let (archive, text) = mixed();
    let decoded = traced(&archive, &text);
    let values = |column: usize| decoded.signals[0].rows.column(column);
    let expected = [0u32, 1, 2, 4, 6, 7];
    assert_eq!(values(3).as_primitive::<Float64Type>().values().to_vec(), expected.map(f64::from));
    assert_eq!(values(4).as_primitive::<UInt64Type>().values().to_vec(), expected.map(u64::from));
    assert_eq!(refusals(&decoded), ["mismatch c1 r3", "shape r5"]);
    let signal = &decoded.account.signals["s"];
    assert_eq!((signal.read, signal.mismatch_null.len()), (8, 0));
}

#[test]
fn the_first_record_over_the_limit_is_told_whichever_way_it_would_be_taken() {
    let (mut archive, text) = mixed();
    let behind = |(at, mark): (usize, &str)| at + mark.len();
    let starts = text.match_indices('[').chain(text.match_indices(", ")).map(behind);
    for (records_max, start) in starts.enumerate() {
        archive.limits.records_max = records_max as u64;
        let decoded = traced(&archive, &text);
        assert_eq!((refusals(&decoded), decoded.signals[0].rows.num_rows()), (vec!["too_many_records".to_owned()], 0));
        assert_eq!(decoded.refused[0].offset, Some(start as u64));
    }
    archive.limits.records_max = 8;
    assert_eq!(refusals(&traced(&archive, &text)), ["mismatch c1 r3", "shape r5"]);
}

#[test]
fn context_counts_nothing_but_is_decoded() {
    let mut decoder = Decoder::new(Arc::new(Plan::new(&ur3()).unwrap()));
    let context = Source { role: Role::Context, ..source(0, Some("r")) };
    decoder.member(&context, UR3.as_bytes(), 0);
    decoder.member(&Source { member: 1, ..context }, b"{", 0);
    decoder.refuse(&Source { member: 2, ..context }, Kind::Unreadable, None, 7, b"");
    let decoded = decoder.finish().unwrap();
    assert_eq!((decoded.signals[0].rows.num_rows(), decoded.refused.len()), (2, 0));
    assert_eq!((decoded.account.members, decoded.account.signals["current"].read), (Members::default(), 0));
}

#[test]
fn a_decoder_is_used_again() {
    let mut decoder = Decoder::new(Arc::new(Plan::new(&ur3()).unwrap()));
    for _ in 0..2 {
        decoder.member(&source(3, Some("r")), UR3.as_bytes(), 0);
        decoder.refuse(&source(4, Some("q")), Kind::Unreadable, None, 7, b"\x1f\x8b");
        assert!(decoder.bytes() > 0);
        let decoded = decoder.finish().unwrap();
        assert_eq!((decoded.signals[0].rows.num_rows(), decoded.robots.len()), (2, 1));
        let members = &decoded.account.members;
        assert_eq!((members.read, members.stored_bytes, members.lost_bytes), (2, 200, 7));
        assert_eq!(refusals(&decoded), ["unreadable"]);
    }
}

#[test]
fn documents_wanted_by_the_record_itself_and_by_pointers_agree() {
    let archive = archive(vec![
        signal("state", "", "/ts", &["mode:string"]),
        signal("robot", "/robots[*]", "document:/ts", &["id:int64"]),
        signal("first", "/robots/0", "document:/ts", &["id:int64"]),
        signal("pose", "/robots[*]/pose", "../../ts", &["x", "id:int64=../id", "lead:int64=document:/robots/0/id"]),
    ]);
    let text = r#"{"robots":[{"pose":{"x":1},"id":4},{"id":5,"pose":{"x":2}},{"pose":null}],"ts":1666772241847,"mode":"auto"}"#;
    let decoded = decode(&archive, text);
    assert_eq!(refusals(&decoded), [""; 0]);
    assert_eq!(rows(&decoded.signals[0]), [r#"1666772241847 "auto""#]);
    assert_eq!(rows(&decoded.signals[1]), ["1666772241847 4", "1666772241847 5", "1666772241847 -"]);
    assert_eq!(rows(&decoded.signals[2]), ["1666772241847 4"]);
    assert_eq!(rows(&decoded.signals[3]), ["1666772241847 1.0 4 4", "1666772241847 2.0 5 4"]);
}

#[test]
fn keys_are_compared_as_text_not_as_bytes() {
    let mut signal = signal("s", "", "/ts", &["v"]);
    signal.columns[0].place = pipeline::pointer::Place::Record { up: 0, pointer: Pointer::key("a\"\\b") };
    let decoded = decode(&archive(vec![signal]), r#"{"ts":1666772241847,"a\"\u005cb":3}"#);
    assert_eq!(rows(&decoded.signals[0]), ["1666772241847 3.0"]);
}
