//! A language model as a second reader of log templates that the lexicon leaves open (VMFT-LAD's adaptive learning; lecture,
//! chapter 4), through any server that speaks OpenAI's `/v1/chat/completions`.
//!
//! Log text is hostile to language models, and a well-formed reply need not be right. Hence:
//!
//! - Only enums leave this crate: a [`Verdict`] and a family. No text of a model and no text of a server reaches an answer, a notice
//!   or an error.
//! - The model passes an exam before the first question and once a day; in every batch two templates with known
//!   verdicts stand between the others. If one of them is wrong, no answer of the batch counts.
//! - Templates have no parameters and at most [`TEMPLATE_MAX_BYTES`], and are quoted as JSON.
//! - Time, requests, templates and bytes are bounded. What could not be answered is [`Verdict::Unknown`].
//!
//! The feature `arguments` has the arguments of a command line (clap).
//!
//! Everything blocks and nothing starts a thread. The time of day comes from the caller; only timeouts and pauses use a clock.
//!
//! ```no_run
//! use bellwether_core::units::Time;
//! use bellwether_language_model::{Client, Question, Settings};
//!
//! let mut client = Client::new(Settings::new("http://127.0.0.1:8080", "some-model"))?;
//! let answers = client.ask(
//!     Time::from_secs(1_700_000_000.0),
//!     &[Question { host: "kvm1", template: "md<:*:>: rebuild stopped at <:NUM:>", program: "kernel", count: 3, benign: &[] }],
//! );
//! println!("{:?}", answers[0].verdict);
//! for notice in client.notices() {
//!     eprintln!("{notice}");
//! }
//! # Ok::<(), bellwether_language_model::Error>(())
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

#[cfg(feature = "arguments")]
mod arguments;
mod backoff;
mod budget;
mod cache;
mod client;
mod endpoint;
mod exam;
mod key;
mod notice;
mod prompt;
mod question;
mod reader;
mod reply;
mod settings;

#[cfg(feature = "arguments")]
pub use arguments::ModelArguments;
pub use client::Client;
pub use key::Key;
pub use notice::{Counters, Notice};
pub use prompt::TEMPLATE_MAX_BYTES;
pub use question::{Answer, Origin, Question, Verdict};
pub use reader::Reader;
pub use reply::Fault;
pub use settings::{Error, Settings};
