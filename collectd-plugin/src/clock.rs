//! What time it is for the detector when nothing arrives.
//!
//! As long as samples come, they carry time themselves. When they stop (a VM is gone, all are silent), the clock of this machine
//! has to end ticks and notice the silence, but it must not run ahead of the data: of senders whose clocks are behind, of values
//! that still wait in collectd's own queue, of history that is being replayed. So each hypervisor has a time of its own, which is
//! as far behind this machine's as most of its VMs are.
//!
//! All times of this machine are those of its steady clock ([`crate::host::Host::steady`]), which nobody can set.

/// A hypervisor whose samples are older than this on arrival is being replayed, unless its interval is long.
pub const LIVE_SEC: f64 = 120.0;
/// The same in intervals.
const LIVE_INTERVALS: f64 = 6.0;
/// A hypervisor that has been behind by the same time for so long is not being replayed: its clock is wrong.
const STEADY_SEC: f64 = 600.0;
/// How many intervals the clock stays behind: one for a sample to be due, one for it to be late.
const GRACE_INTERVALS: f64 = 2.0;
/// The longest interval that is waited for.
const GRACE_MAX_SEC: f64 = 600.0;
/// When own values do not come back for this long, collectd's queue is not what keeps them.
const STUCK_SEC: f64 = 600.0;
/// So many VMs of a hypervisor are asked what time it is: those that were heard last.
const ASKED: usize = 8;
/// After this many consecutive samples that are older than one before, the clock of a VM was set back.
const OLDER_MAX: u8 = 4;

/// The last sample of a VM.
#[derive(Debug, Clone, Copy)]
struct Heard {
    vm: u32,
    newest: f64,
    lag: f64,
    arrival: f64,
    interval: f64,
    older: u8,
}

/// One hypervisor.
#[derive(Debug, Clone, Copy, Default)]
struct Sender {
    heard: [Option<Heard>; ASKED],
    /// By how much it has been behind, and since when.
    lag: f64,
    steady_since: f64,
    arrival: f64,
}

impl Sender {
    /// The middle one of what `of` says of the VMs, so that no single one decides.
    fn middle(&self, of: impl Fn(&Heard) -> f64) -> Option<f64> {
        let mut all = [f64::INFINITY; ASKED];
        let mut count = 0;
        for heard in self.heard.iter().flatten() {
            all[count] = of(heard);
            count += 1;
        }
        all[..count].sort_unstable_by(f64::total_cmp);
        (count > 0).then(|| all[count / 2])
    }
}

/// See the [module](self). All times are seconds since the epoch.
#[derive(Debug, Default)]
pub struct Clock {
    senders: Vec<Sender>,
    /// Numbers that are nobody's.
    free: Vec<usize>,
}

impl Clock {
    /// A number for one more hypervisor.
    pub fn add(&mut self) -> usize {
        if let Some(number) = self.free.pop() {
            return number;
        }
        self.senders.push(Sender::default());
        self.senders.len() - 1
    }

    /// The hypervisor of that number is gone; another one may get the number.
    pub fn remove(&mut self, number: usize) {
        self.senders[number] = Sender::default();
        self.free.push(number);
    }

    /// A sample of the VM with the number `vm` of that hypervisor with this time arrived.
    pub fn saw(&mut self, hypervisor: usize, vm: u32, time: f64, interval: f64, arrival: f64) {
        let sender = &mut self.senders[hypervisor];
        sender.arrival = arrival;
        let known = |heard: &Option<Heard>| heard.is_some_and(|heard| heard.vm == vm);
        let at = sender.heard.iter().position(known).unwrap_or_else(|| {
            // A free place, or that of the VM that was heard longest ago.
            let arrival = |heard: &Option<Heard>| heard.map_or(f64::MIN, |heard| heard.arrival);
            let places = 0..ASKED;
            places
                .min_by(|a, b| arrival(&sender.heard[*a]).total_cmp(&arrival(&sender.heard[*b])))
                .unwrap_or(0)
        });
        let before = sender.heard[at].filter(|heard| heard.vm == vm);
        sender.heard[at] = Some(match before {
            Some(heard) if time < heard.newest && heard.older + 1 < OLDER_MAX => Heard {
                arrival,
                older: heard.older + 1,
                ..heard
            },
            _ => Heard {
                vm,
                newest: time,
                lag: arrival - time,
                arrival,
                interval,
                older: 0,
            },
        });
    }

    /// The time of that hypervisor before which no sample of it is to be expected any more, at this machine's time `now`;
    /// `None` where only the data can tell. `returned` is the time by which the newest own value has come back through
    /// collectd's queue, and the wall clock is ahead of the steady one by `wall_ahead`.
    pub fn passed(
        &mut self,
        hypervisor: usize,
        now: f64,
        returned: Option<f64>,
        wall_ahead: f64,
    ) -> Option<f64> {
        let sender = &mut self.senders[hypervisor];
        let lag = sender.middle(|heard| heard.lag)?;
        let interval = sender.middle(|heard| heard.interval)?;
        let live = LIVE_SEC.max(LIVE_INTERVALS * interval);
        if (lag - sender.lag).abs() > 0.5 * live || sender.steady_since == 0.0 {
            (sender.lag, sender.steady_since) = (lag, sender.arrival);
        }
        // It may have this machine's clock, which was set, or one of its own.
        let is_live = lag <= live
            || lag + wall_ahead <= live
            || sender.arrival - sender.steady_since >= STEADY_SEC;
        if !is_live {
            return None;
        }
        let queue = returned
            .map(|time| now - time)
            .filter(|&age| age < STUCK_SEC)
            .map_or(0.0, |age| age.max(0.0));
        Some(now - lag - GRACE_INTERVALS * interval.clamp(0.0, GRACE_MAX_SEC) - queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_700_000_000.0;

    /// A clock of one hypervisor whose VMs have these times when they arrive.
    fn clock(vms: &[(f64, f64)]) -> Clock {
        let mut clock = Clock::default();
        let hypervisor = clock.add();
        for (vm, &(time, arrival)) in vms.iter().enumerate() {
            clock.saw(hypervisor, vm as u32, time, 10.0, arrival);
        }
        clock
    }

    fn passed(clock: &mut Clock, now: f64) -> Option<f64> {
        clock.passed(0, now, None, 0.0)
    }

    #[test]
    fn two_intervals_after_a_sample_was_due_its_time_has_passed() {
        let mut clock = clock(&[(NOW, NOW)]);
        assert_eq!(passed(&mut clock, NOW + 60.0), Some(NOW + 40.0));
    }

    #[test]
    fn a_hypervisor_whose_clock_is_behind_is_waited_for_and_no_other_is() {
        let mut clock = clock(&[(NOW, NOW)]);
        let behind = clock.add();
        clock.saw(behind, 7, NOW - 90.0, 10.0, NOW);
        assert_eq!(passed(&mut clock, NOW + 60.0), Some(NOW + 40.0));
        let passed = clock.passed(behind, NOW + 60.0, None, 0.0);
        assert_eq!(passed, Some(NOW - 50.0));
    }

    #[test]
    fn one_vm_whose_clock_is_wrong_does_not_change_its_hypervisors_time() {
        for wrong in [-1e6, -200.0, 50.0, 200.0, 1e6] {
            for place in 0..4 {
                let mut times = [(NOW, NOW); 4];
                times[place].0 += wrong;
                let mut clock = clock(&times);
                for _ in 0..100 {
                    clock.saw(0, place as u32, NOW + wrong, 86_400.0, NOW);
                }
                assert_eq!(passed(&mut clock, NOW + 60.0), Some(NOW + 40.0), "{wrong}");
            }
        }
    }

    #[test]
    fn only_the_vms_that_were_heard_last_are_asked() {
        let mut clock = clock(&[(NOW - 50.0, NOW); 20]);
        for vm in 20..30 {
            clock.saw(0, vm, NOW + 10.0, 10.0, NOW + 10.0);
        }
        assert_eq!(passed(&mut clock, NOW + 60.0), Some(NOW + 40.0));
    }

    #[test]
    fn a_replay_gets_its_time_from_the_data_alone_and_holds_up_nobody_else() {
        let mut clock = clock(&[(NOW, NOW)]);
        let replayed = clock.add();
        for tick in 0..1000 {
            let tick = f64::from(tick);
            clock.saw(replayed, 7, 1.6e9 + 10.0 * tick, 10.0, NOW + tick);
            assert_eq!(clock.passed(replayed, NOW + tick, None, 0.0), None);
        }
        assert_eq!(clock.passed(replayed, NOW + 9000.0, None, 0.0), None);
        assert_eq!(passed(&mut clock, NOW + 60.0), Some(NOW + 40.0));
    }

    #[test]
    fn who_is_always_behind_by_the_same_time_is_no_replay() {
        let mut clock = clock(&[]);
        for tick in 0..=60 {
            let now = NOW + 10.0 * f64::from(tick);
            clock.saw(0, 7, now - 5000.0, 10.0, now);
            let expected = (tick == 60).then_some(now - 5020.0);
            assert_eq!(passed(&mut clock, now), expected, "{tick}");
        }
        assert_eq!(passed(&mut clock, NOW + 700.0), Some(NOW - 4320.0));
    }

    #[test]
    fn a_hypervisor_that_has_this_machines_clock_is_live_when_that_is_set_back() {
        let mut clock = clock(&[(NOW, NOW)]);
        clock.saw(0, 0, NOW - 3590.0, 10.0, NOW + 10.0);
        for n in 0..3 {
            let n = f64::from(n);
            clock.saw(0, 0, NOW - 3590.0 + 10.0 * n, 10.0, NOW + 10.0 + 10.0 * n);
        }
        let passed = clock.passed(0, NOW + 90.0, None, -3600.0);
        assert_eq!(passed, Some(NOW - 3530.0));
    }

    #[test]
    fn nothing_passes_that_still_waits_in_collectds_queue() {
        let mut clock = clock(&[(NOW, NOW)]);
        let passed = clock.passed(0, NOW + 60.0, Some(NOW + 5.0), 0.0);
        assert_eq!(passed, Some(NOW - 15.0));
    }

    #[test]
    fn own_values_that_never_come_back_do_not_hold_time_up_for_ever() {
        let mut clock = clock(&[(NOW, NOW)]);
        let passed = clock.passed(0, NOW + 1000.0, Some(NOW), 0.0);
        assert_eq!(passed, Some(NOW + 980.0));
    }

    #[test]
    fn without_a_sample_there_is_no_time() {
        assert_eq!(passed(&mut clock(&[]), NOW), None);
    }

    #[test]
    fn an_older_sample_does_not_turn_the_clock_back() {
        let mut clock = clock(&[(NOW, NOW)]);
        clock.saw(0, 0, NOW - 1000.0, 10.0, NOW + 1.0);
        assert_eq!(passed(&mut clock, NOW + 60.0), Some(NOW + 40.0));
    }
}
