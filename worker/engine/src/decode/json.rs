//! A cursor over JSON text: strict, without a tree, without recursion.
//!
//! The caller walks the values it maps; [`Cursor::skip`] takes the others, however deep, and refuses the same mistakes:
//! whether a text is JSON does not depend on what is mapped. Beyond strict JSON only bare `NaN`, `Infinity` and
//! `-Infinity` are read. Mistakes are byte offsets into the text.

use super::literal::Literal;
use super::number::Number;
use super::text;

/// Why reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The text is not JSON from this byte on.
    NotJson(usize),
    /// The object or array that opens here is deeper than allowed.
    TooDeep(usize),
    /// A mapped key came twice where the first had already been used: begin the document again, exactly.
    Again,
}

/// What stands at a place of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Nothing.
    Absent,
    /// Nothing, because something on the way is neither object nor array nor null.
    Blocked,
    /// `null`.
    Null,
    /// `false`.
    False,
    /// `true`.
    True,
    /// A number.
    Number,
    /// A string that says what is written.
    Text,
    /// A string that must be unescaped.
    Escaped,
    /// An object.
    Object,
    /// An array.
    Array,
}

/// A value and where its text lies: without the quotes for a string, with the brackets for an object or array.
///
/// Flat, filled in place and read by reference: a token that is copied right after it was written stalls the processor
/// (store forwarding), once per value of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) what: What,
    /// First byte.
    pub(crate) start: usize,
    /// Byte after the last.
    pub(crate) end: usize,
    /// The number, if it is one.
    pub(crate) number: Number,
}

impl Token {
    /// Nothing there.
    pub(crate) const ABSENT: Self = Self::new(What::Absent, 0, 0);
    /// Nothing there, and something unfit on the way.
    pub(crate) const BLOCKED: Self = Self::new(What::Blocked, 0, 0);

    /// Anything but a number.
    pub(crate) const fn new(what: What, start: usize, end: usize) -> Self {
        Self { what, start, end, number: Number::ZERO }
    }

    /// A position, which no text says.
    pub(crate) const fn position(position: u64) -> Self {
        Self { what: What::Number, start: 0, end: 0, number: Number::integer(position) }
    }

    /// Says that nothing is there; the rest of an absent token means nothing.
    #[inline]
    pub(crate) fn forget(&mut self) {
        self.what = What::Absent;
    }

    /// Whether it is an object or array.
    pub(crate) fn is_container(&self) -> bool {
        matches!(self.what, What::Object | What::Array)
    }
}

/// The inside of a string, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// First byte after the quote.
    pub(crate) start: usize,
    /// The closing quote.
    pub(crate) end: usize,
    /// Whether it must be unescaped.
    pub(crate) escaped: bool,
}

impl Key {
    /// Which kind of text it is.
    pub(crate) fn what(self) -> What {
        if self.escaped { What::Escaped } else { What::Text }
    }
}

/// A key in quotes with its colon.
#[derive(Debug)]
pub(crate) struct Quoted(Literal);

impl Quoted {
    /// A key without the need to escape; one that has it is never met as it is written here.
    pub(crate) fn new(key: &str) -> Self {
        Self(Literal::new(format!("\"{key}\":").as_bytes()))
    }

    /// The key in its quotes.
    fn quoted(&self) -> &[u8] {
        &self.0.bytes()[..self.0.len() - 1]
    }
}

/// A position in a text, moving forward.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    /// All of the text.
    pub(crate) text: &'a str,
    /// The next byte.
    pub(crate) at: usize,
    /// How many objects and arrays are open.
    pub(crate) depth: u32,
    /// How many may be.
    depth_max: u32,
    /// Kinds of the containers that [`Self::skip`] has open: true for an object.
    open: Vec<bool>,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first byte of `text`.
    pub(crate) fn new(text: &'a str, depth_max: u32) -> Self {
        Self { text, at: 0, depth: 0, depth_max, open: Vec::new() }
    }

    /// The next byte, without moving.
    #[inline]
    pub(crate) fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The stop for a byte that does not fit.
    pub(crate) fn wrong(&self) -> Stop {
        Stop::NotJson(self.at.min(self.text.len()))
    }

    /// Moves over blanks.
    #[inline]
    pub(crate) fn blanks(&mut self) {
        self.at = after_blanks(self.text.as_bytes(), self.at);
    }

    /// The text from here on.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// Moves over a literal and the blanks behind it, if it is what comes next.
    #[inline]
    pub(crate) fn follow(&mut self, literal: &Literal) -> bool {
        let hit = literal.starts(self.rest());
        if hit {
            self.at += literal.len();
            self.blanks();
        }
        hit
    }

    /// Enters the object or array whose bracket is the next byte, and moves to its first key, value or closing bracket.
    #[inline]
    pub(crate) fn enter(&mut self) -> Result<(), Stop> {
        self.descend()?;
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// Counts the object or array whose bracket is the next byte, without moving.
    #[inline]
    pub(crate) fn descend(&mut self) -> Result<(), Stop> {
        if self.depth >= self.depth_max {
            return Err(Stop::TooDeep(self.at));
        }
        self.depth += 1;
        Ok(())
    }

    /// Inside an object or array, before its first element or after any: moves to the next one and says true, or leaves
    /// over the `close` bracket and says false.
    #[inline]
    pub(crate) fn next(&mut self, close: u8, first: bool) -> Result<bool, Stop> {
        self.blanks();
        match self.byte() {
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                self.blanks();
                Ok(true)
            }
            Some(_) if first => Ok(true),
            _ => Err(self.wrong()),
        }
    }

    /// Takes a key if it is spelled exactly so, its colon, and moves to its value. Otherwise
    /// nothing has moved, or what follows the key is wrong.
    #[inline]
    pub(crate) fn expect_key(&mut self, quoted: &Quoted) -> Result<bool, Stop> {
        if self.follow(&quoted.0) {
            return Ok(true);
        }
        let hit = self.rest().starts_with(quoted.quoted());
        if hit {
            self.at += quoted.quoted().len();
            self.colon()?;
        }
        Ok(hit)
    }

    /// Takes any key, its colon, and moves to its value.
    pub(crate) fn key(&mut self) -> Result<Key, Stop> {
        let key = self.string()?;
        self.colon()?;
        Ok(key)
    }

    /// Takes a colon and the blanks around it.
    #[inline]
    fn colon(&mut self) -> Result<(), Stop> {
        self.blanks();
        if self.byte() != Some(b':') {
            return Err(self.wrong());
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// Takes a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Key, Stop> {
        if self.byte() != Some(b'"') {
            return Err(self.wrong());
        }
        let start = self.at + 1;
        let (end, escaped) = text::scan(self.text.as_bytes(), start).map_err(Stop::NotJson)?;
        self.at = end + 1;
        Ok(Key { start, end, escaped })
    }

    /// Takes the value that begins here, whatever it is: objects and arrays as [`Self::skip`] does.
    #[inline]
    pub(crate) fn token(&mut self, into: &mut Token) -> Result<(), Stop> {
        into.start = self.at;
        into.what = match self.byte() {
            Some(b'"') => {
                let key = self.string()?;
                (into.start, into.end) = (key.start, key.end);
                into.what = key.what();
                return Ok(());
            }
            Some(b'{') => self.skip().map(|()| What::Object)?,
            Some(b'[') => self.skip().map(|()| What::Array)?,
            Some(b't') => self.literal("true", What::True)?,
            Some(b'f') => self.literal("false", What::False)?,
            Some(b'n') => self.literal("null", What::Null)?,
            Some(_) => {
                into.number = self.number()?;
                What::Number
            }
            None => return Err(self.wrong()),
        };
        into.end = self.at;
        Ok(())
    }

    /// Takes a number.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Result<Number, Stop> {
        match Number::quick(self.rest()) {
            Some((number, length)) => {
                self.at += length;
                Ok(number)
            }
            None => self.any_number(),
        }
    }

    #[inline(never)]
    fn any_number(&mut self) -> Result<Number, Stop> {
        let mut number = Number::ZERO;
        let scanned = number.scan(self.rest());
        self.at += scanned.map_err(|at| Stop::NotJson(self.at + at))?;
        Ok(number)
    }

    /// Takes one of the three words.
    fn literal(&mut self, word: &str, what: What) -> Result<What, Stop> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.wrong());
        }
        self.at += word.len();
        Ok(what)
    }

    /// Moves over the value that begins here. Iterative: its depth costs a byte per level, not a stack frame.
    pub(crate) fn skip(&mut self) -> Result<(), Stop> {
        let floor = self.open.len();
        let mut passed = Token::ABSENT;
        loop {
            match self.byte() {
                Some(bracket @ (b'{' | b'[')) => {
                    self.enter()?;
                    self.open.push(bracket == b'{');
                    if self.first()? {
                        continue;
                    }
                }
                _ => self.token(&mut passed)?,
            }
            if !self.climb(floor)? {
                return Ok(());
            }
        }
    }

    /// In a container that [`Self::skip`] has just entered: moves to its first value, or leaves it when it is empty.
    fn first(&mut self) -> Result<bool, Stop> {
        let object = self.open.last() == Some(&true);
        let some = self.next(if object { b'}' } else { b']' }, true)?;
        if some && object {
            self.key()?;
        } else if !some {
            self.open.pop();
        }
        Ok(some)
    }

    /// After a value inside [`Self::skip`]: moves to the next value of the innermost container that has one. False when
    /// all above `floor` have ended.
    fn climb(&mut self, floor: usize) -> Result<bool, Stop> {
        while self.open.len() > floor {
            let object = self.open.last() == Some(&true);
            if self.next(if object { b'}' } else { b']' }, false)? {
                if object {
                    self.key()?;
                }
                return Ok(true);
            }
            self.open.pop();
        }
        Ok(false)
    }
}

/// The first byte from `at` on that is no blank.
#[inline(always)]
pub(super) fn after_blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(text: &str, depth_max: u32) -> Result<usize, Stop> {
        let mut cursor = Cursor::new(text, depth_max);
        cursor.blanks();
        cursor.skip()?;
        assert_eq!((cursor.depth, cursor.open.len()), (0, 0));
        Ok(cursor.at)
    }

    #[test]
    fn skipping_takes_one_whole_value() {
        for text in [
            "1",
            "-1.5e3",
            "true",
            "null",
            "\"a\\\"b\"",
            "[]",
            "{}",
            "[ ]",
            "{ }",
            "[1,2 , 3]",
            "[[[]],{}]",
            "{\"a\":1,\"b\":[{\"c\":null}],\"d\":{}}",
            "{ \"a\" : [ 1 , { } ] }",
            "[NaN,-Infinity]",
        ] {
            assert_eq!(skipped(text, 8), Ok(text.len()), "{text}");
            assert_eq!(skipped(&format!("{text}, more"), 8), Ok(text.len()), "{text}");
        }
    }

    #[test]
    fn skipping_refuses_what_is_not_json_and_says_where() {
        for (text, at) in [
            ("[1 2]", 3),
            ("[1,]", 3),
            ("[,1]", 1),
            ("{\"a\" 1}", 5),
            ("{\"a\":}", 5),
            ("{a:1}", 1),
            ("{\"a\":1,}", 7),
            ("[1}", 2),
            ("{\"a\":1]", 6),
            ("tru", 0),
            ("[1", 2),
            ("", 0),
            ("[\"a", 3),
            ("01", 1),
            ("[nul]", 1),
            ("{\"a\"", 4),
        ] {
            assert_eq!(skipped(text, 8), Err(Stop::NotJson(at)), "{text}");
        }
    }

    #[test]
    fn depth_is_limited_not_the_stack() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(skipped(&deep, 64), Err(Stop::TooDeep(64)));
        assert_eq!(skipped(&deep, u32::MAX), Err(Stop::NotJson(1_000_000)));
        assert_eq!(skipped("[[[]]]", 3), Ok(6));
        assert_eq!(skipped("[[[]]]", 2), Err(Stop::TooDeep(2)));
        assert_eq!(skipped("[[],[],[[]]]", 3), Ok(12));
    }
}
