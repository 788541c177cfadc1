//! Hooks: programs of the operator that cordon, evacuate and undo.
//!
//! | What a program gets | Content |
//! | --- | --- |
//! | standard input | the job as one JSON object: `suggestion`, `host`, `decision`, `action` |
//! | `BELLWETHER_ACTION` | `cordon`, `evacuate` or `undo` |
//! | `BELLWETHER_HOST` | the host |
//! | `BELLWETHER_SUGGESTION` | the number of the suggestion |
//! | `BELLWETHER_INCIDENT` | the incident, if there is one |
//! | `BELLWETHER_RULE` | the rule that decided |
//!
//! The exit code 0 means that all is done; any other that it failed, and its output says why. A program that was running when the
//! controller ended abruptly is not run again, because nobody can know how far it came.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::contract::{Executor, Failure, Found, Job, Move, Plan, Work};
use super::process::run;
use crate::config;

/// The executor that runs hooks.
#[derive(Debug)]
pub struct Hooks {
    settings: config::Hooks,
}

impl Hooks {
    /// An executor with these programs.
    pub fn new(settings: config::Hooks) -> Self {
        Self { settings }
    }

    async fn run(
        &self,
        action: &str,
        argv: &[String],
        job: &Job,
        cancel: watch::Receiver<bool>,
    ) -> Result<String, Failure> {
        let decision = &job.decision;
        let mut variables = vec![
            ("BELLWETHER_ACTION".to_owned(), action.to_owned()),
            ("BELLWETHER_HOST".to_owned(), plain(&job.host)),
            (
                "BELLWETHER_SUGGESTION".to_owned(),
                job.suggestion.to_string(),
            ),
            (
                "BELLWETHER_RULE".to_owned(),
                decision.rule.as_str().to_owned(),
            ),
        ];
        if let Some(incident) = decision.incident {
            variables.push(("BELLWETHER_INCIDENT".to_owned(), incident.to_string()));
        }
        let input = serde_json::json!({
            "action": action,
            "suggestion": job.suggestion,
            "host": job.host,
            "decision": decision,
        });
        let timeout = Duration::from_secs_f64(self.settings.timeout_sec);
        let max = self.settings.output_kib << 10;
        let output = run(argv, &variables, format!("{input}\n"), timeout, max, cancel).await?;
        Ok(output.text)
    }
}

/// A name without NUL, which no variable can have.
fn plain(name: &str) -> String {
    name.replace('\0', "")
}

/// Nobody cancels.
fn never() -> watch::Receiver<bool> {
    watch::channel(false).1
}

impl Executor for Hooks {
    fn name(&self) -> &'static str {
        "hooks"
    }

    fn cordon<'a>(&'a self, job: &'a Job) -> Work<'a, ()> {
        Box::pin(async move {
            let argv = &self.settings.cordon;
            if !argv.is_empty() {
                self.run("cordon", argv, job, never()).await?;
            }
            Ok(())
        })
    }

    fn plan<'a>(&'a self, _: &'a Job) -> Work<'a, Plan> {
        let note = format!("runs {}", self.settings.evacuate.join(" "));
        Box::pin(async move {
            Ok(Plan {
                note,
                ..Plan::default()
            })
        })
    }

    fn evacuate<'a>(
        &'a self,
        job: &'a Job,
        steps: mpsc::Sender<Move>,
        cancel: watch::Receiver<bool>,
    ) -> Work<'a, String> {
        Box::pin(async move {
            let text = self
                .run("evacuate", &self.settings.evacuate, job, cancel)
                .await?;
            if !text.is_empty() {
                // Steps are for those who watch.
                let _ = steps.try_send(Move::Said { text: text.clone() });
            }
            Ok(text)
        })
    }

    fn undo<'a>(&'a self, job: &'a Job) -> Work<'a, ()> {
        Box::pin(async move {
            let argv = &self.settings.undo;
            if !argv.is_empty() {
                self.run("undo", argv, job, never()).await?;
            }
            Ok(())
        })
    }

    fn found<'a>(&'a self, _: &'a Job) -> Work<'a, Found> {
        Box::pin(async {
            Ok(Found::Failed(
                "the controller ended while the program ran, so it is unknown how far it came: check the host".into(),
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        let decision = r#"{"number":1,"time":1.0,"id":7,"host":"hv1","action":"evacuate","rule":"two_kinds","reasons":["r"]}"#;
        Job {
            suggestion: 7,
            host: "hv1".into(),
            decision: serde_json::from_str(decision).unwrap(),
        }
    }

    fn hooks(script: &str, timeout_sec: f64) -> Hooks {
        Hooks::new(config::Hooks {
            evacuate: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            timeout_sec,
            output_kib: 1,
            ..config::Hooks::default()
        })
    }

    async fn evacuate(script: &str, timeout_sec: f64) -> Result<String, Failure> {
        let (steps, _kept) = mpsc::channel(8);
        let hooks = hooks(script, timeout_sec);
        hooks.evacuate(&job(), steps, never()).await
    }

    #[tokio::test]
    async fn a_program_gets_the_job_as_json_and_as_variables() {
        let script = r#"read line; echo "$BELLWETHER_ACTION $BELLWETHER_HOST $BELLWETHER_SUGGESTION $BELLWETHER_RULE $line""#;
        let output = evacuate(script, 60.0).await.unwrap();
        let (variables, json) = output.split_once(" {").unwrap();
        assert_eq!(variables, "evacuate hv1 7 two_kinds");
        let json: serde_json::Value = serde_json::from_str(&format!("{{{json}")).unwrap();
        assert_eq!(json["decision"]["reasons"][0], "r");
    }

    #[tokio::test]
    async fn an_exit_code_other_than_0_is_a_failure_with_what_the_program_said() {
        let failure = evacuate("echo no target >&2; exit 3", 60.0)
            .await
            .unwrap_err();
        assert!(
            failure.0.contains("exit status: 3") && failure.0.contains("no target"),
            "{failure}"
        );
        let missing = Hooks::new(config::Hooks {
            evacuate: vec!["/nonexistent/program".into()],
            ..config::Hooks::default()
        });
        let (steps, _kept) = mpsc::channel(8);
        let failure = missing.evacuate(&job(), steps, never()).await.unwrap_err();
        assert!(failure.0.contains("/nonexistent/program"), "{failure}");
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_killed_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let failure = evacuate(&script, 1.0).await.unwrap_err();
        assert!(failure.0.contains("was killed after 1 s"), "{failure}");
        let pid = std::fs::read_to_string(file).unwrap();
        let status = format!("/proc/{}/stat", pid.trim());
        for _ in 0..500 {
            let stat = std::fs::read_to_string(&status).unwrap_or_default();
            // It is gone, or nobody has reaped it yet.
            if stat.is_empty() || stat.contains(") Z ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the process {pid} still runs");
    }

    #[tokio::test]
    async fn a_canceled_program_is_killed() {
        let hooks = hooks("sleep 600", 600.0);
        let (cancel, canceled) = watch::channel(false);
        let (steps, _kept) = mpsc::channel(8);
        let job = job();
        let run = hooks.evacuate(&job, steps, canceled);
        let (result, ()) = tokio::join!(run, async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            cancel.send(true).unwrap();
        });
        assert!(result.unwrap_err().0.contains("was canceled"));
    }

    #[tokio::test]
    async fn of_an_endless_output_the_beginning_is_kept() {
        let script = "i=0; while [ $i -lt 3000 ]; do echo 0123456789; i=$((i+1)); done";
        let output = evacuate(script, 60.0).await.unwrap();
        assert!(output.len() <= 1024 && output.starts_with("0123456789"));
    }

    #[tokio::test]
    async fn a_program_that_leaves_a_child_with_its_output_open_does_not_hang() {
        let output = evacuate("sleep 600 & echo done", 60.0).await.unwrap();
        assert_eq!(output, "done");
    }

    #[tokio::test]
    async fn what_ran_when_the_controller_ended_is_not_run_again() {
        let found = hooks("true", 1.0).found(&job()).await.unwrap();
        assert!(matches!(found, Found::Failed(_)));
    }
}
