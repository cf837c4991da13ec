//! Peer: sockudo-ws as an echo server. `feed` leaves flushing to its reading, so that what has come in one read leaves in one write.

use futures_util::{SinkExt, StreamExt};
use ringwire_bench_peers::{MAX_MESSAGE_BYTES, accept, serve};
use sockudo_ws::{Compression, Config, Message, Result, WebSocketStream};
use tokio::net::TcpStream;

async fn echo(mut stream: TcpStream) -> Result<()> {
    accept(&mut stream).await?;
    let config = Config {
        compression: Compression::Disabled,
        max_message_size: MAX_MESSAGE_BYTES,
        max_frame_size: MAX_MESSAGE_BYTES,
        max_backpressure: MAX_MESSAGE_BYTES,
        ..Config::default()
    };
    let mut ws = WebSocketStream::server(stream, config);
    while let Some(message) = ws.next().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => ws.feed(message).await?,
            Message::Close(_) => break,
            _ => {}
        }
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    serve(|stream| async move { drop(echo(stream).await) })
}
