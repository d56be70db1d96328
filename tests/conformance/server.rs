//! The server under test: told by its standard input what to be, telling on its standard output
//! where it is, and ended by SIGTERM.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow};
use prost::Message as _;
use test_protos::conformance::v1::{
    ServerCompatRequest, ServerCompatResponse, conformance_service_server::ConformanceServiceServer,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tonic::{codec::CompressionEncoding, service::RoutesBuilder};
use user_service::{
    server,
    tls::{Files, Tls},
    wires::{Api, Options},
};

use crate::{service::Conformance, stack_support, trailers::WithTrailers};

/// Where the suite sets no limit: more than its largest message.
const NO_LIMIT: usize = 64 << 20;

pub(crate) fn run() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Err(error) = runtime.block_on(serve()) {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
}

async fn serve() -> Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let asked = read()?;
    let credentials = asked.server_creds.clone().unwrap_or_default();
    let tls = asked.use_tls.then(|| open(&asked)).transpose()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let (app, connections) = stack(&asked).await?;
    write(&ServerCompatResponse {
        host: address.ip().to_string(),
        port: address.port().into(),
        pem_cert: if asked.use_tls { credentials.cert } else { Vec::new() },
    })?;
    server::run(listener, app, tls, connections, async {
        terminated.recv().await;
    })
    .await;
    Ok(())
}

/// The stack around the suite's service, with the settings that are everyone's defaults.
async fn stack(asked: &ServerCompatRequest) -> Result<(server::App, server::Settings)> {
    let config = stack_support::config(&[]);
    let limit = match asked.message_receive_limit {
        0 => NO_LIMIT,
        limit => limit as usize,
    };
    // Without a domain: the suite compares the details of errors, and knows none of ours.
    let options = Options { max_message_bytes: limit, ..Options::default() };
    let api = Api::new(&[test_protos::DESCRIPTORS], options)?;

    let mut services = RoutesBuilder::default();
    services.add_service(WithTrailers(
        ConformanceServiceServer::new(Conformance)
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(limit),
    ));
    let app = stack_support::app(&api, services, &config.app).await;
    Ok((app, config.connections))
}

fn read() -> Result<ServerCompatRequest> {
    let mut length = [0; 4];
    io::stdin().read_exact(&mut length).context("started by the suite's runner")?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    io::stdin().read_exact(&mut message)?;
    Ok(ServerCompatRequest::decode(&message[..])?)
}

fn write(message: &ServerCompatResponse) -> Result<()> {
    let mut framed = u32::try_from(message.encoded_len())?.to_be_bytes().to_vec();
    message.encode(&mut framed)?;
    io::stdout().write_all(&framed)?;
    Ok(io::stdout().flush()?)
}

/// Opens the certificates as the service does: from files.
fn open(asked: &ServerCompatRequest) -> Result<Tls> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let file = |name: &str, content: &[u8]| -> Result<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, content)?;
        Ok(path)
    };
    let credentials = asked.server_creds.as_ref().context("a certificate to use")?;
    let client_ca = &asked.client_tls_cert;
    let tls = Tls::open(Files {
        cert: file("cert.pem", &credentials.cert)?,
        key: file("key.pem", &credentials.key)?,
        client_ca: (!client_ca.is_empty()).then(|| file("client.pem", client_ca)).transpose()?,
    });
    fs::remove_dir_all(&folder)?;
    tls.map_err(|errors| anyhow!("{errors:?}"))
}
