//! What would make a run faster, each with what it would win: the limit now, less the limit with the change.

use serde::Serialize;

use crate::faster::{Faster, FileImport, HeldApart, SharedFixture};
use crate::faster_text::counted;
use crate::load::{Load, Task};

/// Less than this, in seconds and as a share of the limit, is no advice.
const WORTH_SECONDS: f64 = 0.05;
const WORTH_SHARE: f64 = 0.02;
const MOST: usize = 8;
/// Files and fixtures that are tried one by one.
const TRIED: usize = 5;
/// Tests that wait for a larger share of their time have more workers run well.
const WAITING: f64 = 0.4;

/// Something to do.
#[derive(Debug, Clone, Serialize)]
pub struct Win {
    /// What.
    #[serde(rename = "do")]
    pub what: String,
    /// By how much the limit falls.
    pub seconds: f64,
}

/// The most first.
pub(crate) fn wins(faster: &Faster, load: &Load) -> Vec<Win> {
    let mut found = of_collecting(faster, load);
    found.extend(of_fixtures(faster, load));
    found.extend(of_tests(faster, load));
    found.retain(|win| win.seconds >= WORTH_SECONDS && win.seconds >= WORTH_SHARE * faster.limit_seconds);
    found.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    found.truncate(MOST);
    found
}

fn of_collecting(faster: &Faster, load: &Load) -> Vec<Win> {
    let imports = &faster.imports;
    let of_file = |(number, file): (usize, &FileImport)| {
        let first = if number == 0 { " (`python -X importtime` says what of)" } else { "" };
        Win {
            what: format!("import less in {}: collecting it takes {:.1} s{first}", file.path, file.seconds),
            seconds: load.saved(|load| load.collecting = (load.collecting - file.seconds).max(0.0)),
        }
    };
    let warm = Win {
        what: format!(
            "`outpace --warm` keeps what was collected: {:.1} s of each run until a file changes",
            imports.seconds
        ),
        seconds: load.saved(|load| load.collecting = 0.0),
    };
    imports.files.iter().take(TRIED).enumerate().map(of_file).chain([warm]).collect()
}

fn of_fixtures(faster: &Faster, load: &Load) -> Vec<Win> {
    let of_fixture = |(number, fixture): (usize, &SharedFixture)| {
        let SharedFixture { name, path, seconds, .. } = fixture;
        let times = if fixture.times == 1 { "once".to_owned() } else { format!("{} times", fixture.times) };
        Win {
            what: format!(
                "make fixture {name} ({path}) cheaper, or what it makes once for all workers: {seconds:.1} s, {times}"
            ),
            seconds: load.saved(|load| load.fixtures[number] = (0.0, 0.0)),
        }
    };
    faster.fixtures.iter().take(TRIED).enumerate().map(of_fixture).collect()
}

fn of_tests(faster: &Faster, load: &Load) -> Vec<Win> {
    let mut found: Vec<Win> = faster.apart.iter().map(|each| of_apart(each, load)).collect();
    found.extend(faster.longest.first().map(|longest| Win {
        what: format!("split {}: it alone takes {:.1} s", longest.id, longest.seconds),
        seconds: load.saved(|load| load.tests = split(&load.tests, &longest.id)),
    }));
    if faster.waiting_share > WAITING {
        found.push(Win {
            what: format!(
                "use more workers: tests wait {:.0} % of their time, and `-n auto` adds some while they do",
                faster.waiting_share * 100.0
            ),
            seconds: load.saved(|load| load.workers = f64::INFINITY),
        });
    }
    found
}

fn of_apart(each: &HeldApart, load: &Load) -> Win {
    let HeldApart { tests, seconds, .. } = each;
    match &each.resource {
        Some(name) => {
            let number = load.resources.iter().position(|known| known == name);
            let freed = load.saved(|load| {
                for test in &mut load.tests {
                    test.needs.retain(|(of, _)| Some(*of) != number);
                }
            });
            Win {
                what: format!("have more of {name}: {} hold it for {seconds:.1} s", counted(*tests)),
                seconds: freed,
            }
        }
        None => Win {
            what: format!("let other tests run beside what is serial: {}, {seconds:.1} s", counted(*tests)),
            seconds: load.saved(|load| load.tests.iter_mut().for_each(|test| test.is_serial = false)),
        },
    }
}

/// Its parts could run side by side.
fn split(tests: &[Task], id: &str) -> Vec<Task> {
    let mut parts = Vec::with_capacity(tests.len() + 9);
    for test in tests {
        if test.id == id {
            let part = Task { seconds: test.seconds / 10.0, cpu: test.cpu / 10.0, ..test.clone() };
            parts.extend(std::iter::repeat_n(part, 10));
        } else {
            parts.push(test.clone());
        }
    }
    parts
}
