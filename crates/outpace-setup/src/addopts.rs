//! What a project's `addopts` says about workers.

/// The words about workers in a list of arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// What `-n` says, and which words say it: the index of the first and how many.
    pub(crate) workers: Option<(String, usize, usize)>,
    /// `-p no:xdist` or `-p no:outpace`: which plugin is switched off.
    pub(crate) switched_off: Option<&'static str>,
    /// `--tx` or `-d`: the project distributes in a way of its own.
    pub(crate) own_distribution: bool,
}

pub(crate) fn read<S: AsRef<str>>(words: &[S]) -> Said {
    let mut said = Said::default();
    let mut index = 0;
    while let Some(word) = words.get(index).map(AsRef::as_ref) {
        let next = words.get(index + 1).map(AsRef::as_ref);
        if let Some((value, taken)) = workers(word, next) {
            said.workers = Some((value, index, taken));
        }
        let plugin = if word == "-p" { next } else { word.strip_prefix("-p") };
        match plugin.map(str::trim) {
            Some("no:xdist") => said.switched_off = Some("xdist"),
            Some("no:outpace") => said.switched_off = Some("outpace"),
            _ => {}
        }
        said.own_distribution |= word == "-d" || word == "--tx" || word.starts_with("--tx=");
        let takes_next =
            matches!(word, "-k" | "-m" | "-p" | "-c" | "-o" | "-W" | "-r" | "-n" | "--numprocesses");
        index += if takes_next { 2 } else { 1 };
    }
    said
}

fn workers(word: &str, next: Option<&str>) -> Option<(String, usize)> {
    if word == "-n" || word == "--numprocesses" {
        return next.map(|value| (value.to_owned(), 2));
    }
    let value = word.strip_prefix("--numprocesses=").or_else(|| word.strip_prefix("-n"))?;
    Some((value.trim_start_matches(['=', ' ']).to_owned(), 1))
}

/// Words of a command line with where they stand; `None` where a quotation does not end.
pub(crate) fn split(text: &str) -> Option<Vec<(String, std::ops::Range<usize>)>> {
    let mut words = Vec::new();
    let mut word: Option<(String, usize)> = None;
    let mut quote = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match quote {
            Some(q) if c == q => quote = None,
            Some('"') if c == '\\' && chars.peek().is_some_and(|(_, next)| matches!(next, '"' | '\\')) => {
                let (_, escaped) = chars.next()?;
                word.get_or_insert((String::new(), at)).0.push(escaped);
            }
            None if c.is_whitespace() => {
                if let Some((text, start)) = word.take() {
                    words.push((text, start..at));
                }
            }
            None if c == '\'' || c == '"' => {
                word.get_or_insert((String::new(), at));
                quote = Some(c);
            }
            None if c == '\\' => {
                let (_, escaped) = chars.next()?;
                word.get_or_insert((String::new(), at)).0.push(escaped);
            }
            _ => word.get_or_insert((String::new(), at)).0.push(c),
        }
    }
    if quote.is_some() {
        return None;
    }
    if let Some((found, start)) = word {
        words.push((found, start..text.len()));
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_say_workers_is_read() {
        for (line, expected) in [
            ("-n 4", Some("4")),
            ("-n4 -q", Some("4")),
            ("-n=4", Some("4")),
            ("-ra --numprocesses=auto", Some("auto")),
            ("--numprocesses logical", Some("logical")),
            ("-k '-n 4'", None),
            ("-m -n4", None),
            ("--no-header -q", None),
            ("-n 2 -n 3", Some("3")),
        ] {
            let words: Vec<String> = split(line).unwrap().into_iter().map(|(word, _)| word).collect();
            assert_eq!(read(&words).workers.map(|(value, ..)| value).as_deref(), expected, "{line}");
        }
        assert_eq!(read(&["-p", "no:xdist"]).switched_off, Some("xdist"));
        assert_eq!(read(&["-pno:outpace"]).switched_off, Some("outpace"));
        assert!(read(&["-d", "--tx", "2*popen"]).own_distribution);
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        let words =
            |line| split(line).map(|words| words.into_iter().map(|(word, _)| word).collect::<Vec<_>>());
        assert_eq!(words("a 'b c'\t\"d \\\" e\"f\\ g").unwrap(), ["a", "b c", "d \" ef g"]);
        assert_eq!(words("''").unwrap(), [""]);
        assert_eq!(words("a 'b"), None);
        let spans: Vec<_> = split(" -ra  -q").unwrap().into_iter().map(|(_, span)| span).collect();
        assert_eq!(spans, [1..4, 6..8]);
    }
}
