//! The limit on open files: raised here, not in children.

use std::fs;

use outpace_os::{Pid, SpawnSpec, raise_open_files, spawn};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::processes::{alone, command, start};

fn open_files_of(pid: Pid) -> (u64, u64) {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut words = line.split_ascii_whitespace().map(|word| word.parse().unwrap());
    (words.next().unwrap(), words.next().unwrap())
}

#[test]
fn raised_for_this_process_and_given_back_to_children() {
    let _alone = alone();
    let original = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(300), maximum: original.maximum }).unwrap();
    let raised = raise_open_files();
    let sleep = ["sleep", "100"];
    let restored = open_files_of(spawn(SpawnSpec { open_files: Some(raised.0), ..command(&sleep) }).unwrap());
    let inherited = open_files_of(start(&sleep));
    let absurd = open_files_of(spawn(SpawnSpec { open_files: Some(u64::MAX), ..command(&sleep) }).unwrap());
    setrlimit(Resource::Nofile, original).unwrap();

    let hard = original.maximum.unwrap();
    assert!(hard > 300, "the hard limit of {hard} leaves nothing to test");
    assert_eq!(raised, (300, hard));
    assert_eq!(restored, (300, hard));
    assert_eq!(inherited, (hard, hard));
    assert_eq!(absurd, (hard, hard), "more than the hard limit is the hard limit");
}
