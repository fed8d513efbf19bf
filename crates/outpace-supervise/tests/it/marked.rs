//! Serial tests and resources, told as what each worker is answered.

use std::time::Duration;

use outpace_model::{DistMode, ItemIndex, WorkerIndex};
use outpace_protocol::{
    Collection, Demands, FromController, FromWorker, Marks, Need, Plan, Resource, StartMethod, ToWorker,
};
use outpace_supervise::{Action, Event, Peer, Run};

pub(crate) fn peer(number: u32) -> Peer {
    Peer::Worker(WorkerIndex(number))
}

/// A run with two forked workers that has collected so many tests.
pub(crate) fn testing(items: u32, marks: Marks) -> Run {
    let mut run = Run::new();
    let workers = vec![WorkerIndex(0), WorkerIndex(1)];
    let plan = Plan {
        mode: DistMode::Load,
        reorder: true,
        maxfail: 0,
        start_method: StartMethod::Fork,
        timeouts: outpace_protocol::Timeouts::default(),
        workers: workers.clone(),
    };
    let node_ids = (0..items).map(|item| format!("test_a.py::t{item}")).collect();
    let collection = Collection { node_ids, marks, ..Collection::default() };
    let collected = FromWorker::Collected { collection, payload: Vec::new() };
    let mut events = vec![Event::Controller(FromController::Template { argv: Vec::new() })];
    events.extend(
        workers
            .iter()
            .map(|worker| Event::Controller(FromController::Worker { worker: *worker, input: Vec::new() })),
    );
    events.extend([Event::Controller(FromController::Plan(plan)), Event::Message(Peer::Template, collected)]);
    let ready = |number| Event::Message(peer(number), FromWorker::Ready { pid: 20, info: Vec::new() });
    events.extend([ready(0), ready(1)]);
    for event in events {
        run.handle(event, Duration::ZERO);
    }
    run
}

/// What the workers are told.
fn told(actions: &[Action]) -> Vec<String> {
    let line = |action: &Action| match action {
        Action::Send(Peer::Worker(worker), ToWorker::Grant { items, .. }) => {
            Some(format!("{worker}: {:?}", items.iter().map(|item| item.0).collect::<Vec<u32>>()))
        }
        Action::Send(Peer::Worker(worker), ToWorker::Lease { environ, .. }) => {
            Some(format!("{worker}: {environ:?}"))
        }
        Action::Send(Peer::Worker(worker), message) => Some(format!("{worker}: {message:?}")),
        _ => None,
    };
    actions.iter().filter_map(line).collect()
}

fn asks(run: &mut Run, worker: u32, position: u32, running: bool) -> Vec<String> {
    let ask = FromWorker::Ask { position, running };
    told(&run.handle(Event::Message(peer(worker), ask), Duration::ZERO))
}

fn ends(run: &mut Run, worker: u32, item: u32) -> Vec<String> {
    let item = ItemIndex(item);
    let result = FromWorker::Result { item, finished: true, failures: 0, duration: 1.0, blob: Vec::new() };
    told(&run.handle(Event::Message(peer(worker), result), Duration::ZERO))
}

#[test]
fn a_serial_test_starts_when_the_other_worker_has_torn_down_and_then_that_one_waits() {
    let marks = Marks { serial: vec![ItemIndex(0), ItemIndex(1)], ..Marks::default() };
    let run = &mut testing(4, marks);
    assert_eq!(asks(run, 0, 0, false), ["gw0: [2]"]);
    assert_eq!(asks(run, 1, 0, false), ["gw1: [3]"]);
    assert_eq!(asks(run, 0, 1, true), ["gw0: Nothing"], "it tears everything down");
    assert_eq!(ends(run, 0, 2), [""; 0]);
    assert_eq!(asks(run, 0, 1, false), [""; 0], "it waits for the other one");
    assert_eq!(asks(run, 1, 1, true), ["gw1: [0]"], "which goes on with them");
    assert_eq!(ends(run, 1, 3), [""; 0]);
    assert_eq!(asks(run, 1, 2, true), ["gw1: [1]"]);
    assert_eq!(ends(run, 1, 0), ["gw0: Shutdown"], "nothing is left for it");
    assert_eq!(asks(run, 1, 3, true), ["gw1: Nothing"]);
    assert_eq!(ends(run, 1, 1), [""; 0]);
    assert_eq!(asks(run, 1, 3, false), ["gw1: Shutdown"]);
}

#[test]
fn a_serial_test_is_not_taken_from_a_worker_that_is_slow_to_start_it() {
    let marks = Marks { serial: vec![ItemIndex(0), ItemIndex(1), ItemIndex(2)], ..Marks::default() };
    let run = &mut testing(3, marks);
    assert_eq!(asks(run, 0, 0, false), ["gw0: [0]"]);
    assert_eq!(asks(run, 1, 0, false), [""; 0]);
    assert_eq!(asks(run, 0, 1, true), ["gw0: [1]"], "it is to find the fixtures of the one before");
    for milliseconds in [10, 100, 1000] {
        let actions = run.handle(Event::Tick, Duration::from_millis(milliseconds));
        assert_eq!(actions, [], "an idle worker has no use for it");
    }
}

#[test]
fn a_test_is_told_which_value_it_has() {
    let marks = Marks {
        resources: vec![Resource { name: "GPU".to_owned(), capacity: 1, values: vec!["seven".to_owned()] }],
        demands: vec![Demands {
            items: vec![ItemIndex(0), ItemIndex(1)],
            needs: vec![Need { resource: 0, amount: 1, lasting: false }],
        }],
        ..Marks::default()
    };
    let run = &mut testing(4, marks);
    assert_eq!(asks(run, 0, 0, false), [r#"gw0: {"GPU": "seven"}"#, "gw0: [0]"]);
    assert_eq!(asks(run, 1, 0, false), ["gw1: [3]"], "what is not held back");
    assert_eq!(asks(run, 0, 1, true), [r#"gw0: {"GPU": "seven"}"#, "gw0: [1]"], "the holder goes on");
    assert_eq!(ends(run, 0, 0), [""; 0]);
    assert_eq!(asks(run, 0, 2, true), ["gw0: [2]"]);
}
