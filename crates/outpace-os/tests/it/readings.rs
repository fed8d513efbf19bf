//! Process trees, facts about processes, CPUs; and all of the crate without `/proc` and `/sys`.

use std::process::Command;
use std::time::{Duration, Instant};

use outpace_os::{
    Pid, ProcessFacts, Signal, children, descendants, ended_children_cpu_seconds, facts, is_alive, kill,
    oom_kills, spawn, tree_usage, usable_cpus,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::processes::{ACTOR, alone, end, sh, start, until};

#[test]
fn children_are_direct_and_descendants_are_all_with_parents_first() {
    let _alone = alone();
    let top = spawn(sh("sh -c 'sleep 100 & wait' & wait")).unwrap();
    let other = start(&["sleep", "100"]);
    until("the tree to be complete", || descendants(top).len() == 2);
    let [middle, bottom] = descendants(top)[..] else { panic!("{:?}", descendants(top)) };
    let mut direct = children();
    direct.sort();
    assert_eq!(direct, [top.min(other), top.max(other)]);
    assert_eq!(descendants(middle), [bottom]);
    assert_eq!(descendants(bottom), []);
    let all = descendants(Pid::current());
    let at = |pid| all.iter().position(|seen| *seen == pid).unwrap();
    assert!(at(top) < at(middle) && at(middle) < at(bottom) && all.contains(&other));

    kill(middle, Signal::Kill).unwrap();
    until("the orphan to be adopted", || children().contains(&bottom));
    assert!(!descendants(top).contains(&bottom));
}

#[test]
fn facts_of_a_sleeping_and_of_a_computing_process() {
    let _alone = alone();
    let sleeping = start(&["sleep", "100"]);
    until("it to sleep", || facts(sleeping).state == Some('S'));
    let seen = facts(sleeping);
    assert_eq!(seen.threads, Some(1));
    assert!(seen.rss_bytes.unwrap() > 100_000 && seen.rss_bytes.unwrap() < 100_000_000, "{seen:?}");
    assert!(seen.cpu_seconds.unwrap() < 1.0, "{seen:?}");

    let began = Instant::now();
    let computing = spawn(sh("while :; do :; done")).unwrap();
    until("it to compute", || facts(computing).cpu_seconds.unwrap() > 0.1);
    assert!(facts(computing).cpu_seconds.unwrap() <= began.elapsed().as_secs_f64() + 0.05);

    kill(sleeping, Signal::Kill).unwrap();
    end(sleeping);
    assert_eq!(facts(sleeping), ProcessFacts::default(), "nobody is known by that id now");
    assert_eq!(facts(Pid(-1)), ProcessFacts::default());
}

#[test]
fn what_children_used_counts_once_they_are_reaped() {
    let _alone = alone();
    let before = ended_children_cpu_seconds();
    let computing = spawn(sh("(while :; do :; done) & wait")).unwrap();
    until("the grandchild to compute", || {
        descendants(computing).iter().any(|pid| facts(*pid).cpu_seconds.unwrap_or(0.0) > 0.2)
    });
    assert!(ended_children_cpu_seconds() - before < 0.1, "nothing of it has ended");
    let grandchild = descendants(computing)[0];
    kill(grandchild, Signal::Kill).unwrap();
    end(computing);
    assert!(ended_children_cpu_seconds() - before > 0.15, "the shell waited for it");
}

#[test]
fn a_tree_uses_what_all_its_processes_use_and_have_used() {
    let _alone = alone();
    let sleeping = spawn(sh("sleep 100 & wait")).unwrap();
    until("the tree to be complete", || descendants(sleeping).len() == 1);
    until("it to sleep", || tree_usage(sleeping).is_some_and(|usage| !usage.is_running));

    let top = spawn(sh("(while :; do :; done) & wait; sleep 100")).unwrap();
    let used = || tree_usage(top).unwrap().cpu_seconds;
    until("the grandchild to compute", || used() > 0.2);
    assert!(tree_usage(top).unwrap().is_running);
    assert!(facts(top).cpu_seconds.unwrap() < 0.1, "the shell itself sleeps");
    let before = used();
    kill(descendants(top)[0], Signal::Kill).unwrap();
    until("the shell to have waited for it", || !tree_usage(top).unwrap().is_running);
    assert!(used() >= before);

    kill(descendants(sleeping)[0], Signal::Kill).unwrap();
    end(sleeping);
    assert_eq!(tree_usage(sleeping), None);
    assert_eq!(tree_usage(Pid(-1)), None);
}

#[test]
fn affinity_narrows_the_usable_cpus() {
    let _alone = alone();
    let before = sched_getaffinity(None).unwrap();
    let whole = usable_cpus();
    let first = (0..CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu)).unwrap();
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).unwrap();
    let narrowed = usable_cpus();
    sched_setaffinity(None, &before).unwrap();
    assert_eq!(narrowed.count, 1);
    if whole.count > 1 {
        assert!(narrowed.why.starts_with("affinity 1 of "), "{narrowed:?}");
    }
    assert!(u32::try_from(whole.count).unwrap() <= before.count(), "{whole:?}");
}

#[test]
fn the_memory_killers_count_does_not_fall() {
    let _alone = alone();
    if let Some(before) = oom_kills() {
        assert!(oom_kills().unwrap() >= before);
    }
}

/// Takes `/proc` and `/sys` away in a mount namespace of the test's own; says so where the system forbids
/// that.
#[test]
fn everything_works_without_proc_and_sys() {
    let _alone = alone();
    let hide = "mount -t tmpfs none /proc && mount -t tmpfs none /sys && exec \"$0\" everything-without-proc";
    let unshare = |command: &[&str]| Command::new("unshare").arg("-rm").args(command).output();
    if !unshare(&["sh", "-c", "mount -t tmpfs none /proc"]).is_ok_and(|tried| tried.status.success()) {
        println!("skipped: no mount namespace to be had here");
        return;
    }
    let began = Instant::now();
    let output = unshare(&["sh", "-c", hide, ACTOR]).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "fine", "{}", String::from_utf8_lossy(&output.stderr));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(is_alive(Pid::current()));
}
