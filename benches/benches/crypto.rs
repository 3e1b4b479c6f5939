//! Private-key operations of a card, from the bytes of GENERAL AUTHENTICATE to its answer, beside OpenSSL's and AWS-LC's
//! bare operations.
//!
//! All candidates of an operation take turns within one run, and what counts is the median of the ratios of
//! the turns: absolute times on shared machines mean nothing. Every candidate's answer is checked before it is
//! measured. Ends with key generation: the mean of sixty keys, because its times scatter.

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use AsymmetricAlgorithm::{EccP256, EccP384, Rsa2048, Rsa3072, Rsa4096};
use Operation::{Agree, Sign};
use apdu::Status;
use aws_lc_rs::{agreement, digest, rand::SystemRandom, signature as aws};
use benches::{Report, median, microseconds, time_per_call};
use card_sim::{
    Card,
    crypto::{Crypto, check_rsa_key},
    holder::Obliging,
    key::{
        AsymmetricAlgorithm, DEFAULT_EXPONENT, KeyReference, Origin, PrivateKey, PrivateParts, PublicKey,
        SymmetricAlgorithm, SymmetricKey,
    },
    personalise::{Personalisation, ReferenceData},
    platform::Parts,
    profile,
    store::{FlashStore, MemoryFlash},
};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey, EcPoint},
    ecdsa::EcdsaSig,
    nid::Nid,
    rsa::{Padding, Rsa},
};
use rsa::pkcs1::EncodeRsaPrivateKey;
use vreader::{
    crypto::{
        DefaultCrypto, PortableCrypto, backend_name,
        verify::{rsa_public, verify_ecdsa},
    },
    image::FlashSize,
    random::{self, CardRng},
};

/// The host's card may take this many times what the faster library takes.
const HOST_LIMIT: f64 = 1.3;

/// Turns of each operation, and the time that each candidate gets in a turn.
const TURNS: usize = 31;
const TURN: Duration = Duration::from_millis(10);

/// Keys of which the mean is taken.
const KEYS: u64 = 60;

#[derive(Clone, Copy, PartialEq)]
enum Operation {
    /// Raw RSA, or ECDSA over a digest.
    Sign,
    /// ECDH.
    Agree,
}

/// Operation, algorithm, and how many times the faster library the portable card may take, where that is limited.
const TABLE: [(&str, Operation, AsymmetricAlgorithm, Option<f64>); 7] = [
    ("raw RSA-2048", Sign, Rsa2048, Some(6.0)),
    ("raw RSA-3072", Sign, Rsa3072, Some(6.0)),
    ("raw RSA-4096", Sign, Rsa4096, Some(6.0)),
    ("ECDSA P-256", Sign, EccP256, Some(5.0)),
    ("ECDSA P-384", Sign, EccP384, Some(3.0)),
    ("ECDH P-256", Agree, EccP256, None),
    ("ECDH P-384", Agree, EccP384, None),
];

fn main() -> ExitCode {
    let mut report = Report::new("Private-key operations, through GENERAL AUTHENTICATE");
    for (name, operation, algorithm, portable_limit) in TABLE {
        let case = Case::new(operation, algorithm);
        let (openssl, aws_lc) = if algorithm.is_rsa() {
            (openssl_rsa(&case), aws_lc_rsa(&case))
        } else if operation == Sign {
            (openssl_ecdsa(&case), aws_lc_ecdsa(&case))
        } else {
            (openssl_ecdh(&case), aws_lc_ecdh(&case))
        };
        let candidates = [case.card::<DefaultCrypto>(), case.card::<PortableCrypto>(), openssl, aws_lc];
        compare(&mut report, name, candidates, portable_limit);
    }
    generation(&mut report);
    report.end()
}

/// What is measured again and again.
type Candidate = Box<dyn FnMut()>;

fn compare(report: &mut Report, name: &str, mut candidates: [Candidate; 4], portable_limit: Option<f64>) {
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..TURNS {
        for (candidate, times) in candidates.iter_mut().zip(&mut times) {
            times.push(microseconds(time_per_call(TURN, candidate)));
        }
    }
    let medians = times.each_ref().map(|times| median(&mut times.clone()));
    let [host, portable, openssl, aws_lc] = &times;
    let (library, faster) = if medians[2] <= medians[3] { ("OpenSSL", openssl) } else { ("AWS-LC", aws_lc) };
    let ratio = |card: &[f64]| {
        let mut ratios: Vec<_> = card.iter().zip(faster).map(|(card, library)| card / library).collect();
        median(&mut ratios)
    };
    for (who, time) in ["OpenSSL", "AWS-LC"].iter().zip(&medians[2..]) {
        report.note(&format!("{name}: {who}"), *time, "us");
    }
    report.note(&format!("{name}: card on {}", backend_name()), medians[0], "us");
    report.note(&format!("{name}: card on RustCrypto"), medians[1], "us");
    report.at_most(&format!("{name}: card on {} / {library}", backend_name()), ratio(host), HOST_LIMIT, "x");
    let what = format!("{name}: card on RustCrypto / {library}");
    match portable_limit {
        Some(limit) => report.at_most(&what, ratio(portable), limit, "x"),
        None => report.note(&what, ratio(portable), "x"),
    }
}

/// A key, an input for it, and the answer.
struct Case {
    operation: Operation,
    key: PrivateKey,
    public: PublicKey,
    /// Block, digest or the peer's point.
    input: Vec<u8>,
    /// The shared coordinate; a signature is checked by its public key instead.
    shared: Vec<u8>,
}

impl Case {
    fn new(operation: Operation, algorithm: AsymmetricAlgorithm) -> Self {
        let mut rng = random::from_seed("bench", 0);
        let mut crypto = PortableCrypto::default();
        let key = crypto.generate(algorithm, DEFAULT_EXPONENT, &mut rng).expect("a key");
        let public = crypto.public_key(&key).expect("a valid key");
        let mut input = vec![0x5A; algorithm.size()];
        let mut shared = Vec::new();
        if operation == Agree {
            let peer = crypto.generate(algorithm, DEFAULT_EXPONENT, &mut rng).expect("a key");
            let PublicKey::Ecc { point } = crypto.public_key(&peer).expect("a valid key") else {
                panic!("ECDH is on curves")
            };
            input = point.to_vec();
            shared = vec![0; algorithm.size()];
            crypto.ecdh(&key, &input, &mut shared).expect("two valid keys agree");
        }
        Self { operation, key, public, input, shared }
    }

    fn point(&self) -> &[u8] {
        match &self.public {
            PublicKey::Ecc { point } => point,
            _ => panic!("a curve has points"),
        }
    }

    /// Panics unless `answer` (power, DER signature or shared coordinate) belongs to key and input.
    fn check(&self, answer: &[u8]) {
        match (&self.public, self.operation) {
            (_, Agree) => assert_eq!(answer, self.shared),
            (PublicKey::Rsa { modulus, exponent }, Sign) => {
                assert_eq!(rsa_public(modulus, *exponent, answer).as_ref(), Ok(&self.input));
            }
            (PublicKey::Ecc { point }, Sign) => assert_eq!(verify_ecdsa(point, &self.input, answer), Ok(())),
            (PublicKey::Ed25519(_) | PublicKey::X25519(_), Sign) => panic!("no bench has such a key"),
        }
    }

    /// A card with the key, and the command that uses it, in one extended APDU (SP 800-73-5 part 2, 3.2.4).
    fn card<C: Crypto + Default + 'static>(&self) -> Candidate {
        let (reference, tag) = match self.operation {
            Sign => (KeyReference::PivAuthentication, 0x81),
            Agree => (KeyReference::KeyManagement, 0x85),
        };
        let template = [tlv(0x82, &[]), tlv(tag, &self.input)].concat();
        let template = tlv(0x7C, &template);
        let length = u16::try_from(template.len()).expect("the largest block fits").to_be_bytes();
        let header = [0x00, 0x87, self.key.algorithm().id(), reference.to_byte(), 0x00];
        let command = [&header, &length[..], &template, &[0x00, 0x00]].concat();

        let mut card = card::<C>(reference, &self.key);
        let answer = card.transmit(&command);
        assert_eq!(answer.status, Status::Ok, "GENERAL AUTHENTICATE");
        self.check(untlv(0x82, untlv(0x7C, answer.data)));
        Box::new(move || {
            black_box(card.transmit(black_box(&command)));
        })
    }
}

type BenchCard<C> = Card<Parts<CardRng, FlashStore<MemoryFlash>, C>>;

/// A card with `key`, its PIN verified.
fn card<C: Crypto + Default>(reference: KeyReference, key: &PrivateKey) -> BenchCard<C> {
    let management_key = SymmetricKey::new(SymmetricAlgorithm::Aes192, &[1; 24]).expect("24 bytes");
    let contents = Personalisation {
        profile: &profile::PIV,
        pin: ReferenceData { value: b"123456\xFF\xFF", tries: 3 },
        puk: ReferenceData { value: b"12345678", tries: 3 },
        global_pin: None,
        fingers: &[],
        card_verifiable_certificate: None,
        serial_number: None,
        management_key: &management_key,
        keys: &[(reference, key.clone(), Origin::Imported)],
        objects: &[],
        cac: None,
    };
    let mut store = FlashSize::DEFAULT.blank_store();
    contents.write(&mut store).expect("the card fits its memory");
    let platform =
        Parts { rng: random::from_seed("bench", 0), store, crypto: C::default(), holder: Obliging };
    let mut card = Card::new(platform).expect("the card was just made");
    card.power_on();
    let verify = [&[0x00, 0x20, 0x00, 0x80, 0x08][..], b"123456\xFF\xFF"].concat();
    assert_eq!(card.transmit(&verify).status, Status::Ok, "VERIFY");
    card
}

/// BER-TLV with a tag of one byte.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("a short value").to_be_bytes();
    let head = match value.len() {
        0..=0x7F => vec![tag, length[1]],
        0x80..=0xFF => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [&head, value].concat()
}

/// The value of the object that `bytes` consist of.
fn untlv(tag: u8, bytes: &[u8]) -> &[u8] {
    assert_eq!(bytes[0], tag);
    let head = if bytes[1] < 0x80 { 2 } else { 2 + usize::from(bytes[1] & 0x7F) };
    &bytes[head..]
}

// ---------------------------------------------------------------------------------------------- the libraries

fn pkcs1(case: &Case) -> Vec<u8> {
    let key = check_rsa_key(&case.key).expect("a valid key");
    key.to_pkcs1_der().expect("a two-prime key").as_bytes().to_vec()
}

fn scalar(case: &Case) -> &[u8] {
    match case.key.parts() {
        PrivateParts::Ecc { scalar } => scalar,
        PrivateParts::Rsa { .. } => panic!("a curve has scalars"),
    }
}

fn openssl_rsa(case: &Case) -> Candidate {
    let key = Rsa::private_key_from_der(&pkcs1(case)).expect("a valid key");
    let (input, mut output) = (case.input.clone(), vec![0; case.input.len()]);
    key.private_decrypt(&input, &mut output, Padding::NONE).expect("a block below the modulus");
    case.check(&output);
    Box::new(move || {
        black_box(key.private_decrypt(black_box(&input), &mut output, Padding::NONE)).expect("as before");
    })
}

/// AWS-LC's raw operation is not among the safe calls of `aws-lc-rs`; a PKCS #1 signature over a short message is the
/// same operation after one SHA-256, which is less than a thousandth of it.
fn aws_lc_rsa(case: &Case) -> Candidate {
    let key = aws::RsaKeyPair::from_der(&pkcs1(case)).expect("a valid key");
    let mut output = vec![0; case.input.len()];
    let random = SystemRandom::new();
    Box::new(move || {
        let message = black_box(&b"message"[..]);
        key.sign(&aws::RSA_PKCS1_SHA256, &random, message, &mut output).expect("a signature");
        black_box(&output);
    })
}

fn group(case: &Case) -> EcGroup {
    let curve = if case.key.algorithm() == EccP256 { Nid::X9_62_PRIME256V1 } else { Nid::SECP384R1 };
    EcGroup::from_curve_name(curve).expect("OpenSSL has the curve")
}

fn openssl_ecdsa(case: &Case) -> Candidate {
    let group = group(case);
    let mut context = BigNumContext::new().expect("memory");
    let point = EcPoint::from_bytes(&group, case.point(), &mut context).expect("a point");
    let number = BigNum::from_slice(scalar(case)).expect("memory");
    let key = EcKey::from_private_components(&group, &number, &point).expect("a valid key");
    let digest = case.input.clone();
    case.check(&EcdsaSig::sign(&digest, &key).and_then(|s| s.to_der()).expect("a signature"));
    Box::new(move || {
        let signature = EcdsaSig::sign(black_box(&digest), &key).expect("as before");
        black_box(signature.to_der().expect("as before"));
    })
}

fn aws_lc_ecdsa(case: &Case) -> Candidate {
    let (algorithm, hash) = if case.key.algorithm() == EccP256 {
        (&aws::ECDSA_P256_SHA256_ASN1_SIGNING, &digest::SHA256)
    } else {
        (&aws::ECDSA_P384_SHA384_ASN1_SIGNING, &digest::SHA384)
    };
    let key = aws::EcdsaKeyPair::from_private_key_and_public_key(algorithm, scalar(case), case.point())
        .expect("a valid key");
    let digest = digest::digest(hash, b"message");
    let signature = key.sign_digest(&digest).expect("a signature");
    assert_eq!(verify_ecdsa(case.point(), digest.as_ref(), signature.as_ref()), Ok(()));
    Box::new(move || {
        black_box(key.sign_digest(black_box(&digest)).expect("as before"));
    })
}

/// By point multiplication, which takes less than half the time of OpenSSL's `Deriver`.
fn openssl_ecdh(case: &Case) -> Candidate {
    let group = group(case);
    let mut context = BigNumContext::new_secure().expect("memory");
    let number = BigNum::from_slice(scalar(case)).expect("memory");
    let (input, size) = (case.input.clone(), i32::try_from(case.shared.len()).expect("a coordinate"));
    let mut agree = move || {
        let peer = EcPoint::from_bytes(&group, black_box(&input), &mut context).expect("a point");
        let mut product = EcPoint::new(&group).expect("memory");
        product.mul2(&group, &peer, &number, &mut context).expect("memory");
        let (mut x, mut y) = (BigNum::new().expect("memory"), BigNum::new().expect("memory"));
        product.affine_coordinates(&group, &mut x, &mut y, &mut context).expect("a point");
        x.to_vec_padded(size).expect("a coordinate")
    };
    case.check(&agree());
    Box::new(move || {
        black_box(agree());
    })
}

fn aws_lc_ecdh(case: &Case) -> Candidate {
    let algorithm =
        if case.key.algorithm() == EccP256 { &agreement::ECDH_P256 } else { &agreement::ECDH_P384 };
    let key = agreement::PrivateKey::from_private_key(algorithm, scalar(case)).expect("a valid key");
    let input = case.input.clone();
    let agree = move || {
        let peer = agreement::UnparsedPublicKey::new(algorithm, black_box(&input));
        agreement::agree(&key, peer, (), |secret| Ok(secret.to_vec())).expect("a point")
    };
    case.check(&agree());
    Box::new(move || {
        black_box(agree());
    })
}

// ---------------------------------------------------------------------------------------------- key generation

fn generation(report: &mut Report) {
    let name = format!("generate RSA-2048, mean of {KEYS}");
    let (mut host, mut portable) = (DefaultCrypto::default(), PortableCrypto::default());
    let [mut host_time, mut portable_time, mut openssl_time] = [Duration::ZERO; 3];
    for seed in 0..KEYS {
        let start = Instant::now();
        let rng = &mut random::from_seed("bench", seed);
        let key = host.generate(Rsa2048, DEFAULT_EXPONENT, rng).expect("a key");
        host_time += start.elapsed();

        let start = Instant::now();
        let rng = &mut random::from_seed("bench", seed);
        let same = portable.generate(Rsa2048, DEFAULT_EXPONENT, rng).expect("a key");
        portable_time += start.elapsed();
        assert!(key.material() == same.material(), "both make the same key of seed {seed}");

        let start = Instant::now();
        black_box(Rsa::generate(2048).expect("a key"));
        openssl_time += start.elapsed();
    }
    let keys = f64::from(u32::try_from(KEYS).expect("a few"));
    let mean = |time: Duration| microseconds(time) / keys / 1e3;
    report.note(&format!("{name}: OpenSSL"), mean(openssl_time), "ms");
    report.note(&format!("{name}: {}", backend_name()), mean(host_time), "ms");
    report.note(&format!("{name}: RustCrypto"), mean(portable_time), "ms");
    report.at_most(
        &format!("{name}: {} / OpenSSL", backend_name()),
        host_time.as_secs_f64() / openssl_time.as_secs_f64(),
        1.0,
        "x",
    );
}
