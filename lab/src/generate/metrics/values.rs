//! The metrics of a hypervisor, as they are generated.

/// A hypervisor's metric: the values of each VM, row by row; NaN where the sample is missing.
pub type Values = Vec<Vec<f64>>;

/// Seconds between two rows.
pub const INTERVAL_S: f64 = 300.0;

/// Samples of a day, at five minutes each.
pub const DAY: usize = 288;

/// The name of the VM in column `at`.
pub fn vm_name(at: usize) -> String {
    format!("vm{at:02}")
}
