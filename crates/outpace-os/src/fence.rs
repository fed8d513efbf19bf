//! The asymmetric fence: the coordinator pays for a memory barrier on the workers' side, so that a worker,
//! which is Python and has no barrier instruction, needs none.
//!
//! # The Dekker argument
//!
//! Taking grants back from a worker that may be claiming them at this very moment:
//!
//! | worker | coordinator |
//! |---|---|
//! | store `position = k + 1` (claim grant `k`) | store `limit = l` |
//! | load `limit` | [`fence`] |
//! | `limit > k`: grant `k` is the worker's | load `position` |
//!
//! A processor may let the worker's load overtake its own store; then each side would miss the other's store
//! and both would own grant `k`. The fence excludes that. When it returns, every other processor has passed a
//! point at which all it had stored was visible and nothing later had been loaded yet. The worker's two
//! accesses lie on the same side of that point or around it:
//!
//! - its store lies before the point: the coordinator's load sees the claim;
//! - its store lies after the point, so its load does too: the worker sees the new limit.
//!
//! So at least one side sees the other, and no grant has two owners. Both may see each other; so that no
//! grant is left *without* an owner either, one of them must have the last word, and it is the coordinator's:
//!
//! 1. the coordinator reads `position = p`. If `p > l` it concedes by storing `limit = p`. It takes back the
//!    grants from `max(p, l)` on;
//! 2. a worker that finds its claim at or above the limit does not give up: it asks the coordinator, over the
//!    socket, and reads `limit` again once it has the answer. By then step 1 is over. Either the limit was
//!    raised for it and the grant is the worker's, or it is the coordinator's and the worker stores `position
//!    = limit`.

use std::sync::atomic::{self, Ordering};
use std::thread;
use std::time::Duration;

use rustix::thread::{MembarrierCommand, membarrier};

/// Long against the nanoseconds for which a processor holds a store back, short against a test.
const DRAIN: Duration = Duration::from_millis(1);

/// After this returns, every store that another process made before the call is visible here, and every load
/// that another process makes after its next store sees what this process stored before the call (see the
/// module's page).
///
/// Blocks for a grace period of the kernel, some 10 to 20 ms: set all limits first, fence once, then read all
/// positions; or use [`fence_registered`]. Where the kernel refuses (`nohz_full`, a seccomp filter), it
/// sleeps a millisecond instead: no proof, but stores drain in nanoseconds, and a processor that is
/// interrupted drains its stores at once.
pub fn fence() {
    around(MembarrierCommand::Global);
}

/// [`fence`] in about a microsecond, but only against processes that have registered
/// (`membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)`; forks inherit it, `exec` clears it).
///
/// Calling it for a worker that has not registered proves nothing.
pub fn fence_registered() {
    around(MembarrierCommand::GlobalExpedited);
}

fn around(command: MembarrierCommand) {
    atomic::fence(Ordering::SeqCst);
    if membarrier(command).is_err() {
        thread::sleep(DRAIN);
    }
    atomic::fence(Ordering::SeqCst);
}
