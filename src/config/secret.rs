//! Secrets by name: the configuration says where one is, never what it is.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A systemd credential: a file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// A file that only this user may read.
    File(PathBuf),
}

const ALLOWED: &str = "a secret is never written here; allowed: { credential = \"NAME\" } for systemd's LoadCredential, or { file = \"PATH\" }";

/// Largest secret that is read, in bytes; an RSA-4096 key in PEM has about 3,300.
const LARGEST: u64 = 64 * 1024;

impl Secret {
    /// Reads it; a last line break is not part of it.
    ///
    /// # Errors
    /// The credential was not handed over, or the file cannot be read or is
    /// readable by everybody.
    pub fn read(&self) -> anyhow::Result<SecretString> {
        let path = match self {
            Secret::Credential(name) => {
                let Some(directory) = std::env::var_os("CREDENTIALS_DIRECTORY") else {
                    bail!(
                        "credential {name:?}: $CREDENTIALS_DIRECTORY is not set. Add LoadCredential={name}:PATH to the unit, or name a file"
                    );
                };
                Path::new(&directory).join(name)
            }
            Secret::File(path) => path.clone(),
        };
        let meta =
            std::fs::metadata(&path).with_context(|| format!("secret {}", path.display()))?;
        if meta.len() > LARGEST {
            bail!("secret {}: larger than {LARGEST} bytes", path.display());
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            if meta.permissions().mode() & 0o007 != 0 {
                bail!("secret {0}: everybody may read it. chmod 640 {0}", path.display());
            }
        }
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("secret {}", path.display()))?;
        Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
    }
}

/// A database address with the password put in, percent-encoded.
///
/// # Errors
/// The secret cannot be read, or the address is no URL.
pub fn with_password(address: &str, password: &Secret) -> anyhow::Result<String> {
    use secrecy::ExposeSecret as _;
    let mut url = url::Url::parse(address).context("database.address")?;
    let password = password.read().context("database.password")?;
    if url.set_password(Some(password.expose_secret())).is_err() {
        bail!("database.address: has no host to give a password to");
    }
    Ok(url.into())
}

/// Names the place, which is no secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Credential(name) => write!(f, "credential {name}"),
            Secret::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{ credential = \"NAME\" } or { file = \"PATH\" }")
            }
            // The text may be the secret itself: it must not stand in the message.
            fn visit_str<E: de::Error>(self, _text: &str) -> Result<Secret, E> {
                Err(E::custom(ALLOWED))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
                let secret = match map.next_entry::<String, String>()? {
                    Some((key, name)) if key == "credential" => {
                        if name.is_empty() || name.contains('/') || name.starts_with('.') {
                            return Err(de::Error::custom("a credential is a plain file name"));
                        }
                        Secret::Credential(name)
                    }
                    Some((key, path)) if key == "file" => Secret::File(PathBuf::from(path)),
                    Some(_) | None => return Err(de::Error::custom(ALLOWED)),
                };
                match map.next_key::<String>()? {
                    None => Ok(secret),
                    Some(_) => Err(de::Error::custom(ALLOWED)),
                }
            }
        }
        from.deserialize_any(Visitor)
    }
}
