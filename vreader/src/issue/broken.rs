//! Cards with one fault, for testing the software that should find it.
//!
//! A fault is made while the card is issued, and everything that follows from it fits: what is signed after a change is signed
//! over what was changed. So a card has the one fault that its name says and no other.

use card_sim::{crypto::Crypto, key::KeyReference};

use super::{
    Plan, Request, SlotKey, chuid, date::Date, error::IssueError, fascn::Fascn, person::CardNumbers,
    pki::Pki, security_object::Covered, tag, uuid::Uuid,
};

/// One fault of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The Cardholder UUID in the CHUID was changed after signing.
    TamperedChuid,
    /// The certificate of 9E names another FASC-N.
    FascnMismatch,
    /// The certificate of 9E names another Card UUID.
    UuidMismatch,
    /// Card and certificates end on the day before their reference day.
    Expired,
    /// Card and certificates begin a year later.
    NotYetValid,
    /// One hash of the Security Object is another.
    WrongHash,
    /// The key in 9A is not the one in its certificate.
    WrongKey,
    /// The signature of 9A's certificate was changed.
    TamperedCertificate,
    /// A minutia was changed after signing.
    TamperedFingerprints,
    /// The face record was changed after signing.
    TamperedFace,
    /// There is no Discovery Object.
    NoDiscovery,
    /// There is no Security Object.
    NoSecurityObject,
    /// The content signer's certificate is not for content signing.
    WrongSigner,
    /// The card-verifiable certificate has another key.
    CvcMismatch,
}

impl Fault {
    /// Every fault with its name and what is wrong with the card, for people.
    pub const ALL: [(Self, &str, &str); 14] = [
        (Self::TamperedChuid, "tampered-chuid", "the Cardholder UUID in the CHUID was changed after signing"),
        (Self::FascnMismatch, "fascn-mismatch", "9E's certificate names another FASC-N than the CHUID"),
        (Self::UuidMismatch, "uuid-mismatch", "9E's certificate names another Card UUID than the CHUID"),
        (Self::Expired, "expired", "card and certificates ended on the day before today, or before --issued"),
        (
            Self::NotYetValid,
            "not-yet-valid",
            "card and certificates begin a year after today, or after --issued",
        ),
        (Self::WrongHash, "wrong-hash", "the Security Object has a wrong hash of Printed Information"),
        (Self::WrongKey, "wrong-key", "the key in 9A is not the key in its certificate"),
        (Self::TamperedCertificate, "tampered-certificate", "the signature of 9A's certificate was changed"),
        (Self::TamperedFingerprints, "tampered-fingerprints", "a minutia was changed after signing"),
        (Self::TamperedFace, "tampered-face", "the eye colour in the face record was changed after signing"),
        (Self::NoDiscovery, "no-discovery", "there is no Discovery Object"),
        (Self::NoSecurityObject, "no-security-object", "there is no Security Object"),
        (Self::WrongSigner, "wrong-signer", "the content signer's certificate is not for content signing"),
        (Self::CvcMismatch, "cvc-mismatch", "key 04 is not the key in its certificate; needs --sm"),
    ];

    /// The fault with this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, found, _)| *found == name).map(|(fault, _, _)| fault)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(fault, _, _)| *fault == self).map_or("", |(_, name, _)| name)
    }

    /// That such a card can have the fault.
    pub(crate) fn check(self, request: &Request) -> Result<(), IssueError> {
        let features = &request.features;
        let reason = match self {
            Self::Expired | Self::NotYetValid if request.expires.is_some() => {
                "has its last day from the fault; leave the expiration out"
            }
            Self::NoDiscovery if features.virtual_contact.is_some() || features.global_pin.is_some() => {
                "cannot have a Global PIN or a virtual contact interface, which the Discovery Object announces"
            }
            Self::CvcMismatch if features.secure_messaging.is_none() => {
                "needs secure messaging; choose a cipher suite too"
            }
            _ => return Ok(()),
        };
        Err(IssueError::Fault { fault: self.name(), reason })
    }

    /// First and last day of a card of `years` with this fault, and the day from which its PKI works. `None` if the fault is
    /// none of dates.
    pub(crate) fn life(self, today: Date, years: u16) -> Option<Life> {
        match self {
            Self::Expired => {
                let issued = today.minus_years(years);
                Some(Life { issued, expires: today.previous(), pki_from: issued })
            }
            Self::NotYetValid => {
                let issued = today.plus_years(1);
                Some(Life { issued, expires: issued.last_day_of(years), pki_from: today })
            }
            _ => None,
        }
    }

    /// The numbers that the certificate of a key names.
    pub(crate) fn numbers(
        self,
        reference: KeyReference,
        numbers: &CardNumbers,
    ) -> Result<CardNumbers, IssueError> {
        let mut numbers = numbers.clone();
        match (self, reference) {
            (Self::FascnMismatch, KeyReference::CardAuthentication) => {
                let other = numbers.fascn.credential_number % 999_999 + 1;
                numbers.fascn = Fascn { credential_number: other, ..numbers.fascn };
                numbers.fascn_bytes = numbers.fascn.encode()?;
            }
            (Self::UuidMismatch, KeyReference::CardAuthentication) => {
                numbers.guid = other_uuid(&numbers.guid);
            }
            _ => {}
        }
        Ok(numbers)
    }

    /// Changes a certificate after signing.
    pub(crate) fn alter_certificate(self, reference: KeyReference, der: &mut [u8]) {
        if (self, reference) == (Self::TamperedCertificate, KeyReference::PivAuthentication)
            && let Some(last) = der.last_mut()
        {
            // The end of the signature.
            *last ^= 0x01;
        }
    }

    /// Changes the contents of objects after they are signed, and before the Security Object is made over them.
    pub(crate) fn alter_objects(self, objects: &mut Vec<(u32, Vec<u8>)>) {
        match self {
            Self::TamperedChuid => flip(objects, tag::CHUID, end_of_cardholder_uuid),
            Self::TamperedFingerprints => {
                flip(objects, tag::FINGERPRINTS, |_| Some(RECORD + MINUTIA_QUALITY));
            }
            Self::TamperedFace => flip(objects, tag::FACE, |_| Some(RECORD + EYE_COLOUR)),
            Self::NoDiscovery => objects.retain(|(tag, _)| *tag != tag::DISCOVERY),
            _ => {}
        }
    }

    /// Changes what the Security Object is made over.
    pub(crate) fn alter_covered(self, covered: &mut [Covered<'_>]) {
        for object in covered {
            if self == Self::WrongHash && object.container == super::container(tag::PRINTED).id {
                object.contents = b"something else";
            }
        }
    }
}

/// The days of a card whose dates are a fault.
pub(crate) struct Life {
    pub(crate) issued: Date,
    pub(crate) expires: Date,
    pub(crate) pki_from: Date,
}

/// Where the record begins in a biometric container: after tag and length (`BC 82 XX XX`), and the CBEFF header.
const RECORD: usize = 4 + 88;
/// Offset of the first minutia's quality in a finger record: after the record's header, the view's, and five bytes.
const MINUTIA_QUALITY: usize = 26 + 4 + 5;
/// Offset of the eye colour in a face record: after the header, block length, feature points and gender.
const EYE_COLOUR: usize = 14 + 4 + 2 + 1;

/// Changes one bit of the object `tag`.
fn flip(objects: &mut [(u32, Vec<u8>)], tag: u32, position: impl Fn(&[u8]) -> Option<usize>) {
    for (_, contents) in objects.iter_mut().filter(|(found, _)| *found == tag) {
        if let Some(byte) = position(contents).and_then(|position| contents.get_mut(position)) {
            *byte ^= 0x01;
        }
    }
}

fn end_of_cardholder_uuid(chuid: &[u8]) -> Option<usize> {
    let uuid =
        apdu::tlv_ber::Reader::single_byte_tags(chuid).find(chuid::tag::CARDHOLDER_UUID.into()).ok()??;
    let start = chuid.windows(uuid.len()).position(|window| window == uuid)?;
    (start + uuid.len()).checked_sub(1)
}

fn other_uuid(uuid: &Uuid) -> Uuid {
    let mut bytes = uuid.0;
    bytes[15] ^= 0x01;
    Uuid(bytes)
}

impl Plan {
    /// The PKI for a card with this fault.
    pub(super) fn pki_with_fault(
        &self,
        request: &Request,
        pki: Pki,
        crypto: &mut dyn Crypto,
    ) -> Result<Pki, IssueError> {
        if request.broken != Some(Fault::WrongSigner) {
            return Ok(pki);
        }
        let content_signer = pki.signer_without_purpose(request.seed, self.pki_from, crypto)?;
        Ok(Pki { content_signer, ..pki })
    }

    /// Puts another key into 9A, after its certificate is made.
    pub(super) fn exchange_key(
        &self,
        request: &Request,
        keys: &mut [SlotKey],
        crypto: &mut dyn Crypto,
    ) -> Result<(), IssueError> {
        if request.broken == Some(Fault::WrongKey) {
            for key in keys.iter_mut().filter(|key| key.reference == KeyReference::PivAuthentication) {
                key.private = self.private_key("another key 9A", key.private.algorithm(), crypto)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use card_sim::key::AsymmetricAlgorithm;

    use super::*;
    use crate::issue::{Features, VirtualContact};

    #[test]
    fn faults_have_names_of_their_own() {
        for (fault, name, _) in Fault::ALL {
            assert_eq!((Fault::find(name), fault.name()), (Some(fault), name));
        }
        assert_eq!(Fault::find("none"), None);
    }

    #[test]
    fn faults_that_contradict_the_request_are_refused() {
        let request = |features, expires| Request {
            algorithm: AsymmetricAlgorithm::EccP256,
            features,
            expires,
            ..Request::default()
        };
        let open = Features { virtual_contact: Some(VirtualContact::Open), ..Features::default() };
        let day = Date::new(2031, 1, 1);
        for (fault, features, expires) in [
            (Fault::CvcMismatch, Features::default(), None),
            (Fault::NoDiscovery, open, None),
            (Fault::Expired, Features::default(), day),
            (Fault::NotYetValid, Features::default(), day),
        ] {
            let refused = fault.check(&request(features, expires));
            assert!(matches!(refused, Err(IssueError::Fault { .. })), "{fault:?}");
        }
        for (fault, name, _) in Fault::ALL {
            let refused = fault.check(&request(Features::default(), None)).is_err();
            assert_eq!(refused, fault == Fault::CvcMismatch, "{name}");
        }
    }

    #[test]
    fn dates_lie_before_and_after() {
        let today = Date::new(2028, 2, 29).unwrap();
        let text = |fault: Fault| {
            let life = fault.life(today, 6).unwrap();
            [life.issued, life.expires, life.pki_from].map(|day| day.to_string())
        };
        assert_eq!(text(Fault::Expired), ["2022-02-28", "2028-02-28", "2022-02-28"]);
        assert_eq!(text(Fault::NotYetValid), ["2029-02-28", "2035-02-27", "2028-02-29"]);
        assert!(Fault::WrongKey.life(today, 6).is_none());
    }
}
