//! The running service: what it takes in, what it shows, what it lets be ordered, and by whom.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Running, anomaly, config, failure, now, policy, raw, request};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn two_kinds_of_evidence_make_a_suggestion_that_says_why_and_one_makes_none() {
    let running = Running::start(&config(&policy("confirm"), None)).await;
    let answer = running.post(&anomaly("hv1", now()).to_string()).await;
    assert_eq!(answer.json()["accepted"], 1, "{answer:?}");
    running
        .until("/v1/hosts", |hosts| hosts["found"] == 1)
        .await;
    let quiet = running.get("/v1/suggestions").await;
    assert_eq!(quiet["suggestions"], json!([]));
    running.post(&failure("hv1", now(), true).to_string()).await;
    let wanted = |answer: &Value| answer["suggestions"][0]["host"] == "hv1";
    let answer = running.until("/v1/suggestions", wanted).await;
    let suggestion = &answer["suggestions"][0];
    assert_eq!(suggestion["rule"], "two_kinds");
    assert!(
        !suggestion["reasons"].as_array().unwrap().is_empty(),
        "{suggestion}"
    );
    let host = running.get("/v1/hosts/hv1").await;
    assert_eq!(host["health"], "red");
    assert_eq!(host["incidents"].as_object().unwrap().len(), 2);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_log_line_and_a_provisional_anomaly_suggest_nothing() {
    let running = Running::start(&config(&policy("confirm"), None)).await;
    let mut provisional = anomaly("hv2", now());
    provisional["provisional"] = true.into();
    let events = json!([
        anomaly("hv1", now()),
        failure("hv1", now(), false),
        provisional,
        failure("hv2", now(), true),
    ]);
    running.post(&events.to_string()).await;
    running
        .until("/v1/hosts", |hosts| hosts["found"] == 2)
        .await;
    // Something that happens afterwards shows that all of it was judged.
    running.red("hv3").await;
    let answer = running.get("/v1/suggestions").await;
    assert_eq!(
        answer["suggestions"].as_array().unwrap().len(),
        1,
        "{answer}"
    );
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_suggestion_is_carried_out_once_and_recorded() {
    let running = Running::start(&config(&policy("confirm"), None)).await;
    let id = running.red("hv1").await;
    let path = format!("/v1/suggestions/{id}/approve");
    let answer = running.send("POST", &path, r#"{"by":"ada"}"#).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let wanted = |answer: &Value| answer["evacuations"][0]["phase"] == "ended";
    let answer = running.until("/v1/suggestions", wanted).await;
    assert_eq!(answer["evacuations"][0]["note"], "1 guest moved");
    let calls = running.executor.called();
    assert_eq!(
        calls,
        [format!("cordon {id} hv1"), format!("evacuate {id} hv1")]
    );
    // It is over: nobody can approve it again.
    let again = running.send("POST", &path, r#"{"by":"ada"}"#).await;
    assert!([404, 409].contains(&again.status), "{again:?}");
    let audit = running.send("GET", "/v1/audit", "").await;
    let lines: Vec<Value> = audit
        .body
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let orders: Vec<_> = lines
        .iter()
        .filter(|line| line["kind"] == "order")
        .collect();
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!(orders[0]["what"]["by"], "ada");
    let evacuations = |line: &&Value| line["what"]["action"] == "evacuate";
    assert_eq!(lines.iter().filter(evacuations).count(), 1);
    let page = running.send("GET", "/v1/audit?after=2&limit=1", "").await;
    assert_eq!(page.body.lines().count(), 1);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_evacuation_is_undone_and_says_why() {
    let running = Running::start(&config(&policy("confirm"), None)).await;
    running.executor.fails.store(true, Ordering::SeqCst);
    let id = running.red("hv1").await;
    let path = format!("/v1/suggestions/{id}/approve");
    running.send("POST", &path, "").await;
    let wanted = |answer: &Value| answer["evacuations"][0]["phase"] == "failed";
    let answer = running.until("/v1/suggestions", wanted).await;
    assert_eq!(
        answer["evacuations"][0]["note"],
        "no target has memory left"
    );
    assert_eq!(
        running.executor.called().last().unwrap(),
        &format!("undo {id} hv1")
    );
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_evacuation_shows_its_steps_and_can_be_canceled() {
    let running = Running::start(&config(&policy("confirm"), None)).await;
    running.executor.lasts.store(true, Ordering::SeqCst);
    let id = running.red("hv1").await;
    running
        .send("POST", &format!("/v1/suggestions/{id}/approve"), "")
        .await;
    let key = id.to_string();
    let wanted = |answer: &Value| answer["running"][&key]["steps"][0]["guest"] == "vm1";
    running.until("/v1/suggestions", wanted).await;
    let path = format!("/v1/suggestions/{id}/cancel");
    assert_eq!(running.send("POST", &path, "").await.status, 200);
    let wanted = |answer: &Value| answer["evacuations"][0]["phase"] == "failed";
    running.until("/v1/suggestions", wanted).await;
    running
        .until("/v1/suggestions", |answer| answer["running"] == json!({}))
        .await;
    assert_eq!(running.send("POST", &path, "").await.status, 404);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_suggestion_is_over_and_moves_nothing() {
    let running = Running::start(&config(&policy("confirm"), None)).await;
    let id = running.red("hv1").await;
    let path = format!("/v1/suggestions/{id}/dismiss");
    let wrong = running.send("POST", &path, r#"{"verdict":"maybe"}"#).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("confirmed"), "{wrong:?}");
    let answer = running
        .send("POST", &path, r#"{"by":"ada","verdict":"false"}"#)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = running.get("/v1/suggestions").await;
    assert_eq!(answer["suggestions"], json!([]));
    assert!(running.executor.called().is_empty());
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_mode_suggest_an_approval_is_refused_with_the_reason() {
    let running = Running::start(&config("", None)).await;
    let id = running.red("hv1").await;
    let answer = running
        .send("POST", &format!("/v1/suggestions/{id}/approve"), "")
        .await;
    assert_eq!(answer.status, 409);
    assert!(answer.body.contains("suggest"), "{answer:?}");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_paused_nothing_moves_and_after_it_the_approved_does() {
    let running = Running::start(&config(&policy("auto"), None)).await;
    let paused = running
        .send("POST", "/v1/pause", r#"{"by":"ada","reason":"power work"}"#)
        .await;
    assert_eq!(paused.status, 200, "{paused:?}");
    running.red("hv1").await;
    let answer = running.get("/v1/suggestions").await;
    assert_eq!(answer["pause"]["reason"], "power work");
    assert_eq!(answer["evacuations"], json!([]));
    running.send("POST", "/v1/resume", "{}").await;
    let wanted = |answer: &Value| answer["evacuations"][0]["phase"] == "ended";
    let answer = running.until("/v1/suggestions", wanted).await;
    assert_eq!(answer["pause"], Value::Null);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brake_trips_when_many_hosts_turn_red_and_holds_until_it_is_reset() {
    let text = policy("auto").replace("trip_hosts = 100000", "trip_hosts = 3");
    let text = text.replace("hold_down_sec = 0", "hold_down_sec = 60");
    let running = Running::start(&config(&text, None)).await;
    for host in ["hv1", "hv2"] {
        running.red(host).await;
    }
    let third = json!([anomaly("hv3", now()), failure("hv3", now(), true)]);
    running.post(&third.to_string()).await;
    let answer = running
        .until("/v1/suggestions", |answer| answer["brake"].is_object())
        .await;
    assert_eq!(answer["brake"]["rule"], "trip_hosts");
    assert_eq!(answer["evacuations"], json!([]));
    let metrics = running.send("GET", "/metrics", "").await;
    assert!(
        metrics.body.contains("bellwether_controller_tripped 1"),
        "{metrics:?}"
    );
    running.send("POST", "/v1/reset", r#"{"by":"ada"}"#).await;
    running
        .until("/v1/suggestions", |answer| answer["brake"].is_null())
        .await;
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_counts_once() {
    let running = Running::start(&config("", None)).await;
    let event = anomaly("hv1", now()).to_string();
    assert_eq!(running.post(&event).await.json()["accepted"], 1);
    let again = running.post(&format!("[{event},{event}]")).await.json();
    assert_eq!(
        (&again["accepted"], &again["repeated"]),
        (&json!(0), &json!(2))
    );
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_its_status_and_what_is_wrong() {
    let mut small = config("", None);
    small.server.max_body_kib = 1;
    let running = Running::start(&small).await;
    for (body, status, part) in [
        ("{".to_owned(), 400, "is not JSON"),
        ("{}".to_owned(), 422, "no key"),
        (format!("\"{}\"", "x".repeat(2000)), 413, "max_body_kib"),
    ] {
        let answer = running.post(&body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(
            answer.json()["error"].as_str().unwrap().contains(part),
            "{answer:?}"
        );
    }
    let packed = [("Content-Type", "application/msgpack")];
    let answer = request(running.service.address, "POST", "/v1/events", &packed, "x")
        .await
        .unwrap();
    assert_eq!(answer.status, 415);
    let answer = running.send("GET", "/v1/event", "").await;
    assert_eq!(answer.status, 404);
    let answer = running.send("GET", "/v1/events", "").await;
    assert_eq!(answer.status, 405, "{answer:?}");
    let answer = running.send("GET", "/v1/hosts?limt=3", "").await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let answer = running
        .send("POST", "/v1/suggestions/seven/approve", "")
        .await;
    assert_eq!(answer.status, 400);
    let answer = running.send("POST", "/v1/suggestions/7/approve", "").await;
    assert!([404, 409].contains(&answer.status), "{answer:?}");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_queue_a_sender_is_asked_to_come_again() {
    let mut small = config("", None);
    small.ingest.queue_length = 1;
    let running = Running::start(&small).await;
    // The engine is kept from its work, so the first event waits in the queue.
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let engine = running.service.engine.clone();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let hold = tokio::spawn(async move {
        engine
            .query(move |_, _| {
                begun.send(()).unwrap();
                wait.recv().unwrap();
            })
            .await
    });
    has_begun.await.unwrap();
    let first = anomaly("hv1", now()).to_string();
    let address = running.service.address;
    let headers = [("Content-Type", "application/json")];
    let waits =
        tokio::spawn(async move { request(address, "POST", "/v1/events", &headers, &first).await });
    for _ in 0..1200 {
        if running.service.engine.queued() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answer = running.post(&anomaly("hv2", now()).to_string()).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert!(answer.head.contains("retry-after: 1"), "{answer:?}");
    go.send(()).unwrap();
    hold.await.unwrap().unwrap();
    assert_eq!(waits.await.unwrap().unwrap().status, 200);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_shows_what_happens_and_has_a_limit() {
    let mut one = config("", None);
    one.server.max_streams = 1;
    let running = Running::start(&one).await;
    let mut notices = running.service.engine.notices();
    let address = running.service.address;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains("text/event-stream") {
        let count = stream.read(&mut buffer).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    assert_eq!(running.send("GET", "/v1/stream", "").await.status, 503);
    running.post(&anomaly("hv1", now()).to_string()).await;
    while !text.contains("event: event") || !text.contains("hypervisor_anomaly") {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    let mut kinds = Vec::new();
    while !kinds.contains(&"event") {
        kinds.push(notices.recv().await.unwrap().kind);
    }
    drop(stream);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_a_page_of_another_origin_cannot_operate_it() {
    let running = Running::start(&config("", None)).await;
    let address = running.service.address;
    let rebound = [
        ("Host", "evil.example"),
        ("Content-Type", "application/json"),
    ];
    let answer = request(address, "POST", "/v1/pause", &rebound, "{}")
        .await
        .unwrap();
    assert_eq!(answer.status, 403);
    let foreign = [
        ("Origin", "http://evil.example"),
        ("Content-Type", "application/json"),
    ];
    let answer = request(address, "POST", "/v1/pause", &foreign, "{}")
        .await
        .unwrap();
    assert_eq!(answer.status, 403);
    // A form can be sent across origins, and not with this media type.
    let form = [("Content-Type", "text/plain")];
    let answer = request(address, "POST", "/v1/pause", &form, "{}")
        .await
        .unwrap();
    assert_eq!(answer.status, 415);
    let answer = running.get("/v1/suggestions").await;
    assert_eq!(answer["pause"], Value::Null);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_may_post_and_only_operators_may_operate() {
    let folder = tempfile::tempdir().unwrap();
    let (operators, senders) = (folder.path().join("o"), folder.path().join("s"));
    std::fs::write(&operators, "operators-token-0001\n").unwrap();
    std::fs::write(&senders, "senders-token-0000001\n").unwrap();
    let mut guarded = config("", None);
    guarded.server.token_file = Some(operators);
    guarded.server.ingest_token_file = Some(senders);
    let running = Running::start(&guarded).await;
    let address = running.service.address;
    let event = anomaly("hv1", now()).to_string();
    let send = async |path: &'static str, token: &'static str, body: &str| {
        let token = format!("Bearer {token}");
        let mut headers = vec![("Content-Type", "application/json")];
        if token != "Bearer " {
            headers.push(("Authorization", token.as_str()));
        }
        request(address, "POST", path, &headers, body)
            .await
            .unwrap()
            .status
    };
    assert_eq!(send("/v1/events", "", &event).await, 401);
    assert_eq!(
        send("/v1/events", "senders-token-0000002", &event).await,
        401
    );
    assert_eq!(
        send("/v1/events", "senders-token-0000001", &event).await,
        200
    );
    assert_eq!(send("/v1/pause", "senders-token-0000001", "{}").await, 403);
    assert_eq!(send("/v1/pause", "operators-token-0001", "{}").await, 200);
    assert_eq!(
        send("/v1/events", "operators-token-0001", &event).await,
        200
    );
    // Whoever watches whether it is alive needs no token.
    assert_eq!(
        request(address, "GET", "/healthz", &[], "")
            .await
            .unwrap()
            .status,
        200
    );
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_token_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "short\n").unwrap();
    let mut guarded = config("", None);
    guarded.server.token_file = Some(file);
    let error = bellwether_controller::http::Access::read(&guarded.server).unwrap_err();
    assert!(error.to_string().contains("16 to 4096"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_it_speaks_tls_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut guarded = config("", None);
    guarded.server.tls_cert = Some(cert.clone());
    guarded.server.tls_key = Some(key);
    let running = Running::start(&guarded).await;
    let address = running.service.address;
    let plain = raw(address, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(plain.is_none_or(|answer| answer.status != 200));
    let url = format!("https://localhost:{}", address.port());
    let answer = tokio::task::spawn_blocking(move || {
        let client = bellwether_controller::client::Client::new(&url, None, Some(&cert)).unwrap();
        client.get("/healthz")
    });
    assert_eq!(answer.await.unwrap().as_deref(), Ok("ok\n"));
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_shown_the_worst_first_and_can_be_searched() {
    let running = Running::start(&config(&policy("confirm"), None)).await;
    let events = json!([anomaly("hv1", now()), anomaly("hv2", now())]);
    running.post(&events.to_string()).await;
    running.red("hv9").await;
    let answer = running
        .until("/v1/hosts", |hosts| hosts["found"] == 3)
        .await;
    assert_eq!(answer["hosts"][0]["host"], "hv9");
    assert_eq!(running.get("/v1/hosts?name=hv1").await["found"], 1);
    assert_eq!(running.get("/v1/hosts?health=red").await["found"], 1);
    assert_eq!(
        running.get("/v1/hosts?limit=1").await["hosts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(running.send("GET", "/v1/hosts/hv4", "").await.status, 404);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = config(&policy("confirm"), Some(folder.path()));
    let running = Running::start(&settings).await;
    let event = anomaly("hv2", now()).to_string();
    running.post(&event).await;
    let id = running.red("hv1").await;
    running.send("POST", "/v1/pause", r#"{"by":"ada"}"#).await;
    running.service.stop().await;
    let running = Running::start(&settings).await;
    let answer = running.get("/v1/suggestions").await;
    assert_eq!(answer["suggestions"][0]["id"], id);
    assert_eq!(answer["pause"]["by"], "ada");
    assert_eq!(running.post(&event).await.json()["repeated"], 1);
    // A second controller on the same database would act, too.
    let second = bellwether_controller::store::Store::open(settings.store.path.as_deref());
    assert!(second.is_err());
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_count_from_the_restart_on() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&config("", Some(folder.path()))).await;
    let id = running.red("hv1").await;
    running.service.stop().await;
    let running = Running::start(&config(&policy("confirm"), Some(folder.path()))).await;
    let answer = running
        .send("POST", &format!("/v1/suggestions/{id}/approve"), "")
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let wanted = |answer: &Value| answer["evacuations"][0]["phase"] == "ended";
    running.until("/v1/suggestions", wanted).await;
    running.service.stop().await;
}
