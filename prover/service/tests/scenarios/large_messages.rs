//! Large messages that never end: refused by their length where a method takes none, and bounded where it does.

use crate::{
    clinic::Clinic,
    earlier_release::database,
    issuer::Issuer,
    raw_call::{call_with, channel, verdict},
    running::{Running, SOON, config, resident},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::Frame,
    client::conn::http2::{self, SendRequest},
};
use nightingale::{
    Config,
    config::identity::{Identity, Rates, Share},
};
use nightingale_proto::v1;
use prost::Message;
use std::{convert::Infallible, net::SocketAddr, time::Duration};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Code, Status};
use tonic_types::StatusExt;

const PUBLISH: &str = "/nightingale.v1.EpochService/Publish";
const CHECK: &str = "/grpc.health.v1.Health/Check";

type Sent = std::pin::Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;
type Connection = SendRequest<StreamBody<Sent>>;

async fn connect(address: SocketAddr) -> Result<Connection> {
    let stream = TcpStream::connect(address).await?;
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) = http2::handshake(executor, hyper_util::rt::TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// All of a message of this length but its last byte, and then nothing more for ever. Its parts are one piece of memory.
fn unfinished(length: usize) -> Sent {
    static ZEROES: [u8; 16 << 10] = [0; 16 << 10];
    let prefix = [&[0][..], &u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()].concat();
    let mut left = length - 1;
    let rest = std::iter::from_fn(move || {
        let here = left.min(ZEROES.len());
        left -= here;
        (here > 0).then(|| Bytes::from_static(&ZEROES[..here]))
    });
    let all = std::iter::once(Bytes::from(prefix)).chain(rest).map(|bytes| Ok(Frame::data(bytes)));
    Box::pin(tokio_stream::iter(all).chain(tokio_stream::pending()))
}

/// Begins a call and waits for its answer.
async fn call(mut connection: Connection, path: &str, token: Option<&str>, body: Sent) -> Result<Status> {
    connection.ready().await?;
    let mut request = http::Request::post(format!("http://server{path}"))
        .header("te", "trailers")
        .header("content-type", "application/grpc");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = connection.send_request(request.body(StreamBody::new(body))?).await?;
    if let Some(status) = Status::from_header_map(response.headers()) {
        return Ok(status);
    }
    let trailers = response.into_body().collect().await?.trailers().cloned().unwrap_or_default();
    Status::from_header_map(&trailers).context("no status")
}

fn reason(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    (status.code(), details.error_info().map(|info| info.reason.clone()).unwrap_or_default())
}

fn refused(reason: &str) -> (Code, String) {
    (Code::ResourceExhausted, reason.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_large_messages_that_never_end_take_no_memory() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let identity = Identity { oidc: Some(issuer.by_file(folder.path())?), ..Identity::default() };
    let server = Running::start(Config { identity, ..config(folder.path()) }, StandIn::default()).await?;
    let token = issuer.token("north", &["custodian", "insurer"])?;
    let before = resident()?;
    let connection = connect(server.address).await?;
    // Of 4 MiB less a byte, which is what a message may have where nobody says otherwise.
    let large = (4 << 20) - 1;
    for (path, token, reason_of) in [
        (CHECK, None, "REQUEST_TOO_LARGE"),
        ("/nightingale.v1.JobService/List", Some(token.as_str()), "REQUEST_TOO_LARGE"),
        ("/nightingale.v1.ConsentService/List", Some(&token), "REQUEST_TOO_LARGE"),
        ("/nightingale.v1.JobService/List", None, "NO_CREDENTIALS"),
    ] {
        let calls: Vec<_> = (0..150)
            .map(|_| {
                let (connection, token) = (connection.clone(), token.map(str::to_owned));
                tokio::spawn(async move { call(connection, path, token.as_deref(), unfinished(large)).await })
            })
            .collect();
        for call in calls {
            let status = tokio::time::timeout(SOON, call).await.context("waited for")???;
            ensure!(reason(&status).1 == reason_of, "{path}: {status:?}");
        }
    }
    let grown = resident()?.saturating_sub(before);
    ensure!(grown < 150 << 20, "the process grew by {grown} bytes");
    // A byte above what a method takes is refused, and what it takes is not.
    for (path, length, is_refused) in [(CHECK, 1024, false), (CHECK, 1025, true)] {
        let status = tokio::time::timeout(
            Duration::from_millis(500),
            call(connection.clone(), path, None, unfinished(length)),
        );
        ensure!(status.await.is_ok() == is_refused, "{path} with {length} bytes");
    }
    server.stop().await
}

/// A call of `path` that stays open with an unfinished message, once the server has had time to read its length.
async fn held(connection: &Connection, path: &'static str, token: &str, length: usize) -> Result<Held> {
    let (connection, token) = (connection.clone(), token.to_owned());
    let mut call =
        tokio::spawn(async move { call(connection, path, Some(&token), unfinished(length)).await });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut call).await;
    ensure!(early.is_err(), "{early:?}");
    Ok(Held(call))
}

/// A call that is given up when it is dropped.
struct Held(tokio::task::JoinHandle<Result<Status>>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_large_messages_are_bounded_and_cost_the_others_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let identity = Identity { oidc: Some(issuer.by_file(folder.path())?), ..Identity::default() };
    let every = Share { bytes_in_flight: Some(1 << 20), ..Share::default() };
    let rates = Rates { every, all_bytes_in_flight: 3 << 20, ..Rates::default() };
    let config = Config { identity, rates, ..config(folder.path()) };
    let server = Running::start(config, StandIn::default()).await?;
    let connection = connect(server.address).await?;
    let token = |tenant: &str| issuer.token(tenant, &["custodian", "insurer"]);
    let (north, south, west) = (token("north")?, token("south")?, token("west")?);
    let answer = async |token: &str, path: &str| {
        let call = call(connection.clone(), path, Some(token), unfinished(700 << 10));
        Ok::<_, anyhow::Error>(reason(&tokio::time::timeout(SOON, call).await.context("it waits")??))
    };
    let first = held(&connection, PUBLISH, &north, 700 << 10).await?;
    let import = "/nightingale.v1.ConsentService/Import";
    ensure!(answer(&north, PUBLISH).await? == refused("TOO_MANY_BYTES"));
    ensure!(answer(&north, import).await? == refused("TOO_MANY_BYTES"));
    // Another tenant's large message comes in, and everybody's small ones are answered.
    let second = held(&connection, PUBLISH, &south, 900 << 10).await?;
    let plain = channel(server.address).await?;
    let list = async |token: &str| {
        let list = v1::ListJobsRequest::default();
        verdict(call_with(&plain, "/nightingale.v1.JobService/List", list, token).await)
    };
    ensure!(list(&north).await.0 == Code::Ok && list(&south).await.0 == Code::Ok);
    // A message of a stream waits for room, and comes in when there is some.
    let (more, messages) = mpsc::channel(1);
    let size = u32::to_be_bytes(600 << 10);
    more.send([&[0][..], &size, &[0x7f; 600 << 10]].concat()).await?;
    // Its last: what waits is not taken for the end of the stream.
    drop(more);
    let stream = ReceiverStream::new(messages).map(|bytes| Ok(Frame::data(Bytes::from(bytes))));
    let (opened, of_north) = (connection.clone(), north.clone());
    let mut stream = tokio::spawn(async move {
        let path = "/nightingale.v1.ClaimService/AdjudicateStream";
        call(opened, path, Some(&of_north), Box::pin(stream)).await
    });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut stream).await;
    ensure!(early.is_err(), "it did not wait: {early:?}");
    drop(first);
    // It holds no message of ours.
    let status = tokio::time::timeout(SOON, stream).await.context("it waits for ever")???;
    ensure!(status.code() == Code::Internal || status.code() == Code::InvalidArgument, "{status:?}");
    // All tenants together have their bound too; what was given up is given back.
    let again = held(&connection, PUBLISH, &north, 1 << 20).await?;
    let third = held(&connection, PUBLISH, &west, 1 << 20).await?;
    let last = answer(&token("east")?, PUBLISH).await?;
    ensure!(last == refused("TOO_MANY_BYTES"), "{last:?}");
    ensure!(list(&token("east")?).await.0 == Code::Ok);
    drop((second, again, third));
    let wait = async {
        // They are given up one after another.
        while held(&connection, PUBLISH, &token("east")?, 1 << 20).await.is_err() {}
        anyhow::Ok(())
    };
    tokio::time::timeout(SOON, wait).await.context("no room again")??;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_stream_waits_for_no_room_that_the_one_before_it_has() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let identity = Identity { oidc: Some(issuer.by_file(folder.path())?), ..Identity::default() };
    let every = Share { bytes_in_flight: Some(1 << 20), ..Share::default() };
    let rates = Rates { every, ..Rates::default() };
    let server =
        Running::start(Config { identity, rates, ..config(folder.path()) }, StandIn::default()).await?;
    let connection = connect(server.address).await?;
    let token = issuer.token("north", &["custodian"])?;
    // The last of the first comes in one frame with the first of the second, and both together are more than there may be.
    let message = |size: u32| [&[0][..], &size.to_be_bytes(), &vec![0x7f; size as usize]].concat();
    let both = Bytes::from([message(600 << 10), message(900 << 10)].concat());
    let stream = tokio_stream::once(Ok(Frame::data(both))).chain(tokio_stream::pending());
    let path = "/nightingale.v1.ClaimService/AdjudicateStream";
    let call = call(connection, path, Some(&token), Box::pin(stream));
    let status = tokio::time::timeout(SOON / 3, call).await.context("it waits for itself")??;
    // The first is no message of ours.
    ensure!(status.code() == Code::Internal || status.code() == Code::InvalidArgument, "{status:?}");
    server.stop().await
}

/// Messages that are whole, and cannot be written down yet.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_stream_are_held_until_they_are_written_down() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let identity = Identity { oidc: Some(issuer.by_file(folder.path())?), ..Identity::default() };
    let every = Share { bytes_in_flight: Some(1 << 20), ..Share::default() };
    let rates = Rates { every, ..Rates::default() };
    let config = Config { database: None, identity, rates, ..config(folder.path()) };
    let server = Running::start(config.clone(), StandIn::default()).await?;
    let token = issuer.token("north", &["custodian", "insurer"])?;
    let mut request = Clinic::new()?.denied(0)?;
    request.resize(250 << 10, b' ');
    let message = |key: &str| {
        let message = v1::AdjudicateRequest {
            idempotency_key: key.to_owned(),
            request: request.clone(),
            ..v1::AdjudicateRequest::default()
        };
        let message = message.encode_to_vec();
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        Bytes::from([&[0][..], &length.to_be_bytes(), &message].concat())
    };
    let database = database(&config).await?;
    let lock = database.begin_with("BEGIN IMMEDIATE").await?;
    // There is room for four: the fifth waits, and the last are not sent for that.
    let messages: Vec<_> = (0..9).map(|number| message(&number.to_string())).collect();
    let (left, sent) = watch::channel(0);
    let counted = tokio_stream::iter(messages).map(move |message| {
        left.send_modify(|sent| *sent += 1);
        Ok(Frame::data(message))
    });
    let connection = connect(server.address).await?;
    let (opened, of_north) = (connection.clone(), token.clone());
    let stream = tokio::spawn(async move {
        let path = "/nightingale.v1.ClaimService/AdjudicateStream";
        call(opened, path, Some(&of_north), Box::pin(counted)).await
    });
    let full = async {
        let refused = refused("TOO_MANY_BYTES");
        loop {
            let publish = call(connection.clone(), PUBLISH, Some(&token), unfinished(200 << 10));
            match tokio::time::timeout(Duration::from_millis(200), publish).await {
                Ok(status) => ensure!(reason(&status?) == refused),
                Err(_) => continue,
            }
            return Ok(());
        }
    };
    tokio::time::timeout(Duration::from_secs(3), full).await.context("whole messages are not counted")??;
    ensure!(*sent.borrow() < 9, "read further than there is room");
    lock.rollback().await?;
    let ended = tokio::time::timeout(SOON, stream).await.context("the stream does not go on")???;
    ensure!(ended.code() == Code::Ok, "{ended:?}");
    // All is given back.
    let _held = held(&connection, PUBLISH, &token, 1 << 20).await?;
    server.stop().await
}
