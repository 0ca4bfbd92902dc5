//! The other end of a bot's `PPPoE` session or tunnel, in user space: the kernel after it gets plain packets.
//!
//! A broadband access server on the router, or on the server's host a DS-Lite AFTR, a 6in4 relay, an L2TP network server.

use std::{
    io::Read as _,
    net::{IpAddr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use op25b_testlab::{
    lab::{ACCESS, Family, Host, Lab},
    packet_socket::PacketSocket,
    tun::Tun,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    line::{Line, ROUTER, Tunnel, link_payload},
    stage::ip,
};

/// The interface that the plain packets come from and go to, if those of a tunnel of this level do.
fn inner(level: u8) -> String {
    format!("inner{level}")
}

/// Ends `PPPoE` sessions on the router, until the process ends.
pub fn end_sessions(lab: &Lab, line: Line, addresses: &[IpAddr]) {
    let (mut inbound, outbound, tun) = lab
        .host(Host::Router)
        .run(|| {
            Ok((
                PacketSocket::open(ACCESS)?,
                PacketSocket::open(ACCESS)?,
                Tun::create(&inner(0))?,
            ))
        })
        .unwrap();
    route(lab, Host::Router, 0, addresses);
    let mut into_kernel = tun.handle().unwrap();
    thread::spawn(move || -> anyhow::Result<()> {
        loop {
            // The socket also receives what the router sends.
            let frame = inbound.receive(Instant::now() + Duration::from_secs(1))?;
            if let Some(frame) = frame.filter(|frame| frame.starts_with(&ROUTER))
                && let Some(packet) = link_payload(&frame)
            {
                // Padding, or a packet that this kernel refuses: the next frame may be better.
                let _ = into_kernel.send(packet);
            }
        }
    });
    serve(tun, move |packet| outbound.send(&line.frame_from_router(packet)));
}

/// Ends a bot's tunnel on the server's host, until the process ends.
pub fn end_tunnel(lab: &Lab, tunnel: Tunnel, addresses: &[IpAddr]) {
    let domain = match tunnel.outer {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    let protocol = Protocol::from(i32::from(tunnel.protocol));
    let (socket, tun) = lab
        .host(Host::Internet)
        .run(move || {
            Ok((
                Socket::new(domain, Type::RAW, Some(protocol))?,
                Tun::create(&inner(tunnel.level))?,
            ))
        })
        .unwrap();
    route(lab, Host::Internet, tunnel.level, addresses);
    // A raw IPv4 socket hands over the outer header too, an IPv6 one does not.
    let outer_length = match tunnel.outer {
        Family::V4 => 20,
        Family::V6 => 0,
    };
    let mut inbound = socket.try_clone().unwrap();
    let mut into_kernel = tun.handle().unwrap();
    thread::spawn(move || -> anyhow::Result<()> {
        let mut packet = vec![0; 2048];
        loop {
            let length = inbound.read(&mut packet)?;
            if let Some(inner) = packet[..length].get(outer_length + tunnel.header_length()..) {
                let _ = into_kernel.send(inner);
            }
        }
    });
    let bot = SocketAddr::new(tunnel.here(), 0).into();
    serve(tun, move |packet| {
        socket.send_to(&[&tunnel.header(packet), packet].concat(), &bot)?;
        Ok(())
    });
}

/// Hands over what the kernel sends to the inner addresses.
fn serve(mut tun: Tun, send: impl Fn(&[u8]) -> anyhow::Result<()> + Send + 'static) {
    thread::spawn(move || -> anyhow::Result<()> {
        loop {
            let packet = tun.receive()?;
            // The kernel also sends packets of its own, such as router solicitations from an address that is not ours.
            let _ = send(&packet);
        }
    });
}

fn route(lab: &Lab, host: Host, level: u8, addresses: &[IpAddr]) {
    let inner = inner(level);
    let mut commands = vec![format!("link set {inner} up")];
    commands.extend(
        addresses
            .iter()
            .map(|address| format!("route add {address} dev {inner}")),
    );
    ip(lab, host, &commands);
    lab.host(host)
        .run(move || {
            for interface in ["all", &inner] {
                std::fs::write(format!("/proc/sys/net/ipv4/conf/{interface}/rp_filter"), "0")?;
            }
            Ok(())
        })
        .unwrap();
}
