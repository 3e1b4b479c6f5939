//! Any order of insertions, removals, late answers and choices, against what must hold whatever happens.
//!
//! [`World`] plays the reader, the management system and the holder, and knows by itself who is where, what is pending, and
//! what it was told. It judges every action, and after every event what the agent should have done and did not.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Cards, and readers: enough for a queue.
const CARDS: usize = 3;
const READERS: usize = 3;

const INTERVAL: u64 = 1000;
const CHECK: u64 = 5;
const NOTICE: u64 = 7;
const LIMIT: u64 = 60;
const DELAY: u64 = 3;

/// What happens next. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    /// A card goes from wherever it is into a reader, if that is empty.
    Insert(usize, usize),
    Remove(usize),
    Wait(u64),
    /// Some job is done.
    Finish(usize, bool),
    Choose(Choice),
    /// Something is pending for a card from now on.
    Request(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let span = prop_oneof![
        4 => 0..=CHECK,
        2 => Just(CHECK),
        2 => NOTICE - 1..=NOTICE,
        1 => LIMIT - 1..=LIMIT,
        1 => INTERVAL - 1..=INTERVAL,
    ];
    let step = prop_oneof![
        4 => (0..CARDS, 0..READERS).prop_map(|(card, reader)| Step::Insert(card, reader)),
        2 => (0..READERS).prop_map(Step::Remove),
        3 => span.prop_map(Step::Wait),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(job, well)| Step::Finish(job, well)),
        2 => prop_oneof![2 => Just(Choice::Proceed), 1 => Just(Choice::Dismiss)].prop_map(Step::Choose),
        2 => (0..CARDS).prop_map(Step::Request),
    ];
    prop::collection::vec(step, 1..80)
}

/// Something that the agent had begun.
#[derive(Clone, Debug)]
enum Job {
    Identify { visit: Visit, card: Option<String> },
    Ask { visit: Visit, card: String, asked_at: u64 },
    Update { visit: Visit, card: String },
}

struct World {
    agent: Agent,
    now: u64,
    /// Reader to card.
    inside: BTreeMap<usize, String>,
    pending: BTreeSet<String>,
    jobs: Vec<Job>,
    /// When it was last said in time that nothing is pending.
    nothing_at: BTreeMap<String, u64>,
    /// The notice that people see: reader, card, since when.
    notice: Option<(usize, String, u64)>,
    /// The card that is updated, since when, and whether the update was told to end.
    update: Option<(String, u64, bool)>,
}

fn reader(number: usize) -> String {
    format!("Reader {number}")
}

fn number(reader: &str) -> usize {
    reader.strip_prefix("Reader ").unwrap().parse().unwrap()
}

impl World {
    fn new() -> Self {
        let settings = Settings {
            interval: Duration::from_secs(INTERVAL),
            delay: Duration::from_secs(DELAY),
            check_timeout: Duration::from_secs(CHECK),
            notice: Duration::from_secs(NOTICE),
            portal_limit: Duration::from_secs(LIMIT),
            ..Settings::default()
        };
        Self {
            agent: Agent::new(settings, Memory::default()),
            now: 0,
            inside: BTreeMap::new(),
            pending: BTreeSet::new(),
            jobs: Vec::new(),
            nothing_at: BTreeMap::new(),
            notice: None,
            update: None,
        }
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Insert(card, into) => {
                let card = format!("card {card}");
                if self.inside.contains_key(&into) {
                    return;
                }
                let from = self.inside.iter().find(|(_, inside)| **inside == card).map(|(from, _)| *from);
                if let Some(from) = from {
                    self.remove(from);
                }
                self.inside.insert(into, card);
                self.event(Event::Inserted(reader(into)));
            }
            Step::Remove(from) => self.remove(from),
            Step::Wait(span) => self.wait(span),
            Step::Finish(job, well) if !self.jobs.is_empty() => self.finish(job % self.jobs.len(), well),
            Step::Finish(..) => {}
            Step::Choose(choice) => self.event(Event::Chosen(choice, None)),
            Step::Request(card) => {
                self.pending.insert(format!("card {card}"));
            }
        }
        self.has_done_what_it_should();
    }

    fn remove(&mut self, from: usize) {
        if self.inside.remove(&from).is_some() {
            self.event(Event::Removed(reader(from)));
        }
    }

    /// As the shell does: the agent is told when the time comes that it named.
    fn wait(&mut self, span: u64) {
        let end = self.now + span;
        while let Some(deadline) =
            self.agent.next_deadline().map(|deadline| deadline.as_secs()).filter(|at| *at <= end)
        {
            self.now = self.now.max(deadline);
            self.event(Event::Tick);
            assert!(
                self.agent.next_deadline().is_none_or(|next| next.as_secs() > self.now),
                "it asks for no time twice"
            );
        }
        self.now = end;
    }

    fn finish(&mut self, job: usize, well: bool) {
        match self.jobs.remove(job) {
            Job::Identify { visit, card } => self.event(Event::Identified(visit, Ok(card))),
            Job::Ask { visit, card, asked_at } => {
                let in_time = self.now < asked_at + CHECK;
                let notice = self
                    .pending
                    .contains(&card)
                    .then(|| PendingNotice { request: card.clone(), what: "anything".into() });
                if !well {
                    return self.event(Event::Answered(visit, Err(CheckError::Refused("busy".into()))));
                }
                if in_time {
                    if notice.is_some() {
                        self.nothing_at.remove(&card);
                    } else {
                        self.nothing_at.insert(card, self.now);
                    }
                }
                self.event(Event::Answered(visit, Ok(notice)));
            }
            Job::Update { visit, card } => {
                let outcome = if well {
                    self.pending.remove(&card);
                    Ok(Updated { changes: vec!["anything".into()] })
                } else {
                    Err(UpdateError::Stopped)
                };
                self.nothing_at.remove(&card);
                self.event(Event::Updated(visit, outcome));
            }
        }
    }

    fn event(&mut self, event: Event) {
        let moment = Moment {
            uptime: Duration::from_secs(self.now),
            time: Time::from_seconds(1_800_000_000).plus(Duration::from_secs(self.now)),
        };
        for action in self.agent.handle(moment, event) {
            self.judge(action);
        }
    }

    fn judge(&mut self, action: Action) {
        match action {
            Action::Identify(visit, reader) => {
                assert!(self.now >= DELAY, "too early");
                assert!(self.update.is_none(), "during an update");
                self.jobs.push(Job::Identify { visit, card: self.inside.get(&number(&reader)).cloned() });
            }
            Action::Ask(visit, card) => {
                let recently = self.nothing_at.get(&card).is_some_and(|at| self.now < at + INTERVAL);
                assert!(!recently, "asked about {card} twice in an interval");
                let twice = |job: &Job| match job {
                    Job::Ask { card: asked, asked_at, .. } => *asked == card && self.now < asked_at + CHECK,
                    Job::Identify { .. } | Job::Update { .. } => false,
                };
                assert!(!self.jobs.iter().any(twice), "asked about {card} while a question is open");
                self.jobs.push(Job::Ask { visit, card, asked_at: self.now });
            }
            Action::Update { visit, card, reader, request } => {
                assert_eq!(request, card, "the request of another card");
                assert_eq!(self.inside.get(&number(&reader)), Some(&card), "no such card is there");
                assert!(self.update.replace((card.clone(), self.now, false)).is_none(), "two updates");
                self.jobs.push(Job::Update { visit, card });
            }
            Action::StopUpdate(_) => {
                let (_, since, stopped) = self.update.as_mut().expect("an update");
                assert!(!std::mem::replace(stopped, true), "stopped twice");
                assert_eq!(self.now, *since + LIMIT, "stopped at the wrong time");
            }
            Action::Remember => {}
            Action::Say(report) => self.judge_report(report),
        }
    }

    fn judge_report(&mut self, report: Report) {
        match report {
            Report::Notice { reader, card, request, .. } => {
                assert!(self.update.is_none(), "a notice during an update");
                assert!(self.pending.contains(&request), "nothing is pending");
                assert_eq!(self.inside.get(&number(&reader)), Some(&card), "no such card is there");
                let shown = (number(&reader), card, self.now);
                assert!(self.notice.replace(shown).is_none(), "two notices");
            }
            Report::Withdrawn { reader, reason, .. } => {
                let (shown_in, card, since) = self.notice.take().expect("a notice");
                assert_eq!(number(&reader), shown_in);
                let there = self.inside.get(&shown_in) == Some(&card);
                assert_eq!(reason == Withdrawal::CardRemoved, !there, "{reason:?}");
                assert!(self.now <= since + NOTICE, "it stayed too long");
                assert_eq!(reason == Withdrawal::Unanswered, self.now == since + NOTICE && there);
            }
            Report::UpdateStarted { .. } => {
                let (_, _, since) = self.notice.take().expect("a notice");
                assert!(self.now < since + NOTICE, "the notice was gone");
            }
            Report::Updated { .. } | Report::UpdateFailed { .. } => {
                assert!(self.update.take().is_some(), "no update");
            }
            Report::NothingToAnswer => assert!(self.notice.is_none(), "there is something to answer"),
            Report::LimitReached { .. } | Report::RemovedDuringUpdate { .. } => {
                assert!(self.update.is_some(), "no update");
            }
            Report::CheckFailed { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    /// Nothing waits that need not.
    fn has_done_what_it_should(&self) {
        let waiting = |stage: fn(&Stage) -> bool| self.agent.visits.values().any(|stay| stage(&stay.stage));
        if self.update.is_none() {
            assert!(
                self.now < DELAY || !waiting(|stage| matches!(stage, Stage::New)),
                "a card that nobody looks at"
            );
            let queued = waiting(|stage| matches!(stage, Stage::Queued { .. }));
            assert!(!queued || self.notice.is_some(), "a notice that nobody sees");
        }
        let here: Vec<_> =
            self.agent.visits.values().filter(|stay| stay.here).map(|stay| number(&stay.reader)).collect();
        assert!(self.inside.keys().eq(here.iter().collect::<BTreeSet<_>>()), "who is there");
        assert_eq!(here.len(), self.inside.len(), "a card that is there twice");
        let gone = self.agent.visits.len() - here.len();
        assert!(gone <= self.jobs.len(), "cards that are gone are forgotten");
    }
}

proptest! {
    #[test]
    fn the_agent_keeps_its_promises_whatever_happens(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.play(step);
        }
    }
}
