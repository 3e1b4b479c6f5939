//! Issued cards with secure messaging, spoken to by the host's half.

use card_sim::{interface::Interface, key::AsymmetricAlgorithm, profile, sm::CipherSuite};
use der::Decode;
use rand_core::CryptoRng;
use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    issue::{self, Features, IssuedCard, Request, SecureMessaging, VirtualContact},
    random,
    reader::InsertedCard,
    sm::{Local, SecureChannel, SmError, cvc::CvcError},
};
use x509_cert::Certificate;

const GET_PIV_CERTIFICATE: [u8; 11] = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x05, 0x00];
const GET_FACE: [u8; 11] = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x08, 0x00];
const VERIFY: [u8; 13] = [0x00, 0x20, 0x00, 0x80, 0x08, b'1', b'2', b'3', b'4', b'5', b'6', 0xFF, 0xFF];

fn issued(suite: CipherSuite, intermediate: bool, virtual_contact: Option<VirtualContact>) -> IssuedCard {
    let features = Features {
        secure_messaging: Some(SecureMessaging { suite, intermediate }),
        virtual_contact,
        ..Features::default()
    };
    let algorithm = suite.curve();
    let request = Request { seed: Some(4), algorithm, features, ..Request::default() };
    issue::issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).unwrap()
}

fn card(issued: &IssuedCard) -> EmulatedCard {
    EmulatedCard::in_memory(&profile::PIV, 3, issued).unwrap()
}

fn authorities(issued: &IssuedCard) -> [Certificate; 1] {
    [Certificate::from_der(issued.pki.issuing_ca.certificate_der()).unwrap()]
}

fn rng() -> impl CryptoRng {
    random::from_seed("host", 1)
}

fn object(issued: &IssuedCard, tag: u32) -> &[u8] {
    &issued.objects.iter().find(|(found, _)| found.get() == tag).unwrap().1
}

#[test]
fn every_suite_with_and_without_an_intermediate_certificate() {
    for suite in [CipherSuite::Cs2, CipherSuite::Cs7] {
        for intermediate in [false, true] {
            let issued = issued(suite, intermediate, None);
            let mut card = card(&issued);
            card.power_on(Interface::Contact);
            let mut transport = Local(&mut card);
            let mut channel = SecureChannel::establish(
                &mut transport,
                &authorities(&issued),
                &mut DefaultCrypto::default(),
                &mut rng(),
            )
            .unwrap_or_else(|error| panic!("{suite:?}, {intermediate}: {error}"));
            assert_eq!(channel.certificate().subject, issued.numbers.guid.0);
            let certificate = channel.transmit(&GET_PIV_CERTIFICATE).unwrap();
            assert_eq!(certificate.data.as_slice(), object(&issued, 0x5F_C105));
            assert_eq!(channel.transmit(&GET_FACE).unwrap().status, 0x6982);
            assert_eq!(channel.transmit(&VERIFY).unwrap().status, 0x9000);
            // The longest object of a card.
            let face = channel.transmit(&GET_FACE).unwrap();
            assert_eq!((face.status, face.data.as_slice()), (0x9000, object(&issued, 0x5F_C108)));
        }
    }
}

#[test]
fn the_virtual_contact_interface_opens_with_the_pairing_code() {
    let issued = issued(CipherSuite::Cs2, false, Some(VirtualContact::Pairing));
    let mut card = card(&issued);
    card.card().power_on_through(Interface::Contactless);
    let mut transport = Local(&mut card);
    let crypto = &mut DefaultCrypto::default();
    let mut channel =
        SecureChannel::establish(&mut transport, &authorities(&issued), crypto, &mut rng()).unwrap();
    assert_eq!(channel.transmit(&GET_PIV_CERTIFICATE).unwrap().status, 0x6982);
    let wrong = channel.pair("00000000").unwrap_err();
    assert_eq!(wrong.to_string(), "the pairing code was answered with 6300");
    channel.pair(issued.pairing_code.as_ref().unwrap()).unwrap();
    assert_eq!(channel.transmit(&GET_PIV_CERTIFICATE).unwrap().data.as_slice(), object(&issued, 0x5F_C105));
    assert_eq!(channel.transmit(&VERIFY).unwrap().status, 0x9000);
    assert_eq!(channel.transmit(&GET_FACE).unwrap().data.as_slice(), object(&issued, 0x5F_C108));
}

#[test]
fn cards_that_are_not_to_be_trusted() {
    let good = issued(CipherSuite::Cs2, true, None);
    let other = {
        let request = Request { seed: Some(9), ..Request::default() };
        issue::issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).unwrap()
    };
    let refused = |mut issued: IssuedCard, authorities: &[Certificate], spoil: fn(&mut IssuedCard)| {
        spoil(&mut issued);
        let mut card = card(&issued);
        card.power_on(Interface::Contact);
        let crypto = &mut DefaultCrypto::default();
        SecureChannel::establish(&mut Local(&mut card), authorities, crypto, &mut rng()).err().unwrap()
    };
    let fresh = || issued(CipherSuite::Cs2, true, None);
    let nothing = |_: &mut IssuedCard| {};
    assert!(matches!(
        refused(fresh(), &authorities(&other), nothing),
        SmError::Certificate(CvcError::Untrusted)
    ));
    // A bit of the signature, of the GUID, of the issuer's name.
    assert!(matches!(
        refused(fresh(), &authorities(&good), |issued| {
            let certificate = issued.card_verifiable_certificate.as_mut().unwrap();
            *certificate.last_mut().unwrap() ^= 1;
        }),
        SmError::Certificate(CvcError::Signature)
    ));
    assert!(matches!(
        refused(fresh(), &authorities(&good), |issued| {
            let certificate = issued.card_verifiable_certificate.as_mut().unwrap();
            let guid = certificate.windows(2).position(|tag| tag == [0x5F, 0x20]).unwrap();
            certificate[guid + 3] ^= 1;
        }),
        SmError::Certificate(CvcError::Signature)
    ));
    assert!(matches!(
        refused(fresh(), &authorities(&good), |issued| {
            let certificate = issued.card_verifiable_certificate.as_mut().unwrap();
            let issuer = certificate.iter().position(|tag| *tag == 0x42).unwrap();
            certificate[issuer + 2] ^= 1;
        }),
        SmError::Certificate(CvcError::Issuer)
    ));
    // Another key than the certificate's.
    assert!(matches!(
        refused(fresh(), &authorities(&good), |issued| {
            let key = issued.keys.iter_mut().find(|(reference, ..)| reference.to_byte() == 0x04).unwrap();
            key.1 = card_sim::key::PrivateKey::ecc(AsymmetricAlgorithm::EccP256, &[0x21; 32]).unwrap();
        }),
        SmError::Unproved
    ));
    // No secure messaging at all.
    let mut plain = card(&other);
    plain.power_on(Interface::Contact);
    let crypto = &mut DefaultCrypto::default();
    let none = SecureChannel::establish(&mut Local(&mut plain), &[], crypto, &mut rng()).err().unwrap();
    assert!(none.to_string().contains("vreader card new --sm cs2"), "{none}");
}
