//! A web site on loopback that answers what it is told to, also badly.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rundbrief::source::fetch::Client;
use rundbrief::source::reach::Reach;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What a path answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A document with headers beside its length.
    Page { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// Nothing, for ever.
    Silence,
    /// A header, then bytes without end.
    Endless,
    /// A header that promises more than comes.
    CutShort,
}

impl Answer {
    /// A document of this type.
    pub fn page(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Answer::Page {
            status: 200,
            headers: vec![("content-type", kind.to_owned())],
            body: body.into(),
        }
    }

    /// A redirect.
    pub fn moved(to: impl Into<String>) -> Self {
        Answer::Page { status: 302, headers: vec![("location", to.into())], body: Vec::new() }
    }

    /// With a further header.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Answer::Page { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

/// The site; its listener ends with the runtime.
#[derive(Clone)]
pub struct Site {
    pub address: SocketAddr,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// Listens on a free port.
    pub async fn open() -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Site {
            address: listener.local_addr().unwrap(),
            answers: Arc::default(),
            requests: Arc::default(),
        };
        let running = site.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(running.clone().answer(stream));
            }
        });
        site
    }

    /// From now on the path answers so.
    pub fn put(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// The requests so far, each with its head.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    async fn answer(self, mut stream: TcpStream) {
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match stream.read(&mut byte).await {
                    Ok(1) => head.push(byte[0]),
                    _ => return,
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
            self.requests.lock().unwrap().push(head.clone());
            let answer = self.answers.lock().unwrap().get(&path).cloned();
            match answer {
                None => write(&mut stream, 404, &[], b"gone").await,
                Some(Answer::Page { headers, .. })
                    if headers.iter().any(|(name, value)| {
                        *name == "etag"
                            && head
                                .to_lowercase()
                                .contains(&format!("if-none-match: {}", value.to_lowercase()))
                    }) =>
                {
                    write(&mut stream, 304, &[], b"").await
                }
                Some(Answer::Page { status, headers, body }) => {
                    write(&mut stream, status, &headers, &body).await
                }
                Some(Answer::Silence) => tokio::time::sleep(Duration::from_secs(600)).await,
                Some(Answer::CutShort) => {
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")
                        .await;
                    return;
                }
                Some(Answer::Endless) => {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                    while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
                    return;
                }
            }
        }
    }
}

async fn write(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
) {
    let mut head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
    let _ = stream.write_all(body).await;
}

/// A client that may speak to loopback.
pub fn client() -> Client {
    Client::new(Reach::new(vec!["127.0.0.0/8".parse().unwrap()])).unwrap()
}
