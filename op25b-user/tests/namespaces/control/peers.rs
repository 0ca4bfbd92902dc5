//! Who may do what at the control socket, by the peer credentials that the kernel reports.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::Path,
    thread,
};

use crate::support::scene::{SMALL, Scene};

/// An ordinary user, and a group that they are in.
const NOBODY: libc::uid_t = 65_534;
const GROUP: libc::gid_t = 65_533;

/// What a user without privileges is answered to a request such as `GET /`.
fn ask_as_nobody(socket: &Path, request: &str) -> String {
    let socket = socket.to_owned();
    let request = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    // A thread of its own: it gives its privileges up for good, and the system call, unlike the C library's function, is
    // for the calling thread alone.
    let asking = thread::spawn(move || {
        // SAFETY: the calls read one number at `group`, which lives through them, and change only this thread's
        // credentials; nothing else in it relies on those.
        let results = unsafe {
            let group = GROUP;
            [
                libc::syscall(libc::SYS_setgroups, 1, &raw const group),
                libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY),
                libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY),
            ]
        };
        assert_eq!(results, [0; 3]);
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    asking.join().unwrap()
}

#[test]
fn who_is_in_no_group_reads_the_status_and_nothing_else_of_a_socket_that_is_open_to_all() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let [_, (_, runtime), _] = scene.router().places();
    let socket = runtime.join("control.sock");
    // As an administrator may do to let every user read the status.
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();

    let status = ask_as_nobody(&socket, "GET /v1/status");
    assert!(status.starts_with("HTTP/1.1 200 "), "{status}");
    for request in [
        "GET /v1/subscribers",
        "GET /v1/events",
        "GET /v1/exemptions",
        "GET /v1/explain?source=198.51.100.10",
        "POST /v1/reload",
        "POST /v1/exemptions",
        "POST /v1/exemptions/import",
        "PATCH /v1/exemptions/line-1",
        "DELETE /v1/exemptions/line-1?reason=none",
    ] {
        let answer = ask_as_nobody(&socket, request);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{request}: {answer}");
        assert!(answer.contains("urn:op25b:problem:forbidden"), "{answer}");
        assert!(
            answer.contains("user 65534 may not do this: it takes root or "),
            "{answer}"
        );
    }
    assert_eq!(scene.daemon_report()["reloads"], 0);
    assert!(scene.ask_daemon("POST /v1/reload").starts_with("HTTP/1.1 200 "));
    assert_eq!(scene.daemon_report()["reloads"], 1);
    filter.stop().unwrap();
}
