//! CHANGE REFERENCE DATA and RESET RETRY COUNTER (SP 800-73-5 part 2, 3.2.2 and 3.2.3).

use zeroize::Zeroizing;

use super::{Assertion, Need, PinStatus, Trial, Tried, VERIFY_PIN, check, one_of, other_than};
use crate::check::outcome::not_applicable;

const CHANGE_PIN: [u8; 4] = [0x00, 0x24, 0x00, 0x80];
const CHANGE_PUK: [u8; 4] = [0x00, 0x24, 0x00, 0x81];
const RESET: [u8; 4] = [0x00, 0x2C, 0x00, 0x80];

/// Eight letters: no PIN.
const NO_PIN: [u8; 8] = *b"abcdefgh";

const CHANGE: &str = "CHANGE REFERENCE DATA";
const RESET_COUNTER: &str = "RESET RETRY COUNTER";

pub(super) const ROWS: &[Assertion] = &[
    Assertion {
        id: "05.23",
        about: CHANGE,
        text: "The PUK can be changed, or the card does not support it (6A88)",
        needs: &[Need::Puk, Need::Change],
        run: |trial| {
            let old = trial.puk()?;
            let new = other_than(&*old, *b"87654321");
            let status = trial.status(CHANGE_PUK, &pair(&*old, &new))?;
            if status == 0x6A88 {
                return Ok(());
            }
            one_of(status, &[0x9000], "a change of the PUK")?;
            trial.expect(CHANGE_PUK, &pair(&new, &*old), &[0x9000], "the change back")
        },
    },
    Assertion {
        id: "05.24A-R4",
        about: CHANGE,
        text: "Over the contactless interface nothing is changed without the virtual contact interface",
        needs: &[Need::Contactless, Need::Pin],
        run: |trial| {
            let pin = trial.pin()?;
            let status = trial.status(CHANGE_PIN, &pair(&*pin, &*pin))?;
            check(status != 0x9000, || "a refusal".to_owned(), || format!("{status:04X}"))
        },
    },
    Assertion {
        id: "05.25",
        about: CHANGE,
        text: "When no tries are left, a change is answered with 6983",
        needs: &[Need::Pin, Need::Puk, Need::Change],
        run: |trial| {
            let (wrong, right) = (trial.wrong_pin()?, trial.pin()?);
            trial.wear_down(VERIFY_PIN, &wrong)?;
            let status = trial.status(CHANGE_PIN, &pair(&*right, &wrong))?;
            unblock(trial)?;
            one_of(status, &[0x6983], "a change when no tries are left")
        },
    },
    Assertion {
        id: "05.25A-R4",
        about: CHANGE,
        text: "The right PIN and a malformed new one are answered with 6A80, and nothing changes",
        needs: &[Need::Pin, Need::Change],
        run: |trial| {
            let pin = trial.pin()?;
            trial.log_in()?;
            trial.log_out()?;
            let before = trial.tries()?;
            trial.expect(CHANGE_PIN, &pair(&*pin, &NO_PIN), &[0x6A80], "a malformed new PIN")?;
            trial.must_be(PinStatus::Tries(before), "after it")?;
            trial.log_in()
        },
    },
    Assertion {
        id: "05.26",
        about: CHANGE,
        text: "A change succeeds, verifies the PIN, and the old PIN is one no more",
        needs: &[Need::Pin, Need::Change],
        run: |trial| {
            let (old, new) = (trial.pin()?, trial.wrong_pin()?);
            trial.expect(CHANGE_PIN, &pair(&*old, &new), &[0x9000], "a change of the PIN")?;
            let after = trial.pin_status()?;
            let with_old = trial.status(VERIFY_PIN, &*old)?;
            // Back before anything is judged: rows behind this one need the PIN.
            trial.expect(CHANGE_PIN, &pair(&new, &*old), &[0x9000], "the change back")?;
            check(
                after == PinStatus::Verified,
                || "a verified PIN after the change".to_owned(),
                || after.in_words(),
            )?;
            check(
                with_old & 0xFFF0 == 0x63C0,
                || "63CX to the old PIN".to_owned(),
                || format!("{with_old:04X}"),
            )
        },
    },
    Assertion {
        id: "05.27",
        about: CHANGE,
        text: "A wrong old PIN takes a try and ends the status",
        needs: &[Need::Pin, Need::Change],
        run: |trial| {
            let wrong = trial.wrong_pin()?;
            trial.log_in()?;
            trial.log_out()?;
            let before = trial.tries()?;
            if before < 2 {
                return Ok(not_applicable("the card gives one try only")?);
            }
            trial.log_in()?;
            trial.expect(CHANGE_PIN, &pair(&wrong, &wrong), &[0x63C0 | (before - 1)], "a wrong old PIN")?;
            trial.must_be(PinStatus::Tries(before - 1), "after it")?;
            trial.log_in()
        },
    },
    Assertion {
        id: "05.28A",
        about: CHANGE,
        text: "A key reference that cannot be changed is answered with 6A88",
        needs: &[],
        run: |trial| {
            let data = pair(&NO_PIN, &NO_PIN);
            trial.expect([0x00, 0x24, 0x00, 0x77], &data, &[0x6A88], "a change of key reference 77")
        },
    },
    Assertion {
        id: "05.29",
        about: RESET_COUNTER,
        text: "Another key reference than 80 is answered with 6A88",
        needs: &[],
        run: |trial| {
            let data = pair(&NO_PIN, &NO_PIN);
            trial.expect([0x00, 0x2C, 0x00, 0x77], &data, &[0x6A88], "a reset of key reference 77")
        },
    },
    Assertion {
        id: "05.29a",
        about: RESET_COUNTER,
        text: "Over the contactless interface it is not supported (6A81)",
        needs: &[Need::Contactless],
        run: |trial| trial.expect(RESET, &pair(&NO_PIN, &NO_PIN), &[0x6A81, 0x6982], "a reset"),
    },
    Assertion {
        id: "05.30",
        about: RESET_COUNTER,
        text: "When the PUK has no tries left, a reset is answered with 6983",
        needs: &[Need::Pin, Need::Puk, Need::Change, Need::Ruin],
        run: |trial| {
            let (puk, pin) = (trial.puk()?, trial.pin()?);
            let wrong = other_than(&*puk, *b"00000000");
            trial.wear_down(RESET, &pair(&wrong, &*pin))?;
            trial.expect(RESET, &pair(&*puk, &*pin), &[0x6983], "a reset when the PUK is blocked")
        },
    },
    Assertion {
        id: "05.31",
        about: RESET_COUNTER,
        text: "A reset sets PIN and counter, and does not verify the PIN",
        needs: &[Need::Pin, Need::Puk, Need::Change],
        run: |trial| {
            let (puk, old, new) = (trial.puk()?, trial.pin()?, trial.wrong_pin()?);
            trial.log_in()?;
            trial.log_out()?;
            let before = trial.tries()?;
            trial.wear_down(VERIFY_PIN, &new)?;
            let reset = trial.status(RESET, &pair(&*puk, &new))?;
            let (after, with_new) = (trial.pin_status()?, trial.status(VERIFY_PIN, &new)?);
            // Back before anything is judged: rows behind this one need the PIN.
            let back = trial.status(RESET, &pair(&*puk, &*old))?;
            let kept = trial.pin_status()?;
            one_of(reset, &[0x9000], "a reset")?;
            let wanted = PinStatus::Tries(before);
            check(after == wanted, || format!("{} after the reset", wanted.in_words()), || after.in_words())?;
            one_of(with_new, &[0x9000], "VERIFY with the new PIN")?;
            one_of(back, &[0x9000], "a reset while the PIN is verified")?;
            check(
                kept == PinStatus::Verified,
                || "the status as it was before: verified".to_owned(),
                || kept.in_words(),
            )
        },
    },
    Assertion {
        id: "05.32",
        about: RESET_COUNTER,
        text: "A wrong PUK is answered with 63CX and ends the PIN's status",
        needs: &[Need::Pin, Need::Puk, Need::Change],
        run: |trial| {
            let (puk, pin) = (trial.puk()?, trial.pin()?);
            let wrong = other_than(&*puk, *b"00000000");
            trial.log_in()?;
            let status = trial.status(RESET, &pair(&wrong, &*pin))?;
            let verified = trial.pin_status()? == PinStatus::Verified;
            // Gives the PUK its tries back.
            trial.expect(RESET, &pair(&*puk, &*pin), &[0x9000], "a reset with the right PUK")?;
            check(
                status & 0xFFF0 == 0x63C0,
                || "63CX to a wrong PUK".to_owned(),
                || format!("{status:04X}"),
            )?;
            check(!verified, || "a PIN that is no longer verified".to_owned(), || "a verified PIN".to_owned())
        },
    },
    Assertion {
        id: "05.33",
        about: RESET_COUNTER,
        text: "The right PUK and a malformed PIN are answered with 6A80, and nothing changes",
        needs: &[Need::Pin, Need::Puk, Need::Change],
        run: |trial| {
            let puk = trial.puk()?;
            trial.expect(RESET, &pair(&*puk, &NO_PIN), &[0x6A80], "a malformed new PIN")?;
            trial.log_in()
        },
    },
];

/// Gives a blocked PIN its tries back.
pub(super) fn unblock(trial: &mut Trial<'_>) -> Tried {
    let (puk, pin) = (trial.puk()?, trial.pin()?);
    trial.expect(RESET, &pair(&*puk, &*pin), &[0x9000], "a reset with the PUK")
}

/// Old and new, or PUK and PIN.
fn pair(first: &[u8], second: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([first, second].concat())
}
