//! What the examination confirmed goes to the history, so that later runs keep those tests apart.

use std::collections::BTreeSet;

use outpace_doctor::Report;
use outpace_history::{Confirmed, conflicts, learn_conflicts};

use crate::error::CommandError;

use super::lab::Pytest;

/// Says what later runs will do. That something cannot be remembered is no failure.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub(super) fn remember(report: &Report, lab: &mut Pytest) -> Result<(), CommandError> {
    let place = match lab.history()? {
        Ok(place) => place,
        Err(reason) => {
            if !report.confirmed.is_empty() {
                println!("Not remembered: {reason}.");
            }
            return Ok(());
        }
    };
    let confirmed: Vec<Confirmed> = report
        .confirmed
        .iter()
        .map(|each| Confirmed { conflict: each.conflict.clone(), sources: each.sources.clone() })
        .collect();
    let learned = learn_conflicts(&place.file, &place.root, &report.examined, &confirmed)
        .and_then(|()| conflicts(&place.file, &place.root));
    match learned {
        Err(error) => println!("Not remembered: {}: {error}.", place.file.display()),
        Ok(valid) => {
            let tests: BTreeSet<&String> = valid.conflicts.iter().flat_map(|each| &each.tests).collect();
            if !tests.is_empty() {
                println!(
                    "Remembered: from now on runs with `-n` keep {} apart, until a file of theirs changes.",
                    if tests.len() == 1 { "1 test".to_owned() } else { format!("{} tests", tests.len()) }
                );
            }
        }
    }
    Ok(())
}
