//! Strangers on real sockets: broken frames, far too much, far too slow, absurd deadlines. After each the server answers others at once.

use crate::{
    raw_call::{channel, verdict},
    running::{Running, config, resident},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{Config, client::Client, config::identity::Rates};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tonic::{Code, Status};

const LIST: &str = "/nightingale.v1.JobService/List";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long anybody else may wait.
const AT_ONCE: Duration = Duration::from_secs(10);
/// How slow a connection may be here.
const PACE: Duration = Duration::from_secs(1);

async fn server(folder: &std::path::Path) -> Result<Running> {
    let rates = Rates {
        handshake: PACE,
        message: PACE,
        connections: 200,
        connections_per_address: 100,
        header_bytes: 8 << 10,
        ..Rates::default()
    };
    Running::start(Config { rates, request_bytes: 4096, ..config(folder) }, StandIn::default()).await
}

/// A connection from another loopback address than everybody's.
async fn stranger(address: SocketAddr, from: [u8; 4]) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    Ok(socket.connect(address).await?)
}

/// Somebody else is answered, and at once.
async fn others_are_answered(server: &Running) -> Result<()> {
    let began = Instant::now();
    let list = async { Client::connect(&server.address.to_string(), "north").await?.jobs(&[], 1).await };
    tokio::time::timeout(AT_ONCE, list).await.context("others wait")??;
    assert!(began.elapsed() < AT_ONCE);
    Ok(())
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Literal header fields without indexing (RFC 7541, 6.2.2).
fn fields(all: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in all {
        bytes.push(0);
        for text in [name, value] {
            bytes.push(u8::try_from(text.len()).unwrap_or(0x7e));
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

fn request_fields(address: SocketAddr, more: &[(&str, &str)]) -> Vec<u8> {
    let authority = address.to_string();
    let mut all = vec![
        (":method", "POST"),
        (":scheme", "http"),
        (":path", LIST),
        (":authority", authority.as_str()),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    all.extend(more);
    fields(&all)
}

/// Opens a connection of HTTP/2.
async fn greeted(address: SocketAddr, from: [u8; 4]) -> Result<TcpStream> {
    let mut stream = stranger(address, from).await?;
    stream.write_all(PREFACE).await?;
    stream.write_all(&frame(4, 0, 0, &[])).await?;
    Ok(stream)
}

/// Reads until the other side closes; how long that took.
async fn closes(stream: &mut TcpStream) -> Result<Duration> {
    let began = Instant::now();
    let mut sink = vec![0; 1 << 16];
    let ends = async { while !matches!(stream.read(&mut sink).await, Ok(0) | Err(_)) {} };
    tokio::time::timeout(Duration::from_secs(30), ends).await.context("the connection stays open")?;
    Ok(began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_frames_end_their_own_connection_only() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = server(folder.path()).await?;
    let address = server.address;
    let from = [127, 0, 0, 9];
    let opened = |first: Vec<u8>| [PREFACE.to_vec(), frame(4, 0, 0, &[]), first].concat();
    let endless = {
        // A block of headers that never ends.
        let mut bytes = opened(frame(1, 0, 1, &request_fields(address, &[])));
        for _ in 0..200 {
            bytes.extend(frame(9, 0, 1, &fields(&[("x", &"a".repeat(100))])));
        }
        bytes
    };
    let many_resets = {
        let mut bytes = opened(Vec::new());
        for number in 0..2000u32 {
            bytes.extend(frame(1, 4, 2 * number + 1, &request_fields(address, &[])));
            bytes.extend(frame(3, 0, 2 * number + 1, &8u32.to_be_bytes()));
        }
        bytes
    };
    for (what, bytes) in [
        ("HTTP/1", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()),
        ("TLS", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3].into_iter().chain([7; 600]).collect()),
        ("noise", (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("another preface", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec()),
        ("no settings", [PREFACE.to_vec(), frame(0, 0, 1, b"data")].concat()),
        ("settings of a wrong length", [PREFACE.to_vec(), frame(4, 0, 0, &[1, 2, 3])].concat()),
        (
            "an oversized frame",
            [PREFACE.to_vec(), frame(4, 0, 0, &[]), vec![0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]].concat(),
        ),
        ("data of no stream", opened(frame(0, 0, 1, &[0; 5]))),
        ("data of stream 0", opened(frame(0, 0, 0, &[0; 5]))),
        ("headers of an even stream", opened(frame(1, 5, 2, &request_fields(address, &[])))),
        ("headers that do not decode", opened(frame(1, 5, 1, &[0xff; 64]))),
        ("headers that index nothing", opened(frame(1, 5, 1, &[0xbf, 0xbe, 0xc0, 0xfe]))),
        (
            "a window that overflows",
            opened(
                [
                    frame(8, 0, 0, &0x7fff_ffff_u32.to_be_bytes()),
                    frame(8, 0, 0, &0x7fff_ffff_u32.to_be_bytes()),
                ]
                .concat(),
            ),
        ),
        ("a window of nothing", opened(frame(8, 0, 0, &0u32.to_be_bytes()))),
        ("a ping of a wrong length", opened(frame(6, 0, 0, &[1, 2, 3]))),
        ("a push", opened(frame(5, 4, 1, &[0, 0, 0, 2]))),
        ("a continuation of nothing", opened(frame(9, 4, 1, &[]))),
        (
            "something within a block",
            opened([frame(1, 0, 1, &request_fields(address, &[])), frame(6, 0, 0, &[0; 8])].concat()),
        ),
        ("endless headers", endless),
        ("many resets", many_resets),
    ] {
        let mut stream = stranger(address, from).await?;
        // The server may close while it is still being written to.
        let _ = stream.write_all(&bytes).await;
        others_are_answered(&server).await.with_context(|| format!("after {what}"))?;
        if what == "many resets" {
            // Each is allowed; so many at once may be more than the server takes. It ends with its sender either way.
            let _ = stream.shutdown().await;
        }
        closes(&mut stream).await.with_context(|| what.to_owned())?;
    }
    server.stop().await
}

/// The status of a call that is written by hand; what is sent after its headers is `body`.
async fn by_hand(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<(u16, Option<i32>)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    )
    .await?;
    tokio::spawn(connection);
    let mut request = http::Request::post(format!("http://{address}{path}")).header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(http_body_util::Full::new(bytes::Bytes::from(body)))?;
    let response =
        tokio::time::timeout(AT_ONCE * 3, sender.send_request(request)).await.context("no answer")??;
    let status = response.status().as_u16();
    let in_head = response.headers().get("grpc-status").cloned();
    let body = http_body_util::BodyExt::collect(response.into_body()).await?;
    let code = in_head.or_else(|| body.trailers().and_then(|map| map.get("grpc-status").cloned()));
    Ok((status, code.and_then(|code| code.to_str().ok()?.parse().ok())))
}

const GRPC: (&str, &str) = ("content-type", "application/grpc");

#[tokio::test(flavor = "multi_thread")]
async fn broken_calls_are_refused_and_not_served() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = server(folder.path()).await?;
    let address = server.address;
    let good = vec![0, 0, 0, 0, 7, 10, 5, b'n', b'o', b'r', b't', b'h'];
    assert_eq!(by_hand(address, LIST, &[GRPC], good.clone()).await?, (200, Some(0)));
    for (what, headers, body, expected) in [
        ("no type", &[][..], good.clone(), (415, None)),
        ("another type", &[("content-type", "application/json")], good.clone(), (415, None)),
        ("a type that only begins so", &[("content-type", "application/grpcx")], good.clone(), (415, None)),
        ("the web's type", &[("content-type", "application/grpc-web")], good.clone(), (415, None)),
        ("no message", &[GRPC], Vec::new(), (200, None)),
        ("half a prefix", &[GRPC], vec![0, 0], (200, None)),
        ("half a message", &[GRPC], vec![0, 0, 0, 0, 9, 10, 5], (200, None)),
        ("a message that is none", &[GRPC], vec![0, 0, 0, 0, 2, 0xff, 0xff], (200, None)),
        ("a length beyond all", &[GRPC], vec![0, 0xff, 0xff, 0xff, 0xff, 1], (200, None)),
        ("an unknown flag", &[GRPC], vec![7, 0, 0, 0, 0], (200, None)),
        (
            "two messages",
            &[GRPC],
            [good.clone(), good.clone()].concat(),
            (200, Some(Code::InvalidArgument as i32)),
        ),
        (
            "compressed",
            &[GRPC, ("grpc-encoding", "gzip")],
            vec![1, 0, 0, 0, 1, 0],
            (200, Some(Code::Unimplemented as i32)),
        ),
        ("compressed without a word", &[GRPC], vec![1, 0, 0, 0, 1, 0], (200, None)),
    ] {
        let (status, code) = by_hand(address, LIST, headers, body).await.context(what)?;
        assert_eq!(status, expected.0, "{what}");
        assert_ne!(code, Some(0), "{what} was served");
        if expected.1.is_some() {
            assert_eq!(code, expected.1, "{what}");
        }
        others_are_answered(&server).await.context(what)?;
    }
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_far_too_large_is_not_kept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = server(folder.path()).await?;
    let address = server.address;
    let before = resident()?;
    // A message far above the limit, claimed and really sent.
    let size = 64u32 << 20;
    let mut body = vec![0];
    body.extend(size.to_be_bytes());
    body.resize(5 + (size as usize), 7);
    for _ in 0..3 {
        let answer = by_hand(address, "/nightingale.v1.ClaimService/Adjudicate", &[GRPC], body.clone()).await;
        // Refused by its first bytes, whether the answer is read before the connection breaks or not.
        assert!(!matches!(answer, Ok((200, Some(0)))), "{answer:?}");
        others_are_answered(&server).await?;
    }
    drop(body);
    // Headers above the limit.
    let long = "a".repeat(20_000);
    let answer = by_hand(address, LIST, &[GRPC, ("x-long", &long)], Vec::new()).await;
    assert!(!matches!(answer, Ok((200, Some(0)))), "{answer:?}");
    others_are_answered(&server).await?;
    let grown = resident()?.saturating_sub(before);
    assert!(grown < 300 << 20, "the process grew by {grown} bytes");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_byte_a_second_is_hung_up_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = server(folder.path()).await?;
    let address = server.address;
    let block = request_fields(address, &[]);
    let opening = [PREFACE.to_vec(), frame(4, 0, 0, &[])].concat();
    let begun = |more: Vec<u8>| [opening.clone(), more].concat();
    let mut declared = vec![0, 0, 0, 0, 200];
    declared.extend([7; 10]);
    let in_message = [frame(1, 4, 1, &block), frame(0, 0, 1, &declared)].concat();
    let mut slow = Vec::new();
    for (what, at_once, drip) in [
        ("nothing at all", Vec::new(), Vec::new()),
        ("the preface", Vec::new(), PREFACE.to_vec()),
        ("a frame's header", begun(vec![0]), vec![0; 8]),
        ("a frame", begun(frame(0, 0, 1, &[0; 100])[..20].to_vec()), vec![0; 80]),
        ("a block of headers", begun(frame(1, 0, 1, &block)), frame(9, 0, 1, &[])),
        ("a continuation for ever", begun(frame(1, 0, 1, &block)), frame(9, 0, 1, &[]).repeat(9)),
    ] {
        let mut stream = stranger(address, [127, 0, 0, 9]).await?;
        stream.write_all(&at_once).await?;
        slow.push(tokio::spawn(async move {
            let (mut reader, mut writer) = stream.into_split();
            let dripping = tokio::spawn(async move {
                for byte in drip {
                    if writer.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                // Not closed by this side.
                tokio::time::sleep(Duration::from_secs(60)).await;
            });
            let began = Instant::now();
            let mut sink = vec![0; 4096];
            let ends = async { while !matches!(reader.read(&mut sink).await, Ok(0) | Err(_)) {} };
            let ended = tokio::time::timeout(Duration::from_secs(30), ends).await;
            dripping.abort();
            ended.with_context(|| format!("{what} is waited for"))?;
            let took = began.elapsed();
            anyhow::ensure!(took < PACE * 4, "{what} took {took:?}");
            Ok(())
        }));
    }
    others_are_answered(&server).await?;
    for one in slow {
        one.await??;
    }
    // A message that drips ends its call, not its connection: others may be on it.
    let mut stream = greeted(address, [127, 0, 0, 9]).await?;
    stream.write_all(&in_message).await?;
    let (mut reader, mut writer) = stream.into_split();
    let dripping = tokio::spawn(async move {
        while writer.write_all(&frame(0, 0, 1, &[7])).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    });
    let began = Instant::now();
    let mut seen: Vec<u8> = Vec::new();
    let told = async {
        let mut part = vec![0; 4096];
        while let Ok(read @ 1..) = reader.read(&mut part).await {
            seen.extend(part.get(..read).unwrap_or_default());
            // A frame of headers on the call's stream is its end, with the status.
            if seen.windows(9).any(|w| w[3] == 1 && w[5..9] == [0, 0, 0, 1]) {
                return true;
            }
        }
        false
    };
    let told = tokio::time::timeout(Duration::from_secs(15), told).await.context("the call is waited for")?;
    dripping.abort();
    assert!(told && began.elapsed() < PACE * 6, "{:?}", began.elapsed());
    others_are_answered(&server).await?;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_leave_room_for_others() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = server(folder.path()).await?;
    let before = resident()?;
    let mut idle = Vec::new();
    for number in 0..1000u32 {
        // From ten addresses: no more than 100 of each are kept, and no more than 200 in all.
        let from = [127, 0, 1, u8::try_from(number % 10)? + 1];
        if let Ok(stream) = greeted(server.address, from).await {
            idle.push(stream);
        }
        // Those that the server hung up on hold nothing here either.
        idle.retain(|stream: &TcpStream| match stream.try_read(&mut [0; 1]) {
            Ok(read) => read > 0,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        });
        if number == 150 {
            others_are_answered(&server).await?;
        }
    }
    // Full: a new one is closed at once instead of waiting. When others have gone, there is room again.
    let mut late = stranger(server.address, [127, 0, 0, 9]).await?;
    assert!(closes(&mut late).await? < AT_ONCE);
    let grown = resident()?.saturating_sub(before);
    assert!(grown < 100 << 20, "the process grew by {grown} bytes");
    drop(idle);
    let room = async { while others_are_answered(&server).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(10), room).await.context("no room again")?;

    // One address's connections do not fill the server.
    let mut greedy = Vec::new();
    for _ in 0..500 {
        if let Ok(stream) = greeted(server.address, [127, 0, 0, 9]).await {
            greedy.push(stream);
        }
    }
    others_are_answered(&server).await?;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn absurd_deadlines_are_refused_or_kept_and_never_hang() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = server(folder.path()).await?;
    let message = vec![0, 0, 0, 0, 7, 10, 5, b'n', b'o', b'r', b't', b'h'];
    let ask = async |timeout: &str| {
        let (status, code) =
            by_hand(server.address, LIST, &[GRPC, ("grpc-timeout", timeout)], message.clone()).await?;
        anyhow::ensure!(status == 200, "{timeout}: {status}");
        Ok(code)
    };
    for none in ["0n", "0H", "0S", "1n"] {
        assert_eq!(ask(none).await?, Some(Code::DeadlineExceeded as i32), "{none}");
    }
    for long in ["99999999H", "99999999S", "20S"] {
        assert_eq!(ask(long).await?, Some(0), "{long}");
    }
    for malformed in
        ["-1S", "", "S", "1", "1s", "1.5S", "100000000S", "9999999999999999999H", "1 S", "0x1S", "infinity"]
    {
        assert_eq!(ask(malformed).await?, Some(Code::InvalidArgument as i32), "{malformed:?}");
    }
    others_are_answered(&server).await?;
    // A stream ends with its deadline too.
    let began = Instant::now();
    let watch = async {
        let mut health = tonic_health::pb::health_client::HealthClient::new(
            channel(server.address).await.map_err(|error| Status::unavailable(error.to_string()))?,
        );
        let mut request = tonic::Request::new(tonic_health::pb::HealthCheckRequest::default());
        request.set_timeout(Duration::from_millis(300));
        let mut answers = health.watch(request).await?.into_inner();
        loop {
            if answers.message().await?.is_none() {
                return Err::<(), _>(Status::internal("ended without a word"));
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), watch).await.context("hangs")?;
    assert_eq!(verdict(ended).0, Code::DeadlineExceeded);
    assert!(began.elapsed() < AT_ONCE);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_holds_no_memory_and_nobody_up() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = server(folder.path()).await?;
    let address = server.address;
    let before = resident()?;
    // Pings that are never read: each has to be answered, so the answers pile up until the server hangs up.
    let mut stream = greeted(address, [127, 0, 0, 9]).await?;
    let ping = frame(6, 0, 0, &[7; 8]).repeat(1000);
    let flood = async {
        // More than any buffer between the two holds.
        let mut sent = 0usize;
        while sent < 256 << 20 {
            let write = tokio::time::timeout(PACE * 5, stream.write_all(&ping)).await;
            match write {
                Ok(Ok(())) => sent += ping.len(),
                Ok(Err(_)) => return true,
                Err(_) => return false,
            }
        }
        false
    };
    let hung_up = flood.await;
    others_are_answered(&server).await?;
    assert!(hung_up, "who never reads is waited for");
    // Calls whose answers are never read: the other side's windows stay shut.
    let mut stream = stranger(address, [127, 0, 0, 10]).await?;
    stream.write_all(PREFACE).await?;
    // SETTINGS_INITIAL_WINDOW_SIZE 0.
    stream.write_all(&frame(4, 0, 0, &[0, 4, 0, 0, 0, 0])).await?;
    let message = [0, 0, 0, 0, 7, 10, 5, b'n', b'o', b'r', b't', b'h'];
    for number in 0..150u32 {
        let id = 2 * number + 1;
        let _ = stream.write_all(&frame(1, 4, id, &request_fields(address, &[]))).await;
        let _ = stream.write_all(&frame(0, 1, id, &message)).await;
    }
    others_are_answered(&server).await?;
    let grown = resident()?.saturating_sub(before);
    assert!(grown < 200 << 20, "the process grew by {grown} bytes");
    server.stop().await
}
