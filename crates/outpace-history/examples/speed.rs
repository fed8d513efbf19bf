//! How long the history of a suite takes to be written and read: `cargo run --release -p outpace-history --example speed`.

use std::time::Instant;

use outpace_history::{Lesson, Lessons, read, write};
use outpace_model::{Costs, Outcome};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    for tests in [100_u16, 10_000, 50_000].map(usize::from).into_iter().chain([100_000]) {
        let path = folder.path().join(format!("{tests}.sqlite3"));
        let lesson = |test: usize| Lesson {
            node_id: format!("tests/unit/test_file_{:04}.py::TestClass::test_name[{test}]", test / 100),
            outcome: Outcome::Passed,
            is_first_of_file: test.is_multiple_of(100),
            is_first_of_worker: test == 0,
            costs: Costs { wall: [1e-4, 3e-4, 1e-4], cpu: [1e-4, 2e-4, 1e-4], ..Costs::default() },
        };
        let lessons = Lessons { tests: (0..tests).map(lesson).collect(), ..Lessons::default() };
        let mut times = Vec::new();
        for run in 0..3 {
            let start = Instant::now();
            if run < 2 {
                write(&path, &lessons)?;
            } else {
                assert_eq!(read(&path)?.tests.len(), tests);
            }
            times.push(start.elapsed().as_millis());
        }
        let size = std::fs::metadata(&path)?.len() / 1024;
        #[expect(clippy::print_stdout, reason = "what it is for")]
        {
            println!(
                "{tests} tests: new {} ms, again {} ms, read {} ms, {size} KiB",
                times[0], times[1], times[2]
            );
        }
    }
    Ok(())
}
