//! Many requests over one stream.

use crate::{
    clinic::{Clinic, result},
    running::{Running, config, keyed},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::Config;
use nightingale_proto::v1::adjudicate_stream_response::Answer;
use std::collections::BTreeMap;

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_a_stream_is_answered_once_and_a_bad_one_stops_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = Config { stream_in_flight: 3, workers: 2, ..config(folder.path()) };
    let server = Running::start(config, StandIn::slow(20)).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let mut requests = Vec::new();
    for member in 0..8 {
        requests.push((clinic.file(member, &[1])?, keyed(&format!("k{member}"))));
    }
    requests.insert(3, (b"nonsense".to_vec(), keyed("bad")));
    let mut answers = BTreeMap::new();
    client
        .adjudicate_many(requests, |answer| {
            assert!(
                answers.insert(answer.idempotency_key.clone(), answer.answer).is_none(),
                "answered twice"
            );
        })
        .await?;
    assert_eq!(answers.len(), 9);
    for (key, answer) in answers {
        match answer {
            Some(Answer::Job(job)) => assert!(result(&job)?.approved, "{key}"),
            Some(Answer::Rejection(rejection)) => {
                assert_eq!((key.as_str(), rejection.reason.as_str()), ("bad", "INVALID"))
            }
            None => anyhow::bail!("{key} has no answer"),
        }
    }
    server.stop().await
}

/// An answer waits for its reader, and nobody counts it meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_does_not_bring_back_what_cannot_be_a_key() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    let mut answers = Vec::new();
    let requests = vec![(b"nonsense".to_vec(), keyed(&"k".repeat(1 << 20)))];
    client.adjudicate_many(requests, |answer| answers.push(answer)).await?;
    let [answer] = &answers[..] else { anyhow::bail!("{} answers", answers.len()) };
    assert!(answer.idempotency_key.is_empty(), "{} bytes", answer.idempotency_key.len());
    assert!(matches!(answer.answer, Some(Answer::Rejection(_))));
    server.stop().await
}
