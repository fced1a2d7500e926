//! Each fault has the effect and the answer that it promises.

use super::*;
use crate::memory::MemoryStore;
use futures::TryStreamExt;

fn client(call: u64, fault: Fault) -> (Arc<dyn Store>, Faults, Arc<dyn Store>) {
    let inner: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let faults = Faults::at(call, fault);
    let store = faults.around(&inner);
    (inner, faults, store)
}

async fn is_there(store: &Arc<dyn Store>) -> bool {
    store.head("k").await.is_ok()
}

#[tokio::test]
async fn each_fault_of_a_conditional_put_has_its_effect_and_its_answer() {
    for (fault, has_effect) in [
        (Fault::Busy, false),
        (Fault::Dropped, false),
        (Fault::Lost, true),
        (Fault::Twice, true),
        (Fault::Torn, false),
        (Fault::Late, false),
        (Fault::Denied, false),
    ] {
        let (inner, faults, store) = client(1, fault);
        let answer = store.put("k", "v".into(), Put::IfAbsent).await.unwrap_err();
        let is_right = match fault {
            Fault::Busy | Fault::Torn => matches!(answer, StoreError::Unavailable { .. }),
            Fault::Twice => matches!(answer, StoreError::Exists { .. }),
            Fault::Denied => matches!(answer, StoreError::Denied { .. }),
            _ => matches!(answer, StoreError::Unknown { .. }),
        };
        assert!(is_right, "{fault:?}: {answer}");
        assert_eq!(is_there(&inner).await, has_effect, "{fault:?}");
        assert!(store.head("other").await.is_err());
        assert_eq!((is_there(&inner).await, faults.calls()), (has_effect || fault == Fault::Late, 2), "{fault:?}");
    }
}

#[tokio::test]
async fn a_torn_listing_gives_half_and_an_error_and_a_torn_upload_nothing() {
    let (inner, _, store) = client(1, Fault::Torn);
    for key in ["a", "b", "c", "d"] {
        inner.put(key, "v".into(), Put::Always).await.unwrap();
    }
    let listed: Vec<_> = store.list("").collect().await;
    assert_eq!((listed.len(), listed[1].is_ok(), listed[2].is_err()), (3, true, true));
    assert_eq!(store.list("").try_collect::<Vec<_>>().await.unwrap().len(), 4);
    let (inner, _, store) = client(2, Fault::Torn);
    let mut upload = store.upload("k").await.unwrap();
    assert!(upload.write("piece".into()).await.is_err());
    upload.abort().await.unwrap();
    assert!(!is_there(&inner).await);
}

#[tokio::test]
async fn a_dead_client_makes_no_further_call_on_any_of_its_stores() {
    for (fault, has_effect) in [(Fault::Dies, false), (Fault::DiesAfter, true)] {
        let (inner, faults, store) = client(1, fault);
        let other = faults.around(&inner);
        let died = tokio::spawn(async move { store.put("k", "v".into(), Put::Always).await.is_ok() }).await;
        assert!(died.unwrap_err().into_panic().is::<Died>());
        assert!(tokio::spawn(async move { other.delete("k").await.is_ok() }).await.is_err());
        assert_eq!((is_there(&inner).await, faults.calls()), (has_effect, 1), "{fault:?}");
    }
}
