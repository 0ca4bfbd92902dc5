//! What a terminal shows of work that takes long, and that nothing of it is left or gets anywhere else.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
};

use nix::{
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};

use crate::{
    support::scene::{OP25B, SMALL, Scene, eventually},
    top::{terminal, terminal_in},
};

const SIZE: (u16, u16) = (80, 24);

/// Whether a line of a screen has begun two seconds ago and says this.
fn is_at_work(screen: &str, what: &str) -> bool {
    let lines = screen.lines().map(str::trim_end);
    let mut lines = lines.filter(|line| line.contains(what));
    lines.any(|line| line.ends_with(" 2s") || line.ends_with(" 3s"))
}

/// A table of exemptions.
fn table(rows: usize) -> String {
    let mut text = "customer,prefixes\n".to_owned();
    for row in 0..rows {
        let (high, low) = (row / 256, row % 256);
        writeln!(text, "Example {row},2001:db8:{high:x}:{low:x}::/64").unwrap();
    }
    text
}

#[test]
fn what_is_read_is_counted_until_its_end_and_gone_before_a_result_or_an_error() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(SMALL));
    let terminal = terminal(&scene, SIZE, &[]);
    let pipe = scene.path("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    for (row, result) in [
        ("198.51.100.8/29", "would add 1; 0 exist already"),
        ("198.51.100.8/99", "op25b: stdin has a mistake; nothing was added"),
    ] {
        terminal
            .type_line(&format!(
                "clear; {OP25B} exempt import --dry-run --format csv - <{}",
                pipe.display()
            ))
            .unwrap();
        let mut writer = File::options().write(true).open(&pipe).unwrap();
        writeln!(writer, "customer,prefixes\nExample KK,{row}").unwrap();
        let screen = terminal
            .wait_until("that it reads", |screen| is_at_work(screen, "reading "))
            .unwrap();
        assert!(screen.contains(" B "), "how much is said: {screen}");
        drop(writer);
        let screen = terminal.wait_for(result).unwrap();
        assert!(!screen.contains("reading "), "{screen}");
    }
}

#[test]
fn how_much_is_sent_is_a_bar_and_a_daemon_that_works_or_ends_is_waited_for() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let terminal = terminal(&scene, SIZE, &[]);
    let file = scene.path("customers.csv");
    fs::write(&file, table(20_000)).unwrap();
    filter.signal(Signal::SIGSTOP).unwrap();
    let import = format!("clear; {OP25B} exempt import --force {}", file.display());
    terminal.type_line(&import).unwrap();
    let screen = terminal
        .wait_until("a bar", |screen| is_at_work(screen, "sending ["))
        .unwrap();
    let line = screen.lines().find(|line| line.contains("sending [")).unwrap();
    assert!(line.contains("KiB/") && line.contains("MiB "), "{line}");
    filter.signal(Signal::SIGCONT).unwrap();
    let screen = terminal.wait_for("added 20000; 0 existed already").unwrap();
    assert!(
        !screen.contains("sending") && !screen.contains("the daemon"),
        "{screen}"
    );

    filter.signal(Signal::SIGSTOP).unwrap();
    terminal.type_line(&format!("clear; {OP25B} reload")).unwrap();
    terminal
        .wait_until("that the daemon works", |screen| {
            is_at_work(screen, "the daemon reads and compares the policy")
        })
        .unwrap();
    filter.signal(Signal::SIGCONT).unwrap();
    let screen = terminal.wait_for("reloaded").unwrap();
    assert!(!screen.contains("the daemon reads"), "{screen}");

    filter.signal(Signal::SIGSTOP).unwrap();
    terminal.type_line(&format!("clear; {OP25B} stop")).unwrap();
    terminal
        .wait_until("that it is to end", |screen| {
            is_at_work(screen, "waiting for the daemon to end")
        })
        .unwrap();
    filter.signal(Signal::SIGCONT).unwrap();
    let screen = terminal.wait_for(" has ended").unwrap();
    assert!(!screen.contains("waiting"), "{screen}");
}

#[test]
fn no_program_and_no_file_gets_anything_of_it() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let programs = terminal_in(&scene, "programs", SIZE, &[]);
    let people = terminal(&scene, SIZE, &[]);
    let list = format!("{OP25B} exempt list");
    filter.signal(Signal::SIGSTOP).unwrap();
    programs
        .type_line(&format!("clear; {list} 2>file & {list} --json"))
        .unwrap();
    eventually("both have begun", || {
        programs.child().is_ok() && scene.path("programs/file").exists()
    });
    people.type_line(&list).unwrap();
    people
        .wait_until("a person sees it", |screen| {
            is_at_work(screen, "waiting for the daemon")
        })
        .unwrap();
    let screen = programs.screen().unwrap();
    assert!(!screen.contains("waiting"), "{screen}");
    filter.signal(Signal::SIGCONT).unwrap();
    programs.wait_for("op25b.exempt-list/1").unwrap();
    eventually("the other has its result", || {
        fs::read_to_string(scene.path("programs/file")).unwrap() == "there are no such exemptions\n"
    });
}
