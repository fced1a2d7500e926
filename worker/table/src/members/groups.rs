//! Which robots the row groups of a member list hold: a line in the list's footer. A reader that wants some robots opens only the
//! groups that have them, where each robot's members lie together.

use super::Robots;
use parquet::file::metadata::FileMetaData;
use pipeline::member::Member;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The line's key.
pub(super) const KEY: &str = "fleetloom.robots";

/// A row group of more robots is not told: where robots are interleaved, each has all of them.
const ROBOTS_MAX: usize = 64;

/// By row group; `None`: it may hold any.
type Groups<T> = Vec<Option<T>>;

/// The line while a list is written.
#[derive(Debug)]
pub(super) struct GroupsWriter {
    group_rows: usize,
    rows: usize,
    last: Option<Arc<str>>,
    groups: Groups<BTreeSet<Arc<str>>>,
}

impl GroupsWriter {
    /// For a list with so many rows in each group but the last.
    pub(super) fn new(group_rows: usize) -> Self {
        Self { group_rows, rows: 0, last: None, groups: Vec::new() }
    }

    /// Adds the next member.
    pub(super) fn add(&mut self, member: &Member) {
        if self.rows.is_multiple_of(self.group_rows) {
            self.groups.push(Some(BTreeSet::new()));
            self.last = None;
        }
        self.rows += 1;
        let Some(group) = self.groups.last_mut() else { return };
        let (Some(robots), Some(robot)) = (group.as_mut(), &member.robot) else { return *group = None };
        if self.last.as_ref() != Some(robot) {
            self.last = Some(Arc::clone(robot));
            robots.insert(Arc::clone(robot));
        }
        if robots.len() > ROBOTS_MAX {
            *group = None;
        }
    }

    /// The line.
    pub(super) fn line(&self) -> String {
        let names = |robots: &BTreeSet<Arc<str>>| robots.iter().map(|robot| robot.to_string()).collect();
        let groups: Groups<Vec<String>> = self.groups.iter().map(|group| group.as_ref().map(names)).collect();
        serde_json::json!(groups).to_string()
    }
}

/// The line of a list that is read; without one any group may hold any robot.
#[derive(Debug, Default)]
pub(super) struct GroupsReader(Groups<Vec<String>>);

impl GroupsReader {
    /// As a footer says.
    pub(super) fn of(footer: &FileMetaData) -> Self {
        let line = footer.key_value_metadata().into_iter().flatten().find(|line| line.key == KEY);
        let text = line.and_then(|line| line.value.as_deref());
        Self(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    /// Whether a group may hold a member of such robots.
    pub(super) fn may_hold(&self, group: usize, robots: &Robots) -> bool {
        match self.0.get(group) {
            Some(Some(names)) => names.iter().any(|name| robots(Some(name))),
            Some(None) | None => true,
        }
    }
}
