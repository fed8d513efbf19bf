//! Looking at processes: at their lanes all the time, at a single one closely when the run wants to know where it is.
//!
//! A close look takes some milliseconds, in a task of its own; nobody waits for it. It must not decide what is slow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use outpace_model::ItemIndex;
use outpace_os::{Board, Pid, STAND_STILL, StackFile, TELL_TASKS, ask, native_state};
use outpace_protocol::Why;
use outpace_supervise::{Found, Peer, Sight};
use tokio::time::sleep;

/// Stacks are written within a millisecond, on a busy machine within a few.
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_millis(500);
/// Python code must run for these: it may be a while until it does, or for ever.
const TASKS_PATIENCE: Duration = Duration::from_millis(300);

/// What was last seen in each lane.
#[derive(Default)]
pub(crate) struct Lookout(BTreeMap<Peer, Sight>);

impl Lookout {
    /// Looks at a lane; `Some` when it says something new.
    pub(crate) fn look(&mut self, peer: Peer, board: &Board, lane: u32) -> Option<Sight> {
        let sight = sight(board, lane);
        (self.0.insert(peer, sight) != Some(sight)).then_some(sight)
    }

    pub(crate) fn forget(&mut self, peer: Peer) {
        self.0.remove(&peer);
    }
}

/// What a lane shows now.
pub(crate) fn sight(board: &Board, lane: u32) -> Sight {
    Sight {
        sequence: board.sequence(lane),
        item: board.item(lane).map(ItemIndex),
        phase: board.phase(lane),
        answered: board.answered(lane),
    }
}

/// Finds out where a process is.
pub(crate) async fn look_closely(
    pid: i32,
    board: Arc<Board>,
    lane: Option<u32>,
    why: Why,
    hold: Option<u32>,
) -> Found {
    let native = native_state(Pid(pid));
    let stacks = match stacks(Pid(pid), &board, lane, why, hold).await {
        Ok(stacks) => stacks,
        Err(why_not) => format!("no stack: {why_not}\n"),
    };
    Found { stacks, native }
}

async fn stacks(
    pid: Pid,
    board: &Board,
    lane: Option<u32>,
    why: Why,
    hold: Option<u32>,
) -> Result<String, String> {
    let mut file = StackFile::open(pid, lane.and_then(|lane| board.stacks(lane)))?;
    if let Some((lane, hold)) = lane.zip(hold) {
        board.set_asked(lane, hold | STAND_STILL);
    }
    file.request()?;
    if hold.is_some() {
        // At once: a call in C that the request ends early must not let the test go on.
        let _ = ask(pid);
    }
    let mut text = wait_for(&mut file, PATIENCE).await;
    if text.is_empty() {
        return Err("the process did not answer".to_owned());
    }
    if may_tell_tasks(&text, why) {
        // One that is to stand still tells them by itself.
        let told = hold.is_some()
            || lane.is_some_and(|lane| {
                board.set_asked(lane, TELL_TASKS);
                ask(pid).is_ok()
            });
        if told && !text.contains("asyncio task ") {
            text.push_str(&wait_for(&mut file, TASKS_PATIENCE).await);
        }
    }
    Ok(text)
}

/// What comes until nothing more does.
async fn wait_for(file: &mut StackFile, patience: Duration) -> String {
    let until = Instant::now() + patience;
    let mut text = String::new();
    while Instant::now() < until {
        sleep(PAUSE).await;
        let more = file.more().unwrap_or_default();
        if more.is_empty() && !text.is_empty() {
            break;
        }
        text.push_str(&more);
    }
    text
}

/// Whether the process may be asked for its `asyncio` tasks. What is merely slow must not notice: an event loop that waits
/// takes a signal for what it is and waits on.
fn may_tell_tasks(stacks: &str, why: Why) -> bool {
    let main_thread = stacks.rsplit("most recent call first").next().unwrap_or(stacks);
    let mut frames = main_thread.lines().filter(|line| line.trim_start().starts_with("File "));
    let waits = frames.next().is_some_and(|line| line.contains("selectors.py"))
        && frames.next().is_some_and(|line| line.contains("asyncio/base_events.py"));
    waits || (why != Why::Slow && stacks.contains("asyncio"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOP: &str = "Current thread 0x1 (most recent call first):\n  File \"/lib/selectors.py\", line 468 in select\n  \
                        File \"/lib/asyncio/base_events.py\", line 1871 in _run_once\n  File \"t.py\", line 3 in test\n";
    const CODE: &str = "Current thread 0x1 (most recent call first):\n  File \"t.py\", line 9 in parse\n  \
                        File \"/lib/asyncio/events.py\", line 80 in _run\n  File \"t.py\", line 3 in test\n";

    #[test]
    fn only_a_loop_that_waits_is_asked_for_its_tasks_while_it_is_slow() {
        assert!(may_tell_tasks(LOOP, Why::Slow));
        assert!(!may_tell_tasks(CODE, Why::Slow));
        assert!(!may_tell_tasks(&format!("{LOOP}\n{CODE}"), Why::Slow), "another thread's loop");
    }

    #[test]
    fn what_is_to_be_interrupted_anyway_may_be_asked_whatever_it_does() {
        for why in [Why::Limit, Why::Stop] {
            assert!(may_tell_tasks(CODE, why));
            assert!(!may_tell_tasks(
                "Current thread 0x1 (most recent call first):\n  File \"t.py\", line 3 in x\n",
                why
            ));
        }
    }
}
