//! Numbers.

use arbitrary::Arbitrary;

/// Numbers at which arithmetic breaks.
const HOSTILE: [f64; 18] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    f64::EPSILON,
    5e-324,
    0.0,
    -0.0,
    -1.0,
    1e-9,
    1e11,
    -1e11,
    1e18,
    9.3e18,
    1e154,
    1e300,
];

/// A number: mostly one that a host gives.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Number {
    Small(u8),
    Whole(u32),
    Tenths(u16),
    Hostile(u8),
    Any(f64),
}

impl Number {
    pub fn get(self) -> f64 {
        match self {
            Self::Small(n) => n.into(),
            Self::Whole(n) => n.into(),
            Self::Tenths(n) => f64::from(n) / 10.0,
            Self::Hostile(n) => HOSTILE[usize::from(n) % HOSTILE.len()],
            Self::Any(x) => x,
        }
    }
}
