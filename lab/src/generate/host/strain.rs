//! What strains a host and its VMs, when and how much.

/// What a strain is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The CPUs: 1 is all of them.
    Cpu,
    /// The disks, by load: 1 is about as much as they can do.
    Io,
    /// The disks, by what they do no more: 1 is ten times the usual time per operation.
    Latency,
    /// Memory: 1 is none left.
    Memory,
    /// Tasks and vCPUs that wait for what does not come: 1 is about one per CPU.
    Hang,
}

/// A strain that rises, stays and falls. Times are in microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strain {
    /// What it is on.
    pub on: On,
    /// When it begins to rise.
    pub from: i64,
    /// How long it rises.
    pub rise: i64,
    /// When it begins to fall, within a minute.
    pub to: i64,
    /// How strong it is at its height.
    pub height: f64,
}

/// How long a strain falls.
const FALL: i64 = 60_000_000;

/// The share of a height that is reached at `time`, of what rises for `rise` from `from` on and falls from `to` on.
fn course(time: i64, from: i64, rise: i64, to: i64) -> f64 {
    if time < from {
        return 0.0;
    }
    let up = (time - from) as f64 / rise.max(1) as f64;
    let down = 1.0 - (time - to).max(0) as f64 / FALL as f64;
    up.min(down).clamp(0.0, 1.0)
}

impl Strain {
    /// How strong it is at `time`.
    pub fn at(&self, time: i64) -> f64 {
        self.height * course(time, self.from, self.rise, self.to)
    }
}

/// A change of the CPU percentages of some VMs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// When it begins, in microseconds since the epoch.
    pub from: i64,
    /// How long it rises.
    pub rise: i64,
    /// When it begins to go back.
    pub to: i64,
    /// Share of the VMs that it reaches, 0 to 1.
    pub share: f64,
    /// The factor at its height; each VM has one up to a quarter nearer to 1 or farther from it.
    pub factor: f64,
}

impl Change {
    /// The factor at `time` of a VM whose own is `factor` at the height.
    pub fn at(&self, time: i64, factor: f64) -> f64 {
        1.0 + (factor - 1.0) * course(time, self.from, self.rise, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strain_rises_stays_and_falls() {
        const S: i64 = 1_000_000;
        let strain = Strain {
            on: On::Io,
            from: 100 * S,
            rise: 50 * S,
            to: 200 * S,
            height: 2.0,
        };
        let at = [99, 100, 125, 150, 200, 230, 260, 999].map(|second| strain.at(second * S));
        assert_eq!(at, [0.0, 0.0, 1.0, 2.0, 2.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_vm_that_changes_goes_back_to_where_it_was() {
        let change = Change {
            from: 0,
            rise: 1,
            to: 10_000_000,
            share: 1.0,
            factor: 0.5,
        };
        assert_eq!(change.at(-1, 0.4), 1.0);
        assert!((change.at(5_000_000, 0.4) - 0.4).abs() < 1e-12);
        assert_eq!(change.at(80_000_000, 0.4), 1.0);
    }
}
