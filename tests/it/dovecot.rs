//! A Dovecot of its own for one test: IMAP and POP3 on loopback, plain and inside
//! TLS, passwords and tokens, one mailbox in the test's directory.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rundbrief::config::mailbox::{Account, After, Login};
use rundbrief::config::secret::Secret;
use rundbrief::config::transport::Tls;

/// How long it may take until it answers.
const START: Duration = Duration::from_secs(30);
/// The user of everything when the tests run as root, who may own no mail.
const NOBODY: u32 = 65534;

/// A running server; it stops when dropped.
pub struct Dovecot {
    child: Child,
    directory: PathBuf,
    imap: [u16; 2],
    pop3: [u16; 2],
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

fn word(name: &str, arguments: &[&str]) -> String {
    let said = Command::new(name).args(arguments).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

impl Dovecot {
    /// Starts it in a directory below the test's own.
    pub fn start(test: &Path) -> Dovecot {
        let directory = test.join("dovecot");
        for folder in ["run", "keys/default/HS256", "mail/new", "mail/cur", "mail/tmp"] {
            std::fs::create_dir_all(directory.join(folder)).unwrap();
        }
        // Its processes are other users, and must get there.
        for folder in [test, &directory] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(directory.join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let key = STANDARD.encode("the key of the tokens");
        std::fs::write(directory.join("keys/default/HS256/default"), key).unwrap();
        let (imap, pop3) = ([free_port(), free_port()], [free_port(), free_port()]);
        let oauth = format!(
            "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={}/keys/\n",
            directory.display()
        );
        std::fs::write(directory.join("oauth2.ext"), oauth).unwrap();
        let text = configuration(&directory, imap, pop3);
        std::fs::write(directory.join("dovecot.conf"), text).unwrap();
        let child = Command::new("dovecot")
            .arg("-F")
            .arg("-c")
            .arg(directory.join("dovecot.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(directory.join("stderr")).unwrap())
            .spawn()
            .expect("dovecot runs: apt-get install dovecot-imapd dovecot-pop3d");
        let server = Dovecot { child, directory, imap, pop3 };
        server.own_mail();
        let started = Instant::now();
        for port in imap.into_iter().chain(pop3) {
            while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(started.elapsed() < START, "Dovecot does not answer: {}", server.log());
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        server
    }

    /// What it logged.
    pub fn log(&self) -> String {
        let read =
            |name: &str| std::fs::read_to_string(self.directory.join(name)).unwrap_or_default();
        read("log") + &read("stderr")
    }

    /// Puts a mail into the mailbox.
    pub fn put(&self, name: &str, raw: &str) {
        let (tmp, new) = (self.directory.join("mail/tmp").join(name), self.mail("new").join(name));
        std::fs::write(&tmp, raw).unwrap();
        if is_root() {
            chown(&tmp, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        std::fs::rename(tmp, new).unwrap();
    }

    /// How many mails lie in the mailbox, and how many of them are seen.
    pub fn count(&self) -> (usize, usize) {
        let names = |folder: &str| -> Vec<String> {
            std::fs::read_dir(self.mail(folder))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect()
        };
        let all: Vec<String> = names("new").into_iter().chain(names("cur")).collect();
        let seen =
            |name: &&String| name.rsplit_once(":2,").is_some_and(|(_, flags)| flags.contains('S'));
        (all.len(), all.iter().filter(seen).count())
    }

    /// A folder of the Maildir.
    pub fn mail(&self, folder: &str) -> PathBuf {
        self.directory.join("mail").join(folder)
    }

    /// Throws the index away: the server numbers anew, under another UIDVALIDITY.
    pub fn renumber(&self) {
        for name in ["dovecot-uidlist", "dovecot.index", "dovecot.index.log", "dovecot.index.cache"]
        {
            let _ = std::fs::remove_file(self.directory.join("mail").join(name));
        }
        for entry in std::fs::read_dir(self.directory.join("mail")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("dovecot-uidvalidity") {
                std::fs::remove_file(path).unwrap();
            }
        }
    }

    /// The way in by IMAP.
    pub fn imap(&self, tls: Tls, login: Login, after: After) -> Account {
        self.account(self.imap, tls, login, after)
    }

    /// The way in by POP3.
    pub fn pop3(&self, tls: Tls, login: Login, after: After) -> Account {
        self.account(self.pop3, tls, login, after)
    }

    fn account(&self, ports: [u16; 2], tls: Tls, login: Login, after: After) -> Account {
        let secret = match login {
            Login::Password => "secret".to_owned(),
            Login::Xoauth2 => token("bounce"),
        };
        let file = self.directory.join(format!("{login:?}.secret"));
        std::fs::write(&file, secret).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        Account {
            host: "localhost".to_owned(),
            port: if tls == Tls::Implicit { ports[1] } else { ports[0] },
            tls,
            user: "bounce".to_owned(),
            password: Secret::File(file),
            login,
            ca_file: Some(self.directory.join("cert.pem")),
            after,
        }
    }

    fn own_mail(&self) {
        if is_root() {
            for folder in ["", "new", "cur", "tmp"] {
                chown(self.mail(folder), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(&pid).status();
        let _ = self.child.wait();
    }
}

/// A token as an identity provider would sign it.
fn token(user: &str) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(serde_json::json!({"alg": "HS256", "typ": "JWT"}));
    // Valid from 2020 to 2100.
    let claims = serde_json::json!({
        "sub": user, "email": user, "iat": 1_577_836_800, "exp": 4_102_444_800_i64
    });
    let signed = format!("{head}.{}", part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"the key of the tokens");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
}

fn configuration(directory: &Path, imap: [u16; 2], pop3: [u16; 2]) -> String {
    let dir = directory.display();
    let (internal, login, owner) = if is_root() {
        ("dovecot".to_owned(), "dovenull".to_owned(), (NOBODY.to_string(), NOBODY.to_string()))
    } else {
        let me = word("id", &["-un"]);
        (me.clone(), me, (word("id", &["-u"]), word("id", &["-g"])))
    };
    let group = word("id", &["-gn", &internal]);
    let (uid, gid) = owner;
    format!(
        r#"
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/log
listen = 127.0.0.1, ::1
protocols = imap pop3
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
first_valid_uid = 1
mail_location = maildir:{dir}/mail
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
auth_verbose = yes
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {dir}/oauth2.ext
}}
passdb {{
  driver = static
  mechanisms = plain login
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {}
  }}
  inet_listener imaps {{
    port = {}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {}
  }}
  inet_listener pop3s {{
    port = {}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
"#,
        imap[0], imap[1], pop3[0], pop3[1]
    )
}
