//! What happens to the entries of folders, whoever does it: inotify.
//!
//! The kernel says what happened and where, not who did it. A look that opens nothing (`stat`) and a look for what is not
//! there are not told; nor is anything in a folder before it is watched.

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use rustix::io::Errno;

const ROOM: usize = 64 * 1024;

/// Watched folders; each has a number.
#[derive(Debug)]
pub struct Folders {
    queue: OwnedFd,
    room: Vec<MaybeUninit<u8>>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was opened; a folder, as a rule, to list it.
    Opened,
    /// It was closed by somebody who could not write.
    Read,
    /// It was written to, closed by somebody who could write, or its attributes were changed.
    Written,
    /// It was made, or moved here.
    Appeared,
    /// It was removed, or moved away.
    Vanished,
    /// The folder is not watched any more.
    Ended,
    /// There was more than the kernel keeps.
    Lost,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The number of the folder.
    pub folder: i32,
    /// Which of its entries; nothing: the folder itself.
    pub name: OsString,
    /// What.
    pub what: What,
    /// Whether the entry is a folder.
    pub is_folder: bool,
}

impl Folders {
    /// None is watched yet.
    pub fn new() -> io::Result<Self> {
        let queue = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { queue, room: vec![MaybeUninit::uninit(); ROOM] })
    }

    /// Watches the entries of a folder, not those of the folders in it. Its number; the same one for the same folder.
    pub fn watch(&self, folder: &Path) -> io::Result<i32> {
        let flags = WatchFlags::OPEN
            | WatchFlags::CLOSE
            | WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW
            | WatchFlags::EXCL_UNLINK;
        Ok(add_watch(&self.queue, folder, flags)?)
    }

    /// No more of this one.
    pub fn forget(&self, folder: i32) {
        let _ = remove_watch(&self.queue, folder);
    }

    /// Waits until there is something to read, for so long at most.
    pub fn wait(&self, longest: Duration) -> io::Result<()> {
        let timeout = Timespec::try_from(longest).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.queue, PollFlags::IN)], Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// All that has happened since the last call, in order.
    pub fn read(&mut self) -> io::Result<Vec<Change>> {
        let mut reader = Reader::new(&self.queue, &mut self.room);
        let mut found = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => {
                    let flags = event.events();
                    let name = event.file_name().map(|name| name.to_bytes().to_vec()).unwrap_or_default();
                    let name = OsString::from_vec(name);
                    let is_folder = flags.contains(ReadFlags::ISDIR);
                    if let Some(what) = what(flags) {
                        found.push(Change { folder: event.wd(), name, what, is_folder });
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(found),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn what(flags: ReadFlags) -> Option<What> {
    let any = |wanted: ReadFlags| flags.intersects(wanted);
    if any(ReadFlags::QUEUE_OVERFLOW) {
        Some(What::Lost)
    } else if any(ReadFlags::IGNORED) {
        Some(What::Ended)
    } else if any(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
        Some(What::Appeared)
    } else if any(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
        Some(What::Vanished)
    } else if any(ReadFlags::MODIFY | ReadFlags::CLOSE_WRITE | ReadFlags::ATTRIB) {
        // A folder changes whenever its entries do.
        (!any(ReadFlags::ISDIR)).then_some(What::Written)
    } else if any(ReadFlags::CLOSE_NOWRITE) {
        (!any(ReadFlags::ISDIR)).then_some(What::Read)
    } else if any(ReadFlags::OPEN) {
        Some(What::Opened)
    } else {
        None
    }
}
