//! What a certification authority publishes about its certificates: revocation lists, answers by OCSP, both over HTTP.
//!
//! | form | module | clause |
//! |---|---|---|
//! | list of everything revoked | [`crl`] | RFC 5280, 5 |
//! | answer about single certificates | [`ocsp`] | RFC 6960, and RFC 5019 where it narrows it |
//! | where both are fetched (feature `cms`) | `http` | RFC 5280, 4.2.1.13; RFC 6960, appendix A |
//!
//! Nothing here knows where states are kept: a list is made from entries that somebody gives, a responder asks a
//! [`StatusSource`]. Time is an argument everywhere, so that the same input gives the same bytes, and a test can be in
//! any year.

pub mod crl;
#[cfg(feature = "cms")]
pub mod http;
pub mod ocsp;

use x509_cert::ext::pkix::CrlReason;

use crate::clock::Time;

pub use x509_cert::serial_number::SerialNumber;

/// Why a certificate is not to be trusted any more (RFC 5280, 5.3.1): the reasons that a card's life has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nobody said.
    Unspecified,
    /// Somebody else may have the key: the card was lost or stolen.
    KeyCompromise,
    /// The holder's name or organization changed.
    AffiliationChanged,
    /// Another certificate takes this one's place.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// For a while. The only reason that can be taken back.
    CertificateHold,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
    ];

    /// Its name in RFC 5280, which other programs show too.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
        }
    }

    /// The reason of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The code. An unspecified reason is told by leaving it out (RFC 5280, 5.3.1).
    fn code(self) -> Option<CrlReason> {
        match self {
            Self::Unspecified => None,
            Self::KeyCompromise => Some(CrlReason::KeyCompromise),
            Self::AffiliationChanged => Some(CrlReason::AffiliationChanged),
            Self::Superseded => Some(CrlReason::Superseded),
            Self::CessationOfOperation => Some(CrlReason::CessationOfOperation),
            Self::CertificateHold => Some(CrlReason::CertificateHold),
        }
    }
}

/// Since when a certificate is revoked, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Since when.
    pub time: Time,
    /// Why.
    pub reason: Reason,
}

/// What an authority knows about one of its certificates (RFC 6960, 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Issued and not revoked. That it has not expired is not said.
    Good,
    /// Revoked, or suspended.
    Revoked(Revocation),
    /// The authority never issued such a certificate.
    Unknown,
}

/// Who knows the states of certificates.
pub trait StatusSource {
    /// The state of the certificate with this serial number that the authority `issuer` is asked about.
    fn status(&self, issuer: &str, serial: &SerialNumber) -> Result<Status, Unavailable>;
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Somebody else is at work.
    #[error("the authority is busy; try again in a moment")]
    TryLater,
    /// A fault that waiting does not mend.
    #[error("the authority has a fault of its own; its log tells which")]
    Fault,
}
