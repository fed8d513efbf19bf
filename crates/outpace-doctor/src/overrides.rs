//! What can be said in `pyproject.toml`, so that tests which cannot run side by side do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Serialize;

use crate::finding::{Class, Finding, Report};
use crate::record::Round;
use crate::thing::{Kind, Thing};

/// One `[[tool.outpace.overrides]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Override {
    /// Which tests.
    pub filter: String,
    /// A resource that they use one at a time.
    pub resource: Option<String>,
    /// Why they run alone and in order.
    pub serial: Option<String>,
    /// What it is for.
    pub comment: String,
}

/// The override for a finding; none where an override is no answer.
pub(crate) fn patch(finding: &Finding, serial: &Round) -> Option<Override> {
    let ids: BTreeSet<&str> = match finding.class {
        Class::ParallelOnly | Class::Order | Class::Alone if finding.proof.is_some() => finding.involved(),
        Class::ParallelOnly | Class::Time => finding.tests.iter().map(|test| test.id.as_str()).collect(),
        _ => return None,
    };
    let filter = filter(&ids, serial);
    let (resource, serial, comment) = match (finding.class, &finding.on) {
        (Class::ParallelOnly, Some(thing)) => (Some(resource(thing)), None, format!("they meet on {thing}")),
        (Class::ParallelOnly, None) if finding.proof.is_some() => {
            let name = finding.sides.first().map_or("", |side| side.id.as_str());
            (Some(format!("what {name} uses")), None, "they fail beside each other".to_owned())
        }
        (Class::Time, _) => (None, Some("depends on time".to_owned()), "it depends on time".to_owned()),
        (Class::Order | Class::Alone, Some(thing)) => {
            (None, Some(format!("order matters: {thing}")), "the order of these tests matters".to_owned())
        }
        (Class::Order | Class::Alone, None) => {
            (None, Some("order matters".to_owned()), "the order of these tests matters".to_owned())
        }
        _ => (None, Some("fails only in parallel".to_owned()), "it fails only in parallel".to_owned()),
    };
    Some(Override { filter, resource, serial, comment })
}

fn resource(thing: &Thing) -> String {
    let short = thing.name.rsplit('/').next().unwrap_or(&thing.name);
    match thing.kind {
        Kind::Port => format!("port {short}"),
        Kind::Database => format!("database {short}"),
        Kind::Server => format!("server {short}"),
        Kind::Listing | Kind::Tree => format!("folder {short}"),
        _ => format!("file {short}"),
    }
}

/// A filter for exactly these of all tests: whole files, whole functions, single tests.
fn filter(ids: &BTreeSet<&str>, serial: &Round) -> String {
    let file = |id: &str| id.split("::").next().unwrap_or_default().to_owned();
    let function = |id: &str| id.split('[').next().unwrap_or_default().to_owned();
    let count = |of: &dyn Fn(&str) -> String, ids: &mut dyn Iterator<Item = &str>| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for id in ids {
            *counts.entry(of(id)).or_default() += 1;
        }
        counts
    };
    let all: BTreeSet<&str> = serial.tests.iter().map(|test| test.id.as_str()).collect();
    let files = (count(&file, &mut all.iter().copied()), count(&file, &mut ids.iter().copied()));
    let functions = (count(&function, &mut all.iter().copied()), count(&function, &mut ids.iter().copied()));
    let mut terms: Vec<String> = Vec::new();
    for id in ids {
        let (whole, part) = (file(id), function(id));
        let term = if all.contains(id) && files.0.get(&whole) == files.1.get(&whole) {
            format!("file({})", escape(&whole))
        } else if id.contains('[') && functions.0.get(&part) == functions.1.get(&part) {
            format!("test({}[*)", escape(&part))
        } else {
            format!("test({})", escape(id))
        };
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    terms.join(" or ")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (place, character) in text.char_indices() {
        if matches!(character, '*' | '?' | '\\' | '(' | ')') || (place == 0 && character == '/') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn quoted(text: &str) -> String {
    if text.contains('\'') || text.chars().any(char::is_control) {
        let escaped: String = text
            .chars()
            .map(|character| match character {
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                control if control.is_control() => format!("\\u{:04x}", u32::from(control)),
                other => other.to_string(),
            })
            .collect();
        format!("\"{escaped}\"")
    } else {
        format!("'{text}'")
    }
}

/// The overrides of all findings, each once.
pub fn overrides(report: &Report) -> Vec<Override> {
    let mut found: Vec<Override> = Vec::new();
    for patch in report.findings.iter().filter_map(|finding| finding.patch.clone()) {
        if !found.iter().any(|known| known.filter == patch.filter && known.resource == patch.resource) {
            found.push(patch);
        }
    }
    found
}

/// What is to be added at the end of a `pyproject.toml`; overrides that it has already are left out.
pub fn addition(overrides: &[Override], existing: &str) -> String {
    let mut text = String::new();
    for patch in overrides {
        let filter = format!("filter = {}", quoted(&patch.filter));
        if existing.lines().any(|line| line.trim() == filter) {
            continue;
        }
        let _ =
            write!(text, "\n# {}\n[[tool.outpace.overrides]]\n{filter}\n", patch.comment.replace('\n', " "));
        if let Some(resource) = &patch.resource {
            let _ = writeln!(text, "resources = [{}]", quoted(resource));
        }
        if let Some(reason) = &patch.serial {
            let _ = writeln!(text, "serial = {}", quoted(reason));
        }
    }
    text
}
