//! The certificates that SNS signs with: fetched from SNS alone, kept while this
//! process lives. Which address is one of SNS is decided in `ses`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::Url;

/// Certificates kept at a time; SNS has a few for each region.
const KEPT: usize = 64;
/// How long SNS may take.
const TIME: Duration = Duration::from_secs(10);
/// The largest answer, in bytes; a certificate has about 2,000.
const BYTES: usize = 64 * 1024;

/// Public keys by the address of their certificate.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    known: Arc<Mutex<HashMap<Url, Vec<u8>>>>,
}

impl Certificates {
    /// The public key of a certificate, in DER; fetched when it is not known yet.
    ///
    /// # Errors
    /// SNS does not answer, or not with a certificate.
    pub async fn key(&self, address: &Url) -> anyhow::Result<Vec<u8>> {
        if let Some(key) = self.known().get(address) {
            return Ok(key.clone());
        }
        let pem = fetch(address).await.context("the certificate of SNS")?;
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

/// Calls an address of SNS, without following it elsewhere.
///
/// # Errors
/// It does not answer with success in time, or says too much.
pub async fn fetch(address: &Url) -> anyhow::Result<Vec<u8>> {
    let client = reqwest::Client::builder()
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIME)
        .build()?;
    let mut answer = client.get(address.clone()).send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > BYTES {
            bail!("the answer is larger than {BYTES} bytes");
        }
    }
    Ok(body)
}
