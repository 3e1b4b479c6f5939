//! Tests of a program that uses a smart card: copy this, put your program in the place of OpenSC's, and run `cargo test`.
//!
//! Each test has a private PC/SC world with a PIV card of its own. No hardware, no pcscd, no root; tests run side by side.
//! Here they run with `cargo test -p vreader --example card_login`; `cargo run -p vreader --example card_login` shows what
//! passes between program and card.

use std::process::Stdio;

use vreader::World;

/// The program under test, which asks the card to check a PIN. Yours might be `env!("CARGO_BIN_EXE_my-program")`.
fn login(world: &World, pin: &str) -> bool {
    let mut program = world.command("pkcs15-tool");
    let program = program.args(["--verify-pin", "--auth-id", "01", "--pin", pin]);
    let status = program.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.expect("pkcs15-tool is installed: see tools/install-clients").success()
}

fn main() {
    let world = World::start().expect("a world");
    login(&world, "000000");
    for event in world.events() {
        println!("{event}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vreader::trace::{Status, What};

    use super::*;

    /// Longest wait for something that must come.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn the_right_pin_is_accepted() {
        let world = World::start().expect("a world");
        assert!(login(&world, "123456"));
    }

    #[test]
    fn a_wrong_pin_costs_one_try() {
        let world = World::start().expect("a world");
        assert!(!login(&world, "000000"));
        let exchanges = world.exchanges();
        let verify =
            exchanges.iter().find(|exchange| exchange.meaning == "VERIFY PIV PIN").expect("a VERIFY");
        assert_eq!(verify.status, Some(Status::TriesLeft(2)));
    }

    #[test]
    fn three_wrong_pins_lock_the_card_and_the_program_can_tell() {
        let world = World::start().expect("a world");
        for _ in 0..3 {
            assert!(!login(&world, "000000"));
        }
        assert!(!login(&world, "123456"));
        let last = world.exchanges().pop().expect("an exchange");
        assert_eq!(last.status, Some(Status::AuthenticationMethodBlocked));
    }

    #[test]
    fn a_card_that_is_taken_out_ends_the_login_and_comes_back_as_it_was() {
        let world = World::start().expect("a world");
        assert!(!login(&world, "000000"));
        world.remove().expect("a card to take out");
        assert!(!login(&world, "123456"));
        world.insert().expect("a card to put back");
        assert!(login(&world, "123456"));
        world.wait_for(PATIENCE, |event| event.what == What::Inserted).expect("the trace tells it");
    }
}
