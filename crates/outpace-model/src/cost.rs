//! What a test costs, as it was measured once or is expected.

/// How a test ended, for the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// It passed, or failed as expected.
    #[default]
    Passed = 0,
    /// One of its phases failed.
    Failed = 1,
    /// It was skipped: its times say nothing.
    Skipped = 2,
    /// Its worker died: there are no times.
    Crashed = 3,
}

/// What one run of a test took, by phase: setup, call, teardown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Costs {
    /// It was skipped.
    pub skipped: bool,
    /// Seconds.
    pub wall: [f32; 3],
    /// Seconds of CPU of its process and of children it waited for.
    pub cpu: [f32; 3],
    /// By how many KiB it raised the peak memory of its process.
    pub growth: u32,
}

/// What a test is expected to take, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Expected {
    /// From its start to its end.
    pub wall: f32,
    /// Of CPU.
    pub cpu: f32,
}
