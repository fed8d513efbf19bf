//! The first message in every direction.

use serde::{Deserialize, Serialize};

/// Who is speaking: the first message in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the package or binary; both come from one wheel and must be equal.
    pub version: String,
    /// The CPU quota of this process's cgroup, in whole CPUs, if it has one; only the coordinator says it.
    #[serde(default)]
    pub cpu_quota: Option<u32>,
    /// How many CPUs can be used and why, in words.
    #[serde(default)]
    pub cpus: String,
}
