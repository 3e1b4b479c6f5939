//! Secure messaging against recorded sessions, from both sides (SP 800-73-5 part 2, section 4).
//!
//! The sessions of genuine cards give the shared secret and the card's nonce; the card's key is theirs. So the keys, the
//! card's cryptogram and every protected byte follow, for the card and for the host.

use std::{convert::Infallible, path::Path};

use card_sim::{
    Card,
    crypto::RustCrypto,
    holder::Obliging,
    key::{AsymmetricAlgorithm, KeyReference, Origin, PrivateKey, SymmetricAlgorithm, SymmetricKey},
    object::ObjectTag,
    personalise::{Personalisation, ReferenceData},
    platform::{Parts, Platform},
    profile,
    sm::{
        CipherSuite, Session,
        key_establishment::{Established, Transcript, card_id, establish},
    },
    store::{FlashStore, MemoryFlash, Reads},
};
use rand_core::{TryCryptoRng, TryRng};
use serde_json::Value;
use vectors::files;

/// A recorded session, whatever file it comes from.
struct Recording {
    suite: CipherSuite,
    host_id: [u8; 8],
    host_key: Vec<u8>,
    nonce: Vec<u8>,
    z: Vec<u8>,
    cryptogram: Vec<u8>,
    certificate: Vec<u8>,
    exchanges: Vec<Exchange>,
}

/// A protected command and its answer.
struct Exchange {
    what: String,
    header: [u8; 3],
    /// The protected data field, all parts of a chain.
    command: Vec<u8>,
    response: Vec<u8>,
    /// The plain command, where the recording tells it.
    plain: Option<(Vec<u8>, bool)>,
    /// The status word inside, where the recording tells it.
    status: Option<u16>,
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no text"));
    hex::decode(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Header and data field of the parts of one protected command.
fn joined(parts: &[Vec<u8>]) -> ([u8; 3], Vec<u8>) {
    let header = parts[0][1..4].try_into().unwrap();
    (header, parts.iter().flat_map(|part| &part[5..5 + usize::from(part[4])]).copied().collect())
}

/// Data field of a plain short or extended command, and whether it asks for an answer.
fn plain(command: &[u8]) -> (Vec<u8>, bool) {
    let command = apdu::Command::parse(command).unwrap();
    (command.data.to_vec(), command.ne() > 0)
}

/// The recording of a genuine card.
fn genuine(path: &Path) -> Recording {
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let opacity = &json["opacity"];
    let id = opacity["cipher_suite_id"].as_str().unwrap().trim_start_matches("0x");
    let mut exchanges = Vec::new();
    let mut parts = Vec::new();
    for exchange in json["apdu_exchanges"].as_array().unwrap() {
        let command = bytes(&exchange["command"]);
        if command[0] & 0x0C != 0x0C {
            continue;
        }
        parts.push(command);
        if parts.last().unwrap()[0] == 0x1C {
            continue;
        }
        let (header, command) = joined(&std::mem::take(&mut parts));
        exchanges.push(Exchange {
            what: exchange["description"].as_str().unwrap().to_owned(),
            header,
            command,
            response: bytes(&exchange["response"]),
            plain: exchange.get("plain_command").map(|command| plain(&bytes(command))),
            status: None,
        });
    }
    Recording {
        suite: CipherSuite::from_id(u8::from_str_radix(id, 16).unwrap()).unwrap(),
        host_id: bytes(&opacity["id_sH"]).try_into().unwrap(),
        host_key: [
            vec![0x04],
            bytes(&opacity["ephemeral_public_key_x"]),
            bytes(&opacity["ephemeral_public_key_y"]),
        ]
        .concat(),
        nonce: bytes(&opacity["n_ICC"]),
        z: bytes(&opacity["shared_secret_Z"]),
        cryptogram: bytes(&opacity["auth_cryptogram"]),
        certificate: bytes(&opacity["cvc_raw"]),
        exchanges,
    }
}

/// The sessions that were computed with both keys.
fn computed(path: &Path) -> Vec<Recording> {
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let session = |json: &Value| {
        let exchange = |exchange: &Value| {
            let parts: Vec<_> = exchange["apdus"].as_array().unwrap().iter().map(bytes).collect();
            let (header, command) = joined(&parts);
            Exchange {
                what: exchange["desc"].as_str().unwrap().to_owned(),
                header,
                command,
                response: bytes(&exchange["response_data"]),
                plain: Some((bytes(&exchange["plain_command_data"]), !exchange["le"].is_null())),
                status: Some(u16::from_str_radix(exchange["inner_sw"].as_str().unwrap(), 16).unwrap()),
            }
        };
        Recording {
            suite: CipherSuite::from_id(bytes(&json["alg"])[0]).unwrap(),
            host_id: bytes(&json["id_sH"]).try_into().unwrap(),
            host_key: bytes(&json["host_eph_Q"]),
            nonce: bytes(&json["nonce"]),
            z: bytes(&json["Z"]),
            cryptogram: bytes(&json["auth_cryptogram"]),
            certificate: bytes(&json["cvc"]),
            exchanges: json["exchanges"].as_array().unwrap().iter().map(exchange).collect(),
        }
    };
    json.as_array().unwrap().iter().map(session).collect()
}

impl Recording {
    fn session(&self) -> Session {
        let Established { cryptogram, session } = establish(
            &Transcript {
                suite: self.suite,
                host_control: 0x00,
                host_id: &self.host_id,
                host_key: &self.host_key,
                card_id: &card_id(&self.certificate),
                card_control: 0x00,
                nonce: &self.nonce,
            },
            &self.z,
        )
        .unwrap();
        assert_eq!(cryptogram, *self.cryptogram);
        session
    }

    /// Plays the session as the card and as the host; gives the number of exchanges.
    fn play(&self) -> usize {
        let (mut card, mut host) = (self.session(), self.session());
        for Exchange { what, header, command, response, plain, status } in &self.exchanges {
            let mut opened = heapless::Vec::<u8, 1024>::new();
            card.open_command(*header, command, &mut opened)
                .unwrap_or_else(|error| panic!("{what}: {error:?}"));
            let wants_answer = command.windows(3).any(|object| object == [0x97, 0x01, 0x00]);
            if let Some((data, expected)) = plain {
                assert_eq!(opened.as_slice(), data, "{what}");
                assert_eq!(wants_answer, *expected, "{what}");
            }
            host.protect_command(*header, wants_answer, &mut opened).unwrap();
            assert_eq!(opened.as_slice(), command, "{what}, sent by the host");

            let mut answer = heapless::Vec::<u8, { 16 * 1024 }>::new();
            let inner =
                host.open_response(response, &mut answer).unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!(inner, status.unwrap_or(inner), "{what}");
            card.protect_response(inner, &mut answer).unwrap();
            assert_eq!(answer.as_slice(), response, "{what}, answered by the card");
        }
        self.exchanges.len()
    }
}

#[test]
fn sessions_of_genuine_cards_are_the_same_byte_for_byte() {
    let recordings = [
        "real_sd33_card3_contact_CS2_intermediateCVC.json",
        "real_sd33_card4_contact_CS2.json",
        "real_sd33_card4_contactless_CS2.json",
        "real_sd33_card5_contactless_CS7.json",
        "real_sd33_card8_contact_CS7_noVCI_chained.json",
    ];
    for name in recordings {
        if let Some(path) = files::shared(name).unwrap() {
            println!("{name}: {} exchanges", genuine(&path).play());
        }
    }
}

/// A card with the key of a computed session, whose randomness is the session's nonce.
fn card_of(json: &Value) -> Card<Parts<Nonce, FlashStore<MemoryFlash>, RustCrypto>> {
    let algorithm =
        if json["alg"] == "27" { AsymmetricAlgorithm::EccP256 } else { AsymmetricAlgorithm::EccP384 };
    let key = PrivateKey::ecc(algorithm, &bytes(&json["card_static_d"])).unwrap();
    // The objects that the session reads.
    let read = json["exchanges"].as_array().unwrap().iter().filter_map(|exchange| {
        let tag = exchange["plain_command_data"]
            .as_str()?
            .strip_prefix("5C03")
            .or_else(|| exchange["plain_command_data"].as_str()?.strip_prefix("5C01"))?;
        let tag = ObjectTag::new(u32::from_str_radix(tag, 16).unwrap()).unwrap();
        Some((tag, bytes(&exchange["plain_response"]))).filter(|(_, object)| !object.is_empty())
    });
    let objects: Vec<_> = read.collect();
    let mut store = FlashStore::format(MemoryFlash::blank(36), Reads::Memory).unwrap();
    Personalisation {
        profile: &profile::PIV,
        pin: ReferenceData { value: b"123456\xFF\xFF", tries: 3 },
        puk: ReferenceData { value: b"12345678", tries: 3 },
        global_pin: None,
        fingers: &[],
        serial_number: None,
        management_key: &SymmetricKey::new(SymmetricAlgorithm::Aes192, &[0x01; 24]).unwrap(),
        card_verifiable_certificate: Some(&bytes(&json["cvc"])),
        keys: &[(KeyReference::SecureMessaging, key, Origin::Generated)],
        objects: &objects.iter().map(|(tag, object)| (*tag, object.as_slice())).collect::<Vec<_>>(),
        cac: None,
    }
    .write(&mut store)
    .unwrap();
    let rng = Nonce(bytes(&json["nonce"]));
    let mut card = Card::new(Parts { rng, store, crypto: RustCrypto::default(), holder: Obliging }).unwrap();
    card.power_on();
    card
}

/// Gives the bytes that a recording says the card drew.
struct Nonce(Vec<u8>);

impl TryRng for Nonce {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("the card draws bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("the card draws bytes")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Nonce {}

/// The whole answer, fetched in parts as a short Le asks for it.
fn whole<P: Platform>(card: &mut Card<P>, command: &[u8]) -> (Vec<u8>, u16) {
    let response = card.transmit(command);
    let (mut data, mut status) = (response.data.to_vec(), response.status.to_u16());
    while status >> 8 == 0x61 {
        let response = card.transmit(&[0x00, 0xC0, 0x00, 0x00, status.to_be_bytes()[1]]);
        data.extend(response.data);
        status = response.status.to_u16();
    }
    (data, status)
}

#[test]
fn a_card_with_the_key_answers_the_same_from_the_key_upwards() {
    let Some(path) = files::shared("sm_lab_both_keys.json").unwrap() else { return };
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for session in json.as_array().unwrap() {
        let mut card = card_of(session);
        assert_eq!(
            whole(&mut card, &bytes(&session["ga_command"])),
            (bytes(&session["ga_response"]), 0x9000)
        );
        // The answer to the RSA command is a placeholder in the recording, and what follows depends on it.
        let exchanges = session["exchanges"].as_array().unwrap().iter();
        for exchange in exchanges.take_while(|exchange| exchange["plain_command_header"] != "0087079A") {
            for apdu in exchange["apdus"].as_array().unwrap() {
                let (data, status) = whole(&mut card, &bytes(apdu));
                assert_eq!(status, 0x9000, "{}", exchange["desc"]);
                assert_eq!(data, bytes(&exchange["response_data"]), "{}", exchange["desc"]);
            }
        }
    }
}

#[test]
fn sessions_with_both_keys_are_the_same_byte_for_byte() {
    if let Some(path) = files::shared("sm_lab_both_keys.json").unwrap() {
        for recording in computed(&path) {
            println!("{:?}: {} exchanges", recording.suite, recording.play());
        }
    }
}
