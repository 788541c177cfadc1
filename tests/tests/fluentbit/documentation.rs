//! Every configuration that the documentation shows starts, and its outputs post what services take.

use anyhow::{Context, Result};
use bellwether_tests::documentation::all_blocks;
use bellwether_tests::fluentbit::{Receiver, Request};
use serde_json::Value;

use super::{COMPANION, PARSERS, SERVICE, TAIL, fluent_bit, log_with_failure};

/// What a classic fragment is put behind: an input with the tag that it is about, and the filter.
const BEFORE: &str =
    "[INPUT]\n    name dummy\n    tag host\n[FILTER]\n    name bellwether\n    match host\n";

/// The same behind which there is an output.
const BEHIND: &str = "[OUTPUT]\n    name null\n    match *\n";

/// What the services that outputs post to go by in the documentation.
const SERVICES: [&str; 3] = ["loki", "elasticsearch", "alertmanager"];

fn is_classic(block: &str) -> bool {
    ["[INPUT]", "[FILTER]", "[OUTPUT]"]
        .iter()
        .any(|section| block.contains(section))
}

/// The configurations with the names of their files: those that are whole as they are, fragments with the rest.
fn configurations(blocks: Vec<String>) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for block in blocks {
        if block.lines().any(|line| line.starts_with("pipeline:")) {
            all.push(("fluent-bit.yaml", block));
        } else if block.contains("[INPUT]") {
            all.push(("fluent-bit.conf", block));
        } else if is_classic(&block) {
            all.push(("fluent-bit.conf", [BEFORE, &block, BEHIND].concat()));
        }
    }
    all
}

/// The service that a line names as the host to post to.
fn service(line: &str) -> Option<&str> {
    let host = line.trim_start().strip_prefix("host ")?.trim();
    SERVICES.contains(&host).then_some(host)
}

/// The configuration with the paths of this machine, which are those in the folder that `@FOLDER@` stands for, and with its
/// address in the place of services'.
fn placed(configuration: &str) -> String {
    let paths = [
        "/usr/local/lib/fluent-bit/",
        "/usr/local/share/bellwether/",
        "/etc/fluent-bit/",
        "/var/lib/fluent-bit/",
        "/var/log/",
    ];
    let placed = |line: &str| match service(line) {
        Some(service) => line.replace(service, "127.0.0.1"),
        None => paths.iter().fold(line.to_owned(), |line, path| {
            line.replace(path, "@FOLDER@/")
        }),
    };
    configuration
        .lines()
        .map(|line| placed(line) + "\n")
        .collect()
}

#[test]
fn every_configuration_in_the_documentation_starts() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let blocks = all_blocks()?;
    let plugins = blocks.iter().find(|b| b.starts_with("[PLUGINS]"));
    let plugins = plugins.context("the documentation shows a plugins.conf")?;
    fluent_bit.write("plugins.conf", &placed(plugins))?;
    fluent_bit.write("syslog", "")?;
    fluent_bit.write("parsers.conf", PARSERS)?;
    let configurations = configurations(blocks);
    let of = |file| configurations.iter().filter(|(f, _)| *f == file).count();
    assert!(
        of("fluent-bit.conf") >= 5 && of("fluent-bit.yaml") >= 3,
        "{configurations:#?}"
    );
    for (file, configuration) in configurations {
        let configuration = placed(&configuration);
        let loads = configuration.contains("plugins_file") || configuration.contains("plugins:");
        let loading: &[&str] = match loads {
            true => &[],
            false => &[
                "-e@FOLDER@/flb-filter_bellwether.so",
                "-e@FOLDER@/flb-in_bellwether.so",
            ],
        };
        fluent_bit.start_with(file, &configuration, loading)?;
        // It says so once every plugin has started; a dry run starts none.
        fluent_bit.wait(&format!("start of\n{configuration}\n"), |f| {
            f.log().contains("Shutdown Grace Period")
        })?;
        let log = fluent_bit.log();
        let complaint = log
            .lines()
            .find(|line| line.contains("[error]") || line.contains("[ warn]"));
        assert_eq!(complaint, None, "{configuration}\n{log}");
        let status = fluent_bit.stop()?;
        assert!(status.success(), "{configuration}\n{}", fluent_bit.log());
    }
    Ok(())
}

/// What the documentation's fragments that post to `wanted` make of an event.
fn posted(wanted: &str, answer: &'static str) -> Result<Option<Vec<Request>>> {
    let Some(mut fluent_bit) = super::prepared()? else {
        return Ok(None);
    };
    let receiver = Receiver::start(answer)?;
    let here = format!("    host 127.0.0.1\n    port {}\n", receiver.port());
    let posts = |block: &String| {
        is_classic(block) && block.lines().any(|line| service(line) == Some(wanted))
    };
    let fragment = all_blocks()?.into_iter().find(posts);
    let fragment: String = fragment
        .with_context(|| format!("the documentation shows {wanted}"))?
        .lines()
        .filter(|line| !line.trim_start().starts_with("port "))
        .map(|line| match service(line) {
            Some(_) => here.clone(),
            None => format!("{line}\n"),
        })
        .collect();
    fluent_bit.write("in.log", &log_with_failure())?;
    let filter =
        "[FILTER]\n    name bellwether\n    match host.log\n    host node7\n    episode_sz 4\n";
    let configuration = [SERVICE, TAIL, COMPANION, filter, &fragment].concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    fluent_bit.wait("what is posted", |_| {
        let requests = receiver.requests();
        requests
            .iter()
            .any(|(_, body)| body.contains("log_failure"))
    })?;
    assert!(fluent_bit.stop()?.success(), "{}", fluent_bit.log());
    Ok(Some(receiver.requests()))
}

#[test]
fn loki_gets_events_with_their_labels() -> Result<()> {
    let Some(requests) = posted("loki", "")? else {
        return Ok(());
    };
    let (line, body) = &requests[0];
    assert!(line.starts_with("POST /loki/api/v1/push "), "{line}");
    let body: Value = serde_json::from_str(body)?;
    let stream = &body["streams"][0];
    for (label, value) in [
        ("job", "bellwether"),
        ("event", "log_failure"),
        ("state", "raised"),
        ("hypervisor", "node7"),
        ("severity", "failure"),
    ] {
        assert_eq!(stream["stream"][label], value, "{label} of {stream}");
    }
    let text = stream["values"][0][1].as_str().context("a line")?;
    let event: Value = serde_json::from_str(text)?;
    assert!(event["message"].is_string(), "{event}");
    Ok(())
}

#[test]
fn elasticsearch_gets_events_as_documents() -> Result<()> {
    let answer = "{\"took\":1,\"errors\":false,\"items\":[]}";
    let Some(requests) = posted("elasticsearch", answer)? else {
        return Ok(());
    };
    let (line, body) = &requests[0];
    assert!(line.starts_with("POST /_bulk"), "{line}");
    let mut lines = body.lines().map(serde_json::from_str::<Value>);
    let action = lines.next().context("an action")??;
    let index = action.as_object().and_then(|o| o.values().next());
    assert_eq!(index, Some(&serde_json::json!({"_index": "bellwether"})));
    let document = lines.next().context("a document")??;
    assert_eq!(document["event"], "log_failure", "{document}");
    assert_eq!(document["schema"], 1, "{document}");
    Ok(())
}

#[test]
fn alertmanager_gets_a_list_of_alerts_and_none_of_what_is_over() -> Result<()> {
    let Some(requests) = posted("alertmanager", "")? else {
        return Ok(());
    };
    let mut alerts = Vec::new();
    for (line, body) in &requests {
        assert!(line.starts_with("POST /api/v2/alerts "), "{line}");
        alerts.extend(serde_json::from_str::<Vec<Value>>(body)?);
    }
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    let alert = &alerts[0];
    for (label, value) in [
        ("alertname", "log_failure"),
        ("hypervisor", "node7"),
        ("severity", "failure"),
        ("family", "storage"),
    ] {
        assert_eq!(alert["labels"][label], value, "{label} of {alert}");
    }
    let text = alert["annotations"]["message"].as_str();
    assert!(
        text.is_some_and(|text| text.starts_with("node7: ")),
        "{alert}"
    );
    for part in ["labels", "annotations"] {
        let pairs = alert[part].as_object().context("pairs")?;
        assert!(pairs.values().all(Value::is_string), "{alert}");
    }
    Ok(())
}
