//! Every way to misbehave: the run ends, the record says what happened, nobody is left.

use std::time::{Duration, Instant};

use outpace_model::{ItemIndex, Phase};
use outpace_protocol::{FromController, ToController};

use crate::controller::{Controller, VERSION};
use crate::run::{Run, TESTS, worker_command};

fn all() -> Vec<u32> {
    (0..TESTS).collect()
}

fn all_but(item: Option<ItemIndex>) -> Vec<u32> {
    let item = item.expect("a test to blame");
    (0..TESTS).filter(|each| *each != item.0).collect()
}

#[test]
fn workers_that_behave_run_every_test() {
    let mut run = Run::of(&["", ""]);
    let finished = run.finish();
    assert_eq!((run.sorted_results(), finished.done), (all(), TESTS));
    assert!(run.downs.iter().all(|down| !down.crashed), "{:?}", run.downs);
}

#[test]
fn a_crash_names_test_phase_and_signal_and_the_rest_runs() {
    let mut run = Run::of(&["crash", ""]);
    let finished = run.finish();
    let crash = run.crash_of(0);
    assert_eq!((crash.phase, crash.cause.as_str()), (Phase::Call, "signal 11 (SIGSEGV)"));
    assert_eq!((run.sorted_results(), finished.done), (all_but(crash.item), TESTS));
}

#[test]
fn a_replacement_goes_on_where_everybody_crashed() {
    let mut run = Run::of(&["crash"]);
    run.replacements = vec!["crash", ""];
    let finished = run.finish();
    assert_eq!((run.results.len(), finished.done), (TESTS as usize - 2, TESTS));
    assert_eq!(run.downs.iter().filter(|down| down.crashed).count(), 2);
}

#[test]
fn a_worker_that_writes_garbage_is_ended_and_said_so() {
    let mut run = Run::of(&["write garbage", ""]);
    run.finish();
    let crash = run.crash_of(0);
    assert!(crash.cause.starts_with("sent bytes that are not outpace's protocol"), "{}", crash.cause);
    assert_eq!(run.sorted_results(), all_but(crash.item));
}

#[test]
fn half_a_frame_is_a_crash_like_any_other() {
    let mut run = Run::of(&["write half a frame", ""]);
    run.finish();
    let crash = run.crash_of(0);
    assert_eq!(crash.cause, "exit code 3");
    assert_eq!(run.sorted_results(), all_but(crash.item));
}

#[test]
fn a_worker_that_closes_its_socket_is_ended() {
    let mut run = Run::of(&["close the socket", ""]);
    run.finish();
    let crash = run.crash_of(0);
    assert_eq!(crash.cause, "it closed its connection to outpace and was killed");
    assert_eq!(run.sorted_results(), all_but(crash.item));
}

#[test]
fn an_orphan_that_keeps_the_socket_open_holds_nothing_up() {
    let mut run = Run::of(&["leave an orphan", ""]);
    run.until(|run| !run.downs.is_empty() || run.results.len() == TESTS as usize - 1);
    run.note_processes();
    run.finish();
    let crash = run.crash_of(0);
    assert_eq!(crash.cause, "exit code 4");
    assert_eq!(run.sorted_results(), all_but(crash.item));
}

#[test]
fn a_test_that_is_reported_twice_has_one_result() {
    let mut run = Run::of(&["report twice", "report twice"]);
    let finished = run.finish();
    assert_eq!((run.sorted_results(), finished.done), (all(), TESTS));
}

#[test]
fn a_worker_that_starts_slowly_is_waited_for() {
    let mut run = Run::of(&["slow start", ""]);
    let finished = run.finish();
    assert_eq!((run.sorted_results(), finished.done), (all(), TESTS));
}

#[test]
fn a_test_that_hangs_ends_with_the_stop() {
    let mut run = Run::of(&["hang", "hang"]);
    run.until(|run| run.begun.len() == 2);
    run.note_processes();
    assert!(run.pids.len() >= 2, "{:?}", run.pids);
    run.controller.send(&FromController::Stop { interrupt: false, kill: true });
    let finished = run.finish();
    assert_eq!(
        (finished.done, finished.interrupted.len(), finished.not_run.len()),
        (0, 2, TESTS as usize - 2)
    );
}

#[test]
fn a_flood_that_nobody_reads_is_kept_and_delivered_in_order() {
    let mut run = Run::of(&["flood"]);
    std::thread::sleep(Duration::from_millis(500));
    let finished = run.finish();
    assert_eq!(finished.done, TESTS);
    let numbers: Vec<u32> =
        run.events.iter().map(|blob| u32::from_le_bytes([blob[0], blob[1], blob[2], blob[3]])).collect();
    let expected: Vec<u32> = (0..TESTS).flat_map(|_| 0..400).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn when_the_controller_vanishes_everything_ends() {
    let mut run = Run::of(&["hang", "hang"]);
    run.until(|run| run.begun.len() == 2);
    run.note_processes();
    let start = Instant::now();
    run.controller.hang_up();
    assert!(run.controller.wait());
    run.assert_nobody_is_left();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn a_controller_of_another_version_is_told_so() {
    let mut controller = Controller::start();
    controller.greet("9.9.9");
    let Some(ToController::Fatal { message }) = controller.receive() else { panic!("no refusal") };
    assert!(message.contains(VERSION) && message.contains("9.9.9"), "{message}");
}

#[test]
fn a_controller_that_writes_garbage_ends_the_coordinator_with_an_error() {
    let mut controller = Controller::start();
    controller.write(b"GET / HTTP/1.1\r\n\r\n");
    assert!(!controller.wait(), "the coordinator says that it was given garbage");
}

#[test]
fn a_template_that_cannot_be_started_is_told() {
    let mut controller = Controller::start();
    controller.greet(VERSION);
    assert!(matches!(controller.receive(), Some(ToController::Welcome(_))));
    controller.send(&FromController::Template { argv: vec!["/no/such/python".to_owned()] });
    let Some(ToController::Fatal { message }) = controller.receive() else { panic!("no word of it") };
    assert!(message.starts_with("the test process could not be started"), "{message}");
    assert!(controller.wait());
}

#[test]
fn a_template_of_another_version_does_not_run() {
    let mut controller = Controller::start();
    controller.greet(VERSION);
    assert!(matches!(controller.receive(), Some(ToController::Welcome(_))));
    controller.send(&FromController::Template { argv: worker_command("9.9.9") });
    let worker = outpace_model::WorkerIndex(0);
    controller.send(&FromController::Worker { worker, input: Vec::new() });
    let answer = controller.receive();
    let Some(ToController::Fatal { message }) = answer else { panic!("no refusal: {answer:?}") };
    assert!(message.contains("the process that collects the tests died"), "{message}");
    assert!(controller.wait());
}
