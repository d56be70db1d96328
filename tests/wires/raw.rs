//! One HTTP/1 connection, byte for byte.

use std::{cell::Cell, sync::Once, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

use crate::serve::Server;

/// How long something may take that happens at once.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) const BOOK: &str = "GET /v1/books/1 HTTP/1.1\r\nhost: x\r\n\r\n";
pub(crate) const LAST_BOOK: &str =
    "GET /v1/books/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// Reads like the JSON that was sent in pieces.
pub(crate) const PIECES: &str = r#"{"a_string":"in pieces"}"#;

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// One connection, and what comes back on it.
pub(crate) struct Raw(pub(crate) BufReader<TcpStream>);

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Raw {
    /// Connects. From here on a panic on this thread, which serves as well, is counted.
    pub(crate) async fn open(server: &Server) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                PANICS.set(PANICS.get() + 1);
                before(panic);
            }));
        });
        Self(BufReader::new(TcpStream::connect(server.address).await.expect("a connection")))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("sent");
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(SOON, self.0.read_line(&mut line)).await;
        read.expect("in time").expect("a line");
        line
    }

    /// A head, up to its empty line.
    pub(crate) async fn head(&mut self) -> (u16, String) {
        let mut head = self.line().await;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {head:?}"));
        while !head.ends_with("\r\n\r\n") {
            let line = self.line().await;
            assert!(!line.is_empty(), "a head that breaks off: {head}");
            head.push_str(&line);
        }
        (status, head)
    }

    /// A whole answer, whose body's length is told.
    pub(crate) async fn reply(&mut self) -> Reply {
        let (status, head) = self.head().await;
        let mut reply = Reply { status, head, body: String::new() };
        let length = reply.header("content-length").map_or(0, |it| it.parse().expect("a length"));
        let mut body = vec![0; length];
        timeout(SOON, self.0.read_exact(&mut body)).await.expect("in time").expect("a body");
        reply.body = String::from_utf8(body).expect("UTF-8");
        reply
    }

    /// Everything up to the end of the connection, which must come, in order or by a reset.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = timeout(SOON, self.0.read_to_end(&mut rest)).await.expect("the connection closes");
        String::from_utf8(rest).expect("UTF-8")
    }

    /// The connection ends here.
    pub(crate) async fn closed(&mut self) {
        assert_eq!(self.rest().await, "");
        assert_eq!(PANICS.get(), 0);
    }

    /// The connection carries another request, and that one is served rightly.
    pub(crate) async fn lives_on(&mut self) {
        self.send(LAST_BOOK).await;
        let reply = self.reply().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.body.contains("\"name\":\"1\""), "{reply:?}");
        self.closed().await;
    }
}

/// A head that posts to `/v1/echo`, with these lines in it.
pub(crate) fn echo(lines: &str) -> String {
    format!("POST /v1/echo HTTP/1.1\r\nhost: x\r\n{lines}\r\n")
}
