//! The subject of an event.

/// The subject of an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// One VM of a hypervisor.
    Vm {
        /// The hypervisor's name.
        hypervisor: String,
        /// The VM's name.
        vm: String,
    },
    /// A hypervisor, by its name.
    Hypervisor(String),
    /// A group of hypervisors, by its name; an empty name means all that report to this detector.
    Group(String),
}

impl Subject {
    /// The hypervisor's name; empty for a group.
    pub fn hypervisor(&self) -> &str {
        match self {
            Self::Vm { hypervisor, .. } | Self::Hypervisor(hypervisor) => hypervisor,
            Self::Group(_) => "",
        }
    }

    /// The VM's name, if the subject is one VM.
    pub fn vm(&self) -> Option<&str> {
        match self {
            Self::Vm { vm, .. } => Some(vm),
            Self::Hypervisor(_) | Self::Group(_) => None,
        }
    }
}
