//! Every method of the table, asked by a tenant's caller in another tenant's name, and in its own for what is the other's.

use crate::{
    clinic::{Clinic, published_by, result},
    consent_ledger::{bytes, granting, revoking},
    issuer::Issuer,
    raw_call::channel,
    running::{SOON, keyed},
    tokens::{client, server},
};
use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BufMut};
use nightingale::{
    client::epoch_message,
    identity::{
        Role,
        access::{Access, METHODS},
    },
};
use nightingale_proto::v1;
use prost::Message;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};
use tonic_types::StatusExt;

/// Messages as their bytes.
#[derive(Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}

/// What a caller is answered: all messages, one after the other, and how it ended.
async fn ask(channel: &Channel, path: &str, token: &str, message: Vec<u8>) -> Result<(Vec<u8>, String)> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await?;
    let mut request = Request::new(tokio_stream::iter([message]));
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    let mut all = Vec::new();
    let answered = async {
        let mut answers = grpc
            .streaming(request, path.parse().map_err(|_| Status::internal(""))?, Plain)
            .await?
            .into_inner();
        while let Some(answer) = answers.message().await? {
            all.extend(answer);
        }
        Ok::<_, Status>(())
    };
    let ended =
        match tokio::time::timeout(SOON, answered).await.with_context(|| format!("{path} does not end"))? {
            Ok(()) => "Ok".to_owned(),
            Err(status) => {
                let details = status.get_error_details();
                details.error_info().map_or_else(|| status.to_string(), |info| info.reason.clone())
            }
        };
    Ok((all, ended))
}

/// What a tenant has, by which another one might ask for it.
struct Theirs {
    job: String,
    payer: Vec<u8>,
    member: Vec<u8>,
    request: Vec<u8>,
    epoch: Option<v1::Epoch>,
}

/// A message of a method that is good but for whose it is; none for a method that knows no tenants.
fn message(path: &str, tenant: &str, of: &Theirs) -> Result<Option<Vec<u8>>> {
    let (tenant, key) = (tenant.to_owned(), "first".to_owned());
    let (job, payer, dataset) = (of.job.clone(), of.payer.clone(), vec![1; 32]);
    Ok(Some(match path.trim_start_matches("/nightingale.v1.") {
        "AuditService/BreakGlass" => {
            let reason = "ticket 4711: the payer disputes the decision".to_owned();
            v1::BreakGlassRequest { tenant, job, reason }.encode_to_vec()
        }
        "AuditService/Disclosures" => {
            let member = "MARKER-PATIENT-0".to_owned();
            v1::DisclosuresRequest { tenant, member, ..Default::default() }.encode_to_vec()
        }
        "AuditService/Export" => v1::ExportAuditRequest { tenant, first: 1, follow: false }.encode_to_vec(),
        "AuditService/Head" => v1::AuditHeadRequest { tenant }.encode_to_vec(),
        "ClaimService/Adjudicate" | "ClaimService/AdjudicateStream" => {
            let request = of.request.clone();
            let message =
                v1::AdjudicateRequest { tenant, idempotency_key: key, request, ..Default::default() };
            message.encode_to_vec()
        }
        "CohortService/Query" => {
            let sql = "SELECT COUNT(*) FROM t".to_owned();
            v1::QueryRequest { tenant, idempotency_key: key, dataset, sql, ..Default::default() }
                .encode_to_vec()
        }
        "ConsentService/Epochs" => v1::ListConsentEpochsRequest { tenant, most: 0 }.encode_to_vec(),
        "ConsentService/Grant" => {
            v1::GrantConsentRequest { tenant, ..granting("first", 0, "", "", true) }.encode_to_vec()
        }
        "ConsentService/Import" => {
            let fhir = br#"{"resourceType": "Bundle", "type": "collection", "entry": []}"#.to_vec();
            let message =
                v1::ImportConsentsRequest { tenant, idempotency_key: key, fhir, payer, ..Default::default() };
            message.encode_to_vec()
        }
        "ConsentService/List" => {
            let member = of.member.clone();
            v1::ListConsentsRequest { tenant, member, history: true, ..Default::default() }.encode_to_vec()
        }
        "ConsentService/Publish" => {
            v1::PublishConsentsRequest { tenant, idempotency_key: key }.encode_to_vec()
        }
        "ConsentService/Register" => {
            v1::ConsentRegisterRequest { tenant, number: 1, ..Default::default() }.encode_to_vec()
        }
        "ConsentService/Revoke" => {
            v1::RevokeConsentRequest { tenant, ..revoking("second", 0) }.encode_to_vec()
        }
        "ConsentService/RevokeSubjects" => {
            let subjects = vec!["one".to_owned()];
            v1::RevokeSubjectsRequest { tenant, idempotency_key: key, dataset, subjects }.encode_to_vec()
        }
        "DatasetService/Register" => v1::RegisterDatasetRequest { tenant, path: "x".into() }.encode_to_vec(),
        "DatasetService/Describe" => v1::DescribeDatasetRequest { tenant, dataset }.encode_to_vec(),
        "DatasetService/List" => v1::ListDatasetsRequest { tenant }.encode_to_vec(),
        "EpochService/Publish" => {
            v1::PublishEpochRequest { tenant, epoch: of.epoch.clone(), accounts: None }.encode_to_vec()
        }
        "EpochService/Get" => v1::GetEpochRequest { tenant, payer }.encode_to_vec(),
        "JobService/Get" => v1::GetJobRequest { tenant, id: job }.encode_to_vec(),
        "JobService/Watch" => v1::WatchJobRequest { tenant, id: job }.encode_to_vec(),
        "JobService/Cancel" => v1::CancelJobRequest { tenant, id: job }.encode_to_vec(),
        "JobService/List" => v1::ListJobsRequest { tenant, ..Default::default() }.encode_to_vec(),
        "KeyService/List" => v1::ListKeysRequest { tenant }.encode_to_vec(),
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" => return Ok(None),
        other => bail!("{other} is not in this table: say how it is asked in another tenant's name"),
    }))
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_answers_in_another_tenants_name_or_with_what_is_anothers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let server = server(folder.path(), issuer.by_file(folder.path())?).await?;
    let all = Role::ALL.map(Role::name);
    let mut south = client(&server, folder.path(), issuer.token("south", &all)?).await?;
    let mut clinic = Clinic::new()?;
    let done = south.adjudicate(clinic.file(0, &[1])?, keyed("first"), true).await?;
    let epoch = epoch_message(clinic.epoch());
    let payer = epoch.payer.clone();
    south.publish(Some(epoch), Some(published_by(payer.clone(), 1, &[])?)).await?;
    south.grant(granting("first", 0, "2024-01-01", "2024-12-31", true)).await?;
    let consents = south.publish_consents("first").await?;
    let log = south.audit_head().await?;
    let theirs = Theirs {
        job: done.id.clone(),
        payer,
        member: bytes("MARKER-PATIENT-0"),
        request: clinic.file(1, &[1])?,
        epoch: Some(epoch_message(Clinic::at(2)?.epoch())),
    };
    // What no answer to anybody else may hold.
    let public = result(&done)?.public_inputs.clone().context("no public inputs")?;
    let root = epoch_message(clinic.epoch()).encode_to_vec();
    let secrets = [
        ("the tenant", b"south".to_vec()),
        ("a job", done.id.as_bytes().to_vec()),
        ("a result", public.claim_commitment),
        ("an epoch", root),
        ("a register of consents", consents.epoch.context("an epoch")?.root),
        ("a consent", b"2024-12-31".to_vec()),
        ("a log", log.log),
    ];
    let (channel, token) = (channel(server.address).await?, issuer.token("north", &all)?);
    // In its own name first, so that north has a log, and no more than it makes itself.
    let asked = METHODS.iter().filter(|method| method.access != Access::Open);
    let asked: Vec<&str> = asked.map(|method| method.path).collect();
    ensure!(asked.len() > 20);
    for name in ["", "north"] {
        for path in &asked {
            let Some(message) = message(path, name, &theirs)? else { continue };
            let (answer, ended) = ask(&channel, path, &token, message).await?;
            for (what, secret) in &secrets {
                ensure!(!holds(&answer, secret), "{path} as {name:?}: {what} is shown");
            }
            let by_job =
                ["Get", "Watch", "Cancel"].iter().any(|end| path.ends_with(&format!("JobService/{end}")));
            ensure!(!by_job || ended == "JOB_UNKNOWN", "{path} as {name:?}: {ended}");
        }
    }
    for path in &asked {
        let Some(message) = message(path, "south", &theirs)? else { continue };
        let (answer, ended) = ask(&channel, path, &token, message).await?;
        // A stream's messages are answered one by one.
        let in_stream = ended == "Ok" && holds(&answer, b"TENANT_FORBIDDEN");
        let streams = path.ends_with("/AdjudicateStream");
        ensure!(ended == "TENANT_FORBIDDEN" || (streams && in_stream), "{path}: {ended}");
        ensure!(streams || answer.is_empty(), "{path}: answered before it was refused");
    }
    // And nothing of the other's has changed.
    ensure!(south.jobs(&[], 100).await?.len() == 1);
    ensure!(south.consents(Vec::new(), true, 100).await?.len() == 1);
    server.stop().await
}
