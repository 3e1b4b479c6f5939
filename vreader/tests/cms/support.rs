//! A management system in a folder of its own, and cards in this process.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use card_sim::{
    platform::Platform,
    profile::PIV,
    store::{FlashStore, MemoryFlash, Reads},
};
use tempfile::TempDir;
use vreader::{
    card_client::Line,
    clock::{Clock, Time},
    cms::{Access, Cms, UpdateOptions},
    emulated::{CardStore, EmulatedCard},
    image::Durability,
    inspect::{self, CertificateEntry, KeyMatch, PivAuthentication, Report},
    issue::{DEFAULT_PUK, blank},
    reader::{InsertedCard, Interface},
};
use zeroize::Zeroizing;

pub(crate) const PIN: &str = "246813";
pub(crate) const NOW: &str = "2026-01-05T09:00:00Z";

pub(crate) fn time(text: &str) -> Time {
    text.parse().unwrap()
}

/// A folder with a database.
pub(crate) struct Office {
    folder: TempDir,
    pub(crate) now: Time,
}

impl Office {
    pub(crate) fn new() -> Self {
        Self::of(NOW, NOW)
    }

    /// One that stands at this time, and whose authority was made at that.
    pub(crate) fn of(now: &str, made: &str) -> Self {
        let office = Self { folder: tempfile::tempdir().unwrap(), now: time(now) };
        Cms::create(&office.database(), Clock::At(time(made)), "tester", Some(1)).unwrap();
        office
    }

    /// A file in its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("cms.db")
    }

    pub(crate) fn cms(&self) -> Cms {
        self.patient_cms(Duration::from_secs(2))
    }

    pub(crate) fn patient_cms(&self, patience: Duration) -> Cms {
        Cms::open(&self.database(), Clock::At(self.now), "tester", patience).unwrap()
    }

    /// A copy of the database as it is.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self { folder: tempfile::tempdir().unwrap(), now: self.now };
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.folder.path().join(path.file_name().unwrap())).unwrap();
        }
        copy
    }
}

/// A blank card, with power.
pub(crate) fn blank_card(seed: u64) -> EmulatedCard {
    let blank = blank::blank(&PIV, Some(seed)).unwrap();
    powered(EmulatedCard::in_memory(&PIV, PIV.default_tries, &blank).unwrap())
}

fn powered(mut card: EmulatedCard) -> EmulatedCard {
    card.power_on(Interface::Contact);
    card
}

/// The flash of a card.
pub(crate) fn image(card: &mut EmulatedCard) -> Zeroizing<Vec<u8>> {
    match &mut card.card().platform().parts().store {
        CardStore::Memory(store) => Zeroizing::new(store.image().unwrap().to_vec()),
        _ => panic!("the card is in memory"),
    }
}

/// A card with this flash, with power.
pub(crate) fn card_of(image: &[u8]) -> EmulatedCard {
    let store = FlashStore::open(MemoryFlash::from_image(image), Reads::Memory).unwrap();
    powered(EmulatedCard::with_store(store).unwrap())
}

/// The card in a file, with power.
pub(crate) fn card_in(path: &Path) -> EmulatedCard {
    powered(EmulatedCard::open_with(path, Durability::Process).unwrap())
}

/// Power off and on.
pub(crate) fn reinsert(card: &mut EmulatedCard) {
    card.power_off();
    card.power_on(Interface::Contact);
}

pub(crate) fn report(card: &mut EmulatedCard) -> Report {
    inspect::inspect(&card.contents().unwrap())
}

/// That no certificate can be read whose key the card does not have. A hidden one cannot be read.
pub(crate) fn assert_keys_fit(card: &mut EmulatedCard, when: &str) {
    for certificate in visible(card) {
        assert_eq!(certificate.key_match, KeyMatch::Matches, "{when}: {certificate:?}");
    }
}

/// The certificates of PIV's keys that programs can read.
fn visible(card: &mut EmulatedCard) -> impl Iterator<Item = CertificateEntry> {
    let report = report(card);
    let piv = report.common_access.and_then(|cac| cac.piv_authentication);
    let hidden = (piv == Some(PivAuthentication::Hidden)).then(|| "9A".to_owned());
    let of_keys = |certificate: &CertificateEntry| certificate.slot.is_some() && certificate.slot != hidden;
    report.certificates.into_iter().filter(of_keys).collect::<Vec<_>>().into_iter()
}

/// The slots that have certificates.
pub(crate) fn slots(card: &mut EmulatedCard) -> Vec<String> {
    visible(card).filter_map(|certificate| certificate.slot).collect()
}

pub(crate) fn puk() -> Zeroizing<[u8; 8]> {
    Zeroizing::new(DEFAULT_PUK.as_bytes().try_into().unwrap())
}

pub(crate) fn access(pin: Option<&str>, new_pin: Option<&str>) -> Access {
    Access::new(pin, new_pin).unwrap()
}

/// An issued card for a new holder; its number.
pub(crate) fn issue(cms: &mut Cms, card: &mut EmulatedCard, holder: &str) -> i64 {
    let id = assigned(cms, card, holder);
    cms.issue(&mut Line::local(card), &access(Some(PIN), None), &UpdateOptions::default()).unwrap();
    reinsert(card);
    id
}

/// A card that is assigned to a new holder; its number.
pub(crate) fn assigned(cms: &mut Cms, card: &mut EmulatedCard, holder: &str) -> i64 {
    let id = registered(cms, card);
    let holder = cms.add_holder(Some(holder), None).unwrap();
    cms.assign(id, &holder.id.to_string()).unwrap();
    id
}

pub(crate) fn registered(cms: &mut Cms, card: &mut EmulatedCard) -> i64 {
    let blank = blank::blank(&PIV, Some(1)).unwrap();
    let row = cms.register(&mut Line::local(card), &blank.management_key, Some(&puk())).unwrap();
    row.id
}

/// That card and database agree, with every key proved.
pub(crate) fn assert_agree(cms: &mut Cms, card: &mut EmulatedCard, pin: Option<&str>, when: &str) {
    reinsert(card);
    let differences = cms.compare(&mut Line::local(card), &access(pin, None)).unwrap();
    assert!(differences.is_empty(), "{when}: {differences:?}");
    assert!(cms.open_sessions().unwrap().is_empty(), "{when}: a session is open");
    assert_keys_fit(card, when);
}
