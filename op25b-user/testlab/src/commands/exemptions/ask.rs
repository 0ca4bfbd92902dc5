//! A client of the control socket: one request, one answer, each over a connection of its own.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a daemon answers.
#[derive(Clone, Debug)]
pub(super) struct Socket(PathBuf);

/// What it answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Socket {
    pub(super) fn of(runtime_dir: &Path) -> Self {
        Self(runtime_dir.join("control.sock"))
    }

    /// Sends a request; an error if there is no whole reply.
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let mut stream = UnixStream::connect(&self.0).context("cannot connect to the control socket")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = body.map_or_else(String::new, Value::to_string);
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream
            .write_all(request.as_bytes())
            .context("the request broke off")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).context("the answer broke off")?;
        let text = String::from_utf8(answer).context("the answer is not text")?;
        let (head, body) = text
            .split_once("\r\n\r\n")
            .context("the answer has no end of its head")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("the answer has no status")?;
        Ok(Answer {
            status,
            body: serde_json::from_str(body).with_context(|| format!("this is not JSON: {body}"))?,
        })
    }

    /// Sends a GET that has to succeed.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Value> {
        let Answer { status, body } = self.ask("GET", path, None)?;
        ensure!(status == 200, "GET {path} was answered {status}: {body}");
        Ok(body)
    }

    /// Everything of a list, page by page.
    pub(super) fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.get(&format!("{path}limit=1000{after}"))?;
            items.extend(
                page["items"]
                    .as_array()
                    .context("a page without items")?
                    .iter()
                    .cloned(),
            );
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(items),
            }
        }
    }

    /// Why the kernel lets a connection to port 25 pass or not, such as `exempt`.
    pub(super) fn reason(&self, source: &str) -> anyhow::Result<String> {
        let answer = self.get(&format!("/v1/explain?source={source}&port=25"))?;
        Ok(answer["reason"].as_str().unwrap_or_default().to_owned())
    }
}
