//! Customers' mail servers, Postfix and `OpenSMTPD`: what they make of a blocked connection.
//!
//! With each action, and on each kind of line: the client learns how it ended, in the words for that end; it goes on to the
//! next mail server of the domain; and if none is left, the message stays in its queue.

use std::{
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use op25b_testlab::{
    lab::Host,
    mail::Service,
    mta::{Mailer, Outcome, Patience, Software, message_id},
};

use super::post::{Action, CUSTOMERS, Domain, LINES, Line, Post, resolver};

/// Less than either software waits for a connection by default (30 s and the kernel's two minutes), so that only an answer to
/// a SYN ends an attempt in this time; `OpenSMTPD` pauses for some seconds between two mail servers.
const PATIENCE: Duration = Duration::from_secs(25);
/// For those that wait in vain, a few seconds for each mail server.
const LONG: Duration = Duration::from_mins(1);

/// Mail servers of customers, by their host.
struct Clients {
    mailers: Vec<(Host, Mailer)>,
    patience: Duration,
}

impl Clients {
    fn start(post: &Post, software: Software, patience: Patience) -> Self {
        // Side by side: Postfix takes seconds.
        let mailers = thread::scope(|scope| {
            let starts = CUSTOMERS.map(|customer| {
                let host = post.scene.lab.host(customer);
                let start = move || Mailer::start(software, host, resolver(), patience).unwrap();
                (customer, scope.spawn(start))
            });
            starts.map(|(customer, start)| (customer, start.join().unwrap()))
        });
        Self {
            mailers: mailers.into(),
            patience: match patience {
                Patience::Usual => PATIENCE,
                Patience::Short => LONG,
            },
        }
    }

    fn on(&self, line: &Line) -> &Mailer {
        let found = self.mailers.iter().find(|(host, _)| *host == line.host);
        &found.unwrap().1
    }

    fn send(&self, domain: Domain) {
        for line in &LINES {
            self.on(line).send(&domain.recipient(line)).unwrap();
        }
    }

    /// Waits for something that a line's mail server is bound to log.
    #[track_caller]
    fn wait<T>(&self, line: &Line, what: &str, find: impl Fn(&Mailer) -> Option<T>) -> T {
        let mailer = self.on(line);
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(found) = find(mailer) {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "{}: not within {:?}: {what}\n{}",
                line.words,
                self.patience,
                mailer.log()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The end of a connection to a mail server.
    fn end(&self, line: &Line, server: IpAddr) -> String {
        self.wait(line, &format!("the end of a connection to {server}"), |mailer| {
            mailer.refusals(server).pop()
        })
    }

    fn outcome(&self, line: &Line, domain: Domain) -> Outcome {
        let recipient = domain.recipient(line);
        self.wait(
            line,
            &format!("the outcome of a message to {recipient}"),
            |mailer| mailer.outcome(&recipient),
        )
    }

    /// Asserts that a message was delivered to this server.
    fn assert_sent(&self, line: &Line, domain: Domain, to: IpAddr) {
        match self.outcome(line, domain) {
            Outcome::Sent(relay) => assert!(relay.contains(&to.to_string()), "{}: {relay}", line.words),
            other @ Outcome::Deferred(_) => {
                panic!("{}: {domain:?}: {other:?}\n{}", line.words, self.on(line).log())
            }
        }
    }
}

/// Whether two texts for the end of a connection mean the same: `OpenSMTPD` has words of its own for one.
fn is_end(found: &str, expected: &str) -> bool {
    found.contains(expected) || expected == "Connection timed out" && found == "Connection timeout"
}

/// Proves what a client makes of an action.
fn assert_client(software: Software, action: Action, patience: Patience) {
    let post = Post::new();
    let clients = Clients::start(&post, software, patience);
    clients.send(Domain::Open);
    for line in &LINES {
        clients.assert_sent(line, Domain::Open, Host::Internet.address(line.family));
    }

    let clients = match software {
        Software::Postfix => clients,
        // It keeps a connection open for a while, whose segments would be blocked, too.
        Software::OpenSmtpd => {
            drop(clients);
            Clients::start(&post, software, patience)
        }
    };
    let filter = post.filter(action);
    clients.send(Domain::Second);
    clients.send(Domain::Neither);
    for line in &LINES {
        let end = action.end(line.family);
        let relay = Host::Relay.address(line.family);
        for domain in [Domain::Second, Domain::Neither] {
            for server in domain.exchangers(line.family) {
                if server != relay {
                    let found = clients.end(line, server);
                    assert!(is_end(&found, end), "{}: {server}: {found}", line.words);
                }
            }
        }
        clients.assert_sent(line, Domain::Second, relay);
        let id = message_id(&Domain::Second.recipient(line));
        let delivery = post.servers.relay.delivery(&id);
        let delivery = delivery.unwrap_or_else(|| panic!("{}: the relay does not have {id}", line.words));
        assert_eq!(
            (delivery.service, delivery.peer),
            (Service::Transfer, line.host.address(line.family)),
            "{}",
            line.words
        );

        let outcome = clients.outcome(line, Domain::Neither);
        let Outcome::Deferred(reason) = &outcome else {
            panic!("{}: {outcome:?}", line.words);
        };
        // OpenSMTPD's summary; the reason was logged for each connection.
        let is_said = is_end(reason, end) || reason == "Network error on destination MXs";
        assert!(is_said, "{}: {reason}", line.words);
        let queue = clients.on(line).queue().unwrap();
        assert!(
            queue.contains(&Domain::Neither.recipient(line)),
            "{}: {queue}",
            line.words
        );
        assert!(
            queue.contains(reason),
            "{}: {reason} is not in {queue}",
            line.words
        );
        assert!(
            !queue.contains(&Domain::Second.recipient(line)),
            "{}: {queue}",
            line.words
        );
    }
    let blocked = filter.count("blocked").unwrap();
    let attempts: u64 = LINES.iter().map(|line| attempts(clients.on(line), line)).sum();
    assert!(
        blocked >= attempts,
        "{blocked} segments for {attempts} connections"
    );
    // An answer to the first SYN ends a connection: the second would be sent after a second.
    if patience == Patience::Usual {
        assert!(
            blocked < 2 * attempts,
            "{blocked} segments for {attempts} connections"
        );
    }
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

/// How many connections to blocked mail servers have ended.
fn attempts(mailer: &Mailer, line: &Line) -> u64 {
    let domains = [Domain::Second, Domain::Neither].into_iter();
    let servers = domains.flat_map(|domain| domain.exchangers(line.family));
    servers.map(|server| mailer.refusals(server).len() as u64).sum()
}

#[test]
fn postfix_is_refused_by_reset_and_tries_the_next_server_or_queues() {
    assert_client(Software::Postfix, Action::RESET, Patience::Usual);
}

#[test]
fn postfix_is_refused_by_prohibit_and_tries_the_next_server_or_queues() {
    assert_client(Software::Postfix, Action::PROHIBIT, Patience::Usual);
}

#[test]
fn postfix_waits_in_vain_with_drop_and_then_tries_the_next_server_or_queues() {
    assert_client(Software::Postfix, Action::DROP, Patience::Short);
}

#[test]
fn opensmtpd_is_refused_by_reset_and_tries_the_next_server_or_queues() {
    assert_client(Software::OpenSmtpd, Action::RESET, Patience::Usual);
}

#[test]
fn opensmtpd_is_refused_by_prohibit_and_tries_the_next_server_or_queues() {
    assert_client(Software::OpenSmtpd, Action::PROHIBIT, Patience::Usual);
}

#[test]
fn opensmtpd_waits_in_vain_with_drop_and_then_tries_the_next_server_or_queues() {
    assert_client(Software::OpenSmtpd, Action::DROP, Patience::Short);
}
