//! The names of interfaces as file names of a BPF file system, which allows no dots in them.

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;

/// An interface's name with every byte that is not a letter, a digit, `-` or `_` written as `%` and two hexadecimal digits.
pub(super) fn escaped(interface: &str) -> String {
    let mut name = String::new();
    for byte in interface.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            name.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(name, "%{byte:02x}");
        }
    }
    name
}

/// The inverse of [`escaped`]; what is not escaped stays as it is.
pub(super) fn unescaped(name: &str) -> String {
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_has_a_name_without_dots_and_its_own() {
        for name in ["eth1", "eth0.100", "eth0%2e100", "a%", "br-lan_1", "イ"] {
            let escaped = escaped(name);
            assert!(!escaped.contains(['.', '/']), "{escaped}");
            assert_eq!(unescaped(&escaped), name);
        }
        assert_eq!(escaped("eth0.100"), "eth0%2e100");
    }
}
