//! SELECT of the PIV card application (SP 800-73-5 part 2, 3.1.1): its name and its answer.

use apdu::tlv_ber::{Tag, Writer};
use heapless::VecView;

use crate::{
    card::{COMMAND_CAPACITY, RESPONSE_CAPACITY},
    profile::{Profile, SelectAnswer},
    refusal::{Refusal, rules},
    sm::CipherSuite,
};

/// The full application identifier: RID, PIX, version (SP 800-73-5 part 1, 2.2).
pub(crate) const AID: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

/// NIST's registered application provider identifier.
const RID: [u8; 5] = [0xA0, 0x00, 0x00, 0x03, 0x08];

/// The identifier without its RID, all that some cards answer.
const PIX: [u8; 6] = [0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

mod tag {
    use super::Tag;

    pub(super) const APPLICATION_PROPERTY_TEMPLATE: Tag = Tag::new(0x61);
    pub(super) const APPLICATION_IDENTIFIER: Tag = Tag::new(0x4F);
    pub(super) const COEXISTENT_TAG_ALLOCATION_AUTHORITY: Tag = Tag::new(0x79);
    pub(super) const APPLICATION_LABEL: Tag = Tag::new(0x50);
    pub(super) const CRYPTOGRAPHIC_ALGORITHMS: Tag = Tag::new(0xAC);
    pub(super) const ALGORITHM_IDENTIFIER: Tag = Tag::new(0x80);
    pub(super) const OBJECT_IDENTIFIER: Tag = Tag::new(0x06);
    pub(super) const EXTENDED_LENGTH_INFORMATION: Tag = Tag::new(0x7F66);
    pub(super) const INTEGER: Tag = Tag::new(0x02);
}

/// Appends the answer to SELECT: the application property template `61` (part 2, table 3), followed by the
/// extended-length information of ISO/IEC 7816-4, 12.7.1, as the NIST test cards send it.
pub(crate) fn application_property_template(
    profile: &Profile,
    secure_messaging: Option<CipherSuite>,
    response: &mut VecView<u8>,
) -> Result<(), Refusal> {
    let mut buffer = [0; 128];
    let mut writer = Writer::new(&mut buffer);
    write_template(profile, secure_messaging, &mut writer).map_err(|_| rules::MEMORY_FULL.refuse())?;
    response.extend_from_slice(writer.finish())?;
    Ok(())
}

fn write_template(
    profile: &Profile,
    secure_messaging: Option<CipherSuite>,
    writer: &mut Writer<'_>,
) -> Result<(), apdu::Full> {
    if profile.choices.select_answer == SelectAnswer::Short {
        return writer.nested(tag::APPLICATION_PROPERTY_TEMPLATE, |template| {
            template.tlv(tag::APPLICATION_IDENTIFIER, &PIX)?;
            template.nested(tag::COEXISTENT_TAG_ALLOCATION_AUTHORITY, |authority| {
                authority.tlv(tag::APPLICATION_IDENTIFIER, &RID)
            })
        });
    }
    writer.nested(tag::APPLICATION_PROPERTY_TEMPLATE, |template| {
        template.tlv(tag::APPLICATION_IDENTIFIER, &AID)?;
        template.nested(tag::COEXISTENT_TAG_ALLOCATION_AUTHORITY, |authority| {
            authority.tlv(tag::APPLICATION_IDENTIFIER, &RID)
        })?;
        template.tlv(tag::APPLICATION_LABEL, profile.label.as_bytes())?;
        let Some(suite) = secure_messaging else { return Ok(()) };
        template.nested(tag::CRYPTOGRAPHIC_ALGORITHMS, |algorithms| {
            algorithms.tlv(tag::ALGORITHM_IDENTIFIER, &[suite.id()])?;
            algorithms.tlv(tag::OBJECT_IDENTIFIER, &[0x00])
        })
    })?;
    writer.nested(tag::EXTENDED_LENGTH_INFORMATION, |information| {
        let capacities =
            [COMMAND_CAPACITY, RESPONSE_CAPACITY].map(|bytes| u16::try_from(bytes).unwrap_or(u16::MAX));
        for capacity in profile.stated_lengths.unwrap_or(capacities) {
            information.tlv(tag::INTEGER, &capacity.to_be_bytes())?;
        }
        Ok(())
    })
}
