//! What the controller remembers: SQLite in write-ahead mode, every commit synced to disk before anything is done about it.
//!
//! | Table | Content |
//! | --- | --- |
//! | `journal` | what was taken in, in order: with the snapshot, it gives the state again |
//! | `snapshot` | the state after one of the journal's entries, and the configuration that it was made with |
//! | `decisions` | every decision, by its number |
//! | `actions` | every evacuation, by its suggestion, and how far it is |
//! | `migrations` | every migration of a guest by the executor for libvirt |
//! | `courses` | what the executor for libvirt does in an evacuation: moving guests away, or back |
//! | `audit` | what was decided, done and ordered, for people |

mod actions;
mod audit;
mod migrations;

use std::path::Path;

use bellwether_core::policy::{Action, Decision};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::engine::entry::Entry;
use crate::engine::machine::Snapshot;

pub use actions::{ActionPhase, ActionRow};
pub use audit::AuditRow;
pub use migrations::{Fate, Migration};

/// The version of the tables.
const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS journal(seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, line TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS snapshot(id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, config TEXT NOT NULL,
        json TEXT NOT NULL, seen BLOB NOT NULL, policy BLOB NOT NULL, risk BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS decisions(number INTEGER PRIMARY KEY, time REAL NOT NULL, json TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS actions(suggestion INTEGER PRIMARY KEY, host TEXT NOT NULL, phase TEXT NOT NULL, time REAL NOT NULL,
        decision TEXT NOT NULL, note TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS audit(seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, kind TEXT NOT NULL, host TEXT NOT NULL,
        json TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, suggestion INTEGER NOT NULL, uuid TEXT NOT NULL,
        name TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL, memory_mib INTEGER NOT NULL, began REAL NOT NULL, ended REAL,
        fate TEXT NOT NULL, note TEXT NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS migrations_suggestion ON migrations(suggestion);
    CREATE TABLE IF NOT EXISTS courses(suggestion INTEGER PRIMARY KEY, course TEXT NOT NULL, time REAL NOT NULL, note TEXT NOT NULL)
        STRICT;
    CREATE INDEX IF NOT EXISTS audit_time ON audit(time);
";

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite failed.
    #[error("the database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The database was written by a later version.
    #[error("the database has version {0}; this controller reads version {VERSION}")]
    Version(i64),
    /// A row cannot be read.
    #[error("{what} {number} of the database cannot be read: {cause}")]
    Row {
        /// The table.
        what: &'static str,
        /// The row.
        number: i64,
        /// Why not.
        cause: String,
    },
}

/// What was saved of the state.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedState {
    /// The last entry that it contains.
    pub seq: i64,
    /// The settings that it was made with, as TOML.
    pub config: String,
    /// The state.
    pub snapshot: Snapshot,
}

/// The database.
#[derive(Debug)]
pub struct Store {
    db: Connection,
}

impl Store {
    /// Opens the database at `path`, or one in memory. Nobody else can open it meanwhile.
    ///
    /// # Errors
    /// It cannot be opened, another process has it open, or it is of a later version.
    pub fn open(path: Option<&Path>) -> Result<Self, StoreError> {
        let db = match path {
            Some(path) => Connection::open(path)?,
            None => Connection::open_in_memory()?,
        };
        // Two controllers on one database would both act.
        db.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000;",
        )?;
        let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > VERSION {
            return Err(StoreError::Version(version));
        }
        db.execute_batch("BEGIN IMMEDIATE")?;
        db.execute_batch(TABLES)?;
        db.pragma_update(None, "user_version", VERSION)?;
        db.execute_batch("COMMIT")?;
        Ok(Self { db })
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// The database failed.
    pub fn begin(&self) -> Result<(), StoreError> {
        Ok(self.db.execute_batch("BEGIN IMMEDIATE")?)
    }

    /// Ends the transaction: all of it is on disk.
    ///
    /// # Errors
    /// The database failed, and nothing of the transaction counts.
    pub fn commit(&self) -> Result<(), StoreError> {
        Ok(self.db.execute_batch("COMMIT")?)
    }

    /// Ends the transaction, if there is one, as if nothing had been written.
    pub fn rollback(&self) {
        if !self.db.is_autocommit() {
            // What fails here was never written.
            let _ = self.db.execute_batch("ROLLBACK");
        }
    }

    /// Adds an entry to the journal; gives its number.
    ///
    /// # Errors
    /// The database failed.
    pub fn add(&self, entry: &Entry) -> Result<i64, StoreError> {
        let sql = "INSERT INTO journal(at, line) VALUES (?1, ?2)";
        let mut insert = self.db.prepare_cached(sql)?;
        Ok(insert.insert(params![entry.at().secs(), entry.to_json()])?)
    }

    /// Passes on the entries after number `seq`, at most `max` of them; gives the number of the last one.
    ///
    /// # Errors
    /// The database failed, or an entry cannot be read.
    pub fn entries(
        &self,
        seq: i64,
        max: usize,
        mut take: impl FnMut(i64, Entry),
    ) -> Result<i64, StoreError> {
        let sql = "SELECT seq, line FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query(params![seq, i64::try_from(max).unwrap_or(i64::MAX)])?;
        let mut last = seq;
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            let line: String = row.get(1)?;
            let entry = Entry::from_json(&line).map_err(|error| StoreError::Row {
                what: "entry",
                number: last,
                cause: error.to_string(),
            })?;
            take(last, entry);
        }
        Ok(last)
    }

    /// Adds a decision, with the action if it is one that moves guests; `false` if it was written before.
    ///
    /// # Errors
    /// The database failed, or another decision with the same number was written before.
    pub fn decide(&self, decision: &Decision) -> Result<bool, StoreError> {
        let json = serde_json::to_string(decision).expect("a decision is JSON");
        let number = decision.number as i64;
        let sql = "SELECT json FROM decisions WHERE number = ?1";
        let mut select = self.db.prepare_cached(sql)?;
        let before: Option<String> = select.query_row([number], |row| row.get(0)).optional()?;
        if let Some(before) = before {
            return match before == json {
                true => Ok(false),
                false => Err(StoreError::Row {
                    what: "decision",
                    number,
                    cause: format!("it is {before}, but the journal gives {json}"),
                }),
            };
        }
        let sql = "INSERT INTO decisions(number, time, json) VALUES (?1, ?2, ?3)";
        let mut insert = self.db.prepare_cached(sql)?;
        insert.execute(params![number, decision.time.secs(), json])?;
        if decision.action == Action::Evacuate {
            self.add_action(decision, &json)?;
        }
        Ok(true)
    }

    /// The state that was saved last; `None` if none was.
    ///
    /// # Errors
    /// The database failed.
    pub fn state(&self) -> Result<Option<SavedState>, StoreError> {
        let sql = "SELECT seq, config, json, seen, policy, risk FROM snapshot";
        let row = |row: &rusqlite::Row<'_>| {
            Ok(SavedState {
                seq: row.get(0)?,
                config: row.get(1)?,
                snapshot: Snapshot {
                    json: row.get(2)?,
                    seen: row.get(3)?,
                    policy: row.get(4)?,
                    risk: row.get(5)?,
                },
            })
        };
        Ok(self.db.query_row(sql, [], row).optional()?)
    }

    /// Saves the state.
    ///
    /// # Errors
    /// The database failed.
    pub fn save(&self, state: &SavedState) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO snapshot(id, seq, config, json, seen, policy, risk) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)";
        let Snapshot {
            json,
            seen,
            policy,
            risk,
        } = &state.snapshot;
        let row = params![state.seq, state.config, json, seen, policy, risk];
        self.db.execute(sql, row)?;
        Ok(())
    }

    /// Forgets the state and the journal, but neither decisions nor the audit trail.
    ///
    /// # Errors
    /// The database failed.
    pub fn forget(&self) -> Result<(), StoreError> {
        self.db.execute_batch(
            "BEGIN; DELETE FROM snapshot; DELETE FROM journal; DELETE FROM decisions; COMMIT",
        )?;
        Ok(())
    }

    /// Deletes what is older than `before`, and all but the last `max` entries, but no entry after number `seq`: the state needs
    /// those.
    ///
    /// # Errors
    /// The database failed.
    pub fn prune(&self, before: f64, max: usize, seq: i64) -> Result<(), StoreError> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let sql = "DELETE FROM journal WHERE seq <= ?1 AND (at < ?2 OR seq <= (SELECT max(seq) FROM journal) - ?3)";
        self.db.execute(sql, params![seq, before, max])?;
        self.db
            .execute("DELETE FROM audit WHERE time < ?1", [before])?;
        let sql = "DELETE FROM actions WHERE time < ?1 AND phase IN ('ended', 'failed')";
        self.db.execute(sql, [before])?;
        for sql in [
            "DELETE FROM migrations WHERE began < ?1",
            "DELETE FROM courses WHERE time < ?1",
        ] {
            self.db.execute(sql, [before])?;
        }
        let sql = "DELETE FROM decisions WHERE time < ?1";
        self.db.execute(sql, [before])?;
        Ok(())
    }

    /// Number of entries in the journal.
    ///
    /// # Errors
    /// The database failed.
    pub fn journal_length(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM journal";
        let count: i64 = self.db.query_row(sql, [], |row| row.get(0))?;
        Ok(count as u64)
    }
}

#[cfg(test)]
mod tests;
