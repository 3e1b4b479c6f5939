//! The certificates of a card's keys: made, altered if a fault wants it, and put where they belong.

use card_sim::{crypto::Crypto, key::KeyReference};

use super::{
    Plan, Request, SlotKey, cac,
    certificate::{self, Template},
    certificate_tag,
    error::{IssueError, encoding},
    key_history::{self, OffCardCertificates},
    pki::{self, Authority, Pki},
    stored_certificate::stored_certificate,
    tlv::element,
};

/// The certificates of a card.
pub(super) struct Certificates {
    /// Contents of containers, by tag.
    pub(super) contents: Vec<(u32, Vec<u8>)>,
    /// All of them, in DER.
    pub(super) all: Vec<(KeyReference, Vec<u8>)>,
    /// Those that are not on the card.
    pub(super) off_card: Option<OffCardCertificates>,
}

impl Plan {
    /// The certificates of these keys.
    pub(super) fn certificates(
        &self,
        keys: &[SlotKey],
        request: &Request,
        pki: &Pki,
        authorities: Option<&cac::Authorities>,
        crypto: &mut dyn Crypto,
    ) -> Result<Certificates, IssueError> {
        let features = &request.features;
        let off_card: Vec<_> = key_history::off_card(features).collect();
        let mut contents = Vec::new();
        let mut elsewhere = Vec::new();
        let mut all = Vec::new();
        for key in keys {
            let issuer = authorities.map_or(&pki.issuing_ca, |authorities| authorities.issuer(key.reference));
            let mut certificate = self.certificate(key, request, issuer, crypto)?;
            if let Some(fault) = request.broken {
                fault.alter_certificate(key.reference, &mut certificate);
            }
            all.push((key.reference, certificate.clone()));
            if off_card.contains(&key.reference) {
                elsewhere.push((key.reference, certificate));
            } else if let Some(tag) = certificate_tag(key.reference) {
                let stored = stored_certificate(&certificate, features.compressed_certificates);
                contents.push((tag, [stored, element(0xFE, &[])].concat()));
            }
        }
        let off_card = (!elsewhere.is_empty()).then(|| OffCardCertificates::new(&elsewhere)).transpose()?;
        Ok(Certificates { contents, all, off_card })
    }

    /// The certificate of a key, in DER.
    pub(super) fn certificate(
        &self,
        key: &SlotKey,
        request: &Request,
        issuer: &Authority,
        crypto: &mut dyn Crypto,
    ) -> Result<Vec<u8>, IssueError> {
        let algorithm = key.private.algorithm();
        let numbers = match request.broken {
            Some(fault) => &fault.numbers(key.reference, &self.numbers)?,
            None => &self.numbers,
        };
        let template = || {
            let mut extensions = pki::issued_extensions(issuer, &key.public)?;
            let of_cac = match &self.holder {
                Some(holder) => cac::profile_extensions(key.reference, holder, &self.person)?,
                None => None,
            };
            let of_profile = match of_cac {
                Some(extensions) => extensions,
                None => certificate::profile_extensions(
                    key.reference,
                    algorithm,
                    request.shape(),
                    &self.person,
                    numbers,
                )?,
            };
            extensions.extend(of_profile);
            Ok((certificate::subject(key.reference, &self.person, numbers)?, extensions))
        };
        let (subject, extensions) = template().map_err(encoding("certificate's extensions"))?;
        let template = Template {
            issuer: issuer.subject(),
            subject: &subject,
            validity: certificate::days((self.issued, self.expires))
                .map_err(encoding("certificate's validity"))?,
            public_key: &key.public,
            extensions,
        };
        let purpose = format!("certificate {:02X}", key.reference.to_byte());
        let mut rng = self.randomness.source(&purpose)?;
        template.sign(issuer.key(), &mut rng, crypto)
    }
}
