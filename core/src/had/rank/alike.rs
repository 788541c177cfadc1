//! How much the VMs of a hypervisor usually move alike.
//!
//! VMs of one tenant, replicas behind one balancer, agree whatever happens: their consensus is no evidence of their host. The
//! measure is the mean correlation between the shifts of two of them, the intraclass correlation of one-way layouts (Fisher 1925,
//! "Statistical Methods for Research Workers", chapter VII) about a mean of zero, over the last days.

use serde::{Deserialize, Serialize};

/// Time constant, in samples: two days of those that are judged.
const MEMORY: f32 = 576.0;
/// Samples that must be known, a day: in fewer, a fault is soon a large part of what is known.
const KNOWN_MIN: u16 = 288;
/// No shift counts for more, so that one fault is no habit.
const SHIFT_MAX: f32 = 2.0;

/// VMs that correlate so much do nothing else; half of it makes a common change their own. Hosts with VMs of one tenant, put together
/// from the traces of business VMs and of cluster jobs, then have 40 false failures per 1,000 host-days instead of 45 and 140.
const ALWAYS: f64 = 0.8;

/// The agreement of the VMs of one metric of one hypervisor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Alike {
    /// Mean product of the shifts of two VMs.
    products: f32,
    /// Mean square of the shift of one.
    squares: f32,
    /// Number of samples.
    known: u16,
}

impl Alike {
    /// Whether a restored state is possible.
    pub(super) fn is_valid(&self) -> bool {
        self.products.is_finite() && self.squares.is_finite() && self.squares >= 0.0
    }

    /// Takes the shifts of one sample, NaN where a VM abstains.
    pub(super) fn pass(&mut self, shifts: impl Iterator<Item = f32>) {
        let (mut count, mut sum, mut squares) = (0.0_f32, 0.0_f32, 0.0_f32);
        for shift in shifts.filter(|shift| !shift.is_nan()) {
            let shift = shift.clamp(-SHIFT_MAX, SHIFT_MAX);
            count += 1.0;
            sum += shift;
            squares += shift * shift;
        }
        if count >= 2.0 {
            let product = (sum * sum - squares) / (count * (count - 1.0));
            self.products += (product - self.products) / MEMORY;
            self.squares += (squares / count - self.squares) / MEMORY;
            self.known = self.known.saturating_add(1);
        }
    }

    /// How much a common change is what these VMs usually show, 0 to 1; 0 if they move against each other or nothing is known.
    pub(super) fn share(&self) -> f64 {
        match self.known >= KNOWN_MIN {
            true => (self.correlation() / ALWAYS).clamp(0.0, 1.0),
            false => 0.0,
        }
    }

    /// The correlation between two VMs.
    fn correlation(&self) -> f64 {
        match self.squares > 0.0 {
            true => f64::from(self.products / self.squares),
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The correlation after days of shifts that are `common` for all VMs and `own` for each.
    fn after(common: f32, own: f32) -> f64 {
        let mut alike = Alike::default();
        let wave =
            |t: usize, period: usize| (t as f32 * std::f32::consts::TAU / period as f32).sin();
        for t in 0..3000 {
            let shift = |vm: usize| common * wave(t, 97) + own * wave(t, 13 + 4 * vm);
            alike.pass((0..5).map(shift));
        }
        alike.correlation()
    }

    #[test]
    fn vms_that_move_alike_correlate_and_independent_ones_do_not() {
        assert!(after(1.0, 0.1) > 0.95);
        assert!((0.4..0.6).contains(&after(1.0, 1.0)));
        assert!(after(0.0, 1.0) < 0.1);
    }

    #[test]
    fn one_fault_is_no_habit_and_a_vm_that_abstains_does_not_count() {
        let mut alike = Alike::default();
        for _ in 0..20 {
            alike.pass([9.0; 5].into_iter());
        }
        assert_eq!(alike.share(), 0.0, "too little is known");
        for t in 0..2000 {
            let shift = |vm: usize| (t as f32 / (3 + vm) as f32).sin();
            alike.pass((0..5).map(shift));
        }
        for _ in 0..16 {
            alike.pass([9.0, 9.0, 9.0, 9.0, f32::NAN].into_iter());
        }
        assert!(alike.share() < 0.4, "{}", alike.share());
        assert_eq!(Alike::default().share(), 0.0);
    }
}
