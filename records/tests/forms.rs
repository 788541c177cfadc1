//! Any bytes are read to their end, in time and memory that grow with them.

use std::io::Write as _;

use bellwether_records::forms::{Context, parse};
use bellwether_records::logs;
use proptest::prelude::*;

/// Pieces of the forms, from which lines are put together that almost are of one.
const PIECES: [&str; 48] = [
    "<3>",
    "<",
    ">",
    "1 ",
    "[",
    "]",
    "[    1.5] ",
    "[  +0.1] ",
    "<    0.5>",
    "2026-11-27T10:00:00",
    "2026-11-27 10:00:00",
    ".123456",
    ",5",
    "Z",
    "+0000",
    "+01:00",
    " ",
    "  ",
    ":",
    ": ",
    "hv1",
    "kernel:",
    "sshd[17]:",
    "Nov 27 10:00:00 ",
    "Fri ",
    "UTC ",
    "ERROR ",
    " 7311 ",
    "|00012|a|ERR|",
    "stderr F ",
    "stdout P ",
    "3,1,5,-;",
    "\\x0a",
    "kern  :err   : ",
    "E1127 10:00:00.1    1 a.go:1] ",
    "level=error msg=\"",
    "\\\"",
    "\"",
    "=",
    "type=AVC msg=audit(1.5:1): ",
    "{\"MESSAGE\":",
    "[1,2]",
    "{\"log\":\"",
    "}",
    "__CURSOR=x",
    "ü",
    "\u{feff}",
    "- - -",
];

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        "\\PC{0,4}"
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Reads a file of this content; every record is of a line that it has.
fn read(content: &[u8]) -> usize {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let lines = content.iter().filter(|byte| **byte == b'\n').count() as u64;
    let mut records = 0;
    let read = logs::each_record(file.path(), None, |record| {
        records += 1;
        assert!(record.index <= lines && record.time.is_finite());
        assert!(record.text.len() <= 3 * content.len());
        Ok(())
    });
    // What is no text or ends too early is refused; the file is named.
    if let Err(error) = read {
        let path = file.path().display().to_string();
        assert!(format!("{error:#}").contains(&path), "{error:#}");
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn lines_that_almost_have_a_form_are_parsed_to_parts_of_them(lines in prop::collection::vec(pieces(), 1..8)) {
        let mut context = Context::default();
        for line in &lines {
            if let Some(parsed) = parse(line, &mut context) {
                prop_assert!(parsed.text.len() <= 2 * line.len() && parsed.priority.is_none_or(|p| p <= 7));
                prop_assert!(line.contains(&*parsed.host) && parsed.host.len() <= 512);
            }
        }
        read(lines.join("\n").as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), begin in prop::sample::select(&PIECES[..])) {
        read(&bytes);
        read(&[begin.as_bytes(), &bytes].concat());
        let text: Vec<u8> = bytes.iter().map(|byte| byte % 96 + 31).collect();
        read(&[begin.as_bytes(), &text].concat());
    }
}

/// Work grows with the length of what is read: a long line of any piece, repeated, is parsed in one pass. A parser that looked at the
/// rest of a line for each of its bytes would need hours for these.
#[test]
fn long_lines_of_any_kind_are_parsed_in_one_pass() {
    for piece in PIECES {
        let line = piece.repeat((1 << 20) / piece.len());
        parse(&line, &mut Context::default());
        for begin in PIECES {
            parse(&format!("{begin}{line}"), &mut Context::default());
        }
    }
    for line in [
        "{",
        "{\"a\":1",
        "    A=b",
        "\u{1e}",
        "data: {",
        "2026-11-27T10:00:00Z stdout P x",
    ] {
        let content = format!("{line}\n").repeat(100_000);
        read(content.as_bytes());
    }
}

/// Every line is a record or a part of one: nothing of a log is lost because a line looks like the beginning of something else.
#[test]
fn what_looks_like_json_and_is_not_is_read_by_lines() {
    let lines = [
        "Nov 27 10:00:00 hv1 a: {",
        "{",
        "  \"not\": closed,",
        "Nov 27 10:00:01 hv1 a: b",
        "{\"msg\":\"one\"}",
        "{broken}",
        "{",
    ];
    assert_eq!(read(lines.join("\n").as_bytes()), lines.len());
    // Behind the beginning of an object whose rest is missing, whole objects are read as such.
    let lines = "{\n{\"msg\":\"one\"}\n{\"msg\":\"two\"}\n";
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    let mut texts = Vec::new();
    logs::each_record(file.path(), None, |record| {
        texts.push(record.text.clone());
        Ok(())
    })
    .unwrap();
    assert_eq!(texts, ["{", "one", "two"]);
}
