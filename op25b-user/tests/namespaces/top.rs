//! `op25b top` in a terminal, with a daemon and packets: keys and screens as a person sees them.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use op25b::schema::Schema;
use op25b_testlab::{
    lab::{Family, Host, Servers},
    tmux::Terminal,
};
use serde_json::Value;

use crate::support::{
    json::assert_documented,
    scene::{OP25B, SMALL, Scene, eventually},
};

const SUBSCRIBER: &str = "198.51.100.10";

/// A subscriber who sends SYNs to port 25 until this is dropped.
struct Flood {
    ends: Arc<AtomicBool>,
    sender: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Flood {
    fn start(scene: &Scene) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let server = SocketAddr::new(Host::Internet.address(Family::V4), 25);
        let is_over = Arc::clone(&ends);
        let sender = scene.lab.host(Host::Subscriber).spawn(move || {
            while !is_over.load(Ordering::Acquire) {
                // Nothing answers; each attempt is a SYN.
                let _ = TcpStream::connect_timeout(&server, Duration::from_millis(5));
            }
            Ok(())
        });
        Self {
            ends,
            sender: Some(sender),
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Release);
        let _ = self.sender.take().map(JoinHandle::join);
    }
}

/// A terminal on the router.
pub fn terminal(scene: &Scene, size: (u16, u16), variables: &[(&'static str, &'static str)]) -> Terminal {
    terminal_in(scene, "terminal", size, variables)
}

/// The same with another directory, where its shell is.
pub fn terminal_in(
    scene: &Scene,
    directory: &str,
    size: (u16, u16),
    variables: &[(&'static str, &'static str)],
) -> Terminal {
    let directory = scene.path(directory);
    fs::create_dir_all(&directory).unwrap();
    let places = scene
        .router()
        .places()
        .map(|(name, value)| (name, value.into_os_string()));
    let variables = variables.iter().map(|(name, value)| (*name, (*value).into()));
    let variables: Vec<_> = places.into_iter().chain(variables).collect();
    scene
        .router()
        .run(move || Terminal::start(&directory, size, variables))
        .unwrap()
}

/// Starts it after a look at the settings of the terminal.
fn start(terminal: &Terminal, arguments: &str) {
    terminal.type_line("clear").unwrap();
    terminal
        .wait_until("a clear screen", |screen| screen.trim() == "$")
        .unwrap();
    let line = format!("stty -a >before; {OP25B} top {arguments}");
    terminal.type_line(&line).unwrap();
}

/// Asserts that the terminal is as it was, and what the program ended with.
#[track_caller]
fn assert_given_back(scene: &Scene, terminal: &Terminal, code: i32) {
    // The shell's own screen, and that it waits for the next command.
    let is_shells = |screen: &str| {
        let last = screen.trim_end().lines().last().unwrap_or_default();
        !screen.contains("SUBSCRIBERS") && last.trim_end() == "$"
    };
    terminal.wait_until("the shell", is_shells).unwrap();
    terminal
        .type_line("echo ended by $?; stty -a >after.new; mv after.new after")
        .unwrap();
    terminal.wait_for(&format!("\nended by {code}\n")).unwrap();
    let settings = |name: &str| {
        let text = fs::read_to_string(scene.path("terminal").join(name)).unwrap_or_default();
        // The first line has the size.
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    eventually("the shell goes on", || !settings("after").is_empty());
    assert_eq!(settings("before"), settings("after"));
    fs::remove_file(scene.path("terminal").join("after")).unwrap();
}

/// Whether a screen has one of the colours.
fn has_colours(terminal: &Terminal) -> bool {
    let screen = terminal.coloured_screen().unwrap();
    // tmux names them by their number in the palette.
    screen.contains("\u{1b}[38;5;")
}

/// The reads of subscribers that the daemon has recorded.
fn reads(scene: &Scene) -> Vec<Value> {
    let answer = scene.ask_daemon("GET /v1/reads");
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    body["items"].as_array().unwrap().clone()
}

/// How many of them are of live views.
fn watched(scene: &Scene) -> usize {
    let reads = reads(scene);
    let of_views = reads.iter().filter(|read| {
        let detail = read["detail"].as_str().unwrap_or_default();
        detail.starts_with("live view of subscribers")
    });
    of_views.count()
}

/// The rate of what is blocked, as the screen has it.
fn rate(screen: &str) -> Option<f64> {
    let line = screen.lines().find(|line| line.starts_with("blocked "))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_flood_is_seen_sorted_filtered_and_looked_into_by_keys() {
    let scene = Scene::new();
    let _servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(&format!("{SMALL}events: {{}}\n")));
    let _flood = Flood::start(&scene);
    let terminal = terminal(&scene, (80, 24), &[]);
    start(&terminal, "--reason OPS-7");
    let has_event = |screen: &str| {
        let (_, events) = screen.split_once("EVENTS  ").unwrap_or_default();
        events.contains(SUBSCRIBER) && events.contains("blocked")
    };
    terminal.wait_until("an event", has_event).unwrap();
    let screen = terminal
        .wait_until("a rate", |screen| rate(screen).is_some_and(|rate| rate > 0.0))
        .unwrap();
    assert!(
        screen.starts_with(" op25b top  enforcing on 2 interfaces"),
        "{screen}"
    );
    for text in ["residential    enforce", "sub0", "corp0", SUBSCRIBER, "q quit"] {
        assert!(screen.contains(text), "{text}: {screen}");
    }
    assert!(has_colours(&terminal));
    // Many answers, and one read.
    let seen = |screen: &str| screen.matches(['▂', '▃', '▄', '▅', '▆', '▇', '█']).count();
    terminal
        .wait_until("six rates", |screen| seen(screen) >= 12)
        .unwrap();
    eventually("the read is recorded", || watched(&scene) == 1);
    assert_eq!(reads(&scene)[0]["reason"], "OPS-7");

    terminal.press(&["d"]).unwrap();
    terminal.wait_for("sorted by destinations").unwrap();
    terminal.press(&["/"]).unwrap();
    terminal.type_text("nowhere").unwrap();
    terminal.press(&["Enter"]).unwrap();
    terminal
        .wait_for("no pool, prefix or address: the pools are residential")
        .unwrap();
    terminal.press(&["Escape"]).unwrap();
    terminal.press(&["p"]).unwrap();
    let screen = terminal.wait_for("FILTER pool residential").unwrap();
    assert!(screen.contains(SUBSCRIBER), "{screen}");
    eventually("another filter is another read", || watched(&scene) == 2);

    terminal.press(&["Enter"]).unwrap();
    let screen = terminal.wait_for("SESSIONS of the last 7 days").unwrap();
    for text in [
        &format!("SUBSCRIBER {SUBSCRIBER}") as &str,
        "port 25: drop",
        "EXEMPTIONS",
        "first seen",
        "open a connection",
    ] {
        assert!(screen.contains(text), "{text}: {screen}");
    }
    terminal.press(&["Escape"]).unwrap();
    terminal.wait_for("SUBSCRIBERS  ").unwrap();
    terminal.press(&["Space"]).unwrap();
    terminal.wait_for("FROZEN").unwrap();
    terminal.press(&["Space"]).unwrap();
    terminal
        .wait_until("it goes on", |screen| !screen.contains("FROZEN"))
        .unwrap();

    terminal.resize((140, 40)).unwrap();
    terminal
        .wait_until("more columns", |screen| {
            screen.contains("MONITORED") && screen.contains("HIDDEN")
        })
        .unwrap();
    terminal.resize((60, 16)).unwrap();
    terminal
        .wait_until("fewer", |screen| {
            !screen.contains("MONITORED") && screen.contains(SUBSCRIBER)
        })
        .unwrap();
    terminal.press(&["q"]).unwrap();
    assert_given_back(&scene, &terminal, 0);
    drop(filter);
}

#[test]
fn a_daemon_that_is_restarted_is_missed_and_followed() {
    let scene = Scene::new();
    let _servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    let _flood = Flood::start(&scene);
    let terminal = terminal(&scene, (100, 30), &[]);
    start(&terminal, "");
    let has_rate = |screen: &str| rate(screen).is_some_and(|rate| rate > 0.0);
    terminal.wait_until("a rate", has_rate).unwrap();
    filter.leave_by(Signal::SIGKILL).unwrap();
    let screen = terminal.wait_for("NO ANSWER for ").unwrap();
    assert!(screen.contains("no daemon answers at "), "{screen}");
    assert!(screen.contains(SUBSCRIBER), "what was seen stays: {screen}");
    let _filter = scene.filter(&policy);
    let screen = terminal
        .wait_until("it is back", |screen| !screen.contains("NO ANSWER"))
        .unwrap();
    // The counters went on in the kernel: the rate is that of the time without a daemon, and not of all packets since the start.
    terminal.wait_until("a rate", has_rate).unwrap();
    assert!(rate(&screen).is_none_or(|rate| rate < 10_000.0), "{screen}");
    terminal.press(&["C-c"]).unwrap();
    assert_given_back(&scene, &terminal, 0);
}

#[test]
fn signals_give_the_terminal_back_and_one_that_continues_takes_it_again() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(SMALL));
    let terminal = terminal(&scene, (80, 24), &[("NO_COLOR", "1")]);
    let send = |signal| kill(Pid::from_raw(terminal.child().unwrap()), signal).unwrap();
    for (signal, code) in [
        (Signal::SIGTERM, 143),
        (Signal::SIGINT, 130),
        (Signal::SIGHUP, 129),
    ] {
        start(&terminal, "");
        terminal.wait_for("SUBSCRIBERS").unwrap();
        send(signal);
        assert_given_back(&scene, &terminal, code);
    }
    // The shell says it where the cursor was left, which may be at the end of a line.
    let is_stopped = |screen: &str| screen.replace('\n', "").contains("Stopped");
    start(&terminal, "");
    terminal.wait_for("SUBSCRIBERS").unwrap();
    assert!(!has_colours(&terminal));
    // By the terminal's key, by a signal, and by one that nobody can handle.
    for stop in [None, Some(Signal::SIGTSTP), Some(Signal::SIGSTOP)] {
        match stop {
            None => terminal.press(&["C-z"]).unwrap(),
            Some(signal) => send(signal),
        }
        let screen = terminal.wait_until("it is stopped", is_stopped).unwrap();
        if stop == Some(Signal::SIGSTOP) {
            // The terminal is as the view left it, without a translation of the key.
            terminal.type_text("fg").unwrap();
            terminal.press(&["C-j"]).unwrap();
            terminal
                .wait_until("it goes on", |screen| !is_stopped(screen))
                .unwrap();
        } else {
            assert!(!screen.contains("SUBSCRIBERS"), "{screen}");
            terminal.type_line("clear; echo the shell").unwrap();
            terminal.wait_for("the shell").unwrap();
            terminal.type_line("fg").unwrap();
        }
        terminal.wait_for("SUBSCRIBERS").unwrap();
    }
    terminal.press(&["q"]).unwrap();
}

#[test]
fn once_and_json_measure_for_the_interval_and_end() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    scene.assert_blocked(&servers, &filter);
    let _flood = Flood::start(&scene);
    let answer = scene.op25b(&["top", "--json", "--src", SUBSCRIBER]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert_documented(Schema::Top, &answer.stdout);
    let document = answer.json();
    let item = &document["subscribers"]["items"][0];
    assert_eq!(item["subscriber"], SUBSCRIBER);
    let rates = [
        &document["reasons"][0]["per_second"],
        &document["pools"][0]["per_second"]["blocked"],
        &item["per_second"]["blocked"],
    ];
    let rates = rates.map(|rate| rate.as_f64().unwrap());
    assert!(rates.iter().all(|rate| *rate > 1.0), "{rates:?}");
    // Of nearly the same second.
    assert!(
        rates
            .iter()
            .all(|rate| *rate < rates[0] * 3.0 && *rate > rates[0] / 3.0),
        "{rates:?}"
    );

    let answer = scene.op25b(&["top", "--once", "--top", "1"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(
        answer.stdout.starts_with("enforcing on 2 interfaces\n"),
        "{answer:?}"
    );
    for text in [
        "\nblocked ",
        "\nresidential ",
        "\n1 of 2 subscribers (",
        SUBSCRIBER,
    ] {
        assert!(answer.stdout.contains(text), "{text}: {answer:?}");
    }
    eventually("both are recorded", || watched(&scene) == 2);
    let unknown = scene.op25b(&["top", "--once", "--pool", "none"]);
    assert!(
        unknown
            .stderr
            .contains("no filter here has a pool \"none\"; there is residential"),
        "{unknown:?}"
    );
    let elsewhere = scene.op25b(&["top"]);
    assert_eq!(
        elsewhere.refusal(),
        "op25b: this is no terminal: use `--once` for a table, `--json` for a document"
    );
    filter.leave_by(Signal::SIGKILL).unwrap();
    let nobody = scene.op25b(&["top", "--once"]);
    assert!(
        nobody.refusal().starts_with("op25b: no daemon runs, "),
        "{nobody:?}"
    );
}
