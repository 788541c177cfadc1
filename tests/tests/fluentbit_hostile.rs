//! The plugin in a host of our own, fed with what nobody would send: nothing breaks, memory stays within bounds, and what is
//! not annotated passes byte for byte.

use anyhow::{Context, Result, ensure};
use bellwether_tests::fluentbit::chunk::{Encoding, USUAL, encodings, map, records};
use bellwether_tests::fluentbit::host::{Host, Setup, installed};
use bellwether_tests::skipped;
use rmpv::Value;

/// When the chunks begin, in seconds since the epoch.
const START: i64 = 1_700_000_000;

/// An ordinary line.
const LINE: &str = "session 12 opened for user root by (uid=0)";

/// Bytes of a record in the [`USUAL`] encoding before its map.
const HEAD_BYTES: usize = 13;

/// Numbers that only have to differ (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.next() >> 56) as u8).collect()
    }
}

/// A record in the [`USUAL`] encoding whose map has so many pairs, which `body` holds.
fn record_of(pairs: u32, body: &[u8]) -> Vec<u8> {
    let mut record = USUAL.record(START, &map([]));
    assert_eq!(record.pop(), Some(0x80), "the empty map ends it");
    assert_eq!(record.len(), HEAD_BYTES);
    record.extend(map_head(pairs));
    record.extend(body);
    record
}

/// The shortest head of a map.
fn map_head(pairs: u32) -> Vec<u8> {
    match (u8::try_from(pairs), u16::try_from(pairs)) {
        (Ok(n @ 0..=15), _) => vec![0x80 | n],
        (_, Ok(n)) => [&[0xde][..], &n.to_be_bytes()].concat(),
        _ => [&[0xdf][..], &pairs.to_be_bytes()].concat(),
    }
}

fn packed(value: impl Into<Value>) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &value.into()).expect("a vector takes all");
    bytes
}

/// A pair of a map.
fn pair(key: &str, value: &[u8]) -> Vec<u8> {
    [&packed(key)[..], value].concat()
}

/// `levels` maps or arrays, each within the one before; `head` is the head of one with what comes before the next.
fn nested(head: &[u8], levels: usize) -> Vec<u8> {
    [&head.repeat(levels)[..], &[0xc0]].concat()
}

/// Passes a record of `pairs` pairs with a text among them, and sees that nothing but its template comes to it, behind its own
/// pairs, which are as they were.
fn assert_annotated(host: &mut Host, what: &str, pairs: u32, body: &[u8]) -> Result<()> {
    let before = record_of(pairs, body);
    let after = host.filter(&before)?.context("it gets its template")?;
    assert_eq!(after[..HEAD_BYTES], before[..HEAD_BYTES], "{what}");
    let head = map_head(pairs + 2);
    let at = HEAD_BYTES + head.len();
    assert_eq!(after[HEAD_BYTES..at], head, "{what}");
    assert!(after[at..].starts_with(body), "{what}");
    let mut added = &after[at + body.len()..];
    for key in ["bellwether_template_id", "bellwether_template"] {
        let found = rmpv::decode::read_value(&mut added)?;
        assert_eq!(found.as_str(), Some(key), "{what}");
        rmpv::decode::read_value(&mut added)?;
    }
    assert!(added.is_empty(), "{what}");
    Ok(())
}

/// Records that are nested `depth` deep, wherever they can be.
fn feed_nested(host: &mut Host, depth: usize) -> Result<()> {
    let text = pair("log", &packed(LINE));
    let maps = nested(b"\x81\xa1a", depth);
    let keys = [&[0x81].repeat(depth)[..], &[0xc0].repeat(depth + 1)].concat();
    for (what, deep) in [
        ("maps", &maps),
        ("arrays", &nested(b"\x91", depth)),
        ("maps as keys of maps", &keys),
    ] {
        let body = [pair("deep", deep), text.clone()].concat();
        assert_annotated(host, what, 2, &body)?;
        // It is no text.
        let textless = record_of(1, &pair("log", deep));
        assert_eq!(host.filter(&textless)?, None, "{what}");
        let cut = record_of(1, &pair("log", &deep[..deep.len() - 1]));
        assert_eq!(host.filter(&cut)?, None, "{what}");
    }
    // Metadata too.
    let mut record = USUAL.record(START, &map([("log", LINE.into())]));
    record.splice(HEAD_BYTES - 1..HEAD_BYTES, maps);
    let after = host.filter(&record)?.context("it gets its template")?;
    let head = HEAD_BYTES + 3 * depth;
    assert_eq!(after[..head], record[..head]);
    Ok(())
}

/// Records whose maps have about `most` pairs, and those around which the head of a map becomes wider.
fn feed_wide(host: &mut Host, most: u32) -> Result<()> {
    let text = pair("log", &packed(LINE));
    for pairs in [1, 13, 14, 15, 16, most] {
        let mut body = text.clone();
        for number in 1..pairs {
            body.extend(pair(&format!("key{number}"), &[0x07]));
        }
        assert_annotated(host, &format!("{pairs} pairs"), pairs, &body)?;
    }
    // As often as anybody wrote the keys that are added, they are there once.
    let mut body = text;
    for _ in 1..most {
        body.extend(pair("bellwether_template", &[0x07]));
    }
    let after = host.filter(&record_of(most, &body))?;
    let after = records(&after.context("it gets its template")?);
    let fields = after[0][1].as_map().context("a map")?;
    assert_eq!(fields.len(), 3);
    assert_eq!(fields[0].1.as_str(), Some(LINE));
    Ok(())
}

/// Texts of about `size` bytes.
fn feed_long(host: &mut Host, size: usize, random: &mut Random) -> Result<()> {
    let words: String = (0..size / 8)
        .map(|_| format!("{:07x} ", random.next() >> 36))
        .collect();
    for text in [
        packed("x".repeat(size)),
        packed(" ".repeat(size)),
        packed("a ".repeat(size / 2)),
        packed("7".repeat(size)),
        packed("\"".repeat(size)),
        packed("é".repeat(size / 2)),
        packed(words),
        packed(random.bytes(size)),
        // A string that is none.
        [
            &[0xdb][..],
            &(size as u32).to_be_bytes(),
            &random.bytes(size),
        ]
        .concat(),
    ] {
        assert_annotated(host, "a long text", 1, &pair("log", &text))?;
    }
    Ok(())
}

/// The heads of values that are much longer than what there is of them.
const LYING: [&[u8]; 16] = [
    b"\xbfx",
    b"\xd9\xffx",
    b"\xda\xff\xffx",
    b"\xdb\xff\xff\xff\xffx",
    b"\xdb\x7f\xff\xff\xffx",
    b"\xc4\xffx",
    b"\xc5\xff\xffx",
    b"\xc6\xff\xff\xff\xffx",
    b"\xc7\xff\x00x",
    b"\xc8\xff\xff\x00x",
    b"\xc9\xff\xff\xff\xff\x00x",
    b"\x8f\xa1a",
    b"\xde\xff\xff\xa1a",
    b"\xdf\xff\xff\xff\xff\xa1a",
    b"\xdc\xff\xff\xc0",
    b"\xdd\xff\xff\xff\xff\xc0",
];

/// Values whose lengths lie, wherever a value can be: the chunk passes as it is.
fn feed_lying(host: &mut Host) -> Result<()> {
    let whole = USUAL.record(START, &map([("log", LINE.into())]));
    for lie in LYING {
        for broken in [
            lie.to_vec(),
            record_of(1, &pair("log", lie)),
            record_of(1, lie),
            // As metadata, as the time, and as the record's map.
            [&whole[..HEAD_BYTES - 1], lie].concat(),
            [&whole[..2], lie].concat(),
            [&whole[..HEAD_BYTES], lie].concat(),
        ] {
            let chunk = [&whole[..], &broken].concat();
            assert_eq!(host.filter(&chunk)?, None, "{lie:02x?}");
        }
    }
    Ok(())
}

/// Every beginning of a chunk: it passes as it is, unless it ends with a record.
fn feed_cut(host: &mut Host, encoding: Encoding) -> Result<()> {
    let one = encoding.record(START, &map([("log", LINE.into()), ("n", 7.into())]));
    let chunk = one.repeat(3);
    for end in 0..chunk.len() {
        let answer = host.filter(&chunk[..end])?;
        let whole = end > 0 && end % one.len() == 0;
        assert_eq!(answer.is_some(), whole, "{encoding:?} to {end}");
    }
    Ok(())
}

/// Whether bytes are MessagePack from their first to their last.
fn is_well_formed(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        if rmpv::decode::read_value_ref(&mut bytes).is_err() {
            return false;
        }
    }
    true
}

/// `count` chunks of bytes at random, and as many with some bytes of a sound one changed.
fn feed_rubbish(host: &mut Host, count: usize, random: &mut Random) -> Result<()> {
    let sound: Vec<u8> = encodings()
        .flat_map(|e| e.record(START, &map([("log", LINE.into()), ("priority", 3.into())])))
        .collect();
    for _ in 0..count {
        let length = random.below(300);
        let mut changed = sound.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(changed.len());
            changed[at] = random.next() as u8;
        }
        for chunk in [random.bytes(length), changed] {
            if let Some(after) = host.filter(&chunk)? {
                // What was no rubbish did not become any.
                assert_eq!(
                    is_well_formed(&after),
                    is_well_formed(&chunk),
                    "{chunk:02x?}"
                );
            }
        }
    }
    Ok(())
}

/// Feeds a record of each of `streams` hosts, a thousand a chunk, and sees that all come out.
fn feed_streams(host: &mut Host, streams: usize) -> Result<()> {
    let of = |number: usize| {
        let text = format!("{LINE} on {number}");
        let fields = map([
            ("host", format!("node{number}").into()),
            ("log", text.into()),
        ]);
        USUAL.record(START + number as i64 / 1000, &fields)
    };
    for first in (0..streams).step_by(1000) {
        let chunk: Vec<u8> = (first..streams.min(first + 1000)).flat_map(of).collect();
        let before = records(&chunk);
        let after = host.filter(&chunk)?.map_or(before.clone(), |c| records(&c));
        ensure!(before.len() == after.len(), "{first}");
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before[1]["host"], after[1]["host"]);
            assert_eq!(before[1]["log"], after[1]["log"]);
        }
    }
    Ok(())
}

/// Sees that a host still works, and ends it.
fn assert_sound(mut host: Host) -> Result<()> {
    assert_annotated(&mut host, "at last", 1, &pair("log", &packed(LINE)))?;
    let (status, log) = host.end()?;
    assert_eq!(status, 0, "{log}");
    assert!(!log.contains("internal error"), "{log}");
    Ok(())
}

const MIB: u64 = 1 << 20;

#[test]
fn maps_and_arrays_ten_thousand_deep_pass() -> Result<()> {
    let mut host = Host::start(&Setup::default())?;
    feed_nested(&mut host, 10_000)?;
    assert_sound(host)
}

#[test]
fn maps_of_a_hundred_thousand_keys_pass() -> Result<()> {
    let mut host = Host::start(&Setup::default())?;
    for most in [65_533, 65_534, 65_536, 100_000] {
        feed_wide(&mut host, most)?;
    }
    assert_sound(host)
}

#[test]
fn lines_of_a_megabyte_pass_in_bounded_memory() -> Result<()> {
    let mut host = Host::start(&Setup::default())?;
    let mut random = Random(1);
    feed_long(&mut host, 1 << 20, &mut random)?;
    let before = host.peak_memory_bytes()?;
    for _ in 0..4 {
        feed_long(&mut host, 1 << 20, &mut random)?;
    }
    let more = host.peak_memory_bytes()?.saturating_sub(before);
    assert!(more < 8 * MIB, "{more} bytes more");
    assert_sound(host)
}

#[test]
fn a_chunk_that_is_cut_off_or_lies_about_its_lengths_passes_as_it_is() -> Result<()> {
    let mut host = Host::start(&Setup::default())?;
    feed_lying(&mut host)?;
    for encoding in encodings() {
        feed_cut(&mut host, encoding)?;
    }
    // Nobody has believed what the lengths say.
    let peak = host.peak_memory_bytes()?;
    assert!(peak < 64 * MIB, "{peak} bytes");
    assert_sound(host)
}

#[test]
fn rubbish_passes() -> Result<()> {
    let mut host = Host::start(&Setup::default())?;
    feed_rubbish(&mut host, 5_000, &mut Random(2))?;
    assert_sound(host)
}

#[test]
fn a_hundred_thousand_streams_stay_within_the_limits_set() -> Result<()> {
    for (limit, more) in [("max_streams=1000", 32), ("max_memory_mib=32", 64)] {
        let mut properties = vec![limit, "stream_keys=host"];
        if limit.starts_with("max_memory") {
            properties.push("max_streams=1000000");
        }
        let mut host = Host::start(&Setup {
            properties,
            ..Setup::default()
        })?;
        feed_streams(&mut host, 100)?;
        let before = host.peak_memory_bytes()?;
        feed_streams(&mut host, 100_000)?;
        let grown = host.peak_memory_bytes()?.saturating_sub(before);
        assert!(grown < more * MIB, "{limit}: {grown} bytes more");
        let (status, log) = host.end()?;
        assert_eq!(status, 0, "{log}");
        let warnings = log.matches("streams were evicted for others").count();
        assert_eq!(warnings, 1, "{limit}: {log}");
    }
    Ok(())
}

/// A verdict on a template.
fn verdict(template: &str) -> Vec<u8> {
    let fields = map([
        ("bellwether_verdict", "benign".into()),
        ("template", template.into()),
    ]);
    USUAL.record(START, &fields)
}

#[test]
fn verdicts_on_a_hundred_thousand_templates_and_on_huge_ones_stay_within_bounds() -> Result<()> {
    let mut host = Host::start(&Setup {
        properties: vec!["feedback_match=the.*"],
        ..Setup::default()
    })?;
    host.filter(&USUAL.record(START, &map([("log", LINE.into())])))?;
    let mut random = Random(4);
    let mut words = || {
        let word = |_| format!("w{:x} ", random.next() >> 40);
        (0..8).map(word).collect::<String>()
    };
    let mut chunk = || {
        (0..1000)
            .flat_map(|_| verdict(&words()))
            .collect::<Vec<u8>>()
    };
    // More than are kept.
    for _ in 0..3 {
        assert_eq!(host.filter(&chunk())?, None, "it passes as it is");
    }
    let before = host.peak_memory_bytes()?;
    for _ in 0..97 {
        host.filter(&chunk())?;
    }
    let grown = host.peak_memory_bytes()?.saturating_sub(before);
    assert!(grown < 8 * MIB, "{grown} bytes more");
    for _ in 0..30 {
        let huge = verdict(&"w ".repeat(1 << 19));
        assert_eq!(host.filter(&huge)?, None);
    }
    let grown = host.peak_memory_bytes()?.saturating_sub(before);
    assert!(grown < 16 * MIB, "{grown} bytes more");
    let log = host.log();
    let lines = |wanted: &str| log.lines().filter(|line| line.contains(wanted)).count();
    // A few in each minute, however long this takes.
    assert!((1..2_000).contains(&lines("by operator, on \"w")), "{log}");
    assert!(
        lines("template has 1048576 bytes; it must have at most 16384") >= 1,
        "{log}"
    );
    assert_sound(host)
}

#[test]
fn what_is_not_annotated_passes_byte_for_byte() -> Result<()> {
    let mut host = Host::start(&Setup::default())?;
    let text = map([("log", LINE.into()), ("n", 7.into())]);
    for encoding in encodings() {
        let untouched = [
            encoding.record(START, &map([("n", 7.into())])),
            encoding.record(START, &map([("log", 7.into())])),
            encoding.record(-1, &map([("log", LINE.into())])),
            encoding.record(
                START,
                &map([("event", "login".into()), ("schema", 1.into())]),
            ),
            encoding.record(-2, &map([])),
        ];
        let annotated = encoding.record(START, &text);
        assert_eq!(host.filter(&untouched.concat())?, None, "{encoding:?}");
        let chunk: Vec<u8> = untouched
            .iter()
            .flat_map(|record| [&record[..], &annotated].concat())
            .collect();
        let after = host.filter(&chunk)?.context("it gets its template")?;
        let mut rest = &after[..];
        for record in &untouched {
            assert!(rest.starts_with(record), "{encoding:?}");
            rest = &rest[record.len()..];
            let found = rmpv::decode::read_value(&mut rest)?;
            assert_eq!(found[1]["log"].as_str(), Some(LINE), "{encoding:?}");
            assert!(found[1]["bellwether_template"].is_str(), "{encoding:?}");
        }
        assert!(rest.is_empty(), "{encoding:?}");
    }
    assert_sound(host)
}

#[test]
fn valgrind_finds_no_error_in_what_nobody_would_send() -> Result<()> {
    if !installed("valgrind") {
        skipped("there is no valgrind");
        return Ok(());
    }
    let mut host = Host::start(&Setup {
        properties: vec!["stream_keys=host", "max_streams=50"],
        valgrind: true,
        ..Setup::default()
    })?;
    let mut random = Random(3);
    feed_nested(&mut host, 200)?;
    feed_wide(&mut host, 300)?;
    feed_long(&mut host, 10_000, &mut random)?;
    feed_lying(&mut host)?;
    feed_cut(&mut host, USUAL)?;
    feed_rubbish(&mut host, 100, &mut random)?;
    feed_streams(&mut host, 100)?;
    assert_sound(host)
}
