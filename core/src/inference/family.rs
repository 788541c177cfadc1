//! Families of failures.

use serde::{Deserialize, Serialize};

/// What is failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Memory has run out.
    Memory,
    /// A disk, an array, a path to either, or a file system.
    Storage,
    /// Something is blocked for far too long.
    Stall,
    /// The CPUs are overcommitted.
    CpuPressure,
    /// Hardware reports an error: memory, processor, bus, power, cooling.
    Hardware,
    /// The kernel reports an error of its own.
    Kernel,
    /// A line of a kernel stack trace.
    Trace,
    /// A program crashed or was killed.
    Process,
    /// The hypervisor or a virtual machine.
    Vmm,
    /// A service or cluster that the host depends on.
    Service,
    /// A network interface or link.
    Network,
}

impl Family {
    /// All families, in the order of declaration.
    pub const ALL: [Family; 11] = [
        Family::Memory,
        Family::Storage,
        Family::Stall,
        Family::CpuPressure,
        Family::Hardware,
        Family::Kernel,
        Family::Trace,
        Family::Process,
        Family::Vmm,
        Family::Service,
        Family::Network,
    ];

    /// The name, as in events and lexicon files.
    pub fn as_str(self) -> &'static str {
        match self {
            Family::Memory => "memory",
            Family::Storage => "storage",
            Family::Stall => "stall",
            Family::CpuPressure => "cpu_pressure",
            Family::Hardware => "hardware",
            Family::Kernel => "kernel",
            Family::Trace => "trace",
            Family::Process => "process",
            Family::Vmm => "vmm",
            Family::Service => "service",
            Family::Network => "network",
        }
    }

    /// The family with this name.
    pub fn from_name(name: &str) -> Option<Family> {
        Self::ALL.into_iter().find(|family| family.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_the_same_name_everywhere() {
        for family in Family::ALL {
            assert_eq!(Family::from_name(family.as_str()), Some(family));
            assert_eq!(
                serde_json::to_string(&family).unwrap(),
                format!("\"{}\"", family.as_str())
            );
        }
        assert_eq!(Family::from_name("weather"), None);
    }
}
