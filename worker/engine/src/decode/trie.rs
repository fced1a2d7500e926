//! The trie of [`super::plan`] while it grows, and how it becomes nodes.

use super::json::Quoted;
use super::plan::{Child, Node, position};
use pipeline::pointer::Pointer;

/// A way down.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Branch<'a> {
    /// A key of an object, or a position of an array.
    Key(&'a str),
    /// Each element of an array.
    Each,
    /// Each value of an object.
    Values,
}

/// All places of an archive's words.
#[derive(Debug)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    /// By node: whether its value is kept.
    kept: Vec<bool>,
}

impl Trie {
    /// The document.
    pub(crate) const ROOT: usize = 0;

    /// Only the document.
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()], kept: vec![false] }
    }

    /// The node one way down, made if it is not there.
    fn down(&mut self, node: usize, branch: Branch<'_>) -> usize {
        let there = match branch {
            Branch::Key(key) => self.nodes[node].children.iter().find(|c| c.name == key).map(|c| c.node),
            Branch::Each => self.nodes[node].each,
            Branch::Values => self.nodes[node].values,
        };
        if let Some(there) = there {
            return there;
        }
        let new = self.nodes.len();
        self.nodes.push(Node { by_name: matches!(branch, Branch::Key(_)), ..Node::default() });
        self.kept.push(false);
        match branch {
            Branch::Key(key) => self.nodes[node].children.push(Child {
                name: key.to_owned(),
                quoted: Quoted::new(key),
                position: position(key),
                node: new,
                scalar: None,
                walk: false,
                needs: Vec::new(),
                needed: false,
            }),
            Branch::Each => self.nodes[node].each = Some(new),
            Branch::Values => self.nodes[node].values = Some(new),
        }
        new
    }

    /// The node that a pointer leads to from `node`.
    pub(crate) fn follow(&mut self, node: usize, pointer: &Pointer) -> usize {
        pointer.tokens.iter().fold(node, |node, token| self.down(node, Branch::Key(token)))
    }

    /// Keeps the value of a node; gives the node back.
    pub(crate) fn keep(&mut self, node: usize) -> usize {
        self.kept[node] = true;
        node
    }

    /// One step of a signal's walk.
    pub(crate) fn pass(&mut self, node: usize, branch: Branch<'_>, signal: usize) -> usize {
        match branch {
            Branch::Key(key) => self.nodes[node].by_key.push((signal, position(key).is_some())),
            Branch::Each => self.nodes[node].by_each.push(signal),
            Branch::Values => self.nodes[node].by_values.push(signal),
        }
        self.down(node, branch)
    }

    /// The end of a signal's walk.
    pub(crate) fn record(&mut self, node: usize, signal: usize) {
        self.nodes[node].records.push(signal);
    }

    /// The nodes with their slots, and the slot of each kept node. `wanted` has the kept nodes of each signal.
    pub(crate) fn finish(mut self, wanted: &[Vec<usize>]) -> (Vec<Node>, Vec<usize>) {
        let mut slot_of = vec![0; self.nodes.len()];
        self.number(Self::ROOT, 0, &mut slot_of);
        let needed: Vec<Vec<usize>> =
            wanted.iter().map(|kept| kept.iter().map(|node| slot_of[*node]).collect()).collect();
        self.needs(Self::ROOT, &needed);
        (self.nodes, slot_of)
    }

    /// Numbers the slots at and below a node from `next` on; gives the number after the last.
    fn number(&mut self, node: usize, mut next: usize, slot_of: &mut [usize]) -> usize {
        let start = next;
        if self.kept[node] {
            slot_of[node] = next;
            self.nodes[node].slot = Some(next);
            next += 1;
        }
        for below in self.below(node) {
            next = self.number(below, next, slot_of);
        }
        let node = &mut self.nodes[node];
        node.slots = start..next;
        let ends = node.children.is_empty() && node.each.is_none() && node.values.is_none() && node.records.is_empty();
        node.leaf = ends && node.slot.is_some();
        next
    }

    /// The nodes one way down.
    fn below(&self, node: usize) -> Vec<usize> {
        let node = &self.nodes[node];
        node.children.iter().map(|c| c.node).chain(node.each).chain(node.values).collect()
    }

    /// Notes at each way down whether it is a walk and which slots beside it its records need. Gives the signals with a
    /// record at or below the node.
    fn needs(&mut self, node: usize, needed: &[Vec<usize>]) -> Vec<usize> {
        let mut signals = Vec::new();
        let inside = self.nodes[node].slots.clone();
        for index in 0..self.nodes[node].children.len() {
            let below = self.nodes[node].children[index].node;
            let found = self.needs(below, needed);
            let own = self.nodes[below].slots.clone();
            let mut needs: Vec<usize> = found.iter().flat_map(|signal| needed[*signal].iter().copied()).collect();
            needs.retain(|slot| inside.contains(slot) && !own.contains(slot));
            needs.sort_unstable();
            needs.dedup();
            let scalar = self.nodes[below].slot.filter(|_| self.nodes[below].leaf);
            let child = &mut self.nodes[node].children[index];
            child.scalar = scalar;
            child.walk = !found.is_empty();
            child.needs = needs;
            signals.extend(found);
        }
        let wanted: Vec<usize> = self.nodes[node].children.iter().flat_map(|c| c.needs.iter().copied()).collect();
        for index in 0..self.nodes[node].children.len() {
            let own = self.nodes[self.nodes[node].children[index].node].slots.clone();
            self.nodes[node].children[index].needed = wanted.iter().any(|slot| own.contains(slot));
        }
        for below in [self.nodes[node].each, self.nodes[node].values].into_iter().flatten() {
            signals.extend(self.needs(below, needed));
        }
        self.nodes[node].passage = !signals.is_empty();
        signals.extend(&self.nodes[node].records);
        signals
    }
}
