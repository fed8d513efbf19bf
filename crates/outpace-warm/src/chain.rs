//! The layers for one kind of run: a configured process, one that is about to collect, and one that has collected. Each
//! is a fork of the one before; here is only what the server knows of them.

use std::os::fd::OwnedFd;
use std::time::Instant;

use tokio::task::AbortHandle;

use crate::channel::Channel;
use crate::doors::AtDoor;
use crate::messages::Leading;
use crate::record::Record;
use crate::request::Request;

/// A run that waits for a layer: its launcher, standard streams, and what it is.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) launcher: Channel,
    pub(crate) streams: Vec<OwnedFd>,
    pub(crate) request: Request,
    /// What the run is to say of layers where it gets one.
    pub(crate) note: String,
    /// The process at a door from which it goes on, where that is so.
    pub(crate) door: Option<Channel>,
    /// What notices meanwhile that the launcher has gone; a layer reads that connection once the run has begun.
    pub(crate) watch: Option<AbortHandle>,
}

#[derive(Debug)]
pub(crate) enum Stage {
    /// Its first process is being configured.
    Building,
    /// A run can be forked from it.
    Ready,
    /// There is nothing to fork: why. What it has read says for how long.
    Unusable(String),
}

#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) key: Request,
    pub(crate) stage: Stage,
    pub(crate) born: Instant,
    pub(crate) used: Instant,
    /// Configured, up to where a session begins; gone where there is nothing to fork.
    pub(crate) configured: Option<Channel>,
    /// Before conftests are imported; it becomes the next one.
    pub(crate) uncollected: Option<Channel>,
    /// Told to collect, and not ready yet.
    pub(crate) collecting: Option<Channel>,
    pub(crate) collected: Option<Channel>,
    /// Waiting at the doors of files.
    pub(crate) doors: Vec<AtDoor>,
    /// What the first has read, and what the last has.
    pub(crate) record: Record,
    pub(crate) collected_record: Record,
    /// What its first conftest imports first, until that is imported ahead.
    pub(crate) leading: Option<Leading>,
    pub(crate) waiting: Vec<Waiting>,
    /// The input of workers of the last run that collected for itself.
    pub(crate) given: Option<OwnedFd>,
    pub(crate) runs: usize,
}

impl Chain {
    /// `born`: when the oldest of what it is made from was.
    pub(crate) fn new(key: Request, configured: Channel, uncollected: Channel, born: Instant) -> Self {
        Self {
            key,
            stage: Stage::Building,
            born,
            used: Instant::now(),
            configured: Some(configured),
            uncollected: Some(uncollected),
            collecting: None,
            collected: None,
            doors: Vec::new(),
            record: Record::default(),
            collected_record: Record::default(),
            leading: None,
            waiting: Vec::new(),
            given: None,
            runs: 0,
        }
    }

    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.stage, Stage::Building) || self.collecting.is_some() || self.runs > 0
    }

    /// What is there, for people.
    pub(crate) fn describe(&self) -> String {
        let state = match &self.stage {
            Stage::Building => "is being configured".to_owned(),
            Stage::Unusable(why) => format!("none: {why}"),
            Stage::Ready if self.collected.is_some() => "collected".to_owned(),
            Stage::Ready if self.collecting.is_some() => "is being collected".to_owned(),
            Stage::Ready => "configured".to_owned(),
        };
        let mut doors: Vec<_> = self.doors.iter().filter_map(|each| each.door()?.path.file_name()).collect();
        doors.sort_unstable();
        let doors: Vec<_> = doors.into_iter().map(|name| name.to_string_lossy()).collect();
        let doors = if doors.is_empty() { String::new() } else { format!("; doors: {}", doors.join(", ")) };
        format!(
            "{state}; {} files and folders, {} s old{doors}: {}",
            self.record.len().max(self.collected_record.len()),
            self.born.elapsed().as_secs(),
            self.key.command()
        )
    }
}
