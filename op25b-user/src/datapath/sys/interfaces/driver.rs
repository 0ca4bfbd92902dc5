//! The driver of an interface.

use std::{fs, path::Path};

use super::Interface;

impl Interface {
    /// The driver's name, as `ethtool -i` shows it: for hardware that of its device, for virtual interfaces their kind; none if
    /// it is not known.
    ///
    /// Devices are found by their place on a bus, not by the interface's name: sysfs may be that of another network namespace.
    #[must_use]
    pub fn driver(&self) -> Option<String> {
        let Some((bus, device)) = &self.device else {
            return self.kind.clone();
        };
        let link = Path::new("/sys/bus")
            .join(bus)
            .join("devices")
            .join(device)
            .join("driver");
        let driver = fs::read_link(link).ok()?;
        Some(driver.file_name()?.to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_of_a_virtual_interface_is_its_kind_and_one_that_is_not_found_is_not_known() {
        let virtual_one = Interface {
            kind: Some("veth".to_owned()),
            ..Interface::default()
        };
        assert_eq!(virtual_one.driver().as_deref(), Some("veth"));
        let unknown = Interface {
            device: Some(("pci".to_owned(), "ffff:ff:1f.7".to_owned())),
            ..Interface::default()
        };
        assert_eq!(unknown.driver(), None);
        assert_eq!(Interface::default().driver(), None);
    }
}
