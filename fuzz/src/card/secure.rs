//! The host at the other end of secure messaging: commands that go protected, and protected commands that were changed on
//! their way or made wrongly.
//!
//! Through the contacts a protected command must do what the plain one does, so what is inside of the answer is judged as
//! a plain answer is. A changed one must be refused, change nothing, and end the session.

mod changed;

use std::sync::LazyLock;

use apdu::{Class, Command, SecureMessaging};
use card_sim::{
    crypto::{Crypto, RustCrypto},
    key::{PrivateKey, PublicKey},
    platform::Platform,
    sm::CipherSuite,
};
use vectors::oracle::{
    ecdh,
    secure_messaging::{Host, request, wrapped},
};

pub(crate) use self::changed::{Change, KINDS};
use self::changed::{altered, in_one, in_parts, with_code_of, wrong_objects};
use super::{Arithmetic, New, SmallCard};

/// How a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As it is.
    Plain,
    /// Protected; if it may come in a chain, in parts of so many bytes.
    Protected { part: u8 },
    /// Protected, with a change.
    Changed(Change),
}

/// Hosts' keys of a suite.
const HOST_KEYS: usize = 4;

/// SELECT of the PIV application.
const SELECT: [u8; 16] =
    [0x00, 0xA4, 0x04, 0x00, 0x0B, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

/// The longest data field that goes protected: the card has room for one of 1 KB.
const LONGEST: usize = 1000;

/// What becomes of a changed command: its lengths are wrong, it may not be protected, an object is missing, or wrong.
const REFUSALS: [u16; 5] = [0x6700, 0x6882, 0x6982, 0x6987, 0x6988];

/// A card's key for secure messaging, and what its hosts know.
struct Suite {
    algorithms: CipherSuite,
    key: PrivateKey,
    new: New,
    hosts: [HostKey; HOST_KEYS],
}

/// A host's key, and what it shares with the card's.
struct HostKey {
    point: Vec<u8>,
    secret: Vec<u8>,
}

static SUITES: LazyLock<[Suite; 2]> = LazyLock::new(|| [CipherSuite::Cs2, CipherSuite::Cs7].map(Suite::new));

impl Suite {
    fn new(algorithms: CipherSuite) -> Self {
        let curve = algorithms.curve();
        let size = curve.size();
        let private = |byte: u8| PrivateKey::ecc(curve, &vec![byte; size]).expect("a scalar");
        let point = |key: &PrivateKey| match RustCrypto::default().public_key(key) {
            Ok(PublicKey::Ecc { point }) => point.to_vec(),
            _ => panic!("a scalar below the curve's order has a point"),
        };
        let key = private(0x04);
        let of_card = point(&key);
        let hosts = [0x31, 0x32, 0x33, 0x34].map(|byte| HostKey {
            point: point(&private(byte)),
            secret: ecdh(&of_card, &vec![byte; size]).expect("a point and a scalar"),
        });
        let length = u8::try_from(of_card.len()).expect("a short point");
        let certificate = [&[0x7F, 0x21, length + 2, 0x86, length], &of_card[..]].concat();
        let new = New::with(Some((key.clone(), &certificate)));
        Self { algorithms, key, new, hosts }
    }
}

/// Whether it is a card's key for secure messaging.
pub(super) fn is_card_key(key: &PrivateKey) -> bool {
    SUITES.iter().any(|suite| suite.key.material() == key.material())
}

/// What a card's key for secure messaging and a host's share: computed once, for a fuzzer asks for it often.
pub(super) fn known_secret(key: &PrivateKey, point: &[u8]) -> Option<&'static [u8]> {
    let suites = LazyLock::force(&SUITES);
    let suite = suites.iter().find(|suite| suite.key.material() == key.material())?;
    suite.hosts.iter().find(|host| host.point == point).map(|host| host.secret.as_slice())
}

/// The host's half.
pub(super) struct Secure {
    suite: &'static Suite,
    host: Option<Host>,
    /// Of a session that is over.
    old: Option<Host>,
    way: Way,
    /// A plain chain has begun.
    chaining: bool,
    /// The last protected command that was accepted.
    last: Vec<u8>,
}

impl SmallCard {
    /// A new card with secure messaging.
    pub(crate) fn with_secure_messaging(suite: u8) -> Self {
        let suite = &SUITES[usize::from(suite) % 2];
        let secure =
            Secure { suite, host: None, old: None, way: Way::Plain, chaining: false, last: Vec::new() };
        Self::of(&suite.new, Arithmetic::Session, Some(secure))
    }

    /// How the next commands go; a change concerns only one of them.
    pub(crate) fn set_way(&mut self, way: Way) {
        self.secure().way = way;
    }

    fn secure(&mut self) -> &mut Secure {
        self.secure.as_mut().expect("a card with secure messaging")
    }

    /// The card has forgotten the session.
    pub(super) fn end_session(&mut self) {
        if let Some(secure) = &mut self.secure {
            secure.old = secure.host.take().or(secure.old.take());
        }
    }

    /// Establishes a session with one of the host's keys, in place of any other.
    pub(crate) fn establish(&mut self, key: u8) {
        self.send_plain(&SELECT);
        let suite = self.secure().suite;
        let algorithm = suite.algorithms.id();
        let HostKey { point, secret } = &suite.hosts[usize::from(key) % HOST_KEYS];
        self.end_session();
        let (data, status) = self.whole_answer(&request(algorithm, point).expect("a point of its length"));
        assert_eq!(status, 0x9000, "key establishment");
        let host = Host::established_with(algorithm, secret, point, &data);
        self.secure().host = Some(host.expect("the card proves its key"));
        self.interrupted();
    }

    /// Asks for a session with a command that was changed: refused or not, there is no session that the host knows.
    pub(crate) fn establish_wrongly(&mut self, change: Change) {
        self.send_plain(&SELECT);
        let suite = self.secure().suite;
        let request = request(suite.algorithms.id(), &suite.hosts[0].point).expect("a point of its length");
        let changed = altered(&request, change);
        // Another command may be anything, and has steps of its own.
        if !Command::parse(&changed).is_ok_and(|command| is_establishment(&command)) {
            return;
        }
        let before = self.stored();
        self.end_session();
        self.whole_answer(&changed);
        assert!(self.stored() == before, "key establishment changed the card: {changed:02X?}");
        self.interrupted();
        self.has_no_session();
    }

    /// Sends a command to a card that may have a session, on the way that is set.
    pub(super) fn send_with_a_session(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        let protected = |class: &u8| Class::parse(*class).secure_messaging() != SecureMessaging::None;
        let parsed = Command::parse(command);
        // Steps of their own do these, who know what has to come of them.
        if command.first().is_some_and(protected) || parsed.as_ref().is_ok_and(is_establishment) {
            return Some(vec![0x6F, 0x00]);
        }
        let Ok(parsed) = parsed else { return self.send_plain(command) };
        let protectable = parsed.class.raw() == 0x00
            && matches!(parsed.instruction, 0x20 | 0x24 | 0x87 | 0xCB)
            && parsed.data.len() <= LONGEST;
        if protectable && std::mem::take(&mut self.secure().chaining) {
            self.interrupted();
        }
        match self.secure().way {
            Way::Protected { part } if protectable => self.send_protected(&parsed, part),
            Way::Changed(change) if protectable => {
                self.secure().way = Way::Plain;
                self.send_changed(&parsed, change)
            }
            _ => {
                let answer = self.send_plain(command)?;
                let accepted = matches!(answer.last_chunk(), Some([0x90, 0x00] | [0x61, _]));
                // SELECT of another application is the end of the session; of the same one it is not.
                if accepted && parsed.instruction == 0xA4 && !parsed.data.starts_with(&SELECT[5..10]) {
                    self.end_session();
                }
                self.secure().chaining = accepted && parsed.class.is_chained();
                Some(answer)
            }
        }
    }

    /// Without a session it is refused; with one, what is inside of the answer must be as the plain command's.
    fn send_protected(&mut self, command: &Command<'_>, part: u8) -> Option<Vec<u8>> {
        let Some(mut host) = self.secure().host.take() else {
            self.has_no_session();
            return Some(vec![0x69, 0x82]);
        };
        let plain = in_one(command);
        let protected = host.protect(&plain).expect("a command");
        let cut_states = if self.cut { self.rules.after_power_cut(&plain) } else { Vec::new() };
        let mut parts = match command.instruction {
            0x87 if part > 0 => in_parts(&protected, part),
            _ => vec![protected.clone()],
        };
        let last = parts.pop().expect("at least one");
        for part in parts {
            assert_eq!(self.transmit(&part), (Vec::new(), 0x9000), "a part of a chain: {part:02X?}");
        }
        let (data, status) = self.whole_answer(&last);
        self.secure().host = Some(host.clone());
        if self.power.is_off() {
            self.reopen_as_one_of(&cut_states, &plain);
            return None;
        }
        assert_eq!(status, 0x9000, "{status:04X} to {protected:02X?}, in parts of {part}, for {plain:02X?}");
        let answer = host.open(&data);
        let answer = answer.unwrap_or_else(|| panic!("a protected answer to {plain:02X?}: {data:02X?}"));
        let secure = self.secure();
        (secure.host, secure.last) = (Some(host), protected);
        let (data, status) = answer.split_last_chunk().expect("a status word");
        Some(self.judged(&plain, data, u16::from_be_bytes(*status)))
    }

    /// A changed command, or the same one if it cannot be changed so.
    fn send_changed(&mut self, command: &Command<'_>, change: Change) -> Option<Vec<u8>> {
        match self.changed(command, change) {
            Some(commands) => Some(self.must_be_refused(&commands)),
            None => self.send_protected(command, 0),
        }
    }

    /// The last of these commands is refused, the session is over, and the card holds what it held.
    fn must_be_refused(&mut self, commands: &[Vec<u8>]) -> Vec<u8> {
        let before = self.stored();
        let mut answer = (Vec::new(), 0x9000);
        for sent in commands {
            assert_eq!(answer, (Vec::new(), 0x9000), "the parts before the last of {commands:02X?}");
            answer = self.whole_answer(sent);
        }
        let (data, status) = answer;
        assert!(
            data.is_empty() && REFUSALS.contains(&status),
            "not refused: {commands:02X?} -> {data:02X?} {status:04X}"
        );
        assert!(self.stored() == before, "the card was changed by {commands:02X?}");
        self.end_session();
        self.interrupted();
        self.has_no_session();
        status.to_be_bytes().to_vec()
    }

    /// What is sent in place of the protected command; nothing if there is no session, or it would be the same command.
    fn changed(&mut self, command: &Command<'_>, change: Change) -> Option<Vec<Vec<u8>>> {
        let secure = self.secure.as_mut()?;
        // If nothing comes of it, the session goes on where it was.
        let host = &mut secure.host.clone()?;
        let plain = in_one(command);
        let header = [0x00, command.instruction, command.p1, command.p2];
        let one = |command: Option<Vec<u8>>| Some(vec![command?]);
        match change.kind % KINDS {
            4 if !secure.last.is_empty() => one(Some(secure.last.clone())),
            5 => {
                host.protect(&SELECT)?;
                one(host.protect(&plain))
            }
            6 => one(secure.old.as_mut()?.protect(&plain)),
            7..=12 => {
                let objects = wrong_objects(host, command.data, change);
                let code = host.code_of(header, &objects);
                one(wrapped(header, &[&objects[..], &[0x8E, 0x08], &code].concat()))
            }
            13 => one(Some(with_code_of(&host.protect(&plain)?, change.value))),
            14 | 15 if command.instruction == 0x87 => {
                let mut parts = in_parts(&host.protect(&plain)?, change.value);
                let places = parts.len() - 1;
                let place = usize::from(change.place).checked_rem(places)?;
                if change.kind % KINDS == 14 {
                    parts.remove(place);
                } else {
                    parts.insert(place, parts[place].clone());
                }
                Some(parts)
            }
            _ => {
                let protected = host.protect(&plain)?;
                let changed = altered(&protected, change);
                let same = |a: &Command<'_>, b: &Command<'_>| {
                    (a.instruction, a.p1, a.p2, a.data) == (b.instruction, b.p1, b.p2, b.data)
                };
                let parsed = (Command::parse(&protected), Command::parse(&changed));
                if matches!(&parsed, (Ok(a), Ok(b)) if same(a, b)) {
                    return None;
                }
                Some(vec![changed])
            }
        }
    }

    /// A protected command of a session that is over is refused.
    fn has_no_session(&mut self) {
        let Some(host) = &mut self.secure().old else { return };
        let command = host.protect(&[0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x02, 0x00]);
        let (data, status) = self.whole_answer(&command.expect("a command"));
        assert!(data.is_empty() && matches!(status, 0x6982 | 0x6988), "without a session: {status:04X}");
        self.interrupted();
    }

    /// Tells the model that there was a command of which nothing came, but that it was one.
    fn interrupted(&mut self) {
        self.secure().chaining = false;
        let refused = self.rules.judge(&self.card.platform().parts().store, &[0x0C], &[], 0x6982);
        refused.expect("a refusal is what the model expects");
    }

    /// Sends a command, and fetches all of its answer.
    fn whole_answer(&mut self, command: &[u8]) -> (Vec<u8>, u16) {
        let (mut data, mut status) = self.transmit(command);
        while status >> 8 == 0x61 {
            let (more, next) = self.transmit(&[0x00, 0xC0, 0x00, 0x00, 0x00]);
            data.extend(more);
            status = next;
        }
        (data, status)
    }

    /// The card's flash, to the last bit.
    fn stored(&mut self) -> Vec<u8> {
        self.card.platform().parts().store.with_image(<[u8]>::to_vec).expect("a flash in memory")
    }
}

fn is_establishment(command: &Command<'_>) -> bool {
    command.instruction == 0x87 && command.p2 == 0x04
}

/// What is looked for is found: a card that does what it must not.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::PIN;

    const PRINTED: [u8; 11] = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x09, 0x00];

    fn verify(card: &mut SmallCard) -> Option<Vec<u8>> {
        card.send_data([0x00, 0x20, 0x00, 0x80], PIN)
    }

    /// A card with a session, and the PIN verified in it.
    fn card(suite: u8) -> SmallCard {
        let mut card = SmallCard::with_secure_messaging(suite);
        card.establish(0);
        card.set_way(Way::Protected { part: 0 });
        assert_eq!(verify(&mut card).unwrap(), [0x90, 0x00]);
        card
    }

    fn protected(card: &mut SmallCard, command: &[u8]) -> Vec<u8> {
        card.secure().host.as_mut().unwrap().protect(command).unwrap()
    }

    #[test]
    fn what_a_card_may_do_is_no_finding() {
        for suite in 0..2 {
            let mut card = card(suite);
            assert_eq!(card.send(&PRINTED).unwrap().len(), 14);
            card.set_way(Way::Changed(Change { kind: 0, place: 20, value: 1 }));
            assert_eq!(card.send(&PRINTED).unwrap(), [0x69, 0x88]);
            card.set_way(Way::Protected { part: 0 });
            assert_eq!(card.send(&PRINTED).unwrap(), [0x69, 0x82]);
            card.finish();
        }
    }

    #[test]
    #[should_panic(expected = "not refused")]
    fn a_changed_command_that_is_taken() {
        let mut card = card(0);
        let command = protected(&mut card, &PRINTED);
        card.must_be_refused(&[command]);
    }

    #[test]
    #[should_panic(expected = "without a session: 9000")]
    fn a_session_that_goes_on_after_a_change() {
        let mut card = card(0);
        card.end_session();
        card.has_no_session();
    }

    #[test]
    #[should_panic(expected = "6988 to")]
    fn a_session_that_ends_too_early() {
        let mut card = card(0);
        protected(&mut card, &PRINTED);
        card.send(&PRINTED);
    }

    #[test]
    #[should_panic(expected = "it had to be 6982")]
    fn an_object_without_its_pin_under_protection() {
        let mut card = SmallCard::with_secure_messaging(0);
        card.establish(0);
        // The card is told the PIN, and the rules are not.
        let verify = [&[0x00, 0x20, 0x00, 0x80, 0x08], &PIN[..]].concat();
        card.transmit(&verify);
        card.set_way(Way::Protected { part: 0 });
        card.send(&PRINTED);
    }
}
