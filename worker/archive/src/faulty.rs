//! Stores around stores in which one chosen call, or some chosen conditional puts, go wrong: tests prove with them that nothing
//! published depends on a call going well. Not a store for anything else.
//!
//! ```text
//! Faults ─┬─ around(source) ─┐
//!         └─ around(result) ─┴─► one client: its calls are counted together, and it dies as a whole
//! ```
//! A listing is one call, whatever its pages; an upload is a call, and so are each of its pieces and its end.

use crate::store::{Object, Pin, Put, Reading, Store, StoreError, Upload};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use std::fmt;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It has no effect, and the store says so: try again.
    Busy,
    /// It has no effect, and the answer is lost.
    Dropped,
    /// It takes effect, and the answer is lost.
    Lost,
    /// It is sent a second time and the second answer is the one that is heard.
    Twice,
    /// It ends half way: a listing after half of its objects, an upload within a piece, a read within its bytes.
    Torn,
    /// The answer does not come in time; what was asked for is done after the next call of the same client.
    Late,
    /// The process dies before it: neither it nor a later call of the client is made.
    Dies,
    /// The process dies after it.
    DiesAfter,
    /// It has no effect: no permission.
    Denied,
    /// It is done, and its condition ignored.
    Replaced,
}

impl Fault {
    /// What networks, machines and sound stores do.
    pub const OF_SOUND_STORES: [Self; 8] =
        [Self::Busy, Self::Dropped, Self::Lost, Self::Twice, Self::Torn, Self::Late, Self::Dies, Self::DiesAfter];
}

/// What unwinds the caller when its process is to die: no hook hears of it and nothing after the call is done.
#[derive(Debug)]
pub struct Died;

/// Told after each call of a client.
type Watcher = Arc<dyn Fn() + Send + Sync>;

/// What goes wrong with the calls of one client. Clones are of the same client.
#[derive(Clone)]
pub struct Faults(Arc<State>);

struct State {
    choice: Choice,
    calls: AtomicU64,
    is_dead: AtomicBool,
    /// What was asked for and is not done yet.
    late: Mutex<Vec<BoxFuture<'static, ()>>>,
    watcher: Option<Watcher>,
}

/// Which calls go wrong.
enum Choice {
    /// The call of that number, from 1.
    Call(u64, Fault),
    /// The next conditional puts below a prefix, last one first.
    Creates(&'static str, Mutex<Vec<Fault>>),
}

impl Faults {
    /// The client's `call`, counted from 1 over all its stores, goes wrong; with 0 none does.
    pub fn at(call: u64, fault: Fault) -> Self {
        Self::new(Choice::Call(call, fault), None)
    }

    /// As [`Faults::at`]; `watcher` is called after each call, whatever became of it.
    pub fn at_watched(call: u64, fault: Fault, watcher: impl Fn() + Send + Sync + 'static) -> Self {
        Self::new(Choice::Call(call, fault), Some(Arc::new(watcher)))
    }

    /// The next conditional puts below `prefix` go wrong in this order; then all is well.
    pub fn of_creates(prefix: &'static str, faults: &[Fault]) -> Self {
        let faults = faults.iter().rev().copied().collect();
        Self::new(Choice::Creates(prefix, Mutex::new(faults)), None)
    }

    fn new(choice: Choice, watcher: Option<Watcher>) -> Self {
        let (calls, is_dead) = (AtomicU64::new(0), AtomicBool::new(false));
        Self(Arc::new(State { choice, calls, is_dead, late: Mutex::default(), watcher }))
    }

    /// The client's view of a store.
    pub fn around(&self, inner: &Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Faulty { inner: Arc::clone(inner), faults: self.clone() })
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Whether the client's process has died.
    pub fn is_dead(&self) -> bool {
        self.0.is_dead.load(Ordering::SeqCst)
    }

    /// Does what was asked for and is late.
    pub async fn settle(&self) {
        let late = std::mem::take(&mut *lock(&self.0.late));
        for act in late {
            act.await;
        }
    }

    /// Counts a call and says what goes wrong with it. Unwinds when the process is dead.
    fn meet(&self, create: Option<&str>) -> Option<Fault> {
        if self.is_dead() {
            resume_unwind(Box::new(Died));
        }
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let fault = match &self.0.choice {
            Choice::Call(chosen, fault) => (*chosen == call).then_some(*fault),
            Choice::Creates(prefix, faults) => {
                create.filter(|key| key.starts_with(prefix)).and_then(|_| lock(faults).pop())
            }
        };
        if fault == Some(Fault::Dies) {
            self.die();
        }
        fault
    }

    fn die(&self) -> ! {
        self.0.is_dead.store(true, Ordering::SeqCst);
        resume_unwind(Box::new(Died))
    }

    /// After a call: what is late is done now, and the watcher looks.
    async fn after(&self, fault: Option<Fault>) {
        if fault != Some(Fault::Late) {
            self.settle().await;
        }
        if let Some(watcher) = &self.0.watcher {
            watcher();
        }
        if fault == Some(Fault::DiesAfter) {
            self.die();
        }
    }

    /// Does `act` as the fault wants it. `act` must give the same call each time.
    async fn call<T: Send + 'static>(
        &self,
        place: &str,
        fault: Option<Fault>,
        act: impl Fn() -> BoxFuture<'static, Result<T, StoreError>> + Send + Sync,
    ) -> Result<T, StoreError> {
        let answer = match fault {
            None | Some(Fault::Dies | Fault::DiesAfter | Fault::Replaced) => act().await,
            Some(Fault::Twice) => {
                let _unheard = act().await;
                act().await
            }
            Some(Fault::Lost) => act().await.and_then(|_| Err(unknown(place))),
            Some(Fault::Late) => {
                let act = act();
                lock(&self.0.late).push(Box::pin(async move {
                    let _unheard = act.await;
                }));
                Err(unknown(place))
            }
            Some(Fault::Dropped) => Err(unknown(place)),
            Some(Fault::Busy | Fault::Torn) => Err(unavailable(place)),
            Some(Fault::Denied) => Err(StoreError::Denied { place: place.to_owned(), verb: "write" }),
        };
        self.after(fault).await;
        answer
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unknown(place: &str) -> StoreError {
    StoreError::Unknown { place: place.to_owned(), source: "simulated".into() }
}

fn unavailable(place: &str) -> StoreError {
    StoreError::Unavailable { place: place.to_owned(), source: "simulated".into() }
}

/// A lost answer of a read is no unknown write.
fn reading(error: StoreError) -> StoreError {
    match error {
        StoreError::Unknown { place, source } => StoreError::Unavailable { place, source },
        error => error,
    }
}

/// One store of a client.
#[derive(Debug, Clone)]
struct Faulty {
    inner: Arc<dyn Store>,
    faults: Faults,
}

impl Faulty {
    /// Does a call of the inner store.
    async fn pass<T: Send + 'static, F>(
        &self,
        place: &str,
        create: Option<&str>,
        act: impl Fn(Arc<dyn Store>, Option<Fault>) -> F + Send + Sync,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let fault = self.faults.meet(create);
        self.faults.call(place, fault, || Box::pin(act(Arc::clone(&self.inner), fault))).await
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Store for Faulty {
    fn reading(&self) -> Reading {
        self.inner.reading()
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<Object, StoreError>> {
        let prefix = prefix.to_owned();
        let listing = async move {
            let fault = self.faults.meet(None);
            let mut objects: Vec<_> = self.inner.list(&prefix).collect().await;
            self.faults.after(fault).await;
            match fault {
                None | Some(Fault::Twice | Fault::Replaced) => {}
                Some(Fault::Torn) => {
                    objects.truncate(objects.len() / 2);
                    objects.push(Err(unavailable(&prefix)));
                }
                Some(_) => objects = vec![Err(unavailable(&prefix))],
            }
            stream::iter(objects)
        };
        stream::once(listing).flatten().boxed()
    }

    async fn head(&self, key: &str) -> Result<Object, StoreError> {
        let act = |inner: Arc<dyn Store>, _| {
            let key = key.to_owned();
            async move { inner.head(&key).await }
        };
        self.pass(key, None, act).await.map_err(reading)
    }

    async fn read(&self, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
        let act = |inner: Arc<dyn Store>, _| {
            let (pin, range) = (pin.clone(), range.clone());
            async move { inner.read(&pin, range).await }
        };
        self.pass(&pin.key, None, act).await.map_err(reading)
    }

    async fn get(&self, key: &str) -> Result<(Object, Bytes), StoreError> {
        let act = |inner: Arc<dyn Store>, _| {
            let key = key.to_owned();
            async move { inner.get(&key).await }
        };
        self.pass(key, None, act).await.map_err(reading)
    }

    async fn put(&self, key: &str, bytes: Bytes, when: Put) -> Result<Object, StoreError> {
        let act = |inner: Arc<dyn Store>, fault| {
            let (key, bytes) = (key.to_owned(), bytes.clone());
            let when = if fault == Some(Fault::Replaced) { Put::Always } else { when };
            async move { inner.put(&key, bytes, when).await }
        };
        self.pass(key, (when == Put::IfAbsent).then_some(key), act).await
    }

    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        let act = |inner: Arc<dyn Store>, _| {
            let key = key.to_owned();
            async move { inner.upload(&key).await }
        };
        let inner = self.pass(key, None, act).await?;
        Ok(Box::new(FaultyUpload { inner, key: key.to_owned(), faults: self.faults.clone() }))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let act = |inner: Arc<dyn Store>, _| {
            let key = key.to_owned();
            async move { inner.delete(&key).await }
        };
        self.pass(key, None, act).await
    }
}

/// An upload of a client.
struct FaultyUpload {
    inner: Box<dyn Upload>,
    key: String,
    faults: Faults,
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn write(&mut self, piece: Bytes) -> Result<(), StoreError> {
        let fault = self.faults.meet(None);
        let answer = match fault {
            None | Some(Fault::Dies | Fault::DiesAfter | Fault::Replaced | Fault::Twice) => {
                self.inner.write(piece).await
            }
            // Pieces have an order: one that is late is one that is lost.
            Some(Fault::Lost) => self.inner.write(piece).await.and_then(|()| Err(unknown(&self.key))),
            Some(Fault::Torn) => {
                let half = piece.slice(..piece.len() / 2);
                self.inner.write(half).await.and_then(|()| Err(unavailable(&self.key)))
            }
            Some(Fault::Dropped | Fault::Late) => Err(unknown(&self.key)),
            Some(Fault::Busy) => Err(unavailable(&self.key)),
            Some(Fault::Denied) => Err(StoreError::Denied { place: self.key.clone(), verb: "write" }),
        };
        self.faults.after(fault).await;
        answer
    }

    async fn finish(self: Box<Self>) -> Result<Object, StoreError> {
        let Self { inner, key, faults } = *self;
        let fault = faults.meet(None);
        let once = Mutex::new(Some(inner));
        // A second end of an upload finds none and says nothing.
        let fault_once = if fault == Some(Fault::Twice) { Some(Fault::Lost) } else { fault };
        let act = || -> BoxFuture<'static, _> {
            let (inner, key) = (lock(&once).take(), key.clone());
            Box::pin(async move {
                match inner {
                    Some(inner) => inner.finish().await,
                    None => Err(unknown(&key)),
                }
            })
        };
        faults.call(&key, fault_once, act).await
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        let Self { inner, faults, .. } = *self;
        let fault = faults.meet(None);
        let answer = inner.abort().await;
        faults.after(fault).await;
        answer
    }
}

#[cfg(test)]
mod tests;
