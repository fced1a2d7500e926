//! JSON pointers as the archive words use them: a walk to the records (`at`) and places relative to a record.
//!
//! ```text
//! at: /robots[*]/poses[*]        steps: Key(robots) Each Key(poses) Each
//!      document                   level 2 (outermost)
//!        robots[i]                level 1   ../
//!          poses[j]               level 0   the record
//! ```
//!
//! Parsing reports what is wrong and what to write. Walking JSON is the decoder's; these are only words.

use std::fmt;

/// Most `[*]` and `/*` of one walk.
pub const WALKS_MAX: usize = 2;

/// A JSON pointer (RFC 6901): object keys or array positions, unescaped. Empty = the whole value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Pointer {
    /// Reference tokens from the outside in.
    pub tokens: Vec<String>,
}

/// The walk from the document to the records of a signal. No steps: the document is the one record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct At {
    /// Steps from the outside in; at most two of them are `Each` or `Values`.
    pub steps: Vec<Step>,
}

/// One step of a walk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into the value of an object's key (or, where there is an array, the element at that position).
    Key(String),
    /// `[*]`: each element of an array.
    Each,
    /// `/*`: each value of an object.
    Values,
}

/// Where a time, column or match value stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// Below the element `up` steps out from the record (0 = the record itself): the walked elements around it from the
    /// inside out, then the document.
    Record {
        /// Number of `../`.
        up: u32,
        /// Pointer below that element.
        pointer: Pointer,
    },
    /// Below the document.
    Document(Pointer),
    /// `@key`: the object key at which the walk found the element `up` steps out.
    Key {
        /// Number of `../`.
        up: u32,
    },
    /// `@index`: the array position (or ordinal among an object's values) of that element.
    Index {
        /// Number of `../`.
        up: u32,
    },
}

impl Pointer {
    /// Reads a pointer: empty, or `/key/0/…` with `~1` for `/` and `~0` for `~`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let rest =
            text.strip_prefix('/').ok_or_else(|| format!("{text:?} does not start with /; write \"/{text}\""))?;
        if text.contains("[*]") {
            return Err(format!("{text:?} has [*], which only `at` walks; write a pointer to one value"));
        }
        rest.split('/').map(unescape).collect::<Result<_, _>>().map(|tokens| Self { tokens })
    }

    /// The pointer to one key.
    pub fn key(name: &str) -> Self {
        Self { tokens: vec![name.to_owned()] }
    }
}

/// A token such as `q[0]`: how other notations write an element of an array.
pub(crate) struct Bracketed<'t> {
    /// `q[0]`.
    pub(crate) token: &'t str,
    /// `/q/0`: that element.
    pub(crate) as_steps: String,
    /// `/q[*]`: each.
    each: String,
}

impl<'t> Bracketed<'t> {
    /// That of a token between two `/`, `[*]` behind it aside.
    pub(crate) fn of(token: &'t str) -> Option<Self> {
        let token = token.trim_end_matches("[*]");
        let (key, position) = token.strip_suffix(']')?.rsplit_once('[')?;
        if position.is_empty() || !position.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let start = if key.is_empty() { String::new() } else { format!("/{key}") };
        Some(Self { token, as_steps: format!("{start}/{position}"), each: format!("{start}[*]") })
    }
}

impl At {
    /// Reads a walk such as `/current[*]`, `/robots[*]/poses[*]`, `/signals/*`, `[*]`; empty is the whole document.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(Bracketed { as_steps, each, .. }) = text.split('/').find_map(Bracketed::of) {
            return Err(format!(
                "{text:?} has a position in brackets; write {as_steps} for that element, {each} for each"
            ));
        }
        let mut steps = Vec::new();
        let (root, rest) = match text.find('/') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        if !root.replace("[*]", "").is_empty() {
            return Err(format!("{text:?} does not start with / or [*]; write \"/{text}\""));
        }
        each(root, &mut steps);
        for token in rest.into_iter().flat_map(|rest| rest.split('/')) {
            let name = token.trim_end_matches("[*]");
            if name.contains("[*]") {
                return Err(format!("{text:?} has [*] inside a key; write it after the key: \"/name[*]\""));
            }
            steps.push(if name == "*" { Step::Values } else { Step::Key(unescape(name)?) });
            each(&token[name.len()..], &mut steps);
        }
        let at = Self { steps };
        if at.walks().count() > WALKS_MAX {
            return Err(format!("{text:?} walks more than twice; write at most two [*] or /*"));
        }
        Ok(at)
    }

    /// Its `Each` and `Values` steps, from the outside in.
    pub fn walks(&self) -> impl DoubleEndedIterator<Item = &Step> {
        self.steps.iter().filter(|step| !matches!(step, Step::Key(_)))
    }

    /// Whether its records lie below the last walked element (`/robots[*]/pose`, `/pose`) rather than being that element:
    /// then one `../` more leads to it.
    pub fn ends_below(&self) -> bool {
        matches!(self.steps.last(), Some(Step::Key(_)))
    }

    /// How many `../` lead from a record to the document.
    pub fn document_up(&self) -> u32 {
        u32::try_from(self.walks().count()).unwrap_or(u32::MAX).saturating_add(u32::from(self.ends_below()))
    }
}

fn each(text: &str, steps: &mut Vec<Step>) {
    steps.extend(std::iter::repeat_n(Step::Each, text.len() / "[*]".len()));
}

impl Place {
    /// Reads a `field`: a pointer from the record, after any `../`; or `@key`, `@index` of the element reached.
    ///
    /// `../ts` is the key `ts` of the enclosing element; `..` the element itself; the empty text the record itself.
    pub fn parse(text: &str, at: &At) -> Result<Self, String> {
        let (up, rest) = climb(text);
        if up > at.document_up() {
            return Err(format!(
                "{text:?} leads out of the document: `at` walks {}; write {}",
                times(u32::try_from(at.walks().count()).unwrap_or(u32::MAX)),
                if at.document_up() == 0 { "a pointer such as /ts" } else { "fewer ../" },
            ));
        }
        match rest {
            "@key" => Self::walked(text, at, up, |step| *step == Step::Values).map(|()| Self::Key { up }),
            "@index" => Self::walked(text, at, up, |_| true).map(|()| Self::Index { up }),
            _ if rest.starts_with('@') => {
                Err(format!("{text:?} is not known; write @key, @index or a pointer such as /ts"))
            }
            _ if up > 0 && !rest.is_empty() && !rest.starts_with('/') => {
                Pointer::parse(&format!("/{rest}")).map(|pointer| Self::Record { up, pointer })
            }
            _ => Pointer::parse(rest).map(|pointer| Self::Record { up, pointer }),
        }
    }

    /// Reads a `document`: a pointer from the document.
    pub fn parse_document(text: &str) -> Result<Self, String> {
        if text.starts_with("..") || text.starts_with('@') {
            return Err(format!("{text:?} starts at the document, which has nothing around it; write it as `field`"));
        }
        Pointer::parse(text).map(Self::Document)
    }

    /// The element `up` steps out must have been found by a walk that `fits`; a record below a walked element was found
    /// with that element.
    fn walked(text: &str, at: &At, up: u32, fits: impl Fn(&Step) -> bool) -> Result<(), String> {
        let up = up.saturating_sub(u32::from(at.ends_below()));
        let step = usize::try_from(up).ok().and_then(|up| at.walks().rev().nth(up));
        match step {
            Some(step) if fits(step) => Ok(()),
            Some(_) => {
                Err(format!("{text:?}: an element of an array has no key; write @index, or walk with /* in `at`"))
            }
            None => {
                Err(format!("{text:?}: nothing was walked there; write /* or [*] in `at`, or a pointer such as /ts"))
            }
        }
    }
}

/// Number of leading `../` (a last `..` too) and what follows.
fn climb(text: &str) -> (u32, &str) {
    let (mut up, mut rest) = (0, text);
    while let Some(after) = rest.strip_prefix("../") {
        (up, rest) = (up + 1, after);
    }
    if rest == ".." { (up + 1, "") } else { (up, rest) }
}

fn times(n: u32) -> String {
    match n {
        0 => "nowhere".into(),
        1 => "once".into(),
        2 => "twice".into(),
        n => format!("{n} times"),
    }
}

fn unescape(token: &str) -> Result<String, String> {
    let mut text = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(format!("{token:?} has a lone ~; write ~0 for ~ and ~1 for /")),
            },
            c => c,
        });
    }
    Ok(text)
}

fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens.iter().try_for_each(|token| write!(f, "/{}", escape(token)))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| match step {
            Step::Key(key) => write!(f, "/{}", escape(key)),
            Step::Each => f.write_str("[*]"),
            Step::Values => f.write_str("/*"),
        })
    }
}

/// As written in `field`; a place below the document as `document: /…`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let climb = |up: &u32| "../".repeat(usize::try_from(*up).unwrap_or(usize::MAX));
        match self {
            Self::Record { up: 0, pointer } => write!(f, "{pointer}"),
            Self::Record { up, pointer } if pointer.tokens.is_empty() => f.write_str(climb(up).trim_end_matches('/')),
            Self::Record { up, pointer } => write!(f, "{}{}", climb(up), &pointer.to_string()[1..]),
            Self::Document(pointer) => write!(f, "document: {pointer}"),
            Self::Key { up } => write!(f, "{}@key", climb(up)),
            Self::Index { up } => write!(f, "{}@index", climb(up)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Step {
        Step::Key(name.into())
    }

    #[test]
    fn a_walk_goes_through_keys_arrays_and_objects() {
        let steps = |text| At::parse(text).unwrap().steps;
        assert_eq!(steps(""), []);
        assert_eq!(steps("/current[*]"), [key("current"), Step::Each]);
        assert_eq!(steps("/a[*]/b[*]"), [key("a"), Step::Each, key("b"), Step::Each]);
        assert_eq!(steps("/signals/*"), [key("signals"), Step::Values]);
        assert_eq!(steps("[*]"), [Step::Each]);
        assert_eq!(steps("[*][*]"), [Step::Each, Step::Each]);
        assert_eq!(steps("[*]/x~1y/0"), [Step::Each, key("x/y"), key("0")]);
        assert_eq!(steps("/*/*"), [Step::Values, Step::Values]);
        assert_eq!(steps("/*[*]"), [Step::Values, Step::Each]);
    }

    #[test]
    fn what_is_no_walk_is_refused() {
        for (text, word) in [
            ("current[*]", "write \"/current[*]\""),
            ("/a[*]b", "inside a key"),
            ("/q[0]", "write /q/0 for that element, /q[*] for each"),
            ("/a/q[17][*]/b", "write /q/17 for that element, /q[*] for each"),
            ("[0]", "write /0 for that element, [*] for each"),
            ("q[0]", "write /q/0 for"),
            ("/a[*]/b[*]/c[*]", "more than twice"),
            ("/~2", "lone ~"),
        ] {
            let error = At::parse(text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn pointers_are_unescaped_and_written_back() {
        assert_eq!(Pointer::parse("/a~1b/~01/").unwrap().tokens, ["a/b", "~1", ""]);
        for text in ["", "/", "/a~1b/~01/", "/ts"] {
            assert_eq!(Pointer::parse(text).unwrap().to_string(), text);
        }
        assert!(Pointer::parse("ts").unwrap_err().contains("write \"/ts\""));
        assert!(Pointer::parse("/a[*]").unwrap_err().contains("only `at` walks"));
    }

    #[test]
    fn a_place_is_reached_from_the_record() {
        let at = At::parse("/robots/*/poses[*]").unwrap();
        let place = |text| Place::parse(text, &at).unwrap();
        assert_eq!(place("/ts"), Place::Record { up: 0, pointer: Pointer::key("ts") });
        assert_eq!(place(""), Place::Record { up: 0, pointer: Pointer::default() });
        assert_eq!(place("../ts"), Place::Record { up: 1, pointer: Pointer::key("ts") });
        assert_eq!(place("..//ts"), Place::Record { up: 1, pointer: Pointer::key("ts") });
        assert_eq!(place("../../ts"), Place::Record { up: 2, pointer: Pointer::key("ts") });
        assert_eq!(place(".."), Place::Record { up: 1, pointer: Pointer::default() });
        assert_eq!(place("@index"), Place::Index { up: 0 });
        assert_eq!(place("../@key"), Place::Key { up: 1 });
        assert_eq!(Place::parse_document("/ts"), Ok(Place::Document(Pointer::key("ts"))));
        for text in ["/ts", "", "../ts", "../../a/b", "..", "../..", "@index", "../@key"] {
            assert_eq!(place(text).to_string(), text);
        }
    }

    #[test]
    fn a_record_below_a_walked_element_reaches_that_element_first() {
        let place = |text, at| Place::parse(text, &At::parse(at).unwrap());
        assert_eq!(place("../id", "/robots[*]/pose"), Ok(Place::Record { up: 1, pointer: Pointer::key("id") }));
        assert_eq!(place("../../ts", "/robots[*]/pose"), Ok(Place::Record { up: 2, pointer: Pointer::key("ts") }));
        assert_eq!(place("../ts", "/pose"), Ok(Place::Record { up: 1, pointer: Pointer::key("ts") }));
        assert_eq!(place("@index", "/robots[*]/pose"), Ok(Place::Index { up: 0 }));
        assert_eq!(place("../@key", "/robots/*/pose"), Ok(Place::Key { up: 1 }));
        assert!(place("../../@key", "/robots/*/pose").is_err());
    }

    #[test]
    fn a_place_outside_the_document_or_without_a_walk_is_refused() {
        let refused = |text: &str, at: &str| Place::parse(text, &At::parse(at).unwrap()).unwrap_err();
        assert!(refused("../../ts", "/a[*]").contains("out of the document: `at` walks once"));
        assert!(refused("../ts", "").contains("walks nowhere"));
        assert!(refused("../../ts", "/pose").contains("walks nowhere; write fewer ../"));
        assert!(refused("@key", "/a[*]").contains("no key; write @index"));
        assert!(refused("@index", "/a").contains("nothing was walked"));
        assert!(refused("../@key", "/a/*").contains("nothing was walked"));
        assert!(refused("@name", "/a/*").contains("write @key"));
        assert!(refused("ts", "/a").contains("write \"/ts\""));
        assert!(Place::parse_document("../ts").unwrap_err().contains("write it as `field`"));
    }
}
