//! The real program: from the policy's text to the kernel's verdict, product code only.

use op25b::{
    datapath::{Description, TestRunner},
    policy,
};

use crate::verdict::{Answer, Reason, Role, Verdict};

/// The program, loaded with one policy.
pub struct Program {
    runner: TestRunner,
}

impl Program {
    /// Reads, compiles and loads a policy; fails the test if that does not work.
    pub fn load(text: &str) -> Self {
        let policy = match policy::parse("policy.yaml", text) {
            Ok(loaded) => loaded.policy,
            Err(report) => panic!("the policy is refused:\n{report}\n{text}"),
        };
        let compiled = policy::compile(&policy).expect("a small policy compiles");
        let description = Description::new("policy.yaml");
        match TestRunner::load(&compiled, &description) {
            Ok(runner) => Self { runner },
            Err(error) => panic!("the program cannot be loaded: {error:?}\n{text}"),
        }
    }

    /// The program's answer; an error is an answer that the product itself calls nonsense, or the kernel's refusal.
    pub fn run(&mut self, role: Role, frame: &[u8]) -> Result<Answer, String> {
        let role = match role {
            Role::Subscriber => policy::Role::Subscriber,
            Role::Uplink => policy::Role::Uplink,
        };
        let result = self.runner.run_from(role, frame);
        let (decision, output) = result.map_err(|error| format!("{error:?}"))?;
        let verdict = Verdict::named(decision.verdict.name()).ok_or("unknown verdict")?;
        let reason = Reason::named(decision.reason.name()).ok_or("unknown reason")?;
        Ok(Answer {
            verdict,
            reason,
            rule: decision.rule,
            output: (verdict != Verdict::Drop).then_some(output),
        })
    }

    /// The longest frame that the kernel tries the program on: without fragments of an XDP buffer it is what a page
    /// has room for, which is less than a jumbo frame.
    pub fn longest_frame(&mut self) -> usize {
        let lengths = [9_000, 3_400, 1_514];
        let takes = |length: &usize| self.run(Role::Subscriber, &vec![0; *length]).is_ok();
        lengths
            .into_iter()
            .find(takes)
            .expect("it takes frames of an ordinary Ethernet")
    }
}
