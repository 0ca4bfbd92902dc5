//! Adds an exemption to a policy file, as an operator would.

use std::{fs, net::IpAddr, path::Path};

use anyhow::{Context as _, ensure};

/// Copies a policy file and adds an exemption for these addresses.
pub(super) fn with_exemption(from: &Path, to: &Path, addresses: &[IpAddr]) -> anyhow::Result<()> {
    let text = fs::read_to_string(from).with_context(|| format!("cannot read {}", from.display()))?;
    let text = add(&text, addresses).with_context(|| format!("cannot add to {}", from.display()))?;
    fs::write(to, text).with_context(|| format!("cannot write {}", to.display()))
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
}
