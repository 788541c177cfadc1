//! The VMs whose counters are kept.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::clock::Clock;
use crate::queue::Names;
use crate::virt::Identity;
use crate::vm::Vm;

/// The most VMs whose counters are kept. A VM that no longer reports is evicted for others.
pub const MAX_VMS: usize = 500_000;

/// A VM with values in this many intervals is established.
const ESTABLISHED: u32 = 32;
/// An established VM may be evicted when it was silent for this long and for [`FORGET_INTERVALS`], seconds.
const ESTABLISHED_SILENT_SEC: f64 = 600.0;
/// Any other one after this many intervals without a value,
const SILENT_INTERVALS: f64 = 2.5;
/// each of at most this many seconds.
const INTERVAL_MAX_SEC: f64 = 300.0;

/// Seconds between two searches for VMs that may be evicted.
const SEARCH_SEC: f64 = 10.0;
/// So many are found at a time.
const FOUND_MAX: usize = 50_000;

/// The counters of a VM that was silent for this long, and for [`FORGET_INTERVALS`], are forgotten.
const FORGET_SEC: f64 = 3600.0;
/// See [`FORGET_SEC`].
const FORGET_INTERVALS: f64 = 10.0;

/// Seconds between two looks for VMs to forget.
const SWEEP_SEC: f64 = 60.0;

/// All of them, by the identifier of their values.
#[derive(Debug)]
pub struct Vms {
    vms: FxHashMap<Box<[u8]>, Vm>,
    max: usize,
    /// For VMs that others sent over the network, by host and plugin instance: the addresses. A notification carries none.
    senders: FxHashMap<Box<[u8]>, FxHashSet<Box<[u8]>>>,
    /// By hypervisor, the number of its clock and how many VMs it has.
    clocks: FxHashMap<Box<str>, (usize, usize)>,
    key: Vec<u8>,
    swept: f64,
    /// The VMs that may be evicted, the next one last, and when they were searched for.
    silent: Vec<Box<[u8]>>,
    searched: f64,
    evicted: u64,
    /// The number of the VM that was added last.
    last: u32,
}

impl Default for Vms {
    fn default() -> Self {
        Self::new(MAX_VMS)
    }
}

/// Why there is no VM to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoVm {
    /// It does not name one.
    Unnamed,
    /// The limit of VMs is reached.
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

/// The host and plugin instance of a key, and the address of the sender.
fn parts(key: &[u8]) -> (&[u8], &[u8]) {
    let end = key.iter().rposition(|byte| *byte == 0).unwrap_or(0);
    (&key[..end], &key[(end + 1).min(key.len())..])
}

/// Whether a VM does not report any more at `now` (seconds) and may be evicted.
fn is_silent(vm: &Vm, now: f64) -> bool {
    let patience = if vm.heard >= ESTABLISHED {
        ESTABLISHED_SILENT_SEC.max(FORGET_INTERVALS * vm.interval)
    } else {
        SILENT_INTERVALS * vm.interval.min(INTERVAL_MAX_SEC)
    };
    now - vm.seen > patience
}

impl Vms {
    /// Room for the counters of at most `max` VMs.
    pub fn new(max: usize) -> Self {
        Self {
            vms: FxHashMap::default(),
            max,
            senders: FxHashMap::default(),
            clocks: FxHashMap::default(),
            key: Vec::new(),
            swept: 0.0,
            silent: Vec::new(),
            searched: f64::MIN,
            evicted: 0,
            last: 0,
        }
    }

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
        vm.heard(now, interval);
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
        if self.vms.len() >= self.max && !self.evict_one(now, clock) {
            return Err(NoVm::Full);
        }
        let number = match self.clocks.get_mut(hypervisor.as_ref()) {
            Some((number, vms)) => {
                *vms += 1;
                *number
            }
            None => {
                let number = clock.add();
                self.clocks.insert(hypervisor.as_ref().into(), (number, 1));
                number
            }
        };
        if !names.sender.is_empty() {
            let mut key = Vec::new();
            write_key(&mut key, names.host, names.plugin_instance, b"");
            self.senders
                .entry(key.into())
                .or_default()
                .insert(names.sender.into());
        }
        self.last = self.last.wrapping_add(1);
        let mut vm = Vm::new(&hypervisor, &name, number, now);
        vm.number = self.last;
        self.vms.insert(self.key.as_slice().into(), vm);
        Ok(())
    }

    /// The addresses that values with this host and plugin instance came from over the network.
    pub fn senders_of(&self, host: &[u8], plugin_instance: &[u8]) -> Vec<Box<[u8]>> {
        let mut key = Vec::new();
        write_key(&mut key, host, plugin_instance, b"");
        let senders = self.senders.get(key.as_slice());
        senders.into_iter().flatten().cloned().collect()
    }

    /// The hypervisors with the numbers of their clocks.
    pub fn hypervisors(&self) -> impl Iterator<Item = (&str, usize)> + Clone {
        self.clocks
            .iter()
            .map(|(name, (number, _))| (&**name, *number))
    }

    /// Whether a VM of that hypervisor is known.
    pub fn knows(&self, hypervisor: &str) -> bool {
        self.clocks.contains_key(hypervisor)
    }

    /// How many hypervisors there are, and how many VMs.
    pub fn counts(&self) -> (usize, usize) {
        (self.clocks.len(), self.vms.len())
    }

    /// How many VMs were evicted so far.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Forgets the VMs that were silent for long.
    pub fn forget_silent(&mut self, now: f64, clock: &mut Clock) {
        if now - self.swept < SWEEP_SEC {
            return;
        }
        self.swept = now;
        let is_over = |vm: &Vm| now - vm.seen > FORGET_SEC.max(FORGET_INTERVALS * vm.interval);
        let over = self.vms.iter().filter(|(_, vm)| is_over(vm));
        let over: Vec<Box<[u8]>> = over.map(|(key, _)| key.clone()).collect();
        for key in over {
            self.remove(&key, clock);
        }
    }

    /// Evicts a VM that no longer reports: of those with the fewest values, the one that has been silent longest. Returns whether
    /// there was one. All VMs are searched at most once per [`SEARCH_SEC`], however many newcomers there are.
    #[cold]
    fn evict_one(&mut self, now: f64, clock: &mut Clock) -> bool {
        if now - self.searched >= SEARCH_SEC || now < self.searched {
            self.searched = now;
            let silent = self.vms.iter().filter(|(_, vm)| is_silent(vm, now));
            let mut silent: Vec<_> = silent
                .map(|(key, vm)| ((vm.heard | 1).ilog2(), vm.seen, &**key))
                .collect();
            let order = |a: &(u32, f64, &[u8]), b: &(u32, f64, &[u8])| {
                a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
            };
            if silent.len() > FOUND_MAX {
                silent.select_nth_unstable_by(FOUND_MAX, order);
                silent.truncate(FOUND_MAX);
            }
            silent.sort_unstable_by(order);
            self.silent = silent
                .iter()
                .rev()
                .map(|(_, _, key)| (*key).into())
                .collect();
        }
        while let Some(key) = self.silent.pop() {
            // It may be gone or have come back since.
            if self.vms.get(&key).is_some_and(|vm| is_silent(vm, now)) {
                self.remove(&key, clock);
                self.evicted += 1;
                return true;
            }
        }
        false
    }

    /// Forgets a VM, and its hypervisor where it has no other.
    fn remove(&mut self, key: &[u8], clock: &mut Clock) {
        let Some(vm) = self.vms.remove(key) else {
            return;
        };
        let (names, sender) = parts(key);
        if !sender.is_empty() {
            let mut names = names.to_vec();
            names.push(0);
            if let Some(senders) = self.senders.get_mut(names.as_slice()) {
                senders.remove(sender);
                if senders.is_empty() {
                    self.senders.remove(names.as_slice());
                }
            }
        }
        if let Some((number, vms)) = self.clocks.get_mut(&vm.hypervisor) {
            *vms -= 1;
            if *vms == 0 {
                clock.remove(*number);
                self.clocks.remove(&vm.hypervisor);
            }
        }
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
            clock.saw(number, vm.number, now, 10.0, now);
        }
        vms.forget_silent(5000.0, &mut clock);
        assert_eq!(vms.counts(), (1, 1));
        assert!(vms.senders_of(b"a", b"vm").is_empty());
        assert_eq!(vms.senders_of(b"b", b"vm").len(), 1);
        let numbers: Vec<usize> = vms.hypervisors().map(|(_, number)| number).collect();
        assert_eq!(numbers.len(), 1);
        assert_eq!(clock.passed(numbers[0], 5000.0, None, 0.0), Some(4980.0));
    }

    #[test]
    fn invented_vms_evict_one_for_others_and_never_those_that_report() {
        let (mut vms, mut clock) = (Vms::new(100), Clock::default());
        let mut full = 0;
        for interval in 0..200 {
            let now = 10.0 * f64::from(interval);
            for real in 0..40 {
                let host = format!("real{real}");
                let vm = get(&mut vms, &mut clock, &names("hv", &host, "192.0.2.1"), now)
                    .expect("it reports");
                assert_eq!(vm.heard, interval + 1, "{host}");
            }
            for invented in 0..200 {
                let hypervisor = format!("hv{interval}-{invented}");
                let names = names(&hypervisor, "vm", "192.0.2.1");
                full += u32::from(get(&mut vms, &mut clock, &names, now).is_err());
            }
        }
        let (hypervisors, all) = vms.counts();
        assert_eq!((hypervisors, all), (61, 100));
        assert!(
            vms.evicted() > 2000 && full > 10_000,
            "{} {full}",
            vms.evicted()
        );
        // What belongs to those that are gone is gone as well.
        assert_eq!(vms.senders.len(), 100);
        assert!(clock.add() <= 100, "numbers are given again");
    }

    #[test]
    fn what_names_no_vm_leaves_nothing_behind() {
        let (mut vms, mut clock) = (Vms::default(), Clock::default());
        let result = get(&mut vms, &mut clock, &names("here", "", ""), 0.0);
        assert_eq!(result.err(), Some(NoVm::Unnamed));
        assert_eq!(vms.counts(), (0, 0));
    }
}
