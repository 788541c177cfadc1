//! Types for points in time, intervals and shares, so that they cannot be confused.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in time, in seconds since the Unix epoch of the data.
///
/// Any number is allowed, including implausible ones ([`Time::is_plausible`]), which detectors refuse and count.
///
/// ```
/// use bellwether_core::units::Time;
///
/// let (earlier, later) = (Time::from_secs(1_700_000_000.0), Time::from_secs(1_700_000_010.5));
/// assert!(earlier < later);
/// assert_eq!(later.seconds_since(earlier), 10.5);
/// assert!(!Time::from_secs(f64::NAN).is_plausible());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(f64);

impl Time {
    /// Times farther than this from the epoch are not plausible, in seconds (about three thousand years).
    pub const MAX_SECS: f64 = 1e11;

    /// The time `secs` seconds after the epoch.
    #[inline]
    pub const fn from_secs(secs: f64) -> Self {
        Self(secs)
    }

    /// Seconds since the epoch.
    #[inline]
    pub const fn secs(self) -> f64 {
        self.0
    }

    /// Whether it is a number within [`Time::MAX_SECS`] of the epoch.
    #[inline]
    pub const fn is_plausible(self) -> bool {
        self.0.abs() <= Self::MAX_SECS
    }

    /// Seconds from `earlier` to this time; negative if this time is earlier.
    #[inline]
    pub const fn seconds_since(self, earlier: Self) -> f64 {
        self.0 - earlier.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The time between two samples, in seconds.
///
/// ```
/// use bellwether_core::units::Interval;
///
/// assert_eq!(Interval::from_secs(10.0).secs(), 10.0);
/// assert!(Interval::from_secs(10.0).is_plausible());
/// assert!(!Interval::from_secs(-1.0).is_plausible());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Interval(f64);

impl Interval {
    /// The shortest plausible interval, in seconds.
    pub const MIN_SECS: f64 = 0.001;
    /// The longest plausible interval, in seconds: a day.
    pub const MAX_SECS: f64 = 86_400.0;

    /// An interval of `secs` seconds.
    #[inline]
    pub const fn from_secs(secs: f64) -> Self {
        Self(secs)
    }

    /// The interval in seconds.
    #[inline]
    pub const fn secs(self) -> f64 {
        self.0
    }

    /// Whether it is within [`Interval::MIN_SECS`] and [`Interval::MAX_SECS`].
    #[inline]
    pub const fn is_plausible(self) -> bool {
        Self::MIN_SECS <= self.0 && self.0 <= Self::MAX_SECS
    }
}

/// A share of a whole or a score: a number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize)]
#[serde(transparent)]
pub struct Share(f64);

impl Share {
    /// Nothing of the whole.
    pub const ZERO: Self = Self(0.0);
    /// All of the whole.
    pub const ONE: Self = Self(1.0);

    /// `x` limited to the range from 0 to 1; NaN becomes 0.
    #[inline]
    pub const fn new(x: f64) -> Self {
        if x.is_nan() {
            Self::ZERO
        } else {
            Self(x.clamp(0.0, 1.0))
        }
    }

    /// The same, rounded to four decimals, as events and statuses show it.
    #[inline]
    pub fn rounded(x: f64) -> Self {
        Self((Self::new(x).0 * 1e4).round() / 1e4)
    }

    /// The number, from 0 to 1.
    #[inline]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
