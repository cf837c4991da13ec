//! Peer: tokio-tungstenite as an echo server, forwarding its stream to its sink: what has come in one read leaves in one write. No
//! compression; it has none.

use futures_util::{StreamExt, TryStreamExt, future};
use ringwire_bench_peers::{MAX_MESSAGE_BYTES, serve};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, protocol::WebSocketConfig};

async fn echo(stream: TcpStream) -> Result<(), Error> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let ws = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    let (outgoing, incoming) = ws.split();
    incoming
        .try_filter(|message| future::ready(message.is_text() || message.is_binary()))
        .forward(outgoing)
        .await
}

fn main() -> std::io::Result<()> {
    serve(|stream| async move { drop(echo(stream).await) })
}
