//! Walks one document along a [`Plan`]: fills slots, meets records, hands them over. One pass, nothing is built.
//!
//! Records are handed over when they end, so what they need from around them must have been read. Where it stands later in
//! the text (`{"poses": […], "ts": 5}`) the walk into `poses` is *put off* until the end of its object: moved over once,
//! then visited. Robots write the same keys in the same order, so the next key is guessed from what followed last time.
//!
//! Of duplicate keys the last counts. Inside a record that comes by itself (the later value overwrites the slot). On the
//! way to records it would be too late, so the walk stops with [`Stop::Again`] and the document is walked *exactly*: every
//! walk is put off, the last one wins.

use super::json::{Cursor, Key, Stop, Token, What};
use super::observe::Sink;
use super::plan::{Child, Node, Plan};
use super::script::Script;
use super::text;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};
use std::mem;

/// Where the current element of a walk was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// Its key; absent in an array.
    pub(crate) key: Token,
    /// Its position, or ordinal among an object's values.
    pub(crate) index: Token,
}

/// A walk put off.
#[derive(Debug, Clone, Copy)]
struct Later {
    /// Which child.
    child: usize,
    /// Where its value begins.
    at: usize,
}

/// What a walk needs beside the text; reused from document to document.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    /// By slot.
    pub(crate) slots: Vec<Token>,
    /// The walks that are open, from the outside in.
    pub(crate) frames: Vec<Frame>,
    /// By node and by child before (0: none): the child that followed last time.
    guesses: Vec<Vec<usize>>,
    /// By node: how its records are written, where they are plain.
    pub(super) scripts: Vec<Script>,
    /// Walks put off, of all open objects.
    later: Vec<Later>,
    /// Keys already seen, of all open objects.
    seen: Vec<bool>,
    /// Hashes of walked keys, of all open objects.
    hashes: Vec<u64>,
}

impl Ground {
    /// Room for the documents of a plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        let guesses = plan.nodes.iter().map(|node| (0..=node.children.len()).map(|c| c.min(last(node))).collect());
        Self {
            slots: vec![Token::ABSENT; plan.slots],
            guesses: guesses.collect(),
            scripts: plan.nodes.iter().map(|_| Script::default()).collect(),
            ..Self::default()
        }
    }

    /// Forgets what an interrupted walk left open.
    fn clear(&mut self) {
        self.frames.clear();
        self.later.clear();
        self.seen.clear();
        self.hashes.clear();
    }
}

/// Position of the last child, 0 without any.
fn last(node: &Node) -> usize {
    node.children.len().saturating_sub(1)
}

/// The walk of one document.
pub(crate) struct Walk<'w, 'a> {
    pub(crate) plan: &'w Plan,
    pub(crate) cursor: &'w mut Cursor<'a>,
    pub(crate) ground: &'w mut Ground,
    pub(crate) sink: &'w mut Sink,
    /// Put every walk off: the last of duplicate keys counts.
    exact: bool,
    /// Only fill slots: meet no records.
    gather: bool,
}

impl<'w, 'a> Walk<'w, 'a> {
    /// Walks the document that begins at the cursor.
    pub(crate) fn document(
        plan: &'w Plan,
        cursor: &'w mut Cursor<'a>,
        ground: &'w mut Ground,
        sink: &'w mut Sink,
        exact: bool,
    ) -> Result<(), Stop> {
        ground.clear();
        Walk { plan, cursor, ground, sink, exact, gather: false }.visit(0)
    }

    /// Takes the value at the cursor as what the node says.
    #[inline]
    fn visit(&mut self, id: usize) -> Result<(), Stop> {
        if self.plain(id) { Ok(()) } else { self.value(id) }
    }

    /// Takes the record at the cursor, if it is a plain one.
    #[inline]
    fn plain(&mut self, id: usize) -> bool {
        let plan = self.plan;
        plan.nodes[id].lane.as_ref().is_some_and(|lane| !self.gather && lane.take(id, self))
    }

    /// Takes any value.
    #[inline]
    fn value(&mut self, id: usize) -> Result<(), Stop> {
        let node = &self.plan.nodes[id];
        if let (true, Some(slot)) = (node.leaf, node.slot) {
            return self.cursor.token(&mut self.ground.slots[slot]);
        }
        self.branch(id)
    }

    /// Takes a value that has something below it, or is a record.
    fn branch(&mut self, id: usize) -> Result<(), Stop> {
        let node = &self.plan.nodes[id];
        self.ground.slots[node.slots.clone()].iter_mut().for_each(Token::forget);
        let mut token = Token::new(What::Absent, self.cursor.at, self.cursor.at);
        match self.cursor.byte() {
            Some(b'{') => {
                token.what = What::Object;
                self.keep(node, &token);
                self.object(id)?;
                token.end = self.cursor.at;
            }
            Some(b'[') => {
                token.what = What::Array;
                self.keep(node, &token);
                self.array(node)?;
                token.end = self.cursor.at;
            }
            _ => {
                self.cursor.token(&mut token)?;
                if token.what != What::Null {
                    self.ground.slots[node.slots.clone()].fill(Token::BLOCKED);
                }
            }
        }
        self.keep(node, &token);
        if !self.gather {
            self.end(node, &token);
        }
        Ok(())
    }

    /// Keeps a value in its slot, if it has one.
    fn keep(&mut self, node: &Node, token: &Token) {
        if let Some(slot) = node.slot {
            self.ground.slots[slot] = *token;
        }
    }

    /// A value has been taken: whatever ends with it. Null is as good as absent, but for an element of a walk.
    fn end(&mut self, node: &Node, token: &Token) {
        if token.what != What::Null {
            self.shapes(node, token);
        } else if node.by_name {
            return;
        }
        for signal in &node.records {
            self.sink.observe(self.plan, *signal, self.cursor.text, self.ground, token);
        }
    }

    /// Refuses the value for each signal that wanted to go on from here and could not.
    fn shapes(&mut self, node: &Node, token: &Token) {
        let (object, array) = (token.what == What::Object, token.what == What::Array);
        let by_key =
            node.by_key.iter().filter(|(_, position)| !(object || array && *position)).map(|(signal, _)| signal);
        let by_each = node.by_each.iter().filter(|_| !array);
        let by_values = node.by_values.iter().filter(|_| !object);
        for signal in by_key.chain(by_each).chain(by_values) {
            self.sink.misshapen(self.plan, *signal, self.cursor.text, token);
        }
    }

    /// Takes an object.
    fn object(&mut self, id: usize) -> Result<(), Stop> {
        let node = &self.plan.nodes[id];
        let start = self.cursor.at;
        let values = node.values.filter(|_| !self.gather);
        if node.children.is_empty() && values.is_none() {
            return self.cursor.skip();
        }
        if !node.children.is_empty() {
            self.cursor.enter()?;
            if node.passage { self.keys(id)? } else { self.fields(id)? }
        }
        if let Some(values) = values {
            self.cursor.at = start;
            self.cursor.enter()?;
            self.each_value(values)?;
        }
        Ok(())
    }

    /// Takes the keys of an object that the node names, where no records lie below it; moves over the others.
    fn fields(&mut self, id: usize) -> Result<(), Stop> {
        let node = &self.plan.nodes[id];
        let mut before = None;
        while let Some(index) = self.next_child(node, id, &mut before)? {
            let child = &node.children[index];
            match child.scalar {
                Some(slot) => self.cursor.token(&mut self.ground.slots[slot])?,
                None => self.visit(child.node)?,
            }
        }
        Ok(())
    }

    /// The same where records lie below: what they need is read before them, and of the same key the last counts.
    fn keys(&mut self, id: usize) -> Result<(), Stop> {
        let node = &self.plan.nodes[id];
        let (seen, later) = (self.ground.seen.len(), self.ground.later.len());
        self.ground.seen.resize(seen + node.children.len(), false);
        let mut before = None;
        while let Some(index) = self.next_child(node, id, &mut before)? {
            let child = &node.children[index];
            if mem::replace(&mut self.ground.seen[seen + index], true) && !self.exact {
                return Err(Stop::Again);
            }
            if self.must_wait(child) {
                self.put_off(later, index)?;
            } else {
                self.visit(child.node)?;
            }
        }
        self.come_back(node, later)?;
        self.ground.seen.truncate(seen);
        Ok(())
    }

    /// Moves to the value of the next key that the node names, over the others; which child it is. `None` at the end of the
    /// object. `before` is `None` before its first key, then one more than the child that came last, 0 without any.
    #[inline]
    fn next_child(&mut self, node: &Node, id: usize, before: &mut Option<usize>) -> Result<Option<usize>, Stop> {
        while self.cursor.next(b'}', before.is_none())? {
            let last = *before.get_or_insert(0);
            if let Some(index) = self.child(node, id, last)? {
                *before = Some(index + 1);
                return Ok(Some(index));
            }
            self.cursor.skip()?;
        }
        Ok(None)
    }

    /// Takes a key; which child of the node it is. The guess costs one comparison, a new order one search.
    #[inline]
    fn child(&mut self, node: &Node, id: usize, before: usize) -> Result<Option<usize>, Stop> {
        let children = &node.children;
        let guess = self.ground.guesses[id][before];
        if self.cursor.expect_key(&children[guess].quoted)? {
            return Ok(Some(guess));
        }
        let found = named(children, self.cursor)?;
        if let Some(found) = found {
            self.ground.guesses[id][before] = found;
        }
        Ok(found)
    }

    /// Whether records down this way need something that has not been read, or may yet be overwritten.
    fn must_wait(&self, child: &Child) -> bool {
        let missing = |slot: &usize| self.ground.slots[*slot].what == What::Absent;
        child.walk && !self.gather && (self.exact || child.needs.iter().any(missing))
    }

    /// Moves over a value that is to be walked later; of the same key the last counts.
    fn put_off(&mut self, floor: usize, child: usize) -> Result<(), Stop> {
        let at = self.cursor.at;
        match self.ground.later[floor..].iter_mut().find(|l| l.child == child) {
            Some(later) => later.at = at,
            None => self.ground.later.push(Later { child, at }),
        }
        self.cursor.skip()
    }

    /// Walks what was put off in the object that has just ended: first the slots that others need, then the records.
    fn come_back(&mut self, node: &Node, floor: usize) -> Result<(), Stop> {
        let end = self.cursor.at;
        let later = self.ground.later.split_off(floor);
        if later.is_empty() {
            return Ok(());
        }
        self.cursor.depth += 1;
        self.gather = true;
        for Later { child, at } in later.iter().filter(|l| node.children[l.child].needed) {
            self.cursor.at = *at;
            self.visit(node.children[*child].node)?;
        }
        self.gather = false;
        for Later { child, at } in &later {
            self.cursor.at = *at;
            self.visit(node.children[*child].node)?;
        }
        self.cursor.depth -= 1;
        self.cursor.at = end;
        Ok(())
    }

    /// Takes each value of an object as a walked element.
    fn each_value(&mut self, below: usize) -> Result<(), Stop> {
        let counts = if self.exact { Some(self.last_of_each_key()?) } else { None };
        let hashes = self.ground.hashes.len();
        let (mut first, mut index, mut place) = (true, 0, 0);
        while self.cursor.next(b'}', first)? {
            first = false;
            let key = self.cursor.key()?;
            if counts.as_ref().is_some_and(|counts| !counts[place]) {
                self.cursor.skip()?;
            } else {
                let hash = hash(&self.name(key));
                self.ground.hashes.push(hash);
                if !self.plain(below) {
                    let key = Token::new(key.what(), key.start, key.end);
                    self.element(below, Frame { key, index: Token::position(index) })?;
                }
                index += 1;
            }
            place += 1;
        }
        self.ground.hashes[hashes..].sort_unstable();
        let twice = self.ground.hashes[hashes..].windows(2).any(|pair| pair[0] == pair[1]);
        self.ground.hashes.truncate(hashes);
        if twice && !self.exact { Err(Stop::Again) } else { Ok(()) }
    }

    /// In the object that has just been entered: for each key whether it is the last of its name. Does not move.
    fn last_of_each_key(&mut self) -> Result<Vec<bool>, Stop> {
        let (at, depth) = (self.cursor.at, self.cursor.depth);
        let mut names = Vec::new();
        while self.cursor.next(b'}', names.is_empty())? {
            let key = self.cursor.key()?;
            names.push((self.name(key), names.len()));
            self.cursor.skip()?;
        }
        (self.cursor.at, self.cursor.depth) = (at, depth);
        let mut counts = vec![true; names.len()];
        names.sort_unstable();
        for pair in names.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            counts[pair[0].1] = false;
        }
        Ok(counts)
    }

    /// What a key says.
    fn name(&self, key: Key) -> Cow<'a, str> {
        text::content(&self.cursor.text[key.start..key.end], key.escaped)
    }

    /// Takes one walked element the long way.
    fn element(&mut self, below: usize, frame: Frame) -> Result<(), Stop> {
        self.ground.frames.push(frame);
        self.value(below)?;
        self.ground.frames.pop();
        Ok(())
    }

    /// Takes an array: first the positions that pointers name, then the positions on the way to records, then each element.
    fn array(&mut self, node: &Node) -> Result<(), Stop> {
        let (start, depth) = (self.cursor.at, self.cursor.depth);
        for child in node.children.iter().filter(|c| c.position.is_none()) {
            self.ground.slots[self.plan.nodes[child.node].slots.clone()].fill(Token::BLOCKED);
        }
        let was = mem::replace(&mut self.gather, true);
        self.positions(node, |_| true)?;
        self.gather = was;
        if !self.gather && node.passage {
            (self.cursor.at, self.cursor.depth) = (start, depth);
            self.positions(node, |child| child.walk)?;
        }
        let Some(below) = node.each.filter(|_| !self.gather) else {
            return if self.cursor.at == start { self.cursor.skip() } else { Ok(()) };
        };
        (self.cursor.at, self.cursor.depth) = (start, depth);
        self.cursor.enter()?;
        let (mut index, mut more) = (0, self.cursor.next(b']', true)?);
        while more {
            if let Some(lane) = &self.plan.nodes[below].lane {
                let (taken, is_left) = lane.take_elements(below, self)?;
                (index, more) = (index + taken, is_left);
            }
            if more {
                self.element(below, Frame { key: Token::ABSENT, index: Token::position(index) })?;
                index += 1;
                more = self.cursor.next(b']', false)?;
            }
        }
        Ok(())
    }

    /// Takes the elements of an array whose positions are chosen children of the node, and moves over the whole array.
    /// Without any chosen child it does not move.
    fn positions(&mut self, node: &Node, chosen: impl Fn(&Child) -> bool) -> Result<(), Stop> {
        if !node.children.iter().any(|c| c.position.is_some() && chosen(c)) {
            return Ok(());
        }
        self.cursor.enter()?;
        let mut index = 0;
        while self.cursor.next(b']', index == 0)? {
            match node.children.iter().find(|c| c.position == Some(index) && chosen(c)) {
                Some(child) => self.visit(child.node)?,
                None => self.cursor.skip()?,
            }
            index += 1;
        }
        Ok(())
    }
}

/// Takes a key; which of the children has that name.
pub(super) fn named(children: &[Child], cursor: &mut Cursor<'_>) -> Result<Option<usize>, Stop> {
    let key = cursor.key()?;
    let name = text::content(&cursor.text[key.start..key.end], key.escaped);
    Ok(children.iter().position(|child| child.name == name))
}

/// A hash that tells most different keys apart; equal hashes only cost an exact walk.
fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish()
}
