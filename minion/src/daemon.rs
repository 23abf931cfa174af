//! The minion as a program: keys, runtime, signals, restart.

use std::{
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use states::Diagnostic;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    agent::{Agent, Exit, Parts},
    config::Config,
    footprint, grains,
    host::Local,
    pki::{self, Pinned, PkiError},
};

/// Threads for what blocks: commands, files, the spool. They end when nothing needs them.
const THREADS: usize = 128;

/// Why the minion did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error("{what}: {error}")]
    System { what: String, error: io::Error },
    #[error("the configuration cannot be used: {}", .0.message)]
    Config(Box<Diagnostic>),
}

impl DaemonError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Pki(error) => error.hint(),
            Self::System { .. } => None,
            Self::Config(diagnostic) => diagnostic.hint.clone(),
        }
    }
}

fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> DaemonError {
    let what = what.into();
    move |error| DaemonError::System { what, error }
}

/// Runs a minion until SIGTERM, SIGINT, or until `stop` is cancelled. After `minion.restart`, and
/// after SIGHUP when the configuration reads well, this process replaces itself by a new one with
/// the same arguments; it comes back only if that fails.
pub fn run(config: Config, stop: CancellationToken) -> Result<(), DaemonError> {
    let program = std::env::current_exe().map_err(system("this program's own path"))?;
    footprint::arenas(2);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(THREADS)
        .thread_keep_alive(Duration::from_secs(2))
        .build()
        .map_err(system("the runtime"))?;
    let exit = runtime.block_on(serve(config, program.clone(), stop))?;
    // Reads that nothing can end must not hold up the end.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match exit {
        Exit::Stopped => Ok(()),
        Exit::Restart => Err(restart(&program)),
    }
}

fn restart(program: &Path) -> DaemonError {
    tracing::info!("starting anew");
    let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).exec();
    DaemonError::System { what: format!("restarting {}", program.display()), error }
}

async fn serve(config: Config, program: PathBuf, stop: CancellationToken) -> Result<Exit, DaemonError> {
    let root = config.keys.root_dir.clone();
    std::fs::create_dir_all(&root).map_err(system(format!("making {}", root.display())))?;
    let dir = config.dir.clone();
    let agent = Agent::new(Parts {
        local: pki::local(&root)?,
        pinned: Pinned::load(&root)?,
        system: Arc::new(Local::default()),
        grains: grains::of(&config),
        detect: Some(grains::of),
        child: Some(program),
        config,
    });
    let reload = CancellationToken::new();
    let signals = tokio::spawn(signals(dir, stop.clone(), reload.clone()));
    notify(&[sd_notify::NotifyState::Ready]);
    let small = tokio::spawn({
        let agent = agent.clone();
        footprint::watch(move || agent.is_idle())
    });
    let checks = tokio::spawn({
        let agent = agent.clone();
        async move { agent.watch_checks().await }
    });
    let exit = agent.run(stop).await;
    small.abort();
    checks.abort();
    notify(&[sd_notify::NotifyState::Stopping]);
    signals.abort();
    Ok(if reload.is_cancelled() { Exit::Restart } else { exit })
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// Stops at SIGTERM and SIGINT; at SIGHUP as well, to start anew, if the configuration is sound.
async fn signals(dir: PathBuf, stop: CancellationToken, reload: CancellationToken) {
    let streams = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = streams else {
        return tracing::error!("signals cannot be received");
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => match Config::load(&dir) {
                Ok(_) => {
                    reload.cancel();
                    break;
                }
                Err(error) => tracing::error!("not reloaded: {}", error.render(false)),
            },
        }
    }
    stop.cancel();
}
