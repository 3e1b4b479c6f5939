//! Where an authority's lists, certificates and OCSP answers are fetched: a small HTTP server on loopback.
//!
//! | request | answer | clause |
//! |---|---|---|
//! | `GET /NAME.crl` | the revocation list, `application/pkix-crl` | RFC 5280, 4.2.1.13; RFC 2585, 4 |
//! | `GET /NAME.cer` | the authority's certificate, `application/pkix-cert` | RFC 5280, 4.2.2.1; RFC 2585, 4 |
//! | `POST /ocsp` | `application/ocsp-response` | RFC 6960, A.1 |
//! | `GET /ocsp/BASE64` | the same | RFC 6960, A.1; RFC 5019, 5 |
//!
//! Everything else gets a status code and a sentence. Nothing may be kept by a proxy (`no-store`), although RFC 5019 would
//! let it: who revokes a certificate here wants to see the effect with the next request.
//!
//! The server has a thread of its own, and is gone when its [`Publisher`] is dropped: requests that run are answered, for at
//! most [`GRACE`].

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64ct::{Base64, Encoding};
use tokio::{runtime, sync::watch};

use super::Unavailable;

/// Longest OCSP request in bytes. One about a single certificate has some 100.
pub const MAX_REQUEST: usize = 16 * 1024;

/// How long the server waits for requests that run when it stops.
pub const GRACE: Duration = Duration::from_secs(2);

/// How many requests are worked on at once. The others wait.
const WORKERS: usize = 4;

/// What is published. A name is an authority's, as its addresses have it.
pub trait Published: Send + Sync + 'static {
    /// The revocation list of this authority, in DER.
    fn revocation_list(&self, name: &str) -> Result<Vec<u8>, Missing>;
    /// The certificate of this authority, in DER.
    fn certificate(&self, name: &str) -> Result<Vec<u8>, Missing>;
    /// The answer to an OCSP request, in DER ([`Responder::respond`](super::ocsp::Responder::respond)).
    fn ocsp(&self, request: &[u8]) -> Vec<u8>;
}

/// Why something is not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// There is no such authority.
    #[error("no authority of this name publishes here")]
    Nobody,
    /// There is one, but not now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Who may reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Programs on this machine.
    Loopback,
    /// Whoever reaches the address. Has to be asked for, because a test authority rarely is for others.
    Network,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublisherError {
    /// Others could reach the address.
    #[error(
        "{0} can be reached from other machines; publish on 127.0.0.1, or say explicitly that the network may reach it"
    )]
    NotLoopback(SocketAddr),
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}; choose another port, or 0 for any that is free")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system gives no thread or no events.
    #[error("cannot start the server's thread")]
    Thread(#[source] io::Error),
}

/// A server that runs. Dropped, it stops.
pub struct Publisher {
    address: SocketAddr,
    stop: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Starts it. When this returns, requests are taken; port 0 becomes one that is free.
    pub fn start(
        address: SocketAddr,
        reach: Reach,
        published: Arc<dyn Published>,
    ) -> Result<Self, PublisherError> {
        if reach == Reach::Loopback && !address.ip().is_loopback() {
            return Err(PublisherError::NotLoopback(address));
        }
        let listener = TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|source| PublisherError::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| PublisherError::Listen { address, source })?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(WORKERS)
            .build()
            .map_err(PublisherError::Thread)?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(PublisherError::Thread)?
        };
        let (stop, stopped) = watch::channel(());
        let thread = thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || serve(runtime, listener, published, stopped))
            .map_err(PublisherError::Thread)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic has already been told on stderr.
            let _ = thread.join();
        }
    }
}

fn serve(
    runtime: runtime::Runtime,
    listener: tokio::net::TcpListener,
    published: Arc<dyn Published>,
    stop: watch::Receiver<()>,
) {
    runtime.block_on(async {
        let server = axum::serve(listener, router(published)).with_graceful_shutdown(dropped(stop.clone()));
        let server = tokio::spawn(server.into_future());
        dropped(stop).await;
        // Who keeps a connection open does not keep the server alive.
        let _ = tokio::time::timeout(GRACE, server).await;
    });
    runtime.shutdown_timeout(GRACE);
}

/// Waits until the [`Publisher`] is dropped, and its end of the channel with it.
async fn dropped(mut stop: watch::Receiver<()>) {
    while stop.changed().await.is_ok() {}
}

fn router(published: Arc<dyn Published>) -> Router {
    Router::new()
        .route("/ocsp", post(ocsp_by_post))
        .route("/ocsp/{*request}", get(ocsp_by_get))
        .route("/{file}", get(file))
        .fallback(|| async { nothing_here() })
        .method_not_allowed_fallback(|| async {
            refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "fetch files with GET; send OCSP requests with POST to /ocsp",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(published)
}

type Shared = State<Arc<dyn Published>>;

async fn file(State(published): Shared, Path(file): Path<String>) -> Response {
    let fetch = move || match file.rsplit_once('.') {
        Some((name, "crl")) => Some((published.revocation_list(name), "application/pkix-crl")),
        Some((name, "cer")) => Some((published.certificate(name), "application/pkix-cert")),
        _ => None,
    };
    match work(fetch).await {
        Ok(Some((Ok(bytes), kind))) => found(kind, bytes),
        Ok(Some((Err(missing), _))) => refusal(missing.status(), &missing.to_string()),
        Ok(None) => nothing_here(),
        Err(broken) => broken,
    }
}

async fn ocsp_by_post(State(published): Shared, headers: HeaderMap, body: Bytes) -> Response {
    const KIND: &str = "application/ocsp-request";
    if headers.get(CONTENT_TYPE).is_none_or(|kind| kind != KIND) {
        return refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the Content-Type of an OCSP request is application/ocsp-request",
        );
    }
    ocsp(published, body.into()).await
}

/// The path comes with its percent signs decoded, slashes of Base64 included.
async fn ocsp_by_get(State(published): Shared, Path(request): Path<String>) -> Response {
    if request.len() > MAX_REQUEST {
        return refusal(
            StatusCode::URI_TOO_LONG,
            "the request is too long for an address; send it with POST to /ocsp",
        );
    }
    match Base64::decode_vec(&request) {
        Ok(request) => ocsp(published, request).await,
        Err(_) => refusal(
            StatusCode::BAD_REQUEST,
            "what follows /ocsp/ is an OCSP request in Base64, with its padding",
        ),
    }
}

async fn ocsp(published: Arc<dyn Published>, request: Vec<u8>) -> Response {
    match work(move || published.ocsp(&request)).await {
        Ok(answer) => found("application/ocsp-response", answer),
        Err(broken) => broken,
    }
}

/// Does what may wait for a database, or compute a signature, beside the thread that talks to everybody.
async fn work<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Response> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| refusal(StatusCode::INTERNAL_SERVER_ERROR, &Unavailable::Fault.to_string()))
}

fn found(kind: &'static str, bytes: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], bytes).into_response()
}

fn refusal(status: StatusCode, words: &str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], format!("{words}\n")).into_response()
}

fn nothing_here() -> Response {
    refusal(StatusCode::NOT_FOUND, "published are /NAME.crl, /NAME.cer and /ocsp")
}

impl Missing {
    fn status(self) -> StatusCode {
        match self {
            Self::Nobody => StatusCode::NOT_FOUND,
            Self::Unavailable(Unavailable::TryLater) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unavailable(Unavailable::Fault) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
