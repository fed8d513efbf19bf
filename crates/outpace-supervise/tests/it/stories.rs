//! The main stories of a run, told as the actions it answers with.

use std::time::Duration;

use insta::assert_snapshot;
use outpace_model::{DistMode, ItemIndex, Phase, WorkerIndex};
use outpace_protocol::{Collection, FromController, FromWorker, Plan, StartMethod, Timeouts, ToWorker, Why};
use outpace_supervise::{Action, Event, Found, Peer, Run, Sight};

use crate::script::Script;

const TEMPLATE_PID: i32 = 10;

pub(crate) fn worker(number: u32) -> Peer {
    Peer::Worker(WorkerIndex(number))
}

fn plan(start_method: StartMethod) -> Event {
    plan_for(start_method, 2)
}

pub(crate) fn plan_for(start_method: StartMethod, workers: u32) -> Event {
    let workers = (0..workers).map(WorkerIndex).collect();
    Event::Controller(FromController::Plan(Plan {
        mode: DistMode::Load,
        reorder: true,
        maxfail: 0,
        start_method,
        workers,
        timeouts: Timeouts::default(),
    }))
}

pub(crate) fn announce(number: u32) -> Event {
    Event::Controller(FromController::Worker { worker: WorkerIndex(number), input: Vec::new() })
}

fn collected(peer: Peer, unsafe_to_fork: &[&str]) -> Event {
    collected_many(peer, unsafe_to_fork, 6)
}

pub(crate) fn collected_many(peer: Peer, unsafe_to_fork: &[&str], tests: u32) -> Event {
    let collection = Collection {
        unsafe_to_fork: unsafe_to_fork.iter().map(|reason| (*reason).to_owned()).collect(),
        node_ids: (0..tests).map(|item| format!("test_a.py::t{item}")).collect(),
        ..Collection::default()
    };
    Event::Message(peer, FromWorker::Collected { collection, payload: Vec::new() })
}

pub(crate) fn ready(peer: Peer, pid: i32) -> Event {
    Event::Message(peer, FromWorker::Ready { pid, info: Vec::new() })
}

pub(crate) fn ask(peer: Peer, position: u32, running: bool) -> Event {
    Event::Message(peer, FromWorker::Ask { position, running })
}

pub(crate) fn result(peer: Peer, item: u32, finished: bool, failures: u32) -> Event {
    let (item, blob) = (ItemIndex(item), Vec::new());
    Event::Message(peer, FromWorker::Result { item, finished, failures, duration: 1.0, blob })
}

fn looked(peer: Peer, why: Why) -> Event {
    Event::Looked { peer, why, found: Found { stacks: "stacks".to_owned(), native: Vec::new() } }
}

fn bye(peer: Peer) -> Event {
    Event::Message(peer, FromWorker::Bye(Vec::new()))
}

pub(crate) fn closed(peer: Peer, position: u32, phase: Phase) -> Event {
    Event::Closed { peer, fault: None, position, phase }
}

pub(crate) fn exited(pid: i32, cause: &str) -> Event {
    Event::Exited { pid, cause: cause.to_owned() }
}

/// A template with two announced workers that has collected six tests.
fn until_collected(start_method: StartMethod, unsafe_to_fork: &[&str]) -> Script {
    let mut script = Script::default();
    script.hear(Event::Controller(FromController::Template { argv: vec!["python".to_owned()] }));
    script.hear(Event::Spawned(Peer::Template, TEMPLATE_PID));
    script.hear(announce(0)).hear(announce(1)).hear(plan(start_method));
    script.hear(collected(Peer::Template, unsafe_to_fork));
    script
}

/// Two forked workers, each with its first test.
pub(crate) fn until_testing() -> Script {
    let mut script = until_collected(StartMethod::Auto, &[]);
    script.hear(ready(worker(0), 20)).hear(ready(worker(1), 21));
    script.hear(ask(worker(0), 0, false)).hear(ask(worker(1), 0, false));
    script.forget();
    script
}

#[test]
fn workers_are_forks_of_the_template() {
    let mut script = until_collected(StartMethod::Auto, &[]);
    script
        .hear(Event::Message(Peer::Template, FromWorker::Forked { worker: WorkerIndex(0), outcome: Ok(20) }));
    script.hear(ready(worker(0), 20)).hear(ask(worker(0), 0, false));
    assert_snapshot!(script, @r#"
    > Controller(Template { argv: ["python"] })
      Spawn { peer: Template, argv: ["python"] }
    > Spawned(Template, 10)
    > Controller(Worker { worker: WorkerIndex(0), input: [] })
      ResetLane(0)
      Send(Template, Init { lane: 0, input: [] })
    > Controller(Worker { worker: WorkerIndex(1), input: [] })
      ResetLane(1)
    > Controller(Plan(Plan { mode: Load, reorder: true, maxfail: 0, start_method: Auto, workers: [WorkerIndex(0), WorkerIndex(1)], timeouts: Timeouts { slow: 0, test: 0, grace: 0 } }))
    > Message(Template, Collected { 
      ToController(Collected { worker: WorkerIndex(0), payload: [] })
      ToController(Started(Started { method: Fork, reasons: [] }))
      Fork { worker: WorkerIndex(0), lane: 0, input: [] }
      Fork { worker: WorkerIndex(1), lane: 1, input: [] }
    > Message(Template, Forked { worker: WorkerIndex(0), outcome: Ok(20) })
    > Message(Worker(WorkerIndex(0)), Ready { pid: 20, info: [] })
      ToController(Ready { worker: WorkerIndex(0), info: [] })
    > Message(Worker(WorkerIndex(0)), Ask { position: 0, running: false })
      Send(Worker(WorkerIndex(0)), Grant { position: 0, items: [ItemIndex(0)] })
    "#);
}

#[test]
fn where_a_fork_is_not_safe_the_template_goes_on_as_the_first_worker() {
    let mut script = until_collected(StartMethod::Auto, &["a thread runs"]);
    script.hear(Event::Spawned(worker(1), 21));
    script.hear(collected(worker(1), &[]));
    script.hear(ready(Peer::Template, TEMPLATE_PID)).hear(ask(Peer::Template, 0, false));
    assert_snapshot!(script, @r#"
    > Controller(Template { argv: ["python"] })
      Spawn { peer: Template, argv: ["python"] }
    > Spawned(Template, 10)
    > Controller(Worker { worker: WorkerIndex(0), input: [] })
      ResetLane(0)
      Send(Template, Init { lane: 0, input: [] })
    > Controller(Worker { worker: WorkerIndex(1), input: [] })
      ResetLane(1)
    > Controller(Plan(Plan { mode: Load, reorder: true, maxfail: 0, start_method: Auto, workers: [WorkerIndex(0), WorkerIndex(1)], timeouts: Timeouts { slow: 0, test: 0, grace: 0 } }))
    > Message(Template, Collected { 
      ToController(Collected { worker: WorkerIndex(0), payload: [] })
      ToController(Started(Started { method: Spawn, reasons: ["a thread runs"] }))
      Spawn { peer: Worker(WorkerIndex(1)), argv: ["python"] }
      Send(Worker(WorkerIndex(1)), Init { lane: 1, input: [] })
    > Spawned(Worker(WorkerIndex(1)), 21)
    > Message(Worker(WorkerIndex(1)), Collected { 
      ToController(Collected { worker: WorkerIndex(1), payload: [] })
      Send(Template, Run)
      Send(Worker(WorkerIndex(1)), Run)
    > Message(Template, Ready { pid: 10, info: [] })
      ToController(Ready { worker: WorkerIndex(0), info: [] })
    > Message(Template, Ask { position: 0, running: false })
      Send(Template, Grant { position: 0, items: [ItemIndex(0)] })
    "#);
}

#[test]
fn a_crashed_worker_is_replaced_and_the_rest_of_its_tests_runs() {
    let mut script = until_testing();
    script.hear(result(worker(0), 0, false, 0));
    script.hear(closed(worker(0), 1, Phase::Call)).hear(exited(20, "signal 11 (SIGSEGV)"));
    script.hear(announce(2));
    script.hear(Event::Controller(FromController::Verdict { worker: WorkerIndex(0), requeue: false }));
    script.hear(ready(worker(2), 22)).hear(ask(worker(2), 0, false));
    assert_snapshot!(script, @r#"
    > Message(Worker(WorkerIndex(0)), Result { item: ItemIndex(0), finished: false, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(0), item: ItemIndex(0), finished: false, duration: 1.0, blob: [] })
    > Closed { peer: Worker(WorkerIndex(0)), fault: None, position: 1, phase: Call }
    > Exited { pid: 20, cause: "signal 11 (SIGSEGV)" }
      Kill(20)
      ToController(Down(Down { worker: WorkerIndex(0), crashed: true, item: Some(ItemIndex(0)), phase: Call, cause: "signal 11 (SIGSEGV)", innocent: false, hung: false }))
    > Controller(Worker { worker: WorkerIndex(2), input: [] })
      ResetLane(0)
      Fork { worker: WorkerIndex(2), lane: 0, input: [] }
    > Controller(Verdict { worker: WorkerIndex(0), requeue: false })
    > Message(Worker(WorkerIndex(2)), Ready { pid: 22, info: [] })
      ToController(Ready { worker: WorkerIndex(2), info: [] })
    > Message(Worker(WorkerIndex(2)), Ask { position: 0, running: false })
      Send(Worker(WorkerIndex(2)), Grant { position: 0, items: [ItemIndex(2)] })
    "#);
}

#[test]
fn a_test_that_is_to_run_again_after_its_crash_goes_to_whoever_asks() {
    let mut script = until_testing();
    script.hear(exited(20, "signal 9 (SIGKILL)")).hear(closed(worker(0), 1, Phase::Teardown));
    script.hear(Event::Controller(FromController::Verdict { worker: WorkerIndex(0), requeue: true }));
    script.hear(result(worker(1), 1, true, 0)).hear(ask(worker(1), 1, true));
    assert_snapshot!(script, @r#"
    > Exited { pid: 20, cause: "signal 9 (SIGKILL)" }
    > Closed { peer: Worker(WorkerIndex(0)), fault: None, position: 1, phase: Teardown }
      Kill(20)
      ToController(Down(Down { worker: WorkerIndex(0), crashed: true, item: Some(ItemIndex(0)), phase: Teardown, cause: "signal 9 (SIGKILL)", innocent: false, hung: false }))
    > Controller(Verdict { worker: WorkerIndex(0), requeue: true })
    > Message(Worker(WorkerIndex(1)), Result { item: ItemIndex(1), finished: true, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(1), item: ItemIndex(1), finished: true, duration: 1.0, blob: [] })
    > Message(Worker(WorkerIndex(1)), Ask { position: 1, running: true })
      Send(Worker(WorkerIndex(1)), Grant { position: 1, items: [ItemIndex(0)] })
    "#);
}

#[test]
fn after_a_stop_running_tests_end_and_nothing_starts() {
    let mut script = until_testing();
    script.hear(ask(worker(0), 1, true));
    script.forget();
    script.hear(Event::Controller(FromController::Stop { interrupt: false, kill: false }));
    script.hear(result(worker(0), 0, true, 0)).hear(ask(worker(0), 1, false));
    script.hear(bye(worker(0))).hear(exited(20, "exit code 0")).hear(closed(worker(0), 1, Phase::Finish));
    script.hear(result(worker(1), 1, true, 0)).hear(ask(worker(1), 1, false));
    script.hear(bye(worker(1))).hear(closed(worker(1), 1, Phase::Finish)).hear(exited(21, "exit code 0"));
    assert_snapshot!(script, @r#"
    > Controller(Stop { interrupt: false, kill: false })
      Halt(0)
      Halt(1)
    > Message(Worker(WorkerIndex(0)), Result { item: ItemIndex(0), finished: true, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(0), item: ItemIndex(0), finished: true, duration: 1.0, blob: [] })
    > Message(Worker(WorkerIndex(0)), Ask { position: 1, running: false })
      Send(Worker(WorkerIndex(0)), Shutdown)
    > Message(Worker(WorkerIndex(0)), Bye([]))
      ToController(Bye { worker: WorkerIndex(0), blob: [] })
    > Exited { pid: 20, cause: "exit code 0" }
    > Closed { peer: Worker(WorkerIndex(0)), fault: None, position: 1, phase: Finish }
      Kill(20)
      ToController(Down(Down { worker: WorkerIndex(0), crashed: false, item: None, phase: Finish, cause: "exit code 0", innocent: false, hung: false }))
    > Message(Worker(WorkerIndex(1)), Result { item: ItemIndex(1), finished: true, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(1), item: ItemIndex(1), finished: true, duration: 1.0, blob: [] })
    > Message(Worker(WorkerIndex(1)), Ask { position: 1, running: false })
      Send(Worker(WorkerIndex(1)), Shutdown)
    > Message(Worker(WorkerIndex(1)), Bye([]))
      ToController(Bye { worker: WorkerIndex(1), blob: [] })
    > Closed { peer: Worker(WorkerIndex(1)), fault: None, position: 1, phase: Finish }
    > Exited { pid: 21, cause: "exit code 0" }
      Kill(21)
      ToController(Down(Down { worker: WorkerIndex(1), crashed: false, item: None, phase: Finish, cause: "exit code 0", innocent: false, hung: false }))
      Send(Template, Exit)
      ToController(Finished(Finished { done: 2, not_run: [ItemIndex(2), ItemIndex(3), ItemIndex(4), ItemIndex(5)], interrupted: [] }))
    "#);
}

#[test]
fn ctrl_c_interrupts_the_running_test_and_kills_a_worker_that_does_not_care() {
    let mut script = until_testing();
    script.hear(Event::Controller(FromController::Stop { interrupt: true, kill: false }));
    script.hear(looked(worker(0), Why::Stop));
    script.hear(result(worker(0), 0, false, 0)).hear(bye(worker(0)));
    script.hear(closed(worker(0), 1, Phase::Finish)).hear(exited(20, "exit code 2"));
    script.wait(Duration::from_secs(11)).hear(closed(worker(1), 1, Phase::Call));
    script.hear(exited(21, "signal 9 (SIGKILL)"));
    assert_snapshot!(script, @r#"
    > Controller(Stop { interrupt: true, kill: false })
      Halt(0)
      Halt(1)
      Look { peer: Worker(WorkerIndex(0)), pid: 20, why: Stop, hold: None }
      Look { peer: Worker(WorkerIndex(1)), pid: 21, why: Stop, hold: None }
    > Looked { peer: Worker(WorkerIndex(0)), why: Stop, found: Found { stacks: "stacks", native: [] } }
      ToController(Looked(Looked { worker: WorkerIndex(0), pid: 20, why: Stop, item: None, phase: Idle, doing: "", since: 0, phase_since: 0, limit: 0, stacks: "stacks", native: [] }))
      Interrupt(20)
    > Message(Worker(WorkerIndex(0)), Result { item: ItemIndex(0), finished: false, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(0), item: ItemIndex(0), finished: false, duration: 1.0, blob: [] })
    > Message(Worker(WorkerIndex(0)), Bye([]))
      ToController(Bye { worker: WorkerIndex(0), blob: [] })
    > Closed { peer: Worker(WorkerIndex(0)), fault: None, position: 1, phase: Finish }
    > Exited { pid: 20, cause: "exit code 2" }
      Kill(20)
      ToController(Down(Down { worker: WorkerIndex(0), crashed: false, item: Some(ItemIndex(0)), phase: Finish, cause: "exit code 2", innocent: false, hung: false }))
    > Tick
      Kill(21)
    > Closed { peer: Worker(WorkerIndex(1)), fault: None, position: 1, phase: Call }
    > Exited { pid: 21, cause: "signal 9 (SIGKILL)" }
      Kill(21)
      ToController(Down(Down { worker: WorkerIndex(1), crashed: false, item: Some(ItemIndex(1)), phase: Call, cause: "signal 9 (SIGKILL)", innocent: false, hung: false }))
      Send(Template, Exit)
      ToController(Finished(Finished { done: 0, not_run: [ItemIndex(2), ItemIndex(3), ItemIndex(4), ItemIndex(5)], interrupted: [ItemIndex(0), ItemIndex(1)] }))
    "#);
}

/// What the process that collected first knows of its tests' marks reaches the others before they collect.
#[test]
fn spawned_workers_are_told_what_they_are_to_enter() {
    let mut script = Script::default();
    script.hear(Event::Controller(FromController::Template { argv: vec!["python".to_owned()] }));
    script.hear(Event::Spawned(Peer::Template, TEMPLATE_PID));
    script.hear(announce(0)).hear(announce(1)).hear(plan(StartMethod::Auto));
    script.forget();
    let collection = Collection {
        unsafe_to_fork: vec!["a thread runs".to_owned()],
        node_ids: vec!["test_a.py::t0".to_owned(), "test_a.py::t1".to_owned()],
        isolate: "ports".to_owned(),
        ..Collection::default()
    };
    script.hear(Event::Message(Peer::Template, FromWorker::Collected { collection, payload: Vec::new() }));
    assert_snapshot!(script, @r#"
    > Message(Template, Collected { 
      ToController(Collected { worker: WorkerIndex(0), payload: [] })
      ToController(Started(Started { method: Spawn, reasons: ["a thread runs"] }))
      Spawn { peer: Worker(WorkerIndex(1)), argv: ["python"] }
      Send(Worker(WorkerIndex(1)), Isolate("ports"))
      Send(Worker(WorkerIndex(1)), Init { lane: 1, input: [] })
    "#);
}

#[test]
fn workers_that_died_with_their_template_are_not_to_blame_and_spawned_ones_take_over() {
    let mut script = until_testing();
    script.hear(exited(TEMPLATE_PID, "signal 9 (SIGKILL)")).hear(closed(Peer::Template, 0, Phase::Idle));
    script.hear(closed(worker(0), 1, Phase::Call)).hear(exited(20, "signal 9 (SIGKILL)"));
    script.hear(announce(2));
    script.hear(Event::Controller(FromController::Verdict { worker: WorkerIndex(0), requeue: false }));
    script.hear(Event::Spawned(worker(2), 22)).hear(collected(worker(2), &[]));
    script.hear(ready(worker(2), 22)).hear(ask(worker(2), 0, false));
    assert_snapshot!(script, @r#"
    > Exited { pid: 10, cause: "signal 9 (SIGKILL)" }
      Close(Template)
    > Closed { peer: Template, fault: None, position: 0, phase: Idle }
    > Closed { peer: Worker(WorkerIndex(0)), fault: None, position: 1, phase: Call }
    > Exited { pid: 20, cause: "signal 9 (SIGKILL)" }
      Kill(20)
      ToController(Down(Down { worker: WorkerIndex(0), crashed: true, item: None, phase: Call, cause: "signal 9 (SIGKILL)", innocent: true, hung: false }))
    > Controller(Worker { worker: WorkerIndex(2), input: [] })
      ResetLane(0)
      Spawn { peer: Worker(WorkerIndex(2)), argv: ["python"] }
      Send(Worker(WorkerIndex(2)), Init { lane: 0, input: [] })
    > Controller(Verdict { worker: WorkerIndex(0), requeue: false })
    > Spawned(Worker(WorkerIndex(2)), 22)
    > Message(Worker(WorkerIndex(2)), Collected { 
      ToController(Collected { worker: WorkerIndex(2), payload: [] })
      Send(Worker(WorkerIndex(2)), Run)
    > Message(Worker(WorkerIndex(2)), Ready { pid: 22, info: [] })
      ToController(Ready { worker: WorkerIndex(2), info: [] })
    > Message(Worker(WorkerIndex(2)), Ask { position: 0, running: false })
      Send(Worker(WorkerIndex(2)), Grant { position: 0, items: [ItemIndex(0)] })
    "#);
}

#[test]
fn the_template_that_dies_while_it_collects_ends_the_run_with_a_reason() {
    let mut script = Script::default();
    script.hear(Event::Controller(FromController::Template { argv: vec!["python".to_owned()] }));
    script.hear(Event::Spawned(Peer::Template, TEMPLATE_PID));
    script.hear(announce(0)).hear(plan(StartMethod::Auto));
    script.hear(Event::Message(Peer::Template, FromWorker::Status("collecting test_a.py".to_owned())));
    script.hear(exited(TEMPLATE_PID, "signal 11 (SIGSEGV)")).hear(closed(Peer::Template, 0, Phase::Start));
    assert_snapshot!(script, @r#"
    > Controller(Template { argv: ["python"] })
      Spawn { peer: Template, argv: ["python"] }
    > Spawned(Template, 10)
    > Controller(Worker { worker: WorkerIndex(0), input: [] })
      ResetLane(0)
      Send(Template, Init { lane: 0, input: [] })
    > Controller(Plan(Plan { mode: Load, reorder: true, maxfail: 0, start_method: Auto, workers: [WorkerIndex(0), WorkerIndex(1)], timeouts: Timeouts { slow: 0, test: 0, grace: 0 } }))
    > Message(Template, Status("collecting test_a.py"))
    > Exited { pid: 10, cause: "signal 11 (SIGSEGV)" }
      Close(Template)
    > Closed { peer: Template, fault: None, position: 0, phase: Start }
      ToController(Fatal { message: "the process that collects the tests died while collecting test_a.py: signal 11 (SIGSEGV)" })
      Kill(10)
      Quit
    "#);
}

/// What is granted in answer to this question, after the tests before it.
fn ask_and_finish(run: &mut Run, peer: Peer, position: &mut u32) -> bool {
    let actions = run.handle(ask(peer, *position, false), Duration::ZERO);
    let granted = actions.iter().find_map(|action| match action {
        Action::Send(_, ToWorker::Grant { items, .. }) => Some(items.clone()),
        _ => None,
    });
    for item in granted.iter().flatten() {
        let result = FromWorker::Result {
            item: *item,
            finished: true,
            failures: 0,
            duration: 0.001,
            blob: Vec::new(),
        };
        run.handle(Event::Message(peer, result), Duration::ZERO);
        *position += 1;
    }
    granted.is_some()
}

#[test]
fn a_worker_that_lost_tests_gets_none_ahead_or_it_would_start_the_lost_ones() {
    let mut run = Run::new();
    for event in [
        Event::Controller(FromController::Template { argv: Vec::new() }),
        announce(0),
        announce(1),
        plan(StartMethod::Fork),
        collected_many(Peer::Template, &[], 20),
        ready(worker(0), 20),
        ready(worker(1), 21),
    ] {
        run.handle(event, Duration::ZERO);
    }
    let (mut first, mut second) = (0, 0);
    ask_and_finish(&mut run, worker(0), &mut first);
    run.handle(ask(worker(0), first, false), Duration::ZERO);
    while ask_and_finish(&mut run, worker(1), &mut second) {}

    let actions = run.handle(Event::Tick, Duration::from_millis(20));
    assert_eq!(actions, [Action::Revoke { worker: WorkerIndex(0), lane: 0 }]);
    let actions =
        run.handle(Event::Revoked { worker: WorkerIndex(0), kept: first + 1 }, Duration::from_millis(20));
    assert!(
        matches!(actions[..], [Action::Send(Peer::Worker(WorkerIndex(1)), ToWorker::Grant { .. })]),
        "{actions:?}"
    );

    let ahead = Event::Message(worker(0), FromWorker::Ahead);
    let actions = run.handle(ahead, Duration::from_millis(20));
    assert_eq!(actions, [Action::Send(worker(0), ToWorker::Nothing)]);
}

#[test]
fn a_worker_with_nothing_to_give_back_does_not_stand_before_one_that_has() {
    let mut run = Run::new();
    let start = [Event::Controller(FromController::Template { argv: Vec::new() })];
    let events = start.into_iter().chain((0..3).map(announce)).chain([
        plan_for(StartMethod::Fork, 3),
        collected_many(Peer::Template, &[], 7),
        ready(worker(0), 20),
        ready(worker(1), 21),
        ready(worker(2), 22),
    ]);
    for event in events {
        run.handle(event, Duration::ZERO);
    }
    // Two have a test and the next one; the third is done with all that is left.
    for (asking, position) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        run.handle(ask(worker(asking), position, position > 0), Duration::ZERO);
    }
    let mut position = 0;
    while ask_and_finish(&mut run, worker(2), &mut position) {}
    let later = Duration::from_millis(20);
    let asked_first = run.handle(Event::Tick, later);
    let [Action::Revoke { worker: first, .. }] = asked_first[..] else { panic!("{asked_first:?}") };
    // It has just begun what it had.
    let actions = run.handle(Event::Revoked { worker: first, kept: 2 }, later);
    assert!(matches!(actions[..], [Action::Revoke { worker, .. }] if worker != first), "{actions:?}");
}

/// Two workers at two tests each; the first hoards one while the second asks in its last teardown.
fn asked_in_a_teardown() -> (Run, Duration) {
    let mut run = Run::new();
    let start = [Event::Controller(FromController::Template { argv: Vec::new() })];
    let events = start.into_iter().chain((0..2).map(announce)).chain([
        plan_for(StartMethod::Fork, 2),
        collected_many(Peer::Template, &[], 3),
        ready(worker(0), 20),
        ready(worker(1), 21),
        ask(worker(0), 0, false),
        ask(worker(1), 0, false),
        ask(worker(0), 1, true),
    ]);
    for event in events {
        run.handle(event, Duration::ZERO);
    }
    let actions = run.handle(ask(worker(1), 1, true), Duration::ZERO);
    assert_eq!(actions, [], "what its tests share stays set up");
    (run, Duration::from_millis(20))
}

#[test]
fn a_worker_in_its_teardown_waits_for_what_another_one_hoards() {
    let (mut run, later) = asked_in_a_teardown();
    let actions = run.handle(Event::Tick, later);
    assert!(matches!(actions[..], [Action::Revoke { worker: WorkerIndex(0), .. }]), "{actions:?}");
    let actions = run.handle(Event::Revoked { worker: WorkerIndex(0), kept: 1 }, later);
    assert!(
        matches!(&actions[..], [.., Action::Send(peer, ToWorker::Grant { position: 1, items })]
            if *peer == worker(1) && items.len() == 1),
        "{actions:?}"
    );
}

#[test]
fn a_worker_in_its_teardown_waits_no_longer_than_another_one_hoards() {
    let (mut run, later) = asked_in_a_teardown();
    run.handle(Event::Tick, later);
    // It has just begun what it had.
    let actions = run.handle(Event::Revoked { worker: WorkerIndex(0), kept: 2 }, later);
    assert!(
        matches!(&actions[..], [Action::Send(peer, ToWorker::Nothing)] if *peer == worker(1)),
        "{actions:?}"
    );
}

const SLOW: Timeouts = Timeouts { slow: 1_000, test: 3_000, grace: 500 };

fn seen(number: u32, sequence: u32, item: u32, phase: Phase, answered: u32) -> Event {
    Event::Seen(worker(number), Sight { sequence, item: Some(ItemIndex(item)), phase, answered })
}

/// The first worker is seen at its first test.
pub(crate) fn until_watched() -> Script {
    let mut script = Script::default();
    script.hear(Event::Controller(FromController::Template { argv: vec!["python".to_owned()] }));
    script.hear(Event::Spawned(Peer::Template, TEMPLATE_PID)).hear(announce(0));
    script.hear(Event::Controller(FromController::Plan(Plan {
        mode: DistMode::Load,
        reorder: true,
        maxfail: 0,
        start_method: StartMethod::Fork,
        workers: vec![WorkerIndex(0)],
        timeouts: SLOW,
    })));
    script.hear(collected(Peer::Template, &[])).hear(ready(worker(0), 20)).hear(ask(worker(0), 0, false));
    script.hear(seen(0, 1, 0, Phase::Call, 0)).forget();
    script
}

#[test]
fn a_slow_test_is_looked_at_again_and_again_and_left_alone_once_it_has_gone_on() {
    let mut script = until_watched();
    script.wait(Duration::from_millis(999)).wait(Duration::from_millis(1));
    script.hear(looked(worker(0), Why::Slow)).wait(Duration::from_secs(1));
    script.hear(seen(0, 2, 1, Phase::Setup, 0)).hear(looked(worker(0), Why::Slow));
    script.wait(Duration::from_millis(999));
    assert_snapshot!(script, @r#"
    > Tick
    > Tick
      Look { peer: Worker(WorkerIndex(0)), pid: 20, why: Slow, hold: None }
    > Looked { peer: Worker(WorkerIndex(0)), why: Slow, found: Found { stacks: "stacks", native: [] } }
      ToController(Looked(Looked { worker: WorkerIndex(0), pid: 20, why: Slow, item: Some(ItemIndex(0)), phase: Call, doing: "", since: 1000, phase_since: 1000, limit: 3000, stacks: "stacks", native: [] }))
    > Tick
      Look { peer: Worker(WorkerIndex(0)), pid: 20, why: Slow, hold: None }
    > Seen(Worker(WorkerIndex(0)), Sight { sequence: 2, item: Some(ItemIndex(1)), phase: Setup, answered: 0 })
    > Looked { peer: Worker(WorkerIndex(0)), why: Slow, found: Found { stacks: "stacks", native: [] } }
    > Tick
    "#);
}

#[test]
fn a_test_over_its_limit_is_looked_at_and_fails_when_it_is_asked_to() {
    let mut script = until_watched();
    script.wait(Duration::from_secs(3)).hear(looked(worker(0), Why::Limit));
    script.wait(Duration::from_millis(100));
    script.hear(seen(0, 1, 0, Phase::Teardown, 2)).wait(Duration::from_millis(450));
    script.hear(seen(0, 2, 1, Phase::Setup, 2)).wait(Duration::from_millis(500));
    assert_snapshot!(script, @r#"
    > Tick
      Look { peer: Worker(WorkerIndex(0)), pid: 20, why: Limit, hold: Some(2) }
    > Looked { peer: Worker(WorkerIndex(0)), why: Limit, found: Found { stacks: "stacks", native: [] } }
      ToController(Looked(Looked { worker: WorkerIndex(0), pid: 20, why: Limit, item: Some(ItemIndex(0)), phase: Call, doing: "", since: 3000, phase_since: 3000, limit: 3000, stacks: "stacks", native: [] }))
      AskToFail { peer: Worker(WorkerIndex(0)), pid: 20, asked: 2 }
    > Tick
      AskToFail { peer: Worker(WorkerIndex(0)), pid: 20, asked: 2 }
    > Seen(Worker(WorkerIndex(0)), Sight { sequence: 1, item: Some(ItemIndex(0)), phase: Teardown, answered: 2 })
    > Tick
    > Seen(Worker(WorkerIndex(0)), Sight { sequence: 2, item: Some(ItemIndex(1)), phase: Setup, answered: 2 })
    > Tick
    "#);
}

#[test]
fn a_test_that_does_not_fail_when_asked_to_is_ended_and_blamed() {
    let mut script = until_watched();
    script.wait(Duration::from_secs(3)).hear(looked(worker(0), Why::Limit));
    script.wait(Duration::from_millis(500)).wait(Duration::from_millis(500));
    script.hear(closed(worker(0), 1, Phase::Call)).hear(exited(20, "signal 9 (SIGKILL)"));
    assert_snapshot!(script, @r#"
    > Tick
      Look { peer: Worker(WorkerIndex(0)), pid: 20, why: Limit, hold: Some(2) }
    > Looked { peer: Worker(WorkerIndex(0)), why: Limit, found: Found { stacks: "stacks", native: [] } }
      ToController(Looked(Looked { worker: WorkerIndex(0), pid: 20, why: Limit, item: Some(ItemIndex(0)), phase: Call, doing: "", since: 3000, phase_since: 3000, limit: 3000, stacks: "stacks", native: [] }))
      AskToFail { peer: Worker(WorkerIndex(0)), pid: 20, asked: 2 }
    > Tick
      Terminate(20)
    > Tick
      Kill(20)
    > Closed { peer: Worker(WorkerIndex(0)), fault: None, position: 1, phase: Call }
    > Exited { pid: 20, cause: "signal 9 (SIGKILL)" }
      Kill(20)
      ToController(Down(Down { worker: WorkerIndex(0), crashed: true, item: Some(ItemIndex(0)), phase: Call, cause: "signal 9 (SIGKILL)", innocent: false, hung: true }))
    "#);
}

#[test]
fn a_test_that_began_just_before_its_process_was_ended_is_not_to_blame() {
    let mut script = until_watched();
    script.wait(Duration::from_secs(3)).hear(looked(worker(0), Why::Limit));
    script.wait(Duration::from_millis(500)).wait(Duration::from_millis(500)).forget();
    script.hear(ask(worker(0), 1, true)).hear(result(worker(0), 0, true, 0));
    script.hear(closed(worker(0), 2, Phase::Setup)).hear(exited(20, "signal 9 (SIGKILL)"));
    assert_snapshot!(script, @r#"
    > Message(Worker(WorkerIndex(0)), Ask { position: 1, running: true })
      Send(Worker(WorkerIndex(0)), Grant { position: 1, items: [ItemIndex(1)] })
    > Message(Worker(WorkerIndex(0)), Result { item: ItemIndex(0), finished: true, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(0), item: ItemIndex(0), finished: true, duration: 1.0, blob: [] })
    > Closed { peer: Worker(WorkerIndex(0)), fault: None, position: 2, phase: Setup }
    > Exited { pid: 20, cause: "signal 9 (SIGKILL)" }
      Kill(20)
      ToController(Down(Down { worker: WorkerIndex(0), crashed: true, item: None, phase: Setup, cause: "signal 9 (SIGKILL)", innocent: true, hung: false }))
    "#);
}

#[test]
fn a_worker_that_does_not_exit_is_looked_at_and_ended() {
    let mut script = until_watched();
    script.hear(bye(worker(0))).wait(Duration::from_secs(3)).hear(looked(worker(0), Why::Limit));
    script.wait(Duration::from_millis(500)).hear(closed(worker(0), 1, Phase::Finish));
    script.hear(exited(20, "signal 9 (SIGKILL)"));
    assert_snapshot!(script, @r#"
    > Message(Worker(WorkerIndex(0)), Bye([]))
      ToController(Bye { worker: WorkerIndex(0), blob: [] })
    > Tick
      Look { peer: Worker(WorkerIndex(0)), pid: 20, why: Limit, hold: None }
    > Looked { peer: Worker(WorkerIndex(0)), why: Limit, found: Found { stacks: "stacks", native: [] } }
      ToController(Looked(Looked { worker: WorkerIndex(0), pid: 20, why: Limit, item: None, phase: Call, doing: "exiting", since: 3000, phase_since: 3000, limit: 3000, stacks: "stacks", native: [] }))
      Terminate(20)
    > Tick
      Kill(20)
    > Closed { peer: Worker(WorkerIndex(0)), fault: None, position: 1, phase: Finish }
    > Exited { pid: 20, cause: "signal 9 (SIGKILL)" }
      Kill(20)
      ToController(Down(Down { worker: WorkerIndex(0), crashed: false, item: None, phase: Finish, cause: "signal 9 (SIGKILL)", innocent: false, hung: true }))
      Send(Template, Exit)
      ToController(Finished(Finished { done: 0, not_run: [ItemIndex(0), ItemIndex(1), ItemIndex(2), ItemIndex(3), ItemIndex(4), ItemIndex(5)], interrupted: [] }))
    "#);
}
