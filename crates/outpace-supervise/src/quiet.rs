//! Quiet for a test whose outcome has changed from run to run.
//!
//! Its [turn](crate::cores) is as good as two, so that what the others need besides has a core of its own; no worker is being
//! started, which takes more than most tests; and the workers beyond those that the run began with start nothing until
//! it is over.

use outpace_model::WorkerIndex;
use outpace_protocol::{ToController, ToWorker};

use crate::event::Action;
use crate::run::Run;
use crate::worker::Stage;

impl Run {
    /// Whether no worker is being started.
    pub(crate) fn is_calm(&self) -> bool {
        !self.workers.values().any(|worker| worker.is_live() && worker.stage == Stage::Starting)
    }

    /// Extra workers start nothing while somebody has a quiet core, and go on after that.
    pub(crate) fn hush(&mut self) {
        if !self.cores.is_quiet() {
            for index in std::mem::take(&mut self.cores.hushed) {
                self.go_on(index);
            }
        } else if self.cores.hushed.is_empty() {
            let extras: Vec<WorkerIndex> =
                self.extras().into_iter().filter(|index| !self.cores.has_quiet(*index)).collect();
            self.cores.hushed.extend(&extras);
            for index in extras {
                self.act(Action::Send(self.peer_of(index), ToWorker::Hold));
            }
        }
    }

    /// At the end.
    pub(crate) fn tell_unsteady(&mut self) {
        let message = match self.cores.quiet() {
            0 => return,
            1 => "1 test has a quiet core: how it ends has changed from run to run".to_owned(),
            count => {
                format!("{count} tests have a quiet core each: how they end has changed from run to run")
            }
        };
        self.tell(ToController::Notice { message });
    }
}
