//! The server's side of one SMTP session: `mailin`'s state machine over a stream.

use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use mailin::{Action, AuthMechanism, Handler, Response, Session, SessionBuilder, response};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

use super::{Delivery, PASSWORD, Service, USER};

const NAME: &str = "mail.lab.example";
/// Longer than any line of the lab's clients.
const LONGEST_LINE: usize = 4096;

/// Where accepted messages go.
pub(super) type Mailbox = Arc<Mutex<Vec<Delivery>>>;

/// Serves one client to its end.
pub(super) async fn serve(
    stream: TcpStream,
    service: Service,
    tls: TlsAcceptor,
    mailbox: Mailbox,
) -> io::Result<()> {
    let peer = stream.peer_addr()?.ip().to_canonical();
    let clerk = Clerk {
        service,
        peer,
        mailbox,
        authenticated: false,
        message: Vec::new(),
    };
    let mut builder = SessionBuilder::new(NAME);
    if service != Service::Transfer {
        builder.enable_start_tls().enable_auth(AuthMechanism::Plain);
    }
    let mut session = builder.build(peer, clerk);
    if service == Service::Submissions {
        let stream = tls.accept(stream).await?;
        session.tls_active();
        let mut stream = BufReader::new(stream);
        write(&mut stream, &session.greeting()).await?;
        converse(&mut session, &mut stream).await?;
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    write(&mut stream, &session.greeting()).await?;
    if converse(&mut session, &mut stream).await? == End::UpgradeTls {
        if !stream.buffer().is_empty() {
            // Commands sent before the handshake could be an attacker's (CVE-2011-0411).
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "commands after STARTTLS",
            ));
        }
        let stream = tls.accept(stream.into_inner()).await?;
        session.tls_active();
        converse(&mut session, &mut BufReader::new(stream)).await?;
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum End {
    Closed,
    UpgradeTls,
}

async fn converse<S>(session: &mut Session<Clerk>, stream: &mut BufReader<S>) -> io::Result<End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 || line.len() > LONGEST_LINE {
            return Ok(End::Closed);
        }
        let response = session.process(&line);
        if response.action != Action::NoReply {
            write(stream, &response).await?;
        }
        match response.action {
            Action::Close => return Ok(End::Closed),
            Action::UpgradeTls => return Ok(End::UpgradeTls),
            Action::Reply | Action::NoReply => {}
        }
    }
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    response: &Response,
) -> io::Result<()> {
    let mut text = Vec::new();
    response.write_to(&mut text)?;
    stream.write_all(&text).await?;
    stream.flush().await
}

/// Decides what a session may do, and files what it delivers.
struct Clerk {
    service: Service,
    peer: IpAddr,
    mailbox: Mailbox,
    authenticated: bool,
    message: Vec<u8>,
}

impl Handler for Clerk {
    fn auth_plain(&mut self, _authorization: &str, user: &str, password: &str) -> Response {
        self.authenticated = user == USER && password == PASSWORD;
        if self.authenticated {
            response::AUTH_OK
        } else {
            response::INVALID_CREDENTIALS
        }
    }

    fn mail(&mut self, _ip: IpAddr, _domain: &str, _from: &str) -> Response {
        // Submission is for customers only (RFC 6409); port 25 takes mail from everybody.
        let allowed = self.service == Service::Transfer || self.authenticated;
        if allowed {
            response::OK
        } else {
            response::AUTHENTICATION_REQUIRED
        }
    }

    fn data_start(&mut self, _domain: &str, _from: &str, _is8bit: bool, _to: &[String]) -> Response {
        self.message.clear();
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.message.extend_from_slice(line);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let text = String::from_utf8_lossy(&self.message);
        let headers = text
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(':'));
        let id = headers
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("message-id"));
        // Mail without an id is mail all the same; it only cannot be looked up.
        let id = id.map(|(_, id)| id.trim().to_owned()).unwrap_or_default();
        let delivery = Delivery {
            id,
            service: self.service,
            peer: self.peer,
        };
        self.mailbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(delivery);
        response::OK
    }
}
