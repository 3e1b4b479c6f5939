//! The firmware: the card on its flash, at the end of a line.
//!
//! Its randomness begins with the same seed each time, because the emulated board has no source of any and so that runs
//! can be compared. A real board puts its generator in that place.

#![no_std]
#![no_main]

use card_sim::{
    Card,
    crypto::{OneAfterAnother, Portable},
    holder::Obliging,
    platform::Parts,
    store::{FlashStore, Reads},
};
use chacha20::ChaCha20Rng;
use cortex_m_semihosting::debug;
use firmware::{
    board::{self, Board},
    line,
    nor::Nor,
};
use rand_core::SeedableRng;

/// What the scenarios' card on the host begins with as well.
const SEED: [u8; 32] = [0x5C; 32];

/// One RSA key stays prepared.
type Platform = Parts<ChaCha20Rng, FlashStore<Nor>, Portable<OneAfterAnother, 1>>;

#[cortex_m_rt::entry]
fn main() -> ! {
    let flash = Nor::new(Board::take().card_flash);
    // Where the card is made, it stays: there is no room for a second one.
    let mut card = None;
    let ((), instructions) = board::count(|| start(flash, &mut card));
    if let Some(card) = &mut card {
        line::serve(card, instructions);
    }
    board::stop(debug::EXIT_SUCCESS)
}

#[inline(never)]
fn start(flash: Nor, place: &mut Option<Card<Platform>>) {
    let store = match FlashStore::open(flash, Reads::Flash) {
        Ok(store) => store,
        Err(error) => panic!("the card's flash is not usable: {error:?}"),
    };
    let rng = ChaCha20Rng::from_seed(SEED);
    match Card::new(Parts { rng, store, crypto: Portable::default(), holder: Obliging }) {
        Ok(card) => *place = Some(card),
        Err(error) => panic!("there is no card on the flash: {error:?}"),
    }
}
