//! A Postfix of its own for one test, on loopback: it takes everything, sends some
//! recipients' mails back later, and delivers its bounces by LMTP or into a Maildir.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long it may take until it answers.
const START: Duration = Duration::from_secs(60);
/// The user of the Maildir.
const NOBODY: u32 = 65534;

/// Where the bounces of `news.example.de` go.
pub enum Bounces {
    /// To this port on loopback, by LMTP.
    Lmtp(u16),
    /// To this port on loopback, by SMTP.
    Smtp(u16),
    /// Into a Maildir, see [`Postfix::maildir`].
    Maildir,
}

/// A running server; it stops when dropped.
pub struct Postfix {
    directory: PathBuf,
    /// Where it takes mail.
    pub port: u16,
}

/// Whether this user may run one; with CI=true that is not a question.
pub fn is_possible() -> bool {
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    assert!(root || std::env::var("CI").as_deref() != Ok("true"), "Postfix needs root");
    if !root {
        eprintln!("not root: the test with Postfix is left to CI");
    }
    root
}

impl Postfix {
    /// Starts it in a directory below the test's own. Mails to `gone.example.net`
    /// come back as unknown, to `full.example.net` as over quota; all others are
    /// taken and go nowhere.
    pub fn start(test: &Path, bounces: &Bounces) -> Postfix {
        let directory = test.join("postfix");
        let conf = directory.join("conf");
        for folder in ["conf", "spool", "data", "mail"] {
            std::fs::create_dir_all(directory.join(folder)).unwrap();
        }
        for folder in [test, &directory] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let user = |flag: &str, name: &str| -> u32 {
            let said = Command::new("id").args([flag, name]).output().unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            said.trim().parse().expect("the user postfix: apt-get install postfix")
        };
        chown(directory.join("data"), Some(user("-u", "postfix")), None).unwrap();
        chown(directory.join("mail"), Some(NOBODY), Some(NOBODY)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        std::fs::write(conf.join("main.cf"), main_cf(&directory, bounces)).unwrap();
        std::fs::write(conf.join("master.cf"), master_cf(port)).unwrap();
        std::fs::write(conf.join("transport"), transport(bounces)).unwrap();
        let server = Postfix { directory, port };
        let said = server.postfix("start");
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < START, "Postfix does not answer: {said}{}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// The Maildir of its bounces.
    pub fn maildir(&self) -> PathBuf {
        self.directory.join("mail/bounce")
    }

    fn postfix(&self, word: &str) -> String {
        let said = Command::new("postfix")
            .arg("-c")
            .arg(self.directory.join("conf"))
            .arg(word)
            .output()
            .expect("postfix runs: apt-get install postfix");
        String::from_utf8_lossy(&said.stderr).into_owned()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.postfix("stop");
    }
}

fn main_cf(directory: &Path, bounces: &Bounces) -> String {
    let dir = directory.display();
    let maildir = match bounces {
        Bounces::Lmtp(_) | Bounces::Smtp(_) => String::new(),
        Bounces::Maildir => format!(
            "virtual_mailbox_domains = news.example.de\n\
             virtual_mailbox_base = {dir}/mail\n\
             virtual_mailbox_maps = static:bounce/\n\
             virtual_minimum_uid = 1\n\
             virtual_uid_maps = static:{NOBODY}\n\
             virtual_gid_maps = static:{NOBODY}\n"
        ),
    };
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {dir}/spool\n\
         data_directory = {dir}/data\n\
         command_directory = /usr/sbin\n\
         daemon_directory = /usr/lib/postfix/sbin\n\
         maillog_file = {dir}/log\n\
         maillog_file_prefixes = {dir}\n\
         myhostname = mx.example.org\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         mynetworks = 127.0.0.0/8\n\
         mydestination =\n\
         alias_maps =\n\
         disable_dns_lookups = yes\n\
         smtp_dns_support_level = disabled\n\
         recipient_delimiter = +\n\
         transport_maps = texthash:{dir}/conf/transport\n\
         default_transport = discard:\n\
         smtpd_relay_restrictions = permit_mynetworks, reject\n\
         smtpd_peername_lookup = no\n\
         notify_classes =\n\
         {maildir}"
    )
}

fn master_cf(port: u16) -> String {
    let inner = [
        "rewrite unix - - n - - trivial-rewrite",
        "cleanup unix n - n - 0 cleanup",
        "qmgr unix n - n 300 1 qmgr",
        "pickup unix n - n 60 1 pickup",
        "bounce unix - - n - 0 bounce",
        "defer unix - - n - 0 bounce",
        "trace unix - - n - 0 bounce",
        "proxymap unix - - n - - proxymap",
        "anvil unix - - n - 1 anvil",
        // Each takes a mail and gives it up, as a next hop would.
        "gone unix - n n - - pipe user=nobody argv=/bin/sh -c {echo 5.1.1 User unknown; exit 67}",
        "full unix - n n - - pipe user=nobody argv=/bin/sh -c {echo 5.2.2 Mailbox is full; exit 69}",
        "error unix - - n - - error",
        "retry unix - - n - - error",
        "discard unix - - n - - discard",
        "virtual unix - n n - - virtual",
        "lmtp unix - - n - - lmtp",
        "smtp unix - - n - - smtp",
        "showq unix n - n - - showq",
        "postlog unix-dgram n - n - 1 postlogd",
    ];
    format!("127.0.0.1:{port} inet n - n - - smtpd\n{}\n", inner.join("\n"))
}

fn transport(bounces: &Bounces) -> String {
    let ours = match bounces {
        Bounces::Lmtp(port) => format!("news.example.de lmtp:inet:127.0.0.1:{port}\n"),
        Bounces::Smtp(port) => format!("news.example.de smtp:[127.0.0.1]:{port}\n"),
        Bounces::Maildir => "news.example.de virtual:\n".to_owned(),
    };
    format!("gone.example.net gone:\nfull.example.net full:\n{ours}")
}
