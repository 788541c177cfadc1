//! Numbers.

use arbitrary::Arbitrary;

#[path = "../../ffi/tests/common/hostile.rs"]
mod hostile;

use hostile::HOSTILE;

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
