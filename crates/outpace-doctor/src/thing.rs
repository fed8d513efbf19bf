//! What two tests can share, and the ways in which a test touches it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of thing; `docs/guides/doctor.md` lists what is seen of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    File,
    Listing,
    Tree,
    Database,
    Server,
    Port,
    Variable,
    Folder,
    Path,
    Attribute,
    Signal,
    Random,
    Locale,
    Timezone,
    Logging,
    Warnings,
    Decimal,
    Umask,
    Hooks,
    Socket,
    Process,
    Thread,
    #[serde(other)]
    Other,
}

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Thing {
    /// Its kind.
    pub kind: Kind,
    /// A path, a port, the name of a variable.
    pub name: String,
}

impl Thing {
    /// Whether both name one thing: a database in a file is that file.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let is_file = |kind| matches!(kind, Kind::File | Kind::Database);
        self.name == other.name && (self.kind == other.kind || (is_file(self.kind) && is_file(other.kind)))
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.kind {
            Kind::File => write!(out, "the file {name}"),
            Kind::Listing => write!(out, "the list of files in {name}"),
            Kind::Tree => write!(out, "the folder {name}"),
            Kind::Database => write!(out, "the database {name}"),
            Kind::Server => write!(out, "the server at {name}"),
            Kind::Port if name.starts_with('/') => write!(out, "the socket {name}"),
            Kind::Port => write!(out, "port {name}"),
            Kind::Variable => write!(out, "the environment variable {name}"),
            Kind::Attribute | Kind::Hooks => write!(out, "{name}"),
            Kind::Signal => write!(out, "the handler of {name}"),
            Kind::Process => write!(out, "a process that still runs ({name})"),
            Kind::Thread => write!(out, "a thread that still runs ({name})"),
            Kind::Path => out.write_str("sys.path"),
            Kind::Random => out.write_str("the state of `random`"),
            _ => write!(out, "the {name}"),
        }
    }
}

/// How a test touches a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It looks.
    Read,
    /// It changes, makes, removes, or takes for itself.
    Write,
}

/// A test touched a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// What.
    #[serde(flatten)]
    pub thing: Thing,
    /// How.
    pub mode: Mode,
    /// File and line of the project's own code that did.
    pub place: String,
    /// Whether it lies in the folders that each worker has of its own.
    #[serde(default)]
    pub private: bool,
    /// Whether a fixture did that outlives the test.
    #[serde(default)]
    pub lasting: bool,
    /// Who did.
    #[serde(default)]
    pub by: By,
}

/// Who touched something for a test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Its Python code: an audit event told.
    #[default]
    Python,
    /// The kernel told, and the test has started a subprocess.
    Subprocess,
    /// The kernel told, and nothing is known of a subprocess: C code, a thread, somebody else.
    Unseen,
}

impl Touch {
    /// Somebody writes it.
    pub(crate) fn of(thing: Thing) -> Self {
        Self {
            thing,
            mode: Mode::Write,
            place: String::new(),
            private: false,
            lasting: false,
            by: By::Python,
        }
    }
}

/// A test left something changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// What.
    #[serde(flatten)]
    pub thing: Thing,
    /// Where it was changed, as far as is known.
    #[serde(default)]
    pub place: String,
}

/// Two tests touched one thing, and at least one of them did more than look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// What they met on.
    pub thing: Thing,
    /// What the first did.
    pub first: Deed,
    /// What the second did.
    pub second: Deed,
}

/// What one of two that met did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// How it touched the thing.
    pub mode: Mode,
    /// File and line.
    pub place: String,
    /// Who did.
    pub by: By,
}

impl From<&Touch> for Deed {
    fn from(touch: &Touch) -> Self {
        Self { mode: touch.mode, place: touch.place.clone(), by: touch.by }
    }
}

/// All meetings of two tests, from what each touched; things of a worker's own only where `private` counts.
pub fn meetings(first: &[Touch], second: &[Touch], private: bool) -> Vec<Meeting> {
    let mut found: Vec<Meeting> = Vec::new();
    for one in first {
        for other in second {
            if (one.private || other.private) && !private {
                continue;
            }
            let Some(thing) = common(one, other) else { continue };
            match found.iter_mut().find(|meeting| meeting.thing == thing) {
                Some(known) => {
                    // Of a port the two that bind it, of anything else who writes and who reads.
                    let both_write = matches!(known.thing.kind, Kind::Port | Kind::Server);
                    if one.mode > known.first.mode {
                        known.first = one.into();
                    }
                    if both_write && other.mode > known.second.mode
                        || !both_write && known.first.mode == Mode::Write && other.mode < known.second.mode
                    {
                        known.second = other.into();
                    }
                }
                None => found.push(Meeting { thing, first: one.into(), second: other.into() }),
            }
        }
    }
    // That a folder is made or goes away matters less than what is in it.
    let folders: Vec<String> = found
        .iter()
        .filter(|meeting| matches!(meeting.thing.kind, Kind::Tree | Kind::Listing))
        .map(|meeting| meeting.thing.name.clone())
        .collect();
    found.retain(|meeting| meeting.thing.kind != Kind::File || !folders.contains(&meeting.thing.name));
    found
}

/// What both touched, if one could disturb the other.
pub fn common(one: &Touch, other: &Touch) -> Option<Thing> {
    if one.mode == Mode::Read && other.mode == Mode::Read {
        return None;
    }
    let (a, b) = (&one.thing, &other.thing);
    match (a.kind, b.kind) {
        (Kind::Listing, Kind::Listing) => (a.name == b.name && one.mode != other.mode).then(|| a.clone()),
        (Kind::Tree, Kind::Tree) => (within(&a.name, &b.name) || within(&b.name, &a.name)).then(|| a.clone()),
        (Kind::Tree, Kind::File | Kind::Database | Kind::Listing) => {
            within(&b.name, &a.name).then(|| a.clone())
        }
        (Kind::File | Kind::Database | Kind::Listing, Kind::Tree) => {
            within(&a.name, &b.name).then(|| b.clone())
        }
        (Kind::File, Kind::Database) => (a.name == b.name).then(|| b.clone()),
        (Kind::Database, Kind::File) => (a.name == b.name).then(|| a.clone()),
        (Kind::File, Kind::File)
        | (Kind::Database, Kind::Database)
        | (Kind::Port, Kind::Port)
        | (Kind::Server, Kind::Server) => (a.name == b.name).then(|| a.clone()),
        _ => None,
    }
}

/// Whether a path is the folder or lies in it.
pub(crate) fn within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
