//! What a process needs that serves in the background: a lock, a log in place of a terminal, and descriptors that tell
//! when there is nothing left to serve, so that nothing has to be looked at again and again.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};

/// Stopping from the keyboard, and going on.
pub const SIGTSTP: i32 = libc::SIGTSTP;
/// See [`SIGTSTP`].
pub const SIGCONT: i32 = libc::SIGCONT;

/// Whether this process has the lock now; it has it as long as the file is open.
pub fn lock_now(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Leads a session of its own, without a terminal; what it writes goes to the file, which is begun anew.
pub fn leave_terminal(log: &Path) -> io::Result<()> {
    let _ = rustix::process::setsid(); // refused where we lead a group already; then there is none to leave
    let file = OpenOptions::new().create(true).write(true).truncate(true).open(log)?;
    rustix::stdio::dup2_stdout(&file)?;
    rustix::stdio::dup2_stderr(&file)?;
    Ok(())
}

/// A descriptor that can be read once the folder is removed or moved, or another one beside it is.
///
/// A folder in which a process stands is not gone for the kernel when it is removed; only its parent tells.
pub fn watch_for_its_end(folder: &Path) -> io::Result<OwnedFd> {
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, folder, WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF)?;
    if let Some(parent) = folder.parent() {
        inotify::add_watch(&watch, parent, WatchFlags::DELETE | WatchFlags::MOVED_FROM)?;
    }
    Ok(watch)
}

/// Whether other machines may write to the folder: the kernel does not tell of what they do.
pub fn is_shared(folder: &Path) -> bool {
    // NFS, SMB, CIFS, 9p, VirtualBox, FUSE (virtiofs and sshfs among them), as in `linux/magic.h`.
    const SHARED: [i64; 6] = [0x6969, 0xFE53_4D42, 0xFF53_4D42, 0x0102_1997, 0x786F_4256, 0x6573_5546];
    rustix::fs::statfs(folder).is_ok_and(|found| SHARED.contains(&(found.f_type & 0xFFFF_FFFF)))
}

/// Reads away what a descriptor of [`watch_for_its_end`] has.
pub fn drain(watch: &OwnedFd) {
    let mut bytes = [0; 4096];
    while rustix::io::read(watch, &mut bytes).is_ok_and(|count| count > 0) {}
}

/// A descriptor that has something urgent while processes wait for memory. Not every kernel tells.
pub fn watch_memory_pressure() -> io::Result<OwnedFd> {
    let file =
        open("/proc/pressure/memory", OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?;
    // A tenth of two seconds: what any user may ask for.
    rustix::io::write(&file, b"some 200000 2000000\0")?;
    Ok(file)
}

/// The signals that this process was started to ignore, of those that end a program from the keyboard.
pub fn ignored_signals() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok())
        .unwrap_or(0);
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT]
        .into_iter()
        .filter(|number| mask & (1 << (number - 1)) != 0)
        .collect()
}
