//! Processes that have imported pytest and its plugins, and no conftest yet: a chain of layers made anew goes on from
//! there, as long as what they have read is as it was.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use crate::channel::Channel;
use crate::doors::begins_with;
use crate::layers::MOST_CHAINS;
use crate::messages::{Leading, ToLayer};
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
    /// What it has imported besides, where it is a fork of the one that was started.
    leading: Option<Leading>,
    /// The last such fork that it was asked for.
    asked: Option<Leading>,
}

impl Libraries {
    /// Has the first process of a chain forked, with its connections.
    pub(crate) fn configure(&self, request: &Request, theirs: [&OwnedFd; 2]) -> std::io::Result<()> {
        let message = ToLayer::Configure { env: request.of_the_shell() };
        self.channel.send(&message, &theirs.map(AsFd::as_fd))
    }

    fn is_valid(&mut self) -> bool {
        let begins = |leading: &Leading| begins_with(&leading.path, &leading.begins);
        self.leading.as_ref().is_none_or(begins)
            && self.record.as_mut().is_some_and(|record| record.changed().is_none())
    }

    /// What is there, for people; nothing where it is of no use yet.
    pub(crate) fn describe(&self) -> Option<String> {
        let record = self.record.as_ref()?;
        let ahead = self.leading.as_ref().and_then(|leading| leading.path.file_name());
        let ahead = ahead.map(|name| format!("; with what {} begins with", name.display()));
        Some(format!(
            "libraries; {} files and folders, {} s old{}: {}",
            record.len(),
            self.born.elapsed().as_secs(),
            ahead.unwrap_or_default(),
            self.key.command()
        ))
    }

    fn retire(&self) {
        let _ = self.channel.send(&ToLayer::Retire, &[]);
    }
}

impl Server {
    /// Those of a chain whose first process is started.
    pub(crate) fn new_libraries(&mut self, key: Request, channel: Channel) {
        self.retire_libraries(|each| each.key == key);
        if self.libraries.len() >= 2 * MOST_CHAINS {
            self.drop_unused_libraries();
        }
        self.add_libraries(key, channel, Instant::now(), None);
    }

    fn add_libraries(&mut self, key: Request, channel: Channel, born: Instant, leading: Option<Leading>) {
        self.next += 1;
        let number = self.next;
        self.listen(number, Role::Libraries, &channel);
        self.libraries.push(Libraries { number, key, channel, born, record: None, leading, asked: None });
    }

    pub(crate) fn libraries_ready(&mut self, number: u64, told: Option<Told>) {
        let Some(ours) = self.libraries.iter().find(|each| each.number == number) else { return };
        let known = self.known_to_libraries(&ours.key);
        let record = told.map(|told| Record::new(told, &known));
        match (record, self.libraries.iter_mut().find(|each| each.number == number)) {
            (Some(Ok(record)), Some(ours)) => ours.record = Some(record),
            _ => self.retire_libraries(|each| each.number == number),
        }
    }

    /// Once it is known what the first conftest of a chain begins with.
    pub(crate) fn import_leading(&mut self, id: u64) {
        let Some(chain) = self.chains.get_mut(&id) else { return };
        let (Some(leading), key) = (chain.leading.take(), chain.key.clone()) else { return };
        let base = self.libraries.iter_mut().find(|each| each.key == key && each.leading.is_none());
        let Some(base) = base.filter(|base| base.asked.as_ref() != Some(&leading)) else { return };
        let made = || -> std::io::Result<Channel> {
            let (ours, theirs) = outpace_os::message_pair()?;
            base.channel.send(&ToLayer::Import { leading: leading.clone() }, &[theirs.as_fd()])?;
            Channel::new(ours)
        };
        let Ok(channel) = made() else { return };
        base.asked = Some(leading.clone());
        let born = base.born;
        self.retire_libraries(|each| each.key == key && each.leading.is_some());
        self.add_libraries(key, channel, born, Some(leading));
    }

    /// Those that a run of this kind can go on from; of two, the one that has imported more. Others are given up.
    pub(crate) fn valid_libraries(&mut self, key: &Request) -> Option<&Libraries> {
        let age = self.settings.age;
        for has_more in [true, false] {
            let is_one = |each: &Libraries| {
                each.key == *key && each.leading.is_some() == has_more && each.record.is_some()
            };
            let Some(index) = self.libraries.iter().position(is_one) else { continue };
            if self.libraries[index].born.elapsed() <= age && self.libraries[index].is_valid() {
                return self.libraries.get(index);
            }
            self.libraries.remove(index).retire();
        }
        None
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
    pub(crate) fn known_to_libraries(&self, key: &Request) -> Vec<&Record> {
        self.libraries
            .iter()
            .filter(|each| each.key == *key)
            .filter_map(|each| each.record.as_ref())
            .collect()
    }
}
