//! Pax records: `<length> <key>=<value>\n`, what they say about the next member of a tar.

/// The part of a pax header that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pax {
    /// Replaces the name in the header.
    pub(crate) path: Option<Vec<u8>>,
    /// Replaces the size in the header.
    pub(crate) size: Option<u64>,
    /// The member's data is a sparse map.
    pub(crate) sparse: bool,
}

impl Pax {
    /// Reads the records; `None` when they are damaged.
    pub(crate) fn parse(mut text: &[u8]) -> Option<Self> {
        let (mut pax, mut sparse_name) = (Self::default(), None);
        while !text.is_empty() {
            let space = text.iter().position(|&byte| byte == b' ')?;
            let length: usize = std::str::from_utf8(&text[..space]).ok()?.parse().ok()?;
            let record = text.get(space + 1..length)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|&byte| byte == b'=')?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => pax.path = Some(value.to_vec()),
                b"size" => pax.size = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
                // The path of a sparse file is one that its archiver made up.
                b"GNU.sparse.name" => sparse_name = Some(value.to_vec()),
                _ => pax.sparse |= key.starts_with(b"GNU.sparse."),
            }
            text = &text[length..];
        }
        pax.sparse |= sparse_name.is_some();
        pax.path = sparse_name.or(pax.path);
        Some(pax)
    }
}

#[cfg(test)]
mod tests {
    use super::Pax;

    #[test]
    fn path_and_size_are_read_and_the_rest_is_passed_over() {
        let pax = Pax::parse(b"12 path=a/b\n15 comment=x=y\n11 size=77\n").unwrap();
        assert_eq!(pax, Pax { path: Some(b"a/b".to_vec()), size: Some(77), sparse: false });
        let sparse = Pax::parse(b"22 GNU.sparse.major=1\n21 GNU.sparse.name=n\n14 path=a/b/c\n").unwrap();
        assert_eq!(sparse, Pax { path: Some(b"n".to_vec()), size: None, sparse: true });
    }

    #[test]
    fn damage_is_noticed() {
        for text in ["x", "5 a=b", "99 path=a\n", "0 a=b\n", "3 a=b\n", "12 size=many\n", "9 noequal\n"] {
            assert_eq!(Pax::parse(text.as_bytes()), None, "{text}");
        }
    }
}
