//! A controller, and the coordinator it starts: this test binary again, as a process of its own.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use outpace_protocol::{Decoder, FromController, Hello, ToController};

pub(crate) const VERSION: &str = "1.2.3";
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Controller {
    stream: Option<UnixStream>,
    decoder: Decoder,
    coordinator: Child,
}

/// Not a test: the coordinator's process.
#[test]
#[ignore = "started by the others"]
fn coordinate() {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().expect("the socket");
    outpace_runner::serve(socket, None, VERSION).expect("a run");
}

impl Controller {
    pub(crate) fn start() -> Self {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let coordinator = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "controller::coordinate", "--ignored", "--nocapture"])
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .expect("the coordinator");
        Self { stream: Some(ours), decoder: Decoder::default(), coordinator }
    }

    pub(crate) fn greet(&mut self, version: &str) {
        let hello = Hello { version: version.to_owned(), cpu_quota: None, cpus: String::new() };
        self.send(&FromController::Hello(hello));
    }

    pub(crate) fn send(&mut self, message: &FromController) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.write(&bytes);
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.as_mut().expect("a connection").write_all(bytes).expect("a coordinator that reads");
    }

    /// The next message; `None` when the coordinator has ended.
    pub(crate) fn receive(&mut self) -> Option<ToController> {
        let until = Instant::now() + PATIENCE;
        let mut buffer = vec![0; 1 << 16];
        loop {
            if let Some(frame) = self.decoder.next_frame().expect("frames") {
                return Some(ToController::decode(&frame).expect("a message"));
            }
            let stream = self.stream.as_mut().expect("a connection");
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the coordinator is silent");
            stream.set_read_timeout(Some(left)).expect("a timeout");
            match stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.decoder.feed(&buffer[..count]),
                Err(error) => panic!("the coordinator is silent: {error}"),
            }
        }
    }

    /// Waits for the coordinator's process; whether it ended well.
    pub(crate) fn wait(&mut self) -> bool {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.coordinator.try_wait().expect("a child") {
                return status.success();
            }
            assert!(Instant::now() < until, "the coordinator does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn coordinator_pid(&self) -> u32 {
        self.coordinator.id()
    }

    /// Vanishes without a word.
    pub(crate) fn hang_up(&mut self) {
        self.stream = None;
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.coordinator.kill();
        let _ = self.coordinator.wait();
    }
}
