//! Stacks written by another process, and what the kernel says of it.

use std::thread::sleep;
use std::time::Duration;

use outpace_os::{Pid, Signal, SpawnSpec, StackFile, ask, kill, native_state, spawn};

use crate::processes::{alone, command, end};

/// Its file is descriptor 50; 51 is there once it is ready.
const PYTHON: &str = r#"
import faulthandler, os, signal, sys, time
fd = os.memfd_create("outpace-stacks")
os.dup2(fd, 50)
if sys.argv[1] != "unhandled": faulthandler.register(60, file=50, all_threads=True, chain=False)
if sys.argv[1] == "blocked": signal.pthread_sigmask(signal.SIG_BLOCK, [60])
if sys.argv[1] == "reused": os.dup2(os.open("/dev/null", os.O_RDWR), 50)
signal.signal(61, lambda *_: os._exit(7))
os.dup2(fd, 51)
def waits(): time.sleep(600)
waits()
"#;

fn start(how: &str) -> Pid {
    let pid = spawn(SpawnSpec { ..command(&["python3", "-c", PYTHON, how]) }).unwrap();
    for _ in 0..1_000 {
        if std::fs::exists(format!("/proc/{pid}/fd/51")).unwrap_or(false) {
            sleep(Duration::from_millis(20));
            return pid;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("python3 does not start");
}

fn stop(pid: Pid) {
    kill(pid, Signal::Kill).unwrap();
    end(pid);
}

#[test]
fn a_python_process_writes_its_stacks_and_sleeps_on() {
    let _alone = alone();
    let pid = start("handled");
    for _ in 0..2 {
        let mut file = StackFile::open(pid, Some(50)).unwrap();
        file.request().unwrap();
        let mut text = String::new();
        while !text.contains("in <module>\n") {
            text.push_str(&file.more().unwrap());
        }
        assert_eq!(text.matches("in waits").count(), 1, "{text}");
    }
    let state = native_state(pid).join("\n");
    assert!(state.starts_with("main thread: sleeping"), "{state}");
    stop(pid);
}

#[test]
fn nothing_is_sent_to_a_process_that_it_would_harm() {
    let _alone = alone();
    for (how, why) in [("unhandled", "took the handler away"), ("blocked", "blocks the signal")] {
        let pid = start(how);
        let said = StackFile::open(pid, Some(50)).unwrap().request().unwrap_err();
        assert!(said.contains(why), "{said}");
        stop(pid);
    }
    let pid = start("reused");
    assert!(StackFile::open(pid, Some(50)).unwrap_err().contains("closed the descriptor"));
    assert!(StackFile::open(pid, Some(99)).unwrap_err().contains("gone"));
    assert!(StackFile::open(pid, None).unwrap_err().contains("not installed"));
    stop(pid);
    assert!(ask(Pid(1)).is_err() && ask(Pid(0)).is_err());
}

#[test]
fn a_process_is_asked_by_the_other_signal() {
    let _alone = alone();
    let pid = start("handled");
    ask(pid).unwrap();
    assert_eq!(end(pid), outpace_os::Exit::Code(7));
}
