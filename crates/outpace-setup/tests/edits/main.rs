//! What `outpace init` changes in each kind of file, as the diff that it shows.

mod dependencies;
mod settings;
mod targets;

use outpace_setup::{Note, Plan, Project, Wishes, plan};

fn project(files: &[(&str, &str)]) -> Project {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Project { files, pytest: None }
}

fn shown(files: &[(&str, &str)]) -> String {
    show(&plan(&project(files), Wishes::default()).expect("a plan"))
}

fn show(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for change in &plan.changes {
        lines.extend(change.does.iter().map(|does| format!("{}: {does}", change.file)));
        lines.push(change.diff());
    }
    lines.extend(plan.notes.iter().map(|note| match note {
        Note::Text(text) => format!("note: {text}"),
        Note::Workers { file, value } => format!("workers: {file} {value}"),
    }));
    lines.join("\n")
}

/// Only what is added, where nothing is to be taken out.
fn added(files: &[(&str, &str)]) -> String {
    let plan = plan(&project(files), Wishes::default()).expect("a plan");
    let mut lines = Vec::new();
    for change in &plan.changes {
        for line in change.diff().lines().skip(2) {
            if line.starts_with(['+', '-']) {
                lines.push(line.to_owned());
            }
        }
    }
    lines.join("\n")
}
