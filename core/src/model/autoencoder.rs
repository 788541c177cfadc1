//! The forward pass of an autoencoder: dense layers with the rectifier max(0, x) between them and a linear output, trained to
//! return its input. What it cannot return is unusual (as FailSafeVM uses it; G. Hinton, R. Salakhutdinov, "Reducing the
//! dimensionality of data with neural networks", Science 313, 2006).

use super::container::Matrix;
use super::error::{ModelError, at_most};
use super::kernel::add_product;

/// Maximum number of layers, and of the outputs of one.
const LAYERS_MAX: usize = 16;
const UNITS_MAX: usize = 16_384;
/// Maximum number of multiplications for a row: about a millisecond.
const PRODUCTS_MAX: usize = 4 << 20;

/// An autoencoder of dense layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Autoencoder {
    parameters: Vec<Matrix>,
}

/// Buffers of a forward pass.
#[derive(Debug, Clone, Default)]
pub struct AutoencoderScratch {
    pub(super) input: Vec<f32>,
    above: Vec<f32>,
    below: Vec<f32>,
}

impl Autoencoder {
    /// The names of the parameters of a network with this number of layers, in their order: kernel (a row for each input) and bias
    /// of each layer.
    pub fn names(layers: usize) -> Vec<String> {
        let of_layer = |layer| ["kernel", "bias"].map(|part| format!("dense.{layer}.{part}"));
        (0..layers).flat_map(of_layer).collect()
    }

    /// A network with these parameters, in the order of [`Autoencoder::names`].
    ///
    /// # Errors
    /// Shapes that do not fit each other, another number of outputs than of inputs, numbers that are not finite, or a network that
    /// is too large.
    pub fn new(parameters: Vec<Matrix>) -> Result<Self, ModelError> {
        let layers = parameters.len() / 2;
        at_most("layers", layers, LAYERS_MAX)?;
        let names = Self::names(layers.max(1));
        if layers == 0 || parameters.len() % 2 == 1 {
            return Err(ModelError::tensor(
                &names[0],
                "and the others are no whole network of kernels and biases",
            ));
        }
        let inputs = parameters[0].rows;
        let (mut width, mut products) = (inputs, 0);
        at_most("inputs", inputs, UNITS_MAX)?;
        for (layer, names) in parameters.chunks_exact(2).zip(names.chunks_exact(2)) {
            let units = layer[0].columns;
            at_most("units of a layer", units, UNITS_MAX)?;
            layer[0].check(&names[0], width, units)?;
            layer[1].check(&names[1], 1, units)?;
            products += width * units;
            width = units;
        }
        at_most("multiplications for a row", products, PRODUCTS_MAX)?;
        if width != inputs || inputs == 0 || products == 0 {
            let problem =
                format!("has {width} columns; the {inputs} inputs require as many outputs");
            return Err(ModelError::tensor(&names[names.len() - 2], problem));
        }
        Ok(Self { parameters })
    }

    /// The parameters, in the order of [`Autoencoder::names`].
    pub fn parameters(&self) -> &[Matrix] {
        &self.parameters
    }

    /// Number of inputs, and of outputs.
    pub fn inputs(&self) -> usize {
        self.parameters[0].rows
    }

    /// What the network makes of the input in `scratch`, which is as long as [`Autoencoder::inputs`].
    pub(super) fn reconstruct<'s>(
        &self,
        scratch: &'s mut AutoencoderScratch,
    ) -> (&'s [f32], &'s [f32]) {
        let AutoencoderScratch {
            input,
            above,
            below,
        } = scratch;
        below.clear();
        below.extend_from_slice(input);
        for (at, layer) in self.parameters.chunks_exact(2).enumerate() {
            above.clear();
            above.extend_from_slice(&layer[1].values);
            add_product(above, below, &layer[0].values);
            if 2 * at + 2 < self.parameters.len() {
                above.iter_mut().for_each(|x| *x = x.max(0.0));
            }
            std::mem::swap(above, below);
        }
        (input, below)
    }

    /// What the network makes of an input of [`Autoencoder::inputs`] numbers.
    pub fn output(&self, input: &[f32]) -> Vec<f32> {
        let mut scratch = AutoencoderScratch {
            input: input.to_vec(),
            ..AutoencoderScratch::default()
        };
        self.reconstruct(&mut scratch).1.to_vec()
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        let all = self.parameters.iter();
        all.map(|matrix| crate::memory::vec(&matrix.values)).sum()
    }
}
