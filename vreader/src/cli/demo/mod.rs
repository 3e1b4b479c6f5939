//! `vreader demo`: what happens to a card, from a session of a minute to its whole life, in commands that anyone can type.
//!
//! | file | what |
//! |---|---|
//! | `session` | one card, command by command: identify, wrong PIN, locked, unlock, sign |
//! | `issue`, `lock`, `unlock`, `renew`, `activate`, `replace` | the flows of card management, each a story |
//! | `stage` | where a story plays: a private PC/SC world and a folder; runs what is on the screen, and looks whether it did what it says |
//! | `state` | card and database, before and after |
//! | `exchange` | what passed between the program and the card, in words |
//! | `screen` | colours, tables |
//!
//! Promise: the line behind a `$` is the line that ran, in a shell; a step that does not end as its story says ends the demo with
//! status 1.

#[cfg(feature = "cms")]
mod activate;
#[cfg(feature = "cms")]
mod exchange;
#[cfg(feature = "cms")]
mod issue;
#[cfg(feature = "cms")]
mod lock;
#[cfg(feature = "cms")]
mod message;
#[cfg(feature = "cms")]
mod renew;
#[cfg(feature = "cms")]
mod replace;
mod screen;
mod session;
#[cfg(feature = "cms")]
mod stage;
#[cfg(feature = "cms")]
mod state;
#[cfg(feature = "cms")]
mod unlock;

use std::time::Instant;

use self::screen::{Colour, Screen};
#[cfg(feature = "cms")]
use self::stage::Stage;
use super::{Failure, Outcome};

/// Shows what happens to a card, step by step, with cards in a private PC/SC world that is gone afterwards.
///
/// Each step shows the command that a person would type, which is what runs; what it printed; what passed between it and the card; and
/// what changed on the card and in the database. A step that does not end as it should ends the demo with status 1.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader demo\n  vreader demo renew\n  vreader demo all --color never\n  vreader demo --seed 7"
)]
pub(super) struct Arguments {
    /// What to show
    #[arg(value_enum, default_value = "session")]
    story: Story,
    /// Show the same card and the same bytes each time; for the session, whose commands have no dates
    #[arg(long)]
    seed: Option<u64>,
    /// When to use colours; auto: in a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto")]
    color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Story {
    /// One card, command by command: identify, a wrong PIN until it locks, unlock, sign
    Session,
    /// From a blank card to one that its holder uses
    #[cfg(feature = "cms")]
    Issue,
    /// Three wrong PINs, and a card that its issuer locks
    #[cfg(feature = "cms")]
    Lock,
    /// Unlock code, temporary PIN, challenge and response
    #[cfg(feature = "cms")]
    Unlock,
    /// Three years later: new certificates, and old mail
    #[cfg(feature = "cms")]
    Renew,
    /// The PIV certificate of an old Common Access Card
    #[cfg(feature = "cms")]
    Activate,
    /// A card that was forgotten, and one that was lost
    #[cfg(feature = "cms")]
    Replace,
    /// Each of them in turn
    All,
}

impl Story {
    /// Those that `all` shows.
    const EACH: &[Self] = &[
        Self::Session,
        #[cfg(feature = "cms")]
        Self::Issue,
        #[cfg(feature = "cms")]
        Self::Lock,
        #[cfg(feature = "cms")]
        Self::Unlock,
        #[cfg(feature = "cms")]
        Self::Renew,
        #[cfg(feature = "cms")]
        Self::Activate,
        #[cfg(feature = "cms")]
        Self::Replace,
    ];

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Tells it; returns how many steps it had.
    fn tell(self, screen: &Screen, seed: Option<u64>) -> Result<usize, Failure> {
        #[cfg(feature = "cms")]
        let staged = |tell: fn(&mut Stage<'_>) -> Outcome| {
            let mut stage = Stage::build(screen)?;
            tell(&mut stage).map(|()| stage.steps())
        };
        match self {
            Self::Session => session::run(screen, seed),
            #[cfg(feature = "cms")]
            Self::Issue => staged(issue::tell),
            #[cfg(feature = "cms")]
            Self::Lock => staged(lock::tell),
            #[cfg(feature = "cms")]
            Self::Unlock => staged(unlock::tell),
            #[cfg(feature = "cms")]
            Self::Renew => staged(renew::tell),
            #[cfg(feature = "cms")]
            Self::Activate => staged(activate::tell),
            #[cfg(feature = "cms")]
            Self::Replace => staged(replace::tell),
            Self::All => all(screen),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    if arguments.seed.is_some() && arguments.story != Story::Session {
        return Err(Failure(
            "--seed is for the session only: the other demos draw keys in several programs".into(),
        ));
    }
    arguments.story.tell(&Screen::new(arguments.color), arguments.seed).map(drop)
}

/// Each in turn, and how long it took.
fn all(screen: &Screen) -> Result<usize, Failure> {
    let begun = Instant::now();
    let (mut rows, mut steps) = (Vec::new(), 0);
    for story in Story::EACH {
        let begun = Instant::now();
        screen.title(&format!("vreader demo {}", story.name()))?;
        let count = story
            .tell(screen, None)
            .map_err(|Failure(why)| Failure(format!("demo {}: {why}", story.name())))?;
        steps += count;
        rows.push([story.name(), format!("{count} steps"), seconds(begun)]);
    }
    rows.push(["all".into(), format!("{steps} steps"), seconds(begun)]);
    screen.title("every step ended as it says")?;
    screen.table(&rows)?;
    Ok(steps)
}

fn seconds(begun: Instant) -> String {
    format!("{:.1} s", begun.elapsed().as_secs_f64())
}
