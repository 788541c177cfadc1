//! The service: everything put together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::{Config, explain};
use crate::engine::{Clock, Engine, OpenError};
use crate::executor::{Executor, Runner};
use crate::http::{Access, AccessError, ListenError, Listener, router};
use crate::{inventory, log};

/// Evacuations that run get this time at the end.
const GRACE: Duration = Duration::from_secs(60);

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The state cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A token cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Nobody can be listened to.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The system refused something.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

/// A service that runs.
#[derive(Debug)]
pub struct Service {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its engine.
    pub engine: Engine,
    runner: Option<Arc<Runner>>,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Service {
    /// Starts the service; `executor` is how guests are moved.
    ///
    /// # Errors
    /// The address, a token or the state cannot be used.
    pub async fn start(
        config: &Config,
        executor: Option<Arc<dyn Executor>>,
        clock: Clock,
    ) -> Result<Self, ServeError> {
        let access = Access::read(&config.server)?;
        // Whoever starts a second one by mistake learns of it before the state is opened.
        let listener = Listener::bind(&config.server).await?;
        let address = listener.address()?;
        let engine = Engine::start(config, Arc::clone(&clock))?;
        if let Some(executor) = &executor {
            executor.attach(&engine);
        }
        let (stop, stopped) = watch::channel(false);
        let retry = Duration::from_secs_f64(config.executor.retry_sec);
        let runner = executor.map(|executor| Runner::new(engine.clone(), executor, retry));
        let mut tasks = Vec::new();
        if let Some(runner) = &runner {
            tasks.push(tokio::spawn(Arc::clone(runner).run()));
        }
        tasks.push(tokio::spawn(inventory::follow(
            config.inventory.clone(),
            engine.clone(),
        )));
        let router = router(config, engine.clone(), runner.clone(), access, clock);
        tasks.push(tokio::spawn(listener.serve(router, stopped)));
        for line in explain(config) {
            log::info(&line);
        }
        log::info(&format!("ready at {address}"));
        Ok(Self {
            address,
            engine,
            runner,
            stop,
            tasks,
        })
    }

    /// Ends the service: takes in nothing more, waits for running evacuations, and saves the state.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Some(runner) = &self.runner {
            runner.stop(GRACE).await;
        }
        self.engine.stop().await;
        for task in self.tasks {
            task.abort();
        }
    }
}

/// Runs the service until the process is asked to end.
///
/// # Errors
/// The service cannot start.
pub async fn serve(
    config: &Config,
    executor: Option<Arc<dyn Executor>>,
    clock: Clock,
) -> Result<(), ServeError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let service = Service::start(config, executor, clock).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    log::info("stopping");
    service.stop().await;
    Ok(())
}
