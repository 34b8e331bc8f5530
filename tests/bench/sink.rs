//! A sink that costs next to nothing: it reads, finds the ends of commands and of
//! mails, answers in one write, and keeps nothing. One thread for each connection.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A sink on loopback.
pub struct Sink {
    pub port: u16,
    pub mails: Arc<AtomicU64>,
}

impl Sink {
    /// Listens; every group of replies comes so late.
    pub fn start(late: Duration) -> Sink {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let mails = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&mails);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || serve(stream, &count, late));
            }
        });
        Sink { port, mails }
    }
}

/// What the next bytes are.
enum Mode {
    Command,
    Content,
    Chunk(usize),
}

fn serve(mut stream: TcpStream, mails: &AtomicU64, late: Duration) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    stream.write_all(b"220 sink ESMTP\r\n").ok()?;
    let mut input: Vec<u8> = Vec::with_capacity(256 * 1024);
    let mut chunk = vec![0; 128 * 1024];
    let mut output = Vec::new();
    let mut mode = Mode::Command;
    let ending = memchr::memmem::Finder::new(b"\r\n.\r\n");
    loop {
        let n = stream.read(&mut chunk).ok().filter(|n| *n > 0)?;
        input.extend_from_slice(&chunk[..n]);
        let mut at = 0;
        loop {
            let rest = &input[at..];
            match mode {
                Mode::Command => {
                    let Some(end) = memchr::memchr(b'\n', rest) else { break };
                    let line = &rest[..end];
                    at += end + 1;
                    mode = obey(line, &mut output);
                }
                Mode::Content => {
                    let Some(end) = ending.find(rest) else { break };
                    at += end + 5;
                    mails.fetch_add(1, Ordering::Relaxed);
                    output.extend_from_slice(b"250 2.0.0 Ok\r\n");
                    mode = Mode::Command;
                }
                Mode::Chunk(size) => {
                    if rest.len() < size {
                        break;
                    }
                    at += size;
                    mails.fetch_add(1, Ordering::Relaxed);
                    output.extend_from_slice(b"250 2.0.0 Ok\r\n");
                    mode = Mode::Command;
                }
            }
        }
        // What is left may hold a part of the ending: it is looked at again.
        input.drain(..at);
        if !output.is_empty() {
            if !late.is_zero() {
                std::thread::sleep(late);
            }
            stream.write_all(&output).ok()?;
            output.clear();
        }
    }
}

fn obey(line: &[u8], output: &mut Vec<u8>) -> Mode {
    let verb = &line[..line.len().min(4)];
    match verb {
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
        _ => output.extend_from_slice(b"250 Ok\r\n"),
    }
    Mode::Command
}
