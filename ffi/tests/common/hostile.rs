//! What breaks arithmetic; the fuzz targets draw from it, too.

/// Numbers at which arithmetic breaks.
pub const HOSTILE: [f64; 18] = [
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
