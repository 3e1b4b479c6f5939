//! One block of AES (FIPS 197) or three-key TDEA (SP 800-67), in place.
//!
//! The key schedule is made afresh for each block: it costs less than keeping it, and leaves nothing to wipe.

use aes::{
    Aes128, Aes192, Aes256,
    cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use des::TdesEde3;

use super::CryptoError;
use crate::key::{SymmetricAlgorithm, SymmetricKey};

pub(super) fn encrypt(key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError> {
    match key.algorithm() {
        SymmetricAlgorithm::TripleDes => encrypt_with::<TdesEde3>(key, block),
        SymmetricAlgorithm::Aes128 => encrypt_with::<Aes128>(key, block),
        SymmetricAlgorithm::Aes192 => encrypt_with::<Aes192>(key, block),
        SymmetricAlgorithm::Aes256 => encrypt_with::<Aes256>(key, block),
    }
}

pub(super) fn decrypt(key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError> {
    match key.algorithm() {
        SymmetricAlgorithm::TripleDes => decrypt_with::<TdesEde3>(key, block),
        SymmetricAlgorithm::Aes128 => decrypt_with::<Aes128>(key, block),
        SymmetricAlgorithm::Aes192 => decrypt_with::<Aes192>(key, block),
        SymmetricAlgorithm::Aes256 => decrypt_with::<Aes256>(key, block),
    }
}

fn encrypt_with<C: KeyInit + BlockCipherEncrypt>(
    key: &SymmetricKey,
    block: &mut [u8],
) -> Result<(), CryptoError> {
    let cipher = C::new_from_slice(key.material()).map_err(|_| CryptoError::InvalidKey)?;
    let block = <&mut Block<C>>::try_from(block).map_err(|_| CryptoError::InvalidInput)?;
    cipher.encrypt_block(block);
    Ok(())
}

fn decrypt_with<C: KeyInit + BlockCipherDecrypt>(
    key: &SymmetricKey,
    block: &mut [u8],
) -> Result<(), CryptoError> {
    let cipher = C::new_from_slice(key.material()).map_err(|_| CryptoError::InvalidKey)?;
    let block = <&mut Block<C>>::try_from(block).map_err(|_| CryptoError::InvalidInput)?;
    cipher.decrypt_block(block);
    Ok(())
}
