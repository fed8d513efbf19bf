//! How many CPUs this process may really use: affinity and control group quotas, not the machine's core
//! count.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::cgroup;

/// How many CPUs may be used, and what says so.
#[derive(Clone, Debug, PartialEq)]
pub struct UsableCpus {
    /// At least 1.
    pub count: usize,
    /// For the user: `2 cores`, `affinity 3 of 64 cores`, `cgroup quota 4.0 of 64 cores`.
    pub why: String,
    /// The cgroup's quota in CPUs, if that is what limits.
    pub quota: Option<f64>,
}

/// The CPUs this process may use now.
pub fn usable_cpus() -> UsableCpus {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let online = online_cpus();
    decide(online, allowed_cpus().unwrap_or(online), quota(&read))
}

/// A quota of 2.5 CPUs keeps 3 processes busy; one that is larger than the affinity does not matter.
fn decide(online: usize, allowed: usize, quota: Option<f64>) -> UsableCpus {
    let allowed = allowed.max(1);
    let online = online.max(allowed);
    let cores = if online == 1 { "core" } else { "cores" };
    if let Some(quota) = quota {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, and is positive"
        )]
        let rounded = (quota.ceil() as usize).max(1);
        if rounded < allowed {
            let why = format!("cgroup quota {quota:.1} of {online} {cores}");
            return UsableCpus { count: rounded, why, quota: Some(quota) };
        }
    }
    let why = if allowed < online {
        format!("affinity {allowed} of {online} {cores}")
    } else {
        format!("{online} {cores}")
    };
    UsableCpus { count: allowed, why, quota: None }
}

/// The tightest quota, in CPUs, of this process's groups and all their parents.
fn quota(read: cgroup::Read<'_>) -> Option<f64> {
    let groups = cgroup::own("cpu", read);
    let quotas = groups.iter().flat_map(|group| {
        group.folders.iter().filter_map(|folder| match group.version {
            cgroup::Version::V1 => quota_v1(
                &read(&folder.join("cpu.cfs_quota_us"))?,
                &read(&folder.join("cpu.cfs_period_us")).unwrap_or_default(),
            ),
            cgroup::Version::V2 => quota_v2(&read(&folder.join("cpu.max"))?),
        })
    });
    quotas.reduce(f64::min)
}

/// `cpu.max` holds `max 100000` or `250000 100000`; the period may be left out.
fn quota_v2(max: &str) -> Option<f64> {
    let mut words = max.split_ascii_whitespace();
    ratio(words.next()?, words.next().unwrap_or(DEFAULT_PERIOD))
}

/// `cpu.cfs_quota_us` holds `-1` for no quota.
fn quota_v1(quota: &str, period: &str) -> Option<f64> {
    let period = period.trim();
    ratio(quota.trim(), if period.is_empty() { DEFAULT_PERIOD } else { period })
}

fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    let cpus = quota / period;
    (quota > 0.0 && period > 0.0 && cpus.is_finite()).then_some(cpus)
}

/// In microseconds, as the kernel sets it.
const DEFAULT_PERIOD: &str = "100000";

fn online_cpus() -> usize {
    // SAFETY: takes a number, gives a number.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(online).unwrap_or(1).max(1)
}

fn allowed_cpus() -> Option<usize> {
    Some(allowed_cpu_numbers()?.len())
}

/// The CPUs in this thread's affinity mask. The mask grows until the kernel's fits: machines with more than
/// the 1,024 CPUs of `cpu_set_t` exist.
pub(crate) fn allowed_cpu_numbers() -> Option<BTreeSet<usize>> {
    let mut mask = vec![0_u64; 16];
    loop {
        let bytes = size_of_val(mask.as_slice());
        // SAFETY: the kernel writes at most `bytes` bytes into the vector's memory.
        let written = unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, bytes, mask.as_mut_ptr()) };
        if written > 0 {
            let set = |cpu: &usize| mask[cpu / 64] >> (cpu % 64) & 1 == 1;
            return Some((0..mask.len() * 64).filter(set).collect());
        }
        if std::io::Error::last_os_error().raw_os_error() != Some(libc::EINVAL) || mask.len() > 4096 {
            return None;
        }
        mask.resize(mask.len() * 4, 0);
    }
}

#[cfg(test)]
mod tests;
