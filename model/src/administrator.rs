//! Proofs with the card management key (SP 800-73-5 part 2, appendix A).

use aes::{
    Aes192,
    cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};

use crate::request::Step;

/// The card management key `9B`: AES-192, as issued cards have it.
#[derive(Clone)]
pub struct ManagementKey(pub [u8; 24]);

/// Its algorithm identifier (SP 800-78-5, table 10).
pub(crate) const ALGORITHM: u8 = 0x0A;

/// What the command before asked the card for, and as much of the card's answer as has come.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) step: Step,
    pub(crate) answer: Vec<u8>,
}

impl Asked {
    /// The bytes that prove the key: the challenge encrypted, or the witness decrypted.
    pub(crate) fn expected(&self, key: &ManagementKey) -> Option<Vec<u8>> {
        // 7C 12, then 81 10 or 80 10, then the block.
        let mut block = <[u8; 16]>::try_from(self.answer.get(4..)?).ok()?.into();
        let cipher = Aes192::new(&key.0.into());
        match self.step {
            Step::AskChallenge => cipher.encrypt_block(&mut block),
            _ => cipher.decrypt_block(&mut block),
        }
        Some(block.to_vec())
    }
}
