//! Files of models: any bytes, and whole files with some bytes changed. What is refused says why; a model that is taken gives shares,
//! ranks and errors in their ranges for any input.
#![no_main]

use arbitrary::Arbitrary;
use bellwether_core::drain::DrainOptions;
use bellwether_core::model::{
    Autoencoder, AutoencoderScratch, Matrix, ResourceDescription, ResourceHistory, ResourceModel,
    Scaler, SequenceModel, TrainingData,
};
use bellwether_fuzz::line::Line;
use bellwether_fuzz::number::Number;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    file: File<'a>,
    lines: Vec<Line<'a>>,
    rows: Vec<[Number; 2]>,
}

#[derive(Arbitrary, Debug)]
enum File<'a> {
    Bytes(&'a [u8]),
    /// Bytes of a model that are set.
    Changed(Vec<(u16, u8)>),
}

/// A small model of two channels.
fn whole() -> Vec<u8> {
    let bias = Matrix {
        rows: 1,
        columns: 4,
        values: vec![0.5; 4],
    };
    let network = Autoencoder::new(vec![Matrix::zeros(4, 4), bias]).expect("its shapes fit");
    let description = ResourceDescription {
        window: 2,
        channels: vec!["cpu".into(), "memory".into()],
        threshold: 0.1,
        data: TrainingData::default(),
    };
    let scaler = Scaler {
        least: vec![0.0; 2],
        range: vec![1.0; 2],
    };
    let model = ResourceModel::new(description, scaler, network).expect("its parts fit");
    model.to_bytes()
}

fuzz_target!(|input: Input| {
    let bytes = match input.file {
        File::Bytes(bytes) => bytes.to_vec(),
        File::Changed(changes) => {
            let mut bytes = whole();
            for (at, byte) in changes {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            bytes
        }
    };
    match SequenceModel::from_bytes(&DrainOptions::default(), &bytes) {
        Ok(mut model) => {
            let mut history = model.history();
            for line in &input.lines {
                let key = model.key(&line.text());
                let found = model.observe(&mut history, key);
                assert!((0.0..=1.0).contains(&found.share), "{found:?}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match ResourceModel::from_bytes(&bytes) {
        Ok(model) => {
            let (mut history, mut scratch) =
                (ResourceHistory::default(), AutoencoderScratch::default());
            for row in input.rows {
                let row = row.map(Number::get);
                if let Some(found) = model.observe(&mut history, &row, &mut scratch) {
                    assert!(found.error >= 0.0 && found.error.is_finite(), "{found:?}");
                }
            }
            assert_eq!(
                ResourceModel::from_bytes(&model.to_bytes()).as_ref(),
                Ok(&model)
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
