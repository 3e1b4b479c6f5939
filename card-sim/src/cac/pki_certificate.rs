//! The certificate that both faces show: what PUT DATA writes for 9C and 9D, the PKI applets with the same keys have too.
//!
//! In PIV a certificate is plain or a gzip file (SP 800-73-5 part 1, appendix A); here clients want a compressed one (CertInfo `01`), and
//! some take nothing but a zlib stream. A plain certificate becomes one of a single block that is not compressed (RFC 1950, RFC
//! 1951, 3.2.4); a gzip file stays what it is. All other elements of the container stay, the MSCUID `72` among them.

use apdu::{
    tlv_ber,
    tlv_simple::{Header, Order},
};
use heapless::{Vec, VecView};

use super::{container, container::ObjectId};
use crate::{
    card::RESPONSE_CAPACITY,
    object::ObjectTag,
    refusal::{Refusal, rules},
    store::{Record, Store},
};

mod tag {
    pub(super) const CERTIFICATE: u8 = 0x70;
    pub(super) const CERT_INFO: u8 = 0x71;
}

/// CertInfo of a certificate that is compressed, on both faces.
const COMPRESSED: u8 = 0x01;

/// Longest T buffer of a PKI container: the real ones have 10 bytes.
const MAX_TAGS: usize = 64;

/// A certificate as a PIV object has it.
#[derive(Default)]
struct Certificate<'a> {
    bytes: &'a [u8],
    gzip: bool,
}

/// The container in which the applets show the certificate of this PIV object, and in `out`, which is empty before, what it holds
/// from now on. `None` for other objects, and for cards without the container.
pub(crate) fn follow(
    store: &impl Store,
    object: ObjectTag,
    contents: &[u8],
    out: &mut VecView<u8>,
) -> Result<Option<ObjectId>, Refusal> {
    let id = match object {
        ObjectTag::DIGITAL_SIGNATURE => ObjectId::SIGNATURE,
        ObjectTag::KEY_MANAGEMENT => ObjectId::ENCRYPTION,
        _ => return Ok(None),
    };
    let mut old = Vec::<u8, RESPONSE_CAPACITY>::new();
    if !store.read(Record::CacContainer(id), &mut old)? {
        return Ok(None);
    }
    replace(&old, &certificate(contents), out).map(|()| Some(id))
}

/// Whether a T buffer says that there is a certificate.
pub(super) fn is_in(tags: &[u8]) -> bool {
    let mut tags = tags.get(2..).unwrap_or_default();
    while let Ok((header, rest)) = Header::split(tags, Order::Little) {
        if header.tag == tag::CERTIFICATE {
            return header.length != 0;
        }
        tags = rest;
    }
    false
}

/// The certificate in the object; none if it is empty, or is nothing that could be read.
fn certificate(object: &[u8]) -> Certificate<'_> {
    let mut certificate = Certificate::default();
    let contents = tlv_ber::Reader::new(object).expect(tlv_ber::Tag::new(0x53)).unwrap_or_default();
    for element in tlv_ber::Reader::single_byte_tags(contents).into_iter().map_while(Result::ok) {
        match (element.tag.number().try_into(), element.value) {
            (Ok(tag::CERTIFICATE), bytes) => certificate.bytes = bytes,
            (Ok(tag::CERT_INFO), [info]) => certificate.gzip = info & COMPRESSED != 0,
            _ => {}
        }
    }
    certificate
}

/// Appends the container with another certificate in it.
fn replace(old: &[u8], certificate: &Certificate<'_>, out: &mut VecView<u8>) -> Result<(), Refusal> {
    let damaged = rules::MEMORY_FAILURE.refuse();
    let (old_tags, old_values) = container::split(old).ok_or(damaged)?;
    let (mut old_tags, mut old_values) =
        (old_tags.get(2..).unwrap_or_default(), old_values.get(2..).unwrap_or_default());
    let compressed = if certificate.bytes.is_empty() { 0 } else { COMPRESSED };

    let mut tags = Vec::<u8, MAX_TAGS>::new();
    let mut values = Vec::<u8, RESPONSE_CAPACITY>::new();
    while !old_tags.is_empty() {
        let (header, rest) = Header::split(old_tags, Order::Little).map_err(|_| damaged)?;
        let (value, values_rest) = old_values.split_at_checked(header.length.into()).ok_or(damaged)?;
        (old_tags, old_values) = (rest, values_rest);
        let before = values.len();
        match header.tag {
            tag::CERTIFICATE if certificate.gzip => values.extend_from_slice(certificate.bytes)?,
            tag::CERTIFICATE => zlib(certificate.bytes, &mut values)?,
            tag::CERT_INFO => values.push(compressed).map_err(|_| rules::MEMORY_FULL.refuse())?,
            _ => values.extend_from_slice(value)?,
        }
        let length = length(values.get(before..).unwrap_or_default())?;
        tags.extend_from_slice(Header { tag: header.tag, length }.encode(Order::Little).as_slice())?;
    }
    for buffer in [tags.as_slice(), values.as_slice()] {
        out.extend_from_slice(&length(buffer)?.to_le_bytes())?;
        out.extend_from_slice(buffer)?;
    }
    Ok(())
}

fn length(bytes: &[u8]) -> Result<u16, Refusal> {
    u16::try_from(bytes.len()).map_err(|_| rules::MEMORY_FULL.refuse())
}

/// Appends these bytes as a zlib stream; nothing for none.
fn zlib(bytes: &[u8], out: &mut VecView<u8>) -> Result<(), Refusal> {
    if bytes.is_empty() {
        return Ok(());
    }
    let length = length(bytes)?;
    // Deflate with a window of 32 KiB; the last block, stored; its length twice, the second time inverted.
    out.extend_from_slice(&[0x78, 0x01, 0x01])?;
    out.extend_from_slice(&length.to_le_bytes())?;
    out.extend_from_slice(&(!length).to_le_bytes())?;
    out.extend_from_slice(bytes)?;
    Ok(out.extend_from_slice(&adler32(bytes).to_be_bytes())?)
}

/// The checksum of RFC 1950, 8.2.
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    let (low, high) = bytes.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = low.wrapping_add(u32::from(*byte)) % MODULUS;
        (low, high.wrapping_add(low) % MODULUS)
    });
    (high << 16) | low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CertInfo, certificate, MSCUID of four bytes, error detection code.
    const OLD: &[u8] = b"\x08\x00\x71\x01\x70\x03\x72\x04\xFE\x00\x08\x00\x01ABCuuid";

    fn replaced(object: &[u8]) -> std::vec::Vec<u8> {
        let mut out = Vec::<u8, RESPONSE_CAPACITY>::new();
        replace(OLD, &certificate(object), &mut out).unwrap();
        out.to_vec()
    }

    extern crate std;

    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
        assert_eq!(adler32(b""), 1);
    }

    #[test]
    fn a_plain_certificate_becomes_a_zlib_stream() {
        let stream = b"\x78\x01\x01\x02\x00\xFD\xFFXY\x01\x0B\x00\xB2";
        let expected =
            [&b"\x08\x00\x71\x01\x70\x0D\x72\x04\xFE\x00\x12\x00\x01"[..], stream, b"uuid"].concat();
        assert_eq!(replaced(b"\x53\x09\x70\x02XY\x71\x01\x00\xFE\x00"), expected);
    }

    #[test]
    fn a_gzip_file_stays_what_it_is() {
        let expected = b"\x08\x00\x71\x01\x70\x02\x72\x04\xFE\x00\x07\x00\x01GZuuid";
        assert_eq!(replaced(b"\x53\x09\x70\x02GZ\x71\x01\x01\xFE\x00"), expected);
    }

    #[test]
    fn no_certificate_leaves_the_other_elements() {
        let expected = b"\x08\x00\x71\x01\x70\x00\x72\x04\xFE\x00\x05\x00\x00uuid";
        for empty in [&b"\x53\x00"[..], b"\x53\x81\x00", b"\x53\x02\x70\x05", b"\x53\x02\xFE\x00"] {
            assert_eq!(replaced(empty), expected, "{empty:02X?}");
        }
    }

    #[test]
    fn a_container_of_another_form_is_a_failure_of_the_memory() {
        let new = certificate(b"\x53\x04\x70\x02XY");
        for old in [&b"\x01\x00\x70\x00\x00"[..], b"\x02\x00\x70\x05\x00\x00", b"\x02"] {
            let mut out = Vec::<u8, RESPONSE_CAPACITY>::new();
            let refusal = replace(old, &new, &mut out).unwrap_err();
            assert_eq!(refusal, rules::MEMORY_FAILURE.refuse(), "{old:02X?}");
        }
    }
}
