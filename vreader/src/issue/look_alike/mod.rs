//! Issuing a card in the form of another one that was read: its objects, certificates with its names and extensions, and
//! fresh keys. [`clone`](crate::clone) reads the card and says what of it is taken over.
//!
//! | of the original | on the look-alike |
//! |---|---|
//! | certificates | a fresh key of the same algorithm; names, validity, extensions and their order as they were; serial number, key identifiers and signature new. One that signed itself does so again |
//! | their issuers | authorities with the same names under the sample root, for any policy |
//! | CHUID | the same elements in the same order, signed by the sample content signer |
//! | Security Object | the same data groups, with the hashes of what is on the look-alike |
//! | other objects | as they were |
//! | what needs the PIN | a sample person's, with the name and numbers of the original |

mod common_access;
mod objects;
mod plan;

use card_sim::{
    cac::{Applets, ObjectId},
    crypto::Crypto,
    discovery::PinUsagePolicy,
    key::{AsymmetricAlgorithm, KeyReference, Origin, SymmetricKey},
    object::ObjectTag,
    reference,
    sm::CipherSuite,
};
use x509_cert::{Certificate, name::Name};
use zeroize::Zeroizing;

use self::{
    common_access::key_of,
    objects::whole,
    plan::{last_day, plan},
};
use super::{
    DEFAULT_GLOBAL_PIN, Features, GlobalPin, IssueError, IssuedCard, OnCardComparison, Plan, Request,
    SecureMessaging, SlotKey, Step, VirtualContact,
    cac::{CacRequest, CommonAccess},
    certificate::Template,
    certificate_tag, chuid, complete, cvc,
    date::Date,
    error::encoding,
    extension, fingerprint, oid, origin, padded_pin,
    pki::{Authority, Pki},
    public_key::key_identifier,
    puk_bytes,
    stored_certificate::stored_certificate,
    tag,
    tlv::element,
};
use crate::clone::key_algorithm;

/// What a card does not say of itself.
pub struct Secrets {
    pub(crate) seed: Option<u64>,
    pin: Zeroizing<[u8; reference::LENGTH]>,
    puk: Zeroizing<[u8; reference::LENGTH]>,
    management_key: SymmetricKey,
}

impl Secrets {
    /// A PIN of 6 to 8 digits, a PUK of 8 characters, a card management key.
    pub fn new(
        seed: Option<u64>,
        pin: &str,
        puk: &str,
        management_key: SymmetricKey,
    ) -> Result<Self, IssueError> {
        Ok(Self { seed, pin: padded_pin(pin)?, puk: puk_bytes(puk)?, management_key })
    }
}

/// What is taken over of a card.
pub(crate) struct Model {
    pub(crate) certificates: Vec<ModelCertificate>,
    /// Keys without a certificate.
    pub(crate) other_keys: Vec<(KeyReference, AsymmetricAlgorithm)>,
    /// The certificates of the CAC applets.
    pub(crate) common_access: Vec<(ObjectId, Certificate)>,
    /// CAC containers as they are.
    pub(crate) common_access_verbatim: Vec<(ObjectId, Vec<u8>)>,
    /// The CHUID's elements.
    pub(crate) chuid: Option<Vec<(u8, Vec<u8>)>>,
    /// Objects as they are, with their outer tags.
    pub(crate) verbatim: Vec<(ObjectTag, Vec<u8>)>,
    /// Number and container of each data group of the Security Object; none without one.
    pub(crate) covered: Vec<(u8, u16)>,
    /// Objects that needed the PIN and may be there.
    pub(crate) protected: Vec<u32>,
    pub(crate) suite: Option<CipherSuite>,
    /// An intermediate key certifies the one for secure messaging.
    pub(crate) intermediate: bool,
    pub(crate) discovery: PinUsagePolicy,
    /// Which CAC applets the card has.
    pub(crate) applets: Option<Applets>,
    /// A Common Access Card that shows no PIV Authentication certificate.
    pub(crate) has_hidden_certificate: bool,
}

/// A certificate to be like.
pub(crate) struct ModelCertificate {
    pub(crate) reference: KeyReference,
    pub(crate) certificate: Certificate,
    pub(crate) compressed: bool,
}

/// What was made.
pub(crate) struct Made {
    pub(crate) issued: IssuedCard,
    /// The authorities with the original's names.
    pub(crate) authorities: Vec<Authority>,
    pub(crate) notes: Vec<String>,
}

/// Makes the card.
pub(crate) fn issue(
    model: &Model,
    secrets: Secrets,
    crypto: &mut dyn Crypto,
    progress: &mut dyn FnMut(Step),
) -> Result<Made, IssueError> {
    let request = request(model, &secrets);
    let plan = plan(model, &secrets)?;
    progress(Step::Pki);
    let until = last_day(model).unwrap_or(plan.expires).max(plan.expires);
    let pki = Pki::create_until(secrets.seed, request.chosen_pki_algorithm(), plan.pki_from, until, crypto)?;
    let mut work = Work {
        plan,
        pki,
        until,
        authorities: Vec::new(),
        keys: Vec::new(),
        signed: Vec::new(),
        notes: Vec::new(),
        crypto,
    };
    work.keys(model, progress)?;
    progress(Step::Certificates);
    let mut contents = work.certificates(model)?;
    progress(Step::Objects);
    work.objects(model, &request, &mut contents)?;
    let common_access = if model.applets.is_some() {
        Some(work.common_access(model, &request, &mut contents)?)
    } else {
        None
    };
    work.finish(&request, secrets, whole(model, contents), common_access)
}

/// A request for what a card of this kind has.
fn request(model: &Model, secrets: &Secrets) -> Request {
    let policy = model.discovery;
    let features = Features {
        secure_messaging: model
            .suite
            .map(|suite| SecureMessaging { suite, intermediate: model.intermediate }),
        virtual_contact: (model.suite.is_some() && policy.virtual_contact_interface()).then_some(
            if policy.pairing_code_needed() { VirtualContact::Pairing } else { VirtualContact::Open },
        ),
        global_pin: policy
            .global_pin()
            .then(|| GlobalPin { pin: Zeroizing::new(DEFAULT_GLOBAL_PIN.to_owned()), primary: false }),
        on_card_comparison: policy.on_card_comparison().then(OnCardComparison::default),
        ..Features::default()
    };
    Request {
        seed: secrets.seed,
        algorithm: AsymmetricAlgorithm::Rsa2048,
        features,
        cac: model.applets.map(|applets| CacRequest { applets, ..CacRequest::default() }),
        ..Request::default()
    }
}

/// Contents of containers, by tag.
type Contents = Vec<(u32, Vec<u8>)>;

/// A card that is being made.
struct Work<'a> {
    plan: Plan,
    pki: Pki,
    /// The last day of the certificate that lives longest.
    until: Date,
    authorities: Vec<Authority>,
    keys: Vec<SlotKey>,
    /// The certificates of the PIV keys, in DER.
    signed: Vec<(KeyReference, Vec<u8>)>,
    notes: Vec<String>,
    crypto: &'a mut dyn Crypto,
}

impl Work<'_> {
    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// A key for each certificate, and for each key that the original has beside.
    fn keys(&mut self, model: &Model, progress: &mut dyn FnMut(Step)) -> Result<(), IssueError> {
        let mut wanted: Vec<_> = model
            .certificates
            .iter()
            .map(|with| (with.reference, key_algorithm(&with.certificate)))
            .chain(model.other_keys.iter().map(|(reference, algorithm)| (*reference, Some(*algorithm))))
            .collect();
        for (id, certificate) in &model.common_access {
            let shared = key_of(*id).filter(|key| wanted.iter().all(|(found, _)| found != key));
            wanted.extend(shared.map(|key| (key, key_algorithm(certificate))));
        }
        if model.has_hidden_certificate {
            wanted.push((KeyReference::PivAuthentication, Some(AsymmetricAlgorithm::Rsa2048)));
            self.note(
                "no PIV Authentication certificate is visible; the look-alike has a sample one, hidden",
            );
        }
        for (reference, algorithm) in wanted {
            let Some(algorithm) = algorithm else {
                let key = reference.to_byte();
                self.note(format!(
                    "the key {key:02X} is of a kind that ours has not; it and its certificate were left out"
                ));
                continue;
            };
            progress(Step::Key { reference, algorithm });
            let key = self.plan.key(reference, algorithm, self.crypto)?;
            self.keys.push(key);
        }
        Ok(())
    }

    /// The containers of the PIV certificates.
    fn certificates(&mut self, model: &Model) -> Result<Contents, IssueError> {
        let mut contents = Vec::new();
        for with in &model.certificates {
            let purpose = format!("certificate {:02X}", with.reference.to_byte());
            let Some(der) = self.certificate(with.reference, &with.certificate, &purpose)? else { continue };
            let tag = certificate_tag(with.reference);
            contents.extend(tag.map(|tag| (tag, container(&der, with.compressed))));
            self.signed.push((with.reference, der));
        }
        Ok(contents)
    }

    /// A certificate like this one for one of the card's keys, in DER; nothing without the key.
    fn certificate(
        &mut self,
        reference: KeyReference,
        like: &Certificate,
        purpose: &str,
    ) -> Result<Option<Vec<u8>>, IssueError> {
        let Some(at) = self.keys.iter().position(|key| key.reference == reference) else { return Ok(None) };
        // Taken out while the authority may be made.
        let key = self.keys.swap_remove(at);
        let issuer = self.issuer(like)?;
        let signed = self.sign_like(like, &key, issuer.as_ref(), purpose);
        self.keys.push(key);
        signed.map(Some)
    }

    /// Who issues a certificate like this one; nobody, if it signed itself.
    fn issuer(&mut self, like: &Certificate) -> Result<Option<Authority>, IssueError> {
        let tbs = like.tbs_certificate();
        if tbs.issuer() == tbs.subject() { Ok(None) } else { self.authority(tbs.issuer()).map(Some) }
    }

    /// The authority of this name, made when it is first asked for.
    fn authority(&mut self, name: &Name) -> Result<Authority, IssueError> {
        if let Some(found) = self.authorities.iter().find(|authority| authority.subject() == name) {
            return Ok(found.clone());
        }
        let life = (self.plan.pki_from, self.until);
        let authority = self.pki.issuing_ca_named(name, self.plan.randomness, life, self.crypto)?;
        self.authorities.push(authority.clone());
        Ok(authority)
    }

    /// A certificate like this one: by `issuer`, or by the key itself.
    fn sign_like(
        &mut self,
        like: &Certificate,
        key: &SlotKey,
        issuer: Option<&Authority>,
        purpose: &str,
    ) -> Result<Vec<u8>, IssueError> {
        let tbs = like.tbs_certificate();
        let extensions = || {
            let own = key_identifier(&key.public).to_vec();
            let of_issuer = issuer.map_or_else(|| Ok(own.clone()), Authority::key_identifier)?;
            let fresh = |like: &x509_cert::ext::Extension| match like.extn_id {
                oid::SUBJECT_KEY_IDENTIFIER => extension::subject_key_identifier(&own),
                oid::AUTHORITY_KEY_IDENTIFIER => extension::authority_key_identifier(&of_issuer),
                _ => Ok(like.clone()),
            };
            tbs.extensions().into_iter().flatten().map(fresh).collect::<Result<Vec<_>, der::Error>>()
        };
        let template = Template {
            issuer: tbs.issuer(),
            subject: tbs.subject(),
            validity: *tbs.validity(),
            public_key: &key.public,
            extensions: extensions().map_err(encoding("certificate's extensions"))?,
        };
        let mut rng = self.plan.randomness.source(purpose)?;
        template.sign(issuer.map_or(&key.private, Authority::key), &mut rng, self.crypto)
    }

    fn finish(
        mut self,
        request: &Request,
        secrets: Secrets,
        mut objects: Vec<(ObjectTag, Vec<u8>)>,
        common_access: Option<CommonAccess>,
    ) -> Result<Made, IssueError> {
        let minutiae = fingerprint::minutiae_record(&mut self.plan.randomness.source("fingerprints")?);
        let fingers = request.features.fingers(&minutiae);
        let mut keys: Vec<_> =
            self.keys.drain(..).map(|key| (key.reference, key.private, origin(key.reference))).collect();
        let mut card_verifiable_certificate = None;
        if let Some((key, cvc::Certified { certificate, signer })) =
            self.plan.secure_messaging(request, &self.pki, self.crypto)?
        {
            objects.push(complete(tag::SECURE_MESSAGING_SIGNER, &signer));
            keys.push((KeyReference::SecureMessaging, key, Origin::Generated));
            card_verifiable_certificate = Some(certificate);
        }
        let Plan { person, numbers, issued, expires, pin, puk, global_pin, pairing_code, .. } = self.plan;
        let issued = IssuedCard {
            person,
            numbers,
            issued,
            expires,
            objects,
            keys,
            management_key: secrets.management_key,
            pin,
            puk,
            global_pin,
            fingers,
            pairing_code,
            card_verifiable_certificate,
            off_card_certificates: None,
            cac: common_access,
            pki: self.pki,
        };
        Ok(Made { issued, authorities: self.authorities, notes: self.notes })
    }
}

/// A certificate's container.
fn container(der: &[u8], compressed: bool) -> Vec<u8> {
    [stored_certificate(der, compressed), element(chuid::tag::ERROR_DETECTION_CODE, &[])].concat()
}
