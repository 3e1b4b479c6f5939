//! The agent's decisions at the edges of its times, row by row of what people see.

use super::*;
use crate::agent::{Missing, Unreachable, span};

const WEEK: u64 = 7 * 24 * 60 * 60;
const DESK: &str = "Desk 00 00";
const DOOR: &str = "Door 01 00";

/// An agent and what is on its clocks.
struct Play {
    agent: Agent,
    /// Milliseconds that it has run.
    uptime: u64,
    start: Time,
}

impl Play {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let start = "2026-03-01T08:00:00Z".parse().unwrap();
        Self { agent: Agent::new(settings, Memory::default()), uptime: 0, start }
    }

    /// Time passes, and nobody notices yet.
    fn pass(&mut self, span: &str) -> &mut Self {
        self.pass_ms(span::parse(span).unwrap().as_secs() * 1000)
    }

    fn pass_ms(&mut self, milliseconds: u64) -> &mut Self {
        self.uptime += milliseconds;
        self
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        let uptime = Duration::from_millis(self.uptime);
        self.agent.handle(Moment { uptime, time: self.start.plus(uptime) }, event)
    }

    fn tick(&mut self) -> Vec<Action> {
        self.event(Event::Tick)
    }

    /// A card is put in, and says who it is; what the agent does then.
    fn insert(&mut self, reader: &str, card: &str) -> Vec<Action> {
        let actions = self.event(Event::Inserted(reader.into()));
        let visit = identify(&actions, reader);
        self.event(Event::Identified(visit, Ok(Some(card.into()))))
    }

    fn remove(&mut self, reader: &str) -> Vec<Action> {
        self.event(Event::Removed(reader.into()))
    }

    /// The same, and the agent asks about it.
    fn insert_asked(&mut self, reader: &str, card: &str) -> Visit {
        ask(&self.insert(reader, card), card)
    }

    /// The same, and a request is pending; what the agent does then.
    fn insert_pending(&mut self, reader: &str, card: &str, request: &str) -> Vec<Action> {
        let visit = self.insert_asked(reader, card);
        self.event(pending(visit, request))
    }

    fn choose(&mut self, choice: Choice) -> Vec<Action> {
        self.event(Event::Chosen(choice, None))
    }

    /// A card's update, begun.
    fn updating(&mut self) -> Visit {
        assert_eq!(self.insert_pending(DESK, "A", "1"), [notice(DESK, "A", "1")]);
        match &self.choose(Choice::Proceed)[..] {
            [Action::Say(Report::UpdateStarted { .. }), Action::Update { visit, reader, card, request }] => {
                assert_eq!((&reader[..], &card[..], &request[..]), (DESK, "A", "1"));
                *visit
            }
            other => panic!("{other:?}"),
        }
    }
}

fn identify(actions: &[Action], expected: &str) -> Visit {
    match actions {
        [.., Action::Identify(visit, reader)] if reader == expected => *visit,
        other => panic!("{other:?}"),
    }
}

fn ask(actions: &[Action], expected: &str) -> Visit {
    match actions {
        [Action::Ask(visit, card)] if card == expected => *visit,
        other => panic!("{other:?}"),
    }
}

fn nothing(visit: Visit) -> Event {
    Event::Answered(visit, Ok(None))
}

fn pending(visit: Visit, request: &str) -> Event {
    let notice = PendingNotice { request: request.into(), what: "renew a certificate".into() };
    Event::Answered(visit, Ok(Some(notice)))
}

fn notice(reader: &str, card: &str, request: &str) -> Action {
    let stays = Settings::default().notice;
    let what = "renew a certificate".to_owned();
    Action::Say(Report::Notice {
        reader: reader.into(),
        card: card.into(),
        request: request.into(),
        what,
        stays,
    })
}

fn withdrawn(reader: &str, request: &str, reason: Withdrawal) -> Action {
    Action::Say(Report::Withdrawn { reader: reader.into(), request: request.into(), reason })
}

fn failed(reader: &str, request: &str, error: &UpdateError) -> Action {
    let (reader, request) = (reader.into(), request.into());
    Action::Say(Report::UpdateFailed { reader, request, reason: error.to_string() })
}

fn done(visit: Visit) -> Event {
    Event::Updated(visit, Ok(Updated { changes: vec!["new certificate".into()] }))
}

fn is_done(action: &Action) -> bool {
    matches!(action, Action::Say(Report::Updated { changes, .. }) if changes == &["new certificate"])
}

#[test]
fn row_46_a_card_is_asked_about_once_a_week() {
    for (passed, asked) in [(0, false), (WEEK - 1, false), (WEEK, true), (WEEK + 1, true)] {
        let mut play = Play::new();
        let visit = play.insert_asked(DESK, "A");
        assert_eq!(play.event(nothing(visit)), [Action::Remember]);
        assert_eq!(play.remove(DESK), []);
        play.pass_ms(passed * 1000);
        assert_eq!(!play.insert(DESK, "A").is_empty(), asked, "{passed} seconds after the answer");
        play.remove(DESK);
        // Another card has an interval of its own.
        play.insert_asked(DESK, "B");
    }
}

#[test]
fn row_46_the_interval_is_a_setting_and_a_clock_that_was_set_back_begins_it_anew() {
    let mut play = Play::with(Settings { interval: Duration::ZERO, ..Settings::default() });
    for _ in 0..3 {
        let visit = play.insert_asked(DESK, "A");
        assert_eq!(play.event(nothing(visit)), [Action::Remember]);
    }
    let mut play = Play::new();
    let visit = play.insert_asked(DESK, "A");
    play.event(nothing(visit));
    play.start = "2026-02-28".parse().unwrap();
    play.insert_asked(DESK, "A");
}

#[test]
fn row_46_an_agent_that_begins_again_knows_whom_it_asked_about() {
    let mut play = Play::new();
    let visit = play.insert_asked(DESK, "A");
    play.event(nothing(visit));
    let mut next = Play::new();
    next.agent = Agent::new(Settings::default(), play.agent.memory().clone());
    assert_eq!(next.pass("1d").insert(DESK, "A"), []);
}

#[test]
fn row_46_nothing_is_asked_before_the_delay_is_over() {
    let mut play = Play::with(Settings { delay: Duration::from_mins(2), ..Settings::default() });
    assert_eq!(play.event(Event::Inserted(DESK.into())), []);
    assert_eq!(play.event(Event::Inserted(DOOR.into())), []);
    assert_eq!(play.agent.next_deadline(), Some(Duration::from_mins(2)));
    assert_eq!(play.pass_ms(119_999).tick(), []);
    // A card that went before was never asked about.
    assert_eq!(play.remove(DOOR), []);
    identify(&play.pass_ms(1).tick(), DESK);
    assert_eq!(play.agent.next_deadline(), None);
    identify(&play.event(Event::Inserted(DOOR.into())), DOOR);
}

#[test]
fn row_47_nothing_pending_nothing_said() {
    let mut play = Play::new();
    let visit = play.insert_asked(DESK, "A");
    assert_eq!(play.event(nothing(visit)), [Action::Remember]);
    assert_eq!(play.pass("1d").tick(), []);
    assert_eq!(play.remove(DESK), []);
    // A card that no management system could know, and one that this one does not know.
    let actions = play.event(Event::Inserted(DESK.into()));
    assert_eq!(play.event(Event::Identified(identify(&actions, DESK), Ok(None))), []);
    let visit = play.insert_asked(DESK, "foreign");
    let unknown = CheckError::UnknownCard { card: "foreign".into() };
    assert_eq!(play.event(Event::Answered(visit, Err(unknown))), []);
}

#[test]
fn row_53_an_update_ends_with_the_request_to_reinsert_and_the_card_is_asked_about_then() {
    let mut play = Play::new();
    let visit = play.updating();
    let actions = play.event(done(visit));
    assert!(matches!(&actions[..], [said] if is_done(said)), "{actions:?}");
    let Action::Say(said) = &actions[0] else { panic!("{actions:?}") };
    assert!(said.to_string().contains("Remove and reinsert the card"), "{said}");
    assert_eq!(play.pass("1d").tick(), [], "the card that stays in is left alone");
    assert_eq!(play.remove(DESK), []);
    play.insert_asked(DESK, "A");
}

#[test]
fn row_53_an_update_may_take_its_limit_and_no_longer() {
    for (milliseconds, stopped) in [(599_999, false), (600_000, true), (600_001, true)] {
        let mut play = Play::new();
        let visit = play.updating();
        assert_eq!(play.agent.next_deadline(), Some(Duration::from_mins(10)));
        let actions = play.pass_ms(milliseconds).tick();
        if !stopped {
            assert_eq!(actions, []);
            assert!(is_done(&play.event(done(visit))[0]));
            continue;
        }
        assert_eq!(actions[0], Action::StopUpdate(visit));
        assert!(matches!(actions[1..], [Action::Say(Report::LimitReached { .. })]), "{actions:?}");
        assert_eq!((play.tick(), play.agent.next_deadline()), (vec![], None), "it is told once");
        // What the management system says in the end is what happened.
        assert_eq!(
            play.event(Event::Updated(visit, Err(UpdateError::Stopped))),
            [failed(DESK, "1", &UpdateError::Stopped)]
        );
        assert_eq!(play.event(done(visit)), [], "an update ends once");
    }
    let mut play = Play::new();
    let visit = play.updating();
    play.pass("10min").tick();
    assert!(is_done(&play.event(done(visit))[0]), "it was done just before it was stopped");
}

#[test]
fn row_54_a_dismissed_notice_comes_back_at_the_next_insertion() {
    let mut play = Play::new();
    for _ in 0..2 {
        assert_eq!(play.insert_pending(DESK, "A", "1"), [notice(DESK, "A", "1")]);
        assert_eq!(play.choose(Choice::Dismiss), [withdrawn(DESK, "1", Withdrawal::Dismissed)]);
        assert_eq!(play.pass("1d").tick(), [], "it does not come back by itself");
        assert_eq!(play.choose(Choice::Proceed), [Action::Say(Report::NothingToAnswer)]);
        assert_eq!(play.remove(DESK), []);
    }
}

#[test]
fn row_54_a_card_that_is_taken_out_takes_its_notice_along() {
    let mut play = Play::new();
    for _ in 0..2 {
        assert_eq!(play.insert_pending(DESK, "A", "1"), [notice(DESK, "A", "1")]);
        assert_eq!(play.remove(DESK), [withdrawn(DESK, "1", Withdrawal::CardRemoved)]);
        assert_eq!(play.choose(Choice::Proceed), [Action::Say(Report::NothingToAnswer)]);
    }
}

#[test]
fn row_54_a_notice_that_nobody_answers_counts_as_dismissed() {
    for (milliseconds, gone) in [(4_999, false), (5_000, true), (5_001, true)] {
        let mut play = Play::new();
        play.insert_pending(DESK, "A", "1");
        assert_eq!(play.agent.next_deadline(), Some(Duration::from_secs(5)));
        let expected = if gone { vec![withdrawn(DESK, "1", Withdrawal::Unanswered)] } else { vec![] };
        assert_eq!(play.pass_ms(milliseconds).tick(), expected, "{milliseconds}");
        let actions = play.choose(Choice::Proceed);
        assert_eq!(actions == [Action::Say(Report::NothingToAnswer)], gone, "{actions:?}");
    }
    // The answer itself comes too late, with no tick before it.
    let mut play = Play::new();
    play.insert_pending(DESK, "A", "1");
    let late = play.pass_ms(5_000).choose(Choice::Proceed);
    assert_eq!(late, [withdrawn(DESK, "1", Withdrawal::Unanswered), Action::Say(Report::NothingToAnswer)]);
}

#[test]
fn row_54_an_answer_may_name_its_request() {
    let mut play = Play::new();
    play.insert_pending(DESK, "A", "1");
    let named = |choice, request: &str| Event::Chosen(choice, Some(request.into()));
    assert_eq!(play.event(named(Choice::Proceed, "2")), [Action::Say(Report::NothingToAnswer)]);
    assert_eq!(play.event(named(Choice::Dismiss, "1")), [withdrawn(DESK, "1", Withdrawal::Dismissed)]);
}

#[test]
fn row_55_what_is_missing_is_said_and_the_card_asked_about_again() {
    let mut play = Play::new();
    let missing = Missing::from(Unreachable("cms.db is not there".into()));
    for _ in 0..2 {
        let visit = play.insert_asked(DESK, "A");
        let actions = play.event(Event::Answered(visit, Err(missing.clone().into())));
        let reason = missing.to_string();
        assert_eq!(actions, [Action::Say(Report::CheckFailed { reader: DESK.into(), reason })]);
        play.remove(DESK);
    }
    // An update has needs of its own; its request stays pending.
    let visit = play.updating();
    let error = UpdateError::Missing(Missing::Root);
    assert_eq!(play.event(Event::Updated(visit, Err(error.clone()))), [failed(DESK, "1", &error)]);
    play.remove(DESK);
    assert_eq!(play.insert_pending(DESK, "A", "1"), [notice(DESK, "A", "1")]);
}

#[test]
fn row_55_an_answer_that_comes_late_is_none() {
    for (milliseconds, late) in [(4_999, false), (5_000, true), (5_001, true)] {
        let mut play = Play::new();
        let visit = play.insert_asked(DESK, "A");
        assert_eq!(play.agent.next_deadline(), Some(Duration::from_secs(5)));
        let actions = play.pass_ms(milliseconds).event(pending(visit, "1"));
        let reason = "the management system did not answer within 5 seconds".to_owned();
        let too_late = [Action::Say(Report::CheckFailed { reader: DESK.into(), reason })];
        let expected = if late { &too_late[..] } else { &[notice(DESK, "A", "1")] };
        assert_eq!(actions, expected, "{milliseconds}");
        play.choose(Choice::Dismiss);
        play.remove(DESK);
        play.insert_asked(DESK, "A");
    }
}

#[test]
fn an_answer_for_a_card_that_is_gone_is_remembered_and_not_shown() {
    let mut play = Play::new();
    let visit = play.insert_asked(DESK, "A");
    assert_eq!(play.remove(DESK), []);
    assert_eq!(play.event(pending(visit, "1")), []);
    let visit = play.insert_asked(DESK, "A");
    assert_eq!(play.remove(DESK), []);
    assert_eq!(play.event(nothing(visit)), [Action::Remember]);
    assert_eq!(play.insert(DESK, "A"), [], "it was asked about");
    // Nor is a failure of it told to people who have gone.
    let visit = play.insert_asked(DOOR, "B");
    assert_eq!(play.remove(DOOR), []);
    assert_eq!(play.pass("5s").event(pending(visit, "2")), []);
}

#[test]
fn a_card_that_comes_back_before_the_answer_is_not_asked_about_twice() {
    let mut play = Play::new();
    let visit = play.insert_asked(DESK, "A");
    assert_eq!(play.remove(DESK), []);
    assert_eq!(play.insert(DOOR, "A"), [], "the question is on its way");
    assert_eq!(play.event(pending(visit, "1")), [notice(DOOR, "A", "1")]);
    assert_eq!(play.remove(DOOR), [withdrawn(DOOR, "1", Withdrawal::CardRemoved)]);
}

#[test]
fn a_card_that_is_swapped_for_another_takes_its_notice_along() {
    let mut play = Play::new();
    play.insert_pending(DESK, "A", "1");
    // Only the insertion was seen.
    let actions = play.event(Event::Inserted(DESK.into()));
    assert_eq!(actions[0], withdrawn(DESK, "1", Withdrawal::CardRemoved));
    let visit = identify(&actions, DESK);
    // An answer to the notice that is gone is for no other card.
    assert_eq!(play.choose(Choice::Proceed), [Action::Say(Report::NothingToAnswer)]);
    let visit = ask(&play.event(Event::Identified(visit, Ok(Some("B".into())))), "B");
    assert_eq!(play.event(pending(visit, "2")), [notice(DESK, "B", "2")]);
}

#[test]
fn several_readers_show_their_notices_one_after_the_other() {
    let mut play = Play::new();
    assert_eq!(play.insert_pending(DESK, "A", "1"), [notice(DESK, "A", "1")]);
    assert_eq!(play.pass("2s").insert_pending(DOOR, "B", "2"), []);
    assert_eq!(play.insert_pending("Gate", "C", "3"), []);
    assert_eq!(play.remove("Gate"), [], "nothing was shown of it");
    assert_eq!(
        play.choose(Choice::Dismiss),
        [withdrawn(DESK, "1", Withdrawal::Dismissed), notice(DOOR, "B", "2")]
    );
    // Its time began when it was shown.
    assert_eq!(play.agent.next_deadline(), Some(Duration::from_secs(7)));
    assert_eq!(play.pass("5s").tick(), [withdrawn(DOOR, "2", Withdrawal::Unanswered)]);
}

#[test]
fn other_cards_wait_while_one_is_updated() {
    let mut play = Play::new();
    let asked = play.insert_asked(DOOR, "B");
    let visit = play.updating();
    assert_eq!(play.event(pending(asked, "2")), []);
    assert_eq!(play.event(Event::Inserted("Gate".into())), []);
    let actions = play.event(done(visit));
    assert!(is_done(&actions[0]));
    assert_eq!(actions[1], notice(DOOR, "B", "2"));
    identify(&actions, "Gate");
}

#[test]
fn a_card_that_is_taken_out_during_its_update_is_asked_about_when_that_has_ended() {
    let mut play = Play::new();
    let visit = play.updating();
    let removed = Report::RemovedDuringUpdate { reader: DESK.into(), request: "1".into() };
    assert_eq!(play.remove(DESK), [Action::Say(removed)]);
    assert_eq!(play.event(Event::Inserted(DESK.into())), [], "the update has not ended");
    assert_eq!(play.remove(DESK), []);
    assert_eq!(play.event(Event::Inserted(DESK.into())), []);
    let actions = play.event(Event::Updated(visit, Err(UpdateError::CardRemoved)));
    assert_eq!(actions[0], failed(DESK, "1", &UpdateError::CardRemoved));
    let visit = identify(&actions, DESK);
    let visit = ask(&play.event(Event::Identified(visit, Ok(Some("A".into())))), "A");
    assert_eq!(play.event(pending(visit, "1")), [notice(DESK, "A", "1")]);
}

#[test]
fn a_card_that_cannot_be_read_is_complained_of() {
    let mut play = Play::new();
    let visit = identify(&play.event(Event::Inserted(DESK.into())), DESK);
    let reason = "the card cannot be read: it is in use".to_owned();
    let actions = play.event(Event::Identified(visit, Err(reason.clone())));
    assert_eq!(actions, [Action::Say(Report::CheckFailed { reader: DESK.into(), reason })]);
    // Of one that is gone nothing is said.
    let visit = identify(&play.event(Event::Inserted(DESK.into())), DESK);
    play.remove(DESK);
    assert_eq!(play.event(Event::Identified(visit, Err("gone".into()))), []);
}

#[test]
fn an_agent_that_ends_takes_its_notice_away_and_waits_for_its_update() {
    let mut play = Play::new();
    play.insert_pending(DESK, "A", "1");
    assert!(!play.agent.is_over());
    assert_eq!(play.event(Event::Stop), [withdrawn(DESK, "1", Withdrawal::AgentEnds)]);
    assert!(play.agent.is_over());

    let mut play = Play::new();
    let visit = play.updating();
    assert_eq!(play.event(Event::Stop), [Action::StopUpdate(visit)]);
    assert_eq!(play.event(Event::Stop), [], "it is told once");
    assert!(!play.agent.is_over());
    assert_eq!(play.event(Event::Inserted(DOOR.into())), []);
    let actions = play.event(Event::Updated(visit, Err(UpdateError::Stopped)));
    assert_eq!(actions, [failed(DESK, "1", &UpdateError::Stopped)]);
    assert!(play.agent.is_over() && play.agent.next_deadline().is_none());
}
