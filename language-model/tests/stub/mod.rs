//! A server for chat completions that behaves as a test says, on a port of this machine.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Request line and header, in lower case.
    pub head: String,
    pub body: Value,
}

impl Seen {
    /// The instructions, and the data as JSON.
    pub fn data(&self) -> Value {
        let content = self.body["messages"][1]["content"]
            .as_str()
            .expect("a user's message");
        serde_json::from_str(content).expect("JSON data")
    }

    /// The templates of all hosts.
    pub fn templates(&self) -> Vec<Value> {
        let data = self.data();
        let hosts = data["hosts"].as_array().expect("hosts").iter();
        hosts
            .flat_map(|host| host["templates"].as_array().expect("templates").clone())
            .collect()
    }
}

/// What the server does with one request.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Answers as [`right`] does.
    Right,
    /// Sends these bytes and closes the connection.
    Raw(Vec<u8>),
    /// A completion with this content.
    Content(String),
    /// A response with this status, further header lines, and body.
    Status(u16, &'static str, String),
    /// Answers right, changed by this.
    Changed(fn(&mut Vec<Value>)),
    /// Sends one byte now and then, without an end.
    Drip,
    /// Reads the request and says nothing.
    Silent,
}

type Model = fn(&Value) -> Value;

struct State {
    deeds: VecDeque<Deed>,
    model: Model,
    seen: Vec<Seen>,
    is_over: bool,
}

/// A running server.
pub struct Stub {
    pub url: String,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no test panics with the lock")
}

impl Stub {
    /// A server that answers with `model`.
    pub fn new(model: Model) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let state = Arc::new(Mutex::new(State {
            deeds: VecDeque::new(),
            model,
            seen: Vec::new(),
            is_over: false,
        }));
        let of_thread = Arc::clone(&state);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if lock(&of_thread).is_over {
                    return;
                }
                let state = Arc::clone(&of_thread);
                thread::spawn(move || serve(connection, &state));
            }
        });
        Self { url, state }
    }

    /// Does these with the next requests, one each, and answers further ones by its model.
    pub fn then(&self, deeds: impl IntoIterator<Item = Deed>) {
        lock(&self.state).deeds.extend(deeds);
    }

    /// The requests since the last call.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.state).seen)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        if let Ok(mut state) = self.state.lock() {
            state.is_over = true;
        }
        // Wakes the thread that accepts.
        TcpStream::connect(self.url.trim_start_matches("http://")).ok();
    }
}

fn serve(mut connection: TcpStream, state: &Mutex<State>) {
    connection
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok();
    let Some(seen) = request(&mut connection) else {
        return;
    };
    let (deed, model) = {
        let mut state = lock(state);
        state.seen.push(seen.clone());
        (state.deeds.pop_front().unwrap_or(Deed::Right), state.model)
    };
    let answers = || -> Vec<Value> { seen.templates().iter().map(model).collect() };
    let bytes = match deed {
        Deed::Right => response(
            200,
            "",
            &completion(&json!({ "answers": answers() }).to_string()),
        ),
        Deed::Changed(change) => {
            let mut answers = answers();
            change(&mut answers);
            response(
                200,
                "",
                &completion(&json!({ "answers": answers }).to_string()),
            )
        }
        Deed::Content(content) => response(200, "", &completion(&content)),
        Deed::Status(status, header, body) => response(status, header, &body),
        Deed::Raw(bytes) => bytes,
        Deed::Drip => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
            connection.write_all(head.as_bytes()).ok();
            while connection.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
            return;
        }
        Deed::Silent => {
            // Until the client goes.
            let _gone = connection.read_exact(&mut [0]);
            return;
        }
    };
    connection.write_all(&bytes).ok();
}

/// Reads one request.
fn request(connection: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.split("content-length: ").nth(1)?.lines().next()?;
            if body.len() >= length.trim().parse().ok()? {
                let body = serde_json::from_str(body).ok()?;
                return Some(Seen { head, body });
            }
        }
        match connection.read(&mut buffer) {
            Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

/// A response with a body of JSON, unless the header says otherwise.
pub fn response(status: u16, header: &str, body: &str) -> Vec<u8> {
    let kind = match header.to_lowercase().contains("content-type") {
        true => "",
        false => "Content-Type: application/json; charset=utf-8\r\n",
    };
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{kind}{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

/// A chat completion with this content.
pub fn completion(content: &str) -> String {
    let message = json!({"role": "assistant", "content": content});
    json!({"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).to_string()
}

/// What messages of failures have in common here; no message of a healthy host has any of these.
const FAILING: [&str; 36] = [
    "Out of memory",
    "medium error",
    "Disk failure",
    "Hardware Error",
    "blocked for more",
    "EXT4-fs error",
    "internal error",
    "soft lockup",
    "controller is down",
    "all paths are down",
    "panic",
    "shut down",
    "uncorrectable",
    "FAILED",
    "Degraded",
    "offline device",
    "NULL pointer",
    "Buffer I/O error",
    "Input/output error",
    "critical threshold",
    "broken",
    "lost quorum",
    "dead",
    "worn out",
    "on fire",
    "leaking",
    "overheated",
    "unreadable",
    "failing",
    "corrupt",
    "burst",
    "melted",
    "cracked",
    "shorted",
    "flooded",
    "stolen",
];

/// The answer to one template of a model that knows what fails.
pub fn right(template: &Value) -> Value {
    let text = template["template"].as_str().expect("a template");
    let (verdict, family) = match FAILING.iter().any(|word| text.contains(word)) {
        true => ("failing", "storage"),
        false => ("normal", "none"),
    };
    json!({"id": template["id"], "verdict": verdict, "family": family})
}

/// The same of one that answers "normal" whatever it is asked.
pub fn all_normal(template: &Value) -> Value {
    json!({"id": template["id"], "verdict": "normal", "family": "none"})
}

/// The same of one that answers "failing".
pub fn all_failing(template: &Value) -> Value {
    json!({"id": template["id"], "verdict": "failing", "family": "kernel"})
}
