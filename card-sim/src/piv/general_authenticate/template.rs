//! The dynamic authentication template `7C` (SP 800-73-5 part 2, table 8).

use apdu::tlv_ber::{Header, Reader, Tag};
use heapless::VecView;

use crate::refusal::{Refusal, rules};

const TEMPLATE: Tag = Tag::new(0x7C);

/// Tags inside the template.
pub(super) const WITNESS: Tag = Tag::new(0x80);
pub(super) const CHALLENGE: Tag = Tag::new(0x81);
pub(super) const RESPONSE: Tag = Tag::new(0x82);
pub(super) const EXPONENTIATION: Tag = Tag::new(0x85);

/// The elements of a template, each with its value. An empty value asks the card for that element.
#[derive(Clone, Copy, Default)]
pub(super) struct Template<'a> {
    pub(super) witness: Option<&'a [u8]>,
    pub(super) challenge: Option<&'a [u8]>,
    pub(super) response: Option<&'a [u8]>,
    pub(super) exponentiation: Option<&'a [u8]>,
}

impl<'a> Template<'a> {
    /// Reads a template. Elements come in any order, each at most once.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, Refusal> {
        let malformed = |_| rules::TEMPLATE.refuse();
        let mut outer = Reader::new(data);
        let mut elements = Reader::new(outer.expect(TEMPLATE).map_err(malformed)?);
        outer.finish().map_err(malformed)?;
        let mut template = Self::default();
        while let Some(element) = elements.next().map_err(malformed)? {
            let place = match element.tag {
                WITNESS => &mut template.witness,
                CHALLENGE => &mut template.challenge,
                RESPONSE => &mut template.response,
                EXPONENTIATION => &mut template.exponentiation,
                _ => return Err(rules::TEMPLATE.refuse()),
            };
            if place.replace(element.value).is_some() {
                return Err(rules::TEMPLATE.refuse());
            }
        }
        Ok(template)
    }
}

/// Appends a template with one element.
pub(super) fn append(tag: Tag, value: &[u8], response: &mut VecView<u8>) -> Result<(), Refusal> {
    append_parts(tag, &[value], response)
}

/// Appends a template with one element, whose value are these parts.
pub(super) fn append_parts(tag: Tag, parts: &[&[u8]], response: &mut VecView<u8>) -> Result<(), Refusal> {
    let full = rules::MEMORY_FULL.refuse();
    let value_length = parts.iter().fold(0_usize, |length, part| length.saturating_add(part.len()));
    let inner = Header::new(tag, value_length).ok_or(full)?;
    let length = inner.len().saturating_add(value_length);
    response.extend_from_slice(Header::new(TEMPLATE, length).ok_or(full)?.as_slice())?;
    response.extend_from_slice(inner.as_slice())?;
    for part in parts {
        response.extend_from_slice(part)?;
    }
    Ok(())
}
