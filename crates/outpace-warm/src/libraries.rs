//! Processes that have imported pytest and its plugins, and no conftest yet: a chain of layers made anew goes on from
//! there, as long as what they have read is as it was.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use crate::channel::Channel;
use crate::layers::MOST_CHAINS;
use crate::messages::ToLayer;
use crate::record::{Record, Told};
use crate::request::Request;
use crate::server::{Role, Server};

#[derive(Debug)]
pub(crate) struct Libraries {
    number: u64,
    pub(crate) key: Request,
    channel: Channel,
    pub(crate) born: Instant,
    /// What it has read, once it has told.
    record: Option<Record>,
}

impl Libraries {
    /// Has the first process of a chain forked, with its connections.
    pub(crate) fn configure(&self, request: &Request, theirs: [&OwnedFd; 2]) -> std::io::Result<()> {
        let message = ToLayer::Configure { env: request.of_the_shell() };
        self.channel.send(&message, &theirs.map(AsFd::as_fd))
    }

    fn retire(&self) {
        let _ = self.channel.send(&ToLayer::Retire, &[]);
    }
}

impl Server {
    pub(crate) fn new_libraries(&mut self, key: Request, channel: Channel) {
        self.next += 1;
        let number = self.next;
        self.retire_libraries(|each| each.key == key);
        if self.libraries.len() >= MOST_CHAINS {
            self.drop_unused_libraries();
        }
        self.listen(number, Role::Libraries, &channel);
        self.libraries.push(Libraries { number, key, channel, born: Instant::now(), record: None });
    }

    pub(crate) fn libraries_ready(&mut self, number: u64, told: Option<Told>) {
        match told.map(|told| Record::new(told, &[])) {
            Some(Ok(record)) => {
                if let Some(ours) = self.libraries.iter_mut().find(|each| each.number == number) {
                    ours.record = Some(record);
                }
            }
            _ => self.retire_libraries(|each| each.number == number),
        }
    }

    /// Those that a run of this kind can go on from.
    pub(crate) fn valid_libraries(&mut self, key: &Request) -> Option<&Libraries> {
        let age = self.settings.age;
        let known = self.libraries.iter_mut().find(|each| each.key == *key)?;
        let is_valid = known.born.elapsed() <= age
            && known.record.as_mut().is_some_and(|record| record.changed().is_none());
        if !is_valid {
            self.retire_libraries(|each| each.key == *key);
        }
        self.libraries.iter().find(|each| each.key == *key)
    }

    pub(crate) fn retire_libraries(&mut self, unwanted: impl Fn(&Libraries) -> bool) {
        self.libraries.retain(|each| {
            let is_unwanted = unwanted(each);
            if is_unwanted {
                each.retire();
            }
            !is_unwanted
        });
    }

    /// Those of kinds of runs that have no layers at present.
    pub(crate) fn drop_unused_libraries(&mut self) -> bool {
        let used: Vec<_> = self.chains.values().map(|chain| chain.key.clone()).collect();
        let before = self.libraries.len();
        self.retire_libraries(|each| !used.contains(&each.key));
        self.libraries.len() < before
    }

    pub(crate) fn libraries_gone(&mut self, number: u64) {
        self.libraries.retain(|each| each.number != number);
    }

    /// What the first process of a chain has read of that.
    pub(crate) fn known_to_libraries(&self, key: &Request) -> Option<&Record> {
        self.libraries.iter().find(|each| each.key == *key)?.record.as_ref()
    }
}
