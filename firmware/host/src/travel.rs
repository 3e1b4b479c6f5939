//! A card goes from a host to a board and back, as bytes: the card file of `vreader` is the board's flash.

use std::{fs, path::Path};

use card_sim::{key::AsymmetricAlgorithm, profile};
use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    image::FlashSize,
    inspect::{Counter, inspect},
    issue::{Request, issue},
    reader::{InsertedCard, Interface},
};

use crate::{
    machine::{Flash, Machine, MachineError, Message},
    sample,
};

const FIRST_PIN: [u8; 8] = *b"123456\xFF\xFF";
const SECOND_PIN: [u8; 8] = *b"654321\xFF\xFF";
const WRONG_PIN: [u8; 8] = *b"000000\xFF\xFF";
const OK: [u8; 2] = [0x90, 0x00];

/// Makes a card file, uses the card on a board, then on the host again, then on the board again.
///
/// # Panics
/// When the card is not what the other side left.
pub(crate) fn there_and_back(firmware: &Path) -> Result<(), MachineError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("my.card");
    let sign = sample::sign(AsymmetricAlgorithm::EccP256, &[0xA5; 32]);

    // A new card, with all its objects and certificates.
    let issued = issue(&Request::default(), &mut DefaultCrypto::default(), &mut |_| ()).expect("a card");
    let mut host =
        EmulatedCard::create(&path, FlashSize::DEFAULT, &profile::PIV, 3, &issued).expect("a card file");
    host.power_on(Interface::Contact);
    let signature = host.transmit(&sign);
    assert!(signature.ends_with(&OK), "the host's card signs");
    drop(host);

    // On the board: the same key gives the same signature. The PIN is changed, and a try is lost with the power.
    let flash = Flash::new(&fs::read(&path).expect("the card file"))?;
    let mut board = Machine::start(firmware, &flash)?;
    board.tell(Message::PowerOn)?;
    assert_eq!(board.transmit(&sign)?, signature, "the card signs on the board as on the host");
    let change = [&[0x00, 0x24, 0x00, 0x80, 0x10][..], &FIRST_PIN, &SECOND_PIN].concat();
    assert_eq!(board.transmit(&change)?, OK, "CHANGE REFERENCE DATA");
    assert_eq!(board.transmit(&sample::verify(WRONG_PIN))?, [0x63, 0xC2], "a wrong PIN on the board");
    drop(board);

    // On the host: `vreader card show` finds the lost try, the old PIN costs another, the new one is right.
    fs::write(&path, flash.image()?).expect("the card file can be written");
    let contents = EmulatedCard::contents_of(&path).expect("the board's flash is a card file");
    let report = inspect(&contents);
    assert!(report.problems.is_empty(), "`vreader card show` finds problems: {report}");
    assert_eq!(report.pin, Counter { tries_left: 2, tries_total: 3 }, "the board's try");
    let mut host = EmulatedCard::open(&path).expect("the board's flash is a card file");
    host.power_on(Interface::Contact);
    assert_eq!(host.transmit(&sample::verify(FIRST_PIN)), [0x63, 0xC1], "the old PIN on the host");
    assert_eq!(host.transmit(&sign), signature, "the card signs on the host as on the board");
    drop(host);

    // On the board again.
    let flash = Flash::new(&fs::read(&path).expect("the card file"))?;
    let mut board = Machine::start(firmware, &flash)?;
    board.tell(Message::PowerOn)?;
    assert_eq!(board.transmit(&[0x00, 0x20, 0x00, 0x80])?, [0x63, 0xC1], "the host's try");
    assert_eq!(board.transmit(&sample::verify(SECOND_PIN))?, OK, "the new PIN on the board");
    Ok(())
}
