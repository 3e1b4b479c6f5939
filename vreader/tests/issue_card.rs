//! Issuing as a whole: a seed repeats a card, choices are kept apart, everything fits its container.

use std::fmt::Write;

use apdu::tlv_ber::Reader;
use card_sim::{
    key::{AsymmetricAlgorithm, KeyReference, Origin},
    object::Container,
};
use sha2::{Digest, Sha256};
use vreader::{
    crypto::DefaultCrypto,
    issue::{self, IssueError, IssuedCard, Request, Step},
};

const P256: AsymmetricAlgorithm = AsymmetricAlgorithm::EccP256;

fn issue(request: &Request) -> Result<IssuedCard, IssueError> {
    issue::issue(request, &mut DefaultCrypto::new(), &mut |_| {})
}

fn seeded(seed: u64) -> Request {
    Request { seed: Some(seed), ..Request::default() }
}

/// Every byte of a card, so that two cards can be compared.
fn bytes(card: &IssuedCard) -> Vec<u8> {
    let mut all = Vec::new();
    for (tag, object) in &card.objects {
        all.extend(tag.get().to_be_bytes());
        all.extend(object);
    }
    for (reference, key, _) in &card.keys {
        all.push(reference.to_byte());
        all.extend(key.material());
    }
    for authority in [&card.pki.root, &card.pki.issuing_ca, &card.pki.content_signer] {
        all.extend(authority.certificate_der());
        all.extend(authority.key().material());
    }
    all.extend([card.pin.as_slice(), card.puk.as_slice(), card.management_key.material()].concat());
    all
}

fn object(card: &IssuedCard, tag: u32) -> &[u8] {
    &card.objects.iter().find(|(found, _)| found.get() == tag).unwrap().1
}

#[test]
fn a_seed_repeats_a_card_byte_for_byte() {
    let first = issue(&seeded(7)).unwrap();
    assert_eq!(bytes(&first), bytes(&issue(&seeded(7)).unwrap()));
    assert_ne!(bytes(&first), bytes(&issue(&seeded(8)).unwrap()));
}

/// Who changes these digests breaks the promise that a seed gives the same card in later versions. If that cannot be
/// avoided, say so in CHANGELOG.
#[test]
fn seeded_cards_are_those_of_earlier_versions() {
    let digest = |request: &Request| hex::encode(Sha256::digest(bytes(&issue(request).unwrap())));
    assert_eq!(digest(&seeded(1)), "80a21eef74ec99c4f25582eb37b1328c930546551e4f4bfccbcb86a1cbb5efdd");
    let p384 = Request { algorithm: AsymmetricAlgorithm::EccP384, ..seeded(1) };
    assert_eq!(digest(&p384), "c82fd80536a07fea6cb762b0a8a5ce077685ae273a20896e7b4eaa6eddf4c600");
    let rsa = Request { algorithm: AsymmetricAlgorithm::Rsa2048, ..seeded(1) };
    assert_eq!(digest(&rsa), "093f6219e8576748c27a8fd0b6a71a9f45b337224c69b30a69829f06e9d08301");
}

#[test]
fn without_a_seed_every_card_is_new() {
    let (one, other) = (issue(&Request::default()).unwrap(), issue(&Request::default()).unwrap());
    assert_ne!(one.numbers.guid, other.numbers.guid);
    assert_ne!(one.numbers.fascn, other.numbers.fascn);
    assert_ne!(one.keys[0].1.material(), other.keys[0].1.material());
    assert_ne!(one.pki.root.key().material(), other.pki.root.key().material());
}

#[test]
fn one_choice_changes_nothing_else() {
    let card = issue(&seeded(1)).unwrap();
    let renamed = issue(&Request { holder: Some("Zoë Sample".to_owned()), ..seeded(1) }).unwrap();
    assert_eq!(renamed.person.name, "Zoë Sample");
    assert_eq!(renamed.numbers, card.numbers);
    for ((_, key, _), (_, other, _)) in card.keys.iter().zip(&renamed.keys) {
        assert_eq!(key.material(), other.material());
    }
    assert_eq!(renamed.pki.root.certificate_der(), card.pki.root.certificate_der());
    // The card authentication certificate names the card, not the holder.
    assert_eq!(object(&renamed, 0x5F_C101), object(&card, 0x5F_C101));
    assert_ne!(object(&renamed, 0x5F_C105), object(&card, 0x5F_C105));

    let rekeyed = issue(&Request { algorithm: AsymmetricAlgorithm::EccP384, ..seeded(1) }).unwrap();
    assert_eq!((&rekeyed.person, &rekeyed.numbers), (&card.person, &card.numbers));
}

#[test]
fn every_mandatory_object_is_there_and_fits() {
    let longest = "ä".repeat(62);
    for (algorithm, pki_algorithm) in
        [(P256, None), (AsymmetricAlgorithm::EccP384, None), (AsymmetricAlgorithm::Rsa2048, None)]
    {
        let holder = Some(longest.clone());
        let card = issue(&Request { holder, algorithm, pki_algorithm, ..seeded(1) }).unwrap();
        let mut tags: Vec<u32> = card.objects.iter().map(|(tag, _)| tag.get()).collect();
        tags.sort_unstable();
        let expected = [
            0x7E, 0x5F_C101, 0x5F_C102, 0x5F_C103, 0x5F_C105, 0x5F_C106, 0x5F_C107, 0x5F_C108, 0x5F_C109,
            0x5F_C10A, 0x5F_C10B, 0x5F_C10C,
        ];
        assert_eq!(tags, expected);
        for (tag, object) in &card.objects {
            let container = Container::find(tag.get()).unwrap();
            let outer = if tag.is_wrapped() { 0x53 } else { tag.get() };
            let mut reader = Reader::new(object);
            let contents = reader.expect(apdu::Tag::new(outer)).unwrap();
            reader.finish().unwrap();
            let capacity = usize::from(container.minimum_capacity);
            // Table 7 counts the discovery object, 20 bytes in all, as 19.
            assert!(
                contents.len() <= capacity,
                "{} has {} of {capacity} bytes",
                container.name,
                contents.len()
            );
        }
    }
}

#[test]
fn keys_and_secrets_are_those_that_were_asked_for() {
    let card = issue(&seeded(1)).unwrap();
    let keys: Vec<_> =
        card.keys.iter().map(|(slot, key, origin)| (*slot, key.algorithm(), *origin)).collect();
    assert_eq!(
        keys,
        [
            (KeyReference::PivAuthentication, P256, Origin::Generated),
            (KeyReference::DigitalSignature, P256, Origin::Generated),
            (KeyReference::KeyManagement, P256, Origin::Imported),
            (KeyReference::CardAuthentication, P256, Origin::Generated),
        ]
    );
    assert_eq!((card.pin.as_slice(), card.puk.as_slice()), (&b"123456\xFF\xFF"[..], &b"12345678"[..]));
    assert_eq!(card.management_key.algorithm().id(), 0x0A);
    assert_eq!(
        hex::encode(card.management_key.material()),
        "010203040506070801020304050607080102030405060708"
    );
}

#[test]
fn progress_names_each_step() {
    let mut steps = String::new();
    let mut progress = |step: Step| writeln!(steps, "{step}").unwrap();
    issue::issue(&seeded(1), &mut DefaultCrypto::new(), &mut progress).unwrap();
    let expected = "sample PKI\nkey 9A, P-256\nkey 9C, P-256\nkey 9D, P-256\nkey 9E, P-256\ncertificates\ndata objects\n";
    assert_eq!(steps, expected);
}

#[test]
fn one_pki_issues_several_cards() {
    let first = issue(&seeded(1)).unwrap();
    let mut crypto = DefaultCrypto::new();
    let mut under =
        |request: &Request| issue::issue_under(request, first.pki.clone(), &mut crypto, &mut |_| {});
    let second = under(&seeded(2)).unwrap();
    assert_eq!(second.pki.root.certificate_der(), first.pki.root.certificate_der());
    assert_ne!(second.keys[0].1.material(), first.keys[0].1.material());
    // The content signer works for three years from 2026-01-01 on.
    let on = |day: &str| Request { issued: Some(day.parse().unwrap()), ..seeded(2) };
    assert!(under(&on("2029-01-01")).is_ok());
    for day in ["2025-12-31", "2029-01-02"] {
        let error = under(&on(day)).map(|_| ()).unwrap_err();
        assert!(
            matches!(error, IssueError::AuthorityValidity { authority: "content signer", .. }),
            "{error}"
        );
    }
}

#[test]
fn an_illegal_request_costs_no_time() {
    let wrong = [
        Request { holder: Some(String::new()), ..seeded(1) },
        Request { pin: "12345".to_owned().into(), ..seeded(1) },
        Request { puk: "1234567".to_owned().into(), ..seeded(1) },
        Request { expires: "2032-01-01".parse().ok(), ..seeded(1) },
    ];
    for request in wrong {
        let mut steps = 0;
        let result = issue::issue(&request, &mut DefaultCrypto::new(), &mut |_| steps += 1);
        assert!(result.is_err());
        assert_eq!(steps, 0);
    }
}

/// The portrait, decoded by a library that is not ours.
#[test]
fn the_portrait_is_a_picture() {
    for seed in 0..8 {
        let card = issue(&seeded(seed)).unwrap();
        let face = object(&card, 0x5F_C108);
        let start = face.windows(3).position(|window| window == [0xFF, 0xD8, 0xFF]).unwrap();
        let mut decoder = jpeg_decoder::Decoder::new(&face[start..]);
        let pixels = decoder.decode().unwrap();
        let info = decoder.info().unwrap();
        assert_eq!((info.width, info.height), (420, 560));
        assert_eq!(info.pixel_format, jpeg_decoder::PixelFormat::RGB24);
        let pixel = |x: usize, y: usize| &pixels[(y * 420 + x) * 3..][..3];
        let close = |one: &[u8], other: [u8; 3]| one.iter().zip(other).all(|(a, b)| a.abs_diff(b) < 8);
        // Background; a stroke of the first letter; an eye.
        assert!(close(pixel(8, 8), [199, 206, 216]), "{:?}", pixel(8, 8));
        assert!(close(pixel(92, 500), [235, 235, 235]), "{:?}", pixel(92, 500));
        assert!(close(pixel(164, 240), [40, 40, 40]), "{:?}", pixel(164, 240));
    }
}
