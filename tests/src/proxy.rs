//! A network that can be told what to do wrong: a proxy on this machine before a server of a test, that counts requests and, by
//! the test's choice, loses, tears, doubles or delays one, loses or tears its answer, or says that the server is busy.
//!
//! ```text
//! program ──► Moment::Request ──► server ──► Moment::Answer ──► program
//! ```
//!
//! It speaks as much HTTP/1.1 as finds the ends of requests and answers: lengths and chunks. The choice is made on the
//! connection's own thread, so a test may hold a request there for as long as it likes. The answer to a watch has no end: it is
//! passed on as it comes, and only its request is chosen for.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// No server of a test takes longer for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many requests overtake one that is late: the program has long tried again.
const LATE: usize = 2;

/// How long one is late at most: the program may have nothing more to ask.
const LATE_MOST: Duration = Duration::from_millis(500);

/// How often a late one looks whether it is time.
const POLL: Duration = Duration::from_millis(2);

/// What a server says that wants to be asked later.
const BUSY: &[u8] = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n";

/// When a choice is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request came whole; the server knows nothing of it.
    Request,
    /// The server has answered; the program knows nothing of it.
    Answer,
}

/// What becomes of a request or its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It goes on.
    Pass,
    /// The connection breaks: a request never reaches the server, or its answer never the program.
    Lose,
    /// Half of it arrives, then the connection breaks.
    Tear,
    /// The program is told 503 in its place.
    Busy,
    /// A request reaches the server twice, and the second answer the program. An answer passes.
    Twice,
    /// The connection breaks, and the request reaches the server a little later, after requests that came after it. An
    /// answer passes.
    Late,
}

/// A request as a choice sees it.
#[derive(Debug, Clone)]
pub struct Request {
    /// How many came before it, since the choice was set.
    pub number: usize,
    /// `GET`, `PUT`, …
    pub verb: String,
    /// Path and query, as sent.
    pub path: String,
}

impl Request {
    /// Whether what is asked for is told of for as long as somebody listens.
    fn is_watch(&self) -> bool {
        self.path.split(['?', '&']).any(|word| word == "watch=true")
    }
}

type Chooser = Arc<dyn Fn(Moment, &Request) -> Choice + Send + Sync>;

/// A proxy before one server. It lives as long as the test's process.
#[derive(Clone)]
pub struct Proxy {
    at: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    server: SocketAddr,
    chooser: Mutex<Chooser>,
    count: AtomicUsize,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy {} before {}", self.at, self.inner.server)
    }
}

impl Proxy {
    /// A proxy on a free port of an address of this machine that passes everything on.
    pub fn new(at: Ipv4Addr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind((at, 0)).expect("a free port");
        let at = listener.local_addr().expect("a bound socket has an address");
        let chooser: Mutex<Chooser> = Mutex::new(Arc::new(|_, _: &Request| Choice::Pass));
        let inner = Arc::new(Inner { server, chooser, count: AtomicUsize::new(0) });
        let proxy = Self { at, inner: Arc::clone(&inner) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inner = Arc::clone(&inner);
                // A connection that ends early, by choice or not, is what the program has to live with.
                thread::spawn(move || drop(inner.connection(stream)));
            }
        });
        proxy
    }

    /// Its address, for `endpoint`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Chooses so from now on, counting requests from 0.
    pub fn choose(&self, chooser: impl Fn(Moment, &Request) -> Choice + Send + Sync + 'static) {
        *self.inner.chooser.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(chooser);
        self.inner.count.store(0, Ordering::SeqCst);
    }

    /// Requests that came since the choice was set.
    pub fn requests(&self) -> usize {
        self.inner.count.load(Ordering::SeqCst)
    }
}

impl Inner {
    /// Passes requests of a connection on, one by one, until it ends.
    fn connection(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let mut from = BufReader::new(client.try_clone()?);
        let mut client = client;
        while let Some(message) = Message::read(&mut from, true)? {
            let request = self.request(&message)?;
            let chooser = Arc::clone(&self.chooser.lock().unwrap_or_else(PoisonError::into_inner));
            if request.is_watch() {
                if chooser(Moment::Request, &request) == Choice::Pass {
                    self.stream(&message, from, &mut client)?;
                }
                break;
            }
            let Some(answer) = self.asked(message, &request, chooser(Moment::Request, &request))? else { break };
            match chooser(Moment::Answer, &request) {
                Choice::Pass | Choice::Twice | Choice::Late => client.write_all(&answer.bytes)?,
                Choice::Busy => client.write_all(BUSY)?,
                Choice::Lose => break,
                Choice::Tear => {
                    client.write_all(answer.half())?;
                    break;
                }
            }
        }
        client.shutdown(Shutdown::Both)
    }

    /// What comes of a request; `None`: the program's connection breaks.
    fn asked(self: &Arc<Self>, message: Message, request: &Request, choice: Choice) -> io::Result<Option<Message>> {
        match choice {
            Choice::Pass => self.ask(&message.bytes, &request.verb),
            Choice::Lose => Ok(None),
            Choice::Busy => Ok(Some(Message { first_line: String::new(), bytes: BUSY.to_vec() })),
            Choice::Tear => {
                self.server()?.write_all(message.half())?;
                Ok(None)
            }
            Choice::Twice => {
                self.ask(&message.bytes, &request.verb)?;
                self.ask(&message.bytes, &request.verb)
            }
            Choice::Late => {
                let (inner, until, verb) = (Arc::clone(self), request.number + LATE, request.verb.clone());
                thread::spawn(move || inner.land(&message.bytes, &verb, until));
                Ok(None)
            }
        }
    }

    /// Sends a late request once that many have overtaken it.
    fn land(&self, sent: &[u8], verb: &str, until: usize) {
        let since = Instant::now();
        while self.count.load(Ordering::SeqCst) <= until && since.elapsed() < LATE_MOST {
            thread::park_timeout(POLL);
        }
        // Nobody waits for what comes of it.
        let _answer = self.ask(sent, verb);
    }

    fn request(&self, message: &Message) -> io::Result<Request> {
        let mut words = message.first_line.split(' ').map(str::to_owned);
        let (Some(verb), Some(path)) = (words.next(), words.next()) else { return Err(odd("no request line")) };
        Ok(Request { number: self.count.fetch_add(1, Ordering::SeqCst), verb, path })
    }

    /// Sends bytes to the server on a connection of their own; `None`: it closed that without an answer.
    fn ask(&self, sent: &[u8], verb: &str) -> io::Result<Option<Message>> {
        let mut server = self.server()?;
        server.set_read_timeout(Some(PATIENCE))?;
        server.write_all(sent)?;
        Message::read(&mut BufReader::new(server), verb != "HEAD")
    }

    /// Passes on what the server says to a watch, as it says it, until one of the two hangs up.
    fn stream(&self, message: &Message, mut from: BufReader<TcpStream>, client: &mut TcpStream) -> io::Result<()> {
        let mut server = self.server()?;
        server.write_all(&message.alone())?;
        let hung_up = server.try_clone()?;
        thread::spawn(move || {
            // It asks nothing more on this connection: what ends here is the connection.
            let _torn = io::copy(&mut from, &mut io::sink());
            hung_up.shutdown(Shutdown::Both)
        });
        io::copy(&mut server, client).map(drop)
    }

    fn server(&self) -> io::Result<TcpStream> {
        TcpStream::connect_timeout(&self.server, PATIENCE)
    }
}

/// A request or an answer, byte for byte.
#[derive(Debug)]
struct Message {
    first_line: String,
    bytes: Vec<u8>,
}

impl Message {
    /// Reads one. `None`: the stream ended before it.
    fn read(from: &mut impl BufRead, has_body: bool) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let first_line = line(from, &mut bytes)?;
        if first_line.is_empty() {
            return Ok(None);
        }
        let (mut length, mut chunked) = (0, false);
        loop {
            let header = line(from, &mut bytes)?.to_ascii_lowercase();
            let Some((name, value)) = header.split_once(':') else { break };
            match name {
                "content-length" => length = value.trim().parse().map_err(|_| odd("a length that is no number"))?,
                "transfer-encoding" => chunked = value.contains("chunked"),
                _ => {}
            }
        }
        match (has_body, chunked) {
            (false, _) => {}
            (true, false) => body(from, &mut bytes, length)?,
            (true, true) => chunks(from, &mut bytes)?,
        }
        Ok(Some(Self { first_line, bytes }))
    }

    /// The same request without a body, as the last one of its connection: whoever answers closes it.
    fn alone(&self) -> Vec<u8> {
        let (line, rest) = self.bytes.split_at(self.first_line.len());
        [line, b"\r\nConnection: close", rest].concat()
    }

    fn half(&self) -> &[u8] {
        &self.bytes[..self.bytes.len() / 2]
    }
}

/// Takes a line over and returns it without its end; empty where the stream ended.
fn line(from: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<String> {
    let start = bytes.len();
    from.read_until(b'\n', bytes)?;
    Ok(String::from_utf8_lossy(&bytes[start..]).trim_end().to_owned())
}

fn body(from: &mut impl BufRead, bytes: &mut Vec<u8>, length: u64) -> io::Result<()> {
    if from.take(length).read_to_end(bytes)? as u64 == length { Ok(()) } else { Err(odd("a torn body")) }
}

/// Takes chunks over, up to the empty one and the empty line after its trailers.
fn chunks(from: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let head = line(from, bytes)?;
        let length = head.split(';').next().and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
        match length.ok_or_else(|| odd("a chunk without length"))? {
            0 => break,
            length => body(from, bytes, length + 2)?,
        }
    }
    while !line(from, bytes)?.is_empty() {}
    Ok(())
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
