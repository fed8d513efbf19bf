//! What to do about a finding: what removes the cause first, what only works around it last.

use crate::finding::{Class, Finding};
use crate::thing::{By, Kind};

/// Where nothing is to be changed in the tests.
pub(crate) const FIX: &str = "or leave it as it is and tell outpace: `outpace doctor --fix`";

/// The best first.
pub fn advice(finding: &Finding) -> Vec<String> {
    let mut found = match finding.class {
        Class::ParallelOnly => parallel(finding),
        Class::Order => order(finding),
        Class::Alone => alone(finding),
        Class::Time => vec![
            "count calls, or let the test set the clock, in place of measuring time; or give it far more time".to_owned(),
        ],
        Class::Worker => vec![
            "something differs between a worker and a plain run: `worker_id`, standard input, a terminal, `sys.argv`, \
             the parent process"
                .to_owned(),
        ],
        Class::Flaky => vec![
            "it fails without any other test: look for threads, timeouts, random numbers, the network".to_owned(),
        ],
        Class::Collection => vec![
            "parametrize over a list or a sorted set, not over a set, a random choice, the time or a directory listing"
                .to_owned(),
        ],
        Class::Leak => left(finding),
    };
    match finding.class {
        Class::ParallelOnly | Class::Order | Class::Alone | Class::Time if finding.patch.is_some() => {
            found.push(FIX.to_owned());
        }
        _ => {}
    }
    found
}

/// Whether it is worth telling that a test leaves it for good, although nothing failed for it.
pub(crate) fn is_leak(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Variable
            | Kind::Folder
            | Kind::Path
            | Kind::Signal
            | Kind::Locale
            | Kind::Timezone
            | Kind::Umask
            | Kind::Process
            | Kind::Socket
    )
}

fn at(finding: &Finding) -> String {
    let place = finding.sides.first().map(|side| side.place.as_str()).unwrap_or_default();
    if place.is_empty() { String::new() } else { format!(" ({place})") }
}

fn parallel(finding: &Finding) -> Vec<String> {
    let at = at(finding);
    let Some(thing) = &finding.on else {
        return vec![
            "find what both use: a service, a file that one of them only asks for, the machine's clock"
                .to_owned(),
        ];
    };
    let temporary = thing.name.starts_with("/tmp/")
        || thing.name.starts_with("/var/tmp/")
        || thing.name.starts_with("/dev/shm/");
    vec![match thing.kind {
        Kind::Port if finding.by == By::Subprocess && !thing.name.starts_with('/') => {
            format!("start the server on a port that the fixture `free_port` names{at}")
        }
        Kind::File | Kind::Tree | Kind::Listing if finding.by == By::Subprocess => {
            format!("pass the program a path under `tmp_path`, or one with `worker_id` in it{at}")
        }
        Kind::Database => format!(
            "roll back a transaction after each test; where the code opens its own connections, a database per worker: \
             a path under `tmp_path`, or with `worker_id` in its name{at}"
        ),
        Kind::Server => {
            format!("roll back a transaction after each test, or use a database per worker (`worker_id`){at}")
        }
        Kind::Port if !thing.name.starts_with('/') => {
            format!("bind to port 0 and ask the socket which port it got{at}")
        }
        Kind::Port => format!("put the socket into `tmp_path`{at}"),
        Kind::Listing => format!("let the test that lists it have a folder of its own: `tmp_path`{at}"),
        Kind::File | Kind::Tree if temporary => {
            format!("give each test its own with `tmp_path` in place of the fixed name{at}")
        }
        _ => format!("let a fixture set the path to one under `tmp_path`, or with `worker_id` in it{at}"),
    }]
}

fn restores(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Variable => {
            format!("`monkeypatch.setenv(\"{name}\", …)` (or `delenv`) in place of `os.environ`")
        }
        Kind::Folder => "`monkeypatch.chdir(…)` in place of `os.chdir`".to_owned(),
        Kind::Path => "`monkeypatch.syspath_prepend(…)` in place of changing `sys.path`".to_owned(),
        Kind::Attribute => {
            let short = name.rsplit('.').next().unwrap_or(name);
            format!(
                "a fixture that puts `{name}` back: `monkeypatch.setattr(…, \"{short}\", …)`, or a copy of it for each test"
            )
        }
        Kind::Signal => "a fixture that puts the old handler back after the test".to_owned(),
        Kind::Random => "an instance of its own, `random.Random(seed)`, in place of `random.seed`".to_owned(),
        Kind::Locale => {
            "a fixture that calls `locale.setlocale` with the old value after the test".to_owned()
        }
        Kind::Timezone => {
            "`monkeypatch.setenv(\"TZ\", …)` and `time.tzset()`, and `tzset` once more after it".to_owned()
        }
        Kind::Logging => {
            "`caplog.set_level(…)`, or a fixture that removes the handler and restores the level".to_owned()
        }
        Kind::Warnings => "`with warnings.catch_warnings():`".to_owned(),
        Kind::Decimal => "`with decimal.localcontext():`".to_owned(),
        Kind::Umask | Kind::Hooks | Kind::Socket => {
            "a fixture that puts the old value back after the test".to_owned()
        }
        Kind::Process => "a fixture that ends the process after the test".to_owned(),
        Kind::Thread => "a fixture that ends the thread after the test".to_owned(),
        Kind::File | Kind::Database | Kind::Tree | Kind::Listing => {
            "`tmp_path` in place of the fixed path".to_owned()
        }
        Kind::Port | Kind::Server => "a fixture that closes it after the test".to_owned(),
        Kind::Other => "a fixture that puts it back after the test".to_owned(),
    }
}

fn left(finding: &Finding) -> Vec<String> {
    finding.on.as_ref().map_or_else(Vec::new, |thing| {
        vec![format!(
            "it stays after the whole run{}: use {}",
            at(finding),
            restores(thing.kind, &thing.name)
        )]
    })
}

fn order(finding: &Finding) -> Vec<String> {
    match &finding.on {
        Some(thing) => vec![format!("use {}{}", restores(thing.kind, &thing.name), at(finding))],
        None => vec!["find what the first leaves behind, and let a fixture put it back".to_owned()],
    }
}

fn alone(finding: &Finding) -> Vec<String> {
    let needs = finding.sides.first().map_or("the other test", |side| side.id.as_str());
    match &finding.on {
        Some(thing) => vec![format!(
            "let a fixture make what it needs of {thing}, which {needs} makes now{}",
            at(finding)
        )],
        None => vec![format!("let a fixture do what {needs} does")],
    }
}
