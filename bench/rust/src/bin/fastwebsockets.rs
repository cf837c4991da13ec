//! Peer: fastwebsockets as an echo server, as its own example does it. No compression; it has none.

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket, WebSocketError};
use ringwire_bench_peers::{MAX_MESSAGE_BYTES, accept, serve};
use tokio::net::TcpStream;

async fn echo(mut stream: TcpStream) -> Result<(), WebSocketError> {
    accept(&mut stream).await?;
    let mut ws = WebSocket::after_handshake(stream, Role::Server);
    ws.set_max_message_size(MAX_MESSAGE_BYTES);
    let mut ws = FragmentCollector::new(ws);
    loop {
        let frame = ws.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => ws.write_frame(frame).await?,
            _ => {}
        }
    }
}

fn main() -> std::io::Result<()> {
    // A client that goes away is nothing to report.
    serve(|stream| async move { drop(echo(stream).await) })
}
