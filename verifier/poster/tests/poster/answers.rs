//! What a node answers beside what it was asked: too much, or that somebody else should be asked.

use super::{anvil::Anvil, proxy::Proxy};
use anyhow::{Context, Result, ensure};
use nightingale_poster::{Node, PosterError};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_read_up_to_a_bound_and_words_are_passed_on_up_to_another() -> Result<()> {
    let Some(anvil) = Anvil::start()? else { return Ok(()) };
    let long = Proxy::lying(anvil.address(), |_, answer| answer["more"] = json!("x".repeat(65 << 20)))?;
    let refused = Node::new(long.url())?.chain_id().await;
    let Err(PosterError::NodeUnreachable { problem, .. }) = refused else { anyhow::bail!("{refused:?}") };
    ensure!(problem.contains("64 MiB"), "{problem}");
    let talkative = Proxy::lying(anvil.address(), |_, answer| {
        let error = json!({"code": -32000, "message": "x".repeat(1 << 20)});
        *answer = json!({"jsonrpc": "2.0", "id": answer["id"], "error": error});
    })?;
    let said = Node::new(talkative.url())?.chain_id().await.err().context("it answered")?.to_string();
    ensure!(said.contains("xxx") && said.len() < 2_000, "{} bytes", said.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_to_whom_a_node_sends_a_request_on() -> Result<()> {
    let elsewhere = TcpListener::bind("127.0.0.1:0")?;
    let node = TcpListener::bind("127.0.0.1:0")?;
    let (from, to) = (node.local_addr()?, elsewhere.local_addr()?);
    thread::spawn(move || {
        for mut stream in node.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n"
            );
        }
    });
    elsewhere.set_nonblocking(true)?;
    let asked = tokio::time::timeout(Duration::from_secs(3), async {
        Node::new(&format!("http://{from}/v3/0123abcd4567"))?.chain_id().await
    });
    let asked = asked.await.context("it waits for another")?;
    ensure!(matches!(asked, Err(PosterError::NodeUnreachable { .. })), "{asked:?}");
    ensure!(elsewhere.accept().is_err(), "it was asked");
    Ok(())
}
