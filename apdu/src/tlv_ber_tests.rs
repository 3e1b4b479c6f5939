//! Tests of `tlv_ber`: tags and lengths of every form, and the writer at its limits.

use super::*;
use std::{vec, vec::Vec};

const T53: Tag = Tag::new(0x53);

fn read(bytes: &[u8]) -> Result<Option<(u32, usize)>, TlvError> {
    let element = Reader::new(bytes).next()?;
    Ok(element.map(|tlv| (tlv.tag.number(), tlv.value.len())))
}

#[test]
fn tags_and_lengths_of_every_form() {
    let with_value = |head: &[u8], length: usize| [head, &vec![0xAA; length]].concat();
    for (head, tag, length) in [
        (&[0x53, 0x00][..], 0x53, 0),
        (&[0x00, 0x01], 0x00, 1),
        (&[0x53, 0x7F], 0x53, 0x7F),
        (&[0x53, 0x81, 0x80], 0x53, 0x80),
        (&[0x53, 0x82, 0x01, 0x00], 0x53, 0x100),
        (&[0x53, 0x83, 0x01, 0x00, 0x00], 0x53, 0x1_0000),
        // Lengths in more bytes than needed.
        (&[0x53, 0x81, 0x05], 0x53, 5),
        (&[0x53, 0x82, 0x00, 0x05], 0x53, 5),
        (&[0x53, 0x83, 0x00, 0x00, 0x00], 0x53, 0),
        // Longer tags.
        (&[0x7F, 0x49, 0x02], 0x7F49, 2),
        (&[0x5F, 0xC1, 0x02, 0x03], 0x5F_C102, 3),
        (&[0x1F, 0x00, 0x00], 0x1F00, 0),
    ] {
        let bytes = with_value(head, length);
        assert_eq!(read(&bytes), Ok(Some((tag, length))), "{head:02X?}");
        // One byte less is too little, one byte more is the next element's.
        assert_eq!(read(&bytes[..bytes.len() - 1]), Err(TlvError::Truncated), "{head:02X?}");
        let mut reader = Reader::new(&bytes);
        reader.next().unwrap();
        assert_eq!(reader.finish(), Ok(()));
    }
}

#[test]
fn malformed_elements_are_named() {
    for (bytes, error) in [
        (&[0x53][..], TlvError::Truncated),
        (&[0x5F], TlvError::Truncated),
        (&[0x5F, 0xC1], TlvError::Truncated),
        (&[0x5F, 0xC1, 0x02], TlvError::Truncated),
        (&[0x53, 0x82, 0x01], TlvError::Truncated),
        (&[0x53, 0x83, 0xFF, 0xFF, 0xFF, 0x00], TlvError::Truncated),
        (&[0x5F, 0xC1, 0x82, 0x01, 0x00], TlvError::InvalidTag),
        (&[0x53, 0x80, 0x00, 0x00], TlvError::InvalidLength),
        (&[0x53, 0x84, 0, 0, 0, 1, 0xAA], TlvError::InvalidLength),
        (&[0x53, 0xFF], TlvError::InvalidLength),
    ] {
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.next(), Err(error), "{bytes:02X?}");
        assert_eq!(reader.remaining(), bytes, "an error does not move the reader");
    }
}

#[test]
fn container_tags_are_one_byte() {
    let bytes = [0x3F, 0x01, 0xAA, 0x5F, 0x02, 0xC1, 0x02, 0x7F, 0x81, 0x01, 0xBB, 0xFE, 0x00];
    let tags: Vec<u32> =
        Reader::single_byte_tags(&bytes).into_iter().map(|tlv| tlv.unwrap().tag.number()).collect();
    assert_eq!(tags, [0x3F, 0x5F, 0x7F, 0xFE]);
}

#[test]
fn iteration_ends_at_the_first_error() {
    let items: Vec<_> = Reader::new(&[0x53, 0x00, 0x53]).into_iter().collect();
    assert_eq!(items, [Ok(Tlv { tag: T53, value: &[] }), Err(TlvError::Truncated)]);
}

#[test]
fn expect_optional_and_find() {
    let (t01, t02, t03) = (Tag::new(1), Tag::new(2), Tag::new(3));
    let mut reader = Reader::new(&[1, 1, 0xAA, 2, 0, 1, 1, 0xBB]);
    assert_eq!(reader.expect(t02), Err(TlvError::UnexpectedTag { wanted: t02, found: t01 }));
    assert_eq!(reader.optional(t02), Ok(None));
    assert_eq!(reader.find(t02), Ok(Some(&[][..])));
    assert_eq!(reader.find(t03), Ok(None));
    assert_eq!(reader.expect(t01), Ok(&[0xAA][..]));
    assert_eq!(reader.optional(t02), Ok(Some(&[][..])));
    assert_eq!(reader.find(t01), Ok(Some(&[0xBB][..])));
    assert_eq!(reader.clone().finish(), Err(TlvError::TrailingBytes));
    assert_eq!(reader.expect(t01), Ok(&[0xBB][..]));
    assert!(reader.is_empty());
    assert_eq!(reader.expect(t01), Err(TlvError::Missing(t01)));
    assert_eq!(reader.optional(t01), Ok(None));
    assert_eq!(reader.finish(), Ok(()));
    // What is malformed is an error, not an absence.
    assert_eq!(Reader::new(&[1]).optional(t01), Err(TlvError::Truncated));
    assert_eq!(Reader::new(&[2, 0, 1]).find(t01), Err(TlvError::Truncated));
}

#[test]
fn headers_have_the_shortest_length() {
    for (tag, length, expected) in [
        (0x53, 0, &[0x53, 0x00][..]),
        (0x53, 0x7F, &[0x53, 0x7F]),
        (0x53, 0x80, &[0x53, 0x81, 0x80]),
        (0x53, 0xFF, &[0x53, 0x81, 0xFF]),
        (0x7F49, 0x100, &[0x7F, 0x49, 0x82, 0x01, 0x00]),
        (0x5F_C102, 0xFFFF, &[0x5F, 0xC1, 0x02, 0x82, 0xFF, 0xFF]),
        (0x5F_C102, 0x1_0000, &[0x5F, 0xC1, 0x02, 0x83, 0x01, 0x00, 0x00]),
        (0x00, MAX_LENGTH, &[0x00, 0x83, 0xFF, 0xFF, 0xFF]),
    ] {
        let tag = Tag::new(tag);
        let header = Header::new(tag, length).unwrap();
        assert_eq!(header.as_slice(), expected);
        assert_eq!(header.len(), expected.len());
        assert_eq!(encoded_len(tag, length), Some(expected.len() + length));
    }
    assert_eq!(Header::new(T53, MAX_LENGTH + 1), None);
    assert_eq!(Header::new(Tag::new(0x0100_0000), 0), None);
    assert_eq!(encoded_len(T53, usize::MAX), None);
}

#[test]
fn writer_fills_a_buffer_of_exactly_the_right_size() {
    for length in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x300] {
        let value = vec![0xAA; length];
        let size = encoded_len(T53, length).unwrap();
        let mut expected = Header::new(T53, length).unwrap().as_slice().to_vec();
        expected.extend(&value);

        let mut buffer = vec![0; size];
        let mut writer = Writer::new(&mut buffer);
        writer.tlv(T53, &value).unwrap();
        assert_eq!(writer.space(), 0);
        assert_eq!(writer.finish(), expected);

        let mut buffer = vec![0; size];
        let mut writer = Writer::new(&mut buffer);
        writer.nested(T53, |inner| inner.raw(&value)).unwrap();
        assert_eq!(writer.finish(), expected);

        let mut buffer = vec![0; size - 1];
        let mut writer = Writer::new(&mut buffer);
        assert_eq!(writer.tlv(T53, &value), Err(Full));
        assert_eq!(writer.nested(T53, |inner| inner.raw(&value)), Err(Full));
        assert!(writer.is_empty());
    }
}

#[test]
fn a_failed_nesting_leaves_nothing_behind() {
    let mut buffer = [0; 16];
    let mut writer = Writer::new(&mut buffer);
    writer.tlv(T53, &[1]).unwrap();
    let result = writer.nested(T53, |inner| {
        inner.raw(&[2; 4])?;
        inner.raw(&[3; 40])
    });
    assert_eq!(result, Err(Full));
    assert_eq!(writer.len(), 3);
    writer.reserve(T53, 2).unwrap().fill(0xEE);
    assert_eq!(writer.finish(), [0x53, 1, 1, 0x53, 2, 0xEE, 0xEE]);
}

#[test]
fn nesting_moves_what_is_inside_only() {
    let mut buffer = [0; 300];
    let mut writer = Writer::new(&mut buffer);
    writer.raw(&[0x99]).unwrap();
    writer
        .nested(Tag::new(0x7F49), |inner| {
            inner.tlv(Tag::new(0x86), &[0x04; 0x85])?;
            inner.nested(Tag::new(0x30), |_| Ok(()))
        })
        .unwrap();
    let bytes = writer.finish();
    assert_eq!(bytes[..8], [0x99, 0x7F, 0x49, 0x81, 0x8A, 0x86, 0x81, 0x85]);
    assert_eq!(bytes[bytes.len() - 3..], [0x04, 0x30, 0x00]);
}
