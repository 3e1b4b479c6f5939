//! AES in CBC mode without padding, and AES-CMAC, under keys of 16 or 32 bytes.
//!
//! The key schedule is made for each message; it costs less than a block or two, and leaves nothing to wipe.

use aes::{
    Aes128, Aes256,
    cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit, consts::U16},
};
use cmac::{Cmac, Mac};

/// A block.
pub(super) type Block = [u8; 16];

/// Runs an expression with the cipher of the key's length.
macro_rules! with_cipher {
    ($key:expr, $cipher:ident => $use:expr) => {
        match $key.len() {
            16 => {
                type $cipher = Aes128;
                $use
            }
            _ => {
                type $cipher = Aes256;
                $use
            }
        }
    };
}

/// Encrypts one block.
pub(super) fn encrypt_block(key: &[u8], block: Block) -> Block {
    with_cipher!(key, Cipher => {
        let mut block = Array::from(block);
        if let Ok(cipher) = Cipher::new_from_slice(key) {
            cipher.encrypt_block(&mut block);
        }
        block.into()
    })
}

/// Encrypts whole blocks in place.
pub(super) fn encrypt(key: &[u8], iv: Block, blocks: &mut [u8]) {
    with_cipher!(key, Cipher => {
        if let Ok(cipher) = Cipher::new_from_slice(key) {
            encrypt_with(&cipher, iv, blocks);
        }
    });
}

/// Decrypts whole blocks in place.
pub(super) fn decrypt(key: &[u8], iv: Block, blocks: &mut [u8]) {
    with_cipher!(key, Cipher => {
        if let Ok(cipher) = Cipher::new_from_slice(key) {
            decrypt_with(&cipher, iv, blocks);
        }
    });
}

/// AES-CMAC over the parts, one after the other.
pub(super) fn code(key: &[u8], parts: &[&[u8]]) -> Block {
    with_cipher!(key, Cipher => {
        let Ok(mut mac) = <Cmac<Cipher> as KeyInit>::new_from_slice(key) else { return Block::default() };
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    })
}

fn encrypt_with(cipher: &impl BlockCipherEncrypt<BlockSize = U16>, iv: Block, blocks: &mut [u8]) {
    let mut previous = iv;
    for block in blocks.as_chunks_mut::<16>().0 {
        block.iter_mut().zip(previous).for_each(|(byte, mask)| *byte ^= mask);
        cipher.encrypt_block(block.into());
        previous = *block;
    }
}

fn decrypt_with(cipher: &impl BlockCipherDecrypt<BlockSize = U16>, iv: Block, blocks: &mut [u8]) {
    let mut previous = iv;
    for block in blocks.as_chunks_mut::<16>().0 {
        let encrypted = *block;
        cipher.decrypt_block(block.into());
        block.iter_mut().zip(previous).for_each(|(byte, mask)| *byte ^= mask);
        previous = encrypted;
    }
}
