//! Any message of any kind.

use outpace_model::{Costs, DistMode, Import, ItemIndex, Paid, Phase, Scope, SetUp, WorkerIndex};
use outpace_protocol::{
    Collection, Demands, Down, Exited, Finished, FromController, FromWorker, Hello, Lend, Looked, Marks,
    Need, Plan, Resource, StartMethod, Started, Timeouts, ToController, ToWorker, Waited, WaitedFor, Why,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn worker() -> impl Strategy<Value = WorkerIndex> {
    any::<u32>().prop_map(WorkerIndex)
}

fn item() -> impl Strategy<Value = ItemIndex> {
    any::<u32>().prop_map(ItemIndex)
}

fn items() -> impl Strategy<Value = Vec<ItemIndex>> {
    vec(item(), 0..20)
}

fn blob() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300)
}

/// Control characters, quotes, other planes.
fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..20).prop_map(String::from_iter)
}

fn hello() -> impl Strategy<Value = Hello> {
    (text(), option::of(any::<u32>()), text()).prop_map(|(version, cpu_quota, cpus)| Hello {
        version,
        cpu_quota,
        cpus,
    })
}

fn start_method() -> impl Strategy<Value = StartMethod> {
    select(&[StartMethod::Auto, StartMethod::Fork, StartMethod::Spawn])
}

fn mode() -> impl Strategy<Value = DistMode> {
    select(&[
        DistMode::Load,
        DistMode::WorkSteal,
        DistMode::LoadScope,
        DistMode::LoadFile,
        DistMode::LoadGroup,
        DistMode::Each,
        DistMode::External,
    ])
}

fn phase() -> impl Strategy<Value = Phase> {
    select(&[Phase::Idle, Phase::Setup, Phase::Call, Phase::Teardown, Phase::Finish, Phase::Start])
}

fn plan() -> impl Strategy<Value = Plan> {
    let timeouts = (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(slow, test, grace)| Timeouts {
        slow,
        test,
        grace,
    });
    (mode(), any::<bool>(), any::<u32>(), start_method(), vec(worker(), 0..9), timeouts).prop_map(
        |(mode, reorder, maxfail, start_method, workers, timeouts)| Plan {
            mode,
            reorder,
            maxfail,
            start_method,
            workers,
            timeouts,
        },
    )
}

pub(crate) fn from_controller() -> impl Strategy<Value = FromController> {
    prop_oneof![
        hello().prop_map(FromController::Hello),
        vec(text(), 0..5).prop_map(|argv| FromController::Template { argv }),
        plan().prop_map(FromController::Plan),
        (worker(), blob()).prop_map(|(worker, input)| FromController::Worker { worker, input }),
        (worker(), any::<bool>()).prop_map(|(worker, requeue)| FromController::Verdict { worker, requeue }),
        (worker(), items()).prop_map(|(worker, items)| FromController::Assign { worker, items }),
        (worker(), items()).prop_map(|(worker, items)| FromController::Unassign { worker, items }),
        worker().prop_map(|worker| FromController::Retire { worker }),
        (any::<bool>(), any::<bool>()).prop_map(|(interrupt, kill)| FromController::Stop { interrupt, kill }),
        item().prop_map(|item| FromController::Requeue { item }),
        any::<u32>().prop_map(|most| FromController::Elastic { most }),
        any::<u32>().prop_map(|times| FromController::Retry { times }),
        any::<u64>().prop_map(|at| FromController::Timeline { at }),
        (any::<u32>(), option::of(text()), text(), any::<bool>(), any::<i32>()).prop_map(
            |(turn, path, why, pause, group)| FromController::Lent { turn, path, why, pause, group }
        ),
        (text(), text()).prop_map(|(path, root)| FromController::History { path, root }),
        Just(FromController::Done),
    ]
}

fn down() -> impl Strategy<Value = Down> {
    (worker(), any::<bool>(), option::of(item()), phase(), text(), any::<bool>(), any::<bool>()).prop_map(
        |(worker, crashed, item, phase, cause, innocent, hung)| Down {
            worker,
            crashed,
            item,
            phase,
            cause,
            innocent,
            hung,
        },
    )
}

fn looked() -> impl Strategy<Value = Looked> {
    let who = (worker(), any::<i32>(), select(&[Why::Slow, Why::Limit, Why::Stop]), option::of(item()));
    let times = (any::<u64>(), any::<u64>(), any::<u64>());
    (who, phase(), times, text(), text(), vec(text(), 0..4)).prop_map(
        |((worker, pid, why, item), phase, (since, phase_since, limit), doing, stacks, native)| Looked {
            worker,
            pid,
            why,
            item,
            phase,
            doing,
            since,
            phase_since,
            limit,
            stacks,
            native,
        },
    )
}

fn waited() -> impl Strategy<Value = Waited> {
    use WaitedFor::{Debugger, Held, Resource, Scheduler, Serial, Tests};
    let why = select(&[Serial, Resource, Held, Debugger, Scheduler, Tests]);
    (worker(), why, vec(text(), 0..3), any::<u64>()).prop_map(|(worker, why, resources, micros)| Waited {
        worker,
        why,
        resources,
        micros,
    })
}

pub(crate) fn to_controller() -> impl Strategy<Value = ToController> {
    prop_oneof![
        looked().prop_map(ToController::Looked),
        hello().prop_map(ToController::Welcome),
        (worker(), blob()).prop_map(|(worker, payload)| ToController::Collected { worker, payload }),
        (worker(), blob()).prop_map(|(worker, info)| ToController::Ready { worker, info }),
        (worker(), item(), any::<bool>(), any::<f64>(), blob()).prop_map(
            |(worker, item, finished, duration, blob)| {
                ToController::Result { worker, item, finished, duration, blob }
            }
        ),
        (worker(), blob()).prop_map(|(worker, blob)| ToController::Event { worker, blob }),
        (worker(), blob()).prop_map(|(worker, blob)| ToController::Bye { worker, blob }),
        down().prop_map(ToController::Down),
        (start_method(), vec(text(), 0..4))
            .prop_map(|(method, reasons)| ToController::Started(Started { method, reasons })),
        (worker(), items()).prop_map(|(worker, items)| ToController::Unscheduled { worker, items }),
        vec(worker(), 0..5).prop_map(|workers| ToController::Different { workers }),
        (any::<u32>(), items(), items()).prop_map(|(done, not_run, interrupted)| {
            ToController::Finished(Finished { done, not_run, interrupted })
        }),
        (any::<u32>(), option::of(text())).prop_map(|(count, why)| ToController::Grow { count, why }),
        (any::<u32>(), option::of((0_u32..=1024).prop_map(|n| f64::from(n) / 1024.0)))
            .prop_map(|(workers, busy)| ToController::Pool { workers, busy }),
        (any::<u32>(), worker(), any::<i32>(), option::of(item()), text(), any::<u32>()).prop_map(
            |(turn, worker, pid, item, doing, waiting)| ToController::Lend(Lend {
                turn,
                worker,
                pid,
                item,
                doing,
                waiting,
            })
        ),
        any::<u32>().prop_map(|turn| ToController::Returned { turn }),
        text().prop_map(|message| ToController::Notice { message }),
        any::<u64>().prop_map(|at| ToController::At { at }),
        waited().prop_map(ToController::Waited),
        text().prop_map(|message| ToController::Fatal { message }),
    ]
}

fn collection() -> impl Strategy<Value = Collection> {
    let tests = prop_oneof![
        vec((text(), Just(None)), 0..10).prop_map(|tests| (tests, false)),
        vec((text(), option::of(text())), 0..10).prop_map(|tests| (tests, true)),
    ];
    (vec(text(), 0..3), tests, vec((item(), any::<u64>()), 0..3), marks(), text()).prop_map(
        |(unsafe_to_fork, (tests, grouped), limits, marks, isolate)| {
            let (node_ids, groups): (Vec<String>, Vec<Option<String>>) = tests.into_iter().unzip();
            let groups = if grouped { groups } else { Vec::new() };
            Collection { unsafe_to_fork, node_ids, groups, limits, marks, isolate }
        },
    )
}

fn marks() -> impl Strategy<Value = Marks> {
    let resource = (text(), any::<u64>(), vec(text(), 0..3)).prop_map(|(name, capacity, values)| Resource {
        name,
        capacity,
        values,
    });
    let need = (any::<u32>(), any::<u64>(), any::<bool>()).prop_map(|(resource, amount, lasting)| Need {
        resource,
        amount,
        lasting,
    });
    let demands = (items(), vec(need, 0..3)).prop_map(|(items, needs)| Demands { items, needs });
    (any::<bool>(), items(), vec(resource, 0..3), vec(demands, 0..3)).prop_map(
        |(serial_first, serial, resources, demands)| {
            let marks = Marks { serial_first, serial, resources, demands };
            // Marks without marked tests do not travel.
            if marks.is_empty() { Marks::default() } else { marks }
        },
    )
}

pub(crate) fn from_worker() -> impl Strategy<Value = FromWorker> {
    prop_oneof![
        hello().prop_map(FromWorker::Hello),
        collection().prop_map(|collection| {
            let payload = collection.encode_payload();
            FromWorker::Collected { collection, payload }
        }),
        (any::<i32>(), blob()).prop_map(|(pid, info)| FromWorker::Ready { pid, info }),
        (item(), any::<bool>(), any::<u32>(), any::<f64>(), blob()).prop_map(
            |(item, finished, failures, duration, blob)| {
                FromWorker::Result { item, finished, failures, duration, blob }
            }
        ),
        (any::<u32>(), any::<bool>()).prop_map(|(position, running)| FromWorker::Ask { position, running }),
        blob().prop_map(FromWorker::Event),
        blob().prop_map(FromWorker::Bye),
        text().prop_map(FromWorker::Status),
        (any::<i32>(), any::<i32>()).prop_map(|(pid, status)| FromWorker::Exited(Exited { pid, status })),
        (worker(), prop_oneof![any::<i32>().prop_map(Ok), text().prop_map(Err)])
            .prop_map(|(worker, outcome)| FromWorker::Forked { worker, outcome }),
        (any::<u32>(), any::<bool>(), any::<u32>(), [0.0_f32..1e6, 0.0..1.0, 0.0..1.0]).prop_map(
            |(item, skipped, growth, wall)| FromWorker::Costs {
                item: ItemIndex(item),
                costs: Costs { skipped, growth, wall, cpu: wall.map(|seconds| seconds / 2.0) },
            },
        ),
        (proptest::collection::vec(import(), 0..3), proptest::collection::vec(set_up(), 0..3))
            .prop_map(|(imports, fixtures)| FromWorker::Paid(Paid { imports, fixtures })),
        Just(FromWorker::Bell),
        Just(FromWorker::Ahead),
        Just(FromWorker::WantTerminal),
        Just(FromWorker::LeaveTerminal),
        proptest::option::of(1..i32::MAX).prop_map(FromWorker::Acting),
        any::<String>().prop_map(FromWorker::Expose),
    ]
}

fn import() -> impl Strategy<Value = Import> {
    (text(), any::<u64>(), any::<u64>()).prop_map(|(path, wall, cpu)| Import { path, wall, cpu })
}

fn set_up() -> impl Strategy<Value = SetUp> {
    let scope =
        prop_oneof![Just(Scope::Class), Just(Scope::Module), Just(Scope::Package), Just(Scope::Session)];
    (text(), text(), scope, any::<u32>(), any::<u64>(), any::<u64>())
        .prop_map(|(path, name, scope, times, wall, cpu)| SetUp { path, name, scope, times, wall, cpu })
}

pub(crate) fn to_worker() -> impl Strategy<Value = ToWorker> {
    prop_oneof![
        (any::<u32>(), blob()).prop_map(|(lane, input)| ToWorker::Init { lane, input }),
        text().prop_map(ToWorker::Isolate),
        (worker(), any::<u32>(), blob()).prop_map(|(worker, lane, input)| ToWorker::Fork {
            worker,
            lane,
            input
        }),
        (any::<u32>(), items()).prop_map(|(position, items)| ToWorker::Grant { position, items }),
        (any::<u32>(), btree_map(text(), text(), 0..3))
            .prop_map(|(position, environ)| ToWorker::Lease { position, environ }),
        Just(ToWorker::Nothing),
        Just(ToWorker::Shutdown),
        Just(ToWorker::Run),
        blob().prop_map(ToWorker::Reference),
        Just(ToWorker::Exit),
        (option::of(text()), text()).prop_map(|(path, why)| ToWorker::Terminal { path, why }),
    ]
}
