//! [`Crypto`] on AWS-LC, with the bytes of [`PortableCrypto`].
//!
//! | operation | by |
//! |---|---|
//! | RSA | AWS-LC, raw; blinded and checked there |
//! | ECDSA | RFC 6979 nonce and scalars: RustCrypto; `k G`: AWS-LC |
//! | ECDH | AWS-LC through `aws-lc-rs` |
//! | Ed25519, X25519 | RustCrypto |
//! | RSA key generation, the check of an imported RSA key | RustCrypto, the two primes in two threads |
//! | one block of AES or TDEA | RustCrypto: it has no call into C and no context to set up |
//!
//! AWS-LC signs with a random nonce only, and a card that was given a seed must sign alike each time.

use aws_lc_rs::agreement;
use card_sim::{
    crypto::{Crypto, CryptoError, KeyCache, check_ecdh_lengths, check_rsa_key},
    key::{AsymmetricAlgorithm, PrivateKey, PrivateParts, PublicKey, SymmetricKey},
};
use ecdsa::{EcdsaCurve, Signature};
use heapless::Vec;
use p256::{
    NistP256,
    elliptic_curve::{
        CurveArithmetic, FieldBytes, NonZeroScalar, Scalar, SecretKey,
        ops::{Invert, Reduce},
    },
};
use p384::NistP384;
use rand_core::CryptoRng;
use rfc6979::{
    KGenerator,
    hmac::digest::{Digest, block_api::BlockSizeUser},
};
use rsa::{pkcs1::EncodeRsaPrivateKey, traits::PublicKeyParts};
use sha2::{Sha256, Sha384};
use zeroize::Zeroizing;

use super::{
    PortableCrypto,
    aws_lc::{Curve, RsaKey},
};

/// How many keys of each kind stay prepared: more than one person's card uses in a session.
const PREPARED: usize = 8;

/// Cryptography by AWS-LC.
#[derive(Default)]
pub struct HostCrypto {
    portable: PortableCrypto,
    rsa: KeyCache<PreparedRsa, PREPARED>,
    ecdh: KeyCache<agreement::PrivateKey, PREPARED>,
}

impl HostCrypto {
    /// With nothing prepared.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Crypto for HostCrypto {
    fn generate(
        &mut self,
        algorithm: AsymmetricAlgorithm,
        exponent: u32,
        rng: &mut dyn CryptoRng,
    ) -> Result<PrivateKey, CryptoError> {
        self.portable.generate(algorithm, exponent, rng)
    }

    fn public_key(&mut self, key: &PrivateKey) -> Result<PublicKey, CryptoError> {
        let PrivateParts::Ecc { scalar } = key.parts() else {
            return Ok(self.rsa.get_or_prepare(key, PreparedRsa::new)?.public_key());
        };
        if key.algorithm().is_curve25519() {
            return self.portable.public_key(key);
        }
        let curve = curve(key.algorithm())?;
        let valid = match curve {
            Curve::P256 => SecretKey::<NistP256>::from_slice(scalar).is_ok(),
            Curve::P384 => SecretKey::<NistP384>::from_slice(scalar).is_ok(),
        };
        if !valid {
            return Err(CryptoError::InvalidKey);
        }
        let mut point = Vec::new();
        let length = scalar.len().saturating_mul(2).saturating_add(1);
        point.resize(length, 0).map_err(|_| CryptoError::Failed)?;
        curve.multiply_generator(scalar, &mut point).ok_or(CryptoError::Failed)?;
        Ok(PublicKey::Ecc { point })
    }

    fn check_rsa_values(&mut self, key: &PrivateKey, values: [&[u8]; 3]) -> Result<(), CryptoError> {
        self.portable.check_rsa_values(key, values)
    }

    fn rsa_private(&mut self, key: &PrivateKey, block: &mut [u8]) -> Result<(), CryptoError> {
        if !key.algorithm().is_rsa() {
            return Err(CryptoError::Unsupported);
        }
        self.rsa.get_or_prepare(key, PreparedRsa::new)?.private(block)
    }

    fn ecdsa_sign(
        &mut self,
        key: &PrivateKey,
        digest: &[u8],
        signature: &mut [u8],
    ) -> Result<(), CryptoError> {
        let curve = curve(key.algorithm())?;
        let size = key.algorithm().size();
        let PrivateParts::Ecc { scalar } = key.parts() else { return Err(CryptoError::InvalidKey) };
        let halves = signature.split_at_mut_checked(size).filter(|(_, s)| s.len() == size);
        let (Some((r, s)), true) = (halves, digest.len() == size) else {
            return Err(CryptoError::InvalidInput);
        };
        match curve {
            Curve::P256 => sign::<NistP256, Sha256>(curve, scalar, digest, r, s),
            Curve::P384 => sign::<NistP384, Sha384>(curve, scalar, digest, r, s),
        }
    }

    fn ed25519_sign(
        &mut self,
        key: &PrivateKey,
        message: &[u8],
        signature: &mut [u8; 64],
    ) -> Result<(), CryptoError> {
        self.portable.ed25519_sign(key, message, signature)
    }

    fn ecdh(&mut self, key: &PrivateKey, point: &[u8], shared: &mut [u8]) -> Result<(), CryptoError> {
        if key.algorithm() == AsymmetricAlgorithm::X25519 {
            return self.portable.ecdh(key, point, shared);
        }
        check_ecdh_lengths(key.algorithm(), point, shared)?;
        let key = self.ecdh.get_or_prepare(key, prepare_ecdh)?;
        let peer = agreement::UnparsedPublicKey::new(key.algorithm(), point);
        agreement::agree(key, peer, CryptoError::InvalidInput, |secret| {
            if secret.len() != shared.len() {
                return Err(CryptoError::Failed);
            }
            shared.copy_from_slice(secret);
            Ok(())
        })
    }

    fn encrypt_block(&mut self, key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError> {
        self.portable.encrypt_block(key, block)
    }

    fn decrypt_block(&mut self, key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError> {
        self.portable.decrypt_block(key, block)
    }
}

fn curve(algorithm: AsymmetricAlgorithm) -> Result<Curve, CryptoError> {
    match algorithm {
        AsymmetricAlgorithm::EccP256 => Ok(Curve::P256),
        AsymmetricAlgorithm::EccP384 => Ok(Curve::P384),
        _ => Err(CryptoError::Unsupported),
    }
}

fn prepare_ecdh(key: &PrivateKey) -> Result<agreement::PrivateKey, CryptoError> {
    let curve = match curve(key.algorithm())? {
        Curve::P256 => &agreement::ECDH_P256,
        Curve::P384 => &agreement::ECDH_P384,
    };
    agreement::PrivateKey::from_private_key(curve, key.material()).map_err(|_| CryptoError::InvalidKey)
}

/// ECDSA (FIPS 186-5, 6.4.1) with the nonce of RFC 6979, 3.2. All four slices have the curve's length.
fn sign<C, D>(
    curve: Curve,
    scalar: &[u8],
    digest: &[u8],
    r_out: &mut [u8],
    s_out: &mut [u8],
) -> Result<(), CryptoError>
where
    C: EcdsaCurve + CurveArithmetic,
    D: Digest + BlockSizeUser,
{
    let secret = SecretKey::<C>::from_slice(scalar).map_err(|_| CryptoError::InvalidKey)?;
    let secret = Zeroizing::new(secret.to_nonzero_scalar());
    let message = reduce::<C>(digest)?;
    let order = C::ORDER;
    let mut nonces = KGenerator::<D, C::Uint>::new(scalar, digest, &[], &order);
    loop {
        let mut nonce = Zeroizing::new(FieldBytes::<C>::default());
        nonces.fill_next_k(&mut nonce);
        let mut point = [0; 97];
        let point = point.get_mut(..2 * digest.len() + 1).ok_or(CryptoError::Failed)?;
        curve.multiply_generator(&nonce, point).ok_or(CryptoError::Failed)?;
        let x = point.get(1..=digest.len()).ok_or(CryptoError::Failed)?;

        let nonce = SecretKey::<C>::from_bytes(&nonce).map_err(|_| CryptoError::Failed)?;
        let inverse: Zeroizing<NonZeroScalar<C>> = Zeroizing::new(nonce.to_nonzero_scalar().invert());
        let r = reduce::<C>(x)?;
        let s = **inverse * (message + r * **secret);
        // Refuses a zero `r` or `s`, for which the standards ask for the next nonce.
        if let Ok(signature) = Signature::<C>::from_scalars(r, s) {
            let (r, s) = signature.split_bytes();
            r_out.copy_from_slice(&r);
            s_out.copy_from_slice(&s);
            return Ok(());
        }
    }
}

/// The big-endian `bytes` modulo the curve's order.
fn reduce<C: CurveArithmetic>(bytes: &[u8]) -> Result<Scalar<C>, CryptoError> {
    let bytes = <&FieldBytes<C>>::try_from(bytes).map_err(|_| CryptoError::Failed)?;
    Ok(<Scalar<C> as Reduce<FieldBytes<C>>>::reduce(bytes))
}

/// A checked key in AWS-LC's form.
struct PreparedRsa {
    key: RsaKey,
    modulus: Vec<u8, 512>,
    exponent: u32,
}

impl PreparedRsa {
    fn new(key: &PrivateKey) -> Result<Self, CryptoError> {
        let PrivateParts::Rsa { exponent, .. } = key.parts() else { return Err(CryptoError::InvalidKey) };
        let numbers = check_rsa_key(key)?;
        let modulus = Vec::from_slice(&numbers.n_bytes()).map_err(|_| CryptoError::Failed)?;
        let der = numbers.to_pkcs1_der().map_err(|_| CryptoError::InvalidKey)?;
        let key = RsaKey::from_pkcs1(der.as_bytes()).ok_or(CryptoError::InvalidKey)?;
        Ok(Self { key, modulus, exponent })
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::Rsa { modulus: self.modulus.clone(), exponent: self.exponent }
    }

    fn private(&mut self, block: &mut [u8]) -> Result<(), CryptoError> {
        if block.len() != self.modulus.len() || *block >= *self.modulus {
            return Err(CryptoError::InvalidInput);
        }
        if self.is_fixed_point(block) {
            return Ok(());
        }
        let mut result = Zeroizing::new([0; 512]);
        let result = result.get_mut(..block.len()).ok_or(CryptoError::Failed)?;
        self.key.private(block, result).ok_or(CryptoError::Failed)?;
        block.copy_from_slice(result);
        Ok(())
    }

    /// Whether `block` is 0, 1 or `n - 1`: their power is themselves, and AWS-LC refuses them.
    fn is_fixed_point(&self, block: &[u8]) -> bool {
        let (Some((last, rest)), Some((last_of_n, rest_of_n))) =
            (block.split_last(), self.modulus.split_last())
        else {
            return false;
        };
        // `n` is odd, so taking 1 away changes its last byte only.
        let is_minus_one = rest == rest_of_n && Some(*last) == last_of_n.checked_sub(1);
        is_minus_one || (*last <= 1 && rest.iter().all(|byte| *byte == 0))
    }
}
