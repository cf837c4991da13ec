//! What the peers written in Rust share: how an echo server listens, on one thread like every server here, and the opening
//! handshake for the libraries that leave it to others.

pub mod codec;
pub mod memory_stream;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Largest message, the same for every peer.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Serves on a free port of 127.0.0.1 and says which on standard output. `echo` gets each connection.
pub fn serve<Echo, Served>(echo: Echo) -> io::Result<()>
where
    Echo: Fn(TcpStream) -> Served + Copy + 'static,
    Served: Future<Output = ()> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let listener = listen()?;
        println!("listening {}", listener.local_addr()?.port());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // Tokio's budget would send a busy connection to the back of the queue in the middle of a read.
            tokio::task::spawn_local(tokio::task::unconstrained(echo(stream)));
        }
    })
}

fn listen() -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Answers an upgrade request.
pub async fn accept(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await? == 0 || head.len() > MAX_HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if let Some((request, _)) = parse_request(&head).map_err(io::Error::other)? {
            let response = build_response(&generate_accept_key(request.key), None, None);
            return stream.write_all(&response).await;
        }
    }
}
