//! The optimizer Adam (D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1 with the efficient order of
//! operations of its section 2), after the gradient is cut to a largest norm.

use bellwether_core::model::Matrix;

/// The decay of both moments, and what keeps divisions from zero.
const DECAY: [f64; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-7;
/// The largest norm of a gradient over all parameters (R. Pascanu et al., "On the difficulty of training recurrent neural
/// networks", ICML 2013).
const NORM_MAX: f64 = 5.0;

/// The moments of the gradient of all parameters, in the order of the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// The mean.
    pub first: Vec<Matrix>,
    /// The mean square.
    pub second: Vec<Matrix>,
    /// Number of steps so far.
    pub steps: u64,
}

impl Moments {
    /// The moments before the first step.
    pub fn of(parameters: &[Matrix]) -> Self {
        let zeros = || zeros_like(parameters);
        Self {
            first: zeros(),
            second: zeros(),
            steps: 0,
        }
    }

    /// Moves the parameters by a step against `gradients`; the first `fixed` of them stay as they are.
    pub fn step(
        &mut self,
        parameters: &mut [Matrix],
        gradients: &mut [Matrix],
        rate: f64,
        fixed: usize,
    ) {
        self.steps += 1;
        cut(&mut gradients[fixed..]);
        let [one, other] = DECAY.map(|decay| 1.0 - libm::pow(decay, self.steps as f64));
        let rate = (rate * libm::sqrt(other) / one) as f32;
        let [keep_first, keep_second] = DECAY.map(|decay| decay as f32);
        let moments = self.first.iter_mut().zip(&mut self.second);
        let all = parameters.iter_mut().zip(gradients).zip(moments);
        for ((parameters, gradients), (first, second)) in all.skip(fixed) {
            let values = parameters.values.iter_mut().zip(&gradients.values);
            let moments = first.values.iter_mut().zip(&mut second.values);
            for ((value, gradient), (first, second)) in values.zip(moments) {
                *first = keep_first * *first + (1.0 - keep_first) * gradient;
                *second = keep_second * *second + (1.0 - keep_second) * gradient * gradient;
                *value -= rate * *first / (second.sqrt() + EPSILON);
            }
        }
    }
}

/// Zeros in the shapes of these matrices.
pub fn zeros_like(matrices: &[Matrix]) -> Vec<Matrix> {
    let zeros = |matrix: &Matrix| Matrix::zeros(matrix.rows, matrix.columns);
    matrices.iter().map(zeros).collect()
}

/// Scales gradients down to the largest norm.
fn cut(gradients: &mut [Matrix]) {
    let values = gradients.iter().flat_map(|matrix| &matrix.values);
    let squares: f64 = values.map(|x| f64::from(*x) * f64::from(*x)).sum();
    let norm = libm::sqrt(squares);
    if norm > NORM_MAX {
        let scale = (NORM_MAX / norm) as f32;
        for matrix in gradients {
            matrix.values.iter_mut().for_each(|x| *x *= scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f32]) -> Matrix {
        Matrix {
            rows: 1,
            columns: values.len(),
            values: values.to_vec(),
        }
    }

    #[test]
    fn steps_are_those_of_the_published_algorithm() {
        let mut parameters = vec![row(&[7.0]), row(&[1.0, -1.0])];
        let mut moments = Moments::of(&parameters);
        let (mut m, mut v, mut x) = (0.0_f64, 0.0_f64, 1.0_f64);
        for step in 1..=5 {
            let gradient = 0.3 * f64::from(step) - 1.0;
            let mut gradients = vec![row(&[9.0]), row(&[gradient as f32, 0.0])];
            moments.step(&mut parameters, &mut gradients, 0.01, 1);
            m = 0.9 * m + 0.1 * gradient;
            v = 0.999 * v + 0.001 * gradient * gradient;
            let corrected = (
                m / (1.0 - 0.9_f64.powi(step)),
                v / (1.0 - 0.999_f64.powi(step)),
            );
            x -= 0.01 * corrected.0 / (corrected.1.sqrt() + 1e-8);
        }
        assert!((f64::from(parameters[1].values[0]) - x).abs() < 1e-5, "{x}");
        assert_eq!(
            (parameters[0].values[0], parameters[1].values[1]),
            (7.0, -1.0)
        );
    }

    #[test]
    fn a_gradient_is_cut_to_the_largest_norm() {
        let mut gradients = vec![row(&[30.0]), row(&[40.0])];
        cut(&mut gradients);
        assert_eq!((gradients[0].values[0], gradients[1].values[0]), (3.0, 4.0));
        cut(&mut gradients);
        assert_eq!(gradients[0].values[0], 3.0);
    }
}
