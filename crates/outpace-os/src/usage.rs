//! What ended processes have used.

/// CPU seconds, user and system, of all children of this process that have ended and were reaped, and of their own
/// ended and reaped descendants. It only grows: two readings make the cost of what ran between.
pub fn ended_children_cpu_seconds() -> f64 {
    // SAFETY: zero is a valid `rusage`, and the pointer is to a local that outlives the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

#[expect(clippy::cast_precision_loss, reason = "seconds of CPU time are far below 2^52")]
fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}
