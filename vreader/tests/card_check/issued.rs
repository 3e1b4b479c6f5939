//! Our own cards come out clean, in every combination of what can be issued.

use card_sim::{key::AsymmetricAlgorithm, sm::CipherSuite};
use vreader::{
    check::Report,
    issue::{Features, GlobalPin, OnCardComparison, Request, SecureMessaging, VirtualContact},
};
use zeroize::Zeroizing;

use crate::support::{assert_clean, check_card, failed, issue_card, options};

/// Every way to have secure messaging and the virtual contact interface.
fn secure_features(suites: &[CipherSuite]) -> Vec<Features> {
    let mut all = vec![Features::default()];
    for suite in suites {
        for intermediate in [false, true] {
            for virtual_contact in [None, Some(VirtualContact::Pairing), Some(VirtualContact::Open)] {
                let secure_messaging = Some(SecureMessaging { suite: *suite, intermediate });
                all.push(Features { secure_messaging, virtual_contact, ..Features::default() });
            }
        }
    }
    all
}

fn global_pins() -> [Option<GlobalPin>; 3] {
    let pin = |primary| Some(GlobalPin { pin: Zeroizing::new("777777".to_owned()), primary });
    [None, pin(true), pin(false)]
}

fn report(algorithm: AsymmetricAlgorithm, features: Features) -> Report {
    let request = Request { seed: Some(6), algorithm, features, ..Request::default() };
    check_card(&issue_card(&request), &options())
}

fn name(algorithm: AsymmetricAlgorithm, features: &Features) -> String {
    format!(
        "{algorithm:?}, {:?}, {:?}, Global PIN {:?}, {} retired",
        features.secure_messaging,
        features.virtual_contact,
        features.global_pin.as_ref().map(|pin| pin.primary),
        features.retired_keys
    )
}

/// All of them with all Global PINs; retired keys with every second, so that each pair of options occurs.
fn clean(algorithm: AsymmetricAlgorithm, suites: &[CipherSuite]) {
    let mut cards = 0;
    for features in secure_features(suites) {
        for global_pin in global_pins() {
            let retired_keys = if cards % 2 == 0 { 0 } else { 2 };
            let on_card_comparison = (cards % 3 == 0).then(OnCardComparison::default);
            let features = Features { global_pin, retired_keys, on_card_comparison, ..features.clone() };
            let name = name(algorithm, &features);
            let report = report(algorithm, features);
            assert_clean(&report, &name);
            assert!(report.counts.passed > 390, "{name}: {:?}", report.counts);
            cards += 1;
        }
    }
    assert_eq!(cards, 3 + suites.len() * 18);
}

#[test]
fn p256_cards_with_cs2() {
    clean(AsymmetricAlgorithm::EccP256, &[CipherSuite::Cs2]);
}

#[test]
fn p256_cards_with_cs7() {
    clean(AsymmetricAlgorithm::EccP256, &[CipherSuite::Cs7]);
}

#[test]
fn p384_cards() {
    clean(AsymmetricAlgorithm::EccP384, &[CipherSuite::Cs7]);
    // A virtual contact interface of CS2 is weaker than the keys behind it, and is not issued.
    for features in secure_features(&[CipherSuite::Cs2]) {
        if features.virtual_contact.is_none() {
            assert_clean(&report(AsymmetricAlgorithm::EccP384, features), "P-384 with CS2");
        }
    }
}

#[test]
fn rsa_cards() {
    let everything = Features {
        secure_messaging: Some(SecureMessaging { suite: CipherSuite::Cs7, intermediate: true }),
        virtual_contact: Some(VirtualContact::Pairing),
        global_pin: global_pins()[1].clone(),
        on_card_comparison: Some(OnCardComparison::default()),
        retired_keys: 2,
        retired_off_card: 2,
        compressed_certificates: true,
        compressed_signer: true,
    };
    assert_clean(&report(AsymmetricAlgorithm::Rsa2048, Features::default()), "RSA-2048");
    assert_clean(&report(AsymmetricAlgorithm::Rsa2048, everything.clone()), "RSA-2048 with everything");
    assert_clean(&report(AsymmetricAlgorithm::Rsa3072, everything), "RSA-3072 with everything");
}

/// SP 800-78-5 has RSA-4096 for those who sign a card's objects, not for the card's own keys.
#[test]
fn rsa_4096_is_no_algorithm_of_the_standard() {
    let report = report(AsymmetricAlgorithm::Rsa4096, Features::default());
    assert_eq!(failed(&report), ["11.1.1.3", "11.2.1.3", "11.3.1.3", "11.4.1.3"], "{report}");
}
