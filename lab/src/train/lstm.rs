//! The gradient of an LSTM over log keys, by backpropagation through the steps of a window (P. Werbos, "Backpropagation through
//! time", Proceedings of the IEEE 78, 1990).
//!
//! The loss is the mean over all places of a window of the negative logarithm of the probability of the key that follows, by the
//! softmax of the network's output. DeepLog counts the last place only: counting all of them learns from a record in a tenth of the
//! work, and the network predicts as well after fewer keys than a window has.

use bellwether_core::model::Matrix;
use bellwether_core::model::kernel::{exp, lstm_cells, tanh};

use super::product::{add_columns, add_product, transposed};

/// Windows of one length, with the key that follows at each place.
#[derive(Debug, Clone, Default)]
pub struct Windows {
    /// The keys, place by place: the first of all windows, then the second of all.
    pub inputs: Vec<u32>,
    /// The keys that follow, likewise.
    pub targets: Vec<u32>,
    /// Number of windows.
    pub count: usize,
}

/// What a layer made of its inputs, place by place.
struct Pass {
    /// Input, forget, cell and output gates.
    gates: Vec<f32>,
    cells: Vec<f32>,
    outputs: Vec<f32>,
}

/// Adds to `gradients` those of the mean loss over `windows`; returns the loss. Both have the parameters in the order of
/// [`bellwether_core::model::Lstm::names`].
pub fn gradient(parameters: &[Matrix], windows: &Windows, gradients: &mut [Matrix]) -> f64 {
    let count = windows.count;
    let layers = parameters.len() / 3 - 1;
    let (embedding, of_layers) = (&parameters[0], &parameters[1..=3 * layers]);
    let [output, output_bias] = &parameters[3 * layers + 1..] else {
        unreachable!("a network has an output");
    };
    let mut inputs = Vec::with_capacity(windows.inputs.len() * embedding.columns);
    for key in &windows.inputs {
        inputs.extend_from_slice(embedding.row(*key as usize));
    }
    let mut passes: Vec<Pass> = Vec::with_capacity(layers);
    for layer in of_layers.chunks_exact(3) {
        let inputs = passes.last().map_or(&inputs, |below| &below.outputs);
        passes.push(forward(inputs, count, layer));
    }
    let last = &passes[layers - 1].outputs;
    let mut logits = output_bias.values.repeat(windows.targets.len());
    add_product(
        &mut logits,
        last,
        &output.values,
        output.rows,
        output.columns,
    );
    let loss = softmax(&mut logits, &windows.targets, output.columns);

    let of_logits = logits;
    let at = gradients.len() - 2;
    add_weights(&mut gradients[at], last, &of_logits);
    add_columns(&mut gradients[at + 1].values, &of_logits);
    let mut of_outputs = vec![0.0; last.len()];
    let turned = transposed(&output.values, output.columns);
    add_product(
        &mut of_outputs,
        &of_logits,
        &turned,
        output.columns,
        output.rows,
    );
    for layer in (0..layers).rev() {
        let inputs = match layer {
            0 => &inputs,
            _ => &passes[layer - 1].outputs,
        };
        let parameters = &of_layers[3 * layer..][..3];
        let gradients = &mut gradients[1 + 3 * layer..][..3];
        of_outputs = backward(
            inputs,
            count,
            &passes[layer],
            &of_outputs,
            parameters,
            gradients,
        );
    }
    let width = embedding.columns;
    for (key, row) in windows.inputs.iter().zip(of_outputs.chunks_exact(width)) {
        add_columns(
            &mut gradients[0].values[*key as usize * width..][..width],
            row,
        );
    }
    loss
}

/// The forward pass of a layer over `count` windows.
fn forward(inputs: &[f32], count: usize, layer: &[Matrix]) -> Pass {
    let [kernel, recurrent, bias] = layer else {
        unreachable!("a layer has three parameters");
    };
    let (units, wide) = (recurrent.rows, recurrent.columns);
    let places = inputs.len() / kernel.rows;
    let mut gates = bias.values.repeat(places);
    add_product(&mut gates, inputs, &kernel.values, kernel.rows, wide);
    let mut cells = vec![0.0; places * units];
    let mut outputs = vec![0.0; places * units];
    let step = count * units;
    for from in (0..outputs.len()).step_by(step) {
        let gates = &mut gates[4 * from..][..4 * step];
        if from > 0 {
            let before = &outputs[from - step..from];
            add_product(gates, before, &recurrent.values, units, wide);
            cells.copy_within(from - step..from, from);
        }
        let cells = cells[from..from + step].chunks_exact_mut(units);
        let outputs = outputs[from..from + step].chunks_exact_mut(units);
        for ((gates, cells), outputs) in gates.chunks_exact_mut(wide).zip(cells).zip(outputs) {
            lstm_cells(gates, cells, outputs);
        }
    }
    Pass {
        gates,
        cells,
        outputs,
    }
}

/// Turns the logits of all places into the gradient of the mean loss by them; returns the loss.
fn softmax(logits: &mut [f32], targets: &[u32], keys: usize) -> f64 {
    let share = 1.0 / targets.len() as f32;
    let mut loss = 0.0;
    for (logits, target) in logits.chunks_exact_mut(keys).zip(targets) {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let of_target = logits[*target as usize] - most;
        let mut sum = 0.0;
        for logit in &mut *logits {
            *logit = exp(*logit - most);
            sum += *logit;
        }
        loss += libm::log(f64::from(sum)) - f64::from(of_target);
        let scale = share / sum;
        logits.iter_mut().for_each(|logit| *logit *= scale);
        logits[*target as usize] -= share;
    }
    loss / targets.len() as f64
}

/// The backward pass of a layer: from the gradient by its outputs to that by its inputs, which is returned, and by its parameters,
/// which is added to `gradients`.
fn backward(
    inputs: &[f32],
    count: usize,
    pass: &Pass,
    of_outputs: &[f32],
    layer: &[Matrix],
    gradients: &mut [Matrix],
) -> Vec<f32> {
    let [kernel, recurrent, _] = layer else {
        unreachable!("a layer has three parameters");
    };
    let (units, wide) = (recurrent.rows, recurrent.columns);
    let step = count * units;
    let turned = transposed(&recurrent.values, wide);
    let mut of_gates = vec![0.0; pass.gates.len()];
    let mut of_cells = vec![0.0; step];
    // From the place after, by way of the recurrent kernel.
    let mut of_later = vec![0.0; step];
    for from in (0..of_outputs.len()).step_by(step).rev() {
        for at in 0..step {
            let (window, unit) = (at / units, at % units);
            let gate = |gate: usize| 4 * from + window * wide + gate * units + unit;
            let [input, forget, cell, output] = [0, 1, 2, 3].map(|i| pass.gates[gate(i)]);
            let before = match from {
                0 => 0.0,
                _ => pass.cells[from - step + at],
            };
            let state = tanh(pass.cells[from + at]);
            let of_output = of_later[at] + of_outputs[from + at];
            let of_cell = of_cells[at] + of_output * output * (1.0 - state * state);
            of_gates[gate(0)] = of_cell * cell * input * (1.0 - input);
            of_gates[gate(1)] = of_cell * before * forget * (1.0 - forget);
            of_gates[gate(2)] = of_cell * input * (1.0 - cell * cell);
            of_gates[gate(3)] = of_output * state * output * (1.0 - output);
            of_cells[at] = of_cell * forget;
        }
        of_later.fill(0.0);
        if from > 0 {
            let of_gates = &of_gates[4 * from..][..4 * step];
            add_product(&mut of_later, of_gates, &turned, wide, units);
        }
    }
    add_weights(&mut gradients[0], inputs, &of_gates);
    let earlier = &pass.outputs[..pass.outputs.len() - step];
    if !earlier.is_empty() {
        add_weights(&mut gradients[1], earlier, &of_gates[4 * step..]);
    }
    add_columns(&mut gradients[2].values, &of_gates);
    let turned = transposed(&kernel.values, wide);
    let mut of_inputs = vec![0.0; inputs.len()];
    add_product(&mut of_inputs, &of_gates, &turned, wide, kernel.rows);
    of_inputs
}

/// Adds the gradient of a matrix, by its inputs and the gradient of its outputs, a row each for every place.
pub fn add_weights(gradient: &mut Matrix, inputs: &[f32], of_outputs: &[f32]) {
    let turned = transposed(inputs, gradient.rows);
    let places = inputs.len() / gradient.rows;
    add_product(
        &mut gradient.values,
        &turned,
        of_outputs,
        places,
        gradient.columns,
    );
}

#[cfg(test)]
mod tests {
    use bellwether_core::model::{Lstm, LstmScratch};

    use super::*;
    use crate::train::initial::lstm;

    fn windows() -> Windows {
        Windows {
            inputs: vec![1, 4, 2, 2, 3, 0, 4, 1],
            targets: vec![2, 2, 3, 1, 4, 4, 1, 3],
            count: 2,
        }
    }

    fn loss(parameters: &[Matrix]) -> f64 {
        let mut gradients: Vec<Matrix> = zeros(parameters);
        gradient(parameters, &windows(), &mut gradients)
    }

    fn zeros(like: &[Matrix]) -> Vec<Matrix> {
        like.iter()
            .map(|matrix| Matrix::zeros(matrix.rows, matrix.columns))
            .collect()
    }

    #[test]
    fn each_gradient_is_that_of_finite_differences() {
        let mut parameters = lstm(5, 3, 4, 2, &mut fastrand::Rng::with_seed(3));
        // Larger than at the beginning of a training, so that no part of the gradient is near 0.
        for matrix in &mut parameters {
            matrix.values.iter_mut().for_each(|x| *x *= 1.5);
        }
        let mut gradients = zeros(&parameters);
        gradient(&parameters, &windows(), &mut gradients);
        let step = 4e-3_f32;
        for matrix in 0..parameters.len() {
            for at in 0..parameters[matrix].values.len() {
                let moved = |by: f32| {
                    let mut parameters = parameters.clone();
                    parameters[matrix].values[at] += by;
                    loss(&parameters)
                };
                let numeric = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                let ours = f64::from(gradients[matrix].values[at]);
                assert!(
                    (numeric - ours).abs() < 1e-4 + 2e-3 * ours.abs(),
                    "{matrix} {at}: {ours}, not {numeric}"
                );
            }
        }
    }

    #[test]
    fn the_loss_is_that_of_the_forward_pass_of_the_agents() {
        let parameters = lstm(5, 3, 4, 2, &mut fastrand::Rng::with_seed(9));
        let network = Lstm::new(parameters.clone()).unwrap();
        let Windows {
            inputs,
            targets,
            count,
        } = windows();
        let (mut sum, mut scratch) = (0.0, LstmScratch::default());
        for window in 0..count {
            let keys = |until: usize| {
                let places = inputs.iter().skip(window).step_by(count);
                places.copied().take(until)
            };
            for place in 0..inputs.len() / count {
                let logits = network.logits(keys(place + 1), &mut scratch);
                let all: f64 = logits.iter().map(|x| f64::from(*x).exp()).sum();
                let target = targets[place * count + window] as usize;
                sum += all.ln() - f64::from(logits[target]);
            }
        }
        let mean = sum / targets.len() as f64;
        assert!((loss(&parameters) - mean).abs() < 1e-6, "{mean}");
    }
}
