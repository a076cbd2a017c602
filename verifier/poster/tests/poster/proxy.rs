//! A proxy between poster and node: it holds a request back at a marked moment, so that a test can do something then, or
//! alters what the node answers, as nodes that lag do.

use super::anvil::post;
use alloy_primitives::{Bytes, keccak256};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// When a request is held back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before the node sees it.
    Before,
    /// After the node has answered.
    After,
}

#[derive(Default)]
struct Gate {
    method: &'static str,
    /// How many such requests pass first.
    passing: usize,
    moment: Option<Moment>,
    reached: bool,
    open: bool,
}

/// Sees a request and its answer, and may change the answer.
type Lie = dyn Fn(&Value, &mut Value) + Send + Sync;

/// Signed transactions that came, as the node was given them.
pub(crate) type Kept = Arc<Mutex<Vec<Value>>>;

#[derive(Clone)]
pub(crate) struct Proxy {
    url: String,
    gate: Arc<(Mutex<Gate>, Condvar)>,
    lie: Option<Arc<Lie>>,
    kept: Option<Kept>,
}

impl Proxy {
    /// Holds back one request: the one with this method after `passing` others with it. Everything else passes.
    pub(crate) fn holding(node: &str, method: &'static str, passing: usize, moment: Moment) -> Result<Self> {
        Self::start(node, Gate { method, passing, moment: Some(moment), ..Gate::default() }, None, None)
    }

    /// Holds nothing back, and passes on what `lie` makes of each answer.
    pub(crate) fn lying(
        node: &str,
        lie: impl Fn(&Value, &mut Value) + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::start(node, Gate::default(), Some(Arc::new(lie)), None)
    }

    /// Keeps signed transactions back while it says that it took them; of all else it passes on what `lie` makes.
    pub(crate) fn keeping(
        node: &str,
        kept: &Kept,
        lie: impl Fn(&Value, &mut Value) + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::start(node, Gate::default(), Some(Arc::new(lie)), Some(kept.clone()))
    }

    fn start(node: &str, gate: Gate, lie: Option<Arc<Lie>>, kept: Option<Kept>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let proxy = Self { url, gate: Arc::new((Mutex::new(gate), Condvar::new())), lie, kept };
        let (serving, node) = (proxy.clone(), node.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serving, node) = (serving.clone(), node.clone());
                // A connection that breaks off is what these tests are about.
                thread::spawn(move || drop(serving.serve(&stream, &node)));
            }
        });
        Ok(proxy)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the marked request is held.
    pub(crate) fn reached(&self) -> Result<()> {
        let (gate, changed) = &*self.gate;
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        while !gate.reached {
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "no {} came", gate.method);
            gate = changed.wait_timeout(gate, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Lets the held request go on.
    pub(crate) fn release(&self) {
        let (gate, changed) = &*self.gate;
        gate.lock().unwrap_or_else(PoisonError::into_inner).open = true;
        changed.notify_all();
    }

    fn serve(&self, stream: &TcpStream, node: &str) -> Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let body = read_request(&mut reader)?;
            let request: Value = serde_json::from_slice(&body)?;
            let held = self.holds(request["method"].as_str().unwrap_or_default());
            if held == Some(Moment::Before) {
                self.wait();
            }
            let mut answer = match self.keep(&request)? {
                Some(answer) => answer,
                None => post(node, &body)?,
            };
            if let Some(lie) = &self.lie {
                let mut told = serde_json::from_slice(&answer)?;
                lie(&request, &mut told);
                answer = serde_json::to_vec(&told)?;
            }
            if held == Some(Moment::After) {
                self.wait();
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
            write!(reader.get_mut(), "{head} {}\r\n\r\n", answer.len())?;
            reader.get_mut().write_all(&answer)?;
        }
    }

    /// The answer to a signed transaction that is kept back.
    fn keep(&self, request: &Value) -> Result<Option<Vec<u8>>> {
        let Some(kept) = self.kept.as_ref().filter(|_| request["method"] == "eth_sendRawTransaction") else {
            return Ok(None);
        };
        let raw: Bytes = serde_json::from_value(request["params"][0].clone())?;
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(json!(raw));
        let answer = json!({"jsonrpc": "2.0", "id": request["id"], "result": keccak256(raw)});
        Ok(Some(serde_json::to_vec(&answer)?))
    }

    fn holds(&self, method: &str) -> Option<Moment> {
        let mut gate = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gate.method != method {
            return None;
        }
        if gate.passing > 0 {
            gate.passing -= 1;
            return None;
        }
        gate.moment.take()
    }

    fn wait(&self) {
        let (gate, changed) = &*self.gate;
        let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.reached = true;
        changed.notify_all();
        while !gate.open {
            gate = changed.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Result<Vec<u8>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            bail!("closed");
        }
        match line.trim_end().to_ascii_lowercase().split_once(':') {
            Some(("content-length", value)) => length = Some(value.trim().parse()?),
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length.context("no length")?];
    reader.read_exact(&mut body)?;
    Ok(body)
}
