//! [`RustCrypto`] against the tables for all implementations, and the pieces that need no key.

use alloc::{vec, vec::Vec};

use super::{CryptoError, RustCrypto, ecdsa_der, rsa_prime};
use crate::{crypto, key};

#[path = "conformance.rs"]
mod conformance;

#[test]
fn rustcrypto_conforms() {
    conformance::all::<RustCrypto>();
}

/// `last` with zeros in front, `size` bytes in all.
fn padded(size: usize, last: &[u8]) -> Vec<u8> {
    let mut number = vec![0; size];
    number[size - last.len()..].copy_from_slice(last);
    number
}

#[test]
fn der_of_a_signature() {
    for (size, r, s, expected) in [
        (32, &[][..], &[][..], "3006 020100 020100"),
        (32, &[0x01], &[0x7F], "3006 020101 02017F"),
        (32, &[0x80], &[0x00, 0xFF], "3008 02020080 020200FF"),
        (48, &[0x01, 0x00], &[0x80, 0x00], "3009 02020100 0203008000"),
    ] {
        let signature = [padded(size, r), padded(size, s)].concat();
        let mut out = heapless::Vec::<u8, 16>::new();
        assert_eq!(ecdsa_der(&signature, &mut out), Ok(()));
        assert_eq!(out, hex::decode(expected.replace(' ', "")).expect("hex")[..]);
    }
}

#[test]
fn der_is_appended_or_refused() {
    for (size, length) in [(64, 72), (96, 104)] {
        let mut out = heapless::Vec::<u8, 105>::from_slice(&[0x99]).expect("room");
        assert_eq!(ecdsa_der(&vec![0xFF; size], &mut out), Ok(()));
        assert_eq!(out.len(), 1 + length);
        assert_eq!(out[..3], [0x99, 0x30, u8::try_from(length - 2).expect("short form")]);

        let mut small = heapless::Vec::<u8, 72>::from_slice(&[0x99]).expect("room");
        assert_eq!(ecdsa_der(&vec![0xFF; size], &mut small), Err(CryptoError::InvalidInput));
        assert_eq!(small, [0x99]);
    }
    for size in [0, 63, 65, 95, 97, 128] {
        let mut out = heapless::Vec::<u8, 200>::new();
        assert_eq!(ecdsa_der(&vec![0x01; size], &mut out), Err(CryptoError::InvalidInput), "{size} bytes");
        assert!(out.is_empty());
    }
}

#[test]
fn rsa_exponents() {
    for (exponent, allowed) in [
        (0, false),
        (1, false),
        (3, false),
        (0xFFFF, false),
        (0x0001_0000, false),
        (0x0001_0001, true),
        (0x0001_0002, false),
        (0x0001_0003, true),
        (0xFFFF_FFFE, false),
        (0xFFFF_FFFF, true),
    ] {
        assert_eq!(rsa_prime::is_exponent(exponent), allowed, "{exponent:X}");
    }
}
