//! Stopping, killing, and what counts as alive.

use std::io::ErrorKind;

use outpace_os::{
    Exit, Pid, Signal, SpawnSpec, descendants, facts, has_children, is_alive, kill, kill_group, name_of,
    spawn,
};

use crate::processes::{alone, end, sh, start, until};

const KILLED: Exit = Exit::Signal { signal: libc::SIGKILL, core_dumped: false };

#[test]
fn a_stopped_process_is_alive_goes_on_and_can_be_killed() {
    let _alone = alone();
    let child = start(&["sleep", "100"]);
    kill(child, Signal::Stop).unwrap();
    until("the child to stop", || facts(child).state == Some('T'));
    assert!(is_alive(child));
    assert_eq!(outpace_os::reap(), [], "stopping is no end");
    kill(child, Signal::Continue).unwrap();
    until("the child to go on", || facts(child).state == Some('S'));
    kill(child, Signal::Stop).unwrap();
    kill(child, Signal::Kill).unwrap();
    assert_eq!(end(child), KILLED);
}

#[test]
fn each_signal_is_the_one_it_says() {
    let _alone = alone();
    for (signal, name) in [(Signal::Interrupt, "SIGINT"), (Signal::Terminate, "SIGTERM")] {
        let child = start(&["sleep", "100"]);
        kill(child, signal).unwrap();
        assert!(end(child).to_string().contains(name));
    }
}

#[test]
fn processes_that_are_gone_are_no_error() {
    let _alone = alone();
    let child = spawn(SpawnSpec { own_group: true, ..sh("exit 0") }).unwrap();
    until("the child to end", || !is_alive(child));
    kill(child, Signal::Kill).unwrap();
    assert_eq!(end(child), Exit::Code(0));
    kill(child, Signal::Kill).unwrap();
    kill_group(child, Signal::Kill).unwrap();
    assert!(!is_alive(child));
}

#[test]
fn ids_with_a_meaning_of_their_own_are_refused() {
    let _alone = alone();
    for pid in [1, 0, -1, -2, i32::MIN] {
        assert_eq!(kill(Pid(pid), Signal::Continue).unwrap_err().kind(), ErrorKind::InvalidInput, "{pid}");
        assert_eq!(
            kill_group(Pid(pid), Signal::Continue).unwrap_err().kind(),
            ErrorKind::InvalidInput,
            "{pid}"
        );
    }
    assert!(!is_alive(Pid(0)) && !is_alive(Pid(-1)));
    assert!(is_alive(Pid(1)) && is_alive(Pid::current()));
}

#[test]
fn a_group_whose_leader_is_dead_and_reaped_can_still_be_killed() {
    let _alone = alone();
    let leader =
        spawn(SpawnSpec { own_group: true, ..sh("sleep 100 & sh -c 'sleep 100 & wait' & wait") }).unwrap();
    until("the group to be complete", || descendants(leader).len() == 3);
    let members = descendants(leader);
    kill(leader, Signal::Kill).unwrap();
    assert_eq!(end(leader), KILLED);
    assert!(members.iter().all(|pid| is_alive(*pid)));

    kill_group(leader, Signal::Kill).unwrap();
    until("the group to die", || !members.iter().any(|pid| is_alive(*pid)));
    outpace_os::reap();
    until("the last member to be reaped", || {
        outpace_os::reap();
        !has_children()
    });
}

#[test]
fn a_process_whose_first_thread_has_ended_is_alive() {
    let _alone = alone();
    let script = "import ctypes, threading, time\n\
                  threading.Thread(target=time.sleep, args=(100,)).start()\n\
                  exit_thread = {'x86_64': 60, 'aarch64': 93}[__import__('os').uname().machine]\n\
                  ctypes.CDLL(None).syscall(exit_thread, 0)\n";
    let child = start(&["python3", "-c", script]);
    until("the first thread to end", || facts(child).state == Some('Z'));
    assert!(is_alive(child));
    assert_eq!(outpace_os::reap(), []);
    kill(child, Signal::Kill).unwrap();
    assert_eq!(end(child), KILLED);
}

#[test]
fn a_zombie_that_another_process_leaves_unreaped_is_dead() {
    let _alone = alone();
    let parent = start(&["python3", "-c", "import os, time; os.fork() or os._exit(0); time.sleep(100)"]);
    let mut zombie = None;
    until("the grandchild to end", || {
        zombie = descendants(parent).into_iter().find(|pid| facts(*pid).state == Some('Z'));
        zombie.is_some()
    });
    assert!(zombie.is_some_and(|pid| !is_alive(pid)));
    assert!(is_alive(parent));
}

#[test]
fn names() {
    let _alone = alone();
    let cases =
        [(2, "SIGINT"), (6, "SIGABRT"), (31, "SIGSYS"), (33, "SIG33"), (34, "SIGRTMIN"), (64, "SIGRTMIN+30")];
    for (number, name) in cases {
        assert_eq!(name_of(number), name);
    }
    assert_eq!(name_of(0), "signal 0");
    assert_eq!(name_of(65), "signal 65");
}
