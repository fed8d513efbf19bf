//! What the tests of a collection say of themselves, in the head of `Collected`: only for those that say something.

use outpace_model::ItemIndex;
use serde::{Deserialize, Serialize};

/// Serial tests and tests that need resources. What else is in the JSON is for the controller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Serial tests run before all others.
    #[serde(default)]
    pub serial_first: bool,
    /// The serial tests.
    #[serde(default)]
    pub serial: Vec<ItemIndex>,
    /// The resources that tests need.
    #[serde(default)]
    pub resources: Vec<Resource>,
    /// Who needs what: each test at most once.
    #[serde(default)]
    pub demands: Vec<Demands>,
}

impl Marks {
    /// Whether there is nothing to mind.
    pub fn is_empty(&self) -> bool {
        self.serial.is_empty() && self.demands.is_empty()
    }
}

/// Something of which there is only so much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its name; with values also that of the environment variable.
    pub name: String,
    /// How much there is of it.
    pub capacity: u64,
    /// What its units are called, or nothing where they need no telling apart.
    pub values: Vec<String>,
}

/// Tests that need the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demands {
    /// Which tests.
    pub items: Vec<ItemIndex>,
    /// What each of them needs.
    pub needs: Vec<Need>,
}

/// An amount of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// A position in `resources`.
    pub resource: u32,
    /// How much of it.
    pub amount: u64,
    /// A fixture that outlives the test holds it.
    pub lasting: bool,
}
