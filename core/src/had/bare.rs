//! An algorithm without the detector around it, for benchmarks: the cost of a sample once its VM is found.

use super::algorithm::AnyMethod;
use super::options::HadOptions;

/// One metric of one hypervisor whose VMs are numbered.
#[derive(Debug)]
pub struct Bare(AnyMethod);

impl Bare {
    /// The algorithm selected by `options`, for `vms` VMs.
    pub fn new(options: &HadOptions, vms: usize) -> Self {
        let mut method = AnyMethod::new(options, "cpu", options.interval);
        method.get_mut().resize(vms);
        Self(method)
    }

    /// Evaluates one tick, with one value per VM; returns whether there is an alarm.
    pub fn close(&mut self, values: &[f64], hour: usize) -> bool {
        self.0.get_mut().close(values, hour).alarm.is_some()
    }
}
