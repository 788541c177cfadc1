//! The readers of snapshots, of HAD, LAD and Drain: any bytes, a content that makes sense by chance under a right checksum, and
//! a whole snapshot with some bytes changed. What is refused says why; a detector that took one goes on without a panic.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use bellwether_core::drain::{DrainOptions, Miner};
use bellwether_core::had::{self, HadOptions, Observation};
use bellwether_core::inference::Lexicon;
use bellwether_core::lad::{self, LadOptions, Record, Source};
use bellwether_core::snapshot::{HEAD_BYTES, SnapshotError, Tag};
use bellwether_core::units::{Interval, Time};
use bellwether_fuzz::sound::sound_state;
use bellwether_fuzz::state::Folder;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// Whose snapshot it is to be.
    kind: u8,
    content: Content<'a>,
}

#[derive(Arbitrary, Debug)]
enum Content<'a> {
    /// The whole file.
    File(&'a [u8]),
    /// A state of that version, with the right head and checksum around it.
    State(u8, &'a [u8]),
    /// Changes to a state that a detector wrote.
    Changed(Vec<Change<'a>>),
}

#[derive(Arbitrary, Debug)]
enum Change<'a> {
    Set(u16, u8),
    Flip(u16, u8),
    Insert(u16, &'a [u8]),
    Remove(u16, u8),
    Copy(u16, u16, u8),
    Cut(u16),
}

const HAD: Tag = *b"had ";
const LAD: Tag = *b"lad ";
const DRAIN: Tag = *b"drai";
/// Bytes of a snapshot behind the state.
const TAIL_BYTES: usize = 12;

/// Something that learns, is saved, and goes on.
trait Learner {
    fn new() -> Self;
    fn learn(&mut self, from: f64, ticks: u32);
}

macro_rules! learner {
    ($name:ident($inner:ty) = $make:expr; |$it:ident, $time:ident, $tick:ident| $learn:block) => {
        struct $name($inner);
        impl Learner for $name {
            fn new() -> Self {
                Self($make)
            }
            fn learn(&mut self, from: f64, ticks: u32) {
                let $it = &mut self.0;
                for $tick in 0..ticks {
                    let $time = from + 10.0 * f64::from($tick);
                    $learn
                }
            }
        }
    };
}

fn had(algorithm: &str) -> had::Detector {
    let mut options = HadOptions::default();
    for (name, value) in [
        ("algorithm", algorithm),
        ("workload_changes", "true"),
        ("iad_window_sz", "20"),
        ("max_vms", "16"),
        ("max_hypervisors", "4"),
    ] {
        options.set(name, value).expect("an option's value");
    }
    had::Detector::new(options).expect("no two contradict each other")
}

fn fleet(had: &mut had::Detector, time: f64, tick: u32) {
    for (vm, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        let base = if tick % 100 > 60 { 80.0 } else { 20.0 };
        had.observe(&Observation {
            hypervisor: if tick.is_multiple_of(5) { "h2" } else { "h1" },
            vm: name,
            metric: "cpu",
            time: Time::from_secs(time),
            interval: Some(Interval::from_secs(10.0)),
            value: base + f64::from((tick * 7 + vm as u32 * 13) % 11),
        });
    }
    if tick.is_multiple_of(16) {
        had.advance(Time::from_secs(time));
        had.mask("h1", "b", tick.is_multiple_of(32));
    }
}

fn lad(mode: &str) -> lad::Detector {
    let mut options = LadOptions::default();
    for (name, value) in [
        ("mode", mode),
        ("training", "20"),
        ("novelty_events", "true"),
        ("max_streams", "4"),
        ("max_windows", "100"),
        ("drain_max_clusters", "20"),
    ] {
        options.set(name, value).expect("an option's value");
    }
    lad::Detector::with_inference(options, Lexicon::builtin().clone())
        .expect("no two contradict each other")
}

fn log(lad: &mut lad::Detector, time: f64, tick: u32) {
    const TEXTS: [&str; 6] = [
        "session opened for user root",
        "Started Session 77 of User root.",
        "device vnet7 entered promiscuous mode",
        "Buffer I/O error on dev sda1, logical block 77, async page read",
        "Out of memory: Killed process 77 (qemu-system-x86)",
        "link 7 is up after 12 tries",
    ];
    let which = if tick % 40 < 30 { tick % 3 } else { tick % 6 };
    lad.observe(&Record {
        stream: if tick.is_multiple_of(7) {
            "host-2"
        } else {
            "host-1"
        },
        time: Time::from_secs(time),
        text: TEXTS[which as usize],
        priority: (tick.is_multiple_of(4)).then_some((tick % 8) as u8),
        source: Source::default(),
    });
    if tick.is_multiple_of(25) {
        lad.advance(Time::from_secs(time));
        lad.feedback("host-1", 2, None);
    }
}

learner!(Rank(had::Detector) = had("rank"); |had, time, tick| { fleet(had, time, tick) });
learner!(Zscore(had::Detector) = had("zscore"); |had, time, tick| { fleet(had, time, tick) });
learner!(Iad(had::Detector) = had("iad"); |had, time, tick| { fleet(had, time, tick) });
learner!(Symbolic(lad::Detector) = lad("symbolic"); |lad, time, tick| { log(lad, time, tick) });
learner!(Paper(lad::Detector) = lad("paper"); |lad, time, tick| { log(lad, time, tick) });

/// The state that a detector of this kind wrote, and its version.
fn written<L: Learner>(snapshot: impl Fn(&L) -> Vec<u8>) -> (u32, Vec<u8>) {
    let mut learner = L::new();
    learner.learn(1.7e9, 150);
    state_of(&snapshot(&learner))
}

/// The state within a snapshot, and its version.
fn state_of(snapshot: &[u8]) -> (u32, Vec<u8>) {
    let (head, rest) = snapshot.split_at(HEAD_BYTES);
    let version = u32::from_le_bytes(head[HEAD_BYTES - 4..].try_into().expect("four bytes"));
    (version, rest[..rest.len() - TAIL_BYTES].to_vec())
}

/// A snapshot with a state of that version, as the newest container or, where the version is 0, as the first one has it.
fn snapshot(tag: Tag, version: u32, state: &[u8]) -> Vec<u8> {
    let length = (state.len() as u64).to_le_bytes();
    if version == 0 {
        let sum = crc32fast::hash(state).to_le_bytes();
        return [
            b"BELLWTHR",
            &1_u32.to_le_bytes()[..],
            &tag,
            &length,
            &sum,
            state,
        ]
        .concat();
    }
    let (container, version) = (2_u32.to_le_bytes(), version.to_le_bytes());
    let whole = [b"BELLWTHR", &container[..], &tag, &version, state, &length].concat();
    let sum = crc32fast::hash(&whole).to_le_bytes();
    [whole, sum.to_vec()].concat()
}

/// A state of each kind.
static STATES: LazyLock<[(u32, Vec<u8>); 6]> = LazyLock::new(|| {
    [
        written::<Rank>(|l| l.0.snapshot().to_vec()),
        written::<Zscore>(|l| l.0.snapshot().to_vec()),
        written::<Iad>(|l| l.0.snapshot().to_vec()),
        written::<Symbolic>(|l| l.0.snapshot().to_vec()),
        written::<Paper>(|l| l.0.snapshot().to_vec()),
        state_of(&miner().snapshot().to_vec()),
    ]
});

fn blank_miner() -> Miner {
    let mut options = DrainOptions::default();
    options
        .set("max_clusters", "20")
        .expect("an option's value");
    Miner::new(options).expect("no two contradict each other")
}

fn miner() -> Miner {
    let mut miner = blank_miner();
    for n in 0..40 {
        feed(&mut miner, n);
    }
    miner
}

fn feed(miner: &mut Miner, n: u32) {
    let words = [
        "error", "of", "disk", "sda", "at", "sector", "retry", "gave", "up",
    ];
    let from = n as usize % 5;
    let line = words[from..from + 1 + n as usize % 4].join(" ");
    miner.add(&format!("{line} {n} after {} s", n * 3));
}

/// `payload` with the changes made.
fn changed(payload: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    for change in changes {
        // Places are shares of the length, so that they lie in it, whatever it is by now.
        let place = |at: &u16| bytes.len() * usize::from(*at) / 65536;
        match change {
            _ if bytes.is_empty() => break,
            Change::Set(at, byte) => {
                let at = place(at);
                bytes[at] = *byte;
            }
            Change::Flip(at, bit) => {
                let at = place(at);
                bytes[at] ^= 1 << (bit % 8);
            }
            Change::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Remove(at, count) => {
                let at = place(at);
                let end = bytes.len().min(at + usize::from(*count));
                bytes.drain(at..end);
            }
            Change::Copy(from, to, count) => {
                let (from, to) = (place(from), place(to));
                let end = bytes.len().min(from + usize::from(*count));
                let part = bytes[from..end].to_vec();
                bytes.splice(to..to, part);
            }
            Change::Cut(at) => {
                let at = place(at);
                bytes.truncate(at);
            }
        }
    }
    bytes
}

/// Loads a file into a new learner, which goes on with what came of it, and with what it says.
fn loaded<L: Learner>(
    file: &[u8],
    load: impl Fn(&mut L, &std::path::Path) -> Result<bool, SnapshotError>,
    check: impl Fn(&mut L),
) {
    thread_local!(static FOLDER: Folder = Folder::new());
    FOLDER.with(|folder| {
        let mut learner = L::new();
        match load(&mut learner, &folder.with(file)) {
            Ok(found) => assert!(found),
            Err(SnapshotError::Unusable {
                reason, set_aside, ..
            }) => {
                assert!(!reason.to_string().is_empty() && set_aside.is_some());
            }
            Err(error) => panic!("{error}"),
        }
        folder.clear();
        // At the time of the snapshot, behind it and long after it.
        check(&mut learner);
        learner.learn(1.7e9 + 1500.0, 25);
        check(&mut learner);
        learner.learn(1.7e9 + 1e6, 3);
        check(&mut learner);
    });
}

fn check_had(had: &mut had::Detector) {
    sound_state(had);
    while let Some(event) = had.next_event() {
        assert!(event.to_json().starts_with('{'));
    }
}

fn check_lad(lad: &mut lad::Detector) {
    let (options, n) = (lad.options(), lad.counters());
    assert!(n.streams <= options.max_streams as u64);
    assert!(n.templates <= n.streams * options.drain.max_clusters as u64);
    assert!(n.windows <= n.streams * options.max_windows as u64);
    while let Some(event) = lad.next_event() {
        assert!(event.to_json().starts_with('{'));
    }
}

fn restored_miner(snapshot: &[u8]) {
    let mut miner = blank_miner();
    if let Err(reason) = miner.restore(snapshot) {
        assert!(!reason.to_string().is_empty());
        assert_eq!(miner.statistics(), blank_miner().statistics());
    }
    for n in 0..60 {
        feed(&mut miner, n);
        assert!(miner.statistics().clusters <= 20);
        assert!(miner.bytes() <= miner.options().max_bytes);
    }
    miner.snapshot();
}

fuzz_target!(|input: Input| {
    let kind = usize::from(input.kind) % STATES.len();
    let tag = [HAD, HAD, HAD, LAD, LAD, DRAIN][kind];
    let file = match &input.content {
        Content::File(bytes) => bytes.to_vec(),
        Content::State(version, state) => snapshot(tag, u32::from(version % 3), state),
        Content::Changed(changes) => {
            let (version, state) = &STATES[kind];
            snapshot(tag, *version, &changed(state, changes))
        }
    };
    match kind {
        // An empty file is a first start.
        0..5 if file.is_empty() => {}
        0 => loaded::<Rank>(&file, |l, path| l.0.load(path), |l| check_had(&mut l.0)),
        1 => loaded::<Zscore>(&file, |l, path| l.0.load(path), |l| check_had(&mut l.0)),
        2 => loaded::<Iad>(&file, |l, path| l.0.load(path), |l| check_had(&mut l.0)),
        3 => loaded::<Symbolic>(&file, |l, path| l.0.load(path), |l| check_lad(&mut l.0)),
        4 => loaded::<Paper>(&file, |l, path| l.0.load(path), |l| check_lad(&mut l.0)),
        _ => restored_miner(&file),
    }
});
