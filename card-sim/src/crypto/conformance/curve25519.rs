//! Ed25519 and X25519. The numbers: RFC 8032, 7.1; RFC 7748, 5.2 and 6.1; the points of small order are those that follow
//! from the curve's equation, as RFC 7748, 7 speaks of them.

use super::{
    AsymmetricAlgorithm::{EccP256, Ed25519, X25519},
    DEFAULT_EXPONENT,
};
use super::{
    Crypto,
    CryptoError::{InvalidInput, Unsupported},
    PrivateKey, PublicKey, Rsa1024, Tape, bytes, ecc_key, rsa_block, rsa_key,
};

/// Everything in this file.
pub(super) fn all(crypto: &mut impl Crypto) {
    signatures(crypto);
    agreements(crypto);
    thousand_agreements(crypto);
    points_of_small_order(crypto);
    generation(crypto);
    refusals(crypto);
}

fn signatures(crypto: &mut impl Crypto) {
    #[rustfmt::skip]
    let table = [
        // Secret key, public key, message, signature.
        ("9D61B19DEFFD5A60BA844AF492EC2CC44449C5697B326919703BAC031CAE7F60",
         "D75A980182B10AB7D54BFED3C964073A0EE172F3DAA62325AF021A68F707511A",
         "",
         "E5564300C360AC729086E2CC806E828A84877F1EB8E5D974D873E065224901555FB8821590A33BACC61E39701CF9B46BD25BF5F0595BBE24655141438E7A100B"),
        ("4CCD089B28FF96DA9DB6C346EC114E0F5B8A319F35ABA624DA8CF6ED4FB8A6FB",
         "3D4017C3E843895A92B70AA74D1B7EBC9C982CCF2EC4968CC0CD55F12AF4660C",
         "72",
         "92A009A9F0D4CAB8720E820B5F642540A2B27B5416503F8FB3762223EBDB69DA085AC1E43E15996E458F3613D0F11D8C387B2EAEB4302AEEB00D291612BB0C00"),
        ("C5AA8DF43F9F837BEDB7442F31DCB7B166D38535076F094B85CE3A2E0B4458F7",
         "FC51CD8E6218A1A38DA47ED00230F0580816ED13BA3303AC5DEB911548908025",
         "AF82",
         "6291D657DEEC24024827E69C3ABE01A30CE548A284743A445E3680D7DB5AC3AC18FF9B538D16F290AE67F760984DC6594A7C15E9716ED28DC027BECEEA1EC40A"),
        ("833FE62409237B9D62EC77587520911E9A759CEC1D19755B7DA901B96DCA3D42",
         "EC172B93AD5E563BF4932C70E1245034C35467EF2EFD4D64EBF819683467E2BF",
         "DDAF35A193617ABACC417349AE20413112E6FA4E89A97EA20A9EEEE64B55D39A2192992A274FC1A836BA3C23A3FEEBBD454D4423643CE80E2A9AC94FA54CA49F",
         "DC2A4459E7369633A52B1BF277839A00201009A3EFBF3ECB69BEA2186C26B58909351FC9AC90B3ECFDFBC7C66431E0303DCA179C138AC17AD9BEF1177331A704"),
    ];
    for (secret, public, message, expected) in table {
        let key = ecc_key(Ed25519, secret);
        assert_eq!(crypto.public_key(&key), Ok(PublicKey::Ed25519(bytes(public))));
        let mut signature = [0; 64];
        let message = hex::decode(message).expect("hex");
        assert_eq!(crypto.ed25519_sign(&key, &message, &mut signature), Ok(()));
        assert_eq!(signature, bytes::<64>(expected));
    }
}

fn agreements(crypto: &mut impl Crypto) {
    #[rustfmt::skip]
    let table = [
        // Secret key, peer's point, shared secret.
        ("A546E36BF0527C9D3B16154B82465EDD62144C0AC1FC5A18506A2244BA449AC4",
         "E6DB6867583030DB3594C1A424B15F7C726624EC26B3353B10A903A6D0AB1C4C",
         "C3DA55379DE9C6908E94EA4DF28D084F32ECCF03491C71F754B4075577A28552"),
        // A point whose top bit is set, which does not count.
        ("4B66E9D4D1B4673C5AD22691957D6AF5C11B6421E0EA01D42CA4169E7918BA0D",
         "E5210F12786811D3F4B7959D0538AE2C31DBE7106FC03C3EFC4CD549C715A493",
         "95CBDE9476E8907D7AADE45CB4B873F88B595A68799FA152E6F8F7647AAC7957"),
        ("5DAB087E624A8A4B79E17F8B83800EE66F3BB1292618B6FD1C2F8B27FF88E0EB",
         "8520F0098930A754748B7DDCB43EF75A0DBF3A0D26381AF4EBA4A98EAA9B4E6A",
         "4A5D9D5BA4CE2DE1728E3BF480350F25E07E21C947D19E3376F09B3C1E161742"),
    ];
    for (secret, peer, expected) in table {
        let mut shared = [0; 32];
        assert_eq!(crypto.ecdh(&ecc_key(X25519, secret), &bytes::<32>(peer), &mut shared), Ok(()));
        assert_eq!(shared, bytes::<32>(expected));
    }
    let key = ecc_key(X25519, table[2].0);
    let public = "DE9EDB7D7B7DC1B4D35B61C2ECE435373F8343C85B78674DADFC7E146F882B4F";
    assert_eq!(crypto.public_key(&key), Ok(PublicKey::X25519(bytes(public))));
}

/// RFC 7748, 5.2: each secret is the next scalar, and the scalar before the next point.
fn thousand_agreements(crypto: &mut impl Crypto) {
    let mut base = [0; 32];
    base[0] = 9;
    let (mut scalar, mut point) = (base, base);
    for _ in 0..1_000 {
        let key = PrivateKey::ecc(X25519, &scalar).expect("32 bytes");
        let mut shared = [0; 32];
        assert_eq!(crypto.ecdh(&key, &point, &mut shared), Ok(()));
        (point, scalar) = (scalar, shared);
    }
    assert_eq!(scalar, bytes::<32>("684CF59BA83309552800EF566F2F4D3C1C3887C49360E3875F2EB94D99532C51"));
}

fn points_of_small_order(crypto: &mut impl Crypto) {
    let key = ecc_key(X25519, "A546E36BF0527C9D3B16154B82465EDD62144C0AC1FC5A18506A2244BA449AC4");
    for (what, point) in [
        ("zero", "0000000000000000000000000000000000000000000000000000000000000000"),
        ("one", "0100000000000000000000000000000000000000000000000000000000000000"),
        ("order 8", "E0EB7A7C3B41B8AE1656E3FAF19FC46ADA098DEB9C32B1FD866205165F49B800"),
        ("order 8, the other", "5F9C95BCA3508C24B1D0B1559C83EF5B04445CC4581C8E86D8224EDDD09F1157"),
        ("p - 1", "ECFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F"),
        ("p", "EDFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F"),
        ("p + 1", "EEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F"),
    ] {
        let mut point = bytes::<32>(point);
        for top in [0x00, 0x80] {
            point[31] |= top;
            let mut shared = [0x5A; 32];
            assert_eq!(crypto.ecdh(&key, &point, &mut shared), Err(InvalidInput), "{what}, {top:02X}");
            assert_eq!(shared, [0x5A; 32], "{what}: nothing is written");
        }
    }
}

/// Any 32 bytes are a key.
fn generation(crypto: &mut impl Crypto) {
    for algorithm in [Ed25519, X25519] {
        for byte in [0x00, 0x5A, 0xFF] {
            let tape = &[byte];
            let mut rng = Tape::new(tape);
            let key = crypto.generate(algorithm, 0, &mut rng).expect("a key");
            assert!(key.algorithm() == algorithm && key.material() == [byte; 32]);
            assert_eq!(rng.taken, 32);
            assert!(crypto.public_key(&key).is_ok());
        }
    }
}

fn refusals(crypto: &mut impl Crypto) {
    let [signing, agreeing, p256] = [Ed25519, X25519, EccP256]
        .map(|algorithm| PrivateKey::ecc(algorithm, &[0x5A; 32]).expect("32 bytes"));
    let rsa = rsa_key(crypto, Rsa1024, DEFAULT_EXPONENT);
    let mut signature = [0; 64];
    for key in [&agreeing, &p256, &rsa] {
        assert_eq!(crypto.ed25519_sign(key, b"message", &mut signature), Err(Unsupported));
    }
    for key in [&signing, &agreeing] {
        assert_eq!(crypto.ecdsa_sign(key, &[0x5A; 32], &mut signature), Err(Unsupported));
        assert_eq!(crypto.rsa_private(key, &mut rsa_block(Rsa1024)), Err(Unsupported));
    }
    let mut shared = [0; 33];
    assert_eq!(crypto.ecdh(&signing, &[0x09; 32], &mut shared[..32]), Err(Unsupported));
    for (point, space) in [(0, 32), (31, 32), (33, 32), (65, 32), (32, 0), (32, 31), (32, 33)] {
        let result = crypto.ecdh(&agreeing, &[0x09; 65][..point], &mut shared[..space]);
        assert_eq!(result, Err(InvalidInput), "{point} and {space} bytes");
    }
}
