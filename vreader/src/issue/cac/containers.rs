//! The contents of the CAC containers (GSC-IS 2.1, chapter 8; tags as the DoD uses them).
//!
//! `02FB`, `1201` and `1202` are empty on real cards, and so they are here; `02FD` and `02FE` are in `pki.rs`.

use apdu::{
    tlv_ber,
    tlv_simple::{Header, Order},
};
use card_sim::cac::ObjectId;

use super::Holder;
use crate::issue::{date::Date, person::CardNumbers, tlv::element};

/// An element: tag and value.
type Element = (u8, Vec<u8>);

/// The RID of the DoD.
pub(super) const DOD: [u8; 5] = [0xA0, 0x00, 0x00, 0x00, 0x79];

/// Kinds of applets in a card URL.
const GENERIC_APPLET: u8 = 0x01;
const PKI_APPLET: u8 = 0x04;

/// T buffer and V buffer of these elements, one behind the other.
pub(super) fn buffers(elements: &[Element]) -> Vec<u8> {
    let mut tags = Vec::new();
    let mut values = Vec::new();
    for (tag, value) in elements {
        tags.extend(header(*tag, value));
        values.extend_from_slice(value);
    }
    record(&tags, &values)
}

/// Tag and length of an element.
pub(super) fn header(tag: u8, value: &[u8]) -> Vec<u8> {
    Header { tag, length: length(value) }.encode(Order::Little).as_slice().to_vec()
}

/// A container of these two buffers.
pub(super) fn record(tags: &[u8], values: &[u8]) -> Vec<u8> {
    [&length(tags).to_le_bytes()[..], tags, &length(values).to_le_bytes(), values].concat()
}

/// No container has 64 KiB; the card would refuse a buffer whose length does not fit it.
fn length(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX)
}

/// Card capabilities. The order of the PKI applets' URLs is the order in which clients name their certificates.
fn capabilities(numbers: &CardNumbers) -> Vec<Element> {
    // Manufacturer, and card type 02: a Java card.
    let card_identifier = [&DOD[..], &[0x03, 0x02], &numbers.card_id].concat();
    let urls = [
        (PKI_APPLET, ObjectId::IDENTITY),
        (PKI_APPLET, ObjectId::SIGNATURE),
        (PKI_APPLET, ObjectId::ENCRYPTION),
        (GENERIC_APPLET, ObjectId::PERSON),
        (GENERIC_APPLET, ObjectId::PERSONNEL),
        (GENERIC_APPLET, ObjectId::BENEFITS),
    ];
    let urls = urls.map(|(kind, object)| {
        let name = object.get().to_be_bytes();
        (0xF3, [&DOD[..], &[kind], &name, &name, &[0; 6]].concat())
    });
    // Where the access rules are: in the access control applet.
    let access = [&[0x07][..], &DOD, &[0x03, 0x00], &[0; 9]].concat();
    let mut elements = vec![(0xF0, card_identifier), (0xF1, vec![0x21]), (0xF2, vec![0x21])];
    elements.extend(urls);
    elements.extend([(0xF4, vec![0x00]), (0xF5, vec![0x10]), (0xF6, access)]);
    elements.extend([0xF7, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE].map(|tag| (tag, Vec::new())));
    elements
}

/// The same for the PIV application: values in place.
pub(in crate::issue) fn card_capability_container(numbers: &CardNumbers) -> Vec<u8> {
    capabilities(numbers).iter().flat_map(|(tag, value)| element(*tag, value)).collect()
}

pub(super) fn card_capabilities(numbers: &CardNumbers) -> Vec<u8> {
    buffers(&capabilities(numbers))
}

/// Person Instance: who the holder is, and the only place that says when the card was issued.
pub(super) fn person_instance(holder: &Holder, issued: Date, expires: Date) -> Vec<u8> {
    let text = |text: &str| text.as_bytes().to_vec();
    let [issued, expires] = [issued, expires].map(|date| text(&date.compact()));
    buffers(&[
        (0x01, text(&holder.first)),
        (0x02, text(&holder.middle)),
        (0x03, text(&holder.last)),
        (0x04, Vec::new()),
        (0x05, text("999999999")),
        (0x06, text("19700101")),
        (0x07, text("X")),
        // Identifiers that are not social security numbers.
        (0x08, text("N")),
        (0x11, text("O")),
        (0x17, text(&holder.edipi())),
        (0x18, text("N")),
        (0x62, issued.clone()),
        (0x65, issued),
        (0x63, expires.clone()),
        (0x66, expires),
        (0x67, text("1")),
    ])
}

/// Personnel: a civil servant without a rank, in the elements that a real card has.
pub(super) fn personnel() -> Vec<u8> {
    buffers(&[
        (0x19, Vec::new()),
        (0x20, Vec::new()),
        (0x35, Vec::new()),
        (0x24, b"D".to_vec()),
        (0x25, b"09".to_vec()),
        (0x26, Vec::new()),
        (0x34, b"C".to_vec()),
        (0x36, b"GS".to_vec()),
        (0xD3, b"00".to_vec()),
        (0xD4, Vec::new()),
        (0xD5, Vec::new()),
    ])
}

/// Benefits: none, until the card expires.
pub(super) fn benefits(expires: Date) -> Vec<u8> {
    let end = expires.compact().into_bytes();
    buffers(&[
        (0x12, b"N".to_vec()),
        (0x13, b"N".to_vec()),
        (0x14, b"N".to_vec()),
        (0x1B, end.clone()),
        (0x1C, end),
    ])
}

/// A container of the applet that cards had before they had PIV: the elements of the PIV object with these contents. `None` if those
/// are no elements, which only a card that was broken on purpose has.
pub(super) fn transitional(contents: &[u8]) -> Option<Vec<u8>> {
    let mut reader = tlv_ber::Reader::single_byte_tags(contents);
    let mut elements = Vec::new();
    while let Some(element) = reader.next().ok()? {
        elements.push((u8::try_from(element.tag.number()).ok()?, element.value.to_vec()));
    }
    Some(buffers(&elements))
}
