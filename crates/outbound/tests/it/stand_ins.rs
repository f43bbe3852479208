//! A mail server and Twilio, as far as a sender sees them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What arrived, one text each.
pub(crate) type Arrived = Arc<Mutex<Vec<String>>>;

/// Answers SMTP on a free port. An address that begins with `gone` is refused for good, `nobody` as one that nobody has, `later` for now, and
/// `slow` is never answered.
pub(crate) async fn mail_server() -> (u16, Arrived) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let arrived = Arrived::default();
    let kept = Arc::clone(&arrived);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, Arc::clone(&kept)));
        }
    });
    (port, arrived)
}

async fn converse(stream: TcpStream, arrived: Arrived) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 stand-in\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "DATA" => {
                write.write_all(b"354 go on\r\n").await.unwrap();
                let mut text = String::new();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    text.push_str(&line);
                    text.push('\n');
                }
                arrived.lock().unwrap().push(text);
                "250 taken"
            }
            "RCPT" if line.contains("<slow") => return std::future::pending().await,
            "RCPT" if line.to_ascii_lowercase().contains("<nobody") => "550 5.1.1 no such user here",
            "RCPT" if line.contains("<gone") => "550 nobody of that name",
            "RCPT" if line.contains("<later") => "450 come back",
            "QUIT" => "221 bye",
            _ => "250 stand-in",
        };
        if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Answers as Twilio does on a free port. A number that ends with 0 is none, with 8 it said stop, with 9 there is trouble.
pub(crate) async fn twilio() -> (String, Arrived) {
    async fn messages(State(arrived): State<Arrived>, headers: HeaderMap, body: String) -> (StatusCode, &'static str) {
        let field = |name: &str| {
            let mut form = url::form_urlencoded::parse(body.as_bytes());
            form.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        if field("To").ends_with('0') {
            return (StatusCode::BAD_REQUEST, r#"{"code": 21211}"#);
        }
        if field("To").ends_with('8') {
            return (StatusCode::BAD_REQUEST, r#"{"code": 21610}"#);
        }
        if field("To").ends_with('9') {
            return (StatusCode::INTERNAL_SERVER_ERROR, "{}");
        }
        let login = headers["authorization"].to_str().unwrap();
        arrived.lock().unwrap().push(format!("{login} {} -> {}: {}", field("From"), field("To"), field("Body")));
        (StatusCode::CREATED, r#"{"sid": "SM1"}"#)
    }
    let arrived = Arrived::default();
    let routes = Router::new().route("/2010-04-01/Accounts/AC1/Messages.json", post(messages)).with_state(Arc::clone(&arrived));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, arrived)
}
