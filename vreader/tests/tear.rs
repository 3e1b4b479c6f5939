//! A card that loses its power in the middle of a write, as it was ordered to: what it holds afterwards, and what programs
//! see of it.

use std::{fs, path::Path};

use card_sim::{
    key::{KeyReference, PublicKey},
    profile::PIV,
    store::Reads,
};
use vectors::oracle;
use vreader::{
    World,
    attach::pcsc::{RemoteCard, RemoteError},
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    image::{Durability, FlashSize, PowerCut, Tear, format},
    issue::{DEFAULT_MANAGEMENT_KEY, Request, issue},
    reader::{InsertedCard, Interface, ManageError, ReaderSettings},
    run::{CardSource, DEFAULT_READER, ReadersError, SlotReport, WorldSettings},
    trace::What,
};

const READER: &str = "vreader 00 00";
const TEARS: [Tear; 3] = [Tear::Torn, Tear::Half, Tear::Clean];

const RIGHT_PIN: &[u8] = b"\x00\x20\x00\x80\x08123456\xFF\xFF";
const WRONG_PIN: &[u8] = b"\x00\x20\x00\x80\x08000000\xFF\xFF";
const TRIES: &[u8] = &[0x00, 0x20, 0x00, 0x80];
const GENERATE: &[u8] = &[0x00, 0x47, 0x00, 0x9A, 0x05, 0xAC, 0x03, 0x80, 0x01, 0x11];
const PUT_CHUID: &[u8] =
    &[0x00, 0xDB, 0x3F, 0xFF, 0x0A, 0x5C, 0x03, 0x5F, 0xC1, 0x02, 0x53, 0x03, 0x01, 0x02, 0x03];
const NEW_CHUID: &[u8] = &[0x53, 0x03, 0x01, 0x02, 0x03];

/// What a dead card says.
const SILENCE: [u8; 0] = [];

/// SCARD_E_NOT_TRANSACTED.
const NOT_TRANSACTED: u32 = 0x8010_0016;
/// SCARD_W_RESET_CARD.
const RESET_CARD: u32 = 0x8010_0068;

/// What can be seen of a card that these tests change.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    tries: u8,
    chuid: Vec<u8>,
    public_key: PublicKey,
}

fn look(card: &mut EmulatedCard) -> Seen {
    let mut contents = card.contents().unwrap();
    let authentication = KeyReference::PivAuthentication;
    let slot = contents.slots.into_iter().find(|slot| slot.reference == authentication).unwrap();
    let chuid = contents.objects.remove(&0x5F_C102).unwrap();
    Seen { tries: contents.pin.tries_left, chuid, public_key: slot.public_key.unwrap() }
}

/// A new card as a file's bytes, the same each time.
fn new_card() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    let request = Request { seed: Some(1), ..Request::default() };
    let issued = issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).unwrap();
    drop(EmulatedCard::create(&path, FlashSize::DEFAULT, &PIV, 3, &issued).unwrap());
    fs::read(path).unwrap()
}

/// A card with power, in memory or in a file.
fn card(image: &[u8], file: Option<&Path>) -> EmulatedCard {
    let mut card = if let Some(path) = file {
        fs::write(path, image).unwrap();
        EmulatedCard::open_with(path, Durability::Process).unwrap()
    } else {
        EmulatedCard::with_store(format::open(image, Reads::Memory).unwrap().store).unwrap()
    };
    card.seed(1);
    card.power_on(Interface::Contact);
    card
}

fn authenticate_administrator(card: &mut impl InsertedCard) {
    let asked = card.transmit(&[0x00, 0x87, 0x0A, 0x9B, 0x04, 0x7C, 0x02, 0x81, 0x00, 0x00]);
    let key = DEFAULT_MANAGEMENT_KEY.repeat(3)[..24].to_vec();
    let answer = oracle::encrypt(&[0x0A], &key, &asked[4..20]).unwrap();
    let command = [&[0x00, 0x87, 0x0A, 0x9B, 0x14, 0x7C, 0x12, 0x82, 0x10][..], &answer].concat();
    assert_eq!(card.transmit(&command), [0x90, 0x00]);
}

/// Runs a command with a loss of power at its first operations and at some later ones (card-sim's own tests take every one);
/// at each, `check` compares what was seen before and after. The card has to work then.
fn tear_everywhere(command: &[u8], in_file: bool, check: fn(&Seen, &Seen)) {
    let image = new_card();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    let file = in_file.then_some(path.as_path());
    let before = look(&mut card(&image, file));
    let mut cuts = 0;
    for tear in TEARS {
        for after in (0..8).chain((8..).step_by(47)) {
            let mut card = card(&image, file);
            authenticate_administrator(&mut card);
            assert!(card.cut_power(PowerCut { after, tear }));
            if !card.transmit(command).is_empty() {
                // There are no more operations.
                break;
            }
            cuts += 1;
            assert_eq!(card.transmit(TRIES), SILENCE, "a dead card says nothing");
            if in_file {
                // The file holds what the flash does: whoever shows it sees a card.
                EmulatedCard::contents_of(&path).unwrap();
            }
            // The card gets power again; a card in a file may also be opened by another process.
            if in_file && after.is_multiple_of(2) {
                drop(card);
                card = EmulatedCard::open_with(&path, Durability::Process).unwrap();
            }
            card.power_on(Interface::Contact);
            assert!(!card.atr().is_empty());
            check(&before, &look(&mut card));
            works(&mut card);
        }
    }
    println!("{cuts} cut points");
    assert!(cuts > 2 * TEARS.len());
}

/// PIN and key are usable.
fn works(card: &mut EmulatedCard) {
    assert_eq!(card.transmit(RIGHT_PIN), [0x90, 0x00]);
    let digest = [0xA5; 32];
    let sign = [0x00, 0x87, 0x11, 0x9A, 0x26, 0x7C, 0x24, 0x82, 0x00, 0x81, 0x20];
    let answer = card.transmit(&[&sign[..], &digest, &[0x00]].concat());
    let signature = &answer[4..answer.len() - 2];
    let PublicKey::Ecc { point, .. } = look(card).public_key else { panic!("not on P-256") };
    assert!(oracle::ecdsa(&point, &digest, signature));
}

#[test]
fn a_torn_pin_try_is_spent_or_not_and_never_won() {
    for in_file in [false, true] {
        tear_everywhere(WRONG_PIN, in_file, |before, after| {
            assert!(after.tries == before.tries || after.tries == before.tries - 1, "{}", after.tries);
            assert_eq!((&after.chuid, &after.public_key), (&before.chuid, &before.public_key));
        });
    }
}

#[test]
fn a_torn_object_is_the_old_one_or_the_new_one() {
    for in_file in [false, true] {
        tear_everywhere(PUT_CHUID, in_file, |before, after| {
            assert!(after.chuid == before.chuid || after.chuid == NEW_CHUID, "{:02X?}", after.chuid);
            assert_eq!((after.tries, &after.public_key), (before.tries, &before.public_key));
        });
    }
}

#[test]
fn a_torn_key_is_the_old_one_or_a_new_one() {
    // That the key which is there works, whichever it is, is looked at for every command.
    tear_everywhere(GENERATE, true, |before, after| {
        assert_eq!((after.tries, &after.chuid), (before.tries, &before.chuid));
    });
}

#[test]
fn the_same_order_leaves_the_same_bytes() {
    let image = new_card();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    let torn = |after| {
        let mut card = card(&image, Some(&path));
        assert!(card.cut_power(PowerCut { after, tear: Tear::Torn }));
        assert_eq!(card.transmit(WRONG_PIN), SILENCE);
        fs::read(&path).unwrap()
    };
    assert!(torn(0) == torn(0) && torn(0) != image && torn(0) != torn(1));
}

#[test]
fn an_order_waits_for_its_write() {
    let image = new_card();
    let mut card = card(&image, None);
    assert!(card.cut_power(PowerCut { after: 0, tear: Tear::Clean }));
    // Nothing is written here, and the card is switched off and on.
    assert_eq!(card.transmit(TRIES), [0x63, 0xC3]);
    card.power_off();
    card.power_on(Interface::Contact);
    assert_eq!(card.transmit(TRIES), [0x63, 0xC3]);
    assert_eq!(card.transmit(WRONG_PIN), SILENCE);
    card.reset();
    // It is carried out once.
    assert_eq!(card.transmit(WRONG_PIN), [0x63, 0xC2]);
}

#[test]
fn an_order_to_a_dead_card_is_for_its_next_life() {
    let image = new_card();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    for file in [None, Some(path.as_path())] {
        let mut card = card(&image, file);
        for tear in TEARS {
            assert!(card.cut_power(PowerCut { after: 1, tear }));
            assert_eq!(card.transmit(WRONG_PIN), SILENCE);
            assert!(card.cut_power(PowerCut::default()));
            assert_eq!(card.transmit(TRIES), SILENCE, "the order gives it no power");
            card.power_off();
            card.power_on(Interface::Contact);
            let tries = card.transmit(TRIES);
            assert_eq!(card.transmit(WRONG_PIN), SILENCE);
            card.reset();
            assert!(card.transmit(TRIES) <= tries, "a cut wins no try");
            works(&mut card);
        }
    }
}

fn world() -> World {
    let world = World::with(&WorldSettings { seed: Some(1), ..WorldSettings::default() }).unwrap();
    world.add(ReaderSettings::new(DEFAULT_READER), Some(&CardSource::Profile(&PIV))).unwrap();
    world
}

fn connect(world: &World) -> RemoteCard {
    RemoteCard::connect(world.socket(), READER).unwrap()
}

fn refused(card: &mut RemoteCard, command: &[u8]) -> u32 {
    match card.transmit(command) {
        Err(RemoteError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn programs_see_a_command_without_an_answer_and_then_a_reset() {
    let world = world();
    let (mut one, mut other) = (connect(&world), connect(&world));
    world.tear(PowerCut::default()).unwrap();
    assert_eq!(other.transmit(TRIES).unwrap(), [0x63, 0xC3], "a command that writes nothing is answered");
    assert_eq!(refused(&mut one, WRONG_PIN), NOT_TRANSACTED);
    for card in [&mut one, &mut other] {
        assert_eq!(refused(card, TRIES), RESET_CARD);
    }
    assert_eq!(world.readers().list()[0].slot, SlotReport::Card, "it is still in the reader");
    let tries = connect(&world).transmit(TRIES).unwrap();
    assert!(tries == [0x63, 0xC3] || tries == [0x63, 0xC2], "{tries:02X?}");

    let events = world.events();
    let torn = events.iter().position(|event| event.what == What::Torn).unwrap();
    let command = events[torn - 1].command().unwrap();
    assert_eq!(
        (command.meaning().as_str(), &command.answer, &command.rule),
        ("VERIFY PIV PIN", &None, &None)
    );
    assert!(matches!(&events[torn + 1].what, What::PoweredOn { atr } if !atr.shown().is_empty()));
    assert!(events[torn].to_string().ends_with("card lost its power in the middle of a write"));
    assert!(world.exchanges().iter().any(|asked| asked.to_string() == "VERIFY PIV PIN -> no answer"));
}

#[test]
fn a_reset_or_an_insertion_wakes_the_card_too() {
    let world = world();
    for wake in [World::reset, |world: &World| world.remove().and_then(|()| world.insert())] {
        let mut card = connect(&world);
        world.tear(PowerCut { after: 0, tear: Tear::Clean }).unwrap();
        assert_eq!(refused(&mut card, WRONG_PIN), NOT_TRANSACTED);
        wake(&world).unwrap();
        assert_eq!(connect(&world).transmit(TRIES).unwrap(), [0x63, 0xC3]);
    }
}

#[test]
fn an_order_goes_with_the_card() {
    let world = world();
    world.tear(PowerCut::default()).unwrap();
    world.remove().unwrap();
    let Err(ReadersError::Manage(error)) = world.tear(PowerCut::default()) else { panic!("no card") };
    assert_eq!(error.to_string(), "there is no card in \"vreader 00 00\"; insert one first");
    world.insert().unwrap();
    assert_eq!(refused(&mut connect(&world), WRONG_PIN), NOT_TRANSACTED);
}

/// A card of somebody else's, which keeps its state where we do not know.
struct Foreign;

impl InsertedCard for Foreign {
    fn atr(&self) -> &[u8] {
        &[0x3B, 0x80, 0x01, 0x81]
    }
    fn power_on(&mut self, _: Interface) {}
    fn power_off(&mut self) {}
    fn reset(&mut self) {}
    fn transmit(&mut self, _: &[u8]) -> Vec<u8> {
        vec![0x90, 0x00]
    }
}

#[test]
fn a_card_without_a_flash_cannot_be_torn() {
    let world = World::with(&WorldSettings::default()).unwrap();
    world.readers().add(ReaderSettings::new(DEFAULT_READER), Some(Box::new(Foreign))).unwrap();
    let error = world.tear(PowerCut::default()).unwrap_err();
    assert!(matches!(&error, ReadersError::Manage(ManageError::CannotTear(_))), "{error}");
}
