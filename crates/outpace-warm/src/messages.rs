//! What launchers, the server and its layers say to each other: JSON, one message each, some with descriptors.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::request::Streams;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum FromLauncher {
    /// Somebody is there, who has something to hand over as soon as there is an answer: what a server that does not
    /// answer would hold on to.
    Hello,
    /// With the three standard streams, and the rest of the request as a file.
    Run {
        version: String,
        fresh: bool,
        streams: Streams,
    },
    /// A signal for the run; it is read by the layer that the run was forked from.
    Signal {
        number: i32,
    },
    Status,
    Stop,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum ToLauncher {
    /// The server has understood; the rest may take as long as collecting takes.
    Heard,
    /// Not from here: why.
    Cold {
        why: String,
    },
    /// From here on the run is there, and what happens to this server does not matter to it.
    Started,
    /// By itself with this code, or by the signal of that number where it is negative.
    Ended {
        status: i32,
    },
    Status {
        text: String,
    },
    Stopped,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum ToLayer {
    /// For the configured layer: standard streams, the launcher, the coordinator's socket, and a file for the input of
    /// workers where the tests are still to be collected. For a template: standard error, the coordinator's socket.
    Run { env: Vec<(String, String)>, ignored: Vec<i32>, note: String },
    /// Have a first process of layers forked and configured: with its connection, and that of its template.
    Configure { env: Vec<(String, String)> },
    /// Fork one more process to configure from, that imports this; with its connection.
    Import { leading: Leading },
    /// Collect, and be a layer: with a connection to the server, and the input of workers.
    Collect,
    /// End, as soon as no run needs it.
    Retire,
}

/// A file that may change, but for its first lines.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Door {
    pub(crate) path: PathBuf,
    pub(crate) begins: String,
}

/// The lines that the first conftest begins with, in which it imports libraries, and where it searches for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leading {
    pub(crate) path: PathBuf,
    pub(crate) begins: String,
    search: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum FromLayer {
    /// It can be forked; with what it has read. `door`: it has yet to execute the last of these files, which is one
    /// of the first imports of the one before, and what comes after them. `leading`: it is configured.
    Ready {
        #[serde(default)]
        door: Vec<Door>,
        #[serde(default)]
        leading: Option<Leading>,
    },
    /// A process has been forked that waits at the door of a file; with the connection to it.
    Door,
    /// It cannot; with what it has read.
    Unusable { why: String },
    /// A run that was forked from it is over.
    Over,
}
