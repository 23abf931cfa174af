//! `ctl master`

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use proto::{layout, net::Transport};

use crate::{
    access::diagnosed,
    cli::Global,
    daemon::{self, Daemon},
    error::{Error, Exit, Outcome},
    logging,
};

/// Run the master
///
///   ctl master                          with /etc/overstate/master
///   ctl --config-dir /srv/test master
///
/// Reads DIR/master and DIR/master.d/*.conf (--config-dir). SIGHUP reads them again, SIGTERM
/// lets what is under way end first. There is a systemd unit in dist/.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(flatten)]
    daemon: Daemon,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    daemon::die_with(args.daemon.parent)?;
    let dir = global.config_dir();
    let loaded = master::Config::load(&dir).map_err(diagnosed)?;
    let config = loaded.config;
    let level = logging::start(config.log_level.as_deref(), config.log_format.as_deref(), global.verbose)?;
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    if config.transport == Transport::ZeroMq && !is_private(config.interface) {
        tracing::warn!(
            interface = %config.interface,
            "transport: zeromq is meant for trusted networks, and this address may be reached from others"
        );
    }
    daemon::runtime(tokio::runtime::Builder::new_multi_thread())?.block_on(async {
        let again = dir.clone();
        let reload = daemon::on_hangup(level, move || Some(master::Config::load(&again).ok()?.config.log_level))?;
        let shutdown = daemon::shutdown()?;
        master::run(&dir, config, shutdown, reload).await.map_err(|error| {
            let hint = error.hint();
            Error::nothing(error.to_string()).hints(hint)
        })
    })?;
    Ok(Exit::OK)
}

/// Whether only a network of one's own reaches this address.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Where a master of this host can be found.
pub struct Here {
    pub root_dir: PathBuf,
    pub interface: IpAddr,
    pub port: u16,
    pub transport: Transport,
}

/// The master that is configured beneath `dir`, if there is one on this host.
///
/// # Errors
/// A configuration that cannot be read.
pub fn here(dir: &Path) -> Result<Option<Here>, Error> {
    let loaded = master::Config::load(dir).map_err(diagnosed)?;
    let config = loaded.config;
    if loaded.files.is_empty() && !config.root_dir.join(layout::FIRST_OPERATOR_KEY).exists() {
        return Ok(None);
    }
    let (interface, port, transport) = (config.interface, config.port, config.transport);
    Ok(Some(Here { root_dir: config.root_dir, interface, port, transport }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_may_reach_is_not_private() {
        for private in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "fd00::1"] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in ["0.0.0.0", "192.0.2.1", "::", "2001:db8::1"] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
