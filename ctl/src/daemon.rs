//! What a process needs to be a daemon: a parent to end with, signals, an event loop.

use nix::sys::{prctl, signal::Signal as Death};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::{error::Error, logging::Level};

/// Ends this process when its parent does, however that happens.
pub fn die_with(parent: Option<i32>) -> Result<(), Error> {
    let Some(parent) = parent else { return Ok(()) };
    prctl::set_pdeathsig(Death::SIGKILL)
        .map_err(|error| Error::nothing(format!("cannot follow the parent: {error}")))?;
    if nix::unistd::getppid().as_raw() != parent {
        return Err(Error::nothing("the parent has ended already"));
    }
    Ok(())
}

/// What both daemons take.
#[derive(Debug, Default, clap::Args)]
pub struct Daemon {
    /// End when this process does (`ctl dev`)
    #[arg(long, hide = true, value_name = "PID")]
    pub parent: Option<i32>,
}

/// The event loop that a daemon lives in.
pub fn runtime(mut builder: tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, Error> {
    builder.enable_all().build().map_err(|error| Error::failed(format!("the system gives no event loop: {error}")))
}

/// Resolves at the first SIGTERM or SIGINT. The second one ends the process where it stands.
pub fn shutdown() -> Result<impl Future<Output = ()>, Error> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("asked twice: ending at once");
            std::process::exit(1);
        });
    })
}

/// A value for each SIGHUP, and the log level that the configuration then has.
pub fn on_hangup(
    level: Level,
    log_level: impl Fn() -> Option<Option<String>> + Send + 'static,
) -> Result<mpsc::Receiver<()>, Error> {
    let mut hangup = listen(SignalKind::hangup())?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            if let Some(log_level) = log_level() {
                level.set(log_level.as_deref());
            }
            // One that waits already will read the same files.
            let _ = sender.try_send(());
        }
    });
    Ok(receiver)
}

fn listen(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Error> {
    signal(kind).map_err(|error| Error::nothing(format!("signals cannot be received: {error}")))
}
