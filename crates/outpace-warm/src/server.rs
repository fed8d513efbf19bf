//! The server: it waits for runs, keeps layers for them, and has each run forked from what is provably as it was.
//!
//! One thread, no time but the one at which it has been idle for long enough. It runs no user code: layers do.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::chain::{Chain, Stage, Waiting};
use crate::channel::Channel;
use crate::layers::{cold, cold_all, retire};
use crate::libraries::Libraries;
use crate::messages::{FromLauncher, FromLayer, ToLauncher};
use crate::place::Place;
use crate::request::Request;
use crate::settings::{Settings, settings_of};
use crate::{WarmError, os};

/// What is left to the rest of the machine, in bytes; the variable is for the tests of what is done about it.
const MEMORY_RESERVE: u64 = 512 << 20;
const MEMORY_RESERVE_VARIABLE: &str = "OUTPACE_WARM_RESERVE";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Configured,
    Uncollected,
    Collecting,
    Door(u64),
    Libraries,
}

pub(crate) enum Input {
    Launcher(Channel, FromLauncher, Vec<OwnedFd>),
    Layer(u64, Role, FromLayer, Vec<OwnedFd>),
    LayerGone(u64, Role),
    /// A launcher whose run waits has gone away.
    Gone(u64),
}

/// Serves the project until nobody needs it; returns at once where another server does.
///
/// `version` is the binary's: a launcher of another one goes cold, and the server ends.
pub fn serve(place: &Place, project: &Path, version: &str) -> Result<(), WarmError> {
    let lock = OpenOptions::new()
        .create(true)
        .append(true)
        .open(place.lock())
        .map_err(os("the lock of the server"))?;
    if !outpace_os::lock_now(&lock) {
        return Ok(());
    }
    outpace_os::leave_terminal(&place.log()).map_err(os("the log of the server"))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(os("the loop"))?;
    let served = runtime.block_on(async {
        let _ = std::fs::remove_file(place.socket());
        let listener = outpace_os::listen_at(&place.socket()).map_err(os("the socket of the server"))?;
        let (to_inputs, inputs) = unbounded_channel();
        let mut server = Server {
            project: project.to_owned(),
            version: version.to_owned(),
            settings: settings_of(project),
            chains: BTreeMap::new(),
            libraries: Vec::new(),
            next: 0,
            last: None,
            given_up: None,
            to_inputs,
            active: Instant::now(),
            quit: false,
            reserve: std::env::var(MEMORY_RESERVE_VARIABLE)
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(MEMORY_RESERVE),
        };
        server.run(listener, inputs).await
    });
    let _ = std::fs::remove_file(place.socket());
    drop(lock);
    served
}

pub(crate) struct Server {
    pub(crate) project: PathBuf,
    pub(crate) version: String,
    pub(crate) settings: Settings,
    pub(crate) chains: BTreeMap<u64, Chain>,
    pub(crate) libraries: Vec<Libraries>,
    pub(crate) next: u64,
    /// The last kind of run that had a chain: what a new one is compared with.
    pub(crate) last: Option<Request>,
    /// The last kind of run whose chain was dropped, and why.
    pub(crate) given_up: Option<(Request, String)>,
    pub(crate) to_inputs: UnboundedSender<Input>,
    pub(crate) active: Instant,
    pub(crate) quit: bool,
    pub(crate) reserve: u64,
}

impl Server {
    async fn run(
        &mut self,
        listener: OwnedFd,
        mut inputs: UnboundedReceiver<Input>,
    ) -> Result<(), WarmError> {
        let listener = watched(listener, Interest::READABLE).map_err(os("the socket of the server"))?;
        let binary = std::env::current_exe().ok().and_then(|path| Some((identity(&path)?, path)));
        let mut children = signal(SignalKind::child()).map_err(os("SIGCHLD"))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(os("SIGTERM"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(os("SIGINT"))?;
        let folder =
            outpace_os::watch_for_its_end(&self.project).and_then(|fd| watched(fd, Interest::READABLE)).ok();
        let pressure =
            outpace_os::watch_memory_pressure().and_then(|file| watched(file, Interest::PRIORITY)).ok();
        let _ = outpace_os::become_subreaper();
        while !self.quit {
            let idle = self.active + self.settings.idle;
            tokio::select! {
                ready = listener.readable() => {
                    let Ok(mut ready) = ready else { break };
                    if let Ok(Ok(socket)) = ready.try_io(|socket| outpace_os::accept_from(socket.as_fd())) {
                        self.welcome(socket);
                    }
                }
                Some(input) = inputs.recv() => {
                    self.active = Instant::now();
                    if binary.as_ref().is_some_and(|(known, path)| identity(path) != Some(*known)) {
                        self.quit = true;  // another version is installed
                    }
                    self.take(input);
                }
                _ = children.recv() => drop(outpace_os::reap()),
                _ = terminate.recv() => self.quit = true,
                _ = interrupt.recv() => {}
                () = tokio::time::sleep_until(idle.into()), if !self.is_busy() => self.quit = true,
                () = readable(folder.as_ref()) => self.quit |= !self.project.is_dir(),
                () = pressed(pressure.as_ref()) => self.save_memory(),
            }
        }
        for (_, chain) in std::mem::take(&mut self.chains) {
            let why = "the server is ending";
            cold_all(&chain.waiting, why);
            retire(&chain);
        }
        self.retire_libraries(|_| true);
        Ok(())
    }

    fn is_busy(&self) -> bool {
        self.chains.values().any(Chain::is_busy)
    }

    fn welcome(&self, socket: OwnedFd) {
        let Ok(launcher) = Channel::new(socket) else { return };
        let inputs = self.to_inputs.clone();
        tokio::spawn(async move {
            while let Some((message, fds)) = launcher.receive().await {
                if matches!(message, FromLauncher::Hello) {
                    let _ = launcher.send(&ToLauncher::Heard, &[]);
                } else {
                    let _ = inputs.send(Input::Launcher(launcher, message, fds));
                    return;
                }
            }
        });
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Launcher(launcher, FromLauncher::Run { version, fresh, streams }, mut fds) => {
                if version != self.version || self.quit {
                    self.quit = true;
                    return cold(&launcher, "another version of outpace was installed");
                }
                let Some(body) = fds.pop().filter(|_| fds.len() == 3) else { return };
                let Ok(request) = Request::read(body, streams) else { return };
                self.settings = settings_of(&self.project);
                if fresh {
                    self.drop_chains(|chain| chain.key == request.key());
                    self.retire_libraries(|each| each.key == request.key());
                    return cold(&launcher, "--fresh");
                }
                self.asked(Waiting {
                    launcher,
                    streams: fds,
                    request,
                    note: String::new(),
                    door: None,
                    watch: None,
                });
            }
            Input::Launcher(launcher, FromLauncher::Status, _) => {
                let _ = launcher.send(&ToLauncher::Status { text: self.describe() }, &[]);
            }
            Input::Launcher(launcher, FromLauncher::Stop, _) => {
                self.quit = true;
                let _ = launcher.send(&ToLauncher::Stopped, &[]);
            }
            Input::Launcher(_, FromLauncher::Signal { .. } | FromLauncher::Hello, _) => {}
            Input::Layer(id, role, message, fds) => self.told(id, role, message, fds),
            Input::LayerGone(id, role) => self.gone(id, role),
            Input::Gone(id) => {
                // Ctrl-C while it waits: what it waits for is not wanted either.
                if self.chains.get(&id).is_some_and(|chain| matches!(chain.stage, Stage::Building)) {
                    self.drop_chain(id, "the run was interrupted");
                }
            }
        }
    }

    fn describe(&self) -> String {
        let mut lines = vec![format!("process {}, project {}", std::process::id(), self.project.display())];
        lines.extend(self.chains.values().map(Chain::describe));
        lines.extend(self.libraries.iter().filter_map(Libraries::describe));
        lines.join("\n")
    }
}

fn identity(path: &Path) -> Option<(u64, u64, i64)> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.mtime()))
}

fn watched(fd: OwnedFd, interest: Interest) -> std::io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        deprecated,
        reason = "an owned descriptor keeps the promise that the safe function does not ask for"
    )]
    AsyncFd::with_interest(fd, interest)
}

async fn readable(watch: Option<&AsyncFd<OwnedFd>>) {
    match watch {
        Some(watch) => {
            if let Ok(mut ready) = watch.readable().await {
                outpace_os::drain(watch.get_ref());
                ready.clear_ready();
            }
        }
        None => std::future::pending().await,
    }
}

async fn pressed(watch: Option<&AsyncFd<OwnedFd>>) {
    match watch {
        Some(watch) => {
            if let Ok(mut ready) = watch.ready(Interest::PRIORITY).await {
                ready.clear_ready();
            }
        }
        None => std::future::pending().await,
    }
}
