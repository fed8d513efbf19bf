//! What later runs are to mind: the tests of each conflict that was proven, and what keeps them apart.

use std::collections::BTreeSet;

use outpace_model::{Apart, Conflict};

use crate::examine::{Examination, Lab};
use crate::finding::{Class, Finding};
use crate::thing::{Mode, Thing, Touch, common};

/// A conflict, and where it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// The tests.
    pub conflict: Conflict,
    /// The project's files in which its tests meet, from the root folder.
    pub sources: Vec<String>,
}

impl<L: Lab> Examination<'_, L> {
    pub(crate) fn confirmed(&self) -> Vec<Confirmed> {
        self.findings.iter().filter_map(|finding| self.confirm(finding)).collect()
    }

    fn confirm(&self, finding: &Finding) -> Option<Confirmed> {
        let is_proven = finding.proof.is_some();
        let (apart, tests) = match finding.class {
            Class::ParallelOnly if is_proven => (Apart::InTime, finding.involved()),
            Class::Order | Class::Alone if is_proven => (Apart::InOrder, finding.involved()),
            Class::ParallelOnly | Class::Time => {
                (Apart::FromAll, finding.tests.iter().map(|test| test.id.as_str()).collect())
            }
            _ => return None,
        };
        let on = match (&finding.on, finding.class) {
            (Some(thing), _) => thing.to_string(),
            (None, Class::Time) => "time".to_owned(),
            (None, _) => "something that was not seen".to_owned(),
        };
        let conflict = Conflict {
            apart,
            on,
            lasting: apart == Apart::InTime && self.lasts(&tests, finding.on.as_ref()),
            tests: tests.into_iter().map(str::to_owned).collect(),
        };
        let files = finding.sides.iter().filter_map(|side| side.place.rsplit_once(':'));
        let files: BTreeSet<&str> =
            files.map(|(file, _)| file).filter(|file| !file.starts_with('/')).collect();
        Some(Confirmed { conflict, sources: files.into_iter().map(str::to_owned).collect() })
    }

    /// Whether a fixture that outlives its test has the thing; of what was not seen that is not known.
    fn lasts(&self, tests: &BTreeSet<&str>, on: Option<&Thing>) -> bool {
        let Some(on) = on else { return true };
        let any = Touch::of(on.clone());
        let reader = Touch { mode: Mode::Read, ..any.clone() };
        let is_it = |touch: &Touch| common(&any, touch).is_some() || common(touch, &reader).is_some();
        tests.iter().any(|id| self.touches_of(id).iter().any(|touch| touch.lasting && is_it(touch)))
    }
}
