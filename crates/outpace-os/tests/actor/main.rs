//! The other process of the tests: `outpace-os-actor ROLE …`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "it speaks to tests, and fails by panicking")]

mod dekker;

use std::io::Write;
use std::time::{Duration, Instant};
use std::{env, thread};

use outpace_os::{Pid, Signal, SpawnSpec};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["claim-grants", board, socket, register] => {
            dekker::claim_grants(board.parse().unwrap(), socket.parse().unwrap(), register == "register");
        }
        ["parent", tie] => parent(tie == "tied"),
        ["everything-without-proc"] => everything_without_proc(),
        _ => panic!("no such role: {arguments:?}"),
    }
}

/// Starts a child, says its id, and waits to be killed.
fn parent(die_with_parent: bool) {
    let argv = vec!["sleep".into(), "100".into()];
    let child = outpace_os::spawn(SpawnSpec { argv, die_with_parent, ..SpawnSpec::default() }).unwrap();
    println!("{child}");
    std::io::stdout().flush().unwrap();
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}

/// Uses all of the crate where `/proc` and `/sys` are empty.
fn everything_without_proc() {
    assert!(std::fs::read_dir("/proc").unwrap().next().is_none(), "there is a /proc");
    assert!(std::fs::read_dir("/sys").unwrap().next().is_none(), "there is a /sys");
    outpace_os::become_subreaper().unwrap();
    let (kept, _other) = outpace_os::socket_pair().unwrap();
    let (_, now) = outpace_os::raise_open_files();
    let child = outpace_os::spawn(SpawnSpec {
        argv: vec!["sleep".into(), "100".into()],
        fds: vec![kept],
        own_group: true,
        die_with_parent: true,
        open_files: Some(now.min(512)),
        ..SpawnSpec::default()
    })
    .unwrap();
    assert!(outpace_os::is_alive(child));
    assert!(outpace_os::has_children());
    assert_eq!(outpace_os::children(), []);
    assert_eq!(outpace_os::descendants(Pid::current()), []);
    assert_eq!(outpace_os::facts(child), outpace_os::ProcessFacts::default());
    assert_eq!(outpace_os::oom_kills(), None);
    assert!(outpace_os::usable_cpus().count >= 1);
    outpace_os::Board::new(2).unwrap().set_limit(1, 5);
    outpace_os::fence();
    outpace_os::kill_group(child, Signal::Kill).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while outpace_os::is_alive(child) {
        assert!(Instant::now() < deadline, "a killed child counts as alive");
        thread::yield_now();
    }
    assert_eq!(outpace_os::reap().len(), 1);
    assert!(!outpace_os::has_children());
    println!("fine");
}
