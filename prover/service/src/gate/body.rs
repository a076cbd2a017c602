//! What flows through a call: messages in, paced and bounded in time; answers out, counted until they are gone.

use super::{
    deadline,
    limits::{Permit, Tally},
};
use crate::server::status::{invalid, typed};
use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Frame;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};
use tonic::{Code, Status, body::Body};

/// The slowest that a large message may come, beside the time that every message has.
const BYTES_PER_SECOND: u64 = 64 << 10;

/// Follows the messages in a body by their prefixes: a flag and a length of four bytes (the protocol's "Length-Prefixed-Message").
#[derive(Default)]
struct Framing {
    prefix: Vec<u8>,
    /// Bytes of the message that are still to come.
    left: u64,
    /// Bytes of the message.
    size: u64,
    /// Messages that began.
    begun: u64,
}

impl Framing {
    /// How many messages begin in these bytes.
    fn feed(&mut self, mut bytes: &[u8]) -> u64 {
        let before = self.begun;
        while !bytes.is_empty() {
            if self.left > 0 {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                bytes.advance(here);
                self.left -= here as u64;
                continue;
            }
            if self.prefix.is_empty() {
                self.begun += 1;
            }
            self.prefix.extend(bytes.first());
            bytes.advance(1);
            if let [_, length @ ..] = self.prefix.as_slice()
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                self.size = u32::from_be_bytes(length).into();
                self.left = self.size;
                self.prefix.clear();
            }
        }
        self.begun - before
    }

    /// Whether a message began and has not ended.
    fn is_inside(&self) -> bool {
        self.left > 0 || !self.prefix.is_empty()
    }
}

/// A request's body: what begins must end in time, a call of one message holds one, and a stream's messages come no faster than the
/// tenant's rate.
pub(super) struct Paced {
    inner: Body,
    tally: Option<Arc<Tally>>,
    streams: bool,
    allowance: Duration,
    framing: Framing,
    /// When what began must have ended.
    timer: Pin<Box<Sleep>>,
    began: Instant,
    /// Until when nothing more is read.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(super) fn new(inner: Body, tally: Option<Arc<Tally>>, streams: bool, allowance: Duration) -> Self {
        let began = Instant::now();
        Self {
            inner,
            tally,
            streams,
            allowance,
            framing: Framing::default(),
            timer: Box::pin(tokio::time::sleep(allowance)),
            began,
            pause: None,
        }
    }

    fn note(&mut self, data: &Bytes) -> Result<(), Status> {
        let size = self.framing.size;
        let begun = self.framing.feed(data);
        if begun > 0 && self.streams {
            self.began = Instant::now();
        }
        if begun > 0 || self.framing.size != size {
            let extra = Duration::from_secs(self.framing.size / BYTES_PER_SECOND);
            self.timer.as_mut().reset(self.began + self.allowance + extra);
        }
        if !self.streams && self.framing.begun > 1 {
            return Err(invalid("message", "expected one message in this call"));
        }
        if self.streams
            && let Some(tally) = &self.tally
        {
            // The call itself was counted when it was let in, which is its first message.
            let first = u64::from(self.framing.begun == begun && begun > 0);
            let now = Instant::now();
            let wait = (0..begun - first).filter_map(|_| tally.borrow(now)).max();
            self.pause = wait.map(|wait| Box::pin(tokio::time::sleep_until(now + wait)));
        }
        Ok(())
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if let Some(pause) = &mut this.pause {
            if pause.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.pause = None;
        }
        match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let noted = frame.data_ref().map_or(Ok(()), |data| this.note(data));
                Poll::Ready(Some(noted.map(|()| frame)))
            }
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => {
                let must_end = !this.streams || this.framing.is_inside();
                if must_end && this.timer.as_mut().poll(context).is_ready() {
                    let text = "the message did not come in time; send it whole, or on a faster line";
                    return Poll::Ready(Some(Err(typed(Code::DeadlineExceeded, "MESSAGE_TOO_SLOW", text))));
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body: it holds the request's place until it is gone, and ends when the call's time is over.
pub(super) struct Held {
    inner: Body,
    permit: Option<Permit>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Held {
    pub(super) fn new(inner: Body, permit: Option<Permit>, ends: Option<Instant>) -> Self {
        Self { inner, permit, timer: ends.map(|ends| Box::pin(tokio::time::sleep_until(ends))) }
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if let Some(timer) = &mut this.timer
            && timer.as_mut().poll(context).is_ready()
        {
            (this.timer, this.permit) = (None, None);
            this.inner = Body::empty();
            let mut trailers = HeaderMap::new();
            let told = deadline::passed().add_header(&mut trailers);
            return Poll::Ready(Some(told.map(|()| Frame::trailers(trailers))));
        }
        let polled = Pin::new(&mut this.inner).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = &polled {
            (this.timer, this.permit) = (None, None);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_however_they_are_cut() {
        // Of 3, 0 and 300 bytes.
        let mut bytes = vec![0, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 44];
        bytes.extend([9; 300]);
        for step in 1..bytes.len() {
            let mut framing = Framing::default();
            let begun: u64 = bytes.chunks(step).map(|part| framing.feed(part)).sum();
            assert_eq!((begun, framing.size, framing.is_inside()), (3, 300, false), "cut at {step}");
        }
        let mut framing = Framing::default();
        assert_eq!(framing.feed(&[0, 0]), 1);
        assert!(framing.is_inside());
        assert_eq!(framing.feed(&[255, 255, 255, 1]), 0);
        assert_eq!(framing.left, 0x00ff_ffff - 1);
    }
}
