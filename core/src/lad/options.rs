//! The options of LAD.

use crate::drain::DrainOptions;
use crate::options::{Kind, OptionError, choice, options};

choice! {
    /// How the windows of log keys are compared.
    pub enum Mode {
        /// Log keys are symbols: a window is known or unknown, and the text of a record decides (the default).
        Symbolic = "symbolic",
        /// VMFT-LAD as published (lecture, chapter 4): relative distance of the keys' numbers; texts count only if a window is
        /// far from all known ones.
        Paper = "paper",
    }
}

options! {
    /// The options of a [`Detector`](super::Detector).
    pub struct LadOptions {
        mode: Mode = "symbolic", Kind::Choice(Mode::WORDS), "",
            "How windows of log keys are compared: symbolic (recommended) or paper (VMFT-LAD as published).";
        window_size: usize = "4", Kind::Integer { min: 1, max: 64 }, "records",
            "Length of a window of log keys.";
        training: usize = "150", Kind::Integer { min: 0, max: 1_000_000 }, "records",
            "Number of records at the start of a stream from which the detector learns what is normal.";
        lexicon: String = "", Kind::Text { max: 4096 }, "path",
            "File with additional failure phrases of this site; empty means none.";
        seeds: String = "", Kind::Text { max: 4096 }, "path",
            "File of this fleet's benign templates, by \"bellwether learn logs\": streams start without training, and templates that are new to the fleet raise a warning; empty means none.";
        sequence_model: String = "", Kind::Text { max: 4096 }, "path",
            "File of a model of the sequence of this fleet's templates, by \"bellwether-lab train sequence\": records are compared to what it predicts, which raises nothing by itself; empty means none.";
        severity_threshold: f64 = "0.5", Kind::Number { min: 0.01, max: 1.0 }, "",
            "A record whose text has at least this severity reports a failure.";
        episode_sz: usize = "50", Kind::Integer { min: 1, max: 1_000_000 }, "records",
            "Close an episode after this many consecutive records without a failure, but not within half a minute.";
        episode_sec: f64 = "1800", Kind::Number { min: 1.0, max: 31_536_000.0 }, "seconds",
            "Close an episode after this time without a failure, however few records there were.";
        similarity_threshold: f64 = "0.05", Kind::Number { min: 0.0, max: 1.0 }, "",
            "A window within this distance of a known one is a repetition of it; must be below anomaly_threshold (paper).";
        anomaly_threshold: f64 = "0.15", Kind::Number { min: 0.0, max: 1.0 }, "",
            "A window farther than this from all known ones is an anomaly (paper).";
        push: bool = "true", Kind::Flag, "",
            "Learn unknown windows whose records report no failure.";
        novelty_events: bool = "false", Kind::Flag, "",
            "Report bursts of unknown windows that stand out from the stream's own past, with severity warning (symbolic).";
        questions: usize = "0", Kind::Integer { min: 0, max: 4096 }, "",
            "Maximum number of templates to put to an operator or a language model at a time; 0 asks nothing.";
        max_windows: usize = "65536", Kind::Integer { min: 16, max: 16_777_216 }, "per stream",
            "Maximum number of windows to keep; at the limit, one that was not used recently is evicted.";
        max_streams: usize = "1024", Kind::Integer { min: 1, max: 1_000_000 }, "",
            "Maximum number of streams (hosts) to track; at the limit, a stream with few records or long silent is evicted.";
        max_memory_mib: usize = "512", Kind::Integer { min: 8, max: 1_048_576 }, "MiB",
            "Maximum memory to use, including what saving the state takes; at the limit, the least recently used streams are evicted. The parser of one stream may use three eighths of it.";
        forget_sec: f64 = "604800", Kind::Number { min: 1.0, max: 31_536_000.0 }, "seconds",
            "Forget a stream after this time without a record.";
        @nested drain: DrainOptions = "drain_", "Options of the parser; their names begin with drain_.";
    }
}

impl LadOptions {
    /// Checks what no option can check alone.
    ///
    /// # Errors
    /// [`OptionError::Conflict`] with the contradiction.
    pub fn validate(&self) -> Result<(), OptionError> {
        let (eta, theta) = (self.similarity_threshold, self.anomaly_threshold);
        if self.mode == Mode::Paper && eta >= theta {
            return Err(OptionError::Conflict {
                name: "similarity_threshold",
                message: format!(
                    "{eta} would take every anomaly for a repetition; it takes less than \"anomaly_threshold\" ({theta})"
                ),
            });
        }
        if self.training > 0 && self.training < self.window_size {
            return Err(OptionError::Conflict {
                name: "training",
                message: format!(
                    "{} records hold no window of {}; it takes 0 or at least \"window_size\"",
                    self.training, self.window_size
                ),
            });
        }
        let nested = self.drain.validate();
        nested.map_err(|error| error.nested("drain_", Self::SPECS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_what_the_table_says_and_no_two_contradict() {
        let options = LadOptions::default();
        options.validate().unwrap();
        for spec in LadOptions::SPECS {
            assert_eq!(
                options.get(spec.name).unwrap(),
                spec.default,
                "{}",
                spec.name
            );
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_named() {
        let set = |settings: &[(&str, &str)]| {
            let mut options = LadOptions::default();
            for (name, value) in settings {
                options.set(name, value).unwrap();
            }
            options.validate().map_err(|e| e.to_string())
        };
        let error = set(&[("mode", "paper"), ("anomaly_threshold", "0.05")]).unwrap_err();
        assert!(
            error.contains("similarity_threshold") && error.contains("anomaly_threshold"),
            "{error}"
        );
        set(&[("anomaly_threshold", "0.05")]).unwrap();
        let error = set(&[("training", "3")]).unwrap_err();
        assert!(error.contains("window_size"), "{error}");
        set(&[("training", "0")]).unwrap();
    }

    #[test]
    fn the_parsers_options_are_among_them_under_names_of_their_own() {
        let mut options = LadOptions::default();
        options.set("drain_depth", "5").unwrap();
        assert_eq!(options.drain.depth, 5);
        assert_eq!(options.get("drain_depth").unwrap(), "5");
        let error = options.set("drain_depth", "1").unwrap_err().to_string();
        assert!(error.contains("\"drain_depth\""), "{error}");
        let error = options.set("drain_dept", "5").unwrap_err().to_string();
        assert!(error.contains("did you mean \"drain_depth\"?"), "{error}");
        for spec in DrainOptions::SPECS {
            let name = format!("drain_{}", spec.name);
            let ours = LadOptions::SPECS
                .iter()
                .find(|s| s.name == name)
                .expect(&name);
            assert_eq!(
                (ours.kind, ours.default, ours.help),
                (spec.kind, spec.default, spec.help)
            );
        }
        options.set("drain_extra_delimiters", "x").unwrap();
        let error = options.validate().unwrap_err().to_string();
        assert!(error.contains("\"drain_extra_delimiters\""), "{error}");
    }
}
