//! The structs of the header that are the same on both sides of the border.
//!
//! Those with a code in them are not: the library says an enumerator of its own, and what loads it may meet a code that only a
//! newer library has.

use std::ffi::c_char;

/// One option as documentation shows it. All strings are static, in UTF-8 and NUL-terminated: never freed, valid for ever.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_option_info {
    /// Set by the caller to `sizeof(bw_option_info)`.
    pub size: usize,
    /// The name, in snake case.
    pub name: *const c_char,
    /// What kind of value it takes: "flag", "integer", "number", "choice", "list" or "text".
    pub kind: *const c_char,
    /// The default, as a user would write it.
    pub default_value: *const c_char,
    /// The allowed values, in words.
    pub allowed: *const c_char,
    /// The unit of the value; an empty string where it has none.
    pub unit: *const c_char,
    /// One line of help.
    pub help: *const c_char,
}

/// One sample of one metric of one VM. The strings are in UTF-8, not NUL-terminated, without NUL bytes, and not kept.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_observation {
    /// Set by the caller to `sizeof(bw_observation)`.
    pub size: usize,
    /// The hypervisor's name.
    pub hypervisor: *const c_char,
    /// The bytes of `hypervisor`; a name without any is `BW_OUTCOME_REFUSED`.
    pub hypervisor_len: usize,
    /// The VM's name, unique on its hypervisor.
    pub vm: *const c_char,
    /// The bytes of `vm`; a name without any is `BW_OUTCOME_REFUSED`.
    pub vm_len: usize,
    /// The metric's name; one that is not in the option "metrics" is `BW_OUTCOME_IGNORED`.
    pub metric: *const c_char,
    /// The bytes of `metric`.
    pub metric_len: usize,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two samples of this VM; 0 means the option "interval".
    pub interval: f64,
    /// The value, not negative; for "cpu" in percent of one core. NaN is a sample that is known to be missing.
    pub value: f64,
}

/// How many observations came to what since the detector was made, and what there is now.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct bw_counters {
    /// Set by the caller to `sizeof(bw_counters)`.
    pub size: usize,
    /// Observations that were `BW_OUTCOME_TAKEN`.
    pub taken: u64,
    /// Observations that were `BW_OUTCOME_DUPLICATE`.
    pub duplicate: u64,
    /// Observations that were `BW_OUTCOME_LATE`.
    pub late: u64,
    /// Observations that were `BW_OUTCOME_IGNORED`.
    pub ignored: u64,
    /// Observations that were `BW_OUTCOME_MASKED`.
    pub masked: u64,
    /// Observations that were `BW_OUTCOME_REFUSED`.
    pub refused: u64,
    /// Observations that were `BW_OUTCOME_FULL`.
    pub full: u64,
    /// Events that were lost because nobody fetched them in time.
    pub events_lost: u64,
    /// Hypervisors that there is state of.
    pub hypervisors: u64,
    /// VMs that there is state of, over all hypervisors and metrics.
    pub vms: u64,
    /// Hypervisors that no longer reported and made room for new ones, because of the option "max_hypervisors".
    pub hypervisors_evicted: u64,
    /// VMs that no longer reported and made room for new ones, because of the option "max_vms"; over all hypervisors and
    /// metrics.
    pub vms_evicted: u64,
    /// Observations that were `BW_OUTCOME_SET_ASIDE`.
    pub set_aside: u64,
    /// How often most VMs of a hypervisor moved to another interval, so that it is learned anew, over all metrics.
    pub intervals_changed: u64,
    /// How often most VMs of a hypervisor agreed on a time that is earlier, or much later, over all metrics.
    pub clock_steps: u64,
    /// Metrics of hypervisors that cannot be judged because each of the VMs has an interval of its own.
    pub unjudged: u64,
}

/// Where one metric of one hypervisor stands. Where its VMs have several intervals, that is where those stand that have an open
/// incident, or else those of the interval that most have. The strings are in UTF-8 and NUL-terminated; they belong to the detector and
/// live until the next `bw_had_status_count` or `bw_had_free`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_status {
    /// Set by the caller to `sizeof(bw_status)`.
    pub size: usize,
    /// The hypervisor's name.
    pub hypervisor: *const c_char,
    /// The bytes of `hypervisor` without the NUL.
    pub hypervisor_len: usize,
    /// The metric's name.
    pub metric: *const c_char,
    /// The bytes of `metric` without the NUL.
    pub metric_len: usize,
    /// Time of the last interval judged, in seconds since the epoch.
    pub time: f64,
    /// How near to an alarm, 0 to 1; an alarm is 0.5 or more.
    pub score: f64,
    /// Share of the VMs that had a say and changed the same way, 0 to 1.
    pub consensus: f64,
    /// How many VMs had a say.
    pub voters: u32,
    /// How many VMs are known, whatever their interval.
    pub vms: u32,
    /// Whether an incident is open.
    pub raised: bool,
    /// Seconds between two intervals judged.
    pub interval: f64,
}

/// One record of a log. No string needs a NUL behind it, and none is kept.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_record {
    /// Set by the caller to `sizeof(bw_record)`.
    pub size: usize,
    /// The stream that it belongs to, the name of the host whose log it is: in UTF-8 without NUL bytes.
    pub stream: *const c_char,
    /// The bytes of `stream`; a name without any is `BW_RECORD_REFUSED`.
    pub stream_len: usize,
    /// What it says, without time, host and source. Any bytes: those that are no UTF-8, and NUL bytes, are replaced.
    pub text: *const c_char,
    /// The bytes of `text`.
    pub text_len: usize,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// Not 0 where the record says how weighty it is.
    pub has_priority: u32,
    /// How weighty it says it is, as syslog and journald number it: 0 (emergency) to 7 (debug); more is taken for 7.
    pub priority: u32,
    /// The program that says it, as syslog's tag or the journal's identifier name it; events show it. Any bytes; NULL where it is
    /// unknown. This field and all behind it came with version 3 of the interface.
    pub program: *const c_char,
    /// The bytes of `program`.
    pub program_len: usize,
    /// The unit that the program belongs to: of systemd, or the pod or container. As `program`.
    pub unit: *const c_char,
    /// The bytes of `unit`.
    pub unit_len: usize,
    /// What the agent calls the input that it comes from. As `program`.
    pub tag: *const c_char,
    /// The bytes of `tag`.
    pub tag_len: usize,
}

/// How many records came to what since the detector was made, and what there is now.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct bw_log_counters {
    /// Set by the caller to `sizeof(bw_log_counters)`.
    pub size: usize,
    /// Records that were `BW_RECORD_TAKEN`.
    pub taken: u64,
    /// Records that were `BW_RECORD_REFUSED`.
    pub refused: u64,
    /// Records that were `BW_RECORD_FULL`.
    pub full: u64,
    /// Records that told of a failure.
    pub failures: u64,
    /// Records that completed an unknown window of templates.
    pub novel: u64,
    /// Episodes of failure that were raised.
    pub episodes: u64,
    /// Events that were lost because nobody fetched them in time.
    pub events_lost: u64,
    /// Streams that made room for others, or were silent for too long.
    pub streams_forgotten: u64,
    /// Streams that there is state of.
    pub streams: u64,
    /// Templates that are known, over all streams.
    pub templates: u64,
    /// Templates that made room for others, over the streams that there are.
    pub templates_evicted: u64,
    /// Windows of templates that are known, over all streams.
    pub windows: u64,
    /// About how many bytes of memory the streams take.
    pub bytes: u64,
    /// Episodes of failure that go on. This field came with version 3 of the interface.
    pub open_episodes: u64,
}
