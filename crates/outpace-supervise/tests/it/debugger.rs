//! Processes that stop in a debugger: whose turn it is, what the others do, whose time counts.

use std::collections::VecDeque;
use std::time::Duration;

use insta::assert_snapshot;
use outpace_model::{ItemIndex, Phase, WorkerIndex};
use outpace_protocol::{FromController, FromWorker};
use outpace_supervise::{Event, Peer, Sight, Turns};
use proptest::prelude::*;

use crate::stories::{ask, closed, exited, result, until_testing, until_watched, worker};

fn wants(peer: Peer) -> Event {
    Event::Message(peer, FromWorker::WantTerminal)
}

fn leaves(peer: Peer) -> Event {
    Event::Message(peer, FromWorker::LeaveTerminal)
}

fn lent(turn: u32, pause: bool) -> Event {
    let path = Some("/dev/tty".to_owned());
    Event::Controller(FromController::Lent { turn, path, why: String::new(), pause, group: 9 })
}

#[test]
fn two_debuggers_take_turns() {
    let mut script = until_testing();
    script.hear(wants(worker(0))).hear(wants(worker(1))).hear(lent(1, true));
    script.hear(leaves(worker(0))).hear(lent(2, true)).hear(leaves(worker(1)));
    assert_snapshot!(script, @r#"
    > Message(Worker(WorkerIndex(0)), WantTerminal)
      ToController(Lend(Lend { turn: 1, worker: WorkerIndex(0), pid: 20, item: Some(ItemIndex(0)), doing: "", waiting: 0 }))
    > Message(Worker(WorkerIndex(1)), WantTerminal)
    > Controller(Lent { turn: 1, path: Some("/dev/tty"), why: "", pause: true, group: 9 })
      Send(Worker(WorkerIndex(0)), Terminal { path: Some("/dev/tty"), why: "" })
    > Message(Worker(WorkerIndex(0)), LeaveTerminal)
      ToController(Returned { turn: 1 })
      ToController(Lend(Lend { turn: 2, worker: WorkerIndex(1), pid: 21, item: Some(ItemIndex(1)), doing: "", waiting: 0 }))
    > Controller(Lent { turn: 2, path: Some("/dev/tty"), why: "", pause: true, group: 9 })
      Send(Worker(WorkerIndex(1)), Terminal { path: Some("/dev/tty"), why: "" })
    > Message(Worker(WorkerIndex(1)), LeaveTerminal)
      ToController(Returned { turn: 2 })
    "#);
}

#[test]
fn the_others_wait_with_what_they_have_set_up() {
    let mut script = until_testing();
    script.hear(wants(worker(0))).hear(lent(1, true));
    script.hear(ask(worker(1), 1, true)).wait(Duration::from_secs(60));
    script.hear(leaves(worker(0)));
    assert_snapshot!(script, @r#"
    > Message(Worker(WorkerIndex(0)), WantTerminal)
      ToController(Lend(Lend { turn: 1, worker: WorkerIndex(0), pid: 20, item: Some(ItemIndex(0)), doing: "", waiting: 0 }))
    > Controller(Lent { turn: 1, path: Some("/dev/tty"), why: "", pause: true, group: 9 })
      Send(Worker(WorkerIndex(0)), Terminal { path: Some("/dev/tty"), why: "" })
    > Message(Worker(WorkerIndex(1)), Ask { position: 1, running: true })
    > Tick
    > Message(Worker(WorkerIndex(0)), LeaveTerminal)
      ToController(Returned { turn: 1 })
      Send(Worker(WorkerIndex(1)), Grant { position: 1, items: [ItemIndex(2)] })
    "#);
}

#[test]
fn or_they_run_on() {
    let mut script = until_testing();
    script.hear(wants(worker(0))).hear(lent(1, false)).hear(ask(worker(1), 1, true));
    assert_snapshot!(script, @r#"
    > Message(Worker(WorkerIndex(0)), WantTerminal)
      ToController(Lend(Lend { turn: 1, worker: WorkerIndex(0), pid: 20, item: Some(ItemIndex(0)), doing: "", waiting: 0 }))
    > Controller(Lent { turn: 1, path: Some("/dev/tty"), why: "", pause: false, group: 9 })
      Send(Worker(WorkerIndex(0)), Terminal { path: Some("/dev/tty"), why: "" })
    > Message(Worker(WorkerIndex(1)), Ask { position: 1, running: true })
      Send(Worker(WorkerIndex(1)), Grant { position: 1, items: [ItemIndex(2)] })
    "#);
}

#[test]
fn without_a_terminal_the_next_one_asks_for_itself() {
    let mut script = until_testing();
    script.hear(wants(worker(0))).hear(wants(worker(1)));
    let why = "standard input is not a terminal".to_owned();
    script.hear(Event::Controller(FromController::Lent { turn: 1, path: None, why, pause: false, group: 0 }));
    assert_snapshot!(script, @r#"
    > Message(Worker(WorkerIndex(0)), WantTerminal)
      ToController(Lend(Lend { turn: 1, worker: WorkerIndex(0), pid: 20, item: Some(ItemIndex(0)), doing: "", waiting: 0 }))
    > Message(Worker(WorkerIndex(1)), WantTerminal)
    > Controller(Lent { turn: 1, path: None, why: "standard input is not a terminal", pause: false, group: 0 })
      Send(Worker(WorkerIndex(0)), Terminal { path: None, why: "standard input is not a terminal" })
      ToController(Returned { turn: 1 })
      ToController(Lend(Lend { turn: 2, worker: WorkerIndex(1), pid: 21, item: Some(ItemIndex(1)), doing: "", waiting: 0 }))
    "#);
}

#[test]
fn who_dies_in_the_debugger_leaves_it() {
    let mut script = until_testing();
    script.hear(wants(worker(0))).hear(lent(1, true)).hear(ask(worker(1), 1, false));
    script.hear(exited(20, "signal 11 (SIGSEGV)")).hear(closed(worker(0), 1, Phase::Call));
    script.hear(lent(1, true));
    assert_snapshot!(script, @r#"
    > Message(Worker(WorkerIndex(0)), WantTerminal)
      ToController(Lend(Lend { turn: 1, worker: WorkerIndex(0), pid: 20, item: Some(ItemIndex(0)), doing: "", waiting: 0 }))
    > Controller(Lent { turn: 1, path: Some("/dev/tty"), why: "", pause: true, group: 9 })
      Send(Worker(WorkerIndex(0)), Terminal { path: Some("/dev/tty"), why: "" })
    > Message(Worker(WorkerIndex(1)), Ask { position: 1, running: false })
    > Exited { pid: 20, cause: "signal 11 (SIGSEGV)" }
    > Closed { peer: Worker(WorkerIndex(0)), fault: None, position: 1, phase: Call }
      Kill(20)
      ToController(Down(Down { worker: WorkerIndex(0), crashed: true, item: Some(ItemIndex(0)), phase: Call, cause: "signal 11 (SIGSEGV)", innocent: false, hung: false }))
      ToController(Returned { turn: 1 })
      Send(Worker(WorkerIndex(1)), Grant { position: 1, items: [ItemIndex(2)] })
    > Controller(Lent { turn: 1, path: Some("/dev/tty"), why: "", pause: true, group: 9 })
    "#);
}

#[test]
fn an_interrupt_ends_all_debugging() {
    let mut script = until_testing();
    script.hear(wants(worker(0))).hear(wants(worker(1))).hear(lent(1, true));
    script.hear(Event::Controller(FromController::Stop { interrupt: true, kill: false }));
    script.hear(leaves(worker(0))).hear(wants(worker(1)));
    assert_snapshot!(script, @r#"
    > Message(Worker(WorkerIndex(0)), WantTerminal)
      ToController(Lend(Lend { turn: 1, worker: WorkerIndex(0), pid: 20, item: Some(ItemIndex(0)), doing: "", waiting: 0 }))
    > Message(Worker(WorkerIndex(1)), WantTerminal)
    > Controller(Lent { turn: 1, path: Some("/dev/tty"), why: "", pause: true, group: 9 })
      Send(Worker(WorkerIndex(0)), Terminal { path: Some("/dev/tty"), why: "" })
    > Controller(Stop { interrupt: true, kill: false })
      Halt(0)
      Halt(1)
      ToController(Returned { turn: 1 })
      Look { peer: Worker(WorkerIndex(0)), pid: 20, why: Stop, hold: None }
      Look { peer: Worker(WorkerIndex(1)), pid: 21, why: Stop, hold: None }
    > Message(Worker(WorkerIndex(0)), LeaveTerminal)
    > Message(Worker(WorkerIndex(1)), WantTerminal)
      Send(Worker(WorkerIndex(1)), Terminal { path: None, why: "the run is being stopped" })
    "#);
}

#[test]
fn time_in_the_debugger_is_not_the_tests() {
    let mut script = until_watched();
    let sight = Sight { sequence: 1, item: Some(ItemIndex(0)), phase: Phase::Call, answered: 0 };
    script.hear(Event::Seen(worker(0), sight)).wait(Duration::from_millis(900));
    script.hear(wants(worker(0))).hear(lent(1, false)).wait(Duration::from_secs(3600));
    script.hear(leaves(worker(0))).wait(Duration::from_millis(900)).wait(Duration::from_millis(100));
    assert_snapshot!(script, @r#"
    > Seen(Worker(WorkerIndex(0)), Sight { sequence: 1, item: Some(ItemIndex(0)), phase: Call, answered: 0 })
    > Tick
    > Message(Worker(WorkerIndex(0)), WantTerminal)
      ToController(Lend(Lend { turn: 1, worker: WorkerIndex(0), pid: 20, item: Some(ItemIndex(0)), doing: "", waiting: 0 }))
    > Controller(Lent { turn: 1, path: Some("/dev/tty"), why: "", pause: false, group: 9 })
      Send(Worker(WorkerIndex(0)), Terminal { path: Some("/dev/tty"), why: "" })
    > Tick
    > Message(Worker(WorkerIndex(0)), LeaveTerminal)
      ToController(Returned { turn: 1 })
    > Tick
    > Tick
      Look { peer: Worker(WorkerIndex(0)), pid: 20, why: Slow, hold: None }
    "#);
}

#[test]
fn a_result_that_comes_before_is_told_before() {
    let mut script = until_testing();
    script.hear(result(worker(0), 0, false, 1)).hear(wants(worker(0)));
    assert_snapshot!(script, @r#"
    > Message(Worker(WorkerIndex(0)), Result { item: ItemIndex(0), finished: false, failures: 1, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(0), item: ItemIndex(0), finished: false, duration: 1.0, blob: [] })
    > Message(Worker(WorkerIndex(0)), WantTerminal)
      ToController(Lend(Lend { turn: 1, worker: WorkerIndex(0), pid: 20, item: Some(ItemIndex(0)), doing: "", waiting: 0 }))
    "#);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Want(u32),
    Leave(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0_u32..5, any::<bool>())
        .prop_map(|(peer, wants)| if wants { Step::Want(peer) } else { Step::Leave(peer) });
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// Against a queue whose front has the terminal.
    #[test]
    fn turns_come_in_the_order_of_the_questions(steps in steps()) {
        let (mut turns, mut queue, mut last) = (Turns::default(), VecDeque::new(), 0);
        for step in steps {
            let begun = match step {
                Step::Want(number) => {
                    let peer = Peer::Worker(WorkerIndex(number));
                    let is_new = !queue.contains(&peer);
                    if is_new {
                        queue.push_back(peer);
                    }
                    let turn = turns.want(peer);
                    prop_assert_eq!(turn.is_some(), is_new && queue.len() == 1);
                    turn
                }
                Step::Leave(number) => {
                    let peer = Peer::Worker(WorkerIndex(number));
                    let had_it = queue.front() == Some(&peer);
                    queue.retain(|each| *each != peer);
                    prop_assert_eq!(turns.leave(peer).map(|turn| turn.peer), had_it.then_some(peer));
                    turns.begin_next()
                }
            };
            if let Some(turn) = begun {
                prop_assert!(turn.number > last, "numbers are used once");
                last = turn.number;
                prop_assert_eq!(Some(&turn.peer), queue.front());
            }
            prop_assert_eq!(turns.holder(last), queue.front().copied());
            prop_assert_eq!(turns.is_taken(), !queue.is_empty());
            prop_assert_eq!(turns.waiting(), queue.len().saturating_sub(1));
            prop_assert!((0..5).map(WorkerIndex).map(Peer::Worker).all(|peer| turns.concerns(peer) == queue.contains(&peer)));
        }
    }
}
