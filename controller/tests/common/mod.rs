//! What the tests of the running service share.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bellwether_controller::config::Config;
use bellwether_controller::engine::system_clock;
use bellwether_controller::executor::{Executor, Failure, Found, Job, Move, Plan, Work};
use bellwether_controller::serve::Service;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

/// Settings of a service for tests: it listens anywhere on loopback, and ticks quickly.
pub const SETTINGS: &str =
    "[server]\nlisten = \"127.0.0.1:0\"\n[ingest]\nreorder_sec = 0\ntick_sec = 0.1\n";

/// The policy of a test that moves hosts without waiting. It trips at nothing that the tests do.
pub fn policy(mode: &str) -> String {
    format!(
        "[policy]\nmode = \"{mode}\"\nmax_hosts = 100000\ngroup_labels = \"none\"\ntargets = \"platform\"\nhold_down_sec = 0\n\
         trip_hosts = 100000\ntrip_share = 1\nfreeze_on = \"\"\n"
    )
}

/// A configuration with a store in a folder, or in memory.
pub fn config(more: &str, folder: Option<&Path>) -> Config {
    let store = folder.map_or(String::new(), |folder| {
        folder.join("state.db").display().to_string()
    });
    // The executor is the test's own.
    let hooks =
        "[executor]\nkind = \"hooks\"\nretry_sec = 0.1\n[hooks]\nevacuate = [\"/bin/false\"]\n";
    let text = format!("{SETTINGS}{more}{hooks}[store]\npath = \"{store}\"\n");
    Config::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The present in seconds since the epoch.
pub fn now() -> f64 {
    system_clock()().secs()
}

/// The identity of an incident.
fn incident(host: &str, kind: &str) -> String {
    let sum = format!("{host}/{kind}").bytes().fold(7_u128, |sum, byte| {
        sum.wrapping_mul(0x1_0000_01b3_0000_0001_0000_01b3)
            .wrapping_add(byte.into())
    });
    format!("{sum:032x}")
}

/// An anomaly of the guests of a host.
pub fn anomaly(host: &str, time: f64) -> Value {
    json!({
        "event": "hypervisor_anomaly", "schema": 1, "time": time, "state": "raised", "severity": "failure", "hypervisor": host,
        "metric": "cpu", "score": 0.6, "message": format!("{host}: cpu fell together"), "since": time,
        "incident": incident(host, "anomaly"), "cause": "external", "consensus": 1.0, "distinctiveness": 0.6, "consistency": 0.1,
        "direction": "down", "channel": "fast", "vms": 5, "voters": 5,
    })
}

/// A failure in the log of a host.
pub fn failure(host: &str, time: f64, trusted: bool) -> Value {
    json!({
        "event": "log_failure", "schema": 1, "time": time, "state": "raised", "severity": "failure", "hypervisor": host,
        "score": 0.8, "message": format!("{host}: storage failure"), "since": time, "incident": incident(host, "failure"),
        "stream": host, "program": "smartd", "template": "t", "template_id": 1, "family": "storage", "phrase": "p",
        "trusted": trusted, "count": 1,
    })
}

/// An answer: its status, its head and its body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends a request as it is; `None` if the connection breaks.
pub async fn raw(address: std::net::SocketAddr, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request).await.ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some(Answer {
        status: head.split(' ').nth(1)?.parse().ok()?,
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    })
}

/// Sends a request with these headers.
pub async fn request(
    address: std::net::SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Answer> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text += "Host: localhost\r\n";
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    raw(address, text.as_bytes()).await
}

/// A service that runs in the test's own process.
pub struct Running {
    pub service: Service,
    pub executor: Arc<Fake>,
}

impl Running {
    /// Starts one.
    pub async fn start(config: &Config) -> Self {
        Self::with(config, Arc::new(Fake::new(None))).await
    }

    /// Starts one with this executor.
    pub async fn with(config: &Config, executor: Arc<Fake>) -> Self {
        let other: Arc<dyn Executor> = executor.clone();
        let service = Service::start(config, Some(other), system_clock()).await;
        let service = service.unwrap_or_else(|error| panic!("{error}"));
        Self { service, executor }
    }

    /// Posts events.
    pub async fn post(&self, body: &str) -> Answer {
        self.send("POST", "/v1/events", body).await
    }

    /// Sends a request with JSON.
    pub async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let headers = [("Content-Type", "application/json")];
        let answer = request(self.service.address, method, path, &headers, body).await;
        answer.expect("the service answers")
    }

    /// The answer to a GET.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Waits until the answer to a GET is as wanted.
    pub async fn until(&self, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..1200 {
            last = self.get(path).await;
            if is_wanted(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("after a minute, {path} is still {last}");
    }

    /// Makes a host red, and gives the suggestion about it.
    pub async fn red(&self, host: &str) -> u64 {
        let events = json!([anomaly(host, now()), failure(host, now(), true)]);
        let answer = self.post(&events.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let of_host = |answer: &Value| {
            let list = answer["suggestions"].as_array().unwrap().iter();
            let mut found = list.filter(|suggestion| suggestion["host"] == host);
            found.find_map(|suggestion| suggestion["id"].as_u64())
        };
        let answer = self
            .until("/v1/suggestions", |answer| of_host(answer).is_some())
            .await;
        of_host(&answer).unwrap()
    }
}

/// An executor that moves nothing, and writes down what it was asked to.
#[derive(Debug)]
pub struct Fake {
    journal: Option<PathBuf>,
    /// Whether evacuations fail.
    pub fails: AtomicBool,
    /// Whether evacuations last until they are canceled.
    pub lasts: AtomicBool,
    /// What it was asked to do.
    pub calls: std::sync::Mutex<Vec<String>>,
}

impl Fake {
    /// An executor that also writes to a file, which stands for the world: what began there goes on without the controller.
    pub fn new(journal: Option<PathBuf>) -> Self {
        Self {
            journal,
            fails: AtomicBool::new(false),
            lasts: AtomicBool::new(false),
            calls: std::sync::Mutex::default(),
        }
    }

    fn write(&self, word: &str, job: &Job) {
        let line = format!("{word} {} {}", job.suggestion, job.host);
        if let Some(path) = &self.journal {
            let file = OpenOptions::new().append(true).create(true).open(path);
            writeln!(file.unwrap(), "{line}").unwrap();
        }
        self.calls.lock().unwrap().push(line);
    }

    /// The calls so far.
    pub fn called(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

impl Executor for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn cordon<'a>(&'a self, job: &'a Job) -> Work<'a, ()> {
        self.write("cordon", job);
        Box::pin(async { Ok(()) })
    }

    fn plan<'a>(&'a self, _: &'a Job) -> Work<'a, Plan> {
        Box::pin(async { Ok(Plan::default()) })
    }

    fn evacuate<'a>(
        &'a self,
        job: &'a Job,
        steps: mpsc::Sender<Move>,
        mut cancel: watch::Receiver<bool>,
    ) -> Work<'a, String> {
        self.write("evacuate", job);
        Box::pin(async move {
            let guest = "vm1".to_owned();
            steps
                .try_send(Move::Began {
                    guest,
                    target: None,
                })
                .unwrap();
            if self.lasts.load(Ordering::SeqCst) {
                cancel.wait_for(|is_canceled| *is_canceled).await.unwrap();
                return Err(Failure("canceled".into()));
            }
            if self.fails.load(Ordering::SeqCst) {
                return Err(Failure("no target has memory left".into()));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok("1 guest moved".into())
        })
    }

    fn undo<'a>(&'a self, job: &'a Job) -> Work<'a, ()> {
        self.write("undo", job);
        Box::pin(async { Ok(()) })
    }

    fn found<'a>(&'a self, job: &'a Job) -> Work<'a, Found> {
        let line = format!("evacuate {} {}", job.suggestion, job.host);
        let world = self
            .journal
            .as_ref()
            .and_then(|path| std::fs::read_to_string(path).ok());
        let has_begun = world.is_some_and(|world| world.lines().any(|other| other == line));
        Box::pin(async move {
            Ok(match has_begun {
                true => Found::Ended("found moved".into()),
                false => Found::NotBegun,
            })
        })
    }
}
