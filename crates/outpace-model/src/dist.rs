//! The distribution modes of `--dist`.

use serde::{Deserialize, Serialize};

/// How tests are shared out among workers; the names are those of `--dist`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DistMode {
    /// Any test on any worker, neighbours kept together.
    Load,
    /// As `load`; kept apart because users name it.
    WorkSteal,
    /// All tests of one module or class on one worker.
    LoadScope,
    /// All tests of one file on one worker.
    LoadFile,
    /// All tests of one `xdist_group` on one worker.
    LoadGroup,
    /// Every worker runs every test.
    Each,
    /// A scheduler object in the controller says which worker runs what.
    External,
}
