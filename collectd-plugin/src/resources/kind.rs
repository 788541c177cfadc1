//! Which values of collectd's plugins are resources of a host.

/// collectd's types of data sources.
const DS_COUNTER: i32 = 0;
const DS_GAUGE: i32 = 1;
const DS_DERIVE: i32 = 2;

/// The number of the first kind in the queue, where those of VMs have smaller ones.
const FIRST: u8 = 64;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `cpu-N/cpu-STATE`: jiffies of one CPU in a [`State`].
    CpuTime,
    /// `cpu-N/percent-STATE` or `cpu/percent-STATE`: percent of one CPU, or of all, in a [`State`].
    CpuPercent,
    /// `cpu/count`: the number of CPUs.
    CpuCount,
    /// `load/load`: the load average.
    Load,
    /// `load/load-relative`: the load average per CPU.
    LoadPerCpu,
    /// `processes/ps_state-blocked`: processes in uninterruptible sleep.
    Blocked,
    /// `memory/memory-*`: bytes of a [`Part`].
    Memory,
    /// `memory/percent-used`.
    MemoryPercent,
    /// `swap/swap-*`, of all devices or of one: bytes of a [`Part`].
    Swap,
    /// `swap/percent-used`.
    SwapPercent,
    /// `swap/swap_io-in`: pages swapped in.
    SwapIn,
    /// `swap/swap_io-out`: pages swapped out.
    SwapOut,
    /// `vmem/vmpage_io-swap`: pages swapped in and out.
    SwapPages,
    /// `vmem/vmpage_faults`: minor and major faults.
    Faults,
    /// `disk-*/disk_io_time`: milliseconds with something to do, and these times what waited.
    DiskIoTime,
    /// `disk-*/disk_ops`: operations read and written.
    DiskOps,
    /// `disk-*/disk_time`: milliseconds of a mean operation, read and written, times seconds.
    DiskTime,
}

/// The state of a CPU that a value of kind [`Kind::CpuTime`] or [`Kind::CpuPercent`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// In user mode.
    User,
    /// In user mode at low priority.
    Nice,
    /// In the kernel.
    System,
    /// In an interrupt.
    Interrupt,
    /// In a deferred interrupt.
    Softirq,
    /// Running a guest.
    Guest,
    /// Running a guest at low priority.
    GuestNice,
    /// Idle with a disk awaited.
    Wait,
    /// Taken by another hypervisor.
    Steal,
    /// Idle.
    Idle,
    /// Anything but idle, where the states are not distinguished.
    Active,
}

/// The states that are counted in jiffies: all but [`State::Active`].
pub const STATES: usize = State::Active as usize;

impl State {
    const ALL: [(&'static [u8], State); STATES + 1] = [
        (b"user", State::User),
        (b"nice", State::Nice),
        (b"system", State::System),
        (b"interrupt", State::Interrupt),
        (b"softirq", State::Softirq),
        (b"guest", State::Guest),
        (b"guest_nice", State::GuestNice),
        (b"wait", State::Wait),
        (b"steal", State::Steal),
        (b"idle", State::Idle),
        (b"active", State::Active),
    ];

    /// The state of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).map(|(_, state)| *state)
    }

    fn named(name: &[u8]) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, state)| *state)
    }
}

/// The part of the memory or of the swap space that a value is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    /// In use.
    Used,
    /// Free.
    Free,
    /// In use as a cache, which can be given up.
    Other,
}

impl Part {
    const ALL: [Part; 3] = [Part::Used, Part::Free, Part::Other];

    /// The part of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"used" => Some(Self::Used),
            b"free" => Some(Self::Free),
            b"buffered" | b"cached" | b"slab" | b"slab_recl" | b"slab_unrecl" => Some(Self::Other),
            _ => None,
        }
    }
}

/// The identifier of a value, its host aside.
#[derive(Debug, Clone, Copy)]
pub struct Identifier<'a> {
    /// collectd's plugin.
    pub plugin: &'a [u8],
    /// The device, or empty.
    pub plugin_instance: &'a [u8],
    /// The type.
    pub type_: &'a [u8],
    /// What of it, or empty.
    pub type_instance: &'a [u8],
}

impl Kind {
    const ALL: [Kind; 17] = [
        Kind::CpuTime,
        Kind::CpuPercent,
        Kind::CpuCount,
        Kind::Load,
        Kind::LoadPerCpu,
        Kind::Blocked,
        Kind::Memory,
        Kind::MemoryPercent,
        Kind::Swap,
        Kind::SwapPercent,
        Kind::SwapIn,
        Kind::SwapOut,
        Kind::SwapPages,
        Kind::Faults,
        Kind::DiskIoTime,
        Kind::DiskOps,
        Kind::DiskTime,
    ];

    /// Its number in the queue.
    pub fn number(self) -> u8 {
        FIRST + self as u8
    }

    /// The kind with that number in the queue.
    pub fn from_number(number: u8) -> Option<Self> {
        let index = number.checked_sub(FIRST)?;
        Self::ALL.get(usize::from(index)).copied()
    }

    /// Whether a plugin has values that are resources of a host.
    pub fn is_of(plugin: &[u8]) -> bool {
        PLUGINS.iter().any(|known| known.as_bytes() == plugin)
    }

    /// What a value is, by its identifier and the types of its first two data sources (-1 where there is none), and the number of
    /// the [`State`] or [`Part`] that it is about; `None` where it is of no use.
    pub fn of(identifier: &Identifier<'_>, sources: [i32; 2]) -> Option<(Kind, u8)> {
        let Identifier {
            plugin,
            plugin_instance: device,
            type_,
            type_instance: of,
        } = *identifier;
        let is_cpu = || !device.is_empty() && device.iter().all(u8::is_ascii_digit);
        let whole = device.is_empty();
        let state = || State::named(of).map(|state| state as u8);
        let part = || Part::named(of).map(|part| part as u8);
        let (kind, detail) = match (plugin, type_) {
            (b"cpu", b"cpu") if is_cpu() => (
                Kind::CpuTime,
                state().filter(|state| *state < STATES as u8)?,
            ),
            (b"cpu", b"percent") if whole || is_cpu() => (Kind::CpuPercent, state()?),
            (b"cpu", b"count") if whole && of.is_empty() => (Kind::CpuCount, 0),
            (b"load", b"load") if of.is_empty() => (Kind::Load, 0),
            (b"load", b"load") if of == b"relative" => (Kind::LoadPerCpu, 0),
            (b"processes", b"ps_state") if whole && of == b"blocked" => (Kind::Blocked, 0),
            (b"memory", b"memory") if whole => (Kind::Memory, part()?),
            (b"memory", b"percent") if whole && of == b"used" => (Kind::MemoryPercent, 0),
            (b"swap", b"swap") => (Kind::Swap, part()?),
            (b"swap", b"percent") if whole && of == b"used" => (Kind::SwapPercent, 0),
            (b"swap", b"swap_io") if whole && of == b"in" => (Kind::SwapIn, 0),
            (b"swap", b"swap_io") if whole && of == b"out" => (Kind::SwapOut, 0),
            (b"vmem", b"vmpage_io") if whole && of == b"swap" => (Kind::SwapPages, 0),
            (b"vmem", b"vmpage_faults") if whole => (Kind::Faults, 0),
            (b"disk", b"disk_io_time") if !whole => (Kind::DiskIoTime, 0),
            (b"disk", b"disk_ops") if !whole => (Kind::DiskOps, 0),
            (b"disk", b"disk_time") if !whole => (Kind::DiskTime, 0),
            _ => return None,
        };
        kind.fits(sources).then_some((kind, detail))
    }

    /// Whether its second value counts, besides the first one.
    pub fn has_two(self) -> bool {
        matches!(
            self,
            Kind::SwapPages | Kind::Faults | Kind::DiskIoTime | Kind::DiskOps | Kind::DiskTime
        )
    }

    /// Whether its data sources have the types that collectd's own types have.
    fn fits(self, sources: [i32; 2]) -> bool {
        let counter = |source: i32| source == DS_DERIVE || source == DS_COUNTER;
        match self {
            Kind::CpuTime | Kind::SwapIn | Kind::SwapOut => counter(sources[0]),
            _ if self.has_two() => sources.into_iter().all(counter),
            _ => sources[0] == DS_GAUGE,
        }
    }

    /// The group of values that collectd reads together, by number: those of one plugin.
    pub fn source(self) -> usize {
        match self {
            Kind::CpuTime | Kind::CpuPercent | Kind::CpuCount => 0,
            Kind::Load | Kind::LoadPerCpu => 1,
            Kind::Blocked => 2,
            Kind::Memory | Kind::MemoryPercent => 3,
            Kind::Swap | Kind::SwapPercent | Kind::SwapIn | Kind::SwapOut => 4,
            Kind::SwapPages | Kind::Faults => 5,
            Kind::DiskIoTime | Kind::DiskOps | Kind::DiskTime => 6,
        }
    }
}

/// The plugins whose values are resources, by the number of their group.
pub const PLUGINS: [&str; 7] = ["cpu", "load", "processes", "memory", "swap", "vmem", "disk"];
/// The group of what is read from the kernel.
pub const KERNEL: usize = PLUGINS.len();
/// The groups of [`Kind::source`], and [`KERNEL`].
pub const SOURCES: usize = KERNEL + 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// What a value named "PLUGIN[-INSTANCE]/TYPE[-INSTANCE]" is.
    fn of(name: &str, sources: [i32; 2]) -> Option<(Kind, u8)> {
        let (plugin, type_) = name.split_once('/')?;
        let (plugin, plugin_instance) = plugin.split_once('-').unwrap_or((plugin, ""));
        let (type_, type_instance) = type_.split_once('-').unwrap_or((type_, ""));
        let [plugin, plugin_instance, type_, type_instance] =
            [plugin, plugin_instance, type_, type_instance].map(str::as_bytes);
        let identifier = Identifier {
            plugin,
            plugin_instance,
            type_,
            type_instance,
        };
        Kind::of(&identifier, sources)
    }

    const GAUGE: [i32; 2] = [DS_GAUGE, -1];
    const DERIVE: [i32; 2] = [DS_DERIVE, -1];
    const TWO: [i32; 2] = [DS_DERIVE, DS_DERIVE];

    #[test]
    fn the_values_of_collectds_plugins_are_known_by_their_names() {
        for (name, sources, expected) in [
            ("cpu-0/cpu-idle", DERIVE, (Kind::CpuTime, State::Idle as u8)),
            (
                "cpu-511/cpu-wait",
                DERIVE,
                (Kind::CpuTime, State::Wait as u8),
            ),
            (
                "cpu/percent-steal",
                GAUGE,
                (Kind::CpuPercent, State::Steal as u8),
            ),
            (
                "cpu-3/percent-active",
                GAUGE,
                (Kind::CpuPercent, State::Active as u8),
            ),
            ("cpu/count", GAUGE, (Kind::CpuCount, 0)),
            ("load/load", [DS_GAUGE, DS_GAUGE], (Kind::Load, 0)),
            (
                "load/load-relative",
                [DS_GAUGE, DS_GAUGE],
                (Kind::LoadPerCpu, 0),
            ),
            ("processes/ps_state-blocked", GAUGE, (Kind::Blocked, 0)),
            (
                "memory/memory-slab_recl",
                GAUGE,
                (Kind::Memory, Part::Other as u8),
            ),
            ("memory/percent-used", GAUGE, (Kind::MemoryPercent, 0)),
            (
                "swap-dev_sda2/swap-free",
                GAUGE,
                (Kind::Swap, Part::Free as u8),
            ),
            ("swap/swap_io-out", DERIVE, (Kind::SwapOut, 0)),
            ("vmem/vmpage_io-swap", TWO, (Kind::SwapPages, 0)),
            ("vmem/vmpage_faults", TWO, (Kind::Faults, 0)),
            ("disk-sda/disk_io_time", TWO, (Kind::DiskIoTime, 0)),
            ("disk-nvme0n1/disk_time", TWO, (Kind::DiskTime, 0)),
        ] {
            assert_eq!(of(name, sources), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_only_looks_like_a_resource_is_of_no_use() {
        for (name, sources) in [
            ("cpu-even-average/cpu-user", DERIVE),
            ("cpu-0/cpu-active", DERIVE),
            ("cpu-0/cpu-idle", GAUGE),
            ("cpu-0/cpu-unheard_of", DERIVE),
            ("memory/memory-available", GAUGE),
            ("memory/percent-free", GAUGE),
            ("vmem/vmpage_io-memory", TWO),
            ("vmem/vmpage_faults", DERIVE),
            ("disk/disk_ops", TWO),
            ("disk-sda/disk_octets", TWO),
            ("processes-qemu/ps_state-blocked", GAUGE),
            ("interface-eth0/if_octets", TWO),
        ] {
            assert_eq!(of(name, sources), None, "{name}");
        }
    }

    #[test]
    fn every_kind_keeps_its_number_and_none_has_that_of_a_value_of_a_vm() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind.number()), Some(kind));
            assert_eq!(crate::virt::Kind::from_number(kind.number()), None);
            assert!(kind.source() < KERNEL);
        }
        let (kind, _) = of("disk-sda/disk_ops", TWO).unwrap();
        assert_eq!(PLUGINS[kind.source()], "disk");
        assert_eq!(Kind::from_number(FIRST + Kind::ALL.len() as u8), None);
        assert_eq!(Kind::from_number(0), None);
        for (at, (_, state)) in (0..).zip(State::ALL) {
            assert_eq!((state as u8, State::from_number(at)), (at, Some(state)));
        }
    }
}
