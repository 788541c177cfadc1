//! The kinds of detectors that there are.

use crate::border::Failure;
use crate::detector::Kind;
use crate::drain::Drain;
use crate::had::Had;
use crate::lad::Lad;
use crate::options::bw_options;
use crate::resource::Resource;
use crate::risk::Risk;

/// A kind's name, and what makes its options.
type Known = (&'static str, fn() -> bw_options);

/// The name of each kind, and its options. A further detector is a line here, and a file with its typed functions.
const KINDS: [Known; 5] = [
    (Had::NAME, bw_options::of::<Had>),
    (Lad::NAME, bw_options::of::<Lad>),
    (Drain::NAME, bw_options::of::<Drain>),
    (Resource::NAME, bw_options::of::<Resource>),
    (Risk::NAME, bw_options::of::<Risk>),
];

/// The options of the kind with that name.
pub(crate) fn options(name: &str) -> Result<bw_options, Failure> {
    match KINDS.iter().find(|(known, _)| *known == name) {
        Some((_, options)) => Ok(options()),
        None => Err(Failure::not_found(format!(
            "there is no detector \"{name}\"; there are {}",
            KINDS.map(|(known, _)| format!("\"{known}\"")).join(", ")
        ))),
    }
}
