//! A run that was asked for: which layers it can use, and having it forked from them, or a chain of layers made for it.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Display, Path};
use std::time::Instant;

use outpace_os::SpawnSpec;

use crate::chain::{Chain, Stage, Waiting};
use crate::channel::Channel;
use crate::doors::AtDoor;
use crate::layers::cold;
use crate::messages::{FromLauncher, ToLayer};
use crate::record::time_to_settle;
use crate::request::Request;
use crate::server::{Input, Role, Server};

/// What a first layer runs, with the descriptors of its two connections. Where Python puts a program's folder on the
/// path, the folder of the run's program takes its place, or nothing does.
const LAYER: &str = "\
import sys
if sys.path[:1] == ['']:
    sys.path[:1] = [folder for folder in sys.argv[7:8] if folder]
from outpace.warm.builder import main
sys.exit(main())
";

impl Server {
    pub(crate) fn asked(&mut self, mut run: Waiting) {
        let key = run.request.key();
        let known = self.chains.iter().find(|(_, chain)| chain.key == key).map(|(id, _)| *id);
        let Some(id) = known else {
            let why = match &self.last {
                None => "the first run".to_owned(),
                Some(last) if *last == key => match &self.given_up {
                    Some((given_up, why)) if *given_up == key => why.clone(),
                    _ => "it was given up".to_owned(),
                },
                Some(last) => key.difference(last),
            };
            return self.build(key, run, &why);
        };
        let Some(chain) = self.chains.get_mut(&id) else { return };
        chain.used = Instant::now();
        let waits_for_nothing = run.request.is_narrow() && matches!(chain.stage, Stage::Ready);
        let would_wait = chain.is_busy() && chain.runs == 0 && !waits_for_nothing;
        if would_wait && (chain.collecting.is_none() || chain.valid_door().is_none()) {
            chain.waiting.push(run);
            return;
        }
        if let Some(why) = self.outdated(id) {
            self.drop_chain(id, &why);
            return self.build(key, run, &why);
        }
        let Some(chain) = self.chains.get_mut(&id) else { return };
        if let Stage::Unusable(why) = &chain.stage {
            let why = why.clone();
            let Some(path) = chain.collected_record.changed() else { return cold(&run.launcher, &why) };
            let why = self.named_change(&path);
            self.drop_chain(id, &why);
            return self.build(key, run, &why);
        }
        let project = self.project.clone();
        let stale = match &chain.collected {
            None => Some("tests are collected".to_owned()),
            Some(collected) => chain.collected_record.changed().map(|path| {
                let _ = collected.send(&ToLayer::Retire, &[]);
                named_change(&project, &path)
            }),
        };
        "collected".clone_into(&mut run.note);
        if let (Some(why), Some(chain)) = (stale, self.chains.get_mut(&id)) {
            chain.collected = None;
            let at_door = chain.valid_door();
            run.note = match at_door.and_then(AtDoor::door) {
                Some(door) => format!("collected up to {} ({why})", shown(&project, &door.path)),
                None => format!("configured ({why})"),
            };
            run.door = at_door.map(|each| each.channel.clone());
        }
        self.start(id, &run);
    }

    /// Why nothing of a chain is of use.
    fn outdated(&mut self, id: u64) -> Option<String> {
        let age = self.settings.age;
        let chain = self.chains.get_mut(&id)?;
        if chain.born.elapsed() > age {
            return Some("it had become too old".to_owned());
        }
        let path = chain.record.changed()?;
        std::thread::sleep(time_to_settle(&path)); // what is made from libraries reads it soon
        Some(self.named_change(&path))
    }

    pub(crate) fn named_change(&self, path: &Path) -> String {
        named_change(&self.project, path)
    }

    /// Has the run forked from the chain's layers.
    pub(crate) fn start(&mut self, id: u64, run: &Waiting) {
        if let Some(watch) = &run.watch {
            watch.abort();
        }
        let Some(chain) = self.chains.get_mut(&id) else { return };
        let template = chain.collected.as_ref().or(run.door.as_ref()).or(chain.uncollected.as_ref());
        let (Some(configured), Some(template)) = (&chain.configured, template) else {
            return cold(&run.launcher, "its processes are gone");
        };
        let started = || -> std::io::Result<OwnedFd> {
            let (controllers, coordinators) = outpace_os::socket_pair()?;
            let given = outpace_os::memory_file("outpace-given")?;
            let message = ToLayer::Run {
                env: run.request.of_the_shell(),
                ignored: run.request.streams.ignored.clone(),
                note: run.note.clone(),
            };
            let streams = &run.streams;
            template.send(&message, &[streams[2].as_fd(), coordinators.as_fd()])?;
            let (zero, one, two) = (streams[0].as_fd(), streams[1].as_fd(), streams[2].as_fd());
            configured
                .send(&message, &[zero, one, two, run.launcher.fd(), controllers.as_fd(), given.as_fd()])?;
            Ok(given)
        };
        let Ok(given) = started() else {
            cold(&run.launcher, "its processes do not answer");
            return self.drop_chain(id, "its processes do not answer");
        };
        chain.runs += 1;
        if chain.collected.is_none() {
            chain.given = Some(given);
        }
    }

    /// Starts a chain for a run that then is the first one forked from it.
    pub(crate) fn build(&mut self, key: Request, mut run: Waiting, why: &str) {
        self.make_room();
        run.note = format!("libraries ({why})");
        let made = self.fork_first(&key, &run.request).or_else(|| {
            run.note = format!("none yet ({why})");
            self.spawn_first(&key, &run.request)
                .map_err(|error| cold(&run.launcher, &format!("its process cannot be started: {error}")))
                .ok()
        });
        let Some((configured, uncollected, born)) = made else { return };
        self.next += 1;
        let id = self.next;
        self.listen(id, Role::Configured, &configured);
        self.listen(id, Role::Uncollected, &uncollected);
        self.last = Some(key.clone());
        let mut chain = Chain::new(key, configured, uncollected, born);
        let (launcher, inputs) = (run.launcher.clone(), self.to_inputs.clone());
        let watch = tokio::spawn(async move {
            if launcher.receive::<FromLauncher>().await.is_none() {
                let _ = inputs.send(Input::Gone(id));
            }
        });
        run.watch = Some(watch.abort_handle());
        chain.waiting.push(run);
        self.chains.insert(id, chain);
    }

    /// The first process of a chain and its template, from one that has come to the conftests, and since when that is
    /// there.
    fn fork_first(&mut self, key: &Request, request: &Request) -> Option<(Channel, Channel, Instant)> {
        let libraries = self.valid_libraries(key)?;
        let (configured, theirs) = message_channel().ok()?;
        let (uncollected, theirs_too) = message_channel().ok()?;
        libraries.configure(request, [&theirs, &theirs_too]).ok()?;
        Some((configured, uncollected, libraries.born))
    }

    fn spawn_first(
        &mut self,
        key: &Request,
        request: &Request,
    ) -> std::io::Result<(Channel, Channel, Instant)> {
        let (configured, theirs) = message_channel()?;
        let (uncollected, theirs_too) = message_channel()?;
        let (libraries, its) = message_channel()?;
        let fds = vec![theirs, theirs_too, its];
        let limits = serde_json::to_string(&key.streams.limits)?;
        let mut argv = vec![key.python.clone().into_os_string()];
        argv.extend(key.flags().iter().cloned());
        argv.extend(["-c".into(), LAYER.into()]);
        argv.extend(fds.iter().map(|fd| OsString::from(fd.as_raw_fd().to_string())));
        argv.push(key.streams.mask.to_string().into());
        argv.push(limits.into());
        let program = key.program.as_ref().map(|program| [program.name.clone(), program.path.clone()]);
        argv.extend(program.unwrap_or_default());
        argv.extend(key.args.iter().cloned());
        outpace_os::spawn(SpawnSpec {
            argv,
            env: Some(request.env.clone()),
            cwd: Some(key.cwd.clone()),
            fds,
            stdin_null: true,
            own_group: true,
            ..SpawnSpec::default()
        })?;
        self.new_libraries(key.clone(), libraries);
        Ok((configured, uncollected, Instant::now()))
    }

    pub(crate) fn listen(&self, id: u64, role: Role, channel: &Channel) {
        let (channel, inputs) = (channel.clone(), self.to_inputs.clone());
        tokio::spawn(async move {
            while let Some((message, fds)) = channel.receive().await {
                if inputs.send(Input::Layer(id, role, message, fds)).is_err() {
                    return;
                }
            }
            let _ = inputs.send(Input::LayerGone(id, role));
        });
    }
}

/// Ours, and the other end.
fn message_channel() -> std::io::Result<(Channel, OwnedFd)> {
    let (ours, theirs) = outpace_os::message_pair()?;
    Ok((Channel::new(ours)?, theirs))
}

fn named_change(project: &Path, path: &Path) -> String {
    if path == project {
        "the project's folder changed".to_owned()
    } else {
        format!("{} changed", shown(project, path))
    }
}

fn shown<'a>(project: &Path, path: &'a Path) -> Display<'a> {
    path.strip_prefix(project).unwrap_or(path).display()
}
