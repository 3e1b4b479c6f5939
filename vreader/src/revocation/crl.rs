//! Certificate revocation lists, version 2 (RFC 5280, 5): complete ones, signed by the authority itself.
//!
//! The same entries give the same bytes, in whatever order they come: a list is sorted by serial number. Times are
//! UTCTime before 2050 and GeneralizedTime from then on (5.1.2.4).

use std::collections::BTreeMap;

use card_sim::crypto::Crypto;
use der::{
    Encode,
    asn1::BitString,
    oid::AssociatedOid,
    pem::{LineEnding, PemLabel, encode_string},
};
use x509_cert::{
    Version,
    crl::{CertificateList, RevokedCert, TbsCertList},
    ext::pkix::{CrlNumber, CrlReason},
    time::Time as CertificateTime,
};

use super::{Revocation, SerialNumber};
use crate::{
    clock::Time,
    issue::{
        Authority, IssueError,
        error::encoding,
        extension::{authority_key_identifier, extension},
        signature,
    },
};

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// Each list of an authority has a greater one than the list before (RFC 5280, 5.2.3).
    pub number: u64,
    /// When the list is made.
    pub this_update: Time,
    /// When there will be a newer one at the latest.
    pub next_update: Time,
    /// Everything that is revoked or on hold.
    pub entries: Vec<(SerialNumber, Revocation)>,
}

/// A signed list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedList(Vec<u8>);

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// Nobody could ever use the list.
    #[error(
        "a revocation list of {this} cannot be followed by one of {next}; give a later time for the next"
    )]
    Ends {
        /// When the list is made.
        this: Time,
        /// When the next should come.
        next: Time,
    },
    /// One certificate, two entries.
    #[error("the certificate {0} stands twice in the revocation list; give each one reason and time")]
    Twice(SerialNumber),
    /// It cannot be signed.
    #[error(transparent)]
    Signature(#[from] IssueError),
}

impl RevocationList {
    /// The list, signed by the authority that issued the certificates in it.
    pub fn sign(&self, issuer: &Authority, crypto: &mut dyn Crypto) -> Result<SignedList, CrlError> {
        if self.next_update <= self.this_update {
            return Err(CrlError::Ends { this: self.this_update, next: self.next_update });
        }
        let mut entries = BTreeMap::new();
        for (serial, revocation) in &self.entries {
            if entries.insert(serial, revocation).is_some() {
                return Err(CrlError::Twice(serial.clone()));
            }
        }
        let failed = || encoding("revocation list");
        let to_be_signed = self.to_be_signed(&entries, issuer).map_err(failed())?;
        let signature = signature::sign(crypto, issuer.key(), &to_be_signed.to_der().map_err(failed())?)?;
        let list = CertificateList {
            signature_algorithm: to_be_signed.signature.clone(),
            tbs_cert_list: to_be_signed,
            signature: BitString::from_bytes(&signature).map_err(failed())?,
        };
        Ok(SignedList(list.to_der().map_err(failed())?))
    }

    fn to_be_signed(
        &self,
        entries: &BTreeMap<&SerialNumber, &Revocation>,
        issuer: &Authority,
    ) -> Result<TbsCertList, der::Error> {
        let revoked: Vec<_> =
            entries.iter().map(|(serial, revocation)| entry(serial, revocation)).collect::<Result<_, _>>()?;
        let number = CrlNumber::try_from(self.number)?;
        Ok(TbsCertList {
            version: Version::V2,
            signature: signature::certificate_signature(issuer.key().algorithm()),
            issuer: issuer.subject().clone(),
            this_update: time(self.this_update),
            next_update: Some(time(self.next_update)),
            // An empty list has no such field (5.1.2.6).
            revoked_certificates: Some(revoked).filter(|revoked| !revoked.is_empty()),
            crl_extensions: Some(vec![
                authority_key_identifier(&issuer.key_identifier()?)?,
                extension(CrlNumber::OID, false, &number)?,
            ]),
        })
    }
}

fn time(time: Time) -> CertificateTime {
    time.date_time().into()
}

fn entry(serial: &SerialNumber, revocation: &Revocation) -> Result<RevokedCert, der::Error> {
    let reason = revocation.reason.code().map(|code| extension(CrlReason::OID, false, &code)).transpose()?;
    Ok(RevokedCert {
        serial_number: serial.clone(),
        revocation_date: time(revocation.time),
        crl_entry_extensions: reason.map(|reason| vec![reason]),
    })
}

impl SignedList {
    /// In DER, as it is published.
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// In DER, taken over.
    pub fn into_der(self) -> Vec<u8> {
        self.0
    }

    /// In PEM, as OpenSSL's `-CRLfile` reads it.
    pub fn pem(&self) -> Result<String, CrlError> {
        let text = encode_string(
            CertificateList::<x509_cert::certificate::Rfc5280>::PEM_LABEL,
            LineEnding::LF,
            &self.0,
        );
        Ok(text.map_err(|error| encoding("revocation list in PEM")(error.into()))?)
    }
}

#[cfg(test)]
mod tests {
    use card_sim::key::AsymmetricAlgorithm::{self, EccP256, EccP384};
    use der::Decode;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::{
        crypto::{DefaultCrypto, verify::verify_ecdsa},
        issue::{Date, Pki},
        revocation::Reason,
    };

    fn authority(algorithm: AsymmetricAlgorithm) -> Authority {
        let from = Date::new(2026, 1, 1).unwrap();
        Pki::create(Some(1), algorithm, from, &mut DefaultCrypto::new()).unwrap().issuing_ca
    }

    fn entries() -> Vec<(SerialNumber, Revocation)> {
        let revoked = |(number, reason): (usize, Reason)| {
            let time = Time::from_seconds(1_800_000_000 + number as u64);
            // The first byte has its highest bit: in DER a zero stands before it.
            (SerialNumber::from(0xF000_u64 + number as u64), Revocation { time, reason })
        };
        Reason::ALL.into_iter().enumerate().map(revoked).collect()
    }

    fn list(entries: Vec<(SerialNumber, Revocation)>) -> RevocationList {
        RevocationList {
            number: 0x80,
            this_update: "2049-12-31".parse().unwrap(),
            next_update: "2050-01-01".parse().unwrap(),
            entries,
        }
    }

    fn sign(list: &RevocationList) -> (CertificateList, Vec<u8>) {
        let der = list.sign(&authority(EccP256), &mut DefaultCrypto::new()).unwrap().into_der();
        (CertificateList::from_der(&der).unwrap(), der)
    }

    #[test]
    fn a_list_says_what_it_was_given() {
        let (parsed, _) = sign(&list(entries()));
        let body = parsed.tbs_cert_list;
        assert_eq!(body.version, Version::V2);
        assert_eq!(body.issuer, *authority(EccP256).subject());
        let (number, _) = extension_of::<CrlNumber>(body.crl_extensions.as_ref());
        assert_eq!(number, Some(CrlNumber::try_from(0x80_u8).unwrap()));
        let revoked = body.revoked_certificates.unwrap();
        for (found, (serial, revocation)) in revoked.iter().zip(entries()) {
            assert_eq!(found.serial_number, serial);
            assert_eq!(found.revocation_date.to_unix_duration().as_secs(), revocation.time.seconds());
            let (reason, critical) = extension_of::<CrlReason>(found.crl_entry_extensions.as_ref());
            assert_eq!(reason, revocation.reason.code());
            assert!(!critical);
        }
        assert_eq!(revoked.len(), 6);
        assert_eq!(revoked[0].crl_entry_extensions, None, "an unspecified reason is not said");
    }

    fn extension_of<T: AssociatedOid + for<'a> Decode<'a, Error = der::Error>>(
        extensions: Option<&x509_cert::ext::Extensions>,
    ) -> (Option<T>, bool) {
        let found = extensions.and_then(|all| all.iter().find(|extension| extension.extn_id == T::OID));
        let value = found.map(|extension| T::from_der(extension.extn_value.as_bytes()).unwrap());
        (value, found.is_some_and(|extension| extension.critical))
    }

    #[test]
    fn the_same_entries_give_the_same_bytes() {
        let mut backwards = entries();
        backwards.reverse();
        assert_eq!(sign(&list(entries())).1, sign(&list(backwards)).1);
        assert_ne!(sign(&list(entries())).1, sign(&RevocationList { number: 0x81, ..list(entries()) }).1);
    }

    #[test]
    fn the_signature_is_the_authority_s() {
        let (parsed, _) = sign(&list(entries()));
        let authority = authority(EccP256);
        let info = authority.certificate().tbs_certificate().subject_public_key_info();
        let digest = Sha256::digest(parsed.tbs_cert_list.to_der().unwrap());
        let signature = parsed.signature.raw_bytes();
        verify_ecdsa(info.subject_public_key.raw_bytes(), &digest, signature).unwrap();
        let list = list(entries()).sign(&self::authority(EccP384), &mut DefaultCrypto::new()).unwrap();
        let parsed: CertificateList = CertificateList::from_der(list.der()).unwrap();
        assert_eq!(parsed.signature_algorithm, signature::certificate_signature(EccP384));
    }

    #[test]
    fn the_time_type_changes_in_2050() {
        let (parsed, _) = sign(&list(vec![]));
        assert!(matches!(parsed.tbs_cert_list.this_update, CertificateTime::UtcTime(_)));
        assert!(matches!(parsed.tbs_cert_list.next_update, Some(CertificateTime::GeneralTime(_))));
        assert_eq!(parsed.tbs_cert_list.revoked_certificates, None, "an empty list has no such field");
    }

    #[test]
    fn a_list_that_nobody_could_use_is_refused() {
        let authority = authority(EccP256);
        let error =
            |list: RevocationList| list.sign(&authority, &mut DefaultCrypto::new()).unwrap_err().to_string();
        let list = list(entries());
        let ended = error(RevocationList { next_update: list.this_update, ..list.clone() });
        assert!(ended.contains("2049-12-31T00:00:00Z") && ended.contains("later"), "{ended}");
        let twice = error(RevocationList { entries: [entries(), entries()].concat(), ..list });
        assert!(twice.contains("F0:00") && twice.contains("twice"), "{twice}");
    }

    #[test]
    fn pem_is_der_in_other_letters() {
        let list = list(entries()).sign(&authority(EccP256), &mut DefaultCrypto::new()).unwrap();
        let pem = list.pem().unwrap();
        let (label, der) = der::pem::decode_vec(pem.as_bytes()).unwrap();
        assert_eq!((label, &*der), ("X509 CRL", list.der()));
    }

    #[test]
    fn reasons_have_names() {
        for reason in Reason::ALL {
            assert_eq!(Reason::named(reason.name()), Some(reason));
        }
        assert_eq!(Reason::named("removeFromCRL"), None);
    }
}
