//! A management system that answers what a test wants, when it wants.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

use card_sim::key::AsymmetricAlgorithm;
use der::{EncodePem, pem::LineEnding};
use vreader::{
    agent::{
        CheckError, IdentifyError, ManagementSystem, Office, Order, PendingNotice, Session, Settings,
        Unreachable, UpdateError, Updated, Version,
    },
    clock::{Clock, Time},
    crypto::DefaultCrypto,
    issue::{Date, pki::Pki},
};
use x509_cert::{Certificate, der::Decode};

/// Longest wait for something that must come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Whether it answers, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// At once.
    Prompt,
    /// Not before it is prompt again, or an update is stopped.
    Slow,
    /// Nobody is there.
    Gone,
}

pub(crate) struct State {
    pub(crate) mood: Mood,
    pub(crate) version: Version,
    pub(crate) root: Vec<u8>,
    /// Reader to card.
    pub(crate) cards: BTreeMap<String, String>,
    /// Card to request.
    pub(crate) pending: BTreeMap<String, String>,
    /// What it was asked: cards, and requests that were carried out.
    pub(crate) checked: Vec<String>,
    pub(crate) updated: Vec<String>,
}

/// Clones are the same one.
#[derive(Clone)]
pub(crate) struct Double(Arc<(Mutex<State>, Condvar)>);

impl Double {
    pub(crate) fn new() -> Self {
        let state = State {
            mood: Mood::Prompt,
            version: Version { major: 5, minor: 7 },
            root: root(1),
            cards: BTreeMap::new(),
            pending: BTreeMap::new(),
            checked: Vec::new(),
            updated: Vec::new(),
        };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    /// One that knows this card in this reader, and has this request for it.
    pub(crate) fn with_request(reader: &str, card: &str, request: &str) -> Self {
        let double = Self::new();
        double.state().cards.insert(reader.into(), card.into());
        double.state().pending.insert(card.into(), request.into());
        double
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.state().mood = mood;
        self.0.1.notify_all();
    }

    /// Waits as long as it is slow, and the session goes on.
    fn answers(&self, session: &Session) -> Result<MutexGuard<'_, State>, Unreachable> {
        let mut state = self.state();
        while state.mood == Mood::Slow && !session.is_stopped() {
            // A session that is stopped does not wake anybody.
            state = self.0.1.wait_timeout(state, Duration::from_millis(5)).unwrap().0;
        }
        if state.mood == Mood::Gone { Err(Unreachable("nobody is there".into())) } else { Ok(state) }
    }

    fn answers_some_time(&self) -> Result<MutexGuard<'_, State>, Unreachable> {
        self.answers(&Session::default())
    }

    pub(crate) fn office(&self, settings: Settings) -> Office {
        Office { cms: Box::new(self.clone()), settings, clock: Clock::At(now()), pin: None, new_pin: None }
    }
}

/// The time of all tests.
pub(crate) fn now() -> Time {
    "2026-03-01T08:00:00Z".parse().unwrap()
}

/// The root certificate of a PKI, in DER.
pub(crate) fn root(seed: u64) -> Vec<u8> {
    let from = Date::new(2026, 1, 1).unwrap();
    let pki = Pki::create(Some(seed), AsymmetricAlgorithm::EccP256, from, &mut DefaultCrypto::default());
    pki.unwrap().root.certificate_der().to_vec()
}

/// The same in a PEM file.
pub(crate) fn root_file(folder: &Path, seed: u64) -> PathBuf {
    let path = folder.join(format!("root-{seed}.pem"));
    let pem = Certificate::from_der(&root(seed)).unwrap().to_pem(LineEnding::LF).unwrap();
    fs::write(&path, pem).unwrap();
    path
}

impl ManagementSystem for Double {
    fn version(&self) -> Result<Version, Unreachable> {
        // Slow is the check itself.
        let state = self.state();
        if state.mood == Mood::Gone { Err(Unreachable("nobody is there".into())) } else { Ok(state.version) }
    }

    fn root(&self) -> Result<Vec<u8>, Unreachable> {
        self.version()?;
        Ok(self.state().root.clone())
    }

    fn identify(&self, reader: &str) -> Result<Option<String>, IdentifyError> {
        Ok(self.state().cards.get(reader).cloned())
    }

    fn check(&self, card: &str, at: Time) -> Result<Option<PendingNotice>, CheckError> {
        assert_eq!(at, now(), "the clock's time");
        let mut state = self.answers_some_time()?;
        state.checked.push(card.to_owned());
        if card == "unknown" {
            return Err(CheckError::UnknownCard { card: card.into() });
        }
        let request = state.pending.get(card).cloned();
        Ok(request.map(|request| PendingNotice { request, what: "renew the certificate Signature".into() }))
    }

    fn update(&self, order: &Order<'_>, session: &Session) -> Result<Updated, UpdateError> {
        let mut state = self.answers(session)?;
        if session.is_stopped() {
            return Err(UpdateError::Stopped);
        }
        assert_eq!(
            (order.now, state.cards.get(order.reader).map(|card| &card[..])),
            (now(), Some(order.card))
        );
        match state.pending.remove(order.card) {
            Some(request) if request == order.request => {
                state.updated.push(request);
                Ok(Updated { changes: vec!["Signature: new key and certificate".into()] })
            }
            _ => Err(UpdateError::Refused("there is no such request".into())),
        }
    }
}
