//! An object being stored in parts. What fits into one part becomes one plain put; parts travel a few at a time while more
//! is written, so that memory is bounded by them.

use super::Bucket;
use super::call::Effect;
use super::trouble::{Kind, Trouble};
use crate::store::{Object, Put, Reading, StoreError, Upload};
use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Bytes of a part: S3 wants at least 5 MiB, and at most 10,000 parts, which makes 78 GiB with these.
const PART_BYTES: usize = 8 << 20;
/// A bucket is read as [`Reading::REMOTE`] says, and a part is no larger than its blocks.
const _: () = assert!(PART_BYTES as u64 <= Reading::REMOTE.block_bytes);
const PARTS_MAX: i32 = 10_000;

/// Parts under way at a time.
const PARTS_AHEAD: usize = 3;

/// An upload: nothing is asked of the server before the first part is full.
pub(super) struct S3Upload {
    bucket: Arc<Bucket>,
    key: String,
    buffer: BytesMut,
    bytes: u64,
    parts: Option<Parts>,
}

/// Parts of a multipart upload that was begun. Dropping it gives the upload up.
struct Parts {
    target: Arc<Target>,
    begun: i32,
    under_way: JoinSet<Result<CompletedPart, Trouble>>,
    done: Vec<CompletedPart>,
    finished: bool,
}

/// What parts are put to.
struct Target {
    bucket: Arc<Bucket>,
    key: String,
    id: String,
}

impl S3Upload {
    pub(super) fn new(bucket: Arc<Bucket>, key: String) -> Self {
        Self { bucket, key, buffer: BytesMut::new(), bytes: 0, parts: None }
    }

    fn failed(&self, trouble: Trouble) -> StoreError {
        self.bucket.error(trouble, &self.key, "write")
    }

    /// Sends a part, beginning the upload with the first.
    async fn send(&mut self, part: Bytes) -> Result<(), Trouble> {
        if self.parts.is_none() {
            self.parts = Some(Parts::begin(Arc::clone(&self.bucket), self.key.clone()).await?);
        }
        match &mut self.parts {
            Some(parts) => parts.send(part).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, piece: Bytes) -> Result<(), StoreError> {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        self.buffer.extend_from_slice(&piece);
        while self.buffer.len() > PART_BYTES {
            let part = self.buffer.split_to(PART_BYTES).freeze();
            self.send(part).await.map_err(|trouble| self.failed(trouble))?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Object, StoreError> {
        let rest = std::mem::take(&mut self.buffer).freeze();
        let done = match self.parts.take() {
            None => self.bucket.put_once(&self.key, &rest, Put::Always).await,
            Some(parts) => parts.finish(rest, self.bytes).await,
        };
        done.map_err(|trouble| self.failed(trouble))
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        let Some(mut parts) = self.parts.take() else { return Ok(()) };
        parts.finished = true;
        parts.under_way.shutdown().await;
        parts.target.abort().await.map_err(|trouble| self.failed(trouble))
    }
}

impl Parts {
    async fn begin(bucket: Arc<Bucket>, key: String) -> Result<Self, Trouble> {
        let request = bucket.client().await?.create_multipart_upload();
        let request = request.bucket(&bucket.settings.bucket).key(bucket.full(&key));
        // Sent twice, a second upload would be begun and the first forgotten; it holds no bytes.
        let answer = bucket.ask(Effect::Repeatable, || request.clone().send()).await?;
        let id = answer.upload_id.ok_or_else(|| Trouble::new(Kind::Refused, "a multipart upload without a name"))?;
        let target = Arc::new(Target { bucket, key, id });
        Ok(Self { target, begun: 0, under_way: JoinSet::new(), done: Vec::new(), finished: false })
    }

    async fn send(&mut self, part: Bytes) -> Result<(), Trouble> {
        if self.begun == PARTS_MAX {
            return Err(Trouble::new(Kind::Refused, "more than 78 GiB; make shards smaller"));
        }
        self.begun += 1;
        while self.under_way.len() >= PARTS_AHEAD {
            self.join_one().await?;
        }
        let (target, number) = (Arc::clone(&self.target), self.begun);
        self.under_way.spawn(async move { target.put(number, part).await });
        Ok(())
    }

    async fn join_one(&mut self) -> Result<(), Trouble> {
        match self.under_way.join_next().await {
            Some(Ok(part)) => self.done.push(part?),
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(error)) => return Err(Trouble::torn(&error)),
            None => {}
        }
        Ok(())
    }

    /// Sends the last part, waits for all and joins them to `bytes` bytes.
    async fn finish(mut self, rest: Bytes, bytes: u64) -> Result<Object, Trouble> {
        self.send(rest).await?;
        while !self.under_way.is_empty() {
            self.join_one().await?;
        }
        self.done.sort_unstable_by_key(|part| part.part_number);
        let joined = self.target.join(std::mem::take(&mut self.done), bytes).await?;
        self.finished = true;
        Ok(joined)
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.under_way.abort_all();
        let target = Arc::clone(&self.target);
        // Without a runtime the process ends; what is left then is for the bucket's own rule about unfinished uploads.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { target.abort().await });
        }
    }
}

impl Target {
    async fn put(&self, number: i32, part: Bytes) -> Result<CompletedPart, Trouble> {
        let bucket = &self.bucket;
        let client = bucket.client().await?;
        let attempt = || {
            let request = client.upload_part().bucket(&bucket.settings.bucket).key(bucket.full(&self.key));
            request.upload_id(&self.id).part_number(number).body(ByteStream::from(part.clone())).send()
        };
        let answer = bucket.ask(Effect::Repeatable, attempt).await?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag);
        Ok(part.set_checksum_crc32(answer.checksum_crc32).set_checksum_crc64_nvme(answer.checksum_crc64_nvme).build())
    }

    /// Joins the parts. After a lost answer the server may have done so already: then the upload is gone and the object there.
    async fn join(&self, parts: Vec<CompletedPart>, bytes: u64) -> Result<Object, Trouble> {
        let bucket = &self.bucket;
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = bucket.client().await?.complete_multipart_upload().bucket(&bucket.settings.bucket);
        let request = request.key(bucket.full(&self.key)).upload_id(&self.id).multipart_upload(upload);
        match bucket.ask(Effect::Repeatable, || request.clone().send()).await {
            Ok(answer) => Ok(bucket.object(&self.key, bytes, answer.e_tag(), answer.version_id(), None)),
            Err(Trouble { kind: Kind::Missing, said }) => match bucket.ask_head(&self.key).await {
                Ok(object) if object.bytes == bytes => Ok(object),
                _ => Err(Trouble { kind: Kind::Lost, said }),
            },
            Err(trouble) => Err(trouble),
        }
    }

    async fn abort(&self) -> Result<(), Trouble> {
        let bucket = &self.bucket;
        let request = bucket.client().await?.abort_multipart_upload().bucket(&bucket.settings.bucket);
        let request = request.key(bucket.full(&self.key)).upload_id(&self.id);
        match bucket.ask(Effect::Repeatable, || request.clone().send()).await {
            Ok(_) | Err(Trouble { kind: Kind::Missing, .. }) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }
}
