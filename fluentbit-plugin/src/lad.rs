//! The detector behind the C ABI, as the filter needs it.

use bellwether_agent::text::clean;
use bellwether_sys::{Event, Lad, LadCounters, Record, Value};

use crate::clock;
use crate::event::{self, FieldValue};
use crate::filter::{Detector, Feedback, Line, Outcome, Verdict, is_shown_as};
use crate::risk::{HostRisk, RiskFigures, Said};

/// LAD, why it refused a line last, and the risk of its hosts.
#[derive(Debug)]
pub struct LadDetector {
    lad: Lad,
    refusal: Option<String>,
    risk: Option<HostRisk>,
}

impl LadDetector {
    /// The filter's view of `lad`, and of the risk where it is wanted.
    pub fn new(lad: Lad, risk: Option<HostRisk>) -> Self {
        Self {
            lad,
            refusal: None,
            risk,
        }
    }

    /// The detector itself.
    pub fn lad(&mut self) -> &mut Lad {
        &mut self.lad
    }

    /// The risk, where it is wanted.
    pub fn risk(&mut self) -> Option<&mut HostRisk> {
        self.risk.as_mut()
    }

    /// Joins what the logs say at `now`, by this machine's clock, with what the metrics say; what is to be logged of that.
    pub fn turn(&mut self, now: f64) -> Option<Said> {
        self.risk.as_mut()?.turn(&mut self.lad, now)
    }

    /// What the risk has counted.
    pub fn risk_figures(&self) -> RiskFigures {
        self.risk
            .as_ref()
            .map(HostRisk::figures)
            .unwrap_or_default()
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

/// The record of an event.
fn record_of(event: &Event) -> Vec<u8> {
    let fields: Vec<_> = event
        .fields()
        .map(|field| (field.key, field_value(field.value)))
        .collect();
    let time = event.number("time").unwrap_or_default();
    event::record(time, &fields)
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
                unpredicted: observed.unpredicted,
            }),
            Err(error) => {
                self.refusal = Some(error.to_string());
                None
            }
        }
    }

    fn next_event(&mut self) -> Option<Vec<u8>> {
        let of_risk = |risk: &mut HostRisk| risk.detector().next_event();
        let event = self.lad.next_event();
        event
            .or_else(|| self.risk.as_mut().and_then(of_risk))
            .map(|event| record_of(&event))
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

    fn outcome(&mut self, outcome: &Outcome<'_>) -> Result<(), String> {
        let Some(risk) = &mut self.risk else {
            return Err("option \"risk\" is false; outcomes are for the risk of hosts".into());
        };
        let (host, time) = (
            &outcome.hypervisor,
            outcome.time.unwrap_or_else(clock::wall),
        );
        match risk.detector().outcome(host, time, outcome.fate) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!(
                "there is no host {} whose outcome at that time is not known yet; hypervisor must be that of a record or an event",
                clean(host)
            )),
            Err(error) => Err(error.to_string()),
        }
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
