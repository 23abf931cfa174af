//! `ctl check --last`: what the master knows of the checks that run all the time.

use proto::{
    checks::{CheckPage, HostChecks},
    message::Query,
};

use super::{
    Args,
    picture::{Asked, Picture},
    show,
};
use crate::{
    cli::Global,
    client::{Client, Reply, block_on},
    error::{Error, Exit, Outcome},
};

/// The master's checks of itself; nothing where the operator may not see them.
pub async fn of_the_master(client: &mut Client) -> Vec<HostChecks> {
    match client.answer(Query::Checks { target: None, follow: false }).await {
        Ok(Reply::Checks(page)) => page.hosts,
        _ => Vec::new(),
    }
}

/// What is known, at once.
pub fn last(args: &Args, global: &Global) -> Outcome {
    let asked = Asked::of(args)?;
    block_on(async {
        let mut client = Client::connect(global).await?;
        client.send(asked.query(false)).await?;
        let mut picture = Picture::new();
        while !picture.complete {
            picture.take(page(&mut client).await?);
        }
        let report = picture.report(&asked)?;
        show(&report, global)?;
        Ok(Exit(report.worst().code()))
    })
}

async fn page(client: &mut Client) -> Result<CheckPage, Error> {
    match client.next().await? {
        (_, Reply::Checks(page)) => Ok(*page),
        (_, Reply::Error(fault)) => Err(fault.into()),
        (_, other) => Err(client.unexpected(&other)),
    }
}
