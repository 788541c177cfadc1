//! The signals of a row, in the order in which the detector takes them. It knows two more, steal and delay of VMs, which stand behind these
//! and which no version of collectd's `virt` gives.

/// One signal of a host. None depends on the host's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Signal {
    /// CPU time spent working, in kernel and user mode, as a share of all CPUs; 0 to 1.
    CpuBusy,
    /// CPU time spent in the kernel, interrupts included, as a share of all CPUs; 0 to 1.
    CpuSystem,
    /// CPU time spent idle while a disk was awaited, as a share of all CPUs; 0 to 1.
    CpuIowait,
    /// CPU time that another hypervisor took, as a share of all CPUs; 0 to 1.
    CpuSteal,
    /// Load average of one minute per CPU.
    Load,
    /// Processes in uninterruptible sleep.
    ProcessesBlocked,
    /// Memory in use without caches, as a share; 0 to 1.
    MemoryUsed,
    /// Swap space in use, as a share; 0 to 1.
    SwapUsed,
    /// Pages swapped in, per second.
    SwapIn,
    /// Pages swapped out, per second.
    SwapOut,
    /// Page faults that needed a disk, per second.
    MajorFaults,
    /// Pages scanned in search of free memory, per second.
    PageScans,
    /// Time for which the busiest disk had something to do, as a share; 0 to 1.
    DiskBusy,
    /// Milliseconds per operation of the slowest disk.
    DiskLatency,
    /// Share of time in which some task waited for a CPU; 0 to 1.
    PsiCpuSome,
    /// Share of time in which some task waited for memory; 0 to 1.
    PsiMemorySome,
    /// Share of time in which all tasks waited for memory; 0 to 1.
    PsiMemoryFull,
    /// Share of time in which some task waited for input or output; 0 to 1.
    PsiIoSome,
    /// Share of time in which all tasks waited for input or output; 0 to 1.
    PsiIoFull,
}

/// How many there are.
pub const SIGNALS: usize = Signal::PsiIoFull as usize + 1;

#[cfg(test)]
mod tests {
    use bellwether_core::resource::Signal as Known;

    use super::*;

    #[test]
    fn the_signals_are_the_first_ones_of_the_detector_in_its_order() {
        let number = |name: &str| {
            let found = Known::ALL.iter().find(|known| format!("{known:?}") == name);
            found.map(|known| *known as usize)
        };
        for signal in [
            Signal::CpuBusy,
            Signal::SwapIn,
            Signal::DiskLatency,
            Signal::PsiIoFull,
        ] {
            assert_eq!(number(&format!("{signal:?}")), Some(signal as usize));
        }
        let behind: Vec<&str> = Known::ALL[SIGNALS..]
            .iter()
            .map(|known| known.name())
            .collect();
        assert_eq!(behind, ["vm_steal", "vm_delay"]);
    }
}
