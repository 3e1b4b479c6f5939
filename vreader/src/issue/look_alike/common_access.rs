//! The CAC side of a look-alike: a sample's, with the certificates and the public containers of the original.

use card_sim::{cac::ObjectId, key::KeyReference};

use super::{Contents, Model, Work, container};
use crate::issue::{IssueError, Request, SlotKey, cac, cac::CommonAccess, tag};

impl Work<'_> {
    /// The CAC side: a sample's, with the certificates and the public containers of the original.
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
        let cac_request = request.cac.unwrap_or_default();
        let holder = match &self.plan.holder {
            Some(holder) => holder.clone(),
            None => cac::Holder::new(&self.plan.person, true)?,
        };
        let mut side = self.plan.common_access(cac_request, &holder, authorities, &[], self.crypto)?;
        side.piv_authentication_hidden = model.has_hidden_certificate;
        let identity = SlotKey::of(KeyReference::PivAuthentication, side.identity_key.clone(), self.crypto)?;
        for (id, like) in &model.common_access {
            let purpose = format!("certificate {:04X}", id.get());
            let der = if let Some(reference) = key_of(*id) {
                self.certificate(reference, like, &purpose)?
            } else {
                let issuer = self.issuer(like)?;
                Some(self.sign_like(like, &identity, issuer.as_ref(), &purpose)?)
            };
            if let Some(der) = der {
                let mut rng = self.plan.randomness.source(&format!("identifier {:04X}", id.get()))?;
                replace(&mut side.containers, *id, cac::pki_container(&der, &mut rng));
            }
        }
        for (id, container) in &model.common_access_verbatim {
            replace(&mut side.containers, *id, container.clone());
        }
        self.note("what the CAC applets show after the PIN (Person Instance and its like) is a sample's");
        Ok(side)
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

fn replace(containers: &mut Vec<(ObjectId, Vec<u8>)>, id: ObjectId, container: Vec<u8>) {
    containers.retain(|(found, _)| *found != id);
    containers.push((id, container));
}
