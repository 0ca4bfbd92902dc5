//! The frames between the daemon and the process that serves metrics: a length in four bytes, and as many bytes.

use std::{
    io::{self, IoSlice, IoSliceMut, Read as _},
    mem::MaybeUninit,
    net::TcpListener,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

use anyhow::Context as _;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::Configuration;
use crate::policy::MetricsServer;

/// The largest page, in bytes.
pub(crate) const MOST_PAGE: usize = 32 * 1024 * 1024;
/// The largest other frame.
const MOST: usize = 1024 * 1024;
/// Space for the descriptors of all listeners.
const SPACE: usize = rustix::cmsg_space!(ScmRights(MetricsServer::MOST_LISTENERS));

/// Reads a frame. One that is larger than `most` is an error.
pub(crate) async fn read_frame(from: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Vec<u8>> {
    let length = checked(from.read_u32().await?, most)?;
    let mut frame = vec![0; length];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

/// Writes a frame.
pub(crate) async fn write_frame(to: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    to.write_u32(length(frame)?).await?;
    to.write_all(frame).await
}

fn length(frame: &[u8]) -> io::Result<u32> {
    u32::try_from(frame.len()).map_err(io::Error::other)
}

fn checked(length: u32, most: usize) -> io::Result<usize> {
    let length = length as usize;
    if length > most {
        return Err(io::Error::other(format!("{length} bytes are more than {most}")));
    }
    Ok(length)
}

/// Sends the configuration, and the listeners with it. The socket has room for that.
pub(crate) fn send_listeners(
    to: impl AsFd,
    listeners: &[BorrowedFd<'_>],
    configuration: &Configuration,
) -> anyhow::Result<()> {
    let frame = serde_json::to_vec(configuration)?;
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(listeners)) {
        anyhow::bail!("there are more listeners than can be sent");
    }
    let length = length(&frame)?.to_be_bytes();
    let parts = [IoSlice::new(&length), IoSlice::new(&frame)];
    let sent = sendmsg(to, &parts, &mut control, SendFlags::empty())?;
    if sent != length.len() + frame.len() {
        anyhow::bail!("the certificates are too long to be sent");
    }
    Ok(())
}

/// Receives what [`send_listeners`] has sent.
pub(super) fn receive_configuration(
    from: &mut UnixStream,
) -> anyhow::Result<(Configuration, Vec<TcpListener>)> {
    let (mut length, mut listeners) = ([0; 4], Vec::new());
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut length)];
    let received = recvmsg(&*from, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            listeners.extend(descriptors.map(TcpListener::from));
        }
    }
    from.read_exact(&mut length[received.bytes..])?;
    let mut frame = vec![0; checked(u32::from_be_bytes(length), MOST)?];
    from.read_exact(&mut frame)?;
    let configuration = serde_json::from_slice(&frame).context("not a configuration")?;
    Ok((configuration, listeners))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_arrives_with_its_listeners() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let listeners: Vec<_> = (0..MetricsServer::MOST_LISTENERS)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let sent = Configuration {
            allow: vec!["192.0.2.0/24".parse().unwrap()],
            tls: None,
        };
        let descriptors: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
        send_listeners(&ours, &descriptors, &sent).unwrap();
        let (configuration, received) = receive_configuration(&mut theirs).unwrap();
        assert_eq!(configuration, sent);
        let addresses = |listeners: &[TcpListener]| {
            listeners
                .iter()
                .map(|of| of.local_addr().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(addresses(&received), addresses(&listeners));
    }

    #[tokio::test]
    async fn a_frame_that_is_too_long_is_refused_before_memory_is_taken_for_it() {
        let mut frame = &[0x7f, 0xff, 0xff, 0xff, 1][..];
        let error = read_frame(&mut frame, MOST_PAGE).await.unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
        let mut written = Vec::new();
        write_frame(&mut written, b"page").await.unwrap();
        assert_eq!(read_frame(&mut &written[..], 4).await.unwrap(), b"page");
    }
}
