//! The launcher's side: hand a run to the server, then be its proxy, which passes signals on and ends as it ends.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use outpace_os::{Pid, Signal, SpawnSpec};
use tokio::signal::unix::{SignalKind, signal};

use crate::channel::Channel;
use crate::messages::{FromLauncher, ToLauncher};
use crate::place::Place;
use crate::request::{Request, Streams};

/// How long a server may take to start, or to say that it has heard.
const PATIENCE: Duration = Duration::from_secs(3);

/// What became of a run.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// It ran; the exit code.
    Code(u8),
    /// It did not: it is to run without the server. Why.
    Cold(String),
}

/// What a server can be asked besides runs.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// What it has.
    Status,
    /// To end.
    Stop,
}

/// Whether a run may start a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Where there is none.
    Start,
    /// Layers of this run are thrown away, where there are any.
    Fresh,
}

impl Streams {
    /// Those of this process, which has one thread.
    pub fn current() -> Self {
        Self {
            terminals: [io::stdin().is_terminal(), io::stdout().is_terminal(), io::stderr().is_terminal()],
            mask: outpace_os::file_mask(),
            limits: outpace_os::limits(),
            ignored: outpace_os::ignored_signals(),
        }
    }
}

/// Runs it on the server of the project, which is started where there is none.
pub fn run(place: &Place, project: &Path, request: &Request, hint: Hint, version: &str) -> Ended {
    let socket = match outpace_os::connect_to(&place.socket()) {
        Err(_) if hint == Hint::Fresh => return Ended::Cold("--fresh".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Ended::Cold(format!("the server is not yours: {error}"));
        }
        Err(_) => match start(place, project) {
            Ok(socket) => socket,
            Err(error) => return Ended::Cold(format!("no server could be started: {error}")),
        },
        Ok(socket) => socket,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(hand_over(socket, request, hint, version)),
        Err(error) => Ended::Cold(error.to_string()),
    }
}

/// The answer of the project's server; `None` where there is no server.
pub fn ask(place: &Place, asked: Asked) -> io::Result<Option<String>> {
    let Ok(socket) = outpace_os::connect_to(&place.socket()) else { return Ok(None) };
    let message = match asked {
        Asked::Status => FromLauncher::Status,
        Asked::Stop => FromLauncher::Stop,
    };
    outpace_os::send_message(socket.as_fd(), &serde_json::to_vec(&message)?, &[])?;
    let answer = match outpace_os::receive_message(socket.as_fd())? {
        Some((bytes, _)) => serde_json::from_slice(&bytes)?,
        None => ToLauncher::Stopped,
    };
    if matches!(asked, Asked::Stop) {
        wait_for_the_end(place);
    }
    Ok(Some(match answer {
        ToLauncher::Status { text } => text,
        _ => "stopped".to_owned(),
    }))
}

fn wait_for_the_end(place: &Place) {
    let until = Instant::now() + PATIENCE;
    while place.socket().exists() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn start(place: &Place, project: &Path) -> io::Result<OwnedFd> {
    outpace_os::spawn(SpawnSpec {
        argv: vec![std::env::current_exe()?.into(), "__serve".into(), place.folder().into(), project.into()],
        cwd: Some("/".into()),
        stdin_null: true,
        stdout_null: true,
        ..SpawnSpec::default()
    })?;
    let until = Instant::now() + PATIENCE;
    loop {
        match outpace_os::connect_to(&place.socket()) {
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(1)),
            connected => return connected,
        }
    }
}

async fn hand_over(socket: OwnedFd, request: &Request, hint: Hint, version: &str) -> Ended {
    let outcome = async {
        let server = Channel::new(socket)?;
        server.send(&FromLauncher::Hello, &[])?;
        let heard = tokio::time::timeout(PATIENCE, server.receive::<ToLauncher>()).await;
        if !matches!(heard, Ok(Some((ToLauncher::Heard, _)))) {
            return Err(io::Error::other("it does not answer"));
        }
        let body = request.write(outpace_os::memory_file("outpace-request")?)?;
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let message = FromLauncher::Run {
            version: version.to_owned(),
            fresh: hint == Hint::Fresh,
            streams: request.streams.clone(),
        };
        server.send(&message, &[stdin.as_fd(), stdout.as_fd(), stderr.as_fd(), body.as_fd()])?;
        io::Result::Ok(server)
    };
    match outcome.await {
        Ok(server) => match accompany(&server).await {
            Ok(ended) => ended,
            Err(error) => Ended::Cold(format!("signals cannot be heard: {error}")),
        },
        Err(error) => Ended::Cold(format!("the server: {error}")),
    }
}

/// Passes signals on until the run is over.
async fn accompany(server: &Channel) -> io::Result<Ended> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut window = signal(SignalKind::window_change())?;
    let mut stop = signal(SignalKind::from_raw(outpace_os::SIGTSTP))?;
    let mut go_on = signal(SignalKind::from_raw(outpace_os::SIGCONT))?;
    let mut started = false;
    loop {
        let number = tokio::select! {
            message = server.receive::<ToLauncher>() => {
                match message {
                    Some((ToLauncher::Started, _)) => started = true,
                    Some((ToLauncher::Cold { why }, _)) => return Ok(Ended::Cold(why)),
                    Some((ToLauncher::Ended { status }, _)) => return Ok(Ended::Code(code(status))),
                    Some(_) => {}
                    None if started => return Ok(Ended::Code(3)),
                    None => return Ok(Ended::Cold("the server ended".to_owned())),
                }
                continue;
            }
            _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
            _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = hangup.recv() => SignalKind::hangup().as_raw_value(),
            _ = quit.recv() => SignalKind::quit().as_raw_value(),
            _ = window.recv() => SignalKind::window_change().as_raw_value(),
            _ = stop.recv() => outpace_os::SIGTSTP,
            _ = go_on.recv() => outpace_os::SIGCONT,
        };
        let is_of_the_terminal = number == outpace_os::SIGTSTP
            || number == outpace_os::SIGCONT
            || number == SignalKind::window_change().as_raw_value();
        if started {
            let _ = server.send(&FromLauncher::Signal { number }, &[]);
        } else if !is_of_the_terminal {
            // Nothing of the run is there yet.
            return Ok(Ended::Code(code(-number)));
        }
        if number == outpace_os::SIGTSTP {
            let _ = outpace_os::kill(Pid::current(), Signal::Stop);
        }
    }
}

/// The exit code of a process that ended so, as a shell tells it.
fn code(status: i32) -> u8 {
    u8::try_from(if status < 0 { 128 - status } else { status }).unwrap_or(u8::MAX)
}
