//! Records against what a model of the sequence of templates predicts.

use std::path::{Path, PathBuf};

use super::*;
use crate::drain::DrainOptions;
use crate::model::{SequenceDescription, SequenceModel, TrainingData, Vocabulary, circle};

const LINES: [&str; 3] = ["session opened", "session closed", "link eth7 is up"];

/// A file of a model that expects these lines one after the other, over and over.
fn saved(folder: &Path, drain: &DrainOptions) -> PathBuf {
    let templates = ["session opened", "session closed", "link <:*:> is up"];
    let description = SequenceDescription {
        window: 2,
        top: 1,
        templates: templates.map(str::to_owned).to_vec(),
        parser: Vocabulary::shape(drain),
        data: TrainingData::default(),
    };
    let path = folder.join("fleet.model");
    let model = SequenceModel::new(drain, description, circle(4)).unwrap();
    model.save(&path).unwrap();
    path
}

fn with_model(path: &Path) -> LadOptions {
    let mut options = LadOptions::default();
    options
        .set("sequence_model", &path.display().to_string())
        .unwrap();
    options
}

fn record(second: u32, text: &str) -> Record<'_> {
    Record {
        stream: "kvm1",
        time: Time::from_secs(1_700_000_000.0 + f64::from(second)),
        text,
        priority: None,
        source: Source::default(),
    }
}

#[test]
fn a_record_carries_what_the_model_predicts_and_raises_nothing_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), &DrainOptions::default());
    let mut detector = Detector::new(with_model(&path)).unwrap();
    let mut second = 0;
    let mut observe = |detector: &mut Detector, text: &str| {
        second += 1;
        let predicted = detector.observe(&record(second, text)).predicted;
        let predicted = predicted.expect("there is a model");
        (predicted.key, predicted.rank, predicted.anomalous)
    };
    for (at, text) in LINES.iter().cycle().take(9).enumerate() {
        let rank = u32::from(at >= 2);
        let key = at as u32 % 3 + 1;
        assert_eq!(observe(&mut detector, text), (key, rank, false), "{at}");
    }
    // The second instead of the first, and a template that the fleet does not have.
    let (key, rank, anomalous) = observe(&mut detector, LINES[1]);
    assert!(key == 2 && rank > 1 && anomalous);
    let unknown = observe(&mut detector, "quantum flux inverted beyond all measure");
    assert_eq!(unknown, (0, 0, true));
    assert_eq!(detector.counters().unpredicted, 2);
    assert_eq!(detector.next_event(), None);
}

#[test]
fn streams_do_not_share_what_is_predicted_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), &DrainOptions::default());
    let mut detector = Detector::new(with_model(&path)).unwrap();
    for (second, text) in (0..).zip(LINES.iter().cycle().take(12)) {
        for stream in ["kvm1", "kvm2"] {
            let record = Record {
                stream,
                ..record(second, text)
            };
            let predicted = detector.observe(&record).predicted.unwrap();
            assert!(!predicted.anomalous, "{second} {stream}");
        }
    }
}

#[test]
fn without_a_model_or_a_stream_nothing_is_predicted() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), &DrainOptions::default());
    let mut with = Detector::new(with_model(&path)).unwrap();
    let nameless = Record {
        stream: "",
        ..record(0, LINES[0])
    };
    assert_eq!(with.observe(&nameless).predicted, None);
    let mut without = Detector::new(LadOptions::default()).unwrap();
    assert!(with.bytes() > without.bytes() + 1_000, "a model is counted");
    assert_eq!(without.observe(&record(0, LINES[0])).predicted, None);
}

#[test]
fn after_a_restart_a_prediction_takes_a_whole_window_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), &DrainOptions::default());
    let mut detector = Detector::new(with_model(&path)).unwrap();
    for (second, text) in (0..).zip(LINES) {
        detector.observe(&record(second, text));
    }
    let mut restarted = Detector::new(with_model(&path)).unwrap();
    restarted.restore(&detector.snapshot().to_vec()).unwrap();
    let mut rank = |second, text| {
        let predicted = restarted.observe(&record(second, text)).predicted;
        predicted.unwrap().rank
    };
    assert_eq!(
        [rank(3, LINES[0]), rank(4, LINES[1]), rank(5, LINES[2])],
        [0, 0, 1]
    );
}

#[test]
fn a_model_that_cannot_be_used_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), &DrainOptions::default());
    let says = |options: LadOptions| Detector::new(options).unwrap_err().to_string();
    let mut other = with_model(&path);
    other.set("drain_sim_th", "0.7").unwrap();
    let error = says(other);
    assert!(
        error.contains("drain_sim_th = 0.4, which is 0.7 now"),
        "{error}"
    );
    let error = says(with_model(&folder.path().join("missing")));
    assert!(
        error.contains("\"sequence_model\"") && error.contains("no such file"),
        "{error}"
    );
    std::fs::write(&path, "weights, by hand").unwrap();
    let error = says(with_model(&path));
    assert!(error.contains("not a safetensors file"), "{error}");
}
