//! Options as the configurations of the hosts have them.

use bellwether_core::options::{Kind, Spec, camel_case};

/// An option and its value.
pub type Chosen<'a> = (&'a Spec, String);

/// A stanza for collectd.conf. `interval`: seconds between two samples of the data that the options were found on.
pub fn collectd(options: &[Chosen<'_>], interval: f64) -> String {
    let mut out = format!(
        "# Found on samples every {interval} seconds; options in samples hold for that interval.\n\
         <Plugin \"bellwether\">\n"
    );
    for (spec, value) in options {
        let value = if is_bare(spec) {
            value.clone()
        } else {
            format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        };
        out += &format!("  {} {value}\n", camel_case(spec.name));
    }
    out + "</Plugin>\n"
}

/// A filter of Fluent Bit in its classic form.
pub fn fluent_bit_classic(options: &[Chosen<'_>], tag: &str) -> String {
    let mut out = format!("[FILTER]\n    name bellwether\n    match {tag}\n");
    for (spec, value) in options {
        if value.is_empty() {
            // Refused there, and quotation marks would be part of the value.
            out += &format!(
                "    # {} has to be empty, which only the YAML form can say.\n",
                spec.name
            );
            continue;
        }
        // A value ends with its line; masks may be separated otherwise.
        out += &format!("    {} {}\n", spec.name, value.replace('\n', " ; "));
    }
    out
}

/// The same in YAML.
pub fn fluent_bit_yaml(options: &[Chosen<'_>], tag: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut out = format!(
        "pipeline:\n  filters:\n    - name: bellwether\n      match: {}\n",
        quoted(tag)
    );
    for (spec, value) in options {
        let value = if is_bare(spec) {
            value.clone()
        } else {
            quoted(value)
        };
        out += &format!("      {}: {value}\n", spec.name);
    }
    out
}

/// Whether values stand without quotes: numbers and flags.
fn is_bare(spec: &Spec) -> bool {
    matches!(
        spec.kind,
        Kind::Flag | Kind::Integer { .. } | Kind::Number { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_core::had::HadOptions;
    use bellwether_core::lad::LadOptions;

    fn spec(specs: &'static [Spec], name: &str) -> &'static Spec {
        specs.iter().find(|spec| spec.name == name).expect("a name")
    }

    #[test]
    fn collectd_reads_back_every_option() {
        let specs = HadOptions::SPECS;
        let options = [
            (spec(specs, "algorithm"), "zscore".to_owned()),
            (spec(specs, "zscore_window_long_sz"), "40".to_owned()),
            (spec(specs, "zscore_dynamic_filtering"), "false".to_owned()),
        ];
        assert_eq!(
            collectd(&options, 300.0),
            "# Found on samples every 300 seconds; options in samples hold for that interval.\n\
             <Plugin \"bellwether\">\n  Algorithm \"zscore\"\n  ZscoreWindowLongSz 40\n  ZscoreDynamicFiltering false\n</Plugin>\n"
        );
    }

    #[test]
    fn text_is_written_so_that_it_comes_back() {
        let specs = LadOptions::SPECS;
        let masks = "A=\"\\d+\nB=x";
        let options = [
            (spec(specs, "drain_masks"), masks.to_owned()),
            (spec(specs, "push"), "false".to_owned()),
        ];
        let classic = fluent_bit_classic(&options, "host");
        assert!(
            classic.ends_with("match host\n    drain_masks A=\"\\d+ ; B=x\n    push false\n"),
            "{classic}"
        );
        let empty = [(spec(specs, "drain_extra_delimiters"), String::new())];
        let classic = fluent_bit_classic(&empty, "host");
        let last = classic.lines().last().expect("a line").trim();
        assert!(last.starts_with("# drain_extra_delimiters "), "{classic}");
        assert!(fluent_bit_yaml(&empty, "host").ends_with(": \"\"\n"));
        let yaml = fluent_bit_yaml(&options, "*");
        let line = yaml
            .lines()
            .find_map(|line| line.trim().strip_prefix("drain_masks: "))
            .expect("a line");
        assert_eq!(serde_json::from_str::<String>(line).unwrap(), masks);
        assert!(yaml.contains("match: \"*\"\n"), "{yaml}");
    }
}
