//! Tables of what people write, and what they are told to write instead.

use super::not_a_prefix;

/// The message and the hint about a text.
fn told(text: &str) -> String {
    let diagnostic = not_a_prefix(text);
    format!("{}; {}", diagnostic.message, diagnostic.hint.unwrap_or_default())
}

#[test]
fn a_mask_is_answered_with_the_prefix_that_it_stands_for() {
    for (text, kind, hint) in [
        (
            "198.51.100.40/255.255.255.248",
            "netmask",
            "write 198.51.100.40/29",
        ),
        (
            "198.51.100.40 255.255.255.248",
            "netmask",
            "write 198.51.100.40/29",
        ),
        ("198.51.100.40/0xfffffff8", "netmask", "write 198.51.100.40/29"),
        (
            "198.51.100.40/255.255.255.255",
            "netmask",
            "write 198.51.100.40/32",
        ),
        (
            "2001:db8:100::/ffff:ffff:ffff::",
            "netmask",
            "write 2001:db8:100::/48",
        ),
        ("198.51.100.40/0.0.0.7", "wildcard mask", "write 198.51.100.40/29"),
        ("198.51.100.40 0.0.0.7", "wildcard mask", "write 198.51.100.40/29"),
        (
            "198.51.100.41/255.255.255.248",
            "netmask",
            "write 198.51.100.40/29 for the prefix, or 198.51.100.41/32 for this one address",
        ),
        (
            "198.51.100.41/0.0.0.7",
            "wildcard mask",
            "write 198.51.100.40/29 for the prefix, or 198.51.100.41/32 for this one address",
        ),
        (
            "198.51.100.40/0.0.0.0",
            "one as a wildcard mask",
            "write 198.51.100.40/32 for this one address",
        ),
        (
            "198.51.100.40/255.0.255.0",
            "a mask with gaps",
            "write the prefixes that it consists of",
        ),
    ] {
        let told = told(text);
        assert!(
            told.contains(kind) && told.ends_with(&format!("; {hint}")),
            "{told}"
        );
    }
}

#[test]
fn no_hint_names_another_prefix_than_the_text() {
    for (text, hint) in [
        ("198.51.100.0/024", "write 198.51.100.0/24"),
        ("198.51.100.0/+24", "write 198.51.100.0/24"),
        ("198.51.100.0 / 24", "write 198.51.100.0/24"),
        ("198.51.100.0\\24", "write 198.51.100.0/24"),
        ("198.51.100/24", "write 198.51.100.0/24"),
        ("198.51.100./24", "write 198.51.100.0/24"),
        ("10/8", "write 10.0.0.0/8"),
        ("2001:db8/32", "write 2001:db8::/32"),
        ("2001:db8:100:8:/64", "write 2001:db8:100:8::/64"),
        ("198.51.100.*", "write 198.51.100.0/24"),
        ("198.51.x.x", "write 198.51.0.0/16"),
        ("198.051.100.008", "write 198.51.100.8/32"),
        ("198.051.100.008/29", "write 198.51.100.8/29"),
        ("198.51.100.40-198.51.100.47", "write 198.51.100.40/29"),
        ("198.51.100.40 - 198.51.100.47", "write 198.51.100.40/29"),
        ("198.51.100.40–47", "write 198.51.100.40/29"),
        (
            "198.51.100.40～198.51.100.48",
            "write 198.51.100.40/29 and 198.51.100.48/32",
        ),
        (
            "198.51.100.1-198.51.100.254",
            "write the prefixes that it consists of",
        ),
        (
            "198.51.100.47-40",
            "its end is before its beginning: write prefixes",
        ),
        (
            "2001:db8::-2001:db8:0:ffff:ffff:ffff:ffff:ffff",
            "write 2001:db8::/48",
        ),
        ("'198.51.100.8/29'", "write 198.51.100.8/29"),
        ("“198.51.100.8”", "write 198.51.100.8/32"),
        ("１９８．５１．１００．８／２９", "write 198.51.100.8/29"),
        ("198.51.100.8:25", "write 198.51.100.8/32"),
        ("[2001:db8::25]:25", "write 2001:db8::25/128"),
        ("[2001:db8::]/48", "write 2001:db8::/48"),
        ("fe80::1%eth0", "write fe80::1/128"),
        ("198.51.100.8/29,", "write 198.51.100.8/29"),
        (
            "198.51.100.8/29, 198.51.100.16/29",
            "write each as an item of its own: `198.51.100.8/29`, `198.51.100.16/29`",
        ),
        (
            "198.51.100.8/198.51.100.9",
            "write each as an item of its own; after the slash is the length of a prefix",
        ),
        (
            "198.51.100.0/33",
            "/32 is one address, and a smaller number is a larger prefix",
        ),
        (
            "2001:db8::/129",
            "/128 is one address, and a smaller number is a larger prefix",
        ),
        (
            "198.51.100.0/x",
            "/32 is one address, and a smaller number is a larger prefix",
        ),
        ("198.51.100.0/", "write a number from 0 to 32; /32 is one address"),
        (
            "mail.example.com",
            "names are not looked up: write the address, such as 198.51.100.8",
        ),
        ("198.51.100.8\u{200b}", "remove it, or type the prefix anew"),
    ] {
        let told = told(text);
        assert!(told.ends_with(&format!("; {hint}")), "{text}: {told}");
    }
}

#[test]
fn what_could_be_anything_is_told_the_form_of_a_prefix() {
    for text in [
        "",
        "198",
        "198.51.100",
        "198.51.100.300",
        "198.51.100.8.9",
        "any",
        "-",
        "10/24",
        "2001:db8",
        "/29",
        "a/29/29",
    ] {
        let told = told(text);
        assert!(
            told.ends_with("write an address and a prefix length, such as 198.51.100.8/29 or 2001:db8::/48"),
            "{told}"
        );
    }
}
