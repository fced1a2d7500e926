//! Bad data is data: each damage ends in a clear line and right counts, and the good observations beside it are used.

use crate::words::{OBJECT, SMALL, START_MS, change, document, good, member, small};
use fleetloom_tests::pack::{self, Entry};
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{self, Outcome, Running};
use fleetloom_tests::python;
use fleetloom_tests::shown::{account, count, shown};
use std::path::Path;
use std::process::Command;

/// Runs, and insists on counts of the account.
fn counts(file: &Path, expected: &[(&str, u64)]) -> Outcome {
    let outcome = program::run(file).expect(0);
    let shown = shown(file);
    for (path, wanted) in expected {
        assert_eq!(count(&shown, path), *wanted, "{path} in\n{}\n{outcome}", account(&shown));
    }
    outcome
}

/// One good member, and one refused as `kind`.
fn one_refused(damaged: Entry, kind: &str) {
    let (place, file) = small(&[good("r1", 0), damaged, good("r1", 10)]);
    let refused = format!("members.quarantined.{kind}");
    counts(&file, &[("members.read", 3), (&refused, 1), ("signals.speed.kept", 2), ("rows.written", 2)]).says(kind);
    let quarantine = python::script("published.py", &["quarantine".as_ref(), place.result().as_os_str()]);
    assert_eq!(quarantine.lines().count(), 1, "{quarantine}");
    assert!(quarantine.starts_with("2024-05-01.zip") && quarantine.trim_end().ends_with(kind), "{quarantine}");
}

#[test]
fn a_wrong_checksum() {
    one_refused(good("r1", 5).with_wrong_crc(), "unreadable");
}

#[test]
fn a_torn_gzip() {
    let whole = pack::gzip(document(5, "5").as_bytes());
    one_refused(Entry::stored(member("r1", 5), &whole[..whole.len() - 9]), "unreadable");
}

#[test]
fn a_torn_deflate() {
    let torn = Entry::stored(member("r1", 5), &[0xed, 0xfd, 7]).with_method(8);
    one_refused(torn, "unreadable");
}

#[test]
fn a_compression_that_is_not_read() {
    one_refused(good("r1", 5).with_method(14), "unreadable");
}

#[test]
fn a_member_without_a_byte() {
    one_refused(Entry::stored(member("r1", 5), b""), "not_json");
}

#[test]
fn bytes_that_are_no_json() {
    one_refused(Entry::stored(member("r1", 5), b"<speed>5</speed>"), "not_json");
    one_refused(Entry::stored(member("r1", 5), b"{\"speed\": [{\"ts\": \xff\xfe}]}"), "not_json");
    one_refused(Entry::stored(member("r1", 5), &document(5, "5").as_bytes()[..20]), "not_json");
}

#[test]
fn a_zip_bomb_meets_the_limit_and_not_the_memory() {
    let bomb = pack::gzip(&vec![b' '; 1 << 30]);
    let (_place, file) = small(&[good("r1", 0), Entry::stored(member("r1", 5), &bomb), good("r1", 10)]);
    let run = program::start(&["run".as_ref(), "-f".as_ref(), file.as_os_str()]);
    let peak_kib = run.peak_kib();
    run.finish().expect(0).says("too_large");
    assert!(peak_kib <= 300 << 10, "a bomb of 1 GiB took {peak_kib} KiB");
    let shown = shown(&file);
    assert_eq!((count(&shown, "members.quarantined.too_large"), count(&shown, "rows.written")), (1, 2));
}

#[test]
fn a_deflated_bomb_meets_the_limit_too() {
    one_refused(Entry::deflated(member("r1", 5), &vec![b' '; 80 << 20]), "too_large");
}

#[test]
fn a_torn_zip_directory() {
    let place = Place::new();
    place.write("archive/2024-05-01.zip", pack::zip(&[good("r1", 0)]));
    let whole = pack::zip(&[good("r1", 86_400), good("r1", 86_410)]);
    place.write("archive/2024-05-02.zip", &whole[..whole.len() - 30]);
    let file = place.words(SMALL);
    counts(&file, &[("members.quarantined.unreadable", 1), ("rows.written", 1)]).says("2024-05-02.zip");
}

#[test]
fn a_torn_zip_without_a_date_leaves_the_other_days_as_they_are() {
    let place = Place::new();
    let days = pack::zip(&[good("r1", 0), good("r1", 86_400)]);
    place.write("archive/a.zip", &days);
    let file = place.words(&change(SMALL, "{date}.zip", "*.zip"));
    program::run(&file).expect(0);
    let days_done = place.reports().len();
    place.write("archive/b.zip", &days[..days.len() - 30]);
    program::run(&file).expect(0).says(&format!("{days_done} reused")).says("3 read, quarantined unreadable 1");
}

#[test]
fn an_object_that_is_no_zip() {
    let place = Place::new();
    place.write("archive/2024-05-01.zip", pack::zip(&[good("r1", 0)]));
    place.write("archive/2024-05-02.zip", "<html>404</html>");
    place.write("archive/2024-05-03.zip", "");
    let file = place.words(SMALL);
    counts(&file, &[("members.quarantined.unreadable", 2), ("rows.written", 1)]).says("unreadable");
}

#[test]
fn member_names_that_climb_are_absolute_or_no_text() {
    let bytes = document(0, "1");
    let name = |robot: &[u8]| [robot, b"/", START_MS.to_string().as_bytes(), b".json"].concat();
    let entries =
        [b"..".as_slice(), b"../../etc", b"/r1", b"r\xff", b"r1"].map(|r| Entry::stored(name(r), bytes.as_bytes()));
    let (place, file) = small(&entries);
    counts(&file, &[("members.read", 3), ("signals.speed.kept", 3), ("rows.written", 3)]);
    let rows = python::rows(&place.result());
    for robot in ["..  ", "r1  ", "r\\xff"] {
        assert!(rows.lines().any(|line| line.starts_with(robot)), "{robot:?} in\n{rows}");
    }
    assert_eq!(place.names(""), ["archive", "pipeline.yaml", "result"]);
}

#[test]
fn a_member_name_twice_is_read_twice() {
    let again = Entry::stored(member("r1", 0), document(1, "7").as_bytes());
    let (_place, file) = small(&[good("r1", 0), again, good("r1", 0)]);
    counts(
        &file,
        &[("members.read", 3), ("signals.speed.read", 3), ("signals.speed.duplicate", 1), ("rows.written", 2)],
    );
}

/// A document with extra nesting: `levels` deep in all.
fn deep(levels: usize) -> Vec<u8> {
    let nested = "[".repeat(levels - 1) + &"]".repeat(levels - 1);
    change(&document(5, "5"), "{\"speed\"", &format!("{{\"deep\": {nested}, \"speed\"")).into_bytes()
}

#[test]
fn sixty_four_levels_are_read_and_one_more_is_not() {
    let (_place, file) = small(&[good("r1", 0), Entry::stored(member("r1", 5), &deep(64)), good("r1", 10)]);
    counts(&file, &[("members.read", 3), ("signals.speed.kept", 3)]);
    one_refused(Entry::stored(member("r1", 5), &deep(65)), "too_deep");
    one_refused(Entry::stored(member("r1", 5), &deep(1_000_000)), "too_deep");
}

#[test]
fn more_records_than_the_limit() {
    let many = format!(r#"{{"speed": [{}]}}"#, [r#"{"ts": 1714564805000, "v": 1}"#; 12].join(","));
    let place = Place::new();
    place.write(OBJECT, pack::zip(&[good("r1", 0), Entry::stored(member("r1", 5), many.as_bytes())]));
    let file = place.words(&change(SMALL, "format: Json", "format: Json\n  limits: {recordsPerMember: 10}"));
    counts(&file, &[("members.quarantined.too_many_records", 1), ("signals.speed.kept", 1)]);
}

#[test]
fn numbers_beyond_every_type() {
    let values = ["1e400", "-1e400", "123456789012345678901234567890", "1e-400", "9007199254740993"];
    let entries: Vec<_> =
        (0..).zip(values).map(|(n, v)| Entry::stored(member("r1", n), document(n, v).as_bytes())).collect();
    let (_place, file) = small(&entries);
    counts(&file, &[("signals.speed.kept", 3), ("signals.speed.quarantined.mismatch", 2)]);
    let place = Place::new();
    place.write(OBJECT, pack::zip(&entries));
    let file = place.words(&change(SMALL, "columns: [{name: v}]", "columns: [{name: v, type: int64}]"));
    counts(&file, &[("signals.speed.kept", 1), ("signals.speed.quarantined.mismatch", 4)]);
}

#[test]
fn a_number_today_and_a_string_tomorrow() {
    let place = Place::new();
    place.write("archive/2024-05-01.zip", pack::zip(&[good("r1", 0), good("r1", 5)]));
    let text = Entry::stored(member("r1", 86_400), document(86_400, "\"fast\"").as_bytes());
    place.write("archive/2024-05-02.zip", pack::zip(&[text, good("r1", 86_405)]));
    let file = place.words(SMALL);
    counts(&file, &[("signals.speed.kept", 3), ("signals.speed.quarantined.mismatch", 1), ("rows.written", 3)]);
}

#[test]
fn a_robot_in_two_spellings() {
    let place = Place::new();
    let named = |capture: &str, said: &str, n: i64| {
        let text = change(&document(n, "1"), "{\"speed\"", &format!("{{\"id\": \"{said}\", \"speed\""));
        Entry::stored(member(capture, n), text.as_bytes())
    };
    let entries = [named("r1", "r1", 0), named("r1", "R1", 5), named("R1", "R1", 10)];
    place.write(OBJECT, pack::zip(&entries));
    let both = change(SMALL, "robot: {capture: robot}", "robot: {capture: robot, document: /id}");
    let file = place.words(&both);
    counts(&file, &[("members.quarantined.robot_conflict", 1), ("signals.speed.kept", 2)]).says("robot_conflict");
    let document = change(&both, "document: /id}", "document: /id, onConflict: Document}");
    let other = Place::new();
    other.write(OBJECT, pack::zip(&entries));
    counts(&other.words(&document), &[("members.quarantined.robot_conflict", 0), ("signals.speed.kept", 3)]);
    let robots: Vec<_> = python::rows(&other.result()).lines().map(|l| l[..2.min(l.len())].to_owned()).collect();
    assert_eq!(robots.iter().filter(|r| *r == "R1").count(), 2, "{robots:?}");
}

#[test]
fn a_robot_that_only_documents_tell_is_one_robot_whatever_the_names_say() {
    let place = Place::new();
    let said = |capture: &str, n: i64, blanks: usize| {
        let text = change(&document(n, "1"), "{\"speed\"", "{\"id\": \"y\", \"speed\"") + &" ".repeat(blanks);
        Entry::stored(member(capture, n), text.as_bytes())
    };
    // Enough bytes that two names would be two groups of robots.
    let mut entries: Vec<_> = (0..8).map(|n| said("a", n, if n == 0 { 9 << 20 } else { 0 })).collect();
    entries.push(said("b", 8, 0));
    place.write(OBJECT, pack::zip(&entries));
    let words = change(SMALL, "{capture: robot}", "{capture: robot, document: /id, onConflict: Document}");
    let file = place.words(&change(&words, "rows: {signal: speed}", "robots: {include: [y]}\n  rows: {signal: speed}"));
    program::fleetloom(&["run", "-f", &file.display().to_string(), "--threads", "1"]).expect(0);
    assert_eq!(count(&shown(&file), "rows.written"), 9);
    let rows = python::rows(&place.result());
    let last = rows.lines().last().expect("rows");
    assert!(last.split_whitespace().any(|cell| cell == "9"), "the last window holds all nine:\n{rows}");
}

#[test]
fn robots_that_take_no_part_are_not_read() {
    let place = Place::new();
    for robot in ["r1", "r2"] {
        place.write(&format!("archive/{}", member(robot, 0)), document(0, "1"));
    }
    let file =
        place.words(&change(&plain(), "rows: {signal: speed}", "robots: {include: [r1]}\n  rows: {signal: speed}"));
    counts(&file, &[("members.read", 1), ("rows.written", 1)]);
}

/// The small words over plain objects: a JSON file per robot and stamp.
fn plain() -> String {
    let words = change(SMALL, "  members: \"{robot}/{millis}.json*\"\n", "");
    change(&words, "{date}.zip", "{robot}/{millis}.json")
}

#[test]
fn an_object_of_lines_that_holds_none_is_read() {
    for format in ["Json", "NdJson"] {
        let place = Place::new();
        place.write(&format!("archive/{}", member("r1", 0)), document(0, "1"));
        place.write(&format!("archive/{}", member("r1", 5)), "");
        let file = place.words(&change(&plain(), "format: Json", &format!("format: {format}")));
        // No document at all is not JSON; no line is nothing.
        let refused = u64::from(format == "Json");
        counts(&file, &[("members.read", 2), ("members.documents", 1), ("members.quarantined.not_json", refused)]);
    }
}

#[test]
fn a_link_to_nothing() {
    let place = Place::new();
    place.write(&format!("archive/{}", member("r1", 0)), document(0, "1"));
    std::os::unix::fs::symlink("nowhere", place.path(&format!("archive/{}", member("r1", 5)))).unwrap();
    let outcome =
        program::run(&place.words(&plain())).expect(2).says("is a symbolic link to nothing").says("remove it");
    let errors: Vec<_> = outcome.stderr.lines().filter(|line| line.starts_with("error:")).collect();
    assert_eq!((errors.len(), errors[0].matches("symbolic link").count()), (1, 1), "{errors:?}");
    assert!(place.versions().is_empty());
}

#[test]
fn a_folder_that_is_not_there() {
    let place = Place::new();
    program::run(&place.words(SMALL)).expect(2).says("archive");
    assert!(place.versions().is_empty());
}

#[test]
fn a_disk_that_is_full() {
    let (place, file) = small(&(0..2_000).map(|n| good("r1", n * 5)).collect::<Vec<_>>());
    let script = python::repository().join("tests/e2e/full_disk.sh");
    let mut command = Command::new("bash");
    command.arg(script).arg(program::path()).arg(&file).arg(place.result());
    let outcome = Running::start(command).finish().expect(0);
    let outcome = outcome.says("full: exit 4").says("no space left").says("versions while full: 0");
    outcome.says("after: exit 0").says("versions after: 1");
}

/// Runs as nobody: root may read and write everything, whatever the mode.
fn run_as_nobody(place: &Place, file: &Path) -> Outcome {
    let program = place.path("fleetloom");
    std::fs::copy(program::path(), &program).expect("the program can be copied");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program).arg("run").arg("-f").arg(file);
    Running::start(command).finish()
}

/// Sets the mode of a path.
fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("own files have modes");
}

/// Runs without the right that the test took away: as nobody for root, as oneself otherwise.
fn run_without_right(place: &Place, file: &Path) -> Outcome {
    if rustix::process::geteuid().is_root() { run_as_nobody(place, file) } else { program::run(file) }
}

#[test]
fn no_permission_to_read() {
    let (place, file) = small(&[good("r1", 0)]);
    mode(place.folder(), 0o777);
    mode(&place.path(OBJECT), 0o000);
    run_without_right(&place, &file).expect(2).says("2024-05-01.zip").says("permission");
    mode(&place.path(OBJECT), 0o644);
    assert!(place.versions().is_empty());
}

#[test]
fn no_permission_to_write() {
    let (place, file) = small(&[good("r1", 0)]);
    mode(place.folder(), 0o755);
    std::fs::create_dir(place.result()).unwrap();
    mode(&place.result(), 0o555);
    run_without_right(&place, &file).expect(2).says("result").says("permission");
    mode(&place.result(), 0o755);
    assert!(place.versions().is_empty());
}
