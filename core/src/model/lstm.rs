//! The forward pass of an LSTM over log keys (S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9, 1997,
//! with forget gates as in F. Gers et al., 2000; as used for log keys by M. Du et al., "DeepLog", CCS 2017).
//!
//! An embedding of the keys, one or more layers of cells, and a linear layer: a number for each key, the higher, the likelier it
//! comes next. The layouts of the matrices and the order of the gates (input, forget, cell, output) are those of Keras.

use super::container::Matrix;
use super::error::{ModelError, at_most};
use super::kernel::{add_product, lstm_cells};

/// Maximum number of keys, with the one for unknown keys.
pub const KEYS_MAX: usize = 8192;
/// Maximum length of a window of keys.
pub const WINDOW_MAX: usize = 64;
/// Maximum number of layers, and of the units of one.
const LAYERS_MAX: usize = 4;
const UNITS_MAX: usize = 512;
/// Maximum number of multiplications for a record: about a millisecond.
const PRODUCTS_MAX: usize = 4 << 20;

/// An LSTM over log keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Lstm {
    parameters: Vec<Matrix>,
    /// What each key adds to the gates of the first layer: its embedding times the layer's kernel, plus the bias.
    table: Matrix,
}

/// Buffers of a forward pass.
#[derive(Debug, Clone, Default)]
pub struct LstmScratch {
    z: Vec<f32>,
    /// State and output of the cells, layer by layer.
    cells: Vec<Vec<f32>>,
    outputs: Vec<Vec<f32>>,
    logits: Vec<f32>,
}

impl Lstm {
    /// The names of the parameters of a network with this number of layers, in their order: the embedding (a row for each key),
    /// then for each layer the kernel (a row for each input), the recurrent kernel (a row for each unit) and the bias, then kernel
    /// and bias of the output. Kernels of layers have four columns for each unit.
    pub fn names(layers: usize) -> Vec<String> {
        let of_layer =
            |layer| ["kernel", "recurrent", "bias"].map(|part| format!("lstm.{layer}.{part}"));
        let mut names = vec!["embedding".to_owned()];
        names.extend((0..layers).flat_map(of_layer));
        names.extend(["output.kernel".to_owned(), "output.bias".to_owned()]);
        names
    }

    /// A network with these parameters, in the order of [`Lstm::names`].
    ///
    /// # Errors
    /// Shapes that do not fit each other, numbers that are not finite, or a network that is too large.
    pub fn new(parameters: Vec<Matrix>) -> Result<Self, ModelError> {
        let layers = parameters.len().saturating_sub(3) / 3;
        if layers == 0 || parameters.len() != 3 + 3 * layers {
            let problem =
                "and the others are no whole network of an embedding, layers and an output";
            return Err(ModelError::tensor("embedding", problem));
        }
        at_most("layers", layers, LAYERS_MAX)?;
        let names = Self::names(layers);
        let keys = parameters[0].rows;
        at_most("templates", keys, KEYS_MAX)?;
        let mut inputs = parameters[0].columns;
        at_most("numbers of an embedding", inputs, UNITS_MAX)?;
        parameters[0].check(&names[0], keys, inputs)?;
        for layer in 0..layers {
            let at = 1 + 3 * layer;
            let units = parameters[at + 1].rows;
            at_most("units of a layer", units, UNITS_MAX)?;
            parameters[at].check(&names[at], inputs, 4 * units)?;
            parameters[at + 1].check(&names[at + 1], units, 4 * units)?;
            parameters[at + 2].check(&names[at + 2], 1, 4 * units)?;
            inputs = units;
        }
        let at = parameters.len() - 2;
        parameters[at].check(&names[at], inputs, keys)?;
        parameters[at + 1].check(&names[at + 1], 1, keys)?;
        if keys < 2 || parameters.iter().any(|matrix| matrix.values.is_empty()) {
            return Err(ModelError::tensor(&names[0], "and the others are empty"));
        }
        let (embedding, kernel, bias) = (&parameters[0], &parameters[1], &parameters[3]);
        let mut table = Matrix::zeros(keys, kernel.columns);
        for (key, row) in table.values.chunks_exact_mut(kernel.columns).enumerate() {
            row.copy_from_slice(&bias.values);
            add_product(row, embedding.row(key), &kernel.values);
        }
        Ok(Self { parameters, table })
    }

    /// Refuses windows that would cost too much.
    pub(crate) fn check_cost(&self, window: usize) -> Result<(), ModelError> {
        at_most("keys of a window", window, WINDOW_MAX)?;
        let recurrent = self
            .layers()
            .map(|[_, recurrent, _]| recurrent.values.len());
        let kernels = self
            .layers()
            .skip(1)
            .map(|[kernel, ..]| kernel.values.len());
        let step: usize = recurrent.chain(kernels).sum();
        let products = window * step + self.output()[0].values.len();
        at_most("multiplications for a record", products, PRODUCTS_MAX)
    }

    /// The parameters, in the order of [`Lstm::names`].
    pub fn parameters(&self) -> &[Matrix] {
        &self.parameters
    }

    /// Number of keys, with the one for unknown keys.
    pub fn keys(&self) -> usize {
        self.parameters[0].rows
    }

    /// Kernel, recurrent kernel and bias of each layer.
    fn layers(&self) -> impl Iterator<Item = &[Matrix; 3]> {
        let of_layers = &self.parameters[1..self.parameters.len() - 2];
        of_layers.as_chunks::<3>().0.iter()
    }

    /// Kernel and bias of the output.
    fn output(&self) -> &[Matrix] {
        &self.parameters[self.parameters.len() - 2..]
    }

    /// A number for each key after the keys of `window`, oldest first: the higher, the likelier it comes next. A key beyond the
    /// network's counts as unknown.
    pub fn logits<'s>(
        &self,
        window: impl Iterator<Item = u32>,
        scratch: &'s mut LstmScratch,
    ) -> &'s [f32] {
        let layers = self.parameters.len() / 3 - 1;
        let (cells, outputs) = (&mut scratch.cells, &mut scratch.outputs);
        cells.resize(layers, Vec::new());
        outputs.resize(layers, Vec::new());
        for ((cells, outputs), [_, recurrent, _]) in
            cells.iter_mut().zip(&mut *outputs).zip(self.layers())
        {
            for state in [cells, outputs] {
                state.clear();
                state.resize(recurrent.rows, 0.0);
            }
        }
        for key in window {
            let key = if (key as usize) < self.keys() { key } else { 0 };
            for (at, [kernel, recurrent, bias]) in self.layers().enumerate() {
                let z = &mut scratch.z;
                z.clear();
                let (below, own) = outputs.split_at_mut(at);
                match below.last() {
                    None => z.extend_from_slice(self.table.row(key as usize)),
                    Some(below) => {
                        z.extend_from_slice(&bias.values);
                        add_product(z, below, &kernel.values);
                    }
                }
                add_product(z, &own[0], &recurrent.values);
                lstm_cells(z, &mut cells[at], &mut own[0]);
            }
        }
        let [kernel, bias] = self.output() else {
            unreachable!("a network has an output");
        };
        scratch.logits.clear();
        scratch.logits.extend_from_slice(&bias.values);
        let last = outputs.last().map_or(&[][..], |last| last);
        add_product(&mut scratch.logits, last, &kernel.values);
        &scratch.logits
    }

    /// Memory outside of itself in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let all = self.parameters.iter().chain([&self.table]);
        all.map(|matrix| crate::memory::vec(&matrix.values)).sum()
    }
}

/// The rank of a key among all by the numbers of [`Lstm::logits`]: 1 is the likeliest. Unknown keys, which are never learned, do
/// not count.
pub fn rank(logits: &[f32], key: u32) -> u32 {
    let own = logits[key as usize];
    let above = logits[1..].iter().filter(|other| **other > own).count();
    1 + above as u32
}

#[cfg(test)]
pub(crate) mod circle {
    //! A network that is made by hand.

    use super::super::container::Matrix;
    use crate::model::lstm::Lstm;

    /// A network of two layers that ranks the key after the last one first, in a circle of `keys`, by hand: the embedding is one
    /// of `keys` directions, both layers pass it on, and the output shifts it by one.
    pub fn circle(keys: usize) -> Lstm {
        let identity = |rows: usize, scale: f32, to: &dyn Fn(usize) -> usize, columns: usize| {
            let mut matrix = Matrix::zeros(rows, columns);
            for row in 0..rows {
                matrix.values[row * columns + to(row)] = scale;
            }
            matrix
        };
        let layer = |_| {
            // The cell's own gate follows its input; it forgets all else.
            let kernel = identity(keys, 6.0, &|row| 2 * keys + row, 4 * keys);
            let mut bias = Matrix::zeros(1, 4 * keys);
            bias.values[..keys].fill(6.0);
            bias.values[keys..2 * keys].fill(-6.0);
            bias.values[3 * keys..].fill(6.0);
            [kernel, Matrix::zeros(keys, 4 * keys), bias]
        };
        let mut parameters = vec![identity(keys, 1.0, &|row| row, keys)];
        parameters.extend((0..2).flat_map(layer));
        // From the last known key on to the first; 0 is unknown.
        let next = |row: usize| if row + 1 < keys { row + 1 } else { 1 };
        parameters.push(identity(keys, 1.0, &next, keys));
        parameters.push(Matrix::zeros(1, keys));
        Lstm::new(parameters).unwrap()
    }
}
