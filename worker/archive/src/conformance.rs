//! The promises of a [`Store`], as one suite that every store passes: folder, memory, and those behind a network.
//!
//! It is not a test itself: a store's tests call [`conforms`] with an empty store, and [`keeps_versions`] when it is
//! versioned. A broken promise panics with a sentence.

use crate::store::{Object, Put, Store, StoreError};
use bytes::Bytes;
use futures::future::join_all;
use futures::stream::TryStreamExt;

/// Parallel creators of one key; exactly one wins.
const CREATORS: u8 = 16;

/// Larger than a part of a multipart upload, and than [`crate::store::READ_BYTES_MAX`].
const LARGE_BYTES: usize = (9 << 20) + 4;

/// Panics unless the store, empty at first, keeps every promise. Leaves it empty.
pub async fn conforms(store: &dyn Store) {
    assert!(keys(store, "").await.is_empty(), "the suite needs an empty store, {store} is not");
    missing_objects_are_not_found(store).await;
    what_was_put_is_listed_and_read(store).await;
    ranges_are_cut_at_the_end(store).await;
    replaced_objects_are_never_read_through_an_old_pin(store).await;
    of_many_creators_one_wins(store).await;
    uploads_are_invisible_before_they_finish(store).await;
    odd_keys_come_back_as_they_were(store).await;
    large_objects_are_read_by_many(store).await;
    deleting_twice_is_no_error(store).await;
    for key in keys(store, "").await {
        store.delete(&key).await.expect("what was listed can be deleted");
    }
    assert!(keys(store, "").await.is_empty(), "deleted objects must not be listed");
}

/// Panics unless the store, versioned and empty, returns pinned versions for ever.
pub async fn keeps_versions(store: &dyn Store) {
    let first = put(store, "versioned", b"first").await;
    let second = put(store, "versioned", b"second").await;
    assert!(first.version.is_some() && first.version != second.version, "each state has a version id of its own");
    store.delete("versioned").await.expect("an object can be deleted");
    for (object, bytes) in [(first, "first"), (second, "second")] {
        let read = store.read(&object.pin(), 0..100).await.expect("a pinned version outlives replacement and deletion");
        assert_eq!(read, bytes, "a pinned version keeps its bytes");
    }
    assert!(matches!(store.head("versioned").await, Err(StoreError::NotFound { .. })), "a deleted object is not there");
}

async fn keys(store: &dyn Store, prefix: &str) -> Vec<String> {
    let mut keys: Vec<String> =
        store.list(prefix).map_ok(|object| object.key).try_collect().await.expect("a listing succeeds");
    keys.sort();
    keys
}

/// What names an object's state: answers differ in how exactly they say its time.
fn state(object: Object) -> Object {
    Object { modified_ns: None, ..object }
}

async fn put(store: &dyn Store, key: &str, bytes: &[u8]) -> Object {
    store.put(key, Bytes::copy_from_slice(bytes), Put::Always).await.expect("a put succeeds")
}

async fn missing_objects_are_not_found(store: &dyn Store) {
    for key in ["nothing", "nothing/below"] {
        assert!(matches!(store.head(key).await, Err(StoreError::NotFound { .. })), "head of nothing is NotFound");
        assert!(matches!(store.get(key).await, Err(StoreError::NotFound { .. })), "get of nothing is NotFound");
    }
    assert!(keys(store, "nothing").await.is_empty(), "nothing is listed under a prefix without objects");
    let gone = put(store, "gone", b"x").await;
    store.delete("gone").await.expect("an object can be deleted");
    if gone.version.is_none() {
        let read = store.read(&gone.pin(), 0..1).await;
        assert!(
            matches!(read, Err(StoreError::NotFound { .. })),
            "a read of a deleted object is NotFound, got {read:?}"
        );
    }
}

async fn what_was_put_is_listed_and_read(store: &dyn Store) {
    for key in ["list/a", "list/b/c", "list/b/d", "list/bc", "listing"] {
        let object = put(store, key, key.as_bytes()).await;
        assert_eq!((object.key.as_str(), object.bytes), (key, key.len() as u64), "a put says what was stored");
        let (head, (got, bytes)) =
            (store.head(key).await.expect("head succeeds"), store.get(key).await.expect("get succeeds"));
        assert_eq!(state(head), state(object.clone()), "head says what the put said");
        assert_eq!((state(got), bytes), (state(object), Bytes::from(key)), "get returns what was put");
    }
    assert_eq!(keys(store, "list/b").await, ["list/b/c", "list/b/d", "list/bc"], "a prefix is text, not a folder");
    assert_eq!(keys(store, "list/b/").await, ["list/b/c", "list/b/d"], "a prefix with its slash is that folder");
    assert_eq!(keys(store, "list").await.len(), 5, "a prefix without a slash lists all that start with it");
    let listed: Vec<Object> = store.list("list/a").try_collect().await.expect("a listing succeeds");
    assert!(listed.iter().all(|object| object.modified_ns.is_some()), "a listing says when objects were stored");
    let listed: Vec<Object> = listed.into_iter().map(state).collect();
    assert_eq!(listed, [state(store.head("list/a").await.expect("head succeeds"))], "a listing says what head says");
}

async fn ranges_are_cut_at_the_end(store: &dyn Store) {
    let pin = put(store, "ranges", b"0123456789").await.pin();
    for (range, expected) in
        [(0..10, "0123456789"), (3..5, "34"), (8..100, "89"), (10..20, ""), (50..60, ""), (4..4, "")]
    {
        let read = store.read(&pin, range.clone()).await.expect("a read past the end is no error");
        assert_eq!(read, expected, "range {range:?} of ten bytes");
    }
    let empty = put(store, "ranges-empty", b"").await;
    assert_eq!(empty.bytes, 0, "an empty object has no bytes");
    assert_eq!(store.read(&empty.pin(), 0..10).await.expect("an empty object is read"), "");
}

async fn replaced_objects_are_never_read_through_an_old_pin(store: &dyn Store) {
    let old = put(store, "pinned", b"old bytes").await;
    let new = put(store, "pinned", b"new bytes, longer").await;
    assert_eq!(store.read(&new.pin(), 0..3).await.expect("the new state is read"), "new");
    match store.read(&old.pin(), 0..3).await {
        Ok(bytes) => {
            assert!(old.version.is_some() && bytes == "old", "an old pin read {bytes:?}, which is not its state")
        }
        Err(error) => assert!(matches!(error, StoreError::Changed { .. }), "an old pin must say Changed, said {error}"),
    }
}

async fn of_many_creators_one_wins(store: &dyn Store) {
    let creators = (0..CREATORS).map(|n| store.put("created", Bytes::from(vec![n; 1000]), Put::IfAbsent));
    let results = join_all(creators).await;
    let winners: Vec<usize> = (0..results.len()).filter(|&n| results[n].is_ok()).collect();
    assert_eq!(winners.len(), 1, "of {CREATORS} parallel creators exactly one wins, got {winners:?}");
    for result in &results {
        assert!(matches!(result, Ok(_) | Err(StoreError::Exists { .. })), "a loser is told Exists, got {result:?}");
    }
    let (_, bytes) = store.get("created").await.expect("the winner's object is there");
    assert!(
        bytes.len() == 1000 && bytes.iter().all(|&b| usize::from(b) == winners[0]),
        "the object is the winner's, whole"
    );
    assert_eq!(keys(store, "created").await, ["created"], "losers leave nothing behind");
    store.delete("created").await.expect("an object can be deleted");
    let again = store.put("created", Bytes::from_static(b"again"), Put::IfAbsent).await;
    assert!(again.is_ok(), "after a delete a key is free again, got {again:?}");
}

async fn uploads_are_invisible_before_they_finish(store: &dyn Store) {
    let mut upload = store.upload("uploads/one").await.expect("an upload starts");
    upload.write(Bytes::from_static(b"first, ")).await.expect("a piece is taken");
    assert!(keys(store, "uploads").await.is_empty(), "an unfinished upload is not listed");
    assert!(store.head("uploads/one").await.is_err(), "an unfinished upload is not there");
    upload.write(Bytes::from_static(b"second")).await.expect("a piece is taken");
    let object = upload.finish().await.expect("an upload finishes");
    let (got, bytes) = store.get("uploads/one").await.expect("it is there");
    assert_eq!((state(got), bytes), (state(object), Bytes::from_static(b"first, second")));
    let mut aborted = store.upload("uploads/two").await.expect("an upload starts");
    aborted.write(Bytes::from_static(b"lost")).await.expect("a piece is taken");
    aborted.abort().await.expect("an upload can be given up");
    let mut dropped = store.upload("uploads/three").await.expect("an upload starts");
    dropped.write(Bytes::from_static(b"lost")).await.expect("a piece is taken");
    drop(dropped);
    assert_eq!(keys(store, "uploads").await, ["uploads/one"], "uploads given up or dropped leave nothing visible");
    let empty = store.upload("uploads/empty").await.expect("an upload starts").finish().await;
    assert_eq!(empty.expect("an upload without pieces finishes").bytes, 0, "it is an empty object");
}

async fn odd_keys_come_back_as_they_were(store: &dyn Store) {
    let odd = [
        "odd/a b",
        "odd/100%",
        "odd/a%2Fb",
        "odd/ä→日本",
        "odd/+&=?#",
        "odd/.hidden",
        "odd/date=2022-10-26/x",
        "odd/~'\"\\",
    ];
    for key in odd {
        put(store, key, key.as_bytes()).await;
    }
    let mut expected: Vec<String> = odd.iter().map(|key| (*key).to_owned()).collect();
    expected.sort();
    assert_eq!(keys(store, "odd/").await, expected, "keys are listed as they were put");
    for key in odd {
        assert_eq!(store.get(key).await.expect("an odd key is read").1, key, "odd key {key}");
    }
}

async fn large_objects_are_read_by_many(store: &dyn Store) {
    let bytes: Bytes = (0..LARGE_BYTES).map(|n| u8::try_from(n * 31 % 251).expect("below 251")).collect();
    let mut upload = store.upload("large").await.expect("an upload starts");
    let mut rest = bytes.clone();
    for piece in [1, 5 << 20, 3, 4 << 20] {
        upload.write(rest.split_to(piece.min(rest.len()))).await.expect("a piece is taken");
    }
    assert!(rest.is_empty(), "all pieces were written");
    let pin = upload.finish().await.expect("a large upload finishes").pin();
    let reads = (0..32_u64).map(|n| (n * 290_000, (n + 1) * 290_000)).map(|(from, to)| store.read(&pin, from..to));
    let parts: Vec<Bytes> = join_all(reads).await.into_iter().map(|r| r.expect("concurrent reads succeed")).collect();
    assert!(parts.concat() == bytes[..32 * 290_000], "concurrent reads return the bytes that were written");
    assert!(store.read(&pin, 0..u64::MAX).await.expect("a range to the end of time is cut") == bytes);
}

async fn deleting_twice_is_no_error(store: &dyn Store) {
    put(store, "deleted", b"x").await;
    for _ in 0..2 {
        store.delete("deleted").await.expect("deleting twice is no error");
    }
    store.delete("never/there").await.expect("deleting nothing is no error");
}
