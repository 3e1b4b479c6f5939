//! The story of a card that locks: by its holder, and by its issuer (FLOWS rows 6, 8 and 45).

use super::{
    issue::{PIN, issued_card},
    stage::Stage,
};
use crate::cli::Outcome;

const DAY: &str = "2026-02-02";

/// The quick way to a locked PIN.
pub(super) fn three_wrong_pins(stage: &mut Stage<'_>, day: &str) -> Outcome {
    for left in ["2", "1", "0"] {
        let step = stage.refused(format!("vreader card info --pin 111111 --now {day}"));
        step.quiet().leads_to("PIN, tries left", left).run()?;
    }
    Ok(())
}

pub(super) fn tell(stage: &mut Stage<'_>) -> Outcome {
    issued_card(stage)?;
    stage.part("A wrong PIN, three times")?;
    for left in ["2", "1", "0"] {
        stage
            .refused(format!("vreader card info --pin 111111 --now {DAY}"))
            .says(format!("tries left: {left}"))
            .leads_to("PIN, tries left", left)
            .run()?;
    }
    stage.say("Now the right PIN is of no use either, for whatever program, and stays so without power:")?;
    let locked = "the PIN is locked";
    stage
        .refused(format!("vreader card info --pin {PIN} --now {DAY}"))
        .says(locked)
        .changes_nothing()
        .run()?;
    stage
        .refused(format!("vreader card pin change --old {PIN} --new 135790"))
        .says(locked)
        .changes_nothing()
        .run()?;
    stage.done("vreader ctl remove").leads_to("PIN, tries left", "-").run()?;
    stage.done("vreader ctl insert").leads_to("PIN, tries left", "0").run()?;
    stage
        .refused(format!("vreader card info --pin {PIN} --now {DAY}"))
        .says(locked)
        .changes_nothing()
        .run()?;
    stage.say("What needs no PIN is still there:")?;
    stage
        .done(format!("vreader card certs --now {DAY}"))
        .says("Authentication - Dana Quincy Sample")
        .changes_nothing()
        .run()?;
    stage.say("The issuer helps (`vreader demo unlock` shows each way):")?;
    stage
        .done(format!("vreader cms unlock --new-pin {PIN} --now {DAY}"))
        .says("done: unlock")
        .leads_to("PIN, tries left", "3")
        .run()?;

    stage.part("The issuer locks a card: its PIN is refused, its certificates are on hold")?;
    stage
        .done(format!("vreader cms lock --now {DAY}"))
        .says("done: lock")
        .leads_to("card 1", "INVALID")
        .run()?;
    stage.insist("PIN, tries left", "0")?;
    stage
        .refused(format!("vreader card info --pin {PIN} --now {DAY}"))
        .says(locked)
        .changes_nothing()
        .run()?;
    stage.say("Nobody is told the unlock code of such a card:")?;
    stage
        .refused(format!("vreader cms unlock --code 1 --now {DAY}"))
        .says("is locked")
        .changes_nothing()
        .run()?;
    stage
        .done(format!("vreader cms show 1 --now {DAY}"))
        .says("card 1: INVALID")
        .says("ON HOLD")
        .changes_nothing()
        .run()?;
    stage
        .done("vreader cms unlock --new-pin 135790 --now 2026-02-09")
        .leads_to("card 1", "ISSUED")
        .leads_to("PIN, tries left", "3")
        .run()?;
    stage.done("vreader card info --pin 135790 --now 2026-02-09").says("verified").changes_nothing().run()?;
    Ok(())
}
