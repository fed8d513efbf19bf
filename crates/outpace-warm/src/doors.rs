//! Processes that have collected what comes before one file of the project, and done its first imports: where only that
//! file is edited, below them, a run goes on from there.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::SystemTime;

use crate::chain::Chain;
use crate::channel::Channel;
use crate::messages::{Door, ToLayer};
use crate::record::{Record, Told};
use crate::server::{Role, Server};

/// Each costs the memory of what it does not share with others. As many as the layer makes.
const MOST_DOORS: usize = 6;

#[derive(Debug)]
pub(crate) struct AtDoor {
    pub(crate) number: u64,
    pub(crate) channel: Channel,
    /// Once it is there: what it has read, and the files that it has begun with; it waits for the last one.
    there: Option<(Record, Vec<Door>)>,
}

impl AtDoor {
    /// Whether what it would collect from here is what would be collected from the start.
    fn is_valid(&mut self) -> bool {
        let begins = |door: &Door| begins_with(&door.path, &door.begins);
        self.there
            .as_mut()
            .is_some_and(|(record, doors)| record.changed().is_none() && doors.iter().all(begins))
    }

    fn depth(&self) -> usize {
        self.there.as_ref().map_or(0, |(record, _)| record.len())
    }

    /// The file, where it waits.
    pub(crate) fn door(&self) -> Option<&Door> {
        self.there.as_ref().and_then(|(_, doors)| doors.last())
    }

    pub(crate) fn retire(&self) {
        let _ = self.channel.send(&ToLayer::Retire, &[]);
    }
}

impl Chain {
    /// The one that has read most, of those from which a run can go on. Others are given up on the way.
    pub(crate) fn valid_door(&mut self) -> Option<&AtDoor> {
        self.doors.sort_by_key(AtDoor::depth);
        while let Some(index) = self.doors.iter().rposition(|each| each.door().is_some()) {
            if self.doors[index].is_valid() {
                return self.doors.get(index);
            }
            self.doors.remove(index).retire();
        }
        None
    }

    fn give_up_door(&mut self, unwanted: impl Fn(&AtDoor) -> bool) {
        if let Some(index) = self.doors.iter().position(unwanted) {
            self.doors.remove(index).retire();
        }
    }

    fn door_ready(&mut self, number: u64, doors: Vec<Door>, record: Record) {
        let path = doors.last().map(|door| door.path.clone());
        self.give_up_door(|each| each.number != number && each.door().map(|it| &it.path) == path.as_ref());
        if let Some(ours) = self.doors.iter_mut().find(|each| each.number == number) {
            ours.there = Some((record, doors));
        }
        let edited = |each: &AtDoor| each.door().map(changed_at);
        if self.doors.iter().filter(|each| each.door().is_some()).count() > MOST_DOORS {
            let oldest = self.doors.iter().filter_map(|each| Some((edited(each)?, each.number))).min();
            self.give_up_door(|each| oldest.is_some_and(|(_, number)| each.number == number));
        }
    }
}

impl Server {
    /// The layer that collects has forked one.
    pub(crate) fn new_door(&mut self, id: u64, fds: Vec<OwnedFd>) {
        let Some(channel) = fds.into_iter().next().and_then(|fd| Channel::new(fd).ok()) else { return };
        self.next += 1;
        let number = self.next;
        self.listen(id, Role::Door(number), &channel);
        if let Some(chain) = self.chains.get_mut(&id) {
            chain.doors.push(AtDoor { number, channel, there: None });
        }
    }

    pub(crate) fn at_door(&mut self, id: u64, number: u64, doors: Vec<Door>, told: Option<Told>) {
        let Some(chain) = self.chains.get_mut(&id) else { return };
        match told.map(|told| Record::new(told, &[&chain.record, &chain.collected_record])) {
            Some(Ok(record)) => chain.door_ready(number, doors, record),
            _ => chain.give_up_door(|each| each.number == number),
        }
        self.save_memory();
    }
}

pub(crate) fn begins_with(path: &Path, begins: &str) -> bool {
    fs::read(path).is_ok_and(|content| content.starts_with(begins.as_bytes()))
}

fn changed_at(door: &Door) -> Option<SystemTime> {
    fs::metadata(&door.path).and_then(|found| found.modified()).ok()
}
