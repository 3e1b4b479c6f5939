//! Recorded GENERAL AUTHENTICATE pairs verify; the card of this workspace gives the same answers to our own.

mod common;

use std::fmt::Write as _;
use std::path::Path;

use apdu::tlv_ber::{Reader, Tag};
use common::{RefusedBy, TestCard};
use vectors::files;
use vectors::recorded::{
    Authentication, Authentications, Operation, PairError, authentications, card_objects,
};
use vectors::scenario::{Script, run};

fn load(path: &Path) -> Authentications {
    let file = authentications(path).unwrap_or_else(|error| panic!("{error}"));
    assert!(!file.vectors.is_empty(), "{} holds nothing", path.display());
    file
}

fn own() -> Authentications {
    load(&files::own("known/general_authenticate.json"))
}

/// Checks every pair and counts RSA, ECDSA and ECDH.
fn check_all(file: &Authentications) -> [usize; 3] {
    let mut counts = [0; 3];
    for (index, pair) in file.vectors.iter().enumerate() {
        let Authentication { card, algorithm, key_reference, .. } = pair;
        pair.check().unwrap_or_else(|error| {
            panic!("{}: pair {index}, card {card}, {algorithm}/{key_reference}: {error}", file.source)
        });
        counts[match pair.operation {
            Operation::Rsa { .. } => 0,
            Operation::Ecdsa { .. } => 1,
            Operation::Ecdh { .. } => 2,
        }] += 1;
    }
    counts
}

#[test]
fn own_pairs_verify() {
    assert_eq!(check_all(&own()), [2, 3, 4]);
}

#[test]
fn pairs_of_the_nist_cards_verify() {
    let Some(path) =
        files::shared("general_authenticate_real.json").unwrap_or_else(|error| panic!("{error}"))
    else {
        return;
    };
    assert_eq!(check_all(&load(&path)), [18, 10, 2]);
}

/// The public keys of the pairs stand in the certificates of the same cards, where those are not compressed.
#[test]
fn pairs_of_the_nist_cards_belong_to_their_certificates() {
    let Some(path) =
        files::shared("general_authenticate_real.json").unwrap_or_else(|error| panic!("{error}"))
    else {
        return;
    };
    let mut found = 0;
    for pair in load(&path).vectors {
        let objects = format!("nist_sd33_card{}_objects.json", pair.card);
        let path = files::shared(&objects)
            .unwrap_or_else(|error| panic!("{error}"))
            .expect("the objects lie beside the pairs");
        let objects = card_objects(&path).unwrap_or_else(|error| panic!("{error}")).objects;
        let container = match pair.key_reference.as_str() {
            "9A" => "5FC105",
            "9C" => "5FC10A",
            "9D" => "5FC10B",
            "9E" => "5FC101",
            other => panic!("no container is known for key {other}"),
        };
        let key = match &pair.operation {
            Operation::Rsa { modulus, .. } => modulus,
            Operation::Ecdsa { point, .. } | Operation::Ecdh { point, .. } => point,
        };
        let contents = Reader::new(&objects[container]).expect(Tag::new(0x53)).unwrap();
        let elements = Reader::single_byte_tags(contents);
        let certificate = elements.find(Tag::new(0x70)).unwrap().unwrap();
        let compressed = elements.find(Tag::new(0x71)).unwrap() == Some(&[0x01]);
        let stands_there = certificate.windows(key.len()).any(|window| window == key);
        assert_ne!(stands_there, compressed, "card {}, {container}", pair.card);
        found += usize::from(stands_there);
    }
    // Card 2 has compressed certificates; six pairs are from it.
    assert_eq!(found, 24);
}

#[test]
fn a_changed_pair_is_found_out() {
    type Change = fn(&mut Authentication);
    let changes: [(Change, PairError); 5] = [
        (|pair| pair.command[3] ^= 1, PairError::Header),
        (|pair| pair.algorithm = "7".into(), PairError::Header),
        (|pair| pair.command.truncate(20), PairError::CommandTemplate),
        (|pair| pair.response[0] ^= 1, PairError::ResponseTemplate),
        (|pair| pair.response.push(0), PairError::ResponseTemplate),
    ];
    for (change, expected) in changes {
        for mut pair in own().vectors {
            change(&mut pair);
            assert_eq!(pair.check(), Err(expected), "{}/{}", pair.algorithm, pair.key_reference);
        }
    }
}

#[test]
fn a_wrong_result_is_found_out() {
    for mut pair in own().vectors {
        let last = match &mut pair.operation {
            Operation::Rsa { result, .. } => result,
            Operation::Ecdsa { signature, .. } => signature,
            Operation::Ecdh { shared, .. } => shared,
        };
        *last.last_mut().unwrap() ^= 1;
        *pair.response.last_mut().unwrap() ^= 1;
        assert_eq!(pair.check(), Err(PairError::Result), "{}/{}", pair.algorithm, pair.key_reference);
    }
}

/// The nonces are deterministic, so the card's answers are the same to the byte.
#[test]
fn the_card_answers_as_our_own_pairs_say() {
    let file = own();
    let mut text = String::from("title Own pairs\nclause SP 800-73-5 part 2, 3.2.4\ncard piv\n");
    for (index, pair) in file.vectors.iter().enumerate() {
        let Authentication { algorithm, key_reference, command, response, .. } = pair;
        writeln!(text, "scenario pair {index}, {algorithm}/{key_reference}\ndo verify the PIN").unwrap();
        writeln!(text, "> {}\n< {} 90 00", hex::encode(command), hex::encode(response)).unwrap();
    }
    let script = Script::parse("known/general_authenticate.json", &text, &files::own("cards")).unwrap();
    let refused_by = RefusedBy::default();
    let report = run(&script, |values| TestCard::new(values, &refused_by));
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(report.scenarios, file.vectors.len());
}
