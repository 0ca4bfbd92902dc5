//! The names of users, from this machine's own file: a directory service may never answer.

use std::fs;

/// The user's name; its number, as `uid 1000`, if the machine has none for it.
pub(crate) fn name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&users, uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
}

/// The user in words that `chown` takes.
pub(crate) fn for_chown(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&users, uid).map_or_else(|| uid.to_string(), str::to_owned)
}

/// Parses lines such as `root:x:0:0:root:/root:/bin/bash`.
fn name_in(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == uid).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_and_one_without_a_name_goes_by_the_number() {
        let users =
            "root:x:0:0:root:/root:/bin/bash\n# a remark\nop25b:x:991:991::/nonexistent:/usr/sbin/nologin\n";
        assert_eq!(name_in(users, 0), Some("root"));
        assert_eq!(name_in(users, 991), Some("op25b"));
        assert_eq!(name_in(users, 99), None);
        assert_eq!(name(3_999_999_999), "uid 3999999999");
        assert_eq!(for_chown(3_999_999_999), "3999999999");
    }
}
