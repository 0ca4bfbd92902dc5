//! Changes a policy file as an operator would: adds an exemption, sets a date.

use std::{fs, net::IpAddr, path::Path};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;

/// Copies a policy file and adds an exemption for these addresses.
pub(super) fn with_exemption(from: &Path, to: &Path, addresses: &[IpAddr]) -> anyhow::Result<()> {
    change(from, to, |text| add(text, addresses))
}

/// Copies a policy file whose pool is monitored until a date, and that shows packets as events.
pub(super) fn with_date(from: &Path, to: &Path, date: Timestamp) -> anyhow::Result<()> {
    change(from, to, |text| announce(text, date))
}

fn change(from: &Path, to: &Path, change: impl FnOnce(&str) -> anyhow::Result<String>) -> anyhow::Result<()> {
    let text = fs::read_to_string(from).with_context(|| format!("cannot read {}", from.display()))?;
    let text = change(&text).with_context(|| format!("cannot change {}", from.display()))?;
    fs::write(to, text).with_context(|| format!("cannot write {}", to.display()))
}

fn announce(policy: &str, date: Timestamp) -> anyhow::Result<String> {
    const MODE: &str = "    mode: enforce\n";
    ensure!(policy.contains(MODE), "there is no pool in it that is enforced");
    let announced = policy.replacen(MODE, &format!("    enforce_from: {date}\n"), 1);
    Ok(format!("{announced}\nevents: {{}}\n"))
}

fn add(policy: &str, addresses: &[IpAddr]) -> anyhow::Result<String> {
    const LIST: &str = "\nexemptions:\n";
    ensure!(policy.contains(LIST), "there is no list of exemptions in it");
    let prefixes = addresses
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let exemption =
        format!("  - {{ customer: A mail server at home, prefixes: [{prefixes}], ticket: LAB-2 }}\n");
    Ok(policy.replacen(LIST, &format!("{LIST}{exemption}"), 1))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_exemption_is_added_to_those_that_are_there() {
        let policy = "version: 1\nexemptions:\n  - { customer: B }\n";
        let added = add(policy, &[Ipv4Addr::new(198, 51, 100, 10).into()]).unwrap();
        let list: Vec<_> = added.lines().skip(1).collect();
        assert_eq!(list.len(), 3);
        assert!(list[1].contains("prefixes: [198.51.100.10]"), "{added}");
        add("version: 1\n", &[]).unwrap_err();
    }

    #[test]
    fn the_date_takes_the_place_of_the_mode_and_events_are_shown() {
        let date = "2027-04-01T00:00:00Z".parse().unwrap();
        let announced = announce("pools:\n  - name: a\n    mode: enforce\n", date).unwrap();
        assert_eq!(
            announced,
            "pools:\n  - name: a\n    enforce_from: 2027-04-01T00:00:00Z\n\nevents: {}\n"
        );
        announce("pools:\n", date).unwrap_err();
    }
}
