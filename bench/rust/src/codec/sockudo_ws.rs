use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use sockudo_ws::{Config, Message, WebSocketStream};

use super::{MESSAGES, TEXT, Times};
use crate::memory_stream::{MemoryStream, Side};

pub async fn run(stream: &mut MemoryStream) -> Times {
    stream.turn_to(Side::Client);
    let mut client = WebSocketStream::client(&mut *stream, Config::default());
    let begin = Instant::now();
    for _ in 0..MESSAGES {
        client.feed(Message::Text(TEXT.into())).await.unwrap();
    }
    client.close(1000, "").await.unwrap();
    let send = begin.elapsed();
    drop(client);

    stream.turn_to(Side::Server);
    let mut server = WebSocketStream::server(&mut *stream, Config::default());
    let begin = Instant::now();
    // The answer to the Close is flushed, with all that was fed before it, by the time the Close is told.
    while let Some(message) = server.next().await {
        match message.unwrap() {
            Message::Close(_) => break,
            message => server.feed(message).await.unwrap(),
        }
    }
    let echo = begin.elapsed();
    drop(server);

    stream.turn_to(Side::Client);
    let mut client = WebSocketStream::client(&mut *stream, Config::default());
    let begin = Instant::now();
    for _ in 0..MESSAGES {
        match client.next().await.unwrap().unwrap() {
            Message::Text(text) => assert!(text == TEXT.as_bytes()),
            _ => unreachable!(),
        }
    }
    assert!(matches!(client.next().await, Some(Ok(Message::Close(_)))));
    Times { send, echo, recv: begin.elapsed() }
}
