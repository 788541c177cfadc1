//! A million samples, values and configurations, drawn at random from what is plausible and from what is not, crash nothing:
//! no call gives `BW_PANIC`, every refusal has its reason, nothing gets lost in the counting.

#[path = "common/random.rs"]
mod random;

use std::path::Path;

use bellwether::*;
use fastrand::Rng;
use random::{Half, c, coded, counter, hostile, hostile_name, read, string};

const SAMPLES: usize = 1_000_000;
const SAMPLES_PER_CONFIGURATION: usize = 8_000;

/// Names of hosts, VMs and metrics as a fleet has them.
const HOSTS: [&[u8]; 2] = [b"host-1", b"h\xc3\xb6st"];
const VMS: [&[u8]; 7] = [b"a", b"b", b"c", b"d", b"e", b"f", b"web-\xe2\x82\xac"];
const METRICS: [&[u8]; 3] = [b"cpu", b"disk_ops", b"net_packets"];

fn name(rng: &mut Rng, usual: &[&[u8]]) -> Vec<u8> {
    if rng.u16(..1000) < 3 {
        return hostile_name(rng);
    }
    usual[rng.usize(..usual.len())].to_vec()
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && !bytes.contains(&0)
}

const HAD: Half = Half {
    name: "had",
    words: &ALGORITHMS,
    lists: &["cpu,disk_ops", "cpu", "net_packets , cpu,cpu", ","],
};

const ALGORITHMS: [&str; 3] = ["rank", "zscore", "iad"];

/// A detector of whose options some are set to something, or with the defaults where they contradict each other.
fn detector(rng: &mut Rng) -> *mut bw_detector {
    let first = [
        ("algorithm", rng.choice(ALGORITHMS).unwrap()),
        ("metrics", "cpu,disk_ops"),
    ];
    HAD.detector(rng, &first)
}

/// A fleet with its clock, how its samples differ from what they should be, and what was said of it.
struct Fleet {
    rng: Rng,
    clock: f64,
    level: f64,
    /// How many of a thousand numbers are hostile.
    hostility: u16,
    anomalies: usize,
}

impl Fleet {
    fn number(&mut self, usual: f64) -> f64 {
        if self.rng.u16(..1000) < self.hostility {
            hostile(&mut self.rng)
        } else {
            usual
        }
    }

    /// Gives one sample, and says whether it was an observation at all.
    fn sample(&mut self, had: *mut bw_detector) -> bool {
        let rng = &mut self.rng;
        let hypervisor = name(rng, &HOSTS);
        let vm = name(rng, &VMS);
        let metric = if rng.u8(..8) == 0 {
            name(rng, &METRICS)
        } else {
            b"cpu".to_vec()
        };
        self.clock += rng.f64();
        if rng.u16(..400) == 0 {
            self.level = rng.f64() * 100.0;
        }
        let noisy = self.level * (1.0 + 0.1 * rng.f64());
        let interval = if rng.u16(..100) == 0 { 10.0 } else { 0.0 };
        let observation = bw_had_observation {
            size: size_of::<bw_had_observation>(),
            hypervisor: string(&hypervisor),
            vm: string(&vm),
            metric: string(&metric),
            time: self.number(self.clock),
            interval: self.number(interval),
            value: self.number(noisy),
        };
        let mut outcome = bw_had_outcome::BW_HAD_OUTCOME_TAKEN;
        // SAFETY: the detector is ours, and the struct and its strings have the sizes that they say.
        let code = coded(|error| unsafe { bw_had_observe(had, &observation, &mut outcome, error) });
        let sound = is_text(&hypervisor) && is_text(&vm) && is_text(&metric);
        let right = if sound {
            bw_result::BW_OK
        } else {
            bw_result::BW_INVALID_ARGUMENT
        };
        assert_eq!(code, right);
        sound
    }

    /// Does one of the things that are done less often than giving samples.
    fn interlude(&mut self, had: *mut bw_detector, folder: &Path) {
        let time = self.number(self.clock);
        let rng = &mut self.rng;
        match rng.u8(..200) {
            0 => {
                HAD.save_and_load(&mut self.rng, had, folder);
            }
            1..40 => {
                let hypervisor = name(rng, &HOSTS);
                let (h, h_len) = c(&hypervisor);
                // SAFETY: the detector is ours, and the string has this length.
                coded(|error| unsafe { bw_had_advance_hypervisor(had, h, h_len, time, error) });
                let mut kind = bw_had_notice::BW_HAD_NOTICE_UNJUDGED;
                // SAFETY: the detector is ours, and the string lives until the next call.
                unsafe {
                    let message = read(bw_had_next_notice(had, &mut kind));
                    assert_ne!(message, Some(""));
                }
            }
            40..80 => {
                // SAFETY: the detector is ours.
                let code = coded(|error| unsafe { bw_detector_advance(had, time, error) });
                assert_eq!(code, bw_result::BW_OK);
            }
            80..100 => {
                let (hypervisor, vm, masked) = (name(rng, &HOSTS), name(rng, &VMS), rng.u8(..));
                let ((h, h_len), (v, v_len)) = (c(&hypervisor), c(&vm));
                // SAFETY: the detector is ours, and the strings have these lengths.
                coded(|error| unsafe { bw_had_mask(had, h, h_len, v, v_len, masked, error) });
            }
            100..110 => {
                let mut hypervisor = name(rng, &HOSTS);
                if rng.bool() {
                    hypervisor.insert(rng.usize(..=hypervisor.len()), b'*');
                }
                let (h, h_len) = c(&hypervisor);
                let until = time + f64::from(rng.i16(..));
                // SAFETY: the detector is ours, and the string has this length.
                coded(|error| unsafe {
                    match rng.bool() {
                        true => bw_had_mask_hypervisor(had, h, h_len, time, until, error),
                        false => bw_had_unmask_hypervisor(had, h, h_len, error),
                    }
                });
            }
            110..150 => read_statuses(had),
            _ => self.read_events(had),
        }
    }

    /// Reads the waiting events, sometimes not all.
    fn read_events(&mut self, had: *mut bw_detector) {
        while let Some(event) = HAD.next_event(had) {
            self.anomalies += usize::from(event["event"] == "hypervisor_anomaly");
            if self.rng.u8(..10) == 0 {
                return;
            }
        }
    }
}

fn read_statuses(had: *mut bw_detector) {
    // SAFETY: the detector is ours, the struct has the size that it says, and its strings live until the next count.
    unsafe {
        for index in 0..bw_had_status_count(had) {
            let mut status: bw_had_status = std::mem::zeroed();
            status.size = size_of::<bw_had_status>();
            assert_eq!(
                coded(|error| bw_had_status_at(had, index, &mut status, error)),
                bw_result::BW_OK
            );
            assert!(!read(status.hypervisor).unwrap().is_empty());
            assert!(!read(status.metric).unwrap().is_empty());
            assert!((0.0..=1.0).contains(&status.score) && (0.0..=1.0).contains(&status.consensus));
        }
    }
}

/// Observations that were counted, by whatever they came to.
fn counted(had: *mut bw_detector) -> u64 {
    let outcomes = [
        "taken",
        "duplicate",
        "late",
        "ignored",
        "masked",
        "refused",
        "full",
        "set_aside",
    ];
    outcomes.map(|name| counter(had, name)).iter().sum()
}

#[test]
fn a_million_random_samples_under_random_configurations_crash_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut anomalies = 0;
    for seed in 0..(SAMPLES / SAMPLES_PER_CONFIGURATION) as u64 {
        let mut rng = Rng::with_seed(seed);
        let had = detector(&mut rng);
        let mut fleet = Fleet {
            clock: rng.choice([0.0, -5e8, 1.7e9, 9e10]).unwrap(),
            level: 20.0,
            // A fleet that is always hostile never gets far into the detectors.
            hostility: rng.choice([0, 1, 20, 300]).unwrap(),
            anomalies: 0,
            rng,
        };
        let mut observed = 0;
        for _ in 0..SAMPLES_PER_CONFIGURATION {
            observed += u64::from(fleet.sample(had));
            if fleet.rng.u8(..20) == 0 {
                fleet.interlude(had, folder.path());
            }
        }
        assert_eq!(counted(had), observed, "seed {seed}");
        anomalies += fleet.anomalies;
        // SAFETY: the detector is ours and used no more.
        unsafe { bw_detector_free(had) };
    }
    assert!(
        anomalies > 10,
        "{anomalies} anomalies: the samples never got far into the detectors"
    );
}
