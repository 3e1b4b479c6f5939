//! Whatever comes in, a Common Access Card answers with a status word, and keeps its secrets and its holder's data.

#![cfg(feature = "cac")]

mod support;

use card_sim::{
    cac::ObjectId,
    key::{AsymmetricAlgorithm, PrivateKey, SymmetricAlgorithm, SymmetricKey},
    personalise::{CacPersonalisation, Personalisation, ReferenceData},
    profile::Profile,
    store::{FlashStore, MemoryFlash, Reads},
};
use proptest::prelude::*;
use support::{MANAGEMENT_KEY, PIN, PUK, TestCard};

/// What Person Instance says, and nobody reads without the PIN.
const PERSONAL: &[u8; 20] = b"SPECIMEN.DANA.Q.1234";

/// A scalar that is in no other slot.
const IDENTITY: u8 = 0x33;

fn card() -> TestCard {
    let mut store = FlashStore::format(MemoryFlash::blank(16), Reads::Memory).unwrap();
    let identity_key = PrivateKey::ecc(AsymmetricAlgorithm::EccP256, &support::scalar(IDENTITY)).unwrap();
    let person = [&[0x02, 0x00, 0x03, 0x14, 0x14, 0x00][..], PERSONAL].concat();
    Personalisation {
        profile: Profile::find("cac-gemalto-gx4-144").unwrap(),
        pin: ReferenceData { value: PIN, tries: 3 },
        puk: ReferenceData { value: PUK, tries: 3 },
        global_pin: None,
        fingers: &[],
        serial_number: None,
        card_verifiable_certificate: None,
        management_key: &SymmetricKey::new(SymmetricAlgorithm::Aes192, &MANAGEMENT_KEY).unwrap(),
        keys: &[],
        objects: &[],
        cac: Some(CacPersonalisation {
            identity_key: &identity_key,
            containers: &[(ObjectId::PERSON, &person)],
            piv_authentication_hidden: true,
        }),
    }
    .write(&mut store)
    .unwrap();
    support::on(store)
}

/// Commands of the CAC applets, good ones and those that are near to good ones.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "00A4040007A000000116DB00",
        "00A4040007A0000000790100",
        "00A4040C07A0000000790200",
        "00A4040C07A0000000790300",
        "00A4040C09A00000030800001000",
        "00A40200020200",
        "0056010000",
        "80520000020100",
        "805200000202FF",
        "8052000202021400",
        "8042800002AABB",
        "80420000020102",
        "804C100000",
        "0084000008",
        "0024000010313233343536FFFF363534333231FFFF",
        "002C000010313233343536373836353433323100FF",
    ])
    .prop_map(|text| hex::decode(text).unwrap());
    let made = (
        prop::sample::select(vec![0x00, 0x10, 0x80, 0x0C]),
        prop::sample::select(vec![0x20, 0x24, 0x2C, 0x42, 0x4C, 0x52, 0x56, 0x58, 0x84, 0xA4, 0xC0]),
        any::<[u8; 2]>(),
        prop::collection::vec(any::<u8>(), 1..=255),
    )
        .prop_map(|(class, instruction, [p1, p2], data)| {
            let length = u8::try_from(data.len()).unwrap();
            [&[class, instruction, p1, p2, length][..], &data].concat()
        });
    prop_oneof![3 => known, 1 => made]
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_without_the_pin_reveals_anything(commands in prop::collection::vec(command(), 1..40)) {
        let mut card = card();
        for command in commands {
            // The one command among these that proves the PIN.
            let proves = command.starts_with(&[0x00, 0x24]) && contains(&command, PIN);
            if proves {
                continue;
            }
            let (answer, status) = support::send(&mut card, &command);
            prop_assert!(matches!(status >> 12, 0x6 | 0x9), "{status:04X}");
            for secret in [PERSONAL, &support::scalar(IDENTITY)[..], PIN, PUK, &MANAGEMENT_KEY] {
                prop_assert!(!contains(&answer, secret), "{command:02X?}");
            }
        }
    }
}

#[test]
fn the_right_pin_opens_what_was_closed() {
    let mut card = card();
    assert_eq!(support::hex(&mut card, "00A4040C07A0000000790200").1, 0x9000);
    assert_eq!(support::hex(&mut card, "805200000202FF").1, 0x6982);
    assert_eq!(support::hex(&mut card, "0020000008313233343536FFFF").1, 0x9000);
    let (values, status) = support::hex(&mut card, "805200020202FF");
    assert_eq!((&values[..], status), (&PERSONAL[..], 0x9000));
}
