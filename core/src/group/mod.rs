//! What fails together: hosts that share a rack, a pool, a switch, a storage or a kernel.
//!
//! One floor above HAD: there, many VMs of a host that change together point to the host; here, many hosts of a group that turn
//! yellow or red together point to what they share. As there ([quorum](crate::had)), the evidence is the tail of a binomial
//! distribution: P[at least k of the n hosts of the group turn within the window], where each turns by itself with probability p.
//! p is the larger of two rates, so that neither a noisy fleet nor a bad hour of all of it is blamed on a group:
//!
//! - the fleet's own rate over the last week, with a weak prior, without the turns that a group anomaly explains;
//! - the rate of the hosts outside of the group within the same window.
//!
//! The limit is one in a thousand for all groups together (Bonferroni's correction: C. E. Bonferroni, "Teoria statistica delle
//! classi e calcolo delle probabilità", 1936). Of several groups that share the hosts, the one whose agreement is least probable
//! is the cause, and what it explains no longer counts for the others.

mod detector;
mod rate;
mod report;
mod topology;

pub(crate) use detector::{GroupOptions, Groups, Kept};
pub(crate) use topology::{LABELS_MAX, Topology, TopologyError};
