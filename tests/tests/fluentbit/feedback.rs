//! Verdicts on templates come in as records, and questions about templates leave as records.

use anyhow::{Context, Result};
use bellwether_tests::fluentbit::{FluentBit, free_port, get, post};
use serde_json::{Value, json};

use super::{
    COMPANION, FAILING, ORDINARY, SERVICE, TAIL, filter, fluent_bit, log_with_failure, ordinary,
    output, told,
};

/// The input that verdicts come by; it takes the tag from the path.
fn http(port: u16) -> String {
    format!("[INPUT]\n    name http\n    listen 127.0.0.1\n    port {port}\n")
}

/// A Fluent Bit that has raised the failure of [`log_with_failure`] and takes verdicts at this port; the failure's template.
fn raised(fluent_bit: &mut FluentBit, port: u16, more: &str) -> Result<String> {
    fluent_bit.write("in.log", &log_with_failure())?;
    let configuration = [
        SERVICE,
        more,
        TAIL,
        "    db @FOLDER@/tail.db\n",
        &http(port),
        COMPANION,
        &filter("feedback_match feedback.*\n    state_file @FOLDER@/state"),
        &output("host.log", "out"),
        &output("bellwether.events", "events"),
        &output("*feedback*", "feedback"),
    ]
    .concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    told(fluent_bit)?;
    let event = fluent_bit.records("events").remove(0);
    let template = event["template"].as_str().context("a template")?;
    Ok(template.to_owned())
}

/// Writes another line of the failure, and waits for its record.
fn fail_again(fluent_bit: &mut FluentBit) -> Result<Value> {
    let before = fluent_bit.records("out").len();
    fluent_bit.append("in.log", &format!("{FAILING}\n"))?;
    fluent_bit.wait("the next record", |f| f.records("out").len() > before)?;
    Ok(fluent_bit.records("out").remove(before))
}

#[test]
fn an_operators_record_ends_an_alarm_and_keeps_its_template_silent_after_a_restart() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let port = free_port()?;
    let template = raised(&mut fluent_bit, port, "")?;
    let verdict = json!({"bellwether_verdict": "benign", "template": template});
    post(port, "/feedback.operator", &verdict)?;
    fluent_bit.wait("the end of the alarm", |f| f.records("events").len() == 2)?;
    let cleared = fluent_bit.records("events").remove(1);
    assert_eq!(cleared["state"], "cleared");
    assert_eq!(cleared["reason"], "marked as no failure by feedback");
    fluent_bit.wait("the verdict itself", |f| !f.records("feedback").is_empty())?;
    assert_eq!(fluent_bit.records("feedback"), [verdict]);
    let wanted = "feedback 1: verdict benign, by operator, on \"";
    let log = fluent_bit.log();
    assert!(
        log.contains(wanted) && log.contains("of all hosts: applied to 1 template,"),
        "{log}"
    );

    assert!(fluent_bit.stop()?.success());
    fluent_bit.start_again()?;
    let again = fail_again(&mut fluent_bit)?;
    assert_eq!(again["bellwether_severity"], 0.0, "{again}");
    assert_eq!(fluent_bit.records("events").len(), 2);
    // Another failure is none the less one.
    fluent_bit.append("in.log", "Kernel panic - not syncing: Fatal exception\n")?;
    fluent_bit.wait("another alarm", |f| f.records("events").len() == 3)?;
    let other = fluent_bit.records("events").remove(2);
    assert_eq!(
        (&other["state"], &other["family"]),
        (&json!("raised"), &json!("kernel"))
    );
    Ok(())
}

#[test]
fn the_same_record_of_another_tag_changes_nothing_and_is_renamed() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let (port, metrics) = (free_port()?, free_port()?);
    let server =
        format!("    http_server on\n    http_listen 127.0.0.1\n    http_port {metrics}\n");
    let template = raised(&mut fluent_bit, port, &server)?;
    let verdict = json!({"bellwether_verdict": "benign", "template": template});
    post(port, "/no.feedback", &verdict)?;
    fluent_bit.wait("the record", |f| !f.records("feedback").is_empty())?;
    let renamed = json!({"foreign_bellwether_verdict": "benign", "template": template});
    assert_eq!(fluent_bit.records("feedback"), [renamed]);
    let again = fail_again(&mut fluent_bit)?;
    assert_eq!(again["bellwether_family"], "storage", "{again}");
    assert_eq!(fluent_bit.records("events").len(), 1);
    let log = fluent_bit.log();
    assert!(
        log.contains("if they are verdicts, feedback_match"),
        "{log}"
    );
    // What is wrong with one that is allowed is said.
    post(
        port,
        "/feedback.operator",
        &json!({"bellwether_verdict": "bening", "template": template}),
    )?;
    fluent_bit.wait("metrics", |_| {
        let metrics = get(metrics, "/api/v2/metrics/prometheus").unwrap_or_default();
        let counted = |name: &str, value: &str| {
            let start = format!("bellwether_filter_{name}{{");
            metrics
                .lines()
                .any(|line| line.starts_with(&start) && line.ends_with(value))
        };
        counted("foreign_total", " 1")
            && counted("feedback_total", " 0")
            && counted("feedback_refused_total", " 1")
    })?;
    let wanted = "feedback refused (1 so far): bellwether_verdict is \"bening\"; it must be failure, benign or none (did you mean";
    let log = fluent_bit.log();
    assert!(log.contains(wanted), "{log}");
    assert_eq!(fluent_bit.records("events").len(), 1);
    Ok(())
}

#[test]
fn a_question_leaves_about_an_unknown_template_and_a_models_answer_raises_a_warning() -> Result<()>
{
    let mut fluent_bit = fluent_bit!();
    let unknown = "spare area 3 of the drive is below its limit\n";
    fluent_bit.write(
        "parsers.conf",
        "[PARSER]\n    name lines\n    format json\n",
    )?;
    let answers = TAIL
        .replace("in.log", "answers")
        .replace("host.log", "feedback.model");
    let moved = "[FILTER]\n    name rewrite_tag\n    match_regex ^(host|feedback)\\.\n    rule $event ^log_ bellwether.events false\n";
    for (companion, moved) in [(COMPANION, ""), ("", moved)] {
        for file in ["out", "events"] {
            std::fs::remove_file(fluent_bit.folder().join(file)).ok();
        }
        fluent_bit.write("in.log", &(ordinary(0..ORDINARY) + unknown))?;
        fluent_bit.write("answers", "")?;
        let configuration = [
            SERVICE,
            "    parsers_file @FOLDER@/parsers.conf\n",
            TAIL,
            &answers,
            "    parser lines\n",
            companion,
            &filter("questions 8\n    feedback_match feedback.*"),
            moved,
            &output("bellwether.events", "events"),
        ]
        .concat();
        fluent_bit.start("fluent-bit.conf", &configuration)?;
        fluent_bit.wait("a question", |f| {
            // Without a companion, it leaves with a chunk of records.
            f.append("in.log", &ordinary(7..8)).ok();
            std::thread::sleep(std::time::Duration::from_millis(100));
            !f.records("events").is_empty()
        })?;
        let question = fluent_bit.records("events").remove(0);
        for (key, value) in [
            ("event", json!("log_question")),
            ("schema", json!(1)),
            ("hypervisor", json!("node7")),
            (
                "template",
                json!("spare area <:NUM:> of the drive is below its limit"),
            ),
            ("count", json!(1)),
        ] {
            assert_eq!(question[key], value, "{key} of {question}");
        }
        let benign = question["benign"][0].as_str();
        assert!(
            benign.is_some_and(|text| text.contains("session opened")),
            "{question}"
        );
        assert!(question["time"].as_f64() > Some(1.7e9), "{question}");

        let mut answer = json!({"bellwether_verdict": "failure", "bellwether_verdict_by": "model", "family": "storage"});
        for key in ["hypervisor", "template", "template_id"] {
            answer[key] = question[key].clone();
        }
        fluent_bit.append("answers", &format!("{answer}\n"))?;
        fluent_bit.wait("a warning", |f| {
            // However long the answer takes, a record of the template comes behind it.
            f.append("in.log", unknown).ok();
            std::thread::sleep(std::time::Duration::from_millis(100));
            f.records("events").len() > 1
        })?;
        let events = fluent_bit.records("events");
        assert_eq!(events.len(), 2, "{events:#?}");
        let warning = &events[1];
        for (key, value) in [
            ("event", "log_failure"),
            ("state", "raised"),
            ("severity", "warning"),
            ("family", "storage"),
            ("hypervisor", "node7"),
        ] {
            assert_eq!(warning[key], value, "{key} of {warning}");
        }
        fluent_bit.stop()?;
        let log = fluent_bit.log();
        assert!(
            log.contains("verdict failure, by model, on \"spare area"),
            "{log}"
        );
        assert!(!log.contains("renamed to foreign_"), "{log}");
    }
    Ok(())
}

#[test]
fn a_verdict_that_no_parser_has_read_is_complained_of() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write(
        "in.log",
        "{\"bellwether_verdict\":\"benign\",\"template\":\"a\"}\n",
    )?;
    let configuration = [
        SERVICE,
        TAIL,
        &filter("feedback_match host.*"),
        &output("host.log", "out"),
    ]
    .concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    fluent_bit.wait("a complaint", |f| {
        f.log().contains(
            "a record with the tag host.log has bellwether_verdict within a text or a map",
        )
    })
}
