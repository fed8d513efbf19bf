//! Tests that are known to compute, in a run with more workers than cores.

use std::collections::HashMap;
use std::time::Duration;

use insta::assert_snapshot;
use outpace_model::{Expected, Phase};
use outpace_protocol::{FromController, StartMethod};
use outpace_supervise::{Event, Load, Peer, Recollection};

use crate::script::Script;
use crate::stories::{announce, ask, closed, collected_many, exited, plan_for, ready, result, worker};

const COMPUTES: Expected = Expected { wall: 1.0, cpu: 0.9 };
const WAITS: Expected = Expected { wall: 1.0, cpu: 0.1 };

/// One core, two workers: the pool added one. Each of them has its first test.
fn script(expected: &[Expected]) -> Script {
    script_of(1, expected, &[])
}

/// So many cores, one worker more, and each but the last has its first test.
fn script_of(cores: u32, expected: &[Expected], unsteady: &[usize]) -> Script {
    let ids = (0..expected.len()).map(|item| format!("test_a.py::t{item}"));
    let tests: HashMap<String, Expected> = ids.zip(expected.iter().copied()).collect();
    let unsteady = unsteady.iter().map(|item| format!("test_a.py::t{item}")).collect();
    let known = Recollection { tests, unsteady, cores: f64::from(cores), ..Recollection::default() };
    let tests = u32::try_from(expected.len()).unwrap_or(0);
    let (span, idle) = (1.0, f64::from(cores));
    let load = Load { span, cores: idle, idle, room: 8, in_setup: Vec::new(), asleep: Vec::new() };
    let pid = |index| 20 + i32::try_from(index).unwrap_or(0);
    let mut script = Script::default();
    script.hear(Event::Controller(FromController::Template { argv: Vec::new() }));
    script.hear(Event::Controller(FromController::History { path: String::new(), root: String::new() }));
    script.hear(Event::Controller(FromController::Elastic { most: cores + 1 }));
    for index in 0..cores {
        script.hear(announce(index));
    }
    script.hear(plan_for(StartMethod::Fork, cores)).hear(Event::Recalled(Ok(known)));
    script.hear(collected_many(Peer::Template, &[], tests));
    for index in 0..cores {
        script.hear(ready(worker(index), pid(index))).hear(ask(worker(index), 0, false));
    }
    script.wait(Duration::from_secs(1)).hear(Event::Load(load));
    script.hear(announce(cores)).hear(ready(worker(cores), pid(cores))).forget();
    script
}

#[test]
fn who_would_take_the_core_from_another_waits_with_its_test() {
    let mut script = script(&[COMPUTES; 4]);
    script.hear(ask(worker(1), 0, false));
    script.hear(ask(worker(0), 1, true)).hear(result(worker(0), 0, true, 0));
    script.hear(result(worker(1), 1, true, 0));
    assert_snapshot!(script, @r"
    > Message(Worker(WorkerIndex(1)), Ask { position: 0, running: false })
      Send(Worker(WorkerIndex(1)), Hold)
      Send(Worker(WorkerIndex(1)), Grant { position: 0, items: [ItemIndex(1)] })
    > Message(Worker(WorkerIndex(0)), Ask { position: 1, running: true })
      Send(Worker(WorkerIndex(0)), Hold)
      Send(Worker(WorkerIndex(0)), Grant { position: 1, items: [ItemIndex(2)] })
    > Message(Worker(WorkerIndex(0)), Result { item: ItemIndex(0), finished: true, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(0), item: ItemIndex(0), finished: true, duration: 1.0, blob: [] })
      Send(Worker(WorkerIndex(1)), Go)
    > Message(Worker(WorkerIndex(1)), Result { item: ItemIndex(1), finished: true, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(1), item: ItemIndex(1), finished: true, duration: 1.0, blob: [] })
      Send(Worker(WorkerIndex(0)), Go)
    ");
}

#[test]
fn tests_that_wait_take_no_turn() {
    let mut script = script(&[COMPUTES, WAITS, WAITS, WAITS]);
    script.hear(ask(worker(1), 0, false));
    assert_snapshot!(script, @r"
    > Message(Worker(WorkerIndex(1)), Ask { position: 0, running: false })
      Send(Worker(WorkerIndex(1)), Grant { position: 0, items: [ItemIndex(1)] })
    ");
}

#[test]
fn a_turn_goes_on_when_its_worker_dies() {
    let mut script = script(&[COMPUTES; 4]);
    script.hear(ask(worker(1), 0, false));
    script.hear(closed(worker(0), 1, Phase::Call)).hear(exited(20, "signal 9 (SIGKILL)"));
    assert_snapshot!(script, @r#"
    > Message(Worker(WorkerIndex(1)), Ask { position: 0, running: false })
      Send(Worker(WorkerIndex(1)), Hold)
      Send(Worker(WorkerIndex(1)), Grant { position: 0, items: [ItemIndex(1)] })
    > Closed { peer: Worker(WorkerIndex(0)), fault: None, position: 1, phase: Call }
    > Exited { pid: 20, cause: "signal 9 (SIGKILL)" }
      Kill(20)
      ToController(Down(Down { worker: WorkerIndex(0), crashed: true, item: Some(ItemIndex(0)), phase: Call, cause: "signal 9 (SIGKILL)", innocent: false, hung: false }))
      Send(Worker(WorkerIndex(1)), Go)
    "#);
}

#[test]
fn who_waits_for_long_with_a_core_does_not_keep_it() {
    let mut script = script(&[COMPUTES; 4]);
    script.hear(ask(worker(1), 0, false)).wait(Duration::from_secs(2)).wait(Duration::from_secs(2));
    assert_snapshot!(script, @r"
    > Message(Worker(WorkerIndex(1)), Ask { position: 0, running: false })
      Send(Worker(WorkerIndex(1)), Hold)
      Send(Worker(WorkerIndex(1)), Grant { position: 0, items: [ItemIndex(1)] })
    > Tick
    > Tick
      Send(Worker(WorkerIndex(1)), Go)
    ");
}

#[test]
fn a_stop_ends_the_wait() {
    let mut script = script(&[COMPUTES; 4]);
    script.hear(ask(worker(1), 0, false));
    script.hear(Event::Controller(FromController::Stop { interrupt: false, kill: false }));
    assert_snapshot!(script, @r"
    > Message(Worker(WorkerIndex(1)), Ask { position: 0, running: false })
      Send(Worker(WorkerIndex(1)), Hold)
      Send(Worker(WorkerIndex(1)), Grant { position: 0, items: [ItemIndex(1)] })
    > Controller(Stop { interrupt: false, kill: false })
      Halt(0)
      Halt(1)
      Send(Worker(WorkerIndex(1)), Shutdown)
    ");
}

#[test]
fn a_test_that_ends_now_so_now_so_has_a_core_beside_it_free() {
    let mut script = script_of(2, &[COMPUTES, COMPUTES, WAITS, WAITS, COMPUTES], &[2]);
    script.hear(ask(worker(2), 0, false));
    script.hear(result(worker(0), 0, true, 0)).hear(result(worker(1), 1, true, 0));
    script.hear(ask(worker(0), 1, false)).hear(ask(worker(1), 1, false));
    script.hear(result(worker(2), 2, true, 0));
    assert_snapshot!(script, @r"
    > Message(Worker(WorkerIndex(2)), Ask { position: 0, running: false })
      Send(Worker(WorkerIndex(2)), Hold)
      Send(Worker(WorkerIndex(2)), Grant { position: 0, items: [ItemIndex(2)] })
    > Message(Worker(WorkerIndex(0)), Result { item: ItemIndex(0), finished: true, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(0), item: ItemIndex(0), finished: true, duration: 1.0, blob: [] })
    > Message(Worker(WorkerIndex(1)), Result { item: ItemIndex(1), finished: true, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(1), item: ItemIndex(1), finished: true, duration: 1.0, blob: [] })
      Send(Worker(WorkerIndex(2)), Go)
    > Message(Worker(WorkerIndex(0)), Ask { position: 1, running: false })
      Send(Worker(WorkerIndex(0)), Grant { position: 1, items: [ItemIndex(3)] })
    > Message(Worker(WorkerIndex(1)), Ask { position: 1, running: false })
      Send(Worker(WorkerIndex(1)), Hold)
      Send(Worker(WorkerIndex(1)), Grant { position: 1, items: [ItemIndex(4)] })
    > Message(Worker(WorkerIndex(2)), Result { item: ItemIndex(2), finished: true, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(2), item: ItemIndex(2), finished: true, duration: 1.0, blob: [] })
      Send(Worker(WorkerIndex(1)), Go)
    ");
}

#[test]
fn where_there_is_one_core_it_has_that() {
    let mut script = script_of(1, &[WAITS, COMPUTES, WAITS], &[0]);
    script.hear(ask(worker(1), 0, false)).hear(result(worker(0), 0, true, 0));
    assert_snapshot!(script, @r"
    > Message(Worker(WorkerIndex(1)), Ask { position: 0, running: false })
      Send(Worker(WorkerIndex(1)), Hold)
      Send(Worker(WorkerIndex(1)), Grant { position: 0, items: [ItemIndex(1)] })
    > Message(Worker(WorkerIndex(0)), Result { item: ItemIndex(0), finished: true, failures: 0, duration: 1.0, blob: [] })
      ToController(Result { worker: WorkerIndex(0), item: ItemIndex(0), finished: true, duration: 1.0, blob: [] })
      Send(Worker(WorkerIndex(1)), Go)
    ");
}
