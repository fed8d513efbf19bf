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
    let ids = (0..expected.len()).map(|item| format!("test_a.py::t{item}"));
    let tests: HashMap<String, Expected> = ids.zip(expected.iter().copied()).collect();
    let known = Recollection { tests, cores: 1.0, ..Recollection::default() };
    let tests = u32::try_from(expected.len()).unwrap_or(0);
    let load = Load { span: 1.0, cores: 1.0, idle: 1.0, room: 8, in_setup: Vec::new(), asleep: Vec::new() };
    let mut script = Script::default();
    for event in [
        Event::Controller(FromController::Template { argv: Vec::new() }),
        Event::Controller(FromController::History { path: String::new(), root: String::new() }),
        Event::Controller(FromController::Elastic { most: 2 }),
        announce(0),
        plan_for(StartMethod::Fork, 1),
        Event::Recalled(Ok(known)),
        collected_many(Peer::Template, &[], tests),
        ready(worker(0), 20),
        ask(worker(0), 0, false),
    ] {
        script.hear(event);
    }
    script.wait(Duration::from_secs(1)).hear(Event::Load(load));
    script.hear(announce(1)).hear(ready(worker(1), 21)).forget();
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
