//! The data field of IMPORT ASYMMETRIC KEY: `06` the scalar of an elliptic curve (`07` Ed25519, `08` X25519), or of RSA `01` P, `02` Q,
//! `03` dP, `04` dQ, `05` qInv.

use card_sim::key::{AsymmetricAlgorithm, PrivateKey, PrivateParts};
use rsa::{BoxedUint, RsaPrivateKey, traits::PrivateKeyParts};
use zeroize::Zeroizing;

use crate::issue::tlv::{element, elements};

/// The data field for a key; nothing for RSA numbers that are no key.
pub(super) fn data(key: &PrivateKey) -> Option<Zeroizing<Vec<u8>>> {
    let data = match key.parts() {
        PrivateParts::Ecc { scalar } => {
            let tag = match key.algorithm() {
                AsymmetricAlgorithm::Ed25519 => 0x07,
                AsymmetricAlgorithm::X25519 => 0x08,
                _ => 0x06,
            };
            element(tag, scalar)
        }
        PrivateParts::Rsa { exponent, p, q } => {
            let bits = u32::try_from(p.len() * 8).ok()?;
            let prime = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits).ok();
            let whole = RsaPrivateKey::from_p_q(prime(p)?, prime(q)?, BoxedUint::from(exponent)).ok()?;
            let value = |number: &BoxedUint| padded(&number.to_be_bytes(), p.len());
            // In Montgomery form there; the number itself is asked for here.
            let q_inverse = whole.qinv()?.retrieve();
            let [dp, dq, q_inverse] = [value(whole.dp()?)?, value(whole.dq()?)?, value(&q_inverse)?];
            elements([(0x01, p), (0x02, q), (0x03, &dp), (0x04, &dq), (0x05, &q_inverse)])
        }
    };
    Some(Zeroizing::new(data))
}

/// A number as so many bytes.
fn padded(bytes: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let start = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(start..)?;
    let zeros = length.checked_sub(digits.len())?;
    Some(Zeroizing::new([&vec![0; zeros], digits].concat()))
}
