//! Records, lines and configurations of the log half, drawn at random from what is plausible and from what is not, crash
//! nothing: no call gives `BW_PANIC`, every refusal has its reason, nothing gets lost in the counting.

#[path = "common/random.rs"]
mod random;

use std::path::Path;
use std::ptr;

use bellwether::*;
use fastrand::Rng;
use random::{Half, c, coded, counter, hostile, hostile_name, read, string};

const RECORDS: usize = 300_000;
const RECORDS_PER_CONFIGURATION: usize = 6_000;

const STREAMS: [&str; 4] = ["host-1", "höst", "a", "b"];
const TEXTS: [&str; 8] = [
    "session opened for user root",
    "[ 12.5] Buffer I/O error on dev sda1, logical block 77, async page read",
    "Out of memory: Killed process 77 (qemu-system-x86)",
    "device vnet7 entered promiscuous mode",
    "0 errors, 12 warnings",
    "task kworker/3:1:77 blocked for more than 120 seconds",
    "Started Session 77 of User root.",
    "",
];

/// The text of a record: one that a host prints, with numbers of its own, or one that none does.
fn text(rng: &mut Rng) -> Vec<u8> {
    match rng.u16(..1000) {
        0..6 => hostile_name(rng),
        6..20 => (0..rng.usize(..300)).map(|_| rng.u8(..)).collect(),
        20..60 => (0..rng.usize(1..60))
            .map(|_| format!("w{} ", rng.u32(..)))
            .collect::<String>()
            .into_bytes(),
        _ => {
            let text = rng.choice(TEXTS).unwrap();
            text.replace("77", &rng.u32(..5_000).to_string())
                .into_bytes()
        }
    }
}

const LAD: Half = Half {
    name: "lad",
    words: &["symbolic", "paper", "none", "published"],
    lists: &["VM=vm-[0-9]+", "A=(a|b)+ ; B=x{2}", "A=(", "_", "_=,"],
};

const DRAIN: Half = Half {
    name: "drain",
    words: &["all", "none"],
    lists: LAD.lists,
};

/// A detector of whose options some are set to something, or with the defaults where they contradict each other.
fn detector(rng: &mut Rng) -> *mut bw_detector {
    let first = [
        ("novelty_events", "true"),
        ("questions", rng.choice(["0", "3", "100"]).unwrap()),
        ("mode", rng.choice(["symbolic", "paper"]).unwrap()),
    ];
    LAD.detector(rng, &first)
}

/// Gives one record, and says whether it was one at all.
fn observe(rng: &mut Rng, lad: *mut bw_detector, clock: f64) -> bool {
    let stream = if rng.u16(..500) == 0 {
        hostile_name(rng)
    } else {
        rng.choice(STREAMS).unwrap().as_bytes().to_vec()
    };
    let text = text(rng);
    let record = bw_lad_record {
        size: size_of::<bw_lad_record>(),
        stream: string(&stream),
        text: string(&text),
        time: if rng.u16(..200) == 0 {
            hostile(rng)
        } else {
            clock
        },
        program: string(&text),
        unit: bw_string {
            data: ptr::null(),
            size: rng.usize(..9),
        },
        tag: string(&stream),
        priority: rng.u32(..9),
        has_priority: rng.u8(..3),
        transport: rng.u32(..5),
    };
    // SAFETY: zeros are numbers, false, the first outcome and pointers that are NULL.
    let mut observed: bw_lad_observed = unsafe { std::mem::zeroed() };
    observed.size = size_of::<bw_lad_observed>();
    // SAFETY: the detector is ours, and the structs and their strings have the sizes that they say.
    let code = coded(|error| unsafe { bw_lad_observe(lad, &record, &mut observed, error) });
    let is_name = std::str::from_utf8(&stream).is_ok() && !stream.contains(&0);
    let sound = is_name && record.transport < 4;
    assert_eq!(code == bw_result::BW_OK, sound);
    if sound {
        assert!((0.0..=1.0).contains(&observed.score) && (0.0..=1.0).contains(&observed.severity));
        assert_eq!(
            observed.template_id == 0,
            observed.outcome != bw_lad_outcome::BW_LAD_OUTCOME_TAKEN
        );
        // SAFETY: it lives until the next call.
        let template = unsafe { read(observed.template_text) };
        assert_eq!(template.is_none(), observed.template_id == 0);
    }
    sound
}

/// Reads the waiting events: how many failures began.
fn read_events(lad: *mut bw_detector) -> usize {
    let mut raised = 0;
    while let Some(event) = LAD.next_event(lad) {
        raised += usize::from(event["event"] == "log_failure" && event["state"] == "raised");
    }
    raised
}

/// Does one of the things that are done less often than giving records.
fn interlude(rng: &mut Rng, lad: *mut bw_detector, clock: f64, folder: &Path) -> usize {
    let stream = rng.choice(STREAMS).unwrap().as_bytes();
    let (stream, stream_len) = c(stream);
    match rng.u8(..100) {
        0..2 => LAD.save_and_load(rng, lad, folder),
        2..30 => {
            let (id, verdict) = (rng.u64(..200), rng.u32(..6));
            // SAFETY: the detector is ours, and the string has this length.
            let code = coded(|error| unsafe {
                bw_lad_feedback(lad, stream, stream_len, id, verdict, error)
            });
            assert_eq!(code == bw_result::BW_INVALID_ARGUMENT, verdict == 5);
        }
        60..75 => {
            let template = text(rng);
            let feedback = bw_lad_text_feedback {
                size: size_of::<bw_lad_text_feedback>(),
                stream: match rng.bool() {
                    true => string(rng.choice(STREAMS).unwrap().as_bytes()),
                    false => bw_string {
                        data: ptr::null(),
                        size: 0,
                    },
                },
                template_text: string(&template),
                family: string(rng.choice(["", "storage", "vmm"]).unwrap().as_bytes()),
                verdict: rng.u32(..5),
            };
            let mut applied = 0;
            // SAFETY: the detector is ours, and the strings have the lengths that they say.
            let code = coded(|error| unsafe {
                bw_lad_feedback_by_text(lad, &feedback, &mut applied, error)
            });
            let is_empty = template.is_empty();
            assert_eq!(code == bw_result::BW_INVALID_ARGUMENT, is_empty);
        }
        75..85 => {
            // SAFETY: the detector is ours, and so is what it gives.
            unsafe {
                let question = bw_lad_next_question(lad);
                let mut info: bw_question_info = std::mem::zeroed();
                info.size = size_of::<bw_question_info>();
                let code = coded(|error| bw_question_describe(question, &mut info, error));
                assert_eq!(code == bw_result::BW_OK, !question.is_null());
                for index in 0..=info.benign_count {
                    let benign = read(bw_question_benign(question, index));
                    assert_eq!(benign.is_some(), index < info.benign_count);
                }
                bw_question_free(question);
                let answer = rng.u32(..5);
                let none = ptr::null();
                let code = coded(|error| bw_lad_answer(lad, info.id, answer, none, 0, error));
                assert_eq!(code == bw_result::BW_OK, info.id > 0);
            }
        }
        30..40 => {
            let time = if rng.bool() { hostile(rng) } else { clock };
            // SAFETY: the detector is ours.
            let code = coded(|error| unsafe { bw_detector_advance(lad, time, error) });
            assert_eq!(code, bw_result::BW_OK);
        }
        40..60 => {
            // SAFETY: the detector is ours, and the template is read before the next call.
            unsafe {
                read(bw_lad_template(lad, stream, stream_len, rng.u64(..200)));
            }
        }
        _ => return read_events(lad),
    }
    0
}

#[test]
fn random_records_under_random_configurations_crash_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut raised = 0;
    for seed in 0..(RECORDS / RECORDS_PER_CONFIGURATION) as u64 {
        let mut rng = Rng::with_seed(seed);
        let lad = detector(&mut rng);
        let (mut clock, mut observed) = (rng.choice([0.0, -5e8, 1.7e9, 9e10]).unwrap(), 0);
        for _ in 0..RECORDS_PER_CONFIGURATION {
            clock += rng.f64() * 10.0;
            observed += u64::from(observe(&mut rng, lad, clock));
            if rng.u8(..40) == 0 {
                raised += interlude(&mut rng, lad, clock, folder.path());
            }
        }
        let outcomes = ["taken", "refused", "full"].map(|name| counter(lad, name));
        assert_eq!(outcomes.iter().sum::<u64>(), observed, "seed {seed}");
        // SAFETY: the detector is ours and used no more.
        unsafe { bw_detector_free(lad) };
    }
    assert!(
        raised > 100,
        "{raised} failures: the records never got far into the detector"
    );
}

#[test]
fn random_lines_crash_no_parser() {
    let mut rng = Rng::with_seed(1);
    let drain = DRAIN.detector(&mut rng, &[]);
    // SAFETY: the parser is ours, the structs and strings have the sizes that they say, and what it gives is read before the
    // next call.
    unsafe {
        for _ in 0..100_000 {
            let line = text(&mut rng);
            let (start, length) = c(&line);
            let mut added: bw_drain_added = std::mem::zeroed();
            added.size = size_of::<bw_drain_added>();
            let code = coded(|error| bw_drain_add(drain, start, length, &mut added, error));
            assert_eq!(code, bw_result::BW_OK);
            assert!(read(bw_drain_template(drain, added.template_id)).is_some());
            let count = bw_drain_parameter_count(drain, added.template_id, start, length);
            for index in 0..count {
                assert!(read(bw_drain_parameter(drain, index)).is_some());
            }
            assert!(read(bw_drain_parameter(drain, count)).is_none());
        }
        bw_detector_free(drain);
    }
}
