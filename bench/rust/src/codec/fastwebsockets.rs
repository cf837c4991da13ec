use std::time::Instant;

use fastwebsockets::{FragmentCollector, Frame, OpCode, Role, WebSocket};

use super::{MESSAGES, TEXT, Times};
use crate::memory_stream::{MemoryStream, Side};

pub async fn run(stream: &mut MemoryStream) -> Times {
    stream.turn_to(Side::Client);
    let mut client = WebSocket::after_handshake(&mut *stream, Role::Client);
    let begin = Instant::now();
    for _ in 0..MESSAGES {
        client.write_frame(Frame::text(TEXT.as_bytes().into())).await.unwrap();
    }
    client.write_frame(Frame::close_raw(vec![].into())).await.unwrap();
    let send = begin.elapsed();
    drop(client);

    stream.turn_to(Side::Server);
    let mut server = FragmentCollector::new(WebSocket::after_handshake(&mut *stream, Role::Server));
    let begin = Instant::now();
    loop {
        let frame = server.read_frame().await.unwrap();
        match frame.opcode {
            OpCode::Close => break,
            _ => server.write_frame(frame).await.unwrap(),
        }
    }
    let echo = begin.elapsed();
    drop(server);

    stream.turn_to(Side::Client);
    let mut client = WebSocket::after_handshake(&mut *stream, Role::Client);
    let begin = Instant::now();
    for _ in 0..MESSAGES {
        let frame = client.read_frame().await.unwrap();
        assert!(frame.opcode == OpCode::Text && *frame.payload == *TEXT.as_bytes());
    }
    assert!(client.read_frame().await.unwrap().opcode == OpCode::Close);
    Times { send, echo, recv: begin.elapsed() }
}
