//! Where bounces are fetched from or handed over: IMAP, POP3, a file, a socket.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

use super::network::is_loopback;
use super::secret::Secret;
use super::transport::Tls;

/// How to log in at a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Login {
    /// User and password.
    #[default]
    Password,
    /// A bearer token in place of the password; it is read anew for every log-in.
    Xoauth2,
}

/// What becomes of a mail that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// It is deleted.
    Delete,
    /// It stays as it is.
    Keep,
    /// It stays and is marked as seen (IMAP).
    Seen,
    /// It is moved to this folder (IMAP).
    Move(String),
}

/// A mailbox at a server.
#[derive(Clone, Debug)]
pub struct Account {
    /// Host name or address.
    pub host: String,
    /// The protocol's port, unless told.
    pub port: u16,
    /// How the session is encrypted.
    pub tls: Tls,
    /// Who logs in.
    pub user: String,
    /// Password or token.
    pub password: Secret,
    /// How.
    pub login: Login,
    /// Certificates (PEM) that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// What becomes of a mail that is stored.
    pub after: After,
}

/// `[bounce.imap]`
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ImapFields")]
pub struct Imap {
    /// Where and who.
    pub account: Account,
    /// The folder that is read.
    pub folder: String,
}

/// `[bounce.pop3]`
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Pop3Fields")]
pub struct Pop3 {
    /// Where and who.
    pub account: Account,
}

/// `[bounce.mbox]`
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "MboxFields")]
pub struct Mbox {
    /// The file.
    pub path: PathBuf,
    /// Delete or keep.
    pub after: After,
}

/// `[bounce.lmtp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lmtp {
    /// Where the mail server hands over.
    pub listen: Listen,
    /// What it speaks there.
    #[serde(default)]
    pub protocol: Protocol,
}

/// What the mail server speaks when it hands over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 2033.
    #[default]
    Lmtp,
    /// RFC 5321.
    Smtp,
}

/// A socket in the file system, or a port on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `unix:PATH`
    Unix(PathBuf),
    /// `127.0.0.1:2424`
    Tcp(SocketAddr),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImapFields {
    host: String,
    port: Option<u16>,
    tls: Option<Tls>,
    user: String,
    password: Secret,
    #[serde(default)]
    login: Login,
    ca_file: Option<PathBuf>,
    folder: Option<String>,
    after: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pop3Fields {
    host: String,
    port: Option<u16>,
    tls: Option<Tls>,
    user: String,
    password: Secret,
    #[serde(default)]
    login: Login,
    ca_file: Option<PathBuf>,
    after: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MboxFields {
    path: PathBuf,
    after: Option<String>,
}

impl TryFrom<ImapFields> for Imap {
    type Error = String;

    fn try_from(f: ImapFields) -> Result<Self, String> {
        let tls = encryption(f.tls, &f.host)?;
        let after = after(f.after.as_deref(), true)?;
        let folder = f.folder.unwrap_or_else(|| "INBOX".to_owned());
        if let After::Move(to) = &after
            && *to == folder
        {
            return Err(format!("after = \"move:{to}\" is the folder itself"));
        }
        let port = f.port.unwrap_or(if tls == Tls::Implicit { 993 } else { 143 });
        let Fields { host, user, password, login, ca_file } = Fields {
            host: f.host,
            user: f.user,
            password: f.password,
            login: f.login,
            ca_file: f.ca_file,
        };
        Ok(Imap {
            account: Account { host, port, tls, user, password, login, ca_file, after },
            folder,
        })
    }
}

struct Fields {
    host: String,
    user: String,
    password: Secret,
    login: Login,
    ca_file: Option<PathBuf>,
}

impl TryFrom<Pop3Fields> for Pop3 {
    type Error = String;

    fn try_from(f: Pop3Fields) -> Result<Self, String> {
        let tls = encryption(f.tls, &f.host)?;
        let after = after(f.after.as_deref(), false)?;
        let port = f.port.unwrap_or(if tls == Tls::Implicit { 995 } else { 110 });
        Ok(Pop3 {
            account: Account {
                host: f.host,
                port,
                tls,
                user: f.user,
                password: f.password,
                login: f.login,
                ca_file: f.ca_file,
                after,
            },
        })
    }
}

impl TryFrom<MboxFields> for Mbox {
    type Error = String;

    fn try_from(f: MboxFields) -> Result<Self, String> {
        Ok(Mbox { path: f.path, after: after(f.after.as_deref(), false)? })
    }
}

/// Implicit TLS unless told; none on this machine only.
fn encryption(tls: Option<Tls>, host: &str) -> Result<Tls, String> {
    let tls = tls.unwrap_or(Tls::Implicit);
    let here = is_loopback(host);
    if tls == Tls::None && !here {
        return Err("a password is never sent without TLS, but on this machine; set tls = \"implicit\" or \"starttls\"".into());
    }
    Ok(tls)
}

fn after(word: Option<&str>, folders: bool) -> Result<After, String> {
    let allowed = if folders {
        "allowed: \"delete\", \"keep\", \"seen\", \"move:FOLDER\""
    } else {
        "allowed: \"delete\", \"keep\""
    };
    match word {
        None | Some("delete") => Ok(After::Delete),
        Some("keep") => Ok(After::Keep),
        Some("seen") if folders => Ok(After::Seen),
        Some(word) => match word.strip_prefix("move:") {
            Some(folder) if folders && !folder.is_empty() => Ok(After::Move(folder.to_owned())),
            Some(_) | None => Err(format!("after = {word:?}; {allowed}")),
        },
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Listen::Unix(PathBuf::from(path)));
        }
        match text.parse::<SocketAddr>() {
            // Nothing is proven there: whoever reaches the port may hand over.
            Ok(address) if address.ip().is_loopback() => Ok(Listen::Tcp(address)),
            Ok(_) => Err(de::Error::custom(format!(
                "{text:?} is reached by others; allowed: unix:PATH or a port on 127.0.0.1 or [::1]"
            ))),
            Err(_) => {
                Err(de::Error::custom(format!("{text:?}; allowed: unix:PATH, 127.0.0.1:PORT")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str =
        "host = \"mail.example.de\"\nuser = \"bounce\"\npassword = { file = \"x\" }\n";

    fn imap(more: &str) -> Result<Imap, String> {
        toml::from_str(&format!("{ACCOUNT}{more}")).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_mailbox_is_encrypted_unless_it_is_on_this_machine() {
        let plain = imap("").unwrap();
        assert_eq!((plain.account.port, plain.account.after), (993, After::Delete));
        assert_eq!(imap("tls = \"starttls\"").unwrap().account.port, 143);
        assert!(imap("tls = \"none\"").unwrap_err().contains("without TLS"));
        let here =
            "host = \"127.0.0.1\"\nuser = \"b\"\npassword = { file = \"x\" }\ntls = \"none\"";
        assert_eq!(toml::from_str::<Pop3>(here).unwrap().account.port, 110);
    }

    #[test]
    fn what_becomes_of_a_mail_is_said_in_one_word() {
        assert_eq!(imap("after = \"seen\"").unwrap().account.after, After::Seen);
        let moved = imap("after = \"move:Done\"").unwrap().account.after;
        assert_eq!(moved, After::Move("Done".to_owned()));
        assert!(imap("after = \"move:INBOX\"").unwrap_err().contains("folder itself"));
        assert!(imap("after = \"burn\"").unwrap_err().contains("\"keep\""));
        let seen = toml::from_str::<Mbox>("path = \"x\"\nafter = \"seen\"").unwrap_err();
        assert!(seen.message().contains("\"delete\", \"keep\""));
    }

    #[test]
    fn nobody_else_reaches_the_socket() {
        let listen = |text: &str| toml::from_str::<Lmtp>(&format!("listen = \"{text}\""));
        assert_eq!(listen("unix:/run/x").unwrap().listen, Listen::Unix("/run/x".into()));
        assert!(listen("127.0.0.1:2424").is_ok());
        assert!(listen("0.0.0.0:2424").is_err());
        assert!(listen("unix:").is_err());
    }
}
