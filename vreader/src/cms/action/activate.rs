//! Activation of the PIV Authentication certificate on a Common Access Card that was issued before 28 February 2018.
//!
//! Two visits, as at the issuer's portal. The first ([`Cms::activation_page`]) verifies the PIN, lets the holder sign in with the signature
//! certificate, reads who the card says one is, and writes nothing: whoever cancels has changed nothing. The second, an update for a
//! request of this kind, verifies the PIN again and is one session.

use card_sim::key::{AsymmetricAlgorithm, KeyReference};
use rand_core::Rng;
use serde::Serialize;

use crate::{
    card_client::{CardClient, CardIdentity, ClientError, Line},
    cms::{
        Cms, CmsError, authority,
        authority::algorithm_of,
        database::{CardRow, CredentialRow},
        session::{Draft, Effect, Plan, Step},
    },
    console::{Console, activation},
    issue::Date,
    sm::transport::{Transport, whole_answer},
};

/// With which certificate the holder signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginCertificate {
    /// The ID certificate, which this portal refuses.
    Id,
    /// The e-mail signature certificate.
    Signature,
}

/// What the portal shows before it writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActivationPage {
    /// Number of the card.
    pub card: i64,
    /// The holder's name.
    pub name: String,
    /// DoD identification number.
    pub edipi: String,
    /// FASC-N in hex.
    pub fascn: String,
    /// Day of issue.
    pub issued: Date,
    /// Who issued the certificate that signed in.
    pub signed_in_with: String,
    /// Who will issue the PIV Authentication certificate.
    pub issuer: String,
}

const WRONG_CERTIFICATE: &str = "use the Signature or DOD EMAIL certificate or you may not be able to login: the ID \
                                 certificate was sent, whose issuer is";

impl Cms {
    /// The cards of a holder, and for each whether its PIV Authentication certificate can be activated.
    pub fn activatable(&self, holder: &str) -> Result<Vec<(CardRow, bool)>, CmsError> {
        let holder = self.holder(holder)?;
        let cards = self.cards()?.into_iter().filter(|card| card.holder == Some(holder.id));
        Ok(cards
            .map(|card| (self.check_activation(&card).is_ok(), card))
            .map(|(can, card)| (card, can))
            .collect())
    }

    /// Signs the holder in and reads the card. Nothing is written.
    pub fn activation_page(
        &mut self,
        line: &mut Line<'_>,
        pin: &str,
        login: LoginCertificate,
        cutoff: Date,
    ) -> Result<ActivationPage, CmsError> {
        self.audited("sign in for activation", None, |cms| {
            let identity = CardIdentity::read(line)?;
            let card = cms.database.read(|connection| CardRow::by_identity(connection, &identity))?;
            let card = card.ok_or(CmsError::ForeignCard(identity))?;
            cms.audited("sign in for activation", Some(card.id), |cms| {
                let page = cms.read_page(line, &card, pin, login, cutoff)?;
                if !activation::is_needed(page.issued, cutoff) {
                    return Err(CmsError::Activation(format!(
                        "{} was issued on {}; cards of {cutoff} and later come with the certificate activated",
                        card.name(),
                        page.issued
                    )));
                }
                cms.note("sign in for activation", Some(card.id), &page.signed_in_with)?;
                Ok(page)
            })
        })
    }

    fn read_page(
        &mut self,
        line: &mut Line<'_>,
        card: &CardRow,
        pin: &str,
        login: LoginCertificate,
        cutoff: Date,
    ) -> Result<ActivationPage, CmsError> {
        self.check_activation(card)?;
        let failed = |error: crate::console::ConsoleError| CmsError::Login(error.to_string());
        let mut console = Console::new(&mut *line, &[]).map_err(failed)?;
        let certificates = console.certificates(self.now()).map_err(failed)?;
        let container = match login {
            LoginCertificate::Id => "0100",
            LoginCertificate::Signature => "0101",
        };
        let listed = certificates.certificates.into_iter().find(|listed| listed.container == container);
        let listed =
            listed.ok_or_else(|| CmsError::Login(format!("the card has no certificate in {container}")))?;
        if !listed.issuer.contains("EMAIL") {
            return Err(CmsError::Login(format!("{WRONG_CERTIFICATE} {}", listed.issuer)));
        }
        // It ends in the CAC applets, whose login the signature needs.
        let information = console.information(Some(pin), self.now(), cutoff).map_err(failed)?;
        self.check_signature(line, &listed.der)?;
        let holder = self.holder_of(card)?;
        let edipi = information.identifier.unwrap_or_default();
        let of_certificate = format!(".{:010}", holder.identifier);
        if edipi != format!("{:010}", holder.identifier) || !listed.subject.contains(&of_certificate) {
            let owner = holder.name;
            return Err(CmsError::WrongHolder {
                card: card.id,
                owner,
                wanted: format!("{edipi} of the certificate"),
            });
        }
        let issued = information.issued.or(card.issued);
        Ok(ActivationPage {
            card: card.id,
            name: information.name.unwrap_or(holder.name),
            edipi,
            fascn: card
                .numbers
                .as_ref()
                .map(|numbers| hex::encode_upper(numbers.fascn_bytes))
                .unwrap_or_default(),
            issued: issued
                .ok_or_else(|| CmsError::Activation("the card does not say when it was issued".into()))?,
            signed_in_with: listed.issuer,
            issuer: self
                .hidden(card)?
                .map_or_else(|| Ok(String::new()), |hidden| authority::issuer_name(&hidden.certificate))?,
        })
    }

    /// A challenge for the key of the signature certificate, in its CAC applet.
    fn check_signature(&mut self, line: &mut Line<'_>, certificate: &[u8]) -> Result<(), CmsError> {
        use rsa::{RsaPublicKey, pkcs1::DecodeRsaPublicKey, traits::PublicKeyParts};
        let unreadable = || CmsError::Login("the signature certificate has no RSA key".into());
        let parsed = authority::parse(certificate)?;
        let info = parsed.tbs_certificate().subject_public_key_info();
        let key =
            RsaPublicKey::from_pkcs1_der(info.subject_public_key.raw_bytes()).map_err(|_| unreadable())?;
        let modulus = key.n_bytes();
        let mut challenge = [0; 32];
        self.rng.fill_bytes(&mut challenge);
        let hash = crate::issue::signature::Hash::Sha256;
        let block = crate::issue::signature::pkcs1_v15(hash, &hash.digest(&challenge), modulus.len());
        let block = block.map_err(|_| unreadable())?;
        let signature = sign(line, &block)?;
        let opened = crate::crypto::verify::rsa_public(&modulus, 65_537, &signature);
        if opened.is_ok_and(|opened| opened == block) {
            Ok(())
        } else {
            Err(CmsError::Login("the card did not prove the key of its signature certificate".into()))
        }
    }

    /// That a card is one whose certificate is hidden.
    fn check_activation(&self, card: &CardRow) -> Result<(), CmsError> {
        let states = crate::cms::state::RequestKind::Activation.states();
        if !states.contains(&card.state) {
            let (state, kind) = (card.state, crate::cms::state::RequestKind::Activation);
            return Err(CmsError::NotRequestable { card: card.name(), state, kind });
        }
        if card.hidden.is_none() {
            let text = "nothing is to be activated: its PIV Authentication certificate is not hidden";
            return Err(CmsError::Activation(format!("{}: {text}", card.name())));
        }
        self.check_life(card)
    }

    fn hidden(&self, card: &CardRow) -> Result<Option<CredentialRow>, CmsError> {
        let Some(id) = card.hidden else { return Ok(None) };
        Ok(self.database.read(|connection| CredentialRow::find(connection, id))?)
    }

    pub(super) fn plan_activation(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: &CardRow,
    ) -> Result<Plan, CmsError> {
        self.check_activation(card)?;
        let hidden = self.hidden(card)?;
        let hidden =
            hidden.ok_or_else(|| CmsError::NotFound(format!("hidden credential of {}", card.name())))?;
        if client.certificate(KeyReference::PivAuthentication)?.is_some() {
            let text = "the card shows a PIV Authentication certificate already; somebody else activated it";
            return Err(CmsError::Activation(text.into()));
        }
        let (authority, _) = self.usable_issuer(&hidden.certificate)?;
        let algorithm: AsymmetricAlgorithm = algorithm_of(&hidden.certificate)?;
        let mut plan = Plan::new("activate the PIV Authentication certificate".to_owned());
        let draft = Draft {
            authority: authority.id,
            like: Some(hidden.id),
            from: self.now().date().to_string(),
            until: self.end_of_certificate(card).to_string(),
        };
        plan.generate(KeyReference::PivAuthentication, algorithm, draft);
        plan.steps.push(Step::Prove);
        plan.effects.push(Effect::Activated);
        Ok(plan)
    }
}

/// PRIVATE SIGN/DECRYPT with the key of the e-mail signature certificate (GSC-IS 2.1, 5.3.3.3).
fn sign(line: &mut Line<'_>, block: &[u8]) -> Result<Vec<u8>, CmsError> {
    const SELECT_APPLET: [u8; 12] = [0x00, 0xA4, 0x04, 0x00, 0x07, 0xA0, 0x00, 0x00, 0x00, 0x79, 0x01, 0x01];
    const SELECT_OBJECT: [u8; 7] = [0x00, 0xA4, 0x02, 0x0C, 0x02, 0x01, 0x01];
    const FIRST: usize = 0xF0;
    whole_answer(line, &SELECT_APPLET).map_err(ClientError::from)?;
    line.transmit(&SELECT_OBJECT).map_err(ClientError::from)?;
    let (first, last) = block.split_at(FIRST.min(block.len()));
    let part = |p1: u8, data: &[u8]| {
        let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
        [&[0x80, 0x42, p1, 0x00, length], data].concat()
    };
    line.transmit(&part(0x80, first)).map_err(ClientError::from)?;
    let answer = whole_answer(line, &[part(0x00, last), vec![0x00]].concat()).map_err(ClientError::from)?;
    if answer.is_success() {
        Ok(answer.data.to_vec())
    } else {
        Err(ClientError::Refused { step: "PRIVATE SIGN/DECRYPT".into(), status: answer.status }.into())
    }
}
