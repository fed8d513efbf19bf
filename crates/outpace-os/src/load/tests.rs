use std::collections::BTreeMap;
use std::path::Path;

use super::{cpu_counters, group_seconds, idle_seconds};

const STAT: &str = "\
cpu  100 0 50 1000 20 0 0 0 0 0
cpu0 50 7 25 400 10 0 0 0 0 0
cpu1 50 0 25 600 10 0 0 0 0 0
intr 12345 0
";

fn files(table: &[(&str, &str)]) -> impl Fn(&Path) -> Option<String> {
    let table: BTreeMap<String, String> =
        table.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    move |path| table.get(path.to_str()?).cloned()
}

#[test]
fn idle_time_is_that_of_the_allowed_cpus() {
    let ticks = |seconds: Option<f64>| seconds.map(|seconds| (seconds * 100.0).round());
    assert_eq!(ticks(idle_seconds(STAT, false, |_| true)), Some(1020.0));
    assert_eq!(ticks(idle_seconds(STAT, true, |_| true)), Some(1027.0));
    assert_eq!(ticks(idle_seconds(STAT, false, |cpu| cpu == 1)), Some(610.0));
    assert_eq!(idle_seconds(STAT, false, |_| false), None);
    assert_eq!(idle_seconds("", false, |_| true), None);
}

#[test]
fn a_groups_use_is_read_in_both_versions() {
    let v2 = files(&[
        ("/proc/self/cgroup", "0::/box\n"),
        ("/proc/self/mountinfo", "1 0 0:1 / /sys/fs/cgroup rw - cgroup2 none rw\n"),
        ("/sys/fs/cgroup/box/cpu.stat", "usage_usec 2500000\nuser_usec 1\n"),
    ]);
    assert_eq!(group_seconds(&v2), Some(2.5));
    let v1 = files(&[
        ("/proc/self/cgroup", "2:cpuacct:/box\n"),
        ("/proc/self/mountinfo", "1 0 0:1 / /sys/fs/cgroup/cpuacct rw - cgroup none rw,cpuacct\n"),
        ("/sys/fs/cgroup/cpuacct/box/cpuacct.usage", "1500000000\n"),
    ]);
    assert_eq!(group_seconds(&v1), Some(1.5));
    assert_eq!(group_seconds(&files(&[])), None);
}

#[test]
fn this_machine_can_be_read() {
    if Path::new("/proc/stat").exists() {
        let first = cpu_counters(true).expect("counters");
        assert!(first.idle_seconds >= 0.0);
    }
}
