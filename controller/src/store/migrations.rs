//! Migrations of guests: each is stored before it begins, so that after a crash it is known what may be under way.

use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError};

/// What became of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was begun, and may be under way.
    Begun,
    /// The guest runs on the target.
    Moved,
    /// The guest runs on the source.
    Stayed,
    /// It is unknown, or neither host has the guest, or both.
    Unclear,
}

impl Fate {
    const ALL: [Self; 4] = [Self::Begun, Self::Moved, Self::Stayed, Self::Unclear];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Moved => "moved",
            Self::Stayed => "stayed",
            Self::Unclear => "unclear",
        }
    }
}

/// A migration of a guest.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    /// Its number; 0 before it is stored.
    pub id: i64,
    /// The suggestion that it belongs to.
    pub suggestion: u64,
    /// The guest's UUID.
    pub uuid: String,
    /// The guest's name, for people.
    pub name: String,
    /// The host that it is on.
    pub source: String,
    /// The host that it goes to.
    pub target: String,
    /// Its memory in MiB.
    pub memory_mib: u64,
    /// When it began.
    pub began: f64,
    /// What became of it.
    pub fate: Fate,
    /// Why, if it did not move.
    pub note: String,
}

impl Store {
    /// Stores that a migration begins; gives its number.
    ///
    /// # Errors
    /// The database failed.
    pub fn begin_migration(&self, migration: &Migration) -> Result<i64, StoreError> {
        let sql = "INSERT INTO migrations(suggestion, uuid, name, source, target, memory_mib, began, fate, note)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let mut insert = self.db.prepare_cached(sql)?;
        let m = migration;
        Ok(insert.insert(params![
            m.suggestion as i64,
            m.uuid,
            m.name,
            m.source,
            m.target,
            i64::try_from(m.memory_mib).unwrap_or(i64::MAX),
            m.began,
            m.fate.as_str(),
            m.note
        ])?)
    }

    /// Stores what became of a migration.
    ///
    /// # Errors
    /// The database failed.
    pub fn end_migration(
        &self,
        id: i64,
        time: f64,
        fate: Fate,
        note: &str,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE migrations SET ended = ?2, fate = ?3, note = ?4 WHERE id = ?1";
        let mut update = self.db.prepare_cached(sql)?;
        update.execute(params![id, time, fate.as_str(), note])?;
        Ok(())
    }

    /// The migrations of an evacuation, oldest first.
    ///
    /// # Errors
    /// The database failed, or a row cannot be read.
    pub fn migrations(&self, suggestion: u64) -> Result<Vec<Migration>, StoreError> {
        let sql = "SELECT id, uuid, name, source, target, memory_mib, began, fate, note FROM migrations WHERE suggestion = ?1
            ORDER BY id";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query([suggestion as i64])?;
        let mut migrations = Vec::new();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let word: String = row.get(7)?;
            let fate = Fate::ALL.into_iter().find(|fate| fate.as_str() == word);
            migrations.push(Migration {
                id,
                suggestion,
                uuid: row.get(1)?,
                name: row.get(2)?,
                source: row.get(3)?,
                target: row.get(4)?,
                memory_mib: row.get::<_, i64>(5)?.unsigned_abs(),
                began: row.get(6)?,
                fate: fate.ok_or_else(|| StoreError::Row {
                    what: "migration",
                    number: id,
                    cause: format!("\"{word}\" is nothing that becomes of a migration"),
                })?,
                note: row.get(8)?,
            });
        }
        Ok(migrations)
    }

    /// Memory in MiB and duration in seconds of the last `max` guests that were moved.
    ///
    /// # Errors
    /// The database failed.
    pub fn durations(&self, max: usize) -> Result<Vec<(f64, f64)>, StoreError> {
        let sql = "SELECT memory_mib, ended - began FROM migrations WHERE fate = 'moved' AND ended > began
            ORDER BY id DESC LIMIT ?1";
        let mut select = self.db.prepare_cached(sql)?;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows =
            select.query_map([max], |row| Ok((row.get::<_, i64>(0)? as f64, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Stores what an executor does in an evacuation from now on.
    ///
    /// # Errors
    /// The database failed.
    pub fn set_course(
        &self,
        suggestion: u64,
        course: &str,
        time: f64,
        note: &str,
    ) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO courses(suggestion, course, time, note) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = self.db.prepare_cached(sql)?;
        insert.execute(params![suggestion as i64, course, time, note])?;
        Ok(())
    }

    /// What an executor does in an evacuation, and why; `None` if it has not begun.
    ///
    /// # Errors
    /// The database failed.
    pub fn course(&self, suggestion: u64) -> Result<Option<(String, String)>, StoreError> {
        let sql = "SELECT course, note FROM courses WHERE suggestion = ?1";
        let mut select = self.db.prepare_cached(sql)?;
        let row = select.query_row([suggestion as i64], |row| Ok((row.get(0)?, row.get(1)?)));
        Ok(row.optional()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(uuid: &str, began: f64) -> Migration {
        Migration {
            id: 0,
            suggestion: 7,
            uuid: uuid.into(),
            name: "vm".into(),
            source: "hv1".into(),
            target: "hv2".into(),
            memory_mib: 512,
            began,
            fate: Fate::Begun,
            note: String::new(),
        }
    }

    #[test]
    fn only_guests_that_moved_say_how_long_a_migration_takes() {
        let store = Store::open(None).unwrap();
        let ids = [1.0, 2.0, 3.0].map(|began| store.begin_migration(&migration("a", began)));
        let ids = ids.map(Result::unwrap);
        store.end_migration(ids[0], 11.0, Fate::Moved, "").unwrap();
        store
            .end_migration(ids[1], 90.0, Fate::Stayed, "full")
            .unwrap();
        assert_eq!(store.durations(10).unwrap(), [(512.0, 10.0)]);
        let fates: Vec<_> = store
            .migrations(7)
            .unwrap()
            .iter()
            .map(|m| m.fate)
            .collect();
        assert_eq!(fates, [Fate::Moved, Fate::Stayed, Fate::Begun]);
        assert!(store.migrations(8).unwrap().is_empty());
    }

    #[test]
    fn of_an_evacuation_the_last_course_counts() {
        let store = Store::open(None).unwrap();
        assert_eq!(store.course(7).unwrap(), None);
        store.set_course(7, "away", 1.0, "").unwrap();
        store.set_course(7, "back", 2.0, "canceled").unwrap();
        let course = store.course(7).unwrap();
        assert_eq!(course, Some(("back".into(), "canceled".into())));
    }
}
