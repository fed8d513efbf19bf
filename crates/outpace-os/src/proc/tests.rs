//! `/proc/PID/stat` with hostile names, and the memory killer's counters of both cgroup versions.

use std::path::Path;

use super::{Stat, oom_kill_count, oom_kills_from};
use crate::signal::Pid;

const AFTER_NAME: &str =
    " S 41 4242 4242 0 -1 4194560 2095 0 3 0 250 50 7 4 20 0 7 0 81723 231563264 3107 1844674 1";

#[test]
fn stat_is_read_after_the_last_parenthesis() {
    for name in ["python3", "a b", "x) R 1 (y", ")", ""] {
        let line = format!("4242 ({name}){AFTER_NAME}");
        let stat = Stat {
            state: 'S',
            parent: Pid(41),
            cpu_ticks: 300,
            children_ticks: 11,
            threads: 7,
            started_ticks: 81723,
            rss_pages: 3107,
        };
        assert_eq!(Stat::parse(line.as_bytes()), Some(stat), "{line}");
    }
    let mut not_utf8 = b"4242 (\xff\xfe)".to_vec();
    not_utf8.extend_from_slice(AFTER_NAME.as_bytes());
    assert!(Stat::parse(&not_utf8).is_some());
}

#[test]
fn a_stat_that_is_cut_off_is_no_stat() {
    let whole = format!("4242 (python3){AFTER_NAME}");
    for end in 0..whole.find(" 3107").unwrap() {
        assert_eq!(Stat::parse(&whole.as_bytes()[..end]), None, "{}", &whole[..end]);
    }
}

#[test]
fn memory_kills_are_counted_in_both_versions() {
    let v2 = |path: &Path| match path.to_str().unwrap() {
        "/proc/self/cgroup" => Some("0::/job\n".to_owned()),
        "/proc/self/mountinfo" => Some("30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n".to_owned()),
        "/cg/job/memory.events" => {
            Some("low 0\nhigh 0\nmax 12\noom 4\noom_kill 3\noom_group_kill 0\n".to_owned())
        }
        _ => None,
    };
    assert_eq!(oom_kills_from(&v2), Some(3));
    let v1 = |path: &Path| match path.to_str().unwrap() {
        "/proc/self/cgroup" => Some("4:memory:/job\n1:cpu:/job\n0::/\n".to_owned()),
        "/proc/self/mountinfo" => Some("35 31 0:32 / /cg/memory rw - cgroup cgroup rw,memory\n".to_owned()),
        "/cg/memory/job/memory.oom_control" => {
            Some("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n".to_owned())
        }
        _ => None,
    };
    assert_eq!(oom_kills_from(&v1), Some(2));
    assert_eq!(oom_kills_from(&|_| None), None);
    assert_eq!(oom_kill_count("oom_kill_disable 0\nunder_oom 0\n"), None, "kernels before 4.13");
}
