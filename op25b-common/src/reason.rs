//! The verdict on a packet and the reason for it: one enum each for counters, `explain`, logs and documents.

/// What happens to the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Verdict {
    /// The packet goes on to the kernel untouched.
    Pass = 0,
    /// The packet is discarded without an answer.
    Drop = 1,
    /// The packet is discarded, and its sender is notified.
    Reject = 2,
}

impl Verdict {
    /// The word used in output, JSON and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Drop => "drop",
            Self::Reject => "reject",
        }
    }

    /// The verdict with this number, as stored in a map.
    #[must_use]
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Pass),
            1 => Some(Self::Drop),
            2 => Some(Self::Reject),
            _ => None,
        }
    }
}

/// The row of the verdict table that decided; the first row that matches wins.
///
/// The order of the variants is the order of the table, and their number is the index into the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Reason {
    /// No IPv4 or IPv6 under the Ethernet, VLAN and `PPPoE` headers.
    NotIp = 0,
    /// The upper protocol, after every IPv6 extension header, is not TCP.
    NotTcp = 1,
    /// A fragment that starts after the first 8 bytes of the TCP header: useless without its first fragment.
    LaterFragment = 2,
    /// The ports cannot be read (RFC 1858, RFC 3128, RFC 7112, truncation).
    Uninspectable = 3,
    /// The destination port is not a blocked one.
    OtherPort = 4,
    /// The source is in no pool and in no exemption.
    NotPooled = 5,
    /// The destination is one of the ISP's own mail servers.
    Relay = 6,
    /// An unexpired exemption covers the source, and the destination if it names any.
    Exempt = 7,
    /// The policy blocks new connections only, and this segment belongs to an established one.
    Established = 8,
    /// The pool is not enforced towards this destination now: it is in monitor mode, or its date is not reached.
    Monitored = 9,
    /// None of the rows above: outbound mail from a dynamic address.
    Blocked = 10,
}

impl Reason {
    /// Every reason, in the order of the table.
    pub const ALL: [Self; 11] = [
        Self::NotIp,
        Self::NotTcp,
        Self::LaterFragment,
        Self::Uninspectable,
        Self::OtherPort,
        Self::NotPooled,
        Self::Relay,
        Self::Exempt,
        Self::Established,
        Self::Monitored,
        Self::Blocked,
    ];

    /// How many reasons there are: the size of the counters.
    pub const COUNT: usize = Self::ALL.len();

    /// The length of the longest name of a counted reason: the width of the column of reasons in logs and `op25b status`.
    pub const NAME_WIDTH: usize = {
        let mut width = 0;
        let mut index = 0;
        while index < Self::COUNT {
            let reason = Self::ALL[index];
            if reason.is_counted() && reason.name().len() > width {
                width = reason.name().len();
            }
            index += 1;
        }
        width
    };

    /// The word used in counters, output, JSON and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotIp => "not_ip",
            Self::NotTcp => "not_tcp",
            Self::LaterFragment => "later_fragment",
            Self::Uninspectable => "uninspectable",
            Self::OtherPort => "other_port",
            Self::NotPooled => "not_pooled",
            Self::Relay => "relay",
            Self::Exempt => "exempt",
            Self::Established => "established",
            Self::Monitored => "monitored",
            Self::Blocked => "blocked",
        }
    }

    /// The reason with this number, as stored in a map.
    #[must_use]
    pub const fn from_u32(value: u32) -> Option<Self> {
        if (value as usize) < Self::COUNT {
            Some(Self::ALL[value as usize])
        } else {
            None
        }
    }

    /// Whether the program counts packets with this reason.
    ///
    /// The others are nearly all traffic: counting them would touch a map for every packet of a city.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        !matches!(
            self,
            Self::NotIp | Self::NotTcp | Self::LaterFragment | Self::OtherPort
        )
    }
}

const _: () = {
    let mut index = 0;
    while index < Reason::COUNT {
        assert!(
            Reason::ALL[index] as usize == index,
            "Reason::ALL is in the order of the table"
        );
        index += 1;
    }
};
