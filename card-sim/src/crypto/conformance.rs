//! What every implementation of [`Crypto`] must do: known answers and refusals, as tables.
//!
//! The tests of each crate with an implementation include this file and run [`all`] on it. It finds the card's
//! modules through its parent (`use super::{crypto, key}`), because that is where the including crates differ.
//!
//! Where the numbers come from: FIPS 197 appendix C, SP 800-67's example, management keys of real cards; RFC 6979
//! A.2.5 and A.2.6; RFC 5903 8.1 and 8.2. RSA's were computed by a separate program from the text of
//! `rsa_prime` (ChaCha20 from RFC 8439's description, 40 rounds of Miller-Rabin) and by plain `pow(block, d, n)`.

#[path = "conformance/curve25519.rs"]
mod curve25519;
#[path = "conformance/rsa_values.rs"]
mod rsa_values;

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256, Sha384};

use super::{
    crypto::{Crypto, CryptoError},
    key::{AsymmetricAlgorithm, DEFAULT_EXPONENT, PrivateKey, PrivateParts, PublicKey},
    key::{SymmetricAlgorithm, SymmetricKey},
};
use AsymmetricAlgorithm::{EccP256, EccP384, Rsa1024, Rsa2048, Rsa3072, Rsa4096};
use CryptoError::{Failed, InvalidInput, InvalidKey, Unsupported};

/// Everything in this file.
pub(crate) fn all<C: Crypto + Default>() {
    let crypto = &mut C::default();
    block_ciphers(crypto);
    ecdsa_known_answers(crypto);
    ecdsa_refusals(crypto);
    ecdh_known_answers(crypto);
    ecdh_refusals(crypto);
    ecc_generation(crypto);
    curve25519::all(crypto);
    rsa_known_answers(crypto);
    rsa_fixed_points(crypto);
    rsa_key_refusals(crypto);
    rsa_input_refusals(crypto);
    rsa_composite_prime(crypto);
    rsa_values::all(crypto);
}

/// A generator that gives the listed bytes over and over and counts them.
struct Tape<'a> {
    bytes: &'a [u8],
    taken: usize,
}

impl<'a> Tape<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, taken: 0 }
    }
}

impl TryRng for Tape<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word).map(|()| u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word).map(|()| u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        for byte in to {
            *byte = self.bytes[self.taken % self.bytes.len()];
            self.taken += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Tape<'_> {}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let mut bytes = [0; N];
    hex::decode_to_slice(hex, &mut bytes).expect("hex of this length");
    bytes
}

fn ecc_key(algorithm: AsymmetricAlgorithm, scalar: &str) -> PrivateKey {
    let mut bytes = [0; 48];
    let bytes = &mut bytes[..algorithm.size()];
    hex::decode_to_slice(scalar, bytes).expect("hex of the curve's length");
    PrivateKey::ecc(algorithm, bytes).expect("a scalar of the curve's length")
}

fn point(crypto: &mut impl Crypto, key: &PrivateKey) -> heapless::Vec<u8, 97> {
    match crypto.public_key(key) {
        Ok(PublicKey::Ecc { point }) => point,
        _ => panic!("no point of {:?}", key.algorithm()),
    }
}

// ---------------------------------------------------------------------------------------------- block ciphers

fn block_ciphers(crypto: &mut impl Crypto) {
    use SymmetricAlgorithm::{Aes128, Aes192, Aes256, TripleDes};
    const COUNTED: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";
    const YUBICO: &str = "010203040506070801020304050607080102030405060708";
    const EXAMPLE: &str = "0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123";
    #[rustfmt::skip]
    let table = [
        (TripleDes, EXAMPLE, "5468652071756663",                 "A826FD8CE53B855F"),
        (TripleDes, YUBICO,  "0102030405060708",                 "77A7D6BCF57962B9"),
        (TripleDes, YUBICO,  "1112131415161718",                 "5751C8DE226285AA"),
        (Aes128,    COUNTED, "00112233445566778899AABBCCDDEEFF", "69C4E0D86A7B0430D8CDB78070B4C55A"),
        (Aes192,    COUNTED, "00112233445566778899AABBCCDDEEFF", "DDA97CA4864CDFE06EAF70A0EC0D7191"),
        (Aes256,    COUNTED, "00112233445566778899AABBCCDDEEFF", "8EA2B7CA516745BFEAFC49904B496089"),
        (Aes128,    COUNTED, "0102030405060708090A0B0C0D0E0F10", "0892085605BE8F349F584AF993DF11F8"),
        (Aes192,    YUBICO,  "1112131415161718191A1B1C1D1E1F20", "7A5328331F31547B75183A762105C109"),
        (Aes256,    COUNTED, "1112131415161718191A1B1C1D1E1F20", "0899EA9C85B4DB7914640A5D6C4AA343"),
    ];
    for (algorithm, key, plain, cipher) in table {
        let key = hex::decode(&key[..2 * algorithm.key_length()]).expect("hex");
        let key = SymmetricKey::new(algorithm, &key).expect("a key of the algorithm's length");
        let (plain, cipher) = (hex::decode(plain).expect("hex"), hex::decode(cipher).expect("hex"));
        let mut block = plain.clone();
        assert_eq!(crypto.encrypt_block(&key, &mut block), Ok(()));
        assert_eq!(block, cipher, "{algorithm:?} encrypts");
        assert_eq!(crypto.decrypt_block(&key, &mut block), Ok(()));
        assert_eq!(block, plain, "{algorithm:?} decrypts");

        let length = algorithm.block_length();
        for wrong in [0, 1, length - 1, length + 1, 2 * length] {
            let block = &mut [0; 32][..wrong];
            assert_eq!(crypto.encrypt_block(&key, block), Err(InvalidInput), "{algorithm:?}, {wrong} bytes");
            assert_eq!(crypto.decrypt_block(&key, block), Err(InvalidInput), "{algorithm:?}, {wrong} bytes");
        }
    }
}

// ------------------------------------------------------------------------------------------------------ ECDSA

const P256_SCALAR: &str = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
const P256_POINT: &str = "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6\
                          7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
const P384_SCALAR: &str = "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA\
                           9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5";
const P384_POINT: &str = "04EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64\
                          DEF8F0EA9055866064A254515480BC13\
                          8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1\
                          288B231C3AE0D4FE7344FD2533264720";

fn ecdsa_known_answers(crypto: &mut impl Crypto) {
    let p256 = ecc_key(EccP256, P256_SCALAR);
    assert_eq!(point(crypto, &p256), bytes::<65>(P256_POINT));
    #[rustfmt::skip]
    let table = [
        ("sample", "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
                    F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"),
        ("test",   "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367\
                    019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083"),
    ];
    for (message, expected) in table {
        let mut signature = [0; 64];
        assert_eq!(crypto.ecdsa_sign(&p256, &Sha256::digest(message), &mut signature), Ok(()));
        assert_eq!(signature, bytes(expected), "P-256, {message}");
    }

    let p384 = ecc_key(EccP384, P384_SCALAR);
    assert_eq!(point(crypto, &p384), bytes::<97>(P384_POINT));
    #[rustfmt::skip]
    let table = [
        ("sample", "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46\
                    99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8"),
        ("test",   "8203B63D3C853E8D77227FB377BCF7B7B772E97892A80F36AB775D509D7A5FEB0542A7F0812998DA8F1DD3CA3CF023DB\
                    DDD0760448D42D8A43AF45AF836FCE4DE8BE06B485E9B61B827C2F13173923E06A739F040649A667BF3B828246BAA5A5"),
    ];
    for (message, expected) in table {
        let mut signature = [0; 96];
        assert_eq!(crypto.ecdsa_sign(&p384, &Sha384::digest(message), &mut signature), Ok(()));
        assert_eq!(signature, bytes(expected), "P-384, {message}");
    }
}

/// The orders of the curves: the first scalars that are no keys.
const P256_ORDER: &str = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";
const P384_ORDER: &str = "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
                          C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973";

/// Each curve with a good scalar and three that are no keys: zero, the order and the largest number.
fn scalars() -> [(AsymmetricAlgorithm, &'static str, [PrivateKey; 3]); 2] {
    [(EccP256, P256_SCALAR, P256_ORDER), (EccP384, P384_SCALAR, P384_ORDER)].map(|(curve, good, order)| {
        let fill = |byte| PrivateKey::ecc(curve, &[byte; 48][..curve.size()]).expect("the curve's length");
        (curve, good, [fill(0x00), ecc_key(curve, order), fill(0xFF)])
    })
}

fn ecdsa_refusals(crypto: &mut impl Crypto) {
    for (curve, good, bad) in scalars() {
        let (size, good) = (curve.size(), ecc_key(curve, good));
        let mut signature = [0; 128];
        for (digest, space) in [
            (size - 1, 2 * size),
            (size + 1, 2 * size),
            (0, 2 * size),
            (size, 2 * size - 1),
            (size, 2 * size + 1),
            (size, size),
            (size, 0),
        ] {
            let result = crypto.ecdsa_sign(&good, &[0x5A; 64][..digest], &mut signature[..space]);
            assert_eq!(result, Err(InvalidInput), "{curve:?}, {digest} and {space} bytes");
        }
        for key in bad {
            let result = crypto.ecdsa_sign(&key, &[0x5A; 64][..size], &mut signature[..2 * size]);
            assert_eq!(result, Err(InvalidKey), "{curve:?}");
            assert_eq!(crypto.public_key(&key), Err(InvalidKey), "{curve:?}");
        }
        assert_eq!(crypto.rsa_private(&good, &mut [0; 256]), Err(Unsupported));
    }
}

// ------------------------------------------------------------------------------------------------------- ECDH

/// RFC 5903: curve, both sides' scalars and points, the shared coordinate.
#[rustfmt::skip]
const AGREEMENTS: [(AsymmetricAlgorithm, [&str; 2], [&str; 2], &str); 2] = [
    (EccP256,
     ["C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433",
      "C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53"],
     ["04DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C37725811805271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3",
      "04D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF6356FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB"],
     "D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE"),
    (EccP384,
     ["099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194",
      "41CB0779B4BDB85D47846725FBEC3C9430FAB46CC8DC5060855CC9BDA0AA2942E0308312916B8ED2960E4BD55A7448FC"],
     ["04667842D7D180AC2CDE6F74F37551F55755C7645C20EF73E31634FE72B4C55EE6DE3AC808ACB4BDB4C88732AEE95F41AA\
       9482ED1FC0EEB9CAFC4984625CCFC23F65032149E0E144ADA024181535A0F38EEB9FCFF3C2C947DAE69B4C634573A81C",
      "04E558DBEF53EECDE3D3FCCFC1AEA08A89A987475D12FD950D83CFA41732BC509D0D1AC43A0336DEF96FDA41D0774A3571\
       DCFBEC7AACF3196472169E838430367F66EEBE3C6E70C416DD5F0C68759DD1FFF83FA40142209DFF5EAAD96DB9E6386C"],
     "11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746"),
];

fn ecdh_known_answers(crypto: &mut impl Crypto) {
    for (curve, scalars, points, shared) in AGREEMENTS {
        let shared = hex::decode(shared).expect("hex");
        for (own, peer) in [(0, 1), (1, 0)] {
            let key = ecc_key(curve, scalars[own]);
            assert_eq!(point(crypto, &key), hex::decode(points[own]).expect("hex")[..]);
            let mut result = [0; 48];
            let result = &mut result[..curve.size()];
            assert_eq!(crypto.ecdh(&key, &hex::decode(points[peer]).expect("hex"), result), Ok(()));
            assert_eq!(result, shared, "{curve:?}");
        }
    }
}

fn ecdh_refusals(crypto: &mut impl Crypto) {
    for ((curve, scalars, points, _), (_, _, bad)) in AGREEMENTS.into_iter().zip(self::scalars()) {
        let (size, key) = (curve.size(), ecc_key(curve, scalars[0]));
        let good = hex::decode(points[1]).expect("hex");
        let mut shared = [0; 64];
        let with = |index: usize, byte: u8| {
            let mut point = good.clone();
            point[index] = byte;
            point
        };
        let mut too_large = good.clone();
        too_large[1..=size].fill(0xFF);
        let mut zero = good.clone();
        zero[1..].fill(0);
        let other_curve = AGREEMENTS.iter().find(|(other, ..)| *other != curve).expect("two curves").2[0];
        let mut long = good.clone();
        long.push(0);
        #[rustfmt::skip]
        let table = [
            ("an empty one",            &[][..]),
            ("the point at infinity",   &[0x00][..]),
            ("compressed",              &with(0, 0x02)[..=size]),
            ("compressed in disguise",  &with(0, 0x02)[..]),
            ("hybrid",                  &with(0, 0x06)[..]),
            ("no form at all",          &with(0, 0xFF)[..]),
            ("one byte short",          &good[..2 * size]),
            ("one byte long",           &long[..]),
            ("off the curve in Y",      &with(2 * size, good[2 * size] ^ 1)[..]),
            ("off the curve in X",      &with(1, good[1] ^ 0x80)[..]),
            ("X not below the prime",   &too_large[..]),
            ("zero coordinates",        &zero[..]),
            ("of the other curve",      &hex::decode(other_curve).expect("hex")[..]),
        ];
        for (what, point) in table {
            let result = crypto.ecdh(&key, point, &mut shared[..size]);
            assert_eq!(result, Err(InvalidInput), "{curve:?}: {what}");
        }
        for space in [0, size - 1, size + 1] {
            assert_eq!(crypto.ecdh(&key, &good, &mut shared[..space]), Err(InvalidInput), "{curve:?}");
        }
        for key in bad {
            assert_eq!(crypto.ecdh(&key, &good, &mut shared[..size]), Err(InvalidKey), "{curve:?}");
        }
    }
}

/// The first candidate that is a scalar becomes the key; a generator that never gives one is called broken.
fn ecc_generation(crypto: &mut impl Crypto) {
    for (curve, good, bad) in scalars() {
        let good = ecc_key(curve, good);
        let mut tape = heapless::Vec::<u8, 192>::new();
        for key in bad.iter().chain([&good]) {
            tape.extend_from_slice(key.material()).expect("four scalars fit");
        }
        let mut rng = Tape::new(&tape);
        let key = crypto.generate(curve, 0, &mut rng).expect("the fourth candidate is a scalar");
        assert!(key.material() == good.material() && key.algorithm() == curve);
        assert_eq!(rng.taken, 4 * curve.size());
        assert_eq!(crypto.generate(curve, 0, &mut Tape::new(&[0xFF])).err(), Some(Failed));
    }
}

// -------------------------------------------------------------------------------------------------------- RSA

/// The seeds `00`, `01`, … `3F` for every RSA key here.
fn rsa_key(crypto: &mut impl Crypto, algorithm: AsymmetricAlgorithm, exponent: u32) -> PrivateKey {
    let seeds: [u8; 64] = core::array::from_fn(|index| u8::try_from(index).expect("below 64"));
    let mut rng = Tape::new(&seeds);
    let key = crypto.generate(algorithm, exponent, &mut rng).expect("a key");
    assert_eq!(rng.taken, 64, "{algorithm:?} takes two seeds");
    key
}

/// A block below any modulus.
fn rsa_block(algorithm: AsymmetricAlgorithm) -> heapless::Vec<u8, 512> {
    let mut block = heapless::Vec::new();
    block.resize(algorithm.size(), 0x5A).expect("512 bytes fit");
    block[0] = 0x00;
    block
}

/// SHA-256 of the stored key, of the modulus, and of the block's private power.
#[rustfmt::skip]
const RSA: [(AsymmetricAlgorithm, u32, &str, &str, &str); 5] = [
    (Rsa1024, DEFAULT_EXPONENT,
     "d649952df2ccd5a364bcd535011740e385d40ca1a8b9165f62f18823e1f7690f",
     "e14e5f4968f16e7bf0b7937615aa2ac913cfaa082dd88e5a7a85201d45cc3f3c",
     "145154ebe18299b810b1774267460ff5675edce94550c3aaf34c7eed239bbbdd"),
    (Rsa2048, DEFAULT_EXPONENT,
     "b2ce00c7f3d7278a780059327f94492300899d4541f0997f3c503d29de0ff7ac",
     "01a8657e361366c837450b748d88ecc08f8dd6d667c09c157b0f5dbfb880a054",
     "f51533e566713df4e551755a7f6c36a9a45ef050b85b9f666514370fa3ed6e67"),
    // 3 * 5 * 17 * 257 * 65,537: refuses many primes.
    (Rsa2048, 0xFFFF_FFFF,
     "b7a43fe59b560eea7c940fd8253c898b6adc4fb962816987d9c2a74bf2ce3d24",
     "d171a73f872fe4e2e099e702f686ebf43ce7f963905ee9b88ed2d32fb3542c24",
     "27e5b74f0f64fd2fef776129cdb5e7c8151f7489e5beb99fc50c3acbc44417a1"),
    (Rsa3072, DEFAULT_EXPONENT,
     "ee070ebeec869c30e9e1cdc0d2243a62178eb8ec3b9df7bd49644b622a1cabb3",
     "9774d681965ec135f498b4f3d73e0a47c66222a13ffce613f027019cabf5f166",
     "22db936255d0d94fe224210d7d26beddb28fea277eff191714ff0c3845148e0b"),
    (Rsa4096, DEFAULT_EXPONENT,
     "94e15e567fea3a78a127ba666fee261d16114bed9bc639c65d56eb2221de193e",
     "0e8e012112209755e8c72192b7a01200552ffa089e6c70b63203c9ac8f43b7ea",
     "9709749fd1d1ddae51bc84f9c5c0d66f35585bcb9c301025677ac15e83119636"),
];

fn rsa_known_answers(crypto: &mut impl Crypto) {
    for (algorithm, exponent, stored, modulus_hash, power) in RSA {
        let key = rsa_key(crypto, algorithm, exponent);
        assert_eq!(Sha256::digest(key.material())[..], bytes::<32>(stored), "{algorithm:?} {exponent:X}");
        let Ok(PublicKey::Rsa { modulus, exponent: public }) = crypto.public_key(&key) else {
            panic!("no modulus of {algorithm:?}")
        };
        assert_eq!(public, exponent);
        assert_eq!(Sha256::digest(&modulus)[..], bytes::<32>(modulus_hash), "{algorithm:?} {exponent:X}");
        // More than once: blinding changes with each use, the result must not.
        for _ in 0..3 {
            let mut block = rsa_block(algorithm);
            assert_eq!(crypto.rsa_private(&key, &mut block), Ok(()));
            assert_eq!(Sha256::digest(&block)[..], bytes::<32>(power), "{algorithm:?} {exponent:X}");
        }
        // The other order of primes is the same key.
        let PrivateParts::Rsa { p, q, .. } = key.parts() else { panic!("an RSA key") };
        let swapped = PrivateKey::rsa(algorithm, exponent, q, p).expect("lengths fit");
        let mut block = rsa_block(algorithm);
        assert_eq!(crypto.rsa_private(&swapped, &mut block), Ok(()));
        assert_eq!(Sha256::digest(&block)[..], bytes::<32>(power), "{algorithm:?} {exponent:X}");
    }
}

/// 0, 1 and n - 1 are their own powers.
fn rsa_fixed_points(crypto: &mut impl Crypto) {
    let key = rsa_key(crypto, Rsa2048, DEFAULT_EXPONENT);
    let Ok(PublicKey::Rsa { modulus, .. }) = crypto.public_key(&key) else { panic!("an RSA key") };
    let (mut zero, mut one, mut minus_one) = ([0; 256], [0; 256], [0; 256]);
    zero[255] = 0;
    one[255] = 1;
    minus_one.copy_from_slice(&modulus);
    minus_one[255] -= 1;
    for block in [zero, one, minus_one] {
        let mut result = block;
        assert_eq!(crypto.rsa_private(&key, &mut result), Ok(()));
        assert_eq!(result, block);
    }
}

fn rsa_key_refusals(crypto: &mut impl Crypto) {
    let good = rsa_key(crypto, Rsa2048, DEFAULT_EXPONENT);
    let PrivateParts::Rsa { p, q, .. } = good.parts() else { panic!("an RSA key") };
    let (p, q): ([u8; 128], [u8; 128]) = (p.try_into().expect("half"), q.try_into().expect("half"));
    let with = |index: usize, byte: u8| {
        let mut prime = p;
        prime[index] = byte;
        prime
    };
    let one = {
        let mut one = [0; 128];
        one[127] = 1;
        one
    };
    // 0x1_0001 * 0x…FFFE_0001_FFFE_0001 + 1 with all its top bits: 0xFFFF_FFFF… less a multiple's remainder.
    let after_multiple_of_exponent = {
        let mut number = [0xFF; 128];
        let remainder = number.iter().fold(0_u64, |rest, byte| (rest * 256 + u64::from(*byte)) % 65_537);
        let last = u64::from_be_bytes(number[120..].try_into().expect("8 bytes"));
        // Odd stays odd: an even multiple below, plus one.
        let below = last - remainder;
        let below = if below % 2 == 0 { below } else { below - 65_537 };
        number[120..].copy_from_slice(&(below + 1).to_be_bytes());
        number
    };
    // Twice a multiple of three that is odd and has its top bits set.
    let (three_a, three_b) = {
        let (mut a, mut b) = ([0xFF; 128], [0xFF; 128]);
        a[127] = 0xFF;
        b[127] = 0xF9;
        (a, b)
    };
    #[rustfmt::skip]
    let table = [
        ("exponent 0",                  0,                    p,               q),
        ("exponent 1",                  1,                    p,               q),
        ("exponent 2",                  2,                    p,               q),
        ("exponent 3",                  3,                    p,               q),
        ("exponent 65,535",             65_535,               p,               q),
        ("exponent 65,536",             65_536,               p,               q),
        ("even exponent",               0x0001_0002,          p,               q),
        ("primes zero",                 DEFAULT_EXPONENT,     [0; 128],        [0; 128]),
        ("first prime zero",            DEFAULT_EXPONENT,     [0; 128],        q),
        ("second prime zero",           DEFAULT_EXPONENT,     p,               [0; 128]),
        ("primes one",                  DEFAULT_EXPONENT,     one,             one),
        ("first prime one",             DEFAULT_EXPONENT,     one,             q),
        ("second prime one",            DEFAULT_EXPONENT,     p,               one),
        ("primes equal",                DEFAULT_EXPONENT,     p,               p),
        ("first prime even",            DEFAULT_EXPONENT,     with(127, 0xFE), q),
        ("both primes even",            DEFAULT_EXPONENT,     with(127, 0xFE), with(127, 0xFC)),
        ("modulus a byte short",        DEFAULT_EXPONENT,     with(0, 0x00),   q),
        ("modulus a bit short",         DEFAULT_EXPONENT,     with(0, 0x40),   q),
        ("exponent divides p - 1",      DEFAULT_EXPONENT,     after_multiple_of_exponent, q),
        ("exponent divides q - 1",      DEFAULT_EXPONENT,     p, after_multiple_of_exponent),
        ("primes with a common factor", DEFAULT_EXPONENT,     three_a,         three_b),
    ];
    for (what, exponent, p, q) in table {
        let key = PrivateKey::rsa(Rsa2048, exponent, &p, &q).expect("lengths fit");
        assert_eq!(crypto.public_key(&key), Err(InvalidKey), "{what}");
        let mut block = rsa_block(Rsa2048);
        assert_eq!(crypto.rsa_private(&key, &mut block), Err(InvalidKey), "{what}");
        assert_eq!(block, rsa_block(Rsa2048), "{what}: the block stays");
    }
    for exponent in [0, 1, 3, 65_535, 65_536, 0xFFFF_FFFE] {
        let mut rng = Tape::new(&[0x5A]);
        assert_eq!(crypto.generate(Rsa2048, exponent, &mut rng).err(), Some(InvalidInput), "{exponent:X}");
        assert_eq!(rng.taken, 0, "{exponent:X}");
    }
}

fn rsa_input_refusals(crypto: &mut impl Crypto) {
    let key = rsa_key(crypto, Rsa2048, DEFAULT_EXPONENT);
    let Ok(PublicKey::Rsa { modulus, .. }) = crypto.public_key(&key) else { panic!("an RSA key") };
    let mut above = modulus.clone();
    above[255] += 1;
    for (what, block) in [
        ("the modulus", &modulus[..]),
        ("the modulus plus 1", &above[..]),
        ("all ones", &[0xFF; 256][..]),
        ("nothing", &[][..]),
        ("one byte short", &[0x01; 255][..]),
        ("one byte long", &[0x00; 257][..]),
        ("longer than any key", &[0x00; 600][..]),
    ] {
        let mut buffer = [0; 600];
        let buffer = &mut buffer[..block.len()];
        buffer.copy_from_slice(block);
        assert_eq!(crypto.rsa_private(&key, buffer), Err(InvalidInput), "{what}");
        assert_eq!(buffer, block, "{what}: the block stays");
    }
    assert_eq!(crypto.ecdsa_sign(&key, &[0; 32], &mut [0; 64]), Err(Unsupported));
    assert_eq!(crypto.ecdh(&key, &[0x04; 65], &mut [0; 32]), Err(Unsupported));
}

/// A composite "prime" makes wrong powers, as a fault does: they are held back.
fn rsa_composite_prime(crypto: &mut impl Crypto) {
    let good = rsa_key(crypto, Rsa2048, DEFAULT_EXPONENT);
    let PrivateParts::Rsa { p, q, .. } = good.parts() else { panic!("an RSA key") };
    for (first, second) in [(true, false), (false, true), (true, true)] {
        let next = |prime: &[u8], change: bool| {
            let mut bytes: [u8; 128] = prime.try_into().expect("half");
            // Makes 191 a factor of the one and 7 of the other.
            bytes[125] ^= u8::from(change);
            bytes
        };
        let key = PrivateKey::rsa(Rsa2048, DEFAULT_EXPONENT, &next(p, first), &next(q, second));
        let mut block = rsa_block(Rsa2048);
        let result = crypto.rsa_private(&key.expect("lengths fit"), &mut block);
        assert_eq!(result, Err(Failed));
        assert_eq!(block, rsa_block(Rsa2048), "the block stays");
    }
}
