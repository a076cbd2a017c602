//! What flows through a call: messages in, paced and bounded in time; answers out, counted until they are gone.

use super::{
    limits::{Load, Permit, SMALL, Tally},
    term::Term,
    too_much,
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
    /// Of them, those whose size is known.
    measured: u64,
    /// Bytes of the largest message so far.
    largest: u64,
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
                self.measured += 1;
                self.largest = self.largest.max(self.size);
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

/// How a request's body may come.
pub(super) struct Pace {
    /// Whether the call holds more than one message.
    pub(super) streams: bool,
    /// How long a message may take, beside what its size takes.
    pub(super) allowance: Duration,
    /// The largest message, in bytes.
    pub(super) largest: usize,
}

/// How long a stream waits before it looks again whether there is room for the message that began.
const ROOM: Duration = Duration::from_millis(50);

/// A request's body: what begins must end in time, is no larger than it may be, and finds room for its bytes before more of it is read; a
/// call of one message holds one, a stream's messages come no faster than the tenant's rate, and nothing comes after the call's term.
///
/// A message that waits for room keeps no part of the one before it back, so that the one before gives its bytes back meanwhile.
pub(super) struct Paced {
    inner: Body,
    pace: Pace,
    tally: Option<Arc<Tally>>,
    load: Arc<Load>,
    term: Arc<Term>,
    framing: Framing,
    /// When what began must have ended.
    timer: Pin<Box<Sleep>>,
    began: Instant,
    /// Until when nothing more is read.
    pause: Option<Pin<Box<Sleep>>>,
    /// Bytes that there must be room for before more is read.
    wanted: u64,
    /// Since when they are waited for.
    waits: Option<Instant>,
}

impl Paced {
    pub(super) fn new(
        inner: Body,
        pace: Pace,
        tally: Option<Arc<Tally>>,
        load: Arc<Load>,
        term: Arc<Term>,
    ) -> Self {
        let began = Instant::now();
        let timer = Box::pin(tokio::time::sleep(pace.allowance));
        Self {
            inner,
            pace,
            tally,
            load,
            term,
            framing: Framing::default(),
            timer,
            began,
            pause: None,
            wanted: 0,
            waits: None,
        }
    }

    fn note(&mut self, data: &Bytes) -> Result<(), Status> {
        let before = self.framing.measured;
        let begun = self.framing.feed(data);
        let largest = self.pace.largest;
        if self.framing.largest > largest as u64 {
            let text = format!("the message is larger than the {largest} bytes that this method takes");
            return Err(typed(Code::ResourceExhausted, "REQUEST_TOO_LARGE", text));
        }
        if begun > 0 && self.pace.streams {
            self.began = Instant::now();
        }
        let measured = self.framing.measured - before;
        if begun > 0 || measured > 0 {
            self.set_timer();
        }
        if !self.pace.streams && self.framing.begun > 1 {
            return Err(invalid("message", "expected one message in this call"));
        }
        // All but the last of them are whole, in one frame, and small.
        for number in 1..=measured {
            let counts = number == measured && self.framing.left > 0 && self.framing.size > SMALL;
            self.wanted = if counts { self.framing.size } else { 0 };
            self.load.message(self.wanted);
        }
        if self.pace.streams
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

    fn set_timer(&mut self) {
        let extra = Duration::from_secs(self.framing.size / BYTES_PER_SECOND);
        self.timer.as_mut().reset(self.began + self.pace.allowance + extra);
    }

    /// Finds room for what began, or has a stream wait for it.
    fn find_room(&mut self) -> Result<(), Status> {
        let Err(excess) = self.load.hold(self.wanted) else {
            (self.wanted, self.waits) = (0, None);
            return Ok(());
        };
        // Others of its connection wait with it.
        let waited = self.waits.get_or_insert_with(Instant::now).elapsed();
        if !self.pace.streams || waited > self.pace.allowance {
            return Err(too_much(&excess));
        }
        self.pause = Some(Box::pin(tokio::time::sleep(ROOM)));
        // What has to wait here is not slow.
        self.began = Instant::now();
        self.set_timer();
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
        loop {
            if let Some(pause) = &mut this.pause {
                if pause.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                this.pause = None;
            }
            if let Some(over) = this.term.over() {
                return Poll::Ready(Some(Err(over)));
            }
            if this.wanted > 0 {
                if let Err(refused) = this.find_room() {
                    return Poll::Ready(Some(Err(refused)));
                }
                continue;
            }
            match Pin::new(&mut this.inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let noted = frame.data_ref().map_or(Ok(()), |data| this.note(data));
                    return Poll::Ready(Some(noted.map(|()| frame)));
                }
                Poll::Ready(end) => return Poll::Ready(end),
                Poll::Pending => {
                    let must_end = !this.pace.streams || this.framing.is_inside();
                    if must_end && this.timer.as_mut().poll(context).is_ready() {
                        let text = "the message did not come in time; send it whole, or on a faster line";
                        let slow = typed(Code::DeadlineExceeded, "MESSAGE_TOO_SLOW", text);
                        return Poll::Ready(Some(Err(slow)));
                    }
                    return Poll::Pending;
                }
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

/// An answer's body: it holds the request's place until it is gone, and ends when the call's term is over.
pub(super) struct Held {
    inner: Body,
    /// The call's place, and the bytes that it holds.
    place: Option<Place>,
    over: Option<Over>,
}

/// A call's place, where its caller is counted, and its bytes.
type Place = (Option<Permit>, Arc<Load>);

/// Ready when a call may not go on.
type Over = Pin<Box<dyn Future<Output = Status> + Send>>;

impl Held {
    pub(super) fn new(inner: Body, place: Place, term: Arc<Term>) -> Self {
        Self { inner, place: Some(place), over: Some(Box::pin(async move { term.ended().await })) }
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
        if let Some(over) = &mut this.over
            && let Poll::Ready(status) = over.as_mut().poll(context)
        {
            (this.over, this.place) = (None, None);
            this.inner = Body::empty();
            let mut trailers = HeaderMap::new();
            let told = status.add_header(&mut trailers);
            return Poll::Ready(Some(told.map(|()| Frame::trailers(trailers))));
        }
        let polled = Pin::new(&mut this.inner).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = &polled {
            (this.over, this.place) = (None, None);
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
