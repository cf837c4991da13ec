use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};

use super::{MESSAGES, TEXT, Times};
use crate::memory_stream::{MemoryStream, Side};

pub async fn run(stream: &mut MemoryStream) -> Times {
    stream.turn_to(Side::Client);
    let mut client = WebSocketStream::from_raw_socket(&mut *stream, Role::Client, None).await;
    let begin = Instant::now();
    for _ in 0..MESSAGES {
        client.feed(Message::text(TEXT)).await.unwrap();
    }
    client.close(None).await.unwrap();
    let send = begin.elapsed();
    drop(client);

    stream.turn_to(Side::Server);
    let mut server = WebSocketStream::from_raw_socket(&mut *stream, Role::Server, None).await;
    let begin = Instant::now();
    while let Some(message) = server.next().await {
        let message = message.unwrap();
        if message.is_close() {
            break;
        }
        server.feed(message).await.unwrap();
    }
    server.flush().await.unwrap();
    let echo = begin.elapsed();
    drop(server);

    stream.turn_to(Side::Client);
    let mut client = WebSocketStream::from_raw_socket(&mut *stream, Role::Client, None).await;
    let begin = Instant::now();
    for _ in 0..MESSAGES {
        match client.next().await.unwrap().unwrap() {
            Message::Text(text) => assert!(text.as_str() == TEXT),
            _ => unreachable!(),
        }
    }
    assert!(matches!(client.next().await, Some(Ok(Message::Close(_)))));
    Times { send, echo, recv: begin.elapsed() }
}
