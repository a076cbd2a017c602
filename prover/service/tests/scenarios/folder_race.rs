//! A dataset folder is changed while a command works on it: nothing that was revoked is answered, and nothing that is kept only there is lost.

use crate::{
    archive::Custodian,
    cohort_command::{copy, done, place, sponsor_key, subject, verified},
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    CohortError,
    cohort::{Ledger, archive::remove_clear},
};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long a proof may take on a busy machine, its setup and key included.
const LONG: Duration = Duration::from_secs(600);
const QUESTION: &str = "SELECT ARM, AVG(AGE) FROM t WHERE AGE IS NOT NULL GROUP BY ARM";

/// A question on a dataset folder that stands in `folder` as `ds`; the answer is in `p.json`.
fn query(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale"));
    command
        .args([
            "cohort",
            "query",
            "--dataset",
            "ds",
            "--role",
            "researcher",
            "--sql",
            QUESTION,
            "--out",
            "p.json",
        ])
        .current_dir(folder)
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Whether a process has a file open.
fn has_open(process: u32, file: &Path) -> Result<bool> {
    for entry in fs::read_dir(format!("/proc/{process}/fd"))? {
        // It may have closed it meanwhile.
        if fs::read_link(entry?.path()).is_ok_and(|target| target == file) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[test]
fn an_answer_that_a_revocation_overtook_is_made_anew() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (ds, revoked) = (folder.path().join("ds"), folder.path().join("revoked"));
    place(&ds)?;
    place(&revoked)?;
    sponsor_key(&folder.path().join("sponsor.key"))?;
    let revoke = ["dataset", "revoke", "--dataset", "revoked", &subject(7)?, "--sponsor-key", "sponsor.key"];
    done(folder.path(), &revoke)?;
    // A revocation is under way, which holds the folder.
    let path = ds.join("private/lock");
    let lock = fs::File::create(&path)?;
    lock.lock()?;
    let mut asked = query(folder.path()).spawn()?;
    let (begun, path) = (Instant::now(), fs::canonicalize(path)?);
    while !has_open(asked.id(), &path)? {
        ensure!(asked.try_wait()?.is_none() && begun.elapsed() < LONG, "it does not wait for the revocation");
        std::thread::sleep(Duration::from_millis(20));
    }
    ensure!(!folder.path().join("p.json").exists(), "released while somebody revokes");
    copy(&revoked, &ds)?;
    drop(lock);
    let asked = asked.wait_with_output()?;
    let told = String::from_utf8_lossy(&asked.stderr).into_owned();
    ensure!(asked.status.success() && told.contains("revoked meanwhile"), "{told}");
    let cells = verified(&ds, &folder.path().join("p.json"))?.answer.cells;
    let counted: u64 = cells.iter().filter_map(|cell| cell.figures().map(|figures| figures.count)).sum();
    assert_eq!(counted, 299, "the subject who revoked is counted");
    let ledger = Ledger::of(&ds).entries()?;
    assert_eq!(ledger.iter().map(|line| line.consent_version).collect::<Vec<_>>(), [Some(1)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_in_the_folder_is_not_removed_with_its_private_half() -> Result<()> {
    let custodian = Custodian::new().await?;
    let ds = custodian.ds();
    let imported = custodian.import(&ds).await?;
    custodian.revoke(7)?;
    // Revoked since: the new version is nowhere else.
    let refused = remove_clear(&ds, &imported.dataset).err().context("it was removed")?;
    ensure!(refused.to_string().contains("import it again"), "{refused}");
    let lock = fs::File::open(ds.join("private/lock"))?;
    lock.lock()?;
    let busy = remove_clear(&ds, &imported.dataset).err().context("removed while somebody revokes")?;
    ensure!(matches!(busy, CohortError::Busy(_)), "{busy}");
    drop(lock);
    ensure!(query(custodian.folder.path()).stderr(Stdio::null()).status()?.success());
    ensure!(custodian.import_by_hand(&ds, &[])?.code == Some(0));
    // A removal that was interrupted left this, and is done to its end.
    fs::remove_file(ds.join("private/registration.json"))?;
    let told = custodian.import_by_hand(&ds, &["--remove-clear"])?;
    ensure!(told.code == Some(0) && told.out.contains("ledger.jsonl"), "{} {}", told.out, told.err);
    let left =
        fs::read_dir(ds.join("private"))?.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
    assert_eq!(left, ["ledger.jsonl"]);
    assert_eq!(Ledger::of(&ds).entries()?.len(), 1);
    Ok(())
}
