//! The data objects of a look-alike beside certificates: taken over, signed anew, or made up.

use card_sim::{
    crypto::Crypto,
    object::{Container, ObjectTag},
};

use super::{Contents, Model, Work};
use crate::issue::{
    IssueError, Request, biometric, chuid, complete, face, fingerprint,
    pki::Authority,
    printed,
    security_object::{self, Covered},
    tag,
    tlv::{element, elements},
};

impl Work<'_> {
    /// Everything but certificates, with the Security Object over it.
    pub(super) fn objects(
        &mut self,
        model: &Model,
        request: &Request,
        contents: &mut Contents,
    ) -> Result<(), IssueError> {
        let (plan, signer) = (&self.plan, &self.pki.content_signer);
        let life = (plan.issued, plan.expires);
        if let Some(elements) = &model.chuid {
            contents.push((tag::CHUID, signed_chuid(elements, signer, self.crypto)?));
        }
        let minutiae = fingerprint::minutiae_record(&mut plan.randomness.source("fingerprints")?);
        for made_up in &model.protected {
            let container = match *made_up {
                tag::FINGERPRINTS => biometric::container(
                    biometric::Kind::Fingerprints,
                    &minutiae,
                    &plan.numbers,
                    life,
                    signer,
                    self.crypto,
                )?,
                tag::FACE => {
                    let face = face::face_record(&mut plan.randomness.source("face")?);
                    biometric::container(
                        biometric::Kind::Face,
                        &face,
                        &plan.numbers,
                        life,
                        signer,
                        self.crypto,
                    )?
                }
                _ => printed::printed_information(&plan.person, &plan.numbers, plan.expires, true),
            };
            contents.push((*made_up, container));
        }
        if let Some(code) = &plan.pairing_code {
            contents.push((tag::PAIRING_CODE, elements([(0x99, code.as_bytes()), (0xFE, &[])])));
        }
        if request.features.secure_messaging.is_some() {
            self.notes.push("the key and the certificates of secure messaging are new".to_owned());
        }
        if !model.protected.is_empty() {
            self.notes.push("fingerprints, face and Printed Information are a sample's".to_owned());
        }
        if !model.covered.is_empty() {
            let security_object = self.security_object(model, contents)?;
            contents.push((tag::SECURITY_OBJECT, security_object));
        }
        Ok(())
    }

    /// The Security Object over the data groups that the original's covers.
    fn security_object(&mut self, model: &Model, contents: &Contents) -> Result<Vec<u8>, IssueError> {
        let mut covered = Vec::new();
        for (number, id) in &model.covered {
            let container = Container::all().find(|container| container.id == *id);
            let tag = container.map(|container| container.tag);
            let made = contents.iter().find(|(found, _)| Some(*found) == tag.map(ObjectTag::get));
            let kept = || model.verbatim.iter().find(|(found, _)| Some(*found) == tag);
            let inside = made
                .map(|(_, made)| made.as_slice())
                .or_else(|| kept().and_then(|(tag, object)| inside(*tag, object)));
            match inside {
                Some(contents) => covered.push(Covered { number: *number, container: *id, contents }),
                None => self.notes.push(format!(
                    "the Security Object covered container {id:04X}, which the look-alike has not"
                )),
            }
        }
        security_object::security_object(&covered, &self.pki.content_signer, self.crypto)
    }
}

/// The objects as GET DATA answers them.
pub(super) fn whole(model: &Model, contents: Contents) -> Vec<(ObjectTag, Vec<u8>)> {
    let made: Vec<_> = contents.into_iter().map(|(tag, contents)| complete(tag, &contents)).collect();
    let kept = model.verbatim.iter().filter(|(tag, _)| made.iter().all(|(found, _)| found != tag));
    made.iter().chain(kept).cloned().collect()
}

/// What is inside an object.
fn inside(tag: ObjectTag, object: &[u8]) -> Option<&[u8]> {
    let outer = if tag.is_wrapped() { 0x53 } else { tag.get() };
    apdu::tlv_ber::Reader::new(object).expect(apdu::Tag::new(outer)).ok()
}

/// A CHUID of the same elements, signed anew if the original was.
fn signed_chuid(
    original: &[(u8, Vec<u8>)],
    signer: &Authority,
    crypto: &mut dyn Crypto,
) -> Result<Vec<u8>, IssueError> {
    let to_be_signed: Vec<u8> = original
        .iter()
        .filter(|(tag, _)| *tag != chuid::tag::SIGNATURE)
        .flat_map(|(tag, value)| element(*tag, value))
        .collect();
    let signature = chuid::signature(&to_be_signed, signer, crypto)?;
    let fresh = |tag: u8, value: &[u8]| match tag {
        // A test card's may be empty.
        chuid::tag::SIGNATURE if !value.is_empty() => element(tag, &signature),
        _ => element(tag, value),
    };
    Ok(original.iter().flat_map(|(tag, value)| fresh(*tag, value)).collect())
}
