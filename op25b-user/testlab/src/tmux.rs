//! A terminal in which a test presses keys and sees what a person would (tmux).

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::process::output_of;

/// How long something may take that is bound to happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// A terminal with a shell in it; dropping it ends both. The shell is where [`Terminal::start`] is called: in the network namespace
/// of that thread.
#[derive(Debug)]
pub struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Starts one of this size, with files in a directory of its own.
    pub fn start<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        directory: &Path,
        (width, height): (u16, u16),
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> anyhow::Result<Self> {
        let socket = directory.join("tmux.sock");
        let config = directory.join("tmux.conf");
        fs::write(
            &config,
            "set -g default-terminal tmux-256color\nset -g status off\n",
        )
        .with_context(|| format!("cannot write {}", config.display()))?;
        let mut command = Command::new("tmux");
        command
            .args(["-u", "-S"])
            .arg(&socket)
            .arg("-f")
            .arg(&config)
            .args(["new-session", "-d"])
            .args(["-x", &width.to_string(), "-y", &height.to_string()])
            .arg("env PS1='$ ' sh -i")
            .env("LC_ALL", "C.UTF-8")
            .env_remove("TMUX")
            .env_remove("NO_COLOR")
            .envs(variables)
            .current_dir(directory);
        output_of(&mut command).context("cannot start tmux (`cargo xtask setup --tests`)")?;
        let terminal = Self { socket };
        terminal.wait_for("$")?;
        Ok(terminal)
    }

    /// Presses keys, by tmux's names.
    pub fn press(&self, keys: &[&str]) -> anyhow::Result<()> {
        self.run(&[&["send-keys"], keys].concat()).map(|_| ())
    }

    /// Types a text.
    pub fn type_text(&self, text: &str) -> anyhow::Result<()> {
        self.run(&["send-keys", "-l", text]).map(|_| ())
    }

    /// Types a line into the shell.
    pub fn type_line(&self, text: &str) -> anyhow::Result<()> {
        self.type_text(text)?;
        self.press(&["Enter"])
    }

    /// Gives it another size.
    pub fn resize(&self, (width, height): (u16, u16)) -> anyhow::Result<()> {
        let (width, height) = (width.to_string(), height.to_string());
        self.run(&["resize-window", "-x", &width, "-y", &height])
            .map(|_| ())
    }

    /// What it shows.
    pub fn screen(&self) -> anyhow::Result<String> {
        self.run(&["capture-pane", "-p"])
    }

    /// The same with the sequences for colours.
    pub fn coloured_screen(&self) -> anyhow::Result<String> {
        self.run(&["capture-pane", "-p", "-e"])
    }

    /// The process that the shell has started and waits for.
    pub fn child(&self) -> anyhow::Result<i32> {
        let shell = self.run(&["display-message", "-p", "#{pane_pid}"])?;
        let shell = shell.trim();
        let children = format!("/proc/{shell}/task/{shell}/children");
        let text = fs::read_to_string(&children).with_context(|| format!("cannot read {children}"))?;
        let child = text.split_whitespace().next().context("the shell has no child")?;
        child.parse().context("a process id")
    }

    /// Waits until a text is shown; returns the screen.
    pub fn wait_for(&self, text: &str) -> anyhow::Result<String> {
        self.wait_until(text, |screen| screen.contains(text))
    }

    /// Waits until the screen is as it should be; returns it.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen()?;
            if is_so(&screen) {
                return Ok(screen);
            }
            if Instant::now() > deadline {
                bail!("the terminal does not show within {PATIENCE:?}: {what}\n{screen}");
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn run(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(words);
        output_of(&mut command)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.run(&["kill-server"]);
    }
}
