//! The story of three ways to unlock a card (FLOWS row 45).

use super::{
    issue::{PIN, issued_card},
    lock::three_wrong_pins,
    stage::Stage,
};
use crate::cli::Outcome;

pub(super) fn tell(stage: &mut Stage<'_>) -> Outcome {
    issued_card(stage)?;
    by_code(stage)?;
    online(stage)?;
    by_response(stage)
}

fn by_code(stage: &mut Stage<'_>) -> Outcome {
    stage.part("By unlock code: the help desk reads it out")?;
    three_wrong_pins(stage, "2026-02-02")?;
    let printed = stage.done("vreader cms unlock --code 1 --now 2026-02-02").changes_nothing().run()?;
    let code = printed.trim();
    stage.say("A wrong code costs one of its own tries; the right one sets the new PIN:")?;
    let wrong = if code == "00000000" { "00000001" } else { "00000000" };
    stage
        .refused(format!("vreader card unlock --puk {wrong} --new-pin 135790"))
        .says("is wrong")
        .leads_to("PIN, tries left", "0")
        .run()?;
    stage
        .done(format!("vreader card unlock --puk {code} --new-pin 135790"))
        .says("the PIN is unlocked")
        .leads_to("PIN, tries left", "3")
        .run()?;
    stage.refused(format!("vreader card info --pin {PIN} --now 2026-02-02")).says("tries left: 2").run()?;
    stage.done("vreader card info --pin 135790 --now 2026-02-02").leads_to("PIN, tries left", "3").run()?;
    Ok(())
}

fn online(stage: &mut Stage<'_>) -> Outcome {
    stage.part(
        "Online: a request that is good for ten minutes, and a temporary PIN that is changed at once",
    )?;
    three_wrong_pins(stage, "2026-03-02")?;
    stage
        .done("vreader cms request unlock 1 --now 2026-03-02T10:00:00Z")
        .leads_to("request 2 (unlock) for card 1", "APPROVED")
        .run()?;
    stage
        .done("vreader cms check --now 2026-03-02T10:01:00Z")
        .says("unlock")
        .says("until 2026-03-02T10:10:00Z")
        .run()?;
    stage.say("Ten minutes and a second later it is too late:")?;
    stage
        .refused("vreader cms update --new-pin 224466 --now 2026-03-02T10:10:01Z")
        .says("expired on 2026-03-02T10:10:00Z")
        .leads_to("request 2 (unlock) for card 1", "EXPIRED")
        .leads_to("PIN, tries left", "0")
        .run()?;
    stage.say(
        "In time, the card gets a temporary PIN from the administrator, which the holder's own replaces:",
    )?;
    stage
        .done("vreader cms unlock --new-pin 224466 --now 2026-03-02T10:15:00Z")
        .says("done: unlock")
        .leads_to("request 3 (unlock) for card 1", "EXECUTED")
        .leads_to("PIN, tries left", "3")
        .run()?;
    stage.done("vreader card info --pin 224466 --now 2026-03-02").says("verified").changes_nothing().run()?;
    Ok(())
}

fn by_response(stage: &mut Stage<'_>) -> Outcome {
    stage
        .part("Challenge and response: the holder reads a number out, the help desk answers with another")?;
    three_wrong_pins(stage, "2026-04-01")?;
    stage
        .done("vreader cms request unlock 1 --now 2026-04-01T10:00:00Z")
        .leads_to("request 4 (unlock) for card 1", "APPROVED")
        .run()?;
    stage.say(
        "`vreader card unlock --challenge` shows the number and waits for the answer to be typed; --ask gets it from a program. First one that only guesses:",
    )?;
    stage
        .refused("vreader card unlock --ask 'echo 00112233445566778899AABBCCDDEEFF; true' --new-pin 998877")
        .says("does not accept the response")
        .changes_nothing()
        .run()?;
    stage
        .done("vreader card unlock --ask 'vreader cms unlock --respond 1 --now 2026-04-01T10:02:00Z --challenge' --new-pin 998877")
        .says("the PIN is unlocked")
        .leads_to("request 4 (unlock) for card 1", "EXECUTED")
        .leads_to("PIN, tries left", "3")
        .run()?;
    stage.done("vreader card info --pin 998877 --now 2026-04-01").says("verified").changes_nothing().run()?;
    stage.say("All of it is in the log:")?;
    stage
        .done("vreader cms audit 1 --now 2026-04-01T11:00:00Z")
        .says("answer a challenge")
        .changes_nothing()
        .run()?;
    Ok(())
}
