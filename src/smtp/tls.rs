//! TLS towards relays: the system's certificate authorities, plus the operator's
//! own CA file. There is no way to skip verification.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::certificate;

/// Why TLS cannot be set up at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The CA file cannot be read or holds no certificate.
    #[error(
        "{path}: no certificate authority can be read from it ({why}). It must hold PEM blocks \"CERTIFICATE\"."
    )]
    CaFile {
        /// The file.
        path: String,
        /// What went wrong.
        why: String,
    },
    /// The system's own store cannot be used.
    #[error("the system's certificate authorities cannot be loaded: {0}")]
    Platform(rustls::Error),
    /// The relay's name is neither a host name nor an address.
    #[error("\"{0}\" is not a host name a certificate could carry")]
    Name(String),
}

/// Makes TLS streams to one relay.
#[derive(Debug, Clone)]
pub struct Tls {
    connector: Arc<ClientConfig>,
    name: ServerName<'static>,
    refused: Arc<Refused>,
}

impl Tls {
    /// Loads the authorities; `host` is what the certificate must name.
    pub fn new(host: &str, ca_file: Option<&Path>) -> Result<Tls, Error> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| Error::Name(host.to_owned()))?;
        let extra = ca_file.map(read_ca_file).transpose()?.unwrap_or_default();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let inner = Verifier::new_with_extra_roots(extra, Arc::clone(&provider))
            .map_err(Error::Platform)?;
        let refused = Arc::new(Refused { inner, last: Mutex::new(None) });
        let verifier: Arc<dyn ServerCertVerifier> = refused.clone();
        let connector = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Platform)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Tls { connector: Arc::new(connector), name, refused })
    }

    /// Shakes hands; the error names what was wrong with the certificate.
    pub async fn wrap(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.connector));
        connector.connect(self.name.clone(), stream).await.map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &std::io::Error) -> String {
        let host = self.name.to_str();
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let Some(rustls::Error::InvalidCertificate(why)) = cause else {
            return format!("TLS with {host} failed: {error}");
        };
        let last = self.refused.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(seen) = last.as_deref().and_then(certificate::summary) else {
            return format!("the certificate of {host} is not good: {why}");
        };
        format!(
            "the certificate of {host} is not good: {why}. It is for \"{}\", issued by \"{}\", \
             valid from {} to {}. An own authority can be named with ca_file.",
            seen.subject, seen.issuer, seen.not_before, seen.not_after
        )
    }
}

fn read_ca_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let refuse = |why: String| Error::CaFile { path: path.display().to_string(), why };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| refuse(error.to_string()))?;
    if found.is_empty() {
        return Err(refuse("no PEM block".to_owned()));
    }
    Ok(found)
}

/// The platform's verifier, which remembers the certificate it refused.
#[derive(Debug)]
struct Refused {
    inner: Verifier,
    last: Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for Refused {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        if verdict.is_err() {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
