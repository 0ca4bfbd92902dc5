//! The text on terminals of two widths.

use super::*;

fn examined() -> Examined {
    let interface = "加入者1";
    Examined {
        policy: Some("/etc/op25b/policy.yaml".into()),
        interfaces: vec![interface.to_owned(), "eth9".to_owned()],
        lines: vec![
            Line::ok(
                Check::Kernel,
                "Linux 6.12.57 has the 14 features that the filter needs",
            ),
            Line::warn(
                Check::Jit,
                "the kernel interprets BPF programs instead of compiling them: each packet costs several times as much",
                "`sysctl -w net.core.bpf_jit_enable=1`, and the same in a file of /etc/sysctl.d for the next boot",
            ),
            Line::unknown(
                Check::Unit,
                "systemd does not run here, so what starts op25b at a boot is not known",
            ),
            Line::ok(
                Check::Native,
                "the driver ice runs XDP programs as the interface is configured now",
            )
            .on(interface),
            Line::fail(
                Check::Interface,
                "there is no interface eth9 in this network namespace",
                "`ip link` lists lo, 加入者1",
            )
            .on("eth9"),
        ],
    }
}

fn shown(width: Option<u16>) -> String {
    anstream::adapter::strip_str(&text(&examined(), width)).to_string()
}

#[test]
fn a_narrow_terminal_folds_what_was_found_and_what_to_do_below_it() {
    insta::assert_snapshot!(shown(Some(80)));
}

#[test]
fn a_wide_terminal_and_a_pipe_have_a_line_for_each() {
    insta::assert_snapshot!(shown(Some(200)));
    assert_eq!(shown(None), shown(Some(200)));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    use unicode_width::UnicodeWidthStr as _;

    for width in [60, 80, 120] {
        for line in shown(Some(width)).lines() {
            assert!(line.width() <= usize::from(width), "{width}: {line}");
        }
    }
}
