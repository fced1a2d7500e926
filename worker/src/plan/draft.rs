//! The parts of a plan with what they read: taken from the base's plan where the archive's cells are the same, found out from the
//! member lists where they are not.
//!
//! ```text
//! days to cut    ─► survey of their objects' members ─► parts ─┐   (a small day is one part)
//! days as before ─► parts of the base's plan ──────────────────┴─► inputs: of the base's plan, else a draft of what is near
//! ```

use super::RobotHashes;
use super::sources::{Sources, Walk};
use crate::fault::Fault;
use crate::work::Work;
use archive::members::content_id;
use pipeline::member::Stamp;
use pipeline::pipeline::DayRange;
use pipeline::plan::{
    Bucket, Cut, Draft, Drafted, Inputs, Known, Outline, Part, Plan, Sight, Survey, axes, digest, robots_known, sight,
    within,
};
use pipeline::time::Day;
use std::collections::{BTreeSet, HashMap};
use table::splits::read_splits;

/// Drafts the parts of the range: what they were cut from, and what each reads. A part that reads nothing is left out.
pub(super) async fn draft(
    work: &Work,
    sources: &Sources,
    range: Option<DayRange>,
    before: Option<&Plan>,
) -> Result<(Cut, Vec<Drafted>), Fault> {
    let too_large = read_splits(work.result.as_ref()).await?;
    let words = words(work, &too_large);
    let outline = Outline::new(sight(work.pipeline()), sources.cells());
    let drafting =
        Drafting { work, sources, known: Known::of(before, &words), sight: sight(work.pipeline()), outline, too_large };
    let (days, whole, parts) = if drafting.outline.is_timeless() {
        let (digest, parts) = drafting.whole(range).await?;
        (Vec::new(), digest, parts)
    } else {
        let (days, parts) = drafting.days(range).await?;
        (days, None, parts)
    };
    let drafted = drafting.inputs(within(parts, range)).await?;
    Ok((Cut { words, days, whole }, drafted))
}

/// A name for all that cuts depend on besides the members.
fn words(work: &Work, too_large: &BTreeSet<Part>) -> String {
    let pipeline = work.pipeline();
    let known = robots_known(&pipeline.archive);
    digest(format!("{:?}", (sight(pipeline), pipeline.shard_bytes, known, &pipeline.robots, too_large)).as_bytes())
}

/// What a draft is made from.
struct Drafting<'a> {
    work: &'a Work,
    sources: &'a Sources,
    known: Known<'a>,
    sight: Sight,
    outline: Outline<'a>,
    /// Parts that did not fit into a worker's memory.
    too_large: BTreeSet<Part>,
}

impl Drafting<'_> {
    /// The parts of an archive that is cut by robot only, and the name of its cells; without one where only some of the time is
    /// asked for.
    async fn whole(&self, range: Option<DayRange>) -> Result<(Option<String>, Vec<Part>), Fault> {
        let digest = range.is_none().then(|| self.outline.whole_digest());
        if let Some(parts) = digest.as_ref().and_then(|digest| self.known.parts_of_all(digest)) {
            return Ok((digest, parts));
        }
        let survey = self.survey((0..self.sources.objects.len()).collect(), |_| true).await?;
        Ok((digest, self.pieces(survey.parts_of_all(self.work.pipeline().shard_bytes))))
    }

    /// The parts of each day of the range, and the names of the days' cells.
    async fn days(&self, range: Option<DayRange>) -> Result<(Vec<(i32, String)>, Vec<Part>), Fault> {
        let asked = |day: &Day| range.is_none_or(|range| (range.from..range.to).contains(day));
        let named: Vec<(Day, String)> =
            self.outline.reached().into_iter().filter(asked).map(|day| (day, self.outline.day_digest(day))).collect();
        let mut parts: HashMap<Day, Vec<Part>> =
            named.iter().filter_map(|(day, digest)| Some((*day, self.known.parts_of(*day, digest)?))).collect();
        let shard_bytes = self.work.pipeline().shard_bytes;
        let mut open: BTreeSet<Day> =
            named.iter().map(|(day, _)| *day).filter(|day| !parts.contains_key(day)).collect();
        // A day that is small enough is one part, whoever's members it has.
        let small = open.extract_if(.., |day| self.outline.bytes_of(*day) <= shard_bytes);
        parts.extend(small.map(|day| (day, self.pieces(vec![Part { span: day.span(), bucket: Bucket::ALL }]))));
        let of_open = |stamp: Stamp| match stamp {
            Stamp::At(ns) => open.contains(&Day::of(ns)),
            Stamp::Day(day) => open.contains(&day),
            Stamp::Absent => false,
        };
        let survey = self.survey(self.outline.objects_of(&open), of_open).await?;
        let cut = |day: &Day| (*day, self.pieces(survey.parts_of(*day, shard_bytes)));
        parts.extend(open.iter().map(cut));
        let in_order = named.iter().flat_map(|(day, _)| parts.remove(day).unwrap_or_default()).collect();
        Ok((named.into_iter().map(|(day, digest)| (day.0, digest)).collect(), in_order))
    }

    /// The parts, with those that were found too large in pieces, in order.
    fn pieces(&self, parts: Vec<Part>) -> Vec<Part> {
        let axes = axes(&self.work.pipeline().archive);
        let mut pieces: Vec<Part> =
            parts.into_iter().flat_map(|part| part.pieces(self.sight, axes, &self.too_large)).collect();
        pieces.sort_unstable();
        pieces
    }

    /// The members of some objects, as far as they are wanted.
    async fn survey(&self, objects: BTreeSet<usize>, wanted: impl Fn(Stamp) -> bool) -> Result<Survey, Fault> {
        let mut survey = Survey::new(self.sight, robots_known(&self.work.pipeline().archive));
        let mut robots = RobotHashes::new(self.work);
        let mut walk = Walk::of(self.work, self.sources, objects);
        while let Some(members) = walk.next().await? {
            let members = members.iter().filter(|member| wanted(member.stamp));
            members.for_each(|member| survey.add(member, robots.of(member)));
        }
        Ok(survey)
    }

    /// What the parts read.
    async fn inputs(&self, parts: Vec<Part>) -> Result<Vec<Drafted>, Fault> {
        let seen: Vec<String> = parts.iter().map(|part| self.outline.part_digest(part)).collect();
        let known: Vec<Option<&Inputs>> =
            parts.iter().zip(&seen).map(|(part, seen)| self.known.inputs(*part, seen)).collect();
        let open: Vec<Part> =
            parts.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(part, _)| *part).collect();
        let mut found = self.read(open).await?.into_iter();
        let inputs = known.into_iter().map(|known| known.cloned().or_else(|| found.next().map(|(_, inputs)| inputs)));
        let inputs: Vec<Inputs> = inputs.map(Option::unwrap_or_default).collect();
        let drafted = parts.into_iter().zip(seen).zip(inputs);
        let drafted = drafted.map(|((part, seen), inputs)| Drafted { part, seen, inputs });
        Ok(drafted.filter(|drafted| !drafted.inputs.is_empty()).collect())
    }

    /// What parts read, from the lists of the objects near them.
    async fn read(&self, parts: Vec<Part>) -> Result<Vec<(Part, Inputs)>, Fault> {
        let objects = self.outline.objects_near(&parts);
        let mut draft = Draft::new(self.sight, parts);
        let mut robots = RobotHashes::new(self.work);
        let mut walk = Walk::of(self.work, self.sources, objects);
        while let Some(members) = walk.next().await? {
            for member in &members {
                let object = &self.sources.objects[member.object as usize];
                draft.add(&object.key, member, robots.of(member), &content_id(member, object));
            }
        }
        Ok(draft.finish())
    }
}
