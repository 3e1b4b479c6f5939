//! The check of an RSA key that was made elsewhere. The numbers are those of the key of 1,024 bits that this file's parent
//! generates, and of one whose `p` is the next odd number, computed by the same separate program.

use super::{AsymmetricAlgorithm::EccP256, P256_SCALAR};
use super::{
    Crypto, CryptoError::InvalidKey, CryptoError::Unsupported, DEFAULT_EXPONENT, PrivateKey, Rsa1024,
    Rsa2048, bytes, ecc_key, rsa_key,
};

const P: &str = "F9FD2B7DD9C5196A8DBD0377B8DC4A498A35D86FBCDE6ACCB2CC7D4CD8EA2492\
                 2B23CCE7A26023AB3F0EEF693AC87F64258235EAB1F7A32DC22762A0485B41C7";
const Q: &str = "D4450E59FF72A79E82288F8544EC3C222F0F41DCB9F80CA308349C2443867EE9\
                 7119E86EA7C49250B4323939570FFDF65677FD29F6F1E7FDDFF9979EDCB752D9";
const D_P: &str = "EAAB873537C5776B782C93E1C24E410A31CD042538460E39A42AA4010CAB17B3\
                   82FDB36F4A1537C69C8657A60FC1811CB0BD4001D618A23CE54275AA02E26FA7";
const D_Q: &str = "5E0AD627E3377DB18902C54B0AD50A732E9C38D6BC817BBFC303E3E56111362A\
                   E053D5192934BA8A0CBB6F84CAE0A7E83A38E0AD75DD88A57E544AEB33E7F849";
const Q_INVERSE: &str = "0DF246ADE650C01BA2F11E7A99526592B3CD8E6CA0F0CA64A271619DBFF5F542\
                         D0B265CE82A8D190D39D2C325712636B46158C8B2AF7D66FE93CAD7583B896B9";

/// `P + 2`, a composite number, and what follows from it.
const COMPOSITE: &str = "F9FD2B7DD9C5196A8DBD0377B8DC4A498A35D86FBCDE6ACCB2CC7D4CD8EA2492\
                         2B23CCE7A26023AB3F0EEF693AC87F64258235EAB1F7A32DC22762A0485B41C9";
const D_COMPOSITE: &str = "BA10E8AD1C486A997773C6BFF674E84A0237FFA773312CD6BD021D04F4B29993\
                           BDCE40B5EB929919DDAE751DA2A616C368739943DD408F5100A0A5F4DCC62799";
const Q_INVERSE_COMPOSITE: &str = "67A935BC64FBDBD40E328BDCC858555DF64EFF854C56BD99E1509D39C414630C\
                                   AE100BB9E5C01423934CF0DFB31DE91A4746ED969011BE41C2F6DB232E3F8CDA";

/// Everything in this file.
pub(super) fn all(crypto: &mut impl Crypto) {
    let key =
        |p: &[u8; 64], q: &[u8; 64]| PrivateKey::rsa(Rsa1024, DEFAULT_EXPONENT, p, q).expect("lengths fit");
    let [p, q, d_p, d_q, q_inverse] = [P, Q, D_P, D_Q, Q_INVERSE].map(bytes::<64>);
    let good = key(&p, &q);
    assert!(rsa_key(crypto, Rsa1024, DEFAULT_EXPONENT).material() == good.material());
    assert_eq!(crypto.check_rsa_values(&good, [&d_p, &d_q, &q_inverse]), Ok(()));
    let changed = |value: &[u8; 64]| {
        let mut value = *value;
        value[63] ^= 0x01;
        value
    };
    let long = [&[0x00][..], &d_p].concat();
    let [composite, d_composite, inverse_composite] =
        [COMPOSITE, D_COMPOSITE, Q_INVERSE_COMPOSITE].map(bytes::<64>);
    #[rustfmt::skip]
    let table: [(&str, PrivateKey, [&[u8]; 3]); 13] = [
        ("another dP",           good.clone(), [&changed(&d_p), &d_q, &q_inverse]),
        ("another dQ",           good.clone(), [&d_p, &changed(&d_q), &q_inverse]),
        ("another qInv",         good.clone(), [&d_p, &d_q, &changed(&q_inverse)]),
        ("dP and dQ exchanged",  good.clone(), [&d_q, &d_p, &q_inverse]),
        ("primes exchanged",     key(&q, &p),  [&d_p, &d_q, &q_inverse]),
        ("no dP",                good.clone(), [&[], &d_q, &q_inverse]),
        ("no qInv",              good.clone(), [&d_p, &d_q, &[]]),
        ("dP cut",               good.clone(), [&d_p[..63], &d_q, &q_inverse]),
        ("dP longer than p",     good.clone(), [&long, &d_q, &q_inverse]),
        ("another p",            key(&changed(&p), &q), [&d_p, &d_q, &q_inverse]),
        ("the same prime twice", key(&p, &p),  [&d_p, &d_p, &q_inverse]),
        ("a composite p",        key(&composite, &q), [&d_composite, &d_q, &inverse_composite]),
        ("a composite p, and the prime's values", key(&composite, &q), [&d_p, &d_q, &q_inverse]),
    ];
    for (what, key, values) in table {
        assert_eq!(crypto.check_rsa_values(&key, values), Err(InvalidKey), "{what}");
    }
    // Not only small keys: zeros are none of a key of 2,048 bits.
    let large = rsa_key(crypto, Rsa2048, DEFAULT_EXPONENT);
    assert_eq!(crypto.check_rsa_values(&large, [&[0; 128]; 3]), Err(InvalidKey));
    let curve = ecc_key(EccP256, P256_SCALAR);
    let refused = crypto.check_rsa_values(&curve, [&d_p, &d_q, &q_inverse]);
    assert!(matches!(refused, Err(InvalidKey | Unsupported)), "{refused:?}");
}
