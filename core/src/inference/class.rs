//! Classes of sources: who speaks decides which phrases count.

use std::fmt;
use std::ops::BitOr;

/// A kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceClass {
    /// The kernel.
    Kernel,
    /// The init system and what belongs to it: systemd, udev, dbus.
    Init,
    /// QEMU and other VMMs, libvirt, and what starts VMs.
    Vmm,
    /// Agents of disks, arrays, paths, volumes, file systems and network storage.
    Storage,
    /// Agents of links, switches and routes.
    Network,
    /// Agents of clusters, fencing and leases.
    Cluster,
    /// Agents that watch the hardware.
    Hardware,
    /// Any other program or container: what it says is a hint at most.
    Other,
}

impl SourceClass {
    /// All classes, in the order of declaration.
    pub const ALL: [SourceClass; 8] = [
        SourceClass::Kernel,
        SourceClass::Init,
        SourceClass::Vmm,
        SourceClass::Storage,
        SourceClass::Network,
        SourceClass::Cluster,
        SourceClass::Hardware,
        SourceClass::Other,
    ];

    /// The name, as in lexicon files.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceClass::Kernel => "kernel",
            SourceClass::Init => "init",
            SourceClass::Vmm => "vmm",
            SourceClass::Storage => "storage",
            SourceClass::Network => "network",
            SourceClass::Cluster => "cluster",
            SourceClass::Hardware => "hardware",
            SourceClass::Other => "other",
        }
    }

    /// The class with this name.
    pub fn from_name(name: &str) -> Option<SourceClass> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

/// A set of classes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SourceClasses(u8);

impl SourceClasses {
    /// No class.
    pub const NONE: SourceClasses = SourceClasses(0);
    /// All classes.
    pub const ALL: SourceClasses = SourceClasses(u8::MAX);
    /// All but [`SourceClass::Other`].
    pub const TRUSTED: SourceClasses = SourceClasses(!(1 << SourceClass::Other as u8));

    /// Whether the two sets share a class.
    #[inline]
    pub fn intersects(self, other: SourceClasses) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether `class` is in the set.
    pub fn contains(self, class: SourceClass) -> bool {
        self.intersects(class.into())
    }
}

impl From<SourceClass> for SourceClasses {
    fn from(class: SourceClass) -> Self {
        Self(1 << class as u8)
    }
}

impl BitOr for SourceClasses {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for SourceClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes = SourceClass::ALL.into_iter().filter(|&c| self.contains(c));
        f.debug_set().entries(classes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_the_classes_that_were_put_into_it() {
        let set = SourceClasses::from(SourceClass::Vmm) | SourceClass::Storage.into();
        assert!(set.contains(SourceClass::Vmm) && set.contains(SourceClass::Storage));
        assert!(!set.contains(SourceClass::Kernel));
        assert!(!SourceClasses::TRUSTED.contains(SourceClass::Other));
        assert_eq!(format!("{set:?}"), "{Vmm, Storage}");
        for class in SourceClass::ALL {
            assert_eq!(SourceClass::from_name(class.as_str()), Some(class));
            assert!(SourceClasses::ALL.contains(class));
        }
        assert_eq!(SourceClass::from_name("anyone"), None);
    }
}
