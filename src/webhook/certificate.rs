//! The certificates that SNS signs with: fetched from SNS alone, kept while this
//! process lives. Which address is one of SNS is decided in `ses`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::Url;

use crate::source::fetch::Client;
use crate::source::reach::Reach;

/// Certificates kept at a time; SNS has a few for each region.
const KEPT: usize = 64;
/// The largest answer, in bytes; a certificate has about 2,000.
const BYTES: usize = 64 * 1024;

/// Public keys by the address of their certificate.
#[derive(Debug, Default)]
pub struct Certificates {
    /// None where no endpoint is SNS's.
    client: Option<Client>,
    known: Mutex<HashMap<Url, Vec<u8>>>,
}

impl Certificates {
    /// With a client that reaches public addresses only.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn open() -> anyhow::Result<Certificates> {
        let client = Some(Client::new(Reach::new(Vec::new()))?);
        Ok(Certificates { client, known: Mutex::default() })
    }

    /// The public key of a certificate, in DER; fetched when it is not known yet.
    ///
    /// # Errors
    /// SNS does not answer, or not with a certificate.
    pub async fn key(&self, address: &Url) -> anyhow::Result<Vec<u8>> {
        if let Some(key) = self.known().get(address) {
            return Ok(key.clone());
        }
        let pem = self.call(address).await.context("the certificate of SNS")?;
        let key = public_key(&pem)?;
        self.learn(address.clone(), key.clone());
        Ok(key)
    }

    /// Keeps a key that was had in another way.
    pub fn learn(&self, address: Url, key: Vec<u8>) {
        let mut known = self.known();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(address, key);
    }

    /// Calls an address of SNS, without following it elsewhere.
    ///
    /// # Errors
    /// It does not answer with success in time, leads elsewhere, or says too much.
    pub async fn call(&self, address: &Url) -> anyhow::Result<Vec<u8>> {
        let Some(client) = &self.client else { bail!("no endpoint is one of SNS") };
        let document = client.get(address).await?;
        if document.address.origin() != address.origin() {
            bail!("SNS leads elsewhere");
        }
        if document.bytes.len() > BYTES {
            bail!("the answer is larger than {BYTES} bytes");
        }
        Ok(document.bytes)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Url, Vec<u8>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The public key inside a certificate in PEM.
///
/// # Errors
/// It is no certificate.
pub fn public_key(pem: &[u8]) -> anyhow::Result<Vec<u8>> {
    let der = CertificateDer::from_pem_slice(pem).context("no certificate in PEM")?;
    let parsed = webpki::EndEntityCert::try_from(&der).context("no certificate")?;
    Ok(parsed.subject_public_key_info().as_ref().to_vec())
}
