//! The test authority: who signs certificates and objects here, and whether they may.
//!
//! A new management system makes a PKI of its own (`issue::pki`). Those of Common Access Cards (ID and EMAIL)
//! are made with the first such card. An authority that is missing, without its key, revoked or out of its days signs
//! nothing, and that is found before a card is touched.

use card_sim::key::{AsymmetricAlgorithm, KeyReference, PublicKey};
use der::Decode;
use x509_cert::Certificate;

use super::{
    Cms, CmsError,
    database::{AuthorityRow, CardRow, CredentialRow, Role},
};
use crate::{
    clone::key_algorithm,
    issue::{Authority, Date, Pki, managed, managed::Managed},
    random,
};

/// What a certificate is signed with.
pub(super) struct Signing {
    /// Number of the authority.
    pub(super) authority: i64,
    /// The credential that it takes the place of.
    pub(super) like: Option<CredentialRow>,
    /// First and last day.
    pub(super) days: (Date, Date),
}

impl Cms {
    /// The PKI that this management system was made with, if all of it may sign today.
    pub(super) fn pki(&self) -> Result<Pki, CmsError> {
        Ok(Pki {
            root: self.usable(self.authority_of(Role::Root)?)?.1,
            issuing_ca: self.usable(self.authority_of(Role::Issuing)?)?.1,
            content_signer: self.content_signer()?,
        })
    }

    /// Who signs the objects on cards, if it may sign today.
    pub(super) fn content_signer(&self) -> Result<Authority, CmsError> {
        Ok(self.usable(self.authority_of(Role::Signer)?)?.1)
    }

    fn authority_of(&self, role: Role) -> Result<AuthorityRow, CmsError> {
        let row = self.database.read(|connection| AuthorityRow::by_role(connection, role))?;
        row.ok_or_else(|| CmsError::MissingAuthority(role.name().to_owned()))
    }

    /// Every authority.
    pub fn authorities(&self) -> Result<Vec<AuthorityRow>, CmsError> {
        Ok(self.database.read(AuthorityRow::all)?)
    }

    /// The certificate of the root, in DER.
    pub fn root(&self) -> Result<Vec<u8>, CmsError> {
        Ok(self.authority_of(Role::Root)?.certificate)
    }

    /// The issuing authority of this management system.
    pub(super) fn issuing_authority(&self) -> Result<AuthorityRow, CmsError> {
        self.authority_of(Role::Issuing)
    }

    /// The authority with this number or name, which may sign today.
    pub(super) fn usable_authority(&self, id: i64) -> Result<(AuthorityRow, Authority), CmsError> {
        let row = self.database.read(|connection| AuthorityRow::find(connection, id))?;
        self.usable(row.ok_or_else(|| CmsError::NotFound(format!("authority {id}")))?)
    }

    /// The authority that issued a certificate, which may sign today.
    pub(super) fn usable_issuer(&self, certificate: &[u8]) -> Result<(AuthorityRow, Authority), CmsError> {
        let name = issuer_name(certificate)?;
        let row = self.database.read(|connection| AuthorityRow::by_name(connection, &name))?;
        self.usable(row.ok_or(CmsError::MissingAuthority(name))?)
    }

    /// An authority, if it may sign today: it is not revoked, nor is who certified it, its key is here, and it is one of its days.
    pub(super) fn usable(&self, row: AuthorityRow) -> Result<(AuthorityRow, Authority), CmsError> {
        self.check_not_revoked(&row)?;
        let Some(authority) = row.authority.clone() else { return Err(CmsError::MissingAuthority(row.name)) };
        let (from, until) = authority.validity();
        let today = self.now().date();
        if today < from || today > until {
            return Err(CmsError::AuthorityNotValid { name: row.name, day: today.to_string() });
        }
        Ok((row, authority))
    }

    /// That neither an authority was revoked nor any of those above it.
    fn check_not_revoked(&self, row: &AuthorityRow) -> Result<(), CmsError> {
        if row.revoked.is_some() {
            return Err(CmsError::RevokedAuthority(row.name.clone()));
        }
        let above = issuer_name(&row.certificate)?;
        if above == row.name {
            return Ok(());
        }
        match self.database.read(|connection| AuthorityRow::by_name(connection, &above))? {
            Some(above) => self.check_not_revoked(&above),
            None => Err(CmsError::MissingAuthority(above)),
        }
    }

    /// An authority by its name or a part of it.
    pub fn authority(&self, wanted: &str) -> Result<AuthorityRow, CmsError> {
        let fits = |row: &AuthorityRow| row.name.contains(wanted) || super::publish::address(row) == wanted;
        let mut found = self.authorities()?.into_iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(row), None) => Ok(row),
            (None, _) => Err(CmsError::NotFound(format!("authority '{wanted}'"))),
            (Some(_), Some(_)) => Err(CmsError::NotFound(format!(
                "single authority '{wanted}'; several have it in their names"
            ))),
        }
    }

    /// An authority signs nothing any more.
    pub fn revoke_authority(&mut self, wanted: &str) -> Result<AuthorityRow, CmsError> {
        let action = "revoke authority";
        self.audited(action, None, |cms| {
            let mut row = cms.authority(wanted)?;
            let entry = cms.done(action, None, None, &row.name);
            row.revoked.get_or_insert(super::database::seconds(cms.now()));
            cms.database.write(|connection| {
                row.save(connection)?;
                Ok::<_, CmsError>(entry.insert(connection)?)
            })?;
            Ok(row)
        })
    }

    /// The private key of an authority is here no more.
    pub fn forget_authority_key(&mut self, wanted: &str) -> Result<AuthorityRow, CmsError> {
        let action = "forget key of authority";
        self.audited(action, None, |cms| {
            let row = cms.authority(wanted)?;
            let entry = cms.done(action, None, None, &row.name);
            cms.database.write(|connection| {
                AuthorityRow::forget_key(connection, row.id)?;
                Ok::<_, CmsError>(entry.insert(connection)?)
            })?;
            Ok(row)
        })
    }

    /// Makes a certificate for a key of a card.
    pub(super) fn sign(
        &mut self,
        card: &CardRow,
        (slot, algorithm): (KeyReference, AsymmetricAlgorithm),
        public: &PublicKey,
        signing: &Signing,
    ) -> Result<Vec<u8>, CmsError> {
        let (_, authority) = self.usable_authority(signing.authority)?;
        if let Some(like) = &signing.like {
            let old = parse(&like.certificate)?;
            let mut rng = random::from_system()?;
            return Ok(managed::renewed_certificate(
                &old,
                public,
                signing.days,
                &authority,
                &mut rng,
                &mut self.crypto,
            )?);
        }
        let managed = self.managed(card)?;
        Ok(managed.certificate(slot, algorithm, public, signing.days, &authority, &mut self.crypto)?)
    }

    /// A card as `issue` sees it: its holder, its numbers, its life.
    pub(super) fn managed(&self, card: &CardRow) -> Result<Managed, CmsError> {
        let holder = self.holder_of(card)?;
        let missing = || CmsError::NotFound(format!("numbers of {}", card.name()));
        let numbers = card.numbers.clone().ok_or_else(missing)?;
        let life = card.issued.zip(card.expires).ok_or_else(missing)?;
        Ok(Managed::new(holder.person(), numbers, life)?)
    }
}

/// The name of who issued a certificate.
pub(super) fn issuer_name(certificate: &[u8]) -> Result<String, CmsError> {
    Ok(parse(certificate)?.tbs_certificate().issuer().to_string())
}

/// A certificate from its DER.
pub(super) fn parse(der: &[u8]) -> Result<Certificate, CmsError> {
    Certificate::from_der(der)
        .map_err(|_| crate::card_client::ClientError::Malformed("GET DATA of a certificate").into())
}

/// The algorithm of a certificate's key, if it is one of PIV's.
pub(super) fn algorithm_of(der: &[u8]) -> Result<AsymmetricAlgorithm, CmsError> {
    let unsupported = "the certificate's key is of no algorithm of a PIV card";
    key_algorithm(&parse(der)?).ok_or_else(|| CmsError::Unsupported(unsupported.into()))
}
