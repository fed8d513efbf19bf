//! Starting a process, with nothing inherited by accident.
//!
//! Not `std::process::Command`: that cannot keep a descriptor under its number, restores no disposition but
//! `SIGPIPE`'s, closes nothing that lacks `CLOEXEC`, and lets a signal between `fork` and `exec` run the
//! parent's handler in the child. Here every signal is blocked across the fork and the child's own steps are
//! in [`crate::exec`].

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::{env, ptr};

use rustix::fs::{Mode, OFlags, open};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, getrlimit};

use crate::exec::{Closing, Plan, PointerArray, Step, mark_range};
use crate::signal::Pid;

/// What to start, and how.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each named where it is set")]
pub struct SpawnSpec {
    /// The program and its arguments. A name without a slash is looked up in the child's `PATH`.
    pub argv: Vec<OsString>,
    /// The whole environment; `None` inherits this process's.
    pub env: Option<Vec<(OsString, OsString)>>,
    /// Variables set on top of that.
    pub set_env: Vec<(OsString, OsString)>,
    /// The folder the child starts in; a relative program or `PATH` entry is taken from there.
    pub cwd: Option<PathBuf>,
    /// Descriptors that stay open in the child, under the same numbers. Closed here once the child runs.
    pub fds: Vec<OwnedFd>,
    /// Standard input is `/dev/null`.
    pub stdin_null: bool,
    /// Standard output is `/dev/null`.
    pub stdout_null: bool,
    /// The child leads a new process group.
    pub own_group: bool,
    /// The kernel kills the child when the thread that started it ends: start from a thread that lives as
    /// long as the process.
    pub die_with_parent: bool,
    /// The child's soft limit on open files (see [`crate::raise_open_files`]); `None` inherits this
    /// process's.
    pub open_files: Option<u64>,
}

/// Starts a process and returns once it runs its program; whatever prevents that is this call's error, and
/// leaves no child.
///
/// In the child no signal is blocked, `SIGINT`, `SIGPIPE` and all that this process handles are back to their
/// defaults, and of this process's descriptors only 0, 1, 2 and [`SpawnSpec::fds`] are open.
pub fn spawn(spec: SpawnSpec) -> io::Result<Pid> {
    let started = spawn_closing(&spec, None);
    drop(spec.fds);
    started
}

fn spawn_closing(spec: &SpawnSpec, closing: Option<Closing>) -> io::Result<Pid> {
    let (outcome, report) = pipe_with(PipeFlags::CLOEXEC)?;
    let described =
        Described { program: spec.argv.first().cloned().unwrap_or_default(), cwd: spec.cwd.clone() };
    let plan = plan(spec, closing, report)?;
    let child = fork(&plan)?;
    drop(plan);
    match failure(outcome) {
        None => Ok(Pid(child)),
        Some((step, errno)) => {
            wait_for(child);
            Err(described.error(step, errno))
        }
    }
}

fn plan(spec: &SpawnSpec, closing: Option<Closing>, report: OwnedFd) -> io::Result<Plan> {
    let name = spec.argv.first().ok_or_else(|| invalid("nothing to run: the argument list is empty"))?;
    let keep: Vec<RawFd> = spec.fds.iter().map(AsRawFd::as_raw_fd).collect();
    if keep.iter().any(|fd| *fd <= 2) {
        return Err(invalid("a standard descriptor cannot be kept open as an extra one"));
    }
    let environment = environment(spec)?;
    let null_targets: Vec<RawFd> = [(spec.stdin_null, 0), (spec.stdout_null, 1)]
        .into_iter()
        .filter_map(|(wanted, fd)| wanted.then_some(fd))
        .collect();
    let null = (!null_targets.is_empty())
        .then(|| open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()))
        .transpose()?;
    let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(libc::RLIM_INFINITY);
    Ok(Plan {
        programs: programs(name, environment.get(OsStr::new("PATH")))?,
        argv: PointerArray::new(spec.argv.iter().map(|word| c_string(word)).collect::<io::Result<_>>()?),
        env: PointerArray::new(environment.iter().map(assignment).collect::<io::Result<_>>()?),
        cwd: spec.cwd.as_ref().map(|folder| c_string(folder.as_os_str())).transpose()?,
        keep,
        closing: closing.unwrap_or_else(best_closing),
        null,
        null_targets,
        own_group: spec.own_group,
        die_with: spec.die_with_parent.then(|| Pid::current().0),
        open_files: spec.open_files.map(|soft| libc::rlimit { rlim_cur: soft.min(hard), rlim_max: hard }),
        report,
    })
}

/// Forks with every signal blocked, so that none meets the child before its dispositions are its own.
fn fork(plan: &Plan) -> io::Result<libc::pid_t> {
    // SAFETY: both sets are locals, filled before they are read. The child calls `Plan::run` and nothing
    // else, which never returns; in the parent, `fork` changes nothing.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let child = libc::fork();
        let error = io::Error::last_os_error();
        if child == 0 {
            plan.run();
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        if child < 0 { Err(error) } else { Ok(child) }
    }
}

/// The child's message; none when `exec` has closed the pipe. (So too when something killed the child before:
/// then it is reaped as any process that dies early.)
fn failure(outcome: OwnedFd) -> Option<(Step, i32)> {
    let mut message = [0; 5];
    File::from(outcome).read_exact(&mut message).ok()?;
    let [step, errno @ ..] = message;
    let step = Step::ALL.into_iter().find(|known| *known as u8 == step)?;
    Some((step, i32::from_le_bytes(errno)))
}

fn wait_for(child: libc::pid_t) {
    use rustix::process::{WaitOptions, waitpid};
    while matches!(waitpid(Pid(child).raw(), WaitOptions::empty()), Err(rustix::io::Errno::INTR)) {}
}

/// What an error names.
struct Described {
    program: OsString,
    cwd: Option<PathBuf>,
}

impl Described {
    fn error(&self, step: Step, errno: i32) -> io::Error {
        let error = io::Error::from_raw_os_error(errno);
        let what = match step {
            Step::Group => "make a process group for".to_owned(),
            Step::DieWithParent => "tie to this process".to_owned(),
            Step::OpenFiles => "set the open files limit for".to_owned(),
            Step::Null => "open /dev/null for".to_owned(),
            Step::Folder => {
                format!("change to folder {} for", self.cwd.as_deref().unwrap_or(Path::new("")).display())
            }
            Step::Descriptors => "hand descriptors to".to_owned(),
            Step::Exec => "run".to_owned(),
        };
        io::Error::new(error.kind(), format!("cannot {what} {}: {error}", self.program.display()))
    }
}

/// Odd names that were inherited are passed on; new ones are refused.
fn environment(spec: &SpawnSpec) -> io::Result<BTreeMap<OsString, OsString>> {
    let odd = |name: &OsStr| name.is_empty() || name.as_bytes().contains(&b'=');
    if let Some((name, _)) = spec.set_env.iter().find(|(name, _)| odd(name)) {
        return Err(invalid(&format!("{:?} is no name for an environment variable", name.display())));
    }
    let base = spec.env.clone().unwrap_or_else(|| env::vars_os().collect());
    Ok(base.into_iter().chain(spec.set_env.iter().cloned()).collect())
}

fn assignment((name, value): (&OsString, &OsString)) -> io::Result<CString> {
    let mut text = name.clone();
    text.push("=");
    text.push(value);
    c_string(&text)
}

fn programs(name: &OsStr, path: Option<&OsString>) -> io::Result<Vec<CString>> {
    if name.is_empty() {
        return Err(invalid("nothing to run: the program's name is empty"));
    }
    if name.as_bytes().contains(&b'/') {
        return Ok(vec![c_string(name)?]);
    }
    let path = path.map_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"), OsString::as_os_str);
    env::split_paths(path).map(|folder| c_string(folder.join(name).as_os_str())).collect()
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.to_owned().into_vec())
        .map_err(|_| invalid(&format!("{} holds a null byte", text.display())))
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn best_closing() -> Closing {
    let past_the_end = libc::c_uint::MAX;
    if mark_range(past_the_end, past_the_end) { Closing::Range } else { Closing::Each(open_descriptors()) }
}

/// The descriptors open now, or without `/proc` all that could be, up to a number that takes milliseconds to
/// try.
fn open_descriptors() -> Vec<RawFd> {
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        return entries.flatten().filter_map(number).filter(|fd| *fd > 2).collect();
    }
    let soft = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    (3..i32::try_from(soft).unwrap_or(i32::MAX).min(65_536)).collect()
}

#[cfg(test)]
mod tests;
