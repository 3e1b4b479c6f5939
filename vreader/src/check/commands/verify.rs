//! VERIFY (SP 800-73-5 part 2, 3.2.1; PIN formats in 2.4.3).

use super::{Assertion, Need, PinPolicy, PinStatus, Trial, Tried, VERIFY_PIN, check, one_of};
use crate::check::outcome::not_applicable;

pub(super) const ROWS: &[Assertion] = &[
    Assertion {
        id: "05.14",
        about: "VERIFY",
        text: "The right PIN is verified, and VERIFY without data says so",
        needs: &[Need::Pin],
        run: |trial| {
            trial.log_in()?;
            trial.must_be(PinStatus::Verified, "after VERIFY")
        },
    },
    Assertion {
        id: "05.16A-R4",
        about: "VERIFY",
        text: "A wrong pairing code is answered with 6300, the right one with 9000",
        needs: &[Need::Pin],
        run: pairing_code,
    },
    Assertion {
        id: "05.17",
        about: "VERIFY",
        text: "When no tries are left, even the right PIN is answered with 6983",
        needs: &[Need::Pin, Need::Puk, Need::Change],
        run: |trial| {
            let (wrong, right) = (trial.wrong_pin()?, trial.pin()?);
            trial.wear_down(VERIFY_PIN, &wrong)?;
            let status = trial.status(VERIFY_PIN, &*right)?;
            let blocked = one_of(status, &[0x6983], "the right PIN when no tries are left")
                .and_then(|()| trial.must_be(PinStatus::Tries(0), "when it is blocked"));
            // Rows behind this one need the PIN again.
            super::change::unblock(trial)?;
            blocked
        },
    },
    Assertion {
        id: "05.18",
        about: "VERIFY",
        text: "Over the contactless interface, VERIFY without the virtual contact interface does nothing",
        needs: &[Need::Contactless, Need::Pin],
        run: |trial| {
            let (wrong, right) = (trial.wrong_pin()?, trial.pin()?);
            for pin in [wrong, *right] {
                let status = trial.status(VERIFY_PIN, &pin)?;
                check(
                    status != 0x9000 && status & 0xFFF0 != 0x63C0,
                    || "a refusal without a try".to_owned(),
                    || format!("{status:04X}"),
                )?;
            }
            Ok(())
        },
    },
    Assertion {
        id: "05.19",
        about: "VERIFY",
        text: "A wrong PIN takes a try and ends the status",
        needs: &[Need::Pin, Need::Change],
        run: |trial| {
            trial.log_in()?;
            trial.log_out()?;
            let before = trial.tries()?;
            if before < 2 {
                return Ok(not_applicable("the card gives one try only")?);
            }
            trial.log_in()?;
            let wrong = trial.wrong_pin()?;
            let status = trial.status(VERIFY_PIN, &wrong)?;
            one_of(status, &[0x63C0 | (before - 1)], "a wrong PIN")?;
            trial.must_be(PinStatus::Tries(before - 1), "after a wrong PIN")?;
            trial.log_in()?;
            trial.log_out()?;
            trial.must_be(PinStatus::Tries(before), "after the right PIN and P1 FF")
        },
    },
    Assertion {
        id: "05.22A",
        about: "VERIFY",
        text: "A malformed PIN is answered with 6A80 and no loss, or as a wrong one",
        needs: &[Need::Pin, Need::Change],
        run: malformed,
    },
    Assertion {
        id: "05.22B",
        about: "VERIFY",
        text: "A key reference that cannot be verified is answered with 6A88",
        needs: &[],
        run: |trial| trial.expect([0x00, 0x20, 0x00, 0x77], &[], &[0x6A88], "VERIFY for key reference 77"),
    },
    Assertion {
        id: "05.22C-R4",
        about: "VERIFY",
        text: "VERIFY with P1 FF ends the status and takes no try",
        needs: &[Need::Pin],
        run: |trial| {
            trial.log_in()?;
            trial.log_out()?;
            let before = trial.tries()?;
            trial.log_out()?;
            trial.must_be(PinStatus::Tries(before), "after P1 FF")
        },
    },
    Assertion {
        id: "05.22D",
        about: "VERIFY",
        text: "Another P1 than 00 and FF is answered with 6A86",
        needs: &[],
        run: |trial| trial.expect([0x00, 0x20, 0x01, 0x80], &[], &[0x6A86], "VERIFY with P1 01"),
    },
];

fn pairing_code(trial: &mut Trial<'_>) -> Tried {
    const VERIFY_CODE: [u8; 4] = [0x00, 0x20, 0x00, 0x98];
    if !trial.policy().is_some_and(PinPolicy::pairing_code) {
        return Ok(not_applicable("the card has no pairing code")?);
    }
    let right = trial.pairing_code()?;
    let mut wrong = right.clone();
    if let Some(last) = wrong.last_mut() {
        *last = if *last == b'0' { b'1' } else { b'0' };
    }
    trial.expect(VERIFY_CODE, &wrong, &[0x6300], "a wrong pairing code")?;
    trial.expect(VERIFY_CODE, &right, &[0x9000], "the pairing code")
}

fn malformed(trial: &mut Trial<'_>) -> Tried {
    let forms: [&[u8]; 5] =
        [b"12345\xFF\xFF\xFF", b"12345a\xFF\xFF", b"123456\xFF7", b"123456\x00\x00", b"123456"];
    for form in forms {
        trial.log_in()?;
        trial.log_out()?;
        let before = trial.tries()?;
        if before < 2 {
            return Ok(not_applicable("the card gives one try only")?);
        }
        let status = trial.status(VERIFY_PIN, form)?;
        let what = format!("the malformed PIN {}", String::from_utf8_lossy(form).escape_debug());
        // 6700 is ISO/IEC 7816-4's word for a length that is wrong.
        let mut wanted = vec![0x6A80, 0x63C0 | (before - 1)];
        if form.len() != 8 {
            wanted.push(0x6700);
        }
        one_of(status, &wanted, &what)?;
        let left = if status & 0xFFF0 == 0x63C0 { before - 1 } else { before };
        trial.must_be(PinStatus::Tries(left), &format!("after {what}"))?;
    }
    trial.log_in()
}
