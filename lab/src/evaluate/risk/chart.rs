//! The reliability of methods, as a chart.

use bellwether_core::risk::Horizon;

use super::bins::MINUTES_MIN;
use super::figures::Evaluated;
use crate::evaluate::chart::{Axis, Chart, Line, Panel};

/// Observed by stated frequencies, a panel per horizon; bins with few minutes are left out.
pub fn chart(evaluated: &[Evaluated]) -> Chart {
    let panel = |horizon: Horizon| {
        let of_horizon = evaluated.iter().filter(|e| e.horizon == horizon.minutes());
        let perfect = Line {
            name: "as stated".into(),
            points: vec![(0.0, 0.0), (1.0, 1.0)],
        };
        let lines = of_horizon.map(|evaluated| {
            let bins = evaluated.reliability.iter();
            let bins = bins.filter(|bin| bin.minutes >= MINUTES_MIN);
            Line {
                name: evaluated.method.to_owned(),
                points: bins.map(|bin| (bin.stated, bin.observed)).collect(),
            }
        });
        Panel {
            title: format!("within {} minutes", horizon.minutes()),
            y: Axis::up_to("observed", 1.0),
            lines: [perfect].into_iter().chain(lines).collect(),
        }
    };
    Chart {
        title: "Reliability: how often a failure followed, by the probability that was stated"
            .into(),
        x: Axis::up_to("stated", 1.0),
        groups: vec![Horizon::ALL.map(panel).into()],
    }
}
