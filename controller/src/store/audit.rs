//! The audit trail.

use rusqlite::params;

use super::{Store, StoreError};

/// One line of the audit trail.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Its number.
    pub seq: i64,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// `decision`, `order`, `action`, `health`, `event` or `start`.
    pub kind: String,
    /// The host; empty if it is about none.
    pub host: String,
    /// What, as a JSON object.
    pub json: String,
}

impl AuditRow {
    /// The line as JSON.
    pub fn to_json(&self) -> String {
        let Self {
            seq,
            time,
            kind,
            host,
            json,
        } = self;
        let (time, host) = (serde_json::json!(time), serde_json::json!(host));
        format!(
            "{{\"seq\":{seq},\"time\":{time},\"kind\":\"{kind}\",\"host\":{host},\"what\":{json}}}"
        )
    }
}

impl Store {
    /// Adds a line; `json` is an object.
    ///
    /// # Errors
    /// The database failed.
    pub fn audit(&self, time: f64, kind: &str, host: &str, json: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO audit(time, kind, host, json) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = self.db.prepare_cached(sql)?;
        insert.execute(params![time, kind, host, json])?;
        Ok(())
    }

    /// The lines after number `after`, oldest first, at most `max`.
    ///
    /// # Errors
    /// The database failed.
    pub fn audit_rows(&self, after: i64, max: usize) -> Result<Vec<AuditRow>, StoreError> {
        let sql =
            "SELECT seq, time, kind, host, json FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut select = self.db.prepare_cached(sql)?;
        let row = |row: &rusqlite::Row<'_>| {
            Ok(AuditRow {
                seq: row.get(0)?,
                time: row.get(1)?,
                kind: row.get(2)?,
                host: row.get(3)?,
                json: row.get(4)?,
            })
        };
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows = select.query_map(params![after, max], row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
