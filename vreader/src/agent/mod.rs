//! The agent that stands beside a card holder: it asks the card management system about each card that is put in, shows
//! a notice if something is pending, and runs the update that the holder agrees to.
//!
//! It does what HID's documentation says of ActivClient's "auto-update" (ActivClient 7.4 to 9.7):
//! * A card is asked about when it is put in, not more often than once in an [interval](Settings::interval) while
//!   nothing is pending for it; a pending request is offered at every insertion until it is carried out.
//! * Nothing pending: not a word.
//! * A notice is answered with proceed or dismiss. A card that is taken out takes its notice along; one that nobody answers
//!   counts as dismissed. Each time the request stays pending.
//! * What a check and an update need, and what is missing, is told item by item ([`Missing`]).
//! * What an update has changed counts when the card was taken out and put back; the agent says so.
//!
//! | file | holds |
//! |---|---|
//! | `machine` | [`Agent`]: events in, actions out; no clock, no input, no output |
//! | `memory` | for which cards nothing was pending, and when; its file |
//! | `report` | what the agent says, for people and as JSON |
//! | `settings` | choices and limits, as an administrator writes them |
//! | `span` | lengths of time, as people write them |
//! | `choice` | what a holder answers |
//! | `management` | what an agent asks of a management system |
//! | `port` | the way to a management system of this project |
//! | `prerequisite` | what must be there for a check, and for an update |
//! | `shell` | the agent at work: threads for what takes time, one place where all meets |
//! | `watch` | cards that come and go, behind a PC/SC socket |
//! | `manual` | the check that a person asks for |

mod choice;
mod machine;
mod management;
mod manual;
mod memory;
#[cfg(feature = "cms")]
mod port;
mod prerequisite;
mod report;
mod settings;
mod shell;
mod span;
mod watch;

#[cfg(feature = "cms")]
pub use self::port::Port;
pub use self::{
    choice::Choice,
    machine::{Action, Agent, Answer, Event, Moment, Visit},
    management::{
        CheckError, IdentifyError, ManagementSystem, Order, PendingNotice, Session, Unreachable, UpdateError,
        Updated, Version, VersionError,
    },
    manual::{ManualCheck, ManualError, Outcome, find_reader},
    memory::{Memory, MemoryError, default_file},
    prerequisite::{Deed, Missing, Prerequisite},
    report::{Report, Withdrawal},
    settings::{Settings, SettingsError},
    shell::{Office, Sender, Shell, ShellError},
    span::{SpanError, parse as parse_span},
    watch::watch,
};
