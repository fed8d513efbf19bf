//! One run at a time: starting it, ending it, and what it told.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use outpace_os::{Exit, Pid, Signal, SpawnSpec};
use outpace_watch::{Selection, Told};
use serde_json::json;

use crate::error::CommandError;
use crate::tasks::scratch::Scratch;

/// Known to `python/outpace/watching`.
const FOLDER: &str = "OUTPACE_WATCH";
const PLUGIN: &str = "outpace.watching";

pub(super) struct Runs {
    python: PathBuf,
    args: Vec<OsString>,
    folder: Scratch,
    child: Option<Pid>,
    has_terminal: bool,
    asked: usize,
}

/// A run that is over: what it told, if anything, and its exit code.
pub(super) struct Ended {
    pub(super) told: Option<Told>,
    pub(super) code: Option<i32>,
}

impl Runs {
    pub(super) fn new(python: PathBuf, args: Vec<OsString>) -> Result<Self, CommandError> {
        Ok(Self { python, args, folder: Scratch::new()?, child: None, has_terminal: false, asked: 0 })
    }

    /// Whether the keyboard is the run's.
    pub(super) fn have_the_terminal(&self) -> bool {
        self.has_terminal
    }

    /// `token` names the collection that is known already.
    pub(super) fn start(
        &mut self,
        selection: &Selection,
        debug: bool,
        token: &str,
    ) -> Result<(), CommandError> {
        let mut plan = serde_json::to_value(selection).map_err(std::io::Error::from)?;
        plan["token"] = json!(token);
        let _ = fs::remove_file(self.folder.path("told.json"));
        fs::write(self.folder.path("plan.json"), plan.to_string())?;
        let mut argv = vec![std::env::current_exe()?.into(), "--python".into(), self.python.clone().into()];
        argv.extend(["--warm", "-p", PLUGIN].map(OsString::from));
        argv.extend(self.args.iter().cloned());
        argv.extend(debug.then(|| "--pdb".into()));
        self.asked = 0;
        self.has_terminal = debug;
        self.child = Some(outpace_os::spawn(SpawnSpec {
            argv,
            set_env: vec![(FOLDER.into(), self.folder.as_ref().into())],
            // The keyboard is ours, and Ctrl-C comes to us alone, but where there is a debugger.
            stdin_null: !debug,
            own_group: !debug,
            die_with_parent: true,
            ..SpawnSpec::default()
        })?);
        Ok(())
    }

    /// As Ctrl-C does: fixtures are torn down. The second time it ends in haste, the third time at once.
    pub(super) fn cancel(&mut self) {
        self.asked += 1;
        let Some(group) = self.child else { return };
        let _ = match (self.asked, self.has_terminal) {
            (1 | 2, false) => outpace_os::kill_group(group, Signal::Interrupt),
            // To a debugger an interrupt is a key like others.
            (1 | 2, true) => outpace_os::kill(group, Signal::Terminate),
            _ => outpace_os::kill(group, Signal::Kill),
        };
    }

    /// None while it runs, or where none does.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        let ended = outpace_os::reap();
        let (_, exit) = ended.into_iter().find(|(pid, _)| Some(*pid) == self.child)?;
        self.child = None;
        self.has_terminal = false;
        let told = fs::read_to_string(self.folder.path("told.json"));
        let told = told.ok().and_then(|text| serde_json::from_str(&text).ok());
        let code = if let Exit::Code(code) = exit { Some(code) } else { None };
        Some(Ended { told, code })
    }
}

impl Drop for Runs {
    /// Where something of ours went wrong meanwhile.
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            let _ = outpace_os::kill(child, Signal::Interrupt);
            while outpace_os::is_alive(child) {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }
}
