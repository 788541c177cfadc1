//! The VMs whose counters are kept.

use rustc_hash::FxHashMap;

use crate::clock::Clock;
use crate::queue::Names;
use crate::virt::Identity;
use crate::vm::Vm;

/// The most VMs whose counters are kept.
const MAX_VMS: usize = 500_000;

/// The counters of a VM that was silent for this long, and for [`FORGET_INTERVALS`], are forgotten.
const FORGET_SEC: f64 = 3600.0;
/// See [`FORGET_SEC`].
const FORGET_INTERVALS: f64 = 10.0;

/// Seconds between two looks for VMs to forget.
const SWEEP_SEC: f64 = 60.0;

/// All of them, by the identifier of their values.
#[derive(Debug, Default)]
pub struct Vms {
    vms: FxHashMap<Box<[u8]>, Vm>,
    /// For VMs that others sent over the network, by host and plugin instance: the addresses. A notification carries none.
    senders: FxHashMap<Box<[u8]>, Vec<Box<[u8]>>>,
    clocks: FxHashMap<Box<str>, usize>,
    key: Vec<u8>,
    swept: f64,
}

/// Why there is no VM to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoVm {
    /// It does not name one.
    Unnamed,
    /// There is no room for one more.
    Full,
}

fn write_key(key: &mut Vec<u8>, host: &[u8], plugin_instance: &[u8], sender: &[u8]) {
    key.clear();
    // None of collectd's names holds a NUL.
    for (i, part) in [host, plugin_instance, sender].into_iter().enumerate() {
        if i > 0 {
            key.push(0);
        }
        key.extend_from_slice(part);
    }
}

impl Vms {
    /// The VM that a value with these names is of, which arrived `now` (seconds) and is due again after `interval`.
    pub fn get(
        &mut self,
        names: &Names<'_>,
        identity: Identity,
        local: &str,
        now: f64,
        interval: f64,
        clock: &mut Clock,
    ) -> Result<&mut Vm, NoVm> {
        write_key(
            &mut self.key,
            names.host,
            names.plugin_instance,
            names.sender,
        );
        if !self.vms.contains_key(self.key.as_slice()) {
            self.add(names, identity, local, now, clock)?;
        }
        let vm = self.vms.get_mut(self.key.as_slice()).ok_or(NoVm::Unnamed)?;
        vm.seen = now;
        vm.interval = interval;
        Ok(vm)
    }

    fn add(
        &mut self,
        names: &Names<'_>,
        identity: Identity,
        local: &str,
        now: f64,
        clock: &mut Clock,
    ) -> Result<(), NoVm> {
        let (hypervisor, name) = identity
            .resolve(names, local.as_bytes())
            .ok_or(NoVm::Unnamed)?;
        if self.vms.len() >= MAX_VMS {
            self.sweep(now);
            if self.vms.len() >= MAX_VMS {
                return Err(NoVm::Full);
            }
        }
        let number = match self.clocks.get(hypervisor.as_ref()) {
            Some(&number) => number,
            None => {
                let number = clock.add();
                self.clocks.insert(hypervisor.as_ref().into(), number);
                number
            }
        };
        if !names.sender.is_empty() {
            let mut key = Vec::new();
            write_key(&mut key, names.host, names.plugin_instance, b"");
            self.senders
                .entry(key.into())
                .or_default()
                .push(names.sender.into());
        }
        let vm = Vm::new(&hypervisor, &name, number, now);
        self.vms.insert(self.key.as_slice().into(), vm);
        Ok(())
    }

    /// The addresses that values with this host and plugin instance came from over the network.
    pub fn senders_of(&self, host: &[u8], plugin_instance: &[u8]) -> Vec<Box<[u8]>> {
        let mut key = Vec::new();
        write_key(&mut key, host, plugin_instance, b"");
        self.senders
            .get(key.as_slice())
            .cloned()
            .unwrap_or_default()
    }

    /// Seconds between two samples of a hypervisor; `None` where nothing is known of it.
    pub fn interval(&self, hypervisor: &str, clock: &Clock) -> Option<f64> {
        let interval = clock.interval(*self.clocks.get(hypervisor)?);
        (interval > 0.0).then_some(interval)
    }

    /// How many hypervisors there are, and how many VMs.
    pub fn counts(&self) -> (usize, usize) {
        (self.clocks.len(), self.vms.len())
    }

    /// Forgets the VMs that were silent for long.
    pub fn forget_silent(&mut self, now: f64, clock: &mut Clock) {
        if self.sweep(now) {
            self.renumber(clock);
        }
    }

    /// Whether it forgot any.
    fn sweep(&mut self, now: f64) -> bool {
        if now - self.swept < SWEEP_SEC {
            return false;
        }
        self.swept = now;
        let before = self.vms.len();
        self.vms
            .retain(|_, vm| now - vm.seen <= FORGET_SEC.max(FORGET_INTERVALS * vm.interval));
        if self.vms.len() == before {
            return false;
        }
        let vms = &self.vms;
        let mut key = Vec::new();
        self.senders.retain(|prefix, senders| {
            senders.retain(|sender| {
                key.clear();
                key.extend_from_slice(&prefix[..prefix.len() - 1]);
                key.push(0);
                key.extend_from_slice(sender);
                vms.contains_key(key.as_slice())
            });
            !senders.is_empty()
        });
        true
    }

    /// Gives the hypervisors that are left new numbers, so that the clock forgets the others.
    fn renumber(&mut self, clock: &mut Clock) {
        let mut kept = Clock::default();
        let mut numbers: FxHashMap<usize, usize> = FxHashMap::default();
        for vm in self.vms.values_mut() {
            vm.clock = *numbers
                .entry(vm.clock)
                .or_insert_with_key(|&old| kept.add_copy(clock, old));
        }
        self.clocks.retain(|_, number| match numbers.get(number) {
            Some(&new) => {
                *number = new;
                true
            }
            None => false,
        });
        *clock = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(host: &'a str, instance: &'a str, sender: &'a str) -> Names<'a> {
        Names {
            host: host.as_bytes(),
            plugin_instance: instance.as_bytes(),
            type_instance: b"",
            sender: sender.as_bytes(),
        }
    }

    /// The VM of these names at the time `now`, in seconds, on the host "here" with an interval of 10 s.
    fn get<'a>(
        vms: &'a mut Vms,
        clock: &mut Clock,
        names: &Names<'_>,
        now: f64,
    ) -> Result<&'a mut Vm, NoVm> {
        vms.get(names, Identity::Auto, "here", now, 10.0, clock)
    }

    #[test]
    fn a_vm_is_found_again_by_the_names_of_its_values() {
        let (mut vms, mut clock) = (Vms::default(), Clock::default());
        let mut masked = |host, instance, mask| {
            let vm =
                get(&mut vms, &mut clock, &names(host, instance, ""), 0.0).expect("it is named");
            std::mem::replace(&mut vm.masked, mask)
        };
        assert!(!masked("hv1", "vm1", true));
        assert!(!masked("hv1", "vm2", false));
        assert!(masked("hv1", "vm1", true));
        assert_eq!(vms.counts(), (1, 2));
    }

    #[test]
    fn vms_of_one_name_on_two_senders_are_two() {
        let (mut vms, mut clock) = (Vms::default(), Clock::default());
        for sender in ["192.0.2.1", "192.0.2.2"] {
            let vm =
                get(&mut vms, &mut clock, &names("vm1", "", sender), 0.0).expect("it is named");
            assert_eq!(&*vm.hypervisor, sender);
        }
        assert_eq!(vms.counts(), (2, 2));
        assert_eq!(vms.senders_of(b"vm1", b"").len(), 2);
    }

    #[test]
    fn silent_vms_and_their_hypervisors_are_forgotten() {
        let (mut vms, mut clock) = (Vms::default(), Clock::default());
        for (host, now) in [("a", 0.0), ("b", 4000.0)] {
            let vm = get(&mut vms, &mut clock, &names(host, "vm", "192.0.2.1"), now)
                .expect("it is named");
            let number = vm.clock;
            clock.saw(number, now, 10.0, now);
        }
        vms.forget_silent(5000.0, &mut clock);
        assert_eq!(vms.counts(), (1, 1));
        assert!(vms.senders_of(b"a", b"vm").is_empty());
        assert_eq!(vms.senders_of(b"b", b"vm").len(), 1);
        assert_eq!(clock.passed(5000.0, None), Some(4980.0));
    }

    #[test]
    fn what_names_no_vm_leaves_nothing_behind() {
        let (mut vms, mut clock) = (Vms::default(), Clock::default());
        let result = get(&mut vms, &mut clock, &names("here", "", ""), 0.0);
        assert_eq!(result.err(), Some(NoVm::Unnamed));
        assert_eq!(vms.counts(), (0, 0));
    }
}
