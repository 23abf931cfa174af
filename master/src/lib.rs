//! The master of Overstate: keys, jobs, delivery, presence, events, access, store.
//!
//! [`run`] is the whole daemon. It knows nothing of minions but what they say.

mod access;
mod bus;
mod checks;
mod clock;
pub mod config;
mod events;
mod files;
mod fleet;
mod grains;
mod jobs;
mod keys;
mod metrics;
mod mine;
mod operators;
mod orchestrations;
mod pillar;
mod pki;
mod process;
mod provision;
mod server;
mod store;
mod survey;
mod wire;

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use proto::{
    JobId, OperatorName, layout,
    message::{OperatorEntry, Refusal},
    net::{Acceptor, GateLimits},
    session::Local,
};
use states::diag::Diagnostic;
use tokio::sync::Semaphore;

pub use config::Config;
use server::Master;

/// How long connections have to hear that the master is going.
const DRAIN: Duration = Duration::from_secs(3);

/// Why the master did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    #[error(transparent)]
    Pki(#[from] pki::PkiError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: std::io::Error },
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error("{0}")]
    Config(Box<Diagnostic>),
}

impl MasterError {
    /// What to do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Pki(error) => error.hint(),
            Self::Listen { .. } => {
                Some("is another master running? `port:` in the configuration changes the port".into())
            }
            Self::Io { .. } => Some("`root_dir:` in the configuration says where everything is written".into()),
            _ => None,
        }
    }
}

/// Runs a master with the configuration beneath `config_dir` until `shutdown` resolves; then
/// tells everyone, and writes down what is still to be written.
///
/// `reload` gives a value whenever the configuration is to be read again (SIGHUP): operators
/// and log settings take effect, addresses and folders do not.
///
/// # Errors
/// Why it could not start.
pub async fn run(
    config_dir: &Path,
    config: Config,
    shutdown: impl Future<Output = ()>,
    mut reload: tokio::sync::mpsc::Receiver<()>,
) -> Result<(), MasterError> {
    let io = |path: &Path, source| MasterError::Io { path: path.display().to_string(), source };
    for folder in ["pki", "run", "store"] {
        let path = config.root_dir.join(folder);
        std::fs::create_dir_all(&path).map_err(|source| io(&path, source))?;
    }
    std::fs::set_permissions(&config.root_dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .map_err(|source| io(&config.root_dir, source))?;
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let pki = pki::Pki::load(&config.root_dir)?;
    let local = Arc::new(Local::new(&pki.identity, pki.session));
    let first = first_operator(&pki.first_operator);
    let master = assemble(&config, pki.identity, &first).await?;

    let address = std::net::SocketAddr::new(config.interface, config.port);
    let listener = listen(address).map_err(|source| MasterError::Listen { address: address.to_string(), source })?;
    let port = listener.local_addr().map_or(config.port, |address| address.port());
    let transport = config.transport;
    let listener = transport
        .listen_counted(listener, &config.root_dir.join("run"), master.counters.clone())
        .await
        .map_err(|source| io(&config.root_dir, source))?;
    let port_file = config.root_dir.join(layout::PORT_FILE);
    std::fs::write(&port_file, format!("{port}\n")).map_err(|source| io(&port_file, source))?;

    let metrics = match config.metrics_address().map_err(|error| MasterError::Config(Box::new(error)))? {
        Some(address) => {
            let bound =
                listen(address).map_err(|source| MasterError::Listen { address: address.to_string(), source })?;
            tracing::info!(%address, "metrics");
            Some(tokio::spawn(metrics::serve(bound, master.clone(), config.root_dir.join("store"))))
        }
        None => None,
    };

    orchestrations::take_up(&master).await;
    let bus = tokio::spawn(serve_bus(config.root_dir.clone(), master.events.clone()));
    let acks = tokio::spawn(acknowledge(master.clone()));
    let git = master.git.clone().map(|git| tokio::spawn(provision::keep_git(git)));
    let checks = tokio::spawn(checks::keep(master.checks.clone()));
    let own_checks = tokio::spawn(checks::keep_own(master.clone(), config.root_dir.clone()));
    let clock = tokio::spawn(keep_time(master.clone(), config.keep_jobs_seconds));
    tracing::info!(%address, port, %transport, fingerprint = %local.identity.fingerprint(), "listening");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

    let pending = config.max_pending_connections;
    let limits = GateLimits { pending, pending_per_address: pending.div_ceil(4), ..GateLimits::default() };
    let mut acceptor = Acceptor::new(local, limits);
    acceptor.counters = master.counters.clone();
    let accepting = server::accept(master.clone(), listener, Arc::new(acceptor));
    let reloading = async {
        while reload.recv().await.is_some() {
            reload_config(config_dir, &master, &first);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = accepting => {}
        () = reloading => {}
        () = shutdown => {}
    }
    tracing::info!("shutting down");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    master.orchestrations.leave();
    master.fleet.close_all(&Refusal::ShuttingDown);
    [clock, acks, checks, own_checks].iter().for_each(tokio::task::JoinHandle::abort);
    if let Some(metrics) = metrics {
        metrics.abort();
    }
    if let Some(git) = git {
        git.abort();
    }
    bus.abort();
    let leaving = async {
        while master.fleet.counts().1 > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = tokio::time::timeout(DRAIN, leaving).await;
    if tokio::time::timeout(DRAIN, master.store.flush()).await.is_err() {
        tracing::error!("the store could not be written in time; what it lacks, minions will send again");
    }
    Ok(())
}

/// Connections that the system keeps while they are not accepted: a whole fleet may come at once.
const BACKLOG: u32 = 4096;

fn listen(address: std::net::SocketAddr) -> std::io::Result<tokio::net::TcpListener> {
    let socket = match address.is_ipv4() {
        true => tokio::net::TcpSocket::new_v4()?,
        false => tokio::net::TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn assemble(
    config: &Config,
    identity: proto::sign::Identity,
    first: &OperatorEntry,
) -> Result<Arc<Master>, MasterError> {
    let store = store::Store::open(&config.root_dir.join("store/master.db")).await?;
    let nodegroups = config.groups().map_err(|error| MasterError::Config(Box::new(error)))?;
    let keys = keys::Keys::load(store.clone(), config.auto_accept).await?;
    let fleet = Arc::new(fleet::Fleet::new(nodegroups, keys.accepted(), store.minions().await?));
    let mut fixed = vec![first.clone()];
    fixed.extend(config.operator_entries().map_err(|error| MasterError::Config(Box::new(error)))?);
    let events = events::Events::default();
    let identity = Arc::new(identity);
    let provision = provision::Provision::new(config, &fleet)?;
    let mine = mine::Mine::load(store.clone(), fleet.clone()).await?;
    let name = hostname();
    let own_id = orchestrations::master_id(&name);
    let checks = checks::Checks::load(store.clone(), fleet.clone(), events.clone(), own_id).await?;
    let beside = jobs::Beside { files: provision.files.clone(), pillars: provision.pillars.clone() };
    let jobs = jobs::Jobs::load(
        store.clone(),
        fleet.clone(),
        events.clone(),
        identity.clone(),
        beside,
        config.job_lost_after * 1_000_000,
    )
    .await?;
    Ok(Arc::new(Master {
        name,
        operators: operators::Operators::load(store.clone(), fixed).await?,
        store,
        keys,
        fleet,
        jobs,
        events,
        return_pool: Arc::new(Semaphore::new(config.return_buffer.max(32) as usize * 1024 * 1024)),
        counters: Arc::default(),
        acks: fleet::Acks::default(),
        received: Arc::new(received(config)),
        files: provision.files,
        git: provision.git,
        pillars: provision.pillars,
        mine,
        parts: Semaphore::new(server::questions::PARTS),
        started: std::time::Instant::now(),
        orchestrations: orchestrations::Orchestrations::default(),
        checks: Arc::new(checks),
    }))
}

fn received(config: &Config) -> files::Received {
    let most = config.file_recv.then(|| config.file_recv_max_size.saturating_mul(1 << 20));
    files::Received::new(config.root_dir.join("cache/minions"), most)
}

fn first_operator(key: &proto::sign::Identity) -> OperatorEntry {
    let name: OperatorName =
        layout::FIRST_OPERATOR.parse().unwrap_or_else(|_| unreachable!("a constant that is a name"));
    OperatorEntry { name, key: key.public(), rules: operators::everything() }
}

fn hostname() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "master".into())
}

async fn serve_bus(root_dir: std::path::PathBuf, events: events::Events) {
    if let Err(error) = bus::serve(&root_dir, events).await {
        tracing::error!(%error, "there is no local event bus");
    }
}

/// Passes on acknowledgements that are in no hurry.
async fn acknowledge(master: Arc<Master>) {
    let mut quarter = tokio::time::interval(Duration::from_millis(250));
    loop {
        quarter.tick().await;
        master.acks.pass_on();
    }
}

/// What happens with time alone: pairs that are overdue, and jobs that are old.
async fn keep_time(master: Arc<Master>, keep_jobs_seconds: u64) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut seconds = 0_u64;
    loop {
        second.tick().await;
        master.jobs.tick().await;
        if seconds % 600 == 60 && keep_jobs_seconds > 0 {
            let before = clock::now().saturating_sub(keep_jobs_seconds.saturating_mul(1_000_000));
            master.store.prune(JobId::from_micros(before)).await;
        }
        seconds += 1;
    }
}

fn reload_config(config_dir: &Path, master: &Master, first: &OperatorEntry) {
    let entries = Config::load(config_dir).and_then(|loaded| loaded.config.operator_entries());
    match entries {
        Ok(entries) => {
            let fixed = std::iter::once(first.clone()).chain(entries).collect();
            master.operators.set_fixed(fixed);
            tracing::info!("configuration read again");
        }
        Err(error) => tracing::error!("the configuration is left as it was: {}", error.render(false)),
    }
}
