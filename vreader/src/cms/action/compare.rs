//! Whether a card and the database agree: every certificate that should be on the card is there, no other is, and the card has its keys.

use card_sim::key::{KeyReference, RetiredNumber};
use serde::Serialize;

use crate::{
    card_client::{CardClient, Line},
    cms::{Cms, CmsError, authority, database::placed, session::Access},
};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Key reference in hex.
    pub slot: String,
    /// What is wrong.
    pub found: String,
}

impl Cms {
    /// Holds the card on a line against the database. Keys that need the PIN are tried if it is given.
    pub fn compare(&mut self, line: &mut Line<'_>, access: &Access) -> Result<Vec<Difference>, CmsError> {
        self.audited("compare", None, |cms| {
            let mut client = cms.client(line)?;
            let card = cms.recognise(&mut client)?;
            let expected = cms.database.read(|connection| placed(connection, card.id))?;
            let retired = (1..=20).filter_map(RetiredNumber::new).map(KeyReference::Retired);
            let mut differences = Vec::new();
            for slot in KeyReference::ASYMMETRIC.into_iter().chain(retired) {
                let row = expected.iter().find(|(placed, _)| *placed == slot);
                let row = row.map(|(_, credential)| credential.certificate.as_slice());
                let found = client.certificate(slot)?;
                if let Some(text) = cms.judge(&mut client, slot, (row, found.as_deref()), access)? {
                    differences.push(Difference { slot: format!("{:02X}", slot.to_byte()), found: text });
                }
            }
            Ok(differences)
        })
    }

    fn judge(
        &mut self,
        client: &mut CardClient<'_, '_>,
        slot: KeyReference,
        (row, found): (Option<&[u8]>, Option<&[u8]>),
        access: &Access,
    ) -> Result<Option<String>, CmsError> {
        let serial = |der: &[u8]| {
            let certificate = authority::parse(der)?;
            Ok::<_, CmsError>(hex::encode_upper(certificate.tbs_certificate().serial_number().as_bytes()))
        };
        let found = match (row, found) {
            (None, None) => return Ok(None),
            (Some(row), None) => {
                return Ok(Some(format!("the card has no certificate, the database {}", serial(row)?)));
            }
            (None, Some(found)) => {
                return Ok(Some(format!(
                    "the card has the certificate {}, the database none",
                    serial(found)?
                )));
            }
            (Some(row), Some(found)) if row != found => {
                let (found, row) = (serial(found)?, serial(row)?);
                return Ok(Some(format!("the card has the certificate {found}, the database {row}")));
            }
            (Some(_), Some(found)) => found,
        };
        let proved = self.proves(client, slot, found, access.pin.as_ref())?;
        Ok((proved == Some(false)).then(|| "the card does not have the key of its certificate".to_owned()))
    }
}
