//! Why a worker gets no test although some are left: for people to read. Nothing is decided by it.

/// What keeps a worker from its next test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// A serial test: another worker's, or one before which all others must come to an end.
    Serial,
    /// Resources that are in use, as the plan numbers them.
    Resources(Vec<u32>),
}

impl Hindrance {
    pub(crate) fn of_resources(resources: impl Iterator<Item = u32>) -> Option<Self> {
        let mut resources: Vec<u32> = resources.collect();
        resources.sort_unstable();
        resources.dedup();
        (!resources.is_empty()).then_some(Self::Resources(resources))
    }
}
