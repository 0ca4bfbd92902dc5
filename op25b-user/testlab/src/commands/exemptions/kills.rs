//! `kill -9` at any moment: no acknowledged write is lost, and kernel and store agree.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::json;

use super::{
    ask::Socket,
    clients::{disagreements, listed},
    scene::{Scene, address},
};
use crate::interrupt;

const KILLS: u32 = 200;
/// The addresses that exemptions come and go for.
const ADDRESSES: u32 = 64;
/// How long a daemon may live, in milliseconds: long enough for requests, short enough to be killed during one.
const LIVES: std::ops::Range<u64> = 5..120;

/// What came of it.
pub(super) struct Outcome {
    kills: u32,
    answered: usize,
    unanswered: usize,
    wrong: Vec<String>,
}

/// A client's record: acknowledged requests, and requests without a reply, which may be done or not.
#[derive(Default)]
struct Known {
    exempt: BTreeMap<String, String>,
    in_doubt: Option<String>,
    answered: usize,
}

/// Kills daemons while a client changes exemptions.
pub(super) fn between_steps(op25b: &Path, share: usize) -> anyhow::Result<Outcome> {
    let kills = KILLS.div_ceil(u32::try_from(share)?);
    println!("==> {kills} times kill -9 between changes");
    let mut scene = Scene::new(op25b, 100)?;
    let socket = scene.socket();
    let mut known = Known::default();
    let mut outcome = Outcome {
        kills,
        answered: 0,
        unanswered: 0,
        wrong: Vec::new(),
    };
    let mut turn = 0;
    for kill in 0..kills {
        interrupt::check()?;
        let stop = Arc::new(AtomicBool::new(false));
        let client = {
            let (stop, socket, mut known) = (Arc::clone(&stop), socket.clone(), std::mem::take(&mut known));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) && change(&socket, &mut known, turn).is_some() {
                    turn += 1;
                }
                (known, turn)
            })
        };
        let life = LIVES.start + u64::from(kill) * 7919 % (LIVES.end - LIVES.start);
        thread::sleep(Duration::from_millis(life));
        scene.kill()?;
        stop.store(true, Ordering::Relaxed);
        (known, turn) = client
            .join()
            .map_err(|_| anyhow::anyhow!("the client panicked"))?;
        turn += 1;
        scene.start()?;
        outcome.check(&socket, &mut known)?;
    }
    outcome.answered = known.answered;
    Ok(outcome)
}

/// Adds an exemption or removes one; nothing if there was no answer.
fn change(socket: &Socket, known: &mut Known, turn: u32) -> Option<()> {
    let source = address(0x0a00_0000 + turn * 5 % ADDRESSES);
    known.in_doubt = Some(source.clone());
    let answer = match known.exempt.get(&source) {
        None => {
            let new = json!({ "customer": "Example KK", "prefixes": [source], "expires": "90d" });
            socket.ask("POST", "/v1/exemptions", Some(&new))
        }
        Some(id) => socket.ask("DELETE", &format!("/v1/exemptions/{id}?reason=test"), None),
    };
    let answer = answer.ok().filter(|answer| answer.status < 300)?;
    match answer.body["exemption"]["removed_at"].as_str() {
        None => {
            let id = answer.body["exemption"]["id"].as_str()?.to_owned();
            known.exempt.insert(source, id);
        }
        Some(_) => {
            known.exempt.remove(&source);
        }
    }
    known.in_doubt = None;
    known.answered += 1;
    Some(())
}

impl Outcome {
    /// Compares what was answered with what is listed, and that with what the kernel does.
    fn check(&mut self, socket: &Socket, known: &mut Known) -> anyhow::Result<()> {
        let listed = until_answered(|| listed(socket))?;
        let in_doubt = known.in_doubt.take();
        self.unanswered += usize::from(in_doubt.is_some());
        let sources = (0..ADDRESSES).map(|number| address(0x0a00_0000 + number));
        for source in sources.filter(|source| Some(source) != in_doubt.as_ref()) {
            let (known, listed) = (known.exempt.get(&source), listed.get(&source));
            if known != listed {
                self.wrong
                    .push(format!("{source} was answered {known:?}, and is {listed:?}"));
            }
        }
        self.wrong.extend(disagreements(socket, &listed, ADDRESSES)?);
        // What was in doubt is known now.
        known.exempt = listed;
        Ok(())
    }

    pub(super) fn is_good(&self) -> bool {
        self.wrong.is_empty()
    }

    pub(super) fn print(&self) {
        println!(
            "{} times kill -9: {} changes were answered, {} were not; {} lost or half done",
            self.kills,
            self.answered,
            self.unanswered,
            self.wrong.len()
        );
        for wrong in &self.wrong {
            println!("WRONG: {wrong}");
        }
    }
}

/// A daemon that has just begun to enforce may not listen yet.
fn until_answered<T>(ask: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() > deadline => {
                return Err(error).context("the daemon does not answer");
            }
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}
