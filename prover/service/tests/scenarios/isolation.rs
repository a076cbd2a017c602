//! What is another tenant's is answered as what does not exist: word for word, by every method that reads.

use crate::{
    clinic::Clinic,
    issuer::Issuer,
    raw_call::channel,
    running::keyed,
    tokens::{client, server},
};
use anyhow::{Context, Result};
use nightingale::client::epoch_message;
use nightingale_proto::v1::{
    self, claim_service_client::ClaimServiceClient, dataset_service_client::DatasetServiceClient,
    epoch_service_client::EpochServiceClient, job_service_client::JobServiceClient,
};
use tonic::{Request, Status};

/// All that a caller can tell one answer from another by, but for the time.
fn seen<T>(answer: Result<tonic::Response<T>, Status>) -> String {
    match answer {
        Ok(_) => "answered".into(),
        Err(status) => {
            format!(
                "{:?} {:?} {:?} {:?}",
                status.code(),
                status.message(),
                status.details(),
                status.metadata()
            )
        }
    }
}

fn without_date(text: &str) -> String {
    // The date is the connection's, not the answer's.
    match (text.find("\"date\""), text.rfind('}')) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &text[..from], &text[to..]),
        _ => text.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_is_answered_as_what_does_not_exist() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let server = server(folder.path(), issuer.by_file(folder.path())?).await?;
    let all = ["custodian", "insurer", "researcher", "regulator", "auditor", "operator"];
    let mut south = client(&server, folder.path(), issuer.token("south", &all)?).await?;
    let mut clinic = Clinic::new()?;
    let (job, second) = (
        south.adjudicate(clinic.file(0, &[1])?, keyed("first"), true).await?,
        south.adjudicate(clinic.file(1, &[1])?, keyed("second"), true).await?,
    );
    let epoch = epoch_message(clinic.epoch());
    let payer = epoch.payer.clone();
    south.publish(Some(epoch), None).await?;

    let channel = channel(server.address).await?;
    let token = format!("Bearer {}", issuer.token("north", &all)?);
    fn as_north<M>(token: &str, message: M) -> Result<Request<M>> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", token.parse()?);
        Ok(request)
    }
    let mut jobs = JobServiceClient::new(channel.clone());
    let mut epochs = EpochServiceClient::new(channel.clone());
    let mut datasets = DatasetServiceClient::new(channel.clone());
    let mut claims = ClaimServiceClient::new(channel.clone());
    let absent = "0123456789abcdef0123456789abcdef".to_owned();

    // In its own name: what is there of another's, and what is nowhere.
    for tenant in ["", "north"] {
        let mut answers = Vec::new();
        for (id, payer) in [(job.id.clone(), payer.clone()), (absent.clone(), vec![9; 12])] {
            let tenant = tenant.to_owned();
            let get = v1::GetJobRequest { tenant: tenant.clone(), id: id.clone() };
            let watch = v1::WatchJobRequest { tenant: tenant.clone(), id: id.clone() };
            let cancel = v1::CancelJobRequest { tenant: tenant.clone(), id: id.clone() };
            let list = v1::ListJobsRequest { tenant: tenant.clone(), page_token: id, ..Default::default() };
            let epoch = v1::GetEpochRequest { tenant: tenant.clone(), payer };
            answers.push(
                [
                    seen(jobs.get(as_north(&token, get)?).await),
                    seen(jobs.watch(as_north(&token, watch)?).await),
                    seen(jobs.cancel(as_north(&token, cancel)?).await),
                    seen(jobs.list(as_north(&token, list)?).await),
                    seen(epochs.get(as_north(&token, epoch)?).await),
                ]
                .map(|text| without_date(&text)),
            );
        }
        assert_eq!(answers[0], answers[1]);
        assert!(answers[0].iter().all(|text| text != "answered"), "{answers:?}");
        let list = v1::ListJobsRequest { tenant: tenant.to_owned(), ..Default::default() };
        assert!(jobs.list(as_north(&token, list)?).await?.into_inner().jobs.is_empty());
        let list = v1::ListDatasetsRequest { tenant: tenant.to_owned() };
        assert!(datasets.list(as_north(&token, list)?).await?.into_inner().datasets.is_empty());
    }

    // In another's name: the same whether that tenant is there, and whether what is asked for is.
    let mut answers = Vec::new();
    for tenant in ["south", "nobody"] {
        for id in [&job.id, &second.id, &absent] {
            let (tenant, id) = (tenant.to_owned(), id.clone());
            let get = v1::GetJobRequest { tenant: tenant.clone(), id: id.clone() };
            let watch = v1::WatchJobRequest { tenant: tenant.clone(), id: id.clone() };
            let cancel = v1::CancelJobRequest { tenant: tenant.clone(), id: id.clone() };
            let list = v1::ListJobsRequest { tenant: tenant.clone(), page_token: id, ..Default::default() };
            let epoch = v1::GetEpochRequest { tenant: tenant.clone(), payer: payer.clone() };
            let describe = v1::DescribeDatasetRequest { tenant: tenant.clone(), dataset: vec![1; 32] };
            let register = v1::RegisterDatasetRequest { tenant: tenant.clone(), path: "x".into() };
            let publish = v1::PublishEpochRequest { tenant: tenant.clone(), ..Default::default() };
            let adjudicate =
                v1::AdjudicateRequest { tenant, idempotency_key: "first".into(), ..Default::default() };
            answers.extend([
                seen(jobs.get(as_north(&token, get)?).await),
                seen(jobs.watch(as_north(&token, watch)?).await),
                seen(jobs.cancel(as_north(&token, cancel)?).await),
                seen(jobs.list(as_north(&token, list)?).await),
                seen(epochs.get(as_north(&token, epoch)?).await),
                seen(datasets.describe(as_north(&token, describe)?).await),
                seen(datasets.register(as_north(&token, register)?).await),
                seen(epochs.publish(as_north(&token, publish)?).await),
                seen(claims.adjudicate(as_north(&token, adjudicate)?).await),
            ]);
        }
    }
    let answers: Vec<String> = answers.iter().map(|text| without_date(text)).collect();
    let first = answers.first().context("no answers")?;
    assert!(first.contains("PermissionDenied") && first.contains("acts for another tenant"), "{first}");
    assert!(answers.iter().all(|answer| answer == first), "{answers:#?}");

    // A stream's messages are looked at one by one, and the jobs are as they were.
    let foreign =
        v1::AdjudicateRequest { tenant: "south".into(), idempotency_key: "x".into(), ..Default::default() };
    let mut stream = Request::new(tokio_stream::iter([foreign]));
    stream.metadata_mut().insert("authorization", token.parse()?);
    let answer =
        claims.adjudicate_stream(stream).await?.into_inner().message().await?.context("no answer")?;
    let Some(v1::adjudicate_stream_response::Answer::Rejection(rejection)) = answer.answer else {
        anyhow::bail!("another tenant's job was accepted")
    };
    assert_eq!(rejection.reason, "TENANT_FORBIDDEN");
    assert_eq!(south.jobs(&[v1::JobState::Done], 100).await?.len(), 2);
    server.stop().await
}
