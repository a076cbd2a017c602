//! PostgreSQL for the stories: Debian's programs, a cluster of our own in a temporary folder, on an address of this machine.
//!
//! One cluster serves all stories of this binary, each with a database of its own. A story that kills the database, cuts it off
//! or fills its disk makes its own cluster, which writes through to the disk like a real one. A shell holds each cluster and
//! takes it down when its standard input closes: whatever becomes of the test, nothing stays behind.

#![expect(clippy::print_stderr, reason = "a skipped story says so")]

use anyhow::{Context, Result, bail, ensure};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, TcpListener},
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// How long a cluster may take to answer.
const START: Duration = Duration::from_secs(60);
/// Holds a cluster: `$1` the program, `$2` the folder, the rest its arguments.
const HOLD: &str = r#"
program=$1 folder=$2
shift 2
"$program" -D "$folder/data" "$@" >>"$folder/log" 2>&1 &
postmaster=$!
cat >/dev/null
kill -QUIT $postmaster 2>/dev/null
wait $postmaster
"#;
/// The same, and removes the folder: nothing in this process outlives the last story.
const HOLD_AND_REMOVE: &str = "rm -rf \"$folder\"\n";

/// Whose a cluster is. The shared one lies in memory, where it can be: the service refuses a server that does not write through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// A story's own: it may be killed.
    Own,
    /// Everybody's.
    Shared,
}

/// A running cluster.
pub(crate) struct Cluster {
    folder: PathBuf,
    /// `None`: the shell removes the folder.
    _own: Option<TempDir>,
    host: IpAddr,
    port: u16,
    whose: Whose,
    shell: Mutex<Option<Child>>,
    databases: AtomicU32,
}

/// Where programs are looked for: those of the path first, then Debian's folders of PostgreSQL's.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").map(|entries| entries.flatten().collect::<Vec<_>>());
    let mut versions: Vec<PathBuf> =
        versions.unwrap_or_default().into_iter().map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders
}

/// The folder of PostgreSQL's programs; none, with a word on stderr, where they are not installed.
fn programs() -> Result<Option<PathBuf>> {
    let complete = |folder: &PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
    let found = folders().into_iter().find(complete);
    if found.is_none() {
        let required = std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_some();
        ensure!(!required, "PostgreSQL is missing: apt-get install postgresql");
        eprintln!("skipped: PostgreSQL is missing; apt-get install postgresql");
    }
    Ok(found)
}

fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// PostgreSQL refuses to run as root: then it runs as its own user, or as nobody.
fn owner() -> Result<Option<(u32, u32)>> {
    if !is_root()? {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    of("postgres")
        .or_else(|| of("nobody"))
        .context("no user `postgres` or `nobody` to run PostgreSQL as")
        .map(Some)
}

/// Whether a process is more than an entry that nobody has collected yet.
fn runs(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// One of PostgreSQL's own tools, for a story that has a cluster.
pub(crate) fn tool(name: &str) -> Result<Command> {
    let found = folders().into_iter().map(|folder| folder.join(name)).find(|program| program.exists());
    Ok(Command::new(found.with_context(|| format!("{name} is missing: apt-get install postgresql-client"))?))
}

/// A command that runs as the cluster's owner.
fn as_owner(program: &Path) -> Result<Command> {
    let Some((user, group)) = owner()? else { return Ok(Command::new(program)) };
    let mut command = Command::new("setpriv");
    command
        .args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()])
        .arg("--")
        .arg(program);
    Ok(command)
}

impl Cluster {
    /// The cluster of all stories that leave it alone; `None` where PostgreSQL is missing.
    pub(crate) async fn shared() -> Result<Option<&'static Self>> {
        static SHARED: OnceCell<Option<Cluster>> = OnceCell::const_new();
        let shared = SHARED
            .get_or_try_init(|| async {
                let Some(programs) = programs()? else { return anyhow::Ok(None) };
                let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
                let path = folder.path().to_owned();
                let cluster = Self::make(&programs, path, None, Ipv4Addr::LOCALHOST.into(), Whose::Shared)?;
                // From here on the shell removes it.
                let _ = folder.keep();
                cluster.answers().await?;
                Ok(Some(cluster))
            })
            .await?;
        Ok(shared.as_ref())
    }

    /// A cluster of a story's own.
    pub(crate) async fn own() -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        Self::in_folder(folder.path().to_owned(), Some(folder), Ipv4Addr::LOCALHOST.into()).await
    }

    /// A cluster of a story's own in a folder that the story keeps, on an address of this machine.
    pub(crate) async fn in_folder(
        folder: PathBuf,
        own: Option<TempDir>,
        host: IpAddr,
    ) -> Result<Option<Self>> {
        let Some(programs) = programs()? else { return Ok(None) };
        let cluster = Self::make(&programs, folder, own, host, Whose::Own)?;
        cluster.answers().await?;
        Ok(Some(cluster))
    }

    fn make(
        programs: &Path,
        folder: PathBuf,
        own: Option<TempDir>,
        host: IpAddr,
        whose: Whose,
    ) -> Result<Self> {
        if let Some((user, group)) = owner()? {
            chown(&folder, Some(user), Some(group))?;
        }
        let made = as_owner(&programs.join("initdb"))?
            .arg("-D")
            .arg(folder.join("data"))
            .args(["-A", "trust", "-U", "nightingale", "-E", "UTF8", "--locale=C", "--no-sync"])
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .context("initdb")?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        if !host.is_loopback() {
            let rules = folder.join("data/pg_hba.conf");
            let text = fs::read_to_string(&rules)?;
            fs::write(&rules, format!("{text}host all all samenet trust\n"))?;
        }
        let port = TcpListener::bind((host, 0))?.local_addr()?.port();
        let cluster = Self {
            folder,
            _own: own,
            host,
            port,
            whose,
            shell: Mutex::new(None),
            databases: AtomicU32::new(0),
        };
        cluster.hold(programs)?;
        Ok(cluster)
    }

    fn hold(&self, programs: &Path) -> Result<()> {
        let removed = if self.whose == Whose::Shared { HOLD_AND_REMOVE } else { "" };
        let settings = [
            format!("listen_addresses={}", self.host),
            format!("port={}", self.port),
            format!("unix_socket_directories={}", self.folder.display()),
            "max_connections=300".to_owned(),
            "shared_buffers=32MB".to_owned(),
            "max_wal_size=64MB".to_owned(),
        ];
        let shell = as_owner(Path::new("sh"))?
            .arg("-c")
            .arg(format!("{HOLD}{removed}"))
            .arg("sh")
            .arg(programs.join("postgres"))
            .arg(&self.folder)
            .args(settings.iter().flat_map(|setting| ["-c", setting.as_str()]))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        *self.shell.lock().unwrap_or_else(PoisonError::into_inner) = Some(shell);
        Ok(())
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://nightingale@{}:{}/{database}", self.host, self.port)
    }

    /// Waits until it answers.
    async fn answers(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let asked = tokio::time::timeout(START, PgConnection::connect(&self.url("postgres"))).await?;
            let problem = match asked {
                Ok(connection) => return Ok(connection.close().await?),
                Err(problem) => problem,
            };
            if begun.elapsed() > START {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("PostgreSQL does not answer: {problem}\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A new, empty database; its URL.
    pub(crate) async fn database(&self) -> Result<String> {
        self.database_named(&format!("story_{}", self.databases.fetch_add(1, Ordering::Relaxed))).await
    }

    /// The database of this name, made if it is not there yet; its URL.
    pub(crate) async fn database_named(&self, name: &str) -> Result<String> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        let made =
            sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await;
        if let Err(error) = made {
            // 42P04: there is one.
            let known =
                error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "42P04");
            ensure!(known, "{error}");
        }
        connection.close().await?;
        Ok(self.url(name))
    }

    /// The postmaster and its children.
    fn processes(&self) -> Result<Vec<String>> {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).context("it does not run")?;
        let postmaster = file.lines().next().context("no process number")?.trim().to_owned();
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"))?;
        Ok(children.split_whitespace().map(str::to_owned).chain([postmaster]).collect())
    }

    /// `kill -9`, all of it.
    pub(crate) fn kill(&self) -> Result<()> {
        let processes = self.processes()?;
        // A child may have ended between.
        Command::new("kill").arg("-KILL").args(&processes).stderr(Stdio::null()).status()?;
        self.let_go();
        let begun = Instant::now();
        while processes.iter().any(|process| runs(process)) {
            ensure!(begun.elapsed() < START, "PostgreSQL outlives its kill");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Starts it again when it ended by itself.
    pub(crate) async fn revive(&self) -> Result<()> {
        if !self
            .processes()
            .is_ok_and(|processes| processes.last().is_some_and(|postmaster| runs(postmaster)))
        {
            self.let_go();
            self.restart().await?;
        }
        Ok(())
    }

    /// Starts it again on what is on the disk.
    pub(crate) async fn restart(&self) -> Result<()> {
        let programs = programs()?.context("PostgreSQL is gone")?;
        self.hold(&programs)?;
        self.answers().await
    }

    /// Lets the shell end what it holds.
    fn let_go(&self) {
        let shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut shell) = shell {
            drop(shell.stdin.take());
            // It takes down what still runs.
            let _ = shell.wait();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cluster_committed_outlives_its_kill() -> Result<()> {
    let Some(cluster) = Cluster::own().await? else { return Ok(()) };
    let url = cluster.database().await?;
    let mut connection = PgConnection::connect(&url).await?;
    sqlx::query("CREATE TABLE t (x BIGINT)").execute(&mut connection).await?;
    sqlx::query("INSERT INTO t VALUES (7)").execute(&mut connection).await?;
    cluster.kill()?;
    assert!(sqlx::query("INSERT INTO t VALUES (8)").execute(&mut connection).await.is_err());
    cluster.restart().await?;
    let mut connection = PgConnection::connect(&url).await?;
    let held: i64 = sqlx::query_scalar("SELECT SUM(x)::BIGINT FROM t").fetch_one(&mut connection).await?;
    assert_eq!(held, 7);
    Ok(())
}
