//! The CAC side of a Common Access Card: its holder's name, its certificates, its containers.
//!
//! One `Holder` is the only source of name and number, so that common names, Person Instance, FASC-N and user principal names
//! cannot contradict each other. The ID certificate comes from an "ID CA", the two for e-mail from an "EMAIL CA"; the e-mail
//! certificates and keys are those of PIV's 9C and 9D.

mod certificates;
mod containers;
mod holder;

use card_sim::{cac::ObjectId, crypto::Crypto, key::KeyReference, key::PrivateKey};

/// The container of a PKI applet with this certificate.
pub(super) fn pki_container(certificate: &[u8], rng: &mut dyn rand_core::CryptoRng) -> Vec<u8> {
    containers::pki(certificate, rng)
}

pub(super) use self::{
    certificates::{Authorities, profile_extensions},
    containers::card_capability_container,
    holder::Holder,
};
use super::{
    IssueError, Plan,
    date::Date,
    error::{crypto as crypto_failed, encoding},
    pki::Authority,
    public_key::subject_public_key_info,
};

/// What may be chosen of the CAC side of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacRequest {
    /// Cards that were issued before this day have their PIV Authentication certificate hidden.
    pub piv_activation_cutoff: Date,
}

/// The day from which cards come with an active PIV Authentication certificate.
pub const PIV_ACTIVATION_CUTOFF: Date = match Date::new(2018, 2, 28) {
    Some(date) => date,
    None => panic!("28 February is in every calendar"),
};

impl Default for CacRequest {
    fn default() -> Self {
        Self { piv_activation_cutoff: PIV_ACTIVATION_CUTOFF }
    }
}

/// The CAC side of an issued card.
pub struct CommonAccess {
    /// The key of the ID certificate.
    pub identity_key: PrivateKey,
    /// The containers: T buffer, then V buffer.
    pub containers: Vec<(ObjectId, Vec<u8>)>,
    /// The PIV Authentication certificate is not activated.
    pub piv_authentication_hidden: bool,
    /// Issued the ID certificate.
    pub id_ca: Authority,
    /// Issued the certificates for e-mail.
    pub email_ca: Authority,
}

impl Plan {
    /// The CAC side of the card. `certificates` are those of the PIV keys, in DER.
    pub(super) fn common_access(
        &self,
        request: CacRequest,
        holder: &Holder,
        authorities: Authorities,
        certificates: &[(KeyReference, Vec<u8>)],
        crypto: &mut dyn Crypto,
    ) -> Result<CommonAccess, IssueError> {
        let algorithm = card_sim::key::AsymmetricAlgorithm::Rsa2048;
        let identity_key = self.private_key("key of the ID certificate", algorithm, crypto)?;
        let public = crypto.public_key(&identity_key).map_err(crypto_failed("compute a public key"))?;
        let public = subject_public_key_info(&public).map_err(encoding("public key"))?;
        let identity = self.identity_certificate(&public, &authorities.id_ca, crypto)?;

        let of_piv = |wanted| {
            let found = certificates.iter().find(|(reference, _)| *reference == wanted);
            found.map(|(_, der)| der.as_slice()).unwrap_or_default()
        };
        let mut rng = self.randomness.source("identifiers of the PKI applets")?;
        let mut pki = |id, certificate: &[u8]| (id, containers::pki(certificate, &mut rng));
        let mut containers = vec![
            pki(ObjectId::IDENTITY, &identity),
            pki(ObjectId::SIGNATURE, of_piv(KeyReference::DigitalSignature)),
            pki(ObjectId::ENCRYPTION, of_piv(KeyReference::KeyManagement)),
        ];
        containers.extend([
            (ObjectId::CCC, containers::card_capabilities(&self.numbers)),
            (ObjectId::PERSON, containers::person_instance(holder, self.issued, self.expires)),
            (ObjectId::PERSONNEL, containers::personnel()),
            (ObjectId::BENEFITS, containers::benefits(self.expires)),
        ]);
        Ok(CommonAccess {
            identity_key,
            containers,
            piv_authentication_hidden: self.issued < request.piv_activation_cutoff,
            id_ca: authorities.id_ca,
            email_ca: authorities.email_ca,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use card_sim::profile::Profile;
    use der::{Decode, Encode, asn1::ObjectIdentifier};
    use flate2::read::ZlibDecoder;
    use x509_cert::{
        Certificate,
        ext::pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName, name::GeneralName},
    };

    use super::*;
    use crate::{
        crypto::DefaultCrypto,
        inspect::container_elements,
        issue::{IssuedCard, Request, issue, oid},
    };

    fn card(issued: &str, holder: Option<&str>) -> IssuedCard {
        let profile = Profile::find("cac-gemalto-gx4-144").unwrap();
        let request = Request {
            seed: Some(1),
            holder: holder.map(str::to_owned),
            issued: Some(issued.parse().unwrap()),
            ..Request::for_profile(profile)
        };
        issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).unwrap()
    }

    /// The elements of a container of the card.
    fn elements(card: &IssuedCard, id: ObjectId) -> Vec<(u8, Vec<u8>)> {
        let cac = card.cac.as_ref().unwrap();
        let (_, record) = cac.containers.iter().find(|(found, _)| *found == id).unwrap();
        let elements = container_elements(record).unwrap();
        elements.into_iter().map(|(tag, value)| (tag, value.to_vec())).collect()
    }

    fn text(elements: &[(u8, Vec<u8>)], tag: u8) -> String {
        let (_, value) = elements.iter().find(|(found, _)| *found == tag).unwrap();
        String::from_utf8(value.clone()).unwrap()
    }

    fn certificate(card: &IssuedCard, id: ObjectId) -> Certificate {
        let elements = elements(card, id);
        let tags: Vec<u8> = elements.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags, [0x71, 0x70, 0x72, 0xFE]);
        assert_eq!(elements[0].1, [0x01], "compressed");
        let mut der = Vec::new();
        ZlibDecoder::new(&elements[1].1[..]).read_to_end(&mut der).unwrap();
        Certificate::from_der(&der).unwrap()
    }

    fn common_name(name: &x509_cert::name::Name) -> String {
        name.common_name().unwrap().unwrap().value().into_owned()
    }

    fn principal_names(certificate: &Certificate) -> Vec<String> {
        let names = certificate.tbs_certificate().get_extension::<SubjectAltName>().unwrap();
        let names = names.map(|(_, names)| names.0).unwrap_or_default();
        names
            .iter()
            .filter_map(|name| match name {
                GeneralName::OtherName(other) if other.type_id == oid::USER_PRINCIPAL_NAME => {
                    Some(String::from_utf8(other.value.value().to_vec()).unwrap())
                }
                _ => None,
            })
            .collect()
    }

    fn usage(certificate: &Certificate) -> (KeyUsage, Vec<ObjectIdentifier>) {
        let tbs = certificate.tbs_certificate();
        let (_, usage) = tbs.get_extension::<KeyUsage>().unwrap().unwrap();
        let (_, purposes) = tbs.get_extension::<ExtendedKeyUsage>().unwrap().unwrap();
        (usage, purposes.0)
    }

    #[test]
    fn one_person_everywhere() {
        let card = card("2017-06-01", Some("Dana Quincy Sample"));
        let edipi = format!("{:010}", card.numbers.fascn.person_identifier);
        let name = format!("SAMPLE.DANA.Q.{edipi}");
        let person = elements(&card, ObjectId::PERSON);
        assert_eq!(text(&person, 0x17), edipi);
        assert_eq!([0x01, 0x02, 0x03].map(|tag| text(&person, tag)), ["DANA", "QUINCY", "SAMPLE"]);
        assert_eq!([0x62, 0x63].map(|tag| text(&person, tag)), ["20170601", "20230531"]);
        assert_eq!(card.person.name, name);
        for id in [ObjectId::IDENTITY, ObjectId::SIGNATURE, ObjectId::ENCRYPTION] {
            let certificate = certificate(&card, id);
            assert_eq!(common_name(certificate.tbs_certificate().subject()), name);
        }
        assert_eq!(principal_names(&certificate(&card, ObjectId::SIGNATURE)), [format!("{edipi}@mil")]);
        assert!(principal_names(&certificate(&card, ObjectId::IDENTITY)).is_empty());
        assert_eq!(card.person.principal_name, format!("{edipi}197002@mil"));
        let decoded = crate::issue::fascn::Fascn::decode(&card.numbers.fascn_bytes).unwrap();
        assert_eq!(decoded, card.numbers.fascn);
    }

    #[test]
    fn two_of_three_are_from_the_email_ca_and_one_cannot_sign_in() {
        let card = card("2026-01-01", None);
        let issuer = |id| common_name(certificate(&card, id).tbs_certificate().issuer());
        assert_eq!(issuer(ObjectId::IDENTITY), "DEMO DOD ID CA-59");
        for id in [ObjectId::SIGNATURE, ObjectId::ENCRYPTION] {
            assert_eq!(issuer(id), "DEMO DOD EMAIL CA-59");
        }
        let (identity, purposes) = usage(&certificate(&card, ObjectId::IDENTITY));
        assert!(identity.digital_signature() && identity.non_repudiation());
        assert_eq!(purposes, [oid::EKU_CLIENT_AUTH]);
        let (encryption, purposes) = usage(&certificate(&card, ObjectId::ENCRYPTION));
        assert_eq!(encryption.0, KeyUsages::KeyEncipherment);
        assert!(!purposes.contains(&oid::EKU_CLIENT_AUTH));
    }

    #[test]
    fn piv_has_the_keys_of_the_email_certificates() {
        let card = card("2026-01-01", None);
        for (id, tag) in [(ObjectId::SIGNATURE, 0x5F_C10A), (ObjectId::ENCRYPTION, 0x5F_C10B)] {
            let der = certificate(&card, id).to_der().unwrap();
            let (_, object) = card.objects.iter().find(|(found, _)| found.get() == tag).unwrap();
            assert!(object.windows(der.len()).any(|window| window == der), "{tag:X}");
        }
    }

    #[test]
    fn the_day_of_issue_decides_whether_the_certificate_is_hidden() {
        let hidden = |issued| card(issued, None).cac.unwrap().piv_authentication_hidden;
        assert!(hidden("2018-02-27"));
        assert!(!hidden("2018-02-28"));
    }

    #[test]
    fn other_keys_than_rsa_are_refused() {
        let request = Request { cac: Some(CacRequest::default()), seed: Some(1), ..Request::default() };
        let refused = issue(&request, &mut DefaultCrypto::default(), &mut |_| {});
        assert!(matches!(refused, Err(IssueError::CacAlgorithm)));
    }
}
