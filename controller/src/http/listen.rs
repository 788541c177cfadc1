//! Connections: their number and the time that each may take are bounded; with TLS if there is a certificate.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::config::Server;
use crate::log;

/// Why nobody can be listened to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// The certificate or the key cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: rustls::pki_types::pem::Error,
    },
    /// The certificate and the key do not fit.
    #[error("the certificate and its key cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// A bound address.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    connections: Arc<Semaphore>,
    timeout: Duration,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Listener");
        debug
            .field("tcp", &self.tcp)
            .field("tls", &self.tls.is_some());
        debug.finish_non_exhaustive()
    }
}

impl Listener {
    /// Binds the address of a configuration.
    ///
    /// # Errors
    /// The address cannot be bound, or the certificate or its key cannot be used.
    pub async fn bind(server: &Server) -> Result<Self, ListenError> {
        let tls = match (&server.tls_cert, &server.tls_key) {
            (Some(cert), Some(key)) => Some(acceptor(cert, key)?),
            _ => None,
        };
        let address = server.listen;
        let tcp = TcpListener::bind(address).await;
        Ok(Self {
            tcp: tcp.map_err(|error| ListenError::Bind { address, error })?,
            tls,
            connections: Arc::new(Semaphore::new(server.max_connections)),
            timeout: Duration::from_secs(server.request_sec as u64),
        })
    }

    /// The address, with the port that was chosen if it was 0.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until `stop` becomes true.
    pub async fn serve(self, router: Router, mut stop: watch::Receiver<bool>) {
        let connections = Arc::clone(&self.connections);
        let this = Arc::new(self);
        loop {
            let accepted = async {
                let permit = Arc::clone(&connections).acquire_owned().await;
                (permit, this.tcp.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                accepted = accepted => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    log::warning(&format!("a connection could not be accepted: {error}"));
                    // Such as for a lack of descriptors, which others give back.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (this, router, stop) = (Arc::clone(&this), router.clone(), stop.clone());
            tokio::spawn(async move {
                this.connection(stream, router, stop).await;
                drop(permit);
            });
        }
    }

    async fn connection(&self, stream: TcpStream, router: Router, stop: watch::Receiver<bool>) {
        // Answers are short; waiting to fill a packet would delay them.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.speak(stream, router, stop).await;
        };
        // What fails here is the client's matter.
        if let Ok(Ok(stream)) = tokio::time::timeout(self.timeout, tls.accept(stream)).await {
            self.speak(stream, router, stop).await;
        }
    }

    async fn speak<S>(&self, stream: S, router: Router, mut stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = TowerToHyperService::new(router);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.timeout)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            // What fails here is the client's matter.
            _ = connection.as_mut() => return,
            _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
        }
        // A stream would go on for ever.
        let _ = tokio::time::timeout(Duration::from_secs(2), connection).await;
    }
}

fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, ListenError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| ListenError::Pem { path, error }
    };
    let chain = CertificateDer::pem_file_iter(cert).map_err(unreadable(cert))?;
    let chain = chain
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable(cert))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
