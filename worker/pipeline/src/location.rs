//! Where a store lies, from its URL: the same place has one spelling, so that places can be compared.

use std::fmt;

/// A folder or a prefix of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// An absolute folder, without `.`, `..`, double or trailing `/`. Symbolic links are not followed.
    Folder(String),
    /// A prefix of an S3 bucket, without leading or trailing `/`.
    S3 {
        /// The bucket.
        bucket: String,
        /// The prefix; empty for the whole bucket.
        prefix: String,
    },
}

impl Location {
    /// Reads `s3://bucket/prefix/`, `file:///folder/`, or a folder; a relative one starts from `folder`.
    ///
    /// Errors: a sentence with what is wrong and what to write.
    pub fn parse(url: &str, folder: Option<&str>) -> Result<Self, String> {
        let example = "write s3://bucket/prefix/, file:///folder/ or a folder relative to this file";
        if url.is_empty() {
            return Err(format!("is empty; {example}"));
        }
        if let Some(rest) = url.strip_prefix("s3://") {
            return s3(rest).ok_or_else(|| format!("{url:?} names no bucket; write s3://bucket/prefix/"));
        }
        if let Some(rest) = url.strip_prefix("file://") {
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            if !path.starts_with('/') {
                return Err(format!("{url:?} is not absolute; write file:///folder/, or the folder without file://"));
            }
            let path =
                decode(path).ok_or_else(|| format!("{url:?} has a % that is no %XX of UTF-8; write %25 for %"))?;
            return Ok(Self::Folder(normal(&path)));
        }
        if let Some((scheme, _)) = url.split_once("://") {
            return Err(format!("{scheme}:// is not read; {example}"));
        }
        match (url.starts_with('/'), folder) {
            (true, _) => Ok(Self::Folder(normal(url))),
            (false, Some(folder)) => Ok(Self::Folder(normal(&format!("{folder}/{url}")))),
            (false, None) => {
                Err(format!("{url:?} is a folder, and there is no file it could be relative to; {example}"))
            }
        }
    }

    /// Whether `other` lies here: the same place or below it.
    pub fn holds(&self, other: &Self) -> bool {
        let below = |outer: &str, inner: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || outer.is_empty())
        };
        match (self, other) {
            (Self::Folder(outer), Self::Folder(inner)) => below(outer.trim_end_matches('/'), inner),
            (Self::S3 { bucket, prefix }, Self::S3 { bucket: theirs, prefix: inner }) => {
                bucket == theirs && below(prefix, inner)
            }
            _ => false,
        }
    }
}

/// The URL: `file:///folder/` or `s3://bucket/prefix/`; [`Location::parse`] reads it back.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "file://{}/", encode(path.trim_end_matches('/'))),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}/"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}/"),
        }
    }
}

fn s3(rest: &str) -> Option<Location> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    (!bucket.is_empty()).then(|| Location::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// The path without what changes nothing: `.`, `..` with what it undoes, double `/`.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

fn encode(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&b);
    path.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(url: &str) -> String {
        match Location::parse(url, Some("/home/ada/fleet")) {
            Ok(Location::Folder(path)) => path,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn a_folder_has_one_spelling() {
        assert_eq!(folder("data/ur3"), "/home/ada/fleet/data/ur3");
        assert_eq!(folder("./data//ur3/"), "/home/ada/fleet/data/ur3");
        assert_eq!(folder("../x/../data"), "/home/ada/data");
        assert_eq!(folder("../../../../.."), "/");
        assert_eq!(folder("/srv/data/"), "/srv/data");
        assert_eq!(folder("file:///srv/my%20data/"), "/srv/my data");
        assert_eq!(folder("file://localhost/srv"), "/srv");
    }

    #[test]
    fn a_location_is_written_as_a_url_that_reads_back() {
        for path in ["/srv/data", "/srv/my data/100%/é#?", "/"] {
            let location = Location::Folder(path.into());
            assert_eq!(Location::parse(&location.to_string(), None), Ok(location), "{path}");
        }
        for url in ["s3://bucket/", "s3://bucket/a/b/"] {
            assert_eq!(Location::parse(url, None).unwrap().to_string(), url);
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for (url, word) in [
            ("", "is empty"),
            ("s3:///x", "no bucket"),
            ("gs://bucket/x", "gs:// is not read"),
            ("file://srv/x", "not absolute"),
            ("file:///a%zz", "%25"),
            ("data", "no file it could be relative to"),
        ] {
            let error = Location::parse(url, None).unwrap_err();
            assert!(error.contains(word), "{url}: {error}");
        }
    }

    #[test]
    fn a_place_holds_itself_and_what_lies_below() {
        let at = |url: &str| Location::parse(url, None).unwrap();
        assert!(at("/a").holds(&at("/a/")) && at("/a").holds(&at("/a/b")) && at("/").holds(&at("/a")));
        assert!(!at("/a").holds(&at("/ab")) && !at("/a/b").holds(&at("/a")) && !at("/a").holds(&at("s3://a/")));
        assert!(at("s3://b/").holds(&at("s3://b/x/")) && !at("s3://b/x/").holds(&at("s3://b/xy/")));
        assert!(!at("s3://b/").holds(&at("s3://c/x/")));
    }
}
