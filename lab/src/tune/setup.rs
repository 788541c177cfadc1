//! What a search has whichever detector it is for.

use bellwether_core::had::HadOptions;
use bellwether_core::lad::LadOptions;
use bellwether_core::options::{OptionError, Spec};

use super::space::{Assignment, Parameter};

/// The options of a detector, by their names.
pub trait Options: Clone + Default + Sync {
    /// The table of the options.
    const SPECS: &'static [Spec];

    /// Sets the option `name` to what `value` stands for.
    ///
    /// # Errors
    /// An unknown name or a value that the option does not take.
    fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError>;

    /// The value of the option `name`, `None` where there is no such option.
    fn get(&self, name: &str) -> Option<String>;

    /// # Errors
    /// Options that contradict each other.
    fn validate(&self) -> Result<(), OptionError>;

    /// Those whose values are not the defaults, and which are not in `except`.
    fn chosen(&self, except: &[&str]) -> Vec<(&'static Spec, String)> {
        let specs = Self::SPECS.iter();
        specs
            .filter(|spec| !except.contains(&spec.name))
            .filter_map(|spec| Some((spec, self.get(spec.name)?)))
            .filter(|(spec, value)| value != spec.default)
            .collect()
    }
}

macro_rules! options {
    ($($name:ty),+) => {$(
        impl Options for $name {
            const SPECS: &'static [Spec] = <$name>::SPECS;

            fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError> {
                <$name>::set(self, name, value)
            }

            fn get(&self, name: &str) -> Option<String> {
                <$name>::get(self, name)
            }

            fn validate(&self) -> Result<(), OptionError> {
                <$name>::validate(self)
            }
        }
    )+};
}

options!(HadOptions, LadOptions);

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
        let chosen: Vec<(&str, String)> = trial
            .chosen(&["algorithm"])
            .into_iter()
            .map(|(spec, value)| (spec.name, value))
            .collect();
        assert_eq!(chosen, [("zscore_window_long_sz", "40".to_owned())]);
        assert_eq!(trial.get("algorithm").unwrap(), "zscore");
    }
}
