//! Why a parallel run is not faster: what bounds it, what is paid besides the tests, and what each fix would win.

use std::collections::{BTreeMap, BTreeSet};

use outpace_model::{Scope, SetUp};
use serde::{Deserialize, Serialize};

use crate::load::{Bound, Load, Task};
use crate::record::{Outcome, Round, Test};
use crate::wins::{Win, wins};

/// So many of each list are named.
const NAMED: usize = 5;

/// The machine that the runs are made on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine {
    /// Cores that may be used; a quota may leave a part of one.
    pub cores: f64,
    /// Bytes of memory that are to be had.
    pub memory: Option<u64>,
}

/// A long test.
#[derive(Debug, Clone, Serialize)]
pub struct Longest {
    /// Its node id.
    pub id: String,
    /// How long it takes, without the fixtures that it sets up for others too.
    pub seconds: f64,
}

/// What collecting takes, imports included.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Imports {
    /// Of all files.
    pub seconds: f64,
    /// Of the time of imports and tests together.
    pub share: f64,
    /// The files that take most.
    pub files: Vec<FileImport>,
}

/// A file that takes long to collect.
#[derive(Debug, Clone, Serialize)]
pub struct FileImport {
    /// From the root folder of the tests.
    pub path: String,
    /// How long.
    pub seconds: f64,
    /// Of the CPU.
    pub cpu_seconds: f64,
    /// Of all imports.
    pub share: f64,
}

/// A fixture that outlives a test.
#[derive(Debug, Clone, Serialize)]
pub struct SharedFixture {
    /// Its name.
    pub name: String,
    /// The file with it, or the module of a plugin.
    pub path: String,
    /// How long it lives.
    pub scope: Scope,
    /// How many workers paid for it in a parallel run.
    pub workers: usize,
    /// How often they set it up.
    pub times: u32,
    /// One time.
    pub seconds: f64,
    /// All of them.
    pub total_seconds: f64,
}

/// Tests that cannot run beside all others.
#[derive(Debug, Clone, Serialize)]
pub struct HeldApart {
    /// The resource; none: serial tests, beside which nothing runs.
    pub resource: Option<String>,
    /// How many of them can hold it at once.
    pub capacity: u64,
    /// How many tests.
    pub tests: usize,
    /// What they take.
    pub seconds: f64,
    /// Of the time of all tests.
    pub share: f64,
    /// However many workers there are, the tests get no faster than this many times (Amdahl).
    pub most_speedup: f64,
}

/// What a worker needs.
#[derive(Debug, Clone, Serialize)]
pub struct MemoryUse {
    /// Each worker's proportional share (PSS) at its peak, in bytes.
    pub workers: Vec<u64>,
    /// What a worker shares with nobody, at most.
    pub own: u64,
    /// What there was before the runs.
    pub available: Option<u64>,
    /// For how many workers that is enough.
    pub room_for: Option<u64>,
    /// Whether that is fewer than there are to be.
    pub is_limit: bool,
}

/// What bounds a parallel run.
#[derive(Debug, Clone, Serialize)]
pub struct Faster {
    /// Seconds of all tests, one after the other, with their fixtures.
    pub tests_seconds: f64,
    /// Seconds of CPU of theirs.
    pub cpu_seconds: f64,
    /// What is left of the serial run: its start, and what pytest does between tests.
    pub other_seconds: f64,
    /// Of the tests' time, the share in which they did not compute.
    pub waiting_share: f64,
    /// No run with so many workers can be much shorter than this: collecting, and then the first of the bounds.
    pub limit_seconds: f64,
    /// Workers.
    pub workers: usize,
    /// Cores.
    pub cores: f64,
    /// What holds after the collection, the largest first.
    pub bounds: Vec<Bound>,
    /// The longest tests.
    pub longest: Vec<Longest>,
    /// Imports.
    pub imports: Imports,
    /// Fixtures that tests share, the dearest first.
    pub fixtures: Vec<SharedFixture>,
    /// Serial tests and exclusive resources.
    pub apart: Vec<HeldApart>,
    /// Memory; none where it could not be read.
    pub memory: Option<MemoryUse>,
    /// What would help, the most first.
    pub wins: Vec<Win>,
}

/// A resource, and who needs how much of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// How much of it there is.
    pub capacity: u64,
    /// Who needs it.
    pub holders: Vec<Holder>,
}

/// A test that needs a resource.
#[derive(Debug, Clone, Deserialize)]
pub struct Holder {
    /// Its node id.
    pub id: String,
    /// How much.
    pub amount: u64,
}

/// What a worker used at its peak, in bytes.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct WorkerMemory {
    /// What it shares with nobody.
    pub own: u64,
    /// Its share of everything (PSS).
    pub proportional: u64,
}

/// None where too little ran to say anything.
pub(crate) fn faster(serial: &Round, parallel: &[Round], workers: usize, machine: Machine) -> Option<Faster> {
    let ran: Vec<&Test> = serial.tests.iter().filter(|test| test.outcome != Outcome::Skipped).collect();
    if ran.is_empty() {
        return None;
    }
    let total: f64 = ran.iter().map(|test| test.seconds).sum();
    let cpu: f64 = ran.iter().map(|test| cpu_of(test)).sum();
    let fixtures = fixtures(serial, parallel);
    let imports = imports(serial, total);
    let load = load(serial, &ran, &fixtures, imports.seconds, workers, machine);
    let mut longest: Vec<Longest> =
        load.tests.iter().map(|test| Longest { id: test.id.clone(), seconds: test.seconds }).collect();
    longest.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    longest.truncate(NAMED);
    let mut faster = Faster {
        tests_seconds: total,
        cpu_seconds: cpu,
        other_seconds: (serial.seconds - total - imports.seconds).max(0.0),
        waiting_share: if total > 0.0 { (1.0 - cpu / total).clamp(0.0, 1.0) } else { 0.0 },
        limit_seconds: load.limit(),
        workers,
        cores: load.cores,
        bounds: load.bounds(),
        longest,
        imports,
        fixtures,
        apart: apart(serial, &load),
        memory: parallel.iter().find_map(|round| memory(&round.memory, workers, machine)),
        wins: Vec::new(),
    };
    faster.wins = wins(&faster, &load);
    faster.imports.files.truncate(NAMED);
    faster.fixtures.truncate(NAMED);
    Some(faster)
}

fn cpu_of(test: &Test) -> f64 {
    test.cpu.min(test.span.1 - test.span.0)
}

fn load(
    serial: &Round,
    ran: &[&Test],
    fixtures: &[SharedFixture],
    collecting: f64,
    workers: usize,
    machine: Machine,
) -> Load {
    let alone: BTreeSet<&str> = serial.costs.serial.iter().map(String::as_str).collect();
    let mut needs: BTreeMap<&str, Vec<(usize, f64)>> = BTreeMap::new();
    for (number, resource) in serial.costs.resources.iter().enumerate() {
        for holder in &resource.holders {
            needs.entry(&holder.id).or_default().push((number, share(holder.amount, resource.capacity)));
        }
    }
    let task = |test: &&Test| Task {
        id: test.id.clone(),
        seconds: (test.seconds - test.shared.0).max(0.0),
        cpu: (cpu_of(test) - test.shared.1).max(0.0),
        is_serial: alone.contains(test.id.as_str()),
        needs: needs.get(test.id.as_str()).cloned().unwrap_or_default(),
    };
    Load {
        tests: ran.iter().map(task).collect(),
        resources: serial.costs.resources.iter().map(|each| each.name.clone()).collect(),
        collecting,
        fixtures: fixtures.iter().map(|each| (each.seconds, each.total_seconds)).collect(),
        workers: count(workers.max(1)),
        cores: if machine.cores > 0.0 { machine.cores } else { count(workers.max(1)) },
    }
}

fn imports(serial: &Round, tests: f64) -> Imports {
    let all: f64 = serial.costs.imports.iter().map(|each| seconds(each.wall)).sum();
    let part = |of: f64, whole: f64| if whole > 0.0 { of / whole } else { 0.0 };
    let mut files: Vec<FileImport> = serial
        .costs
        .imports
        .iter()
        .map(|each| FileImport {
            path: each.path.clone(),
            seconds: seconds(each.wall),
            cpu_seconds: seconds(each.cpu),
            share: part(seconds(each.wall), all),
        })
        .collect();
    files.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    Imports { seconds: all, share: part(all, all + tests), files }
}

/// Of each fixture the parallel run in which most workers paid for it; the serial run where none did.
fn fixtures(serial: &Round, parallel: &[Round]) -> Vec<SharedFixture> {
    let mut found: BTreeMap<(String, String), SharedFixture> = BTreeMap::new();
    for round in parallel.iter().chain([serial]) {
        let mut here: BTreeMap<(&str, &str), Vec<&SetUp>> = BTreeMap::new();
        for (_, each) in &round.fixtures {
            here.entry((&each.path, &each.name)).or_default().push(each);
        }
        for ((path, name), paid) in here {
            let times: u32 = paid.iter().map(|each| each.times).sum();
            let total: f64 = paid.iter().map(|each| seconds(each.wall)).sum();
            let known = found.get(&(path.to_owned(), name.to_owned()));
            if times == 0 || known.is_some_and(|known| known.workers >= paid.len()) {
                continue;
            }
            let one = SharedFixture {
                name: name.to_owned(),
                path: path.to_owned(),
                scope: paid[0].scope,
                workers: paid.len(),
                times,
                seconds: total / f64::from(times),
                total_seconds: total,
            };
            found.insert((path.to_owned(), name.to_owned()), one);
        }
    }
    let mut fixtures: Vec<SharedFixture> = found.into_values().collect();
    fixtures.sort_by(|a, b| b.total_seconds.total_cmp(&a.total_seconds));
    fixtures
}

fn apart(serial: &Round, load: &Load) -> Vec<HeldApart> {
    let total: f64 = load.tests.iter().map(|test| test.seconds).sum();
    let held = |resource: Option<&str>, capacity: u64, share: &dyn Fn(&Task) -> f64| {
        let tests: Vec<&Task> = load.tests.iter().filter(|test| share(test) > 0.0).collect();
        let seconds: f64 = tests.iter().map(|test| test.seconds).sum();
        let bound: f64 = tests.iter().map(|test| test.seconds * share(test)).sum();
        (bound > 0.0).then(|| HeldApart {
            resource: resource.map(str::to_owned),
            capacity,
            tests: tests.len(),
            seconds,
            share: seconds / total,
            most_speedup: total / bound,
        })
    };
    let of_resource = |(number, resource): (usize, &Resource)| {
        let share =
            |test: &Task| test.needs.iter().filter(|(of, _)| *of == number).map(|(_, share)| share).sum();
        held(Some(&resource.name), resource.capacity, &share)
    };
    let serial_ones = held(None, 1, &|test| if test.is_serial { 1.0 } else { 0.0 });
    let resources = serial.costs.resources.iter().enumerate().filter_map(of_resource);
    serial_ones.into_iter().chain(resources).collect()
}

fn memory(used: &[WorkerMemory], workers: usize, machine: Machine) -> Option<MemoryUse> {
    let own = used.iter().map(|each| each.own).max()?;
    let room_for = machine.memory.map(|bytes| bytes / own.max(1));
    Some(MemoryUse {
        workers: used.iter().map(|each| each.proportional).collect(),
        own,
        available: machine.memory,
        room_for,
        is_limit: room_for.is_some_and(|room| usize::try_from(room).is_ok_and(|room| room < workers)),
    })
}

fn share(amount: u64, capacity: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
    let share = amount as f64 / capacity.max(1) as f64;
    share
}

fn seconds(micros: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a time needs no more")]
    let seconds = micros as f64 / 1e6;
    seconds
}

fn count(number: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a number of workers is small")]
    let count = number as f64;
    count
}

#[cfg(test)]
mod tests {
    use outpace_model::Import;

    use super::*;

    #[test]
    fn memory_limits_the_workers_where_there_is_room_for_fewer() {
        let used =
            [WorkerMemory { own: 500, proportional: 700 }, WorkerMemory { own: 900, proportional: 800 }];
        let machine = |memory| Machine { cores: 2.0, memory };
        let tight = memory(&used, 4, machine(Some(3_000))).unwrap();
        assert_eq!((tight.room_for, tight.is_limit, tight.own), (Some(3), true, 900));
        assert_eq!(tight.workers, [700, 800]);
        assert!(!memory(&used, 3, machine(Some(3_000))).unwrap().is_limit);
        let unknown = memory(&used, 4, machine(None)).unwrap();
        assert_eq!((unknown.room_for, unknown.is_limit), (None, false));
        assert!(memory(&[], 4, machine(Some(3_000))).is_none());
    }

    #[test]
    fn a_fixture_is_told_of_the_run_in_which_most_workers_paid() {
        let paid = |worker: &str, wall| {
            let each = SetUp {
                path: "conftest.py".to_owned(),
                name: "app".to_owned(),
                scope: Scope::Session,
                times: 1,
                wall,
                cpu: 0,
            };
            (worker.to_owned(), each)
        };
        let round = |fixtures| Round { fixtures, ..Round::default() };
        let serial = round(vec![paid("", 1_000_000)]);
        let rounds =
            [round(vec![paid("gw0", 1)]), round(vec![paid("gw0", 1_000_000), paid("gw1", 3_000_000)])];
        let found = fixtures(&serial, &rounds);
        assert_eq!((found.len(), found[0].workers, found[0].times), (1, 2, 2));
        assert!((found[0].seconds - 2.0).abs() < 1e-9 && (found[0].total_seconds - 4.0).abs() < 1e-9);
        assert_eq!(fixtures(&serial, &[])[0].workers, 1);
    }

    #[test]
    fn files_come_by_what_they_take_and_shares_are_of_the_whole() {
        let import = |path: &str, wall| Import { path: path.to_owned(), wall, cpu: wall / 2 };
        let mut serial = Round::default();
        serial.costs.imports = vec![import("a.py", 1_000_000), import("b.py", 3_000_000)];
        let found = imports(&serial, 12.0);
        assert_eq!(found.files[0].path, "b.py");
        assert!((found.files[0].share - 0.75).abs() < 1e-9 && (found.share - 0.25).abs() < 1e-9);
        assert!((found.files[0].cpu_seconds - 1.5).abs() < 1e-9);
    }
}
