//! The program agrees with the oracle on random policies and frames.

mod budget;
mod shrink;

use std::env;

use jiff::Timestamp;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};

use self::budget::Budget;
use crate::{
    cases, dissect, expected, generate,
    policy::Policy,
    program::Program,
    verdict::{Answer, Role},
};

/// Frames for each policy: loading one takes as long as many frames.
const FRAMES: usize = 125;

/// Shows a difference as it is found, and does not save it: for mutants, which break the program on purpose.
const NO_SHRINKING: &str = "OP25B_NO_SHRINKING";

/// A packet about which they differ.
pub struct Difference {
    pub policy: Policy,
    pub role: Role,
    pub frame: Vec<u8>,
    expected: Answer,
    got: Result<Answer, String>,
}

impl Difference {
    /// The answers of the two, if they differ.
    pub fn find(program: &mut Program, policy: &Policy, role: Role, frame: &[u8]) -> Option<Self> {
        let expected = expected::expect(policy, role, frame, Timestamp::now());
        let got = program.run(role, frame);
        (got.as_ref() != Ok(&expected)).then(|| Self {
            policy: policy.clone(),
            role,
            frame: frame.to_vec(),
            expected,
            got,
        })
    }

    /// All that a reader needs to find which of the two is wrong.
    pub fn report(&self) -> String {
        format!(
            "{}\nrole: {}\n{}expected: {:?}\ngot:      {:?}\n",
            self.policy,
            self.role.name(),
            dissect::dissect(&self.frame),
            self.expected,
            self.got
        )
    }
}

#[test]
fn the_program_agrees_with_the_oracle() {
    let mut budget = Budget::from_environment();
    let mut runner = TestRunner::new(Config::default());
    let mut longest = None;
    while !budget.is_spent() {
        let policies = generate::policy(Timestamp::now());
        let mut policy_tree = policies.new_tree(&mut runner).expect("nothing is rejected");
        let policy = policy_tree.current();
        let mut program = Program::load(&policy.to_string());
        let longest = *longest.get_or_insert_with(|| program.longest_frame());
        let packets = (
            roles(),
            generate::frame(&generate::Universe::of(&policy), longest),
        );
        for _ in 0..FRAMES {
            let mut tree = packets.new_tree(&mut runner).expect("nothing is rejected");
            let (role, frame) = tree.current();
            let Some(first) = Difference::find(&mut program, &policy, role, &frame) else {
                budget.count(role, &expected::expect(&policy, role, &frame, Timestamp::now()));
                continue;
            };
            assert!(
                env::var_os(NO_SHRINKING).is_none(),
                "the program and the oracle differ\n\n{}",
                first.report()
            );
            let smaller = shrink::frame(&mut tree, first, |role, frame| {
                Difference::find(&mut program, &policy, role, frame)
            });
            let smallest = shrink::policy(&mut policy_tree, smaller);
            let place = cases::save(&smallest).map(|file| file.display().to_string());
            panic!(
                "the program and the oracle differ after {} pairs; the case is saved in {}\n\n{}",
                budget.pairs(),
                place.unwrap_or_else(|error| format!("no file: {error}")),
                smallest.report()
            );
        }
    }
    println!("{budget}");
    budget.assert_that_every_row_was_met();
}

fn roles() -> impl Strategy<Value = Role> {
    prop::bool::weighted(0.3).prop_map(
        |is_uplink| {
            if is_uplink { Role::Uplink } else { Role::Subscriber }
        },
    )
}
