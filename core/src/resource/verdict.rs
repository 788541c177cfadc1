//! How unusual a row is.

/// The largest number of signals that a verdict names.
pub const DECIDING_MAX: usize = 4;

/// How unusual a row is against the host's own last weeks without the last hours: the share of those rows that were at least
/// as unusual (a conformal p-value; Laxhammar and Falkman 2014, "Online learning and sequential anomaly detection in
/// trajectories"). All from above 0 to 1; small is unusual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PValues {
    /// By how far signals are from their usual course.
    pub change: f64,
    /// By how unlike the signals together are to any constellation of the past.
    pub pattern: f64,
    /// Both in one.
    pub combined: f64,
}

/// The deviation of one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviation {
    /// The index of the channel; for a host's row, that of a [`Signal`](super::Signal).
    pub channel: usize,
    /// Signed distance from the usual course in robust standard deviations.
    pub deviation: f64,
    /// The value, in the channel's unit.
    pub value: f64,
    /// The usual value, in the channel's unit.
    pub usual: f64,
}
