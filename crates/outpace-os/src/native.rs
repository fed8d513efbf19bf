//! What the kernel says of a process that does not go on: what it waits for, and what runs below it.

use std::fs;

use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};

use crate::proc::{Stat, facts};
use crate::process_tree::descendants;
use crate::signal::Pid;

/// So many processes below it are named.
const MOST_CHILDREN: usize = 20;

/// A few lines for people; empty without `/proc`.
pub fn native_state(pid: Pid) -> Vec<String> {
    let facts = facts(pid);
    let Some(state) = facts.state else { return Vec::new() };
    let mut lines = vec![main_thread(pid, state, facts.wchan.as_deref())];
    if let Some(threads) = facts.threads.filter(|threads| *threads > 1) {
        lines.push(format!("{threads} threads in all"));
    }
    let below = descendants(pid);
    lines.extend(below.iter().take(MOST_CHILDREN).filter_map(|child| child_line(*child)));
    if below.len() > MOST_CHILDREN {
        lines.push(format!("and {} more processes below it", below.len() - MOST_CHILDREN));
    }
    lines
}

fn main_thread(pid: Pid, state: char, wchan: Option<&str>) -> String {
    let mut parts = vec![state_name(state)];
    parts.extend(system_call(pid));
    parts.extend(wchan.map(|wchan| format!("waits in the kernel's {wchan}")));
    format!("main thread: {}", parts.join(", "))
}

fn state_name(state: char) -> String {
    match state {
        'R' => "running".to_owned(),
        'S' => "sleeping".to_owned(),
        'D' => "in uninterruptible sleep".to_owned(),
        'T' => "stopped by a signal".to_owned(),
        't' => "stopped by a debugger".to_owned(),
        'Z' => "ended, not reaped".to_owned(),
        other => format!("state {other}"),
    }
}

fn system_call(pid: Pid) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
    let number: i64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    if number < 0 {
        return Some("in no system call".to_owned());
    }
    let name = CALLS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name);
    Some(name.map_or_else(|| format!("in system call {number}"), |name| format!("in system call {name}")))
}

fn child_line(pid: Pid) -> Option<String> {
    let stat = Stat::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut command = String::from_utf8_lossy(&command).replace('\0', " ");
    if command.trim().is_empty() {
        command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    }
    let long = command.trim().chars().count() > 120;
    let command: String = command.trim().chars().take(120).chain(long.then_some('…')).collect();
    let uptime = u64::try_from(clock_gettime(ClockId::Boottime).tv_sec).unwrap_or(0);
    let age = uptime.saturating_sub(stat.started_ticks / clock_ticks_per_second());
    Some(format!("child process {pid}, {}, for {age} s: {command}", state_name(stat.state)))
}

/// System calls in which processes wait.
const CALLS: &[(i64, &str)] = &[
    (libc::SYS_read, "read"),
    (libc::SYS_write, "write"),
    (libc::SYS_readv, "readv"),
    (libc::SYS_writev, "writev"),
    (libc::SYS_openat, "openat"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_fcntl, "fcntl"),
    (libc::SYS_ioctl, "ioctl"),
    (libc::SYS_connect, "connect"),
    (libc::SYS_accept, "accept"),
    (libc::SYS_accept4, "accept4"),
    (libc::SYS_sendto, "sendto"),
    (libc::SYS_sendmsg, "sendmsg"),
    (libc::SYS_recvfrom, "recvfrom"),
    (libc::SYS_recvmsg, "recvmsg"),
    (libc::SYS_recvmmsg, "recvmmsg"),
    (libc::SYS_pselect6, "pselect6"),
    (libc::SYS_ppoll, "ppoll"),
    (libc::SYS_epoll_pwait, "epoll_pwait"),
    (libc::SYS_epoll_pwait2, "epoll_pwait2"),
    (libc::SYS_io_getevents, "io_getevents"),
    (libc::SYS_io_uring_enter, "io_uring_enter"),
    (libc::SYS_futex, "futex"),
    (libc::SYS_nanosleep, "nanosleep"),
    (libc::SYS_clock_nanosleep, "clock_nanosleep"),
    (libc::SYS_wait4, "wait4"),
    (libc::SYS_waitid, "waitid"),
    (libc::SYS_rt_sigsuspend, "rt_sigsuspend"),
    (libc::SYS_rt_sigtimedwait, "rt_sigtimedwait"),
    (libc::SYS_msgrcv, "msgrcv"),
    (libc::SYS_semtimedop, "semtimedop"),
    (libc::SYS_mq_timedreceive, "mq_timedreceive"),
    (libc::SYS_sched_yield, "sched_yield"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_poll, "poll"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_select, "select"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_epoll_wait, "epoll_wait"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_pause, "pause"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, "open"),
];
