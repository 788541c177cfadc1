//! A training that was interrupted: all that it needs to go on, in a file beside that of its model.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use bellwether_core::model::{Matrix, ModelError, Tensors};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::adam::Moments;
use super::fit::Progress;

/// The kind of such a file.
const KIND: &str = "training";

/// A file for the state of a training, and what is trained with what.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    /// The plan of the training and the fingerprint of its data.
    plan: Value,
}

#[derive(Serialize, Deserialize)]
struct Description {
    plan: Value,
    steps: u64,
    losses: Vec<f64>,
}

impl Checkpoint {
    /// The checkpoint of the training for the file `out`, by a plan. With `restart`, an earlier one is deleted.
    ///
    /// # Errors
    /// It cannot be deleted.
    pub fn beside(out: &Path, plan: Value, restart: bool) -> Result<Self> {
        let mut path = out.as_os_str().to_owned();
        path.push(".training");
        let checkpoint = Self {
            path: path.into(),
            plan,
        };
        if restart {
            checkpoint.delete()?;
        }
        Ok(checkpoint)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The progress so far, if there is any, of a training that began with `initial`.
    ///
    /// # Errors
    /// The file cannot be used, or it is of another plan or other data.
    pub fn load(&self, initial: &[Matrix]) -> Result<Option<Progress>> {
        let of_path = || self.path.display().to_string();
        if !self.path.try_exists().with_context(of_path)? {
            return Ok(None);
        }
        let refused = |problem: &dyn std::fmt::Display| {
            format!(
                "{}: {problem}; --restart deletes this unfinished training and starts again",
                of_path()
            )
        };
        let read = |path| -> Result<_, ModelError> {
            let saved: Tensors<Description> = Tensors::read(KIND, path)?;
            saved.take(&names(initial.len()))
        };
        let (description, mut all) =
            read(&self.path).map_err(|error| anyhow::anyhow!(refused(&error)))?;
        ensure!(
            description.plan == self.plan,
            refused(&difference(&description.plan, &self.plan))
        );
        let second = all.split_off(2 * initial.len());
        let first = all.split_off(initial.len());
        for saved in [&all, &first, &second] {
            let same = saved.iter().zip(initial).all(|(saved, initial)| {
                (saved.rows, saved.columns) == (initial.rows, initial.columns)
            });
            ensure!(same, refused(&"its parameters have other shapes"));
        }
        Ok(Some(Progress {
            parameters: all,
            moments: Moments {
                first,
                second,
                steps: description.steps,
            },
            losses: description.losses,
        }))
    }

    /// Saves the progress.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, progress: &Progress) -> Result<()> {
        let Moments {
            first,
            second,
            steps,
        } = &progress.moments;
        let all = progress.parameters.iter().chain(first).chain(second);
        let names = names(progress.parameters.len());
        let saved = Tensors {
            description: Description {
                plan: self.plan.clone(),
                steps: *steps,
                losses: progress.losses.clone(),
            },
            tensors: names.into_iter().zip(all.cloned()).collect(),
        };
        let written = saved.save(KIND, &self.path);
        written.with_context(|| self.path.display().to_string())
    }

    /// Deletes it, if there is one.
    ///
    /// # Errors
    /// It cannot be deleted.
    pub fn delete(&self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| self.path.display().to_string())
            }
            _ => Ok(()),
        }
    }
}

/// The names of the tensors: parameters and both moments.
fn names(parameters: usize) -> Vec<String> {
    let of = |part: &'static str| (0..parameters).map(move |at| format!("{part}.{at}"));
    ["parameter", "first", "second"]
        .into_iter()
        .flat_map(of)
        .collect()
}

/// The first difference between two plans, in words.
fn difference(then: &Value, now: &Value) -> String {
    let fields = now.as_object().into_iter().flatten();
    for (name, now) in fields {
        let then = &then[name];
        if then != now {
            return format!("it was begun with {name} {then}, which is {now} now");
        }
    }
    "it was begun with another plan".into()
}
