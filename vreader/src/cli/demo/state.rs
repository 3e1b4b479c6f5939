//! The card in the reader, the database, and the revocation list if one was published, as rows of what and how: taken before and after a step, and held against each other.

use std::{fs, path::Path, time::Duration};

use der::{Decode, DecodePem, oid::AssociatedOid};

use vreader::{
    attach::pcsc::{RemoteCard, RemoteReader},
    card_client::{CardIdentity, Line},
    clock::Clock,
    cms::{Cms, database::CardRow},
    console::{Console, PinStatus, certificates::Certificates},
    reader::Disposition,
};
use x509_cert::{crl::CertificateList, ext::pkix::CrlReason};

use crate::cli::Failure;

/// Digits of a serial number that are shown: its last.
const DIGITS: usize = 6;

/// The database that `vreader cms` uses in its folder, and the revocation list that stories write there.
const DATABASE: &str = "cms.db";
pub(super) const LIST: &str = "crl.pem";

/// Longest wait for the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a row says that is not there.
const NOTHING: &str = "-";

/// What is known at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    rows: Vec<(String, String)>,
}

impl State {
    /// Looks at the card in the only reader, and at the database and the list in a folder if they are there.
    pub(super) fn look(socket: &Path, folder: &Path) -> Result<Self, Failure> {
        let database = folder.join(DATABASE);
        // The log is not written, so that any clock will do.
        let open = || Cms::open(&database, Clock::System, "demo", PATIENCE);
        let cms = if database.exists() { Some(open()?) } else { None };
        let mut state = Self::default();
        state.look_at_card(socket, cms.as_ref())?;
        if let Some(cms) = cms {
            state.look_at_database(&cms)?;
        }
        state.look_at_list(&folder.join(LIST))?;
        Ok(state)
    }

    /// What a row says.
    pub(super) fn get(&self, what: &str) -> &str {
        self.rows.iter().find(|(name, _)| name == what).map_or(NOTHING, |(_, how)| how)
    }

    /// How many rows are about something.
    pub(super) fn count(&self, what: &str) -> usize {
        self.rows.iter().filter(|(name, _)| name.starts_with(what)).count()
    }

    /// What is other than it was: what, before, after.
    pub(super) fn changes_since(&self, before: &Self) -> Vec<[String; 3]> {
        let gone = before.rows.iter().filter(|(what, _)| self.get(what) == NOTHING);
        let names = self.rows.iter().chain(gone).map(|(what, _)| what);
        let changed = names.filter(|what| before.get(what) != self.get(what));
        changed.map(|what| [what.clone(), before.get(what).to_owned(), self.get(what).to_owned()]).collect()
    }

    fn add(&mut self, what: impl Into<String>, how: impl Into<String>) {
        self.rows.push((what.into(), how.into()));
    }

    fn look_at_card(&mut self, socket: &Path, cms: Option<&Cms>) -> Result<(), Failure> {
        let Ok(reader) = RemoteReader::find(socket, None) else { return Ok(()) };
        let mut card = RemoteCard::connect(socket, &reader.name)?;
        // A login that a program left behind would hide the tries.
        card.reset()?;
        let mut transaction = card.transaction(Disposition::Leave)?;
        let identity = CardIdentity::read(&mut Line::remote(&mut transaction))?;
        let rows = cms.map(Cms::cards).transpose()?.unwrap_or_default();
        let name = rows.iter().find(|row| row.identity == identity).map(CardRow::name);
        self.add("in the reader", name.unwrap_or_else(|| "a card that nobody registered".to_owned()));
        let mut console = Console::new(&mut *transaction, &reader.atr)?;
        // Whether a certificate is valid is of no interest here, so that any clock will do.
        let certificates = console.certificates(Clock::System.now())?;
        let pin = console.pin_status()?;
        transaction.end()?;
        let tries = match pin {
            PinStatus::TriesLeft(left) => left.to_string(),
            other => other.to_string(),
        };
        self.add("PIN, tries left", tries);
        self.add_certificates(&certificates);
        Ok(())
    }

    fn add_certificates(&mut self, certificates: &Certificates) {
        for listed in &certificates.certificates {
            let issuer =
                listed.issuer.split(',').find_map(|part| part.strip_prefix("CN=")).unwrap_or(&listed.issuer);
            let how =
                format!("{}, {issuer}, until {}", short(&listed.serial_number), listed.not_after.date());
            self.add(format!("on the card: {}", listed.purpose), how);
        }
    }

    fn look_at_list(&mut self, list: &Path) -> Result<(), Failure> {
        if !list.exists() {
            return Ok(());
        }
        let list: CertificateList = CertificateList::from_pem(fs::read(list)?)?;
        for entry in list.tbs_cert_list.revoked_certificates.iter().flatten() {
            let extensions = entry.crl_entry_extensions.iter().flatten();
            let reason = extensions.clone().find(|extension| extension.extn_id == CrlReason::OID);
            let reason =
                reason.map(|reason| CrlReason::from_der(reason.extn_value.as_bytes())).transpose()?;
            let reason = reason.map_or_else(|| "no reason".to_owned(), |reason| format!("{reason:?}"));
            let serial = hex::encode_upper(entry.serial_number.as_bytes());
            self.add(format!("{LIST}: certificate {}", short(&serial)), reason);
        }
        Ok(())
    }

    fn look_at_database(&mut self, cms: &Cms) -> Result<(), Failure> {
        self.add("the database", "made");
        for holder in cms.holders()? {
            self.add(format!("holder {}", holder.id), holder.name);
        }
        for card in cms.cards()? {
            self.add(card.name(), card.state.name());
            if let Some(last) = card.expires {
                self.add(format!("{}, last day", card.name()), last.to_string());
            }
            for placed in cms.credentials(card.id)? {
                let credential = placed.credential;
                if credential.card != card.id {
                    continue;
                }
                let how = match (card.hidden == Some(credential.id), credential.reason.name()) {
                    (true, _) => format!("{}, hidden on the card", credential.state),
                    (false, "NONE") => credential.state.to_string(),
                    (false, reason) => format!("{} ({reason})", credential.state),
                };
                self.add(format!("{}, certificate {}", card.name(), short(&credential.serial)), how);
            }
        }
        for request in cms.requests()? {
            self.add(format!("{} for card {}", request.name(), request.card), request.state.name());
        }
        Ok(())
    }
}

/// A serial number as people compare it.
fn short(serial: &str) -> String {
    let digits = serial.len().saturating_sub(DIGITS);
    format!("…{}", serial.get(digits..).unwrap_or(serial))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(rows: &[(&str, &str)]) -> State {
        State { rows: rows.iter().map(|(what, how)| ((*what).to_owned(), (*how).to_owned())).collect() }
    }

    #[test]
    fn what_came_went_and_became_other_is_a_change() {
        let before = state(&[("card 1", "ISSUED"), ("PIN, tries left", "3"), ("gone", "1")]);
        let after = state(&[("card 1", "INVALID"), ("PIN, tries left", "3"), ("new", "2")]);
        assert_eq!(
            after.changes_since(&before),
            [["card 1", "ISSUED", "INVALID"], ["new", "-", "2"], ["gone", "1", "-"]]
                .map(|row| row.map(ToOwned::to_owned))
        );
        assert!(after.changes_since(&after).is_empty());
    }

    #[test]
    fn serial_numbers_are_told_by_their_end() {
        assert_eq!(short("4BE8178ADDD3966C4E3E7B012D8FB247"), "…8FB247");
        assert_eq!(short("12"), "…12");
    }
}
