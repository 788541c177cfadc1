//! Whose resources are wanted: what collectd's write threads ask before they queue a value.

use parking_lot::RwLock;
use rustc_hash::FxHashSet;

/// Which hosts' resources are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Watch {
    /// Those of this host, and of hosts whose VMs report.
    #[default]
    Hypervisors,
    /// Those of every host.
    All,
    /// None.
    Off,
}

impl Watch {
    /// The words that stand for them in the configuration.
    pub const WORDS: [(&'static str, Watch); 3] = [
        ("hypervisors", Watch::Hypervisors),
        ("all", Watch::All),
        ("off", Watch::Off),
    ];
}

/// See the [module](self).
#[derive(Debug)]
pub struct Wanted {
    watch: Watch,
    /// The hosts whose VMs report.
    known: RwLock<FxHashSet<Box<[u8]>>>,
}

impl Wanted {
    /// What is wanted before a VM has reported.
    pub fn new(watch: Watch) -> Self {
        Self {
            watch,
            known: RwLock::default(),
        }
    }

    /// Whether any host is watched.
    pub fn is_on(&self) -> bool {
        self.watch != Watch::Off
    }

    /// Whether the resources of `host` are wanted by a collectd that goes by the name `local`.
    #[inline]
    pub fn wants(&self, host: &[u8], local: &[u8]) -> bool {
        match self.watch {
            Watch::Off => false,
            Watch::All => true,
            Watch::Hypervisors => host == local || self.known.read().contains(host),
        }
    }

    /// The hosts whose VMs report are these now.
    pub fn update<'a>(&self, hosts: impl Iterator<Item = &'a str> + Clone) {
        if self.watch != Watch::Hypervisors {
            return;
        }
        let known = self.known.read();
        let (mut count, mut same) = (0, true);
        for host in hosts.clone() {
            count += 1;
            same &= known.contains(host.as_bytes());
        }
        same &= count == known.len();
        drop(known);
        // Nothing waits for this unless there is something new.
        if !same {
            *self.known.write() = hosts.map(|host| host.as_bytes().into()).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(watch: Watch, known: &[&str]) -> [bool; 3] {
        let wanted = Wanted::new(watch);
        wanted.update(known.iter().copied());
        [&b"here"[..], b"hv1", b"switch7"].map(|host| wanted.wants(host, b"here"))
    }

    #[test]
    fn this_host_and_the_hosts_of_vms_are_wanted_and_no_others() {
        assert_eq!(wanted(Watch::Hypervisors, &[]), [true, false, false]);
        assert_eq!(wanted(Watch::Hypervisors, &["hv1"]), [true, true, false]);
        assert_eq!(wanted(Watch::All, &[]), [true, true, true]);
        assert_eq!(wanted(Watch::Off, &["hv1"]), [false, false, false]);
    }

    #[test]
    fn a_host_whose_vms_are_gone_is_wanted_no_longer() {
        let wanted = Wanted::new(Watch::Hypervisors);
        wanted.update(["hv1", "hv2"].into_iter());
        wanted.update(["hv2", "hv3"].into_iter());
        let names = ["hv1", "hv2", "hv3"].map(|host| wanted.wants(host.as_bytes(), b""));
        assert_eq!(names, [false, true, true]);
        wanted.update(["hv2"].into_iter());
        assert!(!wanted.wants(b"hv3", b""));
    }
}
