//! The CAC side of a look-alike: a sample's, with the certificates and the public containers of the original.

use card_sim::{
    cac::{Applets, ObjectId},
    key::KeyReference,
};

use x509_cert::Certificate;

use super::{Contents, Model, Work, container};
use crate::issue::{
    IssueError, Request, SlotKey,
    cac::{self, CommonAccess, PkiApplet},
    error::{crypto as crypto_failed, encoding},
    tag,
};

impl Work<'_> {
    /// The CAC side of a card with these contents of PIV objects, to which a hidden certificate may come.
    pub(super) fn common_access(
        &mut self,
        model: &Model,
        request: &Request,
        contents: &mut Contents,
    ) -> Result<CommonAccess, IssueError> {
        let authorities = cac::Authorities::new(&self.plan, request.seed, &self.pki, self.crypto)?;
        if let Some(key) = self.keys.iter().find(|key| key.reference == KeyReference::PivAuthentication)
            && model.has_hidden_certificate
        {
            let issuer = authorities.issuer(key.reference);
            let der = self.plan.certificate(key, request, issuer, self.crypto)?;
            contents.push((tag::PIV_AUTHENTICATION, container(&der, false)));
        }
        let (identity_key, _) = self.plan.identity_key(self.crypto)?;
        let identity = SlotKey::of(KeyReference::PivAuthentication, identity_key, self.crypto)?;
        let mut applets = Vec::new();
        for (id, like) in &model.common_access {
            applets.extend(self.pki_applet(model, *id, like, &identity)?);
        }
        let holder = match &self.plan.holder {
            Some(holder) => holder.clone(),
            None => cac::Holder::new(&self.plan.person, true)?,
        };
        let mut containers: Vec<_> = applets.iter().map(PkiApplet::container).collect();
        if model.applets == Some(Applets::All) {
            containers.extend(self.plan.common_access_containers(&holder, &applets, contents));
        }
        for (id, container) in &model.common_access_verbatim {
            containers.retain(|(found, _)| found != id);
            containers.push((*id, container.clone()));
        }
        self.note("what the CAC applets show after the PIN (Person Instance and its like) is a sample's");
        Ok(CommonAccess {
            identity_key: identity.private,
            containers,
            piv_authentication_hidden: model.has_hidden_certificate,
            id_ca: authorities.id_ca,
            email_ca: authorities.email_ca,
        })
    }

    /// A PKI applet with a certificate like this one; nothing if the card has not its key.
    fn pki_applet(
        &mut self,
        model: &Model,
        id: ObjectId,
        like: &Certificate,
        identity: &SlotKey,
    ) -> Result<Option<PkiApplet>, IssueError> {
        let purpose = format!("certificate {:04X}", id.get());
        let signed = match key_of(id) {
            // Both faces of a card show the same certificate, and so does this one.
            Some(reference) if model.certificates.iter().any(|with| with.certificate == *like) => {
                self.signed.iter().find(|(found, _)| *found == reference).map(|(_, der)| der.clone())
            }
            Some(reference) => self.certificate(reference, like, &purpose)?,
            None => {
                let issuer = self.issuer(like)?;
                Some(self.sign_like(like, identity, issuer.as_ref(), &purpose)?)
            }
        };
        let key = match key_of(id) {
            Some(reference) => self.keys.iter().find(|key| key.reference == reference),
            None => Some(identity),
        };
        let Some((der, key)) = signed.zip(key) else { return Ok(None) };
        if !key.private.algorithm().is_rsa() {
            self.note(format!("the certificate of {:04X} is for no RSA key, and was left out", id.get()));
            return Ok(None);
        }
        let public = self.crypto.public_key(&key.private).map_err(crypto_failed("compute a public key"))?;
        let mut rng = self.plan.randomness.source(&format!("identifier {:04X}", id.get()))?;
        PkiApplet::new(id, der, &public, &mut rng).map(Some).map_err(encoding("PKI applet"))
    }
}

/// The PIV key that a PKI applet uses; none for that of the ID certificate, which is the CAC side's own.
pub(super) fn key_of(id: ObjectId) -> Option<KeyReference> {
    match id {
        ObjectId::SIGNATURE => Some(KeyReference::DigitalSignature),
        ObjectId::ENCRYPTION => Some(KeyReference::KeyManagement),
        _ => None,
    }
}
