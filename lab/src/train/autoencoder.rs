//! The gradient of an autoencoder of dense layers, by backpropagation (D. Rumelhart, G. Hinton, R. Williams, "Learning
//! representations by back-propagating errors", Nature 323, 1986).
//!
//! The loss is the mean over all known values of the squared difference between what goes in and what comes out.

use bellwether_core::model::Matrix;

use super::lstm::add_weights;
use super::product::{add_columns, add_product, transposed};

/// Inputs, a row each, with the values that count.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The values; those that do not count are as filled in.
    pub values: Vec<f32>,
    /// 1 for each value that counts, 0 for each other.
    pub known: Vec<f32>,
}

/// Adds to `gradients` those of the mean loss over `inputs`; returns the loss. Both have the parameters in the order of
/// [`bellwether_core::model::Autoencoder::names`].
pub fn gradient(parameters: &[Matrix], inputs: &Inputs, gradients: &mut [Matrix]) -> f64 {
    let layers = parameters.len() / 2;
    let mut passes: Vec<Vec<f32>> = Vec::with_capacity(layers);
    for (layer, parameters) in parameters.chunks_exact(2).enumerate() {
        let below = passes.last().unwrap_or(&inputs.values);
        let [kernel, bias] = parameters else {
            unreachable!("a layer has two parameters");
        };
        let mut outputs = bias.values.repeat(below.len() / kernel.rows);
        add_product(
            &mut outputs,
            below,
            &kernel.values,
            kernel.rows,
            kernel.columns,
        );
        if layer + 1 < layers {
            outputs.iter_mut().for_each(|x| *x = x.max(0.0));
        }
        passes.push(outputs);
    }
    let known: f64 = inputs.known.iter().map(|known| f64::from(*known)).sum();
    if known == 0.0 {
        return 0.0;
    }
    let scale = (2.0 / known) as f32;
    let mut loss = 0.0;
    let mut of_outputs = passes.pop().unwrap_or_default();
    for ((output, input), known) in of_outputs.iter_mut().zip(&inputs.values).zip(&inputs.known) {
        let off = (*output - input) * known;
        loss += f64::from(off) * f64::from(off);
        *output = scale * off;
    }
    for layer in (0..layers).rev() {
        let below = match layer {
            0 => &inputs.values,
            _ => &passes[layer - 1],
        };
        let kernel = &parameters[2 * layer];
        add_weights(&mut gradients[2 * layer], below, &of_outputs);
        add_columns(&mut gradients[2 * layer + 1].values, &of_outputs);
        if layer > 0 {
            let turned = transposed(&kernel.values, kernel.columns);
            let mut of_below = vec![0.0; below.len()];
            add_product(
                &mut of_below,
                &of_outputs,
                &turned,
                kernel.columns,
                kernel.rows,
            );
            for (of_below, below) in of_below.iter_mut().zip(below) {
                *of_below = if *below > 0.0 { *of_below } else { 0.0 };
            }
            of_outputs = of_below;
        }
    }
    loss / known
}

#[cfg(test)]
mod tests {
    use bellwether_core::model::Autoencoder;

    use super::*;
    use crate::train::initial::autoencoder;

    fn zeros(like: &[Matrix]) -> Vec<Matrix> {
        let zeros = |matrix: &Matrix| Matrix::zeros(matrix.rows, matrix.columns);
        like.iter().map(zeros).collect()
    }

    fn inputs() -> Inputs {
        let mut random = fastrand::Rng::with_seed(11);
        Inputs {
            values: (0..4 * 6).map(|_| random.f32()).collect(),
            known: (0..4 * 6)
                .map(|at| if at % 7 == 0 { 0.0 } else { 1.0 })
                .collect(),
        }
    }

    #[test]
    fn each_gradient_is_that_of_finite_differences() {
        let parameters = autoencoder(6, &[5, 3, 5], &mut fastrand::Rng::with_seed(4));
        let mut gradients = zeros(&parameters);
        gradient(&parameters, &inputs(), &mut gradients);
        // Small, so that no unit changes sides.
        let step = 1e-3_f32;
        for matrix in 0..parameters.len() {
            for at in 0..parameters[matrix].values.len() {
                let moved = |by: f32| {
                    let mut parameters = parameters.clone();
                    parameters[matrix].values[at] += by;
                    gradient(&parameters, &inputs(), &mut zeros(&parameters))
                };
                let numeric = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                let ours = f64::from(gradients[matrix].values[at]);
                assert!(
                    (numeric - ours).abs() < 2e-4 + 2e-3 * ours.abs(),
                    "{matrix} {at}: {ours}, not {numeric}"
                );
            }
        }
    }

    #[test]
    fn the_loss_is_that_of_the_forward_pass_of_the_agents() {
        let parameters = autoencoder(6, &[5, 3, 5], &mut fastrand::Rng::with_seed(4));
        let Inputs { values, known } = inputs();
        let network = Autoencoder::new(parameters.clone()).unwrap();
        let outputs = values.chunks(6).flat_map(|input| network.output(input));
        let squares = outputs.zip(&values).zip(&known);
        let sum: f64 = squares
            .map(|((output, input), known)| f64::from((output - input) * known).powi(2))
            .sum();
        let mean = sum / f64::from(known.iter().sum::<f32>());
        let loss = gradient(&parameters, &inputs(), &mut zeros(&parameters));
        assert!((loss - mean).abs() < 1e-9, "{loss}, not {mean}");
    }
}
