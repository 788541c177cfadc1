//! A channel of the engine: a series of numbers, and the scale on which its changes are measured.

/// How the values of a channel are scaled. The number is the floor: the smallest change that matters, above 0, in the unit of the
/// channel.
/// No standard deviation is taken as smaller, so that a channel that never moved does not alarm at its first flicker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// As they are. For shares, temperatures, levels.
    Linear(f64),
    /// As ln(1 + x / floor), where a doubling of a large value counts like any other; negative values count as 0. For rates,
    /// counts and latencies, which have long tails.
    Logarithmic(f64),
}

impl Scale {
    /// A value on the scale, where a change of 1 is the smallest that matters.
    #[inline]
    pub(crate) fn of(self, value: f64) -> f64 {
        match self {
            Self::Linear(floor) => value / floor,
            Self::Logarithmic(floor) => (value.max(0.0) / floor).ln_1p() / std::f64::consts::LN_2,
        }
    }

    /// The value at a place of the scale.
    #[inline]
    pub(crate) fn back(self, scaled: f64) -> f64 {
        match self {
            Self::Linear(floor) => scaled * floor,
            Self::Logarithmic(floor) => (scaled * std::f64::consts::LN_2).exp_m1() * floor,
        }
    }
}

/// A channel: a series of numbers of one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// The name, in snake case.
    pub name: String,
    /// The scale of its changes.
    pub scale: Scale,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_from_its_scale() {
        for scale in [Scale::Linear(0.05), Scale::Logarithmic(20.0)] {
            for value in [0.0, 0.01, 1.0, 300.0, 1e9] {
                let back = scale.back(scale.of(value));
                assert!(
                    (back - value).abs() <= 1e-9 * value,
                    "{scale:?} {value} {back}"
                );
            }
        }
    }

    #[test]
    fn one_floor_above_zero_is_one_on_either_scale() {
        assert!((Scale::Linear(0.05).of(0.05) - 1.0).abs() < 1e-12);
        assert!((Scale::Logarithmic(20.0).of(20.0) - 1.0).abs() < 1e-12);
    }
}
