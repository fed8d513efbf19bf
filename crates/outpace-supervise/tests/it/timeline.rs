//! What is said for a timeline: when, and what for.

use std::time::Duration;

use outpace_model::ItemIndex;
use outpace_protocol::{
    Demands, FromController, FromWorker, Marks, Need, Resource, ToController, Waited, WaitedFor,
};
use outpace_supervise::{Action, Event, Run};

use crate::marked::{peer, testing};

const SECOND: u64 = 1_000_000;

/// What is said about waiting, and the time said just before it.
fn waits(actions: &[Action]) -> Vec<(u64, Waited)> {
    let said: Vec<&ToController> = actions
        .iter()
        .filter_map(|action| match action {
            Action::ToController(message) => Some(message),
            _ => None,
        })
        .collect();
    said.windows(2)
        .filter_map(|pair| match pair {
            [ToController::At { at }, ToController::Waited(waited)] => Some((*at, waited.clone())),
            _ => None,
        })
        .collect()
}

fn asks(run: &mut Run, worker: u32, position: u32, seconds: u64) -> Vec<(u64, Waited)> {
    let ask = FromWorker::Ask { position, running: false };
    waits(&run.handle(Event::Message(peer(worker), ask), Duration::from_secs(seconds)))
}

fn ends(run: &mut Run, worker: u32, item: u32, seconds: u64) -> Vec<(u64, Waited)> {
    let item = ItemIndex(item);
    let result = FromWorker::Result { item, finished: true, failures: 0, duration: 1.0, blob: Vec::new() };
    waits(&run.handle(Event::Message(peer(worker), result), Duration::from_secs(seconds)))
}

fn with_timeline(items: u32, marks: Marks) -> Run {
    let mut run = testing(items, marks);
    let at = 100 * SECOND;
    run.handle(Event::Controller(FromController::Timeline { at }), Duration::ZERO);
    run
}

#[test]
fn a_worker_that_waits_for_the_others_before_a_serial_test_waits_for_serial() {
    let marks = Marks { serial: vec![ItemIndex(0)], ..Marks::default() };
    let run = &mut with_timeline(3, marks);
    assert_eq!(asks(run, 0, 0, 0), []);
    assert_eq!(asks(run, 1, 0, 0), []);
    ends(run, 0, 1, 2);
    assert_eq!(asks(run, 0, 1, 2), [], "it begins to wait");
    ends(run, 1, 2, 5);
    let (at, waited) = asks(run, 1, 1, 5).remove(0);
    assert_eq!((at, waited.worker.0, waited.why), (105 * SECOND, 0, WaitedFor::Serial));
    assert_eq!(waited.micros, 3 * SECOND);
}

#[test]
fn a_worker_that_waits_for_a_resource_names_it() {
    let resource = |name: &str| Resource { name: name.into(), capacity: 1, values: Vec::new() };
    let needs = |resource| vec![Need { resource, amount: 1, lasting: false }];
    let db = Demands { items: vec![ItemIndex(0), ItemIndex(1)], needs: needs(1) };
    let marks =
        Marks { resources: vec![resource("gpu"), resource("db")], demands: vec![db], ..Marks::default() };
    let run = &mut with_timeline(2, marks);
    assert_eq!(asks(run, 0, 0, 0), []);
    assert_eq!(asks(run, 1, 0, 1), []);
    let told = ends(run, 0, 0, 4);
    let expected = Waited {
        worker: outpace_model::WorkerIndex(1),
        why: WaitedFor::Resource,
        resources: vec!["db".into()],
        micros: 3 * SECOND,
    };
    assert_eq!(told, [(104 * SECOND, expected)]);
}

#[test]
fn nothing_is_said_of_time_unless_it_was_asked_for() {
    let marks = Marks { serial: vec![ItemIndex(0)], ..Marks::default() };
    let run = &mut testing(3, marks);
    let mut actions = Vec::new();
    for (worker, position, running) in [(0, 0, false), (1, 0, false), (0, 1, true), (1, 1, true)] {
        let ask = FromWorker::Ask { position, running };
        actions.extend(run.handle(Event::Message(peer(worker), ask), Duration::from_secs(1)));
    }
    let is_time = |action: &Action| {
        matches!(action, Action::ToController(ToController::At { .. } | ToController::Waited(_)))
    };
    assert!(!actions.iter().any(is_time));
}
