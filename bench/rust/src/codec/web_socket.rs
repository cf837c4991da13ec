use std::time::Instant;

use tokio::io::BufReader;
use web_socket::{DataType, Event, MessageType, WebSocket};

use super::{MESSAGES, TEXT, Times};
use crate::memory_stream::{MemoryStream, Side};

/// It reads each header by itself and leaves buffering, and the check for UTF-8, to others.
const READ_BYTES: usize = 64 * 1024;

fn text(event: Event) -> Option<Box<[u8]>> {
    match event {
        Event::Data { ty: DataType::Complete(MessageType::Text), data } => Some(data),
        Event::Close { .. } => None,
        _ => unreachable!(),
    }
}

pub async fn run(stream: &mut MemoryStream) -> Times {
    stream.turn_to(Side::Client);
    let mut client = WebSocket::client(&mut *stream);
    let begin = Instant::now();
    for _ in 0..MESSAGES {
        client.send(TEXT).await.unwrap();
    }
    client.close(()).await.unwrap();
    let send = begin.elapsed();

    stream.turn_to(Side::Server);
    let mut server = WebSocket::server(BufReader::with_capacity(READ_BYTES, &mut *stream));
    let begin = Instant::now();
    while let Some(data) = text(server.recv().await.unwrap()) {
        server.send(std::str::from_utf8(&data).unwrap()).await.unwrap();
    }
    server.close(()).await.unwrap();
    let echo = begin.elapsed();

    stream.turn_to(Side::Client);
    let mut client = WebSocket::client(BufReader::with_capacity(READ_BYTES, &mut *stream));
    let begin = Instant::now();
    for _ in 0..MESSAGES {
        let data = text(client.recv().await.unwrap()).unwrap();
        assert!(std::str::from_utf8(&data) == Ok(TEXT));
    }
    assert!(text(client.recv().await.unwrap()).is_none());
    Times { send, echo, recv: begin.elapsed() }
}
