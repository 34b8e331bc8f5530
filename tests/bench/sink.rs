//! A sink that costs next to nothing: it reads, finds the ends of commands and of
//! mails, answers in one write, and keeps at most the recipients. One thread for
//! each connection. Beside it a proxy that lets replies come late.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// A sink on loopback.
pub struct Sink {
    pub port: u16,
    pub mails: Arc<AtomicU64>,
    /// Mails kept for each recipient, where that is asked for.
    pub copies: Arc<Mutex<HashMap<Vec<u8>, u32>>>,
}

impl Sink {
    /// Counts mails.
    pub fn start() -> Sink {
        Sink::listen(false, None)
    }

    /// Counts them for each recipient.
    pub fn counting() -> Sink {
        Sink::listen(true, None)
    }

    /// Tells when each dot came, and for whom, before it answers.
    pub fn telling(tell: mpsc::Sender<(Instant, Vec<u8>)>) -> Sink {
        Sink::listen(false, Some(tell))
    }

    fn listen(counting: bool, tell: Option<mpsc::Sender<(Instant, Vec<u8>)>>) -> Sink {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let sink = Sink { port, mails: Arc::default(), copies: Arc::default() };
        let (mails, copies) = (Arc::clone(&sink.mails), Arc::clone(&sink.copies));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (mails, copies) = (Arc::clone(&mails), Arc::clone(&copies));
                let tell = tell.clone();
                let keep = move |to: &[u8]| {
                    if let Some(tell) = &tell {
                        // Nobody listens any more when the bench is over.
                        let _ = tell.send((Instant::now(), to.to_vec()));
                    }
                    if counting {
                        let mut copies = copies.lock().expect("nobody panics with it");
                        *copies.entry(to.to_vec()).or_default() += 1;
                    }
                    mails.fetch_add(1, Ordering::SeqCst);
                };
                std::thread::spawn(move || serve(stream, keep));
            }
        });
        sink
    }
}

/// What the next bytes are.
enum Mode {
    Command,
    Content,
    Chunk(usize),
}

fn serve(mut stream: TcpStream, keep: impl Fn(&[u8])) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    stream.write_all(b"220 sink ESMTP\r\n").ok()?;
    let mut input: Vec<u8> = Vec::with_capacity(512 * 1024);
    let mut chunk = vec![0; 256 * 1024];
    let mut output = Vec::new();
    let mut to = Vec::new();
    let mut mode = Mode::Command;
    let ending = memchr::memmem::Finder::new(b"\r\n.\r\n");
    loop {
        let n = stream.read(&mut chunk).ok().filter(|n| *n > 0)?;
        input.extend_from_slice(&chunk[..n]);
        let mut at = 0;
        loop {
            let rest = &input[at..];
            let taken = match mode {
                Mode::Command => {
                    let Some(end) = memchr::memchr(b'\n', rest) else { break };
                    mode = obey(&rest[..end], &mut to, &mut output);
                    at += end + 1;
                    continue;
                }
                Mode::Content => match ending.find(rest) {
                    Some(end) => end + 5,
                    None => break,
                },
                Mode::Chunk(size) if rest.len() < size => break,
                Mode::Chunk(size) => size,
            };
            at += taken;
            keep(&to);
            output.extend_from_slice(b"250 2.0.0 Ok\r\n");
            mode = Mode::Command;
        }
        // What is left may hold a part of the ending: it is looked at again.
        input.drain(..at);
        if !output.is_empty() {
            stream.write_all(&output).ok()?;
            output.clear();
        }
    }
}

fn obey(line: &[u8], to: &mut Vec<u8>, output: &mut Vec<u8>) -> Mode {
    match &line[..line.len().min(4)] {
        b"EHLO" => output.extend_from_slice(b"250-sink\r\n250-PIPELINING\r\n250 CHUNKING\r\n"),
        b"DATA" => {
            output.extend_from_slice(b"354 Go\r\n");
            return Mode::Content;
        }
        b"BDAT" => {
            let text = String::from_utf8_lossy(line);
            let size = text.split(' ').nth(1).and_then(|size| size.parse().ok());
            return Mode::Chunk(size.unwrap_or(0));
        }
        b"RCPT" => {
            let from = memchr::memchr(b'<', line).map_or(0, |at| at + 1);
            let end = memchr::memchr(b'>', line).unwrap_or(line.len());
            to.clear();
            to.extend_from_slice(&line[from..end]);
            output.extend_from_slice(b"250 Ok\r\n");
        }
        _ => output.extend_from_slice(b"250 Ok\r\n"),
    }
    Mode::Command
}

/// A proxy before a server of loopback: what the server says arrives so late, each
/// piece for itself. Answers the proxy's port.
pub fn delay(port: u16, late: Duration) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let own = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let pair = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
            let (Some((a, b)), Some((c, d))) = (pair(), pair()) else { continue };
            std::thread::spawn(move || forward(a, b));
            let (sender, due) = mpsc::channel();
            std::thread::spawn(move || listen(d, &sender, late));
            std::thread::spawn(move || {
                let mut client = c;
                for (at, bytes) in due {
                    let at: Instant = at;
                    std::thread::sleep(at.saturating_duration_since(Instant::now()));
                    let bytes: Vec<u8> = bytes;
                    if client.write_all(&bytes).is_err() {
                        break;
                    }
                }
                let _ = client.shutdown(Shutdown::Both);
            });
        }
    });
    own
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

fn listen(mut from: TcpStream, due: &mpsc::Sender<(Instant, Vec<u8>)>, late: Duration) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(n) = from.read(&mut chunk)
        && n > 0
        && due.send((Instant::now() + late, chunk[..n].to_vec())).is_ok()
    {}
}
