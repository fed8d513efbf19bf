//! Noting what processes paid once for many tests: imports by file, fixtures that outlive a test by where they are
//! defined.

use std::collections::BTreeMap;

use outpace_model::{Expected, Paid, Scope};
use rusqlite::{Connection, params};

use crate::digest::seconds;
use crate::error::HistoryError;

const NOTE_IMPORT: &str = "INSERT INTO file (path, import, import_cpu) VALUES (?1, ?2, ?3)
         ON CONFLICT (path) DO UPDATE SET
             import = coalesce(import + (excluded.import - import) / 2, excluded.import),
             import_cpu = coalesce(import_cpu + (excluded.import_cpu - import_cpu) / 2, excluded.import_cpu)";

/// The averages are of one set-up, and move as those of tests do.
const NOTE_FIXTURE: &str = "INSERT INTO fixture VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9)
         ON CONFLICT (path, name) DO UPDATE SET
             scope = excluded.scope,
             seen_run = excluded.seen_run,
             seen_day = excluded.seen_day,
             workers = excluded.workers,
             times = excluded.times,
             wall = wall + (excluded.wall - wall) / min(runs + 1, 3),
             cpu = cpu + (excluded.cpu - cpu) / min(runs + 1, 3),
             runs = runs + 1";

#[derive(Default)]
struct Sum {
    workers: i64,
    times: u64,
    wall: u64,
    cpu: u64,
}

pub(crate) fn note_paid(
    connection: &Connection,
    paid: &Paid,
    run: i64,
    day: i64,
) -> Result<(), HistoryError> {
    let mut statement = connection.prepare(NOTE_IMPORT)?;
    for each in &paid.imports {
        statement.execute(params![each.path, whole(each.wall), whole(each.cpu)])?;
    }
    let mut sums = BTreeMap::<(&str, &str, Scope), Sum>::new();
    for each in &paid.fixtures {
        let sum = sums.entry((&each.path, &each.name, each.scope)).or_default();
        sum.workers += 1;
        sum.times += u64::from(each.times.max(1));
        sum.wall = sum.wall.saturating_add(each.wall);
        sum.cpu = sum.cpu.saturating_add(each.cpu);
    }
    let mut statement = connection.prepare(NOTE_FIXTURE)?;
    for ((path, name, scope), sum) in sums {
        let Sum { workers, times, wall, cpu } = sum;
        statement.execute(params![
            path,
            name,
            scope as u8,
            run,
            day,
            workers,
            whole(times),
            whole(wall / times),
            whole(cpu / times)
        ])?;
    }
    Ok(())
}

/// What each worker takes for fixtures of the session, those that not every worker needed in part.
pub(crate) fn session_fixtures(connection: &Connection) -> Result<Expected, HistoryError> {
    let sums = connection.query_row(
        "SELECT coalesce(sum(wall * workers), 0), coalesce(sum(cpu * workers), 0), coalesce(max(workers), 1)
             FROM fixture WHERE scope = ?1 AND seen_run = (SELECT max(seen_run) FROM fixture)",
        [Scope::Session as u8],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?.max(1))),
    )?;
    let (wall, cpu, workers) = sums;
    Ok(Expected { wall: seconds(wall / workers), cpu: seconds(cpu / workers) })
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
