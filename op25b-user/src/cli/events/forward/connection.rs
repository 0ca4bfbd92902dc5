//! The connection to a collector, or to the journal.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split},
    net::{TcpStream, UdpSocket, UnixDatagram, lookup_host},
    time::timeout,
};

use super::journal;
use crate::{
    cli::tls::{Stream, Tls},
    collector::{Address, Destination, Transport},
};

/// How long a collector may take to accept a connection, and to take what is sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open connection.
pub(super) enum Connection {
    /// Messages follow each other in it.
    Stream {
        reader: ReadHalf<Box<dyn Stream>>,
        writer: WriteHalf<Box<dyn Stream>>,
    },
    /// Each message is a datagram.
    Datagrams(UdpSocket),
    /// The same, and none is lost: where journald has no room, it is waited for.
    Journal(UnixDatagram),
}

impl Connection {
    /// Connects to the first of a host's addresses that answers.
    pub(super) async fn open(to: &Destination, tls: &Tls<'_>) -> anyhow::Result<Self> {
        let address = match to {
            Destination::Journal => return Self::journal(),
            Destination::Collector(address) => address,
        };
        let connected = timeout(PATIENCE, Self::connect(address, tls)).await;
        connected.unwrap_or_else(|_| Err(anyhow!("no answer within {} s", PATIENCE.as_secs())))
    }

    fn journal() -> anyhow::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(journal::SOCKET).context(journal::SOCKET)?;
        Ok(Self::Journal(socket))
    }

    async fn connect(to: &Address, tls: &Tls<'_>) -> anyhow::Result<Self> {
        let host = (to.host.name.as_str(), to.host.port);
        if to.transport == Transport::Udp {
            let address = lookup_host(host).await?.next();
            return Self::datagrams(address.context("the name has no address")?).await;
        }
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = if to.transport == Transport::Tls {
            Box::new(tls.connect(&to.host.name, stream).await?)
        } else {
            Box::new(stream)
        };
        let (reader, writer) = split(stream);
        Ok(Self::Stream { reader, writer })
    }

    async fn datagrams(to: SocketAddr) -> anyhow::Result<Self> {
        let any = if to.is_ipv4() {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
        } else {
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(to).await?;
        Ok(Self::Datagrams(socket))
    }

    /// Sends messages, in their order.
    pub(super) async fn send(&mut self, messages: &[Vec<u8>]) -> io::Result<()> {
        let sent = timeout(PATIENCE, async {
            match self {
                Self::Stream { writer, .. } => {
                    writer.write_all(&messages.concat()).await?;
                    writer.flush().await
                }
                Self::Datagrams(socket) => each(messages, async |message| socket.send(message).await).await,
                Self::Journal(socket) => each(messages, async |message| socket.send(message).await).await,
            }
        });
        sent.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Waits until the collector closes the connection, which the next write would not show: what it carries is lost then.
    pub(super) async fn closed(&mut self) -> io::Error {
        let Self::Stream { reader, .. } = self else {
            return std::future::pending().await;
        };
        let mut answer = [0; 512];
        loop {
            match reader.read(&mut answer).await {
                Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                // Neither protocol has answers.
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }
}

/// Sends each message as a datagram.
async fn each(messages: &[Vec<u8>], send: impl AsyncFn(&[u8]) -> io::Result<usize>) -> io::Result<()> {
    for message in messages {
        send(message).await?;
    }
    Ok(())
}
