//! Imports of datasets that end half-way: what the database names is in the artefact store, and what it does not name goes from there.

use crate::{
    archive::{Call, Custodian, Told, files},
    cohort_command::{dataset, place},
    custody::tenant,
    postgres::Cluster,
    raw_call::{call, channel, verdict},
    running::{Running, SOON, config},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, bail, ensure};
use nightingale::{
    Config,
    artefacts::{Artefacts, folder::FolderArtefacts},
    cohort::Archive,
    config::{DatabaseUrl, Retention},
    jobs::Instant,
    store::Store,
};
use nightingale_proto::v1::RegisterDatasetRequest;
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tonic::Code;

/// When what was dropped is due.
const LATER: Duration = Duration::from_secs(2 * 3600);

/// Purges what is due later.
async fn purge(store: &Store, artefacts: &Arc<dyn Artefacts>) -> Result<u64> {
    let at = Instant::now().plus(LATER);
    Ok(store.purge(&Retention::default(), artefacts.clone(), at, || true).await?.artefacts)
}

/// Passes on what a client and PostgreSQL say. Armed, it passes on the next commit, and cuts the connection when the database has answered.
async fn cutter(database: String, armed: Arc<AtomicBool>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let (database, armed) = (database.clone(), armed.clone());
            tokio::spawn(async move {
                let far = TcpStream::connect(database).await?;
                pass(near, far, &armed).await
            });
        }
    });
    Ok(address)
}

async fn pass(mut near: TcpStream, mut far: TcpStream, armed: &AtomicBool) -> std::io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut is_cut = false;
    loop {
        tokio::select! {
            read = near.read(&mut asked) => {
                let said = &asked[..read?];
                let is_commit = said.windows(6).any(|word| word == b"COMMIT");
                is_cut |= is_commit && armed.swap(false, Ordering::Relaxed);
                if said.is_empty() {
                    return Ok(());
                }
                far.write_all(said).await?;
            }
            read = far.read(&mut answered) => {
                let read = read?;
                if read == 0 || is_cut {
                    return Ok(());
                }
                near.write_all(&answered[..read]).await?;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_commit_is_not_heard_leaves_every_file_that_is_named() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let url = cluster.database().await?;
    let address = url.split(['@', '/']).nth(3).context("no address")?.to_owned();
    let armed = Arc::new(AtomicBool::new(false));
    let cut = url.replace(&address, &cutter(address.clone(), armed.clone()).await?);
    let folder = tempfile::tempdir()?;
    let through = |url: &str| Config { database: DatabaseUrl::new(url), ..config(folder.path()) };
    let (far, direct) = (through(&cut), through(&url));
    let mut custodian = Custodian::of(folder, far).await?;
    let store = FolderArtefacts::open(&custodian.config.secrets.artefacts_dir)?;
    // The transaction that names the files asks for each: the next commit is its own.
    let (arm, waits) = (armed.clone(), AtomicBool::new(true));
    let tell = move |call: Call<'_>| {
        if matches!(call, Call::Exists(_)) && waits.swap(false, Ordering::Relaxed) {
            arm.store(true, Ordering::Relaxed);
        }
    };
    custodian.artefacts = Arc::new(Told { store, tell });
    let unheard = custodian.import(&custodian.ds()).await.err().context("the answer was heard")?;
    assert_eq!(unheard.reason(), "STORAGE", "{unheard}");
    ensure!(!armed.load(Ordering::Relaxed), "nothing was committed");

    let store = Store::attach(&direct).await?;
    let digest = *dataset(&custodian.ds())?.digest();
    for _ in 0..2 {
        let found = Archive::find(&store, &custodian.artefacts, &tenant("north")?, &digest).await?;
        assert_eq!(found.context("not named")?.open()?.public().digest(), &digest);
        assert_eq!(purge(&store, &custodian.artefacts).await?, 0);
    }
    store.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_import_put_before_it_was_given_up_is_purged() -> Result<()> {
    let mut custodian = Custodian::new().await?;
    let store = FolderArtefacts::open(&custodian.config.secrets.artefacts_dir)?;
    let (put, mut puts) = mpsc::unbounded_channel();
    let tell = move |call: Call<'_>| {
        if matches!(call, Call::Put) {
            let _ = put.send(());
        }
    };
    custodian.artefacts = Arc::new(Told { store, tell });
    let ds = custodian.ds();
    let second = async {
        puts.recv().await;
        puts.recv().await
    };
    tokio::select! {
        imported = custodian.import(&ds) => bail!("it ended first: {}", imported.is_ok()),
        _ = second => {}
    }
    // The thread that puts has its own hold on the store.
    let ended = async {
        while Arc::strong_count(&custodian.artefacts) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, ended).await.context("it does not end")?;
    let folder = &custodian.config.secrets.artefacts_dir;
    ensure!(!files(folder)?.is_empty(), "nothing was put");
    purge(&custodian.store, &custodian.artefacts).await?;
    assert_eq!(files(folder)?, Vec::<std::path::PathBuf>::new());
    Ok(())
}

on_both!(a_registration_is_ended_when_its_caller_does_not_wait);

async fn a_registration_is_ended_when_its_caller_does_not_wait(site: Site) -> Result<()> {
    let (config, oracle) = (Config::read(&site.file()?)?, site.oracle().await?);
    place(&site.path().join("data/datasets/north/trial"))?;
    let server = Running::start(config.clone(), StandIn::default()).await?;
    let store = Store::attach(&config).await?;
    // With its key made, nothing is written before the files are listed.
    store.seal(&tenant("north")?).await?;
    let hold = oracle.hold_tenant("north").await?;
    let request = RegisterDatasetRequest { tenant: "north".to_owned(), path: "trial".to_owned() };
    let deadline = [("grpc-timeout", "2S".to_owned())];
    let wire = channel(server.address).await?;
    let answer = call(&wire, "/nightingale.v1.DatasetService/Register", request, &deadline).await;
    // Its own clock may be the first to say so, or the server's.
    let (code, _) = verdict(answer);
    ensure!(matches!(code, Code::Cancelled | Code::DeadlineExceeded), "{code:?}");
    drop(hold);
    let mut client = server.client().await?;
    let registered = async {
        loop {
            if let [dataset] = &client.datasets().await?[..] {
                return anyhow::Ok(dataset.dataset.clone());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let digest = tokio::time::timeout(SOON, registered).await.context("it is not registered")??;
    let artefacts: Arc<dyn Artefacts> = Arc::new(FolderArtefacts::open(&config.secrets.artefacts_dir)?);
    purge(&store, &artefacts).await?;
    let held = store.dataset_files(&tenant("north")?, &digest.as_slice().try_into()?).await?;
    let named: BTreeSet<String> =
        held.context("no files")?.files.iter().map(|file| file.artefact.to_string()).collect();
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let kept: BTreeSet<String> =
        files(&config.secrets.artefacts_dir)?.iter().filter_map(|path| name(path)).collect();
    assert_eq!(kept, named);
    store.close().await;
    server.stop().await
}
