//! Cards with the shape of genuine ones: the same objects with the same elements in the same order, the same algorithms,
//! policies and uses of keys, and sample contents.
//!
//! A likeness is a row of data. What it cannot take over is said with it.

use card_sim::{
    key::{AsymmetricAlgorithm, KeyReference},
    profile::{self, Profile},
    sm::CipherSuite,
};
use der::asn1::ObjectIdentifier;
use zeroize::Zeroizing;

use super::{DEFAULT_GLOBAL_PIN, Features, GlobalPin, Request, SecureMessaging, VirtualContact, oid, tag};

/// A genuine card to be like.
#[derive(Debug)]
pub struct Likeness {
    /// Name on the command line.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// The card stock.
    pub profile: &'static Profile,
    /// Algorithm of the keys 9A, 9C, 9D and 9E.
    algorithm: AsymmetricAlgorithm,
    suite: CipherSuite,
    virtual_contact: VirtualContact,
    /// There is a Global PIN, and whether it is the one that holders are asked for.
    global_pin_is_primary: bool,
    retired_keys: u8,
    retired_off_card: u8,
    pub(crate) shape: Shape,
}

/// What of a card's form is a choice of the issuer.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The Card Capability Container has no values but the data model.
    pub(crate) minimal_capabilities: bool,
    /// Printed Information has the two lines of the organization.
    pub(crate) organization_lines: bool,
    /// The BIT group template is there, although the card compares no biometrics.
    pub(crate) empty_bit_group: bool,
    /// What the Security Object covers, and the number of each data group; `None` for everything, from 1.
    pub(crate) covered: Option<&'static [(u8, u32)]>,
    /// Retired keys, by number, with another algorithm than the card's.
    pub(crate) other_retired: &'static [(u8, AsymmetricAlgorithm)],
    /// So many of the first retired certificates have no extended key usage.
    pub(crate) retired_without_purpose: u8,
    /// What the signature certificate is for beside mail.
    pub(crate) signature_purposes: &'static [ObjectIdentifier],
}

/// The shape of cards that are like no other.
pub(crate) const OWN: Shape = Shape {
    minimal_capabilities: false,
    organization_lines: true,
    empty_bit_group: false,
    covered: None,
    other_retired: &[],
    retired_without_purpose: 0,
    signature_purposes: &[],
};

/// NIST test card 4 of SD33: P-256, secure messaging, the virtual contact interface with pairing.
///
/// Not taken over: certificate policies, which are test policies here; validity in the past of retired certificates;
/// the second addresses (LDAP) of lists and issuers.
pub static NIST_SD33_4: Likeness = Likeness {
    name: "nist-sd33-4",
    description: "NIST test card 4 of SD33: P-256, secure messaging CS2, virtual contact interface with pairing",
    profile: &profile::NIST_SD33,
    algorithm: AsymmetricAlgorithm::EccP256,
    suite: CipherSuite::Cs2,
    virtual_contact: VirtualContact::Pairing,
    global_pin_is_primary: false,
    retired_keys: 7,
    retired_off_card: 2,
    shape: Shape {
        minimal_capabilities: true,
        organization_lines: false,
        empty_bit_group: true,
        covered: Some(&[
            (0x01, tag::CCC),
            (0x04, tag::FINGERPRINTS),
            (0x06, tag::PRINTED),
            (0x07, tag::FACE),
            (0x0B, tag::DISCOVERY),
            (0x0C, tag::KEY_HISTORY),
        ]),
        other_retired: &[(3, AsymmetricAlgorithm::Rsa2048)],
        retired_without_purpose: 4,
        signature_purposes: &[oid::EKU_DOCUMENT_SIGNING],
    },
};

/// Every likeness.
pub static ALL: &[&Likeness] = &[&NIST_SD33_4];

impl Likeness {
    /// The likeness with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|likeness| likeness.name == name).copied()
    }

    /// A request for such a card, with the usual secrets.
    pub fn request(&'static self) -> Request {
        let pin = Zeroizing::new(DEFAULT_GLOBAL_PIN.to_owned());
        Request {
            algorithm: self.algorithm,
            features: Features {
                secure_messaging: Some(SecureMessaging { suite: self.suite, intermediate: false }),
                virtual_contact: Some(self.virtual_contact),
                global_pin: Some(GlobalPin { pin, primary: self.global_pin_is_primary }),
                retired_keys: self.retired_keys,
                retired_off_card: self.retired_off_card,
                ..Features::default()
            },
            like: Some(self),
            ..Request::default()
        }
    }
}

impl Shape {
    /// The algorithm of a key on a card whose keys are of `usual`.
    pub(crate) fn algorithm(
        &self,
        reference: KeyReference,
        usual: AsymmetricAlgorithm,
    ) -> AsymmetricAlgorithm {
        let KeyReference::Retired(number) = reference else { return usual };
        let other = self.other_retired.iter().find(|(other, _)| *other == number.get());
        other.map_or(usual, |(_, algorithm)| *algorithm)
    }
}
