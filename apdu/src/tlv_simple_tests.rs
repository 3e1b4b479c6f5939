//! Tests of `tlv_simple`: both length forms in both byte orders.

use super::*;
use std::vec;

#[test]
fn lengths_in_both_orders() {
    for (length, big, little) in [
        (0, &[0x70, 0x00][..], &[0x70, 0x00][..]),
        (0xFE, &[0x70, 0xFE], &[0x70, 0xFE]),
        (0xFF, &[0x70, 0xFF, 0x00, 0xFF], &[0x70, 0xFF, 0xFF, 0x00]),
        (0x1234, &[0x70, 0xFF, 0x12, 0x34], &[0x70, 0xFF, 0x34, 0x12]),
        (0xFFFF, &[0x70, 0xFF, 0xFF, 0xFF], &[0x70, 0xFF, 0xFF, 0xFF]),
    ] {
        for (order, head) in [(Order::Big, big), (Order::Little, little)] {
            let header = Header { tag: 0x70, length };
            assert_eq!(header.encode(order).as_slice(), head);
            assert_eq!(Header::split(head, order), Ok((header, &[][..])));

            let value = vec![0xAA; usize::from(length)];
            let size = encoded_len(value.len()).unwrap();
            let mut buffer = vec![0; size];
            let mut writer = Writer::new(&mut buffer, order);
            writer.tlv(0x70, &value).unwrap();
            let bytes = writer.finish();
            assert_eq!(bytes.len(), size);
            let mut reader = Reader::new(bytes, order);
            assert_eq!(reader.expect(0x70), Ok(&value[..]));
            assert_eq!(reader.finish(), Ok(()));
        }
    }
    assert_eq!(encoded_len(0x1_0000), None);
}

#[test]
fn long_form_of_a_short_length_is_read() {
    let mut reader = Reader::new(&[0x01, 0xFF, 0x02, 0x00, 0xAA, 0xBB], Order::Little);
    assert_eq!(reader.next(), Ok(Some(Tlv { tag: 0x01, value: &[0xAA, 0xBB] })));
}

#[test]
fn malformed_elements_are_named() {
    for (bytes, error) in [
        (&[0x01][..], TlvError::Truncated),
        (&[0x01, 0x01], TlvError::Truncated),
        (&[0x01, 0xFF], TlvError::Truncated),
        (&[0x01, 0xFF, 0x01], TlvError::Truncated),
        (&[0x01, 0xFF, 0x01, 0x00], TlvError::Truncated),
        (&[0x00, 0x00], TlvError::InvalidTag),
        (&[0xFF, 0x00], TlvError::InvalidTag),
    ] {
        let mut reader = Reader::new(bytes, Order::Little);
        assert_eq!(reader.next(), Err(error), "{bytes:02X?}");
        assert_eq!(reader.remaining(), bytes, "an error does not move the reader");
    }
}

#[test]
fn expect_and_find() {
    let mut reader = Reader::new(&[1, 1, 0xAA, 2, 0], Order::Big);
    assert_eq!(reader.find(2), Ok(Some(&[][..])));
    assert_eq!(reader.find(3), Ok(None));
    assert_eq!(reader.expect(2), Err(TlvError::UnexpectedTag { wanted: Tag::new(2), found: Tag::new(1) }));
    assert_eq!(reader.clone().finish(), Err(TlvError::TrailingBytes));
    assert_eq!(reader.expect(1), Ok(&[0xAA][..]));
    assert_eq!(reader.expect(2), Ok(&[][..]));
    assert!(reader.is_empty());
    assert_eq!(reader.expect(2), Err(TlvError::Missing(Tag::new(2))));
}

#[test]
fn writer_at_its_limits() {
    let mut buffer = [0; 6];
    let mut writer = Writer::new(&mut buffer, Order::Little);
    assert!(writer.is_empty());
    assert_eq!(writer.tlv(1, &[0; 5]), Err(Full));
    assert_eq!(writer.header(1, 0x1_0000), Err(Full));
    assert_eq!(writer.len(), 0);
    // Tag and length alone, as in the tag buffer of a CAC card.
    writer.header(0x70, 0x0305).unwrap();
    writer.raw(&[0xEE]).unwrap();
    assert_eq!(writer.tlv(1, &[]), Err(Full));
    assert_eq!(writer.finish(), [0x70, 0xFF, 0x05, 0x03, 0xEE]);
}
