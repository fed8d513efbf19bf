//! What tests say of themselves: that they run alone, and which resources they need.

use std::collections::BTreeMap;

use outpace_model::ItemIndex;

/// The marks of a collection. Most collections have none.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// Serial tests come before all others, not after them.
    pub serial_first: bool,
    /// How much there is of each resource.
    pub capacities: Vec<u64>,
    /// The marked items.
    pub items: BTreeMap<ItemIndex, Mark>,
}

/// The marks of one item.
#[derive(Clone, Debug, Default)]
pub struct Mark {
    /// No other test runs while this one does.
    pub serial: bool,
    /// What it holds while it runs; each resource at most once.
    pub demands: Vec<Demand>,
    /// Items of one chain run one after the other, in collection order, on one worker. A scheduler in the controller minds
    /// none.
    pub chain: Option<u32>,
}

/// An amount of one resource. More than there is counts as all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Demand {
    /// A position in [`Marks::capacities`].
    pub resource: u32,
    /// How much of it.
    pub amount: u64,
    /// A fixture that outlives the test holds it, so it stays held until the worker has torn everything down.
    pub lasting: bool,
}

/// Which part of a resource an item holds: the numbers of its units, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// A position in [`Marks::capacities`].
    pub resource: u32,
    /// As many as the item asked for.
    pub units: Vec<u32>,
}
