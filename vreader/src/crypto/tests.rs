//! The host's cryptography against the tables for all implementations, and against RustCrypto byte by byte.

use card_sim::{
    crypto,
    crypto::{Crypto, CryptoError, RustCrypto, ecdsa_der},
    key,
    key::{AsymmetricAlgorithm, DEFAULT_EXPONENT, PrivateKey, PublicKey},
};
use rand_core::Rng;

use super::{
    DefaultCrypto, backend_name,
    verify::{rsa_public, verify_ecdsa},
};
use crate::random;
use AsymmetricAlgorithm::{EccP256, EccP384, Rsa2048, Rsa3072};
use CryptoError::{Failed, InvalidInput, InvalidKey};

#[path = "../../../card-sim/src/crypto/conformance.rs"]
mod conformance;

#[test]
fn the_default_conforms() {
    conformance::all::<DefaultCrypto>();
}

#[test]
fn the_default_is_what_the_feature_says() {
    fn moves_between_threads<T: Send + Default>() {}
    moves_between_threads::<DefaultCrypto>();
    assert_eq!(backend_name(), if cfg!(feature = "aws-lc") { "AWS-LC" } else { "RustCrypto" });
}

/// The two implementations side by side.
#[derive(Default)]
struct Both {
    host: DefaultCrypto,
    portable: RustCrypto,
}

impl Both {
    /// What both answer; panics when they differ.
    fn ask<T: PartialEq + std::fmt::Debug>(
        &mut self,
        operation: impl Fn(&mut dyn Crypto) -> Result<T, CryptoError>,
    ) -> Result<T, CryptoError> {
        let host = operation(&mut self.host);
        assert_eq!(host, operation(&mut self.portable));
        host
    }

    fn sign(&mut self, key: &PrivateKey, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.ask(|crypto| {
            let mut signature = vec![0; 2 * digest.len()];
            crypto.ecdsa_sign(key, digest, &mut signature).map(|()| signature)
        })
    }

    fn ecdh(&mut self, key: &PrivateKey, point: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.ask(|crypto| {
            let mut shared = vec![0; key.algorithm().size()];
            crypto.ecdh(key, point, &mut shared).map(|()| shared)
        })
    }

    fn point(&mut self, key: &PrivateKey) -> Result<Vec<u8>, CryptoError> {
        match self.ask(|crypto| crypto.public_key(key))? {
            PublicKey::Ecc { point } => Ok(point.to_vec()),
            _ => panic!("an elliptic curve has a point"),
        }
    }
}

fn der(signature: &[u8]) -> Vec<u8> {
    let mut der = heapless::Vec::<u8, 104>::new();
    ecdsa_der(signature, &mut der).expect("room for the longest");
    der.to_vec()
}

const ORDERS: [(AsymmetricAlgorithm, &str); 2] = [
    (EccP256, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"),
    (
        EccP384,
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
    ),
];

/// Numbers of the curve's length at which arithmetic goes wrong first, then random ones.
fn numbers(curve: AsymmetricAlgorithm, order: &str, purpose: &str, random: usize) -> Vec<Vec<u8>> {
    let size = curve.size();
    let order = hex::decode(order).expect("hex");
    let with_last = |number: &[u8], last: u8| {
        let mut number = number.to_vec();
        number[size - 1] = last;
        number
    };
    let zero = vec![0; size];
    let mut numbers: Vec<_> = [0, 1, 2, 3, 0xFF].map(|last| with_last(&zero, last)).into();
    numbers.extend([order[size - 1] - 2, order[size - 1] - 1].map(|last| with_last(&order, last)));
    numbers.extend([order.clone(), with_last(&order, order[size - 1] + 1), vec![0xFF; size]]);
    let mut rng = random::from_seed(purpose, 1);
    for index in 0..random {
        let mut number = vec![0; size];
        // Every other one is short, so that leading zeros are seen often.
        let start = if index % 2 == 0 { 0 } else { index % size };
        rng.fill_bytes(&mut number[start..]);
        numbers.push(number);
    }
    numbers
}

#[test]
fn both_sign_alike() {
    let mut both = Both::default();
    for (curve, order) in ORDERS {
        let digests = numbers(curve, order, "digests", 8);
        let mut signed = 0;
        for scalar in numbers(curve, order, "scalars", 8) {
            let key = PrivateKey::ecc(curve, &scalar).expect("the curve's length");
            let Ok(point) = both.point(&key) else {
                assert_eq!(both.sign(&key, &digests[0]), Err(InvalidKey));
                continue;
            };
            for digest in &digests {
                let signature = der(&both.sign(&key, digest).expect("a valid key signs"));
                assert_eq!(verify_ecdsa(&point, digest, &signature), Ok(()));
                signed += 1;
            }
        }
        // Of the ten edge numbers zero, the order and the two above are no scalars.
        assert_eq!(signed, (6 + 8) * (10 + 8), "{curve:?}");
    }
}

#[test]
fn both_agree_on_secrets_and_points() {
    let mut both = Both::default();
    for (curve, order) in ORDERS {
        let keys: Vec<_> = numbers(curve, order, "agreement", 24)
            .into_iter()
            .map(|scalar| PrivateKey::ecc(curve, &scalar).expect("the curve's length"))
            .filter_map(|key| Some((both.point(&key).ok()?, key)))
            .collect();
        // More keys than stay prepared, each with its neighbours: every secret twice, from both sides.
        for pair in keys.windows(2) {
            let [(point_a, a), (point_b, b)] = pair else { panic!("windows of two") };
            assert_eq!(both.ecdh(a, point_b), both.ecdh(b, point_a));
            assert!(both.ecdh(a, point_b).is_ok());
        }
    }
}

#[test]
fn both_refuse_the_same_points() {
    let mut both = Both::default();
    let mut rng = random::from_seed("points", 1);
    for (curve, _) in ORDERS {
        let key = both.host.generate(curve, 0, &mut rng).expect("a key");
        let good = both.point(&key).expect("a point");
        for bit in 0..8 * good.len() {
            let mut point = good.clone();
            point[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(both.ecdh(&key, &point), Err(InvalidInput), "{curve:?}, bit {bit}");
        }
    }
}

#[test]
fn both_generate_alike() {
    let mut both = Both::default();
    for (algorithm, seeds) in [(EccP256, 40), (EccP384, 40), (Rsa2048, 3), (Rsa3072, 1)] {
        for seed in 0..seeds {
            let material = both.ask(|crypto| {
                let mut rng = random::from_seed("generation", seed);
                let key = crypto.generate(algorithm, DEFAULT_EXPONENT, &mut rng)?;
                // The next bytes show that both took as many.
                Ok((key.material().to_vec(), rng.next_u64()))
            });
            assert!(material.is_ok(), "{algorithm:?}, seed {seed}");
        }
    }
}

#[test]
fn both_do_rsa_alike_and_the_public_key_undoes_it() {
    let mut both = Both::default();
    for (algorithm, exponent, seed) in
        [(Rsa2048, DEFAULT_EXPONENT, 1), (Rsa2048, 0xFFFF_FFFF, 2), (Rsa3072, DEFAULT_EXPONENT, 3)]
    {
        let mut rng = random::from_seed("raw RSA", seed);
        let key = both.host.generate(algorithm, exponent, &mut rng).expect("a key");
        let Ok(PublicKey::Rsa { modulus, exponent }) = both.ask(|crypto| crypto.public_key(&key)) else {
            panic!("an RSA key has a modulus")
        };
        let mut blocks = vec![vec![0; algorithm.size()]; 6];
        // From short to long; the modulus has its top bit set, so a cleared one makes a block smaller.
        for (index, block) in blocks.iter_mut().enumerate() {
            let start = [0, 1, 8, 64, algorithm.size() / 2, algorithm.size() - 1][index];
            rng.fill_bytes(&mut block[start..]);
            block[0] &= 0x7F;
        }
        for block in blocks {
            let power = both.ask(|crypto| {
                let mut power = block.clone();
                crypto.rsa_private(&key, &mut power).map(|()| power)
            });
            let power = power.expect("a block below the modulus");
            assert_eq!(rsa_public(&modulus, exponent, &power), Ok(block));
        }
    }
}

#[test]
fn a_signature_is_bound_to_key_and_digest() {
    let mut both = Both::default();
    let mut rng = random::from_seed("binding", 1);
    for (curve, order) in ORDERS {
        let size = curve.size();
        let key = both.host.generate(curve, 0, &mut rng).expect("a key");
        let other = both.host.generate(curve, 0, &mut rng).expect("a key");
        let (point, other) = (both.point(&key).expect("a point"), both.point(&other).expect("a point"));
        let digest = vec![0x5A; size];
        let raw = both.sign(&key, &digest).expect("signs");
        let good = der(&raw);
        let (r, s) = raw.split_at(size);
        let (zero, order) = (vec![0; size], hex::decode(order).expect("hex"));
        let mut long = good.clone();
        long.push(0);
        let mut off_curve = point.clone();
        off_curve[size] ^= 1;
        let other_digest = vec![0x5B; size];
        #[rustfmt::skip]
        let table = [
            ("good",              &point,     &digest,       good.clone(),               Ok(())),
            ("other key",         &other,     &digest,       good.clone(),               Err(Failed)),
            ("other digest",      &point,     &other_digest, good.clone(),               Err(Failed)),
            ("r and s swapped",   &point,     &digest,       der(&[s, r].concat()),      Err(Failed)),
            ("r zero",            &point,     &digest,       der(&[&zero, s].concat()),  Err(Failed)),
            ("s zero",            &point,     &digest,       der(&[r, &zero].concat()),  Err(Failed)),
            ("r the order",       &point,     &digest,       der(&[&order, s].concat()), Err(Failed)),
            ("no point",          &vec![],    &digest,       good.clone(),               Err(InvalidKey)),
            ("off the curve",     &off_curve, &digest,       good.clone(),               Err(InvalidKey)),
            ("no digest",         &point,     &vec![],       good.clone(),               Err(InvalidInput)),
            ("no signature",      &point,     &digest,       vec![],                     Err(InvalidInput)),
            ("r || s, not DER",   &point,     &digest,       raw.clone(),                Err(InvalidInput)),
            ("cut short",         &point,     &digest,       good[..good.len() - 1].to_vec(), Err(InvalidInput)),
            ("a byte too long",   &point,     &digest,       long,                       Err(InvalidInput)),
        ];
        for (what, point, digest, signature, expected) in table {
            assert_eq!(verify_ecdsa(point, digest, &signature), expected, "{curve:?}: {what}");
        }
    }
}

#[test]
fn rsa_public_refusals() {
    let modulus = vec![0xFF; 256];
    let even = [vec![0xFF; 255], vec![0xFE]].concat();
    #[rustfmt::skip]
    let table = [
        ("no modulus",           &[][..],            DEFAULT_EXPONENT, vec![],         InvalidKey),
        ("modulus zero",         &[0; 256],          DEFAULT_EXPONENT, vec![0; 256],   InvalidKey),
        ("modulus one",          &[1],               DEFAULT_EXPONENT, vec![0],        InvalidKey),
        ("even modulus",         &even[..],          DEFAULT_EXPONENT, vec![0; 256],   InvalidKey),
        ("huge modulus",         &[0xFF; 2048],      DEFAULT_EXPONENT, vec![0; 2048],  InvalidKey),
        ("exponent zero",        &modulus,           0,                vec![0; 256],   InvalidKey),
        ("exponent even",        &modulus,           0x0001_0000,      vec![0; 256],   InvalidKey),
        ("block short",          &modulus,           DEFAULT_EXPONENT, vec![0; 255],   InvalidInput),
        ("block long",           &modulus,           DEFAULT_EXPONENT, vec![0; 257],   InvalidInput),
        ("block not below",      &modulus,           DEFAULT_EXPONENT, vec![0xFF; 256], InvalidInput),
    ];
    for (what, modulus, exponent, block, expected) in table {
        assert_eq!(rsa_public(modulus, exponent, &block), Err(expected), "{what}");
    }
}
