//! What the controller takes in, in the order in which it took it: the journal's lines.

use bellwether_core::event::Event;
use bellwether_core::policy;
use bellwether_core::units::Time;
use serde_json::{Map, Value};

/// The key of an event's line with the time at which it was taken in.
const RECEIVED: &str = "received";

/// One input of the controller. As JSON it is an event with the additional key `received`, or an input of the policy.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// An event.
    Event {
        /// When it was taken in, by the clock of the controller.
        at: Time,
        /// The event.
        event: Box<Event>,
    },
    /// Anything else.
    Policy(policy::Input),
}

impl Entry {
    /// When it was taken in.
    pub fn at(&self) -> Time {
        match self {
            Self::Event { at, .. } => *at,
            Self::Policy(input) => input.time,
        }
    }

    /// The input as one line of JSON.
    pub fn to_json(&self) -> String {
        match self {
            Self::Event { at, event } => {
                let mut json = event.to_json();
                // An event is an object with keys.
                json.truncate(json.len() - 1);
                json + &format!(",\"{RECEIVED}\":{}}}", Value::from(at.secs()))
            }
            Self::Policy(input) => serde_json::to_string(input).expect("an input is JSON"),
        }
    }

    /// The input of one line of JSON; an event without `received` is taken in at its own time.
    ///
    /// # Errors
    /// It is neither an event nor an input of the policy.
    pub fn from_json(line: &str) -> Result<Self, serde_json::Error> {
        let object: Map<String, Value> = serde_json::from_str(line)?;
        if object.contains_key("input") {
            return Ok(Self::Policy(serde_json::from_value(Value::Object(object))?));
        }
        let received = object.get(RECEIVED).and_then(Value::as_f64);
        let event: Event = serde_json::from_value(Value::Object(object))?;
        Ok(Self::Event {
            at: received.map_or(event.time, Time::from_secs),
            event: Box::new(event),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_the_same_after_a_round_trip_through_its_line() {
        for line in [
            r#"{"time":1700000000.5,"input":"pause","by":"ada","reason":"power work"}"#,
            r#"{"time":1700000000.5,"input":"tick"}"#,
            r#"{"event":"hypervisor_silence","schema":1,"time":1050.0,"state":"raised","severity":"warning","hypervisor":"hv1","score":0.0,"message":"m","since":990.0,"incident":"a92e671d4e2f0d29a3328573f3d70aaa","vms":5,"received":1052.25}"#,
        ] {
            let entry = Entry::from_json(line).unwrap();
            assert_eq!(entry.to_json(), line);
        }
    }

    #[test]
    fn an_event_without_a_time_of_arrival_arrives_at_its_own_time() {
        let line = r#"{"event":"hypervisor_silence","time":1050.0,"state":"raised","severity":"warning","hypervisor":"hv1","score":0.0,"message":"m","since":990.0,"incident":"a92e671d4e2f0d29a3328573f3d70aaa","vms":5}"#;
        assert_eq!(Entry::from_json(line).unwrap().at().secs(), 1050.0);
    }
}
