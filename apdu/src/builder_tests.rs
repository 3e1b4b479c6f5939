//! Tests of `builder`: both encodings at their limits, and chains.

use super::*;
use crate::command::{Case, Command};
use std::{vec, vec::Vec};

fn builder(data: &[u8], ne: u32) -> CommandBuilder<'_> {
    CommandBuilder::new(0x00, 0xCB, 0x3F, 0xFF).data(data).le(ne)
}

/// The body of the encoded command, without the four header bytes.
fn body(encoded: Result<&[u8], EncodeError>) -> Vec<u8> {
    let encoded = encoded.unwrap();
    assert_eq!(encoded[..4], [0x00, 0xCB, 0x3F, 0xFF]);
    encoded[4..].to_vec()
}

#[test]
fn short_and_extended_bodies() {
    for (data, ne, short, extended) in [
        (&[][..], 0, &[][..], &[][..]),
        (&[], 1, &[1], &[0, 0, 1]),
        (&[], 255, &[0xFF], &[0, 0, 0xFF]),
        (&[], 256, &[0], &[0, 1, 0]),
        (&[0xAA], 0, &[1, 0xAA], &[0, 0, 1, 0xAA]),
        (&[0xAA], 8, &[1, 0xAA, 8], &[0, 0, 1, 0xAA, 0, 8]),
        (&[0xAA], 256, &[1, 0xAA, 0], &[0, 0, 1, 0xAA, 1, 0]),
    ] {
        let mut buffer = [0; 16];
        assert_eq!(body(builder(data, ne).encode_short(&mut buffer)), short);
        assert_eq!(body(builder(data, ne).encode_extended(&mut buffer)), extended);
        assert_eq!(body(builder(data, ne).encode(&mut buffer)), short);
    }
    let mut buffer = [0; 16];
    assert_eq!(body(builder(&[], 65_536).encode_extended(&mut buffer)), [0, 0, 0]);
    assert_eq!(body(builder(&[0xAA], 65_536).encode(&mut buffer)), [0, 0, 1, 0xAA, 0, 0]);
    assert_eq!(body(builder(&[], 257).encode(&mut buffer)), [0, 1, 1]);
}

#[test]
fn the_longest_command_has_65_544_bytes() {
    let data = vec![0xAA; 65_535];
    let mut buffer = vec![0; 65_544];
    let encoded = builder(&data, 65_536).encode(&mut buffer).unwrap();
    assert_eq!(encoded.len(), 65_544);
    assert_eq!(Command::parse(encoded).unwrap().case, Case::FourExtended);
}

#[test]
fn limits_are_named() {
    let long = vec![0; 65_536];
    let mut buffer = vec![0; 70_000];
    for (result, error) in [
        (builder(&long[..256], 0).encode_short(&mut buffer), EncodeError::DataTooLong),
        (builder(&[], 257).encode_short(&mut [0; 8]), EncodeError::LeTooLarge),
        (builder(&long, 0).encode_extended(&mut [0; 8]), EncodeError::DataTooLong),
        (builder(&[], 65_537).encode(&mut [0; 8]), EncodeError::LeTooLarge),
        (builder(&[], 0).encode(&mut [0; 3]), EncodeError::BufferTooSmall),
        (builder(&[1], 0).encode_short(&mut [0; 5]), EncodeError::BufferTooSmall),
        (builder(&[1], 1).encode_extended(&mut [0; 9]), EncodeError::BufferTooSmall),
    ] {
        assert_eq!(result, Err(error));
    }
}

#[test]
fn chains_carry_le_on_the_last_fragment_only() {
    let data: Vec<u8> = (0..=255).collect();
    let fragments: Vec<_> = builder(&data, 256).chained(100).unwrap().collect();
    let mut joined = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        let mut buffer = [0; 128];
        let command = Command::parse(fragment.encode_short(&mut buffer).unwrap()).unwrap();
        let last = index == 2;
        assert_eq!(command.class.raw(), if last { 0x00 } else { 0x10 });
        assert_eq!(command.ne(), if last { 256 } else { 0 });
        joined.extend(command.data);
    }
    assert_eq!((fragments.len(), joined), (3, data));
}

#[test]
fn a_command_that_fits_is_not_split() {
    for data in [&[][..], &[1], &[1, 2]] {
        let fragments: Vec<_> = builder(data, 7).chained(2).unwrap().collect();
        assert_eq!(fragments, [builder(data, 7)]);
    }
}

#[test]
fn what_cannot_be_chained_is_named() {
    assert_eq!(builder(&[1], 0).chained(0).err(), Some(EncodeError::FragmentSize));
    assert_eq!(builder(&[1], 0).chained(65_536).err(), Some(EncodeError::FragmentSize));
    let proprietary = CommandBuilder::new(0x80, 0xCB, 0, 0).data(&[1, 2, 3]);
    assert_eq!(proprietary.chained(2).err(), Some(EncodeError::ClassWithoutChaining));
    assert_eq!(proprietary.chained(3).unwrap().count(), 1);
}

#[test]
fn debug_hides_the_data() {
    assert_eq!(
        std::format!("{:?}", builder(&[0xDE, 0xAD], 9)),
        "CommandBuilder(00 CB 3F FF, 2 data bytes, Ne 9)"
    );
}
