//! The arithmetic of the networks: single precision, in a fixed order of operations, without functions of the platform, so that
//! every machine comes to the same bits.

/// 1.5 times 2 to the power of 23: a number plus this is rounded to a whole number, which its lowest bits then hold.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts, of which the first has few bits, so that its products are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Coefficients of (e^x - 1 - x) / x² for |x| up to ln 2 / 2, from the highest power down.
const COEFFICIENTS: [f32; 6] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    5e-1,
];

/// e to the power of `x`, to a relative error of 2e-7; of numbers beyond -87 and 88 as of these (S. L. Moshier, Cephes
/// Mathematical Library, `expf`).
#[inline]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    let mut sum = COEFFICIENTS[0];
    for coefficient in &COEFFICIENTS[1..] {
        sum = sum * rest + coefficient;
    }
    let power = sum * rest * rest + rest + 1.0;
    // 2 to that power: its exponent is the whole number plus 127.
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    power * scale
}

/// The logistic function.
#[inline]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent, to an absolute error of 3e-7.
#[inline]
pub fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// Adds to `out` the product of the row `x` with the matrix `w`, which has a row of the length of `out` for each number of `x`:
/// product by product, in the order of `x`.
pub fn add_product(out: &mut [f32], x: &[f32], w: &[f32]) {
    let n = out.len();
    let (fours, rest) = x.as_chunks::<4>();
    let (blocks, last) = w.split_at(4 * n * fours.len());
    for (x, w) in fours.iter().zip(blocks.chunks_exact(4 * n)) {
        let (w0, w) = w.split_at(n);
        let (w1, w) = w.split_at(n);
        let (w2, w3) = w.split_at(n);
        for ((((out, w0), w1), w2), w3) in out.iter_mut().zip(w0).zip(w1).zip(w2).zip(w3) {
            *out = (((*out + x[0] * w0) + x[1] * w1) + x[2] * w2) + x[3] * w3;
        }
    }
    for (x, w) in rest.iter().zip(last.chunks_exact(n)) {
        for (out, w) in out.iter_mut().zip(w) {
            *out += x * w;
        }
    }
}

/// One step of the cells of an LSTM layer: turns the sums `z` of their four gates (input, forget, cell, output) into the gates, and
/// updates the state of the cells and the output `h`, each a quarter as long as `z`.
pub fn lstm_cells(z: &mut [f32], cells: &mut [f32], h: &mut [f32]) {
    let units = h.len();
    let (input, z) = z.split_at_mut(units);
    let (forget, z) = z.split_at_mut(units);
    let (cell, output) = z.split_at_mut(units);
    for gate in [&mut *input, &mut *forget, &mut *output] {
        gate.iter_mut().for_each(|x| *x = sigmoid(*x));
    }
    cell.iter_mut().for_each(|x| *x = tanh(*x));
    for at in 0..units {
        cells[at] = forget[at] * cells[at] + input[at] * cell[at];
        h[at] = output[at] * tanh(cells[at]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_that_of_the_mathematical_library_and_never_infinite() {
        let mut worst = 0.0_f64;
        for step in -8_600..=8_700 {
            let x = step as f32 / 100.0;
            let exact = libm::exp(f64::from(x));
            worst = worst.max((f64::from(exp(x)) - exact).abs() / exact);
        }
        assert!(worst < 2e-7, "{worst}");
        assert!(exp(f32::INFINITY).is_finite() && exp(f32::NEG_INFINITY) > 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn both_curves_are_those_of_the_mathematical_library() {
        for step in -2_000..=2_000 {
            let x = step as f32 / 100.0;
            let exact = libm::tanh(f64::from(x));
            assert!((f64::from(tanh(x)) - exact).abs() < 3e-7, "{x}");
            let exact = 1.0 / (1.0 + libm::exp(f64::from(-x)));
            assert!((f64::from(sigmoid(x)) - exact).abs() < 3e-7, "{x}");
        }
    }

    #[test]
    fn a_product_adds_row_by_row_whatever_the_length() {
        for length in 0..11_usize {
            let x: Vec<f32> = (0..length).map(|i| i as f32 - 3.5).collect();
            let w: Vec<f32> = (0..length * 3).map(|i| (i * 7 % 5) as f32 * 0.3).collect();
            let (mut out, mut plain) = ([1.0, 2.0, 3.0_f32], [1.0, 2.0, 3.0_f32]);
            add_product(&mut out, &x, &w);
            for (x, w) in x.iter().zip(w.chunks(3)) {
                for (out, w) in plain.iter_mut().zip(w) {
                    *out += x * w;
                }
            }
            assert_eq!(out, plain, "{length}");
        }
    }
}
