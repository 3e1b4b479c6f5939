//! The agent's decisions: what happened comes in, what is to be done goes out. No clock, no input, no output.
//!
//! A card that is put in is a [`Visit`] until it is taken out. What becomes of one:
//!
//! | stage | goes on when | to |
//! |---|---|---|
//! | `New` | the agent has run for the delay, and no update runs | `Identifying` |
//! | `Identifying` | the card says who it is, and is due | `Asking` |
//! | `Asking` | the management system answers in time: something is pending | `Queued` |
//! | `Queued` | no other notice is shown, and no update runs | `Noticed` |
//! | `Noticed` | the holder proceeds in time | `Updating` |
//! | `Updating` | the update ends | `Done` |
//!
//! Every other outcome leads to `Done` too: until the card is taken out, the agent leaves it alone. A time that is up is up at its
//! last instant: an answer that comes then is late.
//!
//! Promises, which `tests` holds against a model: one notice and one update at a time; a notice only for a card that is there;
//! a card for which nothing was pending is not asked about again within the interval; nothing pending, nothing said.

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use super::{CheckError, Choice, Memory, PendingNotice, Report, Settings, UpdateError, Updated, Withdrawal};
use crate::clock::Time;

/// When something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// How long the agent has run. It never goes back; time limits are counted in it.
    pub uptime: Duration,
    /// What the clock says; intervals are counted in it, for they outlast the agent.
    pub time: Time,
}

/// A question to the management system, or an update, belongs to a card's stay in a reader; they are counted from one.
pub type Visit = u64;

/// What a management system says is pending.
pub type Answer = Result<Option<PendingNotice>, CheckError>;

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A card is in this reader.
    Inserted(String),
    /// The card is out of this reader, or the reader is gone.
    Removed(String),
    /// What [`Action::Identify`] was to find: nothing if no management system could know such a card.
    Identified(Visit, Result<Option<String>, String>),
    /// What [`Action::Ask`] was to find.
    Answered(Visit, Answer),
    /// The holder answers the notice; of this request, if one is named.
    Chosen(Choice, Option<String>),
    /// What [`Action::Update`] led to.
    Updated(Visit, Result<Updated, UpdateError>),
    /// Nothing but time.
    Tick,
    /// The agent is to end, as soon as [`Agent::is_over`].
    Stop,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Find out which card is in this reader.
    Identify(Visit, String),
    /// Ask the management system about this card.
    Ask(Visit, String),
    /// Run an update.
    Update {
        /// Of this visit.
        visit: Visit,
        /// The card is in this reader.
        reader: String,
        /// The card.
        card: String,
        /// The request.
        request: String,
    },
    /// The update of this visit is to end.
    StopUpdate(Visit),
    /// The memory has changed; keep it.
    Remember,
    /// Tell people.
    Say(Report),
}

/// The agent.
pub struct Agent {
    settings: Settings,
    memory: Memory,
    visits: BTreeMap<Visit, Stay>,
    last: Visit,
    stopping: bool,
}

/// A card's stay.
struct Stay {
    reader: String,
    /// Whether the card is still there. Without it only an answer, or the end of an update, is waited for.
    here: bool,
    stage: Stage,
}

enum Stage {
    New,
    Identifying,
    Asking {
        card: String,
        until: Duration,
    },
    Queued {
        card: String,
        notice: PendingNotice,
    },
    Noticed {
        card: String,
        notice: PendingNotice,
        until: Duration,
    },
    Updating {
        card: String,
        request: String,
        /// Nothing when it was told to end.
        until: Option<Duration>,
    },
    Done,
}

impl Stage {
    /// When this stage is over by itself.
    const fn until(&self) -> Option<Duration> {
        match self {
            Self::Asking { until, .. } | Self::Noticed { until, .. } => Some(*until),
            Self::Updating { until, .. } => *until,
            Self::New | Self::Identifying | Self::Queued { .. } | Self::Done => None,
        }
    }
}

impl Agent {
    /// An agent that begins to run, with what an earlier one remembered.
    pub fn new(settings: Settings, memory: Memory) -> Self {
        Self { settings, memory, visits: BTreeMap::new(), last: 0, stopping: false }
    }

    /// What it remembers.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Its choices and limits.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether it was told to end, and nothing keeps it.
    pub fn is_over(&self) -> bool {
        self.stopping && !self.is_updating()
    }

    /// Whether nothing is left to do for the cards that are there.
    pub fn is_idle(&self) -> bool {
        self.visits.values().all(|stay| matches!(stay.stage, Stage::Done))
    }

    /// When something will have to be done though nothing happens: how long it will have run.
    pub fn next_deadline(&self) -> Option<Duration> {
        let delayed = self.visits.values().any(|stay| matches!(stay.stage, Stage::New));
        let start = (delayed && !self.is_updating() && !self.stopping).then_some(self.settings.delay);
        self.visits.values().filter_map(|stay| stay.stage.until()).chain(start).min()
    }

    /// What is to be done about something that happened now.
    pub fn handle(&mut self, now: Moment, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.expire(now, &mut actions);
        match event {
            Event::Inserted(reader) => self.insert(reader, &mut actions),
            Event::Removed(reader) => self.remove(&reader, &mut actions),
            Event::Identified(visit, found) => self.identified(now, visit, found, &mut actions),
            Event::Answered(visit, answer) => self.answered(now, visit, answer, &mut actions),
            Event::Chosen(choice, request) => self.chosen(now, choice, request.as_deref(), &mut actions),
            Event::Updated(visit, outcome) => self.updated(visit, outcome, &mut actions),
            Event::Tick => {}
            Event::Stop => self.stop(&mut actions),
        }
        // Whoever waited for a card that is gone waits no more.
        self.visits.retain(|_, stay| stay.here || !matches!(stay.stage, Stage::Done));
        if !self.stopping {
            self.show_next(now, &mut actions);
            self.start_new(now, &mut actions);
        }
        actions
    }

    fn is_updating(&self) -> bool {
        self.visits.values().any(|stay| matches!(stay.stage, Stage::Updating { .. }))
    }

    /// Ends what has lasted as long as it may.
    fn expire(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let over = |stay: &&mut Stay| stay.stage.until().is_some_and(|until| until <= now.uptime);
        for (visit, stay) in self.visits.iter_mut().map(|(visit, stay)| (*visit, stay)) {
            let Some(stay) = Some(stay).filter(over) else { continue };
            let reader = stay.reader.clone();
            match &mut stay.stage {
                Stage::Asking { .. } => {
                    let timeout = super::span::in_words(self.settings.check_timeout);
                    let reason = format!("the management system did not answer within {timeout}");
                    if stay.here {
                        actions.push(Action::Say(Report::CheckFailed { reader, reason }));
                    }
                    stay.stage = Stage::Done;
                }
                Stage::Noticed { .. } => stay.withdraw(Withdrawal::Unanswered, actions),
                Stage::Updating { request, until, .. } => {
                    *until = None;
                    actions.push(Action::StopUpdate(visit));
                    let (request, limit) = (request.clone(), self.settings.portal_limit);
                    actions.push(Action::Say(Report::LimitReached { reader, request, limit }));
                }
                Stage::New | Stage::Identifying | Stage::Queued { .. } | Stage::Done => {}
            }
        }
    }

    fn insert(&mut self, reader: String, actions: &mut Vec<Action>) {
        // One card fits into a reader: whatever was there is gone.
        self.remove(&reader, actions);
        self.last += 1;
        self.visits.insert(self.last, Stay { reader, here: true, stage: Stage::New });
    }

    fn remove(&mut self, reader: &str, actions: &mut Vec<Action>) {
        let Some(stay) = self.visits.values_mut().find(|stay| stay.here && stay.reader == reader) else {
            return;
        };
        stay.here = false;
        match &stay.stage {
            // The answer is worth remembering, and an update ends when the management system says so.
            Stage::Asking { .. } => {}
            Stage::Updating { request, .. } => {
                let (reader, request) = (reader.to_owned(), request.clone());
                actions.push(Action::Say(Report::RemovedDuringUpdate { reader, request }));
            }
            Stage::Noticed { .. } => stay.withdraw(Withdrawal::CardRemoved, actions),
            Stage::New | Stage::Identifying | Stage::Queued { .. } | Stage::Done => stay.stage = Stage::Done,
        }
    }

    fn identified(
        &mut self,
        now: Moment,
        visit: Visit,
        found: Result<Option<String>, String>,
        actions: &mut Vec<Action>,
    ) {
        if let Ok(Some(card)) = &found
            && self.takes_up_question(visit, card)
        {
            return;
        }
        let Some(stay) = self.visits.get_mut(&visit).filter(|stay| matches!(stay.stage, Stage::Identifying))
        else {
            return;
        };
        stay.stage = Stage::Done;
        match found {
            Ok(Some(card)) if self.memory.is_due(&card, now.time, self.settings.interval) => {
                actions.push(Action::Ask(visit, card.clone()));
                let until = now.uptime.saturating_add(self.settings.check_timeout);
                stay.stage = Stage::Asking { card, until };
            }
            Ok(_) => {}
            Err(reason) => {
                actions.push(Action::Say(Report::CheckFailed { reader: stay.reader.clone(), reason }));
            }
        }
    }

    /// Whether this card is asked about already, since it was taken out and put back before the answer came: then the
    /// answer will be for this visit.
    fn takes_up_question(&mut self, visit: Visit, card: &str) -> bool {
        let asked = |stay: &&mut Stay| {
            !stay.here && matches!(&stay.stage, Stage::Asking { card: asked, .. } if asked == card)
        };
        let Some(here) = self.visits.get(&visit) else { return false };
        let reader = here.reader.clone();
        let Some(earlier) = self.visits.values_mut().find(asked) else { return false };
        (earlier.here, earlier.reader) = (true, reader);
        self.visits.remove(&visit);
        true
    }

    fn answered(&mut self, now: Moment, visit: Visit, answer: Answer, actions: &mut Vec<Action>) {
        let Some(stay) = self.visits.get_mut(&visit) else { return };
        let Stage::Asking { card, .. } = &stay.stage else { return };
        let card = card.clone();
        stay.stage = Stage::Done;
        match answer {
            Ok(None) => {
                self.memory.note_nothing_pending(&card, now.time);
                actions.push(Action::Remember);
            }
            Ok(Some(notice)) => {
                if self.memory.forget(&card) {
                    actions.push(Action::Remember);
                }
                if stay.here {
                    stay.stage = Stage::Queued { card, notice };
                }
            }
            Err(CheckError::UnknownCard { .. }) => {}
            Err(error) if stay.here => {
                let (reader, reason) = (stay.reader.clone(), error.to_string());
                actions.push(Action::Say(Report::CheckFailed { reader, reason }));
            }
            Err(_) => {}
        }
    }

    fn chosen(&mut self, now: Moment, choice: Choice, wanted: Option<&str>, actions: &mut Vec<Action>) {
        let asked = |stay: &Stay| match &stay.stage {
            Stage::Noticed { notice, .. } => wanted.is_none_or(|wanted| wanted == notice.request),
            _ => false,
        };
        let Some((visit, stay)) = self.visits.iter_mut().find(|(_, stay)| asked(stay)) else {
            actions.push(Action::Say(Report::NothingToAnswer));
            return;
        };
        match (choice, &stay.stage) {
            (Choice::Proceed, Stage::Noticed { card, notice, .. }) => {
                let (reader, card, request) = (stay.reader.clone(), card.clone(), notice.request.clone());
                let limit = self.settings.portal_limit;
                let until = Some(now.uptime.saturating_add(limit));
                stay.stage = Stage::Updating { card: card.clone(), request: request.clone(), until };
                let started =
                    Report::UpdateStarted { reader: reader.clone(), request: request.clone(), limit };
                actions.push(Action::Say(started));
                actions.push(Action::Update { visit: *visit, reader, card, request });
            }
            _ => stay.withdraw(Withdrawal::Dismissed, actions),
        }
    }

    fn updated(&mut self, visit: Visit, outcome: Result<Updated, UpdateError>, actions: &mut Vec<Action>) {
        let Some(stay) = self.visits.get_mut(&visit) else { return };
        let Stage::Updating { card, request, .. } = &stay.stage else { return };
        let (reader, request) = (stay.reader.clone(), request.clone());
        actions.push(Action::Say(match outcome {
            Ok(Updated { changes }) => Report::Updated { reader, request, changes },
            Err(error) => Report::UpdateFailed { reader, request, reason: error.to_string() },
        }));
        // Whatever is next for this card, it is asked about when it comes back.
        if self.memory.forget(card) {
            actions.push(Action::Remember);
        }
        stay.stage = Stage::Done;
    }

    fn stop(&mut self, actions: &mut Vec<Action>) {
        self.stopping = true;
        for (visit, stay) in &mut self.visits {
            match &mut stay.stage {
                Stage::Updating { until, .. } => {
                    if until.take().is_some() {
                        actions.push(Action::StopUpdate(*visit));
                    }
                }
                Stage::Noticed { .. } => stay.withdraw(Withdrawal::AgentEnds, actions),
                _ => stay.stage = Stage::Done,
            }
        }
    }

    /// Shows the notice that has waited longest, unless one is shown or an update runs.
    fn show_next(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let busy = |stay: &Stay| matches!(stay.stage, Stage::Noticed { .. } | Stage::Updating { .. });
        if self.visits.values().any(busy) {
            return;
        }
        let stays = self.settings.notice;
        for stay in self.visits.values_mut() {
            let Stage::Queued { card, notice } = &stay.stage else { continue };
            let (card, notice) = (card.clone(), notice.clone());
            actions.push(Action::Say(Report::Notice {
                reader: stay.reader.clone(),
                card: card.clone(),
                request: notice.request.clone(),
                what: notice.what.clone(),
                stays,
            }));
            stay.stage = Stage::Noticed { card, notice, until: now.uptime.saturating_add(stays) };
            return;
        }
    }

    /// Begins with the cards that waited for the delay, or for the end of an update.
    fn start_new(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if now.uptime < self.settings.delay || self.is_updating() {
            return;
        }
        for (visit, stay) in &mut self.visits {
            if matches!(stay.stage, Stage::New) {
                stay.stage = Stage::Identifying;
                actions.push(Action::Identify(*visit, stay.reader.clone()));
            }
        }
    }
}

impl Stay {
    /// Takes the notice away; the request stays pending.
    fn withdraw(&mut self, reason: Withdrawal, actions: &mut Vec<Action>) {
        if let Stage::Noticed { notice, .. } = &self.stage {
            let (reader, request) = (self.reader.clone(), notice.request.clone());
            actions.push(Action::Say(Report::Withdrawn { reader, request, reason }));
        }
        self.stage = Stage::Done;
    }
}
