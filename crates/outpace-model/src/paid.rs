//! What a process pays once for many tests: importing files, and fixtures that outlive a test.

use serde::{Deserialize, Serialize};

/// How long a fixture lives, where that is longer than a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
#[expect(missing_docs, reason = "pytest's words")]
pub enum Scope {
    Class = 1,
    Module = 2,
    Package = 3,
    Session = 4,
}

/// What collecting a file took, its import included: what an earlier file has imported already costs it nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// From the root folder of the tests.
    pub path: String,
    /// Microseconds.
    pub wall: u64,
    /// Microseconds of CPU of the process.
    pub cpu: u64,
}

/// What one process spent on setting a fixture up, without the fixtures that were set up meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetUp {
    /// The file with the fixture; of a plugin, the name of its module.
    pub path: String,
    /// The fixture.
    pub name: String,
    /// How long it lives.
    pub scope: Scope,
    /// How often it was set up.
    pub times: u32,
    /// Microseconds, of all these times.
    pub wall: u64,
    /// Microseconds of CPU of the process.
    pub cpu: u64,
}

/// All of it, of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// Where the process collected.
    #[serde(default)]
    pub imports: Vec<Import>,
    /// Where it ran tests.
    #[serde(default)]
    pub fixtures: Vec<SetUp>,
}
