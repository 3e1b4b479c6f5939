//! The CAC side of a Common Access Card: its holder's name, its certificates, its containers.
//!
//! One `Holder` is the only source of name and number, so that common names, Person Instance, FASC-N and user principal names
//! cannot contradict each other. The ID certificate comes from an "ID CA", the two for e-mail from an "EMAIL CA"; the e-mail
//! certificates and keys are those of PIV's 9C and 9D.

mod certificates;
mod containers;
mod holder;
mod pki;

use card_sim::{
    cac::{Applets, ObjectId},
    crypto::Crypto,
    key::{KeyReference, PrivateKey, PublicKey},
};

pub(super) use self::pki::PkiApplet;
pub(super) use self::{
    certificates::{Authorities, profile_extensions},
    containers::card_capability_container,
    holder::Holder,
};
use super::{
    IssueError, Plan, SlotKey,
    date::Date,
    error::{crypto as crypto_failed, encoding},
    pki::Authority,
    public_key::subject_public_key_info,
    tag,
};

/// What may be chosen of the CAC side of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacRequest {
    /// Cards that were issued before this day have their PIV Authentication certificate hidden.
    pub piv_activation_cutoff: Date,
    /// Which containers the card has.
    pub applets: Applets,
}

/// The day from which cards come with an active PIV Authentication certificate.
pub const PIV_ACTIVATION_CUTOFF: Date = match Date::new(2018, 2, 28) {
    Some(date) => date,
    None => panic!("28 February is in every calendar"),
};

impl Default for CacRequest {
    fn default() -> Self {
        Self { piv_activation_cutoff: PIV_ACTIVATION_CUTOFF, applets: Applets::All }
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

/// The PIV objects that the transitional applet has too.
const TRANSITIONAL: [u32; 4] = [tag::CHUID, tag::FINGERPRINTS, tag::FACE, tag::SECURITY_OBJECT];

impl Plan {
    /// The CAC side of a card with these PIV certificates, in DER, keys and contents of objects.
    pub(super) fn common_access(
        &self,
        request: CacRequest,
        holder: &Holder,
        authorities: Authorities,
        piv: &PivSide<'_>,
        crypto: &mut dyn Crypto,
    ) -> Result<CommonAccess, IssueError> {
        let (identity_key, public) = self.identity_key(crypto)?;
        let info = subject_public_key_info(&public).map_err(encoding("public key"))?;
        let identity = self.identity_certificate(&info, &authorities.id_ca, crypto)?;
        let mut rng = self.randomness.source("identifiers of the PKI applets")?;
        let mut applet = |object, certificate, key: &PublicKey| {
            PkiApplet::new(object, certificate, key, &mut rng).map_err(encoding("PKI applet"))
        };
        let mut applets = vec![applet(ObjectId::IDENTITY, identity, &public)?];
        for (object, reference) in [
            (ObjectId::SIGNATURE, KeyReference::DigitalSignature),
            (ObjectId::ENCRYPTION, KeyReference::KeyManagement),
        ] {
            let key = crypto.public_key(piv.key(reference)).map_err(crypto_failed("compute a public key"))?;
            applets.push(applet(object, piv.certificate(reference), &key)?);
        }
        let mut containers: Vec<_> = applets.iter().map(PkiApplet::container).collect();
        if request.applets == Applets::All {
            containers.extend(self.common_access_containers(holder, &applets, piv.objects));
        }
        Ok(CommonAccess {
            identity_key,
            containers,
            piv_authentication_hidden: self.issued < request.piv_activation_cutoff,
            id_ca: authorities.id_ca,
            email_ca: authorities.email_ca,
        })
    }

    /// The key of the ID certificate.
    pub(super) fn identity_key(
        &self,
        crypto: &mut dyn Crypto,
    ) -> Result<(PrivateKey, PublicKey), IssueError> {
        let algorithm = card_sim::key::AsymmetricAlgorithm::Rsa2048;
        let private = self.private_key("key of the ID certificate", algorithm, crypto)?;
        let public = crypto.public_key(&private).map_err(crypto_failed("compute a public key"))?;
        Ok((private, public))
    }

    /// The containers that are not those of the PKI applets, of a card with these applets and contents of PIV objects.
    pub(super) fn common_access_containers(
        &self,
        holder: &Holder,
        applets: &[PkiApplet],
        objects: &[(u32, Vec<u8>)],
    ) -> Vec<(ObjectId, Vec<u8>)> {
        let mut containers = vec![
            (ObjectId::CCC, containers::card_capabilities(&self.numbers)),
            (ObjectId::PERSON, containers::person_instance(holder, self.issued, self.expires)),
            (ObjectId::PERSONNEL, containers::personnel()),
            (ObjectId::BENEFITS, containers::benefits(self.expires)),
            (ObjectId::PKI_CREDENTIAL, pki::credentials(applets)),
            (ObjectId::PKI_CERTIFICATE, pki::index(applets)),
        ];
        let transitional = ObjectId::TRANSITIONAL.into_iter().zip(TRANSITIONAL);
        containers.extend(transitional.filter_map(|(id, tag)| {
            let (_, contents) = objects.iter().find(|(found, _)| *found == tag)?;
            Some((id, containers::transitional(contents)?))
        }));
        containers
    }
}

/// What the PIV side of the same card has.
pub(super) struct PivSide<'a> {
    /// The certificates of its keys, in DER.
    pub(super) certificates: &'a [(KeyReference, Vec<u8>)],
    pub(super) keys: &'a [SlotKey],
    /// The contents of its objects.
    pub(super) objects: &'a [(u32, Vec<u8>)],
}

impl PivSide<'_> {
    fn certificate(&self, wanted: KeyReference) -> Vec<u8> {
        let found = self.certificates.iter().find(|(reference, _)| *reference == wanted);
        found.map(|(_, certificate)| certificate.clone()).unwrap_or_default()
    }

    fn key(&self, wanted: KeyReference) -> &PrivateKey {
        let found = self.keys.iter().find(|key| key.reference == wanted);
        // Every card has a key of each of PIV's references.
        &found.expect("the keys of all references were made").private
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
        ext::pkix::{
            ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier, name::GeneralName,
        },
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
    fn the_index_and_the_credentials_name_the_applets_the_certificates_and_the_keys() {
        let card = card("2026-01-01", None);
        let cac = card.cac.as_ref().unwrap();
        let buffers = |id| {
            let (_, record) = cac.containers.iter().find(|(found, _)| *found == id).unwrap();
            card_sim::cac::split(record).unwrap()
        };
        let (tags, index) = buffers(ObjectId::PKI_CERTIFICATE);
        // As on the card whose dump is public.
        assert_eq!(hex::encode_upper(&tags[..20]), "360000001401DC0B00001401DD03000014017229");
        assert_eq!(index.len(), 2 + 0xA5);
        let (tags, credentials) = buffers(ObjectId::PKI_CREDENTIAL);
        assert_eq!(
            hex::encode_upper(tags),
            "18000000140164FF2501_0100140164FF2501_0200140164FF2501".replace('_', "")
        );
        let applets = [ObjectId::IDENTITY, ObjectId::SIGNATURE, ObjectId::ENCRYPTION];
        for ((id, entry), key) in
            applets.into_iter().zip(index[2..].chunks(0x37)).zip(credentials[2..].chunks(0x125))
        {
            let name = hex::encode_upper(id.get().to_be_bytes());
            let identifier = hex::encode_upper(text(&elements(&card, id), 0x72));
            let expected = format!("00C8C8CEA000000079{name}00{name}000101{identifier}");
            assert_eq!(hex::encode_upper(entry), expected);
            let certificate = certificate(&card, id);
            let tbs = certificate.tbs_certificate();
            let (_, identifier) = tbs.get_extension::<SubjectKeyIdentifier>().unwrap().unwrap();
            assert_eq!(hex::encode_upper(&key[..9]), "000201000014000000");
            assert_eq!(&key[9..29], identifier.0.as_bytes());
            assert_eq!(hex::encode_upper(&key[29..37]), "2001000000010000");
            let bits = tbs.subject_public_key_info().subject_public_key.raw_bytes();
            assert!(bits.windows(256).any(|window| window == &key[37..]), "the modulus");
        }
    }

    #[test]
    fn the_transitional_applet_says_what_piv_says() {
        let card = card("2026-01-01", None);
        let [chuid, fingerprints, face, security] = ObjectId::TRANSITIONAL.map(|id| elements(&card, id));
        let tags = |elements: &[(u8, Vec<u8>)]| elements.iter().map(|(tag, _)| *tag).collect::<Vec<_>>();
        assert_eq!(tags(&chuid), [0x30, 0x34, 0x35, 0x36, 0x3E, 0xFE]);
        assert_eq!(chuid[0].1, card.numbers.fascn_bytes);
        assert_eq!(text(&chuid, 0x35), card.expires.compact());
        assert_eq!([tags(&fingerprints), tags(&face)], [[0xBC, 0xFE], [0xBC, 0xFE]]);
        assert_eq!(tags(&security), [0xBA, 0xBB, 0xFE]);
        let (_, object) = card.objects.iter().find(|(tag, _)| tag.get() == 0x5F_C108).unwrap();
        assert!(object.windows(face[0].1.len()).any(|window| window == face[0].1));
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
