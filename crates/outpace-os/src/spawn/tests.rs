//! The way of closing descriptors that kernels before 5.11 need.

use std::fs;
use std::os::fd::AsRawFd;
use std::thread;

use rustix::process::{WaitOptions, waitpid};

use super::{Closing, SpawnSpec, open_descriptors, spawn_closing};
use crate::proc::facts;
use crate::signal::{Signal, kill};

#[test]
fn without_close_range_nothing_leaks_either() {
    let leaky = rustix::io::dup(fs::File::open("/dev/null").unwrap()).unwrap();
    let kept = rustix::io::dup(&leaky).unwrap();
    let kept_number = kept.as_raw_fd();
    let closing = Closing::Each(open_descriptors());
    let spec =
        SpawnSpec { argv: vec!["sleep".into(), "100".into()], fds: vec![kept], ..SpawnSpec::default() };

    let child = spawn_closing(&spec, Some(closing)).unwrap();

    // The child's loader opens files of its own before the program runs.
    while facts(child).state != Some('S') {
        thread::yield_now();
    }
    let mut open: Vec<i32> = fs::read_dir(format!("/proc/{child}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    kill(child, Signal::Kill).unwrap();
    waitpid(child.raw(), WaitOptions::empty()).unwrap();
    open.sort_unstable();
    assert_eq!(open, [0, 1, 2, kept_number], "{} was open here", leaky.as_raw_fd());
}
