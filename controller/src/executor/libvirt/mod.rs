//! Live migration by the program `virsh`.
//!
//! | What it does | How |
//! | --- | --- |
//! | cordon | a file with the host's name in `cordon_folder`, and the hook `cordon`: libvirt itself knows no such state |
//! | guests | `list`, `dumpxml`; by their UUIDs |
//! | targets | hosts that the policy allows; `nodeinfo`, `nodememstats`, `domstats` |
//! | migration | `migrate --live --p2p --persistent --undefinesource --auto-converge` |
//! | progress, abort | `domjobinfo`, `domjobabort` |
//!
//! Every migration is stored before it begins, and what became of it is what both hosts list afterwards. After a crash the same
//! listing says what is left to do, so that nothing is repeated. It never uses post-copy, which loses the guest when the host fails
//! meanwhile, never moves a guest with anything of its host, and never destroys or starts one.

mod estimate;
mod evacuate;
mod guest;
mod inner;
mod ledger;
mod migrate;
mod node;
mod place;
mod survey;
mod virsh;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use self::evacuate::moved_away;
use self::inner::Inner;
use self::ledger::Course;
use self::migrate::Outcome;
use self::survey::each;
use self::virsh::never;
use super::contract::{Executor, Failure, Found, Job, Move, Plan, Work};
use super::hooks::Hooks;
use crate::config::Config;
use crate::engine::Engine;
use crate::store::{Fate, Migration};

/// A host that cannot be asked for this time after the start is given up.
const UNREACHABLE: Duration = Duration::from_secs(600);

/// The executor that migrates guests by `virsh`.
#[derive(Debug)]
pub struct Libvirt {
    inner: Arc<Inner>,
    hooks: Hooks,
}

impl Libvirt {
    /// An executor with the settings of a configuration.
    ///
    /// # Errors
    /// A connection that cannot be used.
    pub fn new(config: &Config) -> Result<Self, String> {
        Ok(Self {
            inner: Arc::new(Inner::new(config)?),
            hooks: Hooks::new(config.hooks.clone()),
        })
    }

    /// Makes the host usable again, and moves back what was moved away from it.
    async fn restore(&self, job: &Job) -> Result<(), Failure> {
        let inner = &self.inner;
        inner.set_cordon(job, false)?;
        self.hooks.undo(job).await?;
        if !inner.settings.return_guests {
            return Ok(());
        }
        let moved = moved_away(inner.ledger.migrations(job).await?, &job.host);
        let back = |away: Migration| {
            let inner = Arc::clone(inner);
            async move {
                let back = Migration {
                    source: away.target.clone(),
                    target: away.source.clone(),
                    fate: Fate::Begun,
                    ..away
                };
                let steps = mpsc::channel(1).0;
                let (name, source) = (back.name.clone(), back.source.clone());
                match inner.migrate(back, &steps, &never()).await {
                    Outcome::Moved | Outcome::Gone => None,
                    Outcome::Stayed(why) => Some(format!("{name} stays on {source}: {why}")),
                    Outcome::Unclear(why) => Some(format!("{name}: {why}")),
                }
            }
        };
        let failed = each(moved, inner.settings.parallel, back).await;
        let failed: Vec<String> = failed.into_iter().flatten().collect();
        match failed.is_empty() {
            true => Ok(()),
            false => Err(Failure(failed.join("; "))),
        }
    }
}

impl Executor for Libvirt {
    fn name(&self) -> &'static str {
        "libvirt"
    }

    fn attach(&self, engine: &Engine) {
        // It has one engine for as long as it lives.
        let _ = self.inner.ledger.engine.set(engine.clone());
    }

    fn cordon<'a>(&'a self, job: &'a Job) -> Work<'a, ()> {
        Box::pin(async move {
            self.inner.set_cordon(job, true)?;
            self.hooks.cordon(job).await
        })
    }

    fn plan<'a>(&'a self, job: &'a Job) -> Work<'a, Plan> {
        Box::pin(async move {
            let (tried, left) = (HashSet::new(), HashSet::new());
            let survey = self.inner.survey(&job.host, &tried, &left).await?;
            Ok(self.inner.plan(&survey))
        })
    }

    fn evacuate<'a>(
        &'a self,
        job: &'a Job,
        steps: mpsc::Sender<Move>,
        cancel: watch::Receiver<bool>,
    ) -> Work<'a, String> {
        Box::pin(async move { self.inner.evacuate(job, &steps, &cancel).await })
    }

    fn undo<'a>(&'a self, job: &'a Job) -> Work<'a, ()> {
        Box::pin(async move {
            match self.inner.ledger.course(job).await? {
                Course::None | Course::Canceled(_) => self.restore(job).await,
                // The host is still failing: guests that are away stay away, and no new ones are to come.
                Course::Away | Course::Ended(_) | Course::Failed(_) => Ok(()),
            }
        })
    }

    fn found<'a>(&'a self, job: &'a Job) -> Work<'a, Found> {
        Box::pin(async move {
            let inner = &self.inner;
            let course = inner.ledger.course(job).await?;
            if course != Course::None {
                inner.conclude_all(job).await?;
            }
            Ok(match course {
                Course::None => Found::NotBegun,
                Course::Ended(note) => Found::Ended(note),
                Course::Failed(why) => Found::Failed(why),
                Course::Canceled(why) => Found::Failed(match self.restore(job).await {
                    Ok(()) => why,
                    Err(undo) => format!("{why}; and it was not undone: {undo}"),
                }),
                Course::Away => match inner.virsh.guests(&job.host, false).await {
                    // What is left is moved; what has moved is not there any more.
                    Ok(_) => Found::NotBegun,
                    Err(Failure(why)) if inner.born.elapsed() > UNREACHABLE => Found::Failed(
                        format!("what is left on {} cannot be listed: {why}", job.host),
                    ),
                    Err(failure) => return Err(failure),
                },
            })
        })
    }
}
