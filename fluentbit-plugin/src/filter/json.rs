//! A JSON object within a text, read without building anything.

use crate::msgpack::Value;

/// A value of the object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Json<'a> {
    /// What stands between the quotes of a string, its escapes as they are.
    Text(&'a [u8]),
    /// A number as it is written.
    Number(&'a [u8]),
    /// Anything else: an object, an array, true, false or null.
    Other,
}

impl<'a> Json<'a> {
    /// The same as a record would have it, for what it stands for; a string with its escapes as they are.
    pub fn value(self) -> Value<'a> {
        match self {
            Self::Text(text) => Value::Str(text),
            Self::Number(digits) => std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .map_or(Value::Nil, Value::Unsigned),
            Self::Other => Value::Nil,
        }
    }
}

/// Shows `look` the pairs of the JSON object that is all of `text`, in their order; whether it is one. Pairs of one that breaks off
/// have been shown up to there.
pub fn each_pair<'a>(text: &'a [u8], mut look: impl FnMut(&'a [u8], Json<'a>)) -> bool {
    let mut at = Scanner { text, at: 0 };
    at.object(&mut look).is_some() && {
        at.space();
        at.at == text.len()
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The next byte that is no space.
    fn next(&mut self) -> Option<u8> {
        self.space();
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn object(&mut self, look: &mut impl FnMut(&'a [u8], Json<'a>)) -> Option<()> {
        if self.next()? != b'{' {
            return None;
        }
        if self.next()? == b'}' {
            return Some(());
        }
        self.at -= 1;
        loop {
            if self.next()? != b'"' {
                return None;
            }
            let key = self.string()?;
            if self.next()? != b':' {
                return None;
            }
            let value = self.value()?;
            look(key, value);
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn value(&mut self) -> Option<Json<'a>> {
        match self.next()? {
            b'"' => self.string().map(Json::Text),
            b'{' | b'[' => self.nested(),
            first => {
                let start = self.at - 1;
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n');
                let length = self.text[start..].iter().position(ends)?;
                self.at = start + length;
                Some(match first {
                    b'-' | b'0'..=b'9' => Json::Number(&self.text[start..self.at]),
                    _ => Json::Other,
                })
            }
        }
    }

    /// What stands between quotes, behind the first of them.
    fn string(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        loop {
            match *self.text.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(&self.text[start..self.at - 1])
    }

    /// What stands in brackets, behind the first of them. A count and no recursion: however deep it is nested.
    fn nested(&mut self) -> Option<Json<'a>> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
        }
        Some(Json::Other)
    }
}

/// A string without its escapes, in `out`, or as it is where it has none.
pub fn unescaped<'a>(raw: &'a [u8], out: &'a mut Vec<u8>) -> &'a [u8] {
    if !raw.contains(&b'\\') {
        return raw;
    }
    out.clear();
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let kind = rest.get(at + 1).copied();
        rest = rest.get(at + 2..).unwrap_or_default();
        match kind {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r' | b'b' | b'f') => out.push(b' '),
            Some(b'u') => {
                let (character, used) = unicode(rest);
                rest = &rest[used..];
                let mut bytes = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut bytes).as_bytes());
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out.extend_from_slice(rest);
    out
}

/// The character that the four digits behind `\u` stand for, or eight and another `\u` between them; and how many bytes these are.
fn unicode(digits: &[u8]) -> (char, usize) {
    let hex = |from: usize| {
        let digits = std::str::from_utf8(digits.get(from..from + 4)?).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    let Some(first) = hex(0) else {
        return (char::REPLACEMENT_CHARACTER, 0);
    };
    let second = match first {
        0xd800..0xdc00 if digits.get(4..6) == Some(b"\\u") => hex(6),
        _ => None,
    };
    if let Some(second @ 0xdc00..0xe000) = second {
        let both = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(both).unwrap_or_default(), 10);
    }
    let character = char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
    (character, 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Option<Vec<(String, String)>> {
        let mut pairs = Vec::new();
        let string = |bytes: &[u8]| {
            let mut out = Vec::new();
            String::from_utf8_lossy(unescaped(bytes, &mut out)).into_owned()
        };
        let whole = each_pair(text.as_bytes(), |key, value| {
            let value = match value {
                Json::Text(text) => string(text),
                Json::Number(digits) => string(digits),
                Json::Other => "-".into(),
            };
            pairs.push((string(key), value));
        });
        whole.then_some(pairs)
    }

    #[test]
    fn an_object_is_read_pair_by_pair() {
        let text = r#" { "a" : "x\"\\\u00e9\ud83d\ude00\n" ,"b":{"c":["}",{"a":1}]},"d":-1.5e3,"e":null,"":[] } "#;
        let wanted = [
            ("a", "x\"\\é😀\n"),
            ("b", "-"),
            ("d", "-1.5e3"),
            ("e", "-"),
            ("", "-"),
        ];
        let wanted = wanted.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
        assert_eq!(pairs(text), Some(wanted));
        assert_eq!(pairs("{}"), Some(vec![]));
    }

    #[test]
    fn what_is_no_object_or_breaks_off_is_recognized() {
        for text in [
            "",
            "{",
            "[]",
            "{} x",
            r#"{"a"}"#,
            r#"{"a":"#,
            r#"{"a":1"#,
            r#"{"a":"b\"#,
            r#"{"a":1,}"#,
            "{a:1}",
        ] {
            assert_eq!(pairs(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_another_encoder_writes_is_read(map in proptest::collection::btree_map(".{0,9}", ".{0,30}", 0..6)) {
            let text = serde_json::to_string(&map).expect("strings");
            let same = |text: &str| text.replace(['\r', '\u{8}', '\u{c}'], " ");
            let wanted: Vec<_> = map.iter().map(|(k, v)| (same(k), same(v))).collect();
            prop_assert_eq!(pairs(&text), Some(wanted));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(prop::sample::select(&b"{}[]\",:\\u1a "[..]), 0..60)) {
            each_pair(&bytes, |key, _| {
                unescaped(key, &mut Vec::new());
            });
        }
    }
}
