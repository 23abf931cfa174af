//! The local event bus: ZeroMQ over `ipc://`, so that any language's ZeroMQ client on this host
//! can follow events (PUB) and send them (PULL). The files are for the master's user only.
//!
//! A message has two parts: the tag, so that subscriptions filter by its beginning, and the data
//! in JSON.

use std::{os::unix::fs::PermissionsExt, path::Path};

use proto::{Value, event, layout};
use tokio::sync::broadcast::error::RecvError;
use zeromq::{PubSocket, PullSocket, Socket, SocketRecv, SocketSend, ZmqMessage};

use crate::events::Events;

/// The largest event that a local sender may send, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Serves the bus beneath `root_dir` until the task is dropped.
///
/// # Errors
/// When the sockets cannot be made.
pub async fn serve(root_dir: &Path, events: Events) -> Result<(), zeromq::ZmqError> {
    let mut publisher = PubSocket::new();
    bind(&mut publisher, &root_dir.join(layout::EVENTS_SOCKET)).await?;
    let mut puller = PullSocket::new();
    bind(&mut puller, &root_dir.join(layout::EVENTS_IN_SOCKET)).await?;
    tokio::join!(publish(publisher, events.clone()), take(puller, events));
    Ok(())
}

async fn bind(socket: &mut impl Socket, path: &Path) -> Result<(), zeromq::ZmqError> {
    // A socket file that a killed master left behind would be in the way.
    let _ = std::fs::remove_file(path);
    socket.bind(&format!("ipc://{}", path.display())).await?;
    if let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        tracing::warn!(%error, path = %path.display(), "cannot restrict the event bus to its owner");
    }
    Ok(())
}

/// Subscribes to the events only once somebody is connected: building them has a cost.
async fn publish(mut socket: PubSocket, events: Events) {
    let mut monitor = socket.monitor();
    wait_for_a_client(&mut monitor).await;
    let mut events = events.subscribe();
    loop {
        match events.recv().await {
            Ok(event) => {
                let mut message = ZmqMessage::from(event.tag.clone());
                message.push_back(event.data.to_string().into());
                if let Err(error) = socket.send(message).await {
                    tracing::debug!(%error, "event bus");
                }
            }
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "the local event bus was too slow"),
            Err(RecvError::Closed) => return,
        }
    }
}

async fn wait_for_a_client(monitor: &mut futures_channel::mpsc::Receiver<zeromq::SocketEvent>) {
    use futures_util::StreamExt;
    while let Some(event) = monitor.next().await {
        if matches!(event, zeromq::SocketEvent::Accepted(..)) {
            return;
        }
    }
    std::future::pending::<()>().await;
}

async fn take(mut socket: PullSocket, events: Events) {
    loop {
        match socket.recv().await {
            Ok(message) => match parse(&message) {
                Ok((tag, data)) => events.send(tag, data),
                Err(why) => tracing::warn!(why, "a local sender's event was refused"),
            },
            Err(error) => {
                tracing::debug!(%error, "event bus");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

fn parse(message: &ZmqMessage) -> Result<(String, Value), &'static str> {
    let (Some(tag), Some(data), 2) = (message.get(0), message.get(1), message.len()) else {
        return Err("it is not of two parts, tag and JSON data");
    };
    if tag.len() > 1024 || data.len() > LARGEST {
        return Err("it is too large");
    }
    let tag = std::str::from_utf8(tag).map_err(|_| "its tag is not UTF-8")?;
    if event::is_reserved(tag) {
        return Err("its tag is one that only the master uses");
    }
    let data = serde_json::from_slice(data).map_err(|_| "its data is not JSON")?;
    Ok((tag.to_owned(), data))
}
