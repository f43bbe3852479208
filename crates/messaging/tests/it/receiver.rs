//! A receiver of webhooks on this machine that answers as the path says, well or badly.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) struct Receiver {
    pub(crate) address: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    answers: Arc<Mutex<Option<String>>>,
}

impl Receiver {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let receiver = Self { address, heard: Arc::default(), answers: Arc::default() };
        let (heard, answers) = (Arc::clone(&receiver.heard), Arc::clone(&receiver.answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&heard), Arc::clone(&answers)));
            }
        });
        receiver
    }

    /// Takes what it was sent since the last time.
    pub(crate) fn take(&self) -> Vec<Heard> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }

    /// Answers like this path from now on, whatever is asked for.
    pub(crate) fn answer_like(&self, path: &str) {
        *self.answers.lock().unwrap() = Some(path.to_owned());
    }
}

async fn serve(mut stream: TcpStream, heard: Arc<Mutex<Vec<Heard>>>, answers: Arc<Mutex<Option<String>>>) -> Option<()> {
    let request = read(&mut stream).await?;
    let path = answers.lock().unwrap().clone().unwrap_or_else(|| request.path.clone());
    heard.lock().unwrap().push(request);
    let said = match path.as_str() {
        "/hang-up" => return None,
        "/silent" => return std::future::pending().await,
        "/garbage" => "this is no HTTP\r\n\r\n".to_owned(),
        "/redirect" => status("307 Temporary Redirect", "location: /ok\r\n", ""),
        "/gone" => status("410 Gone", "", ""),
        "/busy" => status("429 Too Many Requests", "retry-after: 4000\r\n", ""),
        "/huge" => status("500 Internal Server Error", "", &"x".repeat(3_000_000)),
        "/broken" => status("500 Internal Server Error", "", "oh no\u{0}"),
        _ => status("200 OK", "", "thanks"),
    };
    stream.write_all(said.as_bytes()).await.ok()
}

fn status(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn read(stream: &mut TcpStream) -> Option<Heard> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((top, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = top.lines();
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let headers: Vec<(String, String)> =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let heard = Heard { path, headers, body: body.to_owned() };
        if body.len() >= heard.header("content-length").parse::<usize>().ok()? {
            return Some(heard);
        }
    }
}
