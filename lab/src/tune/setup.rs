//! What a search has whichever detector it is for.

use bellwether_core::options::{OptionError, Options, Spec};

use super::space::{Assignment, Parameter};

/// Those options whose values are not the defaults, and which are not in `except`.
pub fn chosen<O: Options>(options: &O, except: &[&str]) -> Vec<(&'static Spec, String)> {
    let specs = O::SPECS.iter();
    specs
        .filter(|spec| !except.contains(&spec.name))
        .filter_map(|spec| Some((spec, options.get(spec.name)?)))
        .filter(|(spec, value)| value != spec.default)
        .collect()
}

/// What is searched, and on what.
#[derive(Debug)]
pub struct Setup<O> {
    /// What the data are: those to train on, those to test on.
    pub descriptions: [String; 2],
    /// What all trials have in common.
    pub options: O,
    /// The options that are tuned.
    pub parameters: Vec<Parameter>,
    /// The most false alarms that are acceptable, in the problem's own unit.
    pub limit: f64,
    /// What everything is drawn from.
    pub seed: u64,
}

impl<O: Options> Setup<O> {
    /// The options with values of those that are tuned.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn with(&self, values: &Assignment) -> Result<O, OptionError> {
        let mut options = self.options.clone();
        for (parameter, value) in self.parameters.iter().zip(values) {
            options.set(parameter.name, value)?;
        }
        options.validate()?;
        Ok(options)
    }

    /// The values without tuning.
    pub fn start(&self) -> Assignment {
        let names = self.parameters.iter().map(|parameter| parameter.name);
        names.filter_map(|name| self.options.get(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::space::parameter;
    use bellwether_core::had::HadOptions;

    use super::*;

    #[test]
    fn a_trial_changes_what_is_tuned_and_keeps_what_is_set() {
        let mut options = HadOptions::default();
        options.set("algorithm", "zscore").unwrap();
        let setup = Setup {
            descriptions: ["one".into(), "other".into()],
            options,
            parameters: vec![
                parameter::<HadOptions>("zscore_window_long_sz").unwrap(),
                parameter::<HadOptions>("zscore_threshold").unwrap(),
            ],
            limit: 0.0,
            seed: 1,
        };
        assert_eq!(setup.start(), ["31", "1.99"]);
        let trial = setup.with(&vec!["40".into(), "1.99".into()]).unwrap();
        let chosen: Vec<(&str, String)> = chosen(&trial, &["algorithm"])
            .into_iter()
            .map(|(spec, value)| (spec.name, value))
            .collect();
        assert_eq!(chosen, [("zscore_window_long_sz", "40".to_owned())]);
        assert_eq!(trial.get("algorithm").unwrap(), "zscore");
    }
}
