//! What a child gets, and what it must not get.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use outpace_os::{Exit, Pid, Signal, SpawnSpec, has_children, is_alive, kill, socket_pair, spawn};
use rustix::fs::OFlags;
use rustix::io::{FdFlags, dup, fcntl_getfd};
use rustix::process::{getpgid, getpgrp};

use crate::processes::{ACTOR, alone, asleep, command, end, folder, sh, start, status_line, until};

const SLEEP: [&str; 2] = ["sleep", "100"];

fn descriptors_of(pid: Pid) -> Vec<i32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let mut open: Vec<i32> =
        entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    open.sort_unstable();
    open
}

fn environment_of(pid: Pid) -> BTreeMap<String, String> {
    let block = String::from_utf8(fs::read(format!("/proc/{pid}/environ")).unwrap()).unwrap();
    let split = |entry: &str| entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    block.split('\0').filter_map(split).collect()
}

#[test]
fn only_the_descriptors_named_are_open_in_the_child() {
    let _alone = alone();
    let leaky = dup(File::open("/dev/null").unwrap()).unwrap();
    let high = rustix::io::fcntl_dupfd_cloexec(&leaky, 200).unwrap();
    rustix::io::fcntl_setfd(&high, FdFlags::empty()).unwrap();
    let (ours, theirs) = socket_pair().unwrap();
    let number = theirs.as_raw_fd();

    let child = asleep(SpawnSpec { fds: vec![theirs], ..SpawnSpec::default() });

    assert_eq!(descriptors_of(child), [0, 1, 2, number]);
    assert_eq!(fcntl_getfd(&ours).unwrap(), FdFlags::CLOEXEC);
    // SAFETY: only asked for its flags; nothing else opens descriptors while the test is alone.
    let closed_here = unsafe { BorrowedFd::borrow_raw(number) };
    assert!(fcntl_getfd(closed_here).is_err(), "the parent's copy of {number} is still open");
}

#[test]
fn environment_inherited_replaced_and_added_to() {
    let _alone = alone();
    let pair = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
    let replaced = SpawnSpec {
        env: Some(vec![pair("PATH", "/usr/bin:/bin"), pair("A", "old"), pair("B", "kept")]),
        set_env: vec![pair("A", "new"), pair("EMPTY", "")],
        ..command(&SLEEP)
    };
    let expected = [("PATH", "/usr/bin:/bin"), ("A", "new"), ("B", "kept"), ("EMPTY", "")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(environment_of(asleep(replaced)), BTreeMap::from(expected));

    let mut inherited = environment_of(Pid::current());
    let added = SpawnSpec { set_env: vec![pair("OUTPACE_OS_TEST", "x=y")], ..command(&SLEEP) };
    inherited.insert("OUTPACE_OS_TEST".to_owned(), "x=y".to_owned());
    let seen = environment_of(asleep(added));
    assert_eq!(seen.get("OUTPACE_OS_TEST"), inherited.get("OUTPACE_OS_TEST"));
    assert_eq!(seen.get("PATH"), inherited.get("PATH"));
}

#[test]
fn programs_are_found_in_the_childs_path_from_the_childs_folder() {
    let _alone = alone();
    let tools = folder("tools");
    fs::create_dir_all(tools.join("forbidden")).unwrap();
    for (path, mode) in [("forbidden/outpace-tool", 0o644), ("outpace-tool", 0o755)] {
        fs::write(tools.join(path), "#!/bin/sh\npwd > where\nexit 5\n").unwrap();
        fs::set_permissions(tools.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let path = |list: &str| vec![(OsString::from("PATH"), OsString::from(list))];
    let in_tools = |list: &str| SpawnSpec {
        set_env: path(list),
        cwd: Some(tools.clone()),
        ..command(&["outpace-tool"])
    };

    assert_eq!(end(spawn(in_tools("/nowhere:forbidden:.:/usr/bin:/bin")).unwrap()), Exit::Code(5));
    assert_eq!(fs::read_to_string(tools.join("where")).unwrap().trim(), tools.to_str().unwrap());

    assert_eq!(spawn(in_tools("/nowhere:forbidden")).unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(spawn(in_tools("/nowhere")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_cannot_be_started_is_an_error_that_names_it_and_leaves_no_child() {
    let _alone = alone();
    let attempt = |spec| {
        let error = spawn(spec).unwrap_err();
        assert!(!has_children(), "left a child: {error}");
        (error.kind(), error.to_string())
    };
    let (kind, text) = attempt(command(&["/no/such/python"]));
    assert_eq!((kind, text.contains("cannot run /no/such/python")), (ErrorKind::NotFound, true), "{text}");
    let (kind, text) = attempt(SpawnSpec { cwd: Some("/no/such/folder".into()), ..command(&SLEEP) });
    assert_eq!(
        (kind, text.contains("change to folder /no/such/folder")),
        (ErrorKind::NotFound, true),
        "{text}"
    );
    assert_eq!(attempt(command(&["/etc/passwd"])).0, ErrorKind::PermissionDenied);
    assert_eq!(attempt(command(&[])).0, ErrorKind::InvalidInput);
    assert_eq!(attempt(command(&[""])).0, ErrorKind::InvalidInput);
    assert_eq!(attempt(command(&["sleep", "1\0"])).0, ErrorKind::InvalidInput);
    let bad_name = vec![(OsString::from("A=B"), OsString::new())];
    assert_eq!(attempt(SpawnSpec { set_env: bad_name, ..command(&SLEEP) }).0, ErrorKind::InvalidInput);
}

#[test]
fn null_standard_streams() {
    let _alone = alone();
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let child = asleep(SpawnSpec { stdin_null: true, stdout_null: true, ..SpawnSpec::default() });
    let target = |fd: i32| fs::read_link(format!("/proc/{child}/fd/{fd}")).unwrap();
    assert_eq!((target(0), target(1)), ("/dev/null".into(), "/dev/null".into()));
    assert_eq!(target(2), fs::read_link("/proc/self/fd/2").unwrap());
    drop(write);
    rustix::fs::fcntl_setfl(&read, OFlags::NONBLOCK).unwrap();
    assert_eq!(rustix::io::read(&read, &mut [0; 1]), Ok(0), "the child holds a pipe that it was not given");
}

#[test]
fn groups() {
    let _alone = alone();
    let own = spawn(SpawnSpec { own_group: true, ..command(&SLEEP) }).unwrap();
    let shared = start(&SLEEP);
    let group_of = |pid: Pid| getpgid(rustix::process::Pid::from_raw(pid.0)).unwrap();
    assert_eq!(Pid::from(group_of(own)), own);
    assert_eq!(group_of(shared), getpgrp());
}

/// Blocks `SIGTERM`, ignores `SIGINT` and `SIGHUP`, handles `SIGUSR1`; undone when dropped.
struct OddSignals {
    mask: libc::sigset_t,
    actions: Vec<(i32, libc::sigaction)>,
}

impl OddSignals {
    fn set() -> Self {
        extern "C" fn handler(_: i32) {}
        // SAFETY: all pointers are to locals, filled or zeroed (which is valid) before they are read.
        unsafe {
            let (mut term, mut mask) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigemptyset(&raw mut term);
            libc::sigaddset(&raw mut term, libc::SIGTERM);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const term, &raw mut mask);
            let ours = handler as extern "C" fn(i32) as libc::sighandler_t;
            let wanted =
                [(libc::SIGINT, libc::SIG_IGN), (libc::SIGHUP, libc::SIG_IGN), (libc::SIGUSR1, ours)];
            let actions = wanted.map(|(signal, disposition)| {
                let (mut new, mut old): (libc::sigaction, libc::sigaction) =
                    (std::mem::zeroed(), std::mem::zeroed());
                new.sa_sigaction = disposition;
                assert_eq!(libc::sigaction(signal, &raw const new, &raw mut old), 0);
                (signal, old)
            });
            Self { mask, actions: actions.into() }
        }
    }
}

impl Drop for OddSignals {
    fn drop(&mut self) {
        // SAFETY: restores what `set` was given by the system.
        unsafe {
            for (signal, action) in &self.actions {
                libc::sigaction(*signal, action, std::ptr::null_mut());
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, std::ptr::null_mut());
        }
    }
}

#[test]
fn signals_are_as_a_shell_would_leave_them() {
    let _alone = alone();
    let odd = OddSignals::set();
    let mask = |pid, name| u64::from_str_radix(&status_line(pid, name), 16).unwrap();
    let bit = |signal: i32| 1_u64 << (signal - 1);
    let child = asleep(SpawnSpec::default());
    let here = fs::read_to_string("/proc/thread-self/status").unwrap();
    assert!(
        here.contains(&format!("SigBlk:\t{:016x}", bit(libc::SIGTERM))),
        "the mask here is restored: {here}"
    );
    drop(odd);

    assert_eq!(mask(child, "SigBlk"), 0);
    assert_eq!(mask(child, "SigCgt"), 0);
    let ignored = mask(child, "SigIgn");
    assert_eq!(ignored & (bit(libc::SIGINT) | bit(libc::SIGPIPE)), 0, "{ignored:x}");
    assert_ne!(ignored & bit(libc::SIGHUP), 0, "nohup's wish is lost");
}

#[test]
fn a_tied_child_dies_when_its_parent_is_killed_and_only_then() {
    let _alone = alone();
    for (role, survives) in [("tied", false), ("untied", true)] {
        let mut parent = Command::new(ACTOR).args(["parent", role]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(parent.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let grandchild = Pid(line.trim().parse().unwrap());
        assert!(is_alive(grandchild), "{role}");

        parent.kill().unwrap();
        parent.wait().unwrap();
        // Adopting it comes after the signal that it was due.
        until("the orphan to be adopted", || {
            !is_alive(grandchild) || outpace_os::children().contains(&grandchild)
        });
        if survives {
            assert!(is_alive(grandchild));
            kill(grandchild, Signal::Kill).unwrap();
        }
        assert_eq!(end(grandchild), Exit::Signal { signal: libc::SIGKILL, core_dumped: false }, "{role}");
    }
}

#[test]
fn exit_codes_come_back() {
    let _alone = alone();
    assert_eq!(end(spawn(sh("exit 3")).unwrap()), Exit::Code(3));
}
