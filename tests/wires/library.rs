//! The library: handlers that give back what they got, so that a test sees what was bound.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, stream};
use test_protos::{
    google::api::HttpBody,
    library::v1::{library_service_server::LibraryService, *},
};
use tokio::sync::Notify;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

pub(crate) type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Tells what becomes of its handlers' work.
#[derive(Clone, Default)]
pub(crate) struct Library {
    /// Something to wait for has begun.
    pub(crate) begun: Arc<Notify>,
    /// It was dropped before its end.
    pub(crate) dropped: Arc<Notify>,
    /// A stream was dropped, at its end or before.
    pub(crate) stream_dropped: Arc<Notify>,
    /// What `Echo` answers instead of its request.
    pub(crate) echo: Arc<Mutex<Option<Result<Everything, Status>>>>,
    /// The last search.
    pub(crate) searched: Arc<Mutex<SearchBooksRequest>>,
    made: Arc<AtomicUsize>,
}

struct TellIfDropped(Arc<Notify>);

impl Drop for TellIfDropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Library {
    /// Messages that streams have made.
    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// Waits; dropped before the end, it tells.
    async fn wait(&self, milliseconds: i32) {
        let guard = TellIfDropped(Arc::clone(&self.dropped));
        self.begun.notify_one();
        tokio::time::sleep(Duration::from_millis(milliseconds.unsigned_abs().into())).await;
        std::mem::forget(guard);
    }

    fn stream<T: Send + 'static>(
        &self,
        request: StreamBooksRequest,
        make: impl Fn(i32, usize) -> T + Send + 'static,
    ) -> Messages<T> {
        let library = self.clone();
        let guard = TellIfDropped(Arc::clone(&self.stream_dropped));
        let size = usize::try_from(request.size).unwrap_or(0);
        let messages = stream::iter(0..request.count)
            .then(move |number| {
                let library = library.clone();
                async move {
                    if request.delay_ms > 0 {
                        library.wait(request.delay_ms).await;
                    }
                    library.made.fetch_add(1, Ordering::Relaxed);
                    number
                }
            })
            .map(move |number| {
                let _tells = &guard;
                Ok(make(number, size))
            });
        let end = stream::iter((request.code != 0).then(|| {
            Err(Status::with_error_details(
                Code::from(request.code),
                "the shelf broke",
                ErrorDetails::with_error_info("SHELF_BROKEN", "library", []),
            ))
        }));
        // What came before is on its way when it panics: tonic gathers messages until it must wait.
        let panic = stream::iter(request.panic.then_some(())).then(|()| async {
            tokio::task::yield_now().await;
            panic!("inner secret")
        });
        Box::pin(messages.chain(end).chain(panic))
    }
}

#[tonic::async_trait]
impl LibraryService for Library {
    async fn get_book(&self, request: Request<GetBookRequest>) -> Result<Response<Book>, Status> {
        let name = request.into_inner().name;
        let book =
            Book { name, title: "A Title".into(), authors: vec!["Ada".into()], pages: Some(0) };
        let mut response = Response::new(book);
        response.metadata_mut().insert("x-shelf-mark", "QA76".parse().expect("ASCII"));
        response.metadata_mut().insert("x-inner", "not for HTTP".parse().expect("ASCII"));
        Ok(response)
    }

    async fn search_books(
        &self,
        request: Request<SearchBooksRequest>,
    ) -> Result<Response<SearchBooksRequest>, Status> {
        let request = request.into_inner();
        *self.searched.lock().expect("a search") = request.clone();
        Ok(Response::new(request))
    }

    async fn create_book(
        &self,
        request: Request<CreateBookRequest>,
    ) -> Result<Response<CreateBookRequest>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn update_book(
        &self,
        request: Request<UpdateBookRequest>,
    ) -> Result<Response<UpdateBookRequest>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn delete_book(&self, _: Request<GetBookRequest>) -> Result<Response<()>, Status> {
        Ok(Response::new(()))
    }

    async fn archive_book(
        &self,
        request: Request<ArchiveBookRequest>,
    ) -> Result<Response<ArchiveBookRequest>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn tag_book(
        &self,
        request: Request<TagBookRequest>,
    ) -> Result<Response<TagBookRequest>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn get_shelf(
        &self,
        request: Request<GetShelfRequest>,
    ) -> Result<Response<GetShelfResponse>, Status> {
        let number = request.into_inner().number;
        let book = Book { title: "A Title".into(), ..Book::default() };
        Ok(Response::new(match number {
            0 => GetShelfResponse::default(),
            _ => GetShelfResponse {
                shelf: Some(Shelf { number, books: vec![book] }),
                theme: Some("Mathematics".into()),
                size: i64::from(number),
            },
        }))
    }

    async fn lock_shelf(
        &self,
        request: Request<GetShelfRequest>,
    ) -> Result<Response<GetShelfRequest>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn get_file(
        &self,
        request: Request<GetFileRequest>,
    ) -> Result<Response<HttpBody>, Status> {
        let data = request.into_inner().path.into_bytes();
        Ok(Response::new(HttpBody { content_type: "text/plain".into(), data, extensions: vec![] }))
    }

    async fn put_file(
        &self,
        request: Request<PutFileRequest>,
    ) -> Result<Response<PutFileRequest>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn echo_file(&self, request: Request<HttpBody>) -> Result<Response<HttpBody>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    type StreamFileStream = Messages<HttpBody>;

    async fn stream_file(
        &self,
        request: Request<StreamBooksRequest>,
    ) -> Result<Response<Self::StreamFileStream>, Status> {
        Ok(Response::new(self.stream(request.into_inner(), |number, size| HttpBody {
            content_type: "text/csv".into(),
            data: format!("{number},{}\n", "x".repeat(size)).into_bytes(),
            extensions: vec![],
        })))
    }

    async fn echo(&self, request: Request<Everything>) -> Result<Response<Everything>, Status> {
        let other = self.echo.lock().expect("an answer").clone();
        other.unwrap_or_else(|| Ok(request.into_inner())).map(Response::new)
    }

    type StreamBooksStream = Messages<Book>;

    async fn stream_books(
        &self,
        request: Request<StreamBooksRequest>,
    ) -> Result<Response<Self::StreamBooksStream>, Status> {
        Ok(Response::new(self.stream(request.into_inner(), |number, size| Book {
            name: number.to_string(),
            title: "x".repeat(size),
            ..Book::default()
        })))
    }

    async fn import_books(
        &self,
        request: Request<Streaming<Book>>,
    ) -> Result<Response<ImportBooksResponse>, Status> {
        let mut books = request.into_inner();
        let mut count = 0;
        let guard = TellIfDropped(Arc::clone(&self.dropped));
        while books.message().await?.is_some() {
            count += 1;
            self.begun.notify_one();
        }
        std::mem::forget(guard);
        Ok(Response::new(ImportBooksResponse { count }))
    }

    type DiscussStream = Messages<Book>;

    async fn discuss(
        &self,
        request: Request<Streaming<Book>>,
    ) -> Result<Response<Self::DiscussStream>, Status> {
        Ok(Response::new(Box::pin(request.into_inner())))
    }

    async fn fail(&self, request: Request<FailRequest>) -> Result<Response<()>, Status> {
        let request = request.into_inner();
        if request.delay_ms > 0 {
            self.wait(request.delay_ms).await;
        }
        assert!(!request.panic, "inner secret");
        if request.code == 0 {
            return Ok(Response::new(()));
        }
        let code = Code::from(request.code);
        if !request.details {
            return Err(Status::new(code, request.message));
        }
        let mut details = ErrorDetails::new();
        details
            .set_error_info("SHELF_BROKEN", "library", [("shelf".to_owned(), "7".to_owned())])
            .set_retry_info(Some(Duration::from_millis(1500)))
            .add_bad_request_violation("book.title", "too long")
            .set_localized_message("de", "kaputt")
            .add_precondition_failure_violation("SHELF", "7", "is broken");
        Err(Status::with_error_details(code, request.message, details))
    }
}
