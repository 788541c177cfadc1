//! An algorithm without the detector around it, for benches: what a sample costs once its VM is found.

use super::HadOptions;
use super::panel::AnyMethod;

/// One metric of one hypervisor, whose VMs are numbers.
#[derive(Debug)]
pub struct Bare(AnyMethod);

impl Bare {
    /// The algorithm that `options` name, for `vms` VMs.
    pub fn new(options: &HadOptions, vms: usize) -> Self {
        let mut method = AnyMethod::new(options, "cpu", options.interval);
        method.get_mut().resize(vms);
        Self(method)
    }

    /// Judges one tick, with one value per VM: whether the hypervisor looks ill.
    pub fn close(&mut self, values: &[f64], hour: usize) -> bool {
        self.0.get_mut().close(values, hour).alarm.is_some()
    }
}
