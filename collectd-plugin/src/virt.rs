//! Which value is whose: the values of collectd's `virt` plugin, and the VM and hypervisor that each belongs to.

use std::borrow::Cow;

use crate::latency::Half;
use crate::queue::Names;

/// The plugin whose values are taken.
pub const PLUGIN: &[u8] = b"virt";

/// collectd's types of data sources that are counters.
const DS_COUNTER: i32 = 0;
const DS_GAUGE: i32 = 1;
const DS_DERIVE: i32 = 2;

/// What a value of the `virt` plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `virt_cpu_total`: nanoseconds of CPU time used.
    Cpu,
    /// `disk_ops`: operations read and written.
    DiskOps,
    /// `disk_time`: nanoseconds spent reading and writing.
    DiskTime,
    /// `if_packets`: packets received and sent.
    NetPackets,
    /// `if_errors`: errors in receiving and sending.
    NetErrors,
    /// `percent-virt_cpu_total`: CPU use as `virt` computes it.
    CpuPercent,
    /// `domain_state` as a value: libvirt's state and reason.
    State,
    /// A change of state from a notification: whether the VM abstains.
    Masked,
    /// A notification that a hypervisor is in maintenance; no value of `virt`.
    Maintenance,
}

/// The metrics that are made of counters, by their number: those of one kind each, and [`LATENCY`].
pub const METRICS: [&str; 6] = [
    "cpu",
    "disk_ops",
    "disk_time",
    "net_packets",
    "net_errors",
    "disk_latency",
];

/// The number of the metric that is made of `disk_ops` and `disk_time`.
pub const LATENCY: usize = 5;

/// Metrics that the detector knows and no version of `virt` gives: libvirt has the time for which a virtual CPU waits for a
/// processor (`vcpu.N.delay`), and `virt` does not ask for it (5.12, 5.13 and 6.0).
pub const UNREAD: [&str; 2] = ["steal", "vcpu_delay"];

/// Why there is never a value of those.
pub const UNREAD_BECAUSE: &str =
    "no version of virt reads libvirt's vcpu.N.delay, which guests see as steal";

/// What makes `virt` give the values that a metric of [`METRICS`] is made of.
pub fn source_of(metric: usize) -> &'static str {
    match METRICS[metric] {
        "cpu" => "virt gives virt_cpu_total for every VM that runs",
        "disk_ops" => "virt gives it for disks that BlockDevice does not exclude",
        "disk_time" => "virt gives it only with ExtraStats \"disk\"",
        "disk_latency" => {
            "it takes disk_ops and disk_time, and virt gives disk_time only with ExtraStats \"disk\""
        }
        _ => "virt gives it for network interfaces that InterfaceDevice does not exclude",
    }
}

impl Kind {
    const ALL: [Kind; 9] = [
        Kind::Cpu,
        Kind::DiskOps,
        Kind::DiskTime,
        Kind::NetPackets,
        Kind::NetErrors,
        Kind::CpuPercent,
        Kind::State,
        Kind::Masked,
        Kind::Maintenance,
    ];

    /// The kind of that number.
    pub fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(number)).copied()
    }

    /// Its metric's place in [`METRICS`]; `None` for what is no metric.
    pub fn metric(self) -> Option<usize> {
        match self {
            Kind::CpuPercent => Some(0),
            Kind::State | Kind::Masked | Kind::Maintenance => None,
            counter => Some(counter as usize),
        }
    }

    /// Which half of a disk's latency it is.
    pub fn half(self) -> Option<Half> {
        match self {
            Kind::DiskOps => Some(Half::Operations),
            Kind::DiskTime => Some(Half::Time),
            _ => None,
        }
    }

    /// Whether a metric of those that are `watched` takes it.
    pub fn is_watched(self, watched: &[bool; METRICS.len()]) -> bool {
        self.metric().is_none_or(|metric| watched[metric])
            || (watched[LATENCY] && self.half().is_some())
    }

    /// What a unit a second of the counter is in the unit of its metric: percent for times, and a second for the rest.
    pub fn scale(self) -> f64 {
        match self {
            Kind::Cpu | Kind::DiskTime => 100.0 / 1e9,
            _ => 1.0,
        }
    }

    /// What a value of the `virt` plugin is, by its type, type instance and number of values; `None` where it is of no use.
    pub fn of(
        type_: &[u8],
        type_instance: &[u8],
        values: usize,
        sources: [i32; 2],
    ) -> Option<Kind> {
        let kind = match type_ {
            b"virt_cpu_total" => Kind::Cpu,
            b"disk_ops" => Kind::DiskOps,
            b"disk_time" => Kind::DiskTime,
            b"if_packets" => Kind::NetPackets,
            b"if_errors" => Kind::NetErrors,
            b"percent" if type_instance == b"virt_cpu_total" => Kind::CpuPercent,
            b"domain_state" => Kind::State,
            _ => return None,
        };
        let wanted = match kind {
            Kind::Cpu | Kind::CpuPercent => 1,
            _ => 2,
        };
        let fits = |source: i32| match kind {
            Kind::CpuPercent | Kind::State => source == DS_GAUGE,
            _ => source == DS_DERIVE || source == DS_COUNTER,
        };
        (values == wanted && sources[..wanted].iter().all(|&s| fits(s))).then_some(kind)
    }
}

/// How a VM and its hypervisor are read from a value's identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Identity {
    /// The plugin instance is the VM where there is one that is not the host's name too; else the host is.
    #[default]
    Auto,
    /// `HostnameFormat name` (or `uuid`): the host is the VM.
    HostIsVm,
    /// `HostnameFormat hostname` with a `PluginInstanceFormat`: the host is the hypervisor.
    PluginInstanceIsVm,
}

impl Identity {
    /// The words that stand for them in the configuration.
    pub const WORDS: [(&'static str, Identity); 3] = [
        ("auto", Identity::Auto),
        ("host-is-vm", Identity::HostIsVm),
        ("plugin-instance-is-vm", Identity::PluginInstanceIsVm),
    ];

    /// Whether the host of a value with these names is a VM.
    pub fn host_is_vm(self, host: &[u8], plugin_instance: &[u8]) -> bool {
        match self {
            Identity::HostIsVm => true,
            Identity::PluginInstanceIsVm => false,
            Identity::Auto => plugin_instance.is_empty() || plugin_instance == host,
        }
    }

    /// The hypervisor and the VM that a value is of, on a collectd that goes by the name `local`; `None` where the VM cannot
    /// be known: `HostnameFormat hostname` without a `PluginInstanceFormat`.
    pub fn resolve<'a>(
        self,
        names: &Names<'a>,
        local: &'a [u8],
    ) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        let (hypervisor, vm) = if self.host_is_vm(names.host, names.plugin_instance) {
            let hypervisor = if names.sender.is_empty() {
                local
            } else {
                names.sender
            };
            (hypervisor, names.host)
        } else {
            (names.host, names.plugin_instance)
        };
        if vm.is_empty() || hypervisor.is_empty() || vm == hypervisor {
            return None;
        }
        Some((
            String::from_utf8_lossy(hypervisor),
            String::from_utf8_lossy(vm),
        ))
    }
}

/// libvirt's states and reasons as `domain_state` has them as numbers.
mod libvirt {
    pub const RUNNING: u64 = 1;
    pub const PAUSED: u64 = 3;
    pub const PMSUSPENDED: u64 = 7;
    pub const RUNNING_POSTCOPY: u64 = 10;
    pub const RUNNING_POSTCOPY_FAILED: u64 = 11;
}

/// Whether a VM in libvirt's `state` for this `reason` abstains; `None` where the state says nothing of it.
pub fn masked_by_state(state: f64, reason: f64) -> Option<bool> {
    use libvirt::*;
    match state as u64 {
        RUNNING => Some(matches!(
            reason as u64,
            RUNNING_POSTCOPY | RUNNING_POSTCOPY_FAILED
        )),
        PAUSED..=PMSUSPENDED => Some(true),
        _ => None,
    }
}

/// Whether a VM abstains whose `domain_state` notification has this message; `None` where it says nothing of it.
///
/// The `virt` plugin writes "Domain state: STATE. Reason: REASON". A VM that is paused, shut down or off, crashed or
/// suspended abstains, and one that runs while the rest of its memory is still on another host. Definitions and changes of a
/// domain's configuration ("no state") say nothing.
pub fn masked_by_message(message: &[u8]) -> Option<bool> {
    let message = String::from_utf8_lossy(message).to_ascii_lowercase();
    let (state, reason) = message.split_once("reason:").unwrap_or((&message, ""));
    if state.contains("running") {
        return Some(reason.contains("post-copy"));
    }
    const AWAY: [&str; 6] = [
        "paused",
        "shut",
        "crashed",
        "suspended",
        "migrat",
        "stopped",
    ];
    AWAY.iter().any(|word| state.contains(word)).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(
        host: &'static str,
        plugin_instance: &'static str,
        sender: &'static str,
    ) -> Names<'static> {
        Names {
            host: host.as_bytes(),
            plugin_instance: plugin_instance.as_bytes(),
            type_instance: b"",
            sender: sender.as_bytes(),
        }
    }

    fn resolve(identity: Identity, names: Names<'static>) -> Option<(String, String)> {
        identity
            .resolve(&names, b"here")
            .map(|(hypervisor, vm)| (hypervisor.into_owned(), vm.into_owned()))
    }

    fn pair(hypervisor: &str, vm: &str) -> Option<(String, String)> {
        Some((hypervisor.into(), vm.into()))
    }

    #[test]
    fn by_default_a_local_vm_is_the_host_and_its_hypervisor_this_machine() {
        assert_eq!(
            resolve(Identity::Auto, names("vm1", "", "")),
            pair("here", "vm1")
        );
        assert_eq!(
            resolve(Identity::Auto, names("vm1", "vm1", "")),
            pair("here", "vm1")
        );
    }

    #[test]
    fn by_default_a_remote_vm_belongs_to_the_machine_that_sent_it() {
        assert_eq!(
            resolve(Identity::Auto, names("vm1", "", "192.0.2.7")),
            pair("192.0.2.7", "vm1")
        );
    }

    #[test]
    fn with_hostname_format_hostname_the_plugin_instance_is_the_vm() {
        assert_eq!(
            resolve(Identity::Auto, names("hv3", "vm1", "192.0.2.7")),
            pair("hv3", "vm1")
        );
    }

    #[test]
    fn a_uuid_beside_the_vms_name_takes_an_explicit_identity() {
        let names = names("vm1", "6f8c-uuid", "");
        assert_eq!(resolve(Identity::HostIsVm, names), pair("here", "vm1"));
        assert_eq!(
            resolve(Identity::PluginInstanceIsVm, names),
            pair("vm1", "6f8c-uuid")
        );
    }

    #[test]
    fn hostname_format_hostname_alone_distinguishes_no_vms() {
        assert_eq!(resolve(Identity::Auto, names("here", "", "")), None);
        assert_eq!(
            resolve(Identity::PluginInstanceIsVm, names("hv3", "", "")),
            None
        );
    }

    #[test]
    fn only_counters_of_the_known_types_are_taken() {
        let one = [DS_DERIVE, -1];
        let two = [DS_DERIVE, DS_DERIVE];
        assert_eq!(Kind::of(b"virt_cpu_total", b"", 1, one), Some(Kind::Cpu));
        assert_eq!(Kind::of(b"disk_ops", b"vda", 2, two), Some(Kind::DiskOps));
        assert_eq!(
            Kind::of(b"percent", b"virt_cpu_total", 1, [DS_GAUGE, -1]),
            Some(Kind::CpuPercent)
        );
        assert_eq!(Kind::of(b"percent", b"steal", 1, [DS_GAUGE, -1]), None);
        assert_eq!(Kind::of(b"virt_cpu_total", b"", 1, [DS_GAUGE, -1]), None);
        assert_eq!(Kind::of(b"disk_ops", b"vda", 1, one), None);
        assert_eq!(Kind::of(b"virt_vcpu", b"0", 1, one), None);
    }

    #[test]
    fn every_kind_keeps_its_number() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind as u8), Some(kind));
        }
        assert_eq!(Kind::from_number(9), None);
    }

    #[test]
    fn the_latency_takes_both_of_its_counters_even_if_they_are_not_watched_themselves() {
        let mut watched = [false; METRICS.len()];
        watched[LATENCY] = true;
        assert_eq!(METRICS[LATENCY], "disk_latency");
        let taken = Kind::ALL.map(|kind| kind.is_watched(&watched) && kind.metric().is_some());
        let kinds: Vec<Kind> = (0..)
            .zip(taken)
            .filter(|(_, taken)| *taken)
            .map(|(i, _)| Kind::ALL[i])
            .collect();
        assert_eq!(kinds, [Kind::DiskOps, Kind::DiskTime]);
    }

    #[test]
    fn a_vm_that_does_not_run_abstains() {
        let masked = |state: &str, reason: &str| {
            masked_by_message(format!("Domain state: {state}. Reason: {reason}").as_bytes())
        };
        assert_eq!(
            masked("the domain is paused by user", "paused on user request"),
            Some(true)
        );
        assert_eq!(
            masked(
                "the domain is paused by user",
                "paused for offline migration"
            ),
            Some(true)
        );
        assert_eq!(
            masked("the domain is shut off", "migrated to another host"),
            Some(true)
        );
        assert_eq!(
            masked(
                "the domain is being shut down",
                "shutting down on user request"
            ),
            Some(true)
        );
        assert_eq!(
            masked(
                "the domain is suspended by guest power management",
                "the reason is unknown"
            ),
            Some(true)
        );
        assert_eq!(
            masked(
                "the domain is running",
                "running in post-copy migration mode"
            ),
            Some(true)
        );
        assert_eq!(
            masked("the domain is running", "returned from paused state"),
            Some(false)
        );
        assert_eq!(
            masked("the domain is running", "migrated from another host"),
            Some(false)
        );
        assert_eq!(masked("no state", "the reason is unknown"), None);
    }

    #[test]
    fn the_states_numbers_say_the_same() {
        assert_eq!(masked_by_state(1.0, 1.0), Some(false));
        assert_eq!(masked_by_state(1.0, 10.0), Some(true));
        assert_eq!(masked_by_state(3.0, 1.0), Some(true));
        assert_eq!(masked_by_state(5.0, 1.0), Some(true));
        assert_eq!(masked_by_state(0.0, 0.0), None);
        assert_eq!(masked_by_state(2.0, 0.0), None);
        assert_eq!(masked_by_state(f64::NAN, 0.0), None);
    }
}
