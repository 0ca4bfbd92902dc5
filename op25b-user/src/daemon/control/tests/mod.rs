//! The control socket without a daemon, a kernel or root.

mod alerts;
mod crowd;
mod document;
mod events;
mod reads;
mod refusals;
mod roles;
mod routes;
mod sessions;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request as HttpRequest, StatusCode},
};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tower::ServiceExt as _;
use ulid::Ulid;

use super::{
    Newest, View, limits, reads::OpenReader, roles::Role, routes::router, server::Credentials, shared::Shared,
};
use crate::{
    api::{
        Added, Exemption, Explained, Extended, ImportExemptions, Imported, PauseAnswer, Problem, ProblemKind,
        RemoveExemptions, Removed, RemovedExemptions, Restored,
    },
    daemon::{
        events::scrapes::Scrape,
        request::{Question, Request},
    },
    enforcer::Connection,
    policy::{ReachedDates, parse},
    report::{DaemonReport, Enforcement, EventCount, ExemptionReport, HistoryReport, ReloadAnswer},
    store::{
        Record, Records, StoreError,
        fake::{Fake, record},
    },
};

const POLICY: &str = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools: [{ name: homes, prefixes: [198.51.100.0/24] }]
exemptions:
  - { id: a7, customer: Example KK, prefixes: [198.51.100.8/29] }
";

/// A user of each role.
const OPERATOR: Credentials = Credentials {
    uid: 0,
    role: Role::Everything,
};
const DESK: Credentials = Credentials {
    uid: 3_999_999_998,
    role: Role::Desk,
};
const VIEWER: Credentials = Credentials {
    uid: 3_999_999_999,
    role: Role::View,
};

/// A control socket's router, and a stand-in for the daemon that notes the requests that it gets.
struct Fixture {
    router: Router,
    asked: mpsc::UnboundedReceiver<String>,
    newest: Newest,
}

/// A response.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

fn view() -> View {
    View {
        report: DaemonReport {
            pauses: Vec::new(),
            exemptions: ExemptionReport::default(),
            history: Some(HistoryReport {
                bucket_seconds: 600,
                keep_seconds: 90 * 86_400,
                max_bytes: 2 << 30,
                bytes: None,
                rows: None,
                oldest: None,
                newest: None,
                is_full: false,
            }),
            pid: 1,
            version: "0.0.0".to_owned(),
            policy_file: PathBuf::from("/etc/op25b/policy.yaml"),
            state_dir: Some(PathBuf::from("/var/lib/op25b")),
            policy_sha256: String::new(),
            loaded_at: Timestamp::UNIX_EPOCH,
            loaded_by: None,
            lists: Vec::new(),
            reloads: 0,
            refused_reloads: 0,
            last_reload: None,
            unconfirmed_reload: None,
            went_back: None,
            state: Enforcement::Open,
            interfaces: Vec::new(),
            faults: Vec::new(),
        },
        pins: PathBuf::from("/sys/fs/bpf/op25b"),
        reached: ReachedDates::default(),
        interfaces: Vec::new(),
        policy: Arc::new(parse("policy.yaml", POLICY).unwrap().policy),
    }
}

fn stored() -> Record {
    record(1, "Sample GK", "198.51.100.16/29")
}

fn open_fake() -> OpenReader {
    Arc::new(|| Ok(Box::new(Fake::of([stored()])) as Box<dyn Records>))
}

fn shared(
    requests: mpsc::Sender<Request>,
    questions: mpsc::Sender<Question>,
    open_reader: OpenReader,
    view: View,
    note: mpsc::UnboundedSender<String>,
    newest: Newest,
) -> Shared {
    let (_, seen) = watch::channel(Some(Arc::new(view)));
    let (scrapes, mut asked) = mpsc::channel::<Scrape>(1);
    tokio::spawn(async move {
        while let Some(scrape) = asked.recv().await {
            match scrape {
                Scrape::Metrics(_, answer) => drop(answer.send("op25b_reloads_total 0\n".to_owned())),
                Scrape::Note(operation, answer) => {
                    let (what, by) = (operation.what.name(), operation.by.uid);
                    let _ = note.send(format!("{what} by {by}: {:?}", operation.reason));
                    let _ = answer.send(());
                }
                Scrape::EventCounts(answer) => drop(answer.send(vec![EventCount {
                    reason: "blocked".to_owned(),
                    shown: 3,
                    sampled_out: 2,
                    lost: 1,
                }])),
                // There is no filter to read, and no history.
                Scrape::Filter(_) | Scrape::Records(_) | Scrape::Forget(..) => {}
                Scrape::Cut(subscribers, answer) => {
                    let _ = note.send(format!("cut {subscribers:?}"));
                    let _ = answer.send(());
                }
            }
        }
    });
    Shared::new(requests, questions, seen, open_reader, scrapes, newest)
}

impl Fixture {
    fn new() -> Self {
        Self::reading(open_fake())
    }

    fn reading(open_reader: OpenReader) -> Self {
        Self::showing(open_reader, view())
    }

    /// With sessions in a directory.
    fn with_sessions_in(state_dir: &Path) -> Self {
        let mut view = view();
        view.report.state_dir = Some(state_dir.to_owned());
        Self::showing(open_fake(), view)
    }

    /// With another policy.
    fn with_policy(text: &str) -> Self {
        let mut view = view();
        view.policy = Arc::new(parse("policy.yaml", text).unwrap().policy);
        Self::showing(open_fake(), view)
    }

    fn showing(open_reader: OpenReader, view: View) -> Self {
        let (requests, received) = mpsc::channel(limits::QUEUE);
        let (note, asked) = mpsc::unbounded_channel();
        tokio::spawn(daemon(received, note.clone()));
        let (questions, received) = mpsc::channel(limits::QUEUE);
        tokio::spawn(explain(received, note.clone()));
        let newest = Newest::default();
        let shared = shared(requests, questions, open_reader, view, note, newest.clone());
        Self {
            router: router(shared),
            asked,
            newest,
        }
    }

    async fn send(&self, credentials: Credentials, request: HttpRequest<Body>) -> Reply {
        let mut request = request;
        request.extensions_mut().insert(credentials);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// Asks as an operator, without a body.
    async fn ask(&self, method: Method, uri: &str) -> Reply {
        self.send(OPERATOR, request(method, uri, "")).await
    }

    async fn get(&self, uri: &str) -> Reply {
        self.ask(Method::GET, uri).await
    }

    /// Posts JSON as an operator.
    async fn post(&self, uri: &str, body: &str) -> Reply {
        self.send(OPERATOR, request(Method::POST, uri, body)).await
    }

    /// The next request that the daemon got, if it got one.
    fn asked(&mut self) -> Option<String> {
        self.asked.try_recv().ok()
    }
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts that this is a problem; returns its detail.
    #[track_caller]
    fn problem(&self, status: u16, word: &str) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}",
            self.text
        );
        let problem: Problem = serde_json::from_str(&self.text).unwrap();
        assert_eq!(
            (self.status.as_u16(), problem.status, problem.kind.as_str()),
            (status, status, format!("urn:op25b:problem:{word}").as_str()),
            "{}",
            self.text
        );
        problem.detail
    }
}

fn request(method: Method, uri: &str, body: &str) -> HttpRequest<Body> {
    HttpRequest::builder()
        .method(method)
        .uri(uri)
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

/// Answers as a daemon does that has nothing against anything.
async fn daemon(mut requests: mpsc::Receiver<Request>, note: mpsc::UnboundedSender<String>) {
    while let Some(request) = requests.recv().await {
        let exemption = Exemption::stored(stored(), Timestamp::UNIX_EPOCH);
        let verdict = verdict();
        let noted = match request {
            Request::Reload {
                dry_run,
                confirm_within,
                answer,
                ..
            } => {
                let refused = (!dry_run).then(|| "line 5".to_owned());
                let _ = answer.send(ReloadAnswer {
                    dry_run,
                    refused,
                    ..ReloadAnswer::default()
                });
                match confirm_within {
                    Some(within) => format!("reload, confirmed within {within:?}"),
                    None => format!("reload {dry_run}"),
                }
            }
            Request::Confirm { answer, caller } => {
                let _ = answer.send(Err(Problem::new(
                    ProblemKind::Conflict,
                    "no reload waits for a confirmation",
                )));
                format!("confirm {}", caller.actor.uid)
            }
            Request::Pause { pause, answer, .. } => {
                let _ = answer.send(Ok(PauseAnswer::default()));
                let lasts = pause.lasts.as_deref().unwrap_or("ever");
                format!("pause {:?} for {lasts}: {}", pause.pools, pause.reason)
            }
            Request::Resume { resume, answer, .. } => {
                let _ = answer.send(Ok(PauseAnswer::default()));
                format!("resume {:?}: {:?}", resume.pools, resume.reason)
            }
            Request::Add {
                exemption: new,
                caller,
                answer,
            } => {
                let _ = answer.send(Ok(Added {
                    exemption,
                    verdict: Some(verdict),
                    warnings: Vec::new(),
                }));
                format!("add {} {caller:?}", new.customer)
            }
            Request::Extend {
                id, extend, answer, ..
            } => {
                let _ = answer.send(if id == Ulid::from(1).to_string() {
                    Ok(Extended {
                        exemption,
                        verdict: Some(verdict),
                        warnings: Vec::new(),
                    })
                } else {
                    Err(Problem::read_only("edit the file"))
                });
                format!("extend {id} {}", extend.expires)
            }
            Request::Remove {
                id, reason, answer, ..
            } => {
                let _ = answer.send(Ok(Removed {
                    exemption,
                    verdict: Some(verdict),
                    warnings: Vec::new(),
                }));
                format!("remove {id} {reason}")
            }
            Request::RemoveMany { remove, answer, .. } => {
                let _ = answer.send(Ok(removed_many(&remove, exemption)));
                format!("remove many {:?} {:?}", remove.batch, remove.prefix)
            }
            Request::Restore {
                id, restore, answer, ..
            } => {
                let _ = answer.send(Ok(Restored {
                    exemption,
                    verdict: Some(verdict),
                    warnings: Vec::new(),
                }));
                format!("restore {id} {:?} {:?}", restore.expires, restore.reason)
            }
            Request::Import { import, answer, .. } => {
                let added = import.exemptions.len();
                let _ = answer.send(Ok(imported(&import)));
                format!("import {added}")
            }
        };
        let _ = note.send(noted);
    }
}

fn removed_many(remove: &RemoveExemptions, exemption: Exemption) -> RemovedExemptions {
    RemovedExemptions {
        dry_run: remove.dry_run,
        removed: 1,
        exemptions: vec![exemption],
        verdict: None,
    }
}

fn imported(import: &ImportExemptions) -> Imported {
    Imported {
        dry_run: import.dry_run,
        added: import.exemptions.len(),
        batch: None,
        unchanged: 0,
        lapsed: 0,
        removed_before: 0,
        removed_before_ids: Vec::new(),
        warnings: Vec::new(),
        new_generation: false,
    }
}

fn verdict() -> Explained {
    Explained::fake("198.51.100.16", "pass", "exempt")
}

/// Answers every question in the same way.
async fn explain(mut questions: mpsc::Receiver<Question>, note: mpsc::UnboundedSender<String>) {
    while let Some(Question { connection, answer }) = questions.recv().await {
        let Connection { source, port, .. } = connection;
        let _ = answer.send(Ok(verdict()));
        let _ = note.send(format!("explain {source} {port}"));
    }
}

/// A store that cannot be opened.
fn open_nothing() -> OpenReader {
    Arc::new(|| {
        Err(StoreError::Damaged {
            path: PathBuf::from("/var/lib/op25b/exemptions.db"),
            why: "it is not what it was".to_owned(),
        })
    })
}
