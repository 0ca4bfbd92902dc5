//! The scripts by which shells complete op25b's command lines: they ask op25b itself, which knows its commands and asks the
//! daemon for ids, customers and pools.

use anyhow::Context as _;
use clap_complete::env::Shells;
use op25b::cli::COMPLETE;

/// The script for bash.
const BASH: &str = include_str!("op25b.bash");
/// Where bash-completion loads scripts from.
const BASH_PATH: &str = "usr/share/bash-completion/completions/op25b";
/// The shells with a script of clap's, and where each one's vendors install them.
const OTHERS: [(&str, &str); 2] = [
    ("zsh", "usr/share/zsh/vendor-completions/_op25b"),
    ("fish", "usr/share/fish/vendor_completions.d/op25b.fish"),
];

/// Every script with its path.
pub fn scripts() -> anyhow::Result<Vec<(String, String)>> {
    let shells = Shells::builtins();
    let mut scripts = vec![(BASH_PATH.to_owned(), BASH.to_owned())];
    for (shell, path) in OTHERS {
        let completer = shells
            .completer(shell)
            .with_context(|| format!("{shell} is not supported"))?;
        let mut script = Vec::new();
        completer.write_registration(COMPLETE, "op25b", "op25b", "op25b", &mut script)?;
        scripts.push((path.to_owned(), String::from_utf8(script)?));
    }
    Ok(scripts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_starts_op25b_with_the_variable_that_it_looks_for() {
        for (path, script) in scripts().expect("all shells are supported") {
            assert!(script.contains(&format!("{COMPLETE}=")), "{path}: {script}");
        }
    }
}
