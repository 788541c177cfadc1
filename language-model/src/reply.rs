//! A model's reply: checked before anything of it is used. Only enums come out.

use std::collections::HashMap;
use std::fmt;

use bellwether_core::inference::Family;
use serde::Deserialize;

use crate::prompt::{Item, NO_FAMILY};
use crate::question::Verdict;

/// Why a request has no usable reply. It holds no text of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The server cannot be reached.
    Connect,
    /// Its certificate is not valid, or there is no encrypted connection with it for another reason.
    Tls,
    /// It was not complete in time.
    Timeout,
    /// The connection ended early, or what came is not HTTP.
    Connection,
    /// It wants the request to go elsewhere, which is not followed: the key and the log are for the configured server only.
    Redirect,
    /// A status other than 200.
    Status(u16),
    /// Its content type is not JSON.
    ContentType,
    /// It is longer than the limit.
    TooLong,
    /// It is not the JSON of a chat completion.
    NotCompletion,
    /// It has no choice, or one without content.
    Empty,
    /// The model refused to answer.
    Refused,
    /// The model calls a tool, although none was offered.
    ToolCall,
    /// The model's answer was cut off.
    Cut,
    /// The model's answer is not the one JSON object that was asked for.
    NotAnswers,
    /// The model used a verdict or a family that does not exist.
    Vocabulary,
    /// An id is missing, doubled or was not asked for.
    Ids,
}

impl Fault {
    /// Whether the same request may well succeed later.
    pub(crate) fn is_temporary(self) -> bool {
        match self {
            Fault::Status(status) => matches!(status, 408 | 425 | 429 | 500..),
            Fault::Redirect | Fault::Tls => false,
            _ => true,
        }
    }

    /// Whether the server answered and the model's part is wrong.
    pub(crate) fn is_of_model(self) -> bool {
        matches!(
            self,
            Fault::Empty
                | Fault::Refused
                | Fault::ToolCall
                | Fault::Cut
                | Fault::NotAnswers
                | Fault::Vocabulary
                | Fault::Ids
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Connect => "cannot connect to the server",
            Fault::Tls => {
                "no encrypted connection; the server's certificate must be valid for its name and signed by an authority that this \
                 system trusts"
            }
            Fault::Timeout => "no complete response in time",
            Fault::Connection => "the connection ended early, or the response is not HTTP",
            Fault::Redirect => "the server redirects, which is not followed; use the URL that it redirects to",
            Fault::Status(status @ (401 | 403)) => {
                return write!(f, "the server does not accept the key (status {status})");
            }
            Fault::Status(404) => "the server does not know the path or the model (status 404)",
            Fault::Status(status) => return write!(f, "the server responds with status {status}"),
            Fault::ContentType => "the response is not of type application/json",
            Fault::TooLong => "the response is too long",
            Fault::NotCompletion => "the response is not a chat completion",
            Fault::Empty => "the response has no content",
            Fault::Refused => "the model refuses to answer",
            Fault::ToolCall => "the model calls a tool instead of answering",
            Fault::Cut => "the model's answer is cut off",
            Fault::NotAnswers => "the model's answer is not the JSON that was asked for",
            Fault::Vocabulary => "the model's answer has an unknown verdict or family",
            Fault::Ids => "the model's answer has missing, doubled or unknown ids",
        })
    }
}

/// What a model says of one template.
pub(crate) type Said = (Verdict, Option<Family>);

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(default)]
    function_call: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    answers: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: u32,
    verdict: String,
    family: String,
}

/// What the completion in `body` says of each item, in the order of the items.
///
/// # Errors
/// Anything that is not exactly one answer of the known words for each item.
pub(crate) fn read(body: &[u8], items: &[Item<'_>]) -> Result<Vec<Said>, Fault> {
    let completion: Completion = serde_json::from_slice(body).map_err(|_| Fault::NotCompletion)?;
    let choice = completion.choices.into_iter().next().ok_or(Fault::Empty)?;
    let message = choice.message;
    if message.refusal.is_some_and(|text| !text.is_empty()) {
        return Err(Fault::Refused);
    }
    if message.tool_calls.is_some_and(|calls| !calls.is_empty()) || message.function_call.is_some()
    {
        return Err(Fault::ToolCall);
    }
    match choice.finish_reason.as_deref() {
        Some("length") => return Err(Fault::Cut),
        Some("content_filter") => return Err(Fault::Refused),
        _ => {}
    }
    let content = message.content.unwrap_or_default();
    if content.trim().is_empty() {
        return Err(Fault::Empty);
    }
    let answers: Answers =
        serde_json::from_str(unfenced(content.trim())).map_err(|error| match error.is_eof() {
            true => Fault::Cut,
            false => Fault::NotAnswers,
        })?;
    matched(answers.answers, items)
}

/// The answers by item.
fn matched(lines: Vec<Line>, items: &[Item<'_>]) -> Result<Vec<Said>, Fault> {
    let mut by_id = HashMap::with_capacity(items.len());
    if lines.len() != items.len() {
        return Err(Fault::Ids);
    }
    for line in lines {
        let verdict = Verdict::from_name(&line.verdict).ok_or(Fault::Vocabulary)?;
        let family = match Family::from_name(&line.family) {
            None if line.family != NO_FAMILY => return Err(Fault::Vocabulary),
            // A model that adds a family to what does not fail contradicts itself only in words.
            family => family.filter(|_| verdict == Verdict::Failing),
        };
        if by_id.insert(line.id, (verdict, family)).is_some() {
            return Err(Fault::Ids);
        }
    }
    let said = items.iter().map(|item| by_id.remove(&item.id));
    said.collect::<Option<_>>().ok_or(Fault::Ids)
}

/// A text without the Markdown fence around it, which models add where no form is enforced.
fn unfenced(text: &str) -> &str {
    let inner = text
        .strip_prefix("```json")
        .or_else(|| text.strip_prefix("```"))
        .and_then(|text| text.strip_suffix("```"));
    inner.map_or(text, str::trim)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ITEM: Item<'_> = Item {
        id: 101,
        group: 0,
        program: "",
        template: "",
        count: 1,
        normal: &[],
    };

    fn of_message(message: &Value) -> Result<Vec<Said>, Fault> {
        let items = [ITEM, Item { id: 205, ..ITEM }];
        let body = json!({"choices": [{"message": message, "finish_reason": "stop"}]});
        read(body.to_string().as_bytes(), &items)
    }

    fn of_content(content: &str) -> Result<Vec<Said>, Fault> {
        of_message(&json!({"role": "assistant", "content": content}))
    }

    fn line(id: u32, verdict: &str, family: &str) -> Value {
        json!({"id": id, "verdict": verdict, "family": family})
    }

    fn of_lines(lines: &[Value]) -> Result<Vec<Said>, Fault> {
        of_content(&json!({ "answers": lines }).to_string())
    }

    #[test]
    fn each_item_gets_the_answer_with_its_id_whatever_their_order() {
        let said = of_lines(&[
            line(205, "normal", "storage"),
            line(101, "failing", "cpu_pressure"),
        ]);
        let expected = [
            (Verdict::Failing, Some(Family::CpuPressure)),
            (Verdict::Normal, None),
        ];
        assert_eq!(said, Ok(expected.to_vec()));
    }

    #[test]
    fn ids_that_are_missing_doubled_or_unknown_void_the_reply() {
        let a = || line(101, "normal", "none");
        for lines in [
            vec![a()],
            vec![a(), a()],
            vec![a(), line(999, "normal", "none")],
            vec![a(), line(205, "normal", "none"), a()],
            vec![],
        ] {
            assert_eq!(of_lines(&lines), Err(Fault::Ids), "{lines:?}");
        }
    }

    #[test]
    fn words_outside_the_lists_void_the_reply() {
        for (verdict, family) in [
            ("Failing", "none"),
            ("ok", "none"),
            ("failing", "weather"),
            ("normal", ""),
        ] {
            let lines = [line(101, verdict, family), line(205, "normal", "none")];
            assert_eq!(
                of_lines(&lines),
                Err(Fault::Vocabulary),
                "{verdict} {family}"
            );
        }
    }

    #[test]
    fn a_reply_is_json_alone_or_in_one_fence() {
        let answers =
            json!({"answers": [line(101, "normal", "none"), line(205, "unknown", "none")]});
        let whole = answers.to_string();
        for good in [
            whole.clone(),
            format!("```json\n{whole}\n```"),
            format!("\n```\n{whole}```\n"),
        ] {
            assert!(of_content(&good).is_ok(), "{good}");
        }
        assert_eq!(of_content(&whole[..whole.len() - 4]), Err(Fault::Cut));
        for bad in [
            format!("Here you are: {whole}"),
            format!("{whole} I hope this helps"),
            format!("{whole}{whole}"),
            "all is normal".into(),
            whole.replace("\"family\"", "\"why\":\"x\",\"family\""),
            whole.replace("101", "\"101\""),
            whole.replace("101", "-101"),
        ] {
            assert_eq!(of_content(&bad), Err(Fault::NotAnswers), "{bad}");
        }
    }

    #[test]
    fn completions_without_an_answer_are_told_apart() {
        let of = |body: &Value| read(body.to_string().as_bytes(), &[ITEM]).unwrap_err();
        assert_eq!(of(&json!({"choices": []})), Fault::Empty);
        assert_eq!(
            of(&json!({"error": {"message": "x"}})),
            Fault::NotCompletion
        );
        assert_eq!(of(&json!([])), Fault::NotCompletion);
        assert_eq!(read(b"<html>", &[ITEM]), Err(Fault::NotCompletion));
        let cut = json!({"choices": [{"message": {"content": "{"}, "finish_reason": "length"}]});
        assert_eq!(of(&cut), Fault::Cut);
        assert_eq!(of_message(&json!({"content": null})), Err(Fault::Empty));
        let refusal = json!({"content": null, "refusal": "I cannot help with that"});
        assert_eq!(of_message(&refusal), Err(Fault::Refused));
        let call =
            json!({"content": null, "tool_calls": [{"id": "x", "function": {"name": "rm"}}]});
        assert_eq!(of_message(&call), Err(Fault::ToolCall));
    }

    #[test]
    fn no_fault_is_described_by_more_than_fixed_words_and_a_number() {
        assert!(Fault::Status(401).to_string().contains("key"));
        assert!(Fault::Status(503).to_string().contains("503"));
        assert!(Fault::Redirect.to_string().contains("not followed"));
    }
}
