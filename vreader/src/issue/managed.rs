//! What a card management system writes on a card whose keys it does not make itself: objects for a person, and a certificate for
//! each public key that the card tells.
//!
//! The bytes are those of [`issue`](super::issue); only the order is another. Certificates that take the place of others keep
//! names and extensions ([`renewed_certificate`]), a Security Object keeps the hashes of what did not change
//! ([`Managed::objects`] makes the first, [`renewed_security_object`] later ones).

use card_sim::{
    crypto::Crypto,
    key::{AsymmetricAlgorithm, KeyReference, PublicKey},
};
use cms::{content_info::ContentInfo, signed_data::SignedData};
use der::{Decode, Encode, asn1::OctetString};
use rand_core::CryptoRng;
use x509_cert::{Certificate, ext::Extension};
use zeroize::Zeroizing;

use super::{
    Features, Plan, Request,
    certificate::{self, Template},
    cms::{Content, sign},
    container,
    date::Date,
    error::{IssueError, encoding},
    extension, fingerprint, key_history, oid,
    person::{CardNumbers, Person},
    pki::{self, Authority, Pki},
    public_key::{key_identifier, subject_public_key_info},
    randomness::Randomness,
    security_object::{DataGroupHash, LdsSecurityObject, tag as security},
    signature::Hash,
    stored_certificate::stored_certificate,
    tag,
    tlv::{element, elements},
};

/// A card that is to be written: a person, the card's numbers and its life.
pub struct Managed {
    plan: Plan,
    request: Request,
}

impl Managed {
    /// A card for this person, valid from a day to a day.
    pub fn new(
        person: Person,
        numbers: CardNumbers,
        (issued, expires): (Date, Date),
    ) -> Result<Self, IssueError> {
        let request = Request { issued: Some(issued), expires: Some(expires), ..Request::default() };
        request.life()?;
        let plan = Plan {
            randomness: Randomness::new(None),
            person,
            numbers,
            issued,
            expires,
            pki_from: issued,
            pin: Zeroizing::default(),
            puk: Zeroizing::default(),
            global_pin: None,
            pairing_code: None,
            holder: None,
        };
        Ok(Self { plan, request })
    }

    /// The contents of every object but the certificates, by tag, with so many retired keys in the Key History Object. The last is the
    /// Security Object.
    pub fn objects(
        &self,
        retired_keys: u8,
        pki: &Pki,
        crypto: &mut dyn Crypto,
    ) -> Result<Vec<(u32, Vec<u8>)>, IssueError> {
        let minutiae = fingerprint::minutiae_record(&mut self.plan.randomness.source("fingerprints")?);
        let history = key_history_with(retired_keys);
        self.plan.data_objects(&self.request, &minutiae, history, pki, crypto)
    }

    /// A certificate for the key of a slot, in DER, valid from a day to a day.
    pub fn certificate(
        &self,
        reference: KeyReference,
        algorithm: AsymmetricAlgorithm,
        public: &PublicKey,
        (from, until): (Date, Date),
        issuer: &Authority,
        crypto: &mut dyn Crypto,
    ) -> Result<Vec<u8>, IssueError> {
        let public_key = subject_public_key_info(public).map_err(encoding("public key"))?;
        let Plan { person, numbers, .. } = &self.plan;
        let shape = self.request.shape();
        let parts = || {
            let mut extensions = pki::issued_extensions(issuer, &public_key)?;
            extensions.extend(certificate::profile_extensions(reference, algorithm, shape, person, numbers)?);
            Ok((certificate::subject(reference, person, numbers)?, extensions))
        };
        let (subject, extensions) = parts().map_err(encoding("certificate's extensions"))?;
        let validity = certificate::days((from, until)).map_err(encoding("certificate's validity"))?;
        let template = Template {
            issuer: issuer.subject(),
            subject: &subject,
            validity,
            public_key: &public_key,
            extensions,
        };
        let mut rng = self.plan.randomness.source(&format!("certificate {:02X}", reference.to_byte()))?;
        template.sign(issuer.key(), &mut rng, crypto)
    }
}

/// A certificate with names and extensions of an old one, for another key and other days, in DER.
pub fn renewed_certificate(
    old: &Certificate,
    public: &PublicKey,
    (from, until): (Date, Date),
    issuer: &Authority,
    rng: &mut dyn CryptoRng,
    crypto: &mut dyn Crypto,
) -> Result<Vec<u8>, IssueError> {
    let public_key = subject_public_key_info(public).map_err(encoding("public key"))?;
    let tbs = old.tbs_certificate();
    let extensions = || {
        let own = key_identifier(&public_key);
        let of_issuer = issuer.key_identifier()?;
        let renewed = |old: &Extension| match old.extn_id {
            oid::SUBJECT_KEY_IDENTIFIER => extension::subject_key_identifier(&own),
            oid::AUTHORITY_KEY_IDENTIFIER => extension::authority_key_identifier(&of_issuer),
            _ => Ok(old.clone()),
        };
        tbs.extensions().into_iter().flatten().map(renewed).collect::<Result<Vec<_>, der::Error>>()
    };
    let template = Template {
        issuer: issuer.subject(),
        subject: tbs.subject(),
        validity: certificate::days((from, until)).map_err(encoding("certificate's validity"))?,
        public_key: &public_key,
        extensions: extensions().map_err(encoding("certificate's extensions"))?,
    };
    template.sign(issuer.key(), rng, crypto)
}

/// The contents of a certificate's container, as cards are issued with it.
pub fn certificate_container(der: &[u8]) -> Vec<u8> {
    [stored_certificate(der, false), element(0xFE, &[])].concat()
}

/// The contents of a Key History Object for so many keys with certificates on the card, and none elsewhere.
pub fn key_history_with(retired_keys: u8) -> Vec<u8> {
    key_history::key_history(&Features { retired_keys, ..Features::default() }, None)
}

/// The contents of a Security Object in which the hash of one object is that of other contents; everything else stays. Nothing if
/// the old one does not cover the object, so that it need not change.
pub fn renewed_security_object(
    old: &[u8],
    (object, contents): (u32, &[u8]),
    signer: &Authority,
    crypto: &mut dyn Crypto,
) -> Result<Option<Vec<u8>>, IssueError> {
    let failed = || encoding("Security Object");
    let mut reader = apdu::tlv_ber::Reader::single_byte_tags(old);
    let (mut mapping, mut signed) = (&[][..], &[][..]);
    while let Ok(Some(found)) = reader.next() {
        match u8::try_from(found.tag.number()) {
            Ok(security::MAPPING) => mapping = found.value,
            Ok(security::SIGNED_HASHES) => signed = found.value,
            _ => {}
        }
    }
    let [high, low] = container(object).id.to_be_bytes();
    let Some(number) = mapping.chunks_exact(3).find_map(|group| match *group {
        [number, a, b] if [a, b] == [high, low] => Some(number),
        _ => None,
    }) else {
        return Ok(None);
    };
    let lds = || -> Result<Vec<u8>, der::Error> {
        let info = ContentInfo::from_der(signed)?;
        let data = info.content.decode_as::<SignedData>()?;
        let content = data.encap_content_info.econtent.ok_or(der::ErrorKind::Failed)?;
        let mut lds = LdsSecurityObject::from_der(content.decode_as::<OctetString>()?.as_bytes())?;
        let hash = if lds.hash_algorithm.oid == oid::SHA_384 { Hash::Sha384 } else { Hash::Sha256 };
        let digest = OctetString::new(hash.digest(contents))?;
        lds.hashes.retain(|group| group.number != number);
        lds.hashes.push(DataGroupHash { number, hash: digest });
        lds.hashes.sort_by_key(|group| group.number);
        lds.to_der()
    };
    let content = Content {
        kind: oid::CONTENT_LDS_SECURITY_OBJECT,
        bytes: &lds().map_err(failed())?,
        embedded: true,
        with_certificate: false,
        attributes: Vec::new(),
    };
    let signed = sign(&content, signer, crypto)?;
    Ok(Some(elements([
        (security::MAPPING, mapping),
        (security::SIGNED_HASHES, &signed),
        (security::ERROR_DETECTION_CODE, &[]),
    ])))
}

/// Objects that tell of a holder: what is emptied when the card is wiped.
pub const PERSONAL: [u32; 6] =
    [tag::CHUID, tag::FINGERPRINTS, tag::FACE, tag::PRINTED, tag::KEY_HISTORY, tag::SECURITY_OBJECT];
/// The Key History Object.
pub const KEY_HISTORY: u32 = tag::KEY_HISTORY;
/// The Security Object.
pub const SECURITY_OBJECT: u32 = tag::SECURITY_OBJECT;
