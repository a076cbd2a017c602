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

/// A message counts as a request more for each so many bytes of it that room is made for: whoever reads it makes it at once, and zeroes it.
const REQUEST: u64 = 1 << 20;

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

/// A time in which nothing is read.
struct Pause {
    since: Instant,
    over: Pin<Box<Sleep>>,
}

impl Pause {
    fn new(time: Duration) -> Self {
        Self { since: Instant::now(), over: Box::pin(tokio::time::sleep(time)) }
    }
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
    /// While nothing more is read.
    pause: Option<Pause>,
    /// Bytes that there must be room for before more is read.
    wanted: u64,
    /// Since when they are waited for.
    waits: Option<Instant>,
    /// When a part was passed on, after which nobody has asked for more yet.
    passed: Option<Instant>,
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
            passed: None,
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
        // All but the last of them are whole, in one frame, and small. Where none may be large, nobody takes them over.
        let may_count = self.pace.largest as u64 > SMALL;
        for number in (1..=measured).filter(|_| may_count) {
            let counts = number == measured && self.framing.left > 0 && self.framing.size > SMALL;
            self.wanted = if counts { self.framing.size } else { 0 };
            self.load.message(self.wanted);
        }
        if self.pace.streams {
            // The call itself was counted when it was let in, which is its first message.
            let first = u64::from(self.framing.begun == begun && begun > 0);
            self.pay(begun - first);
        }
        Ok(())
    }

    /// Takes so many requests from the tenant's rate; what comes next in a stream waits until there are as many.
    fn pay(&mut self, requests: u64) {
        let now = Instant::now();
        let wait = self.tally.as_ref().and_then(|tally| tally.borrow(requests, now));
        if let Some(wait) = wait.filter(|_| self.pace.streams) {
            self.pause = Some(Pause::new(wait));
        }
    }

    fn set_timer(&mut self) {
        let extra = Duration::from_secs(self.framing.size / BYTES_PER_SECOND);
        self.timer.as_mut().reset(self.began + self.pace.allowance + extra);
    }

    /// Finds room for what began, or has a stream wait for it.
    fn find_room(&mut self) -> Result<(), Status> {
        let Err(excess) = self.load.hold(self.wanted) else {
            self.pay(self.wanted / REQUEST);
            (self.wanted, self.waits) = (0, None);
            return Ok(());
        };
        // Others of its connection wait with it.
        let waited = self.waits.get_or_insert_with(Instant::now).elapsed();
        if !self.pace.streams || waited > self.pace.allowance {
            return Err(too_much(&excess));
        }
        self.pause = Some(Pause::new(ROOM));
        Ok(())
    }

    /// Nothing more comes: what began and is not whole is nobody's.
    fn ended(&mut self) {
        if self.framing.left > 0 {
            self.load.forget_last(self.wanted == 0);
            self.framing.left = 0;
        }
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
        if let Some(passed) = this.passed.take() {
            // The time in which nobody asked for more is not the sender's.
            this.began += passed.elapsed();
            this.set_timer();
            if let Some(pause) = &mut this.pause {
                pause.since = Instant::now();
            }
        }
        loop {
            if let Some(pause) = &mut this.pause {
                if pause.over.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                // What has to wait here is not slow.
                this.began += pause.since.elapsed();
                this.pause = None;
                this.set_timer();
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
                    let mut noted = frame.data_ref().map_or(Ok(()), |data| this.note(data));
                    // Whoever reads it makes room for all of the message. One that stands alone is refused before; of a stream, the one
                    // before it may end here, and have to be passed on for it to have room.
                    if !this.pace.streams && this.wanted > 0 {
                        noted = noted.and_then(|()| this.find_room());
                    }
                    this.passed = Some(Instant::now());
                    return Poll::Ready(Some(noted.map(|()| frame)));
                }
                Poll::Ready(end) => {
                    this.ended();
                    return Poll::Ready(end);
                }
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
    use crate::{
        config::identity::{Rates, Share},
        gate::limits::Limits,
    };
    use http_body_util::{BodyExt, StreamBody};
    use std::convert::Infallible;
    use tokio::sync::mpsc;
    use tokio_stream::{StreamExt, wrappers::ReceiverStream};

    const ALL: u64 = 150_000;

    fn limits() -> Limits {
        Limits::new(Rates { all_bytes_in_flight: ALL, ..Rates::default() })
    }

    /// A body of these parts, and after them of nothing, or of nothing more for as long as the sender is kept.
    fn paced(limits: &Limits, streams: bool, parts: &[&[u8]]) -> (Paced, mpsc::Sender<Bytes>) {
        let (sender, sent) = mpsc::channel(16);
        for part in parts {
            assert!(sender.try_send(Bytes::copy_from_slice(part)).is_ok());
        }
        let frames = ReceiverStream::new(sent).map(|part| Ok::<_, Infallible>(Frame::data(part)));
        let pace = Pace { streams, allowance: Duration::from_millis(200), largest: 1 << 20 };
        let load = Arc::new(limits.load(None));
        (Paced::new(Body::new(StreamBody::new(frames)), pace, None, load, Arc::new(Term::default())), sender)
    }

    #[tokio::test]
    async fn the_time_in_which_nobody_asks_for_more_is_not_the_senders() {
        // A message of three bytes, and the beginning of one of a thousand.
        let (mut body, _open) = paced(&limits(), true, &[&[0, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 3, 232, 7]]);
        assert!(matches!(body.frame().await, Some(Ok(_))));
        tokio::time::sleep(Duration::from_millis(400)).await;
        let early = tokio::time::timeout(Duration::from_millis(50), body.frame()).await;
        assert!(early.is_err(), "it is told off at once");
        let late = tokio::time::timeout(Duration::from_secs(5), body.frame()).await;
        assert!(matches!(late, Ok(Some(Err(status))) if status.code() == Code::DeadlineExceeded));
    }

    #[tokio::test]
    async fn a_message_counts_by_what_it_announces() {
        let every = Share { requests_per_second: Some(1), burst: Some(10), ..Share::default() };
        let limits = Limits::new(Rates { every, ..Rates::default() });
        for (length, left) in [([0, 15, 255, 255], 9), ([0, 64, 0, 0], 5)] {
            let tenant = length.map(|byte: u8| byte.to_string()).concat();
            let Ok(permit) = limits.enter(&tenant, Instant::now()) else {
                return assert_eq!("refused", "let in");
            };
            let prefix = Bytes::copy_from_slice(&[&[0], &length[..]].concat());
            let frames = tokio_stream::iter([Ok::<_, Infallible>(Frame::data(prefix))]);
            let pace = Pace { streams: false, allowance: Duration::from_secs(5), largest: 4 << 20 };
            let (tally, load) = (permit.tally(), Arc::new(limits.load(None)));
            let body = Body::new(StreamBody::new(frames));
            let mut body = Paced::new(body, pace, Some(tally), load, Arc::new(Term::default()));
            assert!(matches!(body.frame().await, Some(Ok(_))));
            let let_in = (0..20).filter(|_| limits.enter(&tenant, Instant::now()).is_ok()).count();
            assert_eq!(let_in, left, "after {length:?}");
        }
    }

    #[tokio::test]
    async fn a_message_that_does_not_become_whole_gives_its_bytes_back() {
        for part in [&[0, 0, 1, 134, 160][..], &[0, 0, 1, 134, 160, 7]] {
            let limits = limits();
            let (mut body, open) = paced(&limits, true, &[part]);
            assert!(matches!(body.frame().await, Some(Ok(_))));
            let held = tokio::time::timeout(Duration::from_millis(50), body.frame()).await;
            assert!(held.is_err() && limits.load(None).hold(ALL - 99_999).is_err(), "100,000 bytes are held");
            drop(open);
            assert!(body.frame().await.is_none());
            assert!(limits.load(None).hold(ALL).is_ok(), "they are held for ever");
            drop(body);
            assert!(limits.load(None).hold(ALL).is_ok());
        }
    }

    #[tokio::test]
    async fn a_message_that_stands_alone_finds_room_before_anybody_makes_room_for_it() {
        let limits = limits();
        let other = limits.load(None);
        assert!(other.hold(100_000).is_ok());
        let (mut alone, _open) = paced(&limits, false, &[&[0, 0, 1, 134, 160]]);
        assert!(matches!(alone.frame().await, Some(Err(status)) if status.code() == Code::ResourceExhausted));
        // One of a stream waits behind the part that may end the one before it.
        let (mut stream, _open) = paced(&limits, true, &[&[0, 0, 1, 134, 160], &[1, 2, 3]]);
        assert!(matches!(stream.frame().await, Some(Ok(_))));
        let waits = tokio::time::timeout(Duration::from_millis(120), stream.frame()).await;
        assert!(waits.is_err());
        drop(other);
        assert!(matches!(stream.frame().await, Some(Ok(_))));
    }

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
