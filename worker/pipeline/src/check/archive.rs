//! Archive words: patterns, robot, limits; signals are checked beside.

use super::desk::Desk;
use super::{signal, store};
use crate::archive::{Archive, Limits, RobotRule};
use crate::pattern::Pattern;
use crate::pointer::Pointer;
use crate::read::Document;
use crate::spec::{ArchiveSpec, LimitsSpec, OnConflict, RobotSpec};
use crate::time::{MINUTE_NS, words};
use crate::{name, spec};

/// How far an observation may stray from its member's stamp, when nothing is said.
const LATENESS_NS: i64 = 10 * MINUTE_NS;
/// `limits` when nothing is said.
const LIMITS: Limits = Limits { member_bytes_max: 64 << 20, depth_max: 64, records_max: 1_000_000 };
/// A member is held whole in memory, with 32-bit offsets.
const MEMBER_BYTES_MOST: u64 = 2 << 30;
/// Decoding recurses once per level.
const DEPTH_MOST: u32 = 1_000;

/// The archive, ready; where there are mistakes, they are on the desk.
pub(super) fn check(document: &Document, words: &ArchiveSpec, desk: &mut Desk) -> Archive {
    let name = document.metadata.name.clone();
    if !name::is_label(&name, name::LABEL_MAX) {
        let remedy = "write lower case letters, digits and -, at most 63, such as ur3";
        desk.report("metadata.name", format!("is {name:?}, which is no DNS label"), remedy);
    }
    let store = store::check(&words.store, "spec.store", document.folder.as_deref(), desk);
    let objects = pattern("spec.objects", &words.objects, desk);
    refuse_dots(&words.objects, desk);
    let members = words.members.as_deref().map(|text| pattern("spec.members", text, desk));
    // A pattern with a mistake may capture anything.
    let captures = match (&objects, &members) {
        (Some(objects), None) => Some(objects.names().to_vec()),
        (Some(objects), Some(Some(members))) => Some([objects.names(), members.names()].concat()),
        _ => None,
    };
    let robot = robot(&words.robot, captures.as_deref(), desk);
    Archive {
        name,
        store,
        format: words.format,
        lateness_ns: desk.duration("spec.lateness", words.lateness.as_deref(), LATENESS_NS),
        covers_ns: desk.duration("spec.covers", words.covers.as_deref(), 0),
        robot,
        limits: words.limits.as_ref().map_or(LIMITS, |limits| check_limits(limits, desk)),
        signals: signal::check_all(&words.signals, desk),
        objects: objects.unwrap_or_else(Pattern::everything),
        members: members.map(|members| members.unwrap_or_else(Pattern::everything)),
    }
}

fn pattern(path: &str, text: &str, desk: &mut Desk) -> Option<Pattern> {
    if let Some(rest) = text.strip_prefix('/') {
        desk.report(path, format!("is {text:?}, but keys do not start with /"), format!("write {rest:?}"));
    }
    desk.take(path, Pattern::parse(text))
}

/// Keys of objects stay below the store: no store has one with these segments.
fn refuse_dots(objects: &str, desk: &mut Desk) {
    if let Some(dots) = objects.split('/').find(|segment| matches!(*segment, "." | "..")) {
        let what = format!("is {objects:?}, but keys lie below the store and never hold {dots}");
        desk.report("spec.objects", what, "write the folder that holds all objects as spec.store.url");
    }
}

fn robot(words: &RobotSpec, captures: Option<&[String]>, desk: &mut Desk) -> RobotRule {
    if words.capture.is_none() && words.document.is_none() {
        let remedy = "write {capture: robot} for a name in the key, or {document: /robotId} for one in the document";
        desk.report("spec.robot", "names neither capture nor document", remedy);
    }
    match (&words.capture, captures) {
        (Some(capture), Some([])) => {
            let remedy = format!("write {{{capture}}} into one of them, or {{document: /robotId}} here");
            desk.report("spec.robot.capture", format!("is {capture}, but objects and members capture nothing"), remedy);
        }
        (Some(capture), Some(captures)) => {
            let known: Vec<&str> = captures.iter().map(String::as_str).collect();
            desk.find("spec.robot.capture", "capture in objects or members", capture, &known);
        }
        _ => {}
    }
    let document = words.document.as_deref().and_then(|text| {
        let pointer = desk.take("spec.robot.document", Pointer::parse(text))?;
        if pointer.tokens.is_empty() {
            desk.report(
                "spec.robot.document",
                "is the whole document",
                "write a pointer to its text, such as /robotId",
            );
        }
        Some(pointer)
    });
    if words.on_conflict.is_some() && (words.capture.is_none() || words.document.is_none()) {
        desk.report(
            "spec.robot.onConflict",
            "has nothing to decide",
            "write both capture and document, or leave it out",
        );
    }
    RobotRule {
        capture: words.capture.clone(),
        document,
        on_conflict: words.on_conflict.unwrap_or(OnConflict::Quarantine),
    }
}

fn check_limits(limits: &LimitsSpec, desk: &mut Desk) -> Limits {
    let member_bytes_max = match &limits.member_bytes {
        None => LIMITS.member_bytes_max,
        Some(text) => {
            let path = "spec.limits.memberBytes";
            let bytes = desk.take(path, words::size_bytes(text)).unwrap_or(LIMITS.member_bytes_max);
            if bytes == 0 || bytes > MEMBER_BYTES_MOST {
                desk.report(path, format!("is {text}, but a member is held in memory"), "write a size from 1 to 2Gi");
            }
            bytes
        }
    };
    let depth_max = limits.depth.unwrap_or(LIMITS.depth_max);
    if depth_max == 0 || depth_max > DEPTH_MOST {
        let remedy = format!("write a depth from 1 to {DEPTH_MOST}");
        desk.report("spec.limits.depth", format!("is {depth_max}"), remedy);
    }
    let records_max = limits.records_per_member.unwrap_or(LIMITS.records_max);
    if records_max == 0 {
        desk.report("spec.limits.recordsPerMember", "is 0: nothing could be read", "write a number such as 1000000");
    }
    Limits { member_bytes_max, depth_max, records_max }
}

/// The time units a column's free `unit` can mean, by their words.
pub(super) fn unit_word(text: &str) -> Option<spec::Unit> {
    UNITS.iter().find(|(word, _)| *word == text).map(|(_, unit)| *unit)
}

/// The words of [`spec::Unit`].
pub(super) const UNITS: [(&str, spec::Unit); 6] = [
    ("s", spec::Unit::Seconds),
    ("ms", spec::Unit::Millis),
    ("us", spec::Unit::Micros),
    ("ns", spec::Unit::Nanos),
    ("Iso8601", spec::Unit::Iso8601),
    ("Format", spec::Unit::Format),
];
