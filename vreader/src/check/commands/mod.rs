//! SP 800-85A-4: what the card does with commands.
//!
//! Each assertion is tried on a copy of its own, powered on and with the PIV application selected; on a card in a
//! reader they are tried one after the other, those that wear the card out last. What an assertion needs ([`Need`])
//! and the check does not have makes it not applicable.
//!
//! The numbers are those of SP 800-85A-4; a letter in small tells apart what one of them asserts in several parts. The
//! expected status words are those of SP 800-73-5 part 2, section 3. Where it leaves a choice, each choice passes.

mod authenticate;
mod change;
mod read;
mod secure;
mod select;
mod verify;
mod write;

use card_sim::interface::Interface;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{
    evidence::{Evidence, Found, Subject},
    hand::{CheckError, Hand, Source},
    look::{PIV, VERIFY_PIN},
    outcome::{Miss, Outcome, failed, not_applicable},
    policy::{PinPolicy, pin_policy},
    report::{Part, RowReport},
};
use crate::{issue::Date, sm::transport::Answer};

/// What the check knows of a card's secrets.
#[derive(Default)]
pub(super) struct Secrets {
    pub(super) pin: Option<Zeroizing<[u8; 8]>>,
    pub(super) puk: Option<Zeroizing<[u8; 8]>>,
    pub(super) management_key: Option<Zeroizing<Vec<u8>>>,
}

/// What an assertion needs beside a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Pin,
    Puk,
    ManagementKey,
    /// To change the card.
    Change,
    /// To change the card for good.
    Ruin,
    /// The contactless interface.
    Contactless,
    SecureMessaging,
}

/// One assertion.
struct Assertion {
    id: &'static str,
    about: &'static str,
    text: &'static str,
    needs: &'static [Need],
    run: fn(&mut Trial<'_>) -> Tried,
}

/// Why an assertion came to its end before it passed.
enum Stop {
    Miss(Miss),
    Error(CheckError),
}

impl From<Miss> for Stop {
    fn from(miss: Miss) -> Self {
        Self::Miss(miss)
    }
}

impl From<CheckError> for Stop {
    fn from(error: CheckError) -> Self {
        Self::Error(error)
    }
}

type Tried<T = ()> = Result<T, Stop>;

/// Tries all assertions.
pub(super) fn rows(
    source: &mut Source,
    secrets: &Secrets,
    evidence: &Evidence,
    may_change: bool,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<RowReport>, CheckError> {
    let mut reports: Vec<(usize, RowReport)> = Vec::new();
    // What wears the card out comes last, so that the others find it as it was.
    let mut order: Vec<_> = assertions().enumerate().collect();
    order
        .sort_by_key(|(_, assertion)| [Need::Ruin, Need::Change].map(|need| assertion.needs.contains(&need)));
    for (index, assertion) in order {
        let outcome = if let Some(reason) = missing(assertion, source, secrets, evidence, may_change) {
            Outcome::NotApplicable { reason }
        } else {
            let contactless = assertion.needs.contains(&Need::Contactless);
            let interface = if contactless { Interface::Contactless } else { Interface::Contact };
            run(assertion, source.card(interface)?, secrets, evidence, rng)?
        };
        let report = RowReport {
            part: Part::Commands,
            id: assertion.id.to_owned(),
            about: assertion.about.to_owned(),
            text: assertion.text.to_owned(),
            outcome,
        };
        reports.push((index, report));
    }
    reports.sort_by_key(|(index, _)| *index);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

/// All assertions, none of which was tried because there is no card.
pub(super) fn rows_without_card() -> Vec<RowReport> {
    assertions()
        .map(|assertion| RowReport {
            part: Part::Commands,
            id: assertion.id.to_owned(),
            about: assertion.about.to_owned(),
            text: assertion.text.to_owned(),
            outcome: Outcome::NotApplicable { reason: "there is no card, only its objects".to_owned() },
        })
        .collect()
}

fn assertions() -> impl Iterator<Item = &'static Assertion> {
    [select::ROWS, read::ROWS, verify::ROWS, change::ROWS, authenticate::ROWS, write::ROWS, secure::ROWS]
        .into_iter()
        .flatten()
}

/// What the assertion needs and the check does not have, in words.
fn missing(
    assertion: &Assertion,
    source: &Source,
    secrets: &Secrets,
    evidence: &Evidence,
    may_change: bool,
) -> Option<String> {
    let reason = |need: &Need| {
        Some(match need {
            Need::Pin if secrets.pin.is_none() => "it needs the PIN; give it with --pin",
            Need::Puk if secrets.puk.is_none() => "it needs the PUK; give it with --puk",
            Need::ManagementKey if secrets.management_key.is_none() => {
                "it needs the card management key; give it with --management-key"
            }
            Need::Change | Need::Ruin if !may_change => {
                "it changes the card; --destructive allows that to a card in a reader"
            }
            Need::Contactless if !source.is_copy() => {
                "it needs the contactless interface, and the reader presents the card as it does"
            }
            Need::SecureMessaging if evidence.card_verifiable_certificate.is_none() => {
                "the card has no secure messaging"
            }
            _ => return None,
        })
    };
    assertion.needs.iter().find_map(reason).map(str::to_owned)
}

fn run(
    assertion: &Assertion,
    card: Hand<'_>,
    secrets: &Secrets,
    evidence: &Evidence,
    rng: &mut dyn CryptoRng,
) -> Result<Outcome, CheckError> {
    let mut trial = Trial { card, secrets, evidence, rng };
    let tried = trial.select(&PIV).and_then(|_| (assertion.run)(&mut trial));
    match tried {
        Ok(()) => Ok(Outcome::Passed),
        Err(Stop::Miss(miss)) => Ok(Err(miss).into()),
        Err(Stop::Error(error)) => Err(error),
    }
}

/// An assertion on its way.
struct Trial<'a> {
    card: Hand<'a>,
    secrets: &'a Secrets,
    evidence: &'a Evidence,
    rng: &'a mut dyn CryptoRng,
}

/// Tries of VERIFY after which a counter must be at its end: no counter has more.
const MOST_TRIES: usize = 16;

impl Trial<'_> {
    fn send(&mut self, header: [u8; 4], data: &[u8]) -> Tried<Answer> {
        Ok(self.card.send(header, data)?)
    }

    /// Sends a command and gives its status word.
    fn status(&mut self, header: [u8; 4], data: &[u8]) -> Tried<u16> {
        Ok(self.send(header, data)?.status)
    }

    /// Sends a command whose status word must be one of these.
    fn expect(&mut self, header: [u8; 4], data: &[u8], wanted: &[u16], what: &str) -> Tried {
        let found = self.status(header, data)?;
        one_of(found, wanted, what)
    }

    fn select(&mut self, name: &[u8]) -> Tried<Answer> {
        self.send([0x00, 0xA4, 0x04, 0x00], name)
    }

    fn get_data(&mut self, tag: u32) -> Tried<Found> {
        Ok(super::look::read(&mut self.card, tag)?)
    }

    /// The PIN. Assertions that ask for it say so in their needs.
    fn pin(&self) -> Tried<Zeroizing<[u8; 8]>> {
        match &self.secrets.pin {
            Some(pin) => Ok(pin.clone()),
            None => Ok(not_applicable("it needs the PIN; give it with --pin")?),
        }
    }

    fn puk(&self) -> Tried<Zeroizing<[u8; 8]>> {
        match &self.secrets.puk {
            Some(puk) => Ok(puk.clone()),
            None => Ok(not_applicable("it needs the PUK; give it with --puk")?),
        }
    }

    /// Well formed, and not the PIN.
    fn wrong_pin(&self) -> Tried<[u8; 8]> {
        Ok(other_than(&*self.pin()?, *b"000000\xFF\xFF"))
    }

    /// Presents the right PIN.
    fn log_in(&mut self) -> Tried {
        let pin = self.pin()?;
        self.expect(VERIFY_PIN, &*pin, &[0x9000], "VERIFY with the PIN")
    }

    /// Whether the PIN counts as verified, and else the tries left.
    fn pin_status(&mut self) -> Tried<PinStatus> {
        match self.status(VERIFY_PIN, &[])? {
            0x9000 => Ok(PinStatus::Verified),
            0x6983 => Ok(PinStatus::Tries(0)),
            status if status & 0xFFF0 == 0x63C0 => Ok(PinStatus::Tries(status & 0xF)),
            status => Ok(failed("9000, 63CX or 6983 to VERIFY without data", format!("{status:04X}"))?),
        }
    }

    /// Ends the PIN's status, so that the tries can be asked for.
    fn log_out(&mut self) -> Tried {
        self.expect([0x00, 0x20, 0xFF, 0x80], &[], &[0x9000], "VERIFY with P1 FF")
    }

    /// Tries left, once nobody is logged in.
    fn tries(&mut self) -> Tried<u16> {
        match self.pin_status()? {
            PinStatus::Tries(tries) => Ok(tries),
            PinStatus::Verified => Ok(failed("no verified PIN", "9000")?),
        }
    }

    fn must_be(&mut self, wanted: PinStatus, when: &str) -> Tried {
        let found = self.pin_status()?;
        check(found == wanted, || format!("{} {when}", wanted.in_words()), || found.in_words())
    }

    /// Presents wrong values until the counter is at its end. `data` is the wrong command's data.
    fn wear_down(&mut self, header: [u8; 4], data: &[u8]) -> Tried {
        for _ in 0..MOST_TRIES {
            match self.status(header, data)? {
                0x63C0 | 0x6983 => return Ok(()),
                status if status & 0xFFF0 == 0x63C0 => {}
                status => return Ok(failed("63CX for a wrong value", format!("{status:04X}"))?),
            }
        }
        Ok(failed("a counter that comes to its end", "16 wrong tries")?)
    }

    /// What the Discovery Object promises; `None` without one.
    fn policy(&self) -> Option<PinPolicy> {
        pin_policy(&Subject { evidence: self.evidence, now: Date::today() }).ok()
    }

    /// The pairing code, from the container that shows it.
    fn pairing_code(&self) -> Tried<Zeroizing<Vec<u8>>> {
        let subject = Subject { evidence: self.evidence, now: Date::today() };
        let code = subject.element(0x5F_C123, 0x99)?;
        Ok(Zeroizing::new(code.to_vec()))
    }
}

/// The PIN's security status.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PinStatus {
    Verified,
    Tries(u16),
}

impl PinStatus {
    fn in_words(self) -> String {
        match self {
            Self::Verified => "a verified PIN".to_owned(),
            Self::Tries(tries) => format!("a PIN that is not verified and has {tries} tries left"),
        }
    }
}

fn other_than(secret: &[u8], candidate: [u8; 8]) -> [u8; 8] {
    if secret == candidate { *b"111111\xFF\xFF" } else { candidate }
}

fn one_of(found: u16, wanted: &[u16], what: &str) -> Tried {
    check(
        wanted.contains(&found),
        || {
            let words: Vec<_> = wanted.iter().map(|status| format!("{status:04X}")).collect();
            format!("{} to {what}", words.join(" or "))
        },
        || format!("{found:04X}"),
    )
}

fn check(condition: bool, expected: impl FnOnce() -> String, found: impl FnOnce() -> String) -> Tried {
    if condition { Ok(()) } else { Ok(failed(expected(), found())?) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use card_sim::{profile, sm::CipherSuite};

    use super::*;
    use crate::{
        check::look::{look, padded},
        crypto::DefaultCrypto,
        emulated::EmulatedCard,
        issue::{Features, Request, SecureMessaging, VirtualContact, issue},
        random,
    };

    #[test]
    fn every_assertion_has_a_number_of_its_own() {
        let ids: Vec<_> = assertions().map(|assertion| assertion.id).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.len() > 40, "{}", ids.len());
    }

    /// A card that treats the contactless interface as if it were the contacts.
    #[test]
    fn rows_about_the_contactless_interface_fail_a_card_that_does_not_know_it() {
        let features = Features {
            secure_messaging: Some(SecureMessaging { suite: CipherSuite::Cs2, intermediate: false }),
            virtual_contact: Some(VirtualContact::Pairing),
            ..Features::default()
        };
        let request = Request { seed: Some(3), features, ..Request::default() };
        let issued = issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).unwrap();
        let card = || {
            let mut card = EmulatedCard::in_memory(&profile::PIV, 3, &issued).unwrap();
            card.card().power_on_through(Interface::Contact);
            Hand::Copy(Box::new(card))
        };
        let mut rng = random::from_seed("test of the contactless interface", 1);
        let pin = padded(&request.pin).unwrap();
        let evidence = look(&mut card(), Some(&*pin), &mut rng).unwrap();
        let secrets = Secrets { pin: Some(pin), ..Secrets::default() };
        let failed = assertions().filter(|assertion| assertion.needs.contains(&Need::Contactless)).filter(
            |assertion| {
                let outcome = run(assertion, card(), &secrets, &evidence, &mut rng).unwrap();
                matches!(outcome, Outcome::Failed { .. })
            },
        );
        let failed: Vec<_> = failed.map(|assertion| assertion.id).collect();
        // PUT DATA and GENERATE are refused through the contacts too, until the card management key is proved.
        assert_eq!(failed, ["05.12Ac", "05.18", "05.24A-R4", "05.29a", "05.18b", "05.18A-R4"]);
    }
}
