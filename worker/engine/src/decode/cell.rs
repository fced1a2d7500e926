//! One value of a record: what stands there, read as its column says.

use super::json::{Token, What};
use super::number::{Form, Number};
use super::plan::{ColumnPlan, Origin, ValueKind};
use super::text;
use super::walk::Ground;
use crate::account::Kind;
use std::borrow::Cow;

/// A value ready for its column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Float(f64),
    Int(i64),
    Bool(bool),
    /// The inside of a string, and whether it must be unescaped.
    Text(&'a str, bool),
}

/// What made a null of something that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// It is not a number.
    Nan,
    /// It is infinite, and the column wants null then.
    Infinite,
    /// It does not fit, and the column wants null then.
    Mismatch,
}

/// What stands where a value comes from, with its text in the document.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found<'a> {
    /// Nothing, or null.
    Nothing,
    /// Nothing, and something unfit on the way to it.
    Blocked,
    /// A value and its text (without quotes). A position has no text.
    Here(&'a Token, &'a str),
}

impl<'a> Found<'a> {
    /// Looks where the value comes from.
    #[inline]
    pub(crate) fn at(origin: Origin, text: &'a str, ground: &'a Ground) -> Self {
        let token = match origin {
            Origin::Slot(slot) => &ground.slots[slot],
            Origin::Key(walk) => ground.frames.get(walk).map_or(&Token::ABSENT, |frame| &frame.key),
            Origin::Index(walk) => ground.frames.get(walk).map_or(&Token::ABSENT, |frame| &frame.index),
            Origin::Nowhere => &Token::ABSENT,
        };
        Self::of(token, text)
    }

    /// What a token says.
    #[inline]
    pub(crate) fn of(token: &'a Token, text: &'a str) -> Self {
        match token.what {
            What::Absent | What::Null => Self::Nothing,
            What::Blocked => Self::Blocked,
            _ => Self::Here(token, &text[token.start..token.end]),
        }
    }

    /// The text of a scalar: the content of a string, the literal of a number or truth value.
    pub(crate) fn said(self) -> Option<Cow<'a, str>> {
        let Self::Here(token, text) = self else {
            return None;
        };
        match token.what {
            What::Number if text.is_empty() => Some(Cow::Owned(token.number.mantissa.to_string())),
            What::Number | What::Text | What::True | What::False => Some(Cow::Borrowed(text)),
            What::Escaped => Some(text::content(text, true)),
            _ => None,
        }
    }
}

impl ColumnPlan {
    /// The double that a column of plain doubles has here, where it is quickly told: what [`ColumnPlan::cell`] would find.
    #[inline]
    pub(crate) fn double(&self, ground: &Ground) -> Option<f64> {
        let token = &ground.slots[self.double?];
        if token.what == What::Number { token.number.as_f64_quickly() } else { None }
    }

    /// The cell that a found value is, with what was made null on the way. An error is the kind under which the whole
    /// observation is refused.
    #[inline]
    pub(crate) fn cell<'a>(&self, found: Found<'a>) -> Result<(Cell<'a>, Option<Note>), Kind> {
        let (token, text) = match found {
            Found::Nothing => return Ok((Cell::Null, None)),
            Found::Blocked => return self.unfit(Kind::Shape),
            Found::Here(token, text) => (token, text),
        };
        if !self.nulls.is_empty() && self.means_null(token, found) {
            return Ok((Cell::Null, None));
        }
        match self.read(token, text) {
            Ok(Cell::Float(value)) => Ok(self.float(value)),
            Ok(cell) => Ok((cell, None)),
            Err(None) => self.unfit(Kind::Mismatch),
            Err(Some(note)) => Ok((Cell::Null, Some(note))),
        }
    }

    /// What becomes of a value that does not fit.
    fn unfit<'a>(&self, kind: Kind) -> Result<(Cell<'a>, Option<Note>), Kind> {
        if self.mismatch_is_null { Ok((Cell::Null, Some(Note::Mismatch))) } else { Err(kind) }
    }

    /// Whether the words list this text of a number or string among the nulls.
    #[cold]
    fn means_null(&self, token: &Token, found: Found<'_>) -> bool {
        let comparable = matches!(token.what, What::Text | What::Escaped | What::Number);
        comparable && found.said().is_some_and(|said| self.nulls.iter().any(|null| *null == said))
    }

    /// The value as the column's type; the error is a mismatch, or the note of a null.
    #[inline]
    fn read<'a>(&self, token: &Token, text: &'a str) -> Result<Cell<'a>, Option<Note>> {
        let (number, escaped) = (&token.number, token.what == What::Escaped);
        match (&self.kind, token.what) {
            (ValueKind::Float64, What::Number) => number.as_f64(text).map(Cell::Float).map_err(|_| None),
            (ValueKind::Int64, What::Number) => self.int(number),
            (ValueKind::Bool, What::True) => Ok(Cell::Bool(true)),
            (ValueKind::Bool, What::False) => Ok(Cell::Bool(false)),
            (ValueKind::Text, What::Text | What::Escaped) => Ok(Cell::Text(text, escaped)),
            (ValueKind::Timestamp(unit), What::Number) => unit.number(number).map(Cell::Int).map_err(|_| None),
            (_, What::Text | What::Escaped) => self.read_text(&text::content(text, escaped)),
            _ => Err(None),
        }
    }

    /// The content of a string as a number or time.
    fn read_text<'a>(&self, content: &str) -> Result<Cell<'a>, Option<Note>> {
        let number = || Number::of(content).filter(|_| self.number_in_text).ok_or(None);
        match &self.kind {
            ValueKind::Float64 => number()?.as_f64(content).map(Cell::Float).map_err(|_| None),
            ValueKind::Int64 => self.int(&number()?),
            ValueKind::Timestamp(unit) => unit.text(content).map(Cell::Int).map_err(|_| None),
            ValueKind::Bool | ValueKind::Text => Err(None),
        }
    }

    /// Scales a double; NaN is never a value, infinities are unless the words say so.
    #[inline]
    fn float<'a>(&self, value: f64) -> (Cell<'a>, Option<Note>) {
        let value = match self.linear {
            Some((scale, offset)) => value * scale + offset,
            None => value,
        };
        if value.is_nan() {
            (Cell::Null, Some(Note::Nan))
        } else if self.infinite_is_null && value.is_infinite() {
            (Cell::Null, Some(Note::Infinite))
        } else {
            (Cell::Float(value), None)
        }
    }

    /// An integer, scaled by way of a double if the words say so: then the result must be integral again.
    fn int<'a>(&self, number: &Number) -> Result<Cell<'a>, Option<Note>> {
        match number.form {
            Form::Nan => return Err(Some(Note::Nan)),
            Form::Infinite if self.infinite_is_null => return Err(Some(Note::Infinite)),
            _ => {}
        }
        let value = number.as_i64().ok_or(None)?;
        match self.linear {
            None => Ok(Cell::Int(value)),
            Some((scale, offset)) => integral(value as f64 * scale + offset).map(Cell::Int).ok_or(None),
        }
    }
}

/// The integer that a double is, if `i64` holds it.
fn integral(value: f64) -> Option<i64> {
    let limit = 9_223_372_036_854_775_808.0;
    if value.fract() != 0.0 || !(-limit..limit).contains(&value) {
        return None;
    }
    // In range and integral, so its shortest decimal is that integer.
    format!("{value:.0}").parse().ok()
}
