//! The terminal: taken for a live view, and given back however that ends.

use std::{
    io::{self, Stdout, stdout},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use ratatui::{
    Frame, Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::{Hide, Show},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};

/// Whether the terminal is taken.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// A terminal that shows a live view. Dropping it gives the terminal back.
pub(super) struct LiveTerminal(Terminal<CrosstermBackend<Stdout>>);

impl LiveTerminal {
    /// Takes the terminal. A panic gives it back before its message is written.
    pub(super) fn take() -> io::Result<Self> {
        give_back_on_panic();
        take()?;
        match Terminal::new(CrosstermBackend::new(stdout())) {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Draws a frame; the terminal may have another size than before.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(|_| ())
    }

    /// Clears the screen, and draws everything the next time.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        // Not `clear`: it asks the terminal where the cursor is, and the thread that reads keys would get the answer.
        let area = self.0.size()?.into();
        self.0.resize(area)
    }

    /// Takes a terminal that was given back or changed by somebody else, who has stopped this process.
    pub(super) fn take_again(&mut self) -> io::Result<()> {
        give_back();
        take()?;
        self.forget()
    }
}

impl Drop for LiveTerminal {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    IS_TAKEN.store(true, Ordering::Release);
    execute!(stdout(), EnterAlternateScreen, Hide).inspect_err(|_| give_back())
}

/// Gives the terminal back to the shell, if it is taken.
pub(super) fn give_back() {
    if IS_TAKEN.swap(false, Ordering::AcqRel) {
        // It may be gone.
        let _ = execute!(stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use op25b_testlab::tmux;
    use tempfile::TempDir;

    use super::*;

    #[test]
    #[ignore = "the next test runs it in a terminal"]
    fn panics_while_it_has_the_terminal() {
        let mut terminal = LiveTerminal::take().unwrap();
        let text = |frame: &mut Frame<'_>| frame.render_widget("the live view", frame.area());
        terminal.draw(text).unwrap();
        // Until a key is pressed.
        ratatui::crossterm::event::read().unwrap();
        panic!("a fault of the live view");
    }

    #[test]
    fn a_panic_gives_the_terminal_back_before_its_message_is_written() {
        let directory = TempDir::new().unwrap();
        let terminal = tmux::Terminal::start(directory.path(), (80, 24), [("RUST_BACKTRACE", "0")]).unwrap();
        let program = env::current_exe().unwrap();
        let name = "cli::top::terminal::tests::panics_while_it_has_the_terminal";
        terminal.type_line("stty -a >before").unwrap();
        let command = format!("'{}' --exact {name} --ignored --nocapture", program.display());
        terminal
            .type_line(&format!("{command}; stty -a >after; echo 'it has 'ended"))
            .unwrap();
        let screen = terminal.wait_for("the live view").unwrap();
        assert!(!screen.contains("stty"), "it is another screen: {screen}");
        terminal.press(&["x"]).unwrap();
        let screen = terminal.wait_for("it has ended").unwrap();
        assert!(screen.contains("a fault of the live view"), "{screen}");
        assert!(screen.contains("stty"), "what was there before is back: {screen}");
        let [before, after] =
            ["before", "after"].map(|name| fs::read_to_string(directory.path().join(name)).unwrap());
        assert_eq!(before, after);
        assert!(before.contains(" echo "), "{before}");
    }
}
