//! Which members changed since the base's plan: for people, who are told why a shard is computed again.
//!
//! Only cells that differ are opened, and only so many: a reason that names three members is worth a few reads, not thousands.
//! Where the old list is gone, or too much changed, the reason says how many members there were and are.

use super::RobotHashes;
use super::sources::{self, Sources, member_list};
use crate::fault::Fault;
use crate::work::Work;
use archive::members::content_id;
use pipeline::member::Member;
use pipeline::plan::{Cell, Outline, Part, Plan, Reason, State, When, sight};
use pipeline::time::Span;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// Cells compared for one plan.
const CELLS_MAX: usize = 64;
/// Members of a cell that is compared: more are too many to hold two of.
const MEMBERS_MAX: u64 = 100_000;

/// A member that is not as it was.
struct Change {
    member: Member,
    text: String,
}

/// Object key and hour.
type Place<'a> = (&'a str, When);

/// Tells each stale shard of the plan which of its members changed.
pub(super) async fn name(work: &Work, plan: &mut Plan, sources: &Sources, before: &Plan) -> Result<(), Fault> {
    let changed =
        |state: &State| matches!(state, State::Stale(Reason::InputChanged { .. } | Reason::ContextChanged { .. }));
    if !plan.shards.iter().any(|shard| changed(&shard.state)) {
        return Ok(());
    }
    let Some(old) = sources::load(work, &before.source).await? else { return Ok(()) };
    let sight = sight(work.pipeline());
    let mut comparing = Comparing {
        work,
        old: &old,
        new: sources,
        old_outline: Outline::new(sight, old.cells()),
        new_outline: Outline::new(sight, sources.cells()),
        compared: HashMap::new(),
    };
    let mut robots = RobotHashes::new(work);
    for shard in &mut plan.shards {
        let State::Stale(reason) = &mut shard.state else { continue };
        let Some(changes) = reason.changes_mut() else { continue };
        for change in comparing.part(&shard.part).await?.iter().flat_map(|cell| cell.iter()) {
            if shard.part.role(sight, change.member.stamp, robots.of(&change.member)).is_some() {
                changes.add(&change.text);
            }
        }
    }
    Ok(())
}

struct Comparing<'a> {
    work: &'a Work,
    old: &'a Sources,
    new: &'a Sources,
    old_outline: Outline<'a>,
    new_outline: Outline<'a>,
    compared: HashMap<Place<'a>, Rc<Vec<Change>>>,
}

/// The two states of a cell: index of its object, and itself.
#[derive(Default, Clone, Copy)]
struct Pair<'a> {
    old: Option<(usize, &'a Cell)>,
    new: Option<(usize, &'a Cell)>,
}

impl<'a> Comparing<'a> {
    /// What changed in the cells near a part.
    async fn part(&mut self, part: &Part) -> Result<Vec<Rc<Vec<Change>>>, Fault> {
        let mut pairs: BTreeMap<Place<'a>, Pair<'a>> = BTreeMap::new();
        for (object, cell) in self.old_outline.near(part) {
            pairs.entry((&self.old.objects[object].key, cell.when)).or_default().old = Some((object, cell));
        }
        for (object, cell) in self.new_outline.near(part) {
            pairs.entry((&self.new.objects[object].key, cell.when)).or_default().new = Some((object, cell));
        }
        let digest = |cell: Option<(usize, &'a Cell)>| cell.map(|(_, cell)| cell.digest.as_str());
        pairs.retain(|_, pair| digest(pair.old) != digest(pair.new));
        let mut changes = Vec::new();
        for (place, pair) in pairs {
            changes.extend(self.cell(place, pair).await?);
        }
        Ok(changes)
    }

    /// What changed in one cell; `None`: too much to look at.
    async fn cell(&mut self, place: Place<'a>, pair: Pair<'a>) -> Result<Option<Rc<Vec<Change>>>, Fault> {
        if let Some(known) = self.compared.get(&place) {
            return Ok(Some(Rc::clone(known)));
        }
        let members = |cell: Option<(usize, &Cell)>| cell.map_or(0, |(_, cell)| cell.members);
        if self.compared.len() >= CELLS_MAX || members(pair.old).max(members(pair.new)) > MEMBERS_MAX {
            return Ok(None);
        }
        let (old, new) = (self.members(self.old, pair.old).await?, self.members(self.new, pair.new).await?);
        let found = Rc::new(differences(place.0, old, new));
        self.compared.insert(place, Rc::clone(&found));
        Ok(Some(found))
    }

    /// The members of a cell with the names of their bytes; none where their list is gone.
    async fn members(&self, sources: &Sources, cell: Option<(usize, &Cell)>) -> Result<Vec<(Member, [u8; 32])>, Fault> {
        let Some((index, cell)) = cell else { return Ok(Vec::new()) };
        let span = Span { from_ns: cell.first_ns, to_ns: cell.last_ns.saturating_add(1) };
        let span = if cell.when == When::Never { Span::ALL } else { span };
        let members = member_list(self.work, sources, index, span).await?;
        let members = members.into_iter().filter(|member| When::of(member.stamp) == cell.when);
        let named = |member| {
            let content = content_id(&member, &sources.objects[index]);
            (member, content)
        };
        Ok(members.map(named).collect())
    }
}

/// The members that are in one list and not in the other, by name. Of equal names the last counts.
fn differences(object: &str, old: Vec<(Member, [u8; 32])>, new: Vec<(Member, [u8; 32])>) -> Vec<Change> {
    let mut old: BTreeMap<Arc<str>, (Member, [u8; 32])> =
        old.into_iter().map(|(member, content)| (Arc::clone(&member.name), (member, content))).collect();
    let mut changes = Vec::new();
    for (member, content) in new {
        match old.remove(&member.name) {
            Some((_, before)) if before == content => {}
            Some(_) => changes.push(change(object, member, "changed")),
            None => changes.push(change(object, member, "added")),
        }
    }
    changes.extend(old.into_values().map(|(member, _)| change(object, member, "removed")));
    changes.sort_by(|one, other| one.text.cmp(&other.text));
    changes
}

/// `robot member what`, the robot where the member's name does not hold it.
fn change(object: &str, member: Member, what: &str) -> Change {
    let name = if member.name.is_empty() { object } else { &*member.name };
    let text = match member.robot.as_deref().filter(|robot| !name.contains(robot)) {
        Some(robot) => format!("{robot} {name} {what}"),
        None => format!("{name} {what}"),
    };
    Change { member, text }
}
