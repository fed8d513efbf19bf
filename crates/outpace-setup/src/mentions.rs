//! Places that install pytest by name and are no lists: named, not edited.

use crate::plan::Draft;
use crate::requirement;
use crate::text::lines;

pub(crate) fn note(draft: &mut Draft<'_>) {
    for (file, text) in &draft.project.files {
        let is_code = matches!(file.as_str(), "noxfile.py" | "setup.py" | "Dockerfile" | ".gitlab-ci.yml");
        if !is_code && !file.starts_with(".github/") {
            continue;
        }
        let installs: Vec<usize> = lines(text)
            .enumerate()
            .filter(|(_, (_, line))| installs(file, line))
            .map(|(number, _)| number + 1)
            .collect();
        if let [first, ..] = installs[..] {
            draft.note(format!(
                "{file}:{first} installs pytest by name: add outpace there, or `-n` is unknown to it"
            ));
        }
    }
}

fn installs(file: &str, line: &str) -> bool {
    let is_list = if file == "setup.py" { line.contains(['"', '\'']) } else { line.contains("install") };
    let line = line.split('#').next().unwrap_or_default();
    let words =
        || line.split(|c: char| c.is_whitespace() || "\"',()[]".contains(c)).filter_map(requirement::name);
    is_list && words().any(|name| requirement::is_runner(&name)) && !words().any(|name| name == "outpace")
}
