//! One connection. It ends when its other end begins something and does not end it in time, takes nothing for as long, or is simply old.

use super::{Peer, Place, frames::Frames};
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// After its age, a connection has this long to end its calls.
const GRACE: Duration = Duration::from_secs(600);

/// How slow a connection may be.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// For a frame, a block of headers or the opening to end, and for an answer to be taken.
    pub(super) frame: Duration,
    /// For the whole, before it is told to end.
    pub(super) age: Duration,
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// One connection.
pub(crate) struct Link {
    stream: Stream,
    peer: Peer,
    frames: Frames,
    pace: Pace,
    /// When what is being read must have ended.
    reading: Pin<Box<Sleep>>,
    /// When what is being written must have been taken; set while something waits.
    writing: Option<Pin<Box<Sleep>>>,
    /// When all is over.
    end: Pin<Box<Sleep>>,
    _place: Place,
}

impl Link {
    pub(super) fn plain(stream: TcpStream, place: Place, pace: Pace) -> Self {
        Self::new(Stream::Plain(stream), Peer(None), place, pace)
    }

    pub(super) fn encrypted(stream: TlsStream<TcpStream>, peer: Peer, place: Place, pace: Pace) -> Self {
        Self::new(Stream::Encrypted(Box::new(stream)), peer, place, pace)
    }

    fn new(stream: Stream, peer: Peer, place: Place, pace: Pace) -> Self {
        Self {
            stream,
            peer,
            frames: Frames::default(),
            reading: Box::pin(tokio::time::sleep(pace.frame)),
            writing: None,
            end: Box::pin(tokio::time::sleep(pace.age + GRACE)),
            pace,
            _place: place,
        }
    }

    /// Follows a write: what waits for longer than the pace allows is an error.
    fn written<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.writing = None;
            return polled;
        }
        let pace = self.pace.frame;
        let timer = self.writing.get_or_insert_with(|| Box::pin(tokio::time::sleep(pace)));
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl Connected for Link {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let polled = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Encrypted(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        if polled.is_pending() {
            if this.frames.is_inside() && this.reading.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            return Poll::Pending;
        }
        let was_inside = this.frames.is_inside();
        let ended = this.frames.feed(buffer.filled().get(before..).unwrap_or_default());
        // The time runs from the beginning of what is being read, not from its last byte.
        if ended || !was_inside {
            this.reading.as_mut().reset(Instant::now() + this.pace.frame);
        }
        polled
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        this.written(context, polled)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        };
        this.written(context, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        };
        this.written(context, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Stream::Encrypted(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        };
        this.written(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Encrypted(stream) => stream.is_write_vectored(),
        }
    }
}
