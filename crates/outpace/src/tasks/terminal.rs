//! Talking to the person at the terminal.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write};

/// A line on standard output. Nobody reading is no error.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Whether a question can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Whether the answer was yes. Enter alone is no.
pub(crate) fn ask(question: &str) -> bool {
    let mut out = io::stdout().lock();
    let _ = write!(out, "{question} [y/N] ").and_then(|()| out.flush());
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}
