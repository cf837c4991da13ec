//! The codec workload for each library: a client sends, a server echoes, the client receives, one after the other over memory.
//! Every message is masked by the client, unmasked and checked to be UTF-8 by the server, and compared at the end.

mod fastwebsockets;
mod sockudo_ws;
mod tokio_tungstenite;
mod web_socket;

use std::time::Duration;

use crate::memory_stream::MemoryStream;

pub const MESSAGES: usize = 100_000;
pub const TEXT: &str = "Hello, World!\n";
/// A masked frame, with room to spare.
pub const CAPACITY: usize = (TEXT.len() + 14) * MESSAGES;

/// How long each phase took.
pub struct Times {
    pub send: Duration,
    pub echo: Duration,
    pub recv: Duration,
}

/// One pass of all three phases with a library; `None`: there is none of that name.
pub async fn run(library: &str, stream: &mut MemoryStream) -> Option<Times> {
    stream.clear();
    Some(match library {
        "fastwebsockets" => fastwebsockets::run(stream).await,
        "sockudo-ws" => sockudo_ws::run(stream).await,
        "tokio-tungstenite" => tokio_tungstenite::run(stream).await,
        "web-socket" => web_socket::run(stream).await,
        _ => return None,
    })
}
