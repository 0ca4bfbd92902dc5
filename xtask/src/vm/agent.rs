//! The agent in the guest, which runs scripts there.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

/// How often it is checked whether the time is over.
const PATIENCE: Duration = Duration::from_secs(1);
/// What the agent says after a boot.
const READY: &str = "ready";

/// The connection to it.
#[derive(Debug)]
pub struct Agent {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

/// What a script printed and how it ended.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Standard output and standard error.
    pub text: String,
    /// The exit code.
    pub code: i32,
}

impl Answer {
    /// Whether the script succeeded.
    pub const fn is_good(&self) -> bool {
        self.code == 0
    }
}

impl Agent {
    /// Connects to the emulator's end of the port.
    pub fn connect(path: &Path) -> anyhow::Result<Self> {
        let writer =
            UnixStream::connect(path).with_context(|| format!("cannot connect to {}", path.display()))?;
        writer.set_read_timeout(Some(PATIENCE))?;
        let reader = BufReader::new(writer.try_clone()?);
        Ok(Self { reader, writer })
    }

    /// Waits until the guest has booted so far that the agent runs.
    pub fn wait_until_ready(&mut self, limit: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            // What a reset has cut off comes before it.
            let (_, word) = self
                .message(deadline, &mut |_| ())
                .context("the agent in the guest did not start")?;
            if word == READY {
                return Ok(());
            }
        }
    }

    /// Runs a script.
    pub fn run(&mut self, script: &str, limit: Duration) -> anyhow::Result<Answer> {
        self.follow(script, limit, &mut |_| ())
    }

    /// Runs a script, and hands over each part of what it prints meanwhile.
    pub fn follow(
        &mut self,
        script: &str,
        limit: Duration,
        seen: &mut dyn FnMut(&[u8]),
    ) -> anyhow::Result<Answer> {
        self.writer
            .write_all(script.as_bytes())
            .and_then(|()| self.writer.write_all(b"\0"))
            .context("cannot write to the agent")?;
        let (text, word) = self
            .message(Instant::now() + limit, seen)
            .with_context(|| format!("this script did not end:\n{script}"))?;
        match word.parse() {
            Ok(code) => Ok(Answer { text, code }),
            Err(_) => bail!("the guest was reset during this script:\n{script}\n{text}"),
        }
    }

    /// Sends a script after which the guest ends or is reset.
    pub fn send(&mut self, script: &str) -> anyhow::Result<()> {
        self.writer
            .write_all(format!("{script}\0").as_bytes())
            .context("cannot write to the agent")
    }

    /// A text up to its NUL, and the word after it.
    fn message(
        &mut self,
        deadline: Instant,
        seen: &mut dyn FnMut(&[u8]),
    ) -> anyhow::Result<(String, String)> {
        let text = self.read_until(0, deadline, seen)?;
        let word = self.read_until(b'\n', deadline, &mut |_| ())?;
        Ok((text, word.trim().to_owned()))
    }

    fn read_until(
        &mut self,
        end: u8,
        deadline: Instant,
        seen: &mut dyn FnMut(&[u8]),
    ) -> anyhow::Result<String> {
        let mut bytes = Vec::new();
        let mut shown = 0;
        loop {
            let result = self.reader.read_until(end, &mut bytes);
            if bytes.last() != Some(&end) {
                seen(&bytes[shown..]);
                shown = bytes.len();
            }
            match result {
                Ok(_) if bytes.last() == Some(&end) => {
                    bytes.pop();
                    seen(&bytes[shown..]);
                    return Ok(String::from_utf8_lossy(&bytes).into_owned());
                }
                Ok(_) => bail!("the emulator has closed the connection"),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if Instant::now() > deadline {
                        bail!(
                            "nothing more came in time, after:\n{}",
                            String::from_utf8_lossy(&bytes)
                        );
                    }
                }
                Err(error) => return Err(error).context("cannot read from the agent"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::unix::net::UnixListener, thread};

    use super::*;

    /// An agent that receives what is written to the other end.
    fn connected() -> (Agent, UnixStream) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("port");
        let listener = UnixListener::bind(&path).unwrap();
        let agent = Agent::connect(&path).unwrap();
        (agent, listener.accept().unwrap().0)
    }

    #[test]
    fn what_a_script_prints_ends_at_the_nul_and_its_exit_code_follows() {
        let (mut agent, mut guest) = connected();
        let other = thread::spawn(move || {
            let mut script = [0; 6];
            guest.read_exact(&mut script).unwrap();
            assert_eq!(&script, b"uname\0");
            guest.write_all(b"Linux\n\x003\n").unwrap();
        });
        let answer = agent.run("uname", Duration::from_secs(10)).unwrap();
        other.join().unwrap();
        assert_eq!((answer.text.as_str(), answer.code), ("Linux\n", 3));
        assert!(!answer.is_good());
    }

    #[test]
    fn what_a_script_prints_is_handed_over_while_it_runs() {
        let (mut agent, mut guest) = connected();
        let (told, heard) = std::sync::mpsc::channel();
        let other = thread::spawn(move || {
            guest.write_all(b"one\n").unwrap();
            // The second half only once the first one was handed over.
            let first: Vec<u8> = heard.recv().unwrap();
            guest.write_all(b"two\n\x000\n").unwrap();
            first
        });
        let answer = agent.follow("seq", Duration::from_secs(10), &mut |part| {
            told.send(part.to_vec()).unwrap_or_default();
        });
        assert_eq!(answer.unwrap().text, "one\ntwo\n");
        assert_eq!(other.join().unwrap(), b"one\n");
    }

    #[test]
    fn output_that_a_reset_has_cut_off_is_no_answer() {
        let (mut agent, mut guest) = connected();
        guest.write_all(b"half a li\0ready\n").unwrap();
        let error = agent.run("reboot", Duration::from_secs(10)).unwrap_err();
        assert!(error.to_string().contains("was reset"), "{error:#}");
    }

    #[test]
    fn the_agent_is_ready_once_it_says_so_whatever_came_before() {
        let (mut agent, mut guest) = connected();
        guest.write_all(b"cut off\x00143\n\0ready\n").unwrap();
        agent.wait_until_ready(Duration::from_secs(10)).unwrap();
    }
}
