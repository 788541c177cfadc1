//! The parameters that a training begins with: uniform within the bounds of X. Glorot and Y. Bengio ("Understanding the difficulty of
//! training deep feedforward neural networks", AISTATS 2010), biases 0.

use bellwether_core::model::Matrix;

fn uniform(rows: usize, columns: usize, bound: f32, random: &mut fastrand::Rng) -> Matrix {
    let mut matrix = Matrix::zeros(rows, columns);
    let values = matrix.values.iter_mut();
    values.for_each(|value| *value = (2.0 * random.f32() - 1.0) * bound);
    matrix
}

fn kernel(inputs: usize, outputs: usize, random: &mut fastrand::Rng) -> Matrix {
    let bound = (6.0 / (inputs + outputs) as f32).sqrt();
    uniform(inputs, outputs, bound, random)
}

/// An LSTM over `keys` keys with `layers` layers of `units`. Its forget gates begin open (bias 1; R. Jozefowicz et al., "An
/// empirical exploration of recurrent network architectures", ICML 2015).
pub fn lstm(
    keys: usize,
    embedding: usize,
    units: usize,
    layers: usize,
    random: &mut fastrand::Rng,
) -> Vec<Matrix> {
    let mut parameters = vec![uniform(keys, embedding, 0.25, random)];
    let mut inputs = embedding;
    for _ in 0..layers {
        let mut bias = Matrix::zeros(1, 4 * units);
        bias.values[units..2 * units].fill(1.0);
        parameters.push(kernel(inputs, 4 * units, random));
        parameters.push(kernel(units, 4 * units, random));
        parameters.push(bias);
        inputs = units;
    }
    parameters.push(kernel(inputs, keys, random));
    parameters.push(Matrix::zeros(1, keys));
    parameters
}

/// An embedding of the keys that is not trained: their numbers, from 0 to 1, as FailSafeVM gives them to its network.
pub fn key_numbers(keys: usize) -> Matrix {
    let mut matrix = Matrix::zeros(keys, 1);
    for (key, value) in matrix.values.iter_mut().enumerate() {
        *value = key as f32 / keys as f32;
    }
    matrix
}

/// An autoencoder of `inputs` with hidden layers of these sizes.
pub fn autoencoder(inputs: usize, hidden: &[usize], random: &mut fastrand::Rng) -> Vec<Matrix> {
    let mut parameters = Vec::new();
    let mut width = inputs;
    for &units in hidden.iter().chain([&inputs]) {
        parameters.push(kernel(width, units, random));
        parameters.push(Matrix::zeros(1, units));
        width = units;
    }
    parameters
}
