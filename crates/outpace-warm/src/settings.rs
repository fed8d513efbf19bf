//! What the project says of warm runs, in `[tool.outpace]` of its `pyproject.toml`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml_edit::{Document, Item, TableLike};

/// The settings; what is not understood is the Python side's to refuse, which reads the same table.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Runs of the `outpace` command are warm without `--warm`.
    pub warm: bool,
    /// How long a server waits for the next run before it ends.
    pub idle: Duration,
    /// Layers that are older are made anew.
    pub age: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { warm: false, idle: Duration::from_secs(30 * 60), age: Duration::from_secs(4 * 60 * 60) }
    }
}

const MARKERS: [&str; 6] = ["pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", "setup.py", ".git"];

/// The project that a folder belongs to: the nearest one with something that says so, else the folder itself.
pub fn project_of(folder: &Path) -> PathBuf {
    folder
        .ancestors()
        .find(|each| MARKERS.iter().any(|name| each.join(name).exists()))
        .unwrap_or(folder)
        .to_owned()
}

/// The settings of the project in this folder.
pub fn settings_of(project: &Path) -> Settings {
    fs::read_to_string(project.join("pyproject.toml"))
        .map_or_else(|_| Settings::default(), |text| parse(&text))
}

fn parse(text: &str) -> Settings {
    let mut settings = Settings::default();
    if !text.contains("warm") {
        return settings;
    }
    let Ok(document) = text.parse::<Document<String>>() else { return settings };
    let table = document.get("tool").and_then(Item::as_table_like).and_then(|tool| tool.get("outpace"));
    let Some(table) = table.and_then(Item::as_table_like) else { return settings };
    settings.warm = table.get("warm").and_then(Item::as_bool).unwrap_or(false);
    if let Some(idle) = minutes(table, "warm-idle") {
        settings.idle = idle;
    }
    if let Some(age) = minutes(table, "warm-age") {
        settings.age = age;
    }
    settings
}

fn minutes(table: &dyn TableLike, key: &str) -> Option<Duration> {
    let value = table.get(key)?;
    #[expect(clippy::cast_precision_loss, reason = "minutes")]
    let minutes = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))?;
    Duration::try_from_secs_f64(minutes * 60.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_minutes() {
        let settings = parse("[tool.outpace]\nwarm = true\nwarm-idle = 0.5\nwarm-age = 60\n");
        let (idle, age) = (Duration::from_secs(30), Duration::from_secs(3600));
        assert_eq!(settings, Settings { warm: true, idle, age });
    }

    #[test]
    fn what_is_not_understood_is_the_default() {
        for text in ["", "[tool.outpace]\nwarm = 3\nwarm-idle = -1", "tool = 1 # warm", "[tool.outpace\nwarm"]
        {
            assert_eq!(parse(text), Settings::default(), "{text}");
        }
    }
}
