//! The limit on open file descriptors.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit to the highest that this process may set: each interface and each map takes a descriptor, twice while a
/// filter is replaced, and the usual limit of 1024 is that of programs with `select`.
pub(in crate::cli) fn raise_limit() {
    // Where it is refused, the limit before holds, and opening too many is reported.
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_becomes_the_highest_that_is_allowed() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        raise_limit();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
    }
}
