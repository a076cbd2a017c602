//! Datasets in the artefact store: sealed, checked, replaced when consents move on, and never put back.

use crate::{
    audit::execute,
    cohort_command::{Ran, dataset, done, nightingale, place, sponsor_key, subject},
    custody::tenant,
    running::config,
    server_kill::write_config,
    site::Oracle,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    CohortError, Config,
    artefacts::{ArtefactError, ArtefactId, Artefacts, folder::FolderArtefacts},
    audit::{Draft, Event},
    cohort::{
        Archive,
        archive::{Imported, Importer},
    },
    jobs::Instant,
    store::Store,
};
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// When what was just registered is due.
const LATER: Duration = Duration::from_secs(60);

/// A data folder with the trial imported from `ds` beside it.
pub(crate) struct Custodian {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) artefacts: Arc<dyn Artefacts>,
}

impl Custodian {
    pub(crate) async fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = config(folder.path());
        Self::of(folder, config).await
    }

    pub(crate) async fn of(folder: tempfile::TempDir, config: Config) -> Result<Self> {
        place(&folder.path().join("ds"))?;
        let store = Store::open(&config).await?;
        let artefacts = Arc::new(FolderArtefacts::open(&config.secrets.artefacts_dir)?);
        Ok(Self { folder, config, store, artefacts })
    }

    pub(crate) fn ds(&self) -> PathBuf {
        self.folder.path().join("ds")
    }

    pub(crate) async fn import(&self, folder: &Path) -> Result<Imported, CohortError> {
        let north = tenant("north").map_err(|_| CohortError::Bug("a name"))?;
        self.importer().import(&north, folder, "ds", entry(), Instant::now()).await
    }

    fn importer(&self) -> Importer<'_> {
        Importer::of(&self.store, &self.artefacts, &self.config)
    }

    async fn archive(&self) -> Result<Archive> {
        let digest = *dataset(&self.ds())?.digest();
        let found = Archive::find(&self.store, &self.artefacts, &tenant("north")?, &digest).await?;
        found.context("not imported")
    }
}

fn entry() -> Draft {
    Draft::by_service(Event::Registered)
}

/// Every file under `folder`.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_dataset_is_sealed_opens_as_it_was_and_needs_its_folder_no_more() -> Result<()> {
    let custodian = Custodian::new().await?;
    let imported = custodian.import(&custodian.ds()).await?;
    assert!(imported.is_new && !imported.archive.has_regulator_key());
    assert!(!custodian.import(&custodian.ds()).await?.is_new, "again, nothing is stored");
    let subjects = fs::read(custodian.ds().join("private/subjects.json"))?;
    let table = fs::read(custodian.ds().join("private/t.table"))?;
    for path in files(&custodian.config.secrets.artefacts_dir)? {
        let bytes = fs::read(&path)?;
        for (what, clear) in [("subjects", &subjects[..40]), ("codes", &table[64..128])] {
            ensure!(
                !bytes.windows(clear.len()).any(|window| window == clear),
                "{what} are in clear in {path:?}"
            );
        }
    }
    let told = custodian.import_by_hand(&custodian.ds(), &["--remove-clear"])?.out;
    assert!(told.contains("was imported before") && told.contains("private half was removed"), "{told}");
    assert!(!custodian.ds().join("private").exists());
    assert!(!custodian.import(&custodian.ds()).await?.is_new, "without its private half it is still known");
    let opened = custodian.archive().await?.open()?;
    assert_eq!(opened.public().digest(), dataset(&custodian.ds())?.digest());
    assert_eq!(opened.dataset.table("t")?.rows(), 300);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_swapped_or_missing_file_is_named_and_nothing_is_opened() -> Result<()> {
    let custodian = Custodian::new().await?;
    custodian.import(&custodian.ds()).await?;
    let archive = custodian.archive().await?;
    let problem = |archive: &Archive| match archive.open() {
        Ok(_) => "opened".to_owned(),
        Err(error) => error.to_string(),
    };
    for path in files(&custodian.config.secrets.artefacts_dir)? {
        let kept = fs::read(&path)?;
        if kept.starts_with(b"NGSF1") {
            for place in [0, 6, 20, 47, kept.len() / 2, kept.len() - 1] {
                let mut damaged = kept.clone();
                damaged[place] ^= 1;
                fs::write(&path, damaged)?;
                let told = problem(&archive);
                // Who the subjects are is not opened to answer.
                ensure!(told.contains("private/") || told == "opened", "byte {place}: {told}");
            }
            fs::remove_file(&path)?;
            let told = problem(&archive);
            ensure!(told.contains("not in the store") || told == "opened", "{told}");
        }
        fs::write(&path, kept)?;
    }
    assert_eq!(problem(&archive), "opened");
    // What is lost is put again by registering the folder again.
    for path in files(&custodian.config.secrets.artefacts_dir)? {
        fs::remove_file(&path)?;
    }
    assert!(custodian.import(&custodian.ds()).await?.is_new);
    assert_eq!(problem(&custodian.archive().await?), "opened");
    let Custodian { folder, config, store, artefacts } = custodian;
    store.close().await;
    // Its lock on the data folder goes with it.
    drop(store);
    // Whoever writes the database exchanges two sealed files.
    let oracle = Oracle::of(folder.path()).await?;
    let swap = "UPDATE dataset_files SET artefact = (SELECT f.artefact FROM dataset_files f WHERE f.name = 'private/subjects.json'), \
                bytes = (SELECT f.bytes FROM dataset_files f WHERE f.name = 'private/subjects.json') WHERE name = 'private/registration.json'";
    execute(&oracle, swap).await?;
    oracle.close().await;
    let store = Store::open(&config).await?;
    let custodian = Custodian { folder, config, store, artefacts };
    let told = problem(&custodian.archive().await?);
    assert!(told.contains("private/registration.json") && told.contains("cannot be opened"), "{told}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_move_on_and_a_folder_that_is_put_back_is_refused() -> Result<()> {
    let custodian = Custodian::new().await?;
    custodian.import(&custodian.ds()).await?;
    let (before, fork) = (custodian.folder.path().join("before"), custodian.folder.path().join("fork"));
    place(&before)?;
    place(&fork)?;
    sponsor_key(&custodian.folder.path().join("sponsor.key"))?;
    // Each copy has a version 1 of its own.
    for (copy, subject) in [("ds", subject(7)?), ("fork", subject(8)?)] {
        let command = ["dataset", "revoke", "--dataset", copy, &subject, "--sponsor-key", "sponsor.key"];
        done(custodian.folder.path(), &command)?;
        let revoked = dataset(&custodian.folder.path().join(copy))?;
        assert_eq!(revoked.table("t")?.newest_consent(), Some(1), "{copy}");
    }
    assert_eq!(
        custodian.archive().await?.public()?.table("t")?.newest_consent(),
        Some(0),
        "not yet imported"
    );
    assert!(custodian.import(&custodian.ds()).await?.is_new);
    assert_eq!(custodian.archive().await?.public()?.table("t")?.newest_consent(), Some(1));
    // The fork's version has the same number, and in it the consent of whoever revoked in the other.
    for copy in [&before, &fork] {
        let refused = custodian.import(copy).await.err().context("revoked consents came back")?;
        assert!(matches!(refused, CohortError::OlderConsents { .. }), "{refused}");
    }
    let digest = *dataset(&before)?.digest();
    let files = custodian.store.dataset_files(&tenant("north")?, &digest).await?.context("no files")?;
    assert_eq!(files.revision, 2);
    // The same dataset under another name is not taken in twice.
    let elsewhere = custodian
        .importer()
        .import(&tenant("north")?, &custodian.ds(), "other", entry(), Instant::now())
        .await;
    assert_eq!(elsewhere.err().context("registered twice")?.reason(), "DATASET_ELSEWHERE");
    Ok(())
}

impl Custodian {
    /// Revokes a subject by hand, in the folder beside the data folder.
    pub(crate) fn revoke(&self, row: usize) -> Result<()> {
        let key = self.folder.path().join("sponsor.key");
        if !key.exists() {
            sponsor_key(&key)?;
        }
        let command =
            ["dataset", "revoke", "--dataset", "ds", &subject(row)?, "--sponsor-key", "sponsor.key"];
        done(self.folder.path(), &command).map(drop)
    }

    /// Runs `nightingale dataset import`.
    pub(crate) fn import_by_hand(&self, folder: &Path, more: &[&str]) -> Result<Ran> {
        let (toml, folder) = (write_config(self.folder.path())?, folder.display().to_string());
        let toml = toml.display().to_string();
        let fixed = ["dataset", "import", "--dataset", &folder, "--config", &toml, "--tenant", "north"];
        nightingale(self.folder.path(), &[&fixed[..], &["--name", "ds"], more].concat())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_is_not_imported_by_hand_when_the_datasets_files_are_gone() -> Result<()> {
    let custodian = Custodian::new().await?;
    let before = custodian.folder.path().join("before");
    place(&before)?;
    custodian.revoke(7)?;
    let told = custodian.import_by_hand(&custodian.ds(), &[])?;
    ensure!(told.code == Some(0) && told.out.contains("registered and sealed"), "{} {}", told.out, told.err);
    // Nobody asked anything of it, and its files are kept long enough.
    assert_eq!(custodian.store.expire_datasets(Instant::now().plus(LATER), Instant::now()).await?, 1);
    let told = custodian.import_by_hand(&before, &[])?;
    ensure!(told.code != Some(0) && told.err.contains("older than"), "{:?} {}", told.code, told.err);
    let told = custodian.import_by_hand(&custodian.ds(), &[])?;
    ensure!(told.code == Some(0), "{}", told.err);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_whose_public_half_is_lost_takes_newer_consents_and_no_older_ones() -> Result<()> {
    let custodian = Custodian::new().await?;
    let (before, digest) = (custodian.folder.path().join("before"), *dataset(&custodian.ds())?.digest());
    place(&before)?;
    custodian.import(&custodian.ds()).await?;
    custodian.revoke(7)?;
    for (folder, is_refused) in [(custodian.ds(), false), (before, true)] {
        let held = custodian.store.dataset_files(&tenant("north")?, &digest).await?.context("no files")?;
        let public = held.files.iter().find(|file| file.name == "public/dataset.json").context("no name")?;
        ensure!(custodian.artefacts.delete(&public.artefact)?, "it was gone before");
        match custodian.import(&folder).await {
            Ok(imported) => ensure!(imported.is_new && !is_refused, "{folder:?}"),
            Err(error) => {
                ensure!(matches!(error, CohortError::OlderConsents { .. }) && is_refused, "{error}")
            }
        }
    }
    Ok(())
}

/// The folder's own copy may go after an import: all of it must be stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_whose_subjects_are_lost_is_imported_again() -> Result<()> {
    let custodian = Custodian::new().await?;
    let digest = *dataset(&custodian.ds())?.digest();
    custodian.import(&custodian.ds()).await?;
    let held = custodian.store.dataset_files(&tenant("north")?, &digest).await?.context("no files")?;
    let subjects = held.files.iter().find(|file| file.name == "private/subjects.json").context("no name")?;
    ensure!(custodian.artefacts.delete(&subjects.artefact)?, "it was gone before");
    ensure!(custodian.import(&custodian.ds()).await?.is_new, "taken for whole");
    ensure!(!custodian.import(&custodian.ds()).await?.is_new, "not whole yet");
    Ok(())
}

/// A call to an artefact store.
pub(crate) enum Call<'a> {
    Put,
    Exists(&'a ArtefactId),
    Delete,
}

/// A store that tells of each call before it does it.
pub(crate) struct Told<F> {
    pub(crate) store: FolderArtefacts,
    pub(crate) tell: F,
}

impl<F: Fn(Call<'_>) + Send + Sync> Artefacts for Told<F> {
    fn put(&self, content: &mut dyn Read) -> Result<ArtefactId, ArtefactError> {
        (self.tell)(Call::Put);
        self.store.put(content)
    }

    fn get(&self, id: &ArtefactId) -> Result<Box<dyn Read + Send>, ArtefactError> {
        self.store.get(id)
    }

    fn exists(&self, id: &ArtefactId) -> Result<bool, ArtefactError> {
        (self.tell)(Call::Exists(id));
        self.store.exists(id)
    }

    fn delete(&self, id: &ArtefactId) -> Result<bool, ArtefactError> {
        (self.tell)(Call::Delete);
        self.store.delete(id)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_purge_deletes_while_it_is_imported_is_put_again() -> Result<()> {
    let mut custodian = Custodian::new().await?;
    let store = FolderArtefacts::open(&custodian.config.secrets.artefacts_dir)?;
    // Whoever asks whether a file is there is about to name it: then it is purged, once.
    let (purge, purged) = (store.clone(), AtomicBool::new(false));
    let tell = move |call: Call<'_>| {
        if let Call::Exists(id) = call
            && !purged.swap(true, Ordering::Relaxed)
        {
            let _ = purge.delete(id);
        }
    };
    custodian.artefacts = Arc::new(Told { store, tell });
    assert!(custodian.import(&custodian.ds()).await?.is_new);
    let archive = custodian.archive().await?;
    assert_eq!(archive.open()?.public().digest(), dataset(&custodian.ds())?.digest());
    let digest = *dataset(&custodian.ds())?.digest();
    let files = custodian.store.dataset_files(&tenant("north")?, &digest).await?.context("no files")?;
    for file in &files.files {
        ensure!(custodian.artefacts.exists(&file.artefact)?, "{} is named and gone", file.name);
    }
    // Nor does anything lie about that nobody names.
    assert_eq!(self::files(&custodian.config.secrets.artefacts_dir)?.len(), files.files.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dataset_of_an_erased_tenant_does_not_open() -> Result<()> {
    let custodian = Custodian::new().await?;
    custodian.import(&custodian.ds()).await?;
    let held = custodian.archive().await?;
    custodian.store.erase_tenant(&tenant("north")?, "asked for", Instant::now()).await?;
    let found = Archive::find(&custodian.store, &custodian.artefacts, &tenant("north")?, &[1; 32]).await?;
    assert!(found.is_none());
    let again = custodian.import(&custodian.ds()).await.err().context("imported for an erased tenant")?;
    assert_eq!(again.reason(), "TENANT_ERASED");
    // Another tenant imports the same dataset: sealed under its own key.
    let south = custodian
        .importer()
        .import(&tenant("south")?, &custodian.ds(), "ds", entry(), Instant::now())
        .await?;
    assert!(south.is_new && south.archive.open().is_ok());
    drop(held);
    Ok(())
}

#[test]
fn a_process_that_holds_records_cannot_dump_its_memory() -> Result<()> {
    // A service's configuration that it refuses late enough: after it has hardened itself, before it serves.
    let folder = tempfile::tempdir()?;
    let toml = write_config(folder.path())?;
    fs::create_dir_all(folder.path().join("data"))?;
    let hold = fs::File::create(folder.path().join("data/workers.lock"))?;
    hold.lock()?;
    fs::write(folder.path().join("data/jobs.sqlite"), b"")?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_nightingale"))
        .args(["work", "--config"])
        .arg(&toml)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    let limits = format!("/proc/{}/limits", child.id());
    let begun = std::time::Instant::now();
    let found = loop {
        let text = fs::read_to_string(&limits)?;
        let line = text.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
        let fields: Vec<&str> = line.trim_start_matches("Max core file size").split_whitespace().collect();
        if fields.starts_with(&["0", "0"]) || begun.elapsed().as_secs() > 20 {
            break line.to_owned();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    child.kill()?;
    child.wait()?;
    ensure!(found.split_whitespace().filter(|word| *word == "0").count() == 2, "core dumps are on: {found}");
    Ok(())
}
