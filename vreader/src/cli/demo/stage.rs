//! Where a story plays: a private PC/SC world with one empty reader, as `vreader serve --empty` makes it, and a folder of its own.
//!
//! A step is a line that a shell runs in this folder, with this program as `vreader`. Promise: what a story says of a step is looked
//! at: exit status, output, and the rows of [`State`] afterwards.

use std::{
    env, fs,
    io::{self, Read},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use vreader::{
    reader::ReaderSettings,
    run::{Control, DEFAULT_READER, World, WorldSettings},
    trace,
};

use super::{exchange, screen::Screen, state::State};
use crate::cli::{Failure, Outcome, print};

/// A place for a story.
pub(super) struct Stage<'a> {
    screen: &'a Screen,
    world: World,
    /// For `vreader ctl`.
    _control: Control,
    folder: PathBuf,
    /// The folder where `vreader` is this program.
    programs: PathBuf,
    state: State,
    steps: usize,
}

impl<'a> Stage<'a> {
    pub(super) fn build(screen: &'a Screen) -> Result<Self, Failure> {
        let world = World::with(&WorldSettings::default())?;
        world.add(ReaderSettings::new(DEFAULT_READER), None)?;
        let control = Control::start(&world, None)?;
        // They go with the world.
        let folder = world.folder().join("demo");
        let programs = world.folder().join("bin");
        let cannot =
            |what: &str, error: &io::Error| Failure(format!("cannot make {what} for the demo: {error}"));
        for made in [&folder, &programs] {
            fs::create_dir(made).map_err(|error| cannot(&made.display().to_string(), &error))?;
        }
        let this = env::current_exe().map_err(|error| cannot("a copy of this program", &error))?;
        symlink(this, programs.join("vreader")).map_err(|error| cannot("a link to this program", &error))?;
        Ok(Self { screen, world, _control: control, folder, programs, state: State::default(), steps: 0 })
    }

    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// The world's PC/SC socket.
    pub(super) fn socket(&self) -> &Path {
        self.world.socket()
    }

    /// A new part of the story.
    pub(super) fn part(&self, heading: &str) -> Outcome {
        self.screen.heading(heading)
    }

    /// A sentence to the audience.
    pub(super) fn say(&self, text: &str) -> Outcome {
        self.screen.say(text)
    }

    /// The row of the state about this has this in it now.
    pub(super) fn insist(&self, what: &str, how: &str) -> Outcome {
        let now = self.state.get(what);
        let wrong = || Failure(format!("'{what}' is '{now}', and '{how}' should be in it"));
        if now.contains(how) { Ok(()) } else { Err(wrong()) }
    }

    /// So many rows of the state are about this now.
    pub(super) fn insist_on(&self, wanted: usize, what: &str) -> Outcome {
        let there = self.state.count(what);
        let wrong = || Failure(format!("'{what}' is there {there} times, and should be {wanted} times"));
        if there == wanted { Ok(()) } else { Err(wrong()) }
    }

    /// The last digits of the serial number of a certificate on the card.
    pub(super) fn serial(&self, purpose: &str) -> String {
        let certificate = self.state.get(&format!("on the card: {purpose}"));
        certificate.split(',').next().unwrap_or_default().to_owned()
    }

    /// A step that does what it is asked.
    pub(super) fn done(&mut self, line: impl Into<String>) -> Step<'_, 'a> {
        Step {
            stage: self,
            line: line.into(),
            refused: false,
            says: Vec::new(),
            leads_to: Vec::new(),
            changes_nothing: false,
            quiet: false,
        }
    }

    /// A step that is refused.
    pub(super) fn refused(&mut self, line: impl Into<String>) -> Step<'_, 'a> {
        Step { refused: true, ..self.done(line) }
    }

    /// Steps that only prepare the scene: nobody needs to see what passed.
    pub(super) fn prepare(&mut self, lines: &[&str]) -> Outcome {
        for line in lines {
            self.done(*line).quiet().run()?;
        }
        Ok(())
    }

    /// Runs a line in a shell. Returns its exit status and everything that it printed.
    fn shell(&self, line: &str) -> Result<(ExitStatus, String), Failure> {
        let cannot = |error: io::Error| Failure(format!("cannot run a shell: {error}"));
        let (mut reader, writer) = io::pipe().map_err(cannot)?;
        let mut path = self.programs.clone().into_os_string();
        path.push(":");
        path.push(env::var_os("PATH").unwrap_or_default());
        let mut command: Command = self.world.command("sh");
        command.args(["-c", line]).current_dir(&self.folder).env("PATH", path).env_remove("VREADER_CMS");
        command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(cannot)?).stderr(writer);
        let mut child = command.spawn().map_err(cannot)?;
        // Otherwise the pipe would have no end.
        drop(command);
        let mut output = Vec::new();
        reader.read_to_end(&mut output).map_err(cannot)?;
        let status = child.wait().map_err(cannot)?;
        Ok((status, String::from_utf8_lossy(&output).into_owned()))
    }
}

/// A command, and what has to come of it.
#[must_use = "it has to be run"]
pub(super) struct Step<'b, 'a> {
    stage: &'b mut Stage<'a>,
    line: String,
    refused: bool,
    says: Vec<String>,
    leads_to: Vec<(String, String)>,
    changes_nothing: bool,
    quiet: bool,
}

impl Step<'_, '_> {
    /// This is in what it prints.
    pub(super) fn says(mut self, text: impl Into<String>) -> Self {
        self.says.push(text.into());
        self
    }

    /// The row of the state about this begins like this afterwards.
    pub(super) fn leads_to(mut self, what: impl Into<String>, how: impl Into<String>) -> Self {
        self.leads_to.push((what.into(), how.into()));
        self
    }

    /// Only the command and what it printed are shown.
    pub(super) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Card and database are afterwards what they were before.
    pub(super) fn changes_nothing(mut self) -> Self {
        self.changes_nothing = true;
        self
    }

    /// Runs it, shows it, and looks whether it did what it says. Returns what it printed.
    pub(super) fn run(self) -> Result<String, Failure> {
        let stage = &mut *self.stage;
        stage.steps += 1;
        stage.screen.command(&self.line)?;
        let seen = stage.world.events().last().map_or(0, |event| event.number);
        let (status, printed) = stage.shell(&self.line)?;
        for line in printed.lines() {
            print(format!("  {line}").trim_end())?;
            print("\n")?;
        }
        let events: Vec<_> = stage.world.events().into_iter().filter(|event| event.number > seen).collect();
        let state = State::look(stage.world.socket(), &stage.folder)?;
        let changes = state.changes_since(&stage.state);
        stage.state = state;
        if !self.quiet {
            stage.screen.exchange(&exchange::in_words(&trace::exchanges(&events)))?;
            stage.screen.changes(&changes)?;
        }
        self.judge(status, &printed, &changes)?;
        Ok(printed)
    }

    fn judge(&self, status: ExitStatus, printed: &str, changes: &[[String; 3]]) -> Outcome {
        let wrong =
            |what: String| Err(Failure(format!("the step '{}' did not end as it says: {what}", self.line)));
        let expected = if self.refused {
            "it should have been refused with exit status 1"
        } else {
            "it should have succeeded"
        };
        if status.code() != Some(i32::from(self.refused)) {
            return wrong(format!("{status}, and {expected}"));
        }
        if let Some(text) = self.says.iter().find(|text| !printed.contains(text.as_str())) {
            return wrong(format!("it should have printed '{text}'"));
        }
        if self.changes_nothing && !changes.is_empty() {
            return wrong("it should have changed nothing".into());
        }
        for (what, how) in &self.leads_to {
            let now = self.stage.state.get(what);
            if !now.starts_with(how.as_str()) {
                return wrong(format!("afterwards '{what}' is '{now}', and should be '{how}'"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::screen::Colour;

    /// A story is only worth something if a step that does not do what it says ends it.
    #[test]
    fn a_step_that_does_not_end_as_it_says_fails() {
        let screen = Screen::new(Colour::Never);
        let mut stage = Stage::build(&screen).expect("a stage");
        let error =
            |result: Result<String, Failure>| result.map_or_else(|Failure(why)| why, |_| String::new());
        stage.prepare(&["echo hello", "test -z \"$VREADER_CMS\""]).expect("two lines");
        assert_eq!(
            stage.done("echo one; echo two >&2").says("one\ntwo").changes_nothing().run().expect("a line"),
            "one\ntwo\n"
        );
        let cases = [
            (stage.done("exit 1").run(), "exit status: 1, and it should have succeeded"),
            (stage.refused("exit 0").run(), "exit status: 0, and it should have been refused"),
            (stage.refused("exit 2").run(), "exit status: 2, and it should have been refused"),
            (stage.done("echo one").says("two").run(), "it should have printed 'two'"),
            (
                stage.done("echo one").leads_to("card 1", "ISSUED").run(),
                "'card 1' is '-', and should be 'ISSUED'",
            ),
        ];
        for (result, why) in cases {
            let found = error(result);
            assert!(found.contains(why), "{found}");
        }
        assert_eq!(stage.steps(), 8);
    }
}
