//! A card's life, action by action.

use card_sim::key::KeyReference;
use vreader::{
    card_client::Line,
    cms::{
        UpdateOptions, Wish,
        state::{CredentialState, DeviceState, Reason, RequestKind},
    },
};

use crate::support::{Office, PIN, access, assert_agree, blank_card, issue, reinsert, slots};

#[test]
fn a_blank_card_is_issued_renewed_and_recycled() {
    let office = Office::new();
    let (mut cms, mut card) = (office.cms(), blank_card(1));
    let id = issue(&mut cms, &mut card, "Dana Quincy Sample");
    assert_eq!(cms.card(id).unwrap().state, DeviceState::Issued);
    assert_eq!(slots(&mut card), ["9A", "9C", "9D", "9E"]);
    assert_agree(&mut cms, &mut card, Some(PIN), "after issuance");

    cms.request(&Wish::new(id, RequestKind::Renewal, Reason::Renew)).unwrap();
    cms.update(&mut Line::local(&mut card), &access(Some(PIN), None), &UpdateOptions::default()).unwrap();
    assert_agree(&mut cms, &mut card, Some(PIN), "after renewal");
    let credentials = cms.credentials(id).unwrap();
    let of = |slot: KeyReference| credentials.iter().find(|placed| placed.slot == Some(slot)).unwrap();
    assert_eq!(of(KeyReference::from_byte(0x82).unwrap()).credential.state, CredentialState::Revoked);
    assert_eq!(of(KeyReference::KeyManagement).credential.state, CredentialState::Issued);
    assert_eq!(credentials.len(), 8);

    cms.terminate(id, Reason::Damaged).unwrap();
    cms.request(&Wish::new(id, RequestKind::Recycling, Reason::None)).unwrap();
    reinsert(&mut card);
    cms.update(&mut Line::local(&mut card), &access(None, None), &UpdateOptions::default()).unwrap();
    assert_eq!(cms.card(id).unwrap().state, DeviceState::Available);
    assert!(slots(&mut card).is_empty());
    assert_agree(&mut cms, &mut card, None, "after recycling");
}
