//! The keyboard: single keys, and a line where one asks for a name.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use outpace_os::SingleKeys;
use outpace_watch::Key;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

const ENTER: [u8; 2] = [b'\r', b'\n'];
const ERASE: [u8; 2] = [0x08, 0x7f];
const ESCAPE: u8 = 0x1b;

/// What was pressed.
pub(super) enum Pressed {
    /// What somebody wants of the state machine.
    Key(Key),
    /// What there is to press.
    Help,
    /// Nothing that is known, or not all of it yet.
    Nothing,
}

/// The terminal, if there is one.
pub(super) struct Keys {
    watched: Option<AsyncFd<std::os::fd::OwnedFd>>,
    mode: Option<SingleKeys>,
    /// The name that is being typed.
    line: Option<String>,
    ahead: Vec<u8>,
}

impl Keys {
    pub(super) fn open() -> io::Result<Self> {
        let mut keys = Self { watched: None, mode: None, line: None, ahead: Vec::new() };
        if io::stdin().is_terminal() {
            let copy = io::stdin().as_fd().try_clone_to_owned()?;
            #[expect(
                deprecated,
                reason = "an owned descriptor keeps the promise that the safe function does not ask for"
            )]
            let watched = AsyncFd::with_interest(copy, Interest::READABLE);
            keys.watched = watched.ok();
            keys.listen();
        }
        Ok(keys)
    }

    pub(super) fn are_there(&self) -> bool {
        self.watched.is_some()
    }

    /// Single keys from here on; again after somebody else had the terminal.
    pub(super) fn listen(&mut self) {
        if self.watched.is_some() {
            self.mode = None;
            self.mode = SingleKeys::begin(io::stdin().as_fd()).ok();
        }
    }

    /// Somebody else has the terminal, as it was.
    pub(super) fn pause(&mut self) {
        self.mode = None;
        self.line = None;
        self.ahead.clear();
    }

    pub(super) async fn next(&mut self) -> Pressed {
        if self.ahead.is_empty() {
            let Some(watched) = &self.watched else { return std::future::pending().await };
            let Ok(mut ready) = watched.readable().await else { return std::future::pending().await };
            let mut bytes = [0; 64];
            // In this mode reading does not wait. Standard input's own buffer would keep what a debugger is to get.
            let read = ready.try_io(|_| {
                let count = outpace_os::read_now(io::stdin().as_fd(), &mut bytes)?;
                if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
            });
            let Ok(Ok(count)) = read else { return Pressed::Nothing };
            self.ahead.extend(bytes[..count].iter().rev());
        }
        let Some(byte) = self.ahead.pop() else { return Pressed::Nothing };
        match self.line.take() {
            Some(line) => self.typed(line, byte),
            None => self.single(byte),
        }
    }

    fn single(&mut self, byte: u8) -> Pressed {
        match byte {
            b'a' => Pressed::Key(Key::All),
            b'f' => Pressed::Key(Key::Failed),
            b'l' | b'\r' | b'\n' => Pressed::Key(Key::Last),
            b'd' => Pressed::Key(Key::Debug),
            b'q' | 0x04 => Pressed::Key(Key::Quit),
            b'?' | b'h' => Pressed::Help,
            b'o' => {
                self.line = Some(String::new());
                show("file with tests (part of its name): ");
                Pressed::Nothing
            }
            ESCAPE => {
                self.ahead.clear(); // an arrow, say
                Pressed::Nothing
            }
            _ => Pressed::Nothing,
        }
    }

    fn typed(&mut self, mut line: String, byte: u8) -> Pressed {
        if ENTER.contains(&byte) {
            show("\n");
            let name = line.trim().to_owned();
            return if name.is_empty() { Pressed::Nothing } else { Pressed::Key(Key::File(name)) };
        }
        if byte == ESCAPE {
            self.ahead.clear();
            show("\n");
            return Pressed::Nothing;
        }
        if ERASE.contains(&byte) {
            if line.pop().is_some() {
                show("\x08 \x08");
            }
        } else if !byte.is_ascii_control() {
            line.push(char::from(byte));
            show(&line[line.len() - char::from(byte).len_utf8()..]);
        }
        self.line = Some(line);
        Pressed::Nothing
    }
}

fn show(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
