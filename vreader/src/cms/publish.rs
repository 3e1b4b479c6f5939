//! What the test authority publishes: revocation lists, answers about single certificates, and certificates of authorities.
//!
//! A list is made when somebody asks for it, with a number greater than that of the list before. An authority's name in addresses is its
//! common name in small letters with dashes, as the certificates' own addresses have it.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use x509_cert::serial_number::SerialNumber;

use super::{
    Cms, CmsError, authority,
    database::{AuthorityRow, CredentialRow, DatabaseError, Role},
    state::{CredentialState, Reason},
};
use crate::{
    clock::{Clock, Time},
    issue::Authority,
    random,
    revocation::{
        Reason as CrlReason, Revocation, Status, StatusSource, Unavailable,
        crl::{RevocationList, SignedList},
        http::{Missing, Published},
        ocsp::{Issuer, Responder, delegate},
    },
};

/// How long a list is valid.
const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// How long an answer about a single certificate is.
const ANSWER_LIFETIME: Duration = Duration::from_hours(1);

impl Cms {
    /// The revocation list of an authority, now. `wanted` is its name or a part of it.
    pub fn revocation_list(&mut self, wanted: &str) -> Result<SignedList, CmsError> {
        self.audited("publish revocation list", None, |cms| {
            let mut row = cms.authority(wanted)?;
            let authority =
                row.authority.clone().ok_or_else(|| CmsError::MissingAuthority(row.name.clone()))?;
            let now = cms.now();
            let entries = cms.revoked_by(&row)?;
            let number = cms.database.write(|connection| {
                row.crl_number = row.crl_number.saturating_add(1);
                row.save(connection)?;
                Ok::<_, CmsError>(row.crl_number)
            })?;
            let list = RevocationList {
                number: u64::try_from(number).unwrap_or_default(),
                this_update: now,
                next_update: now.plus(LIFETIME),
                entries,
            };
            list.sign(&authority, &mut cms.crypto).map_err(|error| CmsError::Unsupported(error.to_string()))
        })
    }

    /// Everything of an authority that is revoked or on hold. The root's are authorities.
    fn revoked_by(&self, row: &AuthorityRow) -> Result<Vec<(SerialNumber, Revocation)>, CmsError> {
        if row.role == Role::Root {
            let revoked = self.authorities()?.into_iter().filter_map(|row| Some((row.revoked?, row)));
            return revoked
                .map(|(since, row)| {
                    let time = Time::from_seconds(u64::try_from(since).unwrap_or_default());
                    Ok((serial(&row.certificate)?, Revocation { time, reason: CrlReason::KeyCompromise }))
                })
                .collect();
        }
        let credentials = self.database.read(|connection| CredentialRow::not_good(connection, row.id))?;
        credentials
            .iter()
            .map(|credential| Ok((serial(&credential.certificate)?, revocation(credential))))
            .collect()
    }

    /// What is known of a certificate.
    fn status_of(&self, issuer: &str, serial: &SerialNumber) -> Result<Status, CmsError> {
        let row = self.authorities()?.into_iter().find(|row| address(row) == issuer);
        let Some(row) = row else { return Ok(Status::Unknown) };
        let serial = hex::encode_upper(serial.as_bytes());
        let found = self.database.read(|connection| CredentialRow::by_serial(connection, row.id, &serial))?;
        Ok(match found {
            None => Status::Unknown,
            Some(credential) if credential.state == CredentialState::Issued => Status::Good,
            Some(credential) => Status::Revoked(revocation(&credential)),
        })
    }
}

fn serial(certificate: &[u8]) -> Result<SerialNumber, CmsError> {
    Ok(authority::parse(certificate)?.tbs_certificate().serial_number().clone())
}

fn revocation(credential: &CredentialRow) -> Revocation {
    let reason = match (credential.state, credential.reason) {
        (CredentialState::OnHold, _) => CrlReason::CertificateHold,
        (_, Reason::Lost | Reason::Stolen) => CrlReason::KeyCompromise,
        (_, Reason::Renew) => CrlReason::Superseded,
        (_, Reason::Damaged | Reason::Expired) => CrlReason::CessationOfOperation,
        (_, Reason::Forgotten | Reason::None) => CrlReason::Unspecified,
    };
    Revocation { time: credential.since, reason }
}

/// The name of an authority in addresses.
pub fn address(row: &AuthorityRow) -> String {
    let name = authority::parse(&row.certificate).ok();
    let name = name.and_then(|certificate| {
        certificate
            .tbs_certificate()
            .subject()
            .common_name()
            .ok()
            .flatten()
            .map(|name| name.value().into_owned())
    });
    name.unwrap_or_default().to_ascii_lowercase().replace(' ', "-")
}

/// A management system that answers whoever asks over HTTP.
pub struct Office {
    cms: Mutex<Cms>,
    responder: Responder,
}

impl Office {
    /// Opens the database. Each authority that has its key here lets a delegate sign answers, whose certificate begins today.
    pub fn open(path: &Path, clock: Clock, operator: &str, patience: Duration) -> Result<Self, CmsError> {
        let path: PathBuf = path.into();
        let mut cms = Cms::open(&path, clock, operator, patience)?;
        let mut issuers = Vec::new();
        for row in cms.authorities()?.into_iter().filter(|row| row.role != Role::Signer) {
            let Ok((row, authority)) = cms.usable(row) else { continue };
            issuers.push(cms.issuer(&row, &authority)?);
        }
        Ok(Self { cms: Mutex::new(cms), responder: Responder::new(issuers, ANSWER_LIFETIME) })
    }

    /// The names under which authorities publish.
    pub fn names(&self) -> Result<Vec<String>, CmsError> {
        let rows = self.cms().authorities()?;
        Ok(rows.iter().filter(|row| row.role != Role::Signer).map(address).collect())
    }

    fn cms(&self) -> std::sync::MutexGuard<'_, Cms> {
        // A request that panicked left no half change: those are transactions.
        self.cms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn row(&self, name: &str) -> Result<AuthorityRow, Missing> {
        let rows = self.cms().authorities().map_err(|error| unavailable(&error))?;
        rows.into_iter().find(|row| address(row) == name).ok_or(Missing::Nobody)
    }
}

impl Cms {
    fn issuer(&mut self, row: &AuthorityRow, authority: &Authority) -> Result<Issuer, CmsError> {
        let today = self.now().date();
        let (_, until) = authority.validity();
        let mut rng = random::from_system()?;
        let days = (today, today.plus_years(1).min(until));
        let delegate = delegate(authority, days, &mut rng, &mut self.crypto)?;
        Ok(Issuer::delegating(&address(row), authority, delegate)?)
    }
}

impl StatusSource for Cms {
    fn status(&self, issuer: &str, serial: &SerialNumber) -> Result<Status, Unavailable> {
        self.status_of(issuer, serial).map_err(|error| unavailable(&error))
    }
}

fn unavailable(error: &CmsError) -> Unavailable {
    match error {
        CmsError::Database(DatabaseError::Locked { .. }) => Unavailable::TryLater,
        _ => Unavailable::Fault,
    }
}

impl Published for Office {
    fn revocation_list(&self, name: &str) -> Result<Vec<u8>, Missing> {
        let row = self.row(name)?;
        let list = self.cms().revocation_list(&row.name);
        Ok(list.map_err(|error| unavailable(&error))?.into_der())
    }

    fn certificate(&self, name: &str) -> Result<Vec<u8>, Missing> {
        Ok(self.row(name)?.certificate)
    }

    fn ocsp(&self, request: &[u8]) -> Vec<u8> {
        let cms = self.cms();
        let mut crypto = crate::crypto::DefaultCrypto::default();
        self.responder.respond(request, cms.now(), &*cms, &mut crypto)
    }
}
