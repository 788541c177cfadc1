//! A million samples, values and configurations, drawn at random from what is plausible and from what is not, crash nothing:
//! no call gives `BW_PANIC`, every refusal has its reason, nothing gets lost in the counting.

#[path = "common/random.rs"]
mod random;

use std::ffi::CStr;
use std::path::Path;

use bellwether::*;
use fastrand::Rng;
use random::{Half, c, coded, hostile, hostile_name};

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

/// Its options and itself.
const HAD: Half<bw_had_options, bw_had> = Half {
    options_new: bw_had_options_new,
    options_set: bw_had_options_set,
    options_free: bw_had_options_free,
    count: bw_had_option_count,
    describe: bw_had_option_describe,
    new: bw_had_new,
    save: bw_had_save,
    load: bw_had_load,
    next_event: bw_had_next_event,
    words: &ALGORITHMS,
    lists: &["cpu,disk_ops", "cpu", "net_packets , cpu,cpu", ","],
};

const ALGORITHMS: [&str; 3] = ["rank", "zscore", "iad"];

/// A detector of whose options some are set to something, or with the defaults where they contradict each other.
fn detector(rng: &mut Rng) -> *mut bw_had {
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
    fn sample(&mut self, had: *mut bw_had) -> bool {
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
        let ((hypervisor_start, hypervisor_len), (vm_start, vm_len), (metric_start, metric_len)) =
            (c(&hypervisor), c(&vm), c(&metric));
        let observation = bw_observation {
            size: size_of::<bw_observation>(),
            hypervisor: hypervisor_start,
            hypervisor_len,
            vm: vm_start,
            vm_len,
            metric: metric_start,
            metric_len,
            time: self.number(self.clock),
            interval: self.number(interval),
            value: self.number(noisy),
        };
        let mut outcome = bw_outcome::BW_OUTCOME_TAKEN;
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
    fn interlude(&mut self, had: *mut bw_had, folder: &Path) {
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
                let mut kind = bw_notice::BW_NOTICE_UNJUDGED;
                // SAFETY: the detector is ours, and the string lives until the next call.
                unsafe {
                    let message = bw_had_next_notice(had, &mut kind);
                    assert!(message.is_null() || CStr::from_ptr(message).count_bytes() > 0);
                }
            }
            40..80 => {
                // SAFETY: the detector is ours.
                let code = coded(|error| unsafe { bw_had_advance(had, time, error) });
                assert_eq!(code, bw_result::BW_OK);
            }
            80..100 => {
                let (hypervisor, vm, masked) = (name(rng, &HOSTS), name(rng, &VMS), rng.bool());
                let ((h, h_len), (v, v_len)) = (c(&hypervisor), c(&vm));
                // SAFETY: the detector is ours, and the strings have these lengths.
                coded(|error| unsafe { bw_had_mask(had, h, h_len, v, v_len, masked, error) });
            }
            100..150 => read_statuses(had),
            _ => self.read_events(had),
        }
    }

    /// Reads the waiting events, sometimes not all.
    fn read_events(&mut self, had: *mut bw_had) {
        while let Some(event) = HAD.next_event(had) {
            self.anomalies += usize::from(event["event"] == "hypervisor_anomaly");
            if self.rng.u8(..10) == 0 {
                return;
            }
        }
    }
}

fn read_statuses(had: *mut bw_had) {
    // SAFETY: the detector is ours, the struct has the size that it says, and its strings live until the next count.
    unsafe {
        for index in 0..bw_had_status_count(had) {
            let mut status: bw_status = std::mem::zeroed();
            status.size = size_of::<bw_status>();
            assert_eq!(
                coded(|error| bw_had_status(had, index, &mut status, error)),
                bw_result::BW_OK
            );
            assert_eq!(
                CStr::from_ptr(status.hypervisor).count_bytes(),
                status.hypervisor_len
            );
            assert_eq!(
                CStr::from_ptr(status.metric).count_bytes(),
                status.metric_len
            );
            assert!((0.0..=1.0).contains(&status.score) && (0.0..=1.0).contains(&status.consensus));
        }
    }
}

/// Observations that were counted, by whatever they came to.
fn counted(had: *mut bw_had) -> u64 {
    // SAFETY: the detector is ours, and the struct has the size that it says.
    unsafe {
        let mut n: bw_counters = std::mem::zeroed();
        n.size = size_of::<bw_counters>();
        assert_eq!(
            coded(|error| bw_had_counters(had, &mut n, error)),
            bw_result::BW_OK
        );
        n.taken + n.duplicate + n.late + n.ignored + n.masked + n.refused + n.full + n.set_aside
    }
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
        unsafe { bw_had_free(had) };
    }
    assert!(
        anomalies > 10,
        "{anomalies} anomalies: the samples never got far into the detectors"
    );
}
