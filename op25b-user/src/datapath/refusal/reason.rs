//! Why a program was refused on an interface, in words.

use std::{fmt, io};

use super::cause::Cause;
use crate::datapath::sys::{interfaces::Interface, requirements::denial};

/// Why the kernel or a driver refused a program on an interface, with what to do about it.
#[derive(Debug)]
pub struct Refusal {
    interface: String,
    /// The driver, by the name that `ethtool -i` shows.
    driver: Option<String>,
    error: io::Error,
    /// The kernel's own words.
    message: Option<String>,
}

impl Refusal {
    /// The kernel refused with this error and, where it can be had, this message.
    pub(crate) fn new(
        interface: &str,
        found: Option<&Interface>,
        error: io::Error,
        message: Option<String>,
    ) -> Self {
        Self {
            interface: interface.to_owned(),
            driver: found.and_then(Interface::driver),
            error,
            message,
        }
    }

    /// The error number.
    #[must_use]
    pub fn number(&self) -> Option<i32> {
        self.error.raw_os_error()
    }

    fn causes(&self) -> &'static [Cause] {
        self.number()
            .map_or(&[], |number| Cause::usual(number, self.driver.as_deref()))
    }

    /// What to do about it, as far as the cause is known.
    fn remedies(&self) -> Vec<String> {
        let causes = match self.message.as_deref() {
            // The MTU is to be changed there.
            Some(message) if message.contains("Peer MTU") => Vec::new(),
            Some(message) => Cause::named_by(message).into_iter().collect(),
            None => self.causes().to_vec(),
        };
        causes
            .into_iter()
            .filter_map(|cause| cause.remedy(&self.interface))
            .collect()
    }

    /// The driver and the error: `driver veth, No space left on device (os error 28)`.
    fn origin(&self) -> String {
        match &self.driver {
            Some(driver) => format!("driver {driver}, {}", self.error),
            None => self.error.to_string(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(denial) = denial::why(&self.error) {
            return write!(f, "{}: {denial}", self.error);
        }
        match (&self.message, self.causes()) {
            (Some(message), _) => write!(f, "{message:?} ({})", self.origin())?,
            (None, []) => f.write_str(&self.origin())?,
            (None, [Cause::NoNativeMode]) => write!(f, "the driver has no native mode ({})", self.origin())?,
            (None, causes) => {
                let names: Vec<_> = causes.iter().map(|cause| cause.name()).collect();
                write!(
                    f,
                    "usually because of {} ({}; the kernel log may name the cause)",
                    names.join(", or of "),
                    self.origin()
                )?;
            }
        }
        for remedy in self.remedies() {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(driver: &str, number: i32, message: Option<&str>) -> String {
        let refusal = Refusal {
            interface: "eth1".to_owned(),
            driver: Some(driver.to_owned()),
            error: io::Error::from_raw_os_error(number),
            message: message.map(str::to_owned),
        };
        refusal.to_string()
    }

    #[test]
    fn the_kernels_own_words_come_first_and_with_the_remedy_of_what_they_name() {
        let said = "veth: XDP expects number of rx queues not less than peer tx queues";
        assert_eq!(
            refusal("veth", libc::ENOSPC, Some(said)),
            format!(
                "\"{said}\" (driver veth, No space left on device (os error 28)); `ethtool -l eth1` shows the queues, \
                 `ethtool -L eth1` sets them"
            )
        );
        // Of an errno that usually is about something else.
        assert_eq!(
            refusal("bnxt_en", libc::EOPNOTSUPP, Some("something new")),
            "\"something new\" (driver bnxt_en, Operation not supported (os error 95))"
        );
    }

    #[test]
    fn without_words_of_the_kernel_the_usual_causes_of_the_error_are_named() {
        assert_eq!(
            refusal("ixgbe", libc::ENOMEM, None),
            "usually because of the number of queues (driver ixgbe, Cannot allocate memory (os error 12); the kernel log may \
             name the cause); `ethtool -l eth1` shows the queues, `ethtool -L eth1` sets them"
        );
        assert_eq!(
            refusal("mlx5_core", libc::EINVAL, None),
            "usually because of LRO or hardware GRO, or of an MTU at which a frame does not fit into one buffer (driver \
             mlx5_core, Invalid argument (os error 22); the kernel log may name the cause); `ethtool -K eth1 lro off rx-gro-hw \
             off` turns both off; `ip link set dev eth1 mtu 1500` makes frames fit into one buffer"
        );
        assert_eq!(
            refusal("e1000e", libc::EOPNOTSUPP, None),
            "the driver has no native mode (driver e1000e, Operation not supported (os error 95))"
        );
        assert_eq!(
            refusal("ixgbe", libc::EIO, None),
            "driver ixgbe, Input/output error (os error 5)"
        );
    }
}
