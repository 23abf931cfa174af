//! What passes between a TCP connection and the crate's socket: well-formed ZMTP 3 with bounded
//! frames, and nothing else. <https://rfc.zeromq.org/spec/23/>

use std::{io, path::Path};

use bytes::Bytes;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter},
    net::{TcpStream, UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::{Duration, timeout},
};

use super::{
    GREETING,
    flow::{self, Hub, Out},
};
use crate::{
    net::{Link, Refused, tcp},
    session::FRAME_LIMIT,
};

const GREETING_LENGTH: usize = 64;
/// Longest `READY` that a peer may send.
const READY_LIMIT: usize = 512;
/// Time for the last frames to get through, after the end.
const LINGER: Duration = Duration::from_secs(1);

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Takes a stranger's connection to the `ROUTER` behind `path`; gives a link once the greeting is
/// done, and lives as long as the link.
///
/// # Errors
/// The peer said what no peer of ours says. A connection that only ends or breaks is no error.
pub(super) async fn serve(
    stream: TcpStream,
    path: &Path,
    hub: &Hub,
    out: Out,
    give: mpsc::Sender<Link>,
    place: OwnedSemaphorePermit,
) -> Result<(), Refused> {
    let begun = async {
        tcp::tune(&stream)?;
        let peer = stream.peer_addr()?;
        io::Result::Ok((peer, UnixStream::connect(path).await?.into_split()))
    };
    // It has gone already, or we lack what it takes.
    let Ok((peer, (inner_reader, inner_writer))) = begun.await else { return Ok(()) };
    let (reader, writer) = stream.into_split();
    let (mut reader, mut inner_writer) = (BufReader::new(reader), BufWriter::new(inner_writer));
    // What comes from our own socket needs no check.
    let outward = tokio::spawn(copy(inner_reader, writer));
    // Chosen here: a peer that could choose might take another's place.
    let identity = Bytes::copy_from_slice(&rand::random::<[u8; 16]>());
    let greeting = greet(&mut reader, &mut inner_writer, &identity);
    let greeted = timeout(GREETING, greeting).await.unwrap_or_else(|_| Err(refused("greeting too slow")));
    if let Err(error) = greeted {
        outward.abort();
        return verdict(&error, Refused::ZmtpGreeting);
    }
    let (link, ends) = flow::link(hub, identity.clone(), peer.to_string(), Some(peer.ip().to_canonical()));
    ends.writer.start(out.to(identity.clone()));
    let given = give.send(link).await;
    drop(place);
    let mut ended = Ok(());
    if given.is_ok() {
        ended = until_closed(frames(&mut reader, &mut inner_writer), ends.closed).await;
    }
    drop((reader, inner_writer));
    tokio::time::sleep(LINGER).await;
    outward.abort();
    hub.remove(&identity);
    ended.or_else(|error| verdict(&error, Refused::ZmtpFrame))
}

/// Whether an error is the peer's doing.
fn verdict(error: &io::Error, kind: Refused) -> Result<(), Refused> {
    if error.kind() == io::ErrorKind::InvalidData { Err(kind) } else { Ok(()) }
}

/// Stands between a `DEALER`, which will connect to `inner`, and a connection to a master.
pub(super) async fn dialled(
    stream: TcpStream,
    inner: UnixListener,
    hub: &Hub,
    closed: oneshot::Receiver<()>,
) -> io::Result<()> {
    let (inner_reader, inner_writer) = inner.accept().await?.0.into_split();
    drop(inner);
    let (reader, writer) = stream.into_split();
    let (mut reader, mut inner_writer) = (BufReader::new(reader), BufWriter::new(inner_writer));
    let outward = tokio::spawn(copy(inner_reader, writer));
    let inward = async {
        pass_greeting(&mut reader, &mut inner_writer).await?;
        let ready = ready(&mut reader).await?;
        inner_writer.write_all(&ready).await?;
        frames(&mut reader, &mut inner_writer).await
    };
    // What our own master says wrong ends the link, which says enough.
    let _ = until_closed(inward, closed).await;
    drop((reader, inner_writer));
    tokio::time::sleep(LINGER).await;
    outward.abort();
    hub.remove(&Bytes::new());
    Ok(())
}

/// Relays until the connection ends, or our side has let go of the link (then with time for what
/// is still on its way).
async fn until_closed(relay: impl Future<Output = io::Result<()>>, closed: oneshot::Receiver<()>) -> io::Result<()> {
    let released = async {
        let _ = closed.await;
        tokio::time::sleep(LINGER).await;
    };
    tokio::select! {
        ended = relay => ended,
        () = released => Ok(()),
    }
}

async fn copy(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut from = BufReader::with_capacity(16 * 1024, from);
    tokio::io::copy_buf(&mut from, &mut to).await?;
    to.shutdown().await
}

type Reader<R> = BufReader<R>;

async fn greet<R, W>(reader: &mut Reader<R>, writer: &mut BufWriter<W>, identity: &[u8]) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    pass_greeting(reader, writer).await?;
    let theirs = ready(reader).await?;
    if !theirs.windows(6).any(|part| part == b"DEALER") {
        return Err(refused("not a DEALER"));
    }
    let properties: [(&[u8], &[u8]); 2] = [(b"Socket-Type", b"DEALER"), (b"Identity", identity)];
    let mut body = b"\x05READY".to_vec();
    for (name, value) in properties {
        body.push(name.len() as u8);
        body.extend_from_slice(name);
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value);
    }
    writer.write_all(&[COMMAND, body.len() as u8]).await?;
    writer.write_all(&body).await?;
    writer.flush().await
}

async fn pass_greeting<R, W>(reader: &mut Reader<R>, writer: &mut BufWriter<W>) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut greeting = [0; GREETING_LENGTH];
    // The first byte alone shows most strangers.
    reader.read_exact(&mut greeting[..1]).await?;
    if greeting[0] != 0xff {
        return Err(refused("not ZeroMQ"));
    }
    reader.read_exact(&mut greeting[1..]).await?;
    if greeting[9] != 0x7f || greeting[10] < 3 || &greeting[12..17] != b"NULL\0" {
        return Err(refused("not ZMTP 3 with NULL security"));
    }
    writer.write_all(&greeting).await?;
    writer.flush().await
}

/// A `READY` command, whole.
async fn ready<R: AsyncRead + Unpin>(reader: &mut Reader<R>) -> io::Result<Vec<u8>> {
    let flags = reader.read_u8().await?;
    let (length, mut frame) = header(reader, flags).await?;
    if flags & COMMAND == 0 || length > READY_LIMIT {
        return Err(refused("no READY"));
    }
    let start = frame.len();
    frame.resize(start + length, 0);
    reader.read_exact(&mut frame[start..]).await?;
    if frame[start..].starts_with(b"\x05READY") { Ok(frame) } else { Err(refused("no READY")) }
}

/// The length of the frame whose flags were read, and its header's bytes.
async fn header<R: AsyncRead + Unpin>(reader: &mut Reader<R>, flags: u8) -> io::Result<(usize, Vec<u8>)> {
    if flags & !(MORE | LONG | COMMAND) != 0 {
        return Err(refused("unknown flags"));
    }
    let mut bytes = vec![flags];
    let length = if flags & LONG == 0 {
        let length = reader.read_u8().await?;
        bytes.push(length);
        u64::from(length)
    } else {
        let length = reader.read_u64().await?;
        bytes.extend_from_slice(&length.to_be_bytes());
        length
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > FRAME_LIMIT { Err(refused("frame too long")) } else { Ok((length, bytes)) }
}

/// Passes messages on: two parts each at most, each part within the limit, no commands.
async fn frames<R, W>(reader: &mut Reader<R>, writer: &mut BufWriter<W>) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut parts = 0;
    loop {
        if reader.buffer().is_empty() {
            writer.flush().await?;
            if reader.fill_buf().await?.is_empty() {
                return Ok(());
            }
        }
        let flags = reader.read_u8().await?;
        parts = if flags & MORE == 0 { 0 } else { parts + 1 };
        if flags & COMMAND != 0 || parts > 1 {
            return Err(refused("not a message of ours"));
        }
        let (length, head) = header(reader, flags).await?;
        writer.write_all(&head).await?;
        let mut body = (&mut *reader).take(length as u64);
        if tokio::io::copy_buf(&mut body, writer).await? < length as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
