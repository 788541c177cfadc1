//! The channels of `rank`: the time scales on which a change is sought, as data.

/// How the VMs' shifts become the hypervisor's evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    /// The k-th largest shift with a binomial distribution: k VMs changed at least this much.
    KthLargest,
    /// The sum of the shifts, each clipped to this many standard deviations, if k VMs changed in the same direction. Clipping
    /// limits the influence of a single VM.
    ClippedSum {
        /// With five VMs or more.
        clip: f32,
        /// With fewer.
        clip_few: f32,
    },
}

/// Only VMs that changed at the common moment count: the step between the first `after` samples of the short window and the
/// `before` samples ahead of it must be a fair part of the whole shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Guard {
    /// Samples from the beginning of the short window.
    pub after: usize,
    /// Samples before it.
    pub before: usize,
}

/// One time scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Channel {
    /// Its name in events.
    pub name: &'static str,
    /// Samples of the short window, the present.
    pub short: usize,
    /// Samples of the base before it, the past; at most 255, so that counts fit into a byte.
    pub base: usize,
    /// Share of the voters that must agree.
    pub quorum: f64,
    /// How they agree.
    pub statistic: Statistic,
    /// Which VMs changed at the same moment.
    pub guard: Option<Guard>,
    /// Samples after which evidence belongs to the past.
    pub lag: usize,
    /// Maximum weight of the recent past (evidence).
    pub past_cap: f32,
    /// New evidence must exceed this multiple of the past.
    pub past_weight: f64,
    /// The mean absolute shift that shifts are scaled down to where they are usually larger; see [`usual`](super::usual).
    pub usual: f32,
    /// How many times the ordinary threshold the host's own past may demand.
    pub highest: f64,
    /// An alarm soon after another is an echo.
    pub slow: bool,
    /// Evidence above the bar for an alarm, by number of voters ([`ANCHORS`]).
    pub threshold: Thresholds,
}

/// Thresholds at the numbers of voters in [`ANCHORS`]; between them linear in the logarithm of the number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Thresholds {
    /// For VMs whose consecutive samples hardly differ.
    pub quiet: [f64; 5],
    /// For VMs with noisy samples.
    pub noisy: [f64; 5],
}

/// Numbers of voters for which thresholds are given.
const ANCHORS: [f64; 5] = [3.0, 5.0, 8.0, 13.0, 30.0];

/// Consecutive samples that differ by less than this (standard deviations of ln(1+x)) are quiet.
const NOISE_QUIET: f64 = 0.18;
/// Those that differ by more than this are noisy.
pub(super) const NOISE_NOISY: f64 = 0.33;

/// The position of a number of voters and their noise in a table of thresholds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The number of voters.
    pub voters: usize,
    /// The anchor at or below it.
    anchor: usize,
    /// Position between this anchor and the next, 0 to 1.
    between: f64,
    /// Noise, 0 (quiet) to 1 (noisy).
    noisy: f64,
}

impl Place {
    /// The position of `voters` voters with a median noise of `noise` (see [`NOISE_NOISY`]).
    pub(super) fn new(voters: usize, noise: f64) -> Self {
        let noisy = ((noise.max(1e-6) / NOISE_QUIET).ln() / (NOISE_NOISY / NOISE_QUIET).ln())
            .clamp(0.0, 1.0);
        let x = (voters as f64).clamp(ANCHORS[0], ANCHORS[4]);
        let i = ANCHORS[1..4].iter().filter(|a| x >= **a).count();
        Self {
            voters,
            anchor: i,
            between: (x / ANCHORS[i]).ln() / (ANCHORS[i + 1] / ANCHORS[i]).ln(),
            noisy,
        }
    }
}

impl Thresholds {
    /// The threshold at `place`.
    pub(super) fn at(&self, place: &Place) -> f64 {
        let i = place.anchor;
        let between = |table: &[f64; 5]| table[i] + place.between * (table[i + 1] - table[i]);
        let quiet = between(&self.quiet);
        quiet + place.noisy * (between(&self.noisy) - quiet)
    }
}

/// Number of channels.
pub(super) const CHANNELS: usize = 4;

/// The channels of the table and the mixed one.
pub(super) const BARS: usize = CHANNELS + 1;

/// A VM with at least this shift (standard deviations) counts for consensus.
pub(super) const AGREES: f32 = 1.0;

/// The channel whose shifts are also used by [`MIXED`].
pub(super) const FAST: usize = 0;

/// The time scales, fast to slow. Calibrated on PlanetLab traces with two levels of noise.
pub(super) const TABLE: [Channel; CHANNELS] = [
    Channel {
        name: "fast",
        short: 8,
        base: 48,
        quorum: 0.7,
        statistic: Statistic::KthLargest,
        guard: None,
        lag: 40,
        past_cap: 5.0,
        past_weight: 0.75,
        usual: 0.75,
        highest: 2.5,
        slow: false,
        threshold: Thresholds {
            quiet: [5.0, 4.5, 3.0, 3.0, 3.0],
            noisy: [5.2, 4.5, 4.5, 5.0, 6.0],
        },
    },
    Channel {
        name: "brisk",
        short: 16,
        base: 48,
        quorum: 0.8,
        statistic: Statistic::ClippedSum {
            clip: 2.0,
            clip_few: 2.0,
        },
        guard: None,
        lag: 48,
        past_cap: 9.0,
        past_weight: 0.75,
        usual: 0.7,
        highest: 2.0,
        slow: false,
        threshold: Thresholds {
            quiet: [3.25, 3.0, 3.0, 2.5, 2.5],
            noisy: [2.6, 3.0, 4.4, 7.0, 8.0],
        },
    },
    Channel {
        name: "medium",
        short: 48,
        base: 192,
        quorum: 0.8,
        statistic: Statistic::ClippedSum {
            clip: 2.0,
            clip_few: 3.0,
        },
        guard: Some(Guard {
            after: 48,
            before: 48,
        }),
        lag: 80,
        past_cap: 9.0,
        past_weight: 1.25,
        usual: 1.25,
        highest: 1.0,
        slow: true,
        threshold: Thresholds {
            quiet: [8.0, 3.25, 3.2, 3.0, 3.0],
            noisy: [8.0, 3.75, 4.8, 7.0, 6.0],
        },
    },
    Channel {
        name: "long",
        short: 160,
        base: 255,
        quorum: 0.8,
        statistic: Statistic::ClippedSum {
            clip: 2.0,
            clip_few: 3.0,
        },
        guard: Some(Guard {
            after: 62,
            before: 48,
        }),
        lag: 192,
        past_cap: 9.0,
        past_weight: 1.25,
        usual: 1.25,
        highest: 1.0,
        slow: true,
        threshold: Thresholds {
            quiet: [8.0, 8.0, 6.0, 7.0, 6.0],
            noisy: [6.2, 3.4, 4.0, 4.8, 4.5],
        },
    },
];

/// Some VMs rise while others fall: the absolute shifts of the fast channel. Needs at least [`MIXED_VOTERS`] voters.
pub(super) const MIXED: Channel = Channel {
    name: "mixed",
    threshold: Thresholds {
        quiet: [20.0, 5.5, 5.0, 3.0, 3.0],
        noisy: [20.0, 5.5, 5.0, 4.5, 6.0],
    },
    ..TABLE[FAST]
};

/// Minimum number of voters of [`MIXED`].
pub(super) const MIXED_VOTERS: usize = 4;

/// Length of a VM's ring of samples: the longest short window and its base, and the newest sample.
pub(super) const RING: usize = 416;

/// Length and offset of the ring of shifts of each channel, within the array of all rings: the short window, the samples that its
/// guard needs before, and the newest.
pub(super) const SHIFT_RINGS: [(usize, usize); CHANNELS] = {
    let mut rings = [(0, 0); CHANNELS];
    let (mut c, mut offset) = (0, 0);
    while c < CHANNELS {
        let before = match TABLE[c].guard {
            Some(guard) => guard.before,
            None => 0,
        };
        let ring = TABLE[c].short + before + 1;
        rings[c] = (ring, offset);
        offset += ring;
        c += 1;
    }
    rings
};

/// Length of the array with the rings of shifts of all channels.
pub(super) const SHIFTS: usize = {
    let (ring, offset) = SHIFT_RINGS[CHANNELS - 1];
    ring + offset
};

const _: () = {
    let mut c = 0;
    while c < CHANNELS {
        assert!(TABLE[c].short + TABLE[c].base < RING);
        assert!(TABLE[c].base <= u8::MAX as usize);
        c += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_the_table_at_its_anchors_and_between_them_in_between() {
        let t = |voters, noise| TABLE[FAST].threshold.at(&Place::new(voters, noise));
        let Thresholds { quiet, noisy } = TABLE[FAST].threshold;
        for (i, n) in ANCHORS.iter().enumerate() {
            assert!((t(*n as usize, 0.01) - quiet[i]).abs() < 1e-12);
            assert!((t(*n as usize, 1.0) - noisy[i]).abs() < 1e-12);
        }
        assert_eq!(t(2, 1.0), noisy[0]);
        assert_eq!(t(500, 1.0), noisy[4]);
        let between = t(20, 1.0);
        assert!(between > noisy[3] && between < noisy[4]);
        let half = t(30, (NOISE_QUIET * NOISE_NOISY).sqrt());
        assert!((half - 4.5).abs() < 1e-9);
    }
}
