//! Issuing: a complete sample card in one call.
//!
//! [`issue`] makes a person, a small PKI, four keys with certificates, and every data object that a PIV card carries,
//! signed where the standard wants it signed. The objects follow SP 800-73-5 part 1, the certificates and signatures
//! SP 800-85B, biometrics SP 800-76-2, the card's life FIPS 201-3.
//!
//! Promises:
//! * Names, addresses, numbers and policies say that the card is a sample; nobody has the fingers and the face.
//! * With a seed, the same request gives the same bytes, today and in later versions. Every key and number has a random
//!   source of its own, so that one choice (another name, another algorithm) changes nothing else.
//! * A request that would make an illegal card is refused with the rule that it breaks.
//!
//! | module | makes |
//! |---|---|
//! | [`person`], [`fascn`], [`uuid`] | the holder and the card's numbers |
//! | [`pki`], `certificate` | authorities and certificates |
//! | `chuid`, `ccc`, `discovery`, `printed`, `key_history` | small objects |
//! | `slot_certificates`, `stored_certificate` | the card's certificates, in their containers |
//! | [`like`], [`look_alike`], [`broken`] | the form of genuine cards, of one card, faults on purpose |
//! | `biometric`, `fingerprint`, `face`, `on_card_comparison` | biometric containers, and fingers that the card compares |
//! | [`managed`] | objects and certificates for cards that make their own keys |
//! | [`blank`](mod@blank) | cards as they come from the maker |
//! | [`yubikey`] | YubiKeys as they leave the factory |
//! | [`cac`] | the CAC side of a Common Access Card |
//! | `security_object` | the hashes of it all |

mod biometric;
pub mod blank;
pub mod broken;
pub mod cac;
mod ccc;
pub(crate) mod certificate;
pub(crate) mod chuid;
mod cms;
mod cvc;
pub mod date;
mod discovery;
pub(crate) mod error;
pub(crate) mod extension;
mod face;
pub mod fascn;
pub mod features;
mod fingerprint;
mod jpeg;
mod key_history;
pub mod like;
pub mod look_alike;
pub mod managed;
pub(crate) mod name;
pub(crate) mod oid;
mod on_card_comparison;
pub mod person;
pub mod pki;
mod portrait;
pub(crate) mod printed;
pub(crate) mod public_key;
mod randomness;
mod request;
pub(crate) mod security_object;
pub(crate) mod signature;
mod slot_certificates;
mod stored_certificate;
pub(crate) mod tlv;
pub mod uuid;
pub mod yubikey;

use std::fmt;

use card_sim::{
    crypto::Crypto,
    key::{AsymmetricAlgorithm, DEFAULT_EXPONENT, KeyReference, Origin, PrivateKey, SymmetricKey},
    object::{Container, ObjectTag},
    reference,
};
use rand_core::Rng;
use spki::SubjectPublicKeyInfoOwned;
use zeroize::Zeroizing;

pub(crate) use self::request::{padded_pin, puk_bytes};
pub use self::{
    blank::{BlankCard, blank},
    broken::Fault,
    cac::{CacRequest, CommonAccess, PIV_ACTIVATION_CUTOFF},
    date::Date,
    error::IssueError,
    features::{Features, GlobalPin, OnCardComparison, SecureMessaging, VirtualContact},
    key_history::OffCardCertificates,
    like::Likeness,
    on_card_comparison::Finger,
    person::{CardNumbers, Person},
    pki::{Authority, Pki},
    request::{
        DEFAULT_GLOBAL_PIN, DEFAULT_MANAGEMENT_KEY, DEFAULT_PIN, DEFAULT_PUK, Request, SEEDED_ISSUE_DATE,
    },
};
use self::{
    broken::Life,
    error::{crypto as crypto_failed, encoding},
    like::Shape,
    public_key::subject_public_key_info,
    randomness::Randomness,
    security_object::Covered,
    slot_certificates::Certificates,
    tlv::{WRAPPING, element, elements, long_element},
};

/// A card that is ready to be personalised.
pub struct IssuedCard {
    /// The holder.
    pub person: Person,
    /// The card's numbers.
    pub numbers: CardNumbers,
    /// First day.
    pub issued: Date,
    /// Last day.
    pub expires: Date,
    /// Data objects as GET DATA answers them: `53 L …`, Discovery bare.
    pub objects: Vec<(ObjectTag, Vec<u8>)>,
    /// The keys 9A, 9C, 9D and 9E. The key-management key is imported, as from an escrow.
    pub keys: Vec<(KeyReference, PrivateKey, Origin)>,
    /// Card management key, 9B.
    pub management_key: SymmetricKey,
    /// PIN, padded with `FF`.
    pub pin: Zeroizing<[u8; reference::LENGTH]>,
    /// PUK.
    pub puk: Zeroizing<[u8; reference::LENGTH]>,
    /// Global PIN, padded with `FF`, if the card has one.
    pub global_pin: Option<Zeroizing<[u8; reference::LENGTH]>>,
    /// Primary and secondary finger of on-card comparison, if the card has it.
    pub fingers: Vec<Finger>,
    /// The code that opens the virtual contact interface, if the card asks for one.
    pub pairing_code: Option<Zeroizing<String>>,
    /// The certificate of key `04`, if the card has secure messaging.
    pub card_verifiable_certificate: Option<Vec<u8>>,
    /// The certificates of retired keys that are not on the card, if there are any.
    pub off_card_certificates: Option<OffCardCertificates>,
    /// The CAC side, if the card is a Common Access Card.
    pub cac: Option<CommonAccess>,
    /// The PKI that issued the card.
    pub pki: Pki,
}

/// What issuing does next, for people who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The keys and certificates of the authorities.
    Pki,
    /// One of the card's keys. Large RSA keys take seconds.
    Key {
        /// Which one.
        reference: KeyReference,
        /// Its algorithm.
        algorithm: AsymmetricAlgorithm,
    },
    /// The card's certificates.
    Certificates,
    /// The data objects and their signatures.
    Objects,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pki => f.write_str("sample PKI"),
            Self::Key { reference, algorithm } => {
                write!(f, "key {:02X}, {}", reference.to_byte(), algorithm_name(*algorithm))
            }
            Self::Certificates => f.write_str("certificates"),
            Self::Objects => f.write_str("data objects"),
        }
    }
}

/// The usual name of an algorithm.
pub fn algorithm_name(algorithm: AsymmetricAlgorithm) -> &'static str {
    match algorithm {
        AsymmetricAlgorithm::Rsa1024 => "RSA-1024",
        AsymmetricAlgorithm::Rsa2048 => "RSA-2048",
        AsymmetricAlgorithm::Rsa3072 => "RSA-3072",
        AsymmetricAlgorithm::Rsa4096 => "RSA-4096",
        AsymmetricAlgorithm::EccP256 => "P-256",
        AsymmetricAlgorithm::EccP384 => "P-384",
        AsymmetricAlgorithm::Ed25519 => "Ed25519",
        AsymmetricAlgorithm::X25519 => "X25519",
    }
}

/// Makes a card with a PKI of its own. `progress` hears of each step before it begins.
pub fn issue(
    request: &Request,
    crypto: &mut dyn Crypto,
    progress: &mut dyn FnMut(Step),
) -> Result<IssuedCard, IssueError> {
    // A wrong request is refused before anything takes time.
    let plan = Plan::new(request)?;
    progress(Step::Pki);
    let pki = Pki::create(request.seed, request.chosen_pki_algorithm(), plan.pki_from, crypto)?;
    plan.issue(request, pki, None, crypto, progress)
}

/// Makes a card that an existing PKI issues, so that several cards are trusted through one root.
pub fn issue_under(
    request: &Request,
    pki: Pki,
    crypto: &mut dyn Crypto,
    progress: &mut dyn FnMut(Step),
) -> Result<IssuedCard, IssueError> {
    issue_under_all(request, pki, None, crypto, progress)
}

/// The same; a Common Access Card's certificates come from these two authorities, for ID and for e-mail, if they are there already.
pub fn issue_under_all(
    request: &Request,
    pki: Pki,
    of_cac: Option<[Authority; 2]>,
    crypto: &mut dyn Crypto,
    progress: &mut dyn FnMut(Step),
) -> Result<IssuedCard, IssueError> {
    let plan = Plan::new(request)?;
    pki.check_validity(plan.issued, plan.expires)?;
    plan.issue(request, pki, of_cac, crypto, progress)
}

/// Fingers and face of a holder: the same on each of the holder's cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Biometrics {
    /// A minutiae record (INCITS 378).
    pub minutiae: Vec<u8>,
    /// A face record (INCITS 385). If it is empty, a card gets none.
    pub face: Vec<u8>,
}

impl Biometrics {
    /// Those of nobody.
    fn sample(randomness: Randomness) -> Result<Self, IssueError> {
        Ok(Self {
            minutiae: fingerprint::minutiae_record(&mut randomness.source("fingerprints")?),
            face: face::face_record(&mut randomness.source("face")?),
        })
    }

    /// Those of nobody, always others.
    pub fn random() -> Result<Self, IssueError> {
        Self::sample(Randomness::new(None))
    }
}

/// A checked request.
struct Plan {
    randomness: Randomness,
    person: Person,
    numbers: CardNumbers,
    issued: Date,
    expires: Date,
    pki_from: Date,
    pin: Zeroizing<[u8; reference::LENGTH]>,
    puk: Zeroizing<[u8; reference::LENGTH]>,
    global_pin: Option<Zeroizing<[u8; reference::LENGTH]>>,
    pairing_code: Option<Zeroizing<String>>,
    holder: Option<cac::Holder>,
}

/// A key of the card with its public half.
struct SlotKey {
    reference: KeyReference,
    private: PrivateKey,
    public: SubjectPublicKeyInfoOwned,
}

impl SlotKey {
    fn of(reference: KeyReference, private: PrivateKey, crypto: &mut dyn Crypto) -> Result<Self, IssueError> {
        let public = crypto.public_key(&private).map_err(crypto_failed("compute a public key"))?;
        let public = subject_public_key_info(&public).map_err(encoding("public key"))?;
        Ok(Self { reference, private, public })
    }
}

impl Plan {
    fn new(request: &Request) -> Result<Self, IssueError> {
        if let Some(fault) = request.broken {
            fault.check(request)?;
        }
        let Life { issued, expires, pki_from } = request.life()?;
        let (pin, puk) = (request.padded_pin()?, request.puk_bytes()?);
        request.features.check(request.algorithm)?;
        let global_pin = request.features.padded_global_pin()?;
        let randomness = Randomness::new(request.seed);
        let mut person = match &request.person {
            Some(known) => known.clone(),
            None => Person::sample(&mut randomness.source("person")?, request.holder.as_deref())?,
        };
        let mut numbers = CardNumbers::sample(&mut randomness.source("card numbers")?, &person)?;
        let holder = match request.cac {
            Some(_) if request.algorithm != AsymmetricAlgorithm::Rsa2048 => {
                return Err(IssueError::CacAlgorithm);
            }
            Some(_) => {
                let name_is_given = request.holder.is_some() || request.person.is_some();
                let holder = cac::Holder::new(&person, name_is_given)?;
                holder.rename(&mut person);
                holder.number(&mut numbers)?;
                Some(holder)
            }
            None => None,
        };
        let pairing_code = match request.features.virtual_contact {
            Some(VirtualContact::Pairing) => Some(pairing_code(randomness)?),
            _ => None,
        };
        Ok(Self {
            randomness,
            person,
            numbers,
            issued,
            expires,
            pki_from,
            pin,
            puk,
            global_pin,
            pairing_code,
            holder,
        })
    }

    fn issue(
        self,
        request: &Request,
        pki: Pki,
        of_cac: Option<[Authority; 2]>,
        crypto: &mut dyn Crypto,
        progress: &mut dyn FnMut(Step),
    ) -> Result<IssuedCard, IssueError> {
        let pki = self.pki_with_fault(request, pki, crypto)?;
        let features = &request.features;
        let retired = key_history::on_card(features).chain(key_history::off_card(features));
        let mut keys = Vec::new();
        for reference in KeyReference::ASYMMETRIC.into_iter().chain(retired) {
            let algorithm = request.shape().algorithm(reference, request.algorithm);
            progress(Step::Key { reference, algorithm });
            keys.push(self.key(reference, algorithm, crypto)?);
        }
        progress(Step::Certificates);
        let authorities = match (&self.holder, of_cac) {
            (Some(_), Some([id_ca, email_ca])) => Some(cac::Authorities { id_ca, email_ca }),
            (Some(_), None) => Some(cac::Authorities::new(&self, request.seed, &pki, crypto)?),
            (None, _) => None,
        };
        let Certificates { mut contents, all, off_card: off_card_certificates } =
            self.certificates(&keys, request, &pki, authorities.as_ref(), crypto)?;
        self.exchange_key(request, &mut keys, crypto)?;
        progress(Step::Objects);
        let biometrics = Biometrics::sample(self.randomness)?;
        let fingers = features.fingers(&biometrics.minutiae);
        let key_history = key_history::key_history(features, off_card_certificates.as_ref());
        contents.extend(self.data_objects(request, &biometrics, key_history, &pki, crypto)?);
        let common_access = match (request.cac, &self.holder, authorities) {
            (Some(request), Some(holder), Some(authorities)) => {
                let piv = cac::PivSide { certificates: &all, keys: &keys, objects: &contents };
                Some(self.common_access(request, holder, authorities, &piv, crypto)?)
            }
            _ => None,
        };
        let secure_messaging = self.secure_messaging(request, &pki, crypto)?;
        let (secure_messaging, card_verifiable_certificate) = match secure_messaging {
            Some((key, cvc::Certified { certificate, signer })) => {
                contents.push((tag::SECURE_MESSAGING_SIGNER, signer));
                let key = (KeyReference::SecureMessaging, key, Origin::Generated);
                (Some(key), Some(certificate))
            }
            None => (None, None),
        };
        Ok(IssuedCard {
            objects: contents.into_iter().map(|(tag, contents)| complete(tag, &contents)).collect(),
            keys: keys
                .into_iter()
                .map(|key| (key.reference, key.private, origin(key.reference)))
                .chain(secure_messaging)
                .collect(),
            person: self.person,
            numbers: self.numbers,
            issued: self.issued,
            expires: self.expires,
            management_key: request.management_key.clone(),
            pin: self.pin,
            puk: self.puk,
            global_pin: self.global_pin,
            fingers,
            pairing_code: self.pairing_code,
            card_verifiable_certificate,
            off_card_certificates,
            cac: common_access,
            pki,
        })
    }

    /// The key for secure messaging with its certificate, and the container of its signer.
    fn secure_messaging(
        &self,
        request: &Request,
        pki: &Pki,
        crypto: &mut dyn Crypto,
    ) -> Result<Option<(PrivateKey, cvc::Certified)>, IssueError> {
        let Some(SecureMessaging { suite, intermediate }) = request.features.secure_messaging else {
            return Ok(None);
        };
        let guid = &self.numbers.guid.0;
        let compressed = request.features.compressed_signer;
        let key = self.private_key("key 04", suite.curve(), crypto)?;
        let certified_key = match request.broken {
            Some(Fault::CvcMismatch) => &self.private_key("another key 04", suite.curve(), crypto)?,
            _ => &key,
        };
        let certified = if intermediate {
            let between = self.private_key("intermediate key of secure messaging", suite.curve(), crypto)?;
            let signer = pki.rsa_content_signer(request.seed, self.pki_from, crypto)?;
            cvc::by_intermediate(guid, certified_key, &between, &signer, compressed, crypto)?
        } else if cvc::fits(suite, &pki.content_signer) {
            cvc::by_content_signer(guid, certified_key, &pki.content_signer, compressed, crypto)?
        } else {
            return Err(IssueError::Suite);
        };
        Ok(Some((key, certified)))
    }

    fn private_key(
        &self,
        purpose: &str,
        algorithm: AsymmetricAlgorithm,
        crypto: &mut dyn Crypto,
    ) -> Result<PrivateKey, IssueError> {
        let mut rng = self.randomness.source(purpose)?;
        crypto
            .generate(algorithm, DEFAULT_EXPONENT, &mut rng)
            .map_err(crypto_failed("make a key of the card"))
    }

    fn key(
        &self,
        reference: KeyReference,
        algorithm: AsymmetricAlgorithm,
        crypto: &mut dyn Crypto,
    ) -> Result<SlotKey, IssueError> {
        let private = self.private_key(&format!("key {:02X}", reference.to_byte()), algorithm, crypto)?;
        SlotKey::of(reference, private, crypto)
    }

    /// Contents of everything but the certificates, with the Security Object over it at the end.
    fn data_objects(
        &self,
        request: &Request,
        Biometrics { minutiae, face }: &Biometrics,
        key_history: Vec<u8>,
        pki: &Pki,
        crypto: &mut dyn Crypto,
    ) -> Result<Vec<(u32, Vec<u8>)>, IssueError> {
        let Self { person, numbers, expires, .. } = self;
        let signer = &pki.content_signer;
        let life = (self.issued, self.expires);
        let (fingers, portrait) = (biometric::Kind::Fingerprints, biometric::Kind::Face);
        let shape = request.shape();
        let ccc = if self.holder.is_some() {
            cac::card_capability_container(numbers)
        } else if shape.minimal_capabilities {
            ccc::minimal_card_capability_container()
        } else {
            ccc::card_capability_container(&numbers.card_id)
        };
        let mut objects = vec![
            (tag::CCC, ccc),
            (tag::CHUID, chuid::chuid(person, numbers, *expires, signer, crypto)?),
            (tag::FINGERPRINTS, biometric::container(fingers, minutiae, numbers, life, signer, crypto)?),
        ];
        if !face.is_empty() {
            objects.push((tag::FACE, biometric::container(portrait, face, numbers, life, signer, crypto)?));
        }
        objects.extend([
            (tag::PRINTED, printed::printed_information(person, numbers, *expires, shape.organization_lines)),
            (tag::DISCOVERY, discovery::discovery_object(request.features.pin_usage_policy())),
            (tag::KEY_HISTORY, key_history),
        ]);
        if let Some(comparison) = &request.features.on_card_comparison {
            let templates = on_card_comparison::information_templates(comparison.count());
            objects.push((tag::BIT_GROUP, templates));
        }
        if let Some(fault) = request.broken {
            fault.alter_objects(&mut objects);
        }
        let mut covered = covered(&objects, shape);
        if let Some(fault) = request.broken {
            fault.alter_covered(&mut covered);
        }
        let security_object = security_object::security_object(&covered, signer, crypto)?;
        if request.broken != Some(Fault::NoSecurityObject) {
            objects.push((tag::SECURITY_OBJECT, security_object));
        }
        // Not among the hashed ones on genuine cards.
        if let Some(code) = &self.pairing_code {
            objects.push((tag::PAIRING_CODE, elements([(0x99, code.as_bytes()), (0xFE, &[])])));
        }
        if shape.empty_bit_group && request.features.on_card_comparison.is_none() {
            // No template.
            objects.push((tag::BIT_GROUP, on_card_comparison::information_templates(0)));
        }
        Ok(objects)
    }
}

/// What the Security Object covers: everything, numbered from 1, or what the shape says.
fn covered<'a>(objects: &'a [(u32, Vec<u8>)], shape: &Shape) -> Vec<Covered<'a>> {
    let group = |number, tag: u32, contents| Covered { number, container: container(tag).id, contents };
    match shape.covered {
        None => {
            (1_u8..).zip(objects).map(|(number, (tag, contents))| group(number, *tag, contents)).collect()
        }
        Some(groups) => groups
            .iter()
            .filter_map(|(number, tag)| {
                let (_, contents) = objects.iter().find(|(found, _)| found == tag)?;
                Some(group(*number, *tag, contents))
            })
            .collect(),
    }
}

/// Tags of the objects that are issued.
pub(crate) mod tag {
    pub(crate) const CARD_AUTHENTICATION: u32 = 0x5F_C101;
    pub(crate) const CHUID: u32 = 0x5F_C102;
    pub(crate) const FINGERPRINTS: u32 = 0x5F_C103;
    pub(crate) const PIV_AUTHENTICATION: u32 = 0x5F_C105;
    pub(crate) const SECURITY_OBJECT: u32 = 0x5F_C106;
    pub(crate) const CCC: u32 = 0x5F_C107;
    pub(crate) const FACE: u32 = 0x5F_C108;
    pub(crate) const PRINTED: u32 = 0x5F_C109;
    pub(crate) const DIGITAL_SIGNATURE: u32 = 0x5F_C10A;
    pub(crate) const KEY_MANAGEMENT: u32 = 0x5F_C10B;
    pub(crate) const KEY_HISTORY: u32 = 0x5F_C10C;
    pub(crate) const SECURE_MESSAGING_SIGNER: u32 = 0x5F_C122;
    pub(crate) const PAIRING_CODE: u32 = 0x5F_C123;
    pub(crate) const DISCOVERY: u32 = 0x7E;
    pub(crate) const BIT_GROUP: u32 = 0x7F61;
}

/// Tag of the container with the certificate of the key `reference`. 04, 9B and F9 have none that a person has.
pub(crate) fn certificate_tag(reference: KeyReference) -> Option<u32> {
    match reference {
        KeyReference::PivAuthentication => Some(tag::PIV_AUTHENTICATION),
        KeyReference::SecureMessaging | KeyReference::CardManagement | KeyReference::Attestation => None,
        KeyReference::DigitalSignature => Some(tag::DIGITAL_SIGNATURE),
        KeyReference::KeyManagement => Some(tag::KEY_MANAGEMENT),
        KeyReference::CardAuthentication => Some(tag::CARD_AUTHENTICATION),
        KeyReference::Retired(number) => Some(tag::KEY_HISTORY + u32::from(number.get())),
    }
}

/// Only key-management keys may come from outside (FIPS 201-3, 4.2.2), so that mail stays readable.
fn origin(reference: KeyReference) -> Origin {
    match reference {
        KeyReference::KeyManagement | KeyReference::Retired(_) => Origin::Imported,
        _ => Origin::Generated,
    }
}

/// Eight digits.
fn pairing_code(randomness: Randomness) -> Result<Zeroizing<String>, IssueError> {
    let mut bytes = Zeroizing::new([0; 4]);
    randomness.source("pairing code")?.fill_bytes(&mut bytes[..]);
    Ok(Zeroizing::new(format!("{:08}", u32::from_be_bytes(*bytes) % 100_000_000)))
}

fn container(tag: u32) -> &'static Container {
    // The tags are the constants above, and a test finds each of them in the table.
    Container::find(tag).expect("every issued object is in the table of containers")
}

/// The object as GET DATA answers it: wrapped in `53`, but the two templates in tags of their own.
fn complete(tag: u32, contents: &[u8]) -> (ObjectTag, Vec<u8>) {
    let tag = container(tag).tag;
    let object = match tag {
        ObjectTag::DISCOVERY => element(0x7E, contents),
        ObjectTag::BIT_GROUP => long_element(0x7F61, contents),
        _ => element(WRAPPING, contents),
    };
    (tag, object)
}
