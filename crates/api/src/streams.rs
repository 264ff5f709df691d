//! Answers without an end: how many there may be, and that they end when the server stops.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::error::{ApiError, ApiResult};

/// All streams of this server.
#[derive(Clone)]
pub(crate) struct Streams {
    permits: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

impl Streams {
    /// At most so many at once.
    pub(crate) fn new(limit: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(limit)), closing: watch::Sender::new(false) }
    }

    /// One more; refused when there are too many.
    pub(crate) fn open(&self) -> ApiResult<OpenStream> {
        let permit =
            Arc::clone(&self.permits).try_acquire_owned().map_err(|_| ApiError::too_many_streams())?;
        Ok(OpenStream { closing: self.closing.subscribe(), _permit: permit })
    }

    /// Ends them all, because the server stops.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }
}

/// A stream, counted as long as it lives.
pub(crate) struct OpenStream {
    closing: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

impl OpenStream {
    /// Waits until the stream has to end.
    pub(crate) async fn closed(&mut self) {
        // An error means that the server is gone, which is the same.
        drop(self.closing.wait_for(|closing| *closing).await);
    }
}
