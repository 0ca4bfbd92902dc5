//! A bot: it writes its own frames and reads the replies, without a kernel's TCP.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use op25b_testlab::{
    lab::{Family, HOST_END, Host, Lab},
    packet_socket::PacketSocket,
};

use super::{
    line::Line,
    segment::{Answer, Flow},
    server::Server,
    stage::{MAIL, PATIENCE, PROBE},
};

/// A bot; no kernel owns its addresses, so nothing but the bot answers.
#[derive(Debug)]
pub struct Bot {
    pub addresses: [IpAddr; 2],
    pub line: Line,
    /// Opens connections in a tunnel's fragments of so many bytes.
    pub fragment_size: Option<usize>,
    sends: PacketSocket,
    receives: PacketSocket,
}

/// Whether a connection came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server's `accept` returned it.
    Connected,
    /// The server never agreed to it, though it answered what was sent afterwards.
    Nothing,
}

impl Bot {
    /// A bot on a host's line.
    pub fn new(lab: &Lab, host: Host, line: Line, addresses: [IpAddr; 2]) -> Self {
        Self::apart(lab, host, host, line, addresses)
    }

    /// A bot that sends from one host and receives on another.
    pub fn apart(lab: &Lab, sends: Host, receives: Host, line: Line, addresses: [IpAddr; 2]) -> Self {
        let open = |host| lab.host(host).run(|| PacketSocket::open(HOST_END)).unwrap();
        Self {
            addresses,
            line,
            fragment_size: None,
            sends: open(sends),
            receives: open(receives),
        }
    }

    /// Opens a connection with the packets that `opening` makes for it, and completes the handshake if the server agrees.
    pub fn connect(
        &mut self,
        family: Family,
        server: &Server,
        opening: &dyn Fn(Flow) -> Vec<Vec<u8>>,
    ) -> Outcome {
        let flow = self.flow(family, MAIL);
        for packet in opening(flow) {
            match self.fragment_size {
                Some(size) => {
                    for frame in self.line.frames_of_fragments(&packet, size) {
                        self.sends.send(&frame).unwrap();
                    }
                }
                None => self.send(&packet),
            }
        }
        // One probe shows that everything before it has arrived, if one path keeps its order; two, if two CPUs race.
        for _ in 0..2 {
            let probe = self.flow(family, PROBE);
            self.send(&probe.syn().packet());
            let answer = self.receive(|answer| flow.is_agreed_by(answer) || probe.is_agreed_by(answer));
            if flow.is_agreed_by(&answer) {
                self.send(&flow.finish(&answer).packet());
                assert!(
                    server.accepts(flow.source, PATIENCE),
                    "the server agreed to {flow:?} and does not accept it"
                );
                return Outcome::Connected;
            }
        }
        assert!(
            !server.accepts(flow.source, Duration::ZERO),
            "accepted without a handshake: {flow:?}"
        );
        Outcome::Nothing
    }

    /// A new connection to a port of the server.
    pub fn flow(&self, family: Family, port: u16) -> Flow {
        let is_wanted = |address: &&IpAddr| address.is_ipv4() == (family == Family::V4);
        let source = *self.addresses.iter().find(is_wanted).unwrap();
        let destination = Host::Internet.address(family);
        Flow::new(source, SocketAddr::new(destination, port))
    }

    /// Sends a packet.
    pub fn send(&self, packet: &[u8]) {
        self.sends.send(&self.line.frame(packet)).unwrap();
    }

    /// Sends a frame as it is.
    pub fn send_frame(&self, frame: &[u8]) {
        self.sends.send(frame).unwrap();
    }

    /// Waits for a segment, which must come.
    pub fn receive(&mut self, is_it: impl Fn(&Answer) -> bool) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let frame = self.receives.receive(deadline).unwrap();
            let frame = frame.unwrap_or_else(|| panic!("no answer, not even to a probe, in {PATIENCE:?}"));
            let answer = self.line.packet(&frame).and_then(Answer::read);
            if let Some(answer) = answer
                && is_it(&answer)
            {
                return answer;
            }
        }
    }
}
