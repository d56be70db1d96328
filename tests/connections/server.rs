//! The library behind the service's own stack, served by its own accept loop.

use std::{net::SocketAddr, time::Duration};

use test_protos::library::v1::{
    FailRequest, library_service_client::LibraryServiceClient,
    library_service_server::LibraryServiceServer,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{service::RoutesBuilder, transport::Channel};
use user_service::{
    server,
    tls::Tls,
    wires::{Api, Options},
};

use crate::{frames::Http2, library::Library, stack_support};

/// How long something may take that happens at once.
pub(crate) const SOON: Duration = Duration::from_secs(10);
pub(crate) const FAIL: &str = "/library.v1.LibraryService/Fail";
pub(crate) const STREAM_BOOKS: &str = "/library.v1.LibraryService/StreamBooks";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) library: Library,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ended: JoinHandle<()>,
}

impl Server {
    /// With these settings over the defaults.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::over(None, settings).await
    }

    /// Over TLS.
    pub(crate) async fn over(tls: Option<Tls>, settings: &[(&str, &str)]) -> Self {
        let config = stack_support::config(settings);
        let options = Options { domain: Some("library"), ..Options::default() };
        let api = Api::new(&[test_protos::DESCRIPTORS], options).expect("good annotations");
        let library = Library::default();
        let mut services = RoutesBuilder::default();
        services.add_service(LibraryServiceServer::new(library.clone()));
        let app = stack_support::app(&api, services, &config.app).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let shutdown = CancellationToken::new();
        let ended = tokio::spawn({
            let shutdown = shutdown.clone();
            async move {
                let shutdown = shutdown.cancelled();
                server::run(listener, app, tls, config.connections, shutdown).await;
            }
        });
        Self { address, library, shutdown, ended }
    }

    /// A connection on which nothing was said yet.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// A connection on which HTTP/2 has begun.
    pub(crate) async fn http2(&self) -> Http2 {
        Http2::begin(self.connect().await, &[]).await
    }

    /// Fails where a new connection is not served.
    pub(crate) async fn is_well(&self) {
        let channel = Channel::from_shared(format!("http://{}", self.address)).expect("an address");
        let called = async {
            let channel = channel.connect().await.expect("a connection");
            LibraryServiceClient::new(channel).fail(FailRequest::default()).await
        };
        timeout(SOON, called).await.expect("an answer").expect("a good answer");
    }
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let waited = timeout(SOON, async {
        while !condition().await {
            sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("not in time: {what}"));
}
