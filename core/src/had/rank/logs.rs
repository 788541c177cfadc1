//! Logarithms ln(1+x) in two bytes, in rings.

use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error};

/// Units of a stored logarithm per unit.
pub(super) const UNITS: f32 = 2048.0;

/// What stands where there is none.
pub(super) const MISSING: u16 = u16::MAX;

/// A logarithm to store.
pub(super) fn stored(log: f32) -> u16 {
    (log * UNITS).min(f32::from(MISSING - 1)) as u16
}

/// A stored logarithm, if there is one.
pub(super) fn known(log: u16) -> Option<f32> {
    (log != MISSING).then(|| f32::from(log) / UNITS)
}

/// Serializes a ring as a sequence.
pub(super) fn serialize<S: Serializer, const N: usize>(
    ring: &[u16; N],
    to: S,
) -> Result<S::Ok, S::Error> {
    ring.as_slice().serialize(to)
}

/// Reads it.
pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
    from: D,
) -> Result<[u16; N], D::Error> {
    let ring: Vec<u16> = Vec::deserialize(from)?;
    let length = ring.len();
    ring.try_into()
        .map_err(|_| D::Error::invalid_length(length, &"as many logarithms as the ring has"))
}
