//! The time of all CPUs of a host, as shares.
//!
//! Jiffies of one CPU and percent of one CPU or of all give the same: what was spent in a state, over what was spent in all of them. So
//! neither the number of CPUs nor the length of an interval matters, nor whether all CPUs are in the same row.

use super::kind::{STATES, State};
use super::meter::is_gap;
use crate::counter::Unrated;

/// Maximum number of CPUs of a host that are distinguished; of further ones nothing is taken.
pub const CPUS_MAX: usize = 1024;

/// The jiffies of one CPU.
#[derive(Debug, Clone, Copy)]
struct Cpu {
    /// collectd's time of the newest value; 0 before the first.
    time: u64,
    jiffies: [i64; STATES],
    /// The states with a value, a bit for each.
    known: u16,
    /// Whether it had a value in this row.
    heard: bool,
}

const NEW: Cpu = Cpu {
    time: 0,
    jiffies: [0; STATES],
    known: 0,
    heard: false,
};

/// The shares of one row, 0 to 1; NaN where one is unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// Working, in kernel and user mode.
    pub busy: f64,
    /// In the kernel, interrupts included.
    pub system: f64,
    /// Idle with a disk awaited.
    pub wait: f64,
    /// Taken by another hypervisor.
    pub steal: f64,
}

/// See the [module](self).
#[derive(Debug, Clone, Default)]
pub struct Cpus {
    cpus: Vec<Cpu>,
    /// What was spent in each state in this row, in jiffies or percent.
    spent: [f64; STATES],
    /// The states that had a value in this row, a bit for each.
    seen: u16,
    /// Sum and number of the values that do not distinguish the states.
    active: (f64, u32),
    /// How many CPUs had a value in the last row.
    heard: usize,
}

impl Cpus {
    /// How many CPUs are kept.
    pub fn len(&self) -> usize {
        self.cpus.len()
    }

    /// The place of the CPU of that name, a number; there are none of beyond [`CPUS_MAX`], nor where `may_grow` is false.
    fn place(&mut self, name: &[u8], may_grow: bool) -> Option<&mut Cpu> {
        let number: usize = std::str::from_utf8(name).ok()?.parse().ok()?;
        if number >= self.cpus.len() {
            if number >= CPUS_MAX || !may_grow {
                return None;
            }
            self.cpus.resize(number + 1, NEW);
        }
        self.cpus.get_mut(number)
    }

    /// Takes the jiffies that the CPU of this name has spent in a state; `time` and `interval` are collectd's.
    pub fn jiffies(
        &mut self,
        name: &[u8],
        may_grow: bool,
        state: State,
        time: u64,
        interval: u64,
        jiffies: i64,
    ) -> Option<Unrated> {
        let Some(cpu) = self.place(name, may_grow) else {
            return Some(Unrated::Full);
        };
        // The values of one read come at about the same time, and not in their order.
        if time.saturating_add(interval / 2) < cpu.time {
            return Some(Unrated::Late);
        }
        if cpu.time != 0 && is_gap(cpu.time, time, interval) {
            cpu.known = 0;
        }
        cpu.time = cpu.time.max(time);
        cpu.heard = true;
        let (at, bit) = (state as usize, 1 << state as u16);
        let before = std::mem::replace(&mut cpu.jiffies[at], jiffies);
        let is_first = cpu.known & bit == 0;
        cpu.known |= bit;
        if is_first {
            return Some(Unrated::First);
        }
        let spent = jiffies.wrapping_sub(before);
        if spent < 0 {
            return Some(Unrated::Reset);
        }
        self.seen |= bit;
        self.spent[at] += spent as f64;
        None
    }

    /// Takes percent of the CPU of this name, or of all where it is empty, in a state.
    pub fn percent(&mut self, name: &[u8], may_grow: bool, state: State, percent: f64) {
        if !name.is_empty()
            && let Some(cpu) = self.place(name, may_grow)
        {
            cpu.heard = true;
        }
        if !(0.0..=100.5).contains(&percent) {
            return;
        }
        if state == State::Active {
            self.active.0 += percent;
            self.active.1 += 1;
        } else {
            self.seen |= 1 << state as u16;
            self.spent[state as usize] += percent;
        }
    }

    /// The number of CPUs that reported in the last row with any; `None` where they are not distinguished.
    pub fn heard(&self) -> Option<usize> {
        (self.heard > 0).then_some(self.heard)
    }

    /// Forgets the jiffies of all CPUs: what they spend counts from their next values on.
    pub fn restart(&mut self) {
        self.cpus.fill(NEW);
        (self.spent, self.seen, self.active) = ([0.0; STATES], 0, (0.0, 0));
    }

    /// The shares of the row, and begins the next one.
    pub fn take(&mut self) -> Shares {
        let heard = self.cpus.iter_mut();
        let heard = heard.filter_map(|cpu| std::mem::take(&mut cpu.heard).then_some(()));
        let heard = heard.count();
        if heard > 0 {
            self.heard = heard;
        }
        let (spent, seen) = (
            std::mem::take(&mut self.spent),
            std::mem::take(&mut self.seen),
        );
        let (active, actives) = std::mem::take(&mut self.active);
        let all: f64 = spent.iter().sum();
        let is_seen = |state: State| seen & (1 << state as u16) != 0;
        let share = |states: &[State]| {
            let sum: f64 = states.iter().map(|state| spent[*state as usize]).sum();
            if all > 0.0 { sum / all } else { f64::NAN }
        };
        let if_seen = |state: State, share: f64| if is_seen(state) { share } else { f64::NAN };
        use State::*;
        let work = [User, Nice, Guest, GuestNice, System, Interrupt, Softirq];
        let busy = if is_seen(Idle) {
            share(&work)
        } else {
            active / f64::from(actives) / 100.0
        };
        Shares {
            busy,
            system: if_seen(Idle, if_seen(System, share(&work[4..]))),
            wait: if_seen(Idle, if_seen(Wait, share(&[Wait]))),
            steal: if_seen(Idle, if_seen(Steal, share(&[Steal]))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1 << 30;

    /// Jiffies a second of each CPU in (user, system, wait, steal, idle).
    const MIX: [(State, i64); 5] = [
        (State::User, 30),
        (State::System, 10),
        (State::Wait, 5),
        (State::Steal, 5),
        (State::Idle, 50),
    ];

    /// Feeds one read of `cpus` CPUs at this second.
    fn read(all: &mut Cpus, cpus: usize, second: u64) -> Vec<Unrated> {
        let mut unrated = Vec::new();
        for cpu in 0..cpus {
            for (state, rate) in MIX {
                let name = cpu.to_string();
                let total = rate * second as i64;
                let time = second * SECOND;
                let what = all.jiffies(name.as_bytes(), true, state, time, 10 * SECOND, total);
                unrated.extend(what);
            }
        }
        unrated
    }

    const SHARES: Shares = Shares {
        busy: 0.4,
        system: 0.1,
        wait: 0.05,
        steal: 0.05,
    };

    #[test]
    fn the_shares_are_the_same_whatever_the_number_of_cpus() {
        for cpus in [1, 2, 64, 512] {
            let mut all = Cpus::default();
            read(&mut all, cpus, 1000);
            assert!(all.take().busy.is_nan(), "the first values give nothing");
            assert_eq!(read(&mut all, cpus, 1010), []);
            assert_eq!(all.take(), SHARES, "{cpus}");
            assert_eq!(all.heard(), Some(cpus));
        }
    }

    #[test]
    fn percent_of_each_cpu_and_of_all_give_the_same_shares() {
        for names in [&["0", "1", "2"][..], &[""]] {
            let mut all = Cpus::default();
            for name in names {
                for (state, percent) in MIX {
                    all.percent(name.as_bytes(), true, state, percent as f64);
                }
            }
            assert_eq!(all.take(), SHARES);
            assert_eq!(all.heard(), (names.len() > 1).then_some(names.len()));
        }
    }

    #[test]
    fn where_the_states_are_not_distinguished_only_the_busy_share_is_known() {
        let mut all = Cpus::default();
        all.percent(b"0", true, State::Active, 30.0);
        all.percent(b"1", true, State::Active, 70.0);
        let shares = all.take();
        assert_eq!(shares.busy, 0.5);
        assert!(shares.system.is_nan() && shares.wait.is_nan() && shares.steal.is_nan());
    }

    #[test]
    fn a_state_that_is_missing_is_unknown_and_without_idle_time_all_are() {
        let mut all = Cpus::default();
        all.percent(b"", true, State::User, 25.0);
        all.percent(b"", true, State::Idle, 75.0);
        let shares = all.take();
        assert_eq!(shares.busy, 0.25);
        assert!(shares.wait.is_nan() && shares.steal.is_nan());
        all.percent(b"", true, State::User, 25.0);
        all.percent(b"", true, State::System, 25.0);
        let shares = all.take();
        assert!(shares.busy.is_nan() && shares.system.is_nan());
    }

    #[test]
    fn after_a_reboot_the_first_shares_are_of_what_was_spent_since() {
        let mut all = Cpus::default();
        read(&mut all, 2, 1000);
        read(&mut all, 2, 1010);
        all.take();
        // The jiffies begin again.
        for (state, rate) in MIX {
            let what = all.jiffies(b"0", true, state, 1020 * SECOND, 10 * SECOND, rate);
            assert_eq!(what, Some(Unrated::Reset));
        }
        assert!(all.take().busy.is_nan());
        for (state, rate) in MIX {
            let what = all.jiffies(b"0", true, state, 1030 * SECOND, 10 * SECOND, 11 * rate);
            assert_eq!(what, None);
        }
        assert_eq!(all.take(), SHARES);
    }

    #[test]
    fn late_jiffies_are_left_out_and_a_read_may_be_in_any_order() {
        let mut all = Cpus::default();
        read(&mut all, 1, 1000);
        read(&mut all, 1, 1020);
        let what = all.jiffies(b"0", true, State::User, 1010 * SECOND, 10 * SECOND, 30_300);
        assert_eq!(what, Some(Unrated::Late));
        // Some milliseconds before those of the same read that came first.
        let time = 1020 * SECOND - SECOND / 100;
        let what = all.jiffies(b"0", true, State::Nice, time, 10 * SECOND, 0);
        assert_eq!(what, Some(Unrated::First));
        assert_eq!(all.take(), SHARES);
    }

    #[test]
    fn a_cpu_that_goes_offline_leaves_the_shares_to_the_others() {
        let mut all = Cpus::default();
        read(&mut all, 4, 1000);
        read(&mut all, 4, 1010);
        all.take();
        read(&mut all, 2, 1020);
        assert_eq!(all.take(), SHARES);
        assert_eq!(all.heard(), Some(2));
    }

    #[test]
    fn the_number_of_cpus_is_bounded() {
        let mut all = Cpus::default();
        for name in ["1023", "1024", "99999999999999999999"] {
            all.percent(name.as_bytes(), true, State::Idle, 50.0);
        }
        assert_eq!(all.len(), CPUS_MAX);
        let what = all.jiffies(b"1024", true, State::Idle, SECOND, SECOND, 1);
        assert_eq!(what, Some(Unrated::Full));
        let mut none = Cpus::default();
        let what = none.jiffies(b"0", false, State::Idle, SECOND, SECOND, 1);
        assert_eq!((what, none.len()), (Some(Unrated::Full), 0));
    }
}
