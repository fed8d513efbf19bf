//! The board: one shared memory page set per run, a lane of 64 bytes for each worker slot.
//!
//! What the coordinator must know at any moment even of a worker that hangs in C code or was killed (which
//! item, which phase, since when) and the two words by which grants are taken back without a message (see
//! [`crate::fence()`]). All words are little-endian and naturally aligned, and only ever accessed with
//! atomics:
//!
//! | offset | type | word | written by |
//! |---|---|---|---|
//! | 0 | `u32` | limit: grants the worker may claim, [`NO_LIMIT`] for all | coordinator |
//! | 4 | `u32` | position: grants claimed so far | worker |
//! | 8 | `u32` | item: running item's index + 1, 0 for none | worker |
//! | 12 | `u32` | phase: a word of [`Phase`] | worker |
//! | 16 | `f64` | monotonic seconds at which the phase began | worker |
//! | 24 | `u64` | 1: the worker is registered for [`crate::fence_registered()`] | worker |
//! | 32 | `u64` | produced: bytes ever put into the ring | worker |
//! | 40 | `u64` | consumed: bytes ever taken from the ring | coordinator |
//! | 48 | `u32` | sequence: tests and files begun by this process | worker |
//! | 52 | `u32` | stacks: descriptor of its [`crate::StackFile`] + 1, 0 for none | worker |
//! | 56 | `u32` | asked: what is to fail, a sequence + 1 in the lower 30 bits; see [`TELL_TASKS`] | coordinator |
//! | 60 | `u32` | answered: what was made to fail, as it was asked | worker |
//!
//! Behind the lanes each worker has a ring of [`RING_BYTES`]: what it reports goes there without a system call, and
//! is still there when it dies. Byte `n` of the stream is at `n % RING_BYTES`.
//!
//! The memory cannot be resized, by anyone (a shrink would kill the readers with `SIGBUS`), but a test may
//! scribble over it: what is read here is a hint about the worker, and a reader must survive any value.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use outpace_model::Phase;
use rustix::fs::{
    MemfdFlags, OFlags, SealFlags, fcntl_add_seals, fcntl_getfl, fcntl_setfl, ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::time::{ClockId, clock_gettime};

/// Size of a lane: a cache line, so that workers do not slow each other down.
pub const LANE_BYTES: usize = size_of::<Lane>();

/// Size of a worker's ring.
pub const RING_BYTES: usize = 64 * 1024;

/// In the word `asked`: nothing is to fail, the process is to write its `asyncio` tasks down.
pub const TELL_TASKS: u32 = 1 << 31;
/// In the word `asked`: it is to fail soon, and to stand still until it is asked again without this bit.
pub const STAND_STILL: u32 = 1 << 30;

/// The limit that limits nothing.
pub const NO_LIMIT: u32 = u32::MAX;

#[repr(C, align(64))]
struct Lane {
    limit: AtomicU32,
    position: AtomicU32,
    item: AtomicU32,
    phase: AtomicU32,
    phase_began: AtomicU64,
    registered: AtomicU64,
    produced: AtomicU64,
    consumed: AtomicU64,
    sequence: AtomicU32,
    stacks: AtomicU32,
    asked: AtomicU32,
    answered: AtomicU32,
}

/// The coordinator's view of the board. A lane number past the end is a bug of the caller, and panics.
#[derive(Debug)]
pub struct Board {
    fd: OwnedFd,
    memory: NonNull<Lane>,
    lanes: u32,
}

// SAFETY: the mapping belongs to the board alone, lives as long as it does, and is only accessed through
// atomics.
unsafe impl Send for Board {}
// SAFETY: as for `Send`; no method needs exclusive access.
unsafe impl Sync for Board {}

impl Board {
    /// A fresh board of `lanes` lanes, each as [`Board::reset`] leaves it.
    pub fn new(lanes: u32) -> io::Result<Self> {
        if lanes == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a board needs at least one lane"));
        }
        let bytes = lanes as usize * (LANE_BYTES + RING_BYTES);
        let fd = sealed_memory(bytes)?;
        // SAFETY: a new mapping at an address of the kernel's choice, of the size the file was just given and
        // sealed to.
        let memory = unsafe {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            mmap(ptr::null_mut(), bytes, access, MapFlags::SHARED, &fd, 0)?
        };
        let memory =
            NonNull::new(memory.cast()).ok_or_else(|| io::Error::other("the board was mapped at 0"))?;
        let board = Self { fd, memory, lanes };
        (0..lanes).for_each(|lane| board.reset(lane));
        Ok(board)
    }

    /// The memory as a descriptor, for workers to map.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// How many lanes there are.
    pub fn lanes(&self) -> u32 {
        self.lanes
    }

    /// Makes a lane ready for a new worker: nothing claimed, no item, idle, no limit.
    pub fn reset(&self, lane: u32) {
        let lane = self.lane(lane);
        lane.position.store(0, Ordering::SeqCst);
        lane.item.store(0, Ordering::SeqCst);
        lane.phase.store((Phase::Idle as u32).to_le(), Ordering::SeqCst);
        lane.phase_began.store(0, Ordering::SeqCst);
        lane.registered.store(0, Ordering::SeqCst);
        lane.produced.store(0, Ordering::SeqCst);
        lane.consumed.store(0, Ordering::SeqCst);
        lane.sequence.store(0, Ordering::SeqCst);
        lane.stacks.store(0, Ordering::SeqCst);
        lane.asked.store(0, Ordering::SeqCst);
        lane.answered.store(0, Ordering::SeqCst);
        lane.limit.store(NO_LIMIT.to_le(), Ordering::SeqCst);
    }

    /// Sets how many grants the worker may claim.
    pub fn set_limit(&self, lane: u32, limit: u32) {
        self.lane(lane).limit.store(limit.to_le(), Ordering::SeqCst);
    }

    /// The limit last set.
    pub fn limit(&self, lane: u32) -> u32 {
        u32::from_le(self.lane(lane).limit.load(Ordering::SeqCst))
    }

    /// How many grants the worker has claimed.
    pub fn position(&self, lane: u32) -> u32 {
        u32::from_le(self.lane(lane).position.load(Ordering::SeqCst))
    }

    /// The item that the worker is running.
    pub fn item(&self, lane: u32) -> Option<u32> {
        u32::from_le(self.lane(lane).item.load(Ordering::SeqCst)).checked_sub(1)
    }

    /// The phase that the worker is in.
    pub fn phase(&self, lane: u32) -> Phase {
        Phase::from_word(u32::from_le(self.lane(lane).phase.load(Ordering::SeqCst)))
    }

    /// When that phase began, on the clock of [`monotonic_seconds`]; 0 where the worker has not said, never
    /// NaN.
    pub fn phase_began(&self, lane: u32) -> f64 {
        let seconds = f64::from_bits(u64::from_le(self.lane(lane).phase_began.load(Ordering::SeqCst)));
        if seconds.is_finite() { seconds } else { 0.0 }
    }

    /// How many tests and files the process has begun.
    pub fn sequence(&self, lane: u32) -> u32 {
        u32::from_le(self.lane(lane).sequence.load(Ordering::SeqCst))
    }

    /// The descriptor to which the process writes its stacks.
    pub fn stacks(&self, lane: u32) -> Option<u32> {
        u32::from_le(self.lane(lane).stacks.load(Ordering::SeqCst)).checked_sub(1)
    }

    /// Says what [`crate::ask`] is to mean.
    pub fn set_asked(&self, lane: u32, asked: u32) {
        self.lane(lane).asked.store(asked.to_le(), Ordering::SeqCst);
    }

    /// What the process let fail last.
    pub fn answered(&self, lane: u32) -> u32 {
        u32::from_le(self.lane(lane).answered.load(Ordering::SeqCst))
    }

    /// Whether the worker says that it is registered for the quick fence.
    pub fn is_registered(&self, lane: u32) -> bool {
        u64::from_le(self.lane(lane).registered.load(Ordering::SeqCst)) == 1
    }

    /// Moves what the worker has put into its ring to the end of `out`; returns how much that was. An error means
    /// that the lane's words make no sense: somebody else wrote there.
    pub fn drain(&self, lane: u32, out: &mut Vec<u8>) -> io::Result<usize> {
        let words = self.lane(lane);
        let produced = u64::from_le(words.produced.load(Ordering::Acquire));
        let consumed = u64::from_le(words.consumed.load(Ordering::Relaxed));
        let count = usize::try_from(produced.wrapping_sub(consumed)).unwrap_or(usize::MAX);
        if count == 0 {
            return Ok(0);
        }
        if count > RING_BYTES {
            return Err(io::Error::other("the ring of a worker was overwritten"));
        }
        let start = usize::try_from(consumed % RING_BYTES as u64).unwrap_or(0);
        let first = count.min(RING_BYTES - start);
        out.reserve(count);
        for (from, length) in [(start, first), (0, count - first)] {
            // SAFETY: `from + length` is within the ring, which is within the mapping; `out` has room for `count`
            // bytes. A worker that writes there meanwhile breaks its own frames, nothing else: bytes are copied,
            // never referred to.
            unsafe {
                let target = out.as_mut_ptr().add(out.len());
                ptr::copy_nonoverlapping(self.ring(lane).add(from), target, length);
                out.set_len(out.len() + length);
            }
        }
        words.consumed.store(produced.to_le(), Ordering::Release);
        Ok(count)
    }

    fn ring(&self, lane: u32) -> *const u8 {
        let offset = self.lanes as usize * LANE_BYTES + lane as usize * RING_BYTES;
        // SAFETY: within the mapping, since `lane` was used to index the lanes before.
        unsafe { self.memory.as_ptr().cast::<u8>().add(offset).cast_const() }
    }

    fn lane(&self, lane: u32) -> &Lane {
        // SAFETY: the mapping holds `lanes` lanes, page-aligned, for as long as `self` lives; any bytes are a
        // valid lane, and other processes change them through atomics or naturally aligned words.
        let lanes = unsafe { slice::from_raw_parts(self.memory.as_ptr(), self.lanes as usize) };
        &lanes[lane as usize]
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let bytes = self.lanes as usize * (LANE_BYTES + RING_BYTES);
        // SAFETY: unmaps exactly what `new` mapped; references into it cannot outlive `self`.
        let unmapped = unsafe { munmap(self.memory.as_ptr().cast(), bytes) };
        debug_assert_eq!(unmapped, Ok(()));
    }
}

/// Now, in seconds of the clock that Python calls `time.monotonic()`.
pub fn monotonic_seconds() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    #[expect(clippy::cast_precision_loss, reason = "uptimes are far below 2^52 seconds")]
    let seconds = now.tv_sec as f64;
    #[expect(clippy::cast_precision_loss, reason = "below 10^9")]
    let fraction = now.tv_nsec as f64 / 1e9;
    seconds + fraction
}

fn sealed_memory(bytes: usize) -> io::Result<OwnedFd> {
    const NAME: &str = "outpace-board";
    let plain = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = memfd_create(NAME, plain | MemfdFlags::NOEXEC_SEAL).or_else(|_| memfd_create(NAME, plain))?;
    ftruncate(&fd, bytes as u64)?;
    fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    // `write` to it can only append, and the file cannot grow: a test that writes to every descriptor it finds (Python's
    // `mmap` keeps one) changes nothing.
    fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::APPEND)?;
    Ok(fd)
}
