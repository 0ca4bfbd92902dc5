//! Many clients at once, and a comparison of kernel, store and list at the end.

use std::{collections::BTreeMap, path::Path, thread, time::Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{
    ask::Socket,
    scene::{Scene, address},
};

const CLIENTS: u32 = 64;
const OPERATIONS: u32 = 10_000;
/// How many addresses each client has; every second operation is about one that it has exempt.
const ADDRESSES: u32 = 16;

/// What came of it.
pub(super) struct Outcome {
    operations: u32,
    refused: u32,
    seconds: f64,
    exempt: usize,
    disagreements: Vec<String>,
}

/// The exemptions of one client at the end, and how often it was refused.
struct Client {
    exempt: BTreeMap<String, String>,
    done: u32,
    refused: u32,
}

/// Lets clients loose.
pub(super) fn all_at_once(op25b: &Path, share: usize) -> anyhow::Result<Outcome> {
    let operations = OPERATIONS.div_ceil(u32::try_from(share)?);
    println!("==> {operations} operations by {CLIENTS} clients at once");
    let scene = Scene::new(op25b, 1000)?;
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let socket = scene.socket();
            thread::spawn(move || work(&socket, number, operations / CLIENTS))
        })
        .collect();
    let mut outcome = Outcome {
        operations: 0,
        refused: 0,
        seconds: 0.0,
        exempt: 0,
        disagreements: Vec::new(),
    };
    let mut acknowledged: BTreeMap<String, String> = BTreeMap::new();
    for client in clients {
        let client = client
            .join()
            .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        outcome.operations += client.done;
        outcome.refused += client.refused;
        acknowledged.extend(client.exempt);
    }
    outcome.seconds = begun.elapsed().as_secs_f64();
    outcome.exempt = acknowledged.len();
    let socket = scene.socket();
    let listed = listed(&socket)?;
    for (source, id) in &acknowledged {
        if listed.get(source) != Some(id) {
            outcome
                .disagreements
                .push(format!("{source} ({id}) was added, and is not listed"));
        }
    }
    for source in listed.keys().filter(|source| !acknowledged.contains_key(*source)) {
        outcome
            .disagreements
            .push(format!("{source} was removed, and is listed"));
    }
    outcome
        .disagreements
        .extend(disagreements(&socket, &listed, CLIENTS * ADDRESSES)?);
    Ok(outcome)
}

/// What one client does: it adds, extends, lists and removes, each time about another of its addresses.
fn work(socket: &Socket, number: u32, operations: u32) -> anyhow::Result<Client> {
    let mut client = Client {
        exempt: BTreeMap::new(),
        done: 0,
        refused: 0,
    };
    for turn in 0..operations {
        let source = address(0x0a00_0000 + number * ADDRESSES + (turn * 7) % ADDRESSES);
        let held = client.exempt.get(&source).cloned();
        let answer = match (held, turn % 4) {
            (None, _) => {
                let new =
                    json!({ "customer": format!("client {number}"), "prefixes": [source], "expires": "90d" });
                let answer = socket.ask("POST", "/v1/exemptions", Some(&new))?;
                if answer.status == 201 {
                    let id = answer.body["exemption"]["id"].as_str().context("no id")?;
                    client.exempt.insert(source, id.to_owned());
                }
                answer
            }
            (Some(id), 0) => {
                let extend = json!({ "expires": "180d" });
                socket.ask("PATCH", &format!("/v1/exemptions/{id}"), Some(&extend))?
            }
            (Some(_), 1) => socket.ask("GET", &format!("/v1/exemptions?in={source}"), None)?,
            (Some(_), 2) => {
                // Another customer's: it is bound to be refused.
                let new = json!({ "customer": "another customer", "prefixes": [source] });
                let answer = socket.ask("POST", "/v1/exemptions", Some(&new))?;
                ensure!(
                    answer.status == 409,
                    "an overlap was answered {}: {}",
                    answer.status,
                    answer.body
                );
                client.refused += 1;
                client.done += 1;
                continue;
            }
            (Some(id), _) => {
                let answer = socket.ask("DELETE", &format!("/v1/exemptions/{id}?reason=test"), None)?;
                if answer.status == 200 {
                    client.exempt.remove(&source);
                }
                answer
            }
        };
        ensure!(
            answer.status < 300,
            "client {number} was answered {}: {}",
            answer.status,
            answer.body
        );
        client.done += 1;
    }
    Ok(client)
}

/// The ids of the stored exemptions by their only address.
pub(super) fn listed(socket: &Socket) -> anyhow::Result<BTreeMap<String, String>> {
    let items = socket.list("/v1/exemptions?")?;
    let stored = items.iter().filter(|item| item["origin"] == "store");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    stored
        .map(|item| {
            let prefix = text(&item["prefixes"][0]).context("an exemption without a prefix")?;
            let id = text(&item["id"]).context("an exemption without an id")?;
            Ok((prefix.trim_end_matches("/32").to_owned(), id))
        })
        .collect()
}

/// Where the kernel differs from the list, for so many addresses from 10.0.0.0 on.
pub(super) fn disagreements(
    socket: &Socket,
    listed: &BTreeMap<String, String>,
    addresses: u32,
) -> anyhow::Result<Vec<String>> {
    let mut disagreements = Vec::new();
    for number in 0..addresses {
        let source = address(0x0a00_0000 + number);
        let reason = socket.reason(&source)?;
        let expected = if listed.contains_key(&source) {
            "exempt"
        } else {
            "blocked"
        };
        if reason != expected {
            disagreements.push(format!(
                "{source} should be {expected}, and is {reason} in the kernel"
            ));
        }
    }
    Ok(disagreements)
}

impl Outcome {
    pub(super) fn is_good(&self) -> bool {
        self.disagreements.is_empty()
    }

    pub(super) fn print(&self) {
        println!(
            "{} operations in {:.1} s, {} of them refused as they should be; {} exemptions at the end",
            self.operations, self.seconds, self.refused, self.exempt
        );
        for disagreement in &self.disagreements {
            println!("DISAGREEMENT: {disagreement}");
        }
    }
}
