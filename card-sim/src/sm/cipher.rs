//! AES in CBC mode without padding (SP 800-38A), and AES-CMAC (SP 800-38B), under keys of 16 or 32 bytes.
//!
//! The key schedule is made for each message; it costs less than a block or two, and leaves nothing to wipe. What costs is
//! that each block waits for the one before it. So the loops run inside of the cipher's own code ([`Encryption`], [`Code`]),
//! with the block in registers; that is twice as fast as a call for each block, and as a crate for CMAC.

#![expect(
    clippy::inline_always,
    reason = "the loops have to be compiled for the processor's AES instructions"
)]

use aes::{
    Aes128, Aes256,
    cipher::{
        Array, BlockCipherDecrypt, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt,
        BlockSizeUser, KeyInit, consts::U16,
    },
};

/// A block.
pub(super) type Block = [u8; 16];

/// Blocks that are decrypted at once: here none waits for another.
const AT_ONCE: usize = 8;

/// Runs an expression with the cipher of the key's length.
macro_rules! with_cipher {
    ($key:expr, $cipher:ident => $use:expr) => {{
        let result = match $key.len() {
            16 => Aes128::new_from_slice($key).map(|$cipher| $use),
            _ => Aes256::new_from_slice($key).map(|$cipher| $use),
        };
        // No session has keys of another length.
        result.unwrap_or_default()
    }};
}

/// Encrypts one block.
pub(super) fn encrypt_block(key: &[u8], mut block: Block) -> Block {
    with_cipher!(key, cipher => {
        cipher.encrypt_block((&mut block).into());
        block
    })
}

/// Encrypts whole blocks in place.
pub(super) fn encrypt(key: &[u8], iv: Block, blocks: &mut [u8]) {
    let blocks = blocks.as_chunks_mut().0;
    with_cipher!(key, cipher => cipher.encrypt_with_backend(Encryption { iv, blocks }));
}

/// Decrypts whole blocks in place.
pub(super) fn decrypt(key: &[u8], iv: Block, blocks: &mut [u8]) {
    let blocks = blocks.as_chunks_mut().0;
    with_cipher!(key, cipher => decrypt_with(&cipher, iv, blocks));
}

/// AES-CMAC over whole blocks and what follows them.
pub(super) fn code(key: &[u8], blocks: &[Block], rest: &[u8]) -> Block {
    with_cipher!(key, cipher => code_with(&cipher, blocks, rest))
}

fn decrypt_with(cipher: &impl BlockCipherDecrypt<BlockSize = U16>, iv: Block, blocks: &mut [Block]) {
    let mut previous = iv;
    for blocks in blocks.chunks_mut(AT_ONCE) {
        let mut masks = [Block::default(); AT_ONCE];
        for (mask, block) in masks.iter_mut().zip(blocks.iter()) {
            *mask = core::mem::replace(&mut previous, *block);
        }
        cipher.decrypt_blocks(Array::cast_slice_from_core_mut(blocks));
        for (block, mask) in blocks.iter_mut().zip(&masks) {
            add(block, mask);
        }
    }
}

fn code_with(cipher: &impl BlockCipherEncrypt<BlockSize = U16>, blocks: &[Block], rest: &[u8]) -> Block {
    let mut key = Block::default();
    cipher.encrypt_block((&mut key).into());
    double(&mut key);

    // The last block is whole, or padded; each has a key of its own.
    let (rest, end) = rest.as_chunks();
    let mut last = Block::default();
    let (blocks, rest) = match (blocks, rest, end) {
        (_, [rest @ .., whole], []) => {
            last = *whole;
            (blocks, rest)
        }
        ([blocks @ .., whole], [], []) => {
            last = *whole;
            (blocks, rest)
        }
        _ => {
            last.iter_mut().zip(end.iter().chain(&[0x80])).for_each(|(cell, byte)| *cell = *byte);
            double(&mut key);
            (blocks, rest)
        }
    };
    add(&mut last, &key);
    let mut sum = Block::default();
    for blocks in [blocks, rest, &[last]] {
        cipher.encrypt_with_backend(Code { sum: &mut sum, blocks });
    }
    sum
}

/// Twice the number, in the field of 2^128 elements.
fn double(block: &mut Block) {
    let number = u128::from_be_bytes(*block);
    *block = ((number << 1) ^ (number >> 127).wrapping_mul(0x87)).to_be_bytes();
}

fn add(block: &mut Block, other: &Block) {
    *block = (u128::from_ne_bytes(*block) ^ u128::from_ne_bytes(*other)).to_ne_bytes();
}

/// Encryption of blocks, each added to the one before it.
struct Encryption<'a> {
    iv: Block,
    blocks: &'a mut [Block],
}

impl BlockSizeUser for Encryption<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Encryption<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let mut previous = Array::from(self.iv);
        for block in self.blocks {
            add(&mut previous.0, block);
            backend.encrypt_block((&mut previous).into());
            *block = previous.0;
        }
    }
}

/// The same, of which only the last block is kept.
struct Code<'a> {
    sum: &'a mut Block,
    blocks: &'a [Block],
}

impl BlockSizeUser for Code<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Code<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let mut sum = Array::from(*self.sum);
        for block in self.blocks {
            add(&mut sum.0, block);
            backend.encrypt_block((&mut sum).into());
        }
        *self.sum = sum.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of SP 800-38B for AES-128 (D.1) and AES-256 (D.3), wherever the message is cut in two.
    #[test]
    fn codes_are_those_of_the_standard() {
        const MESSAGE: &str = "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51\
             30C81C46A35CE411E5FBC1191A0A52EFF69F2445DF4F9B17AD2B417BE66C3710";
        const SHORT: &str = "2B7E151628AED2A6ABF7158809CF4F3C";
        const LONG: &str = "603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4";
        let message = hex::decode(MESSAGE).unwrap();
        for (key, length, expected) in [
            (SHORT, 0, "BB1D6929E95937287FA37D129B756746"),
            (SHORT, 16, "070A16B46B4D4144F79BDD9DD04A287C"),
            (SHORT, 40, "DFA66747DE9AE63030CA32611497C827"),
            (SHORT, 64, "51F0BEBF7E3B9D92FC49741779363CFE"),
            (LONG, 0, "028962F61B7BF89EFC6B551F4667D983"),
            (LONG, 16, "28A7023F452E8F82BD4BF28D8C37C35C"),
            (LONG, 40, "AAF3D8F1DE5640C232F5B169B9C911E6"),
            (LONG, 64, "E1992190549F6ED5696A2C056C315410"),
        ] {
            let (key, expected) = (hex::decode(key).unwrap(), hex::decode(expected).unwrap());
            for cut in (0..=length).step_by(16) {
                let (blocks, rest) = message[..length].split_at(cut);
                assert_eq!(code(&key, blocks.as_chunks().0, rest).as_slice(), expected, "{length}, {cut}");
            }
        }
    }

    /// More blocks than are decrypted at once, and fewer.
    #[test]
    fn decryption_undoes_encryption() {
        let mut plain = [0x5A; 320];
        encrypt(&[0x12; 16], [0x34; 16], &mut plain);
        for key in [&[0x21; 16][..], &[0x21; 32]] {
            for length in (16..=plain.len()).step_by(16) {
                let mut data = plain;
                encrypt(key, [0x42; 16], &mut data[..length]);
                assert_ne!(data[..length], plain[..length]);
                decrypt(key, [0x42; 16], &mut data[..length]);
                assert_eq!(data, plain);
            }
        }
    }
}
