//! What layers tell, when another one is made, and when they are given up.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use crate::chain::{Chain, Stage, Waiting};
use crate::channel::Channel;
use crate::doors::AtDoor;
use crate::messages::{FromLayer, ToLauncher, ToLayer};
use crate::record::{Record, Told};
use crate::server::{Role, Server};

/// More kinds of runs than a person works on at a time.
pub(crate) const MOST_CHAINS: usize = 6;

impl Server {
    pub(crate) fn told(&mut self, id: u64, role: Role, message: FromLayer, fds: Vec<OwnedFd>) {
        if matches!(message, FromLayer::Door) {
            return self.new_door(id, fds);
        }
        let record = fds.into_iter().next().and_then(read_told);
        if let (Role::Door(number), FromLayer::Ready { door, .. }) = (role, &message) {
            return self.at_door(id, number, door.clone(), record);
        }
        match (role, message) {
            (Role::Libraries, FromLayer::Ready { .. }) => self.libraries_ready(id, record),
            (Role::Configured, FromLayer::Ready { leading, .. }) => {
                if let Some(chain) = self.chains.get_mut(&id) {
                    chain.leading = leading;
                }
                self.configured(id, record);
            }
            (Role::Configured, FromLayer::Over) => {
                if let Some(chain) = self.chains.get_mut(&id) {
                    chain.runs = chain.runs.saturating_sub(1);
                }
                self.import_leading(id);
                self.collect(id);
            }
            (Role::Collecting, FromLayer::Ready { .. }) => self.collected(id, record),
            (_, FromLayer::Unusable { why }) => self.unusable(id, &why, record),
            _ => {}
        }
    }

    fn configured(&mut self, id: u64, told: Option<Told>) {
        let Some(key) = self.chains.get(&id).map(|chain| &chain.key) else { return };
        let known = self.known_to_libraries(key);
        let record = told.map(|told| Record::new(told, &known));
        let Some(chain) = self.chains.get_mut(&id) else { return };
        match record {
            Some(Ok(record)) => {
                chain.record = record;
                chain.stage = Stage::Ready;
                let others = self.serve_first(id);
                self.ask_again(others);
            }
            Some(Err(path)) => {
                // The run has what it has read; the next one gets another chain.
                chain.stage = Stage::Ready;
                let others = self.serve_first(id);
                let why = self.named_change(Path::new(&path));
                self.drop_chain(id, &format!("{why} meanwhile"));
                self.ask_again(others);
            }
            None => self.drop_chain(id, "it does not say what it has read"),
        }
    }

    fn collected(&mut self, id: u64, told: Option<Told>) {
        let Some(chain) = self.chains.get_mut(&id) else { return };
        let collecting = chain.collecting.take();
        let known = [&chain.record, &chain.collected_record];
        match told.map(|told| Record::new(told, &known)) {
            Some(Ok(record)) => {
                chain.collected_record = record;
                chain.collected = collecting;
            }
            outcome => {
                log(&format!("not kept: {:?} changed while tests were collected", outcome.map(Result::err)));
                if let Some(layer) = collecting {
                    let _ = layer.send(&ToLayer::Retire, &[]);
                }
            }
        }
        self.save_memory();
        let waiting = self.chains.get_mut(&id).map(|chain| std::mem::take(&mut chain.waiting));
        self.ask_again(waiting.unwrap_or_default());
        self.collect(id);
    }

    fn unusable(&mut self, id: u64, why: &str, told: Option<Told>) {
        let Some(chain) = self.chains.get_mut(&id) else { return };
        let kept = told.and_then(|told| Record::new(told, &[]).ok());
        retire(chain);
        chain.doors.clear();
        (chain.configured, chain.uncollected, chain.collecting) = (None, None, None);
        let waiting = std::mem::take(&mut chain.waiting);
        chain.stage = Stage::Unusable(why.to_owned());
        match kept {
            Some(record) => chain.collected_record = record,
            None => drop(self.chains.remove(&id)),
        }
        cold_all(&waiting, why);
    }

    /// Where a run has shown what workers are given, the tests are collected once more, to be kept.
    pub(crate) fn collect(&mut self, id: u64) {
        let Some(chain) = self.chains.get_mut(&id) else { return };
        if chain.runs > 0 || chain.collected.is_some() || chain.collecting.is_some() {
            return;
        }
        let Some(given) = chain.given.take().filter(is_written) else { return };
        let Some(uncollected) = &chain.uncollected else { return };
        if let Some(path) = chain.record.changed() {
            let why = self.named_change(&path);
            return self.drop_chain(id, &why);
        }
        let Ok((ours, theirs)) = outpace_os::message_pair() else { return };
        let Ok(ours) = Channel::new(ours) else { return };
        if uncollected.send(&ToLayer::Collect, &[theirs.as_fd(), given.as_fd()]).is_ok() {
            chain.collecting = Some(ours.clone());
            self.listen(id, Role::Collecting, &ours);
        }
    }

    /// Starts the run that a chain was made for. The others.
    fn serve_first(&mut self, id: u64) -> Vec<Waiting> {
        let Some(chain) = self.chains.get_mut(&id) else { return Vec::new() };
        let mut waiting = std::mem::take(&mut chain.waiting);
        if waiting.is_empty() {
            return waiting;
        }
        let first = waiting.remove(0);
        self.start(id, &first);
        waiting
    }

    fn ask_again(&mut self, waiting: Vec<Waiting>) {
        for run in waiting {
            self.asked(run);
        }
    }

    pub(crate) fn gone(&mut self, id: u64, role: Role) {
        if role == Role::Libraries {
            return self.libraries_gone(id);
        }
        let Some(chain) = self.chains.get_mut(&id) else { return };
        match role {
            Role::Configured if chain.configured.is_some() => {
                self.drop_chain(id, "pytest ended before the tests");
            }
            Role::Uncollected if chain.uncollected.is_some() => self.drop_chain(id, "its process has ended"),
            Role::Collecting if chain.collecting.take().is_some() => {
                self.drop_chain(id, "the process that collects the tests ended");
            }
            Role::Door(number) => chain.doors.retain(|door| door.number != number),
            _ => {}
        }
    }

    pub(crate) fn drop_chain(&mut self, id: u64, why: &str) {
        if let Some(chain) = self.chains.remove(&id) {
            log(&format!("given up: {why}"));
            self.given_up = Some((chain.key.clone(), why.to_owned()));
            retire(&chain);
            cold_all(&chain.waiting, why);
        }
    }

    pub(crate) fn drop_chains(&mut self, unwanted: impl Fn(&Chain) -> bool) {
        let ids: Vec<u64> =
            self.chains.iter().filter(|(_, chain)| unwanted(chain)).map(|(id, _)| *id).collect();
        for id in ids {
            self.drop_chain(id, "--fresh");
        }
    }

    pub(crate) fn make_room(&mut self) {
        while self.chains.len() >= MOST_CHAINS && self.drop_oldest() {}
        self.save_memory();
    }

    pub(crate) fn drop_oldest(&mut self) -> bool {
        let quiet = self.chains.iter().filter(|(_, chain)| !chain.is_busy());
        let oldest = quiet.min_by_key(|(_, chain)| chain.used).map(|(id, _)| *id);
        let key = oldest.and_then(|id| Some(self.chains.get(&id)?.key.clone()));
        if let (Some(id), Some(key)) = (oldest, key) {
            self.drop_chain(id, "others needed its memory");
            self.retire_libraries(|each| each.key == key);
        }
        oldest.is_some()
    }

    /// Gives layers up while memory is short, and in the end itself.
    pub(crate) fn save_memory(&mut self) {
        while outpace_os::available_memory().is_some_and(|left| left < self.reserve) {
            if !self.drop_oldest() && !self.drop_unused_libraries() {
                self.quit |= self.chains.is_empty();
                return;
            }
            std::thread::sleep(Duration::from_millis(20)); // until the kernel has it back
        }
    }
}

pub(crate) fn cold(launcher: &Channel, why: &str) {
    let _ = launcher.send(&ToLauncher::Cold { why: why.to_owned() }, &[]);
}

pub(crate) fn cold_all(waiting: &[Waiting], why: &str) {
    for each in waiting {
        cold(&each.launcher, why);
    }
}

/// Lets the processes of a chain go, once no run needs them.
pub(crate) fn retire(chain: &Chain) {
    for layer in
        [&chain.collecting, &chain.collected, &chain.uncollected, &chain.configured].into_iter().flatten()
    {
        let _ = layer.send(&ToLayer::Retire, &[]);
    }
    chain.doors.iter().for_each(AtDoor::retire);
}

fn read_told(file: OwnedFd) -> Option<Told> {
    let mut text = Vec::new();
    let mut file = File::from(file);
    std::io::Seek::rewind(&mut file).ok()?;
    file.read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).map_err(|error| log(&format!("a record: {error}"))).ok()
}

fn is_written(file: &OwnedFd) -> bool {
    file.try_clone().map(File::from).and_then(|file| file.metadata()).is_ok_and(|found| found.len() > 0)
}

fn log(line: &str) {
    #[expect(clippy::print_stderr, reason = "standard error is the server's log")]
    {
        eprintln!("{line}");
    }
}
