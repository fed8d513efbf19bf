use std::collections::BTreeMap;
use std::path::Path;

use rustix::param::page_size;

use super::{
    Resident, available_from, available_memory, kibibytes, memory_shares, resident, resident_memory,
};
use crate::signal::Pid;

fn files(table: &[(&str, &str)]) -> impl Fn(&Path) -> Option<String> {
    let table: BTreeMap<String, String> =
        table.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    move |path| table.get(path.to_str()?).cloned()
}

#[test]
fn the_tightest_group_limits_the_memory() {
    let table = [
        ("/proc/meminfo", "MemTotal: 9000 kB\nMemAvailable: 5000 kB\n"),
        ("/proc/self/cgroup", "0::/a/b\n"),
        ("/proc/self/mountinfo", "1 0 0:1 / /sys/fs/cgroup rw - cgroup2 none rw\n"),
        ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
        ("/sys/fs/cgroup/a/b/memory.current", "1000\n"),
        ("/sys/fs/cgroup/a/memory.max", "3000000\n"),
        ("/sys/fs/cgroup/a/memory.current", "2000000\n"),
        ("/sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 500000\n"),
    ];
    assert_eq!(available_from(&files(&table)), Some(1_500_000));
    assert_eq!(available_from(&files(&table[..1])), Some(5_120_000));
    assert_eq!(available_from(&files(&[])), None);
}

#[test]
fn odd_text_is_no_number() {
    assert_eq!(kibibytes("Private_Dirty:\n", "Private_Dirty:"), None);
    assert_eq!(kibibytes("Private_Dirty: x kB\n", "Private_Dirty:"), None);
    assert_eq!(kibibytes("", "Private_Dirty:"), None);
}

#[test]
fn what_belongs_to_no_file_is_the_difference() {
    let page = page_size() as u64;
    let expected = Resident { all: 300 * page, anonymous: 180 * page };
    assert_eq!(resident("9000 300 120 1 0 400 0\n"), Some(expected));
    assert_eq!(resident("9000 300\n"), None);
    assert_eq!(resident(""), None);
}

#[test]
fn this_machine_can_be_read() {
    if Path::new("/proc/self/statm").exists() {
        let all = resident_memory(Pid::current()).expect("its own").all;
        let shares = memory_shares(Pid::current()).expect("its own");
        assert!(
            shares.private > 0 && shares.private <= shares.proportional && shares.proportional <= 2 * all
        );
        assert!(available_memory().is_some_and(|bytes| bytes > 0));
    }
}
