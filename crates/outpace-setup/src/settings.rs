//! `-n auto` and the `serial` marker, where the project keeps its settings of pytest.

mod in_ini;
mod in_toml;

use crate::addopts::Said;
use crate::error::SetupError;
use crate::ini::Ini;
use crate::plan::Draft;
use crate::project::{CONFIG_FILES, Project};
use crate::text::append_block;
use crate::toml::Toml;

const MARKER: &str = "serial(reason=None): no other test runs while this one does";
const PYPROJECT: &str = "pyproject.toml";
/// The first pytest that reads `[tool.pytest]` and `pytest.toml`.
const NATIVE_TOML: u32 = 9;

/// How a file keeps the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A section of an ini file.
    Ini(&'static str),
    /// A table in which values are written as in ini files.
    IniOptions,
    /// A table of pytest 9, with arrays for lists: where it is.
    Native(&'static [&'static str]),
}

/// The file that pytest reads its settings from, as far as this folder says.
pub fn owner(project: &Project) -> Result<Option<&'static str>, SetupError> {
    Ok(find(project)?.map(|(file, _)| file))
}

fn find(project: &Project) -> Result<Option<(&'static str, Form)>, SetupError> {
    for file in CONFIG_FILES {
        let Some(text) = project.text(file).map(|text| text.trim_start_matches('\u{feff}')) else { continue };
        if let Some(form) = form(project, file, text)? {
            return Ok(Some((file, form)));
        }
    }
    Ok(None)
}

/// As pytest decides whether a file has settings for it.
fn form(project: &Project, file: &'static str, text: &str) -> Result<Option<Form>, SetupError> {
    let native = project.pytest.is_none_or(|major| major >= NATIVE_TOML);
    match file {
        "pytest.toml" | ".pytest.toml" => {
            if !native {
                return Ok(None);
            }
            Toml::parse(file, text)?;
            Ok(Some(Form::Native(&["pytest"])))
        }
        PYPROJECT => {
            let toml = Toml::parse(file, text)?;
            let own = toml.keys(&["tool", "pytest"]).iter().any(|key| key != "ini_options");
            let ini_options = toml.get(&["tool", "pytest", "ini_options"]).is_some();
            match (own && native, ini_options) {
                (true, true) => Err(settings_error(
                    file,
                    "[tool.pytest] and [tool.pytest.ini_options] exclude each other",
                    "pytest 9 refuses this file: keep one of the two",
                )),
                (true, false) => Ok(Some(Form::Native(&["tool", "pytest"]))),
                (false, true) => Ok(Some(Form::IniOptions)),
                (false, false) => Ok(None),
            }
        }
        "setup.cfg" => {
            let ini = Ini::parse(file, text)?;
            if !ini.has("tool:pytest") && ini.has("pytest") {
                return Err(settings_error(
                    file,
                    "pytest does not read [pytest] here",
                    "rename the section to [tool:pytest]",
                ));
            }
            Ok(ini.has("tool:pytest").then_some(Form::Ini("tool:pytest")))
        }
        _ => {
            let ini = Ini::parse(file, text)?;
            let always = file != "tox.ini";
            Ok((always || ini.has("pytest")).then_some(Form::Ini("pytest")))
        }
    }
}

/// Edits the settings; the file that has them then.
pub(crate) fn set(draft: &mut Draft<'_>) -> Result<String, SetupError> {
    let found = find(draft.project)?;
    let (file, form) = found.unwrap_or_else(|| {
        if draft.project.has(PYPROJECT) {
            (PYPROJECT, Form::IniOptions)
        } else {
            ("pytest.ini", Form::Ini("pytest"))
        }
    });
    if found.is_none() || needs_section(draft, file, form) {
        create(draft, file, form);
        return Ok(file.to_owned());
    }
    match form {
        Form::Ini(section) => in_ini::set(draft, file, section)?,
        Form::IniOptions => in_toml::set(draft, file, &["tool", "pytest", "ini_options"], false)?,
        Form::Native(table) => in_toml::set(draft, file, table, true)?,
    }
    Ok(file.to_owned())
}

/// A `pytest.ini` or `pytest.toml` counts also when it is empty.
fn needs_section(draft: &Draft<'_>, file: &str, form: Form) -> bool {
    let text = draft.text(file).unwrap_or_default();
    match form {
        Form::Ini(section) => Ini::parse(file, &text).is_ok_and(|ini| !ini.has(section)),
        Form::Native(table) => Toml::parse(file, &text).is_ok_and(|toml| toml.get(table).is_none()),
        Form::IniOptions => false,
    }
}

fn create(draft: &mut Draft<'_>, file: &str, form: Form) {
    let (header, block) = match form {
        Form::Ini(section) => {
            (format!("[{section}]"), format!("[{section}]\naddopts = -n auto\nmarkers =\n    {MARKER}"))
        }
        Form::IniOptions => {
            let header = "[tool.pytest.ini_options]".to_owned();
            (header.clone(), format!("{header}\naddopts = \"-n auto\"\nmarkers = [\"{MARKER}\"]"))
        }
        Form::Native(table) => {
            let header = format!("[{}]", table.join("."));
            (header.clone(), format!("{header}\naddopts = [\"-n\", \"auto\"]\nmarkers = [\"{MARKER}\"]"))
        }
    };
    let text = draft.text(file).unwrap_or_default();
    draft.change(
        file,
        append_block(&text, &block),
        format!("`-n auto` and the serial marker in a new {header}"),
    );
}

/// What is to be done to `addopts`.
enum Workers {
    Add,
    Keep,
    /// The word at this index, and how many words it is: `-n`, `4` or `-n4`.
    Replace(usize, usize),
}

fn decide(draft: &mut Draft<'_>, file: &str, said: Said) -> Result<Workers, SetupError> {
    if let Some(plugin) = said.switched_off {
        let flag = format!("-p no:{plugin}");
        let message = format!("addopts has `{flag}`, which switches parallel runs off");
        return Err(settings_error(
            file,
            &message,
            &format!("take `{flag}` out, then run `outpace init` again"),
        ));
    }
    Ok(match said.workers {
        Some((value, ..)) if value == "auto" || value == "logical" => Workers::Keep,
        Some((_, index, taken)) if draft.wishes.replace_workers => Workers::Replace(index, taken),
        Some((value, ..)) => {
            draft.note_workers(file, value);
            Workers::Keep
        }
        None if said.own_distribution => {
            draft.note(format!("{file}: addopts distributes with -d or --tx, and was kept"));
            Workers::Keep
        }
        None => Workers::Add,
    })
}

fn registers_serial<'a>(mut markers: impl Iterator<Item = &'a str>) -> bool {
    markers.any(|line| line.trim().split([':', '(']).next().is_some_and(|name| name.trim() == "serial"))
}

fn settings_error(file: &str, message: &str, hint: &str) -> SetupError {
    SetupError::Settings { file: file.to_owned(), message: message.to_owned(), hint: hint.to_owned() }
}
