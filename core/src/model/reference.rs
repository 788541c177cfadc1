//! Forward passes against those of Keras, with random weights.

use serde::Deserialize;

use super::{Autoencoder, Lstm, LstmScratch, Matrix};

#[derive(Deserialize)]
struct Reference {
    lstm: OfLstm,
    autoencoder: OfAutoencoder,
}

#[derive(Deserialize)]
struct Given {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct OfLstm {
    parameters: Vec<Given>,
    windows: Vec<Vec<u32>>,
    logits: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct OfAutoencoder {
    parameters: Vec<Given>,
    inputs: Vec<Vec<f32>>,
    outputs: Vec<Vec<f32>>,
}

fn reference() -> Reference {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/model/reference.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn matrices(given: Vec<Given>) -> Vec<Matrix> {
    let matrix = |Given {
                      rows,
                      columns,
                      values,
                  }| Matrix {
        rows,
        columns,
        values,
    };
    given.into_iter().map(matrix).collect()
}

fn assert_close(ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() < 2e-6, "{ours}, not {theirs}");
    }
}

#[test]
fn an_lstm_of_two_layers_gives_what_keras_gives() {
    let OfLstm {
        parameters,
        windows,
        logits,
    } = reference().lstm;
    let network = Lstm::new(matrices(parameters)).unwrap();
    // Buffers that were used before make no difference.
    let mut scratch = LstmScratch::default();
    for (window, theirs) in windows.iter().zip(&logits) {
        assert_close(network.logits(window.iter().copied(), &mut scratch), theirs);
    }
}

#[test]
fn an_autoencoder_gives_what_keras_gives() {
    let OfAutoencoder {
        parameters,
        inputs,
        outputs,
    } = reference().autoencoder;
    let network = Autoencoder::new(matrices(parameters)).unwrap();
    for (input, theirs) in inputs.iter().zip(&outputs) {
        assert_close(&network.output(input), theirs);
    }
}
