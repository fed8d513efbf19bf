//! What a run starts from.

use outpace_model::{DistMode, WorkerIndex};

use crate::marks::Marks;

/// The collection, the mode and the workers that a [`Scheduler`](crate::Scheduler) starts from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How tests are shared out.
    pub mode: DistMode,
    /// The collection, in order; [`ItemIndex`](outpace_model::ItemIndex) counts in it.
    pub node_ids: Vec<String>,
    /// The `xdist_group` of each item, or empty when no item has one.
    pub groups: Vec<Option<String>>,
    /// The initial workers, in the order in which they get their first tests.
    pub workers: Vec<WorkerIndex>,
    /// Largest units first (`--loadscope-reorder`).
    pub reorder: bool,
    /// Which items run alone or need resources.
    pub marks: Marks,
    /// The seconds that each item is expected to take, or empty when nothing is known of any.
    pub expected: Vec<Option<f32>>,
}

/// The file part of a node id, as `--dist loadfile` cuts it.
pub fn file_of(node_id: &str) -> &str {
    node_id.split_once("::").map_or(node_id, |(file, _)| file)
}

/// The module or class part of a node id, as `--dist loadscope` cuts it.
pub(crate) fn scope_of(node_id: &str) -> &str {
    node_id.rsplit_once("::").map_or(node_id, |(scope, _)| scope)
}

/// A position in the collection as the number that [`ItemIndex`](outpace_model::ItemIndex) holds.
pub(crate) fn number(position: usize) -> u32 {
    u32::try_from(position).expect("a collection has fewer than 2^32 items")
}
