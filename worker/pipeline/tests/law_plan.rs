//! Laws of the cut: parts tile robots × time, stay where they are when data is added, and see whatever their rows need.

use fleetloom_pipeline::member::{Member, Packing, Stamp};
use fleetloom_pipeline::plan::{
    Bucket, Cell, Cells, Draft, Inputs, Outline, Part, Role, Sight, Survey, When, robot_hash,
};
use fleetloom_pipeline::time::{DAY_NS, Span};
use proptest::prelude::*;
use std::sync::Arc;

const SECOND_NS: i64 = 1_000_000_000;
/// In how many parts a member's time is divided to pick an observation.
const PARTS: i64 = 1_000;
const START_NS: i64 = 19_000 * DAY_NS;

fn member(position: u64, robot: u32, second: i64, bytes: u64) -> Member {
    let robot: Arc<str> = format!("robot-{robot}").into();
    let stamp_ns = START_NS + second * SECOND_NS;
    Member {
        object: 0,
        position,
        name: format!("{robot}/{stamp_ns}.json").into(),
        robot: Some(robot),
        stamp: Stamp::At(stamp_ns),
        offset: 0,
        stored_bytes: bytes,
        unpacked_bytes: bytes,
        crc32: u32::try_from(position).ok(),
        packing: Packing::Stored,
    }
}

fn hash(member: &Member) -> Option<u64> {
    member.robot.as_deref().map(robot_hash)
}

fn content(member: &Member) -> [u8; 4] {
    member.crc32.unwrap_or_default().to_le_bytes()
}

/// The parts of an archive of one object with these members.
fn parts(sight: Sight, members: &[Member], bytes_max: u64) -> Vec<Part> {
    let mut survey = Survey::new(sight, true);
    members.iter().for_each(|member| survey.add(member, hash(member)));
    let cells = cells(members);
    let outline = Outline::new(sight, [("day.zip", cells.as_slice())]);
    if outline.is_timeless() {
        return survey.parts_of_all(bytes_max);
    }
    outline.reached().into_iter().flat_map(|day| survey.parts_of(day, bytes_max)).collect()
}

fn cells(members: &[Member]) -> Vec<Cell> {
    let mut cells = Cells::default();
    members.iter().for_each(|member| cells.add(member, &content(member)));
    cells.finish()
}

fn inputs(sight: Sight, parts: &[Part], members: &[Member]) -> Vec<(Part, Inputs)> {
    let mut draft = Draft::new(sight, parts.to_vec());
    for member in members {
        draft.add("day.zip", member, hash(member), &content(member));
    }
    draft.finish()
}

prop_compose! {
    fn sights()(
        back in 0i64..7_200, forward in 0i64..3_600, covers in 0i64..60, lateness in 0i64..900, alive in 0i64..7_200,
    ) -> Sight {
        Sight {
            back_ns: back * SECOND_NS,
            forward_ns: forward * SECOND_NS,
            covers_ns: covers * SECOND_NS,
            lateness_ns: lateness * SECOND_NS,
            alive_ns: alive * SECOND_NS,
        }
    }
}

fn fleets() -> impl Strategy<Value = Vec<Member>> {
    prop::collection::vec((0u32..9, 0i64..3 * 86_400, 1u64..2_000), 1..200).prop_map(|cells| {
        let numbered = cells.into_iter().enumerate();
        numbered.map(|(at, (robot, second, bytes))| member(at as u64, robot, second, bytes)).collect()
    })
}

proptest! {
    #[test]
    fn each_member_is_owned_by_exactly_one_part(sight in sights(), members in fleets(), aim in 500u64..50_000) {
        let parts = parts(sight, &members, aim);
        for member in &members {
            let owners = parts.iter().filter(|part| part.role(sight, member.stamp, hash(member)) == Some(Role::Own));
            prop_assert_eq!(owners.count(), 1);
        }
    }

    #[test]
    fn each_row_falls_into_exactly_one_part(
        sight in sights(), members in fleets(), aim in 500u64..50_000, share in 0..=PARTS,
    ) {
        let parts = parts(sight, &members, aim);
        for member in &members {
            let window = sight.window(member.stamp).unwrap();
            let time_ns = window.from_ns + (window.to_ns - window.from_ns - 1) / PARTS * share;
            let robot = hash(member).unwrap();
            let rows = parts.iter().filter(|part| part.span.contains(time_ns) && part.bucket.holds(robot));
            prop_assert_eq!(rows.count(), 1);
        }
    }

    #[test]
    fn a_part_reads_every_member_that_its_rows_can_see(
        sight in sights(), members in fleets(), aim in 500u64..50_000, share in 0..=PARTS,
    ) {
        let parts = parts(sight, &members, aim);
        for (member, part) in members.iter().flat_map(|member| parts.iter().map(move |part| (member, part))) {
            let window = sight.window(member.stamp).unwrap();
            let seen_ns = window.from_ns + (window.to_ns - window.from_ns - 1) / PARTS * share;
            let visible = part.bucket.holds(hash(member).unwrap())
                && seen_ns >= part.span.from_ns.saturating_sub(sight.back_ns)
                && seen_ns < part.span.to_ns.saturating_add(sight.forward_ns);
            if visible {
                prop_assert!(part.role(sight, member.stamp, hash(member)).is_some());
            }
        }
    }

    #[test]
    fn a_new_day_moves_no_other_days_cut(sight in sights(), members in fleets(), aim in 500u64..50_000) {
        let before = parts(sight, &members, aim);
        let mut more = members;
        more.extend((0..50).map(|at| member(1_000 + at, 3, 30 * 86_400 + at as i64 * 60, 900)));
        let after = parts(sight, &more, aim);
        prop_assert!(before.iter().all(|part| after.contains(part)));
    }

    #[test]
    fn the_inputs_of_a_part_are_those_of_all_members_that_it_reads(
        sight in sights(), members in fleets(), aim in 500u64..50_000,
    ) {
        let parts = parts(sight, &members, aim);
        for (part, found) in inputs(sight, &parts, &members) {
            let roles: Vec<_> = members.iter().filter_map(|member| part.role(sight, member.stamp, hash(member))).collect();
            let own = roles.iter().filter(|role| **role == Role::Own).count() as u64;
            prop_assert_eq!((found.members, found.context_members), (own, roles.len() as u64 - own));
        }
    }

    #[test]
    fn a_changed_member_changes_the_inputs_of_just_the_parts_that_read_it(
        sight in sights(), members in fleets(), aim in 500u64..50_000, pick in any::<prop::sample::Index>(),
    ) {
        let parts = parts(sight, &members, aim);
        let mut changed = members.clone();
        let at = pick.index(changed.len());
        changed[at].crc32 = Some(u32::MAX);
        let pairs = inputs(sight, &parts, &members).into_iter().zip(inputs(sight, &parts, &changed));
        for ((part, before), (_, after)) in pairs {
            let reads = part.role(sight, members[at].stamp, hash(&members[at])).is_some();
            prop_assert_eq!(reads, before != after);
        }
    }
}

proptest! {
    #[test]
    fn cells_that_are_the_same_promise_the_same_parts_and_inputs(
        sight in sights(), members in fleets(), aim in 500u64..50_000, pick in any::<prop::sample::Index>(), gone in any::<bool>(),
    ) {
        let mut changed = members.clone();
        let at = pick.index(changed.len());
        if gone { changed.remove(at); } else { changed[at].stored_bytes += 900; changed[at].crc32 = Some(u32::MAX); }
        let (before_cells, after_cells) = (cells(&members), cells(&changed));
        let before = Outline::new(sight, [("day.zip", before_cells.as_slice())]);
        let after = Outline::new(sight, [("day.zip", after_cells.as_slice())]);
        let (cut_before, cut_after) = (parts(sight, &members, aim), parts(sight, &changed, aim));
        for day in after.reached().into_iter().filter(|day| before.day_digest(*day) == after.day_digest(*day)) {
            let of = |parts: &[Part]| parts.iter().filter(|p| day.span().contains(p.span.from_ns)).copied().collect::<Vec<_>>();
            let known = of(&cut_before);
            prop_assert!(known.is_empty() || known == of(&cut_after));
        }
        let read_before = inputs(sight, &cut_after, &members);
        for ((part, then), (_, now)) in read_before.into_iter().zip(inputs(sight, &cut_after, &changed)) {
            if before.part_digest(&part) == after.part_digest(&part) {
                prop_assert_eq!(&then, &now);
            }
            let near: Vec<_> = after.near(&part).map(|(_, cell)| cell.when).collect();
            let reads = |member: &&Member| part.role(sight, member.stamp, hash(member)).is_some();
            prop_assert!(changed.iter().filter(reads).all(|member| near.contains(&When::of(member.stamp))));
        }
    }
}

#[test]
fn a_day_ordered_robot_by_robot_is_cut_by_robot() {
    let sight = Sight { back_ns: 0, forward_ns: 0, covers_ns: 0, lateness_ns: 0, alive_ns: 0 };
    let members: Vec<_> = (0u32..4)
        .flat_map(|r| (0u64..24).map(move |h| member(u64::from(r) * 24 + h, r, h as i64 * 3_600, 100)))
        .collect();
    let parts = parts(sight, &members, 2_400);
    assert!(parts.len() > 1);
    assert!(parts.iter().all(|part| part.span.to_ns - part.span.from_ns == DAY_NS));
}

#[test]
fn a_day_ordered_by_time_is_cut_by_time_but_not_below_four_contexts() {
    let sight = Sight { back_ns: 1_800 * SECOND_NS, forward_ns: 0, covers_ns: 0, lateness_ns: 0, alive_ns: 0 };
    let members: Vec<_> = (0u64..24)
        .flat_map(|h| (0u32..4).map(move |r| member(h * 4 + u64::from(r), r, h as i64 * 3_600, 100)))
        .collect();
    let halves = parts(sight, &members, 4_800);
    let hours = |part: &Part| (part.span.to_ns - part.span.from_ns) / (3_600 * SECOND_NS);
    assert!(halves.iter().all(|part| part.bucket.bits == 0 && hours(part) == 12), "{halves:?}");
    let finest = parts(sight, &members, 1);
    assert!(finest.iter().all(|part| hours(part) >= 2), "a part spans at least four contexts of half an hour");
}

#[test]
fn an_archive_without_stamps_is_cut_by_robot_only() {
    let sight = Sight { back_ns: 0, forward_ns: 0, covers_ns: 0, lateness_ns: 0, alive_ns: 0 };
    let mut members: Vec<_> = (0..8).map(|r| member(r.into(), r, 0, 100)).collect();
    members.iter_mut().for_each(|member| member.stamp = Stamp::Absent);
    let parts = parts(sight, &members, 300);
    assert!(parts.len() > 1);
    assert!(parts.iter().all(|part| part.span.from_ns == i64::MIN && part.span.to_ns == i64::MAX));
}

#[test]
fn a_name_that_tells_a_time_beyond_the_last_instant_is_of_the_part_of_all_time() {
    let sight = Sight { back_ns: 0, forward_ns: 0, covers_ns: 0, lateness_ns: 0, alive_ns: 0 };
    let last = Member { stamp: Stamp::At(i64::MAX), ..member(0, 1, 0, 100) };
    let all = Part { span: Span::ALL, bucket: Bucket::ALL };
    let found = inputs(sight, &[all], &[last, member(1, 1, 5, 100)]);
    assert_eq!(found.iter().map(|(_, inputs)| inputs.members).collect::<Vec<_>>(), [2]);
}
