//! A run as its launcher asks for it: all that it is made of. Two runs with the same [`Request::key`] are the same run.

use std::ffi::OsString;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Variables that say which shell it is, or what it did before, and the folder in which `outpace watch` says what to run;
/// no layer is thrown away for them.
pub(crate) const OF_THE_SHELL: [&str; 5] = ["SHLVL", "_", "OLDPWD", "WINDOWID", "OUTPACE_WATCH"];

/// What is not text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    /// Which of the standard streams are terminals.
    pub terminals: [bool; 3],
    /// The mask of new files.
    pub mask: u32,
    /// Soft and hard limits, by the kernel's numbers.
    pub limits: Vec<(Option<u64>, Option<u64>)>,
    /// Signals that the launcher was started to ignore.
    pub ignored: Vec<i32>,
}

/// How pytest was started, where that was not by the `outpace` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What is `sys.argv[0]`.
    pub name: OsString,
    /// Where Python first looks for modules.
    pub path: OsString,
    /// The interpreter's own options.
    pub flags: Vec<OsString>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The interpreter.
    pub python: PathBuf,
    /// None: the `outpace` command.
    pub program: Option<Program>,
    /// The folder it runs in.
    pub cwd: PathBuf,
    /// pytest's arguments.
    pub args: Vec<OsString>,
    /// The whole environment, sorted.
    pub env: Vec<(OsString, OsString)>,
    /// The rest.
    pub streams: Streams,
}

impl Request {
    /// The text of it, in a file in memory: it may be longer than a message.
    pub(crate) fn write(&self, file: OwnedFd) -> io::Result<OwnedFd> {
        let mut fields = vec![self.python.as_os_str().as_bytes(), self.cwd.as_os_str().as_bytes()];
        let counts = [&self.args, self.flags()].map(|each| each.len().to_string());
        fields.extend(counts.iter().map(String::as_bytes));
        fields.extend(self.args.iter().chain(self.flags()).map(|each| each.as_bytes()));
        fields.push(if self.program.is_some() { b"1" } else { b"0" });
        if let Some(program) = &self.program {
            fields.extend([program.name.as_bytes(), program.path.as_bytes()]);
        }
        for (name, value) in &self.env {
            fields.push(name.as_bytes());
            fields.push(value.as_bytes());
        }
        let mut file = std::fs::File::from(file);
        file.write_all(&fields.join(&0))?;
        Ok(file.into())
    }

    pub(crate) fn read(file: OwnedFd, streams: Streams) -> io::Result<Self> {
        let mut file = std::fs::File::from(file);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut bytes)?;
        Self::parse(&bytes, streams).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    fn parse(bytes: &[u8], streams: Streams) -> Option<Self> {
        let mut fields = bytes.split(|byte| *byte == 0).map(|field| OsString::from_vec(field.to_vec()));
        let (python, cwd) = (PathBuf::from(fields.next()?), PathBuf::from(fields.next()?));
        let mut count = || fields.next()?.to_str()?.parse::<usize>().ok();
        let counts = (count()?, count()?);
        let args: Vec<OsString> = fields.by_ref().take(counts.0).collect();
        let flags: Vec<OsString> = fields.by_ref().take(counts.1).collect();
        let is_whole = args.len() == counts.0 && flags.len() == counts.1;
        let program = match fields.next()?.to_str()? {
            "1" => Some(Program { name: fields.next()?, path: fields.next()?, flags }),
            _ => None,
        };
        let mut env = Vec::new();
        while let Some(name) = fields.next() {
            env.push((name, fields.next()?));
        }
        is_whole.then_some(Self { python, program, cwd, args, env, streams })
    }

    /// The interpreter's own options.
    pub(crate) fn flags(&self) -> &[OsString] {
        self.program.as_ref().map_or(&[], |program| &program.flags)
    }

    /// The same without what may differ between two runs that share layers.
    pub(crate) fn key(&self) -> Self {
        let mut key = self.clone();
        key.env.retain(|(name, _)| !OF_THE_SHELL.iter().any(|shell| name == shell));
        key.streams.ignored = Vec::new();
        key
    }

    /// What was typed, for people.
    pub(crate) fn command(&self) -> String {
        let program = if self.program.is_some() { "pytest" } else { "outpace" };
        let args: Vec<_> = self.args.iter().map(|each| each.to_string_lossy()).collect();
        format!("{program} {}", args.join(" "))
    }

    /// Whether it is a run of `outpace watch`, which collects only what it is to run.
    pub(crate) fn is_narrow(&self) -> bool {
        self.env.iter().any(|(name, _)| name == "OUTPACE_WATCH")
    }

    /// What a run has that its layers may not have.
    pub(crate) fn of_the_shell(&self) -> Vec<(String, String)> {
        let is_one = |name: &OsString| OF_THE_SHELL.iter().any(|shell| name == shell);
        let text = |each: &OsString| each.to_string_lossy().into_owned();
        self.env
            .iter()
            .filter(|(name, _)| is_one(name))
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    /// Why a layer made for the key `other` is of no use to the key `self`; the first reason.
    pub(crate) fn difference(&self, other: &Self) -> String {
        if self.python != other.python {
            return "another interpreter".to_owned();
        }
        if self.cwd != other.cwd {
            return "another folder".to_owned();
        }
        if self.program != other.program {
            return "started in another way".to_owned();
        }
        if self.args != other.args {
            return "other arguments".to_owned();
        }
        if self.env != other.env {
            let only_in = |mine: &Self, theirs: &Self| {
                let found = mine.env.iter().find(|each| !theirs.env.contains(each));
                found.map(|(name, _)| name.to_string_lossy().into_owned())
            };
            let name = only_in(self, other).or_else(|| only_in(other, self));
            return format!("the variable {} changed", name.unwrap_or_default());
        }
        match (&self.streams, &other.streams) {
            (mine, theirs) if mine.terminals != theirs.terminals => "other standard streams".to_owned(),
            (mine, theirs) if mine.mask != theirs.mask => "another umask".to_owned(),
            _ => "other limits".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn streams() -> Streams {
        Streams { terminals: [false; 3], mask: 0o22, limits: vec![(Some(1), None)], ignored: vec![] }
    }

    fn word() -> impl Strategy<Value = OsString> {
        proptest::collection::vec(1u8.., 0..8).prop_map(OsString::from_vec)
    }

    fn request() -> impl Strategy<Value = Request> {
        let env = proptest::collection::vec((word(), word()), 0..4);
        let words = || proptest::collection::vec(word(), 0..4);
        let program = (word(), word(), words()).prop_map(|(name, path, flags)| Program { name, path, flags });
        let program = proptest::option::of(program);
        (word(), program, word(), words(), env).prop_map(|(python, program, cwd, args, env)| Request {
            python: python.into(),
            program,
            cwd: cwd.into(),
            args,
            env,
            streams: streams(),
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(request in request()) {
            let file = outpace_os::memory_file("test").expect("a file");
            let file = request.write(file).expect("written");
            prop_assert_eq!(Request::read(file, streams()).expect("read"), request);
        }

        #[test]
        fn requests_that_differ_have_a_reason(one in request(), other in request()) {
            if one != other {
                prop_assert!(!one.difference(&other).is_empty());
            }
        }
    }

    #[test]
    fn a_variable_of_the_shell_is_no_other_run() {
        let request = |level: &str| Request {
            python: "p".into(),
            program: None,
            cwd: "/".into(),
            args: vec![],
            env: vec![("A".into(), "1".into()), ("SHLVL".into(), level.into())],
            streams: streams(),
        };
        assert_eq!(request("1").key(), request("2").key());
        assert_eq!(request("2").of_the_shell(), [("SHLVL".to_owned(), "2".to_owned())]);
    }
}
