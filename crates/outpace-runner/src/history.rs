//! The history is read and written beside the loop, in threads of their own, since a file may be slow. They touch
//! nothing of the run's.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use outpace_history::{Lesson, Lessons, conflicts, read, write};
use outpace_model::Paid;
use outpace_os::{available_memory, usable_cpus};
use outpace_supervise::{Event, Observation, Recollection};

use crate::event_loop::Engine;
use crate::load::{LEAST_PRIVATE, RESERVE};
use crate::reader::Input;

/// How long the end of the run waits for what is being written; then it is not written.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Default)]
pub(crate) struct Historian {
    path: PathBuf,
    writing: Option<Receiver<()>>,
}

impl Engine {
    pub(crate) fn recall(&mut self, path: String, root: PathBuf) {
        self.historian.path = PathBuf::from(path);
        let (path, inputs) = (self.historian.path.clone(), self.to_inputs.clone());
        let started = thread::Builder::new().name("history".to_owned()).spawn(move || {
            let answer = recollect(&path, &root);
            let _ = inputs.send(Input::Recalled(answer));
        });
        if started.is_err() {
            let _ = self.to_inputs.send(Input::Recalled(Ok(Recollection::default())));
        }
    }

    pub(crate) fn recalled(&mut self, mut outcome: Result<Recollection, String>) {
        // Where memory is limited it must first be seen what a worker needs.
        if let Ok(known) = outcome.as_mut()
            && self.gauge.is_limited()
        {
            known.room = 0;
        }
        self.handle(Event::Recalled(outcome));
    }

    pub(crate) fn learn(&mut self, observations: Vec<Observation>, paid: Paid) {
        let lesson = |each: Observation| {
            Some(Lesson {
                node_id: self.run.node_id(each.item)?.to_owned(),
                outcome: each.outcome,
                is_first_of_file: each.is_first_of_file,
                is_first_of_worker: each.is_first_of_worker,
                costs: each.costs,
            })
        };
        let tests = observations.into_iter().filter_map(lesson).collect();
        let (path, (done, writing)) = (self.historian.path.clone(), sync_channel(1));
        let started = thread::Builder::new().name("history".to_owned()).spawn(move || {
            // Nobody is there any more to be told, and the next run will do.
            let _ = write(&path, &Lessons { tests, paid });
            let _ = done.send(());
        });
        self.historian.writing = started.is_ok().then_some(writing);
    }
}

impl Historian {
    pub(crate) fn finish(&self) {
        if let Some(writing) = &self.writing {
            let _ = writing.recv_timeout(PATIENCE);
        }
    }
}

fn recollect(path: &Path, folder: &Path) -> Result<Recollection, String> {
    let ignored = |error| format!("the history of earlier runs is ignored: {}: {error}", path.display());
    let valid = conflicts(path, folder).map_err(ignored)?;
    let known = read(path).map_err(ignored)?;
    let cpus = usable_cpus();
    #[expect(clippy::cast_precision_loss, reason = "a number of CPUs")]
    let count = cpus.count as f64;
    let room = available_memory().map_or(u32::MAX, |bytes| {
        u32::try_from(bytes.saturating_sub(RESERVE) / LEAST_PRIVATE).unwrap_or(u32::MAX)
    });
    Ok(Recollection {
        tests: known.tests,
        fixtures: known.fixtures,
        session: known.session,
        unsteady: known.unsteady,
        conflicts: valid.conflicts,
        dropped: valid.dropped.into_iter().collect(),
        cores: cpus.quota.unwrap_or(count),
        room,
    })
}
