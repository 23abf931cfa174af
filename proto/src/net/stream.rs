//! Frames over anything that reads and writes bytes: a length of two bytes, then the frame.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec, LengthDelimitedCodecError};

use super::{Drain, Link, NetError, PREFIX, Source};
use crate::session::GREETING_LIMIT;

/// What an idle connection's reader holds.
const IDLE: usize = 1024;

/// A link over a reader and a writer of bytes. Until [`Source::allow`] says more, frames of
/// [`GREETING_LIMIT`] bytes are the longest.
pub fn link<R, W>(reader: R, writer: W, address: String, ip: Option<IpAddr>) -> Link
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let codec =
        LengthDelimitedCodec::builder().length_field_length(PREFIX).max_frame_length(GREETING_LIMIT).new_codec();
    let frames = FramedRead::with_capacity(reader, codec, IDLE);
    Link { source: Box::new(StreamSource { frames, grown: false }), drain: Box::new(StreamDrain(writer)), address, ip }
}

struct StreamSource<R> {
    frames: FramedRead<R, LengthDelimitedCodec>,
    /// The buffer was made larger for a frame.
    grown: bool,
}

impl<R: AsyncRead + Send + Unpin> Source for StreamSource<R> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<BytesMut>, NetError>> {
        let Poll::Ready(frame) = Pin::new(&mut self.frames).poll_next(cx) else {
            self.shrink();
            return Poll::Pending;
        };
        let frame = frame.transpose().map_err(fault)?;
        self.grown |= frame.as_ref().is_some_and(|frame| frame.len() > IDLE);
        Poll::Ready(Ok(frame))
    }

    fn allow(&mut self, limit: usize) {
        self.frames.decoder_mut().set_max_frame_length(limit);
    }
}

impl<R> StreamSource<R> {
    /// Gives a long frame's buffer back when nothing more is coming for now.
    fn shrink(&mut self) {
        if self.grown && self.frames.read_buffer().is_empty() {
            *self.frames.read_buffer_mut() = BytesMut::with_capacity(IDLE);
            self.grown = false;
        }
    }
}

fn fault(error: io::Error) -> NetError {
    let too_long = error.get_ref().is_some_and(|inner| inner.is::<LengthDelimitedCodecError>());
    match error.kind() {
        _ if too_long => NetError::TooLong,
        // What FramedRead says of bytes left over at the end.
        io::ErrorKind::Other => NetError::Truncated,
        _ => error.into(),
    }
}

struct StreamDrain<W>(W);

impl<W: AsyncWrite + Send + Unpin> Drain for StreamDrain<W> {
    fn poll_send(&mut self, cx: &mut Context<'_>, frame: &mut Bytes) -> Poll<io::Result<()>> {
        while !frame.is_empty() {
            match ready!(Pin::new(&mut self.0).poll_write(cx, frame))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => frame.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
