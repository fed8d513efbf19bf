//! Ends of processes: codes, signals, orphans, many at once.

use std::fs;

use outpace_os::{Exit, Pid, Signal, from_wait_status, has_children, kill, reap, spawn};

use crate::processes::{alone, end, ends, folder, sh, start, until};

#[test]
fn ends_are_told_apart_and_named() {
    let _alone = alone();
    let cases = [
        ("exit 0", "exit code 0"),
        ("exit 255", "exit code 255"),
        ("ulimit -c 0; kill -SEGV $$", "signal 11 (SIGSEGV)"),
        ("kill -KILL $$", "signal 9 (SIGKILL)"),
        ("kill -36 $$", "signal 36 (SIGRTMIN+2)"),
    ];
    for (script, name) in cases {
        assert_eq!(end(spawn(sh(script)).unwrap()).to_string(), name, "{script}");
    }
    assert_eq!(from_wait_status(0x8b).to_string(), "signal 11 (SIGSEGV) (core dumped)");
    assert_eq!(from_wait_status(0x0300), Exit::Code(3));
    assert_eq!(Exit::Signal { signal: 99, core_dumped: false }.to_string(), "signal 99");
}

#[test]
fn a_running_child_is_not_waited_for() {
    let _alone = alone();
    assert!(!has_children());
    let child = start(&["sleep", "100"]);
    assert_eq!(reap(), []);
    assert!(has_children());
    kill(child, Signal::Kill).unwrap();
    until("the child to become a zombie", || !outpace_os::is_alive(child));
    assert!(has_children(), "an ended child is one until it is reaped");
    assert_eq!(reap(), [(child, Exit::Signal { signal: 9, core_dumped: false })]);
    assert!(!has_children());
}

#[test]
fn many_that_end_together_are_all_reaped() {
    let _alone = alone();
    let children: Vec<Pid> = (0..40).map(|code| spawn(sh(&format!("exit {code}"))).unwrap()).collect();
    let expected: Vec<Exit> = (0..40).map(Exit::Code).collect();
    assert_eq!(ends(&children), expected);
    assert!(!has_children());
}

#[test]
fn orphans_are_adopted_and_reaped() {
    let _alone = alone();
    let file = folder("orphans").join("pid");
    let go = file.with_file_name("go");
    let orphan = format!("while [ ! -e {} ]; do sleep 0.01; done; exit 7", go.display());
    let parent = spawn(sh(&format!("sh -c '{orphan}' & echo $! > {}", file.display()))).unwrap();
    assert_eq!(end(parent), Exit::Code(0));
    let orphan = Pid(fs::read_to_string(&file).unwrap().trim().parse().unwrap());
    assert!(outpace_os::children().contains(&orphan));
    fs::write(go, "").unwrap();
    assert_eq!(end(orphan), Exit::Code(7));
}
