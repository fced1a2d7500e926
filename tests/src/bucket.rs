//! A real S3 server of a test's own: versitygw or MinIO, on a free port of this machine, with its own folders and keys,
//! stopped when it is dropped.
//!
//! The programs are looked for on PATH and then in `~/.cache/fleetloom/bin`, where `.ci/server` puts them.

use crate::proxy::Proxy;
use crate::signed::{self, Answer, Keys};
use crate::table::Table;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Until a started server answers, on two slow cores that do other things too.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often it is asked whether it does.
const POLL: Duration = Duration::from_millis(20);

/// Starts of a server: another process may take the free port first.
const STARTS: u32 = 5;

/// Whether a bucket keeps the versions of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// A replaced or deleted object is gone.
    None,
    /// It can be read by its version id.
    Kept,
}

/// What both certificates say, with `NAME` and then more of each one's own.
const WORDS: &str =
    "[req]\nprompt=no\ndistinguished_name=name\nx509_extensions=more\n[name]\nCN=fleetloom test NAME\n[more]\n";

/// How both are made.
const NEW: [&str; 9] =
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];

/// A server's certificate for one address, with its key, by a private authority of its own.
#[derive(Debug)]
pub struct Certificate {
    folder: TempDir,
    at: Ipv4Addr,
}

impl Certificate {
    /// A new one for 127.0.0.1.
    pub fn new() -> Self {
        Self::of(Ipv4Addr::LOCALHOST)
    }

    /// A new one for an address, made by `openssl`.
    pub fn of(at: Ipv4Addr) -> Self {
        let certificate = Self { folder: temporary(), at };
        certificate.make("ca", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n", &[]);
        let leaf = format!("subjectAltName=IP:{at}\nbasicConstraints=critical,CA:FALSE\n");
        certificate.make("cert", &leaf, &["-CA", "ca.pem", "-CAkey", "ca.key"]);
        certificate
    }

    /// The PEM file of its authority.
    pub fn authority(&self) -> PathBuf {
        self.file("ca.pem")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes `<name>.pem` and `<name>.key`.
    fn make(&self, name: &str, words: &str, by: &[&str]) {
        let [config, key, pem] = ["words", "key", "pem"].map(|end| format!("{name}.{end}"));
        fs::write(self.file(&config), WORDS.replace("NAME", name) + words).expect("files can be made");
        let made = Command::new("openssl")
            .args(NEW)
            .args(["-config", &config, "-keyout", &key, "-out", &pem])
            .args(by)
            .current_dir(self.folder.path())
            .output()
            .expect("openssl starts: `make tools` installs it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// None if someone else ends it.
    process: Option<Child>,
    at: SocketAddr,
    scheme: &'static str,
    keys: Keys,
    folder: Folder,
}

/// Where a server listens, and how it speaks.
#[derive(Debug, Clone, Copy)]
struct Door {
    at: Ipv4Addr,
    scheme: &'static str,
}

impl Door {
    /// Without TLS, for this machine alone.
    const PLAIN: Self = Self { at: Ipv4Addr::LOCALHOST, scheme: "http" };
}

/// Where a server keeps things: its own folder, or that of a server which outlives it.
#[derive(Debug)]
enum Folder {
    Own(TempDir),
    Of(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Own(folder) => folder.path(),
            Self::Of(path) => path,
        }
    }
}

impl Server {
    /// A versitygw over an empty folder.
    pub fn versitygw() -> Self {
        let folder = temporary();
        for name in ["data", "versions", "users"] {
            fs::create_dir(folder.path().join(name)).expect("folders can be made");
        }
        Self::start(Folder::Own(folder), Door::PLAIN, new_keys(), versitygw(&[]))
    }

    /// How a versitygw over an empty folder is started at an address that only another network may have, and the server that it
    /// will be. Whoever starts it also ends it.
    pub(crate) fn elsewhere(at: SocketAddr, folder: &Path) -> (Command, Self) {
        let keys = new_keys();
        for name in ["data", "versions", "users"] {
            fs::create_dir(folder.join(name)).expect("folders can be made");
        }
        let command = versitygw(&[])(at, &keys, folder);
        (command, Self { process: None, at, scheme: "http", keys, folder: Folder::Of(folder.to_owned()) })
    }

    /// Whether it answers to its keys.
    pub(crate) fn answers(&self) -> bool {
        signed::ask(self.at, &self.keys, "GET", "/", "", b"").is_ok_and(|said| said.status == 200)
    }

    /// A second versitygw over the same buckets that speaks TLS, at the address that the certificate is for. The first one must
    /// outlive it.
    pub fn with_tls(&self, certificate: &Certificate) -> Self {
        let [cert, key] = ["cert.pem", "cert.key"].map(|name| certificate.file(name).display().to_string());
        let arguments = ["--cert", cert.as_str(), "--key", key.as_str()];
        let door = Door { at: certificate.at, scheme: "https" };
        Self::start(Folder::Of(self.folder.path().to_owned()), door, self.keys.clone(), versitygw(&arguments))
    }

    /// A MinIO over an empty folder.
    pub fn minio() -> Self {
        Self::start(Folder::Own(temporary()), Door::PLAIN, new_keys(), |at, keys, folder| {
            let mut command = Command::new(program("minio"));
            command.args(["server", "--quiet", "--address", &at.to_string()]).arg(folder.join("data"));
            command.env("MINIO_ROOT_USER", &keys.id).env("MINIO_ROOT_PASSWORD", &keys.secret);
            command.env("MINIO_BROWSER", "off").env("MINIO_UPDATE", "off").env("HOME", folder);
            command
        })
    }

    fn start(folder: Folder, door: Door, keys: Keys, command: impl Fn(SocketAddr, &Keys, &Path) -> Command) -> Self {
        let Door { at: address, scheme } = door;
        // One at a time, so that two of this process never choose the same free port.
        static STARTING: Mutex<()> = Mutex::new(());
        let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..STARTS {
            let at = free(address);
            let mut command = command(at, &keys, folder.path());
            let said = fs::File::create(folder.path().join(format!("said-{}", at.port()))).expect("files can be made");
            command.stdin(Stdio::null()).stderr(said.try_clone().expect("a file can be shared")).stdout(said);
            let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
            if answers(&mut process, at, scheme, &keys) {
                return Self { process: Some(process), at, scheme, keys, folder };
            }
        }
        panic!("no server after {STARTS} starts; see what it said in {}", folder.path().display());
    }

    /// Its address, for `endpoint`.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.at)
    }

    /// Keys that may do everything.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The variables that give these keys to both sides of a pipeline.
    pub fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("FLEETLOOM_SOURCE_AWS_ACCESS_KEY_ID", &self.keys.id),
            ("FLEETLOOM_SOURCE_AWS_SECRET_ACCESS_KEY", &self.keys.secret),
            ("FLEETLOOM_RESULT_AWS_ACCESS_KEY_ID", &self.keys.id),
            ("FLEETLOOM_RESULT_AWS_SECRET_ACCESS_KEY", &self.keys.secret),
        ]
    }

    /// Keys of a new user, who owns nothing.
    pub fn stranger(&self) -> Keys {
        let keys = Keys { id: "stranger".to_owned(), secret: "another-secret".to_owned() };
        let made = Command::new(program("versitygw"))
            .args(["admin", "--access", &self.keys.id, "--secret", &self.keys.secret])
            .args(["--endpoint-url", &self.endpoint(), "create-user", "--role", "user"])
            .args(["--access", &keys.id, "--secret", &keys.secret])
            .output()
            .expect("versitygw starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        keys
    }

    /// Makes a bucket.
    pub fn make(&self, bucket: &str, versions: Versions) {
        self.expect("PUT", &format!("/{bucket}"), "", b"");
        if versions == Versions::Kept {
            let words = b"<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                          <Status>Enabled</Status></VersioningConfiguration>";
            self.expect("PUT", &format!("/{bucket}"), "versioning=", words);
        }
    }

    /// Stores an object.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        self.expect("PUT", &format!("/{bucket}/{key}"), "", bytes);
    }

    /// Stores every file below a folder under `prefix`, which is empty or ends with `/`.
    pub fn put_folder(&self, bucket: &str, prefix: &str, folder: &Path) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let key = format!("{prefix}{}", entry.file_name().to_string_lossy());
            match entry.path().is_dir() {
                true => self.put_folder(bucket, &format!("{key}/"), &entry.path()),
                false => self.put(bucket, &key, &fs::read(entry.path()).expect("a file can be read")),
            }
        }
    }

    /// A proxy before it, that can be told what to lose.
    pub fn behind_proxy(&self) -> Proxy {
        self.behind_proxy_at(Ipv4Addr::LOCALHOST)
    }

    /// The same at an address of this machine that others reach.
    pub fn behind_proxy_at(&self, at: Ipv4Addr) -> Proxy {
        Proxy::new(at, self.at)
    }

    /// A table below a prefix of a bucket, as readers of other makes see it.
    pub fn table(&self, bucket: &str, prefix: &str) -> Table {
        Table::new(self.at, self.keys.clone(), format!("/{bucket}/{prefix}"))
    }

    /// Removes an object.
    pub fn delete(&self, bucket: &str, key: &str) {
        self.expect("DELETE", &format!("/{bucket}/{key}"), "", b"");
    }

    /// What a versitygw keeps of a bucket: each current object as a file.
    pub fn files(&self, bucket: &str) -> PathBuf {
        self.folder.path().join("data").join(bucket)
    }

    /// What a versitygw was asked so far, request by request, as its log names it: `s3_GetObject`.
    pub fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join(log(self.at))).unwrap_or_default();
        log.lines().filter_map(|line| line.split(' ').find(|word| word.starts_with("s3_"))).map(str::to_owned).collect()
    }

    fn expect(&self, verb: &str, path: &str, query: &str, body: &[u8]) -> Answer {
        let said = signed::ask(self.at, &self.keys, verb, path, query, body);
        let said = said.unwrap_or_else(|error| panic!("{verb} {path}: {error}"));
        let text = String::from_utf8_lossy(&said.body);
        assert!((200..300).contains(&said.status), "{verb} {path}?{query}: {} {text}", said.status);
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _gone = process.kill();
            let _gone = process.wait();
        }
    }
}

/// How a versitygw is started, with further arguments.
fn versitygw(more: &[&str]) -> impl Fn(SocketAddr, &Keys, &Path) -> Command {
    move |at, keys, folder| {
        let mut command = Command::new(program("versitygw"));
        command.args(["--port", &at.to_string(), "--access", &keys.id, "--secret", &keys.secret]);
        command.args(["--keep-alive", "--quiet", "--iam-dir"]).arg(folder.join("users"));
        command.arg("--access-log").arg(folder.join(log(at))).args(more);
        command.args(["posix", "--versioning-dir"]).arg(folder.join("versions")).arg(folder.join("data"));
        command
    }
}

fn log(at: SocketAddr) -> String {
    format!("requests-{}", at.port())
}

/// Keys that no other server has: who answers to them is ours.
fn new_keys() -> Keys {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let name = format!("{}x{now}", std::process::id());
    Keys { id: format!("user{name}"), secret: format!("secret{name}") }
}

/// Whether a started server answers before the deadline; false when it ended, as it does when its port was taken.
fn answers(process: &mut Child, at: SocketAddr, scheme: &str, keys: &Keys) -> bool {
    let until = Instant::now() + DEADLINE;
    while Instant::now() < until {
        if process.try_wait().expect("a child can be asked").is_some() {
            return false;
        }
        match signed::ask(at, keys, "GET", "/", "", b"") {
            Ok(said) if said.status == 200 => return true,
            // One that speaks TLS answers plain text with anything but S3.
            Err(error) if scheme == "https" && error.kind() != std::io::ErrorKind::ConnectionRefused => return true,
            Ok(said) if scheme == "https" && said.status == 400 => return true,
            _ => thread::park_timeout(POLL),
        }
    }
    panic!("no answer at {at} within {DEADLINE:?}");
}

/// A port of an address of this machine that nobody listens on now.
fn free(at: Ipv4Addr) -> SocketAddr {
    let listener = TcpListener::bind((at, 0)).expect("a free port");
    listener.local_addr().expect("a bound socket has an address")
}

fn temporary() -> TempDir {
    tempfile::Builder::new().prefix("fleetloom-bucket-").tempdir().expect("a temporary folder")
}

/// A server's program.
///
/// # Panics
/// When it is not there: a test never passes by skipping.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([home.join(".cache/fleetloom/bin")]);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not there: `make servers` builds it"))
}
