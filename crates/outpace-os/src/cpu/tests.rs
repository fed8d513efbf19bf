//! Layouts of `/proc/self/cgroup`, `mountinfo` and the quota files as real machines show them.

use std::collections::BTreeMap;
use std::path::Path;

use super::{UsableCpus, decide, quota, quota_v1, quota_v2};

/// The quota that a machine with these files (path, content) gives.
fn quota_on(files: &[(&str, &str)]) -> Option<f64> {
    let files: BTreeMap<&Path, &str> = files.iter().map(|(path, text)| (Path::new(*path), *text)).collect();
    quota(&|path: &Path| files.get(path).map(|text| (*text).to_owned()))
}

const CGROUP: &str = "/proc/self/cgroup";
const MOUNTS: &str = "/proc/self/mountinfo";

const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";

#[test]
fn docker_v2_with_its_own_namespace() {
    let files = [
        (CGROUP, "0::/\n"),
        (
            MOUNTS,
            "1029 1019 0:60 / /proc rw,nosuid - proc proc rw\n\
             1034 1033 0:30 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw\n",
        ),
        ("/sys/fs/cgroup/cpu.max", "150000 100000\n"),
    ];
    assert_eq!(quota_on(&files), Some(1.5));
}

#[test]
fn docker_v2_in_the_host_namespace() {
    let files = [
        (CGROUP, "0::/system.slice/docker-3f4a.scope\n"),
        (MOUNTS, V2_MOUNT),
        ("/sys/fs/cgroup/system.slice/docker-3f4a.scope/cpu.max", "400000 100000\n"),
        ("/sys/fs/cgroup/system.slice/cpu.max", "max 100000\n"),
    ];
    assert_eq!(quota_on(&files), Some(4.0));
}

#[test]
fn docker_v1_sees_the_hosts_path_but_mounts_its_own_group() {
    let files = [
        (CGROUP, "12:cpuset:/docker/3f4a\n4:cpu,cpuacct:/docker/3f4a\n1:name=systemd:/docker/3f4a\n"),
        (
            MOUNTS,
            "740 730 0:28 /docker/3f4a /sys/fs/cgroup/cpuset ro,nosuid master:12 - cgroup cgroup rw,cpuset\n\
             745 730 0:33 /docker/3f4a /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:16 - cgroup cgroup rw,cpu,cpuacct\n",
        ),
        ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
    ];
    assert_eq!(quota_on(&files), Some(2.5));
}

#[test]
fn a_parents_tighter_quota_counts_in_nested_systemd_slices() {
    let own = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope/cpu.max";
    let files = [
        (CGROUP, "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n"),
        (MOUNTS, V2_MOUNT),
        (own, "800000 100000\n"),
        ("/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cpu.max", "max 100000\n"),
        ("/sys/fs/cgroup/user.slice/user-1000.slice/cpu.max", "300000 100000\n"),
        ("/sys/fs/cgroup/user.slice/cpu.max", "max 100000\n"),
    ];
    assert_eq!(quota_on(&files), Some(3.0));
}

#[test]
fn kubernetes_v1_with_a_limit_on_the_pod() {
    let pod = "/kubepods/burstable/pod7b1c";
    let files = [
        (CGROUP, format!("5:cpuacct,cpu:{pod}/9e2d\n2:memory:{pod}/9e2d\n")),
        (MOUNTS, "612 601 0:25 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpuacct,cpu\n".to_owned()),
        (&format!("/sys/fs/cgroup/cpu,cpuacct{pod}/9e2d/cpu.cfs_quota_us"), "-1\n".to_owned()),
        (&format!("/sys/fs/cgroup/cpu,cpuacct{pod}/9e2d/cpu.cfs_period_us"), "100000\n".to_owned()),
        (&format!("/sys/fs/cgroup/cpu,cpuacct{pod}/cpu.cfs_quota_us"), "50000\n".to_owned()),
        (&format!("/sys/fs/cgroup/cpu,cpuacct{pod}/cpu.cfs_period_us"), "100000\n".to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    assert_eq!(quota_on(&files), Some(0.5));
}

#[test]
fn kubernetes_v2_with_its_own_namespace() {
    let files = [
        (CGROUP, "0::/\n"),
        (MOUNTS, "2215 2214 0:29 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"),
        ("/sys/fs/cgroup/cpu.max", "200000 100000\n"),
    ];
    assert_eq!(quota_on(&files), Some(2.0));
}

#[test]
fn a_path_above_the_namespace_means_the_mounted_group() {
    let files = [
        (CGROUP, "0::/../../kubelet\n"),
        (MOUNTS, V2_MOUNT),
        ("/sys/fs/cgroup/cpu.max", "100000 100000\n"),
        ("/sys/fs/cgroup/../../kubelet/cpu.max", "900000 100000\n"),
    ];
    assert_eq!(quota_on(&files), Some(1.0));
}

#[test]
fn hybrid_machines_have_the_controller_in_version_1() {
    let files = [
        (CGROUP, "4:memory:/job\n1:cpu:/job\n0::/\n"),
        (
            MOUNTS,
            "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
             33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
        ),
        ("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "600000\n"),
        ("/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "200000\n"),
        ("/sys/fs/cgroup/cpuacct/job/cpu.cfs_quota_us", "1\n"),
    ];
    assert_eq!(quota_on(&files), Some(3.0));
}

#[test]
fn a_mount_that_shows_another_group_is_passed_over() {
    let files = [
        (CGROUP, "0::/build/job 7\n"),
        (
            MOUNTS,
            "50 23 0:26 /other /mnt/other rw - cgroup2 cgroup2 rw\n\
             51 23 0:26 /build /mnt/my\\040groups rw - cgroup2 cgroup2 rw\n",
        ),
        ("/mnt/other/cpu.max", "100000 100000\n"),
        ("/mnt/my groups/job 7/cpu.max", "700000 100000\n"),
    ];
    assert_eq!(quota_on(&files), Some(7.0));
}

#[test]
fn no_group_no_mount_no_file_no_quota() {
    assert_eq!(quota_on(&[]), None);
    assert_eq!(quota_on(&[(CGROUP, "0::/\n")]), None, "no cgroup file system");
    assert_eq!(quota_on(&[(CGROUP, "0::/\n"), (MOUNTS, V2_MOUNT)]), None, "the root group has no cpu.max");
    let unlimited = [(CGROUP, "0::/a\n"), (MOUNTS, V2_MOUNT), ("/sys/fs/cgroup/a/cpu.max", "max 100000\n")];
    assert_eq!(quota_on(&unlimited), None);
    let broken = [(CGROUP, "garbage\n::\n0:"), (MOUNTS, " - cgroup2\n - \nx - cgroup2 a b\n")];
    assert_eq!(quota_on(&broken), None);
}

#[test]
fn quota_files() {
    assert_eq!(quota_v2("max 100000\n"), None);
    assert_eq!(quota_v2("50000\n"), Some(0.5), "the period may be missing");
    assert_eq!(quota_v2(""), None);
    assert_eq!(quota_v2("0 100000"), None);
    assert_eq!(quota_v2("100000 0"), None);
    assert_eq!(quota_v1("-1\n", "100000\n"), None);
    assert_eq!(quota_v1("25000\n", "50000\n"), Some(0.5));
    assert_eq!(quota_v1("200000\n", ""), Some(2.0));
}

#[test]
fn the_tightest_limit_is_used_and_named() {
    let said = |count, why: &str| UsableCpus { count, why: why.to_owned(), quota: None };
    let limited = |count, quota, why: &str| UsableCpus { quota: Some(quota), ..said(count, why) };
    assert_eq!(decide(2, 2, None), said(2, "2 cores"));
    assert_eq!(decide(1, 1, None), said(1, "1 core"));
    assert_eq!(decide(64, 3, None), said(3, "affinity 3 of 64 cores"));
    assert_eq!(decide(64, 64, Some(4.0)), limited(4, 4.0, "cgroup quota 4.0 of 64 cores"));
    assert_eq!(decide(64, 64, Some(2.5)), limited(3, 2.5, "cgroup quota 2.5 of 64 cores"));
    assert_eq!(decide(64, 64, Some(0.1)), limited(1, 0.1, "cgroup quota 0.1 of 64 cores"));
    assert_eq!(decide(64, 2, Some(4.0)), said(2, "affinity 2 of 64 cores"));
    assert_eq!(decide(2, 2, Some(8.0)), said(2, "2 cores"));
    assert_eq!(decide(0, 0, None), said(1, "1 core"), "readings that cannot be");
}
