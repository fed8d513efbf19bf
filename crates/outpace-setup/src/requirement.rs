//! Names in lists of requirements.

/// The project that a requirement names, normalised: `Pytest_XDist[psutil]>=3` is `pytest-xdist`.
pub(crate) fn name(requirement: &str) -> Option<String> {
    let text = requirement.trim();
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let follows = rest.trim_start();
    let goes_on = follows.is_empty()
        || follows.starts_with(['[', '<', '>', '=', '!', '~', ';', '@', '(', '#', ',', '\\']);
    // `requests --hash=…` is a requirement, `pip install x` is none.
    let is_requirement = begins && (goes_on || follows.starts_with("--"));
    is_requirement.then(|| normalise(name))
}

fn normalise(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_ascii_lowercase()
}

/// What outpace stands beside: these need it as soon as `-n` is in `addopts`.
pub(crate) fn is_runner(name: &str) -> bool {
    matches!(name, "pytest" | "pytest-xdist")
}

/// `; python_version > "3.8"` of a requirement, with the semicolon.
pub(crate) fn marker(requirement: &str) -> &str {
    requirement.find(';').map_or("", |at| requirement[at..].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_and_only_requirements_have_one() {
        for (text, expected) in [
            ("pytest", Some("pytest")),
            (" Pytest_XDist[psutil]>=3 ; python_version > '3.8'", Some("pytest-xdist")),
            ("pytest.xdist", Some("pytest-xdist")),
            ("pytest==8.0 \\", Some("pytest")),
            ("pytest # why", Some("pytest")),
            ("pytest @ https://example.org/pytest.whl", Some("pytest")),
            ("pytest --hash=sha256:00", Some("pytest")),
            ("pytest-cov", Some("pytest-cov")),
            ("-r base.txt", None),
            ("# pytest", None),
            ("./pytest", None),
            ("pytest tests", None),
            ("", None),
        ] {
            assert_eq!(name(text).as_deref(), expected, "{text}");
        }
    }
}
