//! A connection that is two pieces of memory, seen from one side at a time: what one side writes, the other reads later.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Clone, Copy, PartialEq)]
pub enum Side {
    Client,
    Server,
}

struct Direction {
    bytes: Vec<u8>,
    read: usize,
}

pub struct MemoryStream {
    side: Side,
    to_server: Direction,
    to_client: Direction,
}

impl MemoryStream {
    /// `capacity`: bytes that each direction has room for without growing.
    pub fn new(capacity: usize) -> Self {
        let direction = || Direction { bytes: Vec::with_capacity(capacity), read: 0 };
        Self { side: Side::Client, to_server: direction(), to_client: direction() }
    }

    /// From now on the stream is this side's end.
    pub fn turn_to(&mut self, side: Side) {
        self.side = side;
    }

    /// Forgets all bytes and keeps their memory.
    pub fn clear(&mut self) {
        for direction in [&mut self.to_server, &mut self.to_client] {
            direction.bytes.clear();
            direction.read = 0;
        }
    }

    fn incoming(&mut self) -> &mut Direction {
        match self.side {
            Side::Client => &mut self.to_client,
            Side::Server => &mut self.to_server,
        }
    }

    fn outgoing(&mut self) -> &mut Vec<u8> {
        match self.side {
            Side::Client => &mut self.to_server.bytes,
            Side::Server => &mut self.to_client.bytes,
        }
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context, out: &mut ReadBuf) -> Poll<io::Result<()>> {
        let incoming = self.incoming();
        let unread = &incoming.bytes[incoming.read..];
        let count = unread.len().min(out.remaining());
        out.put_slice(&unread[..count]);
        incoming.read += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.outgoing().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context,
        slices: &[IoSlice],
    ) -> Poll<io::Result<usize>> {
        let outgoing = self.outgoing();
        let before = outgoing.len();
        for slice in slices {
            outgoing.extend_from_slice(slice);
        }
        Poll::Ready(Ok(outgoing.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
