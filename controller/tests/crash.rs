//! Killed at any moment, the controller loses no decision and repeats no evacuation.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bellwether_controller::config::Config;
use bellwether_controller::replay::replay;
use common::{Fake, Running, anomaly, config, failure, now, policy, request};
use serde_json::{Value, json};

/// How often the controller is killed.
const KILLS: usize = 100;
/// Where a child keeps its state.
const FOLDER: &str = "BELLWETHER_TEST_FOLDER";

fn settings(folder: &Path) -> Config {
    let mut settings = config(&policy("auto"), Some(folder));
    settings.store.snapshot_inputs = 10;
    // A large cluster: the brake would trip if all of its hosts turned red.
    let hosts: serde_json::Map<String, Value> = (0..1000)
        .map(|host| (format!("hv{host}"), json!({})))
        .collect();
    let inventory = folder.join("inventory.json");
    std::fs::write(&inventory, json!({ "hosts": hosts }).to_string()).unwrap();
    settings.inventory.file = Some(inventory);
    settings
}

fn fake(folder: &Path) -> Arc<Fake> {
    Arc::new(Fake::new(Some(folder.join("world"))))
}

/// The controller that is killed: not a test of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs as the child of another test"]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let running = Running::with(&settings(folder), fake(folder)).await;
    println!("\nready {}", running.service.address);
    std::io::stdout().flush().unwrap();
    std::future::pending::<()>().await;
}

/// Starts the child; gives its address.
fn start(folder: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        if let Some(address) = line.strip_prefix("ready ") {
            return (child, address.parse().unwrap());
        }
    }
    panic!("the child ended: {:?}", child.wait());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_no_decision_and_repeats_no_evacuation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let headers = [("Content-Type", "application/json")];
    let running = Running::with(&settings(path), fake(path)).await;
    for _ in 0..1200 {
        let journal = running.send("GET", "/v1/journal", "").await;
        if journal.body.contains("\"topology\"") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.service.stop().await;
    let mut acknowledged = Vec::new();
    let mut random = 12345_u64;
    for round in 0..KILLS {
        let (mut child, address) = start(path);
        let host = format!("hv{round}");
        let events = json!([anomaly(&host, now()), failure(&host, now(), true)]).to_string();
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let pause = Duration::from_micros((random >> 33) % 60_000);
        let name = host.clone();
        let post = tokio::spawn(async move {
            let answer = request(address, "POST", "/v1/events", &headers, &events).await;
            answer
                .is_some_and(|answer| answer.status == 200)
                .then_some(name)
        });
        tokio::time::sleep(pause).await;
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(post.await.unwrap());
    }
    // Whatever is open is carried out.
    let settings = settings(path);
    let running = Running::with(&settings, fake(path)).await;
    let is_done = |answer: &Value| {
        let evacuations = answer["evacuations"].as_array().unwrap().iter();
        answer["suggestions"].as_array().unwrap().is_empty()
            && evacuations
                .into_iter()
                .all(|evacuation| evacuation["phase"] == "ended")
    };
    running.until("/v1/suggestions", is_done).await;
    let lines = async |what: &str| {
        let answer = running
            .send("GET", &format!("/v1/{what}?limit=10000"), "")
            .await;
        answer.body.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let audit = lines("audit").await;
    let journal = lines("journal").await;
    running.service.stop().await;

    // No decision is missing or there twice.
    let audit: Vec<Value> = audit
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let decisions: Vec<&Value> = audit
        .iter()
        .filter(|line| line["kind"] == "decision")
        .map(|line| &line["what"])
        .collect();
    for (number, decision) in (1_u64..).zip(&decisions) {
        assert_eq!(decision["number"], number, "{decision}");
    }
    let evacuations = |host: &str| {
        let of_host = decisions.iter().filter(|d| d["host"] == host);
        of_host.filter(|d| d["action"] == "evacuate").count()
    };
    // What was acknowledged was decided on, once.
    assert!(!acknowledged.is_empty());
    for host in &acknowledged {
        assert_eq!(evacuations(host), 1, "{host}");
    }
    // The world has seen each evacuation that was decided, once, and no other.
    let world = std::fs::read_to_string(path.join("world")).unwrap();
    let mut begun = BTreeMap::new();
    for line in world
        .lines()
        .filter_map(|line| line.strip_prefix("evacuate "))
    {
        let (_, host) = line.split_once(' ').unwrap();
        *begun.entry(host.to_owned()).or_insert(0) += 1;
    }
    for (host, count) in &begun {
        assert_eq!((*count, evacuations(host)), (1, 1), "{host}");
    }
    let decided = decisions
        .iter()
        .filter(|d| d["action"] == "evacuate")
        .count();
    assert_eq!(begun.len(), decided);

    // A replay of what was taken in gives the same decisions.
    let mut out = Vec::new();
    replay(&settings, journal.join("\n").as_bytes(), &mut out, false).unwrap();
    let replayed = String::from_utf8(out).unwrap();
    let replayed: Vec<Value> = replayed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let live: Vec<Value> = decisions.into_iter().cloned().collect();
    assert_eq!(replayed[..live.len()], live);
}
