//! The agent at work: whoever sees cards, hears answers or waits for the management system is a thread of its own, and
//! sends what it learns to one place, where the [`Agent`] decides. Nothing polls, nothing sleeps.
//!
//! Promise: an agent that is told to end waits for the update that it has begun; told again, later, it ends at once.

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::{
    Action, Agent, Answer, Choice, Deed, Event, ManagementSystem, Memory, MemoryError, Missing, Moment,
    Order, Report, Session, Settings, UpdateError, Updated, Visit, prerequisite,
};
use crate::clock::Clock;

/// All that checks and updates need beside a card.
pub struct Office {
    /// The management system.
    pub cms: Box<dyn ManagementSystem>,
    /// Choices and limits.
    pub settings: Settings,
    /// What tells the time.
    pub clock: Clock,
    /// The holder's PIN, for updates, if it was given.
    pub pin: Option<Zeroizing<String>>,
    /// The PIN that the holder chooses, for updates that set one, if it was given.
    pub new_pin: Option<Zeroizing<String>>,
}

impl Office {
    /// Asks what is pending for a card, if all is there that this needs.
    pub fn check(&self, card: &str) -> Answer {
        prerequisite::look_for(Deed::Check, &self.settings, &*self.cms)?;
        self.cms.check(card, self.clock.now())
    }

    /// Has a request carried out, if all is there that this needs.
    pub fn update(
        &self,
        reader: &str,
        card: &str,
        request: &str,
        session: &Session,
    ) -> Result<Updated, UpdateError> {
        prerequisite::look_for(Deed::Update, &self.settings, &*self.cms)?;
        let order = Order {
            reader,
            card,
            request,
            pin: self.pin.as_ref(),
            new_pin: self.new_pin.as_ref(),
            now: self.clock.now(),
        };
        self.cms.update(&order, session)
    }
}

/// Why an agent has ended though nobody told it to, or not as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShellError {
    /// Cards cannot be seen any more.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Its memory cannot be read.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// Nobody hears what it says.
    #[error("nobody hears the agent: {0}")]
    Output(#[source] io::Error),
    /// It was told twice to end.
    #[error("an update was left in the middle; put the card back in, and the next check will finish it")]
    Abandoned,
}

/// Being told twice within this time is being told once: Ctrl-C reaches a program as member of a group, and then again by the
/// shell or the `timeout` that started it.
const ONE_STOP: Duration = Duration::from_millis(500);

/// What threads send to the agent.
enum Message {
    Event(Event),
    /// A line that somebody typed.
    Line(String),
    /// All cards have been told of that were there at first.
    Told,
    /// Cards cannot be seen any more.
    Lost(Missing),
}

/// The way to the agent, for whoever sees cards, hears answers or ends it.
#[derive(Clone)]
pub struct Sender(mpsc::Sender<Message>);

impl Sender {
    /// A card is in this reader. Whether the agent still listens; so with the others.
    pub fn inserted(&self, reader: &str) -> bool {
        self.event(Event::Inserted(reader.to_owned()))
    }

    /// The card is out of this reader, perhaps with the reader.
    pub fn removed(&self, reader: &str) -> bool {
        self.event(Event::Removed(reader.to_owned()))
    }

    /// All cards have been told of that were there at first.
    pub fn told(&self) -> bool {
        self.0.send(Message::Told).is_ok()
    }

    /// Cards cannot be seen any more: the agent ends.
    pub fn lost(&self, missing: Missing) -> bool {
        self.0.send(Message::Lost(missing)).is_ok()
    }

    /// A line that somebody typed.
    pub fn line(&self, line: String) -> bool {
        self.0.send(Message::Line(line)).is_ok()
    }

    /// The agent is to end.
    pub fn stop(&self) -> bool {
        self.event(Event::Stop)
    }

    /// Hears every line of an input, in a thread of its own.
    pub fn listen_to(&self, input: impl BufRead + Send + 'static) {
        let sender = self.clone();
        thread::spawn(move || input.lines().map_while(Result::ok).all(|line| sender.line(line)));
    }

    fn event(&self, event: Event) -> bool {
        self.0.send(Message::Event(event)).is_ok()
    }
}

/// The agent, its memory's file, and where it hears of everything.
pub struct Shell {
    agent: Agent,
    office: Arc<Office>,
    memory_file: PathBuf,
    /// The answer to every notice, if nobody is to be asked.
    answer: Option<Choice>,
    /// It ends when nothing is left to do for the cards that were there at first.
    once: bool,
    /// It knows which cards those are.
    told: bool,
    sender: Sender,
    messages: Receiver<Message>,
    begun: Instant,
    sessions: BTreeMap<Visit, Session>,
    /// Why nobody hears it any more.
    unheard: Option<io::Error>,
}

impl Shell {
    /// An agent that is about to run. With `answer` it asks nobody.
    pub fn new(office: Office, memory_file: PathBuf, answer: Option<Choice>) -> Result<Self, ShellError> {
        let (sender, messages) = mpsc::channel();
        Ok(Self {
            agent: Agent::new(office.settings.clone(), Memory::load(&memory_file)?),
            office: Arc::new(office),
            memory_file,
            answer,
            once: false,
            told: false,
            sender: Sender(sender),
            messages,
            begun: Instant::now(),
            sessions: BTreeMap::new(),
            unheard: None,
        })
    }

    /// The same for the cards that are there at first, and no others: then it ends by itself.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// The way to it.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Runs until it is told to end. `say` tells people.
    pub fn run(mut self, mut say: impl FnMut(&Report) -> io::Result<()>) -> Result<(), ShellError> {
        let mut stopped: Option<Instant> = None;
        while !(self.agent.is_over() || self.once && self.told && self.agent.is_idle()) {
            let event = match self.next() {
                Message::Event(Event::Stop) if stopped.is_some_and(|first| first.elapsed() >= ONE_STOP) => {
                    return Err(ShellError::Abandoned);
                }
                Message::Event(event) => event,
                Message::Told => {
                    self.told = true;
                    continue;
                }
                Message::Lost(missing) => return Err(missing.into()),
                Message::Line(line) if line.trim().is_empty() => continue,
                Message::Line(line) => {
                    let Some((choice, request)) = Choice::from_line(&line) else {
                        self.tell(&Report::NotUnderstood { answer: line }, &mut say);
                        continue;
                    };
                    Event::Chosen(choice, request)
                }
            };
            if matches!(event, Event::Stop) {
                stopped.get_or_insert_with(Instant::now);
            }
            self.event(event, &mut say);
            if self.unheard.is_some() && stopped.is_none() {
                stopped = Some(Instant::now());
                self.event(Event::Stop, &mut say);
            }
        }
        self.unheard.map_or(Ok(()), |error| Err(ShellError::Output(error)))
    }

    /// What happens next; nothing but time if a limit is reached before.
    fn next(&self) -> Message {
        let message = match self.agent.next_deadline() {
            None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => self.messages.recv_timeout(deadline.saturating_sub(self.begun.elapsed())),
        };
        // The channel stays open: this end of it holds a sender.
        message.unwrap_or(Message::Event(Event::Tick))
    }

    fn now(&self) -> Moment {
        Moment { uptime: self.begun.elapsed(), time: self.office.clock.now() }
    }

    fn event(&mut self, event: Event, say: &mut impl FnMut(&Report) -> io::Result<()>) {
        let found = if let Event::Identified(_, found) = &event { Some(found.clone()) } else { None };
        let actions = self.agent.handle(self.now(), event);
        if let Some(card) = found {
            let asks = actions.iter().any(|action| matches!(action, Action::Ask(..)));
            tracing::debug!(?card, asks, "a card was put in");
        }
        for action in actions {
            match action {
                Action::Identify(visit, reader) => self.identify(visit, reader),
                Action::Ask(visit, card) => self.ask(visit, card),
                Action::Update { visit, reader, card, request } => self.update(visit, reader, card, request),
                Action::StopUpdate(visit) => {
                    if let Some(session) = self.sessions.remove(&visit) {
                        session.stop();
                    }
                }
                Action::Remember => self.remember(say),
                Action::Say(report) => {
                    self.tell(&report, say);
                    if let (Report::Notice { request, .. }, Some(choice)) = (&report, self.answer) {
                        self.sender.event(Event::Chosen(choice, Some(request.clone())));
                    }
                }
            }
        }
    }

    fn tell(&mut self, report: &Report, say: &mut impl FnMut(&Report) -> io::Result<()>) {
        if self.unheard.is_none() {
            self.unheard = say(report).err();
        }
    }

    fn remember(&mut self, say: &mut impl FnMut(&Report) -> io::Result<()>) {
        let (now, interval) = (self.office.clock.now(), self.agent.settings().interval);
        if let Err(error) = self.agent.memory().save(&self.memory_file, now, interval) {
            self.tell(&Report::MemoryFailed { reason: error.to_string() }, say);
        }
    }

    /// Begins a job in a thread of its own, which ends with an event.
    fn begin(&self, job: impl FnOnce(&Office) -> Event + Send + 'static) {
        let (office, sender) = (Arc::clone(&self.office), self.sender.clone());
        // Nobody listens when the agent has ended meanwhile.
        thread::spawn(move || sender.event(job(&office)));
    }

    fn identify(&self, visit: Visit, reader: String) {
        self.begin(move |office| {
            let found = office.cms.identify(&reader);
            Event::Identified(visit, found.map_err(|error| error.to_string()))
        });
    }

    fn ask(&self, visit: Visit, card: String) {
        self.begin(move |office| {
            let answer = office.check(&card);
            tracing::debug!(card, ?answer, "the management system was asked");
            Event::Answered(visit, answer)
        });
    }

    fn update(&mut self, visit: Visit, reader: String, card: String, request: String) {
        let session = Session::default();
        self.sessions.insert(visit, session.clone());
        self.begin(move |office| Event::Updated(visit, office.update(&reader, &card, &request, &session)));
    }
}
