//! `outpace watch`: runs tests when files are saved. The one place that does I/O for it; what runs next is decided in
//! `outpace-watch`, and a run is an `outpace --warm` of its own, so that nothing of it can be in the way of the next.

mod files;
mod keys;
mod looking;
mod run;
mod words;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use outpace_warm::project_of;
use outpace_watch::{Action, Key, Watch as State};
use tokio::signal::unix::{Signal as Heard, SignalKind, signal};
use tokio::time::Instant;

use crate::error::CommandError;
use crate::tasks::terminal::say;
use crate::{interpreter, warm};

use files::{Changes, Files};
use keys::{Keys, Pressed};
use run::{Ended, Runs};

/// Saving is over when nothing has changed for this long, and it is not waited for longer than that.
const QUIET: Duration = Duration::from_millis(30);
const LONGEST: Duration = Duration::from_millis(300);
/// What a run gets each time before it is asked more firmly, where nobody is there to do so.
const PATIENCE: Duration = Duration::from_secs(10);
/// pytest's exit code for arguments and settings that it does not understand.
const USAGE: u8 = 4;

/// Run tests when files are saved: failed ones first, then those of changed files, then those that use these.
///
/// Keys, in a terminal: a all, f failed, o one file, l last, d debugger at the failure, q quit, ? help.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Look for changes again and again, where nothing tells of them (by itself on network and shared folders).
    #[arg(long)]
    poll: bool,

    /// After each save go on with all other tests.
    #[arg(long)]
    all: bool,

    /// Arguments for pytest.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PYTEST ARGS")]
    args: Vec<OsString>,
}

impl Watch {
    /// `is_told`: `--warm` stood before the command.
    pub(crate) fn run(&self, python: Option<&Path>, is_told: bool) -> Result<ExitCode, CommandError> {
        if warm::in_ci() && !is_told {
            return Err(CommandError::WatchInCi);
        }
        let here = std::env::current_dir()
            .map_err(|source| CommandError::NoFolder { folder: PathBuf::from("."), source })?;
        let runs = Runs::new(interpreter::find(python)?, self.args.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (to_loop, changes) = tokio::sync::mpsc::unbounded_channel();
            let files = Files::watch(&project_of(&here), self.poll, to_loop);
            let state = State::new(self.all);
            let is_plain = std::env::var_os("NO_COLOR").is_some()
                || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            let has_colours = std::io::stdout().is_terminal() && !is_plain;
            let keys = Keys::open()?;
            Watching {
                state,
                files,
                changes,
                runs,
                keys,
                has_colours,
                has_run: false,
                code: 0,
                must_end: false,
                insists_at: None,
            }
            .go()
            .await
        })
    }
}

struct Watching {
    state: State,
    files: Files,
    changes: tokio::sync::mpsc::UnboundedReceiver<files::Event>,
    runs: Runs,
    keys: Keys,
    has_colours: bool,
    has_run: bool,
    /// The exit code.
    code: u8,
    must_end: bool,
    insists_at: Option<Instant>,
}

/// Signals that are heard as long as this lives.
struct Signals {
    interrupt: Heard,
    terminate: Heard,
    hangup: Heard,
    go_on: Heard,
    child: Heard,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            go_on: signal(SignalKind::from_raw(outpace_os::SIGCONT))?,
            child: signal(SignalKind::child())?,
        })
    }
}

impl Watching {
    async fn go(mut self) -> Result<ExitCode, CommandError> {
        let mut signals = Signals::new()?;
        let mut saved = Changes::default();
        let mut saved_since: Option<(Instant, Instant)> = None;
        self.note_root();
        let actions = self.state.start();
        let mut is_over = self.act(actions)?;
        while !is_over {
            let quiet_at = saved_since.map(|(first, last)| (first + LONGEST).min(last + QUIET));
            let actions = tokio::select! {
                Some(event) = self.changes.recv() => {
                    if self.files.take(event, &mut saved) {
                        let now = Instant::now();
                        saved_since = Some((saved_since.map_or(now, |(first, _)| first), now));
                    }
                    Vec::new()
                }
                () = tokio::time::sleep_until(quiet_at.unwrap_or_else(Instant::now)), if quiet_at.is_some() => {
                    saved_since = None;
                    self.saved(std::mem::take(&mut saved))
                }
                pressed = self.keys.next(), if !self.runs.have_the_terminal() => self.pressed(pressed),
                _ = signals.interrupt.recv() => {
                    // In a debugger, it is the debugger's.
                    if self.runs.have_the_terminal() { Vec::new() } else { self.told_to_end(128 + 2) }
                }
                _ = signals.terminate.recv() => self.told_by_nobody(128 + 15),
                _ = signals.hangup.recv() => self.told_by_nobody(128 + 1),
                () = tokio::time::sleep_until(self.insists_at.unwrap_or_else(Instant::now)),
                    if self.insists_at.is_some() => self.told_by_nobody(self.code),
                _ = signals.go_on.recv() => {
                    if !self.runs.have_the_terminal() {
                        self.keys.listen();
                    }
                    Vec::new()
                }
                _ = signals.child.recv() => self.ended(),
            };
            is_over = self.act(actions)?;
        }
        Ok(ExitCode::from(self.code))
    }

    fn saved(&mut self, saved: Changes) -> Vec<Action> {
        let mut actions = if saved.is_lost { self.state.lost_track() } else { Vec::new() };
        let paths: BTreeSet<String> = self.files.settle(saved);
        if !paths.is_empty() {
            actions.extend(self.state.changed(paths));
        }
        actions
    }

    fn pressed(&mut self, pressed: Pressed) -> Vec<Action> {
        match pressed {
            Pressed::Nothing => Vec::new(),
            Pressed::Help => {
                say(words::HELP);
                Vec::new()
            }
            Pressed::Key(Key::Quit) => self.told_to_end(0),
            Pressed::Key(key) => self.state.pressed(key),
        }
    }

    /// The second time, the run does not end as it likes to.
    fn told_to_end(&mut self, code: u8) -> Vec<Action> {
        self.code = self.code.max(code);
        if self.must_end {
            self.runs.cancel();
        }
        self.must_end = true;
        self.state.pressed(Key::Quit)
    }

    /// Nobody is there to say it again.
    fn told_by_nobody(&mut self, code: u8) -> Vec<Action> {
        self.insists_at = Some(Instant::now() + PATIENCE);
        self.told_to_end(code)
    }

    fn ended(&mut self) -> Vec<Action> {
        let Some(Ended { told, code }) = self.runs.ended() else { return Vec::new() };
        self.keys.listen();
        if code == Some(i32::from(USAGE)) && !self.has_run {
            // Saving a file does not change the arguments.
            self.code = USAGE;
            return vec![Action::Quit];
        }
        self.has_run = true;
        if let Some(root) = told.as_ref().map(|told| PathBuf::from(&told.root)) {
            self.files.move_to(&root);
        }
        self.state.ended(told)
    }

    fn note_root(&mut self) {
        if let Some(line) = self.files.note() {
            say(line);
        }
    }

    /// True when it is over.
    fn act(&mut self, actions: Vec<Action>) -> Result<bool, CommandError> {
        for action in actions {
            match action {
                Action::Run { selection, debug, why } => {
                    say(words::of_run(&selection, debug, &why, self.state.graph().tests()));
                    if debug {
                        self.keys.pause();
                    }
                    self.runs.start(&selection, debug, self.state.graph().token())?;
                }
                Action::Cancel => self.runs.cancel(),
                Action::Say(said) => {
                    if let Some(line) = words::of(&said, self.keys.are_there(), self.has_colours) {
                        say(line);
                    }
                }
                Action::Quit => return Ok(true),
            }
        }
        Ok(false)
    }
}
