//! A card as it must not be: it compares a PIN byte by byte and stops at the first difference. The gate for constant time
//! must refuse it, or it is no gate.

#![no_std]
#![no_main]

use core::hint::black_box;

use apdu::{Response, Status};
use card_sim::interface::Interface;
use cortex_m_semihosting::debug;
use firmware::{
    board::{self, Board},
    line::{self, Reader},
};

/// The PIN of the scenarios' card.
const PIN: &[u8; 8] = b"123456\xFF\xFF";

struct Leaky;

impl Reader for Leaky {
    fn power_on(&mut self, _: Interface) {}

    fn reset(&mut self) {}

    fn power_off(&mut self) {}

    fn transmit(&mut self, command: &[u8]) -> Response<'_> {
        let candidate = command.get(5..).unwrap_or_default();
        let equal = candidate == black_box(PIN.as_slice());
        Response::from_status(if equal { Status::Ok } else { Status::TriesLeft(2) })
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    Board::take();
    line::serve(&mut Leaky, 0);
    board::stop(debug::EXIT_SUCCESS)
}
