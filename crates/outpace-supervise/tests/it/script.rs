//! A run that is told events one by one, and what it answered, one line each.

use std::fmt;
use std::time::Duration;

use outpace_supervise::{Action, Event, Run};

#[derive(Default)]
pub(crate) struct Script {
    run: Run,
    now: Duration,
    said: Vec<String>,
}

impl Script {
    pub(crate) fn hear(&mut self, event: Event) -> &mut Self {
        let mut heading = format!("{event:?}");
        heading.truncate(heading.find("collection: ").unwrap_or(heading.len()));
        self.said.push(format!("> {heading}"));
        let actions = self.run.handle(event, self.now);
        self.said.extend(actions.iter().map(line));
        self
    }

    pub(crate) fn wait(&mut self, pause: Duration) -> &mut Self {
        self.now += pause;
        self.hear(Event::Tick)
    }

    /// What was said so far belongs to another story.
    pub(crate) fn forget(&mut self) {
        self.said.clear();
    }
}

fn line(action: &Action) -> String {
    format!("  {action:?}")
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said.join("\n"))
    }
}
