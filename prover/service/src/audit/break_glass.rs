//! Break-glass access: an auditor, operator or regulator reads a job of its tenant, its result included, in an emergency; an operator of all tenants, of whichever
//! it names. It is loud: on record in that tenant's log, counted, logged and told to whom the operator named, all before anything is shown.

use super::{
    Draft, Event, Purpose,
    release::{Cleared, emergency, shown},
};
use crate::{
    config::Alarm,
    engine::Engine,
    error::ServiceError,
    gate::role_missing,
    identity::{Caller, Role, Roles},
    jobs::{Instant, Job, JobId, Tenant},
    process,
    server::status::{invalid, typed},
    store::audit::Release,
};
use rustix::fs::OFlags;
use serde_json::json;
use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, process::Stdio, time::Duration};
use tokio::io::AsyncWriteExt;
use tonic::{Code, Status};

/// The method in the log.
pub(crate) const METHOD: &str = "AuditService.BreakGlass";
/// How long a command may take to be told.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who may.
const ALLOWED: Roles = Roles::of(&[Role::Auditor, Role::Operator, Role::Regulator]);

fn stated(reason: &str) -> Result<&str, Status> {
    let reason = reason.trim();
    let is_plain = !reason.chars().any(char::is_control);
    if is_plain && (10..=500).contains(&reason.chars().count()) {
        return Ok(reason);
    }
    Err(invalid(
        "reason",
        "expected why, in 10 to 500 characters without line breaks, and without anybody's name",
    ))
}

/// Lets a caller see a job of `tenant`, whoever it belongs to.
///
/// # Errors
/// Not configured, not allowed, no reason, nobody could be told, no such job, or the entry was not taken: nothing is shown.
pub(crate) async fn open(
    engine: &Engine,
    caller: &Caller,
    tenant: &Tenant,
    id: JobId,
    reason: &str,
) -> Result<Cleared, Status> {
    let Some(alarm) = &engine.config.audit.break_glass else {
        let text = "break-glass access is not configured; the operator sets audit.break_glass";
        return Err(typed(Code::PermissionDenied, "BREAK_GLASS_OFF", text));
    };
    if !caller.roles.any_of(ALLOWED) {
        return Err(role_missing());
    }
    let reason = stated(reason)?;
    let job = engine.store.job(tenant, &id).await?;
    let job = job.ok_or_else(|| typed(Code::NotFound, "JOB_UNKNOWN", "job: no such job of this tenant"))?;
    let basis = engine.config.audit.bases.emergency.as_str();
    let draft = Draft::new(Event::BreakGlass, caller, METHOD).stated(reason);
    let draft = shown(draft.purpose(Purpose::Emergency, basis), &job);
    let release = Release { job: id, draft };
    engine.store.record_releases(tenant, std::slice::from_ref(&release), Instant::now()).await?;
    engine.metrics.break_glass.inc();
    let subject = release.draft.actor.subject();
    tracing::warn!(%job.id, tenant = tenant.as_str(), subject, reason, "BREAK-GLASS access");
    if let Err(problem) = tell(alarm, &notice(tenant, &release, &job, reason), PATIENCE).await {
        tracing::error!(%problem, "nobody was told of break-glass access, and nothing is shown");
        let untold = Draft::new(Event::Refused, caller, METHOD).job(&id).reason("BREAK_GLASS_UNHEARD");
        engine.store.audit(tenant, vec![untold], Instant::now()).await?;
        let text =
            "whom the operator named could not be told, and nothing is shown; the server's log says why";
        return Err(typed(Code::Unavailable, "BREAK_GLASS_UNHEARD", text));
    }
    Ok(emergency(job))
}

/// What whoever is told gets: one line of JSON, without anything of the job but its name.
fn notice(tenant: &Tenant, release: &Release, job: &Job, reason: &str) -> String {
    let actor = &release.draft.actor;
    let line = json!({
        "event": "break_glass",
        "at": Instant::now().0,
        "tenant": tenant.as_str(),
        "job": job.id.to_string(),
        "state": job.state.name(),
        "subject": actor.subject(),
        "roles": actor.roles(),
        "reason": reason,
    });
    format!("{line}\n")
}

/// Refuses a file that could not be told: better at the start than in an emergency.
///
/// # Errors
/// It cannot be opened to be written to.
pub(crate) fn check(alarm: &Alarm) -> Result<(), ServiceError> {
    let Alarm::File(path) = alarm else { return Ok(()) };
    // A pipe that nobody reads is not waited for.
    let now = OFlags::NONBLOCK.bits().cast_signed();
    to_append().custom_flags(now).open(path).map(drop).map_err(|error| ServiceError::Config {
        key: "audit.break_glass_file".into(),
        problem: format!(
            "{} cannot be written: {error}; name a file in a folder of the service's user, as /var/lib/nightingale, or a pipe that is read",
            path.display()
        ),
    })
}

fn to_append() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options
}

/// A command and all that it started, killed where it is dropped before the command has ended.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            process::end_group(leader);
        }
    }
}

/// Tells; a command has `patience` to end, and is killed after that with all that it started.
async fn tell(alarm: &Alarm, notice: &str, patience: Duration) -> Result<(), String> {
    match alarm {
        Alarm::File(path) => {
            let (path, notice) = (path.clone(), notice.to_owned());
            let write = move || {
                use std::io::Write;
                let mut file = to_append().open(&path)?;
                file.write_all(notice.as_bytes())?;
                file.sync_all()
            };
            let written =
                tokio::task::spawn_blocking(write).await.map_err(|_| "writing panicked".to_owned())?;
            written.map_err(|error| format!("the file cannot be written: {error}"))
        }
        Alarm::Command(program) => {
            let mut command = tokio::process::Command::new(program);
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
            command.process_group(0);
            let mut child =
                command.spawn().map_err(|error| format!("the command does not start: {error}"))?;
            let mut group = Group(child.id());
            let told = async {
                if let Some(mut stdin) = child.stdin.take() {
                    // A command that does not read is told by having been started; its exit code decides.
                    let _ = stdin.write_all(notice.as_bytes()).await;
                }
                let ended = child.wait().await;
                // What it leaves running, it means to.
                group.0 = None;
                ended
            };
            match tokio::time::timeout(patience, told).await {
                Ok(Ok(status)) if status.success() => Ok(()),
                Ok(Ok(status)) => Err(format!("the command ended with {status}")),
                Ok(Err(error)) => Err(format!("the command was lost: {error}")),
                Err(_) => Err(format!("the command took longer than {patience:?}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something_in_one_line() {
        for reason in ["", "because", "        ", "a\nb and more of it", &"x".repeat(501)] {
            assert!(stated(reason).is_err(), "{reason:?}");
        }
        assert!(stated("ticket 4711: payer disputes the decision").is_ok());
    }

    #[tokio::test]
    async fn an_alarm_that_fails_is_no_alarm() -> Result<(), std::io::Error> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("alarm.jsonl");
        let told = async |alarm: Alarm, notice: &str| tell(&alarm, notice, PATIENCE).await.is_ok();
        assert!(told(Alarm::File(file.clone()), "a\n").await);
        assert!(told(Alarm::File(file.clone()), "b\n").await);
        assert_eq!(std::fs::read_to_string(file)?, "a\nb\n");
        assert!(!told(Alarm::File(folder.path().join("no/where")), "a\n").await);
        assert!(told(Alarm::Command("/bin/true".into()), "a\n").await);
        assert!(!told(Alarm::Command("/bin/false".into()), "a\n").await);
        assert!(!told(Alarm::Command("/no/such/command".into()), "a\n").await);
        Ok(())
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_in_time_has_told_nobody_and_is_killed() -> Result<(), std::io::Error>
    {
        let folder = tempfile::tempdir()?;
        let (script, process) = (folder.path().join("alarm"), folder.path().join("process"));
        let text = format!("#!/bin/sh\nsleep 600 &\necho $! > '{}'\nwait\n", process.display());
        // Written by another process: a file that this one has open for writing may not be run.
        let write = format!("cat > '{0}' <<'END'\n{text}END\nchmod 700 '{0}'", script.display());
        assert!(std::process::Command::new("sh").args(["-c", &write]).status()?.success());
        let patience = Duration::from_secs(2);
        let problem = tell(&Alarm::Command(script), "a\n", patience).await.err().unwrap_or_default();
        assert!(problem.contains("took longer than 2s"), "{problem}");
        let id = std::fs::read_to_string(process)?;
        let is_alive = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
            // Killed, and perhaps not yet waited for.
            !state.is_empty() && !state.contains(") Z ")
        };
        for _ in 0..500 {
            if is_alive() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        assert!(!is_alive(), "the command goes on");
        Ok(())
    }
}
