//! `vectors.json`: one frame of each kind, which the tests of both languages read.
//!
//! Made anew by `cargo test -p outpace-protocol -- --ignored make_the_vectors_anew`. In `fields` a blob is
//! hexadecimal; what is JSON on the wire is the same JSON there.

use outpace_model::{Costs, DistMode, Import, ItemIndex, Paid, Phase, Scope, SetUp, WorkerIndex};
use outpace_protocol::{
    Collection, Demands, Down, Exited, Finished, Frame, FromController, FromWorker, Hello, Lend, Looked,
    Marks, MemoryReport, Need, Peak, Plan, Recycled, Resource, StartMethod, Started, Timeouts, ToController,
    ToWorker, Waited, WaitedFor, Why,
};
use serde_json::{Value, json};

use crate::stream::frame;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors.json");
const BLOB: &[u8] = &[0, 1, 0x7f, 0x80, 0xff];

#[derive(Debug, PartialEq)]
enum Message {
    FromController(FromController),
    ToController(ToController),
    FromWorker(FromWorker),
    ToWorker(ToWorker),
}

impl Message {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::FromController(message) => message.encode(&mut out),
            Self::ToController(message) => message.encode(&mut out),
            Self::FromWorker(message) => message.encode(&mut out),
            Self::ToWorker(message) => message.encode(&mut out),
        }
        out
    }

    /// Decodes a frame that travels in the same direction.
    fn decode_alike(&self, frame: Frame) -> Self {
        match self {
            Self::FromController(_) => FromController::decode(&frame).map(Self::FromController),
            Self::ToController(_) => ToController::decode(&frame).map(Self::ToController),
            Self::FromWorker(_) => FromWorker::decode(frame).map(Self::FromWorker),
            Self::ToWorker(_) => ToWorker::decode(frame).map(Self::ToWorker),
        }
        .expect("a message of our own")
    }
}

type Sample = (&'static str, Message, Value);

fn items() -> Vec<ItemIndex> {
    vec![ItemIndex(0), ItemIndex(7), ItemIndex(70_000)]
}

fn hello() -> Hello {
    Hello { version: "1.2.3".to_owned(), cpu_quota: Some(2), cpus: "2 of 8 cores, by a quota".to_owned() }
}

fn hello_fields() -> Value {
    json!({"version": "1.2.3", "cpu_quota": 2, "cpus": "2 of 8 cores, by a quota"})
}

#[expect(clippy::too_many_lines, reason = "one sample of each kind")]
fn from_controller() -> Vec<Sample> {
    let worker = WorkerIndex(3);
    let plan = Plan {
        mode: DistMode::LoadScope,
        reorder: true,
        maxfail: 5,
        start_method: StartMethod::Spawn,
        workers: vec![WorkerIndex(0), WorkerIndex(1)],
        timeouts: Timeouts { slow: 60_000, test: 1_500, grace: 5_000 },
    };
    let plan_fields = json!({"mode": "loadscope", "reorder": true, "maxfail": 5, "start_method": "spawn", "workers": [0, 1], "timeouts": {"slow": 60_000, "test": 1_500, "grace": 5_000}});
    let (assign, unassign) = (
        FromController::Assign { worker, items: items() },
        FromController::Unassign { worker, items: items() },
    );
    let some = json!({"worker": 3, "items": [0, 7, 70_000]});
    [
        ("HELLO", FromController::Hello(hello()), hello_fields()),
        (
            "TEMPLATE",
            FromController::Template { argv: vec!["python".into(), "-c".into(), "é\"".into()] },
            json!({"argv": ["python", "-c", "é\""]}),
        ),
        ("PLAN", FromController::Plan(plan), plan_fields),
        (
            "WORKER",
            FromController::Worker { worker, input: BLOB.to_vec() },
            json!({"worker": 3, "input": hex(BLOB)}),
        ),
        ("VERDICT", FromController::Verdict { worker, requeue: true }, json!({"worker": 3, "requeue": true})),
        ("ASSIGN", assign, some.clone()),
        ("UNASSIGN", unassign, some),
        ("RETIRE", FromController::Retire { worker }, json!({"worker": 3})),
        (
            "STOP",
            FromController::Stop { interrupt: true, kill: false },
            json!({"interrupt": true, "kill": false}),
        ),
        ("REQUEUE", FromController::Requeue { item: ItemIndex(7) }, json!({"item": 7})),
        ("ELASTIC", FromController::Elastic { most: 32 }, json!({"most": 32})),
        (
            "HISTORY",
            FromController::History { path: "/p/history.sqlite3".into(), root: "/p".into() },
            json!({"path": "/p/history.sqlite3", "root": "/p"}),
        ),
        (
            "TIMELINE",
            FromController::Timeline { at: 1_700_000_000_000_000 },
            json!({"at": 1_700_000_000_000_000_u64}),
        ),
        ("RETRY", FromController::Retry { times: 2 }, json!({"times": 2})),
        (
            "MEMORY",
            FromController::Memory { limit: 4 << 30, report: true },
            json!({"limit": 4_294_967_296_u64, "report": true}),
        ),
        (
            "LENT",
            FromController::Lent {
                turn: 5,
                path: Some("/dev/tty".into()),
                why: String::new(),
                pause: true,
                group: 4000,
            },
            json!({"turn": 5, "path": "/dev/tty", "why": "", "pause": true, "group": 4000}),
        ),
        ("DONE", FromController::Done, json!({})),
    ]
    .map(|(name, message, fields)| (name, Message::FromController(message), fields))
    .into()
}

fn looked() -> Looked {
    Looked {
        worker: WorkerIndex(3),
        pid: 4711,
        why: Why::Limit,
        item: Some(ItemIndex(7)),
        phase: Phase::Teardown,
        doing: String::new(),
        since: 8_005,
        phase_since: 1_200,
        limit: 8_000,
        stacks: "Thread 0x1 (most recent call first):\n".to_owned(),
        native: vec!["state S (sleeping)".to_owned()],
    }
}

fn looked_fields() -> Value {
    json!({
        "worker": 3, "pid": 4711, "why": "limit", "item": 7, "phase": "teardown", "doing": "", "since": 8_005,
        "phase_since": 1_200, "limit": 8_000, "stacks": "Thread 0x1 (most recent call first):\n",
        "native": ["state S (sleeping)"],
    })
}

fn recycled() -> Recycled {
    Recycled { worker: WorkerIndex(3), own: 900, share: 500, limit: 2_000, items: items() }
}

fn waited() -> Waited {
    let resources = vec!["db".to_owned()];
    Waited { worker: WorkerIndex(3), why: WaitedFor::Resource, resources, micros: 250_000 }
}

fn paid() -> Paid {
    Paid {
        imports: vec![Import { path: "a.py".into(), wall: 1_500, cpu: 900 }],
        fixtures: vec![SetUp {
            path: "conftest.py".into(),
            name: "app".into(),
            scope: Scope::Session,
            times: 1,
            wall: 2_000,
            cpu: 700,
        }],
    }
}

fn used() -> MemoryReport {
    let workers = vec![Peak { worker: WorkerIndex(3), resident: 1_200, own: 900, proportional: 1_000 }];
    MemoryReport { limit: 2_000, workers, together: 1_500, unshared: 2_400 }
}

fn to_controller() -> Vec<Sample> {
    let worker = WorkerIndex(3);
    let blob = || BLOB.to_vec();
    let result =
        ToController::Result { worker, item: ItemIndex(7), finished: true, duration: 0.25, blob: blob() };
    let down = Down {
        worker,
        crashed: true,
        item: Some(ItemIndex(7)),
        phase: Phase::Call,
        cause: "signal 11 (SIGSEGV)".to_owned(),
        innocent: false,
        hung: false,
    };
    let finished = Finished { done: 9, not_run: items(), interrupted: vec![ItemIndex(1)] };
    [
        ("WELCOME", ToController::Welcome(hello()), hello_fields()),
        ("COLLECTED", ToController::Collected { worker, payload: blob() }, json!({"worker": 3, "payload": hex(BLOB)})),
        ("READY", ToController::Ready { worker, info: blob() }, json!({"worker": 3, "info": hex(BLOB)})),
        ("RESULT", result, json!({"worker": 3, "item": 7, "finished": 1, "duration": 0.25, "blob": hex(BLOB)})),
        ("EVENT", ToController::Event { worker, blob: blob() }, json!({"worker": 3, "blob": hex(BLOB)})),
        ("BYE", ToController::Bye { worker, blob: blob() }, json!({"worker": 3, "blob": hex(BLOB)})),
        ("DOWN", ToController::Down(down), json!({"worker": 3, "crashed": true, "item": 7, "phase": "call", "cause": "signal 11 (SIGSEGV)", "innocent": false, "hung": false})),
        ("LOOKED", ToController::Looked(looked()), looked_fields()),
        ("STARTED", ToController::Started(Started { method: StartMethod::Fork, reasons: vec!["a thread runs".into()] }), json!({"method": "fork", "reasons": ["a thread runs"]})),
        ("UNSCHEDULED", ToController::Unscheduled { worker, items: items() }, json!({"worker": 3, "items": [0, 7, 70_000]})),
        ("DIFFERENT", ToController::Different { workers: vec![worker] }, json!({"workers": [3]})),
        ("GROW", ToController::Grow { count: 4, why: None }, json!({"count": 4})),
        ("POOL", ToController::Pool { workers: 14, busy: Some(0.75) }, json!({"workers": 14, "busy": 0.75})),
        ("RECYCLED", ToController::Recycled(recycled()), json!({"worker": 3, "own": 900, "share": 500, "limit": 2_000, "items": [0, 7, 70_000]})),
        ("MEMORY_USED", ToController::Memory(used()), json!({"limit": 2_000, "workers": [{"worker": 3, "resident": 1_200, "own": 900, "proportional": 1_000}], "together": 1_500, "unshared": 2_400})),
        ("LEND", ToController::Lend(Lend { turn: 5, worker, pid: 4321, item: Some(ItemIndex(7)), doing: String::new(), waiting: 1 }), json!({"turn": 5, "worker": 3, "pid": 4321, "item": 7, "doing": "", "waiting": 1})),
        ("RETURNED", ToController::Returned { turn: 5 }, json!({"turn": 5})),
        ("FINISHED", ToController::Finished(finished), json!({"done": 9, "not_run": [0, 7, 70_000], "interrupted": [1]})),
        ("NOTICE", ToController::Notice { message: "so".into() }, json!({"message": "so"})),
        ("AT", ToController::At { at: 1_700_000_000_000_000 }, json!({"at": 1_700_000_000_000_000_u64})),
        ("WAITED", ToController::Waited(waited()), json!({"worker": 3, "why": "resource", "resources": ["db"], "micros": 250_000})),
        ("FATAL", ToController::Fatal { message: "it ended".into() }, json!({"message": "it ended"})),
    ]
    .map(|(name, message, fields)| (name, Message::ToController(message), fields))
    .into()
}

fn marks() -> Marks {
    Marks {
        serial_first: true,
        serial: vec![ItemIndex(1)],
        resources: vec![Resource {
            name: "GPU".to_owned(),
            capacity: 2,
            values: ["0", "1"].map(str::to_owned).into(),
        }],
        demands: vec![Demands {
            items: vec![ItemIndex(0)],
            needs: vec![Need { resource: 0, amount: 1, lasting: true }],
        }],
    }
}

/// As `outpace.collection` writes it: its JSON has spaces.
fn collected() -> (FromWorker, Value) {
    let collection = Collection {
        unsafe_to_fork: vec!["a thread runs".to_owned()],
        node_ids: vec!["test_a.py::test[é]".to_owned(), String::new()],
        groups: vec![Some("db".to_owned()), None],
        limits: vec![(ItemIndex(1), 2_500)],
        marks: marks(),
        isolate: "{}".to_owned(),
    };
    let head = concat!(
        r#"{"unsafe_to_fork": ["a thread runs"], "groups": ["db", null], "limits": [[1, 2500]], "marks": {"#,
        r#""demands": [{"items": [0], "needs": [{"amount": 1, "lasting": true, "resource": 0}]}], "#,
        r#""resources": [{"capacity": 2, "name": "GPU", "values": ["0", "1"]}], "#,
        r#""serial": [1], "serial_first": true}, "isolate": "{}"}"#,
    )
    .as_bytes();
    let compact = collection.encode_payload();
    let head_ends = 4 + u32::from_le_bytes([compact[0], compact[1], compact[2], compact[3]]) as usize;
    let mut payload = u32::try_from(head.len()).expect("short").to_le_bytes().to_vec();
    payload.extend(head);
    payload.extend(&compact[head_ends..]);
    let fields = json!({
        "unsafe_to_fork": ["a thread runs"],
        "groups": ["db", null],
        "limits": [[1, 2500]],
        "marks": {
            "demands": [{"items": [0], "needs": [{"amount": 1, "lasting": true, "resource": 0}]}],
            "resources": [{"capacity": 2, "name": "GPU", "values": ["0", "1"]}],
            "serial": [1],
            "serial_first": true,
        },
        "isolate": "{}",
        "node_ids": ["test_a.py::test[é]", ""],
    });
    (FromWorker::Collected { collection, payload }, fields)
}

fn from_worker() -> Vec<Sample> {
    let blob = || BLOB.to_vec();
    let (collected, collected_fields) = collected();
    let result =
        FromWorker::Result { item: ItemIndex(7), finished: true, failures: 2, duration: 0.25, blob: blob() };
    let result_fields = json!({"item": 7, "finished": 1, "failures": 2, "duration": 0.25, "blob": hex(BLOB)});
    [
        ("W_HELLO", FromWorker::Hello(hello()), hello_fields()),
        ("W_COLLECTED", collected, collected_fields),
        ("W_READY", FromWorker::Ready { pid: 4711, info: blob() }, json!({"pid": 4711, "info": hex(BLOB)})),
        ("W_RESULT", result, result_fields),
        (
            "W_ASK",
            FromWorker::Ask { position: 70_000, running: true },
            json!({"position": 70_000, "running": 1}),
        ),
        ("W_EVENT", FromWorker::Event(blob()), json!({"blob": hex(BLOB)})),
        ("W_BYE", FromWorker::Bye(blob()), json!({"blob": hex(BLOB)})),
        (
            "W_EXITED",
            FromWorker::Exited(Exited { pid: 4711, status: 139 }),
            json!({"pid": 4711, "status": 139}),
        ),
        (
            "W_FORKED",
            FromWorker::Forked { worker: WorkerIndex(3), outcome: Ok(4711) },
            json!({"worker": 3, "pid": 4711, "error": null}),
        ),
        ("W_STATUS", FromWorker::Status("collecting é.py".into()), json!({"text": "collecting é.py"})),
        ("W_BELL", FromWorker::Bell, json!({})),
        (
            "W_COSTS",
            FromWorker::Costs {
                item: ItemIndex(7),
                costs: Costs {
                    skipped: true,
                    growth: 70_000,
                    wall: [0.5, 1.25, 0.0],
                    cpu: [0.25, 0.125, 2.0],
                },
            },
            json!({"item": 7, "skipped": 1, "growth": 70_000, "wall": [0.5, 1.25, 0.0], "cpu": [0.25, 0.125, 2.0]}),
        ),
        ("W_PAID", FromWorker::Paid(paid()), json!({
            "imports": [{"path": "a.py", "wall": 1_500, "cpu": 900}],
            "fixtures": [{"path": "conftest.py", "name": "app", "scope": "session", "times": 1, "wall": 2_000, "cpu": 700}],
        })),
        ("W_AHEAD", FromWorker::Ahead, json!({})),
        ("W_WANT_TERMINAL", FromWorker::WantTerminal, json!({})),
        ("W_LEAVE_TERMINAL", FromWorker::LeaveTerminal, json!({})),
        ("W_ACTING", FromWorker::Acting(Some(4711)), json!({"pid": 4711})),
        ("W_EXPOSE", FromWorker::Expose("[::1]:5432".into()), json!({"text": "[::1]:5432"})),
    ]
    .map(|(name, message, fields)| (name, Message::FromWorker(message), fields))
    .into()
}

fn to_worker() -> Vec<Sample> {
    let input = || BLOB.to_vec();
    let fork = ToWorker::Fork { worker: WorkerIndex(3), lane: 2, input: input() };
    [
        ("INIT", ToWorker::Init { lane: 2, input: input() }, json!({"lane": 2, "input": hex(BLOB)})),
        ("ISOLATE", ToWorker::Isolate("{}".to_owned()), json!({"text": "{}"})),
        ("FORK", fork, json!({"worker": 3, "lane": 2, "input": hex(BLOB)})),
        (
            "GRANT",
            ToWorker::Grant { position: 70_000, items: items() },
            json!({"position": 70_000, "items": [0, 7, 70_000]}),
        ),
        (
            "LEASE",
            ToWorker::Lease { position: 7, environ: [("GPU".to_owned(), "1".to_owned())].into() },
            json!({"position": 7, "environ": {"GPU": "1"}}),
        ),
        ("NOTHING", ToWorker::Nothing, json!({})),
        ("SHUTDOWN", ToWorker::Shutdown, json!({})),
        ("RUN", ToWorker::Run, json!({})),
        ("REFERENCE", ToWorker::Reference(input()), json!({"payload": hex(BLOB)})),
        ("EXIT", ToWorker::Exit, json!({})),
        ("HOLD", ToWorker::Hold, json!({})),
        ("GO", ToWorker::Go, json!({})),
        (
            "TERMINAL",
            ToWorker::Terminal { path: None, why: "standard input is no terminal".into() },
            json!({"path": null, "why": "standard input is no terminal"}),
        ),
    ]
    .map(|(name, message, fields)| (name, Message::ToWorker(message), fields))
    .into()
}

fn samples() -> Vec<Sample> {
    [from_controller(), to_controller(), from_worker(), to_worker()].into_iter().flatten().collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).expect("a digit"))
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| {
        char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).expect("a digit")
    };
    text.as_bytes().chunks_exact(2).map(|pair| digit(&pair[0]) << 4 | digit(&pair[1])).collect()
}

fn written() -> String {
    let vector = |(name, message, fields): &Sample| {
        let bytes = message.encode();
        json!({"name": name, "kind": frame(&bytes).kind, "hex": hex(&bytes), "fields": fields})
    };
    let vectors: Vec<Value> = samples().iter().map(vector).collect();
    let text = serde_json::to_string_pretty(&vectors).expect("JSON");
    format!("{text}\n")
}

#[test]
fn the_vectors_are_what_this_version_writes() {
    let stored = std::fs::read_to_string(PATH).expect("vectors.json beside the crate");
    assert!(
        stored == written(),
        "vectors.json is out of date: make it anew, and raise VERSION if a frame changed"
    );
}

#[test]
fn the_vectors_are_what_this_version_reads() {
    let stored = std::fs::read_to_string(PATH).expect("vectors.json beside the crate");
    let vectors: Vec<Value> = serde_json::from_str(&stored).expect("JSON");
    assert_eq!(vectors.len(), samples().len());
    for (vector, (name, message, _)) in vectors.iter().zip(samples()) {
        let bytes = unhex(vector["hex"].as_str().expect("text"));
        assert_eq!(message.decode_alike(frame(&bytes)), message, "{name}");
    }
}

/// Every JSON payload may be written with any spaces: Python writes some.
#[test]
fn spaces_in_json_mean_nothing() {
    for (name, message, fields) in samples() {
        let mut spaced = frame(&message.encode());
        if serde_json::from_slice::<Value>(&spaced.payload).is_ok_and(|payload| payload == fields) {
            spaced.payload = serde_json::to_vec_pretty(&fields).expect("JSON");
            assert_eq!(message.decode_alike(spaced), message, "{name}");
        }
    }
}

#[test]
#[ignore = "writes the file that the other tests read"]
fn make_the_vectors_anew() {
    std::fs::write(PATH, written()).expect("a writable checkout");
}
