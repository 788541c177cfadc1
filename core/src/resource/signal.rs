//! The signals of a host: one table with the name, the unit and the scale of each.

use super::channel::{Channel, Scale};

/// Declares [`Signal`] and its table.
macro_rules! signals {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $unit:literal, $scale:expr;)+) => {
        /// A signal of a host, all independent of the host's size. The number of a variant is its place in
        /// [`Observation::values`](super::Observation::values); it never changes, and new signals are added at the end.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Signal { $($(#[$doc])* $variant),+ }

        impl Signal {
            /// All signals, in the order of their values.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name, in snake case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The unit of its values: "share" (0 to 1), "ms", "count", or "per second".
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit),+ }
            }

            /// How its values are scaled, with the smallest change that matters.
            pub(crate) const fn scale(self) -> Scale {
                match self { $(Self::$variant => $scale),+ }
            }
        }
    };
}

signals! {
    /// Time that all CPUs spent on anything but idling and waiting for I/O, as a share of their time.
    CpuBusy = "cpu_busy", "share", Scale::Linear(0.05);
    /// Time that all CPUs spent in the kernel, including interrupts.
    CpuSystem = "cpu_system", "share", Scale::Linear(0.03);
    /// Time that all CPUs spent waiting for I/O.
    CpuIowait = "cpu_iowait", "share", Scale::Linear(0.02);
    /// Time that another hypervisor took from all CPUs.
    CpuSteal = "cpu_steal", "share", Scale::Linear(0.02);
    /// The load average over one minute, divided by the number of CPUs.
    Load = "load", "per CPU", Scale::Logarithmic(0.25);
    /// Processes that wait for I/O and cannot be interrupted.
    ProcessesBlocked = "processes_blocked", "count", Scale::Logarithmic(2.0);
    /// Memory that is neither free nor reclaimable as cache or buffer.
    MemoryUsed = "memory_used", "share", Scale::Linear(0.03);
    /// Swap space in use; 0 on a host without swap.
    SwapUsed = "swap_used", "share", Scale::Linear(0.02);
    /// Pages read from swap.
    SwapIn = "swap_in", "per second", Scale::Logarithmic(50.0);
    /// Pages written to swap.
    SwapOut = "swap_out", "per second", Scale::Logarithmic(50.0);
    /// Page faults that needed I/O.
    MajorFaults = "major_faults", "per second", Scale::Logarithmic(20.0);
    /// Pages that the kernel scanned for memory to reclaim.
    PageScans = "page_scans", "per second", Scale::Logarithmic(200.0);
    /// Time that the busiest disk was busy.
    DiskBusy = "disk_busy", "share", Scale::Linear(0.05);
    /// Mean time of an operation on the slowest disk.
    DiskLatency = "disk_latency", "ms", Scale::Logarithmic(5.0);
    /// Time in which some task waited for a CPU (pressure stall information, as all `psi` signals).
    PsiCpuSome = "psi_cpu_some", "share", Scale::Linear(0.05);
    /// Time in which some task waited for memory.
    PsiMemorySome = "psi_memory_some", "share", Scale::Linear(0.02);
    /// Time in which all tasks waited for memory.
    PsiMemoryFull = "psi_memory_full", "share", Scale::Linear(0.02);
    /// Time in which some task waited for I/O.
    PsiIoSome = "psi_io_some", "share", Scale::Linear(0.05);
    /// Time in which all tasks waited for I/O.
    PsiIoFull = "psi_io_full", "share", Scale::Linear(0.05);
    /// Time that the host took from the CPUs of its VMs, as the mean over the VMs.
    VmSteal = "vm_steal", "share", Scale::Linear(0.02);
    /// Time that runnable CPUs of VMs waited for a CPU of the host, as the mean over the VMs.
    VmDelay = "vm_delay", "share", Scale::Linear(0.02);
}

impl Signal {
    /// The number of signals.
    pub const COUNT: usize = Self::ALL.len();

    /// The channels of a host's signals, in their order.
    pub(crate) fn channels() -> Vec<Channel> {
        let channel = |signal: &Self| Channel {
            name: signal.name().to_owned(),
            scale: signal.scale(),
        };
        Self::ALL.iter().map(channel).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_signal_is_its_place() {
        for (at, signal) in Signal::ALL.iter().enumerate() {
            assert_eq!(*signal as usize, at);
        }
        assert_eq!(Signal::COUNT, 21);
    }

    #[test]
    fn every_signal_has_a_name_of_its_own_and_a_positive_floor() {
        for (at, signal) in Signal::ALL.iter().enumerate() {
            let before = &Signal::ALL[..at];
            assert!(before.iter().all(|other| other.name() != signal.name()));
            let (Scale::Linear(floor) | Scale::Logarithmic(floor)) = signal.scale();
            assert!(floor > 0.0, "{}", signal.name());
        }
    }
}
