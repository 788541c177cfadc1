//! Evacuations and how far each is.

use bellwether_core::policy::Decision;
use rusqlite::params;
use serde::Serialize;

use super::{Store, StoreError};

/// How far an evacuation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionPhase {
    /// It is decided and nothing was done yet.
    Decided,
    /// The executor was called.
    Started,
    /// All guests are away.
    Ended,
    /// It failed, at least in part, or was canceled.
    Failed,
}

impl ActionPhase {
    const ALL: [Self; 4] = [Self::Decided, Self::Started, Self::Ended, Self::Failed];

    /// Its word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Started => "started",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }
}

/// An evacuation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActionRow {
    /// The suggestion that it carries out.
    pub suggestion: u64,
    /// The host.
    pub host: String,
    /// How far it is.
    pub phase: ActionPhase,
    /// When it came that far.
    pub time: f64,
    /// The decision.
    #[serde(skip)]
    pub decision: Decision,
    /// What is to be known about it: guests moved, or why it failed.
    pub note: String,
}

impl Store {
    pub(super) fn add_action(&self, decision: &Decision, json: &str) -> Result<(), StoreError> {
        let Some(id) = decision.id else {
            return Ok(());
        };
        let sql = "INSERT INTO actions(suggestion, host, phase, time, decision, note) VALUES (?1, ?2, 'decided', ?3, ?4, '')
            ON CONFLICT(suggestion) DO NOTHING";
        let mut insert = self.db.prepare_cached(sql)?;
        insert.execute(params![
            id.0 as i64,
            decision.host,
            decision.time.secs(),
            json
        ])?;
        Ok(())
    }

    /// Sets how far an evacuation is; `false` if there is none that comes before.
    ///
    /// # Errors
    /// The database failed.
    pub fn set_action(
        &self,
        suggestion: u64,
        phase: ActionPhase,
        time: f64,
        note: &str,
    ) -> Result<bool, StoreError> {
        let from = match phase {
            ActionPhase::Decided => return Ok(false),
            ActionPhase::Started => "('decided')",
            ActionPhase::Ended | ActionPhase::Failed => "('decided', 'started')",
        };
        let sql = format!(
            "UPDATE actions SET phase = ?2, time = ?3, note = ?4 WHERE suggestion = ?1 AND phase IN {from}"
        );
        let mut update = self.db.prepare_cached(&sql)?;
        let row = params![suggestion as i64, phase.as_str(), time, note];
        Ok(update.execute(row)? == 1)
    }

    /// The evacuations: those that are not over, or the last `max` ones.
    ///
    /// # Errors
    /// The database failed, or a row cannot be read.
    pub fn actions(&self, only_open: bool, max: usize) -> Result<Vec<ActionRow>, StoreError> {
        let filter = match only_open {
            true => "WHERE phase IN ('decided', 'started')",
            false => "",
        };
        let sql = format!(
            "SELECT suggestion, host, phase, time, decision, note FROM actions {filter} ORDER BY suggestion DESC LIMIT ?1"
        );
        let mut select = self.db.prepare_cached(&sql)?;
        let mut rows = select.query([i64::try_from(max).unwrap_or(i64::MAX)])?;
        let mut actions = Vec::new();
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            let unreadable = |cause: String| StoreError::Row {
                what: "action",
                number,
                cause,
            };
            let word: String = row.get(2)?;
            let phase = ActionPhase::ALL.into_iter().find(|p| p.as_str() == word);
            let decision: String = row.get(4)?;
            actions.push(ActionRow {
                suggestion: number as u64,
                host: row.get(1)?,
                phase: phase.ok_or_else(|| unreadable(format!("\"{word}\" is no phase")))?,
                time: row.get(3)?,
                decision: serde_json::from_str(&decision)
                    .map_err(|error| unreadable(error.to_string()))?,
                note: row.get(5)?,
            });
        }
        actions.reverse();
        Ok(actions)
    }
}
