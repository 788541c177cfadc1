//! Options of a detector as a command line gives them: `NAME=VALUE`, each checked where it is given.

use bellwether_core::drain::DrainOptions;
use bellwether_core::had::HadOptions;
use bellwether_core::lad::LadOptions;
use bellwether_core::options::OptionError;

/// Seconds between two rows of recorded metrics by default, which is the interval of the public traces of VMs.
pub const DEFAULT_INTERVAL: &str = "300";

/// An option's name and a value that the option takes.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The option's name.
    pub name: String,
    /// Its value, as it was given.
    pub value: String,
}

impl Setting {
    /// A setting that is known to be right.
    pub fn new(name: &str, value: impl ToString) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_string(),
        }
    }
}

/// Parses `NAME=VALUE` of an option of HAD.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn had(text: &str) -> Result<Setting, String> {
    let (name, value) = split(text, "threshold=2.2")?;
    checked(name, value, |n, v| HadOptions::default().set(n, v))
}

/// Parses `NAME=VALUE` of an option of LAD.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn lad(text: &str) -> Result<Setting, String> {
    let (name, value) = split(text, "window_size=5")?;
    checked(name, value, |n, v| LadOptions::default().set(n, v))
}

/// Parses `NAME=VALUE` of an option of Drain.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn drain(text: &str) -> Result<Setting, String> {
    let (name, value) = split(text, "sim_th=0.5")?;
    checked(name, value, |n, v| DrainOptions::default().set(n, v))
}

/// Parses a number of seconds as HAD's option `interval`.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn interval(text: &str) -> Result<Setting, String> {
    checked("interval", text, |n, v| HadOptions::default().set(n, v))
}

fn split<'a>(text: &'a str, example: &str) -> Result<(&'a str, &'a str), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("it takes the form NAME=VALUE, such as {example}"))?;
    Ok((name.trim(), value))
}

fn checked(
    name: &str,
    value: &str,
    set: impl FnOnce(&str, &str) -> Result<(), OptionError>,
) -> Result<Setting, String> {
    set(name, value).map_err(|e| e.to_string())?;
    Ok(Setting::new(name, value))
}

/// The options of HAD after these settings; the last one of a name wins.
///
/// # Errors
/// Options that contradict each other.
pub fn had_options<'a>(
    settings: impl IntoIterator<Item = &'a Setting>,
) -> Result<HadOptions, OptionError> {
    let mut options = HadOptions::default();
    for setting in settings {
        options.set(&setting.name, &setting.value)?;
    }
    options.validate()?;
    Ok(options)
}

/// The options of LAD after these settings; the last one of a name wins.
///
/// # Errors
/// Options that contradict each other.
pub fn lad_options<'a>(
    settings: impl IntoIterator<Item = &'a Setting>,
) -> Result<LadOptions, OptionError> {
    let mut options = LadOptions::default();
    for setting in settings {
        options.set(&setting.name, &setting.value)?;
    }
    options.validate()?;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_checked_where_it_is_given() {
        assert!(had("threshold=2.2").is_ok());
        assert!(lad("drain_masks=A=b").is_ok_and(|s| s.value == "A=b"));
        assert!(lad("threshold=2.2").is_err());
        assert!(drain("sim_th=0.5").is_ok() && drain("sim_th=2").is_err());
        assert!(interval("10").is_ok() && interval("0").is_err());
        assert!(had("zscore_threshold").unwrap_err().contains("NAME=VALUE"));
        assert!(
            had("zscore_threshold=high")
                .unwrap_err()
                .contains("\"high\"")
        );
        assert!(
            had("zscore_treshold=2")
                .unwrap_err()
                .contains("did you mean \"zscore_threshold\"?")
        );
    }

    #[test]
    fn the_last_setting_of_a_name_wins() {
        let settings = ["zscore_threshold=2", "threshold=3"].map(|text| had(text).unwrap());
        assert_eq!(had_options(&settings).unwrap().zscore_threshold, 3.0);
        let settings = ["window_size=2", "window_size=3"].map(|text| lad(text).unwrap());
        assert_eq!(lad_options(&settings).unwrap().window_size, 3);
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        let settings = ["interval=300", "forget_sec=300"].map(|text| had(text).unwrap());
        let error = had_options(&settings).unwrap_err().to_string();
        assert!(error.contains("at least twice \"interval\""), "{error}");
    }
}
