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

/// What a certificate says. It is no authority for others: a server must not show one that is.
const CERTIFICATE: &str = "[req]\nprompt=no\ndistinguished_name=name\nx509_extensions=more\n[name]\nCN=fleetloom test\n\
                           [more]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n";

/// A certificate for 127.0.0.1 that signs itself, with its key.
#[derive(Debug)]
pub struct Certificate {
    folder: TempDir,
}

impl Certificate {
    /// A new one, made by `openssl`.
    pub fn new() -> Self {
        let folder = temporary();
        fs::write(folder.path().join("words"), CERTIFICATE).expect("files can be made");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-config", "words", "-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(folder.path())
            .output()
            .expect("openssl starts: `make tools` installs it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { folder }
    }

    /// The PEM file of the certificate, which is its own authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
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
        Self::start(Folder::Own(folder), "http", new_keys(), versitygw(&[]))
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

    /// A second versitygw over the same buckets that speaks TLS. The first one must outlive it.
    pub fn with_tls(&self, certificate: &Certificate) -> Self {
        let cert = certificate.authority().display().to_string();
        let key = certificate.folder.path().join("key.pem").display().to_string();
        let arguments = ["--cert", cert.as_str(), "--key", key.as_str()];
        let command = versitygw(&arguments);
        Self::start(Folder::Of(self.folder.path().to_owned()), "https", self.keys.clone(), command)
    }

    /// A MinIO over an empty folder.
    pub fn minio() -> Self {
        Self::start(Folder::Own(temporary()), "http", new_keys(), |at, keys, folder| {
            let mut command = Command::new(program("minio"));
            command.args(["server", "--quiet", "--address", &at.to_string()]).arg(folder.join("data"));
            command.env("MINIO_ROOT_USER", &keys.id).env("MINIO_ROOT_PASSWORD", &keys.secret);
            command.env("MINIO_BROWSER", "off").env("MINIO_UPDATE", "off").env("HOME", folder);
            command
        })
    }

    fn start(
        folder: Folder,
        scheme: &'static str,
        keys: Keys,
        command: impl Fn(SocketAddr, &Keys, &Path) -> Command,
    ) -> Self {
        // One at a time, so that two of this process never choose the same free port.
        static STARTING: Mutex<()> = Mutex::new(());
        let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..STARTS {
            let at = free();
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
        Proxy::new(self.at)
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

/// A port that nobody listens on now.
fn free() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
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
