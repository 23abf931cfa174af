//! What minions are served with, made as the configuration says.

use std::sync::Arc;

use states::diag::Diagnostic;

use crate::{
    Config, MasterError,
    files::{Files, Git, Source},
    fleet::Fleet,
    pillar::Pillars,
};

pub struct Provision {
    pub files: Arc<Files>,
    /// The git repositories among them.
    pub git: Option<Arc<Git>>,
    pub pillars: Arc<Pillars>,
}

impl Provision {
    /// # Errors
    /// What the configuration has wrong.
    pub fn new(config: &Config, fleet: &Arc<Fleet>) -> Result<Self, MasterError> {
        let wrong = |error: Diagnostic| MasterError::Config(Box::new(error));
        let cache = config.root_dir.join("cache");
        let backends = config.backends().map_err(wrong)?;
        let git = if backends.git { Some(git(config)?) } else { None };
        let source = |roots, git: Option<Arc<Git>>| -> Result<Source, MasterError> {
            let ignore = config.ignored().map_err(wrong)?;
            Ok(Source { roots, ignore, links: config.links(), git, git_first: backends.git_first })
        };
        let roots = if backends.roots { config.state_roots().map_err(wrong)? } else { Vec::new() };
        let states = source(roots, git.clone())?;
        let pillar = source(config.roots_of_pillar().map_err(wrong)?, None)?;
        let pillar = Arc::new(Files::new(pillar, cache.join("pillar-hashes")));
        Ok(Self {
            files: Arc::new(Files::new(states, cache.join("file-hashes"))),
            git,
            pillars: Arc::new(Pillars::new(pillar, fleet.clone(), config.pillar_settings())),
        })
    }
}

fn git(config: &Config) -> Result<Arc<Git>, MasterError> {
    let remotes = config.remotes().map_err(|error| MasterError::Config(Box::new(error)))?;
    let folder = config.root_dir.join("cache/gitfs");
    let path = folder.display().to_string();
    Git::new(remotes, folder).map(Arc::new).map_err(|source| MasterError::Io { path, source })
}

/// Looks at the git repositories now and then.
pub async fn keep_git(git: Arc<Git>) {
    loop {
        let updating = git.clone();
        if tokio::task::spawn_blocking(move || updating.update()).await.is_err() {
            tracing::error!("updating the git repositories failed");
        }
        tokio::time::sleep(git.remotes.update_interval).await;
    }
}
