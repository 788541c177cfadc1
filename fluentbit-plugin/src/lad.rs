//! The detector behind the C ABI, as the filter needs it.

use bellwether_agent::text::clean;
use bellwether_sys::{Lad, LadCounters, Record, Value};

use crate::event::{self, FieldValue};
use crate::filter::{Detector, Feedback, Line, Verdict, is_shown_as};

/// LAD, and why it refused a line last.
#[derive(Debug)]
pub struct LadDetector {
    lad: Lad,
    refusal: Option<String>,
}

impl LadDetector {
    /// The filter's view of `lad`.
    pub fn new(lad: Lad) -> Self {
        Self { lad, refusal: None }
    }

    /// The detector itself.
    pub fn lad(&mut self) -> &mut Lad {
        &mut self.lad
    }

    /// Promises that no line from before `time`, in seconds since the epoch, is going to come.
    pub fn advance(&mut self, time: f64) {
        if let Err(error) = self.lad.advance(time) {
            self.refusal = Some(error.to_string());
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> LadCounters {
        self.lad.counters().unwrap_or_default()
    }

    /// Why a line was refused last, as ": REASON"; empty where none was, or only for its stream or its time.
    pub fn refusal(&self) -> String {
        let refusal = self.refusal.as_ref();
        refusal.map_or_else(String::new, |why| format!(": {why}"))
    }
}

fn field_value(value: Value<'_>) -> FieldValue<'_> {
    match value {
        Value::Text(text) => FieldValue::Text(text),
        Value::Number(number) => FieldValue::Number(number),
        Value::Integer(number) => FieldValue::Integer(number),
        Value::Flag(flag) => FieldValue::Flag(flag),
    }
}

impl Detector for LadDetector {
    fn observe(&mut self, line: &Line<'_>) -> Option<Verdict<'_>> {
        let record = Record {
            stream: line.stream,
            time: line.time,
            text: line.text,
            priority: line.priority,
            program: line.program,
            unit: line.unit,
            tag: line.tag,
            transport: line.transport,
        };
        match self.lad.observe(&record) {
            Ok(observed) => Some(Verdict {
                template_id: observed.template_id,
                template: observed.template.unwrap_or_default(),
                severity: observed.severity,
                family: observed.family,
                score: observed.score,
                novel: observed.novel && !observed.training,
            }),
            Err(error) => {
                self.refusal = Some(error.to_string());
                None
            }
        }
    }

    fn next_event(&mut self) -> Option<Vec<u8>> {
        let event = self.lad.next_event()?;
        let fields: Vec<_> = event
            .fields()
            .map(|field| (field.key, field_value(field.value)))
            .collect();
        let time = event.number("time").unwrap_or_default();
        Some(event::record(time, &fields))
    }

    fn next_question(&mut self, time: f64) -> Option<Vec<u8>> {
        let question = self.lad.next_question()?;
        let (hypervisor, program) = (clean(&question.stream), &*question.program);
        let mut fields = vec![
            (event::KIND, FieldValue::Text(event::QUESTION)),
            (event::SCHEMA, FieldValue::Integer(1)),
            ("time", FieldValue::Number(time)),
            ("hypervisor", FieldValue::Text(&hypervisor)),
            ("template", FieldValue::Text(&question.template)),
            ("template_id", FieldValue::Integer(question.template_id)),
            ("program", FieldValue::Text(program)),
            ("count", FieldValue::Integer(question.count)),
            ("benign", FieldValue::Texts(&question.benign)),
        ];
        fields.retain(|field| *field != ("program", FieldValue::Text("")));
        Some(event::record(time, &fields))
    }

    fn apply(&mut self, feedback: &Feedback<'_>) -> Result<usize, String> {
        let host = feedback.hypervisor.as_deref();
        // A record may show less of the template than there is.
        let whole = match (host, feedback.template_id) {
            (Some(host), Some(id)) => self
                .lad
                .template(host, id)
                .filter(|known| is_shown_as(known, feedback.template))
                .map(str::to_owned),
            _ => None,
        };
        let template = whole.as_deref().unwrap_or(feedback.template);
        let applied = self
            .lad
            .feedback_by_text(host, template, feedback.verdict, feedback.family)
            .map_err(|error| error.to_string())?;
        match host {
            Some(host) if applied == 0 => Err(format!(
                "there is no such template of {host}; template and hypervisor must be those of a record, an event or a question"
            )),
            _ => Ok(applied),
        }
    }
}
