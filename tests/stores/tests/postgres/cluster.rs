//! PostgreSQL servers for tests, on Unix sockets in temporary directories.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use client_credentials_stores::{TABLE, postgres::PostgresStore};
use postgres::{Config, NoTls, SimpleQueryMessage};
use rustix::process::{Pid, Signal, getuid, kill_process};

/// What the page adds to the settings.
pub const LIMITS: &str = "connect_timeout=1 options='-c statement_timeout=400ms'";

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A database with the table of the page, and the user that the page names.
pub struct Database {
    cluster: Arc<Cluster>,
    name: String,
}

impl Database {
    /// A database on the server that the tests share while one of them needs it.
    pub fn new() -> Self {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let cluster = shared.upgrade().unwrap_or_else(|| Arc::new(Cluster::start()));
        *shared = Arc::downgrade(&cluster);
        Self::on(cluster)
    }

    fn on(cluster: Arc<Cluster>) -> Self {
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        cluster.query("postgres", &format!("CREATE DATABASE {name}")).expect("a database");
        let database = Self { cluster, name };
        database.sql(TABLE);
        database
    }

    /// How this user connects.
    pub fn config(&self, user: &str) -> Config {
        self.cluster.config(user, &self.name)
    }

    /// The same as a program gets it from its settings, with the limits of the page.
    pub fn settings(&self, user: &str) -> String {
        let directory = self.cluster.directory.display();
        format!("host='{directory}' user={user} dbname={} {LIMITS}", self.name)
    }

    /// The store of the page, with a connection of its own.
    pub fn store(&self) -> PostgresStore {
        PostgresStore::new(self.config("my_program"))
    }

    /// Executes statements as the owner of the table, and returns the first value of each row.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> Vec<String> {
        self.cluster.query(&self.name, sql).expect("an answer")
    }

    /// How many connections the program has, as the server counts them.
    pub fn sessions(&self) -> String {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND usename = 'my_program'";
        self.sql(sql).remove(0)
    }
}

/// A server of one test, which may end it.
pub struct Own(Database);

impl Own {
    pub fn start() -> Self {
        Self(Database::on(Arc::new(Cluster::start())))
    }

    fn cluster(&mut self) -> &mut Cluster {
        Arc::get_mut(&mut self.0.cluster).expect("shared with nobody")
    }

    /// Ends the server as a crash does: without a checkpoint.
    pub fn crash(&mut self) {
        self.cluster().crash();
    }

    pub fn run(&mut self) {
        self.cluster().run();
    }

    /// Stops or continues all processes of the server. Its sockets stay open.
    pub fn signal(&self, signal: Signal) {
        self.0.cluster.signal(signal);
    }
}

impl Deref for Own {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.0
    }
}

/// Stops its server and removes its directory when it is dropped, after a panic, too.
struct Cluster {
    directory: PathBuf,
    server: Option<Server>,
}

/// A running server, and what ends the thread that started it.
struct Server(Child, #[expect(dead_code, reason = "dropped")] mpsc::Sender<()>);

impl Cluster {
    fn start() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("token-store-{}-{number}", std::process::id());
        let mut cluster = Self { directory: std::env::temp_dir().join(name), server: None };
        fs::create_dir(&cluster.directory).expect("a directory");
        if let Some((user, group)) = other_user() {
            chown(&cluster.directory, Some(user), Some(group)).expect("root");
        }
        let made = command(program("initdb"))
            .args(["--no-sync", "--no-instructions", "--auth=trust", "--username=owner"])
            .args(["--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(cluster.data())
            .output()
            .expect("initdb");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        cluster.run();
        let roles = "CREATE ROLE my_program LOGIN; CREATE ROLE stranger LOGIN";
        cluster.query("postgres", roles).expect("two roles");
        cluster
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Starts the server, and waits until it answers.
    fn run(&mut self) {
        assert!(self.server.is_none(), "it runs");
        let log = fs::File::create(self.directory.join("log")).expect("a log file");
        let mut server = command("setpriv".into());
        server.args(["--pdeathsig", "QUIT", "--"]).arg(program("postgres"));
        server.arg("-D").arg(self.data()).arg("-k").arg(&self.directory);
        server.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"]);
        server.stdout(Stdio::null()).stderr(log);
        // If this process is killed, the server ends, too. It also would at the end of the thread
        // that started it, so that one waits.
        let ((started, start), (end, ended)) = (mpsc::channel(), mpsc::channel::<()>());
        thread::spawn(move || {
            let _ = started.send(server.spawn());
            let _ = ended.recv();
        });
        let server = start.recv().expect("a thread").expect("setpriv, of util-linux");
        self.server = Some(Server(server, end));
        let end = Instant::now() + Duration::from_secs(60);
        while let Err(error) = self.query("postgres", "SELECT 1") {
            let ended = self.server.as_mut().and_then(|server| server.0.try_wait().expect("ours"));
            assert!(ended.is_none() && Instant::now() < end, "{ended:?}, {error}: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn crash(&mut self) {
        if let Some(mut server) = self.server.take() {
            // A stopped process does not end.
            self_and_children(&server.0, Signal::CONT);
            let _ = kill_process(Pid::from_child(&server.0), Signal::QUIT);
            let _ = server.0.wait();
        }
    }

    fn signal(&self, signal: Signal) {
        self_and_children(&self.server.as_ref().expect("a server").0, signal);
    }

    fn config(&self, user: &str, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(&self.directory).user(user).dbname(database);
        config
    }

    fn query(&self, database: &str, sql: &str) -> Result<Vec<String>, postgres::Error> {
        let rows = self.config("owner", database).connect(NoTls)?.simple_query(sql)?;
        let value = |message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
            _ => None,
        };
        Ok(rows.into_iter().filter_map(value).collect())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.crash();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The user and the group of the package, if we are root: PostgreSQL refuses to run as root.
fn other_user() -> Option<(u32, u32)> {
    getuid().is_root().then(|| {
        let users = fs::read_to_string("/etc/passwd").expect("a list of users");
        let user = users.lines().find(|line| line.starts_with("postgres:"));
        let mut ids = user.expect("the user \"postgres\"").split(':').skip(2);
        let mut id = || ids.next().and_then(|id| id.parse().ok()).expect("a number");
        (id(), id())
    })
}

fn command(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").stdin(Stdio::null());
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}

/// A program of the newest server that is installed.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(name));
    let found = found.filter(|path| path.exists()).max_by_key(|path| {
        let version = path.components().rev().nth(2);
        version.and_then(|version| version.as_os_str().to_str()?.parse::<u32>().ok())
    });
    found.expect("a PostgreSQL server: install the package \"postgresql\"")
}

/// First the server, so that it starts no more processes. A child may just have ended.
fn self_and_children(server: &Child, signal: Signal) {
    let server = Pid::from_child(server);
    let _ = kill_process(server, signal);
    for child in children(server) {
        let _ = kill_process(child, signal);
    }
}

fn children(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().to_string();
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    let child = |process: &Path| {
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        // PID (NAME) STATE PARENT; the name may contain spaces.
        let is_child = stat.rsplit_once(") ")?.1.split(' ').nth(1)? == parent;
        is_child.then(|| process.file_name()?.to_str()?.parse().ok().and_then(Pid::from_raw))?
    };
    processes.filter_map(|process| child(&process.path())).collect()
}
